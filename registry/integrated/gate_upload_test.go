package integrated

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// fault: E-04
// An upload belongs to who began it: for everybody else it is not there, also for those who may push
// to the same repository and know its address.
func TestUploadOfAnother(t *testing.T) {
	d := doorTo(t, nil)
	at := d.begin(t, "alice", "team1/web")
	content := "a layer"
	for _, method := range []string{"GET", "PATCH", "PUT", "DELETE"} {
		got := d.want(t, 404, "robot1", method, at+"&digest="+digestOf(content), content)
		none := d.want(t, 404, "robot1", method, "/v2/team1/web/blobs/uploads/"+aSession+"?digest="+digestOf(content), content)
		if got.body != none.body {
			t.Errorf("%s: another's upload is told apart from none: %s, %s", method, got.body, none.body)
		}
	}
	elsewhere := strings.Replace(at, "team1/web", "team1/api", 1)
	d.want(t, 404, "alice", "PUT", elsewhere+"&digest="+digestOf(content), content)
	d.want(t, 201, "alice", "PUT", at+"&digest="+digestOf(content), content)
	d.want(t, 404, "alice", "PUT", at+"&digest="+digestOf(content), content)
}

// fault: E-04
// What does not fit the digest, the place or the length that a client says is not kept.
func TestUploadThatLies(t *testing.T) {
	d := doorTo(t, nil)
	at := d.begin(t, "alice", "team1/web")
	d.want(t, 400, "alice", "PUT", at+"&digest="+digestOf("something else"), "a layer")
	d.want(t, 404, "alice", "HEAD", "/v2/team1/web/blobs/"+digestOf("a layer"), "")
	d.want(t, 404, "alice", "HEAD", "/v2/team1/web/blobs/"+digestOf("something else"), "")

	at = d.begin(t, "alice", "team1/web")
	for _, digest := range []string{"", "sha256:00", "md5:" + strings.Repeat("0", 32), "sha256:../../x"} {
		d.want(t, 400, "alice", "PUT", at+"&digest="+digest, "a layer")
	}
	for _, said := range []string{"3-9", "0-2", "0-7", "6-0", "bytes 0-6/7", "-1-5", "0-18446744073709551615", "0"} {
		d.want(t, 416, "alice", "PATCH", at, "a layer", "Content-Range", said)
	}
	next := d.want(t, 202, "alice", "PATCH", at, "a layer", "Content-Range", "0-6").header.Get("Location")
	d.want(t, 416, "alice", "PATCH", next, "a layer", "Content-Range", "0-6") // again
	d.want(t, 416, "alice", "PATCH", next, "a layer", "Content-Range", "6-12")
	d.want(t, 416, "alice", "PATCH", at, "a layer")                                           // a state that is older
	d.want(t, 404, "alice", "PATCH", strings.Split(next, "?")[0], "x")                        // no state
	d.want(t, 404, "alice", "PATCH", strings.Replace(next, "_state=", "_state=AAAA", 1), "x") // forged
	d.want(t, 400, "alice", "PATCH", next, "x", "Content-Type", "application/x-www-form-urlencoded")
	d.want(t, 201, "alice", "PUT", next+"&digest="+digestOf("a layera layer"), "a layer", "Content-Range", "7-13")
}

// A range is believed only beside a length.
func TestRangeWithoutLength(t *testing.T) {
	if bad := checkRange([]string{"0-6"}, -1); bad == nil || bad.status != 416 {
		t.Errorf("got %+v", bad)
	}
	if bad := checkRange([]string{"0-6", "0-6"}, 7); bad == nil {
		t.Error("two ranges were taken")
	}
	if bad := checkRange([]string{"0-6"}, 7); bad != nil {
		t.Errorf("got %+v", bad)
	}
}

// What a form in a body says is no parameter: the digest and the mount are of the address alone.
func TestFormInBody(t *testing.T) {
	d := doorTo(t, nil)
	layer := d.blob(t, "bob", "team2/web", "a layer of team2")
	form := "mount=" + layer + "&from=team2/web"
	got := d.want(t, 202, "alice", "POST", "/v2/team1/web/blobs/uploads/", form, "Content-Type", "application/x-www-form-urlencoded")
	d.want(t, 404, "alice", "HEAD", "/v2/team1/web/blobs/"+layer, "")
	d.want(t, 400, "alice", "PUT", got.header.Get("Location"), "digest="+digestOf("x"), "Content-Type", "application/x-www-form-urlencoded")
}

// fault: E-04
// Ten thousand uploads are tried, and a hundred are open; another principal has its own.
func TestManyUploads(t *testing.T) {
	d := doorTo(t, nil)
	opened, refused := 0, 0
	var last string
	for range 10_000 {
		w := direct(t.Context(), d, "robot1", "POST", "/v2/team1/web/blobs/uploads/")
		switch w.status {
		case 202:
			opened, last = opened+1, w.header.Get("Location")
		case 429:
			refused++
			if w.header.Get("Retry-After") == "" {
				t.Fatal("no Retry-After")
			}
		}
	}
	if opened != 100 || refused != 9_900 || len(d.r.gate.open.open) != 100 {
		t.Errorf("%d opened, %d refused, %d remembered", opened, refused, len(d.r.gate.open.open))
	}
	d.begin(t, "alice", "team1/web")
	d.want(t, 204, "robot1", "DELETE", last, "")
	d.begin(t, "robot1", "team1/web")
}

// fault: E-04
// However many principals there are, and however much each may: ten thousand uploads are open.
func TestUploadsOfAll(t *testing.T) {
	s, now := newSessions(100), time.Now()
	for i := range mostSessions {
		owner := fmt.Sprint(i / 100)
		if _, bad := s.reserve(owner, now); bad != nil {
			t.Fatalf("%d: %+v", i, bad)
		}
		s.begun(owner, &session{id: fmt.Sprint(i), owner: owner, used: now})
	}
	if _, bad := s.reserve("one more", now); bad == nil || bad.status != http.StatusTooManyRequests {
		t.Errorf("got %+v", bad)
	}
	s.done(s.open["7"], true, now)
	if _, bad := s.reserve("one more", now); bad != nil {
		t.Errorf("after one ended: %+v", bad)
	}
}

// direct is a request without a connection.
func direct(ctx context.Context, d *door, who, method, path string) *kept {
	r := bare(ctx, method, path, nil)
	r.URL.Path, r.RemoteAddr = path, "192.0.2.1:1000"
	r.Header.Set("Authorization", "Bearer "+d.secrets[who])
	k := &kept{header: http.Header{}}
	d.r.ServeHTTP(k, r)
	return k
}

// An upload of which nothing is heard ends after an hour, in storage too.
func TestUploadForgotten(t *testing.T) {
	d := doorTo(t, nil, func(r *Rules) { r.Limits.UploadsOpen = 1; r.Limits.NamespaceSize = 1000 })
	at := d.begin(t, "alice", "team1/web")
	at = d.want(t, 202, "alice", "PATCH", at, "a part").header.Get("Location")
	if got := d.want(t, 429, "alice", "POST", "/v2/team1/web/blobs/uploads/", ""); !strings.Contains(got.body, "nothing is heard for an hour ends by itself") {
		t.Errorf("got %s, want when it goes by itself", got.body)
	}
	start := time.Now()
	d.r.gate.now = func() time.Time { return start.Add(sessionKept + time.Minute) }
	d.begin(t, "alice", "team1/web")
	if s := d.r.gate.quota.space["team1"]; s.pending != 0 {
		t.Errorf("%d bytes are still set aside", s.pending)
	}
	d.want(t, 404, "alice", "GET", at, "")
	id := strings.Split(strings.TrimPrefix(at, "/v2/team1/web/blobs/uploads/"), "?")[0]
	rt := route{kind: toUpload, repository: "team1/web", session: id}
	if got := d.r.gate.look(t.Context(), "GET", rt, nil); got.status != 404 {
		t.Errorf("storage still has it: %d", got.status)
	}
}

// Two requests to one upload do not write at the same time.
func TestUploadBusy(t *testing.T) {
	d := doorTo(t, nil)
	at := d.begin(t, "alice", "team1/web")
	body, more := io.Pipe()
	done := make(chan int)
	go func() {
		req, _ := http.NewRequest("PATCH", d.URL+at, body)
		req.SetBasicAuth("alice", d.secrets["alice"])
		resp, err := d.Client().Do(req)
		if err != nil {
			done <- 0
			return
		}
		resp.Body.Close()
		done <- resp.StatusCode
	}()
	_, _ = more.Write([]byte("a part")) // returns when it is on its way
	for {
		d.r.gate.open.mu.Lock()
		busy := false
		for _, one := range d.r.gate.open.open {
			busy = one.busy
		}
		d.r.gate.open.mu.Unlock()
		if busy {
			break
		}
	}
	d.want(t, 409, "alice", "PATCH", at, "another part")
	more.Close()
	if got := <-done; got != 202 {
		t.Errorf("the first got %d", got)
	}
}

// fault: E-08
// A blob of another repository is linked only by who may pull it there; else it is as if it were
// not there. And it is served only where it is linked.
func TestMount(t *testing.T) {
	d := doorTo(t, nil)
	secret := d.blob(t, "bob", "team2/web", "a layer of team2")
	own := d.blob(t, "alice", "team1/web", "a layer of team1")
	for _, query := range []string{
		"mount=" + secret + "&from=team2/web", "mount=" + secret + "&from=team2%2Fweb", "mount=" + secret,
		"mount=" + secret + "&from=../team2/web", "mount=" + secret + "&from=team2//web", "mount=" + digestOf("nothing") + "&from=team2/web",
		"mount=" + digestOf("nothing") + "&from=team1/web", "mount=" + secret + "&from=team1/web",
	} {
		d.want(t, 202, "alice", "POST", "/v2/team1/api/blobs/uploads/?"+query, "")
	}
	for _, from := range []string{"team2/web", "../team2/web", "team1/../team2/web", "team1/./web", "team1//web", "team1/web/"} {
		a := ask{query: url.Values{"mount": {secret}, "from": {from}}, from: principal{name: "alice"}}
		if passed := d.r.gate.mountable(a); passed != nil {
			t.Errorf("from %q goes on as %v", from, passed)
		}
	}
	d.want(t, 400, "alice", "POST", "/v2/team1/api/blobs/uploads/?mount="+secret+"&from=team1/web&from=team2/web", "")
	for _, repository := range []string{"team1/api", "team1/web"} {
		d.want(t, 404, "alice", "HEAD", "/v2/"+repository+"/blobs/"+secret, "")
		d.want(t, 404, "alice", "GET", "/v2/"+repository+"/blobs/"+secret, "")
	}
	d.want(t, 404, "alice", "HEAD", "/v2/team1/api/blobs/"+own, "")
	d.want(t, 201, "alice", "POST", "/v2/team1/api/blobs/uploads/?mount="+own+"&from=team1/web", "")
	d.want(t, 200, "alice", "GET", "/v2/team1/api/blobs/"+own, "")
	d.want(t, 403, "bob", "HEAD", "/v2/team1/api/blobs/"+own, "")
}

// A blob is as large as it may be, and no larger, whether its length is said or not.
func TestBlobSize(t *testing.T) {
	d := doorTo(t, nil, func(r *Rules) { r.Limits.BlobSize = 10; r.Limits.UploadsOpen = 1 })
	d.blob(t, "alice", "team1/web", "ten bytes.")
	at := d.begin(t, "alice", "team1/web")
	d.want(t, 413, "alice", "PUT", at+"&digest="+digestOf("eleven bytes"), "eleven byte")
	at = d.want(t, 202, "alice", "PATCH", at, "six by").header.Get("Location")
	req, err := http.NewRequestWithContext(t.Context(), "PATCH", d.URL+at, io.MultiReader(strings.NewReader("five!"))) // of unknown length
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth("alice", d.secrets["alice"])
	resp, err := d.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 413 {
		t.Errorf("got %d, want 413", resp.StatusCode)
	}
	d.want(t, 404, "alice", "GET", at, "") // and the upload is gone
	d.begin(t, "alice", "team1/web")
}

// The sum of a namespace's blobs is exact after uploads, mounts, pushes and deletions, and is the
// same when it is counted from storage.
func TestQuota(t *testing.T) {
	dir := t.TempDir()
	d := doorIn(t, dir, nil, func(r *Rules) { r.Limits.NamespaceSize = 2000; r.Delete = true })
	q := d.r.gate.quota
	check := func(what string) {
		t.Helper()
		q.mu.Lock()
		linked, pending := q.of("team1").linked, q.of("team1").pending
		q.mu.Unlock()
		again := newQuota(2000)
		if err := again.count(t.Context(), stored(dir)); err != nil {
			t.Fatal(err)
		}
		if counted := again.of("team1").linked; counted != linked || pending != 0 {
			t.Errorf("%s: %d linked, %d pending; storage has %d", what, linked, pending, counted)
		}
	}
	layer := strings.Repeat("x", 700)
	image := d.push(t, "alice", "team1/web", "1.0", layer)
	check("push")
	d.push(t, "alice", "team1/api", "1.0", layer)
	check("the same in another repository")
	d.want(t, 201, "alice", "POST", "/v2/team1/lib/blobs/uploads/?from=team1/web&mount="+digestOf(layer), "")
	check("mount")
	at := d.begin(t, "alice", "team1/web")
	got := d.want(t, 413, "alice", "PUT", at+"&digest="+digestOf(layer+layer), layer+layer)
	if !strings.Contains(got.body, "team1 has no room") || !strings.Contains(got.body, "namespace-size") {
		t.Errorf("got %s", got.body)
	}
	check("too much")
	at = d.begin(t, "alice", "team1/web")
	at = d.want(t, 202, "alice", "PATCH", at, layer[:400]).header.Get("Location")
	d.want(t, 413, "alice", "PATCH", at, layer)
	check("too much in parts")
	d.blob(t, "bob", "team2/web", strings.Repeat("y", 1900)) // has its own
	d.want(t, 202, "alice", "DELETE", "/v2/team1/web/manifests/"+image, "")
	check("deletion of a manifest")
	d.want(t, 202, "alice", "DELETE", "/v2/team1/api/manifests/"+image, "")
	check("deletion of the other manifest")
	for _, repository := range []string{"web", "api", "lib"} {
		d.want(t, 202, "alice", "DELETE", "/v2/team1/"+repository+"/blobs/"+digestOf(layer), "")
		check("deletion of a blob")
	}
	d.blob(t, "alice", "team1/web", strings.Repeat("z", 1000))
	check("room again")
}

// Chunks that are refused leave no file open.
func TestRefusedChunksCloseFiles(t *testing.T) {
	d := doorIn(t, t.TempDir(), nil)
	at := d.begin(t, "alice", "team1/web")
	d.want(t, 202, "alice", "PATCH", at, "a layer")
	for range 100 {
		d.want(t, 416, "alice", "PATCH", at, "a layer")
	}
	open, err := filepath.Glob("/proc/self/fd/*")
	if err != nil {
		t.Fatal(err)
	}
	uploads := 0
	for _, fd := range open {
		if to, _ := os.Readlink(fd); strings.Contains(to, "/_uploads/") && strings.Contains(to, t.Name()) {
			uploads++
		}
	}
	if uploads > 0 {
		t.Errorf("%d files of uploads are open", uploads)
	}
}

// A blob that is mounted counts before it is linked.
func TestMountOverQuota(t *testing.T) {
	t.Parallel()
	d := doorTo(t, nil, func(r *Rules) {
		r.Limits.NamespaceSize = 1000
		r.Access.Grants = append(r.Access.Grants, Grant{[]string{"alice"}, []Pattern{glob("team2")}, []Right{Pull}})
	})
	mount := func(digest string) string { return "/v2/team1/web/blobs/uploads/?from=team2/web&mount=" + digest }
	big := d.blob(t, "bob", "team2/web", strings.Repeat("x", 900))
	own := strings.Repeat("y", 90)
	d.blob(t, "bob", "team2/web", own)
	d.blob(t, "alice", "team1/api", own)
	d.want(t, 201, "alice", "POST", mount(digestOf(own)), "")
	d.blob(t, "alice", "team1/web", strings.Repeat("z", 900))
	d.want(t, 413, "alice", "POST", mount(big), "")
	d.want(t, 404, "alice", "HEAD", "/v2/team1/web/blobs/"+big, "")
	if s := d.r.gate.quota.of("team1"); s.linked != 990 || s.pending != 0 {
		t.Errorf("%d linked, %d pending", s.linked, s.pending)
	}
}

// What happens while storage is counted is not lost.
func TestCountMeanwhile(t *testing.T) {
	dir := t.TempDir()
	d := doorIn(t, dir, nil, func(r *Rules) { r.Limits.NamespaceSize = 2000 })
	d.blob(t, "alice", "team1/web", "first")
	q := newQuota(2000)
	err := q.count(t.Context(), during{stored(dir), func() {
		q.note(change{repository: "team1/api", digest: digestOf("second"), size: 6})
		q.note(change{repository: "team1/web", digest: digestOf("first"), gone: true})
	}})
	if got := q.of("team1").linked; err != nil || got != 6 {
		t.Errorf("got %d, %v; want 6", got, err)
	}
}
