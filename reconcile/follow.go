package reconcile

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/towpath/towpath/imagestream"
	"github.com/towpath/towpath/trigger"
)

// A SiteChange gives a site the image that its tag has on record.
type SiteChange struct {
	Site   *Site
	Image  trigger.Image
	Source string             // upstream reference that it was resolved from, if known
	Labels imagestream.Labels // what is on record of its origin
	Since  time.Time          // when it went on record
	Aged   time.Duration      // how old it was then, at the least
	Moved  bool               // the record came to say this, as far as the site can tell, in this very pass

	local bool // the image is named in the stream's own repository
}

// style is how references are written where the site has no wish of its own.
func (s *Site) style() trigger.Style { return trigger.Style(s.Settings.ReferenceForm) }

// Writes is what the site holds with the change, for people.
func (c SiteChange) Writes() string {
	after := c.Site.Site
	after.Places = slices.Clone(after.Places)
	values, _ := after.Values(c.Image, c.Site.style())
	for i := range values {
		after.Places[i].Value = values[i]
	}
	return after.Current()
}

// Follow lists the sites that differ from the record.
//
//	record of the tag        site                     becomes
//	an image                 the same image           nothing
//	an image                 another, or none         that image
//	no image, or no tag      anything                 nothing: what is not resolved is left alone
//	an image, not its tag    wants the tag            nothing
//	a failure beside items   another image            the last good image
//	malformed, duplicate     anything                 nothing
//	anything                 paused                   nothing
//	anything                 beside one that has      nothing: a DeploymentConfig starts whole
//	                         no image on record yet
func Follow(r *Recorded) []SiteChange {
	if r.cat.Invalid || r.cat.Config.Paused() {
		return nil
	}
	var changes []SiteChange
	for i, site := range r.cat.Sites {
		w := r.wants()[i]
		if w.why != "" || w.has || site.Paused || r.waits(site) {
			continue
		}
		w.Moved = r.moved(w.SiteChange)
		changes = append(changes, w.SiteChange)
	}
	return changes
}

// A wish is what a site should hold, whether it does, or why the record does not say it.
type wish struct {
	SiteChange
	has bool
	why string
}

// wants are the wishes of all sites, in their order.
func (r *Recorded) wants() []wish {
	if r.wishes == nil {
		r.wishes = make([]wish, len(r.cat.Sites))
		for i, site := range r.cat.Sites {
			r.wishes[i] = r.wanted(site)
		}
	}
	return r.wishes
}

// A unit is an object whose sites are written together for the first time.
type unit struct{ path, name string }

// waits reports whether a site waits for another of its unit, which has no image on record
// and never had one.
func (r *Recorded) waits(site *Site) bool {
	if site.Together == "" {
		return false
	}
	if r.units == nil {
		r.units = map[unit]bool{}
		for i, s := range r.cat.Sites {
			if s.Together != "" && !s.Written && !s.Paused && r.wants()[i].why != "" {
				r.units[unit{s.Path, s.Together}] = true
			}
		}
	}
	return r.units[unit{site.Path, site.Together}]
}

// wanted is the wish of a site.
func (r *Recorded) wanted(site *Site) (w wish) {
	s := r.cat.Stream(site.Follows.Stream)
	switch name := site.Follows.Stream; {
	case r.cat.twice[name]:
		w.why = fmt.Sprintf("image stream %s stands in two files", name)
	case s == nil && r.cat.hidden[name] != "":
		w.why = fmt.Sprintf("image stream %s is left alone: %s", name, r.cat.hidden[name])
	case s == nil:
		w.why = fmt.Sprintf("there is no image stream %s in this repository%s", name, r.cat.namesake(name))
	case s.Malformed:
		w.why = fmt.Sprintf("the status of image stream %s is malformed", s.Name)
	case slices.Contains(s.Spec.Broken, site.Follows.Tag):
		w.why = fmt.Sprintf("the spec of %s has a problem", site.Follows)
	}
	if w.why != "" {
		return w
	}
	image := r.imageFor(site)
	if image == nil {
		w.why = fmt.Sprintf("no image is on record for %s", site.Follows)
		if s.specTag(site.Follows.Tag) == nil && s.Spec.Repository == "" {
			w.why += ", and the stream has no such tag"
		}
		return w
	}
	w.SiteChange = *image
	w.Site = site
	if w.has, w.why = site.Holds(w.Image, site.style()); w.why != "" {
		w.why = fmt.Sprintf("%s: %s", site.Follows, w.why)
	}
	return w
}

// imageFor is what the tag of a site is on record as, as far as the site's lane sees it.
func (r *Recorded) imageFor(site *Site) *SiteChange {
	tag := site.Follows
	if !r.sees(r.laneOfSite(site), tag) {
		r = r.asMerged()
	}
	return r.image(r.cat.Stream(tag.Stream), tag)
}

// namesake is the stream of that name in another namespace, if there is one alone.
func (c *Catalog) namesake(name imagestream.Name) string {
	var found []imagestream.Name
	for _, s := range c.Streams {
		if s.Name.Name == name.Name {
			found = append(found, s.Name)
		}
	}
	if len(found) != 1 {
		return ""
	}
	return fmt.Sprintf("; there is %s", found[0])
}

// moved reports whether the record, as it stands in Git, says something else to a site.
func (r *Recorded) moved(w SiteChange) bool {
	standing := r.asMerged()
	then := standing.image(standing.cat.Stream(w.Site.Follows.Stream), w.Site.Follows)
	return then == nil || !w.says(then.Image)
}

// says reports whether an image is, to the site, what the change writes: the same digest or,
// where it holds none, the same text.
func (c SiteChange) says(image trigger.Image) bool {
	if c.Image.Digest != "" && image.Digest == c.Image.Digest && c.Site.HoldsDigest(c.Image, c.Site.style()) {
		return true
	}
	was, why := c.Site.Values(image, c.Site.style())
	is, _ := c.Site.Values(c.Image, c.Site.style())
	return why == "" && slices.Equal(was, is)
}

// image is what a tag is on record as, for whatever site; nil where there is nothing.
func (r *Recorded) image(s *Stream, tag imagestream.TagRef) *SiteChange {
	if w, ok := r.images[tag]; ok {
		return w
	}
	if r.images == nil {
		r.images = map[imagestream.TagRef]*SiteChange{}
	}
	r.images[tag] = r.imageOf(s, tag)
	return r.images[tag]
}

func (r *Recorded) imageOf(s *Stream, tag imagestream.TagRef) *SiteChange {
	st := r.tag(s, tag.Tag)
	if st == nil || len(st.Items) == 0 {
		return nil
	}
	item := st.Items[0]
	w := &SiteChange{Image: trigger.ParseImage(item.Reference), Since: item.Created, Aged: r.aged(tag)}
	if src := r.source(tag); src != nil {
		w.Source, w.Labels = src.From, src.Labels
	}
	repository := cmp.Or(r.cat.own(s.Name), r.Status(s).Repository)
	switch t := s.specTag(tag.Tag); {
	case t != nil && t.Local && repository != "" && item.Image != "":
		// As OpenShift's trigger controllers do: the stream's own repository, in which the
		// image has the tag of the stream.
		w.Image, w.local = trigger.Image{Name: repository, Tag: tag.Tag, Digest: item.Image}, true
	case r.cat.isPush(item, r.origin(tag)):
		w.Image.Tag = r.origin(tag).Tag
	case w.Image.Digest != "":
		w.Image.Tag = cmp.Or(trigger.ParseImage(w.Source).Tag, w.Image.Tag)
	}
	return w
}

// source is what a tag was resolved from or, where it follows others, what the first of
// them was; nil where that is not known.
func (r *Recorded) source(tag imagestream.TagRef) *imagestream.Source {
	tag = r.origin(tag)
	if s := r.cat.Stream(tag.Stream); s != nil {
		if st := r.tag(s, tag.Tag); st != nil {
			return st.Source
		}
	}
	return nil
}

// origin is the tag that a tag follows, over however many others: itself where it follows
// none.
func (r *Recorded) origin(tag imagestream.TagRef) imagestream.TagRef {
	for range 10 { // people can follow no more
		s := r.cat.Stream(tag.Stream)
		if s == nil {
			break
		}
		t := s.specTag(tag.Tag)
		if t == nil {
			break
		}
		a, _ := aliasOf(s, t)
		if a.source.Tag == "" {
			break
		}
		tag = a.source
	}
	return tag
}

// Unresolved lists the sites that are left alone, as the record does not say what they
// should hold.
func (r *Recorded) Unresolved() (left []Unresolved) {
	for i, site := range r.cat.Sites {
		switch w := r.wants()[i]; {
		case w.why != "":
			left = append(left, Unresolved{site, w.why})
		case !site.Paused && r.waits(site):
			left = append(left, Unresolved{site, fmt.Sprintf("a %s starts whole, and another of its triggers has no image on record yet", site.ID.Kind)})
		}
	}
	return left
}
