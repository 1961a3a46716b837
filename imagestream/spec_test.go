package imagestream

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const specHead = "apiVersion: image.openshift.io/v1\nkind: ImageStream\nmetadata: {name: barge}\n"

func imageFrom(name string) From { return From{Kind: DockerImage, Name: name} }

func yes() *bool { b := true; return &b }
func no() *bool  { b := false; return &b }

func TestEditSpec(t *testing.T) {
	tests := []struct {
		name     string
		in, want string // below the head, unless they are JSON
		edit     TagEdit
		dropped  string
	}{
		{
			name: "a new tag",
			in:   "spec:\n  tags:\n  - name: edge # moves\n    from:\n      kind: DockerImage\n      name: quay.io/canal/barge:edge\n# the end\n",
			edit: TagEdit{Tag: "stable", From: imageFrom("quay.io/canal/barge:1.0")},
			want: "spec:\n  tags:\n  - name: edge # moves\n    from:\n      kind: DockerImage\n      name: quay.io/canal/barge:edge\n" +
				"  - name: stable\n    from:\n      kind: DockerImage\n      name: quay.io/canal/barge:1.0\n# the end\n",
		},
		{
			name: "every field of a new tag",
			in:   "spec:\n    tags:\n      - name: edge\n",
			edit: TagEdit{
				Tag: "1.0", From: imageFrom("quay.io/canal/barge:1.0"), Reference: no(), Insecure: yes(), Scheduled: yes(), Local: yes(),
				ImportMode: PreserveOriginal, Annotations: map[string]string{"interval": "5m"},
			},
			want: "spec:\n    tags:\n      - name: edge\n      - name: \"1.0\"\n        from:\n            kind: DockerImage\n            name: quay.io/canal/barge:1.0\n" +
				"        annotations:\n            towpath.dev/interval: 5m\n        reference: false\n" +
				"        importPolicy:\n            insecure: true\n            scheduled: true\n            importMode: PreserveOriginal\n" +
				"        referencePolicy:\n            type: Local\n",
		},
		{
			name: "no spec",
			edit: TagEdit{Tag: "stable", From: imageFrom("redis")},
			want: "spec:\n  tags:\n  - name: stable\n    from:\n      kind: DockerImage\n      name: redis\n",
		},
		{
			name: "an empty spec",
			in:   "spec: {}\nstatus: {}\n",
			edit: TagEdit{Tag: "stable", From: imageFrom("redis")},
			want: "spec:\n  tags:\n  - name: stable\n    from:\n      kind: DockerImage\n      name: redis\nstatus: {}\n",
		},
		{
			name: "tags: without any",
			in:   "spec:\n  tags: # none yet\n  lookupPolicy: {local: true}\n",
			edit: TagEdit{Tag: "stable", From: imageFrom("redis")},
			want: "spec:\n  tags: # none yet\n  - name: stable\n    from:\n      kind: DockerImage\n      name: redis\n  lookupPolicy: {local: true}\n",
		},
		{
			name: "an empty list",
			in:   "spec: {tags: []}\n",
			edit: TagEdit{Tag: "stable", From: imageFrom("redis")},
			want: "spec: {tags: [{name: stable, from: {kind: DockerImage, name: redis}}]}\n",
		},
		{
			name: "a flow list",
			in:   "spec: {tags: [{name: edge, from: {kind: DockerImage, name: \"redis:7\"}}]} # all\n",
			edit: TagEdit{Tag: "edge", From: imageFrom("redis:8"), Scheduled: yes()},
			want: "spec: {tags: [{name: edge, from: {kind: DockerImage, name: \"redis:8\"}, importPolicy: {scheduled: true}}]} # all\n",
		},
		{
			name: "a tag that is there keeps what nobody speaks of",
			in: "spec:\n  tags:\n  # above\n  - from: # where from\n      kind: DockerImage # a kind\n      name: 'redis:7' # a name\n" +
				"    annotations: {iconClass: icon-redis}\n    generation: 3\n    name: stable\n    importPolicy: {insecure: true}\n  # below\n",
			edit: TagEdit{Tag: "stable", From: imageFrom("redis:8"), Local: no()},
			want: "spec:\n  tags:\n  # above\n  - from: # where from\n      kind: DockerImage # a kind\n      name: 'redis:8' # a name\n" +
				"    annotations: {iconClass: icon-redis}\n    generation: 3\n    name: stable\n    importPolicy: {insecure: true}\n" +
				"    referencePolicy:\n      type: Source\n  # below\n",
		},
		{
			name: "a tag without from",
			in:   "spec:\n  tags:\n  - name: pushed\n    from: null\n",
			edit: TagEdit{Tag: "pushed", From: imageFrom("redis")},
			want: "spec:\n  tags:\n  - name: pushed\n    from:\n      kind: DockerImage\n      name: redis\n",
		},
		{
			name:    "a scheduled tag becomes an alias",
			in:      "spec:\n  tags:\n  - name: stable\n    from: {kind: DockerImage, name: \"redis:7\"}\n    importPolicy:\n      scheduled: true\n",
			edit:    TagEdit{Tag: "stable", From: From{ImageStreamTag, "locks", "tug:1.0"}},
			want:    "spec:\n  tags:\n  - name: stable\n    from: {kind: ImageStreamTag, name: \"tug:1.0\", namespace: locks}\n",
			dropped: "importPolicy.scheduled",
		},
		{
			name:    "what else is written beside scheduled stays",
			in:      "spec:\n  tags:\n  - name: stable\n    from: {kind: DockerImage, name: \"redis:7\"}\n    importPolicy:\n      insecure: true # a lock\n      scheduled: true # often\n",
			edit:    TagEdit{Tag: "stable", From: From{Kind: ImageStreamTag, Name: "tug:1.0"}},
			want:    "spec:\n  tags:\n  - name: stable\n    from: {kind: ImageStreamTag, name: \"tug:1.0\"}\n    importPolicy:\n      insecure: true # a lock\n",
			dropped: "importPolicy.scheduled",
		},
		{
			name: "scheduled: false contradicts nothing",
			in:   "spec:\n  tags:\n  - name: stable\n    from: {kind: DockerImage, name: \"redis:7\"}\n    importPolicy: {scheduled: false}\n",
			edit: TagEdit{Tag: "stable", From: From{Kind: ImageStreamTag, Name: "tug:1.0"}},
			want: "spec:\n  tags:\n  - name: stable\n    from: {kind: ImageStreamTag, name: \"tug:1.0\"}\n    importPolicy: {scheduled: false}\n",
		},
		{
			name: "an alias becomes an image of a registry",
			in:   "spec:\n  tags:\n  - name: stable\n    from:\n      kind: ImageStreamTag\n      namespace: locks\n      name: tug:1.0\n",
			edit: TagEdit{Tag: "stable", From: imageFrom("redis@" + word("a")), Scheduled: yes()},
			want: "spec:\n  tags:\n  - name: stable\n    from:\n      kind: DockerImage\n      name: redis@" + word("a") + "\n    importPolicy:\n      scheduled: true\n",
		},
		{
			name:    "an interval goes with the import",
			in:      "spec:\n  tags:\n  - name: stable\n    annotations:\n      towpath.dev/interval: 5m\n      iconClass: icon-tug\n    from: {kind: DockerImage, name: redis}\n",
			edit:    TagEdit{Tag: "stable", From: From{Kind: ImageStreamImage, Name: "tug@" + word("a")}},
			want:    "spec:\n  tags:\n  - name: stable\n    annotations:\n      iconClass: icon-tug\n    from: {kind: ImageStreamImage, name: tug@" + word("a") + "}\n",
			dropped: "towpath.dev/interval",
		},
		{
			name:    "a reference that is to be imported",
			in:      "spec:\n  tags:\n  - name: stable\n    reference: true\n    from: {kind: DockerImage, name: redis}\n",
			edit:    TagEdit{Tag: "stable", From: imageFrom("redis"), Scheduled: yes()},
			want:    "spec:\n  tags:\n  - name: stable\n    from: {kind: DockerImage, name: redis}\n    importPolicy:\n      scheduled: true\n",
			dropped: "reference",
		},
		{
			name:    "what is imported becomes a reference",
			in:      "spec:\n  tags:\n  - name: stable\n    from: {kind: DockerImage, name: redis}\n    importPolicy: {scheduled: true}\n",
			edit:    TagEdit{Tag: "stable", From: imageFrom("redis"), Reference: yes()},
			want:    "spec:\n  tags:\n  - name: stable\n    from: {kind: DockerImage, name: redis}\n    reference: true\n",
			dropped: "importPolicy.scheduled",
		},
		{
			name: "a bad tag is put right",
			in:   "spec:\n  tags:\n  - name: stable\n    from: {kind: DockerImgae, name: redis}\n  - name: bad\n    from: {kind: DockerImage, name: A}\n",
			edit: TagEdit{Tag: "stable", From: imageFrom("redis:8")},
			want: "spec:\n  tags:\n  - name: stable\n    from: {kind: DockerImage, name: redis:8}\n  - name: bad\n    from: {kind: DockerImage, name: A}\n",
		},
		{
			name: "dropped from spec and status",
			in: "spec:\n  tags:\n  - name: edge\n  # of old\n  - name: stable # 1.0\n    from: {kind: DockerImage, name: redis}\n" +
				"status:\n  tags:\n  - tag: edge\n    items: []\n  - tag: stable\n    items:\n    - dockerImageReference: redis:7\n      image: \"\"\n",
			edit: TagEdit{Tag: "stable", Delete: true},
			want: "spec:\n  tags:\n  - name: edge\n  # of old\nstatus:\n  tags:\n  - tag: edge\n    items: []\n",
		},
		{
			name: "the last one is dropped",
			in:   "spec:\n  tags:\n  - name: stable\nstatus:\n  tags:\n  - tag: stable\n    items: []\n",
			edit: TagEdit{Tag: "stable", Delete: true},
			want: "spec:\n  tags: []\n",
		},
		{
			name: "a status keeps what else it says",
			in:   "status:\n  dockerImageRepository: quay.io/canal/barge\n  tags:\n  - tag: stable\n    items: []\n",
			edit: TagEdit{Tag: "stable", Delete: true},
			want: "status:\n  dockerImageRepository: quay.io/canal/barge\n",
		},
		{
			name: "a tag that is there twice is dropped twice",
			in:   "spec:\n  tags:\n  - name: stable\n  - name: edge\n  - name: stable\n",
			edit: TagEdit{Tag: "stable", Delete: true},
			want: "spec:\n  tags:\n  - name: edge\n",
		},
		{
			name: "JSON",
			in:   "{\n\t\"apiVersion\": \"v1\",\n\t\"kind\": \"ImageStream\",\n\t\"metadata\": {\"name\": \"barge\"},\n\t\"spec\": {\n\t\t\"tags\": [\n\t\t\t{\n\t\t\t\t\"name\": \"edge\"\n\t\t\t}\n\t\t]\n\t}\n}\n",
			edit: TagEdit{Tag: "1", From: imageFrom("redis")},
			want: "{\n\t\"apiVersion\": \"v1\",\n\t\"kind\": \"ImageStream\",\n\t\"metadata\": {\"name\": \"barge\"},\n\t\"spec\": {\n\t\t\"tags\": [\n\t\t\t{\n\t\t\t\t\"name\": \"edge\"\n\t\t\t},\n" +
				"\t\t\t{\n\t\t\t\t\"name\": \"1\",\n\t\t\t\t\"from\": {\n\t\t\t\t\t\"kind\": \"DockerImage\",\n\t\t\t\t\t\"name\": \"redis\"\n\t\t\t\t}\n\t\t\t}\n\t\t]\n\t}\n}\n",
		},
		{
			name: "CRLF and a byte order mark",
			in:   "\ufeffapiVersion: v1\r\nkind: ImageStream\r\nmetadata: {name: barge}\r\nspec:\r\n  tags:\r\n  - name: edge\r\n",
			edit: TagEdit{Tag: "edge", From: imageFrom("redis")},
			want: "\ufeffapiVersion: v1\r\nkind: ImageStream\r\nmetadata: {name: barge}\r\nspec:\r\n  tags:\r\n  - name: edge\r\n    from:\r\n      kind: DockerImage\r\n      name: redis\r\n",
		},
		{
			name: "in a List",
			in:   "apiVersion: v1\nkind: List\nitems:\n- kind: ConfigMap\n- apiVersion: v1\n  kind: ImageStream\n  metadata: {name: barge}\n  spec:\n    tags:\n    - name: edge\n",
			edit: TagEdit{Tag: "edge", From: imageFrom("redis")},
			want: "apiVersion: v1\nkind: List\nitems:\n- kind: ConfigMap\n- apiVersion: v1\n  kind: ImageStream\n  metadata: {name: barge}\n  spec:\n    tags:\n    - name: edge\n      from:\n        kind: DockerImage\n        name: redis\n",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			in, want := test.in, test.want
			if !strings.Contains(in, "ImageStream\n") && !strings.Contains(in, "metadata") {
				in, want = specHead+in, specHead+want
			}
			got, problems := EditSpec(parse(t, in), test.edit)
			if len(problems) > 0 {
				t.Fatalf("got problems\n%s", lines(problems))
			}
			if diff := cmp.Diff(want, string(got.Src)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if dropped := strings.Join(got.Dropped[0], " "); dropped != test.dropped {
				t.Errorf("dropped %q, want %q", dropped, test.dropped)
			}
			again, problems := EditSpec(parse(t, string(got.Src)), test.edit)
			if len(problems) > 0 || !bytes.Equal(again.Src, got.Src) {
				t.Errorf("the same edit again: %s\n%s", cmp.Diff(got.Src, again.Src), lines(problems))
			}
		})
	}
}

// Edits of one call meet in one text: tags of one stream, and streams of one file.
func TestEditSpecTogether(t *testing.T) {
	in := specHead + "spec:\n  tags:\n  - name: old\n  - name: older\n---\n" + strings.Replace(specHead, "barge", "tug", 1)
	got, problems := EditSpec(parse(t, in),
		TagEdit{Tag: "b", From: imageFrom("redis:b")},
		TagEdit{Tag: "old", Delete: true},
		TagEdit{Stream: 1, Tag: "c", From: imageFrom("redis:c")},
		TagEdit{Tag: "older", Delete: true},
		TagEdit{Tag: "a", From: imageFrom("redis:a")},
	)
	if len(problems) > 0 {
		t.Fatalf("got problems\n%s", lines(problems))
	}
	tag := func(name string) string {
		return fmt.Sprintf("  - name: %s\n    from:\n      kind: DockerImage\n      name: redis:%s\n", name, name)
	}
	want := specHead + "spec:\n  tags:\n" + tag("b") + tag("a") + "---\n" + strings.Replace(specHead, "barge", "tug", 1) + "spec:\n  tags:\n" + tag("c")
	if diff := cmp.Diff(want, string(got.Src)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if n := len(got.Streams); n != 2 || len(got.Streams[0].Spec.Tags) != 2 {
		t.Errorf("got streams %v, want two", got.Streams)
	}
}

func TestEditSpecRefuses(t *testing.T) {
	tests := []struct {
		name, in string
		edit     TagEdit
		want     string // part of the first problem
	}{
		{"a bad name", "", TagEdit{Tag: ".x", From: imageFrom("redis")}, `".x" cannot name a tag`},
		{"a bad reference", "", TagEdit{Tag: "x", From: imageFrom("Redis")}, "lower case"},
		{"a bad kind", "", TagEdit{Tag: "x", From: From{Kind: "DockerImgae", Name: "redis"}}, "kind"},
		{"a bad mode", "", TagEdit{Tag: "x", From: imageFrom("redis"), ImportMode: "Lagacy"}, "importMode"},
		{"a scheduled alias", "", TagEdit{Tag: "x", From: From{Kind: ImageStreamTag, Name: "a:b"}, Scheduled: yes()}, "scheduled"},
		{"a bad interval", "", TagEdit{Tag: "x", From: imageFrom("redis"), Annotations: map[string]string{"interval": "soon"}}, "interval"},
		{"no name", "", TagEdit{Tag: "", From: imageFrom("redis")}, "no name"},
		{"no from", "", TagEdit{Tag: "x"}, "from"},
		{"a tag that is there twice", "spec:\n  tags:\n  - name: x\n  - name: x\n", TagEdit{Tag: "x", From: imageFrom("redis")}, "more than once"},
		{"what is wrong with a tag stays", "spec:\n  tags:\n  - name: x\n    reference: maybe\n", TagEdit{Tag: "x", From: imageFrom("redis")}, "reference"},
		{"an anchor", "spec:\n  tags:\n  - &x\n    name: x\n  - *x\n", TagEdit{Tag: "x", From: imageFrom("redis")}, "anchor"},
		{"a merge key", "x: &x {kind: DockerImage}\nspec:\n  tags:\n  - name: x\n    from:\n      <<: *x\n      name: redis\n", TagEdit{Tag: "x", From: imageFrom("redis:8")}, "merge key"},
		{"a status that cannot be read", "status: gone\n", TagEdit{Tag: "x", Delete: true}, "status of barge"},
	}
	for _, test := range tests {
		got, problems := EditSpec(parse(t, specHead+test.in), test.edit)
		if len(problems) == 0 || !strings.Contains(problems[0].What, test.want) || problems[0].Fix == "" {
			t.Errorf("%s: got %q and problems\n%swant one about %q with a next step", test.name, got.Src, lines(problems), test.want)
		}
	}
}

// A problem that comes with an edit is one, though the tag reads as it should.
func TestVerdict(t *testing.T) {
	docs, known := Parse(parse(t, specHead+"spec:\n  tags:\n  - name: bad\n    from: {kind: DockerImage, name: A}\n"))
	if got := verdict(docs, docs, nil, known, known); got != nil {
		t.Errorf("got problems\n%swant none beside what was known", lines(got))
	}
	fresh := Problem{Line: 3, Col: 4, What: "no berth", Fix: "moor elsewhere"}
	got := verdict(docs, docs, nil, known, append(known, fresh))
	if diff := cmp.Diff([]Problem{{What: "no berth", Fix: "moor elsewhere"}}, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestAppendStream(t *testing.T) {
	const stream = "apiVersion: image.openshift.io/v1\nkind: ImageStream\nmetadata:\n  name: barge\n"
	tests := []struct{ name, in, want string }{
		{"nothing", "", stream},
		{"a comment", "# streams\n", "# streams\n" + stream},
		{"a document", "a: b\n", "a: b\n---\n" + stream},
		{"no line break at the end", "a: b", "a: b\n---\n" + stream},
		{"an end of a document", "a: b\n...\n", "a: b\n...\n---\n" + stream},
		{"CRLF", "a: b\r\n", strings.ReplaceAll("a: b\n---\n"+stream, "\n", "\r\n")},
		{"a block scalar", "a: |\n  b\n\n", "a: |\n  b\n\n---\n" + stream},
	}
	for _, test := range tests {
		got, problems := AppendStream([]byte(test.in), Name{Name: "barge"})
		if diff := cmp.Diff(test.want, string(got)); diff != "" || len(problems) > 0 {
			t.Errorf("%s (-want +got):\n%s%s", test.name, diff, lines(problems))
		}
	}
	for name, in := range map[string]string{
		"JSON": `{"a": "b"}`, "no YAML": "a: [", "text that a line break would change": "a: |\n  b", "a kept line break": "a: |+\n  b",
	} {
		if got, problems := AppendStream([]byte(in), Name{Name: "barge"}); len(problems) == 0 || problems[0].Fix == "" {
			t.Errorf("%s: got %q and problems\n%swant a problem with a next step", name, got, lines(problems))
		}
	}
	got, problems := AppendStream(nil, Name{"12", "1.0"})
	if want := strings.Replace(stream, "barge\n", "\"1.0\"\n  namespace: \"12\"\n", 1); string(got) != want || len(problems) > 0 {
		t.Errorf("got %q, want %q\n%s", got, want, lines(problems))
	}
	if _, problems := AppendStream(nil, Name{Name: "Barge"}); len(problems) != 1 || !strings.Contains(problems[0].What, "Barge") {
		t.Errorf("got problems\n%swant one about the name", lines(problems))
	}
}
