package reconcile

import (
	"fmt"
	"slices"
	"strings"

	"github.com/towpath/towpath/imagestream"
	"github.com/towpath/towpath/trigger"
)

// A site may stand in an image stream itself, where it says what a tag is imported from.
// Then a tag follows another over a commit and an import, and where such tags follow each
// other they would do so for ever: none of the sites of a circle is followed.

// feeds are the tags that take their image from what a site holds: those of a stream's
// spec.
func (c *Catalog) feeds(site *Site) []imagestream.TagRef {
	if site.ID.Kind != "ImageStream" {
		return nil
	}
	s := c.Stream(imagestream.Name{Namespace: site.ID.Namespace, Name: site.ID.Name})
	if s == nil || s.Path != site.Path {
		return nil
	}
	var fed []imagestream.TagRef
	for _, p := range site.Places {
		at := p.At
		if i := slices.Index(at, any("spec")); i >= 0 {
			at = at[i+1:]
		}
		switch {
		case len(at) == 1 && at[0] == "dockerImageRepository":
			for _, st := range s.Status.Tags {
				fed = append(fed, imagestream.TagRef{Stream: s.Name, Tag: st.Tag})
			}
		case len(at) == 4 && at[0] == "tags" && at[2] == "from":
			fed = append(fed, imagestream.TagRef{Stream: s.Name, Tag: s.tagAround(p)})
		}
	}
	return fed
}

// tagAround is the tag of spec in which a place stands: the last that begins before it.
func (s *Stream) tagAround(p trigger.Place) string {
	name, line, col := "", 0, 0
	for i := range s.Spec.Tags {
		t := &s.Spec.Tags[i]
		before := t.Line < p.Line || t.Line == p.Line && t.Col <= p.Col
		if before && (t.Line > line || t.Line == line && t.Col > col) {
			name, line, col = t.Name, t.Line, t.Col
		}
	}
	return name
}

// cutCircles takes the sites out that follow, over whatever others, what they feed.
func (c *Catalog) cutCircles() {
	next := map[imagestream.TagRef][]imagestream.TagRef{}
	fed := map[*Site][]imagestream.TagRef{}
	for _, site := range c.Sites {
		for _, tag := range c.feeds(site) {
			fed[site] = append(fed[site], tag)
			next[site.Follows] = append(next[site.Follows], tag)
		}
	}
	if len(fed) == 0 {
		return
	}
	for i := range c.aliases {
		if a := &c.aliases[i]; a.source.Tag != "" {
			next[a.source] = append(next[a.source], a.ref())
		}
	}
	onCircles(next)
	c.Sites = slices.DeleteFunc(slices.Clone(c.Sites), func(site *Site) bool {
		for _, tag := range fed[site] {
			if next[site.Follows] == nil {
				break
			}
			way := route(next, tag, site.Follows)
			if way == nil {
				continue
			}
			names := make([]string, len(way))
			for i, tag := range way {
				names[i] = tag.String()
			}
			c.Problems = append(c.Problems, imagestream.Problem{Path: site.Path, Line: site.Line, Col: site.Col,
				What: fmt.Sprintf("%s follows itself: %s → %s; it is left alone", tag, strings.Join(names, " → "), tag),
				Fix:  "take out one of the markers that lead around: what an image is must come from outside",
			})
			return true
		}
		return false
	})
}

// onCircles leaves of tags and what they feed only what may lead around: what leads nowhere, and
// what nothing leads to, goes, until there is no more of it.
func onCircles(next map[imagestream.TagRef][]imagestream.TagRef) {
	in := map[imagestream.TagRef]int{}
	before := map[imagestream.TagRef][]imagestream.TagRef{}
	out := map[imagestream.TagRef]int{}
	var ends []imagestream.TagRef
	for from, to := range next {
		out[from] = len(to)
		for _, tag := range to {
			in[tag]++
			before[tag] = append(before[tag], from)
		}
	}
	gone := map[imagestream.TagRef]bool{}
	drop := func(tag imagestream.TagRef) {
		if !gone[tag] && (in[tag] == 0 || out[tag] == 0) {
			gone[tag] = true
			ends = append(ends, tag)
		}
	}
	for from, to := range next {
		drop(from)
		for _, tag := range to {
			drop(tag)
		}
	}
	for ; len(ends) > 0; ends = ends[1:] {
		for _, tag := range next[ends[0]] {
			in[tag]--
			drop(tag)
		}
		for _, tag := range before[ends[0]] {
			out[tag]--
			drop(tag)
		}
	}
	for tag := range gone {
		delete(next, tag)
	}
}

// route is the shortest way from one tag to another, both included; nil where there is none.
func route(next map[imagestream.TagRef][]imagestream.TagRef, from, to imagestream.TagRef) []imagestream.TagRef {
	came := map[imagestream.TagRef]imagestream.TagRef{from: from}
	for queue := []imagestream.TagRef{from}; len(queue) > 0; queue = queue[1:] {
		if queue[0] == to {
			way := []imagestream.TagRef{to}
			for at := to; at != from; {
				at = came[at]
				way = append(way, at)
			}
			slices.Reverse(way)
			return way
		}
		for _, tag := range next[queue[0]] {
			if _, seen := came[tag]; !seen {
				came[tag] = queue[0]
				queue = append(queue, tag)
			}
		}
	}
	return nil
}
