package main

import (
	"cmp"
	"maps"
	"slices"

	"github.com/towpath/towpath/reconcile"
	"github.com/towpath/towpath/trigger"
)

// A stop is a site that does not move, and what the log says of it.
type stop struct {
	kind   string // held or deferred
	reason string
	change reconcile.SiteChange
	msg    string
	more   []any
}

// A stopKey is what a stop is about, for as long as it is the same.
type stopKey struct {
	kind, path string
	id         trigger.ID
	what       string // the reason, and the image
}

func (s stop) key() stopKey {
	return stopKey{s.kind, s.change.Site.Path, s.change.Site.ID, s.reason + "\x00" + s.change.Writes()}
}

func (s stop) args() []any {
	site := s.change.Site
	return append([]any{"path", site.Path, "site", site.ID, "tag", site.Follows, "image", s.change.Writes()}, s.more...)
}

// stopsOf are the sites of a report that do not move, in its order.
func stopsOf(rep reconcile.Report) []stop {
	var stops []stop
	for _, h := range rep.Held {
		s := stop{kind: "held", reason: string(h.Why), change: h.Change, msg: heldNews(h.Why)}
		if h.By != "" {
			s.more = append(s.more, "commit", h.By.Short(), "subject", h.About.Subject)
		}
		if h.URL != "" {
			s.more = append(s.more, "url", h.URL)
		}
		if !h.Until.IsZero() {
			s.more = append(s.more, "until", h.Until.UTC())
		}
		stops = append(stops, s)
	}
	for _, d := range rep.Deferred {
		s := stop{kind: "deferred", change: d.Change, msg: "deferred: this site moves later", more: []any{"why", d.Why}}
		if !d.Until.IsZero() {
			s.more = append(s.more, "until", d.Until.UTC())
		}
		stops = append(stops, s)
	}
	return stops
}

// heldNews is why a site is held, as the log says it.
func heldNews(why reconcile.HoldReason) string {
	switch why {
	case reconcile.LeftOut:
		return "held: a commit moved others of the tag, and left this site out"
	case reconcile.Changed:
		return "held: a person changed this site after its tag had come to this image"
	case reconcile.FlipFlop:
		return "held: this site got the same image three times within a day"
	case reconcile.Declined:
		return "held: the proposal to move this site to this image was declined"
	case reconcile.TooLong:
		return "held: the history is too long, or cut off, to tell whether a person took this image back"
	}
	return "held: a person took this image back"
}

// stops says which sites do not move, when that begins and when it ends. While nothing is
// written at all, nobody looks: what was said stands.
func (n *narrator) stops(rep reconcile.Report) {
	if rep.Paused || rep.Invalid {
		return
	}
	now, stops := map[stopKey]stop{}, stopsOf(rep)
	for _, s := range stops {
		now[s.key()] = s
	}
	moved := n.renamed(now)
	for _, s := range stops {
		switch was, ok := moved[s.key()]; {
		case ok:
			n.log.Info("still "+s.kind+": its file has another name", "path", s.change.Site.Path, "was", was.path, "site", s.change.Site.ID)
		case n.stopped[s.key()].kind == "":
			n.log.Info(s.msg, s.args()...)
		}
	}
	for _, was := range moved {
		delete(n.stopped, was)
	}
	n.ended(now)
	n.stopped = now
}

// renamed are the stops of now that were known at another path, which has none any more, with
// what they were.
func (n *narrator) renamed(now map[stopKey]stop) map[stopKey]stopKey {
	anywhere := func(k stopKey) stopKey { k.path = ""; return k }
	gone := map[stopKey][]stopKey{}
	for _, k := range sortedKeys(n.stopped) {
		if now[k].kind == "" {
			gone[anywhere(k)] = append(gone[anywhere(k)], k)
		}
	}
	moved := map[stopKey]stopKey{}
	for _, k := range sortedKeys(now) {
		if from := gone[anywhere(k)]; len(from) > 0 && n.stopped[k].kind == "" {
			moved[k], gone[anywhere(k)] = from[0], from[1:]
		}
	}
	return moved
}

func sortedKeys(stops map[stopKey]stop) []stopKey {
	return slices.SortedFunc(maps.Keys(stops), func(a, b stopKey) int {
		return cmp.Or(cmp.Compare(a.kind, b.kind), cmp.Compare(a.path, b.path), cmp.Compare(a.id.String(), b.id.String()), cmp.Compare(a.what, b.what))
	})
}

// ended says of sites that they are held, or deferred, no longer, and what they are where it
// is not what their tag is.
func (n *narrator) ended(now map[stopKey]stop) {
	type place struct {
		kind string
		siteKey
	}
	still := map[place]bool{} // for another reason, or another image
	for k := range now {
		still[place{k.kind, siteKey{k.path, k.id}}] = true
	}
	var sites map[siteKey]*reconcile.Site
	for _, k := range sortedKeys(n.stopped) {
		at := siteKey{k.path, k.id}
		if now[k].kind != "" || still[place{k.kind, at}] {
			continue
		}
		msg := "no longer " + k.kind
		if n.catalog != nil && sites == nil {
			sites = sitesOf(n.catalog())
		}
		switch site := sites[at]; {
		case sites == nil:
		case site == nil:
			msg += ": it is gone"
		case site.Paused:
			msg += ": it is paused"
		}
		site := n.stopped[k].change.Site
		n.log.Info(msg, "path", site.Path, "site", site.ID, "tag", site.Follows)
	}
}

func sitesOf(cat *reconcile.Catalog) map[siteKey]*reconcile.Site {
	sites := map[siteKey]*reconcile.Site{}
	for _, s := range cat.Sites {
		sites[siteKey{s.Path, s.ID}] = s
	}
	return sites
}
