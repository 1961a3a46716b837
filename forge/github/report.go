package github

import (
	"context"

	"github.com/google/go-github/v89/github"

	"github.com/towpath/towpath/forge"
)

var _ forge.Reporter = (*Forge)(nil)

// SetStatus is forge.Reporter's. A commit has at most 1,000 of one context; more are refused.
func (f *Forge) SetStatus(ctx context.Context, rev string, s forge.CommitStatus) error {
	if err := forge.NoCommit(f.origin, rev); err != nil {
		return err
	}
	state := map[forge.Checks]string{forge.Pending: "pending", forge.Green: "success", forge.Red: "failure"}[s.State]
	status := github.RepoStatus{State: &state, Context: &s.Context, Description: &s.Description}
	if s.URL != "" {
		status.TargetURL = &s.URL
	}
	made, _, err := f.api.Repositories.CreateStatus(ctx, f.owner, f.repo, rev, status)
	if err == nil && made.GetState() != state {
		err = odd("another status than was given")
	}
	return f.fail(ctx, need{"give a commit a status", "Commit statuses: write"}, err)
}
