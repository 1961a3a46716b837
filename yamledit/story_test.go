package yamledit

import (
	"errors"
	"flag"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v4"
)

var update = flag.Bool("update", false, "write what Apply makes into testdata")

// Each file of testdata is one edit: what the text is about, the changes, the
// text before, and the text after or why it is refused.
//
//	-- changes --
//	set metadata.annotations["a/b"] "v"
//	doc 1 insert status.tags[0].items[0] {"image": "sha256:1"}
//	delete status.tags[0].conditions
//	-- in --
//	-- want -- (or -- refused --)
//
// Words of the comment's last line change both texts: crlf, noeol, bom.
//
// fault: C-19
// fault: C-20
func TestStories(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no stories: %v", err)
	}
	for _, name := range files {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) { story(t, name) })
	}
}

func story(t *testing.T, name string) {
	a := readArchive(t, name)
	lines := strings.Split(strings.TrimSpace(a.comment), "\n")
	form := former(lines[len(lines)-1])
	in, _ := a.part("in")
	changes, _ := a.part("changes")

	f, err := Parse([]byte(form(in)), DefaultLimits)
	if err != nil {
		t.Fatalf("parse: %v", err)
	}
	out, err := f.Apply(readChanges(t, changes)...)
	got, where := string(out), "want"
	var r *Refused
	if errors.As(err, &r) {
		got, where = fmt.Sprintf("%d:%d: %s\nfix: %s\n", r.Line, r.Col, r.What, r.Fix), "refused"
	}
	want, ok := a.part(where)
	if where == "want" {
		want = form(want)
	}
	if diff := cmp.Diff(want, got); diff != "" || !ok {
		t.Errorf("%s (-want +got):\n%s", where, diff)
	}
	if *update && len(a.parts) == 3 {
		text := strings.NewReplacer("\r", "", "\ufeff", "").Replace(got)
		a.parts[2] = part{where, text}
		a.write(t, name)
	}
	if where == "want" {
		settled(t, out, readChanges(t, changes))
	}
}

// settled checks that what was set is set: setting it again changes nothing.
func settled(t *testing.T, out []byte, changes []Change) {
	for _, c := range changes {
		if c.Op != Set {
			return
		}
	}
	f, err := Parse(out, DefaultLimits)
	if err != nil {
		t.Fatal(err)
	}
	again, err := f.Apply(changes...)
	if err != nil {
		t.Fatalf("a second time: %v", err)
	}
	if diff := cmp.Diff(string(out), string(again)); diff != "" {
		t.Errorf("a second time (-first +second):\n%s", diff)
	}
}

// former gives a text the form that the words name.
func former(words string) func(string) string {
	return func(s string) string {
		if strings.Contains(words, "noeol") {
			s = strings.TrimSuffix(s, "\n")
		}
		if strings.Contains(words, "crlf") {
			s = strings.ReplaceAll(s, "\n", "\r\n")
		}
		if strings.Contains(words, "bom") {
			s = "\ufeff" + s
		}
		return s
	}
}

func readChanges(t *testing.T, text string) (cs []Change) {
	t.Helper()
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		c := Change{}
		if rest, ok := strings.CutPrefix(line, "doc "); ok {
			n, after, _ := strings.Cut(rest, " ")
			c.Doc, _ = strconv.Atoi(n)
			line = after
		}
		op, rest, _ := strings.Cut(line, " ")
		path, value, _ := strings.Cut(rest, " ")
		c.Op = map[string]Op{"set": Set, "insert": Insert, "delete": Delete}[op]
		c.At = readPath(t, path)
		if c.Op != Delete {
			c.Value = readValue(t, value)
		}
		cs = append(cs, c)
	}
	return cs
}

// readPath reads what Path.String writes.
func readPath(t *testing.T, s string) (p Path) {
	t.Helper()
	for s != "" {
		s = strings.TrimPrefix(s, ".")
		if s[0] != '[' {
			i := strings.IndexAny(s+".", ".[")
			p = append(p, s[:i])
			s = s[i:]
			continue
		}
		end := strings.Index(s, "]")
		if s[1] == '"' {
			end = strings.Index(s, `"]`) + 1
			p = append(p, s[2:end-1])
		} else {
			i, err := strconv.Atoi(s[1:end])
			if err != nil {
				t.Fatal(err)
			}
			p = append(p, i)
		}
		s = s[end+1:]
	}
	return p
}

func readValue(t *testing.T, s string) Value {
	t.Helper()
	f, err := Parse([]byte(s), DefaultLimits)
	if err != nil {
		t.Fatalf("value %s: %v", s, err)
	}
	return valueOf(f.Docs[0].Root)
}

// valueOf is what a node says, as far as a Value can.
func valueOf(n *Node) Value {
	switch n.Kind {
	case yaml.MappingNode:
		m := Map{}
		for i := 0; i < len(n.Content); i += 2 {
			m = append(m, Entry{n.Content[i].Value, valueOf(n.Content[i+1])})
		}
		return m
	case yaml.SequenceNode:
		s := Seq{}
		for _, c := range n.Content {
			s = append(s, valueOf(c))
		}
		return s
	}
	switch n.Tag {
	case "!!null":
		return nil
	case "!!bool":
		return n.Value == "true"
	case "!!int":
		if i, err := strconv.Atoi(n.Value); err == nil {
			return i
		}
	}
	return n.Value
}
