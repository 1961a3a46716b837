package reconcile

import (
	"slices"
	"time"

	"github.com/towpath/towpath/imagestream"
)

// noes are what people declined, by the lane of the proposals that they closed, or merged without
// some of their moves. What a proposal that is open names is not declined, whatever became of
// an earlier one: somebody opened it again, or asked for it.
type noes map[lane]answered

// answered is what people made of the earlier proposals of a lane.
type answered struct {
	open *marker // of the one that is open; nil where none is
	past []ended // newest first
}

// An ended is a proposal that was closed or merged.
type ended struct {
	marker
	url    string
	merged bool
	at     time.Time
}

// declines is the proposal by which a move of a lane was declined, nil where it was not. since is when the record that it
// rests on came to be, or for a record itself the one that it would replace: what moved after a
// merge was not left out by it.
func (n noes) declines(l lane, m Move, since time.Time) *ended {
	a := n[l]
	if a.open != nil && a.open.names(m) {
		return nil
	}
	newest := true
	for i := range a.past {
		e := &a.past[i]
		speaks := e.merged && e.speaks(m)
		switch {
		case e.Withdrawn && !e.merged:
		case !e.merged && e.names(m), speaks && newest && e.names(m) && !since.After(e.at):
			return e
		}
		newest = newest && !speaks
	}
	return nil
}

// covers reports whether a marker has a move or, where the image does not matter, one of the
// same place. A marker that had no room for all has "*" for any site, or any path.
func (m marker) covers(move Move, image bool) bool {
	return slices.ContainsFunc(m.Moves, func(has Move) bool {
		return has.Tag == move.Tag && (!image || has.Image == move.Image) &&
			(has.Path == move.Path || has.Path == "*") && (has.Site == move.Site || has.Site == "*" && move.Site != "" || has.Path == "*")
	})
}

// names reports whether a marker has a move.
func (m marker) names(move Move) bool { return m.covers(move, true) }

// speaks reports whether a marker has a move of the same place, to whatever image.
func (m marker) speaks(move Move) bool { return m.covers(move, false) }

// declined reports whether people turned down the image that an event would record.
func (r *Recorded) declined(s *Stream, e imagestream.Event) bool {
	if len(r.noes) == 0 || e.Item == nil {
		return false
	}
	tag := imagestream.TagRef{Stream: s.Name, Tag: e.Tag}
	l := r.laneOf(tag)
	if l.straight() {
		return false
	}
	var since time.Time
	if st := s.record(e.Tag); st != nil && len(st.Items) > 0 {
		since = st.Items[0].Created
	}
	return r.noes.declines(l, recordMove(s, e), since) != nil
}

// recordMove is what an event brings to a tag's status.
func recordMove(s *Stream, e imagestream.Event) Move {
	return Move{Tag: imagestream.TagRef{Stream: s.Name, Tag: e.Tag}, Image: identity(e.Item.Image, e.Item.Reference), Path: s.Path}
}

// siteMove is what a change brings to a site.
func siteMove(c SiteChange) Move {
	return Move{Tag: c.Site.Follows, Image: identity(c.Image.Digest, c.reference()), Path: c.Site.Path, Site: c.Site.ID.String()}
}

// identity is what an image is told from others by.
func identity(digest, reference string) string {
	if digest != "" {
		return digest
	}
	return reference
}
