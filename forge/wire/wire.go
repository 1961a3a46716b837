// Package wire carries requests to the API of a forge: with the credential to its
// own origin and nowhere else, within bounds of bytes and time, within the forge's
// limits of requests, and without asking again for what did not change.
//
// It knows HTTP and none of the forges; what an answer means is their packages'
// business.
package wire

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"path"
	"strings"
	"sync/atomic"
	"time"

	"github.com/towpath/towpath/forge"
	"github.com/towpath/towpath/internal/authorities"
)

// Options say which API, and how to reach it.
type Options struct {
	API string // its base URL: https://api.github.com/, https://git.example/api/v1/
	// Token is asked before every request, so that a rotated or renewed one is used; Refused tells it
	// from the context which one the forge took no more. Empty: no credential is sent.
	Token func(ctx context.Context) (string, error)
	// Authorize puts a token into a request's header; nil: Authorization: Bearer.
	Authorize func(h http.Header, token string)
	Insecure  bool   // the operator allows a token over plain HTTP, which this machine may have anyway
	CAFile    string // PEM, beside the system's certificates
	UserAgent string
}

// New is a client for one repository's part of the API: while the forge has asked it to
// wait, all its requests fail at once. It asks nobody but the API's origin.
//
// What it returns besides an answer is an *url.Error, which AsError makes what a
// forge.Forge returns. An answer of it is below 500, within the forge's limits, and JSON if it is
// a success with a body; its body is in memory, and need not be closed.
func New(o Options) (*http.Client, error) {
	api, err := url.Parse(o.API)
	if err != nil || api.Scheme != "https" && api.Scheme != "http" || api.Hostname() == "" || api.User != nil {
		return nil, errors.New("the URL of the forge's API is none: write it as https://git.example/api/v1/, without a user")
	}
	if o.Token != nil && api.Scheme == "http" && !o.Insecure && !isLoopback(api.Hostname()) {
		return nil, fmt.Errorf("%s is plain http, which would show the token to everybody on the way: write https, or let it answer at a loopback address", originOf(api))
	}
	roots, err := authorities.Read(o.CAFile)
	if err != nil {
		return nil, err
	}
	l := &line{Options: o, api: originOf(api), next: newTransport(roots), kept: newMemory()}
	return &http.Client{Transport: l, CheckRedirect: l.onward}, nil
}

// A line is the way to one API.
type line struct {
	Options
	api  string // its origin
	next http.RoundTripper
	gate gate
	kept *memory
	over atomic.Pointer[refused] // the last token that was answered with 401
}

// refused is a token that a forge took no more. It is a type of its own, so that no context prints it.
type refused struct{ token string }

type refusedKey struct{}

// Refused is the token that the forge answered last with 401, in the context that Options.Token is
// given; empty: none. Whoever keeps tokens drops that one, whatever it says of its own life: it may have been
// revoked.
func Refused(ctx context.Context) string {
	if r, ok := ctx.Value(refusedKey{}).(*refused); ok {
		return r.token
	}
	return ""
}

// RoundTrip asks, and judges the answer as far as HTTP goes. Its errors are
// *forge.Error, or the context's.
func (l *line) RoundTrip(req *http.Request) (*http.Response, error) {
	if err := l.maySend(req, time.Now()); err != nil {
		dropBody(req)
		return nil, err
	}
	asked, hidden, err := l.signed(req)
	if err != nil {
		dropBody(req)
		return nil, err
	}
	was := l.kept.prepare(asked, hidden)
	a, err := l.exchange(asked)
	if err != nil {
		return nil, l.broken(req.Context(), hidden, err)
	}
	now := time.Now()
	hidden.clean(&a)
	wait := l.gate.heed(a, now)
	if a.status == http.StatusUnauthorized && hidden.token != "" {
		l.over.Store(&refused{hidden.token})
	}
	switch {
	case a.status != http.StatusNotModified:
	case was != nil:
		a = was.again(a.header)
	case req.Header.Get("If-None-Match") == "" && req.Header.Get("If-Modified-Since") == "":
		return nil, l.invalid("answered that nothing has changed, which was not asked")
	}
	if err := l.judge(req, a, wait); err != nil {
		return nil, err
	}
	l.kept.keep(asked, hidden, a)
	return a.response(req), nil
}

// maySend refuses what must not be sent, or not now.
func (l *line) maySend(req *http.Request, now time.Time) error {
	if to := originOf(req.URL); to != l.api {
		return l.invalid("led to " + oneLine(to) + ", which is another origin: nothing was sent there")
	}
	if left := l.gate.closed(now); left > 0 {
		return &forge.Error{Kind: forge.RateLimited, Forge: l.api, What: "it has asked to wait, or says that no request is left", Fix: fixLimit, RetryAfter: max(left, minWait)}
	}
	return nil
}

// signed is a request with the credential, and what of it must be shown to nobody. The
// request itself stays without, for whoever prints it.
func (l *line) signed(req *http.Request) (*http.Request, secrets, error) {
	asked := req.Clone(req.Context())
	if l.UserAgent != "" {
		asked.Header.Set("User-Agent", l.UserAgent)
	}
	if l.Token == nil {
		return asked, secrets{}, nil
	}
	ctx := req.Context()
	if r := l.over.Load(); r != nil {
		ctx = context.WithValue(ctx, refusedKey{}, r)
	}
	token, err := l.Token(ctx)
	var done *forge.Error
	switch {
	case err == nil:
	case errors.As(err, &done):
		return nil, secrets{}, done
	case req.Context().Err() != nil:
		return nil, secrets{}, req.Context().Err()
	default:
		return nil, secrets{}, &forge.Error{Kind: forge.Unauthorized, Forge: l.api, What: "there is no token", Fix: fixToken, Err: cause(err, secrets{})}
	}
	if token == "" {
		return asked, secrets{}, nil
	}
	if !sendable(token) {
		return nil, secrets{}, &forge.Error{Kind: forge.Unauthorized, Forge: l.api, What: "the token holds characters that no header may have", Fix: fixToken}
	}
	if l.Authorize == nil {
		asked.Header.Set("Authorization", "Bearer "+token)
	} else {
		l.Authorize(asked.Header, token)
	}
	return asked, hide(token, req.Header, asked.Header), nil
}

const maxRedirects = 5

// onward says whether a redirect is followed: within the API's origin, where the request
// stays what it is.
func (l *line) onward(req *http.Request, via []*http.Request) error {
	switch {
	case len(via) > maxRedirects:
		return l.invalid(fmt.Sprintf("redirected more than %d times", maxRedirects))
	case originOf(req.URL) != l.api:
		return l.invalid("redirected to " + oneLine(originOf(req.URL)) + ", which is another origin")
	case req.URL.User != nil:
		return l.invalid("redirected to a URL with a user")
	case req.Method != via[0].Method:
		e := l.invalid("redirected a " + via[0].Method + " to a " + req.Method + " of " + oneLine(req.URL.Path))
		if path.Base(req.URL.Path) == path.Base(via[0].URL.Path) { // a login page would be elsewhere
			e.Fix = FixMoved
		}
		return e
	}
	return nil
}

// originOf is the scheme, host and port of an absolute URL, as forge.Error shows it.
func originOf(u *url.URL) string {
	host, port := strings.ToLower(u.Hostname()), u.Port()
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	scheme := strings.ToLower(u.Scheme)
	if port != "" && !(scheme == "https" && port == "443") && !(scheme == "http" && port == "80") {
		host += ":" + port
	}
	return scheme + "://" + host
}

func isLoopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback() || strings.EqualFold(host, "localhost")
}

func sendable(token string) bool {
	return !strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r >= 0x7f })
}

// dropBody is what who sends nothing owes to net/http.
func dropBody(req *http.Request) {
	if req.Body != nil {
		req.Body.Close()
	}
}
