package gitea

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	sdk "code.gitea.io/sdk/gitea"

	"github.com/towpath/towpath/forge"
	"github.com/towpath/towpath/forge/forgetest"
	"github.com/towpath/towpath/forge/gitea/giteatest"
	"github.com/towpath/towpath/forge/wire"
)

// people are the users of the Gitea that tests are recorded with.
type people struct{ owner, bot, reviewer, stranger giteatest.User }

// A world is a repository of a Gitea, real or on tape.
type world struct {
	*tape
	people
	repo string

	forge   forge.Forge
	tips    map[string]string // of branches that were pushed
	commits int
}

const owner = "owner"

var _ forgetest.World = (*world)(nil)

// newWorld makes the repository, which is the one thing that is not on the tape.
func newWorld(t *testing.T, real *giteatest.Server, all people) *world {
	w := &world{tape: newTape(t, real), tips: map[string]string{}}
	w.repo = strings.ToLower(strings.NewReplacer("/", "_", " ", "-").Replace(t.Name()))
	w.owner, w.bot = w.user(owner, all.owner), w.user("bot", all.bot)
	w.reviewer, w.stranger = w.user("reviewer", all.reviewer), w.user("stranger", all.stranger)
	if real != nil {
		if err := real.Repo(all.owner, w.repo, "bot", "reviewer"); err != nil {
			t.Fatal(err)
		}
	}
	w.forge = w.client("under test")
	return w
}

// client is a Forge with small pages.
func (w *world) client(agent string) *Forge {
	api := w.URL + "/api/v1/"
	client, err := wire.New(wire.Options{API: api, UserAgent: agent, Token: func(context.Context) (string, error) { return w.bot.Token, nil }})
	if err != nil {
		w.t.Fatal(err)
	}
	f, err := New(Options{API: api, Owner: owner, Repo: w.repo, Client: client, PageSize: 2})
	if err != nil {
		w.t.Fatal(err)
	}
	return f
}

func (w *world) Forge() forge.Forge   { return w.forge }
func (w *world) Another() forge.Forge { return w.client("another") }

func (w *world) Requests() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.requests["under test"]
}

// ask sends a person's request and fails the test unless it is a success.
func (w *world) ask(as giteatest.User, method, path string, send, into any) {
	w.t.Helper()
	if status, answer := w.try(as, method, w.path(path), send, into); status/100 != 2 {
		w.t.Fatalf("%s %s: %d: %s", method, path, status, answer)
	}
}

func (w *world) path(path string) string { return "/repos/" + owner + "/" + w.repo + path }

func (w *world) try(as giteatest.User, method, path string, send, into any) (status int, answer []byte) {
	w.t.Helper()
	body := &bytes.Buffer{}
	if send != nil {
		if err := json.NewEncoder(body).Encode(send); err != nil {
			w.t.Fatal(err)
		}
	}
	req, err := http.NewRequestWithContext(w.t.Context(), method, w.URL+"/api/v1"+path, body)
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Authorization", "token "+as.Token)
	req.Header.Set("Content-Type", "application/json")
	if _, polls := into.(*polled); polls {
		req.Header.Set(poll, "1")
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err = io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	if resp.StatusCode/100 == 2 && into != nil {
		if err := json.Unmarshal(answer, into); err != nil {
			w.t.Fatalf("%s %s: %v: %s", method, path, err, answer)
		}
	}
	return resp.StatusCode, answer
}

// polled is a pull request that is read until it is as wanted.
type polled struct{ sdk.PullRequest }

// until asks for a pull request until it is as wanted. A recording holds the last answer only.
func (w *world) until(number int, what string, wanted func(*polled) bool) {
	w.t.Helper()
	for range 200 {
		var p polled
		w.ask(w.owner, "GET", fmt.Sprintf("/pulls/%d", number), nil, &p)
		if wanted(&p) {
			return
		}
		if w.real != nil {
			time.Sleep(50 * time.Millisecond) // it is at work
		}
	}
	w.t.Fatalf("pull request %d is not %s", number, what)
}

func (w *world) Push(branch string) string {
	w.t.Helper()
	return w.push(w.owner, owner+"/"+w.repo, branch)
}

func (w *world) push(as giteatest.User, repo, branch string) string {
	w.t.Helper()
	w.commits++
	send := map[string]any{
		"message": fmt.Sprintf("Commit %d", w.commits), "content": base64.StdEncoding.EncodeToString([]byte("x\n")), "branch": branch,
	}
	if w.tips[repo+":"+branch] == "" {
		send["branch"], send["new_branch"] = forgetest.Base, branch
	}
	var made struct{ Commit struct{ SHA string } }
	status, answer := w.try(as, "POST", fmt.Sprintf("/repos/%s/contents/file-%d.txt", repo, w.commits), send, &made)
	if status/100 != 2 {
		w.t.Fatalf("push %s: %d: %s", branch, status, answer)
	}
	w.tips[repo+":"+branch] = made.Commit.SHA
	return made.Commit.SHA
}

// DeleteBranch waits until its pull requests are closed.
func (w *world) DeleteBranch(branch string) {
	w.t.Helper()
	var open []sdk.PullRequest
	w.ask(w.owner, "GET", "/pulls?state=open", nil, &open)
	w.ask(w.owner, "DELETE", "/branches/"+url.PathEscape(branch), nil, nil)
	delete(w.tips, owner+"/"+w.repo+":"+branch)
	for _, pr := range open {
		if pr.Head.Name == branch {
			w.until(int(pr.Index), "closed", func(p *polled) bool { return p.State == sdk.StateClosed })
		}
	}
}

func (w *world) Open(branch, base, title, body string) int {
	w.t.Helper()
	return w.openAs(w.owner, branch, base, title, body)
}

func (w *world) openAs(as giteatest.User, head, base, title, body string) int {
	w.t.Helper()
	var pr sdk.PullRequest
	w.ask(as, "POST", "/pulls", map[string]any{"head": head, "base": base, "title": title, "body": body}, &pr)
	return int(pr.Index)
}

func (w *world) Stranger(branch, base, title, body string) int {
	w.t.Helper()
	w.ask(w.stranger, "POST", "/forks", map[string]any{}, nil)
	w.push(w.stranger, "stranger/"+w.repo, branch)
	return w.openAs(w.stranger, "stranger:"+branch, base, title, body)
}

func (w *world) Write(number int, title, body string) {
	w.t.Helper()
	w.ask(w.owner, "PATCH", fmt.Sprintf("/pulls/%d", number), map[string]any{"title": title, "body": body}, nil)
}

func (w *world) Label(number int, label string) {
	w.t.Helper()
	var made sdk.Label
	w.ask(w.owner, "POST", "/labels", map[string]any{"name": label, "color": "#00aabb"}, &made)
	w.ask(w.owner, "POST", fmt.Sprintf("/issues/%d/labels", number), map[string]any{"labels": []int64{made.ID}}, nil)
}

func (w *world) Close(number int) {
	w.t.Helper()
	w.ask(w.owner, "PATCH", fmt.Sprintf("/pulls/%d", number), map[string]any{"state": "closed"}, nil)
}

func (w *world) Reopen(number int) {
	w.t.Helper()
	w.ask(w.owner, "PATCH", fmt.Sprintf("/pulls/%d", number), map[string]any{"state": "open"}, nil)
}

func (w *world) Ways() []string { return []string{"merge", "squash", "rebase", "rebase-merge"} }

func (w *world) Merge(number int, way string) {
	w.t.Helper()
	w.Await(number, forge.Open)
	w.ask(w.owner, "POST", fmt.Sprintf("/pulls/%d/merge", number), map[string]any{"Do": way}, nil)
	w.Await(number, forge.Merged)
}

func (w *world) Check(head, name string, says forge.Checks) {
	w.t.Helper()
	state := map[forge.Checks]string{forge.Pending: "pending", forge.Green: "success", forge.Red: "failure"}[says]
	w.ask(w.owner, "POST", "/statuses/"+head, map[string]any{"state": state, "context": name}, nil)
}

func (w *world) Require(name string) {
	w.t.Helper()
	w.ask(w.owner, "POST", "/branch_protections", map[string]any{
		"rule_name": forgetest.Base, "enable_status_check": true, "status_check_contexts": []string{name},
	}, nil)
}

func (w *world) Await(number int, state forge.State) {
	w.t.Helper()
	w.until(number, string(state), func(p *polled) bool {
		switch state {
		case forge.Merged:
			return p.HasMerged
		case forge.Closed:
			return p.State == sdk.StateClosed && !p.HasMerged
		}
		tip := w.tips[owner+"/"+w.repo+":"+p.Head.Name]
		return p.State == sdk.StateOpen && p.Head.Sha == tip && (p.Mergeable || p.Draft)
	})
}

func (w *world) Comments(number int) []string {
	w.t.Helper()
	var found []sdk.Comment
	w.ask(w.owner, "GET", fmt.Sprintf("/issues/%d/comments", number), nil, &found)
	var texts []string
	for _, c := range found {
		texts = append(texts, c.Body)
	}
	return texts
}

func (w *world) Asked(number int) (reviewers, assignees []string) {
	w.t.Helper()
	var pr sdk.PullRequest
	w.ask(w.owner, "GET", fmt.Sprintf("/pulls/%d", number), nil, &pr)
	for _, u := range pr.RequestedReviewers {
		reviewers = append(reviewers, u.UserName)
	}
	for _, u := range pr.Assignees {
		assignees = append(assignees, u.UserName)
	}
	return reviewers, assignees
}

func (w *world) Reviewer() string { return "reviewer" }
