package imagestream

import (
	"cmp"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"

	imagev1 "github.com/openshift/api/image/v1"
	"go.yaml.in/yaml/v4"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kjson "k8s.io/apimachinery/pkg/util/json"

	"github.com/towpath/towpath/yamledit"
)

// Annotations of a stream, and of a tag.
const (
	annotationChecked    = "openshift.io/image.dockerRepositoryCheck"
	annotationInsecure   = "openshift.io/image.insecureRepository"
	annotationPreferArch = "importer.image.openshift.io/prefer-arch"
	annotationPreferOS   = "importer.image.openshift.io/prefer-os"
)

// Parse finds the image streams of a file: documents of their own, or items of a
// List. A bad tag is a problem of that tag, a bad stream one of that stream; the
// others go on. Problems come in the file's order, without Path.
func Parse(f *yamledit.File) ([]Document, []Problem) {
	p := &parser{checker: checker{json: f.JSON}}
	for i, doc := range f.Docs {
		p.found = nil
		p.object(Document{Doc: i}, doc.Root, "")
		if len(p.found) > 0 {
			p.streams(f, doc)
		}
	}
	slices.SortStableFunc(p.problems, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Col, b.Col))
	})
	return p.docs, p.problems
}

type parser struct {
	checker
	found []stream // in the document that is read
	nodes bool     // that document is decoded from nodes
	docs  []Document
	good  string // the repository of the reference that was found good last
}

// A stream is an object that is to be read as one.
type stream struct {
	Document
	node *yamledit.Node
}

// object finds the streams of an object: itself, or those that it lists. The kind
// stands for a missing one.
func (p *parser) object(d Document, n *yamledit.Node, kind string) {
	n = follow(n)
	if n == nil || n.Kind != yaml.MappingNode {
		return
	}
	version := scalar(n, "apiVersion")
	if k := scalar(n, "kind"); k != "" {
		kind = k
	}
	switch {
	case kind == "ImageStream":
		if p.version(n, version) {
			p.find(d, n)
		}
	case kind == "List" && version == "v1":
		p.items(d, n, "")
	case kind == "ImageStreamList" && (version == "v1" || version == imagev1.GroupVersion.String()):
		p.items(d, n, "ImageStream")
	case kind == "Template" && holdsStream(n):
		p.note(n, "a template is read when somebody has processed it: its image streams are left alone")
	default:
		p.otherKind(n, kind, version)
	}
}

// otherKind says of the API's other kinds that nothing comes of them, and of a kind that
// the API has not that it may be misspelt.
func (p *parser) otherKind(n *yamledit.Node, kind, version string) {
	group := imagev1.GroupVersion
	legacy := version == "v1" && !slices.Contains(groupOnly, kind)
	switch ours := strings.HasPrefix(version, group.Group+"/"); {
	case ours && kind == "ImageStreamList", kind == "":
	case slices.Contains(otherKinds, kind) && (ours || legacy):
		p.note(n, fmt.Sprintf("the %s is not read: what is wanted stands in spec.tags of an ImageStream", kind))
	case ours && !isPlaceholder(field(n, "kind")):
		fix := "write " + p.line("kind", "ImageStream") + " if that is meant, else remove this object"
		p.problem(nearest(n, "kind"), fmt.Sprintf("%s has no kind %q", group.Group, clip(kind)), fix)
	}
}

func (p *parser) items(d Document, n *yamledit.Node, kind string) {
	list := field(n, "items")
	if isNull(list) || !p.keys(n) || !p.wants(list, yaml.SequenceNode, "items") {
		return
	}
	said := map[string]bool{} // of other kinds, once
	for i, item := range list.Content {
		item := follow(item)
		at := append(slices.Clone(d.At), "items", i)
		k := scalar(item, "kind")
		if k == "ImageStream" || k == "" && kind == "ImageStream" {
			if scalar(item, "apiVersion") != "" || k != "" {
				p.object(Document{Doc: d.Doc, At: at}, item, kind)
			} else {
				p.find(Document{Doc: d.Doc, At: at}, item)
			}
		} else if !said[k] {
			said[k] = true
			p.otherKind(item, k, scalar(item, "apiVersion"))
		}
	}
}

// version reports whether an ImageStream is one of ours.
func (p *parser) version(n *yamledit.Node, version string) bool {
	group := imagev1.GroupVersion
	switch {
	case version == "v1" || version == group.String():
		return true
	case version == "" || strings.HasPrefix(version, group.Group):
		at := nearest(n, "apiVersion")
		p.problem(at, fmt.Sprintf("an ImageStream of apiVersion %q is not read", version), p.line("apiVersion", p.quoted(group.String())))
	default:
		p.note(n, fmt.Sprintf("an ImageStream of apiVersion %s is something else, and left alone", version))
	}
	return false
}

// find takes a stream down to be read, unless it cannot be.
func (p *parser) find(d Document, n *yamledit.Node) {
	if n.Kind != yaml.MappingNode {
		p.wants(n, yaml.MappingNode, "items")
		return
	}
	if isTemplated(n) {
		p.note(n, "placeholders stand in the names of this image stream: it is left alone until something has filled them in")
		return
	}
	if p.keys(n) {
		d.Line, d.Col = n.Line, n.Column
		p.found = append(p.found, stream{d, n})
	}
}

// streams reads what was found in a document. It is decoded once for all.
func (p *parser) streams(f *yamledit.File, doc yamledit.Doc) {
	whole := &object{}
	if p.nodes = doc.Plain || f.JSON; !p.nodes {
		var err error
		if whole, err = load(f, doc); err != nil {
			p.problems = append(p.problems, undecoded(f, doc, err))
			return
		}
	}
	for _, s := range p.found {
		p.stream(s.Document, s.node, whole.at(s.At))
	}
}

func (p *parser) stream(d Document, n *yamledit.Node, o *object) {
	for key := range entries(n) {
		switch key.Value {
		case "apiVersion", "kind", "metadata", "spec", "status":
		default:
			p.unknown(key, "an ImageStream", streamSchema[reflect.TypeFor[imagev1.ImageStream]()])
		}
	}
	annotations, named := p.metadata(&d, field(n, "metadata"), o)
	if !named || !p.spec(&d, field(n, "spec"), o) {
		return
	}
	p.streamWishes(&d, n, annotations)
	p.status(&d, field(n, "status"), o)
	p.docs = append(p.docs, d)
}

// An identity is what is read of metadata.
type identity struct {
	Name        string            `json:"name"`
	Namespace   string            `json:"namespace"`
	Annotations map[string]string `json:"annotations"`
}

// metadata reports whether the stream has a name, beside its annotations.
func (p *parser) metadata(d *Document, n *yamledit.Node, o *object) (annotations map[string]string, named bool) {
	var meta identity
	p.mode = inMetadata
	good := p.check(n, reflect.TypeFor[metav1.ObjectMeta](), "metadata")
	switch { // a bad label takes no name away
	case p.nodes:
		fill(reflect.ValueOf(&meta).Elem(), n)
	case good:
		p.decode(n, o.Metadata, &meta, "metadata")
	default:
		_ = kjson.Unmarshal(o.Metadata, &meta)
	}
	d.Name = Name{meta.Namespace, meta.Name}
	d.Insecure = meta.Annotations[annotationInsecure] == "true"
	d.Checked = meta.Annotations[annotationChecked] != ""
	return meta.Annotations, p.names(d, n)
}

// spec reports whether it can be told what is wanted.
func (p *parser) spec(d *Document, n *yamledit.Node, o *object) bool {
	if isNull(n) {
		return true
	}
	p.mode = inSpec
	if !p.wants(n, yaml.MappingNode, "spec") {
		return false
	}
	for key, value := range entries(n) {
		value = follow(value)
		switch key.Value {
		case "dockerImageRepository":
			p.repository(d, value, o)
		case "lookupPolicy":
			p.check(value, reflect.TypeFor[imagev1.ImageLookupPolicy](), "lookupPolicy")
		case "tags":
			if !p.tags(d, value, o) {
				return false
			}
		default:
			p.unknown(key, "spec", streamSchema[reflect.TypeFor[imagev1.ImageStreamSpec]()])
		}
	}
	return true
}

func (p *parser) tags(d *Document, list *yamledit.Node, o *object) bool {
	if isNull(list) {
		return true
	}
	if !p.wants(list, yaml.SequenceNode, "tags") {
		return false
	}
	raw := o.Spec.Tags
	if p.nodes {
		raw = make([]json.RawMessage, len(list.Content))
	}
	if len(raw) != len(list.Content) {
		p.problem(list, "tags could not be decoded", plainer)
		return false
	}
	places := map[string][]*yamledit.Node{}
	for _, n := range list.Content {
		n = follow(n)
		name := scalar(n, "name")
		places[name] = append(places[name], n)
	}
	d.Spec.Tags = slices.Grow(d.Spec.Tags, len(list.Content))
	for i, n := range list.Content {
		n = follow(n)
		name := scalar(n, "name")
		tag, ok := p.tag(n, raw[i])
		same := places[name]
		if twice := len(same) > 1 && name != ""; twice && n == same[len(same)-1] {
			p.twice(name, same)
		} else if !twice && ok {
			d.Spec.Tags = append(d.Spec.Tags, tag)
			continue
		}
		if name != "" && !slices.Contains(d.Spec.Broken, name) {
			d.Spec.Broken = append(d.Spec.Broken, name)
		}
	}
	return true
}

func (p *parser) twice(name string, places []*yamledit.Node) {
	lines := make([]string, len(places))
	for i, n := range places {
		lines[i] = fmt.Sprint(n.Line)
	}
	last := places[len(places)-1]
	p.problem(last, fmt.Sprintf("tag %s is there more than once, at lines %s: none of them is used", name, strings.Join(lines, " and ")),
		"remove all but one")
}

// tag reads a tag; it reports false when something wrong with it has become a problem.
func (p *parser) tag(n *yamledit.Node, raw json.RawMessage) (Tag, bool) {
	if isNull(n) {
		p.problem(n, "an empty tag", "remove this line")
		return Tag{}, false
	}
	var t imagev1.TagReference
	if !p.decode(n, raw, &t, "a tag") {
		return Tag{}, false
	}
	tag := Tag{
		Name: t.Name, Line: n.Line, Col: n.Column,
		Reference:  t.Reference,
		Insecure:   t.ImportPolicy.Insecure,
		Scheduled:  t.ImportPolicy.Scheduled,
		ImportMode: string(t.ImportPolicy.ImportMode),
		Local:      t.ReferencePolicy.Type == imagev1.LocalTagReferencePolicy,
		PreferOS:   t.Annotations[annotationPreferOS],
		PreferArch: t.Annotations[annotationPreferArch],
	}
	if t.From != nil {
		tag.From = From{Kind: t.From.Kind, Namespace: t.From.Namespace, Name: t.From.Name}
		if t.From.Kind == DockerImage {
			tag.From.Namespace = "" // means nothing there
		}
	}
	good := p.checkTag(n, t)
	good = p.tagWishes(n, &tag, t) && good
	if t.Generation != nil && *t.Generation == 0 {
		p.note(nearest(n, "generation"), fmt.Sprintf("tag %s: generation 0 asks for nothing here: towpath import asks at once, and a new from by itself", t.Name))
	}
	return tag, good
}

func (p *parser) note(n *yamledit.Node, what string) {
	p.problems = append(p.problems, Problem{Line: n.Line, Col: n.Column, What: what, Note: true})
}

// quoted is a string as it stands in the file's language.
func (p *parser) quoted(s string) string {
	if p.json || readsAs(s) != "" {
		return fmt.Sprintf("%q", s)
	}
	return s
}

// scalar is the text of a single value, whatever it may be taken for.
func scalar(n *yamledit.Node, path ...any) string {
	if n = field(n, path...); n == nil || n.Kind != yaml.ScalarNode || isNull(n) {
		return ""
	}
	return n.Value
}

// holdsStream reports whether a template makes an image stream.
func holdsStream(template *yamledit.Node) bool {
	objects := field(template, "objects")
	if objects == nil {
		return false
	}
	return slices.ContainsFunc(objects.Content, func(o *yamledit.Node) bool { return scalar(o, "kind") == "ImageStream" })
}

// isTemplated reports whether a name that decides what is meant is yet to be
// filled in: ${NAME}, $(name) or {{ .Name }}.
func isTemplated(n *yamledit.Node) bool {
	names := []*yamledit.Node{field(n, "metadata", "name"), field(n, "metadata", "namespace"), field(n, "spec", "dockerImageRepository")}
	if tags := field(n, "spec", "tags"); tags != nil && tags.Kind == yaml.SequenceNode {
		for _, t := range tags.Content {
			names = append(names, field(t, "name"), field(t, "from", "name"), field(t, "from", "namespace"))
		}
	}
	return slices.ContainsFunc(names, isPlaceholder)
}

func isPlaceholder(n *yamledit.Node) bool {
	switch {
	case n == nil:
		return false
	case n.Kind == yaml.MappingNode: // {{ x }} without quotes is a mapping in a mapping
		return n.Style&yaml.FlowStyle != 0 && len(n.Content) > 0 && n.Content[0].Kind == yaml.MappingNode
	}
	return strings.Contains(n.Value, "${") || strings.Contains(n.Value, "$(") || strings.Contains(n.Value, "{{")
}
