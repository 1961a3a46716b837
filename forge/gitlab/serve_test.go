package gitlab_test

import (
	"cmp"
	"crypto/md5"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ServeHTTP is GitLab's API, version 4, in the shapes of its answers. The credential is who
// stands before it: world.
func (g *gitLab) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	defer g.mu.Unlock()
	path := strings.TrimPrefix(r.URL.EscapedPath(), "/api/v4/")
	if path == "users" {
		g.answer(w, r, 200, g.usersNamed(r.URL.Query().Get("username")))
		return
	}
	path, ok := strings.CutPrefix(path, "projects/acme%2Fplat%2Eform%2Fdeploy/")
	if !ok {
		g.says(w, r, 404, "404 Project Not Found")
		return
	}
	parts := strings.Split(path, "/")
	switch {
	case path == "merge_requests" && r.Method == "GET":
		g.list(w, r)
	case path == "merge_requests" && r.Method == "POST":
		g.create(w, r)
	case parts[0] == "merge_requests":
		g.one(w, r, parts[1:])
	case len(parts) == 2 && parts[0] == "statuses" && r.Method == "POST":
		g.setStatus(w, r, parts[1])
	case len(parts) == 4 && parts[3] == "statuses":
		page(g, w, r, each(g.jobs(parts[2]), func(s status) any { return s.answer(parts[2]) }))
	case path == "pipelines":
		page(g, w, r, each(g.runs[r.URL.Query().Get("sha")], func(p pipeline) any { return p.answer(r.URL.Query().Get("sha")) }))
	default:
		g.says(w, r, 404, "404 Not Found")
	}
}

// setStatus changes a job that waits or runs, or makes another: one that is done stays as it is.
func (g *gitLab) setStatus(w http.ResponseWriter, r *http.Request, sha string) {
	in := read(r)
	name, state := text(in, "name"), text(in, "state")
	if strings.Trim(sha, "1") == "" {
		g.says(w, r, 404, "404 Commit Not Found")
		return
	}
	for _, s := range g.jobs(sha) {
		if s.name == name && s.status == state && state == "pending" {
			g.answer(w, r, 400, map[string]any{"message": map[string]any{"status": []string{`Cannot transition status via :enqueue from :pending (Reason(s): Status cannot transition via "enqueue")`}}})
			return
		}
	}
	g.report(sha, name, state)
	all := g.statuses[sha]
	g.answer(w, r, 201, all[len(all)-1].answer(sha))
}

func (g *gitLab) one(w http.ResponseWriter, r *http.Request, parts []string) {
	n, _ := strconv.Atoi(parts[0])
	if n < 1 || n > len(g.merges) {
		g.says(w, r, 404, "404 Not found")
		return
	}
	m := g.merges[n-1]
	switch what := r.Method + " " + strings.Join(parts[1:], "/"); what {
	case "GET ":
		g.answer(w, r, 200, g.single(m))
	case "PUT ":
		g.update(w, r, m)
	case "PUT merge":
		in := read(r)
		auto, _ := in["merge_when_pipeline_succeeds"].(bool)
		if status, message := g.accept(m, text(in, "sha"), auto); status != 200 {
			g.says(w, r, status, message)
			return
		}
		g.answer(w, r, 200, g.single(m))
	case "GET notes":
		all := each(m.notes, func(n note) any { return n.answer(1) })
		slices.Reverse(all) // newest first
		page(g, w, r, all)
	case "POST notes":
		n := note{body: g.carryOut(m, text(read(r), "body"))}
		m.notes = append(m.notes, n)
		g.answer(w, r, 201, n.answer(g.id()))
	default:
		g.says(w, r, 404, "404 Not Found")
	}
}

func (g *gitLab) list(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	is := func(name, value string) bool { return q.Get(name) == "" || q.Get(name) == value }
	var all []any
	for _, m := range slices.Backward(g.merges) {
		if (q.Get("state") == "all" || is("state", m.state)) && is("source_branch", m.branch) && is("target_branch", m.base) {
			all = append(all, g.basic(m))
		}
	}
	page(g, w, r, all)
}

func (g *gitLab) create(w http.ResponseWriter, r *http.Request) {
	in := read(r)
	branch, base := text(in, "source_branch"), text(in, "target_branch")
	switch {
	case g.branches[branch] == 0:
		g.answer(w, r, 400, map[string]any{"message": []string{"Source branch does not exist"}})
		return
	case text(in, "title") == "" || len([]rune(text(in, "title"))) > 255:
		g.answer(w, r, 400, map[string]any{"message": map[string]any{"title": []string{"is too long (maximum is 255 characters)"}}})
		return
	}
	if m := g.find(branch, base); m != nil {
		g.answer(w, r, 409, map[string]any{"message": []string{fmt.Sprintf("Another open merge request already exists for this source branch: !%d", m.number)}})
		return
	}
	m := g.open(projectID, branch, base, text(in, "title"), text(in, "description"))
	if labels := text(in, "labels"); labels != "" {
		g.give(m, strings.Split(labels, ","))
	}
	m.reviewers, m.assignees = g.members(numbers(in, "reviewer_ids"), g.reviewers), g.members(numbers(in, "assignee_ids"), g.reviewers)
	g.answer(w, r, 201, g.single(m))
}

func (g *gitLab) update(w http.ResponseWriter, r *http.Request, m *merge) {
	in := read(r)
	if title, ok := in["title"]; ok {
		m.title = title.(string)
	}
	if body, ok := in["description"]; ok {
		m.body = g.carryOut(m, body.(string))
	}
	if labels, ok := in["labels"]; ok { // all that it has from now on
		m.labels = nil
		g.give(m, strings.Split(labels.(string), ","))
	}
	if _, ok := in["reviewer_ids"]; ok {
		m.reviewers = g.members(numbers(in, "reviewer_ids"), g.reviewers)
	}
	if text(in, "state_event") == "close" && m.state == "opened" && !g.keepsOpen {
		g.end(m, "closed")
	}
	g.answer(w, r, 200, g.single(m))
}

// basic is a merge request as lists have it.
func (g *gitLab) basic(m *merge) map[string]any {
	url := fmt.Sprintf("https://gitlab.example/%s/-/merge_requests/%d", project, m.number)
	var merged, closed any
	updated := m.at
	switch m.state {
	case "merged":
		merged, updated = stamp(m.ended), m.ended
	case "closed":
		closed, updated = stamp(m.ended), m.ended
	}
	return map[string]any{
		"id": 155_016_530 + m.number, "iid": m.number, "project_id": projectID, "title": m.title, "description": m.body, "state": m.state,
		"created_at": stamp(m.at), "updated_at": stamp(updated), "merged_by": nil, "merge_user": nil, "merged_at": merged, "closed_by": nil, "closed_at": closed,
		"target_branch": m.base, "source_branch": m.branch, "user_notes_count": len(m.notes), "upvotes": 0, "downvotes": 0,
		"author": g.user("towpath-bot"), "assignees": g.usersOf(m.assignees), "assignee": nil, "reviewers": g.usersOf(m.reviewers),
		"source_project_id": m.source, "target_project_id": projectID, "labels": append([]string{}, m.labels...),
		"draft": m.draft(), "imported": false, "imported_from": "none", "work_in_progress": m.draft(), "milestone": nil, "merge_when_pipeline_succeeds": m.auto,
		"merge_status": "can_be_merged", "detailed_merge_status": g.ready(m), "merge_after": nil, "sha": m.head, "merge_commit_sha": nil, "squash_commit_sha": nil,
		"discussion_locked": nil, "should_remove_source_branch": nil, "force_remove_source_branch": false, "prepared_at": stamp(m.at),
		"reference": fmt.Sprintf("!%d", m.number), "references": map[string]any{"short": fmt.Sprintf("!%d", m.number), "relative": fmt.Sprintf("!%d", m.number), "full": fmt.Sprintf("%s!%d", project, m.number)},
		"web_url": url, "time_stats": map[string]any{"time_estimate": 0, "total_time_spent": 0, "human_time_estimate": nil, "human_total_time_spent": nil},
		"squash": false, "squash_on_merge": false, "task_completion_status": map[string]any{"count": 0, "completed_count": 0},
		"has_conflicts": false, "blocking_discussions_resolved": true, "approvals_before_merge": nil,
	}
}

// single is one as it is read alone.
func (g *gitLab) single(m *merge) map[string]any {
	all := g.basic(m)
	all["subscribed"], all["changes_count"], all["pipeline"], all["head_pipeline"], all["first_contribution"] = true, "1", nil, nil, false
	all["diff_refs"] = map[string]any{"base_sha": g.tip(m.base), "head_sha": m.head, "start_sha": g.tip(m.base)}
	all["merge_error"], all["user"] = nil, map[string]any{"can_merge": !g.reporter}
	return all
}

func (g *gitLab) user(name string) map[string]any {
	return map[string]any{
		"id": g.users[name], "username": name, "public_email": "", "name": name, "state": "active", "locked": false,
		"avatar_url": nil, "web_url": "https://gitlab.example/" + name,
	}
}

func (g *gitLab) usersOf(names []string) []any {
	return each(names, func(name string) any { return g.user(name) })
}

func (g *gitLab) usersNamed(username string) []any {
	all := []any{}
	for name := range g.users {
		if strings.EqualFold(name, username) {
			all = append(all, g.user(name))
		}
	}
	return all
}

func (n note) answer(id int64) any {
	return map[string]any{"id": id, "type": nil, "body": n.body, "system": n.system, "noteable_type": "MergeRequest", "internal": false, "resolvable": false}
}

func (s status) answer(sha string) any {
	return map[string]any{
		"id": s.id, "sha": sha, "ref": s.ref, "status": s.status, "name": s.name, "target_url": "https://gitlab.example/job", "description": nil,
		"created_at": "2026-01-01T00:00:00.000Z", "started_at": nil, "finished_at": nil, "allow_failure": s.mayFail, "coverage": nil, "pipeline_id": 1,
		"author": map[string]any{"id": 7, "username": "towpath-bot", "name": "towpath-bot", "state": "active"},
	}
}

func (p pipeline) answer(sha string) any {
	return map[string]any{"id": p.id, "iid": p.id, "project_id": projectID, "sha": sha, "ref": p.ref, "status": p.status, "source": "push", "web_url": "https://gitlab.example/pipeline"}
}

// page answers with a page of a list.
func page(g *gitLab, w http.ResponseWriter, r *http.Request, all []any) {
	q := r.URL.Query()
	n, _ := strconv.Atoi(cmp.Or(q.Get("page"), "1"))
	size, _ := strconv.Atoi(cmp.Or(q.Get("per_page"), "20"))
	size = min(size, 100)
	from, to := min((n-1)*size, len(all)), min(n*size, len(all))
	h := w.Header()
	h.Set("X-Page", strconv.Itoa(n))
	h.Set("X-Per-Page", strconv.Itoa(size))
	h.Set("X-Next-Page", "")
	if to < len(all) {
		h.Set("X-Next-Page", strconv.Itoa(n+1))
		q.Set("page", strconv.Itoa(n+1))
		h.Set("Link", fmt.Sprintf(`<http://%s%s?%s>; rel="next"`, r.Host, r.URL.EscapedPath(), q.Encode()))
	}
	g.answer(w, r, 200, append([]any{}, all[from:to]...))
}

func (g *gitLab) says(w http.ResponseWriter, r *http.Request, status int, message string) {
	g.answer(w, r, status, map[string]any{"message": message})
}

func (g *gitLab) answer(w http.ResponseWriter, r *http.Request, status int, body any) {
	b, err := json.Marshal(body)
	if err != nil {
		panic(err)
	}
	w.Header().Set("Content-Type", "application/json")
	if tag := fmt.Sprintf(`W/"%x"`, md5.Sum(b)); status == 200 && r.Method == "GET" {
		w.Header().Set("Etag", tag)
		w.Header().Set("Cache-Control", "max-age=0, private, must-revalidate")
		if r.Header.Get("If-None-Match") == tag {
			w.WriteHeader(http.StatusNotModified)
			return
		}
	}
	w.WriteHeader(status)
	w.Write(b)
}

func read(r *http.Request) (in map[string]any) {
	json.NewDecoder(r.Body).Decode(&in)
	return in
}

func text(in map[string]any, name string) string {
	s, _ := in[name].(string)
	return s
}

func numbers(in map[string]any, name string) (all []int64) {
	list, _ := in[name].([]any)
	for _, n := range list {
		all = append(all, int64(n.(float64)))
	}
	return all
}

func each[T any](list []T, as func(T) any) []any {
	all := []any{}
	for _, v := range list {
		all = append(all, as(v))
	}
	return all
}

func stamp(t time.Time) string { return t.Format("2006-01-02T15:04:05.000Z") }
