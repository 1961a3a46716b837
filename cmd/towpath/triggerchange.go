package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/towpath/towpath/imagestream"
	"github.com/towpath/towpath/trigger"
	"github.com/towpath/towpath/yamledit"
)

// An imageChange is an ImageChange trigger of a DeploymentConfig or a BuildConfig.
type imageChange struct {
	index   int // in spec.triggers
	follows imagestream.TagRef
	named   bool // it says itself what it follows
	names   []string
	acts    bool // it is automatic, or not paused
}

// imageChanges lists the ImageChange triggers of an object; their parameters stand below
// the key params.
func (r runner) imageChanges(params string) []imageChange {
	list := r.find("spec", "triggers")
	if !isList(list) {
		return nil
	}
	var found []imageChange
	for i := range list.Content {
		at := []any{"spec", "triggers", i}
		text := func(more ...any) string { return r.text(slices.Concat(at, []any{params}, more)...) }
		if kind := text("from", "kind"); r.text(append(at, "type")...) != "ImageChange" || kind != "" && kind != imagestream.ImageStreamTag {
			continue
		}
		stream, tag, _ := strings.Cut(text("from", "name"), ":")
		c := imageChange{index: i, named: stream != "", follows: imagestream.TagRef{
			Stream: imagestream.Name{Namespace: text("from", "namespace"), Name: stream}, Tag: cmp.Or(tag, "latest")}}
		if c.acts = text("automatic") == "true"; params == buildParams {
			c.acts = text("paused") != "true"
		}
		if names := r.find(slices.Concat(at, []any{params, "containerNames"})...); isList(names) {
			for _, n := range names.Content {
				c.names = append(c.names, n.Value)
			}
		}
		found = append(found, c)
	}
	return found
}

const (
	deployParams = "imageChangeParams"
	buildParams  = "imageChange"
)

// from is what a trigger follows, as it is written.
func from(follows imagestream.TagRef) yamledit.Map {
	m := yamledit.Map{{Key: "kind", Value: imagestream.ImageStreamTag}, {Key: "name", Value: follows.Stream.Name + ":" + follows.Tag}}
	if ns := follows.Stream.Namespace; ns != "" {
		m = append(m, yamledit.Entry{Key: "namespace", Value: ns})
	}
	return m
}

// An objectEdit gathers the changes of one object.
type objectEdit struct {
	runner
	params  string
	changes []yamledit.Change
}

func (e *objectEdit) add(op yamledit.Op, value yamledit.Value, at ...any) {
	e.changes = append(e.changes, yamledit.Change{Doc: e.doc, At: e.path(at...), Op: op, Value: value})
}

// trigger is a path below a trigger.
func (e *objectEdit) trigger(i int, more ...any) []any {
	return append([]any{"spec", "triggers", i}, more...)
}

// follow makes a trigger follow another tag. What it triggered last was of the tag before.
func (e *objectEdit) follow(c imageChange, follows imagestream.TagRef, last string) {
	for _, entry := range from(follows) {
		e.add(yamledit.Set, entry.Value, e.trigger(c.index, e.params, "from", entry.Key)...)
	}
	if follows.Stream.Namespace == "" {
		e.add(yamledit.Delete, nil, e.trigger(c.index, e.params, "from", "namespace")...)
	}
	e.add(yamledit.Delete, nil, e.trigger(c.index, e.params, last)...)
}

// append puts a trigger behind the others.
func (e *objectEdit) append(params yamledit.Map) {
	n, list := 0, e.find("spec", "triggers")
	if isList(list) {
		n = len(list.Content)
	}
	added := yamledit.Map{{Key: "type", Value: "ImageChange"}, {Key: e.params, Value: params}}
	if e.kind == deploymentConfig && (list == nil || list.Kind == yaml.ScalarNode) { // what it stands for where nothing is said
		e.add(yamledit.Set, yamledit.Seq{yamledit.Map{{Key: "type", Value: "ConfigChange"}}, added}, "spec", "triggers")
		return
	}
	e.add(yamledit.Insert, added, "spec", "triggers", n)
}

// editDeployment edits the triggers of a DeploymentConfig. One trigger follows one tag, for
// any number of containers, and a container is in one of them.
func (t *triggering) editDeployment(f *yamledit.File, r runner, wanted []podContainer) (triggerEdit, error) {
	e := &objectEdit{runner: r, params: deployParams}
	all := r.imageChanges(deployParams)
	names := make([]string, len(wanted))
	for i, c := range wanted {
		names[i] = c.name
	}
	out := triggerEdit{is: func(s trigger.Site, _ trigger.Place) bool { return r.is(s, "deploymentconfig") }}
	if t.opt.remove {
		for _, c := range all {
			if gone := common(c.names, names); len(gone) > 0 && t.means(c.follows, r.namespace) {
				e.without(c, gone)
				out.said = append(out.said, fmt.Sprintf("%s, %s %s no longer", r, containersWord(gone), followWord(gone, c.follows)))
			}
		}
		if len(out.said) == 0 {
			return out, t.nothing(r)
		}
		if e.empties() {
			t.note("spec.triggers of %s is empty now, and stays: without the key OpenShift deploys at each change of the object", r)
		}
	} else {
		out.count = 1
		out.said = []string{e.deploy(t, all, names)}
	}
	var err error
	out.after, err = t.applied(f, e.changes...)
	return out, err
}

// deploy makes containers follow the tag, and says so.
func (e *objectEdit) deploy(t *triggering, all []imageChange, names []string) string {
	follows := t.opt.follows
	home := slices.IndexFunc(all, func(c imageChange) bool { return t.full(c.follows, e.namespace) == t.full(follows, e.namespace) })
	var before []string
	for i, c := range all {
		gone := common(c.names, names)
		switch {
		case i == home || len(gone) == 0:
			continue
		case home < 0 && len(gone) == len(c.names):
			home = i
			e.follow(c, follows, "lastTriggeredImage")
		default:
			e.without(c, gone)
		}
		before = append(before, c.follows.String())
	}
	acts := !t.opt.paused
	if home < 0 {
		list := make(yamledit.Seq, len(names))
		for i, name := range names {
			list[i] = name
		}
		e.append(yamledit.Map{{Key: "automatic", Value: acts}, {Key: "containerNames", Value: list}, {Key: "from", Value: from(follows)}})
	} else {
		c := all[home]
		for _, name := range names {
			if !slices.Contains(c.names, name) {
				e.add(yamledit.Insert, name, e.trigger(c.index, deployParams, "containerNames", len(c.names))...)
			}
		}
		if c.acts != acts && (t.opt.pausedGiven || !c.acts) {
			e.add(yamledit.Set, acts, e.trigger(c.index, deployParams, "automatic")...)
		}
	}
	line := fmt.Sprintf("%s, %s %s", e.runner, containersWord(names), followWord(names, follows))
	if len(e.changes) == 0 {
		line += " already"
	}
	line += pausedWord(!acts)
	if len(before) > 0 {
		line += " in place of " + strings.Join(before, ", ")
	}
	return line
}

// without takes containers out of a trigger, and the trigger where no other is left.
func (e *objectEdit) without(c imageChange, gone []string) {
	if len(gone) == len(c.names) {
		e.add(yamledit.Delete, nil, e.trigger(c.index)...)
		return
	}
	for i, name := range c.names {
		if slices.Contains(gone, name) {
			e.add(yamledit.Delete, nil, e.trigger(c.index, e.params, "containerNames", i)...)
		}
	}
}

// common are the names that two lists have.
func common(a, b []string) []string {
	return slices.DeleteFunc(slices.Clone(a), func(name string) bool { return !slices.Contains(b, name) })
}

func containersWord(names []string) string {
	if len(names) == 1 {
		return "container " + names[0]
	}
	return "containers " + strings.Join(names, ", ")
}

func followWord(names []string, follows imagestream.TagRef) string {
	if len(names) == 1 {
		return "follows " + follows.String()
	}
	return "follow " + follows.String()
}

// editBuild edits the triggers of a BuildConfig.
func (t *triggering) editBuild(f *yamledit.File, r runner) (triggerEdit, error) {
	if len(t.opt.containers) > 0 {
		return triggerEdit{}, contrary(r.String()+" has no containers", "container")
	}
	e := &objectEdit{runner: r, params: buildParams}
	all := r.imageChanges(buildParams)
	for i, c := range all {
		if !c.named {
			all[i].follows = r.base()
		}
	}
	out := triggerEdit{is: func(s trigger.Site, _ trigger.Place) bool { return r.is(s, "buildconfig") }}
	if !t.opt.remove {
		out.count = 1
		out.said = []string{e.build(t, all)}
	} else if err := e.unbuild(t, all, &out); err != nil {
		return out, err
	}
	var err error
	out.after, err = t.applied(f, e.changes...)
	return out, err
}

// base is the tag that the build's strategy starts from; zero where it is another thing.
func (r runner) base() imagestream.TagRef {
	for _, strategy := range []string{"dockerStrategy", "sourceStrategy", "customStrategy"} {
		at := []any{"spec", "strategy", strategy, "from"}
		if r.text(append(at, "kind")...) != imagestream.ImageStreamTag {
			continue
		}
		if ref, err := imagestream.ParseTagRef(r.text(append(at, "name")...)); err == nil {
			ref.Stream.Namespace = r.text(append(at, "namespace")...)
			return ref
		}
	}
	return imagestream.TagRef{}
}

// build makes the object follow the tag, and says so.
func (e *objectEdit) build(t *triggering, all []imageChange) string {
	follows := t.opt.follows
	same := func(ref imagestream.TagRef) bool { return t.full(ref, e.namespace) == t.full(follows, e.namespace) }
	i := slices.IndexFunc(all, func(c imageChange) bool { return same(c.follows) })
	switch {
	case i < 0 && same(e.base()):
		e.append(pausedMap(t.opt.paused))
	case i < 0:
		e.append(append(yamledit.Map{{Key: "from", Value: from(follows)}}, pausedMap(t.opt.paused)...))
	case !t.opt.pausedGiven || t.opt.paused != all[i].acts:
		return fmt.Sprintf("%s follows %s already%s", e.runner, follows, pausedWord(!all[i].acts))
	default:
		e.add(yamledit.Set, t.opt.paused, e.trigger(all[i].index, buildParams, "paused")...)
	}
	return fmt.Sprintf("%s follows %s%s", e.runner, follows, pausedWord(t.opt.paused))
}

func pausedMap(paused bool) yamledit.Map {
	if paused {
		return yamledit.Map{{Key: "paused", Value: true}}
	}
	return yamledit.Map{}
}

// unbuild takes the triggers out that are meant.
func (e *objectEdit) unbuild(t *triggering, all []imageChange, out *triggerEdit) error {
	if t.opt.from == "" && len(all) > 1 {
		return usage("%w", hint{fmt.Errorf("%s follows several tags", e.runner), "say with --from which one it follows no longer"})
	}
	for _, c := range all {
		if t.means(c.follows, e.namespace) {
			e.add(yamledit.Delete, nil, e.trigger(c.index)...)
			out.said = append(out.said, fmt.Sprintf("%s follows %s no longer", e.runner, c.follows))
		}
	}
	if len(out.said) == 0 {
		return t.nothing(e.runner)
	}
	if e.empties() {
		e.changes = nil
		e.add(yamledit.Delete, nil, "spec", "triggers")
	}
	return nil
}

// empties reports whether the changes take every trigger out.
func (e *objectEdit) empties() bool {
	gone := 0
	for _, c := range e.changes {
		if c.Op == yamledit.Delete && len(c.At) == len(e.at)+3 {
			gone++
		}
	}
	list := e.find("spec", "triggers")
	return isList(list) && gone == len(list.Content)
}
