package yamledit

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/towpath/towpath/internal/seeds"
)

// shown are comments that hold @, each in a line, with what they stand beside.
func shown(f *File) string {
	var b strings.Builder
	for _, c := range f.Comments("@") {
		fmt.Fprintf(&b, "%d:%d", c.Line, c.Col)
		if c.Own {
			b.WriteString(" own")
		}
		for _, s := range c.Beside {
			fmt.Fprintf(&b, ", %d %v=%q", s.Doc, s.At, s.Node.Value)
			if s.Why != "" {
				fmt.Fprintf(&b, " (%s)", s.Why)
			}
		}
		b.WriteString("\n")
	}
	return b.String()
}

func TestComments(t *testing.T) {
	tests := []struct{ name, src, want string }{
		{"of a value", "a:\n  b: x # @\n  c: y\n", "2:8, 0 a.b=\"x\"\n"},
		{"without the word", "a: x # no\n", ""},
		{"of an item", "- x # @\n- y\n", "1:5, 0 [0]=\"x\"\n"},
		{"in quotes", "a: \"x # @\"\nb: 'y # @'\nc: x#@\n\"# @\": z\n", ""},
		{"behind quotes", "a: \"x\" # @\nb: 'y''' # @\n", "1:8, 0 a=\"x\"\n2:10, 0 b=\"y'\"\n"},
		{"in a block scalar", "a: |\n  x # @\n  # @\n# @ below\nb: y\n", "4:1 own, 0 b=\"y\"\n"},
		{"of a block scalar", "a: |- # @\n  x\n  y\nb: z\n", "1:7, 0 a=\"x\\ny\"\n"},
		{"above a block scalar", "# @\na: >\n  x\n", "1:1 own, 0 a=\"x\\n\"\n"},
		{"over several lines", "a: x\n  y # @\nb: \"x\n  # @\n  y\" # @\n", "2:5, 0 a=\"x y\"\n5:6, 0 b=\"x # @ y\"\n"},
		{"above several lines", "# @\na: x\n  y\n", "1:1 own, 0 a=\"x y\"\n"},
		{"above", "# @\n\n  # more\na: x # z\n", "1:1 own, 0 a=\"x\"\n"},
		{"two above", "# @1\n# @2\na: x\n", "1:1 own, 0 a=\"x\"\n2:1 own, 0 a=\"x\"\n"},
		{"above and beside", "# @1\na: x # @2\n", "1:1 own, 0 a=\"x\"\n2:6, 0 a=\"x\"\n"},
		{"above a document", "a: x\n# @\n---\nb: y\n", "2:1 own\n"},
		{"in a second document", "a: x\n---\nb: y # @\n", "3:6, 1 b=\"y\"\n"},
		{"at the end", "a: x\n# @", "2:1 own\n"},
		{"alone", "# @\n", "1:1 own\n"},
		{"of a collection", "a: # @\n  b: x\n", "1:4\n"},
		{"of null", "a: # @\nb: ~ # @\nc:\n- # @\n", "1:4, 0 a=\"\"\n2:6, 0 b=\"~\"\n4:3, 0 c[0]=\"\"\n"},
		{"of two", "a: {b: x, c: y} # @\n", "1:17, 0 a.b=\"x\", 0 a.c=\"y\"\n"},
		{"of one of them", "a: {b: x,\n  c: y # @\n}\n", "2:8, 0 a.c=\"y\"\n"},
		{"behind its comma", "a: [\n  x, # @\n  y # @\n]\n", "2:6, 0 a[0]=\"x\"\n3:5, 0 a[1]=\"y\"\n"},
		{"in a flow mapping in an item", "- {b: x} # @\n", "1:10, 0 [0].b=\"x\"\n"},
		{"of nothing but keys", "? {b: x} # @\n: y\n", "1:10\n"},
		{"of an alias", "a: &x y # @\nb: *x # @\n", "1:9, 0 a=\"y\" (a: the anchor &x stands in the value)\n2:7, 0 b=\"x\" (b: the alias *x stands in the value)\n"},
		{"behind an anchor", "a: &x # @\n  y\n", "1:7\n"},
		{"anchors hold #", "a: &x# y # @\n", "1:10, 0 a=\"y\" (a: the anchor &x# stands in the value)\n"},
		{"in an anchor", "a: &x\n  b: y # @\n", "2:8, 0 a.b=\"y\" (a: the anchor &x lies on the path; its aliases would change too)\n"},
		{"at a tag", "a: !!str y # @\n", "1:12, 0 a=\"y\" (a: the tag !!str stands in the value)\n"},
		{"beside a merge key", "a: &x {b: y}\n<<: *x\nc: z # @\n", "3:6, 0 c=\"z\" (a merge key stands beside it)\n"},
		{"below a key that is no name", "? [k]\n: v # @\n", "2:5, 0 [<nil>]=\"v\" (a key beside it is not a plain name)\n"},
		{"in a template", "a: {{ x }}\nb: y # @\n", "2:6, 0 b=\"y\" (the document is a template: {{ stands where a value should)\n"},
		{"of the whole document", "x # @\n", "1:3, 0 =\"x\" (it is the whole document)\n"},
		{"CRLF and wide characters", "é: x # @\r\n# @\r\n\r\nb: y\r\n", "1:6, 0 é=\"x\"\n2:1 own, 0 b=\"y\"\n"},
		{"tabs", "a: x\t# @\n\t# @\nb: y\n", "1:6, 0 a=\"x\"\n2:2 own, 0 b=\"y\"\n"},
		{"byte order mark", "\ufeff# @\na: x # @\n", "1:1 own, 0 a=\"x\"\n2:6, 0 a=\"x\"\n"},
		{"directives", "%YAML 1.2 # @\n---\na: x\n", "1:11\n"},
		{"no end of line", "a: x # @", "1:6, 0 a=\"x\"\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f, err := Parse([]byte(tt.src), DefaultLimits)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, shown(f)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// overwritten is text with every comment but its # overwritten. It reads as before, if
// comments are what was found.
func overwritten(src []byte, comments []Comment) []byte {
	t := newText(src)
	out := slices.Clone(src)
	for _, c := range comments {
		at := t.start(&Node{Line: c.Line, Column: c.Col})
		for i := range out[at+1 : at+len(c.Text)] {
			out[at+1+i] = '@'
		}
	}
	return out
}

func judgeComments(f *File) error {
	comments := f.Comments("#")
	out := overwritten(f.Src, comments)
	g, err := Parse(out, f.limits)
	if err != nil {
		return fmt.Errorf("with other comments the text does not parse: %w\n%s", err, out)
	}
	for i, d := range f.Docs {
		if unequal(d.Root, g.Docs[i].Root) != nil {
			return fmt.Errorf("with other comments the text reads otherwise:\n%s", out)
		}
	}
	for _, c := range comments {
		for _, s := range c.Beside {
			if s.Why != "" {
				continue
			}
			if n := Lookup(f.Docs[s.Doc].Root, s.At); n != s.Node {
				return fmt.Errorf("%d:%d: %v does not lead to the scalar beside the comment", c.Line, c.Col, s.At)
			}
			for i, n := range s.Way {
				if n != Lookup(f.Docs[s.Doc].Root, s.At[:i]) || len(s.Way) != len(s.At)+1 {
					return fmt.Errorf("%d:%d: another node lies on the way to %v", c.Line, c.Col, s.At[:i])
				}
			}
		}
	}
	return nil
}

// Comments are no part of what text says, in every layout that people use; and paths lead
// to what stands beside them.
func TestCommentsSayNothing(t *testing.T) {
	seed := seeds.Of(t)
	texts := map[string]string{}
	names, err := filepath.Glob("testdata/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		texts[name], _ = readArchive(t, name).part("in")
	}
	for i := range uint64(500) {
		texts[fmt.Sprintf("seed %d round %d", seed, i)] = drawText(rand.New(rand.NewPCG(seed, i)))
	}
	found := 0
	for name, text := range texts {
		f, err := Parse([]byte(text), DefaultLimits)
		if err != nil {
			continue // a text that is refused
		}
		found += len(f.Comments("#"))
		if err := judgeComments(f); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if found < 100 {
		t.Errorf("seed %d: only %d comments", seed, found)
	}
}

func FuzzComments(f *testing.F) {
	for _, text := range []string{"a: x # @\n", "# @\na: |\n  x # @\n", "a: [x, # @\n y]\n", "? a # @\n: 'b'# @\n", "- &x # @\n  y\n- *x # @\n"} {
		f.Add([]byte(text))
	}
	limits := DefaultLimits
	limits.Bytes, limits.Depth = 4096, 16
	f.Fuzz(func(t *testing.T, src []byte) {
		file, err := Parse(src, limits)
		if err != nil {
			return
		}
		if err := judgeComments(file); err != nil {
			t.Fatalf("%v\nof\n%s", err, src)
		}
	})
}
