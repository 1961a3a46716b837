package remote_test

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/towpath/towpath/registry"
	"github.com/towpath/towpath/registry/registrytest"
	"github.com/towpath/towpath/registry/remote"
)

func digestOf(body string) string { return fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(body))) }

const (
	manifestV1 = "/v2/team1/web/manifests/v1"
	tagsList   = "/v2/team1/web/tags/list"
)

// A credential goes to the registry's own token service, and what it brings to
// the registry.
func TestCredential(t *testing.T) {
	w, password := newWorld(t), secret()
	s := w.registry(t, "registry.test")
	s.On("GET "+manifestV1, bearer(s, password, "a.b.c", manifest(ociImage, webImage)))
	r := w.reader(t, remote.Options{Credentials: as(t, "registry.test", password)}, "registry.test")
	got, err := r.Head(t.Context(), team1, web("registry.test"))
	if err != nil || got.Digest != digestOf(webImage) {
		t.Errorf("got %v, %v", got, err)
	}
	if got := strings.Join(s.Paths(), "\n"); !strings.Contains(got, "scope=repository%3Ateam1%2Fweb%3Apull&service=test") {
		t.Errorf("asked:\n%s", got)
	}
}

// fault: H-01
func TestRealmElsewhere(t *testing.T) {
	for _, realm := range []string{
		"https://token.evil.test/token",           // another name
		"https://registry.test:8443/token",        // another port
		"https://auth.registry.test/token",        // a subdomain
		"https://test/token",                      // the parent
		"https://registry.test.evil.test/token",   // a name that starts alike
		"https://REGISTRY.test:8443/token",        // in other letters
		"https://auth.docker.io/token",            // another registry's
		"https://token.evil.test:443/token?x=%2f", // with a port written
	} {
		t.Run(realm, func(t *testing.T) {
			w, password := newWorld(t), secret()
			s := w.registry(t, "registry.test")
			s.On("/v2/*", challenge(`Bearer realm="`+realm+`",service="test"`))
			host := strings.Split(strings.ToLower(strings.TrimPrefix(realm, "https://")), "/")[0]
			name, port, _ := strings.Cut(host+":443", ":")
			port = strings.Split(port, ":")[0]
			trap := w.trap(t, name, port, password)
			r := w.reader(t, remote.Options{Credentials: as(t, "registry.test", password)}, "registry.test")
			_, err := r.Detail(t.Context(), team1, web("registry.test"))
			failed(t, err, registry.Unauthorized, "the credential of team1 may not be sent to the token service")
			if len(trap.Requests()) == 0 {
				t.Error("nobody asked the token service, want one anonymous request")
			}
		})
	}
}

// The operator may name another token service.
func TestTokenHosts(t *testing.T) {
	w, password := newWorld(t), secret()
	s, auth := w.registry(t, "registry.test"), w.registry(t, "login.test")
	bearer(auth, password, "a.b.c", nil)
	s.On("/v2/*", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer a.b.c" {
			challenge(`Bearer realm="https://login.test/token"`)(w, r)
			return
		}
		manifest(ociImage, webImage)(w, r)
	})
	r := w.reader(t, remote.Options{
		Hosts:       map[string]remote.Host{"registry.test": {TokenHosts: []string{"login.test"}}},
		Credentials: as(t, "registry.test", password),
	}, "registry.test")
	if _, err := r.Head(t.Context(), team1, web("registry.test")); err != nil {
		t.Error(err)
	}
}

// fault: H-03
func TestRealmPlainHTTP(t *testing.T) {
	for _, host := range []string{"registry.test", "registry.test:80", "token.evil.test", "login.test"} {
		t.Run(host, func(t *testing.T) {
			w, password := newWorld(t), secret()
			s := w.registry(t, "registry.test")
			s.On("/v2/*", challenge(`Bearer realm="http://`+host+`/token"`))
			trap := registrytest.NewTrap(t, password)
			w.place(strings.TrimSuffix(host, ":80"), "80", trap.Host)
			r := w.reader(t, remote.Options{
				Hosts:       map[string]remote.Host{"registry.test": {Insecure: true, TokenHosts: []string{"login.test"}}},
				Credentials: as(t, "registry.test", password),
			}, "registry.test")
			on := team1
			on.Insecure = true
			_, err := r.Detail(t.Context(), on, web("registry.test"))
			failed(t, err, registry.Invalid, "a token service that must not be asked")
			if got := trap.Requests(); len(got) > 0 {
				t.Errorf("asked %v over plain HTTP", got)
			}
		})
	}
}

// fault: H-04
func TestRealmMalformed(t *testing.T) {
	for name, realm := range map[string]string{
		"file": "file:///etc/passwd", "gopher": "gopher://registry.test/token", "unix": "unix:///run/x.sock",
		"no scheme": "//registry.test/token", "path": "/token", "opaque": "https:token", "no host": "https:///token",
		"user":    "https://u:p@registry.test/token",
		"7 KiB":   "https://registry.test/token?" + strings.Repeat("a", 7<<10),  // in a header that is read
		"64 KiB":  "https://registry.test/token?" + strings.Repeat("a", 64<<10), // in one that is not
		"nothing": " ",
	} {
		t.Run(name, func(t *testing.T) {
			w, password := newWorld(t), secret()
			s := w.registry(t, "registry.test")
			s.On("/v2/*", challenge(`Bearer realm="`+realm+`"`))
			s.On("/token*", registrytest.JSON(map[string]string{"token": "evil"}))
			r := w.reader(t, remote.Options{Credentials: as(t, "registry.test", password)}, "registry.test")
			_, err := r.Detail(t.Context(), team1, web("registry.test"))
			if err == nil {
				t.Error("no error")
			}
			for _, line := range s.Paths() {
				if !strings.HasPrefix(line, "GET /v2/") {
					t.Errorf("asked for %s", line)
				}
			}
		})
	}
}

// fault: H-05
func TestRedirects(t *testing.T) {
	for name, c := range map[string]struct {
		to, host, port string // where the registry sends us, and where the trap stands
		fails          bool   // nothing may be asked there at all
	}{
		"other port":    {"https://sub.registry.test:8443" + manifestV1, "sub.registry.test", "8443", false},
		"to plain HTTP": {"http://sub.registry.test" + manifestV1, "sub.registry.test", "80", true},
		"subdomain":     {"https://evil.sub.registry.test" + manifestV1, "evil.sub.registry.test", "443", false},
		"parent":        {"https://registry.test" + manifestV1, "registry.test", "443", false},
		"other host":    {"https://evil.test" + manifestV1, "evil.test", "443", false},
		"no scheme":     {"//evil.test" + manifestV1, "evil.test", "443", false},
		"with a user":   {"https://u:p@evil.test" + manifestV1, "evil.test", "443", true},
		"other scheme":  {"gopher://evil.test" + manifestV1, "evil.test", "443", true},
	} {
		for _, scheme := range []string{"Basic", "Bearer"} {
			t.Run(name+" "+scheme, func(t *testing.T) {
				w, password, token := newWorld(t), secret(), secret()
				s := w.registry(t, "sub.registry.test")
				onward := registrytest.Redirect(307, c.to)
				guarded := bearer(s, password, token, onward)
				if scheme == "Basic" {
					guarded = basic(s, password, onward)
				}
				s.On("GET "+manifestV1, guarded)
				s.On("GET "+tagsList, guarded)
				secrets := []string{password, token, base64.StdEncoding.EncodeToString([]byte("robot:" + password))}
				trap := w.trapAt(t, c.host, c.port, strings.HasPrefix(c.to, "http:"), secrets...)
				r := w.reader(t, remote.Options{Credentials: as(t, "sub.registry.test", password)}, "sub.registry.test")

				_, headErr := r.Head(t.Context(), team1, web("sub.registry.test"))
				_, getErr := r.Detail(t.Context(), team1, web("sub.registry.test"))
				_, listErr := r.Tags(t.Context(), team1, web("sub.registry.test").Repo)
				if headErr == nil || getErr == nil {
					t.Errorf("got %v, %v, want errors: the trap sends no manifest", headErr, getErr)
				}
				if c.fails {
					failed(t, getErr, registry.Invalid, "must not lead")
					failed(t, listErr, registry.Invalid, "must not lead")
				}
				if got := len(trap.Requests()); c.fails != (got == 0) {
					t.Errorf("%d requests reached the other origin, want some: %t", got, !c.fails)
				}
				for _, r := range trap.Requests() {
					for _, name := range []string{"Authorization", "Cookie", "Referer"} {
						if v := r.Header.Get(name); v != "" {
							t.Errorf("%s was sent along: %q", name, v)
						}
					}
				}
			})
		}
	}
}

// fault: H-05
//
// What was dropped on the way out does not come back on the way home.
func TestRedirectThereAndBack(t *testing.T) {
	w, password := newWorld(t), secret()
	s, other := w.registry(t, "registry.test"), w.registry(t, "other.test")
	s.On("GET "+manifestV1, basic(s, password, registrytest.Redirect(302, "https://other.test/x")))
	other.On("GET /x", registrytest.Redirect(302, "https://registry.test/back"))
	s.On("GET /back", manifest(ociImage, webImage))
	r := w.reader(t, remote.Options{Credentials: as(t, "registry.test", password)}, "registry.test")
	if _, err := r.Detail(t.Context(), team1, web("registry.test")); err != nil {
		t.Fatal(err)
	}
	requests := s.Requests()
	if got := requests[len(requests)-1].Header.Get("Authorization"); got != "" {
		t.Errorf("the credential came back with a redirect: %q", got)
	}
}

// fault: H-05
//
// A token service may not pass the password on either.
func TestRedirectOfTokenRequest(t *testing.T) {
	w, password := newWorld(t), secret()
	s := w.registry(t, "registry.test")
	bearer(s, password, "a.b.c", nil)
	s.On("/v2/*", challenge(`Bearer realm="https://registry.test/token"`))
	s.On("/token", registrytest.Redirect(307, "https://evil.test/token"))
	w.trap(t, "evil.test", "443", password)
	r := w.reader(t, remote.Options{Credentials: as(t, "registry.test", password)}, "registry.test")
	if _, err := r.Detail(t.Context(), team1, web("registry.test")); err == nil {
		t.Error("no error")
	}
}

// fault: H-24
//
// Only the registry says what it wants to see: what a stranger asks for, that we
// were redirected to, is not answered at all.
func TestChallengeOfAStranger(t *testing.T) {
	w, password := newWorld(t), secret()
	s, evil := w.registry(t, "registry.test"), w.registry(t, "evil.test")
	s.On("GET "+manifestV1, bearer(s, password, "a.b.c", registrytest.Redirect(307, "https://evil.test/x")))
	evil.On("GET /x", challenge(`Basic realm="give me"`))
	r := w.reader(t, remote.Options{Credentials: as(t, "registry.test", password)}, "registry.test")
	_, err := r.Detail(t.Context(), team1, web("registry.test"))
	failed(t, err, registry.Unauthorized, "no access")
	for _, r := range s.Requests() {
		if v := r.Header.Get("Authorization"); strings.HasPrefix(r.URI, "/v2/") && strings.HasPrefix(v, "Basic") {
			t.Errorf("a stranger made us send %q to %s", v, r.URI)
		}
	}
}

// fault: H-06
func TestRedirectsEnd(t *testing.T) {
	hops := func(n int) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			var i int
			fmt.Sscanf(r.URL.RawQuery, "%d", &i)
			if i == n {
				manifest(ociImage, webImage)(w, r)
				return
			}
			registrytest.Redirect(307, fmt.Sprintf("?%d", i+1))(w, r)
		}
	}
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		kind   registry.Kind // empty: it works
		says   string
		asked  int
	}{
		"5 hops":        {hops(5), "", "", 6},
		"6 hops":        {hops(6), registry.Invalid, "too often", 6},
		"11 hops":       {hops(11), registry.Invalid, "too often", 6},
		"to itself":     {registrytest.Redirect(302, manifestV1), registry.Invalid, "too often", 6},
		"nowhere":       {registrytest.Status(308), registry.Invalid, "must not lead", 1},
		"300 with body": {choices(300), registry.Invalid, "status 300", 1},
		"304":           {choices(304), registry.InternalError, "nothing has changed", 1},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			s := w.registry(t, "registry.test")
			s.On("GET "+manifestV1, c.answer)
			r := w.reader(t, remote.Options{}, "registry.test")
			_, err := r.Detail(t.Context(), team1, web("registry.test"))
			if c.kind == "" && err != nil {
				t.Error(err)
			}
			if c.kind != "" {
				failed(t, err, c.kind, c.says)
			}
			if got := len(s.Requests()) - 1; got != c.asked { // less the ping
				t.Errorf("asked %d times, want %d", got, c.asked)
			}
		})
	}
}

func choices(status int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", manifestV1)
		w.WriteHeader(status)
		fmt.Fprint(w, webImage)
	}
}

// basic makes a script want the password itself.
func basic(s *registrytest.Script, password string, next http.HandlerFunc) http.HandlerFunc {
	guarded := func(next http.HandlerFunc) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if user, shown, _ := r.BasicAuth(); user != "robot" || shown != password {
				challenge(`Basic realm="test"`)(w, r)
				return
			}
			next(w, r)
		}
	}
	s.On("/v2/", guarded(registrytest.Body("application/json", []byte("{}"))))
	return guarded(next)
}

// trapAt is a trap over HTTPS or plain HTTP.
func (w *world) trapAt(t testing.TB, name, port string, plain bool, secrets ...string) *registrytest.Trap {
	if !plain {
		return w.trap(t, name, port, secrets...)
	}
	trap := registrytest.NewTrap(t, secrets...)
	w.place(name, port, trap.Host)
	return trap
}

// fault: H-08
func TestLinks(t *testing.T) {
	const next = `; rel="next"`
	for name, c := range map[string]struct {
		link string
		ok   bool
	}{
		"path":          {"<" + tagsList + "?last=b&n=2>" + next, true},
		"whole":         {"<https://registry.test" + tagsList + "?last=b>" + next, true},
		"with the port": {"<https://registry.test:443" + tagsList + "?last=b>" + next, true},
		"query alone":   {"<?last=b>" + next, true},
		"no relation":   {"<" + tagsList + "?last=b>", true},
		"beside others": {`<https://docs.test/>; rel="help", <` + tagsList + `?last=b>` + next, true},
		"other host":    {"<https://evil.test" + tagsList + ">" + next, false},
		"other port":    {"<https://registry.test:8443" + tagsList + ">" + next, false},
		"other scheme":  {"<http://registry.test" + tagsList + ">" + next, false},
		"no scheme":     {"<//evil.test" + tagsList + ">" + next, false},
		"backslashes":   {`<\\evil.test` + tagsList + ">" + next, false},
		"user":          {"<https://u:p@registry.test" + tagsList + ">" + next, false},
		"up":            {"<../../../../secrets>" + next, false},
		"up and down":   {"</v2/../secrets/tags/list>" + next, false},
		"encoded up":    {"</v2/%2e%2e/secrets/tags/list>" + next, false},
		"outside":       {"</secrets/tags/list>" + next, false},
		"a manifest":    {"<" + manifestV1 + ">" + next, false},
		"two":           {"<" + tagsList + "?last=b>" + next + ", <" + tagsList + "?last=c>" + next, false},
		"unreadable":    {tagsList, false},
	} {
		t.Run(name, func(t *testing.T) {
			w, password := newWorld(t), secret()
			s := w.registry(t, "registry.test")
			s.On("GET "+tagsList, basic(s, password, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Query().Get("last") == "" {
					w.Header().Set("Link", c.link)
					fmt.Fprint(w, `{"name":"team1/web","tags":["a","b"]}`)
					return
				}
				fmt.Fprint(w, `{"name":"team1/web","tags":["c"]}`)
			}))
			w.trap(t, "evil.test", "443", password)
			w.place("registry.test", "8443", w.trap(t, "unused.test", "443", password).Host)
			w.place("registry.test", "80", registrytest.NewTrap(t, password).Host)
			r := w.reader(t, remote.Options{Credentials: as(t, "registry.test", password)}, "registry.test")
			tags, err := r.Tags(t.Context(), team1, web("registry.test").Repo)
			switch {
			case c.ok && (err != nil || strings.Join(tags, " ") != "a b c"):
				t.Errorf("got %v, %v", tags, err)
			case !c.ok:
				failed(t, err, registry.Invalid, "goes on where it must not lead")
				if tags != nil {
					t.Errorf("got %v beside the error", tags)
				}
			}
		})
	}
}
