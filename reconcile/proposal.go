package reconcile

import (
	"slices"
	"time"

	"github.com/towpath/towpath/config"
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

	lane    lane
	resumed []Move // of these, what a person asks for although it was held or declined
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
	return !slices.ContainsFunc(p.Chain, func(w Write) bool { return w.Kind != StatusCommit })
}

// proposalOf is the proposal of a lane's commits: of labels and people it has those of all its
// changes, and it is merged as the most careful of them wants.
// What is more than a branch can hold follows when that is merged.
func proposalOf(l lane, chain []Write) Proposal {
	chain = chain[:min(len(chain), longestChain)]
	seal(chain)
	p := Proposal{Chain: chain, Merge: merges[len(merges)-1], lane: l}
	for _, w := range chain {
		for _, c := range w.Streams {
			p.take(c.Stream.Settings)
			for _, e := range c.Events {
				p.Since = earliest(p.Since, e.Item.Created)
			}
		}
		for _, c := range w.Sites {
			p.take(c.Site.Settings)
			p.Since = earliest(p.Since, c.Since)
		}
	}
	p.Moves = movesIn(chain)
	return p
}

// movesIn are what commits move, in their order.
func movesIn(chain []Write) (moves []Move) {
	for _, w := range chain {
		for _, c := range w.Streams {
			for _, e := range c.Events {
				if e.Item != nil {
					moves = append(moves, recordMove(c.Stream, e))
				}
			}
		}
		for _, c := range w.Sites {
			moves = append(moves, siteMove(c))
		}
	}
	return moves
}

// merges are the ways to merge, the most careful first.
var merges = []string{"by-hand", "platform", "when-green"}

func (p *Proposal) take(s config.Settings) {
	p.Labels, p.Reviewers, p.Assignees = union(p.Labels, s.ProposalLabels), union(p.Reviewers, s.Reviewers), union(p.Assignees, s.Assignees)
	p.Draft = p.Draft || s.Draft
	if slices.Index(merges, s.Merge) < slices.Index(merges, p.Merge) {
		p.Merge = s.Merge
	}
}

func union[T comparable](list, more []T) []T {
	for _, m := range more {
		if !slices.Contains(list, m) {
			list = append(list, m)
		}
	}
	return list
}

// resolved is what a proposal puts on record, as it was learned by now.
func (p Proposal) resolved(now time.Time) pending {
	found := pending{}
	for _, w := range p.Chain {
		for _, c := range w.Streams {
			for _, e := range c.Events {
				if e.At.IsZero() {
					e.At = now
				}
				found[imagestream.TagRef{Stream: c.Stream.Name, Tag: e.Tag}] = e
			}
		}
	}
	return found
}

// paths are those of the files that a proposal changes.
func (p Proposal) paths() (paths []string) {
	for _, w := range p.Chain {
		for _, e := range w.Commit.Edits {
			paths = append(paths, e.Path)
		}
	}
	return paths
}

// adds are the streams to whose files a proposal gives their first text.
func (p Proposal) adds() map[imagestream.Name]bool {
	adds := map[imagestream.Name]bool{}
	for _, w := range p.Chain {
		for _, c := range w.Streams {
			adds[c.Stream.Name] = c.Stream.seed != nil
		}
	}
	return adds
}

// seals are those of a proposal's commits: what they change, and nothing else.
func (p Proposal) seals() []string {
	var seals []string
	for _, w := range p.Chain {
		seals = append(seals, w.seal)
	}
	return seals
}

// Title is what a proposal is called.
func (p Proposal) Title() string { return p.title() }
