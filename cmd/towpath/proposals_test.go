package main

import (
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/towpath/towpath/forge"
	"github.com/towpath/towpath/imagestream"
	"github.com/towpath/towpath/reconcile"
	"github.com/towpath/towpath/web"
)

// someProposal brings an image to two places and to the record.
func someProposal(state reconcile.ReviewState, did string) reconcile.Reviewed {
	tag := imagestream.TagRef{Stream: imagestream.Name{Namespace: "team1", Name: "web"}, Tag: "prod"}
	move := func(path, site string) reconcile.Move {
		return reconcile.Move{Tag: tag, Image: "sha256:aaa", Path: path, Site: site}
	}
	return reconcile.Reviewed{
		Branch: "towpath/main/web-1f2e", Number: 12, URL: "https://github.com/acme/streams/pull/12", Title: "team1/web:prod 1.4.2 → 1.4.3 (2 sites)",
		State: state, Did: did, Since: time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC),
		Moves: []reconcile.Move{move("streams/web.yaml", ""), move("deploy/a.yaml", "a"), move("deploy/b.yaml", "b")},
	}
}

// What a run did about a proposal, in a line.
func TestDid(t *testing.T) {
	at := func(repo string) venue {
		v, err := venueOf(operatorOf(t, "repo: "+repo+"\nforge: {kind: none}\n"))
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	hub, nowhere := at("https://github.com/acme/streams"), at("/srv/git/streams.git")
	pushed := someProposal(reconcile.Pushed, "pushed")
	pushed.Number, pushed.URL = 0, ""
	closed := someProposal(reconcile.Withdrawn, "closed")
	closed.Why = "it has nothing left to say"
	lab := someProposal(reconcile.UnderReview, "opened")
	lab.URL = "https://gitlab.com/acme/streams/-/merge_requests/12"
	partly := someProposal(reconcile.UnderReview, "opened")
	partly.Why = "left out: there is no reviewer carol"
	no := someProposal(reconcile.Rejected, "rejected")
	no.Why = "somebody closed it"
	hostile := someProposal(reconcile.UnderReview, "opened")
	hostile.Title = "a\nopened #13 \x1b[31mb"
	for _, tt := range []struct {
		name string
		at   venue
		p    reconcile.Reviewed
		want string
	}{
		{"opened", hub, someProposal(reconcile.UnderReview, "opened"), "opened #12 team1/web:prod 1.4.2 → 1.4.3 (2 sites) https://github.com/acme/streams/pull/12"},
		{"at GitLab", hub, lab, "opened !12 team1/web:prod 1.4.2 → 1.4.3 (2 sites) https://gitlab.com/acme/streams/-/merge_requests/12"},
		{"closed", hub, closed, "closed #12 team1/web:prod 1.4.2 → 1.4.3 (2 sites): it has nothing left to say https://github.com/acme/streams/pull/12"},
		{"opened without a reviewer", hub, partly, "opened #12 team1/web:prod 1.4.2 → 1.4.3 (2 sites): left out: there is no reviewer carol https://github.com/acme/streams/pull/12"},
		{"rejected", hub, no, "rejected #12 team1/web:prod 1.4.2 → 1.4.3 (2 sites): somebody closed it https://github.com/acme/streams/pull/12"},
		{"pushed", hub, pushed, "pushed branch towpath/main/web-1f2e: team1/web:prod 1.4.2 → 1.4.3 (2 sites); open a pull request: https://github.com/acme/streams/compare/main...towpath/main/web-1f2e?expand=1"},
		{"pushed to who knows where", nowhere, pushed, "pushed branch towpath/main/web-1f2e: team1/web:prod 1.4.2 → 1.4.3 (2 sites); open a pull request of that branch"},
		{"nothing", hub, someProposal(reconcile.UnderReview, ""), ""},
		{"hostile", hub, hostile, "opened #12 a opened #13 �[31mb https://github.com/acme/streams/pull/12"},
	} {
		if got := tt.at.did(tt.p); got != tt.want {
			t.Errorf("%s:\n got %s\nwant %s", tt.name, got, tt.want)
		}
	}
}

// Below a line of what was done stands what is left to do about it.
func TestDidWithFix(t *testing.T) {
	p := someProposal(reconcile.UnderReview, "opened")
	p.Why, p.Fix = "left out: there is no reviewer carol", "correct reviewers in .towpath.yaml"
	var out strings.Builder
	(&app{}).printDid(&out, reconcile.Report{Proposals: []reconcile.Reviewed{p}})
	want := "opened #12 team1/web:prod 1.4.2 → 1.4.3 (2 sites): left out: there is no reviewer carol https://github.com/acme/streams/pull/12\n  fix: correct reviewers in .towpath.yaml\n"
	if out.String() != want {
		t.Errorf("got %s", out.String())
	}
}

// Of branches whose forge cannot be asked nobody knows what became of them: they do not wait for
// somebody to open a proposal.
func TestForgeAway(t *testing.T) {
	v, err := venueOf(operatorOf(t, "repo: https://github.com/acme/streams\n"))
	if err != nil {
		t.Fatal(err)
	}
	rep := reconcile.Report{
		Proposals: []reconcile.Reviewed{{Branch: "towpath/main/web-1f2e3d4c", State: reconcile.Pushed}},
		ForgeErr:  &forge.Error{Kind: forge.Unauthorized, Forge: "https://api.github.com", What: "the token is refused", Fix: "renew it"},
	}
	s := &survey{cat: &reconcile.Catalog{}, rep: rep}
	s.propose(v.reviewed(rep, nil))
	var out strings.Builder
	s.printRest(&out, false)
	want := "proposal: branch towpath/main/web-1f2e3d4c is pushed: whether a proposal of it is open only the forge knows, and it cannot be asked\n" +
		"the forge cannot be asked about proposals: https://api.github.com: the token is refused\n  fix: renew it\n"
	if d := cmp.Diff(want, out.String()); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if j := surveyOf(s); j.Forge != "https://api.github.com: the token is refused" || j.ForgeFix != "renew it" || j.Proposals[0].URL != "" {
		t.Errorf("got %q, %q, %q", j.Forge, j.ForgeFix, j.Proposals[0].URL)
	}
	rep.ForgeErr = nil
	if p := v.proposals(rep)[0]; p.Why != "" || p.URL == "" {
		t.Errorf("with a forge that answers: %+v", p)
	}
}

// While Git is away nobody asks the forge: that it was away before that is not told any longer.
func TestForgeWhileGitIsAway(t *testing.T) {
	rep := reconcile.Report{ForgeErr: &forge.Error{Kind: forge.Unreachable, Forge: "https://api.github.com", What: "no answer"}}
	if statusOf(rep).Forge == "" {
		t.Error("a forge that is away counts as up")
	}
	rep.Cut = true
	if got := statusOf(rep).Forge; got != "" {
		t.Errorf("got %s", got)
	}
}

// The page says how proposals stand, and why the forge cannot be asked.
func TestProposalsOnThePage(t *testing.T) {
	waiting := someProposal(reconcile.InLine, "")
	waiting.Number, waiting.URL, waiting.Branch = 0, "", "towpath/main/b"
	waiting.Why, waiting.Fix = "20 proposals are open", "merge or close some, or raise max-open"
	rep := reconcile.Report{
		Proposals: []reconcile.Reviewed{someProposal(reconcile.UnderReview, ""), waiting},
		ForgeErr:  &forge.Error{Kind: forge.Unauthorized, Forge: "https://git.example", What: "the token is refused", Fix: "renew it"},
	}
	got := linesOf(rep, venue{}.proposals(rep))
	want := []string{
		"the forge cannot be asked about proposals: https://git.example: the token is refused",
		"  fix: renew it",
		"proposal: #12 is open: team1/web:prod 1.4.2 → 1.4.3 (2 sites) https://github.com/acme/streams/pull/12",
		"proposal: branch towpath/main/b is waiting: team1/web:prod 1.4.2 → 1.4.3 (2 sites): 20 proposals are open",
		"  fix: merge or close some, or raise max-open",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	s := (&teller{r: &reconcile.Reconciler{}, made: time.Now(), took: time.Hour}).pass(rep)
	image := []web.Image{{Tag: "team1/web:prod", Image: "sha256:aaa"}}
	since := time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)
	wantPs := []web.Proposal{
		{Branch: "towpath/main/web-1f2e", Number: 12, URL: "https://github.com/acme/streams/pull/12", Title: waiting.Title, State: "open", Since: since, Tags: image, Sites: 2},
		{Branch: "towpath/main/b", Title: waiting.Title, State: "waiting", Why: waiting.Why, Fix: waiting.Fix, Since: since, Tags: image, Sites: 2},
	}
	if d := cmp.Diff(wantPs, s.Proposals); d != "" || s.Forge != "https://git.example: the token is refused" {
		t.Errorf("%s (-want +got):\n%s", s.Forge, d)
	}
	rep.ForgeErr = &forge.Error{Kind: forge.Partly, What: "no such label"}
	if s := (&teller{r: &reconcile.Reconciler{}, made: time.Now(), took: time.Hour}).pass(rep); s.Forge != "" {
		t.Errorf("a forge that does not know a label counts as away: %s", s.Forge)
	}
}

// The log says what was done once, and what lasts when it begins.
func TestNarrateProposals(t *testing.T) {
	var out strings.Builder
	log := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}))
	n := narrator{log: log, said: map[string]bool{}, told: map[string]bool{}}
	frozen := someProposal(reconcile.Frozen, "")
	frozen.Why = "somebody committed to it"
	turned := someProposal(reconcile.Turned, "")
	turned.Why, turned.Fix = "the server refuses the branch", "let towpath push to towpath/*"
	of := func(ps ...reconcile.Reviewed) reconcile.Report { return reconcile.Report{Proposals: ps} }
	idle := of(someProposal(reconcile.UnderReview, "opened"))
	idle.Idle = true
	away := of(someProposal(reconcile.UnderReview, ""))
	away.ForgeErr = &forge.Error{Kind: forge.Unreachable, Forge: "https://api.github.com", What: "it does not answer", Fix: "nothing; it is asked again"}
	no := someProposal(reconcile.Rejected, "rejected")
	no.Why, no.Fix = "somebody closed it", "reopen it"
	const about = `branch=towpath/main/web-1f2e title="team1/web:prod 1.4.2 → 1.4.3 (2 sites)" number=12 url=https://github.com/acme/streams/pull/12`
	for _, pass := range []struct {
		what string
		rep  reconcile.Report
		want string
	}{
		{"one is opened", of(someProposal(reconcile.UnderReview, "opened")), `level=INFO msg="proposal opened" ` + about},
		{"an idle pass has done nothing", idle, ""},
		{"it stays open", of(someProposal(reconcile.UnderReview, "")), ""},
		{"the forge goes", away, `level=WARN msg="the forge cannot be asked about proposals" err="https://api.github.com: it does not answer" fix="nothing; it is asked again"`},
		{"it stays away", away, ""},
		{"it is back, and a person has committed", of(frozen), `level=INFO msg="proposal frozen" ` + about + ` why="somebody committed to it"`},
		{"that lasts", of(frozen), ""},
		{"a branch is refused", of(turned), `level=WARN msg="proposal refused" ` + about + ` why="the server refuses the branch" fix="let towpath push to towpath/*"`},
		{"that lasts", of(turned), ""},
		{"rejected", of(no), `level=INFO msg="proposal rejected" ` + about + ` why="somebody closed it" fix="reopen it"`},
		{"merged", of(someProposal(reconcile.Merged, "merged")), `level=INFO msg="proposal merged" ` + about},
	} {
		out.Reset()
		n.pass(pass.rep)
		if got := strings.TrimSpace(out.String()); got != pass.want {
			t.Errorf("%s:\n got %s\nwant %s", pass.what, got, pass.want)
		}
	}
}

// The next step after a forge's failure is printed like that of any other.
func TestForgeFix(t *testing.T) {
	var out strings.Builder
	printError(&out, failed(errors.Join(&forge.Error{Kind: forge.Forbidden, Forge: "https://git.example", What: "the token may not open pull requests", Fix: "give it the scope write:repository"})))
	if want := "towpath: https://git.example: the token may not open pull requests\nfix: give it the scope write:repository\n"; out.String() != want {
		t.Errorf("got %s", out.String())
	}
}
