package integrated

import "sync"

// Manifests are read whole before anything is done with them, so all that come at once are bounded,
// and those of one client to a part of it.
const (
	memoryOfAll = 64 << 20
	memoryOfOne = 16 << 20
)

// memory is what bodies take that are read whole.
type memory struct {
	mu  sync.Mutex
	all int64
	of  map[string]int64 // by client
}

// take reports whether there is room for a body.
func (m *memory) take(client string, n int64) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.all+n > memoryOfAll || m.of[client]+n > memoryOfOne {
		return false
	}
	m.all += n
	m.of[client] += n
	return true
}

// giveBack ends what take took.
func (m *memory) giveBack(client string, n int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.all -= n
	if m.of[client] -= n; m.of[client] == 0 {
		delete(m.of, client)
	}
}

// roomFor is what a manifest may take, of whose length only is known what its client says.
func roomFor(length int64) int64 {
	if length < 0 || length > mostManifest {
		return mostManifest
	}
	return length
}
