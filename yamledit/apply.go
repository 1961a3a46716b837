package yamledit

import (
	"bytes"
	"slices"
)

// Apply is the text of Edit.
func (f *File) Apply(changes ...Change) ([]byte, error) {
	g, err := f.Edit(changes...)
	if err != nil {
		return nil, err
	}
	return g.Src, nil
}

// Edit makes the changes, all or none, and returns the new file, which is f itself
// where nothing changes. The error is a *Refused.
//
// The changes are gathered into one plan a document, the plan into splices of
// the text; the new text is parsed and compared, node by node, with the plan.
func (f *File) Edit(changes ...Change) (*File, error) {
	e := &editor{text: newText(f.Src), file: f, roots: make([]*plan, len(f.Docs))}
	for i, d := range f.Docs {
		e.roots[i] = &plan{node: d.Root}
	}
	for i := range changes {
		if err := e.gather(&changes[i]); err != nil {
			return nil, err
		}
	}
	for i, p := range e.roots {
		if err := p.settle(); err != nil {
			return nil, err
		}
		e.doc, e.seen = f.Docs[i].Root, nil
		if err := e.value(p, place{after: e.start(p.node), indent: -1, flow: true}); err != nil {
			return nil, err
		}
	}
	if len(e.splices) == 0 {
		return f, nil
	}
	g, r := e.verify(e.spliced())
	if r != nil {
		return nil, r.refusal(&changes[0])
	}
	return g, nil
}

// An editor turns plans into splices.
type editor struct {
	*text
	file    *File
	roots   []*plan // of each document
	doc     *Node   // the root of the document at hand
	seen    *layout // of that document, once asked for
	splices []splice
}

// A splice puts text in the place of the bytes from start to end.
type splice struct {
	start, end int
	text       string
}

func (e *editor) splice(start, end int, text string) {
	e.splices = append(e.splices, splice{start, end, text})
}

// spliced is the text with every splice made. Splices at one offset keep the
// order in which they were asked for, insertions before what is cut away.
func (e *editor) spliced() []byte {
	slices.SortStableFunc(e.splices, func(a, b splice) int {
		if a.start != b.start {
			return a.start - b.start
		}
		return min(a.end-a.start, 1) - min(b.end-b.start, 1)
	})
	var out bytes.Buffer
	done := 0
	for _, s := range e.splices {
		start := max(s.start, done)
		out.Write(e.src[done:start])
		out.WriteString(s.text)
		done = max(done, s.end)
	}
	out.Write(e.src[done:])
	return out.Bytes()
}

// A problem is why an edit is refused, before it is known which change it
// belongs to.
type problem struct {
	node *Node
	what string
}

func (p *problem) refusal(c *Change) *Refused {
	r := &Refused{Line: 1, Col: 1, What: p.what, Fix: byHand(c)}
	if p.node != nil && p.node.Line > 0 {
		r.Line, r.Col = p.node.Line, p.node.Column
	}
	return r
}
