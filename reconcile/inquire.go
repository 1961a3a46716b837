package reconcile

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/towpath/towpath/imagestream"
)

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
