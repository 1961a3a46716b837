package hooks

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"
)

// An issuer is a real one on loopback: its own keys, its own certificate, and a count of who
// asks. Its keys are made for the run.
type issuer struct {
	*httptest.Server
	rsa *rsa.PrivateKey
	ec  *ecdsa.PrivateKey

	mu    sync.Mutex
	asked map[string]int // by path
	down  bool
	also  []any // further keys
}

func newIssuer(t testing.TB) *issuer {
	t.Helper()
	i := &issuer{rsa: newRSA(t), ec: newEC(t), asked: map[string]int{}}
	i.Server = httptest.NewTLSServer(i)
	t.Cleanup(i.Close)
	return i
}

func newRSA(t testing.TB) *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func newEC(t testing.TB) *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func (i *issuer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.asked[r.URL.Path]++
	switch {
	case i.down:
		http.Error(w, "down", http.StatusBadGateway)
	case r.URL.Path == wellKnown:
		json.NewEncoder(w).Encode(map[string]string{"issuer": i.URL, "jwks_uri": i.URL + "/keys"})
	case r.URL.Path == "/keys":
		json.NewEncoder(w).Encode(map[string]any{"keys": append([]any{
			jose.JSONWebKey{Key: i.rsa.Public(), KeyID: "r1", Algorithm: "RS256", Use: "sig"},
			jose.JSONWebKey{Key: i.ec.Public(), KeyID: "e1"},
		}, i.also...)})
	default:
		http.NotFound(w, r)
	}
}

func (i *issuer) requests() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	n := 0
	for _, c := range i.asked {
		n += c
	}
	return n
}

func (i *issuer) set(change func()) {
	i.mu.Lock()
	defer i.mu.Unlock()
	change()
}

func (i *issuer) trust() Trust {
	return Trust{Issuer: i.URL, Audience: "https://hooks.example/hooks/gar", Email: "push@project.example"}
}

// keys are those of the issuer, asked for once.
func (i *issuer) keys(t testing.TB) *Keys {
	k := NewKeys(i.Client(), []string{i.URL}, quiet())
	k.refresh(t.Context(), i.URL, k.rings[i.URL])
	return k
}

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

type object = map[string]any

// says are the claims of a good token.
func (i *issuer) says(now time.Time) object {
	return object{
		"iss": i.URL, "aud": i.trust().Audience, "email": i.trust().Email, "email_verified": true,
		"iat": now.Unix(), "exp": now.Add(time.Hour).Unix(),
	}
}

// mint makes a token by hand, so that it can be as wrong as one likes.
func mint(t testing.TB, head, claims object, sign func([]byte) []byte) string {
	t.Helper()
	part := func(v object) string {
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return base64.RawURLEncoding.EncodeToString(text)
	}
	return sealed(part(head)+"."+part(claims), sign)
}

func sealed(signed string, sign func([]byte) []byte) string {
	return signed + "." + base64.RawURLEncoding.EncodeToString(sign([]byte(signed)))
}

func byRSA(key *rsa.PrivateKey) func([]byte) []byte {
	return func(text []byte) []byte {
		sum := sha256.Sum256(text)
		sig, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, sum[:])
		if err != nil {
			panic(err)
		}
		return sig
	}
}

func byEC(key *ecdsa.PrivateKey) func([]byte) []byte {
	return func(text []byte) []byte {
		sum := sha256.Sum256(text)
		r, s, err := ecdsa.Sign(rand.Reader, key, sum[:])
		if err != nil {
			panic(err)
		}
		return append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
	}
}

func byNobody([]byte) []byte { return nil }

func byShared(secret []byte) func([]byte) []byte {
	return func(text []byte) []byte {
		mac := hmac.New(sha256.New, secret)
		mac.Write(text)
		return mac.Sum(nil)
	}
}

// with is an object with some fields changed; nil takes one out.
func with(o object, changes object) object {
	o = maps.Clone(o)
	for k, v := range changes {
		if v == nil {
			delete(o, k)
			continue
		}
		o[k] = v
	}
	return o
}

// fault: W-18
func TestTokens(t *testing.T) {
	is, stranger, now := newIssuer(t), newIssuer(t), time.Now()
	keys, r1 := is.keys(t), object{"alg": "RS256", "kid": "r1", "typ": "JWT"}
	good := byRSA(is.rsa)
	public, err := x509.MarshalPKIXPublicKey(is.rsa.Public())
	if err != nil {
		t.Fatal(err)
	}
	publicPEM := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})
	embedded := jose.JSONWebKey{Key: stranger.rsa.Public(), KeyID: "r1", Algorithm: "RS256"}
	chain := []string{base64.StdEncoding.EncodeToString(is.Certificate().Raw)}

	for _, test := range []struct {
		name   string
		head   object
		claims object
		sign   func([]byte) []byte
		wrong  string // part of what is said; empty: the token is good
	}{
		{"a good one", nil, nil, good, ""},
		{"by an elliptic curve", object{"alg": "ES256", "kid": "e1"}, nil, byEC(is.ec), ""},
		{"for several audiences", nil, object{"aud": []string{"other", is.trust().Audience}}, good, ""},

		{"alg none", object{"alg": "none"}, nil, byNobody, "not signed by"},
		{"alg None", object{"alg": "None"}, nil, byNobody, "not signed by"},
		{"no alg", object{"alg": nil}, nil, good, "not signed by"},
		{"no signature", nil, nil, byNobody, "not signed by the issuer"},
		{"HS256 with the public key in PEM", object{"alg": "HS256"}, nil, byShared(publicPEM), "not signed by RS256"},
		{"HS256 with the public key in DER", object{"alg": "HS256"}, nil, byShared(public), "not signed by RS256"},
		{"another hash", object{"alg": "RS512"}, nil, good, "not signed by RS256"},
		{"an RSA key as ES256", object{"alg": "ES256"}, nil, good, "does not have"},
		{"an EC key as RS256", object{"kid": "e1"}, nil, byEC(is.ec), "not signed by the issuer"},

		{"somebody else's key under the same name", nil, nil, byRSA(stranger.rsa), "not signed by the issuer"},
		{"an embedded key", object{"jwk": embedded}, nil, byRSA(stranger.rsa), "brings a key"},
		{"an embedded key, no name", object{"jwk": embedded, "kid": nil}, nil, byRSA(stranger.rsa), "brings a key"},
		{"the address of keys", object{"jku": stranger.URL + "/keys"}, nil, byRSA(stranger.rsa), "brings a key"},
		{"the address of a certificate", object{"x5u": stranger.URL + "/keys"}, nil, byRSA(stranger.rsa), "brings a key"},
		{"the address of keys, well signed", object{"jku": stranger.URL + "/keys"}, nil, good, "brings a key"},
		{"a certificate", object{"x5c": chain}, nil, good, "brings a key"},
		{"a name that is a path", object{"kid": "../../../../dev/null"}, nil, byRSA(stranger.rsa), "does not have"},
		{"a name that is a URL", object{"kid": stranger.URL + "/keys"}, nil, byRSA(stranger.rsa), "does not have"},
		{"a name that is no text", object{"kid": 1}, nil, good, "cannot be read"},
		{"no name", object{"kid": nil}, nil, good, "does not have"},
		{"an extension that must be understood", object{"crit": []string{"b64"}, "b64": false}, nil, good, "not signed by the issuer"},

		{"another issuer", nil, object{"iss": stranger.URL}, good, "another issuer"},
		{"no issuer", nil, object{"iss": nil}, good, "another issuer"},
		{"Google's short name, of somebody else", nil, object{"iss": googleBare}, good, "another issuer"},
		{"another audience", nil, object{"aud": is.trust().Audience + "/"}, good, "another audience"},
		{"no audience", nil, object{"aud": nil}, good, "another audience"},
		{"an empty audience", nil, object{"aud": ""}, good, "another audience"},
		{"another account", nil, object{"email": "evil@project.example"}, good, "another account"},
		{"the account in capitals", nil, object{"email": "Push@project.example"}, good, "another account"},
		{"no account", nil, object{"email": nil}, good, "another account"},
		{"an address that is not verified", nil, object{"email_verified": false}, good, "not verified"},
		{"an address of which nobody says it", nil, object{"email_verified": nil}, good, "not verified"},
		{"an address verified in words", nil, object{"email_verified": "true"}, good, "not signed by the issuer, or says"},
		{"fields in capitals", nil, object{"email": nil, "EMAIL": is.trust().Email}, good, "another account"},

		{"expired", nil, object{"exp": now.Add(-61 * time.Second).Unix()}, good, "not for now"},
		{"expired within the skew", nil, object{"exp": now.Add(-50 * time.Second).Unix()}, good, ""},
		{"without an end", nil, object{"exp": nil}, good, "never expires"},
		{"not yet", nil, object{"nbf": now.Add(90 * time.Second).Unix()}, good, "not for now"},
		{"not yet within the skew", nil, object{"nbf": now.Add(50 * time.Second).Unix()}, good, ""},
		{"issued tomorrow", nil, object{"iat": now.Add(24 * time.Hour).Unix(), "exp": now.Add(25 * time.Hour).Unix()}, good, "not for now"},
		{"too long", nil, object{"more": strings.Repeat("x", maxJWT)}, good, "too long"},
	} {
		t.Run(test.name, func(t *testing.T) {
			token := mint(t, with(r1, test.head), with(is.says(now), test.claims), test.sign)
			saysWrong(t, keys.verify(token, is.trust(), now), test.wrong)
		})
	}
	if n := stranger.requests(); n != 0 {
		t.Errorf("a token made %d requests of the address it names", n)
	}
	if n := is.requests(); n != 2 {
		t.Errorf("the issuer was asked %d times by tokens; two requests fetch its keys", n)
	}
}

// saysWrong compares an error with a part of what it should say; an empty one: no error.
func saysWrong(t *testing.T, err error, want string) {
	t.Helper()
	switch {
	case want == "" && err != nil:
		t.Errorf("got %v, want no error", err)
	case want != "" && err == nil:
		t.Errorf("it was believed; want %q", want)
	case want != "" && !strings.Contains(err.Error(), want):
		t.Errorf("got %v, want %q", err, want)
	}
}

// fault: W-18
func TestATokenSaysNothingTwice(t *testing.T) {
	is, now := newIssuer(t), time.Now()
	head, _ := json.Marshal(object{"alg": "RS256", "kid": "r1"})
	text, _ := json.Marshal(is.says(now))
	twice := strings.Replace(string(text), "{", `{"email":"evil@project.example",`, 1)
	token := sealed(base64.RawURLEncoding.EncodeToString(head)+"."+base64.RawURLEncoding.EncodeToString([]byte(twice)), byRSA(is.rsa))
	saysWrong(t, is.keys(t).verify(token, is.trust(), now), "says things twice")
}

// fault: W-18
func TestATrustWithAPartMissingOpensNothing(t *testing.T) {
	is, now := newIssuer(t), time.Now()
	keys := is.keys(t)
	token := mint(t, object{"alg": "RS256", "kid": "r1"}, with(is.says(now), object{"aud": []string{"", is.trust().Audience}, "email": ""}), byRSA(is.rsa))
	for _, trust := range []Trust{
		{Issuer: is.URL, Email: ""},
		{Issuer: is.URL, Audience: is.trust().Audience},
		{Issuer: is.URL, Email: is.trust().Email},
		{Issuer: is.URL, Audience: is.trust().Audience, Email: is.trust().Email, App: EventGrid},
	} {
		saysWrong(t, keys.verify(token, trust, now), "does not say whose")
	}
	if err := keys.verify(token, Trust{Audience: "a", Email: "b"}, now); !errors.Is(err, errLater) {
		t.Errorf("without an issuer: %v", err)
	}
}

func TestTokensOfEntra(t *testing.T) {
	is, now := newIssuer(t), time.Now()
	keys := is.keys(t)
	trust := Trust{Issuer: is.URL, Audience: "api://towpath", App: EventGrid}
	says := object{"iss": is.URL, "aud": "api://towpath", "iat": now.Unix(), "exp": now.Add(time.Hour).Unix()}
	for _, test := range []struct {
		claims object
		wrong  string
	}{
		{object{"appid": EventGrid}, ""},
		{object{"azp": EventGrid}, ""},
		{object{"azp": "11111111-2222-3333-4444-555555555555"}, "another application"},
		{nil, "another application"},
	} {
		token := mint(t, object{"alg": "RS256", "kid": "r1", "x5t": "thumb"}, with(says, test.claims), byRSA(is.rsa))
		saysWrong(t, keys.verify(token, trust, now), test.wrong)
	}
}

func TestGoogleLeavesOutTheScheme(t *testing.T) {
	key, now := newRSA(t), time.Now()
	trust := Trust{Issuer: Google, Audience: "a", Email: "b@c.example"}
	for iss, wrong := range map[string]string{Google: "", googleBare: "", "accounts.google.com.evil.example": "another issuer"} {
		token := mint(t, object{"alg": "RS256", "kid": "k"},
			object{"iss": iss, "aud": "a", "email": "b@c.example", "email_verified": true, "exp": now.Add(time.Hour).Unix()}, byRSA(key))
		saysWrong(t, trust.good(token, []jose.JSONWebKey{{Key: key.Public(), KeyID: "k"}}, now), wrong)
	}
}

// fault: W-18
func TestKeysThatSignNoTokensAreNotKept(t *testing.T) {
	strong, curve, short := newRSA(t), newEC(t), make([]byte, 128)
	short[0], short[127] = 0xff, 1
	other, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	set, err := json.Marshal(object{"keys": []any{
		jose.JSONWebKey{Key: strong.Public(), KeyID: "rsa"},
		jose.JSONWebKey{Key: curve.Public(), KeyID: "ec", Use: "sig"},
		jose.JSONWebKey{Key: strong.Public(), KeyID: "for encryption", Use: "enc"},
		jose.JSONWebKey{Key: strong.Public()},
		jose.JSONWebKey{Key: strong, KeyID: "private"},
		jose.JSONWebKey{Key: []byte("obviously-fake"), KeyID: "shared"},
		jose.JSONWebKey{Key: other.Public(), KeyID: "another curve"},
		object{"kty": "RSA", "kid": "short", "e": "AQAB", "n": base64.RawURLEncoding.EncodeToString(short)},
		object{"kty": "of tomorrow", "kid": "new"},
		nil, 1,
	}})
	if err != nil {
		t.Fatal(err)
	}
	keys, err := readKeys(set)
	var names []string
	for _, key := range keys {
		names = append(names, key.KeyID)
	}
	if diff := cmp.Diff([]string{"rsa", "ec"}, names); err != nil || diff != "" {
		t.Errorf("kept (-want +got): %s%v", diff, err)
	}
}

// fault: W-18
func TestWithoutKeysNobodyIsBelieved(t *testing.T) {
	is, now := newIssuer(t), time.Now()
	is.set(func() { is.down = true })
	keys := is.keys(t)
	token := mint(t, object{"alg": "RS256", "kid": "r1"}, is.says(now), byRSA(is.rsa))
	if err := keys.verify(token, is.trust(), now); !errors.Is(err, errLater) {
		t.Errorf("the issuer is down: got %v, want that the sender tries again", err)
	}
	is.set(func() { is.down = false })
	keys.refresh(t.Context(), is.URL, keys.rings[is.URL])
	saysWrong(t, keys.verify(token, is.trust(), now), "")

	// Down later: what is here holds, for a bounded time.
	is.set(func() { is.down = true })
	keys.refresh(t.Context(), is.URL, keys.rings[is.URL])
	saysWrong(t, keys.verify(token, is.trust(), now), "")
	later := now.Add(keysDefault + keysStale + time.Minute)
	token = mint(t, object{"alg": "RS256", "kid": "r1"}, is.says(later), byRSA(is.rsa))
	if err := keys.verify(token, is.trust(), later); !errors.Is(err, errLater) {
		t.Errorf("keys of yesterday: got %v", err)
	}
	var nobody *Keys
	if err := nobody.verify(token, is.trust(), now); !errors.Is(err, errLater) {
		t.Errorf("no keys at all: got %v", err)
	}
}

// fault: W-18
func TestUnknownKeysPushNoneOut(t *testing.T) {
	is, now := newIssuer(t), time.Now()
	keys := is.keys(t)
	good := mint(t, object{"alg": "RS256", "kid": "r1"}, is.says(now), byRSA(is.rsa))
	later := now.Add(2 * keysAgain)
	for n := range 2000 {
		forged := mint(t, object{"alg": "RS256", "kid": big.NewInt(int64(n)).String()}, is.says(now), func([]byte) []byte { return []byte("x") })
		saysWrong(t, keys.verify(forged, is.trust(), later), "not at hand")
	}
	saysWrong(t, keys.verify(good, is.trust(), later), "")
	r := keys.rings[is.URL]
	if len(r.wake) != 1 || len(r.keys) != 2 {
		t.Errorf("2000 unknown keys: %d wake-ups wait, %d keys are kept; want 1 and 2", len(r.wake), len(r.keys))
	}
	keys.refresh(t.Context(), is.URL, r)
	if n := is.requests(); n != 4 {
		t.Errorf("2000 unknown keys made %d requests, want 2 beside the first 2", n)
	}
	// Just asked: one more unknown key asks nothing, and its sender is told no.
	forged := mint(t, object{"alg": "RS256", "kid": "new"}, is.says(now), byRSA(is.rsa))
	if err := keys.verify(forged, is.trust(), now); errors.Is(err, errLater) || err == nil {
		t.Errorf("a key missed within the minute: got %v, want a plain refusal", err)
	}
}

// TestKeysComeAhead walks Run through a day: no delivery waits for an issuer.
//
// fault: W-18
func TestKeysComeAhead(t *testing.T) {
	key, other := newRSA(t), newRSA(t)
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		set := []any{jose.JSONWebKey{Key: key.Public(), KeyID: "k"}}
		down := true
		var mu sync.Mutex // of down, set and asked
		var asked []time.Duration
		change := func(f func()) {
			mu.Lock()
			defer mu.Unlock()
			f()
		}
		client := &http.Client{Transport: answers(func(r *http.Request) (int, any) {
			mu.Lock()
			defer mu.Unlock()
			switch {
			case r.URL.Path == wellKnown && down:
				asked = append(asked, time.Since(start))
				return http.StatusServiceUnavailable, nil
			case r.URL.Path == wellKnown:
				asked = append(asked, time.Since(start))
				return http.StatusOK, object{"issuer": Google, "jwks_uri": "https://keys.example/certs"}
			case r.URL.Host == "keys.example":
				return http.StatusOK, object{"keys": set}
			}
			return http.StatusNotFound, nil
		})}
		keys := NewKeys(client, []string{Google}, quiet())
		go keys.Run(t.Context())

		trust := Trust{Issuer: Google, Audience: "a", Email: "b@c.example"}
		token := func(kid string, by *rsa.PrivateKey) string {
			return mint(t, object{"alg": "RS256", "kid": kid}, object{"iss": Google, "aud": "a", "email": "b@c.example",
				"email_verified": true, "exp": time.Now().Add(time.Hour).Unix()}, byRSA(by))
		}
		wait := func(d time.Duration) { time.Sleep(d); synctest.Wait() }

		wait(0)
		if err := keys.verify(token("k", key), trust, time.Now()); !errors.Is(err, errLater) {
			t.Errorf("down from the start: %v", err)
		}
		change(func() { down = false })
		wait(5 * time.Second) // the first retry
		saysWrong(t, keys.verify(token("k", key), trust, time.Now()), "")

		// The issuer changes its keys; the first token by the new one has them fetched.
		wait(2 * time.Minute)
		change(func() { set = append(set, jose.JSONWebKey{Key: other.Public(), KeyID: "o"}) })
		if err := keys.verify(token("o", other), trust, time.Now()); !errors.Is(err, errLater) {
			t.Errorf("a new key: %v, want that the sender tries again", err)
		}
		wait(0)
		saysWrong(t, keys.verify(token("o", other), trust, time.Now()), "")

		// It takes the old one back: an hour later nobody is believed by it.
		change(func() { set = set[1:] })
		wait(time.Hour)
		saysWrong(t, keys.verify(token("k", key), trust, time.Now()), "does not have")
		saysWrong(t, keys.verify(token("o", other), trust, time.Now()), "")

		mu.Lock()
		defer mu.Unlock()
		minute := 2*time.Minute + 5*time.Second
		for n, want := range []time.Duration{0, 5 * time.Second, minute, minute + time.Hour} {
			if n >= len(asked) || asked[n] != want {
				t.Fatalf("asked after %v; want 0s, 5s, %v, %v", asked, minute, minute+time.Hour)
			}
		}
	})
}

// answers is a transport in memory, for tests in which the time is virtual.
type answers func(*http.Request) (int, any)

func (a answers) RoundTrip(r *http.Request) (*http.Response, error) {
	code, body := a(r)
	rec := httptest.NewRecorder()
	rec.WriteHeader(code)
	json.NewEncoder(rec).Encode(body)
	return rec.Result(), nil
}

// fault: W-18
func TestWhereKeysAre(t *testing.T) {
	for _, test := range []struct{ about, wrong string }{
		{`{"issuer":"https://i.example","jwks_uri":"https://k.example/keys"}`, ""},
		{`{"issuer":"https://evil.example","jwks_uri":"https://k.example/keys"}`, "calls itself"},
		{`{"issuer":"https://i.example","jwks_uri":"http://k.example/keys"}`, "no https"},
		{`{"issuer":"https://i.example","jwks_uri":"file:///etc/passwd"}`, "no https"},
		{`{"issuer":"https://i.example"}`, "no https"},
		{`[]`, "not JSON of OpenID"},
		{``, "not JSON of OpenID"},
	} {
		_, err := whereKeysAre([]byte(test.about), "https://i.example")
		saysWrong(t, err, test.wrong)
	}
}

// fault: W-18
func TestAnIssuerLeadsNowhereElse(t *testing.T) {
	trap := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the redirect was followed") }))
	defer trap.Close()
	key, err := json.Marshal(jose.JSONWebKey{Key: newRSA(t).Public(), KeyID: "k"})
	if err != nil {
		t.Fatal(err)
	}
	for name, answer := range map[string]http.HandlerFunc{
		"a redirect": func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, trap.URL, http.StatusFound) },
		"endless": func(w http.ResponseWriter, r *http.Request) { // and right, as far as one reads
			fmt.Fprintf(w, `{"issuer":"https://%s","jwks_uri":"https://%s/","keys":[%s]}`, r.Host, r.Host, key)
			w.Write(bytes.Repeat([]byte(" "), maxDocument))
		},
		"an empty set": func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, `{"keys":[]}`) },
	} {
		s := httptest.NewTLSServer(answer)
		defer s.Close()
		if _, _, err := fetchKeys(t.Context(), NewKeys(s.Client(), nil, quiet()).client, s.URL); err == nil {
			t.Errorf("%s gave keys", name)
		}
	}
}

func TestHowLongKeysAreFresh(t *testing.T) {
	for header, want := range map[string]time.Duration{
		"":                                    keysDefault,
		"public, max-age=20000, no-transform": 20000 * time.Second,
		"max-age=0":                           keysAtLeast,
		"Max-Age=99999999999":                 keysAtMost,
		"max-age=-5":                          keysAtLeast,
		"max-age=soon":                        keysDefault,
	} {
		if got := freshFor(http.Header{"Cache-Control": {header}}); got != want {
			t.Errorf("%q: got %v, want %v", header, got, want)
		}
	}
}

func FuzzToken(f *testing.F) {
	is, now := newIssuer(f), time.Now()
	keys := is.keys(f)
	good := mint(f, object{"alg": "RS256", "kid": "r1"}, is.says(now), byRSA(is.rsa))
	f.Add("")
	f.Add("a.b.c")
	f.Add("eyJhbGciOiJub25lIn0.e30.")
	f.Add(strings.Repeat(".", 1000))
	f.Add(good[:len(good)-1])
	f.Fuzz(func(t *testing.T, token string) {
		if keys.verify(token, is.trust(), now) == nil && token != good {
			t.Errorf("%q was believed", token)
		}
	})
}

func FuzzKeySet(f *testing.F) {
	f.Add([]byte(`{"keys":[{"kty":"RSA","kid":"a","n":"AQAB","e":"AQAB"}]}`))
	f.Add([]byte(`{"keys":[null,1,{"kty":"oct","kid":"a","k":"AQAB"}]}`))
	f.Add([]byte(`{"keys":[{"kty":"EC","crv":"P-256","kid":"a","x":"","y":""}]}`))
	f.Fuzz(func(t *testing.T, set []byte) {
		keys, _ := readKeys(set)
		for _, key := range keys {
			if !signsTokens(key) || !key.IsPublic() {
				t.Errorf("kept %v", key.KeyID)
			}
		}
	})
}
