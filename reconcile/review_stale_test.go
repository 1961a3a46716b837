package reconcile_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/towpath/towpath/forge"
	forgememory "github.com/towpath/towpath/forge/memory"
	"github.com/towpath/towpath/gitstore"
	"github.com/towpath/towpath/gitstore/memory"
	"github.com/towpath/towpath/reconcile"
	"github.com/towpath/towpath/registry"
	registrymemory "github.com/towpath/towpath/registry/memory"
)

// pass walks the line once, as a daemon does: what it knows may be older than what people did.
func (p *pier) pass(hints ...reconcile.Hint) {
	p.t.Helper()
	p.line.Wait = true
	rep, err := p.line.Once(p.t.Context(), hints...)
	if err != nil && !errors.Is(err, gitstore.ErrMoved) {
		p.t.Fatal(err)
	}
	p.last = rep
}

// daemon runs for a while, and counts what it asks the forge.
func (p *pier) daemon(d time.Duration) (asked map[string]int) {
	p.t.Helper()
	asked = map[string]int{}
	p.line.Poll = time.Minute
	p.forge.Hook = func(op string) (bool, error) { asked[op]++; return true, nil }
	ctx, stop := context.WithCancel(p.t.Context())
	done := make(chan error, 1)
	go func() { done <- p.line.Run(ctx) }()
	time.Sleep(d)
	stop()
	if err := <-done; err != nil {
		p.t.Error(err)
	}
	p.forge.Hook = nil
	return asked
}

// fails has the forge fail at an operation, so often.
func (p *pier) fails(op string, times int, kind forge.Kind) {
	p.forge.Hook = func(is string) (bool, error) {
		if is != op || times == 0 {
			return true, nil
		}
		times--
		return false, &forge.Error{Kind: kind, Forge: "x", What: "not now"}
	}
}

// What was merged seconds ago, and is open in an older list, is not overwritten by a newer image: that gets a
// proposal of its own.
func TestReviewStaleListPush(t *testing.T) {
	for _, config := range []string{bothReviewed, sitesReviewed} {
		atPier(t, config, func(p *pier) { // fault: F-13
			p.line.Poll = time.Minute
			p.push("aaa")
			f := p.one()
			p.walk()
			time.Sleep(2 * time.Second)
			p.merge(f, "squash") // its branch stays, as most forges leave it
			body := p.forge.All()[0].Body
			time.Sleep(2 * time.Second)
			p.offers("quay.io/team1/web:1.4 bbb")
			p.pass(reconcile.Hint{Scheduled: true})
			for range 5 {
				time.Sleep(time.Second)
				p.pass()
			}
			p.walk()
			if p.forge.All()[0].Body != body || len(p.forge.Comments(f.Number)) > 0 {
				t.Errorf("%q: the merged one says\n%s\n%q", config, p.forge.All()[0].Body, p.forge.Comments(f.Number))
			}
			p.holds(p.one().Branch, "bbb", "bbb", "bbb")
		})
	}
}

// Nor is it told that there is nothing left to propose.
func TestReviewStaleListWithdraw(t *testing.T) {
	atPier(t, sitesReviewed, func(p *pier) { // fault: F-08
		p.line.Poll = time.Minute
		p.store.Write("main", "another", map[string]string{"streams/d.yaml": quayStream("d")})
		p.offers("quay.io/team1/web:1.4 aaa\nquay.io/team1/d:1.4 ddd")
		p.walk()
		p.walk()
		f := p.one()
		time.Sleep(2 * time.Second)
		p.merge(f, "squash")
		p.offers("quay.io/team1/web:1.4 aaa\nquay.io/team1/d:1.4 eee") // goes straight to main, which is read again
		p.pass(reconcile.Hint{Scheduled: true})
		for range 5 {
			time.Sleep(time.Second)
			p.pass()
		}
		if c := p.forge.Comments(f.Number); len(c) > 0 {
			t.Errorf("what was merged is told %q", c)
		}
	})
}

// atOnce is what two daemons make of one image: the second has looked at main, then main moves, and the first makes
// the branch on that before the second lists the branches.
func (p *pier) atOnce(forged bool) {
	p.t.Helper()
	first := p.line
	p.restart()
	if p.line.Poll = time.Minute; !forged {
		first.Forge, p.line.Forge = nil, nil
	}
	p.offers("quay.io/team1/web:1.4 aaa")
	p.store.Hook = func(op string) (bool, error) {
		if op == memory.OpBranches {
			p.store.Hook = nil
			p.store.Write("main", "else", map[string]string{"README.md": "x"})
			if _, err := first.Settle(p.t.Context(), reconcile.Hint{Scheduled: true}); err != nil {
				p.t.Error(err)
			}
		}
		return true, nil
	}
	p.pass(reconcile.Hint{Scheduled: true})
}

// A branch that stands on a main that is newer than what this process knows is towpath's all the same.
func TestReviewBranchOnNewerMain(t *testing.T) {
	for _, forged := range []bool{false, true} {
		atPier(t, bothReviewed, func(p *pier) { // fault: F-09
			p.atOnce(forged)
			tip := p.store.Tip(p.branches()[0])
			for range 3 {
				if strings.Contains(p.states(), "refused") || strings.Contains(p.states(), "frozen") {
					t.Errorf("a forge %v: it is %s", forged, p.states())
				}
				time.Sleep(2 * time.Minute)
				p.pass()
			}
			if got := p.store.Tip(p.branches()[0]); got != tip {
				t.Errorf("a forge %v: it was made again", forged)
			}
		})
	}
}

// Nor does it stay refused.
func TestReviewRefusedStays(t *testing.T) {
	atPier(t, bothReviewed, func(p *pier) {
		p.atOnce(false)
		for range 3 {
			time.Sleep(2 * time.Hour)
			if p.pass(reconcile.Hint{Scheduled: true}); p.states() != "pushed" {
				t.Errorf("it is %s", p.states())
			}
		}
	})
}

// What another daemon made again because main moved is not overwritten by one that knows an older main, nor
// taken for a person's, also where the other died before it said so.
func TestReviewMovesWithMain(t *testing.T) {
	for _, dies := range []bool{false, true} {
		atPier(t, bothReviewed, func(p *pier) { // fault: F-09
			p.push("aaa")
			f, other := p.one(), p.line
			p.restart()
			p.line.Poll = time.Hour
			p.forge.Hook = func(op string) (bool, error) {
				if op != forgememory.OpList {
					return true, nil
				}
				p.forge.Hook = nil
				p.store.Write("main", "the same file", map[string]string{"a.yaml": p.text("a.yaml") + "# a comment\n"})
				if dies {
					p.fails(forgememory.OpEdit, -1, forge.Unreachable)
				}
				time.Sleep(time.Minute)
				_, err := other.Settle(p.t.Context(), reconcile.Hint{Scheduled: true})
				p.forge.Hook = nil
				return true, err
			}
			if _, err := p.line.Settle(p.t.Context()); err != nil {
				t.Fatal(err)
			}
			if text := p.store.Tree(f.Branch)["a.yaml"].Content; !strings.Contains(text, "# a comment") {
				t.Errorf("the other dies %v: it was made again on an older main:\n%s", dies, text)
			}
			for range 3 {
				time.Sleep(2 * time.Hour)
				if p.pass(reconcile.Hint{Scheduled: true}); p.states() != "open" {
					t.Errorf("the other dies %v: it is %s", dies, p.states())
				}
			}
			if c := p.forge.Comments(f.Number); len(c) > 0 {
				t.Errorf("the other dies %v: towpath's own commits are called a person's: %q", dies, c)
			}
		})
	}
}

// A proposal whose base is long ago, or was rewritten, outlives a restart, however long the registry takes.
func TestReviewOldBaseDaemon(t *testing.T) {
	for name, do := range map[string]func(p *pier){
		"2100 commits": func(p *pier) {
			for i := range 2100 {
				p.store.Write("main", "else", map[string]string{"README.md": fmt.Sprint(i)})
			}
		},
		"rewritten": func(p *pier) {
			tree, log := p.store.Tree("main"), p.store.Log("main")
			p.store.Move("main", log[len(log)-1].Rev)
			p.store.Edit("main", "squashed", func(now memory.Tree) { clear(now); maps.Copy(now, tree) })
		},
	} {
		for _, down := range []bool{false, true} {
			atPier(t, bothReviewed, func(p *pier) { // fault: F-09
				p.store.Write("main", "one", map[string]string{"README.md": "one"})
				p.push("aaa")
				f := p.one()
				do(p)
				p.restart()
				p.registry.Hook = func(context.Context, registrymemory.Call) error {
					time.Sleep(3 * time.Second)
					if down {
						return &registry.Error{Kind: registry.Unreachable, Message: "down"}
					}
					return nil
				}
				p.daemon(time.Hour)
				if got := p.open(); len(got) != 1 || got[0].Number != f.Number || len(p.forge.Comments(f.Number)) > 0 {
					t.Errorf("%s, registry down %v: open are %+v; it was told %q", name, down, got, p.forge.Comments(f.Number))
				}
			})
		}
	}
}

// A record whose clock was ahead keeps no newer image back, and makes nobody propose it again and again.
func TestReviewFuture(t *testing.T) {
	for _, config := range []string{bothReviewed, sitesReviewed, "version: 1\ndefaults: {status: proposal}\n"} {
		for _, runs := range []bool{false, true} {
			atPier(t, config, func(p *pier) { // fault: F-13
				p.push("aaa")
				for range 3 {
					for _, f := range p.open() {
						p.merge(f, "squash")
					}
					p.walk()
				}
				p.store.Edit("main", "a clock", func(tree memory.Tree) {
					f := tree["streams/web.yaml"]
					f.Content = strings.ReplaceAll(f.Content, "created: \"2000-01-01T00", "created: \"2000-01-01T09")
					tree["streams/web.yaml"] = f
				})
				p.offers("quay.io/team1/web:1.4 bbb")
				if runs {
					asked := p.daemon(8 * time.Hour)
					delete(asked, forgememory.OpList) // which is asked as ever
					for op, n := range asked {
						if n > 2 {
							t.Errorf("%q: %s is asked %d times", config, op, n)
						}
					}
				} else {
					for range 5 {
						p.walk()
					}
				}
				if n := len(p.forge.All()); n > 2 {
					t.Errorf("%q, runs %v: %d proposals in all", config, runs, n)
				}
				if tree := p.store.Tree(p.one().Branch); !strings.Contains(tree["streams/web.yaml"].Content+tree["a.yaml"].Content, registrymemory.Digest("bbb")) {
					t.Errorf("%q, runs %v: open is %+v", config, runs, p.one())
				}
			})
		}
	}
}

// Who runs towpath now and then gets on where the forge does not close what has no branch.
func TestReviewAloneOneShot(t *testing.T) {
	atPier(t, bothReviewed, func(p *pier) { // fault: F-03
		p.push("aaa")
		f := p.one()
		heads := p.forge.Heads
		p.forge.Heads = func(branch string) string {
			if branch == f.Branch && p.store.Tip(branch) == "" {
				return f.Head
			}
			return heads(branch)
		}
		p.store.Move(f.Branch, "")
		for range 3 {
			p.restart()
			p.push("bbb")
		}
		if got := p.one(); got.Number == f.Number {
			t.Errorf("it is %s", p.states())
		}
		p.holds(f.Branch, "bbb", "bbb", "bbb")
	})
}

// A merge that could not be left to the forge is left to it later, once.
func TestReviewArmAgain(t *testing.T) {
	for _, dies := range []bool{false, true} {
		atPier(t, "version: 1\ndefaults: {status: proposal, triggers: proposal, merge: platform}\n", func(p *pier) {
			p.fails(forgememory.OpAutoMerge, 1, forge.Unreachable)
			p.push("aaa")
			p.forge.SetChecks(p.one().Head, forge.Pending)
			asked := 0
			p.forge.Hook = func(op string) (bool, error) {
				if op == forgememory.OpAutoMerge {
					asked++
				}
				return true, nil
			}
			if dies {
				p.restart()
			}
			for range 5 {
				time.Sleep(10 * time.Minute)
				p.walk()
			}
			if asked != 1 {
				t.Errorf("a restart %v: the forge was asked %d times more", dies, asked)
			}
		})
	}
}

// A green proposal is merged also by one who starts anew each time, though its registry has to be asked before.
func TestReviewGreenOneShot(t *testing.T) {
	for _, scheduled := range []string{"true", "false"} {
		for _, hints := range [][]reconcile.Hint{nil, {{Scheduled: true}}} { // as import, or run --once, does
			atPier(t, whenGreen, func(p *pier) {
				p.merging()
				p.store.Write("main", "schedule", map[string]string{"streams/web.yaml": strings.Replace(p.text("streams/web.yaml"), "scheduled: true", "scheduled: "+scheduled, 1)})
				p.push("aaa")
				p.forge.SetChecks(p.one().Head, forge.Green)
				for range 3 {
					p.restart()
					time.Sleep(15 * time.Minute)
					if _, err := p.line.Settle(p.t.Context(), hints...); err != nil {
						t.Fatal(err)
					}
				}
				p.none()
				p.record("main", "aaa")
			})
		}
	}
}

// The checks of a pass are few and, where nothing checks, they are looked at less and less.
func TestReviewGreenRequests(t *testing.T) {
	atPier(t, whenGreen+"max-open: 100\n", func(p *pier) {
		const many = 30
		p.store.Edit("main", "many", func(tree memory.Tree) {
			var lines strings.Builder
			for i := range many {
				name := fmt.Sprintf("s%03d", i)
				tree["streams/"+name+".yaml"] = memory.File{Content: quayStream(name)}
				fmt.Fprintf(&lines, "quay.io/team1/%s:1.4 %s\n", name, name)
			}
			p.offers(lines.String())
		})
		p.line.Yes = true
		p.walk()
		asked := 0
		p.forge.Hook = func(op string) (bool, error) {
			if op == forgememory.OpChecks {
				asked++
			}
			return true, nil
		}
		looks := func(minutes int) (all int) {
			for range minutes {
				asked = 0
				time.Sleep(time.Minute)
				if p.pass(); asked > 25 {
					t.Errorf("%d in one pass", asked)
				}
				all += asked
			}
			return all
		}
		if n := looks(20); n < 10*many {
			t.Errorf("at first %d looks", n)
		}
		if n := looks(30); n < 2*many || n > 4*many {
			t.Errorf("later %d looks in half an hour", n)
		}
	})
}

// Who closes what towpath meant to close, after a person had taken it over, has declined it.
func TestReviewFrozenWithdrawn(t *testing.T) {
	atPier(t, bothReviewed, func(p *pier) { // faults: F-03, F-04
		p.push("aaa")
		f, text := p.one(), p.text("streams/web.yaml")
		p.store.Edit("main", "away", func(tree memory.Tree) { delete(tree, "streams/web.yaml") })
		p.fails(forgememory.OpClose, -1, forge.Unreachable)
		p.walk()
		p.forge.Hook = nil
		p.store.Write(f.Branch, "mine", map[string]string{"notes.txt": "x"})
		p.store.Write("main", "back", map[string]string{"streams/web.yaml": text})
		time.Sleep(time.Hour)
		p.walk()
		p.walk()
		if p.states() != "frozen" {
			t.Errorf("it is %s", p.states())
		}
		p.forge.CloseBy(f.Number)
		p.store.Move(f.Branch, "")
		for range 3 {
			p.walk()
		}
		p.none()
	})
}

// People group anew while a stream is paused: the same sites are not proposed twice.
func TestReviewGroupWhilePaused(t *testing.T) {
	atPier(t, sitesReviewed, func(p *pier) {
		p.push("aaa")
		f := p.one()
		config := strings.Replace(sitesReviewed, "}", ", group: all}", 1)
		p.store.Write("main", "group", map[string]string{".towpath.yaml": config + "rules: [{paths: [streams/web.yaml], paused: true}]\n"})
		for range 3 {
			if p.walk(); p.one().Number != f.Number {
				t.Errorf("open is %+v", p.one())
			}
		}
		p.store.Write("main", "go on", map[string]string{".towpath.yaml": config})
		for range 3 {
			p.walk()
		}
		p.holds(p.one().Branch, "aaa", "aaa", "aaa")
	})
}

// A site that is paused goes out of its proposal; the others get newer images.
func TestReviewPausedSite(t *testing.T) {
	atPier(t, bothReviewed, func(p *pier) { // fault: F-13
		p.push("aaa")
		p.store.Write("main", "pause b", map[string]string{".towpath.yaml": bothReviewed + "rules: [{paths: [b.yaml], paused: true}]\n"})
		p.push("bbb")
		p.walk()
		p.holds(p.one().Branch, "bbb", "-", "bbb")
	})
}

// A survey says of what was declined what a run says, and no more of it once somebody has it by hand.
func TestReviewSurveyMoves(t *testing.T) {
	atPier(t, sitesReviewed, func(p *pier) {
		p.push("aaa")
		f := p.one()
		p.forge.CloseBy(f.Number)
		p.walk()
		survey := func() []reconcile.Reviewed {
			_, rep, err := p.line.Survey(p.t.Context())
			if err != nil {
				t.Fatal(err)
			}
			return rep.Proposals
		}
		run := p.last.Proposals
		p.restart()
		if got := survey(); len(run) != 1 || len(got) != 1 || fmt.Sprint(got[0].Moves) != fmt.Sprint(run[0].Moves) {
			t.Errorf("a run says %+v, a survey %+v", run, got)
		}
		p.store.Edit("main", "by hand", func(tree memory.Tree) { maps.Copy(tree, p.store.Tree(f.Branch)) })
		p.walk()
		if got := survey(); len(p.last.Proposals) > 0 || len(got) > 0 {
			t.Errorf("a run says %+v, a survey %+v", p.last.Proposals, got)
		}
	})
}

// What was declined costs no question in each pass: the forge is asked once what became of it, and registries
// when their time has come.
func TestReviewDeclinedIdle(t *testing.T) {
	for _, config := range []string{bothReviewed, sitesReviewed, "version: 1\ndefaults: {status: proposal, triggers: proposal, group: all}\n"} {
		atPier(t, config, func(p *pier) { // fault: F-03
			const many = 10
			lines := "quay.io/team1/web:1.4 aaa\n"
			for i := range many {
				name := fmt.Sprintf("s%02d", i)
				p.store.Write("main", "another", map[string]string{"streams/" + name + ".yaml": quayStream(name), "d" + name + ".yaml": following("d"+name, name+":stable")})
				lines += "quay.io/team1/" + name + ":1.4 " + name + "\n"
			}
			p.offers(lines)
			p.line.Yes = true
			p.walk()
			for range 3 {
				for _, f := range p.open() {
					p.forge.CloseBy(f.Number)
				}
				p.walk()
			}
			p.restart()
			p.daemon(time.Hour)
			questions := make(chan struct{}, 10_000)
			p.registry.Hook = func(context.Context, registrymemory.Call) error { questions <- struct{}{}; return nil }
			asked := p.daemon(4 * time.Hour)
			delete(asked, forgememory.OpList)
			if len(asked) > 0 {
				t.Errorf("%q: the forge is asked %v", config, asked)
			}
			if n, most := len(questions), (many+1)*4*5; n > most { // each every quarter of an hour
				t.Errorf("%q: registries are asked %d times, want at most %d", config, n, most)
			}
		})
	}
}
