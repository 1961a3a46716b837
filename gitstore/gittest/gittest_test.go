package gittest_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/towpath/towpath/gitstore/gittest"
)

func TestRepo(t *testing.T) {
	r := gittest.NewRepo(t, map[string]string{"a/x": "one\n", "b": ""})
	first := r.Tip()
	r.Commit(map[string]string{"a/x": "two", "new \"ü\"": "new\n"}, "second")
	r.Put("link", gittest.Symlink, "a/x", "third")
	r.Put("sub", gittest.Submodule, first, "fourth")
	r.Delete("fifth", "b")

	if got := r.Read("a/x"); got != "two" {
		t.Errorf("read a/x: got %q", got)
	}
	want := []string{"fifth 1767225840", "fourth 1767225780", "third 1767225720", "second 1767225660", "first 1767225600"}
	if diff := cmp.Diff(want, r.Log("%s %ct")); diff != "" {
		t.Errorf("log (-want +got)\n%s", diff)
	}
	r.Fsck()

	same := gittest.NewRepo(t, map[string]string{"a/x": "one\n", "b": ""})
	if same.Tip() != first {
		t.Errorf("the same repository made twice: %s and %s", first, same.Tip())
	}
}

func TestOddTree(t *testing.T) {
	r := gittest.NewRepo(t, map[string]string{"a": "a\n"})
	blob := r.Blob("x")
	r.CommitTree(r.Tree(gittest.TreeEntry{Mode: "100644", ID: blob, Name: ".git"}, gittest.TreeEntry{Mode: "100644", ID: blob, Name: ".."}), "odd")
	want := []string{"100644 blob " + blob + "\t.git", "100644 blob " + blob + "\t.."}
	if diff := cmp.Diff(want, r.Files()); diff != "" {
		t.Errorf("tree (-want +got)\n%s", diff)
	}
}

func TestServe(t *testing.T) {
	r := gittest.NewRepo(t, map[string]string{"a": "a\n"})
	for _, s := range []*gittest.Server{gittest.Serve(t, r), gittest.ServeTLS(t, nil, r)} {
		config := []string{"-c", "http.sslCAInfo=/dev/null"}
		if s.TLS != nil {
			config = []string{"-c", "http.sslCAInfo=" + s.CAFile()}
		}
		git := func(args ...string) error {
			_, err := r.Try("", append(config, args...)...)
			return err
		}
		remote := withUser(t, s, r)
		s.Log()
		if err := git("fetch", "-q", s.Repo(r)); err == nil {
			t.Errorf("a fetch without a password: no error")
		}
		if err := git("fetch", "-q", remote, "main"); err != nil {
			t.Error(err)
		}
		log := s.Log()
		if n := gittest.Count(log, gittest.LsRefs); n != 1 {
			t.Errorf("ls-refs requests: got %d, want 1 in %+v", n, log)
		}

		old := r.Tip()
		next := r.Git("commit-tree", "-p", old, "-m", "pushed", old+"^{tree}")
		s.Fail(1, gittest.Push, gittest.LoseAnswer())
		if err := git("push", "-q", remote, next+":refs/heads/main"); err == nil {
			t.Errorf("a push whose answer is lost: no error")
		}
		if r.Tip() != next {
			t.Errorf("a push whose answer is lost did not land")
		}
		s.Log()
		s.Fail(1, gittest.PushRefs, gittest.Status(http.StatusServiceUnavailable, "Retry-After", "7"))
		if err := git("push", "-q", remote, old+":refs/heads/main", "-f"); err == nil {
			t.Errorf("a push to a server that is unwell: no error")
		}
		s.Down()
		if err := git("ls-remote", remote); err == nil {
			t.Errorf("a server that is down: no error")
		}
		s.Up()
		if err := git("ls-remote", remote); err != nil {
			t.Error(err)
		}
		i := slices.IndexFunc(s.Log(), func(r gittest.Request) bool { return r.Status == http.StatusServiceUnavailable })
		if i < 0 {
			t.Errorf("the planned 503 is not in the log")
		}
	}
}

func TestTrap(t *testing.T) {
	catcher := &errorCounter{TB: t}
	trap := gittest.NewTrap(catcher, "me", "fake-secret")
	ask := func(set func(*http.Request)) {
		t.Helper()
		req, err := http.NewRequest("POST", trap.URL, strings.NewReader("body"))
		if err != nil {
			t.Fatal(err)
		}
		set(req)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
	}
	ask(func(*http.Request) {})
	if catcher.errors != 0 {
		t.Errorf("a harmless request sprang the trap")
	}
	ask(func(r *http.Request) { r.SetBasicAuth("me", "fake-secret") })
	ask(func(r *http.Request) { r.Header.Set("X", "fake-secret") })
	ask(func(r *http.Request) { r.URL.RawQuery = "q=fake-secret" })
	if catcher.errors != 3 {
		t.Errorf("secrets that arrived: got %d, want 3", catcher.errors)
	}
}

type errorCounter struct {
	testing.TB
	errors int // written by the server before it answers
}

func (c *errorCounter) Errorf(string, ...any) { c.errors++ }

func withUser(t *testing.T, s *gittest.Server, r *gittest.Repo) string {
	u, err := url.Parse(s.Repo(r))
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword(s.User, s.Password())
	return u.String()
}
