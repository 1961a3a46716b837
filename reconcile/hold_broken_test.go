package reconcile_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/towpath/towpath/gitstore/memory"
)

// A file that somebody breaks, and mends however many commits later, is the same before and after: what it
// said meanwhile was nothing, and no hold ends by it.
func TestHeldBeyondABrokenFile(t *testing.T) {
	conflict := func(text string) string { return "<<<<<<< HEAD\n" + text + "=======\n\t{" }
	for name, broken := range map[string]struct {
		path string
		by   func(text string) string
	}{
		"a site's":     {"a.yaml", conflict},
		"its trigger":  {"a.yaml", func(s string) string { return strings.Replace(s, "[{\"from\"", "[{from\"", 1) }},
		"a stream's":   {"streams/web.yaml", conflict},
		"its status":   {"streams/web.yaml", func(s string) string { return strings.Replace(s, "items:", "items: oops #", 1) }},
		"a large file": {"a.yaml", func(s string) string { return s + "#" + strings.Repeat("x", 9<<20) }},
	} {
		t.Run(name, func(t *testing.T) {
			quayside(t, map[string]string{"a.yaml": follower("a", " ")}, func(q *quay) {
				q.push("aaa")
				q.take("a.yaml", "a", "old")
				q.walk()
				good := q.text(broken.path)
				q.store.Write("main", "break it", map[string]string{broken.path: broken.by(good)})
				q.walk()
				for i := range 20 {
					q.store.Write("main", "more", map[string]string{"README": fmt.Sprint(i)})
				}
				q.store.Write("main", "mend it", map[string]string{broken.path: good})
				q.wantAfterRestartToo("a.yaml a old" + heldByA)
			})
		})
	}
}

// A patch of a stream, before it in one file, is not its record.
func TestHeldBesideAPatch(t *testing.T) {
	patch := "apiVersion: image.openshift.io/v1\nkind: ImageStream\nmetadata: {name: web, namespace: team1, labels: {a: b}}\n---\n"
	quayside(t, map[string]string{"a.yaml": follower("a", " "), "streams/web.yaml": patch + quayStream("web")}, func(q *quay) {
		q.push("aaa")
		q.take("a.yaml", "a", "old")
		q.wantAfterRestartToo("a.yaml a old" + heldByA)
		q.store.Write("main", "touch", map[string]string{"streams/web.yaml": q.text("streams/web.yaml") + "# touched\n"})
		q.wantAfterRestartToo("a.yaml a old" + heldByA)
	})
}

// Who marks one more place beside a held one, or has a trigger move one more container, gets no
// image into the one that is held.
func TestHeldWhenThereIsMore(t *testing.T) {
	values := func(name, tag string) string {
		return "image:\n  repository: quay.io/team1/web" + name + "\n  tag: " + tag + " # {\"$imagestream\": \"team1/web:stable\", \"part\": \"tag@digest\"}\n"
	}
	for name, story := range map[string]struct{ first, taken, more string }{
		"one more part": {
			values("", "x"), values("", "old"), values(" # {\"$imagestream\": \"team1/web:stable\", \"part\": \"name\"}", "old"),
		},
		"one more container": {
			strings.Replace(composite("d"), "[one, two]", "[one]", 1),
			strings.Replace(strings.Replace(composite("d"), "[one, two]", "[one]", 1), `" "`, "old", 1),
			strings.Replace(composite("d"), `" "`, "old", 1),
		},
	} {
		t.Run(name, func(t *testing.T) {
			quayside(t, map[string]string{"a.yaml": story.first}, func(q *quay) {
				q.push("aaa")
				if q.text("a.yaml") == story.first {
					q.t.Fatalf("it was never given the image:\n%s", story.first)
				}
				q.store.Write("main", "take a back", map[string]string{"a.yaml": story.taken})
				q.walk()
				q.store.Write("main", "one more", map[string]string{"a.yaml": story.more})
				q.walk()
				q.restart()
				q.walk()
				if got := q.text("a.yaml"); !strings.Contains(got, ": old") {
					q.t.Errorf("it was given the image again:\n%s", got)
				}
			})
		})
	}
}

// An element that comes to stand before a marked one in its list inherits nothing of it.
func TestHeldBelowANewElement(t *testing.T) {
	const mark = " # {\"$imagestream\": \"team1/web:stable\"}\n"
	quayside(t, map[string]string{"v.yaml": "images:\n- x:1" + mark}, func(q *quay) {
		q.push("aaa")
		q.store.Write("main", "take a back", map[string]string{"v.yaml": "images:\n- old:1" + mark})
		q.wantAfterRestartToo("v.yaml  old:1" + heldByA)
		q.store.Write("main", "insert", map[string]string{"v.yaml": "images:\n- other:1\n- old:1" + mark})
		q.wantAfterRestartToo("v.yaml  old:1" + heldByA)
	})
}

// The style in which a repository writes references is no image: a hold is one under any, and what
// a site holds in an older style that says less is left as it is.
func TestHeldInAnyStyle(t *testing.T) {
	config := func(style string) map[string]string {
		return map[string]string{".towpath.yaml": "version: 1\ndefaults: {reference-form: " + style + "}\n", "a.yaml": follower("a", " ")}
	}
	for _, c := range []struct {
		from, to string
		stays    bool // what holds the image
	}{{"digest", "tag", true}, {"tag@digest", "tag", true}, {"tag", "digest", false}, {"tag", "tag@digest", false}} {
		t.Run(c.from+" to "+c.to, func(t *testing.T) {
			quayside(t, config(c.from), func(q *quay) {
				q.push("aaa")
				given := q.text("a.yaml")
				q.store.Write("main", "another style", map[string]string{".towpath.yaml": config(c.to)[".towpath.yaml"]})
				q.walk()
				if got := q.text("a.yaml"); (got == given) != c.stays {
					q.t.Errorf("it holds\n%s\nand held\n%s", got, given)
				}
			})
			quayside(t, config(c.from), func(q *quay) {
				q.push("aaa")
				q.take("a.yaml", "a", "old")
				q.wantAfterRestartToo("a.yaml a old" + heldByA)
				q.store.Write("main", "another style", map[string]string{".towpath.yaml": config(c.to)[".towpath.yaml"]})
				q.wantAfterRestartToo("a.yaml a old" + heldByA)
			})
		})
	}
}

// A site that holds a tag alone follows another stream's alias, or a stream that is referred to by
// its own repository: what is no news to it ends no hold.
func TestHeldByTagOfAnotherName(t *testing.T) {
	byTag := strings.Replace(follower("a", " "), "  annotations:\n", "  annotations:\n    towpath.dev/reference-form: tag\n", 1)
	for name, files := range map[string]map[string]string{
		"over an alias": {
			"a.yaml":            strings.Replace(byTag, "web:stable", "prod:live", 1),
			"streams/prod.yaml": strings.Replace(quayStream("prod"), "name: stable\n      from: {kind: DockerImage, name: \"quay.io/team1/prod:1.4\"}\n      importPolicy: {scheduled: true}", "name: live\n      from: {kind: ImageStreamTag, name: \"web:stable\"}", 1),
		},
		"local": {
			"a.yaml": byTag,
			"streams/web.yaml": strings.Replace(quayStream("web"), "      importPolicy", "      referencePolicy: {type: Local}\n      importPolicy", 1) +
				"status: {dockerImageRepository: registry.local/team1/web}\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			quayside(t, files, func(q *quay) {
				q.push("aaa")
				if q.text("a.yaml") == files["a.yaml"] {
					q.t.Fatal("it was never given the image")
				}
				q.take("a.yaml", "a", "old")
				q.wantAfterRestartToo("a.yaml a old" + heldByA)
				q.push("bbb")
				q.store.Edit("main", "touch", func(tree memory.Tree) {
					tree["streams/web.yaml"] = memory.File{Content: tree["streams/web.yaml"].Content + "# touched\n"}
				})
				q.wantAfterRestartToo("a.yaml a old" + heldByA)
			})
		})
	}
}
