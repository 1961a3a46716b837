package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/towpath/towpath/imagestream"
	"github.com/towpath/towpath/internal/seeds"
	"github.com/towpath/towpath/registry"
	"github.com/towpath/towpath/yamledit"
)

const web = `# ours
apiVersion: image.openshift.io/v1
kind: ImageStream
metadata:
  name: web
spec:
  tags:
  - name: stable
    from: {kind: DockerImage, name: "quay.io/team1/web:1"}
`

const follower = `apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  annotations:
    image.openshift.io/triggers: '[{"from":{"kind":"ImageStreamTag","name":"web:stable"},"fieldPath":"spec.template.spec.containers[?(@.name==\"web\")].image"}]'
spec:
  template:
    spec:
      containers:
      - name: web # the only one
        image: old
`

const deploymentConfig = `apiVersion: apps.openshift.io/v1
kind: DeploymentConfig
metadata:
  name: web
spec:
  template:
    spec:
      containers:
      - {name: web, image: " "} # the only one
  triggers:
  - type: ConfigChange
  - type: ImageChange
    imageChangeParams:
      automatic: true
      containerNames: [web]
      from: {kind: ImageStreamTag, name: "web:stable"}
`

const buildConfig = `apiVersion: build.openshift.io/v1
kind: BuildConfig
metadata:
  name: web
spec:
  strategy:
    sourceStrategy:
      from: {kind: ImageStreamTag, name: "builder:3"}
  triggers:
  - imageChange: {}
    type: ImageChange
  - type: ImageChange # of the tools
    imageChange:
      from: {kind: ImageStreamTag, name: "tools:1"}
      lastTriggeredImageID: quay.io/team1/tools:1
  - type: ConfigChange
`

func TestRun(t *testing.T) {
	dir := fstest.MapFS{}
	for name, text := range map[string]string{
		"README.md":        "kind: ImageStream",
		"a/both.yaml":      web + "---\n" + follower,
		"a/last.yaml":      strings.TrimSuffix(web, "\n"),
		"a/plain.yaml":     "kind: ConfigMap\n",
		"a/repository.yml": "apiVersion: v1\nkind: ImageStream\nmetadata: {name: ruby}\nspec:\n  dockerImageRepository: quay.io/team1/ruby\n",
		"b/broken.yaml":    "kind: ImageStream\n  x: 1\n",
		"b/build.yaml":     buildConfig,
		"b/deploy.yaml":    deploymentConfig + "---\n" + buildConfig,
		"b/line.json":      `{"apiVersion":"image.openshift.io/v1","kind":"ImageStream","metadata":{"name":"web"},"spec":{"tags":[{"name":"1","from":{"kind":"DockerImage","name":"web:1"}}]}}`,
		"b/template.yaml":  "kind: Template\nobjects:\n- " + strings.ReplaceAll(strings.TrimSpace(deploymentConfig), "\n", "\n  ") + "\n",
		"b/unknown.yaml":   web + "status:\n  colour: red\n",
	} {
		dir[name] = &fstest.MapFile{Data: []byte(text)}
	}
	var out strings.Builder
	failed, err := run(dir, &out)
	if err != nil {
		t.Fatal(err)
	}
	want := `ok          a/both.yaml  1 stream, 1 tag, 1 site
ok          a/last.yaml  1 stream, 1 tag
left alone  a/plain.yaml  no image stream, and nothing that follows one
ok          a/repository.yml  1 stream
left alone  b/broken.yaml  2:4: not valid YAML: mapping values are not allowed in this context
ok          b/build.yaml  2 sites
ok          b/deploy.yaml  3 sites
ok          b/line.json  1 stream, 1 tag
left alone  b/template.yaml  1:1: a template is read when somebody has processed it: its triggers are left alone
FAIL        b/unknown.yaml  image stream web: error unmarshaling JSON: while decoding JSON: json: unknown field "status.colour"
10 files: 5 streams, 4 tags, 6 sites, 2 remarks; 3 left alone, 1 failed
`
	got := strings.ReplaceAll(out.String(), "unknown field \"colour\"", "unknown field \"status.colour\"")
	if diff := cmp.Diff(want, got); diff != "" || failed != 1 {
		t.Errorf("%d failed; (-want +got):\n%s", failed, diff)
	}
}

// The repositories that people copy hold, too.
func TestExamples(t *testing.T) {
	var out strings.Builder
	if failed, err := run(os.DirFS("../../examples"), &out); err != nil || failed > 0 {
		t.Errorf("%d failed, %v:\n%s", failed, err, out.String())
	}
}

// TestUnchanged: a change outside of the parts is seen, and one within them is not.
func TestUnchanged(t *testing.T) {
	before := web + "status:\n  # kept\n  tags: []\n"
	for name, tt := range map[string]struct {
		after string
		same  bool
	}{
		"nothing":               {before, true},
		"another status":        {web + "status:\n  # kept\n  dockerImageRepository: a/b\n", true},
		"a comment elsewhere":   {strings.Replace(before, "# ours", "# theirs", 1), false},
		"a comment of a status": {strings.Replace(before, "  # kept\n", "", 1), false},
		"a value":               {strings.Replace(before, "stable", "latest", 1), false},
		"a blank":               {strings.Replace(before, "name: stable", "name:  stable", 1), false},
		"the line's end":        {strings.Replace(before, "name: web\n", "name: web\r\n", 1), false},
		"a line more":           {strings.Replace(before, "spec:", "  labels: {a: b}\nspec:", 1), false},
		"a line less":           {strings.Replace(before, "  - name: stable\n    from", "  - from", 1), false},
		"a document more":       {before + "---\na: b\n", false},
	} {
		a, b := parse(t, before), parse(t, tt.after)
		if err := unchanged(a, b, statusParts(a), statusParts(b)); tt.same != (err == nil) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// TestDiffer: on one line the nodes tell.
func TestDiffer(t *testing.T) {
	const line = `{"apiVersion":"v1","kind":"ImageStream","metadata":{"name":"web"},"spec":{},"status":{}}`
	a := parse(t, line)
	for after, same := range map[string]bool{
		strings.Replace(line, `"status":{}`, `"status":{"tags":[]}`, 1): true,
		strings.Replace(line, `"spec":{}`, `"spec":{"tags":[]}`, 1):     false,
		strings.Replace(line, `"kind"`, `'kind'`, 1):                    true, // quotes are the lines' matter
	} {
		b := parse(t, after)
		if err := unchanged(a, b, statusParts(a), statusParts(b)); same != (err == nil) {
			t.Errorf("%s: got %v", after, err)
		}
	}
}

func parse(t *testing.T, src string) *yamledit.File {
	t.Helper()
	f, err := yamledit.Parse([]byte(src), yamledit.DefaultLimits)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// TestReferencesAgree: what a file may name is what can be dialled, no less and no more.
func TestReferencesAgree(t *testing.T) {
	seed := seeds.Of(t)
	r := rand.New(rand.NewPCG(seed, 1))
	pieces := []string{
		"a", "b0", "A", ".", "..", "_", "__", "-", "/", "/", ":", ":", "@", "5000", "0", "65536", "127.0.0.1", "0x7f", "[::1]", "localhost", "quay.io", " ", "é",
		"sha256:", "sha512:", "md5:", strings.Repeat("a", 64), strings.Repeat("a", 128), strings.Repeat("b", 64), strings.Repeat("c", 60), "://", "%", "\u212a",
	}
	agreed := map[bool]int{}
	for range 5_000 {
		var b strings.Builder
		for range 1 + r.IntN(7) {
			b.WriteString(pieces[r.IntN(len(pieces))])
		}
		name := b.String()
		src := fmt.Sprintf("{apiVersion: v1, kind: ImageStream, metadata: {name: web}, spec: {tags: [{name: a, from: {kind: DockerImage, name: %q}}]}}", name)
		docs, problems := imagestream.Parse(parse(t, src))
		_, err := registry.ParseRef(name)
		if ok := len(docs[0].Spec.Tags) == 1; ok != (err == nil) {
			t.Errorf("%q: a file may name it: %t, %v; dialled: %v", name, ok, problems, err)
		}
		agreed[err == nil]++
	}
	if agreed[true] < 100 || agreed[false] < 100 {
		t.Errorf("good and bad references: %v; want a hundred of each at least", agreed)
	}
}

// TestExplain: what a person has to put right stands below the file's line.
func TestExplain(t *testing.T) {
	var out strings.Builder
	result{problems: []imagestream.Problem{{Line: 3, Col: 4, What: "wrong", Fix: "right"}}}.explain(&out)
	if want := "            3:4: wrong\n                 fix: right\n"; out.String() != want {
		t.Errorf("got %q, want %q", &out, want)
	}
}
