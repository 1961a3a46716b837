package imagestream

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	imagev1 "github.com/openshift/api/image/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kjson "k8s.io/apimachinery/pkg/util/json"

	"github.com/towpath/towpath/internal/seeds"
	"github.com/towpath/towpath/yamledit"
)

// The law of decoding: what the check lets through, the library decodes as the nodes
// say. The two read YAML with different parsers, of different versions; a text that they
// read differently is a problem, and never another value.

// slots are streams with a place for whatever it may be.
var slots = []string{
	"metadata: {name: barge}\nspec:\n  tags:\n  - name: %s\n",
	"metadata: {name: barge}\nspec: {dockerImageRepository: %s}\n",
	"metadata: {name: barge, annotations: {canal.test/berth: %s}}\n",
	"metadata:\n  name: %s\n",
	"metadata: {uid: &a b, name: %s, namespace: c}\n",
	"metadata: {uid: &a namespace, %s, name: c}\n",
	"metadata:\n  labels: &a {name: b}\n  namespace: c\n  %s\n  uid: d\n",
	"metadata: {name: barge}\nspec:\n  tags:\n  - name: a\n    from: %s\n",
	"metadata: {name: barge}\nspec:\n  tags:\n  - name: a\n    reference: %s\n    generation: %[1]s\n",
	"metadata: {name: barge}\nstatus:\n  tags:\n  - tag: a\n    conditions: [{type: Seen, message: %s}]\n",
	"metadata: {name: barge}\nstatus:\n  tags:\n  - tag: a\n    items: [{created: %s}]\n",
	"metadata: {name: barge}\nspec:\n  tags:\n  - %s: x\n    name: a\n",
	"metadata: {name: barge}\nstatus:\n  ? %s\n  : x\n  dockerImageRepository: b/c\n",
	"metadata:\n  name: barge\n  annotations:\n    canal.test/berth: %s\n    b: %[1]s\nspec:\n  tags:\n  - name: %[1]s\n    generation: %[1]s\n",
	"spec:\n  tags:\n  - name: a\n    reference: %s\n    from:\n      name: %[1]s\nstatus:\n  tags:\n  - tag: %[1]s\n    items:\n    - created: %[1]s\n",
	"{\"metadata\": {\"name\": \"a\", \"annotations\": {\"b\": %s}}, \"spec\": {\"tags\": [{\"name\": %[1]s, \"reference\": %[1]s, \"generation\": %[1]s}]}}",
}

// fault: C-18
func TestLawDecodedIsWhatNodesSay(t *testing.T) {
	for _, text := range []string{
		"on", "y", "{t?g: on}", "{x: No, y: Off, z: Yes}", "0o17", "-0o17", "0O7", "0_o17", "+_1", "-._5", "1e_5", "1_000", "0777", "0b_1", "0x_f", "12:30:00", "12e03", ".5_0", "+.inf",
		"=", "<<", "~", "", "!", "! ~", "! 1.10", "! on", "!!str", "!!str ~", "!!str 1.10", "!!null x", "!!binary bmFtZQ==", "!!binary '*'", "!x y",
		"2015-05-05", "2015-05-05 12:00:00", "2015-05-05T12:00:00Z", "\"\\x31\"", "'1'", "|-\n        1.10", ">\n        a\n        b", "a\n        b", "a # b",
		"a?b", "{a?b: c}", "[a?b]", "{kind: a, kind: b}", "{Kind: a}", "{kind: a, KIND: b}", "{\u212aind: a}", "{&k kind: a, *k : b}", "{&k x: a, *k : b}",
		"{!!binary a2luZA==: a}", "{<<: {kind: a}, kind: b}", "{kind: b, <<: {kind: a}}", "{kind: b, <<: {name: a}}", "{!!merge <<: {kind: a}}",
		"{<<: [{kind: a}, {kind: b}]}", "{<<: {kind: b, <<: {kind: a}}}", "{<<: {kind: a}, kind:, b}", "{<<: {kind: a}, kind: , b: c}", "{kind:, name: b}", "{kind: a, ? [b] : c}", "{~: a}", "{on: a}", "{\"<<\": {kind: a}}", "{! <<: {kind: a}}",
		"name", "Name", "!!binary bmFtZQ==", "!!binary dGFncw==", "\u017ftatus", "&a.b c", "*a : x", "!!timestamp 2015-05-05T12:00:00Z", "9223372036854775807", "9223372036854775808", "-0", "True", "TRUE",
	} {
		for _, slot := range slots {
			lawfully(t, fmt.Sprintf(slot, text))
		}
	}
	seed := seeds.Of(t)
	r := rand.New(rand.NewPCG(seed, 4))
	for range 4_000 {
		lawfully(t, fmt.Sprintf(pick(r, slots...), randomText(r)))
		lawfully(t, fmt.Sprintf(pick(r, slots...), randomTokens(r)))
		lawfully(t, broken(r, pick(r, block, inLines, flow)))
		lawfully(t, fmt.Sprintf(pick(r, slots...), pick(r, plainWords...)))
	}
}

const (
	block = `metadata:
  name: &n barge
  annotations: {a: b}
spec:
  dockerImageRepository: b/c
  tags:
  - &c
    name: stable
    from: &from
      kind: DockerImage
      name: "b/c"
  - <<: *c
    name: edge
    from: {<<: *from, name: b/d}
status:
  tags:
  - tag: a
    items:
    - created: 2026-01-01T00:00:00Z
      dockerImageReference: b/c
      image: ''
`
	flow = `metadata: {name: &n barge, annotations: {a: b}}
spec: {dockerImageRepository: b/c, tags: [&c {name: stable, from: &from {kind: DockerImage, name: "b/c"}}, {<<: *c, name: edge, from: {<<: *from, name: b/d}}]}
status: {tags: [{tag: a, items: [{created: 2026-01-01T00:00:00Z, dockerImageReference: b/c, image: ''}]}]}
`
)

// inLines is a stream without anchors, aliases and merge keys.
const inLines = `metadata:
  name: barge
  annotations:
    a: b
spec:
  dockerImageRepository: b/c
  tags:
  - name: stable
    reference: false
    from:
      kind: DockerImage
      name: "b/c"
  - name: edge
    generation: 2
status:
  tags:
  - tag: a
    items:
    - created: "2026-01-01T00:00:00Z"
      dockerImageReference: b/c
      image: ''
`

// plainWords are values on one line, in JSON some of them.
var plainWords = []string{
	"a", "\"a\"", "'a'", "\"\"", "\"1\"", "\"true\"", "\"a: b # c\"", "\"\\u00e9\\n\\/\"", "\"2026-01-01T00:00:00Z\"", "\"2026-01-01T00:00:00.5+02:00\"", "true", "false", "True", "null", "1", "-1", "12", "-0", "1.5", "1.2.3",
	"1e3", "{}", "[]", "[\"a\"]", "{\"a\": \"b\"}", "{\"kind\": \"a\", \"name\": \"b\"}", "y", "on", "No", "=", "a # b", "123456789012345678",
}

// broken is a text with two lines in each other's place, and tokens where they do not
// belong.
func broken(r *rand.Rand, src string) string {
	lines := strings.SplitAfter(src, "\n")
	i, j := r.IntN(len(lines)), r.IntN(len(lines))
	lines[i], lines[j] = lines[j], lines[i]
	src = strings.Join(lines, "")
	for range 1 + r.IntN(4) {
		i := r.IntN(len(src))
		src = src[:i] + pick(r, tokens...) + pick(r, "", " ") + src[min(len(src), i+r.IntN(3)):]
	}
	return src
}

// tokens are what YAML is made of.
var tokens = []string{
	"&", "&a", "&a:b", "*a", "*a:b", "!!str", "!!str,", "!!binary", "!!null", "!", "!x", "<<:", "<<: *a", "'", "\"", "|", "|-", ">", "#", ":", "?", "-",
	",", "{", "}", "[", "]", "~", "=", "%", "@", "\\", "\\n", "\\/", "a", "b", "name", "kind", "on", "null", "1.0", "\n", "\n  ", "\r\n", "\t", "é", "\u017f", "---", "...",
}

func randomTokens(r *rand.Rand) string {
	var b strings.Builder
	for range r.IntN(6) {
		b.WriteString(pick(r, tokens...))
		b.WriteString(pick(r, "", "", " "))
	}
	return b.String()
}

// randomText is what a number, a time or a word of YAML may look like.
func randomText(r *rand.Rand) string {
	const digits, all = "0123456789abcdefoxEOXB_.+-:", "0123_.+-:exobEOXBnyTtfrueINFa~=<!&*?{}[]|>'\"#%@, \t"
	letters := pick(r, digits, digits, all)
	text := make([]byte, r.IntN(7))
	for i := range text {
		text[i] = letters[r.IntN(len(letters))]
	}
	return pick(r, "", "", "", "!!str ", "! ", "&a ") + string(text)
}

func lawfully(t *testing.T, src string) {
	t.Helper()
	f, err := yamledit.Parse([]byte(src), yamledit.DefaultLimits)
	if err != nil {
		return
	}
	for _, doc := range f.Docs {
		c := checker{json: f.JSON, mode: inMetadata}
		if !c.check(doc.Root, reflect.TypeFor[imagev1.ImageStream](), "a stream") {
			continue
		}
		text := []byte(src)
		if !f.JSON {
			if text, err = toJSON(f, doc, f.Src[doc.Start:doc.End]); err != nil && doc.Plain {
				t.Errorf("%q: the library refuses what is plain: %v", src, err)
			}
		}
		if err != nil {
			continue // said of the document
		}
		var s struct {
			Metadata metav1.ObjectMeta         `json:"metadata"`
			Spec     imagev1.ImageStreamSpec   `json:"spec"`
			Status   imagev1.ImageStreamStatus `json:"status"`
		}
		if err := kjson.Unmarshal(text, &s); err != nil {
			t.Errorf("%q: the check let through what is not decoded: %v", src, err)
			continue
		}
		of := map[string]any{}
		if _, status := apart(f, doc); status != nil || doc.Plain || f.JSON {
			of["status"] = s.Status
		}
		if doc.Plain || f.JSON {
			of["spec"], of["metadata"] = s.Spec, identity{s.Metadata.Name, s.Metadata.Namespace, s.Metadata.Annotations}
		}
		for part, want := range of {
			got := reflect.New(reflect.TypeOf(want)).Elem()
			fill(got, field(doc.Root, part))
			if diff := cmp.Diff(want, got.Interface(), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("%q: %s (-library +nodes):\n%s", src, part, diff)
			}
		}
		for part, v := range map[string]any{"metadata": s.Metadata, "spec": s.Spec, "status": s.Status} {
			if at := differs(field(doc.Root, part), reflect.ValueOf(v)); at != "" {
				t.Errorf("%q: %s: %s; the check let it through, and the library read %s", src, part, at, text)
			}
		}
	}
}

// differs says where a decoded value is not what the node says.
func differs(n *yamledit.Node, v reflect.Value) string {
	n = follow(n)
	switch {
	case isNull(n):
		if v.Kind() != reflect.Struct && !v.IsZero() {
			return fmt.Sprintf("nothing stands there, and %v was read", v)
		}
		return ""
	case v.Type() == timeType:
		if want, err := time.Parse(time.RFC3339, n.Value); err != nil || !v.Interface().(metav1.Time).Time.Equal(want) {
			return fmt.Sprintf("the time %s", n.Value)
		}
		return ""
	}
	switch v.Kind() {
	case reflect.Pointer:
		return differs(n, v.Elem())
	case reflect.Struct:
		for name := range streamSchema[v.Type()] {
			if at := differs(field(n, name), fieldOf(v, name)); at != "" {
				return name + ": " + at
			}
		}
	case reflect.Slice:
		if v.Len() != len(n.Content) {
			return fmt.Sprintf("a list of %d elements", len(n.Content))
		}
		for i, c := range n.Content {
			if at := differs(c, v.Index(i)); at != "" {
				return strconv.Itoa(i) + ": " + at
			}
		}
	case reflect.Map:
		for key, of := range entries(n) {
			if plain(key) && readsAs(key.Value) != "" {
				continue // no name of ours
			}
			value := v.MapIndex(reflect.ValueOf(key.Value))
			if !value.IsValid() && isNull(of) {
				continue // {a:, b}: the library's key is a:
			}
			if !value.IsValid() {
				return "the key " + key.Value
			}
			if at := differs(of, value); at != "" {
				return key.Value + ": " + at
			}
		}
	default:
		if text := fmt.Sprint(v); text != n.Value && !(v.Kind() == reflect.Bool && strings.EqualFold(text, n.Value)) {
			return fmt.Sprintf("%q", n.Value)
		}
	}
	return ""
}

func fieldOf(v reflect.Value, name string) reflect.Value {
	for i := range v.NumField() {
		if tag, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ","); tag == name {
			return v.Field(i)
		}
	}
	panic("no field " + name)
}

// TestDecodesAlike: texts that parsers treat differently, and mean the same.
func TestDecodesAlike(t *testing.T) {
	const yaml = "kind: ImageStream\napiVersion: v1\nmetadata: {name: barge}\nspec:\n  tags:\n  - {name: a, from: {kind: DockerImage, name: b/c}}\n"
	const json = `{"kind": "ImageStream", "apiVersion": "v1", "metadata": {"name": "barge"}, "spec": {"tags": [{"name": "a", "from": {"kind": "DockerImage", "name": "b/c"}}]}}`
	want := Spec{Tags: []Tag{{Name: "a", From: From{Kind: DockerImage, Name: "b/c"}}}}
	for name, src := range map[string]string{
		"YAML":                      yaml,
		"a byte order mark":         "\ufeff" + yaml,
		"%YAML 1.1":                 "%YAML 1.1\n---\n" + yaml,
		"%YAML 1.2":                 "%YAML 1.2\n---\n" + yaml,
		"%YAML below others":        "# of 1.2\r\n\r\n%TAG !e! tag:canal.test:\n%YAML 1.2 # x\n---\n" + yaml + "labels: !e!x {}\n",
		"%YAML in a text":           yaml + "status: {harbour: \"x\n\n  %YAML 1.2\"}\n",
		"%YAML of another document": "a: b\n...\n%YAML 1.2\n---\n" + yaml,
		"names in capitals":         yaml + "status: {TAGS: [{TAG: x}]}\nSTATUS: {tags: [{tag: x}]}\n",
		"a name that folds":         yaml + "\u017fpec: {tags: []}\n",
		"numbers without end":       yaml + "status: {depth: -.inf, \"é\": [+.INF, .nan], said: \".inf, .nan\"}\n",
		"JSON":                      json,
		"JSON with tabs":            strings.ReplaceAll(json, " ", "\t"),
		"JSON with escapes":         strings.NewReplacer("/", `\/`, "barge", `b\u0061rge`, `"name"`, `"n\u0061me"`).Replace(json),
		"JSON, then spaces":         "\n " + json + " \n",
	} {
		docs, problems := Parse(parse(t, src))
		problems = slices.DeleteFunc(problems, func(p Problem) bool { return strings.Contains(p.What, "an ImageStream has no field") })
		if len(docs) != 1 || len(problems) > 0 {
			t.Errorf("%s: got %d streams and problems\n%s", name, len(docs), lines(problems))
			continue
		}
		for i := range docs[0].Spec.Tags {
			docs[0].Spec.Tags[i].Line, docs[0].Spec.Tags[i].Col = 0, 0
		}
		if diff := cmp.Diff(want, docs[0].Spec); diff != "" || docs[0].Name.Name != "barge" || len(docs[0].Status.Tags) > 0 {
			t.Errorf("%s: got %s and status %v; spec (-want +got):\n%s", name, docs[0].Name, docs[0].Status, diff)
		}
	}
}

// TestUndecoded: what the library refuses is a problem of its document, whose words hold
// nothing of the file's values.
func TestUndecoded(t *testing.T) {
	const good = "apiVersion: v1\nkind: ImageStream\nmetadata: {name: good}\n"
	const what = "the document could not be decoded"
	for _, tt := range []struct {
		value string
		want  Problem
	}{
		{`"\/"`, Problem{Line: 9, Col: 1, What: what + ": found unknown escape character"}},
		{"{hunter2?x: y}", Problem{Line: 8, Col: 1, What: what + ": did not find expected ',' or '}'"}},
		{"{{hunter2: x}: hunter2}", Problem{Line: 5, Col: 1, What: what}},
		{"{~: hunter2}", Problem{Line: 5, Col: 1, What: what}},
		{"!!int hunter2", Problem{Line: 5, Col: 1, What: what}},
		{"!!binary hunter2-", Problem{Line: 5, Col: 1, What: what + ": !!binary value contains invalid base64 data"}},
		{"&x .inf", Problem{Line: 5, Col: 1, What: what}},
	} {
		tt.want.Fix = plainer
		docs, problems := Parse(parse(t, good+"---\n"+good+"harbour:\n  bell: "+tt.value+"\n---\n"+good))
		if diff := cmp.Diff([]Problem{tt.want}, problems); diff != "" || len(docs) != 2 {
			t.Errorf("%s: got %d streams, want the two good ones; problems (-want +got):\n%s", tt.value, len(docs), diff)
		}
	}
}

// TestEntriesThatDiffer: mappings in which the library finds other entries than the nodes
// have.
func TestEntriesThatDiffer(t *testing.T) {
	const stream = "apiVersion: v1\nkind: ImageStream\nmetadata: {name: barge}\nspec:\n  tags:\n  - &a\n    name: a\n    from: {kind: DockerImage, name: b/c}\n  - name: good\n  - %s\n"
	for tag, what := range map[string]string{
		"{name: b, <<: *a}":               "name stands above <<",
		"{<<: [{x: y}, *a], name:, b}":    "name has no value, and << brings one",
		"{<<: {name: c, <<: *a}}":         "name stands above <<",
		"{!!binary bmFtZQ==: b}":          "the key \"bmFtZQ==\" has the tag !!binary",
		"{! name: b}":                     "the key \"name\" has the tag !",
		"{!!merge <<: *a}":                "the key \"<<\" has the tag !!merge",
		"{?name: b}":                      "the key ?name is read without its ?",
		"&k:l name: b":                    "the anchor &k:l",
		"name: &k:l b":                    "the anchor &k:l",
		"name: &k:l":                      "the anchor &k:l",
		"{name: b, reference: !!null, x}": "nothing stands after the tag !!null",
	} {
		d, problems := parseOne(t, fmt.Sprintf(stream, tag))
		if len(problems) == 0 || !strings.Contains(lines(problems), what) || problems[0].Line != 10 || problems[0].Fix == "" {
			t.Errorf("%s: got problems\n%swant: %s", tag, lines(problems), what)
		}
		if names := len(d.Spec.Tags); names != 2 {
			t.Errorf("%s: got %d tags, want the two good ones", tag, names)
		}
	}
	for _, tag := range []string{"{<<: *a, name: b}", "{name: b, <<: {reference: false}}", "{<<: {name: c}, name: b}", "{!!str name: b}", "{&k name: b}", "{annotations: {x: &k name}, *k : b}", "{name: b, annotations: {\"?x\": z}}"} {
		d, problems := parseOne(t, fmt.Sprintf(stream, tag))
		if len(problems) > 0 || len(d.Spec.Tags) != 3 || d.Spec.Tags[2].Name != "b" {
			t.Errorf("%s: got tags %v and problems\n%swant b", tag, d.Spec.Tags, lines(problems))
		}
	}
}

// TestOneLosesNoOther: values of a wrong type take nothing else away.
func TestOneLosesNoOther(t *testing.T) {
	d, problems := parseOne(t, `status: {tags: [{tag: a, items: [{created: yesterday}]}]}
metadata:
  annotations: {canal.test/berth: 7, towpath.dev/scheduled: "true"}
  creationTimestamp: yesterday
  labels: [a]
  name: barge
spec:
  lookupPolicy: {local: 7}
  dockerImageRepository: b/c
  tags:
  - {name: a, reference: 7}
  - {name: b, generation: x}
  - c
  - {name: d, from: [x]}
  - name: good
kind: ImageStream
apiVersion: v1
`)
	if len(problems) != 9 {
		t.Errorf("got %d problems, want 9:\n%s", len(problems), lines(problems))
	}
	if !d.Malformed || !d.Scheduled || d.Name.Name != "barge" || d.Spec.Repository != "b/c" || len(d.Spec.Tags) != 1 || !cmp.Equal(d.Spec.Broken, []string{"a", "b", "d"}) {
		t.Errorf("got %+v, want all that is not wrong", d)
	}
}

func FuzzDecode(f *testing.F) {
	for _, src := range corpusFiles(f) {
		if len(src) < 5_000 {
			f.Add(src)
		}
	}
	for _, slot := range slots {
		f.Add(fmt.Sprintf(slot, "x"))
	}
	f.Fuzz(lawfully)
}

// TestApart: a status of its own is not parsed a second time, one that is bound up with
// the rest of its document is; either way the same is read, and lines stay where
// they were.
func TestApart(t *testing.T) {
	const head = "apiVersion: v1\nkind: ImageStream\nmetadata: {name: barge}\n"
	const item = "{dockerImageReference: canal/barge:1, image: \"\"}"
	for name, tt := range map[string]struct {
		src   string
		apart bool
	}{
		"last":            {head + "status:\n  tags:\n  - tag: a\n    items: [" + item + "]\n", true},
		"in the middle":   {head + "status: # ours\n  tags: [{tag: a, items: [" + item + "]}]\n# theirs\nspec: {}\n", true},
		"first":           {"status: {tags: [{tag: a, items: [" + item + "]}]}\n" + head, true},
		"Windows":         {strings.ReplaceAll(head+"status:\n  tags: [{tag: a, items: ["+item+"]}]\nspec: {}\n", "\n", "\r\n"), true},
		"an anchor in it": {head + "status:\n  tags: [{tag: a, items: [&i " + item + "]}]\nspec: {}\n", false},
		"an alias in it":  {"x: &i " + item + "\n" + head + "status:\n  tags: [{tag: a, items: [*i]}]\n", false},
		"flow style":      {"{" + strings.ReplaceAll(strings.TrimSpace(head), "\n", ", ") + ", status: {tags: [{tag: a, items: [" + item + "]}]}}\n", false},
		"indented":        {"  " + strings.ReplaceAll(head, "\n", "\n  ") + "status: {tags: [{tag: a, items: [" + item + "]}]}\n", false},
	} {
		f := parse(t, tt.src)
		text, status := apart(f, f.Docs[0])
		if (status != nil) != tt.apart {
			t.Errorf("%s: apart %v, want %v", name, status != nil, tt.apart)
		}
		if got, want := bytes.Count(text, []byte("\n")), strings.Count(tt.src, "\n"); got != want {
			t.Errorf("%s: %d lines, want %d", name, got, want)
		}
		docs, _ := Parse(f)
		if len(docs) != 1 || len(docs[0].Status.Tags) != 1 || len(docs[0].Status.Tags[0].Items) != 1 {
			t.Errorf("%s: read %+v", name, docs)
		}
	}
}
