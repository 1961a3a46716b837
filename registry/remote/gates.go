package remote

import (
	"maps"
	"slices"
	"sync"
	"time"
)

const (
	maxGates     = 4096 // of hosts that are not listed; any author can name some
	roomForGates = maxGates / 8
)

// gates keeps the gate of each registry: that of a listed one for ever, of the
// others as many as there is room for.
type gates struct {
	listed map[string]*gate // by canonical host; complete before the first question

	mu     sync.Mutex
	others map[string]*gate // the same
}

// list makes the gate of a listed host.
func (g *gates) list(host string, h Host) {
	if g.listed == nil {
		g.listed = map[string]*gate{}
	}
	g.listed[host] = newGate(host, h.Concurrency, h.RequestsPerSecond)
}

func (g *gates) of(host string) *gate {
	if listed, ok := g.listed[host]; ok {
		return listed
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if known, ok := g.others[host]; ok {
		return known
	}
	if g.others == nil {
		g.others = map[string]*gate{}
	}
	if len(g.others) >= maxGates {
		g.prune(time.Now())
	}
	made := newGate(host, defaultConcurrency, 0)
	g.others[host] = made
	return made
}

// prune drops those that nobody uses and that nothing is kept of, and then, until
// there is room for many, those that open soonest: a host that is forgotten may be
// asked too early once more, and says so again.
func (g *gates) prune(now time.Time) {
	opens := map[string]time.Time{}
	for host, known := range g.others {
		when := known.opens()
		if known.busy() {
			when = now.Add(2 * maxRetryAfter)
		}
		if !now.Before(when) {
			delete(g.others, host)
			continue
		}
		opens[host] = when
	}
	soonest := slices.SortedFunc(maps.Keys(opens), func(a, b string) int { return opens[a].Compare(opens[b]) })
	for _, host := range soonest[:max(0, len(soonest)-maxGates+roomForGates)] {
		delete(g.others, host)
	}
}
