//go:build conformance

package integrated

import (
	"crypto/rand"
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
	config := &configuration.Configuration{Storage: configuration.Storage{
		"delete": {"enabled": true}, "redirect": {"disable": true}, "filesystem": {"rootdirectory": t.TempDir()},
	}}
	config.HTTP.RelativeURLs = true
	app := handlers.NewApp(logged{t.Context(), newEntry(nil)}, config)
	defer app.Shutdown()
	_, plain := conformance(t, suite, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		app.ServeHTTP(w, req.WithContext(logged{req.Context(), newEntry(nil)}))
	}))
	token := filepath.Join(t.TempDir(), "token")
	secret := rand.Text() + rand.Text()
	if err := os.WriteFile(token, []byte(secret), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, rules := range map[string]*Rules{"without a gate": nil, "behind the gate": {
		Tokens: []Token{{"suite", token}}, Delete: true, Limits: Limits{RequestsPerSecond: 1e5, Concurrency: 1000},
		Access: Access{Grants: []Grant{{[]string{"suite"}, []Pattern{anything{}}, []Right{Pull, Push, Delete}}}},
	}} {
		ours, err := New(t.Context(), Options{Storage: t.TempDir(), Rules: rules})
		if err != nil {
			t.Fatal(err)
		}
		tests, failures := conformance(t, suite, ours, "OCI_USERNAME=suite", "OCI_PASSWORD="+secret)
		ours.Close()
		t.Logf("%s: %d tests, %d failures; distribution alone has %d", name, tests, failures, plain)
		if tests == 0 || failures > plain {
			t.Errorf("%s: got %d failures in %d tests, distribution alone has %d", name, failures, tests, plain)
		}
	}
}

type anything struct{}

func (anything) Match(string) bool { return true }

func conformance(t *testing.T, suite string, registry http.Handler, env ...string) (tests, failures int) {
	server := httptest.NewServer(registry)
	defer server.Close()
	c := exec.CommandContext(t.Context(), suite) // exits 1 where anything fails
	c.Dir = t.TempDir()
	c.Env = append(append(os.Environ(), "OCI_REGISTRY="+server.Listener.Addr().String(), "OCI_TLS=disabled"), env...)
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
