package reconcile_test

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/towpath/towpath/config"
	"github.com/towpath/towpath/gitstore/memory"
	"github.com/towpath/towpath/reconcile"
	"github.com/towpath/towpath/registry"
	registrymemory "github.com/towpath/towpath/registry/memory"
)

// spoken is a registry's word about a reference.
func spoken(t testing.TB, written string) reconcile.Hint {
	t.Helper()
	ref, err := registry.ParseRef(written)
	if err != nil {
		t.Fatal(err)
	}
	return reconcile.Hint{Repo: ref.Repo, Upstream: ref.Tag}
}

func expecting(h reconcile.Hint, image string) reconcile.Hint {
	h.Expect = registrymemory.Digest(image)
	return h
}

// scope is made of globs as the operator's file has them.
func scope(t *testing.T, lines string) *reconcile.Scope {
	t.Helper()
	op, problems := config.ParseOperator("operator.yaml", []byte("credentials:\n  - {file: none, "+lines+"}\n"))
	if op == nil {
		t.Fatal(problems)
	}
	return &reconcile.Scope{Namespaces: op.Credentials[0].Namespaces, Paths: op.Credentials[0].Paths}
}

// calls are when which references were asked for.
type calls struct {
	mu    sync.Mutex
	begun time.Time
	at    map[string][]time.Duration // since begun, to the second
}

func (a *calls) hook(_ context.Context, c registrymemory.Call) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if c.Op == "Head" || c.Op == "Tags" {
		ref := c.Op + " " + c.Ref.String()
		a.at[ref] = append(a.at[ref], time.Since(a.begun).Round(time.Second))
	}
	return nil
}

func (a *calls) restart() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.begun, a.at = time.Now(), map[string][]time.Duration{}
}

// times is when a reference was asked for.
func (a *calls) times(ref string) []time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.at[ref]
}

func (a *calls) refs() map[string]int {
	a.mu.Lock()
	defer a.mu.Unlock()
	n := map[string]int{}
	for ref, times := range a.at {
		n[ref] = len(times)
	}
	return n
}

// listening is a walker of which it is noted what it asks, from its rest on. Its tags are
// polled once a day.
func listening(t *testing.T, files map[string]string, prepare func(*walker)) (*walker, *calls) {
	t.Helper()
	a := &calls{at: map[string][]time.Duration{}}
	if files == nil {
		files = map[string]string{"web.yaml": daily(webStream), "deploy.yaml": webDeployment}
	}
	w := start(t, files, func(w *walker) {
		w.registry.Hook = a.hook
		if prepare != nil {
			prepare(w)
		}
	})
	w.after(10 * time.Minute)
	a.restart()
	return w, a
}

// daily is a stream whose tags are polled once a day.
func daily(stream string) string {
	return strings.ReplaceAll(stream, "      importPolicy:", "      annotations: {towpath.dev/interval: 24h}\n      importPolicy:")
}

func seconds(ns ...int) []time.Duration {
	var ds []time.Duration
	for _, n := range ns {
		ds = append(ds, time.Duration(n)*time.Second)
	}
	return ds
}

const webTag = "Head quay.io/team1/web:1.4"

// A registry says that a tag moved: it is recorded and followed within a second.
func TestHintOfRegistry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, a := listening(t, nil, nil)
		w.set("quay.io/team1/web:1.4 bbb")
		w.Hint(expecting(spoken(t, "quay.io/team1/web:1.4"), "bbb"))
		w.after(time.Second)
		w.wantCommits(4)
		w.after(time.Hour)
		if got := a.times(webTag); len(got) != 1 {
			t.Errorf("asked at %v, want once", got)
		}
		w.end()
	})
}

const manyKinds = `apiVersion: image.openshift.io/v1
kind: ImageStream
metadata: {name: web, namespace: team1}
spec:
  tags:
    - {name: scheduled, annotations: {towpath.dev/interval: 24h}, from: {kind: DockerImage, name: "quay.io/team1/web:1.4"}, importPolicy: {scheduled: true}}
    - {name: other, annotations: {towpath.dev/interval: 24h}, from: {kind: DockerImage, name: "quay.io/team1/web:1.5"}, importPolicy: {scheduled: true}}
    - {name: once, from: {kind: DockerImage, name: "quay.io/team1/web:once"}}
    - {name: gone, from: {kind: DockerImage, name: "quay.io/team1/web:gone"}}
    - {name: digest, from: {kind: DockerImage, name: "quay.io/team1/web@DIGEST"}, importPolicy: {scheduled: true}}
    - {name: written, reference: true, from: {kind: DockerImage, name: "quay.io/team1/web:written"}}
    - {name: chosen, annotations: {towpath.dev/policy: "semver:<9", towpath.dev/interval: 24h}, from: {kind: DockerImage, name: "quay.io/team1/chosen"}}
`

// A registry's word brings forward what polling would ask of that repository, and nothing
// else.
func TestHintNames(t *testing.T) {
	listed := strings.NewReplacer("name: web", "name: listed", `"true"`, `"true", towpath.dev/interval: 24h`, "team1/web", "team1/listed").Replace(repoStream)
	for _, c := range []struct {
		word string // a reference; a repository ends with a colon
		want map[string]int
	}{
		{"quay.io/team1/web:1.4", map[string]int{webTag: 1}},
		{"quay.io/team1/web:", map[string]int{webTag: 1, "Head quay.io/team1/web:1.5": 1, "Head quay.io/team1/web:gone": 1}},
		{"quay.io/team1/web:once", nil}, // on record, and not scheduled: only people move it
		{"quay.io/team1/web:gone", map[string]int{"Head quay.io/team1/web:gone": 1}},
		{"quay.io/team1/web:written", nil},
		{"quay.io/team1/web:unheard-of", nil},
		{"quay.io/team1/we:1.4", nil},
		{"quay.example/team1/web:1.4", nil},
		{"quay.io/team1/chosen:2.0.0", map[string]int{"Tags quay.io/team1/chosen": 1, "Head quay.io/team1/chosen:1.0.0": 1}},
		{"quay.io/team1/listed:unheard-of", map[string]int{"Tags quay.io/team1/listed": 1, "Head quay.io/team1/listed:1": 1}},
	} {
		t.Run(c.word, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				files := map[string]string{"web.yaml": strings.ReplaceAll(manyKinds, "DIGEST", registrymemory.Digest("eee")), "listed.yaml": listed}
				w, a := listening(t, files, func(w *walker) {
					for _, line := range []string{"web:1.5 b", "web:once c", "web:d eee", "chosen:1.0.0 f", "listed:1 g"} {
						w.set("quay.io/team1/" + line)
					}
				})
				h := spoken(t, strings.TrimSuffix(c.word, ":"))
				if strings.HasSuffix(c.word, ":") {
					h.Upstream = ""
				}
				w.Hint(h)
				w.after(500 * time.Millisecond)
				got := a.refs()
				if len(got) == 0 {
					got = nil
				}
				if diff := cmp.Diff(c.want, got); diff != "" {
					t.Errorf("asked (-want +got):\n%s", diff)
				}
				w.end()
			})
		})
	}
}

// A receiver wakes the streams that it may, whatever its payloads name.
// fault: W-17
func TestHintScope(t *testing.T) {
	for scoped, want := range map[string]int{
		"namespaces: [team2]": 0, "namespaces: [team1]": 1, "paths: [team2/**]": 0, "paths: ['team[13]/**']": 1,
		"namespaces: [team1], paths: [team2/**]": 0,
	} {
		t.Run(scoped, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, a := listening(t, map[string]string{"team1/web.yaml": daily(webStream)}, nil)
				h := spoken(t, "quay.io/team1/web:1.4")
				h.Scope = scope(t, scoped)
				w.Hint(h)
				w.after(500 * time.Millisecond)
				if got := len(a.times(webTag)); got != want {
					t.Errorf("asked %d times, want %d", got, want)
				}
				w.end()
			})
		})
	}
}

// What a payload says that a tag is, is never recorded: the registry is asked.
// fault: W-19
func TestHintForged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, a := listening(t, nil, nil)
		w.Hint(expecting(spoken(t, "quay.io/team1/web:1.4"), "forged"))
		w.after(time.Hour)
		w.wantCommits(2)
		if len(a.times(webTag)) == 0 {
			t.Error("the registry was not asked")
		}
		for path, f := range w.store.Tree("main") {
			if strings.Contains(f.Content, registrymemory.Digest("forged")) {
				t.Errorf("%s holds what the payload said", path)
			}
		}
		w.end()
	})
}

// A registry speaks of what it cannot serve yet: it is asked again for a minute.
// fault: W-22
func TestHintBeforeItIsServed(t *testing.T) {
	for _, c := range []struct {
		name   string
		expect string
		before string // what the tag is until it is served
		served int    // after so many seconds; 0: never
		want   []time.Duration
	}{
		{"another image, never the one", "bbb", "aaa", 0, seconds(0, 1, 3, 7, 15, 31, 60)},
		{"another image, later the one", "bbb", "aaa", 10, seconds(0, 1, 3, 7, 15)},
		{"no such tag yet", "bbb", "!NotFound not there", 5, seconds(0, 1, 3, 7)},
		{"no digest, no news", "", "aaa", 0, seconds(0, 1, 5, 20)},
		{"no digest, news later", "", "aaa", 4, seconds(0, 1, 5)},
		{"no answer: the back-off's turn", "bbb", "!Unauthorized no", 0, seconds(0)},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, a := listening(t, nil, nil)
				w.set("quay.io/team1/web:1.4 " + c.before)
				h := spoken(t, "quay.io/team1/web:1.4")
				if c.expect != "" {
					h = expecting(h, c.expect)
				}
				a.restart()
				w.Hint(h)
				if c.served > 0 {
					w.after(time.Duration(c.served) * time.Second)
					w.set("quay.io/team1/web:1.4 bbb")
				}
				w.after(2 * time.Minute)
				if diff := cmp.Diff(c.want, a.times(webTag)); diff != "" {
					t.Errorf("asked at (-want +got):\n%s", diff)
				}
				if got := w.store.Tree("main")["web.yaml"].Content; c.served > 0 && !strings.Contains(got, registrymemory.Digest("bbb")) {
					t.Errorf("what is served now is not on record:\n%s", got)
				}
				w.end()
			})
		})
	}
}

// A registry that says when to come back is not asked before, whoever speaks of it.
func TestHintWhileRateLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var limited atomic.Bool
		var n atomic.Int32
		w := start(t, nil, func(w *walker) {
			w.registry.Hook = func(context.Context, registrymemory.Call) error {
				n.Add(1)
				if limited.Load() {
					return &registry.Error{Kind: registry.RateLimited, Message: "slow down", RetryAfter: time.Hour}
				}
				return nil
			}
		})
		w.after(time.Second)
		limited.Store(true)
		n.Store(0)
		for range 60 {
			w.Hint(spoken(t, "quay.io/team1/web:1.4"))
			w.after(time.Second)
		}
		if got := n.Load(); got != 1 {
			t.Errorf("asked %d times within a minute, want once", got)
		}
		w.end()
	})
}

// The same payload a thousand times within ten seconds: a question a second, no commit.
// fault: W-05
func TestHintReplayed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, a := listening(t, nil, nil)
		for range 1000 {
			w.Hint(expecting(spoken(t, "quay.io/team1/web:1.4"), "aaa"))
			time.Sleep(10 * time.Millisecond)
		}
		w.after(time.Hour)
		w.wantCommits(2)
		if n := len(a.times(webTag)); n < 9 || n > 11 {
			t.Errorf("asked %d times, want once a second", n)
		}
		w.end()
	})
}

// Ten thousand words a second for ten seconds, of what streams name and of what they do not:
// a tag is asked once a second at most, nobody else is, and memory is flat.
// fault: W-16
// fault: W-13
func TestHintFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, a := listening(t, nil, nil)
		w.Hint(spoken(t, "quay.io/team1/web:1.4")) // from now on it is known what streams name
		w.after(time.Minute)
		a.restart()
		heap := func() uint64 {
			runtime.GC()
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			return m.HeapAlloc
		}
		before, most := heap(), 0
		for i := range 100_000 {
			h := spoken(t, "quay.io/team1/web:1.4")
			if i%2 == 0 {
				h.Repo.Path, h.Upstream = fmt.Sprintf("team1/unheard-of-%d", i), fmt.Sprint(i)
			}
			w.Hint(h)
			most = max(most, reconcile.Hinted(w.Reconciler))
			time.Sleep(100 * time.Microsecond)
		}
		if after := heap(); after > before+8<<20 {
			t.Errorf("memory grew by %d bytes", after-before)
		}
		if most > 1 {
			t.Errorf("%d hints waited, want 1", most)
		}
		w.after(time.Minute)
		for ref, n := range a.refs() {
			if ref != webTag {
				t.Errorf("%s was asked %d times", ref, n)
			}
		}
		if n := len(a.times(webTag)); n < 10 || n > 15 {
			t.Errorf("the tag was asked %d times, want once a second", n)
		}
		w.wantCommits(2)
		if n := reconcile.Looking(w.Reconciler); n > 1 {
			t.Errorf("%d looks are remembered", n)
		}
		w.end()
	})
}

// Before anything is known of the streams, what waits is bounded, too.
func TestHintFloodBeforeTheFirstPass(t *testing.T) {
	r := &reconcile.Reconciler{}
	for i := range 10_000 {
		r.Hint(spoken(t, fmt.Sprintf("quay.io/team1/web:%d", i)))
	}
	if n := reconcile.Hinted(r); n > 1024 {
		t.Errorf("%d hints wait", n)
	}
}

// A word that comes while its question is under way counts: the answer may be older.
func TestHintOfRegistryInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n atomic.Int32
		w := start(t, map[string]string{"web.yaml": daily(webStream)}, func(w *walker) { w.Reconciler.Reader = slowReader{w.registry, &n} })
		w.after(10 * time.Minute)
		w.set("quay.io/team1/web:1.4 bbb")
		w.Hint(spoken(t, "quay.io/team1/web:1.4"))
		w.after(5 * time.Second)
		w.set("quay.io/team1/web:1.4 ccc")
		w.Hint(spoken(t, "quay.io/team1/web:1.4"))
		w.after(time.Hour)
		if got := w.store.Tree("main")["web.yaml"].Content; !strings.Contains(got, registrymemory.Digest("ccc")) {
			t.Errorf("the second word is lost (asked %d times):\n%s", n.Load(), got)
		}
		w.end()
	})
}

// A word of a pass that Git broke off counts in the next.
func TestHintOfRegistrySurvivesGit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var fail atomic.Int32
		w, _ := listening(t, nil, func(w *walker) {
			w.Poll = time.Millisecond // every pass looks at Git
			w.store.Hook = func(op string) (bool, error) {
				if op == memory.OpSnapshot && fail.Add(-1) >= 0 {
					return false, unreachable()
				}
				return true, nil
			}
		})
		fail.Store(1)
		w.set("quay.io/team1/web:1.4 bbb")
		w.Hint(spoken(t, "quay.io/team1/web:1.4"))
		w.after(time.Minute)
		w.wantCommits(4)
		w.end()
	})
}

// Words out of order, of what moved on meanwhile, twice, and words that never come: the same images
// are on record in the end. Where one comes after the last move that is so within a second, and
// nothing goes back.
// fault: W-23
// fault: W-24
func TestHintOrder(t *testing.T) {
	for name, steps := range map[string][]string{
		"in order":          {"set bbb", "word bbb", "set ccc", "word ccc"},
		"late":              {"set bbb", "set ccc", "word bbb", "word ccc"},
		"out of order":      {"set bbb", "set ccc", "word ccc", "word bbb"},
		"the old one later": {"set bbb", "word bbb", "set ccc", "word ccc", "wait", "word bbb"},
		"only the old one":  {"set bbb", "set ccc", "word bbb"},
		"only the first":    {"set bbb", "word bbb", "set ccc"},
		"twice":             {"set bbb", "word bbb", "set ccc", "word bbb", "word ccc", "word ccc"},
		"none":              {"set bbb", "set ccc"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, _ := listening(t, nil, nil)
				is := func(image string) (all bool) {
					all = true
					for _, path := range []string{"web.yaml", "deploy.yaml"} {
						text := w.store.Tree("main")[path].Content
						first := text[strings.Index(text, "sha256:"):]
						all = all && strings.HasPrefix(first, registrymemory.Digest(image))
					}
					return all
				}
				served := ""
				for _, step := range steps {
					switch what, image, _ := strings.Cut(step, " "); what {
					case "set":
						served = image
						w.set("quay.io/team1/web:1.4 " + image)
					case "wait":
						w.after(time.Hour)
					case "word":
						w.Hint(expecting(spoken(t, "quay.io/team1/web:1.4"), image))
						if w.after(1200 * time.Millisecond); !is(served) {
							t.Errorf("after %q something else is on record than %s", step, served)
						}
					}
				}
				w.after(48 * time.Hour) // polling
				if !is("ccc") {
					t.Errorf("in the end something else is on record:\n%s", w.store.Tree("main")["web.yaml"].Content)
				}
				want := 4
				if strings.Contains(w.store.Tree("main")["web.yaml"].Content, registrymemory.Digest("bbb")) {
					want = 6 // it was on record in between
				}
				w.wantCommits(want)
				w.end()
			})
		})
	}
}

// The Git server says that the branch moved: it is read at once. Of our own push, also before that
// is answered, that is one look and no commit, and however often it is said, one look a second.
// fault: W-26
func TestHintOfGit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var looks atomic.Int32
		w, a := listening(t, map[string]string{"README": "empty"}, func(w *walker) {
			w.Poll = time.Hour
			w.store.Hook = func(op string) (bool, error) {
				switch op {
				case memory.OpSnapshot:
					looks.Add(1)
				case memory.OpPush:
					for range 3 { // as many receivers as say so
						w.Hint(reconcile.Hint{Git: true})
					}
				}
				return true, nil
			}
		})
		looks.Store(0)
		w.store.Write("main", "a stream", map[string]string{"web.yaml": daily(webStream)})
		w.Hint(reconcile.Hint{Git: true})
		w.after(500 * time.Millisecond)
		w.wantCommits(1)
		a.restart()
		w.after(10 * time.Second)
		w.wantCommits(1)
		if n := looks.Load(); n != 3 {
			t.Errorf("a person's push, ours and its echo led to %d looks, want one each", n)
		}

		looks.Store(0)
		w.Hint(reconcile.Hint{Git: true}) // of the commit just made, late
		w.after(10 * time.Second)
		w.wantCommits(1)
		if n := looks.Load(); n != 1 {
			t.Errorf("the late echo of our push led to %d looks, want 1", n)
		}

		looks.Store(0)
		for range 5000 {
			w.Hint(reconcile.Hint{Git: true})
			time.Sleep(time.Millisecond)
		}
		w.after(10 * time.Second)
		if n := looks.Load(); n < 4 || n > 7 {
			t.Errorf("%d looks in 5 s, want one a second", n)
		}
		if got := a.refs(); len(got) > 0 {
			t.Errorf("registries were asked: %v", got)
		}
		w.end()
	})
}

// The process ends after a word was answered, and before anything came of it: polling of
// the next one finds what it was about.
// fault: W-29
func TestHintLostWithTheProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, _ := listening(t, map[string]string{"web.yaml": webStream, "deploy.yaml": webDeployment}, nil)
		w.set("quay.io/team1/web:1.4 bbb")
		w.Hint(expecting(spoken(t, "quay.io/team1/web:1.4"), "bbb"))
		w.end() // before the walker's goroutine runs
		w.wantCommits(2)
		ctx, stop := context.WithCancel(t.Context())
		next := &reconcile.Reconciler{Store: w.store, Branch: "main", Reader: w.registry, Poll: w.Poll, Author: w.Author}
		ended := make(chan error, 1)
		go func() { ended <- next.Run(ctx) }()
		w.after(16 * time.Minute)
		w.wantCommits(4)
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}
