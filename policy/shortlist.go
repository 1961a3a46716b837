package policy

import (
	"fmt"
	"slices"
)

// A Shortlist is the tags of a repository that a policy lets through by their
// names, best first where names decide. It never changes.
type Shortlist struct {
	policy *Policy
	size   int         // tags of the repository, each once
	in     []candidate // best first
	out    []candidate // refused by their names, best first; those without rank last
}

// Shortlist sorts a repository's tags. Their order does not matter.
func (p *Policy) Shortlist(tags []string) *Shortlist {
	s := &Shortlist{policy: p}
	tags = slices.Clone(tags)
	slices.Sort(tags)
	tags = slices.Compact(tags)
	s.size = len(tags)
	for _, tag := range tags {
		switch c, ours := p.admit(tag); {
		case !ours:
		case c.refused == "":
			s.in = append(s.in, c)
		default:
			s.out = append(s.out, c)
		}
	}
	bestFirst := func(a, b candidate) int { return p.compare(b, a) }
	slices.SortFunc(s.in, bestFirst)
	slices.SortFunc(s.out, bestFirst)
	return s
}

// crowd is what the choice was made among: "12 that satisfy >=1.4 <2".
func (s *Shortlist) crowd() string {
	n := len(s.in)
	return fmt.Sprintf("%d %s%s", n, s.policy.clause(n != 1), comma(s.policy.order.words().by))
}

// clause says what the tags have in common that can be chosen.
func (p *Policy) clause(many bool) string {
	verb := func(one, more string) string {
		if many {
			return more
		}
		return one
	}
	switch v, ok := p.order.(versions); {
	case ok:
		return "that " + verb("satisfies ", "satisfy ") + v.text
	case p.match != nil:
		return "that " + verb("matches ", "match ") + clip(p.match.String())
	}
	return "listed"
}

func comma(text string) string {
	if text == "" {
		return ""
	}
	return ", " + text
}
