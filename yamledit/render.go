package yamledit

import (
	"bytes"
	"sort"
	"strings"

	"go.yaml.in/yaml/v4"
)

// A style is how block collections are laid out around a place.
type style struct {
	step int // indentation of a mapping below its key
	seq  int // indentation of a sequence below its key; 0 as kubectl prints it
	dash int // from a dash to the element
	nl   string
}

// A sample is one example of a layout.
type sample struct{ line, n int }

// A layout holds the examples of a document, by line.
type layout struct {
	steps, seqs, dashes []sample
	colon, comma        string // between key and value, and after a comma, in flow collections
}

// nearest is the example next to a line.
func nearest(samples []sample, line, otherwise int) int {
	i := sort.Search(len(samples), func(i int) bool { return samples[i].line >= line })
	switch {
	case len(samples) == 0:
		return otherwise
	case i == len(samples) || i > 0 && line-samples[i-1].line <= samples[i].line-line:
		return samples[i-1].n
	}
	return samples[i].n
}

// style is the one around an offset.
func (e *editor) style(at int) style {
	l := e.layout()
	line := e.lineAt(at) + 1
	return style{
		step: nearest(l.steps, line, 2),
		seq:  nearest(l.seqs, line, 0),
		dash: nearest(l.dashes, line, 2),
		nl:   e.lineBreak(at),
	}
}

// lineBreak is the one before an offset, or the first of the text.
func (e *editor) lineBreak(at int) string {
	i := max(e.lineAt(at), 1)
	if i < len(e.lines) && e.lines[i] > 1 && e.src[e.lines[i]-2] == '\r' {
		return "\r\n"
	}
	return "\n"
}

// layout is that of the document at hand.
func (e *editor) layout() *layout {
	if e.seen == nil {
		e.seen = &layout{}
		e.survey(e.doc, e.seen)
	}
	return e.seen
}

func (e *editor) survey(n *Node, l *layout) {
	if len(n.Content) == 0 {
		return
	}
	if n.Style&yaml.FlowStyle != 0 {
		e.surveyFlow(n, l)
	} else if c := n.Content[0]; n.Kind == yaml.SequenceNode && !bound(n) && c.Line == n.Line && !bound(c) && c.Column > n.Column+1 {
		l.dashes = append(l.dashes, sample{n.Line, c.Column - n.Column})
	}
	for i, c := range n.Content {
		if n.Kind == yaml.MappingNode && n.Style&yaml.FlowStyle == 0 && i%2 == 1 && isBlock(c) && !bound(c) {
			if by := c.Column - n.Content[i-1].Column; by >= 0 && c.Line > n.Content[i-1].Line {
				if c.Kind == yaml.SequenceNode {
					l.seqs = append(l.seqs, sample{c.Line, by})
				} else if by > 0 {
					l.steps = append(l.steps, sample{c.Line, by})
				}
			}
		}
		e.survey(c, l)
	}
}

// surveyFlow takes the first colon and the first comma that it meets.
func (e *editor) surveyFlow(n *Node, l *layout) {
	if n.Kind == yaml.MappingNode && l.colon == "" {
		key, value := n.Content[0], n.Content[1]
		if from, to := e.end(key, -1), e.start(value); from < to {
			l.colon = string(e.src[from:to])
		}
	}
	if i := len(n.Content) / 2; l.comma == "" && len(n.Content) > 2 && n.Content[i].Line == n.Line {
		next := e.start(n.Content[2])
		if c := bytes.LastIndexByte(e.src[:next], ','); c >= 0 {
			l.comma = string(e.src[c:next])
		}
	}
}

// A flowStyle is how entries of one flow collection are laid out.
type flowStyle struct {
	json  bool // every string in double quotes
	lines bool // each of its entries stands on a line of its own
	multi bool // and so do those of collections in it
	base  string
	unit  string // added to base, a level down
	colon string
	comma string
	nl    string
}

// flowStyle is that of a collection; n is nil for what is no part of one.
func (e *editor) flowStyle(n *Node) flowStyle {
	l := e.layout()
	s := flowStyle{json: e.file.JSON, colon: ": ", comma: ", ", nl: "\n"}
	if strings.Trim(l.colon, " ") == ":" {
		s.colon = l.colon
	}
	switch {
	case strings.Trim(l.comma, " ") == ",":
		s.comma = l.comma
	case s.colon == ":":
		s.comma = ","
	}
	if !s.json && !strings.HasSuffix(s.colon, " ") {
		s.colon += " "
	}
	if n == nil || len(n.Content) == 0 {
		return s
	}
	first := n.Content[0]
	s.json = s.json || first.Style&yaml.DoubleQuotedStyle != 0 && n.Kind == yaml.MappingNode
	s.lines = first.Line > n.Line
	s.multi = s.lines
	for _, c := range n.Content {
		s.multi = s.multi && (len(c.Content) == 0 || c.Content[0].Line > c.Line)
	}
	at := e.start(first)
	s.nl = e.lineBreak(at)
	s.base = e.indentOf(at)
	s.unit = strings.TrimPrefix(s.base, e.indentOf(e.start(n)))
	if s.unit == "" || s.unit == s.base && e.indentOf(e.start(n)) != "" {
		s.unit = "  "
	}
	return s
}

// flowText is a value in a flow collection.
func flowText(v Value, old *Node, s flowStyle) string {
	switch v := v.(type) {
	case Map:
		entries := make([]string, len(v))
		for i, entry := range v {
			entries[i] = written(entry.Key, nil, s.json) + s.colon + flowText(entry.Value, nil, s.deeper())
		}
		return s.bracket("{", entries, "}")
	case Seq:
		entries := make([]string, len(v))
		for i := range v {
			entries[i] = flowText(v[i], nil, s.deeper())
		}
		return s.bracket("[", entries, "]")
	}
	return written(v, old, s.json)
}

func (s flowStyle) deeper() flowStyle {
	s.base += s.unit
	return s
}

func (s flowStyle) bracket(open string, entries []string, shut string) string {
	if !s.multi || len(entries) == 0 {
		return open + strings.Join(entries, s.comma) + shut
	}
	in := s.nl + s.base + s.unit
	return open + in + strings.Join(entries, ","+in) + s.nl + s.base + shut
}

// nonEmpty reports whether a value is a collection that takes lines of its own
// in a block.
func nonEmpty(v Value) bool {
	switch v := v.(type) {
	case Map:
		return len(v) > 0
	case Seq:
		return len(v) > 0
	}
	return false
}

// blockText is a value whose lines are indented by col, without the indentation
// of the first and without a line break at the end.
func blockText(v Value, col int, s style) string {
	w := blockWriter{style: s}
	w.value(v, col)
	return w.String()
}

// entryText is a key with its value, in a mapping indented by col.
func entryText(key string, v Value, col int, s style) string {
	w := blockWriter{style: s}
	w.entry(key, v, col)
	return w.String()
}

// elementText is a dash with a value, in a sequence indented by col.
func elementText(v Value, col int, s style) string {
	w := blockWriter{style: s}
	w.element(v, col)
	return w.String()
}

// A blockWriter writes the lines of a block.
type blockWriter struct {
	strings.Builder
	style style
}

func (w *blockWriter) value(v Value, col int) {
	if !nonEmpty(v) {
		w.WriteString(flowText(v, nil, flowStyle{}))
		return
	}
	switch v := v.(type) {
	case Map:
		for i, entry := range v {
			if i > 0 {
				w.line(col)
			}
			w.entry(entry.Key, entry.Value, col)
		}
	case Seq:
		for i, element := range v {
			if i > 0 {
				w.line(col)
			}
			w.element(element, col)
		}
	}
}

func (w *blockWriter) line(col int) {
	w.WriteString(w.style.nl)
	w.WriteString(spaces(col))
}

func (w *blockWriter) entry(key string, v Value, col int) {
	w.WriteString(written(key, nil, false))
	w.WriteByte(':')
	if nonEmpty(v) {
		col = w.style.below(col, v)
		w.line(col)
	} else {
		w.WriteByte(' ')
	}
	w.value(v, col)
}

func (w *blockWriter) element(v Value, col int) {
	w.WriteByte('-')
	w.WriteString(spaces(w.style.dash - 1))
	w.value(v, col+w.style.dash)
}

// below is the indentation of a collection under a key.
func (s style) below(col int, v Value) int {
	if _, ok := v.(Seq); ok {
		return col + s.seq
	}
	return col + s.step
}

func spaces(n int) string { return strings.Repeat(" ", max(n, 0)) }

// byHand is what a person writes to make a change, shortened.
func byHand(c *Change) string {
	if c == nil || len(c.At) == 0 {
		return ""
	}
	if c.Op == Delete {
		return "take out " + c.At.String()
	}
	if unfit(c.Value) != "" {
		return "give a value that YAML can hold"
	}
	s := style{step: 2, dash: 2, nl: "\n"}
	var text string
	switch key, ok := c.At[len(c.At)-1].(string); {
	case ok:
		text = entryText(key, c.Value, 0, s)
	case c.Op == Insert:
		text = elementText(c.Value, 0, s)
	default:
		text = blockText(c.Value, 0, s)
	}
	const most = 8
	lines := strings.SplitN(text, "\n", most+1)
	if len(lines) > most {
		lines[most] = "…"
	}
	return "under " + parent(c.At) + " write:\n" + strings.Join(lines, "\n")
}

func parent(at Path) string {
	if len(at) == 1 {
		return "the top"
	}
	return at[:len(at)-1].String()
}
