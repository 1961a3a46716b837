package reconcile

import "github.com/towpath/towpath/gitstore"

// A letter is the body of a proposal: towpath's section between two marks, and around it
// whatever people wrote.
type letter struct {
	before, section, after string
	marker                 marker
	ours                   bool // there is a section
}

// A marker is what a proposal remembers for towpath, hidden at the end of the section.
type marker struct {
	Head      gitstore.Rev // of the branch, as towpath made it
	Title     string       // that towpath gave it
	Moves     []Move
	Frozen    gitstore.Rev // the head that people were told is not towpath's any more
	Withdrawn bool         // towpath itself closes it
	Resumed   []Move       // of these, what a person asked for although it was held
}

// readLetter takes a body apart. A section that is broken is a person's text.
func readLetter(body string) letter { return letter{before: body} }

// String is the body.
func (l letter) String() string { return l.before + l.section + l.after }
