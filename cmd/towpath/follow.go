package main

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/towpath/towpath/reconcile"
	"github.com/towpath/towpath/trigger"
)

func newFollow(a *app) *cobra.Command {
	var resume, dry bool
	c := &cobra.Command{
		Use: "follow --resume PATH[:LINE|#CONTAINER]…", Short: "Let sites that are held follow their tag again",
		Long: `Give sites that are held, or deferred, the image that their tag is now, and commit that: a
person took it back, and a person wants it again. Of a file that is named all such sites move;
a line, or the name of a container, picks one. No registry is asked, and nothing else is
written. Where the image is taken back once more, the site is held once more.

Exits 1 when what is named holds no such site; towpath status --sites lists them.`,
		Example: `  towpath follow --resume deploy/web.yaml
  towpath follow --resume deploy/web.yaml#web deploy/all.yaml:41
  towpath follow --resume deploy/web.yaml --dry-run      show the diff, and write nothing`,
	}
	c.Flags().BoolVar(&resume, "resume", false, "move the sites that are named, although they are held")
	c.Flags().BoolVar(&dry, "dry-run", false, "print the diff and write nothing")
	c.RunE = func(c *cobra.Command, args []string) error {
		switch {
		case !resume:
			return usage("%w", hint{errors.New("sites follow by themselves: this command only resumes those that are held"),
				"write towpath follow --resume PATH; towpath status --sites lists who follows what, and who is held"})
		case len(args) == 0:
			return usage("%w", hint{errors.New("no site is named"), "write towpath follow --resume PATH[:LINE|#CONTAINER]; towpath status --sites lists them"})
		}
		return a.follow(c.Context(), args, dry)
	}
	return c
}

// follow moves the sites that are named.
func (a *app) follow(ctx context.Context, args []string, dry bool) error {
	r, _, err := a.open(ctx)
	if err != nil {
		return err
	}
	defer r.Store.Close()
	bar := a.progress()
	r.Progress = bar.set
	_, rep, err := r.Survey(ctx)
	if err != nil {
		bar.done()
		return failed(err)
	}
	named, err := resumed(args, stopped(rep))
	if err != nil {
		bar.done()
		return err
	}
	r.Dry, r.Resume = dry, func(s *reconcile.Site) bool { return named[siteKey{s.Path, s.ID}] }
	rep, err = r.Settle(ctx)
	bar.done()
	for _, c := range rep.Commits {
		fmt.Fprintf(a.stdout, "%s %s\n", c.Rev.Short(), printable(c.Subject))
	}
	a.printDid(a.stdout, rep)
	a.printStuck(a.stderr, rep)
	if dry {
		for _, w := range rep.Planned {
			for _, c := range w.Sites {
				fmt.Fprintf(a.stderr, "why: %s\n", whyLine(c))
			}
			fmt.Fprint(a.stdout, diffOf(w))
		}
	}
	if err == nil {
		err = forgeAway(rep)
	}
	return failed(err)
}

// siteKey names a site for as long as people would call it the same.
type siteKey struct {
	path string
	id   trigger.ID
}

// stopped are the sites that differ from the record and do not move: held, then deferred.
func stopped(rep reconcile.Report) []*reconcile.Site {
	var sites []*reconcile.Site
	for _, h := range rep.Held {
		sites = append(sites, h.Change.Site)
	}
	for _, d := range rep.Deferred {
		sites = append(sites, d.Change.Site)
	}
	return sites
}

// resumed are the sites that arguments name, of those that are held.
func resumed(args []string, held []*reconcile.Site) (map[siteKey]bool, error) {
	named := map[siteKey]bool{}
	for _, arg := range args {
		found := false
		for _, s := range held {
			if names(arg, s) {
				named[siteKey{s.Path, s.ID}], found = true, true
			}
		}
		if !found {
			return nil, failed(hint{fmt.Errorf("%s names no site that is held", arg), heldList(held)})
		}
	}
	return named, nil
}

// names reports whether PATH[:LINE|#CONTAINER] names a site. What stands behind # may also
// be the field of a site that is in no container.
func names(arg string, s *reconcile.Site) bool {
	if path.Clean(arg) == s.Path {
		return true
	}
	if file, name, ok := cutLast(arg, "#"); ok && path.Clean(file) == s.Path {
		return name == s.ID.Field || slices.Contains(strings.Split(s.ID.Container, ","), name)
	}
	if file, line, ok := cutLast(arg, ":"); ok && path.Clean(file) == s.Path {
		n, err := strconv.Atoi(line)
		return err == nil && (n == s.Line || slices.ContainsFunc(s.Places, func(p trigger.Place) bool { return p.Line == n }))
	}
	return false
}

func cutLast(text, sep string) (before, after string, ok bool) {
	i := strings.LastIndex(text, sep)
	if i < 0 {
		return text, "", false
	}
	return text[:i], text[i+len(sep):], true
}

// heldList names what could be resumed.
func heldList(held []*reconcile.Site) string {
	const most = 20
	if len(held) == 0 {
		return "none is held: towpath status --sites lists who follows what"
	}
	var lines []string
	for _, s := range held[:min(len(held), most)] {
		lines = append(lines, fmt.Sprintf("%s:%d (%s)", s.Path, s.Line, s.ID))
	}
	if more := len(held) - most; more > 0 {
		lines = append(lines, fmt.Sprintf("and %d more", more))
	}
	return "these are held: " + strings.Join(lines, "; ")
}
