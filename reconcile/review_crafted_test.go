package reconcile_test

import (
	"strings"
	"testing"
	"time"

	"github.com/towpath/towpath/forge"
	forgememory "github.com/towpath/towpath/forge/memory"
	"github.com/towpath/towpath/reconcile"
	registrymemory "github.com/towpath/towpath/registry/memory"
)

// crafts puts on a branch what anybody can who may push to it, on what main has: one commit with a seal that fits,
// of which the checks are green.
func (p *pier) crafts(branch, message, text string) {
	files := map[string]string{"streams/web.yaml": text}
	said, _, _ := strings.Cut(message, "Towpath-Part: ")
	_, seal, _ := strings.Cut(forgedSeal(files), "\n\n")
	p.store.Move(branch, p.store.Tip("main"))
	p.forge.SetChecks(string(p.store.Write(branch, said+seal, files)), forge.Green)
}

// forges puts on it what towpath did, and says so, with something else in place of what it had.
func (p *pier) forges(branch, is, other string) {
	p.t.Helper()
	top := p.store.Log(branch)[0]
	text := top.Tree["streams/web.yaml"].Content
	forged := strings.ReplaceAll(text, is, other)
	if forged == text {
		p.t.Fatalf("there is no %q in\n%s", is, text)
	}
	p.crafts(branch, strings.ReplaceAll(top.Message, is, other), forged)
}

// What merges itself is what registries said, and that from where they said it: an image of the same content at
// another place is not.
func TestReviewGreenReference(t *testing.T) {
	atPier(t, whenGreen, func(p *pier) { // fault: F-04
		p.merging()
		p.push("aaa")
		f := p.one()
		p.forges(f.Branch, "quay.io/team1/web@", "elsewhere.example/x@")
		for range 5 {
			time.Sleep(time.Minute)
			p.pass()
		}
		if text := p.text("streams/web.yaml"); strings.Contains(text, "elsewhere.example") {
			t.Errorf("main says\n%s", text)
		}
	})
}

// A record from the future is none: it is not merged, and keeps nothing back.
func TestReviewGreenCreated(t *testing.T) {
	atPier(t, whenGreen, func(p *pier) {
		p.merging()
		p.push("aaa")
		f := p.one()
		p.forges(f.Branch, "created: \"2000", "created: \"2099")
		for range 5 {
			time.Sleep(time.Minute)
			p.pass()
		}
		if text := p.text("streams/web.yaml"); strings.Contains(text, "2099") {
			t.Fatalf("main says\n%s", text)
		}
		p.push("bbb")
		p.forge.SetChecks(p.one().Head, forge.Green)
		p.walk()
		p.none()
		p.record("main", "bbb")
	})
}

// What was dropped from main comes not back by a proposal that stands on it: that is made again on main.
func TestReviewMainSetBack(t *testing.T) {
	for _, dies := range []bool{false, true} {
		atPier(t, bothReviewed, func(p *pier) { // fault: F-09
			good := p.store.Tip("main")
			p.store.Write("main", "by mistake", map[string]string{"private.txt": "x"})
			p.push("aaa")
			f := p.one()
			p.store.Move("main", good)
			for range 3 {
				if dies {
					p.restart()
				}
				p.walk()
			}
			for _, c := range p.store.Log(f.Branch) {
				if c.Tree["private.txt"].Content != "" {
					t.Errorf("a restart %v: it is %s, and its branch has what was dropped", dies, p.states())
					break
				}
			}
			p.holds(p.one().Branch, "aaa", "aaa", "aaa")
		})
	}
}

// Nor does towpath merge it.
func TestReviewMainSetBackGreen(t *testing.T) {
	atPier(t, whenGreen, func(p *pier) {
		merged := 0
		p.forge.OnMerge = func(f forge.Proposal) error {
			merged++
			if p.store.Tree(f.Branch)["private.txt"].Content != "" {
				t.Error("what was dropped is merged")
			}
			return nil
		}
		good := p.store.Tip("main")
		p.store.Write("main", "by mistake", map[string]string{"private.txt": "x"})
		p.push("aaa")
		f := p.one()
		p.store.Move("main", good)
		p.forge.SetChecks(f.Head, forge.Green)
		p.walk()
		p.forge.SetChecks(string(p.store.Tip(f.Branch)), forge.Green)
		p.walk()
		if merged == 0 {
			t.Errorf("nothing was merged: %s", p.states())
		}
	})
}

// A proposal that only says of itself that it is towpath's makes towpath remove no branch: neither one of another
// name, nor one that has a person's commits.
func TestReviewCraftedStray(t *testing.T) {
	for branch, theirs := range map[string]bool{
		"domain/v1-20240101":                 false, // which ends in main/, and so on; with a copy of towpath's commits
		"bot/main/team1-web-stable-20240101": true,
	} {
		atPier(t, bothReviewed, func(p *pier) {
			p.push("aaa")
			f := p.one()
			p.store.Move(branch, p.store.Tip(f.Branch))
			if theirs {
				p.store.Move(branch, p.store.Tip("main"))
				p.store.Write(branch, "a release", map[string]string{"release.txt": "x"})
			}
			tip := p.store.Tip(branch)
			body := reconcile.CraftBody(f.Body, string(tip))
			made, err := p.forge.Propose(p.t.Context(), forge.Draft{Branch: branch, Base: "main", Title: "x", Body: body})
			if err != nil {
				t.Fatal(err)
			}
			p.walk()
			p.walk()
			if p.store.Tip(branch) != tip || len(p.forge.Comments(made.Number)) > 0 {
				t.Errorf("%s is at %q, and was told %q", branch, p.store.Tip(branch), p.forge.Comments(made.Number))
			}
		})
	}
}

// One that the forge does not let towpath close keeps the others from nothing.
func TestReviewStrayRefused(t *testing.T) {
	atPier(t, bothReviewed, func(p *pier) {
		p.push("aaa")
		p.store.Write("main", "prefix", map[string]string{".towpath.yaml": p.text(".towpath.yaml") + "branch-prefix: bot/\n"})
		p.fails(forgememory.OpComment, -1, forge.Refused) // somebody locked it
		p.restart()
		for _, word := range []string{"aaa", "bbb"} {
			if p.push(word); p.last.ForgeErr != nil {
				t.Errorf("the forge is not asked any more: %v", p.last.ForgeErr)
			}
		}
		open := p.open()
		if len(open) != 2 || !strings.HasPrefix(open[1].Branch, "bot/") {
			t.Fatalf("open are %+v", open)
		}
		p.holds(open[1].Branch, "bbb", "bbb", "bbb")
	})
}

// What towpath merges says what towpath says, and nothing in its name that somebody else wrote.
func TestReviewCraftedMessage(t *testing.T) {
	atPier(t, whenGreen, func(p *pier) { // fault: F-04
		p.forge.OnMerge = func(f forge.Proposal) error {
			t.Errorf("merged is %q", p.store.Log(f.Branch)[0].Message)
			return nil
		}
		p.push("aaa")
		f := p.one()
		p.crafts(f.Branch, "Fixes #1, by somebody\n\n", p.store.Tree(f.Branch)["streams/web.yaml"].Content)
		p.walk()
		p.walk()
		if got := p.last.Proposals; len(got) != 1 || !strings.HasSuffix(got[0].Why, "it is for a person to merge") {
			t.Errorf("they are %+v", got)
		}
	})
}

// A branch does not make an image settle sooner.
func TestReviewGreenSettle(t *testing.T) {
	atPier(t, "version: 1\ndefaults: {status: proposal, merge: when-green, settle: 24h}\n", func(p *pier) {
		p.merging()
		p.push("aaa")
		time.Sleep(25 * time.Hour)
		p.walk()
		f := p.one()
		top := p.store.Log(f.Branch)[0]
		p.forge.SetChecks(f.Head, forge.Green)
		p.walk()
		p.none()
		p.push("bbb")
		forged := func(text string) string {
			return strings.ReplaceAll(text, registrymemory.Digest("aaa"), registrymemory.Digest("bbb"))
		}
		p.crafts(f.Branch, top.Message, forged(top.Tree["streams/web.yaml"].Content))
		for range 3 {
			p.walk()
			if tip := p.store.Tip(f.Branch); tip != "" {
				p.forge.SetChecks(string(tip), forge.Green)
			}
		}
		p.record("main", "aaa")
	})
}
