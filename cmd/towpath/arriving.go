package main

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"github.com/towpath/towpath/imagestream"
	"github.com/towpath/towpath/reconcile"
	"github.com/towpath/towpath/web"
)

// arrivalsOf are the pushes of a report that are not on record yet.
func arrivalsOf(rep reconcile.Report) []web.Arrival {
	var all []web.Arrival
	for _, w := range rep.Arrivals {
		tag := imagestream.TagRef{Stream: imagestream.Name{Namespace: w.Namespace, Name: w.Name}, Tag: w.Tag}
		all = append(all, web.Arrival{Tag: tag.String(), Image: w.Digest, At: w.At.UTC(), Why: w.Why, Fix: w.Fix})
	}
	return all
}

// registryWords is why what was pushed cannot be read; empty where it can.
func registryWords(rep reconcile.Report) string {
	if rep.ArrivalsErr == nil {
		return ""
	}
	return rep.ArrivalsErr.Error()
}

// arrivalLine is a push that waits, and why.
func arrivalLine(w web.Arrival) string {
	return fmt.Sprintf("%s (%s) is not on record: %s", printable(w.Tag), shortDigest(printable(w.Image)), printable(w.Why))
}

// arrivalLines are a line, or two, for a push that waits, a few for each reason.
func arrivalLines(all []web.Arrival, unread string) []string {
	lines := few(all, func(w web.Arrival) string { return w.Why + w.Fix }, func(w web.Arrival) string {
		line := "pushed: " + arrivalLine(w)
		if w.Fix != "" {
			line += "\n  fix: " + printable(w.Fix)
		}
		return line
	}, func(n string, w web.Arrival) string {
		return fmt.Sprintf("pushed: and %s more: %s", n, printable(w.Why))
	})
	if unread != "" {
		lines = append(lines, "what was pushed cannot be read: "+printable(unread), "  fix: see that the storage of the registry can be read and written")
	}
	return lines
}

// arrivals says which pushes wait, and why.
func (n *narrator) arrivals(rep reconcile.Report, tell func(level slog.Level, key, msg string, args ...any)) {
	for _, w := range arrivalsOf(rep) {
		level := slog.LevelInfo
		if w.Fix != "" {
			level = slog.LevelWarn
		}
		tell(level, w.Tag+w.Image+w.Why, "a push is not on record", withFix(w.Fix, "tag", w.Tag, "image", w.Image, "why", w.Why)...)
	}
	for _, d := range rep.Dropped { // the client heard that all is well: it is told once that it is not
		tag := imagestream.TagRef{Stream: imagestream.Name{Namespace: d.Namespace, Name: d.Name}, Tag: d.Tag}.String()
		tell(slog.LevelWarn, "dropped "+tag+d.Digest+d.At.String(), "a push was let go of: it does not go on record", withFix(d.Fix, "tag", tag, "image", d.Digest, "why", d.Why)...)
	}
	if why := registryWords(rep); why != "" {
		tell(slog.LevelWarn, why, "what was pushed cannot be read", "err", why, "fix", "see that the storage of the registry can be read and written")
	}
}

// pushed are the pushes that the daemon says wait: those to the streams that are named, or all.
func (s *survey) pushed() (all []web.Arrival, unread string) {
	if s.told == nil || !s.told.current {
		return nil, ""
	}
	if len(s.named) == 0 {
		return s.told.Arrivals, s.told.Registry
	}
	named := map[string]bool{}
	for _, n := range s.named {
		named[n.stream.Name.String()] = true
	}
	return slices.DeleteFunc(slices.Clone(s.told.Arrivals), func(w web.Arrival) bool {
		stream, _, _ := strings.Cut(w.Tag, ":")
		return !named[stream]
	}), s.told.Registry
}
