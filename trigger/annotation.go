package trigger

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/towpath/towpath/imagestream"
	"github.com/towpath/towpath/yamledit"
)

// Annotation holds a JSON list. Each entry follows a tag with one image of
// the object:
//
//	{"from": {"kind": "ImageStreamTag", "name": "web:stable", "namespace": "team1"},
//	 "fieldPath": "spec.template.spec.containers[?(@.name==\"web\")].image",
//	 "paused": false}
const Annotation = "image.openshift.io/triggers"

// podSpecs are the kinds that are watched, and where their pods are described.
var podSpecs = map[string]string{
	"Deployment":  "spec.template.spec",
	"StatefulSet": "spec.template.spec",
	"DaemonSet":   "spec.template.spec",
	"CronJob":     "spec.jobTemplate.spec.template.spec",
}

// container is what a fieldPath says below the pod's description. Only these forms
// work in OpenShift, to the letter.
var container = regexp.MustCompile(`^(containers|initContainers)\[(?:([0-9]{1,6})|\?\(@\.name=="([^"]+)"\))\]\.image$`)

type entry struct {
	From struct {
		Kind       string `json:"kind"`
		Name       string `json:"name"`
		Namespace  string `json:"namespace"`
		APIVersion string `json:"apiVersion"`
	} `json:"from"`
	FieldPath string `json:"fieldPath"`
	Paused    bool   `json:"paused"`

	line, col int
}

// annotation finds what the annotation of an object makes follow.
func (f *finding) annotation(o object) {
	n := o.find("metadata", "annotations", Annotation)
	if n == nil || n.Kind == yaml.ScalarNode && strings.TrimSpace(text(n)) == "" {
		return
	}
	podSpec, watched := podSpecs[o.kind]
	switch {
	case n.Kind != yaml.ScalarNode:
		f.problem(n.Line, n.Column, "the triggers are YAML; their annotation is a string", "write them as JSON text: "+Annotation+": '[{…}]'")
		return
	case !watched:
		f.note(n.Line, n.Column, fmt.Sprintf("triggers of a %s are not followed", o.kind))
		return
	case isPlaceholder(o.name) || isPlaceholder(o.namespace) || isPlaceholder(n.Value):
		f.note(n.Line, n.Column, "placeholders stand in this object: its triggers are left alone until something has filled them in")
		return
	case o.name == "":
		f.problem(n.Line, n.Column, fmt.Sprintf("a %s with triggers has no name", o.kind), "give it one below metadata: name: web")
		return
	}
	entries, ok := f.entries(n)
	if !ok {
		return
	}
	var sites []Site
	for _, e := range entries {
		if s, ok := f.site(o, podSpec, e); ok {
			sites = append(sites, s)
		}
	}
	f.sites = append(f.sites, f.once(sites)...)
}

// entries reads the list. A list that is not well formed, or says a fieldPath
// twice, has none.
func (f *finding) entries(n *yamledit.Node) ([]entry, bool) {
	var entries []entry
	if err := json.Unmarshal([]byte(n.Value), &entries); err != nil {
		line, col := place(n, offset(err))
		what, fix := explain(err)
		f.problem(line, col, what, fix)
		return nil, false
	}
	locate(entries, n)
	seen := map[string]bool{}
	for _, e := range entries {
		if seen[e.FieldPath] {
			f.problem(e.line, e.col, fmt.Sprintf("two triggers have the fieldPath %s: none of this object's is used", e.FieldPath), "remove one of them")
			return nil, false
		}
		seen[e.FieldPath] = true
	}
	return entries, true
}

// site is the place that an entry means.
func (f *finding) site(o object, podSpec string, e entry) (Site, bool) {
	stream, tag, ok := strings.Cut(e.From.Name, ":")
	if tag == "" {
		tag = "latest"
	}
	switch {
	case e.From.Kind != "ImageStreamTag":
		f.problem(e.line, e.col, fmt.Sprintf("a trigger follows the kind %q", e.From.Kind), `"kind": "ImageStreamTag"`)
	case e.From.APIVersion != "":
		f.problem(e.line, e.col, "a trigger whose from has an apiVersion is never watched", `remove "apiVersion" from "from"`)
	case !ok || stream == "" || strings.Contains(tag, ":"):
		f.problem(e.line, e.col, fmt.Sprintf("a trigger follows %q, which is no tag of a stream", e.From.Name), `"name": "STREAM:TAG"`)
	default:
		at, what := o.container(podSpec, e.FieldPath)
		if what != "" {
			f.problem(e.line, e.col, what, o.suggest(podSpec, e.FieldPath))
			return Site{}, false
		}
		return o.site(at, e, imagestream.TagRef{Stream: imagestream.Name{Namespace: e.From.Namespace, Name: stream}, Tag: tag}), true
	}
	return Site{}, false
}

func (o object) site(at yamledit.Path, e entry, follows imagestream.TagRef) Site {
	in := o.find(at...)
	name := text(yamledit.Lookup(in, yamledit.Path{"name"}))
	if name == "" {
		name = fmt.Sprintf("%v[%v]", at[len(at)-2], at[len(at)-1])
	}
	p := o.place(Ref, slices.Concat(at, yamledit.Path{"image"})...)
	return Site{
		ID:   ID{Kind: o.kind, Namespace: o.namespace, Name: o.name, Container: name},
		Line: p.Line, Col: p.Col,
		Follows: follows, Form: "annotation", Paused: e.Paused,
		Places: []Place{p},
	}
}

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

// container is the path of the container that a fieldPath selects, from the
// object; without one it says why. A name is looked for in both lists, whichever the
// fieldPath names, in init containers first.
func (o object) container(podSpec, fieldPath string) (at yamledit.Path, what string) {
	selector, ok := strings.CutPrefix(fieldPath, podSpec+".")
	if !ok {
		return nil, fmt.Sprintf("fieldPath %q does not lead to the pods of a %s", fieldPath, o.kind)
	}
	m := container.FindStringSubmatch(selector)
	if m == nil {
		return nil, fmt.Sprintf("fieldPath %q selects no container's image", fieldPath)
	}
	if m[2] != "" {
		i, _ := strconv.Atoi(m[2])
		if at := pods(podSpec, m[1], i); isContainer(o.find(at...)) {
			return at, ""
		}
		return nil, fmt.Sprintf("fieldPath %q: there are not that many %s", fieldPath, m[1])
	}
	for _, list := range []string{"initContainers", "containers"} {
		for i, name := range o.containers(podSpec, list) {
			if name == m[3] {
				return pods(podSpec, list, i), ""
			}
		}
	}
	return nil, fmt.Sprintf("fieldPath %q: no container has this name", fieldPath)
}

// containers are the names of a list's containers.
func (o object) containers(podSpec, list string) []string {
	n := o.find(pods(podSpec, list)...)
	if n == nil || n.Kind != yaml.SequenceNode {
		return nil
	}
	names := make([]string, len(n.Content))
	for i := range n.Content {
		if at := (yamledit.Path{i}); isContainer(yamledit.Lookup(n, at)) {
			names[i] = text(yamledit.Lookup(n, append(at, "name")))
		}
	}
	return names
}

func isContainer(n *yamledit.Node) bool { return n != nil && n.Kind == yaml.MappingNode }

// suggest is a fieldPath that works: for the container that the bad one names, or
// the first.
func (o object) suggest(podSpec, fieldPath string) string {
	names := slices.Concat(o.containers(podSpec, "containers"), o.containers(podSpec, "initContainers"))
	names = slices.DeleteFunc(names, func(name string) bool { return name == "" })
	if len(names) == 0 {
		return "give the object a container with a name"
	}
	best := names[0]
	for _, name := range names {
		if strings.Contains(fieldPath, name) {
			best = name
			break
		}
	}
	path, _ := json.Marshal(fmt.Sprintf(`%s.containers[?(@.name=="%s")].image`, podSpec, best))
	return `"fieldPath": ` + string(path)
}

// once takes out the sites that two triggers mean: they would fight.
func (f *finding) once(sites []Site) []Site {
	count := map[ID]int{}
	for _, s := range sites {
		if count[s.ID]++; count[s.ID] == 2 {
			f.problem(s.Line, s.Col, fmt.Sprintf("two triggers rewrite the image of container %s: neither is used", s.ID.Container), "remove one of them")
		}
	}
	return slices.DeleteFunc(sites, func(s Site) bool { return count[s.ID] > 1 })
}

// pods is a path below the description of an object's pods.
func pods(podSpec string, more ...any) yamledit.Path {
	var at yamledit.Path
	for key := range strings.SplitSeq(podSpec, ".") {
		at = append(at, key)
	}
	return append(at, more...)
}

// locate gives each entry its place in the file.
func locate(entries []entry, n *yamledit.Node) {
	d := json.NewDecoder(strings.NewReader(n.Value))
	if _, err := d.Token(); err != nil {
		return
	}
	for i := range entries {
		var raw json.RawMessage
		if d.Decode(&raw) != nil {
			return
		}
		entries[i].line, entries[i].col = place(n, int(d.InputOffset())-len(raw))
	}
}

// place is where an offset of a scalar's text stands in the file: in a literal block
// its line, else the scalar.
func place(n *yamledit.Node, offset int) (line, col int) {
	if n.Style&yaml.LiteralStyle == 0 {
		return n.Line, n.Column
	}
	before := n.Value[:min(max(offset, 0), len(n.Value))]
	return n.Line + 1 + strings.Count(before, "\n"), 1
}

func offset(err error) int {
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		return int(syntax.Offset) - 1
	}
	if kind, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return int(kind.Offset) - 1
	}
	return 0
}

func explain(err error) (what, fix string) {
	kind, ok := errors.AsType[*json.UnmarshalTypeError](err)
	switch {
	case !ok:
		return "the triggers are not well-formed JSON: " + err.Error(), "write a JSON list: [{…}]"
	case kind.Field == "":
		return "the triggers are a JSON " + kind.Value + ", not a list of objects", "write a JSON list: [{…}]"
	case kind.Type.Kind().String() == "bool":
		return fmt.Sprintf("%s of a trigger is a %s, not true or false", kind.Field, kind.Value), fmt.Sprintf("%q: true, without quotes", kind.Field)
	}
	return fmt.Sprintf("%s of a trigger is a %s, not a string", kind.Field, kind.Value), "write it in quotes"
}

func isPlaceholder(s string) bool {
	return strings.Contains(s, "${") || strings.Contains(s, "{{")
}
