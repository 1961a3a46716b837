package registry_test

import (
	"errors"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/towpath/towpath/registry"
)

var (
	sha256 = "sha256:" + strings.Repeat("0123456789abcdef", 4)
	sha512 = "sha512:" + strings.Repeat("0123456789abcdef", 8)
)

func TestParseRef(t *testing.T) {
	for _, tt := range []struct{ written, want, repository string }{
		{"redis", "docker.io/library/redis:latest", "redis"},
		{"redis:6", "docker.io/library/redis:6", "redis"},
		{"redis@" + sha256, "docker.io/library/redis@" + sha256, "redis"},
		{"redis:6@" + sha256, "docker.io/library/redis:6@" + sha256, "redis"},
		{"a@" + sha512, "docker.io/library/a@" + sha512, "a"},
		{"team1/web", "docker.io/team1/web:latest", "team1/web"},
		{"bar/foo/baz:v1", "docker.io/bar/foo/baz:v1", "bar/foo/baz"},
		{"docker.io/redis", "docker.io/library/redis:latest", "docker.io/redis"},
		{"DOCKER.IO/redis", "docker.io/library/redis:latest", "DOCKER.IO/redis"},
		{"docker.io/library/redis", "docker.io/library/redis:latest", "docker.io/library/redis"},
		{"index.docker.io/redis:6", "docker.io/library/redis:6", "index.docker.io/redis"},
		{"registry-1.docker.io/team1/web", "docker.io/team1/web:latest", "registry-1.docker.io/team1/web"},
		{"docker.io:443/redis", "docker.io/library/redis:latest", "docker.io:443/redis"},
		{"Registry-1.docker.io:443/team1/web", "docker.io/team1/web:latest", "Registry-1.docker.io:443/team1/web"},
		{"quay.io:443/web@" + sha256, "quay.io/web@" + sha256, "quay.io:443/web"},
		{"registry:443/a/b:1", "registry:443/a/b:1", "registry:443/a/b"}, // registry/a/b would be of Docker Hub
		{"localhost:443/a", "localhost/a:latest", "localhost:443/a"},
		{"LOCALHOST:443/a", "localhost/a:latest", "LOCALHOST:443/a"},
		{"[0::1]:443/a", "[::1]/a:latest", "[0::1]:443/a"},
		{"127.0.0.1:443/a", "127.0.0.1/a:latest", "127.0.0.1:443/a"},
		{"Quay.io/a/b/c:1", "quay.io/a/b/c:1", "Quay.io/a/b/c"},
		{"quay.io/web", "quay.io/web:latest", "quay.io/web"},
		{"quay.io/web:V1_x.y-z", "quay.io/web:V1_x.y-z", "quay.io/web"},
		{"ghcr.io:444/a/b", "ghcr.io:444/a/b:latest", "ghcr.io:444/a/b"},
		{"registry:5000/a/b:1", "registry:5000/a/b:1", "registry:5000/a/b"},
		{"localhost/web", "localhost/web:latest", "localhost/web"},
		{"localhost:5000/web:1", "localhost:5000/web:1", "localhost:5000/web"},
		{"127.0.0.1:5000/a/b", "127.0.0.1:5000/a/b:latest", "127.0.0.1:5000/a/b"},
		{"[::1]:5000/a", "[::1]:5000/a:latest", "[::1]:5000/a"},
		{"[0:0::0001]/a", "[::1]/a:latest", "[0:0::0001]/a"},
		{"xn--bcher-kva.example/a", "xn--bcher-kva.example/a:latest", "xn--bcher-kva.example/a"},
		{"evil.azurecr.io.attacker.test/a", "evil.azurecr.io.attacker.test/a:latest", "evil.azurecr.io.attacker.test/a"},
		{"quay.io/a_b/c--d/e__f/g.h", "quay.io/a_b/c--d/e__f/g.h:latest", "quay.io/a_b/c--d/e__f/g.h"},
	} {
		t.Run(tt.written, func(t *testing.T) {
			got, err := registry.ParseRef(tt.written)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got.String()); diff != "" {
				t.Errorf("reference (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.repository, registry.Repository(tt.written)); diff != "" {
				t.Errorf("repository as written (-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseRefErrors(t *testing.T) {
	for _, tt := range []struct{ written, what, fix string }{
		{"", "names no repository", "write HOST/"},
		{"quay.io", `"quay.io" names a registry`, "docker.io/library/NAME"},
		{"foo.bar:1", `"foo.bar" names a registry`, "docker.io/library/NAME"},
		{"localhost:5000", `"localhost" names a registry`, "write HOST/"},
		{"localhosts", `"localhosts" names a registry`, "write HOST/"},
		{"quay.io/", "is empty", "one slash"},
		{"quay.io//web", "is empty", "one slash"},
		{"/web", "is empty", "one slash"},
		{"Redis", `lower case, here "Redis"`, "write redis"},
		{"quay.io/Team1/web", `lower case, here "Team1"`, "write team1"},
		{"LOCALHOST/web", `lower case, here "LOCALHOST"`, "write localhost"},
		{"quay.io/a..b", `"a..b"`, "single"},
		{"quay.io/-a", `"-a"`, "single"},
		{"quay.io/../a", `".."`, "single"},
		{"quay.io/a b", `"a b"`, "single"},
		{" redis", `" redis"`, "single"},
		{"redis\n", `"redis\n"`, "single"},
		{"quay.io/web:", `"" is no tag`, "at most 128"},
		{"quay.io/web:-rf", `"-rf" is no tag`, "at most 128"},
		{"quay.io/web:" + strings.Repeat("a", 129), `is no tag`, "at most 128"},
		{"quay.io/web:l\u0430test", `"l\u0430test" is no tag`, "at most 128"},
		{"quay.io/web@", `"" after the @`, "64 hex"},
		{"quay.io/web@sha256:abc", `"sha256:abc" after the @`, "64 hex"},
		{"quay.io/web@" + strings.ToUpper(sha256), "after the @", "lower case"},
		{"quay.io/web@md5:" + strings.Repeat("a", 32), "after the @", "64 hex"},
		{"https://quay.io/web", `scheme, here "https://"`, "write it without"},
		{"quay.io:0/web", `"0" is no port, in "quay.io:0"`, "1 to 65535"},
		{"quay.io:0443/web", `"0443" is no port`, "1 to 65535"},
		{"quay.io:65536/web", `"65536" is no port`, "1 to 65535"},
		{"quay.io:/web", `"" is no port`, "1 to 65535"},
		{"quay..io/web", `"quay..io" is no host`, "DNS name"},
		{"-quay.io/web", `"-quay.io" is no host`, "DNS name"},
		{strings.Repeat("a.", 100) + "b/" + strings.Repeat("a", 60), "longer than 255", "shorter"},
	} {
		t.Run(tt.written, func(t *testing.T) {
			ref, err := registry.ParseRef(tt.written)
			var syntax *registry.SyntaxError
			if !errors.As(err, &syntax) {
				t.Fatalf("got %v, %v; want a SyntaxError", ref, err)
			}
			if !strings.Contains(syntax.What, tt.what) {
				t.Errorf("what: got %s, want it to hold %s", syntax.What, tt.what)
			}
			if !strings.Contains(syntax.Fix, tt.fix) {
				t.Errorf("fix: got %s, want it to hold %s", syntax.Fix, tt.fix)
			}
		})
	}
}

// fault: C-28
func TestHostsStayApart(t *testing.T) {
	for _, written := range []string{
		"docker.io@evil.test/a", "docker.io./a", "docker.io.:443/a", `ghcr.io\.evil/a`, `ghcr.io\evil.test/a`,
		"ghcr.io%2eevil.test/a", "ghcr.io#.evil.test/a", "ghcr.io?.evil.test/a", "ghcr.io;evil.test/a",
		"user:hunter2@ghcr.io/a", "user@ghcr.io:443/a", "//evil.test/a", "gh\u0441r.io/a", "doc\u212Aer.io/a",
		"b\u00fccher.example/a", "ghcr.io\u3002evil/a", "gh_cr.io/a", "ghcr.io:443:443/a", "ghcr.io:+443/a", "ghcr.io:４４３/a",
		"[::1/a", "::1/a", "[::1]x:5000/a", "[fe80::1%25lo]/a", "[127.0.0.1]/a", "[ghcr.io]/a",
		"0x7f.1/a", "0177.0.0.1/a", "127.1/a", "2130706433:5000/a", "1.2.3.256/a", "ghcr.0xff/a",
	} {
		if ref, err := registry.ParseRef(written); err == nil {
			t.Errorf("%q: got %s, want an error", written, ref)
		} else if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: the error holds the password: %v", written, err)
		}
	}
	origins := []string{"ghcr.io", "ghcr.io:80", "ghcr.io:444", "docker.io", "docker.io:444", "index.docker.io:444", "hub.docker.com", "registry.hub.docker.com",
		"evil.azurecr.io", "evil.azurecr.io.attacker.test", "xn--ghr-5cd.io", "[::1]", "[::1]:5000", "[::ffff:127.0.0.1]", "127.0.0.1", "localhost", "localhost:5000"}
	seen := make(map[string]string)
	for _, origin := range origins {
		host, err := registry.ParseHost(origin)
		if err != nil {
			t.Fatal(err)
		}
		if other, ok := seen[host]; ok {
			t.Errorf("%s and %s both become %s", origin, other, host)
		}
		seen[host] = origin
	}
	for _, alias := range []string{"docker.io", "DOCKER.IO", "index.docker.io", "Registry-1.docker.io", "docker.io:443", "Index.docker.io:443", "registry-1.docker.io:443"} {
		if host, err := registry.ParseHost(alias); host != registry.Hub {
			t.Errorf("%s: got %q, %v; want %s", alias, host, err, registry.Hub)
		}
	}
}

// A password must not get into an error by way of the part that is quoted.
func TestErrorsHoldNoPassword(t *testing.T) {
	for _, written := range []string{"https://u:hunter2@quay.io/a", "u:hunter2@quay.io/a", "u:p@hunter2@quay.io/a", "u:hun/ter2@quay.io/a@" + sha256} {
		_, err := registry.ParseRef(written)
		if err == nil || strings.Contains(err.Error(), "ter2") {
			t.Errorf("%s: got %v, want an error without the password", written, err)
		}
	}
}

func TestParseRepo(t *testing.T) {
	got, err := registry.ParseRepo("Quay.io/team1/web")
	if want := (registry.Repo{Host: "quay.io", Path: "team1/web"}); err != nil || got != want {
		t.Errorf("got %v, %v; want %v", got, err, want)
	}
	for written, want := range map[string]string{
		"quay.io/web:1":                  `a repository has no tag, here ":1"; write quay.io/web`,
		"quay.io/web@" + sha256:          `a repository has no digest, here "@` + sha256 + `"; write quay.io/web`,
		"localhost:5000/web:1@" + sha256: `a repository has no digest, here "@` + sha256 + `"; write localhost:5000/web`,
		"quay.io/web:not a tag":          `"not a tag" is no tag; write letters, digits, _ . and -, at most 128, the first no . or -`,
		"docker.io":                      `"docker.io" names a registry and no repository; write HOST/NAMESPACE/NAME, or docker.io/library/NAME for an image of Docker Hub`,
		"quay.io/UPPER/web/else":         `a repository's name is lower case, here "UPPER"; write upper`,
	} {
		if repo, err := registry.ParseRepo(written); err == nil || err.Error() != want {
			t.Errorf("%s: got %v, %v; want %s", written, repo, err, want)
		}
	}
}

func TestValidDigest(t *testing.T) {
	for digest, want := range map[string]bool{
		sha256: true, sha512: true, "": false, ":": false, "sha256:": false, sha256 + "0": false, sha256[:70]: false,
		"sha512:" + sha256[7:]: false, strings.ToUpper(sha256): false, "sha256:" + strings.Repeat("g", 64): false, " " + sha256: false, sha256[:70] + "\n": false,
	} {
		if got := registry.ValidDigest(digest); got != want {
			t.Errorf("ValidDigest(%q) = %v, want %v", digest, got, want)
		}
	}
}

// Whatever is written, what is read is canonical, is read again as itself, and
// names the server that an HTTP client would dial.
func FuzzParseRef(f *testing.F) {
	for _, s := range []string{"redis", "Quay.io:443/a/b:1@" + sha256, "docker.io@evil.test/a", `ghcr.io\.evil/a`, "[::1]:5000/a",
		"[::ffff:1.2.3.4]/a", "index.docker.io/a", "u:p@h.io/a", "doc\u212Aer.io/a", "0x7f.1/a", "quay.io./a", "a.b/c:d"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, written string) {
		ref, err := registry.ParseRef(written)
		if err != nil {
			var syntax *registry.SyntaxError
			if !errors.As(err, &syntax) || syntax.What == "" || syntax.Fix == "" {
				t.Fatalf("got %#v, want a SyntaxError with a fix", err)
			}
			return
		}
		if again, err := registry.ParseRef(ref.String()); err != nil || again != ref {
			t.Fatalf("%q: %s is read as %s, %v", written, ref, again, err)
		}
		if repo, err := registry.ParseRepo(registry.Repository(written)); err != nil || repo != ref.Repo {
			t.Fatalf("%q: its repository is read as %s, %v; want %s", written, repo, err, ref.Repo)
		}
		if server, want := over443(ref.Host), dialled(t, written); server != want {
			t.Fatalf("%q: %s, but %s would be dialled", written, server, want)
		}
	})
}

// dialled is the host and port that net/url finds in what was written, which the
// parser did not use.
func dialled(t *testing.T, written string) string {
	name := registry.Repository(written)
	if first, _, ok := strings.Cut(name, "/"); !ok || !strings.ContainsAny(first, ".:") && first != "localhost" {
		return over443(registry.Hub)
	}
	u, err := url.Parse("https://" + name)
	if err != nil || u.User != nil {
		t.Fatalf("%q: read, but not by net/url: %v", written, err)
	}
	host := strings.ToLower(u.Host)
	if addr, err := netip.ParseAddr(u.Hostname()); err == nil && addr.Is6() {
		host = strings.TrimSuffix("["+addr.String()+"]:"+u.Port(), ":")
	}
	switch host = over443(host); host {
	case "index.docker.io:443", "registry-1.docker.io:443":
		return over443(registry.Hub)
	}
	return host
}

// over443 is a host with the port that HTTPS has where none is written.
func over443(host string) string {
	if strings.LastIndexByte(host, ':') > strings.LastIndexByte(host, ']') {
		return host
	}
	return host + ":443"
}
