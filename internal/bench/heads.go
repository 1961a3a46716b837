package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/towpath/towpath/registry"
	"github.com/towpath/towpath/registry/remote"
)

const (
	headTags    = 1000
	headsAtOnce = 32
	headLatency = 20 * time.Millisecond
	token       = "not.a.secret"
)

// A slowRegistry wants a token, and takes its time for each manifest.
type slowRegistry struct {
	host   string
	tokens atomic.Int64 // requests for one
}

func (s *slowRegistry) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.URL.Path == "/token":
		s.tokens.Add(1)
		fmt.Fprintf(w, `{"token":%q,"expires_in":300}`, token)
	case r.Header.Get("Authorization") != "Bearer "+token:
		w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer realm="http://%s/token",service="bench"`, s.host))
		w.WriteHeader(http.StatusUnauthorized)
	default:
		time.Sleep(headLatency)
		w.Header().Set("Content-Type", "application/vnd.oci.image.manifest.v1+json")
		w.Header().Set("Content-Length", "2")
		w.Header().Set("Docker-Content-Digest", "sha256:"+strings.Repeat("0", 64))
	}
}

// heads asks what 1,000 tags of one repository are.
func (b *bed) heads(ctx context.Context) (s sample, err error) {
	slow := &slowRegistry{}
	server := httptest.NewServer(slow)
	defer server.Close()
	slow.host = server.Listener.Addr().String()
	if s.towpath, err = timed(func() error { return slow.read(ctx) }); err != nil {
		return s, err
	}
	if n := slow.tokens.Load(); n != 1 {
		return s, fmt.Errorf("%d requests for a token, not one", n)
	}
	s.floor, err = timed(func() error { return slow.raw(ctx) })
	return s, err
}

// read asks by a Reader that starts with nothing.
func (s *slowRegistry) read(ctx context.Context) error {
	r, err := remote.New(remote.Options{Hosts: map[string]remote.Host{s.host: {Insecure: true, Concurrency: headsAtOnce}}})
	if err != nil {
		return err
	}
	defer r.Close()
	return atOnce(func(tag string) error {
		_, err := r.Head(ctx, registry.On{Insecure: true}, registry.Ref{Repo: registry.Repo{Host: s.host, Path: "team1/web"}, Tag: tag})
		return err
	})
}

func (s *slowRegistry) raw(ctx context.Context) error {
	transport := &http.Transport{MaxConnsPerHost: headsAtOnce, MaxIdleConnsPerHost: headsAtOnce}
	defer transport.CloseIdleConnections()
	return atOnce(func(tag string) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodHead, "http://"+s.host+"/v2/team1/web/manifests/"+tag, nil)
		if err != nil {
			return err
		}
		req.Header.Set("Authorization", "Bearer "+token)
		res, err := transport.RoundTrip(req)
		if err != nil {
			return err
		}
		_, err = io.Copy(io.Discard, res.Body)
		if res.Header.Get("Docker-Content-Digest") == "" {
			err = errors.New("no digest: " + res.Status)
		}
		return errors.Join(err, res.Body.Close())
	})
}

// atOnce calls head for every tag, 32 at a time.
func atOnce(head func(tag string) error) error {
	errs := make([]error, headTags)
	places := make(chan struct{}, headsAtOnce)
	var group sync.WaitGroup
	for i := range errs {
		places <- struct{}{}
		group.Go(func() {
			errs[i] = head(fmt.Sprint("v", i))
			<-places
		})
	}
	group.Wait()
	return errors.Join(errs...)
}
