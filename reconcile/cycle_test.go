package reconcile_test

import (
	"fmt"
	"strings"
	"testing"
)

// fed is a stream whose tag is imported from what another tag is.
func fed(name, marker string) string {
	if marker != "" {
		marker = fmt.Sprintf(" # {\"$imagestream\": %q}", marker)
	}
	return fmt.Sprintf("apiVersion: image.openshift.io/v1\nkind: ImageStream\nmetadata: {name: %s, namespace: team1}\nspec:\n  tags:\n"+
		"    - name: stable\n      from:\n        kind: DockerImage\n        name: quay.io/team1/%s:1%s\n      importPolicy: {scheduled: true}\n", name, name, marker)
}

// fault: C-33
// Streams that are imported from what each other are would move for ever: none of the circle
// follows, its sites are told, and what follows it from outside still does.
func TestCircle(t *testing.T) {
	for name, files := range map[string]map[string]string{
		"itself": {"a.yaml": fed("a", "a:stable")},
		"two":    {"a.yaml": fed("a", "b:stable"), "b.yaml": fed("b", "a:stable")},
		"over an alias": {"a.yaml": fed("a", "c:stable"), "b.yaml": fed("b", "a:stable"),
			"c.yaml": "apiVersion: image.openshift.io/v1\nkind: ImageStream\nmetadata: {name: c, namespace: team1}\nspec:\n  tags:\n    - {name: stable, from: {kind: ImageStreamTag, name: \"b:stable\"}}\n"},
		"in one file": {"a.yaml": fed("a", "b:stable") + "---\n" + fed("b", "a:stable")},
		"in a list": {"a.yaml": "kind: List\napiVersion: v1\nitems:\n- " + strings.ReplaceAll(strings.TrimSpace(fed("a", "b:stable")), "\n", "\n  ") +
			"\n- " + strings.ReplaceAll(strings.TrimSpace(fed("b", "a:stable")), "\n", "\n  ") + "\n"},
	} {
		t.Run(name, func(t *testing.T) {
			files["web.yaml"] = strings.Replace(follower("web", " "), "web:stable", "a:stable", 1)
			quayside(t, files, func(q *quay) {
				for _, s := range []string{"a", "b"} {
					if err := q.registry.Set(fmt.Sprintf("quay.io/team1/%s:1 %s", s, strings.Repeat(s, 3))); err != nil {
						q.t.Fatal(err)
					}
				}
				q.walk()
				before := len(q.store.Log("main"))
				q.restart()
				q.walk()
				if n := len(q.store.Log("main")); n != before {
					q.t.Errorf("%d commits with no news", n-before)
				}
				told := 0
				for _, p := range q.last.Problems {
					if strings.Contains(p.What, "follows itself") && p.Fix != "" {
						told++
					}
				}
				want := 2
				if name == "itself" {
					want = 1
				}
				if told != want {
					q.t.Errorf("%d sites were told, want %d: %v", told, want, q.last.Problems)
				}
				if !strings.Contains(q.text("web.yaml"), "quay.io/team1/a@sha256:") {
					q.t.Errorf("what follows from outside holds\n%s", q.text("web.yaml"))
				}
			})
		})
	}
}

// A chain of streams is no circle: news go all the way, and then there is rest.
func TestChain(t *testing.T) {
	files := map[string]string{"a.yaml": fed("a", ""), "b.yaml": fed("b", "a:stable"), "c.yaml": fed("c", "b:stable"),
		"web.yaml": strings.Replace(follower("web", " "), "web:stable", "c:stable", 1)}
	quayside(t, files, func(q *quay) {
		for _, s := range []string{"a", "b", "c"} {
			if err := q.registry.Set(fmt.Sprintf("quay.io/team1/%s:1 %s", s, strings.Repeat(s, 3))); err != nil {
				q.t.Fatal(err)
			}
		}
		q.walk()
		if !strings.Contains(q.text("web.yaml"), "quay.io/team1/a@sha256:aaa") {
			q.t.Errorf("at the chain's end stands\n%s", q.text("web.yaml"))
		}
	})
}
