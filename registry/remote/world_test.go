package remote_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/towpath/towpath/registry"
	"github.com/towpath/towpath/registry/registrytest"
	"github.com/towpath/towpath/registry/remote"
)

const (
	ociImage = "application/vnd.oci.image.manifest.v1+json"
	ociIndex = "application/vnd.oci.image.index.v1+json"
	webImage = `{"schemaVersion":2,"mediaType":"` + ociImage + `","config":{},"layers":[]}`
)

// A world is the internet of a test: each name has an address of its own, and
// behind that a server on loopback. What has no server cannot be dialled.
type world struct {
	ca *registrytest.CA

	mu      sync.Mutex
	addrs   map[string][]netip.Addr // by name
	servers map[string]string       // address:port → loopback
	dialled []string                // address:port, as far as the Reader let it come
}

func newWorld(t testing.TB) *world {
	return &world{ca: registrytest.NewCA(t), addrs: map[string][]netip.Addr{}, servers: map[string]string{}}
}

// place makes a server on loopback answer at name:port.
func (w *world) place(name, port, loopback string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.addrs[name] == nil {
		w.addrs[name] = []netip.Addr{netip.AddrFrom4([4]byte{203, 0, 113, byte(len(w.addrs) + 1)})}
	}
	w.servers[net.JoinHostPort(w.addrs[name][0].String(), port)] = loopback
}

// registry is a scripted registry over HTTPS at a name.
func (w *world) registry(t testing.TB, name string) *registrytest.Script {
	s := registrytest.NewTLSScript(t, w.ca)
	w.place(name, "443", s.Host)
	return s
}

// trap is a server over HTTPS that none of the secrets may reach.
func (w *world) trap(t testing.TB, name, port string, secrets ...string) *registrytest.Trap {
	trap := registrytest.NewTLSTrap(t, w.ca, secrets...)
	w.place(name, port, trap.Host)
	return trap
}

func (w *world) resolve(_ context.Context, host string) ([]netip.Addr, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if addrs := w.addrs[host]; addrs != nil {
		return addrs, nil
	}
	return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
}

func (w *world) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	w.mu.Lock()
	w.dialled = append(w.dialled, addr)
	loopback, ok := w.servers[addr]
	w.mu.Unlock()
	if !ok {
		return nil, errors.New("nothing is at " + addr)
	}
	var d net.Dialer
	return d.DialContext(ctx, network, loopback)
}

// reader makes a Reader of this world. Its CA is known to the hosts that are listed.
func (w *world) reader(t testing.TB, o remote.Options, hosts ...string) *remote.Reader {
	t.Helper()
	if o.Hosts == nil {
		o.Hosts = map[string]remote.Host{}
	}
	for _, host := range hosts {
		h := o.Hosts[host]
		h.CAFile = w.ca.File(t)
		o.Hosts[host] = h
	}
	o.Dial, o.Resolve = w.dial, w.resolve
	return open(t, o)
}

func addrs(literals ...string) (list []netip.Addr) {
	for _, l := range literals {
		list = append(list, netip.MustParseAddr(l))
	}
	return list
}

// secret makes a canary.
func secret() string { return "canary" + rand.Text() }

// logins writes a dockerconfigjson of USER robot.
func logins(t testing.TB, passwords map[string]string) string {
	t.Helper()
	type entry struct {
		Username string `json:"username"`
		Password string `json:"password"`
	}
	auths := map[string]entry{}
	for key, password := range passwords {
		auths[key] = entry{"robot", password}
	}
	body, err := json.Marshal(map[string]any{"auths": auths})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "logins.json")
	if err := os.WriteFile(path, body, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// as is the one credential of a Reader: this password at this host.
func as(t testing.TB, host, password string) []remote.Credential {
	return []remote.Credential{{File: logins(t, map[string]string{host: password})}}
}

var team1 = registry.On{Namespace: "team1", Path: "team1/streams.yaml"}

func web(host string) registry.Ref {
	return registry.Ref{Repo: registry.Repo{Host: host, Path: "team1/web"}, Tag: "v1"}
}

// failed checks that an error is a registry's, of a kind, and that its message
// says something.
func failed(t testing.TB, err error, kind registry.Kind, says string) {
	t.Helper()
	var e *registry.Error
	if !errors.As(err, &e) {
		t.Fatalf("got error %v, want a *registry.Error", err)
	}
	if e.Kind != kind || !strings.Contains(e.Message, says) {
		t.Errorf("got %s: %q (%v), want %s: …%q…", e.Kind, e.Message, e.Err, kind, says)
	}
}

// bearer makes a script want a token that its own /token gives to user robot with
// the password, or to anybody when the password is empty.
func bearer(s *registrytest.Script, password, token string, next http.HandlerFunc) http.HandlerFunc {
	s.On("/token", func(w http.ResponseWriter, r *http.Request) {
		if _, shown, _ := r.BasicAuth(); shown != password {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		registrytest.JSON(map[string]any{"token": token, "expires_in": 300})(w, r)
	})
	guarded := func(next http.HandlerFunc) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Authorization") == "Bearer "+token {
				next(w, r)
				return
			}
			challenge(fmt.Sprintf(`Bearer realm="https://%s/token",service="test"`, r.Host))(w, r)
		}
	}
	s.On("/v2/", guarded(registrytest.Body("application/json", []byte("{}"))))
	return guarded(next)
}

func challenge(asked string) http.HandlerFunc {
	return registrytest.Status(http.StatusUnauthorized, "Www-Authenticate: "+asked)
}

// manifest answers with an image and what a registry says of it.
func manifest(contentType, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Docker-Content-Digest", digestOf(body))
		w.Header().Set("Content-Length", fmt.Sprint(len(body)))
		registrytest.Body(contentType, []byte(body))(w, r)
	}
}
