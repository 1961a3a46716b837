package trigger

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/towpath/towpath/imagestream"
	"github.com/towpath/towpath/spelling"
)

// What people write who mean a marker, or an annotation, and is neither: a run passes over it.
var (
	nearMarker = regexp.MustCompile("(?i)(\\{\\s*)?[\"'`]?(\\$?)image[-_]?(stream|policy)(?:[-_]?tag|s)?[\"'`]?\\s*[:=]\\s*[\"'`]?([\\w.-]+(?:/[\\w.-]+)?(?::[\\w.-]*){0,2})?")
	nearKey    = regexp.MustCompile(`([\w-]+(?:\.[\w-]+)*/[\w.-]+)["']?\s*:`)
	commentOf  = regexp.MustCompile(`(?:^|\s)(?:#|//|;|--|/\*|<!--)`)
)

// maxNear is how many near misses of a file are told.
const maxNear = 20

// NearMisses are notes of what looks as if it were to say that something follows a tag, and
// says nothing: markers and annotations that are misspelt. They come without Path.
func NearMisses(src []byte) []imagestream.Problem {
	var notes []imagestream.Problem
	number := 0
	for line := range bytes.Lines(src) {
		number++
		if len(line) > maxLine || !mayMiss(line) {
			continue
		}
		text := strings.TrimRight(string(line), "\r\n")
		for _, n := range [](func(string) (int, string, string)){missedMarker, missedKey} {
			if at, what, meant := n(text); what != "" {
				notes = append(notes, imagestream.Problem{Line: number, Col: utf8.RuneCountInString(text[:at]) + 1, Note: true,
					What: fmt.Sprintf("%s says nothing to towpath", what), Fix: "did you mean " + meant + "?"})
			}
		}
		if len(notes) >= maxNear {
			break
		}
	}
	return notes
}

// mayMiss passes over the many lines that hold nothing of the kind.
func mayMiss(line []byte) bool {
	comment := bytes.ContainsAny(line, "#;") || contains(line, "//", "--", "/*")
	key := bytes.IndexByte(line, '/') > 0 && bytes.IndexByte(line, ':') > 0
	return comment && contains(bytes.ToLower(line), "image") || key && contains(line, "rig", "form")
}

// missedMarker finds in the comment of a line what is nearly a marker.
func missedMarker(line string) (at int, what, meant string) {
	comment := commentOf.FindStringIndex(line)
	if comment == nil {
		return 0, "", ""
	}
	if _, found := markerStart(line); found {
		return 0, "", "" // one that is read, or complained of
	}
	for _, m := range nearMarker.FindAllStringSubmatchIndex(line[comment[1]:], -1) {
		part := func(i int) string {
			if m[2*i] < 0 {
				return ""
			}
			return line[comment[1]:][m[2*i]:m[2*i+1]]
		}
		value := part(4)
		if part(1) == "" && part(2) == "" || strings.TrimSpace(value) == "" {
			continue // a sentence
		}
		key := markerKey
		if strings.EqualFold(part(3), "policy") {
			key = policyKey
		}
		return comment[1] + m[0], "the comment " + clip(strings.TrimSpace(line[comment[1]+m[0]:])), fmt.Sprintf("{%s: %q}", key, value)
	}
	return 0, "", ""
}

// missedKey finds on a line a key that is nearly one of our annotations.
func missedKey(line string) (at int, what, meant string) {
	for _, m := range nearKey.FindAllStringSubmatchIndex(line, -1) {
		if comment := commentOf.FindStringIndex(line); comment != nil && comment[0] < m[0] {
			break
		}
		key := line[m[2]:m[3]]
		for _, known := range []string{Annotation, FormAnnotation} {
			if key != known && misspelt(key, known) {
				return m[2], "the key " + clip(key), known
			}
		}
	}
	return 0, "", ""
}

// misspelt reports whether a key is another by three letters at most.
func misspelt(key, known string) bool {
	const most = 3
	d := len(key) - len(known)
	return -most <= d && d <= most && spelling.Distance(key, known) <= most
}

// clip is a text as people recognise it.
func clip(text string) string {
	const most = 60
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most-1]) + "…"
	}
	return text
}
