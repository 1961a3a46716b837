package remote

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/towpath/towpath/registry"
)

// Whatever is taken for a manifest has a type, and children that can be asked for.
func FuzzManifest(f *testing.F) {
	for _, seed := range []string{
		`{"schemaVersion":2,"config":{},"layers":[]}`,
		`{"manifests":[{"digest":"sha256:` + strings.Repeat("0", 64) + `","size":1,"platform":{"os":"linux"}}]}`,
		`{"config":{},"Config":{}}`, `{"manifests":null}`, `[]`, ``,
	} {
		f.Add([]byte(seed), "application/vnd.oci.image.index.v1+json")
		f.Add([]byte(seed), "application/json")
	}
	f.Fuzz(func(t *testing.T, body []byte, contentType string) {
		typ, children, err := readManifest(body, contentType)
		if err != nil {
			return
		}
		if typ == "" || len(children) > 0 && !isIndex(typ) {
			t.Errorf("type %q with %d children", typ, len(children))
		}
		for _, c := range children {
			if !registry.ValidDigest(c.Digest) || strings.ContainsAny(c.MediaType+c.Platform.String(), "\n\r \x1b") {
				t.Errorf("child %#v", c)
			}
		}
	})
}

// However a registry asks, we ask for no more than to read one repository.
func FuzzChallenge(f *testing.F) {
	for _, seed := range []string{`Bearer realm="https://a.test/t",service="s",scope="repository:a/b:pull,push"`, `Basic realm="x", Bearer realm=y`, `Bearer realm="`, `,,,`} {
		f.Add(seed)
	}
	wanted := regexp.MustCompile(`^repository:[a-z0-9._/-]+:pull$`)
	f.Fuzz(func(t *testing.T, line string) {
		c := readChallenge(http.Header{"Www-Authenticate": {line}})
		if scope := c.pull("team1/web"); !wanted.MatchString(scope) {
			t.Errorf("scope %q", scope)
		}
		if c.scheme == "bearer" && c.realm == "" {
			t.Error("bearer without a realm")
		}
	})
}

// Wherever a link points, the next page is a list of tags of the same registry.
func FuzzLink(f *testing.F) {
	for _, seed := range []string{`</v2/a/b/tags/list?last=x>; rel="next"`, `<https://evil.test/v2/a/tags/list>`, `<//evil.test>; rel=next`, `<\\evil.test/tags/list>`} {
		f.Add(seed)
	}
	base := &url.URL{Scheme: "https", Host: "registry.test", Path: "/v2/a/b/tags/list"}
	f.Fuzz(func(t *testing.T, line string) {
		next, err := nextPage(&http.Response{Header: http.Header{"Link": {line}}, Request: &http.Request{URL: base}})
		if err != nil || next == "" {
			return
		}
		to, err := base.Parse(next)
		if err != nil || originOf(to) != originOf(base) || !listPath.MatchString(to.Path) || strings.Contains(to.Path, "..") {
			t.Errorf("link %q leads to %q (%v)", line, next, err)
		}
	})
}
