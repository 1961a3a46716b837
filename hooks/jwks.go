package hooks

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// Keys are the keys of issuers, by which tokens are verified. They are fetched ahead: a
// delivery never waits for an issuer, and never makes more than one request a minute of it.
type Keys struct {
	client *http.Client
	log    *slog.Logger
	rings  map[string]*ring // by issuer; the map never changes
}

// A ring is what is known of one issuer's keys.
type ring struct {
	wake chan struct{} // holds one where somebody named a key that is not here

	mu sync.Mutex
	ringState
}

type ringState struct {
	keys    []jose.JSONWebKey
	fetched time.Time     // when the keys came; zero: never
	fresh   time.Duration // how long they are good for without asking again
	asked   time.Time     // when the issuer was asked last
	failed  int           // how often since it answered
	missed  bool          // somebody named a key that is not here
}

const (
	keysAgain   = time.Minute      // between two requests for an unknown key's sake
	keysAtLeast = 5 * time.Minute  // keys are kept, whatever the issuer says
	keysDefault = time.Hour        // where it says nothing
	keysAtMost  = 24 * time.Hour   // before they are asked for again
	keysStale   = 24 * time.Hour   // longer than that past their time, nobody is believed by them
	keysTimeout = 10 * time.Second // of one request
	keysRetry   = 5 * time.Second  // after a request that failed; doubled from there

	keysConnect = 5 * time.Second // …of it, to connect

	maxHeaders   = 64 << 10
	maxKeySet    = 100
	maxDocument  = 1 << 20
	minRSA       = 2048 // bits
	wellKnown    = "/.well-known/openid-configuration"
	maxRetryStep = 6 // 5 s << 6 is more than five minutes
)

// IssuerClient asks issuers as forges and receivers of notifications are asked: through the
// environment's proxy, if it names one. What comes back is bounded.
func IssuerClient() *http.Client {
	return &http.Client{Transport: &http.Transport{
		Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true,
		DialContext: (&net.Dialer{Timeout: keysConnect}).DialContext, TLSHandshakeTimeout: keysConnect,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
		MaxResponseHeaderBytes: maxHeaders, IdleConnTimeout: time.Minute, MaxIdleConns: 4,
	}}
}

// NewKeys are the keys of these issuers. They come with Run; log may be nil. The client must be one that
// may reach them; redirects are not followed, whatever it would do.
func NewKeys(client *http.Client, issuers []string, log *slog.Logger) *Keys {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	own := *client
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	k := &Keys{client: &own, log: log, rings: map[string]*ring{}}
	for _, issuer := range issuers {
		k.rings[issuer] = &ring{wake: make(chan struct{}, 1)}
	}
	return k
}

// Run fetches the keys, and again before they are too old, until the context ends.
func (k *Keys) Run(ctx context.Context) {
	var all sync.WaitGroup
	for issuer, r := range k.rings {
		all.Go(func() { k.keep(ctx, issuer, r) })
	}
	all.Wait()
}

func (k *Keys) keep(ctx context.Context, issuer string, r *ring) {
	for ctx.Err() == nil {
		timer := time.NewTimer(time.Until(r.due()))
		select {
		case <-ctx.Done():
		case <-r.wake: // look again when it is due
		case <-timer.C:
			k.refresh(ctx, issuer, r)
		}
		timer.Stop()
	}
}

func (k *Keys) refresh(ctx context.Context, issuer string, r *ring) {
	keys, fresh, err := fetchKeys(ctx, k.client, issuer)
	if ctx.Err() != nil {
		return
	}
	if err != nil {
		k.log.Warn("the keys of an issuer of tokens could not be fetched; deliveries that need new ones are refused, polling goes on",
			"issuer", issuer, "error", err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ringState = r.after(keys, fresh, err, time.Now())
}

// verify says what is wrong with a token; nil: it is good. It asks nobody. errLater is no
// verdict: the keys are not here, and who sent the token should try again.
func (k *Keys) verify(token string, t Trust, now time.Time) error {
	if k == nil || k.rings[t.Issuer] == nil {
		return errLater
	}
	r := k.rings[t.Issuer]
	state := r.now()
	if state.fetched.IsZero() || now.Sub(state.fetched) > state.fresh+keysStale {
		return errLater
	}
	err := t.good(token, state.keys, now)
	if errors.As(err, new(unknownKeyError)) && r.miss(now) {
		return fmt.Errorf("%w: the token names one that is new, or made up", errLater)
	}
	return err
}

func (r *ring) now() ringState {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.ringState
}

func (r *ring) due() time.Time { return r.now().due() }

// miss has the keys fetched again, unless they just were. It reports whether that helps who
// sends the same token once more.
func (r *ring) miss(now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if now.Sub(r.asked) < keysAgain {
		return false
	}
	r.missed = true
	select {
	case r.wake <- struct{}{}:
	default: // it is awake
	}
	return true
}

// due is when the issuer is to be asked:
//
//	never asked          now
//	it failed            5 s after that, then 10, 20 … up to five minutes
//	a key was missed     a minute after it was asked last, so now if that is longer ago
//	else                 when the keys get old
func (s ringState) due() time.Time {
	switch {
	case s.asked.IsZero():
		return time.Time{}
	case s.failed > 0:
		return s.asked.Add(keysRetry << min(s.failed-1, maxRetryStep))
	case s.missed:
		return s.asked.Add(keysAgain)
	}
	return s.fetched.Add(s.fresh)
}

// after is the state once the issuer was asked. Keys that could not be fetched leave those
// that are here, and unknown ones push none out.
func (s ringState) after(keys []jose.JSONWebKey, fresh time.Duration, err error, now time.Time) ringState {
	s.asked, s.missed = now, false
	if err != nil {
		s.failed++
		return s
	}
	s.keys, s.fetched, s.fresh, s.failed = keys, now, fresh, 0
	return s
}

// fetchKeys asks an issuer where its keys are, and for them. Both addresses are the issuer's
// word, by HTTPS, and never a token's.
func fetchKeys(ctx context.Context, client *http.Client, issuer string) ([]jose.JSONWebKey, time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, keysTimeout)
	defer cancel()
	about, _, err := getDocument(ctx, client, strings.TrimSuffix(issuer, "/")+wellKnown)
	if err != nil {
		return nil, 0, err
	}
	at, err := whereKeysAre(about, issuer)
	if err != nil {
		return nil, 0, err
	}
	set, header, err := getDocument(ctx, client, at)
	if err != nil {
		return nil, 0, err
	}
	keys, err := readKeys(set)
	return keys, freshFor(header), err
}

// whereKeysAre reads what an issuer says of itself.
func whereKeysAre(about []byte, issuer string) (string, error) {
	var says struct {
		Issuer string `json:"issuer"`
		Keys   string `json:"jwks_uri"`
	}
	if err := json.Unmarshal(about, &says); err != nil {
		return "", errors.New("what the issuer says of itself is not JSON of OpenID")
	}
	if says.Issuer != issuer {
		return "", fmt.Errorf("the issuer calls itself %.100q: write it so in the config", says.Issuer)
	}
	if at, err := url.Parse(says.Keys); err != nil || at.Scheme != "https" || at.Host == "" {
		return "", errors.New("the issuer names no https address of its keys")
	}
	return says.Keys, nil
}

// readKeys are the keys of a set that may sign tokens, and that have a name. Others, private
// and shared ones too, are passed over: an issuer may have keys for other purposes.
func readKeys(set []byte) ([]jose.JSONWebKey, error) {
	var raw struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(set, &raw); err != nil {
		return nil, errors.New("the issuer's keys are no JSON Web Key Set")
	}
	var keys []jose.JSONWebKey
	for _, text := range raw.Keys[:min(len(raw.Keys), maxKeySet)] {
		var key jose.JSONWebKey
		if key.UnmarshalJSON(text) == nil && signsTokens(key) {
			keys = append(keys, key)
		}
	}
	if len(keys) == 0 {
		return nil, errors.New("among the issuer's keys is none that could sign a token")
	}
	return keys, nil
}

func signsTokens(key jose.JSONWebKey) bool {
	if key.KeyID == "" || key.Use != "" && key.Use != "sig" {
		return false
	}
	switch k := key.Key.(type) {
	case *rsa.PublicKey:
		return k.N.BitLen() >= minRSA
	case *ecdsa.PublicKey:
		return k.Curve == elliptic.P256()
	}
	return false
}

// freshFor is how long an answer is good for, within bounds.
func freshFor(header http.Header) time.Duration {
	for part := range strings.SplitSeq(header.Get("Cache-Control"), ",") {
		seconds, is := strings.CutPrefix(strings.TrimSpace(strings.ToLower(part)), "max-age=")
		if n, err := strconv.Atoi(seconds); is && err == nil {
			return min(max(time.Duration(min(n, int(keysAtMost/time.Second)))*time.Second, keysAtLeast), keysAtMost)
		}
	}
	return keysDefault
}

// getDocument is what an address answers, of which it takes no more than a bounded part.
func getDocument(ctx context.Context, client *http.Client, at string) ([]byte, http.Header, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
	if err != nil {
		return nil, nil, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, nil, fmt.Errorf("%s answered %s", at, resp.Status)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxDocument+1))
	if err == nil && len(body) > maxDocument {
		err = fmt.Errorf("%s answered more than %d bytes", at, maxDocument)
	}
	return body, resp.Header, err
}
