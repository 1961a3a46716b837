package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/towpath/towpath/gitstore/gittest"
	"github.com/towpath/towpath/gitstore/memory"
	"github.com/towpath/towpath/reconcile"
	"github.com/towpath/towpath/registry/counter"
	"github.com/towpath/towpath/registry/integrated"
	registrymemory "github.com/towpath/towpath/registry/memory"
	"github.com/towpath/towpath/registry/registrytest"
)

// A store is a registry's directory that holds images, and a repository that names some of them.
type store struct {
	t       *testing.T
	dir     string
	repo    *gittest.Repo
	digests map[string]string // by word
}

// newStore is of web:stable, which was one, two, three, four and is five; of these a file holds one.
func newStore(t *testing.T) *store {
	s := &store{t: t, dir: filepath.Join(t.TempDir(), "storage"), digests: map[string]string{}}
	r, err := integrated.New(t.Context(), integrated.Options{Storage: s.dir})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(r)
	var items strings.Builder
	for _, word := range []string{"stray", "one", "two", "three", "four", "five"} {
		s.digests[word] = registrytest.Push(t, server.Listener.Addr().String(), "team1/web:stable", word)
		if word != "stray" {
			text := fmt.Sprintf("        - {created: '2026-05-01T10:00:00Z', dockerImageReference: 'registry.example:5000/team1/web@%s', image: '%[1]s'}\n", s.digests[word])
			rest := items.String()
			items.Reset()
			items.WriteString(text + rest)
		}
	}
	server.Close()
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	s.age()
	s.repo = gittest.NewRepo(t, map[string]string{
		".towpath.yaml": "version: 1\nregistry:\n  host: registry.example:5000\n  streams: {team1: streams}\n",
		"streams/web.yaml": "apiVersion: image.openshift.io/v1\nkind: ImageStream\nmetadata: {name: web, namespace: team1}\nstatus:\n  tags:\n    - tag: stable\n      items:\n" +
			items.String(),
		"values.yaml": "image: registry.example:5000/team1/web@" + s.digests["one"] + " # {\"$imagestream\": \"team1/web:stable\", \"paused\": true}\n",
	})
	return s
}

// age makes all of it old.
func (s *store) age() {
	then := time.Now().Add(-2 * time.Hour)
	err := filepath.WalkDir(s.dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Chtimes(path, then, then)
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

// has are the words whose manifests are in storage.
func (s *store) has() string {
	var has []string
	for _, word := range []string{"stray", "one", "two", "three", "four", "five"} {
		hex := strings.TrimPrefix(s.digests[word], "sha256:")
		if _, err := os.Stat(filepath.Join(s.dir, "docker/registry/v2/blobs/sha256", hex[:2], hex, "data")); err == nil {
			has = append(has, word)
		}
	}
	return strings.Join(has, " ")
}

// prune runs the command.
func (s *store) prune(code int, args ...string) (stdout, stderr string) {
	s.t.Helper()
	var out, errs bytes.Buffer
	if got := Main(s.t.Context(), append([]string{"prune"}, args...), &out, &errs, func(string) string { return "" }); got != code {
		s.t.Fatalf("prune %q: exit code %d, want %d\n%s%s", args, got, code, &out, &errs)
	}
	return out.String(), errs.String()
}

const all = "stray one two three four five"

// What goes is said first, and done when it is confirmed; what streams and files name stays.
func TestPrune(t *testing.T) {
	s := newStore(t)
	beside := []string{"--storage", s.dir, "--repo", s.repo.Dir}
	out, _ := s.prune(0, beside...)
	for _, want := range []string{
		"team1/web: 2 images would go, 4 stay (2 revision, 1 current, 1 named)\n",
		"revision 4 of tag stable, 3 are kept\n", "on no record\n", "would delete: 2 images and ", "nothing was deleted; --confirm does it\n",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("got\n%swant %q", out, want)
		}
	}
	if got := s.has(); got != all {
		t.Errorf("a dry run left %s", got)
	}
	if out, _ := s.prune(0, append(beside, "--keep-younger-than", "24h")...); !strings.HasPrefix(out, "nothing of 1 repository: 6 images stay (") {
		t.Errorf("all is young:\n%s", out)
	}

	out, _ = s.prune(0, append(beside, "--confirm", "-o", "json")...)
	var report struct {
		Done   bool
		Images []struct {
			Repository, Digest, Rule, Why string
			Goes                          bool
		}
		Blobs, Freed int
	}
	if err := json.Unmarshal([]byte(out), &report); err != nil || !report.Done || report.Blobs < 2 || report.Freed == 0 {
		t.Fatalf("%v, got %s", err, out)
	}
	rules := map[string]string{}
	for _, image := range report.Images {
		rules[image.Digest] = fmt.Sprint(image.Rule, " ", image.Goes)
	}
	want := map[string]string{}
	for word, rule := range map[string]string{"five": "current false", "four": "revision false", "three": "revision false", "two": "revision true", "one": "named false", "stray": "none true"} {
		want[s.digests[word]] = rule
	}
	if diff := cmp.Diff(want, rules); diff != "" {
		t.Errorf("rules (-want +got):\n%s", diff)
	}
	if got := s.has(); got != "one three four five" {
		t.Errorf("left is %s", got)
	}
}

// Where nobody can tell what is in use, nothing goes.
func TestPruneRefuses(t *testing.T) {
	s := newStore(t)
	for says, args := range map[string][]string{
		"fix: give --storage DIR, or":          {},
		"keep-tag-revisions must be 1 or more": {"--storage", s.dir, "--keep-tag-revisions", "0"},
		"there is no directory":                {"--storage", s.dir + "x"},
		"leave out --storage and --alone":      {"--storage", s.dir, "--server", "http://127.0.0.1:1"},
		"fix: give --server URL, too":          {"--storage", s.dir, "--token-file", "x"},
		"fix: give --token-file FILE":          {"--server", "http://127.0.0.1:1"},
		"--server is no address of a daemon":   {"--server", "ftp://127.0.0.1:1"},
		"towpath run --hooks-listen HOST:PORT": {"--server", "127.0.0.1:8081"},
		"which would show the token":           {"--server", "http://towpath.example:8081", "--token-file", "x"},
		"-o yaml: say text or json":            {"-o", "yaml"},
	} {
		if _, err := s.prune(exitUsage, args...); !strings.Contains(err, says) {
			t.Errorf("%q: got %s", args, err)
		}
	}
	s.repo.Commit(map[string]string{"b.yaml": "kind: ImageStream\n  a: [\n"}, "broken")
	if _, err := s.prune(exitFailed, "--storage", s.dir, "--repo", s.repo.Dir, "--confirm"); !strings.Contains(err, "b.yaml cannot be read") || !strings.Contains(err, "\nfix: towpath validate names it") {
		t.Errorf("got %s", err)
	}
	if err := os.MkdirAll(filepath.Join(s.dir, "towpath/arrivals"), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := s.prune(exitFailed, "--storage", s.dir, "--confirm"); !strings.Contains(err, "fix: give --repo URL|PATH; or") {
		t.Errorf("got %s", err)
	}
	r, err := integrated.New(t.Context(), integrated.Options{Storage: s.dir})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.prune(exitFailed, "--storage", s.dir, "--alone"); !strings.Contains(err, "fix: ask the daemon that serves it: towpath prune --server URL") {
		t.Errorf("got %s", err)
	}
	r.Close()
	if got := s.has(); got != all {
		t.Errorf("left is %s", got)
	}
	s.prune(0, "--storage", s.dir, "--alone", "--confirm")
	if got := s.has(); !strings.HasSuffix(got, "five") || strings.Count(got, " ") != 2 {
		t.Errorf("by its own tag, left is %s", got)
	}
}

// A running daemon prunes the registry that it serves, for whoever has the token.
func TestPruneAtDaemon(t *testing.T) {
	s := newStore(t)
	dir := t.TempDir()
	for file, text := range map[string]string{
		"token": "fake-" + rand.Text() + rand.Text(), "wrong": "fake-" + rand.Text() + rand.Text(),
		"operator.yaml": "repo: " + s.repo.Dir + "\npoll: 1s\nhooks-listen: 127.0.0.1:0\nimport-token-file: token\nregistry: {listen: 127.0.0.1:0, storage: " + s.dir + "}\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	h := &transit{t: t, log: &record{more: make(chan struct{})}}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan int, 1)
	go func() {
		ended <- Main(ctx, []string{"run", "--config", filepath.Join(dir, "operator.yaml")}, h.log, h.log, func(string) string { return "" })
	}()
	defer func() {
		cancel()
		<-ended
	}()
	server := "http://" + h.says(`msg="serving webhooks" address=(\S+)`)
	h.says(`msg="serving a registry" address=(\S+)`)
	ask := []string{"--server", server, "--token-file"}
	if _, err := s.prune(exitFailed, append(ask, filepath.Join(dir, "wrong"), "--confirm")...); !strings.Contains(err, "the token is not right") {
		t.Errorf("got %s", err)
	}
	if resp, err := http.Post(server+"/prune?confirm=true", "", nil); err != nil || resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("without a token: %v, %v", resp, err)
	} else {
		resp.Body.Close()
	}
	token := filepath.Join(dir, "token")
	for started := time.Now(); time.Since(started) < patience; { // until its first pass is over
		var errs bytes.Buffer
		if Main(t.Context(), append([]string{"prune"}, append(ask, token)...), &errs, &errs, func(string) string { return "" }) == exitDone {
			break
		} else if !strings.Contains(errs.String(), "the daemon has not read the repository yet\nfix: try again in a moment") {
			t.Fatal(errs.String())
		}
	}
	out, _ := s.prune(0, append(ask, token)...)
	if !strings.Contains(out, "team1/web: 2 images would go, 4 stay") || s.has() != all {
		t.Errorf("got %s, left is %s", out, s.has())
	}
	out, _ = s.prune(0, append(ask, token, "--confirm")...)
	if !strings.Contains(out, "team1/web: 2 images went, 4 stay") || s.has() != "one three four five" {
		t.Errorf("got %s, left is %s", out, s.has())
	}
	h.says(`msg="the registry was pruned" images=(2)`)
}

// A person puts a site back on an old image, and the daemon, which looks at Git once an hour, is asked
// to delete right after that: the image stays.
func TestDeletionGoesByTheCommitOfNow(t *testing.T) {
	s := newStore(t)
	files := map[string]string{}
	for _, path := range []string{".towpath.yaml", "streams/web.yaml", "values.yaml"} {
		files[path] = s.repo.Read(path)
	}
	values := files["values.yaml"]
	git := memory.New(files)
	r := &reconcile.Reconciler{Store: git, Branch: "main", Reader: &registrymemory.Registry{}, Poll: time.Hour}
	reg, err := integrated.New(t.Context(), integrated.Options{Storage: s.dir, Guide: counter.Guide{Reconciler: r}})
	if err != nil {
		t.Fatal(err)
	}
	defer reg.Close()
	ctx, cancel := context.WithCancel(t.Context())
	passed, ended := make(chan struct{}, 100), make(chan error, 1)
	r.Passed = func(reconcile.Report) { passed <- struct{}{} }
	go func() { ended <- r.Run(ctx) }()
	defer func() {
		cancel()
		<-ended
	}()
	<-passed
	back := func(word string) {
		git.Write("main", "back to "+word+", by hand", map[string]string{"values.yaml": strings.ReplaceAll(values, s.digests["one"], s.digests[word])})
	}
	back("stray")
	guide := counter.Guide{Reconciler: r} // as for a client that deletes it
	if err := guide.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	uses, err := guide.Uses(t.Context(), "team1/web", s.digests["stray"])
	if err != nil || len(uses) != 1 || uses[0].Where != "values.yaml:1" {
		t.Errorf("before a client deletes it: %v, %v", uses, err)
	}
	back("two")
	sweeps := &sweeper{log: slog.New(slog.DiscardHandler)}
	sweeps.over(reg, r)
	if _, err := sweeps.prune(t.Context(), integrated.DefaultPruneRules, true); err != nil {
		t.Fatal(err)
	}
	if got := s.has(); got != "two three four five" {
		t.Errorf("left is %s", got)
	}
}
