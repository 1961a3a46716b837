package remote_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/towpath/towpath/registry"
	"github.com/towpath/towpath/registry/remote"
)

// fault: R-15
//
// However many hosts authors name that stall, a bounded number of requests is under
// way. A listed host does not wait for them, nor does a namespace for another.
func TestManyStalledHosts(t *testing.T) {
	for _, c := range []struct{ namespaces, hosts, most int }{{1, 600, 256}, {5, 200, 512}} {
		t.Run(fmt.Sprint(c.namespaces, " namespaces"), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPipes(t, manifest(ociImage, webImage))
				var mu sync.Mutex
				dialling, most := 0, 0
				r := open(t, remote.Options{
					Hosts: map[string]remote.Host{"registry.test": {Insecure: true}},
					Dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
						if strings.HasPrefix(addr, "203.0.113.2:") {
							return nil, errors.New("down") // answered at once
						}
						if strings.HasPrefix(addr, "203.0.113.1:") {
							return p.dial(ctx, network, addr)
						}
						mu.Lock()
						dialling++
						most = max(most, dialling)
						mu.Unlock()
						<-ctx.Done()
						mu.Lock()
						dialling--
						mu.Unlock()
						return nil, ctx.Err()
					},
					Resolve: func(_ context.Context, host string) ([]netip.Addr, error) {
						switch {
						case host == "registry.test":
							return addrs("203.0.113.1"), nil
						case strings.HasPrefix(host, "quick"):
							return addrs("203.0.113.2"), nil
						}
						return addrs("203.0.113.3"), nil
					},
				})
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				var group sync.WaitGroup
				for n := range c.namespaces {
					for i := range c.hosts {
						group.Go(func() {
							r.Head(ctx, registry.On{Namespace: fmt.Sprint("evil", n)}, web(fmt.Sprintf("h%d-%d.test", n, i)))
						})
					}
				}
				synctest.Wait()
				if most != c.most {
					t.Errorf("%d requests were under way, want %d", most, c.most)
				}
				on := team1
				on.Insecure = true
				start := time.Now()
				if _, err := r.Head(t.Context(), on, web("registry.test")); err != nil || time.Since(start) > 0 {
					t.Errorf("a listed host: %v after %s", err, time.Since(start))
				}
				if c.namespaces == 1 {
					_, err := r.Head(t.Context(), team1, web("quick.test"))
					failed(t, err, registry.Unreachable, "the connection broke")
					if time.Since(start) > 0 {
						t.Errorf("another namespace waited %s", time.Since(start))
					}
				}
				cancel()
				group.Wait()
				time.Sleep(5 * time.Minute) // virtual: pings end, though nobody waits for them
			})
		})
	}
}
