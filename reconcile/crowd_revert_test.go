package reconcile_test

import (
	"strings"
	"testing"

	"github.com/towpath/towpath/gitstore/gittest"
	"github.com/towpath/towpath/reconcile"
)

// What git makes of taking back, in a repository of its own.

// follows is our commit that gave the sites their image, the newest.
func (g *ground) follows() string {
	g.t.Helper()
	rev := g.repo.Git("log", "--first-parent", "-1", "--format=%H", "--grep=Towpath-Commit: trigger", "main")
	if rev == "" {
		g.t.Fatal("no commit of ours follows anything")
	}
	return rev
}

// merge makes a merge commit on main out of a tree.
func (g *ground) merge(tree, branch, message string) {
	g.t.Helper()
	g.repo.Move(g.repo.Git("commit-tree", tree, "-p", g.repo.Tip(), "-p", branch, "-m", message))
}

// A person takes an image back, in whichever way: it stays back, for a daemon that goes on and
// for one that knows nothing but the log, over a shallow clone, too, until the record moves.
//
// fault: X-05
func TestRevertsStand(t *testing.T) {
	for name, take := range map[string]func(g *ground){
		"git revert": func(g *ground) {
			g.repo.CommitTree(g.repo.Git("rev-parse", g.follows()+"~1^{tree}"), "Revert \"team1/web:stable follows 1.4\"\n\nThis reverts commit "+g.follows()+".")
		},
		"by hand": func(g *ground) {
			g.repo.Commit(map[string]string{"deploy.yaml": withImage(g.repo.Read("deploy.yaml"), "mine:1")}, "our own")
		},
		"by hand, and work after it": func(g *ground) {
			g.repo.Commit(map[string]string{"deploy.yaml": withImage(g.repo.Read("deploy.yaml"), "mine:1")}, "our own")
			for range 20 {
				g.repo.Commit(map[string]string{"deploy.yaml": g.repo.Read("deploy.yaml") + "# more\n", "README": g.repo.Tip()}, "more")
			}
		},
		"a merged request that reverts": func(g *ground) {
			reverted := g.repo.Git("rev-parse", g.follows()+"~1^{tree}")
			branch := g.repo.Git("commit-tree", reverted, "-p", g.repo.Tip(), "-m", "Revert the image")
			g.merge(reverted, branch, "Merge the revert")
		},
		"a merged request that is older": func(g *ground) {
			branch := g.repo.Git("commit-tree", g.repo.Git("rev-parse", g.follows()+"~1^{tree}"), "-p", g.follows()+"~1", "-m", "work from before the image")
			g.merge(g.repo.Git("rev-parse", g.follows()+"~1^{tree}"), branch, "Merge, and take their side")
		},
		"renamed and taken back at once": func(g *ground) {
			text := withImage(g.repo.Read("deploy.yaml"), "mine:1")
			g.repo.Put("moved/web.yaml", gittest.Regular, text, "move and take back")
			g.repo.Delete("the old one goes", "deploy.yaml")
			// Of two commits git makes one.
			g.repo.Move(g.repo.Git("commit-tree", "main^{tree}", "-p", "main~2", "-m", "move and take back"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := onGround(t, nil)
			g.walk()
			g.image("bbb")
			g.walk()
			take(g)
			tip := g.repo.Tip()
			path := strings.Fields(g.repo.Git("grep", "-l", "image.openshift.io/triggers", "main"))[0][len("main:"):]
			held := heldIn(g.repo.Read(path))
			stands := func(who string) {
				t.Helper()
				g.walk()
				if now := g.repo.Tip(); now != tip {
					t.Fatalf("%s: a commit after it was taken back: %s", who, g.repo.Git("log", "-1", "--format=%s", "main"))
				}
				if h := g.last.Held; len(h) != 1 || h[0].Why != reconcile.TakenBack || h[0].By == "" {
					t.Errorf("%s: held %+v", who, h)
				}
			}
			stands("the same daemon")
			stands("the same daemon, once more")
			g.open(g.repo.Dir)
			stands("a new daemon")
			server := gittest.Serve(t, g.repo)
			server.SetPassword("")
			g.open(server.Repo(g.repo))
			stands("a shallow clone")
			if got := heldIn(g.repo.Read(path)); got != held || got == "web@bbb" {
				t.Errorf("%s holds %q, want %q", path, got, held)
			}
			g.image("ccc")
			g.walk()
			if got := heldIn(g.repo.Read(path)); got != "web@ccc" {
				t.Errorf("after the record moved %s holds %q", path, got)
			}
			g.repo.Fsck()
		})
	}
}
