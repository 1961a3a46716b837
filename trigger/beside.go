package trigger

import (
	"cmp"
	"fmt"
	"slices"
	"unicode/utf8"

	"github.com/towpath/towpath/imagestream"
	"github.com/towpath/towpath/yamledit"
)

// A mark is a marker with the value that it stands beside.
type mark struct {
	marker
	yamledit.Scalar
	Own       bool // as of its comment
	line, col int
}

// markers finds what comments of a file of YAML make follow: the value on their line, or the
// one below a comment that has a line of its own.
func (f *finding) markers(file *yamledit.File) {
	comments := file.Comments(markerKey, policyKey)
	if len(comments) > maxMarkers {
		f.tooMany(comments[maxMarkers].Line)
		return
	}
	var marks []mark
	onLine := map[*yamledit.Node]bool{} // values with a marker on their own line
	for _, c := range comments {
		if m, ok := f.mark(c); ok {
			marks = append(marks, m)
			f.moving[m.Node] = true
			onLine[m.Node] = onLine[m.Node] || !c.Own
		}
	}
	var sites []siteIn
	for _, m := range marks {
		if m.Own && onLine[m.Node] {
			f.note(m.line, m.col, "the value below has a marker on its own line, which counts in place of this one")
			continue
		}
		if s, ok := f.marked(m); ok {
			sites = append(sites, s)
		}
	}
	f.composed(sites)
}

func (f *finding) tooMany(line int) {
	f.problem(line, 1, fmt.Sprintf("the file has more than %d markers: none of them is used", maxMarkers), "split the file")
}

// mark reads a comment that may be a marker.
func (f *finding) mark(c yamledit.Comment) (mark, bool) {
	m, start, _, found, bad := readMarker(c.Text)
	if !found {
		return mark{}, false
	}
	col := c.Col + utf8.RuneCountInString(c.Text[:start])
	switch {
	case c.Own && commentedOut(c.Text[:start]):
		f.note(c.Line, col, outNote)
	case bad != nil:
		f.problem(c.Line, col, bad.what, bad.fix)
	case len(c.Beside) == 0:
		f.problem(c.Line, col, "the marker stands beside no value", "write it at the end of the value's line, or on a line of its own above")
	case len(c.Beside) > 1:
		f.problem(c.Line, col, "the marker stands beside more than one value", "give the value that is meant a line of its own")
	default:
		return mark{m, c.Beside[0], c.Own, c.Line, col}, true
	}
	return mark{}, false
}

// A siteIn is a site of one place, with what it is in.
type siteIn struct {
	Site
	in   way  // to the collection around the place
	part bool // of an image, in a mapping: others there may belong to it
}

// marked is the site that a mark makes, unless its value is not to be written.
func (f *finding) marked(m mark) (siteIn, bool) {
	w := f.way(m.Doc, m.At, m.Way)
	key := w.entryKey()
	if key != "" && !m.said {
		m.part = key
	}
	switch value := text(m.Node); {
	case w.kind == "Template" && w.find("objects") != nil:
		f.processed(w.object)
	case isPlaceholder(value):
		f.note(m.Node.Line, m.Node.Column, "a placeholder stands here: it is left alone")
	case m.Why != "":
		f.problem(m.line, m.col, "the marked value cannot be edited: "+m.Why, "write the value out there, or mark it where it is written out")
	case key != "" && m.part != key && !(key == Tag && m.part == TagDigest):
		f.problem(m.line, m.col, fmt.Sprintf("%s holds the %s of an image, and the marker follows its %s", w.key(), key, m.part.word()), fmt.Sprintf(`"part": "%s", or none`, key))
	case m.wish != "" && m.part != Ref:
		f.fault(m, m.formless())
	case !m.part.fits(value):
		f.problem(m.line, m.col, fmt.Sprintf("the marked value is no %s of an image", m.part.word()), "mark a value that is one, or write a blank there, which is replaced")
	case w.kind == "ImageStream" && w.at[0] == "status":
		f.problem(m.line, m.col, "the marker stands in the status of an image stream, which is the record itself", "remove it")
	case w.key() == "name" && w.up().isEntry():
		f.problem(m.line, m.col, "the marked value is the name that Kustomize looks for in the manifests", "mark newName, newTag or digest of the entry")
	case w.identifies():
		f.problem(m.line, m.col, "the marked value says what the object or the container is called", "mark the image")
	case w.namesTag():
		f.problem(m.line, m.col, "the marked value is the name of a tag of a stream, not an image", "kind: DockerImage, or no marker here")
	case m.part.isWord(value, w.key()):
		f.fault(m, m.part.wordFault())
	default:
		s := m.site(Place{Doc: m.Doc, At: m.At, Line: m.Node.Line, Col: m.Node.Column, Value: value})
		s.ID = f.fieldID(w, s.what())
		return siteIn{s, w.up(), w.key() != "" && m.part != Ref}, true
	}
	return siteIn{}, false
}

func (f *finding) fault(m mark, bad *fault) { f.problem(m.line, m.col, bad.what, bad.fix) }

// processed says of a template what package imagestream says of one that holds a stream.
func (f *finding) processed(o object) {
	objects := o.find("objects")
	streams := objects != nil && slices.ContainsFunc(objects.Content, func(n *yamledit.Node) bool { return object{node: n}.text("kind") == "ImageStream" })
	said := slices.ContainsFunc(f.problems, func(p imagestream.Problem) bool { return p.Note && p.Line == o.node.Line && p.Col == o.node.Column })
	if !streams && !said {
		f.note(o.node.Line, o.node.Column, "a template is read when somebody has processed it: its triggers are left alone")
	}
}

// what a site follows, in words: team1/web:stable.
func (s Site) what() string { return cmp.Or(s.Policy, s.Follows.String()) }

// composed takes sites in, in one those that are parts of one image: they stand in one mapping,
// and follow one tag. Where a mapping holds the same part twice, as in webTag and cronTag, it
// is of several images, and each part moves for itself.
func (f *finding) composed(sites []siteIn) {
	wholes := map[image][]siteIn{}
	var order []image
	for _, s := range sites {
		if !s.part {
			f.sites = append(f.sites, s.Site)
			continue
		}
		of := s.image()
		if wholes[of] == nil {
			order = append(order, of)
		}
		wholes[of] = append(wholes[of], s)
	}
	for _, of := range order {
		parts := wholes[of]
		whole := parts[0]
		for _, part := range parts[1:] {
			f.join(&whole, part)
		}
		if !whole.again() {
			if !f.stale(whole) {
				f.sites = append(f.sites, whole.Site)
			}
			continue
		}
		for _, part := range parts {
			f.sites = append(f.sites, part.Site)
		}
	}
}

// An image of several parts is what follows one tag in one mapping.
type image struct {
	doc         int
	in, follows string
}

func (s siteIn) image() image {
	return image{s.in.doc, s.in.path(s.in.at...).String(), s.Policy + " " + s.Follows.String()}
}

// join gives a site another part of its image.
func (f *finding) join(s *siteIn, part siteIn) {
	s.Places = append(s.Places, part.Places...)
	s.Paused = s.Paused || part.Paused
	s.ID.Field = cmp.Or(f.called(s.in, s.what()), ".")
}

// again reports whether two places hold the same part.
func (s Site) again() bool {
	seen := map[Part]bool{}
	for _, p := range s.Places {
		if seen[p.Part] {
			return true
		}
		seen[p.Part] = true
	}
	return false
}
