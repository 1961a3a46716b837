package gitlab

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	gl "gitlab.com/gitlab-org/api/client-go"

	"github.com/towpath/towpath/forge"
)

// List is forge.Forge's. GitLab knows no prefix of branches, so a page of 100 open merge requests onto base is
// one conditional request each.
func (f *Forge) List(ctx context.Context, base, prefix string) ([]forge.Proposal, error) {
	var found []forge.Proposal
	open := map[int]bool{}
	err := f.mergeRequests(ctx, gl.ListProjectMergeRequestsOptions{State: gl.Ptr("opened"), TargetBranch: &base}, func(m *gl.BasicMergeRequest) (more bool, err error) {
		p, own, err := f.proposal(m)
		open[p.Number] = true
		if own && p.State == forge.Open && p.Base == base && strings.HasPrefix(p.Branch, prefix) {
			found = append(found, p)
		}
		return true, err
	})
	if err != nil {
		return nil, err
	}
	f.listed[base] = open
	slices.SortFunc(found, func(a, b forge.Proposal) int { return cmp.Compare(a.Number, b.Number) })
	// A list that changed between two pages may show one of them twice.
	return slices.CompactFunc(found, func(a, b forge.Proposal) bool { return a.Number == b.Number }), nil
}

// Past is forge.Forge's. One that is being merged at this moment is neither open nor past, and not all
// of GitLab's answers are equally old: what is open by this one, and was not by List's, was closed in between, or
// is opened anew. The answer is then that this passes, as none would have what people declined proposed again.
func (f *Forge) Past(ctx context.Context, base, branch string) ([]forge.Proposal, error) {
	var found []forge.Proposal
	err := f.ofBranch(ctx, base, branch, "all", func(m *gl.BasicMergeRequest, p forge.Proposal) (more bool, err error) {
		if m.State == "locked" {
			return false, &forge.Error{
				Kind: forge.Unreachable, Forge: f.origin, What: fmt.Sprintf("merge request !%d is being merged right now", m.IID),
				Fix: "nobody's: it is asked again; reopen it if GitLab leaves it locked",
			}
		}
		if p.State != forge.Open {
			found = append(found, p)
		} else if open := f.listed[base]; open != nil && !open[p.Number] {
			return false, &forge.Error{
				Kind: forge.Unreachable, Forge: f.origin, What: fmt.Sprintf("merge request !%d was not open, and is", p.Number), Fix: "nobody's: GitLab is asked again",
			}
		}
		return len(found) < forge.MostPast, nil
	})
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(found, func(a, b forge.Proposal) int { return cmp.Compare(b.Number, a.Number) })
	return slices.CompactFunc(found, func(a, b forge.Proposal) bool { return a.Number == b.Number }), nil
}

// ofBranch shows those of a branch of the project itself onto base, newest first, until it is
// told that there need be no more.
func (f *Forge) ofBranch(ctx context.Context, base, branch, state string, show func(*gl.BasicMergeRequest, forge.Proposal) (more bool, err error)) error {
	which := gl.ListProjectMergeRequestsOptions{State: &state, SourceBranch: &branch, TargetBranch: &base}
	return f.mergeRequests(ctx, which, func(m *gl.BasicMergeRequest) (more bool, err error) {
		p, own, err := f.proposal(m)
		if err != nil || !own || p.Base != base || p.Branch != branch {
			return true, err
		}
		return show(m, p)
	})
}

// mergeRequests shows some, of whomever. The library's own call for it panics where an
// answer is a list of null.
func (f *Forge) mergeRequests(ctx context.Context, which gl.ListProjectMergeRequestsOptions, show func(*gl.BasicMergeRequest) (more bool, err error)) error {
	which.Scope = gl.Ptr("all")
	return pages(f, "list merge requests", func(at gl.ListOptions) (items []*gl.BasicMergeRequest, resp *gl.Response, err error) {
		which.ListOptions = at
		req, err := f.api.NewRequest(http.MethodGet, "projects/"+gl.PathEscape(f.project)+"/merge_requests", &which, []gl.RequestOptionFunc{gl.WithContext(ctx)})
		if err != nil {
			return nil, nil, err
		}
		resp, err = f.api.Do(req, &items)
		return items, resp, err
	}, show)
}

// proposal is a merge request in the contract's words, and whether its branch is in the
// project itself.
func (f *Forge) proposal(m *gl.BasicMergeRequest) (p forge.Proposal, own bool, err error) {
	if m == nil || m.IID <= 0 {
		return p, false, f.invalid("answered without a merge request")
	}
	p = forge.Proposal{
		Number: int(m.IID), URL: m.WebURL, State: stateOf(m), Branch: m.SourceBranch, Base: m.TargetBranch, Head: m.SHA,
		Title: plainTitle(m.Title, m.Draft), Body: readBody(m.Description), Draft: m.Draft, Labels: append([]string(nil), m.Labels...),
	}
	if p.State != forge.Open {
		if at := cmp.Or(m.MergedAt, m.ClosedAt, m.UpdatedAt); at != nil {
			p.Ended = at.UTC()
		}
	}
	return p, m.SourceProjectID == m.TargetProjectID && m.TargetProjectID != 0, nil
}

func stateOf(m *gl.BasicMergeRequest) forge.State {
	switch m.State {
	case "merged":
		return forge.Merged
	case "closed":
		return forge.Closed
	}
	return forge.Open // opened; locked while it is being merged
}
