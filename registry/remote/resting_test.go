package remote_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/towpath/towpath/registry"
	"github.com/towpath/towpath/registry/registrytest"
	"github.com/towpath/towpath/registry/remote"
)

// Nothing that one question meets takes a mirror from another, while the mirror can
// be connected to.
func TestMirrorIsNotDown(t *testing.T) {
	for name, answer := range map[string]http.HandlerFunc{
		"hangs up":         registrytest.Hangup,
		"breaks off":       registrytest.Truncated(ociImage, []byte(webImage), 10),
		"redirects":        registrytest.Redirect(307, "https://gone.test/x"),
		"redirects onward": registrytest.Redirect(307, "https://empty.test/x"),
		"token service":    challenge(`Bearer realm="https://gone.test/token"`),
		"500":              registrytest.Status(500),
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			m, up := w.registry(t, "mirror.test"), w.registry(t, "registry.test")
			w.place("empty.test", "8443", "") // a name, and nothing on its port
			m.On("GET "+mirrorV1, manifest(ociImage, webImage))
			m.On("GET /v2/copies/evil/*", answer)
			up.On("GET "+manifestV1, manifest(ociImage, webImage))
			r := w.reader(t, remote.Options{Mirrors: copies("mirror.test")}, "mirror.test", "registry.test")
			evil := registry.Ref{Repo: registry.Repo{Host: "registry.test", Path: "evil/x"}, Tag: "v1"}
			for range 2 {
				r.Detail(t.Context(), registry.On{Namespace: "evil"}, evil)
			}
			if image, err := r.Detail(t.Context(), team1, web("registry.test")); err != nil || image.Mirror != "mirror.test" {
				t.Errorf("the mirror was left alone: %v, %v", image, err)
			}
		})
	}
}

// Neither who gives up nor our own limits say anything of a mirror.
func TestMirrorWasNotAsked(t *testing.T) {
	for name, c := range map[string]struct {
		host  remote.Host
		short bool // the question is given up, instead of at its deadline
	}{
		"given up":        {remote.Host{Insecure: true}, true},
		"deadline":        {remote.Host{Insecure: true}, false},
		"own limit":       {remote.Host{Insecure: true, RequestsPerSecond: 0.1}, false},
		"own concurrency": {remote.Host{Insecure: true, Concurrency: 1}, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPipes(t, func(w http.ResponseWriter, r *http.Request) {
					time.Sleep(2 * time.Second) // virtual
					manifest(ociImage, webImage)(w, r)
				})
				r := open(t, remote.Options{
					Mirrors: copies("mirror.test"), Hosts: map[string]remote.Host{"mirror.test": c.host},
					Dial: p.dial, Resolve: somewhere,
				})
				done := make(chan struct{})
				for range 3 {
					go func() {
						ctx, cancel := context.WithTimeout(t.Context(), time.Second)
						if c.short {
							ctx, cancel = context.WithCancel(t.Context())
							time.AfterFunc(time.Second, cancel)
						}
						defer cancel()
						r.Head(ctx, team1, web("registry.test"))
						done <- struct{}{}
					}()
				}
				for range 3 {
					<-done
				}
				time.Sleep(30 * time.Second) // less than a rest
				if image, err := r.Head(t.Context(), team1, web("registry.test")); err != nil || image.Mirror != "mirror.test" {
					t.Errorf("the mirror was left alone: %v, %v", image, err)
				}
			})
		})
	}
}

// Nor does who gives up while it is dialled.
func TestMirrorIsDialled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPipes(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Connection", "close") // so that each question dials
			manifest(ociImage, webImage)(w, r)
		})
		var hangs atomic.Bool
		r := open(t, remote.Options{
			Mirrors: copies("mirror.test"), Hosts: map[string]remote.Host{"mirror.test": {Insecure: true}},
			Dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
				if hangs.Load() {
					<-ctx.Done()
					return nil, ctx.Err()
				}
				return p.dial(ctx, network, addr)
			},
			Resolve: somewhere,
		})
		for _, hang := range []bool{false, true, false} {
			hangs.Store(hang)
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			image, err := r.Head(ctx, team1, web("registry.test"))
			cancel()
			if !hang && (err != nil || image.Mirror != "mirror.test") {
				t.Errorf("the mirror was left alone: %v, %v", image, err)
			}
			time.Sleep(10 * time.Second) // virtual: a dial ends, though nobody waits for it
		}
	})
}

// A mirror whose certificate cannot be verified rests, and so does one that takes
// connections and answers no ping.
func TestMirrorIsBroken(t *testing.T) {
	t.Run("TLS", func(t *testing.T) {
		w := newWorld(t)
		strange := httptest.NewTLSServer(http.NotFoundHandler()) // of another authority
		defer strange.Close()
		w.place("mirror.test", "443", strange.Listener.Addr().String())
		up := w.registry(t, "registry.test")
		up.On("GET "+manifestV1, manifest(ociImage, webImage))
		r := w.reader(t, remote.Options{Mirrors: copies("mirror.test")}, "mirror.test", "registry.test")
		for range 5 {
			if _, err := r.Head(t.Context(), team1, web("registry.test")); err != nil {
				t.Fatal(err)
			}
		}
		if tries := len(w.dialled) - 1; tries != 1 { // less the registry itself
			t.Errorf("the mirror was dialled %d times, want once", tries)
		}
	})
	t.Run("ping", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			var asked atomic.Int64
			p := newPipes(t, func(_ http.ResponseWriter, r *http.Request) {
				asked.Add(1)
				<-r.Context().Done()
			})
			r := open(t, remote.Options{
				Mirrors: copies("mirror.test"), Hosts: map[string]remote.Host{"mirror.test": {Insecure: true}},
				Dial: p.dial, Resolve: somewhere,
			})
			for range 3 {
				r.Head(t.Context(), team1, web("registry.test"))
			}
			if n := asked.Load(); n != 1 {
				t.Errorf("the mirror was asked %d times, want once", n)
			}
		})
	})
}
