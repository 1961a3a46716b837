package reconcile

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/towpath/towpath/gitstore"
	"github.com/towpath/towpath/imagestream"
	"github.com/towpath/towpath/registry"
)

// A Shelf is what streams say to a registry: what may be pushed, what is on record, where that
// comes from, and what uses it. It is of one moment and never says another thing; its methods may be
// called from many goroutines.
type Shelf struct {
	cat    *Catalog
	landed map[imagestream.TagRef]imagestream.Item // what went on record since, by ourselves
	froms  provenances
}

// Shelf is what the last pass knows; nil before anything was read. It may be called from any
// goroutine.
func (r *Reconciler) Shelf() *Shelf { return r.shelf.Load() }

// shelve publishes what a pass read, and what landed of it.
func (r *Reconciler) shelve(c *Catalog, chain []Write) {
	if was := r.shelf.Load(); was != nil && was.cat == c && len(chain) == 0 {
		return
	}
	s := &Shelf{cat: c, landed: map[imagestream.TagRef]imagestream.Item{}}
	for _, w := range chain {
		for _, ch := range w.Streams {
			for _, e := range ch.Events {
				if e.Item != nil {
					s.landed[imagestream.TagRef{Stream: ch.Stream.Name, Tag: e.Tag}] = *e.Item
				}
			}
		}
	}
	r.shelf.Store(s)
}

// Admits is why a tag may not be pushed; nil where it may. Without a tag it is what holds for all
// of the stream, and so for what is attached to its images, which never goes on record.
func (s *Shelf) Admits(tag imagestream.TagRef) *Refusal {
	b := newBirths(s.cat)
	if _, attached := registry.Attached(tag.Tag); attached || tag.Tag == "" {
		_, why := b.takesAny(tag.Stream)
		return why
	}
	_, why := b.takes(tag)
	return why
}

// Tags are the tags of a stream that are on record, and the digest of each; none where there is
// no such stream, or its record cannot be read.
func (s *Shelf) Tags(name imagestream.Name) map[string]string {
	tags := map[string]string{}
	if stream := s.cat.Stream(name); stream != nil && !stream.Malformed {
		for _, st := range stream.Status.Tags {
			if len(st.Items) > 0 && registry.ValidDigest(st.Items[0].Image) {
				tags[st.Tag] = st.Items[0].Image
			}
		}
	}
	for tag, item := range s.landed {
		if tag.Stream == name && item.Image != "" {
			tags[tag.Tag] = item.Image
		}
	}
	return tags
}

// Origins are where an image can be fetched that a stream has on record, or had: what is current
// goes first, and what no tag allows to be fetched without certainty who answers last. What was
// pushed to the stream itself comes from nowhere else.
func (s *Shelf) Origins(ctx context.Context, name imagestream.Name, digest string) ([]registry.Origin, error) {
	stream := s.cat.Stream(name)
	if stream == nil || stream.Malformed {
		return nil, nil
	}
	from, err := s.provenance(ctx, stream)
	if err != nil {
		return nil, err
	}
	return from.origins[digest], nil
}

// Lenders are the streams whose repositories in our own registry have images that another stream
// has on record, or had: by the images' digests. The map is not to be changed.
func (s *Shelf) Lenders(ctx context.Context, name imagestream.Name) (map[string][]imagestream.Name, error) {
	stream, host := s.cat.Stream(name), s.cat.Config.Registry()
	if stream == nil || stream.Malformed || host == "" {
		return nil, nil
	}
	from, err := s.provenance(ctx, stream)
	if err != nil {
		return nil, err
	}
	return from.lenders, nil
}

// Names are the streams of which something is on record.
func (s *Shelf) Names() []imagestream.Name {
	var names []imagestream.Name
	for _, stream := range s.cat.Streams {
		if !stream.Malformed && slices.ContainsFunc(stream.Status.Tags, func(st imagestream.TagStatus) bool { return len(st.Items) > 0 }) {
			names = append(names, stream.Name)
		}
	}
	for tag := range s.landed {
		names = append(names, tag.Stream)
	}
	slices.SortFunc(names, func(a, b imagestream.Name) int { return cmp.Compare(a.String(), b.String()) })
	return slices.Compact(names)
}

// falseFirst puts false before true.
func falseFirst(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

// A Use is what names an image, and the namespace that this is of; empty where nobody knows that.
type Use struct{ Namespace, Where string }

// Uses says what names an image: places that hold it, and tags of any stream that are it, or were,
// in all of every history. The error is an *Unsure where nobody can tell, or it is the store's. It
// is what the ledger says of one image, and reads the files alone whose text has its digest.
func (s *Shelf) Uses(ctx context.Context, digest string) ([]Use, error) {
	if why := s.cat.unsureOfImages(); why != nil {
		return nil, why
	}
	files, err := s.cat.mentioning(ctx, digest)
	if err != nil {
		return nil, err
	}
	l := newLedger()
	for _, f := range files {
		if err := s.cat.enter(ctx, l, f, map[imagestream.Name][]imagestream.Event{}); err != nil {
			return nil, err
		}
	}
	for tag, item := range s.landed {
		l.enter(tag, []imagestream.Item{item})
	}
	var uses []Use
	for _, site := range s.cat.Sites {
		if site.Digest() == digest {
			uses = append(uses, Use{s.cat.namespace(site.Path, site.ID.Namespace), fmt.Sprintf("%s:%d", site.Path, site.Line)})
		}
	}
	for _, file := range l.places[digest] {
		uses = append(uses, Use{"", file})
	}
	for _, tag := range l.had[digest] {
		where, err := s.where(ctx, tag, digest)
		if err != nil {
			return nil, err
		}
		uses = append(uses, Use{tag.Stream.Namespace, where})
	}
	slices.SortFunc(uses, func(a, b Use) int {
		return cmp.Or(cmp.Compare(a.Where, b.Where), cmp.Compare(a.Namespace, b.Namespace))
	})
	return slices.Compact(uses), nil
}

// status is a stream's record with all of its history, and with what landed since.
func (s *Shelf) status(ctx context.Context, stream *Stream) (imagestream.Status, error) {
	src, err := s.cat.snap.Read(ctx, stream.Blob)
	if e := (*gitstore.Error)(nil); errors.As(err, &e) && e.OfOneFile() {
		return stream.Status, nil
	}
	if err != nil {
		return imagestream.Status{}, err
	}
	_, docs, err := reread(src)
	if err != nil {
		return imagestream.Status{}, fmt.Errorf("%s: %w", stream.Path, err)
	}
	d, err := stream.among(docs)
	if err != nil {
		return imagestream.Status{}, fmt.Errorf("%s: %w", stream.Path, err)
	}
	var events []imagestream.Event
	for tag, item := range s.landed {
		if tag.Stream == stream.Name {
			events = append(events, imagestream.Event{Tag: tag.Tag, Item: &item})
		}
	}
	return d.After(events, imagestream.Options{Now: time.Unix(0, 0), History: math.MaxInt}), nil
}
