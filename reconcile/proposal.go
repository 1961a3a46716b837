package reconcile

import (
	"time"

	"github.com/towpath/towpath/imagestream"
)

// A Proposal is what one branch should hold for people to review: changes that belong
// together, as commits on top of the branch that is watched.
type Proposal struct {
	Branch string
	Chain  []Write   // status commits, then trigger commits
	Moves  []Move    // what it would change, in the order of the chain
	Since  time.Time // when the first of its images was resolved

	Labels, Reviewers, Assignees []string
	Draft                        bool
	Merge                        string // as config.Settings has it
}

// A Move is an image that a proposal would bring to one place.
type Move struct {
	Tag   imagestream.TagRef
	Image string // its digest or, where it has none, its reference
	Path  string
	Site  string // which place of the file; empty: the status of the tag
}

// StatusOnly reports whether a proposal changes nothing but records.
func (p Proposal) StatusOnly() bool {
	for _, w := range p.Chain {
		if w.Kind != StatusCommit {
			return false
		}
	}
	return true
}
