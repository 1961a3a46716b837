package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/towpath/towpath/gitstore/memory"
	"github.com/towpath/towpath/reconcile"
	registrymemory "github.com/towpath/towpath/registry/memory"
	"github.com/towpath/towpath/web"
)

const importedStream = `apiVersion: image.openshift.io/v1
kind: ImageStream
metadata: {name: web, namespace: team1}
spec:
  tags:
    - name: stable
      from: {kind: DockerImage, name: "quay.io/team1/web:1.4"}
`

// asking is what hears people who ask a daemon that runs in a bubble.
func asking(t *testing.T, registry *registrymemory.Registry) (e *ears, token string, end func()) {
	t.Helper()
	return askingOf(t, registry, map[string]string{"web.yaml": importedStream})
}

// askingOf is asking of a repository with these files.
func askingOf(t *testing.T, registry *registrymemory.Registry, files map[string]string) (e *ears, token string, end func()) {
	t.Helper()
	token = strings.Repeat("not-a-secret-", 3)
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(token+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := &reconcile.Reconciler{Store: memory.New(files), Branch: "main", Reader: registry, Poll: 30 * time.Second}
	im := newImporter(&app{stdout: io.Discard, stderr: io.Discard}, r)
	r.Passed = im.passed
	e = &ears{guard: newGuard(&secretFile{path: file}), imports: im, prunes: &sweeper{log: slog.New(slog.DiscardHandler)}}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	return e, token, func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

func (e *ears) post(path, bearer string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodPost, path, nil)
	if bearer != "" {
		r.Header.Set("Authorization", "Bearer "+bearer)
	}
	e.ServeHTTP(w, r)
	return w
}

// Who may ask, and for what.
func TestImporterRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		registry := &registrymemory.Registry{}
		if err := registry.Set("quay.io/team1/web:1.4 aaa"); err != nil {
			t.Fatal(err)
		}
		e, token, end := asking(t, registry)
		unread := &ears{guard: e.guard, imports: newImporter(e.imports.app, &reconcile.Reconciler{})}
		if w := unread.post("/import/team1/web", token); w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" {
			t.Errorf("before the first pass: %d %s", w.Code, w.Body)
		}
		time.Sleep(time.Second)
		for _, c := range []struct {
			path, bearer string
			want         int
			says         string
		}{
			{"/import/team1/web:stable", token, http.StatusOK, registrymemory.Digest("aaa")},
			{"/import/web", token, http.StatusOK, registrymemory.Digest("aaa")},
			{"/import/team1/web:stable", "", http.StatusUnauthorized, "the token is not right"},
			{"/import/team1/web:stable", token + "x", http.StatusUnauthorized, "the token is not right"},
			{"/import/team1/web:stable", token[:len(token)-1], http.StatusUnauthorized, "the token is not right"},
			{prunePath, token, http.StatusNotFound, "this daemon serves no registry"},
			{"/import/team2/web", token, http.StatusNotFound, "there is no image stream team2/web"},
			{"/import/", token, http.StatusNotFound, "there is no image stream"},
			{"/import/team1/web:nosuch", token, http.StatusNotFound, "has no tag nosuch"},
		} {
			if w := e.post(c.path, c.bearer); w.Code != c.want || !strings.Contains(w.Body.String(), c.says) {
				t.Errorf("%s: %d, want %d with %q: %s", c.path, w.Code, c.want, c.says, w.Body)
			}
		}
		w := httptest.NewRecorder()
		e.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/import/team1/web", nil))
		if w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != http.MethodPost {
			t.Errorf("GET: %d %v", w.Code, w.Header())
		}
		if len(e.imports.errands) > 0 {
			t.Errorf("%d errands are left", len(e.imports.errands))
		}
		end()
	})
}

// A pipeline that asks for what is paused must not go on as if it were imported.
func TestImportOfPaused(t *testing.T) {
	for config, says := range map[string][]string{
		"paused: true": {`"nothing was asked: .towpath.yaml says paused"`, `"fix": "take paused: true out of .towpath.yaml`},
		"rules: [{namespaces: [team1], paused: true}]": {`"note": "not asked: the repository's config says paused"`, `"fix": "take paused: true of the rule that begins in line 2 out of .towpath.yaml`},
	} {
		synctest.Test(t, func(t *testing.T) {
			im, token, end := askingOf(t, &registrymemory.Registry{}, map[string]string{"web.yaml": importedStream, ".towpath.yaml": "version: 1\n" + config + "\n"})
			time.Sleep(time.Second)
			w := im.post("/import/team1/web:stable", token)
			for _, text := range append(says, `"failed": true`) {
				if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), text) {
					t.Errorf("%s: %d without %s: %s", config, w.Code, text, w.Body)
				}
			}
			end()
		})
	}
}

// Who guesses at the token is told to slow down, wherever it opens something, and keeps nobody out who has it; what is too
// large is not read to its end.
func TestImporterUnderAttack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		registry := &registrymemory.Registry{}
		if err := registry.Set("quay.io/team1/web:1.4 aaa"); err != nil {
			t.Fatal(err)
		}
		e, token, end := asking(t, registry)
		time.Sleep(time.Second)
		for second := range 3 {
			codes := map[int]int{}
			for i := range 100 {
				w := e.post([]string{"/import/team1/web:stable", prunePath + "?confirm=true"}[i%2], fmt.Sprint("guess", i))
				if codes[w.Code]++; w.Code == http.StatusTooManyRequests && w.Header().Get("Retry-After") == "" {
					t.Error("nobody is told when to come again")
				}
			}
			if codes[http.StatusUnauthorized] != wrongTokens || codes[http.StatusTooManyRequests] != 100-wrongTokens {
				t.Errorf("second %d: answered %v", second, codes)
			}
			if w := e.post("/import/team1/web:stable", token); w.Code != http.StatusOK {
				t.Errorf("with the token: %d %s", w.Code, w.Body)
			}
			time.Sleep(time.Second)
		}
		for size, want := range map[int]int{importBody: http.StatusOK, importBody + 1: http.StatusRequestEntityTooLarge, 100 << 20: http.StatusRequestEntityTooLarge} {
			body := &io.LimitedReader{R: zeroes{}, N: int64(size)}
			r := httptest.NewRequest(http.MethodPost, "/import/team1/web:stable", body)
			r.Header.Set("Authorization", "Bearer "+token)
			w := httptest.NewRecorder()
			if e.ServeHTTP(w, r); w.Code != want || size-int(body.N) > importBody+1 {
				t.Errorf("%d bytes: %d, %d were read", size, w.Code, size-int(body.N))
			}
		}
		end()
	})
}

type zeroes struct{}

func (zeroes) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// A registry that hangs: after a minute the person hears that it goes on.
func TestImporterTakesLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		registry := &registrymemory.Registry{}
		if err := registry.Set("quay.io/team1/web:1.4 aaa"); err != nil {
			t.Fatal(err)
		}
		var hangs atomic.Bool
		registry.Hook = func(ctx context.Context, _ registrymemory.Call) error {
			if hangs.Load() {
				<-ctx.Done()
			}
			return ctx.Err()
		}
		e, token, end := asking(t, registry)
		time.Sleep(time.Second)
		hangs.Store(true)
		began := time.Now()
		w := e.post("/import/team1/web:stable", token)
		if took := time.Since(began); w.Code != http.StatusAccepted || took != importTime || !strings.Contains(w.Body.String(), "the import goes on") {
			t.Errorf("%d after %s: %s", w.Code, took, w.Body)
		}
		end()
	})
}

// The token goes to the server that is named, and nowhere else.
func TestImportFollowsNoRedirect(t *testing.T) {
	strangers := 0
	stranger := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { strangers++ }))
	defer stranger.Close()
	for _, code := range []int{http.StatusFound, http.StatusTemporaryRedirect} {
		server := httptest.NewServer(http.RedirectHandler(stranger.URL, code))
		_, _, err := askImport(t.Context(), server.URL, "not-a-secret", "team1/web")
		server.Close()
		if err == nil || strangers > 0 {
			t.Errorf("%d: error %v, and %d requests elsewhere", code, err, strangers)
		}
	}
}

// A secret file is read again when it changes; once it is gone or empty nothing of it counts.
func TestSecretFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secret")
	f := &secretFile{path: path}
	for _, c := range []struct {
		content, want string
	}{{"one\n", "one"}, {"two\n", "two"}, {"\n", ""}, {"three", "three"}} {
		if err := os.WriteFile(path, []byte(c.content), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := f.read(); got != c.want || (err != nil) != (c.want == "") {
			t.Errorf("%q is read as %q, %v", c.content, got, err)
		}
	}
	old := time.Now().Add(-time.Hour)
	for _, content := range []string{"four", "five"} { // by its time and size nothing changed: looking at those is all
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, old, old); err != nil {
			t.Fatal(err)
		}
		if got, err := f.read(); got != "four" || err != nil {
			t.Errorf("%q is read as %q, %v", content, got, err)
		}
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if got, err := f.read(); got != "" || err == nil {
		t.Errorf("a file that is gone is read as %q, %v", got, err)
	}
}

// Where a token may be sent: by https, or on this machine. The refusal says how.
func TestTokenServer(t *testing.T) {
	for server, want := range map[string]string{
		"https://hooks.example.com": "", "https://192.0.2.1:8081": "", "http://127.0.0.1:8081": "", "http://localhost:8081": "", "http://[::1]:8081/": "", "http://127.7.7.7": "",
		"http://towpath:8081":             "plain http, which would show the token",
		"http://192.0.2.1:8081":           "plain http, which would show the token",
		"http://localhost.example:8081":   "plain http, which would show the token",
		"http://127.0.0.1.example.com":    "plain http, which would show the token",
		"http://0.0.0.0:8081":             "plain http, which would show the token",
		"127.0.0.1:8081":                  "no address of a daemon",
		"localhost:8081":                  "no address of a daemon",
		"http://:8081":                    "no address of a daemon",
		"http://me:fake@127.0.0.1:8081":   "no address of a daemon",
		"http://127.0.0.1:8081?token=foo": "no address of a daemon",
	} {
		err := checkTokenServer(server)
		if got := fmt.Sprint(err); (err == nil) != (want == "") || !strings.Contains(got, want) {
			t.Errorf("%s: got %v, want %q", server, err, want)
		}
		if err != nil && !strings.Contains(fixOf(err), "--hooks-listen") {
			t.Errorf("%s: fix: %s", server, fixOf(err))
		}
	}
	if fix := fixOf(checkTokenServer("http://towpath:8181")); !strings.Contains(fix, "https://HOST") || !strings.HasSuffix(fix, "--server http://127.0.0.1:8181") {
		t.Errorf("fix: %s", fix)
	}
	if err := checkServer("http://towpath:8080", "--listen"); err != nil {
		t.Errorf("without a token: %v", err)
	}
}

// Who asks at the address of the page is told which one it is.
func TestImportAtThePage(t *testing.T) {
	page := httptest.NewServer(web.New(web.Options{}))
	defer page.Close()
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte(strings.Repeat("not-a-secret-", 3)), 0o600); err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	code := Main(t.Context(), []string{"import", "web", "--server", page.URL, "--token-file", token}, &said, &said, func(string) string { return "" })
	if code != exitFailed || !strings.Contains(said.String(), "none of a daemon that imports\nfix: name its --hooks-listen address") {
		t.Errorf("exit code %d: %s", code, said.String())
	}
}
