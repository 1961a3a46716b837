package remote

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/towpath/towpath/registry"
)

func repo(t *testing.T, written string) registry.Repo {
	t.Helper()
	r, err := registry.ParseRepo(written)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestSources(t *testing.T) {
	ms, err := newMirrors([]Mirror{
		{Prefix: "docker.io", At: []string{"mirror.test"}},
		{Prefix: "index.docker.io/library", At: []string{"mirror.test:5000/hub", "docker.io/copies"}},
		{Prefix: "quay.io/a/b", At: []string{"mirror.test", "mirror.test/x"}},
		{Prefix: "ghcr.io", At: []string{"mirror.test/ghcr"}, Only: true},
		{Prefix: "ghcr.io/only", At: []string{"mirror.test"}, Only: true},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		repo     string
		upstream bool
		want     []string
	}{
		{"redis", false, []string{"mirror.test:5000/hub/redis", "docker.io/copies/redis", "docker.io/library/redis"}},
		{"redis", true, []string{"docker.io/library/redis"}},
		{"team1/web", false, []string{"mirror.test/team1/web", "docker.io/team1/web"}},
		{"libraryx/web", false, []string{"mirror.test/libraryx/web", "docker.io/libraryx/web"}},
		{"quay.io/a/b/c/d", false, []string{"mirror.test/c/d", "mirror.test/x/c/d", "quay.io/a/b/c/d"}},
		{"quay.io/a/b", false, []string{"mirror.test/x", "quay.io/a/b"}}, // mirror.test alone is no repository
		{"quay.io/a/bc", false, []string{"quay.io/a/bc"}},
		{"quay.io:443/a/b/c", false, []string{"mirror.test/c", "mirror.test/x/c", "quay.io/a/b/c"}},
		{"quay.io:444/a/b/c", false, []string{"quay.io:444/a/b/c"}}, // another server: nothing is said of it
		{"ghcr.io/a", false, []string{"mirror.test/ghcr/a"}},
		{"ghcr.io/a", true, []string{"mirror.test/ghcr/a"}},
		{"ghcr.io/only/a", true, []string{"mirror.test/a"}},
		{"ghcr.io/only", false, nil},
		{"ghcr.io/only", true, nil},
		{"mirror.test/a", false, []string{"mirror.test/a"}},
	} {
		var got []string
		for i, s := range ms.sources(registry.On{Upstream: c.upstream}, repo(t, c.repo)) {
			got = append(got, s.repo.String())
			if itself := s.repo == repo(t, c.repo); itself != (s.mirror == "") {
				t.Errorf("%s: source %d is said to be the mirror %q", c.repo, i, s.mirror)
			}
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s, upstream %t (-want +got):\n%s", c.repo, c.upstream, diff)
		}
	}
}

func TestAreas(t *testing.T) {
	for _, c := range []struct {
		entry, repo      string
		allowed, blocked bool
	}{
		{"quay.io", "quay.io/a", true, true},
		{"QUAY.IO", "quay.io/a", true, true},
		{"quay.io", "quay.io:443/a", true, true},
		{"quay.io", "quay.io:80/a", true, true},
		{"quay.io", "quay.io:5000/a", false, true},
		{"quay.io:5000", "quay.io:5000/a", true, true},
		{"quay.io:5000", "quay.io/a", false, false},
		{"quay.io:443", "quay.io/a", true, true},
		{"quay.io", "sub.quay.io/a", false, false},
		{"quay.io", "quay.io.evil.test/a", false, false},
		{"quay.io", "evilquay.io/a", false, false},
		{"quay.io/team1", "quay.io/team1", true, true},
		{"quay.io/team1", "quay.io/team1/web", true, true},
		{"quay.io/team1", "quay.io/team10/web", false, false},
		{"quay.io/team1", "quay.io/team2/web", false, false},
		{"*.example.com", "a.example.com/x", true, true},
		{"*.example.com", "a.b.example.com/x", true, true},
		{"*.example.com", "example.com/x", false, false},
		{"*.example.com", "evilexample.com/x", false, false},
		{"*.example.com", "a.example.com:5000/x", false, true},
		{"*.example.com:5000", "a.example.com:5000/x", true, true},
		{"*.example.com/team1", "a.example.com/team1/x", true, true},
		{"*.example.com/team1", "a.example.com/team2/x", false, false},
		{"docker.io/library", "redis", true, true},
		{"index.docker.io", "registry-1.docker.io/a/b", true, true},
		{"docker.io/library", "team1/web", false, false},
		{"docker.io", "registry-1.docker.io:443/library/x", true, true},
		{"index.docker.io:443/library", "x", true, true},
		{"docker.io", "docker.io:444/library/x", false, true},
		{"[::1]:5000", "[0::1]:5000/a", true, true},
		{"[::1]", "[::1]:5000/a", false, true},
	} {
		only, err := newReach([]string{c.entry}, nil)
		if err != nil {
			t.Fatal(err)
		}
		never, err := newReach(nil, []string{c.entry})
		if err != nil {
			t.Fatal(err)
		}
		if got := only.check(repo(t, c.repo)) == nil; got != c.allowed {
			t.Errorf("%s allows %s: %t, want %t", c.entry, c.repo, got, c.allowed)
		}
		if got := never.check(repo(t, c.repo)) != nil; got != c.blocked {
			t.Errorf("%s blocks %s: %t, want %t", c.entry, c.repo, got, c.blocked)
		}
	}
}

// After its rest one question finds out for all whether a mirror is back.
func TestResting(t *testing.T) {
	r := resting{log: quiet, until: map[string]time.Time{}}
	now := time.Now()
	a := source{repo: registry.Repo{Host: "a", Path: "x"}, mirror: "a"}
	down := &unreachedError{at("https", "a"), errors.New("down")}
	expect := func(when string, want ...bool) {
		t.Helper()
		for i, w := range want {
			if got := r.ready("a", now); got != w {
				t.Errorf("%s: question %d may ask: %t, want %t", when, i, got, w)
			}
		}
	}
	expect("at first", true, true)
	r.note(a, down, now)
	expect("when it went down", false, false)
	now = now.Add(mirrorRest)
	expect("after its rest", true, false, false)
	r.note(a, down, now)
	expect("still down", false)
	now = now.Add(mirrorRest)
	expect("after another rest", true, false)
	r.note(a, context.Canceled, now)
	expect("given up", true, false)
	r.note(a, &failure{kind: registry.NotFound, status: 404}, now) // it answers
	expect("back", true, true)
	r.note(a, &unreachedError{at("https", "b"), errors.New("down")}, now) // that it redirected to
	expect("leading to another", true, true)
	if !r.ready("b", now) {
		t.Error("another mirror rests, too")
	}
}
