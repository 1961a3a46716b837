package github

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/google/go-github/v89/github"

	"github.com/towpath/towpath/forge"
)

var opening = need{"open a pull request", "Pull requests: write"}

// Propose opens one, and then gives it what can only be given to one that is there.
func (f *Forge) Propose(ctx context.Context, d forge.Draft) (forge.Proposal, error) {
	var lost losses
	draft := d.Draft
	pr, err := f.create(ctx, d, draft)
	if r, ok := refused(err); ok && draft && noDrafts(r) {
		lost.add("its being a draft", errors.New(forPeople(r.said)))
		draft = false
		pr, err = f.create(ctx, d, draft)
	}
	if r, ok := refused(err); ok && r.invalid() && r.says("already exists") {
		return f.adopt(ctx, d, err)
	}
	var p forge.Proposal
	if err == nil {
		f.owns = cmp.Or(pr.GetBase().GetRepo().GetOwner().GetLogin(), f.owns)
		p, err = proposalOf(pr)
	}
	if err != nil {
		return f.unheard(ctx, d, f.fail(ctx, opening, err))
	}
	if f.listed[d.Base] != nil {
		f.listed[d.Base][p.Number] = true
	}
	f.give(ctx, &p, d, &lost)
	return p, lost.error(f.origin, p.Number)
}

func (f *Forge) create(ctx context.Context, d forge.Draft, draft bool) (*github.PullRequest, error) {
	pr, _, err := f.api.PullRequests.Create(ctx, f.owner, f.repo, &github.NewPullRequest{
		Title: &d.Title, Head: &d.Branch, Base: &d.Base, Body: &d.Body, Draft: &draft,
	})
	return pr, err
}

// noDrafts tells whether a plan has no drafts in private repositories.
func noDrafts(r *refusal) bool {
	return (r.StatusCode == http.StatusUnprocessableEntity || r.StatusCode == http.StatusForbidden) && r.says("draft pull requests")
}

// adopt returns the one that is open already. Where it is gone again meanwhile, GitHub's refusal
// stands; the next pass sees what became of it.
func (f *Forge) adopt(ctx context.Context, d forge.Draft, refusal error) (forge.Proposal, error) {
	found, err := f.of(ctx, "open", d.Base, d.Branch)
	if err != nil {
		return forge.Proposal{}, err
	}
	if len(found) == 0 {
		return forge.Proposal{}, f.fail(ctx, opening, refusal)
	}
	if f.listed[d.Base] != nil {
		f.listed[d.Base][found[0].Number] = true
	}
	return f.complete(ctx, found[0], d)
}

// unheard looks once whether a request that nobody answered has opened one all the same: when it is listed
// later, nobody would know that it was to be given more.
func (f *Forge) unheard(ctx context.Context, d forge.Draft, failed error) (forge.Proposal, error) {
	if e, ok := errors.AsType[*forge.Error](failed); !ok || e.Kind != forge.Unreachable || extras(d) == 0 {
		return forge.Proposal{}, failed
	}
	found, err := f.of(ctx, "open", d.Base, d.Branch)
	if err != nil || len(found) == 0 || !wrote(d, found[0]) {
		return forge.Proposal{}, failed
	}
	if f.listed[d.Base] != nil {
		f.listed[d.Base][found[0].Number] = true
	}
	return f.complete(ctx, found[0], d)
}

// wrote reports whether one says what a draft does.
func wrote(d forge.Draft, p forge.Proposal) bool {
	return p.Title == d.Title && p.Body == strings.ReplaceAll(d.Body, "\r\n", "\n")
}

// untouched is how long after it was opened one may have changed and still counts as nobody's work but
// towpath's. Both times are GitHub's.
const untouched = time.Minute

// complete gives one that is open already what it was to be given besides, where the answer to our request
// that opened it was lost: it says what we wrote, has nothing of what was to be added, and nobody touched it since. Of one that
// people have worked on it cannot be told whether they took something off: that is not put back, and told.
func (f *Forge) complete(ctx context.Context, p forge.Proposal, d forge.Draft) (forge.Proposal, error) {
	if extras(d) == 0 || !wrote(d, p) {
		return p, nil
	}
	pr, err := f.look(ctx, p.Number)
	if err != nil {
		return forge.Proposal{}, err
	}
	lacks := lacking(pr, d)
	var lost losses
	switch {
	case extras(lacks) == 0:
		return p, nil
	case extras(lacks) == extras(d) && pr.GetUpdatedAt().Sub(pr.GetCreatedAt().Time) < untouched:
		f.give(ctx, &p, d, &lost)
		return p, lost.error(f.origin, p.Number)
	}
	lost.all(kindLabel, lacks.Labels)
	lost.all(kindReviewer, lacks.Reviewers)
	lost.all(kindAssignee, lacks.Assignees)
	return p, &forge.Error{Kind: forge.Partly, Forge: f.origin,
		What: fmt.Sprintf("pull request %d was open already, and lacks %s", p.Number, strings.Join(lost.what, ", ")),
		Fix:  "nobody's if somebody took that off; else add it to this pull request by hand: " + p.URL,
	}
}

// extras counts what a pull request is given once it is there.
func extras(d forge.Draft) int { return len(d.Labels) + len(d.Reviewers) + len(d.Assignees) }

// lacking is what a pull request has not of what it was to be given.
func lacking(pr *github.PullRequest, d forge.Draft) (lacks forge.Draft) {
	var labels, reviewers, teams, assignees []string
	for _, l := range pr.Labels {
		labels = append(labels, l.GetName())
	}
	for _, u := range pr.RequestedReviewers {
		reviewers = append(reviewers, u.GetLogin())
	}
	for _, t := range pr.RequestedTeams {
		teams = append(teams, t.GetSlug())
	}
	for _, u := range pr.Assignees {
		assignees = append(assignees, u.GetLogin())
	}
	lacks.Labels = without(d.Labels, labels)
	lacks.Assignees = without(d.Assignees, assignees)
	for _, r := range d.Reviewers {
		if _, team, ok := strings.Cut(r, "/"); ok && len(without([]string{team}, teams)) > 0 || !ok && len(without([]string{r}, reviewers)) > 0 {
			lacks.Reviewers = append(lacks.Reviewers, r)
		}
	}
	return lacks
}

// without are those of some names that are not among others. GitHub's names that differ in case alone are one.
func without(names, others []string) (missing []string) {
	for _, name := range names {
		if !slices.ContainsFunc(others, func(o string) bool { return strings.EqualFold(o, name) }) {
			missing = append(missing, name)
		}
	}
	return missing
}

// give gives one what can only be given to one that is there.
func (f *Forge) give(ctx context.Context, p *forge.Proposal, d forge.Draft, lost *losses) {
	f.label(ctx, p, d.Labels, lost)
	f.review(ctx, p.Number, d.Reviewers, lost)
	f.assign(ctx, p.Number, d.Assignees, lost)
}

// What losses are called.
const (
	kindLabel    = "the label"
	kindReviewer = "the reviewer"
	kindAssignee = "the assignee"
)

// losses are what a proposal had to do without.
type losses struct {
	what []string
	errs []error
}

func (l *losses) add(what string, err error) {
	l.what = append(l.what, what)
	if err != nil && !slices.ContainsFunc(l.errs, func(e error) bool { return e.Error() == err.Error() }) {
		l.errs = append(l.errs, err)
	}
}

func (l *losses) all(kind string, names []string) {
	for _, name := range names {
		l.add(kind+" "+name, nil)
	}
}

func (l *losses) error(origin string, number int) error {
	if len(l.what) == 0 {
		return nil
	}
	return &forge.Error{Kind: forge.Partly, Forge: origin,
		What: fmt.Sprintf("pull request %d was opened without %s", number, strings.Join(l.what, ", ")),
		Fix:  "correct labels, reviewers, assignees or draft in .towpath.yaml, or let GitHub know them; on this pull request add them by hand",
		Err:  errors.Join(l.errs...),
	}
}

// label adds labels. GitHub makes those that the repository lacks.
func (f *Forge) label(ctx context.Context, p *forge.Proposal, labels []string, lost *losses) {
	f.each(ctx, kindLabel, labels, lost, func(some []string) error {
		all, _, err := f.api.Issues.AddLabelsToIssue(ctx, f.owner, f.repo, p.Number, some)
		if err == nil {
			p.Labels = nil
			for _, l := range all {
				p.Labels = append(p.Labels, l.GetName())
			}
		}
		return err
	})
}

// review asks people and teams for reviews.
func (f *Forge) review(ctx context.Context, number int, reviewers []string, lost *losses) {
	f.each(ctx, kindReviewer, reviewers, lost, func(some []string) error {
		var request github.ReviewersRequest
		for _, r := range some {
			if org, team, ok := strings.Cut(r, "/"); !ok {
				request.Reviewers = append(request.Reviewers, r)
			} else if strings.EqualFold(org, f.owner) || strings.EqualFold(org, f.owns) {
				request.TeamReviewers = append(request.TeamReviewers, team)
			} else {
				return errTeam
			}
		}
		_, _, err := f.api.PullRequests.RequestReviewers(ctx, f.owner, f.repo, number, request)
		return err
	})
}

// errTeam says that a team is of another organization than the repository.
var errTeam = errors.New("a team reviews in the repositories of its own organization only")

// assign assigns people. Whom GitHub cannot assign it leaves out in silence.
func (f *Forge) assign(ctx context.Context, number int, people []string, lost *losses) {
	var given []string
	asked := len(lost.what)
	f.each(ctx, kindAssignee, people, lost, func(some []string) error {
		issue, _, err := f.api.Issues.AddAssignees(ctx, f.owner, f.repo, number, some)
		if err == nil {
			given = nil
			for _, u := range issue.Assignees {
				given = append(given, strings.ToLower(u.GetLogin()))
			}
		}
		return err
	})
	if len(lost.what) > asked {
		return
	}
	for _, one := range people {
		if !slices.Contains(given, strings.ToLower(one)) {
			lost.add(kindAssignee+" "+one, nil)
		}
	}
}

// each gives a proposal some things: all at once and, as GitHub takes none where it refuses
// one, then one by one.
func (f *Forge) each(ctx context.Context, kind string, things []string, lost *losses, give func([]string) error) {
	if len(things) == 0 {
		return
	}
	n := need{"add " + kind, "Pull requests: write"}
	err := give(things)
	r, ok := refused(err)
	alone := errors.Is(err, errTeam) || ok && r.invalid()
	if alone && len(things) > 1 {
		for _, one := range things {
			if err := give([]string{one}); err != nil {
				lost.add(kind+" "+one, f.why(ctx, n, err))
			}
		}
		return
	}
	if err != nil {
		for _, one := range things {
			lost.add(kind+" "+one, f.why(ctx, n, err))
		}
	}
}

// why is a failure for people.
func (f *Forge) why(ctx context.Context, n need, err error) error {
	if errors.Is(err, errTeam) {
		return err
	}
	err = f.fail(ctx, n, err)
	if e, ok := errors.AsType[*forge.Error](err); ok {
		return errors.New(e.What)
	}
	return err
}
