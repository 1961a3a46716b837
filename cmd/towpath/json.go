package main

import (
	"time"

	"github.com/towpath/towpath/imagestream"
	"github.com/towpath/towpath/reconcile"
)

// The shapes of -o json. They are promised (docs/output.md): fields are added,
// never renamed or removed.

type planJSON struct {
	Revision   string           `json:"revision"`
	Commits    []commitJSON     `json:"commits"`
	Proposals  []proposedJSON   `json:"proposals,omitempty"` // that would be opened, or changed
	Adopted    []string         `json:"adopted"`
	Held       []heldJSON       `json:"held"`
	Deferred   []deferredJSON   `json:"deferred"`
	Unresolved []unresolvedJSON `json:"unresolved"`
	Failing    []failingJSON    `json:"failing"`
	Problems   []problemJSON    `json:"problems"`
	Settling   []settlingJSON   `json:"settling,omitempty"` // not recorded yet
	Explain    []explainJSON    `json:"explain,omitempty"`  // with --explain
}

type proposedJSON struct {
	Branch  string       `json:"branch"`
	Title   string       `json:"title"`
	Commits []commitJSON `json:"commits"`
}

type commitJSON struct {
	Kind    string     `json:"kind"` // status or trigger
	Subject string     `json:"subject"`
	Message string     `json:"message"`
	Files   []string   `json:"files"`
	Tags    []moveJSON `json:"tags"`
	Sites   []siteJSON `json:"sites"`
	Diff    string     `json:"diff"`
}

type moveJSON struct {
	Tag       string `json:"tag"`
	Image     string `json:"image,omitempty"`
	Reference string `json:"reference,omitempty"` // that goes on record
	From      string `json:"from,omitempty"`      // that it was resolved from
	Reason    string `json:"reason,omitempty"`    // of a failure
}

type siteJSON struct {
	Path      string     `json:"path"`
	Line      int        `json:"line"`
	Kind      string     `json:"kind"`
	Namespace string     `json:"namespace"`
	Name      string     `json:"name"`
	Container string     `json:"container,omitempty"`
	Field     string     `json:"field,omitempty"`
	Form      string     `json:"form"` // annotation, deploymentconfig, buildconfig, marker or field
	Wish      string     `json:"wish,omitempty"`
	Follows   string     `json:"follows"`
	Current   string     `json:"current"`
	Parts     []partJSON `json:"parts"`
	Image     string     `json:"image,omitempty"` // that it is to get
	Why       string     `json:"why,omitempty"`   // it gets that
	Paused    bool       `json:"paused,omitempty"`
	Since     *sinceJSON `json:"since,omitempty"` // with status --sites
}

// partJSON is a value that makes up what a site holds.
type partJSON struct {
	Part  string `json:"part"`
	Value string `json:"value"`
}

// sinceJSON is the commit that gave a site what it holds; empty where the history is too
// long, or cut off, to tell.
type sinceJSON struct {
	Commit  string    `json:"commit"`
	Time    time.Time `json:"time,omitzero"`
	Subject string    `json:"subject,omitempty"`
	Author  string    `json:"author,omitempty"`
}

type heldJSON struct {
	Site    siteJSON  `json:"site"`
	Why     string    `json:"why"`    // taken back, left out, changed since, flip-flop, too long or declined
	Commit  string    `json:"commit"` // that did it; empty: the history is too long to tell
	Subject string    `json:"subject,omitempty"`
	URL     string    `json:"url,omitempty"` // of the proposal that was declined
	Until   time.Time `json:"until,omitzero"`
}

type deferredJSON struct {
	Site  siteJSON  `json:"site"`
	Why   string    `json:"why"`
	Until time.Time `json:"until,omitzero"`
}

type unresolvedJSON struct {
	Site siteJSON `json:"site"`
	Why  string   `json:"why"`
}

type failingJSON struct {
	Tag     string    `json:"tag"`
	Reason  string    `json:"reason"`
	Message string    `json:"message"`
	Since   time.Time `json:"since"`
}

type problemJSON struct {
	Path   string `json:"path"`
	Line   int    `json:"line,omitempty"`
	Column int    `json:"column,omitempty"`
	What   string `json:"what"`
	Fix    string `json:"fix,omitempty"`
	Note   bool   `json:"note,omitempty"`
}

func planOf(rep reconcile.Report, cat *reconcile.Catalog) planJSON {
	p := planJSON{
		Revision: string(rep.Rev), Commits: []commitJSON{}, Adopted: []string{},
		Held: heldOf(rep.Held), Deferred: deferredOf(rep.Deferred), Unresolved: unresolvedOf(rep.Unresolved), Failing: []failingJSON{}, Problems: problemsOf(rep.Problems),
	}
	for _, w := range rep.Planned {
		p.Commits = append(p.Commits, commitOf(w))
	}
	for _, due := range rep.Due() {
		d := proposedJSON{Branch: due.Branch, Title: due.Title()}
		for _, w := range due.Chain {
			d.Commits = append(d.Commits, commitOf(w))
		}
		p.Proposals = append(p.Proposals, d)
	}
	for _, f := range rep.Failing {
		p.Failing = append(p.Failing, failingJSON{f.Tag.String(), string(f.Err.Kind), f.Err.Message, f.Since.UTC()})
	}
	for _, w := range rep.Settling {
		p.Settling = append(p.Settling, settlingJSON{w.Tag.String(), w.From, w.Image, w.Until.UTC()})
	}
	for _, v := range cat.Tags() {
		if v.State == reconcile.Adopted {
			p.Adopted = append(p.Adopted, v.Tag.String())
		}
	}
	return p
}

func commitOf(w reconcile.Write) commitJSON {
	c := commitJSON{
		Kind: string(w.Kind), Subject: w.Subject(), Message: w.Commit.Message, Diff: diffOf(w),
		Files: []string{}, Tags: []moveJSON{}, Sites: []siteJSON{},
	}
	for _, e := range w.Commit.Edits {
		c.Files = append(c.Files, e.Path)
	}
	for _, s := range w.Streams {
		for _, e := range s.Events {
			m := moveJSON{Tag: imagestream.TagRef{Stream: s.Stream.Name, Tag: e.Tag}.String()}
			if e.Item != nil {
				m.Image, m.Reference = e.Item.Image, e.Item.Reference
			}
			if e.Source != nil { // aliases and references have none
				m.From = e.Source.From
			}
			if e.Failure != nil {
				m.Reason = e.Failure.Reason
			}
			c.Tags = append(c.Tags, m)
		}
	}
	for _, s := range w.Sites {
		site := changeOf(s)
		site.Why = whyMoves(s)
		c.Sites = append(c.Sites, site)
	}
	return c
}

func siteOf(s *reconcile.Site) siteJSON {
	out := siteJSON{
		Path: s.Path, Line: s.Line, Kind: s.ID.Kind, Namespace: s.ID.Namespace, Name: s.ID.Name, Container: s.ID.Container, Field: s.ID.Field,
		Form: s.Form, Wish: string(s.Wish), Follows: s.Follows.String(), Current: s.Current(), Parts: []partJSON{}, Paused: s.Paused,
	}
	for _, p := range s.Places {
		out.Parts = append(out.Parts, partJSON{string(p.Part), p.Value})
	}
	return out
}

// changeOf is a site with the image that it is to get.
func changeOf(c reconcile.SiteChange) siteJSON {
	site := siteOf(c.Site)
	site.Image = c.Writes()
	return site
}

func heldOf(held reconcile.Held) []heldJSON {
	out := []heldJSON{}
	for _, h := range held {
		out = append(out, heldJSON{changeOf(h.Change), string(h.Why), string(h.By), h.About.Subject, h.URL, h.Until.UTC()})
	}
	return out
}

func deferredOf(ds []reconcile.Deferred) []deferredJSON {
	out := []deferredJSON{}
	for _, d := range ds {
		out = append(out, deferredJSON{changeOf(d.Change), d.Why, d.Until.UTC()})
	}
	return out
}

func unresolvedOf(us []reconcile.Unresolved) []unresolvedJSON {
	out := []unresolvedJSON{}
	for _, u := range us {
		out = append(out, unresolvedJSON{siteOf(u.Site), u.Why})
	}
	return out
}

func problemsOf(ps []imagestream.Problem) []problemJSON {
	out := []problemJSON{}
	for _, p := range ps {
		out = append(out, problemJSON{p.Path, p.Line, p.Col, p.What, p.Fix, p.Note})
	}
	return out
}
