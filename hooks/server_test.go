package hooks

import (
	"bytes"
	"compress/gzip"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// A Seen is one thing that a receiver was told of.
type Seen struct {
	Receiver string
	Branch   bool // then Image is empty
	Image    Image
}

// A place is a handler with what it was told and what it logged.
type place struct {
	*Handler
	mu     sync.Mutex
	looked []Seen
	full   bool
	log    bytes.Buffer
}

func newPlace(t *testing.T, o Options) *place {
	t.Helper()
	p := &place{}
	o.Look = func(r Receiver, s Sighting) bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.full {
			return false
		}
		for _, i := range s.Images {
			p.looked = append(p.looked, Seen{Receiver: r.Name, Image: i})
		}
		if s.Branch {
			p.looked = append(p.looked, Seen{Receiver: r.Name, Branch: true})
		}
		return true
	}
	o.Log = slog.New(slog.NewTextHandler(&p.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	h, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	p.Handler = h
	return p
}

func (p *place) took() []Seen {
	p.mu.Lock()
	defer p.mu.Unlock()
	seen := p.looked
	p.looked = nil
	return seen
}

// secretsOf are made up, as many keys as asked for.
func secretsOf(keys int) Secrets {
	s := Secrets{Token: rand.Text() + rand.Text()}
	for range keys {
		s.Keys = append(s.Keys, []byte("not-a-secret-"+rand.Text()))
	}
	return s
}

func fixed(s Secrets) func() (Secrets, error) { return func() (Secrets, error) { return s, nil } }

func newReceiver(kind, host string, s Secrets) Receiver {
	return Receiver{Name: "the-" + kind, Kind: kind, Host: host, Secrets: fixed(s)}
}

func address(kind string, s Secrets) string { return Prefix + kind + "/" + s.Token }

func request(method, target string, h http.Header, body []byte) *http.Request {
	r := httptest.NewRequest(method, target, bytes.NewReader(body))
	r.Header = h.Clone()
	return r
}

func (p *place) post(target string, h http.Header, body []byte) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	p.ServeHTTP(w, request(http.MethodPost, target, h, body))
	return w
}

func mac(h func() hash.Hash, key []byte, text string) []byte {
	m := hmac.New(h, key)
	io.WriteString(m, text)
	return m.Sum(nil)
}

// sign sets the headers by which each kind proves who sends, computed here once more.
func sign(kind string, h http.Header, body, key []byte) {
	switch kind {
	case "ghcr":
		h.Set("X-Hub-Signature", fmt.Sprintf("sha1=%x", mac(sha1.New, key, string(body))))
		h.Set("X-Hub-Signature-256", fmt.Sprintf("sha256=%x", mac(sha256.New, key, string(body))))
	case "gitea-packages":
		h.Set("X-Gitea-Signature", fmt.Sprintf("%x", mac(sha256.New, key, string(body))))
		h.Set("X-Gogs-Signature", fmt.Sprintf("%x", mac(sha256.New, key, string(body))))
		h.Set("X-Hub-Signature", fmt.Sprintf("sha1=%x", mac(sha1.New, key, string(body))))
		h.Set("X-Hub-Signature-256", fmt.Sprintf("sha256=%x", mac(sha256.New, key, string(body))))
	case "nexus":
		h.Set("X-Nexus-Webhook-Signature", fmt.Sprintf("%x", mac(sha1.New, key, string(body))))
	case "jfrog":
		h.Set("X-JFrog-Event-Auth", fmt.Sprintf("%x", mac(sha256.New, key, string(body))))
	case "generic", "cdevents":
		h.Set("X-Signature", fmt.Sprintf("sha256=%x", mac(sha256.New, key, string(body))))
	case "distribution", "gitlab-registry", "harbor", "acr", "ecr", "zot":
		h.Set("Authorization", "Bearer "+string(key))
	}
}

// signatures are the headers that hold one.
var signatures = []string{"X-Hub-Signature-256", "X-Gitea-Signature", "X-Gogs-Signature", "X-Hub-Signature", "X-Nexus-Webhook-Signature", "X-Jfrog-Event-Auth", "X-Signature", "Authorization"}

func keysOf(v vendor) int {
	if v.signed == nil {
		return 0
	}
	return 1
}

// Each kind of registry, posted as its vendor posts it, is looked at: images that were
// pushed by digest alone are not, for no tag moved.
func TestPost(t *testing.T) {
	for _, s := range samples() {
		secrets := secretsOf(keysOf(vendorOf(t, s.kind)))
		p := newPlace(t, Options{Receivers: []Receiver{newReceiver(s.kind, s.host, secrets)}})
		h := s.head()
		for _, key := range secrets.Keys {
			sign(s.kind, h, s.body(t), key)
		}
		w := p.post(address(s.kind, secrets), h, s.body(t))
		var want []Seen
		for _, i := range s.want {
			if i.Tag != "" {
				want = append(want, Seen{Receiver: "the-" + s.kind, Image: i})
			}
		}
		if diff := cmp.Diff(want, p.took()); w.Code != http.StatusAccepted || diff != "" {
			t.Errorf("%s/%s: %d, (-want +got):\n%s", s.kind, s.file, w.Code, diff)
		}
	}
}

// fault: W-01, W-02, W-03. Whatever is wrong with a signature: refused, and nothing is read,
// for the body is no JSON either.
func TestForged(t *testing.T) {
	for _, s := range samples() {
		v := vendorOf(t, s.kind)
		if v.signed == nil {
			continue
		}
		secrets := secretsOf(2)
		p := newPlace(t, Options{Receivers: []Receiver{newReceiver(s.kind, s.host, secrets)}})
		body := []byte("{no JSON")
		signed := s.head()
		sign(s.kind, signed, body, secrets.Keys[0])
		if w := p.post(address(s.kind, secrets), signed, body); w.Code != http.StatusBadRequest && s.kind != "zot" {
			t.Fatalf("%s: %d for what is signed", s.kind, w.Code)
		}
		refused := func(what string, h http.Header, body []byte) {
			t.Helper()
			w := p.post(address(s.kind, secrets), h, body)
			if n := len(p.took()); w.Code != http.StatusUnauthorized || n > 0 {
				t.Errorf("%s: %s: %d, looked at %d: %v", s.kind, what, w.Code, n, h)
			}
		}
		refused("unsigned", s.head(), body)
		other := s.head()
		sign(s.kind, other, body, []byte("not-the-key"))
		refused("by another key", other, body)
		if signed.Get("Authorization") == "" {
			refused("another body", signed, s.body(t))
		}
		for _, name := range signatures {
			right := signed.Get(name)
			if right == "" {
				continue
			}
			prefix, hex, cut := strings.Cut(right, "=")
			if !cut {
				prefix, hex = "", right
			}
			for what, value := range map[string]string{
				"empty":              "",
				"truncated":          right[:len(right)-1],
				"longer":             right + "0",
				"upper case":         prefix + strings.Repeat("=", min(len(prefix), 1)) + strings.ToUpper(hex),
				"of another kind":    "sha512=" + hex,
				"of a weaker kind":   "sha1=" + hex[:min(len(hex), 40)],
				"only a prefix":      "sha256=",
				"with a space after": right + " ",
			} {
				if value == right {
					continue
				}
				h := signed.Clone()
				h.Set(name, value)
				refused(name+" "+what, h, body)
			}
			h := signed.Clone()
			h.Add(name, right)
			refused(name+" twice", h, body)
		}
	}
}

// fault: W-03. A signature by SHA-1 is none where there is a better one.
func TestWeakSignatures(t *testing.T) {
	for _, kind := range []string{"ghcr", "gitea-packages"} {
		secrets := secretsOf(1)
		p := newPlace(t, Options{Receivers: []Receiver{newReceiver(kind, "", secrets)}})
		h := sample{}.head()
		h.Set("X-Hub-Signature", fmt.Sprintf("sha1=%x", mac(sha1.New, secrets.Keys[0], "{}")))
		if w := p.post(address(kind, secrets), h, []byte("{}")); w.Code != http.StatusUnauthorized {
			t.Errorf("%s by SHA-1 alone: %d", kind, w.Code)
		}
		h.Set("X-Hub-Signature-256", fmt.Sprintf("sha256=%x", mac(sha256.New, secrets.Keys[0], "{}")))
		if w := p.post(address(kind, secrets), h, []byte("{}")); w.Code != http.StatusAccepted {
			t.Errorf("%s by both: %d", kind, w.Code)
		}
		h.Set("X-Hub-Signature", "sha1="+strings.Repeat("0", 40))
		if w := p.post(address(kind, secrets), h, []byte("{}")); w.Code != http.StatusUnauthorized {
			t.Errorf("%s by both, that of SHA-1 wrong: %d", kind, w.Code)
		}
	}
}

// fault: W-04. The bytes are signed, not what they mean. Nexus alone signs its JSON without
// the white space that it sends.
func TestSpaces(t *testing.T) {
	for _, kind := range []string{"ghcr", "gitea-packages", "jfrog", "generic", "cdevents", "nexus"} {
		secrets := secretsOf(1)
		p := newPlace(t, Options{Receivers: []Receiver{newReceiver(kind, "r.example", secrets)}})
		h := sample{}.head()
		sign(kind, h, []byte(`{"a":1}`), secrets.Keys[0])
		want := http.StatusUnauthorized
		if kind == "nexus" {
			want = http.StatusAccepted
		}
		if w := p.post(address(kind, secrets), h, []byte(`{ "a" : 1 }`)); w.Code != want {
			t.Errorf("%s: %d, want %d", kind, w.Code, want)
		}
		if w := p.post(address(kind, secrets), h, []byte(`{"a":2}`)); w.Code != http.StatusUnauthorized {
			t.Errorf("%s: another body: %d", kind, w.Code)
		}
	}
}

// The ways to send a secret that signs nothing.
func TestFixedHeaders(t *testing.T) {
	secrets := secretsOf(1)
	key := string(secrets.Keys[0])
	p := newPlace(t, Options{Receivers: []Receiver{newReceiver("acr", "", secrets)}})
	basic := func(pair string) string { return "Basic " + base64.StdEncoding.EncodeToString([]byte(pair)) }
	for value, want := range map[string]int{
		key: 202, "Bearer " + key: 202, "bearer " + key: 202, basic("towpath:" + key): 202, basic(":" + key): 202,
		"": 401, "Bearer": 401, "Bearer ": 401, "Bearer  " + key: 401, "Token " + key: 401, basic(key): 401, basic(key + ":"): 401, basic("a:" + key + "x"): 401, "Basic " + key: 401, strings.ToUpper(key) + "x": 401,
	} {
		h := sample{}.head()
		h.Set("Authorization", value)
		if w := p.post(address("acr", secrets), h, []byte("{}")); w.Code != want {
			t.Errorf("Authorization %q: %d, want %d", value, w.Code, want)
		}
	}
	secrets = secretsOf(1)
	p = newPlace(t, Options{Receivers: []Receiver{newReceiver("jfrog", "j.example", secrets)}})
	h := sample{}.head()
	h.Set("X-JFrog-Event-Auth", string(secrets.Keys[0]))
	if w := p.post(address("jfrog", secrets), h, []byte("{}")); w.Code != 202 {
		t.Errorf("JFrog's secret itself: %d", w.Code)
	}
}

// fault: W-05. What came before is not looked at again, for a day; one that was not taken is.
func TestReplays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		secrets := secretsOf(1)
		p := newPlace(t, Options{Receivers: []Receiver{newReceiver("generic", "", secrets)}})
		body := []byte(`{"image":"quay.io/a/b","tag":"1"}`)
		post := func(id string) int {
			h := sample{}.head()
			h.Set("Webhook-Id", id)
			sign("generic", h, body, secrets.Keys[0])
			w := p.post(address("generic", secrets), h, body)
			if w.Code == http.StatusServiceUnavailable && w.Header().Get("Retry-After") == "" {
				t.Error("no Retry-After")
			}
			return w.Code
		}
		p.full = true
		if code := post("one"); code != http.StatusServiceUnavailable {
			t.Errorf("%d while there is no room", code)
		}
		p.full = false
		for range 1000 {
			if code := post("one"); code != http.StatusAccepted {
				t.Fatal(code)
			}
		}
		if n := len(p.took()); n != 1 {
			t.Errorf("1,000 of one id are looked at %d times", n)
		}
		post("two")
		time.Sleep(knownFor - time.Minute)
		post("one")
		if n := len(p.took()); n != 1 {
			t.Errorf("another id is looked at %d times", n)
		}
		time.Sleep(2 * time.Minute)
		post("one")
		if n := len(p.took()); n != 1 {
			t.Errorf("the next day it is looked at %d times", n)
		}
		for i := range 2 * knownIDs { // a sender who makes ids up costs no more than this
			post(fmt.Sprint(i, strings.Repeat("x", 100)))
		}
		if n := len(p.receivers[0].replays.at); n > knownIDs {
			t.Errorf("%d ids are kept", n)
		}
	})
}

// fault: W-06
func TestStandardWebhooks(t *testing.T) {
	key := []byte("whsec_" + base64.StdEncoding.EncodeToString([]byte("not a secret at all")))
	body := `{"image":"quay.io/a/b","tag":"1"}`
	signature := func(id, stamp string) string {
		return "v1," + base64.StdEncoding.EncodeToString(mac(sha256.New, []byte("not a secret at all"), id+"."+stamp+"."+body))
	}
	stamp := func(d time.Duration) string { return fmt.Sprint(noon.Add(d).Unix()) }
	now := stamp(0)
	right := signature("id1", now)
	for what, tt := range map[string]struct {
		id, stamp, signature string
		want                 bool
	}{
		"right":                {"id1", now, right, true},
		"five minutes ago":     {"id1", stamp(-5 * time.Minute), signature("id1", stamp(-5*time.Minute)), true},
		"six minutes ago":      {"id1", stamp(-6 * time.Minute), signature("id1", stamp(-6*time.Minute)), false},
		"in six minutes":       {"id1", stamp(6 * time.Minute), signature("id1", stamp(6*time.Minute)), false},
		"no time":              {"id1", "", signature("id1", ""), false},
		"a time of no number":  {"id1", "noon", signature("id1", "noon"), false},
		"a time of long ago":   {"id1", "-9223372036854775808", signature("id1", "-9223372036854775808"), false},
		"a time of far away":   {"id1", "9223372036854775807", signature("id1", "9223372036854775807"), false},
		"no id":                {"", now, signature("", now), false},
		"another id":           {"id2", now, right, false},
		"another time":         {"id1", stamp(time.Second), right, false},
		"none":                 {"id1", now, "", false},
		"two, one right":       {"id1", now, "v1,AAAA " + right, true},
		"two, the first right": {"id1", now, right + " v1,AAAA", true},
		"two, both wrong":      {"id1", now, "v1,AAAA v1,BBBB", false},
		"of another version":   {"id1", now, strings.Replace(right, "v1,", "v1a,", 1), false},
		"both versions":        {"id1", now, "v1a,AAAA " + right, true},
		"without version":      {"id1", now, strings.TrimPrefix(right, "v1,"), false},
	} {
		h := http.Header{"Webhook-Id": {tt.id}, "Webhook-Timestamp": {tt.stamp}, "Webhook-Signature": {tt.signature}}
		c := call{header: h, body: []byte(body), now: noon}
		if got := signedStandard(c, key); got != tt.want {
			t.Errorf("%s: %v, want %v", what, got, tt.want)
		}
		if got := signedGeneric(c, key); got != tt.want {
			t.Errorf("%s, as generic: %v, want %v", what, got, tt.want)
		}
		h.Set("X-Signature", "sha256="+strings.Repeat("0", 64))
		if signedGeneric(c, key) {
			t.Errorf("%s, and a wrong X-Signature: taken", what)
		}
		h.Set("X-Signature", fmt.Sprintf("sha256=%x", mac(sha256.New, key, body)))
		if got := signedGeneric(c, key); got != tt.want {
			t.Errorf("%s, and a right X-Signature: %v, want %v", what, got, tt.want)
		}
	}
}

// fault: W-07. Two secrets hold while one is rotated, then the old one no longer; without
// one, or without a token, the receiver is closed.
func TestRotation(t *testing.T) {
	was := secretsOf(2)
	now, unread := was, error(nil)
	p := newPlace(t, Options{Receivers: []Receiver{{Name: "r", Kind: "generic", Secrets: func() (Secrets, error) { return now, unread }}}})
	try := func(what string, key []byte, want int) {
		t.Helper()
		h := sample{}.head()
		sign("generic", h, []byte(`{"image":"quay.io/a/b"}`), key)
		if w := p.post(address("generic", was), h, []byte(`{"image":"quay.io/a/b"}`)); w.Code != want {
			t.Errorf("%s: %d, want %d", what, w.Code, want)
		}
	}
	try("the old of two", was.Keys[0], 202)
	try("the new of two", was.Keys[1], 202)
	now.Keys = was.Keys[1:]
	try("the old one", was.Keys[0], 401)
	try("the new one", was.Keys[1], 202)
	now.Keys = [][]byte{append(slices.Clone(was.Keys[1]), '\n')}
	try("a file with a line's end", was.Keys[1], 202)
	for what, keys := range map[string][][]byte{"none": nil, "an empty one": {{}}, "white space": {[]byte(" \n")}} {
		now.Keys = keys
		try(what, nil, 403)
		try(what, []byte(""), 403)
		try(what, []byte(" \n"), 403)
	}
	now, unread = was, errors.New("no such file")
	try("unread", was.Keys[0], 404)
	if !strings.Contains(p.log.String(), "no such file") {
		t.Errorf("nobody is told:\n%s", p.log.String())
	}
	unread = nil
	try("read again", was.Keys[0], 202)
	now.Keys = append(was.Keys, was.Keys...)
	try("four", was.Keys[0], 404)
	now.Keys = was.Keys
	now.Token = ""
	try("no token", was.Keys[0], 404)
	if w := p.post(Prefix+"generic/", sample{}.head(), nil); w.Code != 404 {
		t.Errorf("an empty token: %d", w.Code)
	}
}

// What is configured wrongly is told at the start.
func TestNew(t *testing.T) {
	good := secretsOf(1)
	for want, rs := range map[string][]Receiver{
		"there is no kind":   {newReceiver("quai", "", good)},
		"too easy to guess":  {newReceiver("quay", "", Secrets{Token: strings.Repeat("0123456789abcdef", 2)[:31]})},
		"less than 128 bits": {newReceiver("quay", "", Secrets{Token: strings.Repeat("a", 60)})},
		"other than letters": {newReceiver("quay", "", Secrets{Token: good.Token + "/x"})},
		"longer than":        {newReceiver("quay", "", Secrets{Token: strings.Repeat(good.Token, 10)})},
		"signs nothing, and this kind has no use for a secret; remove secret-files": {newReceiver("quay", "", good)},
		"has the path token": {newReceiver("harbor", "", good), newReceiver("generic", "", good)},
		"needs a secret":     {newReceiver("generic", "", Secrets{Token: good.Token})},
		"3 secrets":          {newReceiver("generic", "", secretsOf(3))},
		"no secrets":         {{Name: "r", Kind: "quay"}},
		"is no host":         {newReceiver("quay", "quay_io", good)},
		"hook the-jfrog: what it posts names no host that images are pulled by; add the line host: HOST, as streams name it": {newReceiver("jfrog", "", secretsOf(1))},
		"hook the-nexus: what it posts names no host": {newReceiver("nexus", "", secretsOf(1))},
		"hook the-zot: what it posts names no host":   {newReceiver("zot", "", secretsOf(1))},
	} {
		_, err := New(Options{Receivers: rs})
		if err = withFix(err); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), good.Token) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	for _, token := range []string{strings.Repeat("0123456789abcdef", 2), rand.Text() /* 130 bits */, "Zm9vYmFyYmF6cXV1eDEyMw"} {
		if err := checkToken(token); err != nil {
			t.Errorf("%s: %v", token, err)
		}
	}
}

// fault: W-12. Other methods, other types, what is compressed; and forms, of those who send
// them, signed as they come.
func TestContentTypes(t *testing.T) {
	form := []byte(url.Values{"payload": {`{"zen":"x"}`}}.Encode())
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	io.WriteString(z, "{}")
	z.Close()
	const formType = "application/x-www-form-urlencoded"
	for _, tt := range []struct {
		kind, method, contentType, encoding string
		body                                []byte
		want                                int
	}{
		{"ghcr", "POST", formType, "", form, 202},
		{"gitea-packages", "POST", formType, "", form, 401}, // it signs the payload, see TestForms
		{"ghcr", "POST", formType + "; charset=utf-8", "", form, 202},
		{"generic", "POST", formType, "", form, 415},
		{"ghcr", "POST", formType, "", []byte("payload={}&payload={}"), 400},
		{"ghcr", "POST", formType, "", []byte("load={}"), 400},
		{"ghcr", "POST", formType, "", []byte("payload=%zz"), 400},
		{"ghcr", "POST", "application/json", "", form, 400},
		{"ghcr", "GET", "application/json", "", []byte("{}"), 405},
		{"ghcr", "PUT", "application/json", "", []byte("{}"), 405},
		{"ghcr", "HEAD", "application/json", "", nil, 405},
		{"ghcr", "OPTIONS", "application/json", "", nil, 405},
		{"ghcr", "POST", "text/plain", "", []byte("{}"), 415},
		{"ghcr", "POST", "", "", []byte("{}"), 415},
		{"ghcr", "POST", "multipart/form-data; boundary=x", "", []byte("{}"), 415},
		{"ghcr", "POST", "application/json; charset=utf-16", "", []byte("{}"), 415},
		{"ghcr", "POST", "application/json", "gzip", zipped.Bytes(), 415},
		{"ghcr", "POST", "application/json", "identity", []byte("{}"), 202},
		{"ghcr", "POST", "application/json; charset=UTF-8", "", []byte("{}"), 202},
		{"ghcr", "POST", "application/cloudevents+json", "", []byte("{}"), 202},
	} {
		secrets := secretsOf(1)
		p := newPlace(t, Options{Receivers: []Receiver{newReceiver(tt.kind, "", secrets)}})
		h := http.Header{}
		if tt.contentType != "" {
			h.Set("Content-Type", tt.contentType)
		}
		if tt.encoding != "" {
			h.Set("Content-Encoding", tt.encoding)
		}
		sign(tt.kind, h, tt.body, secrets.Keys[0])
		w := httptest.NewRecorder()
		p.ServeHTTP(w, request(tt.method, address(tt.kind, secrets), h, tt.body))
		if w.Code != tt.want || tt.want == 405 && w.Header().Get("Allow") != "POST" {
			t.Errorf("%s %s %s %s: %d, want %d", tt.kind, tt.method, tt.contentType, tt.encoding, w.Code, tt.want)
		}
	}
	// what a form says is read
	s := sample{kind: "ghcr", file: "ghcr", header: gitHub}
	secrets := secretsOf(1)
	p := newPlace(t, Options{Receivers: []Receiver{newReceiver("ghcr", "", secrets)}})
	body := []byte(url.Values{"payload": {string(s.body(t))}}.Encode())
	h := s.head()
	h.Set("Content-Type", formType)
	sign("ghcr", h, body, secrets.Keys[0])
	p.post(address("ghcr", secrets), h, body)
	if diff := cmp.Diff([]Seen{{Receiver: "the-ghcr", Image: image("ghcr.io/team1/web", "1.4.3", digestA)}}, p.took()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// fault: W-13. Who posts cannot tell whether anybody here knows a repository, or whether it
// came before.
func TestSameAnswer(t *testing.T) {
	secrets := secretsOf(1)
	p := newPlace(t, Options{Receivers: []Receiver{newReceiver("ghcr", "", secrets)}})
	var first *httptest.ResponseRecorder
	s := sample{kind: "ghcr", file: "ghcr", header: gitHub}
	known := string(s.body(t))
	for what, body := range map[string]string{
		"known": known, "known again": known,
		"another":   strings.ReplaceAll(known, "eam1", "eam2"),
		"no name":   strings.ReplaceAll(known, `"name": "web"`, `"name": "(a+)+$"`),
		"deleted":   strings.ReplaceAll(known, "published", "deleted"),
		"an npm":    strings.ReplaceAll(known, "CONTAINER", "npm"),
		"no tag":    strings.ReplaceAll(known, "1.4.3", ""),
		"something": "{}",
	} {
		h := s.head()
		sign("ghcr", h, []byte(body), secrets.Keys[0])
		w := p.post(address("ghcr", secrets), h, []byte(body))
		if first == nil {
			first = w
		}
		if w.Code != 202 || w.Body.String() != first.Body.String() || cmp.Diff(w.Header(), first.Header()) != "" {
			t.Errorf("%s: %d %q %v", what, w.Code, w.Body, w.Header())
		}
	}
}

// fault: W-14. No address that a payload names is ever called.
func TestAddressesInPayloads(t *testing.T) {
	called := make(chan string, 100)
	trap := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { called <- r.URL.Path }))
	for _, s := range samples() {
		var whole any
		if err := json.Unmarshal(s.body(t), &whole); err != nil {
			t.Fatal(err)
		}
		fields, _ := whole.(map[string]any)
		for _, k := range []string{"callback_url", "url", "docker_url", "homepage", "SubscribeURL", "UnsubscribeURL", "validationUrl", "jpd_origin", "html_url", "location"} {
			fields[k] = trap.URL + "/" + k
		}
		mutate(whole, func(set func(any)) { // each text, too
			secrets := secretsOf(keysOf(vendorOf(t, s.kind)))
			p := newPlace(t, Options{Receivers: []Receiver{newReceiver(s.kind, s.host, secrets)}})
			set(trap.URL + "/any")
			body := []byte(encode(t, whole))
			h := s.head()
			for _, key := range secrets.Keys {
				sign(s.kind, h, body, key)
			}
			p.post(address(s.kind, secrets), h, body)
		})
	}
	trap.Close() // waits for those that are at it
	select {
	case path := <-called:
		t.Errorf("%s was fetched", path)
	default:
	}
}

// fault: W-28. Who sends is who is connected, and X-Forwarded-For counts as far as the
// proxies that wrote it are trusted.
func TestSender(t *testing.T) {
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	for _, tt := range []struct {
		remote    string
		forwarded []string
		want      string
	}{
		{"192.0.2.7:1", nil, "192.0.2.7"},
		{"192.0.2.7:1", []string{"198.51.100.1"}, "192.0.2.7"}, // it says so itself
		{"10.0.0.1:1", nil, "10.0.0.1"},
		{"10.0.0.1:1", []string{"198.51.100.1"}, "198.51.100.1"},
		{"10.0.0.1:1", []string{"203.0.113.9, 198.51.100.1"}, "198.51.100.1"},
		{"10.0.0.1:1", []string{"203.0.113.9", "198.51.100.1, 10.9.9.9"}, "198.51.100.1"},
		{"10.0.0.1:1", []string{"203.0.113.9,10.2.2.2 ,10.9.9.9"}, "203.0.113.9"},
		{"[fd00::1]:1", []string{"2001:db8::1"}, "2001:db8::1"},
		{"[::ffff:10.0.0.1]:1", []string{"::ffff:198.51.100.1"}, "198.51.100.1"},
		{"10.0.0.1:1", []string{"unknown"}, ""},
		{"10.0.0.1:1", []string{"198.51.100.1:80"}, ""},
		{"10.0.0.1:1", []string{"198.51.100.1,"}, ""},
		{"10.0.0.1:1", []string{"10.0.0.2"}, "10.0.0.2"},
		{"pipe", nil, ""},
	} {
		r := httptest.NewRequest("POST", "/", nil)
		r.RemoteAddr = tt.remote
		r.Header["X-Forwarded-For"] = tt.forwarded
		r.Header.Set("Forwarded", "for=203.0.113.77")
		r.Header.Set("X-Real-Ip", "203.0.113.77")
		got := ""
		if addr, ok := Sender(r, trusted); ok {
			got = addr.String()
		}
		if got != tt.want {
			t.Errorf("%s %q: %q, want %q", tt.remote, tt.forwarded, got, tt.want)
		}
	}
	rec := newReceiver("quay", "", secretsOf(0))
	rec.From = []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24")}
	s, _ := rec.Secrets()
	p := newPlace(t, Options{Receivers: []Receiver{rec}, TrustedProxies: trusted})
	for remote, want := range map[string]int{"198.51.100.1:1": 202, "203.0.113.1:1": 403, "pipe": 403} {
		r := request("POST", address("quay", s), sample{}.head(), []byte("{}"))
		r.RemoteAddr = remote
		r.Header.Set("X-Forwarded-For", "198.51.100.1")
		w := httptest.NewRecorder()
		if p.ServeHTTP(w, r); w.Code != want {
			t.Errorf("from %s: %d, want %d", remote, w.Code, want)
		}
	}
}

// fault: W-30. The token of a path is a secret: no log, answer or metric has it, whatever
// the outcome, nor does a Referer that an answer could make somebody send.
func TestSecretsStay(t *testing.T) {
	secrets := secretsOf(1)
	rec := newReceiver("generic", "", secrets)
	rec.From = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")} // httptest's
	p := newPlace(t, Options{Receivers: []Receiver{rec}})
	outcomes := map[string]bool{}
	try := func(change func(r *http.Request)) {
		body := []byte(`{"image":"quay.io/a/b","tag":"1"}`)
		h := sample{}.head()
		sign("generic", h, body, secrets.Keys[0])
		h.Set("Webhook-Id", "1")
		r := request("POST", address("generic", secrets)+"?token="+secrets.Token, h, body)
		change(r)
		w := httptest.NewRecorder()
		p.ServeHTTP(w, r)
		all := fmt.Sprint(w.Body, w.Header())
		for _, secret := range []string{secrets.Token, string(secrets.Keys[0])} {
			if strings.Contains(all, secret) {
				t.Errorf("the answer has a secret: %s", all)
			}
		}
		if w.Header().Get("Referrer-Policy") != "no-referrer" {
			t.Error("a Referer may be sent")
		}
	}
	junk := func(text string) func(r *http.Request) {
		return func(r *http.Request) {
			r.Body = io.NopCloser(strings.NewReader(text))
			sign("generic", r.Header, []byte(text), secrets.Keys[0])
			r.Header.Del("Webhook-Id")
		}
	}
	try(func(r *http.Request) {})
	try(func(r *http.Request) {}) // again
	try(func(r *http.Request) { r.Method = "GET" })
	try(func(r *http.Request) { r.URL.Path += "x" })
	try(func(r *http.Request) { r.URL.Path = Prefix + "quay/" + secrets.Token })
	try(func(r *http.Request) { r.RemoteAddr = "203.0.113.1:1" })
	try(func(r *http.Request) { r.Header.Del("Content-Type") })
	try(func(r *http.Request) { r.Header.Set("X-Signature", secrets.Token) })
	try(junk(`{"` + secrets.Token + `":1,"` + secrets.Token + `":2}`))
	try(junk(`{"image":"` + secrets.Token + ` "}`))
	try(junk(secrets.Token))
	try(func(r *http.Request) { r.ContentLength = maxBody + 1 })
	try(func(r *http.Request) { r.Body = io.NopCloser(io.MultiReader(strings.NewReader("{"), cutOff{})) })
	p.full = true
	try(func(r *http.Request) { r.Header.Set("Webhook-Id", "2") })
	counts := fmt.Sprint(p.Counts())
	for _, c := range p.Counts() {
		outcomes[c.Outcome] = true
	}
	for _, o := range []outcome{taken, nothing, replayed, method, unknown, foreign, badType, tooLarge, cutShort, forged, malformed, busy} {
		if !outcomes[o.name] {
			t.Errorf("nothing ended as %q: %s", o.name, counts)
		}
	}
	for _, secret := range []string{secrets.Token, string(secrets.Keys[0])} {
		if strings.Contains(p.log.String(), secret) || strings.Contains(counts, secret) {
			t.Errorf("a secret gets out:\n%s\n%s", p.log.String(), counts)
		}
	}
	if !strings.Contains(p.log.String(), "the-generic") {
		t.Errorf("the log does not say which receiver:\n%s", p.log.String())
	}
}

type cutOff struct{}

func (cutOff) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// fault: W-31. However many names are posted, the labels of metrics are few; nor does a
// sender fill the log.
func TestFewLabels(t *testing.T) {
	secrets := secretsOf(0)
	p := newPlace(t, Options{Receivers: []Receiver{newReceiver("quay", "", secrets)}})
	const many = 100_000
	for i := range many {
		body := []byte(fmt.Sprintf(`{"docker_url":"quay.io/a/b%d","updated_tags":["1"]}`, i))
		switch i % 4 {
		case 1:
			body = []byte(fmt.Sprint("{", i))
		case 2:
			p.post(fmt.Sprintf("%squay/%d", Prefix, i), nil, nil)
			continue
		case 3:
			p.post(fmt.Sprintf("%skind%d/%d", Prefix, i, i), nil, nil)
			continue
		}
		p.post(address("quay", secrets), sample{}.head(), body)
	}
	want := []Count{{"", "unknown", many / 2}, {"quay", "malformed", many / 4}, {"quay", "taken", many / 4}}
	if diff := cmp.Diff(want, p.Counts()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if n := strings.Count(p.log.String(), "\n"); n > 5 {
		t.Errorf("%d lines are logged", n)
	}
}

// fault: W-10. Should a reader panic all the same, the sender gets an answer, a person a line
// with the place, and the next payload is read.
func TestPanics(t *testing.T) {
	secrets := secretsOf(0)
	p := newPlace(t, Options{Receivers: []Receiver{newReceiver("quay", "", secrets)}})
	read := p.receivers[0].vendor.read
	p.receivers[0].vendor.read = func(call, string) (Sighting, error) { panic("here is a secret") }
	for range maxBodies + 1 {
		if w := p.post(address("quay", secrets), sample{}.head(), []byte("{}")); w.Code != 500 {
			t.Fatalf("%d", w.Code)
		}
	}
	p.receivers[0].vendor.read = read
	if w := p.post(address("quay", secrets), sample{}.head(), []byte("{}")); w.Code != 202 {
		t.Errorf("%d after a panic", w.Code)
	}
	if log := p.log.String(); !strings.Contains(log, "TestPanics") {
		t.Errorf("the log:\n%s", log)
	}
}

// One payload names each tag once, and no more than a bounded number.
func TestManyImages(t *testing.T) {
	secrets := secretsOf(0)
	p := newPlace(t, Options{Receivers: []Receiver{newReceiver("quay", "", secrets)}})
	var tags []string
	for i := range 3 * maxImages {
		tags = append(tags, fmt.Sprint("t", i/2))
	}
	w := p.post(address("quay", secrets), sample{}.head(), []byte(encode(t, map[string]any{"docker_url": "quay.io/a/b", "updated_tags": tags})))
	got := p.took()
	if w.Code != 202 || len(got) != maxImages || got[1].Image.Tag != "t1" {
		t.Errorf("%d, %d images", w.Code, len(got))
	}
}

// Whoever posts, however often: of each receiver and outcome there is a line a minute, and of what
// is for no receiver none.
func TestLogIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		secrets := secretsOf(1)
		p := newPlace(t, Options{Receivers: []Receiver{newReceiver("generic", "", secrets)}})
		head := http.Header{"Content-Type": {"application/json"}, "X-Signature": {"sha256=" + strings.Repeat("0", 64)}}
		for range 3 * 60 * 10 {
			if w := p.post(address("generic", secrets), head, []byte("{}")); w.Code != http.StatusUnauthorized {
				t.Fatal(w.Code)
			}
			if w := p.post(Prefix+"generic/"+rand.Text()+rand.Text(), head, []byte("{}")); w.Code != http.StatusNotFound {
				t.Fatal(w.Code)
			}
			time.Sleep(100 * time.Millisecond)
		}
		if n := strings.Count(p.log.String(), "\n"); n != 3 {
			t.Errorf("%d lines in three minutes:\n%s", n, p.log.String())
		}
	})
}
