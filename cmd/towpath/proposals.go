package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/towpath/towpath/forge"
	"github.com/towpath/towpath/imagestream"
	"github.com/towpath/towpath/reconcile"
	"github.com/towpath/towpath/web"
)

// Proposals, in the words of people and of programs.

// page is where people look at a proposal or, where there is none yet, open it;
// empty where that is not known.
func (v venue) page(p reconcile.Reviewed) string {
	if p.URL == "" && p.State == reconcile.Pushed {
		return v.Propose(v.base, p.Branch)
	}
	return p.URL
}

// proposals are those of a report.
func (v venue) proposals(rep reconcile.Report) []web.Proposal {
	var out []web.Proposal
	for _, p := range rep.Proposals {
		w := web.Proposal{
			Branch: p.Branch, Number: p.Number, URL: v.page(p), Title: p.Title, State: string(p.State), Why: p.Why, Fix: p.Fix, Since: p.Since.UTC(), Tags: []web.Image{},
		}
		if p.State == reconcile.Pushed && forgeAway(rep) != nil { // one may be open, or closed
			w.URL, w.Why = "", cmp.Or(w.Why, unknown)
		}
		for _, m := range p.Moves {
			if m.Site != "" {
				w.Sites++
			}
			if i := (web.Image{Tag: m.Tag.String(), Image: m.Image}); !slices.Contains(w.Tags, i) {
				w.Tags = append(w.Tags, i)
			}
		}
		out = append(out, w)
	}
	return out
}

// unknown is why a branch is all that is known of a proposal.
const unknown = "whether a proposal of it is open only the forge knows, and it cannot be asked"

// forgeWords is why the forge cannot be asked; empty where it can. While Git is away nobody asks it, and what was
// said before that is old.
func forgeWords(rep reconcile.Report) string {
	if err := forgeAway(rep); err != nil && !rep.Cut {
		return err.Error()
	}
	return ""
}

// forgeFix is what to do about it.
func forgeFix(rep reconcile.Report) string {
	if forgeWords(rep) == "" {
		return ""
	}
	return cmp.Or(fixOf(rep.ForgeErr), "see whether the forge is up; it is asked again")
}

// forgeLines say that the forge cannot be asked, and what to do; none where it can.
func forgeLines(why, fix string) []string {
	if why == "" {
		return nil
	}
	lines := []string{"the forge cannot be asked about proposals: " + printable(why)}
	if fix != "" {
		lines = append(lines, "  fix: "+printable(fix))
	}
	return lines
}

// forgeAway is the forge's failure, if it is one: what it could only do in part, it did.
func forgeAway(rep reconcile.Report) error {
	if e := (*forge.Error)(nil); errors.As(rep.ForgeErr, &e) && e.Kind == forge.Partly {
		return nil
	}
	return rep.ForgeErr
}

// called is a proposal as people call it: #12, at GitLab !12, else its branch.
func called(number int, url, branch string) string {
	switch {
	case number == 0:
		return "branch " + printable(branch)
	case strings.Contains(url, "/-/merge_requests/"):
		return fmt.Sprintf("!%d", number)
	}
	return fmt.Sprintf("#%d", number)
}

// did is what a pass did about a proposal, in a line; empty where it did nothing.
//
//	opened #12 team1/web:prod 1.4.2 → 1.4.3 (3 sites) https://…
//	opened #12 team1/web:prod 1.4.2 → 1.4.3 (3 sites): no reviewer carol https://…
//	closed #12 team1/web:prod 1.4.2 → 1.4.3 (3 sites): the tag moved back https://…
//	rejected #12 team1/web:prod 1.4.2 → 1.4.3 (3 sites): somebody closed it https://…
//	pushed branch towpath/main/web-1f2e: team1/web:prod …; open a pull request: https://…
func (v venue) did(p reconcile.Reviewed) string {
	if p.Did == "" {
		return ""
	}
	page := printable(v.page(p))
	line := printable(p.Did) + " " + called(p.Number, p.URL, p.Branch)
	if p.Number == 0 {
		line += ":"
	}
	line += " " + printable(p.Title)
	switch {
	case p.State == reconcile.Pushed && page != "":
		return line + "; open a pull request: " + page
	case p.State == reconcile.Pushed:
		return line + "; open a pull request of that branch"
	}
	if p.Why != "" {
		line += ": " + printable(p.Why)
	}
	if page != "" {
		line += " " + page
	}
	return line
}

// proposalLine is how a proposal stands.
func proposalLine(p web.Proposal) string {
	line := called(p.Number, p.URL, p.Branch) + " is " + printable(p.State)
	if p.Title != "" {
		line += ": " + printable(p.Title)
	}
	if p.Why != "" {
		line += ": " + printable(p.Why)
	}
	if p.URL != "" {
		line += " " + printable(p.URL)
	}
	return line
}

// proposalLines are a line for each proposal, and below it the next step where somebody
// has to take one.
func proposalLines(ps []web.Proposal) []string {
	return few(ps, func(p web.Proposal) string { return p.State + p.Why }, func(p web.Proposal) string {
		line := "proposal: " + proposalLine(p)
		if p.Fix != "" {
			line += "\n  fix: " + printable(p.Fix)
		}
		return line
	}, func(n string, p web.Proposal) string {
		return fmt.Sprintf("proposal: and %s more %s%s", n, printable(p.State), because(p.Why))
	})
}

func because(why string) string {
	if why == "" {
		return ""
	}
	return ": " + printable(why)
}

// reviewed are the proposals that status shows: what the branches say or, where a daemon
// stands at this commit, what it knows of them.
func (v venue) reviewed(rep reconcile.Report, t *told) []web.Proposal {
	if t != nil && t.current && len(t.Proposals) > 0 {
		return t.Proposals
	}
	return v.proposals(rep)
}

// forgeWords is why the forge cannot be asked: here, or by the daemon.
func (s *survey) forgeWords() string {
	if t := s.told; t != nil && t.current && t.Forge != "" {
		return t.Forge
	}
	return forgeWords(s.rep)
}

// forgeFix is what to do about it, where that was met here.
func (s *survey) forgeFix() string {
	if s.forgeWords() != forgeWords(s.rep) {
		return ""
	}
	return forgeFix(s.rep)
}

// shown are the proposals that bring one of the tags.
func shown(ps []web.Proposal, tags map[imagestream.TagRef]bool) []web.Proposal {
	names := map[string]bool{}
	for t := range tags {
		names[t.String()] = true
	}
	return slices.DeleteFunc(slices.Clone(ps), func(p web.Proposal) bool {
		return !slices.ContainsFunc(p.Tags, func(i web.Image) bool { return names[i.Tag] })
	})
}

// printDid says what was done about proposals, a line for each.
func (a *app) printDid(w io.Writer, rep reconcile.Report) {
	fix := ""
	for _, p := range rep.Proposals {
		if line := a.venue.did(p); line != "" {
			fmt.Fprintln(w, line)
			fix = cmp.Or(fix, a.venue.unopened(p))
			if p.Fix != "" && !isStuck(p.State) {
				fmt.Fprintln(w, "  fix: "+printable(p.Fix))
			}
		}
	}
	if fix != "" {
		fmt.Fprintln(w, "  fix: "+fix)
	}
}

// printStuck says which proposals do not get on, and what to do about it.
func (a *app) printStuck(w io.Writer, rep reconcile.Report) {
	rep.Proposals = slices.DeleteFunc(slices.Clone(rep.Proposals), func(p reconcile.Reviewed) bool { return !isStuck(p.State) || p.Due })
	stuck := a.venue.proposals(rep)
	for _, line := range proposalLines(stuck) {
		fmt.Fprintln(w, line)
	}
	if e := (*forge.Error)(nil); errors.As(rep.ForgeErr, &e) && e.Kind == forge.Partly {
		fmt.Fprintf(w, "left out of a proposal: %s\n  fix: %s\n", printable(e.What), printable(cmp.Or(e.Fix, "correct the names in .towpath.yaml")))
	}
}

func isStuck(s reconcile.ReviewState) bool {
	return s == reconcile.InLine || s == reconcile.Frozen || s == reconcile.Turned
}

// refused reports whether a proposal needs somebody who is no reviewer.
func refused(rep reconcile.Report) bool {
	return slices.ContainsFunc(rep.Proposals, func(p reconcile.Reviewed) bool { return p.State == reconcile.Turned })
}
