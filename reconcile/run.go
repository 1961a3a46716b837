package reconcile

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/towpath/towpath/gitstore"
)

// Run walks the line until the context ends. It wakes when a poll of Git or a
// tag is due, when the store saw the repository change, when a registry answered,
// and on hints. A failed pass is tried again, later and later; only a first run
// that needs consent ends it with an error. Of the pass in which the context ends Passed
// hears where it wrote something.
func (r *Reconciler) Run(ctx context.Context) error {
	defer r.looks.end()
	fails := 0
	var hints []Hint
	for {
		rep, err := r.Once(ctx, hints...)
		if ctx.Err() != nil {
			if r.Passed != nil && len(rep.Commits) > 0 { // what landed at the end is told, too
				rep.Heard = hints
				r.Passed(rep)
			}
			return nil
		}
		if errors.Is(err, ErrFirstRun) {
			return err
		}
		now := time.Now()
		var after time.Duration
		if rep.Cut {
			fails++
			after = retry(err, fails)
		} else {
			rep.Heard = hints
			fails, after, hints = 0, r.pause(now), nil
		}
		if r.Passed != nil {
			rep.Next = now.Add(after)
			r.Passed(rep)
		}
		if hints = append(hints, r.wake(ctx, after, fails > 0)...); ctx.Err() != nil {
			return nil
		}
	}
}

// retry is how long a pass that Git broke off waits.
func retry(err error, n int) time.Duration {
	d := doubled(passingFirst, passingMost, n)
	if e := (*gitstore.Error)(nil); errors.As(err, &e) {
		d = max(d, e.RetryAfter)
	}
	return jitter(d)
}

// pause is how long there is nothing to do but wait.
func (r *Reconciler) pause(now time.Time) time.Duration {
	again := r.mem.pushAfter
	until := r.polled.Add(r.Poll)
	if !r.gitAt.IsZero() && r.gitAt.Before(until) {
		until = r.gitAt
	}
	if r.polled.IsZero() && !again.IsZero() {
		until = now.Add(r.Poll) // what was refused may wait long; people's commits are seen as ever
	}
	if !r.next.IsZero() && r.next.Before(until) {
		until = r.next
	}
	if !again.IsZero() && again.Before(until) {
		return again.Sub(now)
	}
	if r.asker.answered() { // left when something else came up
		return 0
	}
	return max(until.Sub(now), tick)
}

// tick is the shortest time between two passes that nothing but the clock asks
// for: tags that are due shortly one after another are asked together.
const tick = time.Second

// wake waits, and returns the hints that came meanwhile. While Git cannot be
// read, neither answers nor hints shorten the wait.
func (r *Reconciler) wake(ctx context.Context, after time.Duration, failing bool) []Hint {
	timer := time.NewTimer(after)
	defer timer.Stop()
	answers, bell := r.asker.ready(), r.inbox.bell()
	if failing {
		answers, bell = nil, nil
	} else if hints := r.inbox.take(time.Now()); len(hints) > 0 { // an exchange was left for them
		return hints
	}
	select {
	case <-ctx.Done():
	case <-timer.C:
	case <-answers:
	case <-r.Store.Changed():
		r.polled = time.Time{}
	case <-bell:
		return r.inbox.take(time.Now())
	}
	return nil
}

// gitSaid takes in what the Git server says, and returns the other hints. Git is
// looked at once a second at most for it, however often it says so, and what is under
// review with it.
func (r *Reconciler) gitSaid(hints []Hint, now time.Time) []Hint {
	others := slices.DeleteFunc(slices.Clone(hints), func(h Hint) bool { return h.Git })
	if len(others) < len(hints) && r.gitAt.IsZero() {
		r.gitAt = later(now, r.polled.Add(lookAgain))
	}
	if !r.gitAt.IsZero() && !r.gitAt.After(now) {
		r.polled = time.Time{}
		r.desk.nudge(r.Poll, now)
	}
	return others
}

// rounds is how many passes a one-shot command makes at most.
const rounds = 10

// Settle walks the line until a pass has nothing to write, as one-shot
// commands do. What is due is what was when it began: where passes take longer than an
// interval, tags would be asked again and again. The report is the last pass's, with the
// commits, answers and plans of all of them.
func (r *Reconciler) Settle(ctx context.Context, hints ...Hint) (Report, error) {
	r.Wait, r.asOf = true, time.Now()
	defer func() { r.asOf = time.Time{} }()
	r.memory(r.asOf)
	var all Report
	known := 0 // branches of which the forge said what became of them
	for round := 0; round < rounds; round++ {
		rep, err := r.Once(ctx, hints...)
		asking := r.asker.underWay() > 0 // only a batch was answered
		atRest := (len(rep.Planned) == 0 && rep.acts == 0 || r.Dry) && !asking
		if asking || r.desk.learnsMore(&known) {
			round--
		}
		if errors.Is(err, gitstore.ErrMoved) {
			rep.Planned = nil // planned again on the new tip
		}
		if !r.Dry {
			withoutTexts(rep.Planned)
		}
		if !r.Dry && r.Only == Whole {
			rep.Answers = nil // of very many tags they would be most of what is in memory
		}
		rep.Commits = append(all.Commits, rep.Commits...)
		rep.Proposals = joined(all.Proposals, rep.Proposals)
		rep.Answers = append(all.Answers, rep.Answers...)
		rep.Dropped = append(all.Dropped, rep.Dropped...)
		rep.Planned = append(all.Planned, rep.Planned...)
		all = rep
		switch {
		case ctx.Err() != nil:
			return all, fmt.Errorf("interrupted: %w", context.Cause(ctx))
		case errors.Is(err, gitstore.ErrMoved):
			if err := sleep(ctx, time.Until(r.mem.pushAfter)); err != nil {
				return all, err
			}
		case err != nil:
			return all, err
		case atRest:
			return all, nil
		}
		hints = nil
	}
	return all, errors.New("the branch did not come to rest: every pass found something to write; see whether two streams or another program fight over it")
}

// withoutTexts drops the texts of what was written: of very many files they would be
// most of what is in memory.
func withoutTexts(ws []Write) {
	for i := range ws {
		ws[i].Before, ws[i].Commit.Edits = nil, nil
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
