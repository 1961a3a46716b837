package remote

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	fewLeft    = 10 // per cent of the limit: below it what is left is spread
	maxSpacing = 30 * time.Second
	blindWait  = time.Minute // where nothing says when there is more
)

// A quota is what a registry says we may still ask, without our having asked too
// much yet. The zero quota says nothing.
//
//	ratelimit-limit: 100;w=21600       a window in seconds, as Docker Hub has it
//	ratelimit-remaining: 3;w=21600
//
//	RateLimit-Limit: 500               when the window ends, as drafts of the IETF
//	RateLimit-Remaining: 3             have it; GitLab writes the Unix time
//	RateLimit-Reset: 40
type quota struct {
	said      bool // what remains
	remaining float64
	limit     float64       // 0: not said
	window    time.Duration // the same
	reset     time.Duration // from now; the same
}

// readQuota reads headers. What is not well formed counts as not said.
func readQuota(h http.Header, now time.Time) (q quota) {
	remaining, ok := amount(h.Get("Ratelimit-Remaining"))
	if !ok {
		return quota{}
	}
	q.said, q.remaining = true, remaining
	q.limit, _ = amount(h.Get("Ratelimit-Limit"))
	for _, name := range []string{"Ratelimit-Remaining", "Ratelimit-Limit"} {
		if q.window == 0 {
			q.window = window(h.Get(name))
		}
	}
	if seconds, ok := amount(h.Get("Ratelimit-Reset")); ok {
		if seconds > 1e9 {
			seconds = max(0, seconds-float64(now.Unix()))
		}
		q.reset = clamp(seconds, minRetryAfter, maxRetryAfter)
	}
	return q
}

// amount is the number that a value starts with, before its parameters and what
// else is in its list.
func amount(value string) (float64, bool) {
	if value == "" {
		return 0, false
	}
	if i := strings.IndexAny(value, ";,"); i >= 0 {
		value = value[:i]
	}
	n, err := strconv.ParseUint(strings.TrimSpace(value), 10, 53)
	return float64(n), err == nil
}

// window is the first parameter w of a value.
func window(value string) time.Duration {
	for part := range strings.FieldsFuncSeq(value, func(r rune) bool { return r == ';' || r == ',' }) {
		if w, ok := strings.CutPrefix(strings.TrimSpace(part), "w="); ok {
			if seconds, ok := amount(w); ok && seconds > 0 {
				return clamp(seconds, minRetryAfter, 24*time.Hour)
			}
		}
	}
	return 0
}

// wait is how long to ask nothing because nothing is left: until the window ends,
// or, in a window that slides, until one more request may be free again.
func (q quota) wait() (time.Duration, bool) {
	switch {
	case !q.said || q.remaining > 0:
		return 0, false
	case q.reset > 0:
		return q.reset, true
	case q.window > 0 && q.limit > 0:
		return clamp(q.window.Seconds()/q.limit, minRetryAfter, maxRetryAfter), true
	}
	return blindWait, true
}

// spacing is how far apart requests should be so that the few that are left last;
// 0 while there are enough, or nothing says how long they must last.
func (q quota) spacing() time.Duration {
	last := q.reset
	if last == 0 {
		last = q.window
	}
	if !q.said || q.remaining*100 >= q.limit*fewLeft {
		return 0
	}
	return min(maxSpacing, time.Duration(float64(last)/(q.remaining+1)))
}
