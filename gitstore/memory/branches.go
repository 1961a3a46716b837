package memory

import (
	"context"
	"fmt"
	"strings"

	"github.com/towpath/towpath/gitstore"
)

// Branches is gitstore.Store's.
func (s *Store) Branches(ctx context.Context, prefix string) (map[string]gitstore.Rev, error) {
	if err := s.ask(ctx, OpBranches); err != nil {
		return nil, err
	}
	return s.Tips(prefix), nil
}

// Replace is gitstore.Store's.
func (s *Store) Replace(ctx context.Context, branch string, old gitstore.Rev, base gitstore.Snapshot, chain ...gitstore.Commit) (gitstore.Snapshot, error) {
	from, ok := base.(*commit)
	if !ok || from.store != s {
		return nil, failure(gitstore.Unsupported, "the branch is built on a snapshot of another store", "take the snapshot from this store")
	}
	tip, err := from.chain(chain)
	if err != nil {
		return nil, err
	}
	if tip == from {
		return nil, failure(gitstore.Unsupported, "the branch would hold nothing of its own", "leave it out")
	}
	branch, err = nameOf(branch)
	if err != nil {
		return nil, err
	}
	err = s.attempt(ctx, OpReplace, func() error {
		s.mu.Lock()
		defer s.mu.Unlock()
		if !s.isAt(branch, old) {
			return gitstore.ErrMoved
		}
		if other := s.inTheWay(branch); other != "" {
			return failure(gitstore.Unsupported, fmt.Sprintf("the branch %q is in the way of %q", other, branch), "delete it, or choose another name")
		}
		tip = s.keep(tip)
		s.branches[branch] = tip
		return nil
	})
	if err != nil {
		return nil, err
	}
	return tip, nil
}

// Delete is gitstore.Store's.
func (s *Store) Delete(ctx context.Context, branch string, old gitstore.Rev) error {
	branch, err := nameOf(branch)
	if err != nil {
		return err
	}
	return s.attempt(ctx, OpDelete, func() error {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.branches[branch] == nil {
			return nil
		}
		if !s.isAt(branch, old) {
			return gitstore.ErrMoved
		}
		delete(s.branches, branch)
		return nil
	})
}

// nameOf is the name of a branch that may be written: a ref elsewhere is not ours.
func nameOf(branch string) (string, error) {
	branch = strings.TrimPrefix(branch, heads)
	if branch == "" || branch == "HEAD" || strings.HasPrefix(branch, "refs/") {
		return "", failure(gitstore.NoBranch, fmt.Sprintf("%q is no branch", branch), "name a branch")
	}
	return branch, nil
}

// inTheWay is a branch beside which Git cannot hold another: it takes a name that others
// begin with for a directory. It is called with mu held.
func (s *Store) inTheWay(branch string) string {
	for other := range s.branches {
		if strings.HasPrefix(other, branch+"/") || strings.HasPrefix(branch, other+"/") {
			return other
		}
	}
	return ""
}

// isAt reports whether a branch is at a commit; empty: not there. It is called with mu held.
func (s *Store) isAt(branch string, rev gitstore.Rev) bool {
	c := s.branches[branch]
	if c == nil {
		return rev == ""
	}
	return c.rev == rev
}

// chain builds commits on top of each other.
func (c *commit) chain(changes []gitstore.Commit) (*commit, error) {
	tip := c
	for _, change := range changes {
		next, err := tip.with(change)
		if err != nil {
			return nil, err
		}
		tip = next
	}
	return tip, nil
}

// attempt does something that the hook may keep from happening, or make seem to fail.
func (s *Store) attempt(ctx context.Context, op string, do func() error) error {
	apply, failed := true, error(nil)
	if s.Hook != nil {
		apply, failed = s.Hook(op)
	}
	if failed == nil {
		failed = ctx.Err()
		apply = apply && failed == nil
	}
	if failed != nil && !apply {
		return failed
	}
	if err := do(); err != nil {
		return err
	}
	return failed
}
