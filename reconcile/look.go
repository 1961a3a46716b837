package reconcile

import (
	"maps"
	"slices"
	"time"
	"unique"

	"github.com/towpath/towpath/imagestream"
	"github.com/towpath/towpath/registry"
)

// A look is what a registry's word makes of a question that polling would ask some
// day. What polling never asks (a tag that is on record and not scheduled, a digest, a
// paused stream) is not asked for it either: only people move that.
//
//	a word came                                     asked at once, but a second after the last look
//	                                                at the earliest, and not before its registry allows
//	…while its question was under way               asked once more, likewise
//	the answer is the digest that was expected      done
//	none was expected, and the answer is news       done
//	it is another, the old one, or there is none    asked again 1, 3, 7, 15, 31 and 60 s after the
//	                                                word where a digest is expected, else 1, 5 and
//	                                                20 s after it; then polling covers it
//	the registry refuses, or does not answer        done: the tag's back-off says when
type look struct {
	since  time.Time // when the last word came
	at     time.Time // when to ask; zero: not by this
	asked  bool      // the question under way is younger than the last word
	last   time.Time // when the last question was asked
	expect string
}

// How long after a word a tag is asked again that seems not to have moved: with a
// digest that is expected, and without.
var (
	untilServed = []time.Duration{1 * time.Second, 3 * time.Second, 7 * time.Second, 15 * time.Second, 31 * time.Second, 60 * time.Second}
	untilNews   = []time.Duration{1 * time.Second, 5 * time.Second, 20 * time.Second}
)

// hear notes what registries say, and returns the other hints.
func (m *Memory) hear(c *Catalog, hints []Hint, now time.Time) []Hint {
	words := map[registry.Repo][]Hint{}
	var others []Hint
	for _, h := range hints {
		if h.ofRegistry() {
			words[h.Repo] = append(words[h.Repo], h)
		} else {
			others = append(others, h)
		}
	}
	maps.DeleteFunc(m.looks, func(_ imagestream.TagRef, l *look) bool {
		return l.at.IsZero() && !l.asked && now.Sub(l.last) > lookAgain
	})
	if len(words) == 0 {
		return others
	}
	for _, s := range c.Streams {
		for i := range s.wants {
			if s.Settings.Paused || s.Malformed {
				break
			}
			w := &s.wants[i]
			for _, h := range words[w.asks.Value().Repo] {
				if h.wakes(s, w) {
					m.lookAt(s, w, h, now)
				}
			}
		}
	}
	return others
}

// wakes reports whether a registry's word is about a question over the repository that
// it names.
func (h Hint) wakes(s *Stream, w *want) bool {
	tag := w.upstream()
	return tag != "" && (h.Upstream == "" || h.Upstream == tag || tag == anyTag) && h.Scope.holds(s)
}

func (m *Memory) lookAt(s *Stream, w *want, h Hint, now time.Time) {
	target := w.target(s)
	l := m.looks[target]
	if l == nil {
		if m.looks == nil {
			m.looks = map[imagestream.TagRef]*look{}
		}
		l = &look{}
		m.looks[target] = l
	}
	l.since, l.asked, l.expect, l.at = now, false, h.Expect, later(now, l.last.Add(lookAgain))
	if st := m.state(target); st != nil && st.failure != nil && st.failure.Kind == registry.RateLimited {
		l.at = later(l.at, st.retry)
	}
	delete(m.rests, s.Name)
}

// looked is when a registry's word wants a question asked. Where polling would never ask
// it, the word is forgotten.
func (m *Memory) looked(target imagestream.TagRef, ever bool) (at time.Time, ok bool) {
	l := m.looks[target]
	if l == nil || l.at.IsZero() {
		return time.Time{}, false
	}
	if !ever {
		l.at = time.Time{}
		return time.Time{}, false
	}
	return l.at, true
}

// looking notes that a question is asked now.
func (m *Memory) looking(q Question, now time.Time) {
	if l := m.looks[q.Target]; l != nil {
		l.at, l.asked, l.last = time.Time{}, true, now
	}
}

// saw takes in the answer to a question.
func (m *Memory) saw(a Answer) {
	l := m.looks[a.Target]
	if l == nil || !l.asked { // nobody spoke of it, or only after it was asked
		return
	}
	if l.asked = false; l.met(a) {
		return
	}
	waits := untilNews
	if l.expect != "" {
		waits = untilServed
	}
	if i := slices.IndexFunc(waits, func(d time.Duration) bool { return l.since.Add(d).After(a.At) }); i >= 0 {
		l.at = later(l.since.Add(waits[i]), l.last.Add(lookAgain))
		delete(m.rests, a.Target.Stream)
	}
}

// met reports whether an answer is what the word was about, or one that asking again soon
// would not better.
func (l *look) met(a Answer) bool {
	if err := a.failure(); err != nil && (err.Kind.Passing() || err.Kind == registry.Unauthorized || err.Kind == registry.Forbidden) {
		return true
	}
	if l.expect == "" {
		return a.news()
	}
	return slices.ContainsFunc(a.Results, func(r Result) bool { return r.Err == nil && (r.Head == l.expect || r.Image == l.expect) })
}

// asksOf is the part of a question that decides which words are about it.
func asksOf(q Question) unique.Handle[registry.Ref] { return unique.Make(q.Ref) }

// upstream is the tag of its repository that a question asks for: anyTag where an answer
// chooses, or takes all; empty for a digest, which does not move.
func (w *want) upstream() string {
	ref := w.asks.Value()
	switch {
	case w.tag == nil, w.tag.Policy != nil:
		return anyTag
	case ref.Digest != "":
		return ""
	}
	return ref.Tag
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
