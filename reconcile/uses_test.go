package reconcile_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/towpath/towpath/imagestream"
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

// A tag is on record in the status of its own stream, at a line; where that cannot be read, nobody can tell.
func TestShelfRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQuay(t, map[string]string{
			".towpath.yaml": pushConfig, "app.yaml": statusOf("team1", "app", registrymemory.Digest("one")) + "  - tag: empty\n",
			"bad.yaml": statusOf("team1", "bad", registrymemory.Digest("bad")) + "  - 7\n",
		})
		arrivals := &registrymemory.Arrivals{}
		q.line.Arrivals = arrivals
		record := func(tag, want string) {
			t.Helper()
			name, tag, _ := strings.Cut(tag, ":")
			namespace, name, _ := strings.Cut(name, "/")
			where, err := q.line.Shelf().Record(t.Context(), imagestream.TagRef{Stream: imagestream.Name{Namespace: namespace, Name: name}, Tag: tag})
			if why := (*reconcile.Unsure)(nil); errors.As(err, &why) {
				where = "nobody can tell"
			} else if err != nil {
				t.Error(err)
			}
			if where != want {
				t.Errorf("%s/%s:%s is at %q, want %q", namespace, name, tag, where, want)
			}
		}
		if _, err := q.line.Once(t.Context()); err != nil {
			t.Fatal(err)
		}
		record("team1/app:stable", "app.yaml:6 (team1/app:stable)")
		record("team1/app:empty", "")
		record("team1/app:none", "")
		record("team1/bad:stable", "nobody can tell")
		record("team1/none:stable", "nobody can tell") // it may be the one that is not well formed

		arrivals.Push("team1", "app", "mine", registrymemory.Digest("two"), time.Now())
		arrivals.Push("team1", "api", "mine", registrymemory.Digest("two"), time.Now())
		if _, err := q.line.Once(t.Context(), reconcile.Hint{Arrived: true}); err != nil {
			t.Fatal(err)
		}
		record("team1/app:mine", "app.yaml (team1/app:mine)") // lines moved
		record("team1/app:stable", "app.yaml (team1/app:stable)")
		record("team1/api:mine", "team1/api:mine")
		if _, err := q.line.Once(t.Context()); err != nil {
			t.Fatal(err)
		}
		record("team1/app:mine", "app.yaml:13 (team1/app:mine)")
	})
}
