// Package trigger finds the places that follow an image stream's tag, and says
// how each is rewritten when the tag moves. Each form that such a place may have is
// one file: here the annotation image.openshift.io/triggers of workloads.
//
// It knows nothing of commits, of forges, or of registries, and not whether a tag
// exists: that a site follows a tag is all in its own file.
package trigger

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/towpath/towpath/imagestream"
	"github.com/towpath/towpath/yamledit"
)

// A Site is a place that holds an image and follows a tag.
type Site struct {
	ID        ID
	Doc       int           // which document of the file
	At        yamledit.Path // the scalar that holds the image; it may not be there yet
	Line, Col int           // of the scalar, or else of its container
	// Follows has no namespace where the file gives none: it is the object's then,
	// which is the caller's to know.
	Follows imagestream.TagRef
	Form    string // "annotation"
	Current string // what it holds, as written; may be blank
	Paused  bool   // the author wants no rewriting now
}

// An ID names a site for as long as people would call it the same.
type ID struct{ Kind, Namespace, Name, Container string }

// Rewrite are the changes that make the site hold image.
func (s Site) Rewrite(image string) []yamledit.Change {
	return []yamledit.Change{{Doc: s.Doc, At: s.At, Op: yamledit.Set, Value: image}}
}

// Same reports whether a site that holds current has image already. The digest
// decides where current has one: the same bytes under another name are no news.
func Same(current, image string) bool {
	if _, digest, ok := strings.Cut(current, "@"); ok {
		_, wanted, _ := strings.Cut(image, "@")
		return digest == wanted
	}
	return current == image
}

// Find finds the sites of a file. A bad trigger is a problem of that trigger; the
// others go on. Problems come without Path.
func Find(f *yamledit.File) ([]Site, []imagestream.Problem) {
	var found finding
	for i, d := range f.Docs {
		found.object(object{doc: i, node: d.Root})
	}
	return found.sites, found.problems
}

type finding struct {
	sites    []Site
	problems []imagestream.Problem
}

// object looks at one object, or at those of a List. A template's objects are left
// alone: they are not what will run.
func (f *finding) object(o object) {
	o.kind, o.name, o.namespace = o.text("kind"), o.text("metadata", "name"), o.text("metadata", "namespace")
	items := o.find("items")
	if o.kind != "List" || items == nil || items.Kind != yaml.SequenceNode {
		f.annotation(o)
		f.template(o)
		f.notYet(o)
		return
	}
	if len(o.at) > 0 {
		return // a List in a List is nobody's
	}
	for i, item := range items.Content {
		f.object(object{doc: o.doc, at: yamledit.Path{"items", i}, node: item})
	}
}

// template says that a template's triggers are left alone. Where it holds an image
// stream, too, package imagestream says so of all of it.
func (f *finding) template(o object) {
	objects := o.find("objects")
	if o.kind != "Template" || objects == nil {
		return
	}
	follows := false
	for _, n := range objects.Content {
		in := object{node: n}
		if in.text("kind") == "ImageStream" {
			return
		}
		follows = follows || in.text("metadata", "annotations", Annotation) != ""
	}
	if follows {
		f.note(o.node.Line, o.node.Column, "a template is read when somebody has processed it: its triggers are left alone")
	}
}

func (f *finding) problem(line, col int, what, fix string) {
	f.problems = append(f.problems, imagestream.Problem{Line: line, Col: col, What: what, Fix: fix})
}

func (f *finding) note(line, col int, what string) {
	f.problems = append(f.problems, imagestream.Problem{Line: line, Col: col, What: what, Note: true})
}

// An object is one object of a file.
type object struct {
	doc                   int
	at                    yamledit.Path // of it in the document
	node                  *yamledit.Node
	kind, namespace, name string
}

func (o object) find(path ...any) *yamledit.Node { return yamledit.Lookup(o.node, path) }

// text is the single value at a path, without it the empty text.
func (o object) text(path ...any) string { return text(o.find(path...)) }

func (o object) path(more ...any) yamledit.Path { return slices.Concat(o.at, more) }

func text(n *yamledit.Node) string {
	if n == nil || n.Kind != yaml.ScalarNode || n.ShortTag() == "!!null" {
		return ""
	}
	return n.Value
}

// notYet says that an OpenShift object's own image triggers are left alone.
func (f *finding) notYet(o object) {
	if o.kind != "DeploymentConfig" && o.kind != "BuildConfig" {
		return
	}
	list := o.find("spec", "triggers")
	if list == nil || list.Kind != yaml.SequenceNode {
		return
	}
	for i := range list.Content {
		if o.text("spec", "triggers", i, "type") == "ImageChange" {
			f.note(list.Line, list.Column, "the ImageChange triggers of a "+o.kind+" are not followed in this version")
			return
		}
	}
}
