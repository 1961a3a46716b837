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
into the status of their streams. Sites are left to run. Exits 3 when an import failed.`,
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
		fails := a.printImports(rep)
		printLeft(a.stdout, rep)
		problems := rep.Problems
		if !all {
			problems = problemsFor(r.Catalog(), hints, problems)
		}
		if len(rep.Answers) == 0 && err == nil {
			fmt.Fprintln(a.stdout, "nothing was asked: see towpath status for what is paused, or names no registry")
		}
		printProblems(a.stderr, problems)
		switch {
		case err != nil:
			return failed(err)
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

// printImports prints a line a tag, and reports whether one failed.
func (a *app) printImports(rep reconcile.Report) (fails bool) {
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
	said := map[imagestream.TagRef]bool{}
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
	for _, w := range rep.Planned { // what follows them
		for _, s := range w.Streams {
			for _, e := range s.Events {
				if tag := (imagestream.TagRef{Stream: s.Stream.Name, Tag: e.Tag}); e.Item != nil && !said[tag] {
					fmt.Fprintf(a.stdout, "%s: %s (new, with the tag that it follows)\n", tag, cmp.Or(e.Item.Image, e.Item.Reference))
				}
			}
		}
	}
	for _, c := range rep.Commits {
		fmt.Fprintf(a.stdout, "%s %s\n", c.Rev.Short(), printable(c.Subject))
	}
	return fails
}
