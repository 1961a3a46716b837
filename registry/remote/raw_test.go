package remote_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/towpath/towpath/registry"
	"github.com/towpath/towpath/registry/registrytest"
	"github.com/towpath/towpath/registry/remote"
)

// raw answers with bytes as they stand, and ends the connection. It takes HTTP/1.1.
func raw(answer string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			panic(err)
		}
		defer conn.Close()
		io.WriteString(conn, answer)
	}
}

// plain is a scripted registry over plain HTTP with a Reader that may ask it.
func plain(t *testing.T) (*registrytest.Script, *remote.Reader, registry.Ref, registry.On) {
	s := registrytest.NewScript(t)
	on := team1
	on.Insecure = true
	return s, open(t, remote.Options{Hosts: map[string]remote.Host{s.Host: {Insecure: true}}}), web(s.Host), on
}

// fault: H-14
//
// A length that is a lie, or two, makes no manifest out of a part of one.
func TestContentLengthLies(t *testing.T) {
	const head = "HTTP/1.1 200 OK\r\nContent-Type: " + ociImage + "\r\n"
	n := len(webImage)
	for name, c := range map[string]struct {
		lengths string
		kind    registry.Kind
		says    string
	}{
		"too short": {fmt.Sprintf("Content-Length: %d\r\n", n-10), registry.Invalid, "not well-formed JSON"},
		"too long":  {fmt.Sprintf("Content-Length: %d\r\n", n+10), registry.Unreachable, "the connection broke"},
		"negative":  {"Content-Length: -1\r\n", registry.Unreachable, "the connection broke"},
		"two":       {fmt.Sprintf("Content-Length: %d\r\nContent-Length: %d\r\n", n-10, n), registry.Unreachable, "the connection broke"},
		"two alike": {fmt.Sprintf("Content-Length: %d\r\nContent-Length: %d\r\n", n, n), "", ""},
		"junk":      {"Content-Length: many\r\n", registry.Unreachable, "the connection broke"},
		"huge":      {"Content-Length: 99999999999999999999\r\n", registry.Unreachable, "the connection broke"},
		"none":      {"", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			s, r, ref, on := plain(t)
			s.On("GET "+manifestV1, raw(head+c.lengths+"\r\n"+webImage))
			image, err := r.Detail(t.Context(), on, ref)
			if c.kind != "" {
				failed(t, err, c.kind, c.says)
				return
			}
			if err != nil || image.Digest != digestOf(webImage) {
				t.Errorf("got %v, %v", image, err)
			}
		})
	}
}

// fault: H-25
//
// Headers without end cost no more than the limit, also those before the answer.
func TestHeadersWithoutEnd(t *testing.T) {
	for name, header := range map[string]string{
		"headers": "X-Large: " + strings.Repeat("a", 1<<10) + "\r\n",
		"hints":   "\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n",
		"go on":   "\r\nHTTP/1.1 100 Continue\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			s, r, ref, on := plain(t)
			s.On("GET "+manifestV1, func(w http.ResponseWriter, _ *http.Request) {
				conn, _, err := w.(http.Hijacker).Hijack()
				if err != nil {
					panic(err)
				}
				defer conn.Close()
				io.WriteString(conn, "HTTP/1.1 103 Early Hints\r\n")
				for err == nil {
					_, err = io.WriteString(conn, header)
				}
			})
			_, err := r.Detail(t.Context(), on, ref)
			failed(t, err, registry.Unreachable, "the connection broke")
		})
	}
}

// fault: H-25
//
// A peer of HTTP/2 that allows frames of no bytes is left at once.
func TestFramesOfNothing(t *testing.T) {
	server := httptest.NewUnstartedServer(nil)
	server.TLS = &tls.Config{NextProtos: []string{"h2"}}
	server.Config.TLSNextProto = map[string]func(*http.Server, *tls.Conn, http.Handler){
		"h2": func(_ *http.Server, conn *tls.Conn, _ http.Handler) {
			conn.Write([]byte{0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0}) // SETTINGS: MAX_FRAME_SIZE 0
			io.Copy(io.Discard, conn)
		},
	}
	server.StartTLS()
	defer server.Close()
	host := server.Listener.Addr().String()
	on := team1
	on.Insecure = true
	r := open(t, remote.Options{Hosts: map[string]remote.Host{host: {Insecure: true}}})
	_, err := r.Detail(t.Context(), on, web(host))
	failed(t, err, registry.Unreachable, "the connection broke")
}

// fault: R-13
//
// A connection that ends within an answer fails the question in a way that
// passes; the next question is answered. A POST is never sent twice.
func TestConnectionEnds(t *testing.T) {
	for name, c := range map[string]struct {
		fault http.HandlerFunc
		works bool
	}{
		"RST_STREAM":           {registrytest.Hangup, false},
		"RST_STREAM in a body": {registrytest.Truncated(ociImage, []byte(webImage), 10), false},
		"GOAWAY": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Connection", "close")
			manifest(ociImage, webImage)(w, r)
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			s, r := one(t)
			s.On("GET "+manifestV1, manifest(ociImage, webImage))
			s.Fault("GET "+manifestV1, c.fault)
			_, err := r.Detail(t.Context(), team1, web("registry.test"))
			if c.works && err != nil {
				t.Error(err)
			}
			if !c.works {
				failed(t, err, registry.Unreachable, "the connection broke")
			}
			if _, err := r.Detail(t.Context(), team1, web("registry.test")); err != nil {
				t.Errorf("the next question: %v", err)
			}
		})
	}
	t.Run("POST", func(t *testing.T) {
		s, r, posts := identityWorld(t)
		s.On("POST /token", registrytest.Hangup)
		_, err := r.Detail(t.Context(), team1, web("registry.test"))
		failed(t, err, registry.Unreachable, "the connection broke")
		if diff := cmp.Diff(1, posts()); diff != "" {
			t.Errorf("POSTs of a token (-want +got):\n%s", diff)
		}
	})
}

// identityFile writes a login that holds an identity token.
func identityFile(t *testing.T, host string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "logins.json")
	body := fmt.Sprintf(`{"auths":{%q:{"identitytoken":%q}}}`, host, secret())
	if err := os.WriteFile(path, []byte(body), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// identityWorld is a registry whose token service takes identity tokens, by POST.
func identityWorld(t *testing.T) (s *registrytest.Script, r *remote.Reader, posts func() int) {
	w := newWorld(t)
	s = w.registry(t, "registry.test")
	s.On("/v2/*", challenge(`Bearer realm="https://registry.test/token",service="test"`))
	r = w.reader(t, remote.Options{Credentials: []remote.Credential{{File: identityFile(t, "registry.test")}}}, "registry.test")
	return s, r, func() (n int) {
		for _, asked := range s.Requests() {
			if asked.Method == http.MethodPost {
				n++
			}
		}
		return n
	}
}
