package main

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	storememory "github.com/towpath/towpath/gitstore/memory"
	"github.com/towpath/towpath/imagestream"
	"github.com/towpath/towpath/reconcile"
	"github.com/towpath/towpath/registry"
	"github.com/towpath/towpath/registry/memory"
)

// walked is what a walk over files would do.
func walked(t *testing.T, images registry.Reader, files map[string]string) side {
	t.Helper()
	r := &reconcile.Reconciler{Store: storememory.New(files), Branch: "main", Reader: images, Dry: true}
	rep, err := r.Settle(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return side{rep, r.Catalog()}
}

func lines(o outlook) (all []string) {
	for _, p := range o.Problems {
		all = append(all, fmt.Sprintf("problem %s %s", problemPlace(p), p.What))
	}
	for _, p := range o.Mended {
		all = append(all, fmt.Sprintf("mended %s %s", problemPlace(p), p.What))
	}
	for _, c := range o.Tags {
		all = append(all, fmt.Sprintf("%s %s: %s", c.Tag, c.How, tagWords(c)))
	}
	for _, c := range o.Sites {
		all = append(all, fmt.Sprintf("%s: %s", c.Site.Path, c.Writes()))
	}
	for _, u := range o.Unresolved {
		all = append(all, "left "+u.Site.Path)
	}
	for _, h := range o.Held {
		all = append(all, "held "+h.Change.Site.Path+" "+string(h.Why))
	}
	return append(all, o.verdict(), fmt.Sprint(o.code()))
}

// The difference of two trees is what the second brings, and nothing that both have.
func TestCompare(t *testing.T) {
	images := &memory.Registry{}
	if err := images.Set("quay.io/a/web:1 one\nquay.io/a/web:2 two\nquay.io/a/web:3 three"); err != nil {
		t.Fatal(err)
	}
	short := func(word string) string { return shortImage("quay.io/a/web@" + memory.Digest(word)) }
	image := func(word string) string { return "quay.io/a/web@" + memory.Digest(word) }
	recorded := func(from, word string) string {
		return streamOf("web", from) + "status:\n  tags:\n    - tag: stable\n      items:\n        - {created: '2026-05-01T10:00:00Z', dockerImageReference: '" + image(word) + "', image: '" + memory.Digest(word) + "'}\n"
	}
	site := func(tag, image string) string {
		return fmt.Sprintf("image: %s # {\"$imagestream\": \"demo/%s\"}\n", image, tag)
	}
	base := map[string]string{"web.yaml": recorded("quay.io/a/web:1", "one"), "values.yaml": site("web:stable", image("one"))}
	for _, tt := range []struct {
		name     string
		base, to map[string]string
		want     []string
	}{
		{"nothing", base, nil, []string{"merging this would change no image", "0"}},
		{"a comment", base, map[string]string{"values.yaml": "# a\n" + base["values.yaml"]}, []string{"merging this would change no image", "0"}},
		{"another tag", base, map[string]string{"web.yaml": recorded("quay.io/a/web:2", "one")}, []string{
			"demo/web:stable changed: " + short("one") + " becomes " + short("two") + ", from quay.io/a/web:2",
			"values.yaml: " + image("two"), "merging this would change 1 tag and move 1 site", "4"}},
		{"a site", base, map[string]string{"more.yaml": site("web:stable", image("two"))}, []string{
			"more.yaml: " + image("one"), "merging this would move 1 site", "4"}},
		{"a site of nothing", base, map[string]string{"more.yaml": site("gone:stable", "x")}, []string{
			"left more.yaml", "merging this would change no image", "0"}},
		{"an alias", base, map[string]string{"b.yaml": "apiVersion: image.openshift.io/v1\nkind: ImageStream\nmetadata: {name: b, namespace: demo}\nspec:\n  tags:\n    - {name: stable, from: {kind: ImageStreamTag, name: 'web:stable'}}\n", "b-values.yaml": site("b:stable", "x")}, []string{
			"demo/b:stable added: " + short("one") + ", from demo/web:stable",
			"b-values.yaml: " + image("one"), "merging this would change 1 tag and move 1 site", "4"}},
		{"a stream less", base, map[string]string{"web.yaml": ""}, []string{
			"demo/web:stable removed: " + short("one") + " is on record", "left values.yaml", "merging this would change 1 tag", "4"}},
		{"a problem", base, map[string]string{"bad.yaml": badStream}, []string{
			"problem bad.yaml:4:8 spec has no field tag", "merging this would bring 1 problem", "3"}},
		{"the problem further down", map[string]string{"bad.yaml": badStream}, map[string]string{"bad.yaml": "# a\n" + badStream}, []string{
			"merging this would change no image", "0"}},
		{"the problem mended", map[string]string{"bad.yaml": badStream}, map[string]string{"bad.yaml": ""}, []string{
			"mended bad.yaml:4:8 spec has no field tag", "merging this would mend 1 problem", "0"}},
		{"what moves anyway", map[string]string{"web.yaml": recorded("quay.io/a/web:1", "one"), "values.yaml": site("web:stable", image("three"))}, map[string]string{"README": "a"}, []string{
			"merging this would change no image", "0"}},
		{"no such image", base, map[string]string{"web.yaml": recorded("quay.io/a/web:9", "one")}, []string{
			"demo/web:stable changed: " + short("one") + " stays, from quay.io/a/web:9", "merging this would change 1 tag", "3"}},
	} {
		silent := &noted{asked: map[question]bool{}}
		merged := joined(tt.base, tt.to)
		o := compare(walked(t, silent, tt.base), walked(t, images, merged))
		o.Head.Name = "theirs"
		if diff := cmp.Diff(tt.want, lines(o)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

// A list without another is what was there more often.
func TestBeyond(t *testing.T) {
	self := func(s string) string { return s }
	for _, tt := range []struct{ these, those, want []string }{
		{nil, []string{"a"}, nil},
		{[]string{"a", "b", "a"}, nil, []string{"a", "b", "a"}},
		{[]string{"a", "b", "a"}, []string{"a"}, []string{"b", "a"}},
		{[]string{"a", "b"}, []string{"b", "a", "c"}, nil},
	} {
		if diff := cmp.Diff(tt.want, beyond(tt.these, tt.those, self)); diff != "" {
			t.Errorf("%q beyond %q: %s", tt.these, tt.those, diff)
		}
	}
}

// What is not asked is known as such, and is no failure that towpath would record.
func TestNotAsked(t *testing.T) {
	b := &bounded{left: 0}
	_, err := b.Tags(t.Context(), registry.On{}, registry.Repo{Host: "quay.io", Path: "a/b"})
	e := (*registry.Error)(nil)
	if !errors.As(err, &e) || !e.Kind.Passing() || !errors.Is(err, errTooMany) {
		t.Errorf("got %v", err)
	}
	o := compare(side{cat: &reconcile.Catalog{}}, side{Report: reconcile.Report{Failing: []reconcile.Failing{{Tag: imagestream.TagRef{Tag: "a"}, Err: e}}}, cat: &reconcile.Catalog{}})
	if o.Unasked != 1 || len(o.Failing) > 0 {
		t.Errorf("%d unasked, failing %v", o.Unasked, o.Failing)
	}
}
