package github_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/towpath/towpath/forge"
	"github.com/towpath/towpath/forge/github"
)

const appID, installation = 12345, 67890

// An appServer is what of GitHub's API an App speaks to, with a clock of its own.
type appServer struct {
	t     testing.TB
	srv   *httptest.Server
	fault func(w http.ResponseWriter, r *http.Request) bool

	mu     sync.Mutex
	clock  time.Time
	key    *rsa.PublicKey
	issued int
	found  int    // look-ups of the installation
	canary string // what was shown
}

func newAppServer(t testing.TB, key *rsa.PrivateKey) *appServer {
	s := &appServer{t: t, clock: start, key: &key.PublicKey}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /repos/"+owner+"/"+repo+"/installation", func(w http.ResponseWriter, r *http.Request) {
		s.found++
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		fmt.Fprintf(w, `{"id":%d,"app_id":%d,"app_slug":"towpath","target_type":"Organization","permissions":{"contents":"write","metadata":"read","pull_requests":"write"},"repository_selection":"selected","suspended_at":null}`, installation, appID)
	})
	mux.HandleFunc(fmt.Sprintf("POST /app/installations/%d/access_tokens", installation), s.give)
	s.srv = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		w.Header().Set("Date", s.clock.UTC().Format(http.TimeFormat))
		if s.fault != nil && s.fault(w, r) {
			return
		}
		if why := s.believes(r); why != "" {
			refuse(w, 401, why, "apps/apps")
			return
		}
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(s.srv.Close)
	return s
}

// believes judges a signed request as GitHub does, by its own clock.
func (s *appServer) believes(r *http.Request) string {
	raw := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	s.canary = raw
	var claims jwt.RegisteredClaims
	_, err := jwt.ParseWithClaims(raw, &claims, func(*jwt.Token) (any, error) { return s.key, nil },
		jwt.WithValidMethods([]string{"RS256"}), jwt.WithTimeFunc(func() time.Time { return s.clock }), jwt.WithIssuedAt(), jwt.WithExpirationRequired())
	switch {
	case errors.Is(err, jwt.ErrTokenUsedBeforeIssued):
		return "'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued"
	case err != nil:
		return "A JSON web token could not be decoded"
	case claims.Issuer != fmt.Sprint(appID):
		return "Integration must generate a public key"
	case claims.ExpiresAt.Sub(s.clock) > 10*time.Minute:
		return "'Expiration time' claim ('exp') is too far in the future"
	}
	return ""
}

func (s *appServer) give(w http.ResponseWriter, r *http.Request) {
	var in struct{ Repositories []string }
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil || len(in.Repositories) != 1 || in.Repositories[0] != repo {
		s.t.Errorf("a token is asked for %q: %v", in.Repositories, err)
	}
	s.issued++
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(http.StatusCreated)
	fmt.Fprintf(w, `{"token":"ghs_%dcanary","expires_at":%q,"permissions":{"contents":"write"},"repository_selection":"selected"}`, s.issued, s.clock.Add(time.Hour).UTC().Format(time.RFC3339))
}

func newKey(t testing.TB) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// oneKey is made once: it takes its time.
var oneKey = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

func writeKey(t testing.TB, path, kind string, der []byte) {
	t.Helper()
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
}

// An app is an App at a server of its own, with a clock that the test sets.
type app struct {
	*github.App
	server *appServer
	file   string
	mu     sync.Mutex
	clock  time.Time
}

func newApp(t testing.TB, o github.AppOptions) *app {
	t.Helper()
	key, err := oneKey()
	if err != nil {
		t.Fatal(err)
	}
	a := &app{server: newAppServer(t, key), file: filepath.Join(t.TempDir(), "app.pem"), clock: start}
	writeKey(t, a.file, "RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key))
	o.API, o.ID, o.KeyFile, o.Owner, o.Repo = a.server.srv.URL, appID, a.file, owner, repo
	if a.App, err = github.NewApp(o); err != nil {
		t.Fatal(err)
	}
	a.At(func() time.Time {
		a.mu.Lock()
		defer a.mu.Unlock()
		return a.clock
	})
	return a
}

// pass lets time pass, here and there.
func (a *app) pass(d time.Duration) {
	a.mu.Lock()
	a.clock = a.clock.Add(d)
	a.mu.Unlock()
	a.server.mu.Lock()
	a.server.clock = a.server.clock.Add(d)
	a.server.mu.Unlock()
}

func (a *app) want(t *testing.T, token string) {
	t.Helper()
	if got, err := a.Token(t.Context()); err != nil || got != token {
		t.Errorf("the token is %q, %v; want %q", got, err, token)
	}
}

func TestAppRenewsBeforeTheEnd(t *testing.T) {
	t.Parallel()
	a := newApp(t, github.AppOptions{})
	a.want(t, "ghs_1canary")
	a.pass(49 * time.Minute)
	a.want(t, "ghs_1canary")
	a.pass(2 * time.Minute) // nine are left
	a.want(t, "ghs_2canary")
	if a.server.found != 1 {
		t.Errorf("the installation was looked up %d times, want once", a.server.found)
	}
}

// TestAppOutlivesAShortOutage shows the old token for as long as it has five minutes, and not
// longer.
func TestAppOutlivesAShortOutage(t *testing.T) {
	t.Parallel()
	a := newApp(t, github.AppOptions{Installation: installation})
	a.want(t, "ghs_1canary")
	tries := 0
	a.server.fault = func(w http.ResponseWriter, r *http.Request) bool {
		tries++
		w.WriteHeader(http.StatusBadGateway)
		return true
	}
	a.pass(51 * time.Minute)
	a.want(t, "ghs_1canary")
	a.want(t, "ghs_1canary")
	if tries != 1 {
		t.Errorf("it was tried %d times within half a minute, want once", tries)
	}
	a.pass(time.Minute)
	a.want(t, "ghs_1canary")
	if tries != 2 {
		t.Errorf("it was tried %d times, want twice", tries)
	}
	a.pass(4 * time.Minute) // four are left
	_, err := a.Token(t.Context())
	wantKind(t, err, forge.Unreachable)
	a.server.fault = nil
	a.want(t, "ghs_2canary")
}

// TestAppWithAnotherClock is a minute ahead of GitHub at most, or some behind.
func TestAppWithAnotherClock(t *testing.T) {
	t.Parallel()
	for _, skew := range []time.Duration{-59 * time.Second, 59 * time.Second, 7 * time.Minute} {
		a := newApp(t, github.AppOptions{})
		a.server.clock = start.Add(skew)
		a.want(t, "ghs_1canary")
		a.pass(48 * time.Minute)
		a.want(t, "ghs_1canary")
		a.pass(3 * time.Minute)
		a.want(t, "ghs_2canary")
	}
	a := newApp(t, github.AppOptions{})
	a.server.clock = start.Add(-time.Hour)
	_, err := a.Token(t.Context())
	e := wantKind(t, err, forge.Unauthorized)
	if !strings.Contains(e.Fix, "clock is right") || !strings.Contains(e.Fix, a.file) {
		t.Errorf("fix: %s", e.Fix)
	}
	if strings.Contains(fmt.Sprintf("%v %#v", err, e), a.server.canary) {
		t.Error("the signed request stands in the error")
	}
}

func TestAppRenewsOnceForAll(t *testing.T) {
	t.Parallel()
	a := newApp(t, github.AppOptions{})
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() { a.want(t, "ghs_1canary") })
	}
	all.Wait()
	if a.server.issued != 1 {
		t.Errorf("%d tokens were made, want one", a.server.issued)
	}
}

// TestAppReadsItsKeyAnew changes the key between renewals.
func TestAppReadsItsKeyAnew(t *testing.T) {
	t.Parallel()
	a := newApp(t, github.AppOptions{})
	a.want(t, "ghs_1canary")
	next := newKey(t)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(next)
	if err != nil {
		t.Fatal(err)
	}
	writeKey(t, a.file, "PRIVATE KEY", pkcs8)
	a.server.key = &next.PublicKey
	a.pass(58 * time.Minute)
	a.want(t, "ghs_2canary")
}

func TestAppKeysThatAreNone(t *testing.T) {
	t.Parallel()
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		write func(path string)
		what  string
	}{
		"not there":   {func(path string) { os.Remove(path) }, "no such file"},
		"empty":       {func(path string) { os.WriteFile(path, nil, 0o600) }, "is no PEM"},
		"a directory": {func(path string) { os.Remove(path); os.Mkdir(path, 0o700) }, "cannot be read"},
		"endless":     {func(path string) { os.WriteFile(path, make([]byte, 1<<20), 0o600) }, "too large"},
		"encrypted":   {func(path string) { writeKey(t, path, "ENCRYPTED PRIVATE KEY", []byte("canary")) }, "no unencrypted RSA key"},
		"broken":      {func(path string) { writeKey(t, path, "RSA PRIVATE KEY", []byte("canary")) }, "no RSA key"},
		"too short":   {func(path string) { writeKey(t, path, "RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(small)) }, "no RSA key of 2048 bits"},
	} {
		a := newApp(t, github.AppOptions{})
		c.write(a.file)
		_, err := a.Token(t.Context())
		e := wantKind(t, err, forge.Unauthorized)
		if !strings.Contains(e.What, c.what) || !strings.Contains(e.What, a.file) || strings.Contains(e.Fix, "clock") {
			t.Errorf("%s: %s (fix: %s), want %q", name, e.What, e.Fix, c.what)
		}
	}
}

func TestAppThatIsNotInstalled(t *testing.T) {
	t.Parallel()
	a := newApp(t, github.AppOptions{})
	a.server.fault = func(w http.ResponseWriter, r *http.Request) bool {
		refuse(w, 404, "Not Found", "apps/apps#get-a-repository-installation-for-the-authenticated-app")
		return true
	}
	_, err := a.Token(t.Context())
	if e := wantKind(t, err, forge.NotFound); !strings.Contains(e.Fix, "install the App on "+owner+"/"+repo) {
		t.Errorf("fix: %s", e.Fix)
	}
	a.server.fault = func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodGet {
			return false
		}
		refuse(w, 403, "This installation has been suspended", "apps/apps")
		return true
	}
	_, err = a.Token(t.Context())
	wantKind(t, err, forge.Refused)
	// It is installed anew, and has another number.
	a.server.fault = func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodGet {
			return false
		}
		refuse(w, 404, "Not Found", "apps/apps")
		return true
	}
	_, err = a.Token(t.Context())
	wantKind(t, err, forge.NotFound)
	a.server.fault = nil
	a.want(t, "ghs_1canary")
	if a.server.found != 2 {
		t.Errorf("the installation was looked up %d times, want twice", a.server.found)
	}
}

func TestAppAnswersThatAreNone(t *testing.T) {
	t.Parallel()
	for _, answer := range []string{`{"token":"","expires_at":"2026-11-21T11:00:00Z"}`, `{"token":"ghs_x"}`, `{"token":"ghs_x","expires_at":"2026-11-21T09:00:00Z"}`, `{}`} {
		a := newApp(t, github.AppOptions{Installation: installation})
		a.server.fault = func(w http.ResponseWriter, r *http.Request) bool {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusCreated)
			fmt.Fprint(w, answer)
			return true
		}
		_, err := a.Token(t.Context())
		if e := wantKind(t, err, forge.Invalid); strings.Contains(e.Error(), "ghs_") {
			t.Errorf("%v holds the token", e)
		}
	}
}

// TestAppSpeaksForAForge uses an App's token for pull requests, and shows the signed request to
// the App's API alone.
func TestAppSpeaksForAForge(t *testing.T) {
	t.Parallel()
	a := newApp(t, github.AppOptions{})
	h := newHub(t)
	h.token = "ghs_1canary"
	f, err := github.New(github.Options{API: h.api(), Owner: owner, Repo: repo, Token: a.Token})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.List(t.Context(), "main", ""); err != nil {
		t.Error(err)
	}
	// A redirect to elsewhere does not take it along.
	stranger := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		t.Errorf("a stranger is asked %s with %q", r.URL, r.Header.Get("Authorization"))
	}))
	t.Cleanup(stranger.Close)
	b := newApp(t, github.AppOptions{})
	b.server.fault = func(w http.ResponseWriter, r *http.Request) bool {
		http.Redirect(w, r, stranger.URL+r.URL.Path, http.StatusTemporaryRedirect)
		return true
	}
	if _, err := b.Token(t.Context()); err == nil {
		t.Error("a redirect to elsewhere is a success")
	}
	// What an App cannot do, its forge says.
	os.Remove(b.file)
	f, err = github.New(github.Options{API: h.api(), Owner: owner, Repo: repo, Token: b.Token})
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.List(t.Context(), "main", "")
	if e := wantKind(t, err, forge.Unauthorized); !strings.Contains(e.What, b.file) {
		t.Errorf("%v does not name the key's file", e)
	}
}

func TestAppOptions(t *testing.T) {
	t.Parallel()
	good := github.AppOptions{ID: 1, KeyFile: "key.pem", Owner: owner, Repo: repo}
	if _, err := github.NewApp(good); err != nil {
		t.Error(err)
	}
	for name, spoil := range map[string]func(*github.AppOptions){
		"no id":   func(o *github.AppOptions) { o.ID = 0 },
		"no key":  func(o *github.AppOptions) { o.KeyFile = "" },
		"upwards": func(o *github.AppOptions) { o.Repo = ".." },
		"slash":   func(o *github.AppOptions) { o.Owner = "a/b" },
		"a user":  func(o *github.AppOptions) { o.API = "https://user:x@api.example/" },
		"no URL":  func(o *github.AppOptions) { o.API = "api.example" },
		"plain":   func(o *github.AppOptions) { o.API = "http://api.example/" },
	} {
		o := good
		spoil(&o)
		if _, err := github.NewApp(o); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func wantKind(t *testing.T, err error, kind forge.Kind) *forge.Error {
	t.Helper()
	e := (*forge.Error)(nil)
	if !errors.As(err, &e) {
		t.Fatalf("%v is no *forge.Error, want %s", err, kind)
	}
	if e.Kind != kind || e.What == "" || e.Fix == "" || e.Forge == "" {
		t.Errorf("%#v, want %s", e, kind)
	}
	return e
}

// TestAppMakesAnotherTokenForARevokedOne has GitHub take tokens no more that have long to live: one request fails,
// and the next one goes with a new token. It makes one each time, however often that is refused.
func TestAppMakesAnotherTokenForARevokedOne(t *testing.T) {
	t.Parallel()
	a := newApp(t, github.AppOptions{})
	h := newHub(t)
	h.token = "ghs_1canary"
	f, err := github.New(github.Options{API: h.api(), Owner: owner, Repo: repo, Token: a.Token})
	if err != nil {
		t.Fatal(err)
	}
	list := func() error { _, err := f.List(t.Context(), "main", ""); return err }
	if err := list(); err != nil {
		t.Fatal(err)
	}
	h.token = "ghs_2canary"
	wantKind(t, list(), forge.Unauthorized)
	for range 3 {
		if err := list(); err != nil {
			t.Errorf("with another token: %v", err)
		}
	}
	h.token = "ghs_none"
	for range 4 {
		wantKind(t, list(), forge.Unauthorized)
	}
	if len(h.seen) != 1+1+3+4 || a.server.issued != 2+3 {
		t.Errorf("%d requests went with %d tokens, want 9 with 5", len(h.seen), a.server.issued)
	}
	// What GitHub refused is not shown again while there is no other.
	a.server.fault = func(w http.ResponseWriter, r *http.Request) bool {
		w.WriteHeader(http.StatusBadGateway)
		return true
	}
	wantKind(t, list(), forge.Unreachable)
	if len(h.seen) != 9 {
		t.Errorf("a token that was refused is sent again: %q", h.seen[9:])
	}
}

// TestAppGoesByTheClockOnTheWall keeps no reading of the clock that stands still while a machine sleeps.
func TestAppGoesByTheClockOnTheWall(t *testing.T) {
	t.Parallel()
	a := newApp(t, github.AppOptions{})
	a.At(time.Now)
	a.server.clock = time.Now()
	a.want(t, "ghs_1canary")
	if at := a.Expires(); at != at.Round(0) || time.Until(at) < 50*time.Minute {
		t.Errorf("it expires at %v", at)
	}
}
