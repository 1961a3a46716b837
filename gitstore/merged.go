package gitstore

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// maxMerged is how many first parents of each side are looked at for a common one.
const maxMerged = 1000

// Merged is the tree that merging head into base would give, to be read and never written:
// what head changed since it and base had their newest common first parent, and base
// elsewhere. Both are snapshots of one store. Files that both changed, and not to the same, are
// the conflicts, in path order; they are taken from head. The view's Rev and About are head's,
// its Parent is base, and its Changes are from nil, from snapshots of the same store, or
// from another such view. It returns an *Error.
func Merged(ctx context.Context, base, head Snapshot) (view Snapshot, conflicts []string, err error) {
	fork, err := forkOf(ctx, base, head)
	if err != nil {
		return nil, nil, err
	}
	ours, err := base.Changes(ctx, fork)
	if err != nil {
		return nil, nil, err
	}
	theirs, err := head.Changes(ctx, fork)
	if err != nil {
		return nil, nil, err
	}
	m := &merged{base: base, head: head, over: map[string]replaced{}, blobs: map[BlobID]bool{}}
	return m, m.take(ours, theirs), nil
}

// forkOf is the newest commit that both first-parent histories hold. The younger side goes
// first, so that no more history is read than there is between them, while clocks are right;
// whatever they say, the commit that is found is the same one.
func forkOf(ctx context.Context, base, head Snapshot) (Snapshot, error) {
	sides := [2]*side{{at: base, seen: map[Rev]bool{}}, {at: head, seen: map[Rev]bool{}}}
	for {
		s, other := sides[0], sides[1]
		if s.at == nil || other.at != nil && other.at.About().When.After(s.at.About().When) {
			s, other = other, s
		}
		if s.at == nil {
			return nil, unmergeable(base, head, "they have no commit in common", "name a branch that was begun on the base, or rebase it")
		}
		if s.seen[s.at.Rev()] = true; other.seen[s.at.Rev()] {
			return s.at, nil
		}
		if len(s.seen) > maxMerged {
			return nil, unmergeable(base, head, fmt.Sprintf("they have no commit in common among the last %d of each", maxMerged), "rebase the branch on the base, and try again")
		}
		next, err := s.at.Parent(ctx)
		if err != nil {
			return nil, err
		}
		s.at = next
	}
}

// A side is a walk down one history.
type side struct {
	at   Snapshot // nil below the root
	seen map[Rev]bool
}

func unmergeable(base, head Snapshot, what, fix string) error {
	return &Error{
		Kind: Unsupported, Repo: "merging " + head.Rev().Short() + " into " + base.Rev().Short(),
		What: what, Fix: fix,
	}
}

// A merged is a snapshot of a commit that nobody has made.
type merged struct {
	base, head Snapshot
	over       map[string]replaced // by path: where head has the last word
	blobs      map[BlobID]bool     // of those files
}

// A replaced file is one of base's and what the merge has in its place; nil is none.
type replaced struct{ base, is *File }

// take lets head's changes replace base's files, and returns the conflicts.
func (m *merged) take(ours, theirs []Change) []string {
	changed := map[string]Change{}
	for _, c := range ours {
		changed[c.Path] = c
	}
	conflicts := map[string]bool{}
	for _, c := range theirs {
		was := c.Old // and so base's, where base did not change it
		if o, both := changed[c.Path]; both {
			was = o.New
			if equal(o.New, c.New) {
				continue
			}
			conflicts[c.Path] = true
		}
		m.put(c.Path, replaced{was, c.New})
	}
	for _, o := range ours {
		if _, taken := m.over[o.Path]; o.New == nil || taken {
			continue
		}
		// A file on one side where the other has a directory: a tree holds one of them.
		for path := range m.inTheWay(o.Path) {
			conflicts[path], conflicts[o.Path] = true, true
			m.put(o.Path, replaced{o.New, nil})
		}
	}
	return slices.Sorted(maps.Keys(conflicts))
}

func (m *merged) put(path string, r replaced) {
	m.over[path] = r
	if r.is != nil {
		m.blobs[r.is.Blob] = true
	}
}

// inTheWay are head's files that cannot be beside a path.
func (m *merged) inTheWay(path string) map[string]bool {
	clash := map[string]bool{}
	for other, r := range m.over {
		if r.is != nil && (strings.HasPrefix(other, path+"/") || strings.HasPrefix(path, other+"/")) {
			clash[other] = true
		}
	}
	return clash
}

func equal(a, b *File) bool { return a == b || a != nil && b != nil && *a == *b }

func (m *merged) Rev() Rev                                 { return m.head.Rev() }
func (m *merged) About() About                             { return m.head.About() }
func (m *merged) Parent(context.Context) (Snapshot, error) { return m.base, nil }

func (m *merged) Read(ctx context.Context, id BlobID) ([]byte, error) {
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
