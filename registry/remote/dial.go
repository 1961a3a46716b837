package remote

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/towpath/towpath/internal/authorities"
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
	home       origin   // of the registry, over HTTPS: who may see its client certificate
	names      []string // host:port, may be at private addresses and, where insecure, go unverified
	tokenHosts []string // host:port
	insecure   bool     // the operator allows plain HTTP and TLS that nobody verifies
	proxy      *proxy   // nil for none
	proxied    bool     // the names go through the proxy, too

	pair       *fresh[*tls.Certificate] // nil for none
	transports map[flavour]*http.Transport
}

// A flavour is what connections must agree in before one may be used for
// another's request.
type flavour struct {
	unverified bool // nobody checks the server's certificate
	certified  bool // ours may be offered
	proxied    bool
}

// newLane makes the lane of a configured host, or, without a host, the lane of
// all others.
func newLane(host string, h Host, n network, p *proxy, log *slog.Logger) (*lane, error) {
	l := &lane{insecure: h.Insecure, proxy: p, proxied: h.Proxy, transports: map[flavour]*http.Transport{}}
	for _, t := range h.TokenHosts {
		l.tokenHosts = append(l.tokenHosts, at("https", t).host, at("http", t).host)
	}
	if host != "" {
		l.home = at("https", host)
		l.names = append([]string{l.home.host, at("http", host).host}, l.tokenHosts...)
	}
	roots, err := authorities.Read(h.CAFile)
	if err != nil {
		return nil, err
	}
	if l.pair, err = newPair(h.ClientCertFile, h.ClientKeyFile, log); err != nil {
		return nil, err
	}
	for _, f := range l.flavours() {
		conf := &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots, InsecureSkipVerify: f.unverified}
		if f.certified {
			conf.GetClientCertificate = offer(l.pair)
		}
		t := newTransport(conf, h.Concurrency)
		t.DialContext = func(ctx context.Context, netw, addr string) (net.Conn, error) {
			return n.dial(ctx, netw, addr, l.names)
		}
		if f.proxied {
			t.Proxy, t.OnProxyConnectResponse = p.forRequest, p.connected
			t.DialContext = func(ctx context.Context, netw, addr string) (net.Conn, error) {
				return p.dial(ctx, n, netw, addr)
			}
		}
		l.transports[f] = t
	}
	return l, nil
}

// flavours are those that this lane can need.
func (l *lane) flavours() (list []flavour) {
	for _, unverified := range []bool{false, true} {
		for _, certified := range []bool{false, true} {
			for _, proxied := range []bool{false, true} {
				if (!unverified || l.insecure) && (!certified || l.pair != nil) && (!proxied || l.proxy != nil) {
					list = append(list, flavour{unverified, certified, proxied})
				}
			}
		}
	}
	return list
}

// transport is what reaches an origin: unverified only when the tag allows it,
// too, and only for the names that the operator gave; with our certificate for the
// registry alone.
func (l *lane) transport(to origin, insecure bool) http.RoundTripper {
	named := slices.Contains(l.names, to.host)
	f := flavour{
		unverified: insecure && l.insecure && named,
		certified:  l.pair != nil && to == l.home,
		proxied:    (!named || l.proxied) && l.proxy.of(to),
	}
	if f.proxied && !named {
		if err := checkName(to); err != nil {
			return refused{err}
		}
	}
	return l.transports[f]
}

// refused is the transport to where nothing may be sent.
type refused struct{ err error }

func (r refused) RoundTrip(*http.Request) (*http.Response, error) { return nil, r.err }

func (l *lane) close() {
	for _, t := range l.transports {
		t.CloseIdleConnections()
	}
}

// newTransport has no compression and no cookies, and does not dial yet. It retries by itself
// a request without a body whose reused connection turns out to be broken before
// an answer came; there is no other retry below the daemon.
func newTransport(conf *tls.Config, conns int) *http.Transport {
	return &http.Transport{
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
	dialled string     // host:port
	addr    netip.Addr // zero where the name was enough
}

func (e *privateError) Error() string {
	if !e.addr.IsValid() {
		return e.dialled + " is not a name of the internet"
	}
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
		netip.MustParsePrefix("::ffff:0:0:0/96"),  // IPv4-translated, RFC 2765
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
