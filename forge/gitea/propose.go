package gitea

import (
	"context"
	"errors"
	"net/http"
	"strings"

	sdk "code.gitea.io/sdk/gitea"

	"github.com/towpath/towpath/forge"
)

// Propose is forge.Forge's. All goes into one request, so that nobody sees half of it; where
// the forge does not take that, what it refuses is found out one by one.
func (f *Forge) Propose(ctx context.Context, d forge.Draft) (forge.Proposal, error) {
	c, err := f.client(ctx)
	if err != nil {
		return forge.Proposal{}, err
	}
	f.look()
	m := making{f, c, d, sdk.CreatePullRequestOption{Head: d.Branch, Base: d.Base, Title: d.Title, Body: d.Body}, nil, nil}
	if d.Draft {
		m.asks.Title = unready + d.Title
	}
	if err := m.label(); err != nil {
		return forge.Proposal{}, err
	}
	m.people()
	pr, resp, err := c.CreatePullRequest(f.Owner, f.Repo, m.asks)
	refused := err != nil && resp != nil && is(resp.Response, http.StatusBadRequest, http.StatusForbidden, http.StatusNotFound, http.StatusUnprocessableEntity)
	late := refused && len(d.Reviewers)+len(d.Assignees) > 0
	if late {
		m.asks.Reviewers, m.asks.TeamReviewers, m.asks.Assignees = nil, nil, nil
		pr, resp, err = c.CreatePullRequest(f.Owner, f.Repo, m.asks)
	}
	if err != nil && resp != nil && is(resp.Response, http.StatusConflict) {
		return f.adopt(ctx, d)
	}
	if err != nil {
		return forge.Proposal{}, f.refusedDraft(d, f.failed(resp, err))
	}
	if late {
		if err := m.ask(int(pr.Index)); err != nil {
			return forge.Proposal{}, err
		}
	}
	return m.made(ctx, pr)
}

// adopt finds the one that is there already.
func (f *Forge) adopt(ctx context.Context, d forge.Draft) (forge.Proposal, error) {
	open, err := f.List(ctx, d.Base, d.Branch)
	if err != nil {
		return forge.Proposal{}, err
	}
	for _, p := range open {
		if p.Branch == d.Branch {
			return p, nil
		}
	}
	return forge.Proposal{}, f.failure(forge.Unreachable, "says that a pull request of "+d.Branch+" is there, and shows none", "nobody's: it is tried again")
}

// refusedDraft says what a 404 for a new pull request means: the repository is there, as its
// labels or list show before.
func (f *Forge) refusedDraft(d forge.Draft, err error) error {
	var e *forge.Error
	if errors.As(err, &e) && e.Kind == forge.NotFound {
		e.What = "no pull request of " + d.Branch + " onto " + d.Base + ": " + e.What
		e.Fix = "the operator's: look whether both branches are there, and whether the token may read the repository"
	}
	return err
}

// A making is a pull request that comes to be.
type making struct {
	*Forge
	c       *sdk.Client
	wanted  forge.Draft
	asks    sdk.CreatePullRequestOption
	left    []string // what could not be given to it
	because error    // the first reason
}

// leave notes what is left out, if that is the forge's word; another failure is one.
func (m *making) leave(name string, err error) error {
	var e *forge.Error
	if !errors.As(err, &e) || e.Kind != forge.Refused && e.Kind != forge.NotFound && e.Kind != forge.Forbidden {
		return err
	}
	m.left = append(m.left, name)
	if m.because == nil {
		m.because = err
	}
	return nil
}

// people puts those who are to be asked into the request. Teams are those of the repository's owner.
func (m *making) people() {
	m.asks.Reviewers, m.asks.TeamReviewers = sides(m.wanted.Reviewers)
	m.asks.Assignees = m.wanted.Assignees
}

func sides(reviewers []string) (users, teams []string) {
	for _, name := range reviewers {
		if _, team, ok := strings.Cut(name, "/"); ok {
			teams = append(teams, team)
		} else {
			users = append(users, name)
		}
	}
	return users, teams
}

// ask asks people one by one.
func (m *making) ask(number int) error {
	for _, name := range m.wanted.Reviewers {
		users, teams := sides([]string{name})
		resp, err := m.c.CreateReviewRequests(m.Owner, m.Repo, int64(number), sdk.PullReviewRequestOptions{Reviewers: users, TeamReviewers: teams})
		if err != nil {
			if err := m.leave("reviewer "+name, m.failed(resp, err)); err != nil {
				return err
			}
		}
	}
	var assigned []string
	for _, name := range m.wanted.Assignees {
		all := append(assigned[:len(assigned):len(assigned)], name)
		_, resp, err := m.c.EditPullRequest(m.Owner, m.Repo, int64(number), sdk.EditPullRequestOption{Assignees: all})
		if err == nil {
			assigned = all
		} else if err := m.leave("assignee "+name, m.failed(resp, err)); err != nil {
			return err
		}
	}
	return nil
}

// made is what came of it.
func (m *making) made(ctx context.Context, pr *sdk.PullRequest) (forge.Proposal, error) {
	p, ok := mine(pr)
	if !ok {
		return forge.Proposal{}, m.failure(forge.Invalid, "answered with a pull request that is none of this repository's branches", "the operator's: look whether this is the API of a Gitea or Forgejo")
	}
	if m.wanted.Draft && !p.Draft {
		// The server has other words for drafts.
		if err := m.Edit(ctx, p.Number, m.wanted.Title, m.wanted.Body); err != nil {
			return forge.Proposal{}, err
		}
		p.Title = m.wanted.Title
		m.left = append(m.left, "being a draft (its title's beginning, WIP:, is not among the server's)")
	}
	if len(m.left) == 0 {
		return p, nil
	}
	e := m.failure(forge.Partly, "the pull request was opened without "+strings.Join(m.left, ", "), "the author's: correct .towpath.yaml, or let the forge know them")
	e.Err = m.because
	return p, e
}
