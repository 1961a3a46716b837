package reconcile_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/towpath/towpath/gitstore"
	"github.com/towpath/towpath/gitstore/memory"
	"github.com/towpath/towpath/reconcile"
	"github.com/towpath/towpath/registry"
	registrymemory "github.com/towpath/towpath/registry/memory"
)

// asked makes a reconciler over files, whose Reader is r.
func asked(files map[string]string, r registry.Reader) (*reconcile.Reconciler, *memory.Store) {
	store := memory.New(files)
	return &reconcile.Reconciler{
		Store: store, Branch: "main", Reader: r, Yes: true,
		Author: gitstore.Person{Name: "towpath", Email: "towpath@localhost"},
	}, store
}

// streamOf is a stream with tags t0…, each from REPO:t0….
func streamOf(namespace, name, repo string, tags int, more string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "apiVersion: image.openshift.io/v1\nkind: ImageStream\nmetadata: {name: %s, namespace: %s}\nspec:\n  tags:\n", name, namespace)
	for i := range tags {
		fmt.Fprintf(&b, "    - name: t%d\n      from: {kind: DockerImage, name: %q}\n%s", i, fmt.Sprintf("%s:t%d", repo, i), more)
	}
	return b.String()
}

// One tenant has very many streams at a registry: those of another are asked for in
// turn with them, not after them.
//
// fault: C-34
func TestNamespacesTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r registrymemory.Registry
		files := map[string]string{}
		for i := range 2000 {
			name := fmt.Sprintf("s%04d", i)
			files["greedy/"+name+".yaml"] = streamOf("greedy", name, "quay.io/greedy/"+name, 2, "")
		}
		files["zmodest/web.yaml"] = streamOf("modest", "web", "quay.io/modest/web", 3, "")
		var mu sync.Mutex
		var order []string
		r.Hook = func(_ context.Context, c registrymemory.Call) error {
			mu.Lock()
			order = append(order, c.On.Namespace)
			mu.Unlock()
			time.Sleep(100 * time.Millisecond)
			return nil
		}
		line, store := asked(files, &r)
		defer store.Close()
		if _, err := line.Settle(t.Context(), reconcile.Hint{}); err != nil {
			t.Fatal(err)
		}
		last := 0
		for i, ns := range order {
			if ns == "modest" {
				last = i
			}
		}
		if len(order) != 4003 || last > 600 {
			t.Errorf("the modest tenant's last tag was question %d of %d", last, len(order))
		}
	})
}

// moving is a registry whose tags move between any two requests.
type moving struct {
	registry.Reader
	mu   sync.Mutex
	n    int
	told map[string]bool // digests of images that the platform's entry had, one for each answer
}

func (m *moving) index() (list, child string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.n++
	list, child = registrymemory.Digest(fmt.Sprint("list", m.n)), registrymemory.Digest(fmt.Sprint("child", m.n))
	m.told[child] = true
	return list, child
}

func (m *moving) Head(context.Context, registry.On, registry.Ref) (registry.Image, error) {
	list, _ := m.index()
	return registry.Image{Digest: list, MediaType: "application/vnd.oci.image.index.v1+json"}, nil
}

func (m *moving) Detail(_ context.Context, _ registry.On, ref registry.Ref) (registry.Image, error) {
	if ref.Digest == "" {
		list, child := m.index()
		return m.list(list, child), nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for n := range m.n + 1 {
		if registrymemory.Digest(fmt.Sprint("list", n)) == ref.Digest {
			return m.list(ref.Digest, registrymemory.Digest(fmt.Sprint("child", n))), nil
		}
	}
	return registry.Image{}, &registry.Error{Kind: registry.NotFound, Ref: ref.String(), Message: "no such digest"}
}

func (m *moving) list(digest, child string) registry.Image {
	return registry.Image{Digest: digest, MediaType: "application/vnd.oci.image.index.v1+json",
		Children: []registry.Child{{Digest: child, Platform: registry.Platform{OS: "linux", Architecture: "amd64"}}}}
}

// A tag moves between the HEAD and the reading of its list: what is recorded is one
// image of one answer, and the next poll corrects it.
//
// fault: R-11
func TestTagMovesMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &moving{told: map[string]bool{}}
		line, store := asked(map[string]string{"web.yaml": streamOf("team1", "web", "quay.io/team1/web", 1, "      importPolicy: {scheduled: true}\n")}, m)
		defer store.Close()
		line.Wait = true
		for n := range 3 {
			if _, err := line.Once(t.Context()); err != nil {
				t.Fatal(err)
			}
			item := line.Catalog().Tags()[0].Item
			if n > 0 && (item == nil || item.Image != registrymemory.Digest(fmt.Sprint("child", n))) {
				t.Errorf("pass %d: %+v is on record, want the image of the list that the HEAD named", n, item)
			}
			time.Sleep(time.Hour)
		}
	})
}

// mirrored is a registry behind a mirror that says something else, until the
// registry itself cannot be reached.
type mirrored struct {
	registry.Reader
	mu               sync.Mutex
	mirror, upstream string
	down             *registry.Error
	confirmed        int
}

func (m *mirrored) Head(_ context.Context, on registry.On, ref registry.Ref) (registry.Image, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	image := registry.Image{Digest: m.mirror, MediaType: "application/vnd.oci.image.manifest.v1+json", Mirror: "mirror.example.com"}
	if on.Upstream {
		if m.confirmed++; m.down != nil {
			return registry.Image{}, m.down
		}
		image.Digest, image.Mirror = m.upstream, ""
	}
	return image, nil
}

// A mirror says something else than its registry: where that can be asked its word
// goes, and it is asked only about news; otherwise the mirror's does.
//
// fault: R-18
func TestMirrorDiffers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		aaa, bbb, ccc := registrymemory.Digest("aaa"), registrymemory.Digest("bbb"), registrymemory.Digest("ccc")
		m := &mirrored{mirror: aaa, upstream: bbb}
		line, store := asked(map[string]string{"web.yaml": streamOf("team1", "web", "quay.io/team1/web", 1, "      importPolicy: {scheduled: true}\n")}, m)
		defer store.Close()
		line.Wait = true
		pass := func(want string, confirmed int) {
			t.Helper()
			for range 2 {
				if _, err := line.Once(t.Context()); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Hour)
			}
			if got := line.Catalog().Tags()[0].Item; got == nil || got.Image != want {
				t.Errorf("on record is %+v, want %s", got, want)
			}
			if m.confirmed != confirmed {
				t.Errorf("the registry itself was asked %d times, want %d", m.confirmed, confirmed)
			}
		}
		pass(bbb, 2) // the mirror goes on to say aaa, which stays news
		m.mirror = bbb
		pass(bbb, 2) // no news
		m.mirror, m.down = ccc, &registry.Error{Kind: registry.Unreachable, Message: "no answer"}
		pass(ccc, 3)
		if n := len(store.Log("main")); n != 3 { // the first, bbb, ccc
			t.Errorf("%d commits, want 3", n)
		}
	})
}

// A stream's file is moved, renamed or deleted while its tags are asked for: the
// answer is dropped, and no file comes back.
//
// fault: C-32
func TestStreamGoneMeanwhile(t *testing.T) {
	content := streamOf("team1", "web", "quay.io/team1/web", 1, "")
	for name, person := range map[string]func(memory.Tree){
		"deleted": func(tree memory.Tree) { delete(tree, "web.yaml") },
		"moved": func(tree memory.Tree) {
			tree["new/place.yaml"] = tree["web.yaml"]
			delete(tree, "web.yaml")
		},
		"renamed": func(tree memory.Tree) {
			tree["web.yaml"] = memory.File{Content: strings.Replace(content, "name: web,", "name: other,", 1)}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var r registrymemory.Registry
				if err := r.Set("quay.io/team1/web:t0 aaa"); err != nil {
					t.Fatal(err)
				}
				line, store := asked(map[string]string{"web.yaml": content}, &r)
				defer store.Close()
				edit := sync.OnceFunc(func() { store.Edit("main", "a person's", person) })
				r.Hook = func(context.Context, registrymemory.Call) error { edit(); return nil }
				for range 5 {
					line.Once(t.Context()) // the first push finds the branch moved
					time.Sleep(time.Minute)
				}
				tree := store.Tree("main")
				want := memory.Tree{}
				want["web.yaml"] = memory.File{Content: content}
				person(want)
				if got, want := slices.Sorted(keys(tree)), slices.Sorted(keys(want)); !slices.Equal(got, want) {
					t.Errorf("the tree has %v, want %v", got, want)
				}
				for path, f := range tree {
					if n := strings.Count(f.Content, "- tag:"); n != 1 {
						t.Errorf("%s has %d tags on record, want 1:\n%s", path, n, f.Content)
					}
				}
			})
		})
	}
}

func keys(tree memory.Tree) func(func(string) bool) {
	return func(yield func(string) bool) {
		for path := range tree {
			if !yield(path) {
				return
			}
		}
	}
}
