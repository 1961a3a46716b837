package reconcile

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/towpath/towpath/gitstore"
)

// An Outcome is what became of a pass's writes.
type Outcome struct {
	Nothing   bool // there was nothing to write
	Landed    bool // all of it is on the branch, or there was nothing to write
	Dry       bool // a rehearsal: nothing was tried
	Waiting   bool // nothing was tried, as it is too early to
	Throttled bool // …because the pushes of this hour are spent
	Commits   []Landed
	Err       error // why it did not land
}

// Landed is a commit that is on the branch.
type Landed struct {
	Rev     gitstore.Rev
	Kind    CommitKind
	Subject string
	Files   int
}

// pushDeadline bounds a push also where the pass is told to stop: it ends at a
// compare-and-swap, landed or not.
const pushDeadline = 5 * time.Second

// Apply pushes the writes as one chain.
func Apply(ctx context.Context, store gitstore.Store, branch string, base gitstore.Snapshot, ws []Write) Outcome {
	if ctx.Err() != nil {
		return Outcome{Err: ctx.Err()}
	}
	chain := make([]gitstore.Commit, len(ws))
	for i, w := range ws {
		chain[i] = w.Commit
	}
	ctx, stop := outlive(ctx, pushDeadline)
	defer stop()
	tip, err := store.Push(ctx, branch, base, chain...)
	if err != nil {
		return Outcome{Err: err}
	}
	o := Outcome{Landed: true, Commits: make([]Landed, len(ws))}
	for i := len(ws) - 1; i >= 0; i-- {
		w := ws[i]
		o.Commits[i] = Landed{Kind: w.Kind, Subject: w.Subject(), Files: len(w.Commit.Edits)}
		if tip == nil || tip.Rev() == base.Rev() {
			continue
		}
		o.Commits[i].Rev = tip.Rev()
		if tip, err = tip.Parent(ctx); err != nil {
			tip = nil // landed all the same; only its id is not known
		}
	}
	return o
}

// outlive is a context that goes on for a while after its parent ended.
func outlive(ctx context.Context, grace time.Duration) (context.Context, context.CancelFunc) {
	alive, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		t := time.AfterFunc(grace, cancel)
		context.AfterFunc(alive, func() { t.Stop() })
	})
	return alive, func() { stop(); cancel() }
}

// replans is how many times in a row a pass plans again at once because the
// branch moved.
const replans = 5

// wait is how long no push is tried after the nth failure in a row.
func (o Outcome) wait(n int) time.Duration {
	var e *gitstore.Error
	switch {
	case errors.Is(o.Err, gitstore.ErrMoved) && n <= replans:
		return rand.N(time.Duration(n) * 50 * time.Millisecond)
	case errors.Is(o.Err, gitstore.ErrMoved):
		n -= replans
	case errors.As(o.Err, &e) && (e.Kind == gitstore.Denied || e.Kind == gitstore.Unauthorized):
		return max(passingMost, e.RetryAfter)
	case errors.As(o.Err, &e):
		return jitter(max(doubled(passingFirst, passingMost, n), e.RetryAfter))
	}
	return jitter(doubled(passingFirst, passingMost, n))
}

// jitter adds up to a quarter.
func jitter(d time.Duration) time.Duration { return d + rand.N(d/4+1) }
