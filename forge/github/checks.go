package github

import (
	"context"

	"github.com/google/go-github/v89/github"

	"github.com/towpath/towpath/forge"
)

// Checks says what commit statuses and check runs, which are two things at GitHub, say
// together.
func (f *Forge) Checks(ctx context.Context, head string) (forge.Checks, error) {
	if !isID(head) {
		return "", &forge.Error{Kind: forge.Refused, Forge: f.origin, What: "a commit id is wanted to look at its checks", Fix: "none is needed: it is asked again once the branch is there"}
	}
	var t tally
	if err := f.statuses(ctx, head, &t); err != nil {
		return "", f.fail(ctx, need{"read the commit's statuses", "Commit statuses: read"}, err)
	}
	if err := f.runs(ctx, head, &t); err != nil {
		return "", f.fail(ctx, need{"read the commit's check runs", "Checks: read"}, err)
	}
	return t.verdict(), nil
}

// statuses reads the newest status of each context.
func (f *Forge) statuses(ctx context.Context, head string, t *tally) error {
	return pages(func(page int) (*github.Response, error) {
		all, resp, err := f.api.Repositories.GetCombinedStatus(ctx, f.owner, f.repo, head, &github.ListOptions{Page: page, PerPage: 100})
		if err == nil && (all.TotalCount == nil || all.GetSHA() != head) {
			err = odd("statuses of another commit, or of none")
		}
		if err != nil {
			return nil, err
		}
		// The combined state is no use: it is "pending" where there is no status at all.
		for _, s := range all.Statuses {
			t.count(ofStatus(s.GetState()))
		}
		return resp, nil
	})
}

// runs reads the newest run of each check.
func (f *Forge) runs(ctx context.Context, head string, t *tally) error {
	latest := "latest"
	return pages(func(page int) (*github.Response, error) {
		all, resp, err := f.api.Checks.ListCheckRunsForRef(ctx, f.owner, f.repo, head,
			&github.ListCheckRunsOptions{Filter: &latest, ListOptions: github.ListOptions{Page: page, PerPage: 100}})
		if err == nil && all.Total == nil {
			err = odd("check runs without their number")
		}
		if err != nil {
			return nil, err
		}
		for _, r := range all.CheckRuns {
			t.count(ofRun(r.GetStatus(), r.GetConclusion()))
		}
		return resp, nil
	})
}

func ofStatus(state string) forge.Checks {
	switch state {
	case "success":
		return forge.Green
	case "pending":
		return forge.Pending
	}
	return forge.Red // failure, error, and what is not known here
}

func ofRun(status, conclusion string) forge.Checks {
	if status != "completed" {
		return forge.Pending // queued, in_progress, waiting, requested, pending
	}
	switch conclusion {
	case "success", "neutral":
		return forge.Green
	case "skipped":
		return forge.NoChecks // nobody looked
	}
	return forge.Red // failure, cancelled, timed_out, action_required, startup_failure, stale
}

// A tally is what the checks of a commit said so far.
type tally struct{ green, pending, red bool }

func (t *tally) count(c forge.Checks) {
	switch c {
	case forge.Green:
		t.green = true
	case forge.Pending:
		t.pending = true
	case forge.Red:
		t.red = true
	}
}

func (t *tally) verdict() forge.Checks {
	switch {
	case t.red:
		return forge.Red
	case t.pending:
		return forge.Pending
	case t.green:
		return forge.Green
	}
	return forge.NoChecks
}
