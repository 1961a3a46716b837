package imagestream

import (
	"cmp"
	"slices"
	"time"
)

// Options are what a record is written by.
type Options struct {
	// Now is the time of what changes now. It is cut to seconds.
	Now time.Time
	// History is how many items a tag keeps; 0 stands for 10. A tag is trimmed when its
	// record moves, never for its own sake.
	History int
	// Keep says that an image must stay in the history, however old: somebody still
	// runs it. Nil keeps none.
	Keep func(image string) bool
	// Repository is what status.dockerImageRepository says from the next change on.
	// Empty leaves it as it is.
	Repository string
}

func (o Options) now() time.Time { return o.Now.UTC().Truncate(time.Second) }

// After is the record of a stream after events. It is Status.After with the
// stream's own repository where Options names none.
func (d Document) After(events []Event, o Options) Status {
	o.Repository = cmp.Or(o.Repository, d.Spec.Repository)
	return d.Status.After(events, o)
}

// After is the record after events, in their order; s stays as it is. Only a tag's
// current item is looked at, so that a record cut to Items[:1] gives the same
// answers as a full one:
//
//	reference  image    record
//	-          -        no items: the new one is the first
//	same       same     stays
//	same       another  the current item's image is replaced
//	another    same     the current item's reference is replaced
//	another    another  the new item goes before the others
//
// A→B→A is three items. A tag that is not on record yet goes to its place by name
// when the others are in that order, else to the end. A tag that an event leaves with
// neither items nor conditions is on record no longer; one that came so stays.
func (s Status) After(events []Event, o Options) Status {
	out := Status{Repository: s.Repository, Tags: slices.Clone(s.Tags)}
	changed := map[string]bool{} // tags
	for _, e := range events {
		i := slices.IndexFunc(out.Tags, func(t TagStatus) bool { return t.Tag == e.Tag })
		if i < 0 {
			if t, ok := (TagStatus{Tag: e.Tag}).after(e, o); ok {
				out.Tags = slices.Insert(out.Tags, placeOf(e.Tag, out.Tags), t)
				changed[e.Tag] = true
			}
			continue
		}
		if t, ok := out.Tags[i].after(e, o); ok {
			out.Tags[i] = t
			changed[e.Tag] = true
		}
	}
	out.Tags = slices.DeleteFunc(out.Tags, func(t TagStatus) bool { return changed[t.Tag] && t.isEmpty() })
	if len(out.Tags) == 0 {
		out.Tags = nil
	}
	if len(changed) > 0 && o.Repository != "" {
		out.Repository = o.Repository
	}
	return out
}

// isEmpty reports whether nothing is on record: no items, no conditions.
func (t TagStatus) isEmpty() bool {
	return len(t.Items) == 0 && t.Source == nil && t.Failure == nil && !t.Others
}

// placeOf is where a new tag goes.
func placeOf(tag string, tags []TagStatus) int {
	byName := func(a, b TagStatus) int { return cmp.Compare(a.Tag, b.Tag) }
	if !slices.IsSortedFunc(tags, byName) {
		return len(tags)
	}
	i, _ := slices.BinarySearchFunc(tags, TagStatus{Tag: tag}, byName)
	return i
}

// after reports false where the event says nothing new.
func (t TagStatus) after(e Event, o Options) (TagStatus, bool) {
	changed := false
	if !e.At.IsZero() {
		o.Now = e.At
	}
	if e.Item != nil {
		before := t.Items
		moved := t.move(*e.Item, o)
		another := len(before) == 0 || before[0].Image != t.Items[0].Image
		source := t.Source.next(e.Source, another, o)
		changed = moved || source != t.Source
		t.Source = source
		if moved {
			t.Failure = nil
		}
	}
	if e.Clear && t.Failure != nil {
		t.Failure, changed = nil, true
	}
	if e.Failure != nil {
		if f := dated(*e.Failure, o); !t.Failure.same(f) {
			t.Failure, changed = f, true
		}
	}
	return t, changed
}

// dated is a failure as it will be read again.
func dated(f Failure, o Options) *Failure {
	if f.Since.IsZero() {
		f.Since = o.Now
	}
	f.Since = f.Since.UTC().Truncate(time.Second)
	return readFailure(failureCondition(f))
}

func since(s *Source, o Options) *Source {
	if s == nil {
		return nil
	}
	recorded := *s
	recorded.Since = o.now()
	return &recorded
}

// move makes next the current item; it reports false when it is that already.
func (t *TagStatus) move(next Item, o Options) bool {
	next.Created = next.Created.UTC().Truncate(time.Second)
	if len(t.Items) == 0 {
		if next.Created.IsZero() {
			next.Created = o.now()
		}
		t.Items, t.Served = []Item{next}, false
		return true
	}
	current := t.Items[0]
	switch sameReference, sameImage := current.Reference == next.Reference, current.Image == next.Image; {
	case sameReference && sameImage:
		return false
	case sameReference || sameImage:
		next.Created = current.Created
		t.Items = slices.Clone(t.Items)
		t.Items[0] = next
	default:
		if next.Created.IsZero() {
			next.Created = o.now()
		}
		next.Created = later(next.Created, current.Created)
		t.Items, t.Served = trim(slices.Insert(slices.Clone(t.Items), 0, next), o), false
	}
	return true
}

// later keeps the history in order when the clock was set back, and when a tag goes back
// to an image that another tag has had for longer.
func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

// keeps reports whether an item must stay: somebody runs its image, and no newer item is the
// same. What goes to and fro between two images would grow without end otherwise.
func (o Options) keeps(items []Item, i int) bool {
	return o.Keep != nil && o.Keep(items[i].Image) &&
		!slices.ContainsFunc(items[:i], func(newer Item) bool { return newer.Image == items[i].Image })
}

// trim drops the oldest items over the cap that nobody runs.
func trim(items []Item, o Options) []Item {
	history := cmp.Or(o.History, 10)
	for i := len(items) - 1; i > 0 && len(items) > history; i-- {
		if !o.keeps(items, i) {
			items = slices.Delete(items, i, i+1)
		}
	}
	return items
}
