package reconcile_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/towpath/towpath/gitstore/memory"
	"github.com/towpath/towpath/imagestream"
	"github.com/towpath/towpath/reconcile"
	registrymemory "github.com/towpath/towpath/registry/memory"
)

const surveyed = `apiVersion: image.openshift.io/v1
kind: ImageStream
metadata: {name: web, namespace: team1}
spec:
  tags:
    - {name: often, from: {kind: DockerImage, name: "quay.io/team1/web:1"}, importPolicy: {scheduled: true}}
    - {name: once, from: {kind: DockerImage, name: "quay.io/team1/web:1"}}
    - {name: gone, from: {kind: DockerImage, name: "quay.io/team1/web:gone"}}
    - {name: alias, from: {kind: ImageStreamTag, name: once}}
`

// The schedule says of each tag that is asked what the walker will do, and stays as
// it is when the walker goes on.
func TestSchedule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		images := &registrymemory.Registry{}
		if err := images.Set("quay.io/team1/web:1 aaa"); err != nil {
			t.Fatal(err)
		}
		r := &reconcile.Reconciler{Store: memory.New(map[string]string{
			"web.yaml":      surveyed,
			"paused.yaml":   strings.Replace(surveyed, "name: web,", "name: paused,", 1),
			".towpath.yaml": "version: 1\nrules: [{paths: [paused.yaml], paused: true}]\n",
		}), Branch: "main", Reader: images}
		if got := slices.Collect(r.Schedule().Of()); got != nil {
			t.Errorf("before the first pass: %v", got)
		}
		if _, err := r.Settle(t.Context()); err != nil {
			t.Fatal(err)
		}
		start := time.Now().UTC()
		web := imagestream.Name{Namespace: "team1", Name: "web"}
		schedule := r.Schedule()
		got := slices.Collect(schedule.Of(web))
		var tags []string
		for _, n := range got {
			tags = append(tags, n.Tag.Tag)
			if n.Asking || !n.Asked.Equal(start) {
				t.Errorf("%s: asked %s, asking %t", n.Tag, n.Asked, n.Asking)
			}
		}
		if d := cmp.Diff([]string{"often", "once", "gone"}, tags); d != "" {
			t.Fatalf("(-want +got):\n%s", d)
		}
		if in := got[0].Due.Sub(start); in < 15*time.Minute || in > 17*time.Minute {
			t.Errorf("a scheduled tag is due in %s", in)
		}
		if !got[1].Due.IsZero() {
			t.Errorf("an unscheduled tag on record is due at %s", got[1].Due)
		}
		if in := got[2].Due.Sub(start); in != time.Hour {
			t.Errorf("a tag that lastingly fails is due in %s", in)
		}
		for n := range schedule.Of(imagestream.Name{Namespace: "team1", Name: "paused"}) {
			if !n.Due.IsZero() || !n.Asked.IsZero() {
				t.Errorf("of a stream that is paused: %+v", n)
			}
		}
		if all := slices.Collect(schedule.Of()); len(all) != 6 {
			t.Errorf("all: %v", all)
		}

		time.Sleep(time.Until(got[0].Due))
		rep, err := r.Once(t.Context())
		if err != nil || len(rep.Answers) != 1 || rep.Answers[0].Target.Tag != "often" {
			t.Errorf("when it was due: %+v, %v", rep.Answers, err)
		}
		if d := cmp.Diff(got, slices.Collect(schedule.Of(web))); d != "" {
			t.Errorf("a schedule changed (-before +after):\n%s", d)
		}
		if next := slices.Collect(r.Schedule().Of(web)); !next[0].Due.After(got[0].Due) {
			t.Errorf("it is due again at %s", next[0].Due)
		}
	})
}

// A description has what the catalog cut, and what nothing is decided from; of
// documents and lists in one file, each its own.
func TestDescribe(t *testing.T) {
	item := func(digit string) string {
		digest := "sha256:" + strings.Repeat(digit, 64)
		return fmt.Sprintf(`{created: "2026-01-0%sT00:00:00Z", dockerImageReference: "quay.io/a/b@%s", image: "%s"}`, digit, digest, digest)
	}
	store := memory.New(map[string]string{"all.yaml": `kind: ConfigMap
---
apiVersion: v1
kind: List
items:
  - apiVersion: image.openshift.io/v1
    kind: ImageStream
    metadata: {name: first}
  - apiVersion: image.openshift.io/v1
    kind: ImageStream
    metadata:
      name: second
      creationTimestamp: 2026-01-02T03:04:05Z
      labels: {app: web, tier: "1"}
      annotations: {description: "of the\nteam"}
    spec: {lookupPolicy: {local: true}}
    status:
      publicDockerImageRepository: registry.example/default/second
      tags: [{tag: "1", items: [` + item("3") + ", " + item("2") + ", " + item("1") + `]}]
`})
	r := &reconcile.Reconciler{Store: store, Branch: "main"}
	cat, _, err := r.Survey(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	first, err := cat.Describe(t.Context(), cat.Streams[0])
	if err != nil || first.Name.Name != "first" || first.Labels != nil || first.LocalLookup || !first.Created.IsZero() || first.History("1") != nil {
		t.Errorf("first: %+v, %v", first, err)
	}
	d, err := cat.Describe(t.Context(), cat.Streams[1])
	if err != nil {
		t.Fatal(err)
	}
	var created []int
	for _, item := range d.History("1") {
		created = append(created, item.Created.Day())
	}
	got := []any{d.Name.Name, d.Created, d.Labels, d.Annotations, d.LocalLookup, d.Public, created}
	want := []any{
		"second", time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), map[string]string{"app": "web", "tier": "1"},
		map[string]string{"description": "of the\nteam"}, true, "registry.example/default/second", []int{3, 2, 1},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if n := len(cat.Streams[1].Status.Tags[0].Items); n != 1 {
		t.Errorf("the catalog keeps %d items", n)
	}
}

// BenchmarkSchedule is what a pass of a daemon that serves its report pays for it.
func BenchmarkSchedule(b *testing.B) {
	files := map[string]string{}
	var tags strings.Builder
	for i := range 10 {
		fmt.Fprintf(&tags, "    - {name: t%d, from: {kind: DockerImage, name: \"quay.io/team1/web:%d\"}, importPolicy: {scheduled: true}}\n", i, i)
	}
	for i := range 10_000 {
		files[fmt.Sprintf("s%05d.yaml", i)] = fmt.Sprintf("apiVersion: image.openshift.io/v1\nkind: ImageStream\nmetadata: {name: s%05d}\nspec:\n  tags:\n%s", i, tags.String())
	}
	images := &registrymemory.Registry{}
	for i := range 10 {
		if err := images.Set(fmt.Sprintf("quay.io/team1/web:%d aaa", i)); err != nil {
			b.Fatal(err)
		}
	}
	r := &reconcile.Reconciler{Store: memory.New(files), Branch: "main", Reader: images, Wait: true, Dry: true}
	if _, err := r.Once(b.Context()); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		r.Schedule()
	}
}
