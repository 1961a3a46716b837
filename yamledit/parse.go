package yamledit

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"go.yaml.in/yaml/v4"
)

// Parse parses text within limits. The error is an *Error. The File keeps src;
// the caller must not change it.
func Parse(src []byte, limits Limits) (*File, error) {
	s, err := look(src, limits)
	if err != nil {
		return nil, err
	}
	f := &File{Src: src, limits: limits}
	b := &budget{limits: limits}
	var t texts
	for _, seg := range s.segments {
		var root *Node
		if s.simple {
			root = plainly(src[seg.start:seg.end], limits.Depth, &t)
		}
		plain := root != nil
		if !plain {
			if root, err = load(src[seg.start:seg.end], seg.line, b); err != nil {
				return nil, err
			}
		}
		if root == nil || blank(root) {
			continue
		}
		if err := b.count(root, seg.line-1); err != nil {
			return nil, err
		}
		f.Docs = append(f.Docs, Doc{Root: root, Start: seg.start, End: seg.end, Plain: plain})
	}
	if s.bidi {
		if err := f.reordered(); err != nil {
			return nil, err
		}
	}
	f.JSON = isJSON(src)
	return f, nil
}

// load is the value of the one document in text, nil where there is none. Its
// lines count from the text's start.
func load(text []byte, line int, b *budget) (*Node, *Error) {
	l, err := yaml.NewLoader(bytes.NewReader(version11(text)), yaml.WithPlugin(b))
	if err != nil {
		return nil, &Error{line, 1, "the YAML parser does not start: " + err.Error(), "report this as a bug"}
	}
	var doc, more Node
	switch err := l.Load(&doc); {
	case err == io.EOF:
		return nil, nil
	case err != nil:
		return nil, b.explain(err, text, line)
	}
	if err := l.Load(&more); err != io.EOF {
		if err == nil {
			err = errors.New("there is text after the end of the document")
		}
		return nil, b.explain(err, text, line)
	}
	return doc.Content[0], nil
}

// version11 is the text with %YAML 1.2 changed to 1.1: the parser knows no other
// number, and reads 1.2 all the same. The length stays.
func version11(text []byte) []byte {
	if !bytes.Contains(text, []byte("%YAML")) {
		return text
	}
	text = bytes.Clone(text)
	for rest := text; len(rest) > 0; {
		line, after, _ := bytes.Cut(rest, []byte("\n"))
		if marker(trimBreak(line), "---") {
			break
		}
		if v := bytes.TrimLeft(bytes.TrimPrefix(line, []byte("%YAML ")), " "); len(v) < len(line) && bytes.HasPrefix(v, []byte("1.2")) {
			v[2] = '1'
		}
		rest = after
	}
	return text
}

// blank reports whether a document's value is written as nothing at all.
func blank(n *Node) bool {
	return n.Kind == yaml.ScalarNode && n.Value == "" && n.Style == 0 && n.Anchor == "" && n.Tag == "!!null"
}

func isJSON(src []byte) bool {
	text := bytes.TrimLeft(bytes.TrimPrefix(src, byteOrderMark), " \t\r\n")
	return len(text) > 0 && (text[0] == '{' || text[0] == '[') && json.Valid(text)
}

// explain turns what the parser says of text that starts at a line into an
// *Error.
func (b *budget) explain(err error, text []byte, line int) *Error {
	e := &Error{line, 1, err.Error(), "correct the YAML there"}
	var load *yaml.LoadError
	if errors.As(err, &load) {
		e.What = load.Message
		if load.ContextMsg != "" {
			e.What += " " + load.ContextMsg
		}
		if load.Mark.Line > 0 {
			e.Line, e.Col = line-1+load.Mark.Line, load.Mark.Column
		}
	}
	if b.over != "" {
		return &Error{e.Line, e.Col, b.over, "split the file, or leave it out"}
	}
	e.What = "not valid YAML: " + e.What
	switch {
	case load != nil && tabAt(text, load.Mark):
		e.What += "; it is a tab"
		e.Fix = "indent with spaces"
	case bytes.Contains(text, []byte("{{")):
		e.What += "; the text looks like a template"
		e.Fix = "leave templates out; name the file that holds their values"
	case strings.Contains(e.What, "Unicode character escape"):
		e.Fix = `write the character itself in place of \u escapes`
	}
	return e
}

// tabAt reports whether a tab stands where the parser stopped.
func tabAt(text []byte, mark yaml.Mark) bool {
	t := newText(text)
	return t.at(t.start(&Node{Line: mark.Line, Column: mark.Column})) == '\t'
}

// reordered finds a value that holds characters which reorder what a person
// reads. In a comment they do no harm.
func (f *File) reordered() error {
	t := newText(f.Src)
	var find func(n *Node, indent int) error
	find = func(n *Node, indent int) error {
		if n.Kind == yaml.ScalarNode || n.Kind == yaml.AliasNode {
			start := t.start(n)
			if strings.ContainsFunc(string(f.Src[start:t.end(n, indent)]), reorders) {
				return &Error{n.Line, n.Column, "the value holds characters that reorder what a reader sees", `write them as escapes in double quotes, as in "\u202e"`}
			}
		}
		if isBlock(n) {
			indent = t.column(n)
		}
		for _, c := range n.Content {
			if err := find(c, indent); err != nil {
				return err
			}
		}
		return nil
	}
	for _, d := range f.Docs {
		if err := find(d.Root, -1); err != nil {
			return err
		}
	}
	return nil
}

// Lookup is the node at a path, aliases followed; nil where there is none.
func Lookup(root *Node, at Path) *Node {
	n := follow(root)
	for _, step := range at {
		if n == nil {
			return nil
		}
		switch step := step.(type) {
		case string:
			n = follow(entry(n, step))
		case int:
			n = follow(element(n, step))
		default:
			return nil
		}
	}
	return n
}

// Get is the text of the scalar at a path; ok is false where there is none or
// where it is null.
func Get(root *Node, at Path) (value string, ok bool) {
	n := Lookup(root, at)
	if n == nil || n.Kind != yaml.ScalarNode || n.Tag == "!!null" {
		return "", false
	}
	return n.Value, true
}

func follow(n *Node) *Node {
	if n != nil && n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

// entry is the value of a key, nil where n is no mapping or has no such key.
func entry(n *Node, key string) *Node {
	if i := index(n, key); i >= 0 {
		return n.Content[i+1]
	}
	return nil
}

// index is where in a mapping's content a key stands, -1 where it does not.
func index(n *Node, key string) int {
	if n.Kind != yaml.MappingNode {
		return -1
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if k := n.Content[i]; k.Kind == yaml.ScalarNode && k.Value == key {
			return i
		}
	}
	return -1
}

func element(n *Node, i int) *Node {
	if n.Kind != yaml.SequenceNode || i < 0 || i >= len(n.Content) {
		return nil
	}
	return n.Content[i]
}

// String is the path as people write it: status.tags[0].items.
func (p Path) String() string {
	var b strings.Builder
	for _, step := range p {
		switch step := step.(type) {
		case string:
			if strings.ContainsAny(step, ".[] ") || step == "" {
				fmt.Fprintf(&b, "[%q]", step)
				continue
			}
			if b.Len() > 0 {
				b.WriteByte('.')
			}
			b.WriteString(step)
		default:
			fmt.Fprintf(&b, "[%v]", step)
		}
	}
	return b.String()
}
