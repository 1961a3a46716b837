package reconcile_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/towpath/towpath/imagestream"
	"github.com/towpath/towpath/reconcile"
	registrymemory "github.com/towpath/towpath/registry/memory"
)

// What may go is decided by all of every history, and by all places: of the commit that was read
// and of what landed since.
func TestLedger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		odd := strings.Replace(quayStream("odd"), "kind: DockerImage", "kind: Odd", 1) + "# was quay.io/team1/web@" + registrymemory.Digest("zzz") + "\n"
		q := newQuay(t, map[string]string{
			".towpath.yaml": pushConfig, "a.yaml": follower("a", " "),
			"paused.yaml": strings.Replace(follower("b", "quay.io/team1/web@"+registrymemory.Digest("zzz")), "\"fieldPath\"", `"paused":true,"fieldPath"`, 1),
			"odd.yaml":    odd,
			"alias.yaml": "apiVersion: image.openshift.io/v1\nkind: ImageStream\nmetadata: {name: alias, namespace: team1}\nspec:\n" +
				"  tags:\n    - name: latest\n      from: {kind: ImageStreamTag, name: \"web:stable\"}\n",
		})
		arrivals := &registrymemory.Arrivals{}
		q.line.Arrivals = arrivals
		for _, word := range []string{"aaa", "bbb", "ccc", "ddd"} {
			q.push(word)
			time.Sleep(time.Hour)
		}
		arrivals.Push("team1", "app", "v1", registrymemory.Digest("eee"), time.Now())
		if _, err := q.line.Once(t.Context(), reconcile.Hint{Arrived: true}); err != nil {
			t.Fatal(err)
		}
		digests := func(words ...string) (all []string) {
			for _, w := range words {
				all = append(all, registrymemory.Digest(w))
			}
			return all
		}
		for range 2 { // as it landed, and as it was read again
			l, err := q.line.Shelf().Ledger(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			tags, places := l.Of(imagestream.Name{Namespace: "team1", Name: "web"}, digests("aaa", "ddd", "zzz"))
			all := digests("ddd", "ccc", "bbb", "aaa")
			if diff := cmp.Diff(map[string][]string{"stable": all, "team1/alias:latest": all}, tags); diff != "" {
				t.Errorf("tags (-want +got):\n%s", diff)
			}
			want := map[string][]string{digests("ddd")[0]: {"a.yaml:8"}, digests("zzz")[0]: {"paused.yaml:8", "odd.yaml"}}
			if diff := cmp.Diff(want, places); diff != "" {
				t.Errorf("places (-want +got):\n%s", diff)
			}
			tags, _ = l.Of(imagestream.Name{Namespace: "team1", Name: "app"}, digests("eee"))
			if diff := cmp.Diff(map[string][]string{"v1": digests("eee")}, tags); diff != "" {
				t.Errorf("what came just now (-want +got):\n%s", diff)
			}
			if _, err := q.line.Once(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// Where a file may name images and cannot be read, nobody can tell what is in use.
func TestLedgerUnsure(t *testing.T) {
	for name, c := range map[string]struct{ path, text, says string }{
		"config":     {".towpath.yaml", "version: 1\nnamespaces: 7\n", ".towpath.yaml has a problem"},
		"unreadable": {"b.yaml", "kind: ImageStream\n  a: [\n", "b.yaml cannot be read"},
		"twice":      {"b.yaml", quayStream("web"), "team1/web stands in two files"},
		"malformed":  {"b.yaml", quayStream("app") + "status:\n  tags: 7\n", "the status of image stream team1/app (b.yaml:1) cannot be read"},
		"patch":      {"kustomization.yaml", "patches: [{path: streams/web.yaml}]\n", "team1/web is left alone"},
	} {
		t.Run(name, func(t *testing.T) {
			q := newQuay(t, map[string]string{c.path: c.text})
			cat, _, err := q.line.Survey(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			_, err = cat.Ledger(t.Context())
			var unsure *reconcile.Unsure
			if !errors.As(err, &unsure) || !strings.Contains(unsure.What, c.says) || unsure.Fix == "" {
				t.Errorf("got %v, want …%s…", err, c.says)
			}
		})
	}
}
