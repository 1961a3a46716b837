package config

import "testing"

func TestDirectory(t *testing.T) {
	r, problems := ParseRepository([]byte(`version: 1
registry:
  host: registry.example.com:443
  streams:
    "*": all/{namespace}/{namespace}-streams
    team-*: tenants
    team-a: .
`))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	if got := r.Registry(); got != "registry.example.com" {
		t.Errorf("host %q", got)
	}
	for namespace, want := range map[string]struct {
		dir  string
		line int
	}{
		"web":    {"all/web/web-streams", 5},
		"team-b": {"tenants", 6},
		"team-a": {".", 7},
		"..":     {}, "a/b": {}, "": {}, "A": {}, "a_b": {},
	} {
		dir, ok := r.Directory(namespace)
		if line := r.DirectoryLine(namespace); dir != want.dir || ok != (want.dir != "") || line != want.line {
			t.Errorf("%q: %q, %v, line %d; want %q, line %d", namespace, dir, ok, line, want.dir, want.line)
		}
	}
	var none *Repository
	if _, ok := none.Directory("web"); ok || none.Registry() != "" {
		t.Error("without the file there is a registry")
	}
}
