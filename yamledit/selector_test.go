package yamledit

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const selected = `kind: Kustomization
metadata:
  annotations:
    team.example/image: quay.io/canal/web
images:
- name: tug
- name: web
  newTag: "1"
- name: web
  newTag: "2"
- plain
- name: null
ports: [{port: 80, to: a}, {port: 443, to: b}]
common: &c {image: {tag: "3"}}
values: *c
nothing:
list: []
"": empty
`

func TestSelectorFinds(t *testing.T) {
	root := parse(t, selected).Docs[0].Root
	for _, tt := range []struct {
		selector string
		want     string // the path; "(…)" where its last key is missing, "" for none
	}{
		{"kind", "kind"},
		{`metadata.annotations["team.example/image"]`, `metadata.annotations["team.example/image"]`},
		{`["metadata"].annotations`, "metadata.annotations"},
		{`images[?(@.name=="web")].newTag`, "images[1].newTag"},
		{`images[?(@.newTag=="2")].name`, "images[2].name"},
		{`images[?(@.name=="web")].digest`, "(images[1].digest)"},
		{`images[?(@.name=="web")]`, "images[1]"},
		{`images[?(@.name=="lock")].newTag`, ""},
		{`images[?(@.name=="")].newTag`, ""},
		{`images[?(@.name=="null")].newTag`, ""},
		{`images[2].newTag`, "images[2].newTag"},
		{`images[5]`, ""},
		{`images[3].newTag`, ""},
		{`images.newTag`, ""},
		{`kind[0]`, ""},
		{`metadata[?(@.name=="web")]`, ""},
		{`ports[?(@.port=="443")].to`, "ports[1].to"},
		{`values.image.tag`, "values.image.tag"},
		{`values.image.digest`, "(values.image.digest)"},
		{`values.other.digest`, ""},
		{`nothing`, "nothing"},
		{`nothing.below`, ""},
		{`list[0]`, ""},
		{`[""]`, `[""]`},
		{`other`, "(other)"},
		{`metadata["annotations"]["x y"]`, `(metadata.annotations["x y"])`},
	} {
		s, err := ParseSelector(tt.selector)
		if err != nil {
			t.Errorf("%s: %v", tt.selector, err)
			continue
		}
		at, there := s.Find(root)
		got := at.String()
		if !there && at != nil {
			got = "(" + got + ")"
		}
		if got != tt.want {
			t.Errorf("%s: found %s, want %s", tt.selector, got, tt.want)
		}
		if there != (Lookup(root, at) != nil && at != nil) {
			t.Errorf("%s: there is %v, of %v", tt.selector, there, at)
		}
		if fmt.Sprintf("%v", s) != tt.selector {
			t.Errorf("%v is printed of %s", s, tt.selector)
		}
	}
	if at, there := (Selector{}).Find(root); at != nil || there {
		t.Errorf("the zero selector finds %v", at)
	}
	if at, there := (Selector{}).Find(nil); at != nil || there {
		t.Errorf("of nothing the zero selector finds %v", at)
	}
}

// What a value is found by are the values of the keys in the filters on its way.
func TestSelectorChosen(t *testing.T) {
	const src = "a:\n- name: x\n  b:\n  - {k: y, c: z}\n"
	root := parse(t, src).Docs[0].Root
	for selector, want := range map[string]string{
		"a[0].b[0].c":                             "[]",
		`a[?(@.name=="x")].b[0].c`:                "[a[0].name]",
		`a[?(@.name=="x")].b[?(@.k=="y")].c`:      "[a[0].name a[0].b[0].k]",
		`a[0].b[?(@.c=="z")].c`:                   "[a[0].b[0].c]",
		`a[?(@.name=="x")].b[?(@.k=="y")].nobody`: "[a[0].name a[0].b[0].k]",
		`a[?(@.name=="nobody")].b`:                "[]",
	} {
		s, err := ParseSelector(selector)
		if err != nil {
			t.Fatal(err)
		}
		at, _ := s.Find(root)
		if got := fmt.Sprint(s.Chosen(at)); got != want {
			t.Errorf("%s: got %s, want %s", selector, got, want)
		}
	}
}

func TestSelectorProblems(t *testing.T) {
	for _, tt := range []struct {
		selector string
		col      int
		what     string
		fix      string
	}{
		{"", 1, "is empty", "spec.values"},
		{strings.Repeat("a", maxSelector+1), 1, "longer than", "nearer"},
		{strings.Repeat("a.", maxSteps) + "a", 2*maxSteps + 2, "more than 64 steps", "nearer"},
		{"$.spec.image", 1, "begins with $", "leave out $"},
		{"$", 1, "begins with $", "leave out $"},
		{".spec.image", 1, "begins with a dot", "leave out the first dot"},
		{"spec.", 6, "ends with a dot", "last dot"},
		{"spec..image", 6, "two dots", "every key"},
		{"spec.*", 6, "means any key", "name the key"},
		{"spec.a b", 7, "goes on without a dot", "dot before each key"},
		{"spec.team.example:image", 18, "goes on without a dot", "dot before each key"},
		{"spec.'a'", 6, "no plain key", "double quotes"},
		{"é.:", 3, "no plain key", "double quotes"},
		{"images.[0]", 8, "dot before a bracket", "containers[0]"},
		{"images[*].newTag", 8, "no index, key or filter", "[0]"},
		{"images[-1]", 8, "no index, key or filter", "[0]"},
		{"images[]", 8, "no index, key or filter", "[0]"},
		{"images['a']", 8, "no index, key or filter", "double quotes"},
		{"images[99999999999999999999]", 8, "no list reaches", "from 0"},
		{"images[0", 9, "not well formed", "close the bracket"},
		{"images[0]newTag", 10, "goes on without a dot", "dot before each key"},
		{`images["a]`, 8, "quote that is not closed", "JSON"},
		{`images["\q"]`, 8, "quote that is not closed", "JSON"},
		{`images[?(@.name=='web')].newTag`, 18, "not in double quotes", `[?(@.name=="web")]`},
		{`images[?(@.name="web")].newTag`, 16, "not well formed", `[?(@.name=="web")]`},
		{`images[?(@.name == "web")].newTag`, 16, "not well formed", "without blanks"},
		{`images[?(name=="web")].newTag`, 8, "not well formed", `[?(@.name=="web")]`},
		{`images[?(@.=="web")].newTag`, 12, "without a key", `[?(@.name=="web")]`},
		{`images[?(@.name=="web"]`, 23, "not well formed", `[?(@.name=="web")]`},
	} {
		_, err := ParseSelector(tt.selector)
		e, ok := err.(*Error)
		if !ok {
			t.Errorf("%s: got %v", tt.selector, err)
			continue
		}
		if e.Line != 1 || e.Col != tt.col || !strings.Contains(e.What, tt.what) || !strings.Contains(e.Fix, tt.fix) {
			t.Errorf("%.40s: got %d: %s; %s\nwant %d: %s; %s", tt.selector, e.Col, e.What, e.Fix, tt.col, tt.what, tt.fix)
		}
	}
}

// A selector that is parsed is printed as it was written, and means what its print does;
// what it finds is there.
func FuzzSelector(f *testing.F) {
	for _, s := range []string{
		"spec.values.image.tag", `images[?(@.name=="web")].newTag`, "images[0].x", `metadata.annotations["team.example/image"]`,
		`[""]`, `a["\u00e9"]`, "$.a", "a..b", `a[?(@.b=="\"")]`, "values.image.tag", "nothing",
	} {
		f.Add(s)
	}
	file, err := Parse([]byte(selected), DefaultLimits)
	if err != nil {
		f.Fatal(err)
	}
	root := file.Docs[0].Root
	f.Fuzz(func(t *testing.T, text string) {
		s, err := ParseSelector(text)
		if err != nil {
			if e, ok := err.(*Error); !ok || e.Line != 1 || e.Col < 1 || e.What == "" || e.Fix == "" {
				t.Errorf("%q: error %#v without a place or a fix", text, err)
			}
			return
		}
		again, err := ParseSelector(s.String())
		if err != nil || s.String() != text {
			t.Fatalf("%q: printed as %q, which is %v", text, s, err)
		}
		if diff := cmp.Diff(s.steps, again.steps, cmp.AllowUnexported(choice{})); diff != "" || !s.Equal(again) {
			t.Errorf("%q: -first +again\n%s", text, diff)
		}
		if at, there := s.Find(root); there && Lookup(root, at) == nil {
			t.Errorf("%q: found %v, where nothing is", text, at)
		}
	})
}
