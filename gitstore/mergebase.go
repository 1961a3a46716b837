package gitstore

import (
	"context"
	"fmt"
	"slices"
)

// maxMerged is how many commits of both sides are looked at for the ones in common.
const maxMerged = 2000

// A walk looks for what two commits have in common.
type walk struct{ left int } // commits that may still be looked at

// What is known of a commit in a walk.
const (
	ofOne   = 1 << iota // it is in the one's history
	ofOther             // and the other's
	below               // and below one that is in both
)

// bases are the newest commits that both histories hold, as git takes them for a merge: no
// one of them is in another's history, and there are several only where the sides were merged
// into each other crosswise. The youngest commit goes first, so that no more history is read than
// there is between the sides, while clocks are right.
func (w *walk) bases(ctx context.Context, one, other Snapshot) ([]Snapshot, error) {
	known := map[Rev]int{}
	var queue []Snapshot
	add := func(s Snapshot, what int) {
		if known[s.Rev()]&what == what {
			return
		}
		known[s.Rev()] |= what
		if !slices.ContainsFunc(queue, func(q Snapshot) bool { return q.Rev() == s.Rev() }) {
			queue = append(queue, s)
		}
	}
	add(one, ofOne)
	add(other, ofOther)
	undecided := func(s Snapshot) bool { return known[s.Rev()]&below == 0 }
	var found []Snapshot
	for slices.ContainsFunc(queue, undecided) {
		if w.left--; w.left < 0 {
			return nil, unmergeable(one, other, fmt.Sprintf("they have no commit in common among the last %d of both", maxMerged), "rebase the branch on the base, and try again")
		}
		i := youngest(queue)
		s := queue[i]
		queue = slices.Delete(queue, i, i+1)
		what := known[s.Rev()]
		if what == ofOne|ofOther {
			found = append(found, s)
			what |= below
		}
		if !slices.ContainsFunc(queue, undecided) && what&below != 0 {
			break // what is below is not even read
		}
		parents, err := s.Parents(ctx)
		if err != nil {
			return nil, err
		}
		for _, p := range parents {
			add(p, what)
		}
	}
	found = slices.DeleteFunc(found, func(s Snapshot) bool { return !undecided(s) })
	if len(found) < 2 {
		return found, nil
	}
	return w.newest(ctx, found)
}

// Holds reports whether a commit is another's, or in its history. Both are snapshots of one store.
// Where 2,000 commits do not tell, it returns an *Error of kind Unsupported.
func Holds(ctx context.Context, tip, older Snapshot) (bool, error) {
	bases, err := (&walk{maxMerged}).bases(ctx, tip, older)
	return err == nil && len(bases) == 1 && bases[0].Rev() == older.Rev(), err
}

// youngest is the place of the commit that was made last.
func youngest(queue []Snapshot) (at int) {
	for i, s := range queue {
		if s.About().When.After(queue[at].About().When) {
			at = i
		}
	}
	return at
}

// newest leaves out what is in another's history, which wrong clocks hide.
func (w *walk) newest(ctx context.Context, found []Snapshot) ([]Snapshot, error) {
	var newest []Snapshot
	for i, s := range found {
		inside := false
		for k, other := range found {
			if i == k || inside {
				continue
			}
			both, err := w.bases(ctx, other, s)
			if err != nil {
				return nil, err
			}
			inside = len(both) == 1 && both[0].Rev() == s.Rev()
		}
		if !inside {
			newest = append(newest, s)
		}
	}
	return newest, nil
}

func unmergeable(base, head Snapshot, what, fix string) error {
	return &Error{
		Kind: Unsupported, Repo: "merging " + head.Rev().Short() + " into " + base.Rev().Short(),
		What: what, Fix: fix,
	}
}
