package main

import (
	"fmt"
	"time"

	"github.com/towpath/towpath/gitstore"
	"github.com/towpath/towpath/reconcile"
)

// What became of sites, in sentences. Text of strangers in them is printable.

// whyLine is why a site is rewritten.
func whyLine(c reconcile.SiteChange) string {
	return siteName(c.Site) + ": " + whyMoves(c)
}

// whyMoves is what a site follows, and what that is.
func whyMoves(c reconcile.SiteChange) string {
	image := c.Source
	if image == "" {
		image, _ = c.Image.Reference("digest")
	}
	when := " now"
	if !c.Moved && !c.Since.IsZero() {
		when = " since " + stamp(c.Since)
	}
	return fmt.Sprintf("follows %s, which is %s%s", c.Site.Follows, printable(image), when)
}

// siteName is where a site is, and what it is.
func siteName(s *reconcile.Site) string {
	return fmt.Sprintf("%s:%d %s", printable(s.Path), s.Line, printable(s.ID.String()))
}

// placeOf is where a site stands, as editors open it.
func placeOf(s *reconcile.Site) string { return fmt.Sprintf("%s:%d", printable(s.Path), s.Line) }

// heldLine is a site that is left alone, for a person's sake.
func heldLine(h reconcile.Hold) string {
	site := h.Change.Site
	return fmt.Sprintf("%s: %s follows %s, but %s", placeOf(site), printable(site.ID.String()), site.Follows, heldWhy(h))
}

// heldWhy is what a site has against the image that its tag is.
func heldWhy(h reconcile.Hold) string {
	image := printable(h.Change.Writes())
	switch h.Why {
	case reconcile.LeftOut:
		return fmt.Sprintf("%s moved others to %s, and left this one out; it stays until the tag moves", commitWords(h.By, h.About), image)
	case reconcile.FlipFlop:
		return fmt.Sprintf("was given %s three times within a day%s; it stays%s", image, lastTaken(h), untilWords(h.Until))
	case reconcile.Changed:
		return fmt.Sprintf("%s changed it after its tag had come to %s; it stays until the tag moves", commitWords(h.By, h.About), image)
	case reconcile.Declined:
		return fmt.Sprintf("the proposal to move it to %s was declined%s; it stays until the tag moves, or until towpath follow --resume", image, byPage(h.URL))
	case reconcile.TooLong:
		return fmt.Sprintf("the history is too long, or cut off, to tell whether a person took %s back; raise hold-depth, or decide it with towpath follow --resume", image)
	}
	return fmt.Sprintf("%s took %s back; it stays until the tag moves", commitWords(h.By, h.About), image)
}

// byPage names the proposal that was declined, where its page is known.
func byPage(url string) string {
	if url == "" {
		return ""
	}
	return " (" + printable(url) + ")"
}

// lastTaken names the commit that took an image away last, where it is known.
func lastTaken(h reconcile.Hold) string {
	if h.By == "" {
		return ""
	}
	return ", and lost it last by " + commitWords(h.By, h.About)
}

func untilWords(until time.Time) string {
	if until.IsZero() {
		return " until the tag moves"
	}
	return " until " + stamp(until) + ", or until the tag moves"
}

func commitWords(by gitstore.Rev, about gitstore.About) string {
	return fmt.Sprintf("commit %s (%s)", by.Short(), printable(about.Subject))
}

// deferredLine is a site that moves later.
func deferredLine(d reconcile.Deferred) string {
	site := d.Change.Site
	return fmt.Sprintf("%s: %s: %s waits%s: %s", placeOf(site), printable(site.ID.String()), printable(d.Change.Writes()), tillWords(d.Until), printable(d.Why))
}

func tillWords(until time.Time) string {
	if until.IsZero() {
		return ""
	}
	return " until " + stamp(until)
}

func leftAloneLine(u reconcile.Unresolved) string {
	return fmt.Sprintf("%s: %s: %s", placeOf(u.Site), printable(u.Site.ID.String()), printable(u.Why))
}

// sinceLine is the commit that gave a site what it holds.
func sinceLine(s reconcile.Since, now time.Time) string {
	if s.By == "" {
		return "since before the history that is at hand"
	}
	return fmt.Sprintf("since %s, %s", commitWords(s.By, s.About), ago(s.About.When, now))
}

// stamp is a time for people who compare it with others.
func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
