package storetest

import (
	"cmp"
	"errors"
	"fmt"
	"strings"

	"github.com/towpath/towpath/gitstore"
	"github.com/towpath/towpath/gitstore/gittest"
)

func pushChain(b *bench) {
	base := b.snapshot()
	tip := b.push(base,
		commit("status", "app/stream.yaml", "status: b\n"),
		commit("trigger", "app/deploy.yaml", "image: b\n"))
	if got, want := string(tip.Rev()), b.Tip(); got != want {
		b.Errorf("the new tip: got %s, want %s", got, want)
	}
	if again := b.snapshot(); again.Rev() != tip.Rev() {
		b.Errorf("snapshot after the push: got %s, want %s", again.Rev(), tip.Rev())
	}
	b.wantContent("app/stream.yaml", "status: b\n")
	b.wantContent("app/deploy.yaml", "image: b\n")
	b.wantContent("docs/deep/er/x.y", "x")
	b.wantDiff("changes of the push", []string{"* app/deploy.yaml", "* app/stream.yaml"}, signs(b.changes(tip, base)))

	log := b.History()
	b.wantDiff("log", []string{"trigger", "status", "first"}, messages(log))
	b.wantDiff("the chain's parents", []string{log[1].Rev, log[2].Rev, ""}, []string{log[0].Parents, log[1].Parents, log[2].Parents})

	// What was pushed can be read without asking anybody.
	if got := b.read(tip, "app/deploy.yaml"); got != "image: b\n" {
		b.Errorf("content in the new snapshot: got %q", got)
	}
	middle, err := tip.Parent(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	if got := b.read(middle, "app/deploy.yaml"); got != "image: a\n" || middle.About().Subject != "status" {
		b.Errorf("between the two commits: %q, %q", middle.About().Subject, got)
	}
	root, err := middle.Parent(b.Context())
	if err != nil || root.Rev() != base.Rev() {
		b.Errorf("below the chain: %v, want the base", err)
	}
}

// pushAgain builds each push on what the one before returned.
func pushAgain(b *bench) {
	tip := b.snapshot()
	for i := range 5 {
		tip = b.push(tip, commit(fmt.Sprint(i), fmt.Sprintf("n/%d", i), "x"))
	}
	b.wantDiff("log", []string{"4", "3", "2", "1", "0", "first"}, messages(b.History()))
	if n := len(b.changes(tip, nil)); n != len(some)+5 {
		b.Errorf("files at the end: got %d, want %d", n, len(some)+5)
	}
}

func pushNewDirectories(b *bench) {
	b.push(b.snapshot(), gitstore.Commit{
		Message: "new", Author: bot, When: when,
		Edits: []gitstore.Edit{
			{Path: "new/a/b/c", Content: []byte("1")},
			{Path: "new/a.b", Content: []byte("2")},
			{Path: "app.yaml", Content: []byte("3")},
			{Path: "app-x/y", Content: []byte("4")},
			{Path: "docs/deep/er/z", Content: nil},
		},
	})
	for path, want := range map[string]string{"new/a/b/c": "1", "new/a.b": "2", "app.yaml": "3", "app-x/y": "4", "app/deploy.yaml": "image: a\n"} {
		b.wantContent(path, want)
	}
	if mode, content := b.Show("docs/deep/er/z"); mode != gittest.Regular || content != "" {
		b.Errorf("a new empty file: mode %q, content %q", mode, content)
	}
}

func identity(b *bench) {
	c := commit("Subject: ünïcode\n\nBody, line 1\n  line 2\n\nTrailer: yes\n", "top.yaml", "new\n")
	b.push(b.snapshot(), c)
	who := fmt.Sprintf("towpath <towpath@example.com> %d", when.Unix())
	got := b.History()[0]
	b.wantDiff("author and committer", []string{who, who}, []string{got.Author, got.Committer})
	b.wantDiff("message", strings.TrimSuffix(c.Message, "\n"), got.Message)
	about := b.snapshot().About()
	if about.Author != bot || !about.When.Equal(when) || about.Subject != "Subject: ünïcode" {
		b.Errorf("about: got %+v", about)
	}
}

func modesKept(b *bench) {
	b.Put("run.sh", gittest.Executable, "old\n", "a program")
	b.Put("link", gittest.Symlink, "top.yaml", "a link")
	b.Put("sub", gittest.Submodule, b.Tip(), "a submodule")
	sub := b.Tip()
	b.push(b.snapshot(), commit("ours", "run.sh", "new\n"), commit("ours too", "app/new", "x"))
	if mode, content := b.Show("run.sh"); mode != gittest.Executable || content != "new\n" {
		b.Errorf("the program: mode %s, content %q", mode, content)
	}
	for path, want := range map[string]string{"link": gittest.Symlink, "sub": gittest.Submodule, "app/new": gittest.Regular} {
		if mode, _ := b.Show(path); mode != want {
			b.Errorf("%s: mode %s, want %s (tip %s)", path, mode, want, sub)
		}
	}
}

func nothingToChange(b *bench) {
	base := b.snapshot()
	same := commit("same", "top.yaml", some["top.yaml"])
	for _, chain := range [][]gitstore.Commit{
		nil,
		{{Message: "no edits", Author: bot, When: when}},
		{same},
		{same, {Message: "no edits", Author: bot, When: when}, same},
	} {
		if tip := b.push(base, chain...); tip != base {
			b.Errorf("a push of nothing: got another snapshot than the base")
		}
	}
	if got := b.History(); len(got) != 1 {
		b.Fatalf("a push of nothing made commits: %v", messages(got))
	}
	b.push(base, same, commit("new", "top.yaml", "new\n"), commit("the same again", "top.yaml", "new\n"), commit("back", "top.yaml", some["top.yaml"]))
	b.wantDiff("log", []string{"back", "new", "first"}, messages(b.History()))
}

// refusedEdits are those that would leave the tree, or take the place of what
// is no regular file. A refused edit anywhere in a chain refuses all of it.
func refusedEdits(b *bench) {
	b.Put("link", gittest.Symlink, "top.yaml", "a link to a file")
	b.Put("dir", gittest.Symlink, "app", "a link to a directory")
	b.Put("sub", gittest.Submodule, b.Tip(), "a submodule")
	tip := b.Tip()
	base := b.snapshot()
	for _, path := range []string{
		"link", "dir", "dir/deploy.yaml", "sub", "sub/file", "app", "top.yaml/under", "app/deploy.yaml/under/it",
		"", "/", "/top.yaml", "app/", "app//x", ".", "./x", "..", "../x", "app/../../x", ".git/config", "app/.git/hooks/x", ".GIT/config",
	} {
		for _, chain := range [][]gitstore.Commit{
			{commit("bad", path, "x")},
			{commit("good", "top.yaml", "new\n"), commit("bad", path, "x")},
		} {
			_, err := b.store.Push(b.Context(), "main", base, chain...)
			if err == nil || errors.Is(err, gitstore.ErrMoved) {
				b.Errorf("edit of %q in commit %d: got %v, want a refusal", path, len(chain), err)
			}
			if b.Tip() != tip {
				b.Fatalf("edit of %q moved the branch", path)
			}
		}
	}
	b.push(base, commit("good", "top.yaml", "new\n"))
}

func staleBase(b *bench) {
	base := b.snapshot()
	b.Commit(map[string]string{"theirs": "1"}, "theirs")
	tip := b.Tip()
	if _, err := b.store.Push(b.Context(), "main", base, commit("ours", "ours", "1")); !errors.Is(err, gitstore.ErrMoved) {
		b.Fatalf("push on a stale base: got %v, want ErrMoved", err)
	}
	if b.Tip() != tip {
		b.Fatal("a refused push moved the branch")
	}
	b.push(b.snapshot(), commit("ours", "ours", "1"))
	b.wantDiff("log", []string{"ours", "theirs", "first"}, messages(b.History()))

	// The same file, and the store knows of the newer tip already.
	stale := b.snapshot()
	b.Commit(map[string]string{"ours": "theirs"}, "theirs again")
	b.snapshot()
	if _, err := b.store.Push(b.Context(), "main", stale, commit("ours", "ours", "2")); !errors.Is(err, gitstore.ErrMoved) {
		b.Errorf("push on a stale base that the store has left: got %v, want ErrMoved", err)
	}
	b.wantContent("ours", "theirs")
}

func branchDeleted(b *bench) {
	base := b.snapshot()
	first := b.Tip()
	b.Move("")
	if _, err := b.store.Push(b.Context(), "main", base, commit("ours", "ours", "1")); err == nil {
		b.Errorf("push to a branch that was deleted: no error")
	} else if !errors.Is(err, gitstore.ErrMoved) {
		b.wantKind(err, gitstore.NoBranch)
	}
	if tip := b.Tip(); tip != "" {
		b.Fatalf("a push made a branch: %s", tip)
	}
	_, err := b.store.Snapshot(b.Context(), "main")
	b.wantKind(err, gitstore.NoBranch)
	b.Move(first)
	b.push(b.snapshot(), commit("ours", "ours", "1"))
	b.wantDiff("log", []string{"ours", "first"}, messages(b.History()))
}

func movedBack(b *bench) {
	first := b.snapshot()
	for i := range 3 {
		b.Commit(map[string]string{"dropped": fmt.Sprint(i)}, "dropped")
	}
	last := b.snapshot()
	b.Move(string(first.Rev()))
	if _, err := b.store.Push(b.Context(), "main", last, commit("ours", "ours", "1")); !errors.Is(err, gitstore.ErrMoved) {
		b.Errorf("push on commits that were dropped: got %v, want ErrMoved", err)
	}
	now := b.snapshot()
	if now.Rev() != first.Rev() {
		b.Fatalf("after a force-push back: got %s, want %s", now.Rev(), first.Rev())
	}
	b.push(now, commit("ours", "ours", "1"))
	b.wantDiff("log", []string{"ours", "first"}, messages(b.History()))
	if mode, _ := b.Show("dropped"); mode != "" {
		b.Errorf("a dropped file is back")
	}
}

func unrelated(b *bench) {
	old := b.snapshot()
	b.Move("")
	b.Commit(map[string]string{"only": "1"}, "another root")
	now := b.snapshot()
	b.wantDiff("changes", "+ only", cmp.Or(strings.Join(only(signs(b.changes(now, old)), "+"), ","), "none"))
	if parent, err := now.Parent(b.Context()); err != nil || parent != nil {
		b.Errorf("parent of the new root: %v, %v", parent, err)
	}
	b.push(now, commit("ours", "ours", "1"))
	b.wantDiff("log", []string{"ours", "another root"}, messages(b.History()))
}

func contextOver(b *bench) {
	base := b.snapshot()
	tip := b.Tip()
	b.Commit(map[string]string{"theirs": "1"}, "theirs")
	if _, err := b.store.Snapshot(cancelled(), "main"); err == nil {
		b.Errorf("snapshot after the context's end: no error")
	}
	b.Move(tip)
	if _, err := b.store.Push(cancelled(), "main", base, commit("ours", "ours", "1")); err == nil {
		b.Errorf("push after the context's end: no error")
	}
	if b.Tip() != tip {
		b.Errorf("a push after the context's end moved the branch")
	}
	b.push(b.snapshot(), commit("ours", "ours", "1"))
}

func messages(log []Logged) []string {
	var out []string
	for _, l := range log {
		out = append(out, l.Message)
	}
	return out
}

func only(signs []string, sign string) []string {
	var out []string
	for _, s := range signs {
		if strings.HasPrefix(s, sign+" ") {
			out = append(out, s)
		}
	}
	return out
}
