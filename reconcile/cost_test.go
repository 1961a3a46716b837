package reconcile_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/towpath/towpath/gitstore/memory"
	"github.com/towpath/towpath/internal/spent"
	"github.com/towpath/towpath/reconcile"
	registrymemory "github.com/towpath/towpath/registry/memory"
)

// What must not grow with the square of a repository, or with its history. The bounds are several
// times what it takes.

// fresh is a towpath that knows nothing of a repository in which web:1.4 is aaa.
func fresh(t *testing.T, store *memory.Store) *reconcile.Reconciler {
	registry := &registrymemory.Registry{}
	if err := registry.Set("quay.io/team1/web:1.4 aaa"); err != nil {
		t.Fatal(err)
	}
	store.Now = time.Now
	return &reconcile.Reconciler{Store: store, Branch: "main", Reader: registry, Author: towpath, Wait: true, Yes: true}
}

func pass(t *testing.T, r *reconcile.Reconciler, hints ...reconcile.Hint) reconcile.Report {
	t.Helper()
	rep, err := r.Once(t.Context(), hints...)
	if err != nil {
		t.Fatal(err)
	}
	return rep
}

// A long walk over versions of a large file keeps one of them, not all.
func TestCostOfALongWalk(t *testing.T) {
	const streams, commits = 40, 60
	var all strings.Builder
	all.WriteString(quayStream("web"))
	for i := range streams {
		all.WriteString("---\n" + quayStream(fmt.Sprintf("s%d", i)))
	}
	store := memory.New(map[string]string{"streams/all.yaml": all.String(), "a.yaml": follower("a", " ")})
	pass(t, fresh(t, store), reconcile.Hint{Scheduled: true})
	pass(t, fresh(t, store), reconcile.Hint{Scheduled: true})
	store.Write("main", "take a back", map[string]string{"a.yaml": follower("a", "old")})
	text := store.Tree("main")["streams/all.yaml"].Content
	for i := range commits {
		store.Write("main", "another", map[string]string{"streams/all.yaml": fmt.Sprintf("%s# %d\n", text, i)})
	}
	heap := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	var early, late int64
	seen := 0
	store.Hook = func(op string) (bool, error) {
		if op == memory.OpParent {
			switch seen++; seen {
			case 10:
				early = heap()
			case commits - 10:
				late = heap()
			}
		}
		return true, nil
	}
	rep := pass(t, fresh(t, store))
	if len(rep.Held) != 1 || rep.Held[0].Why != reconcile.TakenBack || late == 0 {
		t.Fatalf("held %v after %d commits", rep.Held, seen)
	}
	if grown := late - early; grown > int64(10*len(text)) {
		t.Errorf("the heap grew by %d KiB over %d commits of a file of %d KiB", grown>>10, commits-20, len(text)>>10)
	}
}

// One commit that brings a record and reformats all that follows leaves nothing out, and is
// looked at once, not once for each site.
func TestCostOfALargeSquash(t *testing.T) {
	const n = 1500
	files := map[string]string{"streams/web.yaml": quayStream("web")}
	for i := range n {
		files[fmt.Sprintf("a/%d.yaml", i)] = follower(fmt.Sprint("d", i), "old")
	}
	store := memory.New(files)
	r := fresh(t, store)
	r.Dry = true
	change := map[string]string{}
	for _, w := range pass(t, r, reconcile.Hint{Scheduled: true}).Planned {
		for _, e := range w.Commit.Edits {
			if w.Kind == reconcile.StatusCommit {
				change[e.Path] = string(e.Content)
			}
		}
	}
	for path, text := range files {
		if path != "streams/web.yaml" {
			change[path] = text + "# reformatted\n"
		}
	}
	store.Write("main", "squash", change)
	alone := fresh(t, memory.New(change)) // the same files without a history
	least := spent.CPU(t, func() { pass(t, alone) })
	r = fresh(t, store)
	var rep reconcile.Report
	took := spent.CPU(t, func() { rep = pass(t, r) })
	if len(rep.Held) != 0 {
		t.Errorf("%d are held", len(rep.Held))
	}
	if took > 4*least {
		t.Errorf("it took %s for %d sites, and without a history %s", took, n, least)
	}
}

// Windows that many sites have in common are looked at once a pass.
func TestCostOfWindows(t *testing.T) {
	const n = 2000
	var windows []string
	for i := range 50 {
		windows = append(windows, fmt.Sprintf("{cron: \"%d 0 29 2 *\", for: 700h, zone: Europe/Berlin}", i))
	}
	files := map[string]string{"streams/web.yaml": quayStream("web"), ".towpath.yaml": "version: 1\ndefaults:\n  windows: [" + strings.Join(windows, ", ") + "]\n"}
	var all strings.Builder
	for i := range n {
		fmt.Fprintf(&all, "v%d: x:1 # {\"$imagestream\": \"team1/web:stable\"}\n", i)
	}
	files["a.yaml"] = all.String()
	store := memory.New(files)
	snap, err := store.Snapshot(t.Context(), "main")
	if err != nil {
		t.Fatal(err)
	}
	cat, err := reconcile.Load(t.Context(), snap, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 8, 1, 0, 0, 0, 0, time.UTC) // half a year off
	changes := make([]reconcile.SiteChange, len(cat.Sites))
	for i, s := range cat.Sites {
		changes[i] = reconcile.SiteChange{Site: s, Since: now}
	}
	var later []reconcile.Deferred
	if took := spent.CPU(t, func() { _, later = reconcile.Guard(changes, now) }); took > 500*time.Millisecond {
		t.Errorf("it took %s", took)
	}
	if len(later) != n {
		t.Errorf("%d wait, want %d", len(later), n)
	}
}

// Streams that follow one another in a long line are no circle, which is seen at one look.
func TestCostOfAChain(t *testing.T) {
	const n = 1500
	files := map[string]string{}
	for i := range n {
		marker := ""
		if i > 0 {
			marker = fmt.Sprintf("s%d:stable", i-1)
		}
		files[fmt.Sprintf("s/%d.yaml", i)] = fed(fmt.Sprintf("s%d", i), marker)
	}
	snap, err := memory.New(files).Snapshot(t.Context(), "main")
	if err != nil {
		t.Fatal(err)
	}
	var cat *reconcile.Catalog
	took := spent.CPU(t, func() { cat, err = reconcile.Load(t.Context(), snap, nil, nil) })
	if err != nil || len(cat.Sites) != n-1 {
		t.Fatalf("%v, %d sites", err, len(cat.Sites))
	}
	if took > 250*time.Millisecond {
		t.Errorf("it took %s to load a chain of %d", took, n)
	}
}
