package memory

import (
	"context"
	"maps"
	"strings"

	"github.com/towpath/towpath/forge"
)

var _ forge.Reporter = (*Forge)(nil)

// SetStatus is forge.Reporter's. Of commits it only knows that forty ones are none.
func (f *Forge) SetStatus(ctx context.Context, rev string, s forge.CommitStatus) error {
	if err := forge.NoCommit(address, rev); err != nil {
		return err
	}
	return f.attempt(ctx, OpSetStatus, func() error {
		if strings.Trim(rev, "1") == "" {
			return failure(forge.NotFound, "there is no such commit", "name one that was pushed")
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.statuses == nil {
			f.statuses = map[string]map[string]forge.CommitStatus{}
		}
		if f.statuses[rev] == nil {
			f.statuses[rev] = map[string]forge.CommitStatus{}
		}
		f.statuses[rev][s.Context] = s
		return nil
	})
}

// Statuses are those that a commit was given, by context.
func (f *Forge) Statuses(rev string) map[string]forge.CommitStatus {
	f.mu.Lock()
	defer f.mu.Unlock()
	return maps.Clone(f.statuses[rev])
}

// together is what checks and statuses of a commit say. It is called with mu held.
func (f *Forge) together(rev string) forge.Checks {
	order := map[forge.Checks]int{forge.NoChecks: 0, forge.Green: 1, forge.Pending: 2, forge.Red: 3}
	all := forge.NoChecks
	if c := f.checks[rev]; c != "" {
		all = c
	}
	for _, s := range f.statuses[rev] {
		if order[s.State] > order[all] {
			all = s.State
		}
	}
	return all
}
