package yamledit

import (
	"bytes"

	"go.yaml.in/yaml/v4"
)

// Most files are written plainly, and most of the time to read one would go into all that YAML
// could be. So what is surely plain is read here, and the rest by the parser: block
// collections without anchors and tags; keys of letters, digits and _ . / -; values on one
// line, plain, or in quotes without escapes, or {} or []; comments; ASCII without tabs. Whoever
// is not sure gives up, and nothing is lost but time. The nodes are those of the parser, as a
// law holds.

// plainly is the value of a document that is plain; nil where that is not sure.
func plainly(text []byte, depth int, t *texts) *Node {
	r := &reader{rest: text, texts: t, depth: depth}
	r.next()
	if string(r.text) == "---" {
		r.next()
	}
	if r.text == nil || r.col > 0 {
		return nil
	}
	root := r.block()
	if r.lost || r.text != nil {
		return nil
	}
	return root
}

// A reader goes over text from line to line, with a cursor behind the dashes and keys of
// a line that were read. Once it is lost, nothing that it says counts.
type reader struct {
	rest []byte // below the line
	line int
	col  int    // of the cursor, from 0
	text []byte // from the cursor on, no blanks at its ends; nil behind the last line
	mark int    // the column behind the last dash or colon
	lost bool

	depth int // levels that may follow
	texts *texts
	nodes []Node  // not used yet
	open  []*Node // of the collections that are open, one behind the other
}

// texts keep once what comes again and again, keys above all: each text in the place that its
// ends give, until another takes it.
type texts [128]string

func (t *texts) of(text []byte) string {
	const short = 32
	if len(text) == 0 || len(text) > short {
		return string(text)
	}
	kept := &t[(len(text)+3*int(text[0])+7*int(text[len(text)-1]))%len(t)]
	if *kept != string(text) {
		*kept = string(text)
	}
	return *kept
}

// next goes on to the next line that holds more than a comment.
func (r *reader) next() {
	for len(r.rest) > 0 {
		line := r.rest
		if i := bytes.IndexByte(line, '\n'); i >= 0 {
			line = line[:i]
			r.rest = r.rest[i+1:]
		} else {
			r.rest = nil
		}
		r.line++
		for len(line) > 0 && (line[len(line)-1] == ' ' || line[len(line)-1] == '\r') {
			line = line[:len(line)-1]
		}
		r.col = 0
		for r.col < len(line) && line[r.col] == ' ' {
			r.col++
		}
		if r.text = line[r.col:]; len(r.text) > 0 && r.text[0] != '#' {
			return
		}
	}
	r.text = nil
}

// skip moves the cursor over n bytes and the blanks behind them; a comment is nothing.
func (r *reader) skip(n int) {
	r.mark = r.col + n
	for n < len(r.text) && r.text[n] == ' ' {
		n++
	}
	r.col += n
	if r.text = r.text[n:]; len(r.text) > 0 && r.text[0] == '#' {
		r.text = r.text[:0]
	}
}

// lose gives up.
func (r *reader) lose() *Node {
	r.lost, r.rest, r.text = true, nil, nil
	return nil
}

// node is a new one at the cursor.
func (r *reader) node(kind yaml.Kind, tag, value string) *Node {
	const some = 64
	if len(r.nodes) == 0 {
		r.nodes = make([]Node, some)
	}
	n := &r.nodes[0]
	r.nodes = r.nodes[1:]
	n.Kind, n.Tag, n.Value, n.Line, n.Column = kind, tag, value, r.line, r.col+1
	return n
}

func (r *reader) atDash() bool {
	return len(r.text) > 0 && r.text[0] == '-' && (len(r.text) == 1 || r.text[1] == ' ')
}

// block reads the collection whose first entry is at the cursor.
func (r *reader) block() *Node {
	if r.depth--; r.depth < 0 {
		return r.lose() // the parser says it
	}
	base, col := len(r.open), r.col
	var n *Node
	if r.atDash() {
		n = r.node(yaml.SequenceNode, "!!seq", "")
		for r.text != nil && r.col == col && r.atDash() {
			r.skip(1)
			r.open = append(r.open, r.value(col, false))
		}
	} else {
		n = r.node(yaml.MappingNode, "!!map", "")
		for r.text != nil && r.col == col {
			size := keySize(r.text)
			key := r.texts.of(r.text[:size])
			if size == 0 || tagOf(key) != "!!str" {
				return r.lose()
			}
			r.open = append(r.open, r.node(yaml.ScalarNode, "!!str", key))
			r.skip(size + 1)
			r.open = append(r.open, r.value(col, true))
		}
	}
	n.Content = append(make([]*Node, 0, len(r.open)-base), r.open[base:]...)
	r.open = r.open[:base]
	r.depth++
	return n
}

// value reads what stands behind a key or a dash at a column, and goes on to the next line.
// A line that is further right than its place, and would belong to the value, is at the
// column of nothing that is open: it ends all of it, and is left over.
func (r *reader) value(col int, key bool) *Node {
	switch {
	case len(r.text) == 0:
		return r.lower(col, key)
	case !key && (r.atDash() || keySize(r.text) > 0):
		return r.block()
	}
	n := r.scalar()
	r.next()
	return n
}

// lower reads a collection below a key or a dash; where none is, nothing stands there.
func (r *reader) lower(col int, key bool) *Node {
	null := r.node(yaml.ScalarNode, "!!null", "")
	null.Column = r.mark + 1
	r.next()
	if r.text != nil && (r.col > col || key && r.col == col && r.atDash()) {
		return r.block()
	}
	return null
}

// keySize is how long a key is; 0 where the text does not begin with one and its colon.
func keySize(text []byte) int {
	for i, c := range text {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', c == '_', i > 0 && ('0' <= c && c <= '9' || c == '.' || c == '/' || c == '-'):
		case c == ':' && i < 128 && (i+1 == len(text) || text[i+1] == ' '):
			return i
		default:
			return 0
		}
	}
	return 0
}

// scalar reads a value that ends with its line.
func (r *reader) scalar() *Node {
	switch c := r.text[0]; {
	case c == '"' || c == '\'':
		return r.quoted(c)
	case c == '{' || c == '[':
		return r.empty(c)
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '/', c == '_':
	default:
		return r.lose()
	}
	text := r.text
	if i := bytes.Index(text, []byte(" #")); i >= 0 {
		text = bytes.TrimRight(text[:i], " ")
	}
	if text[len(text)-1] == ':' || bytes.Contains(text, []byte(": ")) {
		return r.lose()
	}
	value := r.texts.of(text)
	tag := tagOf(value)
	if tag == "" {
		return r.lose()
	}
	return r.node(yaml.ScalarNode, tag, value)
}

func (r *reader) quoted(quote byte) *Node {
	text := r.text[1:]
	end := bytes.IndexByte(text, quote)
	if end < 0 || !r.ends(text[end+1:]) || bytes.IndexByte(text[:end], '\\') >= 0 {
		return r.lose()
	}
	n := r.node(yaml.ScalarNode, "!!str", r.texts.of(text[:end]))
	if n.Style = yaml.DoubleQuotedStyle; quote == '\'' {
		n.Style = yaml.SingleQuotedStyle
	}
	return n
}

func (r *reader) empty(open byte) *Node {
	kind, tag, shut := yaml.MappingNode, "!!map", byte('}')
	if open == '[' {
		kind, tag, shut = yaml.SequenceNode, "!!seq", ']'
	}
	if len(r.text) < 2 || r.text[1] != shut || !r.ends(r.text[2:]) {
		return r.lose()
	}
	n := r.node(kind, tag, "")
	n.Style = yaml.FlowStyle
	return n
}

// ends reports whether no more than a comment follows a value.
func (r *reader) ends(rest []byte) bool {
	text := bytes.TrimLeft(rest, " ")
	return len(text) == 0 || text[0] == '#' && len(text) < len(rest)
}

// tagOf is what a plain scalar is to the parser that begins with a letter, a digit, / or
// _; empty where it is not sure.
func tagOf(text string) string {
	switch text {
	case "true", "True", "TRUE", "false", "False", "FALSE":
		return "!!bool"
	case "null", "Null", "NULL":
		return "!!null"
	}
	if !numeric(text) {
		return "!!str"
	}
	digits, dots := 0, 0
	for _, c := range []byte(text) {
		if '0' <= c && c <= '9' {
			digits++
		} else if c == '.' {
			dots++
		}
	}
	switch {
	case digits+dots < len(text) || digits > 15:
		return ""
	case dots > 1:
		return "!!str" // 1.4.3
	case dots == 1:
		return "!!float"
	case text[0] == '0' && len(text) > 1:
		return ""
	}
	return "!!int"
}
