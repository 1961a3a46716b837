package remote

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/towpath/towpath/registry"
)

const (
	minRetryAfter = time.Second
	maxRetryAfter = time.Hour
)

// A gate bounds what one registry is asked: how much at once, how much a
// second, less often while it says that little is left, and nothing at all while
// it has said to wait. Requests that the registry's answers lead to (its token
// service, redirects) pass its own gate, so that no registry can use up another's.
type gate struct {
	slots chan struct{}
	rate  *rate.Limiter // nil: no limit

	mu    sync.Mutex // over all below
	until time.Time  // nothing is asked before
	pace  pace
}

// A pace spreads requests to an origin that has said that few are left.
type pace struct {
	of    origin
	every time.Duration
	turn  time.Time // of the next request
	ends  time.Time // it is forgotten then
}

func newGate(concurrency int, perSecond float64) *gate {
	g := &gate{slots: make(chan struct{}, concurrency)}
	if perSecond > 0 {
		g.rate = rate.NewLimiter(rate.Limit(perSecond), max(1, int(perSecond)))
	}
	return g
}

// enter waits for a turn to ask an origin. It fails at once while the registry
// has said to wait, or when the turn would not come soon. The caller calls leave
// when the answer is read, unless there was an error.
func (g *gate) enter(ctx context.Context, to origin) error {
	if err := g.open(time.Now()); err != nil {
		return err
	}
	select {
	case g.slots <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if err := g.wait(ctx, to); err != nil {
		g.leave()
		return err
	}
	return nil
}

func (g *gate) leave() { <-g.slots }

// wait is for the rate and the pace.
func (g *gate) wait(ctx context.Context, to origin) error {
	if g.rate != nil && g.rate.Wait(ctx) != nil {
		return context.DeadlineExceeded // the turn would come after it, or the context ended
	}
	if err := g.await(ctx, to); err != nil {
		return err
	}
	return g.open(time.Now()) // it may have been closed while we waited
}

func (g *gate) open(now time.Time) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if left := g.until.Sub(now); left > 0 {
		return tooMany(left)
	}
	return nil
}

func tooMany(left time.Duration) error {
	return &failure{kind: registry.RateLimited, message: "too many requests", retryAfter: left}
}

// await waits for a turn of the pace.
func (g *gate) await(ctx context.Context, to origin) error {
	left, err := g.take(ctx, to, time.Now())
	if left <= 0 || err != nil {
		return err
	}
	timer := time.NewTimer(left)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// take takes the next turn and says how far off it is. A turn that is further off
// than one more, or than the deadline, is not taken.
func (g *gate) take(ctx context.Context, to origin, now time.Time) (time.Duration, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	p := &g.pace
	if p.of != to || !now.Before(p.ends) {
		return 0, nil
	}
	turn := p.turn
	if turn.Before(now) {
		turn = now
	}
	left := turn.Sub(now)
	if deadline, ok := ctx.Deadline(); left > maxSpacing || ok && deadline.Before(turn) {
		return 0, tooMany(left)
	}
	p.turn = turn.Add(p.every)
	return left, nil
}

// heed closes the gate for as long as an answer asks for, and sets the pace. A
// 429 that names no time closes it for a second.
func (g *gate) heed(resp *http.Response, now time.Time) {
	q := readQuota(resp.Header, now)
	wait, asked := askedToWait(resp, q, now)
	if resp.StatusCode == http.StatusTooManyRequests && !asked {
		wait = minRetryAfter
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if until := now.Add(wait); wait > 0 && until.After(g.until) {
		g.until = until
	}
	if q.said {
		g.pace.set(originOf(resp.Request.URL), q.spacing(), now)
	}
}

// set begins a pace, changes it, or ends it.
func (p *pace) set(of origin, every time.Duration, now time.Time) {
	switch {
	case every == 0 && p.of == of:
		*p = pace{}
	case every == 0: // it is another's
	case p.of == of && now.Before(p.ends):
		p.every, p.ends = every, now.Add(maxRetryAfter)
	default:
		*p = pace{of: of, every: every, turn: now.Add(every), ends: now.Add(maxRetryAfter)}
	}
}

// askedToWait is for how long an answer wants nothing to be asked.
func askedToWait(resp *http.Response, q quota, now time.Time) (wait time.Duration, asked bool) {
	if s := resp.StatusCode; s == http.StatusTooManyRequests || s == http.StatusServiceUnavailable {
		if wait, asked = retryAfter(resp.Header, now); asked {
			return wait, true
		}
	}
	return q.wait()
}

// idle reports whether forgetting the gate would lose nothing.
func (g *gate) idle(now time.Time) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.slots) == 0 && !now.Before(g.until) && !now.Before(g.pace.ends)
}

// retryAfter reads a Retry-After header, seconds or a date, and keeps it within
// a second and an hour.
func retryAfter(h http.Header, now time.Time) (wait time.Duration, asked bool) {
	said := strings.TrimSpace(h.Get("Retry-After"))
	if said == "" {
		return 0, false
	}
	if seconds, err := strconv.ParseFloat(said, 64); err == nil {
		return clamp(seconds, minRetryAfter, maxRetryAfter), true
	}
	if date, err := http.ParseTime(said); err == nil {
		return clamp(date.Sub(now).Seconds(), minRetryAfter, maxRetryAfter), true
	}
	return 0, false
}

// clamp makes a number of seconds, however large, a duration within bounds.
func clamp(seconds float64, low, high time.Duration) time.Duration {
	switch {
	case seconds >= high.Seconds():
		return high
	case seconds > low.Seconds():
		return time.Duration(seconds * float64(time.Second))
	}
	return low // also for NaN
}

// gated passes each request through a gate.
type gated struct {
	gate *gate
	next wire // reads the whole answer before it returns
}

func (t gated) RoundTrip(req *http.Request) (*http.Response, error) {
	if err := t.gate.enter(req.Context(), originOf(req.URL)); err != nil {
		return nil, err
	}
	defer t.gate.leave()
	resp, err := t.next.RoundTrip(req)
	if err == nil {
		t.gate.heed(resp, time.Now())
	}
	return resp, err
}
