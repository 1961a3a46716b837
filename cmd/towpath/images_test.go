package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/towpath/towpath/registry/integrated"
	"github.com/towpath/towpath/registry/registrytest"
)

// images are a registry on loopback that can be in a mood.
type images struct {
	host  string
	words map[string]string // by digest: what determined the image
	open  func() http.Handler
	done  chan struct{} // closed at the end: what hangs goes on
	asked chan struct{} // a request hangs

	user, password string // that it wants while it is private

	mu  sync.Mutex
	now string // up, down, html, hang or private
}

func newImages(t testing.TB) *images {
	im := &images{words: map[string]string{}, done: make(chan struct{}), asked: make(chan struct{}, 1), now: "up", user: "puller", password: "fake-" + rand.Text()}
	var opened *integrated.Registry
	im.open = sync.OnceValue(func() http.Handler {
		r, err := integrated.New(context.Background(), integrated.Options{})
		if err != nil {
			panic(err)
		}
		opened = r
		return r
	})
	server := httptest.NewUnstartedServer(im)
	server.Listener = gate{server.Listener, im}
	server.Start()
	im.host = server.Listener.Addr().String()
	t.Cleanup(func() {
		close(im.done)
		server.CloseClientConnections()
		server.Close()
		if opened != nil {
			opened.Close()
		}
	})
	return im
}

func (im *images) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch im.is() {
	case "down": // over a connection from before
		panic(http.ErrAbortHandler)
	case "html":
		registrytest.Body("text/html", []byte("<html><body>Please log in.</body></html>"))(w, r)
	case "hang":
		select {
		case im.asked <- struct{}{}:
		default:
		}
		select {
		case <-im.done:
		case <-r.Context().Done():
		}
		panic(http.ErrAbortHandler)
	case "private":
		if user, password, _ := r.BasicAuth(); user != im.user || password != im.password {
			w.Header().Set("WWW-Authenticate", `Basic realm="images"`)
			registrytest.RegistryError(http.StatusUnauthorized, "UNAUTHORIZED", "authentication required")(w, r)
			return
		}
		im.open().ServeHTTP(w, r)
	default:
		im.open().ServeHTTP(w, r)
	}
}

func (im *images) is() string {
	im.mu.Lock()
	defer im.mu.Unlock()
	return im.now
}

// A gate lets no connection in while the registry is down.
type gate struct {
	net.Listener
	images *images
}

func (g gate) Accept() (net.Conn, error) {
	for {
		conn, err := g.Listener.Accept()
		if err != nil || g.images.is() != "down" {
			return conn, err
		}
		if tcp, ok := conn.(*net.TCPConn); ok {
			tcp.SetLinger(0) // a reset, as of a host that has no such port
		}
		conn.Close()
	}
}

// mood says how the registry behaves from now on; asked waits for a request
// that hangs.
func (im *images) mood(t testing.TB, how string) {
	if how == "asked" {
		select {
		case <-im.asked:
		case <-time.After(patience):
			t.Fatal("nobody asked the registry")
		}
		return
	}
	im.mu.Lock()
	defer im.mu.Unlock()
	im.now = how
}

// dockerConfig is a file in Docker's form with the credential for this registry.
func (im *images) dockerConfig() string {
	auth := base64.StdEncoding.EncodeToString([]byte(im.user + ":" + im.password))
	return fmt.Sprintf(`{"auths": {%q: {"auth": %q}}}`, im.host, auth)
}

func (im *images) push(t testing.TB, name, word string, age ...string) {
	var says []registrytest.Option
	for _, text := range age {
		d, err := time.ParseDuration(text)
		if err != nil {
			t.Fatal(err)
		}
		says = append(says, registrytest.Created(time.Now().Add(-d)))
	}
	image := registrytest.NewImage(t, name, word, says...)
	image.Push(t, im.host)
	im.words[image.Digest] = word
}

func (im *images) untag(t testing.TB, name string) {
	repo, tag, _ := strings.Cut(name, ":")
	req, err := http.NewRequestWithContext(t.Context(), http.MethodDelete, "http://"+im.host+"/v2/"+repo+"/manifests/"+tag, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusAccepted {
		t.Fatalf("untag %s: %s", name, resp.Status)
	}
}
