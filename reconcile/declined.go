package reconcile

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/towpath/towpath/forge"
	"github.com/towpath/towpath/gitstore"
)

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
		if l.straight() || has[c.Site] || recorded.forced(c.Site.Follows) {
			continue
		}
		m := siteMove(c)
		pushed := recorded.pushedTo(c)
		if e := no.closed(l, m, pushed, recorded.cat.lacks); e != nil {
			all = append(all, Hold{Change: c, Why: Declined, URL: e.URL})
			recorded.declines = append(recorded.declines, decline{m, e})
		} else if e := no.leftOut(l, m, c.Since); e != nil && !e.before(pushed) {
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

// pushedTo is when the image of a change was pushed; zero where it was not.
func (r *Recorded) pushedTo(c SiteChange) time.Time {
	s := r.cat.Stream(c.Site.Follows.Stream)
	if s == nil {
		return time.Time{}
	}
	st := r.tag(s, c.Site.Follows.Tag)
	if st == nil || len(st.Items) == 0 || st.Items[0].Image != c.Image.Digest {
		return time.Time{}
	}
	return r.pushedAt(c.Site.Follows, &st.Items[0])
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

// wayBack is the command that has moves proposed once more: a record is asked for, as its sites follow that.
func wayBack(moves []Move) string {
	first := func(is func(Move) bool) int { return slices.IndexFunc(moves, is) }
	if i := first(func(m Move) bool { return m.Site == "" || m.Site == "*" && m.Path == "*" }); i >= 0 {
		return "towpath import " + quoted(moves[i].Tag.String())
	}
	if i := first(func(m Move) bool { return m.Path != "*" && inert(m.Path) == m.Path }); i >= 0 {
		return "towpath follow --resume " + quoted(moves[i].Path)
	}
	if len(moves) > 0 {
		return "towpath follow --resume PATH"
	}
	return ""
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

// mergedBy says once of proposals that this process saw open that they were merged.
func (d *desk) mergedBy() (all []Reviewed) {
	for _, branch := range slices.Sorted(maps.Keys(d.past)) {
		for _, p := range d.past[branch] {
			if p.State == forge.Merged && d.seen[p.Number] {
				delete(d.seen, p.Number)
				all = append(all, Reviewed{Branch: branch, Number: p.Number, URL: p.URL, Title: p.Title, State: Merged, Did: "merged", Moves: d.spoken(p.Body).Moves})
			}
		}
	}
	return all
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
		if way := wayBack(rev.Moves); way != "" {
			ways = append(ways, "run "+way)
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
