package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/towpath/towpath/gitstore"
	"github.com/towpath/towpath/imagestream"
	"github.com/towpath/towpath/reconcile"
	"github.com/towpath/towpath/trigger"
	"github.com/towpath/towpath/yamledit"
)

// remarks are notes of what is right as it is written, and does not do what its author
// means: triggers that are nearly such and, where the whole of a checkout was asked for,
// what follows nothing, and what .towpath.yaml says of nothing.
func (t *tree) remarks(ctx context.Context, d *disk, cat *reconcile.Catalog) ([]imagestream.Problem, error) {
	if cat.Invalid {
		return nil, nil
	}
	notes, err := t.nearMisses(ctx, d, cat)
	if err != nil || !t.whole() {
		return notes, err
	}
	notes = append(notes, leftAlone(cat)...)
	notes = append(notes, cat.Config.Idle(d.names())...)
	slices.SortStableFunc(notes, func(a, b imagestream.Problem) int { return cmp.Or(cmp.Compare(a.Path, b.Path), a.Line-b.Line) })
	unread, err := unreadStreams(ctx, d, cat)
	return append(notes, unread...), err
}

// whole reports whether all of a checkout was asked for.
func (t *tree) whole() bool {
	return !t.alone && isRoot(t.root) && slices.ContainsFunc(t.asked, func(n asked) bool { return n.path == "." })
}

// names are the paths of the files that can be read.
func (d *disk) names() []string {
	var names []string
	for _, f := range d.files {
		if f.Skip == "" {
			names = append(names, f.Path)
		}
	}
	return names
}

// nearMisses looks through the files that were asked for, and are read.
func (t *tree) nearMisses(ctx context.Context, d *disk, cat *reconcile.Catalog) ([]imagestream.Problem, error) {
	var notes []imagestream.Problem
	for _, f := range d.files {
		if f.Skip != "" || t.counts(f.Path) == 0 || !cat.Config.Included(f.Path) {
			continue
		}
		src, err := d.Read(ctx, f.Blob)
		if tooLarge(err) {
			continue // which is a problem of its own
		}
		if err != nil {
			return nil, err
		}
		for _, p := range trigger.NearMisses(src) {
			p.Path = f.Path
			notes = append(notes, p)
		}
	}
	return notes, nil
}

// leftAlone are notes of the sites that the record gives no image, and that no import alone
// will.
func leftAlone(cat *reconcile.Catalog) []imagestream.Problem {
	coming := map[imagestream.TagRef]bool{} // tags that a run will ask for
	for _, v := range cat.Tags() {
		coming[v.Tag] = v.State == reconcile.Waiting && v.Failure == nil && v.Item == nil
	}
	var notes []imagestream.Problem
	for _, u := range reconcile.Record(cat, nil, time.Now()).Unresolved() {
		s := cat.Stream(u.Site.Follows.Stream)
		listed := s != nil && s.Spec.Repository != "" && len(s.Status.Tags) == 0
		if u.Site.Paused || coming[u.Site.Follows] || listed {
			continue
		}
		notes = append(notes, imagestream.Problem{Path: u.Site.Path, Line: u.Site.Line, Col: u.Site.Col, Note: true,
			What: "left alone: " + u.Why, Fix: wayOut(cat, u.Site)})
	}
	return notes
}

// wayOut is what an author can write where a site follows what is not there.
func wayOut(cat *reconcile.Catalog, site *reconcile.Site) string {
	follows := site.Follows
	if s := cat.Stream(follows.Stream); s != nil {
		if hasTag(s.Spec, follows.Tag) || s.Status.Tag(follows.Tag) != nil {
			return ""
		}
		return fmt.Sprintf("follow a tag that is there, or give the stream one: %s has %s", s.Name, tagsIn(&s.Document))
	}
	var alike, streams []string
	for _, s := range cat.Streams {
		streams = append(streams, s.Name.String())
		if s.Name.Name == follows.Stream.Name {
			alike = append(alike, s.Name.Namespace)
		}
	}
	switch {
	case site.Policy != "":
		return fmt.Sprintf("say in %s which tag the policy stands for:\nimagepolicies:\n  %q: NAMESPACE/STREAM:TAG", reconcile.ConfigPath, site.Policy)
	case len(alike) > 0:
		return fmt.Sprintf("write the namespace of the stream there or, where the file is of that namespace and does not say so, in %s:\nnamespaces:\n  %q: %s",
			reconcile.ConfigPath, path.Join(path.Dir(site.Path), "**"), alike[0])
	case len(streams) > 0:
		return "correct the name, or add the stream; those that are there: " + someOf(streams)
	}
	return "add the stream; there is none in this repository"
}

// someOf names the first of many.
func someOf(names []string) string {
	const most = 10
	if more := len(names) - most; more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), more)
	}
	return strings.Join(names, ", ")
}

// unreadStreams notes that a repository has streams, and include has none of them read.
func unreadStreams(ctx context.Context, d *disk, cat *reconcile.Catalog) ([]imagestream.Problem, error) {
	if len(cat.Streams) > 0 {
		return nil, nil
	}
	for _, f := range d.files {
		if f.Skip != "" || f.Path == reconcile.ConfigPath || !isYAML(f.Path) || cat.Config.Included(f.Path) || cat.Config.Excludes(f.Path) {
			continue
		}
		src, err := d.Read(ctx, f.Blob)
		if err != nil && !tooLarge(err) {
			return nil, err
		}
		if holdsStream(src) {
			return []imagestream.Problem{{Path: reconcile.ConfigPath, Note: true,
				What: fmt.Sprintf("include has no image stream read, and %s holds one: nothing is imported, and nothing follows", f.Path),
				Fix:  cat.Config.Including(f.Path)}}, nil
		}
	}
	return nil, nil
}

func holdsStream(src []byte) bool {
	f, err := yamledit.Parse(src, yamledit.DefaultLimits)
	if err != nil {
		return false
	}
	docs, _ := imagestream.Parse(f)
	return len(docs) > 0
}

func tooLarge(err error) bool {
	e := (*gitstore.Error)(nil)
	return errors.As(err, &e) && e.Kind == gitstore.TooLarge
}
