package integrated

import (
	"context"
	"errors"
	"io"
	"math"
	"os"
	"sync"
	"time"
)

// How many blobs are fetched at once: of all, of one registry and for one namespace. So a registry
// that is slow, or a namespace that wants much, leaves the others theirs.
const (
	maxFlights          = 64
	maxHostFlights      = 16
	maxNamespaceFlights = 32
)

const (
	flightWait  = 20 * time.Second // for a place; then the client comes again
	flightGrace = 10 * time.Second // of a flight that nobody waits for
)

// pullFlights are the blobs on their way into storage, each once, however many clients want it.
type pullFlights struct {
	wait, grace time.Duration

	mu     sync.Mutex
	open   map[string]*pullFlight
	freed  chan struct{} // closed when a flight ends
	closed bool
	group  sync.WaitGroup
}

var (
	errPullsClosed  = errors.New("the registry is closing")
	errTooManyPulls = errors.New("as many blobs are fetched from there as may be")
)

// A flightKey is what a flight is of, and whom it counts for.
type flightKey struct{ blob, host, namespace string }

// join is the flight of a key, started if there is none and as soon as there is a place: fetch
// writes the blob into a flight and stores it. The caller leaves it.
func (f *pullFlights) join(ctx context.Context, key flightKey, spool string, fetch func(context.Context, *pullFlight) error) (*pullFlight, error) {
	late := time.NewTimer(f.wait)
	defer late.Stop()
	for {
		flight, freed, err := f.tryJoin(ctx, key, spool, fetch)
		if err != nil || flight != nil {
			return flight, err
		}
		select {
		case <-freed:
		case <-late.C:
			return nil, errTooManyPulls
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// tryJoin is join where there is a place; else what tells of the next one.
func (f *pullFlights) tryJoin(ctx context.Context, key flightKey, spool string, fetch func(context.Context, *pullFlight) error) (*pullFlight, <-chan struct{}, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if flight := f.open[key.blob]; flight != nil {
		flight.enter()
		return flight, nil, nil
	}
	if f.closed {
		return nil, nil, errPullsClosed
	}
	if f.open == nil {
		f.open, f.freed = map[string]*pullFlight{}, make(chan struct{})
	}
	if !f.place(key) {
		return nil, f.freed, nil
	}
	flight, err := newPullFlight(key, spool)
	if err != nil {
		return nil, nil, err
	}
	f.open[key.blob] = flight
	ctx, flight.cancel = context.WithCancel(context.WithoutCancel(ctx))
	flight.forsaken = func() { time.AfterFunc(f.grace, func() { f.end(flight) }) }
	flight.enter()
	f.group.Go(func() {
		err := fetch(ctx, flight)
		flight.cancel()
		f.mu.Lock()
		f.drop(flight)
		f.mu.Unlock()
		flight.land(err)
		flight.leave()
	})
	return flight, nil, nil
}

// place reports whether one more may be fetched.
func (f *pullFlights) place(key flightKey) bool {
	ofHost, ofNamespace := 0, 0
	for _, flight := range f.open {
		if flight.key.host == key.host {
			ofHost++
		}
		if flight.key.namespace == key.namespace {
			ofNamespace++
		}
	}
	return len(f.open) < maxFlights && ofHost < maxHostFlights && ofNamespace < maxNamespaceFlights
}

// end ends a flight that nobody came back to, unless most of it came.
func (f *pullFlights) end(flight *pullFlight) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if flight.wanted() {
		return
	}
	f.drop(flight) // who comes now begins again
	flight.cancel()
}

// drop makes place for another.
func (f *pullFlights) drop(flight *pullFlight) {
	if f.open[flight.key.blob] == flight {
		delete(f.open, flight.key.blob)
		close(f.freed)
		f.freed = make(chan struct{})
	}
}

func (f *pullFlights) close() {
	f.mu.Lock()
	f.closed = true
	for _, flight := range f.open {
		flight.cancel()
	}
	f.mu.Unlock()
	f.group.Wait()
}

// A pullFlight is one blob that is fetched. Its bytes are written to a file without a name, so that
// every client reads at its own pace, from the start, and nothing is left of a
// process that is killed.
type pullFlight struct {
	key      flightKey
	spool    *os.File
	cancel   context.CancelFunc
	forsaken func() // is called when nobody waits for it any more

	mu    sync.Mutex
	size  int64 // before the first byte comes it is known
	users int
	came  int64
	more  chan struct{} // closed when came grows, or the flight lands
	over  bool
	err   error // of a flight that is over
}

func newPullFlight(key flightKey, dir string) (*pullFlight, error) {
	file, err := os.CreateTemp(dir, "towpath-pull-")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(file.Name()); err != nil {
		file.Close()
		return nil, err
	}
	return &pullFlight{key: key, spool: file, users: 1, more: make(chan struct{})}, nil
}

func (f *pullFlight) enter() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.users++
}

// leave is called once by the flight itself and by each who joined.
func (f *pullFlight) leave() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.users--
	switch {
	case f.users == 0:
		f.spool.Close()
	case f.users == 1 && !f.over:
		f.forsaken()
	}
}

// wanted reports whether somebody waits for a flight, or it is worth its end in any case.
func (f *pullFlight) wanted() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.users > 1 || f.over || f.came > f.size/10*9
}

// begin says of what size the blob is that comes.
func (f *pullFlight) begin(size int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.size = size
}

// Write is for who fetches.
func (f *pullFlight) Write(b []byte) (int, error) {
	n, err := f.spool.Write(b)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.came += int64(n)
	close(f.more)
	f.more = make(chan struct{})
	return n, err
}

func (f *pullFlight) land(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.over, f.err = true, err
	close(f.more)
}

// upTo waits until there are bytes beyond an offset, and says where they end and the whole. The last byte
// is there only when the blob is in storage, as it should be: no client takes for
// whole what is not. The error is that of the flight, or of the context.
func (f *pullFlight) upTo(ctx context.Context, offset int64) (end, size int64, err error) {
	for {
		f.mu.Lock()
		end, size, more, over, err := f.came, f.size, f.more, f.over, f.err
		f.mu.Unlock()
		switch {
		case over && err != nil:
			return 0, 0, err
		case over:
			return size, size, nil
		}
		if end = min(end, size-1); end > offset {
			return end, size, nil
		}
		select {
		case <-more:
		case <-ctx.Done():
			return 0, 0, context.Cause(ctx)
		}
	}
}

// landed waits for the end.
func (f *pullFlight) landed(ctx context.Context) error {
	_, _, err := f.upTo(ctx, math.MaxInt64)
	return err
}

// copyTo writes the blob as it comes. Ready is called before the first byte.
func (f *pullFlight) copyTo(ctx context.Context, w io.Writer, ready func(size int64)) (started bool, err error) {
	for offset := int64(0); ; {
		end, size, err := f.upTo(ctx, offset)
		if err != nil {
			return started, err
		}
		if !started {
			started = true
			ready(size)
		}
		n, err := io.Copy(w, io.NewSectionReader(f.spool, offset, end-offset))
		if offset += n; err != nil || offset == size {
			return started, err
		}
	}
}
