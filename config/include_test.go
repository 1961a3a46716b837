package config

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func parsed(t *testing.T, lines ...string) *Repository {
	t.Helper()
	r, problems := ParseRepository([]byte("version: 1\n" + strings.Join(lines, "\n") + "\n"))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	return r
}

// The line that has a file read keeps all that was read before, and is right as it stands.
func TestIncluding(t *testing.T) {
	for _, c := range []struct {
		config []string
		path   string
		want   string
	}{
		{nil, ".env", `include: ["**/*.{yaml,yml,json}", "**/{Dockerfile,Containerfile}*", ".env"]`},
		{[]string{`include: ["a/*.yaml"]`}, "b/main.tf", `include: ["a/*.yaml", "b/main.tf"]`},
		{[]string{`include: [".env"]`, `exclude: [".env"]`}, ".env", `include: [".env"]`},
		{nil, "a[1]{x}*.env", `include: ["**/*.{yaml,yml,json}", "**/{Dockerfile,Containerfile}*", "a\\[1\\]\\{x\\}\\*.env"]`},
	} {
		before := parsed(t, c.config...)
		got := before.Including(c.path)
		if got != c.want {
			t.Errorf("%s in %q:\ngot  %s\nwant %s", c.path, c.config, got, c.want)
		}
		after := parsed(t, got)
		for _, path := range []string{c.path, "x/deploy.yaml", "a/b.yaml", "Dockerfile"} {
			if want := path == c.path || before.Included(path); after.Included(path) != want {
				t.Errorf("%s: %s is read: %t, want %t", got, path, after.Included(path), want)
			}
		}
	}
}

// What .towpath.yaml says of no file is noted, with its place.
func TestIdle(t *testing.T) {
	r := parsed(t,
		`exclude: ["old/**"]`,
		"rules:",
		`- {paths: ["apps/**"], paused: true}`,
		`- {paths: ["app/**"], paused: true}`,
		`- {paths: ["old/**"], paused: true}`,
		`- {namespaces: [nowhere], paused: true}`,
		"follow:",
		`- {paths: ["charts/*/values.json", "x.json"], field: a, from: "web:1"}`,
		`- {paths: ["chart/*/values.json"], field: a, from: "web:1"}`,
		`- {paths: ["old/*.json"], field: a, from: "web:1"}`,
	)
	var got []string
	for _, p := range r.Idle([]string{"apps/web.yaml", "charts/web/values.json", "old/a.json", "app/README"}) {
		if !p.Note || p.Fix == "" {
			t.Errorf("%+v", p)
		}
		got = append(got, p.String())
	}
	want := []string{
		".towpath.yaml:5:3: the rule is for nothing: no file that is read fits app/**",
		".towpath.yaml:6:3: the rule is for nothing: no file that is read fits old/**",
		".towpath.yaml:10:3: nothing follows by this entry: no file that is read fits chart/*/values.json",
		".towpath.yaml:11:3: nothing follows by this entry: no file that is read fits old/*.json",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if notes := (*Repository)(nil).Idle(nil); notes != nil {
		t.Error(notes)
	}
}

// Days are a unit of annotations alone: the file says what to write in their place.
func TestDaysInHours(t *testing.T) {
	_, problems := ParseRepository([]byte("version: 1\ndefaults: {min-age: 3d}\n"))
	if len(problems) != 1 || problems[0].Fix != "there are no days here: write 72h" {
		t.Errorf("%+v", problems)
	}
	_, problems = ParseRepository([]byte("version: 1\ndefaults: {min-age: three}\n"))
	if len(problems) != 1 || problems[0].Fix != "write a number with its unit, such as 90s, 15m or 72h" {
		t.Errorf("%+v", problems)
	}
}
