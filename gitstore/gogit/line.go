package gogit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"
)

// A line carries conversations with one repository's server. It is used from
// one goroutine at a time.
type line interface {
	// open begins a conversation with a service. The context ends it.
	open(ctx context.Context, service string) (conversation, error)
	// redact takes out of a text what the server was told in confidence.
	redact(string) string
	close() error
}

// A conversation is one greeting and one request, both at most once.
type conversation interface {
	// greetingFirst tells that a request can only follow the greeting.
	greetingFirst() bool
	// greeting is what the server says of itself and of its refs.
	greeting() (*pktReader, error)
	// ask sends a request and returns the answer.
	ask(body []byte) (*pktReader, error)
	// hurry is called where a pack begins: from here on bytes must flow.
	hurry()
	close()
}

const (
	uploadPack  = "git-upload-pack"
	receivePak  = "git-receive-pack"
	agent       = "agent=towpath"
	userAgent   = "git/2.0 (towpath)" // some servers answer only what calls itself git
	protocolEnv = "version=2"
)

// errStalled ends a transfer in which nothing moves.
var errStalled = errors.New("the server stopped sending")

// errLate ends the wait for an answer.
var errLate = errors.New("the server did not answer in time")

// A watchdog cancels a conversation that does not move. Its timer may be wound
// from several goroutines.
type watchdog struct {
	cancel context.CancelCauseFunc
	timer  *time.Timer
	begun  atomic.Bool // an answer has begun
	window time.Duration
	floor  int // bytes in a window that count as movement; 0: any
	moved  int
}

func newWatchdog(ctx context.Context, window time.Duration) (context.Context, *watchdog) {
	ctx, cancel := context.WithCancelCause(ctx)
	w := &watchdog{cancel: cancel, window: window}
	w.timer = time.AfterFunc(window, func() {
		if w.begun.Load() {
			cancel(errStalled)
		} else {
			cancel(errLate)
		}
	})
	return ctx, w
}

// expect gives the server some time to begin an answer.
func (w *watchdog) expect(d time.Duration) {
	w.begun.Store(false)
	w.timer.Reset(d)
}

// begin watches an answer.
func (w *watchdog) begin() {
	w.begun.Store(true)
	w.timer.Reset(w.window)
}

// hurry asks for 1 KiB/s from here on.
func (w *watchdog) hurry() { w.floor = int(w.window.Seconds() * 1024) }

func (w *watchdog) move(n int) {
	if w.moved += n; n > 0 && w.moved >= w.floor {
		w.begun.Store(true)
		w.moved = 0
		w.timer.Reset(w.window)
	}
}

func (w *watchdog) close() {
	w.timer.Stop()
	w.cancel(context.Canceled)
}

// A watched reader moves the watchdog, stops at a limit, and says why it was
// cancelled.
type watched struct {
	ctx  context.Context // of the conversation
	r    io.Reader
	dog  *watchdog
	left int64
}

func (w *watched) Read(p []byte) (int, error) {
	if w.left <= 0 {
		return 0, fmt.Errorf("the answer is too long: %w", errLimit)
	}
	n, err := w.r.Read(p[:min(int64(len(p)), w.left)])
	w.left -= int64(n)
	w.dog.move(n)
	if err != nil && err != io.EOF && w.ctx.Err() != nil {
		err = context.Cause(w.ctx)
	}
	return n, err
}

// An upload is a request's body whose progress puts off the end of the wait
// for the answer.
type upload struct {
	r    io.Reader
	dog  *watchdog
	wait time.Duration
}

func (u upload) Read(p []byte) (int, error) {
	u.dog.timer.Reset(u.wait)
	return u.r.Read(p)
}

func (u upload) Close() error { return nil }
