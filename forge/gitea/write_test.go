package gitea

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/towpath/towpath/forge"
)

const (
	head = "1111111111111111111111111111111111111111"
	next = "2222222222222222222222222222222222222222"
)

// pull is a pull request as Gitea shows it.
func pull(title, state, sha string, draft bool) string {
	return fmt.Sprintf(`{"number":1,"html_url":"https://gitea.example/o/r/pulls/1","title":%q,"body":"b","state":%q,"draft":%v,
		"labels":[],"head":{"label":"towpath/a","ref":"towpath/a","sha":%q,"repo_id":1},"base":{"label":"main","ref":"main","repo_id":1}}`, title, state, draft, sha)
}

var draft = forge.Draft{Branch: "towpath/a", Base: "main", Title: "T", Body: "b"}

// want checks an error's kind, and that it names something.
func want(t *testing.T, err error, kind forge.Kind, words ...string) {
	t.Helper()
	var e *forge.Error
	if !errors.As(err, &e) || e.Kind != kind || e.Fix == "" {
		t.Fatalf("the error is %v (%s), want %s with a fix", err, kindOf(err), kind)
	}
	for _, word := range words {
		if !strings.Contains(e.What+" "+e.Fix, word) {
			t.Errorf("%q and %q do not say %q", e.What, e.Fix, word)
		}
	}
}

// TestOtherWordsForDrafts proposes to a server that is told to know drafts by other words.
func TestOtherWordsForDrafts(t *testing.T) {
	f := newFake(t)
	f.answers["POST /pulls"] = says(201, pull("WIP: T", "open", head, false))
	f.answers["GET /pulls/1"] = says(200, pull("WIP: T", "open", head, false))
	f.answers["PATCH /pulls/1"] = says(201, pull("T", "open", head, false))
	d := draft
	d.Draft = true
	p, err := f.forge.Propose(t.Context(), d)
	want(t, err, forge.Partly, "draft")
	if p.Number != 1 || p.Title != "T" || p.Draft {
		t.Errorf("proposed is %+v, want number 1 as T", p)
	}
}

// TestLabels uses those of the repository and of its owner, makes what is missing, and goes on without
// those that it may not make.
func TestLabels(t *testing.T) {
	f := newFake(t)
	f.answers["GET /labels"] = says(200, `[{"id":1,"name":"one"}]`)
	f.answers["GET /api/v1/orgs/o/labels"] = says(200, `[{"id":2,"name":"two"}]`)
	f.answers["POST /labels"] = says(403, `{"message":"token does not have at least one of required scope(s)"}`)
	f.answers["POST /pulls"] = says(201, pull("T", "open", head, false))
	d := draft
	d.Labels = []string{"one", "two", "three"}
	p, err := f.forge.Propose(t.Context(), d)
	want(t, err, forge.Partly, "three")
	if p.Number != 1 || strings.Contains(err.Error(), "two") {
		t.Errorf("proposed is %+v (%v), want number 1, without three alone", p, err)
	}
	f.answers["GET /api/v1/orgs/o/labels"] = says(404, `{"message":"none"}`)
	f.answers["POST /labels"] = says(201, `{"id":3,"name":"x"}`)
	if _, err := f.forge.Propose(t.Context(), d); err != nil {
		t.Error(err)
	}
	// A forge that is down is no reason to leave labels out.
	f.answers["POST /labels"] = says(502, `{"message":"down"}`)
	f.took()
	_, err = f.forge.Propose(t.Context(), d)
	want(t, err, forge.Unreachable)
	if slices.Contains(f.took(), "POST /pulls") {
		t.Error("it was proposed without them")
	}
}

// TestAdoptFindsNone is told that there is one, and sees none.
//
// fault: F-01
func TestAdoptFindsNone(t *testing.T) {
	f := newFake(t)
	f.answers["POST /pulls"] = says(409, `{"message":"pull request already exists for these targets"}`)
	_, err := f.forge.Propose(t.Context(), draft)
	want(t, err, forge.Unreachable, "towpath/a")
}

// TestRefusals is what a token hears that may not, or not any more.
//
// fault: F-12
func TestRefusals(t *testing.T) {
	for status, kind := range map[int]forge.Kind{
		401: forge.Unauthorized, 403: forge.Forbidden, 404: forge.NotFound, 422: forge.Refused, 423: forge.Refused, 500: forge.Unreachable,
	} {
		f := newFake(t)
		answer := says(status, `{"message":"the reason"}`)
		for _, what := range []string{"GET /pulls", "POST /pulls", "GET /pulls/1", "GET /issues/1/comments"} {
			f.answers[what] = answer
		}
		_, err := f.forge.List(t.Context(), "main", "towpath/")
		want(t, err, kind, "the reason")
		_, err = f.forge.Past(t.Context(), "main", "towpath/a")
		want(t, err, kind, "the reason")
		_, err = f.forge.Propose(t.Context(), draft)
		want(t, err, kind, "the reason")
		want(t, f.forge.Edit(t.Context(), 1, "T", "b"), kind, "the reason")
		want(t, f.forge.Comment(t.Context(), 1, "key", "text"), kind, "the reason")
		want(t, f.forge.Close(t.Context(), 1), kind, "the reason")
	}
}

// mergeable is a forge at which a pull request can be merged.
func mergeable(t *testing.T) *fake {
	f := newFake(t)
	f.answers["GET /pulls/1"] = says(200, pull("T", "open", head, false))
	f.answers["GET "] = says(200, `{"allow_merge_commits":false,"allow_squash_merge":true,"allow_rebase":true,"default_merge_style":"merge"}`)
	return f
}

func TestMergeIsRefused(t *testing.T) {
	for _, c := range []struct {
		status int
		text   string
		kind   forge.Kind
	}{
		{405, `{"message":"Please try again later"}`, forge.Refused},
		{405, `{"message":"not ready to be merged: Not all required status checks successful"}`, forge.Refused},
		{409, `{"Style":"squash","StdOut":"CONFLICT","StdErr":"","Err":{}}`, forge.Refused},
		{409, `{"message":"merge push out of date"}`, forge.Unreachable},
		{423, `{"message":"archived"}`, forge.Refused},
		{500, `{"message":""}`, forge.Unreachable},
	} {
		f := mergeable(t)
		f.answers["POST /pulls/1/merge"] = says(c.status, c.text)
		err := f.forge.Merge(t.Context(), 1, head)
		want(t, err, c.kind)
		if errors.Is(err, forge.ErrMoved) {
			t.Errorf("%s is taken for a head that moved", c.text)
		}
	}
	f := mergeable(t)
	f.answers["POST /pulls/1/merge"] = says(409, `{"message":"head out of date"}`)
	if err := f.forge.Merge(t.Context(), 1, head); !errors.Is(err, forge.ErrMoved) {
		t.Errorf("%v, want ErrMoved", err)
	}
	f.answers["GET "] = says(200, `{}`)
	want(t, f.forge.Merge(t.Context(), 1, head), forge.Refused, "allow")
	f.answers["GET /pulls/1"] = says(200, pull("T", "closed", head, false))
	want(t, f.forge.Merge(t.Context(), 1, head), forge.Refused, "not open")
}

// TestAutoMergeTakesItBack has the head move while the forge is told to merge it.
func TestAutoMergeTakesItBack(t *testing.T) {
	f := mergeable(t)
	looks := 0
	f.answers["GET /pulls/1"] = func() (int, string) {
		looks++
		return 200, pull("T", "open", []string{head, next}[min(looks-1, 1)], false)
	}
	f.answers["POST /pulls/1/merge"] = says(201, "")
	f.answers["DELETE /pulls/1/merge"] = says(204, "")
	if err := f.forge.AutoMerge(t.Context(), 1, head); !errors.Is(err, forge.ErrMoved) {
		t.Errorf("%v, want ErrMoved", err)
	}
	if !slices.Contains(f.took(), "DELETE /pulls/1/merge") {
		t.Error("the forge would merge another head")
	}
}

// statuses is a page of good ones.
func statuses(page int) string {
	var rows []string
	for i := range 50 {
		rows = append(rows, fmt.Sprintf(`{"id":%d,"status":"success"}`, page*100+i))
	}
	return `{"state":"success","statuses":[` + strings.Join(rows, ",") + `]}`
}

// TestChecksOnPages has the one that is not good on the last page.
func TestChecksOnPages(t *testing.T) {
	for state, checks := range map[string]forge.Checks{
		"success": forge.Green, "skipped": forge.Green, "pending": forge.Pending, "failure": forge.Red, "error": forge.Red, "warning": forge.Red,
	} {
		for _, total := range []string{"", "101"} {
			f := newFake(t)
			f.total = total
			pages := 0
			f.answers["GET /commits/"+head+"/status"] = func() (int, string) {
				pages++
				switch pages {
				case 3:
					return 200, fmt.Sprintf(`{"state":%q,"statuses":[{"id":1,"status":%q}]}`, state, state)
				case 4:
					return 200, `{"state":"","statuses":[]}`
				}
				return 200, statuses(pages)
			}
			got, err := f.forge.Checks(t.Context(), head)
			if err != nil || got != checks {
				t.Errorf("%s on the last page (of %s): %s (%v), want %s", state, total, got, err, checks)
			}
			if total != "" && pages > 3 {
				t.Errorf("it was asked for %d pages, want 3", pages)
			}
		}
	}
}

// TestChecksWithoutEnd calls nothing good that it has not seen the end of.
func TestChecksWithoutEnd(t *testing.T) {
	f := newFake(t)
	pages := 0
	f.answers["GET /commits/"+head+"/status"] = func() (int, string) { pages++; return 200, statuses(pages) }
	if got, err := f.forge.Checks(t.Context(), head); err != nil || got != forge.Pending || pages > maxStatusPages {
		t.Errorf("%s (%v) after %d pages, want pending", got, err, pages)
	}
}

func TestNew(t *testing.T) {
	for _, o := range []Options{
		{Owner: "o", Repo: "r", Client: http.DefaultClient},
		{API: "https://gitea.example/", Owner: "o", Repo: "r", Client: http.DefaultClient},
		{API: "https://u:p@gitea.example/api/v1/", Owner: "o", Repo: "r", Client: http.DefaultClient},
		{API: "https://gitea.example/api/v1/", Repo: "r", Client: http.DefaultClient},
		{API: "https://gitea.example/api/v1/", Owner: "o", Repo: "r"},
	} {
		if _, err := New(o); err == nil {
			t.Errorf("%+v is taken", o)
		}
	}
	f, err := New(Options{API: "https://Git.example/below/api/v1", Owner: "o", Repo: "r", Client: http.DefaultClient})
	if err != nil || f.api != "https://Git.example/below" || f.origin != "https://git.example" {
		t.Errorf("%+v, %v", f, err)
	}
}

// TestTheRepositoryHasAnotherName is after it was renamed: an older Gitea sends a writer on with 301, which makes a read of
// it, and writes nothing.
func TestTheRepositoryHasAnotherName(t *testing.T) {
	f := newFake(t)
	f.answers["GET /pulls/1"] = says(200, pull("T", "open", head, false))
	for _, what := range []string{"PATCH /pulls/1", "POST /pulls"} {
		_, path, _ := strings.Cut(what, " ")
		f.moved = append(f.moved, what)
		f.answers["GET /api/v1/repos/o/new"+path] = says(200, pull("T", "open", head, false))
	}
	want(t, f.forge.Edit(t.Context(), 1, "x", "y"), forge.Invalid, "renamed", "repo:", "forge.project", "/repos/o/new/pulls/1")
	want(t, f.forge.Close(t.Context(), 1), forge.Invalid, "renamed")
	_, err := f.forge.Propose(t.Context(), draft)
	want(t, err, forge.Invalid, "renamed")
}

// TestAnswersThatSayNothing are no empty lists: that would be that nobody proposed, declined or said anything.
//
// fault: F-11
func TestAnswersThatSayNothing(t *testing.T) {
	d := draft
	d.Labels = []string{"images"}
	ctx := t.Context()
	for _, answer := range []string{"null", "[null]", "", " ", `"ok"`, `[{"number":1},null]`} {
		f := newFake(t)
		f.add("towpath/a", "main", "closed")
		for _, what := range []string{"GET /pulls", "GET /pulls/1", "GET /commits/" + head + "/status", "GET /labels", "GET /issues/1/comments"} {
			f.answers[what] = says(200, answer)
		}
		_, err := f.forge.List(ctx, "main", "")
		want(t, err, forge.Invalid)
		_, err = f.forge.Past(ctx, "main", "towpath/a")
		want(t, err, forge.Invalid)
		_, err = f.forge.Propose(ctx, d)
		want(t, err, forge.Invalid)
		if says, err := f.forge.Checks(ctx, head); answer != "null" {
			want(t, err, forge.Invalid)
		} else if err != nil || says != forge.NoChecks {
			t.Errorf("without statuses the checks are %s, %v", says, err)
		}
		want(t, f.forge.Comment(ctx, 1, "k", "x"), forge.Invalid)
		want(t, f.forge.Edit(ctx, 1, "a", "b"), forge.Invalid)
		want(t, f.forge.Close(ctx, 1), forge.Invalid)
	}
}
