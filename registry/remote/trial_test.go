package remote_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/towpath/towpath/registry"
	"github.com/towpath/towpath/registry/registrytest"
	"github.com/towpath/towpath/registry/remote"
)

// shown is how often a script was shown a password.
func shown(s *registrytest.Script) (n int) {
	for _, r := range s.Requests() {
		if strings.HasPrefix(r.Header.Get("Authorization"), "Basic ") {
			n++
		}
	}
	return n
}

// fault: R-06
//
// A wrong password is shown once, however many tags of however many namespaces are
// due at the same time.
func TestWrongPasswordAtOnce(t *testing.T) {
	for name, guard := range map[string]func(*registrytest.Script) http.HandlerFunc{
		"basic": func(s *registrytest.Script) http.HandlerFunc { return basic(s, secret(), manifest(ociImage, webImage)) },
		"bearer": func(s *registrytest.Script) http.HandlerFunc {
			return bearer(s, secret(), "a.b.c", manifest(ociImage, webImage))
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			s := w.registry(t, "registry.test")
			s.On("GET /v2/team1/*", guard(s))
			r := w.reader(t, remote.Options{Credentials: as(t, "registry.test", secret())}, "registry.test")
			var group sync.WaitGroup
			for i := range 100 {
				group.Go(func() {
					ref := web("registry.test")
					ref.Path = fmt.Sprint("team1/web", i%10)
					_, err := r.Detail(t.Context(), registry.On{Namespace: fmt.Sprint("team", i%20), Path: "a"}, ref)
					failed(t, err, registry.Unauthorized, "was refused, asked anonymously")
				})
			}
			group.Wait()
			if n := shown(s); n != 1 {
				t.Errorf("shown %d times, want once", n)
			}
		})
	}
}

// A guarded registry takes a second an answer, to a password and else.
func newGuarded(t *testing.T, answer func(path, password string) int) *remote.Reader {
	p := newPipes(t, func(w http.ResponseWriter, r *http.Request) {
		_, password, ok := r.BasicAuth()
		if !ok {
			challenge(`Basic realm="test"`)(w, r)
			return
		}
		time.Sleep(time.Second) // virtual
		switch status := answer(r.URL.Path, password); status {
		case 0:
			panic(http.ErrAbortHandler)
		case http.StatusOK:
			manifest(ociImage, webImage)(w, r)
		default:
			w.WriteHeader(status)
		}
	})
	return open(t, remote.Options{
		Hosts:       map[string]remote.Host{"registry.test": {Insecure: true}},
		Credentials: as(t, "registry.test", secret()),
		Dial:        p.dial, Resolve: somewhere,
	})
}

// all asks for many repositories at once.
func all(t *testing.T, r *remote.Reader, n int) (took time.Duration, errs []error) {
	start, on := time.Now(), team1
	on.Insecure = true
	errs = make([]error, n)
	var group sync.WaitGroup
	for i := range n {
		group.Go(func() {
			ref := web("registry.test")
			ref.Path = fmt.Sprint("team1/web", i)
			_, errs[i] = r.Head(t.Context(), on, ref)
		})
	}
	group.Wait()
	return time.Since(start), errs
}

// One question finds out whether a password is taken; then nobody waits for another.
func TestRightPasswordAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newGuarded(t, func(string, string) int { return http.StatusOK })
		for _, want := range []time.Duration{2 * time.Second, time.Second} {
			took, errs := all(t, r, 20)
			for _, err := range errs {
				if err != nil {
					t.Error(err)
				}
			}
			if took != want {
				t.Errorf("took %s, want %s", took, want)
			}
		}
	})
}

// Those that wait while nobody can be reached fail alike, and do not wait in turn; who
// gives up leaves its turn to the next.
func TestShowingBreaksOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newGuarded(t, func(string, string) int { return 0 })
		took, errs := all(t, r, 20)
		for _, err := range errs {
			failed(t, err, registry.Unreachable, "the connection broke")
		}
		if took != 2*time.Second { // the first is sent twice: its connection was used before
			t.Errorf("took %s, want 2s", took)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		r := newGuarded(t, func(string, string) int { return http.StatusOK })
		ctx, cancel := context.WithTimeout(t.Context(), time.Second/2)
		defer cancel()
		on := team1
		on.Insecure = true
		go r.Head(ctx, on, web("registry.test"))
		synctest.Wait()
		if took, errs := all(t, r, 1); errs[0] != nil || took != 3*time.Second/2 {
			t.Errorf("took %s: %v", took, errs[0])
		}
	})
}

// A repository that answers 401 to what others take does not take the password from
// them; a password that was changed is soon shown no more.
func TestPasswordIsRefusedLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		changed, tries := false, 0
		r := newGuarded(t, func(path, _ string) int {
			if changed {
				tries++
			}
			if changed || strings.Contains(path, "web1/") {
				return http.StatusUnauthorized
			}
			return http.StatusOK
		})
		ask := func(i int) error {
			on, ref := team1, web("registry.test")
			on.Insecure, ref.Path = true, fmt.Sprint("team1/web", i)
			_, err := r.Head(t.Context(), on, ref)
			return err
		}
		for i, works := range []bool{true, false, true, false, true} {
			if err := ask(i % 2); (err == nil) != works {
				t.Errorf("question %d: %v", i, err)
			}
		}
		changed = true
		for range 10 {
			failed(t, ask(0), registry.Unauthorized, "was refused, asked anonymously")
		}
		if tries != 2 {
			t.Errorf("shown %d times after it was changed, want twice", tries)
		}
		changed = false
		time.Sleep(5 * time.Minute)
		if err := ask(0); err != nil {
			t.Errorf("after a while: %v", err)
		}
	})
}
