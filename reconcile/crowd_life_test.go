package reconcile_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/towpath/towpath/gitstore"
	"github.com/towpath/towpath/gitstore/memory"
	"github.com/towpath/towpath/reconcile"
	registrymemory "github.com/towpath/towpath/registry/memory"
)

// Lives of towns: many pushes, many hands, tags that will not rest.

// A hundred images, one after another: each is one commit of the record and one of the
// sites, then it is quiet.
//
// fault: X-13
func TestHundredPushes(t *testing.T) {
	second := strings.ReplaceAll(webDeployment, "name: web\n", "name: second\n")
	inTown(t, map[string]string{"second.yaml": second}, func(w *town) {
		w.daemon()
		w.daemon()
		w.after(time.Minute)
		for n := range 100 {
			w.image(fmt.Sprintf("number%d", n))
			w.after(20 * time.Minute)
		}
		want := "quay.io/team1/web@" + registrymemory.Digest("number99")
		for _, path := range []string{"deploy.yaml", "second.yaml"} {
			if text := w.text(path); !strings.Contains(text, want) {
				t.Errorf("%s has not the last image\n%s", path, text)
			}
		}
		w.wantMade(101, 101)
		w.quiet()
		w.wantNotLost()
	})
}

// A tag flaps between two images at every poll. Without anything said the record says so and
// the sites follow a few times a day; with settle nothing is written at all; with a budget
// there are no more pushes than that, and none is lost for it.
//
// fault: H-26
func TestFlappingTag(t *testing.T) {
	flap := func(w *town) {
		n := 0
		w.bot(15*time.Minute, func() { n++; w.registry.Set("quay.io/team1/web:1.4 " + words[n%2]) })
	}
	t.Run("bounded", func(t *testing.T) {
		inTown(t, nil, func(w *town) {
			flap(w)
			w.daemon()
			w.daemon()
			w.after(48 * time.Hour)
			if status := w.made(reconcile.StatusCommit); status > 2*24*4+2 {
				t.Errorf("%d status commits in two days, want one each 15 minutes at most", status)
			}
			if trigger := w.made(reconcile.TriggerCommit); trigger < 2 || trigger > 2*2*3+2 {
				t.Errorf("%d trigger commits in two days, want three a day for each image at most\n%s", trigger, w.story())
			}
			if held := w.held(); len(held) > 1 || len(held) == 1 && held[0].Why != reconcile.FlipFlop {
				t.Errorf("held: %+v", held)
			}
			w.wantNotLost()
		})
	})
	t.Run("settle", func(t *testing.T) {
		inTown(t, map[string]string{".towpath.yaml": "version: 1\ndefaults: {settle: 1h}\n"}, func(w *town) {
			w.daemon()
			w.after(2 * time.Hour)
			first := w.made(reconcile.StatusCommit)
			flap(w)
			w.after(48 * time.Hour)
			w.wantMade(first, 1)
			w.want("deploy.yaml", "web@aaa")
		})
	})
	t.Run("budget", func(t *testing.T) {
		inTown(t, nil, func(w *town) {
			flap(w)
			w.daemon(func(r *reconcile.Reconciler) { r.PushesPerHour = 1 })
			w.after(48 * time.Hour)
			if pushes := w.made(reconcile.StatusCommit); pushes > 49 || pushes < 10 {
				t.Errorf("%d pushes in two days, want one an hour", pushes)
			}
		})
	})
}

// A tag goes back to an older image: the record says so with a third item, and the sites
// follow. A policy goes back only where it says so itself.
//
// fault: H-27
func TestRollback(t *testing.T) {
	t.Run("plain", func(t *testing.T) {
		inTown(t, nil, func(w *town) {
			w.daemon()
			for _, word := range []string{"aaa", "bbb", "aaa"} {
				w.image(word)
				w.after(time.Hour)
				w.want("deploy.yaml", "web@"+word)
			}
			w.wantMade(3, 3)
			if diff := cmp.Diff([]string{"aaa", "bbb", "aaa"}, history(w.text("web.yaml"))); diff != "" {
				t.Errorf("items, newest first (-want +got)\n%s", diff)
			}
			w.quiet()
		})
	})
	for name, c := range map[string]struct{ annotation, want string }{
		"policy":                {"", "bbb"},
		"policy that allows it": {", towpath.dev/allow-downgrade: \"true\"", "aaa"},
	} {
		t.Run(name, func(t *testing.T) {
			stream := strings.Replace(webStream, "web:1.4\"}", "web\"}\n      annotations: {towpath.dev/policy: \"semver:1.x\""+c.annotation+"}", 1)
			inTown(t, map[string]string{"web.yaml": stream}, func(w *town) {
				w.set("quay.io/team1/web:1.4 -")
				w.set("quay.io/team1/web:1.5.0 aaa\nquay.io/team1/web:1.6.0 bbb")
				w.daemon()
				w.after(time.Hour)
				w.want("deploy.yaml", "web@bbb")
				w.set("quay.io/team1/web:1.6.0 -") // a bad release is taken away
				w.after(48 * time.Hour)
				w.want("deploy.yaml", "web@"+c.want)
				w.quiet()
			})
		})
	}
}

// history is the items of a stream with one tag, newest first, in words.
func history(text string) []string {
	var items []string
	for line := range strings.SplitSeq(text, "\n") {
		if _, digest, ok := strings.Cut(line, " image: "); ok {
			i := slices.IndexFunc(words, func(word string) bool { return registrymemory.Digest(word) == digest })
			items = append(items, append(words, digest)[max(i, -i*len(words))])
		}
	}
	return items
}

// Three daemons and two people on twenty streams for two hours; daemons die and start again,
// pushes fail and their answers are lost. Nothing anybody committed is lost, no site is given
// an image twice that it was told once, no stream says what it never was, and in the end all is
// what the registry says.
//
// fault: X-01
func TestCrowd(t *testing.T) {
	const streams = 20
	seed := max(*seed, 1) // -seed=N is another crowd
	t.Logf("-seed=%d", seed)
	files := map[string]string{}
	for i := range streams {
		name := fmt.Sprintf("s%02d", i)
		files["streams/"+name+".yaml"] = strings.NewReplacer("{name: web,", "{name: "+name+",", "web:1.4", name+":1").Replace(webStream)
		files["apps/"+name+".yaml"] = strings.NewReplacer("web:stable", name+":stable", "name: web\n", "name: "+name+"\n").Replace(webDeployment)
	}
	inTown(t, files, func(w *town) {
		random, fate := rand.New(rand.NewPCG(seed, 0)), rand.New(rand.NewPCG(seed, 1)) // fate is the pushes'
		now := map[string]string{}                                                     // by reference
		streamOf := func(ref string) string {
			return "streams/" + strings.TrimSuffix(strings.TrimPrefix(ref, "quay.io/team1/"), ":1") + ".yaml"
		}
		move := func(i int) {
			w.mu.Lock()
			defer w.mu.Unlock()
			ref := fmt.Sprintf("quay.io/team1/s%02d:1", i)
			now[ref] = registrymemory.Digest(fmt.Sprint(ref, random.Uint64()))
			w.set(ref + " " + now[ref])
		}
		for i := range streams {
			move(i)
		}
		var lost, calm atomic.Bool
		w.store.Hook = func(op string) (bool, error) {
			if apply, err := w.hook(op); op != memory.OpPush || err != nil || calm.Load() {
				return apply, err
			}
			w.mu.Lock()
			defer w.mu.Unlock()
			switch fate.IntN(6) {
			case 0:
				lost.Store(true)
				return true, unreachable() // landed, if nobody was faster
			case 1:
				return false, unreachable()
			}
			return true, nil
		}
		daemons := []func(){w.daemon(), w.daemon(), w.daemon()}
		var theirs []gitstore.Rev
		comments := map[string]string{} // by file
		for step := range 80 {
			w.after(time.Duration(random.IntN(180)) * time.Second)
			switch i := random.IntN(streams); random.IntN(8) {
			case 0, 1, 2:
				move(i)
			case 3:
				d := random.IntN(len(daemons))
				daemons[d]()
				daemons[d] = w.daemon()
			case 4, 5: // the first person takes images back, and edits beside them
				path := fmt.Sprintf("apps/s%02d.yaml", i)
				w.mu.Lock()
				theirs = append(theirs, w.store.Write("main", "by hand", map[string]string{path: withImage(w.text(path), fmt.Sprintf("mine:%d", step))}))
				w.mu.Unlock()
			default: // the second writes where we are about to write
				w.before(func() {
					w.mu.Lock()
					defer w.mu.Unlock()
					for ref, digest := range now {
						path := streamOf(ref)
						if comment := fmt.Sprintf("# step %d\n", step); !strings.Contains(w.text(path), digest) {
							theirs = append(theirs, w.store.Write("main", "a comment", map[string]string{path: comment + w.text(path)}))
							comments[path] += comment
						}
					}
				})
			}
		}
		for i := range streams {
			move(i) // what people took back may move now
		}
		calm.Store(true)
		w.after(2 * time.Hour)
		w.quiet()
		w.wantNotLost()
		if !lost.Load() {
			t.Error("no answer was lost: that is half of the point")
		}
		w.wantEachOnce(theirs)
		for path, all := range comments {
			for comment := range strings.Lines(all) {
				if !strings.Contains(w.text(path), comment) {
					t.Errorf("%q is gone from %s\n%s", comment, path, w.text(path))
				}
			}
		}
		for ref, digest := range now {
			for _, path := range []string{streamOf(ref), strings.Replace(streamOf(ref), "streams/", "apps/", 1)} {
				if !strings.Contains(w.text(path), digest) {
					t.Errorf("%s has not %s\n%s", path, digest, w.text(path))
				}
			}
		}
	})
}

// catalogs are what each commit says, oldest first.
func (w *town) catalogs() []*reconcile.Catalog {
	w.t.Helper()
	var snaps []gitstore.Snapshot
	for snap, err := w.store.Snapshot(w.ctx, "main"); snap != nil; snap, err = snap.Parent(w.ctx) {
		if err != nil {
			w.t.Fatal(err)
		}
		snaps = append(snaps, snap)
	}
	slices.Reverse(snaps)
	var cats []*reconcile.Catalog
	var last *reconcile.Catalog
	for _, snap := range snaps {
		cat, err := reconcile.Load(w.ctx, snap, last, nil)
		if err != nil {
			w.t.Fatal(err)
		}
		cats, last = append(cats, cat), cat
	}
	return cats
}

// wantEachOnce reads the whole log: all that people committed is there, no commit of ours is
// empty, and no site is given an image again while the record says it without a break.
func (w *town) wantEachOnce(theirs []gitstore.Rev) {
	w.t.Helper()
	log := w.store.Log("main")
	slices.Reverse(log)
	cats := w.catalogs()
	given, moves := map[string]string{}, 0
	for i := 1; i < len(log); i++ {
		theirs = slices.DeleteFunc(theirs, func(rev gitstore.Rev) bool { return rev == log[i].Rev })
		record, before := recordOf(cats[i]), sitesOf(cats[i-1])
		was := recordOf(cats[i-1])
		if ours(log[i]) && cmp.Equal(log[i].Tree, log[i-1].Tree) {
			w.t.Errorf("an empty commit: %s", log[i].Message)
		}
		for id, site := range sitesOf(cats[i]) {
			says := record[site.Follows]
			key := id.String()
			if given[key] != says {
				delete(given, key)
			}
			if !ours(log[i]) || site.Current() == before[id].Current() {
				continue
			}
			moves++
			if given[key] == site.Current() {
				w.t.Errorf("%s got %s twice: %s", id, site.Current(), log[i].Message)
			}
			if given[key] = site.Current(); was[site.Follows] != site.Current() {
				w.t.Errorf("%s got %s, which was not on record before: %s", id, site.Current(), log[i].Message)
			}
		}
	}
	if len(theirs) > 0 {
		w.t.Errorf("%d commits of people are gone: %v", len(theirs), theirs)
	}
	if moves == 0 {
		w.t.Error("no site ever moved")
	}
}
