package reconcile_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
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
	"github.com/towpath/towpath/registry"
	registrymemory "github.com/towpath/towpath/registry/memory"
	"github.com/towpath/towpath/trigger"
)

var (
	seeds = flag.Int("seeds", worlds, "how many worlds the laws are tried on")
	seed  = flag.Uint64("seed", 0, "try this world alone")
)

// eachWorld runs a law in worlds made from seeds, in virtual time.
func eachWorld(t *testing.T, law func(t *testing.T, w *world)) {
	t.Helper()
	from, to := uint64(1), uint64(*seeds)
	if *seed != 0 {
		from, to = *seed, *seed
	}
	for s := from; s <= to; s++ {
		synctest.Test(t, func(t *testing.T) { law(t, newWorld(t, s)) })
		if t.Failed() {
			t.Fatalf("the law breaks in the world of -seed=%d", s)
		}
	}
}

// A world is a repository, a registry, and what ever happened in it.
type world struct {
	t        *testing.T
	rand     *rand.Rand
	store    *memory.Store
	registry *registrymemory.Registry
	arrivals *registrymemory.Arrivals
	lines    []*reconcile.Reconciler
	sources  map[imagestream.TagRef]*source
	moving   []*source // those that can move, in the order in which they were made
	sick     bool
	faults   int // pushes that fail from now on
}

// A source is where the image of a tag comes from, and what the record must come to.
type source struct {
	now  string          // image that it is
	ever map[string]bool // images that it was
	move func()          // something happens upstream
	heal func()          // what was amiss is mended; nil: nothing ever is
}

func (s *source) is(image string) {
	s.now = image
	s.ever[image] = true
}

func newWorld(t *testing.T, seed uint64) *world {
	w := &world{
		t: t, rand: rand.New(rand.NewPCG(seed, 20260501)),
		registry: &registrymemory.Registry{}, arrivals: &registrymemory.Arrivals{}, sources: map[imagestream.TagRef]*source{},
	}
	w.arrivals.Hook = w.storageFault
	files := map[string]string{"streams/all.yaml": w.repository(), ".towpath.yaml": "version: 1\nregistry: {host: registry.example:5000, streams: {team: pushed}}\n"}
	for i := range 2 {
		files[fmt.Sprintf("deploy/p%d.yaml", i)] = w.follower(fmt.Sprintf("p%d", i), fmt.Sprintf("p%d:t0", i))
		for k := range 2 {
			w.pushed(fmt.Sprintf("p%d", i), fmt.Sprintf("t%d", k))
		}
	}
	w.pushed("s0", "pushed")
	for i := range 2 + w.rand.IntN(3) {
		files[fmt.Sprintf("streams/s%d.yaml", i)] = w.stream(i)
		for j := range w.rand.IntN(3) {
			files[fmt.Sprintf("deploy/d%d-%d.yaml", i, j)] = w.deployment(i, j)
		}
	}
	w.store = memory.New(files)
	w.store.Hook = w.pushFault
	w.daemon()
	return w
}

func (w *world) set(line string) {
	if err := w.registry.Set(line); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) add(s *source) *source {
	if s.ever = map[string]bool{}; s.move != nil {
		w.moving = append(w.moving, s)
		s.move()
	}
	return s
}

// plain is a tag of a registry that moves among five images.
func (w *world) plain(ref string) *source {
	s := &source{}
	s.move = func() {
		image := registrymemory.Digest(fmt.Sprintf("%s %d", ref, w.rand.IntN(5)))
		w.set(ref + " " + image)
		s.is(image)
	}
	return w.add(s)
}

// list is a tag of a registry that names a manifest list, of which one entry or
// the list itself is wanted.
func (w *world) list(ref string, whole bool) *source {
	s := &source{}
	s.move = func() {
		amd64 := registrymemory.Digest(fmt.Sprintf("%s amd64 %d", ref, w.rand.IntN(3)))
		arm64 := registrymemory.Digest(fmt.Sprintf("%s arm64 %d", ref, w.rand.IntN(3)))
		index := registrymemory.Digest(amd64 + arm64)
		w.set(fmt.Sprintf("%s %s unknown/unknown=fff linux/arm64=%s linux/amd64=%s", ref, index, arm64, amd64))
		if s.is(amd64); whole {
			s.is(index)
		}
	}
	return w.add(s)
}

// pushed is a tag that is pushed to the integrated registry, and moves among five images.
func (w *world) pushed(stream, tag string) {
	s := &source{}
	s.move = func() {
		image := registrymemory.Digest(fmt.Sprintf("%s:%s %d", stream, tag, w.rand.IntN(5)))
		w.arrivals.Push("team", stream, tag, image, time.Now())
		s.is(image)
	}
	w.sources[imagestream.TagRef{Stream: imagestream.Name{Namespace: "team", Name: stream}, Tag: tag}] = w.add(s)
}

var errStorage = errors.New("the storage is away")

// storageFault lets the storage of pushes fail now and then, while anything is amiss.
func (w *world) storageFault(string) error {
	if w.sick && w.rand.IntN(3) == 0 {
		return errStorage
	}
	return nil
}

// released is a repository of versions, of which the highest below 9 is wanted:
// higher and lower ones come, the highest is made again or hidden for a while.
func (w *world) released(repo string) *source {
	s, top, hidden := &source{}, 0, false
	put := func(version, image string) { w.set(fmt.Sprintf("%s:%s %s", repo, version, image)) }
	show := func() { hidden = false; put(fmt.Sprintf("1.%d.0", top), s.now) }
	s.heal = show
	s.move = func() {
		image := registrymemory.Digest(fmt.Sprintf("%s %d", repo, w.rand.Uint64()))
		switch n := w.rand.IntN(6); {
		case n == 0 && top > 0:
			put(fmt.Sprintf("0.%d.0", w.rand.IntN(9)), image)
		case n == 1 && top > 0:
			put(fmt.Sprintf("1.%d.0-rc.1", top+1), image)
		case n == 2 && top > 0:
			put("9.0.0", image)
		case n == 3 && top > 0 && !hidden:
			hidden = true
			w.set(fmt.Sprintf("%s:1.%d.0 -", repo, top))
		case n == 4 && top > 0 && !hidden:
			s.is(image)
			show()
		default:
			top++
			s.is(image)
			show()
		}
	}
	return w.add(s)
}

// repository is a stream that imports whatever its repository holds.
func (w *world) repository() string {
	for k := range 3 {
		tag := fmt.Sprintf("v%d", k)
		w.sources[imagestream.TagRef{Stream: imagestream.Name{Namespace: "team", Name: "all"}, Tag: tag}] = w.plain("quay.io/team/all:" + tag)
	}
	w.set("quay.io/team/all:chart fff artifact")
	return "apiVersion: image.openshift.io/v1\nkind: ImageStream\nmetadata:\n  name: all\n  namespace: team\n  annotations:\n    towpath.dev/scheduled: \"true\"\n    openshift.io/image.dockerRepositoryCheck: \"\"\nspec:\n  dockerImageRepository: quay.io/team/all\n"
}

func (w *world) stream(i int) string {
	var b strings.Builder
	stream := imagestream.Name{Namespace: "team", Name: fmt.Sprintf("s%d", i)}
	fmt.Fprintf(&b, "apiVersion: image.openshift.io/v1\nkind: ImageStream\nmetadata:\n  name: s%d\n  namespace: team\nspec:\n  tags:\n", i)
	for k := range 1 + w.rand.IntN(4) {
		tag := imagestream.TagRef{Stream: stream, Tag: fmt.Sprintf("t%d", k)}
		fmt.Fprintf(&b, "    - name: t%d\n", k)
		ref := fmt.Sprintf("quay.io/team/s%d:v%d", i, k)
		kind := w.rand.IntN(6)
		if k == 0 && i < 2 { // one of each that laws are about
			kind = 5 - 2*i
		}
		switch kind {
		case 0: // another tag, of this stream or an earlier one
			all := slices.SortedFunc(maps.Keys(w.sources), func(a, b imagestream.TagRef) int { return strings.Compare(a.String(), b.String()) })
			other := all[w.rand.IntN(len(all))]
			w.sources[tag] = w.sources[other]
			fmt.Fprintf(&b, "      from: {kind: ImageStreamTag, name: %q} # kept\n", other.Stream.Name+":"+other.Tag)
			continue
		case 1:
			w.sources[tag] = w.list(ref, false)
		case 2:
			w.sources[tag] = w.list(ref, true)
			fmt.Fprintf(&b, "      from: {kind: DockerImage, name: %q}\n      importPolicy: {scheduled: true, importMode: PreserveOriginal} # kept\n", ref)
			continue
		case 3:
			repo := fmt.Sprintf("quay.io/team/s%d-t%d", i, k)
			w.sources[tag] = w.released(repo)
			fmt.Fprintf(&b, "      annotations: {towpath.dev/policy: \"semver:<9\"} # kept\n      from: {kind: DockerImage, name: %q}\n", repo)
			continue
		case 4:
			w.sources[tag] = w.add(&source{})
			w.sources[tag].is("")
			fmt.Fprintf(&b, "      reference: true # kept\n      from: {kind: DockerImage, name: %q}\n", ref)
			continue
		default:
			w.sources[tag] = w.plain(ref)
		}
		fmt.Fprintf(&b, "      from: {kind: DockerImage, name: %q}\n      importPolicy: {scheduled: true} # kept\n", ref)
	}
	return b.String()
}

func (w *world) deployment(i, j int) string {
	return w.follower(fmt.Sprintf("d%d-%d", i, j), fmt.Sprintf("s%d:t%d", i, w.rand.IntN(2)))
}

func (w *world) follower(name, tag string) string {
	return fmt.Sprintf(`apiVersion: apps/v1
kind: Deployment
metadata:
  name: %s
  namespace: team
  annotations:
    image.openshift.io/triggers: '[{"from":{"kind":"ImageStreamTag","name":"%s"},"fieldPath":"spec.template.spec.containers[0].image"}]'
spec:
  template:
    spec:
      containers:
        - name: app
          image: " " # moved by towpath
`, name, tag)
}

// daemon adds a towpath.
func (w *world) daemon() *reconcile.Reconciler {
	r := &reconcile.Reconciler{
		Store: w.store, Branch: "main", Reader: w.registry, Wait: true, Arrivals: w.arrivals,
		Author: gitstore.Person{Name: "towpath", Email: "towpath@localhost"},
	}
	w.lines = append(w.lines, r)
	return r
}

func (w *world) setSick(sick bool) {
	w.sick = sick
	line := "quay.io !"
	if sick {
		kinds := []registry.Kind{registry.NotFound, registry.Unauthorized, registry.Unreachable, registry.InternalError, registry.RateLimited}
		line += string(kinds[w.rand.IntN(len(kinds))]) + " it is sick"
	}
	w.set(line)
}

// pushFault lets pushes fail while there are faults left: lost before they
// arrive, lost after they landed, or beaten by somebody else's commit.
func (w *world) pushFault(op string) (bool, error) {
	if op != memory.OpPush || w.faults == 0 {
		return true, nil
	}
	w.faults--
	switch w.rand.IntN(3) {
	case 0:
		return false, &gitstore.Error{Kind: gitstore.Unreachable, Repo: "memory", What: "lost before"}
	case 1:
		return true, &gitstore.Error{Kind: gitstore.Unreachable, Repo: "memory", What: "lost after"}
	default:
		w.store.Write("main", "somebody was faster", map[string]string{"README": fmt.Sprint(w.rand.Uint64())})
		return true, nil
	}
}

// step lets one thing happen.
func (w *world) step() {
	time.Sleep(time.Duration(w.rand.Int64N(int64(20 * time.Minute))))
	switch n := w.rand.IntN(24); {
	case n < 4, n < 7 && len(w.moving) > 6:
		w.moving[w.rand.IntN(len(w.moving))].move()
	case n < 8:
		w.setSick(!w.sick)
	case n < 10:
		w.revert()
	case n < 11:
		w.editImage()
	case n < 12:
		w.faults = w.rand.IntN(3)
	case n < 13: // a restart: what is not in Git is forgotten
		w.lines = nil
		for range 1 + w.rand.IntN(2) {
			w.daemon()
		}
	default:
		r := w.lines[w.rand.IntN(len(w.lines))]
		w.once(r)
	}
}

func (w *world) once(r *reconcile.Reconciler) {
	_, err := r.Once(context.Background())
	if e := (*gitstore.Error)(nil); err != nil && !errors.Is(err, gitstore.ErrMoved) && !errors.Is(err, errStorage) && !errors.As(err, &e) {
		w.t.Fatalf("a pass: %v", err)
	}
}

// revert takes back the last commit that was made by towpath for sites, as a
// person would.
func (w *world) revert() {
	log := w.store.Log("main")
	if len(log) < 2 || !strings.Contains(log[0].Message, "Towpath-Commit: trigger") {
		return
	}
	w.store.Edit("main", "revert", func(t memory.Tree) {
		clear(t)
		maps.Copy(t, log[1].Tree)
	})
}

// editImage gives a site an image by hand.
func (w *world) editImage() {
	tree := w.store.Tree("main")
	for _, path := range slices.Sorted(maps.Keys(tree)) {
		if strings.HasPrefix(path, "deploy/") && w.rand.IntN(3) == 0 {
			lines := strings.Split(tree[path].Content, "\n")
			for i, l := range lines {
				if strings.Contains(l, "image: ") {
					lines[i] = "          image: example.com/mine:1"
				}
			}
			w.store.Write("main", "by hand", map[string]string{path: strings.Join(lines, "\n")})
			return
		}
	}
}

// rest heals everything and walks until nothing is left to do.
func (w *world) rest() {
	w.setSick(false)
	w.faults = 0
	for _, s := range w.moving {
		if s.heal != nil {
			s.heal()
		}
	}
	for range 8 {
		time.Sleep(25 * time.Hour) // the longest back-off
		for _, r := range w.lines {
			w.once(r)
		}
	}
}

// life is a world with a history.
func (w *world) life() {
	for range 60 {
		w.step()
	}
}

// catalogs reads every commit of the branch, oldest first.
func (w *world) catalogs() []*reconcile.Catalog {
	ctx := context.Background()
	var cats []*reconcile.Catalog
	snap, err := w.store.Snapshot(ctx, "main")
	for snap != nil {
		if err != nil {
			w.t.Fatal(err)
		}
		cat, e := reconcile.Load(ctx, snap, nil, nil)
		if e != nil {
			w.t.Fatal(e)
		}
		cats = append(cats, cat)
		snap, err = snap.Parent(ctx)
	}
	slices.Reverse(cats)
	return cats
}

// settled checks that the record is what its sources are.
func (w *world) settled(c *reconcile.Catalog) {
	w.t.Helper()
	seen := 0
	for _, v := range c.Tags() {
		seen++
		if v.Item == nil || v.Item.Image != w.sources[v.Tag].now {
			w.t.Errorf("%s is %+v on record, and %q at its source", v.Tag, v.Item, w.sources[v.Tag].now)
		}
	}
	if seen != len(w.sources) {
		w.t.Errorf("%d tags on record, and %d sources", seen, len(w.sources))
	}
}

// log is the branch's log, oldest first.
func (w *world) log() []memory.Logged {
	log := w.store.Log("main")
	slices.Reverse(log)
	return log
}

func recordOf(c *reconcile.Catalog) map[imagestream.TagRef]string {
	rec := map[imagestream.TagRef]string{}
	for _, v := range c.Tags() {
		if v.Item != nil {
			rec[v.Tag] = v.Item.Reference
		}
	}
	return rec
}

func sitesOf(c *reconcile.Catalog) map[trigger.ID]*reconcile.Site {
	sites := map[trigger.ID]*reconcile.Site{}
	for _, s := range c.Sites {
		sites[s.ID] = s
	}
	return sites
}

func ours(l memory.Logged) bool { return l.Author.Name == "towpath" }

// Law 1: apply a plan, plan again with the same answers: empty.
// Law 5: no news, no commit.
func TestLawSettles(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		w.life()
		w.rest()
		tip := w.store.Tip("main")
		for range 20 {
			time.Sleep(time.Hour)
			for _, r := range w.lines {
				w.once(r)
			}
		}
		w.daemon()
		w.once(w.lines[len(w.lines)-1])
		if got := w.store.Tip("main"); got != tip {
			t.Errorf("without news: %s", w.store.Log("main")[0].Message)
		}
	})
}

// Law 2: shuffled files and answers give byte-equal plans.
func TestLawSameInSameOut(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		tree := w.store.Tree("main")
		files := map[string]string{}
		for p, f := range tree {
			files[p] = f.Content
		}
		plan := func() []gitstore.Commit {
			r := w.daemon()
			r.Store, r.Dry = memory.New(files), true
			rep, err := r.Settle(context.Background(), reconcile.Hint{Scheduled: true})
			if err != nil {
				t.Fatal(err)
			}
			var commits []gitstore.Commit
			for _, p := range rep.Planned {
				commits = append(commits, p.Commit)
			}
			return commits
		}
		first := plan()
		if len(first) == 0 {
			t.Fatal("nothing was planned")
		}
		for range 4 {
			if d := cmp.Diff(first, plan()); d != "" {
				t.Errorf("another plan:\n%s", d)
			}
		}
	})
}

// Law 3: a commit of ours changes only the status of streams and the images of
// sites. (Bytes within one value are yamledit's law.)
func TestLawLocal(t *testing.T) {
	mine := func(content string) string {
		content, _, _ = strings.Cut(content, "\nstatus:\n")
		var kept []string
		for _, l := range strings.Split(strings.TrimSuffix(content, "\n"), "\n") {
			if strings.Contains(l, "dockerRepositoryCheck") { // it goes with the status
				continue
			}
			if before, image, ok := strings.Cut(l, "image: "); ok {
				_, comment, _ := strings.Cut(image, "#")
				l = before + "image: #" + comment
			}
			kept = append(kept, l)
		}
		return strings.Join(kept, "\n")
	}
	eachWorld(t, func(t *testing.T, w *world) {
		w.life()
		log := w.log()
		for i := 1; i < len(log); i++ {
			if !ours(log[i]) {
				continue
			}
			for path, f := range log[i].Tree {
				if _, was := log[i-1].Tree[path]; !was { // the stream of a push
					if stream := strings.TrimSuffix(strings.TrimPrefix(path, "pushed/"), ".yaml"); mine(f.Content) != "apiVersion: image.openshift.io/v1\nkind: ImageStream\nmetadata:\n  name: "+stream+"\n  namespace: team" {
						t.Errorf("%s came in %q:\n%s", path, log[i].Message, f.Content)
					}
					continue
				}
				if d := cmp.Diff(mine(log[i-1].Tree[path].Content), mine(f.Content)); d != "" {
					t.Errorf("%s in %q:\n%s", path, log[i].Message, d)
				}
			}
		}
	})
}

// Law 4: an image comes on record only if a registry said it, and a failure
// takes none away.
func TestLawBadNewsChangesNoImage(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		w.life()
		log, cats := w.log(), w.catalogs()
		for i := 1; i < len(cats); i++ {
			if !ours(log[i]) {
				continue
			}
			before, after := recordOf(cats[i-1]), recordOf(cats[i])
			for tag, ref := range before {
				if after[tag] == "" {
					t.Errorf("%s lost %s in %q", tag, ref, log[i].Message)
				}
			}
			for _, v := range cats[i].Tags() {
				if v.Item != nil && !w.sources[v.Tag].ever[v.Item.Image] {
					t.Errorf("%s says %s, which %s never was", v.Tag, v.Item.Image, v.From)
				}
			}
		}
	})
}

// A policy never moves to a lower version, whatever lists say.
func TestLawPolicyNeverLower(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		w.life()
		highest := map[imagestream.TagRef]int{}
		for _, c := range w.catalogs() {
			for _, v := range c.Tags() {
				if v.Source == nil || !strings.Contains(v.Source.From, ":1.") {
					continue
				}
				var minor int
				if _, err := fmt.Sscanf(v.Source.From[strings.LastIndex(v.Source.From, ":"):], ":1.%d.0", &minor); err != nil || strings.Contains(v.Source.From, "-rc") {
					t.Errorf("%s chose %s", v.Tag, v.Source.From)
				}
				if minor < highest[v.Tag] {
					t.Errorf("%s went from 1.%d.0 to %s", v.Tag, highest[v.Tag], v.Source.From)
				}
				highest[v.Tag] = minor
			}
		}
	})
}

// Law 6: any push fault heals: the record is what the registry says, and no
// commit of ours repeats one.
// fault: G-12
func TestLawPushFaultsHeal(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		for range 60 {
			w.faults = max(w.faults, w.rand.IntN(2))
			w.step()
		}
		w.rest()
		cats := w.catalogs()
		w.settled(cats[len(cats)-1])
		log := w.log()
		for i := 1; i < len(log); i++ {
			if ours(log[i]) && maps.Equal(log[i].Tree, log[i-1].Tree) {
				t.Errorf("an empty commit: %s", log[i].Message)
			}
			if ours(log[i]) && strings.Contains(log[i].Message, "Towpath-Commit: status") && maps.Equal(recordOf(cats[i]), recordOf(cats[i-1])) && !strings.Contains(log[i].Message, "fails") && !strings.Contains(log[i].Message, "works again") {
				t.Errorf("doubled: %s", log[i].Message)
			}
		}
	})
}

// What is known of a file that was written is what its text says.
func TestLawWrittenIsKnown(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		for range 30 {
			w.step()
			r := w.lines[0]
			w.once(r)
			if files, err := reconcile.Reread(r); err != nil || files == 0 {
				t.Fatalf("%d files, %v", files, err)
			}
		}
	})
}

// Law 7: a hint changes when, never what. However wrong it is: nothing comes on record that
// its source never was, and in the end everything is what its source is.
func TestLawHints(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		for range 30 {
			w.step()
			var hints []reconcile.Hint
			for range 1 + w.rand.IntN(3) {
				hints = append(hints, w.hint())
			}
			if _, err := w.lines[0].Once(context.Background(), hints...); err != nil && !errors.Is(err, gitstore.ErrMoved) && !errors.Is(err, errStorage) {
				var e *gitstore.Error
				if !errors.As(err, &e) {
					t.Fatal(err)
				}
			}
		}
		w.rest()
		cats := w.catalogs()
		w.settled(cats[len(cats)-1])
		for i, l := range w.log() {
			for tag, image := range recordOf(cats[i]) {
				if strings.Contains(image, forged) {
					t.Errorf("%s came on record as what a hint said, %s: %s", tag, image, l.Message)
				}
			}
		}
	})
}

// forged is what hints say that tags are, and what none ever is.
var forged = registrymemory.Digest("forged")

// hint is one of a person, a registry or a Git server.
func (w *world) hint() reconcile.Hint {
	i, k := w.rand.IntN(6), w.rand.IntN(4)
	switch w.rand.IntN(5) {
	case 0:
		return reconcile.Hint{Git: true}
	case 2:
		return reconcile.Hint{Arrived: true}
	case 1:
		return reconcile.Hint{Stream: imagestream.Name{Namespace: "team", Name: fmt.Sprintf("s%d", i)}, Tag: fmt.Sprintf("t%d", k)}
	}
	paths := []string{fmt.Sprintf("team/s%d", i), fmt.Sprintf("team/s%d-t%d", i, k), "team/all", "team/unheard-of"}
	h := reconcile.Hint{Repo: registry.Repo{Host: "quay.io", Path: paths[w.rand.IntN(len(paths))]}}
	if w.rand.IntN(2) > 0 {
		h.Upstream = fmt.Sprintf("v%d", k)
	}
	if w.rand.IntN(2) > 0 {
		h.Expect = forged
	}
	return h
}

// Law 8: no site of ours holds an image that was not on record in an earlier
// commit.
func TestLawRecordBeforeFollow(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		w.life()
		log, cats := w.log(), w.catalogs()
		moved := 0
		for i := 1; i < len(cats); i++ {
			before, record := sitesOf(cats[i-1]), recordOf(cats[i-1])
			for id, site := range sitesOf(cats[i]) {
				if ours(log[i]) && site.Current() != before[id].Current() {
					moved++
					if record[site.Follows] != site.Current() {
						t.Errorf("%s got %s in %q, while %q was on record", id, site.Current(), log[i].Message, record[site.Follows])
					}
				}
			}
		}
		if moved == 0 && len(cats[0].Sites) > 0 && *seed != 0 {
			t.Error("no site ever moved")
		}
	})
}

// Law 9: while the record says an image without a break, a site is rewritten
// to it at most once.
func TestLawOneImageOneTrigger(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		w.life()
		w.rest()
		log, cats := w.log(), w.catalogs()
		given := map[trigger.ID]string{}
		for i := 1; i < len(cats); i++ {
			record, before := recordOf(cats[i]), sitesOf(cats[i-1])
			for id, site := range sitesOf(cats[i]) {
				if given[id] != record[site.Follows] {
					delete(given, id)
				}
				if !ours(log[i]) || site.Current() == before[id].Current() {
					continue
				}
				if given[id] == site.Current() {
					t.Errorf("%s got %s again, although a person had taken it back: %q", id, site.Current(), log[i].Message)
				}
				given[id] = site.Current()
			}
		}
	})
}

// Law 11: an answer never beats a younger record. While a question is under
// way a person writes another image on record; the answer is thrown away and
// the tag asked again.
func TestLawYoungerRecordStands(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		w.rest()
		path := "streams/s0.yaml"
		mine := registrymemory.Digest("by hand")
		ref := w.sources[imagestream.TagRef{Stream: imagestream.Name{Namespace: "team", Name: "s0"}, Tag: "t0"}]
		old := ref.now
		var asked atomic.Int32
		w.registry.Hook = func(context.Context, registrymemory.Call) error {
			if asked.Add(1) == 1 {
				content := w.store.Tree("main")[path].Content
				w.store.Write("main", "by hand", map[string]string{path: strings.ReplaceAll(content, old, mine)})
			}
			return nil
		}
		for ref.now == old {
			ref.move()
		}
		time.Sleep(time.Hour)
		_, err := w.lines[0].Once(context.Background())
		if !errors.Is(err, gitstore.ErrMoved) {
			t.Fatalf("the push must find the branch moved, and said %v", err)
		}
		before := asked.Load()
		time.Sleep(time.Second)
		w.once(w.lines[0])
		if asked.Load() == before {
			w.once(w.lines[0])
		}
		if asked.Load() == before {
			t.Error("the tag was not asked again")
		}
		log := w.log()
		if !strings.Contains(log[len(log)-1].Tree[path].Content, mine) {
			t.Error("the person's record is gone from the history")
		}
	})
}
