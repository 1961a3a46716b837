package remote

import (
	"context"

	"golang.org/x/sync/semaphore"
)

const (
	// maxAnswers bounds the bytes of all large answers that a Reader holds at once,
	// read and looked into.
	maxAnswers = 24 << 20
	// freeAnswer is how much of an answer needs no room. Most have less, so that who
	// sends large ones, slowly, keeps nobody waiting but those who send them, too.
	freeAnswer = 256 << 10
)

// A room is the part of maxAnswers that a question holds: that of its last large
// answer, until it has been looked into. It belongs to one goroutine; what others
// do for the question (pings, tokens) is small and takes none.
type room struct {
	all  *semaphore.Weighted
	held int64
}

// take leaves what is held and waits for n bytes. Who waits holds nothing, so
// nobody waits for ever.
func (r *room) take(ctx context.Context, n int64) error {
	r.leave()
	if err := r.all.Acquire(ctx, n); err != nil {
		return err
	}
	r.held = n
	return nil
}

func (r *room) leave() {
	r.all.Release(r.held)
	r.held = 0
}
