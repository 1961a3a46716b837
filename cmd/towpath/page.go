package main

import (
	"fmt"
	"time"

	"github.com/towpath/towpath/reconcile"
	"github.com/towpath/towpath/web"
)

// statusOf is a pass as the page and the metrics show it.
func statusOf(rep reconcile.Report) web.Status {
	s := web.Status{
		LastPass: time.Now(), Took: rep.Took, Failed: rep.Err != nil, Ready: rep.Rev != "", Next: rep.Next, Rev: string(rep.Rev),
		Streams: rep.Streams, Tags: rep.Tags, Sites: rep.Sites,
		Problems: len(rep.Bad()), Failing: len(rep.Failing), Held: len(rep.Held), BadConfig: rep.Invalid,
		Commits: map[string]int{}, Imports: map[string]int{},
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
	s.Report = linesOf(rep)
	return s
}

func linesOf(rep reconcile.Report) []string {
	var lines []string
	if rep.Err != nil {
		lines = append(lines, "error: "+rep.Err.Error())
	}
	if rep.Waits != nil {
		lines = append(lines, "not written yet: "+rep.Waits.Error())
	}
	for _, p := range rep.Bad() {
		lines = append(lines, "problem: "+p.String())
	}
	for _, f := range rep.Failing {
		lines = append(lines, fmt.Sprintf("failing: %s: %s: %s", f.Tag, f.Err.Kind, f.Err.Message))
	}
	for _, h := range rep.Held {
		lines = append(lines, "held: "+heldLine(h))
	}
	for _, u := range rep.Unresolved {
		lines = append(lines, fmt.Sprintf("left alone: %s: %s: %s", u.Site.Path, u.Site.ID, u.Why))
	}
	return lines
}
