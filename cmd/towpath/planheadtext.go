package main

import (
	"fmt"

	"github.com/towpath/towpath/reconcile"
)

// outlookJSON is plan --head -o json. It is promised: fields are added, never renamed or
// removed.
type outlookJSON struct {
	Verdict    string           `json:"verdict"`
	Base       treeAtJSON       `json:"base"`
	Head       treeAtJSON       `json:"head"`
	Conflicts  []string         `json:"conflicts"`
	Problems   []problemJSON    `json:"problems"`
	Mended     []problemJSON    `json:"mended"`
	Tags       []tagChangeJSON  `json:"tags"`
	Sites      []siteJSON       `json:"sites"`
	Rewritten  []rewriteJSON    `json:"rewritten"` // by the head itself
	Held       []heldJSON       `json:"held"`
	Deferred   []deferredJSON   `json:"deferred"`
	Unresolved []unresolvedJSON `json:"unresolved"`
	Failing    []failingJSON    `json:"failing"`
	Settling   []settlingJSON   `json:"settling"`
	Unasked    int              `json:"unasked"` // tags that were too many to ask for
}

// rewriteJSON is a site as the head has it, with what it holds on the base.
type rewriteJSON struct {
	Site siteJSON `json:"site"`
	Was  string   `json:"was"`
}

type treeAtJSON struct {
	Ref      string `json:"ref"`
	Revision string `json:"revision"`
}

type tagChangeJSON struct {
	Tag    string       `json:"tag"`
	Change string       `json:"change"` // added, removed or changed
	Path   string       `json:"path"`
	Line   int          `json:"line,omitempty"`
	Was    tagStateJSON `json:"was"`
	Now    tagStateJSON `json:"now"`
}

// tagStateJSON is empty where the tag is not there.
type tagStateJSON struct {
	From      string `json:"from,omitempty"`
	Image     string `json:"image,omitempty"`
	Reference string `json:"reference,omitempty"`
}

func (o outlook) json() outlookJSON {
	out := outlookJSON{
		Verdict: o.verdict(), Base: treeAtJSON{o.Base.Name, string(o.Base.Rev)}, Head: treeAtJSON{o.Head.Name, string(o.Head.Rev)},
		Conflicts: append([]string{}, o.Conflicts...), Problems: problemsOf(o.Problems), Mended: problemsOf(o.Mended),
		Tags: []tagChangeJSON{}, Sites: []siteJSON{}, Held: heldOf(o.Held), Deferred: deferredOf(o.Deferred), Unresolved: unresolvedOf(o.Unresolved),
		Rewritten: []rewriteJSON{}, Failing: []failingJSON{}, Settling: []settlingJSON{}, Unasked: o.Unasked,
	}
	for _, c := range o.Tags {
		out.Tags = append(out.Tags, tagChangeJSON{c.Tag.String(), c.How, c.Path, c.Line, stateOf(c.Was), stateOf(c.Now)})
	}
	for _, c := range o.Sites {
		site := changeOf(c)
		site.Why = whyMoves(c)
		out.Sites = append(out.Sites, site)
	}
	for _, r := range o.Rewritten {
		out.Rewritten = append(out.Rewritten, rewriteJSON{siteOf(r.Site), r.Was})
	}
	for _, f := range o.Failing {
		out.Failing = append(out.Failing, failingJSON{f.Tag.String(), string(f.Err.Kind), f.Err.Message, f.Since.UTC()})
	}
	for _, s := range o.Settling {
		out.Settling = append(out.Settling, settlingJSON{s.Tag.String(), s.From, s.Image, s.Until.UTC()})
	}
	return out
}

func stateOf(t tagState) tagStateJSON { return tagStateJSON{t.From, t.Item.Image, t.Item.Reference} }

// printOutlook prints what a merge would do, and says the exit code.
func (a *app) printOutlook(o outlook, output string) error {
	switch output {
	case "json":
		if err := writeJSON(a.stdout, o.json()); err != nil {
			return failed(err)
		}
	case "markdown":
		fmt.Fprint(a.stdout, o.markdown())
	default:
		a.printOutlookText(o)
	}
	if code := o.code(); code != exitDone {
		return &exit{code: code}
	}
	return nil
}

func (a *app) printOutlookText(o outlook) {
	line := func(format string, args ...any) { fmt.Fprintf(a.stdout, format+"\n", args...) }
	line("%s", o.verdict())
	for _, path := range o.Conflicts {
		line("changed on both sides: %s", printable(path))
	}
	for _, p := range o.Mended {
		line("mended: %s: %s", printable(problemPlace(p)), printable(p.What))
	}
	for _, c := range o.Tags {
		line("tag: %s %s: %s", c.Tag, c.How, printable(tagWords(c)))
	}
	for _, c := range o.Sites {
		line("site: %s: %s becomes %s", siteName(c.Site), orNothing(c.Site.Current()), printable(c.Writes()))
	}
	for _, r := range o.Rewritten {
		line("rewritten: %s: %s becomes %s", siteName(r.Site), orNothing(r.Was), orNothing(r.Site.Current()))
	}
	for _, lines := range [][]string{heldLines(o.Held), deferredLines(o.Deferred), leftAloneLines(o.Unresolved)} {
		for _, l := range lines {
			line("%s", l)
		}
	}
	printSettling(a.stdout, reconcile.Report{Settling: o.Settling})
	if o.Unasked > 0 {
		line("%s", o.unaskedLine())
	}
	printProblems(a.stderr, o.Problems)
	for _, f := range o.Failing {
		fmt.Fprintf(a.stderr, "%s: %s: %s\n  fix: %s\n", f.Tag, f.Err.Kind, printable(messageOf(f)), o.fixOf(f))
	}
	if o.Invalid {
		fmt.Fprintf(a.stderr, "nothing is written anywhere until %s is right\n", reconcile.ConfigPath)
	}
	if o.Paused {
		line("paused: %s says so; nothing is asked or written", reconcile.ConfigPath)
	}
}

// tagWords are what a tag was and would be.
func tagWords(c tagChange) string {
	was, now := imageOf(c.Was), imageOf(c.Now)
	words := orNothing(was) + " becomes " + orNothing(now)
	switch {
	case c.How == "removed":
		words = orNothing(was) + " is on record"
	case c.How == "added":
		words = orNothing(now)
	case was == now:
		words = orNothing(now) + " stays"
	}
	if c.Now.From != c.Was.From && c.Now.From != "" {
		words += ", from " + c.Now.From
	}
	return words
}

func orNothing(image string) string {
	if image == "" {
		return "nothing"
	}
	return printable(image)
}
