package github

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/google/go-github/v89/github"

	"github.com/towpath/towpath/forge"
	"github.com/towpath/towpath/forge/wire"
)

const maxPages = 200

// listSizes are how many pull requests are asked for at once. Anybody may open some in a
// public repository with 65,536 letters of text each: what is too large for one answer is
// then asked for in smaller ones.
var listSizes = []int{100, 30, 10}

var reading = need{"list the pull requests", "Pull requests: read"}

// List lists the open ones.
func (f *Forge) List(ctx context.Context, base, prefix string) ([]forge.Proposal, error) {
	f.owns = "" // it may have been transferred since
	all, err := f.open(ctx, base)
	if err != nil {
		return nil, err
	}
	f.listed[base] = map[int]bool{}
	for _, p := range all {
		f.listed[base][p.Number] = true
	}
	return slices.DeleteFunc(all, func(p forge.Proposal) bool { return !strings.HasPrefix(p.Branch, prefix) }), nil
}

// open lists all that are open onto base, by number.
func (f *Forge) open(ctx context.Context, base string) (all []forge.Proposal, err error) {
	err = sized(f.perPage, func(size int) error {
		all, err = f.list(ctx, &github.PullRequestListOptions{State: "open", Base: base, Sort: "created", Direction: "desc",
			ListOptions: github.ListOptions{PerPage: size}}, math.MaxInt)
		if err == nil {
			f.perPage = size
		}
		return err
	})
	if err != nil {
		return nil, f.fail(ctx, reading, err)
	}
	slices.Reverse(all)
	return all, nil
}

// sized reads a list in pages of a size, and in smaller ones while they are too large.
func sized(most int, read func(size int) error) (err error) {
	for _, size := range listSizes[slices.Index(listSizes, most):] {
		if err = read(size); !errors.Is(err, wire.ErrTooLarge) {
			return err
		}
	}
	return err
}

// Past lists those of one branch that are over. Not all of GitHub's answers are equally old: what is open by
// this one, and was not by List's, was closed in between, or is opened anew. Then it is not said that there
// are none, which would have what people declined proposed again.
func (f *Forge) Past(ctx context.Context, base, branch string) ([]forge.Proposal, error) {
	all, err := f.of(ctx, "all", base, branch)
	if err != nil {
		return nil, err
	}
	open := func(p forge.Proposal) bool { return p.State == forge.Open }
	if i := slices.IndexFunc(all, open); i >= 0 && f.listed[base] != nil && !f.listed[base][all[i].Number] {
		return nil, &forge.Error{Kind: forge.Unreachable, Forge: f.origin,
			What: fmt.Sprintf("pull request %d was not open, and is", all[i].Number), Fix: "nobody's: GitHub is asked again"}
	}
	all = slices.DeleteFunc(all, open)
	return all[:min(len(all), forge.MostPast)], nil
}

// of lists those of one branch, newest first.
func (f *Forge) of(ctx context.Context, state, base, branch string) ([]forge.Proposal, error) {
	head, err := f.head(ctx, branch)
	if err != nil {
		return nil, err
	}
	var all []forge.Proposal
	err = sized(listSizes[0], func(size int) error {
		all, err = f.list(ctx, &github.PullRequestListOptions{State: state, Base: base, Head: head, Sort: "created", Direction: "desc",
			ListOptions: github.ListOptions{PerPage: size}}, forge.MostPast+1) // one may be open
		return err
	})
	if err != nil {
		return nil, f.fail(ctx, reading, err)
	}
	// GitHub lists everything where it does not understand a filter.
	return slices.DeleteFunc(all, func(p forge.Proposal) bool {
		return p.Branch != branch || state == "open" && p.State != forge.Open
	}), nil
}

// list reads the pages of a list, and leaves out what is not of this repository's own
// branches, until there are enough. The result is by number, the newest first: one that is
// opened meanwhile moves others to the next page, where they are seen twice rather than never.
func (f *Forge) list(ctx context.Context, o *github.PullRequestListOptions, enough int) ([]forge.Proposal, error) {
	found := map[int]forge.Proposal{}
	err := pages(func(page int) (*github.Response, error) {
		o.Page = page
		prs, resp, err := f.api.PullRequests.List(ctx, f.owner, f.repo, o)
		if err != nil {
			return nil, err
		}
		for _, pr := range prs {
			p, err := proposalOf(pr)
			if err != nil {
				return nil, err
			}
			if ours(pr) && p.Base == o.Base {
				found[p.Number] = p
			}
		}
		if len(found) >= enough {
			return nil, nil
		}
		return resp, nil
	})
	if err != nil {
		return nil, err
	}
	return slices.SortedFunc(maps.Values(found), func(a, b forge.Proposal) int { return cmp.Compare(b.Number, a.Number) }), nil
}

// pages asks for one page after the other, to the last or until there is no answer to read
// on from. No link is followed: only the next page's number is taken from it, so that there is
// nowhere else to be led to.
func pages(ask func(page int) (*github.Response, error)) error {
	page := 1
	for range maxPages {
		resp, err := ask(page)
		if err != nil || resp == nil {
			return err
		}
		switch next := resp.NextPage; {
		case next == 0 && strings.Contains(strings.Join(resp.Header.Values("Link"), ","), `rel="next"`):
			return odd("a list whose next page has no number")
		case next == 0:
			return nil
		case next <= page:
			return odd("a list that goes round in a circle")
		default:
			page = next
		}
	}
	return odd(fmt.Sprintf("a list of more than %d pages", maxPages))
}

// ours tells whether a pull request is of a branch in the repository itself. Names do not
// tell: a fork may have the branch, and the repository may have had another name.
func ours(pr *github.PullRequest) bool {
	here := pr.GetBase().GetRepo().GetID()
	return here != 0 && pr.GetHead().GetRepo().GetID() == here
}

// isID tells whether a text is a commit id.
func isID(s string) bool {
	_, err := hex.DecodeString(s)
	return err == nil && len(s) == 40
}

// proposalOf reads one.
func proposalOf(pr *github.PullRequest) (forge.Proposal, error) {
	if pr.GetNumber() <= 0 || pr.GetHead().GetRef() == "" || pr.GetBase().GetRef() == "" || pr.GetState() == "" {
		return forge.Proposal{}, odd("a pull request without number, branches or state")
	}
	p := forge.Proposal{
		Number: pr.GetNumber(),
		URL:    pr.GetHTMLURL(),
		State:  forge.Open,
		Branch: pr.GetHead().GetRef(),
		Base:   pr.GetBase().GetRef(),
		Head:   pr.GetHead().GetSHA(),
		Title:  pr.GetTitle(),
		Body:   strings.ReplaceAll(pr.GetBody(), "\r\n", "\n"),
		Draft:  pr.GetDraft(),
	}
	for _, l := range pr.Labels {
		p.Labels = append(p.Labels, l.GetName())
	}
	switch merged := pr.GetMergedAt().Time; {
	case !merged.IsZero():
		p.State, p.Ended = forge.Merged, merged
	case pr.GetState() != "open":
		p.State, p.Ended = forge.Closed, pr.GetClosedAt().Time
	}
	p.Ended = p.Ended.In(time.UTC)
	return p, nil
}
