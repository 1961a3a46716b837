package integrated

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A push that is refused whatever its tag is refused before its first byte came, and the operator sees
// it, once however often it is tried.
func TestPushRefusedEarly(t *testing.T) {
	guide := &fakeGuide{refuses: map[string]*Refusal{
		"team1/paused":  {What: "image stream team1/paused is paused", Fix: "take it out"},
		"team1/web:1.0": {What: "team1/web:1.0 comes from quay.io/a/b", Fix: "remove its from"},
	}}
	var log bytes.Buffer
	d := doorTo(t, guide)
	d.r.gate.log = slog.New(slog.NewTextHandler(&log, nil))
	for range 3 {
		got := d.want(t, 403, "alice", "POST", "/v2/team1/paused/blobs/uploads/", "")
		if !strings.Contains(got.body, "image stream team1/paused is paused; take it out") {
			t.Errorf("got %s", got.body)
		}
	}
	guide.refuses["team1/new"] = &Refusal{What: "nothing was read yet", Fix: "try again", Starting: true}
	d.want(t, 202, "alice", "POST", "/v2/team1/new/blobs/uploads/", "")
	m := d.image(t, "alice", "team1/web", "one") // for another tag
	for _, reference := range []string{"2.0", digestOf(m)} {
		d.want(t, 403, "alice", "PUT", "/v2/team1/paused/manifests/"+reference, m, "Content-Type", imageType)
		d.want(t, 201, "alice", "PUT", "/v2/team1/web/manifests/"+reference, m, "Content-Type", imageType)
	}
	d.want(t, 403, "alice", "PUT", "/v2/team1/web/manifests/1.0", m, "Content-Type", imageType)
	d.want(t, 403, "bob", "POST", "/v2/team1/paused/blobs/uploads/", "")
	d.want(t, 400, "alice", "POST", "/v2/team1/pau%0Ased/blobs/uploads/", "")
	var got []string
	for line := range strings.Lines(log.String()) {
		_, line, _ = strings.Cut(strings.TrimSpace(line), " ") // without the time
		if strings.Contains(line, "a push was refused") {
			got = append(got, line)
		}
	}
	want := []string{
		`level=INFO msg="a push was refused" repository=team1/paused tag="" who=alice status=403 why="image stream team1/paused is paused; take it out"`,
		`level=INFO msg="a push was refused" repository=team1/web tag=1.0 who=alice status=403 why="team1/web:1.0 comes from quay.io/a/b; remove its from"`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("log (-want +got)\n%s", diff)
	}
}

// A repository that can be no stream's is not there: clients that ask before they push go on to the
// request that says why.
func TestHeadOfNoStream(t *testing.T) {
	d := doorTo(t, &fakeGuide{})
	for _, path := range []string{"/v2/web/manifests/1.0", "/v2/team1/web/sub/manifests/1.0", "/v2/Team1/web/blobs/" + digestOf("one")} {
		d.want(t, 404, "alice", "HEAD", path, "")
		d.want(t, 400, "alice", "GET", path, "")
	}
	if got := d.want(t, 400, "alice", "POST", "/v2/web/blobs/uploads/", ""); !strings.Contains(got.body, "NAMESPACE/STREAM") {
		t.Errorf("got %s", got.body)
	}
}

// What is attached to an image, such as its signature, is no version: it is pushed, listed and pulled, and
// nothing of it waits to go on record.
func TestAttachedIsNoArrival(t *testing.T) {
	guide := &fakeGuide{}
	d := doorTo(t, guide)
	d.r.gate.marks = d.r
	image := d.push(t, "alice", "team1/web", "1.0", "one")
	about := strings.Replace(image, ":", "-", 1)
	tags := []string{about, about + ".att", about + ".sbom", about + ".sig"}
	for _, tag := range tags {
		d.push(t, "alice", "team1/web", tag, tag)
		d.want(t, 200, "alice", "GET", "/v2/team1/web/manifests/"+tag, "", "Accept", imageType)
	}
	d.push(t, "alice", "team1/web", about+".old", "a tag as any")
	waiting, err := d.r.Waiting(t.Context())
	var got []string
	for _, a := range waiting {
		got = append(got, a.Tag)
	}
	if diff := cmp.Diff([]string{"1.0", about + ".old"}, got); diff != "" || err != nil {
		t.Errorf("waiting (-want +got)\n%s%v", diff, err)
	}
	if guide.arrived != 2 {
		t.Errorf("the guide was told %d times that something arrived, want 2", guide.arrived)
	}
	all := `{"name":"team1/web","tags":["1.0","` + strings.Join([]string{about, about + ".att", about + ".old", about + ".sbom", about + ".sig"}, `","`) + `"]}`
	if got := d.want(t, 200, "alice", "GET", "/v2/team1/web/tags/list", ""); strings.TrimSpace(got.body) != all {
		t.Errorf("got %s", got.body)
	}
}

// fault: H-33
// Who deletes learns nothing of other tenants: not what they have, not where, and not how much of it.
func TestDeleteTellsNothingOfOthers(t *testing.T) {
	guide := &fakeGuide{uses: map[string][]Use{}, tags: map[string]map[string]string{}}
	d := doorTo(t, guide, func(r *Rules) { r.Delete = true })
	at := "/v2/team1/web/manifests/"
	theirs := d.push(t, "bob", "team2/api", "1.0", "of team2")
	guide.uses[theirs] = []Use{{"team2", "team2/secret-plan.yaml:7"}}
	nowhere := d.want(t, 404, "alice", "DELETE", at+digestOf("nowhere"), "")
	if got := d.want(t, 404, "alice", "DELETE", at+theirs, ""); got.body != nowhere.body {
		t.Errorf("an image of others is told from none: %s, and %s", got.body, nowhere.body)
	}
	for _, reference := range []string{"none", digestOf("nowhere"), theirs} {
		got := d.want(t, 404, "alice", "DELETE", at+reference, "")
		if want := `{"errors":[{"code":"MANIFEST_UNKNOWN","message":"there is no such tag or image in the repository"}]}`; got.body != want {
			t.Errorf("got %s", got.body)
		}
	}
	ours := d.push(t, "alice", "team1/web", "1.0", "of team1")
	for _, c := range []struct {
		uses []Use
		want string
	}{
		{[]Use{{"team2", "team2/plan.yaml:7"}, {"team3", "b"}}, "in use: elsewhere; delete"},
		{[]Use{{"team1", "team1/web.yaml:3"}, {"team2", "team2/plan.yaml:7"}, {"team3", "b"}}, "in use: team1/web.yaml:3, and elsewhere; delete"},
		{[]Use{{"public1", "p"}, {"shared", "s"}, {"team1", "t"}}, "in use: p, s, t; delete"},
	} {
		guide.uses[ours] = c.uses
		if got := d.want(t, 409, "alice", "DELETE", at+ours, ""); !strings.Contains(got.body, c.want) {
			t.Errorf("got %s, want %s", got.body, c.want)
		}
	}
}
