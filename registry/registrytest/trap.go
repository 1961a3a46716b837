package registrytest

import (
	"bytes"
	"crypto/tls"
	"encoding/base64"
	"encoding/hex"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"testing"
)

// A Trap is a server that no secret may reach. It keeps every byte that comes,
// whether or not it is HTTP, and answers each request with a token, so that a
// client goes on to show what it would do next.
type Trap struct {
	URL  string // http://127.0.0.1:port, or https
	Host string // 127.0.0.1:port

	canaries []string
	server   *http.Server
	ended    sync.WaitGroup // the serving goroutine

	mu   sync.Mutex // over all below
	wire []*bytes.Buffer
	log  []Request
}

// NewTrap starts a Trap over plain HTTP. When the test ends, it fails if a canary
// arrived: as it is, in base64 (as part of a longer text, too), hex or URL-encoded.
// A canary has eight characters or more.
func NewTrap(t testing.TB, canaries ...string) *Trap {
	t.Helper()
	return setTrap(t, nil, canaries)
}

// NewTLSTrap starts a Trap over HTTPS that is whatever host the client asks for.
func NewTLSTrap(t testing.TB, ca *CA, canaries ...string) *Trap {
	t.Helper()
	return setTrap(t, ca.serverConfig(t), canaries)
}

func setTrap(t testing.TB, config *tls.Config, canaries []string) *Trap {
	t.Helper()
	trap := newTrap(t, config, canaries)
	t.Cleanup(func() {
		trap.close()
		for _, caught := range trap.Caught() {
			t.Errorf("a secret reached %s: %s", trap.URL, caught)
		}
	})
	return trap
}

func newTrap(t testing.TB, config *tls.Config, canaries []string) *Trap {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	trap := &Trap{Host: listener.Addr().String(), URL: "http://" + listener.Addr().String(), canaries: canaries}
	if config != nil {
		// HTTP/1.1 only: HTTP/2 would compress the headers that Caught looks through.
		config.NextProtos = []string{"http/1.1"}
		listener = tls.NewListener(listener, config)
		trap.URL = "https://" + trap.Host
	}
	trap.server = &http.Server{Handler: trap, ErrorLog: discard()}
	trap.ended.Go(func() { trap.server.Serve(recorder{listener, trap}) })
	return trap
}

func (trap *Trap) close() {
	trap.server.Close()
	trap.ended.Wait()
}

// ServeHTTP logs the request and hands out a token.
func (trap *Trap) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	trap.mu.Lock()
	trap.log = append(trap.log, Request{Method: r.Method, Host: r.Host, URI: r.RequestURI, Header: r.Header.Clone(), Body: body})
	trap.mu.Unlock()
	JSON(map[string]any{"token": "trap", "access_token": "trap", "expires_in": 300})(w, r)
}

// Requests is the log so far.
func (trap *Trap) Requests() []Request {
	trap.mu.Lock()
	defer trap.mu.Unlock()
	return slices.Clone(trap.log)
}

// Caught names the canaries that arrived so far and the form that they had.
func (trap *Trap) Caught() []string {
	trap.mu.Lock()
	defer trap.mu.Unlock()
	var caught []string
	for _, canary := range trap.canaries {
		for _, d := range disguises(canary) {
			if trap.holds(d.text) {
				caught = append(caught, canary+" "+d.form)
				break // one form is enough
			}
		}
	}
	return caught
}

func (trap *Trap) holds(text string) bool {
	return slices.ContainsFunc(trap.wire, func(wire *bytes.Buffer) bool {
		return bytes.Contains(wire.Bytes(), []byte(text))
	})
}

type disguise struct{ form, text string }

// disguises are the forms in which a secret may travel. In base64 a text inside
// a longer one (user:password) looks one of three ways, by where it starts.
func disguises(canary string) []disguise {
	forms := []disguise{
		{"as it is", canary},
		{"in hex", hex.EncodeToString([]byte(canary))},
		{"URL-encoded", url.QueryEscape(canary)},
		{"URL-encoded", url.PathEscape(canary)},
	}
	for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		for offset := range 3 {
			text := encoding.EncodeToString(append(make([]byte, offset), canary...))
			// The first and last characters depend on the neighbours, too.
			start, end := (offset*8+5)/6, (offset+len(canary))*8/6
			forms = append(forms, disguise{"in base64", text[start:end]})
		}
	}
	return forms
}

// A recorder hands out connections that keep what is read from them. It stands
// above TLS, so that is plain text.
type recorder struct {
	net.Listener
	trap *Trap
}

func (r recorder) Accept() (net.Conn, error) {
	conn, err := r.Listener.Accept()
	if err != nil {
		return nil, err
	}
	r.trap.mu.Lock()
	defer r.trap.mu.Unlock()
	wire := new(bytes.Buffer)
	r.trap.wire = append(r.trap.wire, wire)
	return recorded{conn, r.trap, wire}, nil
}

type recorded struct {
	net.Conn
	trap *Trap
	wire *bytes.Buffer // guarded by trap.mu
}

func (r recorded) Read(p []byte) (int, error) {
	n, err := r.Conn.Read(p)
	r.trap.mu.Lock()
	defer r.trap.mu.Unlock()
	r.wire.Write(p[:n])
	return n, err
}

func discard() *log.Logger { return log.New(io.Discard, "", 0) }
