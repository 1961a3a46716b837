package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/towpath/towpath/gitstore"
	"github.com/towpath/towpath/reconcile"
)

// narrator tells the log what passes did, and says what lasts only when it
// begins and when it ends.
type narrator struct {
	log  *slog.Logger
	said map[string]bool // in the last pass
	told map[string]bool // ever
	// catalog, if set, is what the last pass read.
	catalog func() *reconcile.Catalog
	// stopped are the sites that were held or deferred in the last pass.
	stopped map[stopKey]stop
	venue   venue // of proposals
}

func (n *narrator) pass(rep reconcile.Report) {
	for _, c := range rep.Commits {
		n.log.Info("committed", "rev", c.Rev.Short(), "kind", c.Kind, "files", c.Files, "subject", c.Subject)
	}
	if rep.Idle {
		return
	}
	now := map[string]bool{}
	tell := func(level slog.Level, key, msg string, args ...any) {
		key = msg + "\x00" + key
		if now[key] = true; !n.said[key] {
			n.log.Log(context.Background(), level, msg, args...)
		}
	}
	if rep.Cut {
		tell(slog.LevelWarn, rep.Err.Error(), "the pass broke off", withFix(fixOf(rep.Err), "err", rep.Err)...)
	}
	if rep.Waits != nil && !errors.Is(rep.Waits, gitstore.ErrMoved) { // a lost race is planned again at once
		tell(slog.LevelWarn, rep.Waits.Error(), "not written", withFix(fixOf(rep.Waits), "err", rep.Waits)...)
	}
	for _, a := range rep.Answers {
		if a.LeftOut > 0 {
			n.once(a.Target.String(), "tags of the repository left out by tags-cap", "stream", a.Target, "left-out", a.LeftOut, "tags-cap", a.Cap)
		}
	}
	if rep.Invalid {
		tell(slog.LevelWarn, "", "nothing is written until .towpath.yaml is right")
	}
	if rep.Paused {
		tell(slog.LevelInfo, "", "paused: .towpath.yaml says so; nothing is asked or written")
	}
	for _, p := range rep.Problems {
		level := slog.LevelWarn
		if p.Note {
			level = slog.LevelInfo
		}
		tell(level, p.String(), "problem", withFix(p.Fix, "at", fmt.Sprintf("%s:%d:%d", p.Path, p.Line, p.Col), "what", p.What)...)
	}
	fixes := fixesOf(rep)
	for _, f := range rep.Failing {
		tell(slog.LevelWarn, f.Tag.String()+string(f.Err.Kind), "import fails", "tag", f.Tag, "reason", f.Err.Kind, "err", f.Err, "fix", fixes.of(f))
	}
	for _, w := range rep.Settling {
		tell(slog.LevelInfo, w.Tag.String()+w.Image, "settling: recorded if it stands unchanged", "tag", w.Tag, "from", w.From, "image", w.Image, "until", w.Until.UTC())
	}
	n.arrivals(rep, tell)
	n.proposals(rep, tell)
	n.stops(rep)
	for _, u := range rep.Unresolved {
		tell(slog.LevelInfo, u.Site.Path+u.Site.ID.String()+u.Why, "site left alone", "path", u.Site.Path, "site", u.Site.ID, "why", u.Why)
	}
	n.said = now
}

// proposals says what was done about them, and which do not get on, and why.
func (n *narrator) proposals(rep reconcile.Report, tell func(level slog.Level, key, msg string, args ...any)) {
	if rep.ForgeErr != nil {
		msg := "left out of a proposal"
		if forgeAway(rep) != nil {
			msg = "the forge cannot be asked about proposals"
		}
		tell(slog.LevelWarn, rep.ForgeErr.Error(), msg, withFix(fixOf(rep.ForgeErr), "err", rep.ForgeErr)...)
	}
	for _, p := range rep.Proposals {
		args := []any{"branch", p.Branch, "title", p.Title}
		if p.Number != 0 {
			args = append(args, "number", p.Number)
		}
		if page := n.venue.page(p); page != "" {
			args = append(args, "url", page)
		}
		if p.Why != "" {
			args = append(args, "why", p.Why)
		}
		if p.Did != "" {
			fix := n.venue.unopened(p)
			if !isStuck(p.State) { // else it is told below
				fix = cmp.Or(fix, p.Fix)
			}
			n.log.Info("proposal "+p.Did, withFix(fix, args...)...)
		}
		if isStuck(p.State) {
			level := slog.LevelInfo
			if p.State == reconcile.Turned {
				level = slog.LevelWarn
			}
			tell(level, p.Branch+"\x00"+p.Why, "proposal "+string(p.State), withFix(p.Fix, args...)...)
		}
	}
}

// withFix are arguments of the log with the next step, where one is known.
func withFix(fix string, args ...any) []any {
	if fix == "" {
		return args
	}
	return append(args, "fix", fix)
}

// once says what is worth one line in the life of the process.
func (n *narrator) once(key, msg string, args ...any) {
	if key = msg + "\x00once\x00" + key; !n.told[key] {
		n.told[key] = true
		n.log.Info(msg, args...)
	}
}
