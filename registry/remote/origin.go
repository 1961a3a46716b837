package remote

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
)

// An origin is who a request goes to. Two requests go to the same one only when
// scheme, host and port agree; a parent domain or another port of the same
// host is a stranger.
type origin struct {
	scheme string // "https" or "http"
	host   string // host:port, lower case, the port always written
}

func (o origin) String() string { return o.scheme + "://" + o.host }

// originOf is the origin of an absolute URL.
func originOf(u *url.URL) origin {
	if isPlain(u.Host) {
		return origin{scheme: u.Scheme, host: u.Host}
	}
	return origin{scheme: u.Scheme, host: withPort(u.Hostname(), u.Port(), u.Scheme)}
}

// isPlain reports whether a host stands in a URL as it does in an origin, name and
// port in lower case. It may say no of one that does.
func isPlain(host string) bool {
	colon := strings.IndexByte(host, ':')
	if colon < 0 || colon == len(host)-1 {
		return false
	}
	for i := range len(host) {
		c := host[i]
		letter := 'a' <= c && c <= 'z' || c == '.' || c == '-'
		digit := '0' <= c && c <= '9'
		if !(digit || i < colon && letter || i == colon) {
			return false
		}
	}
	return true
}

func withPort(host, port, scheme string) string {
	if port == "" {
		port = "443"
		if scheme == "http" {
			port = "80"
		}
	}
	return net.JoinHostPort(strings.ToLower(host), port)
}

// at is where a registry's canonical host answers over a scheme.
func at(scheme, host string) origin {
	if host == "docker.io" {
		host = "registry-1.docker.io"
	}
	u := url.URL{Host: host}
	return origin{scheme: scheme, host: withPort(u.Hostname(), u.Port(), scheme)}
}

// tokenServices are the registries known to keep their token service on another
// host; each names it as the realm of its challenge. Nothing is concluded from
// domains: two hosts of one domain may belong to different people.
var tokenServices = map[origin]origin{
	at("https", "docker.io"):                   at("https", "auth.docker.io"),         // distribution.github.io/distribution/spec/auth/token
	at("https", "registry.gitlab.com"):         at("https", "gitlab.com"),             // docs.gitlab.com/administration/packages/container_registry
	at("https", "registry.redhat.io"):          at("https", "sso.redhat.com"),         // access.redhat.com/RegistryAuthentication
	at("https", "registry.connect.redhat.com"): at("https", "sso.redhat.com"),         // the same
	at("https", "docker.elastic.co"):           at("https", "docker-auth.elastic.co"), // www.docker.elastic.co
}

// A trust is what an operator allows for the questions about one registry. It
// is the one place that decides where a credential, or a request without one,
// may go.
type trust struct {
	home       origin   // where the registry answers
	insecure   bool     // the operator and the tag both allow plain HTTP
	tokenHosts []string // host:port, from the operator
}

var (
	errPlainHTTP = errors.New("plain HTTP, which is not allowed there")
	errStranger  = errors.New("another origin than the registry's, and not named in token-hosts")
)

// mayCarry says whether a credential of the registry may be sent to an origin:
// the registry's own, the token service known to belong to it, or a host in
// token-hosts.
func (t trust) mayCarry(to origin) error {
	if err := t.mayAsk(t.home, to); err != nil {
		return err
	}
	if to == t.home || tokenServices[t.home] == to || slices.Contains(t.tokenHosts, to.host) {
		return nil
	}
	return errStranger
}

// mayAsk says whether an answer that came from one origin may lead to a request
// without a credential to another. Any HTTPS origin may be asked (its address is
// checked when it is dialled), a plain HTTP one only where the registry itself
// is one and the operator named the host.
func (t trust) mayAsk(from, to origin) error {
	switch to.scheme {
	case "https":
		return nil
	case "http":
		named := to.host == t.home.host || slices.Contains(t.tokenHosts, to.host)
		if t.insecure && from.scheme == "http" && named {
			return nil
		}
		return errPlainHTTP
	}
	return fmt.Errorf("the scheme %.20q", to.scheme)
}

const maxURL = 4 << 10 // of a realm, a redirect or a link, in bytes

// target reads a URL that a registry wrote, relative to base when that is given.
// It must lead to a host over http or https and carry no user.
func target(base *url.URL, written string) (*url.URL, error) {
	if len(written) > maxURL {
		return nil, fmt.Errorf("a URL of %d bytes", len(written))
	}
	u, err := url.Parse(written)
	if err != nil {
		return nil, errors.New("not a URL")
	}
	if base != nil {
		u = base.ResolveReference(u)
	}
	switch {
	case u.Scheme != "https" && u.Scheme != "http":
		return nil, fmt.Errorf("the scheme %.20q", u.Scheme)
	case u.Hostname() == "" || u.Opaque != "":
		return nil, errors.New("a URL without a host")
	case u.User != nil:
		return nil, errors.New("a URL with a user")
	}
	u.Host = strings.ToLower(u.Host)
	u.Fragment, u.RawFragment = "", ""
	return u, nil
}
