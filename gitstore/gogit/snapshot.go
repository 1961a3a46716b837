package gogit

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/object"

	"github.com/towpath/towpath/gitstore"
)

// A snapshot is one commit. It may be read as long as its objects are there.
type snapshot struct {
	store   *Store
	objects *objects // where the commit and its tree are
	commit  commit
	tip     plumbing.Hash // the branch's tip through which it was reached
	depth   int           // how many parents below that
}

// A commit is what this package reads of a commit object.
type commit struct {
	id, tree plumbing.Hash
	parents  []plumbing.Hash
	about    gitstore.About
	signed   bool // by anybody
}

func (s *snapshot) Rev() gitstore.Rev     { return gitstore.Rev(s.commit.id.String()) }
func (s *snapshot) About() gitstore.About { return s.commit.about }

func (s *snapshot) Read(ctx context.Context, id gitstore.BlobID) ([]byte, error) {
	if !plumbing.IsHash(string(id)) {
		return nil, s.store.failed(gitstore.Corrupt, fmt.Sprintf("%.80q is no blob's id", id), "report this as a bug of towpath", nil)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	raw, err := s.objects.read(plumbing.BlobObject, plumbing.NewHash(string(id)))
	return raw, s.store.unreadable(err)
}

// Changes walks both trees at once and skips what is equal.
func (s *snapshot) Changes(ctx context.Context, from gitstore.Snapshot) ([]gitstore.Change, error) {
	w := &walk{ctx: ctx, new: s.objects, room: s.store.opts.Limits.Files}
	var old plumbing.Hash
	if from != nil {
		f, ok := from.(*snapshot)
		if !ok || f.store != s.store {
			return nil, s.store.failed(gitstore.Corrupt, "a snapshot of another store was given", "report this as a bug of towpath", nil)
		}
		w.old, old = f.objects, f.commit.tree
	}
	if err := w.trees("", old, s.commit.tree); err != nil {
		return nil, s.store.unreadable(err)
	}
	return w.changes, nil
}

// A walk collects what differs between two trees.
type walk struct {
	ctx      context.Context // of the one call that the walk lives for
	old, new *objects
	changes  []gitstore.Change
	room     int64 // for more: trees that hold each other many times have more files than they have bytes
}

// trees compares two trees; a zero id is no tree.
func (w *walk) trees(dir string, old, new plumbing.Hash) error {
	if old == new {
		return nil
	}
	if err := w.ctx.Err(); err != nil {
		return err
	}
	was, err := w.list(w.old, old)
	if err != nil {
		return err
	}
	is, err := w.list(w.new, new)
	if err != nil {
		return err
	}
	for len(was) > 0 || len(is) > 0 {
		var a, b *entry
		switch order := compare(was, is); {
		case order < 0:
			a, was = &was[0], was[1:]
		case order > 0:
			b, is = &is[0], is[1:]
		default:
			a, was, b, is = &was[0], was[1:], &is[0], is[1:]
		}
		if err := w.entries(dir, a, b); err != nil {
			return err
		}
	}
	return nil
}

func (w *walk) list(o *objects, id plumbing.Hash) ([]entry, error) {
	if id.IsZero() {
		return nil, nil
	}
	entries, err := o.tree(id)
	return inOrder(entries), err
}

func compare(was, is []entry) int {
	switch {
	case len(was) == 0:
		return 1
	case len(is) == 0:
		return -1
	}
	return cmp.Compare(was[0].key(), is[0].key())
}

// entries compares two entries of the same name and sort, or one with nothing.
func (w *walk) entries(dir string, a, b *entry) error {
	if a != nil && b != nil && *a == *b {
		return nil
	}
	var old, new plumbing.Hash
	var change gitstore.Change
	if a != nil {
		if descend(dir, *a) {
			old = a.id
		} else {
			change.Old = fileOf(dir, *a)
			change.Path = change.Old.Path
		}
	}
	if b != nil {
		if descend(dir, *b) {
			new = b.id
		} else {
			change.New = fileOf(dir, *b)
			change.Path = change.New.Path
		}
	}
	if change.Path != "" && !same(change) {
		w.changes = append(w.changes, change)
	}
	name := a
	if name == nil {
		name = b
	}
	if w.room -= int64(len(dir)+len(name.name)) + 256; w.room < 0 {
		return fmt.Errorf("more files than can be listed: %w", errLimit)
	}
	return w.trees(dir+name.name+"/", old, new)
}

// same is true of entries that differ in nothing that a File tells.
func same(c gitstore.Change) bool { return c.Old != nil && c.New != nil && *c.Old == *c.New }

func descend(dir string, e entry) bool { return e.isTree() && why(modeTree, dir+e.name, e.name) == "" }

func fileOf(dir string, e entry) *gitstore.File {
	f := &gitstore.File{Path: dir + e.name, Blob: gitstore.BlobID(e.id.String())}
	f.Skip = why(e.mode, f.Path, e.name)
	if unusableName(e.name) || len(f.Path) > maxPath {
		f.Path = strconv.Quote(f.Path[:min(len(f.Path), maxPath)])
	}
	return f
}

// Parent fetches history where the store has none.
func (s *snapshot) Parent(ctx context.Context) (gitstore.Snapshot, error) {
	if len(s.commit.parents) == 0 {
		return nil, nil
	}
	return s.parent(ctx, s.commit.parents[0])
}

func (s *snapshot) Parents(ctx context.Context) (all []gitstore.Snapshot, err error) {
	for _, id := range s.commit.parents {
		p, err := s.parent(ctx, id)
		if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	return all, nil
}

func (s *snapshot) parent(ctx context.Context, id plumbing.Hash) (gitstore.Snapshot, error) {
	c, err := s.objects.commit(id)
	if errors.Is(err, plumbing.ErrObjectNotFound) {
		if err := s.store.deepen(ctx, s); err != nil {
			return nil, err
		}
		c, err = s.objects.commit(id)
	}
	if err != nil {
		return nil, s.store.unreadable(err)
	}
	return &snapshot{store: s.store, objects: s.objects, commit: c, tip: s.tip, depth: s.depth + 1}, nil
}

// commit reads a commit.
func (o *objects) commit(id plumbing.Hash) (commit, error) {
	raw, err := o.read(plumbing.CommitObject, id)
	if err != nil {
		return commit{}, err
	}
	return parseCommit(id, raw)
}

var errCommit = errors.New("malformed commit")

func parseCommit(id plumbing.Hash, raw []byte) (commit, error) {
	c := commit{id: id}
	head, message, _ := bytes.Cut(raw, []byte("\n\n"))
	for line := range strings.SplitSeq(string(head), "\n") {
		key, value, _ := strings.Cut(line, " ")
		switch key {
		case "tree":
			c.tree = plumbing.NewHash(value)
		case "parent":
			c.parents = append(c.parents, plumbing.NewHash(value))
		case "gpgsig", "gpgsig-sha256":
			c.signed = true
		case "author":
			who := signature(value)
			c.about.Author = gitstore.Person{Name: who.Name, Email: who.Email}
		case "committer":
			c.about.When = signature(value).When
		}
	}
	if c.tree.IsZero() {
		return commit{}, fmt.Errorf("%s: %w", id, errCommit)
	}
	c.about.Message = strings.TrimLeft(string(message), "\n")
	c.about.Subject, _, _ = strings.Cut(c.about.Message, "\n")
	c.about.Merge = len(c.parents) > 1
	return c, nil
}

func signature(line string) object.Signature {
	var s object.Signature
	s.Decode([]byte(line))
	return s
}
