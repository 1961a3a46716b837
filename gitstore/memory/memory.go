// Package memory is a gitstore.Store that lives in the process, for tests of
// everything above the contract: branches of commits whose trees are maps.
//
// A hook can make any operation fail, before or after it took effect, and a
// person can commit at any moment, also from inside the hook. The store starts
// no goroutine, asks no clock and holds no lock while the hook runs, so it
// works in a testing/synctest bubble and gives the same commit ids each time.
// It knows nothing of YAML or images.
package memory

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/towpath/towpath/gitstore"
)

const heads = "refs/heads/"

// The operations that a Hook is asked about.
const (
	OpSnapshot = "snapshot"
	OpChanges  = "changes"
	OpRead     = "read"
	OpParent   = "parent"
	OpPush     = "push"
	OpBranches = "branches"
	OpReplace  = "replace"
	OpDelete   = "delete"
)

// A Hook is asked before each operation. With a nil error the operation takes
// place. With an error that is what the caller gets; where apply is true a
// push lands all the same: its answer was lost, and the tip could not be read
// again either.
type Hook func(op string) (apply bool, err error)

// A Tree is the files of a commit by path.
type Tree map[string]File

// A File is an entry of a Tree.
type File struct {
	Content    string
	Executable bool
	Skip       string // as in gitstore.File
}

// Store keeps branches in memory, and under their full names whatever other refs a person
// makes. Fields are set before use.
type Store struct {
	Hook  Hook             // nil: nothing fails
	Now   func() time.Time // dates a person's commits; nil: a minute after another from 2026-01-01
	Limit int              // largest file that is read, in bytes; 0: 8 MiB

	mu       sync.Mutex // never held across Hook or Now
	branches map[string]*commit
	commits  map[gitstore.Rev]*commit
	edits    int
	changed  chan struct{} // nil until Watch

	blobs sync.Map // gitstore.BlobID → string
}

var _ gitstore.Store = (*Store)(nil)

// Person is who makes the commits of Edit.
var Person = gitstore.Person{Name: "A Person", Email: "person@example.com"}

// New returns a store whose branch main holds one commit with the files, or no
// branch at all without files.
func New(files map[string]string) *Store {
	s := &Store{
		branches: map[string]*commit{},
		commits:  map[gitstore.Rev]*commit{},
	}
	if len(files) > 0 {
		s.Edit("main", "first", func(t Tree) {
			for path, content := range files {
				t[path] = File{Content: content}
			}
		})
	}
	return s
}

// Snapshot is gitstore.Store's.
func (s *Store) Snapshot(ctx context.Context, branch string) (gitstore.Snapshot, error) {
	if err := s.ask(ctx, OpSnapshot); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	tip := s.branches[strings.TrimPrefix(branch, heads)]
	if tip == nil {
		return nil, noBranch(branch)
	}
	return tip, nil
}

// Push is gitstore.Store's.
func (s *Store) Push(ctx context.Context, branch string, base gitstore.Snapshot, chain ...gitstore.Commit) (gitstore.Snapshot, error) {
	from, ok := base.(*commit)
	if !ok || from.store != s {
		return nil, failure(gitstore.Unsupported, "the push is built on a snapshot of another store", "take the snapshot from this store")
	}
	tip, err := from.chain(chain)
	if err != nil {
		return nil, err
	}
	if tip == from {
		return base, nil
	}
	branch, err = nameOf(branch)
	if err != nil {
		return nil, err
	}
	err = s.attempt(ctx, OpPush, func() error {
		tip, err = s.swap(branch, from, tip)
		return err
	})
	if err != nil {
		return nil, err
	}
	return tip, nil
}

// swap moves a branch from one commit to another, or leaves it.
func (s *Store) swap(branch string, from, to *commit) (*commit, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch s.branches[branch] {
	case nil:
		return nil, noBranch(branch)
	case from:
		s.branches[branch] = s.keep(to)
		return s.branches[branch], nil
	}
	return nil, gitstore.ErrMoved
}

// keep makes a commit and those below it known, and returns the one commit of
// that id. It is called with mu held.
func (s *Store) keep(c *commit) *commit {
	if known := s.commits[c.rev]; known != nil {
		return known
	}
	if c.parent != nil {
		c.parent = s.keep(c.parent)
	}
	s.commits[c.rev] = c
	return c
}

// Changed is gitstore.Store's: nil until Watch.
func (s *Store) Changed() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.changed
}

// Close does nothing.
func (s *Store) Close() error { return nil }

// ask lets the hook speak, then the context.
func (s *Store) ask(ctx context.Context, op string) error {
	if s.Hook != nil {
		if _, err := s.Hook(op); err != nil {
			return err
		}
	}
	return ctx.Err()
}

func noBranch(branch string) error {
	return failure(gitstore.NoBranch, fmt.Sprintf("there is no branch %q", branch), "create it, or name another with --branch")
}

func failure(kind gitstore.Kind, what, fix string) *gitstore.Error {
	return &gitstore.Error{Kind: kind, Repo: "memory", What: what, Fix: fix}
}
