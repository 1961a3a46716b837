package headroom

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"testing"
	"time"
)

func TestPercent(t *testing.T) {
	for live, want := range map[uint64]int{
		0:         small,
		4 << 20:   small,
		8 << 20:   400,
		32 << 20:  100,
		64 << 20:  50,
		128 << 20: share,
		4 << 30:   share,
	} {
		if got := percent(live); got != want {
			t.Errorf("%d MiB live: %d, want %d", live>>20, got, want)
		}
	}
}

// What is live is seen again after each collection.
func TestKeepFollows(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(100))
	kept := Keep()
	defer kept.Stop()
	held := make([]byte, 256<<20)
	awaitPercent(t, share)
	runtime.KeepAlive(held)
	held = nil
	awaitPercent(t, small)
}

func awaitPercent(t *testing.T, want uint64) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); ; runtime.Gosched() {
		runtime.GC()
		s := []metrics.Sample{{Name: "/gc/gogc:percent"}}
		metrics.Read(s)
		got := s[0].Value.Uint64()
		if got == want {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("the percentage is %d, want %d", got, want)
		}
	}
}
