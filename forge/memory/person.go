package memory

import (
	"fmt"
	"slices"
	"time"

	"github.com/towpath/towpath/forge"
)

// What follows is a person's hand. It panics where there is no such proposal.

// Write gives a proposal another title and body; \r\n in it stays as it is.
func (f *Forge) Write(number int, title, body string) {
	f.by(number, func(r *record) { r.Title, r.Body = title, body })
}

// Label puts labels on a proposal, beside those that are there.
func (f *Forge) Label(number int, labels ...string) {
	f.by(number, func(r *record) {
		r.Labels = append(r.Labels, labels...)
		slices.Sort(r.Labels)
		r.Labels = slices.Compact(r.Labels)
	})
}

// Ready says that a proposal is a draft no more.
func (f *Forge) Ready(number int) { f.by(number, func(r *record) { r.Draft = false }) }

// CloseBy closes a proposal without a merge.
func (f *Forge) CloseBy(number int) {
	f.settle() // it ends where its branch is now
	at := f.now()
	f.by(number, func(r *record) { r.State, r.Ended = forge.Closed, at.UTC().Truncate(time.Second) })
}

// MergeBy marks a proposal as merged. Git is moved by the test.
func (f *Forge) MergeBy(number int, at time.Time) {
	f.settle()
	f.by(number, func(r *record) { r.State, r.Ended = forge.Merged, at.UTC().Truncate(time.Second) })
}

// Reopen opens a proposal that was closed. Where its branch is gone it closes again.
func (f *Forge) Reopen(number int) {
	f.by(number, func(r *record) { r.State, r.Ended = forge.Open, time.Time{} })
}

// FromFork opens a stranger's proposal: its branch is one of a fork.
func (f *Forge) FromFork(d forge.Draft) (number int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	r := f.add(d, "")
	r.fork = true
	return r.Number
}

// SetChecks says what the checks of a commit come to. Where they are good, what
// waits for that is merged.
func (f *Forge) SetChecks(head string, checks forge.Checks) {
	f.mu.Lock()
	f.checks[head] = checks
	var due []int
	for _, r := range f.kept {
		if checks == forge.Green && r.State == forge.Open && r.auto == head {
			due = append(due, r.Number)
		}
	}
	f.mu.Unlock()
	f.settle()
	for _, number := range due {
		_ = f.merge(number, head) // a forge tries, and has nobody to tell
	}
}

// All are the proposals by number, those from forks among them.
func (f *Forge) All() []forge.Proposal {
	f.mu.Lock()
	defer f.mu.Unlock()
	var all []forge.Proposal
	for _, r := range f.kept {
		all = append(all, r.shown())
	}
	return all
}

// Asked is what a proposal was opened with, but for what the forge does not know.
func (f *Forge) Asked(number int) (d forge.Draft) {
	f.by(number, func(r *record) { d = r.asked })
	return d
}

// Comments are the texts of a proposal's comments, oldest first.
func (f *Forge) Comments(number int) (texts []string) {
	f.by(number, func(r *record) {
		for _, c := range r.comments {
			texts = append(texts, c.text)
		}
	})
	return texts
}

// Scheduled reports whether a proposal is merged as soon as its checks allow.
func (f *Forge) Scheduled(number int) (waits bool) {
	f.by(number, func(r *record) { waits = r.State == forge.Open && r.auto != "" && r.auto == r.Head })
	return waits
}

func (f *Forge) by(number int, do func(*record)) {
	if err := f.change(number, do); err != nil {
		panic(fmt.Sprintf("a person's hand: %v", err))
	}
}
