package storetest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/towpath/towpath/gitstore"
)

// ours is the branch on which most of these tests work.
const ours = "towpath/main/team1"

// on reads a branch.
func (b *bench) on(branch string) gitstore.Snapshot {
	b.Helper()
	s, err := b.store.Snapshot(b.Context(), branch)
	if err != nil {
		b.Fatalf("snapshot of %s: %v", branch, err)
	}
	return s
}

func (b *bench) replace(branch string, old gitstore.Rev, base gitstore.Snapshot, chain ...gitstore.Commit) gitstore.Snapshot {
	b.Helper()
	s, err := b.store.Replace(b.Context(), branch, old, base, chain...)
	if err != nil {
		b.Fatalf("replace %s: %v", branch, err)
	}
	return s
}

// wantHeads checks where all branches are, as everybody and as the store sees it.
func (b *bench) wantHeads(want map[string]string) {
	b.Helper()
	b.wantDiff("branches of the repository", want, b.Heads())
	tips, err := b.store.Branches(b.Context(), "")
	if err != nil {
		b.Fatalf("branches: %v", err)
	}
	got := map[string]string{}
	for name, rev := range tips {
		got[name] = string(rev)
	}
	b.wantDiff("branches", want, got)
}

// line lists the subjects of a snapshot's first parents, newest first.
func (b *bench) line(s gitstore.Snapshot) []string {
	b.Helper()
	var line []string
	for s != nil {
		line = append(line, s.About().Subject)
		parent, err := s.Parent(b.Context())
		if err != nil {
			b.Fatalf("parent of %q: %v", s.About().Subject, err)
		}
		s = parent
	}
	return line
}

func branchesByPrefix(b *bench) {
	tip := b.Tip()
	for _, name := range []string{"towpath/main/a", "towpath/main/a-b", "towpath/main/ab/c", "towpath/other", "towpat", "aside/towpath/x", "z.y"} {
		b.Point(name, tip)
	}
	b.Point("refs/notes/towpath/n", tip)
	for prefix, want := range map[string][]string{
		"towpath/":          {"towpath/main/a", "towpath/main/a-b", "towpath/main/ab/c", "towpath/other"},
		"towpath/main/a":    {"towpath/main/a", "towpath/main/a-b", "towpath/main/ab/c"},
		"towpath/main/ab":   {"towpath/main/ab/c"},
		"towpath/main/ab/c": {"towpath/main/ab/c"},
		"towp":              {"towpat", "towpath/main/a", "towpath/main/a-b", "towpath/main/ab/c", "towpath/other"},
		"z.":                {"z.y"},
		"nothing/":          nil,
		"":                  slices.Sorted(maps.Keys(b.Heads())),
	} {
		tips, err := b.store.Branches(b.Context(), prefix)
		if err != nil {
			b.Errorf("branches %q: %v", prefix, err)
		}
		b.wantDiff(fmt.Sprintf("branches %q", prefix), want, slices.Sorted(maps.Keys(tips)))
		for name, rev := range tips {
			if string(rev) != tip {
				b.Errorf("%s is at %s, want %s", name, rev, tip)
			}
		}
	}
	if _, err := b.store.Branches(cancelled(), ""); err == nil {
		b.Errorf("branches after the context's end: no error")
	}
}

func branchesOfNothing(b *bench) { b.wantHeads(map[string]string{}) }

func replaceMakes(b *bench) {
	base := b.snapshot()
	tip := b.replace(ours, "", base, commit("status", "app/stream.yaml", "status: b\n"), commit("trigger", "app/deploy.yaml", "image: b\n"))
	b.wantHeads(map[string]string{"main": string(base.Rev()), ours: string(tip.Rev())})
	b.wantDiff("log", []string{"trigger", "status", "first"}, b.line(tip))
	b.wantDiff("changes", []string{"* app/deploy.yaml", "* app/stream.yaml"}, signs(b.changes(tip, base)))
	if got := b.read(tip, "app/deploy.yaml"); got != "image: b\n" {
		b.Errorf("content: got %q", got)
	}
	if again := b.on(ours); again != tip {
		b.Errorf("another snapshot of what the store made")
	}
	if now := b.snapshot(); now != base {
		b.Errorf("another snapshot of main, which nothing moved")
	}
	b.wantContent("app/deploy.yaml", "image: a\n") // main is as it was
}

// replaceAgain builds the branch on wherever main is; nothing of what it held stays.
func replaceAgain(b *bench) {
	var old gitstore.Rev
	want := []string{"first"}
	for i := range 4 {
		base := b.snapshot()
		tip := b.replace(ours, old, base, commit(fmt.Sprintf("ours %d", i), fmt.Sprintf("ours/%d", i), "x"))
		b.wantDiff("log", append([]string{fmt.Sprintf("ours %d", i)}, want...), b.line(tip))
		b.wantDiff("changes", []string{fmt.Sprintf("+ ours/%d", i)}, signs(b.changes(tip, base)))
		old = tip.Rev()
		if i%2 == 0 {
			b.Commit(map[string]string{"theirs": fmt.Sprint(i)}, fmt.Sprintf("theirs %d", i))
			want = append([]string{fmt.Sprintf("theirs %d", i)}, want...)
		}
	}
	// An older base serves as well.
	first := b.snapshot()
	for first.About().Subject != "first" {
		var err error
		if first, err = first.Parent(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	tip := b.replace(ours, old, first, commit("ours", "ours/last", "x"))
	b.wantDiff("log", []string{"ours", "first"}, b.line(tip))
	b.wantHeads(map[string]string{"main": b.Tip(), ours: string(tip.Rev())})

	// What is there already, and is to be there, is there.
	same := b.replace(ours, tip.Rev(), first, commit("ours", "ours/last", "x"))
	if same.Rev() != tip.Rev() {
		b.Errorf("the same again: got %s, want %s", same.Rev(), tip.Rev())
	}
}

func replaceOnlyFromOld(b *bench) {
	base := b.snapshot()
	if _, err := b.store.Replace(b.Context(), ours, base.Rev(), base, commit("ours", "x", "1")); !errors.Is(err, gitstore.ErrMoved) {
		b.Errorf("a branch that is not there: got %v, want ErrMoved", err)
	}
	b.wantHeads(map[string]string{"main": b.Tip()})
	first := b.replace(ours, "", base, commit("ours 1", "x", "1"))
	want := map[string]string{"main": b.Tip(), ours: string(first.Rev())}
	if _, err := b.store.Replace(b.Context(), ours, "", base, commit("ours 2", "x", "2")); !errors.Is(err, gitstore.ErrMoved) {
		b.Errorf("a branch that is there already: got %v, want ErrMoved", err)
	}
	b.wantHeads(want)
	if _, err := b.store.Replace(b.Context(), ours, base.Rev(), base, commit("ours 2", "x", "2")); !errors.Is(err, gitstore.ErrMoved) {
		b.Errorf("a branch that is elsewhere: got %v, want ErrMoved", err)
	}
	b.wantHeads(want)

	// Two built on the same: one wins.
	second := b.replace(ours, first.Rev(), base, commit("ours 2", "x", "2"))
	if _, err := b.store.Replace(b.Context(), ours, first.Rev(), base, commit("ours 3", "x", "3")); !errors.Is(err, gitstore.ErrMoved) {
		b.Errorf("the second of two: got %v, want ErrMoved", err)
	}
	b.wantHeads(map[string]string{"main": b.Tip(), ours: string(second.Rev())})
}

// replaceDeleted leaves a branch deleted that was deleted, as forges do after a merge.
//
// fault: F-05
func replaceDeleted(b *bench) {
	base := b.snapshot()
	tip := b.replace(ours, "", base, commit("ours 1", "x", "1"))
	b.Point(ours, "")
	if _, err := b.store.Replace(b.Context(), ours, tip.Rev(), base, commit("ours 2", "x", "2")); !errors.Is(err, gitstore.ErrMoved) {
		b.Errorf("a branch that was deleted: got %v, want ErrMoved", err)
	}
	b.wantHeads(map[string]string{"main": b.Tip()})
	_, err := b.store.Snapshot(b.Context(), ours)
	b.wantKind(err, gitstore.NoBranch)
	again := b.replace(ours, "", base, commit("ours 2", "x", "2"))
	b.wantHeads(map[string]string{"main": b.Tip(), ours: string(again.Rev())})
}

func replaceByNothing(b *bench) {
	base := b.snapshot()
	for _, chain := range [][]gitstore.Commit{nil, {commit("same", "top.yaml", some["top.yaml"])}} {
		_, err := b.store.Replace(b.Context(), ours, "", base, chain...)
		b.wantKind(err, gitstore.Unsupported)
	}
	tip := b.replace(ours, "", base, commit("same", "top.yaml", some["top.yaml"]), commit("ours", "x", "1"))
	b.wantDiff("log", []string{"ours", "first"}, b.line(tip))
	_, err := b.store.Replace(b.Context(), ours, tip.Rev(), base)
	b.wantKind(err, gitstore.Unsupported)
	b.wantHeads(map[string]string{"main": b.Tip(), ours: string(tip.Rev())})
}

// replaceRefused are the edits and the ends that Push refuses too.
func replaceRefused(b *bench) {
	base := b.snapshot()
	for _, path := range []string{"app", "top.yaml/under", "", "../x", ".git/config"} {
		_, err := b.store.Replace(b.Context(), ours, "", base, commit("good", "x", "1"), commit("bad", path, "x"))
		if err == nil || errors.Is(err, gitstore.ErrMoved) {
			b.Errorf("edit of %q: got %v, want a refusal", path, err)
		}
	}
	if _, err := b.store.Replace(cancelled(), ours, "", base, commit("ours", "x", "1")); err == nil {
		b.Errorf("replace after the context's end: no error")
	}
	b.wantHeads(map[string]string{"main": b.Tip()})
}

func deleteBranch(b *bench) {
	base := b.snapshot()
	main := map[string]string{"main": b.Tip()}
	remove := func(old gitstore.Rev, want error) {
		b.Helper()
		if err := b.store.Delete(b.Context(), ours, old); !errors.Is(err, want) {
			b.Errorf("delete: got %v, want %v", err, want)
		}
	}
	remove(base.Rev(), nil)
	remove("", nil)
	first := b.replace(ours, "", base, commit("ours 1", "x", "1"))
	if err := b.store.Delete(cancelled(), ours, first.Rev()); err == nil {
		b.Errorf("delete after the context's end: no error")
	}
	there := map[string]string{"main": b.Tip(), ours: string(first.Rev())}
	remove("", gitstore.ErrMoved)
	remove(base.Rev(), gitstore.ErrMoved)
	b.wantHeads(there)
	remove(first.Rev(), nil)
	b.wantHeads(main)
	remove(first.Rev(), nil) // gone already
	_, err := b.store.Snapshot(b.Context(), ours)
	b.wantKind(err, gitstore.NoBranch)

	// A person's commit keeps it.
	b.Point(ours, string(first.Rev()))
	theirs := b.CommitOn(ours, map[string]string{"y": "theirs"}, "theirs")
	remove(first.Rev(), gitstore.ErrMoved)
	b.wantHeads(map[string]string{"main": b.Tip(), ours: theirs})
	remove(gitstore.Rev(theirs), nil)
	b.wantHeads(main)

	// And it can be made again.
	again := b.replace(ours, "", base, commit("ours 1", "x", "1"))
	b.wantHeads(map[string]string{"main": b.Tip(), ours: string(again.Rev())})
}

// namesThatLeadOn leaves nothing behind that would be in the way of the next branch.
func namesThatLeadOn(b *bench) {
	base := b.snapshot()
	for _, name := range []string{"t/a/b/c", "t", "t/a", "t/a/b", "t/x/y/z", "t"} {
		tip := b.replace(name, "", base, commit("ours", "x", name))
		b.wantHeads(map[string]string{"main": b.Tip(), name: string(tip.Rev())})
		if err := b.store.Delete(b.Context(), name, tip.Rev()); err != nil {
			b.Fatalf("delete %s: %v", name, err)
		}
		b.wantHeads(map[string]string{"main": b.Tip()})
	}
}

// nameInTheWay is no move of the branch, and says which name it is.
func nameInTheWay(b *bench) {
	base := b.snapshot()
	for have, want := range map[string]string{"towpath": "towpath/main/x", "bots/a/b": "bots/a"} {
		b.Point(have, string(base.Rev()))
		before := b.Heads()
		_, err := b.store.Replace(b.Context(), want, "", base, commit("ours", "x", "1"))
		b.wantKind(err, gitstore.Unsupported)
		if err != nil && !strings.Contains(err.Error(), fmt.Sprintf("%q", have)) {
			b.Errorf("the error does not name %q: %v", have, err)
		}
		b.wantHeads(before)
		b.Point(have, "")
		tip := b.replace(want, "", base, commit("ours", "x", "1"))
		if got := b.Heads()[want]; got != string(tip.Rev()) {
			b.Errorf("%s is at %q, want %s", want, got, tip.Rev())
		}
	}
}

// fullNames can be read wherever they are, and written below refs/heads.
func fullNames(b *bench) {
	base := b.snapshot()
	const pull = "refs/pull/12/head"
	head := b.replace(ours, "", base, commit("ours", "x", "1"))
	b.Point(pull, string(head.Rev()))
	for name, want := range map[string]gitstore.Rev{"refs/heads/main": base.Rev(), "refs/heads/" + ours: head.Rev(), pull: head.Rev()} {
		if got := b.on(name).Rev(); got != want {
			b.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
	if again := b.on("refs/heads/main"); again != base {
		b.Errorf("another snapshot of main by its full name")
	}
	for _, name := range []string{"refs/pull/13/head", "refs/heads/elsewhere"} {
		_, err := b.store.Snapshot(b.Context(), name)
		b.wantKind(err, gitstore.NoBranch)
	}
	for _, name := range []string{pull, "refs/notes/x", "HEAD"} {
		_, err := b.store.Push(b.Context(), name, head, commit("ours", "x", "2"))
		b.wantKind(err, gitstore.NoBranch)
		_, err = b.store.Replace(b.Context(), name, head.Rev(), base, commit("ours", "x", "2"))
		b.wantKind(err, gitstore.NoBranch)
		b.wantKind(b.store.Delete(b.Context(), name, head.Rev()), gitstore.NoBranch)
	}
	if got := b.on(pull).Rev(); got != head.Rev() {
		b.Errorf("%s was moved to %s", pull, got)
	}
	if err := b.store.Delete(b.Context(), "refs/heads/"+ours, head.Rev()); err != nil {
		b.Errorf("delete by the full name: %v", err)
	}
	b.wantHeads(map[string]string{"main": b.Tip()})
}

// severalBranches compares what was read and made in any order.
func severalBranches(b *bench) {
	first := b.snapshot()
	left := b.replace("towpath/left", "", first, commit("left", "left", "1"))
	b.Commit(map[string]string{"top.yaml": "second\n"}, "second")
	second := b.snapshot()
	right := b.replace("towpath/right", "", second, commit("right", "right", "1"))
	b.Point("theirs", string(first.Rev()))
	b.CommitOn("theirs", map[string]string{"app/new/file": "2"}, "theirs 1")
	b.CommitOn("theirs", map[string]string{"theirs": "1"}, "theirs 2")
	b.Commit(map[string]string{"docs/readme.md": "third\n"}, "third")
	theirs, third := b.on("theirs"), b.snapshot()

	all := []gitstore.Snapshot{first, second, third, left, right, theirs}
	for _, s := range all {
		for _, from := range all {
			want := diff(b, s, from)
			b.wantDiff(fmt.Sprintf("changes from %q to %q", from.About().Subject, s.About().Subject), want, signs(b.changes(s, from)))
		}
	}
	b.wantDiff("left", []string{"left", "first"}, b.line(left))
	b.wantDiff("right", []string{"right", "second", "first"}, b.line(right))
	b.wantDiff("theirs", []string{"theirs 2", "theirs 1", "first"}, b.line(theirs))
	b.wantDiff("third", []string{"third", "second", "first"}, b.line(third))
	if got := b.read(theirs, "app/new/file"); got != "2" {
		b.Errorf("their file: got %q", got)
	}
	if b.snapshot() != third || b.on("theirs") != theirs || b.on("towpath/left") != left {
		b.Errorf("another snapshot of what nothing moved")
	}
}

// diff tells the changes between two snapshots by their whole lists.
func diff(b *bench, s, from gitstore.Snapshot) []string {
	b.Helper()
	blobs := func(s gitstore.Snapshot) map[string]gitstore.BlobID {
		m := map[string]gitstore.BlobID{}
		for _, c := range b.changes(s, nil) {
			m[c.Path] = c.New.Blob
		}
		return m
	}
	old, new := blobs(from), blobs(s)
	all := maps.Clone(old)
	maps.Copy(all, new)
	var out []string
	for _, path := range slices.Sorted(maps.Keys(all)) {
		switch {
		case old[path] == "":
			out = append(out, "+ "+path)
		case new[path] == "":
			out = append(out, "- "+path)
		case old[path] != new[path]:
			out = append(out, "* "+path)
		}
	}
	return out
}

// personOnOurs is a commit on our branch that nobody overwrites, and that can be read.
func personOnOurs(b *bench) {
	base := b.snapshot()
	tip := b.replace(ours, "", base, commit("ours", "x", "1"))
	theirs := b.CommitOn(ours, map[string]string{"x": "theirs"}, "theirs")
	if _, err := b.store.Replace(b.Context(), ours, tip.Rev(), base, commit("ours 2", "x", "2")); !errors.Is(err, gitstore.ErrMoved) {
		b.Errorf("a branch with a person's commit: got %v, want ErrMoved", err)
	}
	b.wantHeads(map[string]string{"main": b.Tip(), ours: theirs})
	now := b.on(ours)
	b.wantDiff("log", []string{"theirs", "ours", "first"}, b.line(now))
	b.wantDiff("changes", []string{"* x"}, signs(b.changes(now, tip)))
	if got := b.read(now, "x"); got != "theirs" {
		b.Errorf("their content: got %q", got)
	}
	b.push(b.snapshot(), commit("on main", "y", "1"))
}

// lostAnswers are changes whose end nobody tells. If the store cannot find out, the
// branches themselves say it, and what is done again is done once.
func lostAnswers(b *bench) {
	if b.lose == nil {
		b.Skip("no answer can be lost here")
	}
	base := b.snapshot()
	at := func() gitstore.Rev {
		b.Helper()
		tips, err := b.store.Branches(b.Context(), ours)
		if err != nil {
			b.Fatalf("branches: %v", err)
		}
		b.wantDiff("the branch", b.Heads()[ours], string(tips[ours]))
		return tips[ours]
	}
	for _, landed := range []bool{true, false} {
		name := fmt.Sprintf("landed %t", landed)
		for i, step := range []func(context.Context, gitstore.Rev) (gitstore.Rev, error){
			func(ctx context.Context, old gitstore.Rev) (gitstore.Rev, error) { // made
				return rev(b.store.Replace(ctx, ours, old, base, commit("ours 1 "+name, "x", "1")))
			},
			func(ctx context.Context, old gitstore.Rev) (gitstore.Rev, error) { // replaced
				return rev(b.store.Replace(ctx, ours, old, base, commit("ours 2 "+name, "x", "2")))
			},
			func(ctx context.Context, old gitstore.Rev) (gitstore.Rev, error) {
				return "", b.store.Delete(ctx, ours, old)
			},
		} {
			old := at()
			b.lose(landed)
			got, err := step(b.Context(), old)
			switch now := at(); {
			case errors.Is(err, gitstore.ErrMoved):
				b.Errorf("step %d, %s: ErrMoved, though nobody else moved the branch", i, name)
			case landed && now == old, !landed && now != old:
				b.Errorf("step %d, %s: the branch went from %q to %q", i, name, old, now)
			case err == nil && got != now:
				b.Errorf("step %d, %s: told of %q, but the branch is at %q", i, name, got, now)
			case err == nil && !landed:
				b.Errorf("step %d, %s: told of success", i, name)
			}
			if !landed {
				if got, err := step(b.Context(), old); err != nil || at() != got {
					b.Errorf("step %d again: %v", i, err)
				}
			}
		}
	}
}

func rev(s gitstore.Snapshot, err error) (gitstore.Rev, error) {
	if err != nil {
		return "", err
	}
	return s.Rev(), nil
}

// oneRefused is a change in two branches of which one is refused: the other is whole, each
// tells for itself, and what was refused can be done later.
//
// fault: G-29
func oneRefused(b *bench) {
	if b.refuse == nil {
		b.Skip("nothing is refused here")
	}
	base := b.snapshot()
	status, bump := commit("status", "app/stream.yaml", "status: b\n"), commit("bump", "app/deploy.yaml", "image: b\n")

	allow := b.refuse(ours)
	tip := b.push(base, status)
	_, err := b.store.Replace(b.Context(), ours, "", tip, bump)
	b.wantKind(err, gitstore.Denied)
	b.wantHeads(map[string]string{"main": string(tip.Rev())})
	allow()
	proposed := b.replace(ours, "", tip, bump)
	b.wantHeads(map[string]string{"main": string(tip.Rev()), ours: string(proposed.Rev())})
	b.wantDiff("log", []string{"bump", "status", "first"}, b.line(proposed))

	allow = b.refuse("main")
	again := b.replace(ours, proposed.Rev(), tip, commit("bump", "app/deploy.yaml", "image: c\n"))
	_, err = b.store.Push(b.Context(), "main", tip, commit("status", "app/stream.yaml", "status: c\n"))
	b.wantKind(err, gitstore.Denied)
	b.wantHeads(map[string]string{"main": string(tip.Rev()), ours: string(again.Rev())})
	allow()
	b.push(tip, commit("status", "app/stream.yaml", "status: c\n"))

	allow = b.refuse(ours)
	_, err = b.store.Replace(b.Context(), ours, again.Rev(), base, bump)
	b.wantKind(err, gitstore.Denied)
	b.wantKind(b.store.Delete(b.Context(), ours, again.Rev()), gitstore.Denied)
	b.wantHeads(map[string]string{"main": b.Tip(), ours: string(again.Rev())})
	allow()
	if err := b.store.Delete(b.Context(), ours, again.Rev()); err != nil {
		b.Errorf("delete: %v", err)
	}
	b.wantHeads(map[string]string{"main": b.Tip()})
}
