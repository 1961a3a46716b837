package github_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/towpath/towpath/forge/github"
	"github.com/towpath/towpath/gitstore"
	"github.com/towpath/towpath/gitstore/gittest"
)

// newGitHub is a hub with a repository of files.
func newGitHub(t *testing.T, files map[string]string) *hub {
	h := newHub(t)
	h.git = gittest.NewRepo(t, files)
	return h
}

func edit(path, content string) gitstore.Edit {
	return gitstore.Edit{Path: path, Content: []byte(content)}
}

func commitOf(message string, edits ...gitstore.Edit) gitstore.Commit {
	return gitstore.Commit{Edits: edits, Message: message, Author: gitstore.Person{Name: "towpath", Email: "towpath@example.com"}, When: start}
}

func TestCommitIsWhatWasMeant(t *testing.T) {
	t.Parallel()
	h := newGitHub(t, map[string]string{"a.yaml": "1\n", "a/b/c.yaml": "2\n", "a/b/other.yaml": "3\n", "a.b/x": "4\n", "z/y": "5\n"})
	h.git.Put("run.sh", gittest.Executable, "#!/bin/sh\n", "a script")
	h.git.Put("link", gittest.Symlink, "a.yaml", "a link")
	tip := h.git.Tip()
	f := h.forge()
	first, err := f.Commit(t.Context(), gitstore.Rev(tip), commitOf("status: one\n\nWhy.\n",
		edit("a/b/c.yaml", "two\n"), edit("run.sh", "#!/bin/sh\ntrue\n"), edit("new/dir/ü.yaml", "\xff\x00bytes"), edit("z/y", "5\n")))
	if err != nil {
		t.Fatal(err)
	}
	second, err := f.Commit(t.Context(), first, commitOf("trigger: two", edit("a.yaml", "one\n")))
	if err != nil {
		t.Fatal(err)
	}
	if now := h.git.Tip(); now != tip {
		t.Errorf("main moved to %s", now)
	}
	show := func(rev gitstore.Rev) []string {
		return strings.Split(h.git.Git("-c", "core.quotePath=false", "diff-tree", "-r", "--no-commit-id", "--raw", "--abbrev=6", string(rev)), "\n")
	}
	id := func(content string) string { return string(gitstore.IDOf([]byte(content)))[:6] }
	want := []string{
		":100644 100644 " + id("2\n") + " " + id("two\n") + " M\ta/b/c.yaml",
		":000000 100644 000000 " + id("\xff\x00bytes") + " A\tnew/dir/ü.yaml",
		":100755 100755 " + id("#!/bin/sh\n") + " " + id("#!/bin/sh\ntrue\n") + " M\trun.sh",
	}
	if diff := cmp.Diff(want, show(first)); diff != "" {
		t.Errorf("the first (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{":100644 100644 " + id("1\n") + " " + id("one\n") + " M\ta.yaml"}, show(second)); diff != "" {
		t.Errorf("the second (-want +got):\n%s", diff)
	}
	if got, want := h.git.Git("show", "-s", "--format=%P|%B", string(second)), string(first)+"|trigger: two"; got != want {
		t.Errorf("the second is %q, want %q", got, want)
	}
	h.git.Move(string(second))
	h.git.Fsck()
}

func TestCommitRefuses(t *testing.T) {
	t.Parallel()
	h := newGitHub(t, map[string]string{"dir/a.yaml": "1\n", "plain": "2\n"})
	h.git.Put("link", gittest.Symlink, "/etc/passwd", "a link")
	h.git.Put("linked", gittest.Symlink, "dir", "a link to a directory")
	h.git.Put("module", gittest.Submodule, h.git.Tip(), "a submodule")
	for name, c := range map[string]struct {
		edits []gitstore.Edit
		what  string
	}{
		"a symbolic link":          {[]gitstore.Edit{edit("link", "x")}, `"link" is in the way: it is a symbolic link`},
		"below a symbolic link":    {[]gitstore.Edit{edit("linked/a.yaml", "x")}, `"linked" is in the way: it is a symbolic link`},
		"a directory":              {[]gitstore.Edit{edit("dir", "x")}, `"dir" is in the way: it is a directory`},
		"a submodule":              {[]gitstore.Edit{edit("module", "x")}, `"module" is in the way: it is a submodule`},
		"below a submodule":        {[]gitstore.Edit{edit("module/x", "x")}, `"module" is in the way: it is a submodule`},
		"below a file":             {[]gitstore.Edit{edit("plain/x", "x")}, `"plain" is in the way: it is a file`},
		"a new directory and file": {[]gitstore.Edit{edit("n/x", "x"), edit("n", "x")}, `"n" is in the way: it is a directory`},
		"a path upwards":           {[]gitstore.Edit{edit("dir/../../x", "x")}, "is no path"},
		"an absolute path":         {[]gitstore.Edit{edit("/x", "x")}, "is no path"},
		"git's own":                {[]gitstore.Edit{edit("dir/.GIT/config", "x")}, "is no path"},
		"nothing":                  {[]gitstore.Edit{edit("plain", "2\n")}, "would change nothing"},
	} {
		_, err := h.forge().Commit(t.Context(), gitstore.Rev(h.git.Tip()), commitOf("x", c.edits...))
		e := gitError(t, err)
		if e.Kind != gitstore.Unsupported || !strings.Contains(e.What, c.what) || e.Repo == "" || e.Fix == "" {
			t.Errorf("%s: %#v, want %q", name, e, c.what)
		}
	}
	if slices.ContainsFunc(h.seen, func(s string) bool { return strings.HasPrefix(s, "POST") }) {
		t.Errorf("something was sent: %q", h.seen)
	}
}

func gitError(t *testing.T, err error) *gitstore.Error {
	t.Helper()
	e := (*gitstore.Error)(nil)
	if !errors.As(err, &e) {
		t.Fatalf("%v is no *gitstore.Error", err)
	}
	return e
}

// TestCommitBesideAnOddName cannot foresee the tree's id: the API has no way to tell the name.
func TestCommitBesideAnOddName(t *testing.T) {
	t.Parallel()
	h := newGitHub(t, map[string]string{"a.yaml": "1\n"})
	h.git.Put("latin-\xfc.txt", gittest.Regular, "x", "a name in Latin 1")
	rev, err := h.forge().Commit(t.Context(), gitstore.Rev(h.git.Tip()), commitOf("x", edit("a.yaml", "2\n")))
	if err != nil {
		t.Fatal(err)
	}
	if got := h.git.Git("diff-tree", "-r", "--no-commit-id", "--name-only", string(rev)); got != "a.yaml" {
		t.Errorf("it changes %q, want a.yaml", got)
	}
	// Nor would the tree's id tell what became of a content.
	if !slices.ContainsFunc(h.seen, func(s string) bool { return strings.HasPrefix(s, "POST ") && strings.HasSuffix(s, "/git/blobs") }) {
		t.Errorf("no blob was made: %q", h.seen)
	}
}

// TestCommitIsFewRequests has GitHub, which allows 80 a minute that make something, make a commit of many
// files, and finds what it was meant to be.
//
// fault: F-06
func TestCommitIsFewRequests(t *testing.T) {
	t.Parallel()
	files := map[string]string{}
	var edits []gitstore.Edit
	for i := range 60 {
		name := fmt.Sprintf("dir%d/%02d.yaml", i%3, i)
		files[name] = "1\n"
		edits = append(edits, edit(name, fmt.Sprintf("%d: \"ü → \u2028\"\r\n\t<&>\n", i)))
	}
	long := strings.Repeat("0123456789abcdef", 40<<10)
	for name, c := range map[string]struct {
		more  []gitstore.Edit
		posts int
	}{
		"texts":               {nil, 2},
		"one that is no text": {[]gitstore.Edit{edit("x", "\xff")}, 3},
		"with a zero":         {[]gitstore.Edit{edit("x", "a\x00b")}, 3},
		"with a mark":         {[]gitstore.Edit{edit("x", "\ufeffa")}, 3},
		"one that is empty":   {[]gitstore.Edit{edit("x", "")}, 3},
		"two that are long":   {[]gitstore.Edit{edit("x", long), edit("y", long+"\n")}, 3},
	} {
		h := newGitHub(t, files)
		rev, err := h.forge().Commit(t.Context(), gitstore.Rev(h.git.Tip()), commitOf("x", append(edits[:60:60], c.more...)...))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		posts := 0
		for _, s := range h.seen {
			if strings.HasPrefix(s, "POST ") {
				posts++
			}
		}
		if posts != c.posts {
			t.Errorf("%s: %d requests, want %d", name, posts, c.posts)
		}
		want := map[string]string{}
		for _, e := range append(edits[:60:60], c.more...) {
			want[e.Path] = string(gitstore.IDOf(e.Content))
		}
		got := map[string]string{}
		for line := range strings.SplitSeq(h.git.Git("ls-tree", "-r", string(rev)), "\n") {
			of, name, _ := strings.Cut(line, "\t")
			got[name] = strings.Fields(of)[2]
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// TestCommitIsNotTakenOnTrust has something on the way change what GitHub answers.
func TestCommitIsNotTakenOnTrust(t *testing.T) {
	t.Parallel()
	other := strings.Repeat("ab", 20)
	for ask, answer := range map[string]string{
		"GET /git/commits":  `{"sha":"` + other + `","message":"first","tree":{"sha":"` + other + `"},"parents":[]}`,
		"POST /git/blobs":   `{"sha":"` + other + `"}`,
		"POST /git/trees":   `{"sha":"` + other + `","tree":[]}`,
		"POST /git/commits": `{"sha":"` + other + `","message":"x","tree":{"sha":"` + other + `"},"parents":[{"sha":"PARENT"}]}`,
	} {
		// Git sorts dir.x before dir, which is a directory.
		h := newGitHub(t, map[string]string{"dir/a.yaml": "1\n", "dir.x": "2\n"})
		method, path, _ := strings.Cut(ask, " ")
		h.fault = func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method != method || !strings.Contains(r.URL.Path, path) {
				return false
			}
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusCreated)
			fmt.Fprint(w, strings.ReplaceAll(answer, "PARENT", h.git.Tip()))
			return true
		}
		_, err := h.forge().Commit(t.Context(), gitstore.Rev(h.git.Tip()), commitOf("x", edit("dir/a.yaml", "2\n"), edit("dir/b", "\xff")))
		if e := gitError(t, err); e.Kind != gitstore.Corrupt || !strings.Contains(e.What, "than was") {
			t.Errorf("%s: %v is %s, want Corrupt", ask, e, e.Kind)
		}
	}
}

func TestCommitSaysWhoseMoveItIs(t *testing.T) {
	t.Parallel()
	h := newGitHub(t, map[string]string{"a.yaml": "1\n"})
	tip := gitstore.Rev(h.git.Tip())
	_, err := h.forge().Commit(t.Context(), gitstore.Rev(strings.Repeat("0", 40)), commitOf("x", edit("a.yaml", "2\n")))
	if e := gitError(t, err); e.Kind != gitstore.NotFound {
		t.Errorf("%v is %s, want NotFound", e, e.Kind)
	}
	if _, err := h.forge().Commit(t.Context(), "", commitOf("x", edit("a.yaml", "2\n"))); gitError(t, err).Kind != gitstore.Unsupported {
		t.Errorf("without a parent: %v", err)
	}
	h.fault = func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodPost {
			return false
		}
		refuse(w, 403, "Resource not accessible by integration", "git/blobs#create-a-blob")
		return true
	}
	_, err = h.forge().Commit(t.Context(), tip, commitOf("x", edit(".github/workflows/a.yaml", "2\n")))
	if e := gitError(t, err); e.Kind != gitstore.Denied || !strings.Contains(e.Fix, "Contents: write and Workflows: write") {
		t.Errorf("%#v, want the permission", e)
	}
	h.fault = func(w http.ResponseWriter, r *http.Request) bool {
		w.Header().Set("Retry-After", "30")
		refuse(w, 403, "You have exceeded a secondary rate limit.", "x")
		return true
	}
	_, err = h.forge().Commit(t.Context(), tip, commitOf("x", edit("a.yaml", "2\n")))
	if e := gitError(t, err); e.Kind != gitstore.Unreachable || e.RetryAfter == 0 {
		t.Errorf("%#v, want how long to wait", e)
	}
}

// TestBlobsAreFewAtATime holds all that are sent until no more come.
func TestBlobsAreFewAtATime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := &holding{release: make(chan struct{})}
		done := make(chan error)
		go func() { done <- github.SendBlobs(t.Context(), h, 12) }()
		synctest.Wait()
		if n := h.held.Load(); n != 4 {
			t.Errorf("%d are sent at the same time, want 4", n)
		}
		close(h.release)
		if err := <-done; err == nil {
			t.Error("an answer without a blob's id is taken for one")
		}
	})
}

// holding keeps requests until they are released, and has nothing to say to them.
type holding struct {
	held    atomic.Int64
	release chan struct{}
}

func (h *holding) RoundTrip(r *http.Request) (*http.Response, error) {
	h.held.Add(1)
	<-h.release
	return &http.Response{StatusCode: http.StatusCreated, Body: io.NopCloser(strings.NewReader("{}")), Request: r, Header: http.Header{}}, nil
}
