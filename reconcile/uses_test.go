package reconcile_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/towpath/towpath/reconcile"
	registrymemory "github.com/towpath/towpath/registry/memory"
)

// statusOf is a stream with a tag that is the first of the digests, and was the others.
func statusOf(namespace, name string, digests ...string) string {
	text := fmt.Sprintf("apiVersion: image.openshift.io/v1\nkind: ImageStream\nmetadata: {name: %s, namespace: %s}\nstatus:\n  tags:\n  - tag: stable\n    items:\n", name, namespace)
	for _, d := range digests {
		text += fmt.Sprintf("    - created: \"2026-01-02T03:04:05Z\"\n      dockerImageReference: registry.example.com/team1/web@%s\n      generation: 1\n      image: %s\n", d, d)
	}
	return text
}

// What a status names is in use: also one of another stream, in its history, to which an undo goes
// back, and however it is written.
func TestUses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now, old, odd := registrymemory.Digest("now"), registrymemory.Digest("old"), registrymemory.Digest("odd")
		q := newQuay(t, map[string]string{
			".towpath.yaml": pushConfig,
			"prod.yaml":     statusOf("prod", "copy", now, old),
			"other.yaml":    strings.NewReplacer("web@O", "web:1", "O", fmt.Sprintf(`"sha256:\x%x%s"`, odd[7], odd[8:])).Replace(statusOf("prod", "other", "O")),
		})
		q.line.Arrivals = &registrymemory.Arrivals{}
		time.Sleep(time.Hour)
		if _, err := q.line.Once(t.Context()); err != nil {
			t.Fatal(err)
		}
		for word, want := range map[string][]reconcile.Use{
			"now": {{"prod", "prod.yaml:8 (prod/copy:stable)"}}, "old": {{"prod", "prod.yaml:12 (prod/copy:stable)"}}, "none": nil,
		} {
			for range 2 { // as it is read, and as it is remembered
				uses, err := q.line.Shelf().Uses(t.Context(), registrymemory.Digest(word))
				if diff := cmp.Diff(want, uses); diff != "" || err != nil {
					t.Errorf("%s: %v (-want +got)\n%s", word, err, diff)
				}
			}
		}
		if uses, err := q.line.Shelf().Uses(t.Context(), odd); len(uses) == 0 && err == nil {
			t.Error("an escaped digest: nothing names it, says Uses")
		}
	})
}

// A status that cannot be read is no word that nothing names an image.
func TestUsesUnsure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQuay(t, map[string]string{
			".towpath.yaml": pushConfig, "bad.yaml": statusOf("team1", "bad", registrymemory.Digest("bad")) + "  - 7\n",
		})
		q.line.Arrivals = &registrymemory.Arrivals{}
		if _, err := q.line.Once(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, word := range []string{"bad", "none"} {
			uses, err := q.line.Shelf().Uses(t.Context(), registrymemory.Digest(word))
			if why := (*reconcile.Unsure)(nil); !errors.As(err, &why) || why.Fix == "" {
				t.Errorf("%s: %v, %v", word, uses, err)
			}
		}
	})
}
