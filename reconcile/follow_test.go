package reconcile_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/towpath/towpath/reconcile"
	registrymemory "github.com/towpath/towpath/registry/memory"
)

// duo is a DeploymentConfig of two containers, of which one follows web:stable and the other
// other:stable. More goes into the second trigger.
func duo(more string) string {
	return "apiVersion: apps.openshift.io/v1\nkind: DeploymentConfig\nmetadata: {name: d, namespace: team1}\nspec:\n  triggers:\n" +
		"    - type: ImageChange\n      imageChangeParams:\n        automatic: true\n        containerNames: [one]\n        from: {kind: ImageStreamTag, name: \"web:stable\"}\n" +
		"    - type: ImageChange\n      imageChangeParams:\n        automatic: " + more + "\n        containerNames: [two]\n        from: {kind: ImageStreamTag, name: \"other:stable\"}\n" +
		"  template:\n    spec:\n      containers:\n        - name: one\n          image: \" \"\n        - name: two\n          image: \" \"\n"
}

// leftAlone says which sites are left alone, and why.
func (q *quay) leftAlone() string {
	var all []string
	for _, u := range q.last.Unresolved {
		all = append(all, u.Site.ID.Container+": "+u.Why)
	}
	return strings.Join(all, "\n")
}

// A DeploymentConfig starts whole: while one of its images is not on record, the other waits,
// and is listed; neither a trigger that is paused nor one that was written before keeps
// others waiting.
func TestFollowWhole(t *testing.T) {
	const nothing = "two: no image is on record for team1/other:stable"
	for name, story := range map[string]struct {
		more  string // of the second trigger
		given bool   // whether the first container is given its image
		left  string
	}{
		"new":     {"true", false, "one: a DeploymentConfig starts whole, and another of its triggers has no image on record yet\n" + nothing},
		"paused":  {"false", true, nothing},
		"written": {"true\n        lastTriggeredImage: quay.io/team1/other:0", true, nothing},
	} {
		t.Run(name, func(t *testing.T) {
			dc := duo(story.more)
			quayside(t, map[string]string{"d.yaml": dc, "streams/other.yaml": quayStream("other")}, func(q *quay) {
				q.push("aaa")
				if got := strings.Contains(q.text("d.yaml"), registrymemory.Digest("aaa")); got != story.given {
					q.t.Errorf("given its image: %v, want %v:\n%s", got, story.given, q.text("d.yaml"))
				}
				if got := q.leftAlone(); got != story.left {
					q.t.Errorf("left alone\n%s\nwant\n%s", got, story.left)
				}
				if err := q.registry.Set("quay.io/team1/other:1.4 bbb"); err != nil {
					q.t.Fatal(err)
				}
				q.restart()
				q.walk()
				want := 2
				if name == "paused" {
					want = 1
				}
				if n := strings.Count(q.text("d.yaml"), "          image: quay.io/") + strings.Count(q.text("d.yaml"), "          image: \"quay.io/"); n != want {
					q.t.Errorf("at last %d images are given, want %d:\n%s", n, want, q.text("d.yaml"))
				}
			})
		})
	}
}

// A DeploymentConfig starts whole also where one of its places cannot be edited.
func TestFollowWholeOrNotAtAll(t *testing.T) {
	dc := strings.Replace(duo("true"), "- name: two\n          image: \" \"", "- name: two\n          image: &x \" \"\n          command: [*x]", 1)
	quayside(t, map[string]string{"d.yaml": dc, "streams/other.yaml": quayStream("other")}, func(q *quay) {
		if err := q.registry.Set("quay.io/team1/other:1.4 bbb"); err != nil {
			q.t.Fatal(err)
		}
		q.push("aaa")
		q.walk()
		if q.text("d.yaml") != dc {
			q.t.Errorf("half is written:\n%s", q.text("d.yaml"))
		}
		if len(q.last.Problems) == 0 {
			q.t.Error("nobody is told")
		}
	})
}

// From a record that nobody can read, and for a tag whose spec has a problem, nothing follows,
// although an image is on record.
func TestFollowNothingDoubtful(t *testing.T) {
	stands := "status:\n  tags:\n    - tag: stable\n      items:\n        - created: \"2000-01-01T00:00:00Z\"\n          dockerImageReference: quay.io/team1/web@" +
		registrymemory.Digest("aaa") + "\n          image: " + registrymemory.Digest("aaa") + "\n"
	for name, story := range map[string]struct{ stream, want string }{
		"good":      {quayStream("web") + stands, ""},
		"spec":      {strings.Replace(quayStream("web"), "kind: DockerImage", "kind: Docker", 1) + stands, "app: the spec of team1/web:stable has a problem"},
		"malformed": {quayStream("web") + stands + "    - tag: other\n      items: oops\n", "app: the status of image stream team1/web is malformed"},
	} {
		t.Run(name, func(t *testing.T) {
			quayside(t, map[string]string{"a.yaml": follower("a", " "), "streams/web.yaml": story.stream}, func(q *quay) {
				q.walk()
				if got := q.leftAlone(); got != story.want {
					q.t.Errorf("left alone %q, want %q", got, story.want)
				}
				if story.want == "" {
					q.want("a.yaml a aaa")
				} else {
					q.want("a.yaml a ")
				}
			})
		})
	}
}

// Where one tag's news cannot be recorded, what follows another tag of the stream, which stands,
// is written all the same; what would follow the news is not.
func TestFollowWhatStandsBesideARefusal(t *testing.T) {
	next := strings.Replace(quayStream("web"), "  tags:\n", "  tags:\n    - name: next\n      from: {kind: DockerImage, name: \"quay.io/team1/web:next\"}\n      importPolicy: {scheduled: true}\n", 1)
	stands := "status: &s\n  tags:\n    - tag: stable\n      items:\n        - created: \"2000-01-01T00:00:00Z\"\n          dockerImageReference: quay.io/team1/web@" +
		registrymemory.Digest("aaa") + "\n          image: " + registrymemory.Digest("aaa") + "\n"
	files := map[string]string{"streams/web.yaml": next + stands, "a.yaml": follower("a", " "), "b.yaml": strings.Replace(follower("b", " "), "web:stable", "web:next", 1)}
	quayside(t, files, func(q *quay) {
		if err := q.registry.Set("quay.io/team1/web:next bbb"); err != nil {
			q.t.Fatal(err)
		}
		q.push("aaa")
		q.want("a.yaml a aaa", "b.yaml b ")
		if len(q.last.Problems) == 0 {
			q.t.Error("nobody is told of the refusal")
		}
		if q.text("streams/web.yaml") != files["streams/web.yaml"] {
			q.t.Errorf("an anchored status is written:\n%s", q.text("streams/web.yaml"))
		}
	})
}

// What a policy asked of an image's age counts as well for a tag that follows that one.
func TestGuardCountsThePolicysAgeOverAnAlias(t *testing.T) {
	policed := "apiVersion: image.openshift.io/v1\nkind: ImageStream\nmetadata: {name: web, namespace: team1}\nspec:\n" +
		"  tags:\n    - name: stable\n      annotations: {towpath.dev/policy: \"semver:*\", towpath.dev/min-age: 24h}\n      from: {kind: DockerImage, name: quay.io/team1/web}\n"
	alias := "apiVersion: image.openshift.io/v1\nkind: ImageStream\nmetadata: {name: prod, namespace: team1}\nspec:\n  tags:\n    - {name: live, from: {kind: ImageStreamTag, name: \"web:stable\"}}\n"
	files := map[string]string{"streams/web.yaml": policed, "streams/prod.yaml": alias, "a.yaml": strings.Replace(follower("a", " "), "web:stable", "prod:live", 1),
		".towpath.yaml": "version: 1\ndefaults: {min-age: 24h}\n"}
	quayside(t, files, func(q *quay) {
		time.Sleep(240 * time.Hour)
		if err := q.registry.Set("quay.io/team1/web:1.4.0 aaa created=2000-01-02T00:00:00Z"); err != nil {
			q.t.Fatal(err)
		}
		q.walk()
		q.want("a.yaml a aaa")
	})
}

// circled walks over streams a and b, and wants so many sites to be told that they follow
// themselves.
func circled(t *testing.T, files map[string]string, want int) {
	t.Helper()
	quayside(t, files, func(q *quay) {
		for _, s := range []string{"a", "b"} {
			for _, tag := range []string{"0", "1"} {
				if err := q.registry.Set(fmt.Sprintf("quay.io/team1/%s:%s %s", s, tag, strings.Repeat(s, 3))); err != nil {
					q.t.Fatal(err)
				}
			}
		}
		rep, err := q.line.Settle(q.t.Context(), reconcile.Hint{Scheduled: true})
		if err != nil {
			q.t.Fatal(err)
		}
		told := 0
		for _, p := range rep.Problems {
			if strings.Contains(p.What, "follows itself") {
				told++
			}
		}
		if told != want {
			q.t.Errorf("%d sites were told, want %d: %v", told, want, rep.Problems)
		}
	})
}

// A circle is one however its streams are written; a patch of a stream imports nothing by itself.
func TestCircleHoweverWritten(t *testing.T) {
	json := func(name string) string {
		return `{"apiVersion":"image.openshift.io/v1","kind":"ImageStream","metadata":{"name":"` + name + `","namespace":"team1"},"spec":{"tags":[` +
			`{"name":"first","from":{"kind":"DockerImage","name":"quay.io/team1/` + name + `:0"}},` +
			`{"name":"stable","from":{"kind":"DockerImage","name":"quay.io/team1/` + name + `:1"},"importPolicy":{"scheduled":true}}]}}`
	}
	dumped := func(name, marker string) string {
		return fmt.Sprintf("apiVersion: image.openshift.io/v1\nkind: ImageStream\nmetadata: {name: %s, namespace: team1}\nspec:\n  tags:\n"+
			"    - from:\n        kind: DockerImage\n        name: quay.io/team1/%s:1 # {\"$imagestream\": %q}\n      importPolicy: {scheduled: true}\n      name: stable\n", name, name, marker)
	}
	all := "apiVersion: image.openshift.io/v1\nkind: ImageStream\nmetadata: {name: a, namespace: team1}\nspec:\n" +
		"  dockerImageRepository: quay.io/team1/a # {\"$imagestream\": \"a:1\", \"part\": \"name\"}\n" +
		"status:\n  tags:\n    - tag: \"1\"\n      items:\n        - {created: \"2000-01-01T00:00:00Z\", dockerImageReference: quay.io/team1/b@" + registrymemory.Digest("b") + ", image: \"" + registrymemory.Digest("b") + "\"}\n"
	t.Run("names last", func(t *testing.T) {
		circled(t, map[string]string{"a.yaml": dumped("a", "b:stable"), "b.yaml": dumped("b", "a:stable")}, 2)
	})
	t.Run("JSON", func(t *testing.T) {
		circled(t, map[string]string{"a.json": json("a"), "b.json": json("b"), ".towpath.yaml": "version: 1\nfollow:\n" +
			"  - {paths: [a.json], field: \"spec.tags[1].from.name\", from: \"team1/b:stable\"}\n  - {paths: [b.json], field: \"spec.tags[1].from.name\", from: \"team1/a:stable\"}\n"}, 2)
	})
	t.Run("a whole repository", func(t *testing.T) {
		circled(t, map[string]string{"a.yaml": all}, 1)
	})
	t.Run("a patch", func(t *testing.T) {
		circled(t, map[string]string{
			"base/a.yaml":          fed("a", ""),
			"o/kustomization.yaml": "resources: [../base]\npatches: [{path: a.yaml}]\n",
			"o/a.yaml":             fed("a", "a:stable"),
		}, 0)
	})
}
