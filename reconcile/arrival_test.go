package reconcile_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/towpath/towpath/forge"
	"github.com/towpath/towpath/gitstore/memory"
	"github.com/towpath/towpath/imagestream"
	"github.com/towpath/towpath/reconcile"
	"github.com/towpath/towpath/registry"
	registrymemory "github.com/towpath/towpath/registry/memory"
)

const pushConfig = "version: 1\nregistry:\n  host: registry.example:5000\n  streams: {'*': '{namespace}'}\n"

// at registry.example is what was pushed there.
func atHost(tag, word string) string {
	stream, _, _ := strings.Cut(tag, ":")
	return "registry.example:5000/" + stream + "@" + registrymemory.Digest(word)
}

// A dock is a walker that runs, where people push.
type dock struct {
	*walker
	arrivals *registrymemory.Arrivals
}

func atDock(t *testing.T, files map[string]string, story func(d *dock)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		d := &dock{arrivals: &registrymemory.Arrivals{}}
		if files[".towpath.yaml"] == "" {
			files[".towpath.yaml"] = pushConfig
		}
		d.walker = start(t, files, func(w *walker) { w.Arrivals = d.arrivals })
		d.after(time.Second)
		story(d)
		d.end()
	})
}

// push is what a client does; tag is NAMESPACE/STREAM:TAG.
func (d *dock) push(tag, word string) {
	name, tag, _ := strings.Cut(tag, ":")
	namespace, name, _ := strings.Cut(name, "/")
	d.arrivals.Push(namespace, name, tag, registrymemory.Digest(word), time.Now())
	d.Hint(reconcile.Hint{Arrived: true})
}

// drops collects what the passes drop from now on.
func (d *dock) drops() func() []reconcile.Dropped {
	var mu sync.Mutex
	var all []reconcile.Dropped
	passed := d.Passed
	d.Passed = func(r reconcile.Report) {
		mu.Lock()
		all = append(all, r.Dropped...)
		mu.Unlock()
		passed(r)
	}
	return func() []reconcile.Dropped {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(all)
	}
}

// records says what is on record: by tag, the first item.
func records(t *testing.T, store *memory.Store) map[string]string {
	t.Helper()
	snap, err := store.Snapshot(context.Background(), "main")
	if err != nil {
		t.Fatal(err)
	}
	cat, err := reconcile.Load(context.Background(), snap, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for tag, reference := range recordOf(cat) {
		got[tag.String()] = reference
	}
	for _, p := range cat.Problems {
		if !p.Note {
			t.Errorf("a problem: %s", p)
		}
	}
	return got
}

func (d *dock) waits() []registry.Arrival {
	waiting, err := d.arrivals.Waiting(context.Background())
	if err != nil {
		d.t.Fatal(err)
	}
	return waiting
}

// 200 clients push 10 tags each while the line is walked: each stream is added once, every tag is on
// record as it was pushed last, and that takes few commits.
// fault: E-10
func TestPushStorm(t *testing.T) {
	atDock(t, map[string]string{}, func(d *dock) {
		const clients, tags = 200, 10
		var all sync.WaitGroup
		for c := range clients {
			all.Go(func() {
				for i := range tags {
					time.Sleep(time.Duration((c*7+i*13)%50) * 10 * time.Millisecond)
					d.push(fmt.Sprintf("team%d/app%d:t%d", c%3, c, i), "early")
					d.push(fmt.Sprintf("team%d/app%d:t%d", c%3, c, i), fmt.Sprint(c, i))
				}
			})
		}
		all.Wait()
		d.after(time.Minute)
		want := map[string]string{}
		for c := range clients {
			for i := range tags {
				tag := fmt.Sprintf("team%d/app%d:t%d", c%3, c, i)
				want[tag] = atHost(tag, fmt.Sprint(c, i))
			}
		}
		if diff := cmp.Diff(want, records(d.t, d.store)); diff != "" {
			d.t.Errorf("on record (-pushed +recorded)\n%s", diff)
		}
		if n := len(d.store.Tree("main")); n != clients+1 {
			d.t.Errorf("%d files, want one a stream and the config", n)
		}
		if n := len(d.subjects()); n > 40 {
			d.t.Errorf("%d commits for %d pushes", n, 2*clients*tags)
		}
		if left := d.waits(); len(left) > 0 {
			d.t.Errorf("%d still wait", len(left))
		}
	})
}

// A person edits a stream's file at the moment in which a push goes on record: neither is lost.
// fault: E-12
func TestPushWhileAPersonEdits(t *testing.T) {
	files := map[string]string{"team1/web.yaml": "apiVersion: image.openshift.io/v1\nkind: ImageStream\nmetadata: {name: web, namespace: team1}\n"}
	atDock(t, files, func(d *dock) {
		var edits atomic.Int32
		d.store.Hook = func(op string) (bool, error) {
			if op == memory.OpPush && edits.Add(1) <= 3 {
				d.store.Edit("main", "by hand", func(tree memory.Tree) {
					for _, path := range []string{"team1/web.yaml", "team1/app.yaml"} {
						f := tree[path]
						if f.Content == "" && edits.Load() > 1 { // the stream that the push would add
							f.Content = "apiVersion: image.openshift.io/v1\nkind: ImageStream\nmetadata: {name: app, namespace: team1}\n"
						}
						if f.Content != "" {
							f.Content += fmt.Sprintf("# by hand %d\n", edits.Load())
							tree[path] = f
						}
					}
				})
			}
			return true, nil
		}
		d.push("team1/web:v1", "web")
		d.push("team1/app:v1", "app")
		d.after(time.Minute)
		want := map[string]string{"team1/web:v1": atHost("team1/web:v1", "web"), "team1/app:v1": atHost("team1/app:v1", "app")}
		if diff := cmp.Diff(want, records(d.t, d.store)); diff != "" {
			d.t.Errorf("on record (-pushed +recorded)\n%s", diff)
		}
		for i := 1; i <= 3; i++ {
			if text := d.store.Tree("main")["team1/web.yaml"].Content; !strings.Contains(text, fmt.Sprintf("# by hand %d\n", i)) {
				d.t.Errorf("what a person wrote is gone:\n%s", text)
			}
		}
		if text := d.store.Tree("main")["team1/app.yaml"].Content; !strings.Contains(text, "metadata: {name: app, namespace: team1}") {
			d.t.Errorf("the person's file is gone:\n%s", text)
		}
	})
}

// A push goes on record and its sites move at once, whatever other registries are asked meanwhile.
func TestPushWaitsForNobody(t *testing.T) {
	files := map[string]string{"web.yaml": webStream, "deploy.yaml": strings.ReplaceAll(webDeployment, "web:stable", "web:pushed")}
	atDock(t, files, func(d *dock) {
		d.registry.Hook = func(ctx context.Context, _ registrymemory.Call) error {
			select {
			case <-time.After(4 * time.Minute):
			case <-ctx.Done():
			}
			return ctx.Err()
		}
		d.Hint(reconcile.Hint{Force: true})
		d.after(time.Second)
		before := len(d.subjects())
		d.push("team1/web:pushed", "new")
		d.after(100 * time.Millisecond)
		if got := d.subjects()[before:]; len(got) != 2 {
			t.Errorf("after a moment there is %q", got)
		}
		if text := d.store.Tree("main")["deploy.yaml"].Content; !strings.Contains(text, atHost("team1/web:pushed", "new")) {
			t.Errorf("the site holds\n%s", text)
		}
		d.push("team1/web:pushed", "newer")
		d.after(200 * time.Millisecond)
		if got := d.subjects()[before:]; len(got) != 4 {
			t.Errorf("after the second push there is %q", got)
		}
	})
}

// A pushed tag is asked of nobody.
func TestPushedIsNotAsked(t *testing.T) {
	atDock(t, map[string]string{}, func(d *dock) {
		var asked atomic.Int32
		d.registry.Hook = func(context.Context, registrymemory.Call) error { asked.Add(1); return nil }
		d.push("team1/web:v1", "new")
		d.after(time.Hour)
		d.Hint(reconcile.Hint{Force: true})
		d.after(24 * time.Hour)
		if n := asked.Load(); n > 0 {
			t.Errorf("%d questions", n)
		}
		for _, v := range d.Catalog().Tags() {
			if v.State != reconcile.FromPush {
				t.Errorf("%s is %s", v.Tag, v.State)
			}
		}
		d.wantCommits(1)
	})
}

// Nothing is let go of before it is on the branch, nor does it come twice where letting go failed, or
// the process ended in between.
func TestPushSurvives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, arrivals := memory.New(map[string]string{".towpath.yaml": pushConfig}), &registrymemory.Arrivals{}
		var refused, away error
		store.Hook = func(op string) (bool, error) {
			return op != memory.OpPush || refused == nil, map[bool]error{true: refused}[op == memory.OpPush]
		}
		arrivals.Hook = func(op string) error { return map[bool]error{true: away}[op == "Take"] }
		line := func() *reconcile.Reconciler {
			return &reconcile.Reconciler{Store: store, Branch: "main", Reader: &registrymemory.Registry{}, Author: towpath, Arrivals: arrivals}
		}
		waits := func(want int) {
			t.Helper()
			if got, _ := arrivals.Waiting(t.Context()); len(got) != want {
				t.Errorf("%d wait, want %d", len(got), want)
			}
		}
		arrivals.Push("team1", "web", "v1", registrymemory.Digest("one"), time.Now())
		refused = unreachable()
		rep, err := line().Once(t.Context())
		if waits(1); err == nil || len(rep.Arrivals) != 1 || rep.Arrivals[0].Why == "" {
			t.Errorf("a push that failed: %v, %+v", err, rep.Arrivals)
		}
		refused, away = nil, errors.New("the storage is away")
		r := line()
		rep, err = r.Once(t.Context())
		if waits(1); err != nil || rep.ArrivalsErr == nil || len(rep.Commits) != 1 {
			t.Errorf("letting go fails: %v, %v, %d commits", err, rep.ArrivalsErr, len(rep.Commits))
		}
		tip := store.Tip("main")
		away = nil
		for _, r := range []*reconcile.Reconciler{r, line()} {
			arrivals.Push("team1", "web", "v1", registrymemory.Digest("one"), time.Now().Add(-time.Minute))
			rep, err := r.Once(t.Context())
			if waits(0); err != nil || store.Tip("main") != tip || len(rep.Arrivals) > 0 {
				t.Errorf("once more: %v, %+v, %s", err, rep.Arrivals, store.Log("main")[0].Message)
			}
		}
	})
}

// That storage cannot be read keeps nothing else from working, and closes no proposal.
func TestPushesUnread(t *testing.T) {
	atPier(t, pushConfig+"defaults: {status: proposal}\n", func(p *pier) {
		arrivals := &registrymemory.Arrivals{}
		p.line.Arrivals = arrivals
		arrivals.Push("team1", "app", "v1", registrymemory.Digest("one"), time.Now())
		p.walk()
		made := p.one()
		arrivals.Hook = func(string) error { return errStorage }
		p.push("aaa")
		if got := len(p.open()); got != 2 || p.last.ArrivalsErr == nil {
			t.Errorf("%d are open, %v", got, p.last.ArrivalsErr)
		}
		p.restart()
		p.line.Arrivals = arrivals
		if _, err := p.line.Once(p.t.Context()); !errors.Is(err, errStorage) {
			t.Errorf("a process that never read what was pushed went on: %v", err)
		}
		if f := p.open(); len(f) != 2 || f[0].Head != made.Head {
			t.Errorf("open are %+v", f)
		}
	})
}

// unreadTag is a storage of which one tag cannot be read.
type unreadTag struct {
	*registrymemory.Arrivals
	tag string
}

func (u unreadTag) Waiting(ctx context.Context) (found []registry.Arrival, err error) {
	waiting, err := u.Arrivals.Waiting(ctx)
	var unread registry.Unread
	for _, a := range waiting {
		if a.Tag != u.tag {
			found = append(found, a)
			continue
		}
		unread = append(unread, registry.UnreadTag{Namespace: a.Namespace, Name: a.Name, Tag: a.Tag, Err: errStorage})
	}
	if unread != nil {
		err = unread
	}
	return found, err
}

// One tag that cannot be read keeps nobody else's push from going on record, from the start on; what
// waited there waits on.
func TestOnePushUnread(t *testing.T) {
	atPier(t, pushConfig+"defaults: {status: proposal}\n", func(p *pier) {
		arrivals := &registrymemory.Arrivals{}
		p.line.Arrivals = arrivals
		arrivals.Push("team1", "app", "bad", registrymemory.Digest("one"), time.Now())
		p.walk()
		made := p.one()
		p.line.Arrivals = unreadTag{arrivals, "bad"}
		arrivals.Push("team2", "web", "v1", registrymemory.Digest("two"), time.Now())
		p.walk()
		if open := p.open(); len(open) != 2 || open[0].Head != made.Head || !errors.Is(p.last.ArrivalsErr, errStorage) {
			t.Errorf("%+v are open, %v", open, p.last.ArrivalsErr)
		}
		if len(p.last.Arrivals) != 2 {
			t.Errorf("waiting are %+v", p.last.Arrivals)
		}
		p.restart()
		p.line.Arrivals = unreadTag{arrivals, "bad"}
		if rep, err := p.line.Once(p.t.Context()); err != nil || rep.ArrivalsErr == nil || len(rep.Arrivals) != 1 {
			t.Errorf("a process that starts: %v, %v, %+v", err, rep.ArrivalsErr, rep.Arrivals)
		}
	})
}

// A stream that people review is added by one proposal, which grows with what is pushed; it is let go
// of when that is merged, or closed.
func TestPushUnderReview(t *testing.T) {
	atPier(t, pushConfig+"defaults: {status: proposal, triggers: proposal}\n", func(p *pier) {
		arrivals := &registrymemory.Arrivals{}
		p.line.Arrivals = arrivals
		waits := func(want int) {
			t.Helper()
			if got, _ := arrivals.Waiting(p.t.Context()); len(got) != want {
				t.Errorf("%d wait, want %d", len(got), want)
			}
		}
		push := func(tag, word string) {
			arrivals.Push("team1", "app", tag, registrymemory.Digest(word), time.Now())
			p.walk()
		}
		push("v1", "one")
		first := p.one()
		push("v2", "two")
		f := p.one()
		text := p.store.Tree(f.Branch)["team1/app.yaml"].Content
		if f.Number != first.Number || !strings.Contains(text, atHost("team1/app:v1", "one")) || !strings.Contains(text, atHost("team1/app:v2", "two")) {
			t.Errorf("proposal %d after %d adds\n%s", f.Number, first.Number, text)
		}
		if waits(2); len(p.last.Arrivals) != 2 {
			t.Errorf("waiting are %+v", p.last.Arrivals)
		}
		p.walk()
		if again := p.one(); again.Head != f.Head {
			t.Error("it is made again although nothing happened")
		}
		p.restart() // as a process would find it that serves no registry
		p.walk()
		if again := p.one(); again.Head != f.Head {
			t.Errorf("another process changed it: %+v", again)
		}
		p.restart()
		p.line.Arrivals = arrivals
		p.merge(f, "squash")
		p.walk()
		p.walk()
		waits(0)
		p.none()

		push("v1", "three")
		f = p.one()
		p.restart() // nor does such a process close one of a stream that is there
		p.walk()
		if again := p.one(); again.Head != f.Head {
			t.Errorf("another process changed it: %+v", again)
		}
		p.restart()
		p.line.Arrivals = arrivals
		p.forge.CloseBy(f.Number)
		p.walk()
		waits(0)
		p.walk()
		if open := p.open(); len(open) > 0 {
			t.Errorf("it came back: %+v", open)
		}
		push("v1", "four")
		p.one()
	})
}

// Where nobody reviews, what a branch calls pushed is merged only where this process took it in.
func TestPushWhenGreen(t *testing.T) {
	atPier(t, pushConfig+"defaults: {status: proposal, merge: when-green}\n", func(p *pier) {
		arrivals := &registrymemory.Arrivals{}
		p.line.Arrivals = arrivals
		p.merging()
		p.store.Write("main", "a stream", map[string]string{"team1/app.yaml": "apiVersion: image.openshift.io/v1\nkind: ImageStream\nmetadata: {name: app, namespace: team1}\n"})
		arrivals.Push("team1", "app", "v1", registrymemory.Digest("one"), time.Now())
		p.walk()
		f := p.one()
		p.restart() // without what was pushed: nobody here knows it
		p.forge.SetChecks(string(p.store.Tip(f.Branch)), forge.Green)
		for range 5 {
			p.walk()
		}
		if got := p.one(); got.Number != f.Number {
			t.Fatalf("%+v", got)
		}
		p.restart()
		p.line.Arrivals = arrivals
		for range 5 {
			p.walk()
		}
		if open := p.open(); len(open) > 0 {
			t.Errorf("it is not merged: %+v, %+v", open, p.last.Proposals)
		}
		if got := records(t, p.store)["team1/app:v1"]; got != atHost("team1/app:v1", "one") {
			t.Errorf("on record is %q", got)
		}
	})
}

// A file that may hold a stream, and cannot be read, keeps pushes from adding that again.
func TestPushBesideAnUnreadableFile(t *testing.T) {
	atDock(t, map[string]string{"broken.yaml": "kind: ImageStream\nmetadata: {name: web\n"}, func(d *dock) {
		d.push("team1/web:v1", "one")
		d.after(time.Minute)
		if rep := <-d.passes; len(rep.Arrivals) != 1 || !strings.Contains(rep.Arrivals[0].Why, "cannot be read") {
			t.Errorf("waiting are %+v", rep.Arrivals)
		}
		d.wantCommits(0)
		d.store.Write("main", "mended", map[string]string{"broken.yaml": "apiVersion: image.openshift.io/v1\nkind: ImageStream\nmetadata: {name: web, namespace: team1}\n"})
		d.after(time.Minute)
		d.wantCommits(1)
		if got := records(t, d.store)["team1/web:v1"]; got != atHost("team1/web:v1", "one") {
			t.Errorf("on record is %q", got)
		}
	})
}

// A first run asks for consent to what nobody asked for; who pushes asks.
func TestPushNeedsNoConsent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, arrivals := memory.New(map[string]string{".towpath.yaml": pushConfig}), &registrymemory.Arrivals{}
		for i := range 150 {
			arrivals.Push("team1", fmt.Sprintf("app%d", i), "v1", registrymemory.Digest("one"), time.Now())
		}
		r := &reconcile.Reconciler{Store: store, Branch: "main", Reader: &registrymemory.Registry{}, Author: towpath, Arrivals: arrivals}
		if rep, err := r.Once(t.Context()); err != nil || len(rep.Commits) != 1 {
			t.Errorf("%d commits, %v", len(rep.Commits), err)
		}
		if !r.Catalog().Ours() {
			if _, err := r.Once(t.Context()); err != nil || !r.Catalog().Ours() {
				t.Errorf("what was pushed is not towpath's, %v", err)
			}
		}
	})
}

func TestShelf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQuay(t, map[string]string{".towpath.yaml": pushConfig, "a.yaml": follower("a", " ")})
		arrivals := &registrymemory.Arrivals{}
		q.line.Arrivals = arrivals
		if q.line.Shelf() != nil {
			t.Error("something is known before anything was read")
		}
		q.push("aaa")
		time.Sleep(time.Hour)
		q.push("bbb")
		arrivals.Push("team1", "web", "mine", registrymemory.Digest("ccc"), time.Now())
		arrivals.Push("team1", "app", "v1", registrymemory.Digest("ddd"), time.Now())
		if _, err := q.line.Once(t.Context(), reconcile.Hint{Arrived: true}); err != nil {
			t.Fatal(err)
		}
		web, app := imagestream.Name{Namespace: "team1", Name: "web"}, imagestream.Name{Namespace: "team1", Name: "app"}
		for range 2 { // as it landed, and as it was read again
			shelf := q.line.Shelf()
			want := map[string]string{"stable": registrymemory.Digest("bbb"), "mine": registrymemory.Digest("ccc")}
			if diff := cmp.Diff(want, shelf.Tags(web)); diff != "" {
				t.Errorf("tags (-want +got)\n%s", diff)
			}
			if got := shelf.Tags(app)["v1"]; got != registrymemory.Digest("ddd") {
				t.Errorf("of a stream that came just now: %q", got)
			}
			for word, n := range map[string]int{"aaa": 1, "bbb": 1, "ccc": 0, "zzz": 0} {
				origins, err := shelf.Origins(t.Context(), web, registrymemory.Digest(word))
				if err != nil || len(origins) != n {
					t.Errorf("%s comes from %v, %v", word, origins, err)
				}
				for _, o := range origins {
					if o.Repo != (registry.Repo{Host: "quay.io", Path: "team1/web"}) || o.Namespace != "team1" || o.On.Path != "streams/web.yaml" || o.Insecure {
						t.Errorf("%s comes from %+v", word, o)
					}
				}
			}
			for word, n := range map[string]int{"aaa": 1, "bbb": 2, "ccc": 1, "zzz": 0} {
				uses, err := shelf.Uses(t.Context(), registrymemory.Digest(word))
				if err != nil || len(uses) != n {
					t.Errorf("%s is used by %v, %v", word, uses, err)
				}
			}
			for tag, want := range map[string]string{
				"team1/web:stable": "is imported from quay.io/team1/web:1.4; remove from: of that tag in streams/web.yaml:6",
				"team1/web:mine":   "", "team1/app:v1": "", "team1/new:v1": "", "team9/new:v1": "",
				"Team/new:v1": `write, below registry.streams:  "Team": DIRECTORY`,
			} {
				name, tag, _ := strings.Cut(tag, ":")
				namespace, name, _ := strings.Cut(name, "/")
				why := shelf.Admits(imagestream.TagRef{Stream: imagestream.Name{Namespace: namespace, Name: name}, Tag: tag})
				if got := fmt.Sprintf("%v", why); (want == "") != (why == nil) || why != nil && !strings.Contains(why.What+"; "+why.Fix, want) {
					t.Errorf("%s/%s:%s: %s, want %q", namespace, name, tag, got, want)
				}
			}
			if _, err := q.line.Once(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// What was pushed to another stream is lent by that one's repository, and is fetched from nowhere.
func TestShelfLends(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQuay(t, map[string]string{
			".towpath.yaml": pushConfig,
			"prod.yaml": `apiVersion: image.openshift.io/v1
kind: ImageStream
metadata: {name: prod, namespace: team2}
spec:
  tags:
    - {name: live, from: {kind: ImageStreamTag, name: "app:v1", namespace: team1}}
`,
		})
		arrivals := &registrymemory.Arrivals{}
		q.line.Arrivals = arrivals
		q.push("aaa")
		arrivals.Push("team1", "app", "v1", registrymemory.Digest("ddd"), time.Now())
		app, prod := imagestream.Name{Namespace: "team1", Name: "app"}, imagestream.Name{Namespace: "team2", Name: "prod"}
		for range 3 {
			if _, err := q.line.Once(t.Context(), reconcile.Hint{Arrived: true}); err != nil {
				t.Fatal(err)
			}
		}
		shelf := q.line.Shelf()
		for name, want := range map[imagestream.Name]map[string][]imagestream.Name{
			prod: {registrymemory.Digest("ddd"): {app}},
			app:  {}, {Namespace: "team1", Name: "web"}: {}, {Namespace: "team9", Name: "none"}: nil,
		} {
			got, err := shelf.Lenders(t.Context(), name)
			if diff := cmp.Diff(want, got); diff != "" || err != nil {
				t.Errorf("%s, %v (-want +got)\n%s", name, err, diff)
			}
			if origins, err := shelf.Origins(t.Context(), name, registrymemory.Digest("ddd")); len(origins) > 0 || err != nil {
				t.Errorf("%s is fetched from %v, %v", name, origins, err)
			}
		}
		for what, ask := range map[string]func() error{
			"lenders": func() error { _, err := shelf.Lenders(t.Context(), prod); return err },
			"origins": func() error { _, err := shelf.Origins(t.Context(), prod, registrymemory.Digest("ddd")); return err },
		} {
			if n := testing.AllocsPerRun(10, func() { _ = ask() }); n > 5 {
				t.Errorf("%s: each time the file is read again: %v allocations", what, n)
			}
		}
		if diff := cmp.Diff([]imagestream.Name{app, {Namespace: "team1", Name: "web"}, prod}, shelf.Names()); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
	})
}
