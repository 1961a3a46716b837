package reconcile_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/towpath/towpath/gitstore"
	"github.com/towpath/towpath/gitstore/memory"
	"github.com/towpath/towpath/imagestream"
	"github.com/towpath/towpath/reconcile"
	registrymemory "github.com/towpath/towpath/registry/memory"
)

// bareApp is a stream without tags.
const bareApp = "apiVersion: image.openshift.io/v1\nkind: ImageStream\nmetadata: {name: app, namespace: team1}\n"

// A push that cannot be written, or waits for people, does not keep the line busy: neither while one
// registry answers and another hangs, nor does it cut what registries say into many commits.
func TestPushThatWaitsKeepsNobodyBusy(t *testing.T) {
	for what, config := range map[string]string{
		"review":    "rules: [{paths: [team1/**], status: proposal}]\n",
		"protected": "", "uneditable": "",
	} {
		t.Run(what, func(t *testing.T) {
			files := map[string]string{".towpath.yaml": pushConfig + "defaults: {interval: 5m}\n" + config, "team1/app.yaml": bareApp}
			if what == "uneditable" {
				files["team1/app.yaml"] += "x: &s {tags: []}\nstatus: *s\n"
			}
			for i := range 20 {
				files[fmt.Sprintf("f%d.yaml", i)] = strings.ReplaceAll(quayStream(fmt.Sprintf("f%d", i)), "team1/f", "team1/web-f")
				files[fmt.Sprintf("s%d.yaml", i)] = strings.ReplaceAll(quayStream(fmt.Sprintf("s%d", i)), "quay.io", "slow.example")
			}
			synctest.Test(t, func(t *testing.T) {
				arrivals := &registrymemory.Arrivals{}
				var most, inOne int
				var last time.Time
				var slow atomic.Bool
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				w := start(t, files, func(w *walker) {
					for i := range 20 {
						w.set(fmt.Sprintf("quay.io/team1/web-f%d:1.4 aaa", i))
						w.set(fmt.Sprintf("slow.example/team1/s%d:1.4 aaa", i))
					}
					w.Arrivals = arrivals
					was := w.Passed
					w.Passed = func(r reconcile.Report) {
						was(r)
						if now := time.Now(); now.Equal(last) {
							inOne++
						} else {
							last, inOne = now, 1
						}
						if most = max(most, inOne); inOne > 200 {
							cancel()
							w.stop()
						}
					}
					w.store.Hook = func(op string) (bool, error) {
						if op == memory.OpPush && slow.Load() && what == "protected" {
							return false, &gitstore.Error{Kind: gitstore.Denied, Repo: "memory", What: "protected"}
						}
						return true, nil
					}
					w.registry.Hook = func(ctx context.Context, c registrymemory.Call) error {
						if slow.Load() && strings.Contains(fmt.Sprint(c), "slow.example") {
							select {
							case <-time.After(4 * time.Minute):
							case <-ctx.Done():
							}
						}
						return ctx.Err()
					}
				})
				time.Sleep(20 * time.Minute)
				slow.Store(true)
				arrivals.Push("team1", "app", "v1", registrymemory.Digest("one"), time.Now())
				w.Hint(reconcile.Hint{Arrived: true})
				select {
				case <-time.After(30 * time.Minute):
					w.stop()
				case <-ctx.Done():
				}
				<-w.ended
				if most > 20 {
					t.Errorf("%d passes at one moment", most)
				}
			})
		})
	}
}

// Nor does it where what is done cannot be let go of.
func TestPushThatCannotBeTakenKeepsNobodyBusy(t *testing.T) {
	atDock(t, map[string]string{"team1/app.yaml": bareApp}, func(d *dock) {
		d.arrivals.Hook = func(op string) error { return map[bool]error{true: errStorage}[op == "Take"] }
		d.push("team1/app:v1", "one")
		d.after(time.Minute)
		var passes int
		for len(d.passes) > 0 {
			<-d.passes
		}
		d.after(10 * time.Minute)
		for len(d.passes) > 0 {
			<-d.passes
			passes++
		}
		if passes > 100 {
			t.Errorf("%d passes in ten minutes", passes)
		}
		d.wantCommits(1)
	})
}

// Git is looked at every 30 s; a person reverts, or deletes the file, and a client pushes the image
// again before the next look.
func TestPushAfterAnEditThatNobodySaw(t *testing.T) {
	for _, what := range []string{"revert", "delete"} {
		for _, wait := range []time.Duration{5, 10, 15, 20} {
			t.Run(fmt.Sprint(what, wait), func(t *testing.T) {
				atDock(t, map[string]string{}, func(d *dock) {
					d.push("team1/web:v1", "one")
					d.after(time.Minute)
					tree := d.store.Tree("main")["team1/web.yaml"].Content
					d.push("team1/web:v1", "two")
					d.after(time.Minute + wait*time.Second)
					d.store.Edit("main", what, func(all memory.Tree) {
						if f := all["team1/web.yaml"]; what == "revert" {
							f.Content = tree
							all["team1/web.yaml"] = f
						} else {
							delete(all, "team1/web.yaml")
						}
					})
					time.Sleep(2 * time.Second)
					d.push("team1/web:v1", "two") // a client pushes it once more, after that
					d.after(5 * time.Minute)
					if got := records(t, d.store)["team1/web:v1"]; got != atHost("team1/web:v1", "two") {
						t.Errorf("the push that is younger is lost: on record is %q, waiting %v", got, d.waits())
					}
				})
			})
		}
	}
}

// A clock that was set back makes no push older than one before it, whatever Git does meanwhile.
func TestPushAfterTheClockWasSetBack(t *testing.T) {
	for _, away := range []bool{false, true} {
		t.Run(fmt.Sprint(away), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store, arrivals := memory.New(map[string]string{".towpath.yaml": pushConfig}), &registrymemory.Arrivals{}
				r := &reconcile.Reconciler{Store: store, Branch: "main", Reader: &registrymemory.Registry{}, Author: towpath, Arrivals: arrivals}
				arrivals.Push("team1", "web", "v1", registrymemory.Digest("one"), time.Now())
				if _, err := r.Once(t.Context()); err != nil {
					t.Fatal(err)
				}
				arrivals.Push("team1", "web", "v1", registrymemory.Digest("two"), time.Now().Add(-20*time.Second)) // the clock was set back 20 s
				if away {
					time.Sleep(time.Minute) // Git is away
				}
				time.Sleep(time.Second)
				if _, err := r.Once(t.Context()); err != nil {
					t.Fatal(err)
				}
				left, _ := arrivals.Waiting(t.Context())
				if got := records(t, store)["team1/web:v1"]; got != atHost("team1/web:v1", "two") {
					t.Errorf("what was pushed last is lost: on record %s, waiting %v", got, left)
				}
			})
		})
	}
}

// What a person puts on record while a push waits goes before it, although it looks like a push.
func TestPushOvertakenByHand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, arrivals := memory.New(map[string]string{".towpath.yaml": pushConfig, "team1/app.yaml": bareApp}), &registrymemory.Arrivals{}
		r := &reconcile.Reconciler{Store: store, Branch: "main", Reader: &registrymemory.Registry{}, Author: towpath, Arrivals: arrivals}
		push := func(word string) {
			arrivals.Push("team1", "app", "v1", registrymemory.Digest(word), time.Now())
			r.Once(t.Context())
			time.Sleep(time.Minute)
		}
		push("one")
		away := true
		store.Hook = func(op string) (bool, error) {
			if op == memory.OpPush && away {
				return false, unreachable()
			}
			return true, nil
		}
		push("two")
		away = false
		text := store.Tree("main")["team1/app.yaml"].Content
		items := text[strings.Index(text, "- created:"):]
		by := strings.NewReplacer(registrymemory.Digest("one"), registrymemory.Digest("hand"), items[:strings.Index(items, "\n")], fmt.Sprintf("- created: %q", time.Now().UTC().Format(time.RFC3339)))
		store.Write("main", "by hand", map[string]string{"team1/app.yaml": strings.Replace(text, items, by.Replace(items)+"    "+items, 1)})
		time.Sleep(time.Hour)
		for range 2 {
			if _, err := r.Once(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if got := records(t, store)["team1/app:v1"]; got != atHost("team1/app:v1", "hand") {
			t.Errorf("on record is %s\n%s", got, store.Tree("main")["team1/app.yaml"].Content)
		}
	})
}

// A team moves from another registry to this one: the same image is pushed. It is on
// record as of here from then on; sites that run it have the same bytes, and move with the next.
func TestPushOfAnImageFromElsewhere(t *testing.T) {
	atDock(t, map[string]string{"team1/web.yaml": webStream}, func(d *dock) {
		d.Hint(reconcile.Hint{Force: true})
		d.after(10 * time.Minute)
		text := d.store.Tree("main")["team1/web.yaml"].Content
		i := strings.Index(text, "      from:")
		j := i + strings.Index(text[i:], "\n") + 1
		d.store.Write("main", "no from any more", map[string]string{"team1/web.yaml": text[:i] + text[j:]})
		d.after(time.Minute)
		d.push("team1/web:stable", "aaa") // skopeo copy quay.io/team1/web:1.4 registry.example:5000/team1/web:stable
		d.after(time.Minute)
		if got := records(t, d.store)["team1/web:stable"]; got != atHost("team1/web:stable", "aaa") {
			t.Errorf("it was pushed here, and is still %s\n%s", got, d.store.Tree("main")["team1/web.yaml"].Content)
		}
	})
}

// What was pushed to a tag long ago is not recalled where the tag has another source by now.
func TestRecallOfATagWithASource(t *testing.T) {
	atDock(t, map[string]string{"team1/app.yaml": bareApp}, func(d *dock) {
		dropped := d.drops()
		d.push("team1/app:v1", "old")
		d.after(time.Minute)
		time.Sleep(time.Hour)
		edit := func(subject, from, to string) {
			text := d.store.Tree("main")["team1/app.yaml"].Content
			d.store.Write("main", subject, map[string]string{"team1/app.yaml": strings.Replace(text, from, to, 1)})
			d.after(time.Minute)
		}
		spec := "spec:\n  tags:\n    - name: v1\n      from: {kind: DockerImage, name: \"quay.io/team1/web:1.4\"}\n"
		edit("import it from quay", "status:\n", spec+"status:\n")
		want := "quay.io/team1/web@" + registrymemory.Digest("aaa")
		if got := records(t, d.store)["team1/app:v1"]; got != want {
			t.Fatalf("on record %s", got)
		}
		time.Sleep(time.Hour)
		d.Hint(reconcile.Hint{Stream: imagestream.Name{Namespace: "team1", Name: "app"}, Tag: "v1", Force: true}) // towpath import --server team1/app:v1
		d.after(time.Minute)
		if w := d.waits(); len(w) > 0 || len(dropped()) > 0 {
			t.Errorf("an import of a tag that is imported made a push wait: %+v, or end: %+v", w, dropped())
		}
		time.Sleep(time.Hour)
		edit("freeze it", spec, "")
		d.after(10 * time.Minute)
		if got := records(t, d.store)["team1/app:v1"]; got != want {
			t.Errorf("the image that was pushed long ago is back: %s, want %s", got, want)
		}
	})
}

// A stream is not added where a kustomization would take it for a patch.
func TestPushWhereKustomizeLooks(t *testing.T) {
	for kustomization, want := range map[string]string{
		"patches:\n- path: web.yaml\n":        "team1/kustomization.yaml names that file as a patch; take it out of the patches there, or name another directory in .towpath.yaml:4",
		"patchesStrategicMerge: [web.yaml]\n": "names that file as a patch",
		"resources: [deploy.yaml]\n":          "",
	} {
		t.Run(strings.TrimSpace(kustomization), func(t *testing.T) {
			atDock(t, map[string]string{"team1/kustomization.yaml": kustomization}, func(d *dock) {
				d.push("team1/web:v1", "one")
				d.after(time.Minute)
				var got string
				for _, a := range (<-d.passes).Arrivals {
					got += a.Why + "; " + a.Fix
				}
				if (want == "") != (got == "") || !strings.Contains(got, want) {
					t.Errorf("it waits because %q, want %q", got, want)
				}
				d.wantCommits(map[bool]int{true: 1}[want == ""])
				if why := d.Shelf().Admits(imagestream.TagRef{Stream: imagestream.Name{Namespace: "team1", Name: "web"}, Tag: "v2"}); (why == nil) != (want == "") {
					t.Errorf("the next push hears %+v", why)
				}
			})
		})
	}
}

// A pass in which nothing happened costs no more where many new streams wait for their review.
func TestPushesThatWaitCostNothing(t *testing.T) {
	files := map[string]string{".towpath.yaml": pushConfig + "rules: [{paths: [new/**], status: proposal, group: all}]\n"}
	store, arrivals := memory.New(files), &registrymemory.Arrivals{}
	r := &reconcile.Reconciler{Store: store, Branch: "main", Reader: &registrymemory.Registry{}, Author: towpath, Arrivals: arrivals, Poll: time.Minute, Yes: true}
	for i := range 300 {
		arrivals.Push("new", fmt.Sprintf("n%d", i), "v1", registrymemory.Digest("x"), time.Now())
	}
	for range 3 {
		r.Once(t.Context(), reconcile.Hint{Arrived: true})
	}
	var rep reconcile.Report
	allocs := testing.AllocsPerRun(5, func() { rep, _ = r.Once(t.Context(), reconcile.Hint{Arrived: true}) })
	if len(rep.Arrivals) != 300 || !rep.Idle || allocs > 3000 {
		t.Errorf("%d wait; idle %v; %v allocations", len(rep.Arrivals), rep.Idle, allocs)
	}
}
