package gogit_test

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/towpath/towpath/gitstore"
	"github.com/towpath/towpath/gitstore/gittest"
	"github.com/towpath/towpath/gitstore/gogit"
)

// fault: G-09
func TestTruncatedPack(t *testing.T) {
	const parts = 16
	for _, c := range []struct {
		name  string
		files int // many make a pack that is kept as a pack
		cut   func(num int) gittest.Fault
	}{
		{"the line breaks", 1, func(num int) gittest.Fault { return gittest.Cut(num, parts) }},
		{"as if complete", 1, func(num int) gittest.Fault { return shorten(num, parts) }},
		{"many files", 200, func(num int) gittest.Fault { return shorten(num, parts) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			files := map[string]string{"app/stream.yaml": "status: 0\n", "app/deploy.yaml": "image: 0\n"}
			for i := range c.files {
				files[fmt.Sprintf("%d", i)] = noise(100 + i)
			}
			repo := gittest.NewRepo(t, files)
			dir := filepath.Join(t.TempDir(), "cache")
			cached := func(o *gogit.Options) { o.CacheDir = dir }
			s := onStage(t, repo, gittest.Serve(t, repo), cached)
			for num := range parts {
				s.server.Fail(1, gittest.Fetch, c.cut(num))
				_, err := s.store.Snapshot(t.Context(), "main")
				s.wantError(err, gitstore.Corrupt, gitstore.Unreachable)
			}
			s.wantFiles(s.snapshot())
			// The same on top of what the store has already.
			for num := 0; num < parts; num += 3 {
				s.repo.Commit(map[string]string{"readme": strings.Repeat(fmt.Sprintln(num), 100)}, "theirs")
				s.server.Fail(1, gittest.Fetch, c.cut(num))
				_, err := s.store.Snapshot(t.Context(), "main")
				s.wantError(err, gitstore.Corrupt, gitstore.Unreachable)
				s.snapshot()
			}
			s.wantFiles(s.snapshot())
			s.mustPush(s.snapshot(), 1)
			s.repo.Fsck()
			for _, path := range walk(t, dir) {
				if strings.Contains(filepath.Base(path), "tmp") {
					t.Errorf("left behind: %s", path)
				}
			}
			// What is on disk serves the next process.
			s.close()
			s.open(cached)
			s.wantFiles(s.snapshot())
		})
	}
}

func shorten(num, den int) gittest.Fault {
	return gittest.Spoil(func(body []byte) []byte { return body[:len(body)*num/den] })
}

// fault: G-10
func TestFlippedBit(t *testing.T) {
	t.Parallel()
	const parts = 48
	s := newStage(t)
	for num := range parts {
		s.repo.Commit(map[string]string{"readme": strings.Repeat(fmt.Sprintln(num), 100)}, "theirs")
		s.server.Fail(1, gittest.Fetch, gittest.Flip(num, parts))
		snap, err := s.store.Snapshot(t.Context(), "main")
		if err != nil {
			// The bit may have been anywhere: in a length, in a message, in the pack.
			s.wantError(err, gitstore.Corrupt, gitstore.Unreachable)
			continue
		}
		s.wantFiles(snap)
	}
	s.wantFiles(s.snapshot())
	s.mustPush(s.snapshot(), 1)
	s.repo.Fsck()
}

// Names that Git forbids, that a shell or an option parser would take for
// something else, or that lead out of refs/heads.
var badBranches = []string{
	"", "-f", "--upload-pack=id", "..", "../main", "../../config", "a/../../x", "a..b", ".hidden", "a/.b", "/main", "main/", "a//b",
	"main.lock", "config.lock", "a.lock/b", "a.", "@", "@{0}", "main@{1}", "HEAD~1", "main^", "a:b", "a?b", "a*b", "a[b", `a\b`, "a b",
	"$(touch x)", ";id", "`id`", "a\nb", "a\x00b", "a\x7fb", "a\x1b[2Jb", "\u202emain", strings.Repeat("a", 4096),
}

// fault: G-24
func TestBadBranchNames(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "cache")
	s := newStage(t, func(o *gogit.Options) { o.CacheDir = dir })
	base := s.snapshot()
	local, err := gogit.Open(t.Context(), gogit.Options{Repo: s.repo.Dir})
	if err != nil {
		t.Fatal(err)
	}
	defer local.Close()
	localBase, err := local.Snapshot(t.Context(), "main")
	if err != nil {
		t.Fatal(err)
	}
	before := append(walk(t, filepath.Dir(s.repo.Dir)), walk(t, dir)...)
	s.server.Log()
	for _, name := range badBranches {
		for _, c := range []struct {
			store gitstore.Store
			base  gitstore.Snapshot
		}{{s.store, base}, {local, localBase}} {
			_, err := c.store.Snapshot(t.Context(), name)
			s.wantRefused(name, err)
			_, err = c.store.Push(t.Context(), name, c.base, gitstore.Commit{
				Edits: []gitstore.Edit{{Path: "x", Content: []byte("x")}}, Message: "ours", Author: bot,
			})
			s.wantRefused(name, err)
		}
	}
	if log := s.server.Log(); len(log) > 0 {
		t.Errorf("the server was asked about bad names: %+v", log)
	}
	if diff := cmp.Diff(before, append(walk(t, filepath.Dir(s.repo.Dir)), walk(t, dir)...)); diff != "" {
		t.Errorf("files (-before +after)\n%s", diff)
	}
	s.wantLog("first")
}

// wantRefused wants an error about a name that shows the name harmlessly.
func (s *stage) wantRefused(name string, err error) {
	s.Helper()
	if err == nil || errors.Is(err, gitstore.ErrMoved) {
		s.Errorf("branch %.40q: got %v, want a refusal", name, err)
		return
	}
	if text := err.Error(); strings.ContainsAny(text, "\x00\x1b\x7f\n\u202e") || len(text) > 1024 {
		s.Errorf("branch %.40q: the error repeats it as it is: %.200q", name, text)
	}
}

// A server may list what it wants; only the branch that was asked for is used,
// and no name becomes a file.
//
// fault: G-24
func TestBadNamesFromServer(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "cache")
	s := newStage(t, func(o *gogit.Options) { o.CacheDir = dir })
	evil := strings.Repeat("1", 40)
	names := []string{"-f", "../../../evil", "$(touch evil)", ";id", "evil.lock", "main.lock", "main\x00evil", "main^{}", strings.Repeat("e", 4000), "main/evil"}
	list := func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		w.Header().Set("Content-Type", "application/x-git-upload-pack-result")
		for _, name := range names {
			fmt.Fprint(w, pktLine(evil+" refs/heads/"+name+"\n"))
		}
		fmt.Fprint(w, pktLine(s.repo.Tip()+" refs/heads/main\n"))
		for _, name := range names {
			fmt.Fprint(w, pktLine(evil+" refs/heads/"+name+"\n"))
		}
		fmt.Fprint(w, "0000")
	}
	s.server.Fail(-1, gittest.LsRefs, list)
	s.wantFiles(s.snapshot())
	s.repo.Commit(map[string]string{"readme": "new\n"}, "second")
	s.mustPush(s.snapshot(), 1)
	s.wantLog("ours 1", "second", "first")
	for _, path := range append(walk(t, filepath.Dir(dir)), walk(t, filepath.Dir(s.repo.Dir))...) {
		if strings.Contains(path, "evil") || strings.Contains(path, "-f") && !strings.Contains(path, ".git/objects") && !strings.Contains(path, "pack") {
			t.Errorf("a name became a file: %s", path)
		}
	}
}

// fault: G-24
func TestBadNamesInPackedRefs(t *testing.T) {
	repo := gittest.NewRepo(t, map[string]string{"a": "1"})
	tip := repo.Tip()
	repo.Git("pack-refs", "--all")
	packed := "# pack-refs with: peeled fully-peeled sorted \n"
	for _, name := range []string{"refs/heads/-f", "refs/heads/../../evil", "refs/heads/main.lock", "../evil", "refs/heads/$(touch evil)"} {
		packed += strings.Repeat("1", 40) + " " + name + "\n"
	}
	packed += tip + " refs/heads/main\n"
	if err := os.WriteFile(filepath.Join(repo.Dir, "packed-refs"), []byte(packed), 0o600); err != nil {
		t.Fatal(err)
	}
	store, err := gogit.Open(t.Context(), gogit.Options{Repo: repo.Dir})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	base, err := store.Snapshot(t.Context(), "main")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.Push(t.Context(), "main", base, gitstore.Commit{
		Edits: []gitstore.Edit{{Path: "a", Content: []byte("2")}}, Message: "ours", Author: bot,
	}); err != nil {
		t.Fatal(err)
	}
	for _, path := range walk(t, filepath.Dir(repo.Dir)) {
		if strings.Contains(path, "evil") {
			t.Errorf("a name became a file: %s", path)
		}
	}
}

func pktLine(s string) string { return fmt.Sprintf("%04x%s", len(s)+4, s) }
