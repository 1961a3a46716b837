package memory

import (
	"cmp"
	"context"
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/towpath/towpath/gitstore"
)

const defaultLimit = 8 << 20

// A commit is its own snapshot. It never changes once it is kept.
type commit struct {
	store   *Store
	rev     gitstore.Rev
	parent  *commit // nil at the root
	tree    map[string]entry
	message string
	author  gitstore.Person
	when    time.Time
}

var _ gitstore.Snapshot = (*commit)(nil)

// An entry is a file and the id that Git gives its content.
type entry struct {
	File
	id gitstore.BlobID
}

func (s *Store) entry(f File) entry {
	id := gitstore.IDOf([]byte(f.Content))
	s.blobs.Store(id, f.Content)
	return entry{f, id}
}

func newCommit(s *Store, parent *commit, tree map[string]entry, message string, author gitstore.Person, when time.Time) *commit {
	c := &commit{
		store: s, parent: parent, tree: tree, message: strings.TrimRight(message, "\n") + "\n",
		author: author, when: when.UTC().Truncate(time.Second),
	}
	sum := sha1.New()
	if parent != nil {
		fmt.Fprintf(sum, "parent %s\n", parent.rev)
	}
	fmt.Fprintf(sum, "author %q %q %d\n%q\n", author.Name, author.Email, c.when.Unix(), c.message)
	for _, path := range slices.Sorted(maps.Keys(tree)) {
		e := tree[path]
		fmt.Fprintf(sum, "%q %t %q %s\n", path, e.Executable, e.Skip, e.id)
	}
	c.rev = gitstore.Rev(hex.EncodeToString(sum.Sum(nil)))
	return c
}

// files is a copy of the tree as people see it; empty for a nil commit.
func (c *commit) files() Tree {
	t := Tree{}
	if c != nil {
		for path, e := range c.tree {
			t[path] = e.File
		}
	}
	return t
}

// entries turns a tree into entries; what is as in c is not hashed again.
func (c *commit) entries(s *Store, t Tree) map[string]entry {
	out := make(map[string]entry, len(t))
	for path, f := range t {
		if c != nil && c.tree[path].File == f && c.tree[path].id != "" {
			out[path] = c.tree[path]
		} else {
			out[path] = s.entry(f)
		}
	}
	return out
}

// with builds a commit on top of c; c itself if nothing would change.
func (c *commit) with(change gitstore.Commit) (*commit, error) {
	tree := maps.Clone(c.tree)
	for _, e := range change.Edits {
		if err := writable(tree, e.Path); err != nil {
			return nil, err
		}
		f := tree[e.Path].File
		f.Content = string(e.Content)
		tree[e.Path] = c.store.entry(f)
	}
	if maps.Equal(tree, c.tree) {
		return c, nil
	}
	return newCommit(c.store, c, tree, change.Message, change.Author, change.When), nil
}

// writable refuses what Git's trees cannot hold or a Store must not touch.
func writable(tree map[string]entry, path string) error {
	refuse := func(why string) error {
		return failure(gitstore.Unsupported, fmt.Sprintf("%q cannot be written: %s", path, why), "leave the file to people")
	}
	old, there := tree[path]
	if there && old.Skip != "" {
		return refuse("it is " + old.Skip)
	}
	parts := strings.Split(path, "/")
	for i, part := range parts {
		if part == "" || part == "." || part == ".." || strings.EqualFold(part, ".git") {
			return refuse("the name is unusable")
		}
		if _, file := tree[strings.Join(parts[:i], "/")]; i > 0 && file {
			return refuse("a file stands where a directory would")
		}
	}
	if there {
		return nil
	}
	for other := range tree {
		if strings.HasPrefix(other, path+"/") {
			return refuse("it is a directory")
		}
	}
	return nil
}

func (c *commit) Rev() gitstore.Rev { return c.rev }

func (c *commit) About() gitstore.About {
	subject, _, _ := strings.Cut(c.message, "\n")
	return gitstore.About{Author: c.author, When: c.when, Subject: subject, Message: c.message}
}

func (c *commit) Changes(ctx context.Context, from gitstore.Snapshot) ([]gitstore.Change, error) {
	if err := c.store.ask(ctx, OpChanges); err != nil {
		return nil, err
	}
	var old map[string]entry
	if from != nil {
		other, ok := from.(*commit)
		if !ok || other.store != c.store {
			return nil, failure(gitstore.Unsupported, "the older snapshot is of another store", "compare snapshots of one store")
		}
		old = other.tree
	}
	var changes []gitstore.Change
	for path, e := range c.tree {
		switch o, there := old[path]; {
		case !there:
			changes = append(changes, gitstore.Change{Path: path, New: e.file(path)})
		case *o.file(path) != *e.file(path):
			changes = append(changes, gitstore.Change{Path: path, Old: o.file(path), New: e.file(path)})
		}
	}
	for path, o := range old {
		if _, there := c.tree[path]; !there {
			changes = append(changes, gitstore.Change{Path: path, Old: o.file(path)})
		}
	}
	slices.SortFunc(changes, func(a, b gitstore.Change) int { return strings.Compare(a.Path, b.Path) })
	return changes, nil
}

func (e entry) file(path string) *gitstore.File {
	return &gitstore.File{Path: path, Blob: e.id, Skip: e.Skip}
}

func (c *commit) Read(ctx context.Context, id gitstore.BlobID) ([]byte, error) {
	if err := c.store.ask(ctx, OpRead); err != nil {
		return nil, err
	}
	limit := cmp.Or(c.store.Limit, defaultLimit)
	blob, ok := c.store.blobs.Load(id)
	content, _ := blob.(string)
	switch {
	case !ok:
		return nil, failure(gitstore.Corrupt, fmt.Sprintf("there is no blob %s", id), "read only what the snapshot lists")
	case len(content) > limit:
		return nil, failure(gitstore.TooLarge, fmt.Sprintf("blob %s has %d bytes; the limit is %d", id, len(content), limit), "make the file smaller, or exclude it")
	}
	return []byte(content), nil
}

func (c *commit) Parent(ctx context.Context) (gitstore.Snapshot, error) {
	if err := c.store.ask(ctx, OpParent); err != nil {
		return nil, err
	}
	if c.parent == nil {
		return nil, nil
	}
	return c.parent, nil
}

// Parents is Parent: nothing is merged in memory.
func (c *commit) Parents(ctx context.Context) ([]gitstore.Snapshot, error) {
	parent, err := c.Parent(ctx)
	if parent == nil || err != nil {
		return nil, err
	}
	return []gitstore.Snapshot{parent}, nil
}
