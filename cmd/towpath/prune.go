package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/towpath/towpath/config"
	"github.com/towpath/towpath/reconcile"
	"github.com/towpath/towpath/registry/counter"
	"github.com/towpath/towpath/registry/integrated"
)

type pruneOptions struct {
	rules                              integrated.PruneRules
	confirm, alone                     bool
	output, server, tokenFile, storage string
}

func newPrune(a *app) *cobra.Command {
	o := pruneOptions{rules: integrated.DefaultPruneRules}
	c := &cobra.Command{
		Use: "prune", Short: "Delete what nothing names from the integrated registry", Args: cobra.NoArgs,
		Long: `Say which images of the integrated registry nothing needs: no tag of a stream is one of them
or lately was, no file names it, and it is not young. Nothing is deleted without --confirm.

Where a daemon serves the registry, ask it: --server names its hooks-listen address. Else the storage is
opened here, and what is in use is read from --repo. Without a repository, as for towpath registry, the
registry's own tags say what stays.`,
		Example: `  towpath prune --config operator.yaml                                      what would go, and why
  towpath prune --server http://127.0.0.1:8081 --token-file import-token --confirm
  towpath prune --storage /var/lib/towpath/registry --keep-younger-than 24h   of towpath registry
  towpath prune -o json | jq '.images[] | select(.goes)'`,
	}
	f := c.Flags()
	f.BoolVar(&o.confirm, "confirm", false, "delete it; without, only say what would go")
	f.IntVar(&o.rules.KeepTagRevisions, "keep-tag-revisions", o.rules.KeepTagRevisions, "keep so many images of each tag, the current one included")
	f.DurationVar(&o.rules.KeepYoungerThan, "keep-younger-than", o.rules.KeepYoungerThan, "keep everything that was stored less than this `time` ago")
	f.StringVarP(&o.output, "output", "o", "text", "`text|json`")
	f.StringVar(&o.server, "server", "", "ask the daemon that takes webhooks at `URL`, such as http://127.0.0.1:8081")
	f.StringVar(&o.tokenFile, "token-file", "", "the `FILE` with the daemon's import token")
	f.StringVar(&o.storage, "storage", "", "the registry's blobs are in `DIR` (default as --config has it)")
	f.BoolVar(&o.alone, "alone", false, "go by the registry's own tags, whatever streams say")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if err := oneOf("-o", o.output, "text", "json"); err != nil {
			return err
		}
		if err := o.rules.Check(); err != nil {
			return usage("--%w", err)
		}
		report, err := a.prune(c.Context(), o)
		if err != nil {
			return failedUnless(err)
		}
		if o.output == "json" {
			return failed(writeJSON(a.stdout, report))
		}
		printPrune(a.stdout, report)
		return nil
	}
	return c
}

// failedUnless makes an error one that says what failed, unless it has an exit code.
func failedUnless(err error) error {
	if e := (*exit)(nil); errors.As(err, &e) {
		return e
	}
	return failed(err)
}

func (a *app) prune(ctx context.Context, o pruneOptions) (integrated.PruneReport, error) {
	switch {
	case o.server != "" && (o.storage != "" || o.alone):
		return integrated.PruneReport{}, usage("%w", hint{errors.New("--server asks a daemon, which knows its storage and streams"), "leave out --storage and --alone"})
	case o.server != "":
		return pruneAt(ctx, o.server, o.tokenFile, o.rules, o.confirm)
	case o.tokenFile != "":
		return integrated.PruneReport{}, usage("%w", hint{errors.New("--token-file is for --server"), "give --server URL, too"})
	}
	op, err := a.operator()
	if err != nil {
		return integrated.PruneReport{}, err
	}
	options, err := pruneStorage(op, o)
	if err != nil {
		return integrated.PruneReport{}, err
	}
	var record integrated.PruneRecord
	if op.Repo != "" && !o.alone {
		r, _, err := a.open(ctx)
		if err != nil {
			return integrated.PruneReport{}, err
		}
		defer r.Store.Close()
		record, options.Guide = pruneRecord(a.ledgerOf(r)), counter.Guide{Reconciler: r} // nobody pushes here; but what waits is read
	}
	reg, err := integrated.New(ctx, options)
	if errors.Is(err, integrated.ErrStorageInUse) {
		return integrated.PruneReport{}, hint{err, "ask the daemon that serves it: towpath prune --server URL --token-file FILE, for which its config has hooks-listen: and import-token-file:; or stop it meanwhile"}
	}
	if err != nil {
		return integrated.PruneReport{}, err
	}
	defer reg.Close() // what was deleted is deleted
	if recorded, err := reg.IsRecorded(ctx); err != nil || recorded && record == nil && !o.alone {
		return integrated.PruneReport{}, cmp.Or(err, error(hint{errors.New("what is in this storage was recorded in Git, and no repository is named"), "give --repo URL|PATH; or, if no stream needs it any more, --alone"}))
	}
	if options.Driver != nil {
		fmt.Fprintln(a.stderr, "note: other processes that serve this storage are not held off; where one does, ask it instead: --server URL")
	}
	return reg.Prune(ctx, record, o.rules, o.confirm)
}

// pruneStorage is how the storage is opened: no request comes in, so that nobody's rights matter,
// and where nothing is confirmed nothing is removed.
func pruneStorage(op *config.Operator, o pruneOptions) (integrated.Options, error) {
	if o.storage != "" {
		dockAt(&op.Registry, "", o.storage)
	}
	dir, driver := string(op.Registry.Storage), op.Registry.StorageDriver.Name
	if dir == "" && driver == "" {
		return integrated.Options{}, usage("%w", hint{errors.New("no storage is named"), "give --storage DIR, or  registry: {storage: DIR}  in --config FILE; or ask the daemon: --server URL --token-file FILE"})
	}
	if dir != "" {
		if info, err := os.Stat(dir); err != nil || !info.IsDir() {
			return integrated.Options{}, usage("%w", hint{fmt.Errorf("there is no directory %s", dir), "name the one that the registry keeps its blobs in"})
		}
	}
	options, err := registryOptions(op.Registry)
	options.Rules, options.KeepFree = nil, 0
	if !o.confirm {
		options.UploadsKept = time.Duration(math.MaxInt64)
	}
	return options, err
}

// ledgerOf reads the branch as it is.
func (a *app) ledgerOf(r *reconcile.Reconciler) func(context.Context) (*reconcile.Ledger, error) {
	return func(ctx context.Context) (*reconcile.Ledger, error) {
		bar := a.progress()
		defer bar.done()
		snap, err := r.Store.Snapshot(ctx, r.Branch)
		if err != nil {
			return nil, err
		}
		cat, err := reconcile.Load(ctx, snap, nil, bar.set)
		if err != nil {
			return nil, err
		}
		return cat.Ledger(ctx)
	}
}

// A pruneRecord says to the registry what streams and places name, read when it asks.
type pruneRecord func(context.Context) (*reconcile.Ledger, error)

func (read pruneRecord) Records(ctx context.Context, digests map[string][]string) (map[string]integrated.RepositoryRecord, error) {
	l, err := read(ctx)
	if why := (*reconcile.Unsure)(nil); errors.As(err, &why) {
		err = hint{fmt.Errorf("nothing is deleted while nobody can tell what is in use: %w", why), why.Fix}
	}
	if err != nil {
		return nil, err
	}
	records := make(map[string]integrated.RepositoryRecord, len(digests))
	for repository, of := range digests {
		var r integrated.RepositoryRecord
		r.Tags, r.Uses = l.Of(counter.StreamOf(repository), of)
		records[repository] = r
	}
	return records, nil
}
