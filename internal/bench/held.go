package main

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/towpath/towpath/reconcile"
)

// heldCommits are how long the history is in which people took sites back.
const heldCommits = 300

// heldFleets are two: in the one people took back what the tag's move gave to all of its
// sites, a few in every other commit; in the other they wrote something beside.
func (b *bed) heldFleets(ctx context.Context) (held, free fleet, err error) {
	held, free = b.fleet("held.git", 1000), b.fleet("free.git", 1000)
	if err := b.grown(ctx, held, held.history(true)...); err != nil {
		return held, free, err
	}
	return held, free, b.grown(ctx, free, free.history(false)...)
}

// history is what comes after the first commit: the record moves, all follow, and then
// people change things.
func (f fleet) history(taken bool) []revision {
	before, after := digestOf(0, 0), digestOf(-1, 0)
	revisions := []revision{
		func(yield func(string, []byte) bool) { f.recorded(yield, after) },
		func(yield func(string, []byte) bool) { f.followed(yield, after) },
	}
	const people = heldCommits - 3
	n := 0
	for c := range people {
		if c%2 == 1 {
			revisions = append(revisions, f.aside(fmt.Sprint("change ", c)))
			continue
		}
		first := n
		n = f.Movers * (c + 2) / (people + 1)
		revisions = append(revisions, func(yield func(string, []byte) bool) {
			for k := first; k < n; k++ {
				i := f.mover(k)
				text := f.file(i, before)
				if !taken {
					text = marked(f.file(i, after), fmt.Sprint("change ", c))
				}
				if !yield(f.appOf(i), text) {
					return
				}
			}
		})
	}
	return revisions
}

// aside changes a stream that nothing moves with.
func (f fleet) aside(mark string) revision {
	return func(yield func(string, []byte) bool) { yield(pathOf(1), marked(f.stream(1), mark)) }
}

// unrelated is such a commit that a person makes now.
func (f fleet) unrelated(ctx context.Context) error {
	return f.write(ctx, f.path(), "main", true, f.aside(fmt.Sprint("beside ", time.Now().UnixNano())))
}

// walk is the pass that finds all holds, after one that loaded everything.
func (b *bed) heldWalk(ctx context.Context) (s sample, err error) {
	held, _, err := b.heldFleets(ctx)
	if err != nil {
		return s, err
	}
	ours, err := b.child(ctx, job{Do: "held", Repo: held.repo, Fleet: held, Profile: b.profileOf("held-1000")})
	if err != nil {
		return s, err
	}
	b.clones++
	bare := filepath.Join(b.Dir, fmt.Sprint("held-", b.clones))
	if _, err := b.git(ctx, nil, "clone", "-q", "--bare", "--depth", "1", "--branch", "main", b.url(held.repo), bare); err != nil {
		return s, err
	}
	floor, err := timed(func() error {
		if _, err := b.git(ctx, nil, "-C", bare, "fetch", "-q", "--unshallow", "origin", "main"); err != nil {
			return err
		}
		_, err := b.git(ctx, nil, "-C", bare, "log", "--first-parent", "--raw", "--no-abbrev", "-m", "main")
		return err
	})
	return sample{Towpath: ours.Seconds, Floor: floor, Note: fmt.Sprintf("towpath's own CPU %s", seconds.text(ours.CPU))}, err
}

func (j job) held(ctx context.Context) (res result, err error) {
	r, err := open(ctx, j.URL, j.Cache)
	if err != nil {
		return res, err
	}
	defer r.Store.Close()
	store := &counted{Store: r.Store}
	store.again()
	r.Store, r.Only = store, reconcile.ImportOnly
	if err := pass(ctx, r); err != nil {
		return res, err
	}
	store.again()
	r.Only, res.Streams = reconcile.Whole, len(r.Catalog().Streams)
	stop, err := profile(j.Profile)
	if err != nil {
		return res, err
	}
	used := cpu()
	res.Seconds, err = timed(func() error { return j.Fleet.holds(ctx, r, look) })
	stop()
	res.CPU = cpu() - used
	res.Told = map[string]sample{"held-reads": store.commitReads()}
	return res, err
}

// look makes a pass that is not over right after its poll, and asks for nothing.
var look = reconcile.Hint{Tag: "of-nothing"}

// holds is a pass that should hold all sites of the tag.
func (f fleet) holds(ctx context.Context, r *reconcile.Reconciler, hints ...reconcile.Hint) error {
	rep, err := r.Once(ctx, hints...)
	if err := quiet(rep, err); err != nil {
		return err
	}
	if len(rep.Held) != 2*f.Movers {
		return fmt.Errorf("%d sites are held, not %d", len(rep.Held), 2*f.Movers)
	}
	for _, h := range rep.Held {
		if h.Why != reconcile.TakenBack {
			return fmt.Errorf("%s is held as %s, not as %s", h.Change.Site.Path, h.Why, reconcile.TakenBack)
		}
	}
	return nil
}

// holding are passes of a daemon that holds sites, beside one that holds none.
type holding struct {
	held, free     *passes
	heldAt, freeAt fleet
}

func (h *holding) close() {
	if h != nil {
		h.held.close()
		h.free.close()
	}
}

// heldPasses sets them up, once.
func (b *bed) heldPasses(ctx context.Context) (*holding, error) {
	if b.holding != nil {
		return b.holding, nil
	}
	held, free, err := b.heldFleets(ctx)
	if err != nil {
		return nil, err
	}
	h := &holding{heldAt: held, freeAt: free}
	b.holding = h
	for _, x := range []struct {
		at   fleet
		into **passes
	}{{held, &h.held}, {free, &h.free}} {
		r, err := open(ctx, b.url(x.at.repo), filepath.Join(b.Dir, "cache-"+x.at.Name))
		if err != nil {
			return nil, err
		}
		*x.into = &passes{towpath: r}
		if err := pass(ctx, r); err != nil {
			return nil, err
		}
	}
	return h, held.holds(ctx, h.held.towpath, look)
}

func (b *bed) heldIdle(ctx context.Context) (s sample, err error) {
	h, err := b.heldPasses(ctx)
	if err != nil {
		return s, err
	}
	return h.held.idle(ctx, b.url(h.heldAt.repo))
}

// heldNews are ten passes, each after a person changed something else.
func (b *bed) heldNews(ctx context.Context) (sum sample, err error) {
	h, err := b.heldPasses(ctx)
	if err != nil {
		return sum, err
	}
	stop, err := profile(b.profileOf("held-news"))
	if err != nil {
		return sum, err
	}
	defer stop()
	held := func() error { return h.heldAt.holds(ctx, h.held.towpath) }
	free := func() error { return pass(ctx, h.free.towpath) }
	for i := range 2 * changesOfEach {
		for _, f := range []fleet{h.heldAt, h.freeAt} {
			if err := f.unrelated(ctx); err != nil {
				return sum, err
			}
		}
		turn, err := byTurns(i, held, free)
		if err != nil {
			return sum, err
		}
		sum = sum.plus(turn)
	}
	return sum, nil
}

// byTurns times two things; which comes first changes with the turn.
func byTurns(turn int, ours, floor func() error) (s sample, err error) {
	if turn%2 == 1 {
		s, err = byTurns(0, floor, ours)
		return sample{Towpath: s.Floor, Floor: s.Towpath, TowpathCPU: s.FloorCPU, FloorCPU: s.TowpathCPU}, err
	}
	before := cpu()
	if s.Towpath, err = timed(ours); err != nil {
		return s, err
	}
	between := cpu()
	s.Floor, err = timed(floor)
	s.TowpathCPU, s.FloorCPU = between-before, cpu()-between
	return s, err
}

// plus is the sum of what was measured twice.
func (s sample) plus(t sample) sample {
	return sample{
		Towpath: s.Towpath + t.Towpath, Floor: s.Floor + t.Floor,
		TowpathCPU: s.TowpathCPU + t.TowpathCPU, FloorCPU: s.FloorCPU + t.FloorCPU,
	}
}

// laterCommits are how many came after the record moved, before anybody looked.
const laterCommits = 50

// byHand is a pass after a person moved the record by hand, and others worked on.
func (b *bed) byHand(ctx context.Context) (s sample, err error) {
	f := b.followers()
	if err := b.grown(ctx, f); err != nil {
		return s, err
	}
	r, err := b.child(ctx, job{Do: "by-hand", Repo: f.repo, Fleet: f, Digest: b.newDigest(), Profile: b.profileOf("walk-500")})
	s = r.Told["walk-500"]
	s.Note = fmt.Sprintf("the pass takes %s", seconds.text(r.Seconds))
	return s, err
}

func (j job) byHand(ctx context.Context) (res result, err error) {
	r, err := open(ctx, j.URL, j.Cache)
	if err != nil {
		return res, err
	}
	defer r.Store.Close()
	store := &counted{Store: r.Store}
	store.again()
	r.Store = store
	if err := pass(ctx, r); err != nil {
		return res, err
	}
	res.Streams = len(r.Catalog().Streams)
	revisions := []revision{func(yield func(string, []byte) bool) { j.Fleet.recorded(yield, j.Digest) }}
	for n := range laterCommits {
		revisions = append(revisions, j.Fleet.aside(fmt.Sprint(j.Digest, n)))
	}
	if err := j.Fleet.write(ctx, j.Fleet.path(), "main", true, revisions...); err != nil {
		return res, err
	}
	store.again()
	stop, err := profile(j.Profile)
	if err != nil {
		return res, err
	}
	var rep reconcile.Report
	res.Seconds, err = timed(func() error {
		rep, err = r.Once(ctx)
		return err
	})
	stop()
	if err == nil {
		err = j.Fleet.landed(rep)
	}
	read := store.commitReads()
	if err == nil && read.Floor < laterCommits {
		err = fmt.Errorf("the log was read for %v commits, fewer than %d", read.Floor, laterCommits)
	}
	res.Told = map[string]sample{"walk-500": read}
	return res, err
}
