// Package trigger finds the places that follow an image stream's tag, and says
// how each is rewritten when the tag moves. Each form that such a place may have is
// one file: the annotation image.openshift.io/triggers (annotation.go), the image
// triggers of a DeploymentConfig and of a BuildConfig, a marker in a comment of YAML
// (marker.go) or above a line of any other text (text.go), and a field that the
// repository's config names (field.go).
//
// It knows nothing of commits, of forges, or of registries, and not whether a tag
// exists: that a site follows a tag is all in its own file, or in what it is told of it.
package trigger

import (
	"cmp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/towpath/towpath/imagestream"
	"github.com/towpath/towpath/yamledit"
)

// A Site is one or more places that hold an image and follow a tag together: they are
// rewritten all or none.
type Site struct {
	ID        ID
	Line, Col int // of the first place, or where it would be
	// Follows has no namespace where the file gives none: it is the object's then,
	// which is the caller's to know.
	Follows imagestream.TagRef
	// Policy is the image policy of Flux that the site names, as "namespace:name";
	// Follows is then the tag that it stands for where nobody says otherwise.
	Policy string
	Form   string // "annotation", "deploymentconfig", "buildconfig", "marker" or "field"
	Wish   Style  // how the site wants references written; empty: as the repository has it
	Places []Place
	Paused bool // the author wants no rewriting now
	// Together is set where OpenShift writes none of an object's images before all are
	// known: the sites of a file that say the same wait for those among them that were
	// never Written.
	Together string
	Written  bool
}

// A Place is a single value in a file.
type Place struct {
	Doc       int           // which document of a YAML file
	At        yamledit.Path // the scalar there, which may be missing; nil in a text file
	Line, Col int           // of the value
	Part      Part          // of the image
	Before    string        // stands before the part and stays: "docker://"
	Value     string        // the part as it stands; may be blank
	// Book says that the place only notes what was written beside it. It is never a reason
	// to write, unless there is no other place.
	Book bool
}

// A Part is what of an image a place holds.
type Part string

const (
	Ref       Part = "ref"        // a reference, in the style that is wanted
	Name      Part = "name"       // registry and repository
	Tag       Part = "tag"        // the tag at the registry, as 1.4.3
	Digest    Part = "digest"     // sha256:…
	TagDigest Part = "tag@digest" // 1.4.3@sha256:…
)

// A Style is how a reference is written.
type Style string

const (
	ByDigest    Style = "digest"     // repo@sha256:…
	ByTagDigest Style = "tag@digest" // repo:1.4.3@sha256:…; without a known tag as ByDigest
	ByTag       Style = "tag"        // repo:1.4.3
)

// An ID names a site of a file for as long as people would call it the same: by the object
// that it is in, where it is in one that has a name, and its container or else its field.
// Of those that would be equal the later ones have " (2)", " (3)" at the field's end.
type ID struct {
	Kind, Namespace, Name string
	Container             string // its name
	Field                 string // "images[web].newTag"; of text, what the marker says
}

// String is "Deployment team1/web, container app".
func (id ID) String() string {
	name := id.Name
	if id.Namespace != "" && name != "" {
		name = id.Namespace + "/" + id.Name
	}
	var words []string
	if object := strings.TrimSpace(id.Kind + " " + name); object != "" {
		words = append(words, object)
	}
	if id.Container != "" {
		words = append(words, "container "+id.Container)
	}
	if id.Field != "" {
		words = append(words, id.Field)
	}
	return strings.Join(words, ", ")
}

// An As says how the text of a file is read.
type As struct {
	Text   bool    // lines of any kind, in place of YAML or JSON
	Fields []Field // that follow a tag because the repository's config says so
}

// Find finds the sites of a file of YAML or JSON. A bad trigger is a problem of that
// trigger; the others go on. Problems come without Path.
func Find(f *yamledit.File, fields ...Field) ([]Site, []imagestream.Problem) {
	found := finding{ways: newWays()}
	for i, d := range f.Docs {
		found.object(object{doc: i, node: d.Root})
	}
	found.markers(f)
	found.fields(f, fields)
	found.disputed()
	return found.numbered(), found.problems
}

// FindText finds the sites of a file of any other text.
func FindText(src []byte) ([]Site, []imagestream.Problem) {
	var found finding
	found.text(src)
	found.disputed()
	return found.numbered(), found.problems
}

// Mentions reports whether a text may hold sites: what it says of others needs no look.
func Mentions(src []byte) bool {
	return contains(src, Annotation, "ImageChange", `"imageChange"`, "imageChange:", markerKey, policyKey)
}

// A Rewrite gives a site an image, with references in a style where the site has no
// wish of its own.
type Rewrite struct {
	Site  Site
	Image Image
	Style Style
}

// Rewritten is the text of a file in which sites hold their images, all or none. What
// cannot be edited surely is a *yamledit.Refused.
func Rewritten(src []byte, as As, rewrites ...Rewrite) ([]byte, error) {
	if as.Text {
		return rewrittenText(src, rewrites)
	}
	f, err := yamledit.Parse(src, yamledit.DefaultLimits)
	if err != nil {
		return nil, err
	}
	var changes []yamledit.Change
	for _, r := range rewrites {
		values, why := r.Site.Values(r.Image, r.Style)
		if why != "" {
			return nil, &yamledit.Refused{Line: r.Site.Line, Col: r.Site.Col, What: why}
		}
		for i, p := range r.Site.Places {
			if p.Value != values[i] {
				changes = append(changes, yamledit.Change{Doc: p.Doc, At: p.At, Op: yamledit.Set, Value: p.Before + values[i]})
			}
		}
	}
	return f.Apply(changes...)
}

// numbered are the sites in the order of the file, those with equal IDs told apart.
func (f *finding) numbered() []Site {
	sites := f.sites
	slices.SortStableFunc(sites, func(a, b Site) int {
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return a.Col - b.Col
	})
	seen := map[ID]int{}
	for i := range sites {
		id := sites[i].ID
		if seen[id]++; seen[id] > 1 {
			sites[i].ID.Field += suffix(seen[id])
		}
	}
	return sites
}

type finding struct {
	ways     // of YAML
	sites    []Site
	problems []imagestream.Problem
}

// object looks at one object, or at those of a List. A template's objects are left
// alone: they are not what will run.
func (f *finding) object(o object) {
	o.kind, o.namespace = o.text("kind"), o.text("metadata", "namespace")
	o.name = cmp.Or(o.text("metadata", "name"), o.text("metadata", "generateName"))
	items := o.find("items")
	if o.kind == "Template" {
		f.template(o)
		return
	}
	if o.kind != "List" || items == nil || items.Kind != yaml.SequenceNode {
		o.named = map[string]map[string][]yamledit.Path{}
		before := len(f.sites)
		f.annotation(o)
		f.deploymentConfig(o)
		f.buildConfig(o)
		f.wish(o, before)
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
	if objects == nil {
		return
	}
	follows := o.follows()
	for _, n := range objects.Content {
		in := object{node: n}
		if in.text("kind") == "ImageStream" {
			return
		}
		follows = follows || in.follows()
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
