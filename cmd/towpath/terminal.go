package main

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// printable is text of strangers in one line, without characters that command
// a terminal.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return ' '
		case unicode.IsPrint(r):
			return r
		}
		return unicode.ReplacementChar
	}, text)
}

// printableLines is text of strangers whose lines are to stay, each after the first
// behind an indent.
func printableLines(text, indent string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	for i, line := range lines {
		lines[i] = printable(strings.TrimSuffix(line, "\r"))
	}
	return strings.Join(lines, "\n"+indent)
}

// harmless lets text through to where a person may look at it, and nothing that commands
// a terminal: names of files, contents and answers of strangers are in much of what is
// printed. Lines may end as they like; each Write is looked at by itself. It is the last
// defence: printable keeps lines of strangers apart from ours as well.
type harmless struct{ io.Writer }

func (h harmless) Write(p []byte) (int, error) {
	if plain(p) || utf8.Valid(p) && !bytes.ContainsFunc(p, commands) {
		return h.Writer.Write(p)
	}
	rest := p
	_, err := h.Writer.Write(bytes.Map(func(r rune) rune {
		_, n := utf8.DecodeRune(rest)
		rest = rest[n:]
		if commands(r) && !(r == '\r' && bytes.HasPrefix(rest, []byte("\n"))) {
			return unicode.ReplacementChar
		}
		return r
	}, p))
	return len(p), err
}

// commands reports whether a terminal may take a character for more than text: controls,
// other ends of lines, and what turns the direction of writing.
func commands(r rune) bool {
	return r != '\n' && r != '\t' && (unicode.IsControl(r) || r == '\u2028' || r == '\u2029' || unicode.Is(unicode.Bidi_Control, r))
}

// plain is a quick look that almost all text passes, however long: nothing but ASCII that
// shows.
func plain(p []byte) bool {
	for _, b := range p {
		if (b < ' ' && b != '\n' && b != '\t') || b >= 0x7f {
			return false
		}
	}
	return true
}

// jsonText writes what would command a terminal as JSON's escapes, which mean the same.
type jsonText struct{ io.Writer }

func (j jsonText) Write(p []byte) (int, error) {
	if plain(p) || !bytes.ContainsFunc(p, commands) {
		return j.Writer.Write(p)
	}
	var b bytes.Buffer
	for _, r := range string(p) {
		if !commands(r) {
			b.WriteRune(r)
			continue
		}
		for _, unit := range utf16.Encode([]rune{r}) {
			fmt.Fprintf(&b, `\u%04x`, unit)
		}
	}
	_, err := j.Writer.Write(b.Bytes())
	return len(p), err
}
