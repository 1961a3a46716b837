package remote

import (
	"net/http"
	"net/url"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/towpath/towpath/registry"
)

// Whatever is taken for a manifest has a type, and children that can be asked for.
func FuzzManifest(f *testing.F) {
	for _, seed := range []string{
		`{"schemaVersion":2,"config":{},"layers":[]}`,
		`{"manifests":[{"digest":"sha256:` + strings.Repeat("0", 64) + `","size":1,"platform":{"os":"linux"}}]}`,
		`{"config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"sha256:` + strings.Repeat("0", 64) + `"},"layers":[]}`,
		`{"config":{},"Config":{}}`, `{"manifests":null}`, `[]`, ``,
	} {
		f.Add([]byte(seed), "application/vnd.oci.image.index.v1+json")
		f.Add([]byte(seed), "application/json")
	}
	f.Fuzz(func(t *testing.T, body []byte, contentType string) {
		image, err := readManifest(body, contentType)
		if err != nil {
			return
		}
		if image.MediaType == "" || len(image.Children) > 0 && !image.IsIndex() {
			t.Errorf("type %q with %d children", image.MediaType, len(image.Children))
		}
		if image.Config != "" && (!registry.ValidDigest(image.Config) || !isSingle(image.MediaType)) {
			t.Errorf("type %q with configuration %q", image.MediaType, image.Config)
		}
		for _, c := range image.Children {
			if !registry.ValidDigest(c.Digest) || strings.ContainsAny(c.MediaType+c.Platform.String(), "\n\r \x1b") {
				t.Errorf("child %#v", c)
			}
		}
	})
}

// Whatever an image says of itself, what is taken of it is small, can be written
// down, and says the same of the same bytes.
func FuzzConfig(f *testing.F) {
	for _, seed := range []string{
		`{"created":"2026-01-02T03:04:05.6+07:00","os":"linux","architecture":"arm64","variant":"v8","config":{"Labels":{"a":"b","c":null,"d":1,"a":"e"}}}`,
		`{"created":"9999-12-31T23:59:59-12:00","config":{"Labels":[]}}`, `{"created":"-0001-01-01T00:00:00Z","config":null}`, `{"config":{"labels":{}}}`, "{\"os\":\"\xff\"}",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		config, err := readConfig(body)
		if err != nil {
			return
		}
		if y := config.Created.Year(); y < 1 || y > 9999 || config.Created.Location() != time.UTC {
			t.Errorf("created %s", config.Created)
		}
		if len(config.Labels) > maxLabels || strings.ContainsAny(config.Platform.String(), "\n\r \x1b") {
			t.Errorf("platform %q, %d labels", config.Platform, len(config.Labels))
		}
		for name, value := range config.Labels {
			if len(name) > maxLabelName || len(value) > maxLabelValue || !utf8.ValidString(name+value) {
				t.Errorf("label %q: %q", name, value)
			}
		}
		if again, err := readConfig(body); err != nil || !reflect.DeepEqual(config, again) {
			t.Errorf("%v, then %v, %v", config, again, err)
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
