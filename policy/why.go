package policy

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// back is what lets a choice fall below the tag on record.
var back = "only " + line("allow-downgrade", "true") + " lets it go back"

func (k *pick) choose(c candidate) Choice {
	words := k.policy.order.words()
	why := words.best + " of " + k.crowd()
	if k.count == 1 {
		why = "the only one " + k.policy.clause(false)
	}
	if len(k.passed)+len(k.unaged) > 0 {
		why += fmt.Sprintf("; passed over: %s", k.tally())
	}
	return k.done(c.tag, why, &c)
}

// stay chooses the tag on record; c is the best listed that is no better.
func (k *pick) stay(c candidate) Choice {
	words, f := k.policy.order.words(), k.facts[k.current.tag]
	best := words.best + " listed"
	if len(k.passed) > 0 {
		best += " that can be chosen"
	}
	switch {
	case k.listed && !f.Gone && f.Unfit == "":
		return k.choose(k.current)
	case k.listed:
		why, _ := k.refuse(f)
		return k.remain(fmt.Sprintf("stays: it %s, and nothing %s can be chosen; %s", why, words.before, back))
	case k.tied(c):
		return k.remain(fmt.Sprintf("stays: it is not listed any more, and the %s is %s, which is no %s", best, c.tag, words.before))
	}
	return k.remain(fmt.Sprintf("stays: the %s is %s, which is %s; %s", best, c.tag, words.behind, back))
}

// tied reports whether a tag is as good as the one on record.
func (k *pick) tied(c candidate) bool {
	if k.policy.order == (ages{}) {
		return k.facts[c.tag].Created.Equal(k.since)
	}
	return k.policy.order.compare(c.rank, k.current.rank) == 0
}

// stayAgeless keeps a tag on record that no other can be told newer than.
func (k *pick) stayAgeless(f Facts) Choice {
	why := k.ageless(f)
	switch {
	case f.Gone:
		why = "there is no such image any more"
	case f.Unfit != "":
		why = "it " + why
	}
	return k.remain(fmt.Sprintf("stays: %s, so that none can be told newer; %s", why, back))
}

// nothing says that no candidate can be chosen. The tag on record stays all the same:
// a list that came back empty or short is no reason to leave it.
func (k *pick) nothing() Choice {
	var why string
	switch {
	case k.size == 0:
		why = "the list of tags came back empty"
	case k.count == 0:
		why = fmt.Sprintf("none of the %d tags listed %s", k.size, k.unmet())
	case k.count == 1:
		why = fmt.Sprintf("the only one %s cannot be chosen: %s", k.policy.clause(false), k.tally())
	default:
		why = fmt.Sprintf("none of %s can be chosen: %s", k.crowd(), k.tally())
	}
	switch {
	case !k.holds:
		return k.done("", why, nil)
	case k.policy.downgrade:
		return k.remain("stays: " + why)
	}
	return k.remain("stays: " + why + "; " + back)
}

// unmet is what no tag does.
func (k *pick) unmet() string {
	if k.policy.match != nil && k.odds+len(k.refused) == 0 {
		return "matches " + clip(k.policy.match.String())
	}
	if v, ok := k.policy.order.(versions); ok {
		return "is a version that satisfies " + v.short()
	}
	return "can be chosen by its name"
}

// tooMany says that there is too much to look at. This needs a person, so the tag on
// record is not the choice: it would hide that.
func (k *pick) tooMany() Choice {
	if k.policy.order == (ages{}) {
		return k.done("", fmt.Sprintf("%d %s are more than the %d whose ages are compared; narrow them with towpath.dev/match",
			k.count, k.policy.clause(true), maxAges), nil)
	}
	return k.done("", fmt.Sprintf("the %d %s of %s cannot be chosen: %s; narrow them with towpath.dev/match or towpath.dev/ignore",
		len(k.passed), k.policy.order.words().best, k.crowd(), k.tally()), nil)
}

// tooHeavy says that the tags were not even read.
func (k *pick) tooHeavy() Choice {
	return k.done("", fmt.Sprintf("the patterns are too large for %d tags; write towpath.dev/match and towpath.dev/ignore with fewer counts and alternatives", k.size), nil)
}

func (k *pick) remain(why string) Choice { return k.done(k.current.tag, why, &k.current) }

// done makes the Choice; what came before it, or might have, was passed over.
func (k *pick) done(tag, why string, chosen *candidate) Choice {
	c := Choice{Tag: tag, Why: why}
	for _, r := range slices.Concat(k.passed, k.unaged) {
		if r.Tag != tag {
			c.Passed = append(c.Passed, r.Rejection)
		}
	}
	before := func(r rank) bool {
		return chosen == nil || k.policy.order == (ages{}) || k.policy.order.compare(r, chosen.rank) > 0
	}
	c.PassedOver = len(c.Passed) + k.odds
	for _, r := range k.refused {
		if before(r) {
			c.PassedOver++
		}
	}
	for _, o := range k.near.best {
		if before(o.rank) {
			c.Passed = append(c.Passed, Rejection{o.tag, o.refused})
		}
	}
	for _, o := range k.odd.best {
		c.Passed = append(c.Passed, Rejection{o.tag, o.refused})
	}
	c.Passed = c.Passed[:min(len(c.Passed), maxPassed)]
	return c
}

// tally counts the images that were passed over by the kind of reason: "3 younger than
// 72h, 1 without linux/arm64".
func (k *pick) tally() string {
	const most = 5
	var kinds []string
	count := map[string]int{}
	for _, r := range slices.Concat(k.passed, k.unaged) {
		if count[r.kind]++; count[r.kind] == 1 {
			kinds = append(kinds, r.kind)
		}
	}
	slices.SortFunc(kinds, func(a, b string) int {
		return cmp.Or(cmp.Compare(count[b], count[a]), strings.Compare(a, b))
	})
	for i, kind := range kinds {
		kinds[i] = fmt.Sprintf("%d %s", count[kind], kind)
	}
	if len(kinds) > most {
		kinds = append(kinds[:most], "…")
	}
	return strings.Join(kinds, ", ")
}

// printable keeps what others say to one short line.
func printable(text string) string {
	text = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, text)
	if r := []rune(text); len(r) > 120 {
		text = string(r[:120]) + "…"
	}
	return text
}
