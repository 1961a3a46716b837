package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"unicode"

	"github.com/towpath/towpath/config"
	"github.com/towpath/towpath/forge"
	"github.com/towpath/towpath/forge/gitea"
	"github.com/towpath/towpath/forge/github"
	"github.com/towpath/towpath/forge/gitlab"
	"github.com/towpath/towpath/forge/wire"
	"github.com/towpath/towpath/gitstore"
	"github.com/towpath/towpath/gitstore/gogit"
	"github.com/towpath/towpath/reconcile"
)

// A venue is where the proposals of a repository are reviewed.
type venue struct {
	forge.Place        // where its pages are, as far as that is known
	kind        string // of the forge; none: its branches are pushed, and that is all
	api         string // base URL, with a slash at its end
	project     string
	base        string // the branch that is watched
	guessed     bool   // that there is no forge is what the URL shows, and nobody said so
	home        bool   // the API is on the repository's own host, so that Git's token is meant for it, too
}

// venueOf is what the operator says and, where he says nothing, what the repository's URL
// shows. A URL that shows nothing is a repository without a forge.
func venueOf(op *config.Operator) (venue, error) {
	f := op.Forge
	v := venue{kind: f.Kind, base: op.Branch}
	place, located := forge.Locate(op.Repo)
	if v.Place = place; v.kind == "none" {
		return v, nil
	}
	if v.kind == "" {
		v.kind = place.Kind
	}
	switch asked := f.API != "" || f.Project != "" || f.TokenFile != "" || f.TokenEnv != "" || f.App.ID != 0; {
	case v.kind == "" && asked:
		return v, usage("%w", hint{errors.New("the repository's URL does not say which forge it is at"), "write kind: github, gitlab or gitea (Forgejo, too) under forge: in --config FILE"})
	case v.kind == "", !asked && f.Kind == "" && openWire(place.API()):
		v.kind, v.guessed = "none", true
		return v, nil
	}
	v.Kind = v.kind
	usual := ""
	if located {
		usual = v.API()
		v.project = v.Project()
	}
	v.api, v.project = cmp.Or(string(f.API), usual), cmp.Or(string(f.Project), v.project)
	if v.api == "" || v.project == "" {
		return v, usage("%w", hint{errors.New("the repository's URL does not say where its proposals are"), "write api: https://HOST/… and project: OWNER/NAME under forge: in --config FILE, or kind: none"})
	}
	if !strings.HasSuffix(v.api, "/") {
		v.api += "/"
	}
	if v.kind != "gitlab" && strings.Count(v.project, "/") != 1 {
		return v, usage("%w", hint{fmt.Errorf("forge.project: %s is no OWNER/NAME", v.project), "write the two names alone; only GitLab has groups"})
	}
	if f.App.ID != 0 && v.kind != "github" {
		return v, usage("%w", hint{fmt.Errorf("forge.app is GitHub's, and the repository is at a %s", v.kind), "name a token as forge.token-file instead, or write kind: github"})
	}
	v.home = sameOrigin(v.api, usual)
	return v, nil
}

// unopened is what to do about a branch that was pushed where nobody said that there is no forge.
func (v venue) unopened(p reconcile.Reviewed) string {
	if !v.guessed || p.State != reconcile.Pushed || v.page(p) != "" {
		return ""
	}
	return "to have pull requests opened, write kind: github, gitlab or gitea (Forgejo, too) under forge: in --config FILE; kind: none says that nobody does"
}

// ownerAndName are the two names of a project that has two.
func (v venue) ownerAndName() (owner, name string) {
	owner, name, _ = strings.Cut(v.project, "/")
	return owner, name
}

// openWire reports whether a token would be there for everybody to read. Nobody asked for
// such a forge whose kind was guessed.
func openWire(api string) bool {
	u, err := url.Parse(api)
	addr, notAddress := netip.ParseAddr(u.Hostname())
	return err == nil && u.Scheme == "http" && u.Hostname() != "localhost" && (notAddress != nil || !addr.IsLoopback())
}

// originOf is an API without its path, as errors of forges name it.
func originOf(api string) string {
	u, err := url.Parse(api)
	if err != nil {
		return ""
	}
	return u.Scheme + "://" + u.Host
}

func sameOrigin(a, b string) bool {
	x, err := url.Parse(a)
	if err != nil {
		return false
	}
	y, err := url.Parse(b)
	return err == nil && x.Host != "" && strings.EqualFold(x.Host, y.Host) && x.Scheme == y.Scheme
}

// forgeVariable holds the token where no file names another.
const forgeVariable = "TOWPATH_FORGE_TOKEN"

// A tokenSource is where a token stands: in a file or in the environment.
type tokenSource struct {
	file, variable string
	key            string // of the operator's config, that says so; empty for forgeVariable
}

// tokenAt is where the token for a venue stands; Git's own only where it is meant for that
// host. It is not there yet, maybe.
func tokenAt(op *config.Operator, v venue) tokenSource {
	switch f := op.Forge; {
	case f.TokenFile != "":
		return tokenSource{file: string(f.TokenFile), key: "forge.token-file"}
	case f.TokenEnv != "":
		return tokenSource{variable: string(f.TokenEnv), key: "forge.token-env"}
	case v.home && op.Git.TokenFile != "":
		return tokenSource{file: string(op.Git.TokenFile), key: "git.token-file"}
	case v.home && op.Git.TokenEnv != "":
		return tokenSource{variable: string(op.Git.TokenEnv), key: "git.token-env"}
	}
	return tokenSource{variable: forgeVariable}
}

const maxToken = 64 << 10 // bytes of its file

// token is asked before each request, so that one that was replaced is used at once.
func (s tokenSource) token(api string, getenv func(string) string) func(context.Context) (string, error) {
	bad := func(fix, format string, args ...any) error {
		return &forge.Error{Kind: forge.Unauthorized, Forge: originOf(api), What: fmt.Sprintf(format, args...), Fix: fix}
	}
	return func(context.Context) (string, error) {
		text, where := getenv(s.variable), "the variable "+s.variable
		if s.file != "" {
			where = "the file " + s.file
			info, err := os.Stat(s.file)
			if err == nil && info.Size() > maxToken {
				err = errors.New("it is too large")
			}
			var raw []byte
			if err == nil {
				raw, err = os.ReadFile(s.file)
			}
			if err != nil {
				return "", bad("check that "+s.file+" is mounted and readable; "+s.key+" names it", "the token cannot be read: %v", err)
			}
			text = string(raw)
		}
		text = strings.TrimSpace(strings.TrimPrefix(text, "\ufeff"))
		switch {
		case text == "" && s.key == "":
			return "", bad("name a token that may write proposals as forge.token-file in --config FILE, or put it into "+forgeVariable+"; forge: {kind: none} does without, and pushes branches alone", "there is no token for proposals")
		case text == "":
			return "", bad("put the token into it, or correct "+s.key, "%s is empty", where)
		case strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' || unicode.IsControl(r) }):
			return "", bad("put the token alone into it, on one line", "%s holds something else than one token", where)
		}
		return text, nil
	}
}

// A reviewer is a forge and what comes with it: the token that it is asked with.
type reviewer struct {
	forge.Forge // nil: none
	token       func(context.Context) (string, error)
	app         bool // the token is a GitHub App's
}

// openForge makes the forge of a venue. Nothing is asked of it yet.
func (a *app) openForge(op *config.Operator, v venue) (reviewer, error) {
	if v.kind == "none" {
		return reviewer{}, nil
	}
	r := reviewer{token: tokenAt(op, v).token(v.api, a.getenv)}
	line := wire.Options{API: v.api, Token: r.token, CAFile: string(op.Forge.CAFile), UserAgent: "towpath/" + versionOf()}
	owner, name := v.ownerAndName()
	var err error
	switch v.kind {
	case "github":
		if f := op.Forge.App; f.ID != 0 {
			var app *github.App
			app, err = github.NewApp(github.AppOptions{
				API: v.api, ID: int64(f.ID), Installation: int64(f.Installation), KeyFile: string(f.KeyFile), Owner: owner, Repo: name, UserAgent: line.UserAgent, CAFile: line.CAFile,
			})
			if err != nil {
				break
			}
			r.app, r.token = true, app.Token
		}
		r.Forge, err = github.New(github.Options{API: v.api, Owner: owner, Repo: name, Token: r.token, UserAgent: line.UserAgent, CAFile: line.CAFile})
	case "gitlab":
		r.Forge, err = gitlab.New(gitlab.Options{Options: line, Project: v.project})
	default:
		var client *http.Client
		if client, err = wire.New(line); err == nil {
			r.Forge, err = gitea.New(gitea.Options{API: v.api, Owner: owner, Repo: name, Client: client})
		}
	}
	if err != nil {
		return reviewer{}, usage("%w", hint{fmt.Errorf("forge: %w", err), "correct forge: in --config FILE, or write forge: {kind: none} there"})
	}
	return r, nil
}

// lend gives Git what the forge has: the tokens of an app, where Git has no credential of its
// own, and the making of commits, where the operator wants that.
func (r reviewer) lend(to *gogit.Options, op *config.Operator, v venue) error {
	g := op.Git
	own := g.TokenFile != "" || g.TokenEnv != "" || g.PasswordFile != "" || g.SSHKeyFile != ""
	if r.app && v.home && !own {
		to.Token = forGit(r.token)
	}
	if g.Commits != "forge" {
		return nil
	}
	maker, ok := r.Forge.(gitstore.Maker)
	if !ok {
		return usage("%w", hint{errors.New("git.commits: forge, and the forge makes no commits; GitHub alone does"), "remove git.commits, or write kind: github under forge: in --config FILE"})
	}
	to.Commits = maker
	return nil
}

// forGit has the failures of a forge's token be Git's: the forge knows whose move it is, and Git's
// own words for it would be that the network is down.
func forGit(token func(context.Context) (string, error)) func(context.Context) (string, error) {
	return func(ctx context.Context) (string, error) {
		text, err := token(ctx)
		var e *forge.Error
		if !errors.As(err, &e) {
			return text, err
		}
		kind := gitstore.Unauthorized
		if e.Kind.Passing() {
			kind = gitstore.Unreachable
		}
		return "", &gitstore.Error{Kind: kind, What: "no token for Git from " + e.Forge + ": " + e.What, Fix: e.Fix, RetryAfter: e.RetryAfter, Err: e.Err}
	}
}
