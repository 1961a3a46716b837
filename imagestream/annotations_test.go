package imagestream

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/towpath/towpath/policy"
)

const annotated = `apiVersion: v1
kind: ImageStream
metadata: {name: barge}
spec:
  tags:
  - name: a
    annotations: {%s}
    %s
  - {name: b, from: {kind: DockerImage, name: quay.io/canal/barge}}
`

const image1 = "from: {kind: DockerImage, name: quay.io/canal/barge:1}"

func TestWhen(t *testing.T) {
	minute, none := time.Minute, time.Duration(0)
	for _, tt := range []struct {
		annotations, rest string
		want              Tag
	}{
		{"", image1, Tag{}},
		{"towpath.dev/interval: 5m", image1, Tag{Interval: 5 * minute, Scheduled: true}},
		{"towpath.dev/interval: 1s", image1, Tag{Interval: time.Second, Scheduled: true}},
		{"towpath.dev/interval: 720h", image1, Tag{Interval: 720 * time.Hour, Scheduled: true}},
		{"towpath.dev/interval: 5m", image1 + "\n    importPolicy: {scheduled: true}", Tag{Interval: 5 * minute, Scheduled: true}},
		{"towpath.dev/interval: 5m", image1 + "\n    importPolicy: {insecure: true}", Tag{Interval: 5 * minute, Scheduled: true, Insecure: true}},
		{"towpath.dev/interval: 5m", image1 + "\n    importPolicy: {scheduled: null}", Tag{Interval: 5 * minute, Scheduled: true}},
		// What is written goes before what follows from it.
		{"towpath.dev/interval: 5m", image1 + "\n    importPolicy: {scheduled: false}", Tag{Interval: 5 * minute}},
		{"towpath.dev/settle: 1m", image1, Tag{Settle: &minute}},
		{"towpath.dev/settle: 0s", image1, Tag{Settle: &none}},
		{"canal.test/interval: whenever", image1, Tag{}},
	} {
		tt.want.Name, tt.want.Line, tt.want.Col = "a", 6, 5
		tt.want.From = From{Kind: DockerImage, Name: "quay.io/canal/barge:1"}
		d, problems := parseOne(t, fmt.Sprintf(annotated, tt.annotations, tt.rest))
		if len(problems) > 0 {
			t.Errorf("%s: problems:\n%s", tt.annotations, lines(problems))
		}
		if diff := cmp.Diff(tt.want, d.Spec.Tags[0]); diff != "" {
			t.Errorf("%s, %s (-want +got):\n%s", tt.annotations, tt.rest, diff)
		}
	}
}

// fault: C-24
func TestBadDurations(t *testing.T) {
	for _, text := range []string{"0s", "-5m", "1ns", "999999h", "1e400", "5", "", "720h1s", "1d", "never", strings.Repeat("9", 100_000) + "h", "5m\\nSigned-off-by: x"} {
		d, problems := parseOne(t, fmt.Sprintf(annotated, `towpath.dev/interval: "`+text+`"`, image1))
		if diff := cmp.Diff([]string{"a"}, d.Spec.Broken); diff != "" || len(d.Spec.Tags) != 1 || d.Spec.Tags[0].Name != "b" {
			t.Errorf("interval %.20q: tags %v, broken (-want +got):\n%s", text, d.Spec.Tags, diff)
		}
		if len(problems) != 1 || problems[0].Line != 7 || problems[0].Col != 41 || problems[0].Fix == "" || strings.Contains(problems[0].What, "\n") || len(problems[0].What) > 300 {
			t.Errorf("interval %.20q: got problems\n%.1000swant one at 7:41", text, lines(problems))
		}
	}
	for _, text := range []string{"-1s", "720h1s", "30d", "5"} {
		d, problems := parseOne(t, fmt.Sprintf(annotated, `towpath.dev/settle: "`+text+`"`, image1))
		if len(problems) != 1 || len(d.Spec.Broken) != 1 || len(d.Spec.Tags) != 1 {
			t.Errorf("settle %q: tags %v, broken %v, problems\n%s", text, d.Spec.Tags, d.Spec.Broken, lines(problems))
		}
	}
}

// TestAnnotationsThatCannotBe: each is a problem of its tag alone.
func TestAnnotationsThatCannotBe(t *testing.T) {
	for _, tt := range []struct{ annotations, rest, want string }{
		{"towpath.dev/intervall: 5m", image1, "there is no annotation towpath.dev/intervall\n\tfix: did you mean towpath.dev/interval?"},
		{"towpath.dev/polcy: newest", image1, "there is no annotation towpath.dev/polcy\n\tfix: did you mean towpath.dev/policy?"},
		{"towpath.dev/colour: red", image1, "there is no annotation towpath.dev/colour\n\tfix: remove it; known here: towpath.dev/policy, "},
		{"towpath.dev/scheduled: \"true\"", image1, "towpath.dev/scheduled belongs to the stream, for its spec.dockerImageRepository\n\tfix: for a tag, write importPolicy: {scheduled: true}"},
		{"towpath.dev/interval: 300", image1, "a string belongs here, but 300 is read as a number\n\tfix: towpath.dev/interval: \"300\""},
		{"towpath.dev/interval: 5m", "from: {kind: ImageStreamTag, name: b}", "towpath.dev/interval is for a tag that is imported; it follows b"},
		{"towpath.dev/settle: 5m", "reference: true\n    " + image1, "towpath.dev/settle is for a tag that is imported; reference: true"},
		{"towpath.dev/settle: 5m", "generation: null", "towpath.dev/settle is for a tag that is imported; it has no from"},
	} {
		d, problems := parseOne(t, fmt.Sprintf(annotated, tt.annotations, tt.rest))
		if len(problems) != 1 || !strings.Contains(lines(problems), tt.want) || problems[0].Line != 7 {
			t.Errorf("%s, %s: got problems\n%swant\n%s", tt.annotations, tt.rest, lines(problems), tt.want)
		}
		if len(d.Spec.Tags) != 1 || d.Spec.Tags[0].Name != "b" || len(d.Spec.Broken) != 1 {
			t.Errorf("%s, %s: got tags %v, broken %v; want a broken", tt.annotations, tt.rest, d.Spec.Tags, d.Spec.Broken)
		}
	}
}

const repository1 = "from: {kind: DockerImage, name: quay.io/canal/barge}"

func TestPolicy(t *testing.T) {
	const semver = "towpath.dev/policy: 'semver:>=1.4 <2'"
	d, problems := parseOne(t, fmt.Sprintf(annotated, semver+", towpath.dev/match: '^v', towpath.dev/min-age: 72h", repository1))
	if len(problems) > 0 || len(d.Spec.Tags) != 2 || d.Spec.Tags[1].Policy != nil {
		t.Fatalf("got tags %v and problems\n%s", d.Spec.Tags, lines(problems))
	}
	want, err := policy.Parse(map[string]string{"policy": "semver:>=1.4 <2", "match": "^v", "min-age": "72h"})
	if err != nil {
		t.Fatal(err)
	}
	if got := d.Spec.Tags[0]; got.Policy.String() != want.String() || !got.Scheduled {
		t.Errorf("got %q, scheduled %t; want %q, scheduled", got.Policy.String(), got.Scheduled, want.String())
	}
	d, _ = parseOne(t, fmt.Sprintf(annotated, semver, repository1+"\n    importPolicy: {scheduled: false}"))
	if got := d.Spec.Tags[0]; got.Scheduled || got.Policy == nil {
		t.Errorf("got scheduled %t, want what is written: false", got.Scheduled)
	}
	for _, tt := range []struct {
		annotations, rest, want string
		line                    int
	}{
		{"towpath.dev/policy: ''", repository1, "towpath.dev/policy is empty", 7},
		{"towpath.dev/policy: 'semver:nonsense'", repository1, "towpath.dev/policy", 7},
		{"towpath.dev/policy: everything", repository1, "towpath.dev/policy", 7},
		{"towpath.dev/match: '^v'", repository1, "towpath.dev/match does nothing without", 7},
		{semver + ", towpath.dev/match: '(a{1000}){1000}'", repository1, "towpath.dev/match", 7},
		{semver + ", towpath.dev/min-age: often", repository1, "towpath.dev/min-age", 7},
		{semver, image1, "names one image, and its policy chooses among all of a repository\n\tfix: name: quay.io/canal/barge\n", 8},
		{semver, "from: {kind: DockerImage, name: 'quay.io/canal/barge@" + word("a") + "'}", "fix: name: quay.io/canal/barge\n", 8},
		{semver, "from: {kind: DockerImage, name: 'docker://quay.io/canal/barge'}", "a reference has no docker://", 8},
		{semver, "from: {kind: ImageStreamTag, name: b}", "towpath.dev/policy is for a tag that is imported; it follows b", 7},
		{semver, "from: {kind: ImageStreamImage, name: 'b@" + word("a") + "'}", "towpath.dev/policy is for a tag that is imported", 7},
		{semver, "reference: true\n    " + repository1, "towpath.dev/policy is for a tag that is imported; reference: true", 7},
		{semver, "generation: null", "towpath.dev/policy is for a tag that is imported; it has no from", 7},
	} {
		d, problems := parseOne(t, fmt.Sprintf(annotated, tt.annotations, tt.rest))
		if len(problems) != 1 || !strings.Contains(lines(problems), tt.want) || problems[0].Line != tt.line || problems[0].Fix == "" {
			t.Errorf("%s, %s: got problems\n%swant %q in line %d", tt.annotations, tt.rest, lines(problems), tt.want, tt.line)
		}
		if len(d.Spec.Tags) != 1 || d.Spec.Tags[0].Name != "b" || len(d.Spec.Broken) != 1 {
			t.Errorf("%s, %s: got tags %v, broken %v; want a broken: no policy must never be every tag", tt.annotations, tt.rest, d.Spec.Tags, d.Spec.Broken)
		}
	}
}

// TestStreamAnnotations: they are about the repository's import, and a bad one stops that
// alone.
func TestStreamAnnotations(t *testing.T) {
	const stream = "apiVersion: v1\nkind: ImageStream\nmetadata:\n  name: barge\n  annotations: {%s}\nspec:\n  %s\n  tags: [{name: b, from: {kind: DockerImage, name: quay.io/canal/barge}}]\n"
	const repository = "dockerImageRepository: quay.io/canal/barge"
	hour := time.Hour
	for _, tt := range []struct {
		annotations, spec string
		want              Document
		problem           string
	}{
		{`towpath.dev/scheduled: "true"`, repository, Document{Scheduled: true}, ""},
		{`towpath.dev/scheduled: "false"`, repository, Document{}, ""},
		{`towpath.dev/interval: 1h`, repository, Document{Scheduled: true, Interval: hour}, ""},
		{`towpath.dev/interval: 1h, towpath.dev/scheduled: "false"`, repository, Document{Interval: hour}, ""},
		{`towpath.dev/settle: 1h`, repository, Document{Settle: &hour}, ""},
		{`towpath.dev/scheduled: "yes"`, repository, Document{}, "problem: towpath.dev/scheduled must be true or false, not \"yes\""},
		{`towpath.dev/scheduled: true`, repository, Document{}, "problem: towpath.dev/scheduled: a string belongs here, but true is read as a boolean"},
		{`towpath.dev/scheduled: null`, repository, Document{}, "problem: towpath.dev/scheduled must be true or false, not \"\""},
		{`towpath.dev/interval: 0s`, repository, Document{}, "problem: towpath.dev/interval must be a duration from 1s to 720h"},
		{`towpath.dev/policy: newest`, repository, Document{}, "problem: towpath.dev/policy belongs to a tag"},
		{`towpath.dev/shceduled: "true"`, repository, Document{}, "fix: did you mean towpath.dev/scheduled?"},
		{`towpath.dev/scheduled: "true"`, "lookupPolicy: {local: true}", Document{Scheduled: true}, "note: the stream's annotations towpath.dev/"},
		{`towpath.dev/scheduled: "yes"`, "lookupPolicy: {local: true}", Document{}, "problem: towpath.dev/scheduled must be"},
	} {
		d, problems := parseOne(t, fmt.Sprintf(stream, tt.annotations, tt.spec))
		if tt.problem == "" && len(problems) > 0 || tt.problem != "" && (len(problems) != 1 || !strings.Contains(lines(problems), tt.problem) || problems[0].Line != 5) {
			t.Errorf("%s, %s: got problems\n%swant %q", tt.annotations, tt.spec, lines(problems), tt.problem)
		}
		if diff := cmp.Diff(tt.want, Document{Scheduled: d.Scheduled, Interval: d.Interval, Settle: d.Settle}); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.annotations, diff)
		}
		if imports := tt.problem == "" && tt.spec == repository; imports != (d.Spec.Repository != "") || len(d.Spec.Tags) != 1 {
			t.Errorf("%s, %s: got repository %q and tags %v; want it imported: %t", tt.annotations, tt.spec, d.Spec.Repository, d.Spec.Tags, imports)
		}
	}
}

// TestAnnotationsAreDocumented: the table has the annotations that there are, of streams
// and of tags.
func TestAnnotationsAreDocumented(t *testing.T) {
	doc, err := os.ReadFile("../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(string(doc), "\n## Annotations of image streams\n")
	text, _, _ = strings.Cut(text, "\n## ")
	got := map[string][]string{}
	for line := range strings.Lines(text) {
		if cells := strings.Split(line, " | "); strings.HasPrefix(line, "| `") && len(cells) == 4 {
			for on := range strings.SplitSeq(cells[1], ", ") {
				got[on] = append(got[on], strings.Trim(cells[0], "|` "))
			}
		}
	}
	want := map[string][]string{"tag": slices.Sorted(slices.Values(tagKeys)), "stream": slices.Clone(streamKeys)}
	for on := range got {
		slices.Sort(got[on])
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-code +document):\n%s", diff)
	}
}
