package integrated

import (
	"context"
	"errors"
	"math"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sync/semaphore"
)

// A pushHold keeps pushes and the collection of garbage apart. What links a blob or a manifest
// takes it shared: the end of an upload, a mount, a manifest, what was fetched. Who
// collects takes it alone, while readers go on. Else a blob that was found without use could
// be linked by a push, and then deleted.
type pushHold struct {
	room *semaphore.Weighted

	mu   sync.Mutex
	told map[digest.Digest]time.Time // blobs that clients were told are there, and when
}

const (
	holdAll  = math.MaxInt64
	pushWait = 10 * time.Second // for a push; then its client comes again
	lastWait = time.Minute      // for one all of whose bytes came
	holdTry  = 2 * time.Second  // for who collects; pushes behind it wait no longer
	holdRest = 3 * time.Second  // between two tries
	holdFor  = time.Minute      // all tries
	maxTold  = 100_000
)

func newPushHold() *pushHold { return &pushHold{room: semaphore.NewWeighted(holdAll)} }

// A pushesHeld error says that garbage is being collected, or waits for pushes to end.
type pushesHeld struct{ RetryAfter time.Duration }

func (*pushesHeld) Error() string { return "garbage is being collected: push again in a moment" }

func (e *pushesHeld) answer(w http.ResponseWriter) {
	w.Header().Set("Retry-After", strconv.Itoa(int(e.RetryAfter/time.Second)))
	writePullError(w, http.StatusServiceUnavailable, "UNAVAILABLE", e.Error())
}

// share waits until something may be linked, but not for long; then the error is a *pushesHeld.
// After it leave is called.
func (h *pushHold) share(ctx context.Context) error { return h.shareWithin(ctx, pushWait) }

func (h *pushHold) shareWithin(ctx context.Context, time time.Duration) error {
	waiting, cancel := context.WithTimeout(ctx, time)
	defer cancel()
	if err := h.room.Acquire(waiting, 1); err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return &pushesHeld{RetryAfter: pushWait}
	}
	return nil
}

// links reports whether a request of the distribution API may link something: the end of an
// upload, one that is made of one request, a mount, a manifest. Its answer is to be made between share
// and leave.
func links(req *http.Request) bool {
	query := req.URL.Query()
	return req.Method == http.MethodPut || req.Method == http.MethodPost && (query.Has("digest") || query.Has("mount"))
}

func (h *pushHold) leave() { h.room.Release(1) }

var errPushesGoOn = errors.New("pushes are under way, and nothing is deleted beside them: run prune again in a moment")

// alone runs do while nothing is linked. It lets pushes pass between its tries to find a moment.
func (h *pushHold) alone(ctx context.Context, do func() error) error {
	for tried := time.Duration(0); ; tried += holdTry + holdRest {
		waiting, cancel := context.WithTimeout(ctx, holdTry)
		err := h.room.Acquire(waiting, holdAll)
		cancel()
		if err == nil {
			defer h.room.Release(holdAll)
			return do()
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if tried >= holdFor {
			return errPushesGoOn
		}
		rest := time.NewTimer(holdRest)
		select {
		case <-rest.C:
		case <-ctx.Done():
			rest.Stop()
		}
	}
}

// seen notes that a client was told that a blob is there: it will not send it, and its
// manifest comes in a moment.
func (h *pushHold) seen(dgst digest.Digest) {
	now := time.Now()
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.told == nil {
		h.told = map[digest.Digest]time.Time{}
	}
	if _, there := h.told[dgst]; !there && len(h.told) >= maxTold {
		for other := range h.told { // any: better one push is made again than memory grows
			delete(h.told, other)
			break
		}
	}
	h.told[dgst] = now
}

// seenSince are the blobs that clients were told of after a moment. It forgets the others.
func (h *pushHold) seenSince(after time.Time) map[digest.Digest]bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	seen := map[digest.Digest]bool{}
	for dgst, at := range h.told {
		if at.Before(after) {
			delete(h.told, dgst)
			continue
		}
		seen[dgst] = true
	}
	return seen
}
