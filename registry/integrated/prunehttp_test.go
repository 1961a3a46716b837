package integrated

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// One process has a storage at a time.
func TestStorageInUse(t *testing.T) {
	dir := t.TempDir()
	r, err := New(t.Context(), Options{Storage: dir})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := New(t.Context(), Options{Storage: dir}); !errors.Is(err, ErrStorageInUse) {
		t.Errorf("a second one: got %v", err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if r, err = New(t.Context(), Options{Storage: dir}); err != nil {
		t.Fatal(err)
	}
	r.Close()
}

func TestServePrune(t *testing.T) {
	r, err := New(t.Context(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	server := httptest.NewServer(r.ServePrune(nil))
	defer server.Close()
	for _, c := range []struct {
		method, query string
		status        int
		done          bool
	}{
		{"POST", "", 200, false},
		{"POST", "?confirm=true&keep-younger-than=2h&keep-tag-revisions=1", 200, true},
		{"POST", "?" + DefaultPruneRules.Query(true).Encode(), 200, true},
		{"POST", "?confirm=yes", 400, false},
		{"POST", "?keep-tag-revisions=0", 400, false},
		{"POST", "?keep-tag-revisions=x", 400, false},
		{"POST", "?keep-younger-than=1s", 400, false},
		{"POST", "?keep-younger-than=-2h", 400, false},
		{"GET", "?confirm=true", 405, false},
	} {
		req, _ := http.NewRequestWithContext(t.Context(), c.method, server.URL+"/prune"+c.query, nil)
		resp, err := server.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		var report PruneReport
		err = json.NewDecoder(resp.Body).Decode(&report)
		resp.Body.Close()
		if resp.StatusCode != c.status || c.status == 200 && (err != nil || report.Done != c.done) {
			t.Errorf("%s %s: got %d, done %v, %v; want %d, %v", c.method, c.query, resp.StatusCode, report.Done, err, c.status, c.done)
		}
	}
}

func FuzzParsePrune(f *testing.F) {
	for _, seed := range []string{"", "confirm=true", "keep-younger-than=2h&keep-tag-revisions=1", "keep-younger-than=-1ns", "keep-tag-revisions=99999999999999999999", "confirm=true&confirm=false"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, query string) {
		req := httptest.NewRequest(http.MethodPost, "/prune", nil)
		req.URL.RawQuery = query
		rules, confirm, err := ParsePrune(req.URL.Query())
		if err != nil {
			return
		}
		if rules.KeepTagRevisions < 1 || rules.KeepYoungerThan < time.Minute {
			t.Errorf("%q lets go what must stay: %+v", query, rules)
		}
		again, confirmed, err := ParsePrune(rules.Query(confirm))
		if again != rules || confirmed != confirm || err != nil {
			t.Errorf("%+v becomes %+v, %v", rules, again, err)
		}
	})
}

func FuzzReadOf(f *testing.F) {
	for _, seed := range []string{"/v2/team1/web/manifests/latest", "/v2/team1/web/tags/list", "/v2/a/blobs/uploads", "/v2/", "/v2//manifests/x", "/v2/tags/list", "v2/a/b/c"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, path string) {
		req := httptest.NewRequest(http.MethodGet, "/", nil)
		req.URL.Path = path
		repository, kind, ref := readOf(req)
		if kind != "" && path != "/v2/"+repository+"/"+kind+"/"+ref {
			t.Errorf("%q is read as %q %q %q", path, repository, kind, ref)
		}
	})
}
