package gitlab_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/towpath/towpath/forge"
	"github.com/towpath/towpath/forge/gitlab"
	"github.com/towpath/towpath/forge/wire"
)

const branch = "towpath/main/web-1234"

// An operation is one of the contract, on merge request !1.
type operation struct {
	name string
	do   func(context.Context, forge.Forge) error
}

func operations() []operation {
	head := strings.Repeat("0", 40)
	return []operation{
		{"list", func(ctx context.Context, f forge.Forge) error { _, err := f.List(ctx, "main", "towpath/"); return err }},
		{"past", func(ctx context.Context, f forge.Forge) error { _, err := f.Past(ctx, "main", branch); return err }},
		{"propose", func(ctx context.Context, f forge.Forge) error {
			_, err := f.Propose(ctx, forge.Draft{Branch: branch, Base: "main", Title: "x"})
			return err
		}},
		{"propose to a reviewer", func(ctx context.Context, f forge.Forge) error {
			_, err := f.Propose(ctx, forge.Draft{Branch: branch, Base: "main", Title: "x", Reviewers: []string{"reviewer"}})
			return err
		}},
		{"edit", func(ctx context.Context, f forge.Forge) error { return f.Edit(ctx, 1, "x", "y") }},
		{"comment", func(ctx context.Context, f forge.Forge) error { return f.Comment(ctx, 1, "key", "text") }},
		{"close", func(ctx context.Context, f forge.Forge) error { return f.Close(ctx, 1) }},
		{"checks", func(ctx context.Context, f forge.Forge) error { _, err := f.Checks(ctx, head); return err }},
		{"merge", func(ctx context.Context, f forge.Forge) error { return f.Merge(ctx, 1, head) }},
		{"auto-merge", func(ctx context.Context, f forge.Forge) error { return f.AutoMerge(ctx, 1, head) }},
	}
}

// everywhere has GitLab answer every request in one way, and does every operation.
func everywhere(t *testing.T, answer func(w http.ResponseWriter, r *http.Request), check func(t *testing.T, w *world, e *forge.Error)) {
	t.Helper()
	for _, op := range operations() {
		t.Run(op.name, func(t *testing.T) {
			w := newWorld(t)
			w.before = func(rw http.ResponseWriter, r *http.Request) bool { answer(rw, r); return true }
			err := op.do(t.Context(), w.under)
			var e *forge.Error
			if !errors.As(err, &e) {
				t.Fatalf("%v is no *forge.Error", err)
			}
			if e.What == "" || e.Fix == "" || e.Forge != strings.TrimSuffix(w.url, "/api/v4/") || strings.ContainsAny(e.Error()+e.Fix, "\n\r") {
				t.Errorf("%#v does not say what happened where, and what to do, on one line", e)
			}
			if strings.Contains(e.Error()+e.Fix, w.token) {
				t.Error("the token is shown")
			}
			check(t, w, e)
		})
	}
}

func jsonSays(status int, body string) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}
}

// fault: F-06
func TestTooManyRequests(t *testing.T) {
	everywhere(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		w.Header().Set("Retry-After", "7")
		w.WriteHeader(http.StatusTooManyRequests)
		fmt.Fprint(w, "Retry later\n")
	}, func(t *testing.T, w *world, e *forge.Error) {
		if e.Kind != forge.RateLimited || e.RetryAfter != 7*time.Second {
			t.Errorf("%v is %s for %s", e, e.Kind, e.RetryAfter)
		}
		closed(t, w)
	})
}

// closed checks that GitLab is not asked before its time, for this project alone.
func closed(t *testing.T, w *world) {
	t.Helper()
	before := w.Requests()
	if _, err := w.under.List(t.Context(), "main", ""); !isKind(err, forge.RateLimited) || w.Requests() != before {
		t.Errorf("after %d more requests: %v", w.Requests()-before, err)
	}
	w.client(2).List(t.Context(), "main", "")
	if w.Requests() != before+1 {
		t.Error("another project was not asked for")
	}
}

// fault: F-06
func TestLastRequestOfAMinute(t *testing.T) {
	w := newWorld(t)
	w.before = func(rw http.ResponseWriter, r *http.Request) bool {
		rw.Header().Set("RateLimit-Limit", "2000") // the library would begin to wait
		rw.Header().Set("RateLimit-Remaining", "0")
		rw.Header().Set("RateLimit-Reset", fmt.Sprint(time.Now().Add(time.Hour).Unix()))
		return false
	}
	if found, err := w.under.List(t.Context(), "main", ""); err != nil || len(found) != 0 {
		t.Fatalf("listed %v, %v", found, err)
	}
	closed(t, w)
}

// fault: F-11
func TestAnswersThatAreNone(t *testing.T) {
	page := "<!DOCTYPE html><html><body>Sign in</body></html>"
	for name, answer := range map[string]func(http.ResponseWriter, *http.Request){
		"a web page": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			fmt.Fprint(w, page)
		},
		"a web page that says it is JSON": jsonSays(200, page),
		"an error with 200":               jsonSays(200, `{"message":"500 Internal Server Error"}`),
		"an error with 200, and more":     jsonSays(200, `{"error":"insufficient_scope","hint":"x"}`),
		"null":                            jsonSays(200, `null`),
		"a list of null":                  jsonSays(200, `[null]`),
		"a list of a list":                jsonSays(200, `[[]]`),
		"a number":                        jsonSays(200, `5`),
		"an empty object":                 jsonSays(200, `{}`),
		"nothing":                         jsonSays(200, ``),
		"half of it":                      jsonSays(200, `[{"iid": 1, "title`),
	} {
		t.Run(name, func(t *testing.T) {
			everywhere(t, answer, func(t *testing.T, w *world, e *forge.Error) {
				if e.Kind != forge.Invalid {
					t.Errorf("%v is %s, want Invalid", e, e.Kind)
				}
			})
		})
	}
}

// fault: F-11
func TestAnswerOf20MiB(t *testing.T) {
	mebibyte := strings.Repeat("x", 1<<20)
	w := newWorld(t)
	w.before = func(rw http.ResponseWriter, r *http.Request) bool {
		jsonSays(200, `["`)(rw, r)
		for range 20 {
			if _, err := io.WriteString(rw, mebibyte); err != nil {
				return true
			}
		}
		io.WriteString(rw, `"]`)
		return true
	}
	if err := w.under.Edit(t.Context(), 1, "x", "y"); !isKind(err, forge.Invalid) {
		t.Errorf("edit: %v", err)
	}
}

// Nothing is asked twice: what passes is asked for again by whoever wants it.
func TestGitLabIsDown(t *testing.T) {
	everywhere(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(http.StatusBadGateway)
		fmt.Fprint(w, "<html><title>GitLab is not responding</title></html>")
	}, func(t *testing.T, w *world, e *forge.Error) {
		if e.Kind != forge.Unreachable || w.Requests() != 1 {
			t.Errorf("%v is %s after %d requests", e, e.Kind, w.Requests())
		}
	})
}

// Nobody is there: that is found out once, too.
func TestNobodyListens(t *testing.T) {
	gone := httptest.NewServer(nil)
	gone.Close()
	tries := 0
	f, err := gitlab.New(gitlab.Options{
		Options: wire.Options{API: gone.URL + "/api/v4/", Token: func(context.Context) (string, error) { tries++; return rand.Text(), nil }},
		Project: project,
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.List(t.Context(), "main", ""); !isKind(err, forge.Unreachable) || tries != 1 {
		t.Errorf("after %d tries: %v", tries, err)
	}
}

// An answer about another merge request, from whatever stands between, is none about this.
//
// fault: F-11
func TestAnswersAboutAnother(t *testing.T) {
	for _, op := range operations() {
		if op.name == "list" || op.name == "past" || op.name == "checks" || op.name == "comment" || strings.HasPrefix(op.name, "propose") {
			continue
		}
		w := newWorld(t)
		w.Push(branch)
		w.Open(branch, "main", "x", "")
		w.Open("other", "main", "x", "")
		w.before = func(rw http.ResponseWriter, r *http.Request) bool {
			w.answer(rw, r, 200, w.single(w.merges[1]))
			return true
		}
		if err := op.do(t.Context(), w.under); !isKind(err, forge.Invalid) {
			t.Errorf("%s: %v", op.name, err)
		}
	}
}

// fault: F-12
func TestTokenLosesItsScope(t *testing.T) {
	for _, c := range []struct {
		name   string
		answer func(http.ResponseWriter, *http.Request)
		kind   forge.Kind
		fix    []string
	}{
		{"scope", jsonSays(403, `{"error":"insufficient_scope","error_description":"The request requires higher privileges than provided by the access token.","scope":"api"}`), forge.Forbidden, []string{"scope is too small", "scope api"}},
		{"role", jsonSays(403, `{"message":"403 Forbidden"}`), forge.Forbidden, []string{"Developer", "scope api"}},
		{"expired", jsonSays(401, `{"error":"invalid_token","error_description":"Token is expired. You can either do re-authorization or token refresh."}`), forge.Unauthorized, []string{"Developer", "scope api"}},
		{"not a member", jsonSays(404, `{"message":"404 Project Not Found"}`), forge.NotFound, []string{project, "Developer"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			everywhere(t, c.answer, func(t *testing.T, w *world, e *forge.Error) {
				if e.Kind != c.kind {
					t.Errorf("%v is %s, want %s", e, e.Kind, c.kind)
				}
				for _, word := range c.fix {
					if !strings.Contains(e.Fix, word) {
						t.Errorf("fix %q does not name %q", e.Fix, word)
					}
				}
			})
		})
	}
}

// The scope is back: nothing is remembered of the time without.
//
// fault: F-12
func TestTokenIsGivenItsScopeBack(t *testing.T) {
	w := newWorld(t)
	w.Push(branch)
	w.before = func(rw http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodGet {
			return false
		}
		jsonSays(403, `{"error":"insufficient_scope","error_description":"x","scope":"api"}`)(rw, r)
		return true
	}
	if _, err := w.under.Propose(t.Context(), draft()); !isKind(err, forge.Forbidden) {
		t.Fatalf("propose: %v", err)
	}
	if found, err := w.under.List(t.Context(), "main", "towpath/"); err != nil || len(found) != 0 {
		t.Fatalf("listed %v, %v", found, err)
	}
	w.before = nil
	if _, err := w.under.Propose(t.Context(), draft()); err != nil {
		t.Fatal(err)
	}
}

// GitLab, or what stands before it, says back what it was sent.
func TestTokenThatIsSaidBack(t *testing.T) {
	for _, status := range []int{200, 400, 401, 403, 404, 409, 500} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			everywhere(t, func(w http.ResponseWriter, r *http.Request) {
				body, _ := json.Marshal(map[string]any{"message": "your headers were " + fmt.Sprint(r.Header) + "\nand\u202e that was wrong"})
				jsonSays(status, string(body))(w, r)
			}, func(*testing.T, *world, *forge.Error) {})
		})
	}
}

func isKind(err error, kind forge.Kind) bool {
	var e *forge.Error
	return errors.As(err, &e) && e.Kind == kind
}

func draft() forge.Draft {
	return forge.Draft{Branch: branch, Base: "main", Title: "team1/web:prod 1.4.2 → 1.4.3", Body: "A body."}
}

func same(t *testing.T, what string, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// TestTheProjectHasAnotherName is after it was renamed: GitLab sends readers on to its number, and lets nobody write
// at the old path.
func TestTheProjectHasAnotherName(t *testing.T) {
	w := newWorld(t)
	w.Push(branch)
	number := w.Open(branch, "main", "x", "y")
	head := w.merges[0].head
	const old, now = "/projects/acme%2Fplat%2Eform%2Fdeploy/", "/projects/3/"
	w.before = func(rw http.ResponseWriter, r *http.Request) bool {
		path := r.URL.EscapedPath()
		switch {
		case strings.Contains(path, now):
			u, err := url.Parse(strings.Replace(r.RequestURI, now, old, 1))
			if err != nil {
				t.Error(err)
			}
			r.URL = u
			return false
		case r.Method != http.MethodGet:
			w.says(rw, r, 405, "405 Non GET methods are not allowed for moved projects")
		default:
			rw.Header().Set("Location", strings.TrimSuffix(w.url, "/api/v4/")+strings.Replace(r.RequestURI, old, now, 1))
			w.says(rw, r, 301, "This resource has been moved permanently")
		}
		return true
	}
	f := w.under
	if found, err := f.List(t.Context(), "main", ""); err != nil || len(found) != 1 {
		t.Errorf("listed are %+v, %v", found, err)
	}
	_, err := f.Propose(t.Context(), draft())
	for name, err := range map[string]error{
		"propose": err, "edit": f.Edit(t.Context(), number, "a", "b"), "comment": f.Comment(t.Context(), number, "k", "x"), "close": f.Close(t.Context(), number),
		"merge": f.Merge(t.Context(), number, head), "auto-merge": f.AutoMerge(t.Context(), number, head),
	} {
		var e *forge.Error
		if !errors.As(err, &e) || e.Kind != forge.NotFound || e.Fix != wire.FixMoved {
			t.Errorf("%s: %#v, want that the project was renamed", name, err)
		}
	}
}
