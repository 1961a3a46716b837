package reconcile

import (
	"cmp"
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/towpath/towpath/imagestream"
	"github.com/towpath/towpath/yamledit"
)

// An alias is a tag whose image is not asked for: another tag's, one that a stream
// had, or a reference that stands for itself. Nothing of it is kept but what is on
// record; every pass works it out again.
type alias struct {
	stream *Stream
	tag    *imagestream.Tag
	source imagestream.TagRef // what it follows; without a Tag where it names an image
	image  string             // beginning of the digest of that image
	found  *imagestream.Item  // that image, where source had it on record
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
	if separator == "@" {
		a.image = rest
	} else {
		a.source.Tag = cmp.Or(rest, "latest")
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
			if a, ok := aliasOf(s, &s.Spec.Tags[i]); ok {
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
	case s == nil:
		p.What = fmt.Sprintf("tag %s is from image stream %s, which is not in this repository", a.tag.Name, a.source.Stream)
		p.Fix = "correct from.name or from.namespace, add that stream, or name the image: from: {kind: DockerImage, name: …}"
	case a.source.Tag != "" && s.specTag(a.source.Tag) == nil && s.Status.Tag(a.source.Tag) == nil && !slices.Contains(s.Spec.Broken, a.source.Tag):
		p.Note = true
		p.What = fmt.Sprintf("tag %s waits for %s, which %s:%d neither names nor has on record", a.tag.Name, a.source, s.Path, s.Line)
	default:
		return
	}
	c.Problems = append(c.Problems, p)
}

// fix finds the images that aliases name. One that is on record stays as it is;
// for the others the whole history of their stream is read.
func (c *Catalog) fix(ctx context.Context) error {
	for i := range c.aliases {
		a := &c.aliases[i]
		source := c.Stream(a.source.Stream)
		if a.image == "" {
			continue
		}
		if st := a.stream.Status.Tag(a.tag.Name); st != nil && len(st.Items) > 0 && isImage(st.Items[0].Image, a.image) {
			a.found = &st.Items[0]
			continue
		}
		if source == nil || source.Malformed {
			continue
		}
		history, err := c.History(ctx, source)
		if err != nil {
			return err
		}
		c.fixed(a, history)
	}
	return nil
}

// fixed looks an image up in the history of its stream.
func (c *Catalog) fixed(a *alias, history imagestream.Status) {
	found := map[string]bool{}
	for _, st := range history.Tags {
		for _, item := range st.Items {
			if isImage(item.Image, a.image) && !found[item.Image] {
				found[item.Image], a.found = true, &item
			}
		}
	}
	if len(found) == 1 {
		return
	}
	a.found = nil
	p := imagestream.Problem{Path: a.stream.Path, Line: a.tag.Line, Col: a.tag.Col,
		What: fmt.Sprintf("tag %s is the image %s of %s, which is not on record there", a.tag.Name, a.image, a.source.Stream),
		Fix:  fmt.Sprintf("write the whole digest of an image that %s has in its status", a.source.Stream.Name)}
	if len(found) > 1 {
		p.What = fmt.Sprintf("tag %s: %d images of %s begin with %s", a.tag.Name, len(found), a.source.Stream, a.image)
	}
	c.Problems = append(c.Problems, p)
}

// isImage reports whether id is a digest, or the beginning of one, with or without
// its algorithm.
func isImage(digest, id string) bool {
	bare := func(s string) string { return strings.TrimPrefix(s, "sha256:") }
	return digest != "" && strings.HasPrefix(bare(digest), bare(id))
}

// History is the whole record of a stream, read again: a catalog keeps only what
// is current.
func (c *Catalog) History(ctx context.Context, s *Stream) (imagestream.Status, error) {
	src, err := c.snap.Read(ctx, s.Blob)
	if err != nil {
		return imagestream.Status{}, err
	}
	f, err := yamledit.Parse(src, yamledit.DefaultLimits)
	if err != nil {
		return imagestream.Status{}, err
	}
	docs, _ := imagestream.Parse(f)
	for _, d := range docs {
		if d.Doc == s.Doc && reflect.DeepEqual(d.At, s.At) {
			return d.Status, nil
		}
	}
	return imagestream.Status{}, nil
}

// aliased is what an alias changes in the record of its stream, given the record of
// its source as it will stand.
func (r *Recorded) aliased(a *alias) []imagestream.Event {
	item, ok := r.itemOf(a)
	if !ok {
		return nil
	}
	status := r.Status(a.stream)
	st := status.Tag(a.tag.Name)
	e := imagestream.Event{Tag: a.tag.Name, Item: &item, Clear: true}
	if st != nil && len(st.Items) > 0 && st.Source == nil && st.Failure == nil &&
		st.Items[0].Reference == item.Reference && st.Items[0].Image == item.Image {
		return nil
	}
	return []imagestream.Event{e}
}

// itemOf is the item that an alias stands for now.
func (r *Recorded) itemOf(a *alias) (imagestream.Item, bool) {
	switch {
	case a.tag.From.Kind == imagestream.DockerImage:
		return imagestream.Item{Created: r.options.Now, Reference: a.tag.From.Name}, true
	case a.source.Tag == "" && a.found == nil:
		return imagestream.Item{}, false
	case a.source.Tag == "":
		return *a.found, true
	}
	s := r.cat.Stream(a.source.Stream)
	if s == nil || s.Malformed || slices.Contains(s.Spec.Broken, a.source.Tag) {
		return imagestream.Item{}, false
	}
	status := r.Status(s)
	st := status.Tag(a.source.Tag)
	if st == nil || len(st.Items) == 0 {
		return imagestream.Item{}, false
	}
	return st.Items[0], true
}
