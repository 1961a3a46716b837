package reconcile

import (
	"cmp"

	"github.com/towpath/towpath/config"
	"github.com/towpath/towpath/imagestream"
)

// A lane is where changes are written: straight to the branch that is watched or, where
// people review them first, to the branch of a proposal. A change sees only what is on the
// watched branch and what its own lane writes: whatever order lanes are merged in, or
// whichever never is, no site holds an image that was not on record before.
type lane struct {
	by    string             // what its changes have in common, as config.Settings.Group says; empty: straight
	scope imagestream.TagRef // a tag, a stream, a namespace; empty for all
}

func (l lane) straight() bool { return l.by == "" }

func (l lane) compare(o lane) int {
	return cmp.Or(compareTags(l.scope, o.scope), cmp.Compare(l.by, o.by))
}

// byProposal is what a setting says of changes that are reviewed.
const byProposal = "proposal"

// laneOf is where the status of a tag is written. What follows another tag goes with it: they
// move together.
func (r *Recorded) laneOf(tag imagestream.TagRef) lane {
	s := r.cat.Stream(tag.Stream)
	if s == nil || s.Settings.Status != byProposal {
		return lane{}
	}
	return r.laneBy(s.Settings, r.origin(tag), tag.Stream.Namespace)
}

// laneOfSite is where a site is written. What starts whole goes where the first of it goes: in lanes
// that are merged one by one it would start half.
func (r *Recorded) laneOfSite(s *Site) lane {
	if s.Settings.Triggers != byProposal {
		return lane{}
	}
	if first := r.cat.starts[unit{s.Path, s.Together}]; s.Together != "" && first != nil {
		s = first
	}
	return r.laneBy(s.Settings, r.origin(s.Follows), s.ID.Namespace)
}

// laneBy is the lane that a setting gives. The tags of a repository that is imported whole are one
// thing, however many there are; so are those of a stream that is still to get its file.
func (r *Recorded) laneBy(settings config.Settings, tag imagestream.TagRef, namespace string) lane {
	by := settings.Group
	if s := r.cat.Stream(tag.Stream); by == "tag" && s != nil && (s.seed != nil || s.Spec.Repository != "" && s.specTag(tag.Tag) == nil) {
		by = "stream"
	}
	return lane{by, scopeOf(by, tag, namespace)}
}

// otherwise are the lanes in which a change of a tag would be under another group.
func (l lane) otherwise(tag imagestream.TagRef, namespace string) (others []lane) {
	for _, by := range []string{"tag", "stream", "namespace", "all"} {
		if by != l.by {
			others = append(others, lane{by, scopeOf(by, tag, namespace)})
		}
	}
	return others
}

// scopeOf is what changes of a group have in common.
func scopeOf(by string, tag imagestream.TagRef, namespace string) imagestream.TagRef {
	switch by {
	case "stream":
		tag.Tag = ""
	case "namespace":
		tag = imagestream.TagRef{Stream: imagestream.Name{Namespace: namespace}}
	case "all":
		tag = imagestream.TagRef{}
	}
	return tag
}

// sees reports whether what is written in a lane sees the record of a tag as it will stand.
func (r *Recorded) sees(l lane, tag imagestream.TagRef) bool {
	of := r.laneOf(tag)
	return of == l || r.rehearsed && of.straight()
}
