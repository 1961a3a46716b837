package reconcile

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestLawPlaces: what is looked up by name is what a walk through the list finds, and a
// few names are looked at for it, not all.
func TestLawPlaces(t *testing.T) {
	const seed = 1
	rng := rand.New(rand.NewPCG(seed, seed))
	for _, n := range []int{0, 1, 2, 3, 10, 1000} {
		list := make([]string, n)
		for i := range list {
			list[i] = fmt.Sprint("t", i)
		}
		rng.Shuffle(n, func(i, j int) { list[i], list[j] = list[j], list[i] })
		looked := 0
		name := func(s *string) string { looked++; return *s }
		p := byName(list, name)
		for i := range n + 3 {
			wanted := fmt.Sprint("t", i)
			looked = 0
			got := lookUp(p, list, name, wanted)
			if looked > 12 {
				t.Fatalf("seed %d: %d of %d names looked at", seed, looked, n)
			}
			if at := slices.Index(list, wanted); at < 0 && got != nil || at >= 0 && got != &list[at] {
				t.Fatalf("seed %d: %s of %d is %v, want the one at %d", seed, wanted, n, got, at)
			}
		}
	}
}
