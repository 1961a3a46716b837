package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/towpath/towpath/imagestream"
	"github.com/towpath/towpath/reconcile"
)

func newStatus(a *app) *cobra.Command {
	var sites bool
	var output string
	c := &cobra.Command{
		Use: "status [[NS/]STREAM[:TAG]…]", Short: "Show what is on record, and who follows it",
		Long: `Read the branch and print what is on record of each tag, what is wrong, and which
sites are held or left alone. No registry is asked.`,
		Example: `  towpath status --repo /srv/git/streams.git
  towpath status --sites team1/web
  towpath status -o json | jq '.tags[] | select(.failure)'`,
	}
	c.Flags().BoolVar(&sites, "sites", false, "list the sites that follow each tag")
	c.Flags().StringVarP(&output, "output", "o", "text", "`text|json`")
	c.RunE = func(c *cobra.Command, args []string) error {
		if err := oneOf("-o", output, "text", "json"); err != nil {
			return err
		}
		r, _, err := a.open(c.Context())
		if err != nil {
			return err
		}
		defer r.Store.Close()
		bar := a.progress()
		r.Progress = bar.set
		cat, rep, err := r.Survey(c.Context())
		bar.done()
		if err != nil {
			return failed(err)
		}
		views, err := selected(cat, args)
		if err != nil {
			return err
		}
		if output == "json" {
			if err := writeJSON(a.stdout, statusJSON{string(rep.Rev), tagsOf(views), heldOf(rep.Held), unresolvedOf(rep.Unresolved), problemsOf(rep.Problems)}); err != nil {
				return failed(err)
			}
		} else {
			printTags(a.stdout, views, sites)
			for _, h := range rep.Held {
				fmt.Fprintf(a.stdout, "held: %s\n", heldLine(h))
			}
			for _, u := range rep.Unresolved {
				fmt.Fprintf(a.stdout, "left alone: %s: %s: %s\n", u.Site.Path, u.Site.ID, u.Why)
			}
			printProblems(a.stderr, rep.Problems)
		}
		failing := slices.ContainsFunc(views, func(v reconcile.TagView) bool { return v.Failure != nil })
		if len(rep.Bad()) > 0 || failing {
			return &exit{code: exitProblems}
		}
		return nil
	}
	return c
}

// selected are the tags that the arguments name; all without any.
func selected(cat *reconcile.Catalog, args []string) ([]reconcile.TagView, error) {
	all := cat.Tags()
	if len(args) == 0 {
		return all, nil
	}
	var views []reconcile.TagView
	for _, arg := range args {
		target, err := targetOf(cat, arg)
		if err != nil {
			return nil, err
		}
		for _, v := range all {
			if v.Tag.Stream == target.Stream && (target.Tag == "" || target.Tag == v.Tag.Tag) {
				views = append(views, v)
			}
		}
	}
	return views, nil
}

// targetOf finds the stream that [NS/]STREAM[:TAG] names. Without a namespace
// the name must be the only one of its kind, or stand in default.
func targetOf(cat *reconcile.Catalog, arg string) (imagestream.TagRef, error) {
	name, tag, _ := strings.Cut(arg, ":")
	ns, short, qualified := strings.Cut(name, "/")
	if !qualified {
		ns, short = "", name
	}
	var found []imagestream.Name
	for _, s := range cat.Streams {
		if s.Name.Name == short && (!qualified || s.Name.Namespace == ns) {
			found = append(found, s.Name)
		}
	}
	if i := slices.Index(found, imagestream.Name{Namespace: "default", Name: short}); len(found) > 1 && i >= 0 {
		found = found[i : i+1]
	}
	switch len(found) {
	case 0:
		return imagestream.TagRef{}, failed(hint{fmt.Errorf("there is no image stream %s at %s", name, cat.Rev.Short()), "towpath status lists them all"})
	case 1:
		return imagestream.TagRef{Stream: found[0], Tag: tag}, checkTag(cat, found[0], tag)
	}
	return imagestream.TagRef{}, usage("%s stands in several namespaces: say %s or %s", name, found[0], found[1])
}

func checkTag(cat *reconcile.Catalog, stream imagestream.Name, tag string) error {
	known := func(v reconcile.TagView) bool { return v.Tag.Stream == stream && v.Tag.Tag == tag }
	if tag == "" || slices.ContainsFunc(cat.Tags(), known) || cat.Stream(stream).Spec.Repository != "" {
		return nil
	}
	return failed(hint{fmt.Errorf("image stream %s has no tag %s", stream, tag), fmt.Sprintf("towpath status %s lists them", stream)})
}

func printTags(w io.Writer, views []reconcile.TagView, sites bool) {
	if len(views) == 0 {
		fmt.Fprintln(w, "no image streams")
		return
	}
	lines := strings.SplitAfter(tableOf(views), "\n")
	fmt.Fprint(w, lines[0])
	for i, v := range views {
		fmt.Fprint(w, lines[i+1])
		for _, s := range v.Sites {
			if sites {
				fmt.Fprintf(w, "  %s:%d: %s: %s\n", s.Path, s.Line, s.ID, cmp.Or(strings.TrimSpace(s.Current), "-"))
			}
		}
	}
	for _, v := range views {
		if v.Failure != nil {
			fmt.Fprintf(w, "%s fails since %s: %s: %s\n", v.Tag, v.Failure.Since.UTC().Format(time.RFC3339), v.Failure.Reason, v.Failure.Message)
		}
	}
}

// tableOf is a heading, and a line a tag.
func tableOf(views []reconcile.TagView) string {
	var b strings.Builder
	t := tabwriter.NewWriter(&b, 0, 4, 2, ' ', 0)
	fmt.Fprintln(t, "TAG\tSTATE\tIMAGE\tSINCE\tFROM\tSITES")
	for _, v := range views {
		image, since := "-", "-"
		if v.Item != nil {
			image, since = shortDigest(v.Item.Image), v.Item.Created.UTC().Format(time.DateOnly)
		}
		state := string(v.State)
		if v.Failure != nil {
			state += ", " + v.Failure.Reason
		}
		from := v.From
		if v.Source != nil {
			from = v.Source.From
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%d\n", v.Tag, state, image, since, cmp.Or(from, "-"), len(v.Sites))
	}
	t.Flush()
	return b.String()
}
