package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/towpath/towpath/imagestream"
	"github.com/towpath/towpath/reconcile"
	"github.com/towpath/towpath/registry"
	"github.com/towpath/towpath/trigger"
	"github.com/towpath/towpath/web"
)

// printStreams prints a line a stream.
func (s *survey) printStreams(w io.Writer) {
	if len(s.cat.Streams) == 0 {
		fmt.Fprintln(w, "no image streams")
		return
	}
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	fmt.Fprintln(t, "NAME\tIMAGE REPOSITORY\tTAGS\tUPDATED\tSTATE\tDUE\tSITES")
	for _, stream := range s.cat.Streams {
		sum := s.sum(stream, s.of(stream.Name))
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%d\n", stream.Name, cmp.Or(printable(sum.repository), "-"), sum.newest(), ago(sum.updated, s.now), sum.state(), sum.due, sum.sites)
	}
	t.Flush()
	s.printFailures(w)
}

// sum is a stream in short.
type sum struct {
	stream                     *reconcile.Stream
	repository                 string
	tags                       []reconcile.TagView // the last that moved first
	updated                    time.Time
	waiting, failing, unusable int
	reviewed                   int // of those that wait, for their review alone
	sites                      int
	due                        string
}

func (s *survey) sum(stream *reconcile.Stream, tags []reconcile.TagView) sum {
	out := sum{stream: stream, repository: repositoryOf(stream, tags), tags: slices.Clone(tags)}
	slices.SortStableFunc(out.tags, func(a, b reconcile.TagView) int { return createdOf(b).Compare(createdOf(a)) })
	if len(tags) > 0 {
		out.updated = createdOf(out.tags[0])
	}
	for _, v := range tags {
		out.sites += len(v.Sites)
		if v.State == reconcile.Waiting {
			out.waiting++
		}
		if s.reviewed(v) {
			out.reviewed++
		}
		if v.State == reconcile.Unusable {
			out.unusable++
		}
		if s.failure(v) != nil {
			out.failing++
		}
	}
	out.due = s.soonest(tags)
	return out
}

// repositoryOf is where a stream's images are: what its status says, or spec, or
// its images where they are all in one place.
func repositoryOf(stream *reconcile.Stream, tags []reconcile.TagView) string {
	if known := cmp.Or(stream.Status.Repository, stream.Spec.Repository); known != "" {
		return known
	}
	found := ""
	for _, v := range tags {
		if v.Item == nil {
			continue
		}
		name := registry.Repository(v.Item.Reference)
		if found != "" && name != found {
			return "several"
		}
		found = name
	}
	return found
}

func createdOf(v reconcile.TagView) time.Time {
	if v.Item == nil {
		return time.Time{}
	}
	return v.Item.Created
}

// newest names the three tags that moved last.
func (s sum) newest() string {
	if len(s.tags) == 0 {
		return "-"
	}
	var names []string
	for _, v := range s.tags[:min(len(s.tags), 3)] {
		names = append(names, v.Tag.Tag)
	}
	line := strings.Join(names, ",")
	if more := len(s.tags) - len(names); more > 0 {
		line += fmt.Sprintf(" and %d more", more)
	}
	return line
}

// state says what is not as it should be, or what all tags are.
func (s sum) state() string {
	switch {
	case s.stream.Malformed:
		return string(reconcile.Malformed)
	case s.stream.Settings.Paused:
		return string(reconcile.Paused)
	}
	var parts []string
	for _, p := range []struct {
		n    int
		what string
	}{{s.waiting - s.reviewed, "waiting"}, {s.reviewed, "in review"}, {s.failing, "failing"}, {s.unusable, "unusable"}} {
		if p.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", p.n, p.what))
		}
	}
	switch {
	case len(parts) > 0:
		return strings.Join(parts, ", ")
	case len(s.tags) == 0:
		return "no tags"
	case slices.ContainsFunc(s.tags, func(v reconcile.TagView) bool { return v.State == reconcile.OnRecord }):
		return string(reconcile.OnRecord)
	}
	return string(s.tags[0].State)
}

// soonest is when the first of the tags is asked.
func (s *survey) soonest(tags []reconcile.TagView) string {
	order := []rule{ruleNow, ruleInterval, ruleRetry, ruleFollow, rulePush, ruleNever, rulePaused}
	best := due{rule: ruleNever}
	for i, v := range tags {
		d := s.due(v)
		known, better := !d.at.IsZero(), false
		switch {
		case i == 0 || d.asking:
			better = true
		case best.asking || known != !best.at.IsZero():
			better = known && !best.asking
		case known:
			better = d.at.Before(best.at)
		case d.rule == best.rule:
			better = d.interval < best.interval
		default:
			better = slices.Index(order, d.rule) < slices.Index(order, best.rule)
		}
		if better {
			best = d
		}
	}
	return best.text(s.now)
}

// printTags prints a line a tag and, where sites are wanted, a line for each below it.
func (s *survey) printTags(w io.Writer, sites bool) {
	if len(s.tags) == 0 {
		fmt.Fprintln(w, "no tags")
		return
	}
	lines := strings.SplitAfter(s.table(), "\n")
	fmt.Fprint(w, lines[0])
	for i, v := range s.tags {
		fmt.Fprint(w, lines[i+1])
		for _, site := range v.Sites {
			if sites {
				fmt.Fprintf(w, "  %s\n", s.siteLine(site))
			}
		}
	}
	s.printFailures(w)
}

// table is a heading, and a line a tag.
func (s *survey) table() string {
	var b strings.Builder
	t := tabwriter.NewWriter(&b, 0, 4, 2, ' ', 0)
	fmt.Fprintln(t, "NAME\tIMAGE REFERENCE\tUPDATED\tSTATE\tDUE\tSITES")
	for _, v := range s.tags {
		reference := "-"
		if v.Item != nil {
			reference = shortReference(v.Item.Reference)
		}
		state := s.stateOf(v)
		if f := s.failure(v); f != nil {
			state += ", " + printable(f.Reason)
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%d\n", v.Tag, reference, ago(createdOf(v), s.now), state, s.due(v).text(s.now), len(v.Sites))
	}
	t.Flush()
	return b.String()
}

// printFailures prints a line for each tag that fails, and each repository.
func (s *survey) printFailures(w io.Writer) {
	for _, v := range s.tags {
		if f := s.failure(v); f != nil {
			fmt.Fprintf(w, "failing: %s: %s\n", v.Tag, s.failureLine(v, f))
		}
	}
	for _, stream := range s.cat.Streams {
		if f := s.unlisted(stream.Name); f != nil {
			fmt.Fprintf(w, "failing: the tags of %s: %s\n", stream.Name, s.metLine(f))
		}
	}
}

func (s *survey) failureLine(v reconcile.TagView, f *failureJSON) string {
	if u := s.unrecorded(v); u != nil {
		return s.metLine(u)
	}
	return fmt.Sprintf("for %s: %s: %s", lasting(max(s.now.Sub(f.Since), 0)), printable(f.Reason), printable(f.Message))
}

// metLine is a failure that the daemon met.
func (s *survey) metLine(f *web.Failure) string {
	line := fmt.Sprintf("for %s: %s: %s (says the daemon", lasting(max(s.now.Sub(f.Since), 0)), printable(f.Reason), printable(f.Message))
	if f.Retry.After(s.now) {
		line += ", which tries again " + ago(f.Retry, s.now)
	}
	return line + ")"
}

// siteLine is a site, what it holds, how, since when, and why it is not what the tag is.
func (s *survey) siteLine(site *reconcile.Site) string {
	line := fmt.Sprintf("%s:%d: %s: %s, %s", printable(site.Path), site.Line, printable(site.ID.String()), cmp.Or(shortReference(strings.TrimSpace(site.Current())), "-"), formWords(site))
	if since, ok := s.since[site]; ok {
		line += ", " + sinceLine(since, s.now)
	}
	if standing := s.standing(site); standing != "" {
		line += " (" + standing + ")"
	}
	return line
}

// formWords is how a site says what it follows, and what it holds of the image.
func formWords(site *reconcile.Site) string {
	words := site.Form
	var parts []string
	for _, p := range site.Places {
		if p.Part != trigger.Ref && !slices.Contains(parts, string(p.Part)) {
			parts = append(parts, string(p.Part))
		}
	}
	if len(parts) > 0 {
		words += " of " + strings.Join(parts, " and ")
	}
	if site.Wish != "" {
		words += " as " + string(site.Wish)
	}
	return words
}

// standing is why a site is not what its tag is, empty where it is, or will be at once.
func (s *survey) standing(site *reconcile.Site) string {
	if site.Paused {
		return "paused"
	}
	return s.standings[site]
}

// standingsOf says of the sites that do not move why.
func standingsOf(rep reconcile.Report) map[*reconcile.Site]string {
	says := map[*reconcile.Site]string{}
	for _, h := range rep.Held {
		says[h.Change.Site] = "held: " + string(h.Why)
		if h.By != "" {
			says[h.Change.Site] += " by " + commitWords(h.By, h.About)
		}
	}
	for _, d := range rep.Deferred {
		says[d.Change.Site] = "deferred" + tillWords(d.Until) + ": " + printable(d.Why)
	}
	for _, u := range rep.Unresolved {
		says[u.Site] = "left alone: " + printable(u.Why)
	}
	return says
}

// printRest prints what no tag of its own shows: the sites that are held or left
// alone, unless each stands below its tag, what stops everything, and the daemon.
func (s *survey) printRest(w io.Writer, listed bool) {
	tags := map[imagestream.TagRef]bool{} // that are shown
	for _, v := range s.tags {
		tags[v.Tag] = true
	}
	hidden := func(site *reconcile.Site) bool {
		return listed && tags[site.Follows] || len(s.named) > 0 && !tags[site.Follows]
	}
	lines := heldLines(slices.DeleteFunc(slices.Clone(s.rep.Held), func(h reconcile.Hold) bool { return hidden(h.Change.Site) }))
	if slices.ContainsFunc(s.rep.Held, func(h reconcile.Hold) bool { return tags[h.Change.Site.Follows] }) {
		lines = append(lines, "  towpath follow --resume PATH moves a site that is held")
	}
	lines = append(lines, deferredLines(slices.DeleteFunc(slices.Clone(s.rep.Deferred), func(d reconcile.Deferred) bool { return hidden(d.Change.Site) }))...)
	lines = append(lines, leftAloneLines(slices.DeleteFunc(slices.Clone(s.rep.Unresolved), func(u reconcile.Unresolved) bool { return hidden(u.Site) }))...)
	ps := s.proposals
	if len(s.named) > 0 {
		ps = shown(ps, tags)
	}
	for _, line := range slices.Concat(lines, arrivalLines(s.pushed()), proposalLines(ps)) {
		fmt.Fprintln(w, line)
	}
	for _, line := range forgeLines(s.forgeWords(), s.forgeFix()) {
		fmt.Fprintln(w, line)
	}
	if s.rep.Paused {
		fmt.Fprintf(w, "paused: %s says so; nothing is asked or written\n", reconcile.ConfigPath)
	}
	if s.rep.Invalid {
		fmt.Fprintf(w, "paused: nothing is written anywhere until %s is right\n", reconcile.ConfigPath)
	}
	if s.told != nil {
		fmt.Fprintln(w, s.told.line(s.now))
	}
}

// shortReference is a reference with its digest as people compare it.
func shortReference(reference string) string {
	name, digest, ok := strings.Cut(reference, "@")
	if !ok {
		return printable(reference)
	}
	return printable(name + "@" + shortDigest(digest))
}
