package gittest

import (
	"bytes"
	"crypto/rand"
	"crypto/subtle"
	"crypto/tls"
	"encoding/pem"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// An Op is what a request asks of a Git server.
type Op string

const (
	Any       Op = ""               // every request; matches only, is never logged
	FetchRefs Op = "fetch refs"     // GET info/refs for upload-pack
	LsRefs    Op = "ls-refs"        // POST git-upload-pack, protocol 2's ls-refs
	Fetch     Op = "fetch"          // any other POST git-upload-pack
	PushRefs  Op = "push refs"      // GET info/refs for receive-pack
	Push      Op = "push"           // POST git-receive-pack
	Other     Op = "something else" // a dumb client's file, or no Git at all
)

// A Request is a line of the server's log.
type Request struct {
	Op            Op
	Method, Path  string
	Authorization string // the header as it came
	Protocol      string // the Git-Protocol header
	In, Out       int    // bytes of the bodies
	Status        int    // 0 if nothing was answered
}

// A Server serves repositories over smart HTTP on loopback by git's own
// http-backend. Whoever asks needs User and Password.
type Server struct {
	*httptest.Server
	User string

	t       testing.TB
	door    *door
	backend string

	mu       sync.Mutex
	password string // empty: everybody may come in
	repos    map[string]*Repo
	faults   []*plan
	log      []Request
}

// Serve serves the repositories over HTTP until the test ends.
func Serve(t testing.TB, repos ...*Repo) *Server {
	t.Helper()
	s := newServer(t, repos)
	s.Start()
	return s
}

// ServeTLS serves them over HTTPS: with a certificate for 127.0.0.1 that
// CAFile vouches for, or with the configuration given.
func ServeTLS(t testing.TB, config *tls.Config, repos ...*Repo) *Server {
	t.Helper()
	s := newServer(t, repos)
	s.TLS = config
	s.StartTLS()
	return s
}

func newServer(t testing.TB, repos []*Repo) *Server {
	t.Helper()
	out, err := exec.Command("git", "--exec-path").Output()
	if err != nil {
		t.Fatal("these tests need git: apt-get install git")
	}
	s := &Server{
		User: "reader", password: "fake-" + rand.Text(),
		t: t, backend: filepath.Join(strings.TrimSpace(string(out)), "git-http-backend"),
		repos: map[string]*Repo{},
	}
	for i, r := range repos {
		s.repos["/"+strconv.Itoa(i)+".git"] = r
	}
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(s.serve))
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // handshakes fail on purpose
	s.door = &door{Listener: s.Listener}
	s.Listener = s.door
	t.Cleanup(func() {
		s.CloseClientConnections() // ends what hangs
		s.Close()
	})
	return s
}

// Repo is the URL of a repository, without user information.
func (s *Server) Repo(r *Repo) string {
	for path, have := range s.repos {
		if have == r {
			return s.URL + path
		}
	}
	s.t.Fatalf("this server does not serve %s", r.Dir)
	return ""
}

// Password is the one that is right now.
func (s *Server) Password() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.password
}

// SetPassword changes it. With an empty one nobody is asked.
func (s *Server) SetPassword(p string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.password = p
}

// PasswordFile writes the password to a new file, as a secret is mounted.
func (s *Server) PasswordFile() string {
	s.t.Helper()
	return s.file("password", []byte(s.Password()+"\n"))
}

// CAFile writes the certificate that vouches for a TLS server to a new file.
func (s *Server) CAFile() string {
	s.t.Helper()
	return s.file("ca.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}))
}

func (s *Server) file(name string, content []byte) string {
	s.t.Helper()
	path := filepath.Join(s.t.TempDir(), name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		s.t.Fatal(err)
	}
	return path
}

// Log lists the requests so far, in the order in which they ended, and forgets
// them.
func (s *Server) Log() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	log := s.log
	s.log = nil
	return log
}

// Down makes the server hang up on everyone, at once, until Up.
func (s *Server) Down() {
	s.door.set(true)
	s.CloseClientConnections()
}

// Up ends Down.
func (s *Server) Up() { s.door.set(false) }

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the client went away
	}
	// A CGI program wants a length.
	r.Body, r.ContentLength, r.TransferEncoding = io.NopCloser(bytes.NewReader(body)), int64(len(body)), nil

	op := opOf(r, body)
	cw := &countingWriter{ResponseWriter: w}
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.log = append(s.log, Request{
			Op: op, Method: r.Method, Path: r.URL.Path,
			Authorization: r.Header.Get("Authorization"), Protocol: r.Header.Get("Git-Protocol"),
			In: len(body), Out: cw.n, Status: cw.status,
		})
	}()
	if fault := s.nextFault(op); fault != nil {
		fault(cw, r, http.HandlerFunc(s.git))
		return
	}
	s.git(cw, r)
}

// git is the server without any fault.
func (s *Server) git(w http.ResponseWriter, r *http.Request) {
	if !s.welcome(r) {
		w.Header().Set("WWW-Authenticate", `Basic realm="git"`)
		http.Error(w, "who are you?", http.StatusUnauthorized)
		return
	}
	root := "/" + strings.SplitN(strings.TrimPrefix(r.URL.Path, "/"), "/", 2)[0]
	repo := s.repos[root]
	if repo == nil {
		http.NotFound(w, r)
		return
	}
	r.Header.Del("Authorization") // git has no use for it
	(&cgi.Handler{
		Path: s.backend, Root: root, Dir: repo.home, Stderr: io.Discard,
		Logger: s.Config.ErrorLog,
		Env:    append(repo.Env(), "GIT_PROJECT_ROOT="+repo.Dir, "GIT_HTTP_EXPORT_ALL=1"),
	}).ServeHTTP(w, r)
}

func (s *Server) welcome(r *http.Request) bool {
	want := s.Password()
	user, password, _ := r.BasicAuth()
	return want == "" || user == s.User && subtle.ConstantTimeCompare([]byte(password), []byte(want)) == 1
}

func opOf(r *http.Request, body []byte) Op {
	service := r.URL.Query().Get("service")
	switch {
	case strings.HasSuffix(r.URL.Path, "/info/refs") && service == "git-upload-pack":
		return FetchRefs
	case strings.HasSuffix(r.URL.Path, "/info/refs") && service == "git-receive-pack":
		return PushRefs
	case strings.HasSuffix(r.URL.Path, "/git-receive-pack"):
		return Push
	case !strings.HasSuffix(r.URL.Path, "/git-upload-pack"):
		return Other
	case bytes.Contains(body[:min(len(body), 64)], []byte("command=ls-refs")):
		return LsRefs
	}
	return Fetch
}

// Count tells how many of the requests are of one kind.
func Count(log []Request, op Op) int {
	return len(slices.DeleteFunc(slices.Clone(log), func(r Request) bool { return op != Any && r.Op != op }))
}

// A door is a listener that can be slammed.
type door struct {
	net.Listener
	mu   sync.Mutex
	shut bool
}

func (d *door) set(shut bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.shut = shut
}

func (d *door) Accept() (net.Conn, error) {
	for {
		c, err := d.Listener.Accept()
		if err != nil {
			return nil, err
		}
		d.mu.Lock()
		shut := d.shut
		d.mu.Unlock()
		if !shut {
			return c, nil
		}
		if tcp, ok := c.(*net.TCPConn); ok {
			tcp.SetLinger(0) // a reset, as of a host that has no such port
		}
		c.Close()
	}
}

// A countingWriter remembers what was answered.
type countingWriter struct {
	http.ResponseWriter
	status, n int
}

func (w *countingWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

func (w *countingWriter) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	n, err := w.ResponseWriter.Write(p)
	w.n += n
	return n, err
}

// Unwrap lets an http.ResponseController flush.
func (w *countingWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
