package reconcile_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/towpath/towpath/forge"
	"github.com/towpath/towpath/gitstore"
	"github.com/towpath/towpath/gitstore/memory"
	"github.com/towpath/towpath/reconcile"
	registrymemory "github.com/towpath/towpath/registry/memory"
)

// forgedSeal is a commit's message with the seal that anybody can make.
func forgedSeal(files map[string]string) string {
	sum := sha256.New()
	for _, path := range slices.Sorted(maps.Keys(files)) {
		fmt.Fprintf(sum, "%s\x00%s\n", path, gitstore.IDOf([]byte(files[path])))
	}
	return "x\n\nTowpath-Part: 1/1 " + hex.EncodeToString(sum.Sum(nil)[:16]) + "\n"
}

const whenGreen = "version: 1\ndefaults: {status: proposal, merge: when-green}\n"

// merging lets the forge really merge what it is told to.
func (p *pier) merging() {
	p.forge.OnMerge = func(f forge.Proposal) error {
		p.store.Edit("main", f.Title, func(tree memory.Tree) { maps.Copy(tree, p.store.Tree(f.Branch)) })
		return nil
	}
}

// What somebody put below towpath's commits is theirs: it is not overwritten, and towpath never merges it.
func TestReviewWhatLiesBelow(t *testing.T) {
	atPier(t, whenGreen, func(p *pier) {
		p.merging()
		p.push("aaa")
		f := p.one()
		top := p.store.Log(f.Branch)[0]
		p.store.Move(f.Branch, p.store.Tip("main"))
		p.store.Write(f.Branch, "below", map[string]string{"deploy.yaml": "below"})
		p.store.Write(f.Branch, top.Message, map[string]string{"streams/web.yaml": top.Tree["streams/web.yaml"].Content})
		tip := p.store.Tip(f.Branch)
		p.forge.SetChecks(string(tip), forge.Green)
		for range 3 {
			p.walk()
			p.restart()
		}
		if p.text("deploy.yaml") != "" {
			t.Error("towpath merged a commit that is not its own")
		}
		if got := p.states(); p.store.Tip(f.Branch) != tip || got != "frozen" {
			t.Errorf("it is %s, at %s", got, p.store.Tip(f.Branch))
		}
	})
}

// A branch that stands on an older commit of the base is towpath's as ever.
func TestReviewOnOlderBase(t *testing.T) {
	atPier(t, bothReviewed, func(p *pier) {
		p.push("aaa")
		f := p.one()
		for i := range 30 {
			p.store.Write("main", "else", map[string]string{"README.md": fmt.Sprint(i)})
		}
		for range 2 {
			p.restart()
			p.walk()
			if got := p.one(); got.Head != f.Head || p.states() != "open" {
				t.Errorf("it is %s, at %s", p.states(), got.Head)
			}
		}
	})
}

// What merges itself is what registries said: a record that somebody else put on the branch is asked for
// again before.
func TestReviewGreenIsAskedFor(t *testing.T) {
	atPier(t, whenGreen, func(p *pier) {
		p.merging()
		p.push("aaa")
		f := p.one()
		forged := strings.ReplaceAll(p.store.Tree(f.Branch)["streams/web.yaml"].Content, registrymemory.Digest("aaa"), registrymemory.Digest("ccc"))
		files := map[string]string{"streams/web.yaml": forged}
		p.store.Move(f.Branch, p.store.Tip("main"))
		p.forge.SetChecks(string(p.store.Write(f.Branch, forgedSeal(files), files)), forge.Green)
		p.restart()
		for range 10 {
			p.walk()
			p.forge.SetChecks(string(p.store.Tip(f.Branch)), forge.Green)
		}
		if strings.Contains(p.text("streams/web.yaml"), registrymemory.Digest("ccc")) {
			t.Error("a forged record was merged")
		}
		p.record("main", "aaa")
	})
}

// Who asks for one site has nothing to do with the proposals of others.
func TestReviewResumeLeavesOthers(t *testing.T) {
	atPier(t, bothReviewed, func(p *pier) {
		other := strings.Replace(follower("d", " "), "web:stable", "d:stable", 1)
		p.store.Write("main", "another", map[string]string{"streams/d.yaml": quayStream("d"), "d.yaml": other})
		if err := p.registry.Set("quay.io/team1/web:1.4 aaa\nquay.io/team1/d:1.4 ddd"); err != nil {
			t.Fatal(err)
		}
		p.walk()
		before := p.open()
		p.restart()
		p.line.Resume = func(s *reconcile.Site) bool { return s.Path == "b.yaml" }
		p.walk()
		after := p.open()
		for i, f := range before {
			if len(before) != 2 || len(after) != 2 || after[i].Head != f.Head {
				t.Errorf("%s was made again", f.Branch)
			}
		}
	})
}

// A stream that is paused while its image waits for the forge does not lose it.
func TestReviewPausedWhileWaiting(t *testing.T) {
	atPier(t, bothReviewed, func(p *pier) {
		p.store.Write("main", "asked once", map[string]string{"streams/web.yaml": strings.Replace(p.text("streams/web.yaml"), "scheduled: true", "scheduled: false", 1)})
		down := true
		p.forge.Hook = func(string) (bool, error) {
			if down {
				return false, &forge.Error{Kind: forge.Unreachable, Forge: "x", What: "down"}
			}
			return true, nil
		}
		p.push("aaa")
		config := p.text(".towpath.yaml")
		p.store.Write("main", "pause", map[string]string{".towpath.yaml": config + "rules: [{paths: [\"streams/**\"], paused: true}]\n"})
		p.walk()
		if got := p.states(); got != "" {
			t.Errorf("what is paused is %s", got) // its sites would follow what nothing records
		}
		p.store.Write("main", "go on", map[string]string{".towpath.yaml": config})
		down = false
		time.Sleep(time.Hour)
		for range 3 {
			p.walk()
		}
		p.holds(p.one().Branch, "aaa", "aaa", "aaa")
	})
}

// An image that was merged, and now comes from another tag, is proposed: nobody declined that.
func TestReviewSameImageFromElsewhere(t *testing.T) {
	atPier(t, bothReviewed, func(p *pier) {
		p.push("aaa")
		p.merge(p.one(), "squash")
		p.walk()
		if err := p.registry.Set("quay.io/team1/web:1.5 aaa"); err != nil {
			t.Fatal(err)
		}
		p.store.Write("main", "1.5", map[string]string{"streams/web.yaml": strings.Replace(p.text("streams/web.yaml"), "web:1.4\"", "web:1.5\"", 1)})
		p.walk()
		if got := p.store.Tree(p.one().Branch)["streams/web.yaml"].Content; !strings.Contains(got, "web:1.5\"") {
			t.Errorf("it says\n%s", got)
		}
	})
}

// What comes to be, or comes back, after a merge was not left out by it.
func TestReviewCameLater(t *testing.T) {
	atPier(t, sitesReviewed, func(p *pier) {
		p.push("aaa")
		p.merge(p.one(), "squash")
		p.walk()
		p.store.Edit("main", "away", func(tree memory.Tree) { delete(tree, "a.yaml") })
		p.walk()
		for i := range 12 {
			p.store.Write("main", "else", map[string]string{"README.md": fmt.Sprint(i)})
		}
		time.Sleep(30 * 24 * time.Hour)
		p.store.Write("main", "back", map[string]string{"a.yaml": follower("a", " ")})
		p.walk()
		p.holds(p.one().Branch, "aaa", "aaa", "aaa")
	})
	atPier(t, strings.Replace(sitesReviewed, "}", ", group: all}", 1), func(p *pier) { // so many that the marker names none
		p.store.Edit("main", "many", func(tree memory.Tree) {
			for i := range 3000 {
				name := fmt.Sprintf("%x", sha256.Sum256(fmt.Append(nil, i)))[:24]
				tree["sites/"+name+".yaml"] = memory.File{Content: follower("d"+name, " ")}
			}
		})
		p.line.Yes = true
		p.push("aaa")
		p.merge(p.one(), "squash")
		p.walk()
		time.Sleep(24 * time.Hour)
		p.store.Write("main", "a new one", map[string]string{"new.yaml": follower("new", " ")})
		p.walk()
		if f := p.one(); !strings.Contains(p.store.Tree(f.Branch)["new.yaml"].Content, registrymemory.Digest("aaa")) {
			t.Errorf("new.yaml is left out of %s", f.Title)
		}
	})
}

// Who puts a site back by hand to what an older proposal brought has the last word.
func TestReviewPutBackByHand(t *testing.T) {
	atPier(t, sitesReviewed, func(p *pier) {
		for _, word := range []string{"aaa", "bbb"} {
			p.push(word)
			p.merge(p.one(), "squash")
			p.walk()
			time.Sleep(48 * time.Hour)
		}
		p.push("ccc")
		time.Sleep(48 * time.Hour)
		p.take("a.yaml", "a", "quay.io/team1/web@"+registrymemory.Digest("aaa"))
		for range 3 {
			p.walk()
		}
		p.holds(p.one().Branch, "aaa", "ccc", "ccc")
	})
}

// A proposal is declined although its text was taken away, and although its files move.
func TestReviewDeclineStays(t *testing.T) {
	for name, do := range map[string]func(p *pier){
		"text away": func(p *pier) {
			f := p.one()
			p.forge.Write(f.Number, f.Title, "No.")
			p.forge.CloseBy(f.Number)
		},
		"files moved": func(p *pier) {
			p.forge.CloseBy(p.one().Number)
			p.walk()
			p.store.Edit("main", "move", func(tree memory.Tree) {
				for _, path := range []string{"a.yaml", "b.yaml", "c.yaml", "streams/web.yaml"} {
					tree["moved/"+path] = tree[path]
					delete(tree, path)
				}
			})
		},
		"grouped anew": func(p *pier) {
			p.forge.CloseBy(p.one().Number)
			p.walk()
			p.store.Write("main", "group", map[string]string{".towpath.yaml": strings.Replace(p.text(".towpath.yaml"), "triggers: proposal", "triggers: proposal, group: namespace", 1)})
		},
		"branch deleted": func(p *pier) { // at a forge that closes nothing by itself
			f := p.one()
			heads := p.forge.Heads
			p.forge.Heads = func(branch string) string {
				if branch == f.Branch {
					return f.Head
				}
				return heads(branch)
			}
			p.store.Move(f.Branch, "")
			for range 4 {
				p.walk()
			}
			if got := p.forge.Comments(f.Number); len(got) != 1 || !strings.Contains(got[0], "deleted its branch") {
				p.t.Errorf("comments %q", got)
			}
		},
	} {
		for _, config := range []string{bothReviewed, sitesReviewed} {
			atPier(t, config, func(p *pier) {
				p.push("aaa")
				do(p)
				for range 3 {
					p.walk()
					if open := p.open(); len(open) > 0 {
						p.t.Fatalf("%s: proposed again: %+v", name, open)
					}
					p.restart()
				}
				p.push("bbb")
				if p.one(); p.states() != "open opened" {
					t.Errorf("%s: a new image is %s", name, p.states())
				}
			})
		}
	}
}

// There is one proposal for the same thing, also after the branches get other names.
func TestReviewPrefixChanges(t *testing.T) {
	atPier(t, bothReviewed, func(p *pier) {
		p.push("aaa")
		was := p.one()
		p.store.Write("main", "prefix", map[string]string{".towpath.yaml": p.text(".towpath.yaml") + "branch-prefix: bot/\n"})
		p.restart()
		for range 2 {
			p.walk()
			if got := p.one(); !strings.HasPrefix(got.Branch, "bot/main/") {
				t.Errorf("open is %s", got.Branch)
			}
		}
		if c := p.forge.Comments(was.Number); len(c) != 1 || !strings.Contains(c[0], "branch-prefix") || p.store.Tip(was.Branch) != "" {
			t.Errorf("the old one has %q, its branch is at %q", c, p.store.Tip(was.Branch))
		}
	})
	atPier(t, bothReviewed, func(p *pier) { // a person's stays
		p.push("aaa")
		was := p.one()
		p.store.Write(was.Branch, "mine", map[string]string{"notes.txt": "x"})
		p.store.Write("main", "prefix", map[string]string{".towpath.yaml": p.text(".towpath.yaml") + "branch-prefix: bot/\n"})
		p.walk()
		if len(p.open()) != 2 {
			t.Errorf("open are %+v", p.open())
		}
	})
}

// Who closes a proposal hears once that it is dropped and, as long as that keeps anything back, how to
// have it after all.
func TestReviewRejectedIsSaid(t *testing.T) {
	for config, fix := range map[string]string{
		bothReviewed:  "a newer image is proposed anew; to have this one after all, reopen it or run towpath import team1/web:stable", // the record itself is declined
		sitesReviewed: "a newer image is proposed anew; to have this one after all, reopen it or run towpath follow --resume a.yaml",
	} {
		atPier(t, config, func(p *pier) {
			p.push("aaa")
			p.forge.CloseBy(p.one().Number)
			var said []string
			for range 3 {
				p.walk()
				said = append(said, p.states())
			}
			if got := strings.Join(said, "; "); got != "rejected rejected; rejected; rejected" {
				t.Errorf("said %q", got)
			}
			if got := p.last.Proposals[0]; got.Fix != fix || got.Number != 1 || got.Why != "somebody closed it" {
				t.Errorf("said %+v", got)
			}
			_, rep, err := p.line.Survey(p.t.Context())
			if err != nil || len(rep.Proposals) != 1 || rep.Proposals[0].State != reconcile.Rejected {
				t.Errorf("a survey says %+v, %v", rep.Proposals, err)
			}
		})
	}
}

// What is a person's takes nobody's room.
func TestReviewFrozenTakesNoRoom(t *testing.T) {
	atPier(t, bothReviewed+"max-open: 1\n", func(p *pier) {
		p.push("aaa")
		p.store.Write(p.one().Branch, "mine", map[string]string{"notes.txt": "x"})
		p.store.Write("main", "another", map[string]string{"streams/d.yaml": quayStream("d")})
		if err := p.registry.Set("quay.io/team1/d:1.4 ddd"); err != nil {
			t.Fatal(err)
		}
		p.walk()
		p.walk()
		if got := p.states(); got != "open opened, frozen left alone" && got != "open, frozen" {
			t.Errorf("they are %s", got)
		}
	})
}

// A branch holds so many commits at most; the rest follows.
func TestReviewManyVoices(t *testing.T) {
	rules := ""
	for i := range 70 {
		rules += fmt.Sprintf("  - {paths: [\"streams/s%03d.yaml\"], prefix: \"p%d: \"}\n", i, i)
	}
	atPier(t, "version: 1\ndefaults: {status: proposal, group: all}\nrules:\n"+rules, func(p *pier) {
		files, lines := map[string]string{}, ""
		for i := range 70 {
			name := fmt.Sprintf("s%03d", i)
			files["streams/"+name+".yaml"] = quayStream(name)
			lines += "quay.io/team1/" + name + ":1.4 " + name + "\n"
		}
		p.store.Write("main", "many", files)
		if err := p.registry.Set(lines); err != nil {
			t.Fatal(err)
		}
		p.walk()
		f := p.one()
		for range 2 {
			p.restart()
			p.walk()
			if got := p.one(); got.Head != f.Head {
				t.Errorf("made again for nothing: %s", p.states())
			}
		}
		p.merge(f, "rebase")
		p.walk()
		p.merge(p.one(), "rebase")
		p.walk()
		p.none()
		if got := p.text("streams/s069.yaml"); !strings.Contains(got, registrymemory.Digest("s069")) {
			t.Errorf("the last one says\n%s", got)
		}
	})
}

// What people declined of something that starts whole keeps the rest of it back, too.
func TestReviewStartsNotHalf(t *testing.T) {
	atPier(t, sitesReviewed, func(p *pier) {
		p.store.Write("main", "two containers", map[string]string{"streams/other.yaml": quayStream("other"), "d.yaml": duo("true"), "a.yaml": "", "b.yaml": "", "c.yaml": ""})
		p.offers("quay.io/team1/web:1.4 aaa\nquay.io/team1/other:1.4 bbb")
		p.walk()
		p.forge.CloseBy(p.one().Number)
		p.walk()
		p.offers("quay.io/team1/web:1.4 ccc")
		p.walk()
		if open := p.open(); len(open) > 0 {
			t.Errorf("it would start half:\n%s", p.store.Tree(open[0].Branch)["d.yaml"].Content)
		}
		if len(p.last.Held) != 2 {
			t.Errorf("held: %+v", p.last.Held)
		}
	})
}

// A proposal that cannot get on says why; and what one of its tags was resolved to is not forgotten while
// another's file is broken.
func TestReviewSaysWhyItStays(t *testing.T) {
	atPier(t, strings.Replace(bothReviewed, "}", ", group: all}", 1), func(p *pier) {
		unscheduled := func(text string) string {
			return strings.Replace(text, "scheduled: true", "scheduled: false", 1)
		}
		p.store.Write("main", "another", map[string]string{"streams/d.yaml": quayStream("d"), "streams/web.yaml": unscheduled(p.text("streams/web.yaml"))})
		p.offers("quay.io/team1/web:1.4 aaa\nquay.io/team1/d:1.4 ddd")
		p.walk()
		f, web := p.one(), p.text("streams/web.yaml")
		p.store.Write("main", "oops", map[string]string{"streams/web.yaml": strings.Replace(web, "kind: DockerImage", "kind: [", 1)})
		p.offers("quay.io/team1/d:1.4 eee")
		for range 2 {
			p.walk()
			if got := p.last.Proposals; len(got) != 1 || got[0].State != reconcile.UnderReview || got[0].Why != "it stays as it is while a file that may hold team1/web cannot be read (towpath validate names it)" {
				t.Errorf("they are %+v", got)
			}
		}
		if got := p.one(); got.Head != f.Head {
			t.Errorf("it changed to %s", got.Title)
		}
		p.store.Write("main", "mended", map[string]string{"streams/web.yaml": web})
		p.offers("quay.io/team1/web:1.4 bbb") // which nobody asks for again
		p.walk()
		p.walk()
		text := p.store.Tree(p.one().Branch)
		if !strings.Contains(text["streams/web.yaml"].Content, registrymemory.Digest("aaa")) || !strings.Contains(text["streams/d.yaml"].Content, registrymemory.Digest("eee")) {
			t.Errorf("it has\n%s\n%s", text["streams/web.yaml"].Content, text["streams/d.yaml"].Content)
		}
	})
}

// A branch that was deleted a moment ago is not made again at once: some forges would close what is opened
// of it, and that would look like a person's doing.
func TestReviewAfterRemoval(t *testing.T) {
	for _, by := range []string{"towpath", "a person", "another process"} {
		atPier(t, bothReviewed, func(p *pier) {
			p.push("aaa")
			f := p.one()
			p.merge(f, "squash")
			if by != "towpath" {
				p.store.Move(f.Branch, "")
			}
			if by == "another process" {
				p.quay.walk()
			} else {
				p.walk()
			}
			p.none()
			p.offers("quay.io/team1/web:1.4 bbb")
			time.Sleep(time.Second)
			if by == "another process" {
				p.restart()
			}
			if _, err := p.line.Settle(p.t.Context(), reconcile.Hint{Scheduled: true}); err != nil {
				t.Error(err)
			}
			if open := p.open(); len(open) > 0 {
				t.Errorf("after %s removed it, it is open at once", by)
			}
			time.Sleep(15 * time.Second)
			if _, err := p.line.Settle(p.t.Context()); err != nil {
				t.Error(err)
			}
			p.holds(p.one().Branch, "bbb", "bbb", "bbb")
		})
	}
}

// Without a forge a survey says what branches hold.
func TestSurveyOfBranches(t *testing.T) {
	atPier(t, bothReviewed, func(p *pier) {
		p.line.Forge = nil
		p.push("aaa")
		p.restart()
		p.line.Forge = nil
		_, rep, err := p.line.Survey(p.t.Context())
		if err != nil || len(rep.Proposals) != 1 {
			p.t.Fatalf("%+v, %v", rep.Proposals, err)
		}
		got := rep.Proposals[0]
		if got.State != reconcile.Pushed || !strings.HasPrefix(got.Title, "team1/web:stable ") || len(got.Moves) != 1 || got.Moves[0].Image != registrymemory.Digest("aaa") {
			t.Errorf("%+v", got)
		}
	})
}

// Who imports a tag by name asks for what was declined: it is proposed once more, with all that follows.
func TestReviewImportUndoes(t *testing.T) {
	for _, config := range []string{bothReviewed, "version: 1\ndefaults: {status: proposal}\n"} {
		atPier(t, config, func(p *pier) {
			p.push("aaa")
			p.forge.CloseBy(p.one().Number)
			p.walk()
			p.walk()
			if open := p.open(); len(open) > 0 {
				t.Errorf("open: %+v", open)
			}
			p.restart()
			h := reconcile.Hint{Force: true}
			h.Stream.Namespace, h.Stream.Name, h.Tag = "team1", "web", "stable"
			p.line.Targets, p.line.Only = []reconcile.Hint{h}, reconcile.ImportOnly
			if _, err := p.line.Settle(p.t.Context(), h); err != nil {
				p.t.Fatal(err)
			}
			f := p.one()
			for range 2 { // and the daemon takes nothing back
				p.restart()
				p.walk()
				if got := p.one(); got.Number != f.Number || got.Head != f.Head {
					t.Errorf("it became %s, %s", got.Title, p.states())
				}
			}
			p.record(f.Branch, "aaa")
			if config == bothReviewed {
				p.holds(f.Branch, "aaa", "aaa", "aaa")
			}
		})
	}
}

// A survey says what waits for its turn, and changes nothing.
func TestSurveyOfWhatWaits(t *testing.T) {
	atPier(t, sitesReviewed+"max-open: 1\n", func(p *pier) {
		p.store.Write("main", "another", map[string]string{"streams/d.yaml": quayStream("d"), "d.yaml": strings.Replace(follower("d", " "), "web:stable", "d:stable", 1)})
		p.offers("quay.io/team1/web:1.4 aaa\nquay.io/team1/d:1.4 ddd")
		p.walk()
		f := p.one()
		p.restart()
		_, rep, err := p.line.Survey(p.t.Context())
		if err != nil || len(rep.Proposals) != 2 || rep.Proposals[0].State != reconcile.UnderReview || rep.Proposals[1].State != reconcile.InLine ||
			!strings.HasPrefix(rep.Proposals[1].Why, "max-open of .towpath.yaml allows no more than 1 open proposal") {
			t.Errorf("%+v, %v", rep.Proposals, err)
		}
		if got := p.one(); got.Head != f.Head || len(p.branches()) != 1 {
			t.Errorf("a survey wrote: %v", p.branches())
		}
	})
}
