package reconcile

import (
	"fmt"
	"slices"

	"github.com/towpath/towpath/imagestream"
	"github.com/towpath/towpath/trigger"
)

// A SiteChange gives a site the image that its tag has on record.
type SiteChange struct {
	Site   *Site
	Image  string // the reference to write
	Digest string // of the image on record; empty for references without one
	Source string // upstream reference that it was resolved from, if known
	Moved  bool   // the record came to say this image in this very pass
}

// Follow lists the sites that differ from the record.
//
//	record of the tag        site                     becomes
//	an image                 the same image           nothing
//	an image                 another, or none         that image
//	no image, or no tag      anything                 nothing: what is not resolved is left alone
//	a failure beside items   another image            the last good image
//	malformed, duplicate     anything                 nothing
//	anything                 paused                   nothing
func Follow(r *Recorded) []SiteChange {
	if r.cat.Invalid || r.cat.Config.Paused() {
		return nil
	}
	var changes []SiteChange
	for _, site := range r.cat.Sites {
		want, ok := r.wanted(site.Follows)
		if !ok || site.Paused || trigger.Same(site.Current, want.Image) {
			continue
		}
		want.Site = site
		changes = append(changes, want)
	}
	return changes
}

// wanted is what a site that follows a tag should hold.
func (r *Recorded) wanted(tag imagestream.TagRef) (SiteChange, bool) {
	s := r.cat.Stream(tag.Stream)
	if s == nil || s.Malformed || slices.Contains(s.Spec.Broken, tag.Tag) {
		return SiteChange{}, false
	}
	st, status := r.tag(s, tag.Tag), r.Status(s)
	if st == nil || len(st.Items) == 0 {
		return SiteChange{}, false
	}
	item := st.Items[0]
	w := SiteChange{Image: item.Reference, Digest: digestOf(item.Reference)}
	if t := s.specTag(tag.Tag); t != nil && t.Local && status.Repository != "" && item.Image != "" {
		w.Image = status.Repository + "@" + item.Image // OpenShift: trigger controllers write the stream's own repository
	}
	w.Source = r.upstream(tag)
	before := s.record(tag.Tag)
	w.Moved = before == nil || len(before.Items) == 0 || before.Items[0].Reference != item.Reference &&
		(w.Digest == "" || digestOf(before.Items[0].Reference) != w.Digest)
	return w, true
}

// upstream is the reference that a tag was resolved from or, where it follows
// others, that the first of them was; empty where none is known.
func (r *Recorded) upstream(tag imagestream.TagRef) string {
	for range 10 { // people can follow no more
		s := r.cat.Stream(tag.Stream)
		if s == nil {
			break
		}
		if st := r.tag(s, tag.Tag); st != nil && st.Source != nil {
			return st.Source.From
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
	return ""
}

// Unresolved says why a site is left alone, if the record gives it no image.
func (r *Recorded) Unresolved(site *Site) (why string, unresolved bool) {
	s := r.cat.Stream(site.Follows.Stream)
	switch {
	case r.cat.twice[site.Follows.Stream]:
		return fmt.Sprintf("image stream %s stands in two files", site.Follows.Stream), true
	case s == nil && r.cat.hidden[site.Follows.Stream] != "":
		return fmt.Sprintf("image stream %s is left alone: %s", site.Follows.Stream, r.cat.hidden[site.Follows.Stream]), true
	case s == nil:
		return fmt.Sprintf("there is no image stream %s in this repository", site.Follows.Stream), true
	case s.Malformed:
		return fmt.Sprintf("the status of image stream %s is malformed", s.Name), true
	}
	if slices.Contains(s.Spec.Broken, site.Follows.Tag) {
		return fmt.Sprintf("the spec of %s has a problem", site.Follows), true
	}
	if st := r.tag(s, site.Follows.Tag); st == nil || len(st.Items) == 0 {
		return fmt.Sprintf("no image is on record for %s", site.Follows), true
	}
	return "", false
}
