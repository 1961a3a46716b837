package reconcile

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/towpath/towpath/imagestream"
	"github.com/towpath/towpath/registry"
)

// An alias is a tag whose image is not asked for: another tag's, one that a stream
// had, or a reference that stands for itself. Nothing of it is kept but what is on
// record; every pass works it out again.
type alias struct {
	stream *Stream
	tag    *imagestream.Tag
	source imagestream.TagRef // what it follows; without a Tag where it names an image
	image  string             // digest of that image, or the beginning of it
	found  *imagestream.Item  // that image, where it was on record before this pass
}

func (a *alias) ref() imagestream.TagRef {
	return imagestream.TagRef{Stream: a.stream.Name, Tag: a.tag.Name}
}

// aliasOf makes the alias that a tag is; false where it is none.
func aliasOf(s *Stream, t *imagestream.Tag) (alias, bool) {
	a := alias{stream: s, tag: t}
	a.source.Stream = imagestream.Name{Namespace: cmp.Or(t.From.Namespace, s.Name.Namespace), Name: s.Name.Name}
	separator := ":"
	switch t.From.Kind {
	case imagestream.DockerImage:
		return a, t.Reference
	case imagestream.ImageStreamImage:
		separator = "@"
	case imagestream.ImageStreamTag:
	default:
		return a, false
	}
	name, rest, full := strings.Cut(t.From.Name, separator)
	if full {
		a.source.Stream.Name = name
	} else {
		rest = t.From.Name
	}
	if separator == ":" {
		a.source.Tag = cmp.Or(rest, "latest")
	} else if a.image = rest; registry.ValidDigest("sha256:" + rest) {
		a.image = "sha256:" + rest
	}
	return a, true
}

// bindAliases puts the aliases of all streams in order, sources first, and says
// which cannot be resolved: those that follow each other, and those whose stream is
// not there.
func (c *Catalog) bindAliases() {
	o := order{cat: c, all: map[imagestream.TagRef]*alias{}, seen: map[imagestream.TagRef]bool{}, done: map[imagestream.TagRef]bool{}}
	var refs []imagestream.TagRef
	for _, s := range c.Streams {
		for i := range s.Spec.Tags {
			t := &s.Spec.Tags[i]
			if t.From.Kind == imagestream.DockerImage && !t.Reference {
				continue // most are no aliases
			}
			if a, ok := aliasOf(s, t); ok {
				o.all[a.ref()] = &a
				refs = append(refs, a.ref())
			}
		}
	}
	c.aliases = nil
	for _, ref := range refs {
		o.visit(ref)
	}
}

// order is the walk from aliases to their sources.
type order struct {
	cat  *Catalog
	all  map[imagestream.TagRef]*alias
	seen map[imagestream.TagRef]bool
	done map[imagestream.TagRef]bool
	path []*alias // from where the walk began
}

func (o *order) visit(ref imagestream.TagRef) {
	a := o.all[ref]
	if a == nil || o.done[ref] {
		return
	}
	if o.seen[ref] {
		o.loop(o.path[slices.Index(o.path, a):])
		return
	}
	o.seen[ref] = true
	o.path = append(o.path, a)
	if a.source.Tag != "" {
		o.visit(a.source)
	}
	o.path = o.path[:len(o.path)-1]
	if o.done[ref] {
		return // part of a loop
	}
	o.done[ref] = true
	o.cat.aliases = append(o.cat.aliases, *a)
	o.cat.missing(a)
}

// loop says of each tag which one it leads back to, and where that stands.
func (o *order) loop(loop []*alias) {
	for i, a := range loop {
		o.done[a.ref()] = true
		next := loop[(i+1)%len(loop)]
		what := fmt.Sprintf("tag %s follows %s (%s:%d), which follows it back: neither can be resolved", a.tag.Name, next.ref(), next.stream.Path, next.tag.Line)
		if next == a {
			what = fmt.Sprintf("tag %s follows itself", a.tag.Name)
		}
		o.cat.Problems = append(o.cat.Problems, imagestream.Problem{
			Path: a.stream.Path, Line: a.tag.Line, Col: a.tag.Col, What: what,
			Fix: "give one of them an image of its own: from: {kind: DockerImage, name: …}",
		})
	}
}

// missing says why an alias has no source, if it has none.
func (c *Catalog) missing(a *alias) {
	if a.tag.From.Kind == imagestream.DockerImage {
		return
	}
	p := imagestream.Problem{Path: a.stream.Path, Line: a.tag.Line, Col: a.tag.Col}
	s := c.Stream(a.source.Stream)
	switch {
	case c.twice[a.source.Stream]:
		return // said where they stand
	case s == nil && c.hidden[a.source.Stream] != "":
		p.What = fmt.Sprintf("tag %s is from image stream %s, which is left alone: %s", a.tag.Name, a.source.Stream, c.hidden[a.source.Stream])
		p.Fix = "put that right, or name the image: from: {kind: DockerImage, name: …}"
	case s == nil:
		p.What = fmt.Sprintf("tag %s is from image stream %s, which is not in this repository", a.tag.Name, a.source.Stream)
		p.Fix = "correct from.name or from.namespace, add that stream, or name the image: from: {kind: DockerImage, name: …}"
	case a.source.Tag != "" && s.specTag(a.source.Tag) == nil && s.record(a.source.Tag) == nil && !slices.Contains(s.Spec.Broken, a.source.Tag):
		p.Note = true
		p.What = fmt.Sprintf("tag %s waits for %s, which %s:%d neither names nor has on record", a.tag.Name, a.source, s.Path, s.Line)
	default:
		return
	}
	c.Problems = append(c.Problems, p)
}

// derive says what aliases are in the record as it will stand with the answers, and
// records that where it may be written. Sources come first; an image that
// another alias is the first to bring to its stream wakes those that wait for it.
func (r *Recorded) derive(records func(*alias) bool) {
	d := derivation{Recorded: r, records: records, items: map[imagestream.TagRef]imagestream.Item{},
		fresh: map[imagestream.Name]map[string][]arrival{}, waiting: map[imageRef][]*alias{}}
	aliases := r.cat.aliases
	for i := range aliases {
		if a := &aliases[i]; a.waits() {
			d.watch(a.source.Stream)
		}
	}
	for i := range aliases {
		a := &aliases[i]
		if !records(a) {
			continue
		}
		if item, ok := d.itemOf(a); ok {
			d.set(a, item)
		} else if a.waits() {
			ref := imageRef{a.source.Stream, a.image}
			d.waiting[ref] = append(d.waiting[ref], a)
		}
	}
	changed := map[*StatusChange]bool{}
	for i := range aliases {
		a := &aliases[i]
		if item, ok := d.items[a.ref()]; ok && d.differs(a, item) {
			changed[r.add(a.stream, 0, imagestream.Event{Tag: a.tag.Name, Item: &item, Clear: true})] = true
		}
	}
	for ch := range changed {
		r.fold(ch)
	}
}

// A derivation is the work of derive: the record does not change before it is done.
type derivation struct {
	*Recorded
	records func(*alias) bool
	items   map[imagestream.TagRef]imagestream.Item   // what aliases are
	fresh   map[imagestream.Name]map[string][]arrival // by digest: images that came in this pass, of streams whose images are waited for
	waiting map[imageRef][]*alias                     // for images that are not there yet
	follows map[imagestream.TagRef][]*alias           // made when it is needed
}

// An arrival is an image that a tag of a stream brings in this pass: to those who see that tag.
type arrival struct {
	tag  imagestream.TagRef
	item imagestream.Item
}

// imageRef names an image of a stream by its whole digest.
type imageRef struct {
	stream imagestream.Name
	image  string
}

// waits reports whether an alias may become an image that comes in this pass. The
// beginning of a digest waits for the next, which knows what else begins so.
func (a *alias) waits() bool {
	return a.found == nil && registry.ValidDigest(a.image)
}

// watch begins to note the images that come to a stream, with those of answers.
func (d *derivation) watch(stream imagestream.Name) {
	if d.fresh[stream] != nil {
		return
	}
	images := map[string][]arrival{}
	for _, st := range d.after[stream].Tags {
		if len(st.Items) > 0 {
			item := st.Items[0]
			images[item.Image] = append(images[item.Image], arrival{imagestream.TagRef{Stream: stream, Tag: st.Tag}, item})
		}
	}
	d.fresh[stream] = images
}

// set says what an alias is.
func (d *derivation) set(a *alias, item imagestream.Item) {
	d.items[a.ref()] = item
	images := d.fresh[a.stream.Name]
	if images == nil || item.Image == "" {
		return
	}
	images[item.Image] = append(images[item.Image], arrival{a.ref(), item})
	ref := imageRef{a.stream.Name, item.Image}
	var woken, still []*alias
	for _, w := range d.waiting[ref] {
		if d.inSight(w, a.ref()) {
			woken = append(woken, w)
		} else {
			still = append(still, w)
		}
	}
	d.waiting[ref] = still
	for _, w := range woken {
		d.wake(w, item)
	}
}

// wake sets an alias whose turn is over, and those that follow it.
func (d *derivation) wake(a *alias, item imagestream.Item) {
	if d.follows == nil {
		d.follows = map[imagestream.TagRef][]*alias{}
		for i := range d.cat.aliases {
			f := &d.cat.aliases[i]
			d.follows[f.source] = append(d.follows[f.source], f)
		}
	}
	d.set(a, item)
	for _, f := range d.follows[a.ref()] {
		if d.records(f) && d.inSight(f, a.ref()) {
			d.wake(f, item)
		}
	}
}

// inSight reports whether an alias sees the record of a tag as it will stand.
func (d *derivation) inSight(a *alias, tag imagestream.TagRef) bool {
	return d.sees(d.laneOf(a.ref()), tag)
}

// itemOf is the item that an alias stands for now.
func (d *derivation) itemOf(a *alias) (imagestream.Item, bool) {
	switch {
	case a.tag.From.Kind == imagestream.DockerImage:
		return imagestream.Item{Created: d.options.Now, Reference: a.tag.From.Name}, true
	case a.found != nil:
		return *a.found, true
	case a.source.Tag == "":
		for _, came := range d.fresh[a.source.Stream][a.image] {
			if d.inSight(a, came.tag) {
				return came.item, true
			}
		}
		return imagestream.Item{}, false
	}
	r := d.Recorded
	if !d.inSight(a, a.source) {
		r = d.asMerged()
	} else if item, ok := d.items[a.source]; ok {
		return item, true
	}
	s := r.cat.Stream(a.source.Stream)
	if s == nil || s.Malformed || slices.Contains(s.Spec.Broken, a.source.Tag) {
		return imagestream.Item{}, false
	}
	st := r.tag(s, a.source.Tag)
	if st == nil || len(st.Items) == 0 {
		return imagestream.Item{}, false
	}
	return st.Items[0], true
}

// differs reports whether an alias is not on record as that item.
func (d *derivation) differs(a *alias, item imagestream.Item) bool {
	st := d.tag(a.stream, a.tag.Name)
	return st == nil || len(st.Items) == 0 || st.Source != nil || st.Failure != nil ||
		st.Items[0].Reference != item.Reference || st.Items[0].Image != item.Image
}
