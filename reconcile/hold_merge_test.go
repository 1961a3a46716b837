package reconcile_test

import "testing"

// In a merge commit work of many hands comes together: that it brings a record and moves one site
// says nothing of another; the same as a commit of its own leaves that one out.
func TestNothingLeftOutByAMerge(t *testing.T) {
	for name, merged := range map[string]bool{"merged": true, "squashed": false} {
		t.Run(name, func(t *testing.T) {
			first := map[string]string{"a.yaml": follower("a", "old"), "b.yaml": follower("b", "old")}
			g := onGround(t, first)
			base := g.repo.Tip()
			g.walk() // what it writes stands on a branch of its own from here on
			changed := map[string]string{"web.yaml": g.repo.Read("web.yaml"), "a.yaml": g.repo.Read("a.yaml")}
			tree := g.repo.Git("rev-parse", "main^{tree}")
			g.repo.Move(base)
			g.repo.Commit(changed, "all but b")
			if tree == g.repo.Git("rev-parse", "main^{tree}") {
				t.Fatal("nothing is left out")
			}
			if merged {
				side := g.repo.Tip()
				g.repo.Move(base)
				own := g.repo.Commit(map[string]string{"README": "meanwhile"}, "meanwhile")
				g.repo.Move(g.repo.Git("commit-tree", side+"^{tree}", "-p", own, "-p", side, "-m", "merge"))
			}
			g.open(g.repo.Dir)
			g.walk()
			left := 0
			for _, h := range g.last.Held {
				if h.Change.Site.Path == "b.yaml" {
					left++
				}
			}
			if (left == 0) != merged {
				t.Errorf("held: %v, in a commit that %s", g.last.Held, name)
			}
		})
	}
}
