package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/towpath/towpath/registry/integrated"
)

// prunedShown is how many images of a repository are listed; JSON has all.
const prunedShown = 20

// A tally is how many images go, and by which rules the others stay.
type tally struct {
	goes, stay int
	by         map[integrated.Rule]int
}

func (t *tally) add(v integrated.Verdict) {
	if v.Goes {
		t.goes++
		return
	}
	if t.by == nil {
		t.by = map[integrated.Rule]int{}
	}
	t.stay++
	t.by[v.Rule]++
}

func tallyOf(r integrated.PruneReport) (t tally) {
	for _, v := range r.Verdicts {
		t.add(v)
	}
	return t
}

// kept says why images stay: 12 current, 3 young.
func (t tally) kept() string {
	rules := slices.SortedFunc(maps.Keys(t.by), func(a, b integrated.Rule) int {
		return cmp.Or(cmp.Compare(t.by[b], t.by[a]), cmp.Compare(a, b))
	})
	var parts []string
	for _, rule := range rules {
		parts = append(parts, fmt.Sprintf("%d %s", t.by[rule], rule))
	}
	if len(parts) == 0 {
		return ""
	}
	return " (" + strings.Join(parts, ", ") + ")"
}

// printPrune lists repositories of which something goes, and sums up the rest.
func printPrune(w io.Writer, r integrated.PruneReport) {
	var untouched tally
	repositories := 0
	for rest := r.Verdicts; len(rest) > 0; {
		n := slices.IndexFunc(rest, func(v integrated.Verdict) bool { return v.Repository != rest[0].Repository })
		if n < 0 {
			n = len(rest)
		}
		mine := rest[:n]
		rest = rest[n:]
		if slices.ContainsFunc(mine, func(v integrated.Verdict) bool { return v.Goes }) {
			printPruned(w, mine, r.Done)
			continue
		}
		repositories++
		for _, v := range mine {
			untouched.add(v)
		}
	}
	if repositories > 0 {
		what := "1 repository"
		if repositories > 1 {
			what = fmt.Sprintf("%d repositories", repositories)
		}
		fmt.Fprintf(w, "nothing of %s: %s stay%s\n", what, count(untouched.stay, "image"), untouched.kept())
	}
	all := tallyOf(r)
	if r.Done {
		fmt.Fprintf(w, "deleted: %s and %s, %s\n", count(all.goes, "image"), count(r.Blobs, "blob"), bytesOf(r.Freed))
		return
	}
	fmt.Fprintf(w, "would delete: %s and %s, %s\n", count(all.goes, "image"), count(r.Blobs, "blob"), bytesOf(r.Freed))
	if r.Blobs > 0 || all.goes > 0 {
		fmt.Fprintln(w, "nothing was deleted; --confirm does it")
	}
}

// printPruned lists what goes of one repository.
func printPruned(w io.Writer, verdicts []integrated.Verdict, done bool) {
	var t tally
	for _, v := range verdicts {
		t.add(v)
	}
	goes := "would go"
	if done {
		goes = "went"
	}
	fmt.Fprintf(w, "%s: %s %s, %d stay%s\n", printable(verdicts[0].Repository), count(t.goes, "image"), goes, t.stay, t.kept())
	table := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	shown := 0
	for _, v := range verdicts {
		if !v.Goes {
			continue
		}
		if shown++; shown > prunedShown {
			break
		}
		fmt.Fprintf(table, "  %s\t%s\t%s\n", printable(shortDigest(v.Digest)), v.Stored.UTC().Format("2006-01-02"), printable(v.Why))
	}
	table.Flush()
	if more := t.goes - prunedShown; more > 0 {
		fmt.Fprintf(w, "  and %d more; -o json lists all\n", more)
	}
}

// bytesOf is a size for people.
func bytesOf(n int64) string {
	if n < 1<<10 {
		return count(int(n), "byte")
	}
	size, unit := float64(n), ""
	for _, unit = range []string{"KiB", "MiB", "GiB", "TiB"} {
		if size /= 1 << 10; size < 1<<10 {
			break
		}
	}
	return fmt.Sprintf("%.1f %s", size, unit)
}
