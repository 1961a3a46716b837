package yamledit

import (
	"bytes"
	"strings"

	"go.yaml.in/yaml/v4"
)

// A flowEdit changes the entries of one flow collection.
type flowEdit struct {
	*editor
	plan  *plan
	spans []span
	style flowStyle
	last  *span    // the last entry so far that stays
	run   []string // new entries that wait for the next one that stays
}

// flow splices the changes below a flow collection.
func (e *editor) flow(p *plan) error {
	n := p.node
	if c := e.at(e.content(n)); c != '{' && c != '[' {
		return refuse(n, p.change, "%v: the mapping is written without brackets", p.change.At)
	}
	f := &flowEdit{editor: e, plan: p, spans: e.spans(n, -1), style: e.flowStyle(n)}
	pieces, _ := p.pieces()
	for _, piece := range pieces {
		var err error
		switch {
		case piece.gone:
			err = f.cut(piece.old)
		case piece.old >= 0:
			err = f.keep(piece)
		default:
			f.run = append(f.run, f.text(piece))
		}
		if err != nil {
			return err
		}
	}
	f.write(0)
	return nil
}

func (f *flowEdit) text(p piece) string {
	text := flowText(p.value, nil, f.style)
	if f.plan.node.Kind == yaml.MappingNode {
		text = written(p.key, nil, f.style.json) + f.style.colon + text
	}
	return text
}

// cut takes an entry out: from the end of the one before it once one stays
// there, else to the start of the one after it.
func (f *flowEdit) cut(i int) error {
	at := f.spans[i]
	from, to := at.start, at.end
	if f.last != nil {
		from = f.spans[i-1].end
	} else {
		to = f.spans[i+1].start
	}
	if bytes.IndexByte(f.src[from:at.start], '#') >= 0 || bytes.IndexByte(f.src[at.end:to], '#') >= 0 {
		return refuse(f.plan.node, f.plan.change, "%v: a comment stands beside what is taken out", f.plan.change.At)
	}
	f.splice(from, to, "")
	return nil
}

// keep leaves an entry where it is, below new ones, and goes on to its value.
func (f *flowEdit) keep(p piece) error {
	at := f.spans[p.old]
	f.write(at.start)
	f.last = &at
	if p.plan == nil {
		return nil
	}
	return f.value(p.plan, place{parent: f.plan.node, after: at.after, indent: -1, flow: true})
}

// write puts the new entries that wait behind the last one that stays, or before
// the first, at an offset. A comment in the line of the last one stays with it.
func (f *flowEdit) write(first int) {
	if len(f.run) == 0 {
		return
	}
	own := f.style.nl + f.style.base
	sep := f.style.comma
	if f.style.lines {
		sep = "," + own
	}
	text := strings.Join(f.run, sep)
	f.run = nil
	if f.last == nil {
		f.splice(first, first, text+sep)
		return
	}
	end := f.last.end
	next := f.blanks(end)
	comma := f.at(next) == ','
	if comma {
		next = f.blanks(next + 1)
	}
	lineEnd := f.lineEnd(next)
	switch {
	case f.at(next) != '#':
		f.splice(end, end, sep+text)
	case comma:
		f.splice(lineEnd, lineEnd, own+text+",")
	default:
		f.splice(end, end, ",")
		f.splice(lineEnd, lineEnd, own+text)
	}
}

// replaceFlow puts a value in the place of one in a flow collection, or of a
// root.
func (e *editor) replaceFlow(p *plan, at place) error {
	start, end := e.start(p.node), e.end(p.node, at.indent)
	switch {
	case isBlock(p.node) && nonEmpty(p.value): // a root whose entries all go
		e.splice(start, e.lineEnd(end), blockText(p.value, e.column(p.node), e.style(start)))
	case start < end:
		e.splice(start, end, flowText(p.value, p.node, e.flowStyle(at.parent)))
	case at.after >= 0:
		e.splice(at.after, at.after, " "+flowText(p.value, nil, e.flowStyle(at.parent)))
	default:
		return refuse(p.node, p.change, "%v: the key has no colon", p.change.At)
	}
	return nil
}
