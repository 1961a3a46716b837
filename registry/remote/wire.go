package remote

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
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
// neither leak a connection nor read too much.
type wire struct {
	lane     *lane
	insecure bool // the tag allows an unverified connection
	limit    int  // bytes of a successful answer's body
}

func (w wire) RoundTrip(req *http.Request) (*http.Response, error) {
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
	body, err := readSteady(ctx, cancel, resp.Body, limit+1)
	switch {
	case err != nil:
		return err
	case len(body) > limit && resp.StatusCode == http.StatusOK:
		return invalid("the answer is too large", errors.New("over the limit for its kind"))
	}
	body = body[:min(len(body), limit)]
	resp.Body = io.NopCloser(bytes.NewReader(body))
	resp.ContentLength = int64(len(body))
	return nil
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

// readSteady reads at most limit bytes and gives up on a body that drips. A
// body's last window may be short.
func readSteady(ctx context.Context, cancel context.CancelCauseFunc, body io.Reader, limit int) ([]byte, error) {
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
	var kept bytes.Buffer
	_, err := io.Copy(&kept, io.TeeReader(io.LimitReader(body, int64(limit)), counter{&read}))
	return kept.Bytes(), err
}

// A counter counts what is written to it.
type counter struct{ n *atomic.Int64 }

func (c counter) Write(p []byte) (int, error) {
	c.n.Add(int64(len(p)))
	return len(p), nil
}

// bodyOf is the body of an answer that a wire read.
func bodyOf(resp *http.Response) []byte {
	body, _ := io.ReadAll(resp.Body) // from memory
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return body
}
