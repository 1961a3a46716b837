package registrytest

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// A Script is a registry on loopback that answers what the test tells it to, and
// keeps a log of what it was asked. What it was told nothing about is 404 with a
// registry's error body; GET /v2/ is 200.
//
// A pattern is a path, "/v2/team1/web/tags/list", with a method before it,
// "GET /v2/…", or any method. It is compared with the path that came, never
// cleaned; a * at its end takes every path that starts so. GET takes HEAD, too.
// The longest pattern answers; of equal ones the latest.
type Script struct {
	URL  string // http://127.0.0.1:port, or https
	Host string // 127.0.0.1:port
	done chan struct{}

	mu     sync.Mutex // over all below
	routes []route
	faults []route // each answers once, before any route
	log    []Request
}

type route struct {
	method, path string
	answer       http.HandlerFunc
}

// A Request is what a server was asked.
type Request struct {
	Method string
	Host   string // the Host header
	URI    string // path and query as they came
	Header http.Header
	Body   []byte // the first MiB
}

// NewScript starts a Script that speaks plain HTTP. It ends with the test.
func NewScript(t testing.TB) *Script {
	t.Helper()
	s, server := newScript()
	server.Start()
	s.opened(t, server)
	return s
}

// NewTLSScript starts a Script that speaks HTTPS, HTTP/2 included, as whatever
// host the client asks for. It ends with the test.
func NewTLSScript(t testing.TB, ca *CA) *Script {
	t.Helper()
	s, server := newScript()
	server.TLS = ca.serverConfig(t)
	server.EnableHTTP2 = true
	server.StartTLS()
	s.opened(t, server)
	return s
}

func newScript() (*Script, *httptest.Server) {
	s := &Script{done: make(chan struct{})}
	s.On("GET /v2/", Body("application/json", []byte("{}")))
	server := httptest.NewUnstartedServer(s)
	server.Config.ErrorLog = discard() // clients that hang up are the point
	return s, server
}

func (s *Script) opened(t testing.TB, server *httptest.Server) {
	s.URL, s.Host = server.URL, server.Listener.Addr().String()
	t.Cleanup(func() {
		close(s.done) // first: Close waits for handlers that stall
		server.Close()
	})
}

// On says what a pattern answers from now on.
func (s *Script) On(pattern string, answer http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.routes = append(s.routes, newRoute(pattern, answer))
}

// Fault says what the next requests for a pattern are answered, one fault each
// and in this order. After them it answers as before.
func (s *Script) Fault(pattern string, faults ...http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, fault := range faults {
		s.faults = append(s.faults, newRoute(pattern, fault))
	}
}

// Manifest makes a repository answer with a manifest for its digest, and for the
// tag unless that is empty. It returns the digest.
func (s *Script) Manifest(repo, tag, mediaType string, body []byte) string {
	sum := sha256.Sum256(body)
	digest := "sha256:" + hex.EncodeToString(sum[:])
	answer := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Docker-Content-Digest", digest)
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		Body(mediaType, body)(w, r)
	}
	s.On("GET /v2/"+repo+"/manifests/"+digest, answer)
	if tag != "" {
		s.On("GET /v2/"+repo+"/manifests/"+tag, answer)
	}
	return digest
}

// Blob makes a repository answer with a blob for its digest, which it returns.
func (s *Script) Blob(repo string, body []byte) string {
	sum := sha256.Sum256(body)
	digest := "sha256:" + hex.EncodeToString(sum[:])
	s.On("GET /v2/"+repo+"/blobs/"+digest, Body("application/octet-stream", body))
	return digest
}

// Tags makes a repository list these tags, in this order and on one page.
func (s *Script) Tags(repo string, tags ...string) {
	s.On("GET /v2/"+repo+"/tags/list", JSON(map[string]any{"name": repo, "tags": tags}))
}

// Requests is the log so far.
func (s *Script) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.log)
}

// Paths is the log so far as "METHOD path?query" lines.
func (s *Script) Paths() []string {
	var lines []string
	for _, r := range s.Requests() {
		lines = append(lines, r.Method+" "+r.URI)
	}
	return lines
}

// Stall is a fault: it says nothing until the client leaves or the test ends.
func (s *Script) Stall(_ http.ResponseWriter, r *http.Request) {
	select {
	case <-s.done:
	case <-r.Context().Done():
	}
}

// Endless is a fault: it says 200 and then the chunk again and again until the
// client leaves.
func (s *Script) Endless(contentType string, chunk []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", contentType)
		for r.Context().Err() == nil {
			if _, err := w.Write(chunk); err != nil {
				return
			}
			select {
			case <-s.done:
				return
			default:
			}
		}
	}
}

// ServeHTTP logs the request and plays its part.
func (s *Script) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	r.Body = io.NopCloser(bytes.NewReader(body))
	s.next(r, body)(w, r)
}

// next writes the log and takes out the fault, if there is one.
func (s *Script) next(r *http.Request, body []byte) http.HandlerFunc {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.log = append(s.log, Request{Method: r.Method, Host: r.Host, URI: r.RequestURI, Header: r.Header.Clone(), Body: body})
	if i := slices.IndexFunc(s.faults, func(f route) bool { return f.takes(r) }); i >= 0 {
		fault := s.faults[i].answer
		s.faults = slices.Delete(s.faults, i, i+1)
		return fault
	}
	best := route{answer: RegistryError(http.StatusNotFound, "NOT_FOUND", "the script says nothing of this")}
	for _, route := range s.routes {
		if route.takes(r) && len(route.path) >= len(best.path) {
			best = route
		}
	}
	return best.answer
}

func newRoute(pattern string, answer http.HandlerFunc) route {
	method, path, ok := strings.Cut(pattern, " ")
	if !ok {
		method, path = "", pattern
	}
	return route{method: method, path: path, answer: answer}
}

func (rt route) takes(r *http.Request) bool {
	if rt.method != "" && rt.method != r.Method && (rt.method != "GET" || r.Method != "HEAD") {
		return false
	}
	if prefix, ok := strings.CutSuffix(rt.path, "*"); ok {
		return strings.HasPrefix(r.URL.Path, prefix)
	}
	return rt.path == r.URL.Path
}

// Status answers with a status and headers, each "Name: value".
func Status(code int, headers ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for _, header := range headers {
			name, value, _ := strings.Cut(header, ": ")
			w.Header().Add(name, value)
		}
		w.WriteHeader(code)
	}
}

// Body answers 200 with bytes.
func Body(contentType string, body []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.Write(body)
	}
}

// JSON answers 200 with a value.
func JSON(value any) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(value)
	}
}

// RegistryError answers with a status and the error body of a registry.
func RegistryError(status int, code, message string) http.HandlerFunc {
	type entry struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	}
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		json.NewEncoder(w).Encode(map[string][]entry{"errors": {{code, message}}})
	}
}

// Redirect answers with a status and a Location that is sent as it stands.
func Redirect(code int, location string) http.HandlerFunc {
	return Status(code, "Location: "+location)
}

// Hangup is a fault: the connection ends without an answer.
func Hangup(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

// Truncated is a fault: the answer promises the whole body, brings its first n
// bytes, and the connection ends.
func Truncated(contentType string, body []byte, n int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		w.Write(body[:n])
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}
}
