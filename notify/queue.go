package notify

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

// A Sink carries events to one receiver, one at a time.
type Sink interface {
	// Send returns when the receiver has it. An *Error says whether trying again is of use; any
	// other error may pass.
	Send(ctx context.Context, e Event) error
}

// An Error is why an event was not taken. It never holds a secret.
type Error struct {
	What       string
	Fix        string
	Final      bool          // trying again is of no use
	RetryAfter time.Duration // what the receiver asked for; 0: nothing
}

func (e *Error) Error() string { return e.What }

// An Outcome is what became of an event.
type Outcome string

const (
	Sent    Outcome = "sent"
	Refused Outcome = "refused" // the receiver says no
	Expired Outcome = "expired" // it was tried for a day
	Dropped Outcome = "dropped" // too many waited
	Unsent  Outcome = "unsent"  // the process ended first
)

// Outcomes are all of them.
var Outcomes = []Outcome{Sent, Refused, Expired, Dropped, Unsent}

// Bounds of delivery.
const (
	capacity = 1000             // events that wait for one receiver
	first    = time.Second      // before it is tried again
	most     = 5 * time.Minute  //
	lifetime = 24 * time.Hour   // of trying
	attempt  = 15 * time.Second // one try
	grace    = 4 * time.Second  // for what waits when the process is told to end
)

// A Queue keeps the events of one receiver in order until it has them.
type Queue struct {
	Name  string           // of the receiver, for the log
	Wants func(Event) bool // nil: all of Kinds
	sink  Sink
	log   *slog.Logger
	wake  chan struct{} // capacity 1

	mu      sync.Mutex
	waiting []*item // in order; sending says that the first is on its way
	sending bool
	full    bool // the log says so already
	counts  map[Outcome]int
}

// An item is an event that waits.
type item struct {
	Event
	since time.Time
}

// NewQueue is a queue that Run empties.
func NewQueue(name string, sink Sink, log *slog.Logger) *Queue {
	return &Queue{Name: name, sink: sink, log: log, wake: make(chan struct{}, 1), counts: map[Outcome]int{}}
}

// Put hands events over. It never waits: where too many do, the oldest of the same kind goes.
func (q *Queue) Put(events ...Event) {
	now := time.Now()
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, e := range events {
		wanted := q.Wants
		if wanted == nil {
			wanted = func(e Event) bool { return slices.Contains(Kinds, e.Kind) }
		}
		if !wanted(e) {
			continue
		}
		if e.Kind == Heads { // only the newest says what is so
			q.drop(e.Kind)
		}
		if len(q.waiting) >= capacity {
			q.overflow(e.Kind)
		}
		q.waiting = append(q.waiting, &item{e, now})
	}
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// overflow makes room. It is called with mu held.
func (q *Queue) overflow(kind Kind) {
	if !q.full {
		q.log.Warn("notifications are dropped, the oldest first: too many wait for a receiver", "receiver", q.Name, "waiting", len(q.waiting),
			"fix", "see why it takes none; Git has all of them")
	}
	q.full = true
	if !q.drop(kind) {
		q.drop("")
	}
	q.counts[Dropped]++
}

// drop takes out the oldest of a kind, or of any, that is not on its way; false: there is none. It
// is called with mu held.
func (q *Queue) drop(kind Kind) bool {
	for i, w := range q.waiting {
		if (kind == "" || w.Kind == kind) && !(i == 0 && q.sending) {
			q.waiting = slices.Delete(q.waiting, i, i+1)
			return true
		}
	}
	return false
}

// Counts are what became of events so far.
func (q *Queue) Counts() map[Outcome]int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return maps.Clone(q.counts)
}

// Run delivers until the context ends, and then for four seconds at most what still waits.
func (q *Queue) Run(ctx context.Context) {
	alive, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	stop := context.AfterFunc(ctx, func() {
		t := time.AfterFunc(grace, cancel)
		context.AfterFunc(alive, func() { t.Stop() })
	})
	defer stop()
	fails := 0
	for ctx.Err() == nil {
		w := q.begin()
		if w == nil {
			select {
			case <-q.wake:
			case <-ctx.Done():
			}
			continue
		}
		err := q.try(alive, w)
		if ctx.Err() != nil && outcomeOf(err, time.Since(w.since)) == "" { // what waits is tried once more, and flush says the rest
			break
		}
		if q.settled(w, err, &fails) {
			continue
		}
		q.rest(ctx, w, pauseAfter(err, fails))
	}
	q.flush(alive)
}

// begin takes the next event on its way; nil: none waits.
func (q *Queue) begin() *item {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.waiting) == 0 {
		return nil
	}
	q.sending = true
	return q.waiting[0]
}

func (q *Queue) try(ctx context.Context, w *item) error {
	ctx, cancel := context.WithTimeout(ctx, attempt)
	defer cancel()
	return q.sink.Send(ctx, w.Event)
}

// settled takes in how a try ended, and reports whether the event is done with.
func (q *Queue) settled(w *item, err error, fails *int) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.sending = false
	switch outcome := outcomeOf(err, time.Since(w.since)); {
	case outcome == "":
		if *fails++; *fails == 1 {
			q.log.Warn("a receiver of notifications does not take them; they are sent again", "receiver", q.Name, "err", err)
		}
		return false
	case outcome == Sent:
		if *fails > 0 {
			q.log.Info("a receiver takes notifications again", "receiver", q.Name, "tries", *fails+1)
		}
		*fails = 0
		q.done(outcome)
	default:
		args := []any{"receiver", q.Name, "type", w.Type, "subject", w.Subject, "outcome", outcome, "err", err}
		if e := (*Error)(nil); errors.As(err, &e) && e.Fix != "" {
			args = append(args, "fix", e.Fix)
		}
		q.log.Warn("a notification is given up", args...)
		*fails = 0
		q.done(outcome)
	}
	return true
}

// done takes out the first. It is called with mu held.
func (q *Queue) done(o Outcome) {
	q.waiting[0] = nil
	q.waiting = q.waiting[1:]
	q.counts[o]++
	q.full = q.full && len(q.waiting) > capacity/2
}

// outcomeOf is what a try leads to; empty: to another try.
func outcomeOf(err error, tried time.Duration) Outcome {
	var e *Error
	switch {
	case err == nil:
		return Sent
	case errors.As(err, &e) && e.Final:
		return Refused
	case tried >= lifetime:
		return Expired
	}
	return ""
}

// pauseAfter is how long a receiver is left alone after the nth failure in a row.
func pauseAfter(err error, n int) time.Duration {
	d := most
	if n < 10 {
		d = min(first<<(n-1), most)
	}
	if e := (*Error)(nil); errors.As(err, &e) {
		d = max(d, min(e.RetryAfter, lifetime))
	}
	return d + rand.N(d/4+1)
}

// rest waits before the first is tried again, unless it is pushed out, or the process ends.
func (q *Queue) rest(ctx context.Context, w *item, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
			return
		case <-q.wake:
			if !q.isFirst(w) {
				return
			}
		}
	}
}

func (q *Queue) isFirst(w *item) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.waiting) > 0 && q.waiting[0] == w
}

// flush tries once what waits when the process ends.
func (q *Queue) flush(alive context.Context) {
	var last error
	lost := 0
	for w := q.begin(); w != nil; w = q.begin() {
		err := alive.Err()
		if err == nil {
			if err = q.try(alive, w); alive.Err() == nil && err != nil { // else it was cut off
				last = err
			}
		}
		q.mu.Lock()
		q.sending = false
		if err == nil {
			q.done(Sent)
		} else {
			q.done(Unsent)
			lost++
		}
		q.mu.Unlock()
	}
	if lost == 0 {
		return
	}
	if last == nil {
		last = fmt.Errorf("it did not answer in the %v that there are at the end", grace)
	}
	msg := "a notification was not sent before the end"
	if lost > 1 {
		msg = fmt.Sprintf("%d notifications were not sent before the end", lost)
	}
	q.log.Warn(msg, "receiver", q.Name, "err", last, "fix", "see why the receiver takes none; whoever misses them finds what they told of in Git: git log")
}
