package gogit

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// An httpLine is Git's smart HTTP. Its connections are kept between
// conversations; credentials go to the origin of the URL and nowhere else.
type httpLine struct {
	opts   Options
	base   *url.URL // moves where the same origin redirects the greeting
	client *http.Client
	ca     []byte // what the client was built with
	last   secret // of the newest conversation
}

func newHTTPLine(o Options, l location) (line, error) {
	if o.Username == "" {
		o.Username = l.user
	}
	return &httpLine{opts: o, base: l.url}, nil
}

func (l *httpLine) redact(text string) string { return l.last.redact(text) }

func (l *httpLine) close() error {
	if l.client != nil {
		l.client.CloseIdleConnections()
	}
	return nil
}

func (l *httpLine) open(ctx context.Context, service string) (conversation, error) {
	now, err := readSecret(ctx, l.opts)
	if err != nil {
		return nil, err
	}
	l.last = now
	if l.last.password != "" && l.base.Scheme == "http" && !l.opts.Insecure && !loopback(l.base.Hostname()) {
		return nil, errPlain
	}
	if err := l.trust(); err != nil {
		return nil, err
	}
	c := &httpConversation{line: l, service: service}
	c.ctx, c.dog = newWatchdog(ctx, l.opts.Deadlines.Stall)
	return c, nil
}

func loopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}

// trust builds the client, anew when the CA file changed.
func (l *httpLine) trust() error {
	var ca []byte
	if l.opts.CAFile != "" {
		var err error
		if ca, err = smallFile("CA", l.opts.CAFile); err != nil {
			return err
		}
	}
	if l.client != nil && bytes.Equal(ca, l.ca) {
		return nil
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if len(ca) > 0 {
		pool, err := x509.SystemCertPool()
		if err != nil {
			pool = x509.NewCertPool()
		}
		if !pool.AppendCertsFromPEM(ca) {
			return &fileError{"CA", l.opts.CAFile, "holds no certificate in PEM form"}
		}
		config.RootCAs = pool
	}
	l.close()
	l.ca = ca
	l.client = &http.Client{CheckRedirect: checkRedirect, Transport: &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            l.opts.dialer().DialContext,
		TLSHandshakeTimeout:    l.opts.Deadlines.TLS,
		TLSClientConfig:        config,
		ForceAttemptHTTP2:      true,
		MaxIdleConnsPerHost:    2,
		IdleConnTimeout:        90 * time.Second,
		MaxResponseHeaderBytes: 64 << 10,
		DisableCompression:     true, // packs are compressed already
	}}
	return nil
}

// A redirectError is a redirect to where the credential must not go.
type redirectError struct{ to string }

func (e *redirectError) Error() string { return "redirected to another origin" }

func checkRedirect(req *http.Request, via []*http.Request) error {
	first := via[0]
	switch {
	case req.URL.User != nil || req.URL.Scheme != first.URL.Scheme || authority(req.URL) != authority(first.URL):
		to := *req.URL
		to.User, to.RawQuery, to.Fragment = nil, "", ""
		for _, tail := range []string{"/info/refs", "/" + uploadPack, "/" + receivePak} {
			to.Path = strings.TrimSuffix(to.Path, tail)
		}
		return &redirectError{oneLine(to.String())}
	case len(via) > 5:
		return fmt.Errorf("%w: more than five redirects", errProtocol)
	case first.Method != req.Method: // a POST must not become a GET
		return http.ErrUseLastResponse
	}
	return nil
}

// authority is host and port, the port always said.
func authority(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return net.JoinHostPort(strings.ToLower(u.Hostname()), port)
}

type httpConversation struct {
	ctx     context.Context // a conversation is one operation
	line    *httpLine
	service string
	dog     *watchdog
	body    io.ReadCloser // of the newest answer
}

func (c *httpConversation) greetingFirst() bool { return false }
func (c *httpConversation) hurry()              { c.dog.hurry() }

func (c *httpConversation) close() {
	c.dropBody()
	c.dog.close()
}

// dropBody lets the connection be used again where little is left to read.
func (c *httpConversation) dropBody() {
	if c.body != nil {
		io.CopyN(io.Discard, c.body, 64<<10)
		c.body.Close()
		c.body = nil
	}
}

func (c *httpConversation) greeting() (*pktReader, error) {
	res, err := c.do(http.MethodGet, c.line.base.String()+"/info/refs?service="+c.service, nil)
	if err != nil {
		return nil, err
	}
	if got := mediaType(res); got != "application/x-"+c.service+"-advertisement" {
		return nil, &notGitError{got}
	}
	if u, ok := strings.CutSuffix(res.Request.URL.Path, "/info/refs"); ok && u != c.line.base.Path {
		moved := *c.line.base
		moved.Path, moved.RawPath = u, ""
		c.line.base = &moved
	}
	p := c.reader(res, c.line.opts.Limits.Refs)
	if b, err := p.r.Peek(15); err == nil && strings.HasPrefix(string(b[4:]), "# service=") {
		if _, _, err := p.next(); err != nil {
			return nil, err
		}
		if _, _, err := p.next(); err != nil { // a flush
			return nil, err
		}
	}
	return p, nil
}

func (c *httpConversation) ask(body []byte) (*pktReader, error) {
	res, err := c.do(http.MethodPost, c.line.base.String()+"/"+c.service, body)
	if err != nil {
		return nil, err
	}
	if got := mediaType(res); got != "application/x-"+c.service+"-result" {
		return nil, &notGitError{got}
	}
	limit := c.line.opts.Limits.Pack
	return c.reader(res, limit+limit/1000+c.line.opts.Limits.Refs), nil // room for what stands around a pack
}

func (c *httpConversation) reader(res *http.Response, limit int64) *pktReader {
	return newPktReader(&watched{ctx: c.ctx, r: res.Body, dog: c.dog, left: limit})
}

// A notGitError is an answer of another kind: a login page, a dumb server.
type notGitError struct{ media string }

func (e *notGitError) Error() string { return "the answer is " + oneLine(e.media) + ", not Git's" }

func mediaType(res *http.Response) string {
	media, _, err := mime.ParseMediaType(res.Header.Get("Content-Type"))
	if err != nil {
		return "of no known type"
	}
	return media
}

func (c *httpConversation) do(method, to string, body []byte) (*http.Response, error) {
	c.dropBody()
	wait := c.line.opts.Deadlines.Header
	if c.service == receivePak {
		wait *= 4 // hooks run before the first byte
	}
	c.dog.expect(wait)
	req, err := http.NewRequest(method, to, nil)
	if err != nil {
		return nil, err
	}
	if body != nil {
		req.ContentLength = int64(len(body))
		req.GetBody = func() (io.ReadCloser, error) { return upload{bytes.NewReader(body), c.dog, wait}, nil }
		req.Body, _ = req.GetBody()
		req.Header.Set("Content-Type", "application/x-"+c.service+"-request")
		req.Header.Set("Accept", "application/x-"+c.service+"-result")
	}
	req.Header.Set("User-Agent", userAgent)
	req.Header.Set("Git-Protocol", protocolEnv)
	if s := c.line.last; s.password != "" {
		req.SetBasicAuth(s.user, s.password)
	}
	var handshake error
	req = req.WithContext(httptrace.WithClientTrace(c.ctx, &httptrace.ClientTrace{
		TLSHandshakeDone: func(_ tls.ConnectionState, err error) { handshake = err },
	}))
	res, err := c.line.client.Do(req)
	if err != nil {
		return nil, c.failure(err, handshake)
	}
	c.dog.begin()
	c.body = res.Body
	if res.StatusCode != http.StatusOK {
		return nil, newHTTPError(res, c.line.redact)
	}
	return res, nil
}

// failure leaves out the URL, in which a redirect may hide a password.
func (c *httpConversation) failure(err, handshake error) error {
	if c.ctx.Err() != nil {
		return context.Cause(c.ctx)
	}
	if e := (*url.Error)(nil); errors.As(err, &e) {
		err = e.Err
	}
	if e := net.Error(nil); handshake != nil && !(errors.As(handshake, &e) && e.Timeout()) {
		return fmt.Errorf("%w: %w", errTLS, err)
	}
	return err
}

// errTLS is a handshake that failed otherwise than by the network.
var errTLS = errors.New("no secure connection")

// An httpError is an answer with another status than 200.
type httpError struct {
	status     int
	retryAfter time.Duration
	text       string // of the body, if it is plain text
}

func (e *httpError) Error() string {
	if e.text == "" {
		return fmt.Sprintf("HTTP status %d", e.status)
	}
	return fmt.Sprintf("HTTP status %d: %s", e.status, e.text)
}

func newHTTPError(res *http.Response, redact func(string) string) *httpError {
	e := &httpError{status: res.StatusCode, retryAfter: retryAfter(res.Header.Get("Retry-After"), time.Now())}
	if mediaType(res) == "text/plain" {
		text, _ := io.ReadAll(io.LimitReader(res.Body, 8<<10))
		e.text = oneLine(redact(string(text)))
	}
	return e
}

// retryAfter reads seconds or a date, and keeps it between a second and an
// hour; what cannot be read was not said.
func retryAfter(header string, now time.Time) time.Duration {
	var d time.Duration
	if seconds, err := strconv.ParseInt(header, 10, 64); err == nil || errors.Is(err, strconv.ErrRange) {
		d = time.Duration(max(min(seconds, 3600), 1)) * time.Second
	} else if at, err := http.ParseTime(header); err == nil {
		d = at.Sub(now)
	} else {
		return 0
	}
	return max(min(d, time.Hour), time.Second)
}
