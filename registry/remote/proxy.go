package remote

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"golang.org/x/net/http/httpproxy"

	"github.com/towpath/towpath/registry"
)

// A Proxy stands between us and registries. The zero Proxy is none.
//
// What a proxy connects to is out of our sight: a name may lead it to any
// address. Through it go only names and addresses that are public by their form,
// and the proxy itself must refuse what lies behind it. Hosts in Options.Hosts, and
// their token hosts, are asked without it, unless Host.Proxy is set.
type Proxy struct {
	// URL is http://HOST:PORT, https://HOST:PORT or socks5://HOST:PORT, at whatever
	// address. It holds no password.
	URL string
	// NoProxy are the hosts that are asked without it: a name stands for all below
	// it, too; addresses and their ranges; each with or without a port.
	NoProxy []string
	// UsernameFile and PasswordFile hold a line each. They are read again when they
	// change. Either both or none is set.
	UsernameFile, PasswordFile string
	// Environment takes all this from HTTPS_PROXY, HTTP_PROXY and NO_PROXY, where
	// URL is empty. A password may stand there.
	Environment bool
}

// A proxy chooses where connections go through.
type proxy struct {
	choose func(*url.URL) (*url.URL, error)
	login  *fresh[*url.Userinfo] // nil: that of the URL itself, if any
	secure map[string]string     // the proxies that are spoken to over TLS, host:port → name
	addrs  []string              // host:port of all
	roots  *x509.CertPool        // that vouch for those; nil, but in tests: the system's
}

// newProxy is nil where there is none.
func newProxy(p Proxy, log *slog.Logger) (*proxy, error) {
	conf := &httpproxy.Config{HTTPProxy: p.URL, HTTPSProxy: p.URL, NoProxy: strings.Join(p.NoProxy, ",")}
	if p.URL == "" && p.Environment {
		conf = httpproxy.FromEnvironment()
		conf.CGI = false
	}
	made := &proxy{secure: map[string]string{}}
	for _, written := range []string{conf.HTTPSProxy, conf.HTTPProxy} {
		if err := made.add(written, p.URL != ""); err != nil {
			return nil, err
		}
	}
	if len(made.addrs) == 0 {
		return nil, nil
	}
	made.choose = conf.ProxyFunc()
	if (p.UsernameFile == "") != (p.PasswordFile == "") {
		return nil, errors.New("proxy: one of username-file and password-file is missing: name both")
	}
	if p.PasswordFile == "" {
		return made, nil
	}
	var err error
	made.login, err = newFresh("the proxy's login", log, func() (*url.Userinfo, error) {
		user, userErr := readLine(p.UsernameFile)
		password, passwordErr := readLine(p.PasswordFile)
		return url.UserPassword(user, password), errors.Join(userErr, passwordErr)
	})
	if err != nil {
		return nil, fmt.Errorf("proxy: %w", err)
	}
	return made, nil
}

var proxyPorts = map[string]string{"http": "80", "https": "443", "socks5": "1080", "socks5h": "1080"}

// add notes the address of a proxy. Its errors do not quote the URL, which may
// hold a password.
func (p *proxy) add(written string, fromConfig bool) error {
	if written == "" {
		return nil
	}
	const fix = "write http://HOST:PORT"
	if !strings.Contains(written, "://") {
		written = "http://" + written
	}
	u, err := url.Parse(written)
	switch {
	case err != nil || u.Hostname() == "":
		return errors.New("proxy: no URL of a proxy: " + fix)
	case proxyPorts[u.Scheme] == "":
		return errors.New("proxy: a scheme that is not supported: " + fix)
	case fromConfig && u.User != nil:
		return errors.New("proxy: the URL holds a user or password: name files under username-file and password-file")
	}
	addr := proxyAddr(u)
	p.addrs = append(p.addrs, addr)
	if u.Scheme == "https" {
		p.secure[addr] = u.Hostname()
	}
	return nil
}

func proxyAddr(u *url.URL) string {
	return net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), proxyPorts[u.Scheme]))
}

// of reports whether an origin is reached through a proxy.
func (p *proxy) of(to origin) bool {
	if p == nil {
		return false
	}
	via, err := p.choose(&url.URL{Scheme: to.scheme, Host: to.host})
	return via != nil && err == nil
}

// forRequest is the Proxy of an http.Transport. TLS to the proxy is the dialer's
// matter: the transport would use the registry's settings and certificate for it.
func (p *proxy) forRequest(req *http.Request) (*url.URL, error) {
	via, err := p.choose(req.URL)
	if via == nil || err != nil {
		return nil, errors.New("no proxy for this request") // of has seen one
	}
	through := &url.URL{Scheme: via.Scheme, Host: proxyAddr(via), User: via.User}
	if via.Scheme == "https" {
		through.Scheme = "http"
	}
	if p.login != nil {
		through.User = p.login.get(time.Now())
	}
	return through, nil
}

// dial connects to a proxy, at whatever address that is.
func (p *proxy) dial(ctx context.Context, n network, netw, addr string) (net.Conn, error) {
	conn, err := n.dial(ctx, netw, addr, p.addrs)
	if err == nil && p.secure[addr] != "" {
		conn, err = p.greet(ctx, conn, p.secure[addr])
	}
	if err != nil {
		return nil, &failure{kind: registry.Unreachable, message: "the proxy cannot be reached", cause: err}
	}
	return conn, nil
}

// greet starts TLS with a proxy, which must prove who it is.
func (p *proxy) greet(ctx context.Context, conn net.Conn, name string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, tlsDeadline)
	defer cancel()
	secure := tls.Client(conn, &tls.Config{MinVersion: tls.VersionTLS12, ServerName: name, RootCAs: p.roots})
	if err := secure.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, err
	}
	return secure, nil
}

// connected reads a proxy's answer to CONNECT.
func (p *proxy) connected(_ context.Context, _ *url.URL, _ *http.Request, resp *http.Response) error {
	switch resp.StatusCode {
	case http.StatusOK:
		return nil
	case http.StatusProxyAuthRequired:
		return &failure{kind: registry.Unreachable, message: "the proxy wants another user or password: correct proxy in the operator's config"}
	}
	return &failure{kind: registry.Unreachable, message: "the proxy did not connect us", cause: fmt.Errorf("it answered %d", resp.StatusCode)}
}

// checkName refuses what a proxy must not be asked for. Addresses are judged as if
// we dialled them; of names only the form can be seen: those of one part, and those
// under domains that belong to no one, are private networks' own.
func checkName(to origin) error {
	name, _, err := net.SplitHostPort(to.host)
	if err != nil {
		return err
	}
	if a, err := netip.ParseAddr(name); err == nil {
		return check(to.host, a, false)
	}
	if _, err := registry.ParseHost(name); err != nil || isPrivateName(name) {
		return &privateError{dialled: to.host}
	}
	return nil
}

// privateDomains are kept for private networks (RFC 6761, 6762, 8375, and by ICANN),
// are what such networks use, or are what a cluster's own names end with.
var privateDomains = []string{
	".localhost", ".local", ".home.arpa", ".internal",
	".localdomain", ".lan", ".corp", ".home", ".intranet", ".private",
	".svc", ".default",
}

// isPrivateName also takes a name for private whose last part can be no top-level
// domain: in a cluster, web.team-1 is the service web of the namespace team-1.
func isPrivateName(name string) bool {
	i := strings.LastIndexByte(name, '.')
	if i < 0 || !isTopLevel(name[i+1:]) {
		return true
	}
	for _, d := range privateDomains {
		if strings.HasSuffix(name, d) {
			return true
		}
	}
	return false
}

// isTopLevel reports whether a label has the form of a top-level domain: letters, or
// the form that other alphabets have.
func isTopLevel(label string) bool {
	return strings.HasPrefix(label, "xn--") || len(label) > 1 && strings.Trim(label, "abcdefghijklmnopqrstuvwxyz") == ""
}
