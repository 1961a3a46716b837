package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"

	"github.com/towpath/towpath/registry"
	"github.com/towpath/towpath/registry/remote"
)

const (
	headTags    = 1000
	headsAtOnce = 32
)

var web = registry.Repo{Path: "team1/web"}

// heads asks what 1,000 tags of one repository are.
func (b *bed) heads(ctx context.Context) (s sample, err error) {
	slow := &fake{latency: upstreamLatency}
	server, err := slow.listen()
	if err != nil {
		return s, err
	}
	defer server.Close()
	if s.Towpath, err = timed(func() error { return readHeads(ctx, slow.host) }); err != nil {
		return s, err
	}
	if n := slow.tokens.Load(); n != 1 {
		return s, fmt.Errorf("%d requests for a token, not one", n)
	}
	s.Floor, err = timed(func() error { return rawHeads(ctx, slow.host) })
	return s, err
}

// readHeads asks by a Reader that starts with nothing.
func readHeads(ctx context.Context, host string) error {
	r, err := readerOf(headsAtOnce, host)
	if err != nil {
		return err
	}
	defer r.Close()
	repo := registry.Repo{Host: host, Path: web.Path}
	return atOnce(headTags, headsAtOnce, func(i int) error {
		_, err := r.Head(ctx, registry.On{Insecure: true}, registry.Ref{Repo: repo, Tag: fmt.Sprint("v", i)})
		return err
	})
}

// readerOf reads registries on loopback, anonymously and over plain HTTP.
func readerOf(concurrency int, hosts ...string) (*remote.Reader, error) {
	o := remote.Options{Hosts: map[string]remote.Host{}}
	for _, host := range hosts {
		o.Hosts[host] = remote.Host{Insecure: true, Concurrency: concurrency}
	}
	return remote.New(o)
}

func rawHeads(ctx context.Context, host string) error {
	c := newRaw(host, headsAtOnce)
	defer c.close()
	return atOnce(headTags, headsAtOnce, func(i int) error { return c.head(ctx, web.Path, fmt.Sprint("v", i), tokenOf(web.Path)) })
}

// raw is a client that does what must be done, and nothing else.
type raw struct {
	host      string
	transport *http.Transport
}

func newRaw(host string, concurrency int) raw {
	return raw{host, &http.Transport{MaxConnsPerHost: concurrency, MaxIdleConnsPerHost: concurrency, DisableCompression: true}}
}

func (c raw) close() { c.transport.CloseIdleConnections() }

// ask reads an answer to its end.
func (c raw) ask(ctx context.Context, method, path, token string) (http.Header, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://"+c.host+path, nil)
	if err != nil {
		return nil, nil, err
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := c.transport.RoundTrip(req)
	if err != nil {
		return nil, nil, err
	}
	body, err := io.ReadAll(res.Body)
	if res.StatusCode != http.StatusOK {
		err = errors.New(method + " " + path + ": " + res.Status)
	}
	return res.Header, body, errors.Join(err, res.Body.Close())
}

func (c raw) head(ctx context.Context, repository, tag, token string) error {
	header, _, err := c.ask(ctx, http.MethodHead, "/v2/"+repository+"/manifests/"+tag, token)
	if err == nil && header.Get("Docker-Content-Digest") == "" {
		err = errors.New("no digest")
	}
	return err
}

// atOnce calls do for 0…n-1, as many at a time as may be.
func atOnce(n, concurrency int, do func(i int) error) error {
	errs := make([]error, n)
	places := make(chan struct{}, concurrency)
	var group sync.WaitGroup
	for i := range errs {
		places <- struct{}{}
		group.Go(func() {
			errs[i] = do(i)
			<-places
		})
	}
	group.Wait()
	return errors.Join(errs...)
}
