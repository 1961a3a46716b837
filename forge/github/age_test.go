package github_test

import (
	"errors"
	"net/http"
	"testing"

	"github.com/towpath/towpath/forge"
	"github.com/towpath/towpath/forge/forgetest"
)

// TestAnswersOfAnotherAge has GitHub answer Past with what was before List: what people declined must not seem
// to be neither open nor declined.
//
// fault: F-01
func TestAnswersOfAnotherAge(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	f := h.forge()
	if _, err := f.List(t.Context(), "main", forgetest.Prefix); err != nil {
		t.Fatal(err)
	}
	h.push(branch)
	if _, err := f.Propose(t.Context(), forge.Draft{Branch: branch, Base: "main", Title: "x"}); err != nil {
		t.Fatal(err)
	}
	past := func() ([]forge.Proposal, error) { return f.Past(t.Context(), "main", branch) }
	if found, err := past(); err != nil || len(found) != 0 {
		t.Fatalf("past of one that is open are %+v, %v", found, err)
	}
	h.end(h.pulls[0], false)
	now, old := "closed", "open"
	h.fault = func(_ http.ResponseWriter, r *http.Request) bool {
		if h.pulls[0].state = old; r.URL.Query().Get("state") == "open" {
			h.pulls[0].state = now
		}
		return false
	}
	if found, err := f.List(t.Context(), "main", forgetest.Prefix); err != nil || len(found) != 0 {
		t.Fatalf("listed are %+v, %v", found, err)
	}
	found, err := past()
	if e := (*forge.Error)(nil); !errors.As(err, &e) || e.Kind != forge.Unreachable || e.Fix == "" {
		t.Errorf("past are %+v, %v", found, err)
	}
	old = now
	if found, err := past(); err != nil || len(found) != 1 || found[0].State != forge.Closed {
		t.Errorf("later past are %+v, %v", found, err)
	}
}
