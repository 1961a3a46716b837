package yamledit

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/towpath/towpath/internal/seeds"
)

// ofParser compares nodes as they were parsed; comments are nobody's here.
var ofParser = cmpopts.IgnoreFields(Node{}, "HeadComment", "LineComment", "FootComment")

// sameAsParser holds a text to the law: what is read as plain, the parser reads as the
// very same nodes. It reports whether there was anything plain.
func sameAsParser(t *testing.T, src string) bool {
	t.Helper()
	s, err := look([]byte(src), DefaultLimits)
	if err != nil || !s.simple {
		return false
	}
	plain := false
	for _, seg := range s.segments {
		text := []byte(src[seg.start:seg.end])
		got := plainly(text, DefaultLimits.Depth, &texts{})
		if got == nil {
			continue
		}
		plain = true
		want, err := load(text, 1, &budget{limits: DefaultLimits})
		if err != nil {
			t.Fatalf("%q is read as plain; the parser says %v", text, err)
		}
		if diff := cmp.Diff(want, got, ofParser, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("%q (-parser +plain):\n%s", text, diff)
		}
	}
	return plain
}

// Law: the parser reads a document that is plain in the same way.
func TestLawPlainIsWhatTheParserReads(t *testing.T) {
	names, _ := filepath.Glob("testdata/*.txtar")
	for _, name := range names {
		in, _ := readArchive(t, name).part("in")
		sameAsParser(t, in)
	}
	seed := seeds.Of(t)
	const rounds = 1500
	plain := 0
	for i := range uint64(rounds) {
		r := rand.New(rand.NewPCG(seed, i))
		for _, src := range []string{drawPlain(r, 0, 3), drawPlain(r, 0, 1), cross(r, drawPlain(r, 0, 2)), cross(r, plainText)} {
			if sameAsParser(t, src) {
				plain++
			}
		}
	}
	if plain < rounds {
		t.Errorf("seed %d: of %d texts only %d are plain", seed, 4*rounds, plain)
	}
}

const plainText = `---
# a stream
kind: ImageStream
metadata:
  name: barge   # as painted
  annotations: {}
  labels:
spec:
  tags:
  - name: "1.4"
    from:
      kind: DockerImage
      name: quay.io/canal/barge:1.4

    generation: 2
  -
    name: 'edge'
    reference: true
  - - a
    - b: null
      c: 1.2.3

status:
    tags:
      - tag: x
        items: []
`

// drawPlain draws the lines below a key or a dash, most of them plain, and most in an order
// that makes sense.
func drawPlain(r *rand.Rand, indent, depth int) string {
	pick := func(of ...string) string { return of[r.IntN(len(of))] }
	var b strings.Builder
	dashes := r.IntN(3) == 0
	for i := range 1 + r.IntN(3) {
		if r.IntN(40) == 0 {
			indent++
		}
		head := pick("a", "b", "name", "x.y/z-", "_k", "on", "d") + fmt.Sprint(i) + ":"
		if dashes {
			head = "-"
		}
		b.WriteString(spaces(indent) + head + spaces(r.IntN(3)/2))
		switch {
		case depth == 0 || r.IntN(2) == 0:
			b.WriteString(" " + pick(plainValues...))
		case dashes && r.IntN(2) == 0: // behind the dash
			blanks := 1 + r.IntN(2)
			text := drawPlain(r, indent+1+blanks, depth-1)
			b.WriteString(spaces(blanks) + strings.TrimLeft(text, " "))
			continue
		default:
			b.WriteString(pick("", " # c") + "\n" + drawPlain(r, indent+r.IntN(4), depth-1))
			continue
		}
		b.WriteString(pick("\n", "\n", "\n", "\n", "  \n", "\n\n", "\n# c\n", "\n   # c\n", "\r\n", " # c\n"))
	}
	return b.String()
}

var plainValues = append(slices.Repeat([]string{"x", "quay.io/a/b:1", "1", "true", `"q"`, "'1.5'", "", "{}", "[]"}, 8),
	"1.5", "1.2.3", "012", "2-alpine", "No", "null", "~", "a b", "a  b:c", "a #b", "a#b", "#", "# c", `"1" # c`, `""`, "''", "{} # c", "[a]", "a: b", "a:", "-", "- x", "/p",
	"2026-01-02", "a, b", "a]", "a\"b", "it's", "0x1f", "1e3", "1_000", ".5", "y: ", "<<: x", "15:30", "1.", "1..", "00", "0", "0.0", "12345678901234567890", "123456789012345678901234567890", "08", "1.5.", "a\\b", "http://x", "a:#b", "[] x")

// cross puts pieces of a text where they do not belong.
func cross(r *rand.Rand, src string) string {
	tokens := []string{" ", "  ", "\n", "-", "- ", ":", ": ", "#", " #", "'", "\"", "{}", "[", "]", "{", "}", ",", "|", ">", "&a", "*a", "!x", "?", "? ", "%", "@", "`", "---", "...", "\\", "a", "0", ".", "=", "<<", "~"}
	for range 1 + r.IntN(4) {
		i := r.IntN(len(src) + 1)
		src = src[:i] + tokens[r.IntN(len(tokens))] + src[min(len(src), i+r.IntN(3)):]
	}
	if r.IntN(3) == 0 {
		lines := strings.SplitAfter(src, "\n")
		i, j := r.IntN(len(lines)), r.IntN(len(lines))
		lines[i], lines[j] = lines[j], lines[i]
		src = strings.Join(lines, "")
	}
	return src
}

// TestPlain: what people write is plain, and what could be more is left to the parser.
func TestPlain(t *testing.T) {
	for _, src := range []string{plainText, strings.ReplaceAll(plainText, "\n", "\r\n"), "a:", "a: b", "- a\n- b: c\n", "a:\n- b\n"} {
		if !sameAsParser(t, src) {
			t.Errorf("%q is not read as plain", src)
		}
	}
	for _, src := range []string{
		"", "a", "a: &x b", "a: *x", "a: !!str b", "a: |\n  b\n", "a: >\n  b\n", "a: \"b\\n\"", "a: 'b''c'", "a: b\n  c\n", "a: 'b\n  c'\n", "\"a\": b", "? a\n: b\n", "a: {b: c}", "a: [b]",
		"a: [\n]", "<<: b", "~: b", "null: b", "true: b", "1: b", "a: b: c", "a: b:", "a:\tb", "\ta: b", "a: é", "\ufeffa: b", "%YAML 1.2\n---\na: b\n", "--- a", "--- # c\na: b\n", "a: b\n...\n",
		"a: 1\n b: 2\n", "a:\n  b: 1\n c: 2\n", "a: 1\n- b\n", "- a\nb: 1\n", " a: 1\n", "- a\n  b: 1\n", "a: 2026-01-02", "a: 08", "a: 123456789012345678901234567890", "a: 0x1", "a: 1e3", "a: .5", "a: -1", "a: 1_0", "a: {} b", "a: \"b\" c", "a: \"b\"#c",
		"a: @b", "a: `b", "a: %b", strings.Repeat("a", 200) + ": b", "a:\n" + nested(70),
	} {
		if f, err := Parse([]byte(src), DefaultLimits); err == nil && slices.ContainsFunc(f.Docs, func(d Doc) bool { return d.Plain }) {
			t.Errorf("%q is read as plain", src)
		}
	}
	if plainly([]byte("a:\n"+nested(70)), 64, &texts{}) != nil {
		t.Error("70 levels are read where 64 may be")
	}
}

func nested(depth int) string {
	var b strings.Builder
	for i := range depth {
		fmt.Fprintf(&b, "%sa:\n", spaces(i+1))
	}
	return b.String()
}

func FuzzPlain(f *testing.F) {
	f.Add(plainText)
	for i := range uint64(20) {
		f.Add(drawPlain(rand.New(rand.NewPCG(1, i)), 0, 3))
	}
	f.Fuzz(func(t *testing.T, src string) { sameAsParser(t, src) })
}
