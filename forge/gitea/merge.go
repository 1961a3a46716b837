package gitea

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	sdk "code.gitea.io/sdk/gitea"

	"github.com/towpath/towpath/forge"
)

const maxStatusPages = 20

// Checks is forge.Forge's. A commit has as many statuses as there are contexts, on pages; what the forge
// says that they come to is about one page. A warning is no success, as Gitea has it.
func (f *Forge) Checks(ctx context.Context, head string) (forge.Checks, error) {
	seen := map[int64]bool{}
	good, pending, all := 0, 0, false
	for number := 1; number <= maxStatusPages; number++ {
		var together sdk.CombinedStatus
		path := fmt.Sprintf("/commits/%s/status?page=%d&limit=%d", url.PathEscape(head), number, f.PageSize)
		resp, err := f.ask(ctx, http.MethodGet, path, nil, &together)
		if err != nil {
			return "", err
		}
		before := len(seen)
		for _, s := range together.Statuses {
			if s == nil || seen[s.ID] {
				continue
			}
			seen[s.ID] = true
			switch s.State {
			case sdk.StatusSuccess, "skipped":
				good++
			case sdk.StatusPending:
				pending++
			default:
				return forge.Red, nil
			}
		}
		total, err := strconv.Atoi(resp.Header.Get("X-Total-Count"))
		if len(seen) == before || err == nil && len(seen) >= total {
			all = true
			break
		}
	}
	switch {
	case pending > 0 || !all:
		return forge.Pending, nil
	case good > 0:
		return forge.Green, nil
	}
	return forge.NoChecks, nil
}

// Merge is forge.Forge's.
func (f *Forge) Merge(ctx context.Context, number int, head string) error {
	if err := f.stands(ctx, number, head); err != nil {
		return err
	}
	_, err := f.merge(ctx, number, head, false)
	return err
}

// AutoMerge is forge.Forge's. The forge does not compare heads when it is told to merge later:
// that is done before and after it is told.
func (f *Forge) AutoMerge(ctx context.Context, number int, head string) error {
	if err := f.stands(ctx, number, head); err != nil {
		return err
	}
	later, err := f.merge(ctx, number, head, true)
	if err != nil || !later {
		return err
	}
	err = f.stands(ctx, number, head)
	if errors.Is(err, forge.ErrMoved) {
		c, failed := f.client(ctx)
		if failed != nil {
			return failed
		}
		if resp, failed := c.CancelScheduledAutoMerge(f.Owner, f.Repo, int64(number)); failed != nil {
			return f.failed(resp, failed)
		}
		return err
	}
	if kindOf(err) == forge.Refused {
		return nil // it was merged at once
	}
	return err
}

// stands fails for a pull request that is not open, or at another head.
func (f *Forge) stands(ctx context.Context, number int, head string) error {
	pr, err := f.get(ctx, number)
	switch {
	case err != nil:
		return err
	case pr.HasMerged || pr.State != sdk.StateOpen:
		return f.failure(forge.Refused, fmt.Sprintf("pull request %d is not open any more", number), "nobody's: it is left as it is")
	case pr.Head == nil || pr.Head.Sha != head:
		return forge.ErrMoved
	}
	return nil
}

// merge asks for it. Later: the forge merges when its own rules allow that.
func (f *Forge) merge(ctx context.Context, number int, head string, asSoonAsAllowed bool) (later bool, err error) {
	style, err := f.style(ctx)
	if err != nil {
		return false, err
	}
	f.look()
	asks := sdk.MergePullRequestOption{Style: style, HeadCommitId: head, MergeWhenChecksSucceed: asSoonAsAllowed}
	resp, err := f.ask(ctx, http.MethodPost, fmt.Sprintf("/pulls/%d/merge", number), asks, nil)
	var e *forge.Error
	if !errors.As(err, &e) || resp == nil {
		return err == nil && resp.StatusCode == http.StatusCreated, err
	}
	switch says := e.What; {
	case is(resp, http.StatusConflict) && strings.Contains(says, "already scheduled"):
		return true, nil
	case is(resp, http.StatusConflict) && strings.Contains(says, "head out of date"):
		return false, forge.ErrMoved
	case is(resp, http.StatusConflict) && strings.Contains(says, "out of date"):
		e.Kind, e.Fix = forge.Unreachable, "nobody's: the base moved meanwhile; it is tried again"
	case is(resp, http.StatusMethodNotAllowed) && strings.Contains(says, "try again later"):
		e.Fix = "nobody's if the forge is still looking at it: it is tried again; the author's if it conflicts with its base"
	}
	return false, e
}

// style is the way to merge that the repository prefers, or else allows.
func (f *Forge) style(ctx context.Context) (sdk.MergeStyle, error) {
	c, err := f.client(ctx)
	if err != nil {
		return "", err
	}
	repo, resp, err := c.GetRepo(f.Owner, f.Repo)
	if err != nil {
		return "", f.failed(resp, err)
	}
	ways := []struct {
		style   sdk.MergeStyle
		allowed bool
	}{
		{sdk.MergeStyleMerge, repo.AllowMerge},
		{sdk.MergeStyleSquash, repo.AllowSquash},
		{sdk.MergeStyleRebase, repo.AllowRebase},
		{sdk.MergeStyleRebaseMerge, repo.AllowRebaseMerge},
		{sdk.MergeStyleFastForwardOnly, repo.AllowFastForwardOnlyMerge},
	}
	var first sdk.MergeStyle
	for _, way := range ways {
		if way.allowed && way.style == repo.DefaultMergeStyle {
			return way.style, nil
		}
		if way.allowed && first == "" {
			first = way.style
		}
	}
	if first == "" {
		return "", f.failure(forge.Refused, "the repository allows no way to merge", "the repository admin's: allow one in its settings")
	}
	return first, nil
}

// kindOf is an error's; empty for none and for others.
func kindOf(err error) forge.Kind {
	var e *forge.Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return ""
}
