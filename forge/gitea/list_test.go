package gitea

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	sdk "code.gitea.io/sdk/gitea"
	"github.com/google/go-cmp/cmp"

	"github.com/towpath/towpath/forge"
)

func (f *fake) open(want ...int64) {
	f.t.Helper()
	found, err := f.forge.List(f.t.Context(), "main", "towpath/")
	f.same("open", found, err, want)
}

func (f *fake) past(branch string, want ...int64) {
	f.t.Helper()
	found, err := f.forge.Past(f.t.Context(), "main", branch)
	f.same("past of "+branch, found, err, want)
}

func (f *fake) same(what string, found []forge.Proposal, err error, want []int64) {
	f.t.Helper()
	if err != nil {
		f.t.Fatalf("%s: %v", what, err)
	}
	var got []int64
	for _, p := range found {
		got = append(got, int64(p.Number))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		f.t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func (f *fake) cost(want int) {
	f.t.Helper()
	if asked := f.took(); len(asked) != want {
		f.t.Errorf("that took %d requests, want %d: %q", len(asked), want, asked)
	}
}

// fault: F-07
func TestNothingNewOnManyPages(t *testing.T) {
	f := newFake(t)
	mine := f.add("towpath/a", "main", sdk.StateOpen)
	for i := range 310 {
		f.add(fmt.Sprintf("other/%d", i), "main", sdk.StateOpen)
	}
	f.open(1)
	f.cost(7)
	f.open(1)
	f.cost(1)
	f.change(mine, func(pr *sdk.PullRequest) { pr.Title = "A person's" })
	found, err := f.forge.List(t.Context(), "main", "towpath/")
	if err != nil || len(found) != 1 || found[0].Title != "A person's" {
		t.Errorf("open are %+v (%v), want one with a person's title", found, err)
	}
	f.cost(7)
	f.change(mine, func(pr *sdk.PullRequest) { pr.State = sdk.StateClosed })
	f.open()
	f.took()
	f.open()
	f.cost(1)
}

// TestSameSecond has all of a first page, and then one behind it, change within a second: the page
// stays what it was.
func TestSameSecond(t *testing.T) {
	f := newFake(t)
	mine := f.add("towpath/a", "main", sdk.StateOpen)
	for i := range 60 {
		f.add(fmt.Sprintf("other/%d", i), "main", sdk.StateOpen)
	}
	for _, pr := range f.prs {
		pr.Updated = &f.now
	}
	f.open(1)
	mine.Title = "A person's"
	found, err := f.forge.List(t.Context(), "main", "towpath/")
	if err != nil || len(found) != 1 || found[0].Title != "A person's" {
		t.Errorf("open are %+v (%v), want one with a person's title", found, err)
	}
}

// TestListChangesWhileRead moves one from a page that is not read yet to the front.
func TestListChangesWhileRead(t *testing.T) {
	f := newFake(t)
	mine := f.add("towpath/a", "main", sdk.StateOpen)
	for i := range 120 {
		f.add(fmt.Sprintf("other/%d", i), "main", sdk.StateOpen)
	}
	times := 1
	f.before = func(page int) {
		if page == 3 && times > 0 {
			times--
			f.change(mine, func(*sdk.PullRequest) {})
		}
	}
	f.open(1)
	// One that is opened pushes others on, and one that is closed pulls them back: what was there
	// when the reading began is a good answer, and the next one is right.
	times = 1
	f.change(mine, func(*sdk.PullRequest) {})
	other := f.prs[120]
	f.before = func(page int) {
		if page == 2 && times > 0 {
			times--
			f.change(other, func(pr *sdk.PullRequest) { pr.State = sdk.StateClosed })
			f.add("towpath/b", "main", sdk.StateOpen)
		}
	}
	f.open(1)
	f.open(1, 122)

	f.before = func(page int) {
		if page == 2 {
			f.add("towpath/c", "main", sdk.StateOpen)
		}
	}
	f.add("other/x", "main", sdk.StateOpen)
	_, err := f.forge.List(t.Context(), "main", "towpath/")
	if kindOf(err) != forge.Unreachable {
		t.Errorf("a list that never stands still: %v, want Unreachable", err)
	}
}

// TestForgejo asks a forge that knows no filter by base, says no totals, and gives fewer than it is asked for.
func TestForgejo(t *testing.T) {
	for _, mute := range []bool{false, true} {
		f := newFake(t)
		f.forgejo, f.mute, f.most = true, mute, 30
		f.add("towpath/a", "main", sdk.StateOpen)
		f.add("towpath/a", "release", sdk.StateOpen)
		f.add("towpath/b", "release", sdk.StateClosed)
		f.add("towpath/b", "main", sdk.StateClosed)
		for i := range 100 {
			f.add(fmt.Sprintf("other/%d", i), "release", []sdk.StateType{sdk.StateOpen, sdk.StateClosed}[i%2])
		}
		for range 2 {
			f.open(1)
			f.past("towpath/b", 4)
		}
	}
}

func TestPastCostsOneScan(t *testing.T) {
	f := newFake(t)
	for i := range 120 {
		f.add(fmt.Sprintf("towpath/%d", i), "main", sdk.StateClosed)
	}
	f.open()
	f.took()
	for i := range 120 {
		f.past(fmt.Sprintf("towpath/%d", i), int64(i+1))
	}
	f.cost(3)
	f.open()
	f.took()
	for i := range 120 {
		f.past(fmt.Sprintf("towpath/%d", i), int64(i+1))
	}
	f.cost(1)
	// Who asks again without another look wants to know.
	mine := f.add("towpath/7", "main", sdk.StateClosed)
	f.past("towpath/7", mine.Index, 8)
	f.cost(1)
	// One is opened again while another is closed.
	f.change(mine, func(pr *sdk.PullRequest) { pr.State, pr.Closed = sdk.StateOpen, nil })
	f.add("towpath/8", "main", sdk.StateClosed)
	f.open(mine.Index)
	f.past("towpath/7", 8)
	f.past("towpath/8", 122, 9)
	// A change of ours is seen without another look.
	f.forge.look()
	f.add("towpath/9", "main", sdk.StateClosed)
	f.past("towpath/9", 123, 10)
}

// TestPastIsBounded finds in a repository with very many what was closed long ago.
func TestPastIsBounded(t *testing.T) {
	f := newFake(t)
	f.add("towpath/old", "main", sdk.StateClosed)
	for i := range 2500 {
		f.add(fmt.Sprintf("other/%d", i), "main", sdk.StateClosed)
	}
	f.past("towpath/old", 1)
	f.cost(21)
	f.past("towpath/none")
	f.cost(1)
	f.open()
	f.took()
	f.past("towpath/old", 1)
	f.past("towpath/none")
	f.cost(1)
	f.add("towpath/none", "main", sdk.StateClosed)
	f.open()
	f.took()
	f.past("towpath/none", 2502)
	f.cost(1)
	// What was closed long ago is opened again.
	f.change(f.prs[0], func(pr *sdk.PullRequest) { pr.State = sdk.StateOpen })
	f.open(1)
	f.past("towpath/old")
	// A branch's name is a path: nothing in it leads elsewhere.
	f.past("towpath/../x?y#z")
	for _, asked := range f.took() {
		if strings.Contains(asked, "/pulls/main/x") {
			t.Errorf("%s was asked", asked)
		}
	}
}

// TestLongTexts has strangers write what makes a page too large to be read.
//
// fault: F-11
func TestLongTexts(t *testing.T) {
	long := strings.Repeat("x", 3<<20)
	f := newFake(t)
	f.add("towpath/a", "main", sdk.StateOpen)
	for i := range 15 {
		if pr := f.add("other", "main", sdk.StateOpen); i%7 == 0 {
			pr.Body = long
		}
	}
	f.open(1)
	f.cost(1 + 2) // one page of 50, which is too large, and all of 10
	f.open(1)
	f.cost(1)
	// Three of those on a page are more than is read of it: then there is one on each.
	f.change(f.prs[7], func(pr *sdk.PullRequest) { pr.Body = long })
	f.open(1)
	f.took()
	f.change(f.prs[3], func(pr *sdk.PullRequest) { pr.Body = long + long + long })
	_, err := f.forge.List(t.Context(), "main", "towpath/")
	if e := (*forge.Error)(nil); !errors.As(err, &e) || e.Kind != forge.Refused || !strings.Contains(e.Fix, "shorten") {
		t.Errorf("got %v, want that it is to be shortened", err)
	}
	f.cost(1)
}

// As much is read in smaller pages as in larger ones.
func TestLongTextsAmongMany(t *testing.T) {
	f := newFake(t)
	f.add("towpath/a", "main", sdk.StateClosed)
	for range 250 {
		f.add("other", "main", sdk.StateClosed)
	}
	for i := 210; i < 250; i += 15 {
		f.prs[i].Body = strings.Repeat("x", 3<<20)
	}
	f.past("towpath/a", 1)
	f.cost(1 + 26)
}

// fault: F-11
func TestLongTalk(t *testing.T) {
	f := newFake(t)
	f.answers["GET /issues/1/comments"] = says(200, `[{"body": "`+strings.Repeat("x", 9<<20)+`"}]`)
	if err := f.forge.Comment(t.Context(), 1, "key", "hello"); err != nil {
		t.Errorf("got %v: what cannot be said keeps all the rest waiting", err)
	}
}
