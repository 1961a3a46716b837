package integrated_test

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/sirupsen/logrus"
	"go.uber.org/goleak"

	"github.com/towpath/towpath/registry/integrated"
	"github.com/towpath/towpath/registry/registrytest"
)

// serve opens a registry on loopback and returns how to end it.
func serve(t *testing.T, o integrated.Options) (server *httptest.Server, end func()) {
	t.Helper()
	r, err := integrated.New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	server = httptest.NewServer(r)
	return server, func() {
		server.Close()
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
}

func addr(server *httptest.Server) string { return server.Listener.Addr().String() }

// ask is the status and the body of one request.
func ask(t *testing.T, server *httptest.Server, method, path string) (int, []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, server.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json")
	resp, err := server.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, body
}

func tags(t *testing.T, server *httptest.Server, repo string) []string {
	t.Helper()
	status, body := ask(t, server, "GET", "/v2/"+repo+"/tags/list")
	var list struct{ Tags []string }
	if err := json.Unmarshal(body, &list); err != nil || status != 200 {
		t.Fatalf("tags of %s: %d %s, %v", repo, status, body, err)
	}
	return list.Tags
}

func TestPushPullDelete(t *testing.T) {
	for name, storage := range map[string]string{"memory": "", "directory": filepath.Join(t.TempDir(), "made", "blobs")} {
		t.Run(name, func(t *testing.T) {
			server, end := serve(t, integrated.Options{Storage: storage})
			defer end()
			digest := registrytest.Push(t, addr(server), "team1/web:1.0", "one")
			registrytest.Push(t, addr(server), "team1/web:1.1", "two")
			index := registrytest.PushIndex(t, addr(server), "team1/web:2.0", "three", "linux/amd64", "linux/arm64/v8", "")

			if diff := cmp.Diff([]string{"1.0", "1.1", "2.0"}, tags(t, server, "team1/web")); diff != "" {
				t.Errorf("tags (-want +got):\n%s", diff)
			}
			if _, body := ask(t, server, "GET", "/v2/team1/web/manifests/2.0"); !bytes.Equal(body, index.Manifest) {
				t.Errorf("index: got %s", body)
			}
			if status, body := ask(t, server, "DELETE", "/v2/team1/web/manifests/1.1"); status != 202 {
				t.Errorf("delete a tag: %d %s", status, body)
			}
			if status, body := ask(t, server, "DELETE", "/v2/team1/web/manifests/"+digest); status != 202 {
				t.Errorf("delete a manifest: %d %s", status, body)
			}
			if diff := cmp.Diff([]string{"2.0"}, tags(t, server, "team1/web")); diff != "" {
				t.Errorf("tags after deletion (-want +got):\n%s", diff)
			}
			for _, path := range []string{"team1/web/manifests/" + digest, "team1/web/manifests/1.1", "nothing/tags/list"} {
				if status, _ := ask(t, server, "GET", "/v2/"+path); status != 404 {
					t.Errorf("%s: got %d, want 404", path, status)
				}
			}
		})
	}
}

// What was pushed into a directory is there for the next process.
func TestReopen(t *testing.T) {
	dir := t.TempDir()
	server, end := serve(t, integrated.Options{Storage: dir})
	digest := registrytest.Push(t, addr(server), "web:1.0", "kept")
	end()
	server, end = serve(t, integrated.Options{Storage: dir})
	defer end()
	if status, _ := ask(t, server, "GET", "/v2/web/manifests/"+digest); status != 200 {
		t.Errorf("got %d, want the image", status)
	}
}

func TestStorageError(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := integrated.New(t.Context(), integrated.Options{Storage: file}); err == nil || !strings.Contains(err.Error(), "registry storage") {
		t.Errorf("got %v, want an error of the storage", err)
	}
}

// Nothing is said but through the logger, whatever distribution's own does.
func TestQuiet(t *testing.T) {
	var global, own bytes.Buffer
	was := logrus.StandardLogger().Out
	logrus.SetOutput(&global)
	defer logrus.SetOutput(was)

	server, end := serve(t, integrated.Options{Logger: slog.New(slog.NewTextHandler(&own, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	registrytest.Push(t, addr(server), "web:1.0", "quiet")
	ask(t, server, "GET", "/v2/web/manifests/nothing")
	ask(t, server, "GET", "/v2/nothing/tags/list")
	end()
	if global.Len() > 0 {
		t.Errorf("on stderr:\n%s", &global)
	}
	if !strings.Contains(own.String(), `level=DEBUG msg="response completed"`) || !strings.Contains(own.String(), "vars.reference=nothing") {
		t.Errorf("the logger was told:\n%s", &own)
	}
	for _, not := range []string{"_state", "level=ERROR", "level=WARN", "level=INFO"} {
		if strings.Contains(own.String(), not) {
			t.Errorf("the log has %q:\n%s", not, &own)
		}
	}
}

// A registry that is closed leaves no goroutine behind but distribution's own.
func TestClose(t *testing.T) {
	ignore := goleak.IgnoreCurrent()
	server, end := serve(t, integrated.Options{})
	registrytest.Push(t, addr(server), "web:1.0", "closed")
	end()
	goleak.VerifyNone(t, ignore, goleak.IgnoreTopFunction("github.com/docker/go-events.(*Broadcaster).run"))
}

// Locations are relative, so that what a client claims of the way it came
// sends nobody elsewhere.
func TestForwardedHeaders(t *testing.T) {
	server, end := serve(t, integrated.Options{})
	defer end()
	req, err := http.NewRequestWithContext(t.Context(), "POST", server.URL+"/v2/web/blobs/uploads/", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Forwarded-Host", "evil.test")
	req.Header.Set("X-Forwarded-Proto", "http")
	resp, err := server.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if got := resp.Header.Get("Location"); resp.StatusCode != 202 || !strings.HasPrefix(got, "/v2/web/blobs/uploads/") {
		t.Errorf("got %d, Location %q; want a path", resp.StatusCode, got)
	}
}
