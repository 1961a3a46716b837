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

// What a part of the contract depends on, beside the Store itself.
const (
	fetches = 1 << iota // on what a server sends
	talks               // on how the two ends talk
)

// Test runs the contract. Each call of make gives a new repository whose branch
// main holds the files; without files it is empty.
func Test(t *testing.T, make func(t *testing.T, files map[string]string) Fixture) {
	run(t, make, 0)
}

// Fetches runs the part that depends on what a server sends, for a Fixture that differs in
// nothing else from one that passes Test.
func Fetches(t *testing.T, make func(t *testing.T, files map[string]string) Fixture) {
	run(t, make, fetches)
}

// Talks runs the part that depends on the transport, for a Fixture that differs in nothing
// else from one that passes Test.
func Talks(t *testing.T, make func(t *testing.T, files map[string]string) Fixture) {
	run(t, make, talks)
}

func run(t *testing.T, make func(t *testing.T, files map[string]string) Fixture, part int) {
	for _, c := range []struct {
		name  string
		files map[string]string
		test  func(*bench)
		of    int
	}{
		{"snapshot is the tip", some, snapshotIsTheTip, fetches | talks},
		{"same snapshot while nothing moves", some, sameSnapshot, talks},
		{"about", some, about, 0},
		{"missing branch", some, missingBranch, talks},
		{"empty repository", nil, emptyRepository, talks},
		{"changes from nothing", order, changesFromNothing, 0},
		{"changes between", some, changesBetween, 0},
		{"changes of kind", some, changesOfKind, 0},
		{"names that are almost alike", twins, almostAlike, 0},
		{"read", some, read, 0},
		{"read by many", some, readByMany, 0},
		{"read over the limit", some, readOverTheLimit, fetches},
		{"a huge file", some, hugeFile, fetches},
		{"parents to the root", some, parents, fetches | talks},
		{"push a chain", some, pushChain, talks},
		{"push again and again", some, pushAgain, fetches},
		{"push new directories", some, pushNewDirectories, 0},
		{"who, when and why arrive", some, identity, 0},
		{"modes are kept", some, modesKept, 0},
		{"nothing to change", some, nothingToChange, 0},
		{"stale base", some, staleBase, talks},
		{"edits that are refused", some, refusedEdits, 0},
		{"branch deleted and made again", some, branchDeleted, fetches | talks},
		{"branch moved back", some, movedBack, fetches},
		{"unrelated history", some, unrelated, fetches | talks},
		{"context is over", some, contextOver, talks},
		{"branches by prefix", some, branchesByPrefix, talks},
		{"branches of an empty repository", nil, branchesOfNothing, talks},
		{"replace makes a branch", some, replaceMakes, talks},
		{"replace again and again", some, replaceAgain, fetches},
		{"replace moves only from old", some, replaceOnlyFromOld, talks},
		{"replace of a branch deleted meanwhile", some, replaceDeleted, 0},
		{"replace by nothing", some, replaceByNothing, 0},
		{"replace in vain", some, replaceRefused, talks},
		{"delete", some, deleteBranch, talks},
		{"names that lead on", some, namesThatLeadOn, talks},
		{"a name in the way", some, nameInTheWay, talks},
		{"full names", some, fullNames, 0},
		{"snapshots of several branches", some, severalBranches, fetches},
		{"a person on our branch", some, personOnOurs, fetches},
		{"answers that are lost", some, lostAnswers, talks},
		{"one of two is refused", some, oneRefused, talks},
		{"nothing is lost among writers", some, writers, talks},
	} {
		if c.of&part != part {
			continue
		}
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
