// Package storetest is the contract of a gitstore.Store as a test: one suite
// that every Store passes, over a repository that a person changes beside it.
//
// It knows the contract and nothing of how a Store keeps it.
package storetest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/towpath/towpath/gitstore"
)

// A World is the repository behind a Store as everybody else sees it: a person
// with write access. Its methods work on the branch main and fail the test
// where they fail.
type World interface {
	// Commit puts regular files over what is there, and returns the new tip.
	Commit(files map[string]string, message string) string
	// Put commits one entry of a mode of gittest.
	Put(path, mode, content, message string) string
	// Delete commits the removal of files.
	Delete(message string, paths ...string) string
	// Move points the branch at a commit, as a force-push does; the empty
	// string deletes the branch.
	Move(rev string)
	// Tip is the branch's commit, empty if there is no branch.
	Tip() string
	// CommitOn is Commit on another branch, which is there.
	CommitOn(branch string, files map[string]string, message string) string
	// Point puts another branch, or a ref that is named in full, at a commit; the empty
	// string deletes it.
	Point(branch, rev string)
	// Heads are the commits of all branches by name.
	Heads() map[string]string
	// Show returns an entry's mode and content at the tip; empty if it is not
	// there.
	Show(path string) (mode, content string)
	// History lists the commits, newest first.
	History() []Logged
	// Check fails the test if the repository is not sound.
	Check()
}

// A Logged is a commit as a log shows it.
type Logged struct {
	Rev, Parents      string // parents separated by spaces
	Author, Committer string // name, address and Unix time: "A <a@example.com> 1767225600"
	Message           string // whole, without the final newline
}

// A Fixture is a Store and the world behind it.
type Fixture struct {
	Store gitstore.Store
	World World
	// Lose makes the answer to the next change of a branch get lost, after it landed or
	// before. Nil where that cannot be had.
	Lose func(landed bool)
	// Refuse makes the repository refuse whatever would change a branch, until the
	// function that it returns is called. Nil where that cannot be had.
	Refuse func(branch string) (allow func())
}

// Test runs the contract. Each call of make gives a new repository whose branch
// main holds the files; without files it is empty.
func Test(t *testing.T, make func(t *testing.T, files map[string]string) Fixture) {
	for _, c := range []struct {
		name  string
		files map[string]string
		test  func(*bench)
	}{
		{"snapshot is the tip", some, snapshotIsTheTip},
		{"same snapshot while nothing moves", some, sameSnapshot},
		{"about", some, about},
		{"missing branch", some, missingBranch},
		{"empty repository", nil, emptyRepository},
		{"changes from nothing", order, changesFromNothing},
		{"changes between", some, changesBetween},
		{"changes of kind", some, changesOfKind},
		{"names that are almost alike", twins, almostAlike},
		{"read", some, read},
		{"read by many", some, readByMany},
		{"read over the limit", some, readOverTheLimit},
		{"a huge file", some, hugeFile},
		{"parents to the root", some, parents},
		{"push a chain", some, pushChain},
		{"push again and again", some, pushAgain},
		{"push new directories", some, pushNewDirectories},
		{"who, when and why arrive", some, identity},
		{"modes are kept", some, modesKept},
		{"nothing to change", some, nothingToChange},
		{"stale base", some, staleBase},
		{"edits that are refused", some, refusedEdits},
		{"branch deleted and made again", some, branchDeleted},
		{"branch moved back", some, movedBack},
		{"unrelated history", some, unrelated},
		{"context is over", some, contextOver},
		{"branches by prefix", some, branchesByPrefix},
		{"branches of an empty repository", nil, branchesOfNothing},
		{"replace makes a branch", some, replaceMakes},
		{"replace again and again", some, replaceAgain},
		{"replace moves only from old", some, replaceOnlyFromOld},
		{"replace of a branch deleted meanwhile", some, replaceDeleted},
		{"replace by nothing", some, replaceByNothing},
		{"replace in vain", some, replaceRefused},
		{"delete", some, deleteBranch},
		{"names that lead on", some, namesThatLeadOn},
		{"a name in the way", some, nameInTheWay},
		{"full names", some, fullNames},
		{"snapshots of several branches", some, severalBranches},
		{"a person on our branch", some, personOnOurs},
		{"answers that are lost", some, lostAnswers},
		{"one of two is refused", some, oneRefused},
		{"nothing is lost among writers", some, writers},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel() // most of the time is waiting for servers
			f := make(t, c.files)
			c.test(&bench{t, f.Store, f.World, f.Lose, f.Refuse})
			f.World.Check()
		})
	}
}

// The repositories that tests begin with.
var (
	some = map[string]string{
		"app/deploy.yaml":  "image: a\n",
		"app/stream.yaml":  "status: a\n",
		"docs/readme.md":   "Read me.\n",
		"docs/deep/er/x.y": "x",
		"top.yaml":         "top\n",
	}
	// Names whose order is another where a tree's own order is not heeded.
	order = map[string]string{
		"a.yaml": "1", "a/b": "2", "a-b": "3", "ab": "4", "a0": "5", "B": "6", "ü": "7", "empty": "",
	}
)

// A bench is where a test of the suite works.
type bench struct {
	*testing.T
	store gitstore.Store
	World
	lose   func(landed bool)
	refuse func(branch string) (allow func())
}

var (
	bot  = gitstore.Person{Name: "towpath", Email: "towpath@example.com"}
	when = time.Date(2026, 2, 3, 4, 5, 6, 0, time.UTC)
)

func (b *bench) snapshot() gitstore.Snapshot {
	b.Helper()
	s, err := b.store.Snapshot(b.Context(), "main")
	if err != nil {
		b.Fatalf("snapshot: %v", err)
	}
	return s
}

func (b *bench) push(base gitstore.Snapshot, chain ...gitstore.Commit) gitstore.Snapshot {
	b.Helper()
	s, err := b.store.Push(b.Context(), "main", base, chain...)
	if err != nil {
		b.Fatalf("push: %v", err)
	}
	return s
}

func (b *bench) changes(s, from gitstore.Snapshot) []gitstore.Change {
	b.Helper()
	changes, err := s.Changes(b.Context(), from)
	if err != nil {
		b.Fatalf("changes: %v", err)
	}
	return changes
}

func (b *bench) read(s gitstore.Snapshot, path string) string {
	b.Helper()
	for _, c := range b.changes(s, nil) {
		if c.Path == path {
			content, err := s.Read(b.Context(), c.New.Blob)
			if err != nil {
				b.Fatalf("read %s: %v", path, err)
			}
			return string(content)
		}
	}
	b.Fatalf("read %s: it is not in the tree", path)
	return ""
}

func (b *bench) wantContent(path, want string) {
	b.Helper()
	if _, got := b.Show(path); got != want {
		b.Errorf("%s at the tip: got %q, want %q", path, got, want)
	}
}

func (b *bench) wantDiff(what string, want, got any) {
	b.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		b.Errorf("%s (-want +got)\n%s", what, diff)
	}
}

// wantKind checks that an error is an *Error of one of the kinds and says whose
// move it is.
func (b *bench) wantKind(err error, kinds ...gitstore.Kind) {
	b.Helper()
	var e *gitstore.Error
	if !errors.As(err, &e) {
		b.Errorf("got %v, want a *gitstore.Error of kind %v", err, kinds)
		return
	}
	for _, k := range kinds {
		if e.Kind == k {
			if e.What == "" || e.Fix == "" {
				b.Errorf("an error without a next step: %+v", e)
			}
			return
		}
	}
	b.Errorf("got %s (%v), want %v", e.Kind, e, kinds)
}

// commit is a change of towpath's to one file.
func commit(message, path, content string) gitstore.Commit {
	return gitstore.Commit{
		Edits:   []gitstore.Edit{{Path: path, Content: []byte(content)}},
		Message: message, Author: bot, When: when,
	}
}

func cancelled() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}
