package trigger

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/towpath/towpath/yamledit"
)

const maxLine = 64 << 10 // bytes of a line that is looked at

var byteOrderMark = []byte("\ufeff")

// text finds what comments in a file of any text make follow: what else stands on their line,
// or on the next line that holds more than comments.
func (f *finding) text(src []byte) {
	switch {
	case len(src) > yamledit.DefaultLimits.Bytes:
		f.problem(1, 1, fmt.Sprintf("the file has markers, and more than %d bytes", yamledit.DefaultLimits.Bytes), "split it, or leave it out")
		return
	case !utf8.Valid(src) || bytes.IndexByte(src, 0) >= 0:
		f.problem(1, 1, "the file has markers, and is no text in UTF-8", "save it as UTF-8, or leave it out")
		return
	}
	r := &lineReader{finding: f}
	for line := range strings.Lines(string(bytes.TrimPrefix(src, byteOrderMark))) {
		r.number++
		if r.read(strings.TrimRight(line, "\r\n")); r.markers > maxMarkers {
			f.sites, f.problems = nil, nil
			f.tooMany(r.number)
			return
		}
		r.stages.read(line)
	}
	r.drop("the marker stands above no line that holds a value", "write it above the line that holds the image")
}

// A lineReader goes over text from line to line.
type lineReader struct {
	*finding
	number  int     // of the line
	shut    string  // what ends the comment that the line begins in
	above   []noted // markers that wait for a line
	markers int
	stages  stages
}

// A noted marker is one with its place.
type noted struct {
	marker
	line, col int
}

// read reads a line. A marker on it counts for it, and before those above it.
func (r *lineReader) read(line string) {
	switch mentions := contains([]byte(line), markerKey, policyKey); {
	case len(line) > maxLine && (mentions || len(r.above) > 0):
		r.drop(fmt.Sprintf("the line below has more than %d bytes", maxLine), "break it up")
		if mentions {
			r.problem(r.number, 1, fmt.Sprintf("a marker stands on a line of more than %d bytes", maxLine), "write it on a line of its own")
		}
		return
	case !mentions && len(r.above) == 0 && r.shut == "" && !opensBlock(line):
		return
	}
	content, comments, shut := uncommented(line, r.shut)
	r.shut = shut
	var own []noted
	for _, c := range comments {
		if m, ok := r.take(line, c, strings.TrimSpace(content) == ""); ok {
			own = append(own, m)
		}
	}
	r.outside(content)
	switch {
	case strings.TrimSpace(content) == "":
		r.above = append(r.above, own...)
		return
	case len(own) > 0:
		for _, m := range r.above {
			r.note(m.line, m.col, "the line below has a marker of its own, which counts in place of this one")
		}
		r.above = own
	}
	for _, m := range r.above {
		r.follow(m, line, content)
	}
	r.above = nil
}

// drop says what is wrong with the markers that wait.
func (r *lineReader) drop(what, fix string) {
	for _, m := range r.above {
		r.problem(m.line, m.col, what, fix)
	}
	r.above = nil
}

// take reads a comment of the line that may hold a marker, and may be all of the line.
func (r *lineReader) take(line string, c span, alone bool) (noted, bool) {
	m, start, _, found, bad := readMarker(line[c.start:c.end])
	if !found {
		return noted{}, false
	}
	r.markers++
	n := noted{m, r.number, utf8.RuneCountInString(line[:c.start+start]) + 1}
	switch {
	case alone && commentedOut(line[c.start:c.start+start]):
		r.note(n.line, n.col, outNote)
		return noted{}, false
	case bad != nil:
		r.problem(n.line, n.col, bad.what, bad.fix)
	}
	return n, bad == nil
}

// outside finds a marker that stands in no comment and in no quotes.
func (r *lineReader) outside(content string) {
	if at, found := markerStart(content); found && !strings.ContainsAny(content[:at], "'`") {
		r.markers++
		r.problem(r.number, utf8.RuneCountInString(content[:at])+1, "the marker stands in no comment that is known here", "write it behind #, //, ; or --, or within /* */ or <!-- -->")
	}
}

// follow makes a site of a marker and the line that it is about.
func (r *lineReader) follow(m noted, line, content string) {
	found := slots(content)
	if len(found) != 1 {
		what, fix := "no single value is found on the line that is marked", "mark a line with "+lineForms
		switch {
		case len(found) > 1:
			what, fix = "more than one value stands on the line that is marked", "write each on a line of its own"
		case isPlaceholder(content):
			what, fix = "the line that is marked is part of a template", "mark the line where the value is written out"
		}
		r.problem(m.line, m.col, what, fix)
		return
	}
	s := found[0]
	value, col := line[s.start:s.end], utf8.RuneCountInString(line[:s.start])+1
	switch {
	case strings.Contains(value, "$") || isPlaceholder(value):
		r.note(r.number, col, "a placeholder stands here: it is left alone")
	case s.whole && m.part != Ref:
		r.problem(m.line, m.col, fmt.Sprintf("the line that is marked holds a whole reference, not its %s", m.part), `remove "part"`)
	case s.whole && r.stages.has(value):
		r.problem(m.line, m.col, "the line that is marked names a stage, not an image", "mark the FROM of that stage, where it has an image, or remove the marker")
	case !m.part.fits(value):
		r.problem(m.line, m.col, fmt.Sprintf("the value on the line that is marked is no %s of an image", m.part.word()), "mark a value that is one, or leave it empty there, which is filled; lines that can be marked have "+lineForms)
	case !s.whole && s.isBare(line) && isTyped(line[:s.start], value):
		r.problem(m.line, m.col, "the value on the line that is marked has no quotes, and may be a number or a name of another value", `write it in quotes, or as KEY=VALUE without blanks`)
	case !s.whole && m.part.isWord(value, s.key(line)):
		bad := m.part.wordFault()
		r.problem(m.line, m.col, bad.what, bad.fix)
	default:
		site := m.site(Place{Line: r.number, Col: col, Value: value})
		site.ID.Field = m.says()
		r.sites = append(r.sites, site)
	}
}
