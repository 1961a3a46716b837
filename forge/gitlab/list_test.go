package gitlab_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/towpath/towpath/forge"
)

// fault: F-07
func TestHowListsGoOn(t *testing.T) {
	const many = 7
	for _, c := range []struct {
		name string
		turn func(h http.Header, page string)
		kind forge.Kind // empty: all are found
	}{
		{"by both headers", func(http.Header, string) {}, ""},
		{"by Link alone", func(h http.Header, _ string) { h.Del("X-Next-Page") }, ""},
		{"by X-Next-Page alone", func(h http.Header, _ string) { h.Del("Link") }, ""},
		{"by none", func(h http.Header, _ string) {
			for _, name := range []string{"Link", "X-Next-Page", "X-Page", "X-Per-Page"} {
				h.Del(name)
			}
		}, ""},
		{"by a Link without a relation", func(h http.Header, _ string) { h["Link"] = []string{"<x>; rel", "<y>;"} }, ""},
		{"at another origin", func(h http.Header, _ string) {
			h.Del("X-Next-Page")
			h.Set("Link", `<https://evil.example/api/v4/x?page=2>; rel="next"`)
		}, forge.Invalid},
		{"at a page that is no number", func(h http.Header, _ string) {
			h.Del("X-Next-Page")
			h.Set("Link", `<?page=x>; rel="next"`)
		}, forge.Invalid},
		{"in a circle", func(h http.Header, page string) { h.Set("X-Next-Page", page) }, forge.Invalid},
		{"back at the first", func(h http.Header, page string) {
			if page == "3" {
				h.Set("X-Next-Page", "1")
			}
		}, forge.Invalid},
		{"without an end", func(h http.Header, page string) {
			n := 0
			fmt.Sscan(page, &n)
			h.Set("X-Next-Page", fmt.Sprint(n+1))
		}, forge.Invalid},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			for i := range many {
				w.Push(fmt.Sprint("towpath/", i))
				w.Open(fmt.Sprint("towpath/", i), "main", "x", "")
			}
			w.before = func(rw http.ResponseWriter, r *http.Request) bool {
				w.ServeHTTP(turned{rw, func(h http.Header) { c.turn(h, r.URL.Query().Get("page")) }}, r)
				return true
			}
			for range 2 { // the second time GitLab says that nothing changed
				found, err := w.under.List(t.Context(), "main", "towpath/")
				if c.kind != "" {
					if !isKind(err, c.kind) {
						t.Errorf("%v, want %s", err, c.kind)
					}
				} else if err != nil || len(found) != many {
					t.Errorf("found %d, %v, want %d", len(found), err, many)
				}
			}
		})
	}
}

type turned struct {
	http.ResponseWriter
	turn func(http.Header)
}

func (t turned) WriteHeader(status int) {
	t.turn(t.Header())
	t.ResponseWriter.WriteHeader(status)
}

// One that was there comes back behind a page that is as it was: GitLab says of that page that it has not
// changed, by its body alone.
//
// fault: F-07
func TestReopenedBehindAFullPage(t *testing.T) {
	w := newWorld(t)
	for _, name := range []string{"towpath/a", "towpath/b", "towpath/c"} {
		w.Push(name)
		w.Open(name, "main", "x", "")
	}
	w.Close(1)
	for _, want := range []int{2, 3} {
		found, err := w.under.List(t.Context(), "main", "towpath/")
		if err != nil || len(found) != want {
			t.Errorf("found %d, %v, want %d", len(found), err, want)
		}
		w.Reopen(1)
	}
}

// Strangers write long: a page of what they wrote is too large to be read at once.
//
// fault: F-11
func TestLongDescriptionsOfStrangers(t *testing.T) {
	w := newWorld(t)
	w.Push(branch)
	mine := w.Open(branch, "main", "x", "")
	for i := range 9 {
		w.Stranger(fmt.Sprint("x", i), "main", "x", strings.Repeat("x", 1<<20))
	}
	f := w.client(10)
	found, err := f.List(t.Context(), "main", "towpath/")
	if err != nil || len(found) != 1 || found[0].Number != mine {
		t.Errorf("found %v, %v, want !%d", found, err, mine)
	}
}

// A stranger opens and closes many of a branch of the same name, so that what a person closed is not on the first page.
func TestPastBehindStrangers(t *testing.T) {
	w := newWorld(t)
	w.Push(branch)
	mine := w.Open(branch, "main", "x", "")
	w.Close(mine)
	for range 9 {
		w.Close(w.Stranger(branch, "main", "x", ""))
	}
	past, err := w.under.Past(t.Context(), "main", branch)
	if err != nil || len(past) != 1 || past[0].Number != mine {
		t.Errorf("past are %v, %v, want !%d", past, err, mine)
	}
}

// One that is being merged is neither open nor merged: taking it for merged would look for its
// changes in Git too early, and taking it for none would open another.
func TestWhileItIsMerged(t *testing.T) {
	w := newWorld(t)
	w.Push(branch)
	n := w.Open(branch, "main", "x", "")
	w.locked(func() { w.merges[n-1].state = "locked" })
	if past, err := w.under.Past(t.Context(), "main", branch); !isKind(err, forge.Unreachable) {
		t.Errorf("past are %v, %v", past, err)
	}
	w.Merge(n, "merge")
	if past, err := w.under.Past(t.Context(), "main", branch); err != nil || len(past) != 1 || past[0].State != forge.Merged {
		t.Errorf("past are %v, %v", past, err)
	}
}

// GitLab answers Past with what was before List: what people declined must not seem to be neither open nor
// declined.
//
// fault: F-01
func TestAnswersOfAnotherAge(t *testing.T) {
	w := newWorld(t)
	list := func() {
		t.Helper()
		if _, err := w.under.List(t.Context(), "main", "towpath/"); err != nil {
			t.Fatal(err)
		}
	}
	past := func() ([]forge.Proposal, error) { return w.under.Past(t.Context(), "main", "towpath/a") }
	list()
	w.Push("towpath/a")
	if _, err := w.under.Propose(t.Context(), forge.Draft{Branch: "towpath/a", Base: "main", Title: "x"}); err != nil {
		t.Fatal(err)
	}
	if found, err := past(); err != nil || len(found) != 0 {
		t.Fatalf("past of one that is open are %+v, %v", found, err)
	}
	w.Close(1)
	list()
	w.Reopen(1)
	found, err := past()
	if e := (*forge.Error)(nil); !errors.As(err, &e) || e.Kind != forge.Unreachable || e.Fix == "" {
		t.Errorf("past are %+v, %v", found, err)
	}
	w.Close(1)
	if found, err := past(); err != nil || len(found) != 1 || found[0].State != forge.Closed {
		t.Errorf("later past are %+v, %v", found, err)
	}
}

// TestPastIsAllOfThem has a branch be merged often after it was declined once: that is read on as many pages as it
// takes, up to a bound, and on one where there are few.
//
// fault: F-07
func TestPastIsAllOfThem(t *testing.T) {
	w := newWorld(t)
	w.Push(branch)
	f := w.client(100)
	first := w.Open(branch, "main", "declined", "")
	w.Close(first)
	past := func(most, pages int) forge.Proposal {
		t.Helper()
		before := w.Requests()
		found, err := f.Past(t.Context(), "main", branch)
		if err != nil || len(found) != most || w.Requests()-before != pages {
			t.Fatalf("past are %d (%v) on %d pages, want %d on %d", len(found), err, w.Requests()-before, most, pages)
		}
		return found[most-1]
	}
	for _, c := range []struct{ most, pages int }{{1, 1}, {60, 1}, {240, 3}} {
		for len(w.merges) < c.most {
			w.Merge(w.Open(branch, "main", "later", ""), "merge")
		}
		if oldest := past(c.most, c.pages); oldest.Number != first {
			t.Errorf("the oldest of %d is !%d: what a person closed is forgotten", c.most, oldest.Number)
		}
	}
	for range 200 {
		w.Merge(w.Open(branch, "main", "later", ""), "merge")
	}
	if oldest := past(forge.MostPast, 3); oldest.Number != 440-forge.MostPast+1 {
		t.Errorf("the oldest is !%d, want the newest %d", oldest.Number, forge.MostPast)
	}
}
