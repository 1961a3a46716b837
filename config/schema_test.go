package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v4"

	"github.com/towpath/towpath/imagestream"
)

// A dialect is one of the two files: its schema, its parser and its examples.
type dialect struct {
	schema   []byte
	parse    func(src []byte) []imagestream.Problem
	examples []string
}

var dialects = map[string]dialect{
	"repository": {RepositorySchema(), func(src []byte) []imagestream.Problem { _, ps := ParseRepository(src); return ps },
		[]string{"../examples/towpath.yaml", "../examples/quickstart/.towpath.yaml"}},
	"operator": {OperatorSchema(), func(src []byte) []imagestream.Problem { _, ps := ParseOperator("operator.yaml", src); return ps },
		[]string{"../examples/operator.yaml"}},
}

func compile(t *testing.T, text []byte) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
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

// instance is a file as an editor's language server sees it: YAML that means JSON.
func instance(t *testing.T, src []byte) any {
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

// refused lists where a schema refuses a value.
func refused(s *jsonschema.Schema, v any) []string {
	err, _ := s.Validate(v).(*jsonschema.ValidationError)
	if err == nil {
		return nil
	}
	var at []string
	for _, u := range err.BasicOutput().Errors {
		at = append(at, u.InstanceLocation)
	}
	slices.Sort(at)
	return slices.Compact(at)
}

func TestExamplesFitTheSchemas(t *testing.T) {
	for name, d := range dialects {
		s := compile(t, d.schema)
		for _, file := range d.examples {
			src, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Validate(instance(t, src)); err != nil {
				t.Errorf("%s: %s: %v", name, file, err)
			}
		}
	}
	src, err := os.ReadFile("../examples/kubernetes/towpath.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var objects struct{ Data map[string]string }
	if err := yaml.Unmarshal(src[bytes.Index(src, []byte("kind: ConfigMap")):], &objects); err != nil {
		t.Fatal(err)
	}
	if err := compile(t, OperatorSchema()).Validate(instance(t, []byte(objects.Data["operator.yaml"]))); err != nil {
		t.Errorf("examples/kubernetes: %v", err)
	}
}

// TestSchemaTypos: each is refused where it stands, and by the parser, too.
func TestSchemaTypos(t *testing.T) {
	for _, tt := range []struct{ dialect, src, at string }{
		{"repository", "", ""},
		{"repository", "include: [a]\n", ""},
		{"repository", "version: 2\n", "/version"},
		{"repository", "version: '1'\n", "/version"},
		{"repository", "version: 1\nintervall: 5m\n", ""},
		{"repository", "version: 1\nregistry: a\n", "/registry"},
		{"repository", "version: 1\nregistry: {streams: {}}\n", "/registry"},
		{"repository", "version: 1\nregistry: {host: registry}\n", "/registry/host"},
		{"repository", "version: 1\nregistry: {host: docker.io}\n", "/registry/host"},
		{"repository", "version: 1\nregistry: {host: r.example.com, streams: {a: ../b}}\n", "/registry/streams/a"},
		{"repository", "version: 1\nfollow: [{field: a, from: b}]\n", "/follow/0"},
		{"repository", "version: 1\nfollow: [{paths: [], field: a, from: b}]\n", "/follow/0/paths"},
		{"repository", "version: 1\nfollow: [{paths: [../a.yaml], field: a, from: b}]\n", "/follow/0/paths/0"},
		{"repository", "version: 1\nfollow: [{paths: [a.yaml], field: $.a, from: b}]\n", "/follow/0/field"},
		{"repository", "version: 1\nfollow: [{paths: [a.yaml], field: 'a[*].b', from: b}]\n", "/follow/0/field"},
		{"repository", "version: 1\nfollow: [{paths: [a.yaml], field: a, from: quay.io/a/b:c}]\n", "/follow/0/from"},
		{"repository", "version: 1\nfollow: [{paths: [a.yaml], field: a, from: b, part: Tag}]\n", "/follow/0/part"},
		{"repository", "version: 1\nfollow: [{paths: [a.yaml], field: a, from: b, part: tag, form: tag}]\n", "/follow/0"},
		{"repository", "version: 1\nimagepolicies: {podinfo: a:b}\n", ""},
		{"repository", "version: 1\nimagepolicies: {'a:podinfo': 'A:b'}\n", "/imagepolicies/a:podinfo"},
		{"repository", "version: 1\npaused: 'true'\n", "/paused"},
		{"repository", "version: 1\npaused:\n", "/paused"},
		{"repository", "version: 1\ninclude: []\n", "/include"},
		{"repository", "version: 1\ninclude: apps\n", "/include"},
		{"repository", "version: 1\ninclude: [./apps]\n", "/include/0"},
		{"repository", "version: 1\ninclude: [a, /apps]\n", "/include/1"},
		{"repository", "version: 1\nexclude: [apps/]\n", "/exclude/0"},
		{"repository", "version: 1\nexclude: ['']\n", "/exclude/0"},
		{"repository", "version: 1\nplatform: amd64\n", "/platform"},
		{"repository", "version: 1\nplatform: linux/AMD64\n", "/platform"},
		{"repository", "version: 1\nnamespaces: {'**': Team1}\n", "/namespaces/**"},
		{"repository", "version: 1\nnamespaces: {'apps/': team1}\n", ""},
		{"repository", "version: 1\nnamespaces: [team1]\n", "/namespaces"},
		{"repository", "version: 1\ndefaults: {interval: 5}\n", "/defaults/interval"},
		{"repository", "version: 1\ndefaults: {interval: 5 minutes}\n", "/defaults/interval"},
		{"repository", "version: 1\ndefaults: {settle: 1d}\n", "/defaults/settle"},
		{"repository", "version: 1\ndefaults: {history: 0}\n", "/defaults/history"},
		{"repository", "version: 1\ndefaults: {history: 101}\n", "/defaults/history"},
		{"repository", "version: 1\ndefaults: {history: '10'}\n", "/defaults/history"},
		{"repository", "version: 1\ndefaults: {import-mode: legacy}\n", "/defaults/import-mode"},
		{"repository", "version: 1\ndefaults: {triggers: []}\n", "/defaults/triggers"},
		{"repository", "version: 1\ndefaults: {status: pull}\n", "/defaults/status"},
		{"repository", "version: 1\ndefaults: {labels: ['a,b']}\n", "/defaults/labels/0"},
		{"repository", "version: 1\ndefaults: {reviewers: ['@alice']}\n", "/defaults/reviewers/0"},
		{"repository", "version: 1\ndefaults: {assignees: [acme/team]}\n", "/defaults/assignees/0"},
		{"repository", "version: 1\ndefaults: {draft: maybe}\n", "/defaults/draft"},
		{"repository", "version: 1\ndefaults: {merge: squash}\n", "/defaults/merge"},
		{"repository", "version: 1\ndefaults: {max-open: 5}\n", "/defaults"},
		{"repository", "version: 1\nmax-open: 0\n", "/max-open"},
		{"repository", "version: 1\nbranch-prefix: towpath\n", "/branch-prefix"},
		{"repository", "version: 1\nbranch-prefix: a..b/\n", "/branch-prefix"},
		{"repository", "version: 1\ndefaults: {reference-form: tags}\n", "/defaults/reference-form"},
		{"repository", "version: 1\ndefaults: {hold-depth: 0}\n", "/defaults/hold-depth"},
		{"repository", "version: 1\ndefaults: {prefix: ' a'}\n", "/defaults/prefix"},
		{"repository", "version: 1\ndefaults: {template: '{tags}'}\n", "/defaults/template"},
		{"repository", "version: 1\ndefaults: {template: 'a {'}\n", "/defaults/template"},
		{"repository", "version: 1\ndefaults: {author: towpath}\n", "/defaults/author"},
		{"repository", "version: 1\ndefaults: {windows: [{cron: '* * * *', for: 1h}]}\n", "/defaults/windows/0/cron"},
		{"repository", "version: 1\ndefaults: {windows: [{cron: '* * * * *'}]}\n", "/defaults/windows/0"},
		{"repository", "version: 1\ndefaults: {windows: [{cron: '* * * * *', for: 1, zone: 'a b'}]}\n", "/defaults/windows/0/zone"},
		{"repository", "version: 1\ndefaults:\n", "/defaults"},
		{"repository", "version: 1\nrules: [{interval: 5m}]\n", "/rules/0"},
		{"repository", "version: 1\nrules: [{paths: [], interval: 5m}]\n", "/rules/0/paths"},
		{"repository", "version: 1\nrules: [{paths: [a], intervall: 5m}]\n", "/rules/0"},
		{"repository", "version: 1\nrules: [{paths: [a], tags-cap: many}]\n", "/rules/0/tags-cap"},
		{"operator", "brnch: main\n", ""},
		{"operator", "branch: ''\n", "/branch"},
		{"operator", "repo: https://user:x@git.example/a.git\n", "/repo"},
		{"operator", "repo: https://x@git.example/a.git\n", "/repo"},
		{"operator", "git: {token: x}\n", "/git"},
		{"operator", "git: {token-file: a, password-file: b, username: c}\n", "/git"},
		{"operator", "git: {username: a, username-file: b}\n", "/git"},
		{"operator", "git: {token-env: A, token-file: b}\n", "/git"},
		{"operator", "git: {token-env: A, password-file: b, username: c}\n", "/git"},
		{"operator", "git: {token-env: A B}\n", "/git/token-env"},
		{"operator", "git: {signing: {format: pgp, key-file: a}}\n", "/git/signing/format"},
		{"operator", "git: {signing: {format: ssh}}\n", "/git/signing"},
		{"operator", "git: {signing: {key-file: a}}\n", "/git/signing"},
		{"operator", "git: {sign-off: 1}\n", "/git/sign-off"},
		{"operator", "git: {commits: github}\n", "/git/commits"},
		{"operator", "git: {commits: forge, signing: {format: ssh, key-file: a}}\n", "/git"},
		{"operator", "git: {password-file: a}\n", "/git"},
		{"operator", "git: {ssh-passphrase-file: a}\n", "/git"},
		{"operator", "git: {author: {name: 'a <b>'}}\n", "/git/author/name"},
		{"operator", "git: {author: {email: ' a'}}\n", "/git/author/email"},
		{"operator", "forge: {kind: bitbucket}\n", "/forge/kind"},
		{"operator", "forge: {token: x}\n", "/forge"},
		{"operator", "forge: {token-file: a, token-env: B}\n", "/forge"},
		{"operator", "forge: {token-file: a, app: {id: 1, key-file: b}}\n", "/forge"},
		{"operator", "forge: {token-env: A, app: {id: 1, key-file: b}}\n", "/forge"},
		{"operator", "forge: {token-env: A B}\n", "/forge/token-env"},
		{"operator", "forge: {app: {id: 1}}\n", "/forge/app"},
		{"operator", "forge: {app: {id: 0, key-file: a}}\n", "/forge/app/id"},
		{"operator", "forge: {api: 'https://u:p@git.example/api/v1/'}\n", "/forge/api"},
		{"operator", "forge: {api: git.example}\n", "/forge/api"},
		{"operator", "forge: {project: name}\n", "/forge/project"},
		{"operator", "credentials: [{hosts: [quay.io]}]\n", "/credentials/0"},
		{"operator", "credentials: [{file: a}, {file: b, paths: [c]}]\n", "/credentials/0"},
		{"operator", "credentials: [{file: a, paths: []}, {file: b, paths: [c]}]\n", "/credentials/0/paths"},
		{"operator", "credentials: [{file: a, hosts: [https://quay.io]}]\n", "/credentials/0/hosts/0"},
		{"operator", "registries: [{host: index.docker.io}]\n", "/registries/0/host"},
		{"operator", "registries: [{host: Quay.io}]\n", "/registries/0/host"},
		{"operator", "registries: [{host: quay.io, concurrency: 0}]\n", "/registries/0/concurrency"},
		{"operator", "registries: [{host: quay.io, requests-per-second: 0}]\n", "/registries/0/requests-per-second"},
		{"operator", "registries: [{insecure: true}]\n", "/registries/0"},
		{"operator", "notify: [{kind: email}]\n", "/notify/0/kind"},
		{"operator", "notify: [{kind: slack, url: 'https://a/'}]\n", "/notify/0"},
		{"operator", "notify: [{kind: cloudevents}]\n", "/notify/0"},
		{"operator", "notify: [{kind: cloudevents, url: 'https://a/', url-file: b}]\n", "/notify/0"},
		{"operator", "notify: [{kind: cloudevents, url: 'https://u:p@a/'}]\n", "/notify/0/url"},
		{"operator", "notify: [{kind: commit-status, target-url: 'https://a/', ca-file: b}]\n", "/notify/0"},
		{"operator", "notify: [{kind: slack, url-file: b, events: [tags]}]\n", "/notify/0/events/0"},
		{"operator", "listen: '8080'\n", "/listen"},
		{"operator", "poll: 30\n", "/poll"},
		{"operator", "limits: {pushes-per-hour: 4000}\n", "/limits/pushes-per-hour"},
		{"operator", "log-level: verbose\n", "/log-level"},
	} {
		d := dialects[tt.dialect]
		if got := refused(compile(t, d.schema), instance(t, []byte(tt.src))); !slices.Contains(got, tt.at) {
			t.Errorf("%q: refused at %q, want %q", tt.src, got, tt.at)
		}
		if len(d.parse([]byte(tt.src))) == 0 {
			t.Errorf("%q: the parser finds nothing", tt.src)
		}
	}
}

// TestDescriptions: they are the document's.
func TestDescriptions(t *testing.T) {
	want := map[string]string{}
	for _, heading := range []string{".towpath.yaml", "The operator's file"} {
		for line := range strings.Lines(section(t, heading)) {
			cells := strings.Split(strings.Trim(line, "|\n "), "|")
			if len(cells) == 4 && strings.HasPrefix(line, "| `") {
				want[strings.Trim(cells[0], " `")] = strings.TrimSpace(cells[3])
			}
		}
	}
	if len(want) == 0 {
		t.Fatal("the document has no tables")
	}
	if diff := cmp.Diff(want, descriptions); diff != "" {
		t.Errorf("docs/configuration.md and descriptions (-document +code):\n%s", diff)
	}
}

// TestEveryFormIsKnown: a type that reads its own text or node has its own schema.
func TestEveryFormIsKnown(t *testing.T) {
	ways := map[string]bool{}
	var walk func(key string, typ reflect.Type)
	walk = func(key string, typ reflect.Type) {
		ways[key] = true
		_, aWord := reflect.New(typ).Interface().(word)
		_, aShape := reflect.New(typ).Interface().(shape)
		if _, known := forms[typ]; (aWord || aShape) != known {
			t.Errorf("%s, a %s: it reads itself: %v; it has a form: %v", key, typ, aWord || aShape, known)
		}
		switch {
		case aWord || aShape:
		case typ.Kind() == reflect.Pointer:
			walk(key, typ.Elem())
		case typ.Kind() == reflect.Slice:
			walk(key+"[]", typ.Elem())
		case typ.Kind() == reflect.Struct:
			for k, f := range fieldsOf(typ) {
				walk(join(key, k), f.Type)
			}
		}
	}
	walk("", reflect.TypeFor[repositoryFile]())
	walk("", reflect.TypeFor[Operator]())
	for key := range together {
		if !ways[key] {
			t.Errorf("together: there is no key %s", key)
		}
	}
}

// TestSchemasForEditors: draft-07 with a name, and patterns that JavaScript reads as Go
// does.
func TestSchemasForEditors(t *testing.T) {
	alike := regexp.MustCompile(`^(?:[^\\(]|\\[][wdsSn.+*?(){}|/^$]|\((?:\?:|[^?]))*$`)
	for name, d := range dialects {
		var s map[string]any
		if err := json.Unmarshal(d.schema, &s); err != nil {
			t.Fatal(err)
		}
		if s["$schema"] != "http://json-schema.org/draft-07/schema#" || s["$id"] == nil || s["title"] == nil || s["description"] == nil {
			t.Errorf("%s: %v %v %v", name, s["$schema"], s["$id"], s["title"])
		}
		for _, p := range regexp.MustCompile(`"pattern": ("(?:[^"\\]|\\.)*")`).FindAllSubmatch(d.schema, -1) {
			var pattern string
			if err := json.Unmarshal(p[1], &pattern); err != nil || !alike.MatchString(pattern) {
				t.Errorf("%s: pattern %s: %v", name, pattern, err)
			}
		}
	}
}
