package integrated

import (
	"container/list"
	"io"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Limits bound what one client costs. Zero is the default.
type Limits struct {
	RequestsPerSecond float64 // of one user, robot or address; default 200
	Concurrency       int     // requests under way of one of them; default 200
	UploadsOpen       int     // upload sessions of one of them; default 100
	BlobSize          int64   // bytes of one blob; default 50 GiB
	NamespaceSize     int64   // bytes of all blobs of a namespace; 0: any
}

func (l Limits) orDefault() Limits {
	if l.RequestsPerSecond == 0 {
		l.RequestsPerSecond = 200
	}
	if l.Concurrency == 0 {
		l.Concurrency = 200
	}
	if l.UploadsOpen == 0 {
		l.UploadsOpen = 100
	}
	if l.BlobSize == 0 {
		l.BlobSize = 50 << 30
	}
	return l
}

// counted is how many clients are remembered; who asked longest ago is forgotten first, and who
// has requests under way is not.
const counted = 10_000

// A brake holds back clients that ask too often, or too much at once.
type brake struct {
	rate  rate.Limit
	most  int
	mu    sync.Mutex
	pace  *lru[string, *rate.Limiter]
	under map[string]int // requests under way
}

func newBrake(l Limits) *brake {
	return &brake{
		rate: rate.Limit(l.RequestsPerSecond), most: l.Concurrency,
		pace: newLRU[string, *rate.Limiter](counted), under: map[string]int{},
	}
}

// enter admits a request; leave must be called when it is done.
func (b *brake) enter(client string, now time.Time) (leave func(), bad *refusal) {
	b.mu.Lock()
	defer b.mu.Unlock()
	pace, ok := b.pace.get(client)
	if !ok {
		pace = rate.NewLimiter(b.rate, max(1, int(2*b.rate)))
		b.pace.put(client, pace)
	}
	switch {
	case b.under[client] >= b.most:
		return nil, later(http.StatusTooManyRequests, "too many requests of yours are under way; wait until some are done", time.Second)
	case !pace.AllowN(now, 1):
		return nil, later(http.StatusTooManyRequests, "too many requests; wait a moment", time.Duration(float64(time.Second)/float64(b.rate)))
	}
	b.under[client]++
	return func() { b.leave(client) }, nil
}

func (b *brake) leave(client string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.under[client]--; b.under[client] <= 0 {
		delete(b.under, client)
	}
}

// clientOf is what an address is counted as. Of IPv6 it is the network, of which one machine may
// have all addresses.
func clientOf(remote string) string {
	at, err := netip.ParseAddrPort(remote)
	if err != nil {
		return "address"
	}
	return clientAt(at.Addr())
}

func clientAt(addr netip.Addr) string {
	addr = addr.Unmap().WithZone("")
	if addr.Is6() {
		network, _ := addr.Prefix(64) // 64 fits
		addr = network.Addr()
	}
	return "address " + addr.String()
}

// An lru is a map that forgets what was used longest ago.
type lru[K comparable, V any] struct {
	most  int
	order *list.List // of entry[K, V], the latest first
	at    map[K]*list.Element
}

type entry[K comparable, V any] struct {
	key   K
	value V
}

func newLRU[K comparable, V any](most int) *lru[K, V] {
	return &lru[K, V]{most: most, order: list.New(), at: map[K]*list.Element{}}
}

func (l *lru[K, V]) get(key K) (value V, ok bool) {
	e, ok := l.at[key]
	if !ok {
		return value, false
	}
	l.order.MoveToFront(e)
	return e.Value.(entry[K, V]).value, true
}

func (l *lru[K, V]) put(key K, value V) {
	if e, ok := l.at[key]; ok {
		e.Value = entry[K, V]{key, value}
		l.order.MoveToFront(e)
		return
	}
	l.at[key] = l.order.PushFront(entry[K, V]{key, value})
	if l.order.Len() > l.most {
		last := l.order.Back()
		l.order.Remove(last)
		delete(l.at, last.Value.(entry[K, V]).key)
	}
}

// defaultPatience is how long a client may keep still in the middle of a request. Slow ones are
// welcome as long as bytes come.
const defaultPatience = time.Minute

// A patient body gives its client new time with every read.
type patient struct {
	io.ReadCloser
	conn *http.ResponseController
	time time.Duration
	asks bool // the client waits for the first read before it sends anything
	end  bool // all of it came
	// until is when all of it must have come; zero: whenever.
	until time.Time
}

// newPatient begins with the client's first time: what answers may not read at all, and then
// net/http does.
func newPatient(r *http.Request, conn *http.ResponseController, time time.Duration) *patient {
	p := &patient{
		ReadCloser: r.Body, conn: conn, time: time, asks: r.Header.Get("Expect") != "",
		end: r.Body == nil || r.Body == http.NoBody,
	}
	if !p.end {
		p.wait()
	}
	return p
}

func (p *patient) wait() {
	end := time.Now().Add(p.time)
	if !p.until.IsZero() && p.until.Before(end) {
		end = p.until
	}
	_ = p.conn.SetReadDeadline(end) // not every writer has a connection
}

func (p *patient) Read(b []byte) (int, error) {
	if p.end {
		return 0, io.EOF
	}
	p.asks = false
	p.wait()
	n, err := p.ReadCloser.Read(b)
	if err == io.EOF {
		// net/http listens from now on whether the client goes away, and a deadline that
		// passes would be as if it had: however long the answer takes, it may.
		p.end = true
		_ = p.conn.SetReadDeadline(time.Time{})
	}
	return n, err
}

// mostDropped is how much of a body is read that nobody wanted, so that its connection can be
// used again.
const mostDropped = 256 << 10

// drop reads what a handler left of a body. net/http would do so itself, after the handler, when no
// limit counts the request any more; and without a deadline it would wait for ever.
func (p *patient) drop() {
	if p.end {
		return
	}
	// The answer may lie ready to be sent since before.
	defer func() { _ = p.conn.SetWriteDeadline(time.Now().Add(p.time)) }()
	if !p.asks {
		p.wait()
		if _, err := io.CopyN(io.Discard, p.ReadCloser, mostDropped); err == io.EOF {
			_ = p.conn.SetReadDeadline(time.Time{})
			return
		}
	}
	p.cut()
}

// cut lets nothing more be read: the connection ends with its answer.
func (p *patient) cut() {
	if !p.end {
		_ = p.conn.SetReadDeadline(time.Unix(1, 0))
	}
}

// A patient writer does the same for answers.
type patientWriter struct {
	http.ResponseWriter
	conn *http.ResponseController
	time time.Duration
	body *patient
}

func (p patientWriter) Write(b []byte) (int, error) {
	p.wait()
	return p.ResponseWriter.Write(b)
}

// WriteHeader is all that some answers have, and the connection still has the deadline of the
// request before.
func (p patientWriter) WriteHeader(status int) {
	p.wait()
	p.ResponseWriter.WriteHeader(status)
}

// wait gives the client new time. Before the first byte is sent net/http reads what is left of the
// body, and that has its own.
func (p patientWriter) wait() {
	t := p.time
	if !p.body.end {
		t *= 2
	}
	_ = p.conn.SetWriteDeadline(time.Now().Add(t))
}

func (p patientWriter) Unwrap() http.ResponseWriter { return p.ResponseWriter }

// MostConnections is how many there should be to a Server at once: each takes memory and a file,
// whoever has it.
const MostConnections = 4096

// Server is an HTTP server with limits of time and size that suit a registry. Its address
// and certificates are the caller's.
func Server(handler http.Handler) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    32 << 10,
	}
}
