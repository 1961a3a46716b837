package gitstore_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/towpath/towpath/gitstore"
	"github.com/towpath/towpath/gitstore/memory"
)

// A fork is a store whose branches main and head began at one commit.
type fork struct {
	*testing.T
	store *memory.Store
	first gitstore.Snapshot
}

func newFork(t *testing.T, files map[string]string) *fork {
	f := &fork{T: t, store: memory.New(files)}
	f.first = f.at("main")
	f.store.Move("head", f.first.Rev())
	return f
}

func (f *fork) at(branch string) gitstore.Snapshot {
	f.Helper()
	s, err := f.store.Snapshot(f.Context(), branch)
	if err != nil {
		f.Fatal(err)
	}
	return s
}

// edit gives files of a branch content; those with none are deleted.
func (f *fork) edit(branch string, files map[string]string) {
	f.store.Edit(branch, "on "+branch, func(t memory.Tree) {
		for path, content := range files {
			if delete(t, path); content != "" {
				t[path] = memory.File{Content: content}
			}
		}
	})
}

func (f *fork) merge() (gitstore.Snapshot, []string) {
	f.Helper()
	view, conflicts, err := gitstore.Merged(f.Context(), f.at("main"), f.at("head"))
	if err != nil {
		f.Fatal(err)
	}
	return view, conflicts
}

func (f *fork) changes(s, from gitstore.Snapshot) []gitstore.Change {
	f.Helper()
	changes, err := s.Changes(f.Context(), from)
	if err != nil {
		f.Fatal(err)
	}
	return changes
}

// files are read, each by its own id.
func (f *fork) files(s gitstore.Snapshot) map[string]string {
	f.Helper()
	files := map[string]string{}
	for _, c := range f.changes(s, nil) {
		content, err := s.Read(f.Context(), c.New.Blob)
		if err != nil || c.Old != nil {
			f.Fatalf("%+v: %v", c, err)
		}
		files[c.Path] = string(content)
	}
	return files
}

func TestMerged(t *testing.T) {
	first := map[string]string{"a": "1", "b": "1", "dir/c": "1"}
	for _, c := range []struct {
		name       string
		main, head map[string]string // empty: deleted
		want       map[string]string
		conflicts  []string
	}{
		{"nothing on either side", nil, nil, first, nil},
		{"only head", nil, map[string]string{"a": "h", "b": "", "new": "h"}, map[string]string{"a": "h", "dir/c": "1", "new": "h"}, nil},
		{"only base", map[string]string{"a": "m", "b": ""}, nil, map[string]string{"a": "m", "dir/c": "1"}, nil},
		{"different files", map[string]string{"a": "m", "x": "m"}, map[string]string{"b": "h", "y": "h"}, map[string]string{"a": "m", "b": "h", "dir/c": "1", "x": "m", "y": "h"}, nil},
		{"the same change", map[string]string{"a": "2", "b": "", "n": "n"}, map[string]string{"a": "2", "b": "", "n": "n"}, map[string]string{"a": "2", "dir/c": "1", "n": "n"}, nil},
		{"different changes", map[string]string{"a": "m"}, map[string]string{"a": "h"}, map[string]string{"a": "h", "b": "1", "dir/c": "1"}, []string{"a"}},
		{"different lines", map[string]string{"lines": "1\n2\n3 m\n"}, map[string]string{"lines": "1 h\n2\n3\n"}, map[string]string{"a": "1", "b": "1", "dir/c": "1", "lines": "1 h\n2\n3 m\n"}, nil},
		{"lines that touch", map[string]string{"lines": "1\n2 m\n3\n"}, map[string]string{"lines": "1 h\n2\n3\n"}, map[string]string{"a": "1", "b": "1", "dir/c": "1", "lines": "1 h\n2\n3\n"}, []string{"lines"}},
		{"the same and other lines", map[string]string{"lines": "0\n1\n2\n3 m\n"}, map[string]string{"lines": "0\n1\n2\n3\n"}, map[string]string{"a": "1", "b": "1", "dir/c": "1", "lines": "0\n1\n2\n3 m\n"}, nil},
		{"a file that is no text", map[string]string{"bytes": "\x00\n2\n3 m\n"}, map[string]string{"bytes": "\x00 h\n2\n3\n"}, map[string]string{"a": "1", "b": "1", "dir/c": "1", "bytes": "\x00 h\n2\n3\n"}, []string{"bytes"}},
		{"deleted by head, changed by base", map[string]string{"a": "m"}, map[string]string{"a": ""}, map[string]string{"b": "1", "dir/c": "1"}, []string{"a"}},
		{"deleted by base, changed by head", map[string]string{"a": ""}, map[string]string{"a": "h"}, map[string]string{"a": "h", "b": "1", "dir/c": "1"}, []string{"a"}},
		{"two new files of one name", map[string]string{"n": "m"}, map[string]string{"n": "h"}, map[string]string{"a": "1", "b": "1", "dir/c": "1", "n": "h"}, []string{"n"}},
		{"a file where base has a directory", map[string]string{"n/x": "m", "n/y": "m"}, map[string]string{"n": "h"}, map[string]string{"a": "1", "b": "1", "dir/c": "1", "n": "h"}, []string{"n", "n/x", "n/y"}},
		{"a directory where base has a file", map[string]string{"n": "m"}, map[string]string{"n/x": "h"}, map[string]string{"a": "1", "b": "1", "dir/c": "1", "n/x": "h"}, []string{"n", "n/x"}},
		{"a directory becomes a file", map[string]string{"a": "m"}, map[string]string{"dir/c": "", "dir": "h"}, map[string]string{"a": "m", "b": "1", "dir": "h"}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFork(t, first)
			for path, content := range map[string]string{"lines": "1\n2\n3\n", "bytes": "\x00\n2\n3\n"} {
				if c.want[path] != "" {
					f.edit("main", map[string]string{path: content})
				}
			}
			f.first = f.at("main")
			f.store.Move("head", f.first.Rev())
			f.edit("main", c.main)
			f.edit("head", c.head)
			view, conflicts := f.merge()
			if diff := cmp.Diff(c.want, f.files(view)); diff != "" {
				t.Errorf("files (-want +got)\n%s", diff)
			}
			if diff := cmp.Diff(c.conflicts, conflicts); diff != "" {
				t.Errorf("conflicts (-want +got)\n%s", diff)
			}
			if view.Rev() != f.at("head").Rev() || view.About() != f.at("head").About() {
				t.Errorf("the view calls itself %s: %+v", view.Rev(), view.About())
			}
			if parent, err := view.Parent(t.Context()); err != nil || parent != f.at("main") {
				t.Errorf("parent: got %v, %v, want the base", parent, err)
			}
			f.wantChanges(view)
		})
	}
}

// wantChanges checks what a view says of every other snapshot against the lists of files.
func (f *fork) wantChanges(view gitstore.Snapshot) {
	f.Helper()
	f.edit("head", map[string]string{"a": "later", "later": "1"})
	f.edit("main", map[string]string{"b": "later", "dir/c": ""})
	later, _ := f.merge()
	all := []gitstore.Snapshot{f.first, f.at("main"), f.at("head"), view, later}
	for _, s := range []gitstore.Snapshot{view, later} {
		for i, from := range all {
			var got, want []string
			for _, c := range f.changes(s, from) {
				got = append(got, fmt.Sprintf("%s %s %s", c.Path, blob(c.Old), blob(c.New)))
			}
			old, new := f.list(from), f.list(s)
			both := maps.Clone(old)
			maps.Copy(both, new)
			for _, path := range slices.Sorted(maps.Keys(both)) {
				if blob(old[path]) != blob(new[path]) {
					want = append(want, fmt.Sprintf("%s %s %s", path, blob(old[path]), blob(new[path])))
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				f.Errorf("changes from snapshot %d (-want +got)\n%s", i, diff)
			}
		}
	}
}

func (f *fork) list(s gitstore.Snapshot) map[string]*gitstore.File {
	files := map[string]*gitstore.File{}
	for _, c := range f.changes(s, nil) {
		files[c.Path] = c.New
	}
	return files
}

func blob(f *gitstore.File) gitstore.BlobID {
	if f == nil {
		return "none"
	}
	return f.Blob[:8]
}

// The common commit is the same whatever the clocks say, and however long the ways to it are.
func TestMergedFork(t *testing.T) {
	for name, later := range map[string]time.Duration{"right clocks": time.Minute, "wrong clocks": -time.Minute, "stopped clocks": 0} {
		t.Run(name, func(t *testing.T) {
			for range 20 {
				now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
				f := newFork(t, map[string]string{"a": "1"})
				f.store.Now = func() time.Time { now = now.Add(later); return now }
				for range rand.IntN(5) {
					f.edit("main", map[string]string{"a": fmt.Sprint(rand.Int())})
				}
				f.store.Move("head", f.at("main").Rev())
				n, m := rand.IntN(5), rand.IntN(5)
				for i := range n {
					f.edit("main", map[string]string{fmt.Sprintf("m%d", i): "1"})
				}
				for i := range m {
					f.edit("head", map[string]string{fmt.Sprintf("h%d", i): "1"})
				}
				view, conflicts := f.merge()
				if got := len(f.files(view)); got != 1+n+m || len(conflicts) > 0 {
					t.Errorf("%d commits and %d: %d files, conflicts %v", n, m, got, conflicts)
				}
			}
		})
	}
}

// History that is not needed is not asked for.
func TestMergedReadsLittle(t *testing.T) {
	f := newFork(t, map[string]string{"a": "1"})
	for i := range 50 {
		f.edit("main", map[string]string{"a": fmt.Sprint(i)})
	}
	f.store.Move("head", f.at("main").Rev())
	f.edit("head", map[string]string{"h": "1"})
	parents := 0
	f.store.Hook = func(op string) (bool, error) {
		if op == memory.OpParent {
			parents++
		}
		return true, nil
	}
	f.merge()
	if parents > 2 {
		t.Errorf("%d parents were read for a branch of one commit", parents)
	}
}

func TestMergedApart(t *testing.T) {
	f := newFork(t, map[string]string{"a": "1"})
	f.store.Edit("root", "another root", func(t memory.Tree) { t["a"] = memory.File{Content: "1"} })
	far := newFork(t, map[string]string{"a": "1"})
	for i := range 1001 {
		far.edit("main", map[string]string{"a": fmt.Sprint("m", i)})
		far.edit("head", map[string]string{"a": fmt.Sprint("h", i)})
	}
	for name, c := range map[string]struct {
		f    *fork
		head string
		says string
	}{"unrelated": {f, "root", "no commit in common"}, "far apart": {far, "head", "2000"}} {
		_, _, err := gitstore.Merged(t.Context(), c.f.at("main"), c.f.at(c.head))
		var e *gitstore.Error
		if !errors.As(err, &e) || e.Fix == "" || !strings.Contains(e.Error(), c.says) {
			t.Errorf("%s: got %v, want an error that says %q", name, err, c.says)
		}
	}
	broken := errors.New("broken")
	f.edit("main", map[string]string{"a": "2"})
	main, head := f.at("main"), f.at("head")
	for _, op := range []string{memory.OpParent, memory.OpChanges} {
		f.store.Hook = func(now string) (bool, error) {
			if now == op {
				return false, broken
			}
			return true, nil
		}
		if _, _, err := gitstore.Merged(t.Context(), main, head); !errors.Is(err, broken) {
			t.Errorf("%s fails: got %v", op, err)
		}
	}
}

// A strict snapshot has no files but its own.
type strict struct{ gitstore.Snapshot }

func (s strict) Read(ctx context.Context, id gitstore.BlobID) ([]byte, error) {
	changes, err := s.Changes(ctx, nil)
	if err != nil {
		return nil, err
	}
	for _, c := range changes {
		if c.New.Blob == id {
			return s.Snapshot.Read(ctx, id)
		}
	}
	return nil, fmt.Errorf("%s does not hold %s", s.Rev(), id)
}

// Each file is read where it is.
func TestMergedReads(t *testing.T) {
	f := newFork(t, map[string]string{"a": "1", "b": "1", "c": "1"})
	f.edit("main", map[string]string{"a": "m", "c": "m"})
	f.edit("head", map[string]string{"b": "h", "c": "h"})
	view, _, err := gitstore.Merged(t.Context(), strict{f.at("main")}, strict{f.at("head")})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{"a": "m", "b": "h", "c": "h"}, f.files(view)); diff != "" {
		t.Errorf("files (-want +got)\n%s", diff)
	}
}

// Whoever wrote the texts, merging them ends soon.
func TestMergedLarge(t *testing.T) {
	long := func(line func(i int) string) string {
		var text strings.Builder
		for i := range 20_000 {
			text.WriteString(line(i) + "\n")
		}
		return text.String()
	}
	first := map[string]string{"same": long(func(int) string { return "x" }), "pairs": long(func(i int) string { return fmt.Sprint(i / 2) })}
	main := map[string]string{"same": first["same"] + "y\n", "pairs": long(func(i int) string { return fmt.Sprint((20_000 - i) / 2) })}
	head := map[string]string{"same": "z\n" + first["same"], "pairs": long(func(i int) string { return fmt.Sprint(i % 10_000) })}
	for i := range 5_000 {
		first[fmt.Sprintf("dir%d/x", i)] = "1"
		main[fmt.Sprintf("m%d/x", i)] = "1"
		head[fmt.Sprintf("dir%d/x", i)], head[fmt.Sprintf("h%d/x", i)] = "2", "1"
	}
	f := newFork(t, first)
	f.edit("main", main)
	f.edit("head", head)
	view, conflicts := f.merge()
	if diff := cmp.Diff([]string{"pairs"}, conflicts); diff != "" {
		t.Errorf("conflicts (-want +got)\n%s", diff)
	}
	files := f.files(view)
	if len(files) != 15_002 || files["same"] != "z\n"+first["same"]+"y\n" || files["pairs"] != head["pairs"] {
		t.Errorf("%d files, and the texts are others", len(files))
	}
}
