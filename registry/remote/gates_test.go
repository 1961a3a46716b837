package remote

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"context"

	"github.com/towpath/towpath/registry"
)

// answers is what an origin says with a status and headers.
func answers(from string, status int, header http.Header) *http.Response {
	return &http.Response{StatusCode: status, Header: header, Request: &http.Request{URL: &url.URL{Scheme: "https", Host: from}}}
}

func retryIn(seconds int) http.Header {
	return http.Header{"Retry-After": {fmt.Sprint(seconds)}}
}

// A long wait is the account's that was told so, a short one everybody's; both are of
// the origin that said it.
func TestWhoWaits(t *testing.T) {
	a, b := identityID{1}, identityID{2}
	for _, c := range []struct {
		seconds int
		others  bool // may ask all the same
	}{{1, false}, {60, false}, {61, true}, {3600, true}} {
		g, now := newGate("registry.test", 1, 0), time.Now()
		g.heed(answers("registry.test", http.StatusTooManyRequests, retryIn(c.seconds)), a, now)
		home := at("https", "registry.test")
		if err := g.open(home, a, now); err == nil {
			t.Errorf("%d s: who was told so may ask", c.seconds)
		}
		for _, account := range []identityID{b, {}} {
			if err := g.open(home, account, now); (err == nil) != c.others {
				t.Errorf("%d s: another account: %v", c.seconds, err)
			}
		}
		if err := g.open(at("https", "token.test"), a, now); err != nil {
			t.Errorf("%d s: another origin: %v", c.seconds, err)
		}
		if err := g.open(home, a, now.Add(time.Duration(c.seconds)*time.Second)); err != nil {
			t.Errorf("after %d s: %v", c.seconds, err)
		}
	}
}

// Origins that a registry leads to make no room with its own words.
func TestManyStrangers(t *testing.T) {
	g, now := newGate("registry.test", 1, 0), time.Now()
	g.heed(answers("registry.test", http.StatusServiceUnavailable, retryIn(30)), identityID{}, now)
	for i := range 1000 {
		stranger := fmt.Sprintf("s%d.test", i)
		g.heed(answers(stranger, http.StatusServiceUnavailable, retryIn(60+i)), identityID{byte(i)}, now)
		if err := g.open(at("https", stranger), identityID{byte(i)}, now); err == nil {
			t.Fatalf("%s is asked at once", stranger)
		}
	}
	if len(g.said) > maxStrangers+1 {
		t.Errorf("%d words are kept, want %d", len(g.said), maxStrangers+1)
	}
	if err := g.open(at("https", "registry.test"), identityID{}, now); err == nil {
		t.Error("the registry's own word was forgotten")
	}
}

// Who waits for a slot while the registry asks to wait does not ask.
func TestClosedWhileWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, home := newGate("registry.test", 1, 0), at("https", "registry.test")
		if err := g.enter(t.Context(), home, identityID{}); err != nil {
			t.Fatal(err)
		}
		entered := make(chan error)
		go func() { entered <- g.enter(t.Context(), home, identityID{}) }()
		synctest.Wait()
		g.heed(answers("registry.test", http.StatusTooManyRequests, retryIn(30)), identityID{}, time.Now())
		g.leave()
		if err := <-entered; err == nil {
			t.Error("it asks")
		}
		if g.busy() {
			t.Error("it keeps the slot")
		}
	})
}

// No turn in time is no word on the registry: it comes with the time to try again.
func TestNoTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, c := range map[string]struct {
			gate *gate
			want time.Duration
		}{
			"concurrency": {newGate("registry.test", 1, 0), time.Second},
			"rate":        {newGate("registry.test", 2, 0.1), 10 * time.Second},
		} {
			home := at("https", "registry.test")
			if err := c.gate.enter(t.Context(), home, identityID{}); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			f, ok := errors.AsType[*failure](c.gate.enter(ctx, home, identityID{}))
			if !ok || f.kind != registry.RateLimited || f.retryAfter != c.want {
				t.Errorf("%s: got %v, want a wait of %s", name, f, c.want)
			}
			gone, cancel := context.WithCancel(t.Context())
			cancel()
			if err := c.gate.enter(gone, home, identityID{}); !errors.Is(err, context.Canceled) {
				t.Errorf("%s, given up: %v", name, err)
			}
		}
	})
}

// However many hosts authors name, and whatever these say, a bounded number of gates
// is kept, in time that does not grow with it; those of listed hosts and those in use
// stay.
func TestManyGates(t *testing.T) {
	var g gates
	g.list("registry.test", Host{Concurrency: 1})
	listed, used, long := g.of("registry.test"), g.of("used.test"), g.of("long.test")
	ctx, now := t.Context(), time.Now()
	if err := used.enter(ctx, at("https", "used.test"), identityID{}); err != nil {
		t.Fatal(err)
	}
	long.heed(answers("long.test", http.StatusTooManyRequests, retryIn(3600)), identityID{}, now)
	passes := 0
	for i := range 10 * maxGates {
		before := len(g.others)
		host := fmt.Sprintf("h%d.test", i)
		g.of(host).heed(answers(host, http.StatusTooManyRequests, retryIn(1800)), identityID{}, now)
		if len(g.others) <= before {
			passes++
		}
		if len(g.others) > maxGates {
			t.Fatalf("%d gates are kept", len(g.others))
		}
	}
	if want := 10 * maxGates / roomForGates; passes > want {
		t.Errorf("room was made %d times, want %d at most", passes, want)
	}
	for host, want := range map[string]*gate{"registry.test": listed, "used.test": used, "long.test": long} {
		if g.of(host) != want {
			t.Errorf("the gate of %s was forgotten", host)
		}
	}
}

// What is known of hosts that authors name is bounded; listed hosts stay known.
func TestManyEndpoints(t *testing.T) {
	e := endpoints{listed: map[string]Host{"registry.test": {}}}
	key := func(host string) endpointKey { return endpointKey{host: host} }
	e.learn(key("registry.test"), endpoint{})
	for i := range 10 * maxEndpoints {
		host := fmt.Sprintf("h%d.test", i)
		e.learn(key(host), endpoint{})
		if _, known := e.lookup(key(host)); !known {
			t.Fatalf("%s is not known", host)
		}
	}
	if len(e.known) > maxEndpoints {
		t.Errorf("%d are known", len(e.known))
	}
	if _, known := e.lookup(key("registry.test")); !known {
		t.Error("the listed one is forgotten")
	}
}

// A challenge that is kept is short.
func TestLongChallenge(t *testing.T) {
	for _, long := range []string{"realm", "service"} {
		for _, n := range []int{900, 2000} {
			values := map[string]string{"realm": "https://registry.test/", "service": "x"}
			values[long] += strings.Repeat("a", n)
			h := http.Header{"Www-Authenticate": {fmt.Sprintf(`Bearer realm=%q,service=%q`, values["realm"], values["service"])}}
			if got := readChallenge(h); (got.scheme == "bearer") != (n == 900) {
				t.Errorf("%s of %d bytes: %.40v", long, n, got)
			}
		}
	}
}
