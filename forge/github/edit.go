package github

import (
	"context"
	"slices"
	"strings"

	"github.com/google/go-github/v89/github"

	"github.com/towpath/towpath/forge"
)

var (
	editing    = need{"edit a pull request", "Pull requests: write"}
	commenting = need{"comment on a pull request", "Pull requests: write"}
	closing    = need{"close a pull request", "Pull requests: write"}
)

// Edit gives one another title and body.
func (f *Forge) Edit(ctx context.Context, number int, title, body string) error {
	pr, _, err := f.api.PullRequests.Edit(ctx, f.owner, f.repo, number, &github.PullRequest{Title: &title, Body: &body})
	if err == nil && pr.GetNumber() != number {
		err = odd("another pull request than was edited")
	}
	return f.fail(ctx, editing, err)
}

// Comment says something once. Whoever may comment could write the key, too, and thus keep
// something from being said: that is all that is to be had by it.
func (f *Forge) Comment(ctx context.Context, number int, key, text string) error {
	mark := "<!-- towpath:" + key + " -->"
	said, err := f.said(ctx, number, mark)
	if err != nil || said {
		return f.fail(ctx, commenting, err)
	}
	text += "\n\n" + mark
	c, _, err := f.api.Issues.CreateComment(ctx, f.owner, f.repo, number, &github.IssueComment{Body: &text})
	if err == nil && c.GetID() == 0 {
		err = odd("a comment without a number")
	}
	return f.fail(ctx, commenting, err)
}

// said tells whether a comment with the mark is there. Comments are in the order of their numbers: a page that
// is full is read on from even where GitHub said, when it was read first, that it is the last.
func (f *Forge) said(ctx context.Context, number int, mark string) (found bool, err error) {
	err = sized(listSizes[0], func(size int) error {
		return pages(func(page int) (*github.Response, error) {
			all, resp, err := f.api.Issues.ListComments(ctx, f.owner, f.repo, number,
				&github.IssueListCommentsOptions{ListOptions: github.ListOptions{Page: page, PerPage: size}})
			found = slices.ContainsFunc(all, func(c *github.IssueComment) bool { return strings.Contains(c.GetBody(), mark) })
			if err != nil || found {
				return nil, err
			}
			if len(all) == size && resp.NextPage == 0 {
				resp.NextPage = page + 1
			}
			return resp, nil
		})
	})
	return found, err
}

// Close closes one that is open.
func (f *Forge) Close(ctx context.Context, number int) error {
	closed := "closed"
	pr, _, err := f.api.PullRequests.Edit(ctx, f.owner, f.repo, number, &github.PullRequest{State: &closed})
	if r, ok := refused(err); ok && r.invalid() {
		if p, now := f.get(ctx, number); now == nil && p.State != forge.Open {
			return nil
		}
	}
	if err == nil && (pr.GetNumber() != number || pr.GetState() != closed) {
		err = odd("a pull request that is still open")
	}
	return f.fail(ctx, closing, err)
}

// get reads one.
func (f *Forge) get(ctx context.Context, number int) (forge.Proposal, error) {
	pr, err := f.look(ctx, number)
	if err != nil {
		return forge.Proposal{}, err
	}
	p, err := proposalOf(pr)
	return p, f.fail(ctx, reading, err)
}

func (f *Forge) look(ctx context.Context, number int) (*github.PullRequest, error) {
	pr, _, err := f.api.PullRequests.Get(ctx, f.owner, f.repo, number)
	if err == nil && pr.GetNumber() != number {
		err = odd("another pull request than was asked for")
	}
	return pr, f.fail(ctx, reading, err)
}
