package github_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/towpath/towpath/forge"
)

// TestTheAnswerToOpeningIsLost has the connection break after a pull request was opened, once or for longer: it is
// found again, then or later, and given what it was to have.
//
// fault: F-02
func TestTheAnswerToOpeningIsLost(t *testing.T) {
	t.Parallel()
	for _, lost := range []int{1, 2} { // answers
		theAnswerIsLost(t, lost)
	}
}

func theAnswerIsLost(t *testing.T, lost int) {
	h := newHub(t)
	h.push(branch)
	full, left := h.srv.Config.Handler, 0
	h.srv.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost && len(h.pulls) == 0 {
			left = lost
		}
		if left > 0 {
			left--
			full.ServeHTTP(httptest.NewRecorder(), r)
			panic(http.ErrAbortHandler)
		}
		full.ServeHTTP(w, r)
	})
	d := forge.Draft{Branch: branch, Base: "main", Title: "x", Body: "a\r\nb", Labels: []string{"images"}, Reviewers: []string{somebody, owner + "/core"}, Assignees: []string{somebody}}
	f := h.forge()
	p, err := f.Propose(t.Context(), d)
	if lost > 1 {
		wantKind(t, err, forge.Unreachable)
		p, err = f.Propose(t.Context(), d)
	}
	if err != nil {
		t.Fatalf("%d lost: %v", lost, err)
	}
	if diff := cmp.Diff(d.Labels, p.Labels); diff != "" {
		t.Errorf("labels (-want +got):\n%s", diff)
	}
	is := h.pulls[0]
	if diff := cmp.Diff([][]string{d.Labels, {somebody}, {"core"}, {somebody}}, [][]string{is.labels, is.reviewers, is.teams, is.assignees}); diff != "" {
		t.Errorf("it has (-want +got):\n%s", diff)
	}
	// It has all now.
	posts := len(h.posts())
	if _, err := f.Propose(t.Context(), d); err != nil || len(h.posts()) != posts+1 {
		t.Errorf("proposed once more: %v, by %q", err, h.posts()[posts:])
	}
}

// TestWhatPeopleTookOffStaysOff finds one that is open, and cannot tell a lost answer from what people did to it: nothing
// is changed, and it is told where one may lack something.
func TestWhatPeopleTookOffStaysOff(t *testing.T) {
	t.Parallel()
	const told = "pull request 1 was open already, and lacks the label images, the reviewer " + somebody + ", the reviewer " + owner + "/core, the assignee " + somebody
	for name, c := range map[string]struct {
		is   func(p *pull)
		what string
	}{
		"touched":          {func(p *pull) { p.touched = start.Add(time.Hour) }, told},
		"has a label":      {func(p *pull) { p.labels = []string{"Images", "other"} }, strings.Replace(told, "the label images, ", "", 1)},
		"has a code owner": {func(p *pull) { p.teams = []string{"core"} }, strings.Replace(told, ", the reviewer "+owner+"/core", "", 1)},
		"has all": {func(p *pull) {
			p.labels, p.reviewers, p.teams, p.assignees = []string{"images"}, []string{somebody}, []string{"core"}, []string{"Octocat"}
		}, ""},
		"another's title": {func(p *pull) { p.title = "A person's" }, ""},
		"another's text":  {func(p *pull) { p.body = "A person's" }, ""},
	} {
		h := newHub(t)
		h.push(branch)
		c.is(h.open(branch, "main", "x", "y", repoID))
		before := *h.pulls[0]
		p, err := h.forge().Propose(t.Context(), forge.Draft{Branch: branch, Base: "main", Title: "x", Body: "y",
			Labels: []string{"images"}, Reviewers: []string{somebody, owner + "/core"}, Assignees: []string{somebody}})
		if c.what == "" && err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if c.what != "" {
			if e := wantKind(t, err, forge.Partly); e.What != c.what {
				t.Errorf("%s: %s, want %s", name, e.What, c.what)
			}
		}
		if p.Number != 1 || len(h.posts()) != 1 {
			t.Errorf("%s: it is %+v, by %q", name, p, h.posts())
		}
		if diff := cmp.Diff(before, *h.pulls[0], cmp.AllowUnexported(pull{})); diff != "" {
			t.Errorf("%s: it changed (-want +got):\n%s", name, diff)
		}
	}
}

// posts are the requests that make something.
func (h *hub) posts() (all []string) {
	for _, s := range h.seen {
		if strings.HasPrefix(s, "POST ") {
			all = append(all, s)
		}
	}
	return all
}
