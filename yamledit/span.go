package yamledit

import (
	"bytes"
	"sort"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// A text finds bytes by the positions of nodes. The parser gives where a node
// starts; where it ends is read from the text, by the node's own value.
type text struct {
	src   []byte
	lines []int // where each line starts

	// The last position that was found: the next one is mostly close by, and a
	// line can be as long as the file.
	line, col, offset int
}

func newText(src []byte) *text {
	t := &text{src: src, lines: make([]int, 1, 16+bytes.Count(src, []byte("\n")))}
	for at := 0; ; {
		i := bytes.IndexByte(src[at:], '\n')
		if i < 0 {
			break
		}
		at += i + 1
		t.lines = append(t.lines, at)
	}
	if bytes.HasPrefix(src, byteOrderMark) {
		t.lines[0] = len(byteOrderMark)
	}
	return t
}

// start is the offset of a node, its anchor and tag included.
func (t *text) start(n *Node) int {
	if n.Line < 1 || n.Line > len(t.lines) {
		return len(t.src)
	}
	if n.Line != t.line || n.Column < t.col/2 {
		t.line, t.col, t.offset = n.Line, 1, t.lines[n.Line-1]
	}
	for ; t.col > n.Column; t.col-- {
		_, size := utf8.DecodeLastRune(t.src[:t.offset])
		t.offset -= size
	}
	for ; t.col < n.Column && t.offset < len(t.src); t.col++ {
		_, size := utf8.DecodeRune(t.src[t.offset:])
		t.offset += size
	}
	return t.offset
}

// lineAt is the index in lines of the line that an offset is in.
func (t *text) lineAt(at int) int {
	return max(sort.SearchInts(t.lines, at+1)-1, 0)
}

// lineStart is where the line of an offset starts, and lineEnd where it ends,
// before its line break.
func (t *text) lineStart(at int) int { return t.lines[t.lineAt(at)] }

func (t *text) lineEnd(at int) int {
	end := t.nextLine(at)
	start := t.lineStart(at)
	return start + len(trimBreak(t.src[start:end]))
}

// nextLine is where the line after the one of an offset starts.
func (t *text) nextLine(at int) int {
	if i := t.lineAt(at) + 1; i < len(t.lines) {
		return t.lines[i]
	}
	return len(t.src)
}

// prevEnd is where the line before the one of an offset ends; the start of the
// text where there is none.
func (t *text) prevEnd(at int) int {
	at = t.lineStart(at)
	if at == 0 || t.src[at-1] != '\n' {
		return at
	}
	at--
	if at > 0 && t.src[at-1] == '\r' {
		at--
	}
	return at
}

// at is the byte at an offset, 0 after the end.
func (t *text) at(i int) byte {
	if i < 0 || i >= len(t.src) {
		return 0
	}
	return t.src[i]
}

// skip goes over blanks, line breaks and comments.
func (t *text) skip(at int) int {
	for at < len(t.src) {
		switch c := t.src[at]; {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			at++
		case c == '#' && (at == 0 || bytes.IndexByte([]byte(" \t\n"), t.src[at-1]) >= 0):
			at = t.lineEnd(at)
		default:
			return at
		}
	}
	return at
}

// blanks goes over blanks.
func (t *text) blanks(at int) int {
	for t.at(at) == ' ' || t.at(at) == '\t' {
		at++
	}
	return at
}

// indentOf is the blanks that a line starts with.
func (t *text) indentOf(at int) string {
	start := t.lineStart(at)
	return string(t.src[start:t.blanks(start)])
}

// content is where a node's value starts, after its anchor and tag.
func (t *text) content(n *Node) int {
	at := t.start(n)
	end := at
	for t.at(at) == '&' || t.at(at) == '!' {
		if n.Anchor == "" && !tagged(n) {
			return at
		}
		for at < len(t.src) && bytes.IndexByte([]byte(" \t\r\n"), t.src[at]) < 0 &&
			(t.src[at] != ',' && t.src[at] != ']' && t.src[at] != '}') {
			at++
		}
		end = at
		at = t.skip(at)
	}
	if n.Kind == yaml.ScalarNode && n.Value == "" && !quoted(n) && end > t.start(n) {
		return end
	}
	return at
}

func tagged(n *Node) bool { return n.Style&yaml.TaggedStyle != 0 || n.Tag == "!" }

const scalarStyles = yaml.DoubleQuotedStyle | yaml.SingleQuotedStyle | yaml.LiteralStyle | yaml.FoldedStyle

// quoted reports whether a scalar is written in any way but plain.
func quoted(n *Node) bool { return n.Style&scalarStyles != 0 }

func isBlock(n *Node) bool {
	return len(n.Content) > 0 && n.Style&yaml.FlowStyle == 0
}

func isText(n *Node) bool { return n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 }

// end is the offset after a node. Parent is the indentation of the block
// collection around it, -1 where there is none; it counts for block scalars only.
func (t *text) end(n *Node, parent int) int {
	at := t.content(n)
	switch {
	case n.Kind == yaml.AliasNode:
		return at + 1 + len(n.Value)
	case n.Kind == yaml.ScalarNode:
		return t.scalarEnd(n, at, parent)
	case isBlock(n):
		last := n.Content[len(n.Content)-1]
		return t.end(last, t.column(n))
	}
	if c := t.at(at); c != '{' && c != '[' { // a single pair, as in [a: b]
		return t.end(n.Content[len(n.Content)-1], -1)
	}
	at++
	if len(n.Content) > 0 {
		at = t.end(n.Content[len(n.Content)-1], -1)
	}
	for at < len(t.src) {
		at = t.skip(at)
		c := t.at(at)
		at++
		if c == ']' || c == '}' {
			break
		}
		if c != ',' && c != ':' && c != '?' {
			break // not reached in text that was parsed
		}
	}
	return min(at, len(t.src))
}

// column is how far the entries of a block collection are indented.
func (t *text) column(n *Node) int {
	at := t.content(n)
	if n.Kind == yaml.MappingNode {
		at = t.start(n.Content[0])
	}
	return utf8.RuneCount(t.src[t.lineStart(at):at])
}

func (t *text) scalarEnd(n *Node, at, parent int) int {
	switch {
	case isText(n):
		return t.textEnd(at, parent)
	case n.Style&yaml.DoubleQuotedStyle != 0:
		for at++; at < len(t.src) && t.src[at] != '"'; at++ {
			if t.src[at] == '\\' {
				at++
			}
		}
		return min(at+1, len(t.src))
	case n.Style&yaml.SingleQuotedStyle != 0:
		for at++; at < len(t.src); at++ {
			if t.src[at] == '\'' {
				if t.at(at+1) != '\'' {
					break
				}
				at++
			}
		}
		return min(at+1, len(t.src))
	}
	return t.plainEnd(n.Value, at)
}

// plainEnd goes over the characters of a plain scalar. Where it is written over
// several lines they stand there with other blanks between them.
func (t *text) plainEnd(value string, at int) int {
	if bytes.HasPrefix(t.src[at:], []byte(value)) {
		return at + len(value)
	}
	for i := 0; i < len(value); i++ {
		if value[i] == ' ' || value[i] == '\t' || value[i] == '\n' {
			continue
		}
		for at < len(t.src) && t.src[at] != value[i] {
			at++
		}
		at++
	}
	return min(at, len(t.src))
}

// textEnd is where the lines of a block scalar end, before the last line break.
func (t *text) textEnd(at, parent int) int {
	header := t.src[at:t.lineEnd(at)]
	keep := false
	indent := -1
	for _, c := range header[1:] {
		if c == '+' {
			keep = true
		} else if c >= '1' && c <= '9' {
			indent = max(parent, 0) + int(c-'0')
		} else if c != '-' {
			break
		}
	}
	end := t.lineEnd(at)
	for next := t.nextLine(at); next < len(t.src); next = t.nextLine(next) {
		lineEnd := t.lineEnd(next)
		body := next
		for t.at(body) == ' ' {
			body++
		}
		if body >= lineEnd && (indent < 0 || body-next <= indent) {
			if keep {
				end = lineEnd
			}
			continue
		}
		if indent < 0 {
			indent = max(body-next, parent+1)
		}
		if body-next < indent {
			break
		}
		end = lineEnd
	}
	return end
}
