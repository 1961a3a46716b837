package trigger

import (
	"cmp"
	"fmt"
	"slices"

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
	if len(fields) == 0 {
		return
	}
	var named []fieldIn
	for _, field := range fields {
		named = append(named, f.field(file, field)...)
	}
	for _, in := range named {
		if n := in.value(); n != nil {
			f.moving[n] = true
		}
	}
	taken := map[where]bool{}
	for _, s := range f.sites {
		for _, p := range s.Places {
			taken[p.where()] = true
		}
	}
	var sites []siteIn
	for _, in := range named {
		if s, ok := f.fieldAt(in, taken); ok {
			sites = append(sites, s)
		}
	}
	for _, s := range f.joined(sites) {
		if !f.stale(s) {
			f.use(s.in.object, s.Site)
		}
	}
}

// A fieldIn is a field that a document has, or could have.
type fieldIn struct {
	Field
	way
	root *yamledit.Node // of its document
}

// field finds a field in each document that has it. What no document has is a problem, but for
// a key that an entry of a kustomization's images may lack.
func (f *finding) field(file *yamledit.File, field Field) (named []fieldIn) {
	var near *yamledit.Node // where all but the last key is there
	for i, d := range file.Docs {
		at, found := field.At.Find(d.Root)
		if at == nil {
			continue
		}
		w := f.way(i, at, nodesAt(d.Root, at))
		if !found && w.entryKey() == "" {
			near = cmp.Or(near, w.up().value())
			continue
		}
		named = append(named, fieldIn{field, w, d.Root})
	}
	what := fmt.Sprintf("nothing stands at %s, which follows %s by %s", field.At, field.Follows, field.where())
	switch {
	case len(named) > 0:
	case near != nil:
		f.problem(near.Line, near.Column, what, "write the key with a blank, which is replaced, or correct the field")
	default:
		f.problem(1, 1, what, "correct the field there, or leave this file out of its paths")
	}
	return named
}

// fieldAt is the site that a field makes where nothing has taken its place.
func (f *finding) fieldAt(in fieldIn, taken map[where]bool) (siteIn, bool) {
	w, s := in.way, siteIn{in: in.up()}
	s.Follows, s.Form, s.Wish = in.Follows, "field", in.Wish
	s.ID = f.fieldID(w, s.what())
	if in.Part = cmp.Or(in.Part, Ref); in.Part == Ref {
		in.Part = cmp.Or(w.entryKey(), Ref)
	}
	switch {
	case f.unfit(in):
		return s, false
	case in.Part == Ref && w.isEntry():
		s.in, s.Places = w, w.entry(w.at, in.Wish)
	default:
		p := w.place(in.Part, w.at...)
		if p.Part == Ref || p.Part == Name {
			p.Before, p.Value = cutScheme(p.Value)
		}
		s.Places, s.part = []Place{p}, p.Part != Ref
	}
	if i := slices.IndexFunc(s.Places, func(p Place) bool { return taken[p.where()] }); i >= 0 {
		p := s.Places[i]
		f.note(p.Line, p.Col, "the file itself says what this follows: "+in.where()+" is not used")
		return s, false
	}
	return s, true
}

// unfit says why no image can stand where a field leads, if it cannot.
func (f *finding) unfit(in fieldIn) bool {
	w := in.way
	n, key := w.value(), w.entryKey()
	near := cmp.Or(n, w.up().value())
	bad := func(fix, what string, args ...any) {
		f.problem(near.Line, near.Column, fmt.Sprintf(what, args...), fix)
	}
	switch {
	case w.kind == "Template" && w.find("objects") != nil:
		f.processed(w.object)
	case w.kind == "ImageStream" && w.at[0] == "status", w.identifies(), w.namesTag():
		bad("name the image", "%s is no image: %s cannot follow by it", in.At, in.where())
	case key != "" && in.Part != key && !(key == Tag && in.Part == TagDigest):
		bad("remove part there", "%s holds the %s of an image; by %s its %s follows", in.At, key, in.where(), in.Part)
	case f.movesItsName(in):
		bad("choose the element by its place, [0], or by a value that stays", "%s is found by a value that follows, too, and would not be once that has moved", in.At)
	case n != nil && n.Kind != yaml.ScalarNode && !(in.Part == Ref && w.isEntry()):
		bad("name a value in it", "%s is a mapping or a list; by %s one value follows", in.At, in.where())
	default:
		return false
	}
	return true
}

// movesItsName reports whether a value by which a field is found follows, too.
func (f *finding) movesItsName(in fieldIn) bool {
	root := object{node: in.root}
	return slices.ContainsFunc(in.At.Chosen(in.path(in.way.at...)), func(at yamledit.Path) bool { return f.moving[root.find(at...)] })
}

// joined are sites with those in one that are parts of one image: they stand in one mapping,
// and follow one tag. The second tag of a mapping is one of the second image there.
func (f *finding) joined(sites []siteIn) []siteIn {
	var all []siteIn
	type part struct {
		image
		part Part
	}
	seen := map[part]int{}
	wholes := map[image][]int{} // of all, by their indices
	for _, s := range sites {
		if !s.part {
			all = append(all, s)
			continue
		}
		of := s.image()
		nth := seen[part{of, s.Places[0].Part}]
		seen[part{of, s.Places[0].Part}]++
		if nth < len(wholes[of]) {
			f.join(&all[wholes[of][nth]], s)
			continue
		}
		wholes[of] = append(wholes[of], len(all))
		all = append(all, s)
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
	if !s.in.isEntry() || !tag && !s.holds(Digest) {
		return false
	}
	for _, e := range entryParts[1:] {
		n := s.in.get(e.key)
		if !isNull(n) && !s.holds(e.part) && !(e.part == Tag && tag) {
			f.problem(n.Line, n.Column, e.key+" stands here, too, and would stay that of another image", "let the whole entry follow: images[?(@.name==\"…\")]")
			return true
		}
	}
	n := s.in.get("tagSuffix")
	if !isNull(n) {
		f.problem(n.Line, n.Column, "Kustomize takes no tagSuffix beside the newTag or digest that follows", "remove tagSuffix")
	}
	return !isNull(n)
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
