package remote_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/towpath/towpath/registry"
	"github.com/towpath/towpath/registry/registrytest"
	"github.com/towpath/towpath/registry/remote"
)

const bothLines = "allow it with registries: [{host: registry.test, insecure: true}] in the operator's config and importPolicy.insecure: true in the tag"

// Plain HTTP, and TLS that nobody verifies, take the operator and the tag.
func TestInsecure(t *testing.T) {
	for name, c := range map[string]struct {
		tls           bool
		operator, tag bool
		kind          registry.Kind // empty: it works
		says          string
	}{
		"plain, both":          {false, true, true, "", ""},
		"plain, operator only": {false, true, false, registry.TLS, "answered with plain HTTP instead of HTTPS: " + bothLines},
		"plain, tag only":      {false, false, true, registry.TLS, bothLines},
		"plain, neither":       {false, false, false, registry.TLS, bothLines},
		"unverified, both":     {true, true, true, "", ""},
		"unverified, operator": {true, true, false, registry.TLS, "a certificate that cannot be verified: name its authority in the operator's config (registries: [{host: registry.test, ca-file: FILE}]), or " + bothLines},
		"unverified, tag":      {true, false, true, registry.TLS, bothLines},
	} {
		t.Run(name, func(t *testing.T) {
			w, password := newWorld(t), secret()
			s := w.registry(t, "registry.test") // its CA is nobody's
			if !c.tls {
				s = registrytest.NewScript(t)
				w.place("registry.test", "443", s.Host) // both ports speak plain HTTP
				w.place("registry.test", "80", s.Host)
			}
			s.On("GET "+manifestV1, basic(s, password, manifest(ociImage, webImage)))
			o := remote.Options{Credentials: as(t, "registry.test", password)}
			if c.operator {
				o.Hosts = map[string]remote.Host{"registry.test": {Insecure: true}}
			}
			on := team1
			on.Insecure = c.tag
			_, err := w.reader(t, o).Head(t.Context(), on, web("registry.test"))
			if c.kind == "" && err != nil {
				t.Error(err)
			}
			if c.kind != "" {
				failed(t, err, c.kind, c.says)
				if got := s.Requests(); len(got) > 0 {
					t.Errorf("asked %v all the same", got)
				}
			}
		})
	}
}

// What one tag may do does not open the way for another.
func TestInsecureIsEachTags(t *testing.T) {
	w := newWorld(t)
	s := w.registry(t, "registry.test")
	s.On("GET "+manifestV1, manifest(ociImage, webImage))
	r := w.reader(t, remote.Options{Hosts: map[string]remote.Host{"registry.test": {Insecure: true}}})
	on := team1
	on.Insecure = true
	if _, err := r.Head(t.Context(), on, web("registry.test")); err != nil {
		t.Fatal(err)
	}
	_, err := r.Head(t.Context(), team1, web("registry.test"))
	failed(t, err, registry.TLS, "a certificate that cannot be verified")
}

// An unverified connection is for the registry itself: where it leads to must
// prove who it is.
func TestInsecureEndsAtTheRegistry(t *testing.T) {
	w := newWorld(t)
	s, other := w.registry(t, "registry.test"), w.registry(t, "other.test")
	s.On("GET "+manifestV1, registrytest.Redirect(307, "https://other.test/x"))
	other.On("GET /x", manifest(ociImage, webImage))
	on := team1
	on.Insecure = true
	r := w.reader(t, remote.Options{Hosts: map[string]remote.Host{"registry.test": {Insecure: true}}})
	_, err := r.Head(t.Context(), on, web("registry.test"))
	failed(t, err, registry.TLS, "a certificate that cannot be verified")
}

// fault: R-17
//
// A registry that moves between plain HTTP and HTTPS is found again.
func TestSchemeFlips(t *testing.T) {
	w := newWorld(t)
	plain, secure := registrytest.NewScript(t), registrytest.NewTLSScript(t, w.ca)
	plain.On("GET "+manifestV1, manifest(ociImage, webImage))
	secure.On("GET "+manifestV1, manifest(ociImage, webImage))
	r := w.reader(t, remote.Options{Hosts: map[string]remote.Host{"registry.test:5000": {Insecure: true}}})
	on := team1
	on.Insecure = true
	for _, host := range []string{plain.Host, secure.Host, plain.Host} {
		w.place("registry.test", "5000", host)
		r.Close() // the old server's connections end with it
		r.Head(t.Context(), on, web("registry.test:5000"))
		if _, err := r.Head(t.Context(), on, web("registry.test:5000")); err != nil {
			t.Errorf("the second question after the move: %v", err)
		}
	}
}

// fault: H-07
func TestNothingIsTracked(t *testing.T) {
	s, r := one(t)
	s.On("GET /v2/*", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Set-Cookie", "track=1; Path=/")
		w.Header().Set("Alt-Svc", `h2="evil.test:443"`)
		w.Header().Set("Refresh", "0; url=https://evil.test/")
		manifest(ociImage, webImage)(w, r)
	})
	for range 3 {
		if _, err := r.Head(t.Context(), team1, web("registry.test")); err != nil {
			t.Fatal(err)
		}
	}
	for _, r := range s.Requests() {
		for name := range r.Header {
			if name != "Accept" && name != "User-Agent" && name != "Accept-Encoding" {
				t.Errorf("%s was sent: %q", name, r.Header[name])
			}
		}
		if r.Header.Get("User-Agent") != "towpath" || strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
			t.Errorf("headers %v", r.Header)
		}
	}
}
