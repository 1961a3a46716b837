package reconcile

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/towpath/towpath/imagestream"
	"github.com/towpath/towpath/registry"
)

// waiting reads what waits. That it cannot be read keeps nothing else from working: what waited
// before waits on. Only where nothing was ever read the pass cannot go on, as proposals of pushes
// would look as if nobody wanted them.
func (r *Reconciler) waiting(ctx context.Context) ([]registry.Arrival, error) {
	if r.Arrivals == nil {
		return nil, nil
	}
	waiting, err := r.Arrivals.Waiting(ctx)
	var unread registry.Unread
	if errors.As(err, &unread) && ctx.Err() == nil {
		r.report.ArrivalsErr = err
		return still(waiting, unread, r.left), nil
	}
	if err != nil && (r.left == nil || ctx.Err() != nil) {
		return nil, fmt.Errorf("reading what was pushed: %w", err)
	}
	if r.report.ArrivalsErr = err; err != nil {
		return r.left, nil
	}
	return waiting, nil
}

// still is what waits, and what waited before of the tags that cannot be read now.
func still(waiting []registry.Arrival, unread registry.Unread, before []registry.Arrival) []registry.Arrival {
	for _, a := range before {
		if slices.ContainsFunc(unread, func(t registry.UnreadTag) bool {
			return t.Namespace == a.Namespace && t.Name == a.Name && t.Tag == a.Tag
		}) {
			waiting = append(waiting, a)
		}
	}
	slices.SortFunc(waiting, func(a, b registry.Arrival) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Tag, b.Tag))
	})
	return waiting
}

// mistrust has Git looked at now where what it said last would leave nothing to do about a push
// that came since: what a person took back meanwhile is to be seen first, or the client's later
// word would be lost. So nothing is let go of but by what Git said after the push was seen,
// whatever clocks say.
func (r *Reconciler) mistrust(waiting []registry.Arrival, hints []Hint, now time.Time) {
	if r.Arrivals == nil || r.cat == nil {
		return
	}
	r.sights = r.sights.of(r.known, waiting)
	doubtful := slices.ContainsFunc(hints, Hint.recalls)
	for _, a := range waiting {
		if !doubtful && !slices.ContainsFunc(r.left, func(l registry.Arrival) bool { return sameArrival(a, l) }) {
			doubtful = r.cat.settles(a, nil, now) || r.cat.Stream(tagOf(a).Stream).sourced(a.Tag)
		}
	}
	if doubtful {
		r.polled = time.Time{}
	}
}

// sourced reports whether a tag of a stream comes from elsewhere.
func (s *Stream) sourced(tag string) bool { return s != nil && !s.pushable(tag) }

// recalls reports whether a person asks for a tag by its name.
func (h Hint) recalls() bool { return h.Force && h.Tag != "" && h.Stream.Name != "" }

// hurries reports whether what was pushed is to be written before registries answer. What waits
// for people, or cannot be written now, does not.
func (r *Reconciler) hurries(p deliveries, now time.Time) bool {
	return len(p.news) > 0 && (p.fresh || r.mem.waits != nil) && !now.Before(r.mem.pushAfter)
}

// known is what a tag is on record as, by what was read last and what went there since by ourselves.
func (r *Reconciler) known(tag imagestream.TagRef) *imagestream.Item {
	if s := r.shelf.Load(); s != nil {
		if item, ok := s.landed[tag]; ok {
			return &item
		}
	}
	return r.cat.recordOf(tag)
}

// sights are what tags were on record, as far as this process knew, before it first saw what was
// pushed to them.
type sights map[imagestream.TagRef]sight

type sight struct {
	of registry.Arrival
	is imagestream.Item // zero: nothing was on record
}

// of are the sights of what waits now.
func (was sights) of(recordOf func(imagestream.TagRef) *imagestream.Item, waiting []registry.Arrival) sights {
	all := make(sights, len(waiting))
	for _, a := range waiting {
		tag := tagOf(a)
		s, ok := was[tag]
		if !ok || !sameArrival(s.of, a) {
			s = sight{of: a}
			if is := recordOf(tag); is != nil {
				s.is = *is
			}
		}
		all[tag] = s
	}
	return all
}

// recordOf is what a tag is on record as; nil where it is not.
func (c *Catalog) recordOf(tag imagestream.TagRef) *imagestream.Item {
	s := c.Stream(tag.Stream)
	if s == nil || s.Malformed {
		return nil
	}
	if st := s.record(tag.Tag); st != nil && len(st.Items) > 0 {
		return &st.Items[0]
	}
	return nil
}

// settles reports whether the record leaves nothing to do about an arrival.
func (c *Catalog) settles(a registry.Arrival, seen sights, now time.Time) bool {
	tag := tagOf(a)
	is := c.recordOf(tag)
	if is == nil {
		return false
	}
	pushed := c.isPush(*is, tag)
	if is.Image == a.Digest && (pushed || c.Stream(tag.Stream).sourced(tag.Tag)) {
		return true
	}
	if !a.At.Before(is.Created) || is.Created.After(now) { // a clock that is wrong says nothing
		return false
	}
	// Of two pushes the registry knows the later: it is the one that waits, unless the other came
	// on record after what this process knew before it saw this one.
	s, ok := seen[tag]
	return !pushed || ok && sameArrival(s.of, a) && (s.is.Image != is.Image || s.is.Reference != is.Reference)
}
