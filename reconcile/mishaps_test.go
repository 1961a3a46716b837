package reconcile_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/towpath/towpath/gitstore"
	"github.com/towpath/towpath/gitstore/memory"
	"github.com/towpath/towpath/reconcile"
	"github.com/towpath/towpath/registry"
	registrymemory "github.com/towpath/towpath/registry/memory"
)

// What went wrong once, or nearly did.

const repoStream = `apiVersion: image.openshift.io/v1
kind: ImageStream
metadata: {name: web, namespace: team1, annotations: {towpath.dev/scheduled: "true"}}
spec:
  dockerImageRepository: quay.io/team1/web
`

type slowReader struct {
	registry.Reader
	n *atomic.Int32
}

func (s slowReader) Head(ctx context.Context, on registry.On, ref registry.Ref) (registry.Image, error) {
	img, err := s.Reader.Head(ctx, on, ref)
	s.n.Add(1)
	time.Sleep(10 * time.Second)
	return img, err
}

type after struct {
	registry.Reader
	do func()
}

func (a *after) Head(ctx context.Context, on registry.On, ref registry.Ref) (registry.Image, error) {
	img, err := a.Reader.Head(ctx, on, ref)
	if a.do != nil {
		a.do()
	}
	return img, err
}

// A push waits for its next try, then Git goes down: both are backed off from, and
// nothing spins.
func TestRunGitDownWhilePushWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var down atomic.Bool
		var looks atomic.Int32
		w := start(t, nil, func(w *walker) {
			w.store.Hook = func(op string) (bool, error) {
				if op == memory.OpPush {
					down.Store(true)
					return false, unreachable()
				}
				if op == memory.OpSnapshot && down.Load() {
					if looks.Add(1) > 100000 {
						down.Store(false)
					}
					return false, unreachable()
				}
				return true, nil
			}
		})
		w.after(time.Hour)
		if n := looks.Load(); n > 30 {
			t.Errorf("%d looks at Git in an hour (stopped by the test)", n)
		}
		w.end()
	})
}

// Git was away for a moment while there was nothing to do: that is over when it is
// back, not when the next tag is due.
func TestRunHealsAtRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var down atomic.Bool
		w := start(t, map[string]string{"web.yaml": strings.Replace(webStream, "scheduled: true", "scheduled: false", 1)}, func(w *walker) {
			w.store.Hook = func(op string) (bool, error) {
				if op == memory.OpSnapshot && down.Load() {
					return false, unreachable()
				}
				return true, nil
			}
		})
		w.after(time.Minute)
		down.Store(true)
		w.after(2 * time.Minute)
		down.Store(false)
		w.after(time.Hour)
		if last := (<-w.passes); last.Err != nil {
			t.Errorf("healed an hour ago, and the report says %v", last.Err)
		}
		w.end()
	})
}

// The log cannot be read after answers came: they are written by a later pass.
func TestRunKeepsAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked, failed atomic.Int32
		other := strings.NewReplacer("{name: web,", "{name: other,", "team1/web:1.4", "team1/other:1").Replace(webStream)
		w := start(t, map[string]string{"web.yaml": webStream, "other.yaml": other}, func(w *walker) {
			w.set("quay.io/team1/other:1 ddd")
			w.registry.Hook = func(context.Context, registrymemory.Call) error { asked.Add(1); return nil }
			w.store.Hook = func(op string) (bool, error) {
				if op == memory.OpParent && asked.Load() > 2 && failed.Add(1) == 1 {
					return false, unreachable() // the history is to be deepened, and the server does not answer once
				}
				return true, nil
			}
		})
		w.after(time.Minute)
		site := strings.ReplaceAll(webDeployment, "web:stable", "other:stable")
		w.store.Write("main", "a site", map[string]string{"deploy.yaml": site})
		w.set("quay.io/team1/web:1.4 bbb")
		w.Poll = 0 // a poll and a hint at the same time
		w.Hint(reconcile.Hint{})
		w.after(24 * time.Hour)
		if got := w.store.Tree("main")["web.yaml"].Content; !strings.Contains(got, registrymemory.Digest("bbb")) {
			t.Errorf("a day later bbb is not on record; failed=%v outstanding=%d\n%s", failed.Load(), (<-w.passes).Outstanding, strings.Join(w.subjects(), "\n"))
		}
		w.end()
	})
}

// One bad tag of a repository does not keep the others from their interval.
func TestRunOneBadTag(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, map[string]string{"web.yaml": repoStream}, func(w *walker) {
			w.set("quay.io/team1/web:1.3 ddd")
			w.set("quay.io/team1/web:1.3 !Invalid not an image")
		})
		w.after(24 * time.Hour)
		w.set("quay.io/team1/web:1.4 bbb")
		w.after(time.Hour)
		if got := w.store.Tree("main")["web.yaml"].Content; !strings.Contains(got, registrymemory.Digest("bbb")) {
			t.Errorf("interval 15 min, an hour later bbb is not on record:\n%s", got)
		}
		w.end()
	})
}

// A person deletes a status: its tags are asked for again, by the same process.
// fault: C-30
func TestRunStatusDeleted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		plain := strings.Replace(webStream, "scheduled: true", "scheduled: false", 1)
		w := start(t, map[string]string{"web.yaml": plain}, nil)
		w.after(time.Second)
		w.wantCommits(1)
		w.store.Write("main", "by hand", map[string]string{"web.yaml": plain})
		w.after(24 * time.Hour)
		w.wantCommits(2)
		w.end()
	})
}

// A Reader that panics fails one question.
func TestRunReaderPanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, map[string]string{"web.yaml": repoStream}, func(w *walker) {
			w.registry.Hook = func(_ context.Context, c registrymemory.Call) error {
				if c.Op == "Head" {
					panic("boom")
				}
				return nil
			}
		})
		w.after(time.Second)
		w.end()
	})
}

// A hint of a pass that Git broke off comes back.
func TestRunKeepsHints(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		plain := strings.Replace(webStream, "scheduled: true", "scheduled: false", 1)
		var fail atomic.Int32
		w := start(t, map[string]string{"web.yaml": plain}, func(w *walker) {
			w.Poll = time.Millisecond // every pass looks at Git, the hint's, too
			w.store.Hook = func(op string) (bool, error) {
				if op == memory.OpSnapshot && fail.Add(-1) >= 0 {
					return false, unreachable()
				}
				return true, nil
			}
		})
		w.after(time.Minute)
		fail.Store(1)
		w.set("quay.io/team1/web:1.4 bbb")
		w.Hint(reconcile.Hint{})
		w.after(time.Hour)
		if got := w.store.Tree("main")["web.yaml"].Content; !strings.Contains(got, registrymemory.Digest("bbb")) {
			t.Error("the hint is lost")
		}
		w.end()
	})
}

// A hint while its question is under way: the answer may be older than what the hint
// is about, and the tag is asked again.
func TestRunHintInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		plain := strings.Replace(webStream, "scheduled: true", "scheduled: false", 1)
		var n atomic.Int32
		w := start(t, map[string]string{"web.yaml": plain}, func(w *walker) { w.Reconciler.Reader = slowReader{w.registry, &n} })
		w.after(time.Minute)
		w.set("quay.io/team1/web:1.4 bbb")
		w.Hint(reconcile.Hint{})
		w.after(5 * time.Second)
		w.set("quay.io/team1/web:1.4 ccc")
		w.Hint(reconcile.Hint{})
		w.after(time.Hour)
		if got := w.store.Tree("main")["web.yaml"].Content; !strings.Contains(got, registrymemory.Digest("ccc")) {
			t.Errorf("the second push's hint is lost (asked %d times):\n%s", n.Load(), got)
		}
		w.end()
	})
}

// Pushes are refused for a day: what is written then is what the tag is then.
func TestRunStaleAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var denied atomic.Bool
		w := start(t, nil, func(w *walker) {
			w.store.Hook = func(op string) (bool, error) {
				if op == memory.OpPush && denied.Load() {
					return false, unreachable()
				}
				return true, nil
			}
		})
		w.after(time.Minute)
		denied.Store(true)
		w.set("quay.io/team1/web:1.4 bbb")
		w.after(time.Hour)
		w.set("quay.io/team1/web:1.4 ccc")
		w.after(24 * time.Hour)
		denied.Store(false)
		w.after(10 * time.Minute)
		if got := w.store.Tree("main")["deploy.yaml"].Content; !strings.Contains(got, registrymemory.Digest("ccc")) {
			t.Errorf("rolled out what the tag was a day ago:\n%s\n%s", got, strings.Join(w.subjects(), "\n"))
		}
		w.end()
	})
}

// The author corrects from while the old registry hangs: the new one is asked at once.
func TestRunFromChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := strings.ReplaceAll(webStream, "quay.io", "slow.example")
		w := start(t, map[string]string{"web.yaml": slow}, func(w *walker) {
			w.registry.Hook = func(ctx context.Context, c registrymemory.Call) error {
				if c.Ref.Host == "slow.example" {
					<-ctx.Done()
					return ctx.Err()
				}
				return nil
			}
		})
		w.after(time.Second)
		w.store.Write("main", "another registry", map[string]string{"web.yaml": webStream})
		w.after(4 * time.Minute)
		w.wantCommits(1)
		w.end()
	})
}

// A person writes a tag of a repository on record while it is asked for: the younger
// record stands.
func TestRunRepositoryOutrun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mine, old := registrymemory.Digest("ccc"), registrymemory.Digest("aaa")
		var edited atomic.Bool
		edited.Store(true)
		var w *walker
		w = start(t, map[string]string{"web.yaml": repoStream}, func(x *walker) {
			x.Reconciler.Reader = &after{x.registry, func() {
				if edited.CompareAndSwap(false, true) {
					w.set("quay.io/team1/web:1.4 ccc") // the registry goes on, and another daemon records it
					w.store.Write("main", "another daemon", map[string]string{"web.yaml": strings.ReplaceAll(w.store.Tree("main")["web.yaml"].Content, old, mine)})
				}
			}}
		})
		w.after(time.Second)
		edited.Store(false)
		w.set("quay.io/team1/web:1.4 bbb")
		w.Hint(reconcile.Hint{})
		w.after(2 * time.Second)
		if s := strings.Join(w.subjects(), "\n"); strings.Contains(s, "bbb") {
			t.Errorf("an old answer was written over a younger record:\n%s", s)
		}
		w.end()
	})
}

// Another reference begins without the failures of the one before.
func TestRunNewInputsStartAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, map[string]string{"web.yaml": strings.ReplaceAll(webStream, "quay.io", "old.example")}, func(w *walker) {
			w.set("old.example !Unreachable no answer")
			w.set("quay.io !Unreachable no answer")
		})
		w.after(30 * time.Minute)
		w.store.Write("main", "another", map[string]string{"web.yaml": webStream})
		w.after(35 * time.Minute) // the new one fails since half an hour, failure-after is an hour
		w.wantCommits(0)
		w.end()
	})
}

// A listing fails for a stream that has tags of its own.
func TestRunListingFailsBesideATag(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, map[string]string{"web.yaml": repoStream}, nil)
		w.after(time.Second)
		w.wantCommits(1)
		w.set("quay.io/team1/web !NotFound gone")
		w.after(time.Hour)
		w.wantCommits(1)
		w.end()
	})
}

// A listing fails for a stream whose spec has latest: the tag is not touched.
func TestRunListingFailsBesideLatest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		both := repoStream + `  tags:
    - name: latest
      from: {kind: DockerImage, name: "quay.io/team1/other:1"}
      importPolicy: {scheduled: true}
`
		w := start(t, map[string]string{"web.yaml": both}, func(w *walker) { w.set("quay.io !NotFound gone") })
		w.after(7 * 24 * time.Hour)
		w.wantCommits(1)
		w.end()
	})
}

// A status that could not be edited is asked for again when the file is mended.
func TestRunMendedFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		plain := strings.Replace(webStream, "scheduled: true", "scheduled: false", 1)
		anchored := plain + "status: &s {}\nx-copy: *s\n"
		w := start(t, map[string]string{"web.yaml": anchored}, nil)
		w.after(time.Second)
		for _, p := range (<-w.passes).Problems {
			t.Log(p, p.Fix)
		}
		w.store.Write("main", "x", map[string]string{"README": "x"})
		w.after(time.Minute)
		n := 0
		for _, p := range (<-w.passes).Problems {
			t.Log(p)
			if strings.Contains(p.What, "not edited") {
				n++
			}
		}
		if n == 0 {
			t.Error("the problem is forgotten though the file is as it was")
		}
		w.store.Write("main", "mended", map[string]string{"web.yaml": plain})
		w.after(24 * time.Hour)
		w.wantCommits(1)
		w.end()
	})
}

// The history of one site is cut off: it is held, and everything else goes on.
func TestRunHistoryCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		other := strings.NewReplacer("{name: web,", "{name: other,", "team1/web:1.4", "team1/other:1").Replace(webStream)
		w := start(t, map[string]string{"web.yaml": webStream, "other.yaml": other}, func(w *walker) {
			w.set("quay.io/team1/other:1 ddd")
			w.store.Hook = func(op string) (bool, error) {
				if op == memory.OpParent {
					return false, &gitstore.Error{Kind: gitstore.Unsupported, Repo: "memory", What: "the repository is shallow: its history is cut off"}
				}
				return true, nil
			}
		})
		w.after(time.Minute)
		w.store.Write("main", "a site of other", map[string]string{"deploy.yaml": strings.ReplaceAll(webDeployment, "web:stable", "other:stable")})
		w.set("quay.io/team1/web:1.4 bbb")
		w.after(time.Hour)
		if got := w.store.Tree("main")["web.yaml"].Content; !strings.Contains(got, registrymemory.Digest("bbb")) {
			t.Errorf("one site keeps another stream from being recorded: %v", (<-w.passes).Err)
		}
		w.end()
	})
}

// With the pushes of the hour spent, what is written later is the newest.
func TestRunThrottledTakesTheNewest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, nil, func(w *walker) { w.PushesPerHour = 1 })
		w.after(2 * time.Minute)
		w.set("quay.io/team1/web:1.4 bbb")
		w.Hint(reconcile.Hint{})
		w.after(time.Minute)
		w.set("quay.io/team1/web:1.4 ccc")
		w.Hint(reconcile.Hint{})
		w.after(59 * time.Minute)
		t.Logf("%s", strings.Join(w.subjects(), "\n"))
		if got := w.store.Tree("main")["web.yaml"].Content; !strings.Contains(got, registrymemory.Digest("ccc")) {
			t.Error("what moved meanwhile is not in the later push")
		}
		w.end()
	})
}

// Law 8: what could not be recorded is not followed.
func TestLawRefusedRecordIsNotFollowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		anchored := webStream + "status: &s {}\n"
		w := start(t, map[string]string{"web.yaml": anchored, "deploy.yaml": webDeployment}, nil)
		w.after(time.Hour)
		w.wantCommits(0)
		w.end()
	})
}

// Each tag of a repository has its own hour before a passing failure is recorded.
func TestRunEachTagFailsForItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, map[string]string{"web.yaml": repoStream}, func(w *walker) {
			w.set("quay.io/team1/web:1.3 ddd")
		})
		w.after(time.Minute)
		w.set("quay.io/team1/web:1.3 !Unreachable no answer")
		w.Hint(reconcile.Hint{})
		w.after(55 * time.Minute)
		w.set("quay.io/team1/web:1.3 ddd")
		w.set("quay.io/team1/web:1.4 !Unreachable no answer")
		w.after(15 * time.Minute)
		w.wantCommits(1)
		w.end()
	})
}

// A race is lost and planned again: what is told is what landed.
func TestSettleTellsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, reg := memory.New(map[string]string{"web.yaml": webStream}), &registrymemory.Registry{}
		reg.Set("quay.io/team1/web:1.4 aaa")
		races := 1
		store.Hook = func(op string) (bool, error) {
			if op == memory.OpPush && races > 0 {
				races--
				store.Write("main", "somebody was faster", map[string]string{"README": "x"})
			}
			return true, nil
		}
		r := &reconcile.Reconciler{Store: store, Branch: "main", Reader: reg, Only: reconcile.ImportOnly, Author: gitstore.Person{Name: "towpath", Email: "t@x"}}
		rep, err := r.Settle(context.Background(), reconcile.Hint{Force: true})
		if len(rep.Answers) != 1 || len(rep.Planned) != 1 {
			t.Errorf("%v: one tag, %d answers, %d planned commits, %d commits", err, len(rep.Answers), len(rep.Planned), len(rep.Commits))
		}
	})
}

// A one-shot command asks for each tag once, however long its passes take: an interval that
// is over meanwhile is the next command's.
func TestSettleAsksOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		config := "version: 1\ndefaults: {interval: 1s}\n"
		store, reg := memory.New(map[string]string{"web.yaml": webStream, "deploy.yaml": webDeployment, ".towpath.yaml": config}), &registrymemory.Registry{}
		reg.Set("quay.io/team1/web:1.4 aaa")
		store.Hook = func(string) (bool, error) {
			time.Sleep(2 * time.Second)
			return true, nil
		}
		r := &reconcile.Reconciler{Store: store, Branch: "main", Reader: reg, Only: reconcile.ImportOnly, Author: gitstore.Person{Name: "towpath", Email: "t@x"}}
		for _, want := range []int{1, 0} {
			rep, err := r.Settle(t.Context(), reconcile.Hint{Scheduled: true})
			if len(rep.Answers) != 1 || len(rep.Planned) != want || err != nil {
				t.Errorf("%v: one tag, %d answers, %d planned commits, want %d", err, len(rep.Answers), len(rep.Planned), want)
			}
		}
	})
}

// The author corrects from while both registries are slow, and the old one answers
// first: what nobody wants any more is not recorded.
func TestRunAnswerOfOldInputs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		w := start(t, nil, func(w *walker) {
			w.registry.Hook = func(ctx context.Context, c registrymemory.Call) error {
				if c.Ref.Tag == "1.4" {
					<-release
					return nil
				}
				<-ctx.Done()
				return ctx.Err()
			}
		})
		w.after(time.Second)
		w.store.Write("main", "correct from", map[string]string{"web.yaml": strings.ReplaceAll(webStream, "web:1.4", "web:1.5")})
		w.after(time.Minute)
		close(release)
		w.after(time.Minute)
		w.wantCommits(0)
		w.end()
	})
}

// A lasting failure is on record, and somebody else finds that the tag works: the
// daemon asks again instead of waiting for its back-off.
func TestRunFailureTakenAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, nil, func(w *walker) { w.set("quay.io/team1/web:1.4 !NotFound no such tag") })
		w.after(time.Minute)
		w.set("quay.io/team1/web:1.4 aaa")
		w.store.Write("main", "it works for me", map[string]string{"web.yaml": webStream})
		w.after(time.Minute)
		if got := w.store.Tree("main")["web.yaml"].Content; !strings.Contains(got, registrymemory.Digest("aaa")) {
			t.Errorf("not asked again:\n%s", got)
		}
		w.end()
	})
}

// One value that cannot be edited keeps no other in its file from being edited.
func TestRefusedNeighbour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		second := strings.ReplaceAll(webDeployment, "  name: web\n", "  name: second\n")
		both := strings.ReplaceAll(webDeployment, `image: " "`, `image: &x "old:1"`) + "---\n" + second
		w := start(t, map[string]string{"web.yaml": webStream, "deploy.yaml": both}, nil)
		w.after(time.Minute)
		w.wantCommits(2)
		got := w.store.Tree("main")["deploy.yaml"].Content
		if strings.Count(got, registrymemory.Digest("aaa")) != 1 || !strings.Contains(got, `&x "old:1"`) {
			t.Errorf("want the second image alone to be moved:\n%s", got)
		}
		if last := <-w.passes; len(last.Bad()) != 1 {
			t.Errorf("want one problem, got %v", last.Problems)
		}
		w.end()
	})
}

// A file over the limit is that file's problem.
func TestLargeFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, map[string]string{"web.yaml": webStream, "data.json": "#" + strings.Repeat("x", 9<<20)}, nil)
		w.after(time.Minute)
		w.wantCommits(1)
		if last := <-w.passes; len(last.Bad()) != 1 || last.Bad()[0].Path != "data.json" {
			t.Errorf("want a problem of data.json, got %v", last.Problems)
		}
		w.end()
	})
}
