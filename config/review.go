package config

import "slices"

// Proposes reports whether anything may go to review.
func (r *Repository) Proposes() bool {
	f := &r.orDefault().file
	return f.Defaults.proposes() || slices.ContainsFunc(f.Rules, func(r rule) bool { return r.proposes() })
}

func (o *overrides) proposes() bool {
	is := func(s *string) bool { return s != nil && *s == proposal }
	return is(o.Status) || is(o.Triggers)
}

// BranchPrefix begins the names of towpath's branches.
func (r *Repository) BranchPrefix() string { return string(r.orDefault().file.BranchPrefix) }

// MaxOpen is how many proposals may be open at a time.
func (r *Repository) MaxOpen() int { return r.orDefault().file.MaxOpen }

func (o *overrides) review(s *Settings) {
	set(&s.Status, o.Status)
	set(&s.Triggers, o.Triggers)
	setList(&s.ProposalLabels, o.ProposalLabels)
	setList(&s.Reviewers, o.Reviewers)
	setList(&s.Assignees, o.Assignees)
	set(&s.Draft, o.Draft)
	set(&s.Merge, o.Merge)
}

func setList[T ~string](to *[]string, list []T) {
	if list == nil {
		return
	}
	*to = make([]string, len(list))
	for i, v := range list {
		(*to)[i] = string(v)
	}
}

// A reviewLabel is the name of a label.
type reviewLabel string

// A reviewer is a user or, as org/team, a team.
type reviewer string

// A branchPart begins names of branches.
type branchPart string
