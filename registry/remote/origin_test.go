package remote

import (
	"net/url"
	"strings"
	"testing"
)

func TestTrust(t *testing.T) {
	secure := trust{home: at("https", "registry.test"), tokenHosts: []string{"login.test:443", "login.test:80"}}
	plain := trust{home: at("http", "registry.test"), insecure: true, tokenHosts: secure.tokenHosts}
	hub := trust{home: at("https", "docker.io")}
	tests := []struct {
		trust        trust
		to           string
		asked, shown bool // may be asked anonymously, may see the credential
	}{
		{secure, "https://registry.test/token", true, true},
		{secure, "https://REGISTRY.test:443/token", true, true},
		{secure, "https://login.test/token", true, true},
		{secure, "https://registry.test:8443/token", true, false},
		{secure, "https://sub.registry.test/token", true, false},
		{secure, "https://test/token", true, false},
		{secure, "https://auth.docker.io/token", true, false},
		{secure, "http://registry.test/token", false, false},
		{secure, "http://registry.test:443/token", false, false},
		{secure, "http://login.test/token", false, false},
		{secure, "http://evil.test/token", false, false},
		{hub, "https://auth.docker.io/token", true, true},
		{hub, "https://registry-1.docker.io/token", true, true},
		{hub, "https://auth.docker.io:8443/token", true, false},
		{hub, "https://evil.docker.io/token", true, false},
		{hub, "https://hub.docker.com/token", true, false},
		{hub, "http://auth.docker.io/token", false, false},
		{trust{home: at("https", "registry.gitlab.com")}, "https://gitlab.com/jwt/auth", true, true},
		{trust{home: at("https", "gitlab.com")}, "https://registry.gitlab.com/jwt/auth", true, false},
		{trust{home: at("https", "registry.redhat.io")}, "https://sso.redhat.com/auth", true, true},
		{plain, "http://registry.test/token", true, true},
		{plain, "http://login.test/token", true, true},
		{plain, "https://login.test/token", true, true},
		{plain, "https://evil.test/token", true, false},
		{plain, "http://evil.test/token", false, false},
		{plain, "http://registry.test:8080/token", false, false},
		{trust{home: at("http", "registry.test")}, "http://registry.test/token", false, false}, // the tag does not allow it
	}
	for _, c := range tests {
		u, err := url.Parse(c.to)
		if err != nil {
			t.Fatal(err)
		}
		to := originOf(u)
		asked, shown := c.trust.mayAsk(c.trust.home, to) == nil, c.trust.mayCarry(to) == nil
		if asked != c.asked || shown != c.shown {
			t.Errorf("%s (insecure %t) → %s: asked %t, shown %t, want %t, %t", c.trust.home, c.trust.insecure, c.to, asked, shown, c.asked, c.shown)
		}
	}
}

// What is read quickly is read as the long way has it.
func TestOriginOf(t *testing.T) {
	for host, want := range map[string]string{
		"registry.test:443": "registry.test:443", "127.0.0.1:5000": "127.0.0.1:5000", "a-b.test:1": "a-b.test:1",
		"registry.test": "registry.test:443", "registry.test:": "registry.test:443", "Registry.TEST:443": "registry.test:443",
		"registry.test:44E": "[registry.test:44e]:443", "registry.test:0443": "registry.test:0443",
		"[::1]:80": "[::1]:80", "[::1]": "[::1]:443", "[127.0.0.1]:80": "127.0.0.1:80", "::1:80": "[::1]:80",
		"[FE80::1]:80": "[fe80::1]:80", "a_b:80": "a_b:80", ":80": ":80",
	} {
		u := &url.URL{Scheme: "https", Host: host}
		if got := originOf(u); got != (origin{"https", want}) {
			t.Errorf("%q is %s, want %s", host, got.host, want)
		}
		if long := withPort(u.Hostname(), u.Port(), u.Scheme); long != want {
			t.Errorf("%q is %s by the long way, want %s", host, long, want)
		}
	}
}

// fault: H-04
func TestTarget(t *testing.T) {
	base, _ := url.Parse("https://registry.test/v2/a/b/tags/list?n=2")
	tests := []struct {
		written, want string // empty: refused
	}{
		{"https://a.test/x", "https://a.test/x"},
		{"HTTPS://A.Test/X", "https://a.test/X"},
		{"/x?y=1#z", "https://registry.test/x?y=1"},
		{"//evil.test/x", "https://evil.test/x"},
		{"?last=b", "https://registry.test/v2/a/b/tags/list?last=b"},
		{"https://a.test/\r\nX-Evil: 1", ""},
		{"https://a.test\x00/", ""},
		{"https://u@a.test/", ""},
		{"https://u:p@a.test/", ""},
		{"ftp://a.test/", ""},
		{"file:///etc/passwd", ""},
		{"https:a.test", ""},
		{"https:///x", ""},
		{"https://:443/x", ""},
		{"https://[fe80::1%25lo]:x/", ""},
		{"javascript:alert(1)", ""},
	}
	for _, c := range tests {
		got := ""
		if u, err := target(base, c.written); err == nil {
			got = u.String()
		}
		if got != c.want {
			t.Errorf("target(%q) = %q, want %q", c.written, got, c.want)
		}
	}
}

// A realm, or any other URL of a registry, that breaks the line is none; one that
// spells the break out stays spelled out. (A server of Go's own would mend the header, so
// that this is asked of the reader of URLs itself.)
// fault: H-04
func TestTargetBreaksNoLine(t *testing.T) {
	for _, end := range []string{"\r\nX-Evil: 1", "\nX-Evil: 1", "\r", "\x00", "\x7f"} {
		if u, err := target(nil, "https://registry.test/token"+end); err == nil {
			t.Errorf("%q became %s", end, u)
		}
	}
	u, err := target(nil, "https://registry.test/token%0d%0aX-Evil:%201")
	if err != nil || strings.ContainsAny(u.String(), "\r\n ") {
		t.Errorf("an escaped line break: got %v, %v", u, err)
	}
}
