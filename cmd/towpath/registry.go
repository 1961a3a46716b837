package main

import (
	"cmp"
	"errors"

	"github.com/spf13/cobra"

	"github.com/towpath/towpath/config"
)

const registryExample = `  towpath registry --storage /var/lib/towpath/registry            on 127.0.0.1:5000, for this machine
  towpath registry --config operator.yaml                         with TLS, users and limits
  docker push localhost:5000/team1/web:1.4`

// defaultDock is where a registry listens when nobody says otherwise.
const defaultDock = "127.0.0.1:5000"

func newRegistry(a *app) *cobra.Command {
	var listen, storage string
	c := &cobra.Command{
		Use: "registry", Short: "Serve a registry alone, without Git", Args: cobra.NoArgs,
		Long: `Serve an OCI registry, and nothing else: no repository is watched, and a push moves
nothing. What may be done by whom stands below registry: in --config FILE; where that names no
users and no tokens, this machine alone may pull and push.

To put what is pushed on record, run towpath run --registry-storage DIR instead.`,
		Example: registryExample,
	}
	c.Flags().StringVar(&listen, "listen", "", "serve on `ADDR` (default "+defaultDock+")")
	c.Flags().StringVar(&storage, "storage", "", "keep blobs in `DIR`; without, in memory")
	c.RunE = func(c *cobra.Command, _ []string) error {
		op, err := a.operator()
		if err != nil {
			return err
		}
		if a.log, err = a.logger(op); err != nil {
			return err
		}
		dockAt(&op.Registry, listen, storage)
		d, err := a.openDock(c.Context(), op, nil)
		if err != nil {
			return err
		}
		return failed(errors.Join(d.serve(c.Context(), d.Listener), d.registry.Close()))
	}
	return c
}

// dockAt puts flags on top of what the operator's file says of the registry.
func dockAt(s *config.Served, listen, storage string) {
	s.Listen = config.Address(cmp.Or(listen, string(s.Listen), defaultDock))
	if storage != "" {
		s.Storage, s.StorageDriver = config.File(storage), config.StorageDriver{}
	}
}
