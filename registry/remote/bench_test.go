package remote_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/towpath/towpath/registry"
	"github.com/towpath/towpath/registry/remote"
)

const (
	benchHeads   = 1000
	benchAtOnce  = 32
	benchLatency = 20 * time.Millisecond
)

// A slowRegistry wants a token and takes its time for each manifest.
type slowRegistry struct {
	host   string
	tokens atomic.Int64 // requests for one
}

func newSlowRegistry(b testing.TB) *slowRegistry {
	s := &slowRegistry{}
	server := httptest.NewServer(s)
	b.Cleanup(server.Close)
	s.host = server.Listener.Addr().String()
	return s
}

func (s *slowRegistry) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.URL.Path == "/token":
		s.tokens.Add(1)
		io.WriteString(w, `{"token":"a.b.c","expires_in":300}`)
	case r.Header.Get("Authorization") != "Bearer a.b.c":
		w.Header().Set("WWW-Authenticate", `Bearer realm="http://`+s.host+`/token",service="bench"`)
		w.WriteHeader(http.StatusUnauthorized)
	default:
		time.Sleep(benchLatency) // the latency that is measured against
		w.Header().Set("Content-Type", "application/vnd.oci.image.manifest.v1+json")
		w.Header().Set("Content-Length", "2")
		w.Header().Set("Docker-Content-Digest", "sha256:"+strings.Repeat("0", 64))
	}
}

// atOnce calls f for each question, as many at once as the limit allows.
func atOnce(b testing.TB, f func(tag string) error) time.Duration {
	b.Helper()
	start := time.Now()
	var group sync.WaitGroup
	tags := make(chan string)
	for range benchAtOnce {
		group.Go(func() {
			for tag := range tags {
				if err := f(tag); err != nil {
					b.Error(err)
				}
			}
		})
	}
	for i := range benchHeads {
		tags <- fmt.Sprint("v", i)
	}
	close(tags)
	group.Wait()
	return time.Since(start)
}

// raw is the floor: net/http with a token in its hand.
func (s *slowRegistry) raw(b testing.TB) time.Duration {
	transport := &http.Transport{MaxConnsPerHost: benchAtOnce, MaxIdleConnsPerHost: benchAtOnce}
	defer transport.CloseIdleConnections()
	return atOnce(b, func(tag string) error {
		req, err := http.NewRequestWithContext(b.Context(), http.MethodHead, "http://"+s.host+"/v2/team1/web/manifests/"+tag, nil)
		if err != nil {
			return err
		}
		req.Header.Set("Authorization", "Bearer a.b.c")
		resp, err := transport.RoundTrip(req)
		if err != nil {
			return err
		}
		return resp.Body.Close()
	})
}

// read is a Reader that starts with nothing: ping, token and all.
func (s *slowRegistry) read(b testing.TB) time.Duration {
	r := open(b, remote.Options{Hosts: map[string]remote.Host{s.host: {Insecure: true, Concurrency: benchAtOnce}}})
	defer r.Close()
	return atOnce(b, func(tag string) error {
		ref := registry.Ref{Repo: registry.Repo{Host: s.host, Path: "team1/web"}, Tag: tag}
		_, err := r.Head(b.Context(), registry.On{Insecure: true}, ref)
		return err
	})
}

// BenchmarkHead asks for 1,000 tags of one repository, 32 at once, of a registry
// that takes 20 ms, beside net/http doing the same. The goal is a ratio of 1.15,
// and one request for a token.
func BenchmarkHead(b *testing.B) {
	var raw, read time.Duration
	s := newSlowRegistry(b)
	for b.Loop() {
		raw += s.raw(b)
		read += s.read(b)
	}
	b.ReportMetric(float64(raw.Milliseconds())/float64(b.N), "raw-ms")
	b.ReportMetric(float64(read.Milliseconds())/float64(b.N), "reader-ms")
	b.ReportMetric(read.Seconds()/raw.Seconds(), "reader/raw")
	b.ReportMetric(float64(s.tokens.Load())/float64(b.N), "tokens")
}
