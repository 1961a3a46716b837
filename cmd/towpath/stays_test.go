package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/towpath/towpath/gitstore"
	"github.com/towpath/towpath/reconcile"
)

// Of very many sites that stay alike, the first ten are told in full, and the others counted;
// one alone is never counted.
func TestManyStays(t *testing.T) {
	noon := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	holds := func(n int, rev, subject string, why reconcile.HoldReason) (held reconcile.Held) {
		for i := range n {
			held = append(held, reconcile.Hold{Change: someChange(fmt.Sprint("c", i), "web:1"), Why: why, By: gitstore.Rev(rev), About: gitstore.About{Subject: subject}})
		}
		return held
	}
	held := append(holds(2000, "ee759201234567", "back to\x1b 1.4", reconcile.TakenBack), holds(11, "ffffffffffffff", "other", reconcile.TakenBack)...)
	held = append(held, holds(12, "", "", reconcile.TooLong)...)
	lines := heldLines(held)
	if got, want := len(lines), 11+11+11; got != want {
		t.Fatalf("%d lines, want %d:\n%s", got, want, strings.Join(lines, "\n"))
	}
	for i, want := range map[int]string{
		9:  "held: deploy/web.yaml:9: Deployment team1/web, container c9 follows team1/web:stable, but commit ee75920123 (back to� 1.4) took web:1 back; it stays until the tag moves",
		10: "held: and 1,990 more: taken back by commit ee75920123 (back to� 1.4)",
		21: "held: deploy/web.yaml:9: Deployment team1/web, container c10 follows team1/web:stable, but commit ffffffffff (other) took web:1 back; it stays until the tag moves",
		32: "held: and 2 more: too long",
	} {
		if diff := cmp.Diff(want, lines[i]); diff != "" {
			t.Errorf("line %d (-want +got):\n%s", i, diff)
		}
	}

	rep := reconcile.Report{Held: held}
	for i := range 12 {
		c := someChange(fmt.Sprint("d", i), "web:1")
		rep.Deferred = append(rep.Deferred, reconcile.Deferred{Change: c, Why: "its window is closed", Until: noon})
		rep.Unresolved = append(rep.Unresolved, reconcile.Unresolved{Site: c.Site, Why: "there is none"})
	}
	for _, c := range []struct {
		lines []string
		want  string
	}{
		{deferredLines(rep.Deferred), "deferred: and 2 more until 2026-05-01T12:00:00Z: its window is closed"},
		{leftAloneLines(rep.Unresolved), "left alone: and 2 more: there is none"},
	} {
		if got := c.lines[len(c.lines)-1]; len(c.lines) != 11 || got != c.want {
			t.Errorf("%d lines, the last\n%s\nwant\n%s", len(c.lines), got, c.want)
		}
	}
	if page := linesOf(rep, nil); len(page) != 33+11+11 {
		t.Errorf("the page has %d lines", len(page))
	}
	if p := planOf(rep, &reconcile.Catalog{}); len(p.Held) != len(held) || len(p.Deferred) != 12 || len(p.Unresolved) != 12 {
		t.Errorf("JSON is not whole: %d, %d, %d", len(p.Held), len(p.Deferred), len(p.Unresolved))
	}

	for _, c := range []struct {
		rep  reconcile.Report
		want string
	}{
		{reconcile.Report{}, ""},
		{rep, "2,023 sites are held, 12 deferred, 12 left alone: towpath status --sites says why\n"},
		{reconcile.Report{Deferred: rep.Deferred[:1]}, "1 site is deferred: towpath status --sites says why\n"},
	} {
		var b strings.Builder
		if printStays(&b, c.rep); b.String() != c.want {
			t.Errorf("got %q, want %q", b.String(), c.want)
		}
	}
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567"} {
		if got := thousands(n); got != want {
			t.Errorf("%d is %s", n, got)
		}
	}
}
