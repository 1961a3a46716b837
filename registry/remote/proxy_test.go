package remote_test

import (
	"bytes"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/towpath/towpath/registry"
	"github.com/towpath/towpath/registry/registrytest"
	"github.com/towpath/towpath/registry/remote"
)

// A tunnel is a proxy at a private address of the world, which takes every name for
// what the world says it is.
type tunnel struct {
	world *world

	mu     sync.Mutex
	asked  []string // host:port, or the URL over plain HTTP
	logins []string // Proxy-Authorization, one for each
	wants  string   // the login; empty for none
	status int      // it refuses with that, unless 0
}

func newTunnel(t testing.TB, w *world) *tunnel {
	t.Helper()
	p := &tunnel{world: w}
	server := httptest.NewServer(p)
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	w.addrs["proxy.test"] = addrs("10.0.0.9")
	w.place("proxy.test", "3128", server.Listener.Addr().String())
	return p
}

func (p *tunnel) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	login, status := r.Header.Get("Proxy-Authorization"), p.status
	p.asked, p.logins = append(p.asked, r.RequestURI), append(p.logins, login)
	if p.wants != "" && login != p.wants {
		status = http.StatusProxyAuthRequired
	}
	p.mu.Unlock()
	if status != 0 {
		w.WriteHeader(status)
		return
	}
	if r.Method != http.MethodConnect {
		registrytest.Status(http.StatusTeapot)(w, r)
		return
	}
	server, err := p.reach(r)
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	defer server.Close()
	client, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer client.Close()
	io.WriteString(client, "HTTP/1.1 200 OK\r\n\r\n")
	go func() {
		io.Copy(server, client)
		server.Close()
	}()
	io.Copy(client, server)
}

func (p *tunnel) reach(r *http.Request) (net.Conn, error) {
	name, port, err := net.SplitHostPort(r.RequestURI)
	if err != nil {
		return nil, err
	}
	found, err := p.world.resolve(r.Context(), name)
	if err != nil {
		return nil, err
	}
	p.world.mu.Lock()
	loopback := p.world.servers[net.JoinHostPort(found[0].String(), port)]
	p.world.mu.Unlock()
	return net.Dial("tcp", loopback)
}

// led is each place that it was asked for, once.
func (p *tunnel) led() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := slices.Clone(p.asked)
	slices.Sort(list)
	return slices.Compact(list)
}

// through is the proxy of these tests.
var through = remote.Proxy{URL: "http://proxy.test:3128"}

// What is listed goes directly, unless it says otherwise; all else goes through the
// proxy, what an answer leads to as well.
func TestProxy(t *testing.T) {
	w := newWorld(t)
	p := newTunnel(t, w)
	direct, proxied := w.registry(t, "direct.test"), w.registry(t, "proxied.test")
	direct.On("GET "+manifestV1, manifest(ociImage, webImage))
	proxied.On("GET "+manifestV1, manifest(ociImage, webImage))
	proxied.On("GET "+manifestV1+"2", registrytest.Redirect(307, "https://cdn.test/x"))
	r := w.reader(t, remote.Options{Proxy: through, Hosts: map[string]remote.Host{"proxied.test": {Proxy: true}}}, "direct.test", "proxied.test")
	for _, host := range []string{"direct.test", "proxied.test"} {
		if _, err := r.Head(t.Context(), team1, web(host)); err != nil {
			t.Errorf("%s: %v", host, err)
		}
	}
	elsewhere := web("proxied.test")
	elsewhere.Tag = "v12"
	_, err := r.Head(t.Context(), team1, elsewhere)
	failed(t, err, registry.Unreachable, "the proxy did not connect us (asked")
	_, err = r.Head(t.Context(), team1, web("unlisted.test"))
	failed(t, err, registry.Unreachable, "the proxy did not connect us (asked")
	if diff := cmp.Diff([]string{"cdn.test:443", "proxied.test:443", "unlisted.test:443"}, p.led()); diff != "" {
		t.Errorf("the proxy was asked for (-want +got):\n%s", diff)
	}
	for _, addr := range w.dialled {
		if addr != "10.0.0.9:3128" && addr != w.addrs["direct.test"][0].String()+":443" {
			t.Errorf("dialled %s", addr)
		}
	}
}

// Hosts that the proxy is not for, by the operator's word.
func TestNoProxy(t *testing.T) {
	w := newWorld(t)
	p := newTunnel(t, w)
	o := remote.Options{Proxy: through}
	o.Proxy.NoProxy = []string{"direct.test", ".below.test", "203.0.113.0/24", "ports.test:8443"}
	r := w.reader(t, o)
	for _, host := range []string{"direct.test", "sub.direct.test", "a.below.test", "below.test", "203.0.113.200", "ports.test:8443", "ports.test", "198.51.100.1"} {
		if _, err := r.Head(t.Context(), team1, web(host)); err == nil {
			t.Errorf("%s answered", host)
		}
	}
	if diff := cmp.Diff([]string{"198.51.100.1:443", "below.test:443", "ports.test:443"}, p.led()); diff != "" {
		t.Errorf("the proxy was asked for (-want +got):\n%s", diff)
	}
}

// fault: H-02
//
// A proxy is not asked for what is private by its form, and being a proxy opens its
// address to nobody else.
func TestProxyToPrivateAddresses(t *testing.T) {
	for _, host := range []string{
		"169.254.169.254", "[fd00:ec2::254]", "168.63.129.16", "100.100.100.200", "127.0.0.1", "[::1]", "0.0.0.0", "10.0.0.1",
		"[::ffff:169.254.169.254]", "[64:ff9b::a9fe:a9fe]", "[fe80::1%25lo]", "2852039166", "0x7f.1", "0177.0.0.1", "0x7f000001",
		"localhost", "LOCALHOST", "localhost.", "sub.localhost", "metadata.google.internal", "printer.local", "router.home.arpa", "metadata",
		"kubernetes.default", "kubernetes.default.svc", "web.team-1", "web.team2", "db.corp", "nas.lan", "x.localdomain", "x.home", "wiki.intranet", "[::ffff:0:7f00:1]", "listed.test:8443",
	} {
		for _, way := range []string{"realm", "redirect", "asked for"} {
			t.Run(host+" "+way, func(t *testing.T) {
				w := newWorld(t)
				p := newTunnel(t, w)
				s := w.registry(t, "registry.test")
				w.addrs["localhost"] = addrs("127.0.0.1")
				w.addrs["listed.test"] = addrs("10.1.2.4") // another registry that the operator lists: not for this one to use
				s.On("GET "+manifestV1, registrytest.Redirect(307, "https://"+host+"/x"))
				if way == "realm" {
					s.On("GET "+manifestV1, challenge(`Bearer realm="https://`+host+`/token"`))
				}
				r := w.reader(t, remote.Options{Proxy: through}, "registry.test", "listed.test")
				ref := web("registry.test")
				if way == "asked for" {
					ref = web(host)
				}
				_, err := r.Detail(t.Context(), team1, ref)
				if host == "listed.test:8443" { // a public name by its form: the proxy's to judge
					if err == nil || !slices.Contains(p.led(), host) {
						t.Errorf("the proxy was asked for %v: %v", p.led(), err)
					}
					return
				}
				if err == nil {
					t.Error("no error")
				}
				if way != "asked for" {
					failed(t, err, registry.Forbidden, "led to an address that is not public")
				}
				if got := p.led(); len(got) > 0 {
					t.Errorf("the proxy was asked for %v", got)
				}
				for _, addr := range w.dialled {
					if addr != w.addrs["registry.test"][0].String()+":443" {
						t.Errorf("dialled %s", addr)
					}
				}
			})
		}
	}
	t.Run("the proxy itself", func(t *testing.T) {
		w := newWorld(t)
		p := newTunnel(t, w)
		s := w.registry(t, "registry.test")
		s.On("GET "+manifestV1, registrytest.Redirect(307, "https://proxy.test:3128/x"))
		o := remote.Options{Proxy: through}
		o.Proxy.NoProxy = []string{"proxy.test"}
		_, err := w.reader(t, o, "registry.test").Detail(t.Context(), team1, web("registry.test"))
		failed(t, err, registry.Forbidden, "led to an address that is not public")
		if got := p.led(); len(got) > 0 {
			t.Errorf("the proxy was asked for %v", got)
		}
	})
}

// The proxy gets its own login, from files that may be swapped, and never a
// registry's; a registry never gets the proxy's.
func TestProxyLogin(t *testing.T) {
	w, password, inner := newWorld(t), secret(), secret()
	p := newTunnel(t, w)
	req := httptest.NewRequest("GET", "/", nil)
	req.SetBasicAuth("towpath", password)
	p.wants = req.Header.Get("Authorization")
	s := w.registry(t, "registry.test")
	s.On("GET "+manifestV1, basic(s, inner, manifest(ociImage, webImage)))
	dir := t.TempDir()
	o := remote.Options{Proxy: through, Credentials: as(t, "registry.test", inner), Hosts: map[string]remote.Host{"registry.test": {Proxy: true}}}
	o.Proxy.UsernameFile, o.Proxy.PasswordFile = filepath.Join(dir, "username"), filepath.Join(dir, "password")
	for file, body := range map[string]string{o.Proxy.UsernameFile: "\ufefftowpath\r\n", o.Proxy.PasswordFile: "wrong\n"} {
		if err := os.WriteFile(file, []byte(body), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	_, err := w.reader(t, o, "registry.test").Head(t.Context(), team1, web("registry.test"))
	failed(t, err, registry.Unreachable, "the proxy wants another user or password")
	if err := os.WriteFile(o.Proxy.PasswordFile, []byte(password+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := w.reader(t, o, "registry.test").Head(t.Context(), team1, web("registry.test")); err != nil {
		t.Error(err)
	}
	for _, r := range s.Requests() {
		if v := r.Header.Get("Proxy-Authorization"); v != "" {
			t.Errorf("the registry was shown %q", v)
		}
	}
	for _, login := range p.logins {
		other := httptest.NewRequest("GET", "/", nil)
		other.Header.Set("Authorization", login)
		if user, shown, _ := other.BasicAuth(); user != "towpath" || shown == inner {
			t.Errorf("the proxy was shown %q", login)
		}
	}
}

// What the environment says holds where nothing else is said; its password is used
// and not told.
func TestProxyOfTheEnvironment(t *testing.T) {
	w, password := newWorld(t), secret()
	p := newTunnel(t, w)
	t.Setenv("HTTPS_PROXY", "http://u:"+password+"@proxy.test:3128")
	t.Setenv("NO_PROXY", "direct.test")
	var log bytes.Buffer
	o := remote.Options{Proxy: remote.Proxy{Environment: true}, Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))}
	r := w.reader(t, o, "listed.test")
	var told []string
	for _, host := range []string{"registry.test", "direct.test", "listed.test"} {
		_, err := r.Head(t.Context(), team1, web(host))
		told = append(told, err.Error())
	}
	if diff := cmp.Diff([]string{"registry.test:443"}, p.led()); diff != "" {
		t.Errorf("the proxy was asked for (-want +got):\n%s", diff)
	}
	req := httptest.NewRequest("GET", "/", nil)
	req.SetBasicAuth("u", password)
	if !slices.Contains(p.logins, req.Header.Get("Authorization")) {
		t.Error("the proxy was not shown the login")
	}
	if all := strings.Join(told, "\n") + log.String(); strings.Contains(all, password) || !strings.Contains(log.String(), "listed.test") {
		t.Errorf("told:\n%s", all)
	}

	asked := len(p.led())
	if _, err := w.reader(t, remote.Options{}).Head(t.Context(), team1, web("registry.test")); err == nil || len(p.led()) != asked {
		t.Errorf("without a word of the operator the environment holds: %v", err)
	}
	t.Setenv("HTTPS_PROXY", "ftp://u:"+password+"@proxy.test")
	_, err := remote.New(o)
	if err == nil || strings.Contains(err.Error(), password) {
		t.Errorf("got %v", err)
	}
}

// A proxy that is spoken to over TLS must prove who it is, whatever a registry behind
// it may do, and is shown no certificate of ours.
func TestProxyOverTLS(t *testing.T) {
	w := newWorld(t)
	front := newDoor(t, w, "proxy.test", false)
	w.place("proxy.test", "3128", front.server.Listener.Addr().String())
	ours := newCard(t)
	ours.issue(t, "towpath")
	o := remote.Options{
		Proxy: remote.Proxy{URL: "https://proxy.test:3128"},
		Hosts: map[string]remote.Host{"registry.test": {
			Proxy: true, Insecure: true, CAFile: trusting(t, front), ClientCertFile: ours.certFile, ClientKeyFile: ours.keyFile,
		}},
	}
	on := team1
	on.Insecure = true
	_, err := w.reader(t, o).Head(t.Context(), on, web("registry.test"))
	failed(t, err, registry.Unreachable, "the proxy cannot be reached")
	if got := front.saw(); len(got) > 0 {
		t.Errorf("it was asked, and shown %q", got)
	}

}

// A proxy that is away, or will not, is told from a registry that is.
func TestProxyFails(t *testing.T) {
	w := newWorld(t)
	w.registry(t, "registry.test")
	o := remote.Options{Proxy: through, Hosts: map[string]remote.Host{"registry.test": {Proxy: true, Insecure: true}}}
	on := team1
	on.Insecure = true
	w.addrs["proxy.test"] = addrs("10.0.0.9") // and nothing there
	_, err := w.reader(t, o, "registry.test").Head(t.Context(), on, web("registry.test"))
	failed(t, err, registry.Unreachable, "the proxy cannot be reached")
	p := newTunnel(t, w)
	p.status = http.StatusForbidden
	_, err = w.reader(t, o, "registry.test").Head(t.Context(), on, web("registry.test"))
	failed(t, err, registry.Unreachable, "the proxy did not connect us (asked")
	if !strings.Contains(err.Error(), "it answered 403") {
		t.Errorf("got %v, want the status for the log", err)
	}
	if diff := cmp.Diff([]string{"registry.test:443"}, p.led()); diff != "" {
		t.Errorf("the proxy was asked for (-want +got):\n%s", diff)
	}
}
