package gitlab_test

import (
	"context"
	"crypto/rand"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/towpath/towpath/forge"
	"github.com/towpath/towpath/forge/forgetest"
	"github.com/towpath/towpath/forge/gitlab"
	"github.com/towpath/towpath/forge/wire"
)

func TestContract(t *testing.T) {
	forgetest.Run(t, func(t *testing.T) forgetest.World { return newWorld(t) })
}

// A world is a GitLab that is served, and the people in it.
type world struct {
	*gitLab
	t     *testing.T
	url   string // of the API
	token string
	under *gitlab.Forge
	seen  func(*http.Request) // every request
	// before sees every request that has a valid credential, and may answer it.
	before func(w http.ResponseWriter, r *http.Request) (answered bool)
}

func newWorld(t *testing.T) *world {
	w := &world{gitLab: newGitLab(), t: t, token: "glpat-" + rand.Text()}
	server := httptest.NewServer(http.HandlerFunc(w.serve))
	t.Cleanup(server.Close)
	w.url = server.URL + "/api/v4/"
	w.under = w.client(2)
	return w
}

func (w *world) client(pageSize int) *gitlab.Forge {
	f, err := gitlab.New(gitlab.Options{
		Options: wire.Options{API: w.url, Token: func(context.Context) (string, error) { return w.token, nil }},
		Project: project, PageSize: pageSize,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return f
}

func (w *world) serve(rw http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	w.requests++
	w.mu.Unlock()
	if w.seen != nil {
		w.seen(r)
	}
	if r.Header.Get("Private-Token") != w.token || r.Header.Get("Authorization") != "" {
		w.says(rw, r, 401, "401 Unauthorized")
		return
	}
	if w.before == nil || !w.before(rw, r) {
		w.gitLab.ServeHTTP(rw, r)
	}
}

func (w *world) locked(do func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	do()
}

func (w *world) Forge() forge.Forge   { return w.under }
func (w *world) Another() forge.Forge { return w.client(2) }

func (w *world) Requests() (n int) {
	w.locked(func() { n = w.requests })
	return n
}

func (w *world) Push(branch string) (head string) {
	w.locked(func() { head = w.push(branch) })
	return head
}

// DeleteBranch leaves merge requests open, as GitLab does.
func (w *world) DeleteBranch(branch string) { w.locked(func() { delete(w.branches, branch) }) }

func (w *world) Open(branch, base, title, body string) (number int) {
	w.locked(func() { number = w.open(projectID, branch, base, title, body).number })
	return number
}

func (w *world) Stranger(branch, base, title, body string) (number int) {
	w.locked(func() { number = w.open(strangers, branch, base, title, body).number })
	return number
}

func (w *world) Write(number int, title, body string) {
	w.locked(func() { m := w.merges[number-1]; m.title, m.body = title, body })
}

func (w *world) Label(number int, label string) {
	w.locked(func() { w.give(w.merges[number-1], []string{label}) })
}

func (w *world) Close(number int) { w.locked(func() { w.end(w.merges[number-1], "closed") }) }

func (w *world) Reopen(number int) { w.locked(func() { w.merges[number-1].state = "opened" }) }

func (w *world) Merge(number int, _ string) {
	w.locked(func() { w.end(w.merges[number-1], "merged") })
}

// Ways differ in what they do to Git, which GitLab's answers do not show.
func (w *world) Ways() []string { return []string{"merge", "squash", "ff"} }

func (w *world) Check(head, name string, says forge.Checks) {
	as := map[forge.Checks]string{forge.Pending: "running", forge.Green: "success", forge.Red: "failed"}
	w.locked(func() { w.report(head, name, as[says]) })
}

func (w *world) Require(name string) { w.locked(func() { w.required = name }) }

func (w *world) Await(number int, state forge.State) {
	as := map[forge.State]string{forge.Open: "opened", forge.Closed: "closed", forge.Merged: "merged"}
	w.locked(func() {
		if is := w.merges[number-1].state; is != as[state] {
			w.t.Fatalf("merge request !%d is %s, want %s", number, is, state)
		}
	})
}

func (w *world) Comments(number int) (all []string) {
	w.locked(func() {
		for _, n := range w.merges[number-1].notes {
			if !n.system {
				all = append(all, n.body)
			}
		}
	})
	return all
}

func (w *world) Asked(number int) (reviewers, assignees []string) {
	w.locked(func() {
		m := w.merges[number-1]
		reviewers, assignees = slices.Clone(m.reviewers), slices.Clone(m.assignees)
	})
	return reviewers, assignees
}

func (w *world) Reviewer() string { return "reviewer" }
