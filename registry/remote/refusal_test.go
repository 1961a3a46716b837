package remote_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/towpath/towpath/registry"
	"github.com/towpath/towpath/registry/registrytest"
	"github.com/towpath/towpath/registry/remote"
)

// login writes a dockerconfigjson with one entry.
func login(t testing.TB, host string, entry map[string]string) string {
	t.Helper()
	body, err := json.Marshal(map[string]any{"auths": map[string]any{host: entry}})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "login.json")
	if err := os.WriteFile(path, body, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// However a credential fails, the question is asked once more as nobody, and an
// error says both.
func TestRefusedThenAnonymous(t *testing.T) {
	password := map[string]string{"username": "robot", "password": secret()}
	identity := map[string]string{"identitytoken": secret()}
	access := map[string]string{"registrytoken": secret()}
	for name, c := range map[string]struct {
		entry  map[string]string
		scheme string           // of the registry
		token  http.HandlerFunc // what the token service says to who shows a credential
		says   string
		kind   registry.Kind // of what is not public; Unauthorized when empty
	}{
		"basic 403":          {password, "basic", nil, "has no access", registry.Forbidden},
		"manifest 403":       {password, "bearer", registrytest.JSON(map[string]string{"token": "of-robot"}), "has no access", registry.Forbidden},
		"basic 401":          {password, "basic", nil, "was refused", ""},
		"token 401":          {password, "bearer", registrytest.RegistryError(401, "UNAUTHORIZED", "x"), "was refused", ""},
		"token 403":          {password, "bearer", registrytest.RegistryError(403, "DENIED", "x"), "has no access", ""},
		"token 400":          {password, "bearer", registrytest.Status(400), "has no access", ""},
		"another scope":      {password, "bearer", registrytest.JSON(map[string]string{"token": "of-another-repository"}), "has no access", ""},
		"identity token 401": {identity, "bearer", registrytest.Status(401), "was refused", ""},
		"identity token 400": {identity, "bearer", registrytest.Status(400), "has no access", ""},
		"access token":       {access, "bearer", nil, "has no access", ""},
	} {
		for _, public := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, public %t", name, public), func(t *testing.T) {
				w := newWorld(t)
				s := w.registry(t, "registry.test")
				asked := `Bearer realm="https://registry.test/token",service="test"`
				if c.scheme == "basic" {
					asked = `Basic realm="test"`
				}
				s.On("/token", func(w http.ResponseWriter, r *http.Request) {
					if r.Header.Get("Authorization") != "" || r.Method == http.MethodPost {
						c.token(w, r)
						return
					}
					registrytest.JSON(map[string]string{"token": "of-nobody"})(w, r)
				})
				s.On("/v2/", challenge(asked))
				s.On("GET "+manifestV1, func(w http.ResponseWriter, r *http.Request) {
					shown := r.Header.Get("Authorization")
					if public && (shown == "" && c.scheme == "basic" || shown == "Bearer of-nobody") {
						manifest(ociImage, webImage)(w, r)
						return
					}
					if c.kind == registry.Forbidden && shown != "" && shown != "Bearer of-nobody" {
						registrytest.RegistryError(403, "DENIED", "x")(w, r)
						return
					}
					challenge(asked)(w, r)
				})
				file := login(t, "registry.test", c.entry)
				r := w.reader(t, remote.Options{Credentials: []remote.Credential{{File: file}}}, "registry.test")
				_, err := r.Detail(t.Context(), team1, web("registry.test"))
				if public && err != nil {
					t.Error(err)
				}
				if !public {
					failed(t, err, cmp.Or(c.kind, registry.Unauthorized), "(the credential of team1 "+c.says+", asked anonymously)")
				}
			})
		}
	}
}

// fault: C-28
//
// A credential is for one host with one port, under all of its names and under no
// name that looks like it.
func TestCredentialHosts(t *testing.T) {
	for _, key := range []string{"registry.test", "https://registry.test", "https://registry.test/v1/", "REGISTRY.test"} {
		w, password := newWorld(t), secret()
		s := w.registry(t, "registry.test")
		s.On("GET "+manifestV1, basic(s, password, manifest(ociImage, webImage)))
		traps := []string{"registry.test:8443", "sub.registry.test", "test.test", "registry.test.evil.test", "evilregistry.test", "xn--rgistry-dya.test"}
		for _, host := range traps {
			eager := registrytest.NewTLSScript(t, w.ca)
			eager.On("/v2/*", func(w http.ResponseWriter, r *http.Request) {
				if v := r.Header.Get("Authorization"); v != "" {
					t.Errorf("%s: %s was shown %q", key, host, v)
				}
				challenge(`Basic realm="give me"`)(w, r)
			})
			name, port, _ := strings.Cut(host, ":")
			w.place(name, cmp.Or(port, "443"), eager.Host)
		}
		r := w.reader(t, remote.Options{Credentials: as(t, key, password)}, append(traps, "registry.test")...)
		if _, err := r.Head(t.Context(), team1, web("registry.test")); err != nil {
			t.Errorf("%s: %v", key, err)
		}
		for _, host := range traps {
			_, err := r.Head(t.Context(), team1, web(host))
			failed(t, err, registry.Unauthorized, "(asked anonymously)")
		}
	}
}

// fault: C-28
//
// What is no host is no key of a file, and Docker Hub's names are one.
func TestCredentialKeys(t *testing.T) {
	for _, key := range []string{"docker.io@evil.test", "docker.io.", "ghcr.io\\.evil", "u:p@quay.io", "quay.io:0", "*.quay.io", "[::1", "0x7f.1", ""} {
		_, err := remote.New(remote.Options{Credentials: as(t, key, secret())})
		if err == nil || !strings.Contains(err.Error(), "a key is no host") {
			t.Errorf("%q: got %v", key, err)
		}
	}
	for _, key := range []string{"docker.io", "DOCKER.IO", "index.docker.io", "https://index.docker.io/v1/", "registry-1.docker.io"} {
		w, password := newWorld(t), secret()
		s := w.registry(t, "registry-1.docker.io")
		s.On("GET "+manifestV1, basic(s, password, manifest(ociImage, webImage)))
		r := w.reader(t, remote.Options{Credentials: as(t, key, password)}, "docker.io")
		if _, err := r.Head(t.Context(), team1, web("docker.io")); err != nil {
			t.Errorf("%s: %v", key, err)
		}
	}
}

// fault: C-27
//
// What a stream names as its registry gets the logins that are for that host, and no
// other secret of the daemon's: files beside them are not read, and the environment
// and Docker's own file are no way around.
func TestOtherSecretsOfTheDaemon(t *testing.T) {
	w, canary := newWorld(t), secret()
	docker := login(t, "other.test", map[string]string{"username": "u", "password": canary})
	if err := os.Rename(docker, filepath.Join(filepath.Dir(docker), "config.json")); err != nil {
		t.Fatal(err)
	}
	t.Setenv("DOCKER_CONFIG", filepath.Dir(docker))
	t.Setenv("DOCKER_AUTH_CONFIG", canary)
	dir := t.TempDir()
	for _, name := range []string{"team1/token", "team1/password", "team1/id_ed25519", "team1/config.json.bak", "team1/.git-credentials", "team2/.dockerconfigjson", "git-token"} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		body := fmt.Sprintf(`{"auths":{"git.test":{"username":"git","password":%q}}}`, canary)
		if err := os.WriteFile(path, []byte(body), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	o := remote.Options{DockerConfig: true, Credentials: []remote.Credential{{Directory: dir, Paths: []string{"{namespace}/**"}}}}
	for _, ask := range []string{"Basic realm=x", `Bearer realm="https://git.test/token"`} {
		git, front := w.registry(t, "git.test"), w.registry(t, "front.test")
		git.On("/v2/*", challenge(ask))
		front.On("/v2/*", challenge(ask))
		r := w.reader(t, o, "git.test", "front.test")
		for _, on := range []registry.On{team1, {Namespace: "team2/../team1", Path: "team2/a.yaml"}, {Namespace: "team1", Path: "team2/a.yaml"}, {}} {
			r.Head(t.Context(), on, web("git.test"))
			r.Head(t.Context(), on, web("front.test"))
		}
		for _, r := range append(git.Requests(), front.Requests()...) {
			if v := r.Header.Get("Authorization"); strings.HasPrefix(v, "Basic") {
				t.Errorf("%s was shown %q", r.Host, v)
			}
		}
		if len(git.Requests()) == 0 {
			t.Error("the host was not asked at all")
		}
	}
}

// No secret is in an error or the log, whatever goes wrong.
func TestSecretsAreNotTold(t *testing.T) {
	w := newWorld(t)
	password, token, proxyPassword, key := secret(), secret(), secret(), secret()
	canaries := []string{password, token, proxyPassword, key}
	var log bytes.Buffer
	s, m := w.registry(t, "registry.test"), w.registry(t, "mirror.test")
	dir := t.TempDir()
	mounted := filepath.Join(dir, "team1", ".dockerconfigjson")
	body, err := os.ReadFile(logins(t, map[string]string{"registry.test": password, "mirror.test": password}))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Dir(mounted), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(mounted, body, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(dir, "team2"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "team2", "config.json"), []byte(`{"auths":{"u:`+key+`@quay.io":"`+key+`"}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("HTTPS_PROXY", "http://u:"+proxyPassword+"@nowhere.test:3128")
	var told []string
	for _, mirrors := range [][]remote.Mirror{nil, copies("mirror.test")} {
		for name, answer := range map[string]http.HandlerFunc{
			"echo":   func(w http.ResponseWriter, r *http.Request) { echo(w, r, 500) },
			"denied": func(w http.ResponseWriter, r *http.Request) { echo(w, r, 403) },
			"teapot": func(w http.ResponseWriter, r *http.Request) { echo(w, r, 418) },
			"ok":     func(w http.ResponseWriter, r *http.Request) { echo(w, r, 200) },
			"redirect": func(w http.ResponseWriter, r *http.Request) {
				registrytest.Redirect(307, "https://u:"+bareToken(r)+"@evil.test/"+bareToken(r))(w, r)
			},
			"proxied": func(w http.ResponseWriter, r *http.Request) {
				registrytest.Redirect(307, "https://evil.test/"+bareToken(r))(w, r)
			},
			"header": func(w http.ResponseWriter, r *http.Request) {
				registrytest.Status(200, "Content-Type: "+bareToken(r), "Docker-Content-Digest: "+bareToken(r))(w, r)
			},
		} {
			s.On("GET "+manifestV1, bearer(s, password, token, answer))
			s.On("GET "+tagsList, bearer(s, password, token, answer))
			m.On("GET "+mirrorV1, bearer(m, password, token, answer))
			r := w.reader(t, remote.Options{
				Mirrors: mirrors, Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})),
				Credentials: []remote.Credential{{Directory: dir, Paths: []string{"{namespace}/**"}}},
				Proxy:       remote.Proxy{Environment: true},
			}, "registry.test", "mirror.test")
			_, head := r.Head(t.Context(), team1, web("registry.test"))
			_, detail := r.Detail(t.Context(), team1, web("registry.test"))
			_, tags := r.Tags(t.Context(), team1, web("registry.test").Repo)
			_, unlisted := r.Head(t.Context(), team1, web("other.test"))
			told = append(told, fmt.Sprintf("%s: %+v %#v %v %v %v", name, head, head, detail, tags, unlisted))
		}
	}
	told = append(told, log.String())
	for _, text := range told {
		for _, canary := range canaries {
			if strings.Contains(text, canary) {
				t.Errorf("a secret is told: %s", text)
			}
		}
	}
	if n := len(s.Requests()); n < 20 || !strings.Contains(log.String(), "team2") {
		t.Errorf("%d requests, and the log %q: too little happened", n, log.String())
	}
}

// echo says what it was shown.
func echo(w http.ResponseWriter, r *http.Request, status int) {
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"errors":[{"code":%q,"message":%[1]q,"detail":%[1]q}],"mediaType":%[1]q,"tags":%[1]q}`, r.Header.Get("Authorization"))
}

func bareToken(r *http.Request) string {
	_, t, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	return t
}
