package gitlab_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/towpath/towpath/forge"
)

func TestWhyNot(t *testing.T) {
	for _, c := range []struct {
		name  string
		world func(w *world, m *merge)
		kind  forge.Kind // empty: no error
		moved bool
		fix   string
	}{
		{"merged already", func(w *world, m *merge) { w.end(m, "merged") }, "", false, ""},
		{"merged, but of another head", func(w *world, m *merge) { w.push(branch); w.end(m, "merged") }, forge.Refused, true, ""},
		{"closed", func(w *world, m *merge) { w.end(m, "closed") }, forge.Refused, false, "/-/merge_requests/1"},
		{"a draft", func(w *world, m *merge) { m.title = "Draft: x" }, forge.Refused, false, "/-/merge_requests/1"},
		{"not approved", func(w *world, m *merge) { w.mergeable = "not_approved" }, forge.Refused, false, "/-/merge_requests/1"},
		{"GitLab does not know yet", func(w *world, m *merge) { w.mergeable = "checking" }, forge.Unreachable, false, "asked again"},
		{"is being merged", func(w *world, m *merge) { m.state = "locked" }, forge.Unreachable, false, "asked again"},
		{"moved", func(w *world, m *merge) { w.push(branch) }, forge.Refused, true, ""},
		{"moved, and rules forbid", func(w *world, m *merge) { w.push(branch); w.mergeable = "not_approved" }, forge.Refused, true, ""},
		{"may not merge", func(w *world, m *merge) { w.reporter = true }, forge.Forbidden, false, "right to merge into main"},
		{"may not merge any more", func(w *world, m *merge) {
			w.before = func(rw http.ResponseWriter, r *http.Request) bool {
				jsonSays(401, `{"error":"invalid_token","error_description":"Token was revoked. You have to re-authorize from the user."}`)(rw, r)
				return true
			}
		}, forge.Unauthorized, false, "access token"},
		{"in conflict", func(w *world, m *merge) {
			w.mergeable = "conflict"
			w.before = func(rw http.ResponseWriter, r *http.Request) bool {
				if r.Method == http.MethodPut {
					jsonSays(422, `{"message":"Branch cannot be merged"}`)(rw, r)
				}
				return r.Method == http.MethodPut
			}
		}, forge.Refused, false, "/-/merge_requests/1"},
	} {
		for _, how := range []string{"merge", "auto-merge"} {
			t.Run(c.name+"/"+how, func(t *testing.T) {
				w := newWorld(t)
				head := w.Push(branch)
				w.Open(branch, "main", "x", "")
				w.locked(func() { c.world(w, w.merges[0]) })
				do := w.under.Merge
				if how == "auto-merge" {
					do = w.under.AutoMerge
				}
				err := do(t.Context(), 1, head)
				var e *forge.Error
				switch {
				case c.kind == "" && err != nil, c.kind != "" && !isKind(err, c.kind), errors.Is(err, forge.ErrMoved) != c.moved:
					t.Errorf("%v, want %q, moved %v", err, c.kind, c.moved)
				case errors.As(err, &e) && !strings.Contains(e.Fix, c.fix):
					t.Errorf("fix %q does not say %q", e.Fix, c.fix)
				}
			})
		}
	}
}

// GitLab forgets that it was to merge when the head moves.
func TestMergedByItselfAgainAfterAPush(t *testing.T) {
	w := newWorld(t)
	head := w.Push(branch)
	w.Open(branch, "main", "x", "")
	w.Require("build")
	w.Check(head, "build", forge.Pending)
	if err := w.under.AutoMerge(t.Context(), 1, head); err != nil {
		t.Fatal(err)
	}
	head = w.Push(branch)
	w.Check(head, "build", forge.Pending)
	if err := w.under.AutoMerge(t.Context(), 1, head); err != nil {
		t.Fatal(err)
	}
	w.Check(head, "build", forge.Green)
	w.Await(1, forge.Merged)
}

// GitLab is told once: a second word may be taken for a change of mind.
func TestMergedByItselfIsSaidOnce(t *testing.T) {
	w := newWorld(t)
	old := w.Push(branch)
	head := w.Push(branch)
	w.Open(branch, "main", "x", "")
	w.Require("build")
	w.Check(head, "build", forge.Pending)
	said := 0
	w.before = func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPut {
			said++
		}
		return false
	}
	for range 2 {
		if err := w.under.AutoMerge(t.Context(), 1, head); err != nil {
			t.Fatal(err)
		}
	}
	same(t, "said", said, 1)
	if err := w.under.AutoMerge(t.Context(), 1, old); !errors.Is(err, forge.ErrMoved) {
		t.Errorf("of another head: %v", err)
	}
}

func TestChecks(t *testing.T) {
	head := strings.Repeat("a", 40)
	for _, c := range []struct {
		name string
		jobs []status
		runs []pipeline
		want forge.Checks
	}{
		{"none", nil, nil, forge.NoChecks},
		{"good", []status{{status: "success"}}, nil, forge.Green},
		{"bad", []status{{name: "a", status: "success"}, {name: "b", status: "failed"}, {name: "c", status: "running"}}, nil, forge.Red},
		{"canceled", []status{{status: "canceled"}}, nil, forge.Red},
		{"is canceled", []status{{status: "canceling"}}, nil, forge.Pending},
		{"may fail", []status{{status: "failed", mayFail: true}}, nil, forge.Green},
		{"may fail, and is under way", []status{{status: "running", mayFail: true}}, nil, forge.Pending},
		{"skipped", []status{{name: "a", status: "skipped"}, {name: "b", status: "success"}}, nil, forge.Green},
		{"all skipped", []status{{status: "skipped"}}, nil, forge.NoChecks},
		{"somebody may start it", []status{{name: "a", status: "manual", mayFail: true}, {name: "b", status: "success"}}, nil, forge.Green},
		{"somebody must start it", []status{{name: "a", status: "manual"}, {name: "b", status: "success"}}, nil, forge.Pending},
		{"one that is new to us", []status{{name: "a", status: "quantum"}, {name: "b", status: "success"}}, nil, forge.Pending},
		{"waits", []status{{status: "waiting_for_resource"}}, nil, forge.Pending},
		{"ran again and is good", []status{{id: 1, status: "failed"}, {id: 2, status: "success"}}, nil, forge.Green},
		{"ran again, and the newest comes first", []status{{id: 2, status: "success"}, {id: 1, status: "failed"}}, nil, forge.Green},
		{"ran again and is bad", []status{{id: 1, status: "success"}, {id: 2, status: "failed"}}, nil, forge.Red},
		{"bad on another ref", []status{{id: 1, ref: "a", status: "failed"}, {id: 2, ref: "b", status: "success"}}, nil, forge.Red},
		{"the file is broken", nil, []pipeline{{id: 1, status: "failed"}}, forge.Red},
		{"no jobs yet", nil, []pipeline{{id: 1, status: "created"}}, forge.Pending},
		{"the file was repaired", nil, []pipeline{{id: 2, status: "success"}, {id: 1, status: "failed"}}, forge.Green},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			w.runs[head] = c.runs
			w.before = func(rw http.ResponseWriter, r *http.Request) bool {
				if !strings.HasSuffix(r.URL.Path, "/statuses") {
					return false
				}
				page(w.gitLab, rw, r, each(c.jobs, func(s status) any { return s.answer(head) })) // with those that ran again
				return true
			}
			got, err := w.under.Checks(t.Context(), head)
			if err != nil || got != c.want {
				t.Errorf("checks are %s, %v, want %s", got, err, c.want)
			}
		})
	}
}
