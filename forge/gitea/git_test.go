package gitea

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/towpath/towpath/forge"
	"github.com/towpath/towpath/forge/forgetest"
	"github.com/towpath/towpath/gitstore"
	"github.com/towpath/towpath/gitstore/gogit"
)

const ours = forgetest.Prefix + "main/web-1234"

// store is towpath's own way to the repository, by Git.
func (w *world) store() gitstore.Store {
	w.t.Helper()
	s, err := gogit.Open(w.t.Context(), gogit.Options{
		Repo: w.URL + "/" + owner + "/" + w.repo + ".git", Username: "bot",
		Token: func(context.Context) (string, error) { return w.bot.Token, nil },
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		if err := s.Close(); err != nil {
			w.t.Error(err)
		}
	})
	return s
}

func (w *world) snapshot(s gitstore.Store, branch string) gitstore.Snapshot {
	w.t.Helper()
	snap, err := s.Snapshot(w.t.Context(), branch)
	if err != nil {
		w.t.Fatal(err)
	}
	return snap
}

func change(content string) gitstore.Commit {
	when := time.Date(2026, 5, 1, 10, 0, 0, 0, time.UTC)
	return gitstore.Commit{
		Message: "streams: record team1/web:prod", Author: gitstore.Person{Name: "towpath", Email: "towpath@example.test"}, When: when,
		Edits: []gitstore.Edit{{Path: "streams/web.yaml", Content: []byte(content)}},
	}
}

// protectedBranch pushes where the forge denies it, and proposes instead.
//
// fault: G-05
func protectedBranch(t *testing.T, w *world) {
	ctx := t.Context()
	w.ask(w.owner, "POST", "/branch_protections", map[string]any{"rule_name": forgetest.Base, "enable_push": false}, nil)
	s := w.store()
	base := w.snapshot(s, forgetest.Base)
	_, err := s.Push(ctx, forgetest.Base, base, change("a: 1\n"))
	if e := (*gitstore.Error)(nil); !errors.As(err, &e) || e.Kind != gitstore.Denied || e.Fix == "" {
		t.Fatalf("the push to a protected branch: %v, want it denied", err)
	}
	if now := w.snapshot(s, forgetest.Base); now.Rev() != base.Rev() {
		t.Fatalf("the branch is at %s, want %s", now.Rev(), base.Rev())
	}

	tip, err := s.Replace(ctx, ours, "", base, change("a: 1\n"))
	if err != nil {
		t.Fatal(err)
	}
	p, err := w.forge.Propose(ctx, forge.Draft{Branch: ours, Base: forgetest.Base, Title: "Record", Body: "Body."})
	if err != nil {
		t.Fatal(err)
	}
	if p.Head != string(tip.Rev()) {
		t.Errorf("the proposal is at %s, want %s", p.Head, tip.Rev())
	}
	next, err := s.Replace(ctx, ours, tip.Rev(), base, change("a: 2\n"))
	if err != nil {
		t.Fatal(err)
	}
	w.tips[owner+"/"+w.repo+":"+ours] = string(next.Rev())
	w.Await(p.Number, forge.Open)
	open, err := w.forge.List(ctx, forgetest.Base, forgetest.Prefix)
	if err != nil || len(open) != 1 || open[0].Number != p.Number || open[0].Head != string(next.Rev()) {
		t.Errorf("listed are %+v (%v), want number %d at %s", open, err, p.Number, next.Rev())
	}
}

// goneMeanwhile updates a branch that the forge deleted after a merge.
//
// fault: F-05
func goneMeanwhile(t *testing.T, w *world) {
	ctx := t.Context()
	s := w.store()
	base := w.snapshot(s, forgetest.Base)
	tip, err := s.Replace(ctx, ours, "", base, change("a: 1\n"))
	if err != nil {
		t.Fatal(err)
	}
	p, err := w.forge.Propose(ctx, forge.Draft{Branch: ours, Base: forgetest.Base, Title: "Record", Body: "Body."})
	if err != nil {
		t.Fatal(err)
	}
	w.tips[owner+"/"+w.repo+":"+ours] = string(tip.Rev())
	w.Await(p.Number, forge.Open)
	w.ask(w.owner, "POST", "/pulls/1/merge", map[string]any{"Do": "squash", "delete_branch_after_merge": true}, nil)
	w.Await(p.Number, forge.Merged)

	if _, err = s.Replace(ctx, ours, tip.Rev(), base, change("a: 2\n")); !errors.Is(err, gitstore.ErrMoved) {
		t.Errorf("the update of a deleted branch: %v, want ErrMoved", err)
	}
	if left, err := s.Branches(ctx, forgetest.Prefix); err != nil || len(left) != 0 {
		t.Errorf("there are the branches %v (%v), want none", left, err)
	}
	past, err := w.forge.Past(ctx, forgetest.Base, ours)
	if err != nil || len(past) != 1 || past[0].State != forge.Merged || past[0].Branch != ours || past[0].Head != string(tip.Rev()) {
		t.Errorf("past are %+v (%v), want one that is merged", past, err)
	}
}

// life is a proposal's: kept fresh, merged under another commit id, a person's from their commit on, and closed.
//
// fault: F-03, F-04, F-08, F-13
func life(t *testing.T, w *world) {
	ctx := t.Context()
	s := w.store()
	base := w.snapshot(s, forgetest.Base)
	replace := func(old gitstore.Rev, content string) gitstore.Rev {
		t.Helper()
		tip, err := s.Replace(ctx, ours, old, base, change(content))
		if err != nil {
			t.Fatal(err)
		}
		w.tips[owner+"/"+w.repo+":"+ours] = string(tip.Rev())
		return tip.Rev()
	}
	propose := func(number int) {
		t.Helper()
		p, err := w.forge.Propose(ctx, forge.Draft{Branch: ours, Base: forgetest.Base, Title: "Record", Body: "Body."})
		if err != nil || p.Number != number {
			t.Fatalf("proposed is %+v (%v), want number %d", p, err, number)
		}
	}
	open := func(number int, head string) {
		t.Helper()
		w.Await(number, forge.Open)
		found, err := w.forge.List(ctx, forgetest.Base, forgetest.Prefix)
		if err != nil || len(found) != 1 || found[0].Number != number || found[0].Head != head {
			t.Fatalf("open are %+v (%v), want number %d at %s", found, err, number, head)
		}
	}
	past := func(number int, state forge.State, head string) {
		t.Helper()
		found, err := w.forge.Past(ctx, forgetest.Base, ours)
		if err != nil || len(found) != number || found[0].Number != number || found[0].State != state || found[0].Head != head {
			t.Fatalf("past are %+v (%v), want number %d %s at %s", found, err, number, state, head)
		}
	}

	tip := replace("", "a: 1\n")
	propose(1)
	open(1, string(tip))
	tip = replace(tip, "a: 2\n") // a newer image: the same one
	open(1, string(tip))

	w.Merge(1, "squash")
	past(1, forge.Merged, string(tip))
	merged := w.snapshot(s, forgetest.Base)
	changed, err := merged.Changes(ctx, base)
	if err != nil || len(changed) != 1 || changed[0].Path != "streams/web.yaml" || merged.Rev() == tip {
		t.Fatalf("merged at %s is %+v (%v), want what the branch holds, under another id", merged.Rev(), changed, err)
	}
	if text, err := merged.Read(ctx, changed[0].New.Blob); err != nil || string(text) != "a: 2\n" {
		t.Fatalf("merged is %q (%v)", text, err)
	}

	base = merged
	tip = replace(tip, "a: 3\n")
	propose(2)
	open(2, string(tip))
	persons := w.Push(ours)
	open(2, persons)
	if _, err := s.Replace(ctx, ours, tip, base, change("a: 4\n")); !errors.Is(err, gitstore.ErrMoved) {
		t.Fatalf("a person's branch is replaced: %v, want ErrMoved", err)
	}
	open(2, persons)

	w.Close(2)
	w.Await(2, forge.Closed)
	past(2, forge.Closed, persons)
	w.DeleteBranch(ours)
	tip = replace("", "a: 4\n") // a newer image asks anew
	propose(3)
	open(3, string(tip))
}
