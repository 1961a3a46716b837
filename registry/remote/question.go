package remote

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/towpath/towpath/registry"
)

// A question is one call of a Reader. It is the transport that its own Puller
// speaks through, so that the Puller does no ping, no authentication and no retry
// of its own, and keeps nothing between two questions. It belongs to one
// goroutine.
//
// From the outside in, a request passes question (address, what may come back),
// prove (identity), follow (redirects), gated (limits) and wire (one exchange).
type question struct {
	reader   *Reader
	lane     *lane
	gate     *gate
	repo     registry.Repo
	insecure bool // the operator and the tag both allow it
	limit    int  // bytes of an answer
	watch    watch
	flows    bool // a blob is asked for: the answer is not kept in memory
	fetches  bool // on behalf of who pulls from our own registry, which must not be asked itself

	crowd     *crowd // nil for a listed registry
	namespace string // of the stream

	who     *identity // nil: anonymous
	refused string    // who was refused first, "the credential of team1 was refused, "
	because error     // of refused, for the log; may be nil
	digest  string    // that the last answer claimed, unchecked
	room    room      // of the answer that is read or looked into
}

// puller is go-containerregistry's, speaking through the question, and the
// repository as it names it.
func (q *question) puller() (*remote.Puller, name.Repository, error) {
	// The scheme is the endpoint's. Insecure keeps the library from guessing one.
	reg, err := name.NewRegistry(q.repo.Host, name.Insecure)
	if err != nil {
		return nil, name.Repository{}, err
	}
	// A challenge of scheme none and an empty token make the wrapper that tells
	// go-containerregistry to leave the transport as it is.
	wrapped, err := transport.FromToken(reg, authn.Anonymous, q, &transport.Challenge{Scheme: "none"}, &transport.Token{})
	if err != nil {
		return nil, name.Repository{}, err
	}
	p, err := remote.NewPuller(remote.WithTransport(wrapped))
	return p, reg.Repo(q.repo.Path), err
}

// RoundTrip answers with a 200 or fails; what is not well formed never passes.
func (q *question) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx := req.Context()
	key := endpointKey{q.repo.Host, q.insecure}
	ep, known := q.reader.endpoints.lookup(key)
	pinged := false
	if !known {
		var err error
		if ep, pinged, err = q.reader.endpoints.get(ctx, key, q.ping); err != nil {
			return nil, err
		}
	}
	resp, err := q.prove(req, ep, pinged)
	if err != nil && isConnection(err) || err == nil && resp.StatusCode == http.StatusBadRequest {
		q.reader.endpoints.forget(key)
	}
	if err != nil {
		return nil, err
	}
	if err := q.accept(resp); err != nil {
		resp.Body.Close()
		return nil, err
	}
	if strings.HasSuffix(req.URL.Path, "/tags/list") {
		if err := acceptPage(resp); err != nil {
			return nil, err
		}
	}
	q.digest = resp.Header.Get("Docker-Content-Digest")
	resp.Request = req
	return resp, nil
}

// address is the request as it leaves for the registry, a new one each time. Only
// what a registry needs is sent, and what it is shown of us.
func (q *question) address(req *http.Request, home origin, shown string) *http.Request {
	out := req.WithContext(req.Context())
	out.URL = &url.URL{Scheme: home.scheme, Host: home.host, Path: req.URL.Path, RawQuery: req.URL.RawQuery}
	out.Host = ""
	out.Header = http.Header{"User-Agent": {q.reader.agent}}
	if accept := req.Header["Accept"]; len(accept) > 0 {
		out.Header["Accept"] = accept
	}
	if q.fetches {
		out.Header.Set(registry.LoopHeader, registry.LoopOf(req.Context(), q.reader.loop))
	}
	if shown != "" {
		out.Header["Authorization"] = []string{shown}
	}
	return out
}

// accept refuses answers that are no success or none of a registry.
func (q *question) accept(resp *http.Response) error {
	if resp.StatusCode != http.StatusOK {
		return refusal(resp, bodyOf(resp))
	}
	if t := mediaType(resp.Header.Get("Content-Type")); t == "text/html" || t == "application/xhtml+xml" {
		// A proxy's page, or that of a registry under repair: it may pass.
		return &failure{kind: registry.InternalError, message: q.repo.Host + " answered with a web page, not a registry"}
	}
	if e := resp.Header.Get("Content-Encoding"); e != "" && !strings.EqualFold(e, "identity") {
		return invalid("the answer is compressed, which was not asked for", nil)
	}
	return nil
}

// acceptPage refuses a page of a list of tags that has two meanings, or that leads
// elsewhere, and leaves no link but that to the next page.
func acceptPage(resp *http.Response) error {
	if err := checkPage(bodyOf(resp)); err != nil {
		return err
	}
	next, err := nextPage(resp)
	if err != nil {
		return invalid("the list of tags goes on where it must not lead", err)
	}
	resp.Header.Del("Link")
	if next != "" {
		resp.Header.Set("Link", "<"+next+`>; rel="next"`)
	}
	return nil
}

// stack is what lies below prove, for who asks.
func (q *question) stack(home origin, limit int, who *identity) follow {
	w := wire{lane: q.lane, insecure: q.insecure, limit: limit, room: &q.room}
	g := gated{gate: q.gate, account: who.login(), crowd: q.crowd, namespace: q.namespace, watch: q.watch, next: w}
	return follow{trust: q.trust(home), next: g}
}

func (q *question) trust(home origin) trust {
	return trust{home: home, insecure: q.insecure, tokenHosts: q.lane.tokenHosts}
}

// failed makes the error that the Reader returns.
func (q *question) failed(err error, ref string) *registry.Error {
	f := classify(err, q.repo.Host)
	cause := f.cause
	if q.because != nil {
		cause = errors.Join(q.because, cause)
	}
	return &registry.Error{
		Kind:       f.kind,
		Ref:        ref,
		Message:    fmt.Sprintf("%s (%s%s)", f.message, q.refused, q.who.asked()),
		RetryAfter: f.retryAfter,
		Err:        cause,
	}
}

// statusOf is the status of the answer behind an error, 0 without one.
func statusOf(err error) int {
	var f *failure
	if errors.As(err, &f) {
		return f.status
	}
	return 0
}
