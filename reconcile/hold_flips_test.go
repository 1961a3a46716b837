package reconcile_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/towpath/towpath/gitstore/memory"
	"github.com/towpath/towpath/reconcile"
)

// How often a site comes to hold an image is counted whatever else happens to its history.

// flipped pushes two images in turn, a good day long, and counts how often the site moves.
func (q *quay) flipped(between func(i int)) (moves int) {
	q.t.Helper()
	for i := range 40 {
		q.push([]string{"aaa", "bbb"}[i%2])
		for _, c := range q.last.Commits {
			if c.Kind == reconcile.TriggerCommit {
				moves++
			}
		}
		between(i)
		time.Sleep(30 * time.Minute)
	}
	return moves
}

// fault: H-26
// A stream that keeps one item of its tags, or a colleague whose clock is slow, hides no flip-flop.
func TestFlipFlopIsSeen(t *testing.T) {
	for name, story := range map[string]struct {
		config  string
		between func(q *quay, i int)
	}{
		"a short record": {"version: 1\ndefaults: {history: 1}\n", func(*quay, int) {}},
		"old dates": {"version: 1\n", func(q *quay, i int) {
			q.store.Now = func() time.Time { return time.Now().Add(-48 * time.Hour) }
			q.store.Write("main", "by one whose clock is slow", map[string]string{"README": fmt.Sprint(i)})
			q.store.Now = time.Now
		}},
	} {
		t.Run(name, func(t *testing.T) {
			quayside(t, map[string]string{"a.yaml": follower("a", " "), ".towpath.yaml": story.config}, func(q *quay) {
				q.store.Now = time.Now
				if moves := q.flipped(func(i int) { story.between(q, i) }); moves > 6 {
					q.t.Errorf("the site moved %d times within a day, want three times to each image", moves)
				}
			})
		})
	}
}

// A flip-flop is over when it is, also where commits came in between and nothing was forgotten.
func TestFlipFlopIsOver(t *testing.T) {
	quayside(t, map[string]string{"a.yaml": follower("a", " ")}, func(q *quay) {
		q.store.Now = time.Now
		for i := range 9 {
			q.push([]string{"aaa", "bbb"}[i%2])
			time.Sleep(30 * time.Minute)
		}
		if len(q.last.Held) != 1 || q.last.Held[0].Why != reconcile.FlipFlop {
			q.t.Fatalf("held: %v", q.last.Held)
		}
		until := q.last.Held[0].Until
		q.store.Write("main", "unrelated", map[string]string{"README": "x"})
		q.walk()
		if len(q.last.Held) != 1 || !q.last.Held[0].Until.Equal(until) {
			q.t.Errorf("held until another time than %s: %v", until, q.last.Held)
		}
		time.Sleep(25 * time.Hour)
		q.store.Write("main", "unrelated", map[string]string{"README": "y"})
		q.walk()
		if len(q.last.Held) != 0 {
			q.t.Errorf("still held until %s, now %s", q.last.Held[0].Until, time.Now())
		}
	})
}

// What was found under one config is looked for again under another: more of the log may
// count.
func TestHoldDepthIsRaised(t *testing.T) {
	config := func(depth int) map[string]string {
		return map[string]string{".towpath.yaml": fmt.Sprintf("version: 1\ndefaults: {hold-depth: %d}\n", depth)}
	}
	files := config(3)
	files["a.yaml"] = follower("a", " ")
	quayside(t, files, func(q *quay) {
		q.push("aaa")
		q.take("a.yaml", "a", "old")
		for i := range 5 {
			q.store.Write("main", "more", map[string]string{"README": fmt.Sprint(i)})
		}
		q.walk()
		q.want("a.yaml a old, too long")
		q.store.Write("main", "look further back", config(100))
		q.walk()
		q.want("a.yaml a old" + heldByA)
	})
}

// A site that the squashed commit of a proposal gave another image of its own was not left as it
// was; one behind a closed window could not come along; one that followed another tag then was
// none of it.
func TestNotLeftOut(t *testing.T) {
	const closed = "version: 1\nrules:\n  - paths: [\"prod/**\"]\n    windows: [{cron: \"0 8 * * 1-5\", for: 9h, zone: UTC}]\n"
	for name, story := range map[string]struct {
		path, config, then string // of b, and what it is in the squashed commit
		besides            string // what becomes of b later
	}{
		"edited":      {"b.yaml", "version: 1\n", follower("b", "other"), ""},
		"closed":      {"prod/b.yaml", closed, "", ""},
		"another tag": {"b.yaml", "version: 1\n", strings.Replace(follower("b", "old"), "web:stable", "web:next", 1), follower("b", "old")},
	} {
		t.Run(name, func(t *testing.T) {
			b := follower("b", "old")
			if story.besides != "" {
				b = story.then
			}
			quayside(t, map[string]string{"a.yaml": follower("a", "old"), story.path: b, ".towpath.yaml": story.config}, func(q *quay) {
				merged := q.proposed()
				delete(merged, story.path)
				if story.then != "" {
					merged[story.path] = story.then
				}
				q.store.Now = time.Now
				q.store.Write("main", "merge all but b", merged)
				q.walk()
				if story.besides != "" {
					q.store.Edit("main", "follow, from here", func(tree memory.Tree) { tree[story.path] = memory.File{Content: story.besides} })
				}
				time.Sleep(time.Until(time.Date(2000, 1, 3, 8, 1, 0, 0, time.UTC)))
				q.walk()
				q.want("a.yaml a aaa", story.path+" b aaa")
			})
		})
	}
}
