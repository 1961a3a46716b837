package github_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/towpath/towpath/forge"
	"github.com/towpath/towpath/forge/forgetest"
	"github.com/towpath/towpath/forge/github"
)

func TestNew(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(*github.Options){
		"a slash in a name":  func(o *github.Options) { o.Repo = "a/../../user" },
		"upwards":            func(o *github.Options) { o.Owner = ".." },
		"no name":            func(o *github.Options) { o.Repo = "" },
		"a question":         func(o *github.Options) { o.Repo = "x?y=z" },
		"a user in the URL":  func(o *github.Options) { o.API = "https://user:secret@github.example/api/v3/" },
		"no URL":             func(o *github.Options) { o.API = "github.example" },
		"plain with a token": func(o *github.Options) { o.API = "http://github.example/api/v3/" },
	} {
		o := github.Options{Owner: owner, Repo: repo, Token: tokenOf("x")}
		spoil(&o)
		if _, err := github.New(o); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", name, err)
		}
	}
	for rest, want := range map[string]string{
		"https://api.github.com/":         "https://api.github.com/graphql",
		"https://github.example/api/v3/":  "https://github.example/api/graphql",
		"https://api.octocorp.ghe.com/":   "https://api.octocorp.ghe.com/graphql",
		"https://proxy.example/gh/api/v3": "https://proxy.example/gh/api/v3graphql", // New adds the slash first
	} {
		if got := github.GraphQLOf(rest); got != want {
			t.Errorf("GraphQL beside %s is %s, want %s", rest, got, want)
		}
	}
	h := newHub(t)
	f, err := github.New(github.Options{API: strings.TrimSuffix(h.api(), "/"), Owner: owner, Repo: repo, Token: tokenOf(h.token), UserAgent: "towpath/test"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.List(t.Context(), "main", ""); err != nil || h.agents[0] != "towpath/test" {
		t.Errorf("without the last slash: %v, as %q", err, h.agents)
	}
}

func propose(t *testing.T, h *hub, d forge.Draft) (forge.Proposal, error) {
	t.Helper()
	d.Branch, d.Base = branch, "main"
	h.push(branch)
	return h.forge().Propose(t.Context(), d)
}

// TestADraftWhereThereAreNone opens it for review instead.
func TestADraftWhereThereAreNone(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	h.drafts = false
	p, err := propose(t, h, forge.Draft{Title: "x", Draft: true, Labels: []string{"images"}})
	if e := wantKind(t, err, forge.Partly); !strings.Contains(e.What, "without its being a draft") {
		t.Errorf("%v", e)
	}
	if p.Number != 1 || p.Draft || !slices.Equal(p.Labels, []string{"images"}) {
		t.Errorf("it is %+v", p)
	}
}

// TestOneThingIsLost gives a proposal what can be given, and says what cannot.
func TestOneThingIsLost(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 51)
	for name, c := range map[string]struct {
		draft   forge.Draft
		what    string
		labels  []string
		people  []string
		teams   []string
		someone []string
	}{
		"a label that is too long": {forge.Draft{Labels: []string{"a", long, "b"}}, "without the label " + long, []string{"a", "b"}, nil, nil, nil},
		"a team":                   {forge.Draft{Reviewers: []string{owner + "/core", somebody}}, "", nil, []string{somebody}, []string{"core"}, nil},
		"an unknown team":          {forge.Draft{Reviewers: []string{owner + "/" + forgetest.Nobody, somebody}}, "the reviewer " + owner + "/" + forgetest.Nobody, nil, []string{somebody}, nil, nil},
		"a team from elsewhere":    {forge.Draft{Reviewers: []string{"elsewhere/core", somebody}}, "the reviewer elsewhere/core", nil, []string{somebody}, nil, nil},
		"that team alone":          {forge.Draft{Reviewers: []string{"elsewhere/core"}}, "the reviewer elsewhere/core", nil, nil, nil, nil},
		"its author":               {forge.Draft{Reviewers: []string{botLogin}}, "the reviewer " + botLogin, nil, nil, nil, nil},
		"a stranger to assign":     {forge.Draft{Assignees: []string{somebody, forgetest.Nobody}}, "without the assignee " + forgetest.Nobody, nil, nil, nil, []string{somebody}},
		"an assignee":              {forge.Draft{Assignees: []string{"OctoCat"}}, "", nil, nil, nil, []string{"OctoCat"}},
	} {
		h := newHub(t)
		c.draft.Title = "x"
		p, err := propose(t, h, c.draft)
		if c.what == "" && err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if c.what != "" {
			if e := wantKind(t, err, forge.Partly); !strings.Contains(e.What, c.what) {
				t.Errorf("%s: %v, want %q", name, e, c.what)
			}
		}
		if p.Number != 1 {
			t.Fatalf("%s: it is %+v", name, p)
		}
		got := h.pulls[0]
		if !slices.Equal(p.Labels, c.labels) {
			t.Errorf("%s: the labels are said to be %q, want %q", name, p.Labels, c.labels)
		}
		if diff := cmp.Diff([][]string{c.labels, c.people, c.teams, c.someone}, [][]string{got.labels, got.reviewers, got.teams, got.assignees}); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// TestALabelMayNotBeGiven keeps the proposal where the token lacks the right to the rest.
func TestALabelMayNotBeGiven(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	h.fault = func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasSuffix(r.URL.Path, "/labels") {
			return false
		}
		refuse(w, 403, "Resource not accessible by integration", "issues/labels")
		return true
	}
	p, err := propose(t, h, forge.Draft{Title: "x", Labels: []string{"a", "b"}, Reviewers: []string{somebody}})
	e := wantKind(t, err, forge.Partly)
	if p.Number != 1 || !strings.Contains(e.What, "the label a, the label b") || !strings.Contains(e.Error(), "not accessible") {
		t.Errorf("%+v, %v", p, e)
	}
	if !slices.Equal(h.pulls[0].reviewers, []string{somebody}) {
		t.Errorf("the reviewers are %q", h.pulls[0].reviewers)
	}
}

// TestItIsGoneAgain has the one that was in the way closed before it is looked for.
//
// fault: F-01
func TestItIsGoneAgain(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	h.fault = func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodPost {
			return false
		}
		refuse(w, 422, "Validation Failed", "pulls/pulls", `{"resource":"PullRequest","code":"custom","message":"A pull request already exists for octo-org:towpath/web."}`)
		return true
	}
	_, err := propose(t, h, forge.Draft{Title: "x"})
	if e := wantKind(t, err, forge.Refused); !strings.Contains(e.What, "already exists") {
		t.Error(e)
	}
}

// TestRefusalsAreSpelledOut says what "Validation Failed" is about.
func TestRefusalsAreSpelledOut(t *testing.T) {
	t.Parallel()
	for want, e := range map[string]string{
		"No commits between main and towpath/web": `{"resource":"PullRequest","code":"custom","message":"No commits between main and towpath/web"}`,
		"the head of the PullRequest is invalid":  `{"resource":"PullRequest","field":"head","code":"invalid"}`,
		"body is too long (maximum is 65536":      `{"resource":"Issue","code":"custom","field":"body","message":"body is too long (maximum is 65536 characters)"}`,
		"plainly so":                              `"plainly so"`,
	} {
		h := newHub(t)
		h.fault = func(w http.ResponseWriter, r *http.Request) bool {
			refuse(w, 422, "Validation Failed", "pulls/pulls", e)
			return true
		}
		_, err := propose(t, h, forge.Draft{Title: "x"})
		if got := wantKind(t, err, forge.Refused); !strings.Contains(got.What, want) || strings.Contains(got.What, "Validation Failed") {
			t.Errorf("%v, want %q", got, want)
		}
	}
}

// TestChecksOfAllKinds has many of them, on several pages.
func TestChecksOfAllKinds(t *testing.T) {
	t.Parallel()
	many := func(n int, last check) []check {
		var all []check
		for i := range n {
			all = append(all, check{fmt.Sprint(i), "completed", "success"})
		}
		return append(all, last)
	}
	for name, c := range map[string]struct {
		statuses, runs []check
		want           forge.Checks
	}{
		"none":                        {nil, nil, forge.NoChecks},
		"a status alone":              {[]check{{"a", "success", ""}}, nil, forge.Green},
		"an error":                    {[]check{{"a", "success", ""}, {"b", "error", ""}}, nil, forge.Red},
		"a status that waits":         {[]check{{"a", "pending", ""}}, []check{{"b", "completed", "success"}}, forge.Pending},
		"neutral":                     {nil, []check{{"a", "completed", "neutral"}}, forge.Green},
		"all are skipped":             {nil, []check{{"a", "completed", "skipped"}}, forge.NoChecks},
		"one is skipped":              {nil, []check{{"a", "completed", "skipped"}, {"b", "completed", "success"}}, forge.Green},
		"queued":                      {nil, []check{{"a", "queued", ""}, {"b", "completed", "success"}}, forge.Pending},
		"waits for a person":          {nil, []check{{"a", "waiting", ""}}, forge.Pending},
		"cancelled":                   {nil, []check{{"a", "completed", "cancelled"}}, forge.Red},
		"timed out":                   {nil, []check{{"a", "completed", "timed_out"}}, forge.Red},
		"wants somebody":              {nil, []check{{"a", "completed", "action_required"}}, forge.Red},
		"stale":                       {nil, []check{{"a", "completed", "stale"}}, forge.Red},
		"of a kind to come":           {nil, []check{{"a", "completed", "sparkling"}}, forge.Red},
		"red goes before pending":     {[]check{{"a", "pending", ""}}, []check{{"b", "completed", "failure"}}, forge.Red},
		"red on the last page":        {nil, many(8, check{"z", "completed", "failure"}), forge.Red},
		"a status on the last page":   {[]check{{"a", "success", ""}, {"b", "success", ""}, {"c", "failure", ""}}, nil, forge.Red},
		"the same word in both kinds": {[]check{{"a", "success", ""}}, []check{{"a", "completed", "failure"}}, forge.Red},
	} {
		h := newHub(t)
		head := h.push(branch)
		h.statuses[head], h.runs[head] = c.statuses, c.runs
		if got, err := h.forge().Checks(t.Context(), head); err != nil || got != c.want {
			t.Errorf("%s: %q, %v; want %q", name, got, err, c.want)
		}
	}
	if _, err := newHub(t).forge().Checks(t.Context(), "main/../../x"); err == nil {
		t.Error("a name is taken for a commit")
	}
}

// TestMergeByWhatIsAllowed tries what the repository allows, one commit first.
func TestMergeByWhatIsAllowed(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		methods, rulings []string
		want             []string
	}{
		"all":                 {[]string{"rebase", "merge", "squash"}, nil, []string{"squash"}},
		"no squash":           {[]string{"rebase", "merge"}, nil, []string{"merge"}},
		"rebase alone":        {[]string{"rebase"}, nil, []string{"rebase"}},
		"a rule forbids some": {[]string{"rebase", "merge", "squash"}, []string{"squash", "merge"}, []string{"squash", "merge", "rebase"}},
	} {
		h := newHub(t)
		h.methods, h.rulings = c.methods, c.rulings
		p, err := propose(t, h, forge.Draft{Title: "x"})
		if err != nil {
			t.Fatal(err)
		}
		before := len(h.seen)
		if err := h.forge().Merge(t.Context(), p.Number, p.Head); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if tries := len(h.seen) - before - 1; h.pulls[0].merged.IsZero() || tries != len(c.want) {
			t.Errorf("%s: %d tries, want %v", name, tries, c.want)
		}
	}
	h := newHub(t)
	h.rulings = h.methods
	p, err := propose(t, h, forge.Draft{Title: "x"})
	if err != nil {
		t.Fatal(err)
	}
	if e := wantKind(t, h.forge().Merge(t.Context(), p.Number, p.Head), forge.Refused); !strings.Contains(e.What, "not allowed on this branch") {
		t.Error(e)
	}
}

// TestMergeMeetsAPush has the base or the head move while it is merged, or somebody be faster.
func TestMergeMeetsAPush(t *testing.T) {
	t.Parallel()
	// meet answers the first request to merge with a refusal, after something happened.
	meet := func(status int, message string, meanwhile func(h *hub)) (*hub, error) {
		h := newHub(t)
		p, err := propose(t, h, forge.Draft{Title: "x"})
		if err != nil {
			t.Fatal(err)
		}
		met := false
		h.fault = func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method != http.MethodPut || met {
				return false
			}
			met = true
			h.mu.Lock()
			meanwhile(h)
			h.mu.Unlock()
			refuse(w, status, message, "pulls/pulls#merge-a-pull-request")
			return true
		}
		return h, h.forge().Merge(t.Context(), p.Number, p.Head)
	}
	if h, err := meet(405, "Base branch was modified. Review and try the merge again.", func(h *hub) {}); err != nil || h.pulls[0].merged.IsZero() {
		t.Errorf("the base moved: %v", err)
	}
	if _, err := meet(405, "Pull Request is not mergeable", func(h *hub) { h.end(h.pulls[0], true) }); err != nil {
		t.Errorf("it is merged already: %v", err)
	}
	if _, err := meet(405, "Pull Request is not mergeable", func(h *hub) { h.push(branch) }); err != forge.ErrMoved {
		t.Errorf("somebody pushed: %v, want ErrMoved", err)
	}
	if _, err := meet(409, "Head branch was modified. Review and try the merge again.", func(h *hub) {}); err != forge.ErrMoved {
		t.Errorf("somebody pushed and took it back: %v, want ErrMoved", err)
	}
	_, err := meet(405, "Pull Request is not mergeable", func(h *hub) { h.end(h.pulls[0], false) })
	wantKind(t, err, forge.Refused)
	_, err = meet(403, "Resource not accessible by integration", func(h *hub) {})
	wantKind(t, err, forge.Forbidden)
}

// TestAutoMergeWithNothingToWaitFor merges at once what GitHub's rules allow at once.
func TestAutoMergeWithNothingToWaitFor(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	p, err := propose(t, h, forge.Draft{Title: "x"})
	if err != nil {
		t.Fatal(err)
	}
	if err := h.forge().AutoMerge(t.Context(), p.Number, p.Head); err != nil || h.pulls[0].merged.IsZero() {
		t.Errorf("%v; it is %+v", err, h.pulls[0])
	}
	if err := h.forge().AutoMerge(t.Context(), p.Number, p.Head); err != nil {
		t.Errorf("of what is merged: %v", err)
	}
}

// TestAutoMergeIsOnAlready asks for nothing twice, and does not trust what stands for another head.
func TestAutoMergeIsOnAlready(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	h.required = "ci/build"
	p, err := propose(t, h, forge.Draft{Title: "x"})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := h.forge().AutoMerge(t.Context(), p.Number, p.Head); err != nil {
			t.Fatal(err)
		}
	}
	asked := slices.DeleteFunc(slices.Clone(h.seen), func(s string) bool { return s != "POST /api/graphql" })
	if len(asked) != 1 || !h.pulls[0].auto {
		t.Errorf("it was turned on %d times, want once", len(asked))
	}
	h.push(branch)
	if err := h.forge().AutoMerge(t.Context(), p.Number, p.Head); err != forge.ErrMoved {
		t.Errorf("somebody pushed: %v, want ErrMoved", err)
	}
}

func TestAutoMergeRefusals(t *testing.T) {
	t.Parallel()
	for message, c := range map[string]struct {
		kind string
		want forge.Kind
		fix  string
	}{
		"Pull request Auto merge is not allowed for this repository":              {"UNPROCESSABLE", forge.Refused, "Allow auto-merge"},
		"Pull request Protected branch rules not configured for this branch":      {"UNPROCESSABLE", forge.Refused, "a rule for the base branch"},
		"Pull request Pull request is in unstable status":                         {"UNPROCESSABLE", forge.Refused, "a rule for the base branch"},
		"Pull request Pull request is in draft state":                             {"UNPROCESSABLE", forge.Refused, "ready for review"},
		"Resource not accessible by integration":                                  {"FORBIDDEN", forge.Forbidden, "Contents: write and Pull requests: write"},
		"API rate limit exceeded for installation ID 67890.":                      {"RATE_LIMITED", forge.RateLimited, "asked again"},
		"Could not resolve to a node with the global id of 'PR_kwDO1'":            {"NOT_FOUND", forge.NotFound, "may see"},
		"Something went wrong while executing your query. \x1b[31m Please report": {"", forge.Refused, "do what GitHub says"},
	} {
		h := newHub(t)
		p, err := propose(t, h, forge.Draft{Title: "x"})
		if err != nil {
			t.Fatal(err)
		}
		h.fault = func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path != "/api/graphql" {
				return false
			}
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprintf(w, `{"data":{"enablePullRequestAutoMerge":null},"errors":[{"type":%q,"path":["enablePullRequestAutoMerge"],"message":%s}]}`, c.kind, quoted(message))
			return true
		}
		if e := wantKind(t, h.forge().AutoMerge(t.Context(), p.Number, p.Head), c.want); !strings.Contains(e.Fix, c.fix) || strings.Contains(e.What, "\x1b") {
			t.Errorf("%s: fix: %s, want %q", message, e.Fix, c.fix)
		}
	}
	h := newHub(t)
	p, err := propose(t, h, forge.Draft{Title: "x"})
	if err != nil {
		t.Fatal(err)
	}
	h.fault = func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != "/api/graphql" {
			return false
		}
		h.mu.Lock()
		h.push(branch)
		h.mu.Unlock()
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"data":{"enablePullRequestAutoMerge":null},"errors":[{"type":"UNPROCESSABLE","message":"Head sha didn't match expected head sha"}]}`)
		return true
	}
	if err := h.forge().AutoMerge(t.Context(), p.Number, p.Head); err != forge.ErrMoved {
		t.Errorf("somebody pushed: %v, want ErrMoved", err)
	}
	p.Head = h.pulls[0].head
	h.fault = func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != "/api/graphql" {
			return false
		}
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"data":{"enablePullRequestAutoMerge":null}}`)
		return true
	}
	if e := wantKind(t, h.forge().AutoMerge(t.Context(), p.Number, p.Head), forge.Invalid); !strings.Contains(e.What, "without data or errors") {
		t.Error(e)
	}
}

// TestCloseIsRefusedOfWhatIsOver takes GitHub's refusal for what it is.
func TestCloseIsRefusedOfWhatIsOver(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	p, err := propose(t, h, forge.Draft{Title: "x"})
	if err != nil {
		t.Fatal(err)
	}
	h.fault = func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodPatch {
			return false
		}
		refuse(w, 422, "Validation Failed", "pulls/pulls", `{"resource":"PullRequest","code":"custom","field":"state","message":"state cannot be changed."}`)
		return true
	}
	wantKind(t, h.forge().Close(t.Context(), p.Number), forge.Refused)
	h.end(h.pulls[0], true)
	if err := h.forge().Close(t.Context(), p.Number); err != nil {
		t.Errorf("of what is merged: %v", err)
	}
}

// quoted is a text as JSON.
func quoted(s string) string {
	s = strings.NewReplacer("\x1b", `\u001b`, `"`, `\"`).Replace(s)
	return `"` + s + `"`
}

// TestPastIsAllOfThem has a branch be merged often after it was declined once: that is read on as many pages as it
// takes, up to a bound, and on one where there are few. Long texts make the pages smaller.
//
// fault: F-07
func TestPastIsAllOfThem(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	h.pageSize = 100
	h.push(branch)
	f := h.forge()
	h.end(h.open(branch, "main", "declined", "", repoID), false)
	past := func(most, pages int) forge.Proposal {
		t.Helper()
		h.seen = nil
		found, err := f.Past(t.Context(), "main", branch)
		h.seen = slices.DeleteFunc(h.seen, func(s string) bool { return !strings.Contains(s, "/pulls?") })
		if err != nil || len(found) != most || len(h.seen) != pages {
			t.Fatalf("past are %d (%v) on %d pages, want %d on %d", len(found), err, len(h.seen), most, pages)
		}
		return found[most-1]
	}
	for _, c := range []struct{ most, pages int }{{1, 1}, {62, 1}, {240, 3}} {
		for len(h.pulls) < c.most {
			h.end(h.open(branch, "main", "later", "", repoID), true)
		}
		if oldest := past(c.most, c.pages); oldest.Number != 1 {
			t.Errorf("the oldest of %d is %d: what a person closed is forgotten", c.most, oldest.Number)
		}
	}
	h.longIn("100")
	past(240, 1+8)
	h.fault = nil
	for range 200 {
		h.end(h.open(branch, "main", "later", "", repoID), true)
	}
	h.open(branch, "main", "open", "", repoID)
	if oldest := past(forge.MostPast, 4); oldest.Number != 440-forge.MostPast+1 {
		t.Errorf("the oldest is %d, want the newest %d", oldest.Number, forge.MostPast)
	}
}
