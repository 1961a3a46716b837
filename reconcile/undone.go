package reconcile

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/towpath/towpath/gitstore"
	"github.com/towpath/towpath/imagestream"
	"github.com/towpath/towpath/registry"
)

// What waits may be undone by people before it is on record, or before the registry hears that
// it is: they take the image back, or delete the stream. The log since the push says so, and what was
// undone does not come again.

// Dropped is a push that was let go of without going on record, or after people took it back from there.
type Dropped struct {
	registry.Arrival
	Why, Fix string
}

// vigils are how far the log was looked through for arrivals.
type vigils struct {
	tips  []sighting                      // of the branch that is watched, newest last
	clear map[imagestream.TagRef]sighting // by arrival's tag: up to which tip nobody undid it
}

// A sighting is of a tip, or of an arrival at a tip.
type sighting struct {
	rev     gitstore.Rev
	at      time.Time // when the tip was read first: no commit of it is younger
	last    time.Time // when the branch was still there: all that came later is younger
	arrival registry.Arrival
}

// mostTips is how many tips are remembered.
const mostTips = 64

// see notes a tip that was just read.
func (v *vigils) see(rev gitstore.Rev, polled, now time.Time) {
	if i := v.index(rev); i >= 0 {
		v.tips[i].last = later(v.tips[i].last, polled)
		return
	}
	v.tips = append(v.tips, sighting{rev: rev, at: now, last: polled})
	v.tips = v.tips[max(0, len(v.tips)-mostTips):]
}

func (v *vigils) index(rev gitstore.Rev) int {
	return slices.IndexFunc(v.tips, func(s sighting) bool { return s.rev == rev })
}

// stood reports whether a commit was still the tip when something arrived: whatever its date, what stands
// on it is younger.
func (v *vigils) stood(rev gitstore.Rev, a registry.Arrival) bool {
	i := v.index(rev)
	return i >= 0 && v.tips[i].last.After(a.At)
}

// before reports whether all of a commit was there when something arrived: nobody undid that there.
func (v *vigils) before(rev gitstore.Rev, a registry.Arrival) bool {
	if c, ok := v.clear[tagOf(a)]; ok && c.rev == rev && sameArrival(c.arrival, a) {
		return true
	}
	i := v.index(rev)
	return i >= 0 && !a.At.Before(v.tips[i].at)
}

// A doubted is an arrival on its way back through the log, to the push.
type doubted struct {
	delivery
	home   home
	is     *imagestream.Item // on record in the commit that was reached
	gone   bool              // a commit took the stream away, of which only a tip that was still there says that it is younger
	why    *Refusal
	long   int // commits in a row that are older than the push
	most   int
	closed bool
}

// undone finds those arrivals that people undid since: that a commit took back from the record, or
// whose stream one took away. What arrived after the tip was read costs nothing; of the others only
// the commits are looked at that came since they were looked at last.
func (r *Reconciler) undone(ctx context.Context, cat *Catalog, news []delivery) (map[imagestream.TagRef]*Refusal, error) {
	v := &r.vigils
	h := cat.history(ctx)
	var all []*doubted
	for _, n := range news {
		if v.before(cat.Rev, n.Arrival) {
			continue
		}
		d := &doubted{delivery: n, most: n.stream.Settings.HoldDepth}
		if n.stream.seed == nil {
			d.home = h.home(n.stream)
			if st := n.stream.record(n.Tag); st != nil && len(st.Items) > 0 {
				d.is = &st.Items[0]
			}
		}
		all = append(all, d)
	}
	if err := v.walk(h, cat, all); err != nil {
		return nil, err
	}
	over := map[imagestream.TagRef]*Refusal{}
	for _, d := range all {
		if d.why != nil {
			over[d.tag()] = d.why
		}
	}
	v.clear = make(map[imagestream.TagRef]sighting, len(news))
	for _, n := range news {
		if over[n.tag()] == nil {
			v.clear[n.tag()] = sighting{rev: cat.Rev, arrival: n.Arrival}
		}
	}
	return over, nil
}

// walk looks at the log until it is known of every arrival whether somebody undid it, or as far as
// hold-depth goes.
func (v *vigils) walk(h *history, cat *Catalog, all []*doubted) error {
	todo := slices.Clone(all)
	if len(todo) == 0 {
		return nil
	}
	most := 0
	for _, d := range todo {
		most = max(most, d.most)
	}
	err := h.back(cat.snap, most, func(st *step) (bool, error) {
		for _, d := range todo {
			if err := d.step(st); err != nil {
				return false, err
			}
			if d.why == nil && d.gone && v.stood(st.parent.Rev(), d.Arrival) {
				d.why = streamGone(d.tag(), st)
			}
			d.closed = d.closed || v.before(st.parent.Rev(), d.Arrival)
		}
		todo = slices.DeleteFunc(todo, func(d *doubted) bool { return d.closed || d.why != nil || h.depth+1 >= d.most })
		return len(todo) == 0, nil
	})
	if errors.Is(err, errCut) {
		return nil
	}
	return err
}

// step looks at one commit. One with a wrong date, or a few, is no end.
func (d *doubted) step(st *step) error {
	const few = 20
	young := !st.at.About().When.Before(d.At.Truncate(time.Second))
	if d.long++; young {
		d.long = 0
	}
	d.closed = d.long > few
	if d.stream.seed != nil {
		if d.gone && !young {
			return nil
		}
		had, err := st.hadStream(d.tag().Stream)
		if err != nil || !had {
			return err
		}
		if d.gone = true; young {
			d.why = streamGone(d.tag(), st)
		}
		return nil
	}
	return d.tookBack(st)
}

// tookBack looks whether a commit went back from what was pushed to something older, or to nothing.
func (d *doubted) tookBack(st *step) error {
	if st.change(d.home.file.Path) == nil {
		return nil
	}
	if unknown, err := st.unknown(d.home); unknown || err != nil {
		return err // a file that is broken says nothing
	}
	record, at, err := st.recordBefore(d.home, d.Tag)
	if err != nil {
		return err
	}
	if record == nil || len(record.Items) == 0 {
		d.is = nil
		d.closed = d.closed || at == d.home // the stream was not there yet
		d.home = at
		return nil
	}
	was := record.Items[0]
	if was.Image == d.Digest && !was.Created.Before(d.At.Truncate(time.Second)) && (d.is == nil || d.is.Created.Before(was.Created)) {
		about := st.at.About()
		d.why = notTaken("push it again if it is to come after all", "%s was on record as %s, and commit %s (%q) took that back", d.tag(), d.Digest, st.at.Rev().Short(), about.Subject)
	}
	d.home, d.is = at, &was
	return nil
}

func streamGone(tag imagestream.TagRef, st *step) *Refusal {
	return notTaken("push it again if the stream is to come back, or push to another repository",
		"image stream %s was deleted, or renamed, after %s was pushed", tag.Stream, tag)
}

// hadStream reports whether a stream stood in one of the files that a step changed.
func (s *step) hadStream(name imagestream.Name) (bool, error) {
	for _, ch := range s.changes {
		p, err := s.h.read(s.parent, ch.Old, s.h.cat)
		if err != nil {
			return false, err
		}
		if s.h.cat.streamIn(p, ch.Path, name) != nil {
			return true, nil
		}
	}
	return false, nil
}

// letGo are arrivals that come to nothing, and are told once.
func (p *deliveries) letGo(a registry.Arrival, why *Refusal) {
	p.done = append(p.done, a)
	p.dropped = append(p.dropped, Dropped{a, why.What, why.Fix})
}

// ends notes pushes of what is on record already.
func (d *desk) ends(p deliveries) {
	if d == nil {
		return
	}
	d.ending, d.ended = map[imagestream.TagRef]registry.Arrival{}, map[imagestream.TagRef]bool{}
	for _, a := range p.again {
		d.ending[tagOf(a)] = a
	}
}

// end takes out of what is pending the images after which another was pushed that is on record already: who pushes
// that takes them back.
func (d *desk) end(all pending) {
	for tag, a := range d.ending {
		e, ok := all[tag]
		if ok && (e.Item.Image != a.Digest) && !e.Item.Created.After(a.At) {
			delete(all, tag)
			delete(d.sure, tag)
			d.ended[tag] = true
		}
	}
}

// stands reports whether something else still waits for the review of a tag: until its proposal is
// closed the push waits that ends it.
func (d *desk) stands(a registry.Arrival) bool { return d != nil && d.ended[tagOf(a)] }
