package integrated

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	storagedriver "github.com/distribution/distribution/v3/registry/storage/driver"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/crypto/bcrypt"

	"github.com/towpath/towpath/registry"
)

// A glob is a Pattern for tests.
type glob string

func (g glob) Match(name string) bool { ok, _ := path.Match(string(g), name); return ok }

// A door is a registry behind its gate, with people whose passwords are made at run time.
type door struct {
	*httptest.Server
	r       *Registry
	marks   *markers
	secrets map[string]string // by name
}

// markers are the marks that were written down.
type markers struct {
	mu    sync.Mutex
	all   []string
	fails error
}

func (m *markers) mark(_ context.Context, repository, tag, digest string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fails != nil {
		return m.fails
	}
	m.all = append(m.all, repository+":"+tag+"@"+digest)
	return nil
}

// grants is alice and bob, each in one namespace, and robots.
func grants() Access {
	one := func(who, namespace string, may ...Right) Grant {
		return Grant{[]string{who}, []Pattern{glob(namespace)}, may}
	}
	return Access{
		Grants: []Grant{
			one("alice", "team1", Pull, Push, Delete), one("alice", "shared", Pull),
			one("bob", "team2", Pull, Push),
			one("robot1", "team1", Pull, Push), one("pusher", "team1", Push), one("*", "common", Pull),
		},
		Anonymous: []Pattern{glob("public*")},
	}
}

// doorTo serves a registry with alice, bob, robot1 and pusher.
func doorTo(t *testing.T, guide Guide, change ...func(*Rules)) *door {
	t.Helper()
	return doorIn(t, "", guide, change...)
}

// doorIn is doorTo with the blobs in a directory.
func doorIn(t *testing.T, storage string, guide Guide, change ...func(*Rules)) *door {
	t.Helper()
	dir, secrets := t.TempDir(), map[string]string{}
	var users strings.Builder
	for _, name := range []string{"alice", "bob"} {
		secrets[name] = rand.Text()
		hash, err := bcrypt.GenerateFromPassword([]byte(secrets[name]), bcrypt.MinCost)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&users, "%s:%s\n", name, hash)
	}
	rules := Rules{UsersFile: write(t, dir, "users", users.String()), Access: grants(), Limits: Limits{RequestsPerSecond: 1e6}}
	for _, name := range []string{"robot1", "pusher"} {
		secrets[name] = rand.Text()
		rules.Tokens = append(rules.Tokens, Token{name, write(t, dir, name, secrets[name]+"\n")})
	}
	for _, c := range change {
		c(&rules)
	}
	r, err := New(t.Context(), Options{Storage: storage, Rules: &rules, Guide: guide})
	if err != nil {
		t.Fatal(err)
	}
	d := &door{httptest.NewServer(r), r, &markers{}, secrets}
	r.gate.marks = d.marks
	t.Cleanup(func() {
		d.Close()
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	file := filepath.Join(dir, name)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// A reply is an answer, read to its end.
type reply struct {
	status int
	header http.Header
	body   string
}

// as sends a request in somebody's name; empty is anybody. Headers are KEY, VALUE.
func (d *door) as(t *testing.T, who, method, path, body string, headers ...string) reply {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, d.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if who != "" {
		req.SetBasicAuth(who, d.secrets[who])
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := d.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	content, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply{resp.StatusCode, resp.Header, string(content)}
}

// want checks one status.
func (d *door) want(t *testing.T, status int, who, method, path, body string, headers ...string) reply {
	t.Helper()
	got := d.as(t, who, method, path, body, headers...)
	if got.status != status {
		t.Errorf("%s: %s %s: got %d %s, want %d", who, method, path, got.status, got.body, status)
	}
	return got
}

func digestOf(content string) string {
	sum := sha256.Sum256([]byte(content))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// begin begins an upload, and returns where it goes on.
func (d *door) begin(t *testing.T, who, repository string) string {
	t.Helper()
	return d.want(t, 202, who, "POST", "/v2/"+repository+"/blobs/uploads/", "").header.Get("Location")
}

// blob uploads a blob.
func (d *door) blob(t *testing.T, who, repository, content string) string {
	t.Helper()
	at := d.begin(t, who, repository)
	digest := digestOf(content)
	d.want(t, 201, who, "PUT", at+"&digest="+digest, content)
	return digest
}

const (
	imageType = "application/vnd.oci.image.manifest.v1+json"
	indexType = "application/vnd.oci.image.index.v1+json"
)

// image uploads the blobs of an image, and returns its manifest.
func (d *door) image(t *testing.T, who, repository, content string) string {
	t.Helper()
	config := `{"architecture":"amd64","os":"linux"}`
	return manifestOf(d.blob(t, who, repository, config), len(config), d.blob(t, who, repository, content), len(content))
}

func manifestOf(config string, configSize int, layer string, layerSize int) string {
	return fmt.Sprintf(`{"schemaVersion":2,"mediaType":%q,"config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":%q,"size":%d},"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","digest":%q,"size":%d}]}`,
		imageType, config, configSize, layer, layerSize)
}

// push pushes an image under a tag, and returns its digest.
func (d *door) push(t *testing.T, who, repository, tag, content string) string {
	t.Helper()
	m := d.image(t, who, repository, content)
	d.want(t, 201, who, "PUT", "/v2/"+repository+"/manifests/"+tag, m, "Content-Type", imageType)
	return digestOf(m)
}

// A fakeGuide knows what a test tells it.
type fakeGuide struct {
	Guide
	mu      sync.Mutex
	refuses map[string]*Refusal // by REPOSITORY, and by REPOSITORY:TAG
	tags    map[string]map[string]string
	uses    map[string][]Use // by digest
	lent    map[string]map[string][]string
	unsure  error // of Record
	arrived int
	asked   []string
}

func (f *fakeGuide) Lenders(_ context.Context, repository string) (map[string][]string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.lent[repository], nil
}

func (f *fakeGuide) Repositories(context.Context) ([]string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Sorted(maps.Keys(f.tags)), nil
}

func (f *fakeGuide) Origins(context.Context, string, string) ([]registry.Origin, error) {
	return nil, nil
}

func (f *fakeGuide) Admits(_ context.Context, repository, tag string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = append(f.asked, repository+":"+tag)
	for _, name := range []string{repository, repository + ":" + tag} {
		if r := f.refuses[name]; r != nil {
			return r
		}
	}
	return nil
}

func (f *fakeGuide) Tags(_ context.Context, repository string) (map[string]string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return maps.Clone(f.tags[repository]), nil
}

func (f *fakeGuide) Refresh(context.Context) error { return nil }

func (f *fakeGuide) Uses(_ context.Context, _, digest string) ([]Use, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.uses[digest]), nil
}

func (f *fakeGuide) Record(_ context.Context, repository, tag string) (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.tags[repository][tag] == "" {
		return "", f.unsure
	}
	return "streams/" + tag + ".yaml:7", f.unsure
}

func (f *fakeGuide) Arrived() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.arrived++
}

// Each may do what the operator says, and nothing else; and who may not is told the same of what is there
// and of what is not.
func TestRights(t *testing.T) {
	d := doorTo(t, nil, func(r *Rules) { r.Delete = true })
	digest := d.push(t, "alice", "team1/web", "1.0", "secret of team1")
	layer := digestOf("secret of team1")
	for _, c := range []struct {
		who, method, path string
		status            int
	}{
		{"alice", "GET", "/v2/", 200},
		{"bob", "GET", "/v2/", 200},
		{"", "GET", "/v2/", 401},
		{"alice", "GET", "/v2/team1/web/manifests/1.0", 200},
		{"robot1", "GET", "/v2/team1/web/manifests/1.0", 200},
		{"robot1", "DELETE", "/v2/team1/web/manifests/1.0", 403},
		{"bob", "GET", "/v2/team1/web/manifests/1.0", 403},
		{"bob", "GET", "/v2/team1/web/manifests/2.0", 403},
		{"bob", "GET", "/v2/team1/other/manifests/1.0", 403},
		{"bob", "HEAD", "/v2/team1/web/manifests/" + digest, 403},
		{"bob", "HEAD", "/v2/team1/web/blobs/" + layer, 403},
		{"bob", "GET", "/v2/team1/web/tags/list", 403},
		{"bob", "GET", "/v2/team1/none/tags/list", 403},
		{"bob", "POST", "/v2/team1/web/blobs/uploads/", 403},
		{"bob", "PUT", "/v2/team1/web/manifests/3.0", 403},
		{"bob", "DELETE", "/v2/team2/web/manifests/3.0", 403},
		{"bob", "GET", "/v2/team2/none/tags/list", 404},
		{"bob", "GET", "/v2/common/none/tags/list", 404},
		{"", "GET", "/v2/team1/web/manifests/1.0", 401},
		{"", "GET", "/v2/team1/none/manifests/1.0", 401},
		{"", "GET", "/v2/public1/web/tags/list", 404},
		{"", "POST", "/v2/public1/web/blobs/uploads/", 401},
		{"", "GET", "/v2/_catalog", 401},
		{"alice", "GET", "/v2/shared/web/tags/list", 404},
		{"alice", "POST", "/v2/shared/web/blobs/uploads/", 403},
		{"pusher", "HEAD", "/v2/team1/web/manifests/1.0", 200}, // what is there need not be pushed
		{"pusher", "GET", "/v2/team1/web/manifests/1.0", 403},
		{"pusher", "GET", "/v2/team1/web/blobs/" + layer, 403},
		{"alice", "POST", "/v2/team1/web/manifests/1.0", 405},
		{"alice", "PUT", "/v2/_catalog", 405},
		{"alice", "GET", "/v2/team1/web/referrers/" + digest, 404},
		{"alice", "DELETE", "/v2/team1/web/manifests/1.0", 202},
	} {
		got := d.want(t, c.status, c.who, c.method, c.path, "", "Accept", imageType)
		if challenge := got.header.Get("WWW-Authenticate"); (c.status == 401) != (challenge == `Basic realm="towpath"`) {
			t.Errorf("%s %s: challenge %q", c.method, c.path, challenge)
		}
	}
	there := d.as(t, "bob", "GET", "/v2/team1/web/manifests/1.0", "")
	not := d.as(t, "bob", "GET", "/v2/team1/none/manifests/9", "")
	there.header.Del("Date")
	not.header.Del("Date")
	if there.body != not.body || fmt.Sprint(there.header) != fmt.Sprint(not.header) {
		t.Errorf("what is there and what is not are told apart:\n%+v\n%+v", there, not)
	}
	if !strings.Contains(there.body, "access: [{who: [bob], namespaces: [team1], may: [pull]}]") {
		t.Errorf("got %s, want the line to write", there.body)
	}
}

// fault: H-33
// A token of one namespace never opens another, however it is sent and whoever was let in
// before it.
func TestTokenOfAnotherNamespace(t *testing.T) {
	d := doorTo(t, nil)
	d.push(t, "alice", "team1/web", "1.0", "one")
	d.push(t, "bob", "team2/web", "1.0", "two")
	bearer := "Bearer " + d.secrets["robot1"]
	for range 2 { // the second time everything is remembered
		d.want(t, 200, "", "GET", "/v2/team1/web/manifests/1.0", "", "Authorization", bearer, "Accept", imageType)
		d.want(t, 403, "", "GET", "/v2/team2/web/manifests/1.0", "", "Authorization", bearer, "Accept", imageType)
		d.want(t, 200, "bob", "GET", "/v2/team2/web/manifests/1.0", "", "Accept", imageType)
		d.want(t, 403, "bob", "GET", "/v2/team1/web/manifests/1.0", "", "Accept", imageType)
	}
	// As a password it is the robot's, whatever the name: also bob's.
	d.secrets["bob"] = d.secrets["robot1"]
	d.want(t, 403, "bob", "GET", "/v2/team2/web/manifests/1.0", "", "Accept", imageType)
	d.want(t, 200, "bob", "GET", "/v2/team1/web/manifests/1.0", "", "Accept", imageType)
	// Passwords are remembered for their user.
	d.secrets["bob"] = d.secrets["alice"]
	d.want(t, 401, "bob", "GET", "/v2/team1/web/manifests/1.0", "")
	for _, wrong := range []string{"Bearer ", "Bearer x", "Basic !", "Digest x", "Bearer " + d.secrets["alice"]} {
		d.want(t, 401, "", "GET", "/v2/public1/web/tags/list", "", "Authorization", wrong)
	}
}

// Some clients send an empty name and password when they have none.
func TestEmptyCredentials(t *testing.T) {
	d := doorTo(t, nil)
	d.want(t, 404, "", "GET", "/v2/public1/web/tags/list", "", "Authorization", "Basic Og==")
	d.want(t, 401, "", "GET", "/v2/team1/web/tags/list", "", "Authorization", "Basic Og==")
}

// Without users only this machine is served: by the address of the connection, whatever is said.
func TestNobodyConfigured(t *testing.T) {
	r, err := New(t.Context(), Options{Rules: &Rules{}})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for _, c := range []struct {
		remote, method, path string
		header               []string
		status               int
	}{
		{"127.0.0.1:4000", "GET", "/v2/", nil, 200},
		{"[::1]:4000", "POST", "/v2/team1/web/blobs/uploads/", nil, 202},
		{"[::ffff:127.0.0.1]:4000", "GET", "/v2/_catalog", nil, 200},
		{"127.0.0.1:4000", "DELETE", "/v2/team1/web/manifests/1.0", nil, 405},
		{"192.0.2.7:4000", "GET", "/v2/", nil, 403},
		{"192.0.2.7:4000", "GET", "/v2/team1/web/tags/list", nil, 403},
		{"192.0.2.7:4000", "GET", "/v2/team1/web/tags/list", []string{"X-Forwarded-For", "127.0.0.1"}, 403},
		{"192.0.2.7:4000", "GET", "/v2/team1/web/tags/list", []string{"X-Real-Ip", "127.0.0.1"}, 403},
		{"127.0.0.1:4000", "GET", "/v2/", []string{"X-Forwarded-For", "192.0.2.7"}, 403}, // a proxy on this machine
		{"127.0.0.1:4000", "POST", "/v2/team1/web/blobs/uploads/", []string{"Origin", "http://evil.test"}, 403},
		{"", "GET", "/v2/", nil, 403},
		{"@", "GET", "/v2/", nil, 403},
	} {
		req := httptest.NewRequestWithContext(t.Context(), c.method, c.path, nil)
		req.RemoteAddr, req.Host = c.remote, "localhost:5000"
		if c.header != nil {
			req.Header.Set(c.header[0], c.header[1])
		}
		w := httptest.NewRecorder()
		r.ServeHTTP(w, req)
		if w.Code != c.status {
			t.Errorf("%s %s from %s %v: got %d %s, want %d", c.method, c.path, c.remote, c.header, w.Code, w.Body, c.status)
		}
		if w.Code == 403 && !strings.Contains(w.Body.String(), "users-file: FILE (made by htpasswd -B -c FILE NAME)") {
			t.Errorf("got %s, want what to write", w.Body)
		}
	}
}

// The catalog has what one may pull, and nothing else.
func TestCatalog(t *testing.T) {
	d := doorTo(t, nil)
	d.push(t, "alice", "team1/web", "1.0", "one")
	d.push(t, "alice", "team1/api", "1.0", "one")
	d.push(t, "bob", "team2/web", "1.0", "two")
	for who, want := range map[string]string{
		"alice":  `{"repositories":["team1/api","team1/web"]}`,
		"bob":    `{"repositories":["team2/web"]}`,
		"pusher": `{"repositories":[]}`,
	} {
		if got := d.want(t, 200, who, "GET", "/v2/_catalog", ""); strings.TrimSpace(got.body) != want {
			t.Errorf("%s: got %s, want %s", who, got.body, want)
		}
	}
	first := d.want(t, 200, "alice", "GET", "/v2/_catalog?n=1", "")
	if want := `</v2/_catalog?last=team1%2Fapi&n=1>; rel="next"`; first.header.Get("Link") != want {
		t.Errorf("link %q, want %q", first.header.Get("Link"), want)
	}
	second := d.want(t, 200, "alice", "GET", "/v2/_catalog?n=1&last=team1%2Fapi", "")
	if strings.TrimSpace(second.body) != `{"repositories":["team1/web"]}` || second.header.Get("Link") != "" {
		t.Errorf("second page: %s, link %q", second.body, second.header.Get("Link"))
	}
}

// What is on record is listed, too, also where nothing of it was ever pulled; and what is pushed
// is listed at once. Storage is gone through once.
func TestCatalogOfRecords(t *testing.T) {
	guide := &fakeGuide{tags: map[string]map[string]string{"team1/far": {"1": aDigest}, "team1/web": {"1": aDigest}, "team2/far": {"1": aDigest}}}
	d := doorTo(t, guide)
	lists := &lists{shelf: d.r.gate.catalog.on}
	d.r.gate.catalog.on = lists
	want := func(body string) {
		t.Helper()
		if got := d.want(t, 200, "alice", "GET", "/v2/_catalog", ""); strings.TrimSpace(got.body) != body {
			t.Errorf("got %s, want %s", got.body, body)
		}
	}
	want(`{"repositories":["team1/far","team1/web"]}`)
	d.push(t, "alice", "team1/web", "1.0", "one")
	d.push(t, "alice", "team1/api", "1.0", "one")
	want(`{"repositories":["team1/api","team1/far","team1/web"]}`)
	was := lists.n.Load()
	for range 5 {
		d.want(t, 200, "alice", "GET", "/v2/_catalog?n=1", "")
	}
	if lists.n.Load() != was {
		t.Error("storage was gone through again")
	}
	now := time.Now()
	d.r.gate.now = func() time.Time { return now.Add(catalogHolds) } // another process may have stored something
	want(`{"repositories":["team1/api","team1/far","team1/web"]}`)
	if lists.n.Load() == was {
		t.Error("storage was not gone through again")
	}
}

// What is stored while storage is gone through is not missed.
func TestCatalogMeanwhile(t *testing.T) {
	c := &catalog{}
	c.on = listing(func() { c.note("team1/web") })
	all, err := c.all(t.Context(), time.Now())
	if diff := cmp.Diff([]string{"team1/web"}, all); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

// lists counts the lists that were asked for.
type lists struct {
	shelf
	n atomic.Int64
}

func (l *lists) List(ctx context.Context, path string) ([]string, error) {
	l.n.Add(1)
	return l.shelf.List(ctx, path)
}

// listing is an empty storage that does something while it is listed.
type listing func()

func (l listing) List(context.Context, string) ([]string, error) { l(); return nil, nil }

func (listing) Stat(_ context.Context, path string) (storagedriver.FileInfo, error) {
	return nil, storagedriver.PathNotFoundError{Path: path}
}

// fault: E-06
// However much a client asks for, a page has at most 1,000 entries; what is no number is
// refused.
func TestLargePages(t *testing.T) {
	const all = mostListed + 5
	var asked []string
	dir := t.TempDir()
	d := doorIn(t, dir, nil)
	serve := d.r.gate.next
	d.r.gate.next = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.Query().Get("n"))
		serve.ServeHTTP(w, r)
	})
	for i := range all {
		for _, name := range []string{fmt.Sprintf("r%04d/_manifests/tags/1", i), fmt.Sprintf("tagged/_manifests/tags/t%04d", i)} {
			at := filepath.Join(dir, root, "repositories/team1", name, "current")
			if err := os.MkdirAll(at, 0o700); err != nil {
				t.Fatal(err)
			}
			write(t, at, "link", aDigest)
		}
	}
	for _, n := range []string{"?n=1000000000", "?n=99999999999999999999999"} {
		if got := d.want(t, 200, "alice", "GET", "/v2/_catalog"+n, ""); strings.Count(got.body, "team1/") != mostListed || got.header.Get("Link") == "" {
			t.Errorf("n %q: %d entries, link %q", n, strings.Count(got.body, "team1/"), got.header.Get("Link"))
		}
		if got := d.want(t, 200, "alice", "GET", "/v2/team1/tagged/tags/list"+n, ""); strings.Count(got.body, `"t0`) != mostListed || got.header.Get("Link") == "" {
			t.Errorf("tags, n %q: %d entries, link %q", n, strings.Count(got.body, `"t0`), got.header.Get("Link"))
		}
	}
	for _, bad := range []string{"n=-1", "n=x", "n=1e9", "n=+1", "n=1&n=2", "n=-1&last=a", "last=../x", "last=%2e%2e"} {
		d.want(t, 400, "alice", "GET", "/v2/_catalog?"+bad, "")
		d.want(t, 400, "alice", "GET", "/v2/team1/tagged/tags/list?"+bad, "")
	}
	for _, n := range asked {
		if len(n) > 4 || n == "" {
			t.Errorf("distribution was asked for %q entries", n)
		}
	}
}
