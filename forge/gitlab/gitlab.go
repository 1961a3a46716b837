// Package gitlab is the forge.Forge of a project at GitLab, whose proposals are
// merge requests.
//
// It knows GitLab's API, by GitLab's own library and over forge/wire, which has the
// limits, the credential and the failures of the network: the library's own
// retries and limits are off. It deletes no branch and decides nothing about
// proposals.
package gitlab

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	gl "gitlab.com/gitlab-org/api/client-go"
	"golang.org/x/time/rate"

	"github.com/towpath/towpath/forge"
	"github.com/towpath/towpath/forge/wire"
)

// Options say which project, and how to reach it.
type Options struct {
	wire.Options // API: https://gitlab.com/api/v4/; Authorize is set by this package
	// Project is its whole path: group/subgroup/name.
	Project string
	// Bearer sends the token as an OAuth application's, and not as a person's, a group's or a
	// project's access token.
	Bearer   bool
	PageSize int // of lists; 0, and at most: 100
}

// Forge is one project's. Its methods are forge.Forge's.
type Forge struct {
	api      *gl.Client
	origin   string
	project  string
	pageSize int64
	listed   map[string]map[int]bool // by target, the numbers of those that were open, or were opened since
	users    map[string]int64        // ids by name, of those who were found; they do not change
}

var _ forge.Forge = (*Forge)(nil)

// New asks nothing yet.
func New(o Options) (*Forge, error) {
	if !isPath(o.Project) {
		return nil, errors.New("gitlab: the project is named by its whole path: group/name, or group/subgroup/name")
	}
	o.Authorize = nil
	if !o.Bearer {
		o.Authorize = func(h http.Header, token string) { h.Set("Private-Token", token) }
	}
	line, err := wire.New(o.Options)
	if err != nil {
		return nil, err
	}
	line.Transport = numbered{line.Transport}
	base, err := url.Parse(o.API)
	if err != nil {
		return nil, errors.New("gitlab: the URL of the API is none: write it as https://gitlab.example/api/v4/")
	}
	api, err := gl.NewAuthSourceClient(gl.Unauthenticated{}, // wire puts the token in
		gl.WithBaseURL(o.API), gl.WithHTTPClient(line), gl.WithoutRetries(),
		gl.WithCustomLimiter(rate.NewLimiter(rate.Inf, 0)), gl.WithUserAgent(o.UserAgent))
	if err != nil {
		return nil, err
	}
	size := int64(100)
	if o.PageSize > 0 {
		size = min(size, int64(o.PageSize))
	}
	return &Forge{
		api: api, origin: strings.ToLower(base.Scheme + "://" + base.Host), project: o.Project, pageSize: size, users: map[string]int64{}, listed: map[string]map[int]bool{},
	}, nil
}

func isPath(project string) bool {
	parts := strings.Split(project, "/")
	return len(parts) > 1 && !slices.Contains(parts, "") && !slices.Contains(parts, ".") && !slices.Contains(parts, "..")
}
