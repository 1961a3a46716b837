package remote

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"time"
)

const (
	requestDeadline = 60 * time.Second
	rateWindow      = 15 * time.Second
	minWindow       = 15 << 10 // bytes in a rateWindow

	maxManifest = 4 << 20
	maxPage     = 16 << 20 // of a list of tags
	maxToken    = 64 << 10
	maxError    = 8 << 10
)

// A wire makes one HTTP exchange, follows nothing and reads the answer to its
// end: what it returns has its body in memory, so that whatever stands above can
// neither leak a connection nor read too much. A blob alone is too large for that: it flows.
type wire struct {
	lane     *lane
	insecure bool // the tag allows an unverified connection
	limit    int  // bytes of a successful answer's body
	room     *room
	flows    bool // a success is read by whoever asked, see fetch.go
}

func (w wire) RoundTrip(req *http.Request) (*http.Response, error) {
	if w.flows {
		return w.flow(req)
	}
	ctx, cancel := context.WithCancelCause(req.Context())
	defer cancel(nil)
	timer := time.AfterFunc(requestDeadline, func() { cancel(errDeadline) })
	defer timer.Stop()

	resp, err := w.lane.transport(originOf(req.URL), w.insecure).RoundTrip(req.WithContext(ctx))
	if err != nil {
		return nil, causeOf(ctx, schemeMismatch(err))
	}
	defer resp.Body.Close()
	if err := w.keep(ctx, cancel, resp); err != nil {
		return nil, causeOf(ctx, err)
	}
	resp.Request = req
	return resp, nil
}

// keep puts the body into memory. Of an answer that is no success only the
// start is kept.
func (w wire) keep(ctx context.Context, cancel context.CancelCauseFunc, resp *http.Response) error {
	if resp.Request.Method == http.MethodHead {
		resp.Body = http.NoBody
		return nil
	}
	limit := w.limit
	if resp.StatusCode != http.StatusOK {
		limit = maxError
	}
	body, err := w.read(ctx, cancel, resp, limit+1)
	switch {
	case err != nil:
		return err
	case len(body) > limit && resp.StatusCode == http.StatusOK:
		return invalid("the answer is too large", errors.New("over the limit for its kind"))
	}
	body = body[:min(len(body), limit)]
	resp.Body = newKept(body)
	resp.ContentLength = int64(len(body))
	return nil
}

// read reads at most limit bytes. What goes on beyond the start needs room first,
// and none is allocated before there is some.
func (w wire) read(ctx context.Context, cancel context.CancelCauseFunc, resp *http.Response, limit int) ([]byte, error) {
	var body bytes.Buffer
	err := readSteady(ctx, cancel, resp.Body, &body, min(limit, freeAnswer))
	if err != nil || body.Len() < freeAnswer || limit == freeAnswer {
		return body.Bytes(), err
	}
	size := limit
	if said := resp.ContentLength; said >= freeAnswer && said < int64(limit) {
		size = int(said)
	}
	if err := w.room.take(ctx, int64(size)); err != nil {
		return nil, fmt.Errorf("waited for a turn beside other large answers: %w", err)
	}
	body.Grow(size - body.Len() + bytes.MinRead) // so that it never grows again
	err = readSteady(ctx, cancel, resp.Body, &body, limit-body.Len())
	return body.Bytes(), err
}

// schemeMismatch tells an answer in plain HTTP from other noise, as http.Client
// does; a Transport by itself does not.
func schemeMismatch(err error) error {
	var record tls.RecordHeaderError
	if errors.As(err, &record) && string(record.RecordHeader[:]) == "HTTP/" {
		return http.ErrSchemeMismatch
	}
	return err
}

// causeOf prefers the reason for which a request was cut short to the
// transport's words for it.
func causeOf(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// readSteady reads at most limit bytes into kept and gives up on a body that drips.
// A body's last window may be short.
func readSteady(ctx context.Context, cancel context.CancelCauseFunc, body io.Reader, kept *bytes.Buffer, limit int) error {
	var read atomic.Int64
	done := make(chan struct{})
	defer close(done)
	go func() {
		tick := time.NewTicker(rateWindow)
		defer tick.Stop()
		for last := int64(0); ; {
			select {
			case <-done:
				return
			case <-tick.C:
			}
			now := read.Load()
			if now-last < minWindow {
				cancel(errDrip)
				return
			}
			last = now
		}
	}()
	_, err := io.Copy(kept, io.TeeReader(io.LimitReader(body, int64(limit)), counter{&read}))
	return err
}

// A counter counts what is written to it.
type counter struct{ n *atomic.Int64 }

func (c counter) Write(p []byte) (int, error) {
	c.n.Add(int64(len(p)))
	return len(p), nil
}

// A kept body is in memory.
type kept struct {
	*bytes.Reader
	whole []byte
}

func newKept(body []byte) *kept { return &kept{bytes.NewReader(body), body} }

func (*kept) Close() error { return nil }

// bodyOf is the body of an answer that a wire read, whole, and not to be changed.
func bodyOf(resp *http.Response) []byte {
	if k, ok := resp.Body.(*kept); ok {
		return k.whole
	}
	return nil // of HEAD
}
