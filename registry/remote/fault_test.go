package remote_test

import (
	"bytes"
	gocmp "cmp"
	"compress/gzip"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/towpath/towpath/registry"
	"github.com/towpath/towpath/registry/registrytest"
	"github.com/towpath/towpath/registry/remote"
)

// one is a scripted registry with a Reader for it.
func one(t *testing.T) (*registrytest.Script, *remote.Reader) {
	t.Helper()
	w := newWorld(t)
	return w.registry(t, "registry.test"), w.reader(t, remote.Options{}, "registry.test")
}

// fault: H-02
func TestLedToPrivateAddresses(t *testing.T) {
	targets := []string{
		"169.254.169.254", "[fd00:ec2::254]", "168.63.129.16", "100.100.100.200", "127.0.0.1", "[::1]", "0.0.0.0", "10.0.0.1",
		"[::ffff:169.254.169.254]", "[64:ff9b::a9fe:a9fe]", "private.test", "listed.test",
	}
	for _, host := range targets {
		for _, way := range []string{"realm", "redirect", "blob"} {
			t.Run(host+" "+way, func(t *testing.T) {
				w := newWorld(t)
				s := w.registry(t, "registry.test")
				w.addrs["private.test"] = addrs("10.1.2.3")
				w.addrs["listed.test"] = addrs("10.1.2.4") // another registry that the operator lists: not for this one to use
				s.On("GET "+manifestV1, registrytest.Redirect(307, "https://"+host+"/x"))
				if way == "realm" {
					s.On("GET "+manifestV1, challenge(`Bearer realm="https://`+host+`/token"`))
				}
				r := w.reader(t, remote.Options{}, "registry.test", "listed.test")
				_, err := r.Detail(t.Context(), team1, web("registry.test"))
				if way == "blob" {
					s.On("GET "+blobs+digestOf(webImage), registrytest.Redirect(307, "https://"+host+"/x"))
					_, err = r.Config(t.Context(), team1, repo, digestOf(webImage))
				}
				failed(t, err, registry.Forbidden, "led to an address that is not public")
				if len(w.dialled) != 1 {
					t.Errorf("dialled %v, want the registry alone", w.dialled)
				}
			})
		}
	}
}

// A registry at a private address is read when the operator lists it, and not
// otherwise; the error says what to write.
func TestPrivateRegistry(t *testing.T) {
	w := newWorld(t)
	w.addrs["registry.test"] = addrs("10.0.0.7")
	s := w.registry(t, "registry.test")
	s.On("GET "+manifestV1, manifest(ociImage, webImage))
	if _, err := w.reader(t, remote.Options{}, "registry.test").Head(t.Context(), team1, web("registry.test")); err != nil {
		t.Error(err)
	}
	_, err := w.reader(t, remote.Options{}).Head(t.Context(), team1, web("registry.test"))
	failed(t, err, registry.Forbidden, "registries: [{host: registry.test}]")
}

// What a registry may answer, and what is made of it.
func TestAnswers(t *testing.T) {
	d := digestOf(webImage)
	index := `{"schemaVersion":2,"mediaType":"` + ociIndex + `","manifests":[{"digest":"` + d + `","size":%s}]}`
	both := `{"schemaVersion":2,"manifests":[],"config":{},"layers":[]}`
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		kind   registry.Kind // empty: it works
		says   string
	}{
		"image":   {manifest(ociImage, webImage), "", ""},
		"index":   {manifest(ociIndex, fmt.Sprintf(index, "7")), "", ""},
		"nothing": {manifest(ociIndex, `{"schemaVersion":2,"manifests":[]}`), "", ""},
		"charset": {manifest(ociImage+"; charset=utf-8", webImage), "", ""},
		// fault: R-02
		"500": {registrytest.Status(500), registry.InternalError, "status 500"},
		"502": {registrytest.Status(502), registry.InternalError, "status 502"},
		"503": {registrytest.Status(503), registry.InternalError, "status 503"},
		"504": {registrytest.Status(504), registry.InternalError, "status 504"},
		// fault: R-07
		"no repository": {registrytest.RegistryError(404, "NAME_UNKNOWN", "x"), registry.NotFound, "no such repository"},
		// fault: R-08
		"no tag":     {registrytest.RegistryError(404, "MANIFEST_UNKNOWN", "x"), registry.NotFound, "no such tag (asked anonymously)"},
		"401 as 404": {registrytest.Status(401), registry.Unauthorized, "no such repository, or no access to it"},
		"403":        {registrytest.RegistryError(403, "DENIED", "x"), registry.Forbidden, "access denied"},
		"418":        {registrytest.Status(418), registry.Invalid, "status 418"},
		// fault: R-12
		"schema 1":     {manifest("application/vnd.docker.distribution.manifest.v1+prettyjws", `{"schemaVersion":1,"fsLayers":[]}`), registry.Invalid, "schema 1"},
		"unknown type": {manifest("application/vnd.example.thing.v1+json", `{"config":{}}`), "", ""},
		// fault: H-14
		"4 MiB":        {manifest(ociImage, webImage+strings.Repeat(" ", 4<<20-len(webImage))), "", ""},
		"4 MiB and 1":  {manifest(ociImage, webImage+strings.Repeat(" ", 4<<20-len(webImage)+1)), registry.Invalid, "too large"},
		"short length": {registrytest.Truncated(ociImage, []byte(webImage), 20), registry.Unreachable, "the connection broke"},
		// fault: H-15
		"gzip": {zipped(ociImage), registry.Invalid, "compressed"},
		// fault: H-16
		"depth":           {manifest(ociImage, `{"config":`+strings.Repeat("[", 1e5)+strings.Repeat("]", 1e5)+`}`), registry.Invalid, "not well-formed JSON"},
		"twice":           {manifest(ociImage, `{"config":{},"config":{"a":1}}`), registry.Invalid, "stands there twice"},
		"twice by case":   {manifest(ociImage, `{"config":{},"Config":{"a":1}}`), registry.Invalid, "stands there twice"},
		"not UTF-8":       {manifest(ociImage, "{\"config\":\"\xff\"}"), registry.Invalid, "not UTF-8"},
		"trailing":        {manifest(ociImage, webImage+"{}"), registry.Invalid, "something follows"},
		"size NaN":        {manifest(ociIndex, fmt.Sprintf(index, "NaN")), registry.Invalid, "not well-formed JSON"},
		"size -1":         {manifest(ociIndex, fmt.Sprintf(index, "-1")), registry.Invalid, "a size that is none"},
		"size 2^63":       {manifest(ociIndex, fmt.Sprintf(index, "9223372036854775808")), registry.Invalid, "a size that is none"},
		"no object":       {manifest(ociImage, `[]`), registry.Invalid, "no JSON object"},
		"bad child":       {manifest(ociIndex, `{"manifests":[{"digest":"sha256:abc"}]}`), registry.Invalid, "manifests[0]"},
		"evil platform":   {manifest(ociIndex, `{"manifests":[{"digest":"`+d+`","platform":{"os":"linux\nSigned-off-by: x"}}]}`), registry.Invalid, "manifests[0]"},
		"no list at all":  {manifest(ociIndex, `{"schemaVersion":2}`), registry.Invalid, "which it is not"},
		"plain and empty": {manifest("application/json", `{}`), registry.Invalid, "neither an image nor a list"},
		// fault: H-17
		"other digest in the header": {lying(webImage, digestOf("other")), registry.Invalid, "not the one that the registry says"},
		// fault: H-19
		"both":            {manifest(ociIndex, both), registry.Invalid, "both a list of manifests and an image"},
		"both as image":   {manifest(ociImage, both), registry.Invalid, "both a list of manifests and an image"},
		"type in dispute": {manifest(ociIndex, webImage), registry.Invalid, "by its own mediaType"},
		// fault: H-25
		"large header": {registrytest.Status(200, "X-Large: "+strings.Repeat("a", 1<<20)), registry.Unreachable, "the connection broke"},
		// fault: H-35
		"web page": {registrytest.Body("text/html; charset=utf-8", []byte("<html>log in")), registry.InternalError, "answered with a web page, not a registry"},
	} {
		t.Run(name, func(t *testing.T) {
			s, r := one(t)
			s.On("GET "+manifestV1, c.answer)
			image, err := r.Detail(t.Context(), team1, web("registry.test"))
			if c.kind == "" && err != nil {
				t.Error(err)
			}
			if c.kind != "" {
				failed(t, err, c.kind, c.says)
				if !cmp.Equal(image, registry.Image{}) {
					t.Errorf("got %v beside the error", image)
				}
			}
		})
	}
}

// fault: H-18
func TestDigestOfOtherBytes(t *testing.T) {
	s, r := one(t)
	ref := web("registry.test")
	ref.Tag, ref.Digest = "", digestOf("something else")
	s.On("GET /v2/team1/web/manifests/"+ref.Digest, lying(webImage, ref.Digest))
	_, err := r.Detail(t.Context(), team1, ref)
	failed(t, err, registry.Invalid, "not the one that was asked for")
}

// fault: R-09
func TestHeadFallsBack(t *testing.T) {
	for name, head := range map[string]http.HandlerFunc{
		"405":        registrytest.Status(405),
		"404":        registrytest.Status(404),
		"400":        registrytest.Status(400),
		"no digest":  registrytest.Status(200, "Content-Type: "+ociImage, "Content-Length: 5"),
		"no length":  registrytest.Status(200, "Content-Type: "+ociImage, "Docker-Content-Digest: "+digestOf("x"), "Transfer-Encoding: chunked"),
		"no type":    registrytest.Status(200, "Content-Type: ", "Content-Length: 5", "Docker-Content-Digest: "+digestOf("x")),
		"wrong type": registrytest.Status(200, "Content-Type: text/plain", "Content-Length: 5", "Docker-Content-Digest: "+digestOf("x")),
		"bad digest": registrytest.Status(200, "Content-Type: "+ociImage, "Content-Length: 5", "Docker-Content-Digest: sha256:../../x"),
		"upper case": registrytest.Status(200, "Content-Type: "+ociImage, "Content-Length: 5", "Docker-Content-Digest: "+strings.ToUpper(digestOf("x"))),
	} {
		t.Run(name, func(t *testing.T) {
			s, r := one(t)
			s.On("GET "+manifestV1, manifest("application/json", webImage))
			s.On("HEAD "+manifestV1, head)
			got, err := r.Head(t.Context(), team1, web("registry.test"))
			want := registry.Image{Digest: digestOf(webImage), MediaType: ociImage}
			if diff := cmp.Diff(want, got); err != nil || diff != "" {
				t.Errorf("error %v, (-want +got):\n%s", err, diff)
			}
		})
	}
}

// fault: R-03
func TestRetryAfter(t *testing.T) {
	for name, c := range map[string]struct {
		said      string
		low, high time.Duration // what the error says
		closed    bool          // the next question is not asked
	}{
		"seconds":  {"120", 120 * time.Second, 120 * time.Second, true},
		"date":     {time.Now().Add(10 * time.Minute).UTC().Format(http.TimeFormat), 9 * time.Minute, 10 * time.Minute, true},
		"past":     {"Mon, 02 Jan 2006 15:04:05 GMT", time.Second, time.Second, true},
		"too long": {"86400", time.Hour, time.Hour, true},
		"huge":     {"99999999999999999999999999", time.Hour, time.Hour, true},
		"negative": {"-5", time.Second, time.Second, true},
		"junk":     {"soon", 0, 0, true},
		"none":     {"", 0, 0, true},
	} {
		t.Run(name, func(t *testing.T) {
			s, r := one(t)
			s.On("GET /v2/team1/*", registrytest.Status(429, "Retry-After: "+c.said))
			_, err := r.Head(t.Context(), team1, web("registry.test"))
			failed(t, err, registry.RateLimited, "too many requests")
			var e *registry.Error
			if errors.As(err, &e); e.RetryAfter < c.low || e.RetryAfter > c.high {
				t.Errorf("wait %s, want %s to %s", e.RetryAfter, c.low, c.high)
			}
			before := len(s.Requests())
			other := web("registry.test")
			other.Path = "team2/other" // the registry said it, not the repository
			_, err = r.Head(t.Context(), team1, other)
			failed(t, err, registry.RateLimited, "too many requests")
			if errors.As(err, &e); e.RetryAfter <= 0 || e.RetryAfter > time.Hour {
				t.Errorf("the second time: wait %s", e.RetryAfter)
			}
			if got := len(s.Requests()) - before; got != 0 {
				t.Errorf("asked %d times more, want none", got)
			}
		})
	}
}

// fault: R-01
func TestRefused(t *testing.T) {
	w := newWorld(t)
	gone := httptest.NewServer(nil)
	w.place("registry.test", "443", gone.Listener.Addr().String())
	gone.Close()
	_, err := w.reader(t, remote.Options{}).Head(t.Context(), team1, web("registry.test"))
	failed(t, err, registry.Unreachable, "connection refused")
	_, err = w.reader(t, remote.Options{}).Head(t.Context(), team1, web("nowhere.test"))
	failed(t, err, registry.Unreachable, "no such host")
}

// fault: R-13
//
// A connection that broke while nobody used it costs nothing.
func TestBrokenConnection(t *testing.T) {
	w := newWorld(t)
	var hung atomic.Bool
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/v1") && !hung.Swap(true) {
			panic(http.ErrAbortHandler) // on the connection of the ping
		}
		manifest(ociImage, webImage)(rw, r)
	}))
	server.Start()
	defer server.Close()
	host := server.Listener.Addr().String()
	r := w.reader(t, remote.Options{Hosts: map[string]remote.Host{host: {Insecure: true}}})
	w.servers[host] = host
	on := team1
	on.Insecure = true
	if _, err := r.Head(t.Context(), on, web(host)); err != nil {
		t.Error(err)
	}
}

// Lists of tags, page by page.
func TestPages(t *testing.T) {
	page := func(next string, tags ...string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if next != "" {
				w.Header().Set("Link", "<"+tagsList+"?"+next+`>; rel="next"`)
			}
			registrytest.JSON(map[string]any{"name": "team1/web", "tags": tags})(w, r)
		}
	}
	var n atomic.Int64
	million := `{"tags":["` + strings.Join(numbers(100_001), `","`) + `"]}`
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		want   []string
		says   string // of the error, which is Invalid
		cause  string
		kind   registry.Kind // where it is another
	}{
		"none":  {registrytest.Body("application/json", []byte(`{"name":"team1/web","tags":null}`)), []string{}, "", "", ""},
		"empty": {page("", []string{}...), []string{}, "", "", ""},
		// fault: R-10
		"unsorted, twice": {page("", "b", "a", "b"), []string{"b", "a"}, "", "", ""},
		// fault: H-20
		"no tags": {page("", "ok", "../../x", "-rf", strings.Repeat("a", 129), "latest\nSigned-off-by: x", "\x1b[31m", "l\u0430test", digestOf(""), ""), []string{"ok"}, "", "", ""},
		// fault: H-34
		"another's": {registrytest.Body("application/json", []byte(`{"name":"team2/other","tags":["a"]}`)), []string{"a"}, "", "", ""},
		// fault: H-09
		"endless pages": {func(w http.ResponseWriter, r *http.Request) {
			i := n.Add(1)
			page(fmt.Sprint("last=", i), fmt.Sprint("v", i))(w, r)
		}, nil, "does not end", "more than 200 pages; 200 read so far", ""},
		// fault: H-10
		"page to itself": {page("last=a", "a"), nil, "does not end", "read already; 1 read so far", ""},
		// fault: H-11
		"too many": {registrytest.Body("application/json", []byte(million)), nil, "does not end", "more than 100000 tags", ""},
		// fault: H-12
		"too large": {registrytest.Body("application/json", []byte(`{"tags":["a"],"x":"`+strings.Repeat("a", 16<<20)+`"}`)), nil, "too large", "", ""},
		// fault: H-16
		"twice by case": {registrytest.Body("application/json", []byte(`{"tags":["a"],"Tags":["b"]}`)), nil, "not well formed", "", ""},
		"trailing":      {registrytest.Body("application/json", []byte(`{"tags":["a"]}{"tags":["b"]}`)), nil, "not well formed", "", ""},
		"no list":       {registrytest.Body("application/json", []byte(`{"tags":{"a":1}}`)), nil, "not well formed", "", ""},
		"cut short":     {registrytest.Body("application/json", []byte(`{"tags":["a"`)), nil, "not well formed", "", ""},
		// fault: H-35
		"web page": {registrytest.Body("text/html", []byte("<html>")), nil, "a web page", "", registry.InternalError},
	} {
		t.Run(name, func(t *testing.T) {
			s, r := one(t)
			s.On("GET "+tagsList, c.answer)
			got, err := r.Tags(t.Context(), team1, web("registry.test").Repo)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("tags (-want +got):\n%s", diff)
			}
			if c.says == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			failed(t, err, gocmp.Or(c.kind, registry.Invalid), c.says)
			if !strings.Contains(err.Error(), c.cause) {
				t.Errorf("error %q, want …%q…", err, c.cause)
			}
		})
	}
}

// fault: H-20
//
// How many names were left out is said; the names are not.
func TestDroppedNames(t *testing.T) {
	w := newWorld(t)
	s := w.registry(t, "registry.test")
	s.Tags("team1/web", "ok", "-rf", "x\nSigned-off-by: evil", "ok")
	var log bytes.Buffer
	r := w.reader(t, remote.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))}, "registry.test")
	if _, err := r.Tags(t.Context(), team1, repo); err != nil {
		t.Fatal(err)
	}
	if got := log.String(); !strings.Contains(got, "repository=registry.test/team1/web names=2") || strings.Contains(got, "evil") {
		t.Errorf("log:\n%s", got)
	}
}

// fault: H-12
//
// A body without end costs no more than the limit.
func TestEndlessBody(t *testing.T) {
	s, r := one(t)
	s.On("GET "+manifestV1, s.Endless(ociImage, bytes.Repeat([]byte(" "), 64<<10)))
	_, err := r.Detail(t.Context(), team1, web("registry.test"))
	failed(t, err, registry.Invalid, "too large")
}

func numbers(n int) []string {
	var list []string
	for i := range n {
		list = append(list, fmt.Sprint(i))
	}
	return list
}

func zipped(contentType string) http.HandlerFunc {
	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	z.Write(bytes.Repeat([]byte(" "), 8<<20))
	z.Close()
	return func(w http.ResponseWriter, r *http.Request) {
		if slices.Contains(r.Header["Accept-Encoding"], "gzip") {
			panic("compression was asked for")
		}
		w.Header().Set("Content-Encoding", "gzip")
		registrytest.Body(contentType, bomb.Bytes())(w, r)
	}
}

// lying says another digest than that of the bytes.
func lying(body, digest string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Docker-Content-Digest", digest)
		registrytest.Body(ociImage, []byte(body))(w, r)
	}
}
