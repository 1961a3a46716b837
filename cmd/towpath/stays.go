package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/towpath/towpath/gitstore"
	"github.com/towpath/towpath/reconcile"
)

// Sites that stay as they are, in lines.

// fewOf is how many of many alike are told in full.
const fewOf = 10

// few are a line for each of the first of those that are alike, and one for the others.
func few[T any](all []T, alike func(T) string, line func(T) string, more func(n string, one T) string) []string {
	count := map[string]int{}
	for _, one := range all {
		count[alike(one)]++
	}
	var lines []string
	told := map[string]int{}
	for _, one := range all {
		key := alike(one)
		told[key]++
		switch left := count[key] - fewOf; {
		case told[key] <= fewOf || left == 1:
			lines = append(lines, line(one))
		case told[key] == count[key]:
			lines = append(lines, more(thousands(left), one))
		}
	}
	return lines
}

// thousands is a number as people read it: 1,990.
func thousands(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func heldLines(held reconcile.Held) []string {
	alike := func(h reconcile.Hold) string { return string(h.By) + h.URL + string(h.Why) }
	return few(held, alike, func(h reconcile.Hold) string { return "held: " + heldLine(h) }, func(n string, h reconcile.Hold) string {
		return fmt.Sprintf("held: and %s more: %s%s", n, h.Why, byWords(h.By, h.About)+byPage(h.URL))
	})
}

func byWords(by gitstore.Rev, about gitstore.About) string {
	if by == "" {
		return ""
	}
	return " by " + commitWords(by, about)
}

func deferredLines(ds []reconcile.Deferred) []string {
	alike := func(d reconcile.Deferred) string { return d.Why + d.Until.String() }
	return few(ds, alike, func(d reconcile.Deferred) string { return "deferred: " + deferredLine(d) }, func(n string, d reconcile.Deferred) string {
		return fmt.Sprintf("deferred: and %s more%s: %s", n, tillWords(d.Until), printable(d.Why))
	})
}

func leftAloneLines(us []reconcile.Unresolved) []string {
	return few(us, func(u reconcile.Unresolved) string { return u.Why }, func(u reconcile.Unresolved) string { return "left alone: " + leftAloneLine(u) }, func(n string, u reconcile.Unresolved) string {
		return fmt.Sprintf("left alone: and %s more: %s", n, printable(u.Why))
	})
}

// printStays says in a line how many sites a command that moves others has left as they
// are, where there are any: that nothing has moved is no answer.
func printStays(w io.Writer, rep reconcile.Report) {
	var parts []string
	for _, p := range []struct {
		n    int
		what string
	}{{len(rep.Held), "held"}, {len(rep.Deferred), "deferred"}, {len(rep.Unresolved), "left alone"}} {
		switch {
		case p.n == 0:
		case len(parts) > 0:
			parts = append(parts, fmt.Sprintf("%s %s", thousands(p.n), p.what))
		default:
			parts = append(parts, sitesAre(p.n)+" "+p.what)
		}
	}
	if len(parts) > 0 {
		fmt.Fprintf(w, "%s: towpath status --sites says why\n", strings.Join(parts, ", "))
	}
}

// sitesAre is "1 site is", "2,000 sites are".
func sitesAre(n int) string {
	if n == 1 {
		return "1 site is"
	}
	return thousands(n) + " sites are"
}

// pausedLine says how many sites follow nothing for now; empty where none is paused by
// itself or by a rule.
func pausedLine(cat *reconcile.Catalog) string {
	n := 0
	for _, s := range cat.Sites {
		if s.Paused {
			n++
		}
	}
	if n == 0 || cat.Config.Paused() {
		return ""
	}
	return sitesAre(n) + " paused, by themselves or by a rule: towpath status --sites says which"
}
