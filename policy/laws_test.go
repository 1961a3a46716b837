package policy

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/Masterminds/semver/v3"
	"github.com/google/go-cmp/cmp"

	"github.com/towpath/towpath/internal/seeds"
)

// newRand is seeded as TOWPATH_SEED says.
func newRand(t *testing.T) *rand.Rand {
	seed := seeds.Of(t)
	return rand.New(rand.NewPCG(seed, 0))
}

// A world is a policy, a repository, and what its images say; all of it made up.
type world struct {
	p     *Policy
	tags  []string
	facts map[string]Facts
}

func newWorld(t *testing.T, rnd *rand.Rand) world {
	one := func(all ...string) string { return all[rnd.IntN(len(all))] }
	lines := []string{one("semver:*", "semver:>=1 <2", "semver:>=1.0.0-0", "newest", "alphabetical:asc", "alphabetical:desc", "numerical:asc", "numerical:desc")}
	switch one("", "", "match", "extract") {
	case "match":
		lines = append(lines, "match: ^[v0-9]")
	case "extract":
		lines = append(lines, "match: ^v?([0-9].*)$")
		if lines[0] != "newest" {
			lines = append(lines, "extract: $1")
		}
	}
	for _, more := range []string{"ignore: 3", "min-age: 10h", "platforms: linux/amd64"} {
		if rnd.IntN(3) == 0 {
			lines = append(lines, more)
		}
	}
	w := world{parse(t, lines...), nil, map[string]Facts{}}
	for range rnd.IntN(70) {
		w.add(rnd, "")
	}
	if _, listed := w.facts[absent]; !listed {
		w.facts[absent] = Facts{Gone: true}
	}
	return w
}

// add makes up a tag, or takes the one that is given.
func (w *world) add(rnd *rand.Rand, tag string) string {
	if tag == "" {
		tag = madeUp(rnd)
	}
	w.tags = append(w.tags, tag)
	if _, ok := w.facts[tag]; ok {
		return tag
	}
	f := Facts{Created: now.Add(-time.Duration(rnd.IntN(30)) * time.Hour), Platforms: []string{"linux/amd64"}}
	switch rnd.IntN(12) {
	case 0:
		f.Created = time.Unix(0, 0)
	case 1:
		f.Gone = true
	case 2:
		f.Platforms = nil
	case 3:
		f.Created = now.Add(48 * time.Hour)
	}
	w.facts[tag] = f
	return tag
}

func madeUp(rnd *rand.Rand) string {
	n := func() int { return rnd.IntN(4) }
	switch rnd.IntN(4) {
	case 0:
		return fmt.Sprintf("%d.%d.%d", n(), n(), n())
	case 1:
		return fmt.Sprintf("v%d.%d.%d-%c.%d", n(), n(), n(), 'a'+n(), n())
	case 2:
		return fmt.Sprintf("%d", rnd.IntN(40))
	}
	return fmt.Sprintf("%c%d", 'u'+n(), n())
}

func (w world) choose(t *testing.T, current string) Choice {
	t.Helper()
	c, asked := choose(t, w.p.Shortlist(w.tags), current, w.facts)
	if most := maxLooked; w.p.order != (ages{}) && len(slices.Concat(asked...)) > most {
		t.Fatalf("%d images were asked for", len(slices.Concat(asked...)))
	}
	return c
}

// lower reports whether a comes behind b.
func (w world) lower(t *testing.T, a, b string) bool {
	t.Helper()
	if w.p.order == (ages{}) {
		return w.facts[a].Created.Before(w.facts[b].Created)
	}
	ca, _ := w.p.admit(a)
	cb, _ := w.p.admit(b)
	if ca.rank == nil || cb.rank == nil {
		return ca.rank == nil && cb.rank != nil
	}
	return w.p.order.compare(ca.rank, cb.rank) < 0
}

func (w world) print(t *testing.T) {
	t.Helper()
	var b strings.Builder
	for _, tag := range w.tags {
		fmt.Fprintf(&b, " %s", tag)
	}
	t.Fatalf("%s of%s", w.p, b.String())
}

const (
	worlds = 800
	absent = "1.1.1" // what is on record, whether it is listed or not
)

// The order of a list, and what it says twice, does not matter.
func TestLawShuffle(t *testing.T) {
	rnd := newRand(t)
	for range worlds {
		w := newWorld(t, rnd)
		want := w.choose(t, absent)
		rnd.Shuffle(len(w.tags), func(i, j int) { w.tags[i], w.tags[j] = w.tags[j], w.tags[i] })
		if diff := cmp.Diff(want, w.choose(t, absent)); diff != "" {
			t.Errorf("want - got +\n%s", diff)
			w.print(t)
		}
	}
}

// A choice stands: with it on record, the same list gives it again.
func TestLawSettles(t *testing.T) {
	rnd := newRand(t)
	for range worlds {
		w := newWorld(t, rnd)
		first := w.choose(t, "")
		if second := w.choose(t, first.Tag); first.Tag != second.Tag {
			t.Errorf("%q, then %q: %s", first.Tag, second.Tag, second.Why)
			w.print(t)
		}
		if first.Tag != "" && !slices.Contains(w.tags, first.Tag) {
			t.Errorf("%q is not listed", first.Tag)
		}
	}
}

// Tags that are lower than the choice change nothing.
func TestLawLowerTags(t *testing.T) {
	rnd := newRand(t)
	for range worlds {
		w := newWorld(t, rnd)
		current := ""
		if rnd.IntN(2) == 0 {
			current = w.add(rnd, "")
		}
		want := w.choose(t, current)
		if want.Tag == "" {
			continue
		}
		for range 20 {
			tag := madeUp(rnd)
			if _, ok := w.facts[tag]; ok {
				continue
			}
			if w.add(rnd, tag); !w.lower(t, tag, want.Tag) {
				w.tags = w.tags[:len(w.tags)-1]
				delete(w.facts, tag)
			}
		}
		if got := w.choose(t, current); got.Tag != want.Tag {
			t.Errorf("%q, now %q: %s", want.Tag, got.Tag, got.Why)
			w.print(t)
		}
	}
}

// However much of a list is missing, the choice never falls below the tag on record.
func TestLawNeverLower(t *testing.T) {
	rnd := newRand(t)
	for range worlds {
		w := newWorld(t, rnd)
		current := w.choose(t, "").Tag
		if current == "" {
			continue
		}
		for range 5 {
			short := w
			short.tags = slices.DeleteFunc(slices.Clone(w.tags), func(string) bool { return rnd.IntN(3) == 0 })
			if rnd.IntN(4) == 0 { // it may be deleted, too
				short.facts = map[string]Facts{}
				for tag, f := range w.facts {
					short.facts[tag] = f
				}
				short.facts[current] = Facts{Gone: true}
				short.tags = slices.DeleteFunc(short.tags, func(tag string) bool { return tag == current })
			}
			if got := short.choose(t, current); got.Tag == "" || w.lower(t, got.Tag, current) {
				t.Errorf("from %q to %q: %s", current, got.Tag, got.Why)
				short.print(t)
			}
		}
		none := w
		none.tags = nil
		if got := none.choose(t, current); got.Tag != current {
			t.Errorf("an empty list gave %q for %q", got.Tag, current)
		}
	}
}

// A choice tells what it passed over in the order that it promises.
func TestLawPassed(t *testing.T) {
	rnd := newRand(t)
	for range worlds {
		w := newWorld(t, rnd)
		c := w.choose(t, absent)
		if len(c.Passed) != min(c.PassedOver, maxPassed) || c.Why == "" || strings.HasSuffix(c.Why, ".") {
			t.Errorf("%+v", c)
			w.print(t)
		}
		seen := map[string]bool{}
		for _, r := range c.Passed {
			if seen[r.Tag] || r.Why == "" || r.Tag == c.Tag || !slices.Contains(w.tags, r.Tag) {
				t.Errorf("%q for %q: %+v", r, c.Tag, c.Passed)
				w.print(t)
			}
			seen[r.Tag] = true
		}
	}
}

// Versions compare as the specification and Flux's library have them.
func TestVersionsCompareLikeSemver(t *testing.T) {
	rnd := newRand(t)
	part := func() string {
		return []string{"0", "1", "9", "10", "11", "a", "b", "a1", "-", "rc", "0a"}[rnd.IntN(11)]
	}
	o := parse(t, "semver:>=0.0.0-0").order
	version := func() string {
		text := fmt.Sprintf("%d.%d.%d", rnd.IntN(2), rnd.IntN(2), rnd.IntN(2))
		for i := range rnd.IntN(4) {
			text += []string{"-", "."}[min(i, 1)] + part()
		}
		return text
	}
	for range 20_000 {
		a, b := version(), version()
		ra, _ := o.read(a)
		rb, _ := o.read(b)
		if got, want := o.compare(ra, rb), semver.MustParse(a).Compare(semver.MustParse(b)); got != want {
			t.Fatalf("%s and %s: got %d, want %d", a, b, got, want)
		}
	}
}

func FuzzShortlist(f *testing.F) {
	f.Add(0, "1.0.0 v1.1.0 1.2.0-rc.1 latest", "1.0.0", true)
	f.Add(1, "main-1 main-2", "", false)
	f.Add(2, "7 8 07 1e3 0x1p4 nan", "9", true)
	f.Add(3, "b1_2 b1_3", "b1_2", false)
	policies := [][]string{
		{"semver:>=1 <2"}, {"newest", "min-age: 10h"}, {"numerical:asc"},
		{"numerical:desc", "match: ^b([0-9]+)_([0-9]+)", "extract: $1.$2"},
		{"alphabetical", "ignore: [02468]$", "platforms: linux/amd64"},
	}
	f.Fuzz(func(t *testing.T, which int, list, current string, good bool) {
		w := world{parse(t, policies[uint(which)%uint(len(policies))]...), strings.Fields(list), map[string]Facts{}}
		if len(w.tags) > 500 {
			return
		}
		for i, tag := range append(slices.Clone(w.tags), current) {
			w.facts[tag] = Facts{Created: now.Add(-time.Duration(i) * time.Hour), Platforms: []string{"linux/amd64"}, Gone: !good && i%2 == 0}
		}
		c := w.choose(t, current)
		if c.Tag != "" && c.Tag != current && !slices.Contains(w.tags, c.Tag) {
			t.Fatalf("%q is neither listed nor on record", c.Tag)
		}
		if held, ours := w.p.admit(current); ours && held.refused == "" && c.Tag != "" && w.p.order != (ages{}) && w.lower(t, c.Tag, current) {
			t.Fatalf("%q falls below %q", c.Tag, current)
		}
		for _, text := range append([]string{c.Tag, c.Why}, c.reasons()...) {
			if printableOnly(text) != text {
				t.Fatalf("not printable: %q", text)
			}
		}
		slices.Reverse(w.tags)
		if diff := cmp.Diff(c, w.choose(t, current)); diff != "" && w.p.order != (ages{}) {
			t.Fatalf("the other way around:\n%s", diff)
		}
	})
}

func (c Choice) reasons() (all []string) {
	for _, r := range c.Passed {
		all = append(all, r.Tag, r.Why)
	}
	return all
}
