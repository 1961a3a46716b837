package notify_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/towpath/towpath/notify"
)

// A server keeps what it was sent, and answers as it is told.
type server struct {
	*httptest.Server
	mu     sync.Mutex
	heads  []http.Header
	bodies [][]byte
	answer func(w http.ResponseWriter, r *http.Request)
}

func serve(t *testing.T, how func(http.Handler) *httptest.Server) *server {
	s := &server{}
	s.Server = how(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		s.mu.Lock()
		s.heads, s.bodies = append(s.heads, r.Header), append(s.bodies, body)
		s.mu.Unlock()
		if s.answer != nil {
			s.answer(w, r)
		}
	}))
	t.Cleanup(s.Close)
	return s
}

func secretFile(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte(text+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func cloudEvents(t *testing.T, c notify.CloudEvents) *notify.CloudEvents {
	t.Helper()
	c.Source = "https://git.example/team1/manifests"
	sink, err := notify.NewCloudEvents(c)
	if err != nil {
		t.Fatal(err)
	}
	return sink
}

// A receiver can check who sent what, by the words of CloudEvents and Standard Webhooks.
func TestCloudEvents(t *testing.T) {
	s := serve(t, httptest.NewServer)
	key := make([]byte, 32)
	rand.Read(key)
	token := "fake-" + rand.Text()
	sink := cloudEvents(t, notify.CloudEvents{
		Endpoint:   notify.Endpoint{URLFile: secretFile(t, s.URL+"/in"), UserAgent: "towpath/test"},
		SecretFile: secretFile(t, "whsec_"+base64.StdEncoding.EncodeToString(key)), TokenFile: secretFile(t, token),
	})
	e := image(1)
	before := time.Now().Unix()
	if err := sink.Send(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	h, body := s.heads[0], s.bodies[0]
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(e.ID + "." + h.Get("webhook-timestamp") + "." + string(body)))
	for name, want := range map[string]string{
		"content-type": "application/cloudevents+json", "authorization": "Bearer " + token, "user-agent": "towpath/test",
		"webhook-id": e.ID, "webhook-signature": "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil)),
	} {
		if got := h.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if stamp, err := strconv.ParseInt(h.Get("webhook-timestamp"), 10, 64); err != nil || stamp < before || stamp > time.Now().Unix() {
		t.Errorf("webhook-timestamp is %q", h.Get("webhook-timestamp"))
	}
	var got map[string]any
	if err := json.Unmarshal(body, &got); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]any{
		"specversion": "1.0", "id": e.ID, "source": "https://git.example/team1/manifests", "type": "dev.towpath.image.recorded.v1",
		"subject": "team1/web:1", "time": e.Time.Format(time.RFC3339), "datacontenttype": "application/json",
	} {
		if got[name] != want {
			t.Errorf("%s is %v, want %v", name, got[name], want)
		}
	}
	if data, _ := got["data"].(map[string]any); data["tag"] != "team1/web:1" || data["commit"] != "c" {
		t.Errorf("data is %v", got["data"])
	}
}

// Files are read for each event: a secret that was replaced counts at once.
func TestSecretsAreReadAgain(t *testing.T) {
	s := serve(t, httptest.NewServer)
	file := secretFile(t, "fake-one")
	sink := cloudEvents(t, notify.CloudEvents{Endpoint: notify.Endpoint{URL: s.URL}, TokenFile: file})
	for _, token := range []string{"fake-one", "fake-two"} {
		if err := os.WriteFile(file, []byte(token), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := sink.Send(t.Context(), image(1)); err != nil {
			t.Fatal(err)
		}
		if got := s.heads[len(s.heads)-1].Get("Authorization"); got != "Bearer "+token {
			t.Errorf("sent %q, want %q", got, token)
		}
	}
}

func TestWhatAnswersMean(t *testing.T) {
	s := serve(t, httptest.NewServer)
	sink := cloudEvents(t, notify.CloudEvents{Endpoint: notify.Endpoint{URL: s.URL}})
	for _, tt := range []struct {
		code  int
		after string
		final bool
		wait  time.Duration
	}{
		{400, "", true, 0}, {401, "", true, 0}, {403, "", true, 0}, {404, "", true, 0}, {410, "", true, 0}, {413, "", true, 0},
		{301, "", true, 0}, {304, "", true, 0},
		{408, "", false, 0}, {425, "", false, 0}, {429, "7", false, 7 * time.Second}, {500, "", false, 0}, {503, "999999999", false, time.Hour},
		{503, "soon", false, 0}, {503, "-5", false, 0}, {503, "Mon, 02 Jan 2006 15:04:05 GMT", false, 0},
	} {
		s.answer = func(w http.ResponseWriter, _ *http.Request) {
			if tt.after != "" {
				w.Header().Set("Retry-After", tt.after)
			}
			w.WriteHeader(tt.code)
		}
		var e *notify.Error
		if err := sink.Send(t.Context(), image(1)); !errors.As(err, &e) || e.Final != tt.final || e.RetryAfter != tt.wait || e.Fix == "" {
			t.Errorf("%d, Retry-After %q: %#v", tt.code, tt.after, err)
		}
	}
}

// What is meant for one address goes to no other.
func TestNoRedirectIsFollowed(t *testing.T) {
	trap := serve(t, httptest.NewServer)
	s := serve(t, httptest.NewServer)
	for _, code := range []int{301, 302, 303, 307, 308} {
		s.answer = func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, trap.URL+"/trap", code) }
		sink := cloudEvents(t, notify.CloudEvents{Endpoint: notify.Endpoint{URL: s.URL}, TokenFile: secretFile(t, "fake-"+rand.Text())})
		var e *notify.Error
		if err := sink.Send(t.Context(), image(1)); !errors.As(err, &e) || !e.Final {
			t.Errorf("%d: %v", code, err)
		}
	}
	if len(trap.bodies) > 0 {
		t.Errorf("%d requests followed a redirect", len(trap.bodies))
	}
}

func TestTokenNeedsAClosedWire(t *testing.T) {
	sink := cloudEvents(t, notify.CloudEvents{Endpoint: notify.Endpoint{URL: "http://receiver.invalid/in"}, TokenFile: secretFile(t, "fake-"+rand.Text())})
	var e *notify.Error
	if err := sink.Send(t.Context(), image(1)); !errors.As(err, &e) || !e.Final || !strings.Contains(e.What, "plain http") {
		t.Errorf("%v", err)
	}
}

func TestOwnAuthorities(t *testing.T) {
	s := serve(t, httptest.NewTLSServer)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	if err := os.WriteFile(ca, block, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := cloudEvents(t, notify.CloudEvents{Endpoint: notify.Endpoint{URL: s.URL, CAFile: ca}}).Send(t.Context(), image(1)); err != nil {
		t.Error(err)
	}
	if err := cloudEvents(t, notify.CloudEvents{Endpoint: notify.Endpoint{URL: s.URL}}).Send(t.Context(), image(1)); err == nil {
		t.Error("a certificate that nobody vouches for is taken")
	}
	if _, err := notify.NewCloudEvents(notify.CloudEvents{Endpoint: notify.Endpoint{CAFile: secretFile(t, "no certificate")}}); err == nil {
		t.Error("a file without a certificate is taken")
	}
}

// However it fails, no error has a secret: neither the address nor what stands in the files.
func TestErrorsHoldNoSecret(t *testing.T) {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := free.Addr().String()
	free.Close()
	path, token, key := "T0/"+rand.Text(), "fake-"+rand.Text(), "fake-"+rand.Text()
	hangUp := serve(t, httptest.NewServer)
	hangUp.answer = func(w http.ResponseWriter, r *http.Request) {
		conn, _, _ := w.(http.Hijacker).Hijack()
		io.WriteString(conn, "HTTP/1.1 "+r.URL.Path+" "+r.Header.Get("Authorization")+"\r\n\r\n")
		conn.Close()
	}
	repeats := serve(t, httptest.NewServer)
	repeats.answer = func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", "/"+path)
		w.Header().Set("Retry-After", token)
		w.WriteHeader(418)
		io.WriteString(w, r.URL.Path+" "+r.Header.Get("Authorization"))
	}
	selfSigned := serve(t, httptest.NewTLSServer)
	for name, base := range map[string]string{
		"nobody listens": "http://" + closed, "no such name": "https://receiver.invalid", "it hangs up": hangUp.URL, "it repeats": repeats.URL,
		"nobody vouches for it": selfSigned.URL, "not an address": "http://127.0.0.1:port", "another scheme": "gopher://127.0.0.1", "a user": "https://user:" + token + "@127.0.0.1",
		"control characters": "https://127.0.0.1/\x7f",
	} {
		t.Run(name, func(t *testing.T) {
			at := notify.Endpoint{URLFile: secretFile(t, base+"/"+path+"?code="+path)}
			chat, err := notify.NewChat(notify.Chat{Endpoint: at})
			if err != nil {
				t.Fatal(err)
			}
			for _, sink := range []notify.Sink{chat, cloudEvents(t, notify.CloudEvents{Endpoint: at, TokenFile: secretFile(t, token), SecretFile: secretFile(t, key)})} {
				err := sink.Send(t.Context(), image(1))
				if err == nil {
					t.Fatal("no error")
				}
				var said bytes.Buffer
				for e := err; e != nil; e = errors.Unwrap(e) {
					said.WriteString(e.Error())
				}
				if e := (*notify.Error)(nil); errors.As(err, &e) {
					said.WriteString(e.What + e.Fix)
				}
				for _, secret := range []string{path, strings.TrimPrefix(path, "T0/"), token, key} {
					if strings.Contains(said.String(), secret) {
						t.Errorf("%T: the error holds a secret: %s", sink, strings.ReplaceAll(said.String(), secret, "***"))
					}
				}
			}
		})
	}
}

func TestSecretsThatAreNone(t *testing.T) {
	s := serve(t, httptest.NewServer)
	for _, text := range []string{"", "two words", "short", "whsec_not base64!", "whsec_!!!!", "whsec_c2hvcnQ="} {
		sink := cloudEvents(t, notify.CloudEvents{Endpoint: notify.Endpoint{URL: s.URL}, SecretFile: secretFile(t, text)})
		var e *notify.Error
		if err := sink.Send(t.Context(), image(1)); !errors.As(err, &e) || e.Fix == "" || e.Final {
			t.Errorf("%q: %v", text, err)
		}
	}
	if len(s.bodies) > 0 {
		t.Error("something was sent without a signature")
	}
}

// What keeps a receiver from being told is said before there is news, each fault of it, and is gone
// once the files are there.
func TestUnready(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "none")
	secret := "fake-" + rand.Text()
	there := secretFile(t, secret+rand.Text())
	for name, tt := range map[string]struct {
		sink interface{ Unready() []error }
		want []string
	}{
		"nothing secret":   {cloudEvents(t, notify.CloudEvents{Endpoint: notify.Endpoint{URL: "http://receiver.example"}}), nil},
		"all is there":     {cloudEvents(t, notify.CloudEvents{Endpoint: notify.Endpoint{URL: "https://receiver.example"}, TokenFile: there, SecretFile: there}), nil},
		"none is there":    {cloudEvents(t, notify.CloudEvents{Endpoint: notify.Endpoint{URLFile: missing}, TokenFile: missing + "1", SecretFile: missing + "2"}), []string{missing + ":", missing + "1:", missing + "2:"}},
		"plain http":       {cloudEvents(t, notify.CloudEvents{Endpoint: notify.Endpoint{URL: "http://receiver.example"}, TokenFile: there}), []string{"plain http"}},
		"no key":           {cloudEvents(t, notify.CloudEvents{Endpoint: notify.Endpoint{URL: "https://receiver.example"}, SecretFile: secretFile(t, "short")}), []string{"fewer than 24"}},
		"a chat's address": {&notify.Chat{Endpoint: notify.Endpoint{URLFile: missing}}, []string{missing + ":"}},
		"no address":       {&notify.Chat{Endpoint: notify.Endpoint{URLFile: there}}, []string{"is no address of a receiver"}},
		"a chat":           {&notify.Chat{Endpoint: notify.Endpoint{URLFile: secretFile(t, "https://chat.example/"+secret)}}, nil},
	} {
		got := tt.sink.Unready()
		if len(got) != len(tt.want) {
			t.Errorf("%s: got %v, want %q", name, got, tt.want)
			continue
		}
		for i, err := range got {
			if !strings.Contains(err.Error(), tt.want[i]) || strings.Contains(err.Error(), secret) {
				t.Errorf("%s: got %q, want %q", name, err, tt.want[i])
			}
		}
	}
	late := filepath.Join(t.TempDir(), "late")
	chat := &notify.Chat{Endpoint: notify.Endpoint{URLFile: late}}
	if len(chat.Unready()) != 1 {
		t.Error("what is not there is not missed")
	}
	if err := os.WriteFile(late, []byte("https://chat.example/"+secret), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := chat.Unready(); len(got) > 0 {
		t.Errorf("what came is missed: %v", got)
	}
}
