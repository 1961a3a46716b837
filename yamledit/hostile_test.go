package yamledit

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
)

// A hostile text is one that somebody writes to wear the parser out.
type hostile struct {
	name string
	text func() string
	what string // part of the refusal
}

func repeat(line string, n int) func() string {
	return func() string { return strings.Repeat(line, n) }
}

func numbered(format string, n int) func() string {
	return func() string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, format, i)
		}
		return b.String()
	}
}

// bomb is the alias bomb: each level holds the one before ten times.
func bomb(levels int) func() string {
	return func() string {
		var b strings.Builder
		b.WriteString("a0: &a0 [x]\n")
		for i := 1; i <= levels; i++ {
			fmt.Fprintf(&b, "a%d: &a%d [%s]\n", i, i, strings.Repeat(fmt.Sprintf("*a%d,", i-1), 10))
		}
		return b.String()
	}
}

func around(before string, text func() string, after string) func() string {
	return func() string { return before + text() + after }
}

var aliasBombs = []hostile{
	{"5 levels", bomb(5), "nodes behind aliases"},
	{"7 levels", bomb(7), "nodes behind aliases"},
	{"9 levels", bomb(9), "nodes behind aliases"},
	{"a value that holds itself", repeat("a: &a [*a]\n", 1), "stands for a value that holds it"},
	{"a value that holds itself further down", repeat("a: &a {b: &b {c: [*b, *a]}}\n", 1), "stands for a value that holds it"},
}

var wideMappings = []hostile{
	{"40,000 keys", numbered("k%d: v\n", 40_000), "5000 keys in one mapping"},
	{"400,000 keys", numbered("k%d: v\n", 400_000), "5000 keys in one mapping"},
	{"40,000 keys below a key", around("a:\n", numbered("  k%d: v\n", 40_000), ""), "5000 keys in one mapping"},
	{"40,000 keys with lists", numbered("k%d:\n- v\n", 40_000), "5000 keys in one mapping"},
	{"40,000 keys in a flow mapping", around("{", numbered("k%d: v,\n", 40_000), "}"), "5000 keys in one mapping"},
	{"40,000 keys in JSON", around(`{"a":0`, numbered(`,"k%d":1`, 40_000), "}"), "5000 keys in one mapping"},
	{"40,000 keys in quotes", numbered("\"k%d\": v\n", 40_000), "5000 keys in one mapping"},
	{"40,000 keys in a later document", around("a: 1\n---\n", numbered("k%d: v\n", 40_000), ""), "5000 keys in one mapping"},
	{"8,000 keys, two a line", around("{", numbered("\"a%[1]d\": 1, \"b%[1]d\": 2,\n", 4_000), "}"), "5000 keys in one mapping"},
	{"600,000 keys in JSON", around(`{"a":0`, numbered(`,"k%d":1`, 600_000), "}"), "500000 nodes"},
	{"a sequence of 2,000,000", repeat("- \n", 2_000_000), "500000 nodes"},
	{"a flow sequence of 4,000,000", around("[", repeat("1,", 4_000_000), "]"), "500000 nodes"},
}

var deep = []hostile{
	{"depth 10,001, flow", around(strings.Repeat("[", 10_001), repeat("]", 10_001), ""), "64 levels of nesting"},
	{"depth 10,001, dashes", repeat("- ", 10_001), "64 levels of nesting"},
	{"depth 10,001, mappings", around(strings.Repeat(`{"a":`, 10_001), repeat("}", 10_001), ""), "64 levels of nesting"},
	{"depth 100, half block and half flow", around(strings.Repeat("- ", 50)+strings.Repeat("[", 50), repeat("]", 50), ""), "64 levels of nesting"},
	{"a million brackets", repeat("[", 1_000_000), "500000 nodes"},
}

var merges = []hostile{
	{"20,000 merges", around("x: &x {a: 1}\n", numbered("k%d: {<<: *x}\n", 20_000), ""), "5000 keys"},
	{"4,000 merges", around("x: &x {a: 1}\n", numbered("k%d: {<<: *x}\n", 4_000), ""), "1000 aliases"},
	{"20,000 merges in one mapping", around("x: &x {a: 1}\n", repeat("<<: *x\n", 20_000), ""), "5000 keys"},
	{"20,000 merges in one list", around("x: &x {a: 1}\ny:\n  <<: [", repeat("*x, ", 20_000), "]\n"), "1000 aliases"},
}

var large = []hostile{
	{"a scalar of 10 MiB", repeat("x", 10<<20), "8388608 bytes"},
	{"10 MiB in quotes", around(`a: "`, repeat("x", 10<<20), `"`), "8388608 bytes"},
}

var documents = []hostile{
	{"100,000 documents", repeat("---\na: 1\n", 100_000), "500 documents"},
	{"100,000 markers", repeat("---\n", 100_000), "500 documents"},
	{"100,000 documents that end", repeat("a\n...\n", 100_000), "500 documents"},
	{"unterminated quotes", around(`a: "`, repeat("x\n", 1000), ""), "not valid YAML"},
	{"unterminated bracket", repeat("[a, ", 1), "not valid YAML"},
	{"two documents without a marker", repeat("{}\n", 2), "not valid YAML"},
}

var badText = []hostile{
	{"invalid UTF-8", repeat("a: \xff\n", 1), "not UTF-8"},
	{"overlong UTF-8", repeat("a: \xc0\xaf\n", 1), "not UTF-8"},
	{"surrogate", repeat("a: \xed\xa0\x80\n", 1), "not UTF-8"},
	{"UTF-16, little end first", repeat("\xff\xfea\x00", 1), "UTF-16"},
	{"UTF-16, big end first", repeat("\xfe\xff\x00a", 1), "UTF-16"},
	{"NUL", repeat("a: b\x00\n", 1), "U+0000"},
	{"C0", repeat("a: \x1b[31m\n", 1), "U+001B"},
	{"DEL", repeat("a: \x7f\n", 1), "U+007F"},
	{"C1", repeat("a: \u009b\n", 1), "U+009B"},
	{"next line", repeat("a: b\u0085c: d\n", 1), "U+0085"},
	{"line separator", repeat("a: b\u2028c: d\n", 1), "U+2028"},
	{"paragraph separator", repeat("# a\u2029c: d\n", 1), "U+2029"},
	{"bidi in a value", repeat("a: \"x\u202ey\"\n", 1), "reorder"},
	{"bidi in a key", repeat("a\u2066b: 1\n", 1), "reorder"},
	{"bidi behind what looks like a comment", repeat("a: \"x # \u202ey\"\n", 1), "reorder"},
	{"bidi in a block scalar", repeat("a: |\n  # \u202ey\n", 1), "reorder"},
	{"byte order mark inside", repeat("a: \ufeffb\n", 1), "byte order mark"},
	{"carriage return inside", repeat("a: b # c\rd: e\n", 1), "carriage return"},
}

var ambiguous = []hostile{
	{"duplicate key", repeat("a: 1\nb: 2\na: 3\n", 1), `the key "a" is given twice, in lines 1 and 3`},
	{"duplicate key in another notation", repeat("a: 1\n\"a\": 3\n", 1), `the key "a" is given twice`},
	{"number and string", repeat("1: x\n\"1\": y\n", 1), `the key "1" is given twice`},
	{"duplicate merge key", repeat("x: &x {a: 1}\ny:\n  <<: *x\n  <<: *x\n", 1), `the key "<<" is given twice`},
	{"duplicate key in JSON", repeat(`{"a": {"b": 1, "c": 2, "b": 3}}`, 1), `the key "b" is given twice`},
	{"duplicate among many", around("x: 1\n", numbered("k%d: v\n", 100), "x: 2\n"), "in lines 1 and 102"},
	{"duplicate in a later document", repeat("a: 1\nb: 2\n---\nc: 1\nc: 2\n", 1), "in lines 4 and 5"},
	{"unknown tag handle", repeat("a: !e!x 1\n", 1), "not valid YAML"},
}

func everyHostile() []hostile {
	var all []hostile
	for _, hs := range [][]hostile{aliasBombs, wideMappings, deep, merges, large, documents, badText, ambiguous} {
		all = append(all, hs...)
	}
	return all
}

// fault: C-11
func TestAliasBombs(t *testing.T) { refused(t, aliasBombs) }

// fault: C-12
func TestWideMappings(t *testing.T) { refused(t, wideMappings) }

// fault: C-13
func TestDeepNesting(t *testing.T) { refused(t, deep) }

// fault: C-14
func TestMerges(t *testing.T) { refused(t, merges) }

// fault: C-15
func TestLargeScalars(t *testing.T) { refused(t, large) }

// fault: C-16
func TestManyDocuments(t *testing.T) { refused(t, documents) }

// fault: C-17
func TestBadText(t *testing.T) { refused(t, badText) }

// fault: C-18
func TestDuplicateKeys(t *testing.T) { refused(t, ambiguous) }

// refused holds every text to be refused, with its place and the next step, before
// it costs more than 32 MiB. How long it takes is for BenchmarkHostile to say.
func refused(t *testing.T, hs []hostile) {
	for _, h := range hs {
		t.Run(h.name, func(t *testing.T) {
			src := []byte(h.text())
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := Parse(src, DefaultLimits)
			runtime.ReadMemStats(&after)
			var e *Error
			if !errors.As(err, &e) {
				t.Fatalf("got %v, want an *Error", err)
			}
			if !strings.Contains(e.What, h.what) {
				t.Errorf("got %q, want it to say %q", e.What, h.what)
			}
			if e.Fix == "" || e.Line < 1 || e.Col < 1 {
				t.Errorf("no fix or no place: %+v", e)
			}
			if used := after.TotalAlloc - before.TotalAlloc; used > 32<<20 {
				t.Errorf("took %d MiB", used>>20)
			}
		})
	}
}

func BenchmarkHostile(b *testing.B) {
	for _, h := range everyHostile() {
		b.Run(h.name, func(b *testing.B) {
			src := []byte(h.text())
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Parse(src, DefaultLimits); err == nil {
					b.Fatal("not refused")
				}
			}
		})
	}
}

// What is large but honest is taken: 2,000 tags with 10 items each, a text of 6,000 lines
// that only looks like a mapping, and 300 documents of 20 keys each.
func TestHonestTextIsTaken(t *testing.T) {
	lines := around("a: |\n", numbered("  k%d: v\n", 6_000), "b: 1\n")
	for name, src := range map[string]string{"tags": stream(2_000, 10), "text": lines(),
		"documents": strings.Repeat("---\n"+numbered("k%d: v\n", 20)(), 300), "documents that end": strings.Repeat(numbered("k%d: v\n", 20)()+"...\n", 300)} {
		if _, err := Parse([]byte(src), DefaultLimits); err != nil {
			t.Errorf("%s, %d bytes: %v", name, len(src), err)
		}
	}
}

// stream is a file with so many tags and so many items each.
func stream(tags, items int) string {
	var b strings.Builder
	b.WriteString("apiVersion: image.openshift.io/v1\nkind: ImageStream\nmetadata:\n  name: big\nstatus:\n  tags:\n")
	for i := range tags {
		fmt.Fprintf(&b, "  - tag: v%d\n    items:\n", i)
		for j := range items {
			fmt.Fprintf(&b, "    - created: \"2026-01-02T03:04:05Z\"\n      dockerImageReference: quay.io/a/b@sha256:%064x\n      generation: 2\n      image: sha256:%064x\n", i*j, i*j)
		}
	}
	return b.String()
}
