package remote

import (
	"errors"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"

	"github.com/towpath/towpath/registry"
)

// An unreachedError says that an origin could not be connected to: no answer of its
// own, no limit of ours and nobody's deadline is behind it.
type unreachedError struct {
	at  origin
	err error
}

func (e *unreachedError) Error() string { return e.err.Error() }
func (e *unreachedError) Unwrap() error { return e.err }

// isUnreached reports whether a question of a repository failed because the very host
// could not be connected to, not one that it led to.
func isUnreached(err error, repo registry.Repo) bool {
	var e *unreachedError
	return errors.As(err, &e) && e.at == at(e.at.scheme, repo.Host)
}

// A watch is what connections are watched for.
type watch int

const (
	nothing watch = iota
	dials         // that one can be made
	pings         // that it answers, too: no repository has a hand in that
)

// exchange makes one exchange and tells errors before it from those within.
func (w watch) exchange(next wire, req *http.Request) (*http.Response, error) {
	if w == nothing {
		return next.RoundTrip(req)
	}
	var connected atomic.Bool
	ctx := httptrace.WithClientTrace(req.Context(), &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { connected.Store(true) },
	})
	resp, err := next.RoundTrip(req.WithContext(ctx))
	switch {
	case err == nil || ctx.Err() != nil:
	case !connected.Load() && !errors.Is(err, errDeadline), isTLS(err), w == pings && isConnection(err):
		err = &unreachedError{originOf(req.URL), err}
	}
	return resp, err
}
