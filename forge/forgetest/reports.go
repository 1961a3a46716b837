package forgetest

import (
	"errors"
	"strings"

	"github.com/towpath/towpath/forge"
)

// aStatusIsACheck holds what can give commits a status to its contract: each replaces what the
// same context said before, and nothing but the whole id of a commit is taken.
func aStatusIsACheck(b *bench) {
	f, ok := b.forge.(forge.Reporter)
	if !ok {
		b.Skip("it gives commits no status")
	}
	head := b.Push(branch)
	say := func(state forge.Checks, want forge.Checks) {
		b.Helper()
		s := forge.CommitStatus{Context: "towpath", State: state, Description: strings.Repeat("ä", forge.MostDescription), URL: "https://docs.example/towpath"}
		b.ok(f.SetStatus(b.Context(), head, s))
		got, err := b.forge.Checks(b.Context(), head)
		b.ok(err)
		b.same("checks after "+string(state), got, want)
	}
	say(forge.Pending, forge.Pending)
	say(forge.Pending, forge.Pending)
	say(forge.Red, forge.Red)
	say(forge.Green, forge.Green)
	say(forge.Green, forge.Green)
	say(forge.Red, forge.Red)
	b.Check(head, "ci/build", forge.Green)
	say(forge.Green, forge.Green)
	b.Check(head, "ci/build", forge.Red)
	say(forge.Green, forge.Red)
	s := forge.CommitStatus{Context: "towpath", State: forge.Green}
	for _, rev := range []string{"", branch, head[:12]} {
		b.is(f.SetStatus(b.Context(), rev, s), forge.Refused)
	}
	b.is(f.SetStatus(b.Context(), strings.Repeat("1", 40), s), forge.NotFound, forge.Refused)
	ctx := over(b.Context())
	if err := f.SetStatus(ctx, head, s); !errors.Is(err, ctx.Err()) {
		b.Errorf("set status: %v, want the context's error", err)
	}
}
