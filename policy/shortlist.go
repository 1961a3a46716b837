package policy

import (
	"fmt"
	"slices"
)

// A Shortlist is the tags of a repository that a policy lets through by their
// names, best first where names decide. It never changes.
type Shortlist struct {
	policy *Policy
	size   int             // tags of the repository
	heavy  bool            // the patterns are too large for so many; no tag was read
	in     map[string]bool // tags that the policy is about: true for candidates
	count  int             // candidates

	candidates *ranking // as many as a choice looks at
	near       *ranking // refused by their names, and better or worse than others
	odd        *ranking // refused by their names, which cannot be compared
	refused    []rank   // of all that are near
	odds       int      // how many are odd
}

// Shortlist sorts a repository's tags. Their order does not matter.
func (p *Policy) Shortlist(tags []string) *Shortlist {
	s := &Shortlist{
		policy: p, size: len(tags), in: map[string]bool{},
		candidates: p.ranking(maxLooked + 1), near: p.ranking(maxPassed), odd: p.ranking(maxPassed),
	}
	if p.order == (ages{}) {
		s.candidates.most = maxAges
	}
	if s.heavy = p.heavy(tags); s.heavy {
		return s
	}
	for _, tag := range tags {
		if _, again := s.in[tag]; !again {
			s.add(tag)
		}
	}
	s.candidates.sort()
	s.near.sort()
	s.odd.sort()
	return s
}

// heavy reports whether the patterns take too long on these tags.
func (p *Policy) heavy(tags []string) bool {
	bytes := 0
	for _, tag := range tags {
		if isTag(tag) {
			bytes += len(tag)
		}
	}
	return p.cost > 0 && bytes > maxWork/p.cost
}

func (s *Shortlist) add(tag string) {
	c, ours := s.policy.admit(tag)
	if !ours {
		return
	}
	s.in[tag] = c.refused == ""
	switch {
	case c.refused == "":
		s.count++
		s.candidates.add(c)
	case c.rank == nil:
		s.odds++
		s.odd.add(c)
	default:
		s.near.add(c)
		s.refused = append(s.refused, c.rank)
	}
}

// A ranking keeps the best candidates, best first after sort. It never holds more than
// twice as many: all that a registry lists need not be sorted to know them.
type ranking struct {
	policy *Policy
	most   int
	best   []candidate
	full   bool // the last of best is the worst that is kept
}

func (p *Policy) ranking(most int) *ranking { return &ranking{policy: p, most: most} }

func (r *ranking) add(c candidate) {
	if r.full && r.policy.compare(c, r.best[r.most-1]) < 0 {
		return
	}
	if r.best = append(r.best, c); len(r.best) == 2*r.most {
		r.sort()
	}
}

func (r *ranking) sort() {
	slices.SortFunc(r.best, func(a, b candidate) int { return r.policy.compare(b, a) })
	if len(r.best) >= r.most {
		r.best, r.full = r.best[:r.most], true
	}
}

// crowd is what the choice was made among: "12 that satisfy >=1.4 <2".
func (s *Shortlist) crowd() string {
	n := s.count
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
		return "that " + verb("satisfies ", "satisfy ") + v.short()
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
