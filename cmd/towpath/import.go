package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/towpath/towpath/imagestream"
	"github.com/towpath/towpath/reconcile"
)

func newImport(a *app) *cobra.Command {
	var all bool
	c := &cobra.Command{
		Use: "import [NS/]STREAM[:TAG]… | --all", Short: "Ask registries now, and record what they say",
		Long: `Ask for the named tags now, whether they are due or not, and commit what they are
into the status of their streams. Tags of those streams that follow them go with them; tags of
other streams, and sites, are left to run. Exits 3 when an import failed.`,
		Example: `  towpath import web:stable --repo /srv/git/streams.git
  towpath import team1/web                 every tag of the stream
  towpath import --all`,
	}
	c.Flags().BoolVar(&all, "all", false, "every tag of every stream")
	c.RunE = func(c *cobra.Command, args []string) error {
		if all == (len(args) > 0) {
			return usage("name the streams, or say --all")
		}
		r, _, err := a.open(c.Context())
		if err != nil {
			return err
		}
		defer r.Store.Close()
		bar := a.progress()
		r.Progress, r.Only, r.Yes = bar.set, reconcile.ImportOnly, true
		hints := []reconcile.Hint{{Force: true}}
		if !all {
			cat, _, err := r.Survey(c.Context())
			if err != nil {
				return failed(err)
			}
			hints = nil
			for _, arg := range args {
				target, err := targetOf(cat, arg)
				if err != nil {
					return err
				}
				hints = append(hints, reconcile.Hint{Stream: target.Stream, Tag: target.Tag, Force: true})
			}
			r.Targets = hints
		}
		rep, err := r.Settle(c.Context(), hints...)
		bar.done()
		fails, said := a.printImports(rep)
		printLeft(a.stdout, rep)
		if err == nil {
			a.printUnasked(r.Catalog(), rep, r.Targets, said)
		}
		problems := rep.Problems
		if !all {
			problems = problemsFor(r.Catalog(), hints, problems)
		}
		printProblems(a.stderr, problems)
		if !all {
			rep.Unresolved = slices.DeleteFunc(rep.Unresolved, func(u reconcile.Unresolved) bool {
				return !slices.ContainsFunc(hints, func(h reconcile.Hint) bool { return h.Stream == u.Site.Follows.Stream })
			})
		}
		printStays(a.stderr, rep)
		switch {
		case err != nil:
			return failed(err)
		case forgeAway(rep) != nil:
			return failed(rep.ForgeErr)
		case fails || slices.ContainsFunc(problems, func(p imagestream.Problem) bool { return !p.Note }):
			return &exit{code: exitProblems}
		}
		return nil
	}
	return c
}

// problemsFor are those of the files that hold the streams that were asked for, and
// of the repository's config.
func problemsFor(cat *reconcile.Catalog, hints []reconcile.Hint, problems []imagestream.Problem) []imagestream.Problem {
	paths := map[string]bool{reconcile.ConfigPath: true}
	for _, h := range hints {
		if s := cat.Stream(h.Stream); s != nil {
			paths[s.Path] = true
		}
	}
	return slices.DeleteFunc(slices.Clone(problems), func(p imagestream.Problem) bool { return !paths[p.Path] })
}

// printImports prints a line a tag, and reports whether one failed, and of which tags
// something was said.
func (a *app) printImports(rep reconcile.Report) (fails bool, said map[imagestream.TagRef]bool) {
	moved := map[imagestream.TagRef]bool{}
	for _, w := range rep.Planned {
		for _, s := range w.Streams {
			for _, e := range s.Events {
				moved[imagestream.TagRef{Stream: s.Stream.Name, Tag: e.Tag}] = e.Item != nil
			}
		}
	}
	settling := map[imagestream.TagRef]bool{}
	for _, s := range rep.Settling {
		settling[s.Tag] = true
	}
	said = map[imagestream.TagRef]bool{}
	for _, ans := range rep.Answers {
		if ans.Err != nil {
			fails = true
			fmt.Fprintf(a.stdout, "%s: %s: %s\n  fix: %s\n", ans.Target.Stream, ans.Err.Kind, printable(strings.TrimSpace(ans.Err.Message)), importFix(ans, reconcile.Result{Err: ans.Err}))
		}
		for _, res := range ans.Results {
			tag := imagestream.TagRef{Stream: ans.Target.Stream, Tag: res.Tag}
			said[tag] = true
			switch {
			case settling[tag]: // said after these
			case res.Err != nil:
				fails = true
				fmt.Fprintf(a.stdout, "%s: %s: %s\n  fix: %s\n", tag, res.Err.Kind, printable(res.Err.Message), importFix(ans, res))
			case moved[tag]:
				fmt.Fprintf(a.stdout, "%s: %s (new)\n", tag, res.Image)
			default:
				fmt.Fprintf(a.stdout, "%s: %s\n", tag, res.Image)
			}
		}
		if ans.LeftOut > 0 {
			fmt.Fprintf(a.stdout, "%s: %s left out; raise tags-cap in %s\n", ans.Target.Stream, count(ans.LeftOut, "tag"), reconcile.ConfigPath)
		}
	}
	for _, w := range rep.Planned {
		for _, s := range w.Streams {
			for _, e := range s.Events {
				if tag := (imagestream.TagRef{Stream: s.Stream.Name, Tag: e.Tag}); e.Item != nil && !said[tag] {
					said[tag] = true
					fmt.Fprintf(a.stdout, "%s: %s (%s)\n", tag, cmp.Or(e.Item.Image, printable(e.Item.Reference)), newsOf(s.Stream, e.Tag))
				}
			}
		}
	}
	for _, c := range rep.Commits {
		fmt.Fprintf(a.stdout, "%s %s\n", c.Rev.Short(), printable(c.Subject))
	}
	a.printDid(a.stdout, rep)
	a.printStuck(a.stderr, rep)
	return fails, said
}

// newsOf is why a tag moved that nobody was asked for.
func newsOf(s *reconcile.Stream, tag string) string {
	i := slices.IndexFunc(s.Spec.Tags, func(t imagestream.Tag) bool { return t.Name == tag })
	switch {
	case i >= 0 && s.Spec.Tags[i].Reference:
		return "new, as it is written"
	case i >= 0 && s.Spec.Tags[i].From.Kind == imagestream.ImageStreamImage:
		return "new, and stays"
	}
	return "new, with the tag that it follows"
}

// printUnasked says of the tags that were named, and of streams of which no tag was asked
// for, why that is, and what would move them.
func (a *app) printUnasked(cat *reconcile.Catalog, rep reconcile.Report, hints []reconcile.Hint, said map[imagestream.TagRef]bool) {
	switch {
	case rep.Invalid:
		fmt.Fprintf(a.stdout, "nothing was asked: %s is not right\n", reconcile.ConfigPath)
		return
	case rep.Paused:
		fmt.Fprintf(a.stdout, "nothing was asked: %s says paused\n", reconcile.ConfigPath)
		return
	case len(hints) == 0 && len(rep.Answers) == 0:
		fmt.Fprintln(a.stdout, "nothing was asked: towpath status says of each stream why")
	}
	if len(hints) == 0 {
		return
	}
	views := map[imagestream.TagRef]reconcile.TagView{}
	for _, v := range cat.Tags() {
		views[v.Tag] = v
	}
	for _, h := range hints {
		target := imagestream.TagRef{Stream: h.Stream, Tag: h.Tag}
		asked := func(ans reconcile.Answer) bool {
			return ans.Target.Stream == h.Stream && (h.Tag == "" || ans.Target.Tag == h.Tag || ans.Target.Tag == "" && views[target].Spec == nil)
		}
		if said[target] || slices.ContainsFunc(rep.Answers, asked) {
			continue
		}
		for _, v := range selected(cat, []imagestream.TagRef{target}) {
			if !said[v.Tag] {
				fmt.Fprintf(a.stdout, "%s: not asked: %s\n", v.Tag, whyUnasked(v, views))
			}
		}
	}
}

// whyUnasked is why nobody was asked for a tag and, of one that follows another, which
// import moves it.
func whyUnasked(v reconcile.TagView, views map[imagestream.TagRef]reconcile.TagView) string {
	source, ok := v, true
	for range len(views) { // at most: they may follow each other in a circle
		if !ok || source.Spec == nil || source.Spec.From.Kind != imagestream.ImageStreamTag {
			break
		}
		source, ok = views[source.Alias]
	}
	switch {
	case v.State == reconcile.Paused:
		return "the repository's config says paused"
	case v.Spec == nil || v.Spec.From.Kind != imagestream.ImageStreamTag:
		return whyNever(v)
	case !ok:
		return fmt.Sprintf("it follows %s, and what that is, is not known", v.Alias)
	case source.Spec != nil && source.Spec.From.Kind == imagestream.ImageStreamTag:
		return fmt.Sprintf("it follows %s, and they follow each other", v.Alias)
	case source.Spec != nil && (source.Spec.From.Kind != imagestream.DockerImage || source.Spec.Reference), source.From == "":
		return fmt.Sprintf("it follows %s, and of that: %s", source.Tag, whyNever(source))
	case source.Tag.Stream == v.Tag.Stream:
		return fmt.Sprintf("it follows %[1]s; towpath import %[1]s asks for that, and moves both", source.Tag)
	}
	return fmt.Sprintf("it follows %[1]s; towpath import %[1]s %[2]s asks for that, and moves both", source.Tag, v.Tag)
}
