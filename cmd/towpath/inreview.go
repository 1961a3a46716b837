package main

import (
	"slices"

	"github.com/towpath/towpath/imagestream"
	"github.com/towpath/towpath/reconcile"
	"github.com/towpath/towpath/web"
)

// inReview are the proposals that bring tags, by tag: those that people look at now. Of a tag that stands
// in several the first counts.
type inReview map[string]arrival

// An arrival is an image that a tag is to be, and the proposal that brings it.
type arrival struct {
	*web.Proposal
	image string // its digest or, where it has none, its reference
}

func reviewsOf(ps []web.Proposal) inReview {
	all := inReview{}
	for i := range ps {
		if s := reconcile.ReviewState(ps[i].State); s != reconcile.UnderReview && s != reconcile.Frozen && s != reconcile.Pushed {
			continue
		}
		for _, image := range ps[i].Tags {
			if _, has := all[image.Tag]; !has {
				all[image.Tag] = arrival{&ps[i], image.Image}
			}
		}
	}
	return all
}

// of is what brings a tag an image that is not on record yet.
func (r inReview) of(v reconcile.TagView) (arrival, bool) {
	a, ok := r[v.Tag.String()]
	known := v.Item != nil && (v.Item.Image == a.image || v.Item.Image == "" && v.Item.Reference == a.image)
	return a, ok && !known
}

// name is the proposal as people call it: #12, at GitLab !12, else its branch.
func (a arrival) name() string { return called(a.Number, a.URL, a.Branch) }

// page is its name, and where it is read.
func (a arrival) page() string {
	if a.URL == "" {
		return a.name()
	}
	return a.name() + " " + printable(a.URL)
}

// explained says of the sites that wait for the first image of their tag in which proposal that is.
func (r inReview) explained(cat *reconcile.Catalog, us []reconcile.Unresolved) []reconcile.Unresolved {
	us = slices.Clone(us)
	for i, u := range us {
		if a, ok := r[u.Site.Follows.String()]; ok && !hasImage(cat, u.Site.Follows) {
			us[i].Why = "the first image of " + u.Site.Follows.String() + " is in review: " + a.page()
		}
	}
	return us
}

// hasImage reports whether a tag is on record as an image.
func hasImage(cat *reconcile.Catalog, tag imagestream.TagRef) bool {
	s := cat.Stream(tag.Stream)
	if s == nil {
		return false
	}
	st := s.Status.Tag(tag.Tag)
	return st != nil && len(st.Items) > 0
}

// stateOf is a tag's state, in words.
func (s *survey) stateOf(v reconcile.TagView) string {
	a, coming := s.reviews.of(v)
	switch {
	case coming && v.State == reconcile.Waiting:
		return "in review, " + a.name()
	case coming:
		return string(v.State) + "; in review, " + a.name()
	}
	return string(v.State)
}

// reviewed reports whether all that a tag waits for is its review.
func (s *survey) reviewed(v reconcile.TagView) bool {
	_, coming := s.reviews.of(v)
	return coming && v.State == reconcile.Waiting
}

// propose takes in the proposals.
func (s *survey) propose(ps []web.Proposal) {
	s.proposals, s.reviews = ps, reviewsOf(ps)
	s.rep.Unresolved = s.reviews.explained(s.cat, s.rep.Unresolved)
	s.standings = standingsOf(s.rep)
}
