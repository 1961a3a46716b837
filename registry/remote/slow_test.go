package remote_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/towpath/towpath/registry"
	"github.com/towpath/towpath/registry/remote"
)

// pipes is a network in memory, so that its time can be virtual: each connection
// is served by one server over plain HTTP.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func newPipes(t *testing.T, handler http.HandlerFunc) *pipes {
	p := &pipes{conns: make(chan net.Conn), done: make(chan struct{})}
	server := &http.Server{Handler: handler}
	go server.Serve(p)
	t.Cleanup(func() { server.Close() })
	return p
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { p.once.Do(func() { close(p.done) }); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

func (p *pipes) dial(context.Context, string, string) (net.Conn, error) {
	near, far := net.Pipe()
	p.conns <- far
	return near, nil
}

func somewhere(context.Context, string) ([]netip.Addr, error) {
	return []netip.Addr{netip.MustParseAddr("203.0.113.1")}, nil
}

// took checks how a question ended, and when.
func took(t *testing.T, r *remote.Reader, want time.Duration) {
	t.Helper()
	start := time.Now()
	on := team1
	on.Insecure = true
	_, err := r.Detail(t.Context(), on, web("registry.test"))
	failed(t, err, registry.Unreachable, "no answer in time")
	if got := time.Since(start).Round(time.Second); got != want {
		t.Errorf("took %s, want %s", got, want)
	}
}

// fault: R-04
func TestStallBeforeHTTP(t *testing.T) {
	for name, dial := range map[string]func(context.Context, string, string) (net.Conn, error){
		"connect": func(ctx context.Context, _, _ string) (net.Conn, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		},
		"TLS": func(context.Context, string, string) (net.Conn, error) {
			near, far := net.Pipe()
			go io.Copy(io.Discard, far)
			return near, nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				took(t, open(t, remote.Options{Dial: dial, Resolve: somewhere}), 5*time.Second)
			})
		})
	}
}

// fault: R-04
// fault: H-13
func TestStallInAnswer(t *testing.T) {
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		want   time.Duration
	}{
		"header": {func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, 15 * time.Second},
		"body":   {trickle(100, 0), 15 * time.Second},
		"drip":   {trickle(1, 10*time.Second), 15 * time.Second},
		"slow":   {trickle(2<<10, time.Second), 60 * time.Second}, // steady, but without end
		"trailer": {func(w http.ResponseWriter, r *http.Request) {
			conn, _, err := w.(http.Hijacker).Hijack()
			if err != nil {
				panic(err)
			}
			io.WriteString(conn, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X\r\nContent-Type: "+ociImage+"\r\n\r\n2\r\n{}\r\n0\r\nX: ")
			io.Copy(io.Discard, conn) // until the client leaves
			conn.Close()
		}, 15 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPipes(t, func(w http.ResponseWriter, r *http.Request) {
					if r.URL.Path != "/v2/" {
						c.answer(w, r)
					}
				})
				took(t, open(t, remote.Options{
					Hosts: map[string]remote.Host{"registry.test": {Insecure: true}},
					Dial:  p.dial, Resolve: somewhere,
				}), c.want)
			})
		})
	}
}

// A registry that speaks plain HTTP only, and hangs, is not one that speaks the
// wrong protocol.
func TestStallOverPlainHTTP(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPipes(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		took(t, open(t, remote.Options{
			Hosts: map[string]remote.Host{"registry.test": {Insecure: true}},
			Dial:  p.dial, Resolve: somewhere,
		}), 15*time.Second)
	})
}

// A registry that hangs over HTTPS, and whose port refuses plain HTTP, hangs.
func TestStallOverTLS(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPipes(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadRequest) })
		var secure atomic.Bool
		took(t, open(t, remote.Options{
			Hosts: map[string]remote.Host{"registry.test": {Insecure: true}},
			Dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
				if secure.Swap(true) {
					return p.dial(ctx, network, addr)
				}
				near, far := net.Pipe()
				go io.Copy(io.Discard, far)
				return near, nil
			},
			Resolve: somewhere,
		}), 5*time.Second)
	})
}

// trickle sends n bytes now and again at each interval; at no interval, once.
func trickle(n int, interval time.Duration) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", ociImage)
		for {
			if _, err := w.Write(make([]byte, n)); err != nil {
				return
			}
			w.(http.Flusher).Flush()
			var again <-chan time.Time
			if interval > 0 {
				again = time.After(interval)
			}
			select {
			case <-again:
			case <-r.Context().Done():
				return
			}
		}
	}
}

// fault: R-15
//
// Fifty questions to a registry that swallows everything fail together, not one
// after the other, and another registry is answered meanwhile.
func TestBlackHole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPipes(t, manifest(ociImage, webImage))
		r := open(t, remote.Options{
			Hosts: map[string]remote.Host{"registry.test": {Insecure: true}},
			Dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
				if addr == "203.0.113.1:80" || addr == "203.0.113.1:443" {
					return p.dial(ctx, network, addr)
				}
				<-ctx.Done()
				return nil, ctx.Err()
			},
			Resolve: func(_ context.Context, host string) ([]netip.Addr, error) {
				if host == "registry.test" {
					return addrs("203.0.113.1"), nil
				}
				return addrs("203.0.113.2"), nil
			},
		})
		start := time.Now()
		var group sync.WaitGroup
		for range 50 {
			group.Go(func() { r.Head(t.Context(), team1, web("hole.test")) })
		}
		on := team1
		on.Insecure = true
		if _, err := r.Head(t.Context(), on, web("registry.test")); err != nil || time.Since(start) > 0 {
			t.Errorf("the other registry: %v after %s", err, time.Since(start))
		}
		group.Wait()
		if got := time.Since(start); got > 5*time.Second {
			t.Errorf("the black hole took %s, want 5s", got)
		}
	})
}

// Who gives up waiting gets an error at once, and a question goes on for those
// who wait for the same.
func TestGivingUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		p := newPipes(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/v2/" {
				<-release
				return
			}
			manifest(ociImage, webImage)(w, r)
		})
		r := open(t, remote.Options{
			Hosts: map[string]remote.Host{"registry.test": {Insecure: true}},
			Dial:  p.dial, Resolve: somewhere,
		})
		on := team1
		on.Insecure = true
		ctx, cancel := context.WithCancel(t.Context())
		var group sync.WaitGroup
		group.Go(func() {
			_, err := r.Head(ctx, on, web("registry.test"))
			failed(t, err, registry.Unreachable, "given up")
			if !errors.Is(err, context.Canceled) {
				t.Errorf("got %v, want it to be context.Canceled", err)
			}
		})
		synctest.Wait()
		group.Go(func() {
			if _, err := r.Head(t.Context(), on, web("registry.test")); err != nil {
				t.Error(err)
			}
		})
		synctest.Wait()
		cancel()
		synctest.Wait()
		close(release)
		group.Wait()
	})
}

// A registry is asked as much at once, and as often a second, as was said.
func TestLimits(t *testing.T) {
	for name, c := range map[string]struct {
		host remote.Host
		want time.Duration // for a ping and 12 questions that take a second each
	}{
		"3 at once":  {remote.Host{Concurrency: 3}, 5 * time.Second},
		"2 a second": {remote.Host{RequestsPerSecond: 2}, 7 * time.Second},
		"neither":    {remote.Host{}, 2 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPipes(t, func(w http.ResponseWriter, r *http.Request) {
					time.Sleep(time.Second) // virtual
					manifest(ociImage, webImage)(w, r)
				})
				c.host.Insecure = true
				r := open(t, remote.Options{Hosts: map[string]remote.Host{"registry.test": c.host}, Dial: p.dial, Resolve: somewhere})
				on := team1
				on.Insecure = true
				start := time.Now()
				var group sync.WaitGroup
				for range 12 {
					group.Go(func() {
						if _, err := r.Head(t.Context(), on, web("registry.test")); err != nil {
							t.Error(err)
						}
					})
				}
				group.Wait()
				if got := time.Since(start).Round(time.Second); got != c.want {
					t.Errorf("took %s, want %s", got, c.want)
				}
			})
		})
	}
}
