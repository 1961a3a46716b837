package yamledit

import (
	"bytes"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// A place is where a value stands.
type place struct {
	parent *Node // the collection around it; nil for a root
	after  int   // the offset after its colon or dash, -1 where there is none
	indent int   // of the block collection around it
	flow   bool  // it stands in a flow collection, or is a root
}

// A span is where an entry, or an element with its dash, stands in the text.
type span struct{ start, after, end int }

// value splices what becomes of a value.
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
	if n.Kind == yaml.MappingNode {
		spans := make([]span, len(n.Content)/2)
		for i := range spans {
			key, value := n.Content[2*i], n.Content[2*i+1]
			s := span{start: e.start(key), after: e.end(key, -1)}
			for e.at(s.after) == ' ' || e.at(s.after) == '\t' || !isBlock(n) && (e.at(s.after) == '\n' || e.at(s.after) == '\r') {
				s.after++
			}
			s.end = e.end(value, indent)
			if e.at(s.after) != ':' {
				s.after = -1
			} else {
				s.after++
				s.end = max(s.end, s.after)
			}
			spans[i] = s
		}
		return spans
	}
	spans := make([]span, len(n.Content))
	at := e.content(n)
	for i, c := range n.Content {
		if isBlock(n) {
			at = e.skip(at)
			spans[i] = span{at, at + 1, max(e.end(c, indent), at+1)}
			at = spans[i].end
			continue
		}
		spans[i] = span{e.start(c), -1, e.end(c, -1)}
	}
	return spans
}

// block splices the changes below a block collection.
func (e *editor) block(p *plan) error {
	n := p.node
	indent := e.column(n)
	spans := e.spans(n, indent)
	if what := e.unclear(n, spans[0].start); what != "" {
		return refuse(n, p.change, "%v: %s", p.change.At, what)
	}
	s := e.style(spans[0].start)
	text := func(piece piece) string {
		if n.Kind == yaml.MappingNode {
			return entryText(piece.key, piece.value, indent, s)
		}
		return elementText(piece.value, indent, s)
	}
	inline := len(bytes.TrimLeft(e.src[e.lineStart(spans[0].start):spans[0].start], " ")) > 0
	var (
		last  *span  // the last one that stays
		first string // new ones before it
		cut   int    // the end of what was cut away before it
	)
	pieces, _ := p.pieces()
	for _, piece := range pieces {
		switch {
		case piece.old < 0 && last == nil:
			first += text(piece) + s.nl + spaces(indent)
		case piece.old < 0:
			at := e.lineEnd(last.end)
			if leaf := lastLeaf(n); at == len(e.src) && isText(leaf) {
				return refuse(leaf, p.change, "%v: a line break after this block scalar would become part of it; end the file with one first", p.change.At)
			}
			e.splice(at, at, s.nl+spaces(indent)+text(piece))
		case piece.gone:
			at := spans[piece.old]
			switch {
			case last != nil:
				e.splice(e.prevEnd(at.start), e.lineEnd(at.end), "")
			case inline && (piece.old == 0 || at.start == cut):
				cut = e.blanks(e.nextLine(at.end))
				e.splice(at.start, cut, "")
			default:
				e.splice(e.lineStart(at.start), e.nextLine(at.end), "")
			}
		default:
			at := spans[piece.old]
			if last == nil && first != "" {
				e.splice(at.start, at.start, first)
			}
			last = &at
			if piece.plan == nil {
				continue
			}
			if at.after < 0 {
				return refuse(n, p.change, "%v: the colon does not follow the key", p.change.At)
			}
			if err := e.value(piece.plan, place{parent: n, after: at.after, indent: indent}); err != nil {
				return err
			}
		}
	}
	return nil
}

// lastLeaf is what is written last of a collection.
func lastLeaf(n *Node) *Node {
	for len(n.Content) > 0 {
		n = n.Content[len(n.Content)-1]
	}
	return n
}

// unclear says why the layout of a block collection does not tell how far it is
// indented.
func (e *editor) unclear(n *Node, first int) string {
	prefix := e.src[e.lineStart(first):first]
	if bytes.IndexByte(prefix, '\t') >= 0 {
		return "a tab stands where its indentation should"
	}
	if bytes.IndexByte(prefix, '?') >= 0 {
		return "it is written with complex keys"
	}
	return ""
}

// replaceBlock puts a value in the place of one that stands in a block
// collection.
func (e *editor) replaceBlock(p *plan, at place) {
	n := p.node
	start, end := e.start(n), e.end(n, at.indent)
	sameLine := bytes.IndexByte(e.src[at.after:max(start, at.after)], '\n') < 0
	if nonEmpty(p.value) {
		e.replaceByLines(p, at, start, end, sameLine)
		return
	}
	text := blockScalar(p.value, n)
	switch {
	case start >= end: // nothing is written there
		e.splice(at.after, at.after, " "+text)
	case isText(n):
		e.splice(start, e.headerEnd(start), text)
		e.splice(e.lineEnd(start), end, "")
	case isBlock(n) && !sameLine:
		e.splice(at.after, at.after, " "+text)
		e.splice(e.prevEnd(start), e.lineEnd(end), "")
	default:
		e.splice(start, end, text)
	}
}

func blockScalar(v Value, old *Node) string { return flowText(v, old, flowStyle{}) }

// replaceByLines puts a collection in the place of a value.
func (e *editor) replaceByLines(p *plan, at place, start, end int, sameLine bool) {
	n, s := p.node, e.style(e.start(p.node))
	col := at.indent + s.dash
	if at.parent.Kind == yaml.MappingNode {
		col = s.below(at.indent, p.value)
	}
	lineEnd := e.lineEnd(end)
	own := s.nl + spaces(col) + blockText(p.value, col, s)
	there := utf8.RuneCount(e.src[e.lineStart(start):start])
	switch {
	case isText(n):
		e.splice(at.after, e.headerEnd(start), "")
		e.splice(e.lineEnd(start), end, own)
	case isBlock(n) && !sameLine && n.Kind != kindOf(p.value):
		e.splice(e.prevEnd(start), lineEnd, own)
	case isBlock(n):
		e.splice(start, lineEnd, blockText(p.value, there, s))
	case !sameLine:
		e.splice(start, end, blockText(p.value, there, s))
	case at.parent.Kind == yaml.MappingNode || e.at(e.blanks(end)) == '#':
		e.splice(at.after, end, "")
		e.splice(lineEnd, lineEnd, own)
	case start >= end:
		e.splice(at.after, at.after, spaces(s.dash-1)+blockText(p.value, col, s))
	default:
		e.splice(start, end, blockText(p.value, there, s))
	}
}

func kindOf(v Value) yaml.Kind {
	switch v.(type) {
	case Map:
		return yaml.MappingNode
	case Seq:
		return yaml.SequenceNode
	}
	return yaml.ScalarNode
}

// headerEnd is where the first characters of a block scalar, as in |2-, end.
func (e *editor) headerEnd(at int) int {
	for c := e.at(at); c != 0 && bytes.IndexByte([]byte("|>+-0123456789"), c) >= 0; c = e.at(at) {
		at++
	}
	return at
}

// replaceFlow puts a value in the place of one in a flow collection, or of a
// root.
func (e *editor) replaceFlow(p *plan, at place) error {
	start, end := e.start(p.node), e.end(p.node, at.indent)
	text := flowText(p.value, p.node, e.flowStyle(at.parent))
	if start < end {
		e.splice(start, end, text)
		return nil
	}
	if at.after < 0 {
		return refuse(p.node, p.change, "%v: the key has no colon", p.change.At)
	}
	e.splice(at.after, at.after, " "+text)
	return nil
}

// flow splices the changes below a flow collection.
func (e *editor) flow(p *plan) error {
	n := p.node
	if c := e.at(e.content(n)); c != '{' && c != '[' {
		return refuse(n, p.change, "%v: the mapping is written without brackets", p.change.At)
	}
	spans, s := e.spans(n, -1), e.flowStyle(n)
	var (
		last *span
		run  []string // new ones that wait for a place
	)
	pieces, _ := p.pieces()
	for _, piece := range pieces {
		if piece.old < 0 {
			text := flowText(piece.value, nil, s)
			if n.Kind == yaml.MappingNode {
				text = written(piece.key, nil, s.json) + s.colon + text
			}
			run = append(run, text)
			continue
		}
		at := spans[piece.old]
		if piece.gone {
			from, to := at.start, at.end
			if last != nil {
				from = spans[piece.old-1].end
			} else {
				to = spans[piece.old+1].start
			}
			if e.comment(from, at.start) || e.comment(at.end, to) {
				return refuse(n, p.change, "%v: a comment stands beside what is taken out", p.change.At)
			}
			e.splice(from, to, "")
			continue
		}
		e.run(run, s, last, at.start)
		run, last = nil, &at
		if piece.plan == nil {
			continue
		}
		if err := e.value(piece.plan, place{parent: n, after: at.after, indent: -1, flow: true}); err != nil {
			return err
		}
	}
	e.run(run, s, last, 0)
	return nil
}

// run writes new entries after the last one that stays, or before the first.
func (e *editor) run(entries []string, s flowStyle, last *span, first int) {
	if len(entries) == 0 {
		return
	}
	sep := s.comma
	if s.multi {
		sep = "," + s.nl + s.base
	}
	text := entries[0]
	for _, entry := range entries[1:] {
		text += sep + entry
	}
	if last == nil {
		e.splice(first, first, text+sep)
		return
	}
	next := e.blanks(last.end)
	comma := e.at(next) == ','
	if comma {
		next = e.blanks(next + 1)
	}
	if e.at(next) != '#' {
		e.splice(last.end, last.end, sep+text)
		return
	}
	end := e.lineEnd(next)
	text = s.nl + s.base + text
	if comma {
		e.splice(end, end, text+",")
		return
	}
	e.splice(last.end, last.end, ",")
	e.splice(end, end, text)
}

// comment reports whether a comment stands between two offsets, outside entries.
func (e *editor) comment(from, to int) bool {
	return from < to && bytes.IndexByte(e.src[from:to], '#') >= 0
}
