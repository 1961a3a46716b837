package hooks

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// Who looks into the log learns why a delivery was refused, and what to do; the sender does not.
func TestWhyRefused(t *testing.T) {
	json := http.Header{"Content-Type": {"application/json"}}
	with := func(more ...string) http.Header {
		h := json.Clone()
		for i := 0; i < len(more); i += 2 {
			h.Add(more[i], more[i+1])
		}
		return h
	}
	ago := func(d time.Duration) string { return strconv.FormatInt(time.Now().Add(-d).Unix(), 10) }
	const wrong = "what-somebody-sent"
	synctest.Test(t, func(t *testing.T) {
		for _, tt := range []struct {
			kind, why string
			header    http.Header
			keys      int
		}{
			{"github", "no X-Hub-Signature-256 header came", with("X-Hub-Signature", wrong), 1},
			{"github", "the signature is not that of any of its 1 secrets", with("X-Hub-Signature-256", wrong), 1},
			{"ghcr", "the signature is not that of any of its 2 secrets", with("X-Hub-Signature-256", wrong), 2},
			{"github", "2 headers X-Hub-Signature-256 came", with("X-Hub-Signature-256", wrong, "X-Hub-Signature-256", wrong), 1},
			{"gitlab", "no X-Gitlab-Token header came", json, 1},
			{"gitlab", "what came in X-Gitlab-Token is none of its 1 secrets", with("X-Gitlab-Token", wrong), 1},
			{"gitea", "no X-Gitea-Signature or X-Forgejo-Signature or X-Gogs-Signature or X-Hub-Signature-256 header came", json, 1},
			{"harbor", "no Authorization header came", json, 1},
			{"harbor", "what came in Authorization is none of its 1 secrets", with("Authorization", "Bearer "+wrong), 1},
			{"generic", "no X-Signature or Webhook-Signature header came", json, 1},
			{"generic", "no Webhook-Id header came", with("Webhook-Signature", wrong), 1},
			{"generic", "its timestamp is no number", with("Webhook-Signature", wrong, "Webhook-Id", wrong, "Webhook-Timestamp", wrong), 1},
			{"generic", "its timestamp is 4000 s old", with("Webhook-Signature", wrong, "Webhook-Id", wrong, "Webhook-Timestamp", ago(4000*time.Second)), 1},
			{"generic", "its timestamp is 4000 s ahead", with("Webhook-Signature", wrong, "Webhook-Id", wrong, "Webhook-Timestamp", ago(-4000*time.Second)), 1},
			{"generic", "the signature is not that of any of its 1 secrets", with("Webhook-Signature", wrong, "Webhook-Id", wrong, "Webhook-Timestamp", ago(0)), 1},
			{"pubsub", "it came without an identity token", json, 0},
		} {
			secrets := secretsOf(tt.keys)
			r := newReceiver(tt.kind, "", secrets)
			if tt.kind == "pubsub" {
				r.Audience, r.Email = "a", "e"
			}
			p := newPlace(t, Options{Receivers: []Receiver{r}})
			w := p.post(address(tt.kind, secrets), tt.header, []byte(`{"`+wrong+`": 1}`))
			log := p.log.String()
			if !strings.Contains(log, tt.why) || !strings.Contains(log, " fix=") || strings.Contains(log, wrong) {
				t.Errorf("%s, %v: want %s in\n%s", tt.kind, tt.header, tt.why, log)
			}
			if w.Code != 401 || w.Body.String() != "the signature or secret is not right\n" {
				t.Errorf("%s: the sender hears %d %s", tt.kind, w.Code, w.Body)
			}
		}
	})
}

// Every kind that signs says by which header, and that it did not come.
func TestWhyUnsigned(t *testing.T) {
	for _, v := range vendors() {
		if v.signed == nil {
			continue
		}
		secrets := secretsOf(1)
		p := newPlace(t, Options{Receivers: []Receiver{{Name: "r", Kind: v.kind, Host: "registry.example", Secrets: fixed(secrets)}}})
		p.post(address(v.kind, secrets), http.Header{"Content-Type": {"application/json"}}, []byte("{}"))
		if log := p.log.String(); !strings.Contains(log, " header came") {
			t.Errorf("%s: %s", v.kind, log)
		}
	}
}

// A payload that cannot be read is described, and not quoted.
func TestWhyMalformed(t *testing.T) {
	for body, why := range map[string]string{
		"": "the payload is empty", " \n": "the payload is empty", `{"a":`: "the payload ends in the middle", `{"a": §}`: "the payload is no JSON", "{} {}": "something follows the payload",
	} {
		secrets := secretsOf(0)
		p := newPlace(t, Options{Receivers: []Receiver{newReceiver("quay", "", secrets)}})
		p.post(address("quay", secrets), http.Header{"Content-Type": {"application/json"}}, []byte(body))
		if log := p.log.String(); !strings.Contains(log, why) || !strings.Contains(log, " fix=") || strings.Contains(log, "§") {
			t.Errorf("%q: want %s in\n%s", body, why, log)
		}
	}
}

// Of each receiver it is known when it was last heard, and how that ended; of strangers nothing is kept.
func TestLastHeard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		one, two := secretsOf(0), secretsOf(1)
		p := newPlace(t, Options{Receivers: []Receiver{newReceiver("quay", "", one), newReceiver("github", "", two)}})
		json := http.Header{"Content-Type": {"application/json"}}
		start := time.Now()
		p.post(address("quay", one), json, []byte("{}"))
		time.Sleep(time.Minute)
		p.post(address("quay", one), json, []byte("{}"))
		p.post(address("quay", one), json, nil)
		p.post(address("github", two), json, []byte("{}"))
		p.post(address("quay", secretsOf(0)), json, []byte("{}"))
		want := []Last{{"the-github", "refused", start.Add(time.Minute)}, {"the-quay", "malformed", start.Add(time.Minute)}, {"the-quay", "nothing", start.Add(time.Minute)}}
		if diff := cmp.Diff(want, p.Heard()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}
