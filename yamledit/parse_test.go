package yamledit

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func parse(t *testing.T, src string) *File {
	t.Helper()
	f, err := Parse([]byte(src), DefaultLimits)
	if err != nil {
		t.Fatalf("%v in %q", err, src)
	}
	return f
}

func TestDocuments(t *testing.T) {
	type doc struct {
		Text string
		Line int // of the root
	}
	tests := []struct {
		name, src string
		want      []doc
	}{
		{"empty", "", nil},
		{"comments only", "# a\n\n  # b\n", nil},
		{"one", "# c\na: 1\n", []doc{{"# c\na: 1\n", 2}}},
		{"marker first", "---\na: 1\n", []doc{{"---\na: 1\n", 2}}},
		{"two", "a: 1\n---\nb: 2\n", []doc{{"a: 1\n", 1}, {"---\nb: 2\n", 3}}},
		{"nothing in between", "a: 1\n---\n# c\n---\nb: 2\n", []doc{{"a: 1\n", 1}, {"---\nb: 2\n", 5}}},
		{"marker in a block scalar", "a: |\n  ---\n  ...\nb: 1\n", []doc{{"a: |\n  ---\n  ...\nb: 1\n", 1}}},
		{"marker ends a block scalar", "--- |\nx\n---\ny: 1\n", []doc{{"--- |\nx\n", 1}, {"---\ny: 1\n", 4}}},
		{"marker with a value", "--- {a: 1}\n--- b\n", []doc{{"--- {a: 1}\n", 1}, {"--- b\n", 2}}},
		{"marker with a tab", "---\ta\n", []doc{{"---\ta\n", 1}}},
		{"no marker", "----\n", []doc{{"----\n", 1}}},
		{"end, then directives", "a: 1\n...\n%YAML 1.2\n---\nb: 1\n...\n# end\n", []doc{{"a: 1\n...\n", 1}, {"%YAML 1.2\n---\nb: 1\n...\n", 5}}},
		{"%YAML 1.1", "%YAML 1.1\n---\na: 1\n", []doc{{"%YAML 1.1\n---\na: 1\n", 3}}},
		{"%TAG", "%TAG !e! tag:x,2000:\n---\na: !e!b 1\n", []doc{{"%TAG !e! tag:x,2000:\n---\na: !e!b 1\n", 3}}},
		{"CRLF", "a: 1\r\n---\r\nb: 2\r\n", []doc{{"a: 1\r\n", 1}, {"---\r\nb: 2\r\n", 3}}},
		{"byte order mark", "\ufeffa: 1\n", []doc{{"\ufeffa: 1\n", 1}}},
		{"explicit null", "null\n", []doc{{"null\n", 1}}},
		{"bidi in a comment", "a: 1 # \u202e\n", []doc{{"a: 1 # \u202e\n", 1}}},
		{"JSON", "{\n\t\"a\": \"b\\/c\"\n}\n", []doc{{"{\n\t\"a\": \"b\\/c\"\n}\n", 1}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []doc
			f := parse(t, tt.src)
			for _, d := range f.Docs {
				got = append(got, doc{tt.src[d.Start:d.End], d.Root.Line})
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestPositionsOfErrors(t *testing.T) {
	tests := []struct {
		name, src string
		line, col int
		what      string
	}{
		{"in a later document", "a: 1\n---\nb: [\n", 4, 1, "not valid YAML"},
		{"duplicate key", "a: 1\n---\nb: 1\nc: 2\nb: 3\n", 5, 1, "lines 3 and 5"},
		{"control character", "a: 1\né: \x01\n", 2, 4, "U+0001"},
		{"invalid UTF-8", "é: \xff\n", 1, 4, "UTF-8"},
		{"bidi", "a: 1\nb: \u202e\n", 2, 4, "reorder"},
		{"tab", "a:\n\tb: 1\n", 2, 1, "tab"},
		{"template", "a: 1\n{{- if .x }}\nb: 1\n{{- end }}\n", 0, 0, "looks like a template"},
		{"unknown anchor", "a: *x\n", 1, 4, "unknown anchor"},
		{"anchor of another document", "a: &x 1\n---\nb: *x\n", 3, 4, "unknown anchor"},
		{"surrogates", `{"a": "\ud83d\ude00"}`, 1, 0, "Unicode"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Parse([]byte(tt.src), DefaultLimits)
			var e *Error
			if !errors.As(err, &e) {
				t.Fatalf("got %v, want an *Error", err)
			}
			if tt.line != 0 && e.Line != tt.line || tt.col != 0 && e.Col != tt.col {
				t.Errorf("got %d:%d, want %d:%d (%s)", e.Line, e.Col, tt.line, tt.col, e.What)
			}
			if !strings.Contains(e.What, tt.what) || e.Fix == "" {
				t.Errorf("got %q, fix %q; want it to say %q", e.What, e.Fix, tt.what)
			}
		})
	}
}

// fault: C-18
func TestStringsStayStrings(t *testing.T) {
	const src = `
a: on
b: yes
c: 12:30:00
d: !!binary aGk=
e: !!python/object:os.system x
f: !include secrets.yaml
g: "1.10"
h: 0777
i: 1_000
j: 2026-01-02
`
	f := parse(t, src)
	for key, tag := range map[string]string{
		"a": "!!str", "b": "!!str", "c": "!!str", "d": "!!binary", "e": "!!python/object:os.system",
		"f": "!include", "g": "!!str", "h": "!!int", "i": "!!int", "j": "!!timestamp",
	} {
		n := Lookup(f.Docs[0].Root, Path{key})
		if n == nil || n.Tag != tag {
			t.Errorf("%s: got %v, want tag %s", key, n, tag)
		}
	}
	for _, key := range []string{"d", "e", "f"} {
		if out, err := f.Apply(Change{At: Path{key}, Value: "x"}); err == nil {
			t.Errorf("%s: a value with a tag was changed: %s", key, out)
		}
	}
}

func TestLookup(t *testing.T) {
	root := parse(t, "a: &x {b: [1, {c: d}]}\ne: *x\nf: ~\ng: ''\n").Docs[0].Root
	tests := []struct {
		at   Path
		want string
		ok   bool
	}{
		{Path{"a", "b", 0}, "1", true},
		{Path{"a", "b", 1, "c"}, "d", true},
		{Path{"e", "b", 0}, "1", true},
		{Path{"a", "b", 2}, "", false},
		{Path{"a", "b", -1}, "", false},
		{Path{"a", "b"}, "", false},
		{Path{"a", 0}, "", false},
		{Path{"a", "b", "c"}, "", false},
		{Path{"a", 1.5}, "", false},
		{Path{"f"}, "", false},
		{Path{"f", "x"}, "", false},
		{Path{"g"}, "", true},
		{Path{"nothing", "there"}, "", false},
	}
	for _, tt := range tests {
		if got, ok := Get(root, tt.at); got != tt.want || ok != tt.ok {
			t.Errorf("%v: got %q %v, want %q %v", tt.at, got, ok, tt.want, tt.ok)
		}
	}
	if Lookup(root, nil) != root {
		t.Error("the empty path is not the root")
	}
	if Lookup(nil, Path{"a"}) != nil {
		t.Error("found something below nothing")
	}
}

func TestPathString(t *testing.T) {
	got := Path{"metadata", "annotations", "a.b/c", 0, "", "x"}.String()
	if want := `metadata.annotations["a.b/c"][0][""].x`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func BenchmarkParse(b *testing.B) {
	src := []byte(stream(10, 10))
	b.SetBytes(int64(len(src)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(src, DefaultLimits); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkApply(b *testing.B) {
	f, err := Parse([]byte(stream(10, 10)), DefaultLimits)
	if err != nil {
		b.Fatal(err)
	}
	c := Change{At: Path{"status", "tags", 3, "items", 0}, Op: Insert, Value: Map{
		{"created", "2026-01-02T03:04:05Z"}, {"dockerImageReference", "quay.io/a/b@sha256:00"}, {"generation", 2}, {"image", "sha256:00"},
	}}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := f.Apply(c); err != nil {
			b.Fatal(err)
		}
	}
}
