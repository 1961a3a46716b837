package gitea

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	sdk "code.gitea.io/sdk/gitea"

	"github.com/towpath/towpath/forge/wire"
)

// A fake is as much of a Gitea as lists pull requests, in sizes and with manners that a real one would
// not be asked for; other paths are answered as a test says.
type fake struct {
	t       *testing.T
	forge   *Forge
	forgejo bool                            // no filter by base
	mute    bool                            // no totals
	most    int                             // rows on a page, whatever is asked for; 0: as asked
	total   string                          // of the lists among answers; empty: it is not said
	before  func(page int)                  // is called before a page is answered
	answers map[string]func() (int, string) // by method and path
	moved   []string                        // methods and paths that have another address now

	mu    sync.Mutex
	prs   []*sdk.PullRequest
	now   time.Time
	asked []string // method and path of each request
}

func newFake(t *testing.T) *fake {
	f := &fake{t: t, now: time.Date(2026, 5, 1, 10, 0, 0, 0, time.UTC), answers: map[string]func() (int, string){}}
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	client, err := wire.New(wire.Options{API: server.URL + "/api/v1/"})
	if err != nil {
		t.Fatal(err)
	}
	f.forge, err = New(Options{API: server.URL + "/api/v1/", Owner: "o", Repo: "r", Client: client})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// add makes a pull request, a second after the last.
func (f *fake) add(branch, base string, state sdk.StateType) *sdk.PullRequest {
	f.mu.Lock()
	defer f.mu.Unlock()
	number := int64(len(f.prs) + 1)
	pr := &sdk.PullRequest{
		Index: number, HTMLURL: fmt.Sprintf("https://gitea.example/o/r/pulls/%d", number), Title: branch, State: state,
		Head: &sdk.PRBranchInfo{Name: branch, Ref: branch, Sha: fmt.Sprintf("%040d", number), RepoID: 1},
		Base: &sdk.PRBranchInfo{Name: base, Ref: base, RepoID: 1},
	}
	f.prs = append(f.prs, pr)
	f.touch(pr)
	return pr
}

// change does something to a pull request, a second later.
func (f *fake) change(pr *sdk.PullRequest, do func(*sdk.PullRequest)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	do(pr)
	f.touch(pr)
}

func (f *fake) touch(pr *sdk.PullRequest) {
	f.now = f.now.Add(time.Second)
	now := f.now
	pr.Updated = &now
	if pr.State == sdk.StateClosed {
		pr.Closed = &now
	}
}

// took is what was asked since it was asked last.
func (f *fake) took() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	asked := f.asked
	f.asked = nil
	return asked
}

func (f *fake) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	what := req.Method + " " + strings.TrimPrefix(req.URL.Path, "/api/v1/repos/o/r")
	f.mu.Lock()
	f.asked = append(f.asked, what)
	f.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	if slices.Contains(f.moved, what) {
		http.Redirect(w, req, strings.Replace(req.URL.Path, "/o/r/", "/o/new/", 1), http.StatusMovedPermanently)
		return
	}
	if answer := f.answers[what]; answer != nil {
		status, text := answer()
		if f.total != "" {
			w.Header().Set("X-Total-Count", f.total)
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte(text))
		return
	}
	switch {
	case what == "GET /pulls":
		f.list(w, req)
	case strings.HasPrefix(what, "GET /pulls/main/"):
		f.first(w, strings.TrimPrefix(what, "GET /pulls/main/"))
	default:
		f.t.Errorf("%s was asked", what)
		w.WriteHeader(http.StatusTeapot)
	}
}

func (f *fake) list(w http.ResponseWriter, req *http.Request) {
	query := req.URL.Query()
	page, _ := strconv.Atoi(query.Get("page"))
	size, _ := strconv.Atoi(query.Get("limit"))
	if f.most > 0 {
		size = min(size, f.most)
	}
	if f.before != nil {
		f.before(page)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	found := []*sdk.PullRequest{}
	for _, pr := range f.prs {
		if string(pr.State) == query.Get("state") && (f.forgejo || pr.Base.Name == query.Get("base_branch")) {
			found = append(found, pr)
		}
	}
	slices.SortFunc(found, func(a, b *sdk.PullRequest) int {
		return cmp.Or(b.Updated.Compare(*a.Updated), cmp.Compare(b.Index, a.Index))
	})
	if !f.mute {
		w.Header().Set("X-Total-Count", strconv.Itoa(len(found)))
	}
	from := min((page-1)*size, len(found))
	_ = json.NewEncoder(w).Encode(found[from:min(from+size, len(found))])
}

func (f *fake) first(w http.ResponseWriter, branch string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, pr := range f.prs {
		if pr.Head.Name == branch && pr.Base.Name == "main" {
			_ = json.NewEncoder(w).Encode(pr)
			return
		}
	}
	w.WriteHeader(http.StatusNotFound)
	_, _ = w.Write([]byte(`{"message":"not found"}`))
}

func says(status int, text string) func() (int, string) {
	return func() (int, string) { return status, text }
}
