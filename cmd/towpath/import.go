package main

import (
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"github.com/towpath/towpath/imagestream"
	"github.com/towpath/towpath/reconcile"
)

func newImport(a *app) *cobra.Command {
	var all bool
	var server, tokenFile string
	c := &cobra.Command{
		Use: "import [NS/]STREAM[:TAG]… | --all", Short: "Ask registries now, and record what they say",
		Long: `Ask for the named tags now, whether they are due or not, and commit what they are
into the status of their streams. Tags of those streams that follow them go with them; tags of
other streams, and sites, are left to run. Exits 3 when an import failed, or what was named is paused.

With --server, the daemon that serves there does it, and moves sites as ever; that needs its
token, and no access to the repository or to a registry.`,
		Example: `  towpath import web:stable --repo /srv/git/streams.git
  towpath import team1/web                 every tag of the stream
  towpath import --all
  towpath import team1/web:stable --server https://hooks.example --token-file token`,
	}
	c.Flags().BoolVar(&all, "all", false, "every tag of every stream")
	c.Flags().StringVar(&server, "server", "", "let the daemon at `URL` do it: its --hooks-listen address, or the way to it")
	c.Flags().StringVar(&tokenFile, "token-file", "", "the `FILE` with the daemon's token, for --server")
	c.RunE = func(c *cobra.Command, args []string) error {
		switch {
		case server != "" && all:
			return usage("%w", hint{errors.New("--all asks for too much of a daemon at once"), "name the streams, or leave --server out"})
		case server != "" && len(args) > 0:
			return a.importAt(c.Context(), server, tokenFile, args)
		case server == "" && tokenFile != "":
			return usage("%w", hint{errors.New("--token-file is for --server"), "add --server URL, or leave it out"})
		}
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
		if err == nil && a.printUnasked(r.Catalog(), rep, r.Targets, said) {
			fails = true
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
	rows, said := importRows(rep)
	for _, r := range rows {
		fmt.Fprint(a.stdout, r.text())
	}
	for _, c := range rep.Commits {
		fmt.Fprintf(a.stdout, "%s %s\n", c.Rev.Short(), printable(c.Subject))
	}
	a.printDid(a.stdout, rep)
	a.printStuck(a.stderr, rep)
	return failing(rows), said
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

// printUnasked says why nobody was asked for what was named, and reports whether that is for a
// person to change.
func (a *app) printUnasked(cat *reconcile.Catalog, rep reconcile.Report, hints []reconcile.Hint, said map[imagestream.TagRef]bool) bool {
	switch why, fix := nothingAsked(rep); {
	case why != "":
		fmt.Fprintln(a.stdout, why)
		printFix(a.stdout, fix)
		return true
	case len(hints) == 0 && len(rep.Answers) == 0:
		fmt.Fprintln(a.stdout, "nothing was asked: towpath status says of each stream why")
	}
	rows := unaskedRows(cat, rep, hints, said)
	for _, r := range rows {
		fmt.Fprint(a.stdout, r.text())
	}
	return failing(rows)
}

// printFix prints the next step below what it is about, if there is one.
func printFix(w io.Writer, fix string) {
	if fix != "" {
		fmt.Fprintf(w, "  fix: %s\n", printable(fix))
	}
}

// nothingAsked is why nobody is asked for anything in a repository, empty where one is, and what to
// do about it. What is not right there is said elsewhere, with its line.
func nothingAsked(rep reconcile.Report) (why, fix string) {
	switch {
	case rep.Invalid:
		return "nothing was asked: " + reconcile.ConfigPath + " is not right", ""
	case rep.Paused:
		return "nothing was asked: " + reconcile.ConfigPath + " says paused", unpause("paused: true")
	}
	return "", ""
}

// unpause is the next step where a line of the repository's config pauses what was asked for.
func unpause(line string) string {
	return "take " + line + " out of " + reconcile.ConfigPath + ", commit that, and import again"
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
