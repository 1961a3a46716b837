package main

import (
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/towpath/towpath/config"
	"github.com/towpath/towpath/imagestream"
)

// schemas are the JSON Schemas that there are.
var schemas = []struct {
	names []string // the first is shown
	what  string
	text  func() []byte
}{
	{[]string{"imagestream"}, "an ImageStream with towpath's annotations, or a List of them", imagestream.Schema},
	{[]string{"repository", "config"}, ".towpath.yaml, in the root of the watched branch", config.RepositorySchema},
	{[]string{"operator"}, "the operator's file, towpath run --config FILE", config.OperatorSchema},
}

func newSchema(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "schema [imagestream|repository|operator]", Short: "Print a JSON Schema, for editors",
		Long: `Print the JSON Schema (draft-07) of a kind of file, so that an editor completes and checks
it while people type. Without a name, list what there is. What a schema cannot say, such as
that a name is there twice, towpath validate does.`,
		Example: `  towpath schema imagestream > .towpath/imagestream.schema.json

and in the first line of a stream's file:

  # yaml-language-server: $schema=../.towpath/imagestream.schema.json`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				for _, s := range schemas {
					fmt.Fprintf(a.stdout, "%-12s %s\n", s.names[0], s.what)
				}
				return nil
			}
			for _, s := range schemas {
				if slices.Contains(s.names, args[0]) {
					_, err := a.stdout.Write(s.text())
					return failed(err)
				}
			}
			return &exit{exitUsage, hint{fmt.Errorf("there is no schema %q", args[0]), "write one of imagestream, repository, operator"}}
		},
	}
}
