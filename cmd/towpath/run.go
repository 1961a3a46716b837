package main

import (
	"cmp"
	"context"
	"fmt"
	"net"

	"github.com/spf13/cobra"

	"github.com/towpath/towpath/config"
	"github.com/towpath/towpath/reconcile"
	"github.com/towpath/towpath/web"
)

const runExample = `  towpath run --repo /srv/git/streams.git                 watch a repository on this machine
  towpath run --config /etc/towpath/operator.yaml          everything from a file
  towpath run --once --repo https://git.example/a/b        one round, for cron or CI
  towpath run --listen :8080 …                             with /metrics, /healthz and /readyz`

func newRun(a *app) *cobra.Command {
	var once, dry, yes bool
	var listen, hooksListen, registryListen, registryStorage string
	c := &cobra.Command{
		Use: "run", Short: "Import, record and follow, for ever or once", Args: cobra.NoArgs,
		Long: `Watch the repository: import the tags that are due, commit what they are now, and
then move the sites that follow them. Ends on SIGTERM, within 10 seconds. With --dry-run a
registry that it serves takes no pushes, and lets people pull.

With --once, walk until nothing is left to do, print a line for each commit, and for each
proposal that was opened, updated or closed, and end.`,
		Example: runExample,
	}
	c.Flags().BoolVar(&once, "once", false, "walk until nothing is left to do, then end")
	c.Flags().BoolVar(&dry, "dry-run", false, "write nothing, and take no pushes; log what would be written")
	c.Flags().BoolVar(&yes, "yes", false, "consent to a first run that changes more than 100 files")
	c.Flags().StringVar(&listen, "listen", "", "serve /metrics, /healthz and /readyz on `ADDR`, e.g. :8080")
	c.Flags().StringVar(&registryStorage, "registry-storage", "", "serve a registry that keeps its blobs in `DIR`; what is pushed there goes on record")
	c.Flags().StringVar(&registryListen, "registry-listen", "", "serve that registry on `ADDR` (default "+defaultDock+")")
	c.Flags().StringVar(&hooksListen, "hooks-listen", "", "take webhooks on `ADDR`, e.g. :8081; --config names who may send them")
	c.RunE = func(c *cobra.Command, _ []string) error {
		a.daemon = !once
		r, op, err := a.open(c.Context())
		if err != nil {
			return err
		}
		defer r.Store.Close()
		r.Dry, r.Yes = dry, yes
		news, err := a.newBulletin(op, r, a.log)
		if err != nil {
			return err
		}
		ctx, cancel := context.WithCancel(c.Context())
		defer cancel()
		telling, hush := context.WithCancel(context.WithoutCancel(ctx)) // the last pass has news, too
		news.run(telling)
		defer news.wait() // after hush
		defer hush()
		if once {
			return a.runOnce(ctx, r, news)
		}
		op.Listen = config.Address(cmp.Or(listen, string(op.Listen)))
		op.HooksListen = config.Address(cmp.Or(hooksListen, string(op.HooksListen)))
		if docks(op.Registry, registryListen, registryStorage) {
			dockAt(&op.Registry, registryListen, registryStorage)
		}
		return a.runOn(ctx, r, news, op)
	}
	return c
}

// docks reports whether a registry is served: where somebody says at which address, or from which
// storage. What else stands below registry: says neither.
func docks(s config.Served, listen, storage string) bool {
	return listen != "" || storage != "" || s.Listen != "" || s.Storage != "" || s.StorageDriver.Name != ""
}

// runOnce walks until nothing is left to do, and asks every scheduled tag once.
func (a *app) runOnce(ctx context.Context, r *reconcile.Reconciler, news *bulletin) error {
	bar := a.progress()
	r.Progress = bar.set
	rep, err := r.Settle(ctx, reconcile.Hint{Scheduled: true})
	bar.done()
	news.pass(rep)
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

// A server is what listens beside the walker.
type server struct {
	net.Listener
	serve func(context.Context, net.Listener) error
}

func (a *app) runOn(ctx context.Context, r *reconcile.Reconciler, news *bulletin, op *config.Operator) (err error) {
	says := narrator{log: a.log, said: map[string]bool{}, told: map[string]bool{}, catalog: r.Catalog, venue: a.venue}
	passed := []func(reconcile.Report){says.pass, news.pass}
	r.Passed = func(rep reconcile.Report) {
		for _, hears := range passed {
			hears(rep)
		}
	}
	a.log.Info("watching", "repo", op.Repo, "branch", r.Branch, "poll", r.Poll.String(), "dry-run", r.Dry)
	var servers []server
	options := web.Options{Poll: r.Poll, Version: versionOf()}
	var prunes *sweeper
	switch {
	case op.HooksListen != "":
		heard, err := a.openEars(r, op)
		if err != nil {
			return err
		}
		ln, err := listenOn("--hooks-listen", string(op.HooksListen), "127.0.0.1:8081")
		if err != nil {
			return err
		}
		options.Hooks, options.Heard = heard.heard, heard.last
		if heard.imports != nil {
			prunes = heard.prunes
			passed = append(passed, heard.imports.passed)
		}
		servers = append(servers, server{ln, heard.serve})
		a.log.Info("serving webhooks", "address", ln.Addr().String(), "receivers", len(op.Hooks), "imports", heard.imports != nil)
	case len(op.Hooks) > 0 || op.ImportTokenFile != "":
		a.log.Warn("hooks or import-token-file are configured, and nobody listens", "fix", "add hooks-listen: to --config FILE, or give --hooks-listen")
	}
	switch {
	case op.Registry.Listen != "":
		d, err := a.openDock(ctx, op, r)
		if err != nil {
			closeAll(servers)
			return err
		}
		defer func() { err = cmp.Or(err, failed(d.registry.Close())) }() // after the walker's last pass
		r.Arrivals = d.registry
		options.Registry = d.answered
		if prunes != nil {
			prunes.over(d.registry, r)
		}
		servers = append(servers, server{d.Listener, d.serve})
	case op.Registry.At != config.Position{}:
		a.log.Warn("registry is configured, and none is served: it has no storage", "fix", "add storage: DIR below registry: in --config FILE, or give --registry-storage DIR")
	}
	if op.Listen != "" {
		ln, err := listenOn("--listen", string(op.Listen), "127.0.0.1:8080")
		if err != nil {
			closeAll(servers)
			return err
		}
		page := web.New(options)
		r.Progress = func(string, int, int) { page.Beat() }
		shows := teller{r: r, venue: a.venue}
		passed = append([]func(reconcile.Report){func(rep reconcile.Report) {
			s := shows.pass(rep)
			s.Notifications = news.counts()
			page.Set(s)
		}}, passed...)
		servers = append(servers, server{ln, func(ctx context.Context, ln net.Listener) error { return web.Serve(ctx, ln, page) }})
		a.log.Info("serving", "address", ln.Addr().String(), "paths", "/ /healthz /readyz /metrics /status.json")
	}
	return failed(runBeside(ctx, r.Run, servers))
}

// listenOn listens at an address. Where that cannot be, the error names one like it.
func listenOn(flag, address, like string) (net.Listener, error) {
	ln, err := net.Listen("tcp", address)
	if err != nil {
		return nil, failed(hint{fmt.Errorf("%s: %w", flag, err), "give host:port of this machine that is free, such as " + like})
	}
	return ln, nil
}

func closeAll(servers []server) {
	for _, s := range servers {
		s.Close()
	}
}

// runBeside runs the walker and the servers. When one of them ends, all do.
func runBeside(ctx context.Context, run func(context.Context) error, servers []server) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	served := make(chan error, len(servers))
	for _, s := range servers {
		go func() {
			served <- s.serve(ctx, s.Listener)
			cancel()
		}()
	}
	err := run(ctx)
	cancel()
	for range servers {
		err = cmp.Or(err, <-served)
	}
	return err
}
