package wire

import (
	"bytes"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	minWait   = time.Second
	maxWait   = time.Hour
	blindWait = time.Minute // where nothing says how long
)

// A gate is closed while the forge wants no requests.
type gate struct {
	mu    sync.Mutex
	until time.Time
}

// closed is for how long; 0 when it is open.
func (g *gate) closed(now time.Time) time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	return max(0, g.until.Sub(now))
}

// heed closes the gate for as long as an answer asks for, and says how long that is.
func (g *gate) heed(a answer, now time.Time) time.Duration {
	wait := max(a.asksToWait(now), a.leavesNothing(now))
	if wait > 0 {
		g.mu.Lock()
		defer g.mu.Unlock()
		if until := now.Add(wait); until.After(g.until) {
			g.until = until
		}
	}
	return wait
}

// asksToWait is for how long an answer wants nothing because there was too much.
//
//	429 or 503, Retry-After    that long, or until that date
//	403, Retry-After           the same: GitHub's secondary limits
//	429 without                a minute
//	403, secondary rate limit  a minute: GitHub asks for at least that
func (a answer) asksToWait(now time.Time) time.Duration {
	switch a.status {
	case http.StatusTooManyRequests, http.StatusForbidden, http.StatusServiceUnavailable:
	default:
		return 0
	}
	if wait := retryAfter(a.header, a.clock(now)); wait > 0 {
		return wait
	}
	if a.status == http.StatusTooManyRequests || a.status == http.StatusForbidden && isSecondary(a.body) {
		return blindWait
	}
	return 0
}

func isSecondary(body []byte) bool {
	body = bytes.ToLower(body)
	return bytes.Contains(body, []byte("secondary rate limit")) || bytes.Contains(body, []byte("abuse detection"))
}

// leavesNothing is how long it takes until there are requests again, where an answer says that
// none is left:
//
//	X-RateLimit-Remaining: 0    GitHub
//	X-RateLimit-Reset: 1767225600
//	RateLimit-Remaining: 0      GitLab; in drafts of the IETF the reset is in seconds from now
//	RateLimit-Reset: 1767225600
func (a answer) leavesNothing(now time.Time) (wait time.Duration) {
	for _, prefix := range []string{"X-Ratelimit-", "Ratelimit-"} {
		if left, ok := number(a.header.Get(prefix + "Remaining")); !ok || left > 0 {
			continue
		}
		reset, ok := number(a.header.Get(prefix + "Reset"))
		switch {
		case !ok:
			wait = max(wait, blindWait)
		case reset > 1e8: // a time: no window is three years
			wait = max(wait, clamp(reset-float64(a.clock(now).Unix())))
		default:
			wait = max(wait, clamp(reset))
		}
	}
	return wait
}

// clock is what time it is for who wrote the answer: our clock may be wrong.
func (a answer) clock(now time.Time) time.Time {
	if date, err := http.ParseTime(a.header.Get("Date")); err == nil {
		return date
	}
	return now
}

// retryAfter reads seconds or a date; 0 where there is neither.
func retryAfter(h http.Header, now time.Time) time.Duration {
	said := strings.TrimSpace(h.Get("Retry-After"))
	if seconds, err := strconv.ParseFloat(said, 64); err == nil {
		return clamp(seconds)
	}
	if date, err := http.ParseTime(said); err == nil {
		return clamp(date.Sub(now).Seconds())
	}
	return 0
}

func number(s string) (float64, bool) {
	n, err := strconv.ParseUint(strings.TrimSpace(s), 10, 53)
	return float64(n), err == nil
}

// clamp makes a number of seconds, however large, a duration within bounds.
func clamp(seconds float64) time.Duration {
	switch {
	case seconds >= maxWait.Seconds():
		return maxWait
	case seconds > minWait.Seconds():
		return time.Duration(seconds * float64(time.Second))
	}
	return minWait // also for NaN
}
