package reconcile_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/towpath/towpath/gitstore"
	"github.com/towpath/towpath/gitstore/memory"
	registrymemory "github.com/towpath/towpath/registry/memory"
)

// Branches and files that move while a push is on its way.

// A person force-pushes while our push is on its way: what they dropped stays dropped, and
// what they rewrote is what we build on.
//
// fault: X-06
func TestForcePushMeanwhile(t *testing.T) {
	for name, rewrite := range map[string]func(w *town, first, before gitstore.Rev){
		"back to the first": func(w *town, first, _ gitstore.Rev) { w.store.Move("main", first) },
		"back by one":       func(w *town, _, before gitstore.Rev) { w.store.Move("main", before) },
		"another history": func(w *town, first, _ gitstore.Rev) {
			w.store.Move("main", first)
			w.write("web.yaml", "# rewritten\n"+webStream)
			w.write("deploy.yaml", "# rewritten\n"+webDeployment)
		},
		"nothing in common": func(w *town, _, _ gitstore.Rev) {
			w.store.Move("main", "")
			w.store.Write("main", "another root", map[string]string{"web.yaml": webStream, "new/deploy.yaml": webDeployment})
		},
	} {
		t.Run(name, func(t *testing.T) {
			inTown(t, nil, func(w *town) {
				first := w.store.Tip("main")
				w.daemon()
				w.daemon()
				w.after(time.Minute)
				before := w.store.Tip("main")
				w.write("secret.txt", "a slip")
				w.after(time.Minute)
				dropped := w.store.Tip("main")
				w.image("bbb")
				var base gitstore.Rev
				w.before(func() { rewrite(w, first, before); base = w.store.Tip("main") })
				w.after(2 * time.Hour)
				based := false
				for _, l := range w.store.Log("main") {
					based = based || l.Rev == base
					if _, there := l.Tree["secret.txt"]; there || l.Rev == dropped {
						t.Errorf("what was dropped is back in %s\n%s", l.Rev.Short(), w.story())
					}
				}
				if !based || base == "" {
					t.Errorf("what the person pushed is gone\n%s", w.story())
				}
				for path := range w.store.Tree("main") {
					if strings.HasSuffix(path, "deploy.yaml") {
						w.want(path, "web@bbb")
					}
				}
				if !strings.Contains(w.text("web.yaml"), registrymemory.Digest("bbb")) {
					t.Errorf("bbb is not on record\n%s", w.text("web.yaml"))
				}
				w.quiet()
			})
		})
	}
}

// Files are renamed, and directories moved, while our push is on its way: nothing comes back
// where it was, and what moved goes on where it is.
//
// fault: X-07
func TestMovedMeanwhile(t *testing.T) {
	dirs := map[string]string{"apps/a/deploy.yaml": "a", "apps/b/deploy.yaml": "b", "apps/b/sub/deploy.yaml": "c"}
	files := map[string]string{}
	for path, name := range dirs {
		files[path] = strings.ReplaceAll(webDeployment, "name: web\n", "name: "+name+"\n")
	}
	renamed := func(rename func(string) string) func(memory.Tree) {
		return func(tree memory.Tree) {
			for _, path := range slices.Sorted(keys(tree)) {
				if to := rename(path); to != path {
					f := tree[path]
					if delete(tree, path); to != "" {
						tree[to] = f
					}
				}
			}
		}
	}
	for name, change := range map[string]func(memory.Tree){
		"every file":  renamed(func(p string) string { return strings.Replace(p, ".yaml", ".yml", 1) }),
		"a directory": renamed(func(p string) string { return strings.Replace(p, "apps/", "environments/prod/", 1) }),
		"the stream":  renamed(func(p string) string { return strings.Replace(p, "web.yaml", "streams/team1/web.yaml", 1) }),
		"two trade places": func(tree memory.Tree) {
			tree["apps/a/deploy.yaml"], tree["apps/b/deploy.yaml"] = tree["apps/b/deploy.yaml"], tree["apps/a/deploy.yaml"]
		},
		"a file is deleted":   renamed(func(p string) string { return strings.Replace(p, "apps/a/deploy.yaml", "", 1) }),
		"a directory is gone": func(tree memory.Tree) { delete(tree, "apps/b/deploy.yaml"); delete(tree, "apps/b/sub/deploy.yaml") },
		"a file for a directory": func(tree memory.Tree) {
			delete(tree, "apps/b/deploy.yaml")
			delete(tree, "apps/b/sub/deploy.yaml")
			tree["apps/b"] = memory.File{Content: files["apps/b/deploy.yaml"]}
		},
		"links for files": func(tree memory.Tree) {
			tree["apps/a/deploy.yaml"] = memory.File{Content: "../b/deploy.yaml", Skip: "a symbolic link"}
			tree["apps/b/sub/deploy.yaml"] = memory.File{Content: "../../../web.yaml", Skip: "a symbolic link"}
		},
	} {
		t.Run(name, func(t *testing.T) {
			inTown(t, files, func(w *town) {
				w.daemon()
				w.daemon()
				w.after(time.Minute)
				w.image("bbb")
				theirs := memory.Tree{}
				w.before(func() {
					w.store.Edit("main", "a person moves files", change)
					theirs = w.store.Tree("main")
				})
				w.after(time.Hour)
				now := w.store.Tree("main")
				if diff := cmp.Diff(slices.Sorted(keys(theirs)), slices.Sorted(keys(now))); diff != "" {
					t.Errorf("files (-as the person left them +now)\n%s", diff)
				}
				for path, f := range now {
					switch {
					case f.Skip != "" || !strings.HasSuffix(path, "l"): // not read
						if f != theirs[path] {
							t.Errorf("%s became %+v", path, f)
						}
					case strings.Contains(f.Content, "triggers"):
						w.want(path, "web@bbb")
						if diff := cmp.Diff(imageLine.ReplaceAllString(theirs[path].Content, ""), imageLine.ReplaceAllString(f.Content, "")); diff != "" {
							t.Errorf("%s is another one (-the person's +now)\n%s", path, diff)
						}
					case !strings.Contains(f.Content, registrymemory.Digest("bbb")):
						t.Errorf("%s has nothing of bbb\n%s", path, f.Content)
					}
				}
				w.quiet()
				w.wantNotLost()
			})
		})
	}
}
