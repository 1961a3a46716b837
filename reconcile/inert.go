package reconcile

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// What a commit says of others' text is shown to people on many pages, and read by many
// machines: nobody is to be called by it, no issue closed, no job skipped, no command run.
// Letters and digits of all scripts stay, and what paths, references and versions are
// written with. Of what is left, and of these where they would mean more than
// themselves, one dot in the middle of the line stands for a run.

// dot stands for what was taken out.
const dot = '·'

// Bounds of others' text, in characters; more is cut off, and shown as cut.
const (
	longestText  = 200
	longestExact = 1000 // of what machines read
)

// A manner is how much of a text stays.
type manner int

const (
	word  manner = iota // one word, as names, paths and references are
	exact               // the same for machines: as it is, where that calls nobody
	prose               // words of one line
)

// inert is what is shown of a word: a path, a name, a reference.
func inert(s string) string { return plain(s, word, longestText) }

// inertLine is what is shown of a line of several words.
func inertLine(s string) string { return plain(s, prose, longestText) }

// plain is text in which nothing means more than itself, on one line.
func plain(s string, as manner, most int) string {
	in := visible(s, most)
	out := make([]rune, 0, len(in)+1)
	for i, r := range in {
		c := spot{before: out, r: r, after: in[i+1:], as: as}
		switch {
		case c.stays():
			out = append(out, r)
		case len(out) == 0 || out[len(out)-1] != dot:
			out = append(out, dot)
		}
	}
	text := string(out)
	for _, l := range live {
		if as != prose || !l.meant {
			text = l.is.ReplaceAllString(text, l.becomes)
		}
	}
	return text
}

// live are words that machines act on although each of their characters is harmless.
var live = []struct {
	is      *regexp.Regexp
	becomes string
	meant   bool // what a repository's config says, it may mean
}{
	{is: regexp.MustCompile(`(?i)\b(gh)-([0-9])`), becomes: "$1·$2"}, // GitHub's GH-1
	{is: regexp.MustCompile(`(?i)/(issues?|pulls?|pull-requests|merge_requests|work_items|discussions|epics)/([0-9])`), becomes: "/$1·$2"},
	{is: regexp.MustCompile(`(?i)\[((?:ci[-_ ]*skip|(?:skip|no)[-_ ]*(?:ci|actions)|actions[-_ ]*skip))\]`), becomes: "·$1·", meant: true},
}

// visible are the characters of a text that can be seen, with one blank for each that is
// white, none at the ends, and so many at most.
func visible(s string, most int) []rune {
	s = s[:min(len(s), 16*most)]
	var out []rune
	for _, r := range s {
		switch {
		case unicode.IsSpace(r) || unicode.Is(unicode.Z, r):
			out = append(out, ' ')
		case !unicode.IsGraphic(r), unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector):
		default:
			out = append(out, r)
		}
	}
	out = []rune(strings.Trim(string(out), " "))
	if len(out) > most {
		out = append(out[:most-1:most-1], '…')
	}
	return out
}

// A spot is a character, between those before it, as they are shown, and those after
// it, as they are written.
type spot struct {
	before []rune
	r      rune
	after  []rune
	as     manner
}

func (c spot) prev() rune {
	if len(c.before) == 0 {
		return 0
	}
	return c.before[len(c.before)-1]
}

func (c spot) next() rune {
	if len(c.after) == 0 {
		return 0
	}
	return c.after[0]
}

// stays reports whether a character means no more than itself where it is.
func (c spot) stays() bool {
	first, prev, next := len(c.before) == 0, c.prev(), c.next()
	switch c.r {
	case '.', ',', ')', '…', dot:
		return true
	case '/', '-', '+', '=': // commands, lists, rules
		return !first
	case '_': // emphasis
		return c.as == exact || next == '_' || isWordly(next)
	case ':': // trailers, definitions
		return !first && prev != ']' && (next == '/' || next == '_' || isWordly(next) || c.as == prose && (next == ' ' || next == 0))
	case '(': // links
		return prev != ']'
	case '[':
		return prev != '[' && (c.as == prose || isWordly(prev) || prev == ']')
	case ']':
		return slices.Contains(c.before, '[')
	case '@': // mentions; a digest is none
		return isASCIIWord(prev) && (hasPrefix(c.after, "sha256:") || hasPrefix(c.after, "sha512:"))
	case '~', '%': // labels and milestones
		if prev != '_' && isASCIIWord(prev) && isASCIIWord(next) {
			return true
		}
	}
	switch {
	case unicode.IsLetter(c.r), unicode.IsNumber(c.r):
		return true
	case unicode.IsMark(c.r):
		n := len(c.before)
		return !first && (unicode.IsLetter(prev) || unicode.IsMark(prev) && !unicode.IsMark(c.before[max(n-2, 0)]))
	}
	return c.as == prose && c.staysInProse(first, prev, next)
}

// staysInProse reports whether a character is one that sentences, or the ranges of
// versions in them, are written with.
func (c spot) staysInProse(first bool, prev, next rune) bool {
	ends := next == 0 || next == ' ' || next == ':' || next == ')' || next == ','
	switch c.r {
	case ' ', '"', '\'', ';', '?':
		return true
	case '!', '&', '%': // of forges issues, pictures, entities
		return ends
	case '>', '|': // quotes, tables: at the beginning
		return !first
	case '<': // markup
		return next == '=' || next == ' ' || unicode.IsDigit(next)
	case '~', '^': // labels, notes
		return prev != '[' && unicode.IsDigit(next)
	case '*': // emphasis, which would have to begin, and lists
		return !first && prev != ' ' && ends
	}
	return unicode.In(c.r, unicode.Pd, unicode.Pi, unicode.Pf, unicode.So)
}

func isWordly(r rune) bool { return unicode.IsLetter(r) || unicode.IsNumber(r) }

func isASCIIWord(r rune) bool {
	return r == '_' || r < unicode.MaxASCII && isWordly(r)
}

func hasPrefix(text []rune, prefix string) bool {
	return strings.HasPrefix(string(text[:min(len(text), len(prefix))]), prefix)
}
