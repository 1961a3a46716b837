package policy

import (
	"fmt"
	"time"
)

// epoch is the year before which no image was made: builds that want to be
// reproducible date them 1970 or 1980.
var epoch = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// ahead is how far a clock may run ahead of ours.
const ahead = 24 * time.Hour

// Asks reports whether anything but its tag decides whether an image can be chosen.
func (p *Policy) Asks() bool { return p.asks() || p.order == (ages{}) }

// Refuses is why an image cannot be chosen, whatever its tag; empty if it can. It is
// for an image that was given the tag on record, which Pick takes as it is.
func (p *Policy) Refuses(f Facts, now time.Time) (why string) {
	why, _ = (&pick{Shortlist: &Shortlist{policy: p}, now: now}).refuse(f)
	return why
}

// Lasting reports whether facts can be relied on while a tag's image stays the same, given those
// of the tag on record. What keeps an image out may end: it comes, or comes for one more
// platform. With newest that is no matter for one that is older than what is on record.
func (p *Policy) Lasting(f, current Facts) bool {
	if f.Gone || f.Unfit != "" {
		return false
	}
	older := p.order == (ages{}) && f.Created.Before(current.Created)
	return older || p.lacks(f) == ""
}

// lacks is a platform that the policy wants and an image does not offer; empty for none.
func (p *Policy) lacks(f Facts) string {
	for _, want := range p.platforms {
		if !offers(f.Platforms, want) {
			return want
		}
	}
	return ""
}

// judge reports whether an image can be chosen; if not, it has been passed over.
func (k *pick) judge(tag string, f Facts) bool {
	r := k.rejection(tag, f)
	if r.Why != "" {
		k.passed = append(k.passed, r)
	}
	return r.Why == ""
}

func (k *pick) rejection(tag string, f Facts) rejection {
	why, kind := k.refuse(f)
	return rejection{Rejection{tag, why}, kind}
}

// refuse is why an image cannot be chosen, and the kind of reason.
func (k *pick) refuse(f Facts) (why, kind string) {
	if f.Gone {
		return "is listed, but there is no such image", "without an image"
	}
	if f.Unfit != "" {
		return printable(f.Unfit), "not fit (" + printable(f.Unfit) + ")"
	}
	if want := k.policy.lacks(f); want != "" {
		return "has no image for " + want, "without " + want
	}
	if k.policy.minAge == 0 && k.policy.order != (ages{}) {
		return "", ""
	}
	if why := k.ageless(f); why != "" {
		return why, "of unknown age"
	}
	if age := k.now.Sub(f.Created); k.policy.minAge > 0 && age < k.policy.minAge {
		least := span(k.policy.minAge)
		return fmt.Sprintf("%s old, younger than %s", roughly(age), least), "younger than " + least
	}
	return "", ""
}

// ageless is why the age of an image is unknown; empty if it is known.
func (k *pick) ageless(f Facts) string {
	switch made := f.Created; {
	case f.Gone, f.Unfit != "":
		why, _ := k.refuse(f)
		return why
	case made.IsZero():
		return "its image does not say when it was made: unknown age"
	case made.Before(epoch):
		return fmt.Sprintf("its image says it was made in %d: unknown age", made.UTC().Year())
	case made.After(k.now.Add(ahead)):
		return fmt.Sprintf("its image says it was made in the future, in %d: unknown age", made.UTC().Year())
	}
	return ""
}

// roughly is an age in its largest unit, so that it does not change with every pass.
func roughly(age time.Duration) string {
	switch {
	case age >= 48*time.Hour:
		return fmt.Sprintf("%d days", age/(24*time.Hour))
	case age >= time.Hour:
		return fmt.Sprintf("%d h", age/time.Hour)
	}
	return "less than 1 h"
}
