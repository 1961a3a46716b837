package integrated

import "sync"

// Manifests are read whole before anything is done with them, so all that come at once are bounded,
// and those of one client, and of one namespace, to a part of it.
const (
	memoryOfAll       = 64 << 20
	memoryOfNamespace = 32 << 20
	memoryOfOne       = 16 << 20
	firstRoom         = 8 << 10 // most manifests have less
)

// memory is what bodies take that are read whole.
type memory struct {
	mu  sync.Mutex
	all int64
	of  map[string]int64 // by client, and by namespace
}

// roomOf is the room of one body, which has none yet.
func (m *memory) roomOf(client, namespace string) *bodyRoom {
	return &bodyRoom{memory: m, client: "client " + client, namespace: "namespace " + namespace}
}

// A bodyRoom is what one body takes.
type bodyRoom struct {
	*memory
	client, namespace string
	taken             int64
}

// take reports whether there is room for more of a body.
func (r *bodyRoom) take(n int64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.all+n > memoryOfAll || r.of[r.client]+n > memoryOfOne || r.of[r.namespace]+n > memoryOfNamespace {
		return false
	}
	r.add(n)
	return true
}

// giveBack ends what take took.
func (r *bodyRoom) giveBack() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.add(-r.taken)
}

func (r *bodyRoom) add(n int64) {
	r.taken += n
	r.all += n
	for _, name := range []string{r.client, r.namespace} {
		if r.of[name] += n; r.of[name] == 0 {
			delete(r.of, name)
		}
	}
}
