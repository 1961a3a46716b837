package trigger

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/towpath/towpath/imagestream"
	"github.com/towpath/towpath/yamledit"
)

// FormAnnotation says how the references of an object's triggers are written: a Style.
const FormAnnotation = "towpath.dev/reference-form"

// An object is one object of a file, or a part of one.
type object struct {
	doc                   int
	at                    yamledit.Path // of it in the document
	node                  *yamledit.Node
	kind, namespace, name string
	named                 map[string]map[string][]yamledit.Path // what images has said, by podSpec
}

func (o object) find(path ...any) *yamledit.Node { return yamledit.Lookup(o.node, path) }

// text is the single value at a path, without it the empty text.
func (o object) text(path ...any) string { return text(o.find(path...)) }

func (o object) path(more ...any) yamledit.Path { return slices.Concat(o.at, more) }

func text(n *yamledit.Node) string {
	if isNull(n) || n.Kind != yaml.ScalarNode {
		return ""
	}
	return n.Value
}

// isNull reports whether a value is missing, or says that it is.
func isNull(n *yamledit.Node) bool { return n == nil || n.ShortTag() == "!!null" }

func isMapping(n *yamledit.Node) bool { return n != nil && n.Kind == yaml.MappingNode }

// place is the value at a path of the object. Where it is missing it has the position of
// what it would stand in.
func (o object) place(part Part, at ...any) Place {
	p := Place{Doc: o.doc, At: o.path(at...), Part: part, Line: o.node.Line, Col: o.node.Column}
	if in := o.find(at[:len(at)-1]...); in != nil {
		p.Line, p.Col = in.Line, in.Column
	}
	if n := o.find(at...); n != nil {
		p.Line, p.Col, p.Value = n.Line, n.Column, text(n)
	}
	return p
}

// The lists of a pod's containers, in the order in which a name is looked for.
var containerLists = []string{"initContainers", "containers"}

// containers are the names of a list's containers, of so many at most; empty where there
// are none.
func (o object) containers(podSpec, list string, most int) []string {
	n := o.find(pods(podSpec, list)...)
	if n == nil || n.Kind != yaml.SequenceNode {
		return nil
	}
	names := make([]string, min(len(n.Content), most))
	for i := range names {
		if at := (yamledit.Path{i}); isMapping(yamledit.Lookup(n, at)) {
			names[i] = text(yamledit.Lookup(n, append(at, "name")))
		}
	}
	return names
}

// images are the paths of the containers' images by the containers' names: of an init
// container first, and of each list the first one that has the name.
func (o object) images(podSpec string) map[string][]yamledit.Path {
	if images, ok := o.named[podSpec]; ok {
		return images
	}
	images := map[string][]yamledit.Path{}
	for _, list := range containerLists {
		seen := map[string]bool{"": true}
		for i, name := range o.containers(podSpec, list, math.MaxInt) {
			if !seen[name] {
				seen[name] = true
				images[name] = append(images[name], pods(podSpec, list, i, "image"))
			}
		}
	}
	if o.named != nil {
		o.named[podSpec] = images
	}
	return images
}

// pods is a path below the description of an object's pods.
func pods(podSpec string, more ...any) yamledit.Path {
	var at yamledit.Path
	for key := range strings.SplitSeq(podSpec, ".") {
		at = append(at, key)
	}
	return append(at, more...)
}

// ready reports whether an object's triggers, which stand at n, can be read: it has a name,
// and nothing that says what they follow is yet to be filled in.
func (f *finding) ready(o object, n *yamledit.Node, says ...*yamledit.Node) bool {
	switch {
	case isPlaceholder(o.name) || isPlaceholder(o.namespace) || slices.ContainsFunc(says, hasPlaceholder):
		f.note(n.Line, n.Column, "placeholders stand in this object: its triggers are left alone until something has filled them in")
	case o.name == "":
		f.problem(n.Line, n.Column, fmt.Sprintf("a %s with triggers has no name", o.kind), "give it one below metadata: name: web")
	default:
		return true
	}
	return false
}

func isPlaceholder(s string) bool {
	for _, sign := range []string{"${", "{{", "{%", "$("} {
		if strings.Contains(s, sign) {
			return true
		}
	}
	return false
}

func hasPlaceholder(n *yamledit.Node) bool {
	return n != nil && (n.Kind == yaml.ScalarNode && isPlaceholder(n.Value) || slices.ContainsFunc(n.Content, hasPlaceholder))
}

// follows reports whether an object says that it follows tags, well or badly.
func (o object) follows() bool {
	if o.text("metadata", "annotations", Annotation) != "" {
		return true
	}
	list := o.find("spec", "triggers")
	return list != nil && list.Kind == yaml.SequenceNode && slices.ContainsFunc(list.Content, func(n *yamledit.Node) bool {
		return strings.EqualFold(text(yamledit.Lookup(n, yamledit.Path{"type"})), "ImageChange")
	})
}

// use takes a site of an object in, unless one of its places can hold no image.
func (f *finding) use(o object, s Site) {
	for _, p := range s.Places {
		n := o.find(p.At[len(o.at):]...)
		switch {
		case n != nil && n.Kind != yaml.ScalarNode:
			f.problem(n.Line, n.Column, "an image is one value, and here stands a mapping or a list", `write a blank, which is replaced: " "`)
			return
		case isPlaceholder(p.Value):
			f.note(p.Line, p.Col, "a placeholder stands here: it is left alone")
			return
		}
	}
	s.Line, s.Col = s.Places[0].Line, s.Places[0].Col
	f.sites = append(f.sites, s)
}

// wish gives the sites of an object, which are those from an index on, the object's own
// wish. One that is not understood leaves them alone.
func (f *finding) wish(o object, from int) {
	n := o.find("metadata", "annotations", FormAnnotation)
	if isNull(n) || len(f.sites) == from {
		return
	}
	style := Style(text(n))
	switch style {
	case ByDigest, ByTagDigest, ByTag:
	default:
		f.problem(n.Line, n.Column, fmt.Sprintf("%s is %q: no trigger of this object is used", FormAnnotation, style),
			fmt.Sprintf("%s: %s, %s or %s", FormAnnotation, ByDigest, ByTagDigest, ByTag))
		f.sites = f.sites[:from]
	}
	for i := range f.sites[from:] {
		f.sites[from+i].Wish = style
	}
}

// where tells places of a file apart.
type where struct {
	doc       int
	at        string
	line, col int
}

func (p Place) where() where { return where{p.Doc, p.At.String(), p.Line, p.Col} }

// disputed takes out the sites that have a place in common, paused or not: they would
// fight, if not now.
func (f *finding) disputed() {
	sites := map[where]int{}
	for _, s := range f.sites {
		for _, p := range s.Places {
			if sites[p.where()]++; sites[p.where()] == 2 {
				f.problem(p.Line, p.Col, "two triggers rewrite this image: neither is used", "remove one of them")
			}
		}
	}
	f.sites = slices.DeleteFunc(f.sites, func(s Site) bool {
		return slices.ContainsFunc(s.Places, func(p Place) bool { return sites[p.where()] > 1 })
	})
}

// tagRef is the tag that a trigger's from names; what says why it names none. "web:" is
// the tag latest.
func tagRef(kind, namespace, name string) (ref imagestream.TagRef, what, fix string) {
	stream, tag, ok := strings.Cut(name, ":")
	switch {
	case kind != "ImageStreamTag":
		return ref, fmt.Sprintf("a trigger follows the kind %q", kind), `"kind": "ImageStreamTag"`
	case !ok || stream == "" || strings.Contains(tag, ":"):
		return ref, fmt.Sprintf("a trigger follows %q, which is no tag of a stream", name), `"name": "STREAM:TAG"`
	}
	return imagestream.TagRef{Stream: imagestream.Name{Namespace: namespace, Name: stream}, Tag: cmp.Or(tag, "latest")}, "", ""
}

// imageChanges are the triggers of an object's own list that follow images, with more of each
// below a key.
func (f *finding) imageChanges(o object, key string) []object {
	list := o.find("spec", "triggers")
	switch {
	case isNull(list):
		return nil
	case list.Kind != yaml.SequenceNode:
		f.problem(list.Line, list.Column, fmt.Sprintf("the triggers of a %s are a list", o.kind), "triggers: [{type: ImageChange, …}]")
		return nil
	}
	var triggers []object
	says := []*yamledit.Node{o.strategyFrom()}
	for i, n := range list.Content {
		t := object{doc: o.doc, at: o.path("spec", "triggers", i), node: yamledit.Lookup(n, nil)}
		kind, more := t.text("type"), t.find(key)
		switch {
		case !isMapping(t.node):
			f.problem(n.Line, n.Column, "a trigger is a mapping", "- type: ImageChange")
		case !isNull(more) && !isMapping(more):
			f.problem(more.Line, more.Column, fmt.Sprintf("the %s of a trigger is a mapping", key), key+": {…}")
		case kind == "ImageChange" || kind == "imageChange" && o.kind == "BuildConfig": // as it was written once
			triggers, says = append(triggers, t), append(says, t.node)
		}
	}
	if len(triggers) == 0 || !f.ready(o, list, says...) {
		return nil
	}
	return triggers
}

// from is the tag that a trigger's own from names; kind is what stands for a missing one.
func (f *finding) from(t object, from *yamledit.Node, kind string) (imagestream.TagRef, bool) {
	in := object{node: from}
	ref, what, fix := tagRef(cmp.Or(in.text("kind"), kind), in.text("namespace"), in.text("name"))
	if what != "" {
		n := cmp.Or(from, t.node)
		f.problem(n.Line, n.Column, what, fix)
	}
	return ref, what == ""
}

// flag is true or false, which is what stands for a missing one.
func (f *finding) flag(t object, at ...any) (value, ok bool) {
	n := t.find(at...)
	switch {
	case isNull(n):
		return false, true
	case n.Kind == yaml.ScalarNode && n.ShortTag() == "!!bool":
		return strings.EqualFold(n.Value, "true"), true
	}
	key := at[len(at)-1]
	f.problem(n.Line, n.Column, fmt.Sprintf("%v of a trigger is neither true nor false", key), fmt.Sprintf("without quotes: %v: true", key))
	return false, false
}
