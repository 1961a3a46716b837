package wire

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"time"
)

const (
	connectDeadline = 5 * time.Second
	tlsDeadline     = 5 * time.Second
	headerDeadline  = 15 * time.Second
	stallDeadline   = 15 * time.Second // without a byte of the body
	wholeDeadline   = 60 * time.Second
	idleDeadline    = 90 * time.Second

	maxHeader = 64 << 10
	maxAnswer = 8 << 20  // bytes of a success, after decompression
	maxError  = 64 << 10 // of anything else; the rest is left out
)

var (
	errStalled  = errors.New("the answer stalled")
	errDeadline = errors.New("the request took longer than a minute")
)

// ErrTooLarge is below the error for an answer that is too large to be read: a smaller part may be
// asked for.
var ErrTooLarge = errors.New("the answer is larger than 8 MiB")

// newTransport has no cookies and does not dial yet. A proxy is the environment's.
func newTransport(roots *x509.CertPool) *http.Transport {
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            (&net.Dialer{Timeout: connectDeadline}).DialContext,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots},
		TLSHandshakeTimeout:    tlsDeadline,
		ResponseHeaderTimeout:  headerDeadline,
		MaxResponseHeaderBytes: maxHeader,
		MaxIdleConns:           4,
		IdleConnTimeout:        idleDeadline,
		ForceAttemptHTTP2:      true,
	}
}

// An answer is in memory.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// exchange makes one request and reads the answer to its end, or as far as it may go.
func (l *line) exchange(req *http.Request) (answer, error) {
	ctx, cancel := context.WithCancelCause(req.Context())
	defer cancel(nil)
	defer time.AfterFunc(wholeDeadline, func() { cancel(errDeadline) }).Stop()

	resp, err := l.next.RoundTrip(req.WithContext(ctx))
	if err != nil {
		return answer{}, causeOf(ctx, err)
	}
	defer resp.Body.Close()
	a := answer{status: resp.StatusCode, header: resp.Header}
	limit := maxError
	if a.succeeded() {
		limit = maxAnswer
	}
	stall := time.AfterFunc(stallDeadline, func() { cancel(errStalled) })
	defer stall.Stop()
	a.body, err = io.ReadAll(io.LimitReader(watched{resp.Body, stall}, int64(limit)+1))
	switch {
	case err != nil:
		return answer{}, causeOf(ctx, err)
	case len(a.body) > limit && a.succeeded():
		return answer{}, ErrTooLarge
	}
	a.body = a.body[:min(len(a.body), limit)]
	return a, nil
}

// causeOf prefers the reason for which a request was cut short to the transport's
// words for it.
func causeOf(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// watched puts a timer off whenever something comes.
type watched struct {
	io.Reader
	stall *time.Timer
}

func (w watched) Read(p []byte) (int, error) {
	n, err := w.Reader.Read(p)
	if n > 0 {
		w.stall.Reset(stallDeadline)
	}
	return n, err
}

func (a answer) succeeded() bool { return a.status/100 == 2 }

// isPage reports whether people were meant to read it.
func (a answer) isPage() bool {
	kind, _, _ := mime.ParseMediaType(a.header.Get("Content-Type"))
	return len(a.body) > 0 && (kind == "text/html" || kind == "application/xhtml+xml")
}

// isJSON reports whether a body is what APIs send, whatever its Content-Type; an empty one is.
func (a answer) isJSON() bool {
	return len(bytes.TrimSpace(a.body)) == 0 || json.Valid(a.body)
}

// response is the answer for who asked, and does not know of the credential.
func (a answer) response(req *http.Request) *http.Response {
	return &http.Response{
		Status: fmt.Sprintf("%d %s", a.status, http.StatusText(a.status)), StatusCode: a.status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: a.header.Clone(), Body: io.NopCloser(bytes.NewReader(a.body)), ContentLength: int64(len(a.body)), Request: req,
	}
}

// said is what an API has to say, where it says it: {"message": …} or {"error": …}. Alone
// means that this is all, but for where to read on.
func (a answer) said() (message string, alone bool) {
	var fields map[string]json.RawMessage
	if json.Unmarshal(a.body, &fields) != nil {
		return "", false
	}
	alone = true
	for name, value := range fields {
		switch name {
		case "message", "error":
			if text := textOf(value); text != "" && (message == "" || name == "message") {
				message = text
			}
		case "errors", "error_description", "documentation_url", "url", "status", "code":
		default:
			alone = false
		}
	}
	return message, alone && message != ""
}

// textOf is a text, or the JSON that stands instead: GitLab says {"base": ["…"]}.
func textOf(value json.RawMessage) string {
	var text string
	if err := json.Unmarshal(value, &text); err == nil {
		return oneLine(text)
	}
	if value[0] == '{' || value[0] == '[' {
		return oneLine(string(value))
	}
	return ""
}
