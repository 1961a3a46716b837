package integrated

import (
	"context"
	"errors"
	"io"
	"os"
	"sync"
)

// maxFlights is how many blobs are fetched at once.
const maxFlights = 64

// pullFlights are the blobs on their way into storage, each once, however many clients want it.
type pullFlights struct {
	mu     sync.Mutex
	open   map[string]*pullFlight
	closed bool
	group  sync.WaitGroup
}

var (
	errPullsClosed  = errors.New("the registry is closing")
	errTooManyPulls = errors.New("as many blobs are fetched as may be")
)

// join is the flight of a key, started if there is none: fetch writes the blob into a flight and
// stores it. A flight ends when it has landed, not when those who wanted it go away: they
// are likely to come back. The caller leaves it.
func (f *pullFlights) join(ctx context.Context, key, spool string, size int64, fetch func(context.Context, io.Writer) error) (*pullFlight, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if flight := f.open[key]; flight != nil {
		flight.enter()
		return flight, nil
	}
	if f.closed {
		return nil, errPullsClosed
	}
	if len(f.open) >= maxFlights {
		return nil, errTooManyPulls
	}
	flight, err := newPullFlight(spool, size)
	if err != nil {
		return nil, err
	}
	if f.open == nil {
		f.open = map[string]*pullFlight{}
	}
	f.open[key] = flight
	ctx, flight.cancel = context.WithCancel(context.WithoutCancel(ctx))
	flight.enter()
	f.group.Go(func() {
		err := fetch(ctx, flight)
		flight.cancel()
		f.mu.Lock()
		delete(f.open, key)
		f.mu.Unlock()
		flight.land(err)
		flight.leave()
	})
	return flight, nil
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
	spool  *os.File
	size   int64
	cancel context.CancelFunc

	mu    sync.Mutex
	users int
	came  int64
	more  chan struct{} // closed when came grows, or the flight lands
	over  bool
	err   error // of a flight that is over
}

func newPullFlight(dir string, size int64) (*pullFlight, error) {
	file, err := os.CreateTemp(dir, "towpath-pull-")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(file.Name()); err != nil {
		file.Close()
		return nil, err
	}
	return &pullFlight{spool: file, size: size, users: 1, more: make(chan struct{})}, nil
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
	if f.users--; f.users == 0 {
		f.spool.Close()
	}
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

// upTo waits until there are bytes beyond an offset, and says where they end. The last byte
// is there only when the blob is in storage, as it should be: no client takes for
// whole what is not. The error is that of the flight, or of the context.
func (f *pullFlight) upTo(ctx context.Context, offset int64) (int64, error) {
	for {
		f.mu.Lock()
		end, more, over, err := f.came, f.more, f.over, f.err
		f.mu.Unlock()
		switch {
		case over && err != nil:
			return 0, err
		case over:
			return f.size, nil
		}
		if end = min(end, f.size-1); end > offset {
			return end, nil
		}
		select {
		case <-more:
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		}
	}
}

// landed waits for the end.
func (f *pullFlight) landed(ctx context.Context) error {
	_, err := f.upTo(ctx, f.size)
	return err
}

// copyTo writes the blob as it comes. Ready is called before the first byte.
func (f *pullFlight) copyTo(ctx context.Context, w io.Writer, ready func()) (started bool, err error) {
	for offset := int64(0); ; {
		end, err := f.upTo(ctx, offset)
		if err != nil {
			return started, err
		}
		if !started {
			started = true
			ready()
		}
		n, err := io.Copy(w, io.NewSectionReader(f.spool, offset, end-offset))
		if offset += n; err != nil || offset == f.size {
			return started, err
		}
	}
}
