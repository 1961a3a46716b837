package hooks

import (
	"errors"
	"strings"
	"testing"
)

// A receiver whose files cannot be read is closed, and the others hear; when they can, it is open.
func TestClosedAtTheStart(t *testing.T) {
	there, later := secretsOf(1), secretsOf(1)
	gone := newReceiver("generic", "", later)
	readable := false
	gone.Name, gone.Secrets = "gone", func() (Secrets, error) {
		if !readable {
			return Secrets{}, errors.New("path-token-file: not there")
		}
		return later, nil
	}
	p := newPlace(t, Options{Receivers: []Receiver{gone, newReceiver("acr", "", there)}})
	if !strings.Contains(p.log.String(), "closed until its files can be read") || len(p.Closed()) != 1 || !strings.Contains(p.Closed()[0].Error(), "hook gone: path-token-file: not there") {
		t.Errorf("closed: %v; the log has\n%s", p.Closed(), &p.log)
	}
	post := func(kind string, s Secrets) int {
		h, body := sample{}.head(), []byte(`{"image":"quay.io/a/b","tag":"1"}`)
		h.Set("Webhook-Id", "one")
		sign(kind, h, body, s.Keys[0])
		return p.post(address(kind, s), h, body).Code
	}
	if code := post("acr", there); code != 202 {
		t.Errorf("the other one answers %d", code)
	}
	if code := post("generic", later); code != 404 {
		t.Errorf("the closed one answers %d", code)
	}
	readable = true
	if code := post("generic", later); code != 202 {
		t.Errorf("once its files can be read it answers %d", code)
	}
}
