package hooks

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// A forgeCase is how one forge sends: its signature, made from a secret of the run, and its
// headers.
type forgeCase struct {
	kind   string
	event  string                   // the header that names the event
	push   string                   // what it says of a push
	secret func() string            // how secrets of the kind look
	sign   func(s sent, key string) // sets headers
}

// sent is a delivery on its way.
type sent struct {
	header http.Header
	body   []byte
}

func forgeCases() []forgeCase {
	return []forgeCase{
		{"github", "X-GitHub-Event", "push", madeUp, func(s sent, key string) {
			s.header.Set("X-Hub-Signature-256", "sha256="+hexMAC(sha256.New, key, s.body))
			s.header.Set("X-Hub-Signature", "sha1="+hexMAC(sha1.New, key, s.body))
		}},
		{"gitlab", "X-Gitlab-Event", "Push Hook", madeUp, func(s sent, key string) { s.header.Set("X-Gitlab-Token", key) }},
		{"gitea", "X-Gitea-Event", "push", madeUp, func(s sent, key string) {
			s.header.Set("X-Gitea-Signature", hexMAC(sha256.New, key, s.body))
			s.header.Set("X-Gogs-Signature", hexMAC(sha256.New, key, s.body))
			s.header.Set("X-Hub-Signature-256", "sha256="+hexMAC(sha256.New, key, s.body))
			s.header.Set("X-Hub-Signature", "sha1="+hexMAC(sha1.New, key, s.body))
			s.header.Set("X-GitHub-Event", "push") // they all send it
		}},
		{"forgejo", "X-Forgejo-Event", "push", madeUp, func(s sent, key string) {
			s.header.Set("X-Forgejo-Signature", hexMAC(sha256.New, key, s.body))
			s.header.Set("X-Gitea-Signature", hexMAC(sha256.New, key, s.body))
			s.header.Set("X-Gitea-Event", "push")
		}},
		{"gogs", "X-Gogs-Event", "push", madeUp, func(s sent, key string) {
			s.header.Set("X-Gogs-Signature", hexMAC(sha256.New, key, s.body))
			s.header.Set("X-Github-Event", "push")
		}},
		{"bitbucket", "X-Event-Key", "repo:push", madeUp, func(s sent, key string) {
			s.header.Set("X-Hub-Signature", "sha256="+hexMAC(sha256.New, key, s.body))
		}},
		{"bitbucket-data-center", "X-Event-Key", "repo:refs_changed", madeUp, func(s sent, key string) {
			s.header.Set("X-Hub-Signature", "sha256="+hexMAC(sha256.New, key, s.body))
		}},
		{"azure-devops", "", "", madeUp, func(s sent, key string) {
			s.header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte("anybody:"+key)))
		}},
		{"push", "", "", madeUp, func(s sent, key string) {
			s.header.Set("X-Signature", "sha256="+hexMAC(sha256.New, key, s.body))
		}},
	}
}

func forge(t testing.TB, kind string) forgeCase {
	t.Helper()
	for _, f := range forgeCases() {
		if f.kind == kind {
			return f
		}
	}
	t.Fatalf("there is no %s", kind)
	return forgeCase{}
}

// madeUp is a secret that nobody has.
func madeUp() string { return "fake-" + rand.Text() }

func hexMAC(h func() hash.Hash, key string, body []byte) string {
	m := hmac.New(h, []byte(key))
	m.Write(body)
	return hex.EncodeToString(m.Sum(nil))
}

// A desk is a handler with one receiver, and what it was told.
type desk struct {
	*Handler
	path string
	told []Sighting
}

func newDesk(t testing.TB, r Receiver, keys ...string) *desk {
	t.Helper()
	token, d := rand.Text()+rand.Text(), &desk{}
	r.Name = "r"
	r.Secrets = func() (Secrets, error) {
		s := Secrets{Token: token}
		for _, k := range keys {
			s.Keys = append(s.Keys, []byte(k))
		}
		return s, nil
	}
	h, err := New(Options{Receivers: []Receiver{r}, Look: func(_ Receiver, s Sighting) bool {
		d.told = append(d.told, s)
		return true
	}})
	if err != nil {
		t.Fatal(err)
	}
	d.Handler, d.path = h, Prefix+r.Kind+"/"+token
	return d
}

// post is how a delivery is answered.
func (d *desk) post(s sent) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, d.path, bytes.NewReader(s.body))
	r.Header = s.header
	if r.Header.Get("Content-Type") == "" {
		r.Header.Set("Content-Type", "application/json")
	}
	rec := httptest.NewRecorder()
	d.ServeHTTP(rec, r)
	return rec
}

// deliver signs a body and posts it as an event of a forge.
func (f forgeCase) deliver(d *desk, key, event string, body []byte) *httptest.ResponseRecorder {
	s := sent{http.Header{}, body}
	f.sign(s, key)
	if f.event != "" {
		s.header.Set(f.event, event)
	}
	return d.post(s)
}

func payloadOf(t testing.TB, kind string) []byte {
	t.Helper()
	body, err := os.ReadFile("testdata/forges/" + kind + ".json")
	if err != nil {
		t.Fatal(err)
	}
	return body
}

func TestEveryForgeHasACase(t *testing.T) {
	var kinds []string
	for _, f := range forgeCases() {
		kinds = append(kinds, f.kind)
	}
	for _, v := range forges() {
		if !slices.Contains(kinds, v.kind) {
			t.Errorf("nothing sends %s to a test", v.kind)
		}
		if v.signed == nil || v.title == "" || !strings.Contains(strings.Join(v.setUp("URL-OF-IT"), "\n"), "URL-OF-IT") {
			t.Errorf("%s opens without a secret, or says not how to set it up", v.kind)
		}
	}
	all := Kinds()
	if len(slices.Compact(slices.Clone(all))) != len(all) {
		t.Errorf("two vendors have the same kind: %v", all)
	}
}

// A push comes to one look, also where it is the echo of our own commit; that of another
// branch to none.
//
// fault: W-26
func TestAPushIsOneLook(t *testing.T) {
	for _, f := range forgeCases() {
		for branch, want := range map[string]int{"main": 1, "": 1, "release": 0, "mai": 0, "refs/heads/main": 0} {
			key := f.secret()
			d := newDesk(t, Receiver{Kind: f.kind, Branch: branch}, key)
			if rec := f.deliver(d, key, f.push, payloadOf(t, f.kind)); rec.Code != http.StatusAccepted {
				t.Fatalf("%s: answered %d %s", f.kind, rec.Code, rec.Body)
			}
			if len(d.told) != want {
				t.Errorf("%s: a push to main, %q is watched: %d looks, want %d", f.kind, branch, len(d.told), want)
			}
			for _, s := range d.told {
				if !s.Branch || len(s.Images) > 0 {
					t.Errorf("%s: told of %+v", f.kind, s)
				}
			}
		}
	}
}

func TestEventsOfForges(t *testing.T) {
	const zero, one = "0000000000000000000000000000000000000000", "1a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d"
	for _, test := range []struct {
		kind, event, body string
		look              bool
	}{
		{"github", "ping", `{"zen":"Design for failure.","hook_id":1}`, false},
		{"github", "push", `{"ref":"refs/heads/main","after":"` + zero + `","deleted":true}`, false},
		{"github", "push", `{"ref":"refs/heads/main","deleted":true}`, false},
		{"github", "push", `{"ref":"refs/tags/main","after":"` + one + `"}`, false},
		{"github", "push", `{"ref":"refs/heads/","after":"` + one + `"}`, false},
		{"github", "push", `{"ref":"main","after":"` + one + `"}`, false},
		{"github", "delete", `{"ref":"main","ref_type":"branch"}`, false},
		{"github", "create", `{"ref":"main","ref_type":"branch"}`, false},
		{"github", "pull_request", `{"action":"closed","number":1}`, true},
		{"github", "pull_request", `{"action":"opened","number":1}`, false},
		{"github", "check_suite", `{"action":"completed"}`, true},
		{"github", "check_run", `{"action":"created"}`, false},
		{"github", "status", `{"state":"success"}`, true},
		{"github", "status", `{"state":"pending"}`, false},
		{"github", "of tomorrow", `{"ref":"refs/heads/main"}`, false},
		{"gitlab", "Push Hook", `{"ref":"refs/heads/main","after":"` + zero + `","checkout_sha":null}`, false},
		{"gitlab", "Push Hook", `{"ref":"refs/heads/main"}`, true}, // old ones and others' proxies say no more
		{"gitlab", "Tag Push Hook", `{"ref":"refs/tags/main","after":"` + one + `"}`, false},
		{"gitlab", "System Hook", `{"event_name":"push","ref":"refs/heads/main","after":"` + one + `"}`, true},
		{"gitlab", "System Hook", `{"event_name":"repository_update","changes":[]}`, false},
		{"gitlab", "System Hook", `{"object_kind":"merge_request","object_attributes":{"action":"merge"}}`, true},
		{"gitlab", "Merge Request Hook", `{"object_kind":"merge_request","object_attributes":{"action":"merge"}}`, true},
		{"gitlab", "Merge Request Hook", `{"object_kind":"merge_request","object_attributes":{"action":"close"}}`, true},
		{"gitlab", "Merge Request Hook", `{"object_kind":"merge_request","object_attributes":{"action":"update"}}`, false},
		{"gitlab", "Pipeline Hook", `{"object_attributes":{"status":"success"}}`, true},
		{"gitlab", "Pipeline Hook", `{"object_attributes":{"status":"running"}}`, false},
		{"gitea", "push", `{"ref":"refs/heads/main","after":"` + zero + `"}`, false},
		{"gitea", "push", `{"ref":"refs/tags/v1","after":"` + one + `"}`, false},
		{"gitea", "delete", `{"ref":"main","ref_type":"branch"}`, false},
		{"gitea", "pull_request", `{"action":"closed"}`, true},
		{"gitea", "status", `{"state":"failure"}`, true},
		{"forgejo", "pull_request", `{"action":"synchronized"}`, false},
		{"gogs", "push", `{"ref":"refs/heads/main","after":"` + one + `","secret":"of very old ones"}`, true},
		{"gogs", "delete", `{"ref":"main"}`, false},
		{"bitbucket", "repo:push", `{"push":{"changes":[{"old":{"type":"branch","name":"main"},"new":null,"closed":true}]}}`, false},
		{"bitbucket", "repo:push", `{"push":{"changes":[{"new":{"type":"tag","name":"main"}}]}}`, false},
		{"bitbucket", "repo:push", `{"push":{"changes":[{"new":null},{"new":{"type":"branch","name":"main"}}]}}`, true},
		{"bitbucket", "repo:push", `{"push":{"changes":[]}}`, false},
		{"bitbucket", "pullrequest:fulfilled", `{"pullrequest":{"id":1}}`, true},
		{"bitbucket", "pullrequest:created", `{"pullrequest":{"id":1}}`, false},
		{"bitbucket", "repo:commit_status_updated", `{"commit_status":{"state":"SUCCESSFUL"}}`, true},
		{"bitbucket", "repo:commit_status_created", `{"commit_status":{"state":"INPROGRESS"}}`, false},
		{"bitbucket-data-center", "diagnostics:ping", `{"test":true}`, false},
		{"bitbucket-data-center", "repo:refs_changed", `{"changes":[{"ref":{"id":"refs/heads/main"},"type":"ADD"}]}`, true}, // without a repository
		{"bitbucket-data-center", "repo:refs_changed", `{"repository":null,"changes":[{"ref":null,"type":"UPDATE"}]}`, false},
		{"bitbucket-data-center", "repo:refs_changed", `{"changes":[{"ref":{"id":"refs/heads/main"},"type":"DELETE"}]}`, false},
		{"bitbucket-data-center", "repo:refs_changed", `{"changes":[{"ref":{"id":"refs/tags/main"},"type":"ADD"}]}`, false},
		{"bitbucket-data-center", "pr:merged", `{"pullRequest":{"id":42}}`, true},
		{"bitbucket-data-center", "pr:opened", `{"pullRequest":{"id":42}}`, false},
		{"azure-devops", "", `{"eventType":"git.push","resource":{"refUpdates":[{"name":"refs/heads/main","newObjectId":"` + zero + `"}]}}`, false},
		{"azure-devops", "", `{"eventType":"git.push","resource":{"refUpdates":[{"name":"refs/heads/x"},{"name":"refs/heads/main","newObjectId":"` + one + `"}]}}`, true},
		{"azure-devops", "", `{"eventType":"git.pullrequest.updated","resource":{"status":"abandoned","pullRequestId":42}}`, true},
		{"azure-devops", "", `{"eventType":"git.pullrequest.updated","resource":{"status":"active"}}`, false},
		{"azure-devops", "", `{"eventType":"build.complete","resource":{}}`, true},
		{"azure-devops", "", `{"eventType":"workitem.created"}`, false},
		{"push", "", `{"ref":"refs/heads/main"}`, true},
		{"push", "", `{"ref":"refs/tags/main"}`, false},
	} {
		f, key := forge(t, test.kind), madeUp()
		d := newDesk(t, Receiver{Kind: test.kind, Branch: "main"}, key)
		if rec := f.deliver(d, key, test.event, []byte(test.body)); rec.Code != http.StatusAccepted {
			t.Errorf("%s %s %s: answered %d", test.kind, test.event, test.body, rec.Code)
		}
		if got := len(d.told) == 1; got != test.look {
			t.Errorf("%s %s %s: told %v, want a look: %v", test.kind, test.event, test.body, d.told, test.look)
		}
	}
}

// Each forge's delivery, wrong in every way that a stranger might try. Nothing of it is
// parsed: the body is no JSON, and would be told so.
//
// fault: W-01
// fault: W-02
// fault: W-03
// fault: W-04
func TestForgedDeliveriesOfForges(t *testing.T) {
	headers := []string{"X-Hub-Signature-256", "X-Hub-Signature", "X-Gitea-Signature", "X-Forgejo-Signature", "X-Gogs-Signature",
		"X-Gitlab-Token", "Authorization", "X-Signature"}
	for _, f := range forgeCases() {
		key := f.secret()
		good := func() sent {
			s := sent{http.Header{}, []byte(`{"no": JSON`)}
			f.sign(s, key)
			s.header.Set(f.event, f.push)
			return s
		}
		d := newDesk(t, Receiver{Kind: f.kind}, key)
		if rec := d.post(good()); rec.Code != http.StatusBadRequest {
			t.Fatalf("%s: well signed and no JSON: %d", f.kind, rec.Code)
		}
		refused := func(what string, s sent) {
			t.Helper()
			if rec := d.post(s); rec.Code != http.StatusUnauthorized {
				t.Errorf("%s: %s: answered %d", f.kind, what, rec.Code)
			}
		}
		none := good()
		for _, h := range headers {
			none.header.Del(h)
		}
		refused("no signature", none)
		other := good()
		f.sign(other, f.secret())
		refused("another secret", other)

		for _, h := range headers {
			value := good().header.Get(h)
			if value == "" {
				continue
			}
			for what, v := range map[string]string{
				"truncated":   value[:len(value)-1],
				"empty":       "",
				"in capitals": strings.ToUpper(value),
				"longer":      value + "0",
			} {
				s := good()
				s.header.Set(h, v)
				refused(h+" "+what, s)
			}
			s := good()
			s.header[http.CanonicalHeaderKey(h)] = []string{value, "x"}
			refused("two of "+h, s)
		}
		if f.kind == "gitlab" || f.kind == "azure-devops" {
			continue // they do not sign the body
		}
		s := good()
		s.body = append(bytes.Clone(s.body), ' ')
		refused("a body written otherwise", s)
		s = good()
		for _, h := range headers {
			if h != "X-Hub-Signature" || f.kind == "bitbucket" || f.kind == "bitbucket-data-center" {
				s.header.Del(h)
			}
		}
		s.header.Set("X-Hub-Signature", "sha1="+hexMAC(sha1.New, key, s.body))
		refused("sha1 alone", s)
	}
}

// The config says which forge it is. What else a delivery's headers call it decides nothing.
//
// fault: W-02
func TestHeadersOfAnotherForgeDecideNothing(t *testing.T) {
	body := []byte(`{"ref":"refs/heads/main"}`)
	for _, test := range []struct {
		kind, signature, event, other string
	}{
		{"github", "X-Gitea-Signature", "X-GitHub-Event", "X-Gitea-Event"},
		{"github", "X-Gogs-Signature", "X-GitHub-Event", "X-Gogs-Event"},
		{"gogs", "X-Gitea-Signature", "X-Gogs-Event", "X-Gitea-Event"},
		{"gitea", "X-Signature", "X-Gitea-Event", "X-GitHub-Event"},
		{"bitbucket", "X-Gogs-Signature", "X-Event-Key", "X-GitHub-Event"},
		{"push", "X-Gitea-Signature", "", ""},
	} {
		f, key := forge(t, test.kind), madeUp()
		d := newDesk(t, Receiver{Kind: test.kind}, key)
		s := sent{http.Header{}, body}
		s.header.Set(test.signature, hexMAC(sha256.New, key, body))
		s.header.Set(test.event, f.push)
		if rec := d.post(s); rec.Code != http.StatusUnauthorized {
			t.Errorf("%s took %s: answered %d", test.kind, test.signature, rec.Code)
		}
		if test.event == "" {
			continue
		}
		s = sent{http.Header{}, body}
		f.sign(s, key)
		s.header.Set(test.event, "ping")
		s.header.Set(test.other, "push")
		if rec := d.post(s); rec.Code != http.StatusAccepted || len(d.told) > 0 {
			t.Errorf("%s believed %s: answered %d and told %v", test.kind, test.other, rec.Code, d.told)
		}
	}
}

func standard(s sent, key []byte, id string, at time.Time) {
	stamp := strconv.FormatInt(at.Unix(), 10)
	m := hmac.New(sha256.New, key)
	fmt.Fprintf(m, "%s.%s.%s", id, stamp, s.body)
	s.header.Set("Webhook-Id", id)
	s.header.Set("Webhook-Timestamp", stamp)
	s.header.Set("Webhook-Signature", "v1,"+base64.StdEncoding.EncodeToString(m.Sum(nil)))
}

// GitLab's signing token: whsec_ and the key in base64.
//
// fault: W-06
func TestGitLabsSigningToken(t *testing.T) {
	raw := make([]byte, 32)
	rand.Read(raw)
	secret, now := "whsec_"+base64.StdEncoding.EncodeToString(raw), time.Now()
	deliver := func(change func(s sent)) int {
		s := sent{http.Header{"X-Gitlab-Event": {"Push Hook"}}, payloadOf(t, "gitlab")}
		standard(s, raw, "f1", now)
		change(s)
		return newDesk(t, Receiver{Kind: "gitlab"}, secret).post(s).Code
	}
	for _, test := range []struct {
		what   string
		change func(s sent)
		want   int
	}{
		{"as it comes", func(sent) {}, 202},
		{"4 min ago", func(s sent) { standard(s, raw, "f1", now.Add(-4*time.Minute)) }, 202},
		{"6 min ago", func(s sent) { standard(s, raw, "f1", now.Add(-6*time.Minute)) }, 401},
		{"in 6 min", func(s sent) { standard(s, raw, "f1", now.Add(6*time.Minute)) }, 401},
		{"no timestamp", func(s sent) { s.header.Del("Webhook-Timestamp") }, 401},
		{"another timestamp", func(s sent) { s.header.Set("Webhook-Timestamp", strconv.FormatInt(now.Unix()-1, 10)) }, 401},
		{"another id", func(s sent) { s.header.Set("Webhook-Id", "f2") }, 401},
		{"several signatures", func(s sent) {
			s.header.Set("Webhook-Signature", "v1,AAAA "+s.header.Get("Webhook-Signature"))
		}, 202},
		{"v1a", func(s sent) {
			s.header.Set("Webhook-Signature", strings.Replace(s.header.Get("Webhook-Signature"), "v1,", "v1a,", 1))
		}, 401},
		{"by the text of the token", func(s sent) { standard(s, []byte(secret), "f1", now) }, 401},
		// Who sends cannot choose the weaker way: a token that leaked from a log of headers is none.
		{"the token as it is", func(s sent) {
			s.header.Del("Webhook-Signature")
			s.header.Set("X-Gitlab-Token", secret)
		}, 401},
	} {
		if got := deliver(test.change); got != test.want {
			t.Errorf("%s: answered %d, want %d", test.what, got, test.want)
		}
	}
}

// fault: W-06
func TestAPushBySomethingElse(t *testing.T) {
	key, now := madeUp(), time.Now()
	s := sent{http.Header{}, []byte(`{"ref":"refs/heads/main"}`)}
	standard(s, []byte(key), "1", now)
	d := newDesk(t, Receiver{Kind: "push", Branch: "main"}, key)
	if rec := d.post(s); rec.Code != http.StatusAccepted || len(d.told) != 1 {
		t.Errorf("Standard Webhooks: %d, told %v", rec.Code, d.told)
	}
	s.header.Set("X-Signature", "sha256="+hexMAC(sha256.New, "fake", s.body))
	if rec := d.post(s); rec.Code != http.StatusUnauthorized {
		t.Errorf("both, and one wrong: %d", rec.Code)
	}
}

// GitHub signs the form, Gitea and Gogs the payload in it.
//
// fault: W-12
func TestForms(t *testing.T) {
	for kind, signsForm := range map[string]bool{"github": true, "gitea": false, "forgejo": false, "gogs": false} {
		f, key, payload := forge(t, kind), madeUp(), payloadOf(t, kind)
		form := func(fields url.Values) sent {
			return sent{http.Header{"Content-Type": {"application/x-www-form-urlencoded"}, http.CanonicalHeaderKey(f.event): {f.push}}, []byte(fields.Encode())}
		}
		sign := func(s sent, body []byte) sent {
			f.sign(sent{s.header, body}, key)
			return s
		}
		for _, test := range []struct {
			what string
			s    sent
			want int
		}{
			{"the form is signed", sign(form(url.Values{"payload": {string(payload)}}), []byte(url.Values{"payload": {string(payload)}}.Encode())), map[bool]int{true: 202, false: 401}[signsForm]},
			{"the payload is signed", sign(form(url.Values{"payload": {string(payload)}}), payload), map[bool]int{true: 401, false: 202}[signsForm]},
			{"two payloads", sign(form(url.Values{"payload": {string(payload), `{}`}}), payload), 401},
			{"not signed", form(url.Values{"payload": {string(payload)}}), 401},
		} {
			d := newDesk(t, Receiver{Kind: kind, Branch: "main"}, key)
			if rec := d.post(test.s); rec.Code != test.want || (rec.Code == 202) != (len(d.told) == 1) {
				t.Errorf("%s: %s: answered %d and told %v, want %d", kind, test.what, rec.Code, d.told, test.want)
			}
		}
	}
	// Its packages come by the same hooks.
	key, payload := madeUp(), `{"action":"created","package":{"type":"container","name":"web","version":"1.4","owner":{"login":"team1"}}}`
	d := newDesk(t, Receiver{Kind: "gitea-packages", Host: "gitea.example"}, key)
	s := sent{http.Header{"Content-Type": {"application/x-www-form-urlencoded"}, "X-Gitea-Event": {"package"}}, []byte(url.Values{"payload": {payload}}.Encode())}
	forge(t, "gitea").sign(sent{s.header, []byte(payload)}, key)
	if rec := d.post(s); rec.Code != http.StatusAccepted || len(d.told) != 1 {
		t.Errorf("gitea-packages: answered %d and told %v", rec.Code, d.told)
	}
	for _, kind := range []string{"gitlab", "bitbucket", "bitbucket-data-center", "azure-devops", "push"} {
		f, key := forge(t, kind), madeUp()
		s := sent{http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, []byte("payload=%7B%7D")}
		f.sign(s, key)
		if rec := newDesk(t, Receiver{Kind: kind}, key).post(s); rec.Code != http.StatusUnsupportedMediaType {
			t.Errorf("%s sends no forms: answered %d", kind, rec.Code)
		}
	}
}

// fault: W-05
func TestADeliveryThatCameBefore(t *testing.T) {
	for _, v := range forges() {
		if v.delivery == "" {
			continue
		}
		f, key := forge(t, v.kind), madeUp()
		d := newDesk(t, Receiver{Kind: v.kind}, key)
		post := func(id string, body []byte) int {
			s := sent{http.Header{}, body}
			f.sign(s, key)
			s.header.Set(f.event, f.push)
			s.header.Set(v.delivery, id)
			return d.post(s).Code
		}
		if code := post("1", []byte(`{}`)); code != http.StatusBadRequest {
			t.Errorf("%s: answered %d", v.kind, code)
		}
		for _, id := range []string{"1", "1", "1", "2"} { // what was not taken may come again
			if code := post(id, payloadOf(t, v.kind)); code != http.StatusAccepted {
				t.Errorf("%s: answered %d", v.kind, code)
			}
		}
		if len(d.told) != 2 {
			t.Errorf("%s: two deliveries, one of them three times: %d looks", v.kind, len(d.told))
		}
	}
}

// From GitLab's plain token to a signing token without a gap; then the old one is nothing.
//
// fault: W-07
func TestFromATokenToASigningToken(t *testing.T) {
	raw := make([]byte, 32)
	rand.Read(raw)
	old, signing, body := madeUp(), "whsec_"+base64.StdEncoding.EncodeToString(raw), payloadOf(t, "gitlab")
	plain := sent{http.Header{"X-Gitlab-Event": {"Push Hook"}, "X-Gitlab-Token": {old}}, body}
	signed := sent{http.Header{"X-Gitlab-Event": {"Push Hook"}}, body}
	standard(signed, raw, "1", time.Now())
	for _, test := range []struct {
		keys          []string
		plain, signed int
	}{
		{[]string{old}, 202, 401},
		{[]string{old, signing}, 202, 202},
		{[]string{signing}, 401, 202},
	} {
		d := newDesk(t, Receiver{Kind: "gitlab"}, test.keys...)
		if p, s := d.post(plain).Code, d.post(signed).Code; p != test.plain || s != test.signed {
			t.Errorf("with %d secrets: the token %d, the signature %d; want %d and %d", len(test.keys), p, s, test.plain, test.signed)
		}
	}
}

// Every value of every payload in turn is taken out, made null, or of another type.
//
// fault: W-10
func TestBrokenPayloadsOfForges(t *testing.T) {
	for _, f := range forgeCases() {
		key := f.secret()
		d := newDesk(t, Receiver{Kind: f.kind}, key)
		var whole any
		if err := json.Unmarshal(payloadOf(t, f.kind), &whole); err != nil {
			t.Fatal(err)
		}
		n := 0
		broken(whole, func() {
			body, err := json.Marshal(whole)
			if err != nil {
				t.Fatal(err)
			}
			n++
			if rec := f.deliver(d, key, f.push, body); rec.Code != http.StatusAccepted && rec.Code != http.StatusBadRequest {
				t.Errorf("%s: %s: answered %d", f.kind, body, rec.Code)
			}
		})
		if n < 3 {
			t.Errorf("%s was broken %d times", f.kind, n)
		}
		for _, body := range []string{`null`, `[]`, `"text"`, `1`, ``, `{}`, strings.Repeat(`{"a":`, 100_000)} {
			if rec := f.deliver(d, key, f.push, []byte(body)); rec.Code != http.StatusBadRequest {
				t.Errorf("%s: %.20s: answered %d", f.kind, body, rec.Code)
			}
		}
		if f.event != "" { // nor is a list one, of an event that needs nothing of its payload
			if rec := f.deliver(d, key, "pullrequest:fulfilled", []byte(`[]`)); rec.Code != http.StatusBadRequest {
				t.Errorf("%s: a list: answered %d", f.kind, rec.Code)
			}
			s := sent{http.Header{}, payloadOf(t, f.kind)}
			f.sign(s, key)
			for h := range s.header {
				if strings.HasSuffix(h, "-Event") {
					s.header.Del(h)
				}
			}
			if rec := d.post(s); rec.Code != http.StatusBadRequest {
				t.Errorf("%s: no word of what it is about: answered %d", f.kind, rec.Code)
			}
		}
	}
}

// broken calls visit with each value below v replaced in turn.
func broken(v any, visit func()) {
	switch v := v.(type) {
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(v)) {
			kept := v[k]
			for _, instead := range []any{nil, true, 1.5, "text", []any{nil}, map[string]any{"a": nil}} {
				v[k] = instead
				visit()
			}
			delete(v, k)
			visit()
			v[k] = kept
			broken(kept, visit)
		}
	case []any:
		for i, kept := range v {
			for _, instead := range []any{nil, "text", []any{}} {
				v[i] = instead
				visit()
			}
			v[i] = kept
			broken(kept, visit)
		}
	}
}

// FuzzForges gives each forge's reader whatever comes: it must neither panic nor say more than that
// the branch may have moved.
func FuzzForges(f *testing.F) {
	vs := forges()
	for i, v := range vs {
		for _, c := range forgeCases() {
			if c.kind == v.kind {
				f.Add(i, c.push, payloadOf(f, v.kind))
			}
		}
	}
	f.Add(0, "pull_request", []byte(`{"action":null}`))
	f.Fuzz(func(t *testing.T, i int, event string, body []byte) {
		v := vs[uint(i)%uint(len(vs))]
		c := call{header: http.Header{}, body: body, now: time.Unix(0, 0), receiver: Receiver{Branch: "main"}}
		for _, h := range []string{"X-GitHub-Event", "X-Gitlab-Event", "X-Gitea-Event", "X-Gogs-Event", "X-Event-Key"} {
			c.header.Set(h, event)
		}
		s, err := v.read(c, "")
		if len(s.Images) > 0 || err != nil && s.Branch {
			t.Errorf("%s read %+v, %v", v.kind, s, err)
		}
	})
}

// Signatures that others published, so that these tests do not agree with themselves alone.
func TestPublishedSignatures(t *testing.T) {
	gitHub := call{body: []byte("Hello, World!"), header: http.Header{
		"X-Hub-Signature-256": {"sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"}}}
	if !signedGitHub(gitHub, []byte("It's a Secret to Everybody")) {
		t.Error("the example of GitHub's documentation is refused")
	}
	standard := call{body: []byte(`{"test": 2432232314}`), now: time.Unix(1614265330, 0), header: http.Header{
		"Webhook-Id": {"msg_p5jXN8AQM9LWM0D4loKWxJek"}, "Webhook-Timestamp": {"1614265330"},
		"Webhook-Signature": {"v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="}}}
	if !signedGitLab(standard, []byte("whsec_"+"MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")) {
		t.Error("the example of Standard Webhooks' documentation is refused")
	}
}
