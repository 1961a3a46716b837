package gitlab

import (
	"regexp"
	"strings"
	"unicode"
)

const maxTitle = 255 // characters

var (
	// GitLab marks a draft in its title, and takes any of these for the mark.
	draftMark = regexp.MustCompile(`(?i)^(?:\s*(?:draft:|\[draft\]|\(draft\)|wip:|\[wip\]))+\s*`)
	// A line that begins with a slash is a command (/close, /merge, /approve), which GitLab carries out as
	// the token's user and cuts out of the text.
	command = regexp.MustCompile(`(?m)^([ \t]*\\*)/([A-Za-z])`)
	escaped = regexp.MustCompile(`(?m)^([ \t]*\\*)\\/([A-Za-z])`)
)

// plainTitle is a title without the mark of a draft.
func plainTitle(title string, draft bool) string {
	if !draft {
		return title
	}
	return draftMark.ReplaceAllString(title, "")
}

// writeTitle is a title as GitLab takes it: marked as a draft if it is one and else not, on one
// line and not too long.
func writeTitle(title string, draft bool) string {
	title = draftMark.ReplaceAllString(strings.Join(strings.FieldsFunc(title, unicode.IsControl), " "), "")
	if draft {
		title = "Draft: " + title
	}
	if runes := []rune(title); len(runes) > maxTitle {
		title = string(runes[:maxTitle-1]) + "…"
	}
	return title
}

// writeBody is a text in which nothing is a command: it reads the same with a backslash
// before the slash. It stands in code blocks, too, for what GitLab takes for one is GitLab's affair.
// A return alone goes: GitLab takes it out before it looks for commands.
func writeBody(text string) string {
	text = strings.ReplaceAll(text, "\r", "")
	return command.ReplaceAllString(text, `${1}\/${2}`)
}

// readBody undoes writeBody.
func readBody(text string) string {
	text = strings.ReplaceAll(text, "\r\n", "\n")
	return escaped.ReplaceAllString(text, "${1}/${2}")
}
