package reconcile_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/towpath/towpath/forge"
	forgememory "github.com/towpath/towpath/forge/memory"
	"github.com/towpath/towpath/gitstore/memory"
	"github.com/towpath/towpath/reconcile"
)

// What waits for its review is on record for those who ask: a tag that is asked for once is not asked
// again, also by a process that knows nothing.
func TestReviewAsksOnce(t *testing.T) {
	atPier(t, bothReviewed, func(p *pier) {
		p.store.Write("main", "ask once", map[string]string{"streams/web.yaml": strings.Replace(p.text("streams/web.yaml"), "scheduled: true", "scheduled: false", 1)})
		p.push("aaa")
		f := p.one()
		if err := p.registry.Set("quay.io/team1/web:1.4 bbb"); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			p.restart()
			p.walk()
			if got := p.one(); got.Head != f.Head || len(p.last.Answers) > 0 {
				t.Errorf("it was asked again: %+v", p.last.Answers)
			}
		}
	})
}

// An alias moves with its source, in one proposal; so does what follows either.
func TestReviewAlias(t *testing.T) {
	atPier(t, bothReviewed, func(p *pier) {
		p.store.Write("main", "latest", map[string]string{
			"streams/web.yaml": p.text("streams/web.yaml") + "    - name: latest\n      from: {kind: ImageStreamTag, name: \"web:stable\"}\n",
			"c.yaml":           strings.Replace(p.text("c.yaml"), "web:stable", "web:latest", 1),
		})
		for _, word := range []string{"aaa", "bbb"} {
			p.push(word)
			f := p.one()
			p.holds(f.Branch, word, word, word)
			p.merge(f, "squash")
			p.walk()
			p.none()
			p.holds("main", word, word, word)
		}
	})
}

// A window keeps proposals from being opened, and takes none away that is open.
func TestReviewWindows(t *testing.T) {
	atPier(t, sitesReviewed+"rules:\n  - {paths: [\"*.yaml\"], windows: [{cron: \"0 8 * * 1-5\", for: 9h, zone: UTC}]}\n", func(p *pier) {
		p.push("aaa") // on a Saturday
		if n := len(p.open()); n > 0 {
			t.Fatalf("%d are open before it is time", n)
		}
		time.Sleep(time.Until(time.Date(2000, 1, 3, 9, 0, 0, 0, time.UTC)))
		p.walk()
		f := p.one()
		time.Sleep(10 * time.Hour)
		p.walk()
		if got := p.one(); got.Head != f.Head {
			t.Errorf("it became %+v", got)
		}
		p.push("bbb") // at night: what is open stays
		if got := p.one(); got.Head != f.Head {
			t.Errorf("it became %+v", got)
		}
		p.restart()
		p.walk()
		time.Sleep(14 * time.Hour)
		p.walk()
		p.holds(p.one().Branch, "bbb", "bbb", "bbb")
	})
}

// Who resumes a site that was declined, or taken back, gets a proposal of it that stays.
func TestReviewResume(t *testing.T) {
	for _, how := range []string{"declined", "taken back"} {
		atPier(t, sitesReviewed, func(p *pier) {
			p.push("aaa")
			f := p.one()
			if how == "declined" {
				p.forge.CloseBy(f.Number)
			} else {
				p.merge(f, "squash")
				p.walk()
				for _, n := range []string{"a", "b", "c"} {
					p.take(n+".yaml", n, "old")
				}
			}
			p.walk()
			if n := len(p.last.Held); n != 3 || string(p.last.Held[0].Why) != how {
				t.Fatalf("%s: held %+v", how, p.last.Held)
			}
			p.restart()
			p.line.Resume = func(s *reconcile.Site) bool { return s.Path == "b.yaml" }
			p.walk()
			f = p.one()
			for range 3 {
				p.restart()
				p.walk()
				if got := p.one(); got.Head != f.Head || len(p.last.Held) != 2 {
					t.Errorf("%s: it became %+v, held %d", how, got, len(p.last.Held))
				}
			}
			p.merge(p.one(), "squash")
			p.walk()
			p.none()
			p.holds("main", "-", "aaa", "-")
		})
	}
}

// A record that is right when its checks are green is merged by towpath; one that moves sites never is.
func TestReviewWhenGreen(t *testing.T) {
	atPier(t, "version: 1\ndefaults: {status: proposal, merge: when-green}\n", func(p *pier) {
		p.forge.OnMerge = func(f forge.Proposal) error {
			p.store.Edit("main", f.Title, func(tree memory.Tree) { tree["streams/web.yaml"] = p.store.Tree(f.Branch)["streams/web.yaml"] })
			return nil
		}
		p.push("aaa")
		f := p.one()
		p.walk()
		for _, checks := range []forge.Checks{forge.Pending, forge.Red, forge.NoChecks} {
			p.forge.SetChecks(f.Head, checks)
			p.walk()
			if got := p.one(); got.Head != f.Head {
				t.Errorf("with checks %s it became %+v", checks, got)
			}
		}
		p.forge.SetChecks(f.Head, forge.Green)
		p.walk()
		p.walk()
		p.none()
		p.holds("main", "aaa", "aaa", "aaa")
	})
	atPier(t, bothReviewed+"  # sites, too\nrules: [{paths: [\"**\"], merge: when-green}]\n", func(p *pier) {
		p.push("aaa")
		p.forge.SetChecks(p.one().Head, forge.Green)
		p.walk()
		p.walk()
		p.holds("main", "-", "-", "-")
		p.one()
	})
}

// The forge merges by itself what it is asked to, each head once.
func TestReviewAutoMerge(t *testing.T) {
	atPier(t, "version: 1\ndefaults: {status: proposal, triggers: proposal, merge: platform}\n", func(p *pier) {
		asked := 0
		p.forge.Hook = func(op string) (bool, error) {
			if op == forgememory.OpAutoMerge {
				asked++
				p.forge.SetChecks(string(p.store.Tip(p.branches()[0])), forge.Pending)
			}
			return true, nil
		}
		p.push("aaa")
		p.walk()
		if f := p.one(); !p.forge.Scheduled(f.Number) || asked != 1 {
			t.Errorf("scheduled %v, asked %d times", p.forge.Scheduled(f.Number), asked)
		}
		p.push("bbb")
		p.walk()
		if asked != 2 {
			t.Errorf("asked %d times", asked)
		}
	})
}

// Labels, people and draft go with a proposal from the start, those of all its changes.
func TestReviewPeople(t *testing.T) {
	atPier(t, bothReviewed+"rules:\n  - {paths: [a.yaml], labels: [images], reviewers: [alice]}\n  - {paths: [b.yaml], labels: [images, web], assignees: [bob], draft: true}\n", func(p *pier) {
		p.push("aaa")
		d := p.forge.Asked(p.one().Number)
		if got := strings.Join(slices.Concat(d.Labels, d.Reviewers, d.Assignees), " "); got != "images web alice bob" || !d.Draft {
			t.Errorf("asked for %q, draft %v", got, d.Draft)
		}
		p.forge.Unknown = []string{"nobody"}
		p.store.Write("main", "people", map[string]string{".towpath.yaml": bothReviewed + "rules: [{paths: [\"**\"], reviewers: [nobody]}]\n"})
		p.forge.CloseBy(p.one().Number)
		p.push("bbb")
		p.one()
		if r := p.last.Proposals[0]; r.Did != "opened" || !strings.Contains(r.Why, "nobody") {
			t.Errorf("the report says %+v", r)
		}
	})
}

// Two daemons make one proposal, whoever is first, and none fights the other.
func TestReviewTwoDaemons(t *testing.T) {
	atPier(t, bothReviewed, func(p *pier) {
		one := p.line
		p.restart()
		two := p.line
		for i, word := range []string{"aaa", "aaa", "bbb", "bbb", "ccc", "ccc"} {
			p.line = []*reconcile.Reconciler{one, two}[i%2]
			p.push(word)
		}
		f := p.one()
		for _, line := range []*reconcile.Reconciler{two, one, two} {
			p.line = line
			p.walk()
			if got := p.one(); got.Head != f.Head || got.Body != f.Body || len(p.forge.All()) != 1 {
				t.Errorf("it became %+v", got)
			}
		}
		p.merge(f, "rebase")
		p.line = one
		p.walk()
		p.line = two
		p.walk()
		p.none()
	})
}

// A proposal of a fork is nobody's business here, whatever its branch is called and its body says.
func TestReviewStranger(t *testing.T) {
	atPier(t, bothReviewed, func(p *pier) {
		p.push("aaa")
		f := p.one()
		p.forge.FromFork(forge.Draft{Branch: f.Branch, Base: "main", Title: "mine", Body: f.Body})
		p.restart()
		p.push("bbb")
		now := slices.DeleteFunc(p.open(), func(o forge.Proposal) bool { return o.Number != f.Number })
		if len(now) != 1 {
			t.Fatalf("open: %+v", p.open())
		}
		p.holds(now[0].Branch, "bbb", "bbb", "bbb")
	})
}

// Nothing is done about proposals while .towpath.yaml is wrong or says so; when it wants none any
// more, they are closed.
func TestReviewConfigChanges(t *testing.T) {
	for config, open := range map[string]bool{
		"version: 1\nnonsense: true\n":                              true,
		bothReviewed + "paused: true\n":                             true,
		bothReviewed + "rules: [{paths: [\"**\"], paused: true}]\n": true,
		"version: 1\n": false,
		bothReviewed + "exclude: [a.yaml, b.yaml, c.yaml, streams/**]\n": false,
	} {
		atPier(t, bothReviewed, func(p *pier) {
			p.push("aaa")
			f := p.one()
			p.store.Write("main", "config", map[string]string{".towpath.yaml": config})
			p.walk()
			if !open {
				p.none()
				return
			}
			if got := p.one(); got.Head != f.Head {
				t.Errorf("under\n%s\nit became %+v", config, got)
			}
			p.restart()
			p.walk()
			p.store.Write("main", "config", map[string]string{".towpath.yaml": bothReviewed})
			p.walk()
			if got := p.one(); got.Head != f.Head {
				t.Errorf("after\n%s\nit became %+v", config, got)
			}
		})
	}
}

// A rehearsal shows what would be proposed after what would be committed, and changes nothing.
func TestReviewRehearsal(t *testing.T) {
	for _, config := range []string{bothReviewed, sitesReviewed} {
		atPier(t, config, func(p *pier) {
			p.line.Dry = true
			before := p.store.Tip("main")
			p.push("aaa")
			if p.store.Tip("main") != before {
				t.Error("it wrote")
			}
			p.none()
			n := 0
			for _, prop := range p.last.Proposed {
				for _, w := range prop.Chain {
					n += len(w.Sites)
				}
			}
			if n != 3 {
				t.Errorf("%d sites would be proposed: %+v", n, p.last.Proposed)
			}
		})
	}
}

// One request to the forge a pass while nothing happens, however many proposals are open.
func TestReviewRequests(t *testing.T) {
	atPier(t, bothReviewed, func(p *pier) {
		p.push("aaa")
		p.walk()
		asked := map[string]int{}
		p.forge.Hook = func(op string) (bool, error) { asked[op]++; return true, nil }
		p.line.Poll = time.Second
		for range 300 {
			time.Sleep(time.Second)
			if _, err := p.line.Once(p.t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if asked[forgememory.OpList] > 11 || len(asked) > 1 {
			t.Errorf("in five minutes it asked %v", asked)
		}
	})
}

// Of very many, as many are opened as may be, in one go; of those that wait the forge is not asked.
func TestReviewMany(t *testing.T) {
	files, lines := map[string]string{".towpath.yaml": "version: 1\nmax-open: 40\ndefaults: {status: proposal, triggers: proposal}\n"}, ""
	for i := range 100 {
		name := fmt.Sprintf("s%03d", i)
		files["streams/"+name+".yaml"] = quayStream(name)
		files["apps/"+name+".yaml"] = strings.Replace(follower(name, " "), "web:stable", name+":stable", 1)
		lines += "quay.io/team1/" + name + ":1.4 aaa\n"
	}
	quayside(t, files, func(q *quay) {
		if err := q.registry.Set(lines); err != nil {
			q.t.Fatal(err)
		}
		f, past := forgememory.New(), 0
		f.Heads = func(branch string) string { return string(q.store.Tip(branch)) }
		f.Hook = func(op string) (bool, error) {
			if op == forgememory.OpPast {
				past++
			}
			return true, nil
		}
		for range 2 {
			q.restart()
			q.line.Forge, q.line.Yes, past = f, true, 0
			q.walk()
			if n := len(f.All()); n != 40 || past > 110 { // each on two branches, and on two that all would be on; 25 a pass
				q.t.Errorf("%d are open, and it asked %d times what became of others", n, past)
			}
		}
		waiting := 0
		for _, p := range q.last.Proposals {
			if p.State == reconcile.InLine {
				waiting++
			}
		}
		if waiting != 60 {
			q.t.Errorf("%d wait, want 60", waiting)
		}
	})
}
