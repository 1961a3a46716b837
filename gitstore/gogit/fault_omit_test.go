package gogit_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/towpath/towpath/gitstore"
	"github.com/towpath/towpath/gitstore/gittest"
	"github.com/towpath/towpath/gitstore/gogit"
)

// A server is one of Git's for a repository, and how to reach it.
type server func(*testing.T, *gittest.Repo) gogit.Options

func overHTTP(t *testing.T, r *gittest.Repo) gogit.Options {
	s := gittest.Serve(t, r)
	return gogit.Options{Repo: s.Repo(r), Username: s.User, TokenFile: s.PasswordFile(), CacheDir: t.TempDir()}
}

func overSSH(t *testing.T, r *gittest.Repo) gogit.Options {
	return startSSHD(t, "AcceptEnv GIT_PROTOCOL").options(t, r)
}

func overOldSSH(t *testing.T, r *gittest.Repo) gogit.Options { return startSSHD(t).options(t, r) }

// A file that is larger than any object may be is that file's problem, whether the server can
// leave it out or not: all else is read and written, in bounded memory.
//
// fault: C-09
func TestHugeFileOfServer(t *testing.T) {
	plain := func(*gittest.Repo) {}
	banned := func(r *gittest.Repo) {
		filters(r)
		r.Git("config", "uploadpackfilter.blob:limit.allow", "false")
	}
	// A file over a smaller limit is as far over it, and made sooner. What is allocated is less
	// than one such file.
	limits := gogit.Limits{Object: 16 << 20, Blob: 1 << 20}
	for name, c := range map[string]struct {
		config func(*gittest.Repo)
		serve  server
	}{
		"a server with filters":           {filters, overHTTP},
		"a server without":                {plain, overHTTP},
		"a server that forbids them":      {banned, overHTTP},
		"ssh with filters":                {filters, overSSH},
		"the older protocol":              {plain, overOldSSH},
		"the older protocol with filters": {filters, overOldSSH},
	} {
		t.Run(name, func(t *testing.T) {
			r := gittest.NewRepo(t, map[string]string{"web.yaml": "stream\n"})
			c.config(r)
			o := c.serve(t, r)
			o.Limits = limits
			s := open(t, o)
			first := tipOf(t, s)
			huge := strings.Repeat("0", int(limits.Object)+1)
			r.Commit(map[string]string{"huge.bin": huge}, "a huge file")
			id := gitstore.IDOf([]byte(huge))
			check := func(s *gogit.Store) gitstore.Snapshot {
				t.Helper()
				snap := tipOf(t, s)
				if _, err := snap.Changes(t.Context(), nil); err != nil {
					t.Error(err)
				}
				_, err := snap.Read(t.Context(), id)
				wantKind(t, err, gitstore.TooLarge)
				return snap
			}
			allocated, took := spend(func() {
				snap := check(s)
				next, err := write1(t, s, snap, "web.yaml", "ours\n")
				if err != nil {
					t.Fatal(err)
				}
				if got := readFile(t, next, "web.yaml"); got != "ours\n" {
					t.Errorf("the file beside it: %q", got)
				}
			})
			if allocated > 12<<20 || took > 10*time.Second {
				t.Errorf("%d bytes allocated in %v, want at most 12 MiB in 10 s", allocated, took)
			}
			if got := r.Git("rev-parse", "main:huge.bin"); got != string(id) {
				t.Errorf("the huge file became %s", got)
			}
			allocated, took = spend(func() {
				o := c.serve(t, r)
				o.Limits = limits
				check(open(t, o))
			})
			if allocated > 12<<20 || took > 10*time.Second {
				t.Errorf("fetched anew: %d bytes allocated in %v, want at most 12 MiB in 10 s", allocated, took)
			}
			r.Delete("gone", "huge.bin")
			snap := tipOf(t, s)
			if got := readFile(t, snap, "web.yaml"); got != "ours\n" {
				t.Errorf("afterwards: %q", got)
			}
			if changes, err := snap.Changes(t.Context(), first); err != nil || len(changes) != 1 {
				t.Errorf("changes: %v, %v", changes, err)
			}
		})
	}
}

// More than a pack may hold, in a file that nobody can read: a server with filters does not
// send it, and people whose server has none are told of them.
//
// fault: C-09
func TestFileLargerThanAPack(t *testing.T) {
	t.Parallel()
	for name, serve := range map[string]server{"http": overHTTP, "ssh": overSSH, "the older protocol": overOldSSH} {
		t.Run(name, func(t *testing.T) {
			r := gittest.NewRepo(t, map[string]string{"web.yaml": "stream\n", "huge.bin": noise(3 << 20)})
			o := serve(t, r)
			o.Limits = gogit.Limits{Pack: 2 << 20, Blob: 1 << 20}
			s := open(t, o)
			_, err := s.Snapshot(t.Context(), "main")
			if e := wantKind(t, err, gitstore.Unsupported); !strings.Contains(e.Fix, "uploadpack.allowFilter") {
				t.Errorf("the fix does not say what would help: %q", e.Fix)
			}
			filters(r)
			if got := readFile(t, tipOf(t, s), "web.yaml"); got != "stream\n" {
				t.Errorf("with filters: %q", got)
			}
			r.Commit(map[string]string{"huge.bin": noise(4 << 20), "web.yaml": "again\n"}, "larger still")
			if got := readFile(t, tipOf(t, s), "web.yaml"); got != "again\n" {
				t.Errorf("the next commit: %q", got)
			}
		})
	}
}

// A cache knows which files it never had, also after a restart and under the older commits that
// are fetched later. Should it lose that, or should the limit be another one, it is made anew.
//
// fault: C-09
func TestOmittedFilesInCache(t *testing.T) {
	r := gittest.NewRepo(t, map[string]string{"web.yaml": "stream\n", "old.bin": noise(3 << 20)})
	filters(r)
	files := map[string]string{"old.bin": "", "new.bin": noise(2 << 20)}
	for i := range 120 { // enough for a pack
		files[fmt.Sprint("dir/", i)] = noise(100 + i)
	}
	r.Commit(files, "another")
	huge := gitstore.BlobID(r.Git("rev-parse", "main:new.bin"))
	older := gitstore.BlobID(r.Git("rev-parse", "main~:old.bin"))
	srv := gittest.Serve(t, r)
	dir := filepath.Join(t.TempDir(), "cache")
	with := func(limit int64, use func(s *gogit.Store)) (requests int) {
		t.Helper()
		s, err := gogit.Open(t.Context(), gogit.Options{
			Repo: srv.Repo(r), Username: srv.User, TokenFile: srv.PasswordFile(), CacheDir: dir, Limits: gogit.Limits{Blob: limit},
		})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		srv.Log()
		use(s)
		return len(srv.Log())
	}
	want := func(id gitstore.BlobID, kind gitstore.Kind) func(*gogit.Store) {
		return func(s *gogit.Store) {
			t.Helper()
			_, err := tipOf(t, s).Read(t.Context(), id)
			wantKind(t, err, kind)
		}
	}
	with(1<<20, want(huge, gitstore.TooLarge))
	if n := with(1<<20, want(huge, gitstore.TooLarge)); n != 1 {
		t.Errorf("after a restart it asked %d times, want once, for the refs", n)
	}
	with(1<<20, func(s *gogit.Store) {
		parent, err := tipOf(t, s).Parent(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		_, err = parent.Read(t.Context(), older)
		wantKind(t, err, gitstore.TooLarge)
		_, err = parent.Read(t.Context(), gitstore.BlobID(strings.Repeat("1", 40)))
		wantKind(t, err, gitstore.Corrupt)
	})
	healed := func(limit int64, kind gitstore.Kind) {
		t.Helper()
		with(limit, func(s *gogit.Store) {
			want(huge, gitstore.Corrupt)(s)
			want(huge, kind)(s)
		})
	}
	with(1<<20, want(huge, gitstore.TooLarge)) // the nonsense above cost a generation
	healed(4<<20, "")
	with(1<<20, want(huge, gitstore.TooLarge))

	r.Commit(map[string]string{"new.bin": noise(5 << 20)}, "larger still")
	huge = gitstore.BlobID(r.Git("rev-parse", "main:new.bin"))
	with(1<<20, want(huge, gitstore.TooLarge))
	lists, err := filepath.Glob(filepath.Join(dir, "*", "omitted"))
	if err != nil || len(lists) != 1 {
		t.Fatalf("lists: %v, %v", lists, err)
	}
	if err := os.Remove(lists[0]); err != nil {
		t.Fatal(err)
	}
	healed(1<<20, gitstore.TooLarge)
}

// What a tree calls a file and is none is that entry's problem.
//
// fault: C-09
func TestFileThatIsNone(t *testing.T) {
	r := gittest.NewRepo(t, map[string]string{"web.yaml": "stream\n"})
	tree := r.Tree(gittest.TreeEntry{Mode: gittest.Regular, ID: r.Blob("deep\n"), Name: "x"})
	r.CommitTree(r.Tree(
		gittest.TreeEntry{Mode: gittest.Regular, ID: tree, Name: "none.yaml"},
		gittest.TreeEntry{Mode: gittest.Regular, ID: r.Git("rev-parse", "main:web.yaml"), Name: "web.yaml"},
	), "no file")
	eachStore(t, r, func(t *testing.T, s *gogit.Store) {
		snap := tipOf(t, s)
		_, err := snap.Read(t.Context(), gitstore.BlobID(tree))
		if e := wantKind(t, err, gitstore.Malformed); !e.OfOneFile() {
			t.Error("it is more than a file's problem")
		}
		next, err := write1(t, s, snap, "web.yaml", "by "+t.Name()+"\n")
		if err != nil {
			t.Fatal(err)
		}
		if got := readFile(t, next, "web.yaml"); got != "by "+t.Name()+"\n" {
			t.Errorf("the file beside it: %q", got)
		}
		if got := r.Git("ls-tree", "main", "none.yaml"); !strings.Contains(got, tree) {
			t.Errorf("the entry became %q", got)
		}
	})
}
