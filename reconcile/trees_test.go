package reconcile_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/towpath/towpath/gitstore/gittest"
	"github.com/towpath/towpath/gitstore/gogit"
	"github.com/towpath/towpath/gitstore/memory"
	"github.com/towpath/towpath/reconcile"
	registrymemory "github.com/towpath/towpath/registry/memory"
)

// What hostile trees hold, as streams and sites: real repositories, made by git.

// A ground is a repository on disk and a towpath that looks at it.
type ground struct {
	t        *testing.T
	repo     *gittest.Repo
	registry *registrymemory.Registry
	store    *gogit.Store
	line     *reconcile.Reconciler
	last     reconcile.Report
}

// onGround makes a repository of web.yaml, deploy.yaml and other files.
func onGround(t *testing.T, files map[string]string) *ground {
	t.Helper()
	all := map[string]string{"web.yaml": webStream, "deploy.yaml": webDeployment}
	for path, text := range files {
		all[path] = text
	}
	g := &ground{t: t, repo: gittest.NewRepo(t, all), registry: &registrymemory.Registry{}}
	g.image("aaa")
	g.open(g.repo.Dir)
	return g
}

// open lets a fresh towpath look, at a path or an URL.
func (g *ground) open(repo string) {
	g.t.Helper()
	store, err := gogit.Open(g.t.Context(), gogit.Options{Repo: repo, Username: "towpath"})
	if err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(func() { store.Close() })
	g.store, g.line = store, &reconcile.Reconciler{Store: store, Branch: "main", Reader: g.registry, Yes: true, Author: towpath}
}

func (g *ground) image(word string) {
	g.t.Helper()
	if err := g.registry.Set("quay.io/team1/web:1.4 " + word); err != nil {
		g.t.Fatal(err)
	}
}

func (g *ground) walk() {
	g.t.Helper()
	rep, err := g.line.Settle(g.t.Context(), reconcile.Hint{Scheduled: true})
	if err != nil {
		g.t.Fatal(err)
	}
	g.last = rep
}

// wantKnown wants streams and sites, by their names and files.
func (g *ground) wantKnown(want ...string) {
	g.t.Helper()
	var got []string
	for _, s := range g.line.Catalog().Streams {
		got = append(got, s.Name.String()+" in "+s.Path)
	}
	for _, s := range g.line.Catalog().Sites {
		got = append(got, s.ID.String()+" in "+s.Path)
	}
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		g.t.Errorf("streams and sites (-want +got)\n%s", diff)
	}
}

// wantWritten wants that all our commits together change these files and no others.
func (g *ground) wantWritten(base string, want ...string) {
	g.t.Helper()
	got := strings.Fields(g.repo.Git("diff", "--name-only", base, "main"))
	slices.Sort(got) // trees may be in disorder
	if diff := cmp.Diff(strings.Join(want, "\n"), strings.Join(got, "\n")); diff != "" {
		g.t.Errorf("files written (-want +got)\n%s", diff)
	}
}

// said counts what the report says of a path.
func (g *ground) said(path, what string) int {
	n := 0
	for _, p := range g.last.Problems {
		if p.Path == path && strings.Contains(p.What, what) {
			n++
		}
	}
	return n
}

var known = []string{"Deployment team1/web, container web in deploy.yaml", "team1/web in web.yaml"}

// evilStream and evilSite would be seen at once, were they read.
var (
	evilStream = strings.ReplaceAll(webStream, "{name: web,", "{name: evil,")
	evilSite   = strings.ReplaceAll(webDeployment, "name: web\n", "name: evil\n")
)

// Links are not followed, and what they hold is not read either, though it be a manifest;
// each that would be read is said once.
//
// fault: C-01
// fault: C-02
// fault: C-03
// fault: C-04
func TestLinksAreNotFollowed(t *testing.T) {
	g := onGround(t, map[string]string{"elsewhere/notes.txt": evilSite})
	links := map[string]string{
		"stream.yaml": evilStream, "site.yaml": evilSite, "passwd.yaml": "/etc/passwd", "up.yaml": "../../../etc/passwd",
		"inside.yaml": "elsewhere/notes.txt", "again.yaml": "deploy.yaml", "self.yaml": "self.yaml", "ping.yaml": "pong.yaml", "pong.yaml": "ping.yaml",
		"apps": "elsewhere", "root": ".", "Dockerfile": "elsewhere/notes.txt",
	}
	for path, target := range links {
		g.repo.Put(path, gittest.Symlink, target, "a link")
	}
	base := g.repo.Tip()
	g.walk()
	g.wantKnown(known...)
	g.wantWritten(base, "deploy.yaml", "web.yaml")
	for path := range links {
		want := 1
		if path == "apps" || path == "root" { // nobody asked for these
			want = 0
		}
		if n := g.said(path, "a symbolic link"); n != want {
			t.Errorf("%s: said %d times, want %d", path, n, want)
		}
	}
	g.repo.Put(".towpath.yaml", gittest.Symlink, "elsewhere/notes.txt", "a config that is a link")
	g.image("bbb")
	base = g.repo.Tip()
	g.walk()
	if g.wantWritten(base); !g.last.Invalid || g.said(".towpath.yaml", "a symbolic link") != 1 {
		t.Errorf("a config that is a link: invalid %v, problems %v", g.last.Invalid, g.last.Problems)
	}
}

// A link in an older commit held the image, as text: that is no site, and nobody took
// anything back.
//
// fault: C-01
func TestLinksOfThePast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		image := "quay.io/team1/web@" + registrymemory.Digest("aaa")
		store := memory.New(map[string]string{"web.yaml": webStream})
		store.Now = time.Now
		var registry registrymemory.Registry
		if err := registry.Set("quay.io/team1/web:1.4 aaa"); err != nil {
			t.Fatal(err)
		}
		line := &reconcile.Reconciler{Store: store, Branch: "main", Reader: &registry, Author: towpath}
		if _, err := line.Settle(t.Context()); err != nil {
			t.Fatal(err)
		}
		store.Edit("main", "a link", func(tree memory.Tree) {
			tree["deploy.yaml"] = memory.File{Content: withImage(webDeployment, image), Skip: "a symbolic link"}
		})
		store.Edit("main", "a file", func(tree memory.Tree) { tree["deploy.yaml"] = memory.File{Content: webDeployment} })
		if _, err := line.Settle(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := heldIn(store.Tree("main")["deploy.yaml"].Content); got != "web@aaa" {
			t.Errorf("the site holds %q", got)
		}
	})
}

// Names that no file system should see: what stands below them is not read, each is said, and
// the files beside them are read and written as ever.
//
// fault: C-05
func TestUnusableNamesAreSaid(t *testing.T) {
	g := onGround(t, map[string]string{"sub/stream.yaml": evilStream, "sub/site.yaml": evilSite})
	sub, stream := g.repo.Git("rev-parse", "main:sub"), g.repo.Git("rev-parse", "main:sub/stream.yaml")
	entries := []gittest.TreeEntry{
		{Mode: gittest.Regular, ID: g.repo.Git("rev-parse", "main:web.yaml"), Name: "web.yaml"},
		{Mode: gittest.Regular, ID: g.repo.Git("rev-parse", "main:deploy.yaml"), Name: "deploy.yaml"},
	}
	dirs := []string{".git", ".GIT", "git~1", ".g\u200cit", "..", "."}
	files := []string{`a\b.yaml`, "../x.yaml", "/abs.yaml", "es\x1b[2Jc.yaml", "new\nline.yaml", "bidi\u202e.yaml"}
	for _, name := range dirs {
		entries = append(entries, gittest.TreeEntry{Mode: "40000", ID: sub, Name: name})
	}
	for _, name := range files {
		entries = append(entries, gittest.TreeEntry{Mode: gittest.Regular, ID: stream, Name: name})
	}
	base := g.repo.CommitTree(g.repo.Tree(entries...), "odd names")
	g.walk()
	g.wantKnown(known...)
	for _, name := range append(dirs, files...) {
		if n := g.said(fmt.Sprintf("%q", name), "an unusable name"); n != 1 {
			t.Errorf("%q: said %d times, want once", name, n)
		}
	}
	for _, p := range g.last.Problems {
		if strings.ContainsAny(p.Path+p.What+p.Fix, "\x1b\n\u202e\u200c") {
			t.Errorf("a problem repeats a name as it is: %q", p)
		}
	}
	g.wantWritten(base, "deploy.yaml", "web.yaml")
}

// Submodules are not fetched, and a gitlink that names the blob of a manifest is not that
// manifest. .gitmodules is a file like any other.
//
// fault: C-06
func TestSubmodulesAreNotRead(t *testing.T) {
	trap := gittest.NewTrap(t, "reader", "fake")
	g := onGround(t, map[string]string{".gitmodules": "[submodule \"m\"]\n\tpath = m\n\turl = " + trap.URL + "/m.git\n[submodule \"n\"]\n\tpath = n\n\turl = ext::sh -c touch% executed\n"})
	evil := g.repo.Blob(evilStream)
	for path, id := range map[string]string{"m": g.repo.Tip(), "n": strings.Repeat("1", 40), "stream.yaml": evil, "apps/site.yaml": g.repo.Blob(evilSite)} {
		g.repo.Put(path, gittest.Submodule, id, "a submodule")
	}
	base := g.repo.Tip()
	g.walk()
	g.wantKnown(known...)
	for _, path := range []string{"m", "n", "stream.yaml", "apps/site.yaml"} {
		if n := g.said(path, "a submodule"); n != 1 {
			t.Errorf("%s: said %d times, want once", path, n)
		}
	}
	g.wantWritten(base, "deploy.yaml", "web.yaml")
	if n := trap.Seen.Load(); n > 0 {
		t.Errorf("%d requests to a submodule's server", n)
	}
}

// Files whose names are almost alike are each read and written. Two streams of one name are a
// problem of both files, and what follows them is left alone: whoever commits a stream by
// another's name gets nothing in.
//
// fault: C-07
func TestTwins(t *testing.T) {
	of := func(text, name string) string {
		return strings.NewReplacer("{name: web,", "{name: "+name+",", "name: web\n", "name: "+name+"\n", "web:stable", name+":stable").Replace(text)
	}
	files := map[string]string{}
	for i, dir := range []string{"A", "a", "caf\u00e9", "cafe\u0301"} {
		name := fmt.Sprint("s", i)
		files[dir+"/f.yaml"] = of(webStream, name) + "---\n" + of(webDeployment, name)
	}
	g := onGround(t, files)
	g.walk()
	for path := range files {
		if text := g.repo.Read(path); strings.Count(text, registrymemory.Digest("aaa")) != 3 {
			t.Errorf("%q is not on record and followed\n%s", path, text)
		}
	}
	for path := range files {
		g.repo.Commit(map[string]string{strings.Replace(path, "f.yaml", "F.yaml", 1): strings.ReplaceAll(webStream, "1.4", "evil")}, "another web")
	}
	if err := g.registry.Set("quay.io/team1/web:evil eee"); err != nil {
		t.Fatal(err)
	}
	g.image("bbb")
	site, record := g.repo.Read("deploy.yaml"), g.repo.Read("web.yaml")
	g.walk()
	for _, path := range []string{"web.yaml", "A/F.yaml", "a/F.yaml"} {
		if n := g.said(path, "image stream team1/web is also in"); n != 1 {
			t.Errorf("%s: said %d times, want once", path, n)
		}
	}
	if g.repo.Read("deploy.yaml") != site || g.repo.Read("web.yaml") != record {
		t.Errorf("one of the twins won\n%s\n%s", g.repo.Read("web.yaml"), g.repo.Read("deploy.yaml"))
	}
	g.repo.Fsck()
}

// Attributes, filters and replaced objects have no part in what is read of a manifest, or in
// what is written: a commit of ours changes the values that it names, in the file's own bytes.
//
// fault: C-08
func TestAttributesHaveNoEffect(t *testing.T) {
	attributes := "* text eol=lf ident filter=evil working-tree-encoding=UTF-16 export-ignore export-subst merge=binary\n"
	crlf := strings.ReplaceAll("# $Id$ $Format:%H$\n"+webDeployment, "\n", "\r\n")
	g := onGround(t, map[string]string{".gitattributes": attributes, "deploy.yaml": crlf, ".gitignore": "*.yaml\n", "inner/HEAD": "ref: refs/heads/main\n", "inner/config": "[core]\n\tbare = true\n"})
	g.repo.Git("replace", g.repo.Git("rev-parse", "main:web.yaml"), g.repo.Blob(evilStream))
	g.walk()
	g.wantKnown(known...)
	got, err := g.repo.Try("", "--no-replace-objects", "show", "main:deploy.yaml")
	if want := strings.TrimSuffix(withImage(crlf, "quay.io/team1/web@"+registrymemory.Digest("aaa")), "\n"); err != nil || got != want {
		t.Errorf("%v (-want +got)\n%s", err, cmp.Diff(want, got))
	}
}

// A file over the limit is that file's problem, and a pointer to one elsewhere is text.
//
// fault: C-09
func TestHugeFileIsItsOwnProblem(t *testing.T) {
	g := onGround(t, map[string]string{
		"huge.yaml":    evilStream + "# " + strings.Repeat("x", 8<<20),
		"pointer.yaml": "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 1073741824\n",
	})
	base := g.repo.Tip()
	g.walk()
	g.wantKnown(known...)
	g.wantWritten(base, "deploy.yaml", "web.yaml")
	if n := g.said("huge.yaml", "too large"); n != 1 || len(g.last.Bad()) != 1 {
		t.Errorf("want one problem of huge.yaml: %v", g.last.Problems)
	}
}

// Neither a file that is larger than anything is fetched, nor an entry that is no file, keeps
// a server's repository from being imported and followed.
//
// fault: C-09
func TestBrokenFilesOfServer(t *testing.T) {
	for _, filter := range []string{"true", "false"} {
		g := onGround(t, map[string]string{"huge.yaml": evilStream + "# " + strings.Repeat("x", 65<<20)})
		g.repo.Git("config", "uploadpack.allowFilter", filter)
		none := g.repo.Tree(gittest.TreeEntry{Mode: gittest.Regular, ID: g.repo.Blob(evilSite), Name: "x.yaml"})
		g.repo.CommitTree(addEntries(g, g.repo.Git("rev-parse", "main^{tree}"), gittest.TreeEntry{Mode: gittest.Regular, ID: none, Name: "none.yaml"}), "no file")
		server := gittest.Serve(t, g.repo)
		server.SetPassword("")
		g.open(server.Repo(g.repo))
		base := g.repo.Tip()
		g.walk()
		g.wantKnown(known...)
		g.wantWritten(base, "deploy.yaml", "web.yaml")
		if huge, none := g.said("huge.yaml", "too large"), g.said("none.yaml", "none"); huge != 1 || none != 1 || len(g.last.Bad()) != 2 {
			t.Errorf("filter %s: want one problem of each file: %v", filter, g.last.Problems)
		}
	}
}

// A hundred thousand files, of which some are read, directories as deep and names as long as
// git has them: bounded, and the stream among them is imported and followed.
//
// fault: C-10
func TestHugeTree(t *testing.T) {
	g := onGround(t, nil)
	var in strings.Builder
	put := func(path, content string) {
		fmt.Fprintf(&in, "M 100644 inline %s\ndata %d\n%s\n", path, len(content), content)
	}
	fmt.Fprintf(&in, "commit refs/heads/main\ncommitter %s <%s> 1767225660 +0000\ndata 4\nmany\nfrom %s\n", gittest.Name, gittest.Email, g.repo.Tip())
	for i := range 90_000 {
		put(fmt.Sprintf("many/%02d/f%d.txt", i%100, i), "x")
	}
	for i := range 10_000 {
		put(fmt.Sprintf("some/%02d/f%d.yaml", i%100, i), fmt.Sprint("a: ", i, "\n"))
	}
	put(strings.Repeat("d/", 5000)+"web.yaml", evilStream)
	put(strings.Repeat("n", 5000)+".yaml", evilStream)
	g.repo.GitInput(in.String(), "fast-import", "--quiet")
	base := g.repo.Tip()
	start := time.Now()
	g.walk()
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("it took %v, want 10 s at most", took)
	}
	g.wantKnown(known...)
	g.wantWritten(base, "deploy.yaml", "web.yaml")
	for _, p := range g.last.Problems {
		if len(p.Path) > 2*4096 {
			t.Errorf("a path of %d bytes is said whole", len(p.Path))
		}
	}
	if n := len(g.last.Problems); n != 2 {
		t.Errorf("%d problems, want one of the depth and one of the name", n)
	}
}

// Sites where none may be: the files of machines that run what they say, files that are not
// read or cannot be, and those of a tenant whose namespace another pretends to have.
//
// fault: C-21
func TestWriteScope(t *testing.T) {
	stranger := strings.ReplaceAll(webDeployment, "name: web\n", "name: stranger\n")
	files := map[string]string{
		".github/workflows/ci.yml": evilSite,
		".github/x/deploy.yaml":    evilSite,
		".gitlab-ci.yml":           evilSite,
		".tekton/run.yaml":         evilSite,
		"apps/.gitlab-ci.yml":      evilSite,
		"excluded/deploy.yaml":     evilSite,
		"notes.md":                 evilSite,
		"huge/deploy.yaml":         evilSite + "# " + strings.Repeat("x", 8<<20),
		"team2/deploy.yaml":        strings.ReplaceAll(stranger, "namespace: team1", "namespace: team2"),
		"team1/pretends.yaml":      strings.NewReplacer("team1", "team2", "web:1.4", "evil:1").Replace(webStream),
		"team2/web.yaml":           strings.NewReplacer("team1", "team2").Replace(webStream),
		".towpath.yaml":            "version: 1\nexclude: [\"excluded/**\"]\n",
	}
	g := onGround(t, files)
	for _, line := range []string{"quay.io/team2/web:1.4 aaa", "quay.io/team2/evil:1 eee"} {
		if err := g.registry.Set(line); err != nil {
			t.Fatal(err)
		}
	}
	blob := g.repo.Blob(evilSite)
	tree := g.repo.Git("rev-parse", "main^{tree}")
	g.repo.CommitTree(addEntries(g, tree, gittest.TreeEntry{Mode: gittest.Regular, ID: blob, Name: "../x.yaml"}, gittest.TreeEntry{Mode: gittest.Regular, ID: blob, Name: "/abs.yaml"}), "paths that lead out")
	base := g.repo.Tip()
	g.walk()
	g.image("bbb")
	g.walk()
	g.wantWritten(base, "deploy.yaml", "web.yaml")
	for _, path := range []string{".github/workflows/ci.yml", ".gitlab-ci.yml", ".tekton/run.yaml", "apps/.gitlab-ci.yml"} {
		if n := g.said(path, "left alone"); n != 1 {
			t.Errorf("%s: said %d times, want once: %v", path, n, g.last.Problems)
		}
	}
	// Named, a guarded file follows as any other.
	g.repo.Commit(map[string]string{".towpath.yaml": "version: 1\ninclude: [\"**/*.yaml\", \".github/workflows/*.yml\"]\nexclude: [\"excluded/**\"]\n"}, "name one")
	base = g.repo.Tip()
	g.walk()
	g.wantWritten(base, ".github/workflows/ci.yml")
}

// addEntries is a tree with more entries, whatever their names.
func addEntries(g *ground, tree string, more ...gittest.TreeEntry) string {
	g.t.Helper()
	var entries []gittest.TreeEntry
	for line := range strings.SplitSeq(g.repo.Git("ls-tree", tree), "\n") {
		head, name, _ := strings.Cut(line, "\t")
		fields := strings.Fields(head)
		entries = append(entries, gittest.TreeEntry{Mode: fields[0], ID: fields[2], Name: name})
	}
	return g.repo.Tree(append(entries, more...)...)
}
