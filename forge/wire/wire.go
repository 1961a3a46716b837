// Package wire carries requests to the API of a forge: with the credential to its
// own origin and nowhere else, within bounds of bytes and time, within the forge's
// limits of requests, and without asking again for what did not change.
//
// It knows HTTP and none of the forges; what an answer means is their packages'
// business.
package wire

import (
	"context"
	"net/http"
	"net/url"
)

// Options say which API, and how to reach it.
type Options struct {
	API string // its base URL: https://api.github.com/, https://git.example/api/v1/
	// Token is asked before every request, so that a rotated or renewed one is used. Empty: no
	// credential is sent.
	Token func(ctx context.Context) (string, error)
	// Authorize puts a token into a request's header; nil: Authorization: Bearer.
	Authorize func(h http.Header, token string)
	CAFile    string // PEM, beside the system's certificates
	UserAgent string
}

// New is a client for the API. Its failures are *forge.Error.
func New(o Options) (*http.Client, error) {
	api, err := url.Parse(o.API)
	if err != nil {
		return nil, err
	}
	return &http.Client{Transport: &line{o, api}}, nil
}

type line struct {
	Options
	api *url.URL
}

func (l *line) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context())
	if l.Token != nil && req.URL.Scheme == l.api.Scheme && req.URL.Host == l.api.Host {
		token, err := l.Token(req.Context())
		if err != nil {
			return nil, err
		}
		if l.Authorize != nil {
			l.Authorize(req.Header, token)
		} else {
			req.Header.Set("Authorization", "Bearer "+token)
		}
	}
	if l.UserAgent != "" {
		req.Header.Set("User-Agent", l.UserAgent)
	}
	return http.DefaultTransport.RoundTrip(req)
}
