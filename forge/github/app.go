package github

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-github/v89/github"

	"github.com/towpath/towpath/forge"
	"github.com/towpath/towpath/forge/wire"
)

// AppOptions say which GitHub App, and for which repository.
type AppOptions struct {
	API          string // as in Options
	ID           int64  // of the App, on its page
	Installation int64  // 0: the one that the repository is in
	KeyFile      string // PEM, the App's private key; read again for every renewal
	Owner, Repo  string // its tokens are good for this repository alone
	UserAgent    string
	CAFile       string
	Insecure     bool
}

const (
	// GitHub's tokens live an hour. The first renewal is tried this long before the end, so
	// that one that fails in passing has room for others, and still nobody gets a
	// token with less than minLeft.
	renewLeft = 10 * time.Minute
	minLeft   = 5 * time.Minute
	maxLife   = time.Hour
	renewWait = 30 * time.Second // between renewals that fail while there is a token

	// The signed request lives ten minutes at most by GitHub's clock, which may be this far
	// from ours.
	clockSkew = 60 * time.Second
	jwtLife   = 9*time.Minute - clockSkew
)

// An App gets tokens of a GitHub App. It may be used from several goroutines.
type App struct {
	*line
	o    AppOptions
	now  func() time.Time
	turn chan struct{} // holds one while somebody has the fields below

	installation int64
	token        string
	expires      time.Time // by our clock on the wall: the other one stands still while a machine sleeps
	retry        time.Time // no renewal before this, while the token lasts
}

// NewApp is an App. It sends and reads nothing yet.
func NewApp(o AppOptions) (*App, error) {
	switch err := named(o.Owner, o.Repo); {
	case err != nil:
		return nil, err
	case o.ID <= 0 || o.Installation < 0:
		return nil, errors.New("a GitHub App has a number, which stands on its page as App ID")
	case o.KeyFile == "":
		return nil, errors.New("a GitHub App needs the file of its private key")
	}
	a := &App{o: o, now: time.Now, turn: make(chan struct{}, 1), installation: o.Installation}
	var err error
	a.line, err = newLine(wire.Options{API: o.API, Token: a.signed, UserAgent: o.UserAgent, CAFile: o.CAFile, Insecure: o.Insecure})
	return a, err
}

// Token is a token that is good for five minutes at least, and that GitHub has not refused meanwhile (wire.Refused). It fits Options.Token, and as a
// password in Git goes with the user x-access-token. Its errors are *forge.Error, or the context's.
func (a *App) Token(ctx context.Context) (string, error) {
	select {
	case a.turn <- struct{}{}:
		defer func() { <-a.turn }()
	case <-ctx.Done():
		return "", ctx.Err()
	}
	if a.token != "" && wire.Refused(ctx) == a.token {
		a.token, a.expires, a.retry = "", time.Time{}, time.Time{}
	}
	now := a.now()
	left := a.expires.Sub(now)
	if left > renewLeft || left > minLeft && now.Before(a.retry) {
		return a.token, nil
	}
	err := a.renew(ctx)
	if err != nil && left > minLeft {
		a.retry = now.Add(renewWait)
		return a.token, nil
	}
	if err != nil {
		return "", err
	}
	return a.token, nil
}

// renew gets the next token.
func (a *App) renew(ctx context.Context) error {
	if a.installation == 0 {
		found, _, err := a.api.Apps.GetRepositoryInstallation(ctx, a.o.Owner, a.o.Repo)
		if err == nil && found.GetID() == 0 {
			err = odd("an installation without a number")
		}
		if err != nil {
			return a.failure(ctx, "find the App's installation", err)
		}
		a.installation = found.GetID()
	}
	got, _, err := a.api.Apps.CreateInstallationToken(ctx, a.installation, &github.InstallationTokenOptions{Repositories: []string{a.o.Repo}})
	if r, ok := refused(err); ok && r.StatusCode == http.StatusNotFound {
		a.installation = a.o.Installation // it may have been installed anew
	}
	if err != nil {
		return a.failure(ctx, "get a token for the App", err)
	}
	// The end is told by their clock. Where that is ahead of ours, it is sooner than it seems.
	life := min(got.GetExpiresAt().Sub(a.now()), maxLife)
	if got.GetToken() == "" || life <= minLeft {
		return a.failure(ctx, "get a token for the App", odd("a token that is empty or over already"))
	}
	a.token, a.expires, a.retry = got.GetToken(), a.now().Round(0).Add(life), time.Time{}
	return nil
}

// signed is what an App shows instead of a token: who it is, signed with its key.
func (a *App) signed(context.Context) (string, error) {
	key, err := readKey(a.o.KeyFile)
	if err != nil {
		return "", &forge.Error{Kind: forge.Unauthorized, Forge: a.origin, What: err.Error(),
			Fix: "put the private key there that GitHub gave for the App (Generate a private key, on its page), readable for towpath"}
	}
	now := a.now()
	return jwt.NewWithClaims(jwt.SigningMethodRS256, jwt.RegisteredClaims{
		Issuer:    strconv.FormatInt(a.o.ID, 10),
		IssuedAt:  jwt.NewNumericDate(now.Add(-clockSkew)),
		ExpiresAt: jwt.NewNumericDate(now.Add(jwtLife)),
	}).SignedString(key)
}

// failure says whose move it is: what an App lacks is no permission of a token.
func (a *App) failure(ctx context.Context, to string, err error) error {
	r, answered := refused(err)
	err = a.fail(ctx, need{to: to}, err)
	e, ok := errors.AsType[*forge.Error](err)
	if !ok || !answered || r.says("suspended") {
		return err
	}
	switch e.Kind {
	case forge.Unauthorized:
		e.Fix = fmt.Sprintf("check that %d is the App's ID, that %s holds a private key of this App, and that this machine's clock is right", a.o.ID, a.o.KeyFile)
	case forge.NotFound, forge.Refused, forge.Forbidden:
		e.Fix = fmt.Sprintf("install the App on %s/%s (Install App, on its page), and leave the installation's number out to have it found", a.o.Owner, a.o.Repo)
	}
	return e
}
