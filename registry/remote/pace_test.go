package remote_test

import (
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/towpath/towpath/registry"
	"github.com/towpath/towpath/registry/registrytest"
	"github.com/towpath/towpath/registry/remote"
)

// A metered registry answers every question, says what is left, and writes down
// when it was asked.
type metered struct {
	left  atomic.Value // the header ratelimit-remaining
	start time.Time
	asked []time.Duration // since the start, each for itself
	*remote.Reader
}

func newMetered(t *testing.T) *metered {
	m := &metered{start: time.Now()}
	m.left.Store("76;w=21600")
	p := newPipes(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/v2/t") {
			m.asked = append(m.asked, time.Since(m.start))
			w.Header().Set("ratelimit-limit", "100;w=21600")
			w.Header().Set("ratelimit-remaining", m.left.Load().(string))
		}
		manifest(ociImage, webImage)(w, r)
	})
	m.Reader = open(t, remote.Options{
		Hosts: map[string]remote.Host{"registry.test": {Insecure: true}, "other.test": {Insecure: true}},
		Dial:  p.dial, Resolve: somewhere,
	})
	return m
}

func (m *metered) ask(t *testing.T, host string) error {
	on := team1
	on.Insecure = true
	_, err := m.Head(t.Context(), on, web(host))
	return err
}

// A registry that says that nothing is left is asked nothing for a while, though
// it answers; another registry is.
func TestNothingLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMetered(t)
		m.left.Store("0;w=21600")
		if err := m.ask(t, "registry.test"); err != nil {
			t.Fatal(err)
		}
		err := m.ask(t, "registry.test")
		failed(t, err, registry.RateLimited, "too many requests")
		if e, _ := errors.AsType[*registry.Error](err); e.RetryAfter != 216*time.Second {
			t.Errorf("wait %s, want 216s: a hundredth of the window", e.RetryAfter)
		}
		if len(m.asked) != 1 {
			t.Errorf("asked %v, want once", m.asked)
		}
		if err := m.ask(t, "other.test"); err != nil {
			t.Errorf("another registry: %v", err)
		}
		time.Sleep(216 * time.Second) // virtual
		if err := m.ask(t, "registry.test"); err != nil {
			t.Errorf("after the wait: %v", err)
		}
	})
}

// A 429 that says nothing of when is heeded for as long as its quota says.
func TestNothingLeftAndRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPipes(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/v2/" {
				w.Header().Set("RateLimit-Remaining", "0")
				w.Header().Set("RateLimit-Reset", "90")
				w.WriteHeader(http.StatusTooManyRequests)
			}
		})
		r := open(t, remote.Options{Hosts: map[string]remote.Host{"registry.test": {Insecure: true}}, Dial: p.dial, Resolve: somewhere})
		on := team1
		on.Insecure = true
		for range 2 {
			_, err := r.Head(t.Context(), on, web("registry.test"))
			failed(t, err, registry.RateLimited, "too many requests")
			if e, _ := errors.AsType[*registry.Error](err); e.RetryAfter != 90*time.Second {
				t.Errorf("wait %s, want 90s", e.RetryAfter)
			}
		}
	})
}

// The few that are left are spread: one waits for the next turn, and who would
// wait longer is told so at once. With plenty left nobody waits.
func TestFewLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMetered(t)
		m.left.Store("9;w=21600")
		if err := m.ask(t, "registry.test"); err != nil {
			t.Fatal(err)
		}
		answers := make(chan error)
		for range 5 {
			go func() { answers <- m.ask(t, "registry.test") }()
		}
		for range 4 {
			err := <-answers
			failed(t, err, registry.RateLimited, "too many requests")
			if e, _ := errors.AsType[*registry.Error](err); e.RetryAfter != 60*time.Second {
				t.Errorf("wait %s, want 60s", e.RetryAfter)
			}
		}
		if err := <-answers; err != nil {
			t.Errorf("the one whose turn it is: %v", err)
		}
		m.left.Store("90;w=21600")
		for range 3 {
			if err := m.ask(t, "registry.test"); err != nil {
				t.Error(err)
			}
		}
		want := []time.Duration{0, 30 * time.Second, 60 * time.Second, 60 * time.Second, 60 * time.Second}
		if diff := cmp.Diff(want, m.asked); diff != "" {
			t.Errorf("asked at (-want +got):\n%s", diff)
		}
	})
}

// Where a registry leads to closes nothing but itself, and the wait is in the error of
// the question that was led there.
func TestRedirectAsksToWait(t *testing.T) {
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		wait   time.Duration
	}{
		"429":            {registrytest.Status(429, "Retry-After: 3600"), time.Hour},
		"503":            {registrytest.Status(503, "Retry-After: 50"), 50 * time.Second},
		"nothing left":   {registrytest.Status(404, "RateLimit-Remaining: 0", "RateLimit-Reset: 50"), 0},
		"nearly nothing": {registrytest.Status(404, "RateLimit-Remaining: 1", "RateLimit-Limit: 100", "RateLimit-Reset: 3600"), 0},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			s, evil := w.registry(t, "registry.test"), w.registry(t, "evil.test")
			evil.On("GET /x", c.answer)
			s.On("GET /v2/evil/x/manifests/v1", registrytest.Redirect(307, "https://evil.test/x"))
			s.On("GET "+manifestV1, manifest(ociImage, webImage))
			r := w.reader(t, remote.Options{}, "registry.test")
			led := registry.Ref{Repo: registry.Repo{Host: "registry.test", Path: "evil/x"}, Tag: "v1"}
			_, err := r.Detail(t.Context(), team1, led)
			if e, ok := errors.AsType[*registry.Error](err); !ok || e.RetryAfter != c.wait {
				t.Errorf("got %v with %s, want a wait of %s", err, e.RetryAfter, c.wait)
			}
			for range 3 {
				if _, err := r.Detail(t.Context(), team1, web("registry.test")); err != nil {
					t.Errorf("another repository: %v", err)
				}
			}
		})
	}
}

// What one account has used up is not another's.
func TestAccountsLimit(t *testing.T) {
	w, spent, other := newWorld(t), secret(), secret()
	s := w.registry(t, "registry.test")
	s.On("GET /v2/*", func(w http.ResponseWriter, r *http.Request) {
		switch _, password, _ := r.BasicAuth(); password {
		case spent:
			registrytest.Status(429, "Retry-After: 3600")(w, r)
		case other:
			manifest(ociImage, webImage)(w, r)
		default:
			challenge(`Basic realm="test"`)(w, r)
		}
	})
	r := w.reader(t, remote.Options{Credentials: []remote.Credential{
		{File: logins(t, map[string]string{"registry.test": spent}), Paths: []string{"team1/**"}},
		{File: logins(t, map[string]string{"registry.test": other}), Paths: []string{"team2/**"}},
	}}, "registry.test")
	for range 2 {
		_, err := r.Head(t.Context(), team1, web("registry.test"))
		failed(t, err, registry.RateLimited, "too many requests")
		if e, _ := errors.AsType[*registry.Error](err); e.RetryAfter < 59*time.Minute {
			t.Errorf("wait %s, want an hour", e.RetryAfter)
		}
		if _, err := r.Head(t.Context(), registry.On{Namespace: "team2", Path: "team2/a.yaml"}, web("registry.test")); err != nil {
			t.Errorf("the other account: %v", err)
		}
	}
	asked := 0
	for _, req := range s.Requests() {
		if _, password, _ := (&http.Request{Header: req.Header}).BasicAuth(); password == spent {
			asked++
		}
	}
	if asked != 1 {
		t.Errorf("the account that is to wait asked %d times, want once", asked)
	}
}
