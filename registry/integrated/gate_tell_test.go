package integrated

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// logged has the log of a door from now on; said is it, line by line, without times and addresses.
func (d *door) logged() (said func() []string) {
	var log bytes.Buffer
	d.r.gate.log = slog.New(slog.NewTextHandler(&log, nil))
	vague := regexp.MustCompile(`^time=\S+ | fix=".*"| why=".*"`)
	return func() (all []string) {
		for line := range strings.Lines(log.String()) {
			all = append(all, vague.ReplaceAllString(strings.TrimSpace(line), ""))
		}
		log.Reset()
		return all
	}
}

// Who pushed what, and who deleted it, stands in the log: users, robots, and whoever sits at this machine.
func TestLogTellsWhoPushed(t *testing.T) {
	d := doorTo(t, nil, func(r *Rules) { r.Delete = true })
	said, at := d.logged(), "/v2/team1/web/manifests/"
	image := d.push(t, "alice", "team1/web", "1.0", "one")
	d.push(t, "robot1", "team1/web", "2.0", "one")
	d.want(t, 400, "alice", "PUT", at+"3.0", "{", "Content-Type", imageType)
	d.want(t, 202, "alice", "DELETE", at+"1.0", "")
	d.want(t, 404, "alice", "DELETE", at+"1.0", "")
	d.want(t, 202, "alice", "DELETE", at+image, "")
	d.want(t, 202, "alice", "DELETE", "/v2/team1/web/blobs/"+digestOf("one"), "")
	want := []string{
		`level=INFO msg="a tag was pushed" repository=team1/web tag=1.0 digest=` + image + ` who=alice`,
		`level=INFO msg="a tag was pushed" repository=team1/web tag=2.0 digest=` + image + ` who=robot1`,
		`level=INFO msg="a push was refused" repository=team1/web tag=3.0 who=alice status=400`,
		`level=INFO msg="a tag was deleted" repository=team1/web tag=1.0 digest=` + image + ` who=alice`,
		`level=INFO msg="an image was deleted" repository=team1/web tag=2.0 digest=` + image + ` who=alice`,
		`level=INFO msg="a blob was deleted" repository=team1/web digest=` + digestOf("one") + ` who=alice`,
	}
	if diff := cmp.Diff(want, said()); diff != "" {
		t.Errorf("log (-want +got)\n%s", diff)
	}

	here := doorTo(t, nil, func(r *Rules) { r.UsersFile, r.Tokens, r.Access = "", nil, Access{} })
	said = here.logged()
	image = here.push(t, "", "team1/web", "1.0", "one")
	want = []string{`level=INFO msg="a tag was pushed" repository=team1/web tag=1.0 digest=` + image + ` who="this machine"`}
	if diff := cmp.Diff(want, said()); diff != "" {
		t.Errorf("alone (-want +got)\n%s", diff)
	}
}

// Who is turned away stands there, too, seldom: strangers decide how often. What they write in the place
// of a name may be a password, and is not repeated.
func TestLogTellsWhoWasRefused(t *testing.T) {
	d := doorTo(t, nil, func(r *Rules) { r.Limits.BlobSize = 100; r.Limits.NamespaceSize = 1000 })
	said := d.logged()
	ask := func(name, secret string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), "GET", d.URL+"/v2/team1/web/manifests/1.0", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.SetBasicAuth(name, secret)
		resp, err := d.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != 401 {
			t.Errorf("%s: got %d", name, resp.StatusCode)
		}
	}
	for range 3 {
		ask("alice", d.secrets["bob"])
	}
	d.r.gate.turned = newSeldom() // a minute later
	ask(d.secrets["alice"]+"\nlevel=INFO", d.secrets["bob"])
	for range 3 {
		d.want(t, 403, "bob", "PUT", "/v2/team1/web/manifests/1.0", "{}", "Content-Type", imageType)
	}
	d.want(t, 401, "", "GET", "/v2/team1/web/manifests/1.0", "")
	for range 3 {
		d.want(t, 413, "alice", "PATCH", d.begin(t, "alice", "team1/web"), strings.Repeat("x", 101), "Content-Type", "application/octet-stream")
	}
	d.r.gate.refused = newSeldom()
	for i := range 10 {
		d.blob(t, "alice", "team1/full", fmt.Sprintf("%0100d", i))
	}
	d.want(t, 413, "alice", "POST", "/v2/team1/full/blobs/uploads/", "")
	want := []string{
		`level=WARN msg="a login was refused: the name and password, or the token, are not known" repository=team1/web who=alice from=127.0.0.1`,
		`level=WARN msg="a login was refused: the name and password, or the token, are not known" repository=team1/web who="nobody known" from=127.0.0.1`,
		`level=WARN msg="a request was refused" repository=team1/web method=PUT who=bob from=127.0.0.1 status=403`,
		`level=WARN msg="a push was refused" repository=team1/web tag="" who=alice status=413`,
		`level=WARN msg="a push was refused" repository=team1/full tag="" who=alice status=413`,
	}
	if diff := cmp.Diff(want, said()); diff != "" {
		t.Errorf("log (-want +got)\n%s", diff)
	}
}

// Other machines at a registry without users are turned away, and the operator hears of it.
func TestLogTellsOfOtherMachines(t *testing.T) {
	d := doorTo(t, nil, func(r *Rules) { r.UsersFile, r.Tokens, r.Access = "", nil, Access{} })
	said := d.logged()
	req := httptest.NewRequest("GET", "/v2/team1/web/tags/list", nil)
	req.RemoteAddr = "192.0.2.1:1"
	d.r.ServeHTTP(httptest.NewRecorder(), req)
	want := []string{`level=WARN msg="a request was refused" repository=team1/web method=GET who="nobody known" from=192.0.2.1 status=403`}
	if diff := cmp.Diff(want, said()); diff != "" {
		t.Errorf("log (-want +got)\n%s", diff)
	}
}

// However many names strangers come with, a minute has so many lines.
func TestSeldomIsBounded(t *testing.T) {
	s, now, n := newSeldom(), time.Unix(0, 0), 0
	for range 2 {
		for i := range 10 * mostSaid {
			if s.first(fmt.Sprint(i), now) {
				n++
			}
		}
		now = now.Add(time.Minute)
	}
	if n != 2*mostSaid {
		t.Errorf("%d lines in two minutes, want %d", n, 2*mostSaid)
	}
}
