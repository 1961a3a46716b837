package integrated

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
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

func TestParsePrune(t *testing.T) {
	wide := PruneRules{KeepTagRevisions: 1, KeepYoungerThan: 2 * time.Hour}
	for query, want := range map[string]struct {
		rules   PruneRules
		confirm bool
		bad     bool
	}{
		"": {rules: DefaultPruneRules},
		"confirm=true&keep-younger-than=2h&keep-tag-revisions=1": {rules: wide, confirm: true},
		wide.Query(true).Encode():                                {rules: wide, confirm: true},
		wide.Query(false).Encode():                               {rules: wide},
		"confirm=yes":                                            {bad: true},
		"keep-tag-revisions=0":                                   {bad: true},
		"keep-tag-revisions=x":                                   {bad: true},
		"keep-younger-than=1s":                                   {bad: true},
		"keep-younger-than=-2h":                                  {bad: true},
	} {
		values, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		rules, confirm, err := ParsePrune(values)
		if (err != nil) != want.bad || !want.bad && (rules != want.rules || confirm != want.confirm) {
			t.Errorf("%q: %v, %v, %v; want %v", query, rules, confirm, err, want)
		}
	}
}

// A registry that closes waits for what is being pruned, and begins nothing.
func TestPruneAtClose(t *testing.T) {
	r, err := New(t.Context(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, end, err := r.prunes.begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ended := false
	go func() { <-ctx.Done(); ended = true; end() }()
	if err := r.Close(); err != nil || !ended {
		t.Errorf("closed: %v, ended %v", err, ended)
	}
	if _, err := r.Prune(t.Context(), nil, DefaultPruneRules, true); !errors.Is(err, errPruneClosed) {
		t.Errorf("got %v", err)
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
