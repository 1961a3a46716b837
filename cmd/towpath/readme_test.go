package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/towpath/towpath/config"
	storememory "github.com/towpath/towpath/gitstore/memory"
	"github.com/towpath/towpath/reconcile"
	"github.com/towpath/towpath/registry/memory"
)

const readmeStream = "apiVersion: image.openshift.io/v1\nkind: ImageStream\nmetadata: {name: web, namespace: team1}\nspec:\n  tags:\n"

// snippet is the YAML of README that holds a text, without what it is indented by.
func snippet(t *testing.T, holds string) string {
	t.Helper()
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, m := range regexp.MustCompile("(?ms)^( *)```yaml\n(.*?)^ *```").FindAllStringSubmatch(string(readme), -1) {
		if strings.Contains(m[2], holds) {
			found = append(found, strings.ReplaceAll("\n"+m[2], "\n"+m[1], "\n")[1:])
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d snippets hold %q, want 1", len(found), holds)
	}
	return found[0]
}

// What a reader copies from README first is right, and the Deployment follows the stream.
func TestReadmeStream(t *testing.T) {
	dir := t.TempDir()
	deployment := "apiVersion: apps/v1\nkind: Deployment\n" +
		strings.Replace(snippet(t, "image.openshift.io/triggers"), "metadata:\n", "metadata:\n  name: web\n  namespace: team1\n", 1) +
		"spec:\n  template:\n    spec:\n      containers:\n        - {name: web, image: \"\"}\n"
	for name, text := range map[string]string{".towpath.yaml": "version: 1\n", "web.yaml": snippet(t, "importPolicy"), "deploy.yaml": deployment} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var out, log bytes.Buffer
	code := Main(t.Context(), []string{"validate", "-o", "json", dir}, &out, &log, func(string) string { return "" })
	var found findings
	if err := json.Unmarshal(out.Bytes(), &found); err != nil || code != exitDone || len(found.Problems) > 0 || found.Streams != 1 || found.Sites != 1 {
		t.Errorf("exit code %d, %v: %s%s", code, err, out.String(), log.String())
	}
}

// README's file for the operator is right, also with what its comments offer.
func TestReadmeOperator(t *testing.T) {
	text := snippet(t, "token-file")
	for _, text := range []string{text, strings.ReplaceAll(text, "# registries:", "registries:")} {
		if op, problems := config.ParseOperator("operator.yaml", []byte(text)); len(problems) > 0 || op.Repo == "" {
			t.Errorf("%v in:\n%s", problems, text)
		}
	}
}

// The tag with annotations does what README says of them.
func TestReadmePolicy(t *testing.T) {
	var tags string
	for line := range strings.Lines(snippet(t, "towpath.dev/policy")) {
		tags += "    " + line
	}
	images := &memory.Registry{}
	for _, line := range []string{"1.3.0 aaa", "1.4.0 bbb", "1.5.0 ccc created=2026-05-01T00:00:00Z", "1.6.0 ddd created=2999-01-01T00:00:00Z", "2.0.0 eee"} {
		if err := images.Set("quay.io/team1/web:" + line); err != nil {
			t.Fatal(err)
		}
	}
	r := &reconcile.Reconciler{Store: storememory.New(map[string]string{"web.yaml": readmeStream + tags}), Branch: "main", Reader: images, Dry: true}
	rep, err := r.Settle(t.Context(), reconcile.Hint{Scheduled: true})
	if err != nil || len(rep.Problems) > 0 || len(rep.Answers) != 1 {
		t.Fatalf("%v, %v, %d answers", err, rep.Problems, len(rep.Answers))
	}
	if got, want := rep.Answers[0].Results[0].Upstream, "1.5.0"; got != want {
		t.Errorf("chosen is %q, want %q", got, want)
	}
	if got, want := span(r.Catalog().Tags()[0].Interval), "5m"; got != want {
		t.Errorf("asked every %s, want %s", got, want)
	}
}

// README's table names every command, and no flag that there is not.
func TestReadmeCommands(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	root := newRoot(&app{})
	named := []string{"version"}
	for _, m := range regexp.MustCompile("(?m)^\\| `towpath ([^`]*)`").FindAllStringSubmatch(string(readme), -1) {
		words := strings.Fields(m[1])
		c, _, err := root.Find(words[:1])
		if err != nil || c == root {
			t.Errorf("towpath %s: %v", m[1], err)
			continue
		}
		named = append(named, c.Name())
		for _, flag := range regexp.MustCompile(`(?:^|\W)(--?)([a-z][a-z-]*)`).FindAllStringSubmatch(m[1], -1) {
			if c.Flags().Lookup(flag[2]) == nil && (len(flag[2]) > 1 || c.Flags().ShorthandLookup(flag[2]) == nil) {
				t.Errorf("towpath %s has no flag %s%s", c.Name(), flag[1], flag[2])
			}
		}
	}
	for _, c := range root.Commands() {
		if !slices.Contains(named, c.Name()) {
			t.Errorf("towpath %s is not in the table", c.Name())
		}
	}
}

// helpLines are the invocations among a command's examples: what stands behind two blanks
// is a comment.
func helpLines(c *cobra.Command) [][]string {
	var lines [][]string
	for line := range strings.Lines(c.Example) {
		line, _, _ = strings.Cut(strings.TrimSpace(line), "  ")
		line, _, _ = strings.Cut(line, " | ")
		line, _, _ = strings.Cut(line, " > ")
		var words []string
		for _, word := range regexp.MustCompile(`'[^']*'|\S+`).FindAllString(line, -1) {
			words = append(words, strings.Trim(word, "'"))
		}
		if len(words) > 1 && words[0] == "towpath" {
			lines = append(lines, slices.DeleteFunc(words[1:], func(w string) bool { return w == "…" }))
		}
	}
	return lines
}

// Every example of every help is well-formed.
func TestHelpExamples(t *testing.T) {
	quiet := func(string) string { return "" }
	for _, c := range append(newRoot(&app{}).Commands(), newRoot(&app{})) {
		for _, words := range helpLines(c) {
			root := newRoot(&app{getenv: quiet})
			found, args, err := root.Find(words)
			if err == nil {
				err = found.ParseFlags(args)
			}
			if err == nil {
				err = found.ValidateArgs(found.Flags().Args())
			}
			if err != nil || found == root {
				t.Errorf("towpath %s: %v", strings.Join(words, " "), err)
			}
		}
	}
}

// Those that need no network do what they say, in a checkout that has what they name.
func TestHelpExamplesRun(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	stream := func(name, namespace, tag string) string {
		return "apiVersion: image.openshift.io/v1\nkind: ImageStream\nmetadata: {name: " + name + ", namespace: " + namespace + "}\n" +
			"spec:\n  tags:\n    - {name: '" + tag + "', from: {kind: DockerImage, name: 'quay.io/team1/" + name + ":1'}}\n" +
			"status:\n  tags:\n    - tag: '" + tag + "'\n      items:\n        - created: '2026-05-01T10:00:00Z'\n" +
			"          dockerImageReference: quay.io/team1/" + name + "@" + memory.Digest(name) + "\n          image: " + memory.Digest(name) + "\n"
	}
	workload := func(kind, name string) string {
		pod := "{template: {spec: {containers: [{name: web, image: ' '}]}}}"
		if kind == "CronJob" {
			pod = "{jobTemplate: {spec: " + pod + "}}"
		}
		return "kind: " + kind + "\nmetadata: {name: " + name + "}\nspec: " + pod + "\n"
	}
	for path, text := range map[string]string{
		".towpath.yaml": "version: 1\n", "streams/web.yaml": stream("web", "default", "old"),
		"base.yaml": stream("base", "default", "1.0"), "api.yaml": stream("api", "team1", "1.0"),
		"deploy/web.yaml": workload("Deployment", "web"), "deploy/all.yaml": workload("Deployment", "web") + "---\n" + workload("CronJob", "report"),
		"build.yaml":  "apiVersion: build.openshift.io/v1\nkind: BuildConfig\nmetadata: {name: web}\nspec: {strategy: {}}\n",
		"values.yaml": "image:\n  tag: '1'\n", "Dockerfile": "FROM golang:1.25 AS build\nFROM scratch\n", ".env": "A=1\nB=2\nWEB=3\n",
	} {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ran := 0
	for _, name := range []string{"tag", "set-trigger", "validate", "schema", "version"} {
		c, _, err := newRoot(&app{}).Find([]string{name})
		if err != nil {
			t.Fatal(err)
		}
		for _, words := range helpLines(c) {
			var out bytes.Buffer
			if code := Main(t.Context(), words, &out, &out, func(string) string { return "" }); code != exitDone {
				t.Errorf("towpath %s: exit code %d\n%s", strings.Join(words, " "), code, out.String())
			}
			ran++
		}
	}
	if ran < 10 {
		t.Errorf("%d examples ran", ran)
	}
}

// What README says of pushing is what becomes of it: the name and the directory are right.
func TestReadmePush(t *testing.T) {
	c, problems := config.ParseRepository([]byte(snippet(t, "streams: {team1")))
	dir, ok := c.Directory("team1")
	if len(problems) > 0 || c.Registry() != "localhost:5000" || !ok || dir != "streams/team1" {
		t.Errorf("%v: %q, %q", problems, c.Registry(), dir)
	}
}

// So is the storage of docs/registry.md.
func TestRegistryDocument(t *testing.T) {
	doc, err := os.ReadFile("../../docs/registry.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(string(doc), -1) {
		if op, problems := config.ParseOperator("operator.yaml", []byte(m[1])); len(problems) > 0 || op.Registry.StorageDriver.Name == "" {
			t.Errorf("%v in:\n%s", problems, m[1])
		}
	}
}
