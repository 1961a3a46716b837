package reconcile

import (
	"regexp"
	"strings"
)

// inTemplate is the subject and the body that a filled template makes: its first line, and
// what is below. Whatever it holds, it stays text; without a subject it has our own.
func inTemplate(filled, own string) (subject, body string) {
	filled = cutLines(filled, longestFilled)
	subject, body, _ = strings.Cut(filled, "\n")
	if subject = inertLine(subject); subject == "" {
		subject = own
	}
	var b strings.Builder
	empty := true // no two empty lines
	for line := range strings.Lines(body) {
		line = templateLine(line)
		if line != "" || !empty {
			b.WriteString(line + "\n")
		}
		empty = line == ""
	}
	return subject, b.String()
}

// keyed is the beginning of a line that programs read as a trailer wherever it stands, as
// Signed-off-by.
var keyed = regexp.MustCompile(`^( *[A-Za-z0-9]+-[A-Za-z0-9-]*) *:`)

// longestLine is how much of a line of a template's outcome stays, in characters: a row of
// a table is made of several texts.
const longestLine = 5 * longestText

func templateLine(line string) string {
	text := strings.TrimLeft(line, " ")
	if text = plain(text, prose, longestLine); text == "" {
		return ""
	}
	indent := len(line) - len(strings.TrimLeft(line, " "))
	return keyed.ReplaceAllString(strings.Repeat(" ", min(indent, 8))+text, "$1"+string(dot))
}

// cutLines is as many whole lines of a text as so many bytes hold.
func cutLines(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return s[:strings.LastIndexByte(s[:most], '\n')+1]
}
