package reconcile_test

import (
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/towpath/towpath/gitstore/memory"
	"github.com/towpath/towpath/imagestream"
	"github.com/towpath/towpath/reconcile"
	registrymemory "github.com/towpath/towpath/registry/memory"
)

// Who asks for a fresh shelf has what people committed before, and waits for a second or two at most.
func TestFresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var broken atomic.Bool
		w, _ := listening(t, map[string]string{"README": "empty"}, func(w *walker) {
			w.Poll = time.Hour
			w.store.Hook = func(op string) (bool, error) {
				if op == memory.OpSnapshot && broken.Load() {
					return true, errors.New("the Git server is away")
				}
				return true, nil
			}
		})
		name := imagestream.Name{Namespace: "team1", Name: "web"}
		recorded := func(s *reconcile.Shelf) bool { return len(s.Names()) == 1 && s.Names()[0] == name }
		for range 3 { // in a row: the look of the one before is too old for the next
			w.store.Write("main", "no stream", map[string]string{"web.yaml": "", "x": time.Now().String()})
			if s, err := w.Fresh(t.Context()); err != nil || recorded(s) {
				t.Fatalf("%v, %v, %v", s.Names(), err, w.store.Log("main"))
			}
			w.store.Write("main", "a stream", map[string]string{"web.yaml": daily(webStream) + "status:\n  tags:\n    - tag: stable\n      items:\n        - {created: '2026-05-01T10:00:00Z', dockerImageReference: 'quay.io/team1/web@" + registrymemory.Digest("aaa") + "', image: '" + registrymemory.Digest("aaa") + "'}\n"})
			asked := time.Now()
			s, err := w.Fresh(t.Context())
			if err != nil || !recorded(s) {
				t.Fatalf("%v, %v, %v", s.Names(), err, w.store.Log("main"))
			}
			if took := time.Since(asked); took > 3*time.Second {
				t.Errorf("took %v", took)
			}
		}
		broken.Store(true)
		if _, err := w.Fresh(t.Context()); err == nil || !strings.Contains(err.Error(), "could not read the repository") || !strings.Contains(err.Error(), "the Git server is away") {
			t.Errorf("in the pass that cannot: %v", err)
		}
		asked := time.Now()
		if _, err := w.Fresh(t.Context()); err == nil || time.Since(asked) > 0 {
			t.Errorf("after it: %v, after %v", err, time.Since(asked))
		}
		broken.Store(false)
		w.after(10 * time.Minute)
		if _, err := w.Fresh(t.Context()); err != nil {
			t.Errorf("when it is back: %v", err)
		}
		told := make(chan error)
		began := time.Now()
		go func() { _, err := w.Fresh(t.Context()); told <- err }()
		synctest.Wait()
		w.end()
		if err := <-told; err == nil || err.Error() != "the daemon ends" || time.Since(began) > 0 {
			t.Errorf("where nobody walks any more: %v, after %v", err, time.Since(began))
		}
	})
}
