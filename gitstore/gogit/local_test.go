package gogit_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/towpath/towpath/gitstore"
	"github.com/towpath/towpath/gitstore/gittest"
	"github.com/towpath/towpath/gitstore/gogit"
)

// localStage is a bare repository that is opened in place.
func localStage(t *testing.T) *stage {
	t.Helper()
	r := gittest.NewRepo(t, map[string]string{"app/stream.yaml": "status: 0\n", "app/deploy.yaml": "image: 0\n", "readme": "Read me.\n"})
	s := &stage{T: t, repo: r, server: gittest.Serve(t), store: open(t, gogit.Options{Repo: r.Dir})}
	return s
}

func TestWordsForLocal(t *testing.T) {
	for _, c := range []struct {
		name string
		make func(t *testing.T, r *gittest.Repo) string // the path to open
		kind gitstore.Kind
		says string
	}{
		{"no such path", func(t *testing.T, r *gittest.Repo) string { return r.Dir + "-not" }, gitstore.NotFound, "git clone --bare"},
		{"no repository", func(t *testing.T, r *gittest.Repo) string { return t.TempDir() }, gitstore.NotFound, "git init --bare"},
		{"a file", func(t *testing.T, r *gittest.Repo) string { return write(t, filepath.Join(t.TempDir(), "f"), "x") }, gitstore.NotFound, "git init --bare"},
		{"empty", func(t *testing.T, r *gittest.Repo) string {
			r.Git("update-ref", "-d", "refs/heads/main")
			return r.Dir
		}, gitstore.NoBranch, "git push"},
		{"another branch", func(t *testing.T, r *gittest.Repo) string {
			r.Git("branch", "-m", "main", "trunk")
			return r.Dir
		}, gitstore.NoBranch, `"trunk"`},
		{"a damaged ref", func(t *testing.T, r *gittest.Repo) string {
			write(t, filepath.Join(r.Dir, "refs/heads/main"), "not an id\n")
			return r.Dir
		}, gitstore.Corrupt, "git update-ref"},
		{"a ref that points outside", func(t *testing.T, r *gittest.Repo) string {
			write(t, filepath.Join(r.Dir, "refs/heads/main"), "ref: refs/../../secret\n")
			return r.Dir
		}, gitstore.Corrupt, "git update-ref"},
		{"a file URL", func(t *testing.T, r *gittest.Repo) string { return "file://" + r.Dir }, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := gittest.NewRepo(t, map[string]string{"a": "1"})
			s, err := gogit.Open(t.Context(), gogit.Options{Repo: c.make(t, r)})
			if err == nil {
				defer s.Close()
				_, err = s.Snapshot(t.Context(), "main")
			}
			if e := wantKind(t, err, c.kind); e != nil && !strings.Contains(e.Fix, c.says) {
				t.Errorf("fix: got %q, want %q in it", e.Fix, c.says)
			}
		})
	}
}

// fault: G-28
// fault: G-30
func TestOddRepositories(t *testing.T) {
	for name, c := range map[string]func(t *testing.T, r *gittest.Repo){
		"SHA-256": func(t *testing.T, r *gittest.Repo) { remake(t, r, "--object-format=sha256") },
		"reftable": func(t *testing.T, r *gittest.Repo) {
			config(t, r, "[core]\n\trepositoryformatversion = 1\n\tbare = true\n[extensions]\n\trefStorage = reftable\n")
		},
		"partial clone": func(t *testing.T, r *gittest.Repo) {
			config(t, r, "[core]\n\trepositoryformatversion = 1\n\tbare = true\n[extensions]\n\tpartialClone = origin\n")
		},
		"an unknown extension": func(t *testing.T, r *gittest.Repo) {
			config(t, r, "[core]\n\trepositoryformatversion = 1\n\tbare = true\n[extensions]\n\tcoldStorage = tape\n")
		},
		"alternates": func(t *testing.T, r *gittest.Repo) {
			write(t, filepath.Join(r.Dir, "objects/info/alternates"), "/elsewhere/objects\n")
		},
		"http-alternates": func(t *testing.T, r *gittest.Repo) {
			write(t, filepath.Join(r.Dir, "objects/info/http-alternates"), "http://127.0.0.1:1/objects\n")
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := gittest.NewRepo(t, map[string]string{"a": "1"})
			c(t, r)
			s, err := gogit.Open(t.Context(), gogit.Options{Repo: r.Dir})
			if err == nil {
				s.Close()
			}
			wantKind(t, err, gitstore.Unsupported)
		})
	}
}

func config(t *testing.T, r *gittest.Repo, text string) {
	t.Helper()
	write(t, filepath.Join(r.Dir, "config"), text)
}

// A repository with a work tree is read as it is committed, and never written.
func TestWorkTree(t *testing.T) {
	r := gittest.NewRepo(t, map[string]string{"a": "committed"})
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
	write(t, filepath.Join(dir, "a"), "edited")
	for _, path := range []string{dir, filepath.Join(dir, ".git"), dir + "-2"} {
		s := open(t, gogit.Options{Repo: path})
		snap, err := s.Snapshot(t.Context(), "main")
		if err != nil {
			t.Fatal(err)
		}
		if got := readFile(t, snap, "a"); got != "committed" {
			t.Errorf("%s: got %q", path, got)
		}
		_, err = s.Push(t.Context(), "main", snap, gitstore.Commit{
			Edits: []gitstore.Edit{{Path: "a", Content: []byte("ours")}}, Message: "ours", Author: bot, When: time.Unix(1.8e9, 0),
		})
		if e := wantKind(t, err, gitstore.Unsupported); e != nil && !strings.Contains(e.Fix, "git clone --bare") {
			t.Errorf("fix: %q", e.Fix)
		}
	}
}

// Objects are found after git has packed them beside us, and old snapshots stay
// readable.
func TestGCBeside(t *testing.T) {
	s := localStage(t)
	first := s.snapshot()
	for n := range 5 {
		s.repo.Commit(map[string]string{"readme": fmt.Sprint(n)}, fmt.Sprint(n))
		s.repo.Git("gc", "-q", "--prune=now")
		s.wantFiles(s.mustPush(s.snapshot(), n))
	}
	if got := readFile(t, first, "readme"); got != "Read me.\n" {
		t.Errorf("the first snapshot reads %q", got)
	}
	s.repo.Fsck()
}

// A branch may be packed, symbolic, or below a directory.
func TestWhereRefsAre(t *testing.T) {
	for name, prepare := range map[string]func(t *testing.T, r *gittest.Repo) (branch string){
		"loose":  func(t *testing.T, r *gittest.Repo) string { return "main" },
		"packed": func(t *testing.T, r *gittest.Repo) string { r.Git("pack-refs", "--all"); return "main" },
		"packed, with a directory in its place": func(t *testing.T, r *gittest.Repo) string {
			r.Git("pack-refs", "--all")
			if err := os.Mkdir(filepath.Join(r.Dir, "refs/heads/main"), 0o700); err != nil {
				t.Fatal(err)
			}
			return "main"
		},
		"nested and packed": func(t *testing.T, r *gittest.Repo) string {
			r.Git("update-ref", "refs/heads/a/b/c", r.Tip())
			r.Git("pack-refs", "--all")
			return "a/b/c"
		},
		"symbolic": func(t *testing.T, r *gittest.Repo) string {
			r.Git("symbolic-ref", "refs/heads/alias", "refs/heads/main")
			return "alias"
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := gittest.NewRepo(t, map[string]string{"a": "1"})
			branch := prepare(t, r)
			s := open(t, gogit.Options{Repo: r.Dir})
			base, err := s.Snapshot(t.Context(), branch)
			if err != nil {
				t.Fatal(err)
			}
			tip, err := s.Push(t.Context(), branch, base, gitstore.Commit{
				Edits: []gitstore.Edit{{Path: "a", Content: []byte("2")}}, Message: "ours", Author: bot, When: time.Unix(1.8e9, 0),
			})
			if err != nil {
				t.Fatal(err)
			}
			if got := r.Git("rev-parse", "refs/heads/"+branch); got != string(tip.Rev()) {
				t.Errorf("git sees %s, want %s", got, tip.Rev())
			}
			r.Fsck()
		})
	}
}

// A lock is waited for, reported, and never broken.
//
// fault: G-14
func TestLocalLock(t *testing.T) {
	s := localStage(t)
	base := s.snapshot()
	lock := write(t, filepath.Join(s.repo.Dir, "refs/heads/main.lock"), "")
	_, err := s.push(base, 1)
	if e := s.wantError(err, gitstore.Locked); !strings.Contains(e.Fix, lock) {
		t.Errorf("fix: %q does not name %s", e.Fix, lock)
	}
	if _, err := os.Stat(lock); err != nil {
		t.Errorf("the lock is gone: %v", err)
	}
	time.AfterFunc(200*time.Millisecond, func() { os.Remove(lock) })
	s.mustPush(base, 2)
	if left, _ := filepath.Glob(filepath.Join(s.repo.Dir, "refs/heads/*.lock")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// The watcher tells of what others do, by whatever way, and not of our own.
func TestChanged(t *testing.T) {
	t.Parallel()
	s := localStage(t)
	select {
	case <-s.store.Changed():
		t.Fatal("told of a change before anybody looked")
	case <-time.After(50 * time.Millisecond):
	}
	snap := s.snapshot()
	for n, change := range []func(){
		func() { s.repo.Commit(map[string]string{"readme": "1"}, "1") },
		func() { s.repo.Git("pack-refs", "--all"); s.repo.Commit(map[string]string{"readme": "2"}, "2") },
		func() { s.repo.Git("update-ref", "-d", "refs/heads/main") },
		func() { s.repo.Commit(map[string]string{"readme": "3"}, "3") },
	} {
		change()
		select {
		case <-s.store.Changed():
		case <-time.After(10 * time.Second):
			t.Fatalf("change %d was not told", n)
		}
		var err error
		if snap, err = s.store.Snapshot(t.Context(), "main"); err != nil {
			wantKind(t, err, gitstore.NoBranch)
		}
		drain(s.store.Changed())
	}
	s.mustPush(snap, 1)
	drain(s.store.Changed())
	s.repo.Git("pack-refs", "--all") // moves nothing
	select {
	case <-s.store.Changed():
		t.Error("told of a change that moved nothing")
	case <-time.After(1500 * time.Millisecond): // longer than a poll
	}
}

func drain(c <-chan struct{}) {
	select {
	case <-c:
	default:
	}
}

func TestInit(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new.git")
	first := gitstore.Commit{Edits: []gitstore.Edit{{Path: "a/b", Content: []byte("1")}}, Message: "first", Author: bot, When: time.Unix(1.8e9, 0)}
	if err := gogit.Init(dir, "trunk/main", first); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"fsck", "--strict"}, {"rev-parse", "HEAD"}} {
		if out, err := exec.Command("git", append([]string{"-C", dir}, args...)...).CombinedOutput(); err != nil {
			t.Errorf("git %v: %v: %s", args, err, out)
		}
	}
	snap, err := open(t, gogit.Options{Repo: dir}).Snapshot(t.Context(), "trunk/main")
	if err != nil {
		t.Fatal(err)
	}
	if parent, err := snap.Parent(t.Context()); parent != nil || err != nil {
		t.Errorf("parent: %v, %v", parent, err)
	}
	if got := readFile(t, snap, "a/b"); got != "1" {
		t.Errorf("got %q", got)
	}
	if err := gogit.Init(dir, "trunk/main", first); err == nil {
		t.Error("made twice")
	}
	var bad *gitstore.Error
	if err := gogit.Init(dir+"2", "-x", first); !errors.As(err, &bad) {
		t.Errorf("a bad branch name: %v", err)
	}
}

// The checkout of a job lacks branches and history; the errors say how to get them.
func TestWordsForCheckouts(t *testing.T) {
	r := gittest.NewRepo(t, map[string]string{"a": "1"})
	r.Commit(map[string]string{"a": "2"}, "second")
	r.Point("refs/pull/7/merge", r.Tip())
	dir := filepath.Join(t.TempDir(), "work")
	git := func(args ...string) {
		r.Git(append([]string{"--git-dir", filepath.Join(dir, ".git"), "--work-tree", dir}, args...)...)
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	git("init", "-q")
	git("fetch", "-q", "--depth", "1", "file://"+r.Dir, "refs/pull/7/merge:refs/remotes/pull/7/merge")
	git("update-ref", "--no-deref", "HEAD", "refs/remotes/pull/7/merge")
	s := open(t, gogit.Options{Repo: dir})
	words := func(branch, want string) {
		t.Helper()
		_, err := s.Snapshot(t.Context(), branch)
		if e := wantKind(t, err, gitstore.NoBranch); e != nil && !strings.Contains(e.Fix, want) {
			t.Errorf("%s: got %q, want %q in it", branch, e.Fix, want)
		}
	}
	words("main", "git fetch origin main:main")
	words("refs/remotes/origin/main", "git fetch origin +refs/heads/main:refs/remotes/origin/main")
	words("refs/pull/8/merge", "git ls-remote")
	head, err := s.Snapshot(t.Context(), "HEAD")
	if err != nil {
		t.Fatal(err)
	}
	_, err = head.Parent(t.Context())
	if e := wantKind(t, err, gitstore.Unsupported); e != nil && (!strings.Contains(e.Fix, "--unshallow") || !strings.Contains(e.Fix, "fetch-depth: 0")) {
		t.Errorf("no history: %q", e.Fix)
	}
	git("update-ref", "refs/remotes/origin/main", "HEAD")
	words("main", "git branch main refs/remotes/origin/main")
}
