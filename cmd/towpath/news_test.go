package main

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/towpath/towpath/gitstore"
	"github.com/towpath/towpath/imagestream"
	"github.com/towpath/towpath/notify"
	"github.com/towpath/towpath/reconcile"
	"github.com/towpath/towpath/registry"
)

var (
	noon   = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	webRef = imagestream.TagRef{Stream: imagestream.Name{Namespace: "team1", Name: "web"}, Tag: "stable"}
)

// brief is an event in a line.
func brief(events []notify.Event) string {
	var lines []string
	for _, e := range events {
		lines = append(lines, strings.TrimSuffix(strings.TrimPrefix(e.Type, "dev.towpath."), ".v1")+" "+e.Subject)
	}
	return strings.Join(lines, "; ")
}

func TestEventsOfProposals(t *testing.T) {
	move := reconcile.Move{Tag: webRef, Image: "sha256:two", Path: "streams/web.yaml"}
	state := func(s reconcile.ReviewState, did string) reconcile.Report {
		return reconcile.Report{Rev: "b", At: noon, Proposals: []reconcile.Reviewed{{Branch: "towpath/main/web", Number: 12, State: s, Did: did, Moves: []reconcile.Move{move}}}}
	}
	nothing := reconcile.Report{Rev: "a"}
	for name, tt := range map[string]struct {
		was, is reconcile.Report
		want    string
	}{
		"opened":                      {nothing, state(reconcile.UnderReview, "opened"), "proposal.opened towpath/main/web"},
		"open since before the start": {reconcile.Report{}, state(reconcile.UnderReview, ""), ""},
		"updated":                     {state(reconcile.UnderReview, ""), state(reconcile.UnderReview, "updated"), ""},
		"merged":                      {state(reconcile.UnderReview, ""), state(reconcile.Merged, "merged"), "proposal.merged towpath/main/web"},
		"rejected":                    {state(reconcile.UnderReview, ""), state(reconcile.Rejected, "rejected"), "proposal.rejected towpath/main/web"},
		"its branch was deleted":      {state(reconcile.UnderReview, ""), state(reconcile.Rejected, "closed"), "proposal.rejected towpath/main/web"},
		"rejected before":             {state(reconcile.Rejected, ""), state(reconcile.Rejected, ""), ""},
		"closed by towpath":           {state(reconcile.UnderReview, ""), state(reconcile.Withdrawn, "closed"), "proposal.closed towpath/main/web"},
		"pushed without a forge":      {nothing, state(reconcile.Pushed, "pushed"), "proposal.opened towpath/main/web"},
		"pushed again":                {state(reconcile.Pushed, ""), state(reconcile.Pushed, "pushed"), ""},
		"waits":                       {nothing, state(reconcile.InLine, ""), ""},
	} {
		if got := brief(eventsOf(tt.was, tt.is, &reconcile.Catalog{})); got != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
		tt.is.Cut = true
		if got := brief(eventsOf(tt.was, tt.is, &reconcile.Catalog{})); got != "" {
			t.Errorf("%s, but the pass broke off: %q", name, got)
		}
	}
}

// Of a merge that people changed, only what the branch has is told.
func TestEventsOfMerges(t *testing.T) {
	change := someChange("web", "quay.io/team1/web@sha256:"+strings.Repeat("2", 64))
	site := *change.Site
	site.Places[0].Value = change.Writes()
	other := *someChange("side", "side:1").Site
	other.Path = "deploy/other.yaml"
	cat := &reconcile.Catalog{Sites: []*reconcile.Site{&site, &other}}
	digest := "sha256:" + strings.Repeat("2", 64)
	is := reconcile.Report{Rev: "b", At: noon, Proposals: []reconcile.Reviewed{{
		Branch: "towpath/main/web", Number: 12, State: reconcile.Merged, Did: "merged", Moves: []reconcile.Move{
			{Tag: webRef, Image: digest, Path: site.Path, Site: site.ID.String()}, {Tag: webRef, Image: digest, Path: other.Path, Site: other.ID.String()},
		},
	}}}
	events := eventsOf(reconcile.Report{Rev: "a"}, is, cat)
	if got, want := brief(events), "proposal.merged towpath/main/web; site.followed deploy/web.yaml"; got != want {
		t.Fatalf("%q, want %q", got, want)
	}
	if d := events[1].Data.(notify.SiteFollowed); d.Proposal != 12 || d.Commit != "b" || d.Image != change.Writes() {
		t.Errorf("%+v", d)
	}
}

func TestEventsOfHolds(t *testing.T) {
	at := func(path string, why reconcile.HoldReason) reconcile.Hold {
		h := reconcile.Hold{Change: someChange("web", "web:1"), Why: why, By: "c"}
		h.Change.Site.Path = path
		return h
	}
	report := func(hs ...reconcile.Hold) reconcile.Report { return reconcile.Report{Rev: "a", At: noon, Held: hs} }
	paused := report(at("a.yaml", reconcile.TakenBack))
	paused.Paused = true
	for name, tt := range map[string]struct {
		was, is reconcile.Report
		want    string
	}{
		"the start":                       {reconcile.Report{}, report(at("a.yaml", reconcile.TakenBack)), ""},
		"it begins":                       {report(), report(at("a.yaml", reconcile.TakenBack)), "site.held a.yaml"},
		"it lasts":                        {report(at("a.yaml", reconcile.TakenBack)), report(at("a.yaml", reconcile.TakenBack)), ""},
		"for another reason":              {report(at("a.yaml", reconcile.TakenBack)), report(at("a.yaml", reconcile.LeftOut)), "site.held a.yaml"},
		"one more":                        {report(at("a.yaml", reconcile.TakenBack)), report(at("a.yaml", reconcile.TakenBack), at("b.yaml", reconcile.TakenBack)), "site.held b.yaml"},
		"its file has another name":       {report(at("a.yaml", reconcile.TakenBack)), report(at("b.yaml", reconcile.TakenBack)), ""},
		"another name, and one more":      {report(at("a.yaml", reconcile.TakenBack)), report(at("b.yaml", reconcile.TakenBack), at("c.yaml", reconcile.TakenBack)), "site.held c.yaml"},
		"it ends":                         {report(at("a.yaml", reconcile.TakenBack)), report(), ""},
		"nobody looks while it is paused": {report(), paused, ""},
	} {
		if got := brief(eventsOf(tt.was, tt.is, &reconcile.Catalog{})); got != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}

// What commits have is told of the commit, also where another pass planned the like and failed.
func TestEventsOfCommits(t *testing.T) {
	write := func(kind reconcile.CommitKind, subject string, sites ...reconcile.SiteChange) reconcile.Write {
		return reconcile.Write{Kind: kind, Commit: gitstore.Commit{Message: subject + "\n\nmore"}, Sites: sites}
	}
	status := write(reconcile.StatusCommit, "record")
	stream := &reconcile.Stream{Document: imagestream.Document{Name: webRef.Stream, Status: imagestream.Status{Tags: []imagestream.TagStatus{
		{Tag: "old", Items: []imagestream.Item{{Image: "sha256:one", Reference: "r@sha256:one"}}},
		{Tag: "bad", Items: []imagestream.Item{{Image: "sha256:one", Reference: "r@sha256:one"}}, Failure: &imagestream.Failure{Reason: "NotFound"}},
	}}}}
	item := func(image string) *imagestream.Item { return &imagestream.Item{Image: image, Reference: "r@" + image} }
	status.Streams = []reconcile.StatusChange{{Stream: stream, Events: []imagestream.Event{
		{Tag: "new", Item: item("sha256:two"), Source: &imagestream.Source{From: "quay.io/team1/web:new"}, Clear: true},
		{Tag: "old", Item: item("sha256:one"), Clear: true}, // its source alone
		{Tag: "bad", Item: item("sha256:two"), Clear: true},
		{Tag: "worse", Failure: &imagestream.Failure{Reason: "Forbidden"}},
	}}}
	is := reconcile.Report{Rev: "a", At: noon,
		Planned: []reconcile.Write{write(reconcile.StatusCommit, "did not land", someChange("side", "side:9")), status, write(reconcile.TriggerCommit, "follow", someChange("web", "web:1"))},
		Commits: []reconcile.Landed{{Rev: "c1", Kind: reconcile.StatusCommit, Subject: "record"}, {Rev: "c2", Kind: reconcile.TriggerCommit, Subject: "follow"}},
	}
	events := eventsOf(reconcile.Report{}, is, &reconcile.Catalog{})
	want := "image.recorded team1/web:new; image.recorded team1/web:bad; import.recovered team1/web:bad; import.failing team1/web:worse; site.followed deploy/web.yaml"
	if got := brief(events); got != want {
		t.Fatalf("%q, want %q", got, want)
	}
	first := notify.ImageRecorded{Stream: "team1/web", Tag: "team1/web:new", Image: "sha256:two", Reference: "r@sha256:two", Source: "quay.io/team1/web:new", Commit: "c1"}
	if diff := cmp.Diff(notify.Data(first), events[0].Data); diff != "" {
		t.Error(diff)
	}
	if d := events[1].Data.(notify.ImageRecorded); d.Previous != "sha256:one" {
		t.Errorf("the previous image is %q", d.Previous)
	}
	if d := events[4].Data.(notify.SiteFollowed); d.Commit != "c2" || d.Image != "web:1" || d.Previous != "web:0" {
		t.Errorf("%+v", d)
	}
	is.Idle = true
	if got := brief(eventsOf(reconcile.Report{}, is, &reconcile.Catalog{})); got != "" {
		t.Errorf("an idle pass tells %q", got)
	}
}

// A failure counts at once where it does not pass by itself, and after a while where it may.
func TestLasts(t *testing.T) {
	for _, tt := range []struct {
		kind registry.Kind
		ago  time.Duration
		want bool
	}{
		{registry.NotFound, 0, true}, {registry.Unreachable, time.Minute, false}, {registry.Unreachable, time.Hour, true}, {registry.RateLimited, 0, false},
	} {
		f := reconcile.Failing{Tag: webRef, Err: &registry.Error{Kind: tt.kind}, Since: noon.Add(-tt.ago)}
		if got := lasts(f, noon, time.Hour); got != tt.want {
			t.Errorf("%s since %v: %v", tt.kind, tt.ago, got)
		}
	}
}

func TestWorthOf(t *testing.T) {
	failing := []reconcile.Failing{
		{Tag: webRef, Err: &registry.Error{Kind: registry.NotFound}, Since: noon}, {Tag: webRef, Err: &registry.Error{Kind: registry.Unreachable}, Since: noon},
	}
	for _, tt := range []struct {
		is   reconcile.Report
		want string
	}{
		{reconcile.Report{Tags: 40, Sites: 1}, "success: 40 tags, 1 site"},
		{reconcile.Report{Tags: 40, Sites: 1, Held: make(reconcile.Held, 2)}, "success: 40 tags, 1 site, 2 held"},
		{reconcile.Report{Failing: failing}, "failure: 1 tag failing"},
		{reconcile.Report{Failing: failing, Problems: []imagestream.Problem{{}, {Note: true}, {}}}, "failure: 2 problems, 1 tag failing"},
		{reconcile.Report{Invalid: true, Problems: make([]imagestream.Problem, 1)}, "failure: .towpath.yaml is not right: nothing is written"},
		{reconcile.Report{Waits: errors.New("no")}, "pending: not written yet"},
		{reconcile.Report{Waits: gitstore.ErrMoved}, "success: 0 tags, 0 sites"},
		{reconcile.Report{Paused: true}, "success: paused: nothing is asked or written"},
		{reconcile.Report{Idle: true}, ""}, {reconcile.Report{Cut: true}, ""},
		{reconcile.Report{Commits: []reconcile.Landed{{Rev: "newer"}}}, ""},
		{reconcile.Report{Commits: []reconcile.Landed{{Rev: "older"}, {Rev: "a"}}}, "success: 0 tags, 0 sites"},
	} {
		tt.is.Rev, tt.is.At = "a", noon
		got := ""
		if w, ok := worthOf(tt.is); ok {
			got = w.State + ": " + w.Words
		}
		if got != tt.want {
			t.Errorf("%+v: %q, want %q", tt.is, got, tt.want)
		}
	}
}
