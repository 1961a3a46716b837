package memory_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/towpath/towpath/forge"
	"github.com/towpath/towpath/forge/memory"
)

var web = forge.Draft{Branch: "towpath/web", Base: "main", Title: "A title", Body: "A\nbody", Labels: []string{"images"}}

func propose(t *testing.T, f *memory.Forge, d forge.Draft) forge.Proposal {
	t.Helper()
	p, err := f.Propose(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestHook has every operation that changes something fail before and after it took effect.
func TestHook(t *testing.T) {
	lost := errors.New("the answer was lost")
	type act struct {
		op   string
		do   func(*testing.T, *memory.Forge) error
		took func(*memory.Forge) bool
	}
	for _, a := range []act{
		{memory.OpPropose, func(t *testing.T, f *memory.Forge) error {
			_, err := f.Propose(t.Context(), forge.Draft{Branch: "other", Base: "main"})
			return err
		}, func(f *memory.Forge) bool { return len(f.All()) == 2 }},
		{memory.OpEdit, func(t *testing.T, f *memory.Forge) error { return f.Edit(t.Context(), 1, "New", "") },
			func(f *memory.Forge) bool { return f.All()[0].Title == "New" }},
		{memory.OpComment, func(t *testing.T, f *memory.Forge) error { return f.Comment(t.Context(), 1, "key", "text") },
			func(f *memory.Forge) bool { return len(f.Comments(1)) == 1 }},
		{memory.OpClose, func(t *testing.T, f *memory.Forge) error { return f.Close(t.Context(), 1) },
			func(f *memory.Forge) bool { return f.All()[0].State == forge.Closed }},
		{memory.OpMerge, func(t *testing.T, f *memory.Forge) error { return f.Merge(t.Context(), 1, "") },
			func(f *memory.Forge) bool { return f.All()[0].State == forge.Merged }},
		{memory.OpAutoMerge, func(t *testing.T, f *memory.Forge) error { return f.AutoMerge(t.Context(), 1, "") },
			func(f *memory.Forge) bool { return f.All()[0].State == forge.Merged }},
	} {
		for _, apply := range []bool{false, true} {
			f := memory.New()
			propose(t, f, web)
			f.Hook = func(op string) (bool, error) {
				if op != a.op {
					t.Errorf("asked about %s, want %s", op, a.op)
				}
				return apply, lost
			}
			if err := a.do(t, f); err != lost {
				t.Errorf("%s: %v, want what the hook said", a.op, err)
			}
			if took := a.took(f); took != apply {
				t.Errorf("%s took effect: %v, want %v", a.op, took, apply)
			}
		}
	}
}

// TestReadsFail has reads say nothing where they fail.
func TestReadsFail(t *testing.T) {
	f := memory.New()
	propose(t, f, web)
	f.Hook = func(string) (bool, error) { return true, errors.New("down") }
	if found, err := f.List(t.Context(), "main", ""); err == nil || found != nil {
		t.Errorf("list: %v, %v", found, err)
	}
	if found, err := f.Past(t.Context(), "main", web.Branch); err == nil || found != nil {
		t.Errorf("past: %v, %v", found, err)
	}
	if checks, err := f.Checks(t.Context(), "x"); err == nil || checks != "" {
		t.Errorf("checks: %v, %v", checks, err)
	}
}

// TestMergeMovesGit asks the test to move Git, and keeps a proposal open where that fails.
func TestMergeMovesGit(t *testing.T) {
	f := memory.New()
	head, refuse := "head-1", errors.New("a hook refused it")
	f.Heads = func(branch string) string { return head }
	p := propose(t, f, web)
	f.OnMerge = func(forge.Proposal) error { return refuse }
	if err := f.Merge(t.Context(), p.Number, head); err != refuse {
		t.Fatalf("merge: %v, want what the test said", err)
	}
	var moved []forge.Proposal
	f.OnMerge = func(p forge.Proposal) error { moved = append(moved, p); head = ""; return nil }
	if err := f.Merge(t.Context(), p.Number, "head-1"); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]forge.Proposal{p}, moved); diff != "" {
		t.Errorf("merged (-want +got):\n%s", diff)
	}
	// Its branch went with it, and it is merged all the same.
	if past, err := f.Past(t.Context(), "main", web.Branch); err != nil || len(past) != 1 || past[0].State != forge.Merged || past[0].Head != "head-1" {
		t.Errorf("past: %+v, %v", past, err)
	}
}

// TestAutoMergeWaits merges when the checks of the head that was meant are good, and not for another head.
func TestAutoMergeWaits(t *testing.T) {
	f := memory.New()
	head := "head-1"
	f.Heads = func(string) string { return head }
	p := propose(t, f, web)
	f.SetChecks("head-1", forge.Pending)
	if err := f.AutoMerge(t.Context(), p.Number, "head-1"); err != nil {
		t.Fatal(err)
	}
	if !f.Scheduled(p.Number) {
		t.Error("it does not wait")
	}
	head = "head-2"
	f.SetChecks("head-1", forge.Green)
	if got := f.All()[0]; got.State != forge.Open || f.Scheduled(p.Number) {
		t.Errorf("it was merged, or waits, with another head: %+v", got)
	}
	head = "head-1"
	f.SetChecks("head-1", forge.Green)
	if got := f.All()[0]; got.State != forge.Merged {
		t.Errorf("it is %s, want merged", got.State)
	}
}

// TestCopies gives nobody what belongs to the forge.
func TestCopies(t *testing.T) {
	f := memory.New()
	p := propose(t, f, web)
	p.Labels[0] = "forged"
	f.All()[0].Labels[0] = "forged"
	if got := f.All()[0].Labels[0]; got != "images" {
		t.Errorf("the label is %s, want images", got)
	}
}

// TestBubble dates what ends by the test's clock.
func TestBubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := memory.New()
		f.Now = time.Now
		p := propose(t, f, web)
		time.Sleep(time.Hour)
		if err := f.Close(t.Context(), p.Number); err != nil {
			t.Fatal(err)
		}
		if got := f.All()[0].Ended; !got.Equal(time.Now()) {
			t.Errorf("it ended at %v, want %v", got, time.Now())
		}
	})
}
