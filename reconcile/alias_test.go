package reconcile_test

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/towpath/towpath/gitstore"
	"github.com/towpath/towpath/gitstore/memory"
	"github.com/towpath/towpath/imagestream"
	"github.com/towpath/towpath/reconcile"
	registrymemory "github.com/towpath/towpath/registry/memory"
)

// tagged is a stream of team1 with these entries of spec.tags.
func tagged(name string, tags ...string) string {
	return "apiVersion: image.openshift.io/v1\nkind: ImageStream\nmetadata: {name: " + name + ", namespace: team1}\nspec:\n  tags:\n" +
		strings.Join(tags, "")
}

func entry(name, kind, from string) string {
	return fmt.Sprintf("    - {name: %q, from: {kind: %s, name: %q}}\n", name, kind, from)
}

// respecified is a file with the spec of another and its own status.
func respecified(file, spec string) string {
	_, status, _ := strings.Cut(file, "\nstatus:")
	return spec + "status:" + status
}

// settled walks until nothing moves, asking what is scheduled.
func settled(t *testing.T, l *reconcile.Reconciler) reconcile.Report {
	t.Helper()
	rep, err := l.Settle(t.Context(), reconcile.Hint{Scheduled: true})
	if err != nil {
		t.Fatal(err)
	}
	return rep
}

// imageOf is what a tag of a stream is on record as, by the beginning of its digest.
func imageOf(l *reconcile.Reconciler, stream, tag string) string {
	for _, v := range l.Catalog().Tags() {
		if v.Tag.Stream.Name == stream && v.Tag.Tag == tag && v.Item != nil {
			return v.Item.Image[:min(len(v.Item.Image), len("sha256:")+3)]
		}
	}
	return ""
}

// counting counts the files that are read.
type counting struct {
	gitstore.Snapshot
	reads *atomic.Int32
}

func (s counting) Read(ctx context.Context, id gitstore.BlobID) ([]byte, error) {
	s.reads.Add(1)
	return s.Snapshot.Read(ctx, id)
}

func (s counting) Changes(ctx context.Context, old gitstore.Snapshot) ([]gitstore.Change, error) {
	if o, ok := old.(counting); ok {
		old = o.Snapshot
	}
	return s.Snapshot.Changes(ctx, old)
}

// Images that nobody has, of one stream: its history is read once, and not again before
// its text changes. That is what it costs, not what is said: that stays.
func TestHistoriesAreReadOnce(t *testing.T) {
	var aliases []string
	for i := range 50 {
		aliases = append(aliases, entry(fmt.Sprint("t", i), "ImageStreamImage", fmt.Sprintf("web@sha256:%064x", i)))
	}
	web := streamOf("team1", "web", "quay.io/team1/web", 3, "")
	store := memory.New(map[string]string{"web.yaml": web, "alias.yaml": tagged("alias", aliases...)})
	var cat *reconcile.Catalog
	for _, step := range []struct {
		path, content string
		reads         int32
	}{
		{"README", "one", 3}, // both, and web once more
		{"README", "two", 0},
		{"web.yaml", web + "# changed\n", 2},
		{"alias.yaml", tagged("alias", aliases...) + "# changed\n", 1},
		{"alias.yaml", tagged("alias", append(aliases, entry("new", "ImageStreamImage", "web@abc"))...), 2},
	} {
		store.Write("main", "change "+step.path, map[string]string{step.path: step.content})
		snap, err := store.Snapshot(t.Context(), "main")
		if err != nil {
			t.Fatal(err)
		}
		var reads atomic.Int32
		if cat, err = reconcile.Load(t.Context(), counting{snap, &reads}, cat, nil); err != nil {
			t.Fatal(err)
		}
		if got := reads.Load(); got != step.reads {
			t.Errorf("%s changed: %d files read, want %d", step.path, got, step.reads)
		}
		if got := len(cat.Problems); got < 50 {
			t.Errorf("%s changed: %d problems, want one for each image", step.path, got)
		}
	}
}

// Tags that are images of each other's streams, in a chain: all move in the pass in
// which the first of them does, also those that stand before it by name, and those
// that follow them.
func TestImagesInChains(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r registrymemory.Registry
		if err := r.Set("quay.io/team1/web:t0 aaa"); err != nil {
			t.Fatal(err)
		}
		digest := registrymemory.Digest("aaa")
		files := map[string]string{
			"s5.yaml": streamOf("team1", "s5", "quay.io/team1/web", 1, ""),
			"s0.yaml": tagged("s0", entry("t0", "ImageStreamImage", "s9@"+digest), entry("behind", "ImageStreamTag", "s7:last")),
		}
		for i, from := range map[int]int{1: 0, 2: 1, 3: 2, 4: 3, 6: 5, 7: 6, 8: 7, 9: 8} {
			files[fmt.Sprintf("s%d.yaml", i)] = tagged(fmt.Sprint("s", i), entry("t0", "ImageStreamImage", fmt.Sprintf("s%d@%s", from, digest[len("sha256:"):])), entry("last", "ImageStreamTag", "t0"))
		}
		l, _ := asked(files, &r)
		if rep := settled(t, l); len(rep.Commits) != 1 {
			t.Errorf("%d commits, want one", len(rep.Commits))
		}
		for i := range 10 {
			if got := imageOf(l, fmt.Sprint("s", i), "t0"); got != "sha256:aaa" {
				t.Errorf("s%d:t0 is %q", i, got)
			}
		}
		if got := imageOf(l, "s0", "behind"); got != "sha256:aaa" {
			t.Errorf("what follows one of them is %q", got)
		}
	})
}

// The beginning of a digest names an image of that stream, and no other: not one that
// the tag itself has from elsewhere.
func TestShortDigests(t *testing.T) {
	const web, other = "quay.io/team1/web:t0", "quay.io/team1/other:t0"
	for _, tt := range []struct {
		name   string
		others []string // what other is, one after another
		id     string
		then   string // and what it is at last, with a history of one
		want   string
		says   string
	}{
		{name: "of that stream, not the tag's own", others: []string{"ab2"}, id: "ab", want: "sha256:ab2"},
		{name: "one of two", others: []string{"ab2", "ab3"}, id: "ab3", want: "sha256:ab3"},
		{name: "either of two", others: []string{"ab2", "ab3"}, id: "ab", want: "sha256:ab1", says: "2 images of team1/other begin with ab"},
		{name: "none, but the tag's own", others: []string{"cd2"}, id: "ab", want: "sha256:ab1", says: "is the image ab of team1/other, which is not on record there"},
		{name: "the whole digest", others: []string{"ab2"}, id: registrymemory.Digest("ab1"), want: "sha256:ab1"},
		{name: "forgotten", others: []string{"ab2"}, id: "ab", then: "cd3", want: "sha256:ab2", says: "tag t0 stays sha256:ab2"},
		{name: "forgotten, and another begins so", others: []string{"ab2"}, id: "ab2", then: "cd3", want: "sha256:ab2", says: "tag t0 stays sha256:ab2"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var r registrymemory.Registry
				l, store := asked(map[string]string{
					"web.yaml":      tagged("web", entry("t0", "DockerImage", web)),
					"other.yaml":    streamOf("team1", "other", "quay.io/team1/other", 1, "      importPolicy: {scheduled: true}\n"),
					".towpath.yaml": "version: 1\ndefaults: {history: 2}\n",
				}, &r)
				set := func(line string) {
					t.Helper()
					if err := r.Set(line); err != nil {
						t.Fatal(err)
					}
				}
				set(web + " ab1")
				for _, image := range tt.others {
					set(other + " " + image)
					time.Sleep(time.Hour)
					settled(t, l)
				}
				store.Write("main", "an image of other", map[string]string{
					"web.yaml": respecified(store.Tree("main")["web.yaml"].Content, tagged("web", entry("t0", "ImageStreamImage", "other@"+tt.id)))})
				rep := settled(t, l)
				if tt.then != "" {
					store.Write("main", "forget", map[string]string{".towpath.yaml": "version: 1\ndefaults: {history: 1}\n"})
					set(other + " " + tt.then)
					time.Sleep(time.Hour)
					rep = settled(t, l)
				}
				if got := imageOf(l, "web", "t0"); got != tt.want {
					t.Errorf("web:t0 is %s, want %s", got, tt.want)
				}
				var said []string
				for _, p := range rep.Problems {
					said = append(said, p.String()+" "+p.Fix)
				}
				if got := strings.Join(said, "\n"); (got == "") != (tt.says == "") || !strings.Contains(got, tt.says) {
					t.Errorf("said %q, want %q", got, tt.says)
				}
			})
		})
	}
}

// A tag that goes back to a source whose image is older: its newest item is not older
// than the one below it.
func TestAliasGoesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r registrymemory.Registry
		if err := r.Set("quay.io/team1/web:1 aaa\nquay.io/team1/web:2 bbb"); err != nil {
			t.Fatal(err)
		}
		spec := func(to string, tags ...string) string {
			return tagged("web", append(tags, entry("1", "DockerImage", "quay.io/team1/web:1"), entry("stable", "ImageStreamTag", to))...)
		}
		l, store := asked(map[string]string{"web.yaml": spec("1")}, &r)
		settled(t, l)
		for _, to := range []string{"2", "1"} {
			time.Sleep(time.Hour)
			store.Write("main", "to "+to, map[string]string{
				"web.yaml": respecified(store.Tree("main")["web.yaml"].Content, spec(to, entry("2", "DockerImage", "quay.io/team1/web:2")))})
			settled(t, l)
		}
		d, err := l.Catalog().Describe(t.Context(), l.Catalog().Streams[0])
		if err != nil {
			t.Fatal(err)
		}
		items := d.History("stable")
		if len(items) != 3 || !slices.IsSortedFunc(items, func(a, b imagestream.Item) int { return b.Created.Compare(a.Created) }) {
			t.Errorf("newest first: %v", items)
		}
	})
}

// Aliases of one stream are put into its record together: what a pass allocates for one
// does not grow with how many there are.
func TestManyAliases(t *testing.T) {
	digest := registrymemory.Digest("aaa")
	record := fmt.Sprintf("status:\n  tags:\n    - tag: t0\n      items: [{created: \"2026-01-02T03:04:05Z\", dockerImageReference: \"quay.io/team1/web@%s\", image: %q}]\n", digest, digest)
	cost := func(n int) float64 {
		tags := []string{entry("t0", "DockerImage", "quay.io/team1/web:t0")}
		for i := 1; i < n; i++ {
			tags = append(tags, entry(fmt.Sprint("t", i), "ImageStreamTag", fmt.Sprint("t", i-1)))
		}
		store := memory.New(map[string]string{"web.yaml": tagged("web", tags...) + record})
		snap, err := store.Snapshot(t.Context(), "main")
		if err != nil {
			t.Fatal(err)
		}
		cat, err := reconcile.Load(t.Context(), snap, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		recorded := reconcile.Record(cat, nil, time.Now())
		runtime.ReadMemStats(&after)
		if len(recorded.Changes) != 1 || len(recorded.Changes[0].Events) != n-1 {
			t.Fatalf("%d aliases: %d changes, want one of all", n, len(recorded.Changes))
		}
		return float64(after.TotalAlloc-before.TotalAlloc) / float64(n)
	}
	if few, many := cost(500), cost(4000); many > 2*few {
		t.Errorf("bytes for an alias: %.0f among 500, %.0f among 4000", few, many)
	}
}

// A file is a patch where a kustomization in its directory, or above, says so.
func TestPatches(t *testing.T) {
	stream := func(image string) string {
		return tagged("web", entry("t0", "DockerImage", "quay.io/team1/web:"+image))
	}
	site := strings.ReplaceAll(webDeployment, "web:stable", "web:t0")
	for _, tt := range []struct {
		name  string
		files map[string]string
		want  string   // where the stream stands; empty: nowhere
		bad   []string // what problems say, each once
		site  string   // why what follows it is left alone
	}{
		{
			name: "a patch", want: "base/web.yaml",
			files: map[string]string{"base/web.yaml": stream("a"), "over/web.yaml": stream("b"), "over/kustomization.yaml": "patches: [{path: web.yaml}]\n"},
		},
		{
			name: "a Kustomization", want: "base/web.yaml",
			files: map[string]string{"base/web.yaml": stream("a"), "over/web.yaml": stream("b"), "over/Kustomization": "patches: [{path: web.yaml}]\n"},
		},
		{
			name: "a Kustomization that is excluded", want: "over/web.yaml",
			files: map[string]string{"over/web.yaml": stream("b"), "over/Kustomization": "patches: [{path: web.yaml}]\n", ".towpath.yaml": "version: 1\nexclude: ['**/kustomization.yaml']\n"},
		},
		{
			name:  "a patch of what is nowhere, or the stream itself",
			files: map[string]string{"over/web.yaml": stream("a"), "over/kustomization.yaml": "patches: [{path: web.yaml}]\n"},
			bad:   []string{`over/web.yaml:1:1: image stream team1/web is left alone here: over/kustomization.yaml names this file as a patch, and no other file has it`},
			site:  "over/kustomization.yaml names over/web.yaml as a patch",
		},
		{
			name:  "a tag that follows it",
			files: map[string]string{"over/web.yaml": stream("a"), "over/kustomization.yaml": "patches: [{path: web.yaml}]\n", "z.yaml": tagged("z", entry("x", "ImageStreamTag", "web:t0"))},
			bad:   []string{`over/web.yaml:1:1: `, `z.yaml:6:7: tag x is from image stream team1/web, which is left alone: over/kustomization.yaml names over/web.yaml as a patch`},
			site:  "over/kustomization.yaml names over/web.yaml as a patch",
		},
		{
			name: "a file of others", want: "team1/web.yaml",
			files: map[string]string{"team1/web.yaml": stream("a"), "team2/kustomization.yaml": "patches: [{path: ../team1/web.yaml}]\n"},
		},
		{
			name:  "a file of others, and a stream to put in its place",
			files: map[string]string{"team1/web.yaml": stream("a"), "team2/kustomization.yaml": "patches: [{path: ../team1/web.yaml}]\n", "team2/web.yaml": stream("b")},
			bad:   []string{`team1/web.yaml:1:1: image stream team1/web is also in team2/web.yaml`, `team2/web.yaml:1:1: image stream team1/web is also in team1/web.yaml`},
			site:  "stands in two files",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.files["deploy.yaml"] = site
			l, _ := asked(tt.files, &registrymemory.Registry{})
			cat, rep, err := l.Survey(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			for _, s := range cat.Streams {
				if s.Name.Name == "web" {
					got = s.Path
				}
			}
			if got != tt.want {
				t.Errorf("the stream stands in %q, want %q", got, tt.want)
			}
			var bad []string
			for _, p := range rep.Bad() {
				bad = append(bad, p.String())
				if p.Fix == "" {
					t.Errorf("no fix: %s", p)
				}
			}
			if d := cmp.Diff(tt.bad, bad, cmp.Comparer(func(want, got string) bool {
				return strings.HasPrefix(want, got) || strings.HasPrefix(got, want)
			})); d != "" {
				t.Errorf("problems (-want +got):\n%s", d)
			}
			why := ""
			for _, u := range rep.Unresolved {
				why += u.Why
			}
			if tt.site != "" && !strings.Contains(why, tt.site) {
				t.Errorf("what follows it is left alone: %q, want %q", why, tt.site)
			}
		})
	}
}
