package integrated

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/distribution/distribution/v3"
	"github.com/distribution/distribution/v3/configuration"
	"github.com/distribution/distribution/v3/registry/handlers"
	storagedriver "github.com/distribution/distribution/v3/registry/storage/driver"
	"github.com/distribution/distribution/v3/registry/storage/driver/filesystem"
	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"

	"github.com/towpath/towpath/registry"
)

// pullWorld is a registry whose streams point to another one.
type pullWorld struct {
	dir    string
	driver storagedriver.StorageDriver
	app    http.Handler
	puller *puller
	server *httptest.Server
	guide  *guided
	origin *farAway
	hold   *pushHold
	wait   map[string]bool // REPOSITORY:TAG that arrivals wait for
}

func newPullWorld(t *testing.T) *pullWorld {
	w := &pullWorld{dir: t.TempDir(), guide: &guided{}, origin: newFarAway(), hold: newPushHold(), wait: map[string]bool{}}
	w.open(t)
	return w
}

// open starts the registry, as another process.
func (w *pullWorld) open(t *testing.T) {
	t.Helper()
	w.driver = filesystem.New(filesystem.DriverParameters{RootDirectory: w.dir, MaxThreads: 100})
	config := &configuration.Configuration{Storage: configuration.Storage{
		"delete": {"enabled": true}, "redirect": {"disable": true}, "filesystem": {"rootdirectory": w.dir},
		"maintenance": {"uploadpurging": map[any]any{"enabled": false}},
	}}
	config.HTTP.RelativeURLs = true
	app := handlers.NewApp(logged{t.Context(), newEntry(nil)}, config)
	w.app = app
	var err error
	w.puller, err = newPuller(logged{t.Context(), newEntry(nil)}, w.driver, pullOptions{
		Next: app, Guide: w.guide, Fetcher: w.origin, Hold: w.hold,
		Waiting: func(_ context.Context, repository, tag string) bool { return w.wait[repository+":"+tag] },
	})
	if err != nil {
		t.Fatal(err)
	}
	w.server = httptest.NewServer(http.HandlerFunc(w.route))
	server, puller := w.server, w.puller
	t.Cleanup(func() { server.Close(); puller.Close(); app.Shutdown() })
}

// route is the least of one.
func (w *pullWorld) route(rw http.ResponseWriter, req *http.Request) {
	req = req.WithContext(logged{req.Context(), newEntry(nil)})
	read := req.Method == http.MethodGet || req.Method == http.MethodHead
	for kind, serve := range map[string]func(http.ResponseWriter, *http.Request, string, string){"/manifests/": w.puller.serveManifest, "/blobs/": w.puller.serveBlob} {
		if name, ref, ok := strings.Cut(strings.TrimPrefix(req.URL.Path, "/v2/"), kind); ok && read && !strings.HasPrefix(ref, "uploads") {
			serve(rw, req, name, ref)
			return
		}
	}
	if name, ok := strings.CutSuffix(strings.TrimPrefix(req.URL.Path, "/v2/"), "/tags/list"); ok {
		w.puller.serveTags(rw, req, name)
		return
	}
	if links(req) {
		if err := w.hold.share(req.Context()); err != nil {
			w.puller.refuse(rw, pullOf{}, err)
			return
		}
		defer w.hold.leave()
	}
	w.puller.Next.ServeHTTP(rw, req)
}

const (
	ociManifest = "application/vnd.oci.image.manifest.v1+json"
	ociIndex    = "application/vnd.oci.image.index.v1+json"
)

// ask is the answer to one request.
func (w *pullWorld) ask(t *testing.T, method, path string, body ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, w.server.URL+"/v2/"+path, strings.NewReader(strings.Join(body, "")))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", ociManifest+", "+ociIndex)
	if method == http.MethodPut && strings.Contains(path, "/manifests/") {
		req.Header.Set("Content-Type", ociManifest)
	}
	resp, err := w.server.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err != nil {
		return resp, "broken off: " + err.Error()
	}
	return resp, string(got)
}

// answers checks status and a part of the answer.
func (w *pullWorld) answers(t *testing.T, status int, says, method, path string, body ...string) *http.Response {
	t.Helper()
	resp, got := w.ask(t, method, path, body...)
	if resp.StatusCode != status || !strings.Contains(got, says) {
		t.Errorf("%s %s: got %d %.300q, want %d …%.100q…", method, path, resp.StatusCode, got, status, says)
	}
	return resp
}

// push uploads a blob.
func (w *pullWorld) push(t *testing.T, repository, content string) (dgst string) {
	t.Helper()
	dgst = digest.FromString(content).String()
	resp, _ := w.ask(t, "POST", repository+"/blobs/uploads/")
	at := strings.TrimPrefix(resp.Header.Get("Location"), "/v2/")
	w.answers(t, 201, "", "PUT", at+"&digest="+dgst, content)
	return dgst
}

// image is a manifest of blobs, the first of which is the configuration.
func image(blobs ...string) string {
	descriptor := func(mediaType, content string) string {
		return fmt.Sprintf(`{"mediaType":%q,"digest":%q,"size":%d}`, mediaType, digest.FromString(content), len(content))
	}
	var layers []string
	for _, b := range blobs[1:] {
		layers = append(layers, descriptor("application/vnd.oci.image.layer.v1.tar+gzip", b))
	}
	return fmt.Sprintf(`{"schemaVersion":2,"mediaType":%q,"config":%s,"layers":[%s]}`, ociManifest,
		descriptor("application/vnd.oci.image.config.v1+json", blobs[0]), strings.Join(layers, ","))
}

func listOf(images ...string) string {
	var list []string
	for _, m := range images {
		list = append(list, fmt.Sprintf(`{"mediaType":%q,"digest":%q,"size":%d,"platform":{"os":"linux","architecture":"amd64"}}`, ociManifest, digest.FromString(m), len(m)))
	}
	return fmt.Sprintf(`{"schemaVersion":2,"mediaType":%q,"manifests":[%s]}`, ociIndex, strings.Join(list, ","))
}

func sum(content string) string { return digest.FromString(content).String() }

// guided is a Guide that says what it was told.
type guided struct {
	mu   sync.Mutex
	tags map[string]map[string]string
	on   map[string]registry.Origin // by REPOSITORY@DIGEST
	lent map[string]map[string][]string
	err  error // of every question
}

// record puts an image on record.
func (g *guided) record(repository, tag, dgst string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.tags == nil {
		g.tags, g.on = map[string]map[string]string{}, map[string]registry.Origin{}
	}
	if g.tags[repository] == nil {
		g.tags[repository] = map[string]string{}
	}
	namespace, _, _ := strings.Cut(repository, "/")
	g.tags[repository][tag] = dgst
	g.on[repository+"@"+dgst] = registry.Origin{On: registry.On{Namespace: namespace}, Repo: registry.Repo{Host: "far.test", Path: "inside/web"}}
}

func (g *guided) Admits(context.Context, string, string) error           { return nil }
func (g *guided) Record(context.Context, string, string) (string, error) { return "", nil }
func (g *guided) Arrived()                                               {}
func (g *guided) Tags(_ context.Context, repository string) (map[string]string, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.tags[repository], g.err
}

func (g *guided) Origins(_ context.Context, repository, dgst string) ([]registry.Origin, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if from, ok := g.on[repository+"@"+dgst]; ok {
		return []registry.Origin{from}, nil
	}
	return nil, nil
}

func (g *guided) Lenders(_ context.Context, repository string) (map[string][]string, error) {
	return g.lent[repository], nil
}

func (g *guided) Repositories(context.Context) ([]string, error) { return nil, nil }

func (g *guided) Refresh(context.Context) error { return nil }

func (g *guided) Uses(context.Context, string, string) ([]Use, error) { return nil, nil }

// farAway is a registry that images are fetched from. Its content is by digest.
type farAway struct {
	mu     sync.Mutex
	has    map[string]string
	fails  error
	opened map[string]int              // how often a blob was asked for
	slow   map[string]func() io.Reader // blobs that come otherwise
}

func newFarAway() *farAway {
	return &farAway{has: map[string]string{}, opened: map[string]int{}, slow: map[string]func() io.Reader{}}
}

func (f *farAway) add(contents ...string) {
	for _, c := range contents {
		f.has[sum(c)] = c
	}
}

func (f *farAway) get(from registry.Origin, dgst string) (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.opened[dgst]++
	content, ok := f.has[dgst]
	switch {
	case f.fails != nil:
		return "", f.fails
	case !ok:
		return "", &registry.Error{Kind: registry.NotFound, Ref: from.String(), Message: "no such digest"}
	}
	return content, nil
}

func (f *farAway) Manifest(_ context.Context, from registry.Origin, dgst string) (string, []byte, error) {
	content, err := f.get(from, dgst)
	mediaType := ociManifest
	if strings.Contains(content, `"manifests"`) {
		mediaType = ociIndex
	}
	return mediaType, []byte(content), err
}

func (f *farAway) Blob(ctx context.Context, from registry.Origin, dgst string) (io.ReadCloser, int64, error) {
	content, err := f.get(from, dgst)
	if err != nil {
		return nil, 0, err
	}
	if slow := f.slow[dgst]; slow != nil {
		return io.NopCloser(slow()), int64(len(content)), nil
	}
	return io.NopCloser(strings.NewReader(content)), int64(len(content)), nil
}

// files are those below the storage's directory that hold content.
func (w *pullWorld) files(t *testing.T) (list []string) {
	t.Helper()
	err := filepath.WalkDir(w.dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			list = append(list, strings.TrimPrefix(path, w.dir+"/docker/registry/v2/"))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestPullThrough(t *testing.T) {
	w := newPullWorld(t)
	arm, amd := image("arm config", "base", "arm layer"), image("amd config", "base", "amd layer")
	list := listOf(arm, amd)
	w.origin.add(arm, amd, list, "arm config", "base", "arm layer", "amd config", "amd layer")
	w.guide.record("team1/web", "stable", sum(list))

	w.answers(t, 200, list, "GET", "team1/web/manifests/stable")
	w.answers(t, 200, arm, "GET", "team1/web/manifests/"+sum(arm))
	resp := w.answers(t, 200, "", "HEAD", "team1/web/blobs/"+sum("base"))
	if got := resp.ContentLength; got != 4 || w.origin.opened[sum("base")] != 0 {
		t.Errorf("HEAD of a blob: size %d, fetched %d times", got, w.origin.opened[sum("base")])
	}
	for range 2 {
		for _, blob := range []string{"arm config", "base", "arm layer"} {
			w.answers(t, 200, blob, "GET", "team1/web/blobs/"+sum(blob))
		}
	}
	w.answers(t, 404, "BLOB_UNKNOWN", "GET", "team1/web/blobs/"+sum("amd layer")) // its manifest was not asked for
	want := map[string]int{sum(list): 1, sum(arm): 1, sum("arm config"): 1, sum("base"): 1, sum("arm layer"): 1}
	if diff := cmp.Diff(want, w.origin.opened); diff != "" {
		t.Errorf("fetched (-want +got):\n%s", diff)
	}

	// It is kept: the other registry may go, and so may this process.
	w.origin.fails = &registry.Error{Kind: registry.Unreachable, Message: "gone"}
	w.open(t)
	w.answers(t, 200, list, "GET", "team1/web/manifests/stable")
	w.answers(t, 200, "arm layer", "GET", "team1/web/blobs/"+sum("arm layer"))
	w.origin.fails = nil
	w.answers(t, 200, amd, "GET", "team1/web/manifests/"+sum(amd)) // its list names it
}

// Nothing but what is on record is fetched, in this repository.
func TestPullThroughOnlyRecords(t *testing.T) {
	w := newPullWorld(t)
	web, other := image("config", "secret layer"), image("other config", "secret layer")
	w.origin.add(web, other, "config", "secret layer", "other config")
	w.guide.record("team1/web", "stable", sum(web))
	w.answers(t, 200, web, "GET", "team1/web/manifests/stable")
	w.answers(t, 200, "secret layer", "GET", "team1/web/blobs/"+sum("secret layer"))

	before := len(w.origin.opened)
	w.answers(t, 404, "MANIFEST_UNKNOWN", "GET", "team1/web/manifests/"+sum(other))
	w.answers(t, 404, "MANIFEST_UNKNOWN", "GET", "team2/web/manifests/"+sum(web))
	w.answers(t, 404, "BLOB_UNKNOWN", "GET", "team2/web/blobs/"+sum("secret layer"))
	w.answers(t, 404, "", "GET", "team1/web/manifests/nothing")
	if got := len(w.origin.opened); got != before {
		t.Errorf("%d more were fetched", got-before)
	}

	// Another repository names the layer: that it is in storage is no right to it.
	w.guide.record("team2/web", "mine", sum(other))
	delete(w.origin.has, sum("secret layer")) // and its registry does not have it
	w.answers(t, 200, other, "GET", "team2/web/manifests/mine")
	w.answers(t, 404, "BLOB_UNKNOWN", "GET", "team2/web/blobs/"+sum("secret layer"))

	// What was on record, and is no more, is no more fetched.
	old := image("old config", "old layer")
	w.origin.add(old, "old layer")
	w.guide.record("team1/web", "old", sum(old))
	w.answers(t, 200, old, "GET", "team1/web/manifests/old")
	delete(w.guide.on, "team1/web@"+sum(old))
	w.answers(t, 404, "BLOB_UNKNOWN", "GET", "team1/web/blobs/"+sum("old layer"))
}

func TestPullErrors(t *testing.T) {
	w := newPullWorld(t)
	m := image("config")
	w.guide.record("team1/web", "stable", sum(m))
	for _, c := range []struct {
		kind   registry.Kind
		status int
		says   string
	}{
		{registry.NotFound, 404, "MANIFEST_UNKNOWN"},
		{registry.Unauthorized, 403, "credentials"},
		{registry.Forbidden, 403, "DENIED"},
		{registry.RateLimited, 429, "TOOMANYREQUESTS"},
		{registry.Unreachable, 502, "cannot be reached"},
		{registry.TLS, 502, "certificate"},
		{registry.Invalid, 502, "something else"},
		{registry.InternalError, 502, "UNAVAILABLE"},
	} {
		w.origin.fails = &registry.Error{Kind: c.kind, Ref: "inside.test/web", Message: "at inside.test", RetryAfter: 7 * time.Second, Err: errors.New("10.1.2.3 refused canary")}
		resp, got := w.ask(t, "GET", "team1/web/manifests/stable")
		if resp.StatusCode != c.status || !strings.Contains(got, c.says) {
			t.Errorf("%s: got %d %s", c.kind, resp.StatusCode, got)
		}
		for _, not := range []string{"inside.test", "10.1.2.3", "canary", "far.test"} {
			if strings.Contains(got, not) {
				t.Errorf("%s: the client hears %q: %s", c.kind, not, got)
			}
		}
		if after := resp.Header.Get("Retry-After"); (after == "7") != (c.status == 429) {
			t.Errorf("%s: Retry-After %q", c.kind, after)
		}
	}
}

// What is not what it should be is not kept, and nobody takes it for whole.
func TestPullBroken(t *testing.T) {
	layer := strings.Repeat("layer", 100_000)
	for name, come := range map[string]func() io.Reader{
		"other bytes": func() io.Reader { return strings.NewReader(strings.Repeat("LAYER", 100_000)) },
		"too few":     func() io.Reader { return strings.NewReader(layer[:1000]) },
		"too many":    func() io.Reader { return strings.NewReader(layer + "more") },
		"breaks off": func() io.Reader {
			return io.MultiReader(strings.NewReader(layer[:200_000]), failing{&registry.Error{Kind: registry.Unreachable, Message: "broke"}})
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newPullWorld(t)
			m := image("config", layer)
			w.origin.add(m, layer)
			w.guide.record("team1/web", "stable", sum(m))
			w.answers(t, 200, m, "GET", "team1/web/manifests/stable")
			before := w.files(t)
			w.origin.slow[sum(layer)] = come
			resp, got := w.ask(t, "GET", "team1/web/blobs/"+sum(layer))
			if resp.StatusCode == 200 && !strings.HasPrefix(got, "broken off") {
				t.Errorf("the client has %d bytes, and believes it", len(got))
			}
			w.puller.Close()
			if diff := cmp.Diff(before, w.files(t)); diff != "" {
				t.Errorf("what is kept (-want +got):\n%s", diff)
			}
			w.open(t)
			delete(w.origin.slow, sum(layer))
			w.answers(t, 200, layer, "GET", "team1/web/blobs/"+sum(layer))
		})
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// One fetch serves many clients, each from its first byte on and before the last has come;
// who goes away ends it for nobody.
func TestPullTogether(t *testing.T) {
	w := newPullWorld(t)
	layer := make([]byte, 1<<20)
	rand.Read(layer)
	m := image("config", string(layer))
	w.origin.add(m, string(layer))
	dgst := sum(string(layer))
	w.guide.record("team1/web", "stable", sum(m))
	w.answers(t, 200, m, "GET", "team1/web/manifests/stable")
	from, to := io.Pipe()
	w.origin.slow[dgst] = func() io.Reader { return from }

	get := func(ctx context.Context) *http.Response {
		req, _ := http.NewRequestWithContext(ctx, "GET", w.server.URL+"/v2/team1/web/blobs/"+dgst, nil)
		resp, err := w.server.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		return resp
	}
	half := make([]byte, len(layer)/2)
	first, cancel := context.WithCancel(t.Context())
	go to.Write(layer[:len(half)])
	var open []*http.Response
	for i := range 20 {
		ctx := t.Context()
		if i == 0 {
			ctx = first
		}
		resp := get(ctx)
		defer resp.Body.Close()
		if _, err := io.ReadFull(resp.Body, half); err != nil || !bytes.Equal(half, layer[:len(half)]) {
			t.Fatalf("client %d has not got the first half: %v", i, err)
		}
		open = append(open, resp)
	}
	cancel()
	open[0].Body.Close()
	go func() { to.Write(layer[len(half):]); to.Close() }()
	for i, resp := range open[1:] {
		rest, err := io.ReadAll(resp.Body)
		if err != nil || !bytes.Equal(rest, layer[len(half):]) {
			t.Errorf("client %d: %d bytes of the rest, %v", i+1, len(rest), err)
		}
	}
	if n := w.origin.opened[dgst]; n != 1 {
		t.Errorf("fetched %d times", n)
	}
	w.answers(t, 200, string(layer[:100]), "GET", "team1/web/blobs/"+dgst)
}

// The record says what a tag is, until a push waits to be recorded.
func TestPullByTag(t *testing.T) {
	w := newPullWorld(t)
	w.push(t, "team1/web", "config")
	pushed := image("config")
	w.answers(t, 201, "", "PUT", "team1/web/manifests/stable", pushed)
	w.answers(t, 200, pushed, "GET", "team1/web/manifests/stable") // on no record

	recorded := image("config", "layer")
	w.origin.add(recorded)
	w.guide.record("team1/web", "stable", sum(recorded))
	w.answers(t, 200, recorded, "GET", "team1/web/manifests/stable")
	w.wait["team1/web:stable"] = true
	w.answers(t, 200, pushed, "GET", "team1/web/manifests/stable")
}

// While nothing was read yet nobody hears that something is broken: clients come again.
func TestPullWhileStarting(t *testing.T) {
	w := newPullWorld(t)
	w.guide.err = &Refusal{What: "towpath has not read the repository yet", Fix: "try again in a moment", Starting: true}
	for _, path := range []string{"team1/web/manifests/stable", "team1/web/tags/list"} {
		if resp, body := w.ask(t, "GET", path); resp.StatusCode != 503 || resp.Header.Get("Retry-After") != "5" || !strings.Contains(body, "try again in a moment") {
			t.Errorf("%s: %s %s", path, resp.Status, body)
		}
	}
}

// A client that pushes over an image on record was told that its layers are there.
func TestPullCompletesPushes(t *testing.T) {
	w := newPullWorld(t)
	base := image("config", "base")
	w.origin.add(base, "base", "config")
	w.guide.record("team1/web", "stable", sum(base))
	w.answers(t, 200, base, "GET", "team1/web/manifests/stable")
	w.answers(t, 200, "", "HEAD", "team1/web/blobs/"+sum("base"))
	w.push(t, "team1/web", "new config")
	over := image("new config", "base")
	w.answers(t, 400, "BLOB_UNKNOWN", "PUT", "team1/web/manifests/dev", over)
	w.complete(t, "team1/web", ociManifest, over)
	w.answers(t, 201, "", "PUT", "team1/web/manifests/dev", over)
}

// complete fetches what a push needs.
func (w *pullWorld) complete(t *testing.T, repository, mediaType, manifest string) {
	t.Helper()
	if err := w.completes(t, repository, mediaType, manifest); err != nil {
		t.Fatal(err)
	}
}

func (w *pullWorld) completes(t *testing.T, repository, mediaType, manifest string) error {
	t.Helper()
	m, _, err := distribution.UnmarshalManifest(mediaType, []byte(manifest))
	if err != nil {
		t.Fatal(err)
	}
	return w.puller.complete(t.Context(), repository, m, maxNested)
}

func TestTagList(t *testing.T) {
	w := newPullWorld(t)
	w.answers(t, 404, "NAME_UNKNOWN", "GET", "team1/web/tags/list")
	w.push(t, "team1/web", "config")
	for _, tag := range []string{"b", "d"} {
		w.answers(t, 201, "", "PUT", "team1/web/manifests/"+tag, image("config"))
	}
	for _, tag := range []string{"a", "b", "c"} {
		w.guide.record("team1/web", tag, sum(image("config")))
	}
	w.answers(t, 200, `{"name":"team1/web","tags":["a","b","c","d"]}`, "GET", "team1/web/tags/list")
	var got []string
	for next, pages := "team1/web/tags/list?n=3", 0; next != "" && pages < 5; pages++ {
		resp, body := w.ask(t, "GET", next)
		got = append(got, strings.TrimSpace(body))
		next, _, _ = strings.Cut(strings.TrimPrefix(resp.Header.Get("Link"), "</v2/"), ">")
	}
	want := []string{`{"name":"team1/web","tags":["a","b","c"]}`, `{"name":"team1/web","tags":["d"]}`}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("pages (-want +got):\n%s", diff)
	}
	w.answers(t, 200, `"tags":["d"]`, "GET", "team1/web/tags/list?last=c")
	w.answers(t, 200, `"tags":["d"]`, "GET", "team1/web/tags/list?last=cc&n=99999999999999999999999")
	w.answers(t, 200, `"tags":[]`, "GET", "team1/web/tags/list?n=0")
	w.answers(t, 200, `"tags":[]`, "GET", "team1/web/tags/list?last=zzz")
	for _, n := range []string{"-1", "x", "-99999999999999999999999"} { // fault: E-06
		w.answers(t, 400, "PAGINATION_NUMBER_INVALID", "GET", "team1/web/tags/list?n="+n+"&last=a")
	}
}

// fault: E-06
func TestTagPages(t *testing.T) {
	var many []string
	for i := range 2500 {
		many = append(many, fmt.Sprintf("v%04d", i))
	}
	n, err := tagPage(map[string][]string{"n": {"1000000000"}})
	if err != nil || n != maxTagPage {
		t.Fatalf("got %d, %v", n, err)
	}
	var got []string
	for last, more := "", true; more; last = got[len(got)-1] {
		var page []string
		if page, more = tagsAfter(many, last, n); len(page) > 1000 {
			t.Fatalf("a page of %d", len(page))
		}
		got = append(got, page...)
	}
	if !slices.Equal(many, got) {
		t.Errorf("the pages have %d tags", len(got))
	}
}
