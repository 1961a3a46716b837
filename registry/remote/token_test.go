package remote_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/towpath/towpath/registry"
	"github.com/towpath/towpath/registry/registrytest"
	"github.com/towpath/towpath/registry/remote"
)

// count is how many requests for a path a script had.
func count(s *registrytest.Script, path string) (n int) {
	for _, r := range s.Requests() {
		if strings.HasPrefix(r.URI, path) {
			n++
		}
	}
	return n
}

// Many questions about one repository need one ping and one token.
func TestTokenIsShared(t *testing.T) {
	s, r := one(t)
	s.On("GET /v2/team1/web/manifests/*", bearer(s, "", "a.b.c", manifest(ociImage, webImage)))
	var group sync.WaitGroup
	for i := range 200 {
		group.Go(func() {
			ref := web("registry.test")
			ref.Tag = fmt.Sprint("v", i)
			if _, err := r.Head(t.Context(), team1, ref); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if tokens, all := count(s, "/token"), len(s.Requests()); tokens != 1 || all != 202 {
		t.Errorf("%d token requests of %d, want 1 of 202", tokens, all)
	}
}

// fault: R-05
func TestTokenExpiresInList(t *testing.T) {
	s, r := one(t)
	var issued atomic.Int64
	s.On("/token", func(w http.ResponseWriter, r *http.Request) {
		registrytest.JSON(map[string]any{"token": fmt.Sprint("t", issued.Add(1)), "expires_in": 300})(w, r)
	})
	pages := map[string]struct{ needs, next string }{"": {"t1", "1"}, "1": {"t1", "2"}, "2": {"t2", "3"}, "3": {"t2", ""}}
	s.On("GET "+tagsList, func(w http.ResponseWriter, r *http.Request) {
		last := r.URL.Query().Get("last")
		page := pages[last]
		if r.Header.Get("Authorization") != "Bearer "+page.needs {
			challenge(`Bearer realm="https://registry.test/token",service="test"`)(w, r)
			return
		}
		if page.next != "" {
			w.Header().Set("Link", "<"+tagsList+"?last="+page.next+`>; rel="next"`)
		}
		registrytest.JSON(map[string]any{"tags": []string{"v" + last}})(w, r)
	})
	got, err := r.Tags(t.Context(), team1, web("registry.test").Repo)
	if diff := cmp.Diff([]string{"v", "v1", "v2", "v3"}, got); err != nil || diff != "" {
		t.Errorf("error %v, (-want +got):\n%s", err, diff)
	}
	if n := issued.Load(); n != 2 {
		t.Errorf("%d tokens, want 2", n)
	}
}

// fault: R-06
func TestWrongPassword(t *testing.T) {
	for _, scheme := range []string{"Basic", "Bearer"} {
		t.Run(scheme, func(t *testing.T) {
			w := newWorld(t)
			s := w.registry(t, "registry.test")
			guard := func(next http.HandlerFunc) http.HandlerFunc { return bearer(s, secret(), "a.b.c", next) }
			if scheme == "Basic" {
				guard = func(next http.HandlerFunc) http.HandlerFunc { return basic(s, secret(), next) }
			}
			s.On("GET "+manifestV1, guard(manifest(ociImage, webImage)))
			r := w.reader(t, remote.Options{Credentials: as(t, "registry.test", secret())}, "registry.test")
			for range 5 {
				_, err := r.Detail(t.Context(), team1, web("registry.test"))
				failed(t, err, registry.Unauthorized, "no such repository, or no access to it (the credential of team1 was refused, asked anonymously)")
			}
			shown := 0
			for _, r := range s.Requests() {
				if strings.HasPrefix(r.Header.Get("Authorization"), "Basic ") {
					shown++
				}
			}
			if shown != 1 {
				t.Errorf("the wrong password was shown %d times, want once", shown)
			}
		})
	}
}

// A credential without access to one repository is still good for another.
func TestNoAccessToOneRepository(t *testing.T) {
	w, password := newWorld(t), secret()
	s := w.registry(t, "registry.test")
	s.On("GET "+manifestV1, bearer(s, password, "a.b.c", manifest(ociImage, webImage)))
	s.On("GET /v2/team2/secret/manifests/v1", challenge(`Bearer realm="https://registry.test/token",service="test"`))
	s.On("/token", func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Query().Get("scope"), "team2/secret") {
			registrytest.RegistryError(http.StatusForbidden, "DENIED", "x")(w, r)
			return
		}
		if _, shown, _ := r.BasicAuth(); shown == password {
			registrytest.JSON(map[string]string{"token": "a.b.c"})(w, r)
		}
	})
	r := w.reader(t, remote.Options{Credentials: as(t, "registry.test", password)}, "registry.test")
	other := web("registry.test")
	other.Path = "team2/secret"
	_, err := r.Head(t.Context(), team1, other)
	failed(t, err, registry.Unauthorized, "(the credential of team1 has no access, asked anonymously)")
	if _, err := r.Head(t.Context(), team1, web("registry.test")); err != nil {
		t.Error(err)
	}
}

// What is public stays readable when a credential is refused.
func TestAnonymousAfterRefusal(t *testing.T) {
	w := newWorld(t)
	s := w.registry(t, "registry.test")
	next := bearer(s, "", "public", manifest(ociImage, webImage))
	s.On("GET "+manifestV1, next)
	r := w.reader(t, remote.Options{Credentials: as(t, "registry.test", secret())}, "registry.test")
	if _, err := r.Head(t.Context(), team1, web("registry.test")); err != nil {
		t.Error(err)
	}
}

// fault: H-22
func TestChallengesEnd(t *testing.T) {
	const asked = `Bearer realm="https://registry.test/token",service="test",scope=`
	for name, next := range map[string]func(n int64) string{
		"for ever":       func(int64) string { return asked + `"repository:team1/web:pull"` },
		"another scope":  func(n int64) string { return fmt.Sprintf(asked+`"repository:other%d/web:pull,push"`, n) },
		"another realm":  func(n int64) string { return fmt.Sprintf(`Bearer realm="https://registry.test/token?%d"`, n) },
		"another scheme": func(n int64) string { return []string{asked, `Basic realm="x"`}[n%2] },
		"unknown action": func(n int64) string { return fmt.Sprintf(asked+`"registry:catalog%d:*"`, n) },
	} {
		for _, before := range []string{"unknown", "known", "refused"} {
			t.Run(name+", "+before, func(t *testing.T) {
				w, password := newWorld(t), secret()
				s := w.registry(t, "registry.test")
				s.On("GET "+manifestV1, bearer(s, password, "a.b.c", manifest(ociImage, webImage)))
				r := w.reader(t, remote.Options{Credentials: as(t, "registry.test", password)}, "registry.test")
				if before == "known" {
					if _, err := r.Detail(t.Context(), team1, web("registry.test")); err != nil {
						t.Fatal(err)
					}
				}
				sent, fetched := count(s, "/v2/"), count(s, "/token")
				var n atomic.Int64
				endless := func(w http.ResponseWriter, r *http.Request) { challenge(next(n.Add(1)))(w, r) }
				s.On("/v2/*", endless)
				s.On("/v2/", endless)
				s.On("GET "+manifestV1, endless)
				s.On("/token", func(w http.ResponseWriter, r *http.Request) {
					if _, _, ok := r.BasicAuth(); ok && before == "refused" {
						w.WriteHeader(http.StatusUnauthorized)
						return
					}
					registrytest.JSON(map[string]string{"token": "new"})(w, r)
				})
				_, err := r.Detail(t.Context(), team1, web("registry.test"))
				failed(t, err, registry.Unauthorized, "no access")
				if sent, fetched := count(s, "/v2/")-sent, count(s, "/token")-fetched; sent > 3 || fetched > 2 {
					t.Errorf("%d registry and %d token requests, want at most 3 and 2", sent, fetched)
				}
				for _, r := range s.Requests() {
					if strings.Contains(r.URI, "push") || strings.Contains(r.URI, "catalog") {
						t.Errorf("asked for more than to pull: %s", r.URI)
					}
				}
			})
		}
	}
}

// fault: H-23
func TestTokenAnswers(t *testing.T) {
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		kind   registry.Kind // empty: it works
	}{
		"token":        {registrytest.JSON(map[string]string{"token": "good"}), ""},
		"access_token": {registrytest.JSON(map[string]string{"access_token": "good"}), ""},
		// fault: R-14
		"expires 0":     {registrytest.JSON(map[string]any{"token": "good", "expires_in": 0}), ""},
		"expires -1":    {registrytest.JSON(map[string]any{"token": "good", "expires_in": -1}), ""},
		"expires 1e18":  {registrytest.JSON(map[string]any{"token": "good", "expires_in": 1e18}), ""},
		"expires later": {registrytest.JSON(map[string]any{"token": "good", "issued_at": "2999-01-01T00:00:00Z"}), ""},
		"expires junk":  {registrytest.JSON(map[string]any{"token": "good", "expires_in": "soon"}), ""},
		"none":          {registrytest.JSON(map[string]string{}), registry.Invalid},
		"line break":    {registrytest.JSON(map[string]string{"token": "good\r\nX-Evil: 1"}), registry.Invalid},
		"web page":      {registrytest.Body("text/html", []byte("<html>")), registry.Invalid},
		"64 KiB":        {registrytest.JSON(map[string]string{"token": strings.Repeat("a", 64<<10)}), registry.Invalid},
		"refused":       {registrytest.Status(403), registry.Unauthorized},
		"503":           {registrytest.Status(503), registry.InternalError},
		"429":           {registrytest.Status(429), registry.RateLimited},
	} {
		t.Run(name, func(t *testing.T) {
			s, r := one(t)
			s.On("GET "+manifestV1, bearer(s, "", "good", manifest(ociImage, webImage)))
			s.On("/token", c.answer)
			for range 2 {
				_, err := r.Head(t.Context(), team1, web("registry.test"))
				if c.kind == "" && err != nil {
					t.Error(err)
				}
				if c.kind != "" {
					failed(t, err, c.kind, "")
				}
			}
			if n := count(s, "/token"); c.kind == "" && n != 1 {
				t.Errorf("%d token requests, want 1", n)
			}
		})
	}
}

// fault: H-33
//
// What one namespace's credential opened stays closed to another, and to what
// another registry asks.
func TestTokensStayApart(t *testing.T) {
	w, password := newWorld(t), secret()
	a, b := w.registry(t, "a.test"), w.registry(t, "b.test")
	a.On("GET "+manifestV1, bearer(a, password, "secret-of-a", manifest(ociImage, webImage)))
	// b names a's token service and a's scope, hoping for a's token.
	b.On("/v2/*", challenge(`Bearer realm="https://a.test/token",service="test",scope="repository:team1/web:pull"`))
	r := w.reader(t, remote.Options{Credentials: []remote.Credential{{
		File: logins(t, map[string]string{"a.test": password}), Namespaces: []string{"team1"}, Paths: []string{"team1/**"},
	}}}, "a.test", "b.test")
	if _, err := r.Detail(t.Context(), team1, web("a.test")); err != nil {
		t.Fatal(err)
	}
	_, err := r.Detail(t.Context(), team1, web("b.test"))
	failed(t, err, registry.Unauthorized, "asked anonymously")
	for _, on := range []registry.On{
		{Namespace: "team2", Path: "team2/streams.yaml"},
		{Namespace: "team1", Path: "team2/streams.yaml"}, // says it is team1
		{Namespace: "team2", Path: "team1/streams.yaml"},
	} {
		_, err = r.Detail(t.Context(), on, web("a.test"))
		failed(t, err, registry.Unauthorized, "asked anonymously")
	}
	for _, r := range b.Requests() {
		if v := r.Header.Get("Authorization"); v != "" {
			t.Errorf("b was shown %q", v)
		}
	}
}

// The message is the same each time and holds no secret, address or file.
func TestMessages(t *testing.T) {
	w, password := newWorld(t), secret()
	s := w.registry(t, "registry.test")
	s.On("GET "+manifestV1, bearer(s, password, "a.b.c", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Request-Id", secret())
		registrytest.RegistryError(403, "DENIED", r.Header.Get("Authorization")+secret())(w, r)
	}))
	file := logins(t, map[string]string{"registry.test": password})
	r := w.reader(t, remote.Options{Credentials: []remote.Credential{{File: file}}}, "registry.test")
	_, first := r.Detail(t.Context(), team1, web("registry.test"))
	_, second := r.Detail(t.Context(), team1, web("registry.test"))
	const want = "registry.test/team1/web:v1: access denied (the credential of team1 has no access, asked anonymously): https://registry.test:443 answered 403 DENIED"
	if first.Error() != want || second.Error() != want {
		t.Errorf("got\n%v\n%v\nwant\n%s", first, second, want)
	}
}

// An identity token is exchanged, and goes only to the token service.
func TestIdentityToken(t *testing.T) {
	w, identity := newWorld(t), secret()
	s := w.registry(t, "registry.test")
	s.On("GET "+manifestV1, bearer(s, "", "a.b.c", manifest(ociImage, webImage)))
	s.On("GET /token", registrytest.Status(401))
	s.On("POST /token", func(w http.ResponseWriter, r *http.Request) {
		if r.FormValue("refresh_token") != identity || r.FormValue("grant_type") != "refresh_token" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		registrytest.JSON(map[string]string{"access_token": "a.b.c"})(w, r)
	})
	file := filepath.Join(t.TempDir(), "logins.json")
	body, err := json.Marshal(map[string]any{"auths": map[string]any{"registry.test": map[string]string{"identitytoken": identity}}})
	if err := errors.Join(err, os.WriteFile(file, body, 0o600)); err != nil {
		t.Fatal(err)
	}
	r := w.reader(t, remote.Options{Credentials: []remote.Credential{{File: file}}}, "registry.test")
	if _, err := r.Head(t.Context(), team1, web("registry.test")); err != nil {
		t.Error(err)
	}
	for _, r := range s.Requests() {
		if r.URI != "/token" && strings.Contains(fmt.Sprint(r), identity) {
			t.Errorf("the identity token went to %s", r.URI)
		}
	}
}

// fault: H-24
func TestChallengeHeaders(t *testing.T) {
	for name, c := range map[string]struct {
		lines []string
		shown bool // the password, to the token service of the registry
		basic bool // the password, to the registry
	}{
		"bearer":            {[]string{`Bearer realm="https://registry.test/token"`}, true, false},
		"basic":             {[]string{`Basic realm="x"`}, false, true},
		"both":              {[]string{`Basic realm="x"`, `Bearer realm="https://registry.test/token"`}, true, false},
		"both in one":       {[]string{`Basic realm="x", Bearer realm="https://registry.test/token",service="s"`}, true, false},
		"bearer, then not":  {[]string{`Bearer realm="https://evil.test/token"`, `Basic realm="x"`}, false, false},
		"unbalanced":        {[]string{`Bearer realm="https://registry.test/token`}, false, false},
		"1000 of them":      {[]string{strings.Repeat(`Negotiate, `, 700) + `Basic realm="x"`}, false, false},
		"too long":          {[]string{`Basic realm="` + strings.Repeat("x", 9<<10) + `"`}, false, false},
		"others":            {[]string{"Negotiate", "NTLM"}, false, false},
		"nothing":           {[]string{""}, false, false},
		"spaces and cases":  {[]string{`bEARER  realm = "https://registry.test/token" , SERVICE=s`}, true, false},
		"a comma in quotes": {[]string{`Bearer realm="https://registry.test/token",scope="repository:a/b:pull,push"`}, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			w, password := newWorld(t), secret()
			s := w.registry(t, "registry.test")
			s.On("/v2/*", func(w http.ResponseWriter, r *http.Request) {
				w.Header()["Www-Authenticate"] = c.lines
				w.WriteHeader(http.StatusUnauthorized)
			})
			s.On("/token", registrytest.JSON(map[string]string{"token": "t"}))
			w.trap(t, "evil.test", "443", password)
			r := w.reader(t, remote.Options{Credentials: as(t, "registry.test", password)}, "registry.test")
			_, err := r.Detail(t.Context(), team1, web("registry.test"))
			failed(t, err, registry.Unauthorized, "")
			shown, basic := false, false
			for _, r := range s.Requests() {
				if strings.HasPrefix(r.Header.Get("Authorization"), "Basic ") {
					shown = shown || strings.HasPrefix(r.URI, "/token")
					basic = basic || strings.HasPrefix(r.URI, "/v2/")
				}
			}
			if shown != c.shown || basic != c.basic {
				t.Errorf("password shown to the token service %t, to the registry %t, want %t, %t", shown, basic, c.shown, c.basic)
			}
		})
	}
}
