package forgetest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/towpath/towpath/forge"
)

func nothingYet(b *bench) {
	b.same("listed", numbers(b.list()), []int{})
	b.same("past", numbers(b.past()), []int{})
}

func proposeAndList(b *bench) {
	head := b.Push(branch)
	made := b.open(draft())
	want := forge.Proposal{
		Number: made.Number, URL: made.URL, State: forge.Open, Branch: branch, Base: Base, Head: head,
		Title: draft().Title, Body: draft().Body,
	}
	if made.Number == 0 || !strings.HasPrefix(made.URL, "http") {
		b.Errorf("it is number %d at %q", made.Number, made.URL)
	}
	b.same("proposed", made, want)
	b.same("listed", b.list(), []forge.Proposal{want})
	b.same("past", numbers(b.past()), []int{})
}

// fault: F-07
func onPageSeven(b *bench) {
	d, later := draft(), draft()
	later.Branch = Prefix + "main/later"
	first := b.propose(d)
	for i := range 13 {
		name := fmt.Sprintf("other/%02d", i)
		b.Push(name)
		b.Open(name, Base, "Another's work "+name, "")
	}
	last := b.propose(later)
	want := []int{first.Number, last.Number}
	b.same("listed", numbers(b.list()), want)
	b.same("listed by another", numbers(b.listOf(b.Another(), Base, Prefix)), want)
	// It is found when it is looked for by its branch, too.
	again, err := b.Another().Propose(b.Context(), d)
	b.ok(err)
	b.same("proposed again", again.Number, first.Number)
}

func ofBaseAndPrefix(b *bench) {
	b.Push("release")
	b.Push("feature/x")
	b.Push(branch)
	b.Open("feature/x", Base, "A person's", "")
	b.Open(branch, "release", "Onto another branch", "")
	mine := b.Open(branch, Base, "Ours", "")
	found := b.list()
	b.same("listed", numbers(found), []int{mine})
	if other := b.listOf(b.forge, "release", Prefix); len(other) != 1 || other[0].Base != "release" {
		b.Errorf("onto release are listed %+v, want one", other)
	}
	b.same("of no such prefix", numbers(b.listOf(b.forge, Base, Prefix+"other/")), []int{})
}

// fromAFork has a stranger copy everything of one of ours, marker and all.
func fromAFork(b *bench) {
	number := b.Stranger(branch, Base, draft().Title, draft().Body)
	b.same("listed", numbers(b.list()), []int{})
	mine := b.propose(draft())
	if mine.Number == number {
		b.Fatalf("a stranger's proposal was taken for ours")
	}
	b.same("listed", numbers(b.list()), []int{mine.Number})
	b.Close(number)
	b.same("past", numbers(b.past()), []int{})
}

func closedByAPerson(b *bench) {
	p := b.propose(draft())
	b.same("listed", numbers(b.list()), []int{p.Number})
	b.Close(p.Number)
	b.same("listed", numbers(b.list()), []int{})
	past := b.past()
	if len(past) != 1 {
		b.Fatalf("past are %v, want one", numbers(past))
	}
	if past[0].Ended.IsZero() {
		b.Error("it is not said when it was closed")
	}
	p.State, p.Ended = forge.Closed, past[0].Ended
	b.same("past", past[0], p)
}

func closedAndReopened(b *bench) {
	p := b.propose(draft())
	b.Close(p.Number)
	b.same("past", numbers(b.past()), []int{p.Number})
	b.Reopen(p.Number)
	again := b.only()
	b.same("reopened", again, p)
	b.same("past", numbers(b.past()), []int{})
}

func pastIsNewestFirst(b *bench) {
	var want []int
	for range 3 {
		p := b.propose(draft())
		b.Close(p.Number)
		want = append([]int{p.Number}, want...)
		b.list()
		b.same("past", numbers(b.past()), want)
	}
	b.same("past elsewhere", numbers(b.pastOf(Base, branch+"x")), []int{})
	b.same("past of another base", numbers(b.pastOf("release", branch)), []int{})
}

// pastIsAll has a branch be proposed and closed so often that a page or two of it would not do: what
// people declined first is not forgotten.
func pastIsAll(b *bench) {
	b.Push(branch)
	var want []int
	for range 35 {
		number := b.Open(branch, Base, "Once more", "")
		b.Close(number)
		want = append([]int{number}, want...)
	}
	b.same("past", numbers(b.past()), want)
}

func (b *bench) pastOf(base, branch string) []forge.Proposal {
	b.Helper()
	found, err := b.forge.Past(b.Context(), base, branch)
	b.ok(err)
	return found
}

// mergedInEachWay expects that what was merged is known as such, whatever became of its commits.
func mergedInEachWay(b *bench) {
	for _, way := range b.Ways() {
		d := draft()
		d.Branch = Prefix + "main/" + way
		head := b.Push(d.Branch)
		p := b.open(d)
		b.Merge(p.Number, way)
		b.same("listed after "+way, numbers(b.list()), []int{})
		past := b.pastOf(Base, d.Branch)
		if len(past) != 1 || past[0].State != forge.Merged || past[0].Ended.IsZero() || past[0].Head != head {
			b.Errorf("%s: past are %+v, want one that is merged at %s", way, past, head)
		}
	}
}

// theBranchIsGone leaves to the forge whether a proposal ends with its branch; it is open or past, and not both.
//
// fault: F-05
func theBranchIsGone(b *bench) {
	p := b.propose(draft())
	b.DeleteBranch(branch)
	found := slices.Concat(b.list(), b.past())
	b.same("open or past", numbers(found), []int{p.Number})
	_, err := b.forge.Propose(b.Context(), forge.Draft{Branch: Prefix + "gone", Base: Base, Title: "Nothing", Body: ""})
	b.is(err, forge.Refused, forge.NotFound)
}

func theHeadMoves(b *bench) {
	p := b.propose(draft())
	head := b.Push(branch)
	if head == p.Head {
		b.Fatal("the branch did not move")
	}
	b.Await(p.Number, forge.Open)
	b.same("head", b.only().Head, head)
}

func nothingNewCostsOne(b *bench) {
	b.propose(draft())
	if b.Requests() < 0 {
		return
	}
	first := b.list()
	for range 2 {
		before := b.Requests()
		b.same("listed", b.list(), first)
		b.same("requests", b.Requests()-before, 1)
	}
}

func checks(b *bench) {
	head := b.Push(branch)
	says := func(want forge.Checks) {
		b.Helper()
		got, err := b.forge.Checks(b.Context(), head)
		b.ok(err)
		b.same("checks", got, want)
	}
	says(forge.NoChecks)
	b.Check(head, "ci/build", forge.Pending)
	says(forge.Pending)
	b.Check(head, "ci/lint", forge.Green)
	says(forge.Pending)
	b.Check(head, "ci/build", forge.Green)
	says(forge.Green)
	b.Check(head, "ci/late", forge.Pending)
	says(forge.Pending)
	b.Check(head, "ci/lint", forge.Red)
	says(forge.Red)
	head = b.Push(branch)
	says(forge.NoChecks)
}
