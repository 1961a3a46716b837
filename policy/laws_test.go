package policy

import (
	"math/rand/v2"
	"testing"
	"time"
)

// newRand is seeded anew with each run; what fails prints the seed.
func newRand(t *testing.T) *rand.Rand {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}
