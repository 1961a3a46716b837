package trigger

import (
	"fmt"
	"slices"

	"github.com/towpath/towpath/imagestream"
	"github.com/towpath/towpath/yamledit"
)

const change = "imageChange"

// buildConfig finds what the ImageChange triggers of a BuildConfig make follow:
//
//	triggers:
//	- type: ImageChange
//	  imageChange:
//	    from: {kind: ImageStreamTag, name: base:stable} # else the strategy's
//	    paused: false
//	    lastTriggeredImageID: quay.io/team1/base@sha256:…
//
// A trigger is one site of one place, lastTriggeredImageID, which is a reference despite
// its name. The strategy stays as it is: the build looks its image up itself.
func (f *finding) buildConfig(o object) {
	if o.kind != "BuildConfig" {
		return
	}
	var sites []Site
	tags := map[imagestream.TagRef]int{}
	for _, t := range f.imageChanges(o, change) {
		s, ok := f.buildTrigger(o, t)
		if !ok {
			continue
		}
		sites = append(sites, s)
		if tags[s.tag()]++; tags[s.tag()] == 2 {
			f.problem(t.node.Line, t.node.Column, fmt.Sprintf("two triggers follow %s: neither is used", s.Follows), "remove one of them")
		}
	}
	for _, s := range sites {
		if tags[s.tag()] == 1 {
			f.use(o, s)
		}
	}
}

// tag is what a site follows, with the object's namespace where there is no other.
func (s Site) tag() imagestream.TagRef {
	tag := s.Follows
	if tag.Stream.Namespace == "" {
		tag.Stream.Namespace = s.ID.Namespace
	}
	return tag
}

func (f *finding) buildTrigger(o, t object) (Site, bool) {
	paused, said := f.flag(t, change, "paused")
	follows, ok := f.buildFrom(o, t)
	if !said || !ok {
		return Site{}, false
	}
	last := t.place(Ref, change, "lastTriggeredImageID")
	last.Book = true
	return Site{
		ID:      ID{Kind: o.kind, Namespace: o.namespace, Name: o.name, Field: "ImageChange " + follows.String()},
		Follows: follows, Form: "buildconfig", Paused: paused,
		Places: []Place{last},
	}, true
}

// buildFrom is the tag that a trigger follows: its own, else that which the build starts
// from.
func (f *finding) buildFrom(o, t object) (imagestream.TagRef, bool) {
	if from := t.find(change, "from"); !isNull(from) {
		return f.from(t, from, "")
	}
	from := o.strategyFrom()
	if kind := (object{node: from}).text("kind"); from == nil || kind != "" && kind != "ImageStreamTag" {
		what := "a trigger without a from follows what the build starts from, and that is no tag of a stream"
		f.problem(t.node.Line, t.node.Column, what, `give it one, "from": {"kind": "ImageStreamTag", "name": "STREAM:TAG"}, or remove the trigger`)
		return imagestream.TagRef{}, false
	}
	return f.from(t, from, "ImageStreamTag")
}

// strategyFrom is what a build starts from, nil where it says nothing of that.
func (o object) strategyFrom() *yamledit.Node {
	strategies := []string{"sourceStrategy", "dockerStrategy", "customStrategy"}
	i := slices.IndexFunc(strategies, func(s string) bool { return !isNull(o.find("spec", "strategy", s)) })
	if i < 0 {
		return nil
	}
	if from := o.find("spec", "strategy", strategies[i], "from"); !isNull(from) {
		return from
	}
	return nil
}
