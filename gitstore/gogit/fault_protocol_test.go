package gogit_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/towpath/towpath/gitstore"
	"github.com/towpath/towpath/gitstore/gittest"
	"github.com/towpath/towpath/gitstore/gogit"
)

// old makes git speak the protocol before version 2, and takes abilities out of
// what it says of itself.
func old(without ...string) gittest.Fault {
	return func(w http.ResponseWriter, r *http.Request, git http.Handler) {
		r.Header.Del("Git-Protocol")
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		if slices.Contains(without, "shallow") && bytes.Contains(body, []byte("deepen ")) {
			http.Error(w, "what is deepen?", http.StatusInternalServerError)
			return
		}
		gittest.Spoil(func(body []byte) []byte {
			for _, ability := range without { // of the same length, for the packet's sake
				body = bytes.Replace(body, []byte(ability), bytes.Repeat([]byte("x"), len(ability)), 1)
			}
			return body
		})(w, r, git)
	}
}

// fault: G-20
func TestOldServer(t *testing.T) {
	for _, c := range []struct{ name, without string }{
		{"version 0", ""},
		{"no sideband", "side-band-64k side-band"},
		{"no shallow", "shallow deepen-since deepen-not deepen-relative"},
		{"no sideband, no shallow", "side-band-64k shallow"},
		{"no report", "report-status-v2 report-status"},
		{"nothing", "side-band-64k side-band shallow ofs-delta no-progress report-status-v2 report-status quiet"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newStage(t)
			for n := range 3 {
				s.repo.Commit(map[string]string{"readme": fmt.Sprint(n)}, fmt.Sprint("theirs ", n))
			}
			s.server.Fail(-1, gittest.Any, old(strings.Fields(c.without)...))
			snap := s.mustPush(s.snapshot(), 1)
			s.wantFiles(snap)
			s.repo.Commit(map[string]string{"readme": "new"}, "theirs")
			snap = s.mustPush(s.snapshot(), 2)
			s.wantFiles(snap)
			n := 0
			for at := snap; at != nil; n++ {
				parent, err := at.Parent(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if at = parent; at != nil {
					continue
				}
			}
			if n != 7 {
				t.Errorf("commits seen through Parent: got %d, want 7", n)
			}
			s.wantLog("ours 2", "theirs", "ours 1", "theirs 2", "theirs 1", "theirs 0", "first")
		})
	}
}

// fault: G-20
func TestNoGitAtAll(t *testing.T) {
	for name, fault := range map[string]gittest.Fault{
		"a dumb server": func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
			w.Header().Set("Content-Type", "text/plain; charset=utf-8")
			fmt.Fprintf(w, "%040d\trefs/heads/main\n", 1)
		},
		"a login page": func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
			w.Header().Set("Content-Type", "text/html")
			io.WriteString(w, "<html>Who are you?")
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			s.server.Fail(-1, gittest.Any, fault)
			_, err := s.store.Snapshot(t.Context(), "main")
			s.wantError(err, gitstore.NotFound)
		})
	}
}

// fault: G-22
func TestUnrelatedHistory(t *testing.T) {
	var log bytes.Buffer
	s := newStage(t, inCache(t), logged(&log))
	before := s.snapshot()
	other := s.repo.Git("commit-tree", "-m", "another root", s.repo.Tree(gittest.TreeEntry{Mode: gittest.Regular, ID: s.repo.Blob("new\n"), Name: "only"}))
	s.repo.Move(other)
	after := s.snapshot()
	s.wantFiles(after)
	changes, err := after.Changes(t.Context(), before)
	if err != nil || len(changes) != 4 {
		t.Errorf("changes: got %d, %v, want 4", len(changes), err)
	}
	if parent, err := after.Parent(t.Context()); parent != nil || err != nil {
		t.Errorf("parent of a root: got %v, %v", parent, err)
	}
	if !strings.Contains(log.String(), "rewritten") {
		t.Errorf("the log does not tell: %s", log.String())
	}
}

// A poll is one small request, however many refs there are.
//
// fault: G-23
func TestManyRefs(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	manyRefs(s, 5000)
	first := s.snapshot()
	s.server.Log()
	if second := s.snapshot(); second != first {
		t.Error("another snapshot although nothing moved")
	}
	log := s.server.Log()
	if len(log) != 1 || log[0].Op != gittest.LsRefs {
		t.Fatalf("a poll asked %v", log)
	}
	if n := log[0].In + log[0].Out; n > 1024 {
		t.Errorf("a poll took %d bytes", n)
	}
	s.mustPush(first, 1)
	if log := s.server.Log(); len(log) != 2 {
		t.Errorf("a push asked %v", log)
	}
}

// manyRefs are packed from the start: as many files, only to be packed, would take long.
func manyRefs(s *stage, n int) {
	s.Helper()
	s.repo.Git("pack-refs", "--all")
	path, tip := filepath.Join(s.repo.Dir, "packed-refs"), s.repo.Tip()
	lines := make([]string, n)
	for i := range lines {
		lines[i] = fmt.Sprintf("%s refs/pull/%d/head\n", tip, i)
	}
	slices.Sort(lines) // as their names: the commit is the same
	if err := os.WriteFile(path, append([]byte(contentOf(s.T, path)), strings.Join(lines, "")...), 0o600); err != nil {
		s.Fatal(err)
	}
	if got := strings.Count(s.repo.Git("for-each-ref", "--format=x", "refs/pull/"), "x"); got != n {
		s.Fatalf("git sees %d refs, want %d", got, n)
	}
}

// fault: G-23
func TestMillionRefs(t *testing.T) {
	million := func(line string) func([]byte) []byte {
		return func(body []byte) []byte {
			end := bytes.LastIndex(body, []byte("0000"))
			packet := fmt.Appendf(nil, "%04x%s", len(line)+4, line)
			return slices.Concat(body[:end], bytes.Repeat(packet, 1_000_000), []byte("0000"))
		}
	}
	id := strings.Repeat("1", 40)
	t.Run("from a server that ignores the prefix", func(t *testing.T) {
		s := newStage(t)
		s.server.Fail(-1, gittest.LsRefs, gittest.Spoil(million(id+" refs/pull/1/head\n")))
		_, err := s.store.Snapshot(t.Context(), "main")
		s.wantError(err, gitstore.Unsupported)
		s.server.Heal()
		s.snapshot()
	})
	t.Run("from an old server", func(t *testing.T) {
		s := newStage(t)
		s.server.Fail(-1, gittest.LsRefs, old())
		s.server.Fail(-1, gittest.FetchRefs, func(w http.ResponseWriter, r *http.Request, git http.Handler) {
			r.Header.Del("Git-Protocol")
			gittest.Spoil(million(id+" refs/pull/1/head\n"))(w, r, git)
		})
		_, err := s.store.Snapshot(t.Context(), "main")
		s.wantError(err, gitstore.Unsupported)
	})
	t.Run("before a push", func(t *testing.T) {
		s := newStage(t)
		s.server.Fail(1, gittest.PushRefs, gittest.Spoil(million(id+" refs/pull/1/head\n")))
		s.mustPush(s.snapshot(), 1) // what is wanted comes first
	})
}

// fault: G-25
func TestHookTalks(t *testing.T) {
	var log bytes.Buffer
	s := newStage(t, logged(&log))
	s.repo.Hook("pre-receive", `printf '\033[31mred\033[0m \033]0;title\007bell \342\200\256 bidi %s and %s\n' '`+s.server.Password()+`' "$(printf '%s' '`+s.server.User+`:`+s.server.Password()+`' | base64 -w0)" >&2
head -c 10485760 /dev/zero | tr '\0' 'x' >&2
exit 1`)
	_, err := s.push(s.snapshot(), 1)
	e := s.wantError(err, gitstore.Denied)
	text := e.Error() + e.Fix + log.String()
	if !strings.Contains(text, "red bell") || !strings.Contains(text, "[secret]") {
		t.Errorf("the hook's words are lost: %.300q", text)
	}
	if strings.ContainsAny(text, "\x1b\a\u202e") {
		t.Errorf("escape sequences are left: %.300q", text)
	}
	if len(e.Error()) > 2000 {
		t.Errorf("the error is %d bytes long", len(e.Error()))
	}
	// Where the words are cut, the secret is not cut out of sight.
	begin := s.server.Password()[:10]
	for n := range 24 {
		s.repo.Hook("pre-receive", fmt.Sprintf(`printf '%%s' '%s%s' >&2; exit 1`, strings.Repeat("x", 280+n), s.server.Password()))
		_, err := s.push(s.snapshot(), 1)
		if e := s.wantError(err, gitstore.Denied); strings.Contains(e.Error(), begin) {
			t.Fatalf("a part of the password is told: %v", e)
		}
	}
}

// fault: G-25
func TestServerTalks(t *testing.T) {
	say := func(s *stage, media, format string) gittest.Fault {
		return func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
			w.Header().Set("Content-Type", media)
			text := fmt.Sprintf(format, s.server.Password())
			if media == "text/plain" {
				w.WriteHeader(http.StatusBadGateway)
			} else {
				text = fmt.Sprintf("%04x%s", len(text)+4, text)
			}
			io.WriteString(w, text)
		}
	}
	for name, c := range map[string]struct {
		op            gittest.Op
		media, format string
	}{
		"in an answer": {gittest.LsRefs, "text/plain", "no, %s\x1b[31m"},
		"in a list":    {gittest.LsRefs, "application/x-git-upload-pack-result", "ERR no, %s\x1b[31m"},
		"in a fetch":   {gittest.Fetch, "application/x-git-upload-pack-result", "ERR no, %s\x1b[31m"},
		"in a push":    {gittest.Push, "application/x-git-receive-pack-result", "ERR no, %s\x1b[31m"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			base := s.snapshot()
			s.server.Fail(1, c.op, say(s, c.media, c.format))
			var err error
			if c.op == gittest.Push {
				_, err = s.push(base, 1)
			} else {
				s.repo.Commit(map[string]string{"readme": "2"}, "theirs")
				_, err = s.store.Snapshot(t.Context(), "main")
			}
			e := s.wantError(err, gitstore.Unreachable)
			if text := e.Error(); strings.Contains(text, "\x1b") || !strings.Contains(text, "no, [secret]") {
				t.Errorf("got %q", text)
			}
		})
	}
}

// fault: G-28
func TestSHA256(t *testing.T) {
	for name, fault := range map[string]gittest.Fault{"version 2": nil, "version 0": old()} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			remake(t, s.repo, "--object-format=sha256")
			if fault != nil {
				s.server.Fail(-1, gittest.Any, fault)
			}
			_, err := s.store.Snapshot(t.Context(), "main")
			s.wantError(err, gitstore.Unsupported)
		})
	}
}

// remake makes the repository anew, with one commit.
func remake(t *testing.T, r *gittest.Repo, args ...string) {
	t.Helper()
	if err := os.RemoveAll(r.Dir); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "git", append([]string{"init", "-q", "--bare", "-b", "main", r.Dir}, args...)...)
	cmd.Env = r.Env()
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("git init: %v: %s", err, out)
	}
	tree := r.GitInput("", "mktree")
	r.Git("update-ref", "refs/heads/main", r.Git("commit-tree", "-m", "first", tree))
	r.Git("config", "http.receivepack", "true")
}

// What a server offers besides is not asked for.
//
// fault: G-30
func TestOffersAreIgnored(t *testing.T) {
	trap := gittest.NewTrap(t, "reader", "fake")
	s := newStage(t)
	offer := gittest.Spoil(func(body []byte) []byte {
		extra := []byte("")
		for _, line := range []string{"bundle-uri", "promisor-remote=name=x,url=" + trap.URL, "object-info", "packfile-uris=https"} {
			extra = fmt.Appendf(extra, "%04x%s\n", len(line)+5, line)
		}
		return bytes.Replace(body, []byte("000eversion 2\n"), append([]byte("000eversion 2\n"), extra...), 1)
	})
	s.server.Fail(1, gittest.LsRefs, gittest.Status(500)) // so that it is greeted
	s.server.Fail(-1, gittest.FetchRefs, offer)
	if err := os.WriteFile(s.repo.Dir+"/objects/info/http-alternates", []byte(trap.URL+"/objects\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.wantFiles(s.mustPush(s.snapshot(), 1))
	for _, r := range s.server.Log() {
		if r.Op == gittest.Other {
			t.Errorf("asked for %s", r.Path)
		}
	}
}

// History comes in strides, and only when it is asked for.
func TestParentDeepens(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*testing.T) func(*gogit.Options){"memory": func(*testing.T) func(*gogit.Options) { return func(*gogit.Options) {} }, "cache": inCache} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, change(t))
			for n := range 40 {
				s.repo.Commit(map[string]string{"readme": fmt.Sprint(n)}, fmt.Sprint(n))
			}
			var at gitstore.Snapshot = s.snapshot()
			s.server.Log()
			var revs []string
			for at != nil {
				revs = append(revs, string(at.Rev()))
				parent, err := at.Parent(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				at = parent
			}
			if want := s.repo.Log("%H"); !slices.Equal(revs, want) {
				t.Errorf("got %d commits, want %d", len(revs), len(want))
			}
			if log := s.server.Log(); gittest.Count(log, gittest.Fetch) != 2 {
				t.Errorf("fetches: got %v, want one of 16 and one of 128", log)
			}
		})
	}
}

// History is fetched without the files that are here already, and with them from a
// server that cannot be told so.
//
// fault: G-20
func TestParentSparesFiles(t *testing.T) {
	tells := func(body []byte) bool { return bytes.Count(body, []byte("have ")) > 1 }
	for name, strict := range map[string]bool{"git": false, "only commits": true} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			large := make([]byte, 1<<16)
			rand.NewChaCha8([32]byte{1}).Read(large)
			s.repo.Put("large", "100644", string(large), "large")
			for n := range 3 {
				s.repo.Commit(map[string]string{"readme": fmt.Sprint(n)}, fmt.Sprint(n))
			}
			snap := s.snapshot()
			received := 0
			s.server.Fail(-1, gittest.Fetch, func(w http.ResponseWriter, r *http.Request, git http.Handler) {
				body, _ := io.ReadAll(r.Body)
				r.Body = io.NopCloser(bytes.NewReader(body))
				if strict && tells(body) {
					http.Error(w, "a have is no commit", http.StatusInternalServerError)
					return
				}
				gittest.Spoil(func(body []byte) []byte { received += len(body); return body })(w, r, git)
			})
			parent, err := snap.Parent(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			s.wantFiles(snap)
			if got, err := parent.Read(t.Context(), gitstore.IDOf([]byte("1"))); string(got) != "1" {
				t.Errorf("the parent's readme: got %q, %v", got, err)
			}
			if spared := received < len(large); spared == strict {
				t.Errorf("%d bytes were received, and %d are here already", received, len(large))
			}
		})
	}
}

// A push whose caller has no time left is still answered truly.
func TestPushOutOfTime(t *testing.T) {
	s := newStage(t)
	base := s.snapshot()
	never := make(chan struct{})
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	s.server.Fail(1, gittest.Push, func(w http.ResponseWriter, r *http.Request, git http.Handler) {
		gittest.HangAfter(0, never)(w, r, git) // git has moved the branch
	})
	tip, err := s.store.Push(ctx, "main", base, gitstore.Commit{
		Edits: []gitstore.Edit{{Path: "a", Content: []byte("1")}}, Message: "ours", Author: bot, When: time.Unix(1.8e9, 0),
	})
	if err != nil {
		t.Fatalf("a push that landed: %v", err)
	}
	if got := string(tip.Rev()); got != s.repo.Tip() {
		t.Errorf("got %s, want %s", got, s.repo.Tip())
	}
}

// logged writes the store's log where the test can read it.
func logged(w io.Writer) func(*gogit.Options) {
	return func(o *gogit.Options) { o.Logger = slog.New(slog.NewTextHandler(w, nil)) }
}
