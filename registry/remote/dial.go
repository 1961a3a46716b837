package remote

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"syscall"
	"time"
)

const (
	connectDeadline = 5 * time.Second
	tlsDeadline     = 5 * time.Second
	headerDeadline  = 15 * time.Second
	idleDeadline    = 90 * time.Second
	maxHeader       = 64 << 10
)

// A lane is the connections that questions about one registry use: also to its
// token service and to where it redirects. Its dialer knows which names the
// operator gave, so that no other registry's answer can lead to a private
// address by one of its connections.
type lane struct {
	names      []string // host:port, may be at private addresses and, where insecure, go unverified
	tokenHosts []string // host:port
	insecure   bool     // the operator allows plain HTTP and TLS that nobody verifies
	verified   *http.Transport
	unverified *http.Transport // nil unless insecure
}

// newLane makes the lane of a configured host, or, without a host, the lane of
// all others.
func newLane(host string, h Host, n network) (*lane, error) {
	l := &lane{insecure: h.Insecure}
	for _, t := range h.TokenHosts {
		l.tokenHosts = append(l.tokenHosts, at("https", t).host, at("http", t).host)
	}
	if host != "" {
		l.names = append([]string{at("https", host).host, at("http", host).host}, l.tokenHosts...)
	}
	roots, err := authorities(h.CAFile)
	if err != nil {
		return nil, err
	}
	dial := func(ctx context.Context, netw, addr string) (net.Conn, error) {
		return n.dial(ctx, netw, addr, l.names)
	}
	l.verified = newTransport(&tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots}, h.Concurrency, dial)
	if h.Insecure {
		l.unverified = newTransport(&tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: true}, h.Concurrency, dial)
	}
	return l, nil
}

// transport is what reaches an origin: unverified only when the tag allows it,
// too, and only for the names that the operator gave.
func (l *lane) transport(to origin, insecure bool) *http.Transport {
	if insecure && l.insecure && slices.Contains(l.names, to.host) {
		return l.unverified
	}
	return l.verified
}

func (l *lane) close() {
	l.verified.CloseIdleConnections()
	if l.unverified != nil {
		l.unverified.CloseIdleConnections()
	}
}

// newTransport has no proxy, no compression and no cookies. It retries by itself
// a request without a body whose reused connection turns out to be broken before
// an answer came; there is no other retry below the daemon.
func newTransport(conf *tls.Config, conns int, dial func(context.Context, string, string) (net.Conn, error)) *http.Transport {
	return &http.Transport{
		DialContext:            dial,
		TLSClientConfig:        conf,
		TLSHandshakeTimeout:    tlsDeadline,
		ResponseHeaderTimeout:  headerDeadline,
		MaxResponseHeaderBytes: maxHeader,
		MaxConnsPerHost:        conns,
		MaxIdleConnsPerHost:    conns,
		MaxIdleConns:           1024,
		IdleConnTimeout:        idleDeadline,
		DisableCompression:     true,
		ForceAttemptHTTP2:      true,
	}
}

// authorities are the system's and those of a PEM file; nil, which means the
// system's, without a file.
func authorities(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("ca-file: %w", err)
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("ca-file %s: no certificate in it: write PEM", file)
	}
	return pool, nil
}

// A network opens connections. Its hooks are nil outside tests.
type network struct {
	dialer  func(ctx context.Context, network, addr string) (net.Conn, error)
	resolve func(ctx context.Context, host string) ([]netip.Addr, error)
}

// dial connects to host:port and refuses every address that is not public,
// unless the name is one of those given. The address is checked after the name
// is resolved, on the very connection: a name may resolve to another address the
// second time.
func (n network) dial(ctx context.Context, network, addr string, private []string) (net.Conn, error) {
	allowed := slices.Contains(private, addr)
	ctx, cancel := context.WithTimeout(ctx, connectDeadline)
	defer cancel()
	if n.dialer != nil {
		return n.dialHooked(ctx, network, addr, allowed)
	}
	d := net.Dialer{Control: func(_, resolved string, _ syscall.RawConn) error {
		ap, err := netip.ParseAddrPort(resolved)
		if err != nil {
			return err
		}
		return check(addr, ap.Addr(), allowed)
	}}
	return d.DialContext(ctx, network, addr)
}

// dialHooked does with the hooks what dial does with the system's.
func (n network) dialHooked(ctx context.Context, network, addr string, allowed bool) (net.Conn, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	portNumber, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return nil, err
	}
	var addrs []netip.Addr
	if literal, err := netip.ParseAddr(host); err == nil {
		addrs = []netip.Addr{literal}
	} else if n.resolve == nil {
		return nil, errors.New("a name to resolve, and no resolver given beside the dialer")
	} else if addrs, err = n.resolve(ctx, host); err != nil {
		return nil, err
	}
	err = &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	for i, a := range addrs {
		if err := check(addr, a, allowed); err != nil {
			return nil, err
		}
		conn, dialErr := n.dialer(ctx, network, netip.AddrPortFrom(a, uint16(portNumber)).String())
		if dialErr == nil {
			return conn, nil
		}
		if i == 0 {
			err = dialErr
		}
	}
	return nil, err
}

// A privateError is a connection that was refused for its address.
type privateError struct {
	dialled string // host:port
	addr    netip.Addr
}

func (e *privateError) Error() string {
	return fmt.Sprintf("%s is at %s, which is not a public address", e.dialled, e.addr)
}

func check(dialled string, a netip.Addr, allowed bool) error {
	if allowed || public(a) {
		return nil
	}
	return &privateError{dialled, a}
}

var (
	// notPublic adds to what netip knows by itself.
	notPublic = []netip.Prefix{
		netip.MustParsePrefix("0.0.0.0/8"),        // this network, RFC 791
		netip.MustParsePrefix("100.64.0.0/10"),    // carrier NAT, RFC 6598; one cloud's metadata at 100.100.100.200
		netip.MustParsePrefix("168.63.129.16/32"), // a cloud's host, though the range is public
		netip.MustParsePrefix("192.0.0.0/24"),     // protocol assignments, RFC 6890; one cloud's metadata at 192.0.0.192
		netip.MustParsePrefix("198.18.0.0/15"),    // benchmarks, RFC 2544
		netip.MustParsePrefix("240.0.0.0/4"),      // reserved and broadcast, RFC 1112
		netip.MustParsePrefix("::/96"),            // IPv4-compatible, RFC 4291
		netip.MustParsePrefix("64:ff9b:1::/48"),   // local translation, RFC 8215
		netip.MustParsePrefix("100::/64"),         // discard, RFC 6666
		netip.MustParsePrefix("2001::/32"),        // Teredo, RFC 4380
		netip.MustParsePrefix("2002::/16"),        // 6to4, RFC 3056
		netip.MustParsePrefix("fec0::/10"),        // site-local, RFC 3879
	}
	nat64 = netip.MustParsePrefix("64:ff9b::/96") // RFC 6052
)

// public reports whether an address belongs to the internet. An IPv4 address
// within an IPv6 one counts as itself, so that IPv6-only clusters reach the
// registries that have no IPv6.
func public(a netip.Addr) bool {
	a = a.WithZone("").Unmap()
	if nat64.Contains(a) {
		b := a.As16()
		a = netip.AddrFrom4([4]byte(b[12:]))
	}
	if !a.IsGlobalUnicast() || a.IsPrivate() {
		return false
	}
	return !slices.ContainsFunc(notPublic, func(p netip.Prefix) bool { return p.Contains(a) })
}
