// Package headroom decides how much garbage there may be before it is collected. It knows the
// process's own heap, and nothing of what it is for.
package headroom

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync/atomic"
)

const (
	// most is garbage that there may be beside little that is live: without it, a daemon of few
	// streams that hears a thousand webhooks a second collects for a fifth of its time, and its
	// slowest answers take twice as long (make bench BENCH="-only hooks-1000").
	most = 32 << 20
	// share is garbage that there may be beside much that is live, in percent of it. Most of
	// what a daemon of many streams holds stays (make bench BENCH="-only steady-rss").
	share = 25
	// small keeps the smallest heap at 32 MiB: the runtime lets it grow to 4 MiB × percent/100
	// before it first looks.
	small = 800
)

// A Keeper sets the percentage of debug.SetGCPercent by what is live, after each collection for
// the next.
type Keeper struct{ stopped atomic.Bool }

// Keep begins to.
func Keep() *Keeper {
	k := &Keeper{}
	k.keep()
	return k
}

// Stop leaves the percentage as it is, from the next collection on.
func (k *Keeper) Stop() { k.stopped.Store(true) }

func (k *Keeper) keep() {
	if k.stopped.Load() {
		return
	}
	debug.SetGCPercent(percent(live()))
	runtime.AddCleanup(&sentinel{}, (*Keeper).keep, k)
}

// A sentinel is garbage at once, so that the next collection is heard of. It has a pointer, or the
// runtime would put it together with what stays.
type sentinel struct{ _ *sentinel }

// live is what the last collection left, in bytes.
func live() uint64 {
	s := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}

// percent is how much garbage there may be, of what is live.
func percent(live uint64) int {
	return int(min(small, max(share, most*100/max(1, live))))
}
