package forgetest

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/towpath/towpath/forge"
)

// A bench is where a test of the suite works.
type bench struct {
	*testing.T
	World
	forge forge.Forge
}

// draft is what most tests propose.
func draft() forge.Draft {
	return forge.Draft{Branch: branch, Base: Base, Title: "team1/web:prod 1.4.2 → 1.4.3", Body: "A body.\n\nIn two paragraphs."}
}

// propose pushes a draft's branch and opens it.
func (b *bench) propose(d forge.Draft) forge.Proposal {
	b.Helper()
	b.Push(d.Branch)
	return b.open(d)
}

func (b *bench) open(d forge.Draft) forge.Proposal {
	b.Helper()
	p, err := b.forge.Propose(b.Context(), d)
	if err != nil {
		b.Fatalf("propose: %v", err)
	}
	return p
}

func (b *bench) list() []forge.Proposal {
	b.Helper()
	return b.listOf(b.forge, Base, Prefix)
}

func (b *bench) listOf(f forge.Forge, base, prefix string) []forge.Proposal {
	b.Helper()
	found, err := f.List(b.Context(), base, prefix)
	if err != nil {
		b.Fatalf("list: %v", err)
	}
	return found
}

func (b *bench) past() []forge.Proposal {
	b.Helper()
	found, err := b.forge.Past(b.Context(), Base, branch)
	if err != nil {
		b.Fatalf("past: %v", err)
	}
	return found
}

// only is the one proposal that is listed.
func (b *bench) only() forge.Proposal {
	b.Helper()
	found := b.list()
	if len(found) != 1 {
		b.Fatalf("listed are %v, want one", numbers(found))
	}
	return found[0]
}

func (b *bench) ok(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

// is checks the kind of an error, and that it says whose move it is.
func (b *bench) is(err error, kinds ...forge.Kind) {
	b.Helper()
	var e *forge.Error
	switch {
	case err == nil:
		b.Fatalf("no error, want one of %v", kinds)
	case !errors.As(err, &e):
		b.Fatalf("%v is no *forge.Error", err)
	case !slices.Contains(kinds, e.Kind):
		b.Fatalf("%v is %s, want one of %v", err, e.Kind, kinds)
	case e.Fix == "" || e.What == "" || e.Forge == "":
		b.Errorf("%#v does not say what happened where, and what to do", e)
	}
}

func (b *bench) same(what string, got, want any) {
	b.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		b.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func (b *bench) moved(err error) {
	b.Helper()
	if !errors.Is(err, forge.ErrMoved) {
		b.Fatalf("the error is %v, want ErrMoved", err)
	}
}

func numbers(ps []forge.Proposal) []int {
	all := []int{}
	for _, p := range ps {
		all = append(all, p.Number)
	}
	return all
}

// over is a context that is over.
func over(ctx context.Context) context.Context {
	ctx, cancel := context.WithCancel(ctx)
	cancel()
	return ctx
}
