// Package memory is a forge.Forge that lives in the process, for tests of
// everything above the contract: proposals that are kept in a list.
//
// A hook can make any operation fail, before or after it took effect, and a
// person can edit, close, merge or reopen at any moment, also from inside the
// hook. The forge starts no goroutine, asks no clock but Now and holds no lock
// while a function of the test's runs, so it works in a testing/synctest bubble.
// It knows nothing of YAML or images, and of Git only what Heads tells it.
package memory

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/towpath/towpath/forge"
)

// The operations that a Hook is asked about.
const (
	OpList      = "list"
	OpPast      = "past"
	OpPropose   = "propose"
	OpEdit      = "edit"
	OpComment   = "comment"
	OpClose     = "close"
	OpChecks    = "checks"
	OpMerge     = "merge"
	OpAutoMerge = "automerge"
	OpSetStatus = "set status"
)

// A Hook is asked before each operation. With a nil error the operation takes
// place. With an error that is what the caller gets; where apply is true the
// operation took place all the same: its answer was lost.
type Hook func(op string) (apply bool, err error)

// Forge keeps proposals in memory. Fields are set before use.
type Forge struct {
	Hook Hook             // nil: nothing fails
	Now  func() time.Time // dates what ends; nil: a minute after another from 2026-01-01
	// Heads says where a branch is in Git; empty: it is not there, and a proposal of it
	// closes, as it does on a real forge. Nil: nothing is known of any branch.
	Heads func(branch string) string
	// OnMerge moves Git when Merge or AutoMerge merges; a proposal stays open where it fails.
	// Nil: only the proposal is marked.
	OnMerge func(forge.Proposal) error
	CRLF    bool     // bodies are kept with \r\n, as GitHub keeps what people send by its form
	Unknown []string // labels, reviewers and assignees that cannot be given to a proposal

	mu       sync.Mutex // never held across a function of the test's
	kept     []*record  // by number
	checks   map[string]forge.Checks
	statuses map[string]map[string]forge.CommitStatus // by commit and context
	readings int                                      // of the clock that is there without Now
}

var _ forge.Forge = (*Forge)(nil)

// A record is a proposal and what else there is to it.
type record struct {
	forge.Proposal
	asked    forge.Draft
	comments []comment
	auto     string // the head that is merged as soon as its checks allow; empty: none is
	fork     bool
}

type comment struct{ key, text string }

// New returns a forge without proposals.
func New() *Forge { return &Forge{checks: map[string]forge.Checks{}} }

// List is forge.Forge's.
func (f *Forge) List(ctx context.Context, base, prefix string) (found []forge.Proposal, err error) {
	err = f.attempt(ctx, OpList, func() error {
		found = f.where(func(r *record) bool {
			return r.State == forge.Open && r.Base == base && strings.HasPrefix(r.Branch, prefix)
		})
		return nil
	})
	return kept(found, err)
}

// Past is forge.Forge's.
func (f *Forge) Past(ctx context.Context, base, branch string) (found []forge.Proposal, err error) {
	err = f.attempt(ctx, OpPast, func() error {
		found = f.where(func(r *record) bool {
			return r.State != forge.Open && r.Base == base && r.Branch == branch
		})
		return nil
	})
	slices.SortStableFunc(found, func(a, b forge.Proposal) int { return cmp.Compare(b.Number, a.Number) })
	return kept(found, err)
}

// kept is what a read gives: nothing where it failed, even after it took place.
func kept(found []forge.Proposal, err error) ([]forge.Proposal, error) {
	if err != nil {
		return nil, err
	}
	return found, nil
}

// Propose is forge.Forge's.
func (f *Forge) Propose(ctx context.Context, d forge.Draft) (made forge.Proposal, err error) {
	err = f.attempt(ctx, OpPropose, func() error {
		made, err = f.propose(d)
		return err
	})
	if e, ok := err.(*forge.Error); err != nil && !(ok && e.Kind == forge.Partly) {
		return forge.Proposal{}, err
	}
	return made, err
}

func (f *Forge) propose(d forge.Draft) (forge.Proposal, error) {
	head := f.head(d.Branch)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.Heads != nil && head == "" {
		return forge.Proposal{}, failure(forge.Refused, fmt.Sprintf("there is no branch %q", d.Branch), "push the branch first")
	}
	for _, r := range f.kept {
		if r.State == forge.Open && !r.fork && r.Branch == d.Branch && r.Base == d.Base {
			return r.shown(), nil
		}
	}
	r := f.add(d, head)
	var left []string
	unknown := func(name string) bool { return slices.Contains(f.Unknown, name) }
	for _, names := range []*[]string{&r.asked.Labels, &r.asked.Reviewers, &r.asked.Assignees} {
		for _, name := range *names {
			if unknown(name) {
				left = append(left, name)
			}
		}
		*names = slices.DeleteFunc(slices.Clone(*names), unknown)
	}
	r.Labels = slices.Sorted(slices.Values(r.asked.Labels))
	if len(left) > 0 {
		return r.shown(), failure(forge.Partly, "proposed without "+strings.Join(left, ", "), "make them on the forge, or take them out of .towpath.yaml")
	}
	return r.shown(), nil
}

// add is called with mu held.
func (f *Forge) add(d forge.Draft, head string) *record {
	number := len(f.kept) + 1
	r := &record{asked: d, Proposal: forge.Proposal{
		Number: number, URL: fmt.Sprintf("https://forge.example/pulls/%d", number), State: forge.Open,
		Branch: d.Branch, Base: d.Base, Head: head, Title: d.Title, Body: f.body(d.Body), Draft: d.Draft,
	}}
	f.kept = append(f.kept, r)
	return r
}

// Edit is forge.Forge's.
func (f *Forge) Edit(ctx context.Context, number int, title, body string) error {
	return f.attempt(ctx, OpEdit, func() error {
		return f.change(number, func(r *record) { r.Title, r.Body = title, f.body(body) })
	})
}

// Comment is forge.Forge's.
func (f *Forge) Comment(ctx context.Context, number int, key, text string) error {
	return f.attempt(ctx, OpComment, func() error {
		return f.change(number, func(r *record) {
			if !slices.ContainsFunc(r.comments, func(c comment) bool { return c.key == key }) {
				r.comments = append(r.comments, comment{key, text})
			}
		})
	})
}

// Close is forge.Forge's.
func (f *Forge) Close(ctx context.Context, number int) error {
	return f.attempt(ctx, OpClose, func() error { return f.end(number, forge.Closed, f.now()) })
}

// Checks is forge.Forge's.
func (f *Forge) Checks(ctx context.Context, head string) (found forge.Checks, err error) {
	err = f.attempt(ctx, OpChecks, func() error {
		f.mu.Lock()
		defer f.mu.Unlock()
		found = f.together(head)
		return nil
	})
	if err != nil {
		return "", err
	}
	return found, nil
}

// Merge is forge.Forge's.
func (f *Forge) Merge(ctx context.Context, number int, head string) error {
	return f.attempt(ctx, OpMerge, func() error { return f.merge(number, head) })
}

func (f *Forge) merge(number int, head string) error {
	p, err := f.mergeable(number, head)
	if err != nil {
		return err
	}
	if f.OnMerge != nil {
		if err := f.OnMerge(p); err != nil {
			return err
		}
	}
	return f.end(number, forge.Merged, f.now())
}

// AutoMerge is forge.Forge's: it merges at once where the head has no checks or
// good ones, and else when SetChecks says that they are good.
func (f *Forge) AutoMerge(ctx context.Context, number int, head string) error {
	return f.attempt(ctx, OpAutoMerge, func() error {
		if _, err := f.mergeable(number, head); err != nil {
			return err
		}
		f.mu.Lock()
		checks := f.together(head)
		f.kept[number-1].auto = head
		f.mu.Unlock()
		if checks == forge.Green || checks == forge.NoChecks {
			return f.merge(number, head)
		}
		return nil
	})
}

// mergeable is a proposal that may be merged, if its head is still that.
func (f *Forge) mergeable(number int, head string) (forge.Proposal, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	r, err := f.find(number)
	switch {
	case err != nil:
		return forge.Proposal{}, err
	case r.State != forge.Open:
		return forge.Proposal{}, failure(forge.Refused, fmt.Sprintf("proposal %d is %s", number, r.State), "leave it")
	case r.Head != head:
		return forge.Proposal{}, &forge.Error{Kind: forge.Refused, Forge: address, What: fmt.Sprintf("proposal %d is at %s", number, r.Head), Fix: "nothing: it is looked at again", Err: forge.ErrMoved}
	case r.Draft:
		return forge.Proposal{}, failure(forge.Refused, fmt.Sprintf("proposal %d is a draft", number), "mark it as ready for review")
	}
	return r.shown(), nil
}
