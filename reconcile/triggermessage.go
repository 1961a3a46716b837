package reconcile

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/towpath/towpath/imagestream"
	"github.com/towpath/towpath/registry"
	"github.com/towpath/towpath/trigger"
)

const (
	listedTags    = 20      // tags that have trailers, at most
	aimedSubject  = 72      // characters of a subject, prefix included
	aimedName     = 20      // of a tag's name that is shortened for it, at least
	widestColumn  = 72      // what stands in a wider column moves the next one
	longestFilled = 1 << 16 // bytes that a template may grow to
)

// A move is a tag that sites follow to an image.
type move struct {
	tag   imagestream.TagRef
	image SiteChange // of any of the sites
}

// moves is what a trigger commit is about.
type moves struct {
	tags  []move
	sites []SiteChange
}

func movesOf(sites []SiteChange) moves {
	m := moves{sites: sites}
	for _, tag := range tagsOf(sites) {
		i := slices.IndexFunc(sites, func(c SiteChange) bool { return c.Site.Follows == tag })
		m.tags = append(m.tags, move{tag, sites[i]})
	}
	return m
}

// triggerMessage is a message in the template's words, else in towpath's own; the trailers
// are always towpath's.
func triggerMessage(sites []SiteChange, v voice) string {
	m := movesOf(sites)
	subject := m.subject(aimedSubject - utf8.RuneCountInString(v.prefix))
	table := m.table()
	body := m.facts() + "\n" + table
	if v.template != "" {
		subject, body = inTemplate(v.template.Fill(func(name string) string {
			switch name {
			case "subject":
				return subject
			case "table":
				return table
			}
			return m.value(name)
		}), subject)
	}
	parts := nonEmpty(subject, strings.Trim(body, "\n"), strings.TrimSuffix(m.trailers(), "\n"))
	return strings.Join(parts, "\n\n") + "\n"
}

// subject says what moved, and how many sites with it.
func (m moves) subject(room int) string {
	sites := " (" + count(len(m.sites), "site") + ")"
	versions := m.named(func(v move) string { return inert(v.image.upstream()) })
	streams, namespaces := m.streams(), m.namespaces()
	switch {
	case len(m.tags) == 1:
		return fitted(inert(m.tags[0].tag.String()), " follows "+versions[0]+sites, room)
	case len(streams) == 1 && len(versions) <= 3:
		return fitted(streams[0], " follows "+enumerated(versions)+sites, room)
	case len(streams) == 1:
		return fitted(streams[0], ": "+count(len(m.tags), "tag")+" moved"+sites, room)
	case len(namespaces) == 1:
		return fitted(namespaces[0], ": "+count(len(m.tags), "tag")+" moved"+sites, room)
	}
	return fmt.Sprintf("%s moved in %s%s", count(len(m.tags), "tag"), count(len(namespaces), "namespace"), sites)
}

// fitted is a name and what is said of it, the name shortened where there is no room.
func fitted(name, rest string, room int) string {
	return middle(name, max(room-utf8.RuneCountInString(rest), aimedName)) + rest
}

// middle is a text without its middle, where it is longer than so many characters.
func middle(s string, most int) string {
	r := []rune(s)
	if len(r) <= most {
		return s
	}
	tail := (most - 1) / 2
	return string(r[:most-1-tail]) + "…" + string(r[len(r)-tail:])
}

// named are the names of the moves, in their order, each once.
func (m moves) named(name func(move) string) []string {
	var names []string
	for _, v := range m.tags {
		if n := name(v); n != "" && !slices.Contains(names, n) {
			names = append(names, n)
		}
	}
	return names
}

func (m moves) streams() []string {
	return m.named(func(v move) string { return inert(v.tag.Stream.String()) })
}

// namespaces are those of the sites.
func (m moves) namespaces() []string {
	var names []string
	for _, c := range m.sites {
		names = append(names, inert(c.Site.ID.Namespace))
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// facts say of each tag what is on record of it.
func (m moves) facts() string {
	var lines []string
	for _, v := range m.tags {
		lines = append(lines, v.fact())
	}
	var b strings.Builder
	list(&b, lines)
	return b.String()
}

// fact is "team1/web:prod is quay.io/team1/web:1.4.3, sha256:…, revision 3f2c1d0 (…)".
func (v move) fact() string {
	i, l := v.image.Image, v.image.Labels
	from := v.image.Source
	if from == "" {
		from, _ = i.Reference(trigger.ByTag)
	}
	words := nonEmpty(inert(from), inert(i.Digest))
	if l.Version != "" && l.Version != v.image.upstream() {
		words = append(words, "version "+inert(l.Version))
	}
	switch revision, source := inert(l.Revision), inert(l.Source); {
	case revision != "":
		words = append(words, "revision "+revision+inBrackets(source))
	case source != "":
		words = append(words, "source "+source)
	}
	return inert(v.tag.String()) + " is " + strings.Join(words, ", ")
}

// table says of each site what it held and what it holds now.
func (m moves) table() string {
	rows := [][3]string{{"site", "old", "new"}}
	for _, c := range m.sites[:min(len(m.sites), listedLines)] {
		rows = append(rows, c.row())
	}
	var widths [2]int
	for _, row := range rows {
		for i := range widths {
			if n := utf8.RuneCountInString(row[i]); n <= widestColumn {
				widths[i] = max(widths[i], n)
			}
		}
	}
	var b strings.Builder
	for _, row := range rows {
		fmt.Fprintf(&b, "%-*s  %-*s  %s\n", widths[0], row[0], widths[1], row[1], row[2])
	}
	if more := len(m.sites) - listedLines; more > 0 {
		fmt.Fprintf(&b, "and %d more\n", more)
	}
	return b.String()
}

func (c SiteChange) row() [3]string {
	old, after := c.Site.Current(), c.Writes()
	return [3]string{
		strings.Join(nonEmpty(inert(c.Site.Path), idOf(c.Site.ID)), " "),
		orNothing(abridged(old, after)), orNothing(abridged(after, old)),
	}
}

// idOf is trigger.ID.String, inert: no word of it, nor what two of them would make together,
// means more than itself.
func idOf(id trigger.ID) string {
	name := id.Name
	if name != "" && id.Namespace != "" {
		name = id.Namespace + "/" + name
	}
	return trigger.ID{Kind: inert(id.Kind), Name: inert(name), Container: inert(id.Container), Field: inertLine(id.Field)}.String()
}

// abridged is what a site holds, without what people need not compare: most digits of the
// digest, and the repository where it stays.
func abridged(value, other string) string {
	if value == other { // never, but where files are odd: then all of it
		return inert(value)
	}
	var words []string
	for _, v := range strings.Split(value, ", ") {
		words = append(words, shown(v, other))
	}
	return strings.Join(slices.Compact(words), ", ")
}

func shown(value, other string) string {
	rest, digest, _ := strings.Cut(value, "@")
	if strings.HasPrefix(value, "sha256:") {
		rest, digest = "", value
	}
	if i := trigger.ParseImage(rest); i.Tag != "" || digest != "" {
		if o := trigger.ParseImage(other); i.Name == o.Name {
			rest = i.Tag
		}
	}
	if digest == "" {
		return inert(rest)
	}
	return inert(strings.TrimPrefix(rest+"@"+short(digest), "@"))
}

// trailers are for machines: they name tags and images in full.
func (m moves) trailers() string {
	var b strings.Builder
	fmt.Fprintf(&b, "Towpath-Commit: %s\n", TriggerCommit)
	for _, v := range m.tags[:min(len(m.tags), listedTags)] {
		fmt.Fprintf(&b, "Towpath-Tag: %s\n", plain(v.tag.String(), exact, longestExact))
		fmt.Fprintf(&b, "Towpath-Image: %s\n", plain(v.image.reference(), exact, longestExact))
	}
	return b.String()
}

// reference is the image by its digest, where it has one.
func (c SiteChange) reference() string {
	reference, _ := c.Image.Reference(trigger.ByDigest)
	return reference
}

// upstream is the shortest name of what a site now holds: the upstream tag,
// else the digest.
func (c SiteChange) upstream() string {
	if ref, err := registry.ParseRef(c.Source); c.Source != "" && err == nil && ref.Digest == "" {
		return ref.Tag
	}
	if c.Image.Digest != "" {
		return short(c.Image.Digest)
	}
	return c.Writes()
}

// value is what stands for a name of facts in a template.
func (m moves) value(name string) string {
	each := func(of func(move) string) string {
		return enumerated(m.named(func(v move) string { return inert(of(v)) }))
	}
	switch name {
	case "tag":
		return each(func(v move) string { return v.tag.String() })
	case "stream":
		return each(func(v move) string { return v.tag.Stream.String() })
	case "namespace":
		return enumerated(m.namespaces())
	case "version":
		return each(func(v move) string { return v.image.upstream() })
	case "image":
		return each(func(v move) string { return v.image.reference() })
	case "digest":
		return each(func(v move) string { return v.image.Image.Digest })
	case "revision":
		return each(func(v move) string { return v.image.Labels.Revision })
	case "source":
		return each(func(v move) string { return v.image.Labels.Source })
	case "sites":
		return count(len(m.sites), "site")
	}
	return ""
}

// enumerated is "a", "a and b", "a, b and c"; of more than listedTags the rest counted.
func enumerated(names []string) string {
	if more := len(names) - listedTags; more > 0 {
		names = append(slices.Clone(names[:listedTags]), fmt.Sprintf("%d more", more))
	}
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " and " + names[last]
}
