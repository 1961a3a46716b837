package reconcile_test

import (
	"context"
	"errors"
	"fmt"
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

// walker is a Reconciler that runs, over one stream and one site.
type walker struct {
	*reconcile.Reconciler
	t        *testing.T
	store    *memory.Store
	registry *registrymemory.Registry
	passes   chan reconcile.Report // the last pass
	ended    chan error
	stop     context.CancelFunc
}

const webStream = `apiVersion: image.openshift.io/v1
kind: ImageStream
metadata: {name: web, namespace: team1}
spec:
  tags:
    - name: stable
      from: {kind: DockerImage, name: "quay.io/team1/web:1.4"}
      importPolicy: {scheduled: true}
`

const webDeployment = `apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  namespace: team1
  annotations:
    image.openshift.io/triggers: '[{"from":{"kind":"ImageStreamTag","name":"web:stable"},"fieldPath":"spec.template.spec.containers[0].image"}]'
spec: {template: {spec: {containers: [{name: web, image: " "}]}}}
`

// start runs a walker in a bubble. prepare may set hooks before it begins.
func start(t *testing.T, files map[string]string, prepare func(w *walker)) *walker {
	t.Helper()
	if files == nil {
		files = map[string]string{"web.yaml": webStream, "deploy.yaml": webDeployment}
	}
	w := &walker{t: t, store: memory.New(files), registry: &registrymemory.Registry{}, ended: make(chan error, 1), passes: make(chan reconcile.Report, 1)}
	w.set("quay.io/team1/web:1.4 aaa")
	w.Reconciler = &reconcile.Reconciler{
		Store: w.store, Branch: "main", Reader: w.registry, Poll: 30 * time.Second,
		Author: gitstore.Person{Name: "towpath", Email: "towpath@localhost"},
		Passed: func(rep reconcile.Report) {
			select {
			case <-w.passes:
			default:
			}
			w.passes <- rep
		},
	}
	if prepare != nil {
		prepare(w)
	}
	ctx, cancel := context.WithCancel(t.Context())
	w.stop = cancel
	go func() { w.ended <- w.Run(ctx) }()
	return w
}

func (w *walker) set(line string) {
	w.t.Helper()
	if err := w.registry.Set(line); err != nil {
		w.t.Fatal(err)
	}
}

// after lets time pass and everything that it wakes come to rest.
func (w *walker) after(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func (w *walker) end() {
	w.t.Helper()
	w.stop()
	if err := <-w.ended; err != nil {
		w.t.Errorf("Run ended with %v", err)
	}
}

// subjects are those of our commits, oldest first.
func (w *walker) subjects() []string {
	var all []string
	for _, l := range w.store.Log("main") {
		if l.Author.Name == "towpath" {
			subject, _, _ := strings.Cut(l.Message, "\n")
			all = append([]string{subject}, all...)
		}
	}
	return all
}

func (w *walker) wantCommits(n int) {
	w.t.Helper()
	if got := w.subjects(); len(got) != n {
		w.t.Errorf("%d commits, want %d:\n%s", len(got), n, strings.Join(got, "\n"))
	}
}

func unreachable() error {
	return &gitstore.Error{Kind: gitstore.Unreachable, Repo: "memory", What: "no answer"}
}

// failing is a hook that fails the next n calls of an operation.
func failing(op string, n int, apply bool, err error) memory.Hook {
	return func(o string) (bool, error) {
		if o != op || n == 0 {
			return true, nil
		}
		n--
		return apply, err
	}
}

func TestRunImportsAndFollows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, nil, nil)
		w.after(time.Second)
		w.wantCommits(2)
		w.set("quay.io/team1/web:1.4 bbb")
		w.after(16 * time.Minute) // the interval, 15 min
		w.wantCommits(4)
		w.after(24 * time.Hour)
		w.wantCommits(4)
		w.end()
	})
}

// The answer of a push is lost, and the tip cannot be read again at once: the
// next pass finds its own commits, and doubles nothing.
// fault: G-12
func TestRunLostAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, nil, func(w *walker) { w.store.Hook = failing(memory.OpPush, 1, true, unreachable()) })
		w.after(time.Hour)
		w.wantCommits(2)
		w.end()
	})
}

// Git cannot be reached for an hour: tried again later and later, with at most
// five minutes and a quarter between two tries; nothing is written; healed
// within one wait.
// fault: G-01
func TestRunGitUnreachable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var down atomic.Bool
		var tries atomic.Int32
		down.Store(true)
		w := start(t, nil, func(w *walker) {
			w.store.Hook = func(op string) (bool, error) {
				if op != memory.OpSnapshot || !down.Load() {
					return true, nil
				}
				tries.Add(1)
				return false, unreachable()
			}
		})
		w.after(time.Hour)
		w.wantCommits(0)
		if n := tries.Load(); n < 12 || n > 30 {
			t.Errorf("%d tries in an hour, want 12 to 30", n)
		}
		if last := <-w.passes; last.Err == nil {
			t.Error("the last report has no error")
		}
		down.Store(false)
		w.after(5*time.Minute*5/4 + time.Second)
		w.wantCommits(2)
		if last := <-w.passes; last.Err != nil {
			t.Errorf("healed, and the report says %v", last.Err)
		}
		w.end()
	})
}

// Pushes fail five times, then work: one commit each.
// fault: G-06
func TestRunPushFailsThenWorks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, nil, func(w *walker) { w.store.Hook = failing(memory.OpPush, 5, false, unreachable()) })
		w.after(5 * time.Minute)
		w.wantCommits(2)
		w.end()
	})
}

// fault: G-05
// The branch is protected: the daemon stays up, says so, and does not storm.
func TestRunDenied(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var tries, looks atomic.Int32
		w := start(t, nil, func(w *walker) {
			w.store.Hook = func(op string) (bool, error) {
				if op == memory.OpSnapshot {
					looks.Add(1)
				}
				if op == memory.OpPush {
					tries.Add(1)
					return false, &gitstore.Error{Kind: gitstore.Denied, Repo: "memory", What: "the branch is protected"}
				}
				return true, nil
			}
		})
		w.after(time.Hour)
		w.wantCommits(0)
		if n := tries.Load(); n > 13 {
			t.Errorf("%d pushes in an hour, want at most one in five minutes", n)
		}
		if n := looks.Load(); n < 110 {
			t.Errorf("Git was looked at %d times in an hour, want 120: people's commits count as ever", n)
		}
		if last := <-w.passes; last.Waits == nil {
			t.Error("the report does not say that a write waits")
		}
		w.end()
	})
}

// Somebody commits before each of our first ten pushes: all of theirs and ours
// are there, in a line.
// fault: G-15
func TestRunRacer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		races := 10
		w := start(t, nil, func(w *walker) {
			w.store.Hook = func(op string) (bool, error) {
				if op == memory.OpPush && races > 0 {
					races--
					w.store.Write("main", "somebody was faster", map[string]string{"README": fmt.Sprint(races)})
				}
				return true, nil
			}
		})
		w.after(time.Minute)
		w.wantCommits(2)
		if n := len(w.store.Log("main")); n != 1+10+2 {
			t.Errorf("%d commits in all, want 13", n)
		}
		w.end()
	})
}

// People force-push the branch back: the new tip is accepted, and what they
// dropped does not come back by itself.
// fault: G-16
func TestRunForcePush(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, nil, nil)
		w.after(time.Second)
		first := w.store.Log("main")
		w.store.Write("main", "a mistake", map[string]string{"mistake.txt": "oops"})
		w.after(time.Minute)
		w.store.Move("main", first[0].Rev)
		w.after(time.Minute)
		w.set("quay.io/team1/web:1.4 bbb")
		w.after(16 * time.Minute)
		w.wantCommits(4)
		if _, back := w.store.Tree("main")["mistake.txt"]; back {
			t.Error("what was dropped came back")
		}
		w.end()
	})
}

// The branch is deleted and comes back: nobody makes it but its owner.
// fault: G-17
func TestRunBranchDeleted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, nil, nil)
		w.after(time.Second)
		tip := w.store.Tip("main")
		w.store.Move("main", "")
		w.after(time.Hour)
		if got := w.store.Tip("main"); got != "" {
			t.Errorf("the branch was made again, at %s", got)
		}
		if last := <-w.passes; last.Err == nil {
			t.Error("the report says nothing of it")
		}
		w.store.Move("main", tip)
		w.set("quay.io/team1/web:1.4 bbb")
		w.after(22 * time.Minute)
		w.wantCommits(4)
		w.end()
	})
}

// One registry hangs: another's answers are written meanwhile, and Git is
// polled as ever.
// fault: R-15
func TestRunSlowRegistry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := strings.NewReplacer("web", "slow", "quay.io", "slow.example").Replace(webStream)
		files := map[string]string{"web.yaml": webStream, "slow.yaml": slow, "deploy.yaml": webDeployment}
		var looks atomic.Int32
		w := start(t, files, func(w *walker) {
			w.set("slow.example/team1/slow:1.4 ccc")
			w.registry.Hook = func(ctx context.Context, c registrymemory.Call) error {
				if c.Ref.Host == "slow.example" {
					<-ctx.Done()
					return ctx.Err()
				}
				return nil
			}
			w.store.Hook = func(op string) (bool, error) {
				if op == memory.OpSnapshot {
					looks.Add(1)
				}
				return true, nil
			}
		})
		w.after(2 * time.Second)
		w.wantCommits(2)
		looks.Store(0)
		w.after(4 * time.Minute)
		if n := looks.Load(); n < 7 {
			t.Errorf("Git was looked at %d times in 4 minutes, want 8", n)
		}
		w.end()
	})
}

// However many tags are due, Git is not polled more often for it.
func TestRunPollsGitAtItsPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		files := map[string]string{}
		for i := range 200 {
			files[fmt.Sprintf("s%d.yaml", i)] = strings.ReplaceAll(webStream, "name: web", fmt.Sprintf("name: web%d", i))
		}
		var looks atomic.Int32
		w := start(t, files, func(w *walker) {
			w.Yes = true
			w.store.Hook = func(op string) (bool, error) {
				if op == memory.OpSnapshot {
					looks.Add(1)
				}
				return true, nil
			}
		})
		w.after(time.Minute)
		looks.Store(0)
		w.after(time.Hour)
		if n := looks.Load(); n > 130 {
			t.Errorf("Git was looked at %d times in an hour, want 120", n)
		}
		w.end()
	})
}

// A hint wakes the walker at once; the poll would take half a minute.
func TestRunHint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, nil, nil)
		w.after(time.Second)
		w.set("quay.io/team1/web:1.4 bbb")
		w.Hint(reconcile.Hint{})
		w.after(time.Second)
		w.wantCommits(4)
		w.end()
	})
}

// The store saw the repository change: no waiting for the poll.
func TestRunChanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, map[string]string{"README": "empty"}, func(w *walker) { w.store.Watch() })
		w.after(time.Second)
		w.store.Write("main", "a stream", map[string]string{"web.yaml": webStream})
		w.after(time.Second)
		w.wantCommits(1)
		w.end()
	})
}

// While a question is under way a person changes the record: the answer is
// thrown away, and the tag asked again at once, not at its next turn.
func TestRunAsksAgainAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, nil, nil)
		w.after(time.Second)
		mine, old := registrymemory.Digest("by hand"), registrymemory.Digest("aaa")
		var edited atomic.Bool
		w.registry.Hook = func(context.Context, registrymemory.Call) error {
			if edited.CompareAndSwap(false, true) {
				w.store.Write("main", "by hand", map[string]string{"web.yaml": strings.ReplaceAll(w.store.Tree("main")["web.yaml"].Content, old, mine)})
			}
			return nil
		}
		w.set("quay.io/team1/web:1.4 bbb")
		w.Hint(reconcile.Hint{})
		w.after(5 * time.Second)
		if got := w.store.Tree("main")["web.yaml"].Content; !strings.Contains(got, registrymemory.Digest("bbb")) || !strings.Contains(got, mine) {
			t.Errorf("want the new image on top of the person's:\n%s", got)
		}
		w.end()
	})
}

// Told to stop while a registry hangs, Run ends at once and without an error.
func TestRunStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, nil, func(w *walker) {
			w.registry.Hook = func(ctx context.Context, _ registrymemory.Call) error {
				<-ctx.Done()
				return ctx.Err()
			}
		})
		w.after(time.Second)
		told := time.Now()
		w.end()
		if took := time.Since(told); took > time.Second {
			t.Errorf("it took %s to end", took)
		}
		w.wantCommits(0)
	})
}

// At most so many pushes an hour; what moved meanwhile goes into a later one.
func TestRunPushBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var pushes atomic.Int32
		w := start(t, nil, func(w *walker) {
			w.PushesPerHour = 2
			w.store.Hook = func(op string) (bool, error) {
				if op == memory.OpPush {
					pushes.Add(1)
				}
				return true, nil
			}
		})
		for i := range 10 {
			w.after(2 * time.Minute)
			w.set(fmt.Sprintf("quay.io/team1/web:1.4 a%d", i))
			w.Hint(reconcile.Hint{})
		}
		w.after(30 * time.Minute)
		if n := pushes.Load(); n != 2 {
			t.Errorf("%d pushes within the hour, want 2", n)
		}
		w.after(time.Hour)
		last := registrymemory.Digest("a9")
		if got := w.store.Tree("main")["web.yaml"].Content; !strings.Contains(got, last) {
			t.Errorf("the last image never came on record:\n%s", got)
		}
		w.end()
	})
}

// wantConsent wants Run to have ended by itself, with nothing written.
func (w *walker) wantConsent() {
	w.t.Helper()
	select {
	case err := <-w.ended:
		if !errors.Is(err, reconcile.ErrFirstRun) {
			w.t.Errorf("Run ended with %v, want ErrFirstRun", err)
		}
		w.stop()
	case <-time.After(time.Minute):
		w.t.Error("Run goes on without consent")
		w.end()
	}
	w.wantCommits(0)
}

// A first run that would change many files waits for consent.
func TestRunFirstRun(t *testing.T) {
	files := map[string]string{}
	for i := range 101 {
		files[fmt.Sprintf("s%d.yaml", i)] = strings.ReplaceAll(webStream, "name: web", fmt.Sprintf("name: web%d", i))
	}
	synctest.Test(t, func(t *testing.T) {
		w := start(t, files, nil)
		w.wantConsent()
	})
	synctest.Test(t, func(t *testing.T) {
		w := start(t, files, func(w *walker) { w.Yes = true })
		w.after(time.Second)
		for path, f := range w.store.Tree("main") { // in one commit or, where answers come in turns, in several
			if !strings.Contains(f.Content, "\nstatus:") {
				t.Errorf("%s has no status", path)
			}
		}
		w.end()
	})
}

// A registry that fails in passing is asked again soon, later and later; one
// that says when is not asked before.
func TestRunBackoff(t *testing.T) {
	for _, c := range []struct {
		err      *registry.Error
		in       time.Duration
		min, max int
	}{
		{&registry.Error{Kind: registry.Unreachable, Message: "no answer"}, time.Hour, 12, 24},
		{&registry.Error{Kind: registry.NotFound, Message: "no such tag"}, 24 * time.Hour, 6, 8},
		{&registry.Error{Kind: registry.RateLimited, Message: "slow down", RetryAfter: 30 * time.Minute}, time.Hour, 2, 3},
	} {
		t.Run(string(c.err.Kind), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var asked atomic.Int32
				w := start(t, nil, func(w *walker) {
					w.registry.Hook = func(context.Context, registrymemory.Call) error {
						asked.Add(1)
						return c.err
					}
				})
				w.after(c.in)
				if n := int(asked.Load()); n < c.min || n > c.max {
					t.Errorf("asked %d times in %s, want %d to %d", n, c.in, c.min, c.max)
				}
				w.end()
			})
		})
	}
}

// A pass in which the process is told to end tells what it wrote; one that wrote nothing says
// nothing.
func TestRunTellsOfItsEnd(t *testing.T) {
	for name, want := range map[string]int{"a push lands": 2, "a push is refused": 0} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				told, passes := 0, 0
				w := start(t, nil, func(w *walker) {
					w.store.Hook = func(op string) (bool, error) {
						if op != memory.OpPush {
							return true, nil
						}
						time.Sleep(2 * time.Second)
						if want == 0 {
							return false, unreachable()
						}
						return true, nil
					}
					w.Passed = func(rep reconcile.Report) { passes, told = passes+1, told+len(rep.Commits) }
				})
				w.after(time.Second) // it pushes
				w.end()
				w.wantCommits(want)
				if told != want || passes != min(want, 1) {
					t.Errorf("%d commits are told in %d passes, want %d", told, passes, want)
				}
			})
		})
	}
}
