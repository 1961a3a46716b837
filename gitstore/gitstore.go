// Package gitstore is the vocabulary of a Git repository as towpath sees it:
// the tree of one commit, edits to its files, and commits that are pushed as a
// compare-and-swap on a branch.
//
// It does no I/O and knows nothing of YAML or images. The packages below it
// keep the Store over go-git's plumbing (gogit), in memory with fault hooks
// (memory), hold every Store to one contract (storetest), and serve real
// repositories to tests (gittest).
package gitstore

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"time"
)

// A Rev is a commit id in hex. The empty Rev is no commit.
type Rev string

// Short is the abbreviated form that people read.
func (r Rev) Short() string { return string(r[:min(len(r), 10)]) }

// A BlobID is the id of a file's content in hex; equal ids are equal bytes.
type BlobID string

// IDOf is the id that Git gives content, in repositories of SHA-1.
func IDOf(content []byte) BlobID {
	sum := sha1.New()
	fmt.Fprintf(sum, "blob %d\x00", len(content))
	sum.Write(content)
	return BlobID(hex.EncodeToString(sum.Sum(nil)))
}

// A File is an entry of a tree that is not a tree itself.
type File struct {
	Path string // slash-separated, from the root
	Blob BlobID
	// Skip says why the file is never read or written ("a symbolic link", "a
	// submodule", "an unusable name", …); empty for regular files. The path
	// of a file with an unusable name is quoted for showing.
	Skip string
}

// A Change is a path at which two trees differ.
type Change struct {
	Path     string
	Old, New *File // nil: not there on that side
}

// A Snapshot is the tree of one commit. It never changes; its methods may be
// called from several goroutines.
type Snapshot interface {
	Rev() Rev
	// Changes lists what differs from an older snapshot of the same store to
	// this one, in path order; from nil, every file is new. Only trees whose
	// ids differ are read, and no file.
	Changes(ctx context.Context, from Snapshot) ([]Change, error)
	// Read returns the content of a blob that this snapshot's tree holds. A
	// blob over the store's size limit is an error that names the limit; that it
	// is in the tree, whatever its size, keeps nothing else from working.
	Read(ctx context.Context, id BlobID) ([]byte, error)
	// Parent is the first parent's snapshot, nil at the root commit. A store
	// without the history fetches more of it (16, 128, then 1024 commits).
	Parent(ctx context.Context) (Snapshot, error)
	// Parents are all parents' snapshots, the first one first; none at the root commit. History
	// is fetched as by Parent.
	Parents(ctx context.Context) ([]Snapshot, error)
	// About tells who made the commit, when, and its subject line.
	About() About
}

// About is what a commit says of itself.
type About struct {
	Author  Person
	When    time.Time // committer time
	Subject string
	Message string // whole, the subject with it
	Merge   bool   // the commit has several parents
}

// A Person is an author or committer.
type Person struct{ Name, Email string }

// An Edit gives a file new content. Only files that are regular in the tree
// below, or not there, can be edited; modes are kept.
type Edit struct {
	Path    string
	Content []byte
}

// A Commit is a change to make. In a chain each is built on the one before it.
type Commit struct {
	Edits   []Edit
	Message string
	Author  Person // also the committer
	When    time.Time
}

// A Store is a repository's branches. Its methods are called from one goroutine at a
// time, except Changed.
type Store interface {
	// Snapshot reads the branch's tip. When nothing moved since the last call
	// it returns the same Snapshot, after one small request.
	// It returns an *Error.
	Snapshot(ctx context.Context, branch string) (Snapshot, error)
	// Push adds a chain of commits on top of base to the branch, all or
	// nothing, and returns the new tip as a snapshot. A commit that would change nothing
	// is left out; if none is left, base is returned. The branch moves only
	// from base: if it is elsewhere, the error is ErrMoved. After any other
	// failure the branch's tip has been read again, and what landed although
	// its answer was lost is a success. It never forces and never merges.
	Push(ctx context.Context, branch string, base Snapshot, chain ...Commit) (Snapshot, error)

	// Branches lists where the branches are whose names begin with prefix, by name, in one
	// small request.
	Branches(ctx context.Context, prefix string) (map[string]Rev, error)
	// Replace makes a branch base with a chain on top, whatever it held, and returns its tip
	// as a snapshot. It is for branches that are ours: what old held is gone. The branch
	// moves only from old or, where that is empty, is made only if it is not there: else the
	// error is ErrMoved. As with Push, what landed although its answer was lost is a
	// success. A chain that would change nothing is an error.
	Replace(ctx context.Context, branch string, old Rev, base Snapshot, chain ...Commit) (Snapshot, error)
	// Delete removes a branch that is at old. One that is gone already is a success; one that is
	// elsewhere is left, and the error is ErrMoved.
	Delete(ctx context.Context, branch string, old Rev) error

	// Changed is sent to, without blocking, when a watcher saw the repository
	// change. Nil where nothing watches. It carries no data.
	Changed() <-chan struct{}
	Close() error
}

// A Maker makes commits in the repository's own server, where its API signs them or
// knows better who made them. A Store asks one for the commits of a chain, and moves the
// branch itself.
type Maker interface {
	// Commit makes a commit on top of parent, which the repository holds, and returns its
	// id; no ref moves. Its tree is the parent's with the edits in it, modes kept, its only
	// parent is parent, and its message is c's; whether author and date are, is the server's
	// matter. Each path is there once, and at least one edit changes something. An *Error says
	// whose move it is; after any other error the same is tried again.
	Commit(ctx context.Context, parent Rev, c Commit) (Rev, error)
}

// ErrMoved says that a branch is not where a push was built on. Plan again on
// the new tip.
var ErrMoved = errors.New("the branch moved meanwhile")

// A Kind says whose move it is after a failure.
type Kind string

const (
	Unreachable  Kind = "Unreachable"  // the network's or the server's: passes
	Unauthorized Kind = "Unauthorized" // the operator's: the credential is missing or wrong
	Denied       Kind = "Denied"       // the repository's admin's: a protected branch, a hook, no write access
	NotFound     Kind = "NotFound"     // the operator's: no such repository
	NoBranch     Kind = "NoBranch"     // the operator's: the repository lacks the branch, or is empty
	TLS          Kind = "TLS"          // the operator's: certificate or host key
	Unsupported  Kind = "Unsupported"  // the operator's: a repository that towpath cannot use
	Corrupt      Kind = "Corrupt"      // ours: the cache, or what the server sent, is broken
	Locked       Kind = "Locked"       // passes, or the admin's: a ref lock stands
	TooLarge     Kind = "TooLarge"     // the author's: one blob is over the limit; from Read only, everything else goes on
	Malformed    Kind = "Malformed"    // the author's: what the tree calls a file is none; from Read only, everything else goes on
)

// An Error is a failed Git operation. It never holds a secret.
type Error struct {
	Kind       Kind
	Repo       string        // URL without user information, or path
	What       string        // what happened, for people
	Fix        string        // whose move it is and what to do next; a command where there is one
	RetryAfter time.Duration // what the server asked for; 0 when it did not
	Err        error         // the cause, redacted; may be nil
}

func (e *Error) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("%s: %s: %v", e.Repo, e.What, e.Err)
	}
	return e.Repo + ": " + e.What
}

func (e *Error) Unwrap() error { return e.Err }

// OfOneFile tells whether the error is the matter of the file that was read, and of
// nothing else.
func (e *Error) OfOneFile() bool { return e.Kind == TooLarge || e.Kind == Malformed }
