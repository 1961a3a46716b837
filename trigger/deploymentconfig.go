package trigger

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/towpath/towpath/yamledit"
)

const params = "imageChangeParams"

// deploymentConfig finds what the ImageChange triggers of a DeploymentConfig make follow:
//
//	triggers:
//	- type: ImageChange
//	  imageChangeParams:
//	    automatic: true
//	    containerNames: [web]
//	    from: {kind: ImageStreamTag, name: web:stable, namespace: team1}
//	    lastTriggeredImage: quay.io/team1/web@sha256:…
//
// A trigger is one site: the images of the containers that it names, and its note of what
// they are.
func (f *finding) deploymentConfig(o object) {
	if o.kind != "DeploymentConfig" {
		return
	}
	for _, t := range f.imageChanges(o, params) {
		if s, ok := f.deploymentTrigger(o, t); ok {
			f.use(o, s)
		}
	}
}

func (f *finding) deploymentTrigger(o, t object) (Site, bool) {
	names, named := f.containerNames(o, t)
	automatic, said := f.flag(t, params, "automatic")
	follows, ok := f.from(t, t.find(params, "from"), "ImageStreamTag")
	if !named || !said || !ok {
		return Site{}, false
	}
	last := t.place(Ref, params, "lastTriggeredImage")
	last.Book = true
	var places []Place
	for _, name := range names {
		for _, at := range o.images(podSpecs["Deployment"])[name] {
			places = append(places, o.place(Ref, at...))
		}
	}
	slices.SortStableFunc(places, func(a, b Place) int { return cmp.Or(a.Line-b.Line, a.Col-b.Col) })
	if len(places) == 0 {
		f.note(t.node.Line, t.node.Column, "no container has a name that this trigger gives: only lastTriggeredImage follows")
	}
	return Site{
		ID:      ID{Kind: o.kind, Namespace: o.namespace, Name: o.name, Container: strings.Join(names, ",")},
		Follows: follows, Form: "deploymentconfig", Paused: !automatic,
		Places:   append(places, last),
		Together: strings.Join(slices.DeleteFunc([]string{o.kind, o.namespace, o.name}, isEmpty), "/"),
		Written:  strings.TrimSpace(last.Value) != "",
	}, true
}

func isEmpty(s string) bool { return s == "" }

// containerNames are the names that a trigger gives, in order, each once.
func (f *finding) containerNames(o, t object) ([]string, bool) {
	var names []string
	n := t.find(params, "containerNames")
	if n != nil && n.Kind == yaml.SequenceNode {
		for i := range n.Content {
			names = append(names, text(yamledit.Lookup(n, yamledit.Path{i})))
		}
	}
	if len(names) == 0 || slices.Contains(names, "") {
		if n == nil {
			n = t.node
		}
		f.problem(n.Line, n.Column, "a trigger names no containers", fmt.Sprintf(`"containerNames": [%q]`, o.anyContainer()))
		return nil, false
	}
	slices.Sort(names)
	return slices.Compact(names), true
}

// anyContainer is the name of a container, for an example.
func (o object) anyContainer() string {
	for _, name := range o.containers(podSpecs["Deployment"], "containers", 100) {
		if name != "" {
			return name
		}
	}
	return "web"
}
