package yamledit

import (
	"bytes"
	"fmt"
	"unicode/utf8"
)

// A segment is the text of at most one document, with its directives and
// markers.
type segment struct {
	start, end int // byte offsets
	line       int // of start, from 1
}

// A survey is what one pass over the bytes tells before anything is parsed.
type survey struct {
	segments []segment
	simple   bool // ASCII without tabs
	bidi     bool // there are characters that reorder what a reader sees
	nodes    int  // about three times the nodes that the text can hold, at most
}

// look reads the bytes once. What it refuses costs no more than this pass; what
// it lets through is cheap enough to parse and count exactly.
func look(src []byte, limits Limits) (survey, *Error) {
	if len(src) > limits.Bytes {
		return survey{}, over(1, 1, "bytes", limits.Bytes)
	}
	if bytes.HasPrefix(src, []byte("\xff\xfe")) || bytes.HasPrefix(src, []byte("\xfe\xff")) {
		return survey{}, &Error{1, 1, "the text is UTF-16", "save the file as UTF-8"}
	}
	var (
		s    = survey{simple: !bytes.HasPrefix(src, byteOrderMark)}
		cut  = cutter{limits: limits, line: 1}
		keys = counter{limit: limits.Keys}
		pos  = len(src) - len(bytes.TrimPrefix(src, byteOrderMark))
	)
	for n := 1; pos < len(src); n++ {
		end := len(src)
		if i := bytes.IndexByte(src[pos:], '\n'); i >= 0 {
			end = pos + i + 1
		}
		line := trimBreak(src[pos:end])
		if err := s.characters(line, n); err != nil {
			return survey{}, err
		}
		if s.nodes > 3*limits.Nodes {
			return survey{}, over(n, 1, "nodes", limits.Nodes)
		}
		if marker(line, "---") || marker(line, "...") {
			keys = counter{limit: limits.Keys}
		}
		if !keys.add(line) {
			return survey{}, over(n, 1, "keys in one mapping", limits.Keys)
		}
		if !cut.add(line, pos, end, n) {
			return survey{}, over(n, 1, "documents", limits.Docs)
		}
		pos = end
	}
	cut.close(len(src), 0)
	s.segments = cut.segments
	return s, nil
}

func over(line, col int, what string, limit int) *Error {
	return &Error{line, col, fmt.Sprintf("the file has more than %d %s", limit, what), "split the file, or leave it out"}
}

var byteOrderMark = []byte("\ufeff")

func trimBreak(line []byte) []byte {
	line = bytes.TrimSuffix(line, []byte("\n"))
	return bytes.TrimSuffix(line, []byte("\r"))
}

// characters checks a line for what may not stand in YAML, or would not be seen
// by a person who reads it, and counts what can start a node.
func (s *survey) characters(line []byte, n int) *Error {
	for i := 0; i < len(line); {
		c := line[i]
		if c >= ' ' && c < 0x7f || c == '\t' {
			if indicators[c] {
				s.nodes += weigh(line, i)
			}
			s.simple = s.simple && c != '\t'
			i++
			continue
		}
		s.simple = false
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRune(line[i:])
			if what := forbidden(r, size); what != "" {
				return badCharacter(line, i, n, r, what)
			}
			s.bidi = s.bidi || reorders(r)
			i += size
			continue
		}
		return badCharacter(line, i, n, rune(c), "a control character")
	}
	return nil
}

func badCharacter(line []byte, i, n int, r rune, what string) *Error {
	e := &Error{Line: n, Col: utf8.RuneCount(line[:i]) + 1, Fix: "take it out, or write it as an escape in double quotes"}
	switch {
	case r == '\r':
		e.What, e.Fix = "a carriage return stands inside a line", `end lines with \n or \r\n`
	case r == utf8.RuneError:
		e.What, e.Fix = what, "save the file as UTF-8"
	default:
		e.What = fmt.Sprintf("%s, %U, stands in the text", what, r)
	}
	return e
}

func forbidden(r rune, size int) string {
	switch {
	case r == utf8.RuneError && size == 1:
		return "the text is not UTF-8"
	case r <= 0x9f:
		return "a control character"
	case r == 0x2028 || r == 0x2029:
		return "a line break that most editors do not show"
	case r == 0xfeff:
		return "a byte order mark"
	case r == 0xfffe || r == 0xffff:
		return "a character that YAML does not allow"
	}
	return ""
}

// reorders reports whether a character changes the direction of text, so that
// what a person reads is not what is written.
func reorders(r rune) bool {
	return r == 0x061c || r == 0x200e || r == 0x200f ||
		r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069
}

// indicators are the characters that weigh something.
var indicators = [128]bool{':': true, '-': true, '?': true, ',': true, '[': true, '{': true}

// weigh is how many nodes the indicator at i can bring, at most; 0 for what is
// no indicator.
func weigh(line []byte, i int) int {
	switch line[i] {
	case ':':
		if ends(line, i+1) || i == 0 || bytes.IndexByte([]byte("\"'}] \t"), line[i-1]) >= 0 {
			return 3
		}
	case '-', '?':
		if ends(line, i+1) {
			return 3
		}
	case ',', '[', '{':
		return 2
	}
	return 0
}

// ends reports whether a token that stops before i stops there.
func ends(line []byte, i int) bool {
	return i >= len(line) || bytes.IndexByte([]byte(" \t,[]{}"), line[i]) >= 0
}

// A cutter cuts text into documents at lines that start with --- or with "...",
// which by the specification end whatever was open before, a block scalar too.
type cutter struct {
	limits   Limits
	segments []segment
	start    int
	line     int  // of start
	started  bool // the segment has a marker or content
}

func (c *cutter) add(line []byte, pos, end, n int) bool {
	switch {
	case marker(line, "---"):
		if c.started {
			c.close(pos, n)
		}
		c.started = true
	case marker(line, "..."):
		c.close(end, n+1)
	case !c.started && len(line) > 0 && line[0] != '%' && line[0] != '#':
		text := bytes.TrimLeft(line, " \t")
		c.started = len(text) > 0 && text[0] != '#'
	}
	return len(c.segments) < c.limits.Docs || len(c.segments) == c.limits.Docs && !c.started
}

// close ends the segment at an offset; next is the number of the line there.
func (c *cutter) close(at, next int) {
	if c.started {
		c.segments = append(c.segments, segment{c.start, at, c.line})
	}
	c.start, c.line, c.started = at, next, false
}

func marker(line []byte, m string) bool {
	return bytes.HasPrefix(line, []byte(m)) && (len(line) == 3 || line[3] == ' ' || line[3] == '\t')
}

// A counter counts lines with a key by their indentation, to find a mapping that
// is far too large before the parser sees it. It looks at no block scalar.
type counter struct {
	limit int
	open  []level
	text  int // indentation of the line that started a block scalar, plus 1
}

type level struct{ indent, keys int }

func (c *counter) add(line []byte) bool {
	body := bytes.TrimLeft(line, " ")
	indent := len(line) - len(body)
	if len(body) == 0 || c.text > 0 && indent >= c.text {
		return true
	}
	c.text = 0
	if opensText(body) {
		c.text = indent + 1
	}
	for len(c.open) > 0 && c.open[len(c.open)-1].indent > indent {
		c.open = c.open[:len(c.open)-1]
	}
	if !bytes.Contains(body, []byte(":")) || bytes.IndexByte([]byte("-#{}[]"), body[0]) >= 0 {
		return c.fits(line)
	}
	if len(c.open) == 0 || c.open[len(c.open)-1].indent < indent {
		c.open = append(c.open, level{indent: indent})
	}
	c.open[len(c.open)-1].keys++
	return c.open[len(c.open)-1].keys <= c.limit && c.fits(line)
}

// fits looks for a flow mapping that is too large for the parser within a line.
func (c *counter) fits(line []byte) bool {
	if len(line) < 3*c.limit {
		return true
	}
	keys := []int{0} // at each level of brackets
	quoted := false
	for i := 0; i < len(line); i++ {
		switch b := line[i]; {
		case quoted && b == '\\':
			i++
		case b == '"':
			quoted = !quoted
		case quoted:
		case b == '{' || b == '[':
			keys = append(keys, 0)
		case (b == '}' || b == ']') && len(keys) > 1:
			keys = keys[:len(keys)-1]
		case b == ':' && weigh(line, i) > 0:
			if keys[len(keys)-1]++; keys[len(keys)-1] > c.limit {
				return false
			}
		}
	}
	return true
}

// opensText reports whether a line looks like the start of a block scalar.
func opensText(body []byte) bool {
	if bytes.IndexByte(body, '|') < 0 && bytes.IndexByte(body, '>') < 0 {
		return false
	}
	if i := bytes.Index(body, []byte(" #")); i >= 0 {
		body = body[:i]
	}
	body = bytes.TrimRight(body, " \t+-0123456789")
	return len(body) > 0 && (body[len(body)-1] == '|' || body[len(body)-1] == '>')
}
