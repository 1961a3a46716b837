package integrated

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const repository = "team1/web"

// fault: E-03
//
// The power goes at every single step of a push or a deletion, and all that was not synced
// goes with it, or some of it. What was answered is there all the same, and no tag names what
// is not.
func TestPowerLoss(t *testing.T) {
	one, two := newPicture("one", 100), newPicture("two", 100)
	for name, story := range map[string]struct {
		before map[string]picture // pushed and answered when the story begins
		do     func(http.Handler) error
		after  map[string]string // when the story was answered
	}{
		"new": {nil, func(h http.Handler) error { return one.push(h, repository, "1.0") }, map[string]string{"1.0": one.digest()}},
		"over": {map[string]picture{"1.0": one}, func(h http.Handler) error { return two.push(h, repository, "1.0") },
			map[string]string{"1.0": two.digest()}},
		"same": {map[string]picture{"1.0": one}, func(h http.Handler) error { return one.push(h, repository, "1.1") },
			map[string]string{"1.0": one.digest(), "1.1": one.digest()}},
		"delete": {map[string]picture{"1.0": one, "1.1": two}, func(h http.Handler) error {
			if w := do(h, "DELETE", "/v2/"+repository+"/manifests/"+one.digest(), nil); w.Code != http.StatusAccepted {
				return fmt.Errorf("DELETE: %d", w.Code)
			}
			return nil
		}, map[string]string{"1.1": two.digest()}},
	} {
		t.Run(name, func(t *testing.T) {
			for step, over := 1, false; ; step++ {
				for seed := range uint64(2) {
					var draw *rand.Rand // the first time nothing unsynced is left
					if seed > 0 {
						draw = rand.New(rand.NewPCG(seed, uint64(step)))
					}
					d := newDisk()
					r := openOn(t, d, Options{})
					r.cleaning()
					before := map[string]string{}
					for tag, p := range story.before {
						if err := p.push(r, repository, tag); err != nil {
							t.Fatal(err)
						}
						before[tag] = p.digest()
					}
					d.until = d.steps + step
					answered := story.do(r)
					over = !d.off
					r.Close()

					at := fmt.Sprintf("step %d, seed %d", step, seed)
					r = openOn(t, d.powerLoss(draw), Options{})
					got, waiting := whole(t, r, repository), waits(t, r)
					switch {
					case cmp.Equal(got, story.after):
					case answered == nil || name != "delete" && !cmp.Equal(got, before):
						t.Errorf("%s, answered %v: tags are %v", at, answered, got)
					}
					if !cmp.Equal(got, waiting) {
						t.Errorf("%s, answered %v: tags are %v, and %v wait", at, answered, got, waiting)
					}
					if seed > 0 || name == "delete" {
						r.Close()
						over = over || t.Failed()
						continue
					}
					if err := story.do(r); err != nil {
						t.Errorf("%s: it cannot be done again: %v", at, err)
					}
					r.Close()
					over = over || t.Failed()
				}
				if over {
					t.Logf("%d steps", step)
					return
				}
			}
		})
	}
}

// What a caller was shown stays, though whoever stored it has not synced it yet: a client
// that finds a blob does not push it again.
func TestPowerLossOfWhatWasSeen(t *testing.T) {
	for name, story := range map[string]struct {
		stopped string // the directory whose sync does not come back
		rely    func(*directory) error
		path    string // what must be there then
	}{
		"seen": {"/docker/a/b", func(d *directory) error { _, err := d.Stat(t.Context(), "/docker/a/b/data"); return err }, "/docker/a/b/data"},
		"read": {"/docker/a/b", func(d *directory) error { _, err := d.GetContent(t.Context(), "/docker/a/b/data"); return err }, "/docker/a/b/data"},
		"seen in a new directory": {"/docker/a", func(d *directory) error {
			_, err := d.Stat(t.Context(), "/docker/a/b/data")
			return err
		}, "/docker/a/b/data"},
		"put beside it": {"/docker", func(d *directory) error { return d.PutContent(t.Context(), "/docker/a/c", []byte("c")) }, "/docker/a/c"},
	} {
		t.Run(name, func(t *testing.T) {
			system := newDisk()
			d, _, err := openDirectory("/var/towpath", system)
			if err != nil {
				t.Fatal(err)
			}
			reached, goOn := make(chan struct{}), make(chan struct{})
			stops := 1
			system.hook = func(step, at string) error {
				if step == "syncdir" && at == d.at(story.stopped) {
					system.mu.Lock()
					stops--
					stop := stops == 0
					system.mu.Unlock()
					if stop {
						close(reached)
						<-goOn
					}
				}
				return nil
			}
			done := make(chan error)
			go func() { done <- d.PutContent(t.Context(), "/docker/a/b/data", []byte("data")) }()
			<-reached
			if err := story.rely(d); err != nil {
				t.Error(err)
			}
			left, _, err := openDirectory("/var/towpath", system.powerLoss(nil))
			if err != nil {
				t.Fatal(err)
			}
			if content, err := left.GetContent(t.Context(), story.path); err != nil || len(content) == 0 {
				t.Errorf("it was relied on, and is gone: %q, %v", content, err)
			}
			close(goOn)
			<-done
		})
	}
}

// What processes before this one left is removed when a registry opens, and nothing else.
func TestLeftovers(t *testing.T) {
	d := newDisk()
	r := openOn(t, d, Options{})
	one := newPicture("one", 100)
	if err := one.push(r, repository, "1.0"); err != nil {
		t.Fatal(err)
	}
	d.hook = func(step, name string) error {
		if step == "remove" {
			return fmt.Errorf("not now")
		}
		return nil
	}
	started := func() string {
		w := do(r, "POST", "/v2/"+repository+"/blobs/uploads/", nil)
		do(r, "PATCH", w.Header().Get("Location"), []byte("half"))
		return "/v2/" + repository + "/blobs/uploads/" + filepath.Base(strings.Split(w.Header().Get("Location"), "?")[0])
	}
	old, young := started(), started()
	do(r, "DELETE", "/v2/"+repository+"/manifests/1.0", nil) // renamed, and not removed
	r.Close()
	d.hook = nil
	d.age(filepath.Base(old), time.Now().Add(-8*24*time.Hour))
	if len(d.find("/var/towpath"+scratch).names) != 1 {
		t.Fatalf("what was deleted should be left: %v", d.find("/var/towpath"+scratch).names)
	}

	s, err := openFiles("/var/towpath", d)
	if err != nil {
		t.Fatal(err)
	}
	if removed, err := s.clean(t.Context(), time.Now().Add(-keepUploads)); removed != 2 || err != nil {
		t.Errorf("removed %d, %v; want the deleted tag and an upload", removed, err)
	}
	r = openOn(t, d, Options{})
	defer r.Close()
	if w := do(r, "GET", old, nil); w.Code != http.StatusNotFound {
		t.Errorf("the old upload: got %d", w.Code)
	}
	if w := do(r, "GET", young, nil); w.Code != http.StatusNoContent {
		t.Errorf("the young upload: got %d", w.Code)
	}
	if w := do(r, "GET", "/v2/"+repository+"/manifests/"+one.digest(), nil); w.Code != http.StatusOK {
		t.Errorf("the image: got %d", w.Code)
	}
	if left := d.find("/var/towpath" + scratch).names; len(left) != 0 {
		t.Errorf("left: %v", left)
	}
}

// age sets when everything below a directory was written.
func (d *disk) age(base string, at time.Time) {
	var walk func(n *node, in bool)
	walk = func(n *node, in bool) {
		for name, child := range maps.All(n.names) {
			below := in || name == base
			if below {
				child.mod = at
			}
			walk(child, below)
		}
	}
	walk(d.root, false)
}

// Paths that lead elsewhere are none.
func TestDirectoryPaths(t *testing.T) {
	d, _, err := openDirectory("/var/towpath", newDisk())
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{"/../x", "/a/../../x", "/a/./b", "a", "/a//b", "/", "", "/a/ b"} {
		if err := d.PutContent(t.Context(), p, nil); err == nil {
			t.Errorf("%q was taken", p)
		}
	}
}
