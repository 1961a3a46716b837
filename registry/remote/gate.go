package remote

import (
	"context"
	"errors"
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
// What they are answered counts for their own origin alone.
type gate struct {
	host  string // of the registry, canonical
	slots chan struct{}
	flows chan struct{} // of blobs that are being read, see fetch.go
	rate  *rate.Limiter // nil: no limit

	mu   sync.Mutex // over all below
	said map[caller]*word
}

// A caller is whom an origin means by what it says. A wait of more than a minute
// and what remains of a quota are an account's, since registries count for each of
// them; a shorter wait is everybody's: the registry is busy.
type caller struct {
	at       origin
	account  identityID // identity.login; zero for nobody
	everyone bool
}

// A word is what an origin has said to a caller.
type word struct {
	until time.Time // nothing is asked before
	pace  pace
}

// A pace spreads requests to an origin that has said that few are left.
type pace struct {
	every time.Duration
	turn  time.Time // of the next request
	ends  time.Time // it is forgotten then
}

const (
	longWait     = time.Minute
	maxStrangers = 16 // origins beside the registry's own whose words are kept
)

func newGate(host string, concurrency int, perSecond float64) *gate {
	g := &gate{host: host, slots: make(chan struct{}, concurrency), flows: make(chan struct{}, max(1, concurrency/2)), said: map[caller]*word{}}
	if perSecond > 0 {
		g.rate = rate.NewLimiter(rate.Limit(perSecond), max(1, int(perSecond)))
	}
	return g
}

// enter waits for a turn to ask an origin. It fails at once while the origin
// has said to wait, or when the turn would not come soon. The caller calls leave
// when the answer is read, unless there was an error.
func (g *gate) enter(ctx context.Context, to origin, account identityID) error {
	if err := g.open(to, account, time.Now()); err != nil {
		return err
	}
	select {
	case g.slots <- struct{}{}:
	case <-ctx.Done():
		return noTurn(ctx, "as many requests as may be were on their way until the deadline")
	}
	if err := g.wait(ctx, to, account); err != nil {
		g.leave()
		return err
	}
	return nil
}

func (g *gate) leave() { <-g.slots }

// wait is for the rate and the pace.
func (g *gate) wait(ctx context.Context, to origin, account identityID) error {
	if g.rate != nil {
		if err := g.limit(ctx); err != nil {
			return err
		}
	}
	left, err := g.take(ctx, caller{at: to, account: account}, time.Now())
	if err != nil {
		return err
	}
	if err := sleep(ctx, left); err != nil {
		return err
	}
	return g.open(to, account, time.Now()) // it may have been closed while we waited
}

// limit waits for a turn of the rate. One after the deadline is not taken.
func (g *gate) limit(ctx context.Context) error {
	turn := g.rate.Reserve()
	left := turn.Delay()
	err := error(nil)
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < left {
		err = tooMany(left, errors.New("the next turn of requests-per-second is after the deadline"))
	} else {
		err = sleep(ctx, left)
	}
	if err != nil {
		turn.Cancel()
	}
	return err
}

func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return noTurn(ctx, "the deadline came before a turn")
	}
}

// noTurn is the error of who waited in vain: nobody was asked, so it says nothing
// of the registry.
func noTurn(ctx context.Context, why string) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return context.Cause(ctx)
	}
	return tooMany(minRetryAfter, errors.New(why))
}

func tooMany(left time.Duration, cause error) error {
	return &failure{kind: registry.RateLimited, message: "too many requests", retryAfter: left, cause: cause}
}

var errAskedToWait = errors.New("the registry has asked to wait, or says that nothing is left")

// open fails while an origin has said to wait.
func (g *gate) open(to origin, account identityID, now time.Time) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.said) == 0 {
		return nil
	}
	left := max(g.closed(caller{at: to, account: account}, now), g.closed(caller{at: to, everyone: true}, now))
	if left > 0 {
		return tooMany(left, errAskedToWait)
	}
	return nil
}

func (g *gate) closed(c caller, now time.Time) time.Duration {
	if w, ok := g.said[c]; ok {
		return w.until.Sub(now)
	}
	return 0
}

// take takes the next turn of the pace and says how far off it is. A turn that is
// further off than one more, or than the deadline, is not taken.
func (g *gate) take(ctx context.Context, c caller, now time.Time) (time.Duration, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	w, ok := g.said[c]
	if !ok || !now.Before(w.pace.ends) {
		return 0, nil
	}
	p := &w.pace
	turn := p.turn
	if turn.Before(now) {
		turn = now
	}
	left := turn.Sub(now)
	if deadline, ok := ctx.Deadline(); left > maxSpacing || ok && deadline.Before(turn) {
		return 0, tooMany(left, errors.New("the registry says that few requests are left, and they are spread"))
	}
	p.turn = turn.Add(p.every)
	return left, nil
}

// heed closes the gate to whom an answer means, for as long as it asks for, and
// sets the pace. A 429 that names no time closes it for a second.
func (g *gate) heed(resp *http.Response, account identityID, now time.Time) {
	q := readQuota(resp.Header, now)
	wait, asked := askedToWait(resp, q, now)
	if resp.StatusCode == http.StatusTooManyRequests && !asked {
		wait = minRetryAfter
	}
	if wait == 0 && !q.said {
		return
	}
	c := caller{at: originOf(resp.Request.URL), account: account}
	g.mu.Lock()
	defer g.mu.Unlock()
	if every := q.spacing(); every > 0 {
		g.word(c, now).pace.set(every, now)
	} else if w, ok := g.said[c]; ok && q.said {
		w.pace = pace{}
	}
	if wait <= 0 {
		return
	}
	if wait <= longWait {
		c = caller{at: c.at, everyone: true}
	}
	if w, until := g.word(c, now), now.Add(wait); until.After(w.until) {
		w.until = until
	}
}

// set begins a pace or changes it.
func (p *pace) set(every time.Duration, now time.Time) {
	if !now.Before(p.ends) {
		p.turn = now.Add(every)
	}
	p.every, p.ends = every, now.Add(maxRetryAfter)
}

// word is what a caller was told, to be changed. The registry's own are as many as
// the accounts that it has been asked with; of the others those that end soonest
// make room. The caller holds the lock.
func (g *gate) word(c caller, now time.Time) *word {
	if w, ok := g.said[c]; ok {
		return w
	}
	strangers, soonest := 0, caller{}
	for other, w := range g.said {
		switch {
		case !now.Before(w.ends()):
			delete(g.said, other)
		case !g.isHome(other.at):
			if strangers++; strangers == 1 || w.ends().Before(g.said[soonest].ends()) {
				soonest = other
			}
		}
	}
	if strangers >= maxStrangers && !g.isHome(c.at) {
		delete(g.said, soonest)
	}
	w := &word{}
	g.said[c] = w
	return w
}

func (g *gate) isHome(o origin) bool { return o == at(o.scheme, g.host) }

// ends is when a word may be forgotten.
func (w *word) ends() time.Time {
	if w.pace.ends.After(w.until) {
		return w.pace.ends
	}
	return w.until
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

// busy reports whether somebody is asking.
func (g *gate) busy() bool { return len(g.slots) > 0 }

// opens is when nothing that was said counts any more.
func (g *gate) opens() (last time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, w := range g.said {
		if w.ends().After(last) {
			last = w.ends()
		}
	}
	return last
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

// gated passes each request through a gate and, unless the registry is listed,
// through the crowd.
type gated struct {
	gate      *gate
	account   identityID // who asks
	crowd     *crowd     // nil for a listed registry
	namespace string     // for whom
	watch     watch
	next      wire // reads the whole answer before it returns
}

func (t gated) RoundTrip(req *http.Request) (*http.Response, error) {
	if t.crowd == nil {
		return t.pass(req)
	}
	part, err := t.crowd.join(req.Context(), t.namespace)
	if err != nil {
		return nil, err
	}
	defer part()
	return t.pass(req)
}

func (t gated) pass(req *http.Request) (*http.Response, error) {
	ctx := req.Context()
	if err := t.gate.enter(ctx, originOf(req.URL), t.account); err != nil {
		return nil, err
	}
	defer t.gate.leave()
	if t.crowd != nil {
		if err := t.crowd.enter(ctx); err != nil {
			return nil, err
		}
		defer t.crowd.leave()
	}
	resp, err := t.watch.exchange(t.next, req)
	if err == nil {
		t.gate.heed(resp, t.account, time.Now())
	}
	return resp, err
}
