package gogit

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"sync"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/towpath/towpath/gitstore"
)

// A Store is a gitstore.Store over one repository. Besides what the contract
// asks for, all its methods may be called from several goroutines; they wait
// for each other.
type Store struct {
	opts   Options
	repo   string // for errors
	origin origin
	log    *slog.Logger

	mu   sync.Mutex           // one operation on the repository at a time
	last map[string]*snapshot // by ref: what was returned last

	unsigned sync.Once // what the forge does not sign is told once
}

var _ gitstore.Store = (*Store)(nil)

// An origin is the repository itself: a remote one with the objects kept of
// it, or a local one. It is used from one goroutine at a time.
type origin interface {
	// tip reads where a ref is.
	tip(ctx context.Context, ref string) (plumbing.Hash, error)
	// tips reads where the branches are whose names begin with the prefix.
	tips(ctx context.Context, prefix string) (map[string]plumbing.Hash, error)
	// load brings a ref's commit within reach, and says where its objects are.
	load(ctx context.Context, ref string, tip plumbing.Hash) (*objects, error)
	// deepen brings more history of a commit that the objects hold.
	deepen(ctx context.Context, o *objects, tip plumbing.Hash, depth int) error
	// push moves a branch, and keeps the objects that were made for it on top of base.
	push(ctx context.Context, m move, base *snapshot, made *batch) error
	redact(string) string
	changed() <-chan struct{}
	close() error
}

// Open prepares a store. It asks nothing of a remote repository yet; a local
// one must be there. It returns a *gitstore.Error.
func Open(ctx context.Context, o Options) (*Store, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	o = o.withDefaults()
	l, err := locate(o.Repo)
	if err != nil {
		return nil, err
	}
	if err := o.check(l); err != nil {
		return nil, explain(l.String(), func(t string) string { return t }, err)
	}
	s := &Store{opts: o, repo: l.String(), log: o.Logger.With("repo", l.String()), last: map[string]*snapshot{}}
	switch l.scheme {
	case "file":
		s.origin, err = openLocal(o, l.path)
	case "ssh":
		s.origin, err = openClone(o, l, newSSHLine, s.log)
	default:
		s.origin, err = openClone(o, l, newHTTPLine, s.log)
	}
	if err != nil {
		return nil, explain(s.repo, func(t string) string { return t }, err)
	}
	return s, nil
}

// Changed is sent to when a local repository moved. It is nil for a remote one.
func (s *Store) Changed() <-chan struct{} { return s.origin.changed() }

// Close gives up the cache directory. Snapshots cannot be read any more.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.origin.close()
}

func (s *Store) Snapshot(ctx context.Context, branch string) (gitstore.Snapshot, error) {
	ref, err := checkRef(s.repo, branch)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	tip, err := s.tip(ctx, ref)
	if err != nil {
		return nil, s.explain(err)
	}
	last := s.last[ref]
	if last != nil && last.commit.id == tip && !last.objects.broken.Load() {
		return last, nil
	}
	next, err := s.load(ctx, ref, tip)
	if err != nil {
		return nil, s.explain(err)
	}
	if last != nil && !next.descends(last.commit.id) {
		s.log.Info("the branch moved by more than is known here, or its history was rewritten",
			"branch", branch, "from", last.Rev().Short(), "to", next.Rev().Short())
	}
	return next, nil
}

func (s *Store) tip(ctx context.Context, ref string) (plumbing.Hash, error) {
	ctx, cancel := context.WithTimeout(ctx, s.opts.Deadlines.Poll)
	defer cancel()
	if err := ctx.Err(); err != nil {
		return plumbing.ZeroHash, err
	}
	return s.origin.tip(ctx, ref)
}

// load makes the snapshot of a commit, and remembers it as the ref's last.
func (s *Store) load(ctx context.Context, ref string, tip plumbing.Hash) (*snapshot, error) {
	ctx, cancel := context.WithTimeout(ctx, s.opts.Deadlines.Fetch)
	defer cancel()
	o, err := s.origin.load(ctx, ref, tip)
	if errors.Is(err, errKind) {
		err = s.failed(gitstore.Unsupported, fmt.Sprintf("%q is at something else than a commit", shortOf(ref)), "name a branch, or the ref of a pull request", err)
	}
	if err != nil {
		return nil, err
	}
	c, err := o.commit(tip)
	if err != nil {
		return nil, err
	}
	next := &snapshot{store: s, objects: o, commit: c, tip: tip}
	maps.DeleteFunc(s.last, func(_ string, old *snapshot) bool { return old.objects.broken.Load() }) // it is out of use
	s.last[ref] = next
	return next, nil
}

// depths are how much history is fetched at once when some is missing.
var depths = []int{16, 128, 1024}

func (s *Store) deepen(ctx context.Context, from *snapshot) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	need := from.depth + 2 // the commit itself and its parent
	depth := depths[len(depths)-1]
	for _, d := range depths {
		if d >= need {
			depth = d
			break
		}
	}
	for depth < need {
		depth *= 2
	}
	ctx, cancel := context.WithTimeout(ctx, s.opts.Deadlines.Fetch)
	defer cancel()
	return s.explain(s.origin.deepen(ctx, from.objects, from.tip, depth))
}

func (s *Store) Push(ctx context.Context, branch string, base gitstore.Snapshot, chain ...gitstore.Commit) (gitstore.Snapshot, error) {
	ref, err := checkBranch(s.repo, branch)
	if err != nil {
		return nil, err
	}
	from, err := s.own(base)
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
		return base, nil
	}
	return s.land(ctx, move{ref: ref, old: from.commit.id, new: w.tip}, from, w)
}

func (s *Store) explain(err error) error { return explain(s.repo, s.origin.redact, err) }

func (s *Store) failed(kind gitstore.Kind, what, fix string, err error) error {
	return &gitstore.Error{Kind: kind, Repo: s.repo, What: what, Fix: fix, Err: err}
}

// unreadable explains an error of reading objects.
func (s *Store) unreadable(err error) error {
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return s.explain(err)
}

// descends tells whether a commit is known to be an ancestor.
func (s *snapshot) descends(from plumbing.Hash) bool {
	seen := map[plumbing.Hash]bool{}
	queue := []plumbing.Hash{s.commit.id}
	for len(queue) > 0 && len(seen) < 1000 {
		id := queue[0]
		queue = queue[1:]
		if id == from {
			return true
		}
		if seen[id] {
			continue
		}
		seen[id] = true
		if c, err := s.objects.commit(id); err == nil {
			queue = append(queue, c.parents...)
		}
	}
	return false
}
