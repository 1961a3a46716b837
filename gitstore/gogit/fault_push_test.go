package gogit_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/towpath/towpath/gitstore"
	"github.com/towpath/towpath/gitstore/gittest"
	"github.com/towpath/towpath/gitstore/gogit"
)

// fault: G-12
func TestAnswerLost(t *testing.T) {
	t.Run("server killed after it moved the branch", func(t *testing.T) {
		s := newStage(t)
		base := s.snapshot()
		s.repo.Hook("post-receive", "kill -9 $PPID")
		tip := s.mustPush(base, 1)
		s.repo.Hook("post-receive", "")
		s.goesOn(base, tip)
	})
	t.Run("line cut", func(t *testing.T) {
		s := newStage(t)
		base := s.snapshot()
		s.server.Fail(1, gittest.Push, gittest.LoseAnswer())
		s.goesOn(base, s.mustPush(base, 1))
	})
	t.Run("line cut mid answer", func(t *testing.T) {
		for num := range 8 {
			s := newStage(t)
			base := s.snapshot()
			s.server.Fail(1, gittest.Push, gittest.Cut(num, 8))
			s.goesOn(base, s.mustPush(base, 1))
		}
	})
	t.Run("a proxy's error", func(t *testing.T) {
		s := newStage(t)
		base := s.snapshot()
		s.server.Fail(1, gittest.Push, func(w http.ResponseWriter, r *http.Request, git http.Handler) {
			git.ServeHTTP(httptest.NewRecorder(), r)
			http.Error(w, "gateway timeout", http.StatusGatewayTimeout)
		})
		s.goesOn(base, s.mustPush(base, 1))
	})
	t.Run("somebody built on it meanwhile", func(t *testing.T) {
		s := newStage(t)
		base := s.snapshot()
		s.repo.Hook("post-receive", "kill -9 $PPID")
		s.server.Fail(1, gittest.Push, gittest.After(func() { s.repo.Commit(map[string]string{"readme": "theirs\n"}, "theirs") }))
		// Whether the store finds out or not, nothing is done twice.
		if _, err := s.push(base, 1); err != nil && !errors.Is(err, gitstore.ErrMoved) {
			t.Fatalf("push: %v", err)
		}
		s.repo.Hook("post-receive", "")
		now := s.snapshot()
		if tip, err := s.push(now, 1); err != nil || tip != now {
			t.Errorf("the same push again: %v", err)
		}
		s.wantLog("theirs", "ours 1", "first")
	})
	t.Run("and nobody answers after it", func(t *testing.T) {
		s := newStage(t)
		base := s.snapshot()
		s.server.Fail(1, gittest.Push, gittest.LoseAnswer())
		s.server.Fail(-1, gittest.LsRefs, gittest.Status(http.StatusServiceUnavailable))
		s.server.Fail(-1, gittest.FetchRefs, gittest.Status(http.StatusServiceUnavailable))
		_, err := s.push(base, 1)
		s.wantError(err, gitstore.Unreachable)
		s.server.Heal()
		s.goesOn(base, s.snapshot())
	})
}

// goesOn checks that what landed counts once: the old base is stale, the same
// content again is no commit, and the next push is built on it.
func (s *stage) goesOn(base, tip gitstore.Snapshot) {
	s.Helper()
	s.wantLog("ours 1", "first")
	s.wantFiles(tip)
	if _, err := s.push(base, 2); !errors.Is(err, gitstore.ErrMoved) {
		s.Errorf("another push on the old base: got %v, want ErrMoved", err)
	}
	now := s.snapshot()
	if now.Rev() != tip.Rev() {
		s.Errorf("snapshot: got %s, want %s", now.Rev(), tip.Rev())
	}
	if again, err := s.push(now, 1); err != nil || again != now {
		s.Errorf("the same push again: got %v", err)
	}
	s.mustPush(now, 2)
	s.wantLog("ours 2", "ours 1", "first")
}

// fault: G-13
func TestKilledBeforeItMoved(t *testing.T) {
	s := newStage(t)
	base := s.snapshot()
	s.repo.Hook("pre-receive", "kill -9 $PPID")
	for range 2 {
		_, err := s.push(base, 1)
		s.wantError(err, gitstore.Unreachable)
		s.wantLog("first")
	}
	s.repo.Hook("pre-receive", "")
	s.mustPush(base, 1)
	s.wantLog("ours 1", "first")
}

// fault: G-14
func TestStaleLock(t *testing.T) {
	s := newStage(t)
	base := s.snapshot()
	lock := s.repo.Lock("main")
	for range 3 {
		_, err := s.push(base, 1)
		s.wantError(err, gitstore.Locked, gitstore.Denied)
		s.wantLog("first")
	}
	lock()
	s.mustPush(base, 1)
	s.wantLog("ours 1", "first")
}

// A person is faster, k times, in the moment between the list of refs and the
// push, or before the list.
//
// fault: G-15
func TestRacer(t *testing.T) {
	const k = 10
	for _, op := range []gittest.Op{gittest.PushRefs, gittest.Push} {
		t.Run(string(op), func(t *testing.T) {
			s := newStage(t, inCache(t))
			theirs := 0
			s.server.Fail(k, op, gittest.Before(func() {
				theirs++
				s.repo.Commit(map[string]string{"readme": fmt.Sprint(theirs), "app/stream.yaml": fmt.Sprintf("theirs: %d\n", theirs)}, fmt.Sprintf("theirs %d", theirs))
			}))
			attempts := 0
			for {
				attempts++
				base := s.snapshot()
				_, err := s.push(base, 1)
				if err == nil {
					break
				}
				if !errors.Is(err, gitstore.ErrMoved) || attempts > 2*k {
					t.Fatalf("attempt %d: %v", attempts, err)
				}
			}
			if attempts != k+1 {
				t.Errorf("attempts: got %d, want %d", attempts, k+1)
			}
			want := []string{"first"}
			for i := 1; i <= k; i++ {
				want = append([]string{fmt.Sprintf("theirs %d", i)}, want...)
			}
			s.wantLog(append([]string{"ours 1"}, want...)...)
			if merges := s.repo.Git("rev-list", "--merges", "--count", "main"); merges != "0" {
				t.Errorf("merge commits: %s", merges)
			}
			if got := s.repo.Read("readme"); got != fmt.Sprint(k) {
				t.Errorf("their last word: got %q", got)
			}
		})
	}
}

// A person takes three commits back by force, one of them ours. The store is
// one commit deep, so it never had the commit that is the tip again.
//
// fault: G-16
func TestForcedBack(t *testing.T) {
	for name, option := range map[string]func(*testing.T) func(*gogit.Options){
		"memory": func(*testing.T) func(*gogit.Options) { return func(*gogit.Options) {} },
		"cache":  inCache,
	} {
		t.Run(name, func(t *testing.T) {
			repo := gittest.NewRepo(t, map[string]string{"app/stream.yaml": "status: 0\n", "app/deploy.yaml": "image: 0\n"})
			for i := range 4 {
				repo.Commit(map[string]string{"readme": fmt.Sprint(i), fmt.Sprintf("file%d", i): "x"}, fmt.Sprint(i))
			}
			s := onStage(t, repo, gittest.Serve(t, repo), option(t))
			stale := s.mustPush(s.snapshot(), 1)
			repo.Move(repo.Git("rev-parse", "main~3"))

			if _, err := s.push(stale, 2); !errors.Is(err, gitstore.ErrMoved) {
				t.Fatalf("a push on commits that were taken back: got %v, want ErrMoved", err)
			}
			now := s.snapshot()
			s.wantFiles(now)
			if parent, err := now.Parent(t.Context()); err != nil || parent.About().Subject != "0" {
				t.Errorf("parent: %v", err)
			}
			s.mustPush(now, 3)
			s.wantLog("ours 3", "1", "0", "first")
			if strings.Contains(strings.Join(repo.Files(), "\n"), "file3") {
				t.Errorf("a file that was taken back is there again")
			}
			// Forward again, to the commits that were dropped.
			repo.Move(string(stale.Rev()))
			s.wantFiles(s.snapshot())
		})
	}
}

// fault: G-17
func TestBranchDeleted(t *testing.T) {
	s := newStage(t)
	base := s.snapshot()
	first := s.repo.Tip()
	s.repo.Git("update-ref", "-d", "refs/heads/main")
	_, err := s.push(base, 1)
	if !errors.Is(err, gitstore.ErrMoved) {
		s.wantError(err, gitstore.NoBranch)
	}
	_, err = s.store.Snapshot(t.Context(), "main")
	s.wantError(err, gitstore.NoBranch)
	if tip := s.repo.Tip(); tip != "" {
		t.Fatalf("the branch is there again: %s", tip)
	}

	// Deleted between the list of refs and the push.
	s.repo.Move(first)
	s.server.Fail(1, gittest.Push, gittest.Before(func() { s.repo.Git("update-ref", "-d", "refs/heads/main") }))
	_, err = s.push(s.snapshot(), 1)
	if !errors.Is(err, gitstore.ErrMoved) {
		s.wantError(err, gitstore.NoBranch)
	}
	if tip := s.repo.Tip(); tip != "" {
		t.Fatalf("the branch is there again: %s", tip)
	}

	s.repo.Move(first)
	s.mustPush(s.snapshot(), 1)
	s.wantLog("ours 1", "first")
}

// fault: G-18
func TestDefaultBranchRenamed(t *testing.T) {
	s := newStage(t)
	s.snapshot()
	s.repo.Git("branch", "-m", "main", "trunk")
	_, err := s.store.Snapshot(t.Context(), "main")
	s.wantError(err, gitstore.NoBranch)
	if refs := s.repo.Git("for-each-ref", "--format=%(refname)"); refs != "refs/heads/trunk" {
		t.Errorf("refs: %s", refs)
	}
}
