package main

import (
	"errors"
	"fmt"
	"path"
	"slices"

	"go.yaml.in/yaml/v4"

	"github.com/towpath/towpath/trigger"
	"github.com/towpath/towpath/yamledit"
)

// An imagesEntry is an entry of a kustomization's images, of which all keys that are there
// must follow together.
type imagesEntry struct {
	doc  int
	at   yamledit.Path // of it
	node *yamledit.Node
	key  string // that was named; empty for the entry itself
}

// entry is the entry of images that a selector leads to, or into, in whatever document.
func (t *triggering) entry(f *yamledit.File, s yamledit.Selector) (imagesEntry, bool) {
	for i, d := range f.Docs {
		if !t.isKustomization(d.Root) {
			continue
		}
		at, _ := s.Find(d.Root)
		key := ""
		if n := len(at); n > 0 {
			if last, ok := at[n-1].(string); ok {
				at, key = at[:n-1], last
			}
		}
		if n := len(at); n == 2 && at[0] == "images" || n == 3 && at[0] == "spec" && at[1] == "images" {
			if node := yamledit.Lookup(d.Root, at); node != nil && node.Kind == yaml.MappingNode {
				return imagesEntry{i, at, node, key}, true
			}
		}
	}
	return imagesEntry{}, false
}

// isKustomization reports whether a document is one, of Kustomize or of Flux.
func (t *triggering) isKustomization(root *yamledit.Node) bool {
	kind, _ := yamledit.Get(root, yamledit.Path{"kind"})
	named := slices.Contains([]string{"kustomization.yaml", "kustomization.yml", "Kustomization"}, path.Base(t.path))
	return kind == "Kustomization" || kind == "" && named
}

// keys are those of the entry that say which image of the name is meant.
func (e imagesEntry) keys() []string {
	return slices.DeleteFunc([]string{"newTag", "digest"}, func(key string) bool {
		n := yamledit.Lookup(e.node, yamledit.Path{key})
		return n == nil || n.ShortTag() == "!!null"
	})
}

// selector leads to the entry by the name of the image or, where it has none, by its place.
func (e imagesEntry) selector() string {
	name, ok := yamledit.Get(e.node, yamledit.Path{"name"})
	if !ok || name == "" {
		return e.at.String()
	}
	return fmt.Sprintf("%s[?(@.name==%s)]", e.at[:len(e.at)-1], quotedJSON(name))
}

// editEntry does what a single marker cannot: it marks newTag and digest together, by both of
// which Kustomize goes, and says what to write into the config where the entry is to follow as
// a whole. One of its keys that stands alone is left to a marker.
func (t *triggering) editEntry(f *yamledit.File, e imagesEntry) (out triggerEdit, done bool, err error) {
	there := e.keys()
	missing := e.key == "" || e.key == "name" || yamledit.Lookup(e.node, yamledit.Path{e.key}) == nil
	pair := len(there) == 2 && slices.Contains(there, e.key) && t.opt.part == ""
	switch {
	case missing && t.opt.remove, !missing && !pair:
		return out, false, nil
	case missing || f.JSON:
		t.opt.part = ""
		return out, true, t.follow(e.selector(), fmt.Sprintf("an entry of images follows as a whole: %s of %s", e.selector(), t.shown(t.path)))
	}
	out.is = func(s trigger.Site, p trigger.Place) bool {
		at := p.At[:max(len(p.At)-1, 0)]
		return s.Form == "marker" && p.Doc == e.doc && slices.Equal(at, e.at) && slices.Contains(there, fmt.Sprint(p.At[len(p.At)-1]))
	}
	out.after = t.before
	for _, key := range there {
		opt := *t.opt
		one := &triggering{app: t.app, checkout: t.checkout, opt: &opt, path: t.path, before: out.after}
		at := append(slices.Clone(e.at), key)
		if opt.field = at.String(); key == e.key {
			opt.field = t.opt.field
		}
		edit, err := one.editValue(f, e.doc, at)
		if t.opt.remove && key != e.key && errors.Is(err, errNoTrigger) {
			continue
		}
		if err != nil {
			return out, true, err
		}
		out.said, out.after, out.count = append(out.said, edit.said...), edit.after, edit.count
		if f, err = yamledit.Parse(out.after, yamledit.DefaultLimits); err != nil {
			return out, true, t.unsure(err.Error())
		}
	}
	return out, true, nil
}
