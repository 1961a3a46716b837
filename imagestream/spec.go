package imagestream

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	imagev1 "github.com/openshift/api/image/v1"
	"go.yaml.in/yaml/v4"

	"github.com/towpath/towpath/policy"
	"github.com/towpath/towpath/yamledit"
)

// A TagEdit is what a person wants of one tag of a stream: its From, and what is given
// beside it. Everything else of the tag stays, except for what would contradict.
type TagEdit struct {
	Stream int // which of the documents that Parse finds
	Tag    string
	Delete bool // drop the tag from spec and status both; what is below counts for nothing then

	From       From
	Reference  *bool // nil leaves a field as it is
	Insecure   *bool
	Scheduled  *bool
	Local      *bool  // referencePolicy Local, or else Source
	ImportMode string // empty leaves it
	// Annotations are those of towpath.dev/, by what stands behind that: policy.Keys,
	// interval, settle.
	Annotations map[string]string
}

// Edited is a file after the edits of people.
type Edited struct {
	Src     []byte // the file's own where nothing changed
	Streams []Document
	// Dropped are for each edit the fields that went because they contradicted it:
	// importPolicy.scheduled of a tag that follows another, for one.
	Dropped [][]string
}

// EditSpec makes edits of what is wanted, all or none. The text that it returns has been
// parsed again: it says what the file said, with those tags as they were asked for, and
// brings no problem that was not there. Otherwise the problems say what is in the way: in
// a line of the file as it is, or, where the line is 0, in what was asked for.
func EditSpec(f *yamledit.File, edits ...TagEdit) (Edited, []Problem) {
	before, known := Parse(f)
	var changes []yamledit.Change
	out := Edited{Dropped: make([][]string, len(edits))}
	for i, d := range before {
		s := &specEditor{editor: editor{doc: d.Doc}, at: d.At, root: field(f.Docs[d.Doc].Root, d.At...)}
		for j, e := range edits {
			switch {
			case e.Stream != i:
			case e.Delete && d.Malformed:
				return Edited{}, []Problem{{Line: d.Line, Col: d.Col,
					What: fmt.Sprintf("the status of %s cannot be read, so tag %s cannot be dropped from it", d.Name, e.Tag),
					Fix:  "put the status right first: towpath validate says what is wrong with it"}}
			case e.Delete:
				s.deleted = append(s.deleted, e.Tag)
			default:
				out.Dropped[j] = s.tag(&e)
			}
		}
		s.deletions()
		changes = append(changes, s.changes...)
	}
	g, err := f.Edit(changes...)
	if r := (*yamledit.Refused)(nil); errors.As(err, &r) {
		return Edited{}, []Problem{{Line: r.Line, Col: r.Col, What: r.What, Fix: r.Fix}}
	}
	after, problems := Parse(g)
	out.Src, out.Streams = g.Src, after
	return out, verdict(before, after, edits, known, problems)
}

// A specEditor gathers the changes of one stream.
type specEditor struct {
	editor
	at      yamledit.Path
	root    *yamledit.Node
	deleted []string // tags
}

func (s *specEditor) path(more ...any) yamledit.Path { return slices.Concat(s.at, more) }

// tag makes a tag what it should be, and returns what it had to drop for that.
func (s *specEditor) tag(e *TagEdit) (dropped []string) {
	list := field(s.root, "spec", "tags")
	i := slices.IndexFunc(elements(list), func(n *yamledit.Node) bool { return scalar(n, "name") == e.Tag })
	if i < 0 {
		s.add(yamledit.Insert, e.value(), s.path("spec", "tags"), len(elements(list)))
		return nil
	}
	n, at := field(list, i), s.path("spec", "tags", i)
	s.set(e.From.Kind, at, "from", "kind")
	s.set(e.From.Name, at, "from", "name")
	if e.From.Namespace != "" {
		s.set(e.From.Namespace, at, "from", "namespace")
	} else {
		s.add(yamledit.Delete, nil, at, "from", "namespace")
	}
	for _, entry := range e.value()[2:] { // behind name and from, each given on purpose
		group, ok := entry.Value.(yamledit.Map)
		if !ok {
			s.set(entry.Value, at, entry.Key)
		}
		for _, field := range group {
			s.set(field.Value, at, entry.Key, field.Key)
		}
	}
	for _, group := range e.contradicted(n) {
		s.drop(at, n, group)
		for _, key := range group.keys {
			if group.in == "importPolicy" {
				key = group.in + "." + key
			}
			dropped = append(dropped, key)
		}
	}
	return dropped
}

// value is the tag where it is new.
func (e *TagEdit) value() yamledit.Map {
	from := yamledit.Map{{Key: "kind", Value: e.From.Kind}}
	if e.From.Namespace != "" {
		from = append(from, yamledit.Entry{Key: "namespace", Value: e.From.Namespace})
	}
	tag := yamledit.Map{
		{Key: "name", Value: e.Tag},
		{Key: "from", Value: append(from, yamledit.Entry{Key: "name", Value: e.From.Name})},
	}
	var annotations, importing yamledit.Map
	for _, key := range tagKeys {
		if text, ok := e.Annotations[key]; ok {
			annotations = append(annotations, yamledit.Entry{Key: prefix + key, Value: text})
		}
	}
	if e.Insecure != nil {
		importing = append(importing, yamledit.Entry{Key: "insecure", Value: *e.Insecure})
	}
	if e.Scheduled != nil {
		importing = append(importing, yamledit.Entry{Key: "scheduled", Value: *e.Scheduled})
	}
	if e.ImportMode != "" {
		importing = append(importing, yamledit.Entry{Key: "importMode", Value: e.ImportMode})
	}
	if annotations != nil {
		tag = append(tag, yamledit.Entry{Key: "annotations", Value: annotations})
	}
	if e.Reference != nil {
		tag = append(tag, yamledit.Entry{Key: "reference", Value: *e.Reference})
	}
	if importing != nil {
		tag = append(tag, yamledit.Entry{Key: "importPolicy", Value: importing})
	}
	if e.Local != nil {
		tag = append(tag, yamledit.Entry{Key: "referencePolicy", Value: yamledit.Map{{Key: "type", Value: e.referencePolicy()}}})
	}
	return tag
}

func (e *TagEdit) referencePolicy() string {
	if *e.Local {
		return "Local"
	}
	return "Source"
}

// A group is fields of a mapping in a tag, or of the tag itself.
type group struct {
	in   string
	keys []string
}

// contradicted are the fields of a tag that cannot stay beside what is asked for:
//
//	it follows a stream, or is a reference   scheduled, policy, interval, settle
//	from names one image, no policy asked    policy
//	scheduled or a policy is asked for       reference
func (e *TagEdit) contradicted(tag *yamledit.Node) []group {
	var groups []group
	find := func(n *yamledit.Node, in string, keys ...string) {
		keys = slices.DeleteFunc(keys, func(key string) bool {
			v := field(n, key)
			return isNull(v) || strings.EqualFold(v.Value, "false")
		})
		if len(keys) > 0 {
			groups = append(groups, group{in, keys})
		}
	}
	importing, annotations := field(tag, "importPolicy"), field(tag, "annotations")
	imported := e.From.Kind == DockerImage && (e.Reference == nil || !*e.Reference)
	switch {
	case !imported:
		find(importing, "importPolicy", "scheduled")
		find(annotations, "annotations", prefixed(tagKeys)...)
	case repositoryOf(e.From.Name) != e.From.Name && !e.chooses():
		find(annotations, "annotations", prefixed(policy.Keys)...)
	}
	if imported && e.Reference == nil && (e.chooses() || e.Scheduled != nil && *e.Scheduled) {
		find(tag, "", "reference")
	}
	return groups
}

// chooses reports whether a policy is asked for, or part of one.
func (e *TagEdit) chooses() bool {
	return slices.ContainsFunc(policy.Keys, func(key string) bool { _, ok := e.Annotations[key]; return ok })
}

func prefixed(keys []string) []string {
	out := make([]string, len(keys))
	for i, key := range keys {
		out[i] = prefix + key
	}
	return out
}

// drop takes fields of a tag away, with the mapping that held nothing else.
func (s *specEditor) drop(at yamledit.Path, tag *yamledit.Node, g group) {
	if g.in == "" {
		s.add(yamledit.Delete, nil, at, g.keys[0])
		return
	}
	at = slices.Concat(at, yamledit.Path{g.in})
	within := func(c yamledit.Change) bool {
		return len(c.At) > len(at) && reflect.DeepEqual(c.At[:len(at)], at)
	}
	if width(field(tag, g.in)) == len(g.keys) && !slices.ContainsFunc(s.changes, within) {
		s.add(yamledit.Delete, nil, at)
		return
	}
	for _, key := range g.keys {
		s.add(yamledit.Delete, nil, at, key)
	}
}

// deletions drops the tags that are to go. A status keeps no empty list.
func (s *specEditor) deletions() {
	for i := range s.named("spec", "name") {
		s.add(yamledit.Delete, nil, s.path("spec", "tags"), i)
	}
	gone := slices.Collect(s.named("status", "tag"))
	switch n := len(elements(field(s.root, "status", "tags"))); {
	case len(gone) < n:
		for _, i := range gone {
			s.add(yamledit.Delete, nil, s.path("status", "tags"), i)
		}
	case n > 0 && width(field(s.root, "status")) > 1:
		s.add(yamledit.Delete, nil, s.path("status"), "tags")
	case n > 0:
		s.add(yamledit.Delete, nil, s.path(), "status")
	}
}

// named are the indices of the tags that are to go, in a part of the stream.
func (s *specEditor) named(part, key string) func(yield func(int) bool) {
	return func(yield func(int) bool) {
		for i, n := range elements(field(s.root, part, "tags")) {
			if slices.Contains(s.deleted, scalar(n, key)) && !yield(i) {
				return
			}
		}
	}
}

// elements are those of a list, none where it is nothing.
func elements(list *yamledit.Node) []*yamledit.Node {
	if list == nil || list.Kind != yaml.SequenceNode {
		return nil
	}
	return list.Content
}

// verdict compares what a file says with what it said: the problems that speak against
// the edits.
func verdict(before, after []Document, edits []TagEdit, known, found []Problem) []Problem {
	same := len(before) == len(after)
	for i := 0; same && i < len(before); i++ {
		of := map[string]*TagEdit{}
		for j := range edits {
			if edits[j].Stream == i {
				of[edits[j].Tag] = &edits[j]
			}
		}
		same = asWanted(before[i], after[i], of)
	}
	known, found = bad(known), bad(found)
	fresh, old := compared(known, found)
	switch {
	case same && len(found) <= len(known): // some speak of lines, which may have moved
		return nil
	case len(fresh) > 0:
		for i := range fresh {
			fresh[i].Line, fresh[i].Col = 0, 0 // of a text that nobody has
		}
		return fresh
	case len(old) > 0:
		return old
	}
	return []Problem{{What: "the file would not say what is asked for", Fix: "make this edit by hand"}}
}

// bad are the problems that are no notes.
func bad(problems []Problem) []Problem {
	return slices.DeleteFunc(slices.Clone(problems), func(p Problem) bool { return p.Note })
}

// compared are the problems found that were not known, and those known that stay.
func compared(known, found []Problem) (fresh, old []Problem) {
	for _, p := range found {
		i := slices.IndexFunc(known, func(k Problem) bool { return k.What == p.What })
		if i < 0 {
			fresh = append(fresh, p)
			continue
		}
		old = append(old, known[i])
		known = slices.Delete(slices.Clone(known), i, i+1)
	}
	return fresh, old
}

// asWanted reports whether a stream is what it was, but for the tags that were edited,
// and these what they should be.
func asWanted(before, after Document, edits map[string]*TagEdit) bool {
	for name, e := range edits {
		i := slices.IndexFunc(after.Spec.Tags, func(t Tag) bool { return t.Name == name })
		if e.Delete {
			if i >= 0 || slices.Contains(after.Spec.Broken, name) || after.Status.Tag(name) != nil {
				return false
			}
		} else if i < 0 || !e.met(after.Spec.Tags[i]) {
			return false
		}
	}
	return reflect.DeepEqual(without(before, edits), without(after, edits))
}

// met reports whether a tag is what was asked for.
func (e *TagEdit) met(t Tag) bool {
	is := func(want *bool, got bool) bool { return want == nil || *want == got }
	return t.From == e.From && is(e.Reference, t.Reference) && is(e.Insecure, t.Insecure) && is(e.Scheduled, t.Scheduled) &&
		is(e.Local, t.Local) && (e.ImportMode == "" || e.ImportMode == t.ImportMode) && (!e.chooses() || t.Policy != nil)
}

// without is a stream without the tags that were edited, to be compared: places move,
// and of policies only the meaning counts.
func without(d Document, edits map[string]*TagEdit) any {
	type tag struct {
		Tag
		policy string
	}
	var rest []tag
	for _, t := range d.Spec.Tags {
		if edits[t.Name] != nil {
			continue
		}
		words := ""
		if t.Policy != nil {
			words = t.Policy.String()
		}
		t.Line, t.Col, t.Policy = 0, 0, nil
		rest = append(rest, tag{t, words})
	}
	var broken []string
	for _, name := range d.Spec.Broken {
		if edits[name] == nil {
			broken = append(broken, name)
		}
	}
	var record []TagStatus
	for _, t := range d.Status.Tags {
		if e := edits[t.Tag]; e == nil || !e.Delete {
			record = append(record, t)
		}
	}
	d.Line, d.Col, d.Spec.Tags, d.Spec.Broken, d.Status.Tags = 0, 0, nil, nil, nil
	return []any{d, rest, broken, record}
}

// AppendStream is src with a document more: an image stream without tags. What stands
// there stays as it is.
func AppendStream(src []byte, name Name) ([]byte, []Problem) {
	old, err := yamledit.Parse(src, yamledit.DefaultLimits)
	if e := (*yamledit.Error)(nil); errors.As(err, &e) {
		return nil, []Problem{{Line: e.Line, Col: e.Col, What: e.What, Fix: e.Fix}}
	}
	if old.JSON {
		return nil, []Problem{{What: "a JSON file holds one document, and this one is taken", Fix: "name another file"}}
	}
	text, problems := newStream(name)
	if len(problems) > 0 {
		return nil, problems
	}
	out := bytes.Clone(src)
	if len(old.Docs) > 0 {
		if !bytes.HasSuffix(src, []byte("\n")) {
			out = append(out, '\n')
		}
		text = append([]byte("---\n"), text...)
	}
	out = append(out, text...)
	if bytes.Contains(src, []byte("\r\n")) {
		out = append(out[:len(src):len(src)], bytes.ReplaceAll(out[len(src):], []byte("\n"), []byte("\r\n"))...)
	}
	added, err := yamledit.Parse(out, yamledit.DefaultLimits)
	if err == nil && len(added.Docs) == len(old.Docs)+1 && samePrefix(old.Docs, added.Docs) {
		return out, nil
	}
	return nil, []Problem{{What: "no document can be added to this file", Fix: "name another file"}}
}

// newStream is the text of an image stream without tags.
func newStream(name Name) ([]byte, []Problem) {
	f, err := yamledit.Parse([]byte("apiVersion: "+imagev1.GroupVersion.String()+"\nkind: ImageStream\nmetadata: {}\n"), yamledit.DefaultLimits)
	if err != nil {
		return nil, []Problem{{What: err.Error(), Fix: "report this as a bug"}}
	}
	changes := []yamledit.Change{{At: yamledit.Path{"metadata", "name"}, Value: name.Name}}
	if name.Namespace != "" {
		changes = append(changes, yamledit.Change{At: yamledit.Path{"metadata", "namespace"}, Value: name.Namespace})
	}
	text, err := f.Apply(changes...)
	if err == nil {
		f, err = yamledit.Parse(text, yamledit.DefaultLimits)
	}
	if err != nil {
		return nil, []Problem{{What: err.Error(), Fix: "give the stream another name"}}
	}
	if _, problems := Parse(f); len(problems) > 0 {
		problems[0].Line, problems[0].Col = 0, 0
		return nil, problems
	}
	return text, nil
}

// samePrefix reports whether the documents of a file still say the same.
func samePrefix(before, after []yamledit.Doc) bool {
	return slices.EqualFunc(before, after[:len(before)], func(a, b yamledit.Doc) bool { return sameNode(a.Root, b.Root) })
}

func sameNode(a, b *yamledit.Node) bool {
	if a.Kind == yaml.AliasNode || b.Kind == yaml.AliasNode {
		return a.Kind == b.Kind && a.Value == b.Value
	}
	return a.Kind == b.Kind && a.Tag == b.Tag && a.Value == b.Value && slices.EqualFunc(a.Content, b.Content, sameNode)
}
