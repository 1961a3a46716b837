package reconcile

import (
	"cmp"
	"slices"
	"strings"

	"github.com/towpath/towpath/config"
	"github.com/towpath/towpath/gitstore"
	"github.com/towpath/towpath/imagestream"
)

// A voice is how commits speak: what has different voices stands in different commits.
type voice struct {
	prefix   string
	template config.Template
	author   string // "Name <address>"; empty: the operator's
}

func (v voice) compare(o voice) int {
	return cmp.Or(cmp.Compare(v.prefix, o.prefix), cmp.Compare(v.template, o.template), cmp.Compare(v.author, o.author))
}

// statusVoice is that of the commits of a stream's status, which have no template.
func statusVoice(s config.Settings) voice { return voice{prefix: s.Prefix, author: s.Author} }

// person is who commits of the voice are by.
func (v voice) person(operator gitstore.Person) gitstore.Person {
	name, address, ok := strings.Cut(v.author, " <")
	address, closed := strings.CutSuffix(address, ">")
	if !ok || !closed {
		return operator
	}
	return gitstore.Person{Name: name, Email: address}
}

// A group is what stands in one trigger commit.
type group struct {
	by    string
	scope imagestream.TagRef // a tag, a stream, a namespace; empty for all
	voice
}

// group is where a change belongs, by the settings of its site:
//
//	group        the sites of one commit
//	tag          follow one tag
//	stream       follow tags of one stream
//	namespace    are in one namespace
//	all          any
func (c SiteChange) group() group {
	s := c.Site.Settings
	g := group{by: s.Group, scope: c.Site.Follows, voice: voice{s.Prefix, s.Template, s.Author}}
	g.scope = scopeOf(s.Group, g.scope, c.Site.ID.Namespace)
	return g
}

func (g group) compare(o group) int {
	return cmp.Or(compareTags(g.scope, o.scope), cmp.Compare(g.by, o.by), g.voice.compare(o.voice))
}

// tagsOf are the tags that sites follow, in order.
func tagsOf(sites []SiteChange) []imagestream.TagRef {
	tags := make([]imagestream.TagRef, len(sites))
	for i, c := range sites {
		tags[i] = c.Site.Follows
	}
	slices.SortFunc(tags, compareTags)
	return slices.Compact(tags)
}
