package reconcile

import (
	"cmp"
	"hash/fnv"
	"time"
	"unique"

	"github.com/towpath/towpath/imagestream"
	"github.com/towpath/towpath/registry"
)

// spread is over how much time the first round after a start is spread.
const spread = 5 * time.Minute

// Due says which tags need asking now, and when the next one will.
//
//	what is known of the tag                      asked
//	a hint names it                               now
//	a registry spoke of it, and polling asks it   soon: see look
//	its answer came too late                      now
//	its inputs are not on record                  now; after a failure, when its back-off is over
//	on record, scheduled, asked in this process   when its interval is over, and up to a twentieth of it later
//	its image must settle first                   when it may have settled
//	on record, scheduled, not asked yet           within min(interval, 5 min) of the start, by hash
//	on record, but its last import failed         likewise, then when its back-off is over
//	on record, not scheduled                      never
//	a question is under way, or its answer owed   not again
func Due(c *Catalog, m *Memory, hints []Hint, now time.Time) (ask []Question, next time.Time) {
	if c.Invalid || c.Config.Paused() {
		return nil, time.Time{}
	}
	hints = m.hear(c, hints, now)
	for _, s := range c.Streams {
		if s.Settings.Paused || s.Malformed {
			continue
		}
		rest, ok := m.rests[s.Name]
		if !ok || rest.stream != s || len(hints) > 0 || !rest.until.IsZero() && !rest.until.After(now) {
			var questions []Question
			questions, rest = c.dueOf(s, m, hints, now)
			ask = append(ask, questions...)
			m.rest(rest)
		}
		if at := rest.until; !at.IsZero() && (next.IsZero() || at.Before(next)) {
			next = at
		}
	}
	return ask, next
}

// dueOf is Due for one stream.
func (c *Catalog) dueOf(s *Stream, m *Memory, hints []Hint, now time.Time) (ask []Question, r rest) {
	r.stream = s
	for i := range s.wants {
		w := &s.wants[i]
		target, forced, hinted := w.target(s), false, false
		at, ever := m.due(target, w, s)
		spoken, spokenOf := m.looked(target, ever)
		if spokenOf {
			at = earlier(at, spoken)
		}
		for _, h := range hints {
			if h.names(s, target.Tag, w.scheduled) {
				at, ever, hinted, forced = now, true, true, forced || h.Force
			}
		}
		if st := m.state(target); st != nil && st.asking == w.inputs {
			st.hinted = st.hinted || hinted // the answer may be older than what the hint is about
			r.busy = true
			continue
		}
		if _, owed := m.owed[target]; owed && !hinted && !(spokenOf && !spoken.After(now)) {
			r.busy = true
			continue
		}
		switch {
		case ever && !at.After(now):
			q := c.question(s, w)
			if q.Forced = forced; w.scheduled {
				q.Every = w.interval(s)
			}
			m.complete(&q)
			ask, r.busy = append(ask, q), true
		case ever && (r.until.IsZero() || at.Before(r.until)):
			r.until = at
		}
	}
	return ask, r
}

// A want is what decides when a question is due, worked out once for a stream: there
// are many, and most are never due.
type want struct {
	tag       *imagestream.Tag // nil: every tag of the repository
	inputs    string
	scheduled bool
	onRecord  bool
	failed    time.Time                   // when the youngest failure was recorded; zero where none is on record
	asks      unique.Handle[registry.Ref] // what is asked; many tags may ask the same
}

// wants are the questions that a stream may have.
func (c *Catalog) wants(s *Stream) []want {
	ws := make([]want, 0, len(s.Spec.Tags))
	add := func(tag *imagestream.Tag, q Question, failed time.Time, scheduled bool) {
		ws = append(ws, want{tag, q.Inputs, scheduled, q.OnRecord, failed, asksOf(q)})
	}
	for i := range s.Spec.Tags {
		t := &s.Spec.Tags[i]
		if t.From.Kind == imagestream.DockerImage && !t.Reference {
			q, failed := c.tagQuestion(s, *t)
			add(t, q, failed, s.scheduled(*t, q))
		}
	}
	if s.Spec.Repository != "" {
		q, failed := c.repositoryQuestion(s)
		add(nil, q, failed, s.Scheduled || s.Settings.Scheduled)
	}
	return ws
}

func (w *want) target(s *Stream) imagestream.TagRef {
	if w.tag == nil {
		return imagestream.TagRef{Stream: s.Name}
	}
	return imagestream.TagRef{Stream: s.Name, Tag: w.tag.Name}
}

// question is a want in full.
func (c *Catalog) question(s *Stream, w *want) Question {
	if w.tag == nil {
		q, _ := c.repositoryQuestion(s)
		return q
	}
	q, _ := c.tagQuestion(s, *w.tag)
	return q
}

// scheduled reports whether a tag is asked again and again. A digest that is on
// record cannot change.
func (s *Stream) scheduled(t imagestream.Tag, q Question) bool {
	return (t.Scheduled || s.Settings.Scheduled) && (q.Ref.Digest == "" || !q.OnRecord)
}

// due says when something is to be asked, if ever.
func (m *Memory) due(target imagestream.TagRef, w *want, s *Stream) (at time.Time, ever bool) {
	st, interval, place := m.state(target), w.interval(s), w.place(target)
	switch asked := st != nil && st.inputs == w.inputs; {
	case st != nil && st.again:
		return m.started, true
	case asked && st.fails > 0 && target.Tag != "" && !st.failure.Kind.Passing() && w.failed.IsZero() && st.settled != s.Blob:
		return m.started, true // the failure was on record, and somebody took it away
	case asked && st.fails > 0 && st.listed && w.scheduled:
		return earlier(st.retry, st.next(place, interval)), true // one bad tag must not keep the others, or its successor, waiting
	case asked && st.fails > 0 && !st.settles.IsZero():
		return earlier(st.retry, st.settles), true
	case asked && st.fails > 0:
		return st.retry, true
	case asked && !st.settles.IsZero():
		return earlier(st.settles, st.next(place, interval)), true
	case !w.onRecord && !(asked && st.settled == s.Blob):
		return m.started, true
	case asked && w.scheduled:
		return st.next(place, interval), true
	case asked && st.asked.Before(w.failed.Add(clearAfter)):
		return w.failed.Add(clearAfter), true // its recorded failure is over, and waits to be cleared
	case asked:
		return time.Time{}, false
	case w.scheduled || !w.failed.IsZero():
		return together(m.started.Add(slot(place, min(interval, spread))), interval), true
	}
	return time.Time{}, false
}

// place is what gives a question its place in time. Policies of a stream that choose
// from one repository share it: one listing does for all of them.
func (w *want) place(target imagestream.TagRef) imagestream.TagRef {
	if w.tag != nil && w.tag.Policy != nil {
		target.Tag = w.tag.From.Name
	}
	return target
}

// interval is the time between two questions.
func (w *want) interval(s *Stream) time.Duration {
	if w.tag == nil {
		return cmp.Or(s.Interval, s.Settings.Interval)
	}
	return cmp.Or(w.tag.Interval, s.Settings.Interval)
}

// next is when the interval since the last answer is over. What was asked together
// is spread over a twentieth of the interval, so that it does not come together again
// for ever; grain by grain, so that a pass has more than one tag to ask for.
func (st *state) next(place imagestream.TagRef, interval time.Duration) time.Time {
	return together(st.asked.Add(interval+slot(place, interval/20)), interval)
}

// together puts a time off, by a little of an interval, so that a pass has more than
// one tag to ask for.
func together(at time.Time, interval time.Duration) time.Time {
	grain := min(interval/180, grain)
	if grain <= 0 {
		return at
	}
	if late := at.Sub(at.Truncate(grain)); late > 0 {
		at = at.Add(grain - late)
	}
	return at
}

// grain is the longest time by which a question is put off so that others come
// with it.
const grain = 5 * time.Second

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// slot is a tag's place in a span of time, the same on every machine.
func slot(t imagestream.TagRef, span time.Duration) time.Duration {
	if span <= 0 {
		return 0
	}
	h := fnv.New64a()
	h.Write([]byte(t.String()))
	return time.Duration(h.Sum64() % uint64(span))
}
