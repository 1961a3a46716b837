// Package seeds gives tests the seed of the worlds that they make up, and mutants of
// documents. The seed is the same every time, so that what passed once passes again;
// make laws draws others. It must not know what a document means.
package seeds

import (
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
)

// Of is the seed of a test: 1, or what TOWPATH_SEED says: a number, or random. The
// test's log says which.
func Of(t testing.TB) uint64 {
	t.Helper()
	seed := uint64(1)
	switch text := os.Getenv("TOWPATH_SEED"); text {
	case "":
	case "random":
		seed = rand.Uint64()
	default:
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatalf("TOWPATH_SEED=%s: write a number, or random", text)
		}
		seed = n
	}
	t.Logf("TOWPATH_SEED=%d", seed)
	return seed
}
