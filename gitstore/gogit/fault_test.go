package gogit_test

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/google/go-cmp/cmp"

	"github.com/towpath/towpath/gitstore"
	"github.com/towpath/towpath/gitstore/gittest"
	"github.com/towpath/towpath/gitstore/gogit"
)

// A stage is a repository, the server in front of it, and a store that asks
// the server.
type stage struct {
	*testing.T
	repo   *gittest.Repo
	server *gittest.Server
	store  *gogit.Store
}

// newStage opens a store over HTTP with deadlines that a test can wait for.
func newStage(t *testing.T, change ...func(*gogit.Options)) *stage {
	t.Helper()
	repo := gittest.NewRepo(t, map[string]string{"app/stream.yaml": "status: 0\n", "app/deploy.yaml": "image: 0\n", "readme": "Read me.\n"})
	return onStage(t, repo, gittest.Serve(t, repo), change...)
}

func onStage(t *testing.T, repo *gittest.Repo, server *gittest.Server, change ...func(*gogit.Options)) *stage {
	t.Helper()
	s := &stage{T: t, repo: repo, server: server}
	s.open(change...)
	t.Cleanup(s.close)
	return s
}

// open opens the stage's store, in place of one that was closed.
func (s *stage) open(change ...func(*gogit.Options)) {
	s.Helper()
	options := gogit.Options{
		Repo: s.server.Repo(s.repo), Username: s.server.User, PasswordFile: s.server.PasswordFile(),
		Deadlines: gogit.Deadlines{Header: 5 * time.Second, Stall: 5 * time.Second, Poll: 10 * time.Second, Fetch: 20 * time.Second, Push: 20 * time.Second},
	}
	for _, f := range change {
		f(&options)
	}
	store, err := gogit.Open(s.Context(), options)
	if err != nil {
		s.Fatalf("open: %v", err)
	}
	s.store = store
}

func (s *stage) close() {
	s.Helper()
	if err := s.store.Close(); err != nil {
		s.Errorf("close: %v", err)
	}
}

// inCache keeps the store's objects in a new directory.
func inCache(t *testing.T) func(*gogit.Options) {
	dir := filepath.Join(t.TempDir(), "cache")
	return func(o *gogit.Options) { o.CacheDir = dir }
}

// impatient shortens every deadline that waits for a server. A busy machine may
// miss them too.
func impatient(o *gogit.Options) {
	o.Deadlines = gogit.Deadlines{Header: 500 * time.Millisecond, Stall: 500 * time.Millisecond, Poll: 5 * time.Second, Fetch: time.Minute, Push: time.Minute}
}

func (s *stage) snapshot() gitstore.Snapshot {
	s.Helper()
	snap, err := s.store.Snapshot(s.Context(), "main")
	if err != nil {
		s.Fatalf("snapshot: %v", err)
	}
	if got, want := string(snap.Rev()), s.repo.Tip(); got != want {
		s.Fatalf("snapshot: got %s, want the tip %s", got, want)
	}
	return snap
}

var bot = gitstore.Person{Name: "towpath", Email: "towpath@example.com"}

// push adds one commit that says a number in two files.
func (s *stage) push(base gitstore.Snapshot, n int) (gitstore.Snapshot, error) {
	return s.store.Push(s.Context(), "main", base, gitstore.Commit{
		Message: fmt.Sprintf("ours %d", n),
		Author:  bot,
		When:    time.Date(2026, 2, 3, 4, 5, n, 0, time.UTC),
		Edits: []gitstore.Edit{
			{Path: "app/stream.yaml", Content: fmt.Appendf(nil, "status: %d\n", n)},
			{Path: "app/deploy.yaml", Content: fmt.Appendf(nil, "image: %d\n", n)},
		},
	})
}

func (s *stage) mustPush(base gitstore.Snapshot, n int) gitstore.Snapshot {
	s.Helper()
	tip, err := s.push(base, n)
	if err != nil {
		s.Fatalf("push: %v", err)
	}
	if got := string(tip.Rev()); got != s.repo.Tip() {
		s.Fatalf("push: got %s, but the tip is %s", got, s.repo.Tip())
	}
	return tip
}

// wantError checks that an error is of one of the kinds, has a next step, and
// tells no secret.
func (s *stage) wantError(err error, kinds ...gitstore.Kind) *gitstore.Error {
	s.Helper()
	var e *gitstore.Error
	if !errors.As(err, &e) {
		s.Fatalf("got %v, want a *gitstore.Error of kind %v", err, kinds)
	}
	if !slices.Contains(kinds, e.Kind) {
		s.Errorf("got %s: %v, want %v", e.Kind, e, kinds)
	}
	if e.What == "" || e.Fix == "" {
		s.Errorf("an error without a next step: %+v", e)
	}
	if text := fmt.Sprintf("%v %+v %s", e, *e, e.Fix); s.server.Password() != "" && strings.Contains(text, s.server.Password()) {
		s.Errorf("an error tells the password: %v", e)
	}
	return e
}

// wantLog compares subjects, newest first, and checks that the repository is
// sound.
func (s *stage) wantLog(want ...string) {
	s.Helper()
	if diff := cmp.Diff(want, s.repo.Log("%s")); diff != "" {
		s.Errorf("log (-want +got)\n%s", diff)
	}
	s.repo.Fsck()
}

// wantFiles checks that a snapshot has the blobs of the repository's tip, and
// that each of them can be read.
func (s *stage) wantFiles(snap gitstore.Snapshot) {
	s.Helper()
	changes, err := snap.Changes(s.Context(), nil)
	if err != nil {
		s.Fatalf("changes: %v", err)
	}
	var got []string
	for _, c := range changes {
		content, err := snap.Read(s.Context(), c.New.Blob)
		if err != nil {
			s.Fatalf("read %s: %v", c.Path, err)
		}
		if id := plumbing.ComputeHash(plumbing.BlobObject, content).String(); id != string(c.New.Blob) {
			s.Errorf("read %s: got the content of %s, want %s", c.Path, id, c.New.Blob)
		}
		got = append(got, fmt.Sprintf("%s\t%s", c.New.Blob, c.Path))
	}
	want := strings.Split(s.repo.Git("ls-tree", "-r", "--format=%(objectname)%x09%(path)", "main"), "\n")
	if diff := cmp.Diff(want, got); diff != "" {
		s.Errorf("files (-want +got)\n%s", diff)
	}
}

// walk lists every file below a directory.
func walk(t *testing.T, dir string) []string {
	t.Helper()
	var paths []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			paths = append(paths, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return paths
}
