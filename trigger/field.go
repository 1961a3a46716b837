package trigger

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v4"

	"github.com/towpath/towpath/imagestream"
	"github.com/towpath/towpath/yamledit"
)

// A Field is a place that follows a tag because the repository's config says so. It
// leads to a single value or to an entry of a kustomization's images.
type Field struct {
	At      yamledit.Selector
	Follows imagestream.TagRef
	Part    Part  // of a single value; empty: Ref
	Wish    Style // as Site.Wish
	Line    int   // in the repository's config, for problems
}

// where names the line of the config.
func (d Field) where() string { return fmt.Sprintf("line %d of .towpath.yaml", d.Line) }

// fields finds the fields that the config names, after all that the file says itself.
func (f *finding) fields(file *yamledit.File, fields []Field) {
	var sites []siteIn
	for _, field := range fields {
		sites = append(sites, f.field(file, field)...)
	}
	for _, s := range joined(sites) {
		if !f.stale(s) {
			f.use(s.object, s.Site)
		}
	}
}

// field finds a field in each document that has it, each a site. What no document has
// is a problem, but for a key that an entry of a kustomization's images may lack.
func (f *finding) field(file *yamledit.File, field Field) (sites []siteIn) {
	var near *yamledit.Node // where all but the last key is there
	there := false
	for i, d := range file.Docs {
		at, found := field.At.Find(d.Root)
		if at == nil {
			continue
		}
		o, rest := objectAt(i, d.Root, at)
		if !found && o.entryKey(rest) == "" {
			near = cmp.Or(near, o.find(rest[:len(rest)-1]...))
			continue
		}
		there = true
		if s, ok := f.fieldAt(o, rest, field); ok {
			sites = append(sites, s)
		}
	}
	what := fmt.Sprintf("nothing stands at %s, which follows %s by %s", field.At, field.Follows, field.where())
	switch {
	case there:
	case near != nil:
		f.problem(near.Line, near.Column, what, "write the key with a blank, which is replaced, or correct the field")
	default:
		f.problem(1, 1, what, "correct the field there, or leave this file out of its paths")
	}
	return sites
}

// fieldAt is the site at a path of an object.
func (f *finding) fieldAt(o object, at yamledit.Path, field Field) (siteIn, bool) {
	s := siteIn{object: o, in: at[:len(at)-1]}
	s.ID = o.fieldID(at)
	s.Follows, s.Form, s.Wish = field.Follows, "field", field.Wish
	if field.Part = cmp.Or(field.Part, Ref); field.Part == Ref {
		field.Part = cmp.Or(o.entryKey(at), Ref)
	}
	switch {
	case f.unfit(o, at, field):
		return s, false
	case field.Part == Ref && o.isEntry(at):
		s.in, s.Places = at, o.entry(at, field.Wish)
	default:
		p := o.place(field.Part, at...)
		if p.Part == Ref || p.Part == Name {
			p.Before, p.Value = cutScheme(p.Value)
		}
		s.Places, s.part = []Place{p}, p.Part != Ref
	}
	if i := slices.IndexFunc(s.Places, f.taken); i >= 0 {
		p := s.Places[i]
		f.note(p.Line, p.Col, "the file itself says what this follows: "+field.where()+" is not used")
		return s, false
	}
	return s, true
}

// unfit says why no image can stand at a path of an object, if it cannot.
func (f *finding) unfit(o object, at yamledit.Path, field Field) bool {
	n, key := o.find(at...), o.entryKey(at)
	in := cmp.Or(n, o.find(at[:len(at)-1]...))
	bad := func(fix, what string, args ...any) { f.problem(in.Line, in.Column, fmt.Sprintf(what, args...), fix) }
	switch {
	case o.kind == "Template" && o.find("objects") != nil:
		f.processed(o)
	case o.kind == "ImageStream" && at[0] == "status", o.identifies(at), o.namesTag(at):
		bad("name the image", "%s is no image: %s cannot follow by it", field.At, field.where())
	case key != "" && field.Part != key && !(key == Tag && field.Part == TagDigest):
		bad("remove part there", "%s holds the %s of an image; by %s its %s follows", field.At, key, field.where(), field.Part)
	case n != nil && n.Kind != yaml.ScalarNode && !(field.Part == Ref && o.isEntry(at)):
		bad("name a value in it", "%s is a mapping or a list; by %s one value follows", field.At, field.where())
	default:
		return false
	}
	return true
}

// joined are sites with those in one that are parts of one image: they stand in one mapping,
// and follow one tag.
func joined(sites []siteIn) []siteIn {
	var all []siteIn
	for _, s := range sites {
		i := slices.IndexFunc(all, func(t siteIn) bool {
			return s.part && t.part && s.Follows == t.Follows && s.object.doc == t.object.doc &&
				slices.Equal(s.object.path(s.in...), t.object.path(t.in...)) && !t.holds(s.Places[0].Part)
		})
		if i < 0 {
			all = append(all, s)
			continue
		}
		all[i].join(s)
	}
	return all
}

func (s Site) holds(part Part) bool {
	return slices.ContainsFunc(s.Places, func(p Place) bool { return p.Part == part })
}

// stale reports whether a site would leave the tag or the digest of another image in its
// entry of images.
func (f *finding) stale(s siteIn) bool {
	tag := s.holds(Tag) || s.holds(TagDigest)
	if !s.object.isEntry(s.in) || !tag && !s.holds(Digest) {
		return false
	}
	for _, e := range entryParts[1:] {
		n := s.object.find(append(slices.Clone(s.in), e.key)...)
		if !isNull(n) && !s.holds(e.part) && !(e.part == Tag && tag) {
			f.problem(n.Line, n.Column, e.key+" stands here, too, and would stay that of another image", "let the whole entry follow: images[?(@.name==\"…\")]")
			return true
		}
	}
	n := s.object.find(append(slices.Clone(s.in), "tagSuffix")...)
	if !isNull(n) {
		f.problem(n.Line, n.Column, "Kustomize takes no tagSuffix beside the newTag or digest that follows", "remove tagSuffix")
	}
	return !isNull(n)
}

// taken reports whether the file itself says that a place follows.
func (f *finding) taken(p Place) bool {
	return slices.ContainsFunc(f.sites, func(s Site) bool {
		return s.Form != "field" && slices.ContainsFunc(s.Places, func(q Place) bool { return p.Doc == q.Doc && slices.Equal(p.At, q.At) })
	})
}

// entryParts are the keys of an entry of images that say what becomes of the image called
// name, in the order in which they are written.
var entryParts = []struct {
	key  string
	part Part
}{{"newName", Name}, {"newTag", Tag}, {"digest", Digest}}

// entry are the places of an entry of images: the keys that are there, and those that a
// style needs. Kustomize writes NAME:newTag@digest, or what of the two is there; so a digest
// beside a tag is always rewritten with it. Without a newName the image keeps its name.
func (o object) entry(at yamledit.Path, wish Style) []Place {
	key := func(k string) yamledit.Path { return append(slices.Clone(at), k) }
	there := func(k string) bool { return o.find(key(k)...) != nil }
	needs := map[string]bool{
		"newName": true,
		"newTag":  wish == ByTag || wish == ByTagDigest,
		"digest":  wish == ByDigest || wish == ByTagDigest || wish == "" && !there("newTag"),
	}
	var places []Place
	for _, e := range entryParts {
		if !there(e.key) && !needs[e.key] {
			continue
		}
		p := o.place(e.part, key(e.key)...)
		if e.part == Name && p.Value == "" {
			p.Value = o.text(key("name")...)
		}
		places = append(places, p)
	}
	return places
}

// entryKey is the part that a path's last key holds in an entry of images; empty for
// other paths.
func (o object) entryKey(at yamledit.Path) Part {
	last := len(at) - 1
	for _, e := range entryParts {
		if last > 0 && at[last] == e.key && o.isEntry(at[:last]) {
			return e.part
		}
	}
	return ""
}

// isEntry reports whether a path leads to an entry of images, of Kustomize's own file or of
// Flux's Kustomization.
func (o object) isEntry(at yamledit.Path) bool {
	n := o.find(at...)
	list := at[:max(len(at)-1, 0)].String()
	switch o.kind {
	case "":
		if list != "images" {
			return false
		}
	case "Kustomization", "Component":
		if list != "images" && list != "spec.images" {
			return false
		}
	default:
		return false
	}
	if !isMapping(n) || text(yamledit.Lookup(n, yamledit.Path{"name"})) == "" {
		return false
	}
	for i := 0; i < len(n.Content); i += 2 {
		if !slices.Contains([]string{"name", "newName", "newTag", "digest", "tagSuffix"}, n.Content[i].Value) {
			return false
		}
	}
	return true
}

// objectAt is the object of a document that a path leads into, an element of a List or the
// document, and the rest of the path.
func objectAt(doc int, root *yamledit.Node, at yamledit.Path) (object, yamledit.Path) {
	o := object{doc: doc, node: root}
	if o.text("kind") == "List" && len(at) > 2 && at[0] == "items" {
		if item := o.find(at[:2]...); isMapping(item) {
			o.node, o.at, at = item, at[:2], at[2:]
		}
	}
	if o.kind = o.text("kind"); o.kind != "" {
		o.namespace = o.text("metadata", "namespace")
		o.name = cmp.Or(o.text("metadata", "name"), o.text("metadata", "generateName"))
	}
	return o, at
}

// fieldID names the value at a path of an object: by its container where it is the image of
// one, as a trigger would.
func (o object) fieldID(at yamledit.Path) ID {
	id := ID{Kind: o.kind, Namespace: o.namespace, Name: o.name}
	if n := len(at); n > 2 && at[n-1] == "image" && o.name != "" && (at[n-3] == "containers" || at[n-3] == "initContainers") {
		if id.Container = o.text(append(slices.Clone(at[:n-1]), "name")...); id.Container != "" {
			return id
		}
	}
	id.Field = o.called(at)
	return id
}

// called is a path as people say it, with the names of elements that have one:
// images[web].newTag.
func (o object) called(at yamledit.Path) string {
	var b strings.Builder
	for i, step := range at {
		key := yamledit.Path{step}.String()
		if _, ok := step.(int); ok {
			name := o.text(append(slices.Clone(at[:i+1]), "name")...)
			if name != "" && len(name) <= 100 && !strings.ContainsFunc(name, func(r rune) bool { return r == '[' || r == ']' || !unicode.IsPrint(r) }) {
				key = "[" + name + "]"
			}
		}
		if b.Len() > 0 && key[0] != '[' {
			b.WriteByte('.')
		}
		b.WriteString(key)
	}
	return b.String()
}
