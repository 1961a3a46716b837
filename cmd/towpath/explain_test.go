package main

import (
	"bytes"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	storememory "github.com/towpath/towpath/gitstore/memory"
	"github.com/towpath/towpath/reconcile"
	"github.com/towpath/towpath/registry/memory"
)

// An image that is too young to be recorded is said by plan, with the time at which
// it may be.
func TestPlanSettling(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(24 * time.Hour) // an image from before 2000 has no age
		now := time.Now().UTC().Truncate(time.Second)
		images := &memory.Registry{}
		if err := images.Set("quay.io/team1/web:edge aaa created=" + now.Add(-10*time.Minute).Format(time.RFC3339)); err != nil {
			t.Fatal(err)
		}
		store := storememory.New(map[string]string{"web.yaml": `apiVersion: image.openshift.io/v1
kind: ImageStream
metadata: {name: web}
spec:
  tags:
    - name: edge
      annotations: {towpath.dev/settle: 30m}
      from: {kind: DockerImage, name: quay.io/team1/web:edge}
`})
		r := &reconcile.Reconciler{Store: store, Branch: "main", Reader: images, Dry: true}
		rep, err := r.Settle(t.Context(), reconcile.Hint{Scheduled: true})
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		(&app{stdout: &out, stderr: &out}).printPlan(rep, r.Catalog(), true)
		if len(rep.Settling) != 1 {
			t.Fatalf("settling: %+v", rep.Settling)
		}
		until := rep.Settling[0].Until.UTC().Format(time.RFC3339)
		digest := shortDigest(memory.Digest("aaa"))
		want := "default/web:edge: waiting; nothing is on record; the registry says " + digest + "\n" +
			"settling: default/web:edge: quay.io/team1/web:edge (" + digest + ") is recorded after " + until + " if the tag is still that image then\n" +
			"no changes: 1 stream, 1 tag, 0 sites at " + rep.Rev.Short() + "\n"
		if d := cmp.Diff(want, out.String()); d != "" {
			t.Errorf("want -, got +:\n%s", d)
		}
		es := explain(rep, r.Catalog())
		if len(es) != 1 || es[0].Settling == nil || es[0].Settling.Until.Format(time.RFC3339) != until {
			t.Errorf("explained: %+v", es)
		}
		if lines := strings.Join(linesOf(rep, nil), "\n"); !strings.Contains(lines, "settling: default/web:edge: ") {
			t.Errorf("the page says %q", lines)
		}
	})
}
