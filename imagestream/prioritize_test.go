package imagestream

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/towpath/towpath/internal/seeds"
)

func TestPrioritizeTags(t *testing.T) {
	want := strings.Fields("latest 99999999999999999999.0-x 10.0 5.2 v5.2 v5.1 v5.1-rc2 v5.1-rc10 v5.1-1 5.0 " +
		"10.1.0 5.1.10 5.1.9 v5.1.9 5.1.9-rc.10 5.1.9-rc.2 5.1.9-rc 5.1.9-9 0.0.1 " +
		"05.1 1 1.2.3.4 V1.2 edge v v1")
	seed := seeds.Of(t)
	shuffled := append([]string(nil), want...)
	rand.New(rand.NewPCG(seed, 0)).Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	before := append([]string(nil), shuffled...)
	if diff := cmp.Diff(want, PrioritizeTags(shuffled)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if diff := cmp.Diff(before, shuffled); diff != "" {
		t.Errorf("the argument was changed:\n%s", diff)
	}
}
