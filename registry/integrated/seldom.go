package integrated

import (
	"sync"
	"time"
)

// mostSaid is how much a seldom says within a minute, of whatever names.
const mostSaid = 60

// seldom keeps the log short: whoever pushes decides how often something is refused, and under how
// many names.
type seldom struct {
	mu    sync.Mutex
	said  *lru[string, time.Time]
	since time.Time // of the minute that is counted
	n     int       // what was said in it
}

func newSeldom() *seldom { return &seldom{said: newLRU[string, time.Time](1000)} }

// first reports whether nothing was said of a name within a minute, and not too much of others.
func (s *seldom) first(name string, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if at, ok := s.said.get(name); ok && within(at, now) {
		return false
	}
	if !within(s.since, now) {
		s.since, s.n = now, 0
	}
	if s.n == mostSaid {
		return false
	}
	s.n++
	s.said.put(name, now)
	return true
}

// within reports whether a moment was in the minute before now; a clock that went back says no.
func within(at, now time.Time) bool { return now.Sub(at) < time.Minute && !now.Before(at) }
