package memory_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/towpath/towpath/gitstore"
	"github.com/towpath/towpath/gitstore/memory"
)

var files = map[string]string{"a": "1", "dir/b": "2"}

func TestHook(t *testing.T) {
	broken := errors.New("broken")
	for _, c := range []struct {
		name         string
		apply, moves bool
		err          error
	}{
		{"nothing happens", true, true, nil},
		{"it failed", false, false, broken},
		{"it failed but it landed", true, true, broken},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := memory.New(files)
			base := snapshot(t, s)
			s.Hook = func(op string) (bool, error) {
				if op == memory.OpPush {
					return c.apply, c.err
				}
				return true, nil
			}
			tip, err := s.Push(t.Context(), "main", base, ours("a"))
			if !errors.Is(err, c.err) || (tip == nil) != (c.err != nil) {
				t.Errorf("push: got %v, %v, want error %v", tip, err, c.err)
			}
			if moved := s.Tip("main") != base.Rev(); moved != c.moves {
				t.Errorf("the branch moved: got %t, want %t", moved, c.moves)
			}
			if moved := snapshot(t, s) != base; moved != c.moves {
				t.Errorf("the snapshot moved: got %t, want %t", moved, c.moves)
			}
		})
	}
}

func TestHookOfReads(t *testing.T) {
	s := memory.New(files)
	snap := snapshot(t, s)
	broken := errors.New("broken")
	s.Hook = func(op string) (bool, error) { return true, broken }
	_, err1 := s.Snapshot(t.Context(), "main")
	_, err2 := snap.Changes(t.Context(), nil)
	_, err3 := snap.Read(t.Context(), "any")
	_, err4 := snap.Parent(t.Context())
	for i, err := range []error{err1, err2, err3, err4} {
		if err != broken {
			t.Errorf("operation %d: got %v", i, err)
		}
	}
}

// A person who commits from inside the hook is first.
func TestEditInHook(t *testing.T) {
	s := memory.New(files)
	base := snapshot(t, s)
	s.Hook = func(op string) (bool, error) {
		if op == memory.OpPush {
			s.Write("main", "theirs", map[string]string{"a": "theirs"})
		}
		return true, nil
	}
	if _, err := s.Push(t.Context(), "main", base, ours("a")); err != gitstore.ErrMoved {
		t.Errorf("push: got %v, want ErrMoved", err)
	}
	if got := s.Tree("main")["a"].Content; got != "theirs" {
		t.Errorf("a: got %q", got)
	}
}

func TestSameEachTime(t *testing.T) {
	run := func() []gitstore.Rev {
		s := memory.New(files)
		s.Edit("main", "rename", func(t memory.Tree) {
			t["c"] = t["a"]
			delete(t, "a")
		})
		if _, err := s.Push(t.Context(), "main", snapshot(t, s), ours("c"), ours("d")); err != nil {
			t.Fatal(err)
		}
		var revs []gitstore.Rev
		for _, l := range s.Log("main") {
			revs = append(revs, l.Rev)
		}
		return revs
	}
	if diff := cmp.Diff(run(), run()); diff != "" {
		t.Errorf("the same work twice\n%s", diff)
	}
}

func TestBubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memory.New(files)
		s.Now = time.Now
		s.Watch()
		start := time.Now()
		go func() {
			time.Sleep(time.Hour)
			s.Write("main", "theirs", map[string]string{"a": "2"})
			s.Write("main", "theirs", map[string]string{"a": "3"})
		}()
		s.Hook = func(string) (bool, error) {
			time.Sleep(time.Minute) // a slow network
			return true, nil
		}
		<-s.Changed()
		synctest.Wait()
		select {
		case <-s.Changed():
		default:
		}
		if got := time.Since(start); got != time.Hour {
			t.Errorf("woken after %v", got)
		}
		if got := snapshot(t, s).About().When; !got.Equal(start.Add(time.Hour)) {
			t.Errorf("a person's commit is of %v", got)
		}
	})
}

func TestLimit(t *testing.T) {
	s := memory.New(map[string]string{"a": "12345"})
	s.Limit = 4
	snap := snapshot(t, s)
	changes, err := snap.Changes(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := snap.Read(t.Context(), changes[0].New.Blob); err == nil || !strings.Contains(err.Error(), "4") {
		t.Errorf("a file over the limit: got %v", err)
	}
}

func snapshot(t *testing.T, s *memory.Store) gitstore.Snapshot {
	t.Helper()
	snap, err := s.Snapshot(t.Context(), "main")
	if err != nil {
		t.Fatal(err)
	}
	return snap
}

func ours(path string) gitstore.Commit {
	return gitstore.Commit{
		Edits:   []gitstore.Edit{{Path: path, Content: []byte("ours")}},
		Message: "ours", Author: gitstore.Person{Name: "towpath", Email: "towpath@example.com"},
		When: time.Date(2026, 2, 3, 4, 5, 6, 0, time.UTC),
	}
}
