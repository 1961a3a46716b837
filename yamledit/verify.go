package yamledit

import (
	"strconv"

	"go.yaml.in/yaml/v4"
)

// verify parses the new text and compares it with the plans.
func (e *editor) verify(out []byte) (*File, *problem) {
	f, err := Parse(out, e.file.limits)
	if err != nil {
		return nil, &problem{nil, "the edited text would not parse: " + err.Error()}
	}
	if len(f.Docs) != len(e.roots) || e.file.JSON && !f.JSON {
		return nil, &problem{nil, "the edited text would not read back as it is meant"}
	}
	for i, p := range e.roots {
		if n := differs(p, f.Docs[i].Root); n != nil {
			if isText(n) {
				return nil, &problem{n, "the block scalar here would take in blank lines that come to stand below it"}
			}
			return nil, &problem{n, "the edited text would not read back as it is meant"}
		}
	}
	return f, nil
}

// differs is the first old node that a plan does not make of it what was read
// back; nil where all is as planned.
func differs(p *plan, read *Node) *Node {
	switch {
	case p.fate == set:
		if matches(read, p.value) {
			return nil
		}
		return p.node
	case !p.touched():
		return unequal(p.node, read)
	case !sameNode(p.node, read):
		return p.node
	}
	width := 1
	if p.node.Kind == yaml.MappingNode {
		width = 2
	}
	rest := read.Content
	pieces, _ := p.pieces()
	for _, piece := range pieces {
		if piece.gone {
			continue
		}
		if len(rest) < width {
			return p.node
		}
		if n := differsPiece(p.node, piece, rest[:width]); n != nil {
			return n
		}
		rest = rest[width:]
	}
	if len(rest) > 0 {
		return p.node
	}
	return nil
}

func differsPiece(parent *Node, p piece, read []*Node) *Node {
	value := read[len(read)-1]
	if p.old < 0 {
		if len(read) == 2 && !matches(read[0], p.key) || !matches(value, p.value) {
			return parent
		}
		return nil
	}
	old := parent.Content[p.old*len(read) : (p.old+1)*len(read)]
	if n := unequal(old[0], read[0]); len(read) == 2 && n != nil {
		return n
	}
	if p.plan != nil {
		return differs(p.plan, value)
	}
	return unequal(old[len(old)-1], value)
}

// unequal is the first node of a, from the top, that does not say in itself what
// its counterpart in b says: kind, tag, value, anchor, and how much is below it;
// nil where they are equal.
func unequal(a, b *Node) *Node {
	if !sameNode(a, b) || len(a.Content) != len(b.Content) {
		return a
	}
	for i := range a.Content {
		if n := unequal(a.Content[i], b.Content[i]); n != nil {
			return n
		}
	}
	return nil
}

func sameNode(a, b *Node) bool {
	return a.Kind == b.Kind && a.Tag == b.Tag && a.Value == b.Value && a.Anchor == b.Anchor
}

// matches reports whether a node says a value.
func matches(n *Node, v Value) bool {
	if bound(n) {
		return false
	}
	switch v := v.(type) {
	case Map:
		if n.Kind != yaml.MappingNode || len(n.Content) != 2*len(v) {
			return false
		}
		for i, entry := range v {
			if !matches(n.Content[2*i], entry.Key) || !matches(n.Content[2*i+1], entry.Value) {
				return false
			}
		}
		return true
	case Seq:
		if n.Kind != yaml.SequenceNode || len(n.Content) != len(v) {
			return false
		}
		for i := range v {
			if !matches(n.Content[i], v[i]) {
				return false
			}
		}
		return true
	}
	tag, text := scalar(v)
	if n.Kind != yaml.ScalarNode || n.Tag != tag {
		return false
	}
	return tag == "!!null" || n.Value == text
}

// scalar is the tag and the text of a value that is no collection; the tag is
// empty where it is no Value.
func scalar(v Value) (tag, text string) {
	switch v := v.(type) {
	case nil:
		return "!!null", "null"
	case string:
		return "!!str", v
	case bool:
		return "!!bool", strconv.FormatBool(v)
	case int:
		return "!!int", strconv.Itoa(v)
	case int64:
		return "!!int", strconv.FormatInt(v, 10)
	}
	return "", ""
}
