package github

import (
	"context"
	"fmt"
	"net/url"
	"regexp"
	"strings"

	"github.com/google/go-github/v89/github"

	"github.com/towpath/towpath/forge"
	"github.com/towpath/towpath/forge/wire"
)

// Options say which repository, and as whom.
type Options struct {
	// API is the base URL: https://api.github.com/ where it is empty, https://HOST/api/v3/ of
	// an Enterprise server, https://api.NAME.ghe.com/ of Enterprise Cloud with data residency.
	API         string
	Owner, Repo string
	// Token is asked before every request; App.Token is one.
	Token     func(ctx context.Context) (string, error)
	UserAgent string
	CAFile    string // PEM, beside the system's certificates
	Insecure  bool   // the operator allows the token over plain HTTP
}

const publicAPI = "https://api.github.com/"

// A Forge is one repository's pull requests. Like every forge.Forge it is called from one
// goroutine at a time.
type Forge struct {
	*line
	owner, repo string
	graphQL     string

	owns    string                  // who owns the repository by its own word; empty until asked after each List
	perPage int                     // of open pull requests, in a list
	listed  map[string]map[int]bool // by base, the numbers of those that were open, or were opened since
}

var _ forge.Forge = (*Forge)(nil)

// New is the forge of a repository. It sends nothing yet.
func New(o Options) (*Forge, error) {
	if err := named(o.Owner, o.Repo); err != nil {
		return nil, err
	}
	l, err := newLine(wire.Options{API: o.API, Token: o.Token, UserAgent: o.UserAgent, CAFile: o.CAFile, Insecure: o.Insecure})
	if err != nil {
		return nil, err
	}
	return &Forge{line: l, owner: o.Owner, repo: o.Repo, graphQL: graphQLOf(l.api.BaseURL()), perPage: listSizes[0], listed: map[string]map[int]bool{}}, nil
}

// A line is a connection to an API.
type line struct {
	api    *github.Client
	origin string // of the API, for people
}

func newLine(o wire.Options) (*line, error) {
	if o.API == "" {
		o.API = publicAPI
	}
	base, err := url.Parse(o.API)
	if err != nil || base.Host == "" || base.User != nil {
		return nil, fmt.Errorf("the address of GitHub's API is no URL of one: it is %s, or https://HOST/api/v3/ of an Enterprise server", publicAPI)
	}
	if !strings.HasSuffix(base.Path, "/") {
		base.Path += "/"
	}
	o.API = base.String()
	l := &line{origin: base.Scheme + "://" + base.Host}
	carrier, err := wire.New(o)
	if err != nil {
		return nil, err
	}
	client := *carrier
	client.Transport = strict{carrier.Transport}
	// The limits of requests are the carrier's matter.
	l.api, err = github.NewClient(github.WithHTTPClient(&client), github.WithURLs(&o.API, nil),
		github.WithUserAgent(o.UserAgent), github.WithDisableRateLimitCheck())
	return l, err
}

var nameForm = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,100}$`)

// named checks the names that become part of paths.
func named(owner, repo string) error {
	for _, name := range []string{owner, repo} {
		if !nameForm.MatchString(name) || name == "." || name == ".." {
			return fmt.Errorf("%q is no name of an owner or a repository on GitHub: both are letters, digits, dots, dashes and underscores", name)
		}
	}
	return nil
}

// graphQLOf is where GraphQL is asked: beside the REST API, whose Enterprise form ends in
// /api/v3/.
func graphQLOf(rest string) string {
	if enterprise, ok := strings.CutSuffix(rest, "/v3/"); ok {
		return enterprise + "/graphql"
	}
	return rest + "graphql"
}

// A home is what a repository says of itself.
type home struct {
	owner   string
	methods []string // by which it may be merged, the first to be tried first
}

// ask asks the repository about itself.
func (f *Forge) ask(ctx context.Context) (home, error) {
	r, _, err := f.api.Repositories.Get(ctx, f.owner, f.repo)
	if err == nil && r.GetOwner().GetLogin() == "" {
		err = odd("a repository without an owner")
	}
	if err != nil {
		return home{}, f.fail(ctx, need{"look at the repository", "Metadata: read"}, err)
	}
	h := home{owner: r.GetOwner().GetLogin()}
	for _, m := range []struct {
		allowed *bool
		name    string
	}{{r.AllowSquashMerge, "squash"}, {r.AllowMergeCommit, "merge"}, {r.AllowRebaseMerge, "rebase"}} {
		// Who may not see the settings is told nothing of them: then each is tried.
		if m.allowed == nil || *m.allowed {
			h.methods = append(h.methods, m.name)
		}
	}
	return h, nil
}

// head names a branch of the repository in a filter. The owner's name has to be today's:
// with one from before a transfer GitHub redirects the request, but finds nothing.
func (f *Forge) head(ctx context.Context, branch string) (string, error) {
	if f.owns == "" {
		h, err := f.ask(ctx)
		if err != nil {
			return "", err
		}
		f.owns = h.owner
	}
	return f.owns + ":" + branch, nil
}
