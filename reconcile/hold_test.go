package reconcile_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/towpath/towpath/gitstore"
	"github.com/towpath/towpath/gitstore/memory"
	"github.com/towpath/towpath/reconcile"
	registrymemory "github.com/towpath/towpath/registry/memory"
)

// What people take back stays back: law 9 in the ways in which histories go.

// A quay is a repository in which deployments follow team1/web:stable, with a daemon.
type quay struct {
	t        *testing.T
	store    *memory.Store
	registry *registrymemory.Registry
	line     *reconcile.Reconciler
	last     reconcile.Report
}

func newQuay(t *testing.T, files map[string]string) *quay {
	q := &quay{t: t, registry: &registrymemory.Registry{}}
	all := map[string]string{"streams/web.yaml": quayStream("web")}
	maps.Copy(all, files)
	q.store = memory.New(all)
	q.restart()
	return q
}

func quayStream(name string) string {
	return fmt.Sprintf("apiVersion: image.openshift.io/v1\nkind: ImageStream\nmetadata: {name: %s, namespace: team1}\nspec:\n"+
		"  tags:\n    - name: stable\n      from: {kind: DockerImage, name: \"quay.io/team1/%s:1.4\"}\n      importPolicy: {scheduled: true}\n", name, name)
}

// follower is a Deployment whose one container follows web:stable.
func follower(name, image string) string {
	return fmt.Sprintf("apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: %s\n  namespace: team1\n  annotations:\n"+
		"    image.openshift.io/triggers: '[{\"from\":{\"kind\":\"ImageStreamTag\",\"name\":\"web:stable\"},\"fieldPath\":\"spec.template.spec.containers[0].image\"}]'\n"+
		"spec: {template: {spec: {containers: [{name: app, image: %q}]}}}\n", name, image)
}

func (q *quay) restart() {
	q.line = &reconcile.Reconciler{Store: q.store, Branch: "main", Reader: q.registry, Author: gitstore.Person{Name: "towpath", Email: "towpath@localhost"}}
}

// push gives the image of web:1.4 another content, and walks.
func (q *quay) push(word string) {
	q.t.Helper()
	if err := q.registry.Set("quay.io/team1/web:1.4 " + word); err != nil {
		q.t.Fatal(err)
	}
	q.walk()
}

func (q *quay) walk() {
	q.t.Helper()
	rep, err := q.line.Settle(q.t.Context(), reconcile.Hint{Scheduled: true})
	if err != nil {
		q.t.Fatal(err)
	}
	q.last = rep
}

// take gives the container of a deployment in a file another image, as a person would.
func (q *quay) take(path, name, image string) {
	q.t.Helper()
	docs := strings.Split(q.text(path), "---\n")
	for i, d := range docs {
		if strings.Contains(d, "name: "+name+"\n") {
			at := strings.LastIndex(d, "image: ")
			docs[i] = d[:at] + fmt.Sprintf("image: %q}]}}}\n", image)
		}
	}
	q.store.Write("main", "take "+name+" back", map[string]string{path: strings.Join(docs, "---\n")})
}

func (q *quay) text(path string) string { return q.store.Tree("main")[path].Content }

// sites says what each site holds, in short.
func (q *quay) sites() string {
	q.t.Helper()
	words := map[string]string{}
	for _, w := range []string{"aaa", "bbb", "ccc"} {
		words["quay.io/team1/web@"+registrymemory.Digest(w)] = w
	}
	held := map[*reconcile.Site]reconcile.Hold{}
	for _, h := range q.last.Held {
		held[h.Change.Site] = h
	}
	var out []string
	for _, s := range q.line.Catalog().Sites {
		line := s.Path + " " + s.ID.Name + " " + s.Current()
		for ref, w := range words {
			line = strings.ReplaceAll(line, ref, w)
		}
		if h, ok := held[s]; ok {
			line += ", " + string(h.Why)
			if h.By != "" {
				line += " by " + h.About.Subject
			}
		}
		out = append(out, line)
	}
	return strings.Join(out, "\n")
}

func (q *quay) want(sites ...string) {
	q.t.Helper()
	if diff := cmp.Diff(strings.Join(sites, "\n"), q.sites()); diff != "" {
		q.t.Errorf("sites (-want +got):\n%s", diff)
	}
}

// settledTwice holds what was found against a daemon that knows nothing but Git.
func (q *quay) wantAfterRestartToo(sites ...string) {
	q.t.Helper()
	q.walk()
	q.want(sites...)
	q.restart()
	q.walk()
	q.want(sites...)
}

func quayside(t *testing.T, files map[string]string, story func(q *quay)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { story(newQuay(t, files)) })
}

// Of several documents in a file each is itself.
func TestHeldInSeveralDocuments(t *testing.T) {
	quayside(t, map[string]string{"all.yaml": follower("a", " ") + "---\n" + follower("b", " ")}, func(q *quay) {
		q.push("aaa")
		q.take("all.yaml", "a", "old")
		q.wantAfterRestartToo("all.yaml a old, taken back by take a back", "all.yaml b aaa")
		q.store.Write("main", "the other way round", map[string]string{"all.yaml": strings.Join(reversed(strings.Split(q.text("all.yaml"), "---\n")), "---\n")})
		q.wantAfterRestartToo("all.yaml b aaa", "all.yaml a old, taken back by take a back")
		q.push("bbb")
		q.want("all.yaml b bbb", "all.yaml a bbb")
	})
}

func reversed(s []string) []string { slices.Reverse(s); return s }

// A deployment that moves to another file, which was there before, is still the same.
func TestHeldWhenTheSiteMoves(t *testing.T) {
	quayside(t, map[string]string{"a.yaml": follower("a", " "), "b.yaml": follower("b", " ")}, func(q *quay) {
		q.push("aaa")
		q.take("a.yaml", "a", "old")
		q.walk()
		q.store.Edit("main", "all in one file", func(tree memory.Tree) {
			tree["b.yaml"] = memory.File{Content: tree["b.yaml"].Content + "---\n" + tree["a.yaml"].Content}
			delete(tree, "a.yaml")
		})
		q.wantAfterRestartToo("b.yaml b aaa", "b.yaml a old, taken back by take a back")
		q.store.Edit("main", "and apart again", func(tree memory.Tree) {
			b, a, _ := strings.Cut(tree["b.yaml"].Content, "---\n")
			tree["b.yaml"], tree["c.yaml"] = memory.File{Content: b}, memory.File{Content: a}
		})
		q.wantAfterRestartToo("b.yaml b aaa", "c.yaml a old, taken back by take a back")
	})
}

// Where many files move at once, each comes from where its path says.
func TestHeldWhenADirectoryMoves(t *testing.T) {
	quayside(t, map[string]string{"over/x/web.yaml": follower("a", " "), "over/y/web.yaml": follower("a", " "), "over/z/web.yaml": follower("a", " ")}, func(q *quay) {
		q.push("aaa")
		q.take("over/y/web.yaml", "a", "old")
		q.walk()
		q.store.Edit("main", "rename", func(tree memory.Tree) {
			for _, d := range []string{"x", "y", "z"} {
				tree["envs/"+d+"/web.yaml"] = tree["over/"+d+"/web.yaml"]
				delete(tree, "over/"+d+"/web.yaml")
			}
		})
		q.wantAfterRestartToo("envs/x/web.yaml a aaa", "envs/y/web.yaml a old, taken back by take a back", "envs/z/web.yaml a aaa")
	})
}

// The record may move between files as well.
func TestHeldWhenTheStreamMoves(t *testing.T) {
	quayside(t, map[string]string{"a.yaml": follower("a", " "), "streams/other.yaml": quayStream("other")}, func(q *quay) {
		if err := q.registry.Set("quay.io/team1/other:1.4 ccc"); err != nil {
			q.t.Fatal(err)
		}
		q.push("aaa")
		q.take("a.yaml", "a", "old")
		q.walk()
		q.store.Edit("main", "all streams in one file", func(tree memory.Tree) {
			tree["streams/other.yaml"] = memory.File{Content: tree["streams/other.yaml"].Content + "---\n" + tree["streams/web.yaml"].Content}
			delete(tree, "streams/web.yaml")
		})
		q.wantAfterRestartToo("a.yaml a old, taken back by take a back")
	})
}

// A record that went away and came back is a new one, also where nobody looked meanwhile.
func TestFreeWhenTheRecordBreaks(t *testing.T) {
	quayside(t, map[string]string{"a.yaml": follower("a", " ")}, func(q *quay) {
		q.push("aaa")
		said := q.text("streams/web.yaml")
		q.take("a.yaml", "a", "old")
		q.walk()
		q.want("a.yaml a old, taken back by take a back")
		q.store.Write("main", "another image", map[string]string{"streams/web.yaml": strings.ReplaceAll(said, registrymemory.Digest("aaa"), registrymemory.Digest("bbb"))})
		q.store.Write("main", "and back", map[string]string{"streams/web.yaml": said})
		q.walk()
		q.want("a.yaml a aaa")
	})
}

// Who puts the image back ends the hold; who takes it away again is held again.
func TestHoldEnds(t *testing.T) {
	quayside(t, map[string]string{"a.yaml": follower("a", " ")}, func(q *quay) {
		q.push("aaa")
		q.take("a.yaml", "a", "old")
		q.wantAfterRestartToo("a.yaml a old, taken back by take a back")
		q.take("a.yaml", "a", "elsewhere.example/web@"+registrymemory.Digest("aaa"))
		q.wantAfterRestartToo("a.yaml a elsewhere.example/web@" + registrymemory.Digest("aaa"))
		q.take("a.yaml", "a", "older")
		q.wantAfterRestartToo("a.yaml a older, taken back by take a back")
		q.line.Resume = func(s *reconcile.Site) bool { return s.ID.Name == "a" }
		q.walk()
		q.want("a.yaml a aaa")
	})
}

// Resuming writes what was named, asks nobody, and leaves the rest as it is.
func TestResumeNothingElse(t *testing.T) {
	quayside(t, map[string]string{"a.yaml": follower("a", " "), "b.yaml": follower("b", " ")}, func(q *quay) {
		q.push("aaa")
		q.take("a.yaml", "a", "old")
		q.take("b.yaml", "b", "old")
		q.walk()
		if err := q.registry.Set("quay.io/team1/web:1.4 bbb"); err != nil {
			q.t.Fatal(err)
		}
		q.restart()
		q.line.Resume = func(s *reconcile.Site) bool { return s.Path == "a.yaml" }
		q.walk()
		q.want("a.yaml a aaa", "b.yaml b old, taken back by take b back")
		if n := len(q.last.Commits); n != 1 {
			q.t.Errorf("%d commits, want the one that resumes", n)
		}
	})
}

// Of a proposal that was merged as one commit, with the record, what was left out stays
// as it is; what came with it is free.
func TestLeftOut(t *testing.T) {
	files := map[string]string{"a.yaml": follower("a", "old"), "b.yaml": follower("b", "old")}
	quayside(t, files, func(q *quay) {
		q.line.Dry = true
		q.push("aaa")
		writes := q.last.Planned
		q.line.Dry = false
		merged := map[string]string{"c.yaml": follower("c", "old")}
		for _, w := range writes {
			for _, e := range w.Commit.Edits {
				if e.Path != "b.yaml" {
					merged[e.Path] = string(e.Content)
				}
			}
		}
		if len(merged) != 3 {
			q.t.Fatalf("planned %d files", len(merged))
		}
		q.store.Write("main", "merge all but b", merged)
		q.restart()
		q.wantAfterRestartToo("a.yaml a aaa", "b.yaml b old, left out by merge all but b", "c.yaml c aaa")
		q.push("bbb")
		q.want("a.yaml a bbb", "b.yaml b bbb", "c.yaml c bbb")
	})
}

// A dump of a cluster that is committed with its manifests leaves nothing out: what was not
// there before was not left as it was.
func TestNothingLeftOutAtBirth(t *testing.T) {
	quayside(t, map[string]string{"a.yaml": follower("a", " ")}, func(q *quay) {
		q.push("aaa")
		q.store.Edit("main", "all away", func(tree memory.Tree) { clear(tree); tree["README"] = memory.File{Content: "empty"} })
		q.walk()
		now := map[string]string{"a.yaml": follower("a", "quay.io/team1/web@"+registrymemory.Digest("aaa")), "b.yaml": follower("b", " ")}
		for _, l := range q.store.Log("main") {
			if s, ok := l.Tree["streams/web.yaml"]; ok && strings.Contains(s.Content, "status:") {
				now["streams/web.yaml"] = s.Content
			}
		}
		q.store.Write("main", "a dump", now)
		q.walk()
		q.want("a.yaml a aaa", "b.yaml b aaa")
	})
}

// fault: H-26
// A tag that goes to and fro takes its sites along three times a day, not more; the record
// goes on, and so does the site a day later.
func TestFlipFlop(t *testing.T) {
	quayside(t, map[string]string{"a.yaml": follower("a", " ")}, func(q *quay) {
		q.store.Now = time.Now
		moves := 0
		for i := range 25 {
			q.push([]string{"aaa", "bbb"}[i%2])
			for _, c := range q.last.Commits {
				if c.Kind == reconcile.TriggerCommit {
					moves++
				}
			}
			time.Sleep(30 * time.Minute)
			if i == 13 { // the count is in the log alone
				q.restart()
			}
		}
		if moves != 6 {
			q.t.Errorf("the site moved %d times within a day, want three times to each image", moves)
		}
		if len(q.last.Held) != 1 || q.last.Held[0].Why != reconcile.FlipFlop {
			q.t.Fatalf("held: %+v", q.last.Held)
		}
		if until := time.Until(q.last.Held[0].Until); until <= 0 || until > 24*time.Hour {
			q.t.Errorf("held for %s, want some of a day", until)
		}
		q.push("ccc")
		q.want("a.yaml a ccc")
		q.push("bbb")
		if len(q.last.Held) != 1 || q.last.Held[0].Why != reconcile.FlipFlop {
			q.t.Errorf("held: %+v", q.last.Held)
		}
		time.Sleep(25 * time.Hour)
		q.walk()
		q.want("a.yaml a bbb")
	})
}

// What the log said is remembered: nothing is read while nothing changes, and later only what
// came since.
func TestVerdictsAreRemembered(t *testing.T) {
	files := map[string]string{}
	for i := range 50 {
		files[fmt.Sprintf("d/%d.yaml", i)] = follower(fmt.Sprint("d", i), " ")
	}
	quayside(t, files, func(q *quay) {
		var parents, reads atomic.Int32
		q.store.Hook = func(op string) (bool, error) {
			switch op {
			case memory.OpParent:
				parents.Add(1)
			case memory.OpRead:
				reads.Add(1)
			}
			return true, nil
		}
		q.push("aaa")
		back := map[string]string{}
		for path := range files {
			back[path] = strings.Replace(q.text(path), "quay.io/team1/web@"+registrymemory.Digest("aaa"), "old", 1)
		}
		q.store.Write("main", "all back", back)
		for i := range 30 {
			q.store.Write("main", "more", map[string]string{"README": fmt.Sprint(i)})
		}
		count := func(do func()) (int, int) {
			parents.Store(0)
			reads.Store(0)
			do()
			if n := len(q.last.Held); n != 50 {
				q.t.Fatalf("%d sites are held, want all 50", n)
			}
			return int(parents.Load()), int(reads.Load())
		}
		if p, r := count(q.walk); p > 34 || r > 120 {
			q.t.Errorf("the first walk of 32 commits looked at %d parents and read %d files, want each once", p, r)
		}
		if p, r := count(q.walk); p > 0 || r > 0 {
			q.t.Errorf("with nothing new it looked at %d parents and read %d files", p, r)
		}
		q.store.Write("main", "unrelated", map[string]string{"README": "x"})
		if p, r := count(q.walk); p > 1 || r > 1 {
			q.t.Errorf("after one commit it looked at %d parents and read %d files", p, r)
		}
		time.Sleep(20 * time.Minute)
		q.store.Write("main", "of the stream", map[string]string{"streams/web.yaml": q.text("streams/web.yaml") + "# more\n"})
		if p, r := count(q.walk); p > 1 || r > 3 {
			q.t.Errorf("after one commit of the stream it looked at %d parents and read %d files", p, r)
		}
	})
}

// Where history is cut off, or too long, one site waits and the others go on.
func TestHistoryTooLong(t *testing.T) {
	quayside(t, map[string]string{"a.yaml": follower("a", " ")}, func(q *quay) {
		q.push("aaa")
		q.take("a.yaml", "a", "old")
		for i := range 20 {
			q.store.Write("main", "more", map[string]string{"README": fmt.Sprint(i)})
		}
		left := 5
		q.store.Hook = func(op string) (bool, error) {
			if op == memory.OpParent {
				if left--; left < 0 {
					return false, &gitstore.Error{Kind: gitstore.Unsupported, What: "the history is cut off"}
				}
			}
			return true, nil
		}
		q.walk()
		q.want("a.yaml a old, too long")
		left = 100
		q.restart()
		q.walk()
		q.want("a.yaml a old, taken back by take a back")
	})
}

// Since says which commit gave a site what it holds.
func TestSince(t *testing.T) {
	quayside(t, map[string]string{"a.yaml": follower("a", " "), "b.yaml": follower("b", "first")}, func(q *quay) {
		q.push("aaa")
		q.take("b.yaml", "b", "mine")
		q.store.Edit("main", "move", func(tree memory.Tree) {
			tree["c.yaml"] = tree["b.yaml"]
			delete(tree, "b.yaml")
		})
		cat, _, err := q.line.Survey(q.t.Context())
		if err != nil {
			q.t.Fatal(err)
		}
		since, err := q.line.Since(q.t.Context(), cat, cat.Sites)
		if err != nil {
			q.t.Fatal(err)
		}
		var got []string
		for _, s := range since {
			got = append(got, s.Site.Path+": "+s.About.Subject)
		}
		want := []string{"a.yaml: " + q.triggered(), "c.yaml: take b back"}
		if diff := cmp.Diff(want, got); diff != "" {
			q.t.Errorf("-want +got:\n%s", diff)
		}
	})
}

// triggered is the subject of the first trigger commit.
func (q *quay) triggered() string {
	for _, l := range q.store.Log("main") {
		if strings.Contains(l.Message, "Towpath-Commit: trigger") {
			subject, _, _ := strings.Cut(l.Message, "\n")
			return subject
		}
	}
	return ""
}

// Where names mislead, content says where a file came from.
func TestHeldWhenFilesSwapNames(t *testing.T) {
	quayside(t, map[string]string{"p/one.yaml": follower("a", " "), "q/two.yaml": follower("a", " ")}, func(q *quay) {
		q.push("aaa")
		q.take("p/one.yaml", "a", "old")
		q.walk()
		q.store.Edit("main", "swap", func(tree memory.Tree) {
			tree["new/two.yaml"], tree["new/one.yaml"] = tree["p/one.yaml"], tree["q/two.yaml"]
			delete(tree, "p/one.yaml")
			delete(tree, "q/two.yaml")
		})
		q.wantAfterRestartToo("new/one.yaml a aaa", "new/two.yaml a old, taken back by take a back")
	})
}

// A site that had the image before its record came was not moved by the commit that brought
// the record, whatever else that did to its file.
func TestNothingLeftOutByATouch(t *testing.T) {
	mine := follower("a", "quay.io/team1/web@"+registrymemory.Digest("aaa"))
	quayside(t, map[string]string{"a.yaml": mine, "b.yaml": follower("b", "old")}, func(q *quay) {
		q.line.Dry = true
		q.push("aaa")
		q.line.Dry = false
		record := ""
		for _, w := range q.last.Planned {
			for _, e := range w.Commit.Edits {
				if e.Path == "streams/web.yaml" {
					record = string(e.Content)
				}
			}
		}
		q.store.Write("main", "record and touch", map[string]string{"streams/web.yaml": record, "a.yaml": mine + "# touched\n"})
		q.restart()
		q.walk()
		q.want("a.yaml a aaa", "b.yaml b aaa")
	})
}

// A reference that is taken as it is written has no digest: another tag is another image, and a
// person's word counts for the one that was taken back.
func TestHeldReference(t *testing.T) {
	stream := func(tag string) string {
		return "apiVersion: image.openshift.io/v1\nkind: ImageStream\nmetadata: {name: web, namespace: team1}\nspec:\n" +
			"  tags:\n    - {name: stable, reference: true, from: {kind: DockerImage, name: \"quay.io/team1/web:" + tag + "\"}}\n"
	}
	quayside(t, map[string]string{"streams/web.yaml": stream("1"), "a.yaml": follower("a", " ")}, func(q *quay) {
		q.walk()
		q.want("a.yaml a quay.io/team1/web:1")
		q.take("a.yaml", "a", "old")
		q.wantAfterRestartToo("a.yaml a old, taken back by take a back")
		_, status, _ := strings.Cut(q.text("streams/web.yaml"), "status:")
		q.store.Write("main", "another tag", map[string]string{"streams/web.yaml": stream("2") + "status:" + status})
		q.walk()
		q.want("a.yaml a quay.io/team1/web:2")
	})
}

// A site that holds only the tag takes a person's word for the tag: the same one pushed again
// is no news to it.
func TestHeldByTag(t *testing.T) {
	byTag := strings.Replace(follower("a", " "), "  annotations:\n", "  annotations:\n    towpath.dev/reference-form: tag\n", 1)
	quayside(t, map[string]string{"a.yaml": byTag}, func(q *quay) {
		q.push("aaa")
		q.want("a.yaml a quay.io/team1/web:1.4")
		q.take("a.yaml", "a", "old")
		q.wantAfterRestartToo("a.yaml a old, taken back by take a back")
		q.push("bbb")
		q.wantAfterRestartToo("a.yaml a old, taken back by take a back")
		_, status, _ := strings.Cut(q.text("streams/web.yaml"), "status:")
		if err := q.registry.Set("quay.io/team1/web:1.5 bbb"); err != nil {
			q.t.Fatal(err)
		}
		q.store.Write("main", "another tag", map[string]string{"streams/web.yaml": strings.Replace(quayStream("web"), "1.4", "1.5", 1) + "status:" + status})
		q.walk() // the same image under another tag
		q.want("a.yaml a quay.io/team1/web:1.5")
	})
}

// What gets another name in its file, for itself or because of what comes to stand before it, is
// still what it was.
func TestHeldWhenNamesChange(t *testing.T) {
	steps := func(more, image string) string {
		return "services:\n" + more + "  - image: " + image + " # {\"$imagestream\": \"team1/web:stable\"}\n"
	}
	aaa := "quay.io/team1/web@" + registrymemory.Digest("aaa")
	for name, story := range map[string]struct{ first, after func(image string) string }{
		"a container": {
			func(image string) string { return follower("a", image) },
			func(image string) string { return strings.Replace(follower("a", image), "name: app", "name: main", 1) },
		},
		"the object": {
			func(image string) string { return follower("a", image) },
			func(image string) string { return follower("b", image) },
		},
		"an element before it": {
			func(image string) string { return steps("", image) },
			func(image string) string { return steps("  - image: redis\n", image) },
		},
		"a part beside it": {
			func(image string) string {
				return "image:\n  ref: " + image + " # {\"$imagestream\": \"team1/web:stable\"}\n"
			},
			func(image string) string {
				return "images:\n  web: " + image + " # {\"$imagestream\": \"team1/web:stable\"}\n"
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			quayside(t, map[string]string{"a.yaml": story.first("mine:0")}, func(q *quay) {
				q.push("aaa")
				if got := q.text("a.yaml"); !strings.Contains(got, aaa) {
					q.t.Fatalf("at first it holds\n%s", got)
				}
				q.store.Write("main", "back", map[string]string{"a.yaml": story.first("mine:0")})
				q.walk()
				q.store.Write("main", "another name", map[string]string{"a.yaml": story.after("mine:0")})
				for range 2 {
					q.walk()
					if got := q.text("a.yaml"); got != story.after("mine:0") || len(q.last.Held) != 1 {
						q.t.Errorf("it holds\n%s\nheld: %v", got, q.last.Held)
					}
					q.restart()
				}
			})
		})
	}
}

// Who takes back a whole push, the record with the image, is heard: the record comes again with
// the next look at the registry, the image does not.
func TestHeldWhenTheRecordIsTakenBack(t *testing.T) {
	both := func(q *quay) {
		log := q.store.Log("main")
		q.store.Edit("main", "revert both", func(tree memory.Tree) { clear(tree); maps.Copy(tree, log[2].Tree) })
	}
	for name, revert := range map[string]func(q *quay){
		"at once": both,
		"one after the other": func(q *quay) {
			log := q.store.Log("main")
			q.store.Edit("main", "revert both", func(tree memory.Tree) { clear(tree); maps.Copy(tree, log[1].Tree) })
			q.store.Edit("main", "and the record", func(tree memory.Tree) { clear(tree); maps.Copy(tree, log[2].Tree) })
		},
		"held first": func(q *quay) {
			log := q.store.Log("main")
			q.store.Edit("main", "revert both", func(tree memory.Tree) { clear(tree); maps.Copy(tree, log[1].Tree) })
			q.walk()
			q.store.Edit("main", "and the record", func(tree memory.Tree) { clear(tree); maps.Copy(tree, log[2].Tree) })
		},
	} {
		t.Run(name, func(t *testing.T) {
			quayside(t, map[string]string{"a.yaml": follower("a", " ")}, func(q *quay) {
				q.store.Now = time.Now
				q.push("aaa")
				time.Sleep(time.Hour)
				q.push("bbb")
				time.Sleep(time.Minute)
				revert(q)
				time.Sleep(time.Hour)
				for range 3 {
					q.walk()
					q.want("a.yaml a aaa, taken back by revert both")
					q.restart()
				}
				again := q.store.Log("main")[1].Tree
				q.store.Edit("main", "the record, again", func(tree memory.Tree) { clear(tree); maps.Copy(tree, again) })
				time.Sleep(time.Hour)
				q.wantAfterRestartToo("a.yaml a aaa, taken back by revert both")
				time.Sleep(time.Hour)
				q.push("ccc")
				q.want("a.yaml a ccc")
			})
		})
	}
}

// A tag that goes back at its registry, and forward again, takes nobody's word back.
func TestFreeWhenTheTagGoesBack(t *testing.T) {
	quayside(t, map[string]string{"a.yaml": follower("a", " ")}, func(q *quay) {
		q.store.Now = time.Now
		for _, word := range []string{"aaa", "bbb", "aaa", "bbb"} {
			time.Sleep(10 * time.Hour)
			q.push(word)
			q.want("a.yaml a " + word)
		}
	})
}

// What a person wrote after the tag had come to its image is younger, and stays until the next
// one; what was so before, or only then came to follow, moves.
func TestHeldWhenChangedSince(t *testing.T) {
	quayside(t, map[string]string{
		"a.yaml": follower("a", "old"), "b.yaml": follower("b", "old"), "c.yaml": strings.ReplaceAll(follower("c", "old"), "web:stable", "web:none"),
		".towpath.yaml": "version: 1\ndefaults: {min-age: 24h}\n",
	}, func(q *quay) {
		q.push("aaa")
		time.Sleep(time.Hour)
		q.take("a.yaml", "a", "hotfix")
		q.store.Write("main", "touch b", map[string]string{"b.yaml": q.text("b.yaml") + "# touched\n"})
		q.store.Write("main", "follow, from here", map[string]string{"c.yaml": follower("c", "mine")})
		time.Sleep(24 * time.Hour)
		q.wantAfterRestartToo("a.yaml a hotfix, changed since by take a back", "b.yaml b aaa", "c.yaml c aaa")
	})
}
