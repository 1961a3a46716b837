package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/towpath/towpath/imagestream"
	"github.com/towpath/towpath/trigger"
	"github.com/towpath/towpath/yamledit"
)

// A runner is an object that runs containers, or builds an image.
type runner struct {
	doc                   int
	at                    yamledit.Path // of it in the document
	node                  *yamledit.Node
	kind, namespace, name string
	pod                   yamledit.Path // of the description of its pods, in it
}

// pods are where descriptions of pods stand.
var pods = []yamledit.Path{
	{"spec", "jobTemplate", "spec", "template", "spec"}, {"spec", "template", "spec"}, {"template", "spec"}, {"spec"},
}

const (
	deploymentConfig = "DeploymentConfig"
	buildConfig      = "BuildConfig"
)

// runners lists the objects of a file, and those of its Lists.
func runners(f *yamledit.File) []runner {
	var found []runner
	add := func(doc int, at yamledit.Path, node *yamledit.Node) {
		r := runner{doc: doc, at: at, node: node}
		r.kind, r.namespace, r.name = r.text("kind"), r.text("metadata", "namespace"), r.text("metadata", "name")
		for _, pod := range pods {
			if r.kind != buildConfig && isList(r.find(append(slices.Clone(pod), "containers")...)) {
				r.pod = pod
				break
			}
		}
		if r.pod != nil || r.kind == buildConfig {
			found = append(found, r)
		}
	}
	for i, d := range f.Docs {
		items := yamledit.Lookup(d.Root, yamledit.Path{"items"})
		if kind, _ := yamledit.Get(d.Root, yamledit.Path{"kind"}); kind != "List" || !isList(items) {
			add(i, nil, d.Root)
			continue
		}
		for n, item := range items.Content {
			add(i, yamledit.Path{"items", n}, item)
		}
	}
	return found
}

func isList(n *yamledit.Node) bool { return n != nil && n.Kind == yaml.SequenceNode }

func (r runner) find(at ...any) *yamledit.Node { return yamledit.Lookup(r.node, at) }

// text is the single value at a path, without it the empty text.
func (r runner) text(at ...any) string {
	n := r.find(at...)
	if n == nil || n.Kind != yaml.ScalarNode || n.ShortTag() == "!!null" {
		return ""
	}
	return n.Value
}

func (r runner) path(at ...any) yamledit.Path { return slices.Concat(r.at, at) }

func (r runner) String() string {
	return trigger.ID{Kind: r.kind, Namespace: r.namespace, Name: r.name}.String()
}

// is reports whether a site is one of the object, in a form.
func (r runner) is(s trigger.Site, form string) bool {
	return s.Form == form && s.ID.Kind == r.kind && s.ID.Name == r.name && s.ID.Namespace == r.namespace
}

// A podContainer is a container of an object, by its name, or its place where it has none.
type podContainer struct {
	list  string
	index int
	name  string
}

func (r runner) containers() []podContainer {
	var all []podContainer
	for _, list := range []string{"initContainers", "containers"} {
		n := r.find(append(slices.Clone(r.pod), list)...)
		if !isList(n) {
			continue
		}
		for i := range n.Content {
			all = append(all, podContainer{list, i, r.text(append(slices.Clone(r.pod), list, i, "name")...)})
		}
	}
	return all
}

// fieldPath selects the image of a container, as OpenShift writes it.
func (r runner) fieldPath(c podContainer) string {
	steps := make([]string, len(r.pod))
	for i, step := range r.pod {
		steps[i] = step.(string)
	}
	return fmt.Sprintf(`%s.%s[?(@.name=="%s")].image`, strings.Join(steps, "."), c.list, c.name)
}

// selects reports whether a fieldPath means a container; a name is looked for in both lists.
func (r runner) selects(fieldPath string, c podContainer) bool {
	other := podContainer{"containers", c.index, c.name}
	if c.list == other.list {
		other.list = "initContainers"
	}
	byIndex := strings.Replace(r.fieldPath(c), fmt.Sprintf(`[?(@.name=="%s")]`, c.name), fmt.Sprintf("[%d]", c.index), 1)
	return fieldPath == r.fieldPath(c) || fieldPath == r.fieldPath(other) || fieldPath == byIndex
}

// editObject gives an object of the file a trigger, or takes it away.
func (t *triggering) editObject() (triggerEdit, error) {
	if t.opt.part != "" {
		return triggerEdit{}, usage("%w", hint{errors.New("--part is about a marker, and no place of one is named"), "name the value with --field SELECTOR"})
	}
	f, err := yamledit.Parse(t.before, yamledit.DefaultLimits)
	if err != nil {
		return triggerEdit{}, t.broken(err)
	}
	r, err := t.runner(f)
	if err != nil {
		return triggerEdit{}, err
	}
	e, err := t.editRunner(f, r)
	if err != nil || t.opt.form == "" {
		return e, err
	}
	return t.form(e, r)
}

func (t *triggering) editRunner(f *yamledit.File, r runner) (triggerEdit, error) {
	if r.kind == buildConfig {
		return t.editBuild(f, r)
	}
	wanted, err := t.wanted(r)
	if err != nil {
		return triggerEdit{}, err
	}
	if r.kind == deploymentConfig {
		return t.editDeployment(f, r, wanted)
	}
	return t.editAnnotation(f, r, wanted)
}

// form says how all references of the object are written.
func (t *triggering) form(e triggerEdit, r runner) (triggerEdit, error) {
	f, err := yamledit.Parse(e.after, yamledit.DefaultLimits)
	if err != nil {
		return e, t.unsure(err.Error())
	}
	e.after, err = t.applied(f, yamledit.Change{Doc: r.doc, At: r.path("metadata", "annotations", trigger.FormAnnotation), Op: yamledit.Set, Value: t.opt.form})
	e.said = append(e.said, fmt.Sprintf("%s gets its references as %s", r, t.opt.form))
	return e, err
}

// runner is the object that is meant.
func (t *triggering) runner(f *yamledit.File) (runner, error) {
	all := runners(f)
	names := make([]string, len(all))
	for i, r := range all {
		names[i] = r.String()
	}
	found := slices.DeleteFunc(slices.Clone(all), func(r runner) bool {
		return t.opt.kind != "" && !strings.EqualFold(r.kind, t.opt.kind) || t.opt.name != "" && r.name != t.opt.name
	})
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(all) == 0:
		return runner{}, t.objectless(f)
	case len(found) == 0:
		return runner{}, failed(hint{fmt.Errorf("%s holds no such object", t.shown(t.path)), "it holds " + strings.Join(names, "; ")})
	}
	return runner{}, usage("%w", hint{fmt.Errorf("%s holds several objects", t.shown(t.path)), "say with --kind and --name which one: " + strings.Join(names, "; ")})
}

// wanted are the containers that are meant: those that are named or, without any, the only
// one.
func (t *triggering) wanted(r runner) ([]podContainer, error) {
	all := r.containers()
	var names []string
	for _, c := range all {
		names = append(names, cmp.Or(c.name, fmt.Sprintf("one without a name in %s", c.list)))
	}
	has := "its containers are " + strings.Join(names, ", ")
	if len(t.opt.containers) == 0 {
		switch {
		case t.opt.remove && t.opt.from != "":
			return all, nil // those of the tag
		case len(all) != 1:
			return nil, usage("%w", hint{fmt.Errorf("no container of %s is named", r), "say --container NAME; " + has})
		case all[0].name == "":
			return nil, failed(hint{fmt.Errorf("the container of %s has no name", r), "give it one: name: web"})
		}
		return all, nil
	}
	var wanted []podContainer
	for _, name := range t.opt.containers {
		i := slices.IndexFunc(all, func(c podContainer) bool { return name != "" && c.name == name })
		if i < 0 {
			return nil, failed(hint{fmt.Errorf("%s has no container %s", r, name), has})
		}
		if !slices.Contains(wanted, all[i]) {
			wanted = append(wanted, all[i])
		}
	}
	return wanted, nil
}

// editAnnotation edits image.openshift.io/triggers.
func (t *triggering) editAnnotation(f *yamledit.File, r runner, wanted []podContainer) (triggerEdit, error) {
	node := r.find("metadata", "annotations", trigger.Annotation)
	e := triggerEdit{count: len(wanted), is: func(s trigger.Site, _ trigger.Place) bool {
		return r.is(s, "annotation") && slices.ContainsFunc(wanted, func(c podContainer) bool { return c.name == s.ID.Container })
	}}
	list, err := newTriggerList(t.before, node)
	if err != nil {
		return e, t.refused([]imagestream.Problem{{Line: node.Line, Col: node.Column, What: err.Error(), Fix: "correct the annotation first: a JSON list, [{…}]"}})
	}
	if t.opt.remove {
		e.count = 0
		if e.said = t.dropped(list, r, wanted); len(e.said) == 0 {
			return e, t.nothing(r)
		}
	} else {
		for _, c := range wanted {
			e.said = append(e.said, t.put(list, r, c))
		}
	}
	e.after, err = t.annotated(f, r, node, list)
	return e, err
}

// annotated is the file with a list of triggers, in the form that it had.
func (t *triggering) annotated(f *yamledit.File, r runner, node *yamledit.Node, list *triggerList) ([]byte, error) {
	at := r.path("metadata", "annotations", trigger.Annotation)
	text, err := list.text()
	switch {
	case err != nil:
		return nil, failed(err)
	case list.empty():
		if all := r.find("metadata", "annotations"); len(all.Content) == 2 { // nothing else is in there
			out, err := f.Apply(yamledit.Change{Doc: r.doc, At: at[:len(at)-1], Op: yamledit.Delete})
			if err == nil {
				return out, nil
			}
		}
		return t.applied(f, yamledit.Change{Doc: r.doc, At: at, Op: yamledit.Delete})
	case list.end > 0:
		return list.within(t.before, text), nil
	case node == nil || strings.TrimSpace(node.Value) == "":
		return t.quoted(f, r.doc, at, text)
	}
	return t.applied(f, yamledit.Change{Doc: r.doc, At: at, Op: yamledit.Set, Value: text})
}

// lineStart is where a line, counted from 1, begins.
func lineStart(src []byte, line int) int {
	at := 0
	for ; line > 1; line-- {
		i := bytes.IndexByte(src[at:], '\n')
		if i < 0 {
			return len(src)
		}
		at += i + 1
	}
	return at
}

// put gives a container its entry, and says so.
func (t *triggering) put(list *triggerList, r runner, c podContainer) string {
	i := slices.IndexFunc(list.entries, func(e listed) bool { return r.selects(e.fieldPath, c) })
	who := fmt.Sprintf("%s, container %s", r, c.name)
	if i < 0 {
		list.add(listed{t.opt.follows, r.fieldPath(c), t.opt.paused})
		return who + " follows " + t.opt.follows.String() + pausedWord(t.opt.paused)
	}
	old := list.entries[i]
	now := listed{t.opt.follows, old.fieldPath, old.paused}
	if t.opt.pausedGiven {
		now.paused = t.opt.paused
	}
	if t.means(old.follows, r.namespace) {
		now.follows = old.follows
	}
	if now.follows == old.follows && now.paused == old.paused {
		return who + " follows " + t.opt.follows.String() + " already" + pausedWord(now.paused)
	}
	list.set(i, now)
	return fmt.Sprintf("%s follows %s%s in place of %s", who, t.opt.follows, pausedWord(now.paused), old.follows.String()+pausedWord(old.paused))
}

func pausedWord(paused bool) string {
	if paused {
		return " (paused)"
	}
	return ""
}

// dropped takes the entries of containers out, of the tag that is named or of any, and says so.
func (t *triggering) dropped(list *triggerList, r runner, wanted []podContainer) (said []string) {
	for i, e := range list.entries {
		for _, c := range wanted {
			if r.selects(e.fieldPath, c) && t.means(e.follows, r.namespace) {
				list.remove(i)
				said = append(said, fmt.Sprintf("%s, container %s follows %s no longer", r, c.name, e.follows))
			}
		}
	}
	return said
}

// means reports whether a trigger follows the tag that is named; any does where none is.
func (t *triggering) means(follows imagestream.TagRef, namespace string) bool {
	if t.opt.from == "" {
		return true
	}
	return t.full(follows, namespace) == t.full(t.opt.follows, namespace)
}

// full is a tag with its namespace.
func (t *triggering) full(ref imagestream.TagRef, namespace string) imagestream.TagRef {
	ref.Stream.Namespace = cmp.Or(ref.Stream.Namespace, t.namespace(t.path, namespace))
	return ref
}

// quoted sets a value that is new. JSON in single quotes is read most easily.
func (t *triggering) quoted(f *yamledit.File, doc int, at yamledit.Path, value string) ([]byte, error) {
	change := yamledit.Change{Doc: doc, At: at, Op: yamledit.Set, Value: value}
	if f.JSON || strings.ContainsAny(value, "\n\t") {
		return t.applied(f, change)
	}
	word := "placeholder"
	for strings.Contains(string(f.Src), word) {
		word += "x"
	}
	change.Value = word
	out, err := f.Apply(change)
	if err != nil {
		change.Value = value // so that the lines to write by hand are right
		return t.applied(f, change)
	}
	return []byte(strings.Replace(string(out), word, "'"+strings.ReplaceAll(value, "'", "''")+"'", 1)), nil
}
