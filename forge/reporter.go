package forge

import (
	"context"
	"strings"
)

// A CommitStatus is what towpath says of a commit, beside what checks say of it. It is a check
// like theirs: Forge.Checks counts it.
type CommitStatus struct {
	Context     string // whose it is; what the same said before is replaced
	State       Checks // Pending, Green or Red
	Description string // for people, on one line of at most MostDescription characters
	URL         string // where more is to be read; empty: nowhere
}

// MostDescription is how many characters of a description every forge takes.
const MostDescription = 140

// A Reporter is a Forge on which commits can be given a status. Every error is an *Error, or the
// context's.
type Reporter interface {
	// SetStatus gives a commit, by its whole id, a status. Twice is once, as far as people see it.
	SetStatus(ctx context.Context, rev string, s CommitStatus) error
}

// NoCommit refuses what is not the whole id of a commit: forges take names of branches, too, which
// may be another commit's by then. Nil for one that is.
func NoCommit(origin, rev string) error {
	if (len(rev) == 40 || len(rev) == 64) && strings.Trim(rev, "0123456789abcdef") == "" {
		return nil
	}
	return &Error{Kind: Refused, Forge: origin, What: "the whole id of a commit is wanted, to give it a status", Fix: "nobody's: the next commit gets one"}
}
