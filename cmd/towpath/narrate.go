package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"

	"github.com/towpath/towpath/gitstore"
	"github.com/towpath/towpath/reconcile"
)

// narrator tells the log what passes did, and says what lasts only when it
// begins and when it ends.
type narrator struct {
	log  *slog.Logger
	said map[string]bool // in the last pass
	told map[string]bool // ever
	// stopped are the sites that were held or deferred in the last pass, by what was said.
	stopped map[string]*reconcile.Site
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
		tell(slog.LevelWarn, rep.Err.Error(), "the pass broke off", "err", rep.Err, "fix", fixOf(rep.Err))
	}
	if rep.Waits != nil && !errors.Is(rep.Waits, gitstore.ErrMoved) { // a lost race is planned again at once
		tell(slog.LevelWarn, rep.Waits.Error(), "not written", "err", rep.Waits, "fix", fixOf(rep.Waits))
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
		tell(level, p.String(), "problem", "at", fmt.Sprintf("%s:%d:%d", p.Path, p.Line, p.Col), "what", p.What, "fix", p.Fix)
	}
	fixes := fixesOf(rep)
	for _, f := range rep.Failing {
		tell(slog.LevelWarn, f.Tag.String()+string(f.Err.Kind), "import fails", "tag", f.Tag, "reason", f.Err.Kind, "err", f.Err, "fix", fixes.of(f))
	}
	for _, w := range rep.Settling {
		tell(slog.LevelInfo, w.Tag.String()+w.Image, "settling: recorded if it stands unchanged", "tag", w.Tag, "from", w.From, "image", w.Image, "until", w.Until.UTC())
	}
	stopped := map[string]*reconcile.Site{}
	for _, h := range rep.Held {
		stopped[siteHeld+n.held(h, tell)] = h.Change.Site
	}
	for _, d := range rep.Deferred {
		stopped[siteDeferred+n.deferred(d, tell)] = d.Change.Site
	}
	for _, u := range rep.Unresolved {
		tell(slog.LevelInfo, u.Site.Path+u.Site.ID.String()+u.Why, "site left alone", "path", u.Site.Path, "site", u.Site.ID, "why", u.Why)
	}
	n.ended(stopped)
	n.said, n.stopped = now, stopped
}

// Kinds of sites that do not move.
const (
	siteHeld     = "held\x00"
	siteDeferred = "deferred\x00"
)

// A tell says what lasts, under a key that is what it is about.
type tell func(level slog.Level, key, msg string, args ...any)

// held says that a site is left alone, and returns what it is about.
func (n *narrator) held(h reconcile.Hold, say tell) string {
	site := h.Change.Site
	key := fmt.Sprintf("%s\x00%s\x00%s\x00%s", site.Path, site.ID, h.Why, h.Change.Writes())
	args := []any{"path", site.Path, "site", site.ID, "tag", site.Follows, "image", h.Change.Writes()}
	msg := "held: a person took this image back"
	switch h.Why {
	case reconcile.LeftOut:
		msg = "held: a commit moved others of the tag, and left this site out"
	case reconcile.Changed:
		msg = "held: a person changed this site after its tag had come to this image"
	case reconcile.FlipFlop:
		msg = "held: this site got the same image three times within a day"
	case reconcile.TooLong:
		msg = "held: the history is too long, or cut off, to tell whether a person took this image back"
	}
	if h.By != "" {
		args = append(args, "commit", h.By.Short(), "subject", h.About.Subject)
	}
	if !h.Until.IsZero() {
		args = append(args, "until", h.Until.UTC())
	}
	say(slog.LevelInfo, key, msg, args...)
	return key
}

// deferred says that a site moves later, and returns what it is about.
func (n *narrator) deferred(d reconcile.Deferred, say tell) string {
	site := d.Change.Site
	key := fmt.Sprintf("%s\x00%s\x00%s", site.Path, site.ID, d.Change.Writes())
	args := []any{"path", site.Path, "site", site.ID, "tag", site.Follows, "image", d.Change.Writes(), "why", d.Why}
	if !d.Until.IsZero() {
		args = append(args, "until", d.Until.UTC())
	}
	say(slog.LevelInfo, key, "deferred: this site moves later", args...)
	return key
}

// ended says of sites that they are held, or deferred, no longer.
func (n *narrator) ended(now map[string]*reconcile.Site) {
	for _, key := range slices.Sorted(maps.Keys(n.stopped)) {
		if site := n.stopped[key]; now[key] == nil {
			kind, _, _ := strings.Cut(key, "\x00")
			n.log.Info("no longer "+kind, "path", site.Path, "site", site.ID, "tag", site.Follows)
		}
	}
}

// once says what is worth one line in the life of the process.
func (n *narrator) once(key, msg string, args ...any) {
	if key = msg + "\x00once\x00" + key; !n.told[key] {
		n.told[key] = true
		n.log.Info(msg, args...)
	}
}
