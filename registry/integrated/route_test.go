package integrated

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

var (
	aDigest  = "sha256:" + strings.Repeat("0a", 32)
	aSession = "0f8fad5b-d9cb-469f-a165-70867728950e"
)

func TestRoute(t *testing.T) {
	for path, want := range map[string]route{
		"/v2":                                     {kind: toBase},
		"/v2/":                                    {kind: toBase},
		"/v2/_catalog":                            {kind: toCatalog},
		"/v2/team1/web/tags/list":                 {kind: toTags, repository: "team1/web", namespace: "team1"},
		"/v2/team1/web/manifests/1.0":             {kind: toManifest, repository: "team1/web", namespace: "team1", tag: "1.0"},
		"/v2/team1/web/manifests/" + aDigest:      {kind: toManifest, repository: "team1/web", namespace: "team1", digest: aDigest},
		"/v2/team1/web/blobs/" + aDigest:          {kind: toBlob, repository: "team1/web", namespace: "team1", digest: aDigest},
		"/v2/team1/web/blobs/uploads/":            {kind: toUploads, repository: "team1/web", namespace: "team1"},
		"/v2/team1/web/blobs/uploads/" + aSession: {kind: toUpload, repository: "team1/web", namespace: "team1", session: aSession},
		"/v2/team1/web/referrers/" + aDigest:      {kind: toReferrers, repository: "team1/web", namespace: "team1", digest: aDigest},
		"/v2/team1/web.v2/tags/list":              {kind: toTags, repository: "team1/web.v2", namespace: "team1"},
		"/v2/tags/list/tags/list":                 {kind: toTags, repository: "tags/list", namespace: "tags"},
		"/v2/team1/manifests/manifests/latest":    {kind: toManifest, repository: "team1/manifests", namespace: "team1", tag: "latest"},
	} {
		got, bad := routeOf(path, true)
		if bad != nil || got != want {
			t.Errorf("%s: got %+v, %v", path, got, bad)
		}
	}
}

// fault: E-05
// Names that lead elsewhere, or that two readers may take for two things, are refused before
// anybody else reads them.
func TestNamesThatAreRefused(t *testing.T) {
	long := strings.Repeat("a", 63)
	for path, streams := range map[string]bool{
		"/v2/../x/tags/list":                                         false,
		"/v2/team1/../team2/tags/list":                               false,
		"/v2/team1/./web/tags/list":                                  false,
		"/v2/team1//web/tags/list":                                   false,
		"/v2//team1/web/tags/list":                                   false,
		"/v2/team1%2fweb/tags/list":                                  false,
		"/v2/team1/web%2Ftags/list":                                  false,
		"/v2/team1/%2e%2e/tags/list":                                 false,
		"/v2/team1/web/manifests/%31.0":                              false,
		`/v2/team1\web/tags/list`:                                    false,
		"/v2/Team1/web/tags/list":                                    false,
		"/v2/team1/Web/tags/list":                                    false,
		"/v2/team1/_uploads/tags/list":                               false,
		"/v2/_manifests/web/tags/list":                               false,
		"/v2/team1/_uploads":                                         false,
		"/v2/team1/_manifests":                                       false,
		"/v2/team1/_layers":                                          false,
		"/v2/team1/../web":                                           false,
		"/v2/team1/./web":                                            false,
		"/v2/team1//web":                                             false,
		"/v2/team1/web-/tags/list":                                   false,
		"/v2/team1/we..b/tags/list":                                  false,
		"/v2/team1/we___b/tags/list":                                 false,
		"/v2/team1/ẅeb/tags/list":                                    false,
		"/v2/team1/web /tags/list":                                   false,
		"/v2/" + strings.Repeat("a/", 127) + "ab/tags/list":          false, // 256
		"/v2/team1/" + strings.Repeat("a", 250) + "/tags/list":       false, // 256
		"/v2/web/tags/list":                                          true,
		"/v2/team1/web/sub/tags/list":                                true,
		"/v2/team_1/web/tags/list":                                   true,
		"/v2/te.am/web/tags/list":                                    true,
		"/v2/team1/we_b/tags/list":                                   true,
		"/v2/team1/we__b/tags/list":                                  true,
		"/v2/" + long + "a/web/tags/list":                            true,
		"/v2/team1/web/manifests/.hidden":                            true,
		"/v2/team1/web/manifests/-x":                                 true,
		"/v2/team1/web/manifests/a b":                                true,
		"/v2/team1/web/manifests/" + strings.Repeat("a", 129):        true,
		"/v2/team1/web/manifests/sha256:00":                          true,
		"/v2/team1/web/manifests/sha256:" + strings.Repeat("0A", 32): true,
		"/v2/team1/web/manifests/md5:" + strings.Repeat("0", 32):     true,
		"/v2/team1/web/blobs/latest":                                 true,
	} {
		if got, bad := routeOf(path, streams); bad == nil || bad.status != http.StatusBadRequest {
			t.Errorf("%s: got %+v, %+v; want 400", path, got, bad)
		}
	}
	for _, path := range []string{"/", "/v1/", "/v2/team1/web", "/v2/team1/web/tags", "/v2/team1/web/blobs/uploads/x"} {
		if got, bad := routeOf(path, true); bad == nil || bad.status != http.StatusNotFound {
			t.Errorf("%s: got %+v, %+v; want 404", path, got, bad)
		}
	}
}

// fault: E-05
// The gate understands a path as it was sent, of a client that has every right: what is escaped is no
// name, and beside streams only what can be a stream's is one.
func TestNamesAtTheGate(t *testing.T) {
	d := doorTo(t, &fakeGuide{})
	m := d.image(t, "alice", "team1/web", "one")
	for _, name := range []string{"team1%2fweb", "team1/%77eb", "team1/../web", "team1/%2e%2e/team1/web", "team1//web", "team1/Web", "team1/web/sub", "team1/we_b", "team1/_uploads", "team1/" + strings.Repeat("a", 250)} {
		at := "/v2/" + name
		for _, ask := range [][2]string{{"GET", "/tags/list"}, {"GET", "/manifests/1.0"}, {"PUT", "/manifests/1.0"}, {"POST", "/blobs/uploads/"}} {
			if got := d.as(t, "alice", ask[0], at+ask[1], m, "Content-Type", imageType); got.status != 400 || !strings.Contains(got.body, "NAME_INVALID") {
				t.Errorf("%s %s%s: got %d %s", ask[0], at, ask[1], got.status, got.body)
			}
		}
	}
	for _, tag := range []string{".hidden", "-x", "a%20b", "%31.0", strings.Repeat("a", 129)} {
		if got := d.as(t, "alice", "PUT", "/v2/team1/web/manifests/"+tag, m, "Content-Type", imageType); got.status != 400 {
			t.Errorf("tag %s: got %d %s", tag, got.status, got.body)
		}
	}
	if d.marks.all != nil {
		t.Errorf("marked: %v", d.marks.all)
	}
}

// The name of 255 characters is the longest.
func TestLongestName(t *testing.T) {
	if _, bad := routeOf("/v2/team1/"+strings.Repeat("a", 249)+"/tags/list", true); bad != nil {
		t.Errorf("255 characters: %+v", bad)
	}
}

func TestQueryTwice(t *testing.T) {
	if _, bad := queryOf(toUploads, "from=a/b&mount=x&from=c/d"); bad == nil {
		t.Error("a parameter that is there twice was taken")
	}
	got, bad := queryOf(toUploads, "from=a%2Fb&digest=x&_state=y")
	if bad != nil || got.Encode() != "from=a%2Fb" {
		t.Errorf("got %v, %v", got, bad)
	}
}

// What is understood here is understood there: distribution's own router gives the path that
// is built the parts that it was built of.
func FuzzRoute(f *testing.F) {
	for _, path := range []string{
		"/v2/", "/v2/_catalog", "/v2/team1/web/tags/list", "/v2/a/manifests/b", "/v2/a/b/blobs/" + aDigest,
		"/v2/a/b/blobs/uploads/", "/v2/a/b/blobs/uploads/" + aSession, "/v2/a/blobs/uploads/manifests/x",
		"/v2/tags/list/tags/list", "/v2/a/../b/tags/list", "/v2/a%2fb/tags/list", "/v2/manifests/manifests/manifests/tags/list",
	} {
		f.Add(path, true)
		f.Add(path, false)
	}
	registry, err := New(f.Context(), Options{})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, path string, streams bool) {
		r, bad := routeOf(path, streams)
		if bad != nil {
			if bad.status != 400 && bad.status != 404 {
				t.Errorf("%q: %+v", path, bad)
			}
			return
		}
		if path != "/v2" && r.path() != path {
			t.Fatalf("%q became %q", path, r.path())
		}
		if r.repository != "" && (strings.Contains(r.repository, "..") || r.namespace == "" || !strings.HasPrefix(r.repository, r.namespace)) {
			t.Fatalf("%q: %+v", path, r)
		}
		if r.kind == toBase || r.kind == toCatalog || r.kind == toReferrers {
			return
		}
		// A list of tags of nothing names the repository that distribution saw.
		at := route{kind: toTags, repository: r.repository}
		w := httptest.NewRecorder()
		registry.serve(w, bare(t.Context(), "GET", at.path(), url.Values{}))
		if w.Code != 404 || !strings.Contains(w.Body.String(), `"name":"`+r.repository+`"`) {
			t.Fatalf("%q: distribution says %d %s", path, w.Code, w.Body)
		}
	})
}
