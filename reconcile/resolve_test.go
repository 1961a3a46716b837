package reconcile_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/towpath/towpath/reconcile"
	"github.com/towpath/towpath/registry"
	registrymemory "github.com/towpath/towpath/registry/memory"
)

// policyStream has one tag, stable, with a policy of quay.io/team1/many.
func policyStream(annotations string) map[string]string {
	return map[string]string{"web.yaml": fmt.Sprintf(`apiVersion: image.openshift.io/v1
kind: ImageStream
metadata: {name: web, namespace: team1}
spec:
  tags:
    - name: stable
      annotations: {towpath.dev/interval: 5m, %s}
      from: {kind: DockerImage, name: quay.io/team1/many}
`, annotations)}
}

const newest = "towpath.dev/policy: newest"

// inMay lets it be a time at which images of this year were made. (A bubble begins in 2000.)
func inMay() { time.Sleep(time.Until(time.Date(2026, 5, 1, 10, 0, 0, 0, time.UTC))) }

// builds are n tags, b0 and so on, each made a minute after the one before.
func builds(n int) string {
	var b strings.Builder
	for i := range n {
		made := time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC).Add(time.Duration(i) * time.Minute)
		fmt.Fprintf(&b, "quay.io/team1/many:b%d %s created=%s\n", i, registrymemory.Digest(fmt.Sprint("x", i)), made.Format(time.RFC3339))
	}
	return b.String()
}

// recorded is the image of team1/web's tag, as far as its digest says its word.
func recorded(l *reconcile.Reconciler, tag, word string) bool {
	for _, v := range l.Catalog().Tags() {
		if v.Tag.Tag == tag && v.Item != nil {
			return v.Item.Image == registrymemory.Digest(word)
		}
	}
	return false
}

func (w *walker) wantImage(word, why string) {
	w.t.Helper()
	if !recorded(w.Reconciler, "stable", word) {
		w.t.Errorf("%s; on record is\n%s", why, w.store.Tree("main")["web.yaml"].Content)
	}
}

// A questions counts what a registry is asked; fail may answer in its place.
type questions struct {
	mu   sync.Mutex
	n    map[string]int
	fail func(c registrymemory.Call) error
}

func (q *questions) hook(_ context.Context, c registrymemory.Call) error {
	q.mu.Lock()
	if q.n == nil {
		q.n = map[string]int{}
	}
	q.n[c.Op]++
	fail := q.fail
	q.mu.Unlock()
	if fail == nil {
		return nil
	}
	return fail(c)
}

func (q *questions) set(fail func(c registrymemory.Call) error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.fail = fail
}

// take is how often an operation was asked for since the last time.
func (q *questions) take() map[string]int {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := q.n
	q.n = nil
	return n
}

// One tag of a repository fails for good: the others settle all the same.
func TestSettlesBesideFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, map[string]string{"web.yaml": strings.Replace(repoStream, `"true"`, `"true", towpath.dev/settle: 30m, towpath.dev/interval: 5m`, 1)}, func(w *walker) {
			w.set("quay.io/team1/web:1.4 -\nquay.io/team1/web:stable aaa\nquay.io/team1/web:bad bbb\nquay.io/team1/web:bad !Forbidden no")
		})
		w.after(50 * time.Minute)
		w.wantImage("aaa", "it stands for 50 minutes, and 30 were to be waited")
		w.end()
	})
}

// An image that settles cannot be asked for once: its wait goes on.
func TestSettlesThroughFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, map[string]string{"web.yaml": strings.Replace(webStream, "      importPolicy", "      annotations: {towpath.dev/settle: 30m, towpath.dev/interval: 10m}\n      importPolicy", 1)}, nil)
		w.after(5 * time.Minute)
		w.set("quay.io/team1/web:1.4 !InternalError 500")
		w.after(10 * time.Minute)
		w.set("quay.io/team1/web:1.4 !")
		w.after(17 * time.Minute)
		w.wantImage("aaa", "it stands for 32 minutes, and 30 were to be waited")
		w.end()
	})
}

// What kept a better image from being chosen is over: it is taken within an interval.
func TestPolicyLooksAgain(t *testing.T) {
	const both = "towpath.dev/platforms: 'linux/amd64,linux/arm64'"
	for _, tt := range []struct{ name, annotations, before, after string }{
		{"a platform comes", "towpath.dev/policy: 'semver:1.x', " + both,
			"quay.io/team1/many:1.4.0 e1 linux/amd64=aaa linux/arm64=bbb\nquay.io/team1/many:1.5.0 e2 linux/amd64=ccc",
			"quay.io/team1/many:1.5.0 e3 linux/amd64=ccc linux/arm64=ddd"},
		{"a platform comes, newest", newest + ", " + both,
			"quay.io/team1/many:a e1 created=2026-01-01T00:00:00Z linux/amd64=aaa linux/arm64=bbb\nquay.io/team1/many:b e2 created=2026-02-01T00:00:00Z linux/amd64=ccc",
			"quay.io/team1/many:b e3 created=2026-02-01T00:00:00Z linux/amd64=ccc linux/arm64=ddd"},
		{"an image comes", newest,
			"quay.io/team1/many:a aaa created=2026-01-01T00:00:00Z\nquay.io/team1/many:b ccc created=2026-02-01T00:00:00Z\nquay.io/team1/many:b !NotFound not yet",
			"quay.io/team1/many:b !"},
		{"an image comes, by name", "towpath.dev/policy: 'semver:1.x'",
			"quay.io/team1/many:1.4.0 aaa\nquay.io/team1/many:1.5.0 ccc\nquay.io/team1/many:1.5.0 !NotFound not yet",
			"quay.io/team1/many:1.5.0 !"},
		{"a chart becomes an image", newest,
			"quay.io/team1/many:a aaa created=2026-01-01T00:00:00Z\nquay.io/team1/many:b bbb artifact",
			"quay.io/team1/many:b ccc created=2026-02-01T00:00:00Z"},
		{"a chart becomes an image, by name", "towpath.dev/policy: 'semver:1.x'",
			"quay.io/team1/many:1.4.0 aaa\nquay.io/team1/many:1.5.0 bbb artifact",
			"quay.io/team1/many:1.5.0 ccc"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				inMay()
				w := start(t, policyStream(tt.annotations), func(w *walker) { w.set(tt.before) })
				w.after(12 * time.Minute)
				w.wantImage("aaa", "nothing better can be chosen yet")
				w.set(tt.after)
				w.after(6 * time.Minute)
				w.wantImage("ccc", "it can be chosen for longer than an interval")
				w.end()
			})
		})
	}
}

// The tag on record was given a newer image. What was made between the two is older than
// what is on record.
func TestNewestNeverOlder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inMay()
		w := start(t, policyStream(newest), func(w *walker) { w.set("quay.io/team1/many:main aaa created=2026-01-01T00:00:00Z") })
		w.after(12 * time.Minute)
		w.set("quay.io/team1/many:main bbb created=2026-03-03T00:00:00Z")
		w.after(6 * time.Minute)
		w.wantImage("bbb", "main is bbb")
		w.set("quay.io/team1/many:fix ccc created=2026-02-02T00:00:00Z")
		w.after(12 * time.Minute)
		w.wantImage("bbb", "ccc was made before bbb")
		w.end()
	})
}

// A tag that was not chosen is given a newer image: a person sees it at once, anybody
// within a day. One that is chosen is judged by the image that it has by then.
func TestFactsOfOtherImages(t *testing.T) {
	for _, tt := range []struct {
		name, annotations, after string
		wait                     time.Duration
		import_                  bool
		want                     string
	}{
		{"asked by a person", newest, "quay.io/team1/many:b0 ccc created=2026-04-01T00:00:00Z", time.Second, true, "ccc"},
		{"within a day", newest, "quay.io/team1/many:b0 ccc created=2026-04-01T00:00:00Z", 25 * time.Hour, false, "ccc"},
		{"too young again", newest + ", towpath.dev/min-age: 2h",
			"quay.io/team1/many:b3 ccc created=2026-05-01T11:01:00Z", 61 * time.Minute, false, "x2"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				inMay()
				w := start(t, policyStream(tt.annotations), func(w *walker) {
					w.set(builds(3))
					w.set("quay.io/team1/many:b3 ddd created=2026-05-01T09:00:00Z")
					if tt.import_ || tt.wait > 24*time.Hour {
						w.set("quay.io/team1/many:b3 -")
					}
				})
				w.after(12 * time.Minute)
				w.wantImage("x2", "b2 is the newest")
				w.set(tt.after)
				if tt.import_ {
					w.Hint(reconcile.Hint{Force: true})
				}
				w.after(tt.wait)
				w.wantImage(tt.want, "another image should be chosen")
				w.end()
			})
		})
	}
}

// What was learned of images is not learned again because something else failed.
func TestFactsOutliveFailures(t *testing.T) {
	fails := func(kind registry.Kind) error { return &registry.Error{Kind: kind, Message: "no"} }
	for _, tt := range []struct {
		name string
		fail func(c registrymemory.Call) error
		most int // configurations that are read, of 300 images
	}{
		{"the listing fails", func(c registrymemory.Call) error {
			if c.Op == "Tags" {
				return fails(registry.Unreachable)
			}
			return nil
		}, 10},
		{"one tag fails", func(c registrymemory.Call) error {
			if c.Ref.Tag == "b300" {
				return fails(registry.InternalError)
			}
			return nil
		}, 10},
		{"the registry wants to be left alone", func(c registrymemory.Call) error {
			if c.Ref.Tag == "b300" {
				return fails(registry.RateLimited)
			}
			return nil
		}, 10},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				inMay()
				var q questions
				w := start(t, policyStream(newest), func(w *walker) {
					w.registry.Hook = q.hook
					w.set(builds(300))
				})
				w.after(12 * time.Minute)
				q.take()
				w.set(builds(310))
				q.set(tt.fail)
				w.after(time.Hour)
				q.set(nil)
				w.after(time.Hour)
				w.wantImage("x309", "it is the newest of 310")
				if n := q.take()["Config"]; n > tt.most {
					t.Errorf("%d images were read, want at most %d", n, tt.most)
				}
				w.end()
			})
		})
	}
}

// After a day tags are asked whether they have other images, not images what they say.
func TestFactsAreOfDigests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inMay()
		var q questions
		w := start(t, policyStream(newest), func(w *walker) {
			w.registry.Hook = q.hook
			w.set(builds(100))
		})
		w.after(23 * time.Hour)
		q.take()
		w.after(24 * time.Hour)
		if n := q.take(); n["Config"] > 0 || n["Detail"] > 0 || n["Head"] < 100 || n["Head"] > 100+24*60/5 {
			t.Errorf("in a day %v, want one Head for each of 100 images and one an interval", n)
		}
		w.end()
	})
}

// The first of many images is not let through: the others are not tried.
func TestFactsStopWhereLimited(t *testing.T) {
	for _, kind := range []registry.Kind{registry.RateLimited, registry.Unreachable} {
		synctest.Test(t, func(t *testing.T) {
			inMay()
			var q questions
			var r registrymemory.Registry
			if err := r.Set(builds(300)); err != nil {
				t.Fatal(err)
			}
			q.fail = func(c registrymemory.Call) error {
				if c.Op == "Detail" {
					return &registry.Error{Kind: kind, Message: "no"}
				}
				return nil
			}
			r.Hook = q.hook
			l, _ := asked(policyStream(newest), &r)
			if _, err := l.Settle(t.Context(), reconcile.Hint{Scheduled: true}); err != nil {
				t.Fatal(err)
			}
			if n := q.take()["Detail"]; n > 16 {
				t.Errorf("%s: %d images were asked for", kind, n)
			}
		})
	}
}

// Policies of a stream that choose from one repository list it once an interval.
func TestOneListingForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var q questions
		stream, _, _ := strings.Cut(policyStream("")["web.yaml"], "    - name")
		for i := range 10 {
			stream += fmt.Sprintf("    - name: v%d\n      from: {kind: DockerImage, name: quay.io/team1/many}\n      annotations: {towpath.dev/policy: 'semver:%d.x', towpath.dev/interval: 15m}\n", i, i)
		}
		w := start(t, map[string]string{"web.yaml": stream}, func(w *walker) {
			for i := range 10 {
				w.set(fmt.Sprintf("quay.io/team1/many:%d.0.0 a%d", i, i))
			}
			w.registry.Hook = q.hook
		})
		for range 5 {
			w.after(17 * time.Minute)
			if n := q.take()["Tags"]; n < 1 || n > 2 {
				t.Errorf("%d listings in 17 minutes, want 1 or 2", n)
			}
		}
		w.end()
	})
}

// A hint says that something is new: a listing that began before it came does not answer
// it, even while others still work with that.
func TestHintGetsItsOwnListing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inMay()
		var q questions
		stream := policyStream("towpath.dev/policy: 'semver:1.x'")["web.yaml"]
		_, tag, _ := strings.Cut(stream, "  tags:\n")
		stream += strings.NewReplacer("stable", "slow", "semver:1.x", "semver:2.x").Replace(tag)
		w := start(t, map[string]string{"web.yaml": stream}, func(w *walker) {
			w.set("quay.io/team1/many:1.4.0 aaa\nquay.io/team1/many:2.0.0 bbb")
			w.registry.Hook = q.hook
		})
		w.after(time.Minute)
		q.set(func(c registrymemory.Call) error {
			if c.Ref.Tag == "2.0.0" { // listed already, not answered yet
				time.Sleep(20 * time.Second)
			}
			return nil
		})
		w.Hint(reconcile.Hint{})
		w.after(2 * time.Second)
		w.set("quay.io/team1/many:1.5.0 ccc")
		w.Hint(reconcile.Hint{})
		w.after(2 * time.Minute)
		w.wantImage("ccc", "a hint came after it was pushed")
		w.end()
	})
}

// A record that does not say from which tag it is, and a policy that passes its tag over
// for now: it stays.
func TestRecordIsRecognised(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inMay()
		files := policyStream("towpath.dev/policy: 'semver:1.x', towpath.dev/min-age: 72h")
		files["web.yaml"] += fmt.Sprintf(`status:
  tags:
    - tag: stable
      items:
        - {created: "2026-05-01T00:00:00Z", dockerImageReference: "quay.io/team1/many@%[1]s", image: "%[1]s", generation: 2}
`, registrymemory.Digest("bbb"))
		w := start(t, files, func(w *walker) {
			w.set("quay.io/team1/many:1.3.0 aaa created=2026-01-01T00:00:00Z\nquay.io/team1/many:1.4.0 e1 created=2026-04-30T23:00:00Z linux/amd64=bbb linux/arm64=ccc")
		})
		w.after(12 * time.Minute)
		w.wantImage("bbb", "it was 1.4.0, and only 1.3.0 is old enough")
		w.end()
	})
}

// A list that is recorded whole has a bound; the failure says what to do.
func TestWholeListIsBounded(t *testing.T) {
	for _, tt := range []struct {
		images, heads int
		fails         bool
	}{{64, 65, false}, {65, 1, true}} {
		synctest.Test(t, func(t *testing.T) {
			var q questions
			var r registrymemory.Registry
			line := "quay.io/team1/web:t0 e1"
			for i := range tt.images {
				line += fmt.Sprintf(" linux/arch%d=%s", i, registrymemory.Digest(fmt.Sprint("x", i)))
			}
			if err := r.Set(line); err != nil {
				t.Fatal(err)
			}
			r.Hook = q.hook
			l, _ := asked(map[string]string{"web.yaml": streamOf("team1", "web", "quay.io/team1/web", 1, "      importPolicy: {importMode: PreserveOriginal}\n")}, &r)
			rep, err := l.Settle(t.Context(), reconcile.Hint{Scheduled: true})
			if err != nil {
				t.Fatal(err)
			}
			if fails := len(rep.Failing) == 1 && strings.Contains(rep.Failing[0].Err.Message, "write importMode: Legacy"); fails != tt.fails {
				t.Errorf("%d images: failing is %+v", tt.images, rep.Failing)
			}
			if n := q.take()["Head"]; n > tt.heads {
				t.Errorf("%d images: %d were asked for, want %d", tt.images, n, tt.heads)
			}
		})
	}
}
