package yamledit

import (
	"bytes"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// A blockEdit changes the entries of one block collection.
type blockEdit struct {
	*editor
	plan   *plan
	indent int
	spans  []span
	style  style
	inline bool  // the first entry stands behind a dash
	last   *span // the last entry so far that stays
	cutTo  int   // the end of what was cut away before any stayed
}

// block splices the changes below a block collection.
func (e *editor) block(p *plan) error {
	b := &blockEdit{editor: e, plan: p, indent: e.column(p.node)}
	b.spans = e.spans(p.node, b.indent)
	first := b.spans[0].start
	before := e.src[e.lineStart(first):first]
	if bytes.IndexByte(before, '?') >= 0 {
		return refuse(p.node, p.change, "%v: it is written with complex keys", p.change.At)
	}
	b.style, b.inline = e.style(first), len(bytes.TrimLeft(before, " ")) > 0

	pieces, _ := p.pieces()
	var lead string // new entries before the first that stays
	for _, piece := range pieces {
		var err error
		switch {
		case piece.gone:
			b.cut(piece.old)
		case piece.old >= 0:
			err = b.keep(piece, lead)
		case b.last == nil:
			lead += b.text(piece) + b.style.nl + spaces(b.indent)
		default:
			err = b.add(piece)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (b *blockEdit) text(p piece) string {
	if b.plan.node.Kind == yaml.MappingNode {
		return entryText(p.key, p.value, b.indent, b.style)
	}
	return elementText(p.value, b.indent, b.style)
}

// add writes a new entry below the last one that stays.
func (b *blockEdit) add(p piece) error {
	at := b.lineEnd(b.last.end)
	if leaf := lastLeaf(b.plan.node); at == len(b.src) && isText(leaf) {
		return refuse(leaf, b.plan.change, "%v: a line break after this block scalar would become part of it; end the file with one first", b.plan.change.At)
	}
	b.splice(at, at, b.style.nl+spaces(b.indent)+b.text(p))
	return nil
}

// cut takes the lines of an entry out: with the line break before them once
// there is an entry above that stays, else with the one after them, so that new
// entries find the line that they go below.
func (b *blockEdit) cut(i int) {
	at := b.spans[i]
	switch {
	case b.last != nil:
		b.splice(b.prevEnd(at.start), b.lineEnd(at.end), "")
	case b.inline && (i == 0 || at.start == b.cutTo):
		b.cutTo = b.blanks(b.nextLine(at.end))
		b.splice(at.start, b.cutTo, "")
	default:
		b.splice(b.lineStart(at.start), b.nextLine(at.end), "")
	}
}

// keep leaves an entry where it is, below new ones, and goes on to its value.
func (b *blockEdit) keep(p piece, lead string) error {
	at := b.spans[p.old]
	if b.last == nil && lead != "" {
		b.splice(at.start, at.start, lead)
	}
	b.last = &at
	if p.plan == nil {
		return nil
	}
	if at.after < 0 {
		return refuse(b.plan.node, b.plan.change, "%v: the colon does not follow the key", b.plan.change.At)
	}
	return b.value(p.plan, place{parent: b.plan.node, after: at.after, indent: b.indent})
}

// lastLeaf is what is written last of a collection.
func lastLeaf(n *Node) *Node {
	for len(n.Content) > 0 {
		n = n.Content[len(n.Content)-1]
	}
	return n
}

// replaceBlock puts a value in the place of one that stands in a block
// collection.
func (e *editor) replaceBlock(p *plan, at place) {
	n := p.node
	start, end := e.start(n), e.end(n, at.indent)
	sameLine := bytes.IndexByte(e.src[at.after:max(start, at.after)], '\n') < 0
	if nonEmpty(p.value) {
		e.replaceByLines(p, at, span{start, at.after, end}, sameLine)
		return
	}
	text := flowText(p.value, n, flowStyle{})
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

// replaceByLines puts a collection in the place of a value: where a collection
// of its kind stands already, else on lines of its own below the key, else
// behind the dash.
func (e *editor) replaceByLines(p *plan, at place, old span, sameLine bool) {
	n, s := p.node, e.style(old.start)
	col := at.indent + s.dash
	if at.parent.Kind == yaml.MappingNode {
		col = s.below(at.indent, p.value)
	}
	lineEnd := e.lineEnd(old.end)
	own := s.nl + spaces(col) + blockText(p.value, col, s)
	there := utf8.RuneCount(e.src[e.lineStart(old.start):old.start])
	switch {
	case isText(n):
		e.splice(at.after, e.headerEnd(old.start), "")
		e.splice(e.lineEnd(old.start), old.end, own)
	case isBlock(n) && !sameLine && n.Kind != kindOf(p.value):
		e.splice(e.prevEnd(old.start), lineEnd, own)
	case isBlock(n):
		e.splice(old.start, lineEnd, blockText(p.value, there, s))
	case !sameLine:
		e.splice(old.start, old.end, blockText(p.value, there, s))
	case at.parent.Kind == yaml.MappingNode || e.at(e.blanks(old.end)) == '#':
		e.splice(at.after, old.end, "")
		e.splice(lineEnd, lineEnd, own)
	case old.start >= old.end: // nothing is written there
		e.splice(at.after, at.after, spaces(s.dash-1)+blockText(p.value, col, s))
	default:
		e.splice(old.start, old.end, blockText(p.value, there, s))
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
