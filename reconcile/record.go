package reconcile

import (
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/towpath/towpath/imagestream"
	"github.com/towpath/towpath/registry"
)

// Recorded is what answers mean: the status changes, and the record as it
// will stand with them (T′).
type Recorded struct {
	Changes []StatusChange // by stream name

	cat     *Catalog
	at      time.Time // of the pass, by the clock that questions are timed with
	after   map[imagestream.Name]imagestream.Status
	places  map[imagestream.Name]places // of after, as far as they were asked for
	changes map[imagestream.Name]*StatusChange
	options imagestream.Options
	outrun  map[imagestream.TagRef]bool       // answers that a younger record overtook
	settles map[imagestream.TagRef][]Settling // by question
	units   map[unit]bool                     // those that wait to be whole; nil until it was asked

	wishes   []wish                             // of the catalog's sites; nil until they were asked for
	images   map[imagestream.TagRef]*SiteChange // what was asked for, without its site
	standing *Recorded                          // the record without any change

	noes      noes      // what people declined
	targets   []Hint    // what is asked for; empty: anything
	declines  []decline // of what was to be recorded, or to follow
	rehearsed bool      // what goes straight to the branch counts as there: nothing is written
}

// Settling is an image that is not recorded yet.
type Settling struct {
	Tag   imagestream.TagRef
	From  string // the reference that was asked for, as written
	Image string
	Until time.Time // when it may be recorded, if it stands until then
}

// A StatusChange is what is new in one stream's status.
type StatusChange struct {
	Stream  *Stream
	Events  []imagestream.Event
	Options imagestream.Options
	LeftOut int // tags of the repository that its cap left out
}

// clearAfter is how long a failure stays on record at the least, unless its
// tag moves: a registry that fails and works by turns must not make commits by turns.
const clearAfter = time.Hour

// Record turns answers into status changes. It decides by the record alone:
//
//	answer                         record                          becomes
//	image                          nothing, or another image       a new item; a failure is cleared
//	an image that must settle      another image, or nothing       nothing, until it has stood long enough
//	the same image                 from these inputs               nothing
//	the same image                 from other inputs               its Source
//	the same image                 adopted (no Source)             nothing, unless a person asked
//	the same image                 a failure, older than 1 h       the failure is cleared
//	fails, lasting                 anything                        a failure beside the items
//	fails, passing                 anything                        a failure once it lasted failure-after
//	fails again, same reason       that failure                    nothing
//	the listing fails              nothing                         a failure of the tag latest
//	anything                       younger than its question       nothing; the tag is due
//
// What was pushed goes on record as arrival.go says. Then, sources first, what is recomputed from spec and record alone:
//
//	tag of spec                    record of its source            becomes
//	follows another tag            an image                        that image
//	names an image of a stream     has that image                  that image, for good
//	a reference                    -                               the reference as written, without a digest
//	any of them                    nothing, malformed, a loop      nothing
//
// Where targets are named, only the streams that they name are written; what goes to review
// with others is worked out as ever, or an open proposal would lose it.
func Record(c *Catalog, answers []Answer, now time.Time, targets ...Hint) *Recorded {
	return record(c, answers, nil, nil, false, now, targets...)
}

// record is Record where something was pushed, where people have declined something, or in a
// rehearsal.
func record(c *Catalog, answers []Answer, pushed []delivery, no noes, rehearsed bool, now time.Time, targets ...Hint) *Recorded {
	r := &Recorded{
		noes: no, rehearsed: rehearsed, targets: targets,
		cat: c, at: now, after: map[imagestream.Name]imagestream.Status{}, places: map[imagestream.Name]places{}, changes: map[imagestream.Name]*StatusChange{},
		options: imagestream.Options{Now: now.UTC().Truncate(time.Second), Keep: heldBySites(c)}, outrun: map[imagestream.TagRef]bool{}, settles: map[imagestream.TagRef][]Settling{},
	}
	for _, s := range c.overlaid {
		if c.records(s) {
			r.add(s, 0, s.pending...)
		}
	}
	for _, a := range answers {
		s := c.Stream(a.Target.Stream)
		if s == nil || !c.records(s) || c.outran(s, a) {
			r.outrun[a.Target] = true
			continue
		}
		r.add(s, a.LeftOut, r.eventsOf(s, a, r.options.Now)...)
	}
	for _, p := range pushed {
		if named(targets, p.stream) || !r.laneOf(p.tag()).straight() {
			r.add(p.stream, 0, p.event)
		}
	}
	for _, ch := range r.changes {
		r.fold(ch)
	}
	r.derive(func(a *alias) bool {
		return c.records(a.stream) && (named(targets, a.stream) || !r.laneOf(a.ref()).straight())
	})
	for _, name := range slices.SortedFunc(maps.Keys(r.changes), compareNames) {
		r.Changes = append(r.Changes, *r.changes[name])
	}
	return r
}

// asItStands is the record without any change.
func asItStands(c *Catalog, now time.Time) *Recorded { return &Recorded{cat: c.merged(), at: now} }

// asMerged is the record as it stands on the branch that is watched.
func (r *Recorded) asMerged() *Recorded {
	if r.standing == nil {
		r.standing = asItStands(r.cat, r.at)
	}
	return r.standing
}

// named reports whether targets name a stream; none name all.
func named(targets []Hint, s *Stream) bool {
	return len(targets) == 0 || slices.ContainsFunc(targets, func(h Hint) bool {
		return h.Stream == (imagestream.Name{}) || h.Stream == s.Name
	})
}

// followers are the tags whose images come, over however many others, from streams.
func (r *Recorded) followers(streams map[imagestream.Name]bool) map[imagestream.TagRef]bool {
	found := map[imagestream.TagRef]bool{}
	for i := range r.cat.aliases { // sources first
		a := &r.cat.aliases[i]
		if a.source.Tag != "" && (streams[a.source.Stream] || found[a.source]) {
			found[a.ref()] = true
		}
	}
	return found
}

// records reports whether a stream's status may be written.
func (c *Catalog) records(s *Stream) bool {
	return !s.Malformed && !c.Invalid && !c.Config.Paused() && !s.Settings.Paused
}

// add puts events to what changes in a stream's record; nil where there are none.
//
// A newer image takes the place of one that waits for its review, and one that was declined is
// none.
func (r *Recorded) add(s *Stream, leftOut int, events ...imagestream.Event) *StatusChange {
	s = s.merged()
	ch := r.changes[s.Name]
	if ch == nil && len(events) > 0 {
		ch = &StatusChange{Stream: s, Options: r.options}
		ch.Options.History = s.Settings.History
		r.changes[s.Name] = ch
	}
	if ch != nil {
		for _, e := range events {
			ch.Events = slices.DeleteFunc(ch.Events, func(old imagestream.Event) bool { return e.Item != nil && old.Item != nil && old.Tag == e.Tag })
			if by := r.declined(s, e); by != nil {
				r.declines = append(r.declines, decline{recordMove(s, e), by})
				continue
			}
			ch.Events = append(ch.Events, e)
		}
		if r.cat.publishes(s, events) {
			ch.Options.Repository = r.cat.own(s.Name)
		}
		ch.LeftOut += leftOut
	}
	return ch
}

// outran reports whether the stream changed since a question was asked: what it
// wants, or what it has on record.
func (c *Catalog) outran(s *Stream, a Answer) bool {
	i := slices.IndexFunc(s.wants, func(w want) bool { return w.target(s) == a.Target })
	return i < 0 || s.wants[i].inputs != a.Inputs || slices.ContainsFunc(a.Results, func(r Result) bool {
		ours := a.Target.Tag != "" || s.specTag(r.Tag) == nil
		return ours && baseOf(s.record(r.Tag)) != a.Bases[r.Tag]
	})
}

// Status is a stream's record as it will stand.
func (r *Recorded) Status(s *Stream) imagestream.Status {
	if after, ok := r.after[s.Name]; ok {
		return after
	}
	return s.Status
}

// tag is a tag's record as it will stand, nil where there is nothing.
func (r *Recorded) tag(s *Stream, name string) *imagestream.TagStatus {
	status, changed := r.after[s.Name]
	if !changed {
		return s.record(name)
	}
	if r.places[s.Name] == nil {
		r.places[s.Name] = byName(status.Tags, recordName)
	}
	return lookUp(r.places[s.Name], status.Tags, recordName, name)
}

// fold makes the record of a stream what its changes so far mean.
func (r *Recorded) fold(ch *StatusChange) {
	name := ch.Stream.Name
	r.after[name] = ch.Stream.Document.After(ch.Events, ch.Options)
	delete(r.places, name)
}

// eventsOf is what an answer changes in its stream's record.
func (r *Recorded) eventsOf(s *Stream, a Answer, now time.Time) []imagestream.Event {
	if a.Err != nil {
		if a.OnRecord || s.specTag("latest") != nil {
			return nil // the failure is said, and asked again
		}
		return failed(s.record("latest"), Result{Tag: "latest", Err: a.Err}, s, a, "", now)
	}
	var es []imagestream.Event
	for _, res := range a.Results {
		st := s.record(res.Tag)
		switch {
		case a.Target.Tag == "" && s.specTag(res.Tag) != nil:
			// what spec says of a tag goes before what its repository holds
		case res.Err != nil:
			es = append(es, failed(st, res, s, a, res.Tag, now)...)
		case res.Settling.After(r.at):
			r.settles[a.Target] = append(r.settles[a.Target], Settling{imagestream.TagRef{Stream: s.Name, Tag: res.Tag}, a.written(res), res.Image, res.Settling})
		default:
			es = append(es, succeeded(st, res, a, now)...)
		}
	}
	if a.Target.Tag == "" {
		es = append(es, listed(s, a)...)
	}
	return es
}

// listed clears the failure of the tag latest where only a failed listing stands
// behind it.
func listed(s *Stream, a Answer) []imagestream.Event {
	st := s.record("latest")
	if st == nil || st.Failure == nil || s.specTag("latest") != nil {
		return nil
	}
	for _, r := range a.Results {
		if r.Tag == "latest" {
			return nil
		}
	}
	return []imagestream.Event{{Tag: "latest", Clear: true}}
}

// failed is what a failure changes; what names whose it is: a tag's, or "" for the
// listing's.
func failed(st *imagestream.TagStatus, r Result, s *Stream, a Answer, what string, now time.Time) []imagestream.Event {
	if r.Err.Kind.Passing() && now.Sub(a.failingSince()[what]) < s.Settings.FailureAfter {
		return nil
	}
	f := &imagestream.Failure{Reason: string(r.Err.Kind), From: a.Written, Message: r.Err.Message, Since: now}
	if a.Err == nil && a.Policy == nil { // what a policy would choose may change from one try to the next
		f.From = a.written(r)
	}
	if st != nil && st.Failure != nil && st.Failure.Reason == f.Reason && st.Failure.From == f.From {
		return nil
	}
	return []imagestream.Event{{Tag: r.Tag, Failure: f}}
}

// succeeded is what a resolved tag changes.
func succeeded(st *imagestream.TagStatus, r Result, a Answer, now time.Time) []imagestream.Event {
	repository := registry.Repository(a.Written)
	item := imagestream.Item{Created: now, Reference: repository + "@" + r.Image, Image: r.Image}
	source := imagestream.Source{From: a.written(r), Mode: a.Mode, Platform: a.Platform.String(), Inputs: a.Inputs, Labels: r.Labels, Since: now}
	e := imagestream.Event{Tag: r.Tag, Item: &item, Source: &source, Clear: true}
	if st == nil || len(st.Items) == 0 || st.Items[0].Image != item.Image || st.Items[0].Reference != item.Reference {
		return []imagestream.Event{e}
	}
	recorded := st.Source == nil && !a.Forced && a.Policy == nil || st.Source != nil && st.Source.Same(&source)
	over := st.Failure != nil && (a.Forced || now.Sub(st.Failure.Since) >= clearAfter)
	switch {
	case !recorded:
		return []imagestream.Event{e}
	case over:
		return []imagestream.Event{{Tag: r.Tag, Clear: true}}
	}
	return nil
}

// heldBySites says of an image whether a site names it; history keeps those.
func heldBySites(c *Catalog) func(image string) bool {
	held := sync.OnceValue(func() map[string]bool {
		held := map[string]bool{}
		for _, s := range c.Sites {
			if d := s.Digest(); d != "" {
				held[d] = true
			}
		}
		return held
	})
	return func(image string) bool { return held()[image] }
}
