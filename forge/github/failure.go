package github

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/google/go-github/v89/github"

	"github.com/towpath/towpath/forge"
	"github.com/towpath/towpath/forge/wire"
)

// A need is what was to be done, and the permission that it takes.
type need struct {
	to         string // "open a pull request"
	permission string // as GitHub's settings call it: "Pull requests: write"
}

// allow is how to give the permission.
func (n need) allow() string {
	return fmt.Sprintf("give the token the permission %q on the repository (a classic token: the scope repo)", n.permission)
}

// A refusal is an answer of GitHub's that is no success, with what it says of it.
type refusal struct {
	*http.Response
	said string // for people, with the list of errors spelled out
}

// refused takes the refusal out of an error of the SDK's.
func refused(err error) (*refusal, bool) {
	var (
		plain     *github.ErrorResponse
		limit     *github.RateLimitError
		secondary *github.AbuseRateLimitError
		twoFactor *github.TwoFactorAuthError
	)
	switch {
	case errors.As(err, &plain):
		return &refusal{plain.Response, spelled(plain)}, true
	case errors.As(err, &limit):
		return &refusal{limit.Response, limit.Message}, true
	case errors.As(err, &secondary):
		return &refusal{secondary.Response, secondary.Message}, true
	case errors.As(err, &twoFactor):
		return &refusal{twoFactor.Response, twoFactor.Message}, true
	}
	return nil, false
}

// says reports whether one of these stands in GitHub's words, which are all that tells many a
// refusal from another.
func (r *refusal) says(words ...string) bool { return contains(r.said, words...) }

func contains(text string, words ...string) bool {
	text = strings.ToLower(text)
	for _, w := range words {
		if strings.Contains(text, w) {
			return true
		}
	}
	return false
}

// invalid reports whether it is about what was asked for.
func (r *refusal) invalid() bool {
	return r.StatusCode == http.StatusUnprocessableEntity && !r.hurried()
}

// hurried reports whether it was too much at once. What comes as 403 or 429 the carrier has
// sorted out already.
func (r *refusal) hurried() bool { return r.says("submitted too quickly") }

// spelled is a message with its errors: GitHub often says "Validation Failed", and only
// in the list which one.
func spelled(e *github.ErrorResponse) string {
	var more []string
	for _, one := range e.Errors {
		switch {
		case one.Message != "":
			more = append(more, one.Message)
		case one.Field != "":
			more = append(more, fmt.Sprintf("the %s of the %s is %s", one.Field, one.Resource, strings.ReplaceAll(one.Code, "_", " ")))
		}
	}
	switch {
	case len(more) == 0:
		return e.Message
	case e.Message == "" || e.Message == "Validation Failed":
		return strings.Join(more, "; ")
	}
	return e.Message + ": " + strings.Join(more, "; ")
}

// fail says whose move it is after a failure: an *forge.Error, ErrMoved, or the context's.
func (l *line) fail(ctx context.Context, n need, err error) error {
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	}
	if r, ok := refused(err); ok {
		return l.judge(n, r)
	}
	if strange, ok := errors.AsType[*oddAnswer](err); ok {
		return l.invalid(n, strange.what)
	}
	return wire.AsError(l.origin, err)
}

func (l *line) invalid(n need, got string) *forge.Error {
	return &forge.Error{Kind: forge.Invalid, Forge: l.origin, What: "could not " + n.to + ": it answered with " + got,
		Fix: "check the API's address, " + publicAPI + " or https://HOST/api/v3/ of an Enterprise server, and any proxy on the way; it is tried again"}
}

const (
	hurriedWait = time.Minute // where GitHub does not say how long; its own advice
	fixHurry    = "nobody's: it is asked again when the time is over"
	fixRules    = "the repository's settings and rules decide this: do what GitHub says"
)

func (l *line) judge(n need, r *refusal) *forge.Error {
	e := wire.Refusal(r.Response, r.said)
	e.Forge, e.What = l.origin, "could not "+n.to+": it "+e.What
	switch {
	case r.hurried():
		e.Kind, e.RetryAfter, e.Fix = forge.RateLimited, hurriedWait, fixHurry
	case r.says("archived", "suspended"):
		e.Kind, e.Fix = forge.Refused, "make the repository or the App's installation active again, or take the repository out of towpath's configuration"
	case r.says("ip allow list"):
		e.Kind, e.Fix = forge.Forbidden, "add towpath's address to the organization's list of allowed addresses"
	case e.Kind == forge.Unauthorized:
		e.Fix = "give towpath a token of this GitHub that is valid: this one expired, was revoked, or is another server's"
	case e.Kind == forge.Forbidden && r.Header.Get("X-GitHub-SSO") != "":
		e.Fix = "authorize the token for the organization's single sign-on: Configure SSO, on the page of the token"
	case e.Kind == forge.Forbidden:
		e.Fix = n.allow()
	case e.Kind == forge.NotFound:
		e.Fix = "check the names of owner and repository; GitHub says the same to a token that may not see it: " + n.allow()
	case e.Kind == forge.Refused:
		e.Fix = fixRules
	}
	return e
}
