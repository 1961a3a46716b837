package github_test

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/towpath/towpath/forge/forgetest"
)

func (c *call) repository() {
	c.answer(200, map[string]any{
		"id": repoID, "name": repo, "full_name": c.today + "/" + repo, "private": false, "default_branch": "main",
		"owner":              map[string]any{"login": c.today, "id": 1, "type": "Organization"},
		"allow_squash_merge": slices.Contains(c.methods, "squash"), "allow_merge_commit": slices.Contains(c.methods, "merge"),
		"allow_rebase_merge": slices.Contains(c.methods, "rebase"), "allow_auto_merge": true, "delete_branch_on_merge": false, "archived": false,
	})
}

// list filters as GitHub does: a head whose owner it does not know has none.
func (c *call) list() {
	q := c.r.URL.Query()
	found := []any{}
	for _, p := range c.pulls {
		who := c.today
		if p.repo != repoID {
			who = "stranger"
		}
		state := q.Get("state")
		if (state == "all" || p.state == state) && (q.Get("base") == "" || p.base == q.Get("base")) &&
			(q.Get("head") == "" || q.Get("head") == who+":"+p.branch) {
			found = append(found, c.shape(p))
		}
	}
	if q.Get("direction") == "desc" {
		slices.Reverse(found)
	}
	c.answer(200, page(c, found))
}

func (c *call) create() {
	var in struct {
		Title, Head, Base, Body string
		Draft                   bool
	}
	c.read(&in)
	open := slices.ContainsFunc(c.pulls, func(p *pull) bool {
		return p.state == "open" && p.branch == in.Head && p.base == in.Base && p.repo == repoID
	})
	switch {
	case c.branches[in.Head] == "":
		c.refuse(422, "Validation Failed", `{"resource":"PullRequest","field":"head","code":"invalid"}`)
	case in.Draft && !c.drafts:
		c.refuse(422, "Draft pull requests are not supported in this repository.")
	case open:
		c.refuse(422, "Validation Failed", fmt.Sprintf(`{"resource":"PullRequest","code":"custom","message":"A pull request already exists for %s:%s."}`, c.today, in.Head))
	case len(in.Body) > 4*65536:
		c.refuse(422, "Validation Failed", `{"resource":"Issue","code":"custom","field":"body","message":"body is too long (maximum is 65536 characters)"}`)
	default:
		p := c.open(in.Head, in.Base, in.Title, in.Body, repoID)
		p.draft = in.Draft
		c.w.Header().Set("Location", fmt.Sprintf("%srepos/%s/%s/pulls/%d", c.api(), owner, repo, p.number))
		c.answer(201, c.shape(p))
	}
}

func (c *call) get() {
	if p := c.pull(); p != nil {
		c.answer(200, c.shape(p))
	}
}

func (c *call) update() {
	p := c.pull()
	if p == nil {
		return
	}
	var in struct{ Title, Body, State *string }
	c.read(&in)
	if in.Title != nil {
		p.title = *in.Title
	}
	if in.Body != nil {
		p.body = *in.Body
	}
	if in.State != nil && *in.State == "closed" && p.state == "open" {
		c.end(p, false)
	}
	c.answer(200, c.shape(p))
}

func (c *call) merge() {
	p := c.pull()
	if p == nil {
		return
	}
	var in struct {
		SHA    string
		Method string `json:"merge_method"`
	}
	c.read(&in)
	names := map[string]string{"squash": "Squash merges", "merge": "Merge commits", "rebase": "Rebase merges"}
	switch {
	case p.state != "open":
		c.refuse(405, "Pull Request is not mergeable")
	case p.draft:
		c.refuse(405, "Pull Request is still a draft")
	case in.SHA != p.head:
		c.refuse(409, "Head branch was modified. Review and try the merge again.")
	case !slices.Contains(c.methods, in.Method):
		c.refuse(405, names[in.Method]+" are not allowed on this repository.")
	case slices.Contains(c.rulings, in.Method):
		c.refuse(405, fmt.Sprintf("Repository rule violations found\n\nMerge method %s is not allowed on this branch.", in.Method))
	case c.required != "" && !c.good(p.head, c.required):
		c.refuse(405, fmt.Sprintf("Required status check %q is expected.", c.required))
	default:
		c.end(p, true)
		c.answer(200, map[string]any{"sha": c.push(p.base), "merged": true, "message": "Pull Request successfully merged"})
	}
}

func (c *call) label() {
	p := c.pull()
	if p == nil {
		return
	}
	var in []string // GitHub takes {"labels": […]} as well
	c.read(&in)
	for _, l := range in {
		if len(l) > 50 {
			c.refuse(422, "Validation Failed", fmt.Sprintf(`{"value":%q,"resource":"Label","field":"name","code":"invalid"}`, l))
			return
		}
	}
	for _, l := range in {
		if !slices.Contains(p.labels, l) {
			p.labels = append(p.labels, l)
		}
	}
	c.answer(200, c.shape(p)["labels"])
}

func (c *call) review() {
	p := c.pull()
	if p == nil {
		return
	}
	var in struct {
		Reviewers []string
		Teams     []string `json:"team_reviewers"`
	}
	c.read(&in)
	switch {
	case slices.Contains(in.Reviewers, forgetest.Nobody), slices.Contains(in.Teams, forgetest.Nobody):
		c.refuse(422, "Reviews may only be requested from collaborators. One or more of the users or teams you specified is not a collaborator of the "+owner+"/"+repo+" repository.")
		return
	case slices.Contains(in.Reviewers, botLogin):
		c.refuse(422, "Review cannot be requested from pull request author.")
		return
	}
	p.reviewers = append(p.reviewers, in.Reviewers...)
	p.teams = append(p.teams, in.Teams...)
	c.answer(201, c.shape(p))
}

// assign leaves out in silence whom it does not know.
func (c *call) assign() {
	p := c.pull()
	if p == nil {
		return
	}
	var in struct{ Assignees []string }
	c.read(&in)
	for _, a := range in.Assignees {
		if a != forgetest.Nobody {
			p.assignees = append(p.assignees, a)
		}
	}
	issue := c.shape(p)
	delete(issue, "head")
	delete(issue, "base")
	c.answer(201, issue)
}

func (c *call) comments() {
	p := c.pull()
	if p == nil {
		return
	}
	all := []any{}
	for i, text := range p.comments {
		all = append(all, map[string]any{"id": i + 1, "body": text, "user": map[string]any{"login": botLogin, "type": "User"}})
	}
	c.answer(200, page(c, all))
}

func (c *call) comment() {
	p := c.pull()
	if p == nil {
		return
	}
	var in struct{ Body string }
	c.read(&in)
	p.comments = append(p.comments, in.Body)
	c.answer(201, map[string]any{"id": len(p.comments), "body": in.Body, "user": map[string]any{"login": botLogin, "type": "User"}})
}

// status is "pending" for a commit without statuses, as at GitHub.
func (c *call) status() {
	sha := c.r.PathValue("sha")
	all := []any{}
	state := "pending"
	for i, s := range c.statuses[sha] {
		all = append(all, map[string]any{"id": i + 1, "context": s.name, "state": s.state, "description": nil, "target_url": nil})
		state = s.state
	}
	c.answer(200, map[string]any{"state": state, "sha": sha, "total_count": len(all), "statuses": page(c, all)})
}

// setStatus is refused for a commit that is not there.
func (c *call) setStatus() {
	var in struct {
		State, Context, Description string
		URL                         *string `json:"target_url"`
	}
	c.read(&in)
	sha := c.r.PathValue("sha")
	switch {
	case strings.Trim(sha, "1") == "":
		c.refuse(422, "No commit found for SHA: "+sha)
	case utf8.RuneCountInString(in.Description) > 140:
		c.refuse(422, "Validation Failed", `{"resource":"Status","code":"custom","field":"description","message":"description is too long (maximum is 140 characters)"}`)
	case in.URL != nil && *in.URL == "":
		c.refuse(422, "Validation Failed", `{"resource":"Status","code":"custom","field":"target_url","message":"target_url must use http(s) scheme"}`)
	default:
		c.statuses[sha] = put(c.statuses[sha], check{in.Context, in.State, ""})
		c.answer(201, map[string]any{"id": 1, "state": in.State, "description": in.Description, "target_url": in.URL, "context": in.Context})
	}
}

func (c *call) checkRuns() {
	all := []any{}
	for i, r := range c.runs[c.r.PathValue("sha")] {
		var conclusion any
		if r.conclusion != "" {
			conclusion = r.conclusion
		}
		all = append(all, map[string]any{"id": i + 1, "name": r.name, "status": r.state, "conclusion": conclusion, "app": map[string]any{"id": 15368, "slug": "github-actions"}})
	}
	c.answer(200, map[string]any{"total_count": len(all), "check_runs": page(c, all)})
}

func (c *call) graphQL() {
	var in struct {
		Query     string
		Variables struct {
			Input struct {
				ID     string `json:"pullRequestId"`
				Head   string `json:"expectedHeadOid"`
				Method string `json:"mergeMethod"`
			}
		}
	}
	c.read(&in)
	const field = "enablePullRequestAutoMerge"
	fail := func(kind, message string) {
		c.answer(200, map[string]any{"data": map[string]any{field: nil}, "errors": []any{map[string]any{
			"type": kind, "path": []string{field}, "locations": []any{map[string]int{"line": 2, "column": 3}}, "message": message}}})
	}
	n, err := strconv.Atoi(strings.TrimPrefix(in.Variables.Input.ID, "PR_kwDO"))
	switch {
	case c.r.Method != http.MethodPost || !strings.Contains(in.Query, field):
		c.t.Errorf("GraphQL is asked %q", in.Query)
	case err != nil || n > len(c.pulls):
		fail("NOT_FOUND", fmt.Sprintf("Could not resolve to a node with the global id of '%s'", in.Variables.Input.ID))
	case c.pulls[n-1].head != in.Variables.Input.Head:
		fail("UNPROCESSABLE", "Head sha didn't match expected head sha")
	case c.required == "" || c.good(c.pulls[n-1].head, c.required):
		fail("UNPROCESSABLE", "Pull request Pull request is in clean status")
	case !slices.Contains(c.methods, strings.ToLower(in.Variables.Input.Method)):
		fail("UNPROCESSABLE", "Merge method "+strings.ToLower(in.Variables.Input.Method)+" merging is not allowed on this repository")
	default:
		c.pulls[n-1].auto = true
		c.answer(200, map[string]any{"data": map[string]any{field: map[string]any{"pullRequest": map[string]any{"number": n}}}})
	}
}
