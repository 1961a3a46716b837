package trigger

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/towpath/towpath/yamledit"
)

// Annotation holds a JSON list. Each entry follows a tag with one image of
// the object:
//
//	{"from": {"kind": "ImageStreamTag", "name": "web:stable", "namespace": "team1"},
//	 "fieldPath": "spec.template.spec.containers[?(@.name==\"web\")].image",
//	 "paused": false}
const Annotation = "image.openshift.io/triggers"

// podSpecs say where the pods of a kind are described. Of these kinds a fieldPath leads to a
// container there and nowhere else, as in OpenShift; of others to whatever stands in the
// object.
var podSpecs = map[string]string{
	"Deployment":            "spec.template.spec",
	"StatefulSet":           "spec.template.spec",
	"DaemonSet":             "spec.template.spec",
	"ReplicaSet":            "spec.template.spec",
	"ReplicationController": "spec.template.spec",
	"Job":                   "spec.template.spec",
	"CronJob":               "spec.jobTemplate.spec.template.spec",
	"Pod":                   "spec",
	"PodTemplate":           "template.spec",
}

// The forms of a fieldPath. That of a container works in OpenShift to the letter.
var (
	container = regexp.MustCompile(`^([^\[\]]+)\.(containers|initContainers)\[(?:([0-9]{1,6})|\?\(@\.name=="([^"]+)"\))\]\.image$`)
	dotted    = regexp.MustCompile(`^[^.\[\]]+(?:\.[^.\[\]]+)+$`)
)

const maxAnnotation = 256 << 10

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
	switch {
	case isNull(n) || n.Kind == yaml.ScalarNode && strings.TrimSpace(n.Value) == "":
		return
	case n.Kind != yaml.ScalarNode:
		f.problem(n.Line, n.Column, "the triggers are YAML; their annotation is a string", "write them as JSON text: "+Annotation+": '[{…}]'")
		return
	case len(n.Value) > maxAnnotation:
		f.problem(n.Line, n.Column, "the triggers are longer than the 256 KiB that Kubernetes has for annotations", "keep one trigger for each container")
		return
	case o.kind == "":
		f.note(n.Line, n.Column, "what has no kind is no object: its triggers are left alone")
		return
	case o.kind == "BuildConfig" || o.kind == "ImageStream":
		f.note(n.Line, n.Column, "a BuildConfig and an ImageStream follow by what stands in their spec: this annotation is not read")
		return
	case !f.ready(o, n, n):
		return
	}
	entries, ok := f.entries(n)
	if !ok {
		return
	}
	for _, e := range entries {
		if s, ok := f.site(o, e); ok {
			f.use(o, s)
		}
	}
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
func (f *finding) site(o object, e entry) (Site, bool) {
	follows, what, fix := tagRef(e.From.Kind, e.From.Namespace, e.From.Name)
	if what == "" && e.From.APIVersion != "" {
		what, fix = "a trigger whose from has an apiVersion is never watched", `remove "apiVersion" from "from"`
	}
	var at yamledit.Path
	if what == "" {
		if at, what = o.target(e.FieldPath); what != "" {
			fix = o.suggest(e.FieldPath)
		}
	}
	if what != "" {
		f.problem(e.line, e.col, what, fix)
		return Site{}, false
	}
	return Site{
		ID: o.id(at, e.FieldPath), Form: "annotation", Follows: follows, Paused: e.Paused,
		Places: []Place{o.place(Ref, at...)},
	}, true
}

// id names the site at a path, which is a container's image or what the fieldPath says.
func (o object) id(at yamledit.Path, fieldPath string) ID {
	id := ID{Kind: o.kind, Namespace: o.namespace, Name: o.name, Field: fieldPath}
	in := at[:len(at)-1]
	if _, ok := in[len(in)-1].(int); ok {
		list := fmt.Sprintf("%v[%v]", in[len(in)-2], in[len(in)-1])
		id.Container, id.Field = cmp.Or(o.text(slices.Concat(in, yamledit.Path{"name"})...), list), ""
	}
	return id
}

// target is the path that a fieldPath leads to, from the object; without one it says why.
func (o object) target(fieldPath string) (at yamledit.Path, what string) {
	podSpec, known := podSpecs[o.kind]
	m := container.FindStringSubmatch(fieldPath)
	switch {
	case known && !strings.HasPrefix(fieldPath, podSpec+"."):
		return nil, fmt.Sprintf("fieldPath %q does not lead to the pods of a %s", fieldPath, o.kind)
	case m != nil && (!known || m[1] == podSpec):
		return o.container(fieldPath, m)
	case known:
		return nil, fmt.Sprintf("fieldPath %q selects no container's image", fieldPath)
	case !dotted.MatchString(fieldPath) || strings.HasPrefix(fieldPath, "metadata."):
		return nil, fmt.Sprintf("fieldPath %q selects no image", fieldPath)
	}
	at = pods(fieldPath)
	if n := o.find(at...); n == nil || n.Kind != yaml.ScalarNode {
		return nil, fmt.Sprintf("fieldPath %q: no value stands there", fieldPath)
	}
	return at, ""
}

// container is the path of the image of the container that a fieldPath selects, given
// its match. A name is looked for in both lists, whichever the fieldPath names, in init
// containers first.
func (o object) container(fieldPath string, m []string) (at yamledit.Path, what string) {
	podSpec, list, index, name := m[1], m[2], m[3], m[4]
	if !isMapping(o.find(pods(podSpec)...)) {
		return nil, fmt.Sprintf("fieldPath %q: there is no %s here", fieldPath, podSpec)
	}
	if index != "" {
		i, _ := strconv.Atoi(index)
		if at := pods(podSpec, list, i); isMapping(o.find(at...)) {
			return append(at, "image"), ""
		}
		return nil, fmt.Sprintf("fieldPath %q: there are not that many %s", fieldPath, list)
	}
	images := o.images(podSpec)[name]
	if len(images) == 0 {
		return nil, fmt.Sprintf("fieldPath %q: no container has this name", fieldPath)
	}
	return images[0], ""
}

// suggest is a fieldPath that works: to the container that the bad one names, or to the
// first.
func (o object) suggest(fieldPath string) string {
	podSpec, known := podSpecs[o.kind]
	m := container.FindStringSubmatch(fieldPath)
	if !known {
		podSpec = "spec.template.spec"
		if m != nil {
			podSpec = m[1]
		}
	}
	best, named := "", false
	for _, list := range []string{"containers", "initContainers"} {
		for i, name := range o.containers(podSpec, list, 100) {
			if better := name != "" && strings.Contains(fieldPath, name); best == "" || better && !named {
				best, named = containerPath(podSpec, list, i, name), better
			}
		}
	}
	switch {
	case best != "":
		text, _ := json.Marshal(best)
		return `"fieldPath": ` + string(text)
	case known || m != nil:
		return "write the container here, in a patch too: " + podSpec + `.containers: [{name: web, image: " "}]`
	}
	return `lead it to a value that stands in the object, as "fieldPath": "spec.image"`
}

// containerPath is a fieldPath that selects a container, by its name where that can be said.
func containerPath(podSpec, list string, i int, name string) string {
	if name == "" || strings.Contains(name, `"`) {
		return fmt.Sprintf("%s.%s[%d].image", podSpec, list, i)
	}
	return fmt.Sprintf(`%s.%s[?(@.name=="%s")].image`, podSpec, list, name)
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
