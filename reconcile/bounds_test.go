package reconcile_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/towpath/towpath/reconcile"
	registrymemory "github.com/towpath/towpath/registry/memory"
)

// many are n streams, each in its own file.
func many(n int, stream string) map[string]string {
	files := map[string]string{}
	for i := range n {
		files[fmt.Sprintf("s%04d.yaml", i)] = strings.ReplaceAll(stream, "{name: web,", fmt.Sprintf("{name: web%d,", i))
	}
	return files
}

// A status commit holds at most 500 files; the rest is in the next of the chain.
func TestStatusCommitsAreCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, many(501, webStream), func(w *walker) { w.Yes, w.Wait = true, true })
		w.after(time.Second)
		w.wantCommits(2)
		w.end()
	})
}

// Streams that OpenShift recorded are not asked for, but what follows them may be
// many files, too: that waits for consent as well.
func TestFirstRunOfManySites(t *testing.T) {
	adopted := strings.ReplaceAll(webStream, "scheduled: true", "scheduled: false") + `status:
  tags:
    - tag: stable
      items:
        - created: "2025-01-02T03:04:05Z"
          dockerImageReference: quay.io/team1/web@` + registrymemory.Digest("old") + `
          image: ` + registrymemory.Digest("old") + "\n"
	files := map[string]string{"web.yaml": adopted}
	for i := range 101 {
		files[fmt.Sprintf("d%d.yaml", i)] = strings.ReplaceAll(webDeployment, "  name: web\n", fmt.Sprintf("  name: web%d\n", i))
	}
	synctest.Test(t, func(t *testing.T) {
		w := start(t, files, nil)
		w.wantConsent()
	})
}

// Beyond a thousand commits the log is not searched for the hand of a person: the
// site is left alone, and held.
func TestHistoryTooLongToTell(t *testing.T) {
	for _, c := range []struct {
		commits int
		held    bool
	}{{900, false}, {1100, true}} {
		synctest.Test(t, func(t *testing.T) {
			paused := strings.ReplaceAll(webDeployment, `"fieldPath"`, `"paused":true,"fieldPath"`)
			w := start(t, map[string]string{"web.yaml": webStream, "deploy.yaml": paused}, nil)
			w.after(time.Second)
			w.end()
			for i := range c.commits {
				w.store.Write("main", "unrelated", map[string]string{"README": fmt.Sprint(i)})
			}
			w.store.Write("main", "no longer paused", map[string]string{"deploy.yaml": webDeployment})
			line := &reconcile.Reconciler{Store: w.store, Branch: "main", Reader: w.registry, Author: w.Author}
			rep, err := line.Settle(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if held := len(rep.Held) == 1 && rep.Held[0].By == ""; held != c.held {
				t.Errorf("after %d commits: held %v, want %v (%d commits made)", c.commits, held, c.held, len(rep.Commits))
			}
		})
	}
}

// A manifest list is read once; while the tag names it, HEAD is enough.
func TestListIsReadOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var details atomic.Int32
		w := start(t, map[string]string{"web.yaml": webStream}, func(w *walker) {
			w.set("quay.io/team1/web:1.4 index linux/amd64=abc linux/arm64=def")
			w.registry.Hook = func(_ context.Context, c registrymemory.Call) error {
				if c.Op == "Detail" {
					details.Add(1)
				}
				return nil
			}
		})
		w.after(3 * time.Hour)
		if n := details.Load(); n != 1 {
			t.Errorf("the list was read %d times, want once", n)
		}
		w.end()
	})
}

// After a restart the scheduled tags that are on record are asked in turn within
// five minutes, not all at once.
func TestRestartSpreadsQuestions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, many(50, webStream), nil)
		w.after(time.Minute)
		w.end()

		var mu sync.Mutex
		var at []time.Duration
		began := time.Now()
		w.registry.Hook = func(context.Context, registrymemory.Call) error {
			mu.Lock()
			defer mu.Unlock()
			at = append(at, time.Since(began))
			return nil
		}
		again := &reconcile.Reconciler{Store: w.store, Branch: "main", Reader: w.registry, Author: w.Author, Poll: 30 * time.Second}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- again.Run(ctx) }()
		w.after(6 * time.Minute)
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		mu.Lock()
		defer mu.Unlock()
		if len(at) != 50 || at[24] < 30*time.Second || at[49] > 5*time.Minute+2*time.Second {
			t.Errorf("%d questions, the 25th after %s, the last after %s; want 50 spread over five minutes", len(at), at[min(24, len(at)-1)], at[len(at)-1])
		}
	})
}
