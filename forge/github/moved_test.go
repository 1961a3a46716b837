package github_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/towpath/towpath/forge"
	"github.com/towpath/towpath/forge/forgetest"
	"github.com/towpath/towpath/gitstore"
)

// TestTheOwnerHasAnotherName is after a transfer: the old name leads to the repository still, but no
// filter knows it.
//
// fault: F-01
func TestTheOwnerHasAnotherName(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	h.today = "new-org"
	first, err := propose(t, h, forge.Draft{Title: "x"})
	if err != nil {
		t.Fatal(err)
	}
	f := h.forge()
	again, err := f.Propose(t.Context(), forge.Draft{Branch: branch, Base: "main", Title: "y"})
	if diff := cmp.Diff(first, again); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if found, err := f.List(t.Context(), "main", forgetest.Prefix); err != nil || len(found) != 1 {
		t.Errorf("listed are %+v, %v", found, err)
	}
	h.end(h.pulls[0], false)
	if found, err := f.Past(t.Context(), "main", branch); err != nil || len(found) != 1 {
		t.Errorf("past are %+v, %v", found, err)
	}
	// It is transferred once more, while towpath runs.
	h.today = "newest-org"
	if _, err := f.List(t.Context(), "main", forgetest.Prefix); err != nil {
		t.Fatal(err)
	}
	if found, err := f.Past(t.Context(), "main", branch); err != nil || len(found) != 1 {
		t.Errorf("past are %+v, %v: what was declined is forgotten", found, err)
	}
}

// TestTeamsAfterATransfer asks a team of the organization that has the repository now.
func TestTeamsAfterATransfer(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	h.today = "new-org"
	_, err := propose(t, h, forge.Draft{Title: "x", Reviewers: []string{"New-Org/team", "elsewhere/team"}})
	if e := wantKind(t, err, forge.Partly); !strings.HasSuffix(e.What, "without the reviewer elsewhere/team") {
		t.Errorf("%v", e)
	}
	if diff := cmp.Diff([]string{"team"}, h.pulls[0].teams); diff != "" {
		t.Errorf("teams (-want +got):\n%s", diff)
	}
}

// TestTheRepositoryHasAnotherName is after it was renamed: GitHub sends everybody on to its number, at
// the same address, with the token and with what was to be written.
func TestTheRepositoryHasAnotherName(t *testing.T) {
	t.Parallel()
	h := newGitHub(t, map[string]string{"a.yaml": "1\n"})
	named, numbered := "/repos/"+owner+"/"+repo, fmt.Sprintf("/repositories/%d", repoID)
	h.fault = func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.Contains(r.URL.Path, named) {
			return false
		}
		status := http.StatusTemporaryRedirect
		if r.Method == http.MethodGet {
			status = http.StatusMovedPermanently
		}
		to := *r.URL
		to.Path = strings.Replace(to.Path, named, numbered, 1)
		w.Header().Set("Location", h.srv.URL+to.RequestURI())
		refuse(w, status, "Moved Permanently", "guides/best-practices-for-using-the-rest-api#follow-redirects")
		return true
	}
	h.rewrite = func(r *http.Request) { r.URL.Path = strings.Replace(r.URL.Path, numbered, named, 1) }
	p, err := propose(t, h, forge.Draft{Title: "x", Body: "y", Labels: []string{"images"}, Reviewers: []string{somebody}})
	if err != nil || p.Title != "x" || p.Body != "y" {
		t.Fatalf("proposed is %+v, %v", p, err)
	}
	f := h.forge()
	for name, err := range map[string]error{
		"edit": f.Edit(t.Context(), p.Number, "z", "body"), "comment": f.Comment(t.Context(), p.Number, "key", "hello"),
		"merge": f.Merge(t.Context(), p.Number, p.Head),
	} {
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if is := h.pulls[0]; is.title != "z" || is.body != "body" || len(is.comments) != 1 || is.merged.IsZero() {
		t.Errorf("it is %+v", is)
	}
	if past, err := f.Past(t.Context(), "main", branch); err != nil || len(past) != 1 {
		t.Errorf("past are %+v, %v", past, err)
	}
	if _, err := f.Commit(t.Context(), gitstore.Rev(h.git.Tip()), commitOf("x", edit("a.yaml", "2\n"))); err != nil {
		t.Errorf("commit: %v", err)
	}
}
