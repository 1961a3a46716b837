package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"

	"github.com/towpath/towpath/registry"
)

var quiet = slog.New(slog.DiscardHandler)

// file writes a dockerconfigjson of logins "KEY USER".
func file(t *testing.T, entries ...string) string {
	t.Helper()
	var auths []string
	for _, e := range entries {
		key, user, _ := strings.Cut(e, " ")
		auths = append(auths, fmt.Sprintf("%q:{\"username\":%q,\"password\":\"x\"}", key, user))
	}
	return written(t, `{"auths":{`+strings.Join(auths, ",")+`}}`)
}

func written(t *testing.T, body string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "logins.json")
	if err := os.WriteFile(path, []byte(body), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestChoose(t *testing.T) {
	k, err := newKeyring([]Credential{
		{
			File:       file(t, "quay.io quay", "quay.io/team1 quay-team1", "quay.io/team1/web quay-web", "https://index.docker.io/v1/ hub", "Registry.Test:5000 upper"),
			Namespaces: []string{"team1", "team1-*"}, Paths: []string{"team1/**"},
		},
		{File: file(t, "quay.io second", "ghcr.io ghcr"), Hosts: []string{"ghcr.io"}, Paths: []string{"**"}},
		{File: file(t, "quay.io third", "registry.test third"), Paths: []string{"team2/*.yaml"}},
	}, false, quiet)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		namespace, path, host, repo, want string // want: user, "" for nobody
	}{
		{"team1", "team1/a.yaml", "quay.io", "other/web", "quay"},
		{"team1", "team1/a.yaml", "quay.io", "team1/api", "quay-team1"},
		{"team1", "team1/deep/a.yaml", "quay.io", "team1/web", "quay-web"},
		{"team1", "team1/a.yaml", "quay.io", "team1/web/x", "quay-web"},
		{"team1", "team1/a.yaml", "quay.io", "team1/webb", "quay-team1"},
		{"team1", "team1/a.yaml", "quay.io", "team11/web", "quay"},
		{"team1-dev", "team1/a.yaml", "quay.io", "a/b", "quay"},
		{"team2", "team1/a.yaml", "quay.io", "a/b", ""},
		{"team1", "team11/a.yaml", "quay.io", "a/b", ""},
		{"team1", "a.yaml", "quay.io", "a/b", ""},
		{"team1", "team1/a.yaml", "docker.io", "library/redis", "hub"},
		{"team1", "team1/a.yaml", "registry.test:5000", "a/b", "upper"},
		{"team1", "team1/a.yaml", "registry.test", "a/b", ""},
		{"team1", "team1/a.yaml", "sub.quay.io", "a/b", ""},
		{"anybody", "x/y/z.yaml", "ghcr.io", "a/b", "ghcr"},
		{"team2", "team2/a.yaml", "quay.io", "a/b", "third"},
		{"team2", "team2/deep/a.yaml", "quay.io", "a/b", ""},
		{"", "team2/a.yaml", "registry.test", "a/b", "third"},
	} {
		got := ""
		who, err := k.choose(t.Context(), registry.On{Namespace: c.namespace, Path: c.path}, registry.Repo{Host: c.host, Path: c.repo})
		if who != nil {
			got = who.username
		}
		if got != c.want || err != nil {
			t.Errorf("%s of %s asking %s/%s: got %q, want %q", c.path, c.namespace, c.host, c.repo, got, c.want)
		}
	}
}

// What an operator wrote wrongly is said at the start, without the secret.
func TestNewErrors(t *testing.T) {
	good := file(t, "quay.io a")
	for name, c := range map[string]struct {
		o    Options
		says string
	}{
		"paths missing": {Options{Credentials: []Credential{{File: good, Paths: []string{"a"}}, {File: good}}}, "credentials[1]: there is more than one credential"},
		"bad glob":      {Options{Credentials: []Credential{{File: good, Paths: []string{"a[/**"}}}}, "no glob"},
		"bad host":      {Options{Credentials: []Credential{{File: good, Hosts: []string{"https://quay.io"}}}}, "credentials[0]"},
		"no file":       {Options{Credentials: []Credential{{File: "nowhere.json"}}}, "no such file"},
		"no JSON":       {Options{Credentials: []Credential{{File: written(t, "hunter2")}}}, "no dockerconfigjson"},
		"bad auth":      {Options{Credentials: []Credential{{File: written(t, `{"auths":{"quay.io":{"auth":"hunter2!"}}}`)}}}, "entry of quay.io cannot be read"},
		"bad key":       {Options{Credentials: []Credential{{File: written(t, `{"auths":{"u:hunter2@quay.io":{"auth":"YTpi"}}}`)}}}, "no host"},
		"registry":      {Options{Hosts: map[string]Host{"https://quay.io": {}}}, "registry https://quay.io"},
		"twice":         {Options{Hosts: map[string]Host{"quay.io": {}, "Quay.io": {}}}, "named twice"},
		"twice by port": {Options{Hosts: map[string]Host{"quay.io": {}, "quay.io:443": {}}}, "named twice"},
		"token host":    {Options{Hosts: map[string]Host{"quay.io": {TokenHosts: []string{"a/b"}}}}, "token-hosts[0]"},
		"no CA":         {Options{Hosts: map[string]Host{"quay.io": {CAFile: good}}}, "no certificate in it"},
		"negative":      {Options{Hosts: map[string]Host{"quay.io": {Concurrency: -1}}}, "must not be negative"},
	} {
		_, err := New(c.o)
		if err == nil || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: got %v, want …%q… and no secret", name, err, c.says)
		}
	}
}

// fault: C-26
//
// Before the namespace a path says one thing only.
func TestNamespaceStandsInOnePlace(t *testing.T) {
	for glob, ok := range map[string]bool{
		"tenants/{namespace}/**": true, "{namespace}/*": true, "a/b/{namespace}/{x,y}/{namespace}.yaml": true, "{namespace}": true,
		"**/{namespace}/**": false, "*/{namespace}/**": false, "{a,**}/{namespace}/**": false, "a/{**,b}/{namespace}/**": false,
		"x**/{namespace}/**": false, "tenants/?/{namespace}/**": false, "[a-z]/{namespace}/**": false, `\**/{namespace}/**`: false,
		"tenants/**": false, "{namespace}*/**": false, "x{namespace}/{namespace}/**": false,
	} {
		if err := (Credential{Directory: "d", Paths: []string{glob}}).check(false); (err == nil) != ok {
			t.Errorf("%s: %v", glob, err)
		}
	}
}

// fault: P-34
//
// A file that is replaced is read again; one that cannot be read leaves the last.
func TestLoginFileReplaced(t *testing.T) {
	path := file(t, "quay.io first")
	f, err := newFresh("", quiet, func() ([]holder, error) { return readFile(path, nil) })
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	user := func() string { now = now.Add(lookAgain); return f.get(now)[0].logins[0].auth.Username }
	for _, step := range []struct{ body, want string }{
		{`{"auths":{"quay.io":{"username":"second","password":"x"}}}`, "second"},
		{`{"auths":`, "second"},
		{`{"auths":{"quay.io":{"username":"third!","password":"x"}}}`, "third!"},
		{"\ufeff{\"auths\":\r\n{\"quay.io\":{\"username\":\"fourth\",\"password\":\"x\"}}}\r\n", "fourth"},
	} {
		if err := os.WriteFile(path, []byte(step.body), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := user(); got != step.want {
			t.Errorf("after %s: got %q, want %q", step.body, got, step.want)
		}
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if got := user(); got != "fourth" {
		t.Errorf("after the file was removed: got %q", got)
	}
}

func TestIdentityIsNotPrinted(t *testing.T) {
	who := newIdentity(authn.AuthConfig{Username: "u", Password: "hunter2"}, "the credential of team1", "team1")
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		if got := fmt.Sprintf(verb, who); strings.Contains(got, "hunter2") {
			t.Errorf("%s prints %s", verb, got)
		}
	}
}

type keychain func(authn.Resource) (authn.Authenticator, error)

func (k keychain) Resolve(r authn.Resource) (authn.Authenticator, error) { return k(r) }

func TestDocker(t *testing.T) {
	var asked []string
	d := newDocker(keychain(func(r authn.Resource) (authn.Authenticator, error) {
		asked = append(asked, r.String())
		switch r.RegistryStr() {
		case "index.docker.io":
			return authn.FromConfig(authn.AuthConfig{Username: "<token>", Password: "idt"}), nil
		case "broken.test":
			return nil, errors.New("hunter2")
		}
		return authn.Anonymous, nil
	}), quiet)
	hub, err := d.lookup(t.Context(), "docker.io")
	if err != nil || hub == nil || hub.identityToken != "idt" || hub.asked() != "asked with Docker's own credentials" {
		t.Errorf("Docker Hub: got %v", hub)
	}
	for range 2 {
		for _, host := range []string{"quay.io", "broken.test"} {
			if who, err := d.lookup(t.Context(), host); who != nil || err != nil {
				t.Errorf("%s: got %v, %v; want nobody", host, who, err)
			}
		}
	}
	if got := strings.Join(asked, " "); got != "index.docker.io quay.io broken.test" {
		t.Errorf("asked %s: want each once", got)
	}
}

// Docker's own credentials are for what no file has a login for: they are no way
// around a credential's paths.
func TestDockerIsNoWayAround(t *testing.T) {
	k, err := newKeyring([]Credential{{File: file(t, "quay.io/team1 robot"), Paths: []string{"team1/**"}}}, false, quiet)
	if err != nil {
		t.Fatal(err)
	}
	k.docker = newDocker(keychain(func(authn.Resource) (authn.Authenticator, error) {
		return authn.FromConfig(authn.AuthConfig{Username: "docker", Password: "x"}), nil
	}), quiet)
	for _, c := range []struct{ path, repo, want string }{
		{"team1/a.yaml", "team1/web", "robot"},
		{"team2/a.yaml", "team1/web", ""},
		{"team2/a.yaml", "team2/web", "docker"},
	} {
		got := ""
		who, err := k.choose(t.Context(), registry.On{Path: c.path}, registry.Repo{Host: "quay.io", Path: c.repo})
		if who != nil {
			got = who.username
		}
		if got != c.want || err != nil {
			t.Errorf("%s asking for %s: got %q, want %q", c.path, c.repo, got, c.want)
		}
	}
}

// fault: R-16
//
// A helper that hangs costs its deadline, one process, and nobody else's time
// beyond that. The question fails: nobody is asked as nobody meanwhile.
func TestDockerHelperHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		var running atomic.Int64
		d := newDocker(keychain(func(authn.Resource) (authn.Authenticator, error) {
			running.Add(1)
			<-release
			return authn.Anonymous, nil
		}), quiet)
		for i := range 3 {
			start := time.Now()
			_, err := d.lookup(context.Background(), fmt.Sprint(i, ".quay.test"))
			if got := time.Since(start); !errors.Is(err, errHelper) || got != helperDeadline {
				t.Errorf("got %v after %s, want that it is busy after %s", err, got, helperDeadline)
			}
		}
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if _, err := d.lookup(ctx, "quay.test"); !errors.Is(err, context.Canceled) {
			t.Errorf("given up: got %v", err)
		}
		if n := running.Load(); n != 1 {
			t.Errorf("%d helpers hang, want 1", n)
		}
		close(release)
	})
}

// fault: R-16
//
// While the helper is busy with hosts that others named, a question fails in a way that
// passes, and is never recorded as "no access"; another mirror is asked, and none is
// thought to be down.
func TestDockerHelperIsBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, err := New(Options{Mirrors: []Mirror{{Prefix: "quay.test", At: []string{"mirror.test"}}}, Dial: func(context.Context, string, string) (net.Conn, error) {
			t.Error("a registry was dialled as nobody")
			return nil, io.EOF
		}})
		if err != nil {
			t.Fatal(err)
		}
		release := make(chan struct{})
		r.keys.docker = newDocker(keychain(func(authn.Resource) (authn.Authenticator, error) {
			<-release
			return authn.Anonymous, nil
		}), quiet)
		_, err = r.Head(context.Background(), registry.On{}, registry.Ref{Repo: registry.Repo{Host: "quay.test", Path: "a/b"}, Tag: "v1"})
		var e *registry.Error
		if !errors.As(err, &e) || e.Kind != registry.Unreachable || e.Message != "Docker's credential helper is busy" || !strings.Contains(err.Error(), "docker-config: false") {
			t.Errorf("got %v", err)
		}
		if !r.resting.ready("mirror.test", time.Now()) {
			t.Error("the mirror is left alone")
		}
		close(release)
	})
}

// What a helper said is kept of so many hosts, and what it knows is kept first.
func TestDockerSaidIsBounded(t *testing.T) {
	d := newDocker(nil, quiet)
	d.remember("quay.test", &identity{username: "a"}, helperMemory)
	for i := range 3 * maxSaid {
		d.remember(fmt.Sprint(i, ".evil.test"), nil, helperMemory)
	}
	if who, ok := d.recall("quay.test", time.Now()); len(d.said) > maxSaid || !ok || who == nil {
		t.Errorf("%d hosts kept; quay.test: %v", len(d.said), who)
	}
}
