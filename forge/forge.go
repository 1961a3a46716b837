// Package forge is the vocabulary of review: proposals (pull requests, merge
// requests) of branches, in the repository that towpath watches, and what people
// did to them.
//
// It does no I/O and knows nothing of YAML, images or Git objects. The packages
// below it keep the Forge of GitHub, GitLab and Gitea or Forgejo (github, gitlab,
// gitea), in memory with fault hooks (memory), hold every Forge to one contract
// (forgetest), and carry requests to their APIs (wire).
package forge

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// A State is whether a proposal is still one.
type State string

const (
	Open   State = "open"
	Closed State = "closed" // without a merge
	Merged State = "merged" // by whatever kind of merge
)

// A Proposal is what a forge knows of one.
type Proposal struct {
	Number int    // by which people call it
	URL    string // of its page
	State  State
	Branch string // its head branch, in the repository itself: those from forks are nobody's business here
	Base   string
	Head   string // commit id of Branch, as far as the forge knows; of one that is not open, what it was last
	Title  string
	Body   string // with line ends as \n, whatever the forge keeps
	Draft  bool
	Labels []string
	Ended  time.Time // when it was merged or closed; zero while it is open
}

// A Draft is a proposal to open.
type Draft struct {
	Branch, Base string
	Title, Body  string
	Labels       []string // made where the repository lacks them, if that is allowed
	Reviewers    []string // users or, as org/team, teams
	Assignees    []string
	Draft        bool // not ready for review
}

// Checks are what a commit's checks say together.
type Checks string

const (
	NoChecks Checks = "none"    // nobody checks it, or not yet
	Pending  Checks = "pending" // at least one is under way, and none failed
	Green    Checks = "green"   // at least one, and all are done and good
	Red      Checks = "red"     // at least one failed
)

// A Forge is the review of one repository. Its methods are called from one
// goroutine at a time. Every error is an *Error, or the context's.
type Forge interface {
	// List lists the open proposals onto base from branches of this repository whose
	// names begin with prefix, by number; all of them, on however many pages. Where
	// nothing changed since the last call it costs one request that is conditional
	// where the forge knows such.
	List(ctx context.Context, base, prefix string) ([]Proposal, error)
	// Past lists those of a branch onto base that are closed or merged, newest first: all of them, up
	// to MostPast. Where few are, it costs one page. A forge that cannot be asked for one branch's may leave out
	// what is further back than the last 1,000 that ended, of whatever branch.
	Past(ctx context.Context, base, branch string) ([]Proposal, error)
	// Propose opens one. Where one is open for that branch and base already, it is
	// returned as it is: nothing is changed, but that one of ours that was opened by a request whose answer
	// was lost is given what else was to be given to it. What cannot be given to it (a label, a reviewer that the
	// forge does not know) is left out and named in the error of kind Partly, which comes with the proposal.
	Propose(ctx context.Context, d Draft) (Proposal, error)
	// Edit gives one another title and body.
	Edit(ctx context.Context, number int, title, body string) error
	// Comment says something once: where a comment with this key is there already, nothing
	// happens. The key is hidden in the comment; it is letters, digits and dashes.
	Comment(ctx context.Context, number int, key, text string) error
	// Close closes one that is open. One that is not is left as it is.
	Close(ctx context.Context, number int) error

	// Checks says whether a commit is good, as far as the forge's checks know.
	Checks(ctx context.Context, head string) (Checks, error)
	// Merge merges one, if its head is still that. ErrMoved where it is not.
	Merge(ctx context.Context, number int, head string) error
	// AutoMerge leaves it to the forge to merge one as soon as its own rules allow that, if its
	// head is still that. Twice is once.
	AutoMerge(ctx context.Context, number int, head string) error
}

// MostPast is how many earlier proposals of one branch are looked at. What people declined before
// those is forgotten.
const MostPast = 300

// ErrMoved says that a proposal's head is another than was meant.
var ErrMoved = errors.New("the proposal has moved on meanwhile")

// A Kind says whose move it is after a failure.
type Kind string

const (
	Unreachable  Kind = "Unreachable"  // the network's or the forge's: passes
	RateLimited  Kind = "RateLimited"  // passes, after RetryAfter
	Unauthorized Kind = "Unauthorized" // the operator's: the token is missing, wrong or expired
	Forbidden    Kind = "Forbidden"    // the operator's: the token may not do this
	NotFound     Kind = "NotFound"     // the operator's: no such repository, or the token may not see it
	Refused      Kind = "Refused"      // the repository's admin's: the forge understood, and says no
	Invalid      Kind = "Invalid"      // nobody's: the answer is not one of a forge (a proxy's page, say)
	Partly       Kind = "Partly"       // the author's: it was done, but for what Error.What names
)

// An Error is a failed request to a forge. It never holds a secret.
type Error struct {
	Kind       Kind
	Forge      string        // origin of its API, such as https://api.github.com
	What       string        // what happened, for people, on one line
	Fix        string        // whose move it is and what to do next
	RetryAfter time.Duration // what the forge asked for, from 1 s to 1 h; 0 when it did not
	Err        error         // the cause, redacted; may be nil
}

func (e *Error) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("%s: %s: %v", e.Forge, e.What, e.Err)
	}
	return e.Forge + ": " + e.What
}

func (e *Error) Unwrap() error { return e.Err }

// Passing reports whether a failure may be over without anybody's doing.
func (k Kind) Passing() bool { return k == Unreachable || k == RateLimited || k == Invalid }
