package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/towpath/towpath/gitstore"
	"github.com/towpath/towpath/gitstore/gittest"
)

func snapshotIsTheTip(b *bench) {
	if got, want := b.snapshot().Rev(), b.Tip(); string(got) != want {
		b.Errorf("rev: got %s, want %s", got, want)
	}
	b.Commit(map[string]string{"top.yaml": "new\n"}, "second")
	s := b.snapshot()
	if got, want := s.Rev(), b.Tip(); string(got) != want {
		b.Errorf("rev after a person's commit: got %s, want %s", got, want)
	}
	if got := b.read(s, "top.yaml"); got != "new\n" {
		b.Errorf("content after a person's commit: got %q", got)
	}
}

func sameSnapshot(b *bench) {
	first := b.snapshot()
	if again := b.snapshot(); again != first {
		b.Errorf("another snapshot of the same tip")
	}
	b.Commit(map[string]string{"new": "1"}, "second")
	second := b.snapshot()
	if second == first {
		b.Errorf("the same snapshot of another tip")
	}
	// The first one is what it was.
	b.wantDiff("files of the first snapshot", slices.Sorted(maps.Keys(some)), paths(b.changes(first, nil)))
}

func about(b *bench) {
	b.Commit(map[string]string{"new": "1"}, "The subject\n\nA body.")
	when := gittest.Start.Add(60e9)
	want := gitstore.About{
		Author: gitstore.Person{Name: gittest.Name, Email: gittest.Email},
		When:   when, Subject: "The subject", Message: "The subject\n\nA body.",
	}
	got := b.snapshot().About()
	got.Message = strings.TrimSuffix(got.Message, "\n") // as commit messages end, or not
	if !got.When.Equal(when) {
		b.Errorf("when: got %v, want %v", got.When, when)
	}
	got.When = when
	b.wantDiff("about", want, got)
}

func missingBranch(b *bench) {
	_, err := b.store.Snapshot(b.Context(), "elsewhere")
	b.wantKind(err, gitstore.NoBranch)
	b.snapshot() // still works
}

func emptyRepository(b *bench) {
	_, err := b.store.Snapshot(b.Context(), "main")
	b.wantKind(err, gitstore.NoBranch)
	b.Commit(some, "first")
	b.wantDiff("files", slices.Sorted(maps.Keys(some)), paths(b.changes(b.snapshot(), nil)))
}

func changesFromNothing(b *bench) {
	s := b.snapshot()
	changes := b.changes(s, nil)
	b.wantDiff("paths in order", slices.Sorted(maps.Keys(order)), paths(changes))
	for _, c := range changes {
		switch {
		case c.Old != nil || c.New == nil:
			b.Errorf("%s is not new: %+v", c.Path, c)
		case c.New.Path != c.Path || c.New.Skip != "":
			b.Errorf("%s: got %+v", c.Path, c.New)
		default:
			content, err := s.Read(b.Context(), c.New.Blob)
			if err != nil || string(content) != order[c.Path] {
				b.Errorf("read %s: got %q, %v, want %q", c.Path, content, err, order[c.Path])
			}
		}
	}
	if again := b.changes(s, s); len(again) != 0 {
		b.Errorf("changes from a snapshot to itself: %v", again)
	}
}

func changesBetween(b *bench) {
	first := b.snapshot()
	b.Commit(map[string]string{"app/stream.yaml": "status: b\n", "app/new/x": "new"}, "second")
	b.Delete("third", "docs/readme.md")
	second := b.snapshot()
	b.wantDiff("changes forth", []string{"+ app/new/x", "* app/stream.yaml", "- docs/readme.md"}, signs(b.changes(second, first)))
	b.wantDiff("changes back", []string{"- app/new/x", "* app/stream.yaml", "+ docs/readme.md"}, signs(b.changes(first, second)))

	// A file where a directory was, and a directory where a file was.
	b.Delete("fourth", "docs/deep/er/x.y", "top.yaml")
	b.Commit(map[string]string{"docs/deep": "file", "top.yaml/dir": "file"}, "fifth")
	third := b.snapshot()
	b.wantDiff("file and directory trade places",
		[]string{"+ docs/deep", "- docs/deep/er/x.y", "- top.yaml", "+ top.yaml/dir"}, signs(b.changes(third, second)))

	b.Move(string(first.Rev()))
	b.wantDiff("changes after a way there and back", []string(nil), signs(b.changes(b.snapshot(), first)))
}

func changesOfKind(b *bench) {
	first := b.snapshot()
	b.Put("link", gittest.Symlink, "top.yaml", "a link")
	b.Put("sub", gittest.Submodule, string(first.Rev()), "a submodule")
	b.Put("run.sh", gittest.Executable, "#!/bin/sh\n", "a program")
	b.Put("docs/readme.md", gittest.Executable, some["docs/readme.md"], "only a mode changes, which no File tells")
	b.Put("top.yaml", gittest.Symlink, "app/deploy.yaml", "a file becomes a link")
	second := b.snapshot()
	changes := b.changes(second, first)
	b.wantDiff("changes", []string{"+ link", "+ run.sh", "+ sub", "* top.yaml"}, signs(changes))
	if len(changes) != 4 {
		return
	}
	for i, why := range []string{"symbolic link", "", "submodule", "symbolic link"} {
		if got := changes[i].New.Skip; got == "" != (why == "") || !strings.Contains(got, why) {
			b.Errorf("%s is skipped as %q, want %q", changes[i].Path, got, why)
		}
	}
	if got := changes[3].Old.Skip; got != "" {
		b.Errorf("top.yaml was skipped as %q before it became a link", got)
	}
}

func read(b *bench) {
	contents := map[string]string{
		"binary": "\x00\xff\r\n\x1a", "crlf": "a\r\nb", "big": strings.Repeat("0123456789abcdef", 1<<14), "void": "",
	}
	b.Commit(contents, "second")
	s := b.snapshot()
	for path, want := range contents {
		if got := b.read(s, path); got != want {
			b.Errorf("%s: got %d bytes, want %d", path, len(got), len(want))
		}
	}
	if _, err := s.Read(b.Context(), gitstore.BlobID(strings.Repeat("1", 40))); err == nil {
		b.Errorf("a blob that is not there: no error")
	}
	if _, err := s.Read(b.Context(), "no id"); err == nil {
		b.Errorf("an id that is none: no error")
	}
}

func readByMany(b *bench) {
	files := map[string]string{}
	for i := range 20 {
		files[fmt.Sprintf("dir%d/file", i)] = fmt.Sprint(i)
	}
	first := b.snapshot()
	b.Commit(files, "second")
	s := b.snapshot()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			changes, err := s.Changes(b.Context(), first)
			if err != nil || len(changes) != len(files) {
				b.Errorf("got %d changes, %v, want %d", len(changes), err, len(files))
			}
			for _, c := range changes {
				content, err := s.Read(b.Context(), c.New.Blob)
				if err != nil || string(content) != files[c.Path] || c.New.Blob != gitstore.IDOf(content) {
					b.Errorf("read %s: got %q as %s, %v", c.Path, content, c.New.Blob, err)
				}
			}
			if parent, err := s.Parent(b.Context()); err != nil || parent.Rev() != first.Rev() {
				b.Errorf("parent: %v", err)
			}
		})
	}
	wg.Wait()
}

// limit is the largest file that a Store reads unless told otherwise.
const limit = 8 << 20

func readOverTheLimit(b *bench) {
	b.Commit(map[string]string{"most": string(bytes.Repeat([]byte("m"), limit)), "more": string(bytes.Repeat([]byte("x"), limit+1))}, "big files")
	s := b.snapshot()
	if got := b.read(s, "most"); len(got) != limit {
		b.Errorf("a file of the limit's size: got %d bytes", len(got))
	}
	for _, c := range b.changes(s, nil) {
		if c.Path != "more" {
			continue
		}
		_, err := s.Read(b.Context(), c.New.Blob)
		if err == nil || !strings.Contains(err.Error(), "8388608") && !strings.Contains(err.Error(), "8 MiB") {
			b.Errorf("a file over the limit: got error %v, want one that names the limit", err)
		}
		if e := (*gitstore.Error)(nil); !errors.As(err, &e) || e.Kind != gitstore.TooLarge {
			b.Errorf("a file over the limit: got %v, want an error of kind TooLarge: it is that file's problem alone", err)
		}
	}
}

// hugeFile is larger than anything that a Store may keep. It comes and goes, and everything
// else goes on.
func hugeFile(b *bench) {
	const edited = "app/stream.yaml"
	first := b.snapshot()
	huge := strings.Repeat("0", 64<<20+1)
	b.Commit(map[string]string{"huge.bin": huge, "top.yaml": "beside\n"}, "a huge file")
	check := func(s gitstore.Snapshot, want string) {
		b.Helper()
		if got := b.read(s, "top.yaml"); got != want {
			b.Errorf("the file beside it: got %q, want %q", got, want)
		}
		_, err := s.Read(b.Context(), gitstore.IDOf([]byte(huge)))
		b.wantKind(err, gitstore.TooLarge)
	}
	s := b.snapshot()
	check(s, "beside\n")
	b.wantDiff("changes", []string{"+ huge.bin", "* top.yaml"}, signs(b.changes(s, first)))
	b.push(s, commit("ours", edited, "ours\n"))
	b.wantContent(edited, "ours\n")
	b.Commit(map[string]string{"top.yaml": "after\n"}, "beside it")
	check(b.snapshot(), "after\n")
	b.Commit(map[string]string{"huge.bin": "small now"}, "less")
	b.push(b.snapshot(), commit("ours", edited, "again\n"))
	parent := b.snapshot()
	for range 3 {
		var err error
		if parent, err = parent.Parent(b.Context()); err != nil {
			b.Fatalf("parent: %v", err)
		}
	}
	check(parent, "beside\n")
}

// parents walks past the first depths that a shallow store fetches.
func parents(b *bench) {
	const n = 40
	for i := range n {
		b.Commit(map[string]string{"top.yaml": fmt.Sprint(i)}, fmt.Sprintf("number %d", i))
	}
	var want []string
	for _, l := range b.History() {
		want = append(want, l.Rev)
	}
	var got []string
	for s := b.snapshot(); len(got) <= len(want); {
		got = append(got, string(s.Rev()))
		if i := n - len(got); i >= 0 && b.read(s, "top.yaml") != fmt.Sprint(i) {
			b.Errorf("content at number %d: got %q", i, b.read(s, "top.yaml"))
		}
		parent, err := s.Parent(b.Context())
		if err != nil {
			b.Fatalf("parent of commit %d: %v", len(got), err)
		}
		if parent == nil {
			break
		}
		if diff := signs(b.changes(s, parent)); len(diff) != 1 && len(got) != n {
			b.Errorf("changes from the parent: %v", diff)
		}
		s = parent
	}
	b.wantDiff("first parents", want, got)
}

func paths(changes []gitstore.Change) []string {
	var out []string
	for _, c := range changes {
		out = append(out, c.Path)
	}
	return out
}

// signs writes changes as "+ new", "- old" and "* changed".
func signs(changes []gitstore.Change) []string {
	var out []string
	for _, c := range changes {
		switch {
		case c.Old == nil:
			out = append(out, "+ "+c.Path)
		case c.New == nil:
			out = append(out, "- "+c.Path)
		default:
			out = append(out, "* "+c.Path)
		}
	}
	return out
}
