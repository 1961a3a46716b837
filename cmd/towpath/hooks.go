package main

import (
	"cmp"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/towpath/towpath/config"
	"github.com/towpath/towpath/hooks"
)

func newHooks(a *app) *cobra.Command {
	var tokens, kinds bool
	c := &cobra.Command{
		Use: "hooks", Short: "Say what to set at registries and forges so that they tell of pushes", Args: cobra.NoArgs,
		Long: `Print, for each receiver under hooks: of the operator's config, its URL and what to paste at
the sender's side. The secret part of a URL is shown with --show-tokens alone.`,
		Example: `  towpath hooks --config /etc/towpath/operator.yaml
  towpath hooks --show-tokens       with whole URLs: nobody should look over your shoulder
  towpath hooks --kinds             who can be understood`,
	}
	c.Flags().BoolVar(&tokens, "show-tokens", false, "print URLs with the secret part, which is read from its file")
	c.Flags().BoolVar(&kinds, "kinds", false, "list the kinds of senders, and nothing else")
	c.RunE = func(*cobra.Command, []string) error {
		if kinds {
			a.printKinds()
			return nil
		}
		op, err := a.operator()
		if err != nil {
			return err
		}
		if len(op.Hooks) == 0 {
			return usage("%w", hint{errors.New("no receiver is configured"),
				"add to --config FILE: hooks: [{name: NAME, kind: KIND, path-token-file: FILE}]; towpath hooks --kinds lists the kinds, docs/webhooks.md says the rest"})
		}
		if err := a.printHooks(op, tokens); err != nil {
			return err
		}
		return a.checkHooks(op)
	}
	return c
}

// checkHooks says what towpath run would not take, or close.
func (a *app) checkHooks(op *config.Operator) error {
	h, err := hooks.New(hooks.Options{Receivers: receiversOf(op)})
	if err != nil {
		return failed(a.hookFault(op, err))
	}
	for _, why := range h.Closed() {
		fmt.Fprintf(a.stderr, "%s: %v\n", "closed until the file can be read", why)
	}
	if len(h.Closed()) > 0 {
		return &exit{code: exitProblems}
	}
	return nil
}

func (a *app) printKinds() {
	for _, kind := range hooks.Kinds() {
		title, _ := hooks.About(kind, "")
		fmt.Fprintf(a.stdout, "%-24s %s\n", kind, title)
	}
}

func (a *app) printHooks(op *config.Operator, tokens bool) error {
	if op.HooksListen == "" {
		fmt.Fprintln(a.stderr, "nobody listens: add hooks-listen: to --config FILE, or give --hooks-listen to towpath run")
	}
	if op.HooksURL == "" {
		fmt.Fprintln(a.stderr, "how senders reach hooks-listen is not known: add hooks-url: https://HOST to --config FILE")
	}
	for i, h := range op.Hooks {
		token := "<contents of " + string(h.PathTokenFile) + ">"
		if tokens {
			text, err := readSecret(string(h.PathTokenFile))
			if err != nil {
				return failed(hint{fmt.Errorf("hook %s: path-token-file: %w", h.Name, err), "write one made by openssl rand -hex 32 to it"})
			}
			token = text
		}
		if i > 0 {
			fmt.Fprintln(a.stdout)
		}
		title, lines := hooks.About(string(h.Kind), hooksBase(op)+hooks.Prefix+string(h.Kind)+"/"+token)
		fmt.Fprintf(a.stdout, "%s: %s\n", h.Name, title)
		for _, line := range append(receiverLines(h), lines...) {
			fmt.Fprintf(a.stdout, "  %s\n", printable(line))
		}
	}
	return nil
}

// receiverLines are what is configured on our side.
func receiverLines(h config.Receiver) []string {
	var lines []string
	if h.Host != "" {
		lines = append(lines, "tells of pushes to "+string(h.Host))
	}
	if len(h.Namespaces) > 0 {
		lines = append(lines, "wakes streams of namespaces "+strings.Join(textsOf(h.Namespaces), ", "))
	}
	if len(h.Paths) > 0 {
		lines = append(lines, "wakes streams in "+strings.Join(textsOf(h.Paths), ", "))
	}
	for _, file := range h.SecretFiles {
		lines = append(lines, "secret file: "+string(file))
	}
	return lines
}

// hooksBase is how senders reach us, as far as it is known.
func hooksBase(op *config.Operator) string {
	base := cmp.Or(string(op.HooksURL), "https://HOST")
	if op.HooksURL == "" && loopback(string(op.HooksListen)) != "" {
		base = loopback(string(op.HooksListen))
	}
	return base
}
