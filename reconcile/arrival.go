package reconcile

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/towpath/towpath/imagestream"
	"github.com/towpath/towpath/registry"
)

// deliveries are what came of the arrivals of a pass.
type deliveries struct {
	waiting []registry.Arrival // all of them
	fresh   bool               // they are not those that the last pass left
	news    []delivery         // to be put on record
	done    []registry.Arrival // on record, or overtaken
	kept    []Awaiting         // that cannot be put on record now
	again   []registry.Arrival // of those that are done: of the image that is on record
	dropped []Dropped          // of those that are done: what comes to nothing, and why
	cat     *Catalog           // with the streams that news bring
	of      *Catalog           // that they were sorted by, and
	first   map[imagestream.Name]bool
}

// A delivery is an arrival that is news, with what it says of its tag.
type delivery struct {
	registry.Arrival
	stream *Stream
	event  imagestream.Event
}

func (p delivery) tag() imagestream.TagRef { return tagOf(p.Arrival) }

// Awaiting is a push that is not on record yet, and why.
type Awaiting struct {
	registry.Arrival
	Why, Fix string // Fix is empty where it is nobody's move
}

// tagOf is where an arrival was pushed to.
func tagOf(a registry.Arrival) imagestream.TagRef {
	return imagestream.TagRef{Stream: imagestream.Name{Namespace: a.Namespace, Name: a.Name}, Tag: a.Tag}
}

// arrivals sorts what waits, once for what waits and what Git says.
func (r *Reconciler) arrivals(ctx context.Context, cat *Catalog, waiting []registry.Arrival, hints []Hint, now time.Time) (deliveries, error) {
	if r.Arrivals == nil {
		return deliveries{cat: cat}, nil
	}
	if r.recall(ctx, cat, hints) {
		var err error
		if waiting, err = r.waiting(ctx); err != nil {
			return deliveries{}, err
		}
	}
	r.vigils.see(cat.Rev, r.polled, now)
	fresh := !slices.EqualFunc(waiting, r.left, sameArrival)
	in := circumstances{first: r.claims(ctx, cat, waiting, now), now: now}
	if was := r.sorted; was.of == cat && slices.EqualFunc(waiting, was.waiting, sameArrival) && maps.Equal(in.first, was.first) {
		was.fresh = fresh || len(was.dropped) > 0
		return was, nil
	}
	r.sights = r.sights.of(cat.recordOf, waiting)
	in.seen = r.sights
	p := cat.arrivals(waiting, in)
	var err error
	if in.over, err = r.undone(ctx, cat, p.news); err != nil {
		return deliveries{}, err
	}
	if len(in.over) > 0 {
		p = cat.arrivals(waiting, in)
	}
	p.fresh, p.of, p.first = fresh || len(p.dropped) > 0, cat, in.first
	r.sorted = p
	return p, nil
}

// recall has tags wait once more that a person asks for by name, and reports whether any does.
func (r *Reconciler) recall(ctx context.Context, cat *Catalog, hints []Hint) (does bool) {
	again, ok := r.Arrivals.(registry.Recalls)
	if !ok || r.Dry {
		return false
	}
	b := newBirths(cat)
	for _, h := range hints {
		if !h.recalls() {
			continue
		}
		if _, why := b.takes(imagestream.TagRef{Stream: h.Stream, Tag: h.Tag}); why == nil {
			there, _ := again.Again(ctx, h.Stream.Namespace, h.Stream.Name, h.Tag) // who asks sees that nothing comes, and asks again
			does = does || there
		}
	}
	return does
}

func sameArrival(a, b registry.Arrival) bool {
	return tagOf(a) == tagOf(b) && a.Digest == b.Digest && a.At.Equal(b.At)
}

// circumstances are what else decides about arrivals.
type circumstances struct {
	first map[imagestream.Name]bool       // new streams that keep their places
	over  map[imagestream.TagRef]*Refusal // what people undid, and how
	seen  sights
	now   time.Time
}

// arrivals sorts what was pushed. It decides by the record alone:
//
//	record of the tag                       arrival              becomes
//	anything                                of a signature's tag nothing: it is done
//	the same image, pushed                  -                    nothing: it is done
//	the same image, from elsewhere          -                    its reference is replaced
//	another image, younger than the push    -                    nothing: a person's younger word stands
//	another that was pushed, as was known   -                    a new item: in which order pushes came
//	before this one was seen                                     the registry knows, whatever the clock
//	another image, or nothing               -                    a new item, without a Source
//	no stream of the name                   -                    a new stream, in the directory of its namespace
//	anything                                of a tag that comes  nothing: a tag has one source, which
//	                                        from elsewhere       came after the push; it is told once
//	anything                                that people undid    nothing: it is told once
//	anything                                of a stream that     nothing: it waits
//	                                        cannot be written
//
// An item is as old as its push, so that every pass plans the same. Of new streams that would be in one
// place those go first that are under review already.
func (c *Catalog) arrivals(waiting []registry.Arrival, in circumstances) deliveries {
	p := deliveries{waiting: waiting, cat: c}
	b := newBirths(c)
	b.places(waiting, in)
	for _, a := range waiting {
		tag := tagOf(a)
		if _, attached := registry.Attached(a.Tag); attached { // to an image, which alone is on record
			p.done = append(p.done, a)
			continue
		}
		if c.settles(a, in.seen, in.now) {
			if p.done = append(p.done, a); c.recordOf(tag).Image == a.Digest {
				p.again = append(p.again, a)
			}
			continue
		}
		if why := in.over[tag]; why != nil {
			p.letGo(a, why)
			continue
		}
		s, why := b.takes(tag)
		if why != nil && why.sourced {
			p.letGo(a, why)
			continue
		}
		if why == nil && !registry.ValidDigest(a.Digest) {
			why = &Refusal{What: fmt.Sprintf("%s was pushed as %q, which is no digest", tag, a.Digest), Fix: "push it again"}
		}
		if why != nil {
			p.kept = append(p.kept, Awaiting{a, why.What, why.Fix})
			continue
		}
		created := a.At
		if created.After(in.now) {
			created = in.now
		}
		item := imagestream.Item{Created: created.UTC().Truncate(time.Second), Reference: c.own(s.Name) + "@" + a.Digest, Image: a.Digest}
		p.news = append(p.news, delivery{a, s, imagestream.Event{Tag: a.Tag, Item: &item, Clear: true}})
	}
	p.cat = b.catalog()
	return p
}

// own is the repository of a stream in the registry of .towpath.yaml; empty where there is none.
func (c *Catalog) own(stream imagestream.Name) string {
	if host := c.Config.Registry(); host != "" {
		return host + "/" + stream.String()
	}
	return ""
}

// isOf reports whether an item is an image of a repository.
func isOf(repository string, item imagestream.Item) bool {
	return repository != "" && item.Image != "" && item.Reference == repository+"@"+item.Image
}

// isPush reports whether an item is what was pushed to a tag.
func (c *Catalog) isPush(item imagestream.Item, to imagestream.TagRef) bool {
	return isOf(c.own(to.Stream), item)
}

// pushed reports whether a tag of a stream is what was pushed to it.
func (c *Catalog) pushed(s *Stream, st *imagestream.TagStatus) bool {
	return len(st.Items) > 0 && s.pushable(st.Tag) && isOf(c.own(s.Name), st.Items[0])
}

// pushable reports whether a tag may be pushed: a tag has one source.
func (s *Stream) pushable(tag string) bool {
	t := s.specTag(tag)
	return t == nil && s.Spec.Repository == "" || t != nil && t.From.Kind == ""
}

// publishes reports whether the status of a stream names its own repository: something is
// pushed there, or handed out from there. What spec says goes before.
func (c *Catalog) publishes(s *Stream, events []imagestream.Event) bool {
	own := c.own(s.Name)
	if own == "" || s.Spec.Repository != "" {
		return false
	}
	return slices.ContainsFunc(s.Spec.Tags, func(t imagestream.Tag) bool { return t.Local }) ||
		slices.ContainsFunc(s.Status.Tags, func(st imagestream.TagStatus) bool { return c.pushed(s, &st) }) ||
		slices.ContainsFunc(events, func(e imagestream.Event) bool { return e.Item != nil && isOf(own, *e.Item) })
}

// took lets go of the arrivals that became something: what was on record already or is so by now,
// what was overtaken, and what people declined. The others wait on.
func (r *Reconciler) took(ctx context.Context, p deliveries, recorded *Recorded, writes Writes, outcome Outcome) {
	if r.Arrivals == nil {
		return
	}
	r.left = append([]registry.Arrival{}, p.waiting...)
	taken := slices.DeleteFunc(slices.Concat(p.done, p.ended(recorded, writes, outcome)), r.desk.stands)
	if len(taken) > 0 && !r.Dry {
		if err := r.Arrivals.Take(ctx, taken...); err != nil { // they are found again, and nothing comes of them twice
			r.report.ArrivalsErr = err
		}
		r.left = slices.DeleteFunc(r.left, func(a registry.Arrival) bool {
			return slices.ContainsFunc(taken, func(t registry.Arrival) bool { return sameArrival(a, t) })
		})
	}
	r.report.Dropped = slices.DeleteFunc(slices.Clone(p.dropped), func(d Dropped) bool {
		return slices.ContainsFunc(r.left, func(a registry.Arrival) bool { return sameArrival(a, d.Arrival) })
	})
	r.report.Arrivals = p.awaiting(r.left, r.mem.unwritten(r.report.Problems))
}

// ended is the news of which a pass made something.
func (p deliveries) ended(recorded *Recorded, writes Writes, outcome Outcome) (over []registry.Arrival) {
	is := map[Move]bool{}
	for _, no := range recorded.declines {
		is[Move{Tag: no.Tag, Image: no.Image, Site: no.Site}] = true
	}
	if outcome.Landed && !outcome.Nothing {
		for _, m := range movesIn(writes.Chain) {
			is[Move{Tag: m.Tag, Image: m.Image, Site: m.Site}] = true
		}
	}
	for _, n := range p.news {
		if is[Move{Tag: n.tag(), Image: n.Digest}] {
			over = append(over, n.Arrival)
		}
	}
	return over
}

// awaiting says of what is left why it waits; problems are edits that could not be made.
func (p deliveries) awaiting(left []registry.Arrival, problems []imagestream.Problem) (all []Awaiting) {
	all = slices.Clone(p.kept)
	waits := func(a registry.Arrival) bool {
		return slices.ContainsFunc(left, func(l registry.Arrival) bool { return sameArrival(l, a) })
	}
	for _, n := range p.news {
		if waits(n.Arrival) {
			all = append(all, n.awaits(problems))
		}
	}
	for _, a := range p.again {
		if waits(a) {
			all = append(all, Awaiting{Arrival: a, Why: "it is on record, and the proposal of another image is to be closed first"})
		}
	}
	for _, d := range p.dropped {
		if waits(d.Arrival) {
			all = append(all, Awaiting(d))
		}
	}
	slices.SortFunc(all, func(a, b Awaiting) int { return compareTags(tagOf(a.Arrival), tagOf(b.Arrival)) })
	return all
}

// awaits is why something that was pushed is not on record.
func (n delivery) awaits(problems []imagestream.Problem) Awaiting {
	for _, p := range problems {
		if p.Path == n.stream.Path {
			return Awaiting{n.Arrival, fmt.Sprintf("%s:%d: %s", p.Path, p.Line, p.What), cmp.Or(p.Fix, "towpath validate says what to put right")}
		}
	}
	if n.stream.Settings.Status == byProposal {
		return Awaiting{Arrival: n.Arrival, Why: "it is for people to review"}
	}
	return Awaiting{Arrival: n.Arrival, Why: "it is not written yet"}
}

// paths are those of the files that news are for.
func (p deliveries) paths() map[string]bool {
	paths := map[string]bool{}
	for _, n := range p.news {
		paths[n.stream.Path] = true
	}
	return paths
}

// asking are the hints of which a tag is asked.
func asking(hints []Hint) []Hint {
	return slices.DeleteFunc(slices.Clone(hints), func(h Hint) bool { return h.Arrived })
}
