package main

import (
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/towpath/towpath/imagestream"
	"github.com/towpath/towpath/reconcile"
	"github.com/towpath/towpath/web"
)

// statusOf is a pass as the page and the metrics show it.
func statusOf(rep reconcile.Report) web.Status {
	s := web.Status{
		LastPass: time.Now(), Took: rep.Took, Failed: rep.Err != nil, Ready: rep.Rev != "", Next: rep.Next, Rev: string(rep.Rev),
		Streams: rep.Streams, Tags: rep.Tags, Sites: rep.Sites,
		Problems: len(rep.Bad()), Failing: len(rep.Failing), Held: len(rep.Held), Deferred: len(rep.Deferred), BadConfig: rep.Invalid,
		Commits: map[string]int{}, Imports: map[string]int{}, HeldBy: map[string]int{},
	}
	for _, h := range rep.Held {
		s.HeldBy[string(h.By)]++
	}
	for _, c := range rep.Commits {
		s.Commits[string(c.Kind)]++
	}
	for _, a := range rep.Answers {
		if a.Err != nil {
			s.Imports[string(a.Err.Kind)]++
		}
		for _, r := range a.Results {
			if r.Err != nil {
				s.Imports[string(r.Err.Kind)]++
			} else {
				s.Imports["OK"]++
			}
		}
	}
	s.Forge = forgeWords(rep)
	return s
}

// A teller says what became of passes, with what only programs are told: when
// tags are asked. With very many tags that takes a while to put together; it is done
// after a pass that learned something, but takes a hundredth of the time at most.
type teller struct {
	r     *reconcile.Reconciler
	venue venue
	stale bool          // something was learned since
	made  time.Time     // when the schedule was
	took  time.Duration // how long that took
}

// pass is called where Passed is.
func (t *teller) pass(rep reconcile.Report) web.Status {
	s := statusOf(rep)
	s.Proposals = t.venue.proposals(rep)
	s.Arrivals, s.Registry = arrivalsOf(rep), registryWords(rep)
	rep.Unresolved = reviewsOf(s.Proposals).explained(t.r.Catalog(), rep.Unresolved)
	s.Report = linesOf(rep, s.Proposals)
	if rep.Err != nil {
		s.Error = rep.Err.Error()
	}
	if rep.Waits != nil {
		s.Waits = rep.Waits.Error()
	}
	for _, w := range rep.Settling {
		s.Settling = append(s.Settling, web.Settling{Tag: w.Tag.String(), From: w.From, Image: w.Image, Until: w.Until.UTC()})
	}
	s.HeldSites, s.DeferredSites = heldSites(rep.Held), deferredSites(rep.Deferred)
	t.stale = t.stale || !rep.Idle && !rep.Cut
	if now := time.Now(); t.stale && now.Sub(t.made) >= 100*t.took {
		schedule := t.r.Schedule()
		t.stale, t.made, t.took = false, now, time.Since(now)
		s.Schedule = scheduleOf(schedule, rep)
	}
	s.Writes = t.r.WritesAfter()
	return s
}

func stoppedSite(c reconcile.SiteChange, why string, until time.Time) web.Site {
	s := c.Site
	return web.Site{Path: s.Path, Line: s.Line, Site: s.ID.String(), Follows: s.Follows.String(), Current: s.Current(), Image: c.Writes(), Why: why, Until: until.UTC()}
}

func heldSites(held reconcile.Held) []web.Site {
	var out []web.Site
	for _, h := range held {
		s := stoppedSite(h.Change, string(h.Why), h.Until)
		s.Commit, s.Subject = string(h.By), h.About.Subject
		out = append(out, s)
	}
	return out
}

func deferredSites(ds []reconcile.Deferred) []web.Site {
	var out []web.Site
	for _, d := range ds {
		out = append(out, stoppedSite(d.Change, d.Why, d.Until))
	}
	return out
}

func scheduleOf(schedule reconcile.Schedule, rep reconcile.Report) web.Schedule {
	failures := map[imagestream.TagRef]*web.Failure{}
	for _, f := range rep.Failing {
		failures[f.Tag] = &web.Failure{Reason: string(f.Err.Kind), Message: f.Err.Message, Since: f.Since.UTC(), Retry: f.Retry.UTC()}
	}
	return func(streams ...string) iter.Seq[web.Tag] {
		var names []imagestream.Name
		for _, s := range streams {
			namespace, name, _ := strings.Cut(s, "/")
			names = append(names, imagestream.Name{Namespace: namespace, Name: name})
		}
		return func(yield func(web.Tag) bool) {
			for n := range schedule.Of(names...) {
				t := web.Tag{Tag: n.Tag.String(), Due: n.Due, Asked: n.Asked, Asking: n.Asking, Failure: failures[n.Tag]}
				if !yield(t) {
					return
				}
			}
		}
	}
}

func linesOf(rep reconcile.Report, ps []web.Proposal) []string {
	var lines []string
	if rep.Err != nil {
		lines = append(lines, "error: "+rep.Err.Error())
	}
	if rep.Waits != nil {
		lines = append(lines, "not written yet: "+rep.Waits.Error())
	}
	for _, line := range arrivalLines(arrivalsOf(rep), registryWords(rep)) {
		lines = append(lines, strings.Split(line, "\n")...)
	}
	lines = append(lines, forgeLines(forgeWords(rep), forgeFix(rep))...)
	for _, line := range proposalLines(ps) {
		lines = append(lines, strings.Split(line, "\n")...)
	}
	for _, p := range rep.Bad() {
		lines = append(lines, "problem: "+p.String())
	}
	for _, f := range rep.Failing {
		lines = append(lines, fmt.Sprintf("failing: %s: %s: %s", f.Tag, f.Err.Kind, f.Err.Message))
	}
	for _, w := range rep.Settling {
		lines = append(lines, "settling: "+settlingLine(w))
	}
	return slices.Concat(lines, heldLines(rep.Held), deferredLines(rep.Deferred), leftAloneLines(rep.Unresolved))
}
