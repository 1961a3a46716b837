// Package gitea is the forge.Forge of Gitea and Forgejo, by their API.
//
// It knows their pull requests, labels and commit statuses, and nothing of YAML,
// images or Git objects. Forgejo is the same API without some of the filters: what a
// filter should have left out is left out here again.
package gitea

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	sdk "code.gitea.io/sdk/gitea"

	"github.com/towpath/towpath/forge"
	"github.com/towpath/towpath/forge/wire"
)

// Options say which repository, and how to reach it.
type Options struct {
	API         string // its base URL: https://git.example/api/v1/
	Owner, Repo string
	Client      *http.Client // wire.New's for the same API: what it returns is judged as its
	PageSize    int          // proposals that are asked for at once; 0: 50, which is the most that a server gives unless it is told otherwise
}

// Forge is one repository's. What it remembers between calls spares requests, and
// nothing else.
type Forge struct {
	Options
	origin string // of the API, as forge.Error has it
	api    string // without a final slash
	size   int    // of pages of proposals, now
	open   map[string]*openList
	closed map[string]*closedList
}

var _ forge.Forge = (*Forge)(nil)

// New asks nobody anything.
func New(o Options) (*Forge, error) {
	api, err := url.Parse(o.API)
	path, found := "", false
	if err == nil {
		path, found = strings.CutSuffix(strings.TrimSuffix(api.Path, "/"), "/api/v1")
	}
	switch {
	case err != nil || api.Host == "" || api.User != nil || !found:
		return nil, errors.New("the URL of Gitea's API is none: write it as https://git.example/api/v1/, without a user")
	case o.Owner == "" || o.Repo == "":
		return nil, errors.New("a repository of Gitea has an owner and a name: write it as owner/name")
	case o.Client == nil:
		return nil, errors.New("the repository of Gitea is to be asked without a client")
	}
	origin := api.Scheme + "://" + strings.ToLower(api.Host)
	o.PageSize = cmp.Or(o.PageSize, 50)
	client := *o.Client
	client.Transport = strict{client.Transport, origin}
	o.Client = &client
	return &Forge{
		Options: o, origin: origin, api: api.Scheme + "://" + api.Host + path, size: o.PageSize,
		open: map[string]*openList{}, closed: map[string]*closedList{},
	}, nil
}

// client is the library's for one call. Without a version it does not ask for the server's.
func (f *Forge) client(ctx context.Context) (*sdk.Client, error) {
	c, err := sdk.NewClient(f.api, sdk.SetGiteaVersion(""), sdk.SetHTTPClient(f.Client), sdk.SetContext(ctx))
	return c, wire.AsError(f.origin, err)
}

// failed is a library's error as this package returns it. With an answer it is what that means.
func (f *Forge) failed(resp *sdk.Response, err error) error {
	if err != nil && resp != nil && resp.Response != nil && resp.StatusCode/100 != 2 {
		return wire.Refusal(resp.Response, err.Error())
	}
	return wire.AsError(f.origin, err)
}

// ask is for what the library has no function for, or one that hides what the forge says.
// An answer that is no success comes with the error that it means. Into may be nil.
func (f *Forge) ask(ctx context.Context, method, path string, send, into any) (*http.Response, error) {
	var body io.Reader
	if send != nil {
		text, err := json.Marshal(send)
		if err != nil {
			return nil, wire.AsError(f.origin, err)
		}
		body = strings.NewReader(string(text))
	}
	req, err := http.NewRequestWithContext(ctx, method, f.api+"/api/v1/repos/"+url.PathEscape(f.Owner)+"/"+url.PathEscape(f.Repo)+path, body)
	if err != nil {
		return nil, wire.AsError(f.origin, err)
	}
	req.Header.Set("Accept", "application/json")
	if send != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := f.Client.Do(req)
	if err != nil {
		return nil, wire.AsError(f.origin, err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	switch {
	case err != nil:
		return nil, wire.AsError(f.origin, err)
	case resp.StatusCode/100 != 2:
		var says struct{ Message string }
		_ = json.Unmarshal(answer, &says) // what is no JSON says nothing
		return resp, wire.Refusal(resp, says.Message)
	case into == nil:
		return resp, nil
	}
	return resp, wire.AsError(f.origin, json.Unmarshal(answer, into))
}

// get is a pull request as it is now.
func (f *Forge) get(ctx context.Context, number int) (*sdk.PullRequest, error) {
	c, err := f.client(ctx)
	if err != nil {
		return nil, err
	}
	pr, resp, err := c.GetPullRequest(f.Owner, f.Repo, int64(number))
	return pr, f.failed(resp, err)
}

// is reports whether an error is a forge's answer of one of these statuses.
func is(resp *http.Response, statuses ...int) bool {
	return resp != nil && slices.Contains(statuses, resp.StatusCode)
}

// mine is a pull request as the contract has it; not ok: it comes from elsewhere than this
// repository's branches.
func mine(pr *sdk.PullRequest) (p forge.Proposal, ok bool) {
	if pr == nil || pr.Head == nil || pr.Base == nil || pr.Head.RepoID != pr.Base.RepoID || pr.Head.RepoID <= 0 || pr.Head.Name == "" {
		return p, false
	}
	p = forge.Proposal{
		Number: int(pr.Index), URL: pr.HTMLURL, State: forge.Open,
		Branch: pr.Head.Name, // Ref is another once the branch is gone
		Base:   pr.Base.Name, Head: pr.Head.Sha,
		Body: strings.ReplaceAll(pr.Body, "\r\n", "\n"),
	}
	p.Title, p.Draft = ready(pr.Title, pr.Draft)
	for _, label := range pr.Labels {
		p.Labels = append(p.Labels, label.Name)
	}
	slices.Sort(p.Labels)
	switch {
	case pr.HasMerged:
		p.State = forge.Merged
		if pr.Merged != nil {
			p.Ended = pr.Merged.UTC()
		}
	case pr.State == sdk.StateClosed:
		p.State = forge.Closed
		if pr.Closed != nil {
			p.Ended = pr.Closed.UTC()
		}
	}
	return p, true
}

// unready is what a draft's title begins with: Gitea knows drafts by nothing else.
const unready = "WIP: "

// ready takes the beginning off a draft's title. A server may be told to use other words than
// those; such a title stays as it is.
func ready(title string, draft bool) (string, bool) {
	if draft {
		for _, word := range []string{"WIP:", "[WIP]", "Draft:", "[Draft]"} {
			if len(title) >= len(word) && strings.EqualFold(title[:len(word)], word) {
				return strings.TrimSpace(title[len(word):]), true
			}
		}
	}
	return title, draft
}
