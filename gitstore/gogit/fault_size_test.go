package gogit_test

import (
	"bytes"
	"compress/zlib"
	"crypto/sha1"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/towpath/towpath/gitstore"
	"github.com/towpath/towpath/gitstore/gittest"
	"github.com/towpath/towpath/gitstore/gogit"
)

// spend runs do and tells how many bytes it allocated, and how much time of the processors this
// process took: how long it takes in all, the machine says.
func spend(do func()) (allocated uint64, took time.Duration) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := processorTime()
	do()
	took = processorTime() - start
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc, took
}

func processorTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// bigObject makes a loose object whose head tells its size, and whose rest nobody must ask
// for.
func bigObject(t *testing.T, r *gittest.Repo, kind string, size int64) (id string) {
	t.Helper()
	id = strings.Repeat("b", 40)
	var z bytes.Buffer
	w := zlib.NewWriter(&z)
	fmt.Fprintf(w, "%s %d\x00", kind, size)
	w.Write(make([]byte, 1<<20))
	w.Close()
	writeIn(t, filepath.Join(r.Dir, "objects", id[:2]), id[2:], z.String())
	return id
}

// deltaBomb makes a pack of two blobs: 8 MiB of zeros, and a delta that repeats them until
// there are size bytes. All of it takes a few kilobytes.
func deltaBomb(t *testing.T, r *gittest.Repo, size int) (id string) {
	t.Helper()
	const base = 8 << 20
	zeros := make([]byte, base)
	delta := binary.AppendUvarint(binary.AppendUvarint(nil, base), uint64(size))
	for range size / base {
		delta = append(delta, 0x80|0x40, 0x80) // copy 0x800000 bytes from offset 0
	}
	var pack bytes.Buffer
	pack.WriteString("PACK")
	binary.Write(&pack, binary.BigEndian, [...]uint32{2, 2})
	object := func(kind byte, size int, content []byte, reference string) {
		head := []byte{kind<<4 | byte(size&0x0f)}
		for size >>= 4; size > 0; size >>= 7 {
			head[len(head)-1] |= 0x80
			head = append(head, byte(size&0x7f))
		}
		pack.Write(head)
		pack.WriteString(reference)
		z := zlib.NewWriter(&pack)
		z.Write(content)
		z.Close()
	}
	object(3, base, zeros, "")
	sum := sha1.New()
	fmt.Fprintf(sum, "blob %d\x00", base)
	sum.Write(zeros)
	object(7, len(delta), delta, string(sum.Sum(nil)))
	end := sha1.Sum(pack.Bytes())
	pack.Write(end[:])

	target := sha1.New()
	fmt.Fprintf(target, "blob %d\x00", size)
	for range size / base {
		target.Write(zeros)
	}
	path := filepath.Join(r.Dir, "objects", "pack", fmt.Sprintf("pack-%x.pack", end))
	writeIn(t, filepath.Dir(path), filepath.Base(path), pack.String())
	if out := r.Git("index-pack", path); out == "" {
		t.Fatal("git indexed nothing")
	}
	return hex.EncodeToString(target.Sum(nil))
}

// A file is as large as it says before a byte of it is read; it is that file's problem.
//
// fault: C-09
func TestHugeFiles(t *testing.T) {
	const pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 1073741824\n"
	for name, file := range map[string]func(*testing.T, *gittest.Repo) string{
		"one GiB":      func(t *testing.T, r *gittest.Repo) string { return bigObject(t, r, "blob", 1<<30) },
		"an EiB":       func(t *testing.T, r *gittest.Repo) string { return bigObject(t, r, "blob", 1<<60) },
		"over a limit": func(t *testing.T, r *gittest.Repo) string { return r.Blob(strings.Repeat("x", 8<<20+1)) },
		"a delta":      func(t *testing.T, r *gittest.Repo) string { return deltaBomb(t, r, 128<<20) },
	} {
		t.Run(name, func(t *testing.T) {
			r := gittest.NewRepo(t, map[string]string{"web.yaml": "stream\n", "lfs.yaml": pointer})
			huge := file(t, r)
			r.CommitTree(r.Tree(
				gittest.TreeEntry{Mode: gittest.Regular, ID: huge, Name: "huge.yaml"},
				gittest.TreeEntry{Mode: gittest.Regular, ID: r.Git("rev-parse", "main:lfs.yaml"), Name: "lfs.yaml"},
				gittest.TreeEntry{Mode: gittest.Regular, ID: r.Git("rev-parse", "main:web.yaml"), Name: "web.yaml"},
			), "a huge file")
			s := open(t, gogit.Options{Repo: r.Dir})
			allocated, took := spend(func() {
				snap := tipOf(t, s)
				_, err := snap.Read(t.Context(), gitstore.BlobID(huge))
				wantKind(t, err, gitstore.TooLarge)
				if got := readFile(t, snap, "web.yaml"); got != "stream\n" {
					t.Errorf("the file beside it: %q", got)
				}
				if got := readFile(t, snap, "lfs.yaml"); got != pointer {
					t.Errorf("a pointer is its own text and fetches nothing: %q", got)
				}
				if _, err := write1(t, s, snap, "web.yaml", "ours\n"); err != nil {
					t.Errorf("an edit beside it: %v", err)
				}
			})
			if allocated > 32<<20 || took > 2*time.Second {
				t.Errorf("%d bytes allocated in %v, want at most 32 MiB in 2 s", allocated, took)
			}
			if got := r.Git("rev-parse", "main:huge.yaml"); got != huge {
				t.Errorf("the huge file became %s", got)
			}
		})
	}
}

// Ten directories that are one, ten times in a directory, and so on: a few small trees
// are more files than there is room for. A repository of as many bytes that repeats
// nothing is listed.
//
// fault: C-10
func TestTreeBomb(t *testing.T) {
	for name, c := range map[string]struct{ width, height, long int }{
		"wide":       {10, 12, 1},
		"deep":       {2, 60, 1},
		"long names": {4, 40, 90},
	} {
		t.Run(name, func(t *testing.T) {
			r := gittest.NewRepo(t, map[string]string{"f": "1"})
			id, mode := r.Git("rev-parse", "main:f"), gittest.Regular
			for range c.height {
				var entries []gittest.TreeEntry
				for i := range c.width {
					entries = append(entries, gittest.TreeEntry{Mode: mode, ID: id, Name: fmt.Sprint(strings.Repeat("d", c.long), i)})
				}
				id, mode = r.Tree(entries...), "40000"
			}
			r.CommitTree(id, "a bomb")
			// A sixteenth of the default, for speed.
			s := open(t, gogit.Options{Repo: r.Dir, Limits: gogit.Limits{Files: 16 << 20}})
			allocated, took := spend(func() {
				_, err := tipOf(t, s).Changes(t.Context(), nil)
				wantKind(t, err, gitstore.Unsupported)
			})
			if allocated > 256<<20 || took > 5*time.Second {
				t.Errorf("%d bytes allocated in %v", allocated, took)
			}
		})
	}
}

// A directory is never as large as this one says it is.
//
// fault: C-09
func TestHugeDirectory(t *testing.T) {
	for _, size := range []int64{1 << 30, 1 << 40, 1 << 60} {
		r := gittest.NewRepo(t, map[string]string{"web.yaml": "stream\n"})
		huge := bigObject(t, r, "tree", size)
		r.CommitTree(r.Tree(
			gittest.TreeEntry{Mode: "40000", ID: huge, Name: "huge"},
			gittest.TreeEntry{Mode: gittest.Regular, ID: r.Git("rev-parse", "main:web.yaml"), Name: "web.yaml"},
		), "a huge directory")
		s := open(t, gogit.Options{Repo: r.Dir})
		allocated, took := spend(func() {
			_, err := tipOf(t, s).Changes(t.Context(), nil)
			wantKind(t, err, gitstore.Unsupported)
		})
		if allocated > 32<<20 || took > 2*time.Second {
			t.Errorf("%d bytes allocated in %v, want at most 32 MiB in 2 s", allocated, took)
		}
	}
}

// Very many files, very deep directories and very long names: what is over a limit is
// listed as such, once, and all of it takes bounded time.
//
// fault: C-10
func TestHugeTrees(t *testing.T) {
	var in strings.Builder
	put := func(path, content string) {
		fmt.Fprintf(&in, "M 100644 inline %s\ndata %d\n%s\n", path, len(content), content)
	}
	fmt.Fprintf(&in, "commit refs/heads/main\ncommitter %s <%s> 1767225600 +0000\ndata 5\nfirst\n", gittest.Name, gittest.Email)
	const files = 100_000
	for i := range files {
		put(fmt.Sprintf("many/%02d/f%d.txt", i%100, i), "x")
	}
	deepest := strings.TrimSuffix(strings.Repeat("d/", 5000), "/")
	put(deepest+"/web.yaml", "deep")
	within := strings.Repeat("e/", 63) + "web.yaml"
	put(within, "within")
	put(strings.Repeat("e/", 64)+"web.yaml", "beyond")
	long, longest := strings.Repeat("n", 4000)+".yaml", strings.Repeat("m", 5000)+".yaml"
	put(long, "long")
	put(longest, "longest")
	r := gittest.NewRepo(t, nil)
	r.GitInput(in.String(), "fast-import", "--quiet")

	eachStore(t, r, func(t *testing.T, s *gogit.Store) {
		var snap gitstore.Snapshot
		allocated, took := spend(func() {
			snap = tipOf(t, s)
			odd := listing(t, snap)
			for path, skip := range odd {
				if strings.HasPrefix(path, "many/") && skip == "" {
					delete(odd, path)
				}
			}
			want := map[string]string{
				strings.Repeat("d/", 64) + "d":        "an unusable name",
				within:                                "",
				strings.Repeat("e/", 64) + "web.yaml": "an unusable name",
				long:                                  "",
				fmt.Sprintf("%q", longest[:4096]):     "an unusable name",
			}
			if diff := cmp.Diff(want, odd); diff != "" {
				t.Errorf("files but the many (-want +got)\n%s", diff)
			}
		})
		if allocated > 512<<20 || took > 10*time.Second {
			t.Errorf("%d bytes allocated in %v", allocated, took)
		}
		t.Logf("listed with %d MiB in %v", allocated>>20, took)
		allocated, took = spend(func() {
			next, err := write1(t, s, snap, "many/07/f7.txt", "ours")
			if err != nil {
				t.Fatal(err)
			}
			changes, err := next.Changes(t.Context(), snap)
			if err != nil || len(changes) != 1 {
				t.Errorf("changes: %v, %v", changes, err)
			}
			wantRefusals(t, r, s, next, deepest+"/web.yaml", longest, strings.Repeat("e/", 64)+"web.yaml", strings.Repeat("x/", 5000)+"y")
		})
		if allocated > 32<<20 || took > 5*time.Second {
			t.Errorf("one edit took %d bytes and %v", allocated, took)
		}
		t.Logf("edited with %d MiB in %v", allocated>>20, took)
		r.Move(string(snap.Rev()))
	})
	if _, err := os.Stat(filepath.Join(r.Dir, "index")); err == nil {
		t.Error("an index was made")
	}
}
