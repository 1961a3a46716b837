package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/towpath/towpath/reconcile"
)

func newPlan(a *app) *cobra.Command {
	var explained bool
	var output, base, head string
	c := &cobra.Command{
		Use: "plan [--head REF]", Short: "Show what a run would commit, and why", Args: cobra.NoArgs,
		Long: `Ask the registries as run would, and print the commits that run would make as
unified diffs, with the reason of each site. Below stand the sites that stay as they are:
held (a person took the image back), deferred (until their window opens, or the image is old
enough), left alone (there is no image yet) and paused. Nothing is written. Exits 4 when there are changes.

With --head, look at what merging REF into --base gives, and print what is different with it:
problems that it brings or mends, tags and the images that they would be, sites that would
follow. REF is a branch, a ref such as refs/pull/12/head or, of a repository on this machine, HEAD.
A stranger may have written it: registries are asked without any credential, 200 times at the
most, and only for what it changes. Exits 3 when it brings problems, 4 when it changes an image.`,
		Example: `  towpath plan --repo https://git.example/team/streams
  towpath plan --explain --repo .        every tag: what is on record, what the registry says,
                                         what its policy chose and passed over, and why
  towpath plan -o json | jq .commits
  towpath plan --base main --head refs/pull/12/head -o markdown > comment.md
  towpath plan --repo . --base refs/remotes/origin/main --head HEAD`,
	}
	c.Flags().BoolVar(&explained, "explain", false, "say of every tag what is on record and what is done about it")
	c.Flags().StringVarP(&output, "output", "o", "text", "`text|json|markdown`")
	c.Flags().StringVar(&head, "head", "", "look at what merging `REF` would do")
	c.Flags().StringVar(&base, "base", "", "the branch or `REF` that it is merged into (default --branch)")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if err := oneOf("-o", output, "text", "json", "markdown"); err != nil {
			return err
		}
		switch {
		case explained && (head != "" || output == "markdown"):
			return usage("--explain goes without --head, and with -o text or json")
		case head != "":
			return a.planHead(c.Context(), base, head, output)
		case base != "":
			return usage("%w", hint{errors.New("--base says what --head is merged into"), "name a --head, or the branch with --branch"})
		}
		r, _, err := a.open(c.Context())
		if err != nil {
			return err
		}
		defer r.Store.Close()
		bar := a.progress()
		r.Dry, r.Progress = true, bar.set
		rep, err := r.Settle(c.Context(), reconcile.Hint{Scheduled: true})
		bar.done()
		if err != nil {
			return failed(err)
		}
		for _, line := range forgeLines(forgeWords(rep), forgeFix(rep)) {
			fmt.Fprintln(a.stderr, line)
		}
		a.printStuck(a.stderr, rep)
		switch output {
		case "json":
			p := planOf(rep, r.Catalog())
			if explained {
				p.Explain = explain(rep, r.Catalog())
			}
			if err := writeJSON(a.stdout, p); err != nil {
				return failed(err)
			}
		case "markdown":
			fmt.Fprint(a.stdout, outlookOf(rep, r.Catalog()).markdown())
		default:
			a.printPlan(rep, r.Catalog(), explained)
		}
		switch {
		case len(rep.Bad()) > 0 || len(rep.Failing) > 0:
			return &exit{code: exitProblems}
		case len(rep.Planned)+len(rep.Due()) > 0:
			return &exit{code: exitChanges}
		}
		return nil
	}
	return c
}

// oneOf refuses a word that is not one of those known.
func oneOf(flag, word string, known ...string) error {
	for _, k := range known {
		if word == k {
			return nil
		}
	}
	return usage("%s %s: say %s", flag, word, strings.Join(known, " or "))
}

func (a *app) printPlan(rep reconcile.Report, cat *reconcile.Catalog, explained bool) {
	a.printWrites(rep.Planned)
	for _, p := range rep.Due() {
		fmt.Fprintf(a.stdout, "proposal %s: %s\n\n", p.Branch, printable(p.Title()))
		a.printWrites(p.Chain)
	}
	if explained {
		printLeftOut(a.stdout, rep)
		printExplained(a.stdout, explain(rep, cat))
	}
	a.printStays(rep, cat)
}

// printWrites prints commits as they would be made.
func (a *app) printWrites(ws []reconcile.Write) {
	for _, w := range ws {
		for i, line := range strings.Split(strings.TrimRight(w.Commit.Message, "\n"), "\n") {
			if i == 0 {
				line = "commit: " + line
			} else if line != "" {
				line = "    " + line
			}
			fmt.Fprintln(a.stdout, line)
		}
		fmt.Fprintln(a.stdout)
		for _, c := range w.Sites {
			fmt.Fprintf(a.stdout, "why: %s\n", whyLine(c))
		}
		fmt.Fprintf(a.stdout, "%s\n", diffOf(w))
	}
}

// printStays prints what stays as it is, and why.
func (a *app) printStays(rep reconcile.Report, cat *reconcile.Catalog) {
	printSettling(a.stdout, rep)
	for _, v := range cat.Tags() {
		if v.State == reconcile.Adopted {
			fmt.Fprintf(a.stdout, "adopted: %s is on record as OpenShift wrote it; towpath import asks for it\n", v.Tag)
		}
	}
	for _, line := range slices.Concat(heldLines(rep.Held), deferredLines(rep.Deferred), leftAloneLines(rep.Unresolved)) {
		fmt.Fprintln(a.stdout, line)
	}
	if line := pausedLine(cat); line != "" {
		fmt.Fprintf(a.stdout, "paused: %s\n", line)
	}
	printProblems(a.stderr, rep.Problems)
	printFailing(a.stderr, rep)
	if rep.Invalid {
		fmt.Fprintf(a.stderr, "nothing is written anywhere until %s is right\n", reconcile.ConfigPath)
	}
	if rep.Paused {
		fmt.Fprintf(a.stdout, "paused: %s says so; nothing is asked or written\n", reconcile.ConfigPath)
	}
	if len(rep.Planned)+len(rep.Due()) == 0 {
		fmt.Fprintf(a.stdout, "no changes: %s, %s, %s at %s\n", count(rep.Streams, "stream"), count(rep.Tags, "tag"), count(rep.Sites, "site"), rep.Rev.Short())
	}
}

// printLeftOut says of which repositories not all tags are imported.
func printLeftOut(w io.Writer, rep reconcile.Report) {
	for _, a := range rep.Answers {
		if a.LeftOut > 0 {
			fmt.Fprintf(w, "%s: %s of the repository left out by tags-cap: %d\n", a.Target.Stream, count(a.LeftOut, "tag"), a.Cap)
		}
	}
}

func writeJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(jsonText{w})
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}
