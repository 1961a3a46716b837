package gitea

import (
	"testing"

	"github.com/towpath/towpath/forge/forgetest"
	"github.com/towpath/towpath/forge/gitea/giteatest"
)

// TestGitea asks a real Gitea where make test-forge names one, and records its answers; else it is
// answered from those.
func TestGitea(t *testing.T) {
	real, all := start(t)
	t.Run("contract", func(t *testing.T) {
		forgetest.Run(t, func(t *testing.T) forgetest.World { return newWorld(t, real, all) })
	})
	for name, test := range map[string]func(*testing.T, *world){
		"push to a protected branch": protectedBranch,
		"branch gone meanwhile":      goneMeanwhile,
		"life of a proposal":         life,
	} {
		t.Run(name, func(t *testing.T) { test(t, newWorld(t, real, all)) })
	}
}

// start starts the real one; nil: there is none.
func start(t *testing.T) (*giteatest.Server, people) {
	if giteatest.Binary() == "" {
		return nil, people{}
	}
	real, err := giteatest.Start(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(real.Stop)
	user := func(name string, scopes ...string) giteatest.User {
		u, err := real.User(name, scopes...)
		if err != nil {
			t.Fatal(err)
		}
		return u
	}
	return real, people{
		owner: user(owner, "all"), reviewer: user("reviewer", "all"), stranger: user("stranger", "all"),
		bot: user("bot", "write:repository", "write:issue"), // as the documentation says
	}
}
