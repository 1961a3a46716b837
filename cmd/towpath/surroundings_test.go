package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"sigs.k8s.io/yaml"
)

// A desk is a directory in which a person runs commands that documents and examples
// give, towpath among them.
type desk struct {
	t   *testing.T
	dir string
	env []string
}

const (
	goodStream = "apiVersion: image.openshift.io/v1\nkind: ImageStream\nmetadata: {name: web}\nspec: {tags: [{name: stable, from: {kind: DockerImage, name: \"quay.io/team1/web:1.4\"}}]}\n"
	badStream  = "apiVersion: image.openshift.io/v1\nkind: ImageStream\nmetadata: {name: web}\nspec: {tag: []}\n"
)

// newDesk has a repository with one stream.
func newDesk(t *testing.T, stream string) *desk {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	if err := os.Symlink(exe, filepath.Join(bin, "towpath")); err != nil {
		t.Fatal(err)
	}
	path := bin + string(os.PathListSeparator) + os.Getenv("PATH")
	d := &desk{t, t.TempDir(), append(slices.Clone(gitEnv), "PATH="+path, "HOME="+t.TempDir(), "GORACE="+os.Getenv("GORACE"))}
	d.write(".towpath.yaml", "version: 1\n")
	d.write("streams/web.yaml", stream)
	return d
}

func (d *desk) write(name, text string) {
	d.t.Helper()
	file := filepath.Join(d.dir, name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o700), os.WriteFile(file, []byte(text), 0o700)); err != nil {
		d.t.Fatal(err)
	}
}

// sh runs a script with a shell, and wants an exit code. It returns all output.
func (d *desk) sh(code int, script string, args ...string) string {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(d.t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", append([]string{"-ec", script, "sh"}, args...)...)
	cmd.Dir, cmd.Env = d.dir, d.env
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		d.t.Fatal(err)
	}
	if got := cmd.ProcessState.ExitCode(); got != code {
		d.t.Errorf("%s: exit code %d, want %d\n%s", script, got, code, out)
	}
	return string(out)
}

// checks runs a command in a repository that is right, and in one that is not.
func checks(t *testing.T, command string, args ...string) {
	t.Helper()
	newDesk(t, goodStream).sh(0, command, args...)
	if out := newDesk(t, badStream).sh(3, command, args...); !strings.Contains(out, "streams/web.yaml") || !strings.Contains(out, "spec has no field tag") {
		t.Errorf("%s: got\n%s", command, out)
	}
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	src, err := os.ReadFile(filepath.Join("../..", file))
	if err != nil {
		t.Fatal(err)
	}
	return src
}

func decodeYAML(t *testing.T, file string, into any) {
	t.Helper()
	if err := yaml.UnmarshalStrict(read(t, file), into); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}

// installs checks that a package exists that people are told to install.
func installs(t *testing.T, pkg string) {
	t.Helper()
	module := strings.Fields(string(read(t, "go.mod")))[1]
	dir, ours := strings.CutPrefix(pkg, module+"/")
	if _, err := os.Stat(filepath.Join("../..", dir, "main.go")); !ours || err != nil {
		t.Errorf("%s is not a command of %s", pkg, module)
	}
}

// TestPreCommitExample does as pre-commit does with examples/pre-commit: the hook of the
// repository that the example names is run with the files of a commit.
func TestPreCommitExample(t *testing.T) {
	var hooks []struct {
		ID, Name, Description, Entry, Language string
		TypesOr                                []string `json:"types_or"`
		RequireSerial                          bool     `json:"require_serial"`
	}
	decodeYAML(t, ".pre-commit-hooks.yaml", &hooks)
	var example struct {
		Repos []struct {
			Repo, Rev string
			Hooks     []struct{ ID string }
		}
	}
	decodeYAML(t, "examples/pre-commit/.pre-commit-config.yaml", &example)
	hook := hooks[0]
	if r := example.Repos[0]; r.Repo != "https://github.com/towpath/towpath" || len(r.Hooks) != 1 || r.Hooks[0].ID != hook.ID {
		t.Errorf("the example names %+v, and there is %+v", r, hook)
	}
	if want := []string{"yaml", "json"}; hook.Language != "golang" || !slices.Equal(hook.TypesOr, want) {
		t.Errorf("got %+v", hook)
	}
	installs(t, "github.com/towpath/towpath/cmd/"+strings.Fields(hook.Entry)[0])
	checks(t, hook.Entry+` "$@"`, ".towpath.yaml", "streams/web.yaml")
}

// TestGitHookExample commits with the hook of examples/pre-commit: what is about to be
// committed counts, not the working copy.
func TestGitHookExample(t *testing.T) {
	d := newDesk(t, goodStream)
	d.sh(0, "git init -q")
	d.write(".git/hooks/pre-commit", string(read(t, "examples/pre-commit/pre-commit")))
	d.sh(0, "git add . && git commit -q -m right")
	d.write("streams/web.yaml", badStream)
	if out := d.sh(1, "git add . && git commit -q -m wrong"); !strings.Contains(out, "streams/web.yaml:4:8: spec has no field tag") {
		t.Errorf("got\n%s", out)
	}
	d.write("streams/web.yaml", goodStream+"# more\n")
	d.sh(0, "git add .")
	d.write("streams/web.yaml", badStream)
	d.sh(0, "git commit -q -m 'right again'")
	if got := d.sh(0, "git log --format=%s"); got != "right again\nright\n" {
		t.Errorf("committed:\n%s", got)
	}
}

var (
	blocks   = regexp.MustCompile("(?ms)^```(sh|yaml|json)\n(.*?)^```$")
	modeline = regexp.MustCompile(`^# yaml-language-server: \$schema=(\S+)\n`)
)

// TestEditorsDocument does what docs/editors.md says.
func TestEditorsDocument(t *testing.T) {
	d := newDesk(t, goodStream)
	ran := map[string]int{}
	for _, m := range blocks.FindAllStringSubmatch(string(read(t, "docs/editors.md")), -1) {
		ran[m[1]]++
		switch text := m[2]; m[1] {
		case "sh":
			d.sh(0, text)
		case "yaml":
			d.write("streams/web.yaml", text)
			d.fits(text)
		case "json":
			d.finds(text)
		}
	}
	if ran["sh"] != 3 || ran["yaml"] != 1 || ran["json"] != 2 {
		t.Errorf("got blocks %v", ran)
	}
}

// fits holds streams/web.yaml to the schema that its first line names.
func (d *desk) fits(text string) {
	d.t.Helper()
	line := modeline.FindStringSubmatch(text)
	if line == nil {
		d.t.Fatalf("no line for the editor in\n%s", text)
	}
	src, err := os.ReadFile(filepath.Join(d.dir, "streams", line[1]))
	if err != nil {
		d.t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(src))
	if err != nil {
		d.t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("schema.json", doc); err != nil {
		d.t.Fatal(err)
	}
	schema := c.MustCompile("schema.json")
	for _, typo := range [][2]string{{}, {"from:", "form:"}, {"towpath.dev/policy", "towpath.dev/polcy"}, {"DockerImage", "DockerImgae"}} {
		var v any
		if err := yaml.Unmarshal([]byte(strings.Replace(text, typo[0], typo[1], 1)), &v); err != nil {
			d.t.Fatal(err)
		}
		if err := schema.Validate(v); (err == nil) != (typo[0] == "") {
			d.t.Errorf("with %q: %v", typo[1], err)
		}
	}
}

// finds checks that the settings of an editor name the files that there are.
func (d *desk) finds(text string) {
	d.t.Helper()
	var settings struct {
		Schemas []struct {
			Name, Description, URL string
			FileMatch              []string
		}
		VSCode map[string]string `json:"yaml.schemas"`
	}
	if err := json.Unmarshal([]byte(text), &settings); err != nil {
		d.t.Fatalf("%v\n%s", err, text)
	}
	files := map[string]string{} // a pattern for each
	for file, pattern := range settings.VSCode {
		files[file] = pattern
	}
	for _, s := range settings.Schemas {
		_, file, _ := strings.Cut(s.URL, "/main/")
		files[file] = s.FileMatch[0]
	}
	for file, pattern := range files {
		src, err := os.ReadFile(filepath.Join(d.dir, file))
		if err != nil {
			d.t.Error(err)
		}
		if stream := strings.Contains(string(src), `"title": "ImageStream"`); stream != (pattern == "*.imagestream.yaml") {
			d.t.Errorf("%s is for %s", file, pattern)
		}
	}
	if len(files) != 2 {
		d.t.Errorf("got files %v", files)
	}
}
