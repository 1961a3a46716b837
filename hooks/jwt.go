package hooks

import (
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// A Trust says whose tokens a receiver believes: of one issuer, made for one audience, and
// of one account. A part that is missing opens nothing: without issuer, audience or account
// no token is good.
type Trust struct {
	Issuer   string // as its tokens say it: https://accounts.google.com
	Audience string // what the sender was told to make its tokens for
	Email    string // of the service account that sends; must be one that the issuer has verified
	App      string // instead of Email: the application that sends, as Entra names it
}

const (
	// Google is whose tokens Pub/Sub sends. Some of Google's leave out the scheme.
	Google     = "https://accounts.google.com"
	googleBare = "accounts.google.com"
	// EventGrid is the application that Azure Event Grid is to Entra, in every tenant.
	EventGrid = "4962773b-9cdb-44cf-a8bf-237846a00ab7"

	clockSkew = time.Minute
	maxJWT    = 16 << 10
)

// algorithms are those that tokens may be signed by. That of a token's header is never
// believed beyond choosing among them, so there is neither none nor a shared secret.
func algorithms() []jose.SignatureAlgorithm {
	return []jose.SignatureAlgorithm{jose.RS256, jose.ES256}
}

// claims are what a token says, as far as it matters here.
type claims struct {
	jwt.Claims
	Email    string `json:"email"`
	Verified bool   `json:"email_verified"`
	AppID    string `json:"appid"` // Entra, version 1
	Azp      string `json:"azp"`   // version 2
}

// good says what is wrong with a token, for somebody who trusts so. Only the given keys can
// have signed it: what the token itself says of keys is never used.
func (t Trust) good(token string, keys []jose.JSONWebKey, now time.Time) error {
	if t.Issuer == "" || t.Audience == "" || (t.Email == "") == (t.App == "") {
		return errors.New("the receiver does not say whose tokens it believes")
	}
	c, err := signedClaims(token, keys)
	if err != nil {
		return err
	}
	return t.believes(c, now)
}

// signedClaims are the claims of a token that one of the keys has signed.
func signedClaims(token string, keys []jose.JSONWebKey) (claims, error) {
	if len(token) > maxJWT {
		return claims{}, errors.New("the token is too long")
	}
	signed, err := jwt.ParseSigned(token, algorithms())
	if err != nil {
		return claims{}, errors.New("the token cannot be read, or is not signed by RS256 or ES256")
	}
	head := signed.Headers[0]
	if bringsKey(head) {
		return claims{}, errors.New("the token brings a key of its own, or the address of one")
	}
	err = unknownKeyError{}
	for _, key := range keys {
		if key.KeyID != head.KeyID || key.Algorithm != "" && key.Algorithm != head.Algorithm {
			continue
		}
		var c claims
		if err = signed.Claims(key.Key, &c); err == nil {
			return c, nil
		}
		err = errors.New("the token is not signed by the issuer, or says things twice")
	}
	return claims{}, err
}

// An unknownKeyError is of a token whose key the issuer had not when it was asked last.
type unknownKeyError struct{}

func (unknownKeyError) Error() string { return "the token names a key that the issuer does not have" }

// bringsKey reports whether a token wants to be verified by what it carries or points to.
func bringsKey(head jose.Header) bool {
	if head.JSONWebKey != nil {
		return true
	}
	nobody := x509.VerifyOptions{Roots: x509.NewCertPool()}
	if _, err := head.Certificates(nobody); !errors.Is(err, jose.ErrMissingX5cHeader) {
		return true
	}
	for _, name := range []jose.HeaderKey{"jku", "x5u"} {
		if _, has := head.ExtraHeaders[name]; has {
			return true
		}
	}
	return false
}

// believes says what is wrong with claims that were signed. The parts of a token that a
// stranger could choose are quoted nowhere.
func (t Trust) believes(c claims, now time.Time) error {
	switch {
	case c.Issuer != t.Issuer && !(t.Issuer == Google && c.Issuer == googleBare):
		return errors.New("the token is of another issuer")
	case !slices.Contains(c.Audience, t.Audience):
		return errors.New("the token was made for another audience")
	case c.Expiry == nil:
		return errors.New("the token never expires")
	}
	if err := c.ValidateWithLeeway(jwt.Expected{Time: now}, clockSkew); err != nil {
		return fmt.Errorf("the token is not for now: %w", err)
	}
	if t.App != "" {
		if c.AppID != t.App && c.Azp != t.App {
			return errors.New("the token is of another application")
		}
		return nil
	}
	if c.Email != t.Email || !c.Verified {
		return errors.New("the token is of another account, or of one whose address is not verified")
	}
	return nil
}
