package reconcile

import (
	"fmt"
	"slices"
	"strings"

	"github.com/towpath/towpath/imagestream"
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
			fed = append(fed, imagestream.TagRef{Stream: s.Name, Tag: s.tagAround(p.Line)})
		}
	}
	return fed
}

// tagAround is the tag of spec that the line of its from stands in.
func (s *Stream) tagAround(line int) string {
	name, last := "", 0
	for i := range s.Spec.Tags {
		if t := &s.Spec.Tags[i]; t.Line <= line && t.Line > last {
			name, last = t.Name, t.Line
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
	c.Sites = slices.DeleteFunc(slices.Clone(c.Sites), func(site *Site) bool {
		for _, tag := range fed[site] {
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
