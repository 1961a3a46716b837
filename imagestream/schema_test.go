package imagestream

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	imagev1 "github.com/openshift/api/image/v1"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
	"go.yaml.in/yaml/v4"

	"github.com/towpath/towpath/policy"
	"github.com/towpath/towpath/yamledit"
)

func compiled(t testing.TB) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(Schema()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("schema.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// instance is YAML as an editor's language server sees it: what it is in JSON.
func instance(t testing.TB, src []byte) any {
	t.Helper()
	var doc yaml.Node
	var v any
	if err := yaml.Unmarshal(src, &doc); err != nil {
		t.Fatalf("%v\n%s", err, src)
	}
	if err := plainly(&doc).Decode(&v); err != nil {
		t.Fatalf("%v\n%s", err, src)
	}
	return meaning(v)
}

// plainly makes text of what only YAML 1.1 takes for a time.
func plainly(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!timestamp" {
		n.Tag = "!!str"
	}
	for _, c := range n.Content {
		plainly(c)
	}
	return n
}

// meaning is a value as JSON has it, with texts for keys.
func meaning(v any) any {
	switch v := v.(type) {
	case map[any]any:
		m := map[string]any{}
		for k, e := range v {
			m[fmt.Sprint(k)] = meaning(e)
		}
		return m
	case map[string]any:
		for k, e := range v {
			v[k] = meaning(e)
		}
	case []any:
		for i, e := range v {
			v[i] = meaning(e)
		}
	}
	return v
}

// refused lists where the schema refuses a document.
func refused(t testing.TB, s *jsonschema.Schema, src []byte) []string {
	t.Helper()
	err, _ := s.Validate(instance(t, src)).(*jsonschema.ValidationError)
	if err == nil {
		return nil
	}
	at := causes(err)
	slices.Sort(at)
	return slices.Compact(at)
}

// causes are the places of what was refused; of a key, its name.
func causes(err *jsonschema.ValidationError) (at []string) {
	if k, ok := err.ErrorKind.(*kind.PropertyNames); ok {
		return []string{"key " + k.Property}
	}
	if len(err.Causes) == 0 {
		return []string{"/" + strings.Join(err.InstanceLocation, "/")}
	}
	for _, cause := range err.Causes {
		at = append(at, causes(cause)...)
	}
	return at
}

// TestSchemaOfRealFiles: what is in them that Parse reads without a word is fine for the
// schema: the shapes of OpenShift's own files, nulls and all.
func TestSchemaOfRealFiles(t *testing.T) {
	s := compiled(t)
	quiet := 0
	for name, src := range corpusFiles(t) {
		f, err := yamledit.Parse([]byte(src), yamledit.DefaultLimits)
		if err != nil {
			continue
		}
		_, problems := Parse(f)
		for _, doc := range f.Docs {
			if !strings.Contains(scalar(doc.Root, "kind"), "ImageStream") || len(problems) > 0 {
				continue
			}
			quiet++
			if at := refused(t, s, f.Src[doc.Start:doc.End]); len(at) > 0 {
				t.Errorf("%v: refused at %q:\n%s", name, at, f.Src[doc.Start:doc.End])
			}
		}
	}
	if quiet < 10 {
		t.Errorf("%d documents without problems; the test says little", quiet)
	}
}

// TestSchemaOfExamples: the streams that people copy.
func TestSchemaOfExamples(t *testing.T) {
	s, streams := compiled(t), 0
	examples := os.DirFS("../examples")
	err := fs.WalkDir(examples, ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || path.Ext(name) != ".yaml" {
			return err
		}
		src, err := fs.ReadFile(examples, name)
		if err != nil {
			return err
		}
		for _, doc := range parse(t, string(src)).Docs {
			if scalar(doc.Root, "kind") != "ImageStream" {
				continue
			}
			streams++
			if at := refused(t, s, src[doc.Start:doc.End]); len(at) > 0 {
				t.Errorf("%s: refused at %q", name, at)
			}
		}
		return nil
	})
	if err != nil || streams == 0 {
		t.Errorf("%d streams: %v", streams, err)
	}
}

const good = `apiVersion: image.openshift.io/v1
kind: ImageStream
metadata:
  name: barge
  namespace: canal
  creationTimestamp: null
  generation: null
  annotations:
    openshift.io/display-name: Barge
    towpath.dev/interval: 1h
spec:
  dockerImageRepository: quay.io/canal/barge
  lookupPolicy: {local: false}
  tags:
  - name: "1.0"
    annotations: null
    from: {kind: DockerImage, name: quay.io/canal/barge:1.0}
    generation: null
    importPolicy: {}
    referencePolicy: {type: ""}
  - name: pinned
    from: {kind: DockerImage, name: quay.io/canal/barge@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855}
    importPolicy: {insecure: true, scheduled: true, importMode: PreserveOriginal}
    referencePolicy: {type: Local}
  - name: chosen
    annotations:
      towpath.dev/policy: semver:>=1.4 <2
      towpath.dev/match: ^v?[0-9.]+$
      towpath.dev/min-age: 3d
      towpath.dev/platforms: linux/amd64, linux/arm/v7
      towpath.dev/allow-downgrade: "true"
      towpath.dev/interval: 5m
      towpath.dev/settle: 30m
      importer.image.openshift.io/prefer-arch: arm64
      description: the one
    from: {kind: DockerImage, name: localhost:5000/canal/barge}
    importPolicy: {importMode: "", scheduled: null}
  - name: latest
    from: {kind: ImageStreamTag, name: chosen}
  - name: other
    from: {kind: ImageStreamTag, name: "tug:latest", namespace: harbour}
  - name: fixed
    from: {kind: ImageStreamImage, name: barge@sha256:e3b0c442}
  - name: word
    from: {kind: DockerImage, name: redis}
    reference: true
  - name: pushed
status:
  dockerImageRepository: ""
  tags:
  - tag: "1.0"
    items: null
    conditions: []
`

// TestSchemaTypos: each is refused where it stands, and by Parse, too.
func TestSchemaTypos(t *testing.T) {
	s := compiled(t)
	if at := refused(t, s, []byte(good)); at != nil {
		t.Fatalf("refused at %q", at)
	}
	if _, problems := Parse(parse(t, good)); len(problems) > 0 {
		t.Fatalf("problems:\n%s", lines(problems))
	}
	for _, tt := range []struct{ old, new, at string }{
		{"apiVersion: image.openshift.io/v1", "apiVersion: image.openshift.io/v2", "/apiVersion"},
		{"spec:\n", "specs:\n", "key specs"},
		{"name: barge\n", "nam: barge\n", "/metadata"},
		{"name: barge\n", "name: Barge\n", "/metadata/name"},
		{"namespace: canal", "namespace: -canal", "/metadata/namespace"},
		{"towpath.dev/interval: 1h", "towpath.dev/intervall: 1h", "key towpath.dev/intervall"},
		{"towpath.dev/interval: 1h", "towpath.dev/policy: newest", "key towpath.dev/policy"},
		{"towpath.dev/interval: 1h", "towpath.dev/interval: 1", "/metadata/annotations/towpath.dev/interval"},
		{"towpath.dev/interval: 1h", "towpath.dev/scheduled: true", "/metadata/annotations/towpath.dev/scheduled"},
		{"towpath.dev/interval: 1h", "towpath.dev/scheduled: 'yes'", "/metadata/annotations/towpath.dev/scheduled"},
		{"display-name: Barge", "display-name: 5", "/metadata/annotations/openshift.io/display-name"},
		{"dockerImageRepository: quay.io/canal/barge", "dockerImageRepository: quay.io/canal/barge:1", "/spec/dockerImageRepository"},
		{"lookupPolicy: {local: false}", "lookupPolicy: {local: 'no'}", "/spec/lookupPolicy/local"},
		{"lookupPolicy: {local: false}", "lookupPolicy: {locale: false}", "/spec/lookupPolicy"},
		{"lookupPolicy:", "lookupPolcy:", "/spec"},
		{`name: "1.0"`, "name: 1.0", "/spec/tags/0/name"},
		{`name: "1.0"`, `name: ".0"`, "/spec/tags/0/name"},
		{`name: "1.0"`, `nme: "1.0"`, "/spec/tags/0"},
		{"annotations: null", "annotation: null", "/spec/tags/0"},
		{"barge:1.0", "barge:1 0", "/spec/tags/0/from/name"},
		{"name: quay.io/canal/barge:1.0", "name: https://quay.io/canal/barge:1.0", "/spec/tags/0/from/name"},
		{"name: quay.io/canal/barge:1.0", "name: quay.io/Canal/barge:1.0", "/spec/tags/0/from/name"},
		{"name: quay.io/canal/barge:1.0", "nam: quay.io/canal/barge:1.0", "/spec/tags/0/from"},
		{"name: quay.io/canal/barge@", "name: quay.io/canal/barge@sha1:", "/spec/tags/1/from/name"},
		{"scheduled: true", "schedule: true", "/spec/tags/1/importPolicy"},
		{"scheduled: true", "scheduled: yes please", "/spec/tags/1/importPolicy/scheduled"},
		{"importMode: PreserveOriginal", "importMode: Preserve", "/spec/tags/1/importPolicy/importMode"},
		{"type: Local", "type: local", "/spec/tags/1/referencePolicy/type"},
		{"towpath.dev/policy: semver:>=1.4 <2", "towpath.dev/policy: latest", "/spec/tags/2/annotations/towpath.dev/policy"},
		{"towpath.dev/policy: semver:>=1.4 <2", "towpath.dev/policy: 'semver:'", "/spec/tags/2/annotations/towpath.dev/policy"},
		{"towpath.dev/policy: semver:>=1.4 <2", "towpath.dev/policy: alphabetical:up", "/spec/tags/2/annotations/towpath.dev/policy"},
		{"towpath.dev/policy: semver:>=1.4 <2", "towpath.dev/polcy: newest", "key towpath.dev/polcy"},
		{"towpath.dev/policy: semver:>=1.4 <2", "", "/spec/tags/2/annotations"},
		{"towpath.dev/match: ^v?[0-9.]+$", "towpath.dev/match: ''", "/spec/tags/2/annotations/towpath.dev/match"},
		{"towpath.dev/min-age: 3d", "towpath.dev/min-age: 3 days", "/spec/tags/2/annotations/towpath.dev/min-age"},
		{"linux/amd64, linux/arm/v7", "amd64", "/spec/tags/2/annotations/towpath.dev/platforms"},
		{`allow-downgrade: "true"`, "allow-downgrade: true", "/spec/tags/2/annotations/towpath.dev/allow-downgrade"},
		{`allow-downgrade: "true"`, `allow-downgrade: "always"`, "/spec/tags/2/annotations/towpath.dev/allow-downgrade"},
		{"towpath.dev/interval: 5m", "towpath.dev/interval: 5 min", "/spec/tags/2/annotations/towpath.dev/interval"},
		{"towpath.dev/settle: 30m", "towpath.dev/scheduled: 'true'", "key towpath.dev/scheduled"},
		{"name: localhost:5000/canal/barge}", "name: localhost:5000/canal/barge:1}", "/spec/tags/2/from/name"},
		{"kind: DockerImage, name: localhost:5000/canal/barge}", "kind: ImageStreamTag, name: latest}", "/spec/tags/2/from/kind"},
		{"name: localhost:5000/canal/barge}", "name: localhost:5000/canal/barge}\n    reference: true", "/spec/tags/2/reference"},
		{"kind: ImageStreamTag, name: chosen}", "kind: ImageStreamTg, name: chosen}", "/spec/tags/3/from/kind"},
		{"kind: ImageStreamTag, name: chosen}", "kind: ImageStreamTag, name: 'a:b:c'}", "/spec/tags/3/from/name"},
		{"name: chosen}", "name: chosen}\n    importPolicy: {scheduled: true}", "/spec/tags/3/importPolicy/scheduled"},
		{"namespace: harbour", "namespace: Harbour", "/spec/tags/4/from/namespace"},
		{"name: barge@sha256:e3b0c442", "name: barge@sha256:E3B0C442", "/spec/tags/5/from/name"},
		{"  - name: pushed", "  -", "/spec/tags/7"},
		{"status:\n  dockerImageRepository: \"\"", "status:\n  dockerImageRepository: 5", "/status/dockerImageRepository"},
		{"items: null", "items: {}", "/status/tags/0/items"},
	} {
		src := strings.Replace(good, tt.old, tt.new, 1)
		if src == good {
			t.Errorf("%q is not there", tt.old)
		}
		if at := refused(t, s, []byte(src)); !slices.Contains(at, tt.at) {
			t.Errorf("%q: refused at %q, want %q", tt.new, at, tt.at)
		}
		if _, problems := Parse(parse(t, src)); len(problems) == 0 {
			t.Errorf("%q: Parse finds nothing", tt.new)
		}
	}
}

// TestSchemaOfLists: items are streams, or somebody else's.
func TestSchemaOfLists(t *testing.T) {
	s := compiled(t)
	const stream = "{apiVersion: v1, kind: ImageStream, metadata: {name: a}, spec: {%s: []}}"
	const text = "apiVersion: v1\nkind: %s\nmetadata: {resourceVersion: ''}\nitems: [%s, {kind: Service, spec: {tags: 5}}]\n"
	for _, list := range []string{"List", "ImageStreamList"} {
		if at := refused(t, s, fmt.Appendf(nil, text, list, fmt.Sprintf(stream, "tags"))); at != nil {
			t.Errorf("%s: refused at %q", list, at)
		}
		if at := refused(t, s, fmt.Appendf(nil, text, list, fmt.Sprintf(stream, "tag"))); !slices.Contains(at, "/items/0/spec") {
			t.Errorf("%s: refused at %q", list, at)
		}
	}
	for _, empty := range []string{"items: null", "metadata: {}", "items: []"} {
		if at := refused(t, s, []byte("apiVersion: v1\nkind: List\n"+empty+"\n")); at != nil {
			t.Errorf("%s: refused at %q", empty, at)
		}
	}
}

// TestSchemaForEditors: draft-07 with a name, a description for what people write, and
// patterns that JavaScript reads as Go does.
func TestSchemaForEditors(t *testing.T) {
	var s struct {
		Schema      string `json:"$schema"`
		ID          string `json:"$id"`
		Title       string
		Description string
		Properties  map[string]any
	}
	if err := json.Unmarshal(Schema(), &s); err != nil {
		t.Fatal(err)
	}
	if s.Schema != "http://json-schema.org/draft-07/schema#" || s.ID == "" || s.Title == "" || s.Description == "" {
		t.Errorf("got %+v", s)
	}
	for _, key := range []string{"metadata", "spec", "status"} {
		if s.Properties[key] == nil {
			t.Errorf("%s depends on a condition: it would not be completed", key)
		}
	}
	alike := regexp.MustCompile(`^(?:[^\\(]|\\[][wdsSn.+*?(){}|/^$]|\((?:\?:|[^?]))*$`)
	patterns := regexp.MustCompile(`"pattern": ("(?:[^"\\]|\\.)*")`).FindAllSubmatch(Schema(), -1)
	for _, p := range patterns {
		var pattern string
		if err := json.Unmarshal(p[1], &pattern); err != nil || !alike.MatchString(pattern) {
			t.Errorf("pattern %s: %v", pattern, err)
		}
	}
	var described func(way string, form jsonSchema)
	described = func(way string, form jsonSchema) {
		if form["description"] == nil && way != "spec.tags[]" {
			t.Errorf("%s has no description", way)
		}
		if below, ok := form["properties"].(jsonSchema); ok {
			for name, f := range below {
				described(way+"."+name, f.(jsonSchema))
			}
		}
		if items, ok := form["items"].(jsonSchema); ok {
			described(way+"[]", items)
		}
	}
	described("spec", formOf("spec", reflect.TypeFor[imagev1.ImageStreamSpec](), true).describe("-"))
	for _, known := range []map[string]jsonSchema{streamAnnotations, tagAnnotations} {
		for key, form := range known {
			described(key, form)
		}
	}
}

// TestSchemaKnowsOurAnnotations, and no others.
func TestSchemaKnowsOurAnnotations(t *testing.T) {
	ours := func(known map[string]jsonSchema) []string {
		var keys []string
		for key := range known {
			if key, ok := strings.CutPrefix(key, prefix); ok {
				keys = append(keys, key)
			}
		}
		slices.Sort(keys)
		return keys
	}
	for _, tt := range []struct {
		keys  []string
		known map[string]jsonSchema
	}{{streamKeys, streamAnnotations}, {tagKeys, tagAnnotations}} {
		if diff := cmp.Diff(slices.Sorted(slices.Values(tt.keys)), ours(tt.known)); diff != "" {
			t.Errorf("annotations (-Parse +schema):\n%s", diff)
		}
	}
	if len(policy.Keys) == 0 {
		t.Error("there are no policies")
	}
}
