package integrated

import "sync"

// A stay counts the requests under way, for what must not happen beside them. A server that gives
// up on a request ends its connection, and not its handler: that may store something yet.
type stay struct {
	mu     sync.Mutex
	under  int
	closed bool
	last   func()
}

// enter admits a request, for which leave is called then; false where none is admitted any more.
func (s *stay) enter() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.under++
	return true
}

func (s *stay) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.under--; s.under == 0 && s.closed {
		s.last()
	}
}

// close admits nobody more, and has whoever leaves last do a thing. Who calls it has entered.
func (s *stay) close(last func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed, s.last = true, last
}
