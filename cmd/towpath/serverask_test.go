package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A file that holds something else than one token is told as that, before anybody is asked, and what
// is in it is not.
func TestOneToken(t *testing.T) {
	asked := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the server was asked") }))
	defer asked.Close()
	const part = "not-a-secret"
	for text, why := range map[string]string{
		strings.Repeat(part, 3) + "\n" + strings.Repeat(part, 3) + "\n": "does not hold one token: it has several lines",
		part + " " + part:      "does not hold one token: there is a blank in it",
		part + "\u00a0" + part: "does not hold one token: there is a blank in it",
		part + "\x00" + part:   "does not hold one token: there is a blank in it",
		"":                     "is empty",
	} {
		file := filepath.Join(t.TempDir(), "token")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		var said strings.Builder
		code := Main(t.Context(), []string{"import", "web", "--server", asked.URL, "--token-file", file}, &said, &said, func(string) string { return "" })
		if code != exitUsage || !strings.Contains(said.String(), file+" "+why) || !strings.Contains(said.String(), "\nfix: name a file with the daemon's token") || strings.Contains(said.String(), part) {
			t.Errorf("%q: exit code %d: %s", text, code, said.String())
		}
		if text != "" && checkImportToken(&secretFile{path: file}) == nil {
			t.Errorf("%q is taken by the daemon", text)
		}
	}
}

// Whatever else answers at the address, or at another path of it, the next step is said.
func TestImportElsewhere(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(strings.Repeat("not-a-secret-", 3)), 0o600); err != nil {
		t.Fatal(err)
	}
	for body, code := range map[string]int{`{"errors": [{"code": "NOT_FOUND"}]}`: 404, `{"ok": true}`: 200, "{}": 503} {
		other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(code)
			io.WriteString(w, body)
		}))
		var said strings.Builder
		got := Main(t.Context(), []string{"import", "web", "--server", other.URL, "--token-file", file}, &said, &said, func(string) string { return "" })
		if got != exitFailed || !strings.Contains(said.String(), "none of a daemon that imports\nfix: name its --hooks-listen address") {
			t.Errorf("%s: exit code %d: %s", body, got, said.String())
		}
		other.Close()
	}
}
