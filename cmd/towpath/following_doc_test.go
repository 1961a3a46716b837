package main

import (
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	storememory "github.com/towpath/towpath/gitstore/memory"
	"github.com/towpath/towpath/reconcile"
	"github.com/towpath/towpath/registry/memory"
)

const followingDoc = "docs/following.md"

// An example is a file that docs/following.md shows.
type example struct {
	text  string
	sites []string // that the list below it says, each "ID becomes VALUE"
}

var (
	fence    = regexp.MustCompile("(?ms)(?:^`([^`\n]+)`:\n\n)?^```([a-z]*)\n(.*?)^```\n(?:\n((?:- `[^\n]*` → [^\n]*\n)+))?")
	siteItem = regexp.MustCompile("(?m)^- `([^`\n]+)` → (?:`([^`\n]+)`|(stays: paused))$")
	digests  = regexp.MustCompile(`sha256:[0-9a-f]{64}`)
)

// followingExamples are the files that the document shows, and the commands. Parts of
// .towpath.yaml, which it shows one after another, are one file.
func followingExamples(t *testing.T) (files map[string]*example, commands []string) {
	t.Helper()
	text := string(read(t, followingDoc))
	files = map[string]*example{}
	found := fence.FindAllStringSubmatch(text, -1)
	if n := strings.Count(text, "```"); n != 2*len(found) || strings.Contains(text, "~~~") {
		t.Errorf("of %d fences only %d are in the form that is known here", n/2, len(found))
	}
	for _, m := range found {
		name, language, body := m[1], m[2], m[3]
		switch {
		case name == "" && language == "sh":
			commands = append(commands, strings.Split(strings.TrimSpace(body), "\n")...)
			continue
		case name == "":
			t.Errorf("a fence has no file name above it:\n%s", body)
		case files[name] == nil:
			files[name] = &example{}
		case name != reconcile.ConfigPath:
			t.Errorf("%s is shown twice", name)
		}
		files[name].text += body
		for _, item := range siteItem.FindAllStringSubmatch(m[4], -1) {
			files[name].sites = append(files[name].sites, item[1]+" becomes "+item[2]+item[3])
		}
		if n := strings.Count(m[4], "\n"); n != len(siteItem.FindAllString(m[4], -1)) {
			t.Errorf("below %s there are %d lines, and not all of them are sites:\n%s", name, n, m[4])
		}
	}
	return files, commands
}

// What docs/following.md shows makes the sites that it names, and they become what it says.
func TestFollowingExamples(t *testing.T) {
	examples, _ := followingExamples(t)
	files := map[string]string{}
	for name, e := range examples {
		files[name] = e.text
	}
	images := &memory.Registry{}
	if err := images.Set("quay.io/team1/web:1.4 web\nquay.io/team1/go:1.26 go"); err != nil {
		t.Fatal(err)
	}
	r := &reconcile.Reconciler{Store: storememory.New(files), Branch: "main", Reader: images}
	if _, err := r.Settle(t.Context(), reconcile.Hint{Scheduled: true}); err != nil {
		t.Fatal(err)
	}
	cat, rep, err := r.Survey(t.Context())
	if err != nil || len(rep.Problems)+len(rep.Unresolved)+len(rep.Held)+len(rep.Deferred) > 0 {
		t.Errorf("%v; problems %v, left alone %v, held %v, deferred %v", err, rep.Problems, rep.Unresolved, rep.Held, rep.Deferred)
	}
	got := map[string][]string{}
	for _, s := range cat.Sites {
		becomes := digests.ReplaceAllString(s.Current(), "sha256:…")
		if s.Paused {
			becomes = "stays: paused"
		}
		got[s.Path] = append(got[s.Path], s.ID.String()+" becomes "+becomes)
	}
	for _, name := range slices.Sorted(maps.Keys(examples)) {
		if diff := cmp.Diff(examples[name].sites, got[name]); diff != "" {
			t.Errorf("%s (-said +found):\n%s", name, diff)
		}
		if len(got[name]) == 0 && name != reconcile.ConfigPath && name != "streams.yaml" {
			t.Errorf("%s holds no site", name)
		}
	}
}

// The commands that docs/following.md shows are right.
func TestFollowingCommands(t *testing.T) {
	_, commands := followingExamples(t)
	var lines []string
	for _, m := range regexp.MustCompile("`(towpath [^`]*)`").FindAllStringSubmatch(string(read(t, followingDoc)), -1) {
		lines = append(lines, m[1])
	}
	if len(commands) < 5 || len(lines) < 5 {
		t.Errorf("%d commands in fences, %d in the text", len(commands), len(lines))
	}
	for _, line := range append(commands, lines...) {
		root := newRoot(&app{})
		words := strings.Fields(line)
		c, args, err := root.Find(words[1:])
		if err == nil {
			err = c.ParseFlags(args)
		}
		if err != nil || c == root {
			t.Errorf("%s: %v", line, err)
		}
	}
	d := newDesk(t, string(read(t, "examples/follow/streams/web.yaml")))
	for name, text := range filesBelow(t, "../../examples/follow") {
		d.write(name, text)
	}
	for _, line := range commands {
		if strings.HasPrefix(line, "towpath set-trigger ") {
			d.sh(0, line)
		}
	}
}

// standing is the repository of testdata/following.txtar when all that can keep a site from
// moving has happened in it.
func standing(t *testing.T) *harbour {
	t.Helper()
	a, err := txtar.ParseFile("testdata/following.txtar")
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, f := range a.Files {
		files[f.Name] = string(f.Data)
	}
	h := newHarbour(t, files)
	for tag, word := range map[string]string{"web:1.4.0": "web", "api:1.4": "one", "job:1.4": "job0", "deep:1.4": "deep"} {
		h.images.push(t, "team1/"+tag, word)
	}
	h.towpath(exitProblems, "run", "--once")
	h.repo.Commit(map[string]string{"deploy/taken.yaml": files["deploy/taken.yaml"], "deploy/deep.yaml": files["deploy/deep.yaml"]}, "back to 1.3")
	h.repo.Commit(map[string]string{"deploy/since.yaml": strings.Replace(files["deploy/since.yaml"], ":1.2", ":1.2.1", 1)}, "hotfix")
	h.repo.Commit(map[string]string{"README": "more"}, "more")

	// Another repository shows what a proposal would hold; it is merged without b.
	copied := map[string]string{}
	for name := range strings.Lines(h.repo.Git("ls-tree", "-r", "--name-only", "main")) {
		name = strings.TrimSpace(name)
		copied[name] = h.repo.Read(name)
	}
	other := &harbour{t, newHarbour(t, copied).repo, h.images, h.config}
	h.images.push(t, "team1/api:1.4", "two")
	other.towpath(exitProblems, "run", "--once")
	h.repo.Commit(map[string]string{"streams/api.yaml": other.repo.Read("streams/api.yaml"), "merge/a.yaml": other.repo.Read("merge/a.yaml")}, "merge without b")

	for i := range 6 { // to and fro
		h.images.push(t, "team1/job:1.4", fmt.Sprint("job", (i+1)%2))
		h.towpath(exitProblems, "run", "--once")
	}
	return h
}

// What docs/following.md says that status says is said; and follow --resume ends a hold.
func TestFollowingStanding(t *testing.T) {
	h := standing(t)
	out, log := h.towpath(exitProblems, "status", "--sites")
	planned, refused := h.towpath(exitProblems, "plan")
	all := out + log + planned + refused
	_, tables, _ := strings.Cut(string(read(t, followingDoc)), "## When nothing is written\n")
	tables, _, _ = strings.Cut(tables, "\n## ")
	quotes := regexp.MustCompile("(?m)^\\| .* \\| `([^`]+)` \\|$|(`not edited: )").FindAllStringSubmatch(tables, -1)
	if len(quotes) < 19 {
		t.Errorf("%d sentences are quoted", len(quotes))
	}
	for _, m := range quotes {
		var parts []string
		for part := range strings.SplitSeq(strings.Trim(m[1]+m[2], "`"), "…") {
			parts = append(parts, regexp.QuoteMeta(part))
		}
		if !regexp.MustCompile(strings.Join(parts, ".*")).MatchString(all) {
			t.Errorf("nothing says %s", m[0])
		}
	}
	if t.Failed() {
		t.Log(all)
	}

	// A hold ends where a person says so, and that site alone moves.
	before := h.repo.Tip()
	h.towpath(exitDone, "follow", "--resume", "deploy/taken.yaml")
	want := "deploy/taken.yaml\n  image: quay.io/team1/web@sha256:web # {\"$imagestream\": \"web:stable\"}"
	if diff := cmp.Diff(want, h.moved(before)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	h.towpath(exitFailed, "follow", "--resume", "deploy/taken.yaml")
}

// The tests and the files that docs/promises.md and docs/architecture.md name are there.
func TestDocumentedTestsAndFiles(t *testing.T) {
	var tests strings.Builder
	names := map[string]bool{}
	for file, text := range filesBelow(t, "../..") {
		if strings.HasSuffix(file, ".go") {
			names[path.Base(file)] = true
			tests.WriteString(text)
		}
	}
	promised := regexp.MustCompile(`\b(?:Test|Fuzz)[A-Z]\w*`).FindAllString(string(read(t, "docs/promises.md")), -1)
	toured := regexp.MustCompile(`\b\w+\.go\b`).FindAllString(string(read(t, "docs/architecture.md")), -1)
	if len(promised) < 30 || len(toured) < 15 {
		t.Errorf("found %d tests and %d files", len(promised), len(toured))
	}
	for _, name := range promised {
		if !strings.Contains(tests.String(), "\nfunc "+name+"(") {
			t.Errorf("docs/promises.md: there is no %s", name)
		}
	}
	for _, name := range toured {
		if !names[name] {
			t.Errorf("docs/architecture.md: there is no %s", name)
		}
	}
}
