package forgetest

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/towpath/towpath/forge"
)

// fault: F-01
func proposeTwice(b *bench) {
	first := b.propose(draft())
	other := draft()
	other.Title, other.Body, other.Draft = "Another title", "Another body", true
	again := b.open(other)
	b.same("proposed again", again, first)
	b.same("listed", b.only(), first)
}

// anotherWasFaster has somebody else open it after the forge said that there is none.
//
// fault: F-01
func anotherWasFaster(b *bench) {
	b.Push(branch)
	b.same("listed", numbers(b.list()), []int{})
	number := b.Open(branch, Base, "A person's title", "A person's body")
	p := b.open(draft())
	if p.Number != number || p.Title != "A person's title" || p.Body != "A person's body" {
		b.Errorf("proposed is %+v, want number %d as it was", p, number)
	}
	b.same("listed", b.only(), p)
}

func closeTwice(b *bench) {
	p := b.propose(draft())
	for range 2 {
		b.ok(b.forge.Close(b.Context(), p.Number))
		b.same("listed", numbers(b.list()), []int{})
		if past := b.past(); len(past) != 1 || past[0].State != forge.Closed {
			b.Fatalf("past are %+v, want one that is closed", past)
		}
	}
	d := draft()
	d.Branch += "-merged"
	p = b.propose(d)
	b.Merge(p.Number, b.Ways()[0])
	b.ok(b.forge.Close(b.Context(), p.Number))
	if past := b.pastOf(Base, d.Branch); len(past) != 1 || past[0].State != forge.Merged {
		b.Fatalf("past are %+v, want one that is merged", past)
	}
}

// fault: F-10
func editKeepsTheRest(b *bench) {
	d := draft()
	d.Labels, d.Reviewers = []string{"images"}, []string{b.Reviewer()}
	p := b.propose(d)
	b.Label(p.Number, "keep-me")
	b.ok(b.forge.Edit(b.Context(), p.Number, "Another title", "Another body"))
	got := b.only()
	p.Title, p.Body, p.Labels = "Another title", "Another body", []string{"images", "keep-me"}
	slices.Sort(got.Labels)
	b.same("after the edit", got, p)
	reviewers, _ := b.Asked(p.Number)
	b.same("reviewers", reviewers, []string{b.Reviewer()})
	// A title alone may change, and a body alone.
	b.ok(b.forge.Edit(b.Context(), p.Number, "Another title", "A third body"))
	b.same("body", b.only().Body, "A third body")
	b.ok(b.forge.Edit(b.Context(), p.Number, "Another title", ""))
	b.same("body", b.only().Body, "")
}

// fault: F-10
func aPersonEdits(b *bench) {
	p := b.propose(draft())
	b.list()
	b.Write(p.Number, "A person's title", "Above.\r\n\r\n"+draft().Body+"\r\nBelow.")
	got := b.only()
	b.same("title", got.Title, "A person's title")
	b.same("body", got.Body, "Above.\n\n"+draft().Body+"\nBelow.")
}

func bodiesArrive(b *bench) {
	long := strings.Repeat("sha256:0123456789abcdef → ünïcödé 🚢\n", 1500)
	long = long[:strings.LastIndex(long[:60000], "\n")]
	p := b.propose(draft())
	for _, body := range []string{
		"one line",
		"<!-- towpath:begin -->\n| a | b |\n|---|---|\n| `x` | \\| |\n<!-- towpath:end H4sIAAAA_-8 -->",
		"ends a comment --> and <!-- begins one\n\n\tafter a tab, \"quoted\" & <b>bold</b> \\n",
		long,
	} {
		b.ok(b.forge.Edit(b.Context(), p.Number, draft().Title, body))
		b.same("body", b.only().Body, body)
	}
	b.ok(b.forge.Edit(b.Context(), p.Number, draft().Title, "a\r\nb\r\n\r\nc"))
	b.same("body with other line ends", b.only().Body, "a\nb\n\nc")

	title := "Ünïcödé → 🚢 <b> `x` #1 @nobody"
	b.ok(b.forge.Edit(b.Context(), p.Number, title, "x"))
	b.same("title", b.only().Title, title)

	d := draft()
	d.Branch, d.Body = Prefix+"main/long", long
	b.same("proposed with it", b.propose(d).Body, long)
}

func aDraftStays(b *bench) {
	d := draft()
	d.Draft = true
	p := b.propose(d)
	b.same("draft", p.Draft, true)
	b.same("title", p.Title, d.Title)
	b.same("listed", b.only(), p)
	b.ok(b.forge.Edit(b.Context(), p.Number, "Another title", "Another body"))
	p.Title, p.Body = "Another title", "Another body"
	b.same("after the edit", b.only(), p)
	b.Await(p.Number, forge.Open)
	b.is(b.forge.Merge(b.Context(), p.Number, p.Head), forge.Refused)
}

func commentOnce(b *bench) {
	p := b.propose(draft())
	for i := range 3 {
		text := fmt.Sprintf("Try %d: this branch is yours now.", i)
		b.ok(b.forge.Comment(b.Context(), p.Number, "frozen-1234", text))
	}
	b.ok(b.Another().Comment(b.Context(), p.Number, "frozen-1234", "Try 4"))
	got := b.Comments(p.Number)
	if len(got) != 1 || !strings.Contains(got[0], "Try 0: this branch is yours now.") {
		b.Fatalf("the comments are %q, want the first", got)
	}
	// A key that another begins with is another key.
	b.ok(b.forge.Comment(b.Context(), p.Number, "frozen-12", "Second."))
	b.ok(b.forge.Comment(b.Context(), p.Number, "frozen-12345", "Third."))
	if got := b.Comments(p.Number); len(got) != 3 {
		b.Fatalf("the comments are %q, want three", got)
	}
}

func whoIsAsked(b *bench) {
	d := draft()
	d.Labels, d.Reviewers, d.Assignees = []string{"images", "team/1: prod"}, []string{b.Reviewer()}, []string{b.Reviewer()}
	p := b.propose(d)
	slices.Sort(p.Labels)
	b.same("labels", p.Labels, d.Labels)
	b.same("listed labels", slices.Sorted(slices.Values(b.only().Labels)), d.Labels)
	reviewers, assignees := b.Asked(p.Number)
	b.same("reviewers", reviewers, d.Reviewers)
	b.same("assignees", assignees, d.Assignees)
	// The labels are there now.
	d.Branch += "-2"
	p = b.propose(d)
	b.same("labels", slices.Sorted(slices.Values(p.Labels)), d.Labels)
}

func nobodyIsLeftOut(b *bench) {
	d := draft()
	d.Labels, d.Reviewers, d.Assignees = []string{"images"}, []string{b.Reviewer(), Nobody}, []string{Nobody, b.Reviewer()}
	b.Push(d.Branch)
	p, err := b.forge.Propose(b.Context(), d)
	b.is(err, forge.Partly)
	if e := (*forge.Error)(nil); !errors.As(err, &e) || !strings.Contains(e.What, Nobody) {
		b.Errorf("%v does not say who was left out", err)
	}
	if p.Number == 0 || p.Title != d.Title {
		b.Fatalf("the error comes with %+v, want the proposal", p)
	}
	b.same("labels", p.Labels, d.Labels)
	reviewers, assignees := b.Asked(p.Number)
	b.same("reviewers", reviewers, []string{b.Reviewer()})
	b.same("assignees", assignees, []string{b.Reviewer()})
	b.same("listed", b.only().Number, p.Number)
}

func whatIsNotThere(b *bench) {
	ctx := b.Context()
	b.is(b.forge.Edit(ctx, 4711, "x", "y"), forge.NotFound)
	b.is(b.forge.Comment(ctx, 4711, "key", "text"), forge.NotFound)
	b.is(b.forge.Close(ctx, 4711), forge.NotFound)
	b.is(b.forge.Merge(ctx, 4711, strings.Repeat("0", 40)), forge.NotFound)
}

func contextIsOver(b *bench) {
	b.Push(branch)
	ctx := over(b.Context())
	_, err := b.forge.List(ctx, Base, Prefix)
	if !errors.Is(err, ctx.Err()) {
		b.Errorf("list: %v, want the context's error", err)
	}
	if _, err := b.forge.Propose(ctx, draft()); !errors.Is(err, ctx.Err()) {
		b.Errorf("propose: %v, want the context's error", err)
	}
	b.same("listed", numbers(b.list()), []int{})
}
