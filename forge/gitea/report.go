package gitea

import (
	"context"

	sdk "code.gitea.io/sdk/gitea"

	"github.com/towpath/towpath/forge"
)

var _ forge.Reporter = (*Forge)(nil)

// SetStatus is forge.Reporter's.
func (f *Forge) SetStatus(ctx context.Context, rev string, s forge.CommitStatus) error {
	if err := forge.NoCommit(f.origin, rev); err != nil {
		return err
	}
	c, err := f.client(ctx)
	if err != nil {
		return err
	}
	state := map[forge.Checks]sdk.StatusState{forge.Pending: sdk.StatusPending, forge.Green: sdk.StatusSuccess, forge.Red: sdk.StatusFailure}[s.State]
	_, resp, err := c.CreateStatus(f.Owner, f.Repo, rev, sdk.CreateStatusOption{State: state, Context: s.Context, Description: s.Description, TargetURL: s.URL})
	if err = f.failed(resp, err); kindOf(err) == forge.Unreachable {
		// Gitea fails inside where there is no such commit.
		_, resp, none := c.GetSingleCommit(f.Owner, f.Repo, rev)
		if none = f.failed(resp, none); kindOf(none) == forge.NotFound {
			return none
		}
	}
	return err
}
