package hooks

import (
	"strings"
	"testing"
)

// Of every kind people learn its name, and where its address goes.
func TestAbout(t *testing.T) {
	const url = "https://hooks.example/hooks/kind/token"
	for _, kind := range Kinds() {
		title, setUp := About(kind, url)
		if title == "" || !strings.Contains(strings.Join(setUp, "\n"), url) {
			t.Errorf("%s: %q\n%s", kind, title, strings.Join(setUp, "\n"))
		}
	}
	if title, setUp := About("none", url); title != "" || setUp != nil {
		t.Errorf("an unknown kind is %q, %q", title, setUp)
	}
}
