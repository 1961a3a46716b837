package remote

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/towpath/towpath/registry"
)

const maxRedirects = 5

// follow goes where answers lead. What we sent along, credentials above all, is
// dropped for good as soon as the origin changes, and never added again.
type follow struct {
	trust trust
	next  gated
}

func (t follow) RoundTrip(req *http.Request) (*http.Response, error) {
	for range maxRedirects + 1 {
		resp, err := t.next.RoundTrip(req)
		if err != nil || !isRedirect(resp.StatusCode) {
			return resp, err
		}
		if req, err = t.onward(req, resp); err != nil {
			return nil, invalid("redirected to where it must not lead", err)
		}
	}
	return nil, invalid("redirected too often", fmt.Errorf("more than %d times", maxRedirects))
}

// onward is the request that a redirect asks for.
func (t follow) onward(req *http.Request, resp *http.Response) (*http.Request, error) {
	if req.Method != http.MethodGet && req.Method != http.MethodHead {
		return nil, errors.New("a redirect of a " + req.Method)
	}
	location := resp.Header.Get("Location")
	if location == "" {
		return nil, errors.New("a redirect without a Location")
	}
	to, err := target(req.URL, location)
	if err != nil {
		return nil, err
	}
	from, dest := originOf(req.URL), originOf(to)
	if err := t.trust.mayAsk(from, dest); err != nil {
		return nil, err
	}
	header := req.Header
	if from != dest {
		header = strangerHeader(req.Header)
	}
	onward := req.Clone(req.Context())
	onward.URL, onward.Host, onward.Header = to, "", header
	return onward, nil
}

// strangerHeader is what an origin may see that we were only led to.
func strangerHeader(h http.Header) http.Header {
	kept := http.Header{}
	for _, name := range []string{"Accept", "User-Agent", registry.LoopHeader} {
		if v := h.Values(name); len(v) > 0 {
			kept[name] = v
		}
	}
	return kept
}

func isRedirect(status int) bool {
	switch status {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther,
		http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return true
	}
	return false
}
