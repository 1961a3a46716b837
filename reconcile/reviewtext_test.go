package reconcile

import (
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/yuin/goldmark/ast"

	"github.com/towpath/towpath/config"
	"github.com/towpath/towpath/imagestream"
	"github.com/towpath/towpath/policy"
)

var (
	resolvedAt = time.Date(2026, 11, 21, 10, 0, 30, 0, time.UTC)
	here       = address{"https://git.example/team1/deploy.git", "main"}
)

// recordOf is a status change by which a tag comes to be an image, from another; old and upstream references
// may be empty.
func recordOf(tag, oldFrom, oldDigest, newFrom, newDigest string, old, after imagestream.Labels) StatusChange {
	ref := tagRef(tag)
	s := &Stream{Path: "streams.yaml", Settings: config.Default().For("streams.yaml", ref.Stream.Namespace)}
	s.Name = ref.Stream
	if oldDigest != "" {
		st := imagestream.TagStatus{Tag: ref.Tag, Items: []imagestream.Item{{Image: oldDigest, Reference: "quay.io/x@" + oldDigest}}}
		if oldFrom != "" {
			st.Source = &imagestream.Source{From: oldFrom, Labels: old}
		}
		s.Status.Tags = []imagestream.TagStatus{st}
		s.inStatus = byName(s.Status.Tags, recordName)
	}
	e := imagestream.Event{Tag: ref.Tag, Item: &imagestream.Item{Image: newDigest, Reference: "quay.io/x@" + newDigest, Created: resolvedAt.In(time.FixedZone("", 3600))}}
	if newFrom != "" {
		e.Source = &imagestream.Source{From: newFrom, Labels: after}
	}
	return StatusChange{Stream: s, Events: []imagestream.Event{e}}
}

// proposed is a proposal of status changes, and of sites.
func proposed(v voice, streams []StatusChange, sites []SiteChange) Proposal {
	p := Proposal{Branch: "towpath/main/it's-1f2e3d4c"}
	if len(streams) > 0 {
		p.Chain = append(p.Chain, Write{Kind: StatusCommit, Streams: streams, voice: voice{prefix: v.prefix}})
	}
	if len(sites) > 0 {
		p.Chain = append(p.Chain, Write{Kind: TriggerCommit, Sites: sites, Tags: tagsOf(sites), voice: v})
	}
	for i := range p.Chain {
		p.Chain[i].Commit.Message = p.Chain[i].message()
	}
	return p
}

// webMoves is a tag that moves from 1.4.2 to 1.4.3, with two sites.
func webMoves() Proposal {
	site := changeOf("deploy/web.yaml", "team1/web:prod", "quay.io/team1/web:1.4.2@"+digestA, "quay.io/team1/web:1.4.3")
	other := changeOf("deploy/cron.yaml", "team1/web:prod", "quay.io/team1/web@"+digestA, "quay.io/team1/web:1.4.3")
	other.Site.ID.Kind = "CronJob"
	return proposed(voice{}, []StatusChange{recordOf("team1/web:prod", "quay.io/team1/web:1.4.2", digestA, "quay.io/team1/web:1.4.3", digestB,
		imagestream.Labels{Source: "https://github.com/team1/web", Revision: strings.Repeat("1a", 20)},
		imagestream.Labels{Source: "https://github.com/team1/web.git", Revision: strings.Repeat("2b", 20), Version: "1.4.3+7", Created: "2026-11-20T23:15:00+01:00"},
	)}, []SiteChange{site, other})
}

func TestSection(t *testing.T) {
	tick := func(s string) string { return strings.ReplaceAll(s, "'", "`") }
	want := tick(`'team1/web:prod' moved from '1.4.2' to '1.4.3'. First it goes on record, in the 'status' of the streams; then the 2 sites that follow are changed. The commits come in that order, and any way to merge keeps it: no site holds what is not on record.

| tag | image | upstream tag | age | source |
|---|---|---|---|---|
| 'team1/web:prod' | 'sha256:a1b2a1b2a1b2' → 'sha256:b3c4b3c4b3c4' | '1.4.2' → '1.4.3', version '1.4.3+7' | built 2026-11-20 22:15 UTC, found 2026-11-21 10:00 UTC | ['github.com/team1/web' '1a1a1a1a1a' → '2b2b2b2b2b'](https://github.com/team1/web/compare/` + strings.Repeat("1a", 20) + `...` + strings.Repeat("2b", 20) + `) |

**Who follows**

- 'deploy/web.yaml' 'Deployment team1/web, container app': '1.4.2@sha256:a1b2a1b2a1b2' → 'sha256:b3c4b3c4b3c4'
- 'deploy/cron.yaml' 'CronJob team1/web, container app': 'sha256:a1b2a1b2a1b2' → 'sha256:b3c4b3c4b3c4'

**What you can do**

- **Take it**: merge it, in whichever way.
- **Take a part of it**: push a commit to this branch. From then on towpath leaves the branch alone; what you take out and then merge counts as rejected.
- **Reject it**: close it. These images are never proposed again for these places; a newer image is. To take that back, reopen this one, or run 'towpath import team1/web:prod'.
- **Hold it**: '"paused": true' in the trigger or the marker of a site stops that site; 'paused: true' in a rule of '.towpath.yaml' stops a path or a namespace, imports and all.

To see on your machine what merging it does:

'''sh
towpath plan --repo https://git.example/team1/deploy.git --base main --head QUOTED
'''

This part is kept up to date. What you write above or below it stays, and so does a title of yours.`)
	want = strings.ReplaceAll(want, "QUOTED", `'towpath/main/it'\''s-1f2e3d4c'`)
	got := webMoves().section(here)
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("want -, got +:\n%s", d)
	}
	if again := webMoves().section(here); again != got {
		t.Error("the same proposal says something else")
	}
}

func TestSectionByKind(t *testing.T) {
	full := webMoves()
	status, sites := full, full
	status.Chain, sites.Chain = full.Chain[:1], full.Chain[1:]
	first := proposed(voice{}, []StatusChange{recordOf("team1/web:prod", "", "", "quay.io/team1/web:1.4.3", digestB, imagestream.Labels{}, imagestream.Labels{})}, nil)
	failing := first
	failing.Chain = []Write{{Kind: StatusCommit, Streams: []StatusChange{first.Chain[0].Streams[0]}}}
	failing.Chain[0].Streams[0].Events = []imagestream.Event{{Tag: "prod", Failure: &imagestream.Failure{Reason: "NotFound", Message: "no such tag, says <b>it</b>"}}}
	for name, tt := range map[string]struct {
		p         Proposal
		has, lack []string
	}{
		"status only": {status, []string{"and changes nothing else", "| `1.4.2` → `1.4.3`", "reopen this one, or run `towpath import team1/web:prod`."}, []string{"Who follows", "--resume", `"paused"`}},
		"sites only":  {sites, []string{"on record already", "this changes the 2 sites that follow.", "`1.4.2` → `1.4.3`"}, []string{"goes on record"}},
		"the first": {proposed(voice{}, []StatusChange{recordOf("team1/web:prod", "", "", "quay.io/team1/web:1.4.3", digestA, imagestream.Labels{}, imagestream.Labels{})}, nil),
			[]string{"| `sha256:a1b2a1b2a1b2` | `1.4.3` |"}, []string{"→", "source", "on record since"}},
		"a failure": {failing, []string{"cannot be imported", "fails: `no such tag, says"}, []string{"<b>"}},
	} {
		got := tt.p.section(here)
		for _, s := range tt.has {
			if !strings.Contains(got, s) {
				t.Errorf("%s: %q is missing in\n%s", name, s, got)
			}
		}
		for _, s := range tt.lack {
			if strings.Contains(got, s) {
				t.Errorf("%s: %q stands in\n%s", name, s, got)
			}
		}
	}
}

func TestTitle(t *testing.T) {
	none := imagestream.Labels{}
	record := func(tag, oldFrom, newFrom string) StatusChange {
		old := digestA
		if oldFrom == "" {
			old = ""
		}
		return recordOf(tag, oldFrom, old, newFrom, digestB, none, none)
	}
	web := record("team1/web:prod", "quay.io/team1/web:1.4.2", "quay.io/team1/web:1.4.3")
	follow := func(tag, old, source string) SiteChange { return changeOf("x.yaml", tag, old, source) }
	one := follow("team1/web:prod", "quay.io/team1/web:1.4.2@"+digestA, "quay.io/team1/web:1.4.3")
	other := follow("team1/web:prod", "quay.io/team1/web:1.3", "quay.io/team1/web:1.4.3")
	inDefault := func(c SiteChange) SiteChange {
		site := *c.Site
		c.Site, site.ID.Namespace = &site, "default"
		return c
	}
	long := "team1/" + strings.Repeat("very-", 30) + "long:prod"
	for _, tt := range []struct {
		v       voice
		streams []StatusChange
		sites   []SiteChange
		want    string
	}{
		{voice{}, []StatusChange{web}, []SiteChange{one, one}, "team1/web:prod 1.4.2 → 1.4.3 (2 sites)"},
		{voice{prefix: "chore(deps): "}, []StatusChange{web}, []SiteChange{one}, "chore(deps): team1/web:prod 1.4.2 → 1.4.3 (1 site)"},
		{voice{template: "deploy {subject}"}, []StatusChange{web}, []SiteChange{one}, "deploy team1/web:prod follows 1.4.3 (1 site)"},
		{voice{}, []StatusChange{record("team1/web:prod", "quay.io/team1/web:1.4", "quay.io/team1/web:1.4")}, []SiteChange{one}, "team1/web:prod sha256:a1b2a1b2a1b2 → sha256:b3c4b3c4b3c4 (1 site)"},
		{voice{}, []StatusChange{record("team1/web:prod", "", "quay.io/team1/web:1.4.3")}, []SiteChange{follow("team1/web:prod", "", "quay.io/team1/web:1.4.3")}, "team1/web:prod 1.4.3 (1 site)"},
		{voice{}, nil, []SiteChange{one}, "team1/web:prod 1.4.2 → 1.4.3 (1 site)"},
		{voice{}, nil, []SiteChange{one, other}, "team1/web:prod 1.4.3 (2 sites)"},
		{voice{}, nil, []SiteChange{one, follow("team1/db:15", "", "quay.io/team1/db:15.3")}, "team1: 2 tags moved (2 sites)"},
		{voice{}, nil, []SiteChange{inDefault(one), inDefault(follow("team1/db:15", "", "quay.io/team1/db:15.3"))}, "2 tags moved (2 sites)"},
		{voice{}, []StatusChange{web}, nil, "record team1/web:prod 1.4.3"},
		{voice{prefix: "ops: "}, []StatusChange{web}, nil, "ops: record team1/web:prod 1.4.3"},
		{voice{}, []StatusChange{record("team1/web:prod", "", "")}, nil, "record team1/web:prod sha256:b3c4b3c4b3c4"},
		{voice{}, []StatusChange{web, record("team1/web:next", "", "quay.io/team1/web:2")}, nil, "record 2 tags of team1/web"},
		{voice{}, []StatusChange{web, record("team1/db:15", "", "quay.io/team1/db:15.3")}, nil, "record 2 tags of 2 streams"},
		{voice{}, []StatusChange{record(long, "", "quay.io/a:1")}, nil, "record team1/very-very-very-very-very-…ry-very-very-very-very-long:prod 1"},
	} {
		got := proposed(tt.v, tt.streams, tt.sites).title()
		if !strings.Contains(tt.want, "…") && got != tt.want {
			t.Errorf("got %q, want %q", got, tt.want)
		}
		if utf8.RuneCountInString(got) > aimedSubject+len(tt.v.prefix) {
			t.Errorf("%q has %d characters", got, utf8.RuneCountInString(got))
		}
		if strings.Contains(tt.want, "…") && (!strings.HasPrefix(got, "record team1/very") || !strings.HasSuffix(got, "long:prod 1")) {
			t.Errorf("got %q", got)
		}
	}
}

// What happened to a tag is told as its two records tell it, and never as what they do not say.
func TestWhy(t *testing.T) {
	none := imagestream.Labels{}
	const quay = "quay.io/team1/web:"
	aged := imagestream.Tag{Name: "prod", From: imagestream.From{Kind: imagestream.DockerImage, Name: quay + "1.5"}}
	chosen, alias := aged, aged
	chosen.Policy = &policy.Policy{}
	alias.From = imagestream.From{Kind: imagestream.ImageStreamTag, Name: "web:1.5"}
	for name, tt := range map[string]struct {
		oldFrom, newFrom     string
		oldInputs, newInputs string
		spec                 imagestream.Tag
		want, kind           string
	}{
		"pushed again":           {quay + "1.4", quay + "1.4", "a", "a", aged, "The tag `1.4` was pushed again: `team1/web:prod` is another image now.", "pushed again"},
		"resolved otherwise":     {quay + "1.4", quay + "1.4", "a", "b", aged, "What the stream's `spec` says of `team1/web:prod` changed: it is another image now.", "`spec` changed"},
		"chosen by policy":       {quay + "1.4", quay + "1.5", "a", "a", chosen, "The policy of `team1/web:prod` chose `1.5` after `1.4`.", "chosen by its policy"},
		"another policy":         {quay + "1.4", quay + "1.5", "a", "b", chosen, "`team1/web:prod` moved from `1.4` to `1.5`: the stream's `spec` has another policy for it.", "another policy"},
		"spec names another tag": {quay + "1.4", quay + "1.5", "a", "b", aged, "`team1/web:prod` moved from `1.4` to `1.5`: the stream's `spec` names another tag.", "`spec` names another tag"},
		"another repository":     {"quay.io/old/web:1.4", quay + "1.4", "a", "b", aged, "`team1/web:prod` moved from `quay.io/old/web:1.4` to `quay.io/team1/web:1.4`: the stream's `spec` names another tag.", "`spec` names another tag"},
		"adopted":                {"", quay + "1.4", "", "b", aged, "`team1/web:prod` is another image now.", "another image"},
		"an alias":               {"", "", "", "", alias, "`team1/web:prod` is what `team1/web:1.5` is, which is another image now.", "moved with another tag"},
	} {
		c := recordOf("team1/web:prod", tt.oldFrom, digestA, tt.newFrom, digestB, none, none)
		c.Stream.Spec.Tags = []imagestream.Tag{tt.spec}
		c.Stream.inSpec = byName(c.Stream.Spec.Tags, specName)
		if st := c.Stream.record("prod"); st.Source != nil {
			st.Source.Inputs = tt.oldInputs
		}
		if c.Events[0].Source != nil {
			c.Events[0].Source.Inputs = tt.newInputs
		}
		all := proposed(voice{}, []StatusChange{c}, nil).bringings()
		if got, kind := all[0].why(); got != tt.want || kind != tt.kind {
			t.Errorf("%s:\n got %s (%s)\nwant %s (%s)", name, got, kind, tt.want, tt.kind)
		}
	}
	first := recordOf("team1/db:15", "", "", quay+"1", digestA, none, none)
	web := recordOf("team1/web:prod", quay+"1.4", digestA, quay+"1.5", digestB, none, none)
	api := recordOf("team1/api:prod", quay+"1.4", digestA, quay+"1.5", digestB, none, none)
	got := whyOf(proposed(voice{}, []StatusChange{first, web, api}, nil).bringings())
	if want := "3 tags of image streams have another image (moved: 2, first image: 1)."; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// A link leads where both images say that they were made from the same repository, and nowhere else.
func TestSource(t *testing.T) {
	const web, a, b = "https://github.com/team1/web", "v1.4.2", "v1.4.3"
	for _, tt := range []struct {
		old, new imagestream.Labels
		want     string
	}{
		{imagestream.Labels{Source: web, Revision: a}, imagestream.Labels{Source: web, Revision: b}, "[`github.com/team1/web` `v1.4.2` → `v1.4.3`](" + web + "/compare/v1.4.2...v1.4.3)"},
		{imagestream.Labels{Revision: a}, imagestream.Labels{Source: web, Revision: b}, "[`github.com/team1/web` `v1.4.2` → `v1.4.3`](" + web + "/compare/v1.4.2...v1.4.3)"},
		{imagestream.Labels{Source: "https://github.com/evil/web", Revision: a}, imagestream.Labels{Source: web, Revision: b}, "`github.com/team1/web` `v1.4.2` → `v1.4.3`"},
		{imagestream.Labels{}, imagestream.Labels{Source: web, Revision: b}, "`github.com/team1/web` `v1.4.3`"},
		{imagestream.Labels{Source: web, Revision: b}, imagestream.Labels{Source: web, Revision: b}, "`github.com/team1/web` `v1.4.3`"},
		{imagestream.Labels{Source: "https://git.example/a/b", Revision: a}, imagestream.Labels{Source: "https://git.example/a/b", Revision: b}, "`git.example/a/b` `v1.4.2` → `v1.4.3`"},
		{imagestream.Labels{Revision: a}, imagestream.Labels{Revision: b}, "`v1.4.2` → `v1.4.3`"},
		{imagestream.Labels{}, imagestream.Labels{Source: "our shelf"}, "`our·shelf`"},
		{imagestream.Labels{Source: web, Revision: "a..b"}, imagestream.Labels{Source: web, Revision: b}, "`github.com/team1/web` `a..b` → `v1.4.3`"},
		{imagestream.Labels{}, imagestream.Labels{}, ""},
	} {
		b := bringing{old: side{labels: tt.old}, new: side{labels: tt.new}}
		if got := b.source(); got != tt.want {
			t.Errorf("got  %s\nwant %s", got, tt.want)
		}
	}
}

// fault: H-21
func TestSectionIsInert(t *testing.T) {
	shape := func(section string) (map[ast.NodeKind]int, []string) {
		kinds, links := parts(t, section)
		delete(kinds, ast.KindCodeSpan) // words that happen to be the same are said once
		return kinds, links
	}
	plain, _ := shape(hostileProposal("word").section(here))
	for _, s := range hostileWords() {
		p := hostileProposal("x" + s)
		section := p.section(here)
		kinds, links := shape(section)
		if fmt.Sprint(kinds) != fmt.Sprint(plain) {
			t.Errorf("%q: want -, got +:\n%s\n%s", s, cmp.Diff(fmt.Sprint(plain), fmt.Sprint(kinds)), section)
		}
		if len(links) > 0 {
			t.Errorf("%q: links to %q", s, links)
		}
		for _, text := range []string{section, p.title()} {
			if strings.ContainsFunc(text, func(r rune) bool { return r != '\n' && unicode.IsControl(r) || unicode.Is(unicode.Cf, r) }) || !utf8.ValidString(text) {
				t.Errorf("%q: %q", s, text)
			}
		}
		if strings.Contains(p.title(), "\n") || strings.ContainsAny(p.title(), "@<#") && !strings.Contains(p.title(), "@sha256:") {
			t.Errorf("%q: title %q", s, p.title())
		}
		l := letter{ours: true, section: section, marker: someMarker()}
		if got := readLetter(l.String()); got.marker.Head != l.marker.Head || got.section != section {
			t.Errorf("%q: the section takes the letter apart", s)
		}
	}
}

// hostileProposal has a text wherever others' text comes to stand.
func hostileProposal(s string) Proposal {
	labels := imagestream.Labels{Source: s, Revision: s, Version: s, Created: s}
	c := recordOf("team1/web:prod", s, s, s, digestB, imagestream.Labels{Revision: "1"}, labels)
	c.Stream.Path = s
	c.Events[0].Item.Reference = s
	site := changeOf(s, "team1/web:prod", s, "quay.io/team1/web:1.4.3")
	site.Site.ID.Kind, site.Site.ID.Name, site.Site.ID.Namespace, site.Site.ID.Container = "D"+s, s, s, s
	site.Source, site.Labels = s, labels
	failing := recordOf("team1/db:prod", s, s, s, s, labels, labels)
	failing.Events[0] = imagestream.Event{Tag: "prod", Failure: &imagestream.Failure{Reason: "NotFound", Message: s}}
	return proposed(voice{}, []StatusChange{c, failing}, []SiteChange{site})
}

func TestSectionIsBounded(t *testing.T) {
	var streams []StatusChange
	var sites []SiteChange
	for i := range 500 {
		tag := fmt.Sprintf("team1/%s:%d", strings.Repeat("web", 50), i)
		streams = append(streams, recordOf(tag, "quay.io/a:1", digestA, "quay.io/a:2", digestB, imagestream.Labels{}, imagestream.Labels{}))
		sites = append(sites, changeOf(fmt.Sprintf("%d.yaml", i), tag, "", "quay.io/a:2"))
	}
	got := proposed(voice{}, streams, sites).section(here)
	if len(got) > longestLetter-longestMarker {
		t.Errorf("got %d bytes", len(got))
	}
	for _, s := range []string{"500 tags", "500 sites", "- and 450 more", "towpath plan"} {
		if !strings.Contains(got, s) {
			t.Errorf("%q is missing", s)
		}
	}
	few := proposed(voice{}, nil, sites[:50]).section(here)
	if strings.Contains(few, "- and ") || strings.Count(few, "\n- `") != 50 {
		t.Errorf("50 sites are not 50 lines")
	}
}

// A command is shown as it works, or with a word to fill in.
func TestResumeCommand(t *testing.T) {
	for path, want := range map[string]string{"deploy/web.yaml": "`towpath follow --resume deploy/web.yaml`", "a #1/web.yaml": "`towpath follow --resume PATH`", "x$(id)`": "`towpath follow --resume PATH`"} {
		p := proposed(voice{}, nil, []SiteChange{changeOf(path, "team1/web:prod", "", "quay.io/team1/web:1")})
		if got := p.section(here); !strings.Contains(got, "or run "+want+".") {
			t.Errorf("%q: got\n%s", path, got)
		}
	}
}

func TestNoPasswordInTheCommand(t *testing.T) {
	for repo, want := range map[string]string{
		"https://git.example/a/b": "https://git.example/a/b", "git@git.example:a/b.git": "git@git.example:a/b.git", "ssh://git@git.example:22/a/b": "ssh://git@git.example:22/a/b",
		"https://alice:pw@git.example/a/b": "https://git.example/a/b", "https://pw@git.example/a/b": "https://git.example/a/b", "ssh://git:pw@git.example/a/b": "ssh://git.example/a/b",
		"/srv/git/a": "/srv/git/a", ".": ".", "https://alice:pw@git.example:port/%zz": "URL",
	} {
		if got := withoutPassword(repo); got != want {
			t.Errorf("%s: got %s, want %s", repo, got, want)
		}
	}
}
