package config

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
)

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

// Bounds of what forges take.
const (
	maxLabel  = 50  // characters of a label, as GitHub has it
	maxPeople = 100 // bytes of a user, and of a team
	maxBranch = 61  // bytes of a prefix of branches
)

// A reviewLabel is the name of a label. GitLab reads commas between labels.
type reviewLabel string

func (l *reviewLabel) set(text string) error {
	hidden := func(r rune) bool { return !unicode.IsPrint(r) }
	if len([]rune(text)) > maxLabel || strings.TrimSpace(text) != text || strings.ContainsFunc(text, hidden) || strings.Contains(text, ",") {
		return &wrong{"is not the name of a label", "write one that people can see, of at most 50 characters, without commas and without blanks around it, such as images"}
	}
	*l = reviewLabel(text)
	return nil
}

// A reviewer is a user or, as org/team, a team.
type reviewer string

func (r *reviewer) set(text string) error {
	org, team, isTeam := strings.Cut(strings.TrimPrefix(text, "@"), "/")
	switch good := isUser(org) && (!isTeam || isUser(team)); {
	case !good:
		return &wrong{"is neither a user nor a team", "write the name that the forge knows, such as alice, or ORG/TEAM"}
	case text[0] == '@':
		return &wrong{"begins with @", "write " + text[1:]}
	}
	*r = reviewer(text)
	return nil
}

// An assignee is a user.
type assignee string

func (a *assignee) set(text string) error {
	switch good := isUser(strings.TrimPrefix(text, "@")); {
	case !good:
		return &wrong{"is not a user", "write the name that the forge knows, such as alice; teams can be reviewers only"}
	case text[0] == '@':
		return &wrong{"begins with @", "write " + text[1:]}
	}
	*a = assignee(text)
	return nil
}

// isUser reports whether a forge may call a user, or a team, so.
func isUser(text string) bool {
	return userName.MatchString(text) && len(text) <= maxPeople
}

var (
	userName   = regexp.MustCompile(aUser)
	branchName = regexp.MustCompile(aBranch)
	noBranch   = regexp.MustCompile(notBranch)
)

// A branchPart begins names of branches.
type branchPart string

func (b *branchPart) set(text string) error {
	switch {
	case strings.HasPrefix(text, "refs/"):
		return &wrong{"is a ref, and not what names of branches begin with", "write it without refs/heads/, such as towpath/"}
	case len(text) > maxBranch:
		return &wrong{"is longer than 61 characters", "write a short one, such as towpath/"}
	case !branchName.MatchString(text) || noBranch.MatchString(text):
		return &wrong{"cannot begin the names of branches", "write letters, digits, dots, underscores, dashes and slashes as Git allows them, with / or - at the end, such as towpath/"}
	}
	*b = branchPart(text)
	return nil
}
