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
