package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/towpath/towpath/config"
	"github.com/towpath/towpath/gitstore/gittest"
	"github.com/towpath/towpath/notify"
	"github.com/towpath/towpath/reconcile"
)

// An audience is all who are told: programs, a chat and a forge.
type audience struct {
	*httptest.Server
	mu       sync.Mutex
	events   []string // type, subject and what else matters
	ids      []string
	lines    []string
	statuses []string // commit, state and words
	more     chan struct{}
}

func newAudience(t *testing.T) *audience {
	a := &audience{more: make(chan struct{}, 1)}
	a.Server = httptest.NewServer(a)
	t.Cleanup(a.Close)
	return a
}

func (a *audience) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	var got struct {
		ID, Type, Subject, Text     string
		State, Context, Description string
		Data                        map[string]any
	}
	json.Unmarshal(body, &got)
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case r.URL.Path == "/events":
		text := strings.TrimSuffix(strings.TrimPrefix(got.Type, "dev.towpath."), ".v1") + " " + got.Subject
		for _, key := range []string{"site", "reason", "why", "source"} {
			if v, _ := got.Data[key].(string); v != "" {
				text += " " + v
			}
		}
		a.events, a.ids = append(a.events, text), append(a.ids, got.ID)
	case strings.HasPrefix(r.URL.Path, "/chat/"):
		a.lines = append(a.lines, got.Text)
	case strings.HasPrefix(r.URL.Path, "/api/v1/repos/o/r/statuses/"):
		a.statuses = append(a.statuses, fmt.Sprintf("%.7s %s %s: %s", filepath.Base(r.URL.Path), got.Context, got.State, got.Description))
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(201)
		io.WriteString(w, `{"id":1}`)
	default:
		http.NotFound(w, r)
	}
	select {
	case a.more <- struct{}{}:
	default:
	}
}

// took is what programs were told since it was asked last.
func (a *audience) took() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	events := a.events
	a.events = nil
	return events
}

// await waits until something is so.
func (a *audience) await(t *testing.T, what string, is func() bool) {
	t.Helper()
	late := time.After(patience)
	for {
		a.mu.Lock()
		ok := is()
		a.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-a.more:
		case <-late:
			a.mu.Lock()
			defer a.mu.Unlock()
			t.Fatalf("%s: told are\n%s\n%s", what, strings.Join(a.events, "\n"), strings.Join(a.statuses, "\n"))
		}
	}
}

// Everything that happens is told once, to all who are to hear of it, and a restart with nothing
// new says nothing.
func TestNotifications(t *testing.T) {
	const deployment = `apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  annotations: {image.openshift.io/triggers: '[{"from":{"kind":"ImageStreamTag","name":"web:stable"},"fieldPath":"spec.template.spec.containers[0].image"}]'}
spec: {template: {spec: {containers: [{name: app, image: "old"}]}}}
`
	h := newHarbour(t, map[string]string{
		".towpath.yaml": "version: 1\nnamespaces: {'**': team1}\ndefaults: {scheduled: true, interval: 1s}\n",
		"streams/web.yaml": `apiVersion: image.openshift.io/v1
kind: ImageStream
metadata: {name: web}
spec:
  tags:
  - name: stable
    from: {kind: DockerImage, name: "quay.io/team1/web:1.4"}
`,
		"deploy/web.yaml": deployment,
	})
	a := newAudience(t)
	dir := filepath.Dir(h.config)
	secret := "fake-" + rand.Text()
	for name, text := range map[string]string{"chat": a.URL + "/chat/" + secret, "key": "fake-" + rand.Text() + rand.Text(), "token": "fake-" + rand.Text()} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(h.config)
	if err != nil {
		t.Fatal(err)
	}
	text = fmt.Appendf(text, `poll: 1s
forge: {kind: gitea, api: %q, project: o/r, token-file: token}
notify:
- {kind: cloudevents, url: %q, secret-file: key}
- {kind: cloudevents, url: %q, namespaces: [team2]}
- {kind: slack, url-file: chat, events: [held, failing]}
- {kind: commit-status}
`, a.URL+"/api/v1/", a.URL+"/events", a.URL+"/events")
	if err := os.WriteFile(h.config, text, 0o600); err != nil {
		t.Fatal(err)
	}
	h.images.push(t, "team1/web:1.4", "one")

	var said bytes.Buffer
	start := func() (end func()) {
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			Main(ctx, []string{"run", "--config", h.config, "--repo", h.repo.Dir}, &said, &said, func(string) string { return "" })
		}()
		return func() { stop(); <-ended }
	}
	end := start()
	t.Cleanup(func() {
		end()
		if t.Failed() {
			t.Log(said.String())
		}
		if strings.Contains(said.String(), secret) {
			t.Error("the log holds the chat's URL")
		}
	})
	const site = "Deployment team1/web, container app"
	told := func(what string, want ...string) {
		t.Helper()
		a.await(t, what, func() bool { return len(a.events) >= len(want) })
		if diff := cmp.Diff(want, a.took()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}
	told("the first image", "image.recorded team1/web:stable quay.io/team1/web:1.4", "site.followed deploy/web.yaml "+site)
	tip := func(state string) {
		t.Helper()
		want := fmt.Sprintf("%.7s towpath %s", h.repo.Tip(), state)
		a.await(t, want, func() bool { return slices.Contains(a.statuses, want) })
	}
	tip("success: 1 tag, 1 site")

	h.repo.Put("deploy/web.yaml", "100644", deployment, "Back to the old one")
	told("a person takes it back", "site.held deploy/web.yaml "+site+" taken back")
	tip("success: 1 tag, 1 site, 1 held")

	h.images.untag(t, "team1/web:1.4")
	told("the tag is gone", "import.failing team1/web:stable NotFound")
	tip("failure: 1 tag failing")

	// A restart. What is found first after it is the next image.
	end()
	h.images.push(t, "team1/web:1.4", "two")
	end = start()
	told("it is there again", "image.recorded team1/web:stable quay.io/team1/web:1.4", "import.recovered team1/web:stable NotFound", "site.followed deploy/web.yaml "+site)
	tip("success: 1 tag, 1 site")
	a.await(t, "the chat's third line", func() bool { return len(a.lines) >= 3 })
	a.mu.Lock()
	defer a.mu.Unlock()
	if ids := slices.Compact(slices.Sorted(slices.Values(a.ids))); len(ids) != 7 {
		t.Errorf("%d ids of 7 events", len(ids))
	}
	if len(a.lines) != 3 || !strings.Contains(a.lines[0], "stays") || !strings.Contains(a.lines[1], "fails (NotFound)") || !strings.Contains(a.lines[2], "imported again") {
		t.Errorf("the chat was told %q", a.lines)
	}
}

// The process is told to end while it pushes: what lands is told.
func TestNotifiedOfTheLastPass(t *testing.T) {
	h := newHarbour(t, map[string]string{"web.yaml": `apiVersion: image.openshift.io/v1
kind: ImageStream
metadata: {name: web, namespace: team1}
spec: {tags: [{name: stable, from: {kind: DockerImage, name: "quay.io/team1/web:1.4"}}]}
`})
	a := newAudience(t)
	text, err := os.ReadFile(h.config)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(h.config, fmt.Appendf(text, "notify: [{kind: cloudevents, url: %q}]\n", a.URL+"/events"), 0o600); err != nil {
		t.Fatal(err)
	}
	h.images.push(t, "team1/web:1.4", "one")
	server := gittest.Serve(t, h.repo)
	server.SetPassword("") // anybody may push
	ctx, stop := context.WithTimeout(t.Context(), patience)
	defer stop()
	server.Fail(1, gittest.Push, gittest.Before(stop))
	var said bytes.Buffer
	if code := Main(ctx, []string{"run", "--config", h.config, "--repo", server.Repo(h.repo)}, &said, &said, func(string) string { return "" }); code != exitDone {
		t.Errorf("exit code %d", code)
	}
	if diff := cmp.Diff([]string{"image.recorded team1/web:stable quay.io/team1/web:1.4"}, a.took()); diff != "" {
		t.Errorf("told (-want +got):\n%s\n%s", diff, said.String())
	}
}

// Files that are not there when the process starts are said then, with what to do, and end nothing.
func TestNotifyWithoutFiles(t *testing.T) {
	dir := t.TempDir()
	there := filepath.Join(dir, "there")
	if err := os.WriteFile(there, []byte("fake-"+rand.Text()+rand.Text()), 0o600); err != nil {
		t.Fatal(err)
	}
	op := operatorOf(t, fmt.Sprintf(`notify:
- {kind: slack, url-file: %[1]s/chat}
- {kind: cloudevents, url: "https://builds.example", secret-file: %[1]s/key, token-file: %[1]s/token}
- {kind: cloudevents, url: "https://builds.example", secret-file: %[2]s, token-file: %[2]s}
`, dir, there))
	var said bytes.Buffer
	b, err := (&app{}).newBulletin(op, &reconcile.Reconciler{}, slog.New(slog.NewTextHandler(&said, nil)))
	if err != nil || len(b.told) != 3 {
		t.Fatalf("%v: %v", b, err)
	}
	lines := strings.Split(strings.TrimSpace(said.String()), "\n")
	for i, want := range []string{"notify[0] (slack)|chat", "notify[1] (cloudevents)|token", "notify[1] (cloudevents)|key"} {
		receiver, file, _ := strings.Cut(want, "|")
		file = filepath.Join(dir, file)
		if len(lines) != 3 || !strings.Contains(lines[i], "level=WARN") || !strings.Contains(lines[i], receiver) || !strings.Contains(lines[i], `fix="check that `+file+` is mounted and readable"`) {
			t.Errorf("want %s in line %d of\n%s", want, i, said.String())
		}
	}
}

func TestSourceOf(t *testing.T) {
	t.Chdir(t.TempDir())
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for repo, want := range map[string]string{
		"https://git.example/a/b.git": "https://git.example/a/b.git", "https://user@git.example/a": "https://git.example/a", "ssh://git@git.example:22/a": "ssh://git.example:22/a",
		"git@git.example:a/b.git": "ssh://git.example/a/b.git", "/srv/git/a b.git": "file:///srv/git/a%20b.git", "file:///srv/a.git": "file:///srv/a.git",
		"git.git": "file://" + here + "/git.git", "../a/git.git": "file://" + filepath.Dir(here) + "/a/git.git",
	} {
		if got := sourceOf(repo); got != want {
			t.Errorf("%s is %s, want %s", repo, got, want)
		}
	}
}

// A chat's line says where it is from, and leads to the commit where the repository's URL shows the forge.
func TestPlaceOfLines(t *testing.T) {
	for repo, want := range map[string]struct{ name, page string }{
		"https://github.com/o/r.git":     {"github.com/o/r trunk", "https://github.com/o/r/commit/c0ffeec0ffee"},
		"git@gitlab.com:a/b/c.git":       {"gitlab.com/a/b/c trunk", "https://gitlab.com/a/b/c/-/commit/c0ffeec0ffee"},
		"https://git.example/a/b.git":    {"git.example/a/b trunk", ""},
		"/srv/git/team streams/live.git": {"/srv/git/team streams/live trunk", ""},
	} {
		op := operatorOf(t, "repo: "+repo+"\nbranch: trunk\nnotify: [{kind: slack, url-file: a}]\n")
		v, err := venueOf(op)
		if err != nil {
			t.Fatal(err)
		}
		sink, err := (&app{venue: v}).sinkOf(op, op.Notify[0])
		if err != nil {
			t.Fatal(err)
		}
		place := sink.(*notify.Chat).Place
		if place.Name != want.name || place.Page("c0ffeec0ffee") != want.page {
			t.Errorf("%s is %q, with %q", repo, place.Name, place.Page("c0ffeec0ffee"))
		}
	}
}

func TestWantsOf(t *testing.T) {
	op := operatorOf(t, `notify:
- {kind: slack, url-file: a}
- {kind: slack, url-file: a, events: [image]}
- {kind: slack, url-file: a, namespaces: ["team*"]}
- {kind: commit-status}
`)
	image := notify.New(time.Time{}, notify.ImageRecorded{}, "team1")
	site := notify.New(time.Time{}, notify.SiteFollowed{}, "other", "team2")
	proposal := notify.New(time.Time{}, notify.ProposalNews{})
	head := notify.New(time.Time{}, notify.HeadWorth{})
	other := notify.New(time.Time{}, notify.ImportFailing{}, "other")
	for i, want := range []string{"ttttf", "tffff", "ttfff", "fffft"} {
		got := ""
		for _, e := range []notify.Event{image, site, proposal, other, head} {
			got += fmt.Sprint(wantsOf(op.Notify[i])(e))[:1]
		}
		if got != want {
			t.Errorf("notify[%d] wants %s, want %s", i, got, want)
		}
	}
	var kinds []config.News
	for _, k := range notify.Kinds {
		kinds = append(kinds, config.News(k))
	}
	if diff := cmp.Diff([]config.News{"image", "site", "failing", "proposal", "held"}, kinds); diff != "" {
		t.Error(diff)
	}
}
