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
// second, and nothing at all while it has said to wait. Requests that the
// registry's answers lead to (its token service, redirects) pass its own gate, so
// that no registry can use up another's.
type gate struct {
	slots chan struct{}
	rate  *rate.Limiter // nil: no limit

	mu    sync.Mutex
	until time.Time // nothing is asked before
}

func newGate(concurrency int, perSecond float64) *gate {
	g := &gate{slots: make(chan struct{}, concurrency)}
	if perSecond > 0 {
		g.rate = rate.NewLimiter(rate.Limit(perSecond), max(1, int(perSecond)))
	}
	return g
}

// enter waits for a turn. It fails at once while the registry has said to wait.
// The caller calls leave when the answer is read.
func (g *gate) enter(ctx context.Context) (leave func(), err error) {
	if err := g.open(time.Now()); err != nil {
		return nil, err
	}
	select {
	case g.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	leave = func() { <-g.slots }
	if g.rate != nil {
		if g.rate.Wait(ctx) != nil { // the turn would come after the deadline, or the context ended
			leave()
			return nil, context.DeadlineExceeded
		}
	}
	if err := g.open(time.Now()); err != nil { // it may have been said while we waited
		leave()
		return nil, err
	}
	return leave, nil
}

func (g *gate) open(now time.Time) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if left := g.until.Sub(now); left > 0 {
		return &failure{kind: registry.RateLimited, message: "too many requests", retryAfter: left}
	}
	return nil
}

// heed closes the gate for as long as an answer asks for. A 429 that names no
// time closes it for a second.
func (g *gate) heed(resp *http.Response, now time.Time) {
	wait, asked := retryAfter(resp.Header, now)
	switch {
	case resp.StatusCode == http.StatusTooManyRequests && !asked:
		wait = minRetryAfter
	case resp.StatusCode == http.StatusTooManyRequests, resp.StatusCode == http.StatusServiceUnavailable && asked:
	default:
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if until := now.Add(wait); until.After(g.until) {
		g.until = until
	}
}

// idle reports whether forgetting the gate would lose nothing.
func (g *gate) idle(now time.Time) bool {
	return len(g.slots) == 0 && g.open(now) == nil
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
	next http.RoundTripper // reads the whole answer before it returns
}

func (t gated) RoundTrip(req *http.Request) (*http.Response, error) {
	leave, err := t.gate.enter(req.Context())
	if err != nil {
		return nil, err
	}
	defer leave()
	resp, err := t.next.RoundTrip(req)
	if err == nil {
		t.gate.heed(resp, time.Now())
	}
	return resp, err
}
