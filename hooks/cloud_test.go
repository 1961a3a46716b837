package hooks

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/towpath/towpath/registry"
)

const (
	someDigest  = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	otherDigest = "sha256:fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210"
)

// pubSub is a push of Pub/Sub around what Artifact Registry says.
func pubSub(t testing.TB, data any) []byte {
	t.Helper()
	text, isText := data.(string)
	if !isText {
		inner, err := json.Marshal(data)
		if err != nil {
			t.Fatal(err)
		}
		text = string(inner)
	}
	body, err := json.Marshal(object{
		"message": object{
			"data": base64.StdEncoding.EncodeToString([]byte(text)), "messageId": "136969346945",
			"message_id": "136969346945", "publishTime": "2026-05-01T10:00:00Z", "publish_time": "2026-05-01T10:00:00Z",
		},
		"subscription": "projects/project/subscriptions/towpath",
	})
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// cloudDesk is a receiver that trusts an issuer on loopback.
func cloudDesk(t testing.TB, kind string, is *issuer, keys *Keys, secrets ...string) *desk {
	t.Helper()
	trust := is.trust()
	r := Receiver{Kind: kind, Issuer: is.URL, Audience: trust.Audience}
	if kind == "pubsub" {
		r.Email = trust.Email
	}
	d := newDesk(t, r, secrets...)
	d.keys = keys
	return d
}

func bearer(token string) http.Header { return http.Header{"Authorization": {"Bearer " + token}} }

func (i *issuer) goodToken(t testing.TB) string {
	return mint(t, object{"alg": "RS256", "kid": "r1"}, i.says(time.Now()), byRSA(i.rsa))
}

func TestPubSub(t *testing.T) {
	is := newIssuer(t)
	keys, image := is.keys(t), "europe-docker.pkg.dev/project/images/team1/web"
	web := registry.Repo{Host: "europe-docker.pkg.dev", Path: "project/images/team1/web"}
	for _, test := range []struct {
		what string
		data any
		code int
		want []Image
	}{
		{"a tag", object{"action": "INSERT", "digest": image + "@" + someDigest, "tag": image + ":1.4"}, 202, []Image{{web, "1.4", someDigest}}},
		{"a tag alone", object{"action": "INSERT", "tag": image + ":1.4"}, 202, []Image{{web, "1.4", ""}}},
		{"the digest of another image", object{"action": "INSERT", "digest": "evil.example/x@" + someDigest, "tag": image + ":1.4"}, 202, []Image{{web, "1.4", ""}}},
		{"no digest", object{"action": "INSERT", "digest": "latest", "tag": image + ":1.4"}, 202, []Image{{web, "1.4", ""}}},
		{"pushed by digest", object{"action": "INSERT", "digest": image + "@" + someDigest}, 202, nil},
		{"a tag without a tag", object{"action": "INSERT", "tag": image + "@" + someDigest}, 202, nil},
		{"no name", object{"action": "INSERT", "tag": "../../x:1"}, 202, nil},
		{"deleted", object{"action": "DELETE", "digest": image + "@" + someDigest, "tag": image + ":1.4"}, 202, nil}, // fault: W-25
		{"nothing", object{}, 202, nil},
		{"null", object{"action": "INSERT", "tag": nil}, 202, nil},
		{"a number", object{"action": 1, "tag": 1}, 202, nil},
		{"a key twice", `{"action":"INSERT","tag":"` + image + `:a","TAG":"` + image + `:b"}`, 400, nil}, // fault: W-11
		{"no JSON", "hello", 400, nil},
		{"empty", "", 400, nil},
	} {
		d := cloudDesk(t, "pubsub", is, keys)
		rec := d.post(sent{bearer(is.goodToken(t)), pubSub(t, test.data)})
		var got []Image
		for _, s := range d.told {
			got = append(got, s.Images...)
		}
		if diff := cmp.Diff(test.want, got); diff != "" || rec.Code != test.code {
			t.Errorf("%s: answered %d, want %d; images (-want +got):\n%s", test.what, rec.Code, test.code, diff)
		}
	}
	for _, body := range []string{`{}`, `[]`, `null`, `{"message":null}`, `{"message":{}}`, `{"message":{"data":"%%%"}}`, `{"message":{"data":1}}`} {
		if rec := cloudDesk(t, "pubsub", is, keys).post(sent{bearer(is.goodToken(t)), []byte(body)}); rec.Code != http.StatusBadRequest {
			t.Errorf("%s: answered %d", body, rec.Code)
		}
	}
}

// The receiver's host goes before that of a payload.
func TestPubSubBehindAHostOfOnesOwn(t *testing.T) {
	is := newIssuer(t)
	d := newDesk(t, Receiver{Kind: "pubsub", Host: "Images.Example", Issuer: is.URL, Audience: is.trust().Audience, Email: is.trust().Email})
	d.keys = is.keys(t)
	d.post(sent{bearer(is.goodToken(t)), pubSub(t, object{"action": "INSERT", "tag": "gcr.io/project/web:1"})})
	want := []Sighting{{Images: []Image{{registry.Repo{Host: "images.example", Path: "project/web"}, "1", ""}}}}
	if diff := cmp.Diff(want, d.told); diff != "" {
		t.Error(diff)
	}
}

// Nothing is parsed before the token holds: the body is no JSON, and would be told so.
//
// fault: W-01
// fault: W-18
func TestDeliveriesWithoutAGoodToken(t *testing.T) {
	is := newIssuer(t)
	keys, now := is.keys(t), time.Now()
	head := object{"alg": "RS256", "kid": "r1"}
	good := is.goodToken(t)
	for _, kind := range []string{"pubsub", "event-grid"} {
		says := with(is.says(now), object{"azp": EventGrid})
		other := object{"email": "anybody@other.example", "azp": "another"}
		for what, h := range map[string]http.Header{
			"no token":           {},
			"an empty one":       {"Authorization": {"Bearer "}},
			"another scheme":     {"Authorization": {"Basic " + good}},
			"two tokens":         {"Authorization": {"Bearer " + good, "Bearer " + good}},
			"truncated":          bearer(good[:len(good)-10]),
			"of another account": bearer(mint(t, head, with(says, other), byRSA(is.rsa))),
			"by another key":     bearer(mint(t, head, says, byRSA(newRSA(t)))),
			"alg none":           bearer(mint(t, object{"alg": "none"}, says, byNobody)),
			"expired":            bearer(mint(t, head, with(says, object{"exp": now.Add(-time.Hour).Unix()}), byRSA(is.rsa))),
			"another audience":   bearer(mint(t, head, with(says, object{"aud": "https://other.example"}), byRSA(is.rsa))),
		} {
			d := cloudDesk(t, kind, is, keys)
			if rec := d.post(sent{h, []byte(`{"no": JSON`)}); rec.Code != http.StatusUnauthorized {
				t.Errorf("%s, %s: answered %d", kind, what, rec.Code)
			}
		}
		d := cloudDesk(t, kind, is, keys)
		token := mint(t, head, says, byRSA(is.rsa))
		if rec := d.post(sent{bearer(token), []byte(`{"no": JSON`)}); rec.Code != http.StatusBadRequest {
			t.Errorf("%s, a good token: answered %d", kind, rec.Code)
		}
	}
}

// An issuer that hangs holds nobody up: whoever sends is told to come again.
//
// fault: W-18
func TestAnIssuerThatHangsHoldsNobodyUp(t *testing.T) {
	is, hang := newIssuer(t), make(chan struct{})
	silent := httptest.NewTLSServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-hang }))
	t.Cleanup(silent.Close)
	t.Cleanup(func() { close(hang) })
	keys := NewKeys(silent.Client(), []string{is.URL, silent.URL}, quiet())
	go keys.Run(t.Context())

	d := cloudDesk(t, "pubsub", is, keys)
	d.receivers[0].Issuer = silent.URL
	begin := time.Now()
	rec := d.post(sent{bearer(is.goodToken(t)), pubSub(t, object{"action": "INSERT", "tag": "gcr.io/p/web:1"})})
	if took := time.Since(begin); rec.Code != http.StatusServiceUnavailable || rec.Header().Get("Retry-After") == "" || took > time.Second {
		t.Errorf("answered %d after %v, Retry-After %q; want 503 within a second", rec.Code, took, rec.Header().Get("Retry-After"))
	}
	if len(d.told) > 0 {
		t.Errorf("told %v", d.told)
	}
}

// fault: W-18
func TestAReceiverSaysWhoseTokensItBelieves(t *testing.T) {
	for _, test := range []struct {
		r    Receiver
		want string
	}{
		{Receiver{Kind: "pubsub"}, "audience:"},
		{Receiver{Kind: "pubsub", Audience: "a"}, "email:"},
		{Receiver{Kind: "pubsub", Audience: "a", Email: "b"}, ""},
		{Receiver{Kind: "pubsub", Audience: "a", Email: "b", Issuer: "http://issuer.example"}, "https"},
		{Receiver{Kind: "event-grid"}, ""},
		{Receiver{Kind: "event-grid", Email: "b"}, "take the line `email:` out"},
		{Receiver{Kind: "dockerhub", Email: "b"}, "shows no identity token"},
		{Receiver{Kind: "event-grid", Audience: "a"}, "write both"},
		{Receiver{Kind: "event-grid", Issuer: "https://sts.windows.net/t/"}, "write both"},
		{Receiver{Kind: "event-grid", Issuer: "sts.windows.net/t/", Audience: "a"}, "https"},
	} {
		test.r.Name = "r"
		test.r.Secrets = func() (Secrets, error) { return Secrets{Token: strings.Repeat("0123456789abcdef", 2)}, nil }
		_, err := New(Options{Receivers: []Receiver{test.r}})
		saysWrong(t, withFix(err), test.want)
	}
	got := Issuers([]Receiver{{Kind: "github", Issuer: "https://x.example"}, {Kind: "pubsub"}, {Kind: "pubsub"},
		{Kind: "event-grid", Issuer: "https://sts.windows.net/t/"}, {Kind: "event-grid"}})
	if diff := cmp.Diff([]string{Google, "https://sts.windows.net/t/"}, got); diff != "" {
		t.Error(diff)
	}
}

const imagePushed = `{
	"id": "831e1650-001e-001b-66ab-eeb76e069631",
	"topic": "/subscriptions/s/resourceGroups/g/providers/Microsoft.ContainerRegistry/registries/team1",
	"subject": "web:1.4", "eventType": "%s", "eventTime": "2026-05-01T10:00:00.0000000Z",
	"data": {
		"id": "31c51664-e5bd-416a-a5df-e5206bc47ed0", "timestamp": "2026-05-01T10:00:00.0000000Z", "action": "push", "location": "westus",
		"target": {"mediaType": "application/vnd.docker.distribution.manifest.v2+json", "size": 3023, "digest": "%s", "length": 3023, "repository": "%s", "tag": %s},
		"request": {"id": "7c66f28b", "host": "Team1.azurecr.io", "method": "PUT", "useragent": ""}
	},
	"dataVersion": "1.0", "metadataVersion": "1"
}`

func TestEventGrid(t *testing.T) {
	one := fmt.Sprintf(imagePushed, "Microsoft.ContainerRegistry.ImagePushed", someDigest, "web", `"1.4"`)
	two := fmt.Sprintf(imagePushed, "Microsoft.ContainerRegistry.ImagePushed", otherDigest, "team/api", `"2"`)
	untagged := fmt.Sprintf(imagePushed, "Microsoft.ContainerRegistry.ImagePushed", someDigest, "web", `null`)
	gone := fmt.Sprintf(imagePushed, "Microsoft.ContainerRegistry.ImageDeleted", someDigest, "web", `"1.4"`)
	chart := fmt.Sprintf(imagePushed, "Microsoft.ContainerRegistry.ChartPushed", someDigest, "web", `"1.4"`)
	web := Image{registry.Repo{Host: "team1.azurecr.io", Path: "web"}, "1.4", someDigest}
	api := Image{registry.Repo{Host: "team1.azurecr.io", Path: "team/api"}, "2", otherDigest}
	for _, test := range []struct {
		body string
		code int
		want []Image
	}{
		{"[" + one + "]", 202, []Image{web}},
		{"[" + one + "," + two + "," + one + "]", 202, []Image{web, api}},
		{"[" + untagged + "]", 202, nil},
		{"[" + gone + "," + chart + "]", 202, nil}, // fault: W-25
		{"[]", 202, nil},
		{"[null, 1, {}]", 202, nil},
		{`[{"eventType":"Microsoft.ContainerRegistry.ImagePushed","data":null}]`, 202, nil},
		{`[{"eventType":"Microsoft.ContainerRegistry.ImagePushed","data":{"target":[]}}]`, 202, nil},
		{one, 400, nil}, // of the CloudEvents schema, or one alone
		{`null`, 400, nil},
	} {
		d := newDesk(t, Receiver{Kind: "event-grid"})
		rec := d.post(sent{http.Header{}, []byte(test.body)})
		var got []Image
		for _, s := range d.told {
			got = append(got, s.Images...)
		}
		if diff := cmp.Diff(test.want, got); diff != "" || rec.Code != test.code {
			t.Errorf("%.300s: answered %d, want %d; images (-want +got):\n%s", test.body, rec.Code, test.code, diff)
		}
	}
}

// fault: W-14
func TestEventGridsHandshake(t *testing.T) {
	trap := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("validationUrl was fetched") }))
	defer trap.Close()
	hello := func(code string) []byte {
		body, err := json.Marshal([]object{{"id": "1", "topic": "t", "subject": "", "eventType": "Microsoft.EventGrid.SubscriptionValidationEvent",
			"data": object{"validationCode": code, "validationUrl": trap.URL + "/validate?id=1"}}})
		if err != nil {
			t.Fatal(err)
		}
		return body
	}
	const code = "512d38b6-c7b8-40c8-89fe-f46f9e9622b6"
	d := newDesk(t, Receiver{Kind: "event-grid"})
	rec := d.post(sent{http.Header{}, hello(code)})
	if got, want := strings.TrimSpace(rec.Body.String()), `{"validationResponse":"`+code+`"}`; rec.Code != http.StatusOK || got != want {
		t.Errorf("answered %d %s, want %s", rec.Code, got, want)
	}
	for _, strange := range []string{"", "<script>", strings.Repeat("a", 129), `"`} {
		rec := d.post(sent{http.Header{}, hello(strange)})
		if rec.Code != http.StatusAccepted || strings.Contains(rec.Body.String(), "validation") {
			t.Errorf("%.20q: answered %d %s", strange, rec.Code, rec.Body)
		}
	}

	// Where a token or a secret is configured nobody shakes hands without.
	is, key := newIssuer(t), madeUp()
	d = cloudDesk(t, "event-grid", is, is.keys(t), key)
	token := mint(t, object{"alg": "RS256", "kid": "r1"}, with(is.says(time.Now()), object{"appid": EventGrid}), byRSA(is.rsa))
	if rec := d.post(sent{bearer(token), hello(code)}); rec.Code != http.StatusOK {
		t.Errorf("the token where both are configured: %d", rec.Code)
	}
	if rec := d.post(sent{bearer(key), hello(code)}); rec.Code != http.StatusUnauthorized {
		t.Errorf("the secret where both are configured: %d", rec.Code)
	}
	d = cloudDesk(t, "event-grid", is, is.keys(t))
	if rec := d.post(sent{http.Header{}, hello(code)}); rec.Code != http.StatusUnauthorized {
		t.Errorf("no token: %d", rec.Code)
	}
	if rec := d.post(sent{bearer(token), hello(code)}); rec.Code != http.StatusOK {
		t.Errorf("a good token: %d", rec.Code)
	}
	d = newDesk(t, Receiver{Kind: "event-grid"}, key)
	if rec := d.post(sent{http.Header{}, hello(code)}); rec.Code != http.StatusUnauthorized {
		t.Errorf("no secret: %d", rec.Code)
	}
	if rec := d.post(sent{bearer(key), hello(code)}); rec.Code != http.StatusOK {
		t.Errorf("the secret: %d", rec.Code)
	}
}

// FuzzCloud gives both readers whatever comes.
func FuzzCloud(f *testing.F) {
	vs := cloud()
	f.Add(0, []byte(`{"message":{"data":"eyJhY3Rpb24iOiJJTlNFUlQiLCJ0YWciOiJnY3IuaW8vcC9pOjEifQ=="}}`))
	f.Add(1, []byte("["+fmt.Sprintf(imagePushed, "Microsoft.ContainerRegistry.ImagePushed", someDigest, "web", `"1.4"`)+"]"))
	f.Add(1, []byte(`[{"eventType":"Microsoft.EventGrid.SubscriptionValidationEvent","data":{"validationCode":"a"}}]`))
	f.Fuzz(func(t *testing.T, i int, body []byte) {
		v := vs[uint(i)%uint(len(vs))]
		c := call{header: http.Header{}, body: body}
		s, err := v.read(c, "")
		for _, image := range s.Images {
			if !image.Repo.IsCanonical() || image.Tag != "" && !registry.ValidTag(image.Tag) || image.Digest != "" && !registry.ValidDigest(image.Digest) {
				t.Errorf("%s read %+v", v.kind, image)
			}
		}
		if s.Branch || err != nil && len(s.Images) > 0 {
			t.Errorf("%s read %+v, %v", v.kind, s, err)
		}
		if v.answer != nil && len(v.answer(c)) > 200 {
			t.Errorf("%s answered at length", v.kind)
		}
	})
}
