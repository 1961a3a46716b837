package gogit

import (
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/towpath/towpath/gitstore/gittest"
)

// What is remembered of branches goes with them, and with the objects that it was read from.
func TestLastForgets(t *testing.T) {
	r := gittest.NewRepo(t, map[string]string{"a": "1"})
	srv := gittest.Serve(t, r)
	s, err := Open(t.Context(), Options{
		Repo: srv.Repo(r), Username: srv.User, PasswordFile: srv.PasswordFile(), Logger: slog.New(slog.NewTextHandler(t.Output(), nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	read := func(branch string) {
		t.Helper()
		if _, err := s.Snapshot(t.Context(), branch); err != nil {
			t.Fatal(err)
		}
	}
	want := func(refs ...string) {
		t.Helper()
		if diff := cmp.Diff(refs, slices.Sorted(maps.Keys(s.last))); diff != "" {
			t.Errorf("remembered (-want +got)\n%s", diff)
		}
	}
	read("main")
	for i := range 3 {
		branch := fmt.Sprintf("towpath/main/%d", i)
		r.CommitOn(branch, map[string]string{"a": fmt.Sprint(i)}, "theirs")
		read(branch)
	}
	r.Point("towpath/main/1", "")
	if _, err := s.Branches(t.Context(), "towpath/main/2"); err != nil {
		t.Fatal(err)
	}
	want("refs/heads/main", "refs/heads/towpath/main/0", "refs/heads/towpath/main/1", "refs/heads/towpath/main/2")
	if _, err := s.Branches(t.Context(), "towpath/"); err != nil {
		t.Fatal(err)
	}
	want("refs/heads/main", "refs/heads/towpath/main/0", "refs/heads/towpath/main/2")
	s.last["refs/heads/main"].objects.broken.Store(true)
	read("main")
	want("refs/heads/main")
}
