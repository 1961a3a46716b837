package reconcile_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/towpath/towpath/forge"
	forgememory "github.com/towpath/towpath/forge/memory"
	"github.com/towpath/towpath/gitstore"
	"github.com/towpath/towpath/gitstore/memory"
	"github.com/towpath/towpath/reconcile"
	registrymemory "github.com/towpath/towpath/registry/memory"
)

// A pier is a quay at which what arrives is reviewed first.
type pier struct {
	*quay
	forge *forgememory.Forge
}

const (
	bothReviewed  = "version: 1\ndefaults: {status: proposal, triggers: proposal}\n"
	sitesReviewed = "version: 1\ndefaults: {triggers: proposal}\n"
)

// atPier tells a story about a, b and c, three deployments, under a config.
func atPier(t *testing.T, config string, story func(p *pier)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		q := newQuay(t, map[string]string{
			".towpath.yaml": config, "a.yaml": follower("a", " "), "b.yaml": follower("b", " "), "c.yaml": follower("c", " "),
		})
		p := &pier{q, forgememory.New()}
		p.store.Now, p.forge.Now = time.Now, time.Now
		p.forge.Heads = func(branch string) string { return string(p.store.Tip(branch)) }
		p.restart()
		story(p)
	})
}

func (p *pier) restart() {
	p.quay.restart()
	p.line.Forge, p.line.Repo = p.forge, "https://git.example/team/streams"
}

// walk walks a minute later, so that the forge is asked again.
func (p *pier) walk() {
	p.t.Helper()
	time.Sleep(time.Minute)
	p.quay.walk()
}

func (p *pier) push(word string) {
	p.t.Helper()
	if err := p.registry.Set("quay.io/team1/web:1.4 " + word); err != nil {
		p.t.Fatal(err)
	}
	p.walk()
}

// open are the proposals that are open.
func (p *pier) open() []forge.Proposal {
	return slices.DeleteFunc(p.forge.All(), func(f forge.Proposal) bool { return f.State != forge.Open })
}

// one is the only proposal that is open.
func (p *pier) one() forge.Proposal {
	p.t.Helper()
	open := p.open()
	if len(open) != 1 {
		p.t.Fatalf("%d proposals are open, want one: %+v", len(open), open)
	}
	return open[0]
}

// none says that nothing is open, and no branch there.
func (p *pier) none() {
	p.t.Helper()
	if open := p.open(); len(open) > 0 {
		p.t.Errorf("still open: %+v", open)
	}
	if b := p.branches(); len(b) > 0 {
		p.t.Errorf("branches are left: %v", b)
	}
}

func (p *pier) branches() []string {
	all, err := p.store.Branches(p.t.Context(), "towpath/")
	if err != nil {
		p.t.Fatal(err)
	}
	return slices.Sorted(maps.Keys(all))
}

// holds says what the sites of a branch hold.
func (p *pier) holds(branch string, want ...string) {
	p.t.Helper()
	var got []string
	for _, name := range []string{"a", "b", "c"} {
		text := p.store.Tree(branch)[name+".yaml"].Content
		word := "-"
		for _, w := range []string{"aaa", "bbb", "ccc"} {
			if strings.Contains(text, registrymemory.Digest(w)) {
				word = w
			}
		}
		got = append(got, word)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		p.t.Errorf("%s: a, b and c hold (-want +got)\n%s", branch, diff)
	}
}

func (p *pier) record(branch, word string) {
	p.t.Helper()
	_, items, _ := strings.Cut(p.store.Tree(branch)["streams/web.yaml"].Content, "items:")
	_, first, _ := strings.Cut(items, "image: ")
	if got := strings.HasPrefix(first, registrymemory.Digest(word)); !got {
		p.t.Errorf("%s: the record says not %s:\n%s", branch, word, p.store.Tree(branch)["streams/web.yaml"].Content)
	}
}

// merge merges a proposal as a forge does: its own changes, less what leave says, in one commit or as
// many as there are.
func (p *pier) merge(f forge.Proposal, how string, leave ...string) {
	p.t.Helper()
	var chain []memory.Logged
	base := p.store.Log("main")
	for _, c := range p.store.Log(f.Branch) {
		if slices.ContainsFunc(base, func(b memory.Logged) bool { return b.Rev == c.Rev }) {
			chain = append(chain, c)
			break
		}
		chain = append(chain, c)
	}
	slices.Reverse(chain)
	apply := func(tree, from, to memory.Tree) {
		for path, file := range to {
			if from[path] != file && !slices.Contains(leave, path) {
				tree[path] = file
			}
		}
	}
	if how == "squash" {
		p.store.Edit("main", f.Title+" (#1)", func(tree memory.Tree) { apply(tree, chain[0].Tree, chain[len(chain)-1].Tree) })
	} else {
		for i := 1; i < len(chain); i++ {
			p.store.Edit("main", chain[i].Message, func(tree memory.Tree) { apply(tree, chain[i-1].Tree, chain[i].Tree) })
		}
	}
	if f.Number > 0 {
		p.forge.MergeBy(f.Number, time.Now())
	}
}

func (p *pier) states() string {
	var out []string
	for _, r := range p.last.Proposals {
		out = append(out, strings.TrimSpace(string(r.State)+" "+r.Did))
	}
	return strings.Join(out, ", ")
}

// What is reviewed stands on one branch: the status first, then what follows. Nothing moves before
// people merge it, and then nothing is left of it.
func TestReviewBoth(t *testing.T) {
	for _, how := range []string{"squash", "rebase"} {
		t.Run(how, func(t *testing.T) { // fault: F-08
			atPier(t, bothReviewed, func(p *pier) {
				before := p.store.Tip("main")
				p.push("aaa")
				f := p.one()
				if p.store.Tip("main") != before {
					t.Error("the branch moved without a review")
				}
				p.record(f.Branch, "aaa")
				p.holds(f.Branch, "aaa", "aaa", "aaa")
				var kinds []string
				for _, c := range p.store.Log(f.Branch)[:2] {
					_, kind, _ := strings.Cut(c.Message, "Towpath-Commit: ")
					kind, _, _ = strings.Cut(kind, "\n")
					kinds = append(kinds, kind)
				}
				if got := strings.Join(kinds, " on "); got != "trigger on status" {
					t.Errorf("the branch is %s", got)
				}
				if got := p.states(); got != "open opened" {
					t.Errorf("the report says %q", got)
				}
				for range 2 { // nothing new, also for one who knows nothing
					p.walk()
					if got := p.one(); got.Head != f.Head || got.Body != f.Body {
						t.Errorf("it changed for nothing:\n%s\n%s", got.Body, f.Body)
					}
					p.restart()
				}
				p.merge(f, how)
				p.walk()
				p.none()
				p.holds("main", "aaa", "aaa", "aaa")
				p.restart()
				p.walk()
				p.none()
				if got := len(p.forge.All()); got != 1 {
					t.Errorf("%d proposals in all, want one", got)
				}
			})
		})
	}
}

// A newer image goes into the proposal that is open, and to each place once.
func TestReviewNewerImage(t *testing.T) {
	for _, config := range []string{bothReviewed, sitesReviewed} {
		atPier(t, config, func(p *pier) { // fault: F-13
			p.push("aaa")
			f := p.one()
			p.push("bbb")
			now := p.one()
			if now.Number != f.Number || now.Branch != f.Branch || now.Head == f.Head {
				t.Errorf("%+v became %+v", f, now)
			}
			if got := p.states(); got != "open updated" {
				t.Errorf("the report says %q", got)
			}
			p.holds(f.Branch, "bbb", "bbb", "bbb")
			p.record(now.Branch, "bbb")
			if text := p.store.Tree(now.Branch)["streams/web.yaml"].Content; config == bothReviewed && strings.Contains(text, registrymemory.Digest("aaa")) {
				t.Errorf("what nobody merged is history:\n%s", text)
			}
			p.merge(now, "squash")
			p.walk()
			p.none()
			p.holds("main", "bbb", "bbb", "bbb")
		})
	}
}

// Who closes a proposal has said no to its images, for good; a new image asks anew.
func TestReviewClosed(t *testing.T) {
	for _, config := range []string{bothReviewed, sitesReviewed} {
		atPier(t, config, func(p *pier) { // fault: F-03
			p.push("aaa")
			f := p.one()
			p.forge.CloseBy(f.Number)
			for range 3 {
				p.walk()
				if open := p.open(); len(open) > 0 {
					t.Fatalf("it came back: %+v", open)
				}
				p.restart()
			}
			p.push("bbb")
			again := p.one()
			if again.Number == f.Number {
				t.Error("the old one was opened again")
			}
			p.holds(again.Branch, "bbb", "bbb", "bbb")
			p.push("aaa") // back to the one that was declined
			if open := p.open(); len(open) > 0 {
				t.Errorf("what was declined is proposed: %+v", open)
			}
			p.restart()
			p.push("bbb")
			p.one()
		})
	}
}

// Who opens it again has changed their mind.
func TestReviewReopened(t *testing.T) {
	atPier(t, bothReviewed, func(p *pier) {
		p.push("aaa")
		f := p.one()
		p.forge.CloseBy(f.Number)
		p.walk()
		p.forge.Reopen(f.Number)
		for range 2 {
			p.walk()
			if got := p.one(); got.Number != f.Number || got.Head != f.Head {
				t.Errorf("reopened: %+v", got)
			}
			p.restart()
		}
	})
}

// Whoever dies between the branch and its proposal, or does not hear that it was opened, leaves one of
// each in the end.
func TestReviewOnce(t *testing.T) {
	for name, fault := range map[string]struct {
		op    string
		apply bool
	}{
		"died before it was opened": {forgememory.OpPropose, false}, // fault: F-02
		"the answer was lost":       {forgememory.OpPropose, true},  // fault: F-01
		"the list fails":            {forgememory.OpList, false},
		"the past fails":            {forgememory.OpPast, false},
	} {
		for _, die := range []bool{false, true} {
			t.Run(fmt.Sprint(name, die), func(t *testing.T) {
				atPier(t, bothReviewed, func(p *pier) {
					fails := 2
					p.forge.Hook = func(op string) (bool, error) {
						if fails--; op == fault.op && fails >= 0 {
							return fault.apply, &forge.Error{Kind: forge.Unreachable, Forge: "x", What: "gone"}
						}
						if op != fault.op {
							fails++
						}
						return true, nil
					}
					p.push("aaa")
					if p.last.ForgeErr == nil {
						t.Error("nobody is told that the forge fails")
					}
					for range 4 {
						if die {
							p.restart()
						}
						time.Sleep(5 * time.Minute)
						p.walk()
					}
					f := p.one()
					if n := len(p.forge.All()); n != 1 || len(p.branches()) != 1 {
						t.Errorf("%d proposals, branches %v", n, p.branches())
					}
					if p.last.ForgeErr != nil {
						t.Errorf("the forge still fails: %v", p.last.ForgeErr)
					}
					p.holds(f.Branch, "aaa", "aaa", "aaa")
					p.merge(f, "squash")
					p.walk()
					p.none()
				})
			})
		}
	}
}

// A person's commit on the branch is theirs: it is told once, and left until it is merged or closed.
func TestReviewFrozen(t *testing.T) {
	for _, f := range []bool{false, true} {
		atPier(t, bothReviewed, func(p *pier) { // fault: F-04
			p.push("aaa")
			f0 := p.one()
			p.store.Write(f0.Branch, "my own", map[string]string{"notes.txt": "mine\n"})
			tip := p.store.Tip(f0.Branch)
			for _, word := range []string{"aaa", "bbb", "ccc"} {
				p.push(word)
				if p.store.Tip(f0.Branch) != tip {
					t.Fatal("a person's commit was overwritten")
				}
				if got := p.states(); !strings.HasPrefix(got, "frozen") {
					t.Errorf("the report says %q", got)
				}
				if f {
					p.restart()
				}
			}
			if c := p.forge.Comments(p.one().Number); len(c) != 1 {
				t.Errorf("comments: %q", c)
			}
			p.merge(p.one(), "squash")
			p.walk()
			f1 := p.one()
			p.holds(f1.Branch, "ccc", "ccc", "ccc")
			p.holds("main", "aaa", "aaa", "aaa")
		})
	}
}

// A branch that goes away while it is updated stays away.
func TestReviewNoResurrection(t *testing.T) {
	atPier(t, bothReviewed, func(p *pier) { // fault: F-05
		p.push("aaa")
		f := p.one()
		p.store.Hook = func(op string) (bool, error) {
			if op == memory.OpReplace {
				p.store.Hook = nil
				p.merge(f, "squash")
				p.store.Move(f.Branch, "")
			}
			return true, nil
		}
		p.push("aaa")
		p.push("bbb")
		p.walk() // the branch was deleted a moment ago
		p.holds("main", "aaa", "aaa", "aaa")
		now := p.one()
		if now.Number == f.Number {
			t.Error("the merged one is open")
		}
		p.holds(now.Branch, "bbb", "bbb", "bbb")
		if n := len(p.store.Log(now.Branch)); n != len(p.store.Log("main"))+2 {
			t.Errorf("the branch is not built on what was merged: %d commits", n)
		}
	})
}

// The branch is made again only when a file that it edits changed on the base.
func TestReviewBaseMoves(t *testing.T) {
	atPier(t, bothReviewed, func(p *pier) { // fault: F-09
		p.push("aaa")
		f := p.one()
		p.store.Write("main", "elsewhere", map[string]string{"README.md": "hello\n"})
		p.walk()
		if got := p.one(); got.Head != f.Head {
			t.Error("it was made again for nothing")
		}
		p.store.Write("main", "the same file", map[string]string{"a.yaml": p.text("a.yaml") + "# a comment\n"})
		p.walk()
		now := p.one()
		if now.Head == f.Head || !strings.Contains(p.store.Tree(now.Branch)["a.yaml"].Content, "# a comment") {
			t.Errorf("it was not made again:\n%s", p.store.Tree(now.Branch)["a.yaml"].Content)
		}
		p.holds(now.Branch, "aaa", "aaa", "aaa")
		p.store.Write(now.Branch, "mine", map[string]string{"notes.txt": "mine\n"})
		tip := p.store.Tip(now.Branch)
		p.store.Write("main", "the same file", map[string]string{"a.yaml": p.text("a.yaml") + "# another\n"})
		p.walk()
		if p.store.Tip(now.Branch) != tip {
			t.Error("a person's branch was made again")
		}
	})
}

// What people write around towpath's section, their title and their labels stay.
func TestReviewKeepsWords(t *testing.T) {
	for _, crlf := range []bool{false, true} {
		atPier(t, bothReviewed, func(p *pier) { // fault: F-10
			p.forge.CRLF = crlf
			p.push("aaa")
			f := p.one()
			p.forge.Write(f.Number, "My title", "Before.\n\n"+f.Body+"\n\nAfter.\n")
			p.forge.Label(f.Number, "mine")
			p.walk()
			p.push("bbb")
			p.restart()
			p.walk()
			now := p.one()
			if now.Title != "My title" || !slices.Contains(now.Labels, "mine") {
				t.Errorf("title %q, labels %q", now.Title, now.Labels)
			}
			if !strings.HasPrefix(now.Body, "Before.\n") || !strings.HasSuffix(strings.TrimSpace(now.Body), "After.") || strings.Count(now.Body, "Before.") != 1 {
				t.Errorf("the body is\n%s", now.Body)
			}
			if !strings.Contains(now.Body, registrymemory.Digest("bbb")[:19]) || strings.Contains(now.Body, registrymemory.Digest("aaa")[:19]) {
				t.Errorf("the body does not say what is proposed:\n%s", now.Body)
			}
		})
	}
}

// A forge that is down stops no status commit, nor what was merged; it is back when it is back.
func TestReviewForgeDown(t *testing.T) {
	for _, kind := range []forge.Kind{forge.Unreachable, forge.Forbidden, forge.RateLimited, forge.Invalid} {
		atPier(t, sitesReviewed, func(p *pier) { // fault: F-12
			down := true
			p.forge.Hook = func(string) (bool, error) {
				if down {
					return false, &forge.Error{Kind: kind, Forge: "x", What: "down", RetryAfter: 10 * time.Minute}
				}
				return true, nil
			}
			p.push("aaa")
			p.record("main", "aaa")
			if p.last.ForgeErr == nil || len(p.open()) > 0 || len(p.branches()) > 0 {
				t.Errorf("%s: error %v, open %v, branches %v", kind, p.last.ForgeErr, p.open(), p.branches())
			}
			p.push("bbb")
			p.record("main", "bbb")
			down = false
			time.Sleep(13 * time.Minute)
			p.walk()
			p.holds(p.one().Branch, "bbb", "bbb", "bbb")
			down = true
			p.push("ccc") // while it is open
			p.record("main", "ccc")
			down = false
			time.Sleep(13 * time.Minute)
			p.walk()
			p.holds(p.one().Branch, "ccc", "ccc", "ccc")
		})
	}
}

// Where the status is reviewed and sites are not, those read what was merged.
func TestReviewStatusOnly(t *testing.T) {
	atPier(t, "version: 1\ndefaults: {status: proposal}\n", func(p *pier) {
		p.push("aaa")
		f := p.one()
		p.record(f.Branch, "aaa")
		p.holds(f.Branch, "-", "-", "-")
		p.holds("main", "-", "-", "-")
		p.merge(f, "squash")
		p.walk()
		p.none()
		p.holds("main", "aaa", "aaa", "aaa")
	})
}

// Some go straight and some are reviewed, by path; none is ahead of the record.
func TestReviewByPath(t *testing.T) {
	atPier(t, "version: 1\nrules:\n  - {paths: [a.yaml], triggers: proposal}\n", func(p *pier) {
		p.push("aaa")
		p.holds("main", "-", "aaa", "aaa")
		f := p.one()
		p.holds(f.Branch, "aaa", "aaa", "aaa")
		p.merge(f, "rebase")
		p.walk()
		p.none()
		p.holds("main", "aaa", "aaa", "aaa")
	})
	atPier(t, "version: 1\ndefaults: {status: proposal, triggers: proposal}\nrules:\n  - {paths: [a.yaml], triggers: commit}\n", func(p *pier) {
		p.push("aaa")
		f := p.one()
		p.holds(f.Branch, "-", "aaa", "aaa")
		p.holds("main", "-", "-", "-")
		p.merge(f, "squash")
		p.walk()
		p.holds("main", "aaa", "aaa", "aaa")
	})
}

// No more than max-open are open; the others wait in the order in which their images came.
func TestReviewMaxOpen(t *testing.T) {
	atPier(t, bothReviewed+"max-open: 2\n", func(p *pier) {
		files, lines := map[string]string{}, ""
		for _, n := range []string{"d", "e", "f"} {
			files["streams/"+n+".yaml"] = quayStream(n)
			lines += "quay.io/team1/" + n + ":1.4 " + n + n + n + "\n"
		}
		p.push("aaa")
		p.store.Write("main", "more", files)
		if err := p.registry.Set(lines); err != nil {
			t.Fatal(err)
		}
		p.walk()
		var titles []string
		for range 4 {
			if n := len(p.open()); n > 2 {
				t.Fatalf("%d are open", n)
			}
			f := p.open()[0]
			titles = append(titles, strings.Fields(strings.TrimPrefix(f.Branch, "towpath/main/"))[0])
			p.merge(f, "squash")
			p.walk()
		}
		p.none()
		if got := strings.Join(titles, " "); !strings.HasPrefix(got, "team1-web-stable-") {
			t.Errorf("merged: %s", got)
		}
	})
}

// The record goes to the branch and what follows to another: where one of the two is refused, what is
// there is whole, and the rest comes later.
func TestReviewHalfRefused(t *testing.T) {
	for _, refused := range []string{memory.OpPush, memory.OpReplace} {
		atPier(t, sitesReviewed, func(p *pier) { // fault: G-29
			p.store.Hook = func(op string) (bool, error) {
				if op == refused {
					return false, &gitstore.Error{Kind: gitstore.Denied, Repo: "r", What: "no", Fix: "ask"}
				}
				return true, nil
			}
			if err := p.registry.Set("quay.io/team1/web:1.4 aaa"); err != nil {
				t.Fatal(err)
			}
			p.last, _ = p.line.Settle(p.t.Context(), reconcile.Hint{Scheduled: true})
			if open := p.open(); len(open) > 0 {
				t.Errorf("%s: proposed although refused: %+v", refused, open)
			}
			if refused == memory.OpReplace {
				p.record("main", "aaa")
				if got := p.states(); got != "refused" || p.last.Proposals[0].Fix != "ask" {
					t.Errorf("the report says %q: %+v", got, p.last.Proposals)
				}
			}
			p.store.Hook = nil
			time.Sleep(10 * time.Minute)
			p.walk()
			p.record("main", "aaa")
			p.holds(p.one().Branch, "aaa", "aaa", "aaa")
		})
	}
}

// Where pushing to the branch is denied, what is reviewed goes on.
func TestReviewBesideDenied(t *testing.T) {
	atPier(t, "version: 1\nrules:\n  - {paths: [\"streams/web.yaml\", \"*.yaml\"], status: proposal, triggers: proposal}\n", func(p *pier) { // fault: G-05
		p.store.Write("main", "more", map[string]string{"streams/d.yaml": quayStream("d")})
		p.store.Hook = func(op string) (bool, error) {
			if op == memory.OpPush {
				return false, &gitstore.Error{Kind: gitstore.Denied, Repo: "r", What: "protected", Fix: "choose proposal"}
			}
			return true, nil
		}
		if err := p.registry.Set("quay.io/team1/web:1.4 aaa\nquay.io/team1/d:1.4 ddd"); err != nil {
			t.Fatal(err)
		}
		rep, err := p.line.Settle(p.t.Context(), reconcile.Hint{Scheduled: true})
		if e := (*gitstore.Error)(nil); !errors.As(err, &e) || e.Kind != gitstore.Denied {
			t.Errorf("the error is %v", err)
		}
		p.last = rep
		p.holds(p.one().Branch, "aaa", "aaa", "aaa")
	})
}

// What somebody did by hand needs no proposal any more: it is closed with a word, and not declined.
func TestReviewWithdrawn(t *testing.T) {
	atPier(t, bothReviewed, func(p *pier) {
		p.push("aaa")
		f := p.one()
		p.store.Edit("main", "by hand", func(tree memory.Tree) { maps.Copy(tree, p.store.Tree(f.Branch)) })
		p.walk()
		p.none()
		if got := p.states(); got != "closed closed" {
			t.Errorf("the report says %q", got)
		}
		if c := p.forge.Comments(f.Number); len(c) != 1 {
			t.Errorf("comments: %q", c)
		}
		p.push("bbb")
		p.merge(p.one(), "squash")
		p.push("aaa") // declined by nobody
		p.holds(p.one().Branch, "aaa", "aaa", "aaa")
	})
}

// A file that somebody broke closes nothing.
func TestReviewBrokenFile(t *testing.T) {
	atPier(t, bothReviewed, func(p *pier) {
		p.push("aaa")
		f, stream := p.one(), p.text("streams/web.yaml")
		p.store.Write("main", "oops", map[string]string{"streams/web.yaml": strings.Replace(stream, "kind: DockerImage", "kind: [", 1)})
		p.walk()
		if got := p.one(); got.Number != f.Number || got.Head != f.Head {
			t.Errorf("it became %+v", got)
		}
		p.store.Write("main", "mended", map[string]string{"streams/web.yaml": stream})
		p.walk()
		if got := p.one(); got.Number != f.Number {
			t.Errorf("it became %+v", got)
		}
	})
}

// A merge that leaves a site out has declined it; a new image asks again, and so does an old one that
// comes back on record.
func TestReviewLeftOut(t *testing.T) {
	for _, config := range []string{bothReviewed, sitesReviewed} {
		for _, how := range []string{"squash", "rebase"} {
			atPier(t, config, func(p *pier) {
				p.push("aaa")
				p.merge(p.one(), how, "b.yaml")
				for range 3 {
					p.walk()
					p.none()
					p.holds("main", "aaa", "-", "aaa")
					p.restart()
				}
				p.push("bbb")
				p.merge(p.one(), how)
				p.walk()
				p.holds("main", "bbb", "bbb", "bbb")
				p.push("aaa")
				p.merge(p.one(), how)
				p.walk()
				p.holds("main", "aaa", "aaa", "aaa")
				p.none()
			})
		}
	}
}

// Without a forge branches are pushed, and kept fresh; a person's commit on one is theirs, and one that
// is merged goes away.
func TestReviewWithoutForge(t *testing.T) {
	atPier(t, bothReviewed, func(p *pier) {
		again := func() { p.restart(); p.line.Forge = nil }
		again()
		p.push("aaa")
		names := p.branches()
		if len(names) != 1 || p.states() != "pushed pushed" {
			t.Fatalf("branches %v, states %q", names, p.states())
		}
		tip := p.store.Tip(names[0])
		again()
		p.walk()
		if p.store.Tip(names[0]) != tip {
			t.Error("it was made again for nothing")
		}
		again()
		p.push("bbb")
		p.holds(names[0], "bbb", "bbb", "bbb")
		p.store.Write(names[0], "mine", map[string]string{"notes.txt": "mine\n"})
		tip = p.store.Tip(names[0])
		p.push("ccc")
		if p.store.Tip(names[0]) != tip || p.states() != "refused" {
			t.Errorf("a person's branch became another; states %q", p.states())
		}
		p.store.Move(names[0], "")
		p.walk()
		p.holds(names[0], "ccc", "ccc", "ccc")
		p.merge(forge.Proposal{Branch: names[0], Title: "by hand"}, "rebase")
		p.walk()
		p.none()
		p.holds("main", "ccc", "ccc", "ccc")
	})
}
