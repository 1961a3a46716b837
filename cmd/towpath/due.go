package main

import (
	"time"

	"github.com/towpath/towpath/imagestream"
	"github.com/towpath/towpath/reconcile"
)

// A rule says when a tag is asked again, as far as Git tells.
type rule string

const (
	ruleNow      rule = "now"      // what is wanted is not on record
	ruleInterval rule = "interval" // it is scheduled
	ruleRetry    rule = "retry"    // its last import failed, and it is not scheduled
	ruleFollow   rule = "follow"   // it moves with another tag
	rulePush     rule = "push"     // it moves when somebody pushes it
	ruleNever    rule = "never"    // it is on record and not scheduled, or nobody can be asked
	rulePaused   rule = "paused"   // the repository's config says so, or is wrong
)

// due is when a tag is asked next.
type due struct {
	rule      rule
	interval  time.Duration // of the rule interval
	at, asked time.Time     // that the daemon knows; zero where it was not asked, or there is none
	asking    bool          // right now, says the daemon
}

func (s *survey) due(v reconcile.TagView) due {
	d := due{rule: s.rule(v)}
	if d.rule == ruleInterval {
		d.interval = v.Interval
	}
	if tag, ok := s.told.of(v); ok && d.rule != ruleFollow {
		d.at, d.asked, d.asking = tag.Due, tag.Asked, tag.Asking
	}
	return d
}

func (s *survey) rule(v reconcile.TagView) rule {
	switch {
	case s.rep.Invalid || v.State == reconcile.Paused:
		return rulePaused
	case v.State == reconcile.Malformed || v.State == reconcile.Unusable:
		return ruleNever
	case v.Spec != nil && v.Spec.From.Kind == imagestream.ImageStreamTag:
		return ruleFollow
	case v.State == reconcile.FromPush:
		return rulePush
	case v.State == reconcile.NotAsked || v.State == reconcile.StatusOnly:
		return ruleNever
	case s.reviewed(v) && v.Failure == nil && v.Scheduled:
		return ruleInterval
	case s.reviewed(v) && v.Failure == nil:
		return ruleNever
	case v.State == reconcile.Waiting && v.Failure == nil:
		return ruleNow
	case v.State == reconcile.Waiting || v.Failure != nil && !v.Scheduled:
		return ruleRetry
	case v.Scheduled:
		return ruleInterval
	}
	return ruleNever
}

// text is a word or two, for a table.
func (d due) text(now time.Time) string {
	switch {
	case d.asking:
		return "being asked"
	case !d.at.IsZero() && !d.at.After(now):
		return "now"
	case !d.at.IsZero():
		return ago(d.at, now)
	}
	switch d.rule {
	case ruleInterval:
		return "every " + span(d.interval)
	case ruleRetry:
		return "on retry"
	case ruleFollow:
		return "with its tag"
	case rulePush:
		return "when pushed"
	}
	return string(d.rule)
}

// sentence is text for people who look at one tag.
func (d due) sentence(v reconcile.TagView, now time.Time) string {
	what := d.sayRule(v)
	switch known := d.asking || !d.at.IsZero(); {
	case known && d.rule == ruleInterval:
		what += "; next: " + d.text(now)
	case known:
		what = d.text(now) // whatever the rule, the daemon does it
	}
	if !d.asked.IsZero() {
		what += "; last asked " + ago(d.asked, now)
	}
	return what
}

func (d due) sayRule(v reconcile.TagView) string {
	switch d.rule {
	case ruleNow:
		return "now"
	case ruleInterval:
		return "every " + span(d.interval)
	case ruleRetry:
		return "again and again, ever more rarely, until it works"
	case ruleFollow:
		return "never: it moves with the tag that it follows"
	case rulePaused:
		return "not while the repository's config says paused, or is wrong"
	}
	return "never: " + whyNever(v)
}

func whyNever(v reconcile.TagView) string {
	switch {
	case v.State == reconcile.Malformed:
		return "the stream's status cannot be read"
	case v.State == reconcile.Unusable:
		return "what spec says of it has a problem"
	case v.State == reconcile.StatusOnly:
		return "spec does not name it"
	case v.State == reconcile.FromPush:
		return "it moves when somebody pushes it"
	case v.State == reconcile.NotAsked:
		return "spec names no registry for it"
	case v.Spec != nil && v.Spec.Reference:
		return "a reference is taken as it is written"
	case v.Spec != nil && v.Spec.From.Kind == imagestream.ImageStreamImage:
		return "it is one image of another stream, and stays"
	}
	if v.State == reconcile.Waiting {
		return "its image is in review, and it is not scheduled"
	}
	return "it is on record, and not scheduled"
}

// span is a duration without the units that are zero: 15m, 1h30m.
func span(d time.Duration) string {
	text := d.String()
	for _, zero := range []string{"m0s", "h0m"} {
		if n := len(text) - len(zero); n > 0 && text[n:] == zero {
			text = text[:n+1]
		}
	}
	return text
}

// ago is a time as people say it: 3 minutes ago, in 2 hours.
func ago(t, now time.Time) string {
	switch d := now.Sub(t); {
	case t.IsZero():
		return "-"
	case d < 0:
		return "in " + lasting(-d)
	default:
		return lasting(d) + " ago"
	}
}

// lasting is a duration as people say it, in the largest unit of which it is two;
// only minutes may be one.
func lasting(d time.Duration) string {
	const day = 24 * time.Hour
	units := []struct {
		size time.Duration
		from time.Duration
		name string
	}{
		{365 * day, 2 * 365 * day, "year"}, {30 * day, 60 * day, "month"}, {7 * day, 14 * day, "week"}, {day, 2 * day, "day"},
		{time.Hour, 2 * time.Hour, "hour"}, {time.Minute, time.Minute, "minute"},
	}
	for _, u := range units {
		if d >= u.from {
			return count(int(d/u.size), u.name)
		}
	}
	return "less than a minute"
}
