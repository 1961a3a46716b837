package reconcile_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/towpath/towpath/gitstore/memory"
	"github.com/towpath/towpath/registry"
	registrymemory "github.com/towpath/towpath/registry/memory"
)

// Many streams of which nothing is new make no commit, and no question but a HEAD for
// each tag and interval. (make bench has ten thousand of ten tags.)
//
// fault: LD-02
func TestNothingNewAtScale(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r registrymemory.Registry
		var lines strings.Builder
		files := map[string]string{}
		const streams, tags = 2_000, 3
		for i := range streams {
			name := fmt.Sprintf("s%05d", i)
			files["streams/"+name+".yaml"] = streamOf("team1", name, "quay.io/team1/"+name, tags, "      importPolicy: {scheduled: true}\n")
			for k := range tags {
				fmt.Fprintf(&lines, "quay.io/team1/%s:t%d %s-%d\n", name, k, name, k)
			}
		}
		if err := r.Set(lines.String()); err != nil {
			t.Fatal(err)
		}
		var heads, others atomic.Int64
		r.Hook = func(_ context.Context, c registrymemory.Call) error {
			if c.Op == "Head" {
				heads.Add(1)
			} else {
				others.Add(1)
			}
			return nil
		}
		line, store := asked(files, &r)
		defer store.Close()
		line.Poll = 30 * time.Second
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- line.Run(ctx) }()
		time.Sleep(10 * time.Minute)
		tip, before := store.Tip("main"), heads.Load()
		if n := len(store.Log("main")) - 1; n < streams/500 || n > 2*streams/500 {
			t.Errorf("%d commits for the first import, want about one for each 500 files", n)
		}
		const rounds = 3
		time.Sleep(rounds * 15 * time.Minute)
		cancel()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if store.Tip("main") != tip {
			t.Errorf("a commit without news: %s", store.Log("main")[0].Message)
		}
		// The intervals are stretched by up to a twentieth, so that four rounds may not be over yet.
		if n := heads.Load() - before; n > rounds*streams*tags || n < (rounds-1)*streams*tags {
			t.Errorf("%d HEADs in %d intervals, want at most one a tag and interval", n, rounds)
		}
		if n := others.Load(); n != 0 {
			t.Errorf("%d questions that were no HEAD", n)
		}
	})
}

// A repository of 100,000 tags: the list is read once, the policy's choice asked for
// once, and an import of all tags keeps to its cap.
//
// fault: LD-04
func TestManyTags(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r registrymemory.Registry
		var lines strings.Builder
		const tags = 100_000
		for i := range tags {
			fmt.Fprintf(&lines, "quay.io/team1/web:1.%d.%d %d\n", i/100, i%100, i)
		}
		if err := r.Set(lines.String()); err != nil {
			t.Fatal(err)
		}
		var lists, heads atomic.Int64
		r.Hook = func(_ context.Context, c registrymemory.Call) error {
			switch c.Op {
			case "Tags":
				lists.Add(1)
			case "Head":
				heads.Add(1)
			}
			return nil
		}
		line, store := asked(map[string]string{
			"policy.yaml": "apiVersion: image.openshift.io/v1\nkind: ImageStream\nmetadata: {name: web, namespace: team1}\nspec:\n  tags:\n" +
				"    - name: stable\n      annotations: {towpath.dev/policy: 'semver:<1.700'}\n      from: {kind: DockerImage, name: quay.io/team1/web}\n",
			"all.yaml": "apiVersion: image.openshift.io/v1\nkind: ImageStream\nmetadata: {name: all, namespace: team1}\nspec:\n  dockerImageRepository: quay.io/team1/web\n",
		}, &r)
		defer store.Close()
		line.Wait = true
		rep, err := line.Once(t.Context())
		if err != nil || len(rep.Failing) > 0 {
			t.Fatalf("%v, %+v", err, rep.Failing)
		}
		if lists.Load() != 2 || heads.Load() != 51 {
			t.Errorf("%d lists and %d HEADs, want 2 and 51", lists.Load(), heads.Load())
		}
		tree := store.Tree("main")
		if !strings.Contains(tree["policy.yaml"].Content, "quay.io/team1/web:1.699.99 ") {
			t.Errorf("the policy chose another tag:\n%s", tree["policy.yaml"].Content)
		}
		if n := strings.Count(tree["all.yaml"].Content, "- tag:"); n != 50 {
			t.Errorf("%d tags were imported, want 50", n)
		}
		if message := store.Log("main")[0].Message; !strings.Contains(message, "99950 tags left out by the repository cap") {
			t.Errorf("the commit does not say what was left out:\n%s", message)
		}
	})
}

// slowly answers for some hosts after a while, and notes when it first told a digest.
type slowly struct {
	*registrymemory.Registry
	told sync.Map // digest to time.Time
}

func (s *slowly) Head(ctx context.Context, on registry.On, ref registry.Ref) (registry.Image, error) {
	wait := 20 * time.Millisecond
	if strings.HasPrefix(ref.Host, "slow") {
		wait = 5 * time.Second
	}
	select {
	case <-time.After(wait):
	case <-ctx.Done():
	}
	image, err := s.Registry.Head(ctx, on, ref)
	s.told.LoadOrStore(image.Digest, time.Now())
	return image, err
}

// Fifty registries that take five seconds an answer stand beside a fast one: from the
// question to the commit it takes as long as it does alone, or twice as long at most.
//
// fault: LD-08
func TestFastBesideSlow(t *testing.T) {
	const tags, slowTags, rounds = 10, 12, 40
	lands := func(t *testing.T, slow int) (longest time.Duration) {
		synctest.Test(t, func(t *testing.T) {
			r := &slowly{Registry: &registrymemory.Registry{}}
			files := map[string]string{"fast.yaml": streamOf("fast", "fast", "quay.io/team1/fast", tags, "      importPolicy: {scheduled: true}\n")}
			set := func(repo string, n, word int) {
				for k := range n {
					if err := r.Set(fmt.Sprintf("%s:t%d %s-%d-%d", repo, k, repo, word, k)); err != nil {
						t.Fatal(err)
					}
				}
			}
			set("quay.io/team1/fast", tags, 0)
			for i := range slow {
				repo := fmt.Sprintf("slow%d.example.com/a/b", i)
				files[fmt.Sprintf("slow%d.yaml", i)] = streamOf("slow", fmt.Sprintf("s%d", i), repo, slowTags, "      importPolicy: {scheduled: true}\n")
				set(repo, slowTags, 0)
			}
			line, store := asked(files, r)
			defer store.Close()
			var mu sync.Mutex
			var pushes []time.Time
			store.Hook = func(op string) (bool, error) {
				if op == memory.OpPush {
					mu.Lock()
					pushes = append(pushes, time.Now())
					mu.Unlock()
				}
				return true, nil
			}
			line.Poll = 30 * time.Second
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() { done <- line.Run(ctx) }()
			time.Sleep(20 * time.Minute)
			for n := range rounds {
				set("quay.io/team1/fast", tags, n+1)
				time.Sleep(20 * time.Minute)
			}
			cancel()
			<-done
			landed := map[string]time.Time{} // by digest
			for _, l := range store.Log("main") {
				// A commit is dated by the beginning of its pass, and pushed at the end.
				i := slices.IndexFunc(pushes, func(at time.Time) bool { return !at.Before(l.When) })
				for _, line := range strings.Split(l.Tree["fast.yaml"].Content, "\n") {
					if _, digest, ok := strings.Cut(line, "image: "); ok {
						landed[digest] = pushes[max(i, 0)] // the log is read newest first: the oldest stays
					}
				}
			}
			for n := range rounds {
				for k := range tags {
					digest := registrymemory.Digest(fmt.Sprintf("quay.io/team1/fast-%d-%d", n+1, k))
					told, ok := r.told.Load(digest)
					if !ok || landed[digest].IsZero() {
						t.Fatalf("%s did not land", digest)
					}
					longest = max(longest, landed[digest].Sub(told.(time.Time))+20*time.Millisecond)
				}
			}
		})
		return longest
	}
	alone := lands(t, 0)
	beside := lands(t, 50)
	t.Logf("alone %s, beside 50 slow ones %s", alone, beside)
	if beside > 2*alone {
		t.Errorf("the fast registry's news land after %s beside slow ones, and after %s alone", beside, alone)
	}
}
