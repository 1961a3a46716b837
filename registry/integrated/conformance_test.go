package integrated

import (
	"encoding/xml"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/distribution/distribution/v3/configuration"
	"github.com/distribution/distribution/v3/registry/handlers"
)

// The conformance suite of the distribution specification finds no more to fault than in
// distribution itself. See make conformance.
func TestConformance(t *testing.T) {
	suite := os.Getenv("TOWPATH_CONFORMANCE")
	if suite == "" {
		t.Skip("TOWPATH_CONFORMANCE names no program: see make conformance")
	}
	config := &configuration.Configuration{Storage: configuration.Storage{
		"delete": {"enabled": true}, "redirect": {"disable": true}, "filesystem": {"rootdirectory": t.TempDir()},
	}}
	config.HTTP.RelativeURLs = true
	ours, err := New(t.Context(), Options{Storage: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer ours.Close()
	tests, failures := conformance(t, suite, ours)
	app := handlers.NewApp(logged{t.Context(), newEntry(nil)}, config)
	defer app.Shutdown()
	_, plain := conformance(t, suite, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		app.ServeHTTP(w, req.WithContext(logged{req.Context(), newEntry(nil)}))
	}))
	t.Logf("%d tests, %d failures; distribution alone has %d", tests, failures, plain)
	if tests == 0 || failures > plain {
		t.Errorf("got %d failures in %d tests, distribution alone has %d", failures, tests, plain)
	}
}

func conformance(t *testing.T, suite string, registry http.Handler) (tests, failures int) {
	server := httptest.NewServer(registry)
	defer server.Close()
	c := exec.CommandContext(t.Context(), suite) // exits 1 where anything fails
	c.Dir = t.TempDir()
	c.Env = append(os.Environ(), "OCI_REGISTRY="+server.Listener.Addr().String(), "OCI_TLS=disabled")
	out, _ := c.CombinedOutput()
	src, err := os.ReadFile(filepath.Join(c.Dir, "results", "junit.xml"))
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var said struct {
		Tests    int `xml:"tests,attr"`
		Failures int `xml:"failures,attr"`
	}
	if err := xml.Unmarshal(src, &said); err != nil {
		t.Fatal(err)
	}
	return said.Tests, said.Failures
}
