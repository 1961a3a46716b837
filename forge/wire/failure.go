package wire

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"syscall"
	"time"

	"github.com/towpath/towpath/forge"
)

// Whose move it is, where nobody above knows it better.
const (
	fixToken  = "the operator's: give towpath a token of this forge that is valid"
	fixRights = "the operator's: give the token the right to read and write this repository's proposals"
	fixNone   = "the operator's: look whether the repository is there, and whether the token may see it"
	fixAPI    = "the operator's: look whether this is the address of the forge's API, and what stands between (a proxy, a login page)"
	fixLimit  = "nobody's: it is asked again when the time is over"
	fixWait   = "nobody's: it is asked again; see whether the forge is up if it stays"
	fixTrust  = "the operator's: name the authority of its certificate (ca-file)"
	fixAdmin  = "the repository admin's: see what the forge says"
)

// FixMoved is for a repository that is read at its old address still, and cannot be written there.
const FixMoved = "the operator's: the repository was renamed or moved: write its new address as repo: (and as forge.project, where that stands)"

// AsError is an error of a client as a forge.Forge returns it: an *forge.Error, or the
// context's, or ErrMoved. What came from elsewhere, such as from a library that understood
// no answer, is Invalid. An origin is as forge.Error has it.
func AsError(origin string, err error) error {
	var done *forge.Error
	var outer *url.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &done):
		if done.Forge == "" {
			done.Forge = origin
		}
		return done
	case errors.Is(err, forge.ErrMoved):
		return forge.ErrMoved
	case errors.Is(err, context.Canceled):
		return context.Canceled
	case errors.Is(err, context.DeadlineExceeded):
		return context.DeadlineExceeded
	case errors.As(err, &outer):
		err = outer.Err // the URL says nothing that the forge's name does not
	}
	return &forge.Error{Kind: forge.Invalid, Forge: origin, What: "what it answered was not understood", Fix: fixAPI, Err: cause(err, secrets{})}
}

// Refusal is what an answer means that is no success, by its status alone: 401, 403, 404,
// 429, those above 500, and Refused for the rest. Message is what the forge says; without
// one it is looked for nowhere.
func Refusal(resp *http.Response, message string) *forge.Error {
	a := answer{status: resp.StatusCode, header: resp.Header}
	e := a.refusal(message)
	if resp.Request != nil && resp.Request.URL != nil {
		e.Forge = originOf(resp.Request.URL)
	}
	return e
}

func (a answer) refusal(message string) *forge.Error {
	e := &forge.Error{Kind: forge.Refused, Fix: fixAdmin, What: fmt.Sprintf("answered %d", a.status)}
	if message = oneLine(message); message == "" {
		message = http.StatusText(a.status)
	}
	if message != "" {
		e.What += ": " + message
	}
	switch s := a.status; {
	case s == http.StatusUnauthorized:
		e.Kind, e.Fix = forge.Unauthorized, fixToken
	case s == http.StatusForbidden:
		e.Kind, e.Fix = forge.Forbidden, fixRights
	case s == http.StatusNotFound || s == http.StatusGone:
		e.Kind, e.Fix = forge.NotFound, fixNone
	case s == http.StatusTooManyRequests:
		e.Kind, e.Fix = forge.RateLimited, fixLimit
	case s >= 500 || s == http.StatusRequestTimeout:
		e.Kind, e.Fix = forge.Unreachable, fixWait
	case s < 400:
		e.Kind, e.Fix = forge.Invalid, fixAPI
	}
	return e
}

// judge refuses what nobody above can use: what asks to wait, what is broken, and what does not come
// from an API.
func (l *line) judge(req *http.Request, a answer, wait time.Duration) error {
	message, alone := a.said()
	limited := a.status == http.StatusTooManyRequests || a.status == http.StatusForbidden && wait > 0
	switch {
	case limited || a.status >= 500:
		e := a.refusal(message)
		e.Forge, e.RetryAfter = l.api, wait
		if limited {
			e.Kind, e.Fix = forge.RateLimited, fixLimit
		}
		return e
	case a.isPage() && a.status/100 != 3:
		return l.page(a)
	case !a.succeeded() || req.Method == http.MethodHead:
		return nil
	case !a.isJSON():
		return l.invalid("answered with something else than JSON")
	case alone && (a.status == http.StatusOK || a.status == http.StatusCreated):
		return l.invalid(fmt.Sprintf("answered %d, and that it is an error: %s", a.status, message))
	}
	return nil
}

// page is a failure for what people were meant to read: a proxy's, a login's, or that the
// address is of the forge's web pages.
func (l *line) page(a answer) *forge.Error {
	e := a.refusal("a web page")
	if e.Kind != forge.Unauthorized && e.Kind != forge.NotFound {
		e.Kind = forge.Invalid
	}
	e.Forge, e.What, e.Fix = l.api, fmt.Sprintf("answered with a web page (%d)", a.status), fixAPI
	return e
}

func (l *line) invalid(what string) *forge.Error {
	return &forge.Error{Kind: forge.Invalid, Forge: l.api, What: what, Fix: fixAPI}
}

// broken is a failure without an answer. Who gave up hears that.
func (l *line) broken(ctx context.Context, hidden secrets, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if errors.Is(err, ErrTooLarge) {
		e := l.invalid("sent more than is read")
		e.Err = ErrTooLarge
		return e
	}
	what, fix := "the connection broke", fixWait
	var (
		dns     *net.DNSError
		cert    *tls.CertificateVerificationError
		timeout net.Error
	)
	switch {
	case errors.As(err, &cert):
		what, fix = "its certificate cannot be verified", fixTrust
	case isPlain(err):
		what, fix = "answered with plain HTTP instead of HTTPS", fixAPI
	case errors.As(err, &dns) && dns.IsNotFound:
		what = "no such host"
	case errors.Is(err, syscall.ECONNREFUSED):
		what = "connection refused"
	case errors.Is(err, errStalled), errors.Is(err, errDeadline), errors.As(err, &timeout) && timeout.Timeout():
		what = "no answer in time"
	}
	return &forge.Error{Kind: forge.Unreachable, Forge: l.api, What: what, Fix: fix, Err: cause(err, hidden)}
}

// isPlain reports whether what should be TLS begins as an answer of HTTP does.
func isPlain(err error) bool {
	var record tls.RecordHeaderError
	return errors.As(err, &record) && string(record.RecordHeader[:]) == "HTTP/"
}

// A plainCause is an error's text, fit to be shown. It unwraps to nothing: what is below may hold
// more than the text.
type plainCause struct {
	text string
	err  error
}

func cause(err error, hidden secrets) error {
	return &plainCause{oneLine(hidden.redact(err.Error())), err}
}

func (c *plainCause) Error() string { return c.text }

// Is leaves out what the net package says of its own deadlines: it was not the caller's context.
func (c *plainCause) Is(target error) bool {
	return target != context.DeadlineExceeded && target != context.Canceled && errors.Is(c.err, target)
}
