package main

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	imagev1 "github.com/openshift/api/image/v1"
	"go.yaml.in/yaml/v4"
	sigsyaml "sigs.k8s.io/yaml"

	"github.com/towpath/towpath/imagestream"
	"github.com/towpath/towpath/policy"
	"github.com/towpath/towpath/registry"
	"github.com/towpath/towpath/trigger"
	"github.com/towpath/towpath/yamledit"
)

// now is when every import happens: later than any file of the field says.
var now = time.Date(2040, 1, 2, 3, 4, 5, 0, time.UTC)

// check does to a file what towpath would, and looks at what came of it.
func check(src []byte) (r result) {
	f, err := yamledit.Parse(src, yamledit.DefaultLimits)
	if e := (*yamledit.Error)(nil); errors.As(err, &e) {
		r.problems = []imagestream.Problem{{Line: e.Line, Col: e.Col, What: e.What, Fix: e.Fix}}
		return r
	}
	docs, problems := imagestream.Parse(f)
	sites, more := trigger.Find(f)
	r.streams, r.sites, r.problems = len(docs), len(sites), append(problems, more...)
	for _, d := range docs {
		r.tags += len(d.Spec.Tags)
	}
	r.err = cmp.Or(checkFields(src, docs), checkReferences(docs), checkStatus(f, docs), checkAnnotations(f, docs), checkSites(f, sites))
	return r
}

// checkFields decodes each stream strictly, in the usual way: no field may be
// unknown to the API's types.
func checkFields(src []byte, docs []imagestream.Document) error {
	f, err := yamledit.Parse(src, yamledit.DefaultLimits) // the encoder changes nodes
	if err != nil {
		return err
	}
	for _, d := range docs {
		text, err := yaml.Marshal(yamledit.Lookup(f.Docs[d.Doc].Root, d.At))
		if err == nil {
			err = sigsyaml.UnmarshalStrict(text, &imagev1.ImageStream{})
		}
		if err != nil {
			return fmt.Errorf("image stream %s: %w", d.Name, err)
		}
	}
	return nil
}

// checkStatus records an import of everything, twice.
func checkStatus(f *yamledit.File, docs []imagestream.Document) error {
	out, after, err := record(f, docs)
	if err != nil {
		return err
	}
	if err := unchanged(f, out, statusParts(f), statusParts(out)); err != nil {
		return err
	}
	if bytes.Count(out.Src, []byte("generation")) > bytes.Count(f.Src, []byte("generation")) {
		return errors.New("a generation was written")
	}
	read, _ := imagestream.Parse(out)
	if len(read) != len(docs) {
		return fmt.Errorf("%d streams became %d", len(docs), len(read))
	}
	for i, d := range read {
		if diff := gocmp.Diff(docs[i], d, places, cmpopts.IgnoreFields(imagestream.Document{}, "Status", "Checked")); diff != "" {
			return fmt.Errorf("image stream %s is not what it was (-before +after):\n%s", d.Name, diff)
		}
		if diff := gocmp.Diff(after[i], d.Status, cmpopts.EquateEmpty()); diff != "" {
			return fmt.Errorf("image stream %s: the status reads otherwise (-meant +read):\n%s", d.Name, diff)
		}
	}
	again, _, err := record(out, read)
	if err == nil && !bytes.Equal(again.Src, out.Src) {
		err = errors.New("the same import again changes the file again")
	}
	return err
}

// places are where something stands in a file, which is not what it says. Policies
// that are written alike choose alike.
var places = gocmp.Options{
	cmpopts.IgnoreFields(imagestream.Document{}, "Line", "Col"), cmpopts.IgnoreFields(imagestream.Tag{}, "Line", "Col"),
	gocmp.Comparer(func(a, b *policy.Policy) bool { return a == b || a != nil && b != nil && a.String() == b.String() }),
}

// record writes what an import of every tag would, and tells the records that
// are meant to stand there then.
func record(f *yamledit.File, docs []imagestream.Document) (*yamledit.File, []imagestream.Status, error) {
	var updates []imagestream.Update
	after := make([]imagestream.Status, len(docs))
	for i, d := range docs {
		if after[i] = d.Status; d.Malformed {
			continue
		}
		o := imagestream.Options{Now: now}
		after[i] = d.After(events(d), o)
		updates = append(updates, imagestream.Update{Document: d, After: after[i], Options: o})
	}
	src, err := imagestream.Write(f, updates)
	out, err := parsed(src, err)
	return out, after, err
}

func apply(f *yamledit.File, changes []yamledit.Change) (*yamledit.File, error) {
	return parsed(f.Apply(changes...))
}

// parsed is what came of an edit.
func parsed(src []byte, err error) (*yamledit.File, error) {
	if e := (*yamledit.Refused)(nil); errors.As(err, &e) {
		return nil, fmt.Errorf("%d:%d: the edit is refused: %s", e.Line, e.Col, e.What)
	}
	if err != nil {
		return nil, err
	}
	out, err := yamledit.Parse(src, yamledit.DefaultLimits)
	if err != nil {
		return nil, fmt.Errorf("the edited text does not parse: %w", err)
	}
	return out, nil
}

// events are imports of every tag that spec names in a registry, and of latest where it
// names a whole repository; aliases take an image, and references their own name.
func events(d imagestream.Document) []imagestream.Event {
	var es []imagestream.Event
	for _, t := range d.Spec.Tags {
		switch {
		case t.From.Name == "":
		case t.From.Kind == imagestream.DockerImage && t.Reference:
			es = append(es, imagestream.Event{Tag: t.Name, Item: &imagestream.Item{Reference: t.From.Name}})
		case t.From.Kind == imagestream.DockerImage:
			es = append(es, imported(t.Name, t.From.Name, t.From.Inputs))
		default:
			e := imported(t.Name, "registry.example.com/canal/"+d.Name.Name, t.From.Inputs)
			e.Source = nil
			es = append(es, e)
		}
	}
	if d.Spec.Repository != "" {
		es = append(es, imported("latest", d.Spec.Repository+":latest", d.Spec.Inputs))
	}
	return es
}

func imported(tag, from string, inputs func(mode, platform string, more ...string) string) imagestream.Event {
	const mode, platform = imagestream.Legacy, "linux/amd64"
	digest := fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(from)))
	if ref, err := registry.ParseRef(from); err == nil && ref.Digest != "" {
		digest = ref.Digest
	}
	return imagestream.Event{
		Tag:    tag,
		Item:   &imagestream.Item{Reference: registry.Repository(from) + "@" + digest, Image: digest},
		Source: &imagestream.Source{From: from, Mode: mode, Platform: platform, Inputs: inputs(mode, platform)},
		Clear:  true,
	}
}

// checkReferences: what passes as a reference can be dialled.
func checkReferences(docs []imagestream.Document) error {
	for _, d := range docs {
		var names []string
		for _, t := range d.Spec.Tags {
			if t.From.Kind == imagestream.DockerImage {
				names = append(names, t.From.Name)
			}
		}
		for _, t := range d.Status.Tags {
			for _, i := range t.Items {
				names = append(names, i.Reference)
			}
		}
		if d.Spec.Repository != "" {
			names = append(names, d.Spec.Repository)
		}
		for _, name := range names {
			if _, err := registry.ParseRef(name); err != nil {
				return fmt.Errorf("image stream %s: %q: %w", d.Name, name, err)
			}
		}
	}
	return nil
}

// checkAnnotations gives every tag that is imported an interval, and every repository a
// schedule.
func checkAnnotations(f *yamledit.File, docs []imagestream.Document) error {
	var changes []yamledit.Change
	var before, after parts
	annotate := func(doc int, value string, at ...any) {
		changes = append(changes, yamledit.Change{Doc: doc, At: at, Value: value})
		before.add(f, doc, at[:len(at)-1])
	}
	want := slices.Clone(docs)
	for i, d := range docs {
		want[i].Spec.Tags = slices.Clone(d.Spec.Tags)
		if d.Spec.Repository != "" {
			annotate(d.Doc, "true", append(slices.Clone(d.At), "metadata", "annotations", "towpath.dev/scheduled")...)
			want[i].Scheduled = true
		}
		list := append(slices.Clone(d.At), "spec", "tags")
		for j, t := range d.Spec.Tags {
			if t.From.Kind != imagestream.DockerImage || t.Reference {
				continue
			}
			at := append(slices.Clone(list), indexOf(yamledit.Lookup(f.Docs[d.Doc].Root, list), t))
			annotate(d.Doc, "7m", append(slices.Clone(at), "annotations", "towpath.dev/interval")...)
			_, explicit := yamledit.Get(f.Docs[d.Doc].Root, append(slices.Clone(at), "importPolicy", "scheduled"))
			want[i].Spec.Tags[j].Interval, want[i].Spec.Tags[j].Scheduled = 7*time.Minute, t.Scheduled || !explicit
		}
	}
	out, err := apply(f, changes)
	if err != nil {
		return err
	}
	for _, c := range changes {
		after.add(out, c.Doc, c.At[:len(c.At)-1])
	}
	if err := unchanged(f, out, before, after); err != nil {
		return err
	}
	read, _ := imagestream.Parse(out)
	if diff := gocmp.Diff(want, read, places, cmpopts.EquateEmpty()); diff != "" {
		return fmt.Errorf("with annotations the streams are others (-want +got):\n%s", diff)
	}
	return nil
}

// indexOf is where in the list a tag stands.
func indexOf(list *yamledit.Node, t imagestream.Tag) int {
	return slices.IndexFunc(list.Content, func(n *yamledit.Node) bool { return n.Line == t.Line && n.Column == t.Col })
}

// checkSites rewrites every site.
func checkSites(f *yamledit.File, sites []trigger.Site) error {
	image := trigger.ParseImage("registry.example.com/other/image:7@sha256:0123456789012345678901234567890123456789012345678901234567890123")
	var rewrites []trigger.Rewrite
	for _, s := range sites {
		rewrites = append(rewrites, trigger.Rewrite{Site: s, Image: image, Style: trigger.ByDigest})
	}
	text, err := trigger.Rewritten(f.Src, trigger.As{}, rewrites...)
	if err != nil {
		return err
	}
	out, err := yamledit.Parse(text, yamledit.DefaultLimits)
	if err != nil {
		return err
	}
	var before, after parts
	for _, s := range sites {
		for _, p := range s.Places {
			before.add(f, p.Doc, p.At)
			after.add(out, p.Doc, p.At)
		}
	}
	if err := unchanged(f, out, before, after); err != nil {
		return err
	}
	read, _ := trigger.Find(out)
	if len(read) != len(sites) {
		return fmt.Errorf("%d sites became %d", len(sites), len(read))
	}
	for _, s := range read {
		if !s.Has(image, trigger.ByDigest) {
			return fmt.Errorf("line %d: the site holds %q after it was rewritten", s.Line, s.Current())
		}
	}
	return nil
}
