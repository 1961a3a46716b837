package yamledit

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// unfit says why a value cannot be written; empty where it can.
func unfit(v Value) string {
	switch v := v.(type) {
	case Map:
		seen := map[string]bool{}
		for _, e := range v {
			if seen[e.Key] {
				return fmt.Sprintf("holds the key %q twice", e.Key)
			}
			seen[e.Key] = true
			if what := unfit(e.Key) + unfit(e.Value); what != "" {
				return what
			}
		}
		return ""
	case Seq:
		for _, e := range v {
			if what := unfit(e); what != "" {
				return what
			}
		}
		return ""
	case string:
		if !utf8.ValidString(v) {
			return "is not UTF-8"
		}
		return ""
	}
	if tag, _ := scalar(v); tag == "" {
		return fmt.Sprintf("is a %T, which has no form in YAML here", v)
	}
	return ""
}

// written is how a scalar is written: with the quotes of the one whose place it
// takes, where those serve, else plain, else in double quotes.
func written(v Value, old *Node, json bool) string {
	tag, text := scalar(v)
	if tag != "!!str" {
		return text
	}
	var style yaml.Style
	there := old != nil && old.Kind == yaml.ScalarNode && old.Tag == "!!str"
	if there {
		style = old.Style
	}
	switch {
	case json || style&yaml.DoubleQuotedStyle != 0:
		return doubleQuoted(text)
	case style&yaml.SingleQuotedStyle != 0 && !strings.ContainsFunc(text, escapes):
		return "'" + strings.ReplaceAll(text, "'", "''") + "'"
	case plain(text), there && style == 0 && version(text) && version(old.Value):
		return text
	}
	return doubleQuoted(text)
}

// version reports whether text is as 1.4.3: nobody reads that as a number, whatever else the
// old rules of YAML could make of digits and dots. It stays plain where one stood plain.
func version(text string) bool {
	return strings.Count(text, ".") > 1 && strings.Trim(text, "0123456789.") == "" && !strings.Contains(text, "..") && text[0] != '.' && text[len(text)-1] != '.'
}

// doubleQuoted is text in double quotes, so that JSON and YAML both read it.
func doubleQuoted(text string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range text {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case r == '\r':
			b.WriteString(`\r`)
		case escapes(r):
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// escapes reports whether a character is not written as itself: it is forbidden
// in a file, or a person would not see it.
func escapes(r rune) bool {
	return r < ' ' || r == 0xa0 || r >= 0x7f && forbidden(r, utf8.RuneLen(r)) != "" || reorders(r)
}

// plain reports whether every reader of YAML, 1.1 or 1.2, in a block or in a flow
// collection, takes text without quotes for this very string.
func plain(text string) bool {
	const longest = len("infinity") // of words
	if text == "" || len(text) > 1000 || len(text) <= longest && words[strings.ToLower(text)] || numeric(text) {
		return false
	}
	first, _ := utf8.DecodeRuneInString(text)
	if !unicode.IsLetter(first) && !unicode.IsDigit(first) && first != '/' && first != '_' {
		return false
	}
	for i, r := range text {
		switch {
		case r == ':' && (i+1 == len(text) || text[i+1] == ' '):
			return false
		case r == ' ' && (i+1 == len(text) || text[i+1] == '#' || text[i+1] == ' '):
			return false
		case r == ',' || r == '[' || r == ']' || r == '{' || r == '}':
			return false
		case ' ' <= r && r < 0x7f:
		case !unicode.IsPrint(r) || escapes(r):
			return false
		}
	}
	return true
}

// words are those that some reader takes for a bool or for null.
var words = map[string]bool{
	"y": true, "yes": true, "on": true, "true": true,
	"n": true, "no": true, "off": true, "false": true,
	"null": true, "nan": true, "inf": true, "infinity": true,
}

// numeric reports whether text starts with a digit and holds nothing that could
// not stand in a number, a time or a date: 0x1F, 1_000, 1:30, 2026-01-02T03:04:05Z.
func numeric(text string) bool {
	if text[0] < '0' || text[0] > '9' {
		return false
	}
	return strings.Trim(text, "0123456789abcdefABCDEFxXoOtTzZ_+-.: ") == ""
}
