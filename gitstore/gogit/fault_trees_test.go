package gogit_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/towpath/towpath/gitstore"
	"github.com/towpath/towpath/gitstore/gittest"
	"github.com/towpath/towpath/gitstore/gogit"
)

// eachStore runs a test over one repository on disk and over the same behind a server.
func eachStore(t *testing.T, r *gittest.Repo, test func(t *testing.T, s *gogit.Store)) {
	t.Helper()
	t.Run("local", func(t *testing.T) { test(t, open(t, gogit.Options{Repo: r.Dir})) })
	t.Run("http", func(t *testing.T) {
		_, s := served(t, r, filepath.Join(t.TempDir(), "cache"))
		test(t, s)
	})
}

// tipOf is the snapshot of main.
func tipOf(t *testing.T, s *gogit.Store) gitstore.Snapshot {
	t.Helper()
	snap, err := s.Snapshot(t.Context(), "main")
	if err != nil {
		t.Fatal(err)
	}
	return snap
}

// listing tells of each file why it is skipped; the empty text is a file to read.
func listing(t *testing.T, snap gitstore.Snapshot) map[string]string {
	t.Helper()
	changes, err := snap.Changes(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, c := range changes {
		files[c.Path] = c.New.Skip
	}
	return files
}

// wantRefusals wants edits refused one by one, and the branch where it was.
func wantRefusals(t *testing.T, r *gittest.Repo, s *gogit.Store, snap gitstore.Snapshot, paths ...string) {
	t.Helper()
	for _, path := range paths {
		_, err := write1(t, s, snap, path, "ours\n")
		wantKind(t, err, gitstore.Unsupported)
	}
	if got := r.Tip(); got != string(snap.Rev()) {
		t.Errorf("a refused edit moved the branch to %s", got)
	}
}

// write1 pushes one file.
func write1(t *testing.T, s *gogit.Store, base gitstore.Snapshot, path, content string) (gitstore.Snapshot, error) {
	t.Helper()
	return s.Push(t.Context(), "main", base, gitstore.Commit{
		Edits: []gitstore.Edit{{Path: path, Content: []byte(content)}}, Message: "ours", Author: bot, When: time.Unix(1.8e9, 0),
	})
}

const notRead = "a symbolic link"

// A symbolic link is a file whose content is a path: it is listed as what it is, leads
// nowhere, and nothing is written to it, through it or below it.
//
// fault: C-01
// fault: C-02
// fault: C-03
// fault: C-04
func TestSymbolicLinks(t *testing.T) {
	outside := filepath.Join(t.TempDir(), "outside")
	writeIn(t, outside, "stream.yaml", "outside\n")
	links := map[string]string{
		"passwd.yaml":     "/etc/passwd",
		"up.yaml":         "../../../../../../../../etc/passwd",
		"abs.yaml":        filepath.Join(outside, "stream.yaml"),
		"outside":         outside,
		"updir":           "..",
		"apps/inside":     "../streams",
		"self":            "self",
		"apps/self":       "../apps",
		"ping":            "pong",
		"pong":            "ping",
		"apps/sibling.y":  "web.yaml",
		"apps/.git":       "../../repo.git",
		"none.yaml":       "nowhere",
		"empty-name.yaml": " ",
	}
	r := gittest.NewRepo(t, map[string]string{"apps/web.yaml": "web\n", "streams/web.yaml": "stream\n"})
	want := map[string]string{"apps/web.yaml": "", "streams/web.yaml": ""}
	for path, target := range links {
		r.Put(path, gittest.Symlink, target, "a link")
		want[path] = notRead
	}
	delete(want, "apps/.git")
	want[`"apps/.git"`] = "an unusable name"
	eachStore(t, r, func(t *testing.T, s *gogit.Store) {
		snap := tipOf(t, s)
		if diff := cmp.Diff(want, listing(t, snap)); diff != "" {
			t.Errorf("files (-want +got)\n%s", diff)
		}
		before := r.Files()
		for path := range links {
			wantRefusals(t, r, s, snap, path, path+"/web.yaml", path+"/new/file")
		}
		wantRefusals(t, r, s, snap, "self/self/self", "ping/pong", "updir/etc/passwd", "outside/stream.yaml")
		if diff := cmp.Diff(before, r.Files()); diff != "" {
			t.Errorf("tree (-before +after)\n%s", diff)
		}
	})
	raw, err := os.ReadFile(filepath.Join(outside, "stream.yaml"))
	if err != nil || string(raw) != "outside\n" || len(walk(t, outside)) != 1 {
		t.Errorf("outside the repository: %q, %v, files %v", raw, err, walk(t, outside))
	}
}

// A file that turns into a link, or a directory into one, is gone as a file.
//
// fault: C-03
func TestFileBecomesLink(t *testing.T) {
	r := gittest.NewRepo(t, map[string]string{"apps/web.yaml": "web\n", "streams/web.yaml": "stream\n"})
	eachStore(t, r, func(t *testing.T, s *gogit.Store) {
		before := tipOf(t, s)
		r.Delete("apps is no directory", "apps")
		r.Put("apps", gittest.Symlink, "streams", "but a link to one")
		if _, err := write1(t, s, before, "apps/web.yaml", "ours\n"); err == nil {
			t.Error("an edit of the old tree landed on the new one")
		}
		after := tipOf(t, s)
		if diff := cmp.Diff(map[string]string{"apps": notRead, "streams/web.yaml": ""}, listing(t, after)); diff != "" {
			t.Errorf("files (-want +got)\n%s", diff)
		}
		wantRefusals(t, r, s, after, "apps/web.yaml", "apps")
		if got := r.Read("streams/web.yaml"); got != "stream\n" {
			t.Errorf("written through the link: %q", got)
		}
		r.Delete("no link", "apps")
		r.Commit(map[string]string{"apps/web.yaml": "web\n"}, "a directory again")
	})
}

// Names by which Git's own files would be reached, or people be deceived, on any file
// system: what is below them is not even listed, nothing is written to them, and they
// stay as they are in the trees that are written. Nothing of them reaches the disk.
//
// fault: C-05
func TestUnusableNames(t *testing.T) {
	names := []string{
		".git", ".GIT", ".Git", "git~1", "GIT~1", ".g\u200cit", "\u200d.git", ".git\u200b", ".git ", ".git.", ".git::$INDEX_ALLOCATION",
		"..", ".", `a\b`, `..\..\config`, "a/b", "../x", "/etc", "c\x1b[2J", "d\x7f", "e\u202ef", "\xff\xfe",
	}
	r := gittest.NewRepo(t, map[string]string{"keep": "1", "sub/config": "[core]\n\tfsmonitor = true\n", "sub/hooks/post-update": "#!/bin/sh\n"})
	blob, dir := r.Blob("evil\n"), r.Git("rev-parse", "main:sub")
	entries := []gittest.TreeEntry{{Mode: gittest.Regular, ID: blob, Name: "web.yaml"}, {Mode: gittest.Regular, ID: blob, Name: "CON"}}
	for i, name := range names {
		e := gittest.TreeEntry{Mode: "40000", ID: dir, Name: name}
		if i%2 == 1 {
			e = gittest.TreeEntry{Mode: gittest.Regular, ID: blob, Name: name}
		}
		entries = append(entries, e)
	}
	deep := r.Tree(entries...)
	r.CommitTree(r.Tree(append(entries, gittest.TreeEntry{Mode: "40000", ID: deep, Name: "zz"})...), "odd names")
	config := contentOf(t, filepath.Join(r.Dir, "config"))
	// CON is a device where Windows would check it out. Here it is a name like any other.
	want := map[string]string{"web.yaml": "", "CON": "", "zz/web.yaml": "", "zz/CON": ""}
	for _, name := range names {
		want[fmt.Sprintf("%q", name)] = "an unusable name"
		want[fmt.Sprintf("%q", "zz/"+name)] = "an unusable name"
	}
	around := func() []string { return withoutObjects(walk(t, filepath.Dir(r.Dir))) }
	before := around()
	eachStore(t, r, func(t *testing.T, s *gogit.Store) {
		snap := tipOf(t, s)
		if diff := cmp.Diff(want, listing(t, snap)); diff != "" {
			t.Errorf("files (-want +got)\n%s", diff)
		}
		for _, name := range names {
			if name == "a/b" {
				continue // as a path it is a fine one
			}
			wantRefusals(t, r, s, snap, name, name+"/config", "zz/"+name, "new/"+name+"/x")
		}
		wantRefusals(t, r, s, snap, "", "/", "zz/", "zz//x", "zz/./x", "zz/../../x")
		odd := modes(r)
		if _, err := write1(t, s, snap, "web.yaml", strings.Repeat("ours\n", 2)); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(odd, modes(r)); diff != "" {
			t.Errorf("names and modes of the tree that was written (-before +after)\n%s", diff)
		}
		r.Move(string(snap.Rev()))
	})
	if diff := cmp.Diff(before, around()); diff != "" {
		t.Errorf("files on disk (-before +after)\n%s", diff)
	}
	if got := contentOf(t, filepath.Join(r.Dir, "config")); got != config {
		t.Errorf("the repository's config is\n%s", got)
	}
}

// A tree with an entry without a name, which git itself refuses to send.
//
// fault: C-05
func TestEmptyName(t *testing.T) {
	r := gittest.NewRepo(t, map[string]string{"sub/f": "1"})
	blob, dir := r.Blob("evil\n"), r.Git("rev-parse", "main:sub")
	for _, e := range []gittest.TreeEntry{{Mode: gittest.Regular, ID: blob}, {Mode: "40000", ID: dir}} {
		r.CommitTree(r.Tree(e, gittest.TreeEntry{Mode: gittest.Regular, ID: blob, Name: "web.yaml"}), "no name")
		s := open(t, gogit.Options{Repo: r.Dir})
		snap := tipOf(t, s)
		if diff := cmp.Diff(map[string]string{`""`: "an unusable name", "web.yaml": ""}, listing(t, snap)); diff != "" {
			t.Errorf("files (-want +got)\n%s", diff)
		}
		wantRefusals(t, r, s, snap, "", "/f")
	}
}

// Submodules are not fetched, whatever .gitmodules says, and a gitlink that names a blob
// or a tree of this very repository leads to neither.
//
// fault: C-06
func TestSubmodules(t *testing.T) {
	trap := gittest.NewTrap(t, "reader", "fake")
	marker := filepath.Join(t.TempDir(), "executed")
	modules := ""
	for i, url := range []string{
		trap.URL + "/a.git", strings.Replace(trap.URL, "http://", "git://", 1) + "/b.git", "ext::sh -c touch% " + marker, "file://" + marker,
		"-u./x", "--upload-pack=touch " + marker, "../../elsewhere.git", "ssh://-oProxyCommand=touch%20" + marker + "/x",
	} {
		modules += fmt.Sprintf("[submodule \"m%d\"]\n\tpath = m%d\n\turl = %s\n\tupdate = !touch %s\n", i, i, url, marker)
	}
	r := gittest.NewRepo(t, map[string]string{".gitmodules": modules, "streams/web.yaml": "stream\n", "m9/x": "a directory\n"})
	want := map[string]string{".gitmodules": "", "streams/web.yaml": "", "m9/x": ""}
	ids := []string{strings.Repeat("1", 40), r.Git("rev-parse", "main:streams/web.yaml"), r.Git("rev-parse", "main:streams"), r.Tip()}
	for i, id := range ids {
		for _, path := range []string{fmt.Sprintf("m%d", i), fmt.Sprintf("apps/m%d.yaml", i)} {
			r.Put(path, gittest.Submodule, id, "a submodule")
			want[path] = "a submodule"
		}
	}
	eachStore(t, r, func(t *testing.T, s *gogit.Store) {
		snap := tipOf(t, s)
		if diff := cmp.Diff(want, listing(t, snap)); diff != "" {
			t.Errorf("files (-want +got)\n%s", diff)
		}
		for i := range ids {
			wantRefusals(t, r, s, snap, fmt.Sprintf("m%d", i), fmt.Sprintf("m%d/web.yaml", i))
		}
		if _, err := write1(t, s, snap, "streams/web.yaml", "ours\n"); err != nil {
			t.Fatal(err)
		}
		r.Move(string(snap.Rev()))
	})
	if n := trap.Seen.Load(); n > 0 {
		t.Errorf("%d requests to a submodule's server", n)
	}
	if _, err := os.Stat(marker); err == nil {
		t.Error("a command of .gitmodules ran")
	}
}

// What Git's porcelain would heed has no part in what is read and written: attributes,
// hooks and commands of the config, repositories inside the tree, replaced objects,
// grafts and notes.
//
// fault: C-08
func TestGitsOwnSettings(t *testing.T) {
	marker := filepath.Join(t.TempDir(), "executed")
	touch := "touch '" + marker + "'"
	const content = "a: $Id$\r\nb: 1\n" + "c: \xef\xbb\xbf\t \r\n"
	attributes := "* text eol=lf ident filter=evil diff=evil merge=ours working-tree-encoding=UTF-16 export-subst\n*.yaml -diff linguist-generated\n"
	r := gittest.NewRepo(t, map[string]string{
		"web.yaml": content, ".gitattributes": attributes, "dir/.gitattributes": attributes, ".gitignore": "*\n", ".mailmap": "E <e@example.com> <person@example.com>\n",
		"inner/HEAD": "ref: refs/heads/main\n", "inner/config": "[core]\n\tbare = true\n\tfsmonitor = " + touch + "\n\tsshCommand = " + touch + "\n",
		"inner/objects/info/alternates": "/elsewhere\n", "inner/refs/heads/main": strings.Repeat("1", 40) + "\n", "inner/hooks/post-update": touch + "\n",
	})
	first := r.Tip()
	r.Commit(map[string]string{"dir/x": "1"}, "second")
	evil, blob := r.Blob("evil: true\n"), r.Git("rev-parse", "main:web.yaml")
	r.Git("replace", blob, evil)
	r.Git("replace", r.Tip(), r.Git("commit-tree", r.Git("rev-parse", "main:inner"), "-m", "replaced"))
	writeIn(t, filepath.Join(r.Dir, "info"), "grafts", r.Tip()+"\n"+first+" "+r.Tip()+"\n")
	r.Git("notes", "add", "-m", "Towpath-Commit: status", first)
	writeIn(t, filepath.Join(r.Dir, "info"), "attributes", attributes)
	for _, hook := range []string{"pre-receive", "update", "post-receive", "post-update", "reference-transaction", "pre-commit", "commit-msg", "pre-push", "fsmonitor-watchman"} {
		r.Hook(hook, touch)
	}
	settings := "[core]\n\tautocrlf = true\n\tfsmonitor = " + touch + "\n\tsshCommand = " + touch + "\n\tgitProxy = " + touch + "\n\talternateRefsCommand = " + touch +
		"\n[filter \"evil\"]\n\tclean = " + touch + "\n\tsmudge = " + touch + "\n\trequired = true\n[diff \"evil\"]\n\ttextconv = " + touch + "\n[i18n]\n\tcommitEncoding = UTF-16\n"
	original := contentOf(t, filepath.Join(r.Dir, "config"))
	write(t, filepath.Join(r.Dir, "config"), original+settings)

	s := open(t, gogit.Options{Repo: r.Dir})
	snap := tipOf(t, s)
	if got := readFile(t, snap, "web.yaml"); got != content {
		t.Errorf("read %q, want %q", got, content)
	}
	for path, skip := range listing(t, snap) {
		if skip != "" {
			t.Errorf("%s is skipped as %s", path, skip)
		}
	}
	if parent, err := snap.Parent(t.Context()); err != nil || string(parent.Rev()) != first || parent.About().Subject != "first" || parent.About().Author.Email != gittest.Email {
		t.Errorf("parent %+v, %v", parent, err)
	} else if parent, err = parent.Parent(t.Context()); parent != nil || err != nil {
		t.Errorf("the first commit has the parent %v, %v", parent, err)
	}
	const ours = "a: $Id$\r\nb: 2\n\xff"
	tip, err := write1(t, s, snap, "web.yaml", ours)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(marker); err == nil {
		t.Error("a command of the repository ran")
	}
	write(t, filepath.Join(r.Dir, "config"), original) // what git is asked from here on runs nothing
	r.Hook("reference-transaction", "")
	if got, err := r.Try("", "--no-replace-objects", "cat-file", "blob", string(tip.Rev())+":web.yaml"); err != nil || got != ours {
		t.Errorf("written %q, %v, want %q", got, err, ours)
	}
	if got := r.Git("--no-replace-objects", "diff-tree", "-r", "--no-commit-id", "--name-only", string(tip.Rev())); got != "web.yaml" {
		t.Errorf("the commit changes %q", got)
	}
}

func writeIn(t *testing.T, dir, name, content string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, name), content)
}

func contentOf(t *testing.T, path string) string {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// withoutObjects leaves out what any push adds, and the branch that it moves.
func withoutObjects(paths []string) []string {
	var rest []string
	for _, path := range paths {
		if !strings.Contains(path, "/objects/") && !strings.HasSuffix(path, "refs/heads/main") {
			rest = append(rest, path)
		}
	}
	return rest
}
