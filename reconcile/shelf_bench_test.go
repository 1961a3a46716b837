package reconcile_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/towpath/towpath/gitstore/memory"
	"github.com/towpath/towpath/imagestream"
	"github.com/towpath/towpath/reconcile"
	registrymemory "github.com/towpath/towpath/registry/memory"
)

// What one HEAD of a blob costs that is not there, of a stream with a long history.
func BenchmarkLenders(b *testing.B) {
	var text strings.Builder
	text.WriteString("apiVersion: image.openshift.io/v1\nkind: ImageStream\nmetadata: {name: web, namespace: team1}\nstatus:\n  tags:\n")
	for t := range 100 {
		fmt.Fprintf(&text, "    - tag: t%d\n      items:\n", t)
		for i := range 10 {
			d := registrymemory.Digest(fmt.Sprint(t, "-", i))
			fmt.Fprintf(&text, "        - {created: '2026-05-01T10:00:00Z', dockerImageReference: 'quay.io/team1/web@%s', image: '%[1]s'}\n", d)
		}
	}
	store := memory.New(map[string]string{".towpath.yaml": pushConfig, "team1/web.yaml": text.String()})
	r := &reconcile.Reconciler{Store: store, Branch: "main", Reader: &registrymemory.Registry{}, Dry: true, Yes: true}
	if _, err := r.Once(context.Background()); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.Shelf().Lenders(context.Background(), imagestream.Name{Namespace: "team1", Name: "web"}); err != nil {
			b.Fatal(err)
		}
	}
}
