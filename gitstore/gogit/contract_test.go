package gogit_test

import (
	"errors"
	"fmt"
	"log/slog"
	"testing"

	"github.com/towpath/towpath/gitstore"
	"github.com/towpath/towpath/gitstore/gittest"
	"github.com/towpath/towpath/gitstore/gogit"
	"github.com/towpath/towpath/gitstore/storetest"
)

// open opens a store that lives as long as the test.
func open(t *testing.T, o gogit.Options) *gogit.Store {
	t.Helper()
	if o.Logger == nil {
		o.Logger = slog.New(slog.NewTextHandler(t.Output(), nil))
	}
	s, err := gogit.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// served is a store over a repository behind a server.
func served(t *testing.T, r *gittest.Repo, cacheDir string) (*gittest.Server, *gogit.Store) {
	t.Helper()
	srv := gittest.Serve(t, r)
	return srv, open(t, gogit.Options{
		Repo: srv.Repo(r), CacheDir: cacheDir, Username: srv.User, TokenFile: srv.PasswordFile(),
	})
}

// filters lets a repository's servers leave out files, as the hosted ones do.
func filters(r *gittest.Repo) { r.Git("config", "uploadpack.allowFilter", "true") }

// refuse lets a hook say no to one branch.
func refuse(r *gittest.Repo) func(branch string) (allow func()) {
	return func(branch string) func() {
		r.Hook("update", fmt.Sprintf(`if [ "$1" = "refs/heads/%s" ]; then echo not that one >&2; exit 1; fi`, branch))
		return func() { r.Hook("update", "") }
	}
}

// lineCut hangs up on the next push.
func lineCut(srv *gittest.Server) func(landed bool) {
	return func(landed bool) {
		fault := gittest.Cut(0, 1)
		if !landed {
			hungUp := make(chan struct{})
			close(hungUp)
			fault = gittest.Hang(hungUp)
		}
		srv.Fail(1, gittest.Push, fault)
	}
}

// killed ends the server's process in the next push.
func killed(r *gittest.Repo) func(landed bool) {
	return func(landed bool) {
		for name, last := range map[string]bool{"post-receive": true, "pre-receive": false} {
			if last == landed {
				r.Hook(name, "rm $0; kill -9 $PPID")
			}
		}
	}
}

func TestContract(t *testing.T) {
	t.Parallel()
	t.Run("http in memory", func(t *testing.T) {
		storetest.Test(t, func(t *testing.T, files map[string]string) storetest.Fixture {
			r := gittest.NewRepo(t, files)
			srv, s := served(t, r, "")
			return storetest.Fixture{Store: s, World: storetest.Git(r), Lose: lineCut(srv), Refuse: refuse(r)}
		})
	})
	t.Run("http with a cache", func(t *testing.T) {
		storetest.Test(t, func(t *testing.T, files map[string]string) storetest.Fixture {
			r := gittest.NewRepo(t, files)
			srv, s := served(t, r, t.TempDir())
			return storetest.Fixture{Store: s, World: storetest.Git(r), Lose: lineCut(srv), Refuse: refuse(r)}
		})
	})
	t.Run("http with filters", func(t *testing.T) {
		storetest.Fetches(t, func(t *testing.T, files map[string]string) storetest.Fixture {
			r := gittest.NewRepo(t, files)
			filters(r)
			srv, s := served(t, r, t.TempDir())
			return storetest.Fixture{Store: s, World: storetest.Git(r), Lose: lineCut(srv), Refuse: refuse(r)}
		})
	})
	t.Run("local", func(t *testing.T) {
		storetest.Test(t, func(t *testing.T, files map[string]string) storetest.Fixture {
			r := gittest.NewRepo(t, files)
			return storetest.Fixture{Store: open(t, gogit.Options{Repo: r.Dir}), World: storetest.Git(r)}
		})
	})
}

// wantKind wants an error of a kind with a next step, or none where the kind
// is empty.
func wantKind(t *testing.T, err error, want gitstore.Kind) *gitstore.Error {
	t.Helper()
	var e *gitstore.Error
	switch {
	case want == "" && err == nil:
	case want == "":
		t.Fatalf("got %v, want no error", err)
	case !errors.As(err, &e):
		t.Fatalf("got %v, want a *gitstore.Error of kind %s", err, want)
	case e.Kind != want:
		t.Errorf("got %s (%v), want %s", e.Kind, e, want)
	case e.Fix == "" || e.Repo == "":
		t.Errorf("an error without a next step or a repository: %+v", e)
	}
	return e
}
