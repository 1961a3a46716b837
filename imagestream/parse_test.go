package imagestream

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const whole = `apiVersion: image.openshift.io/v1
kind: ImageStream
metadata:
  name: barge
  namespace: canal
  annotations:
    openshift.io/image.insecureRepository: "true"
    towpath.dev/scheduled: "true"
    openshift.io/image.dockerRepositoryCheck: "2026-01-01T00:00:00Z"
spec:
  lookupPolicy:
    local: true
  dockerImageRepository: quay.io/canal/barge
  tags:
  - name: "1.0"
    annotations:
      importer.image.openshift.io/prefer-os: linux
      importer.image.openshift.io/prefer-arch: s390x
    from:
      kind: DockerImage
      namespace: ignored
      name: quay.io/canal/barge:1.0
    generation: 4
    importPolicy:
      insecure: true
      scheduled: True
      importMode: PreserveOriginal
    referencePolicy:
      type: Local
  - name: stable
    reference: true
    from: {kind: ImageStreamTag, namespace: other, name: "tug:1.0"}
  - name: pushed
status:
  dockerImageRepository: registry.canal.test:5000/canal/barge
  tags:
  - tag: "1.0"
    items:
    - created: "2026-01-01T02:00:00+02:00"
      dockerImageReference: quay.io/canal/barge@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
      image: sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
      generation: 4
    conditions:
    - {type: towpath.dev/Source, status: "True", lastTransitionTime: "2026-01-01T00:00:00Z", reason: Resolved, message: quay.io/canal/barge:1.0 PreserveOriginal linux/s390x inputs=5f0c2a1b}
    - {type: ImportSuccess, status: "False", lastTransitionTime: "2026-01-02T00:00:00Z", reason: NotFound, message: "quay.io/canal/barge:1.0: no such tag"}
  - tag: old
    items: null
    conditions:
    - {type: ImportSuccess, status: "False", lastTransitionTime: "2026-01-02T00:00:00Z", reason: InternalError, message: "Internal error occurred: quay.io/canal/barge:old: EOF"}
    - {type: towpath.dev/Source, status: "True", message: edited by hand}
`

func TestParseReadsEverything(t *testing.T) {
	newYear := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	got, problems := parseOne(t, whole)
	if len(problems) > 0 {
		t.Errorf("got problems:\n%s", lines(problems))
	}
	want := Document{
		Line: 1, Col: 1,
		Name:     Name{"canal", "barge"},
		Insecure: true, Scheduled: true, Checked: true,
		Spec: Spec{
			Repository: "quay.io/canal/barge",
			Tags: []Tag{
				{
					Name: "1.0", Line: 15, Col: 5, From: From{Kind: DockerImage, Name: "quay.io/canal/barge:1.0"},
					Insecure: true, Scheduled: true, ImportMode: PreserveOriginal, Local: true, PreferOS: "linux", PreferArch: "s390x",
				},
				{Name: "stable", Line: 30, Col: 5, From: From{ImageStreamTag, "other", "tug:1.0"}, Reference: true},
				{Name: "pushed", Line: 33, Col: 5},
			},
		},
		Status: Status{
			Repository: "registry.canal.test:5000/canal/barge",
			Tags: []TagStatus{
				{
					Tag:     "1.0",
					Served:  true,
					Items:   []Item{{newYear, "quay.io/canal/barge@" + word("a"), word("a")}},
					Source:  &Source{"quay.io/canal/barge:1.0", PreserveOriginal, "linux/s390x", "5f0c2a1b", Labels{}, newYear},
					Failure: &Failure{"NotFound", "quay.io/canal/barge:1.0", "no such tag", newYear.AddDate(0, 0, 1)},
				},
				{
					Tag:     "old",
					Failure: &Failure{"InternalError", "", "Internal error occurred: quay.io/canal/barge:old: EOF", newYear.AddDate(0, 0, 1)},
					Others:  true, // the one edited by hand
				},
			},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestReadsAs(t *testing.T) {
	for want, texts := range map[string]string{
		readNull:   "~ null Null NULL",
		readBool:   "y N yes No YES on Off true False TRUE",
		readNumber: "0 12 -1 +1 1.10 1. .5 1_000 0777 0o17 0b11 0xfF 1e3 1.5E+3 12:30 12:30:00 1:2.5 .inf -.Inf .NaN 12e34",
		readTime:   "2015-05-05 2015-05-05T19:12:00Z",
		"":         "yEs truE nullx 1.2.3 v1.10 1.10-rc1 12a 0x 0xg 1-2 latest sha256:00 - + . .. 2015-05 2015-05-05x 9.9.9.9 1:99:00:aa e1 nan inf 0b2a",
	} {
		for text := range strings.FieldsSeq(texts) {
			if got := readsAs(text); got != want {
				t.Errorf("readsAs(%q) = %q, want %q", text, got, want)
			}
		}
	}
	if got := readsAs(""); got != readNull {
		t.Errorf("readsAs of no text = %q, want %q", got, readNull)
	}
}

// fault: C-18
func TestStringsNeverBecomeNumbers(t *testing.T) {
	const stream = "apiVersion: v1\nkind: ImageStream\nmetadata: {name: barge}\nspec:\n  tags:\n  - name: %s\n    from: {kind: DockerImage, name: quay.io/canal/barge}\n"
	for _, text := range []string{
		"on", "yes", "no", "true", "0777", "1_000", "12:30:00", "1.10", "1e3", "0x10", "0o7", "2015-05-05", ".inf", "~",
		"!!binary bGF0ZXN0", "!!python/object:x y", "!include x", "!!int 12", "!!float 1.10", "[latest]", "{a: b}",
	} {
		d, problems := parseOne(t, fmt.Sprintf(stream, text))
		if len(d.Spec.Tags) > 0 || len(problems) != 1 || problems[0].Line != 6 || problems[0].Fix == "" || problems[0].Note {
			t.Errorf("name: %s: got tags %v and problems\n%swant one problem in line 6 and no tag", text, d.Spec.Tags, lines(problems))
		}
	}
	for _, text := range []string{`"on"`, `'0777'`, `!!str 1.10`, "|-\n      12:30", ">-\n      1e3"} {
		text = strings.Replace(text, "12:30", "1230", 1) // a tag has no colon
		d, problems := parseOne(t, fmt.Sprintf(stream, text))
		if len(d.Spec.Tags) != 1 || len(problems) > 0 {
			t.Errorf("name: %s: got tags %v and problems\n%swant it read as text", text, d.Spec.Tags, lines(problems))
		}
	}
}

// fault: C-30
func TestMalformedStatusSaysNothing(t *testing.T) {
	const head = "apiVersion: v1\nkind: ImageStream\nmetadata: {name: barge}\nspec:\n  tags: [{name: a, from: {kind: DockerImage, name: quay.io/canal/barge}}]\nstatus:"
	for name, status := range map[string]string{
		"a list":             " [a]",
		"text":               " fine",
		"tags as a mapping":  "\n  tags: {a: b}",
		"a tag as text":      "\n  tags: [a]",
		"items as a mapping": "\n  tags: [{tag: a, items: {a: b}}]",
		"a number as image":  "\n  tags: [{tag: a, items: [{dockerImageReference: canal/barge, image: 12}]}]",
		"a short digest":     "\n  tags: [{tag: a, items: [{dockerImageReference: canal/barge, image: \"sha256:12\"}]}]",
		"an upper digest":    "\n  tags: [{tag: a, items: [{dockerImageReference: canal/barge, image: \"sha256:" + strings.Repeat("A", 64) + "\"}]}]",
		"a bad reference":    "\n  tags: [{tag: a, items: [{dockerImageReference: \"canal/barge@sha256:12\", image: \"\"}]}]",
		"no reference":       "\n  tags: [{tag: a, items: [{image: \"" + word("a") + "\"}]}]",
		"a bad time":         "\n  tags: [{tag: a, items: [{created: now, dockerImageReference: canal/barge}]}]",
		"a tag twice":        "\n  tags: [{tag: a}, {tag: a}]",
		"a bad tag":          "\n  tags: [{tag: \"a\\nSigned-off-by: x\"}]",
		"100,000 items":      "\n  tags: [{tag: a, items: [" + strings.Repeat("{}, ", 100_000) + "]}]",
		"50,001 items":       "\n  tags: [{tag: a, items: [" + strings.Repeat("{dockerImageReference: a}, ", 50_001) + "]}]",
		"items by alias":     "\n  tags: [{tag: a, items: &i [" + strings.Repeat("{}, ", 100) + "]}" + counted(200, ", {tag: t%d, items: *i}") + "]",
		"50,001 tags":        "\n  tags: [" + counted(50_001, "{tag: t%d}, ") + "]",
		"500 conditions":     "\n  tags: [{tag: a, conditions: [" + strings.Repeat("{type: x}, ", 500) + "]}]",
	} {
		f := parse(t, head+status+"\n")
		docs, problems := Parse(f)
		if len(docs) != 1 {
			t.Fatalf("%s: got %d streams, want one", name, len(docs))
		}
		d := docs[0]
		if !d.Malformed || len(d.Status.Tags) > 0 || len(problems) == 0 || problems[0].Line < 6 || problems[0].Fix == "" {
			t.Errorf("%s: got malformed %t, status %v and problems\n%swant it malformed, with nothing on record", name, d.Malformed, d.Status, lines(problems))
		}
		event := Event{Tag: "a", Item: &Item{Reference: "canal/barge@" + word("b"), Image: word("b")}}
		if edits := Edits(f, d, d.After([]Event{event}, Options{Now: noon}), Options{Now: noon}); len(edits) > 0 {
			t.Errorf("%s: got edits %v, want none", name, edits)
		}
	}
}

func counted(n int, format string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, format, i)
	}
	return b.String()
}

// fault: C-30
func TestWellFormedStatusIsTheRecord(t *testing.T) {
	const head = "apiVersion: v1\nkind: ImageStream\nmetadata: {name: barge}\nstatus:"
	for name, status := range map[string]string{
		"none":                "",
		"null":                " null",
		"empty":               " {}",
		"no items":            "\n  tags: [{tag: a, items: null}]",
		"an old id":           "\n  tags: [{tag: a, items: [{dockerImageReference: canal/barge, image: " + strings.Repeat("a1", 32) + "}]}]",
		"sha512":              "\n  tags: [{tag: a, items: [{dockerImageReference: canal/barge, image: \"sha512:" + strings.Repeat("a", 128) + "\"}]}]",
		"a reference tag":     "\n  tags: [{tag: a, items: [{created: 2026-01-01T00:00:00Z, dockerImageReference: \"canal/barge:1\", image: \"\"}]}]",
		"fields of others":    "\n  harbour: north\n  tags: [{tag: a, berth: 7, items: []}]",
		"a condition by hand": "\n  tags: [{tag: a, conditions: [{type: towpath.dev/Source, status: \"True\", message: hello}]}]",
	} {
		d, problems := parseOne(t, head+status+"\n")
		if d.Malformed || len(problems) > 0 {
			t.Errorf("%s: got malformed %t and problems\n%swant a record", name, d.Malformed, lines(problems))
		}
	}
}

func BenchmarkParse(b *testing.B) {
	f := parse(b, large())
	b.ReportAllocs()
	for b.Loop() {
		if docs, problems := Parse(f); len(docs) != 1 || len(problems) > 0 {
			b.Fatal(docs, problems)
		}
	}
}

// large is a stream of 20 KB: ten tags with ten items each.
func large() string {
	var b strings.Builder
	b.WriteString("apiVersion: image.openshift.io/v1\nkind: ImageStream\nmetadata:\n  name: barge\nspec:\n  tags:\n")
	for i := range 10 {
		fmt.Fprintf(&b, "  - name: v%d\n    from:\n      kind: DockerImage\n      name: quay.io/canal/barge:v%d\n    importPolicy:\n      scheduled: true\n", i, i)
	}
	b.WriteString("status:\n  tags:\n")
	for i := range 10 {
		fmt.Fprintf(&b, "  - tag: v%d\n    items:\n", i)
		for j := range 10 {
			d := word(fmt.Sprintf("%02x", i*10+j))
			fmt.Fprintf(&b, "    - created: \"2026-01-02T03:04:05Z\"\n      dockerImageReference: quay.io/canal/barge@%s\n      image: %s\n", d, d)
		}
	}
	return b.String()
}
