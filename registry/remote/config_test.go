package remote_test

import (
	"crypto/sha512"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/towpath/towpath/registry"
	"github.com/towpath/towpath/registry/registrytest"
	"github.com/towpath/towpath/registry/remote"
)

const (
	ociConfig    = "application/vnd.oci.image.config.v1+json"
	dockerConfig = "application/vnd.docker.container.image.v1+json"
	dockerImage  = "application/vnd.docker.distribution.manifest.v2+json"
	helmConfig   = "application/vnd.cncf.helm.config.v1+json"
	blobs        = "/v2/team1/web/blobs/"
)

var repo = web("registry.test").Repo

// configOf asks for a configuration that a registry has.
func configOf(t *testing.T, body string) (registry.Config, error) {
	t.Helper()
	s, r := one(t)
	return r.Config(t.Context(), team1, repo, s.Blob("team1/web", []byte(body)))
}

// fault: H-30
func TestConfigCreated(t *testing.T) {
	for written, want := range map[string]string{
		`"2026-01-02T03:04:05Z"`:           "2026-01-02T03:04:05Z",
		`"2026-01-02T03:04:05.123456789Z"`: "2026-01-02T03:04:05.123456789Z",
		`"2026-01-02T03:04:05+07:00"`:      "2026-01-01T20:04:05Z",
		`"1970-01-01T00:00:00Z"`:           "1970-01-01T00:00:00Z",
		`"1601-01-01T00:00:00Z"`:           "1601-01-01T00:00:00Z",
		`"9999-12-31T23:59:59Z"`:           "9999-12-31T23:59:59Z",
		`"9999-12-31T23:59:59-01:00"`:      "", // the year 10000 cannot be written down
		`"10000-01-01T00:00:00Z"`:          "",
		`"0001-01-01T00:00:00Z"`:           "",
		`"0000-06-01T00:00:00Z"`:           "",
		`"0001-01-01T00:00:00+01:00"`:      "",
		`"-0001-01-01T00:00:00Z"`:          "",
		`"-62135596800"`:                   "",
		`"2026-13-01T00:00:00Z"`:           "",
		`"yesterday"`:                      "",
		`""`:                               "",
		`null`:                             "",
		`1767323045`:                       "",
		`{"Time":"2026-01-02T03:04:05Z"}`:  "",
		``:                                 "", // missing
	} {
		t.Run(written, func(t *testing.T) {
			body := `{"os":"linux","created":` + written + `}`
			if written == "" {
				body = `{"os":"linux"}`
			}
			config, err := configOf(t, body)
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			if !config.Created.IsZero() {
				got = config.Created.Format(time.RFC3339Nano)
			}
			if got != want || config.Platform.OS != "linux" {
				t.Errorf("created %q, want %q; %+v", got, want, config)
			}
		})
	}
}

// fault: H-21
//
// Labels of all kinds make no error. What is taken is bounded; its text is as it
// came, for whoever writes it down to make harmless.
func TestConfigLabels(t *testing.T) {
	many := func(n int) (written string, first map[string]string) {
		first = map[string]string{}
		var list []string
		for i := range n {
			name := fmt.Sprintf("label-%06d", i)
			list = append(list, fmt.Sprintf("%q:%q", name, fmt.Sprint(i)))
			if i < 256 {
				first[name] = fmt.Sprint(i)
			}
		}
		return "{" + strings.Join(list, ",") + "}", first
	}
	hundredThousand, first := many(100_000)
	long := func(n int) string { return strings.Repeat("a", n) }
	for name, c := range map[string]struct {
		config string
		want   map[string]string
	}{
		"none":            {`{}`, nil},
		"null":            {`{"Labels":null}`, nil},
		"a list":          {`{"Labels":["a"]}`, nil},
		"a text":          {`{"Labels":"a"}`, nil},
		"empty":           {`{"Labels":{}}`, nil},
		"no config":       {`null`, nil},
		"config a text":   {`"x"`, nil},
		"of two meanings": {`{"Labels":{"a":"1"},"labels":{"a":"2"}}`, nil},
		"in lower case":   {`{"labels":{"a":"1"}}`, nil},
		"values of kinds": {`{"Labels":{"a":"1","b":null,"c":2,"d":["x"],"e":{"f":"g"},"":"h"}}`, map[string]string{"a": "1", "": "h"}},
		"said twice":      {`{"Labels":{"a":"1","a":"2"}}`, map[string]string{"a": "2"}},
		"10^5":            {`{"Labels":` + hundredThousand + `}`, first},
		"64 KiB":          {`{"Labels":{"a":"` + long(64<<10) + `","b":"` + long(64<<10+1) + `"}}`, map[string]string{"a": long(64 << 10)}},
		"1 MiB":           {`{"Labels":{"a":"` + long(1<<20) + `","` + long(1<<20) + `":"b","c":"d"}}`, map[string]string{"c": "d"}},
		"controls":        {`{"Labels":{"a":"x\nCo-authored-by: y\u001b[31m\u202e","b":"<img onerror=x> @team Fixes #1"}}`, map[string]string{"a": "x\nCo-authored-by: y\x1b[31m\u202e", "b": "<img onerror=x> @team Fixes #1"}},
		"not UTF-8":       {"{\"Labels\":{\"a\":\"\xff\"}}", map[string]string{"a": "\ufffd"}},
	} {
		t.Run(name, func(t *testing.T) {
			config, err := configOf(t, `{"os":"linux","config":`+c.config+`}`)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(len(c.want), len(config.Labels)); diff != "" {
				t.Errorf("number of labels (-want +got):\n%s", diff)
			}
			for name, want := range c.want {
				if got := config.Labels[name]; got != want {
					t.Errorf("%s: got %.80q, want %.80q", name, got, want)
				}
			}
		})
	}
}

// What a registry may answer for a configuration, and what is made of it.
func TestConfigAnswers(t *testing.T) {
	const body = `{"os":"linux","architecture":"arm64","variant":"v8"}`
	pad := func(n int) string { return body + strings.Repeat(" ", n-len(body)) }
	for name, c := range map[string]struct {
		sha    string // whose digest is asked for
		answer http.HandlerFunc
		kind   registry.Kind // empty: it works
		says   string
	}{
		"blob":           {body, blob(body), "", ""},
		"other links":    {body, linked(body), "", ""},
		"no such":        {body, registrytest.RegistryError(404, "BLOB_UNKNOWN", "x"), registry.NotFound, "no such configuration (asked anonymously)"},
		"no repository":  {body, registrytest.RegistryError(404, "NAME_UNKNOWN", "x"), registry.NotFound, "no such repository"},
		"500":            {body, registrytest.Status(500), registry.InternalError, "status 500"},
		"429":            {body, registrytest.Status(429), registry.RateLimited, "too many requests"},
		"web page":       {body, registrytest.Body("text/html", []byte("<html>")), registry.InternalError, "a web page"},
		"gzip":           {body, zipped("application/octet-stream"), registry.Invalid, "compressed"},
		"no object":      {`[]`, blob(`[]`), registry.Invalid, "the configuration is not well formed: no JSON object"},
		"no JSON":        {"\x1f\x8b", blob("\x1f\x8b"), registry.Invalid, "no JSON object"},
		"twice":          {`{"os":"a","OS":"b"}`, blob(`{"os":"a","OS":"b"}`), registry.Invalid, "stands there twice"},
		"something more": {body + "{}", blob(body + "{}"), registry.Invalid, "something follows"},
		// fault: H-16
		"depth": {deep, blob(deep), registry.Invalid, "not well-formed JSON"},
		// fault: H-14
		"4 MiB":        {pad(4 << 20), blob(pad(4 << 20)), "", ""},
		"4 MiB and 1":  {pad(4<<20 + 1), blob(pad(4<<20 + 1)), registry.Invalid, "too large"},
		"short length": {body, registrytest.Truncated("application/octet-stream", []byte(body), 20), registry.Unreachable, "the connection broke"},
		// fault: H-18
		"other bytes": {body, blob(body + " "), registry.Invalid, "the configuration is not the one that was asked for"},
		"no bytes":    {body, blob(""), registry.Invalid, "the configuration is not the one that was asked for"},
	} {
		t.Run(name, func(t *testing.T) {
			s, r := one(t)
			s.On("GET "+blobs+digestOf(c.sha), c.answer)
			config, err := r.Config(t.Context(), team1, repo, digestOf(c.sha))
			if c.kind != "" {
				failed(t, err, c.kind, c.says)
				if !cmp.Equal(config, registry.Config{}) {
					t.Errorf("got %v beside the error", config)
				}
				return
			}
			want := registry.Config{Platform: registry.Platform{OS: "linux", Architecture: "arm64", Variant: "v8"}}
			if diff := cmp.Diff(want, config); err != nil || diff != "" {
				t.Errorf("error %v, (-want +got):\n%s", err, diff)
			}
		})
	}
}

var deep = `{"config":` + strings.Repeat("[", 1e5) + strings.Repeat("]", 1e5) + `}`

func blob(body string) http.HandlerFunc {
	return registrytest.Body("application/octet-stream", []byte(body))
}

// linked answers with a Link header that is none of a list of tags.
func linked(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Link", `<https://cdn.test/a>; rel="next", nonsense`)
		blob(body)(w, r)
	}
}

// fault: H-18
func TestConfigBySHA512(t *testing.T) {
	const body = `{"os":"linux"}`
	s, r := one(t)
	digest := fmt.Sprintf("sha512:%x", sha512.Sum512([]byte(body)))
	s.On("GET "+blobs+digest, blob(body))
	if config, err := r.Config(t.Context(), team1, repo, digest); err != nil || config.Platform.OS != "linux" {
		t.Errorf("got %v, %v", config, err)
	}
	s.On("GET "+blobs+digest, blob(body+" "))
	_, err := r.Config(t.Context(), team1, repo, digest)
	failed(t, err, registry.Invalid, "not the one that was asked for")
}

// What is no digest is not asked for.
func TestConfigOfNoDigest(t *testing.T) {
	s, r := one(t)
	for _, digest := range []string{"", "latest", "sha256:abc", "sha256:../../x", strings.ToUpper(digestOf("x"))} {
		_, err := r.Config(t.Context(), team1, repo, digest)
		failed(t, err, registry.Invalid, "no reference in canonical form")
	}
	if got := s.Requests(); len(got) > 0 {
		t.Errorf("asked %v", got)
	}
}

// A platform that cannot be printed on one line counts as not said.
func TestConfigPlatform(t *testing.T) {
	config, err := configOf(t, `{"os":"linux\nx","architecture":7,"variant":"v8"}`)
	want := registry.Config{Platform: registry.Platform{Variant: "v8"}}
	if diff := cmp.Diff(want, config); err != nil || diff != "" {
		t.Errorf("error %v, (-want +got):\n%s", err, diff)
	}
}

// A configuration lies where the registry leads to, often another host: it is
// fetched there without what was said to the registry, and never over plain HTTP.
func TestConfigElsewhere(t *testing.T) {
	const body = `{"os":"linux"}`
	w, password, token := newWorld(t), secret(), secret()
	s := w.registry(t, "registry.test")
	cdn := w.registry(t, "cdn.test")
	cdn.On("GET /x", blob(body))
	s.On("GET "+blobs+digestOf(body), bearer(s, password, token, registrytest.Redirect(307, "https://cdn.test/x?signature=s")))
	r := w.reader(t, remote.Options{Credentials: as(t, "registry.test", password), Hosts: map[string]remote.Host{"registry.test": {CAFile: w.ca.File(t)}}})
	if config, err := r.Config(t.Context(), team1, repo, digestOf(body)); err != nil || config.Platform.OS != "linux" {
		t.Fatalf("got %v, %v", config, err)
	}
	for _, asked := range cdn.Requests() {
		if len(asked.Header["Authorization"]) > 0 || strings.Contains(fmt.Sprint(asked), token) {
			t.Errorf("the other host was told %v", asked.Header)
		}
	}
	s.On("GET "+blobs+digestOf(body), bearer(s, password, token, registrytest.Redirect(307, "http://cdn.test/x")))
	_, err := r.Config(t.Context(), team1, repo, digestOf(body))
	failed(t, err, registry.Invalid, "redirected to where it must not lead")
	s.On("GET "+blobs+digestOf(body), bearer(s, password, token, registrytest.Redirect(307, "https://cdn.test/other")))
	cdn.On("GET /other", blob(`{"os":"windows"}`))
	_, err = r.Config(t.Context(), team1, repo, digestOf(body))
	failed(t, err, registry.Invalid, "not the one that was asked for")
}

// What has a configuration to read, and what is no image.
func TestImageOrArtifact(t *testing.T) {
	d := digestOf("config")
	of := func(fields, configType string) string {
		return fmt.Sprintf(`{"schemaVersion":2,%s"config":{"mediaType":%q,"digest":%q,"size":7},"layers":[]}`, fields, configType, d)
	}
	for name, c := range map[string]struct {
		contentType, body string
		config            string
		says              string // of the error
	}{
		"OCI image":          {ociImage, of("", ociConfig), d, ""},
		"Docker image":       {dockerImage, of("", dockerConfig), d, ""},
		"mixed":              {ociImage, of("", dockerConfig), d, ""},
		"image by its type":  {ociImage, of(`"artifactType":"`+ociConfig+`",`, ociConfig), d, ""},
		"null artifactType":  {ociImage, of(`"artifactType":null,`, ociConfig), d, ""},
		"chart":              {ociImage, of("", helmConfig), "", ""},
		"plugin":             {dockerImage, of("", "application/vnd.docker.plugin.v1+json"), "", ""},
		"empty":              {ociImage, of(`"artifactType":"application/vnd.example.sbom",`, "application/vnd.oci.empty.v1+json"), "", ""},
		"artifact of config": {ociImage, of(`"artifactType":"application/vnd.in-toto+json",`, ociConfig), "", ""},
		"no config":          {ociImage, `{"layers":[]}`, "", ""},
		"null config":        {ociImage, `{"config":null,"layers":[]}`, "", ""},
		"no type":            {ociImage, webImage, "", ""},
		"unknown manifest":   {"application/vnd.example.thing.v1+json", of("", ociConfig), "", ""},
		"index":              {ociIndex, `{"manifests":[]}`, "", ""},
		"no digest":          {ociImage, `{"config":{"mediaType":"` + ociConfig + `"}}`, "", "config: no digest"},
		"bad digest":         {ociImage, `{"config":{"mediaType":"` + ociConfig + `","digest":"sha256:../x"}}`, "", "config: no digest"},
		"two configs":        {ociImage, `{"config":{"digest":"` + d + `","Digest":"` + d + `"}}`, "", "config: \"Digest\" stands there twice"},
		"config a list":      {ociImage, `{"config":[]}`, "", "config: no JSON object"},
		"artifactType a map": {ociImage, `{"artifactType":{},"config":{}}`, "", "artifactType: no string"},
	} {
		t.Run(name, func(t *testing.T) {
			s, r := one(t)
			s.On("GET "+manifestV1, manifest(c.contentType, c.body))
			image, err := r.Detail(t.Context(), team1, web("registry.test"))
			if c.says != "" {
				failed(t, err, registry.Invalid, c.says)
				return
			}
			if err != nil || image.Config != c.config {
				t.Errorf("got %q, %v; want %q", image.Config, err, c.config)
			}
		})
	}
}

// fault: R-12
//
// What a list says of its entries: which are images, and which only say
// something of one.
func TestChildrenOrArtifacts(t *testing.T) {
	d := digestOf("child")
	for name, c := range map[string]struct {
		entry string
		want  bool
	}{
		"image":           {`"mediaType":"` + ociImage + `","platform":{"os":"linux","architecture":"amd64"}`, false},
		"no platform":     {`"mediaType":"` + ociImage + `"`, false},
		"nothing said":    {`"size":1`, false},
		"nested":          {`"mediaType":"` + ociIndex + `"`, false},
		"schema 1":        {`"mediaType":"application/vnd.docker.distribution.manifest.v1+json"`, false},
		"config's type":   {`"mediaType":"` + ociImage + `","artifactType":"` + ociConfig + `"`, false},
		"other notes":     {`"mediaType":"` + ociImage + `","annotations":{"com.example":"x"}`, false},
		"notes in a list": {`"mediaType":"` + ociImage + `","annotations":["vnd.docker.reference.type"]`, false},
		"unknown OS only": {`"mediaType":"` + ociImage + `","platform":{"os":"unknown","architecture":"amd64"}`, false},
		"attestation":     {`"mediaType":"` + ociImage + `","platform":{"os":"unknown","architecture":"unknown"}`, true},
		"by annotation":   {`"mediaType":"` + ociImage + `","annotations":{"vnd.docker.reference.type":"attestation-manifest"},"platform":{"os":"linux","architecture":"amd64"}`, true},
		"by type":         {`"mediaType":"` + ociImage + `","artifactType":"application/vnd.in-toto+json"`, true},
		"layer":           {`"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip"`, true},
	} {
		t.Run(name, func(t *testing.T) {
			s, r := one(t)
			s.On("GET "+manifestV1, manifest(ociIndex, `{"manifests":[{"digest":"`+d+`",`+c.entry+`}]}`))
			image, err := r.Detail(t.Context(), team1, web("registry.test"))
			if err != nil {
				t.Fatal(err)
			}
			if got := image.Children[0].Artifact; got != c.want {
				t.Errorf("an artifact: %v, want %v", got, c.want)
			}
		})
	}
}

// fault: R-11
//
// A tag that moves with every request: what one answer says is of one image.
func TestTagMoves(t *testing.T) {
	s, r := one(t)
	var n atomic.Int64
	bodies := map[string]string{} // configuration by digest
	var answers []string
	for i := range 4 {
		config := digestOf(fmt.Sprint("config", i))
		body := fmt.Sprintf(`{"config":{"mediaType":%q,"digest":%q},"layers":[]}`, ociConfig, config)
		bodies[digestOf(body)] = config
		answers = append(answers, body)
	}
	s.On("GET "+manifestV1, func(w http.ResponseWriter, r *http.Request) {
		body := answers[n.Add(1)%4]
		if r.Method == http.MethodHead {
			w.Header().Set("Content-Type", ociImage) // no digest: the reader must look again
			return
		}
		manifest(ociImage, body)(w, r)
	})
	for range 8 {
		image, err := r.Detail(t.Context(), team1, web("registry.test"))
		if config, ok := bodies[image.Digest]; err != nil || !ok || image.Config != config {
			t.Errorf("detail: %v, %v", image, err)
		}
		image, err = r.Head(t.Context(), team1, web("registry.test"))
		if _, ok := bodies[image.Digest]; err != nil || !ok {
			t.Errorf("head: %v, %v", image, err)
		}
	}
	stale := digestOf(answers[0])
	s.On("GET "+manifestV1, lying(answers[1], stale)) // a cache whose header and body are of two times
	_, err := r.Detail(t.Context(), team1, web("registry.test"))
	failed(t, err, registry.Invalid, "not the one that the registry says")
}

// fault: R-19
//
// Nothing is asked on a condition, so a 304 is a cache on the way that is broken:
// HEAD is asked again as GET, anything else fails and may pass.
func TestNotModified(t *testing.T) {
	unchanged := registrytest.Status(304, `Etag: "x"`)
	s, r := one(t)
	s.On("GET "+manifestV1, manifest(ociImage, webImage))
	s.On("HEAD "+manifestV1, unchanged)
	if image, err := r.Head(t.Context(), team1, web("registry.test")); err != nil || image.Digest != digestOf(webImage) {
		t.Errorf("head: %v, %v", image, err)
	}
	s.On("/v2/team1/*", unchanged)
	s.On(manifestV1, unchanged)
	_, headErr := r.Head(t.Context(), team1, web("registry.test"))
	_, detailErr := r.Detail(t.Context(), team1, web("registry.test"))
	_, tagsErr := r.Tags(t.Context(), team1, repo)
	_, configErr := r.Config(t.Context(), team1, repo, digestOf("x"))
	for _, err := range []error{headErr, detailErr, tagsErr, configErr} {
		failed(t, err, registry.InternalError, "nothing has changed")
	}
	for _, asked := range s.Requests() {
		for name := range asked.Header {
			if strings.HasPrefix(name, "If-") {
				t.Errorf("%s %s was asked with %s", asked.Method, asked.URI, name)
			}
		}
	}
}
