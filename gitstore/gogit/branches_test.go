package gogit_test

import (
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/towpath/towpath/gitstore"
	"github.com/towpath/towpath/gitstore/gittest"
	"github.com/towpath/towpath/gitstore/gogit"
)

// one is a commit to one file.
func one(path, content string) gitstore.Commit {
	return gitstore.Commit{
		Edits:   []gitstore.Edit{{Path: path, Content: []byte(content)}},
		Message: "ours: " + content, Author: bot, When: time.Date(2026, 2, 3, 4, 5, 6, 0, time.UTC),
	}
}

func (s *stage) on(branch string) gitstore.Snapshot {
	s.Helper()
	snap, err := s.store.Snapshot(s.Context(), branch)
	if err != nil {
		s.Fatalf("snapshot of %s: %v", branch, err)
	}
	return snap
}

// received is how many bytes of packs came, and in how many answers.
func (s *stage) received() (bytes, packs int) {
	for _, r := range s.server.Log() {
		if r.Op == gittest.Fetch {
			bytes += r.Out
			packs++
		}
	}
	return bytes, packs
}

// long is a repository of 2,000 files in 40 directories and 500 commits, every commit of which
// changes one file, and of 20 branches of two commits, built on commits 10 apart.
func long(t *testing.T) *gittest.Repo {
	r := gittest.NewRepo(t, nil)
	var in strings.Builder
	commit := func(ref, from string, n int, files map[string]string) {
		fmt.Fprintf(&in, "commit %s\nmark :%d\ncommitter %s <%s> %d +0000\ndata <<.\n%s %d\n.\n", ref, n, gittest.Name, gittest.Email, gittest.Start.Unix()+int64(60*n), ref, n)
		if from != "" {
			fmt.Fprintf(&in, "from %s\n", from)
		}
		for path, content := range files {
			fmt.Fprintf(&in, "M 100644 inline %s\ndata %d\n%s\n", path, len(content), content)
		}
	}
	text := func() string { return rand.Text() + strings.Repeat(rand.Text()+"\n", 15) }
	file := func(i int) string { return fmt.Sprintf("apps/dir%02d/file%04d.yaml", i%40, i) }
	files := map[string]string{}
	for i := range 2000 {
		files[file(i)] = text()
	}
	commit("refs/heads/main", "", 1, files)
	for n := 2; n <= 500; n++ {
		commit("refs/heads/main", fmt.Sprintf(":%d", n-1), n, map[string]string{file(n * 7 % 2000): text()})
	}
	for p := range 20 {
		base, n := 495-10*p, 1000+2*p
		commit(proposal(p), fmt.Sprintf(":%d", base), n, map[string]string{file(p): text()})
		commit(proposal(p), fmt.Sprintf(":%d", n), n+1, map[string]string{file(p + 100): text()})
	}
	r.GitInput(in.String(), "fast-import", "--quiet")
	r.Git("repack", "-adq")
	return r
}

func proposal(n int) string { return fmt.Sprintf("refs/heads/towpath/main/p%02d", n) }

// A branch that is built on an old commit is little to fetch, and takes nothing away from
// what is known of main.
func TestBranchesAside(t *testing.T) {
	t.Parallel()
	r := long(t)
	for name, option := range map[string]func(*testing.T) func(*gogit.Options){
		"memory": func(*testing.T) func(*gogit.Options) { return func(*gogit.Options) {} },
		"cache":  inCache,
	} {
		t.Run(name, func(t *testing.T) {
			s := onStage(t, r, gittest.Serve(t, r), option(t))
			main := s.snapshot()
			whole, _ := s.received()
			var branches []gitstore.Snapshot
			for p := range 20 {
				branch := s.on(proposal(p))
				// Each differs in some 10 files from the one before, and has as many directories.
				if bytes, packs := s.received(); packs != 1 || bytes > 24<<10 {
					t.Errorf("branch %d took %d bytes in %d packs; main took %d", p, bytes, packs, whole)
				}
				branches = append(branches, branch)
			}
			for p, branch := range branches {
				at := branch
				for range 2 {
					parent, err := at.Parent(t.Context())
					if err != nil {
						t.Fatal(err)
					}
					at = parent
				}
				if want := r.Git("rev-parse", fmt.Sprintf("main~%d", 5+10*p)); string(at.Rev()) != want {
					t.Errorf("branch %d is built on %s, want %s", p, at.Rev(), want)
				}
				if changes, err := branch.Changes(t.Context(), at); err != nil || len(changes) != 2 {
					t.Errorf("branch %d: %d changes, %v", p, len(changes), err)
				}
				if _, err := branch.Changes(t.Context(), main); err != nil {
					t.Errorf("branch %d against main: %v", p, err)
				}
				if files := len(readAll(t, branch)); files != 2000 {
					t.Errorf("branch %d: %d files", p, files)
				}
			}
			if again := s.snapshot(); again != main {
				t.Error("another snapshot of main")
			}
			if bytes, packs := s.received(); packs > 0 {
				t.Errorf("what was here already took %d bytes", bytes)
			}

			// Main goes on as if there were nothing beside it.
			tip := r.Tip()
			t.Cleanup(func() { r.Move(tip) })
			r.Commit(map[string]string{"apps/dir00/new.yaml": "1"}, "next")
			s.snapshot()
			if bytes, packs := s.received(); packs != 1 || bytes > 8<<10 {
				t.Errorf("the next commit of main took %d bytes in %d packs", bytes, packs)
			}
			// So it does when it merges one of them, with what that was built on long ago.
			merge := r.Git("commit-tree", r.Git("rev-parse", "main^{tree}"), "-m", "merge", "-p", r.Tip(), "-p", r.Git("rev-parse", proposal(15)))
			r.Move(merge)
			s.snapshot()
			if bytes, packs := s.received(); packs != 1 || bytes > 8<<10 {
				t.Errorf("a merge into main took %d bytes in %d packs", bytes, packs)
			}
			// What is made here is here.
			ours, err := s.store.Replace(t.Context(), "towpath/main/own", "", s.snapshot(), one("apps/dir01/own.yaml", "1"))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { r.Point("towpath/main/own", "") })
			s.server.Log()
			if s.on("towpath/main/own") != ours {
				t.Error("another snapshot of what was made here")
			}
			if bytes, packs := s.received(); packs > 0 {
				t.Errorf("what was made here took %d bytes", bytes)
			}
		})
	}
}

// A clone that is made afresh for main does not leave those beside it in the lurch.
func TestBranchesAsideOfAFreshClone(t *testing.T) {
	s, _, again := cached(t)
	again(func(o *gogit.Options) { o.Limits.Packs = 1 })
	first := s.snapshot()
	tip, err := s.store.Replace(t.Context(), "towpath/x", "", first, one("x", "1"))
	if err != nil {
		t.Fatal(err)
	}
	for n := range 6 {
		files := map[string]string{}
		for i := range 120 {
			files[fmt.Sprintf("new/%d", i)] = fmt.Sprint(n, i)
		}
		s.repo.Commit(files, fmt.Sprint(n))
		s.snapshot()
		if got := readFile(t, s.on("towpath/x"), "x"); got != "1" {
			t.Errorf("round %d: got %q", n, got)
		}
	}
	next, err := s.store.Replace(t.Context(), "towpath/x", tip.Rev(), s.snapshot(), one("x", "2"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := next.Changes(t.Context(), s.on("towpath/x")); err != nil {
		t.Error(err)
	}
	s.repo.Fsck()
}

// What protects branches says no, and the error says what to do.
func TestBranchesProtected(t *testing.T) {
	for _, c := range []struct {
		setting string
		do      func(*stage, gitstore.Snapshot, gitstore.Snapshot) error
	}{
		{"receive.denyNonFastForwards", func(s *stage, base, tip gitstore.Snapshot) error {
			_, err := s.store.Replace(s.Context(), "towpath/x", tip.Rev(), base, one("x", "2"))
			return err
		}},
		{"receive.denyDeletes", func(s *stage, _, tip gitstore.Snapshot) error {
			return s.store.Delete(s.Context(), "towpath/x", tip.Rev())
		}},
	} {
		t.Run(c.setting, func(t *testing.T) {
			s := newStage(t)
			base := s.snapshot()
			tip, err := s.store.Replace(t.Context(), "towpath/x", "", base, one("x", "1"))
			if err != nil {
				t.Fatal(err)
			}
			s.repo.Git("config", c.setting, "true")
			err = c.do(s, base, tip)
			if e := s.wantError(err, gitstore.Denied); !strings.Contains(e.Fix, c.setting) || !strings.Contains(e.What, `"towpath/x"`) {
				t.Errorf("%s: %s; fix: %s", e, e.What, e.Fix)
			}
			if got := s.repo.TipOf("towpath/x"); got != string(tip.Rev()) {
				t.Errorf("the branch is at %q", got)
			}
		})
	}
}

// Two stores replace one branch at once: one wins, the other hears that the branch moved.
func TestReplaceRace(t *testing.T) {
	r := gittest.NewRepo(t, map[string]string{"a": "1"})
	srv := gittest.Serve(t, r)
	for name, o := range map[string]gogit.Options{
		"http":  {Repo: srv.Repo(r), Username: srv.User, PasswordFile: srv.PasswordFile()},
		"local": {Repo: r.Dir},
	} {
		t.Run(name, func(t *testing.T) {
			var stores []*gogit.Store
			var bases []gitstore.Snapshot
			for range 3 {
				s := open(t, o)
				base, err := s.Snapshot(t.Context(), "main")
				if err != nil {
					t.Fatal(err)
				}
				stores, bases = append(stores, s), append(bases, base)
			}
			var old gitstore.Rev
			for round := range 6 {
				tips, errs := make([]gitstore.Snapshot, 3), make([]error, 3)
				var wg sync.WaitGroup
				for i, s := range stores {
					wg.Go(func() {
						tips[i], errs[i] = s.Replace(t.Context(), "towpath/x", old, bases[i], one("x", fmt.Sprint(round, i)))
					})
				}
				wg.Wait()
				won := ""
				for i, err := range errs {
					switch {
					case err == nil && won != "":
						t.Errorf("round %d: two have won", round)
					case err == nil:
						won = string(tips[i].Rev())
					case !errors.Is(err, gitstore.ErrMoved):
						t.Errorf("round %d: %v", round, err)
					}
				}
				if got := r.TipOf("towpath/x"); won == "" || got != won {
					t.Fatalf("round %d: %q has won, and the branch is at %q", round, won, got)
				}
				old = gitstore.Rev(won)
			}
			if err := stores[0].Delete(t.Context(), "towpath/x", old); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// A branch that is deleted between the list of refs and the push stays deleted, and one that
// somebody was faster to make or to move is theirs.
//
// fault: F-05
func TestReplaceOvertaken(t *testing.T) {
	for _, c := range []struct {
		name  string
		there bool // the branch, before
		then  func(s *stage)
		want  error
	}{
		{"deleted", true, func(s *stage) { s.repo.Point("towpath/x", "") }, gitstore.ErrMoved},
		{"moved", true, func(s *stage) { s.repo.Point("towpath/x", s.repo.Tip()) }, gitstore.ErrMoved},
		{"made", false, func(s *stage) { s.repo.Point("towpath/x", s.repo.Tip()) }, gitstore.ErrMoved},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, op := range []gittest.Op{gittest.PushRefs, gittest.Push} {
				s := newStage(t)
				base := s.snapshot()
				var old gitstore.Rev
				if c.there {
					tip, err := s.store.Replace(t.Context(), "towpath/x", "", base, one("x", "1"))
					if err != nil {
						t.Fatal(err)
					}
					old = tip.Rev()
				}
				var want map[string]string
				s.server.Fail(1, op, gittest.Before(func() { c.then(s); want = s.repo.Heads() }))
				if _, err := s.store.Replace(t.Context(), "towpath/x", old, base, one("x", "2")); !errors.Is(err, c.want) {
					t.Errorf("%s: got %v, want %v", op, err, c.want)
				}
				if diff := cmp.Diff(want, s.repo.Heads()); diff != "" {
					t.Errorf("%s (-want +got)\n%s", op, diff)
				}
				s.server.Fail(1, op, gittest.Before(func() { s.repo.Point("towpath/x", "") }))
				if err := s.store.Delete(t.Context(), "towpath/x", base.Rev()); err != nil {
					t.Errorf("%s: delete of what is gone: %v", op, err)
				}
			}
		})
	}
}

// A list of branches is one small request, however many other refs there are.
//
// fault: G-23
func TestBranchesAmongMany(t *testing.T) {
	t.Parallel()
	s := newStage(t, func(o *gogit.Options) { o.Limits.Refs = 16 << 10 })
	base := s.snapshot()
	manyRefs(s, 1000) // of which the list is longer
	s.server.Log()
	if _, err := s.store.Branches(t.Context(), "towpath/"); err != nil {
		t.Fatal(err)
	}
	if log := s.server.Log(); len(log) != 1 || log[0].In+log[0].Out > 1024 {
		t.Errorf("it took %v", log)
	}
	if _, err := s.store.Replace(t.Context(), "towpath/x", "", base, one("x", "1")); err != nil {
		t.Error(err)
	}
	if log := s.server.Log(); len(log) != 2 {
		t.Errorf("a new branch took %v", log)
	}
}

// A tag is no branch, and reading it costs nothing of what is kept.
func TestTagIsNoBranch(t *testing.T) {
	for name, option := range map[string]func(*testing.T) func(*gogit.Options){
		"memory": func(*testing.T) func(*gogit.Options) { return func(*gogit.Options) {} },
		"cache":  inCache,
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, option(t))
			main := s.snapshot()
			s.repo.Commit(map[string]string{"a": "1"}, "tagged")
			s.repo.Git("tag", "-a", "-m", "a tag", "v1", "main")
			s.repo.Move(string(main.Rev()))
			for range 2 {
				_, err := s.store.Snapshot(t.Context(), "refs/tags/v1")
				if e := s.wantError(err, gitstore.Unsupported); !strings.Contains(e.Error(), "refs/tags/v1") {
					t.Errorf("got %v", e)
				}
			}
			s.server.Log()
			if s.snapshot() != main {
				t.Error("another snapshot of main")
			}
			s.wantFiles(main)
		})
	}
}

// fault: G-24
func TestBadNamesOfBranches(t *testing.T) {
	s := newStage(t)
	base := s.snapshot()
	local := open(t, gogit.Options{Repo: s.repo.Dir})
	localBase, err := local.Snapshot(t.Context(), "main")
	if err != nil {
		t.Fatal(err)
	}
	before := walk(t, filepath.Dir(s.repo.Dir))
	s.server.Log()
	names := append([]string{"refs/heads/../x", "refs/../config", "refs/heads", "refs/x", "refs/heads/-f", "refs/heads/x.lock", "refs/heads/"}, badBranches...)
	for _, name := range names {
		for _, c := range []struct {
			store gitstore.Store
			base  gitstore.Snapshot
		}{{s.store, base}, {local, localBase}} {
			_, err := c.store.Snapshot(t.Context(), name)
			s.wantRefused(name, err)
			_, err = c.store.Replace(t.Context(), name, "", c.base, one("x", "1"))
			s.wantRefused(name, err)
			s.wantRefused(name, c.store.Delete(t.Context(), name, c.base.Rev()))
		}
	}
	for _, prefix := range []string{"-f", "..", "a/../", "/", "a//", ".x", "a/.", "a b", "a*", "a\nb", "refs/heads/x.lock/", strings.Repeat("a", 4096)} {
		_, err := s.store.Branches(t.Context(), prefix)
		s.wantRefused(prefix, err)
		_, err = local.Branches(t.Context(), prefix)
		s.wantRefused(prefix, err)
	}
	for _, old := range []gitstore.Rev{"main", "0", gitstore.Rev(strings.Repeat("0", 40)), "0000 x\n"} {
		_, err := s.store.Replace(t.Context(), "towpath/x", old, base, one("x", "1"))
		s.wantError(err, gitstore.Corrupt)
		s.wantError(s.store.Delete(t.Context(), "towpath/x", old), gitstore.Corrupt)
	}
	if log := s.server.Log(); len(log) > 0 {
		t.Errorf("the server was asked about bad names: %+v", log)
	}
	if diff := cmp.Diff(before, walk(t, filepath.Dir(s.repo.Dir))); diff != "" {
		t.Errorf("files (-before +after)\n%s", diff)
	}
}

// HEAD is the work tree's own.
func TestHead(t *testing.T) {
	r := gittest.NewRepo(t, map[string]string{"a": "main"})
	dir := filepath.Join(t.TempDir(), "tree")
	git := func(args ...string) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "git", args...)
		cmd.Env = r.Env()
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v: %s", args, err, out)
		}
	}
	git("clone", "-q", r.Dir, dir)
	git("-C", dir, "worktree", "add", "-q", dir+"-2", "-b", "side")
	write(t, filepath.Join(dir+"-2", "a"), "side")
	git("-C", dir+"-2", "commit", "-qam", "side")
	git("-C", dir, "worktree", "add", "-q", "--detach", dir+"-3", "side")
	for path, want := range map[string]string{dir: "main", dir + "-2": "side", dir + "-3": "side", r.Dir: "main"} {
		snap, err := open(t, gogit.Options{Repo: path}).Snapshot(t.Context(), "HEAD")
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		if got := readFile(t, snap, "a"); got != want {
			t.Errorf("%s: got %q, want %q", path, got, want)
		}
	}
}

// Wherever a ref is kept, it is deleted as git would, and nothing else is.
func TestDeleteOnDisk(t *testing.T) {
	for name, prepare := range map[string]func(r *gittest.Repo){
		"loose":  func(r *gittest.Repo) {},
		"packed": func(r *gittest.Repo) { r.Git("pack-refs", "--all") },
		"packed and loose": func(r *gittest.Repo) {
			r.Point("t/a/b", r.Git("rev-parse", "older"))
			r.Git("pack-refs", "--all")
			r.Point("t/a/b", r.Tip())
		},
		"with a log": func(r *gittest.Repo) {
			r.Git("config", "core.logAllRefUpdates", "always")
			r.Point("t/a/b", r.Git("rev-parse", "older"))
			r.Point("t/a/b", r.Tip())
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := gittest.NewRepo(t, map[string]string{"a": "1"})
			r.Point("older", r.Tip())
			tip := r.Commit(map[string]string{"a": "2"}, "second")
			r.Git("tag", "-a", "-m", "a tag", "v1", "main")
			r.Point("t/a/b", tip)
			r.Point("t/other", tip)
			prepare(r)
			want := r.Git("for-each-ref", "--format=%(refname) %(objectname) %(*objectname)")
			want = strings.Replace(want, "refs/heads/t/a/b "+tip+" \n", "", 1)
			packed, _ := os.ReadFile(filepath.Join(r.Dir, "packed-refs")) // none is empty
			lines := strings.SplitAfter(string(packed), "\n")
			lines = slices.DeleteFunc(lines, func(line string) bool { return strings.HasSuffix(line, " refs/heads/t/a/b\n") })
			s := open(t, gogit.Options{Repo: r.Dir})
			if err := s.Delete(t.Context(), "t/a/b", gitstore.Rev(tip)); err != nil {
				t.Fatal(err)
			}
			packed, _ = os.ReadFile(filepath.Join(r.Dir, "packed-refs"))
			if diff := cmp.Diff(strings.Join(lines, ""), string(packed)); diff != "" {
				t.Errorf("packed-refs (-want +got)\n%s", diff)
			}
			for _, dir := range []string{"refs/heads/t/a", "logs/refs/heads/t/a"} {
				if _, err := os.Stat(filepath.Join(r.Dir, dir)); err == nil {
					t.Errorf("left behind: %s", dir)
				}
			}
			if diff := cmp.Diff(want, r.Git("for-each-ref", "--format=%(refname) %(objectname) %(*objectname)")); diff != "" {
				t.Errorf("refs (-want +got)\n%s", diff)
			}
			for _, path := range walk(t, r.Dir) {
				if strings.HasSuffix(path, ".lock") || strings.HasSuffix(path, ".new") || strings.Contains(path, "t/a") {
					t.Errorf("left behind: %s", path)
				}
			}
			r.Git("update-ref", "--create-reflog", "refs/heads/t/a", tip) // nothing is in git's way
			r.Git("pack-refs", "--all")
			r.Fsck()
		})
	}
}

// A lock of packed-refs is waited for: whoever holds it may be packing that very branch.
//
// fault: G-14
func TestDeleteWaitsForPacking(t *testing.T) {
	r := gittest.NewRepo(t, map[string]string{"a": "1"})
	r.Point("t/x", r.Tip())
	s := open(t, gogit.Options{Repo: r.Dir})
	lock := write(t, filepath.Join(r.Dir, "packed-refs.lock"), "")
	err := s.Delete(t.Context(), "t/x", gitstore.Rev(r.Tip()))
	if e := wantKind(t, err, gitstore.Locked); e != nil && !strings.Contains(e.Fix, lock) {
		t.Errorf("fix: %q does not name %s", e.Fix, lock)
	}
	if r.TipOf("t/x") == "" {
		t.Error("the branch is gone")
	}
	if err := os.Remove(lock); err != nil {
		t.Fatalf("the lock is gone: %v", err)
	}
	if err := s.Delete(t.Context(), "t/x", gitstore.Rev(r.Tip())); err != nil {
		t.Error(err)
	}
}

// Branches come and go beside a git that packs refs and makes branches all the time.
func TestBranchesBesideNativeGit(t *testing.T) {
	r := gittest.NewRepo(t, map[string]string{"a": "1"})
	for i := range 50 {
		r.Point(fmt.Sprintf("keep/%d", i), r.Tip())
	}
	want := r.Heads()
	s := open(t, gogit.Options{Repo: r.Dir})
	base, err := s.Snapshot(t.Context(), "main")
	if err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	var wg sync.WaitGroup
	defer func() { close(stop); wg.Wait() }()
	again := func(do func(n int) error) {
		wg.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				if err := do(n); err != nil && !strings.Contains(err.Error(), "lock") {
					t.Error(err)
				}
			}
		})
	}
	again(func(int) error { _, err := r.Try("", "pack-refs", "--all"); return err })
	again(func(n int) error {
		_, err := r.Try(fmt.Sprintf("create refs/heads/t/a/theirs%d %s\n", n, base.Rev()), "update-ref", "--stdin")
		return err
	})
	insist := func(do func() error) {
		t.Helper()
		for {
			err := do()
			var e *gitstore.Error
			if err == nil {
				return
			}
			if !errors.As(err, &e) || e.Kind != gitstore.Locked {
				t.Fatal(err)
			}
		}
	}
	for n := range 15 {
		var tip gitstore.Snapshot
		insist(func() (err error) {
			tip, err = s.Replace(t.Context(), "t/a/ours", "", base, one("x", fmt.Sprint(n)))
			return err
		})
		insist(func() (err error) {
			tip, err = s.Replace(t.Context(), "t/a/ours", tip.Rev(), base, one("x", fmt.Sprint("again", n)))
			return err
		})
		insist(func() error { return s.Delete(t.Context(), "t/a/ours", tip.Rev()) })
		if got := r.TipOf("t/a/ours"); got != "" {
			t.Fatalf("round %d: the branch is there again: %s", n, got)
		}
	}
	got := r.Heads()
	maps.DeleteFunc(got, func(name, _ string) bool { return strings.HasPrefix(name, "t/a/theirs") })
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("branches (-want +got)\n%s", diff)
	}
}

// A symbolic ref is a name of another's branch, which is not ours to replace.
func TestSymbolicBranch(t *testing.T) {
	r := gittest.NewRepo(t, map[string]string{"a": "1"})
	r.Git("symbolic-ref", "refs/heads/t/x", "refs/heads/main")
	s := open(t, gogit.Options{Repo: r.Dir})
	base, err := s.Snapshot(t.Context(), "t/x")
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Replace(t.Context(), "t/x", base.Rev(), base, one("x", "1"))
	wantKind(t, err, gitstore.Unsupported)
	wantKind(t, s.Delete(t.Context(), "t/x", base.Rev()), gitstore.Unsupported)
	if r.Tip() != string(base.Rev()) {
		t.Error("main was moved")
	}
}
