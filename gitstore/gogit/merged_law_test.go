package gogit_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/towpath/towpath/gitstore"
	"github.com/towpath/towpath/gitstore/gittest"
	"github.com/towpath/towpath/gitstore/gogit"
	"github.com/towpath/towpath/internal/seeds"
)

// A mergeWorld is a repository in which people commit to main and head, and merge the one into
// the other.
type mergeWorld struct {
	*gittest.Repo
	rnd   *rand.Rand
	lines int // made so far: each is another
}

// mergePaths have one directory where another time there is a file.
var mergePaths = []string{"a.yaml", "b.yaml", "c/d.yaml", "c/e.yaml", "c", "f"}

// commit changes a few files of a branch.
func (w *mergeWorld) commit(branch string) {
	files := w.files(branch)
	var in strings.Builder
	for range 1 + w.rnd.IntN(2) {
		path := mergePaths[w.rnd.IntN(len(mergePaths))]
		maps.DeleteFunc(files, func(p string, _ string) bool {
			return strings.HasPrefix(p, path+"/") || strings.HasPrefix(path, p+"/")
		})
		switch w.rnd.IntN(10) {
		case 0:
			delete(files, path)
		case 1:
			files[path] = "120000 " + strings.TrimSpace(w.line())
		default:
			mode, text, _ := strings.Cut(files[path], " ")
			if mode != "100644" && mode != "100755" {
				mode, text = "100644", ""
			}
			if w.rnd.IntN(8) == 0 {
				mode = "100755"
			}
			files[path] = mode + " " + w.edit(text)
		}
	}
	fmt.Fprintf(&in, "commit refs/heads/%s\ncommitter A <a@example.com> %d +0000\ndata 1\nm\nfrom refs/heads/%[1]s^0\ndeleteall\n", branch, gittest.Start.Unix()+int64(w.rnd.IntN(1000)))
	for path, file := range files {
		mode, text, _ := strings.Cut(file, " ")
		fmt.Fprintf(&in, "M %s inline %s\ndata %d\n%s\n", mode, path, len(text), text)
	}
	w.GitInput(in.String(), "fast-import", "--quiet")
}

// edit changes a text here and there; no line is ever there twice.
func (w *mergeWorld) edit(text string) string {
	all := slices.Collect(strings.Lines(text))
	for len(all) < 12 {
		all = append(all, w.line())
	}
	for range 1 + w.rnd.IntN(2) {
		i := w.rnd.IntN(len(all))
		switch w.rnd.IntN(3) {
		case 0:
			all[i] = w.line()
		case 1:
			all = slices.Insert(all, i, w.line())
		case 2:
			all = slices.Delete(all, i, i+1)
		}
	}
	text = strings.Join(all, "")
	if w.rnd.IntN(6) == 0 {
		text = strings.TrimSuffix(text, "\n")
	} else if !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	return text
}

func (w *mergeWorld) line() string {
	w.lines++
	return fmt.Sprintf("line: %d\n", w.lines)
}

// files are those of a branch, each after its mode.
func (w *mergeWorld) files(branch string) map[string]string {
	tree := w.tree("refs/heads/" + branch)
	var ids strings.Builder
	for _, path := range slices.Sorted(maps.Keys(tree)) {
		_, id, _ := strings.Cut(tree[path], " ")
		ids.WriteString(id + "\n")
	}
	rest := w.GitInput(ids.String(), "cat-file", "--batch") + "\n"
	files := map[string]string{}
	for _, path := range slices.Sorted(maps.Keys(tree)) {
		head, after, _ := strings.Cut(rest, "\n")
		size, _ := strconv.Atoi(strings.Fields(head)[2])
		mode, _, _ := strings.Cut(tree[path], " ")
		files[path], rest = mode+" "+after[:size], after[size+1:]
	}
	return files
}

// tree are a tree's entries: mode and id by path.
func (w *mergeWorld) tree(of string) map[string]string {
	entries := map[string]string{}
	for line := range strings.SplitSeq(w.Git("ls-tree", "-r", of), "\n") {
		meta, path, ok := strings.Cut(line, "\t")
		if f := strings.Fields(meta); ok {
			entries[path] = f[0] + " " + f[2]
		}
	}
	return entries
}

// merged is what git makes of a merge, what it says, and whether it could. Nothing here looks
// renamed to it: no content is made twice.
func (w *mergeWorld) merged(base, head string) (tree, said string, clean bool) {
	out, err := w.Try("", "merge-tree", "--write-tree", base, head)
	tree, said, _ = strings.Cut(out, "\n")
	return tree, said, err == nil
}

// join merges one branch into another where that makes no conflict.
func (w *mergeWorld) join(into, from string) {
	if tree, _, clean := w.merged(into, from); clean {
		w.Point(into, w.Git("commit-tree", tree, "-m", "merge", "-p", into, "-p", from))
	}
}

// What git merges without a conflict, Merged merges to the same, however the branches were
// merged into each other before; and it merges nothing that git does not.
func TestLawMergedAsGit(t *testing.T) {
	t.Parallel()
	seed := seeds.Of(t)
	clean, conflicts := 0, 0
	for i := range uint64(12) {
		rnd := rand.New(rand.NewPCG(seed, i))
		w := &mergeWorld{Repo: gittest.NewRepo(t, map[string]string{"readme": "Read me.\n"}), rnd: rnd}
		s := open(t, gogit.Options{Repo: w.Dir})
		w.commit("main")
		w.commit("main")
		w.Point("head", w.Tip())
		for range 8 {
			switch n := w.rnd.IntN(6); {
			case n == 0:
				w.join("head", "main")
			case n == 1:
				w.join("main", "head")
			case n < 4:
				w.commit("main")
			default:
				w.commit("head")
			}
			tree, said, can := w.merged("main", "head")
			base, err := s.Snapshot(t.Context(), "main")
			if err != nil {
				t.Fatal(err)
			}
			head, err := s.Snapshot(t.Context(), "head")
			if err != nil {
				t.Fatal(err)
			}
			view, left, err := gitstore.Merged(t.Context(), base, head)
			if err != nil {
				t.Fatal(err)
			}
			if can != (len(left) == 0) {
				t.Errorf("seed %d, world %d, main %s, head %s: git merges them: %v; conflicts here: %v; git said:\n%s", seed, i, base.Rev(), head.Rev(), can, left, said)
			}
			if !can {
				conflicts++
				continue
			}
			clean++
			want, got := map[string]string{}, map[string]string{}
			for path, entry := range w.tree(tree) {
				want[path] = strings.Fields(entry)[1]
			}
			changes, err := view.Changes(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range changes {
				got[c.Path] = string(c.New.Blob)
				if text, err := view.Read(t.Context(), c.New.Blob); c.New.Skip == "" && (err != nil || gitstore.IDOf(text) != c.New.Blob) {
					t.Errorf("%s: %v", c.Path, err)
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("seed %d, world %d, main %s, head %s (-git +here)\n%s", seed, i, base.Rev(), head.Rev(), diff)
			}
		}
	}
	if clean < 20 || conflicts < 5 {
		t.Errorf("%d merges without and %d with conflicts say little", clean, conflicts)
	}
}

// Over a server, as much history is fetched as the merge needs, on either side of the merges
// within it.
func TestMergedFetches(t *testing.T) {
	t.Parallel()
	r := gittest.NewRepo(t, map[string]string{"ours": "1", "theirs": "1"})
	r.Point("head", r.Tip())
	for i := range 20 {
		r.Commit(map[string]string{"ours": fmt.Sprint("before ", i)}, "main")
	}
	tree := r.Tree(gittest.TreeEntry{Mode: gittest.Regular, ID: r.Blob("before 19"), Name: "ours"}, gittest.TreeEntry{Mode: gittest.Regular, ID: r.Blob("head"), Name: "theirs"})
	r.Point("head", r.Git("commit-tree", tree, "-m", "main into head", "-p", "head", "-p", "main"))
	r.CommitOn("head", map[string]string{"new": "head"}, "head")
	r.Commit(map[string]string{"ours": "after"}, "main")
	_, s := served(t, r, t.TempDir())
	at := func(branch string) gitstore.Snapshot {
		snap, err := s.Snapshot(t.Context(), branch)
		if err != nil {
			t.Fatal(err)
		}
		return snap
	}
	view, conflicts, err := gitstore.Merged(t.Context(), at("main"), at("head"))
	if err != nil || len(conflicts) > 0 {
		t.Fatalf("conflicts %v, %v", conflicts, err)
	}
	for path, want := range map[string]string{"ours": "after", "theirs": "head", "new": "head"} {
		if got := readFile(t, view, path); got != want {
			t.Errorf("%s: got %q, want %q", path, got, want)
		}
	}
}

// Two people settled one conflict each in their own way: that is a conflict again.
func TestMergedCrosswise(t *testing.T) {
	r := gittest.NewRepo(t, map[string]string{"a": "1\n"})
	r.Point("head", r.Tip())
	r.Commit(map[string]string{"a": "main\n"}, "main")
	r.CommitOn("head", map[string]string{"a": "head\n"}, "head")
	main := r.Git("commit-tree", "main^{tree}", "-m", "ours", "-p", "main", "-p", "head")
	head := r.Git("commit-tree", "head^{tree}", "-m", "ours", "-p", "head", "-p", "main")
	r.Move(main)
	r.Point("head", head)
	s := open(t, gogit.Options{Repo: r.Dir})
	for _, c := range [][2]string{{"main", "head"}, {"head", "main"}} {
		base, err := s.Snapshot(t.Context(), c[0])
		if err != nil {
			t.Fatal(err)
		}
		other, err := s.Snapshot(t.Context(), c[1])
		if err != nil {
			t.Fatal(err)
		}
		view, conflicts, err := gitstore.Merged(t.Context(), base, other)
		if err != nil || !slices.Equal(conflicts, []string{"a"}) {
			t.Fatalf("%s into %s: conflicts %v, %v", c[1], c[0], conflicts, err)
		}
		if got := readFile(t, view, "a"); got != c[1]+"\n" {
			t.Errorf("%s into %s: got %q", c[1], c[0], got)
		}
	}
}
