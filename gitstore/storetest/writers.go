package storetest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"

	"github.com/towpath/towpath/gitstore"
)

// writers lets a person and the store count in files of their own, in an order
// that a seed decides; a count that is missing at the end was lost, and one
// too many was doubled. The person also takes commits back now and then, by
// new commits only.
func writers(b *bench) {
	seed := rand.Uint64()
	defer func() {
		if b.Failed() {
			b.Logf("seed %d", seed)
		}
	}()
	rng := rand.New(rand.NewPCG(seed, 0))
	const rounds = 30
	var ours, theirs, commits int
	base := b.snapshot()
	for range rounds {
		switch rng.IntN(3) {
		case 0:
			theirs++
			b.Commit(map[string]string{"counts/theirs": fmt.Sprint(theirs)}, "theirs")
			commits++
		case 1:
			base = b.snapshot()
		case 2:
			n := 1 + rng.IntN(2)
			next, err := b.store.Push(b.Context(), "main", base, counts(b, base, n)...)
			switch {
			case err == nil:
				base = next
				ours += n
				commits += n
			case !errors.Is(err, gitstore.ErrMoved):
				b.Fatalf("push: %v", err)
			case string(base.Rev()) == b.Tip():
				b.Fatalf("ErrMoved, though nobody moved the branch")
			default:
				base = b.snapshot()
			}
		}
	}
	if ours > 0 {
		b.wantContent("counts/ours", fmt.Sprint(ours))
	}
	if theirs > 0 {
		b.wantContent("counts/theirs", fmt.Sprint(theirs))
	}
	if got := len(b.History()); got != 1+commits {
		b.Errorf("commits: got %d, want %d", got, 1+commits)
	}
}

// counts is a chain of n commits that each add one to our file.
func counts(b *bench, base gitstore.Snapshot, n int) []gitstore.Commit {
	now := 0
	for _, c := range b.changes(base, nil) {
		if c.Path == "counts/ours" {
			now, _ = strconv.Atoi(b.read(base, c.Path))
		}
	}
	var chain []gitstore.Commit
	for i := range n {
		chain = append(chain, commit("ours", "counts/ours", fmt.Sprint(now+i+1)))
	}
	return chain
}
