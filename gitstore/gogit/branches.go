package gogit

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/towpath/towpath/gitstore"
)

// A move takes a branch from one commit to another. A zero id is no branch: what is moved
// from there is made, what is moved to there is deleted.
type move struct {
	ref      string
	old, new plumbing.Hash
	ours     bool // the branch is ours: what it held need not be below what it will hold
}

func (s *Store) Branches(ctx context.Context, prefix string) (map[string]gitstore.Rev, error) {
	begin, err := checkPrefix(s.repo, prefix)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, s.opts.Deadlines.Poll)
	defer cancel()
	if err := ctx.Err(); err != nil {
		return nil, s.explain(err)
	}
	found, err := s.origin.tips(ctx, begin)
	if err != nil {
		return nil, s.explain(err)
	}
	maps.DeleteFunc(s.last, func(ref string, _ *snapshot) bool { // others delete branches, too
		return strings.HasPrefix(ref, begin) && found[ref].IsZero()
	})
	tips := map[string]gitstore.Rev{}
	for ref, id := range found {
		if name := shortOf(ref); usableBranch(name) {
			tips[name] = gitstore.Rev(id.String())
		}
	}
	return tips, nil
}

func (s *Store) Replace(ctx context.Context, branch string, old gitstore.Rev, base gitstore.Snapshot, chain ...gitstore.Commit) (gitstore.Snapshot, error) {
	ref, err := checkBranch(s.repo, branch)
	if err != nil {
		return nil, err
	}
	from, err := s.own(base)
	if err != nil {
		return nil, err
	}
	was, err := s.id(old)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	w, err := s.build(ctx, from, chain)
	if err != nil {
		return nil, s.explain(err)
	}
	if w.tip == from.commit.id {
		return nil, s.failed(gitstore.Unsupported, fmt.Sprintf("the branch %q would hold nothing of its own", branch), "leave it out", nil)
	}
	return s.land(ctx, move{ref: ref, old: was, new: w.tip, ours: true}, from, w)
}

func (s *Store) Delete(ctx context.Context, branch string, old gitstore.Rev) error {
	ref, err := checkBranch(s.repo, branch)
	if err != nil {
		return err
	}
	was, err := s.id(old)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if was.IsZero() {
		return s.explain(s.absent(ctx, ref))
	}
	if err := s.move(ctx, move{ref: ref, old: was, ours: true}, nil, nil); err != nil {
		return s.explain(err)
	}
	delete(s.last, ref)
	return nil
}

// absent is nil where there is no such branch.
func (s *Store) absent(ctx context.Context, ref string) error {
	switch _, err := s.tip(ctx, ref); {
	case err == nil:
		return gitstore.ErrMoved
	case isGone(err):
		return nil
	default:
		return err
	}
}

// own is a snapshot of this store's.
func (s *Store) own(base gitstore.Snapshot) (*snapshot, error) {
	from, ok := base.(*snapshot)
	if !ok || from.store != s {
		return nil, s.failed(gitstore.Unsupported, "the push is built on a snapshot of another store", "take the snapshot from this store", nil)
	}
	return from, nil
}

// id is a commit's; zero of the empty Rev.
func (s *Store) id(rev gitstore.Rev) (plumbing.Hash, error) {
	if rev != "" && (!plumbing.IsHash(string(rev)) || plumbing.NewHash(string(rev)).IsZero()) {
		return plumbing.ZeroHash, s.failed(gitstore.Corrupt, fmt.Sprintf("%.80q is no commit's id", rev), "report this as a bug of towpath", nil)
	}
	return plumbing.NewHash(string(rev)), nil
}

// land moves a branch to what was made for it, and reads it back.
func (s *Store) land(ctx context.Context, m move, from *snapshot, w *work) (gitstore.Snapshot, error) {
	if err := s.move(ctx, m, from, w.made); err != nil {
		return nil, s.explain(err)
	}
	next, err := s.load(context.WithoutCancel(ctx), m.ref, w.tip)
	if err != nil {
		return nil, s.explain(fmt.Errorf("the push landed, but cannot be read back: %w", err))
	}
	if err := s.check(ctx, m.ref, m.old, next, w); err != nil {
		return nil, s.explain(err)
	}
	return next, nil
}

// move moves the branch, or finds out that it has moved: servers differ in how
// they say no, and an answer can be lost after the push has landed.
func (s *Store) move(ctx context.Context, m move, base *snapshot, made *batch) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	pushing, cancel := context.WithTimeout(ctx, s.opts.Deadlines.Push)
	defer cancel()
	failed := s.origin.push(pushing, m, base, made)
	var unsent *unsentError
	if failed == nil || errors.As(failed, &unsent) {
		return failed
	}
	// The caller's time may be what ran out; this question has its own, which is
	// short where somebody waits for the end.
	patience := min(s.opts.Deadlines.Poll, 10*time.Second)
	if ctx.Err() != nil {
		patience = min(patience, 2*time.Second)
	}
	asking, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	now, err := s.origin.tip(asking, m.ref)
	switch {
	case isGone(err) && !m.ours:
		return err
	case err != nil && !isGone(err):
		return fmt.Errorf("%w (and whether the push landed could not be asked: %w)", failed, err)
	case now == m.new:
		s.log.Info("a push landed although it seemed to fail", "branch", shortOf(m.ref), "error", s.explain(failed))
		return nil
	case now != m.old:
		return gitstore.ErrMoved
	}
	return failed
}

// isGone tells an error that says that there is no such branch; the id beside it is zero.
func isGone(err error) bool {
	var e *gitstore.Error
	return errors.As(err, &e) && e.Kind == gitstore.NoBranch
}
