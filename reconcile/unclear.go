package reconcile

import (
	"cmp"
	"slices"
)

// unclear says of branches that stay as they are why they do, with their open proposals: some of what they would do waits
// for its time, and of some nobody can tell whether it is still wanted, as a file is broken, or paused.
func (r *Reconciler) unclear(recorded *Recorded, later []Deferred, wanted []Proposal) map[string]string {
	kept := map[string]string{}
	c := recorded.cat
	rest := map[string]bool{} // branches of which there is something to propose, whatever is paused
	for _, p := range wanted {
		rest[p.Branch] = true
	}
	waits := map[lane][]SiteChange{}
	for _, d := range later {
		if l := recorded.laneOfSite(d.Change.Site); !l.straight() {
			waits[l] = append(waits[l], d.Change)
		}
	}
	for branch, p := range r.desk.open {
		m := r.desk.spoken(p.Body)
		for _, move := range m.Moves {
			if kept[branch] = cmp.Or(kept[branch], c.unsure(move)); !rest[branch] {
				kept[branch] = cmp.Or(kept[branch], c.pausedSite(move))
			}
		}
		for _, change := range waits[r.desk.lanes[branch]] {
			if kept[branch] == "" && m.moves.speaks(siteMove(change)) {
				kept[branch] = partWaits
			}
		}
	}
	for branch := range r.desk.heads {
		if r.Forge == nil {
			kept[branch] = r.holdsUnclear(recorded, branch, waits[r.desk.lanes[branch]], rest[branch])
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
	return ""
}

// pausedSite says that the site of a move is paused; empty where it is not.
func (c *Catalog) pausedSite(m Move) string {
	if f := c.files[m.Path]; f != nil {
		for _, site := range f.sites {
			if site.Follows == m.Tag && site.Paused && (m.Site == "*" || site.ID.String() == m.Site) {
				return stays + "a site in " + m.Path + " is paused"
			}
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

// holdsUnclear is why a branch stays as it is, where no forge says what it is about; empty where it does not.
func (r *Reconciler) holdsUnclear(recorded *Recorded, branch string, waits []SiteChange, rest bool) string {
	d, c := r.desk.drawn[branch], recorded.cat
	if d.head != r.desk.heads[branch] {
		return ""
	}
	here := func(s *Site) bool { return branchName(r.desk.prefix, r.Branch, recorded.laneOfSite(s)) == branch }
	var why string
	for tag := range d.pending {
		why = cmp.Or(why, c.unsure(Move{Tag: tag}))
	}
	for _, path := range d.paths {
		f := c.files[path]
		if f == nil {
			continue
		}
		if f.broken() {
			why = cmp.Or(why, stays+path+" has a problem")
		}
		for _, s := range f.sites { // of a stream that is gone nobody can tell the lane either
			if c.Stream(s.Follows.Stream) == nil || here(s) {
				m := Move{Tag: s.Follows, Path: path, Site: s.ID.String()}
				if why = cmp.Or(why, c.unsure(m)); !rest {
					why = cmp.Or(why, c.pausedSite(m))
				}
			}
		}
	}
	for _, change := range waits {
		if why == "" && slices.Contains(d.paths, change.Site.Path) {
			why = partWaits
		}
	}
	return why
}
