package remote

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/towpath/towpath/registry"
)

const (
	minTokenLife = time.Minute // what a token without expires_in lives, by the protocol
	maxTokenLife = time.Hour
	tokenLeeway  = 10 * time.Second // a token is not used in its last seconds
	// flightDeadline bounds a request that several questions wait for, its turn
	// at the gate included.
	flightDeadline = 2 * time.Minute

	maxTokens     = 48 << 20 // bytes of all that are kept, keys included
	roomForTokens = maxTokens / 8
	tokenEntry    = 256 // bytes that one takes beside its text
)

// A tokenKey is all that decides what a token is good for. A token that was
// given for one registry, to one identity, for one repository is never shown for
// another.
type tokenKey struct {
	identity identityID
	registry origin
	realm    string
	service  string
	scope    string
}

func (k tokenKey) String() string {
	return fmt.Sprintf("%x %s %q %q %q", k.identity, k.registry, k.realm, k.service, k.scope)
}

type token struct {
	header       string // as it is shown: "Bearer …"
	got, expires time.Time
}

// tokens keeps access tokens until they expire, or until newer ones take their
// room. Questions that want the same one at the same time share one request.
type tokens struct {
	flight singleflight.Group

	mu    sync.Mutex // over all below
	kept  map[tokenKey]token
	bytes int // of kept
}

// get keeps and returns what fetch brings, or what was brought for the same key
// meanwhile. Whoever waits may leave; the request goes on for the others.
func (t *tokens) get(ctx context.Context, key tokenKey, fetch func(context.Context) (token, error)) (string, error) {
	result := t.flight.DoChan(key.String(), func() (any, error) {
		if header, ok := t.lookup(key, time.Now()); ok { // brought while we came here
			return header, nil
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), flightDeadline)
		defer cancel()
		tok, err := fetch(ctx)
		if err != nil {
			return "", err
		}
		t.keep(key, tok)
		return tok.header, nil
	})
	select {
	case r := <-result:
		return r.Val.(string), r.Err
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
}

func (t *tokens) lookup(key tokenKey, now time.Time) (string, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	tok, ok := t.kept[key]
	return tok.header, ok && now.Before(tok.expires)
}

func (t *tokens) keep(key tokenKey, tok token) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.kept == nil {
		t.kept = map[tokenKey]token{}
	}
	t.remove(key)
	t.kept[key] = tok
	t.bytes += bytesOf(key, tok)
	if t.bytes > maxTokens {
		t.prune(tok.got)
	}
}

// prune drops the expired ones and then, until there is room again, the oldest. Not
// those that expire first: what a registry gives for long would stay at the cost of
// all others.
func (t *tokens) prune(now time.Time) {
	keys := slices.SortedFunc(maps.Keys(t.kept), func(a, b tokenKey) int { return t.kept[a].got.Compare(t.kept[b].got) })
	for _, key := range keys {
		if !now.Before(t.kept[key].expires) {
			t.remove(key)
		}
	}
	for _, key := range keys {
		if t.bytes <= maxTokens-roomForTokens {
			return
		}
		t.remove(key)
	}
}

// remove drops a token, if it is there. The caller holds the lock.
func (t *tokens) remove(key tokenKey) {
	if tok, ok := t.kept[key]; ok {
		delete(t.kept, key)
		t.bytes -= bytesOf(key, tok)
	}
}

func bytesOf(key tokenKey, tok token) int {
	return tokenEntry + len(tok.header) + len(key.realm) + len(key.service) + len(key.scope)
}

// drop forgets a token that a registry no longer takes, unless it was replaced
// already.
func (t *tokens) drop(key tokenKey, header string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.kept[key].header == header {
		t.remove(key)
	}
}

// A refusedError is a token service that does not take the credential.
type refusedError struct{ status int }

func (e *refusedError) Error() string { return fmt.Sprintf("the token service answered %d", e.status) }

// requestToken asks a token service. The caller has checked that who may be
// shown to it.
func requestToken(ctx context.Context, next http.RoundTripper, realm *url.URL, service, scope string, who *identity, agent string) (token, error) {
	req, err := tokenRequest(ctx, realm, service, scope, who)
	if err != nil {
		return token{}, err
	}
	req.Header.Set("User-Agent", agent)
	resp, err := next.RoundTrip(req)
	if err != nil {
		return token{}, err
	}
	switch s := resp.StatusCode; {
	case s == http.StatusOK:
		return readToken(bodyOf(resp), time.Now())
	case s == http.StatusTooManyRequests || s == http.StatusRequestTimeout || s >= 500:
		f := refusal(resp, nil)
		f.message = "the token service: " + f.message
		return token{}, f
	default:
		return token{}, &refusedError{s}
	}
}

// tokenRequest is a GET with the user and password, or, for an identity token, a
// POST of it. See https://distribution.github.io/distribution/spec/auth/oauth/.
func tokenRequest(ctx context.Context, realm *url.URL, service, scope string, who *identity) (*http.Request, error) {
	form := url.Values{"scope": {scope}}
	if service != "" {
		form.Set("service", service)
	}
	if who != nil && who.identityToken != "" {
		form.Set("grant_type", "refresh_token")
		form.Set("refresh_token", who.identityToken)
		form.Set("client_id", "towpath")
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, realm.String(), strings.NewReader(form.Encode()))
		if err == nil {
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		return req, err
	}
	u := *realm
	query := u.Query()
	for name, values := range form {
		query[name] = values
	}
	u.RawQuery = query.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err == nil && who != nil {
		req.SetBasicAuth(who.username, who.password)
	}
	return req, err
}

// readToken reads the answer of a token service. Only the duration it gives is
// used, and within bounds: clocks differ.
func readToken(body []byte, now time.Time) (token, error) {
	var said struct {
		Token       string `json:"token"`
		AccessToken string `json:"access_token"`
		ExpiresIn   any    `json:"expires_in"`
	}
	if err := json.Unmarshal(body, &said); err != nil {
		// The cause would quote the answer, which may hold a token.
		return token{}, invalid("the token service answered with something else than a token", errors.New("not JSON of the expected form"))
	}
	value := said.Token
	if value == "" {
		value = said.AccessToken
	}
	if !sendable(value) {
		return token{}, invalid("the token service answered with something else than a token", errors.New("empty, or with characters that no header may have"))
	}
	life := minTokenLife
	if seconds, ok := said.ExpiresIn.(float64); ok {
		life = clamp(seconds, minTokenLife, maxTokenLife)
	}
	return token{header: "Bearer " + value, got: now, expires: now.Add(life - tokenLeeway)}, nil
}

// sendable reports whether a token may stand in a header: visible ASCII.
func sendable(value string) bool {
	if value == "" {
		return false
	}
	for _, c := range []byte(value) {
		if c <= ' ' || c >= 0x7f {
			return false
		}
	}
	return true
}

// serviceRefused is what is said when nothing but the token service answered.
func serviceRefused(err *refusedError) *failure {
	return &failure{kind: registry.Unauthorized, message: "no such repository, or no access to it", status: err.status, cause: err}
}
