package memory

import (
	"context"
	"strings"

	"github.com/towpath/towpath/gitstore"
)

// Branches is gitstore.Store's.
func (s *Store) Branches(ctx context.Context, prefix string) (map[string]gitstore.Rev, error) {
	if err := s.ask(ctx, OpBranches); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	tips := map[string]gitstore.Rev{}
	for name, c := range s.branches {
		if strings.HasPrefix(name, prefix) {
			tips[name] = c.rev
		}
	}
	return tips, nil
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
	err = s.attempt(ctx, OpReplace, func() error {
		s.mu.Lock()
		defer s.mu.Unlock()
		if !s.isAt(branch, old) {
			return gitstore.ErrMoved
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
