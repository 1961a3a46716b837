package reconcile

import (
	"cmp"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/towpath/towpath/forge"
	"github.com/towpath/towpath/gitstore"
	"github.com/towpath/towpath/imagestream"
	"github.com/towpath/towpath/registry"
	"github.com/towpath/towpath/trigger"
)

// An address is where a proposal is read: the repository and the branch that is watched.
type address struct{ Repo, Branch string }

// Bounds of a section: what is beyond is counted. The rest of a body is for the marker, and for people.
const (
	listedSites = 50
	widestTable = 12_000 // bytes
	widestList  = 12_000
)

// A bringing is what a proposal does about one tag.
type bringing struct {
	tag      imagestream.TagRef
	old, new side
	since    time.Time        // when it was resolved
	recorded bool             // the proposal puts it on record
	spec     *imagestream.Tag // what the stream says of it; nil: nothing, or that is not known
	alias    string           // the tag, or the image of a stream, that it is by its spec
	failure  *imagestream.Failure
	sites    []SiteChange
}

// A side is an image of a tag, as far as it is known.
type side struct {
	image    string // digest or, where it has none, reference
	upstream string // tag at the registry
	from     string // the whole reference that it was resolved from
	inputs   string // a hash of what in spec decided it
	labels   imagestream.Labels
}

// name is what people call an image.
func (s side) name() string {
	if s.upstream != "" {
		return s.upstream
	}
	return short(s.image)
}

// bringings are what a proposal does, by tag: those on record first, then those that sites follow.
func (p Proposal) bringings() (all []*bringing) {
	of := map[imagestream.TagRef]*bringing{}
	take := func(tag imagestream.TagRef) *bringing {
		if of[tag] == nil {
			of[tag] = &bringing{tag: tag}
			all = append(all, of[tag])
		}
		return of[tag]
	}
	for _, w := range p.Chain {
		for _, c := range w.Streams {
			for _, e := range c.Events {
				take(imagestream.TagRef{Stream: c.Stream.Name, Tag: e.Tag}).record(c, e)
			}
		}
		for _, tag := range tagsOf(w.Sites) {
			b := take(tag)
			for _, c := range w.Sites {
				if c.Site.Follows == tag {
					b.follow(c)
				}
			}
		}
	}
	return all
}

// record takes what an event says, and what was on record before.
func (b *bringing) record(c StatusChange, e imagestream.Event) {
	b.recorded, b.failure = true, e.Failure
	if b.spec = c.Stream.specTag(e.Tag); b.spec != nil && e.Source == nil {
		b.alias = sourceOf(c.Stream, e)
	}
	if st := c.Stream.record(e.Tag); st != nil && len(st.Items) > 0 {
		b.old = sideOf(st.Items[0], st.Source)
	}
	if e.Item == nil {
		return
	}
	b.new, b.since = sideOf(*e.Item, e.Source), e.Item.Created
	if b.since.IsZero() {
		b.since = c.Options.Now
	}
}

// follow takes a site. Of a tag that is on record already the sites know what it is and was.
func (b *bringing) follow(c SiteChange) {
	b.sites = append(b.sites, c)
	if b.new.image == "" {
		b.new.image, b.since = identity(c.Image.Digest, c.reference()), c.Since
	}
	if name := c.upstream(); b.new.upstream == "" && name != short(c.Image.Digest) && c.Source != "" {
		b.new.upstream = name
	}
	if b.new.labels == (imagestream.Labels{}) {
		b.new.labels = c.Labels
	}
	if b.recorded && b.old.image != "" {
		return
	}
	held := heldBy(c.Site.Site)
	switch {
	case len(b.sites) == 1 && !b.recorded:
		b.old = held
	case b.old.image == held.image && held.image != "":
		b.old.upstream = cmp.Or(b.old.upstream, held.upstream)
	case b.old != held:
		b.old = side{} // they differ
	}
}

// heldBy is the image that a site holds.
func heldBy(s trigger.Site) side {
	i := trigger.ParseImage(s.Current())
	if strings.Contains(i.Name, ", ") {
		return side{}
	}
	return side{image: i.Digest, upstream: i.Tag}
}

func sideOf(item imagestream.Item, source *imagestream.Source) side {
	s := side{image: identity(item.Image, item.Reference)}
	if source != nil {
		s.labels, s.from, s.inputs = source.Labels, source.From, source.Inputs
		if ref, err := registry.ParseRef(source.From); err == nil && ref.Digest == "" {
			s.upstream = ref.Tag
		}
	}
	return s
}

// moved says from what to what: by the tags of the registry or, where they are the same or one is not known,
// by digests.
func (b *bringing) moved() string {
	old, after := b.old.name(), b.new.name()
	if (old == after || b.old.upstream == "" || b.new.upstream == "") && b.old.image != "" {
		old, after = short(b.old.image), short(b.new.image)
	}
	if old == "" || old == after {
		return inert(b.new.name())
	}
	return inert(old) + " → " + inert(after)
}

// title is what a proposal is called. Where people have a template for their commits, it is the subject
// of the last.
func (p Proposal) title() string {
	last := p.Chain[len(p.Chain)-1]
	if last.template != "" {
		return last.Subject()
	}
	room := aimedSubject - utf8.RuneCountInString(last.prefix)
	all := p.bringings()
	var sites []SiteChange
	for _, w := range p.Chain {
		sites = append(sites, w.Sites...)
	}
	subject := ""
	switch {
	case len(sites) == 0:
		subject = recordSubject(all, room)
	case len(all) == 1:
		subject = fitted(inert(all[0].tag.String()), " "+all[0].moved()+" ("+count(len(sites), "site")+")", room)
	default:
		subject = titleOf(movesOf(sites), room)
	}
	sides := strings.Split(last.prefix+subject, " → ")
	for i, side := range sides {
		sides[i] = inertLine(side)
	}
	return strings.Join(sides, " → ")
}

// titleOf is the title where several tags move. That they are in the namespace default, as what
// names none is, tells nobody anything.
func titleOf(m moves, room int) string {
	if in := m.namespaces(); len(m.streams()) > 1 && len(in) == 1 && (in[0] == "default" || in[0] == "") {
		return fmt.Sprintf("%s moved (%s)", count(len(m.tags), "tag"), count(len(m.sites), "site"))
	}
	return m.subject(room)
}

// recordSubject is the title where nothing follows.
func recordSubject(all []*bringing, room int) string {
	streams := map[imagestream.Name]bool{}
	for _, b := range all {
		streams[b.tag.Stream] = true
	}
	switch first := all[0]; {
	case len(all) == 1 && first.new.image == "":
		return "record " + fitted(inert(first.tag.String()), " as it fares", room-len("record "))
	case len(all) == 1:
		return "record " + fitted(inert(first.tag.String()), " "+inert(first.new.name()), room-len("record "))
	case len(streams) == 1:
		head := "record " + count(len(all), "tag") + " of "
		return head + fitted(inert(first.tag.Stream.String()), "", room-len(head))
	default:
		return fmt.Sprintf("record %s of %s", count(len(all), "tag"), count(len(streams), "stream"))
	}
}

// section is what a proposal says to those who review it, in Markdown. The same proposal says the same at
// any time.
func (p Proposal) section(at address) string {
	all := p.bringings()
	return strings.Join(nonEmpty(
		p.summary(all), tableOf(all), followersOf(all), p.choices(at),
	), "\n\n")
}

// tableOf says of each tag what it was and is.
func tableOf(all []*bringing) string {
	g := grid{head: []string{"tag", "image", "upstream tag", "age", "source"}}
	for _, b := range all {
		if b.failure != nil {
			g.rows = append(g.rows, []string{code(b.tag.String()), "fails: " + codeLine(b.failure.Message), "", "", ""})
			continue
		}
		g.rows = append(g.rows, []string{
			code(b.tag.String()), arrow(short(b.old.image), short(b.new.image)), b.upstreams(), b.age(), b.source(),
		})
	}
	return g.markdown(widestTable)
}

// arrow leads from one to the other, or is what there is of them.
func arrow(old, after string) string {
	if old == after {
		return code(after)
	}
	return strings.Join(nonEmpty(code(old), code(after)), " → ")
}

func (b *bringing) upstreams() string {
	text := arrow(b.old.upstream, b.new.upstream)
	if v := b.new.labels.Version; v != "" && v != b.new.upstream {
		text = strings.Join(nonEmpty(text, "version "+code(v)), ", ")
	}
	return text
}

const reviewTime = "2006-01-02 15:04 UTC"

// age is when things happened: how long ago that was would be another text each time. Until a proposal
// is merged its images are on record nowhere.
func (b *bringing) age() string {
	var words []string
	if made, err := time.Parse(time.RFC3339, b.new.labels.Created); err == nil && made.Year() > 1970 && made.Year() < 10_000 {
		words = append(words, "built "+made.UTC().Format(reviewTime))
	}
	if found := "found "; !b.since.IsZero() {
		if !b.recorded {
			found = "on record since "
		}
		words = append(words, found+b.since.UTC().Format(reviewTime))
	}
	return strings.Join(words, ", ")
}

// source is what changed between the two images, where both say what they were made from, and a forge has
// a page for that. The text shows where the link leads, as it is the image that says so.
func (b *bringing) source() string {
	old, after := b.old.labels, b.new.labels
	revisions := strings.Join(nonEmpty(code(revisionOf(old)), code(revisionOf(after))), " → ")
	if old.Revision == after.Revision {
		revisions = code(revisionOf(after))
	}
	place, known := forge.Locate(after.Source)
	if !known {
		return strings.Join(nonEmpty(code(after.Source), revisions), " ")
	}
	where := code(place.Host + "/" + place.Path)
	before, sure := place, true
	if old.Source != "" {
		before, sure = forge.Locate(old.Source)
	}
	if sure && before == place && old.Revision != after.Revision && old.Revision != "" && after.Revision != "" {
		return link(strings.Join(nonEmpty(where, revisions), " "), place.Compare(old.Revision, after.Revision))
	}
	return strings.Join(nonEmpty(where, revisions), " ")
}

var commitID = regexp.MustCompile(`^[0-9a-f]{40}([0-9a-f]{24})?$`)

// revisionOf is a revision as people write it.
func revisionOf(l imagestream.Labels) string {
	if commitID.MatchString(l.Revision) {
		return gitstore.Rev(l.Revision).Short()
	}
	return l.Revision
}

// followersOf lists the sites, with what they hold and will.
func followersOf(all []*bringing) string {
	var items []string
	for _, b := range all {
		for _, c := range b.sites {
			row := c.row()
			items = append(items, fmt.Sprintf("%s %s: %s → %s", code(c.Site.Path), codeLine(idOf(c.Site.ID)), codeLine(row[1]), codeLine(row[2])))
		}
	}
	if len(items) == 0 {
		return ""
	}
	return "**Who follows**\n\n" + bullets(items, listedSites, widestList)
}

// choices are what people can do about it.
func (p Proposal) choices(at address) string {
	takeBack := "reopen this one"
	if way := wayBack(movesIn(p.Chain)); way != "" {
		takeBack += ", or run " + span(way)
	}
	hold := "`paused: true` in a rule of `" + ConfigPath + "` stops a path or a namespace, imports and all"
	if !p.StatusOnly() {
		hold = "`\"paused\": true` in the trigger or the marker of a site stops that site; " + hold
	}
	return "**What you can do**\n\n" + strings.Join([]string{
		"- **Take it**: merge it, in whichever way.",
		"- **Take a part of it**: push a commit to this branch. From then on towpath leaves the branch alone; what you take out and then merge counts as rejected.",
		"- **Reject it**: close it. These images are never proposed again for these places; a newer image is. To take that back, " + takeBack + ".",
		"- **Hold it**: " + hold + ".",
	}, "\n") + "\n\nTo see on your machine what merging it does:\n\n" +
		block("sh", "towpath plan --repo "+quoted(withoutPassword(at.Repo))+" --base "+quoted(at.Branch)+" --head "+quoted(p.Branch)) +
		"\n\nThis part is kept up to date. What you write above or below it stays, and so does a title of yours."
}

// withoutPassword is a repository's address as it may be shown.
func withoutPassword(repo string) string {
	u, err := url.Parse(repo)
	switch {
	case err != nil && strings.Contains(repo, "://"):
		return "URL"
	case err != nil || u.User == nil || u.Host == "":
		return repo
	}
	if _, has := u.User.Password(); has || u.Scheme == "http" || u.Scheme == "https" {
		u.User = nil
	}
	return u.String()
}
