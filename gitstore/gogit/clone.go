package gogit

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/towpath/towpath/gitstore"
)

// A clone is a remote repository with what was fetched of it: of its home the newest
// commit, without its history, and the branches beside it with what they stand on.
type clone struct {
	remote *remote
	cache  *cache
	now    *generation     // nil until the first fetch
	home   map[string]bool // refs from which the clone is kept fresh
	used   bool            // a ref was asked for
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
	all := &clone{remote: &remote{line: l, limits: o.Limits}, cache: c, now: c.found(), home: map[string]bool{}, log: log}
	if all.now != nil {
		for ref := range all.now.tips {
			all.home[ref] = true
		}
	}
	return all, nil
}

func (c *clone) redact(text string) string { return c.remote.line.redact(text) }
func (c *clone) changed() <-chan struct{}  { return nil }

func (c *clone) close() error {
	return errors.Join(c.remote.line.close(), c.cache.close())
}

func (c *clone) tip(ctx context.Context, ref string) (plumbing.Hash, error) {
	refs, err := c.remote.list(ctx, ref)
	if err != nil {
		return plumbing.ZeroHash, err
	}
	if id := find(refs, ref); !id.IsZero() {
		return id, nil
	}
	return plumbing.ZeroHash, c.noBranch(ctx, ref)
}

func (c *clone) tips(ctx context.Context, prefix string) (map[string]plumbing.Hash, error) {
	refs, err := c.remote.list(ctx, prefix)
	tips := make(map[string]plumbing.Hash, len(refs))
	for _, r := range refs {
		tips[r.name] = r.id
	}
	return tips, err
}

// noBranch looks for what the person may have meant.
func (c *clone) noBranch(ctx context.Context, ref string) error {
	refs, err := c.remote.list(ctx, "HEAD", heads)
	if err != nil {
		return err
	}
	return missingBranch(ref, refs)
}

// remotes is where a checkout keeps what it saw of others' branches.
const remotes = "refs/remotes/"

func missingBranch(name string, refs []ref) error {
	branch := shortOf(name)
	e := &gitstore.Error{Kind: gitstore.NoBranch, What: fmt.Sprintf("there is no branch %q", branch), Fix: "create it, or name another with --branch"}
	switch {
	case len(refs) == 0:
		e.What, e.Fix = "the repository is empty", "push a first commit: git push origin HEAD:"+branch
		return e
	case branch == name:
		e.What, e.Fix = fmt.Sprintf("there is no ref %q", name), "look for its name: git ls-remote"
		if remote, of, ok := strings.Cut(strings.TrimPrefix(name, remotes), "/"); ok && strings.HasPrefix(name, remotes) {
			e.Fix = fmt.Sprintf("fetch it: git fetch %s +%s%s:%s", remote, heads, of, name)
		}
		return e
	}
	for _, r := range refs {
		if r.name == "HEAD" && strings.HasPrefix(r.target, heads) && usableBranch(shortOf(r.target)) {
			e.Fix = fmt.Sprintf("create it, or name another with --branch; the default branch is %q", shortOf(r.target))
		}
	}
	return e
}

// load fetches what is missing. What is kept gives way to a fresh start where
// it is damaged, has grown too much, or is of no use to get at the tip. A branch beside the
// home is no reason for one.
func (c *clone) load(ctx context.Context, ref string, tip plumbing.Hash) (*objects, error) {
	if !c.used {
		c.used, c.home[ref] = true, true // what is asked for first is what all else is about
	}
	switch {
	case c.now == nil, c.now.objects.broken.Load(), c.home[ref] && c.now.objects.grown():
		return c.renew(ctx, ref, tip)
	case !c.home[ref]:
		return c.aside(ctx, tip)
	case c.now.tips[ref].IsZero(): // nothing is known of its history
		return c.settle(ctx, ref, tip)
	}
	o := c.now.objects
	err := c.advance(ctx, ref, tip)
	if err == nil {
		if err = complete(o, tip); err == nil {
			return o, c.now.note(ref, tip)
		}
		if errors.Is(err, errKind) {
			return nil, err
		}
		c.log.Warn("what is kept of the repository is incomplete; it is fetched again")
		return c.renew(ctx, ref, tip)
	}
	switch {
	case errors.Is(err, errLimit):
		// A merge of what was begun long ago, or another history.
		if o, err := c.settle(ctx, ref, tip); err == nil {
			return o, nil
		}
	case errors.Is(err, errLate), errors.Is(err, errStalled):
	default:
		return nil, err // the network's or the server's; what was there is untouched
	}
	c.log.Info("much has changed; only the newest commit is fetched", "reason", err)
	return c.renew(ctx, ref, tip)
}

// settle gets at a tip of the home from beside it.
func (c *clone) settle(ctx context.Context, ref string, tip plumbing.Hash) (*objects, error) {
	o, err := c.aside(ctx, tip)
	if err != nil {
		return nil, err
	}
	return o, c.now.note(ref, tip)
}

// maxAdvance bounds a fetch that goes without a depth. Asking for one would
// make the server send every file again; going without makes it send the whole
// history if the branch was rewritten.
const maxAdvance = 16 << 20

func (c *clone) advance(ctx context.Context, ref string, tip plumbing.Hash) error {
	o := c.now.objects
	if o.has(tip) {
		return nil
	}
	req := request{want: tip, have: c.now.haves(ref), limits: c.remote.limits}
	req.limits.Pack = min(req.limits.Pack, maxAdvance)
	if len(req.have) == 0 {
		req.depth = 1
		req.limits = c.remote.limits
	}
	return c.remote.fetch(ctx, o, req)
}

// asideDepth is how much of a branch beside the home is fetched: as a rule, what is its own
// and the commit of the home that it is built on. Every commit below costs its trees; whoever
// asks for them gets them.
const asideDepth = 4

// aside fetches a branch that is built on some commit of the home's, perhaps an old one, of
// whose history nothing is here. So no commit is said to be here, after which the server
// would send all that is below, but trees, in which most of its files are. A server that
// cannot hear that sends one commit with all its files. What is kept of the home stays.
func (c *clone) aside(ctx context.Context, tip plumbing.Hash) (*objects, error) {
	o := c.now.objects
	if !o.has(tip) {
		if err := c.fetchAside(ctx, o, tip); err != nil {
			return nil, err
		}
		if !o.has(tip) {
			return nil, errKind // a tag, for one
		}
	}
	if err := complete(o, tip); err != nil {
		return nil, err
	}
	c.now.pass(tip)
	return o, nil
}

func (c *clone) fetchAside(ctx context.Context, o *objects, tip plumbing.Hash) error {
	req := request{want: tip, trees: c.now.trees(), depth: asideDepth, limits: c.remote.limits}
	err := c.remote.fetch(ctx, o, req)
	if perhapsOld(err) {
		req.trees, req.depth = nil, 1
		err = c.remote.fetch(ctx, o, req)
	}
	return err
}

func (c *clone) renew(ctx context.Context, ref string, tip plumbing.Hash) (*objects, error) {
	g, err := c.cache.fresh()
	if err != nil {
		return nil, err
	}
	err = c.remote.fetch(ctx, g.objects, request{want: tip, depth: 1, limits: c.remote.limits})
	if err == nil {
		err = complete(g.objects, tip)
	}
	if err == nil && c.home[ref] {
		err = g.note(ref, tip)
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

func (c *clone) push(ctx context.Context, m move, base *snapshot, made *batch) error {
	err := c.remote.push(ctx, m, made)
	var refused *refusal
	if errors.As(err, &refused) && m.old.IsZero() {
		err = c.inTheWay(ctx, m.ref, err)
	}
	if made == nil {
		return err
	}
	// What the server may have now is kept in any case: it may turn out to
	// have landed. It is a few objects that nothing refers to otherwise.
	if keep := c.keep(base, made); keep != nil {
		c.log.Warn("what was pushed could not be kept; it will be fetched", "error", keep)
	}
	return err
}

// inTheWay looks for the branch for whose name a new one may have been refused: a name that
// others begin with is a directory to git.
func (c *clone) inTheWay(ctx context.Context, ref string, refused error) error {
	names := append(above(ref), ref+"/")
	refs, err := c.remote.list(ctx, names...)
	if err != nil {
		return refused // which says enough
	}
	for _, r := range refs {
		if clash(r.name, ref) {
			return &clashError{ref: ref, with: r.name}
		}
	}
	return refused
}

func (c *clone) keep(base *snapshot, made *batch) error {
	if c.now == nil || base.objects != c.now.objects {
		return nil // built on a generation that is gone
	}
	return base.objects.add(made)
}
