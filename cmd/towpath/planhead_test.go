package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/towpath/towpath/config"
	"github.com/towpath/towpath/gitstore/gittest"
	"github.com/towpath/towpath/registry/registrytest"
	"github.com/towpath/towpath/registry/remote"
)

// A gateway is a registry, or a proxy, that wants a password, and keeps every header that it
// was shown.
type gateway struct {
	host string

	mu    sync.Mutex
	asked []string
	shown []http.Header
}

func newGateway(t *testing.T, status int, challenge string) *gateway {
	g := &gateway{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.mu.Lock()
		g.asked, g.shown = append(g.asked, r.Method+" "+r.URL.Path), append(g.shown, r.Header.Clone())
		g.mu.Unlock()
		w.Header().Set(challenge, `Basic realm="trap"`)
		registrytest.RegistryError(status, "UNAUTHORIZED", "authentication required")(w, r)
	}))
	t.Cleanup(server.Close)
	g.host = server.Listener.Addr().String()
	return g
}

// secrets are the headers that say who asks.
func (g *gateway) secrets() (found []string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, h := range g.shown {
		for name, values := range h {
			if strings.Contains(name, "Authorization") || name == "Cookie" || strings.Contains(strings.Join(values, " "), "canary") {
				found = append(found, fmt.Sprintf("%s: %s", name, values))
			}
		}
	}
	return found
}

func (g *gateway) requests() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.asked)
}

// streamOf is a stream with one tag.
func streamOf(name, from string) string {
	return "apiVersion: image.openshift.io/v1\nkind: ImageStream\nmetadata: {name: " + name + ", namespace: demo}\n" +
		"spec:\n  tags:\n    - {name: stable, from: {kind: DockerImage, name: '" + from + "'}, importPolicy: {insecure: true}}\n"
}

// opened is a repository with a branch of somebody's that adds files.
func opened(t *testing.T, base, theirs map[string]string) *gittest.Repo {
	t.Helper()
	repo := gittest.NewRepo(t, base)
	before := repo.Tip()
	repo.Commit(theirs, "theirs")
	repo.Git("update-ref", "refs/pull/7/head", repo.Tip())
	repo.Git("branch", "theirs")
	repo.Move(before)
	return repo
}

// A stranger's pull request is shown no credential, whatever the operator has of them; a run
// over the same tree shows one.
func TestHeadIsAskedForAnonymously(t *testing.T) {
	password := "canary-" + t.Name() + fmt.Sprint(os.Getpid())
	registry := newGateway(t, http.StatusUnauthorized, "WWW-Authenticate")
	proxy := newGateway(t, http.StatusProxyAuthRequired, "Proxy-Authenticate")
	dir := t.TempDir()
	put := func(name, text string) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	auth := base64.StdEncoding.EncodeToString([]byte("puller:" + password))
	logins := fmt.Sprintf(`{"auths": {%q: {"auth": %q}}}`, registry.host, auth)
	put("config.json", logins)
	t.Setenv("DOCKER_CONFIG", dir)
	put("password", password)
	put("user", "puller")
	operator := put("operator.yaml", fmt.Sprintf(`
registries: [{host: %q, insecure: true}]
credentials: [{file: config.json}]
docker-config: true
proxy: {url: "http://%s", username-file: user, password-file: password}
`, registry.host, proxy.host))
	repo := opened(t, map[string]string{".towpath.yaml": "version: 1\n"}, map[string]string{
		"streams/evil.yaml": streamOf("evil", registry.host+"/team1/web:1.4"),
		"streams/far.yaml":  streamOf("far", "registry.example.com/team1/web:1.4"),
	})
	run := func(want int, args ...string) string {
		t.Helper()
		var out, log bytes.Buffer
		args = append(args, "--repo", repo.Dir, "--config", operator)
		if code := Main(t.Context(), args, &out, &log, func(string) string { return "" }); code != want {
			t.Errorf("exit code %d, want %d\n%s%s", code, want, out.String(), log.String())
		}
		if strings.Contains(out.String()+log.String(), password) {
			t.Error("the password is printed")
		}
		return out.String()
	}
	out := run(exitChanges, "plan", "--head", "refs/pull/7/head", "-o", "markdown")
	if registry.requests() == 0 || proxy.requests() == 0 {
		t.Errorf("asked the registry %d times, the proxy %d times", registry.requests(), proxy.requests())
	}
	for _, g := range []*gateway{registry, proxy} {
		if found := g.secrets(); len(found) > 0 {
			t.Errorf("shown to a stranger's choice: %q", found)
		}
	}
	if !strings.Contains(out, "a check asks without any") {
		t.Errorf("it is not said that a run may see more:\n%s", out)
	}

	run(exitProblems, "plan", "--branch", "theirs")
	for name, g := range map[string]*gateway{"registry": registry, "proxy": proxy} {
		if len(g.secrets()) == 0 {
			t.Errorf("the %s sees no credential of a run either: this test shows nothing", name)
		}
	}
}

// Of all that an operator can say, only what says who asks is left out.
func TestAnonymousOptions(t *testing.T) {
	op, problems := config.ParseOperator("operator.yaml", []byte(`
registries:
  - {host: quay.io, client-cert-file: secret-cert, client-key-file: secret-key, ca-file: ca.pem, token-hosts: [auth.quay.io], concurrency: 3, proxy: true}
  - {host: "127.0.0.1:5000", insecure: true}
credentials: [{file: secret-logins}]
mirrors: [{prefix: docker.io, at: [mirror.test]}]
allowed-registries: [quay.io]
blocked-registries: [quay.io/unsafe]
proxy: {url: "http://proxy.test:3128", no-proxy: [a.test], username-file: secret-user, password-file: secret-password}
`))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	none := func(string) string { return "" }
	all := (&app{getenv: none}).readerOptions(op, nil)
	got := anonymous(all, none)
	if text := fmt.Sprintf("%+v", got); strings.Contains(text, "secret") || got.DockerConfig {
		t.Errorf("still says who asks: %s", text)
	}
	want := remote.Options{
		Hosts: map[string]remote.Host{
			"quay.io":        {CAFile: "ca.pem", TokenHosts: []string{"auth.quay.io"}, Concurrency: 3, Proxy: true},
			"127.0.0.1:5000": {Insecure: true, TokenHosts: []string{}},
		},
		Mirrors: all.Mirrors, Allowed: []string{"quay.io"}, Blocked: []string{"quay.io/unsafe"},
		Proxy: remote.Proxy{URL: "http://proxy.test:3128", NoProxy: []string{"a.test"}}, UserAgent: all.UserAgent,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if all.Hosts["quay.io"].ClientKeyFile == "" {
		t.Error("the options of a run were changed, too")
	}
}

// A proxy that the environment names is used without the password that may stand there.
func TestAnonymousEnvironmentProxy(t *testing.T) {
	password := "p@ss/" + fmt.Sprint(os.Getpid())
	user := url.UserPassword("me", password)
	for _, tt := range []struct {
		name, value, want string
	}{
		{"HTTPS_PROXY", "http://" + user.String() + "@proxy.test:3128", "http://proxy.test:3128"},
		{"https_proxy", "http://me:" + password + "@proxy.test:3128/", "http://proxy.test:3128"},
		{"HTTP_PROXY", user.String() + "@proxy.test:3128", "proxy.test:3128"},
		{"HTTPS_PROXY", "proxy.test:3128", "proxy.test:3128"},
		{"FTP_PROXY", "http://proxy.test:3128", ""},
	} {
		env := map[string]string{tt.name: tt.value, "NO_PROXY": "a.test, b.test"}
		o := anonymous(remote.Options{Proxy: remote.Proxy{Environment: true}}, func(name string) string { return env[name] })
		if o.Proxy.URL != tt.want || o.Proxy.Environment {
			t.Errorf("%s=%s: %+v", tt.name, tt.value, o.Proxy)
		}
		if tt.want != "" && !cmp.Equal(o.Proxy.NoProxy, []string{"a.test", "b.test"}) {
			t.Errorf("without it are asked %q", o.Proxy.NoProxy)
		}
		if _, err := remote.New(o); err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

// Whoever opens a pull request with very many streams gets no more than so many questions
// asked, and an answer that can be posted.
func TestHeadIsBounded(t *testing.T) {
	registry := newGateway(t, http.StatusNotFound, "X-None")
	operator := filepath.Join(t.TempDir(), "operator.yaml")
	if err := os.WriteFile(operator, fmt.Appendf(nil, "registries: [{host: %q, insecure: true}]\n", registry.host), 0o600); err != nil {
		t.Fatal(err)
	}
	theirs := map[string]string{"streams/deep.yaml": "kind: ImageStream\na: " + strings.Repeat("[", 20_000)}
	for i := range 1000 {
		theirs[fmt.Sprintf("evil/%d.yaml", i)] = streamOf(fmt.Sprint("evil", i), fmt.Sprintf("%s/team%d/web:1", registry.host, i))
	}
	for i := range 500 {
		theirs[fmt.Sprintf("streams/wrong%03d.yaml", i)] = badStream + strings.Repeat(" ", i)
	}
	repo := opened(t, map[string]string{".towpath.yaml": "version: 1\n"}, theirs)
	var out, log bytes.Buffer
	args := []string{"plan", "--head", "theirs", "-o", "markdown", "--repo", repo.Dir, "--config", operator}
	if code := Main(t.Context(), args, &out, &log, func(string) string { return "" }); code != exitProblems {
		t.Errorf("exit code %d: %s", code, log.String())
	}
	if n := registry.requests(); n == 0 || n > 2*mostQuestions+1 { // each is asked by HEAD and, where that fails, by GET; once the registry is asked what it is
		t.Errorf("%d requests for %d questions", n, mostQuestions)
	}
	if text := out.String(); len(text) > markdownMost || !strings.HasSuffix(text, "\n"+planMark+"\n") || !strings.Contains(text, "Of 800 tags it is not known what they are") {
		t.Errorf("%d bytes, ending in\n%s", len(text), text[max(0, len(text)-300):])
	}
}

// An address that is not public is asked only where the operator names it, and a host that is
// not allowed is not asked at all.
func TestHeadStaysOutside(t *testing.T) {
	private, blocked := newGateway(t, http.StatusNotFound, "X-None"), newGateway(t, http.StatusNotFound, "X-None")
	operator := filepath.Join(t.TempDir(), "operator.yaml")
	text := fmt.Sprintf("registries: [{host: %q, insecure: true}]\nblocked-registries: [%q]\n", blocked.host, blocked.host)
	if err := os.WriteFile(operator, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	repo := opened(t, map[string]string{".towpath.yaml": "version: 1\n"}, map[string]string{
		"a.yaml": streamOf("a", private.host+"/a/b:1"), "b.yaml": streamOf("b", blocked.host+"/a/b:1"),
	})
	var out, log bytes.Buffer
	args := []string{"plan", "--head", "theirs", "-o", "json", "--repo", repo.Dir, "--config", operator}
	if code := Main(t.Context(), args, &out, &log, func(string) string { return "" }); code != exitChanges {
		t.Errorf("exit code %d: %s", code, log.String())
	}
	var got outlookJSON
	if err := json.Unmarshal(out.Bytes(), &got); err != nil || len(got.Failing) != 2 {
		t.Fatalf("%v: %s", err, out.String())
	}
	for _, f := range got.Failing {
		if f.Reason != "Forbidden" {
			t.Errorf("%s: %s: %s", f.Tag, f.Reason, f.Message)
		}
	}
	if n := private.requests() + blocked.requests(); n > 0 {
		t.Errorf("%d requests arrived", n)
	}
}

// What the base waits for by itself is neither asked for nor told, also where the file changed
// around it.
func TestHeadLeavesOutWhatTheBaseDoes(t *testing.T) {
	im := newImages(t)
	im.push(t, "team1/web:1.4", "one")
	operator := filepath.Join(t.TempDir(), "operator.yaml")
	if err := os.WriteFile(operator, fmt.Appendf(nil, "registries: [{host: %q, insecure: true}]\n", im.host), 0o600); err != nil {
		t.Fatal(err)
	}
	waiting := streamOf("web", im.host+"/team1/web:1.4")
	site := "image: x # {\"$imagestream\": \"demo/web:stable\"}\n"
	repo := opened(t, map[string]string{"a.yaml": waiting, "values.yaml": site, "b.yaml": badStream},
		map[string]string{"a.yaml": "# new above it\n" + waiting, "README": "more", "b.yaml": "# it was here before\n" + badStream})
	var out, log bytes.Buffer
	args := []string{"plan", "--head", "theirs", "--repo", repo.Dir, "--config", operator}
	if code := Main(t.Context(), args, &out, &log, func(string) string { return "" }); code != exitDone {
		t.Errorf("exit code %d: %s", code, log.String())
	}
	if want := "merging this would change no image\n"; out.String() != want || log.Len() > 0 {
		t.Errorf("got\n%s%s", out.String(), log.String())
	}
}

// What the base waits for is not asked for where the head leaves its file alone: that would be
// asked for again for each pull request.
func TestHeadAsksNothingForTheBase(t *testing.T) {
	registry := newGateway(t, http.StatusNotFound, "X-None")
	operator := filepath.Join(t.TempDir(), "operator.yaml")
	if err := os.WriteFile(operator, fmt.Appendf(nil, "registries: [{host: %q, insecure: true}]\n", registry.host), 0o600); err != nil {
		t.Fatal(err)
	}
	repo := opened(t, map[string]string{"a.yaml": streamOf("web", registry.host+"/team1/web:1.4")}, map[string]string{"b.yaml": streamOf("b", registry.host+"/team1/b:1")})
	var out, log bytes.Buffer
	args := []string{"plan", "--head", "theirs", "--repo", repo.Dir, "--config", operator}
	if code := Main(t.Context(), args, &out, &log, func(string) string { return "" }); code != exitProblems {
		t.Errorf("exit code %d: %s", code, log.String())
	}
	registry.mu.Lock()
	defer registry.mu.Unlock()
	if asked := strings.Join(registry.asked, "\n"); strings.Contains(asked, "/team1/web/") || !strings.Contains(asked, "/team1/b/") {
		t.Errorf("asked\n%s", asked)
	}
}

// A head that is a merge commit, as CI checks it out, is judged by what it does, as the one
// commit that a forge makes of it would be: here it brings an image, and leaves a site out.
func TestHeadIsOneCommit(t *testing.T) {
	site := "image: quay.io/team1/web:0 # {\"$imagestream\": \"demo/web:stable\"}\n"
	h := newHarbour(t, map[string]string{"streams/web.yaml": streamOf("web", "quay.io/team1/web:1"), "a.yaml": site, "b.yaml": site})
	h.images.push(t, "team1/web:1", "one")
	h.towpath(exitDone, "run", "--once")
	base := h.repo.Tip()
	h.images.push(t, "team1/web:1", "two")
	h.towpath(exitDone, "import", "demo/web:stable")
	h.towpath(exitDone, "run", "--once")
	brought := map[string]string{"streams/web.yaml": h.repo.Read("streams/web.yaml"), "a.yaml": h.repo.Read("a.yaml")}
	h.repo.Move(base)
	h.repo.Commit(brought, "theirs")
	merge := h.repo.Git("commit-tree", "-p", base, "-p", h.repo.Tip(), "-m", "merge", h.repo.Tip()+"^{tree}")
	h.repo.Move(base)
	h.repo.Git("branch", "theirs", merge)
	out, log := h.towpath(exitChanges, "plan", "--head", "theirs")
	if !strings.Contains(out, "held: b.yaml:1: ") || !strings.Contains(out, "moved others to quay.io/team1/web@sha256:two, and left this one out") {
		t.Errorf("got\n%s%s", out, log)
	}
}

// A pull request is read where it is, by the ref that the forge gives it.
func TestHeadOverHTTP(t *testing.T) {
	repo := opened(t, map[string]string{"web.yaml": goodStream}, map[string]string{"bad.yaml": moreWrong})
	repo.Git("branch", "-D", "theirs")
	server := gittest.Serve(t, repo)
	operator := filepath.Join(t.TempDir(), "operator.yaml")
	if err := os.WriteFile(operator, fmt.Appendf(nil, "git: {username: %s, password-file: %s}\n", server.User, server.PasswordFile()), 0o600); err != nil {
		t.Fatal(err)
	}
	var out, log bytes.Buffer
	args := []string{"plan", "--head", "refs/pull/7/head", "--repo", server.Repo(repo), "--config", operator}
	if code := Main(t.Context(), args, &out, &log, func(string) string { return "" }); code != exitProblems {
		t.Errorf("exit code %d: %s", code, log.String())
	}
	if want := "merging this would bring 1 problem\n"; out.String() != want || !strings.Contains(log.String(), "bad.yaml:4:8: ") {
		t.Errorf("got\n%s%s", out.String(), log.String())
	}
}
