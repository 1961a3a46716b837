package gitstore

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"maps"
	"slices"
)

// Merged is the tree that merging head into base would give, to be read and never written:
// what each changed since the newest commit that both hold, as git's own merge, but that it does
// not follow renames. Both are snapshots of one store. Where both changed the same lines, or a
// file as a whole and not to the same, are the conflicts, in path order; they are taken from
// head. The view's Rev and About are head's, its Parent is base, and its Changes are from nil, from
// snapshots of the same store, or from another such view. It returns an *Error.
func Merged(ctx context.Context, base, head Snapshot) (view Snapshot, conflicts []string, err error) {
	m, err := (&walk{maxMerged}).merge(ctx, base, head)
	if err != nil {
		return nil, nil, err
	}
	return m, slices.Sorted(maps.Keys(m.open)), nil
}

// merge merges two commits. Of several bases two are merged first, as git does: what is open
// between them stays open.
func (w *walk) merge(ctx context.Context, base, head Snapshot) (*merged, error) {
	bases, err := w.bases(ctx, base, head)
	if err != nil {
		return nil, err
	}
	m := &merged{base: base, head: head, over: map[string]replaced{}, open: map[string]bool{}, blobs: map[BlobID]bool{}, made: map[BlobID][]byte{}}
	switch len(bases) {
	case 0:
		return nil, unmergeable(base, head, "they have no commit in common", "name a branch that was begun on the base, or rebase it")
	case 1:
		ours, err := base.Changes(ctx, bases[0])
		if err != nil {
			return nil, err
		}
		theirs, err := head.Changes(ctx, bases[0])
		if err != nil {
			return nil, err
		}
		return m, m.take(ctx, bases[0], three(ours, theirs))
	}
	fork, err := w.merge(ctx, bases[0], bases[1])
	if err != nil {
		return nil, err
	}
	ours, err := fork.until(ctx, base)
	if err != nil {
		return nil, err
	}
	theirs, err := fork.until(ctx, head)
	if err != nil {
		return nil, err
	}
	files := three(ours, theirs)
	for path := range fork.open {
		f, changed := files[path]
		if !changed {
			f.old, f.ours, f.theirs = fork.over[path].is, fork.over[path].is, fork.over[path].is
		}
		f.open = true
		files[path] = f
	}
	return m, m.take(ctx, fork, files)
}

// A merged is a snapshot of a commit that nobody has made.
type merged struct {
	base, head Snapshot
	over       map[string]replaced // by path: where it is another than base
	open       map[string]bool     // the conflicts
	blobs      map[BlobID]bool     // of head's files
	made       map[BlobID][]byte   // of files of both
}

// A replaced file is one of base's and what the merge has in its place; nil is none.
type replaced struct{ base, is *File }

// A triple is a file in the common commit and on both sides; nil is none.
type triple struct {
	old, ours, theirs *File
	open              bool // what it was is itself open
}

// three are the files that either side changed.
func three(ours, theirs []Change) map[string]triple {
	files := make(map[string]triple, len(ours)+len(theirs))
	for _, c := range ours {
		files[c.Path] = triple{old: c.Old, ours: c.New, theirs: c.Old}
	}
	for _, c := range theirs {
		f, both := files[c.Path]
		if f.theirs = c.New; !both {
			f.old, f.ours = c.Old, c.Old
		}
		files[c.Path] = f
	}
	return files
}

// take puts over base's files what is another in the merge.
func (m *merged) take(ctx context.Context, fork Snapshot, files map[string]triple) error {
	for path, f := range files {
		switch {
		case equal(f.ours, f.theirs), equal(f.theirs, f.old) && !f.open:
			continue
		case equal(f.ours, f.old) && !f.open:
		default:
			text, err := m.texts(ctx, fork, f)
			if err != nil {
				return err
			}
			if text != nil {
				id := IDOf(text)
				m.made[id] = text
				m.over[path] = replaced{f.ours, &File{Path: path, Blob: id}}
				continue
			}
			m.open[path] = true
		}
		m.put(path, replaced{f.ours, f.theirs})
	}
	m.separate(files)
	return nil
}

// texts merges a file line by line; nil where it cannot.
func (m *merged) texts(ctx context.Context, fork Snapshot, f triple) ([]byte, error) {
	var texts [3][]byte
	for i, at := range []struct {
		in Snapshot
		*File
	}{{fork, f.old}, {m.base, f.ours}, {m.head, f.theirs}} {
		if f.open || at.File == nil || at.Skip != "" {
			return nil, nil
		}
		text, err := at.in.Read(ctx, at.Blob)
		if e := (*Error)(nil); errors.As(err, &e) && e.OfOneFile() {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		texts[i] = text
	}
	text, _ := mergeText(texts[0], texts[1], texts[2])
	return text, nil
}

func (m *merged) put(path string, r replaced) {
	m.over[path] = r
	if r.is != nil {
		m.blobs[r.is.Blob] = true
	}
}

// separate finds a file on one side where the other has a directory: a tree holds one of
// them. Head's stays.
func (m *merged) separate(files map[string]triple) {
	paths := map[string]bool{}           // of head's files
	dirs := map[string]map[string]bool{} // with the files of head's below
	for path, r := range m.over {
		if r.is == nil {
			continue
		}
		paths[path] = true
		for dir := range above(path) {
			if dirs[dir] == nil {
				dirs[dir] = map[string]bool{}
			}
			dirs[dir][path] = true
		}
	}
	for path, f := range files {
		if _, taken := m.over[path]; f.ours == nil || taken {
			continue
		}
		clash := maps.Clone(dirs[path])
		for dir := range above(path) {
			if paths[dir] {
				clash = map[string]bool{dir: true}
			}
		}
		for other := range clash {
			m.open[other], m.open[path] = true, true
			m.put(path, replaced{f.ours, nil})
		}
	}
}

// above are the directories that a path is in.
func above(path string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for i, c := range path {
			if c == '/' && !yield(path[:i]) {
				return
			}
		}
	}
}

func equal(a, b *File) bool { return a == b || a != nil && b != nil && *a == *b }

func (m *merged) Rev() Rev                                 { return m.head.Rev() }
func (m *merged) About() About                             { return m.head.About() }
func (m *merged) Parent(context.Context) (Snapshot, error) { return m.base, nil }

func (m *merged) Parents(context.Context) ([]Snapshot, error) { return []Snapshot{m.base, m.head}, nil }

// until are the changes from the view to a snapshot.
func (m *merged) until(ctx context.Context, to Snapshot) ([]Change, error) {
	changes, err := m.Changes(ctx, to)
	for i, c := range changes {
		changes[i].Old, changes[i].New = c.New, c.Old
	}
	return changes, err
}

func (m *merged) Read(ctx context.Context, id BlobID) ([]byte, error) {
	if text, ok := m.made[id]; ok {
		return text, nil
	}
	if m.blobs[id] {
		return m.head.Read(ctx, id)
	}
	return m.base.Read(ctx, id)
}

func (m *merged) Changes(ctx context.Context, from Snapshot) ([]Change, error) {
	other, isView := from.(*merged)
	if isView {
		from = other.base
	}
	changes, err := m.base.Changes(ctx, from)
	if err != nil {
		return nil, err
	}
	byPath := map[string]Change{}
	for _, c := range changes {
		byPath[c.Path] = c
	}
	// Where base did not change, what was there is what base has.
	at := func(path string, base *File) Change {
		if c, ok := byPath[path]; ok {
			return c
		}
		if from == nil {
			return Change{Path: path}
		}
		return Change{Path: path, Old: base, New: base}
	}
	if isView {
		for path, r := range other.over {
			c := at(path, r.base)
			c.Old = r.is
			byPath[path] = c
		}
	}
	for path, r := range m.over {
		c := at(path, r.base)
		c.New = r.is
		byPath[path] = c
	}
	var out []Change
	for _, c := range byPath {
		if !equal(c.Old, c.New) {
			out = append(out, c)
		}
	}
	slices.SortFunc(out, func(a, b Change) int { return cmp.Compare(a.Path, b.Path) })
	return out, nil
}
