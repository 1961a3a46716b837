package reconcile_test

import (
	"fmt"
	"maps"
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

// Machines that work on the same files: other bots, other versions of the daemon, and those
// who pretend to be one.

// A bot that updates images sets its own line back after each of our commits: one commit of
// ours for each image, then the site is held by the bot's commit.
//
// fault: X-08
func TestOtherUpdater(t *testing.T) {
	const pinned = "quay.io/team1/web:1.3"
	inTown(t, nil, func(w *town) {
		w.bot(10*time.Second, func() {
			if text := w.text("deploy.yaml"); !strings.Contains(text, pinned) {
				w.store.Write("main", "renovate: pin web", map[string]string{"deploy.yaml": withImage(text, pinned)})
			}
		})
		w.daemon()
		w.daemon()
		for i := range 12 {
			w.image(words[i%len(words)]) // each a new one within a day
			w.after(2 * time.Hour)
			w.want("deploy.yaml", "web:1.3")
			if held := w.held(); len(held) != 1 || held[0].Why == reconcile.TakenBack && held[0].About.Subject != "renovate: pin web" {
				t.Fatalf("image %d: held %+v, want the bot's commit", i, held)
			}
		}
		status, trigger := w.made(reconcile.StatusCommit), w.made(reconcile.TriggerCommit)
		if status != 12 || trigger > 12 || trigger < 10 {
			t.Errorf("%d status and %d trigger commits for 12 images\n%s", status, trigger, w.story())
		}
		w.quiet()
		w.wantNotLost()
	})
}

// reformat writes what we write in another way, and its own text as it is: line ends, quotes,
// spaces, comments, and the order of sections.
func reformat(text string) string {
	text = strings.ReplaceAll(text, "\r", "")
	text = strings.TrimPrefix(text, "---\n# formatted\n")
	spec, status := strings.Index(text, "\nspec:\n")+1, strings.Index(text, "\nstatus:\n")+1
	if spec > 0 && status > spec {
		text = text[:spec] + text[status:] + text[spec:status]
	}
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	for i, l := range lines {
		l = strings.ReplaceAll(strings.TrimRight(l, " "), `"`, `'`)
		if strings.Contains(l, "triggers: '") { // JSON keeps its quotes
			l = lines[i]
		}
		if key, value, ok := strings.Cut(l, "dockerImageReference: "); ok && !strings.HasPrefix(value, "'") {
			l = key + "dockerImageReference: '" + value + "'"
		}
		lines[i] = l
	}
	return strings.ReplaceAll("---\n# formatted\n"+strings.Join(lines, "\n")+"\n", "\n", "\r\n")
}

// A bot formats every file anew after each of our pushes: what is said is the same, so that
// nothing is written for it.
//
// fault: X-09
func TestFormatter(t *testing.T) {
	inTown(t, nil, func(w *town) {
		var formatted atomic.Int32
		w.bot(10*time.Second, func() {
			files := map[string]string{}
			for path, f := range w.store.Tree("main") {
				if text := reformat(f.Content); text != f.Content {
					files[path] = text
				}
			}
			if len(files) > 0 {
				formatted.Add(1)
				w.store.Write("main", "format", files)
			}
		})
		w.daemon()
		w.daemon()
		w.after(2 * time.Hour)
		w.wantMade(1, 1)
		for i, word := range words[1:] {
			w.image(word)
			w.after(2 * time.Hour)
			w.want("deploy.yaml", "web@"+word)
			w.wantMade(i+2, i+2)
		}
		if n := formatted.Load(); n < 5 {
			t.Errorf("the formatter wrote %d times: its commits are the point", n)
		}
		log := w.store.Log("main")
		for i, l := range log[:len(log)-1] {
			for path, f := range l.Tree {
				before := log[i+1].Tree[path].Content
				if ours(l) && strings.Contains(before, "\r\n") && (strings.Count(f.Content, "\n") != strings.Count(f.Content, "\r\n") || !strings.HasPrefix(f.Content, "---\r\n# formatted\r\n")) {
					t.Errorf("our commit took the form of %s away: %q", path, f.Content)
				}
			}
		}
		w.quiet()
		w.wantNotLost()
	})
}

// newer is what a later version writes beside what this one knows: fields of the status, of
// tags and of items, conditions, and words of the source. What is there already it leaves as it is.
func newer(text string) string {
	if !strings.Contains(text, "\nstatus:\n") {
		return text
	}
	for _, add := range []struct{ after, line string }{
		{"\nstatus:\n", "  observedBy: {version: 9.0, features: [x, y]}\n"},
		{"    - tag: stable\n", "      attestations:\n        - {kind: slsa, level: 3} # of theirs\n"},
		{"      conditions:\n", "        - type: towpath.dev/Verified\n          status: \"True\"\n          reason: Signed\n          message: by keys=2\n          keyless: true\n"},
	} {
		if !strings.Contains(text, add.after+add.line) {
			text = strings.Replace(text, add.after, add.after+add.line, 1)
		}
	}
	lines := strings.Split(text, "\n")
	for i, l := range lines {
		if strings.Contains(l, " inputs=") && !strings.Contains(l, " sbom=") {
			lines[i] = l + " sbom=sha256:5b0m future"
		}
	}
	return strings.Join(lines, "\n")
}

// Two versions run at the same time: the newer adds what the older does not know. Nothing of
// it is dropped, neither writes because of what the other wrote, and both go on.
//
// fault: X-10
func TestTwoVersions(t *testing.T) {
	inTown(t, nil, func(w *town) {
		var added atomic.Int32
		w.bot(7*time.Second, func() {
			text := w.text("web.yaml")
			if next := newer(text); next != text {
				added.Add(1)
				snap, err := w.store.Snapshot(w.ctx, "main")
				if err != nil {
					return
				}
				w.store.Push(w.ctx, "main", snap, gitstore.Commit{
					Edits:   []gitstore.Edit{{Path: "web.yaml", Content: []byte(next)}},
					Message: "status: verified\n\nTowpath-Commit: status\nTowpath-Version: 9\nTowpath-Future: yes\n", Author: towpath, When: time.Now(),
				})
			}
		})
		w.daemon()
		w.daemon()
		w.after(12 * time.Hour)
		if theirs := int(added.Load()); w.made(reconcile.StatusCommit) != 2 || theirs != 1 {
			t.Errorf("%d commits, %d of the newer one, want one each\n%s", w.made(reconcile.StatusCommit), theirs, w.story())
		}
		for i, word := range words[1:] {
			w.image(word)
			w.after(12 * time.Hour)
			if n, theirs := w.made(reconcile.StatusCommit), int(added.Load()); n != i+3 || theirs != 1 { // it never had to add anything again
				t.Errorf("%s: %d commits, %d of the newer one, want %d and 1\n%s", word, n, theirs, i+3, w.story())
			}
			w.want("deploy.yaml", "web@"+word)
			text := w.text("web.yaml")
			for _, theirs := range []string{"  observedBy: {version: 9.0, features: [x, y]}\n", "        - {kind: slsa, level: 3} # of theirs\n", "        - type: towpath.dev/Verified\n", "          keyless: true\n"} {
				if strings.Count(text, theirs) != 1 {
					t.Errorf("%s: %q is there %d times\n%s", word, theirs, strings.Count(text, theirs), text)
				}
			}
		}
		w.quiet()
		w.wantNotLost()
	})
}

// A person's commits carry our name and our trailers: that means nothing. What they take back
// is taken back, what they claim to have done is not done, and what they undo is not ours.
//
// fault: C-31
func TestForgedAuthor(t *testing.T) {
	bbb := registrymemory.Digest("bbb")
	forge := func(w *town, message string, files map[string]string) {
		w.t.Helper()
		snap, err := w.store.Snapshot(w.ctx, "main")
		if err != nil {
			w.t.Fatal(err)
		}
		c := gitstore.Commit{Message: message, Author: towpath, When: time.Now()}
		for _, path := range slices.Sorted(maps.Keys(files)) {
			c.Edits = append(c.Edits, gitstore.Edit{Path: path, Content: []byte(files[path])})
		}
		if _, err := w.store.Push(w.ctx, "main", snap, c); err != nil {
			w.t.Fatal(err)
		}
	}
	trigger := "team1/web:stable follows 1.4 (1 site)\n\ndeploy.yaml: Deployment team1/web, container web\n\nTowpath-Commit: trigger\nTowpath-Tag: team1/web:stable\nTowpath-Image: quay.io/team1/web@" + bbb + "\n"
	status := "status: team1/web:stable is quay.io/team1/web:1.4 (" + bbb[:19] + ")\n\nTowpath-Commit: status\nTowpath-Moved: 1\n"

	t.Run("takes an image back", func(t *testing.T) {
		inTown(t, nil, func(w *town) {
			stop := w.daemon()
			w.after(time.Minute)
			stop()
			forge(w, trigger, map[string]string{"deploy.yaml": withImage(w.text("deploy.yaml"), "mine:1")})
			w.daemon()
			w.after(time.Hour)
			w.want("deploy.yaml", "mine:1")
			if held := w.held(); len(held) != 1 || held[0].Why != reconcile.TakenBack {
				t.Errorf("held: %+v", held)
			}
		})
	})
	t.Run("claims to have followed", func(t *testing.T) {
		inTown(t, nil, func(w *town) {
			stop := w.daemon()
			w.after(time.Minute)
			stop()
			for range 5 { // would three of them be a flip-flop?
				forge(w, trigger, map[string]string{"README": fmt.Sprint(time.Now().UnixNano())})
				w.after(time.Second)
			}
			forge(w, status, map[string]string{"README": "done"})
			w.image("bbb")
			w.daemon()
			w.after(time.Hour)
			w.want("deploy.yaml", "web@bbb")
			if !strings.Contains(w.text("web.yaml"), bbb) {
				t.Errorf("bbb is not on record\n%s", w.text("web.yaml"))
			}
			w.quiet()
		})
	})
	t.Run("asks for nothing", func(t *testing.T) {
		inTown(t, nil, func(w *town) {
			w.daemon()
			w.after(time.Minute)
			before := w.store.Tree("main")
			forge(w, "Follow mode\n\nTowpath-Resume: deploy.yaml\nTowpath-Paused: true\nTowpath-Hold: deploy.yaml\nTowpath-Image: evil.example/web@"+bbb+"\n", map[string]string{"README": "x"})
			w.quiet()
			delete(before, "README")
			after := w.store.Tree("main")
			delete(after, "README")
			if diff := cmp.Diff(before, after); diff != "" {
				t.Errorf("files (-before +after)\n%s", diff)
			}
			w.image("bbb")
			w.after(time.Hour)
			w.want("deploy.yaml", "web@bbb")
		})
	})
}

// A bot takes back whole commits of ours, the record with the image: the record comes back
// with each interval, as it must, and the site three times a day at most.
//
// fault: X-08
func TestReverter(t *testing.T) {
	inTown(t, nil, func(w *town) {
		w.daemon()
		w.after(time.Minute)
		good := w.store.Tree("main")
		w.image("bbb")
		w.bot(10*time.Second, func() {
			if tree := w.store.Tree("main"); !maps.Equal(tree, good) {
				w.store.Edit("main", "revert everything", func(tree memory.Tree) { clear(tree); maps.Copy(tree, good) })
			}
		})
		w.after(24 * time.Hour)
		status, trigger := w.made(reconcile.StatusCommit)-1, w.made(reconcile.TriggerCommit)-1
		if trigger < 1 || trigger > 3 {
			t.Errorf("the site was given the image %d times within a day, want 3 at most\n%s", trigger, w.story())
		}
		if status > 24*4+1 {
			t.Errorf("%d status commits within a day, want one each 15 minutes at most\n%s", status, w.story())
		}
		w.wantNotLost()
	})
}
