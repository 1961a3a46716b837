package reconcile_test

import (
	"strings"
	"testing"

	"github.com/towpath/towpath/gitstore/memory"
)

// What is held is found again where a directory and the config that names it have moved.

// heldByA is how a hold shows that somebody's commit "take a back" began.
const heldByA = ", taken back by take a back"

// anywhere is a text without the namespace that it names.
func anywhere(text string) string {
	return strings.NewReplacer("  namespace: team1\n", "", ", namespace: team1", "").Replace(text)
}

// moveTo moves what is in one directory to another, and edits the tree besides.
func (q *quay) moveTo(from, to string, besides func(memory.Tree)) {
	q.store.Edit("main", "move "+from, func(tree memory.Tree) {
		for path, f := range tree {
			if rest, ok := strings.CutPrefix(path, from+"/"); ok {
				delete(tree, path)
				tree[to+"/"+rest] = f
			}
		}
		if besides != nil {
			besides(tree)
		}
	})
}

// A directory and the line of the config that names it are renamed in one commit: what was there
// was read under the config of those days.
func TestHeldWhenTheConfigMoves(t *testing.T) {
	namespaces := func(dir string) string { return "version: 1\nnamespaces: {\"" + dir + "/**\": team1}\n" }
	for name, story := range map[string]struct {
		files  map[string]string
		dir    string // that moves to moved/
		config func(dir string) string
		path   string // of the site, at last
	}{
		"namespaces of a site": {
			files:  map[string]string{"apps/a.yaml": anywhere(follower("a", " "))},
			dir:    "apps",
			config: namespaces,
			path:   "moved/a.yaml",
		},
		"namespaces of a stream": {
			files:  map[string]string{"streams/web.yaml": anywhere(quayStream("web")), "a.yaml": follower("a", " ")},
			dir:    "streams",
			config: namespaces,
			path:   "a.yaml",
		},
		"include": {
			files:  map[string]string{"apps/a.yaml": follower("a", " ")},
			dir:    "apps",
			config: func(dir string) string { return "version: 1\ninclude: [\"" + dir + "/**\", \"streams/**\"]\n" },
			path:   "moved/a.yaml",
		},
		"another namespace": {
			files: map[string]string{"apps/a.yaml": anywhere(follower("a", " ")), "apps/web.yaml": anywhere(quayStream("web")), "streams/web.yaml": "{}"},
			dir:   "apps",
			config: func(dir string) string {
				return "version: 1\nnamespaces: {\"" + dir + "/**\": in-" + dir + "}\n"
			},
			path: "moved/a.yaml",
		},
	} {
		t.Run(name, func(t *testing.T) {
			story.files[".towpath.yaml"] = story.config(story.dir)
			quayside(t, story.files, func(q *quay) {
				q.push("aaa")
				q.take(strings.Replace(story.path, "moved", story.dir, 1), "a", "old")
				q.walk()
				q.moveTo(story.dir, "moved", func(tree memory.Tree) {
					tree[".towpath.yaml"] = memory.File{Content: story.config("moved")}
				})
				q.wantAfterRestartToo(story.path + " a old" + heldByA)
				q.store.Write("main", "and it is touched there", map[string]string{story.path: q.text(story.path) + "# touched\n"})
				q.wantAfterRestartToo(story.path + " a old" + heldByA)
				q.push("bbb")
				q.want(story.path + " a bbb")
			})
		})
	}
}

// A field that the config names is followed to where it was named before.
func TestHeldWhenAFieldMoves(t *testing.T) {
	config := func(paths, field string) string {
		return "version: 1\nfollow: [{paths: [\"" + paths + "\"], field: " + field + ", from: team1/web:stable}]\n"
	}
	for name, to := range map[string]struct{ path, text, config string }{
		"to another directory": {"services/a.json", `{"image": "old"}`, config("services/*.json", "image")},
		"in its file":          {"apps/a.json", `{"main": {"image": "old"}}`, config("apps/*.json", "main.image")},
	} {
		t.Run(name, func(t *testing.T) {
			quayside(t, map[string]string{"apps/a.json": `{"image": " "}`, ".towpath.yaml": config("apps/*.json", "image")}, func(q *quay) {
				q.push("aaa")
				q.store.Write("main", "take a back", map[string]string{"apps/a.json": `{"image": "old"}`})
				q.wantAfterRestartToo("apps/a.json  old" + heldByA)
				q.store.Edit("main", "move", func(tree memory.Tree) {
					delete(tree, "apps/a.json")
					tree[to.path], tree[".towpath.yaml"] = memory.File{Content: to.text}, memory.File{Content: to.config}
				})
				q.wantAfterRestartToo(to.path + "  old" + heldByA)
			})
		})
	}
}

// The config may follow in a commit of its own: what was not read meanwhile was there.
func TestHeldWhenTheConfigComesLater(t *testing.T) {
	config := func(dir string) map[string]string {
		return map[string]string{".towpath.yaml": "version: 1\ninclude: [\"" + dir + "/**\", \"streams/**\"]\n"}
	}
	files := config("apps")
	files["apps/a.yaml"] = follower("a", " ")
	quayside(t, files, func(q *quay) {
		q.push("aaa")
		q.take("apps/a.yaml", "a", "old")
		q.walk()
		q.moveTo("apps", "services", nil)
		q.walk()
		q.store.Write("main", "the config, too", config("services"))
		q.wantAfterRestartToo("services/a.yaml a old" + heldByA)
	})
}

// A config that was invalid for a time meant nothing then: today's tells what was there.
func TestHeldBeyondAnInvalidConfig(t *testing.T) {
	quayside(t, map[string]string{"apps/a.yaml": follower("a", " ")}, func(q *quay) {
		q.push("aaa")
		q.take("apps/a.yaml", "a", "old")
		q.store.Write("main", "a typo", map[string]string{".towpath.yaml": "version: 1\nincluded: []\n"})
		q.walk()
		q.moveTo("apps", "services", func(tree memory.Tree) {
			tree[".towpath.yaml"] = memory.File{Content: "version: 1\n"}
		})
		q.wantAfterRestartToo("services/a.yaml a old" + heldByA)
	})
}

// What was left out of a merged proposal stays so where its directory moves with the config.
func TestLeftOutUnderAnotherConfig(t *testing.T) {
	namespaces := func(dir string) string { return "version: 1\nnamespaces: {\"" + dir + "/**\": team1}\n" }
	files := map[string]string{"apps/a.yaml": anywhere(follower("a", "old")), "apps/b.yaml": anywhere(follower("b", "old")), ".towpath.yaml": namespaces("apps")}
	quayside(t, files, func(q *quay) {
		merged := q.proposed()
		delete(merged, "apps/b.yaml")
		q.store.Write("main", "merge all but b", merged)
		q.moveTo("apps", "services", func(tree memory.Tree) {
			tree[".towpath.yaml"] = memory.File{Content: namespaces("services")}
		})
		q.wantAfterRestartToo("services/a.yaml a aaa", "services/b.yaml b old, left out by merge all but b")
	})
}

// proposed are the files that a push of aaa would change, as it would leave them. Nothing is
// written.
func (q *quay) proposed() map[string]string {
	q.t.Helper()
	q.line.Dry = true
	q.push("aaa")
	files := map[string]string{}
	for _, w := range q.last.Planned {
		for _, e := range w.Commit.Edits {
			files[e.Path] = string(e.Content)
		}
	}
	q.restart()
	return files
}
