package imagestream

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// A rule is one of the API's, or of this package's, and what it makes of a text. Text
// without what is accepted.
type rule struct{ rule, text, what string }

func check(t *testing.T, rules []rule, src func(text string) string, line int) {
	t.Helper()
	for _, r := range rules {
		_, problems := Parse(parse(t, src(r.text)))
		switch {
		case r.what == "" && len(problems) > 0:
			t.Errorf("%s: %.80q: got problems\n%swant none", r.rule, r.text, lines(problems))
		case r.what == "":
		case len(problems) != 1 || !strings.Contains(lines(problems), r.what) || problems[0].Line != line || problems[0].Col < 1:
			t.Errorf("%s: %.80q: got problems\n%swant one in line %d: %s", r.rule, r.text, lines(problems), line, r.what)
		case problems[0].Fix == "" && !problems[0].Note:
			t.Errorf("%s: %.80q: the problem has no fix", r.rule, r.text)
		}
	}
}

// fault: C-22
func TestStreamNames(t *testing.T) {
	const cannot = "cannot name an image stream"
	check(t, []rule{
		{"a path segment", "a", ""},
		{"a path segment", "a-b.c_d0", ""},
		{"a path segment: no slash", "a/b", cannot},
		{"a path segment: no slash", "../../x", cannot},
		{"a path segment: no percent sign", "a%2fb", cannot},
		{"a path segment: not .", ".", cannot},
		{"a path segment: not ..", "..", cannot},
		{"[a-z0-9]+(?:[._-][a-z0-9]+)*", "-rf", cannot},
		{"[a-z0-9]+(?:[._-][a-z0-9]+)*", "a-", cannot},
		{"[a-z0-9]+(?:[._-][a-z0-9]+)*", "a--b", cannot},
		{"[a-z0-9]+(?:[._-][a-z0-9]+)*", "Barge", cannot},
		{"[a-z0-9]+(?:[._-][a-z0-9]+)*", "bärge", cannot},
		{"[a-z0-9]+(?:[._-][a-z0-9]+)*", `a\nb`, cannot},
		{"[a-z0-9]+(?:[._-][a-z0-9]+)*", `a\n`, cannot},
		{"[a-z0-9]+(?:[._-][a-z0-9]+)*", "a b", cannot},
		{"it must be there", "", "the image stream has no name"},
		{"namespace/name has 255 characters", strings.Repeat("a", 249), ""},
		{"namespace/name has at most 255 characters", strings.Repeat("a", 250), "longer than 255 characters"},
		{"namespace/name has at most 255 characters", strings.Repeat("a", 300), "longer than 255 characters"},
		{"a placeholder", "$(id)", "note: placeholders stand in the names"},
		{"a placeholder", "${NAME}", "note: placeholders stand in the names"},
	}, func(text string) string {
		return `{apiVersion: v1, kind: ImageStream, metadata: {namespace: canal, name: "` + text + "\"}}\n"
	}, 1)
	check(t, []rule{
		{"a label", "canal", ""},
		{"a label: 63 characters", strings.Repeat("a", 63), ""},
		{"a label: at most 63 characters", strings.Repeat("a", 64), "cannot name a namespace"},
		{"a label", "../canal", "cannot name a namespace"},
		{"a label", "-rf", "cannot name a namespace"},
		{"a label", "Canal", "cannot name a namespace"},
		{"a label", "a.b", "cannot name a namespace"},
	}, func(text string) string {
		return "apiVersion: v1\nkind: ImageStream\nmetadata: {name: a, namespace: \"" + text + "\"}\n"
	}, 3)
}

func TestStreams(t *testing.T) {
	digest := word("a")
	check(t, []rule{
		{"dockerImageRepository parses", "spec: {dockerImageRepository: quay.io/canal/barge}", ""},
		{"dockerImageRepository may be empty", "spec: {dockerImageRepository: ''}", ""},
		{"dockerImageRepository parses", "spec: {dockerImageRepository: 'quay.io//barge'}", "cannot stand in a repository's path"},
		{"dockerImageRepository has no tag", "spec: {dockerImageRepository: 'quay.io/canal/barge:1'}", "fix: dockerImageRepository: quay.io/canal/barge\n"},
		{"dockerImageRepository has no ID", "spec: {dockerImageRepository: 'quay.io/canal/barge@" + digest + "'}", "fix: dockerImageRepository: quay.io/canal/barge\n"},
		{"dockerImageRepository has neither", "spec: {dockerImageRepository: 'localhost:5000/canal/barge:1@" + digest + "'}", "fix: dockerImageRepository: localhost:5000/canal/barge\n"},
		{"lookupPolicy.local is a boolean", "spec: {lookupPolicy: {local: true}}", ""},
		{"lookupPolicy.local is a boolean", "spec: {lookupPolicy: {local: 'true'}}", "local: true or false belongs here"},
		{"lookupPolicy has no other field", "spec: {lookupPolicy: {remote: true}}", "has no field remote"},
		{"spec may be null", "spec: null", ""},
		{"tags may be null", "spec: {tags: null}", ""},
		{"tag names are unique", "spec: {tags: [{name: a}, {name: b}, {name: a}]}", "tag a is there more than once"},
		{"an item's dockerImageReference is required", "status: {tags: [{tag: a, items: [{image: '" + digest + "'}]}]}", "has no dockerImageReference"},
		{"an item's dockerImageReference parses", "status: {tags: [{tag: a, items: [{dockerImageReference: 'a@b'}]}]}", "is no digest"},
		{"a reference tag's item has no image", "status: {tags: [{tag: a, items: [{dockerImageReference: 'a:1', image: ''}]}]}", ""},
		{"items may be null", "status: {tags: [{tag: a, items: null}]}", ""},
	}, func(text string) string {
		return "apiVersion: v1\nkind: ImageStream\nmetadata: {name: barge}\n" + text + "\n"
	}, 4)
}

// TestTags: what the API's validation says of a tag.
func TestTags(t *testing.T) {
	digest := word("a")
	check(t, []rule{
		{"a tag that is only pushed to", "", ""},
		{"from may be null", "from: null", ""},
		{"generation may be null", "generation: null", ""},
		{"generation counts", "generation: 4", ""},
		{"generation 0 imports again in a cluster", "generation: 0", "note: tag t: generation 0 asks for nothing here: towpath import"},
		{"annotations may be null", "annotations: null", ""},
		{"annotations of the catalogue", "annotations: {description: 'a: b', iconClass: icon-barge, tags: 'builder,hidden', version: '1.0'}", ""},
		{"importPolicy may be empty", "importPolicy: {}", ""},
		{"no other field", "form: {}", "has no field form\n\tfix: write from if that is meant"},

		{"from.name is required", "from: {kind: DockerImage}", "from has no name"},
		{"from.name is required", "from: {kind: DockerImage, name: ''}", "from has no name"},
		{"from.name is required", "from: {kind: ImageStreamTag}", "from has no name"},
		{"from.name is required", "from: {kind: ImageStreamImage, name: ''}", "from has no name"},
		{"from.kind is required", "from: {name: canal/barge}", "from has the kind \"\"\n\tfix: kind: DockerImage, or ImageStreamTag, or ImageStreamImage"},
		{"from.kind is one of three", "from: {kind: ImageStream, name: barge}", "from has the kind \"ImageStream\""},

		{"DockerImage: the name parses", "from: {kind: DockerImage, name: 'canal/barge:1'}", ""},
		{"DockerImage: the name parses", "from: {kind: DockerImage, name: 'canal/barge:'}", "is no tag"},
		{"DockerImage: a digest may be scheduled", "from: {kind: DockerImage, name: 'canal/barge@" + digest + "'}\n    importPolicy: {scheduled: true}", ""},
		{"a pushed tag may be scheduled", "importPolicy: {scheduled: true}", ""},
		{"an alias is not scheduled", "importPolicy: {scheduled: true}\n    from: {kind: ImageStreamTag, name: other}", "only a tag from a registry can be scheduled"},
		{"an image is not scheduled", "importPolicy: {scheduled: true}\n    from: {kind: ImageStreamImage, name: 'barge@" + digest + "'}", "only a tag from a registry can be scheduled"},
		{"an alias is not scheduled", "importPolicy: {scheduled: false}\n    from: {kind: ImageStreamTag, name: other}", ""},

		{"referencePolicy.type", "referencePolicy: {type: Source}", ""},
		{"referencePolicy.type", "referencePolicy: {type: Local}", ""},
		{"referencePolicy.type may be empty", "referencePolicy: {type: ''}", ""},
		{"referencePolicy.type is no other", "referencePolicy: {type: local}", "there is no referencePolicy \"local\""},
		{"importMode", "importPolicy: {importMode: Legacy}", ""},
		{"importMode", "importPolicy: {importMode: PreserveOriginal}", ""},
		{"importMode may be empty", "importPolicy: {importMode: ''}", ""},
		{"importMode is no other", "importPolicy: {importMode: legacy}", "there is no importMode \"legacy\""},
		{"reference is a boolean", "reference: 'true'", "reference: true or false belongs here"},

		{"ImageStreamTag: TAG", "from: {kind: ImageStreamTag, name: other}", ""},
		{"ImageStreamTag: STREAM:TAG", "from: {kind: ImageStreamTag, name: 'tug:other'}", ""},
		{"ImageStreamTag: in a namespace", "from: {kind: ImageStreamTag, name: 'tug:other', namespace: lock}", ""},
		{"ImageStreamTag: no namespace like that", "from: {kind: ImageStreamTag, name: 'tug:other', namespace: Lock}", "cannot name a namespace"},
		{"ImageStreamTag: no path", "from: {kind: ImageStreamTag, name: 'lock/tug:other'}", "names no tag of a stream"},
		{"ImageStreamTag: no empty tag", "from: {kind: ImageStreamTag, name: 'tug:'}", "names no tag of a stream"},
		{"ImageStreamTag: no empty stream", "from: {kind: ImageStreamTag, name: ':other'}", "names no tag of a stream"},
		{"ImageStreamTag: no second colon", "from: {kind: ImageStreamTag, name: 'a:b:c'}", "names no tag of a stream"},
		{"ImageStreamTag: no digest", "from: {kind: ImageStreamTag, name: 'tug@" + digest + "'}", "names no tag of a stream"},
		{"ImageStreamImage: STREAM@ID", "from: {kind: ImageStreamImage, name: 'tug@" + digest + "'}", ""},
		{"ImageStreamImage: ID", "from: {kind: ImageStreamImage, name: '" + digest + "'}", ""},
		{"ImageStreamImage: the beginning of an ID", "from: {kind: ImageStreamImage, name: 'tug@aaaa'}", ""},
		{"ImageStreamImage: no tag", "from: {kind: ImageStreamImage, name: 'tug:other'}", "names no image of a stream"},
		{"ImageStreamImage: no empty ID", "from: {kind: ImageStreamImage, name: 'tug@'}", "names no image of a stream"},
		{"ImageStreamImage: no word", "from: {kind: ImageStreamImage, name: 'tug@other'}", "names no image of a stream"},
	}, func(text string) string {
		return "apiVersion: v1\nkind: ImageStream\nmetadata: {name: barge}\nspec:\n  tags:\n  - name: t\n    " + text + "\n"
	}, 7)
	check(t, []rule{
		{"a tag's name", "latest", ""},
		{"a tag's name", "1.0", ""},
		{"a tag's name", "_a.B-c", ""},
		{"a tag's name has 128 characters", strings.Repeat("a", 128), ""},
		{"a tag's name has at most 128 characters", strings.Repeat("a", 129), "cannot name a tag"},
		{"a tag's name", "", "a tag has no name"},
		{"a tag's name", "a/b", "cannot name a tag"},
		{"a tag's name", ".a", "cannot name a tag"},
		{"a tag's name", "-rf", "cannot name a tag"},
		{"a tag's name", digest, "cannot name a tag"},
		{"a tag's name", `latest\nSigned-off-by: x`, "cannot name a tag"},
	}, func(text string) string {
		return "apiVersion: v1\nkind: ImageStream\nmetadata: {name: barge}\nspec: {tags: [{name: \"" + text + "\"}]}\n"
	}, 4)
}

// TestReferences: how a reference is read.
func TestReferences(t *testing.T) {
	hex := strings.Repeat("a", 64)
	check(t, []rule{
		{"one part is a name", "redis", ""},
		{"two are namespace and name", "canal/barge", ""},
		{"of three the first is the namespace", "bar/foo/baz", ""},
		{"a registry has a dot", "quay.io/barge", ""},
		{"or a colon", "registry:5000/barge", ""},
		{"or is localhost", "localhost/barge", ""},
		{"or an address", "127.0.0.1:5000/barge", ""},
		{"or an address", "[2001:db8::1]:5000/barge", ""},
		{"a dot without a slash is a registry", "quay.io", "read as a registry without a repository"},
		{"a dot without a slash is a registry", "foo.bar:1", "read as a registry without a repository"},
		{"so is localhost", "localhost", "read as a registry without a repository"},
		{"so is localhost", "localhost:5000", "read as a registry without a repository"},
		{"capitals may stand in a registry", "Quay.IO/barge", ""},
		{"and nowhere else", "Barge", "lower case"},
		{"and nowhere else", "quay.io/Canal/barge", "lower case"},
		{"a tag", "barge:v1_2.3-4", ""},
		{"a tag has at most 128 characters", "barge:" + strings.Repeat("a", 129), "is no tag"},
		{"a tag is not empty", "barge:", "is no tag"},
		{"a tag and a digest", "barge:1@sha256:" + hex, ""},
		{"sha256", "barge@sha256:" + hex, ""},
		{"sha512", "barge@sha512:" + hex + hex, ""},
		{"sha256 has 64 digits", "barge@sha256:" + hex[1:], "is no digest"},
		{"sha256 is lower case", "barge@sha256:" + strings.ToUpper(hex), "is no digest"},
		{"other algorithms are in no record", "barge@md5:" + hex[:32], "is no digest"},
		{"other algorithms are in no record", "barge@sha384:" + hex + hex[:32], "is no digest"},
		{"a digest is not empty", "barge@", "is no digest"},
		{"a repository has 255 characters", "quay.io/" + strings.Repeat("a", 247), ""},
		{"a repository has at most 255 characters", "quay.io/" + strings.Repeat("a", 248), "longer than 255 characters"},
		{"no part is empty", "quay.io//barge", "cannot stand in a repository's path"},
		{"no part is empty", "quay.io/barge/", "cannot stand in a repository's path"},
		{"no part is empty", "/barge", "cannot stand in a repository's path"},
		{"single separators", "a..b/c", "is no host"},
		{"single separators", "quay.io/a..b", "cannot stand in a repository's path"},
		{"no blanks", "quay.io/a b", "cannot stand in a repository's path"},
		{"no line breaks", `quay.io/a\nb`, "cannot stand in a repository's path"},
		{"no dots as a part", "quay.io/../b", "cannot stand in a repository's path"},
		{"no host like that", "quay..io/b", "is no host"},
		{"no host like that", "quay.io./b", "is no host"},
		{"no host like that", "-quay.io/b", "is no host"},
		{"no port like that", "quay.io:0/b", "is no host"},
		{"no port like that", "quay.io:65536/b", "is no host"},
		{"no port like that", "quay.io:https/b", "is no host"},
		{"an address has one form", "127.1:5000/b", "is no host"},
		{"an address has one form", "0177.0.0.1/b", "is no host"},
		{"an address has one form", "127.0.0.0x1/b", "is no host"},
		{"an address has one form", "[::1%25lo]:5000/b", "is no host"},
		{"no user", "user@quay.io/b", "is no digest"},
		{"no scheme", "docker://quay.io/b", "fix: write quay.io/b\n"},
		{"no scheme", "https://quay.io/b", "fix: write quay.io/b\n"},
		{"a stand-in of kustomize", "barge-n_PLACEHOLDER", "is yet to be filled in"},
		{"a stand-in of kustomize", "barge-image-placeholder", "is yet to be filled in"},
		{"a repository of that name", "quay.io/canal/barge-placeholder", ""},
	}, from, 5)
}

func from(name string) string {
	return "apiVersion: v1\nkind: ImageStream\nmetadata: {name: barge}\nspec:\n  tags: [{name: a, from: {kind: DockerImage, name: \"" + strings.ReplaceAll(name, `"`, `\"`) + "\"}}]\n"
}

// TestNothingIsExpanded: what looks like a variable, a file or a template is text.
//
// fault: C-25
func TestNothingIsExpanded(t *testing.T) {
	t.Setenv("TOWPATH_TEST_WORD", "expanded")
	check(t, []rule{
		{"a variable", "quay.io/canal/${TOWPATH_TEST_WORD}", "note: placeholders stand in the names"},
		{"a variable", "quay.io/canal/$(TOWPATH_TEST_WORD)", "note: placeholders stand in the names"},
		{"a template", `quay.io/canal/{{ env "TOWPATH_TEST_WORD" }}`, "note: placeholders stand in the names"},
	}, from, 1)
	check(t, []rule{
		{"a variable", "quay.io/canal/$TOWPATH_TEST_WORD", `"$TOWPATH_TEST_WORD" cannot stand in a repository's path`},
		{"a variable", "%TOWPATH_TEST_WORD%", `cannot stand in a repository's path`},
		{"a file", "file:///proc/self/environ", "a reference has no file://\n\tfix: write HOST/PATH:TAG"},
		{"a file", "/proc/self/environ", "cannot stand in a repository's path"},
		{"a file", "@/proc/self/environ", "is no digest"},
		{"a command", "`id`", "cannot stand in a repository's path"},
	}, from, 5)
	for _, name := range []string{"quay.io/canal/${TOWPATH_TEST_WORD}", "quay.io/canal/$TOWPATH_TEST_WORD"} {
		docs, problems := Parse(parse(t, from(name)))
		if text := fmt.Sprint(docs, problems); strings.Contains(text, os.Getenv("TOWPATH_TEST_WORD")) {
			t.Errorf("%s: got %s; want nothing of the environment in it", name, text)
		}
	}
}

func TestKinds(t *testing.T) {
	const group = "image.openshift.io/v1"
	for _, tt := range []struct{ version, kind, want string }{
		{group, "ImageStream", ""},
		{"v1", "ImageStream", ""},
		{group, "Image", "note: the Image is not read"},
		{group, "ImageSignature", "note: the ImageSignature is not read"},
		{group, "ImageStreamTag", "note: the ImageStreamTag is not read: what is wanted stands in spec.tags of an ImageStream"},
		{group, "ImageTag", "note: the ImageTag is not read"},
		{group, "ImageStreamImage", "note: the ImageStreamImage is not read"},
		{group, "ImageStreamMapping", "note: the ImageStreamMapping is not read"},
		{group, "ImageStreamImport", "note: the ImageStreamImport is not read"},
		{group, "ImageStreamLayers", "note: the ImageStreamLayers is not read"},
		{group, "SecretList", "note: the SecretList is not read"},
		{"v1", "ImageStreamTag", "note: the ImageStreamTag is not read"},
		{"v1", "ImageStreamMapping", "note: the ImageStreamMapping is not read"},
		{"v1", "ImageStreamImport", "note: the ImageStreamImport is not read"},
		{"v1", "SecretList", ""}, // of secrets
		{"v1", "Imagestream", ""},
		{"apps/v1", "ImageStreamTag", ""},
		{group, "Imagestream", "problem: image.openshift.io has no kind \"Imagestream\"\n\tfix: write kind: ImageStream if that is meant"},
		{group, "{{ kind }}", ""},
		{"image.openshift.io/v2", "ImageStream", "problem: an ImageStream of apiVersion \"image.openshift.io/v2\" is not read"},
		{"", "ImageStream", "problem: an ImageStream of apiVersion \"\" is not read"},
	} {
		src := fmt.Sprintf("apiVersion: %q\nkind: %q\nmetadata: {name: barge}\n", tt.version, tt.kind)
		for _, listed := range []bool{false, true} {
			if listed {
				src = fmt.Sprintf("apiVersion: v1\nkind: List\nitems:\n- {apiVersion: %q, kind: %q, metadata: {name: barge}}\n", tt.version, tt.kind)
			}
			docs, problems := Parse(parse(t, src))
			if got := lines(problems); !strings.Contains(got, tt.want) || (tt.want == "") != (len(problems) == 0) || len(problems) > 1 {
				t.Errorf("%s %s, in a list: %t: got problems %q, want %q", tt.version, tt.kind, listed, got, tt.want)
			}
			if is := tt.want == "" && tt.kind == "ImageStream"; is != (len(docs) == 1) {
				t.Errorf("%s %s, in a list: %t: got %d streams", tt.version, tt.kind, listed, len(docs))
			}
		}
	}
	many := "apiVersion: v1\nkind: List\nitems:\n" + strings.Repeat("- {apiVersion: image.openshift.io/v1, kind: ImageStreamTag}\n", 100)
	if _, problems := Parse(parse(t, many)); len(problems) != 1 || problems[0].Line != 4 {
		t.Errorf("a hundred in a list: got problems\n%swant one, at the first", lines(problems))
	}
}

// TestIsTagName: the loop says what the pattern says, which schemas hold.
func TestIsTagName(t *testing.T) {
	for _, s := range []string{"", "a", "_", "9", ".", "-", "a.", "a-b", ".a", "a b", "a\n", "é", "aé", "a:b", strings.Repeat("a", 128), strings.Repeat("a", 129), "a/b", "Z_9.-"} {
		if got, want := isTagName(s), tagName.MatchString(s); got != want {
			t.Errorf("%q: got %v, want %v", s, got, want)
		}
	}
}
