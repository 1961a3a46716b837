package policy

import (
	"slices"
	"time"
)

// Facts are what an image says of itself.
type Facts struct {
	// Created is the time that the image's configuration gives; zero where it gives
	// none that can be read.
	Created time.Time
	// Platforms are os/architecture or os/architecture/variant, one for each image
	// that the tag offers.
	Platforms []string
	// Gone says that the tag is listed but there is no such image; a non-empty
	// Unfit that what there is cannot be chosen, and why ("is no image").
	Gone  bool
	Unfit string
}

// A Choice is a tag, or why there is none.
type Choice struct {
	Tag string // empty: none can be chosen
	Why string // why this one, or why none: one sentence without a full stop
	// Passed are the tags that came before the choice, or might have, with the
	// reason: first those whose image was refused, then those whose name was, best
	// first; at most 20. PassedOver is how many there are in all.
	Passed     []Rejection
	PassedOver int
}

// Current is the tag that is on record; the zero Current without one.
type Current struct {
	Tag      string
	Recorded time.Time // its image was made before that; zero where nobody knows
}

// A Rejection is a tag that was passed over.
type Rejection struct{ Tag, Why string }

// What a choice may cost in questions, and what it tells.
const (
	maxLooked = 50   // images refused before nothing is chosen, where names decide
	maxAges   = 1000 // candidates whose ages are compared
	maxAtOnce = 8    // tags that are needed at a time, after the first
	maxPassed = 20   // rejections in a Choice
)

// Pick chooses. The choice never falls below the tag on record while that satisfies
// the policy's names itself, listed or not, unless the policy allows downgrades. Facts are what is known of
// tags so far; those of more tags than were asked for do no harm. Where need is
// not empty the choice cannot be made yet: it must be called again with the facts
// of those tags, too. Need is empty after at most 50 tags, with newest after the
// first time.
//
// A choice without a tag means that the policy cannot come to one, and Why what to
// do about it: nothing listed satisfies it and nothing is on record, or there is
// too much to look at.
func (s *Shortlist) Pick(current Current, facts map[string]Facts, now time.Time) (c Choice, need []string) {
	k := &pick{Shortlist: s, facts: facts, now: now, recorded: current.Recorded}
	k.current, k.holds = s.policy.admit(current.Tag)
	k.holds = k.holds && k.current.refused == ""
	k.listed = k.holds && s.in[current.Tag]
	switch {
	case s.heavy:
		return k.tooHeavy(), nil
	case s.policy.order == (ages{}):
		return k.byAge()
	}
	return k.byName()
}

// A pick is one call of Pick.
type pick struct {
	*Shortlist
	facts    map[string]Facts
	now      time.Time
	current  candidate
	recorded time.Time   // the image of current was made before that, if anybody knows
	holds    bool        // current satisfies the policy's names
	listed   bool        // and is among the candidates
	since    time.Time   // when the image of current was made, or before; zero where that is no matter
	passed   []rejection // images that came before, best first
	unaged   []rejection // images that no other can be compared with by age
}

// A rejection is a Rejection whose reason is counted under its kind.
type rejection struct {
	Rejection
	kind string
}

func (k *pick) byName() (Choice, []string) {
	for i, c := range k.candidates.best {
		if k.guarded(c) {
			return k.stay(c), nil
		}
		if len(k.passed) == maxLooked {
			return k.tooMany(), nil
		}
		f, known := k.facts[c.tag]
		if !known && k.policy.asks() {
			return Choice{}, k.next(k.candidates.best[i:])
		}
		if !known || k.judge(c.tag, f) {
			return k.choose(c), nil
		}
	}
	return k.nothing(), nil
}

// guarded reports whether the tag on record goes before c: it is no worse, and
// nothing speaks against it that would let the policy go below. It was judged when
// it was chosen, so nothing need be known of it.
func (k *pick) guarded(c candidate) bool {
	return k.holds && k.policy.order.compare(c.rank, k.current.rank) <= 0 && k.stands()
}

// stands reports whether the tag on record stays where nothing better can be chosen.
func (k *pick) stands() bool {
	f := k.facts[k.current.tag]
	return !k.policy.downgrade || k.listed && !f.Gone && f.Unfit == ""
}

// next are the tags to be looked at, the first of them needed: one to begin with,
// which is mostly the choice, then a few at a time.
func (k *pick) next(rest []candidate) (need []string) {
	most := 1
	if len(k.passed) > 0 {
		most = min(maxAtOnce, maxLooked-len(k.passed))
	}
	for _, c := range rest {
		if len(need) == most || k.guarded(c) {
			break
		}
		if _, known := k.facts[c.tag]; !known {
			need = append(need, c.tag)
		}
	}
	return need
}

// byAge compares the ages of all candidates.
func (k *pick) byAge() (Choice, []string) {
	if k.count > maxAges {
		return k.tooMany(), nil
	}
	if need := k.unknown(); len(need) > 0 {
		return Choice{}, need
	}
	if k.holds && k.stands() && k.count > 0 {
		switch f := k.facts[k.current.tag]; {
		case k.ageless(f) == "":
			k.since = f.Created
		case f.Gone && !k.recorded.IsZero(): // what was made later is newer for certain
			k.since = k.recorded
		case !k.policy.downgrade:
			return k.stayAgeless(f), nil
		}
	}
	for _, c := range k.byCreated() {
		f := k.facts[c.tag]
		if !k.since.IsZero() && !f.Created.After(k.since) {
			return k.stay(c), nil
		}
		if k.judge(c.tag, f) {
			return k.choose(c), nil
		}
	}
	return k.nothing(), nil
}

// unknown are the tags whose age is missing: of all candidates, and of the tag on
// record where the choice may not be older.
func (k *pick) unknown() (need []string) {
	for _, c := range k.candidates.best {
		if _, known := k.facts[c.tag]; !known {
			need = append(need, c.tag)
		}
	}
	if _, known := k.facts[k.current.tag]; k.holds && !k.listed && !known && !k.policy.downgrade && k.count > 0 {
		need = append(need, k.current.tag)
	}
	return need
}

// byCreated are the candidates whose age is known, newest first. All others have been
// passed over.
func (k *pick) byCreated() []candidate {
	var aged []candidate
	for _, c := range k.candidates.best {
		if f := k.facts[c.tag]; k.ageless(f) == "" {
			aged = append(aged, c)
		} else {
			k.unaged = append(k.unaged, k.rejection(c.tag, f))
		}
	}
	slices.SortStableFunc(aged, func(a, b candidate) int {
		return k.facts[b.tag].Created.Compare(k.facts[a.tag].Created)
	})
	return aged
}
