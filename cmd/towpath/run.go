package main

import (
	"cmp"
	"context"
	"fmt"
	"net"

	"github.com/spf13/cobra"

	"github.com/towpath/towpath/reconcile"
	"github.com/towpath/towpath/web"
)

const runExample = `  towpath run --repo /srv/git/streams.git                 watch a repository on this machine
  towpath run --config /etc/towpath/operator.yaml          everything from a file
  towpath run --once --repo https://git.example/a/b        one round, for cron or CI
  towpath run --listen :8080 …                             with /metrics, /healthz and /readyz`

func newRun(a *app) *cobra.Command {
	var once, dry, yes bool
	var listen string
	c := &cobra.Command{
		Use: "run", Short: "Import, record and follow, for ever or once", Args: cobra.NoArgs,
		Long: `Watch the repository: import the tags that are due, commit what they are now, and
then move the sites that follow them. Ends on SIGTERM, within 10 seconds.

With --once, walk until nothing is left to do, print a line for each commit, and for each
proposal that was opened, updated or closed, and end.`,
		Example: runExample,
	}
	c.Flags().BoolVar(&once, "once", false, "walk until nothing is left to do, then end")
	c.Flags().BoolVar(&dry, "dry-run", false, "write nothing; log what would be written")
	c.Flags().BoolVar(&yes, "yes", false, "consent to a first run that changes more than 100 files")
	c.Flags().StringVar(&listen, "listen", "", "serve /metrics, /healthz and /readyz on `ADDR`, e.g. :8080")
	c.RunE = func(c *cobra.Command, _ []string) error {
		a.daemon = !once
		r, op, err := a.open(c.Context())
		if err != nil {
			return err
		}
		defer r.Store.Close()
		r.Dry, r.Yes = dry, yes
		if once {
			return a.runOnce(c.Context(), r)
		}
		return a.runOn(c.Context(), r, op.Repo, cmp.Or(listen, string(op.Listen)))
	}
	return c
}

// runOnce walks until nothing is left to do, and asks every scheduled tag once.
func (a *app) runOnce(ctx context.Context, r *reconcile.Reconciler) error {
	bar := a.progress()
	r.Progress = bar.set
	rep, err := r.Settle(ctx, reconcile.Hint{Scheduled: true})
	bar.done()
	for _, c := range rep.Commits {
		fmt.Fprintf(a.stdout, "%s %s\n", c.Rev.Short(), printable(c.Subject))
	}
	a.printDid(a.stdout, rep)
	if r.Dry {
		for _, w := range rep.Planned {
			fmt.Fprintf(a.stdout, "would commit: %s\n", printable(w.Subject()))
		}
		for _, p := range rep.Proposals {
			if p.Due {
				fmt.Fprintf(a.stdout, "would propose: %s\n", printable(p.Title))
			}
		}
	}
	printLeft(a.stdout, rep)
	printProblems(a.stderr, rep.Problems)
	printFailing(a.stderr, rep)
	a.printStuck(a.stderr, rep)
	printStays(a.stderr, rep)
	switch {
	case err != nil:
		return failed(err)
	case forgeAway(rep) != nil:
		return failed(rep.ForgeErr)
	case len(rep.Bad()) > 0 || len(rep.Failing) > 0 || refused(rep):
		return &exit{code: exitProblems}
	}
	return nil
}

func (a *app) runOn(ctx context.Context, r *reconcile.Reconciler, repo, listen string) error {
	says := narrator{log: a.log, said: map[string]bool{}, told: map[string]bool{}, catalog: r.Catalog, venue: a.venue}
	r.Passed = says.pass
	a.log.Info("watching", "repo", repo, "branch", r.Branch, "poll", r.Poll.String(), "dry-run", r.Dry)
	if listen == "" {
		return failed(r.Run(ctx))
	}
	ln, err := net.Listen("tcp", listen)
	if err != nil {
		return failed(hint{fmt.Errorf("--listen: %w", err), "give host:port of this machine that is free, such as 127.0.0.1:8080"})
	}
	page := web.New(web.Options{Poll: r.Poll, Version: versionOf()})
	r.Progress = func(string, int, int) { page.Beat() }
	shows := teller{r: r, venue: a.venue}
	r.Passed = func(rep reconcile.Report) { page.Set(shows.pass(rep)); says.pass(rep) }
	a.log.Info("serving", "address", ln.Addr().String(), "paths", "/ /healthz /readyz /metrics /status.json")

	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	served := make(chan error, 1)
	go func() {
		served <- web.Serve(ctx, ln, page)
		cancel()
	}()
	err = r.Run(ctx)
	cancel()
	if e := <-served; err == nil {
		err = e
	}
	return failed(err)
}
