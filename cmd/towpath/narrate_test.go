package main

import (
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/towpath/towpath/gitstore"
	"github.com/towpath/towpath/imagestream"
	"github.com/towpath/towpath/reconcile"
	"github.com/towpath/towpath/trigger"
)

// someChange gives a container an image.
func someChange(container, image string) reconcile.SiteChange {
	s := &reconcile.Site{Path: "deploy/web.yaml", Site: trigger.Site{
		ID: trigger.ID{Kind: "Deployment", Namespace: "team1", Name: "web", Container: container}, Line: 9,
		Follows: imagestream.TagRef{Stream: imagestream.Name{Namespace: "team1", Name: "web"}, Tag: "stable"},
		Places:  []trigger.Place{{Part: trigger.Ref, Value: "web:0"}},
	}}
	return reconcile.SiteChange{Site: s, Image: trigger.ParseImage(image)}
}

// What lasts is said when it begins and when it ends, and not in each pass.
func TestNarrateSites(t *testing.T) {
	var out strings.Builder
	log := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey || a.Key == slog.LevelKey {
			return slog.Attr{}
		}
		return a
	}}))
	paused := someChange("web", "web:1").Site
	paused.Path, paused.Paused = "b.yaml", true
	catalog := &reconcile.Catalog{Sites: []*reconcile.Site{paused, someChange("web", "web:1").Site, someChange("side", "side:2").Site}}
	n := narrator{log: log, said: map[string]bool{}, told: map[string]bool{}, catalog: func() *reconcile.Catalog { return catalog }}
	noon := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	by := gitstore.Rev(strings.Repeat("5f0c", 10))
	about := gitstore.About{Subject: "back to \x1b[31m1.4"}
	hold := func(why reconcile.HoldReason) reconcile.Hold {
		return reconcile.Hold{Change: someChange("web", "web:1"), Why: why, By: by, About: about}
	}
	at := func(path string, why reconcile.HoldReason) reconcile.Hold {
		h := hold(why)
		h.Change.Site.Path = path
		return h
	}
	flip := hold(reconcile.FlipFlop)
	flip.Until = noon
	for _, pass := range []struct {
		what string
		rep  reconcile.Report
		want string
	}{
		{"nothing", reconcile.Report{}, ""},
		{"a hold begins", reconcile.Report{Held: reconcile.Held{hold(reconcile.TakenBack)}},
			`msg="held: a person took this image back" path=deploy/web.yaml site="Deployment team1/web, container web" tag=team1/web:stable image=web:1 commit=5f0c5f0c5f subject="back to \x1b[31m1.4"`},
		{"it lasts", reconcile.Report{Held: reconcile.Held{hold(reconcile.TakenBack)}}, ""},
		{"an idle pass", reconcile.Report{Idle: true}, ""},
		{"another reason, and one that waits", reconcile.Report{Held: reconcile.Held{flip}, Deferred: []reconcile.Deferred{{Change: someChange("side", "side:2"), Why: "its window is closed", Until: noon}}},
			`msg="held: this site got the same image three times within a day" path=deploy/web.yaml site="Deployment team1/web, container web" tag=team1/web:stable image=web:1 commit=5f0c5f0c5f subject="back to \x1b[31m1.4" until=2026-05-01T12:00:00.000Z
msg="deferred: this site moves later" path=deploy/web.yaml site="Deployment team1/web, container side" tag=team1/web:stable image=side:2 why="its window is closed" until=2026-05-01T12:00:00.000Z`},
		{"nothing is written at all", reconcile.Report{Paused: true}, `msg="paused: .towpath.yaml says so; nothing is asked or written"`},
		{"nor while .towpath.yaml is wrong", reconcile.Report{Invalid: true}, `msg="nothing is written until .towpath.yaml is right"`},
		{"the pass breaks off", reconcile.Report{Cut: true, Err: errors.New("the server is away"), Held: reconcile.Held{flip}, Deferred: []reconcile.Deferred{{Change: someChange("side", "side:2"), Why: "its window is closed", Until: noon}}},
			`msg="the pass broke off" err="the server is away"`},
		{"the pushes are spent", reconcile.Report{Waits: reconcile.ErrThrottled, Held: reconcile.Held{flip}, Deferred: []reconcile.Deferred{{Change: someChange("side", "side:2"), Why: "its window is closed", Until: noon}}},
			`msg="not written" err="the pushes of this hour are spent; what moved goes into one later push" fix="wait: it is written as soon as the hour allows; or raise limits: {pushes-per-hour: …} in the operator's config"`},
		{"all is well", reconcile.Report{}, `msg="no longer deferred" path=deploy/web.yaml site="Deployment team1/web, container side" tag=team1/web:stable
msg="no longer held" path=deploy/web.yaml site="Deployment team1/web, container web" tag=team1/web:stable`},
		{"and stays well", reconcile.Report{}, ""},
		{"two are held", reconcile.Report{Held: reconcile.Held{at("a.yaml", reconcile.TooLong), at("b.yaml", reconcile.Changed)}},
			`msg="held: the history is too long, or cut off, to tell whether a person took this image back" path=a.yaml site="Deployment team1/web, container web" tag=team1/web:stable image=web:1 commit=5f0c5f0c5f subject="back to \x1b[31m1.4"
msg="held: a person changed this site after its tag had come to this image" path=b.yaml site="Deployment team1/web, container web" tag=team1/web:stable image=web:1 commit=5f0c5f0c5f subject="back to \x1b[31m1.4"`},
		{"a file gets another name", reconcile.Report{Held: reconcile.Held{at("c.yaml", reconcile.TooLong), at("b.yaml", reconcile.Changed)}},
			`msg="still held: its file has another name" path=c.yaml was=a.yaml site="Deployment team1/web, container web"`},
		{"one is paused, and the other gone", reconcile.Report{},
			`msg="no longer held: it is paused" path=b.yaml site="Deployment team1/web, container web" tag=team1/web:stable
msg="no longer held: it is gone" path=c.yaml site="Deployment team1/web, container web" tag=team1/web:stable`},
	} {
		out.Reset()
		n.pass(pass.rep)
		if d := cmp.Diff(pass.want, strings.TrimSpace(out.String())); d != "" {
			t.Errorf("%s (-want +got):\n%s", pass.what, d)
		}
	}
}

// Each reason has a sentence that says what happened, and what ends it.
func TestHeldLines(t *testing.T) {
	noon := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	by, about := gitstore.Rev(strings.Repeat("5f0c", 10)), gitstore.About{Subject: "back\x1b"}
	for _, c := range []struct {
		hold reconcile.Hold
		want string
	}{
		{reconcile.Hold{Why: reconcile.TakenBack, By: by, About: about}, "commit 5f0c5f0c5f (back�) took web:1 back; it stays until the tag moves"},
		{reconcile.Hold{Why: reconcile.LeftOut, By: by, About: about}, "commit 5f0c5f0c5f (back�) moved others to web:1, and left this one out; it stays until the tag moves"},
		{reconcile.Hold{Why: reconcile.Changed, By: by, About: about}, "commit 5f0c5f0c5f (back�) changed it after its tag had come to web:1; it stays until the tag moves"},
		{reconcile.Hold{Why: reconcile.FlipFlop, By: by, About: about, Until: noon}, "was given web:1 three times within a day, and lost it last by commit 5f0c5f0c5f (back�); it stays until 2026-05-01T12:00:00Z, or until the tag moves"},
		{reconcile.Hold{Why: reconcile.FlipFlop}, "was given web:1 three times within a day; it stays until the tag moves"},
		{reconcile.Hold{Why: reconcile.TooLong}, "the history is too long, or cut off, to tell whether a person took web:1 back; raise hold-depth, or decide it with towpath follow --resume"},
	} {
		c.hold.Change = someChange("web", "web:1")
		want := "deploy/web.yaml:9: Deployment team1/web, container web follows team1/web:stable, but " + c.want
		if got := heldLine(c.hold); got != want {
			t.Errorf("%s:\ngot  %s\nwant %s", c.hold.Why, got, want)
		}
	}
}
