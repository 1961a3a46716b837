package memory

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/towpath/towpath/forge"
)

const address = "https://forge.example"

// Start is the first reading of the clock that is there without Now.
var Start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// attempt does something that the hook may keep from happening, or make seem to
// fail. What branches did in Git meanwhile is seen first.
func (f *Forge) attempt(ctx context.Context, op string, do func() error) error {
	apply, failed := true, error(nil)
	if f.Hook != nil {
		apply, failed = f.Hook(op)
	}
	if failed == nil {
		failed = ctx.Err()
		apply = apply && failed == nil
	}
	if failed != nil && !apply {
		return failed
	}
	f.settle()
	if err := do(); err != nil && failed == nil {
		return err
	}
	return failed
}

// settle looks where the branches of open proposals are. One whose branch is gone
// is closed.
func (f *Forge) settle() {
	if f.Heads == nil {
		return
	}
	for _, p := range f.where(func(r *record) bool { return r.State == forge.Open }) {
		head := f.Heads(p.Branch)
		if head == "" {
			f.end(p.Number, forge.Closed, f.now())
			continue
		}
		f.change(p.Number, func(r *record) { r.Head = head })
	}
}

func (f *Forge) head(branch string) string {
	if f.Heads == nil {
		return ""
	}
	return f.Heads(branch)
}

// end closes or merges what is open; what is not is left as it is.
func (f *Forge) end(number int, how forge.State, at time.Time) error {
	return f.change(number, func(r *record) {
		if r.State == forge.Open {
			r.State, r.Ended = how, at.UTC().Truncate(time.Second)
		}
	})
}

func (f *Forge) change(number int, do func(*record)) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	r, err := f.find(number)
	if err != nil {
		return err
	}
	do(r)
	return nil
}

// find is called with mu held.
func (f *Forge) find(number int) (*record, error) {
	if number < 1 || number > len(f.kept) {
		return nil, failure(forge.NotFound, fmt.Sprintf("there is no proposal %d", number), "name one that is listed")
	}
	return f.kept[number-1], nil
}

// where are the proposals from branches of this repository for which a condition
// holds, by number.
func (f *Forge) where(holds func(*record) bool) []forge.Proposal {
	f.mu.Lock()
	defer f.mu.Unlock()
	var found []forge.Proposal
	for _, r := range f.kept {
		if !r.fork && holds(r) {
			found = append(found, r.shown())
		}
	}
	return found
}

// shown is a copy for the caller, with line ends as the contract wants them.
func (r *record) shown() forge.Proposal {
	p := r.Proposal
	p.Body = strings.ReplaceAll(p.Body, "\r\n", "\n")
	p.Labels = slices.Clone(p.Labels)
	return p
}

// body is a body as it is kept.
func (f *Forge) body(text string) string {
	text = strings.ReplaceAll(text, "\r\n", "\n")
	if f.CRLF {
		text = strings.ReplaceAll(text, "\n", "\r\n")
	}
	return text
}

func (f *Forge) now() time.Time {
	if f.Now != nil {
		return f.Now()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.readings++
	return Start.Add(time.Duration(f.readings-1) * time.Minute)
}

func failure(kind forge.Kind, what, fix string) *forge.Error {
	return &forge.Error{Kind: kind, Forge: address, What: what, Fix: fix}
}
