package trigger

import (
	"regexp"
	"slices"
	"strings"
)

// A slot is where in a line an image stands, or a part of it.
type slot struct {
	span
	whole bool // only a whole reference can stand there
}

// A span is a part of a line, by bytes.
type span struct{ start, end int }

// How values are written: in quotes of either kind, or bare. None holds an escape.
const (
	quotedValue = `(?:"([^"\\]*)"|'([^'\\]*)')`
	bareValue   = "([^\\s\"'`,;=\\\\]+)"
	anyValue    = `(?:` + quotedValue + `|` + bareValue + `)`
	lineTail    = `\s*[,;]?\s*\\?\s*$`
	quotedKey   = `(?:"[^"]*"|'[^']*')`
)

// What of a Dockerfile names an image.
var (
	fromLine  = regexp.MustCompile(`(?i)^\s*(?:ONBUILD\s+)?FROM\s+(?:--\S+\s+)*([^\s"'\\-][^\s"'\\]*)(?:\s+AS\s+\S+)?\s*\\?\s*$`)
	unsure    = regexp.MustCompile(`(?i)^\s*(?:ONBUILD\s+)?(?:FROM\s*\\?\s*$|(?:FROM|COPY|ADD|RUN|HEALTHCHECK)\s+--)`)
	copyFrom  = regexp.MustCompile(`(?:^|\s)--from=([^\s"'\\]+)`)
	mountFrom = regexp.MustCompile(`(?:^|\s)--mount=(?:[^\s"'\\]*,)?from=([^\s,"'\\]+)`)
)

// Lines of other files that hold one value.
var (
	assigned = regexp.MustCompile(`^[^"'=]*(?:` + quotedKey + `\s*)?=>?\s*` + anyValue + lineTail)
	unset    = regexp.MustCompile(`^\s*[\w ?:+-]+=()` + lineTail)
	keyed    = regexp.MustCompile(`^\s*(?:-\s+)?(?:[\w./-]+\s*:\s+|` + quotedKey + `\s*:\s*)` + anyValue + lineTail)
	keyText  = regexp.MustCompile(`^\s*(?:-\s+)?[\w./-]+\s*:` + quotedValue + lineTail)
	alone    = regexp.MustCompile(`^\s*(?:-\s+)?` + anyValue + lineTail)
	inQuotes = regexp.MustCompile(quotedValue)
	indexed  = regexp.MustCompile(`[\w)\]]\s*\[\s*["']`) // in quotes stands a key, or a command: CMD ["web"]
	keyOf    = regexp.MustCompile(`([\w-]+)["']?\s*(?:[:?+]?=>?|:)\s*["']?$`)
)

const lineForms = "FROM, COPY or ADD --from=, RUN --mount=from=, KEY=VALUE, key: value, or one text in quotes"

// slots are where an image can stand in a line without its comments. Exactly one is sure.
func slots(line string) []slot {
	images := all(fromLine, line, true)
	if strings.Contains(line, "from=") {
		images = slices.Concat(images, all(copyFrom, line, true), all(mountFrom, line, true))
	}
	if len(images) > 0 || unsure.MatchString(line) {
		return images
	}
	for _, form := range []*regexp.Regexp{assigned, unset, keyed, keyText, alone} {
		if found := all(form, line, false); len(found) > 0 {
			return found
		}
	}
	if quotes := strings.Count(line, `"`) + strings.Count(line, "'"); quotes != 2 || strings.ContainsAny(line, `\+%&|~`) || indexed.MatchString(line) {
		return nil // escapes, or an expression
	}
	return all(inQuotes, line, false)
}

// isBare reports whether the value of a slot stands without quotes.
func (s slot) isBare(line string) bool {
	return s.start == 0 || strings.IndexByte("\"'", line[s.start-1]) < 0
}

// key is the key before a slot, empty where there is none.
func (s slot) key(line string) string {
	if m := keyOf.FindStringSubmatch(line[:s.start]); m != nil {
		return m[1]
	}
	return ""
}

// all are the last groups that took part in the matches of an expression.
func all(form *regexp.Regexp, line string, whole bool) []slot {
	var found []slot
	for _, m := range form.FindAllStringSubmatchIndex(line, -1) {
		for i := len(m) - 2; i > 0; i -= 2 {
			if m[i] >= 0 {
				found = append(found, slot{span{m[i], m[i+1]}, whole})
				break
			}
		}
	}
	return found
}

// uncommented is a line with blanks in place of its comments, the first few, and where they
// stand. The line begins in a comment if there is a sign that shuts it; so does the next one.
func uncommented(line, shut string) (content string, comments []span, open string) {
	const few = 8
	content = line
	for range few {
		var c span
		if shut == "" {
			if c, shut = commentIn(content); c.start == len(content) {
				break
			}
		} else if n := strings.Index(content, shut); n < 0 {
			c.end = len(content)
		} else {
			c.end, shut = n+len(shut), ""
		}
		comments = append(comments, c)
		content = content[:c.start] + strings.Repeat(" ", c.end-c.start) + content[c.end:]
		if shut != "" {
			break
		}
	}
	return content, comments, shut
}

// blockSigns open comments that end with another sign, in the line or below.
var blockSigns = []struct{ open, shut string }{{"/*", "*/"}, {"<!--", "-->"}}

// commentIn is the first comment of a line: its sign stands at the line's start, or behind a
// blank, and not in quotes. Without one it is empty, at the line's end. Where the line opens a
// comment that goes on below, shut is the sign that ends it.
func commentIn(line string) (c span, shut string) {
	first := len(line) - len(strings.TrimLeft(line, " \t"))
	never := map[string]bool{} // signs that nothing shuts in the rest of the line
	for i := first; i < len(line); i++ {
		if to := quoteEnd(line, i, never); to > 0 {
			i = to
			continue
		}
		if i > first && line[i-1] != ' ' && line[i-1] != '\t' {
			continue
		}
		if opensLine(line[i:]) {
			return span{i, len(line)}, ""
		}
		for _, s := range blockSigns {
			if !strings.HasPrefix(line[i:], s.open) || never[s.open] {
				continue
			}
			if n := strings.Index(line[i+len(s.open):], s.shut); n >= 0 {
				return span{i, i + len(s.open) + n + len(s.shut)}, ""
			}
			if i == first {
				return span{i, len(line)}, s.shut
			}
			never[s.open] = true
		}
	}
	return span{len(line), len(line)}, ""
}

// opensLine reports whether a text starts with the sign of a comment that ends with the line.
func opensLine(text string) bool {
	if rest, ok := strings.CutPrefix(text, "--"); ok {
		return rest == "" || strings.IndexByte(" \t{", rest[0]) >= 0
	}
	return text[0] == '#' || text[0] == ';' || strings.HasPrefix(text, "//")
}

// quoteEnd is where quotes that open at an offset shut; 0 where none do. What follows a
// letter is an apostrophe.
func quoteEnd(line string, at int, never map[string]bool) int {
	quote := line[at : at+1]
	if quote != `"` && quote != "'" || never[quote] || quote == "'" && at > 0 && isLetter(line[at-1]) {
		return 0
	}
	for i := at + 1; i < len(line); i++ {
		switch {
		case line[i] == '\\' && quote == `"`:
			i++
		case line[i] == quote[0]:
			return i
		}
	}
	never[quote] = true
	return 0
}

func isLetter(c byte) bool {
	return c == '_' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// opensBlock reports whether a line begins with a comment that may go on below.
func opensBlock(line string) bool {
	line = strings.TrimLeft(line, " \t")
	for _, s := range blockSigns {
		if strings.HasPrefix(line, s.open) {
			return true
		}
	}
	return false
}
