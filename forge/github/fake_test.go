package github_test

import (
	"crypto/sha1"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/towpath/towpath/forge"
	"github.com/towpath/towpath/forge/forgetest"
	"github.com/towpath/towpath/forge/github"
	"github.com/towpath/towpath/gitstore/gittest"
)

const (
	owner, repo = "octo-org", "hello-world"
	repoID      = 1296269
	botLogin    = "towpath-bot"
	somebody    = "octocat"
)

var start = time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)

// A hub is GitHub's API of one repository, with its words, headers and shapes.
type hub struct {
	t       testing.TB
	srv     *httptest.Server
	token   string
	fault   func(w http.ResponseWriter, r *http.Request) bool // answers instead, if it says so
	rewrite func(r *http.Request)                             // spoils a request, where it is set
	seen    []string                                          // requests, in order
	agents  []string

	mu       sync.Mutex
	pageSize int  // at most
	oldLinks bool // an answer that is what it was says nothing of where its list goes on
	methods  []string
	rulings  []string // methods that a rule for the branch forbids
	drafts   bool
	today    string // the owner's login, where it is another than it was
	required string
	branches map[string]string
	pushes   int
	pulls    []*pull
	statuses map[string][]check
	runs     map[string][]check
	git      *gittest.Repo // nil in worlds that make no commits
}

type check struct{ name, state, conclusion string }

type pull struct {
	number              int
	title, body         string
	branch, base, head  string
	repo                int64
	state               string
	draft, auto         bool
	merged, closed      time.Time
	touched             time.Time // zero: by nobody since it was opened
	labels              []string
	reviewers, teams    []string
	assignees, comments []string
}

func newHub(t testing.TB) *hub {
	h := &hub{
		t: t, token: "ghp_" + strings.ReplaceAll(t.Name(), "/", "") + strconv.Itoa(int(time.Now().UnixNano())),
		pageSize: 2, methods: []string{"merge", "squash", "rebase"}, drafts: true, today: owner,
		branches: map[string]string{}, statuses: map[string][]check{}, runs: map[string][]check{},
	}
	h.push(forgetest.Base)
	h.srv = httptest.NewServer(h.routes())
	t.Cleanup(h.srv.Close)
	return h
}

func (h *hub) api() string { return h.srv.URL + "/api/v3/" }

func (h *hub) forge() *github.Forge {
	h.t.Helper()
	f, err := github.New(github.Options{API: h.api(), Owner: owner, Repo: repo, Token: tokenOf(h.token), UserAgent: "towpath/test"})
	if err != nil {
		h.t.Fatal(err)
	}
	return f
}

func (h *hub) routes() http.Handler {
	mux := http.NewServeMux()
	at := func(pattern, docs string, serve func(c *call)) {
		method, path, _ := strings.Cut(pattern, " ")
		full := method + " /api/v3/repos/{owner}/{repo}" + path
		if path == "/graphql" {
			full = method + " /api/graphql"
		}
		mux.HandleFunc(full, func(w http.ResponseWriter, r *http.Request) {
			h.mu.Lock()
			defer h.mu.Unlock()
			serve(&call{h, w, r, docs})
		})
	}
	at("GET ", "repos/repos#get-a-repository", (*call).repository)
	at("GET /pulls", "pulls/pulls#list-pull-requests", (*call).list)
	at("POST /pulls", "pulls/pulls#create-a-pull-request", (*call).create)
	at("GET /pulls/{n}", "pulls/pulls#get-a-pull-request", (*call).get)
	at("PATCH /pulls/{n}", "pulls/pulls#update-a-pull-request", (*call).update)
	at("PUT /pulls/{n}/merge", "pulls/pulls#merge-a-pull-request", (*call).merge)
	at("POST /pulls/{n}/requested_reviewers", "pulls/review-requests#request-reviewers-for-a-pull-request", (*call).review)
	at("POST /issues/{n}/labels", "issues/labels#add-labels-to-an-issue", (*call).label)
	at("POST /issues/{n}/assignees", "issues/assignees#add-assignees-to-an-issue", (*call).assign)
	at("GET /issues/{n}/comments", "issues/comments#list-issue-comments", (*call).comments)
	at("POST /issues/{n}/comments", "issues/comments#create-an-issue-comment", (*call).comment)
	at("POST /statuses/{sha}", "commits/statuses#create-a-commit-status", (*call).setStatus)
	at("GET /commits/{sha}/status", "commits/statuses#get-the-combined-status-for-a-specific-reference", (*call).status)
	at("GET /commits/{sha}/check-runs", "checks/runs#list-check-runs-for-a-git-reference", (*call).checkRuns)
	at("POST /graphql", "graphql", (*call).graphQL)
	at("GET /git/commits/{sha}", "git/commits#get-a-commit-object", (*call).gitCommit)
	at("GET /git/trees/{sha}", "git/trees#get-a-tree", (*call).gitTree)
	at("POST /git/blobs", "git/blobs#create-a-blob", (*call).makeBlob)
	at("POST /git/trees", "git/trees#create-a-tree", (*call).makeTree)
	at("POST /git/commits", "git/commits#create-a-commit", (*call).makeCommit)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.mu.Lock()
		h.seen = append(h.seen, r.Method+" "+r.URL.RequestURI())
		h.agents = append(h.agents, r.UserAgent())
		fault := h.fault
		h.mu.Unlock()
		limits(w, 4987)
		if fault != nil && fault(w, r) {
			return
		}
		if r.Header.Get("Authorization") != "Bearer "+h.token {
			refuse(w, 401, "Bad credentials", "")
			return
		}
		if h.rewrite != nil {
			h.rewrite(r)
		}
		mux.ServeHTTP(w, r)
	})
}

func limits(w http.ResponseWriter, left int) {
	w.Header().Set("Server", "github.com")
	w.Header().Set("X-GitHub-Media-Type", "github.v3; format=json")
	w.Header().Set("X-RateLimit-Limit", "5000")
	w.Header().Set("X-RateLimit-Remaining", strconv.Itoa(left))
	w.Header().Set("X-RateLimit-Reset", strconv.FormatInt(time.Now().Add(30*time.Minute).Unix(), 10))
	w.Header().Set("X-RateLimit-Used", strconv.Itoa(5000-left))
	w.Header().Set("X-RateLimit-Resource", "core")
}

// refuse answers as GitHub does when it refuses. Errors are JSON.
func refuse(w http.ResponseWriter, status int, message, docs string, errors ...string) {
	more := ""
	if len(errors) > 0 {
		more = `"errors":[` + strings.Join(errors, ",") + `],`
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	text, _ := json.Marshal(message)
	fmt.Fprintf(w, `{"message":%s,%s"documentation_url":"https://docs.github.com/rest/%s","status":"%d"}`, text, more, docs, status)
}

// A call is one request. The hub is locked while it is served.
type call struct {
	*hub
	w    http.ResponseWriter
	r    *http.Request
	docs string
}

func (c *call) refuse(status int, message string, errors ...string) {
	refuse(c.w, status, message, c.docs, errors...)
}

func (c *call) answer(status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		c.t.Error(err)
	}
	c.w.Header().Set("Content-Type", "application/json; charset=utf-8")
	if c.r.Method == http.MethodGet {
		tag := fmt.Sprintf(`W/"%x"`, sha1.Sum(body))
		c.w.Header().Set("ETag", tag)
		c.w.Header().Set("Cache-Control", "private, max-age=60, s-maxage=60")
		if c.r.Header.Get("If-None-Match") == tag {
			if c.oldLinks {
				c.w.Header().Del("Link")
			}
			c.w.WriteHeader(http.StatusNotModified)
			return
		}
	}
	c.w.WriteHeader(status)
	c.w.Write(body)
}

func (c *call) read(v any) {
	if err := json.NewDecoder(c.r.Body).Decode(v); err != nil {
		c.t.Errorf("%s %s: %v", c.r.Method, c.r.URL, err)
	}
}

// page cuts a list and links to its other pages, by the repository's number as GitHub does.
func page[T any](c *call, all []T) []T {
	q := c.r.URL.Query()
	size, _ := strconv.Atoi(q.Get("per_page"))
	size = min(max(size, 1), c.pageSize)
	at, _ := strconv.Atoi(q.Get("page"))
	at = max(at, 1)
	last := max((len(all)+size-1)/size, 1)
	link := func(n int, rel string) string {
		q := c.r.URL.Query()
		q.Set("page", strconv.Itoa(n))
		_, rest, _ := strings.Cut(c.r.URL.Path, "/repos/"+owner+"/"+repo)
		u := url.URL{Scheme: "http", Host: c.r.Host, Path: fmt.Sprintf("/api/v3/repositories/%d%s", repoID, rest), RawQuery: q.Encode()}
		return fmt.Sprintf(`<%s>; rel=%q`, &u, rel)
	}
	var links []string
	if at > 1 {
		links = append(links, link(at-1, "prev"), link(1, "first"))
	}
	if at < last {
		links = append(links, link(at+1, "next"), link(last, "last"))
	}
	if len(links) > 0 {
		c.w.Header().Set("Link", strings.Join(links, ", "))
	}
	from := min((at-1)*size, len(all))
	return all[from:min(from+size, len(all))]
}

// pull finds the one that the path names.
func (c *call) pull() *pull {
	n, _ := strconv.Atoi(c.r.PathValue("n"))
	if n < 1 || n > len(c.pulls) {
		c.refuse(404, "Not Found")
		return nil
	}
	return c.pulls[n-1]
}

func (h *hub) push(branch string) string {
	h.pushes++
	head := fmt.Sprintf("%x", sha1.Sum(fmt.Append(nil, branch, h.pushes)))
	h.branches[branch] = head
	for _, p := range h.pulls {
		if p.branch == branch && p.repo == repoID && p.state == "open" {
			p.head = head
		}
	}
	return head
}

func (h *hub) open(branch, base, title, body string, from int64) *pull {
	head := h.branches[branch]
	if from != repoID {
		head = fmt.Sprintf("%x", sha1.Sum(fmt.Append(nil, from, branch)))
	}
	p := &pull{number: len(h.pulls) + 1, title: title, body: body, branch: branch, base: base, head: head, repo: from, state: "open"}
	h.pulls = append(h.pulls, p)
	return p
}

func (h *hub) at() time.Time {
	h.pushes++
	return start.Add(time.Duration(h.pushes) * time.Minute)
}

func (h *hub) end(p *pull, merged bool) {
	p.state, p.closed, p.auto = "closed", h.at(), false
	if merged {
		p.merged = p.closed
	}
}

func (h *hub) shape(p *pull) map[string]any {
	user := func(login string) map[string]any {
		return map[string]any{"login": login, "id": 1, "type": "User", "site_admin": false}
	}
	users := func(logins []string) []any {
		all := []any{}
		for _, l := range logins {
			all = append(all, user(l))
		}
		return all
	}
	side := func(ref, sha string, repo int64) map[string]any {
		who := h.today
		if repo != repoID {
			who = "stranger"
		}
		return map[string]any{"label": who + ":" + ref, "ref": ref, "sha": sha, "user": user(who),
			"repo": map[string]any{"id": repo, "name": "hello-world", "full_name": who + "/hello-world", "fork": repo != repoID, "owner": user(who)}}
	}
	labels := []any{}
	for i, l := range p.labels {
		labels = append(labels, map[string]any{"id": 208045946 + i, "name": l, "color": "ededed", "default": false, "description": nil})
	}
	teams := []any{}
	for i, s := range p.teams {
		teams = append(teams, map[string]any{"id": i + 1, "name": s, "slug": s})
	}
	date := func(t time.Time) any {
		if t.IsZero() {
			return nil
		}
		return t.Format(time.RFC3339)
	}
	var auto any
	if p.auto {
		auto = map[string]any{"enabled_by": user(botLogin), "merge_method": "squash", "commit_title": nil, "commit_message": nil}
	}
	var body any = p.body
	if p.body == "" {
		body = nil
	}
	return map[string]any{
		"url": fmt.Sprintf("%srepos/%s/%s/pulls/%d", h.api(), owner, repo, p.number), "id": 1000 + p.number, "node_id": fmt.Sprintf("PR_kwDO%d", p.number),
		"html_url": fmt.Sprintf("https://github.com/%s/%s/pull/%d", owner, repo, p.number),
		"number":   p.number, "state": p.state, "locked": false, "title": p.title, "user": user(botLogin), "body": body,
		"labels": labels, "milestone": nil, "created_at": date(start), "updated_at": date(slices.MaxFunc([]time.Time{start, p.touched}, time.Time.Compare)), "closed_at": date(p.closed), "merged_at": date(p.merged),
		"merge_commit_sha": nil, "assignees": users(p.assignees), "requested_reviewers": users(p.reviewers), "requested_teams": teams,
		"head": side(p.branch, p.head, p.repo), "base": side(p.base, h.branches[p.base], repoID), "draft": p.draft, "auto_merge": auto,
		"author_association": "COLLABORATOR", "merged": !p.merged.IsZero(),
	}
}

// says lists the states of all checks of a commit.
func (h *hub) good(head, name string) bool {
	return slices.Contains(h.statuses[head], check{name, "success", ""}) || slices.Contains(h.runs[head], check{name, "completed", "success"})
}

func put(all []check, c check) []check {
	all = slices.DeleteFunc(all, func(o check) bool { return o.name == c.name })
	return append(all, c)
}

// report has commit statuses for builds and check runs for everything else, so that both matter.
func (h *hub) report(head, name string, says forge.Checks) {
	status := map[forge.Checks]string{forge.Pending: "pending", forge.Green: "success", forge.Red: "failure"}[says]
	if strings.Contains(name, "build") {
		h.statuses[head] = put(h.statuses[head], check{name, status, ""})
	} else if says == forge.Pending {
		h.runs[head] = put(h.runs[head], check{name, "in_progress", ""})
	} else {
		h.runs[head] = put(h.runs[head], check{name, "completed", status})
	}
	for _, p := range h.pulls {
		if p.auto && p.head == head && h.good(head, h.required) {
			h.end(p, true)
		}
	}
}
