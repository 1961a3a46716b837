package reconcile_test

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/towpath/towpath/gitstore"
	"github.com/towpath/towpath/gitstore/memory"
	"github.com/towpath/towpath/reconcile"
	registrymemory "github.com/towpath/towpath/registry/memory"
)

// Several daemons, people and bots at work on one branch.

// A town is a repository in which a crowd works, in virtual time.
type town struct {
	t        *testing.T
	store    *memory.Store
	registry *registrymemory.Registry
	ctx      context.Context
	running  sync.WaitGroup

	mu        sync.Mutex
	acting    sync.Mutex       // held while somebody acts
	meanwhile []func()         // what somebody does just before our next pushes, one each
	report    reconcile.Report // of the last pass of any daemon
	tips      []gitstore.Rev   // as they were seen before each push
}

// inTown tells a story of web.yaml, deploy.yaml and other files.
func inTown(t *testing.T, files map[string]string, story func(w *town)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		all := map[string]string{"web.yaml": webStream, "deploy.yaml": webDeployment}
		for path, text := range files {
			all[path] = text
		}
		ctx, leave := context.WithCancel(t.Context())
		w := &town{t: t, store: memory.New(all), registry: &registrymemory.Registry{}, ctx: ctx}
		w.store.Now = time.Now
		w.store.Hook = w.hook
		w.image("aaa")
		story(w)
		leave()
		w.running.Wait()
	})
}

func (w *town) hook(op string) (bool, error) {
	if op != memory.OpPush {
		return true, nil
	}
	w.acting.Lock() // what somebody reads and writes meanwhile, no other daemon's push comes between
	defer w.acting.Unlock()
	w.mu.Lock()
	w.tips = append(w.tips, w.store.Tip("main"))
	var do func()
	if len(w.meanwhile) > 0 {
		do, w.meanwhile = w.meanwhile[0], w.meanwhile[1:]
	}
	w.mu.Unlock()
	if do != nil {
		do()
	}
	return true, nil
}

// before lets somebody act when our next push is under way.
func (w *town) before(do func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.meanwhile = append(w.meanwhile, do)
}

// daemon starts a towpath.
func (w *town) daemon(change ...func(*reconcile.Reconciler)) (stop func()) {
	r := &reconcile.Reconciler{
		Store: w.store, Branch: "main", Reader: w.registry, Poll: 30 * time.Second, Yes: true, Author: towpath,
		Passed: func(rep reconcile.Report) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.report = rep
		},
	}
	for _, c := range change {
		c(r)
	}
	ctx, cancel := context.WithCancel(w.ctx)
	done := make(chan struct{})
	w.running.Go(func() {
		defer close(done)
		if err := r.Run(ctx); err != nil {
			w.t.Errorf("a daemon ended: %v", err)
		}
	})
	return func() { cancel(); <-done }
}

// held is what was held in the last pass of any daemon.
func (w *town) held() reconcile.Held {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.report.Held
}

var towpath = gitstore.Person{Name: "towpath", Email: "towpath@localhost"}

// bot does something now and then, as long as the town is there.
func (w *town) bot(every time.Duration, do func()) {
	w.running.Go(func() {
		for {
			select {
			case <-w.ctx.Done():
				return
			case <-time.After(every):
				do()
			}
		}
	})
}

func (w *town) after(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// image gives quay.io/team1/web:1.4 a content.
func (w *town) image(word string) { w.set("quay.io/team1/web:1.4 " + word) }

func (w *town) set(line string) {
	w.t.Helper()
	if err := w.registry.Set(line); err != nil {
		w.t.Fatal(err)
	}
}

func (w *town) text(path string) string { return w.store.Tree("main")[path].Content }

func (w *town) write(path, text string) {
	w.store.Write("main", "a person writes "+path, map[string]string{path: text})
}

var imageLine = regexp.MustCompile(`image: ?("[^"]*"|'[^']*'|[^\s,}]+)`)

// holds is the image of the last container in a file, with words for digests.
func (w *town) holds(path string) string { return heldIn(w.text(path)) }

func heldIn(text string) string {
	all := imageLine.FindAllStringSubmatch(text, -1)
	if len(all) == 0 {
		return ""
	}
	image := strings.Trim(all[len(all)-1][1], `"'`)
	for _, word := range words {
		image = strings.ReplaceAll(image, registrymemory.Digest(word), word)
	}
	return strings.TrimPrefix(image, "quay.io/team1/")
}

var words = []string{"aaa", "bbb", "ccc", "ddd", "eee"}

// withImage is a deployment's text with another image.
func withImage(text, image string) string {
	at := imageLine.FindAllStringIndex(text, -1)
	last := at[len(at)-1]
	return text[:last[0]] + fmt.Sprintf("image: %q", image) + text[last[1]:]
}

func (w *town) want(path, image string) {
	w.t.Helper()
	if got := w.holds(path); got != image {
		w.t.Errorf("%s holds %q, want %q\n%s", path, got, image, w.story())
	}
}

// story is the log, oldest first, and whose each commit is.
func (w *town) story() string {
	var lines []string
	for _, l := range w.store.Log("main") {
		subject, _, _ := strings.Cut(l.Message, "\n")
		lines = append(lines, fmt.Sprintf("%s %s: %s", l.When.Format("02 15:04:05"), l.Author.Name, subject))
	}
	slices.Reverse(lines)
	return strings.Join(lines[max(0, len(lines)-30):], "\n")
}

// made counts our commits of a kind.
func (w *town) made(kind reconcile.CommitKind) int {
	n := 0
	for _, l := range w.store.Log("main") {
		if ours(l) && strings.Contains(l.Message, "Towpath-Commit: "+string(kind)) {
			n++
		}
	}
	return n
}

func (w *town) wantMade(status, trigger int) {
	w.t.Helper()
	if s, tr := w.made(reconcile.StatusCommit), w.made(reconcile.TriggerCommit); s != status || tr != trigger {
		w.t.Errorf("%d status and %d trigger commits, want %d and %d\n%s", s, tr, status, trigger, w.story())
	}
}

// quiet wants no commit of ours for a day.
func (w *town) quiet() {
	w.t.Helper()
	tip := w.store.Tip("main")
	w.after(24 * time.Hour)
	if w.store.Tip("main") != tip {
		w.t.Errorf("commits although nothing happened\n%s", w.story())
	}
}

// wantNotLost wants every tip that was ever pushed upon to be in the history, unless a
// person rewrote it.
func (w *town) wantNotLost() {
	w.t.Helper()
	known := map[gitstore.Rev]bool{}
	for _, l := range w.store.Log("main") {
		known[l.Rev] = true
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, tip := range w.tips {
		if !known[tip] {
			w.t.Errorf("commit %s was the tip, and is not in the history\n%s", tip.Short(), w.story())
		}
	}
}

// A person edits spec while the status of the same file is on its way: both are there, and
// what was asked for an older from is nobody's answer any more.
//
// fault: X-03
func TestSpecEditedMeanwhile(t *testing.T) {
	const stable = "    - name: stable\n"
	for name, c := range map[string]struct {
		edit         func(string) string
		stable, edge string // on record at the end
	}{
		"another tag": {func(s string) string {
			return strings.Replace(s, stable, "    # more to come\n    - name: edge\n      from: {kind: DockerImage, name: quay.io/team1/web:1.5}\n"+stable, 1)
		}, "bbb", "ddd"},
		"a comment": {func(s string) string {
			return "# ours\r\n" + strings.Replace(s, stable, stable[:len(stable)-1]+" # kept\n", 1)
		}, "bbb", ""},
		"from of the tag": {func(s string) string { return strings.Replace(s, "web:1.4", "web:1.5", 1) }, "ddd", ""},
		"the tag's name":  {func(s string) string { return strings.Replace(s, stable, "    - name: edge\n", 1) }, "aaa", "bbb"},
	} {
		t.Run(name, func(t *testing.T) {
			inTown(t, nil, func(w *town) {
				w.set("quay.io/team1/web:1.5 ddd")
				w.daemon()
				w.after(time.Minute)
				w.image("bbb")
				var mine string
				w.before(func() {
					mine = c.edit(w.text("web.yaml"))
					w.write("web.yaml", mine)
				})
				w.after(time.Hour)
				text := w.text("web.yaml")
				spec, _, _ := strings.Cut(text, "\nstatus:")
				if want, _, _ := strings.Cut(mine, "\nstatus:"); spec != want || mine == "" {
					t.Errorf("spec (-the person's +now)\n%s", cmp.Diff(want, spec))
				}
				for _, l := range w.store.Log("main") {
					if name == "from of the tag" && ours(l) && strings.Contains(l.Tree["web.yaml"].Content, registrymemory.Digest("bbb")) {
						t.Errorf("the answer of an older from was recorded\n%s", l.Message)
					}
				}
				for tag, want := range map[string]string{"stable": c.stable, "edge": c.edge} {
					_, status, _ := strings.Cut(text, "- tag: "+tag+"\n")
					item, _, _ := strings.Cut(status, "- tag: ")
					if got := heldIn(firstImage(item)); got != want {
						t.Errorf("%s is %q on record, want %q\n%s", tag, got, want, text)
					}
				}
				w.quiet()
				w.wantNotLost()
			})
		})
	}
}

// firstImage cuts a text after its first image.
func firstImage(text string) string {
	if at := imageLine.FindStringIndex(text); at != nil {
		return text[:at[1]]
	}
	return ""
}

// A person edits the very line that our commit on its way rewrites: their commit is never
// replaced, and where it says what they want of the new image, that is how it stays.
//
// fault: X-04
func TestSameLineEditedMeanwhile(t *testing.T) {
	bbb := "quay.io/team1/web:1.4@" + registrymemory.Digest("bbb")
	for name, c := range map[string]struct {
		edit func(string) string
		want string
	}{
		"the image in a form of their own": {func(s string) string { return withImage(s, bbb) }, "web:1.4@bbb"},
		"from a mirror of their own":       {func(s string) string { return withImage(s, strings.Replace(bbb, "quay.io", "mirror.example", 1)) }, "mirror.example/team1/web:1.4@bbb"},
		"an image, and paused": {func(s string) string {
			return withImage(strings.Replace(s, `"fieldPath"`, `"paused":true,"fieldPath"`, 1), "mine:1")
		}, "mine:1"},
		"an image that follows nothing": {func(s string) string {
			return withImage(strings.Replace(s, "image.openshift.io/triggers", "example.com/once", 1), "mine:1")
		}, "mine:1"},
	} {
		t.Run(name, func(t *testing.T) {
			inTown(t, nil, func(w *town) {
				w.daemon()
				w.daemon()
				w.after(time.Minute)
				w.want("deploy.yaml", "web@aaa")
				w.image("bbb")
				var mine string
				w.before(func() {
					mine = c.edit(w.text("deploy.yaml"))
					w.write("deploy.yaml", mine)
				})
				w.after(time.Hour)
				w.want("deploy.yaml", c.want)
				if diff := cmp.Diff(mine, w.text("deploy.yaml")); diff != "" {
					t.Errorf("the person's file (-theirs +now)\n%s", diff)
				}
				w.wantMade(2, 1) // aaa and bbb on record; aaa in the file
				w.quiet()
				w.wantNotLost()
			})
		})
	}
}

// After the image is in the line a person takes it away again, while a push about something
// else is on its way: that stands until the record moves, for every daemon and after restarts.
//
// fault: X-04
func TestTakenBackMeanwhile(t *testing.T) {
	other := strings.NewReplacer("{name: web,", "{name: other,", "team1/web:1.4", "team1/other:1").Replace(webStream)
	inTown(t, map[string]string{"other.yaml": other}, func(w *town) {
		w.set("quay.io/team1/other:1 ddd")
		stop := w.daemon()
		w.daemon()
		w.after(time.Minute)
		w.want("deploy.yaml", "web@aaa")
		w.set("quay.io/team1/other:1 eee")
		w.before(func() { w.write("deploy.yaml", withImage(w.text("deploy.yaml"), "mine:1")) })
		w.after(time.Hour)
		w.want("deploy.yaml", "mine:1")
		stop()
		w.daemon()
		w.quiet()
		w.want("deploy.yaml", "mine:1")
		if held := w.held(); len(held) != 1 || held[0].Why != reconcile.TakenBack || held[0].About.Author != memory.Person {
			t.Errorf("held: %+v, want the person's commit", held)
		}
		w.image("bbb")
		w.after(time.Hour)
		w.want("deploy.yaml", "web@bbb")
		w.wantNotLost()
	})
}
