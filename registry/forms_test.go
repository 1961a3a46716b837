package registry_test

import (
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"

	"github.com/towpath/towpath/internal/seeds"
	"github.com/towpath/towpath/registry"
)

// forms are those of the distribution specification and of DNS, and what takes them.
var forms = []struct {
	name  string
	form  *regexp.Regexp
	taken func(string) bool
}{
	{"a tag", regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$`), registry.ValidTag},
	{"a part of a path", regexp.MustCompile(`^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$`), func(s string) bool {
		_, err := registry.ParseRepo("quay.io/" + s)
		return err == nil
	}},
	{"a part of a host", regexp.MustCompile(`^[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?$`), func(s string) bool {
		_, err := registry.ParseHost(s + ".test")
		return err == nil && !strings.Contains(s, ".")
	}},
	{"a port", regexp.MustCompile(`^(?:[1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])$`), func(s string) bool {
		_, err := registry.ParseHost("quay.io:" + s)
		return err == nil
	}},
	{"digits of sha256", regexp.MustCompile(`^[0-9a-f]{64}$`), func(s string) bool { return registry.ValidDigest("sha256:" + s) }},
	{"digits of sha512", regexp.MustCompile(`^[0-9a-f]{128}$`), func(s string) bool { return registry.ValidDigest("sha512:" + s) }},
	{"digits of no algorithm", regexp.MustCompile(`^$.`), func(s string) bool { return registry.ValidDigest("md5:" + s) }},
}

// Law: what is taken is what the forms say, byte for byte.
func TestForms(t *testing.T) {
	seed := seeds.Of(t)
	rng := rand.New(rand.NewPCG(seed, 1))
	const ends = "az09AZ"
	alphabets := []string{"az09", "az09", "0123456789abcdef", "0123456789", "azAZ059_-", "a._-", "a0f-_. \n\x00\u212A\u0435"}
	lengths := []int{0, 1, 1, 2, 3, 4, 5, 6, 63, 64, 65, 127, 128, 129}
	for range 20_000 {
		alphabet := alphabets[rng.IntN(len(alphabets))]
		text := make([]byte, lengths[rng.IntN(len(lengths))])
		for i := range text {
			text[i] = alphabet[rng.IntN(len(alphabet))]
		}
		if len(text) > 0 && rng.IntN(2) == 0 {
			text[0], text[len(text)-1] = ends[rng.IntN(len(ends))], ends[rng.IntN(len(ends))]
		}
		for _, f := range forms {
			if got, want := f.taken(string(text)), f.form.Match(text); got != want {
				t.Fatalf("%q is %s: got %t, want %t (seed %d)", text, f.name, got, want, seed)
			}
		}
	}
}

// Law: a reference is canonical if its text is read as itself.
func TestCanonical(t *testing.T) {
	seed := seeds.Of(t)
	rng := rand.New(rand.NewPCG(seed, 2))
	pick := func(of ...string) string { return of[rng.IntN(len(of))] }
	canonical := 0
	for range 50_000 {
		r := registry.Ref{
			Repo: registry.Repo{
				Host: pick("docker.io", "docker.io", "quay.io", "quay.io:443", "localhost", "localhost:5000", "host", "[::1]:80", "[::01]", "127.0.0.1",
					"index.docker.io", "QUAY.io", "", "a/b", "quay.io/", "u@quay.io", "https://quay.io", "0x7f.1"),
				Path: pick("web", "team1/web", "team1/web", "library/web", "a/b/c/d", "", "/", "team1//web", "team1/web/", "Web", "web:v1", "web@"+sha256,
					strings.Repeat("a", 243), strings.Repeat("a/", 121)+"aa", strings.Repeat("a", 255)),
			},
			Tag:    pick("", "", "v1", "v1", "latest", "-v1", "v1@"+sha256, "v1:2", "v 1", strings.Repeat("v", 129)),
			Digest: pick("", "", sha256, sha256, sha512, "sha256:0", "md5:", "v1"),
		}
		read, err := registry.ParseRef(r.String())
		if got, want := r.IsCanonical(), err == nil && read == r; got != want {
			t.Fatalf("%#v: got %t, want %t (seed %d)", r, got, want, seed)
		}
		repo, err := registry.ParseRepo(r.Repo.String())
		if got, want := r.Repo.IsCanonical(), err == nil && repo == r.Repo; got != want {
			t.Fatalf("%#v: got %t, want %t (seed %d)", r.Repo, got, want, seed)
		}
		if r.IsCanonical() {
			canonical++
		}
	}
	if canonical < 1000 {
		t.Errorf("only %d were canonical", canonical)
	}
}
