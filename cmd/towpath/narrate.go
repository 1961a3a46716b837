package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/towpath/towpath/reconcile"
)

// narrator tells the log what passes did, and says what lasts only when it
// begins and when it ends.
type narrator struct {
	log  *slog.Logger
	said map[string]bool
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
	if rep.Err != nil {
		tell(slog.LevelWarn, rep.Err.Error(), "not written", "err", rep.Err, "fix", fixOf(rep.Err))
	}
	for _, p := range rep.Problems {
		level := slog.LevelWarn
		if p.Note {
			level = slog.LevelInfo
		}
		tell(level, p.String(), "problem", "at", fmt.Sprintf("%s:%d:%d", p.Path, p.Line, p.Col), "what", p.What, "fix", p.Fix)
	}
	for _, f := range rep.Failing {
		tell(slog.LevelWarn, f.Tag.String()+string(f.Err.Kind), "import fails", "tag", f.Tag, "reason", f.Err.Kind, "err", f.Err)
	}
	for _, h := range rep.Held {
		tell(slog.LevelInfo, h.Change.Site.Path+h.Change.Site.ID.String()+h.Change.Image, "held: a person took this image back",
			"path", h.Change.Site.Path, "site", h.Change.Site.ID, "tag", h.Change.Site.Follows, "image", h.Change.Image, "commit", h.By.Short())
	}
	for _, u := range rep.Unresolved {
		tell(slog.LevelInfo, u.Site.Path+u.Site.ID.String()+u.Why, "site left alone", "path", u.Site.Path, "site", u.Site.ID, "why", u.Why)
	}
	n.said = now
}

// printFailing prints a line for each tag that could not be imported.
func printFailing(w io.Writer, failing []reconcile.Failing) {
	for _, f := range failing {
		fmt.Fprintf(w, "%s: %s: %s\n", f.Tag, f.Err.Kind, messageOf(f))
	}
}

func messageOf(f reconcile.Failing) string {
	msg := f.Err.Ref + ": " + f.Err.Message
	if cause := errors.Unwrap(f.Err); cause != nil {
		msg += " (" + cause.Error() + ")"
	}
	return msg
}
