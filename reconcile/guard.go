package reconcile

import (
	"fmt"
	"slices"
	"time"

	"github.com/towpath/towpath/imagestream"
	"github.com/towpath/towpath/window"
)

// Guard parts changes into those that are made now and those that the guard rails of
// .towpath.yaml keep for later:
//
//	the image has been known for   the site's windows   the change is made
//	less than min-age              -                    when it has
//	min-age or longer              closed               when one opens
//	min-age or longer              one is open, none    now
//
// An image has been known since it went on record, and was as old then as its tag's policy
// asked for.
func Guard(changes []SiteChange, now time.Time) (made []SiteChange, later []Deferred) {
	windows := schedules{}
	for _, c := range changes {
		settings := c.Site.Settings
		if old := c.Since.Add(settings.MinAge - c.Aged); settings.MinAge > c.Aged && now.Before(old) {
			later = append(later, Deferred{c, fmt.Sprintf("its image must have been known for %s", short24(settings.MinAge)), old})
			continue
		}
		if open, opens := windows.open(settings.Windows, now); !open {
			later = append(later, Deferred{c, "its window is closed", opens})
			continue
		}
		made = append(made, c)
	}
	return whole(made, later)
}

// schedules are what lists of windows say at one time: many sites have the same.
type schedules map[*window.Window]schedule

type schedule struct {
	count   int
	open    bool
	changes time.Time
}

func (s schedules) open(windows []window.Window, now time.Time) (bool, time.Time) {
	if len(windows) == 0 {
		return true, time.Time{}
	}
	known, ok := s[&windows[0]]
	if !ok || known.count != len(windows) {
		known.count = len(windows)
		known.open, known.changes = window.Open(windows, now)
		s[&windows[0]] = known
	}
	return known.open, known.changes
}

// whole keeps the changes of objects that start whole until all of them can be made.
func whole(made []SiteChange, later []Deferred) ([]SiteChange, []Deferred) {
	waits := map[unit]time.Time{}
	for _, d := range later {
		if s := d.Change.Site; s.Together != "" && !s.Written {
			u := unit{s.Path, s.Together}
			if at, ok := waits[u]; !ok || d.Until.After(at) {
				waits[u] = d.Until
			}
		}
	}
	made = slices.DeleteFunc(made, func(c SiteChange) bool {
		until, ok := waits[unit{c.Site.Path, c.Site.Together}]
		if ok {
			later = append(later, Deferred{c, fmt.Sprintf("a %s starts whole, and another of its images waits", c.Site.ID.Kind), until})
		}
		return ok
	})
	return made, later
}

// short24 is a duration as people write it: 72h, 15m.
func short24(d time.Duration) string {
	switch {
	case d%time.Hour == 0:
		return fmt.Sprintf("%dh", d/time.Hour)
	case d%time.Minute == 0:
		return fmt.Sprintf("%dm", d/time.Minute)
	}
	return d.String()
}

// aged is how old an image was, at the least, when it went on record for a tag.
func (r *Recorded) aged(tag imagestream.TagRef) time.Duration {
	tag = r.origin(tag)
	s := r.cat.Stream(tag.Stream)
	if s == nil {
		return 0
	}
	t := s.specTag(tag.Tag)
	if t == nil || t.Policy == nil {
		return 0
	}
	return t.Policy.WithMinAge(s.Settings.MinAge).MinAge()
}

// earliest is the first of some times, of which zero is never.
func earliest(times ...time.Time) (first time.Time) {
	for _, t := range times {
		if first.IsZero() || !t.IsZero() && t.Before(first) {
			first = t
		}
	}
	return first
}
