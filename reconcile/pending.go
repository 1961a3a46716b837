package reconcile

import (
	"maps"
	"slices"
	"time"

	"github.com/towpath/towpath/imagestream"
)

// A pending is what was resolved for tags and nobody merged yet: it counts as on record, so
// that nothing is asked twice.
type pending map[imagestream.TagRef]imagestream.Event

// with counts what is pending as on record. What the branch says by now, or says younger, and
// what belongs to tags that are no more, or is not recorded now, is left out: what counts as on record is
// recorded in the same pass, or nothing may follow it.
func (c *Catalog) with(p pending, now time.Time) *Catalog {
	byStream := map[*Stream][]imagestream.Event{}
	for _, tag := range slices.SortedFunc(maps.Keys(p), compareTags) {
		if s := c.Stream(tag.Stream); s != nil && c.records(s) && s.awaits(p[tag], c.own(s.Name), now) {
			byStream[s] = append(byStream[s], p[tag])
		}
	}
	if len(byStream) == 0 {
		return c
	}
	over := *c
	over.base, over.Streams, over.byName = c, slices.Clone(c.Streams), maps.Clone(c.byName)
	for i, s := range c.Streams {
		events := byStream[s]
		if len(events) == 0 {
			continue
		}
		o := *s
		o.base, o.pending = s, events
		o.Status = s.Document.After(events, imagestream.Options{Now: now, History: s.Settings.History})
		brief(&o.Document)
		o.place()
		o.wants = c.wants(&o)
		over.Streams[i], over.byName[s.Name] = &o, &o
		over.overlaid = append(over.overlaid, &o)
	}
	over.rebindAliases()
	return &over
}

// rebindAliases points aliases at the catalog's own streams.
func (c *Catalog) rebindAliases() {
	c.aliases = slices.Clone(c.aliases)
	for i := range c.aliases {
		a := &c.aliases[i]
		a.stream = c.byName[a.stream.Name]
	}
}

// awaits reports whether what was resolved for a tag is still to come, or what was pushed to the
// stream's own repository.
func (s *Stream) awaits(e imagestream.Event, own string, now time.Time) bool {
	t := s.specTag(e.Tag)
	switch {
	case slices.Contains(s.Spec.Broken, e.Tag):
		return false
	case s.pushable(e.Tag):
		if !isOf(own, *e.Item) {
			return false
		}
	case t != nil && t.From.Kind != imagestream.DockerImage:
		return false // it is worked out from its source
	}
	st := s.record(e.Tag)
	if st == nil || len(st.Items) == 0 {
		return true
	}
	has := st.Items[0]
	same := has.Image == e.Item.Image && has.Reference == e.Item.Reference &&
		(e.Source == nil || st.Source != nil && st.Source.Same(e.Source))
	return !same && (!has.Created.After(e.Item.Created) || has.Created.After(now)) // a clock that is wrong says nothing
}

// marker is one that has what is pending, wherever it would go.
func (p pending) marker() (m marker) {
	for tag, e := range p {
		m.Moves = append(m.Moves, Move{Tag: tag, Image: identity(e.Item.Image, e.Item.Reference), Path: "*", Site: "*"})
	}
	return m
}

// made reports whether a place has the image that a move would bring.
func (c *Catalog) made(m Move) bool {
	if m.Site == "" {
		s := c.Stream(m.Tag.Stream)
		if s == nil {
			return false
		}
		st := s.record(m.Tag.Tag)
		return st != nil && len(st.Items) > 0 && identity(st.Items[0].Image, st.Items[0].Reference) == m.Image
	}
	f := c.files[m.Path]
	return f != nil && slices.ContainsFunc(f.sites, func(s *Site) bool { return s.ID.String() == m.Site && s.Digest() == m.Image })
}

// lacks reports whether there is no file at a path.
func (c *Catalog) lacks(path string) bool { return c.files[path] == nil }

// merged is the catalog as the branch has it.
func (c *Catalog) merged() *Catalog {
	if c.base != nil {
		return c.base
	}
	return c
}

// merged is the stream as the branch has it.
func (s *Stream) merged() *Stream {
	if s.base != nil {
		return s.base
	}
	return s
}
