package gitlab_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/towpath/towpath/forge"
	"github.com/towpath/towpath/forge/gitlab"
	"github.com/towpath/towpath/forge/wire"
)

// The list said that there is none, and by now there is one, behind others of forks.
//
// fault: F-01
func TestAdoptedBehindStrangers(t *testing.T) {
	w := newWorld(t)
	w.Push(branch)
	mine := w.Open(branch, "main", "A person's", "theirs")
	for range 5 {
		w.Stranger(branch, "main", "x", "forged")
	}
	p, err := w.under.Propose(t.Context(), draft())
	if err != nil || p.Number != mine || p.Title != "A person's" || p.Body != "theirs" {
		t.Errorf("proposed %+v, %v, want !%d as it was", p, err, mine)
	}
}

// The answer was lost, and the merge request is there.
//
// fault: F-01
func TestOpenedTwice(t *testing.T) {
	w := newWorld(t)
	w.Push(branch)
	w.before = func(rw http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodPost {
			return false
		}
		w.before = nil
		w.ServeHTTP(nowhere{http.Header{}}, r)
		jsonSays(500, `{"message":"500 Internal Server Error"}`)(rw, r)
		return true
	}
	if _, err := w.under.Propose(t.Context(), draft()); !isKind(err, forge.Unreachable) {
		t.Fatalf("propose: %v", err)
	}
	p, err := w.under.Propose(t.Context(), draft())
	if err != nil || p.Number != 1 || len(w.merges) != 1 {
		t.Errorf("proposed %+v, %v; there are %d", p, err, len(w.merges))
	}
}

type nowhere struct{ header http.Header }

func (n nowhere) Header() http.Header         { return n.header }
func (n nowhere) Write(b []byte) (int, error) { return len(b), nil }
func (n nowhere) WriteHeader(int)             {}

// A conflict that is about something else is said.
func TestConflictThatIsNone(t *testing.T) {
	w := newWorld(t)
	w.Push(branch)
	w.before = func(rw http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPost {
			jsonSays(409, `{"message":["A \"thing\" is in the way"]}`)(rw, r)
		}
		return r.Method == http.MethodPost
	}
	_, err := w.under.Propose(t.Context(), draft())
	if !isKind(err, forge.Refused) || !strings.Contains(err.Error(), `A "thing" is in the way`) {
		t.Errorf("propose: %v", err)
	}
}

func TestWhatIsLeftOut(t *testing.T) {
	for _, c := range []struct {
		name  string
		world func(*world)
		draft func(*forge.Draft)
		out   []string // that are named; none: no error
	}{
		{"nothing", nil, func(d *forge.Draft) {
			d.Labels, d.Reviewers, d.Assignees = []string{"images", "a b"}, []string{"@reviewer", "other.reviewer"}, []string{"REVIEWER"}
		}, nil},
		{"a label with a comma", nil, func(d *forge.Draft) { d.Labels = []string{"a,b", "images"} }, []string{`label "a,b"`}},
		{"a label that may not be made", func(w *world) { w.noLabels, w.labels["images"] = true, true },
			func(d *forge.Draft) { d.Labels = []string{"images", "new"} }, []string{`label "new"`}},
		{"a group", nil, func(d *forge.Draft) { d.Reviewers = []string{"acme/team"} }, []string{`reviewer "acme/team"`}},
		{"one too many for the plan", func(w *world) { w.reviewers = 1 },
			func(d *forge.Draft) { d.Reviewers = []string{"reviewer", "Other.Reviewer"} }, []string{`reviewer "other.reviewer"`}},
		{"users cannot be looked up", func(w *world) {
			w.before = func(rw http.ResponseWriter, r *http.Request) bool {
				if strings.HasSuffix(r.URL.Path, "/users") {
					jsonSays(403, `{"message":"403 Forbidden - Not authorized to access /api/v4/users"}`)(rw, r)
					return true
				}
				return false
			}
		}, func(d *forge.Draft) { d.Assignees = []string{"reviewer"} }, []string{`assignee "reviewer"`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			w.Push(branch)
			if c.world != nil {
				c.world(w)
			}
			d := draft()
			c.draft(&d)
			p, err := w.under.Propose(t.Context(), d)
			if p.Number != 1 || p.State != forge.Open {
				t.Fatalf("proposed %+v, %v", p, err)
			}
			if len(c.out) == 0 {
				if err != nil {
					t.Error(err)
				}
				return
			}
			for _, l := range p.Labels {
				if !slices.Contains(d.Labels, l) {
					t.Errorf("it was given label %q", l)
				}
			}
			if !isKind(err, forge.Partly) {
				t.Fatalf("%v, want Partly", err)
			}
			for _, name := range c.out {
				if !strings.Contains(err.Error(), name) {
					t.Errorf("%v does not name %s", err, name)
				}
			}
			for _, name := range []string{"images", `"reviewer"`} {
				if strings.Contains(err.Error(), name) && !slices.ContainsFunc(c.out, func(o string) bool { return strings.Contains(o, name) }) {
					t.Errorf("%v names %s, which was given", err, name)
				}
			}
		})
	}
}

// Users are looked up once.
func TestUsersAreRemembered(t *testing.T) {
	w := newWorld(t)
	d := draft()
	d.Reviewers = []string{"reviewer"}
	for i, want := range []int{2, 1} {
		d.Branch = fmt.Sprint("towpath/", i)
		w.Push(d.Branch)
		before := w.Requests()
		if _, err := w.under.Propose(t.Context(), d); err != nil {
			t.Fatal(err)
		}
		same(t, "requests", w.Requests()-before, want)
	}
}

// The branch is deleted by whoever made it, and not by GitLab: it may be in use again by then.
//
// fault: F-05
func TestBranchesAreLeftToThoseWhoMadeThem(t *testing.T) {
	w := newWorld(t)
	head := w.Push(branch)
	var said []any
	w.before = func(rw http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodGet {
			return false
		}
		in := read(r)
		said = append(said, in["remove_source_branch"], in["should_remove_source_branch"])
		jsonSays(400, `{"message":"400 Bad request"}`)(rw, r)
		return true
	}
	w.Open(branch, "main", "x", "")
	w.under.Propose(t.Context(), draft())
	w.under.Merge(t.Context(), 1, head)
	w.under.AutoMerge(t.Context(), 1, head)
	same(t, "said", said, []any{false, nil, nil, false, nil, false})
}

func TestNewRefuses(t *testing.T) {
	ok := wire.Options{API: "https://gitlab.example/api/v4/", Token: func(context.Context) (string, error) { return rand.Text(), nil }}
	for name, o := range map[string]gitlab.Options{
		"no project":    {Options: ok},
		"no group":      {Options: ok, Project: "name"},
		"a URL":         {Options: ok, Project: "https://gitlab.example/group/name"},
		"up":            {Options: ok, Project: "group/../name"},
		"no API":        {Project: "group/name"},
		"a plain API":   {Options: wire.Options{API: "http://gitlab.example/api/v4/", Token: ok.Token}, Project: "group/name"},
		"a user in API": {Options: wire.Options{API: "https://x@gitlab.example/api/v4/", Token: ok.Token}, Project: "group/name"},
	} {
		if f, err := gitlab.New(o); err == nil {
			t.Errorf("%s: %v", name, f)
		}
	}
	if _, err := gitlab.New(gitlab.Options{Options: ok, Project: "group/sub/name"}); err != nil {
		t.Error(err)
	}
}

func TestHowTheTokenIsSent(t *testing.T) {
	for bearer, want := range map[bool]string{false: "Private-Token", true: "Authorization"} {
		w := newWorld(t)
		var got http.Header
		w.seen = func(r *http.Request) { got = r.Header }
		f, err := gitlab.New(gitlab.Options{
			Options: wire.Options{API: w.url, Token: func(context.Context) (string, error) { return w.token, nil }, UserAgent: "towpath/1"},
			Project: project, Bearer: bearer,
		})
		if err != nil {
			t.Fatal(err)
		}
		f.List(t.Context(), "main", "")
		for _, name := range []string{"Private-Token", "Authorization", "Job-Token"} {
			if has := strings.Contains(got.Get(name), w.token); has != (name == want) || !has && got.Values(name) != nil {
				t.Errorf("bearer %v: %s is %v", bearer, name, has)
			}
		}
		same(t, "user agent", got.Get("User-Agent"), "towpath/1")
	}
}
