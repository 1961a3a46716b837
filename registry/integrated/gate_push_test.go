package integrated

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/towpath/towpath/registry"
)

// A push of a tag is marked before it is linked, and the guide hears of it after; a push by digest
// is neither.
func TestPushIsMarked(t *testing.T) {
	guide := &fakeGuide{}
	d := doorTo(t, guide)
	d.marks.fails = errors.New("disk gone")
	m := d.image(t, "alice", "team1/web", "one")
	at := "/v2/team1/web/manifests/"
	d.want(t, 500, "alice", "PUT", at+"1.0", m, "Content-Type", imageType)
	d.want(t, 404, "alice", "HEAD", at+"1.0", "", "Accept", imageType)
	d.marks.fails = fmt.Errorf("mark: %w", syscall.ENOSPC)
	d.want(t, 507, "alice", "PUT", at+"1.0", m, "Content-Type", imageType)
	if guide.arrived != 0 {
		t.Error("the guide heard of a push that failed")
	}
	d.marks.fails = nil
	d.want(t, 201, "alice", "PUT", at+digestOf(m), m, "Content-Type", imageType)
	if guide.arrived != 0 || d.marks.all != nil {
		t.Errorf("a push by digest was marked: %v", d.marks.all)
	}
	got := d.want(t, 201, "alice", "PUT", at+"1.0", m, "Content-Type", imageType)
	if got.header.Get("Docker-Content-Digest") != digestOf(m) || got.header.Get("Location") != at+digestOf(m) {
		t.Errorf("got %v", got.header)
	}
	if diff := cmp.Diff([]string{"team1/web:1.0@" + digestOf(m)}, d.marks.all); diff != "" || guide.arrived != 1 {
		t.Errorf("arrived %d times; marks (-want +got):\n%s", guide.arrived, diff)
	}
}

// What the streams do not take is refused with their words, before anything is stored.
func TestPushRefusedByStreams(t *testing.T) {
	guide := &fakeGuide{refuses: map[string]*Refusal{
		"team1/web:1.0": {What: "team1/web:1.0 comes from quay.io/a/b", Fix: "remove its from"},
		"team1/api":     {What: "the repository was not read yet", Fix: "try again", Starting: true},
	}}
	d := doorTo(t, guide)
	m := d.image(t, "alice", "team1/web", "one")
	got := d.want(t, 403, "alice", "PUT", "/v2/team1/web/manifests/1.0", m, "Content-Type", imageType)
	if want := `{"errors":[{"code":"DENIED","message":"team1/web:1.0 comes from quay.io/a/b; remove its from"}]}`; got.body != want {
		t.Errorf("got %s, want %s", got.body, want)
	}
	d.want(t, 404, "alice", "HEAD", "/v2/team1/web/manifests/"+digestOf(m), "", "Accept", imageType)
	got = d.want(t, 503, "alice", "PUT", "/v2/team1/api/manifests/1.0", m, "Content-Type", imageType)
	if got.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	guide.asked = nil
	d.want(t, 403, "bob", "PUT", "/v2/team1/web/manifests/1.0", m, "Content-Type", imageType)
	if guide.asked != nil {
		t.Errorf("streams were asked for somebody without a right: %v", guide.asked)
	}
	d.want(t, 400, "alice", "PUT", "/v2/team1/web/sub/manifests/1.0", m, "Content-Type", imageType)
}

// fault: E-09
// What is no whole image is refused before it is marked, and nothing names it afterwards.
func TestManifestsThatAreRefused(t *testing.T) {
	guide := &fakeGuide{}
	d := doorTo(t, guide)
	whole := d.image(t, "alice", "team1/web", "one")
	config, layer := digestOf(`{"architecture":"amd64","os":"linux"}`), digestOf("one")
	// Where they are pushed is all that they name, so that nothing else is wrong with them.
	inner := strings.Replace(d.image(t, "alice", "team1/api", "one"), "{", `{"annotations":{"is":"inner"},`, 1)
	d.want(t, 201, "alice", "PUT", "/v2/team1/api/manifests/"+digestOf(inner), inner, "Content-Type", imageType)
	index := listOf(inner)
	elsewhere := d.blob(t, "bob", "team2/web", "a layer of team2")
	passed := 0
	next := d.r.gate.next
	d.r.gate.next = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPut {
			passed++
		}
		next.ServeHTTP(w, r)
	})
	with := func(more string) string { return strings.TrimSuffix(whole, "}") + "," + more + "}" }
	for name, c := range map[string]struct {
		contentType, body string
		status            int
	}{
		"4 MiB and a byte":         {imageType, whole + strings.Repeat(" ", mostManifest-len(whole)+1), 413},
		"a layer that is missing":  {imageType, manifestOf(config, 37, digestOf("never"), 5), 400},
		"a config that is missing": {imageType, manifestOf(digestOf("never"), 5, layer, 3), 400},
		"a layer of another":       {imageType, manifestOf(config, 37, elsewhere, 16), 400},
		"a child that is missing":  {indexType, listOf(whole), 400},
		"an image and an index":    {imageType, with(`"manifests":[]`), 400},
		"an index and an image":    {indexType, strings.TrimSuffix(index, "}") + `,"layers":[]}`, 400},
		"an index with a config":   {indexType, strings.TrimSuffix(index, "}") + `,"config":{}}`, 400},
		"another case":             {imageType, with(`"Manifests":[]`), 400},
		"a key twice":              {imageType, with(`"layers":[]`), 400},
		"a key twice, other case":  {imageType, with(`"LAYERS":[]`), 400},
		"letters like letters":     {imageType, with(`"manifestſ":[]`), 400},
		"a Kelvin sign":            {imageType, with("\"\u212aey\":[]"), 400},
		"an image said an index":   {indexType, whole, 400},
		"an index said an image":   {imageType, index, 400},
		"OCI said Docker":          {"application/vnd.docker.distribution.manifest.v2+json", whole, 400},
		"schema 1":                 {"application/vnd.docker.distribution.manifest.v1+json", `{"schemaVersion":1,"fsLayers":[]}`, 400},
		"with schema 1":            {imageType, with(`"fsLayers":[]`), 400},
		"with its history":         {imageType, with(`"history":[]`), 400},
		"no type":                  {"", whole, 400},
		"a type of anything":       {"application/json", whole, 400},
		"nothing":                  {imageType, "", 400},
		"a list":                   {imageType, "[" + whole + "]", 400},
		"two":                      {imageType, whole + whole, 400},
		"half":                     {imageType, whole[:len(whole)-2], 400},
		"a wrong mediaType":        {imageType, strings.Replace(whole, `"mediaType":"`+imageType+`"`, `"mediaType":7`, 1), 400},
	} {
		for _, reference := range []string{"1.0", digestOf(c.body)} {
			got := d.as(t, "alice", "PUT", "/v2/team1/api/manifests/"+reference, c.body, "Content-Type", c.contentType)
			if name == "a layer of another" || strings.Contains(name, "missing") {
				if !strings.Contains(got.body, "MANIFEST_BLOB_UNKNOWN") {
					t.Errorf("%s: got %s", name, got.body)
				}
			} else if passed > 0 {
				t.Errorf("%s: only distribution refused it", name)
			}
			passed = 0
			if got.status != c.status {
				t.Errorf("%s: got %d %s, want %d", name, got.status, got.body, c.status)
			}
		}
		d.want(t, 404, "alice", "HEAD", "/v2/team1/api/manifests/"+digestOf(c.body), "", "Accept", imageType)
	}
	d.want(t, 400, "alice", "PUT", "/v2/team1/web/manifests/"+digestOf("other"), whole, "Content-Type", imageType)
	if d.marks.all != nil || guide.arrived != 0 {
		t.Errorf("marked: %v, arrived %d", d.marks.all, guide.arrived)
	}
	if got := d.as(t, "alice", "GET", "/v2/team1/api/tags/list", ""); strings.Contains(got.body, "1.0") {
		t.Errorf("tagged: %s", got.body)
	}

	// And what is whole is taken, up to 4 MiB exactly.
	d.want(t, 201, "alice", "PUT", "/v2/team1/web/manifests/1.0", whole, "Content-Type", imageType+"; charset=utf-8")
	d.want(t, 201, "alice", "PUT", "/v2/team1/api/manifests/2.0", index, "Content-Type", indexType)
	full := whole + strings.Repeat(" ", mostManifest-len(whole))
	d.want(t, 201, "alice", "PUT", "/v2/team1/web/manifests/3.0", full, "Content-Type", imageType)
}

// fault: E-07
// A tag that never changes does not: not by a push, not by a deletion, and not by one of its
// digest (CVE-2026-41888, CVE-2026-31801).
func TestImmutableTags(t *testing.T) {
	guide := &fakeGuide{tags: map[string]map[string]string{"team1/web": {"v9": aDigest}}}
	for name, guide := range map[string]Guide{"alone": nil, "with streams": guide} {
		t.Run(name, func(t *testing.T) {
			d := doorTo(t, guide, func(r *Rules) { r.ImmutableTags = []Pattern{glob("v*")}; r.Delete = true })
			first := d.push(t, "alice", "team1/web", "v1", "one")
			d.push(t, "alice", "team1/web", "v1", "one") // the same again
			d.push(t, "alice", "team1/web", "latest", "one")
			other := d.image(t, "alice", "team1/web", "two")
			at := "/v2/team1/web/manifests/"
			got := d.want(t, 409, "alice", "PUT", at+"v1", other, "Content-Type", imageType)
			if !strings.Contains(got.body, first) {
				t.Errorf("got %s, want the digest that stays", got.body)
			}
			d.want(t, 201, "alice", "PUT", at+"latest", other, "Content-Type", imageType)
			if guide != nil {
				d.want(t, 409, "alice", "PUT", at+"v9", other, "Content-Type", imageType) // on record, not in storage
			}
			d.want(t, 409, "alice", "DELETE", at+"v1", "")
			d.want(t, 409, "alice", "DELETE", at+first, "")
			d.want(t, 405, "alice", "DELETE", "/v2/team1/web/blobs/"+digestOf("one"), "")
			if got := d.want(t, 200, "alice", "HEAD", at+"v1", "", "Accept", imageType); got.header.Get("Docker-Content-Digest") != first {
				t.Errorf("v1 is %s", got.header.Get("Docker-Content-Digest"))
			}
			d.recorded(t)
			d.want(t, 202, "alice", "DELETE", at+"latest", "")
			d.want(t, 202, "alice", "DELETE", at+digestOf(other), "")
		})
	}
}

// fault: E-07
// Of many pushes of one new tag that never changes, with different images, one is taken.
func TestImmutableTagAtOnce(t *testing.T) {
	d := doorTo(t, nil, func(r *Rules) { r.ImmutableTags = []Pattern{glob("*")} })
	var images []string
	for i := range 8 {
		images = append(images, d.image(t, "alice", "team1/web", fmt.Sprint("layer ", i)))
	}
	// The first that is written down goes on when all others have come as far as they may.
	var marked atomic.Int32
	d.r.gate.marks = slowMarker{d.marks, func() {
		marked.Add(1)
		for end := time.Now().Add(10 * time.Second); marked.Load() == 1 && d.r.gate.tags.wanting("team1/web") < len(images); runtime.Gosched() {
			if time.Now().After(end) {
				t.Error("the others did not come")
				return
			}
		}
	}}
	statuses := make([]int, len(images))
	var all sync.WaitGroup
	for i, m := range images {
		all.Go(func() {
			statuses[i] = d.as(t, "alice", "PUT", "/v2/team1/web/manifests/v1", m, "Content-Type", imageType).status
		})
	}
	all.Wait()
	slices.Sort(statuses)
	if diff := cmp.Diff([]int{201, 409, 409, 409, 409, 409, 409, 409}, statuses); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if len(d.marks.all) != 1 {
		t.Errorf("marked: %v", d.marks.all)
	}
}

// A slowMarker does something before it writes down.
type slowMarker struct {
	marker
	before func()
}

func (m slowMarker) mark(ctx context.Context, repository, tag, digest string) error {
	m.before()
	return m.marker.mark(ctx, repository, tag, digest)
}

// wanting is how many hold a name, or wait for it.
func (l *locks) wanting(name string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	if h := l.held[name]; h != nil {
		return h.want
	}
	return 0
}

// fault: E-07
// Nothing is deleted where the operator does not allow it, whoever asks.
func TestDeleteOff(t *testing.T) {
	d := doorTo(t, nil)
	digest := d.push(t, "alice", "team1/web", "1.0", "one")
	for _, path := range []string{"manifests/1.0", "manifests/" + digest, "blobs/" + digestOf("one"), "manifests/none"} {
		got := d.want(t, 405, "alice", "DELETE", "/v2/team1/web/"+path, "")
		if !strings.Contains(got.body, "delete: true") {
			t.Errorf("got %s, want the line to write", got.body)
		}
		d.want(t, 403, "bob", "DELETE", "/v2/team1/web/"+path, "")
		d.want(t, 401, "", "DELETE", "/v2/team1/web/"+path, "")
	}
	d.want(t, 200, "alice", "GET", "/v2/team1/web/manifests/1.0", "", "Accept", imageType)
}

// fault: E-07
// What a file or a status names stays, and the answer says what names it.
func TestDeleteInUse(t *testing.T) {
	guide := &fakeGuide{uses: map[string][]Use{}}
	d := doorTo(t, guide, func(r *Rules) { r.Delete = true })
	used := d.push(t, "alice", "team1/web", "1.0", "one")
	free := d.push(t, "alice", "team1/web", "2.0", "two")
	for _, where := range []string{"apps/web.yaml", "a", "b", "c", "d", "e", "f"} {
		guide.uses[used] = append(guide.uses[used], Use{"team1", where})
	}
	at := "/v2/team1/web/manifests/"
	if got := d.want(t, 409, "alice", "DELETE", at+used, ""); !strings.Contains(got.body, "apps/web.yaml, a, b, c, d and 2 more; delete it when a commit took it out there") {
		t.Errorf("got %s", got.body)
	}
	if got := d.want(t, 409, "alice", "DELETE", at+free, ""); !strings.Contains(got.body, "the tag 2.0, and that waits to be recorded") {
		t.Errorf("got %s", got.body)
	}
	d.recorded(t)
	d.want(t, 405, "alice", "DELETE", "/v2/team1/web/blobs/"+digestOf("two"), "")
	unread := registry.Unread{{Namespace: "team1", Name: "web", Tag: "3.0", Digests: []string{free}, Err: errors.New("input/output error")}}
	d.r.gate.waiting = func(context.Context) ([]registry.Arrival, error) { return nil, unread }
	if got := d.want(t, 409, "alice", "DELETE", at+free, ""); !strings.Contains(got.body, "the tag 3.0, and what that is now cannot be read; push the tag again") {
		t.Errorf("got %s", got.body)
	}
	unread[0].Digests = []string{"of another image"}
	d.want(t, 202, "alice", "DELETE", at+free, "")
	d.want(t, 404, "alice", "DELETE", at+"2.0", "")
	d.want(t, 200, "alice", "GET", at+"1.0", "", "Accept", imageType)
}

// A tag goes when it is on record no more and nobody waits for it, whatever else has its image; that
// stays, and can be pulled by digest.
func TestDeleteTag(t *testing.T) {
	guide := &fakeGuide{}
	d := doorTo(t, guide, func(r *Rules) { r.Delete = true })
	at := "/v2/team1/web/manifests/"
	image := d.push(t, "alice", "team1/web", "1.0", "one")
	d.push(t, "alice", "team1/web", "2.0", "one")
	guide.uses = map[string][]Use{image: {{"team1", "apps/web.yaml:3"}}}
	if got := d.want(t, 409, "alice", "DELETE", at+"1.0", ""); !strings.Contains(got.body, "a push of the tag waits to be recorded; towpath status") {
		t.Errorf("it waits: got %s", got.body)
	}
	d.recorded(t)
	guide.tags = map[string]map[string]string{"team1/web": {"1.0": image, "2.0": image, "remote": aDigest}}
	for _, tag := range []string{"1.0", "remote"} {
		if got := d.want(t, 409, "alice", "DELETE", at+tag, ""); !strings.Contains(got.body, "streams/"+tag+".yaml:7; take it out of the status there by a commit") {
			t.Errorf("%s is on record: got %s", tag, got.body)
		}
	}
	delete(guide.tags["team1/web"], "1.0")
	guide.unsure = &Refusal{What: "nobody can tell", Fix: "towpath validate"}
	d.want(t, 403, "alice", "DELETE", at+"1.0", "")
	guide.unsure = nil
	d.want(t, 202, "alice", "DELETE", at+"1.0", "")
	d.want(t, 404, "alice", "DELETE", at+"1.0", "")
	d.want(t, 404, "alice", "GET", at+"1.0", "", "Accept", imageType)
	d.want(t, 200, "alice", "GET", at+image, "", "Accept", imageType)
	d.want(t, 409, "alice", "DELETE", at+image, "")
	if got := d.want(t, 200, "alice", "GET", "/v2/team1/web/tags/list", ""); strings.Contains(got.body, "1.0") {
		t.Errorf("it is listed: %s", got.body)
	}
	guide.tags = nil
	d.want(t, 202, "alice", "DELETE", at+"2.0", "")
	d.want(t, 200, "alice", "GET", at+image, "", "Accept", imageType)
	record := onRecord{"team1/web": {Uses: map[string][]string{image: {"apps/web.yaml:3"}}}}
	if _, err := d.r.prunes.prune(t.Context(), record, PruneRules{}, true); err != nil {
		t.Fatal(err)
	}
	d.want(t, 200, "alice", "GET", at+image, "", "Accept", imageType)
}

// Alone, nobody waits for a tag.
func TestDeleteTagAlone(t *testing.T) {
	d := doorTo(t, nil, func(r *Rules) { r.Delete = true })
	at := "/v2/team1/web/manifests/"
	image := d.push(t, "alice", "team1/web", "1.0", "one")
	d.push(t, "alice", "team1/web", "2.0", "one")
	d.want(t, 202, "alice", "DELETE", at+"1.0", "")
	d.want(t, 200, "alice", "GET", at+image, "", "Accept", imageType)
	if _, err := d.r.prunes.prune(t.Context(), nil, PruneRules{}, true); err != nil {
		t.Fatal(err)
	}
	d.want(t, 200, "alice", "GET", at+"2.0", "", "Accept", imageType)
}

// A push that another process took, which shares the storage, waits too.
func TestDeleteTagOfShared(t *testing.T) {
	guide := &fakeGuide{}
	d := doorTo(t, guide, func(r *Rules) { r.Delete = true })
	d.push(t, "alice", "team1/web", "1.0", "one")
	d.r.arrivals.alone = false
	d.r.arrivals.mu.Lock()
	d.r.arrivals.marks = map[tagName]*mark{} // it lies in storage still
	d.r.arrivals.mu.Unlock()
	d.want(t, 409, "alice", "DELETE", "/v2/team1/web/manifests/1.0", "")
	d.r.arrivals.alone = true
	d.want(t, 202, "alice", "DELETE", "/v2/team1/web/manifests/1.0", "")
}

// recorded is what a pass does with all that waits.
func (d *door) recorded(t *testing.T) {
	t.Helper()
	waiting, err := d.r.Waiting(t.Context())
	if err == nil {
		err = d.r.Take(t.Context(), waiting...)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// fault: E-11
//
// Manifests are deleted while tags are pushed that are these: whoever comes first, no tag is left
// that names nothing.
func TestDeleteBesidePushes(t *testing.T) {
	r, err := New(t.Context(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	content := []byte(`{"schemaVersion":2,"mediaType":"` + imageType + `","config":{"mediaType":"application/vnd.oci.empty.v1+json","digest":"` + digestOf("{}") + `","size":2},"layers":[]}`)
	ask := func(method, path string, body []byte) int {
		w := httptest.NewRecorder()
		req := httptest.NewRequest(method, path, bytes.NewReader(body))
		req.Header.Set("Accept", imageType)
		if strings.Contains(path, "/manifests/") && body != nil {
			req.Header.Set("Content-Type", imageType)
		}
		r.ServeHTTP(w, req)
		return w.Code
	}
	w := httptest.NewRecorder()
	r.ServeHTTP(w, httptest.NewRequest("POST", "/v2/team1/web/blobs/uploads/", nil))
	if code := ask("PUT", w.Header().Get("Location")+"&digest="+digestOf("{}"), []byte("{}")); code != 201 {
		t.Fatal(code)
	}
	at := "/v2/team1/web/manifests/"
	for i := range 300 {
		tag := fmt.Sprintf("v%d", i)
		var both sync.WaitGroup
		both.Go(func() {
			if code := ask("PUT", at+tag, content); code != 201 {
				t.Errorf("a push: %d", code)
			}
		})
		both.Go(func() { ask("DELETE", at+digestOf(string(content)), nil) })
		both.Wait()
		var listed struct{ Tags []string }
		w := httptest.NewRecorder()
		r.ServeHTTP(w, httptest.NewRequest("GET", "/v2/team1/web/tags/list", nil))
		if err := json.Unmarshal(w.Body.Bytes(), &listed); err != nil {
			t.Fatal(err)
		}
		for _, left := range listed.Tags {
			if code := ask("GET", at+left, nil); code != 200 {
				t.Fatalf("%d: the tag %s is left, and its image answers %d", i, left, code)
			}
		}
	}
}

// fault: E-11
//
// A manifest is deleted at the moment in which its tag would be linked: that waits for the other.
func TestDeleteBetweenManifestAndTag(t *testing.T) {
	d := newDisk()
	r := openOn(t, d, Options{})
	defer r.Close()
	one := newPicture("one", 100)
	if err := one.push(r, repository, "1.0"); err != nil {
		t.Fatal(err)
	}
	var deleted chan struct{}
	d.hook = func(_, name string) error {
		if deleted != nil || !strings.Contains(name, "/_manifests/tags/2.0") {
			return nil
		}
		deleted = make(chan struct{})
		go func() {
			defer close(deleted)
			do(r, "DELETE", "/v2/"+repository+"/manifests/"+one.digest(), nil)
		}()
		for end := time.Now().Add(10 * time.Second); r.changes.wanting(repository) < 2 && time.Now().Before(end); runtime.Gosched() {
			select {
			case <-deleted:
				return nil
			default:
			}
		}
		return nil
	}
	if w := do(r, "PUT", "/v2/"+repository+"/manifests/2.0", one.manifest); w.Code != 201 {
		t.Errorf("the push: %d %s", w.Code, w.Body)
	}
	if deleted == nil {
		t.Fatal("nothing was linked")
	}
	<-deleted
	whole(t, r, repository)
}

// What is pulled may be asked in parts, and only if it changed.
func TestPullInParts(t *testing.T) {
	d := doorTo(t, nil)
	digest := d.push(t, "alice", "team1/web", "1.0", "a layer")
	got := d.want(t, http.StatusPartialContent, "alice", "GET", "/v2/team1/web/blobs/"+digestOf("a layer"), "", "Range", "bytes=2-")
	if got.body != "layer" {
		t.Errorf("got %q", got.body)
	}
	d.want(t, 304, "alice", "GET", "/v2/team1/web/manifests/1.0", "", "Accept", imageType, "If-None-Match", `"`+digest+`"`)
}

// What tools add of their own is taken, in whatever letters.
func TestManifestsWithMore(t *testing.T) {
	d := doorTo(t, nil)
	m := d.image(t, "alice", "team1/web", "one")
	for i, more := range []string{`"org.KEYS/KsS":"a"`, `"ключ":{"K":[1]}`, `"annotations":{"org.example.K":"S"}`} {
		d.want(t, http.StatusCreated, "alice", "PUT", fmt.Sprint("/v2/team1/web/manifests/1.", i), strings.TrimSuffix(m, "}")+","+more+"}", "Content-Type", imageType)
	}
}

// A key is read as Go's readers read it, and whatever is taken is one object.
func FuzzCheckManifest(f *testing.F) {
	f.Add(manifestOf(aDigest, 1, aDigest, 1), true)
	f.Add(`{"schemaVersion":2,"manifests":[],"mediaType":"`+indexType+`"}`, false)
	f.Add(`{"layers":[],"manifests":[]}`, true) // fault: E-09
	f.Add(`{"layers":[],"manifests":[]}`, false)
	f.Add(`{"layers":[],"Layers":[]}`, true)
	f.Add(`{"layers":[]}{}`, true)
	f.Add(`{"manifestſ":[],"layers":[]}`, true)
	f.Fuzz(func(t *testing.T, content string, image bool) {
		said := indexType
		if image {
			said = imageType
		}
		if _, bad := checkManifest([]string{said}, []byte(content)); bad != nil {
			return
		}
		has := fieldsOf(content)
		if image != has.Layers || image == has.Manifests || has.MediaType != "" && has.MediaType != said {
			t.Errorf("%q was taken as %s: %+v", content, said, has)
		}
	})
}

// fields are what Go's own reader finds in a manifest.
type fields struct {
	Layers, Manifests bool
	MediaType         string
}

func fieldsOf(content string) fields {
	var read struct {
		MediaType         string
		Layers, Manifests *json.RawMessage
	}
	if err := json.Unmarshal([]byte(content), &read); err != nil {
		return fields{}
	}
	return fields{read.Layers != nil, read.Manifests != nil, read.MediaType}
}
