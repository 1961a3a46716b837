package remote

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync"

	"golang.org/x/sync/singleflight"
)

// An endpoint is where and how a registry answers.
type endpoint struct {
	origin    origin
	challenge challenge // what it asked for when it was last heard
}

// An endpointKey names a registry as one kind of question sees it.
type endpointKey struct {
	host     string // canonical
	insecure bool   // the operator and the tag allow it
}

const (
	maxEndpoints     = 4096
	roomForEndpoints = maxEndpoints / 8
)

// endpoints keeps what was learned of each registry: of the listed ones for ever, of
// the others while there is room.
type endpoints struct {
	listed map[string]Host // by canonical host; complete before the first question
	flight singleflight.Group

	mu    sync.Mutex
	known map[endpointKey]endpoint
}

// get is the endpoint known for a key, or what ping finds. Questions that come
// meanwhile share the ping, and its failure.
func (e *endpoints) get(ctx context.Context, key endpointKey, ping func(context.Context) (endpoint, error)) (ep endpoint, fresh bool, err error) {
	if ep, ok := e.lookup(key); ok {
		return ep, false, nil
	}
	result := e.flight.DoChan(fmt.Sprint(key.host, " ", key.insecure), func() (any, error) {
		if ep, ok := e.lookup(key); ok {
			return ep, nil
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), flightDeadline)
		defer cancel()
		ep, err := ping(ctx)
		if err == nil {
			e.learn(key, ep)
		}
		return ep, err
	})
	select {
	case r := <-result:
		return r.Val.(endpoint), true, r.Err
	case <-ctx.Done():
		return endpoint{}, false, context.Cause(ctx)
	}
}

func (e *endpoints) lookup(key endpointKey) (endpoint, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	ep, ok := e.known[key]
	return ep, ok
}

func (e *endpoints) learn(key endpointKey, ep endpoint) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.known == nil {
		e.known = map[endpointKey]endpoint{}
	}
	if _, known := e.known[key]; !known && len(e.known) >= maxEndpoints {
		e.prune()
	}
	e.known[key] = ep
}

// prune makes room for many. Who is forgotten is pinged once more. The caller holds
// the lock.
func (e *endpoints) prune() {
	for key := range e.known {
		if len(e.known) <= maxEndpoints-roomForEndpoints {
			return
		}
		if _, listed := e.listed[key.host]; !listed {
			delete(e.known, key)
		}
	}
}

// forget makes the next question ping again: the registry may have moved between
// HTTP and HTTPS.
func (e *endpoints) forget(key endpointKey) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.known, key)
}

// ping finds out how a registry answers, as OpenShift does: over HTTPS, and, only
// where both the operator and the tag allow it, over plain HTTP when nothing
// speaks HTTPS there.
func (q *question) ping(ctx context.Context) (endpoint, error) {
	home := at("https", q.repo.Host)
	ep, err := q.pingAt(ctx, home)
	if err == nil || !q.insecure || !isConnection(err) {
		return ep, err
	}
	plain, plainErr := q.pingAt(ctx, at("http", q.repo.Host))
	if errors.Is(err, http.ErrSchemeMismatch) {
		return plain, plainErr // HTTP is what is spoken there
	}
	if plainErr != nil && (isConnection(plainErr) || statusOf(plainErr) == http.StatusBadRequest) {
		return plain, err // neither answers, and nothing says which one should
	}
	return plain, plainErr
}

func (q *question) pingAt(ctx context.Context, home origin) (endpoint, error) {
	u := &url.URL{Scheme: home.scheme, Host: home.host, Path: "/v2/"}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return endpoint{}, err
	}
	req.Header.Set("User-Agent", q.reader.agent)
	stack := q.stack(home, maxError, nil)
	stack.next.watch = pings
	resp, err := stack.RoundTrip(req)
	if err != nil {
		return endpoint{}, err
	}
	switch s := resp.StatusCode; {
	case s == http.StatusTooManyRequests, s >= 500,
		s == http.StatusBadRequest && home.scheme == "http": // as a port that speaks TLS answers
		return endpoint{}, refusal(resp, bodyOf(resp))
	}
	ep := endpoint{origin: home}
	if resp.StatusCode == http.StatusUnauthorized && originOf(resp.Request.URL) == home {
		ep.challenge = readChallenge(resp.Header)
		ep.challenge.scope = "" // of no repository that we asked about
	}
	return ep, nil
}
