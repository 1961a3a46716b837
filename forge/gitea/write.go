package gitea

import (
	"context"
	"errors"
	"net/http"
	"strings"

	sdk "code.gitea.io/sdk/gitea"

	"github.com/towpath/towpath/forge"
	"github.com/towpath/towpath/forge/wire"
)

// Edit is forge.Forge's. A draft's title keeps its beginning, whatever people wrote there.
func (f *Forge) Edit(ctx context.Context, number int, title, body string) error {
	pr, err := f.get(ctx, number)
	if err != nil {
		return err
	}
	if rest, draft := ready(pr.Title, pr.Draft); draft {
		title = strings.TrimSuffix(pr.Title, rest) + title
	}
	c, err := f.client(ctx)
	if err != nil {
		return err
	}
	_, resp, err := c.EditPullRequest(f.Owner, f.Repo, int64(number), sdk.EditPullRequestOption{Title: title, Body: &body})
	return f.failed(resp, err)
}

// Comment is forge.Forge's.
func (f *Forge) Comment(ctx context.Context, number int, key, text string) error {
	c, err := f.client(ctx)
	if err != nil {
		return err
	}
	hidden := "<!-- towpath:" + key + " -->"
	there, resp, err := c.ListIssueComments(f.Owner, f.Repo, int64(number), sdk.ListIssueCommentOptions{})
	if err != nil {
		err = f.failed(resp, err)
		if errors.Is(err, wire.ErrTooLarge) {
			return nil // they come in one piece; more would be read by nobody
		}
		if kindOf(err) == forge.Unreachable {
			// Gitea fails inside where there is no such pull request.
			if _, none := f.get(ctx, number); kindOf(none) == forge.NotFound {
				return none
			}
		}
		return err
	}
	for _, comment := range there {
		if strings.Contains(comment.Body, hidden) {
			return nil
		}
	}
	_, resp, err = c.CreateIssueComment(f.Owner, f.Repo, int64(number), sdk.CreateIssueCommentOption{Body: text + "\n\n" + hidden})
	return f.failed(resp, err)
}

// Close is forge.Forge's.
func (f *Forge) Close(ctx context.Context, number int) error {
	f.look()
	pr, err := f.get(ctx, number)
	if err != nil || pr.State != sdk.StateOpen {
		return err
	}
	c, err := f.client(ctx)
	if err != nil {
		return err
	}
	closed := sdk.StateClosed
	_, resp, err := c.EditPullRequest(f.Owner, f.Repo, int64(number), sdk.EditPullRequestOption{State: &closed})
	if err != nil && resp != nil && is(resp.Response, http.StatusPreconditionFailed) {
		return nil // it was merged meanwhile
	}
	return f.failed(resp, err)
}
