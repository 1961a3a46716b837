package integrated

import (
	"sync"
	"time"
)

// seldom keeps the log short: whoever pushes decides how often something is refused.
type seldom struct {
	mu   sync.Mutex
	said *lru[string, time.Time]
}

func newSeldom() *seldom { return &seldom{said: newLRU[string, time.Time](1000)} }

// first reports whether nothing was said of a name within a minute.
func (s *seldom) first(name string, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if at, ok := s.said.get(name); ok && now.Sub(at) < time.Minute && !now.Before(at) {
		return false
	}
	s.said.put(name, now)
	return true
}
