package reconcile_test

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/towpath/towpath/forge"
	forgememory "github.com/towpath/towpath/forge/memory"
	"github.com/towpath/towpath/gitstore"
	"github.com/towpath/towpath/gitstore/memory"
	"github.com/towpath/towpath/imagestream"
	"github.com/towpath/towpath/reconcile"
	registrymemory "github.com/towpath/towpath/registry/memory"
)

// What waits, and what people do meanwhile.

const appStream = "apiVersion: image.openshift.io/v1\nkind: ImageStream\nmetadata: {name: app, namespace: team1}\n"

const underReview = pushConfig + "defaults: {status: proposal}\n"

// A lock is a pier where people push, and review what they pushed.
type lock struct {
	*pier
	arrivals *registrymemory.Arrivals
	dropped  []reconcile.Dropped
}

func atLock(t *testing.T, config string, story func(l *lock)) {
	t.Helper()
	atPier(t, config, func(p *pier) {
		l := &lock{pier: p, arrivals: &registrymemory.Arrivals{}}
		p.line.Arrivals = l.arrivals
		story(l)
	})
}

// push is what a client does; the line is walked until it is at rest.
func (l *lock) push(tag, word string) {
	l.t.Helper()
	name, tag, _ := strings.Cut(tag, ":")
	namespace, name, _ := strings.Cut(name, "/")
	l.arrivals.Push(namespace, name, tag, registrymemory.Digest(word), time.Now())
	l.rest()
}

func (l *lock) rest() {
	l.t.Helper()
	for range 2 {
		l.walk()
		l.dropped = append(l.dropped, l.last.Dropped...)
	}
}

// accept merges the one proposal that is open.
func (l *lock) accept() {
	l.t.Helper()
	l.merge(l.one(), "squash")
	l.rest()
}

// decline closes it.
func (l *lock) decline() {
	l.t.Helper()
	l.forge.CloseBy(l.one().Number)
	l.rest()
}

// closed says that no proposal is open; the branch of one that was declined may stay.
func (l *lock) closed() {
	l.t.Helper()
	if open := l.open(); len(open) > 0 {
		l.t.Errorf("open are %+v", open)
	}
}

func (l *lock) waits(want int) {
	l.t.Helper()
	if got, _ := l.arrivals.Waiting(l.t.Context()); len(got) != want {
		l.t.Errorf("%d wait, want %d: %+v", len(got), want, got)
	}
}

func (l *lock) wantRecord(tag, word string) {
	l.t.Helper()
	if got := records(l.t, l.store)[tag]; got != atHost(tag, word) {
		l.t.Errorf("on record is %q, want %s", got, word)
	}
}

// Who pushes the older image again while the newer is under review takes the newer back: it is not merged after all.
func TestPushOfWhatIsOnRecordEndsAReview(t *testing.T) {
	for _, merge := range []string{"", ", merge: when-green"} {
		t.Run(merge, func(t *testing.T) {
			atLock(t, pushConfig+"defaults: {status: proposal"+merge+"}\n", func(l *lock) {
				l.merging()
				l.store.Write("main", "a stream", map[string]string{"team1/app.yaml": appStream})
				l.push("team1/app:v1", "one")
				l.accept()
				l.push("team1/app:v1", "two")
				f := l.one()
				l.fails(forgememory.OpEdit, 3, forge.Unreachable) // it is not forgotten while the forge is away
				l.push("team1/app:v1", "one")
				l.waits(1)
				l.forge.SetChecks(string(l.store.Tip(f.Branch)), forge.Green)
				for range 10 {
					l.walk()
				}
				l.none()
				l.waits(0)
				l.wantRecord("team1/app:v1", "one")
				if said := strings.Join(l.forge.Comments(f.Number), "\n"); !strings.Contains(said, "pushed again as the image that main has") {
					t.Errorf("it was closed with: %s", said)
				}
				l.push("team1/app:v1", "two") // and once more
				if g := l.one(); g.Number == f.Number {
					t.Errorf("nothing new is proposed: %+v", g)
				}
			})
		})
	}
}

// protected is a dock whose branch refuses pushes while it says so.
func protected(d *dock) *atomic.Bool {
	var bad atomic.Bool
	d.store.Hook = func(op string) (bool, error) {
		if op == memory.OpPush && bad.Load() {
			return false, &gitstore.Error{Kind: gitstore.Denied, Repo: "memory", What: "protected"}
		}
		return true, nil
	}
	return &bad
}

// A stream that a person deletes or renames while a push to it waits does not come back by that; by the next it does.
func TestStreamThatIsGoneDoesNotComeBack(t *testing.T) {
	for _, what := range []string{"delete", "rename", "delete, by a clock that is behind", "delete, and much else"} {
		t.Run(what, func(t *testing.T) {
			atDock(t, map[string]string{"team1/app.yaml": appStream}, func(d *dock) {
				bad := protected(d)
				d.push("team1/app:v1", "one")
				d.after(time.Minute)
				bad.Store(true)
				d.push("team1/app:v1", "two")
				d.after(2 * time.Minute)
				if strings.Contains(what, "clock") {
					d.store.Now = func() time.Time { return time.Now().Add(-time.Hour) }
				}
				d.store.Edit("main", what, func(tree memory.Tree) {
					f := tree["team1/app.yaml"]
					delete(tree, "team1/app.yaml")
					if what == "rename" {
						f.Content = strings.Replace(f.Content, "name: app", "name: site", 1)
						tree["team1/site.yaml"] = f
					}
				})
				if strings.Contains(what, "else") {
					for i := range 50 {
						d.store.Write("main", "more", map[string]string{"more.txt": fmt.Sprint(i)})
					}
				}
				bad.Store(false)
				d.after(2 * time.Hour)
				if f, there := d.store.Tree("main")["team1/app.yaml"]; there {
					t.Errorf("the file came back:\n%s", f.Content)
				}
				if left := d.waits(); len(left) > 0 {
					t.Errorf("still waiting are %+v", left)
				}
				d.push("team1/app:v1", "two")
				d.after(2 * time.Minute)
				if got := records(t, d.store)["team1/app:v1"]; got != atHost("team1/app:v1", "two") {
					t.Errorf("pushed again, on record is %q", got)
				}
			})
		})
	}
}

func TestStreamThatIsGoneIsNotProposed(t *testing.T) {
	atLock(t, pushConfig+"defaults: {status: proposal, group: stream}\n", func(l *lock) {
		l.store.Write("main", "a stream", map[string]string{"team1/app.yaml": appStream})
		l.push("team1/app:v1", "one")
		l.one()
		l.store.Edit("main", "delete", func(tree memory.Tree) { delete(tree, "team1/app.yaml") })
		l.rest()
		l.none()
		l.waits(0)
		if len(l.dropped) != 1 || !strings.Contains(l.dropped[0].Why, "was deleted, or renamed") || l.dropped[0].Fix == "" {
			t.Errorf("it says %+v", l.dropped)
		}
		l.push("team1/app:v1", "one")
		l.one()
		l.restart() // a process that serves no registry leaves that one alone
		l.rest()
		l.one()
	})
}

// What went on record and was taken back before the registry heard of it does not come again.
func TestWhatWasTakenBackDoesNotComeAgain(t *testing.T) {
	for _, what := range []string{"revert", "revert of a new tag", "revert of a new stream"} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store, arrivals := memory.New(map[string]string{".towpath.yaml": pushConfig}), &registrymemory.Arrivals{}
				store.Now = time.Now
				line := func() reconcile.Report {
					r := &reconcile.Reconciler{Store: store, Branch: "main", Reader: &registrymemory.Registry{}, Author: towpath, Arrivals: arrivals}
					rep, err := r.Once(t.Context())
					if err != nil {
						t.Fatal(err)
					}
					return rep
				}
				first := map[string]string{"revert": "v1", "revert of a new tag": "v0"}[what]
				if first != "" {
					arrivals.Push("team1", "web", first, registrymemory.Digest("one"), time.Now())
					line()
				}
				before := store.Tree("main")
				time.Sleep(time.Hour)
				arrivals.Push("team1", "web", "v1", registrymemory.Digest("bad"), time.Now())
				arrivals.Hook = func(op string) error {
					return map[bool]error{true: errors.New("killed here")}[op == "Take"]
				}
				line()
				if got := records(t, store)["team1/web:v1"]; got != atHost("team1/web:v1", "bad") {
					t.Fatalf("on record is %q", got)
				}
				arrivals.Hook = nil
				time.Sleep(time.Minute)
				store.Edit("main", "Revert the bad one", func(tree memory.Tree) {
					clear(tree)
					for p, f := range before {
						tree[p] = f
					}
				})
				time.Sleep(time.Minute)
				tip := store.Tip("main")
				rep := line()
				if store.Tip("main") != tip {
					t.Errorf("a person took it back, and it came again: %s", store.Log("main")[0].Message)
				}
				if left, _ := arrivals.Waiting(t.Context()); len(left) > 0 {
					t.Errorf("waiting are %+v", left)
				}
				if len(rep.Dropped) != 1 || rep.Dropped[0].Why == "" || rep.Dropped[0].Fix == "" {
					t.Errorf("it says %+v", rep.Dropped)
				}
				if rep = line(); len(rep.Dropped) > 0 {
					t.Errorf("it says so again: %+v", rep.Dropped)
				}
			})
		})
	}
}

// What was pushed before is deleted long before is no hint that a push is not wanted, nor is what moved since.
func TestOlderHandsKeepNoPushBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, arrivals := memory.New(map[string]string{".towpath.yaml": pushConfig, "team1/old.yaml": strings.Replace(appStream, "app", "old", 1)}), &registrymemory.Arrivals{}
		store.Now = time.Now
		line := func() *reconcile.Reconciler {
			return &reconcile.Reconciler{Store: store, Branch: "main", Reader: &registrymemory.Registry{}, Author: towpath, Arrivals: arrivals}
		}
		push := func(tag, word string) {
			name, tag, _ := strings.Cut(tag, ":")
			arrivals.Push("team1", name, tag, registrymemory.Digest(word), time.Now())
			time.Sleep(time.Minute)
		}
		for _, word := range []string{"one", "two", "one", "two"} {
			push("web:v1", word)
			line().Once(t.Context())
		}
		store.Edit("main", "delete", func(tree memory.Tree) { delete(tree, "team1/old.yaml") })
		time.Sleep(time.Minute)
		push("old:v1", "new")
		push("web:v1", "one")
		store.Write("main", "by hand", map[string]string{"other.txt": "x"})
		if _, err := line().Once(t.Context()); err != nil {
			t.Fatal(err)
		}
		got := records(t, store)
		if got["team1/old:v1"] != atHost("team1/old:v1", "new") || got["team1/web:v1"] != atHost("team1/web:v1", "one") {
			t.Errorf("on record are %v", got)
		}
	})
}

// What was taken back comes when it is pushed again after that, also where a new process sees all of it at once.
func TestPushAgainOfWhatWasTakenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, arrivals := memory.New(map[string]string{".towpath.yaml": pushConfig}), &registrymemory.Arrivals{}
		store.Now = time.Now
		var before memory.Tree
		push := func(word string) {
			arrivals.Push("team1", "web", "v1", registrymemory.Digest(word), time.Now())
			before = store.Tree("main")
			time.Sleep(time.Minute)
			r := &reconcile.Reconciler{Store: store, Branch: "main", Reader: &registrymemory.Registry{}, Author: towpath, Arrivals: arrivals}
			if _, err := r.Once(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got := records(t, store)["team1/web:v1"]; got != atHost("team1/web:v1", word) {
				t.Errorf("pushed was %s, and on record is %q", word, got)
			}
			time.Sleep(time.Minute)
		}
		push("one")
		push("two")
		store.Edit("main", "Revert two", func(tree memory.Tree) {
			clear(tree)
			maps.Copy(tree, before)
		})
		time.Sleep(time.Minute)
		push("two")
	})
}

// A source that a person writes after a push overtakes it: it is let go of, and does not come when the source goes.
func TestSourceOvertakesAPush(t *testing.T) {
	atDock(t, map[string]string{"team1/app.yaml": appStream}, func(d *dock) {
		bad := protected(d)
		d.push("team1/app:v1", "good")
		d.after(time.Minute)
		bad.Store(true)
		d.push("team1/app:v1", "bad")
		d.after(time.Minute)
		bad.Store(false)
		dropped := d.drops()
		text := d.store.Tree("main")["team1/app.yaml"].Content
		pin := "spec:\n  tags:\n    - name: v1\n      from: {kind: ImageStreamImage, name: \"app@" + registrymemory.Digest("good") + "\"}\n"
		d.store.Write("main", "pin it to good", map[string]string{"team1/app.yaml": strings.Replace(text, "status:\n", pin+"status:\n", 1)})
		d.after(24 * time.Hour)
		if said := dropped(); len(said) != 1 || !strings.Contains(said[0].Why, "follows app@") || !strings.Contains(said[0].Fix, "remove from: of that tag in team1/app.yaml:") {
			t.Errorf("it says %+v", said)
		}
		if left := d.waits(); len(left) > 0 {
			t.Errorf("waiting are %+v", left)
		}
		d.store.Write("main", "unpin", map[string]string{"team1/app.yaml": strings.Replace(d.store.Tree("main")["team1/app.yaml"].Content, pin, "", 1)})
		d.after(24 * time.Hour)
		if got := records(t, d.store)["team1/app:v1"]; got != atHost("team1/app:v1", "good") {
			t.Errorf("a push that is older than the pin goes out when that is taken out: %s", got)
		}
	})
}

// Who removes a source and pushes before Git is looked at again is not told that there is one.
func TestPushAfterItsSourceWasRemovedUnseen(t *testing.T) {
	text := strings.Replace(appStream, "metadata", "spec: {tags: [{name: v1, from: {kind: DockerImage, name: \"quay.io/team1/web:1.4\"}}]}\nmetadata", 1)
	atDock(t, map[string]string{"team1/app.yaml": text}, func(d *dock) {
		d.after(10*time.Minute + 5*time.Second)
		was := d.store.Tree("main")["team1/app.yaml"].Content
		at, end := strings.Index(was, "spec:"), strings.Index(was, "metadata")
		d.store.Write("main", "no source", map[string]string{"team1/app.yaml": was[:at] + was[end:]})
		time.Sleep(time.Second)
		d.push("team1/app:v1", "two")
		d.after(5 * time.Minute)
		if got := records(t, d.store)["team1/app:v1"]; got != atHost("team1/app:v1", "two") {
			t.Errorf("on record is %q, waiting %v", got, d.waits())
		}
	})
}

// What was declined is proposed again when it is pushed after that, with what follows it, and declined again for good.
func TestPushAfterADeclineAsksAnew(t *testing.T) {
	atLock(t, pushConfig+"defaults: {status: proposal, triggers: proposal}\n", func(l *lock) {
		l.store.Write("main", "a stream", map[string]string{"team1/app.yaml": appStream, "a.yaml": strings.ReplaceAll(follower("a", " "), "web:stable", "app:v1")})
		l.push("team1/app:v1", "one")
		l.accept()
		for _, between := range []bool{false, true, false} {
			l.push("team1/app:v1", "two")
			if text := l.store.Tree(l.one().Branch)["a.yaml"].Content; !strings.Contains(text, atHost("team1/app:v1", "two")) {
				t.Errorf("it is proposed without its site:\n%s", text)
			}
			l.decline()
			l.waits(0)
			l.closed()
			if time.Sleep(24 * time.Hour); between {
				l.push("team1/app:v1", "three")
				l.accept()
				time.Sleep(24 * time.Hour)
			}
		}
		l.rest()
		l.closed()
		l.push("team1/app:v1", "two")
		l.restart()
		l.line.Arrivals = l.arrivals
		l.rest()
		l.accept()
		l.wantRecord("team1/app:v1", "two")
		l.waits(0)
	})
}

// The command that a letter names brings a rejected push back, in the process that serves the registry and in one of its own.
func TestImportOfARejectedPush(t *testing.T) {
	atLock(t, underReview, func(l *lock) {
		h := reconcile.Hint{Stream: imagestream.Name{Namespace: "team1", Name: "app"}, Tag: "v1", Force: true}
		l.store.Write("main", "a stream", map[string]string{"team1/app.yaml": appStream})
		l.push("team1/app:v1", "one")
		l.decline()
		l.closed()
		time.Sleep(time.Hour)
		l.pass(h)
		l.rest()
		l.decline()
		l.closed()
		l.restart()
		l.line.Targets, l.line.Only = []reconcile.Hint{h}, reconcile.ImportOnly
		if _, err := l.line.Settle(l.t.Context(), h); err != nil {
			t.Error(err)
		}
		l.one()
		l.restart()
		l.line.Arrivals = l.arrivals
		l.rest()
		l.accept()
		l.wantRecord("team1/app:v1", "one")
	})
}

// Of two new streams that would be one file the one that is proposed keeps its place, else the one that was pushed first.
func TestNewStreamsInOnePlace(t *testing.T) {
	config := "version: 1\nregistry:\n  host: registry.example:5000\n  streams: {'*': streams}\ndefaults: {status: proposal}\n"
	atLock(t, config, func(l *lock) {
		l.push("team2/app:v1", "one")
		f := l.one()
		l.push("team1/app:v1", "one")
		l.push("team2/app:v1", "two") // it is the younger push by now
		for range 2 {
			if g := l.one(); g.Number != f.Number {
				t.Errorf("the proposal of the stream that was pushed first made way for %+v", g)
			}
			if why := l.last.Arrivals[0].Why; !strings.Contains(why, "team2/app, which was pushed, too, would be there") {
				t.Errorf("the other waits as %q", why)
			}
			l.restart()
			l.line.Arrivals = l.arrivals
			l.rest()
		}
	})
	atDock(t, map[string]string{".towpath.yaml": strings.TrimSuffix(config, "defaults: {status: proposal}\n")}, func(d *dock) {
		d.arrivals.Push("team2", "app", "v1", registrymemory.Digest("one"), time.Now())
		time.Sleep(time.Second)
		d.push("team1/app:v1", "one")
		d.after(time.Minute)
		if got := records(t, d.store); len(got) != 1 || got["team2/app:v1"] == "" {
			t.Errorf("on record are %v", got)
		}
	})
}

// A push that cannot be written says why, and what to write.
func TestPushThatCannotBeWritten(t *testing.T) {
	text := "apiVersion: image.openshift.io/v1\nkind: ImageStream\nmetadata: {name: bad, namespace: team1}\nstatus: &s\n  tags:\n  - tag: v1\n    items: []\n"
	atDock(t, map[string]string{"bad.yaml": text}, func(d *dock) {
		d.push("team1/bad:v1", "one")
		d.push("team1/good:v1", "one")
		d.after(10 * time.Minute)
		if got := records(t, d.store); got["team1/good:v1"] == "" || got["team1/bad:v1"] != "" {
			t.Errorf("on record are %v", got)
		}
		rep := <-d.passes
		if len(rep.Arrivals) != 1 || !strings.Contains(rep.Arrivals[0].Why, "bad.yaml:4: not edited: ") || rep.Arrivals[0].Fix == "" {
			t.Errorf("waiting are %+v", rep.Arrivals)
		}
	})
}
