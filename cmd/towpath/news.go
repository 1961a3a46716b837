package main

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/towpath/towpath/forge"
	"github.com/towpath/towpath/gitstore"
	"github.com/towpath/towpath/imagestream"
	"github.com/towpath/towpath/notify"
	"github.com/towpath/towpath/reconcile"
)

// eventsOf is what happened between two passes, as others are told it. What lasts is news when it
// begins: the first report, whose was is zero, has none of that, or every restart would tell it
// all. What Git has is told of the commit that has it, and so once in its life:
//
//	a status commit landed      images that moved, imports that fail, or work again
//	a trigger commit landed     sites that followed
//	a proposal was acted on     opened, closed by towpath, rejected by people
//	a proposal was merged       that, and what of it the branch now has
//	a site came to be held      that
//	an import came to fail that no commit tells of, long enough     that, and when it is over
func eventsOf(was, is reconcile.Report, cat *reconcile.Catalog) []notify.Event {
	if is.Idle {
		return nil
	}
	n := news{at: is.At, cat: cat}
	n.landed(is)
	if is.Cut { // the rest is an older pass's
		return n.all
	}
	n.proposals(was, is)
	if was.Rev != "" && !is.Paused && !is.Invalid {
		n.unrecorded(was, is)
		n.held(was, is)
	}
	return n.all
}

// news are collected.
type news struct {
	at  time.Time
	cat *reconcile.Catalog
	all []notify.Event
}

func (n *news) tell(d notify.Data, namespaces ...string) {
	slices.Sort(namespaces)
	n.all = append(n.all, notify.New(n.at, d, slices.Compact(namespaces)...))
}

// landed is what commits have: in the same order, what was planned. Of several passes some may have
// planned what did not land.
func (n *news) landed(is reconcile.Report) {
	planned := is.Planned
	for _, c := range is.Commits {
		i := slices.IndexFunc(planned, func(w reconcile.Write) bool { return w.Kind == c.Kind && w.Subject() == c.Subject })
		if i < 0 {
			continue
		}
		w := planned[i]
		planned = planned[i+1:]
		for _, s := range w.Streams {
			for _, e := range s.Events {
				n.recorded(s.Stream, e, string(c.Rev))
			}
		}
		for _, s := range w.Sites {
			n.tell(notify.SiteFollowed{
				Path: s.Site.Path, Line: s.Site.Line, Site: s.Site.ID.String(), Tag: s.Site.Follows.String(), Image: s.Writes(), Previous: s.Site.Current(), Commit: string(c.Rev),
			}, namespacesOf(s.Site)...)
		}
	}
}

// recorded is what an event changes in what a stream had on record.
func (n *news) recorded(s *reconcile.Stream, e imagestream.Event, commit string) {
	tag := imagestream.TagRef{Stream: s.Name, Tag: e.Tag}
	var before imagestream.TagStatus
	if st := s.Status.Tag(e.Tag); st != nil {
		before = *st
	}
	var had imagestream.Item
	if len(before.Items) > 0 {
		had = before.Items[0]
	}
	if e.Failure != nil {
		n.tell(notify.ImportFailing{Tag: tag.String(), Reason: e.Failure.Reason, Message: e.Failure.Message, Commit: commit}, s.Name.Namespace)
	}
	if e.Item != nil && (e.Item.Image != had.Image || e.Item.Reference != had.Reference) {
		d := notify.ImageRecorded{
			Stream: s.Name.String(), Tag: tag.String(), Image: e.Item.Image, Previous: had.Image, Reference: e.Item.Reference, Commit: commit,
		}
		if e.Source != nil {
			d.Source = e.Source.From
		}
		n.tell(d, s.Name.Namespace)
	}
	if before.Failure != nil && e.Failure == nil && (e.Clear || e.Item != nil) {
		n.tell(notify.ImportRecovered{Tag: tag.String(), Reason: before.Failure.Reason, Commit: commit}, s.Name.Namespace)
	}
}

func namespacesOf(s *reconcile.Site) []string {
	all := []string{s.Follows.Stream.Namespace}
	if s.ID.Namespace != "" {
		all = append(all, s.ID.Namespace)
	}
	return all
}

// proposals is what became of proposals.
func (n *news) proposals(was, is reconcile.Report) {
	for _, p := range is.Proposals {
		state := ""
		switch {
		case p.Did == "":
		case p.Did == "opened", p.Did == "pushed" && !pushedBefore(was, p.Branch):
			state = "opened"
		case p.State == reconcile.Merged:
			state = "merged"
		case p.State == reconcile.Rejected:
			state = "rejected"
		case p.State == reconcile.Withdrawn:
			state = "closed"
		}
		if state == "" {
			continue
		}
		d := notify.ProposalNews{State: state, Number: p.Number, URL: p.URL, Branch: p.Branch, Title: p.Title, Why: p.Why, Tags: []notify.Tagged{}}
		var namespaces []string
		for _, m := range p.Moves {
			if m.Site != "" {
				d.Sites++
			}
			if t := (notify.Tagged{Tag: m.Tag.String(), Image: m.Image}); !slices.Contains(d.Tags, t) {
				d.Tags = append(d.Tags, t)
			}
			namespaces = append(namespaces, m.Tag.Stream.Namespace)
		}
		n.tell(d, namespaces...)
		if state == "merged" {
			n.merged(p, is.Rev)
		}
	}
}

func pushedBefore(was reconcile.Report, branch string) bool {
	return slices.ContainsFunc(was.Proposals, func(p reconcile.Reviewed) bool { return p.Branch == branch && p.State == reconcile.Pushed })
}

// merged is what people's merge of a proposal brought. They may have changed it: what the branch
// does not have is not told.
func (n *news) merged(p reconcile.Reviewed, rev gitstore.Rev) {
	for _, m := range p.Moves {
		if m.Site != "" {
			n.mergedSite(p, m, rev)
			continue
		}
		s := n.cat.Stream(m.Tag.Stream)
		if s == nil {
			continue
		}
		st := s.Status.Tag(m.Tag.Tag)
		if st == nil || len(st.Items) == 0 || cmp.Or(st.Items[0].Image, st.Items[0].Reference) != m.Image {
			continue
		}
		d := notify.ImageRecorded{
			Stream: s.Name.String(), Tag: m.Tag.String(), Image: st.Items[0].Image, Reference: st.Items[0].Reference, Commit: string(rev), Proposal: p.Number, Page: p.URL,
		}
		if st.Source != nil {
			d.Source = st.Source.From
		}
		n.tell(d, s.Name.Namespace)
	}
}

func (n *news) mergedSite(p reconcile.Reviewed, m reconcile.Move, rev gitstore.Rev) {
	for _, s := range n.cat.Sites {
		if s.Path == m.Path && s.ID.String() == m.Site && s.Follows == m.Tag && (s.Digest() == m.Image || s.Current() == m.Image) {
			n.tell(notify.SiteFollowed{
				Path: s.Path, Line: s.Line, Site: m.Site, Tag: m.Tag.String(), Image: s.Current(), Commit: string(rev), Proposal: p.Number, Page: p.URL,
			}, namespacesOf(s)...)
		}
	}
}

// unrecorded are imports that fail, or work again, and of which no commit tells: the list of a
// repository that was read before, and tags whose records people review.
func (n *news) unrecorded(was, is reconcile.Report) {
	before, now := n.silent(was), n.silent(is)
	for _, f := range is.Failing {
		if now[f.Tag] && !before[f.Tag] {
			n.tell(notify.ImportFailing{Tag: nameOf(f.Tag), Reason: string(f.Err.Kind), Message: f.Err.Message, Commit: string(is.Rev)}, f.Tag.Stream.Namespace)
		}
	}
	for _, f := range was.Failing {
		still := slices.ContainsFunc(is.Failing, func(g reconcile.Failing) bool { return g.Tag == f.Tag })
		if before[f.Tag] && !still {
			n.tell(notify.ImportRecovered{Tag: nameOf(f.Tag), Reason: string(f.Err.Kind), Commit: string(is.Rev)}, f.Tag.Stream.Namespace)
		}
	}
}

// nameOf is a tag, or the stream where it is the list of its repository.
func nameOf(t imagestream.TagRef) string {
	if t.Tag == "" {
		return t.Stream.String()
	}
	return t.String()
}

// silent are the tags that fail, for long enough, without a commit.
func (n *news) silent(rep reconcile.Report) map[imagestream.TagRef]bool {
	all := map[imagestream.TagRef]bool{}
	for _, f := range rep.Failing {
		s := n.cat.Stream(f.Tag.Stream)
		if s == nil || !lasts(f, rep.At, s.Settings.FailureAfter) {
			continue
		}
		listed := f.Tag.Tag == "" && slices.ContainsFunc(s.Status.Tags, func(t imagestream.TagStatus) bool { return len(t.Items) > 0 })
		if listed || f.Tag.Tag != "" && s.Settings.Status == "proposal" {
			all[f.Tag] = true
		}
	}
	return all
}

// lasts reports whether a failure is one that people look at: it does not pass by itself, or has
// not for a while.
func lasts(f reconcile.Failing, at time.Time, after time.Duration) bool {
	return !f.Err.Kind.Passing() || at.Sub(f.Since) >= after
}

// held are the sites that came to be left alone. One whose file has another name is none.
func (n *news) held(was, is reconcile.Report) {
	type stay struct {
		site, image string
		why         reconcile.HoldReason
		by          gitstore.Rev
	}
	stayOf := func(h reconcile.Hold) stay { return stay{h.Change.Site.ID.String(), h.Change.Writes(), h.Why, h.By} }
	paths := map[string]map[stay]bool{}
	room := map[stay]int{} // how many of the same there were more than there are
	for _, h := range was.Held {
		if paths[h.Change.Site.Path] == nil {
			paths[h.Change.Site.Path] = map[stay]bool{}
		}
		paths[h.Change.Site.Path][stayOf(h)] = true
		room[stayOf(h)]++
	}
	for _, h := range is.Held {
		if paths[h.Change.Site.Path][stayOf(h)] {
			room[stayOf(h)]--
		}
	}
	for _, h := range is.Held {
		s := h.Change.Site
		if k := stayOf(h); paths[s.Path][k] {
			continue
		} else if room[k] > 0 {
			room[k]--
			continue
		}
		n.tell(notify.SiteHeld{
			Path: s.Path, Line: s.Line, Site: s.ID.String(), Tag: s.Follows.String(), Current: s.Current(), Image: h.Change.Writes(),
			Why: string(h.Why), Commit: string(h.By), Subject: h.About.Subject, URL: h.URL,
		}, namespacesOf(s)...)
	}
}

// worthOf is what the commit that a pass read is worth, as its status on the forge says it; not ok
// where there is another by now.
//
//	.towpath.yaml or other files are not right, or imports fail     failure
//	what is to be written is not yet                                pending
//	anything else, held sites among it                              success
func worthOf(is reconcile.Report) (w notify.HeadWorth, ok bool) {
	if n := len(is.Commits); is.Idle || is.Cut || is.Rev == "" || n > 0 && is.Commits[n-1].Rev != is.Rev {
		return w, false
	}
	w = notify.HeadWorth{Commit: string(is.Rev), State: "failure"}
	failing := 0
	for _, f := range is.Failing {
		if lasts(f, is.At, time.Hour) {
			failing++
		}
	}
	var wrong []string
	if n := len(is.Bad()); n > 0 {
		wrong = append(wrong, count(n, "problem"))
	}
	if failing > 0 {
		wrong = append(wrong, count(failing, "tag")+" failing")
	}
	switch {
	case is.Invalid:
		w.Words = ".towpath.yaml is not right: nothing is written"
	case len(wrong) > 0:
		w.Words = strings.Join(wrong, ", ")
	case is.Waits != nil && !errors.Is(is.Waits, gitstore.ErrMoved):
		w.State, w.Words = "pending", "not written yet"
	case is.Paused:
		w.State, w.Words = "success", "paused: nothing is asked or written"
	default:
		w.State, w.Words = "success", count(is.Tags, "tag")+", "+count(is.Sites, "site")
		if n := len(is.Held); n > 0 {
			w.Words += fmt.Sprintf(", %d held", n)
		}
	}
	return w, true
}

// checksOf is a worth in a forge's words.
func checksOf(w notify.HeadWorth) forge.Checks {
	switch w.State {
	case "success":
		return forge.Green
	case "pending":
		return forge.Pending
	}
	return forge.Red
}
