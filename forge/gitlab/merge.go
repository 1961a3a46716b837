package gitlab

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	gl "gitlab.com/gitlab-org/api/client-go"

	"github.com/towpath/towpath/forge"
)

// Merge is forge.Forge's. How it merges (merge commit, squash, fast-forward) is the project's setting.
func (f *Forge) Merge(ctx context.Context, number int, head string) error {
	return f.accept(ctx, number, head, &gl.AcceptMergeRequestOptions{})
}

// AutoMerge is forge.Forge's. GitLab forgets it when the head moves.
func (f *Forge) AutoMerge(ctx context.Context, number int, head string) error {
	m, p, err := f.get(ctx, number)
	if err != nil {
		return err
	}
	if m.MergeWhenPipelineSucceeds && p.Head == head && p.State == forge.Open {
		return nil
	}
	return f.accept(ctx, number, head, &gl.AcceptMergeRequestOptions{
		AutoMerge:                 gl.Ptr(true),
		MergeWhenPipelineSucceeds: gl.Ptr(true), //lint:ignore SA1019 its name before GitLab 17.11
	})
}

func (f *Forge) accept(ctx context.Context, number int, head string, o *gl.AcceptMergeRequestOptions) error {
	o.SHA, o.ShouldRemoveSourceBranch = &head, gl.Ptr(false)
	m, resp, err := f.api.MergeRequests.AcceptMergeRequest(f.project, int64(number), o, gl.WithContext(ctx))
	if err != nil {
		failed := f.failed(fmt.Sprintf("merge merge request !%d", number), resp, err)
		if resp == nil || resp.Response == nil {
			return failed
		}
		return f.whyNot(ctx, number, head, resp.StatusCode, failed)
	}
	_, err = f.same(number, m)
	return err
}

// whyNot says why a merge request was not merged. GitLab looks at its rules before the
// head, and answers 401 where they forbid, so what is there now tells more than the status:
//
//	401              may not merge; or the token is over, and then nothing can be read either
//	405, 406, 422    it is merged already (an answer was lost), or closed
//	                 its head is another
//	                 it is being merged, or GitLab is still finding out whether it can be: passes
//	                 rules, conflicts: says no
//	409              its head is another
func (f *Forge) whyNot(ctx context.Context, number int, head string, status int, failed error) error {
	var no *forge.Error
	switch {
	case errors.As(failed, &no) && no.Kind == forge.NotFound: // the project has moved
		return failed
	case status == http.StatusConflict:
		return f.moved(number)
	}
	switch status {
	case http.StatusUnauthorized, http.StatusMethodNotAllowed, http.StatusNotAcceptable, http.StatusUnprocessableEntity:
	default:
		return failed
	}
	m, p, err := f.get(ctx, number)
	switch {
	case err != nil:
		return err
	case p.Head != head:
		return f.moved(number)
	case p.State == forge.Merged:
		return nil
	case no == nil:
		return failed
	case p.State == forge.Closed:
		no.What += "; it is closed"
		no.Fix = "nobody's, or whoever closed it: reopen it if it was to be merged: " + p.URL
	case status == http.StatusUnauthorized:
		no.Kind, no.Fix = forge.Forbidden, fmt.Sprintf(
			"the operator's: give the token's user the right to merge into %s of %s (a protected branch says who is allowed to merge), and the token the scope api", p.Base, f.project)
		return no
	case m.State == "locked", slices.Contains(undecided, m.DetailedMergeStatus):
		no.Kind, no.Fix = forge.Unreachable, "nobody's: it is asked again"
	default:
		no.Fix = "the repository admin's: see on its page what GitLab waits for: " + p.URL
	}
	if m.DetailedMergeStatus != "" {
		no.What += fmt.Sprintf(" (%s)", oneLine(m.DetailedMergeStatus))
	}
	return no
}

// undecided are the statuses that pass without anybody's doing.
var undecided = []string{"unchecked", "checking", "preparing", "approvals_syncing", "ci_still_running"}

func (f *Forge) moved(number int) error {
	return &forge.Error{
		Kind: forge.Refused, Forge: f.origin, What: fmt.Sprintf("merge request !%d is at another commit", number), Fix: "nobody's: it is looked at again", Err: forge.ErrMoved,
	}
}

// Checks is forge.Forge's. A job that may fail is good when it is done, whatever came of it; one that is
// skipped, or that a person may start and nobody waits for, is none. Where there are no jobs, the pipelines
// say whether there will be some, or whether their file is broken.
func (f *Forge) Checks(ctx context.Context, head string) (forge.Checks, error) {
	type job struct{ ref, name string }
	newest := map[job]*gl.CommitStatus{} // one that ran again counts as it ran last
	err := pages(f, "read the checks of "+head, func(at gl.ListOptions) ([]*gl.CommitStatus, *gl.Response, error) {
		return f.api.Commits.GetCommitStatuses(f.project, head, &gl.GetCommitStatusesOptions{ListOptions: at}, gl.WithContext(ctx))
	}, func(s *gl.CommitStatus) (more bool, err error) {
		if is, ok := newest[job{s.Ref, s.Name}]; !ok || is.ID < s.ID {
			newest[job{s.Ref, s.Name}] = s
		}
		return true, nil
	})
	if err != nil {
		return "", err
	}
	if len(newest) == 0 {
		return f.pipelines(ctx, head)
	}
	together := forge.NoChecks
	for _, s := range newest {
		together = worse(together, checkOf(s.Status, s.AllowFailure))
	}
	return together, nil
}

func (f *Forge) pipelines(ctx context.Context, head string) (forge.Checks, error) {
	newest := map[string]*gl.PipelineInfo{} // by ref
	err := pages(f, "read the pipelines of "+head, func(at gl.ListOptions) ([]*gl.PipelineInfo, *gl.Response, error) {
		return f.api.Pipelines.ListProjectPipelines(f.project, &gl.ListProjectPipelinesOptions{ListOptions: at, SHA: &head}, gl.WithContext(ctx))
	}, func(p *gl.PipelineInfo) (more bool, err error) {
		if is, ok := newest[p.Ref]; p.SHA == head && (!ok || is.ID < p.ID) {
			newest[p.Ref] = p
		}
		return true, nil
	})
	if e, ok := err.(*forge.Error); ok && (e.Kind == forge.Forbidden || e.Kind == forge.NotFound) {
		return forge.NoChecks, nil // CI is off, or not for us to see: the commit itself could be read
	}
	if err != nil {
		return "", err
	}
	together := forge.NoChecks
	for _, p := range newest {
		together = worse(together, checkOf(p.Status, false))
	}
	return together, nil
}

// checkOf is what the status of a job or pipeline comes to. One that GitLab has yet to invent is not good.
func checkOf(status string, mayFail bool) forge.Checks {
	switch status {
	case "success":
		return forge.Green
	case "failed", "canceled":
		if mayFail {
			return forge.Green
		}
		return forge.Red
	case "skipped":
		return forge.NoChecks
	case "manual":
		if mayFail {
			return forge.NoChecks
		}
	}
	return forge.Pending
}

// worse is what two say together.
func worse(a, b forge.Checks) forge.Checks {
	order := []forge.Checks{forge.NoChecks, forge.Green, forge.Pending, forge.Red}
	if slices.Index(order, a) > slices.Index(order, b) {
		return a
	}
	return b
}
