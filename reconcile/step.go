package reconcile

import (
	"slices"
	"strings"

	"github.com/towpath/towpath/gitstore"
	"github.com/towpath/towpath/imagestream"
	"github.com/towpath/towpath/trigger"
)

// A step goes from a commit back to its first parent.
type step struct {
	h       *history
	at      gitstore.Snapshot
	parent  gitstore.Snapshot
	changes []gitstore.Change // from parent to at, by path
	era     *era              // of the parent

	gone  map[sides]*departed
	later map[*Catalog]*departed
	pairs map[string]map[sides]twins                   // by path
	moved map[*Catalog]map[imagestream.TagRef][]change // sites that both sides have, and the change touched
	gave  map[giving]bool
}

// sides are what has the configs by which the parent and the commit are read.
type sides struct{ before, after *Catalog }

// giving is that sites of a tag are given an image.
type giving struct {
	under   *Catalog
	tag     imagestream.TagRef
	image   trigger.Image
	company string
}

// change is a site on both sides of a step.
type change struct{ before, after *Site }

// change is what the step did at a path, nil where it did nothing.
func (s *step) change(path string) *gitstore.Change {
	i, ok := slices.BinarySearchFunc(s.changes, path, func(c gitstore.Change, p string) int { return strings.Compare(c.Path, p) })
	if !ok {
		return nil
	}
	return &s.changes[i]
}

// siteBefore is a site as the parent has it: the same one where the step did not touch its
// file; nil where it was not there yet. What is not found under the config by which the
// site was found is looked for once more under the parent's own.
func (s *step) siteBefore(site *Site) (*Site, error) {
	ch := s.change(site.Path)
	if ch == nil {
		return site, nil
	}
	after := s.h.under(site)
	was, err := s.siteUnder(ch, site, sides{after, after})
	if err != nil || was != nil && was != site {
		return was, err
	}
	if before, err := s.h.config(s.era); err != nil {
		return nil, err
	} else if before != after {
		if then, err := s.siteUnder(ch, site, sides{before, after}); then != nil || err != nil {
			return then, err
		}
	}
	return was, nil
}

// siteUnder is siteBefore under configs, and the site itself where the parent's file is broken:
// nobody knows what it held meanwhile, so that it is looked for further back. A site that came into its file is looked for
// among those that the step took out of others, then among those that lost their names,
// then in files that were removed not long after.
func (s *step) siteUnder(ch *gitstore.Change, site *Site, by sides) (*Site, error) {
	if then, err := s.twin(ch, site.ID, by); then != nil || err != nil {
		return then, err
	}
	if broken, err := s.broken(ch.Old, by.before); broken || err != nil {
		return site, err
	}
	gone, err := s.wentAway(by)
	if err != nil {
		return nil, err
	}
	if was := gone.site(site, by); was != nil || ch.New == nil {
		return was, nil
	}
	before, err := s.h.sites(s.parent, ch.Old, by.before)
	if err != nil {
		return nil, err
	}
	after, err := s.h.sites(s.at, ch.New, by.after)
	if err != nil {
		return nil, err
	}
	if was := renamed(before, after, site); was != nil {
		return was, nil
	}
	later, err := s.goesAway(by.before)
	if err != nil {
		return nil, err
	}
	if was := later.site(site, by); was != nil && was.Current() == site.Current() {
		return was, nil
	}
	return nil, nil
}

// siteAway is a site that is back in the commit after it was away, as the step took it out of
// a file: the same, holding the same. It is nil where the step did not.
func (s *step) siteAway(site *Site) (*Site, error) {
	var all []*Site
	under := s.h.under(site)
	for _, ch := range s.changes {
		if ch.Old == nil || ch.New != nil && ch.Path != site.Path {
			continue
		}
		was, err := s.h.site(s.parent, ch.Old, under, site.ID)
		if err != nil {
			return nil, err
		}
		if was != nil && was.Current() == site.Current() {
			all = append(all, was)
		}
	}
	return closest(all, whereSite, whereSite(site)), nil
}

// renamed is what a site was called before the step that changed its file: of those that follow
// the same tag there and lost their names, the one that held the same, else the one
// at the same place among them. Containers get other names, and elements of lists move.
func renamed(before, after []*Site, site *Site) *Site {
	lost, found := without(before, after, site.Follows), without(after, before, site.Follows)
	for _, then := range lost {
		if then.Current() == site.Current() {
			return then
		}
	}
	if i := slices.IndexFunc(found, func(s *Site) bool { return s.ID == site.ID }); i >= 0 && len(lost) > 0 {
		return lost[min(i, len(lost)-1)]
	}
	return nil
}

// without are the sites that follow a tag, and whose names others do not have.
func without(sites, others []*Site, tag imagestream.TagRef) []*Site {
	return slices.DeleteFunc(slices.Clone(sites), func(s *Site) bool {
		return s.Follows != tag || slices.ContainsFunc(others, func(o *Site) bool { return o.ID == s.ID })
	})
}

// broken reports whether the parent's file has a problem, so that what is not found in it may
// have been there all the same.
func (s *step) broken(f *gitstore.File, under *Catalog) (bool, error) {
	p, err := s.h.read(s.parent, f, under)
	if err != nil {
		return false, err
	}
	return slices.ContainsFunc(p.problems, isGrave), nil
}

// recordBefore is a record of a tag as the parent has it, and where it stands there; nil
// where the stream was not there, or said nothing of the tag. A record whose file the step
// changed is looked for as sites are.
func (s *step) recordBefore(at home, tag string) (*imagestream.TagStatus, home, error) {
	was, err := s.streamUnder(at, sides{at.under, at.under})
	if err == nil && was == nil {
		before, bad := s.h.config(s.era)
		if bad != nil || before == at.under {
			return nil, at, bad
		}
		was, err = s.streamUnder(at, sides{before, at.under})
	}
	if was == nil || err != nil {
		return nil, at, err
	}
	return was.doc.Status.Tag(tag), *was, nil
}

func (s *step) streamUnder(at home, by sides) (*home, error) {
	old := s.change(at.file.Path).Old
	p, err := s.h.read(s.parent, old, by.before)
	if err != nil {
		return nil, err
	}
	for _, name := range by.names(at.name) {
		if d := by.before.streamIn(p, at.file.Path, name); d != nil {
			return by.before.home(*old, d), nil
		}
	}
	gone, err := s.wentAway(by)
	if err != nil {
		return nil, err
	}
	if was := gone.stream(at, by); was != nil {
		return was, nil
	}
	later, err := s.goesAway(by.before)
	if err != nil {
		return nil, err
	}
	return later.stream(at, by), nil
}

// home is where a stream stands that a file holds.
func (c *Catalog) home(f gitstore.File, d *imagestream.Document) *home {
	return &home{f, imagestream.Name{Namespace: c.namespace(f.Path, d.Name.Namespace), Name: d.Name.Name}, c, d}
}

// unknown reports whether the parent's file does not show what a stream's record was: the
// file cannot be read, or the status cannot.
func (s *step) unknown(at home) (bool, error) {
	old := s.change(at.file.Path).Old
	p, err := s.h.read(s.parent, old, at.under)
	if err != nil {
		return false, err
	}
	if d := at.under.streamIn(p, at.file.Path, at.name); d != nil {
		return d.Malformed, nil
	}
	return s.broken(old, at.under)
}

// gives reports whether the commit gave an image to others that followed the tag of a site then, and
// would have been proposed with it.
func (s *step) gives(image trigger.Image, site *Site) (bool, error) {
	it := giving{s.h.under(site), site.Follows, image, site.company()}
	if gave, known := s.gave[it]; known {
		return gave, nil
	}
	touched, err := s.touched(it.tag, it.under)
	if err != nil {
		return false, err
	}
	if s.gave == nil {
		s.gave = map[giving]bool{}
	}
	s.gave[it] = slices.ContainsFunc(touched, func(c change) bool {
		return c.after.company() == it.company && !c.before.Has(image, c.before.style()) && c.after.Has(image, c.after.style())
	})
	return s.gave[it], nil
}

// company is what sites of a tag have in common that are proposed together.
func (s *Site) company() string {
	if s.Settings.Group == "namespace" {
		return s.Settings.Triggers + " " + s.ID.Namespace
	}
	return s.Settings.Triggers + " by " + s.Settings.Group
}

// touched are the sites that follow a tag, that both sides have, and whose files the step
// changed.
func (s *step) touched(tag imagestream.TagRef, under *Catalog) ([]change, error) {
	if moved, ok := s.moved[under]; ok {
		return moved[tag], nil
	}
	moved := map[imagestream.TagRef][]change{}
	for i := range s.changes {
		ch := &s.changes[i]
		if ch.Old == nil || ch.New == nil {
			continue
		}
		after, err := s.h.sites(s.at, ch.New, under)
		if err != nil {
			return nil, err
		}
		for _, a := range after {
			b, err := s.twin(ch, a.ID, sides{under, under})
			if err != nil {
				return nil, err
			}
			if b != nil {
				moved[a.Follows] = append(moved[a.Follows], change{b, a})
			}
		}
	}
	if s.moved == nil {
		s.moved = map[*Catalog]map[imagestream.TagRef][]change{}
	}
	s.moved[under] = moved
	return moved[tag], nil
}
