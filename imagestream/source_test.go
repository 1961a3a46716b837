package imagestream

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSourceRoundTrip(t *testing.T) {
	for _, line := range []string{
		"quay.io/a/b:1.4.3 Legacy linux/amd64 inputs=5f0c2a1b",
		"redis Legacy linux/arm64/v8 inputs=00000000",
		"quay.io/a/b@" + word("a") + " PreserveOriginal inputs=ffffffff",
		"a/b:1 Legacy linux/amd64 inputs=5f0c2a1b revision=abc source=https://git.test/x version=1.0+2 created=2026-01-02T03:04:05Z",
		"a/b:1 PreserveOriginal inputs=5f0c2a1b version=1.0",
	} {
		s, ok := ParseSource(line)
		if got := s.String(); !ok || got != line {
			t.Errorf("ParseSource(%q).String() = %q, %t", line, got, ok)
		}
	}
	s, ok := ParseSource("a/b:1 Legacy linux/amd64 inputs=5f0c2a1b berth=7 revision=abc revision=def source=@team version seen")
	want := Source{From: "a/b:1", Mode: Legacy, Platform: "linux/amd64", Inputs: "5f0c2a1b", Labels: Labels{Revision: "abc"}}
	if diff := cmp.Diff(want, s); !ok || diff != "" {
		t.Errorf("words of others after the inputs: %t (-want +got):\n%s", ok, diff)
	}
	for _, line := range []string{
		"", "resolved", "a/b:1 Legacy", "a/b:1 Legacy linux/amd64", "a/b:1 Sparse linux/amd64 inputs=5f0c2a1b",
		"a/b:1 Legacy linux/amd64 inputs=5f0c2a1", "a/b:1 Legacy linux/amd64 inputs=5F0C2A1B", "a/b:1 Legacy x y inputs=5f0c2a1b",
	} {
		if s, ok := ParseSource(line); ok {
			t.Errorf("ParseSource(%q) = %v, want nothing", line, s)
		}
	}
}

// TestInputs: each part that decides makes another hash, also when text moves
// from one part to its neighbour.
func TestInputs(t *testing.T) {
	seen := map[string]string{}
	add := func(what, inputs string) {
		t.Helper()
		if other, twice := seen[inputs]; twice {
			t.Errorf("%s and %s have the same inputs %s", what, other, inputs)
		}
		if len(inputs) != 8 {
			t.Errorf("%s: got inputs %q, want eight digits", what, inputs)
		}
		seen[inputs] = what
	}
	f := From{DockerImage, "", "a/b:1"}
	add("from", f.Inputs(Legacy, "linux/amd64"))
	add("other kind", From{ImageStreamTag, "", "a/b:1"}.Inputs(Legacy, "linux/amd64"))
	add("other namespace", From{DockerImage, "n", "a/b:1"}.Inputs(Legacy, "linux/amd64"))
	add("moved", From{DockerImage, "a", "/b:1"}.Inputs(Legacy, "linux/amd64"))
	add("other name", From{DockerImage, "", "a/b:2"}.Inputs(Legacy, "linux/amd64"))
	add("other mode", f.Inputs(PreserveOriginal, "linux/amd64"))
	add("other platform", f.Inputs(Legacy, "linux/arm64"))
	add("more", f.Inputs(Legacy, "linux/amd64", "policy"))
	add("repository", Spec{Repository: "a/b:1"}.Inputs(Legacy, "linux/amd64"))
	if a, b := f.Inputs(Legacy, "linux/amd64"), (From{DockerImage, "", "a/b:1"}).Inputs(Legacy, "linux/amd64"); a != b {
		t.Errorf("same inputs: got %s and %s", a, b)
	}
	// In files since the first version: another hash would ask for everything again.
	if got, want := f.Inputs(Legacy, "linux/amd64"), "36203417"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
