package reconcile

import (
	"slices"
	"time"

	"github.com/towpath/towpath/forge"
	"github.com/towpath/towpath/imagestream"
)

// noes are what people declined, by the lane of the proposals that they closed, or merged without
// some of their moves. What a proposal that is open names is not declined, whatever became of
// an earlier one: somebody opened it again, or asked for it.
type noes map[lane]answered

// answered is what people made of the earlier proposals of a lane.
type answered struct {
	open *spoken // that is open; nil where none is
	past []ended // newest first
}

// An ended is a proposal that was closed or merged.
type ended struct {
	*spoken
	forge.Proposal
	merged bool
}

// A decline is a move that is not made because people declined it.
type decline struct {
	Move
	by *ended
}

// A spoken is what a proposal's marker says, to be looked up.
type spoken struct {
	marker
	moves, resumed moveSet
	paths          map[Move][]string // by move without its path
}

func speak(m marker) *spoken {
	s := &spoken{m, setOf(m.Moves), setOf(m.Resumed), map[Move][]string{}}
	for _, v := range m.Moves {
		path := v.Path
		v.Path = ""
		s.paths[v] = append(s.paths[v], path)
	}
	return s
}

// names reports whether the marker has a move, also where the file was another that is gone by now. Of
// a stream there is one, wherever it is.
func (s *spoken) names(m Move, gone func(path string) bool) bool {
	if s.moves.names(m) {
		return true
	}
	m.Path = ""
	return m.Site == "" && len(s.paths[m]) > 0 || slices.ContainsFunc(s.paths[m], gone)
}

// A moveSet has each of a marker's moves twice: with its image, and with none.
type moveSet map[Move]bool

func setOf(moves []Move) moveSet {
	set := make(moveSet, 2*len(moves))
	for _, m := range moves {
		set[m] = true
		m.Image = ""
		set[m] = true
	}
	return set
}

// names reports whether the set has a move. A marker that had no room for all has "*" for any site,
// or any path.
func (s moveSet) names(m Move) bool {
	if s[m] {
		return true
	}
	if m.Site != "" {
		m.Site = "*"
		if s[m] {
			return true
		}
	}
	m.Path, m.Site = "*", "*"
	return s[m]
}

// speaks reports whether the set has a move of the same place, to whatever image.
func (s moveSet) speaks(m Move) bool {
	m.Image = ""
	return s.names(m)
}

// closed is the proposal that people closed without a merge, and that would have made a move; nil where
// none did. What was pushed after that asks anew.
func (n noes) closed(l lane, m Move, pushed time.Time, gone func(path string) bool) *ended {
	return n.find(l, m, func(e *ended, _ bool) bool { return !e.merged && !e.before(pushed) && e.names(m, gone) })
}

// before reports whether a proposal came to its end before something was pushed; zero is nothing.
func (e *ended) before(pushed time.Time) bool { return !e.Ended.IsZero() && pushed.After(e.Ended) }

// leftOut is the newest proposal that people merged of those that speak of a place, if it had a
// move and the place was then as it still is; since is when what it rests on went on record: what
// moved after a merge was not left out by it. Where a marker had no room for all it is not believed:
// what came to be later was in none.
func (n noes) leftOut(l lane, m Move, since time.Time) *ended {
	return n.find(l, m, func(e *ended, newest bool) bool { return e.merged && newest && e.moves[m] && !since.After(e.Ended) })
}

// find is the newest earlier proposal of a lane for which is holds; it hears whether no newer one
// was merged that speaks of the place.
func (n noes) find(l lane, m Move, is func(e *ended, newest bool) bool) *ended {
	a := n[l]
	if a.open != nil && a.open.moves.names(m) {
		return nil
	}
	newest := true
	for i := range a.past {
		e := &a.past[i]
		if is(e, newest) && (e.merged || !e.Withdrawn) {
			return e
		}
		newest = newest && !(e.merged && e.moves.speaks(m))
	}
	return nil
}

// declined is the proposal by which people turned down the image that an event would record; nil where
// none did.
func (r *Recorded) declined(s *Stream, e imagestream.Event) *ended {
	tag := imagestream.TagRef{Stream: s.Name, Tag: e.Tag}
	if len(r.noes) == 0 || e.Item == nil || r.forced(tag) {
		return nil
	}
	l := r.laneOf(tag)
	if l.straight() {
		return nil
	}
	m := recordMove(s, e)
	pushed := r.pushedAt(tag, e.Item)
	if by := r.noes.closed(l, m, pushed, r.cat.lacks); by != nil {
		return by
	}
	st := s.record(e.Tag)
	if st == nil || len(st.Items) == 0 || identity(st.Items[0].Image, st.Items[0].Reference) == m.Image {
		return nil // the merge brought it; what is new is where it comes from, or the whole stream
	}
	if by := r.noes.leftOut(l, m, st.Items[0].Created); by != nil && !by.before(pushed) {
		return by
	}
	return nil
}

// pushedAt is when an image of a tag, or of the tag that it follows, was pushed; zero where it was not.
func (r *Recorded) pushedAt(tag imagestream.TagRef, item *imagestream.Item) time.Time {
	of := r.origin(tag)
	if of != tag {
		s, image := r.cat.Stream(of.Stream), item.Image
		if s == nil {
			return time.Time{}
		}
		st := r.tag(s, of.Tag)
		if st == nil || len(st.Items) == 0 || st.Items[0].Image != image {
			return time.Time{}
		}
		item = &st.Items[0]
	}
	if !r.cat.isPush(*item, of) {
		return time.Time{}
	}
	return item.Created
}

// forced reports whether a person asks for a tag now, whatever people declined before.
func (r *Recorded) forced(tag imagestream.TagRef) bool {
	s := r.cat.Stream(tag.Stream)
	return s != nil && slices.ContainsFunc(r.targets, func(h Hint) bool { return h.Force && h.names(s, tag.Tag, true) })
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
