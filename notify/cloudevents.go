package notify

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A CloudEvents posts events in the structured mode of CloudEvents 1.0, signed as Standard
// Webhooks has it where there is a secret.
type CloudEvents struct {
	Endpoint
	Source     string // of the events: the repository's URL, without a user
	SecretFile string // signs: whsec_ and base64, or as it stands
	TokenFile  string // sent as a bearer token, over https or to this machine

	client *http.Client
}

// NewCloudEvents reads no secret yet.
func NewCloudEvents(c CloudEvents) (*CloudEvents, error) {
	client, err := newClient(c.CAFile)
	c.client = client
	return &c, err
}

// A cloudEvent is an event as it is sent.
type cloudEvent struct {
	SpecVersion string `json:"specversion"`
	ID          string `json:"id"`
	Source      string `json:"source"`
	Type        string `json:"type"`
	Subject     string `json:"subject"`
	Time        string `json:"time"`
	ContentType string `json:"datacontenttype"`
	Data        Data   `json:"data"`
}

// Body is an event as a receiver gets it.
func (c *CloudEvents) Body(e Event) ([]byte, error) {
	return json.Marshal(cloudEvent{"1.0", e.ID, c.Source, e.Type, e.Subject, e.Time.Format(time.RFC3339), "application/json", e.Data})
}

// Send is Sink's.
func (c *CloudEvents) Send(ctx context.Context, e Event) error {
	to, err := c.address()
	if err != nil {
		return err
	}
	body, err := c.Body(e)
	if err != nil {
		return &Error{What: "the event cannot be written as JSON", Final: true}
	}
	header := http.Header{"Content-Type": {"application/cloudevents+json"}}
	hidden, err := c.authorize(header, to, e.ID, body, time.Now())
	if err != nil {
		return err
	}
	return c.post(ctx, c.client, to, body, header, hidden...)
}

// Unready is all that keeps events from being sent, as its files are now.
func (c *CloudEvents) Unready() []error {
	to, err := c.address()
	faults := []error{err}
	if err == nil && c.TokenFile != "" {
		faults = append(faults, closed(to))
	}
	_, err = c.token()
	_, _, unsigned := c.key()
	return slices.DeleteFunc(append(faults, err, unsigned), func(err error) bool { return err == nil })
}

// authorize puts into a header what proves who sends, and returns what of it nobody may read.
func (c *CloudEvents) authorize(h http.Header, to *url.URL, id string, body []byte, now time.Time) (hidden []string, err error) {
	if c.TokenFile != "" {
		if err := closed(to); err != nil {
			return nil, err
		}
		token, err := c.token()
		if err != nil {
			return nil, err
		}
		hidden = append(hidden, token)
		h.Set("Authorization", "Bearer "+token)
	}
	if c.SecretFile != "" {
		text, key, err := c.key()
		if err != nil {
			return nil, err
		}
		hidden = append(hidden, text)
		stamp := strconv.FormatInt(now.Unix(), 10)
		h.Set("Webhook-Id", id)
		h.Set("Webhook-Timestamp", stamp)
		h.Set("Webhook-Signature", sign(key, id, stamp, body))
	}
	return hidden, nil
}

// closed is an error where a token would be seen on the way.
func closed(to *url.URL) error {
	if !isOpen(to) {
		return nil
	}
	return &Error{What: "the URL is plain http, which would show the token to everybody on the way", Fix: "write https://, or use secret-file instead of token-file", Final: true}
}

// token is empty where there is to be none.
func (c *CloudEvents) token() (string, error) {
	if c.TokenFile == "" {
		return "", nil
	}
	return readSecret(c.TokenFile)
}

// key is what signs, and how it is written; empty where nothing is signed.
func (c *CloudEvents) key() (text string, key []byte, err error) {
	if c.SecretFile == "" {
		return "", nil, nil
	}
	if text, err = readSecret(c.SecretFile); err == nil {
		key, err = keyOf(text)
	}
	return text, key, err
}

// shortestKey is what Standard Webhooks asks for at the least.
const shortestKey = 24

// keyOf is the key that a secret stands for.
func keyOf(text string) ([]byte, error) {
	key := []byte(text)
	if encoded, ok := strings.CutPrefix(text, "whsec_"); ok {
		var err error
		if key, err = base64.StdEncoding.DecodeString(encoded); err != nil {
			return nil, &Error{What: "the secret that signs is no base64 behind whsec_", Fix: "write it as the receiver shows it, or make one: echo whsec_$(openssl rand -base64 32)"}
		}
	}
	if len(key) < shortestKey {
		return nil, &Error{What: "the secret that signs has fewer than 24 bytes", Fix: "make one: echo whsec_$(openssl rand -base64 32)"}
	}
	return key, nil
}

// sign is the signature of Standard Webhooks.
func sign(key []byte, id, stamp string, body []byte) string {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(id + "." + stamp + "."))
	mac.Write(body)
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}
