package gogit_test

import (
	"bytes"
	"compress/zlib"
	"fmt"
	"io"

	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/towpath/towpath/gitstore"
	"github.com/towpath/towpath/gitstore/gittest"
	"github.com/towpath/towpath/gitstore/gogit"
)

// cached is a stage whose store was closed after it had read everything.
func cached(t *testing.T) (s *stage, dir string, again func(change ...func(*gogit.Options))) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "cache")
	in := func(o *gogit.Options) { o.CacheDir = dir }
	files := map[string]string{}
	for n := range 150 { // enough for a pack
		files[fmt.Sprintf("dir%d/file%d", n%7, n)] = strings.Repeat(fmt.Sprintln("line", n), n)
	}
	r := gittest.NewRepo(t, files)
	filters(r)
	s = onStage(t, r, gittest.Serve(t, r), in)
	s.wantFiles(s.snapshot())
	return s, dir, func(change ...func(*gogit.Options)) {
		t.Helper()
		s.close()
		s.open(append(change, in)...)
	}
}

func TestCacheSurvivesRestart(t *testing.T) {
	s, dir, again := cached(t)
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the directory: %v, %v", info.Mode(), err)
	}
	snap := s.mustPush(s.snapshot(), 1)
	again()
	s.server.Log()
	s.wantFiles(s.snapshot())
	if log := s.server.Log(); len(log) != 1 {
		t.Errorf("after a restart it asked %v, want one list of refs", log)
	}
	s.repo.Commit(map[string]string{"dir1/new": "1"}, "theirs")
	s.server.Log()
	next := s.snapshot()
	s.wantFiles(next)
	if log := s.server.Log(); len(log) != 3 || log[1].Out+log[2].Out > 2000 {
		t.Errorf("one new file took %v, want a list of refs, what the server can do, and a fetch", log)
	}
	s.repo.Commit(map[string]string{"dir1/new": "2"}, "theirs")
	s.server.Log()
	s.wantFiles(s.snapshot())
	if log := s.server.Log(); len(log) != 2 {
		t.Errorf("the next one took %v, want a list of refs and a fetch", log)
	}
	if _, err := next.Changes(t.Context(), snap); err == nil {
		t.Error("a snapshot of a closed store was compared")
	}
}

func TestCacheIsForOneProcess(t *testing.T) {
	s, dir, again := cached(t)
	_, err := gogit.Open(t.Context(), gogit.Options{Repo: s.server.Repo(s.repo), CacheDir: dir})
	if e := s.wantError(err, gitstore.Locked); !strings.Contains(e.Fix, "--cache-dir") {
		t.Errorf("fix: %q", e.Fix)
	}
	s.wantFiles(s.snapshot())
	again()
	s.wantFiles(s.snapshot())
}

// Whatever happens to the cache, it is fetched again, at the latest by the next
// pass. This runs beside no other test: between fork and exec, a process that another one
// starts holds the lock of a cache that was closed.
func TestCacheDamaged(t *testing.T) {
	for name, damage := range map[string]func(path string) error{
		"removed":   os.Remove,
		"emptied":   func(path string) error { return rewrite(path, func([]byte) []byte { return nil }) },
		"cut":       func(path string) error { return rewrite(path, func(b []byte) []byte { return b[:len(b)/2] }) },
		"flipped":   func(path string) error { return rewrite(path, func(b []byte) []byte { b[len(b)/2] ^= 1; return b }) },
		"forged":    func(path string) error { return rewrite(path, func(b []byte) []byte { return []byte("forged") }) },
		"swapped":   forgeBlob,
		"to a wall": func(path string) error { os.Remove(path); return os.Mkdir(path, 0o700) },
	} {
		for _, kind := range []string{"*.pack", "*.idx", "tips", "??/*"} {
			t.Run(name+" "+kind, func(t *testing.T) {
				s, dir, again := cached(t)
				s.mustPush(s.snapshot(), 1) // some loose objects
				for _, path := range walk(t, dir) {
					rel, err := filepath.Rel(dir, path)
					if err != nil {
						t.Fatal(err)
					}
					if !matches(kind, rel) {
						continue
					}
					if err := damage(path); err != nil {
						t.Fatal(err)
					}
				}
				again()
				for try := range 4 {
					if readable(s) {
						break
					}
					if try == 3 {
						t.Fatal("not healed by the fourth pass")
					}
				}
				s.wantFiles(s.snapshot())
				s.wantFiles(s.mustPush(s.snapshot(), 2))
			})
		}
	}
}

func matches(kind, path string) bool {
	base := filepath.Base(path)
	if kind == "??/*" {
		return len(filepath.Base(filepath.Dir(path))) == 2
	}
	ok, _ := filepath.Match(kind, base)
	return ok
}

func readable(s *stage) bool {
	snap, err := s.store.Snapshot(s.Context(), "main")
	if err != nil {
		s.Log(err)
		return false
	}
	changes, err := snap.Changes(s.Context(), nil)
	for _, c := range changes {
		if err == nil {
			_, err = snap.Read(s.Context(), c.New.Blob)
		}
	}
	if err != nil {
		s.Log(err)
		s.wantError(err, gitstore.Corrupt)
	}
	return err == nil
}

func rewrite(path string, f func([]byte) []byte) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return err
	}
	return os.WriteFile(path, f(b), 0o600)
}

// forgeBlob puts another blob under the name of a loose one.
func forgeBlob(path string) error {
	return rewrite(path, func(b []byte) []byte {
		in, err := zlib.NewReader(bytes.NewReader(b))
		if err != nil {
			return b // no loose object
		}
		if head := make([]byte, 5); !readsBlob(in, head) {
			return b
		}
		var out bytes.Buffer
		z := zlib.NewWriter(&out)
		z.Write([]byte("blob 6\x00forged"))
		z.Close()
		return out.Bytes()
	})
}

func readsBlob(r io.Reader, head []byte) bool {
	_, err := io.ReadFull(r, head)
	return err == nil && string(head) == "blob "
}

// What an interrupted process or another version left is swept away, and what
// is not ours is left alone.
func TestCacheSwept(t *testing.T) {
	s, dir, again := cached(t)
	for _, path := range []string{"clone-1/objects/pack/tmp_pack_1", "clone-1/objects/ab/tmp_obj_1", "clone-1/tips.new", "clone-0/objects/x", "clone-7/objects/y", "mine/notes"} {
		path = filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, path, "x")
	}
	again()
	s.server.Log()
	s.wantFiles(s.snapshot())
	if log := s.server.Log(); len(log) != 1 {
		t.Errorf("it asked %v, want one list of refs", log)
	}
	for _, path := range walk(t, dir) {
		if strings.Contains(path, "tmp_") || strings.HasSuffix(path, ".new") || strings.Contains(path, "clone-0") || strings.Contains(path, "clone-7") {
			t.Errorf("left behind: %s", path)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "mine/notes")); err != nil {
		t.Errorf("not ours, and gone: %v", err)
	}
}

// A cache that has grown gives way to a fresh one, and what was read from the
// old one stays comparable.
func TestCacheGrown(t *testing.T) {
	s, dir, again := cached(t)
	again(func(o *gogit.Options) { o.Limits.Packs = 2 })
	snap := s.snapshot()
	for n := range 6 {
		files := map[string]string{}
		for i := range 120 {
			files[fmt.Sprintf("new/%d", i)] = fmt.Sprint(n, i)
		}
		s.repo.Commit(files, fmt.Sprint(n))
		next := s.snapshot()
		changes, err := next.Changes(t.Context(), snap)
		if err != nil || len(changes) != 120 {
			t.Fatalf("round %d: %d changes, %v", n, len(changes), err)
		}
		snap = next
	}
	s.wantFiles(snap)
	packs := 0
	for _, path := range walk(t, dir) {
		if strings.HasSuffix(path, ".pack") {
			packs++
		}
	}
	if packs > 6 { // two generations of at most three
		t.Errorf("%d packs are kept", packs)
	}
}

func TestCacheThatCannotBe(t *testing.T) {
	s := newStage(t)
	file := write(t, filepath.Join(t.TempDir(), "file"), "x")
	_, err := gogit.Open(t.Context(), gogit.Options{Repo: s.server.Repo(s.repo), CacheDir: filepath.Join(file, "cache")})
	s.wantError(err, gitstore.Unsupported)
}
