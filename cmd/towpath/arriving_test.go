package main

import (
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/towpath/towpath/reconcile"
	"github.com/towpath/towpath/registry"
)

func somePush(tag, why, fix string) reconcile.Awaiting {
	return reconcile.Awaiting{Arrival: registry.Arrival{Namespace: "team1", Name: "web", Tag: tag, Digest: "sha256:" + strings.Repeat("d8", 32), At: time.Unix(1_700_000_000, 0)}, Why: why, Fix: fix}
}

// A push that waits is told once, and again when the reason is another.
func TestNarrateArrivals(t *testing.T) {
	var out strings.Builder
	n := narrator{log: slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey || a.Key == "image" {
			return slog.Attr{}
		}
		return a
	}})), said: map[string]bool{}, told: map[string]bool{}}
	review, fixed := somePush("1", "it is for people to review", ""), somePush("1", "it is imported", "remove from:")
	for _, pass := range []struct {
		what string
		rep  reconcile.Report
		want string
	}{
		{"it begins", reconcile.Report{Arrivals: []reconcile.Awaiting{review}}, `level=INFO msg="a push is not on record" tag=team1/web:1 why="it is for people to review"`},
		{"it lasts", reconcile.Report{Arrivals: []reconcile.Awaiting{review}}, ""},
		{"an idle pass", reconcile.Report{Idle: true, Arrivals: []reconcile.Awaiting{review}}, ""},
		{"another reason", reconcile.Report{Arrivals: []reconcile.Awaiting{fixed}}, `level=WARN msg="a push is not on record" tag=team1/web:1 why="it is imported" fix="remove from:"`},
		{"the storage is away", reconcile.Report{Arrivals: []reconcile.Awaiting{fixed}, ArrivalsErr: errors.New("input/output error")},
			`level=WARN msg="what was pushed cannot be read" err="input/output error" fix="see that the storage of the registry can be read and written"`},
		{"all is well", reconcile.Report{}, ""},
		{"once more", reconcile.Report{Arrivals: []reconcile.Awaiting{review}}, `level=INFO msg="a push is not on record" tag=team1/web:1 why="it is for people to review"`},
	} {
		out.Reset()
		n.pass(pass.rep)
		if d := cmp.Diff(pass.want, strings.TrimSpace(out.String())); d != "" {
			t.Errorf("%s (-want +got):\n%s", pass.what, d)
		}
	}
}

// The page says what waits, why, and whose move it is; of many a few.
func TestArrivalLines(t *testing.T) {
	rep := reconcile.Report{ArrivalsErr: errors.New("input/output error\x1b[2J"), Arrivals: []reconcile.Awaiting{somePush("1", "it is imported", "remove from:")}}
	got := strings.Join(linesOf(rep, nil), "\n")
	want := `pushed: team1/web:1 (sha256:d8d8d8d8d8d8) is not on record: it is imported
  fix: remove from:
what was pushed cannot be read: input/output error` + "\ufffd" + `[2J
  fix: see that the storage of the registry can be read and written`
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	for range 1000 {
		rep.Arrivals = append(rep.Arrivals, somePush("2", "it is for people to review", ""))
	}
	if lines := linesOf(rep, nil); len(lines) > 30 {
		t.Errorf("%d lines of 1,001 pushes", len(lines))
	}
}
