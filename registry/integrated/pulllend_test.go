package integrated

import (
	"net/http"
	"strings"
	"testing"
)

// lending opens a registry where team1/prod and team2/prod have an image on record that was
// pushed to team1/web; robot1 may pull in team1 only, alice in both, and bob in team2 only.
func lending(t *testing.T) (d *door, image, digest string) {
	guide := &fakeGuide{lent: map[string]map[string][]string{}, tags: map[string]map[string]string{}}
	d = doorTo(t, guide, func(r *Rules) {
		r.Access.Grants = append(r.Access.Grants, Grant{[]string{"alice"}, []Pattern{glob("team2")}, []Right{Pull, Push}})
	})
	image = d.image(t, "alice", "team1/web", "a layer")
	digest = digestOf(image)
	d.want(t, 201, "alice", "PUT", "/v2/team1/web/manifests/1.0", image, "Content-Type", imageType)
	d.image(t, "alice", "team1/web", "of no record")
	for _, repository := range []string{"team1/prod", "team2/prod"} {
		guide.tags[repository] = map[string]string{"live": digest}
		guide.lent[repository] = map[string][]string{digest: {"team1/web"}}
	}
	return d, image, digest
}

// What is on record as an image of another repository is served from there, within a namespace.
func TestLent(t *testing.T) {
	d, image, digest := lending(t)
	for _, ref := range []string{"live", digest} {
		if got := d.want(t, 200, "robot1", "GET", "/v2/team1/prod/manifests/"+ref, "", "Accept", imageType); got.body != image {
			t.Errorf("%s: got %q", ref, got.body)
		}
	}
	d.want(t, 200, "robot1", "GET", "/v2/team1/prod/blobs/"+digestOf("a layer"), "")
	d.want(t, 404, "robot1", "GET", "/v2/team1/prod/blobs/"+digestOf("of no record"), "")

	// Who is told that a layer is there pushes an image with it, which no longer needs the other.
	d.want(t, 200, "robot1", "HEAD", "/v2/team1/prod/blobs/"+digestOf("a layer"), "")
	mine := strings.Replace(image, "{", `{"annotations":{"mine":"yes"},`, 1)
	d.want(t, 201, "robot1", "PUT", "/v2/team1/prod/manifests/mine", mine, "Content-Type", imageType)
	d.r.gate.guide.(*fakeGuide).lent = nil
	d.want(t, 200, "robot1", "GET", "/v2/team1/prod/blobs/"+digestOf("a layer"), "")
}

// fault: E-07
// A record in one namespace opens no other: who may not pull there hears what to do, also after
// somebody pulled who may.
func TestLentAcross(t *testing.T) {
	d, image, digest := lending(t)
	refused := func() {
		t.Helper()
		for _, ref := range []string{"live", digest} {
			got := d.want(t, 403, "bob", "GET", "/v2/team2/prod/manifests/"+ref, "", "Accept", imageType)
			if !strings.Contains(got.body, "pull team1/web@"+digest) || strings.Contains(got.body, "layers") {
				t.Errorf("got %s", got.body)
			}
		}
		d.want(t, 404, "bob", "GET", "/v2/team2/prod/blobs/"+digestOf("a layer"), "")
		d.want(t, 404, "bob", "HEAD", "/v2/team2/prod/blobs/"+digestOf("a layer"), "")
		if got := d.as(t, "bob", "PUT", "/v2/team2/prod/manifests/mine", image, "Content-Type", imageType); got.status == 201 {
			t.Error("an image was pushed over layers that may not be pulled")
		}
	}
	refused()
	d.want(t, 200, "alice", "GET", "/v2/team2/prod/manifests/live", "", "Accept", imageType)
	d.want(t, 200, "alice", "GET", "/v2/team2/prod/blobs/"+digestOf("a layer"), "")
	refused()
	mine := strings.Replace(image, "{", `{"annotations":{"mine":"yes"},`, 1)
	d.want(t, 201, "alice", "PUT", "/v2/team2/prod/manifests/mine", mine, "Content-Type", imageType)
	d.want(t, 200, "bob", "GET", "/v2/team2/prod/manifests/mine", "", "Accept", imageType) // alice brought it
}

// Two repositories whose records name each other, and neither has the image: that ends.
func TestLentInCircles(t *testing.T) {
	d, _, _ := lending(t)
	d.r.gate.guide.(*fakeGuide).lent = map[string]map[string][]string{
		"team1/a": {aDigest: {"team1/b", "team1/a"}}, "team1/b": {aDigest: {"team1/a"}},
	}
	for _, repository := range []string{"team1/a", "team1/b"} {
		d.want(t, http.StatusNotFound, "robot1", "GET", "/v2/"+repository+"/manifests/"+aDigest, "")
		d.want(t, http.StatusNotFound, "robot1", "GET", "/v2/"+repository+"/blobs/"+aDigest, "")
	}
}

// An image that a list on record names is pushed in another list: with its layers.
func TestPullCompletesLists(t *testing.T) {
	w := newPullWorld(t)
	arm, amd := image("arm config", "arm layer"), image("amd config", "amd layer")
	list := listOf(arm, amd)
	w.origin.add(arm, amd, list, "arm config", "arm layer", "amd config", "amd layer")
	w.guide.record("team1/web", "stable", sum(list))
	w.answers(t, 200, list, "GET", "team1/web/manifests/stable")
	w.answers(t, 200, "", "HEAD", "team1/web/manifests/"+sum(arm))
	mine := listOf(arm)
	w.complete(t, "team1/web", ociIndex, mine)
	if w.origin.opened[sum("arm layer")] != 1 || w.origin.opened[sum(amd)] != 0 {
		t.Errorf("fetched %v", w.origin.opened)
	}
	w.origin.fails = http.ErrServerClosed
	w.answers(t, 200, "arm layer", "GET", "team1/web/blobs/"+sum("arm layer"))
}

// A record by sha512 has a clear answer, and nothing is asked.
func TestPullSHA512(t *testing.T) {
	w := newPullWorld(t)
	dgst := "sha512:" + strings.Repeat("a", 128)
	w.guide.record("team1/web", "stable", dgst)
	w.answers(t, 404, "on record by sha512", "GET", "team1/web/manifests/stable")
	w.answers(t, 404, "on record by sha512", "GET", "team1/web/manifests/"+dgst)
	if len(w.origin.opened) > 0 {
		t.Errorf("fetched %v", w.origin.opened)
	}
}

// What is fetched counts for its namespace. Where that is full, it can still be pulled, and is
// not kept; what a push needs is.
func TestPullCounts(t *testing.T) {
	w := newPullWorld(t)
	q := newQuota(1000)
	w.puller.Quota = q
	small, large := image("config", "a layer"), image("config", strings.Repeat("x", 600))
	w.origin.add(small, large, "config", "a layer", strings.Repeat("x", 600))
	w.guide.record("team1/web", "small", sum(small))
	w.guide.record("team1/web", "large", sum(large))
	for _, tag := range []string{"small", "large"} {
		w.answers(t, 200, "", "GET", "team1/web/manifests/"+tag)
	}
	w.answers(t, 200, "a layer", "GET", "team1/web/blobs/"+sum("a layer"))
	again := newQuota(1000)
	check := func() {
		t.Helper()
		if err := again.count(t.Context(), w.driver); err != nil || again.of("team1").linked != q.of("team1").linked || q.of("team1").pending != 0 {
			t.Errorf("%+v is counted; storage has %+v, %v", q.of("team1"), again.of("team1"), err)
		}
	}
	check()
	was := q.of("team1").linked
	for range 2 {
		w.answers(t, 200, "xxx", "GET", "team1/web/blobs/"+sum(strings.Repeat("x", 600)))
	}
	if check(); q.of("team1").linked != was || w.origin.opened[sum(strings.Repeat("x", 600))] != 2 {
		t.Errorf("%d bytes, then %d; fetched %d times", was, q.of("team1").linked, w.origin.opened[sum(strings.Repeat("x", 600))])
	}
	err := w.completes(t, "team1/web", ociManifest, large)
	if err == nil || !strings.Contains(err.Error(), "team1 has no room") {
		t.Errorf("a push that needs the blob: %v", err)
	}
}
