package gitlab

import (
	"context"
	"strings"

	gl "gitlab.com/gitlab-org/api/client-go"

	"github.com/towpath/towpath/forge"
)

var _ forge.Reporter = (*Forge)(nil)

// SetStatus is forge.Reporter's. GitLab makes it a job of an external pipeline, and refuses to
// give a job the state that it has.
func (f *Forge) SetStatus(ctx context.Context, rev string, s forge.CommitStatus) error {
	if err := forge.NoCommit(f.origin, rev); err != nil {
		return err
	}
	state := map[forge.Checks]gl.BuildStateValue{forge.Pending: gl.Pending, forge.Green: gl.Success, forge.Red: gl.Failed}[s.State]
	o := &gl.SetCommitStatusOptions{State: state, Name: &s.Context, Description: &s.Description}
	if s.URL != "" {
		o.TargetURL = &s.URL
	}
	const doing = "give a commit a status"
	made, resp, err := f.api.Commits.SetCommitStatus(f.project, rev, o, gl.WithContext(ctx))
	switch {
	case err != nil && resp != nil && resp.Response != nil && resp.StatusCode == 400 && strings.Contains(sayings(err), "Cannot transition status"):
		return nil
	case err != nil:
		return f.failed(doing, resp, err)
	case made == nil || made.ID == 0:
		return f.invalid(doing + ": answered without it")
	}
	return nil
}
