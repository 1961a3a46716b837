package main

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/towpath/towpath/imagestream"
	"github.com/towpath/towpath/yamledit"
)

// Whether a file is what it was but for some parts is judged here without the
// editor's help: once by lines, and once by nodes.

// parts are the parts of a file that may change.
type parts struct {
	lines map[int]bool // from 1
	nodes map[*yamledit.Node]bool
}

// statusParts are the status of each stream, and the annotation that goes with
// it.
func statusParts(f *yamledit.File) (ps parts) {
	docs, _ := imagestream.Parse(f)
	for _, d := range docs {
		ps.add(f, d.Doc, append(slices.Clone(d.At), "status"))
		ps.add(f, d.Doc, append(slices.Clone(d.At), "metadata", "annotations", "openshift.io/image.dockerRepositoryCheck"))
	}
	return ps
}

// add adds the entry at a path, there or yet to come: from its key up to whatever
// is next. A mapping that holds nothing but it, or nothing, or is missing, is added as a whole;
// of one that stands on a single line, all of the line.
func (ps *parts) add(f *yamledit.File, doc int, at yamledit.Path) {
	if ps.lines == nil {
		ps.lines, ps.nodes = map[int]bool{}, map[*yamledit.Node]bool{}
	}
	d := f.Docs[doc]
	parent, key := yamledit.Lookup(d.Root, at[:len(at)-1]), at[len(at)-1]
	if parent == nil || len(parent.Content) == 0 && len(at) > 1 {
		ps.add(f, doc, at[:len(at)-1])
		return
	}
	if parent.Style&yaml.FlowStyle != 0 && last(parent).Line == parent.Line {
		ps.lines[parent.Line] = true
	}
	for i := 0; i+1 < len(parent.Content); i += 2 {
		if parent.Kind != yaml.MappingNode || parent.Content[i].Value != key {
			continue
		}
		if len(parent.Content) == 2 && len(at) > 1 {
			ps.add(f, doc, at[:len(at)-1])
		}
		k, v := parent.Content[i], parent.Content[i+1]
		ps.nodes[k], ps.nodes[v] = true, true
		for line := k.Line; line < max(endOf(f, d, v), k.Line+1); line++ {
			ps.lines[line] = true
		}
	}
}

// last is the last node of what is in n.
func last(n *yamledit.Node) *yamledit.Node {
	for len(n.Content) > 0 {
		n = n.Content[len(n.Content)-1]
	}
	return n
}

// endOf is the line of the first node after n and what is in it, or the first one
// after its document.
func endOf(f *yamledit.File, d yamledit.Doc, n *yamledit.Node) int {
	found := false
	if after := next(d.Root, n, &found); after != nil {
		return after.Line
	}
	end := bytes.Count(f.Src[:d.End], []byte("\n")) + 1
	if d.End == len(f.Src) {
		end++ // its last line may have no end
	}
	return end
}

// next is the first node of a tree that comes after n and what is in it.
func next(tree, n *yamledit.Node, found *bool) *yamledit.Node {
	switch {
	case *found:
		return tree
	case tree == n:
		*found = true
		return nil
	}
	for _, c := range tree.Content {
		if after := next(c, n, found); after != nil {
			return after
		}
	}
	return nil
}

// unchanged says what changed that is in none of the parts.
func unchanged(before, after *yamledit.File, was, is parts) error {
	if err := sameLines(before.Src, after.Src, was.lines, is.lines); err != nil {
		return err
	}
	if len(before.Docs) != len(after.Docs) {
		return fmt.Errorf("%d documents became %d", len(before.Docs), len(after.Docs))
	}
	for i := range before.Docs {
		if n := differ(before.Docs[i].Root, after.Docs[i].Root, was, is); n != nil {
			return fmt.Errorf("%d:%d: %q is not what it was", n.Line, n.Column, n.Value)
		}
	}
	return nil
}

// differ is the first node of a, outside of the parts, that b does not have so.
func differ(a, b *yamledit.Node, was, is parts) *yamledit.Node {
	x, y := without(a, was), without(b, is)
	if a.Kind != b.Kind || a.Tag != b.Tag || a.Value != b.Value || a.Anchor != b.Anchor || len(x) != len(y) {
		return a
	}
	if len(x) > 0 && a.Style != b.Style {
		return a
	}
	for i := range x {
		if n := differ(x[i], y[i], was, is); n != nil {
			return n
		}
	}
	return nil
}

func without(n *yamledit.Node, ps parts) []*yamledit.Node {
	return slices.DeleteFunc(slices.Clone(n.Content), func(c *yamledit.Node) bool { return ps.nodes[c] })
}

// sameLines compares the lines outside of the parts to the byte, and the comments
// within them. What stands on one line with a part, as all of a JSON file may, is left
// to the nodes.
func sameLines(before, after []byte, was, is map[int]bool) error {
	a, b := outside(before, was), outside(after, is)
	for i := range max(len(a), len(b)) {
		switch {
		case i >= len(a):
			return fmt.Errorf("line %d is new, and stands outside", b[i].number)
		case i >= len(b):
			return fmt.Errorf("line %d is gone", a[i].number)
		case a[i].text != b[i].text && !continued(a[i].text, b[i].text):
			return fmt.Errorf("line %d, %.80q, became %.80q", a[i].number, a[i].text, b[i].text)
		}
	}
	rest := comments(after, is)
	for _, c := range comments(before, was) {
		i := slices.Index(rest, c)
		if i < 0 {
			return fmt.Errorf("the comment %.80q is gone", c)
		}
		rest = rest[i+1:]
	}
	return nil
}

// continued reports whether a line only got what it needs to be followed: in JSON a
// comma, at the end of a file a line break.
func continued(before, after string) bool {
	a, b := strings.TrimRight(before, "\r\n"), strings.TrimRight(after, "\r\n")
	return b == a+"," || b == a && a == before
}

type line struct {
	number int
	text   string
}

func outside(src []byte, parts map[int]bool) (lines []line) {
	n := 0
	for text := range strings.Lines(string(src)) {
		if n++; !parts[n] {
			lines = append(lines, line{n, text})
		}
	}
	return lines
}

// comments are the lines within the parts that are nothing else.
func comments(src []byte, parts map[int]bool) (found []string) {
	n := 0
	for text := range strings.Lines(string(src)) {
		if n++; parts[n] && strings.HasPrefix(strings.TrimSpace(text), "#") {
			found = append(found, text)
		}
	}
	return found
}
