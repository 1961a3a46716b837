package integrated

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/towpath/towpath/registry"
)

// Rules are the operator's words on who may do what.
type Rules struct {
	UsersFile     string // htpasswd, bcrypt only
	Tokens        []Token
	Access        Access
	ImmutableTags []Pattern // tags that never change, and are not deleted
	Delete        bool      // deletion is possible at all
	Limits        Limits
	// Client is where a request comes from, for limits, as proxies say that are trusted; false where
	// they say nothing that can be read. Nil: by its connection. Who is local goes by the
	// connection always.
	Client func(*http.Request) (netip.Addr, bool)
}

// A marker writes down that a tag was pushed, durably.
type marker interface {
	mark(ctx context.Context, repository, tag, digest string) error
}

// A gate stands before everything else. It understands a request, finds out who sends it,
// decides, and only then passes it on, built anew. So whoever may not do a thing learns nothing
// by trying it.
type gate struct {
	rules Rules
	guide Guide // nil: stand-alone
	marks marker
	next  http.Handler // answers what was let through
	// waiting are the pushes that wait to be recorded; nil: none does.
	waiting func(context.Context) ([]registry.Arrival, error)
	// awaits reports whether a push of a tag is one of them.
	awaits func(ctx context.Context, repository, tag string) (bool, error)
	// bring fetches what a manifest needs that is about to be pushed, or answers where it cannot. What is
	// pushed within the context is not looked for again. Nil: nothing is fetched here.
	bring   func(http.ResponseWriter, *http.Request) (context.Context, bool)
	people  *people
	brake   *brake
	open    *sessions
	quota   *quota
	memory  *memory
	catalog *catalog
	parts   *parts
	tags    locks   // of a tag, while it is pushed or deleted
	refused *seldom // pushes
	turned  *seldom // strangers, by what they can choose
	denied  *seldom // whoever may not do what they want
	keep    int64   // bytes that stay free, to tell
	log     *slog.Logger
	now     func() time.Time
	// patience is how long a client may keep still.
	patience time.Duration
}

// newGate reads the files that the rules name. The error is for the operator.
func newGate(rules Rules, guide Guide, marks marker, on library, next http.Handler, log *slog.Logger) (*gate, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	rules.Limits = rules.Limits.orDefault()
	people, err := newPeople(rules.UsersFile, rules.Tokens, time.Now(), log)
	if err != nil {
		return nil, fmt.Errorf("registry: %w", err)
	}
	return &gate{
		rules: rules, guide: guide, marks: marks, next: next, log: log, now: time.Now, patience: defaultPatience,
		people:  people,
		brake:   newBrake(rules.Limits),
		open:    newSessions(rules.Limits.UploadsOpen),
		memory:  &memory{of: map[string]int64{}},
		quota:   newQuota(rules.Limits.NamespaceSize),
		catalog: &catalog{on: on},
		parts:   newParts(on),
		tags:    locks{held: map[string]*held{}},
		refused: newSeldom(),
		turned:  newSeldom(),
		denied:  newSeldom(),
		awaits:  func(context.Context, string, string) (bool, error) { return false, nil },
	}, nil
}

// ServeHTTP is the whole way of a request.
func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	conn := http.NewResponseController(w)
	body := newPatient(r, conn, g.patience)
	w = patientWriter{w, conn, g.patience, body}
	r.Body = body
	client := g.client(r)
	leave, bad := g.brake.enter(client, g.now())
	if bad != nil {
		bad.write(w)
		body.cut()
		return
	}
	defer leave()
	defer body.drop() // while it counts
	a, bad := g.understand(r)
	if bad != nil {
		bad.write(w)
		return
	}
	if a.from, bad = g.identify(r, client); bad != nil {
		g.tellLogin(r, a, client, bad)
		bad.write(w)
		return
	}
	if key := a.from.key(); key != "" && !a.from.local {
		leave, bad := g.brake.enter(key, g.now())
		if bad != nil {
			bad.write(w)
			return
		}
		defer leave()
	}
	if bad := g.decide(a); bad != nil {
		g.tellDenied(a, client, bad)
		bad.write(w)
		return
	}
	g.serve(w, r, a)
}

// client is what a request is counted as before anybody knows who sends it.
func (g *gate) client(r *http.Request) string {
	if g.rules.Client != nil {
		if addr, ok := g.rules.Client(r); ok {
			return clientAt(addr)
		}
	}
	return clientOf(r.RemoteAddr)
}

// An ask is a request that was understood.
type ask struct {
	route
	method string
	query  url.Values
	from   principal
}

func (g *gate) understand(r *http.Request) (ask, *refusal) {
	rt, bad := routeOf(r.URL.EscapedPath(), g.guide != nil)
	if bad != nil {
		return ask{}, bad.to(r.Method)
	}
	query, bad := queryOf(rt.kind, r.URL.RawQuery)
	if bad != nil {
		return ask{}, bad
	}
	if !slices.Contains(methods[rt.kind], r.Method) {
		bad := refuse(http.StatusMethodNotAllowed, "UNSUPPORTED", "this cannot be done here")
		bad.allow = strings.Join(methods[rt.kind], ", ")
		return ask{}, bad
	}
	return ask{route: rt, method: r.Method, query: query}, nil
}

// identify is who sends a request. Wrong credentials are refused, also where nobody needs any.
func (g *gate) identify(r *http.Request, client string) (principal, *refusal) {
	name, secret, there, bad := credentials(r.Header)
	switch {
	case !g.people.known() && isLocal(r.RemoteAddr, r.Host, r.Header):
		return principal{local: true}, nil // whatever it says: there is nobody whose name it could have
	case bad != nil:
		return principal{}, bad
	case !there || !g.people.known():
		return principal{}, nil
	}
	return g.people.who(r.Context(), client, name, secret, g.now())
}

// decide says why somebody may not do something; from what is asked and the rules alone, before
// anything is looked up.
func (g *gate) decide(a ask) *refusal {
	known := g.people.known()
	if a.method == http.MethodDelete && a.kind != toUpload && !g.rules.Delete {
		if bad := g.may(a, Pull); bad != nil {
			return bad
		}
		return refuse(http.StatusMethodNotAllowed, "UNSUPPORTED", "nothing is deleted from this registry; its operator can write delete: true below registry:"+Restarts)
	}
	switch {
	case a.kind == toBase || a.kind == toCatalog:
		// Clients look here whether they must log in.
		anonymous := a.from == principal{}
		if anonymous && !known && (len(g.rules.Access.Anonymous) == 0) {
			return nobodyKnown()
		}
		if anonymous && known {
			return denied(a.from, Pull, "", known)
		}
		return nil
	case a.kind == toUploads || a.kind == toUpload || a.method == http.MethodPut:
		return g.may(a, Push)
	case a.method == http.MethodDelete:
		return g.may(a, Delete)
	case a.method == http.MethodHead && g.rules.Access.sees(a.from, a.namespace):
		return nil
	}
	return g.may(a, Pull)
}

func (g *gate) may(a ask, right Right) *refusal {
	if g.rules.Access.may(a.from, right, a.namespace) {
		return nil
	}
	return denied(a.from, right, a.namespace, g.people.known())
}

// serve answers what is allowed.
func (g *gate) serve(w http.ResponseWriter, r *http.Request, a ask) {
	r = r.WithContext(withReach(registry.WithLoop(r.Context(), loopOf(r)), func(namespace string) bool {
		return g.rules.Access.may(a.from, Pull, namespace)
	}))
	switch {
	case a.kind == toCatalog:
		g.serveCatalog(w, r, a)
	case a.kind == toTags:
		g.serveTags(w, r, a)
	case a.kind == toManifest && a.method == http.MethodPut:
		g.servePush(w, r, a)
	case a.kind == toUploads:
		g.serveBegin(w, r, a)
	case a.kind == toUpload:
		g.serveUpload(w, r, a)
	case a.kind != toUpload && a.method == http.MethodDelete:
		g.serveDelete(w, r, a)
	case a.kind == toReferrers:
		notFound().write(w)
	default:
		g.next.ServeHTTP(w, a.request(r, nil))
	}
}

// passed are the headers of a request that distribution reads.
var passed = []string{"Accept", "Range", "If-None-Match", "If-Modified-Since", "If-Range", "Content-Range", "User-Agent"}

// request is the request as it is passed on: its address built from its parts, and of its
// headers those that mean something. So a form in a body is no parameter.
func (a ask) request(r *http.Request, body io.ReadCloser) *http.Request {
	out := bare(r.Context(), a.method, a.path(), a.query)
	out.Host, out.RemoteAddr, out.Proto, out.ProtoMajor, out.ProtoMinor, out.TLS = r.Host, r.RemoteAddr, r.Proto, r.ProtoMajor, r.ProtoMinor, r.TLS
	for _, key := range passed {
		if values := r.Header.Values(key); len(values) > 0 {
			out.Header[key] = values
		}
	}
	if body != nil {
		out.Body, out.ContentLength = body, r.ContentLength
		if length := r.Header.Get("Content-Length"); length != "" {
			out.Header.Set("Content-Length", length)
		}
	}
	return out
}

// bare is a request of our own.
func bare(ctx context.Context, method, path string, query url.Values) *http.Request {
	u := &url.URL{Path: path, RawQuery: query.Encode()}
	r := &http.Request{
		Method: method, URL: u, RequestURI: u.RequestURI(), Header: http.Header{},
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Body: http.NoBody, Host: "localhost",
	}
	return r.WithContext(ctx)
}

// manifestTypes are all that distribution keeps.
var manifestTypes = []string{
	"application/vnd.oci.image.manifest.v1+json",
	"application/vnd.oci.image.index.v1+json",
	"application/vnd.docker.distribution.manifest.v2+json",
	"application/vnd.docker.distribution.manifest.list.v2+json",
}

// look asks for something behind the gate.
func (g *gate) look(ctx context.Context, method string, rt route, query url.Values) *kept {
	r := bare(ctx, method, rt.path(), query)
	r.Header["Accept"] = manifestTypes
	return g.ask(r)
}

// ask keeps the answer to a request.
func (g *gate) ask(r *http.Request) *kept {
	k := &kept{header: http.Header{}}
	g.next.ServeHTTP(k, r)
	if k.status == 0 {
		k.status = http.StatusOK
	}
	return k
}

// A kept answer was not sent yet.
type kept struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (k *kept) Header() http.Header { return k.header }

func (k *kept) WriteHeader(status int) {
	if k.status == 0 {
		k.status = status
	}
}

func (k *kept) Write(b []byte) (int, error) {
	k.WriteHeader(http.StatusOK)
	return k.body.Write(b)
}

// send sends the answer.
func (k *kept) send(w http.ResponseWriter) {
	for key, values := range k.header {
		w.Header()[key] = values
	}
	w.WriteHeader(k.status)
	_, _ = w.Write(k.body.Bytes()) // the client may have gone
}

// locks holds names one at a time.
type locks struct {
	mu   sync.Mutex
	held map[string]*held
}

type held struct {
	turn chan struct{} // has one place, which is who holds the name's
	want int
}

// lock waits for a name, for as long as its context lasts; unlock lets it go.
func (l *locks) lock(ctx context.Context, name string) (unlock func(), err error) {
	l.mu.Lock()
	h := l.held[name]
	if h == nil {
		h = &held{turn: make(chan struct{}, 1)}
		l.held[name] = h
	}
	h.want++
	l.mu.Unlock()
	leave := func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if h.want--; h.want == 0 {
			delete(l.held, name)
		}
	}
	select {
	case h.turn <- struct{}{}:
		return func() { <-h.turn; leave() }, nil
	case <-ctx.Done():
		leave()
		return nil, context.Cause(ctx)
	}
}
