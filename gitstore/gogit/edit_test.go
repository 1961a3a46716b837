package gogit_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/towpath/towpath/gitstore"
	"github.com/towpath/towpath/gitstore/gittest"
	"github.com/towpath/towpath/gitstore/gogit"
	"github.com/towpath/towpath/internal/seeds"
)

// Random edits make the tree that git makes of them, byte for byte, and
// Changes between any two of the trees lists what git lists.
func TestTreesAreGits(t *testing.T) {
	t.Parallel()
	seed := seeds.Of(t)
	random := rand.New(rand.NewPCG(seed, 0))
	names := []string{"a", "a-b", "a.b", "a0", "ab", "b", "ü", "Z", "long name", "x_"}
	path := func() string {
		parts := make([]string, 1+random.IntN(4))
		for i := range parts {
			parts[i] = names[random.IntN(len(names))]
		}
		return strings.Join(parts, "/")
	}
	first := map[string]string{"keep": "1"}
	ours, theirs := gittest.NewRepo(t, first), gittest.NewRepo(t, first)
	s := open(t, gogit.Options{Repo: ours.Dir})
	snap, err := s.Snapshot(t.Context(), "main")
	if err != nil {
		t.Fatal(err)
	}
	snaps := []gitstore.Snapshot{snap}
	for round := range 12 {
		edits := map[string]string{}
		for range 1 + random.IntN(40) {
			edits[path()] = fmt.Sprint(random.IntN(4))
		}
		for p := range edits { // a file cannot stand where a directory is
			if clashes(p, edits) || clashes(p, readAll(t, snap)) {
				delete(edits, p)
			}
		}
		chain := gitstore.Commit{Message: fmt.Sprint(round), Author: bot, When: time.Unix(1.8e9, 0)}
		for _, p := range slices.Sorted(maps.Keys(edits)) {
			chain.Edits = append(chain.Edits, gitstore.Edit{Path: p, Content: []byte(edits[p])})
		}
		random.Shuffle(len(chain.Edits), func(i, j int) { chain.Edits[i], chain.Edits[j] = chain.Edits[j], chain.Edits[i] })
		if snap, err = s.Push(t.Context(), "main", snap, chain); err != nil {
			t.Fatal(err)
		}
		theirs.Commit(edits, "edits")
		if diff := cmp.Diff(theirs.Files(), ours.Files()); diff != "" {
			t.Fatalf("round %d (-git +store)\n%s", round, diff)
		}
		snaps = append(snaps, snap)
	}
	for range 20 {
		from, to := snaps[random.IntN(len(snaps))], snaps[random.IntN(len(snaps))]
		changes, err := to.Changes(t.Context(), from)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, c := range changes {
			status := map[[2]bool]string{{false, true}: "A", {true, false}: "D", {true, true}: "M"}[[2]bool{c.Old != nil, c.New != nil}]
			got = append(got, status+"\t"+c.Path)
		}
		want := strings.Split(strings.TrimSuffix(ours.Git("-c", "core.quotePath=false", "diff", "--no-renames", "--name-status", string(from.Rev()), string(to.Rev())), "\n"), "\n")
		want = slices.DeleteFunc(want, func(s string) bool { return s == "" })
		if !slices.Equal(want, got) {
			t.Fatalf("changes (-git +store)\n%s", cmp.Diff(want, got))
		}
	}
	ours.Fsck()
}

func clashes(p string, with map[string]string) bool {
	for other := range with {
		if strings.HasPrefix(other, p+"/") || strings.HasPrefix(p, other+"/") {
			return true
		}
	}
	return false
}

func readAll(t *testing.T, s gitstore.Snapshot) map[string]string {
	t.Helper()
	changes, err := s.Changes(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, c := range changes {
		files[c.Path] = ""
	}
	return files
}

// What cannot be a file of ours is told apart, shown quoted where its name
// deceives, never written through, and kept as it is.
func TestOddEntries(t *testing.T) {
	r := gittest.NewRepo(t, map[string]string{"a/file": "1"})
	blob, sub := r.Blob("x"), r.Git("rev-parse", "main^{tree}")
	odd := []struct{ name, mode, shown, skip string }{
		{"plain", gittest.Regular, "plain", ""},
		{"program", gittest.Executable, "program", ""},
		{"deprecated", "100664", "deprecated", ""},
		{"link", gittest.Symlink, "link", "a symbolic link"},
		{"module", gittest.Submodule, "module", "a submodule"},
		{"strange", "100000", "strange", "an entry of an unknown mode"},
		{".git", "40000", `".git"`, "an unusable name"},
		{".GIT", gittest.Regular, `".GIT"`, "an unusable name"},
		{".git ", gittest.Regular, `".git "`, "an unusable name"},
		{".git...", gittest.Regular, `".git..."`, "an unusable name"},
		{".git:stream", gittest.Regular, `".git:stream"`, "an unusable name"},
		{"GIT~1", gittest.Regular, `"GIT~1"`, "an unusable name"},
		{".g\u200cit", gittest.Regular, `".g\u200cit"`, "an unusable name"},
		{"..", "40000", `".."`, "an unusable name"},
		{".", gittest.Regular, `"."`, "an unusable name"},
		{`back\slash`, gittest.Regular, `"back\\slash"`, "an unusable name"},
		{"sl/ash", gittest.Regular, `"sl/ash"`, "an unusable name"},
		{"esc\x1b[31m", gittest.Regular, `"esc\x1b[31m"`, "an unusable name"},
		{"new\nline", gittest.Regular, `"new\nline"`, "an unusable name"},
		{"latin\xe9", gittest.Regular, `"latin\xe9"`, "an unusable name"},
		{"bidi\u202etxt", gittest.Regular, `"bidi\u202etxt"`, "an unusable name"},
		{".gitignore", gittest.Regular, ".gitignore", ""},
		{"naïve 文.yaml", gittest.Regular, "naïve 文.yaml", ""},
	}
	var entries []gittest.TreeEntry
	want := map[string]string{}
	for _, o := range odd {
		id := blob
		switch o.mode {
		case "40000":
			id = sub
		case gittest.Submodule:
			id = r.Tip()
		}
		entries = append(entries, gittest.TreeEntry{Mode: o.mode, ID: id, Name: o.name})
		want[o.shown] = o.skip
	}
	r.CommitTree(r.Tree(entries...), "odd")
	s := open(t, gogit.Options{Repo: r.Dir})
	snap, err := s.Snapshot(t.Context(), "main")
	if err != nil {
		t.Fatal(err)
	}
	changes, err := snap.Changes(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, c := range changes {
		got[c.Path] = c.New.Skip
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("files (-want +got)\n%s", diff)
	}

	edit := func(path string) error {
		_, err := s.Push(t.Context(), "main", snap, gitstore.Commit{
			Edits: []gitstore.Edit{{Path: path, Content: []byte("ours")}}, Message: "ours", Author: bot, When: time.Unix(1.8e9, 0),
		})
		return err
	}
	for _, path := range []string{
		"link", "link/below", "module/below", "plain/below", "strange", ".git/config", "a/.GIT/x", "../x", "./x", "/x", "x/", "", "a//b",
		"x\x00y", "x\ny", strings.Repeat("d/", 64) + "f", strings.Repeat("x", 5000),
	} {
		wantKind(t, edit(path), gitstore.Unsupported)
	}
	if got := r.Tip(); got != string(snap.Rev()) {
		t.Fatalf("a refused edit moved the branch to %s", got)
	}
	before := modes(r)
	if err := edit("deprecated"); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, modes(r)); diff != "" {
		t.Errorf("names and modes (-before +after)\n%s", diff)
	}
}

// modes is the raw tree without its ids.
func modes(r *gittest.Repo) []string {
	raw := r.Git("cat-file", "tree", "main^{tree}")
	var out []string
	for len(raw) > 0 {
		head, rest, ok := strings.Cut(raw, "\x00")
		out = append(out, head)
		if !ok || len(rest) < 20 {
			break
		}
		raw = rest[20:]
	}
	return out
}

// A tree in no order, or with a name twice, is read without harm.
func TestTreeInDisorder(t *testing.T) {
	r := gittest.NewRepo(t, map[string]string{"d/x": "1"})
	one, two, dir := r.Blob("one"), r.Blob("two"), r.Git("rev-parse", "main:d")
	commit := func(entries ...gittest.TreeEntry) gitstore.Snapshot {
		r.CommitTree(r.Tree(entries...), "odd")
		snap, err := open(t, gogit.Options{Repo: r.Dir}).Snapshot(t.Context(), "main")
		if err != nil {
			t.Fatal(err)
		}
		return snap
	}
	snap := commit(
		gittest.TreeEntry{Mode: gittest.Regular, ID: two, Name: "z"},
		gittest.TreeEntry{Mode: gittest.Regular, ID: one, Name: "a"},
		gittest.TreeEntry{Mode: gittest.Regular, ID: two, Name: "a"},
		gittest.TreeEntry{Mode: "40000", ID: dir, Name: "d"},
	)
	changes, err := snap.Changes(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range changes {
		got = append(got, c.Path+" "+string(c.New.Blob))
	}
	want := []string{"a " + one, "d/x " + r.Git("rev-parse", dir+":x"), "z " + two}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("files (-want +got)\n%s", diff)
	}
	_, err = commit(gittest.TreeEntry{Mode: "40000", ID: one, Name: "f"}).Changes(t.Context(), nil)
	wantKind(t, err, gitstore.Unsupported)
}
