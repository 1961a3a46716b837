package forgetest

import "github.com/towpath/towpath/forge"

func merge(b *bench) {
	p := b.propose(draft())
	old := p.Head
	head := b.Push(branch)
	b.Await(p.Number, forge.Open)
	b.moved(b.forge.Merge(b.Context(), p.Number, old))
	b.same("listed", b.only().Number, p.Number)
	b.Await(p.Number, forge.Open)
	b.ok(b.forge.Merge(b.Context(), p.Number, head))
	b.Await(p.Number, forge.Merged)
	b.same("listed", numbers(b.list()), []int{})
	if past := b.past(); len(past) != 1 || past[0].State != forge.Merged || past[0].Head != head {
		b.Errorf("past are %+v, want one that is merged at %s", past, head)
	}
}

// mergeAgainstARule finds out that the forge says no until its rule is met.
//
// fault: X-11
func mergeAgainstARule(b *bench) {
	b.Require("ci/build")
	p := b.propose(draft())
	b.Await(p.Number, forge.Open)
	b.is(b.forge.Merge(b.Context(), p.Number, p.Head), forge.Refused)
	b.Check(p.Head, "ci/build", forge.Red)
	b.is(b.forge.Merge(b.Context(), p.Number, p.Head), forge.Refused)
	b.same("listed", b.only().Number, p.Number)
	b.Check(p.Head, "ci/build", forge.Green)
	b.ok(b.forge.Merge(b.Context(), p.Number, p.Head))
	b.Await(p.Number, forge.Merged)
}

// mergeByItself leaves it to the forge, whose rule is met later.
//
// fault: X-11
func mergeByItself(b *bench) {
	b.Require("ci/build")
	p := b.propose(draft())
	old := p.Head
	head := b.Push(branch)
	b.Check(head, "ci/build", forge.Pending)
	b.Await(p.Number, forge.Open)
	b.moved(b.forge.AutoMerge(b.Context(), p.Number, old))
	for range 2 {
		b.ok(b.forge.AutoMerge(b.Context(), p.Number, head))
	}
	b.same("listed", b.only().Number, p.Number)
	b.Check(head, "ci/build", forge.Green)
	b.Await(p.Number, forge.Merged)
	b.same("listed", numbers(b.list()), []int{})
}
