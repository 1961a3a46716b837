package reconcile

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/towpath/towpath/forge"
	"github.com/towpath/towpath/gitstore"
	"github.com/towpath/towpath/imagestream"
)

// counted is the catalog that counts what waits for its review as on record.
func (r *Reconciler) counted(ctx context.Context, c *Catalog, now time.Time) (*Catalog, error) {
	p, err := r.resolved(ctx, c, now)
	if err != nil || len(p) == 0 {
		return c, err
	}
	return c.with(p, now), nil
}

// inquiries is how many branches the forge is asked about in one pass, at most.
const inquiries = 25

// declines asks what people made of earlier proposals of the lanes that have something to propose now,
// and reports whether that is news.
func (r *Reconciler) declines(ctx context.Context, recorded *Recorded, wanted []SiteChange, now time.Time) (news bool, err error) {
	d := r.desk
	if d == nil {
		return false, nil
	}
	first := map[string]time.Time{} // by branch: when the first of its images was resolved
	note := func(l lane, tag imagestream.TagRef, namespace string, since time.Time) {
		if l.straight() {
			return
		}
		branch := branchName(d.prefix, r.Branch, l)
		news = d.relate(branch, r.Branch, l.otherwise(tag, namespace)) || news
		if _, ok := d.lanes[branch]; !ok {
			news = news || len(d.past[branch]) > 0
			d.lanes[branch] = l
		}
		if at, ok := first[branch]; !ok || since.Before(at) {
			first[branch] = since
		}
	}
	for _, c := range recorded.Changes {
		for _, e := range c.Events {
			if e.Item != nil {
				tag := imagestream.TagRef{Stream: c.Stream.Name, Tag: e.Tag}
				note(recorded.laneOf(tag), recorded.origin(tag), tag.Stream.Namespace, e.Item.Created)
			}
		}
	}
	for _, c := range wanted {
		note(recorded.laneOfSite(c.Site), recorded.origin(c.Site.Follows), c.Site.ID.Namespace, c.Since)
	}
	branches := slices.SortedFunc(maps.Keys(first), func(a, b string) int { return cmp.Or(first[a].Compare(first[b]), cmp.Compare(a, b)) })
	if d.taken() >= recorded.cat.Config.MaxOpen() { // of those that wait nobody needs to know yet
		branches = slices.DeleteFunc(branches, func(branch string) bool { _, open := d.open[branch]; return !open })
	}
	var all []string
	for _, branch := range branches {
		all = append(append(all, branch), d.kin[branch]...)
	}
	learned, err := r.inquire(ctx, all, now)
	return news || learned, err
}

// mostKin is how many other branches a lane's moves may have stood on, as far as the forge is asked.
const mostKin = 50

// relate notes on which other branches what belongs to one would have stood under another group: what people
// declined there is not forgotten when they group anew. It reports whether that is news.
func (d *desk) relate(branch, watched string, others []lane) (news bool) {
	for _, l := range others {
		other := branchName(d.prefix, watched, l)
		if i, has := slices.BinarySearch(d.kin[branch], other); !has && len(d.kin[branch]) < mostKin {
			d.kin[branch] = slices.Insert(d.kin[branch], i, other)
			news = news || len(d.past[other]) > 0
		}
	}
	return news
}

// knows reports whether all is known that people made of earlier proposals of what belongs to a branch.
func (d *desk) knows(branch string) bool {
	unknown := func(branch string) bool { _, known := d.past[branch]; return !known }
	return !unknown(branch) && !slices.ContainsFunc(d.kin[branch], unknown)
}

// inquire asks the forge what people made of earlier proposals of branches, each once until
// another of it comes to an end, and reports whether they made anything of any.
func (r *Reconciler) inquire(ctx context.Context, branches []string, now time.Time) (learned bool, err error) {
	d, asked := r.desk, 0
	if r.Forge == nil || !d.heard || d.err != nil {
		return false, nil
	}
	for _, branch := range branches {
		if _, known := d.past[branch]; known {
			continue
		}
		if asked == inquiries {
			d.more = true
			break
		}
		past, err := r.Forge.Past(ctx, r.Branch, branch)
		if err != nil {
			return learned, d.failed(ctx, err, now)
		}
		d.past[branch], d.pastAt[branch] = past, now
		learned = learned || len(past) > 0
		asked++
	}
	return learned, nil
}

// noes are what people declined, as far as it is known.
func (r *Reconciler) noes() noes {
	d := r.desk
	if d == nil {
		return nil
	}
	no, said := noes{}, map[string]*spoken{}
	read := func(body string) *spoken {
		if said[body] == nil {
			if said[body] = d.said[body]; said[body] == nil {
				said[body] = speak(readLetter(body).marker)
			}
		}
		return said[body]
	}
	for branch, l := range d.lanes {
		var a answered
		if p, ok := d.open[branch]; ok {
			a.open = read(p.Body)
		}
		past := slices.Clone(d.past[branch])
		for _, other := range d.kin[branch] {
			past = slices.Concat(past, d.past[other])
		}
		slices.SortStableFunc(past, func(a, b forge.Proposal) int { return b.Ended.Compare(a.Ended) })
		for _, p := range past {
			says := read(p.Body)
			if len(says.Moves) == 0 && d.drawn[p.Branch].head == gitstore.Rev(p.Head) { // somebody took its text away
				says = speak(d.drawn[p.Branch].pending.marker())
			}
			a.past = append(a.past, ended{spoken: says, Proposal: p, merged: p.State == forge.Merged})
		}
		if a.open != nil || len(a.past) > 0 {
			no[l] = a
		}
	}
	d.said = said
	return no
}

// held are the sites that are left alone: those that people put back, and those whose move they declined.
func (r *Reconciler) held(ctx context.Context, recorded *Recorded, wanted []SiteChange, now time.Time) (Held, error) {
	cat := recorded.cat.merged()
	held, err := Holds(ctx, cat.snap, cat, wanted, r.mem, now)
	if err != nil {
		return nil, err
	}
	held, err = r.declined(ctx, recorded, held, wanted)
	return held.whole(wanted), err
}

// declined adds to the holds what people declined in a review, and takes out what a person resumed
// that is under review now.
func (r *Reconciler) declined(ctx context.Context, recorded *Recorded, held Held, wanted []SiteChange) (Held, error) {
	no := recorded.noes
	if len(no) == 0 {
		return held, nil
	}
	var all Held
	has := map[*Site]bool{}
	for _, h := range held {
		l := recorded.laneOfSite(h.Change.Site)
		if open := no[l].open; open != nil && open.resumed.names(siteMove(h.Change)) {
			continue
		}
		if h.Why == Changed && no[l].brought(h.Change) {
			continue // it was not a person: an older proposal was merged after the record had moved on
		}
		has[h.Change.Site] = true
		all = append(all, h)
	}
	var merges []leftOut
	for _, c := range wanted {
		l := recorded.laneOfSite(c.Site)
		if l.straight() || has[c.Site] {
			continue
		}
		m := siteMove(c)
		if e := no.closed(l, m, recorded.cat.lacks); e != nil {
			all = append(all, Hold{Change: c, Why: Declined, URL: e.URL})
			recorded.declines = append(recorded.declines, decline{m, e})
		} else if e := no.leftOut(l, m, c.Since); e != nil {
			merges = append(merges, leftOut{c, e})
		}
	}
	merges, err := r.stillLeftOut(ctx, recorded.cat, merges, recorded.at)
	for _, l := range merges {
		all = append(all, Hold{Change: l.change, Why: Declined, URL: l.by.URL})
		recorded.declines = append(recorded.declines, decline{siteMove(l.change), l.by})
	}
	return all, err
}

// A leftOut is a change that a merge seems to have left out.
type leftOut struct {
	change SiteChange
	by     *ended
}

// stillLeftOut are those whose sites are as they were at the merge. One that a person touched later, or
// brought back, was not left out by it: what that means the log says, as for any other.
func (r *Reconciler) stillLeftOut(ctx context.Context, c *Catalog, all []leftOut, now time.Time) (still []leftOut, err error) {
	d := r.desk
	found := make(map[leftOutKey]bool, len(all))
	var ask []leftOut
	var sites []*Site
	for _, l := range all {
		if is, known := d.leftOuts[l.key()]; known {
			found[l.key()] = is
			continue
		}
		ask, sites = append(ask, l), append(sites, l.change.Site)
	}
	if len(ask) > 0 {
		since, err := r.Since(ctx, c, sites)
		if err != nil {
			return nil, err
		}
		for i, l := range ask {
			touched := since[i].About.When
			found[l.key()] = !touched.After(l.by.Ended) || touched.After(now) // a clock that is wrong says nothing
		}
	}
	d.leftOuts = found
	return slices.DeleteFunc(all, func(l leftOut) bool { return !found[l.key()] }), nil
}

// A leftOutKey names what was found of a site and a merge.
type leftOutKey struct {
	holdKey
	current, url string
}

func (l leftOut) key() leftOutKey {
	return leftOutKey{keyOf(l.change), l.change.Site.Current(), l.by.URL}
}

// brought reports whether what a site holds came by the newest proposal for it that was merged.
func (a answered) brought(c SiteChange) bool {
	is := siteMove(c)
	is.Image = c.Site.Digest()
	for _, e := range a.past {
		if e.merged && e.moves.speaks(is) {
			return is.Image != "" && e.moves.names(is)
		}
	}
	return false
}

// underReview takes those changes that wait for their time, but are under review already, back among
// those that are made.
func (r *Reconciler) underReview(recorded *Recorded, made []SiteChange, later []Deferred) ([]SiteChange, []Deferred) {
	var still []Deferred
	for _, d := range later {
		open := recorded.noes[recorded.laneOfSite(d.Change.Site)].open
		if open != nil && open.moves.names(siteMove(d.Change)) {
			made = append(made, d.Change)
		} else {
			still = append(still, d)
		}
	}
	return made, still
}

// rejected are the earlier proposals because of which something is not made. Of one that this process saw
// open it says once that it is dropped.
func (d *desk) rejected(declines []decline) (all []Reviewed) {
	by := map[int]*ended{}
	kept := map[int][]Move{} // by number: what is not made
	for _, no := range declines {
		by[no.by.Number] = no.by
		kept[no.by.Number] = append(kept[no.by.Number], no.Move)
	}
	for _, n := range slices.Sorted(maps.Keys(by)) {
		p := by[n]
		rev := Reviewed{Branch: p.Branch, Number: n, URL: p.URL, Title: p.Title, State: Rejected, Why: "somebody closed it", Moves: kept[n]}
		ways := []string{"reopen it"}
		if p.merged {
			rev.Why, ways = "it was merged without this", nil
		}
		if i := slices.IndexFunc(rev.Moves, func(m Move) bool { return m.Site != "" && m.Path != "*" }); i >= 0 {
			ways = append(ways, "run towpath follow --resume "+quoted(rev.Moves[i].Path))
		}
		if rev.Fix = "a newer image is proposed anew"; len(ways) > 0 {
			rev.Fix += "; to have this one after all, " + strings.Join(ways, " or ")
		}
		if d.seen[n] {
			delete(d.seen, n)
			rev.Did = "rejected"
		}
		all = append(all, rev)
	}
	return all
}

// named gives proposals the names of their branches, and says what of them a person resumed.
func (r *Reconciler) named(ps []Proposal) {
	for i := range ps {
		p := &ps[i]
		p.Branch = branchName(r.desk.prefix, r.Branch, p.lane)
		for _, w := range p.Chain {
			for _, c := range w.Sites {
				if r.Resume != nil && r.Resume(c.Site) {
					p.resumed = append(p.resumed, siteMove(c))
				}
			}
		}
	}
}

// review does what is to be done about proposals, and says when something of it is due again. They are
// made on a branch at rest: what rests on a record that goes straight to the branch waits until that is there.
func (r *Reconciler) review(ctx context.Context, snap gitstore.Snapshot, recorded *Recorded, later []Deferred, wanted []Proposal, outcome Outcome, now time.Time) (next time.Time) {
	if r.desk == nil || recorded.cat.Invalid || recorded.cat.Config.Paused() {
		return next
	}
	r.report.ForgeErr = r.desk.err
	if outcome.Landed && !outcome.Nothing {
		for _, p := range wanted { // what was resolved for them is not asked again
			r.desk.kept[p.Branch] = keep{r.desk.heads[p.Branch], p.resolved(now)}
		}
		return next
	}
	kept := r.unclear(recorded, later)
	if r.Resume != nil {
		wanted = slices.DeleteFunc(wanted, func(p Proposal) bool { return len(p.resumed) == 0 })
	}
	if r.Only == ImportOnly || r.Resume != nil {
		r.keepOthers(kept, wanted)
	}
	if r.Dry {
		r.report.Proposed = wanted
	}
	v := review{Reconciler: r, desk: r.desk, snap: snap, now: now}
	v.propose(ctx, wanted, kept)
	r.report.Proposals = append(v.said, r.desk.rejected(recorded.declines)...)
	r.report.ForgeErr, r.report.acts = r.desk.err, v.acts
	r.desk.dirty = false
	maps.DeleteFunc(r.desk.later, func(_ string, at time.Time) bool { return !now.Before(at) })
	next = earliest(v.next, r.desk.retry, r.desk.wakes())
	if v.acts > 0 && !r.Dry {
		next = now // room may be free
	}
	if r.desk.more {
		next = now // there is more to ask
		r.report.acts++
	}
	return next
}

// unclear says of branches that stay as they are why they do, with their open proposals: some of what they would do waits
// for its time, and of some nobody can tell whether it is still wanted, as a file is broken, or paused.
func (r *Reconciler) unclear(recorded *Recorded, later []Deferred) map[string]string {
	kept := map[string]string{}
	c := recorded.cat
	waits := map[lane][]SiteChange{}
	for _, d := range later {
		if l := recorded.laneOfSite(d.Change.Site); !l.straight() {
			waits[l] = append(waits[l], d.Change)
		}
	}
	for branch, p := range r.desk.open {
		m := r.desk.spoken(p.Body)
		for _, move := range m.Moves {
			kept[branch] = cmp.Or(kept[branch], c.unsure(move))
		}
		for _, change := range waits[r.desk.lanes[branch]] {
			if kept[branch] == "" && m.moves.speaks(siteMove(change)) {
				kept[branch] = partWaits
			}
		}
	}
	for branch := range r.desk.heads {
		if r.Forge == nil {
			kept[branch] = r.holdsUnclear(recorded, branch, waits[r.desk.lanes[branch]])
		}
	}
	return kept
}

const (
	stays     = "it stays as it is while "
	partWaits = stays + "part of it waits for its window, or for its image to be older"
)

// unsureOf reports whether nobody can tell of anything pending if it is still wanted.
func (c *Catalog) unsureOf(p pending) bool {
	for tag := range p {
		m := Move{Tag: tag}
		if s := c.Stream(tag.Stream); s != nil {
			m.Path = s.Path
		}
		if c.unsure(m) != "" {
			return true
		}
	}
	return false
}

// unsure is why nobody can tell if a move is still wanted; empty where that is plain.
func (c *Catalog) unsure(m Move) string {
	s := c.Stream(m.Tag.Stream)
	switch {
	case s == nil && c.twice[m.Tag.Stream]:
		return stays + "two documents claim to be " + m.Tag.Stream.String()
	case s == nil && (c.hidden[m.Tag.Stream] != "" || c.obscured):
		return stays + "a file that may hold " + m.Tag.Stream.String() + " cannot be read (towpath validate names it)"
	case s != nil && s.Settings.Paused:
		return stays + m.Tag.Stream.String() + " is paused"
	case s != nil && (s.Malformed || slices.Contains(s.Spec.Broken, m.Tag.Tag)):
		return stays + s.Path + " has a problem with " + m.Tag.String()
	}
	f := c.files[m.Path]
	if f == nil {
		return ""
	}
	if f.broken() {
		return stays + m.Path + " has a problem"
	}
	for _, site := range f.sites {
		if site.Follows == m.Tag && site.Paused && (m.Site == "*" || site.ID.String() == m.Site) {
			return stays + "a site in " + m.Path + " is paused"
		}
	}
	return ""
}

// keepOthers leaves proposals alone that a command is not about.
func (r *Reconciler) keepOthers(kept map[string]string, wanted []Proposal) {
	about := map[string]bool{}
	for _, p := range wanted {
		about[p.Branch] = true
	}
	for branch := range r.desk.heads {
		if !about[branch] {
			kept[branch] = cmp.Or(kept[branch], "this command is not about it")
		}
	}
}
