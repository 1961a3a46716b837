package remote

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/towpath/towpath/registry"
)

// No more connections are opened to a host than it is asked at once.
func TestConnectionsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var dials atomic.Int64
		transport := newTransport(&tls.Config{}, 2)
		transport.DialContext = func(context.Context, string, string) (net.Conn, error) {
			dials.Add(1)
			near, far := net.Pipe()
			go io.Copy(io.Discard, far) // takes all and answers nothing
			return near, nil
		}
		ctx, cancel := context.WithCancel(t.Context())
		var group sync.WaitGroup
		for range 8 {
			group.Go(func() {
				req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://registry.test/v2/", nil)
				if err != nil {
					t.Error(err)
					return
				}
				transport.RoundTrip(req)
			})
		}
		synctest.Wait()
		if n := dials.Load(); n != 2 {
			t.Errorf("%d connections, want 2", n)
		}
		cancel()
		group.Wait()
		synctest.Wait()
		transport.CloseIdleConnections() // one that came when nobody waited any more
	})
}

// Connections are kept for what comes next: as many as were ever needed at once.
func TestConnectionsAreKept(t *testing.T) {
	const atOnce = 4
	var opened atomic.Int64
	together := make(chan struct{}) // passes all of a round on, when the last has come
	var mu sync.Mutex
	inside := 0
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodHead {
			return // the ping
		}
		mu.Lock()
		wait := together
		if inside++; inside == atOnce {
			inside, together = 0, make(chan struct{})
			close(wait)
		}
		mu.Unlock()
		<-wait
		w.Header().Set("Docker-Content-Digest", "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
		w.Header().Set("Content-Type", "application/vnd.oci.image.manifest.v1+json")
		w.Header().Set("Content-Length", "7")
	}))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			opened.Add(1)
		}
	}
	server.Start()
	defer server.Close()
	host := server.Listener.Addr().String()
	r, err := New(Options{Hosts: map[string]Host{host: {Insecure: true, Concurrency: atOnce}}})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	ref := registry.Ref{Repo: registry.Repo{Host: host, Path: "team1/web"}, Tag: "v1"}
	round := func() {
		var group sync.WaitGroup
		for range atOnce {
			group.Go(func() {
				if _, err := r.Head(t.Context(), registry.On{Insecure: true}, ref); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
	}
	round()
	first := opened.Load() // that the ping over HTTPS failed on, too
	for range 5 {
		round()
	}
	if n := opened.Load(); n != first {
		t.Errorf("%d connections were opened at first, and %d later", first, n-first)
	}
}
