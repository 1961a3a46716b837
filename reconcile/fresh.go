package reconcile

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// looks counts the walker's looks at Git, for who waits for the next one.
type looks struct {
	mu    sync.Mutex
	begun int
	shown int           // the one that the shelf is of
	err   error         // why the last pass could not read the repository
	over  bool          // nobody walks any more
	next  chan struct{} // closed after the next pass has read it, or could not; nil: nobody waits
}

func (l *looks) begin() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.begun++
	l.over = false
}

// end notes that there will be no further look.
func (l *looks) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.over = true
	l.tell()
}

// done notes that the shelf is of the last look.
func (l *looks) done() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.shown, l.err = l.begun, nil
	l.tell()
}

// failed notes why a pass could not read the repository.
func (l *looks) failed(why error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.err = why
	l.tell()
}

func (l *looks) tell() {
	if l.next != nil {
		close(l.next)
		l.next = nil
	}
}

// asked is how many looks have begun: one that comes after these began later than now.
func (l *looks) asked() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.begun
}

// last is the look that the shelf is of, why there is no later one, and what tells of the next.
func (l *looks) last() (shown int, next <-chan struct{}, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.next == nil {
		l.next = make(chan struct{})
	}
	if l.over {
		return l.shown, l.next, errOver
	}
	return l.shown, l.next, l.err
}

var errOver = errors.New("the daemon ends")

// Fresh is the shelf of a pass of Run that looked at Git after it was asked for: what people
// committed before is in it. It waits for that pass, which comes within seconds, until the context
// ends. Where the last pass could not read the repository it waits for nothing. It may be called
// from any goroutine.
func (r *Reconciler) Fresh(ctx context.Context) (*Shelf, error) {
	asked := r.looks.asked()
	if !r.Hint(Hint{Git: true}) {
		return nil, errors.New("too much is asked of the daemon at once")
	}
	for {
		shown, next, err := r.looks.last()
		switch {
		case errors.Is(err, errOver):
			return nil, err
		case err != nil:
			return nil, fmt.Errorf("the daemon could not read the repository in its last pass, so that it does not know what is in use: %w", err)
		case shown > asked:
			return r.Shelf(), nil
		}
		select {
		case <-next:
		case <-ctx.Done():
			return nil, errors.New("the daemon did not get to look at the repository in time, so that it does not know what is in use now")
		}
	}
}
