package reconcile_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/towpath/towpath/gitstore/memory"
	registrymemory "github.com/towpath/towpath/registry/memory"
)

// lines is a Dockerfile in which each of some values follows team1/web:stable.
func lines(values ...string) string {
	var b strings.Builder
	for _, v := range values {
		fmt.Fprintf(&b, "# {\"$imagestream\": \"team1/web:stable\"}\nFROM %s\n", v)
	}
	return b.String()
}

// Sites that only a number tells apart keep their holds when others come and go among them:
// which is which is in what they hold.
func TestHeldAmongEqualNames(t *testing.T) {
	aaa := "quay.io/team1/web@" + registrymemory.Digest("aaa")
	const held, free, image = "Dockerfile  old:1, taken back by take back", "Dockerfile  aaa", "aaa"
	for name, story := range map[string]struct {
		taken, after []string // values
		want         []string // what the sites are then
	}{
		"one more before":        {[]string{image, "old:1"}, []string{"new:1", image, "old:1"}, []string{free, free, held}},
		"one more between":       {[]string{image, "old:1"}, []string{image, "new:1", "old:1"}, []string{free, free, held}},
		"one more behind":        {[]string{image, "old:1"}, []string{image, "old:1", "new:1"}, []string{free, held, free}},
		"two more around":        {[]string{"old:1"}, []string{"new:1", "old:1", "new:2"}, []string{free, held, free}},
		"here and there":         {[]string{image, "old:1", image, "old:1"}, []string{"new:1", image, "old:1", "new:1", image, "old:1"}, []string{free, free, held, free, free, held}},
		"the first goes":         {[]string{image, "old:1"}, []string{"old:1"}, []string{held}},
		"one goes, one is other": {[]string{image, "old:1", image}, []string{"old:2", image}, []string{"Dockerfile  old:2, taken back by others come and go", free}},
	} {
		t.Run(name, func(t *testing.T) {
			images := func(values []string) string { return strings.ReplaceAll(lines(values...), "FROM aaa", "FROM "+aaa) }
			quayside(t, map[string]string{"Dockerfile": lines(strings.Split(strings.Repeat("x:1 ", len(story.taken)-1)+"x:1", " ")...)}, func(q *quay) {
				q.push("aaa")
				q.store.Write("main", "take back", map[string]string{"Dockerfile": images(story.taken)})
				q.walk()
				q.store.Write("main", "others come and go", map[string]string{"Dockerfile": images(story.after)})
				q.wantAfterRestartToo(story.want...)
			})
		})
	}
}

// Of very many that changed all at once their places say which is which, in little time.
func TestManyEqualNames(t *testing.T) {
	const n = 1000
	values := func(word string, n int) []string {
		all := make([]string, n)
		for i := range all {
			all[i] = fmt.Sprintf("%s:%d", word, i)
		}
		return all
	}
	quayside(t, map[string]string{"Dockerfile": lines(values("x", n)...)}, func(q *quay) {
		q.push("aaa")
		q.store.Write("main", "take back", map[string]string{"Dockerfile": lines(values("old", n)...)})
		q.store.Write("main", "all others, and one more", map[string]string{"Dockerfile": lines(values("older", n+1)...)})
		q.walk()
		if len(q.last.Held) != n {
			q.t.Errorf("%d are held, want all but the new one", len(q.last.Held))
		}
	})
}

// A move may take two commits: a copy, and then the end of what was copied.
func TestHeldWhenCopiedAndRemoved(t *testing.T) {
	for _, path := range []string{"streams/web.yaml", "a.yaml"} {
		t.Run(path, func(t *testing.T) {
			quayside(t, map[string]string{"a.yaml": follower("a", " ")}, func(q *quay) {
				q.push("aaa")
				q.take("a.yaml", "a", "old")
				q.walk()
				q.store.Write("main", "copy", map[string]string{"moved.yaml": q.text(path)})
				if path != "a.yaml" { // a copy of a site is another site, as long as both are there
					q.walk()
				}
				q.store.Edit("main", "remove the original", func(tree memory.Tree) { delete(tree, path) })
				site := strings.Replace("a.yaml", path, "moved.yaml", 1)
				q.wantAfterRestartToo(site + " a old" + heldByA)
			})
		})
	}
}

// What goes away for a commit and comes back as it was, there or elsewhere, is still the same; what
// comes back as something else is new, and so is what comes back much later.
func TestHeldWhenAwayForAWhile(t *testing.T) {
	for name, story := range map[string]struct {
		path, image string
		later       int // commits between
		want        string
	}{
		"the same":            {"a.yaml", "old", 3, "a.yaml a old" + heldByA},
		"the same, elsewhere": {"moved.yaml", "old", 0, "moved.yaml a old" + heldByA},
		"something else":      {"a.yaml", "other", 0, "a.yaml a aaa"},
		"much later":          {"a.yaml", "old", 20, "a.yaml a aaa"},
	} {
		t.Run(name, func(t *testing.T) {
			quayside(t, map[string]string{"a.yaml": follower("a", " "), "b.yaml": follower("b", " ")}, func(q *quay) {
				q.push("aaa")
				q.take("a.yaml", "a", "old")
				q.walk()
				q.store.Edit("main", "away", func(tree memory.Tree) { delete(tree, "a.yaml") })
				q.walk()
				for i := range story.later {
					q.store.Write("main", "more", map[string]string{"README": fmt.Sprint(i)})
				}
				q.store.Write("main", "back again", map[string]string{story.path: follower("a", story.image)})
				want := []string{story.want, "b.yaml b aaa"}
				slices.Sort(want)
				q.wantAfterRestartToo(want...)
			})
		})
	}
}

// What was not there when its record came was not left out, also where it had been there before.
func TestNothingLeftOutWhenAway(t *testing.T) {
	quayside(t, map[string]string{"a.yaml": follower("a", "old"), "b.yaml": follower("b", "old")}, func(q *quay) {
		merged := q.proposed()
		delete(merged, "b.yaml")
		q.store.Edit("main", "away", func(tree memory.Tree) { delete(tree, "b.yaml") })
		q.store.Write("main", "merge all but b", merged)
		q.store.Write("main", "back again", map[string]string{"b.yaml": follower("b", "old")})
		q.wantAfterRestartToo("a.yaml a aaa", "b.yaml b aaa")
	})
}
