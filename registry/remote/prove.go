package remote

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"
)

const (
	maxSends   = 3 // requests to the registry for one question, a ping included
	maxFetches = 2 // requests for a token
)

// prove sends a request, showing who asks when the registry wants to know.
//
//	known challenge   identity     sent
//	none              any          as it is
//	basic             a password   the password, to the registry's own origin only
//	bearer            any          a token: kept, or fetched with the identity
//
// After a 401 it looks at what the registry asks for now and tries once more as
// the same identity where that can help (the token was kept from before, or the
// challenge is another), then once as nobody; after a 403 at once as nobody.
func (q *question) prove(req *http.Request, ep endpoint, pinged bool) (*http.Response, error) {
	p := &proof{q: q, req: req, ep: ep, sends: maxSends, fetches: maxFetches}
	if pinged {
		p.sends--
	}
	return p.run(req.Context())
}

// giveUp goes on as nobody.
func (q *question) giveUp(why string) {
	q.refused, q.who = q.who.kind+" "+why+", ", nil
}

// A proof is the state of one prove.
type proof struct {
	q              *question
	req            *http.Request
	ep             endpoint
	sends, fetches int            // left
	forbidden      *http.Response // the registry's 403 to the credential; may be nil
}

// A pass is what is shown to the registry.
type pass struct {
	header string   // Authorization; empty: nothing
	token  tokenKey // what the header shows; zero when that is no token
	kept   bool     // the token is from before this question
	// end says what came of showing a password; nil where it is none.
	end func(context.Context, verdict, error)
}

// run is what the registry answers in the end. Where nobody has access either, it is
// the 403 to the credential.
func (p *proof) run(ctx context.Context) (*http.Response, error) {
	resp, err := p.try(ctx)
	if p.forbidden != nil && isDenial(resp, err) {
		return p.forbidden, nil
	}
	return resp, err
}

func isDenial(resp *http.Response, err error) bool {
	status := statusOf(err)
	if err == nil {
		status = resp.StatusCode
	}
	return status >= 400 && !isPassing(status)
}

func (p *proof) try(ctx context.Context) (*http.Response, error) {
	var last *http.Response
	for p.sends > 0 {
		shown, err := p.pass(ctx)
		if p.turnedDown(err) {
			continue
		}
		if last != nil && errors.Is(err, errNoFetches) {
			return last, nil // the 401 that led here
		}
		if err != nil {
			return nil, err
		}
		if last, err = p.send(shown); err != nil {
			return nil, err
		}
		if originOf(last.Request.URL) != p.ep.origin {
			return last, nil
		}
		if last.StatusCode == http.StatusForbidden && p.q.who != nil && shown.header != "" && p.sends > 0 {
			p.forbidden = last
			p.q.giveUp("has no access")
			continue
		}
		if last.StatusCode != http.StatusUnauthorized {
			return last, nil
		}
		if !p.again(shown, readChallenge(last.Header)) {
			return last, nil
		}
	}
	return last, nil
}

// turnedDown goes on as nobody when a credential could not be turned into a
// token.
func (p *proof) turnedDown(err error) bool {
	if p.q.who == nil {
		return false
	}
	var refused *refusedError
	var stranger *strangerError
	switch {
	case errors.As(err, &refused) && refused.status == http.StatusUnauthorized:
		p.q.giveUp("was refused")
	case errors.As(err, &refused): // for this repository; it may well do for another
		p.q.giveUp("has no access")
	case errors.As(err, &stranger):
		p.q.because = stranger
		p.q.giveUp("may not be sent to the token service, unless the operator's config names its host in token-hosts")
	default:
		return false
	}
	return true
}

func (p *proof) send(shown pass) (*http.Response, error) {
	p.sends--
	req := p.q.address(p.req, p.ep.origin, shown.header)
	stack := p.q.stack(p.ep.origin, p.q.limit, p.q.who)
	stack.next.next.flows = p.q.flows
	resp, err := stack.RoundTrip(req)
	if shown.end != nil {
		shown.end(req.Context(), p.judge(resp, err), err)
	}
	return resp, err
}

// judge is what an answer to a password says of it. Where the registry asks for a
// token instead, or fails, that is nothing.
func (p *proof) judge(resp *http.Response, err error) verdict {
	if err != nil || isPassing(resp.StatusCode) {
		return unsaid
	}
	if resp.StatusCode != http.StatusUnauthorized || originOf(resp.Request.URL) != p.ep.origin {
		return taken
	}
	if readChallenge(resp.Header).scheme == "bearer" {
		return unsaid
	}
	return denied
}

// isPassing reports whether a status says nothing of what was asked.
func isPassing(status int) bool {
	return status == http.StatusTooManyRequests || status == http.StatusRequestTimeout || status >= 500
}

// again reports whether another try can end differently, and prepares it.
func (p *proof) again(shown pass, asked challenge) bool {
	q := p.q
	if shown.token != (tokenKey{}) {
		q.reader.tokens.drop(shown.token, shown.header)
	}
	if asked.scheme != "" && !p.same(asked) {
		p.ep.challenge = asked
		learned := p.ep
		learned.challenge.scope = "" // of this repository alone
		q.reader.endpoints.learn(endpointKey{q.repo.Host, q.insecure}, learned)
		return true
	}
	if shown.kept {
		return true
	}
	if q.who == nil {
		return false
	}
	if p.ep.challenge.scheme == "basic" {
		q.giveUp("was refused")
	} else {
		q.giveUp("has no access")
	}
	return true
}

// same reports whether a challenge asks for nothing new.
func (p *proof) same(c challenge) bool {
	known, path := p.ep.challenge, p.q.repo.Path
	return c.scheme == known.scheme && c.realm == known.realm && c.service == known.service && c.pull(path) == known.pull(path)
}

var errNoFetches = errors.New("as many tokens were asked for as one question may")

// A strangerError is a token service that the credential may not be sent to.
type strangerError struct {
	realm origin
	why   error
}

func (e *strangerError) Error() string {
	return fmt.Sprintf("the token service %s: %v", e.realm, e.why)
}

// pass is what to show for the identity. This is the only place where a secret
// is put into a request, and each case asks trust first.
func (p *proof) pass(ctx context.Context) (pass, error) {
	who, trust := p.q.who, p.q.trust(p.ep.origin)
	switch {
	case p.ep.challenge.scheme == "":
		return pass{}, nil
	case who != nil && who.registryToken != "":
		return pass{header: "Bearer " + who.registryToken}, trust.mayCarry(p.ep.origin)
	case p.ep.challenge.scheme == "bearer":
		return p.bearer(ctx, trust)
	case who == nil || who.password == "":
		return pass{}, nil
	}
	if err := trust.mayCarry(p.ep.origin); err != nil {
		return pass{}, err
	}
	end, err := p.q.reader.trials.show(ctx, who, p.ep.origin)
	var basic http.Request
	basic.Header = http.Header{}
	basic.SetBasicAuth(who.username, who.password)
	return pass{header: basic.Header.Get("Authorization"), end: end}, err
}

func (p *proof) bearer(ctx context.Context, trust trust) (pass, error) {
	who, c := p.q.who, p.ep.challenge
	if c.wrong != nil {
		return pass{}, invalid("the registry names a token service that must not be asked", c.wrong)
	}
	if err := trust.mayAsk(p.ep.origin, originOf(c.at)); err != nil {
		return pass{}, invalid("the registry names a token service that must not be asked", err)
	}
	if who != nil {
		if err := trust.mayCarry(originOf(c.at)); err != nil {
			return pass{}, &strangerError{originOf(c.at), err}
		}
	}
	key := tokenKey{identity: who.id(), registry: p.ep.origin, realm: c.realm, service: c.service, scope: c.pull(p.q.repo.Path)}
	if header, ok := p.q.reader.tokens.lookup(key, time.Now()); ok {
		return pass{header: header, token: key, kept: true}, nil
	}
	if p.fetches == 0 {
		return pass{}, errNoFetches
	}
	p.fetches--
	header, err := p.q.fetch(ctx, p.ep, key)
	var refused *refusedError
	if errors.As(err, &refused) && who == nil {
		return pass{}, serviceRefused(refused)
	}
	return pass{header: header, token: key}, err
}

// fetch asks for a token, or waits for one that is on its way. The request may
// outlive the question: it uses nothing that the question changes.
func (q *question) fetch(ctx context.Context, ep endpoint, key tokenKey) (header string, err error) {
	next, who, realm, reader := q.stack(ep.origin, maxToken, q.who), q.who, ep.challenge.at, q.reader
	return reader.tokens.get(ctx, key, func(ctx context.Context) (token, error) {
		if who == nil {
			return requestToken(ctx, next, realm, key.service, key.scope, nil, reader.agent)
		}
		end, err := reader.trials.show(ctx, who, originOf(realm))
		if err != nil {
			return token{}, err
		}
		tok, err := requestToken(ctx, next, realm, key.service, key.scope, who, reader.agent)
		end(ctx, judgeToken(err), err)
		return tok, err
	})
}

// judgeToken is what a token service's answer says of the credential. Some answer
// 400 or 403 to what they take, but not for this repository.
func judgeToken(err error) verdict {
	var refusal *refusedError
	switch {
	case err == nil:
		return taken
	case !errors.As(err, &refusal):
		return unsaid
	case refusal.status == http.StatusUnauthorized:
		return denied
	}
	return taken
}
