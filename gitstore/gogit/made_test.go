package gogit_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/towpath/towpath/gitstore"
	"github.com/towpath/towpath/gitstore/gittest"
	"github.com/towpath/towpath/gitstore/gogit"
)

// A workshop is a forge that makes commits: it writes them into the repository with git, in
// its own name, and moves no ref.
type workshop struct {
	repo *gittest.Repo
	// spoil changes what the n-th commit is made of.
	spoil func(n int, d *draft)
	err   error // instead of any commit
	asked []gitstore.Commit
	signs bool
}

// A draft is a commit before it is made.
type draft struct {
	parents []string
	entries map[string]string // "mode,id" by path
	answer  string            // instead of the commit's id
}

func (w *workshop) Commit(_ context.Context, parent gitstore.Rev, c gitstore.Commit) (gitstore.Rev, error) {
	if w.err != nil {
		return "", w.err
	}
	w.asked = append(w.asked, c)
	d := &draft{parents: []string{string(parent)}, entries: map[string]string{}}
	for _, line := range strings.Split(w.repo.Git("ls-tree", "-r", string(parent)), "\n") {
		meta, path, _ := strings.Cut(line, "\t")
		f := strings.Fields(meta)
		d.entries[path] = f[0] + "," + f[2]
	}
	for _, e := range c.Edits {
		mode := "100644"
		if old, ok := d.entries[e.Path]; ok {
			mode, _, _ = strings.Cut(old, ",")
		}
		d.entries[e.Path] = mode + "," + w.repo.Blob(string(e.Content))
	}
	if w.spoil != nil {
		w.spoil(len(w.asked), d)
	}
	if d.answer != "" {
		return gitstore.Rev(d.answer), nil
	}
	w.repo.Git("read-tree", "--empty")
	var index strings.Builder
	for path, e := range d.entries {
		mode, id, _ := strings.Cut(e, ",")
		fmt.Fprintf(&index, "%s %s\t%s\n", mode, id, path)
	}
	w.repo.GitInput(index.String(), "update-index", "--add", "--index-info")
	args := []string{"commit-tree", w.repo.Git("write-tree"), "-F", "-"}
	for _, p := range d.parents {
		args = append(args, "-p", p)
	}
	made := w.repo.GitInput(c.Message, args...)
	if w.signs {
		head, message, _ := strings.Cut(w.repo.Git("cat-file", "commit", made), "\n\n")
		made = w.repo.GitInput(head+"\ngpgsig -----BEGIN PGP SIGNATURE-----\n canary\n\n"+message+"\n", "hash-object", "-t", "commit", "-w", "--stdin")
	}
	return gitstore.Rev(made), nil
}

// newWorkshop is a stage whose forge makes the commits.
func newWorkshop(t *testing.T, change ...func(*gogit.Options)) (*stage, *workshop) {
	t.Helper()
	repo := gittest.NewRepo(t, map[string]string{"app/stream.yaml": "status: 0\n", "app/deploy.yaml": "image: 0\n", "readme": "Read me.\n"})
	repo.Put("app/run", gittest.Executable, "#!/bin/sh\n", "second")
	w := &workshop{repo: repo}
	return onStage(t, repo, gittest.Serve(t, repo), append(change, func(o *gogit.Options) { o.Commits = w })...), w
}

// byForge lists main's commits: the forge signs what it makes with a name of its own.
func (s *stage) byForge(want ...string) {
	s.Helper()
	if diff := cmp.Diff(want, s.repo.Log("%cn: %s")); diff != "" {
		s.Errorf("log (-want +got)\n%s", diff)
	}
	s.repo.Fsck()
}

// edit pushes one commit of one file.
func (s *stage) edit(base gitstore.Snapshot, path, content string) (gitstore.Snapshot, error) {
	return s.store.Push(s.Context(), "main", base, gitstore.Commit{
		Message: "ours", Author: bot, When: time.Unix(1.8e9, 0), Edits: []gitstore.Edit{{Path: path, Content: []byte(content)}},
	})
}

func TestMadeByTheForge(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*gogit.Options){"in memory": func(*gogit.Options) {}, "in a cache": inCache(t)} {
		t.Run(name, func(t *testing.T) {
			s, w := newWorkshop(t, change)
			base := s.snapshot()
			s.server.Log()
			tip, err := s.twoCommits(base)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range s.server.Log() {
				if r.Op == gittest.Push && r.In > 400 {
					t.Errorf("objects were sent: %d bytes", r.In)
				}
			}
			if got := string(tip.Rev()); got != s.repo.Tip() {
				t.Errorf("got %s, the tip is %s", got, s.repo.Tip())
			}
			s.wantFiles(tip)
			if got := s.repo.Read("app/stream.yaml"); got != "status: 2\n" {
				t.Errorf("content: got %q", got)
			}
			parent, err := tip.Parent(t.Context())
			if err != nil || parent.About().Subject != "ours 1" {
				t.Errorf("parent: got %v, %v", parent, err)
			}
			s.byForge(gittest.Name+": ours 2", gittest.Name+": ours 1", gittest.Name+": second", gittest.Name+": first")

			if tip, err = s.edit(s.snapshot(), "app/run", "#!/bin/sh\ntrue\n"); err != nil {
				t.Fatal(err)
			}
			if got := s.repo.Git("ls-tree", "main", "app/run"); !strings.HasPrefix(got, gittest.Executable) {
				t.Errorf("mode: %s", got)
			}
			n := len(w.asked)
			if again, err := s.edit(tip, "app/run", "#!/bin/sh\ntrue\n"); err != nil || again != tip {
				t.Errorf("nothing to change: got %v, %v", again, err)
			}
			if len(w.asked) != n {
				t.Error("the forge was asked for a commit that changes nothing")
			}
		})
	}
}

// The forge is asked for what was meant: each file once, in one paragraph of trailers the
// author's, and nothing at all where some of a chain cannot be made.
func TestWhatTheForgeIsAsked(t *testing.T) {
	s, w := newWorkshop(t, func(o *gogit.Options) { o.SignOff = true })
	base := s.snapshot()
	commit := gitstore.Commit{
		Message: "ours", Author: bot, When: time.Unix(1.8e9, 0),
		Edits: []gitstore.Edit{{Path: "b", Content: []byte("1\n")}, {Path: "a", Content: []byte("1\n")}, {Path: "b", Content: []byte("2\n")}},
	}
	bad := commit
	bad.Edits = []gitstore.Edit{{Path: "app", Content: []byte("no\n")}}
	_, err := s.store.Push(t.Context(), "main", base, commit, bad)
	s.wantError(err, gitstore.Unsupported)
	if len(w.asked) > 0 {
		t.Errorf("the forge was asked for %v", w.asked)
	}
	if _, err := s.store.Push(t.Context(), "main", base, commit); err != nil {
		t.Fatal(err)
	}
	commit.Message = "ours\n\nSigned-off-by: towpath <towpath@example.com>\n"
	commit.Edits = []gitstore.Edit{{Path: "a", Content: []byte("1\n")}, {Path: "b", Content: []byte("2\n")}}
	if diff := cmp.Diff([]gitstore.Commit{commit}, w.asked); diff != "" {
		t.Errorf("asked for (-want +got)\n%s", diff)
	}
}

func TestMadeOtherwise(t *testing.T) {
	t.Parallel()
	blob := func(s *stage) string { return "100644," + s.repo.Blob("spoiled\n") }
	for name, spoil := range map[string]func(*stage, int, *draft){
		"another content":     func(s *stage, n int, d *draft) { d.entries["app/stream.yaml"] = blob(s) },
		"an edit is missing":  func(s *stage, n int, d *draft) { d.entries["app/stream.yaml"] = "100644," + s.repo.Blob("status: 0\n") },
		"a file is changed":   func(s *stage, n int, d *draft) { d.entries["readme"] = blob(s) },
		"a file is added":     func(s *stage, n int, d *draft) { d.entries["z"] = blob(s) },
		"a file comes first":  func(s *stage, n int, d *draft) { d.entries["a"] = blob(s) },
		"a file is gone":      func(s *stage, n int, d *draft) { delete(d.entries, "readme") },
		"a directory is gone": func(s *stage, n int, d *draft) { d.entries = map[string]string{"readme": d.entries["readme"]} },
		"a mode is lost": func(s *stage, n int, d *draft) {
			d.entries["app/run"] = strings.Replace(d.entries["app/run"], "755", "644", 1)
		},
		"a link": func(s *stage, n int, d *draft) {
			d.entries["app/stream.yaml"] = strings.Replace(d.entries["app/stream.yaml"], "100644", "120000", 1)
		},
		"a merge": func(s *stage, n int, d *draft) {
			d.parents = append(d.parents, s.repo.Git("commit-tree", "main^{tree}", "-m", "side"))
		},
		"no parent":       func(s *stage, n int, d *draft) { d.parents = nil },
		"an older parent": func(s *stage, n int, d *draft) { d.parents = []string{s.repo.Git("rev-parse", "main~1")} },
		"the first of two alone": func(s *stage, n int, d *draft) {
			if n == 1 {
				d.entries["z"] = blob(s)
			} else {
				delete(d.entries, "z")
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, w := newWorkshop(t)
			w.spoil = func(n int, d *draft) { spoil(s, n, d) }
			base := s.snapshot()
			_, err := s.twoCommits(base)
			e := s.wantError(err, gitstore.Corrupt)
			if !strings.Contains(e.What, "back where it was") || e.Err == nil {
				t.Errorf("got %v", e)
			}
			s.byForge(gittest.Name+": second", gittest.Name+": first")
			if now := s.snapshot(); now.Rev() != base.Rev() {
				t.Errorf("snapshot: got %s, want %s", now.Rev(), base.Rev())
			}
			w.spoil = nil
			if _, err := s.twoCommits(s.snapshot()); err != nil {
				t.Errorf("and then done right: %v", err)
			}
		})
	}
	spoiled := func(t *testing.T) *stage {
		s, w := newWorkshop(t)
		w.spoil = func(n int, d *draft) { d.entries["z"] = blob(s) }
		return s
	}
	t.Run("and the server takes nothing back", func(t *testing.T) {
		s := spoiled(t)
		s.repo.Git("config", "receive.denyNonFastForwards", "true")
		_, err := s.push(s.snapshot(), 1)
		e := s.wantError(err, gitstore.Corrupt)
		if !strings.Contains(e.What, "could not be put back") || !strings.Contains(e.Fix, s.repo.Tip()[:10]) {
			t.Errorf("got %v; fix: %s", e, e.Fix)
		}
	})
	t.Run("and somebody built on it", func(t *testing.T) {
		s := spoiled(t)
		base := s.snapshot()
		s.server.Fail(1, gittest.Push, gittest.After(func() { s.repo.Commit(map[string]string{"readme": "theirs\n"}, "theirs") }))
		_, err := s.push(base, 1)
		e := s.wantError(err, gitstore.Corrupt)
		if !strings.Contains(e.What, "could not be put back") || errors.Is(err, gitstore.ErrMoved) {
			t.Errorf("got %v", e)
		}
		s.wantLog("theirs", "ours 1", "second", "first")
	})
}

// Old modes, which a server may write in today's spelling, are no other content.
func TestMadeInTodaysSpelling(t *testing.T) {
	repo := gittest.NewRepo(t, map[string]string{"readme": "Read me.\n"})
	tree := repo.Tree(gittest.TreeEntry{Mode: "100664", ID: repo.Blob("old\n"), Name: "old"}, gittest.TreeEntry{Mode: gittest.Regular, ID: repo.Blob("Read me.\n"), Name: "readme"})
	repo.CommitTree(tree, "an old tool's")
	w := &workshop{repo: repo, spoil: func(_ int, d *draft) { d.entries["old"] = strings.Replace(d.entries["old"], "100664", "100644", 1) }}
	s := onStage(t, repo, gittest.Serve(t, repo), func(o *gogit.Options) { o.Commits = w })
	if _, err := s.edit(s.snapshot(), "readme", "ours\n"); err != nil {
		t.Error(err)
	}
}

func TestNotMade(t *testing.T) {
	t.Parallel()
	refused := &gitstore.Error{Kind: gitstore.Denied, What: "the token may make no commits", Fix: "give it Contents: write", RetryAfter: time.Minute}
	for name, tt := range map[string]struct {
		err    error
		answer string
		want   gitstore.Kind
	}{
		"refused":         {err: fmt.Errorf("commit: %w", refused), want: gitstore.Denied},
		"failed":          {err: errors.New("the line is cut"), want: gitstore.Unreachable},
		"cancelled":       {err: context.Canceled, want: gitstore.Unreachable},
		"no id":           {answer: "main", want: gitstore.Corrupt},
		"a short id":      {answer: "abc123", want: gitstore.Corrupt},
		"the parent's id": {answer: "parent", want: gitstore.Corrupt},
		"nobody's id":     {answer: strings.Repeat("7", 40), want: gitstore.Unreachable},
	} {
		t.Run(name, func(t *testing.T) {
			s, w := newWorkshop(t)
			w.err = tt.err
			base := s.snapshot()
			w.spoil = func(_ int, d *draft) {
				if d.answer = tt.answer; d.answer == "parent" {
					d.answer = d.parents[0]
				}
			}
			_, err := s.push(base, 1)
			if e := s.wantError(err, tt.want); tt.want == gitstore.Denied && (e.RetryAfter != time.Minute || e.Fix != refused.Fix) {
				t.Errorf("what the forge said is lost: %+v", e)
			}
			s.byForge(gittest.Name+": second", gittest.Name+": first")
			w.err, w.spoil = nil, nil
			if _, err := s.push(s.snapshot(), 1); err != nil {
				t.Errorf("and then made: %v", err)
			}
		})
	}
}

// The branch moves as ever: by compare-and-swap, and what landed although its answer was lost
// is a success.
func TestMadeAndMoved(t *testing.T) {
	t.Run("somebody was first", func(t *testing.T) {
		s, w := newWorkshop(t)
		base := s.snapshot()
		w.spoil = func(int, *draft) { s.repo.Commit(map[string]string{"readme": "theirs\n"}, "theirs") }
		if _, err := s.push(base, 1); !errors.Is(err, gitstore.ErrMoved) {
			t.Errorf("got %v, want ErrMoved", err)
		}
		s.wantLog("theirs", "second", "first")
	})
	t.Run("the answer is lost", func(t *testing.T) {
		s, _ := newWorkshop(t)
		base := s.snapshot()
		s.server.Fail(1, gittest.Push, gittest.LoseAnswer())
		s.mustPush(base, 1)
		s.wantLog("ours 1", "second", "first")
	})
	t.Run("and what was made otherwise is still found out", func(t *testing.T) {
		s, w := newWorkshop(t)
		base := s.snapshot()
		w.spoil = func(_ int, d *draft) { delete(d.entries, "readme") }
		s.server.Fail(1, gittest.Push, gittest.LoseAnswer())
		_, err := s.push(base, 1)
		s.wantError(err, gitstore.Corrupt)
		s.wantLog("second", "first")
	})
	t.Run("it cannot be read back", func(t *testing.T) {
		s, _ := newWorkshop(t)
		base := s.snapshot()
		s.server.Fail(-1, gittest.Fetch, gittest.Status(http.StatusServiceUnavailable))
		_, err := s.push(base, 1)
		s.wantError(err, gitstore.Unreachable)
		s.server.Heal()
		s.wantLog("ours 1", "second", "first")
		if got := s.snapshot(); got.About().Subject != "ours 1" {
			t.Errorf("got %v", got.About())
		}
	})
}

// Branches of our own are made like that, too, and put back to what they held: to nothing,
// where they were not there.
func TestReplacementIsMade(t *testing.T) {
	s, w := newWorkshop(t)
	base := s.snapshot()
	replace := func(old gitstore.Rev, n int) (gitstore.Snapshot, error) {
		return s.store.Replace(t.Context(), "towpath/x", old, base, gitstore.Commit{
			Message: fmt.Sprintf("ours %d", n), Author: bot, When: time.Unix(1.8e9, 0), Edits: []gitstore.Edit{{Path: "readme", Content: fmt.Appendf(nil, "%d\n", n)}},
		})
	}
	wantBranches := func(want ...string) {
		t.Helper()
		if got := strings.Fields(s.repo.Git("for-each-ref", "--format=%(refname:short)=%(objectname)")); !slices.Equal(got, append([]string{"main=" + string(base.Rev())}, want...)) {
			t.Errorf("branches: got %v, want %v", got, want)
		}
	}
	w.spoil = func(_ int, d *draft) { delete(d.entries, "readme") }
	_, err := replace("", 1)
	s.wantError(err, gitstore.Corrupt)
	wantBranches()
	w.spoil = nil
	tip, err := replace("", 1)
	if err != nil {
		t.Fatal(err)
	}
	wantBranches("towpath/x=" + string(tip.Rev()))
	w.spoil = func(_ int, d *draft) { delete(d.entries, "readme") }
	_, err = replace(tip.Rev(), 2)
	s.wantError(err, gitstore.Corrupt)
	wantBranches("towpath/x=" + string(tip.Rev()))
	w.spoil = nil
	next, err := replace(tip.Rev(), 2)
	if err != nil {
		t.Fatal(err)
	}
	wantBranches("towpath/x=" + string(next.Rev()))
	if got := s.repo.Git("log", "-1", "--format=%cn %s", "towpath/x"); got != gittest.Name+" ours 2" {
		t.Errorf("got %q", got)
	}
	s.repo.Fsck()
}

// TestMadeUnsigned has a forge make commits and not sign them, as GitHub does for whom is no App: they stay, and that
// is told once.
func TestMadeUnsigned(t *testing.T) {
	for signs, want := range map[bool]int{false: 1, true: 0} {
		var told strings.Builder
		s, w := newWorkshop(t, func(o *gogit.Options) { o.Logger = slog.New(slog.NewTextHandler(&told, nil)) })
		w.signs = signs
		base := s.snapshot()
		for _, content := range []string{"status: 1\n", "status: 2\n"} {
			next, err := s.edit(base, "app/stream.yaml", content)
			if err != nil {
				t.Fatal(err)
			}
			base = next
		}
		if n := strings.Count(told.String(), "does not sign them"); n != want {
			t.Errorf("signs: %v; it is told %d times, want %d:\n%s", signs, n, want, &told)
		}
	}
}
