package reconcile_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	forgememory "github.com/towpath/towpath/forge/memory"
	"github.com/towpath/towpath/gitstore/memory"
	"github.com/towpath/towpath/imagestream"
	"github.com/towpath/towpath/reconcile"
	registrymemory "github.com/towpath/towpath/registry/memory"
)

// fromStream is a stream whose one tag is from another stream's.
func fromStream(name, kind, from string) string {
	text := strings.Replace(quayStream(name), "kind: DockerImage, name: \"quay.io/team1/"+name+":1.4\"", "kind: "+kind+", name: \""+from+"\"", 1)
	return strings.Replace(text, "      importPolicy: {scheduled: true}\n", "", 1)
}

// following is a deployment that follows a tag.
func following(name, tag string) string {
	return strings.Replace(follower(name, " "), "web:stable", tag, 1)
}

// Who asks for one stream takes nothing out of its proposal that is another's.
func TestReviewImportOfOne(t *testing.T) {
	atPier(t, bothReviewed, func(p *pier) {
		p.store.Write("main", "another", map[string]string{"streams/other.yaml": fromStream("other", "ImageStreamTag", "web:stable"), "c.yaml": following("c", "other:stable")})
		p.push("aaa")
		f := p.one()
		p.restart()
		h := reconcile.Hint{Stream: imagestream.Name{Namespace: "team1", Name: "web"}, Force: true}
		p.line.Targets, p.line.Only = []reconcile.Hint{h}, reconcile.ImportOnly
		if _, err := p.line.Settle(p.t.Context(), h); err != nil {
			t.Fatal(err)
		}
		if got := p.one(); got.Head != f.Head {
			t.Errorf("it was made again:\n%s", p.store.Tree(got.Branch)["streams/other.yaml"].Content)
		}
		p.holds(f.Branch, "aaa", "aaa", "aaa")
	})
}

// A file that somebody broke for a moment takes nothing away, whether there is a forge or not; nor does a
// window that closes.
func TestReviewBrokenForAMoment(t *testing.T) {
	for _, config := range []string{bothReviewed, sitesReviewed} {
		for _, path := range []string{"streams/web.yaml", "a.yaml"} {
			for _, forged := range []bool{true, false} {
				for _, forgets := range []bool{true, false} {
					atPier(t, config, func(p *pier) {
						again := func() {
							if p.restart(); !forged {
								p.line.Forge = nil
							}
						}
						again()
						p.push("aaa")
						name := p.branches()[0]
						tip, text := p.store.Tip(name), p.text(path)
						p.store.Write("main", "oops", map[string]string{path: strings.Replace(text, "kind: ", "kind: [", 1)})
						if forgets {
							again()
						}
						p.walk()
						if p.store.Tip(name) != tip {
							t.Errorf("%q, %s is broken, a forge %v: the branch is at %q", config, path, forged, p.store.Tip(name))
						}
						p.store.Write("main", "mended", map[string]string{path: text})
						p.push("bbb")
						p.holds(name, "bbb", "bbb", "bbb")
						p.store.Edit("main", "away", func(tree memory.Tree) { delete(tree, "streams/web.yaml") })
						p.walk()
						p.none()
					})
				}
			}
		}
	}
}

// Without a forge a window that closes takes nothing from a branch.
func TestReviewWindowWithoutForge(t *testing.T) {
	for _, config := range []string{bothReviewed, sitesReviewed} {
		atPier(t, config+"rules:\n  - {paths: [\"*.yaml\"], windows: [{cron: \"0 8 * * 1-5\", for: 9h, zone: UTC}]}\n", func(p *pier) {
			p.line.Forge = nil
			time.Sleep(time.Until(time.Date(2000, 1, 3, 9, 0, 0, 0, time.UTC)))
			p.push("aaa")
			name := p.branches()[0]
			tip := p.store.Tip(name)
			time.Sleep(10 * time.Hour)
			for range 2 {
				if p.walk(); p.store.Tip(name) != tip {
					t.Errorf("%q: the branch is at %q", config, p.store.Tip(name))
				}
				p.restart()
				p.line.Forge = nil
			}
		})
	}
}

// A branch that moves, or goes away, after the branches were listed is nobody's yet: it is looked at again,
// and not taken for a person's.
func TestReviewMovesWhileLooking(t *testing.T) {
	for _, gone := range []bool{false, true} {
		for _, config := range []string{bothReviewed, sitesReviewed} {
			atPier(t, config, func(p *pier) {
				p.push("aaa")
				f, other := p.one(), p.line
				p.restart()
				p.line.Poll = time.Hour
				p.forge.Hook = func(op string) (bool, error) {
					if op == forgememory.OpList {
						p.forge.Hook = nil
						if gone { // and the forge says so later
							p.forge.Heads = func(string) string { return f.Head }
							p.store.Move(f.Branch, "")
							return true, nil
						}
						p.offers("quay.io/team1/web:1.4 bbb")
						time.Sleep(time.Minute)
						if _, err := other.Settle(p.t.Context(), reconcile.Hint{Scheduled: true}); err != nil {
							t.Fatal(err)
						}
					}
					return true, nil
				}
				rep, err := p.line.Settle(p.t.Context())
				if err != nil {
					t.Fatal(err)
				}
				for _, r := range rep.Proposals {
					if want := map[bool]reconcile.ReviewState{false: reconcile.UnderReview, true: reconcile.Rejected}[gone]; r.State != want {
						t.Errorf("%q, gone %v: in the end it is %s: %s", config, gone, r.State, r.Why)
					}
				}
				if c := p.forge.Comments(f.Number); len(c) > 0 && !(gone && strings.HasPrefix(c[0], "Closed: somebody deleted its branch")) {
					t.Errorf("%q, gone %v: towpath's own commits are called a person's: %q", config, gone, c)
				}
				if !gone {
					p.holds(p.one().Branch, "bbb", "bbb", "bbb")
					p.record(p.one().Branch, "bbb")
				}
			})
		}
	}
}

func (p *pier) offers(lines string) {
	p.t.Helper()
	if err := p.registry.Set(lines); err != nil {
		p.t.Fatal(err)
	}
}

// However many lanes there are, a command comes to rest when all are proposed.
func TestReviewManyLanes(t *testing.T) {
	atPier(t, bothReviewed+"max-open: 1000\n", func(p *pier) {
		const many = 260
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
		if n := len(p.open()); n != many {
			t.Errorf("%d are open, want %d", n, many)
		}
	})
}

// An image that waits for its review is no image of its stream yet for what is written elsewhere, by however
// many names it would get there.
func TestReviewImageOfStream(t *testing.T) {
	for _, group := range []string{"tag", "all"} {
		atPier(t, "version: 1\ndefaults: {status: proposal, triggers: proposal, group: "+group+"}\nrules: [{paths: [streams/other.yaml, streams/third.yaml, streams/sixth.yaml], status: commit}]\n", func(p *pier) {
			p.store.Write("main", "others", map[string]string{
				"streams/other.yaml": fromStream("other", "ImageStreamImage", "web@"+registrymemory.Digest("aaa")), // main
				"streams/third.yaml": fromStream("third", "ImageStreamTag", "other:stable"),
				"streams/near.yaml":  fromStream("near", "ImageStreamTag", "web:stable"),                            // goes with web:stable
				"streams/fifth.yaml": fromStream("fifth", "ImageStreamImage", "near@"+registrymemory.Digest("aaa")), // a lane of its own
				"streams/sixth.yaml": fromStream("sixth", "ImageStreamTag", "fifth:stable"),                         // main
				"c.yaml":             following("c", "other:stable"),
				"d.yaml":             following("d", "fifth:stable"),
			})
			p.push("aaa")
			for _, name := range []string{"other", "third", "near", "fifth", "sixth"} {
				if text := p.text("streams/" + name + ".yaml"); strings.Contains(text, "status:") {
					t.Errorf("main has what nobody merged:\n%s", text)
				}
			}
			f := p.one()
			p.holds(f.Branch, "aaa", "aaa", "-")
			tree := p.store.Tree(f.Branch)
			if !strings.Contains(tree["streams/near.yaml"].Content, "status:") || strings.Contains(tree["streams/fifth.yaml"].Content, "status:") != (group == "all") {
				t.Errorf("the branch holds\n%s\n%s", tree["streams/near.yaml"].Content, tree["streams/fifth.yaml"].Content)
			}
			for n := 0; len(p.open()) > 0; n++ {
				if n > 3 {
					t.Fatalf("there is no end of proposals: %+v", p.open())
				}
				p.merge(p.open()[0], "squash")
				p.walk()
			}
			p.holds("main", "aaa", "aaa", "aaa")
			for _, path := range []string{"streams/other.yaml", "streams/third.yaml", "streams/near.yaml", "streams/fifth.yaml", "streams/sixth.yaml", "d.yaml"} {
				if !strings.Contains(p.text(path), registrymemory.Digest("aaa")) {
					t.Errorf("in the end main lacks the image:\n%s", p.text(path))
				}
			}
		})
	}
}

// What starts whole is whole in one proposal, whatever its triggers follow, and rests on what is on record;
// once it has started its images move by themselves.
func TestReviewStartsWhole(t *testing.T) {
	for _, config := range []string{bothReviewed, sitesReviewed} {
		for _, last := range []bool{false, true} {
			atPier(t, config, func(p *pier) {
				has := func(branch, one, two string) {
					t.Helper()
					for _, word := range []string{"aaa", "bbb", "ccc"} {
						if is := strings.Contains(p.store.Tree(branch)["d.yaml"].Content, registrymemory.Digest(word)); is != (word == one || word == two) {
							t.Errorf("%q: %s: it has %s: %v\n%s", config, branch, word, is, p.store.Tree(branch)["d.yaml"].Content)
						}
					}
				}
				p.store.Edit("main", "two containers", func(tree memory.Tree) {
					for _, path := range []string{"a.yaml", "b.yaml", "c.yaml"} {
						delete(tree, path)
					}
					tree["streams/other.yaml"], tree["d.yaml"] = memory.File{Content: quayStream("other")}, memory.File{Content: duo("true")}
				})
				p.offers("quay.io/team1/web:1.4 aaa\nquay.io/team1/other:1.4 bbb")
				p.walk()
				for n := 0; strings.Contains(p.text("d.yaml"), `image: " "`); n++ {
					if n > 3 {
						t.Fatalf("%q: it never starts: %+v", config, p.open())
					}
					has("main", "", "")
					open := p.open()
					for _, f := range open {
						text := p.store.Tree(f.Branch)["d.yaml"].Content
						if strings.Contains(text, registrymemory.Digest("aaa")) != strings.Contains(text, registrymemory.Digest("bbb")) {
							t.Errorf("%q: it would start half:\n%s", config, text)
						}
					}
					f := open[0]
					if last {
						f = open[len(open)-1]
					}
					p.merge(f, "rebase")
					p.walk()
				}
				has("main", "aaa", "bbb")
				p.offers("quay.io/team1/web:1.4 aaa\nquay.io/team1/other:1.4 ccc")
				p.walk()
				has(p.one().Branch, "aaa", "ccc")
				p.merge(p.one(), "squash")
				p.walk()
				has("main", "aaa", "ccc")
				p.none()
			})
		}
	}
}
