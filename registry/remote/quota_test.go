package remote

import (
	"context"
	"net/http"
	"net/url"
	"testing"
	"time"
)

func TestQuota(t *testing.T) {
	now := time.Date(2026, 5, 1, 10, 0, 0, 0, time.UTC) // Unix time 1777629600
	for name, c := range map[string]struct {
		remaining, limit, reset string
		wait, spacing           time.Duration
	}{
		"nothing said":           {},
		"plenty":                 {"76;w=21600", "100;w=21600", "", 0, 0},
		"a tenth":                {"10;w=21600", "100;w=21600", "", 0, 0},
		"few for hours":          {"9;w=21600", "100;w=21600", "", 0, 30 * time.Second},
		"few for a minute":       {"9;w=60", "100;w=60", "", 0, 6 * time.Second},
		"few until then":         {"9", "100", "20", 0, 2 * time.Second},
		"few for no time known":  {"9", "100", "", 0, 0},
		"few of what":            {"9;w=60", "", "", 0, 0},
		"window of the limit":    {"4", "100, 100;w=60", "", 0, 12 * time.Second},
		"spaces":                 {" 4 ; w=60", "100 ", "", 0, 12 * time.Second},
		"none, a window":         {"0;w=21600", "100;w=21600", "", 216 * time.Second, 30 * time.Second},
		"none, a reset":          {"0", "100", "40", 40 * time.Second, 30 * time.Second},
		"none, a Unix time":      {"0", "100", "1777629640", 40 * time.Second, 30 * time.Second},
		"none, a time gone by":   {"0", "100", "1777620000", time.Second, time.Second},
		"none, at once":          {"0", "100", "0", time.Second, time.Second},
		"none, for a day":        {"0;w=86400", "1;w=86400", "", time.Hour, 30 * time.Second},
		"none, a reset too far":  {"0", "100", "86400", time.Hour, 30 * time.Second},
		"none, nothing else":     {"0", "", "", time.Minute, 0},
		"none, a window alone":   {"0;w=21600", "", "", time.Minute, 0},
		"junk":                   {"none", "100;w=60", "40", 0, 0},
		"negative":               {"-1;w=60", "100", "40", 0, 0},
		"a fraction":             {"0.5", "100", "40", 0, 0},
		"huge":                   {"99999999999999999999", "100", "40", 0, 0},
		"empty":                  {";w=60", "100", "40", 0, 0},
		"a limit that is none":   {"0;w=60", "many", "", time.Minute, 0},
		"a limit of nothing":     {"0;w=60", "0;w=60", "", time.Minute, 0},
		"a reset that is none":   {"0;w=600", "10;w=600", "soon", time.Minute, 30 * time.Second},
		"a window that is none":  {"0;w=x", "10;w=-5", "", time.Minute, 0},
		"a window of no seconds": {"0;w=0", "10;w=0", "", time.Minute, 0},
		"a window without end":   {"5;w=9007199254740991", "100", "", 0, 30 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			h := http.Header{}
			h.Set("ratelimit-remaining", c.remaining)
			h.Set("RateLimit-Limit", c.limit)
			h.Set("RateLimit-Reset", c.reset)
			q := readQuota(h, now)
			if wait, asked := q.wait(); wait != c.wait || asked != (c.wait > 0) {
				t.Errorf("wait %s, %v; want %s", wait, asked, c.wait)
			}
			if got := q.spacing(); got != c.spacing {
				t.Errorf("spacing %s, want %s", got, c.spacing)
			}
		})
	}
}

// The pace is of the origin that spoke of it: a registry's token service and what
// it redirects to are asked as ever.
func TestPace(t *testing.T) {
	now := time.Date(2026, 5, 1, 10, 0, 0, 0, time.UTC)
	here, elsewhere := at("https", "registry.test"), at("https", "token.test")
	says := func(of origin, remaining string) *http.Response {
		return &http.Response{
			Header:  http.Header{"Ratelimit-Remaining": {remaining}, "Ratelimit-Limit": {"100"}, "Ratelimit-Reset": {"600"}},
			Request: &http.Request{URL: &url.URL{Scheme: of.scheme, Host: of.host}},
		}
	}
	g := newGate("registry.test", 1, 0)
	take := func(to origin, after, want time.Duration) {
		t.Helper()
		got, err := g.take(t.Context(), caller{at: to}, now.Add(after))
		if err != nil || got != want {
			t.Errorf("%s after %s: a turn in %s, %v; want %s", to, after, got, err, want)
		}
	}
	take(here, 0, 0)
	g.heed(says(here, "9"), identityID{}, now)
	g.heed(says(elsewhere, "90"), identityID{}, now)
	take(elsewhere, 0, 0)
	take(here, 0, 30*time.Second)
	if left, err := g.take(t.Context(), caller{at: here}, now); err == nil {
		t.Errorf("a turn in %s, want none: it is further off than 30s", left)
	}
	take(here, time.Minute, 0)
	take(here, time.Minute, 30*time.Second)
	ctx, cancel := context.WithDeadline(t.Context(), now.Add(119*time.Second))
	defer cancel()
	if left, err := g.take(ctx, caller{at: here}, now.Add(100*time.Second)); err == nil {
		t.Errorf("a turn in %s, want none: it is after the deadline", left)
	}
	if got := g.opens(); !got.After(now.Add(2 * time.Minute)) {
		t.Errorf("the gate may be forgotten at %s, while it keeps a pace", got)
	}
	g.heed(says(here, "8"), identityID{}, now.Add(2*time.Minute)) // keeps the turn
	take(here, 2*time.Minute, 0)
	take(here, 2*time.Minute, 30*time.Second)
	g.heed(says(here, "90"), identityID{}, now.Add(3*time.Minute))
	take(here, 3*time.Minute, 0)
	take(here, 3*time.Minute, 0)
	g.heed(says(here, "9"), identityID{}, now)
	take(here, time.Hour, 0) // forgotten
	take(here, time.Hour, 0)
}

// Whatever a registry says, it is waited for a bounded while.
func FuzzQuota(f *testing.F) {
	f.Add("0;w=21600", "100;w=21600", "")
	f.Add("9", "100, 10;w=1, 50;w=60", "1777629640")
	now := time.Date(2026, 5, 1, 10, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, remaining, limit, reset string) {
		q := readQuota(http.Header{"Ratelimit-Remaining": {remaining}, "Ratelimit-Limit": {limit}, "Ratelimit-Reset": {reset}}, now)
		if wait, asked := q.wait(); wait < 0 || wait > maxRetryAfter || asked && wait < minRetryAfter {
			t.Errorf("wait %s, %v", wait, asked)
		}
		if s := q.spacing(); s < 0 || s > maxSpacing {
			t.Errorf("spacing %s", s)
		}
	})
}
