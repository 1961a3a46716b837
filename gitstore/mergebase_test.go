package gitstore

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// A node is a commit without a tree.
type node struct {
	Snapshot
	rev     Rev
	when    time.Time
	parents []Snapshot
	history map[Rev]bool // with itself
}

func (n *node) Rev() Rev                                    { return n.rev }
func (n *node) About() About                                { return About{When: n.when} }
func (n *node) Parents(context.Context) ([]Snapshot, error) { return n.parents, nil }

// The bases of a merge are the commits in both histories that are in no other's of them, whatever
// the clocks say.
func TestBases(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 0))
	several := 0
	for range 2000 {
		var all []*node
		for i := range 12 {
			n := &node{rev: Rev(fmt.Sprintf("%040d", i)), when: time.Unix(int64(rnd.IntN(5)), 0), history: map[Rev]bool{}}
			for range min(i, 1+rnd.IntN(2)) {
				p := all[max(0, i-1-rnd.IntN(4))]
				n.parents = append(n.parents, p)
				maps.Copy(n.history, p.history)
			}
			n.history[n.rev] = true
			all = append(all, n)
		}
		one, other := all[rnd.IntN(12)], all[rnd.IntN(12)]
		var want, got []Rev
		for _, n := range all {
			best := one.history[n.rev] && other.history[n.rev]
			for _, m := range all {
				best = best && (m == n || !one.history[m.rev] || !other.history[m.rev] || !m.history[n.rev])
			}
			if best {
				want = append(want, n.rev)
			}
		}
		bases, err := (&walk{maxMerged}).bases(t.Context(), one, other)
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range bases {
			got = append(got, b.Rev())
		}
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("bases of %s and %s (-want +got)\n%s", one.rev, other.rev, diff)
		}
		if len(want) > 1 {
			several++
		}
	}
	if several < 10 {
		t.Errorf("%d merges with several bases say little", several)
	}
}
