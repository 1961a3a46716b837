package gogit

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/towpath/towpath/gitstore"
)

// A clone is a remote repository with what was fetched of it: for each branch
// the newest commit, without its history.
type clone struct {
	remote *remote
	cache  *cache
	now    *generation // nil until the first fetch
	log    *slog.Logger
}

func openClone(o Options, at location, lay func(Options, location) (line, error), log *slog.Logger) (origin, error) {
	l, err := lay(o, at)
	if err != nil {
		return nil, err
	}
	c, err := openCache(o.CacheDir, o.Limits, log)
	if err != nil {
		return nil, err
	}
	return &clone{remote: &remote{line: l, limits: o.Limits}, cache: c, now: c.found(), log: log}, nil
}

func (c *clone) redact(text string) string { return c.remote.line.redact(text) }
func (c *clone) changed() <-chan struct{}  { return nil }

func (c *clone) close() error {
	return errors.Join(c.remote.line.close(), c.cache.close())
}

func (c *clone) tip(ctx context.Context, branch string) (plumbing.Hash, error) {
	name := "refs/heads/" + branch
	refs, err := c.remote.list(ctx, name)
	if err != nil {
		return plumbing.ZeroHash, err
	}
	for _, r := range refs {
		if r.name == name {
			return r.id, nil
		}
	}
	return plumbing.ZeroHash, c.noBranch(ctx, branch)
}

// noBranch looks for what the person may have meant.
func (c *clone) noBranch(ctx context.Context, branch string) error {
	refs, err := c.remote.list(ctx, "HEAD", "refs/heads/")
	if err != nil {
		return err
	}
	return missingBranch(branch, refs)
}

func missingBranch(branch string, refs []ref) error {
	e := &gitstore.Error{Kind: gitstore.NoBranch, What: fmt.Sprintf("there is no branch %q", branch), Fix: "create it, or name another with --branch"}
	if len(refs) == 0 {
		e.What, e.Fix = "the repository is empty", "push a first commit: git push origin HEAD:"+branch
		return e
	}
	for _, r := range refs {
		const heads = "refs/heads/"
		if r.name == "HEAD" && len(r.target) > len(heads) && usableBranch(r.target[len(heads):]) {
			e.Fix = fmt.Sprintf("create it, or name another with --branch; the default branch is %q", r.target[len(heads):])
		}
	}
	return e
}

// load fetches what is missing. What is kept gives way to a fresh start where
// it is damaged, has grown too much, or is of no use to get at the tip.
func (c *clone) load(ctx context.Context, branch string, tip plumbing.Hash) (*objects, error) {
	if c.now == nil || !c.now.sound() {
		return c.renew(ctx, branch, tip)
	}
	o := c.now.objects
	err := c.advance(ctx, o, tip)
	switch {
	case err == nil && complete(o, tip) == nil:
		return o, c.now.note(branch, tip)
	case err == nil:
		c.log.Warn("what is kept of the repository is incomplete; it is fetched again")
	case errors.Is(err, errLimit), errors.Is(err, errLate), errors.Is(err, errStalled):
		c.log.Info("much has changed; only the newest commit is fetched", "reason", err)
	default:
		return nil, err // the network's or the server's; what was there is untouched
	}
	return c.renew(ctx, branch, tip)
}

// maxAdvance bounds a fetch that goes without a depth. Asking for one would
// make the server send every file again; going without makes it send the whole
// history if the branch was rewritten.
const maxAdvance = 16 << 20

func (c *clone) advance(ctx context.Context, o *objects, tip plumbing.Hash) error {
	if o.has(tip) {
		return nil
	}
	req := request{want: tip, have: c.now.haves(), limits: c.remote.limits}
	req.limits.Pack = min(req.limits.Pack, maxAdvance)
	if len(req.have) == 0 {
		req.depth = 1
		req.limits = c.remote.limits
	}
	return c.remote.fetch(ctx, o, req)
}

func (c *clone) renew(ctx context.Context, branch string, tip plumbing.Hash) (*objects, error) {
	g, err := c.cache.fresh()
	if err != nil {
		return nil, err
	}
	err = c.remote.fetch(ctx, g.objects, request{want: tip, depth: 1, limits: c.remote.limits})
	if err == nil {
		err = complete(g.objects, tip)
	}
	if err == nil {
		err = g.note(branch, tip)
	}
	if err != nil {
		g.remove()
		return nil, err
	}
	c.cache.retire(c.now)
	c.now = g
	return g.objects, nil
}

// complete looks for a commit and its root tree: a fetch may end well and
// bring neither, when the branch went back to what the server believes to be
// here.
func complete(o *objects, id plumbing.Hash) error {
	c, err := o.commit(id)
	if err != nil {
		return err
	}
	_, err = o.tree(c.tree)
	return err
}

// deepen fetches history, of which most files are what they are at the tip: that they
// are here is said, and said no more to a server that cannot hear it.
func (c *clone) deepen(ctx context.Context, o *objects, tip plumbing.Hash, depth int) error {
	at, err := o.commit(tip)
	if err != nil {
		return err
	}
	req := request{want: tip, have: []plumbing.Hash{tip}, trees: []plumbing.Hash{at.tree}, depth: depth, limits: c.remote.limits}
	if err = c.remote.fetch(ctx, o, req); perhapsOld(err) {
		req.trees = nil
		err = c.remote.fetch(ctx, o, req)
	}
	return err
}

func (c *clone) push(ctx context.Context, branch string, base *snapshot, tip plumbing.Hash, made *batch) error {
	err := c.remote.push(ctx, "refs/heads/"+branch, base.commit.id, tip, made)
	// What the server may have now is kept in any case: it may turn out to
	// have landed. It is a few objects that nothing refers to otherwise.
	if keep := c.keep(base, made); keep != nil {
		c.log.Warn("what was pushed could not be kept; it will be fetched", "error", keep)
	}
	return err
}

func (c *clone) keep(base *snapshot, made *batch) error {
	if c.now == nil || base.objects != c.now.objects {
		return nil // built on a generation that is gone
	}
	return base.objects.add(made)
}
