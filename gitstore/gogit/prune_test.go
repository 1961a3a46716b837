package gogit

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/towpath/towpath/gitstore/gittest"
	"github.com/towpath/towpath/internal/seeds"
)

// Of a pack with large files all else is kept, as git made it. What is left out are the
// files over the limit, and what git sends as a difference to one of them.
//
// fault: C-09
func TestLawPrune(t *testing.T) {
	t.Parallel()
	const limit = 20_000
	seed := seeds.Of(t)
	random := rand.New(rand.NewPCG(seed, 0))
	left := map[bool]int{}
	for _, window := range []string{"--window=10", "--window=1"} { // with 1, deltas of deltas
		r := gittest.NewRepo(t, map[string]string{"web.yaml": "stream\n"})
		pack, want := packOf(t, r, window, related(random, 30), limit)
		limits := Options{Limits: Limits{Object: limit}}.withDefaults().Limits
		for kind, o := range shelvesOf(t, limits) {
			if err := o.receive(t.Context(), bytes.NewReader(pack), limits, false); err != nil {
				t.Fatalf("%s: %v", kind, err)
			}
			for id, keep := range want {
				left[keep]++
				if got := o.has(plumbing.NewHash(id)); got != keep {
					t.Errorf("%s: %s is kept: %t, want %t", kind, id, got, keep)
				}
				if raw, err := o.read(plumbing.BlobObject, plumbing.NewHash(id)); keep && (err != nil || hashOf(plumbing.BlobObject, raw).String() != id) {
					t.Errorf("%s: %s holds %d bytes of something else, %v", kind, id, len(raw), err)
				}
			}
		}
		c, err := checkPack(t.Context(), bytes.NewReader(pack), limits)
		if err != nil {
			t.Fatal(err)
		}
		var pruned bytes.Buffer
		if err := c.prune(bytes.NewReader(pack), &pruned); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "x.pack")
		if err := os.WriteFile(path, pruned.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		r.Git("index-pack", "--strict", path)
	}
	if left[true] < 10 || left[false] < 10 {
		t.Errorf("objects kept and not: %v, want many of both", left)
	}
}

// related makes families of texts that begin alike; in some of them all are small.
func related(random *rand.Rand, n int) []string {
	var texts []string
	for range n {
		lines := make([]string, 1+random.IntN(2000))
		for i := range lines {
			lines[i] = fmt.Sprintf("%d %x\n", i, random.Uint64())
		}
		for range 1 + random.IntN(8) {
			text := strings.Join(lines[:random.IntN(len(lines))], "")
			texts = append(texts, fmt.Sprint(text, random.Uint64(), strings.Repeat("x", random.IntN(300))))
		}
	}
	return texts
}

// packOf lets git pack texts, and tells of each by its id whether it is to be kept.
func packOf(t *testing.T, r *gittest.Repo, window string, texts []string, limit int) (pack []byte, keep map[string]bool) {
	t.Helper()
	var names strings.Builder
	for _, text := range texts {
		fmt.Fprintln(&names, r.Blob(text), "name.yaml")
	}
	base := filepath.Join(t.TempDir(), "made")
	file := base + "-" + r.GitInput(names.String(), "pack-objects", "-q", "--delta-base-offset", window, base)
	pack, err := os.ReadFile(file + ".pack")
	if err != nil {
		t.Fatal(err)
	}
	keep = map[string]bool{}
	size := map[string]int{}
	for line := range strings.Lines(r.GitInput(names.String(), "cat-file", "--batch-check=%(objectname) %(objectsize) %(rest)")) {
		f := strings.Fields(line)
		size[f[0]], _ = strconv.Atoi(f[1])
	}
	for line := range strings.Lines(r.Git("verify-pack", "-v", file+".idx")) { // a base before its deltas
		f := strings.Fields(line)
		if len(f) >= 5 && f[1] == "blob" {
			keep[f[0]] = size[f[0]] <= limit && (len(f) < 7 || keep[f[6]])
		}
	}
	return pack, keep
}
