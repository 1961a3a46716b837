package remote_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/towpath/towpath/registry"
	"github.com/towpath/towpath/registry/registrytest"
	"github.com/towpath/towpath/registry/remote"
)

// A card is a certificate that vouches for itself, and its key.
type card struct{ certFile, keyFile string }

func newCard(t testing.TB) card {
	dir := t.TempDir()
	return card{filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")}
}

// issue writes a new pair for a name.
func (c card) issue(t testing.TB, name string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(
		os.WriteFile(c.certFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600),
		os.WriteFile(c.keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}), 0o600),
	); err != nil {
		t.Fatal(err)
	}
}

// A door is a server over HTTPS that asks everybody for a certificate and keeps
// the names that it was shown.
type door struct {
	*registrytest.Script // what it answers
	server               *httptest.Server
	own                  card

	mu    sync.Mutex
	shown []string // a name for each request; empty for none
}

// newDoor opens one at a name of the world, on port 443. Those that must, turn away
// who shows nothing.
func newDoor(t testing.TB, w *world, name string, must bool) *door {
	t.Helper()
	d := &door{Script: registrytest.NewScript(t), own: newCard(t)}
	d.own.issue(t, name)
	pair, err := tls.LoadX509KeyPair(d.own.certFile, d.own.keyFile)
	if err != nil {
		t.Fatal(err)
	}
	d.server = httptest.NewUnstartedServer(http.HandlerFunc(d.serve))
	d.server.Config.ErrorLog = log.New(io.Discard, "", 0)
	d.server.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequestClientCert}
	if must {
		d.server.TLS.ClientAuth = tls.RequireAnyClientCert
	}
	d.server.StartTLS()
	t.Cleanup(d.server.Close)
	w.place(name, "443", d.server.Listener.Addr().String())
	return d
}

func (d *door) serve(w http.ResponseWriter, r *http.Request) {
	name := ""
	if certs := r.TLS.PeerCertificates; len(certs) > 0 {
		name = certs[0].Subject.CommonName
	}
	d.mu.Lock()
	d.shown = append(d.shown, name)
	d.mu.Unlock()
	d.ServeHTTP(w, r)
}

// saw is each name that was shown, once, in order; then it is forgotten.
func (d *door) saw() (names []string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, name := range d.shown {
		if len(names) == 0 || names[len(names)-1] != name {
			names = append(names, name)
		}
	}
	d.shown = nil
	return names
}

// trusting is a file of the certificates of doors.
func trusting(t testing.TB, doors ...*door) string {
	t.Helper()
	var all bytes.Buffer
	for _, d := range doors {
		text, err := os.ReadFile(d.own.certFile)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(text)
	}
	path := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(path, all.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// fault: R-17
//
// A registry that wants a certificate gets the one that is configured, and only it.
func TestClientCertificate(t *testing.T) {
	w := newWorld(t)
	s := newDoor(t, w, "registry.test", true)
	s.On("GET "+manifestV1, manifest(ociImage, webImage))
	host := remote.Host{CAFile: trusting(t, s)}
	r := w.reader(t, remote.Options{Hosts: map[string]remote.Host{"registry.test": host}})
	_, err := r.Head(t.Context(), team1, web("registry.test"))
	failed(t, err, registry.TLS, "no secure connection")

	ours := newCard(t)
	ours.issue(t, "towpath")
	host.ClientCertFile, host.ClientKeyFile = ours.certFile, ours.keyFile
	r = w.reader(t, remote.Options{Hosts: map[string]remote.Host{"registry.test": host}})
	if _, err := r.Head(t.Context(), team1, web("registry.test")); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff([]string{"towpath"}, s.saw()); diff != "" {
		t.Errorf("shown (-want +got):\n%s", diff)
	}
}

// A certificate is for the registry itself: not for its token service, not for where
// it redirects, not for another registry.
func TestClientCertificateStays(t *testing.T) {
	for name, insecure := range map[string]bool{"verified": false, "unverified": true} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			s, login, cdn, other := newDoor(t, w, "registry.test", true), newDoor(t, w, "login.test", false), newDoor(t, w, "cdn.test", false), newDoor(t, w, "other.test", false)
			login.On("/token", registrytest.JSON(map[string]string{"token": "a.b.c"}))
			s.On("GET "+manifestV1, func(w http.ResponseWriter, r *http.Request) {
				if r.Header.Get("Authorization") == "" {
					challenge(`Bearer realm="https://login.test/token"`)(w, r)
					return
				}
				registrytest.Redirect(307, "https://cdn.test/blob")(w, r)
			})
			cdn.On("GET /blob", manifest(ociImage, webImage))
			other.On("GET "+manifestV1, manifest(ociImage, webImage))
			ours := newCard(t)
			ours.issue(t, "towpath")
			ca := trusting(t, s, login, cdn, other)
			r := w.reader(t, remote.Options{Hosts: map[string]remote.Host{
				"registry.test": {CAFile: ca, ClientCertFile: ours.certFile, ClientKeyFile: ours.keyFile, TokenHosts: []string{"login.test"}, Insecure: insecure},
				"other.test":    {CAFile: ca},
			}})
			on := team1
			on.Insecure = insecure
			for range 2 {
				for _, host := range []string{"registry.test", "other.test"} {
					if _, err := r.Head(t.Context(), on, web(host)); err != nil {
						t.Error(err)
					}
				}
			}
			got := map[string][]string{"registry": s.saw(), "login": login.saw(), "cdn": cdn.saw(), "other": other.saw()}
			want := map[string][]string{"registry": {"towpath"}, "login": {""}, "cdn": {""}, "other": {""}}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("shown (-want +got):\n%s", diff)
			}
		})
	}
}

// What a tag allows is not for another to use: connections with a certificate and
// without, verified or not, are kept apart.
//
// fault: C-29
func TestTransportsAreKeptApart(t *testing.T) {
	w := newWorld(t)
	s := w.registry(t, "registry.test") // its CA is nobody's
	s.On("GET "+manifestV1, manifest(ociImage, webImage))
	r := w.reader(t, remote.Options{Hosts: map[string]remote.Host{"registry.test": {Insecure: true}}})
	lax := registry.On{Namespace: "team2", Path: "team2/streams.yaml", Insecure: true}
	for range 3 {
		if _, err := r.Head(t.Context(), lax, web("registry.test")); err != nil {
			t.Fatal(err)
		}
		asked := len(s.Requests())
		_, err := r.Head(t.Context(), team1, web("registry.test"))
		failed(t, err, registry.TLS, "a certificate that cannot be verified")
		if got := s.Requests()[asked:]; len(got) > 0 {
			t.Errorf("over another's connection %v was asked", got)
		}
	}
	// One without the operator's leave gains nothing by asking for it.
	r = w.reader(t, remote.Options{Hosts: map[string]remote.Host{"registry.test": {}}})
	_, err := r.Head(t.Context(), lax, web("registry.test"))
	failed(t, err, registry.TLS, "a certificate that cannot be verified")
}

// fault: R-17
//
// A server's certificate that is replaced by one of the same authority changes
// nothing; one of another is refused, then and there.
func TestServerCertificateRotates(t *testing.T) {
	w := newWorld(t)
	first, second := w.registry(t, "registry.test"), w.registry(t, "registry.test")
	other := newWorld(t).registry(t, "registry.test")
	for _, s := range []*registrytest.Script{first, second, other} {
		s.On("GET "+manifestV1, manifest(ociImage, webImage))
	}
	r := w.reader(t, remote.Options{}, "registry.test")
	for _, c := range []struct {
		host string
		ok   bool
	}{{first.Host, true}, {second.Host, true}, {other.Host, false}, {first.Host, true}} {
		w.place("registry.test", "443", c.host)
		r.Close() // the old server's connections end with it
		_, err := r.Head(t.Context(), team1, web("registry.test"))
		if (err == nil) != c.ok {
			t.Errorf("%s: %v, want ok %t", c.host, err, c.ok)
		}
		if !c.ok {
			failed(t, err, registry.TLS, "a certificate that cannot be verified")
		}
	}
	if n := fmt.Sprint(len(other.Requests())); n != "0" {
		t.Errorf("the stranger was asked %s times", n)
	}
}
