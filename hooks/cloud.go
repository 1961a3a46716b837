package hooks

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"github.com/towpath/towpath/registry"
)

// cloud are the registries whose pushes come by a messenger of the cloud's own, which shows
// an identity token.
func cloud() []vendor {
	return []vendor{
		{
			kind: "pubsub", title: "Google Artifact Registry, by Pub/Sub",
			needs:   needsPubSub,
			vouched: vouchedPubSub,
			read:    readPubSub,
			setUp:   setUpPubSub,
		},
		{
			kind: "event-grid", title: "Azure Container Registry, by Event Grid",
			needs:   needsEventGrid,
			signed:  signedEventGrid,
			shows:   byHeaders("Authorization"),
			vouched: vouchedEventGrid,
			read:    readEventGrid,
			answer:  answerEventGrid,
			setUp:   setUpEventGrid,
		},
	}
}

// trust is whose tokens a receiver believes; an empty issuer: nobody's are looked at.
func (r Receiver) trust() Trust {
	t := Trust{Issuer: r.Issuer, Audience: r.Audience, Email: r.Email}
	switch r.Kind {
	case "pubsub":
		if t.Issuer == "" {
			t.Issuer = Google
		}
	case "event-grid":
		t.Email, t.App = "", EventGrid
	default:
		return Trust{}
	}
	return t
}

// Issuers are those whose keys the receivers need; NewKeys fetches them.
func Issuers(receivers []Receiver) []string {
	var issuers []string
	for _, r := range receivers {
		if t := r.trust(); t.Issuer != "" {
			issuers = append(issuers, t.Issuer)
		}
	}
	slices.Sort(issuers)
	return slices.Compact(issuers)
}

// vouched verifies the bearer token of a delivery.
func (t Trust) vouched(c call) error {
	scheme, token, _ := strings.Cut(only(c.header, "Authorization"), " ")
	if !strings.EqualFold(scheme, "bearer") || token == "" {
		return errors.New("it came without an identity token")
	}
	return c.keys.verify(token, t, c.now)
}

func httpsIssuer(issuer string) error {
	if issuer != "" && !strings.HasPrefix(issuer, "https://") {
		return errors.New("its issuer is no https address; write it as tokens say it")
	}
	return nil
}

func needsPubSub(r Receiver) error {
	switch {
	case r.Audience == "":
		return errors.New("it has no audience; write `audience:` as the subscription has it")
	case r.Email == "":
		return errors.New("it has no email; write `email:` and the service account that the subscription authenticates as")
	}
	return httpsIssuer(r.Issuer)
}

func vouchedPubSub(_ context.Context, c call) error { return c.receiver.trust().vouched(c) }

// readPubSub reads {"message": {"data": BASE64}} of {"action", "digest", "tag"}, whose names
// are whole references: HOST/PROJECT/REPOSITORY/IMAGE:TAG.
func readPubSub(c call, host string) (Sighting, error) {
	n, err := parse(c.body)
	if err != nil {
		return Sighting{}, err
	}
	if !n.at("message").isObject() {
		return Sighting{}, missing("message")
	}
	data, err := base64.StdEncoding.DecodeString(n.at("message", "data").text())
	if err != nil || len(data) == 0 {
		return Sighting{}, missing("message.data in base64")
	}
	event, err := parse(data)
	if err != nil {
		return Sighting{}, err
	}
	if event.at("action").text() != "INSERT" {
		return Sighting{}, nil
	}
	var s Sighting
	tagged, err := registry.ParseRef(event.at("tag").text())
	if err != nil || tagged.Tag == "" {
		return Sighting{}, nil // pushed by digest alone
	}
	digest := ""
	if whole, err := registry.ParseRef(event.at("digest").text()); err == nil && whole.Repo == tagged.Repo {
		digest = whole.Digest
	}
	r, ok := repository(host, tagged.Host, tagged.Path)
	s.seen(r, ok, tagged.Tag, digest)
	return s, nil
}

func setUpPubSub(url string) []string {
	return []string{
		"Artifact Registry publishes to the topic gcr of its project; make the topic if there is none:",
		"  gcloud pubsub topics create gcr",
		"  gcloud pubsub subscriptions create towpath --topic=gcr \\",
		"    --push-endpoint='" + url + "' \\",
		"    --push-auth-service-account=ACCOUNT --push-auth-token-audience=AUDIENCE",
		"ACCOUNT and AUDIENCE are email: and audience: of this receiver. Leave payload unwrapping off.",
	}
}

func needsEventGrid(r Receiver) error {
	if r.Email != "" {
		return errors.New("there is no email with Event Grid; take the line `email:` out, its application is known")
	}
	if (r.Issuer == "") != (r.Audience == "") {
		return errors.New("it has one of issuer and audience; write both: https://sts.windows.net/TENANT/ and the application that the event subscription asks tokens for, or neither")
	}
	return httpsIssuer(r.Issuer)
}

// signedEventGrid is the secret in a header, asked for where one is configured. The token takes
// the same header, and goes before it.
func signedEventGrid(c call, secret []byte) bool {
	return c.receiver.Issuer != "" || inHeader(c, secret)
}

// vouchedEventGrid wants a token where the receiver names an issuer; else the token of the
// path, and the secret of a header if there is one, are all that Event Grid can show.
func vouchedEventGrid(_ context.Context, c call) error {
	if c.receiver.Issuer == "" {
		return nil
	}
	return c.receiver.trust().vouched(c)
}

// readEventGrid reads a list of events in Event Grid's own schema.
func readEventGrid(c call, host string) (Sighting, error) {
	n, err := parse(c.body)
	if err != nil {
		return Sighting{}, err
	}
	if !n.isList() {
		return Sighting{}, missing("list of events; choose the Event Grid schema")
	}
	var s Sighting
	for _, event := range n.list() {
		if event.at("eventType").text() != "Microsoft.ContainerRegistry.ImagePushed" {
			continue
		}
		target := event.at("data", "target")
		r, ok := repository(host, event.at("data", "request", "host").text(), target.at("repository").text())
		s.seen(r, ok, target.at("tag").text(), target.at("digest").text())
	}
	return s, nil
}

// answerEventGrid gives back the code by which Event Grid sees that somebody listens. The
// address that comes with it is never asked for.
func answerEventGrid(c call) []byte {
	n, err := parse(c.body)
	if err != nil {
		return nil
	}
	for _, event := range n.list() {
		code := event.at("data", "validationCode").text()
		if event.at("eventType").text() == "Microsoft.EventGrid.SubscriptionValidationEvent" && isCode(code) {
			answer, err := json.Marshal(map[string]string{"validationResponse": code})
			if err != nil {
				return nil
			}
			return answer
		}
	}
	return nil
}

// isCode keeps the answer from saying whatever somebody wants to have said.
func isCode(s string) bool {
	return s != "" && len(s) <= 128 && strings.Trim(s, "-0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") == ""
}

func setUpEventGrid(url string) []string {
	return []string{
		"In the registry, under Events, add an event subscription:",
		"  Event Schema: Event Grid Schema; Event Types: Image Pushed",
		"  Endpoint Type: Web Hook; Endpoint: " + url,
		"With issuer: and audience: in this receiver, also under Additional features:",
		"  Use Microsoft Entra authentication, the tenant of issuer: and the application of audience:",
		"With a secret file, under Delivery properties: the header Authorization, secret, with the contents of the file.",
		"Towpath answers the handshake; nothing has to be opened by hand.",
	}
}
