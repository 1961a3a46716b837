package yamledit

import "go.yaml.in/yaml/v4"

// A place is where a value stands.
type place struct {
	parent *Node // the collection around it; nil for a root
	after  int   // the offset after its colon or dash, -1 where there is none
	indent int   // of the block collection around it
	flow   bool  // it stands in a flow collection, or is a root
}

// A span is where an entry, or an element with its dash, stands in the text.
type span struct{ start, after, end int }

// value splices what becomes of a value. What stands further on in the text is
// spliced later, so that insertions at one offset come in the right order.
func (e *editor) value(p *plan, at place) error {
	switch {
	case p.fate == set && at.flow:
		return e.replaceFlow(p, at)
	case p.fate == set:
		e.replaceBlock(p, at)
		return nil
	case !p.touched():
		return nil
	case isBlock(p.node):
		return e.block(p)
	}
	return e.flow(p)
}

// spans are those of a collection's entries.
func (e *editor) spans(n *Node, indent int) []span {
	if n.Kind == yaml.SequenceNode {
		return e.elements(n, indent)
	}
	spans := make([]span, len(n.Content)/2)
	for i := range spans {
		key, value := n.Content[2*i], n.Content[2*i+1]
		s := span{start: e.start(key), after: -1, end: e.end(value, indent)}
		colon := e.end(key, -1)
		if isBlock(n) {
			colon = e.blanks(colon)
		} else {
			colon = e.skip(colon)
		}
		if e.at(colon) == ':' {
			s.after = colon + 1
			s.end = max(s.end, s.after)
		}
		spans[i] = s
	}
	return spans
}

// elements are the spans of a sequence. A dash stands before its element with
// nothing but blanks and comments in between.
func (e *editor) elements(n *Node, indent int) []span {
	spans := make([]span, len(n.Content))
	dash := e.content(n)
	for i, c := range n.Content {
		spans[i] = span{e.start(c), -1, e.end(c, indent)}
		if isBlock(n) {
			dash = e.skip(dash)
			spans[i] = span{dash, dash + 1, max(spans[i].end, dash+1)}
			dash = spans[i].end
		}
	}
	return spans
}
