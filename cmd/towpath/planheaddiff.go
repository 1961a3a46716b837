package main

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/towpath/towpath/gitstore"
	"github.com/towpath/towpath/imagestream"
	"github.com/towpath/towpath/reconcile"
	"github.com/towpath/towpath/registry"
	"github.com/towpath/towpath/trigger"
)

// A side is what a walk over one tree reported.
type side struct {
	reconcile.Report
	cat *reconcile.Catalog
}

// An outlook is what a run, or merging a pull request, would do, for people who decide
// whether it shall.
type outlook struct {
	Base, Head treeAt // zero of a run
	Conflicts  []string
	Problems   []imagestream.Problem // notes among them
	Mended     []imagestream.Problem
	Tags       []tagChange
	Sites      []reconcile.SiteChange // that follow
	Rewritten  []rewrite              // that the head itself rewrites, as proposals of towpath's do
	Proposals  []reconcile.Proposal   // of a run: that would be opened or changed, and hold part of all this
	Held       reconcile.Held
	Deferred   []reconcile.Deferred
	Unresolved []reconcile.Unresolved
	Failing    []reconcile.Failing
	Settling   []reconcile.Settling
	Unasked    int // questions that were too many, or answered too late
	Invalid    bool
	Paused     bool
	fixes      fixes
}

// A treeAt is a commit as people call it.
type treeAt struct {
	Name string
	Rev  gitstore.Rev
}

// A tagChange is a tag of which something is different.
type tagChange struct {
	Tag      imagestream.TagRef
	How      string // added, removed or changed
	Path     string
	Line     int
	Was, Now tagState
}

// A tagState is what a tag says, and what it would be on record as.
type tagState struct {
	From string           // as written; of a policy with the policy
	Item imagestream.Item // zero: nothing
}

// A rewrite is a site to which the head gives another image.
type rewrite struct {
	Site *reconcile.Site
	Was  string
}

// compare is what is different on the second side of what towpath would do on the first.
func compare(base, merged side) outlook {
	pending := base.pending(merged)
	o := outlook{
		Invalid: merged.Invalid, Paused: merged.Paused, fixes: fixesOf(merged.Report),
		Problems: beyond(merged.Problems, base.Problems, problemKey),
		Mended:   beyond(base.Bad(), merged.Bad(), problemKey),
		Sites:    beyond(merged.sites(), base.sites(), siteMoveKey),
		Held: beyond(merged.Held, base.Held, func(h reconcile.Hold) string {
			return siteMoveKey(h.Change) + string(h.Why)
		}),
		Deferred:   beyond(merged.Deferred, base.Deferred, func(d reconcile.Deferred) string { return siteMoveKey(d.Change) }),
		Unresolved: beyond(merged.Unresolved, base.Unresolved, func(u reconcile.Unresolved) string { return siteKeyOf(u.Site) + u.Why }),
	}
	o.Rewritten = rewritten(base, merged)
	there := map[string]bool{}
	for _, s := range base.cat.Sites {
		there[siteKeyOf(s)+s.Current()] = true
	}
	o.Sites = slices.DeleteFunc(o.Sites, func(c reconcile.SiteChange) bool {
		return pending[c.Site.Follows] && there[siteKeyOf(c.Site)+c.Site.Current()]
	})
	for _, f := range merged.Failing {
		switch {
		case errors.Is(f.Err, errOfBase), pending[f.Tag]:
		case errors.Is(f.Err, errTooMany):
			o.Unasked++
		default:
			o.Failing = append(o.Failing, f)
		}
	}
	for _, s := range merged.Settling {
		if !pending[s.Tag] {
			o.Settling = append(o.Settling, s)
		}
	}
	was, now := base.tags(), merged.tags()
	for _, tag := range slices.SortedFunc(maps.Keys(joined(was, now)), compareTagRefs) {
		if c, changed := changeOfTag(tag, was[tag], now[tag]); changed && !pending[tag] {
			o.Tags = append(o.Tags, c)
		}
	}
	return o
}

// rewritten are the sites that hold something else on the second side, and are to keep it.
func rewritten(base, merged side) (all []rewrite) {
	held, moves := map[string]string{}, map[string]bool{}
	for _, s := range base.cat.Sites {
		held[siteKeyOf(s)] = s.Current()
	}
	for _, c := range merged.sites() {
		moves[siteKeyOf(c.Site)] = true
	}
	for _, s := range merged.cat.Sites {
		if was, there := held[siteKeyOf(s)]; there && was != s.Current() && !moves[siteKeyOf(s)] {
			all = append(all, rewrite{s, was})
		}
	}
	return all
}

// pending are the tags that both sides wait for with the same question: merging changes
// nothing of them.
func (s side) pending(other side) map[imagestream.TagRef]bool {
	inputs := map[imagestream.TagRef]string{}
	for _, a := range s.Answers {
		inputs[a.Target] = a.Inputs
	}
	both := map[imagestream.TagRef]bool{}
	for _, a := range other.Answers {
		if of, ok := inputs[a.Target]; ok && of == a.Inputs {
			both[a.Target] = true
		}
	}
	return both
}

// beyond are those of the first list that the second has not, as often as they are there
// more.
func beyond[T any](these, those []T, key func(T) string) []T {
	count := map[string]int{}
	for _, one := range those {
		count[key(one)]++
	}
	var rest []T
	for _, one := range these {
		if k := key(one); count[k] > 0 {
			count[k]--
		} else {
			rest = append(rest, one)
		}
	}
	return rest
}

// problemKey leaves out lines: what is above a problem may grow.
func problemKey(p imagestream.Problem) string { return fmt.Sprintf("%q %q %t", p.Path, p.What, p.Note) }

func siteKeyOf(s *reconcile.Site) string {
	return fmt.Sprintf("%q %q %s ", s.Path, s.ID.String(), s.Follows)
}

func siteMoveKey(c reconcile.SiteChange) string {
	return siteKeyOf(c.Site) + fmt.Sprintf("%q", c.Writes())
}

// writes are the commits that go straight to the branch, and those that people review first.
func (s side) writes() []reconcile.Write {
	all := slices.Clone(s.Planned)
	for _, p := range s.Proposed {
		all = append(all, p.Chain...)
	}
	return all
}

// sites are the sites that would be rewritten, in order, each once: as the last commit has it.
func (s side) sites() []reconcile.SiteChange {
	type key struct {
		path string
		id   trigger.ID
	}
	at := map[key]int{}
	var all []reconcile.SiteChange
	for _, w := range s.writes() {
		for _, c := range w.Sites {
			k := key{c.Site.Path, c.Site.ID}
			if i, ok := at[k]; ok {
				all[i] = c
				continue
			}
			at[k] = len(all)
			all = append(all, c)
		}
	}
	slices.SortStableFunc(all, func(a, b reconcile.SiteChange) int {
		return cmp.Or(cmp.Compare(a.Site.Path, b.Site.Path), a.Site.Line-b.Site.Line)
	})
	return all
}

// A tagPlace is a tag with where it is said.
type tagPlace struct {
	tagState
	path string
	line int
}

// tags is what the record of each tag would say.
func (s side) tags() map[imagestream.TagRef]*tagPlace {
	all := onRecord(s.cat)
	for _, w := range s.writes() {
		for _, c := range w.Streams {
			for _, e := range c.Events {
				tag := imagestream.TagRef{Stream: c.Stream.Name, Tag: e.Tag}
				if e.Item == nil {
					continue
				}
				if all[tag] == nil {
					all[tag] = &tagPlace{tagState{From: c.Stream.Spec.Repository}, c.Stream.Path, c.Stream.Line}
				}
				all[tag].Item = *e.Item
			}
		}
	}
	return all
}

// onRecord is what the record of each tag says.
func onRecord(cat *reconcile.Catalog) map[imagestream.TagRef]*tagPlace {
	all := map[imagestream.TagRef]*tagPlace{}
	for _, v := range cat.Tags() {
		t := &tagPlace{tagState{From: fromOf(v)}, v.Path, v.Line}
		if v.Item != nil {
			t.Item = *v.Item
		}
		all[v.Tag] = t
	}
	return all
}

// fromOf is what a tag is taken from, in words.
func fromOf(v reconcile.TagView) string {
	from := v.From
	if v.Alias.Stream.Name != "" && v.Alias.Tag != "" {
		from = v.Alias.String()
	}
	if v.Policy != nil {
		from += " (" + v.Policy.String() + ")"
	}
	return from
}

func changeOfTag(tag imagestream.TagRef, was, now *tagPlace) (c tagChange, changed bool) {
	c.Tag, c.How = tag, "changed"
	switch {
	case now == nil:
		c.How, c.Path, c.Line, c.Was = "removed", was.path, was.line, was.tagState
		return c, true
	case was == nil:
		c.How = "added"
	default:
		c.Was = was.tagState
	}
	c.Path, c.Line, c.Now = now.path, now.line, now.tagState
	return c, was == nil || c.Was.From != c.Now.From || c.Was.Item.Image != c.Now.Item.Image || c.Was.Item.Reference != c.Now.Item.Reference
}

func joined[K comparable, V any](a, b map[K]V) map[K]V {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return all
}

func compareTagRefs(a, b imagestream.TagRef) int {
	return cmp.Or(cmp.Compare(a.Stream.Namespace, b.Stream.Namespace), cmp.Compare(a.Stream.Name, b.Stream.Name), cmp.Compare(a.Tag, b.Tag))
}

// outlookOf is what a run would do.
func outlookOf(rep reconcile.Report, cat *reconcile.Catalog) outlook {
	rep.Proposed = rep.Due() // what is under review already stays as it is
	s := side{rep, cat}
	o := outlook{
		Proposals: rep.Proposed,
		Problems:  rep.Problems, Sites: s.sites(), Held: rep.Held, Deferred: rep.Deferred, Unresolved: rep.Unresolved,
		Failing: rep.Failing, Settling: rep.Settling, Invalid: rep.Invalid, Paused: rep.Paused, fixes: fixesOf(rep),
	}
	was, now := onRecord(cat), s.tags()
	for _, tag := range slices.SortedFunc(maps.Keys(now), compareTagRefs) {
		if c, changed := changeOfTag(tag, was[tag], now[tag]); changed {
			o.Tags = append(o.Tags, c)
		}
	}
	return o
}

// bad are the problems that are no mere notes.
func (o outlook) bad() (bad []imagestream.Problem) {
	for _, p := range o.Problems {
		if !p.Note {
			bad = append(bad, p)
		}
	}
	return bad
}

// wrong reports whether an import failed for what its author wrote. Without a credential,
// much cannot be seen that a run sees, and what may pass is nobody's fault.
func wrong(f reconcile.Failing) bool {
	return f.Err.Kind == registry.NotFound || f.Err.Kind == registry.Invalid
}

// code is the exit code of a check.
func (o outlook) code() int {
	switch {
	case len(o.bad()) > 0 || slices.ContainsFunc(o.Failing, wrong):
		return exitProblems
	case len(o.Tags)+len(o.Sites)+len(o.Rewritten) > 0:
		return exitChanges
	}
	return exitDone
}

// verdict is all of it in a line. Nothing of it is others' text.
func (o outlook) verdict() string {
	who := "a run would "
	if o.Head.Name != "" {
		who = "merging this would "
	}
	var parts []string
	add := func(n int, verb, noun string) {
		if n > 0 {
			parts = append(parts, verb+" "+count(n, noun))
		}
	}
	if o.Head.Name != "" {
		add(len(o.bad()), "bring", "problem")
		add(len(o.Mended), "mend", "problem")
	} else {
		add(len(o.bad()), "leave alone", "problem")
	}
	add(len(o.Tags), "change", "tag")
	add(len(o.Sites), "move", "site")
	add(len(o.Rewritten), "rewrite", "site")
	if len(parts) == 0 {
		return who + "change no image"
	}
	last := len(parts) - 1
	if last == 0 {
		return who + parts[0]
	}
	return who + strings.Join(parts[:last], ", ") + " and " + parts[last]
}
