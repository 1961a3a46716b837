package trigger

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/towpath/towpath/imagestream"
)

// What a comment says that is a marker:
//
//	image: quay.io/canal/web:1.4 # {"$imagestream": "team1/web:stable"}
//	tag: "1.4" # {"$imagestream": "web:stable", "part": "tag"}
//	image: ghcr.io/canal/web:1.4 # {"$imagepolicy": "flux-system:web"}
//
// Other words may stand before and behind the JSON.
const (
	markerKey = `"$imagestream"`
	policyKey = `"$imagepolicy"` // Flux's
)

// maxMarkers is how many a file may hold.
const maxMarkers = 5000

// A marker is what a comment says of a value.
type marker struct {
	follows imagestream.TagRef
	policy  string // of Flux, as Site.Policy
	part    Part
	said    bool // the part is; else it is Ref, or what the value's key can hold alone
	wish    Style
	paused  bool
}

// A fault says what is wrong with a marker, and what to write.
type fault struct{ what, fix string }

const example = `{"$imagestream": "STREAM:TAG"}`

// readMarker reads the marker of a comment's text; start and end are where its JSON stands
// there. Where there is none, as where one is only spoken of, found is false.
func readMarker(text string) (m marker, start, end int, found bool, bad *fault) {
	if start, found = markerStart(text); !found {
		return m, 0, 0, false, nil
	}
	if text[start] != '{' {
		return m, start, start, true, &fault{"the marker has no braces", "write it as " + example}
	}
	ms, size, err := readMembers(text[start:])
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = errors.New("it does not end on its line")
	}
	if err != nil {
		return m, start, start, true, &fault{"the marker is not well-formed JSON: " + err.Error(), "write it in one line, as " + example}
	}
	end = start + size
	if _, again := markerStart(text[end:]); again {
		return m, start, end, true, &fault{"two markers stand in one comment", "keep one of them"}
	}
	m, bad = ms.marker()
	return m, start, end, true, bad
}

// markerStart is where in a text the JSON of a marker starts; where its braces are missing,
// the key.
func markerStart(text string) (start int, found bool) {
	for at := 0; ; {
		key := nextKey(text[at:])
		if key < 0 {
			return 0, false
		}
		key += at
		at = key + len(markerKey)
		if !strings.HasPrefix(strings.TrimLeft(text[at:], " \t"), ":") {
			continue
		}
		if open := strings.LastIndexByte(text[:key], '{'); open >= 0 {
			return open, true
		}
		return key, true
	}
}

// nextKey is where in a text the first key of a marker stands, -1 where there is none.
func nextKey(text string) int {
	const prefix = `"$image` // of both
	for at := 0; ; at++ {
		i := strings.Index(text[at:], prefix)
		if i < 0 {
			return -1
		}
		if at += i; strings.HasPrefix(text[at:], markerKey) || strings.HasPrefix(text[at:], policyKey) {
			return at
		}
	}
}

const outNote = "the line of the marker is commented out: it is left alone"

// commentedOut reports whether what stands before a marker, in a comment that has a line of its
// own, is a line with a comment at its end.
func commentedOut(before string) bool {
	before = strings.TrimLeft(before, "#/;-*<! \t")
	c, _ := commentIn(before)
	return c.start < len(before)
}

// members are those of a JSON object, in order.
type members []member

type member struct {
	key   string
	value any
}

// readMembers reads the JSON object that a text starts with; size is its length.
func readMembers(text string) (ms members, size int, err error) {
	d := json.NewDecoder(strings.NewReader(text))
	if _, err := d.Token(); err != nil {
		return nil, 0, err
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, 0, err
		}
		m := member{key: fmt.Sprint(key)}
		if err := d.Decode(&m.value); err != nil {
			return nil, 0, err
		}
		ms = append(ms, m)
	}
	_, err = d.Token()
	return ms, int(d.InputOffset()), err
}

// marker is what the members say.
func (ms members) marker() (m marker, bad *fault) {
	m.part = Ref
	seen := map[string]bool{}
	for _, x := range ms {
		if seen[x.key] {
			return m, &fault{fmt.Sprintf("the marker has %.40q twice", x.key), "remove one of them"}
		}
		seen[x.key] = true
		if bad := m.take(x); bad != nil {
			return m, bad
		}
	}
	switch stream := seen["$imagestream"]; {
	case stream && seen["$imagepolicy"]:
		return m, &fault{"the marker follows a tag and a policy at once", `keep "$imagestream" or "$imagepolicy"`}
	case !stream && (seen["part"] || seen["form"]):
		return m, &fault{`"part" and "form" do not go with "$imagepolicy"`, `write "$imagestream" in place of it, or the part as Flux does: "NAMESPACE:NAME:tag"`}
	case m.wish != "" && m.part != Ref:
		return m, m.formless()
	}
	return m, nil
}

// formless says that a part has no form.
func (m marker) formless() *fault {
	fix := `remove "form"`
	if m.said {
		fix += ` or "part"`
	}
	return &fault{fmt.Sprintf(`"form" is how a whole reference is written, and this marker follows its %s`, m.part), fix}
}

// take takes one member in.
func (m *marker) take(x member) *fault {
	if x.key == "paused" {
		paused, ok := x.value.(bool)
		if m.paused = paused; !ok {
			return &fault{`"paused" of the marker is neither true nor false`, `"paused": true, without quotes round true`}
		}
		return nil
	}
	text, ok := x.value.(string)
	if slices.Contains([]string{"$imagestream", "$imagepolicy", "part", "form"}, x.key) && !ok {
		return &fault{fmt.Sprintf("%q of the marker is no text", x.key), "write its value in quotes"}
	}
	switch x.key {
	case "$imagestream":
		return m.followTag(text)
	case "$imagepolicy":
		return m.followPolicy(text)
	case "part":
		if m.part, m.said = Part(text), true; !slices.Contains([]Part{Ref, Name, Tag, Digest, TagDigest}, m.part) {
			return &fault{fmt.Sprintf("an image has no part %.40q", text), `"part": "ref", or "name", "tag", "digest" or "tag@digest"`}
		}
	case "form":
		if m.wish = Style(text); !slices.Contains([]Style{ByDigest, ByTagDigest, ByTag}, m.wish) {
			return &fault{fmt.Sprintf("a reference has no form %.40q", text), `"form": "digest", or "tag@digest" or "tag"`}
		}
	default:
		return &fault{fmt.Sprintf("a marker has no %.40q", x.key), `beside "$imagestream" there are "part", "form" and "paused"`}
	}
	return nil
}

// followTag reads NAMESPACE/STREAM:TAG.
func (m *marker) followTag(text string) *fault {
	ref, err := imagestream.ParseTagRef(strings.TrimSuffix(text, ":"))
	if m.follows = ref; err != nil {
		return &fault{fmt.Sprintf("%.300q, which the marker follows, %v", text, err), `write ` + example + ` or {"$imagestream": "NAMESPACE/STREAM:TAG"}`}
	}
	return nil
}

// says is what a marker follows, in words: team1/web:stable, and the part where it is no
// whole reference.
func (m marker) says() string {
	what := cmp.Or(m.policy, m.follows.String())
	if m.part != Ref {
		what += " " + string(m.part)
	}
	return what
}

// site is the site of a marker that stands beside one value.
func (m marker) site(p Place) Site {
	s := Site{Line: p.Line, Col: p.Col, Follows: m.follows, Policy: m.policy, Form: "marker", Wish: m.wish, Paused: m.paused}
	if m.policy != "" && m.part == Ref {
		s.Wish = fluxStyle(p.Value)
	}
	p.Part = m.part
	if m.part == Ref || m.part == Name {
		p.Before, p.Value = cutScheme(p.Value)
	}
	s.Places = []Place{p}
	return s
}
