package github_test

import (
	"context"
	"testing"

	"github.com/towpath/towpath/forge"
	"github.com/towpath/towpath/forge/forgetest"
)

func TestForge(t *testing.T) {
	forgetest.Run(t, func(t *testing.T) forgetest.World {
		t.Parallel()
		h := newHub(t)
		return &world{h, h.forge(), h.forge()}
	})
}

// world is the hub as people use it.
type world struct {
	hub           *hub
	mine, another forge.Forge
}

func (w *world) Forge() forge.Forge   { return w.mine }
func (w *world) Another() forge.Forge { return w.another }

func (w *world) Requests() int { return locked(w.hub, func() int { return len(w.hub.seen) }) }

func (w *world) Push(branch string) string {
	return locked(w.hub, func() string { return w.hub.push(branch) })
}

// DeleteBranch closes what is open for the branch, as GitHub does.
func (w *world) DeleteBranch(branch string) {
	w.hub.mu.Lock()
	defer w.hub.mu.Unlock()
	delete(w.hub.branches, branch)
	for _, p := range w.hub.pulls {
		if p.branch == branch && p.repo == repoID && p.state == "open" {
			w.hub.end(p, false)
		}
	}
}

func (w *world) Open(branch, base, title, body string) int {
	return locked(w.hub, func() int { return w.hub.open(branch, base, title, body, repoID).number })
}

func (w *world) Stranger(branch, base, title, body string) int {
	return locked(w.hub, func() int { return w.hub.open(branch, base, title, body, 777).number })
}

func (w *world) Write(number int, title, body string) {
	w.change(number, func(p *pull) { p.title, p.body = title, body })
}

func (w *world) Label(number int, label string) {
	w.change(number, func(p *pull) { p.labels = append(p.labels, label) })
}

func (w *world) Close(number int) { w.change(number, func(p *pull) { w.hub.end(p, false) }) }

func (w *world) Reopen(number int) {
	w.change(number, func(p *pull) { p.state, p.closed = "open", p.merged })
}

func (w *world) Merge(number int, _ string) { w.change(number, func(p *pull) { w.hub.end(p, true) }) }

func (w *world) Ways() []string { return []string{"merge", "squash", "rebase"} }

func (w *world) Check(head, name string, says forge.Checks) {
	w.hub.mu.Lock()
	defer w.hub.mu.Unlock()
	w.hub.report(head, name, says)
}

func (w *world) Require(name string) {
	w.hub.mu.Lock()
	defer w.hub.mu.Unlock()
	w.hub.required = name
}

func (w *world) Await(number int, state forge.State) {
	w.change(number, func(p *pull) {
		is := forge.State(p.state)
		if !p.merged.IsZero() {
			is = forge.Merged
		}
		if is != state {
			w.hub.t.Fatalf("%d is %s, want %s", number, is, state)
		}
	})
}

func (w *world) Comments(number int) []string {
	return locked(w.hub, func() []string { return w.hub.pulls[number-1].comments })
}

func (w *world) Asked(number int) (reviewers, assignees []string) {
	w.change(number, func(p *pull) { reviewers, assignees = p.reviewers, p.assignees })
	return reviewers, assignees
}

func (w *world) Reviewer() string { return somebody }

func (w *world) change(number int, how func(*pull)) {
	w.hub.mu.Lock()
	defer w.hub.mu.Unlock()
	how(w.hub.pulls[number-1])
}

func locked[T any](h *hub, f func() T) T {
	h.mu.Lock()
	defer h.mu.Unlock()
	return f()
}

func tokenOf(token string) func(context.Context) (string, error) {
	return func(context.Context) (string, error) { return token, nil }
}
