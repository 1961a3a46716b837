package integrated

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"

	"github.com/towpath/towpath/registry"
)

func TestJudge(t *testing.T) {
	now := time.Date(2026, 5, 1, 10, 0, 0, 0, time.UTC)
	old := now.Add(-2 * time.Hour)
	image := func(digest string, names ...string) StoredImage {
		return StoredImage{Repository: "team1/web", Digest: digest, Stored: old, Names: names}
	}
	newer := image("new")
	newer.Stored = now.Add(-time.Minute)
	signature := image("signature")
	signature.Subject = "v5"
	orphan := image("orphan's signature")
	orphan.Subject = "orphan"
	elsewhere := image("v5")
	elsewhere.Repository = "team2/web"
	have := []StoredImage{
		image("v5", "arm", "layer"), image("arm", "layer"), image("v4"), image("v3"), image("v2"), image("v1"), image("held"),
		image("arriving"), image("orphan", "its child"), image("its child"), newer, signature, orphan, elsewhere,
	}
	records := map[string]RepositoryRecord{"team1/web": {
		Tags:    map[string][]string{"stable": {"v5", "v4", "v3", "v2", "v1"}, "older": {"v2"}},
		Uses:    map[string][]string{"held": {"deploy/web.yaml:12"}},
		Waiting: map[string]string{"arriving": "dev"},
	}}
	got := map[string]string{}
	for _, v := range judge(have, records, DefaultPruneRules, now) {
		verdict := "stays: "
		if v.Goes {
			verdict = "goes: "
		}
		got[v.Repository+" "+v.Digest] = verdict + v.Why
	}
	want := map[string]string{
		"team1/web v5":                 "stays: current image of tag stable",
		"team1/web arm":                "stays: part of v5",
		"team1/web v4":                 "stays: revision 2 of tag stable",
		"team1/web v3":                 "stays: revision 3 of tag stable",
		"team1/web v2":                 "stays: current image of tag older",
		"team1/web v1":                 "goes: revision 5 of tag stable, 3 are kept",
		"team1/web held":               "stays: named by deploy/web.yaml:12",
		"team1/web arriving":           "stays: tag dev waits to be recorded",
		"team1/web orphan":             "goes: on no record",
		"team1/web its child":          "goes: on no record",
		"team1/web new":                "stays: younger than 1h",
		"team1/web signature":          "stays: about v5",
		"team1/web orphan's signature": "goes: on no record",
		"team2/web v5":                 "goes: on no record",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("verdicts (-want +got):\n%s", diff)
	}
}

// What is attached to an image by a tag, such as its signature, stays while the image does.
func TestJudgeAttached(t *testing.T) {
	now := time.Date(2026, 5, 1, 10, 0, 0, 0, time.UTC)
	of := func(repository, digest string, tags ...string) StoredImage {
		return StoredImage{Repository: repository, Digest: digest, Tags: tags, Stored: now.Add(-2 * time.Hour)}
	}
	current, past, unknown, remote, nowhere := sum("current"), sum("past"), sum("unknown"), sum("remote"), sum("nowhere")
	about := func(digest, kind string) string { return strings.Replace(digest, ":", "-", 1) + kind }
	signature, list, self := sum("signature"), sum("list"), sum("self")
	index := of("team1/web", list, about(current, ""))
	index.Names = []string{"listed"}
	young := of("team1/web", "young", about(unknown, ".att"))
	young.Stored = now.Add(-time.Minute)
	have := []StoredImage{
		of("team1/web", current, "stable"), of("team1/web", past), of("team1/web", unknown, "lost"),
		of("team1/web", signature, about(current, ".sig")), of("team1/web", "its signature", about(signature, ".sig")),
		of("team1/web", "of the past", about(past, ".sig")), of("team1/web", "of what is not known", about(unknown, ".sbom")), young,
		of("team1/web", "of two", about(past, ".sbom"), about(current, ".sbom")), of("team1/web", "also a version", "lost2", about(current, ".att")),
		of("team1/web", "of what is not fetched", about(remote, ".sig")), of("team1/web", "of nothing", about(nowhere, ".sig")),
		index, of("team1/web", "listed"), of("team1/web", self, about(self, "")),
		of("team1/signatures", "kept apart", about(current, ".sig")), of("team1/signatures", "kept apart, of the past", about(past, ".sig")),
	}
	records := map[string]RepositoryRecord{"team1/web": {
		Tags: map[string][]string{"stable": {current, "b", "c", past}}, Uses: map[string][]string{remote: {"deploy/web.yaml:12"}},
	}}
	got := map[string]string{}
	for _, v := range judge(have, records, DefaultPruneRules, now) {
		verdict := "stays: "
		if v.Goes {
			verdict = "goes: "
		}
		got[v.Repository+" "+v.Digest] = verdict + v.Why
	}
	want := map[string]string{
		"team1/web " + current:                     "stays: current image of tag stable",
		"team1/web " + past:                        "goes: revision 4 of tag stable, 3 are kept",
		"team1/web " + unknown:                     "goes: on no record",
		"team1/web " + signature:                   "stays: about " + current,
		"team1/web its signature":                  "stays: about " + signature,
		"team1/web of the past":                    "goes: on no record",
		"team1/web of what is not known":           "goes: on no record",
		"team1/web young":                          "stays: younger than 1h",
		"team1/web of two":                         "stays: about " + current,
		"team1/web also a version":                 "stays: about " + current,
		"team1/web of what is not fetched":         "stays: about " + remote,
		"team1/web of nothing":                     "goes: on no record",
		"team1/web " + list:                        "stays: about " + current,
		"team1/web listed":                         "stays: part of " + list,
		"team1/web " + self:                        "goes: on no record",
		"team1/signatures kept apart":              "stays: about " + current,
		"team1/signatures kept apart, of the past": "goes: on no record",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("verdicts (-want +got):\n%s", diff)
	}
}

// onRecord is a PruneRecord of streams, which says something of those digests alone that it is asked for.
type onRecord map[string]RepositoryRecord

func (r onRecord) Records(_ context.Context, digests map[string][]string) (map[string]RepositoryRecord, error) {
	if r == nil {
		return nil, errors.New("streams/web.yaml:3 is not well formed")
	}
	said := map[string]RepositoryRecord{}
	for repository, of := range digests {
		tags := maps.Clone(r[repository].Tags)
		maps.DeleteFunc(tags, func(_ string, history []string) bool {
			return !slices.ContainsFunc(history, func(dgst string) bool { return slices.Contains(of, dgst) })
		})
		said[repository] = RepositoryRecord{Tags: tags, Uses: r[repository].Uses}
	}
	return said, nil
}

func (w *pullWorld) pruner(t *testing.T) *pruner {
	t.Helper()
	p, err := newPruner(logged{t.Context(), newEntry(nil)}, w.driver, w.hold, nil)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// age makes all that is stored old.
func (w *pullWorld) age(t *testing.T) {
	t.Helper()
	then := time.Now().Add(-2 * time.Hour)
	for _, file := range w.files(t) {
		if err := os.Chtimes(filepath.Join(w.dir, "docker/registry/v2", file), then, then); err != nil {
			t.Fatal(err)
		}
	}
	w.hold.told = nil
}

// pushImage pushes an image of blobs, by tag or digest.
func (w *pullWorld) pushImage(t *testing.T, repository, ref string, blobs ...string) string {
	t.Helper()
	for _, b := range blobs {
		w.push(t, repository, b)
	}
	m := image(blobs...)
	if ref == "" {
		ref = sum(m)
	}
	w.answers(t, 201, "", "PUT", repository+"/manifests/"+ref, m)
	return sum(m)
}

func TestPrune(t *testing.T) {
	w := newPullWorld(t)
	w.guide.tags = nil
	v1 := w.pushImage(t, "team1/web", "stable", "config 1", "shared", "only in 1")
	v2 := w.pushImage(t, "team1/web", "stable", "config 2", "shared")
	gone := w.pushImage(t, "team1/gone", "dev", "config 3", "only in gone")
	w.push(t, "team1/web", "of an upload that came to nothing")
	w.age(t)
	young := w.pushImage(t, "team1/web", "new", "config 4", "shared")

	record := onRecord{"team1/web": {Tags: map[string][]string{"stable": {v2, v1}}}}
	rules := DefaultPruneRules
	rules.KeepTagRevisions = 1
	before := w.files(t)
	ctx := logged{t.Context(), newEntry(nil)}
	report, err := w.pruner(t).prune(ctx, record, rules, false)
	if err != nil || report.Done {
		t.Fatal(report, err)
	}
	if diff := cmp.Diff(before, w.files(t)); diff != "" {
		t.Errorf("a dry run changed storage (-want +got):\n%s", diff)
	}
	if _, err := w.pruner(t).prune(ctx, onRecord(nil), rules, true); err == nil {
		t.Error("it went by a record that could not be read")
	}
	if diff := cmp.Diff(before, w.files(t)); diff != "" {
		t.Errorf("it deleted without a record (-want +got):\n%s", diff)
	}

	done, err := w.pruner(t).prune(ctx, record, rules, true)
	if err != nil {
		t.Fatal(err)
	}
	done.Done = false
	if diff := cmp.Diff(report, done); diff != "" {
		t.Errorf("what was done is not what was said (-said +done):\n%s", diff)
	}
	// two manifests, config 1, only in 1, config 3, only in gone, the upload's
	if report.Blobs != 7 {
		t.Errorf("%d blobs go, want 7", report.Blobs)
	}
	w.answers(t, 404, "", "GET", "team1/web/manifests/"+v1)
	w.answers(t, 404, "", "GET", "team1/gone/manifests/"+gone)
	w.answers(t, 404, "", "GET", "team1/gone/manifests/dev")
	w.answers(t, 404, "", "GET", "team1/web/blobs/"+sum("only in 1"))
	for _, dgst := range []string{v2, young, "stable", "new"} {
		w.answers(t, 200, "", "GET", "team1/web/manifests/"+dgst)
	}
	w.answers(t, 200, "shared", "GET", "team1/web/blobs/"+sum("shared"))

	left, err := w.pruner(t).prune(ctx, record, rules, true)
	if err != nil || left.Blobs != 0 || left.Freed != 0 {
		t.Errorf("a second time: %d blobs, %v", left.Blobs, err)
	}
}

// A tag that cannot be read keeps what it may be, and nothing else.
func TestPruneBesideATagThatCannotBeRead(t *testing.T) {
	for name, record := range map[string]PruneRecord{"alone": nil, "of streams": onRecord{}} {
		t.Run(name, func(t *testing.T) {
			w := newPullWorld(t)
			w.guide.tags = nil
			one := w.pushImage(t, "team1/web", "bad", "config 1")
			two := w.pushImage(t, "team1/web", "bad", "config 2")
			other := w.pushImage(t, "team1/web", "", "config 3")
			waits := w.pushImage(t, "team1/web", "", "config 4")
			link := filepath.Join(w.dir, tagName{"team1/web", "bad"}.link())
			if err := os.WriteFile(link, []byte("<html>"), 0o600); err != nil {
				t.Fatal(err)
			}
			w.age(t)
			p := w.pruner(t)
			p.waiting = func(context.Context) ([]registry.Arrival, error) {
				return nil, registry.Unread{{Namespace: "team1", Name: "web", Tag: "bad", Digests: []string{waits}, Err: errors.New("input/output error")}}
			}
			report, err := p.prune(logged{t.Context(), newEntry(nil)}, record, DefaultPruneRules, true)
			if err != nil {
				t.Fatal(err)
			}
			goes := map[string]bool{}
			for _, v := range report.Verdicts {
				goes[v.Digest] = v.Goes
			}
			if diff := cmp.Diff(map[string]bool{one: false, two: false, waits: false, other: true}, goes); diff != "" {
				t.Errorf("what goes (-want +got):\n%s", diff)
			}
			if content, err := os.ReadFile(link); err != nil || string(content) != "<html>" {
				t.Errorf("the tag: %s, %v", content, err)
			}
		})
	}
}

// A registry that stands alone keeps what its tags are and lately were.
func TestPruneAlone(t *testing.T) {
	w := newPullWorld(t)
	var pushed []string
	for i := range 5 {
		pushed = append(pushed, w.pushImage(t, "web", "latest", fmt.Sprint("config ", i)))
	}
	untagged := w.pushImage(t, "web", "", "untagged")
	w.age(t)
	for i, dgst := range pushed { // one after another
		at := time.Now().Add(time.Duration(i)*time.Minute - 3*time.Hour)
		link := filepath.Join(w.dir, repositoriesRoot, "web/_manifests/revisions/sha256", strings.TrimPrefix(dgst, "sha256:"), "link")
		if err := os.Chtimes(link, at, at); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.pruner(t).prune(logged{t.Context(), newEntry(nil)}, nil, DefaultPruneRules, true); err != nil {
		t.Fatal(err)
	}
	for i, dgst := range append(pushed, untagged) {
		want := 404
		if i >= 2 && i < 5 {
			want = 200
		}
		w.answers(t, want, "", "GET", "web/manifests/"+dgst)
	}
	w.answers(t, 200, "", "GET", "web/manifests/latest")
}

// Signatures, and what else is attached to an image by a tag, go with the image and not before, beside
// streams and alone.
func TestPruneAttached(t *testing.T) {
	remote := sum("on record, and not fetched yet")
	for name, alone := range map[string]bool{"beside streams": false, "alone": true} {
		t.Run(name, func(t *testing.T) {
			w := newPullWorld(t)
			w.guide.tags = nil
			about := func(digest, kind string) string { return strings.Replace(digest, ":", "-", 1) + kind }
			attach := func(digest, kind, layer string) string {
				return w.pushImage(t, "team1/web", about(digest, kind), "config", layer)
			}
			self := attach(sum(image("config", "tagged with its own digest")), "", "tagged with its own digest")
			v1 := w.pushImage(t, "team1/web", "stable", "config 1")
			v2 := w.pushImage(t, "team1/web", "stable", "config 2")
			attach(v1, ".sig", "signature of 1")
			first := attach(v2, ".sig", "a first signature of 2")
			second := attach(v2, ".sig", "a second signature of 2")
			itself := attach(second, ".att", "of the signature")
			ofRemote := attach(remote, ".sig", "signature of remote")
			w.age(t)
			young := attach(v1, ".sbom", "what is in 1")
			streams := onRecord{"team1/web": {Tags: map[string][]string{"stable": {v2, v1}, "other": {remote}}}}
			prune := func() {
				t.Helper()
				var record PruneRecord = streams
				if alone {
					record = nil
				}
				rules := DefaultPruneRules
				rules.KeepTagRevisions = 1
				if _, err := w.pruner(t).prune(logged{t.Context(), newEntry(nil)}, record, rules, true); err != nil {
					t.Fatal(err)
				}
			}
			prune()
			for ref, stays := range map[string]bool{
				v2: true, about(v2, ".sig"): true, second: true, about(second, ".att"): true, young: true,
				v1: false, about(v1, ".sig"): false, first: false, ofRemote: !alone, self: alone,
			} {
				want := 404
				if stays {
					want = 200
				}
				w.answers(t, want, "", "GET", "team1/web/manifests/"+ref)
			}
			w.answers(t, 200, "of the signature", "GET", "team1/web/blobs/"+sum("of the signature"))
			w.answers(t, 404, "", "GET", "team1/web/blobs/"+sum("signature of 1"))

			v3 := w.pushImage(t, "team1/web", "stable", "config 3")
			streams["team1/web"].Tags["stable"] = []string{v3, v2}
			w.age(t)
			prune()
			for _, ref := range []string{v2, second, about(v2, ".sig"), itself, young} {
				w.answers(t, 404, "", "GET", "team1/web/manifests/"+ref)
			}
			w.answers(t, 200, "", "GET", "team1/web/manifests/stable")
		})
	}
}

// An arrival keeps its image.
func TestPruneArrivals(t *testing.T) {
	w := newPullWorld(t)
	dgst := w.pushImage(t, "team1/web", "dev", "config")
	w.age(t)
	p := w.pruner(t)
	p.waiting = func(context.Context) ([]registry.Arrival, error) {
		return []registry.Arrival{{Namespace: "team1", Name: "web", Tag: "dev", Digest: dgst}}, nil
	}
	if _, err := p.prune(logged{t.Context(), newEntry(nil)}, onRecord{}, DefaultPruneRules, true); err != nil {
		t.Fatal(err)
	}
	w.answers(t, 200, "", "GET", "team1/web/manifests/dev")
}

// fault: E-11
//
// Who asks for what is not there pushes nothing out of mind that pushers were told of.
func TestHeadOfNothing(t *testing.T) {
	w := newPullWorld(t)
	w.push(t, "team1/web", "something")
	w.answers(t, 404, "", "HEAD", "team1/web/blobs/"+sum("nothing"))
	w.answers(t, 200, "", "HEAD", "team1/web/blobs/"+sum("something"))
	seen := w.hold.seenSince(time.Time{})
	if diff := cmp.Diff(map[digest.Digest]bool{digest.Digest(sum("something")): true}, seen); diff != "" {
		t.Errorf("what clients were told is there (-want +got):\n%s", diff)
	}
}

// What a push is about to name stays, whichever way the client was told that it is there, and
// although nothing names it yet.
func TestPruneBetweenBlobAndManifest(t *testing.T) {
	ctx := logged{t.Context(), newEntry(nil)}
	for name, told := range map[string]func(t *testing.T, w *pullWorld){
		"uploaded": func(t *testing.T, w *pullWorld) { w.push(t, "team1/web", "layer") },
		"uploaded again": func(t *testing.T, w *pullWorld) {
			w.push(t, "team1/web", "layer")
			w.age(t)
			w.push(t, "team1/web", "layer")
		},
		"there, by HEAD": func(t *testing.T, w *pullWorld) {
			w.push(t, "team1/web", "layer")
			w.age(t)
			w.answers(t, 200, "", "HEAD", "team1/web/blobs/"+sum("layer"))
		},
		"mounted": func(t *testing.T, w *pullWorld) {
			w.push(t, "team1/other", "layer")
			w.age(t)
			w.answers(t, 201, "", "POST", "team1/web/blobs/uploads/?mount="+sum("layer")+"&from=team1/other")
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newPullWorld(t)
			told(t, w)
			if _, err := w.pruner(t).prune(ctx, nil, DefaultPruneRules, true); err != nil {
				t.Fatal(err)
			}
			w.answers(t, 201, "", "PUT", "team1/web/manifests/v1", image("layer"))
			w.answers(t, 200, "layer", "GET", "team1/web/blobs/"+sum("layer"))
		})
	}
}

// fault: E-11
//
// Clients push images that share layers, while garbage is collected again and again, and all
// that nobody names is old enough to go: an answered push is whole.
func TestPruneBesidePushes(t *testing.T) {
	w := newPullWorld(t)
	ctx := logged{t.Context(), newEntry(nil)}
	// Only the hold and the tags keep things: nothing is young but for a moment.
	rules := PruneRules{KeepTagRevisions: 1, KeepYoungerThan: 150 * time.Millisecond}
	stop := make(chan struct{})
	var collecting, pushing sync.WaitGroup
	runs := 0
	collecting.Go(func() {
		for p := w.pruner(t); ; runs++ {
			select {
			case <-stop:
				return
			default:
			}
			if _, err := p.prune(ctx, nil, rules, true); err != nil && !errors.Is(err, errPushesGoOn) {
				t.Error(err)
				return
			}
		}
	})
	for client := range 4 {
		pushing.Go(func() {
			random := rand.New(rand.NewPCG(1, uint64(client)))
			for i := range 12 {
				repository := fmt.Sprintf("team%d/web", random.IntN(2))
				layers := []string{fmt.Sprint("config ", client, i), fmt.Sprint("shared ", random.IntN(3))}
				w.pushOrAgain(t, repository, fmt.Sprint("client", client), layers)
			}
		})
	}
	pushing.Wait()
	close(stop)
	collecting.Wait()
	if runs < 2 {
		t.Errorf("garbage was collected %d times", runs)
	}
}

// pushOrAgain pushes as a client does, which begins again where its manifest is refused, and
// checks that what was answered is whole.
func (w *pullWorld) pushOrAgain(t *testing.T, repository, tag string, blobs []string) {
	for range 20 {
		for _, b := range blobs {
			if resp, _ := w.ask(t, http.MethodHead, repository+"/blobs/"+sum(b)); resp.StatusCode != 200 {
				w.push(t, repository, b)
			}
		}
		m := image(blobs...)
		resp, _ := w.ask(t, http.MethodPut, repository+"/manifests/"+tag, m)
		if resp.StatusCode != 201 {
			continue // its blobs were too old for this test's hour
		}
		w.answers(t, 200, m, "GET", repository+"/manifests/"+tag)
		for _, b := range blobs {
			w.answers(t, 200, b, "GET", repository+"/blobs/"+sum(b))
		}
		return
	}
	t.Errorf("%s:%s was never taken", repository, tag)
}

func TestPushHold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newPushHold()
		end := make(chan struct{})
		go h.alone(t.Context(), func() error { <-end; return nil })
		synctest.Wait()
		start := time.Now()
		var held *pushesHeld
		if err := h.share(t.Context()); !errors.As(err, &held) || time.Since(start) != pushWait {
			t.Errorf("a push beside it: %v after %v", err, time.Since(start))
		}
		time.AfterFunc(time.Second, func() { close(end) })
		if err := h.share(t.Context()); err != nil {
			t.Errorf("a push that it ends for: %v", err)
		}

		// A push that takes long keeps garbage, and no other push.
		done := make(chan error)
		go func() { done <- h.alone(t.Context(), func() error { return nil }) }()
		for range 30 {
			time.Sleep(1700 * time.Millisecond)
			start := time.Now()
			if err := h.share(t.Context()); err != nil || time.Since(start) > holdTry {
				t.Fatalf("%v after %v", err, time.Since(start))
			}
			h.leave()
		}
		if err := <-done; !errors.Is(err, errPushesGoOn) {
			t.Errorf("got %v", err)
		}
		h.leave()
		if err := h.alone(t.Context(), func() error { return nil }); err != nil {
			t.Error(err)
		}
	})
}

func TestPushHoldForgets(t *testing.T) {
	h := newPushHold()
	for i := range maxTold + 10 {
		h.seen(digest.Digest(fmt.Sprint(i)))
	}
	if len(h.told) > maxTold {
		t.Errorf("%d are kept", len(h.told))
	}
	if n := len(h.seenSince(time.Now().Add(time.Hour))); n != 0 || len(h.told) != 0 {
		t.Errorf("%d were seen in an hour, %d kept", n, len(h.told))
	}
}
