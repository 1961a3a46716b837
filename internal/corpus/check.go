package main

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	imagev1 "github.com/openshift/api/image/v1"
	"go.yaml.in/yaml/v4"
	sigsyaml "sigs.k8s.io/yaml"

	"github.com/towpath/towpath/imagestream"
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
	r.err = cmp.Or(checkFields(src, docs), checkStatus(f, docs), checkSites(f, sites))
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
	read, _ := imagestream.Parse(out)
	if len(read) != len(docs) {
		return fmt.Errorf("%d streams became %d", len(docs), len(read))
	}
	places := gocmp.Options{cmpopts.IgnoreFields(imagestream.Document{}, "Line", "Col", "Status", "Checked"), cmpopts.IgnoreFields(imagestream.Tag{}, "Line", "Col")}
	for i, d := range read {
		if diff := gocmp.Diff(docs[i], d, places); diff != "" {
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

// record writes what an import of every tag would, and tells the records that
// are meant to stand there then.
func record(f *yamledit.File, docs []imagestream.Document) (*yamledit.File, []imagestream.Status, error) {
	var changes []yamledit.Change
	after := make([]imagestream.Status, len(docs))
	for i, d := range docs {
		if after[i] = d.Status; d.Malformed {
			continue
		}
		o := imagestream.Options{Now: now}
		after[i] = d.After(events(d), o)
		changes = append(changes, imagestream.Edits(f, d, after[i], o)...)
	}
	out, err := apply(f, changes)
	return out, after, err
}

func apply(f *yamledit.File, changes []yamledit.Change) (*yamledit.File, error) {
	src, err := f.Apply(changes...)
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

// events are imports of every tag that spec names in a registry, and of latest where
// it names a whole repository.
func events(d imagestream.Document) []imagestream.Event {
	var es []imagestream.Event
	for _, t := range d.Spec.Tags {
		if t.From.Kind == imagestream.DockerImage && !t.Reference {
			es = append(es, imported(t.Name, t.From.Name, t.From.Inputs))
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

// checkSites rewrites every site.
func checkSites(f *yamledit.File, sites []trigger.Site) error {
	const image = "registry.example.com/other/image@sha256:0123456789012345678901234567890123456789012345678901234567890123"
	var changes []yamledit.Change
	for _, s := range sites {
		changes = append(changes, s.Rewrite(image)...)
	}
	out, err := apply(f, changes)
	if err != nil {
		return err
	}
	var before, after parts
	for _, s := range sites {
		before.add(f, s.Doc, s.At)
		after.add(out, s.Doc, s.At)
	}
	if err := unchanged(f, out, before, after); err != nil {
		return err
	}
	read, _ := trigger.Find(out)
	if len(read) != len(sites) {
		return fmt.Errorf("%d sites became %d", len(sites), len(read))
	}
	for _, s := range read {
		if s.Current != image {
			return fmt.Errorf("line %d: the site holds %q after it was rewritten", s.Line, s.Current)
		}
	}
	return nil
}
