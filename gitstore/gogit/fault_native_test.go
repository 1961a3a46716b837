package gogit_test

import (
	"errors"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/towpath/towpath/gitstore"
	"github.com/towpath/towpath/gitstore/gittest"
	"github.com/towpath/towpath/gitstore/gogit"
)

// Native git and the store each count in a file of their own, on one branch of
// one repository on disk, at the same time. A missing count is a lost update.
func TestRaceWithNativeGit(t *testing.T) {
	const n = 40
	r := gittest.NewRepo(t, map[string]string{"ours": "0", "theirs": "0"})
	s := open(t, gogit.Options{Repo: r.Dir})
	done := make(chan error, 1)
	go func() { done <- count(r, n) }()

	moved := 0
	for ours := 0; ours < n; {
		base, err := s.Snapshot(t.Context(), "main")
		if err != nil {
			t.Fatal(err)
		}
		was, err := strconv.Atoi(readFile(t, base, "ours"))
		if err != nil || was != ours {
			t.Fatalf("our count before push %d: %d, %v", ours+1, was, err)
		}
		_, err = s.Push(t.Context(), "main", base, gitstore.Commit{
			Edits:   []gitstore.Edit{{Path: "ours", Content: fmt.Append(nil, ours+1)}},
			Message: "ours", Author: bot, When: time.Unix(1.8e9, 0),
		})
		var e *gitstore.Error
		switch {
		case err == nil:
			ours++
		case errors.Is(err, gitstore.ErrMoved), errors.As(err, &e) && e.Kind == gitstore.Locked:
			moved++
		default:
			t.Fatal(err)
		}
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	t.Logf("the store had to begin again %d times", moved)
	for _, path := range []string{"ours", "theirs"} {
		if got := r.Read(path); got != strconv.Itoa(n) {
			t.Errorf("%s: got %s, want %d", path, got, n)
		}
	}
	if got := len(r.Log("%s")); got != 2*n+1 {
		t.Errorf("commits: got %d, want %d", got, 2*n+1)
	}
	r.Fsck()
}

// A lock that native git holds is waited for, and never broken.
func TestLockHeldByNativeGit(t *testing.T) {
	r := gittest.NewRepo(t, map[string]string{"a": "1"})
	s := open(t, gogit.Options{Repo: r.Dir})
	base, err := s.Snapshot(t.Context(), "main")
	if err != nil {
		t.Fatal(err)
	}
	change := gitstore.Commit{Edits: []gitstore.Edit{{Path: "a", Content: []byte("2")}}, Message: "ours", Author: bot, When: time.Unix(1.8e9, 0)}
	unlock := r.Lock("main")
	_, err = s.Push(t.Context(), "main", base, change)
	var e *gitstore.Error
	if !errors.As(err, &e) || e.Kind != gitstore.Locked {
		t.Errorf("push under a lock: got %v, want %s", err, gitstore.Locked)
	}
	if r.Tip() != string(base.Rev()) {
		t.Errorf("the push moved the branch under a lock")
	}
	unlock() // fails the test if the lock is gone
	if _, err := s.Push(t.Context(), "main", base, change); err != nil {
		t.Errorf("push after the lock: %v", err)
	}
	r.Fsck()
}

// count adds one to a file n times by git commit-tree and git update-ref, and
// begins again where the branch moved meanwhile. Now and then it packs.
func count(r *gittest.Repo, n int) error {
	for tries := 0; n > 0; tries++ {
		if tries > 10_000 {
			return errors.New("native git never got its turn")
		}
		old, err := r.Try("", "rev-parse", "refs/heads/main")
		if err != nil {
			return err
		}
		was, err := r.Try("", "cat-file", "blob", old+":theirs")
		if err != nil {
			return err
		}
		number, err := strconv.Atoi(was)
		if err != nil {
			return err
		}
		ours, err := r.Try("", "rev-parse", old+":ours")
		if err != nil {
			return err
		}
		theirs, err := r.Try(strconv.Itoa(number+1), "hash-object", "-w", "--stdin")
		if err != nil {
			return err
		}
		tree, err := r.Try("100644 blob "+ours+"\tours\n100644 blob "+theirs+"\ttheirs\n", "mktree")
		if err != nil {
			return err
		}
		rev, err := r.Try("", "commit-tree", "-p", old, "-m", "theirs", tree)
		if err != nil {
			return err
		}
		if _, err := r.Try("", "update-ref", "refs/heads/main", rev, old); err == nil {
			n--
		}
		// As git gc does; either may find a lock taken.
		switch tries % 8 {
		case 3:
			r.Try("", "pack-refs", "--all")
		case 7:
			r.Try("", "repack", "-a", "-d", "-q")
		}
	}
	return nil
}

func readFile(t *testing.T, s gitstore.Snapshot, path string) string {
	t.Helper()
	changes, err := s.Changes(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range changes {
		if c.Path == path {
			content, err := s.Read(t.Context(), c.New.Blob)
			if err != nil {
				t.Fatal(err)
			}
			return string(content)
		}
	}
	t.Fatalf("no file %s", path)
	return ""
}
