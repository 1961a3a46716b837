package main

import (
	"context"

	"github.com/towpath/towpath/registry/integrated"
)

// rehearsing is the guide of a registry beside a daemon that writes nothing: nothing is taken that
// the next one would record, and nothing is deleted. Pulls go on.
type rehearsing struct{ integrated.Guide }

func (rehearsing) refusal() error {
	return &integrated.Refusal{What: "this is a dry run (towpath run --dry-run), which takes no pushes and deletes nothing", Fix: "come again when the daemon runs without --dry-run"}
}

func (g rehearsing) Admits(context.Context, string, string) error { return g.refusal() }

func (g rehearsing) Refresh(context.Context) error { return g.refusal() }

func (g rehearsing) Record(context.Context, string, string) (string, error) { return "", g.refusal() }

func (g rehearsing) Uses(context.Context, string, string) ([]integrated.Use, error) {
	return nil, g.refusal()
}
