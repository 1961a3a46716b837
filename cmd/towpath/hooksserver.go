package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"

	"github.com/towpath/towpath/config"
	"github.com/towpath/towpath/hooks"
	"github.com/towpath/towpath/reconcile"
	"github.com/towpath/towpath/web"
)

// ears are what the daemon hears others by: webhooks, and people who ask for an import.
type ears struct {
	*hooks.Handler
	guard   *guard // before both that follow; nil: nobody may ask
	imports *importer
	prunes  *sweeper
	keys    *hooks.Keys
}

// openEars puts together what listens at hooks-listen. What a payload says is handed to
// the walker as a hint, and to nobody else.
func (a *app) openEars(r *reconcile.Reconciler, op *config.Operator) (*ears, error) {
	if len(op.Hooks) == 0 && op.ImportTokenFile == "" {
		return nil, usage("%w", hint{errors.New("--hooks-listen has nobody to listen to"), "name senders under hooks: in --config FILE, or import-token-file:"})
	}
	receivers, scopes := receiversOf(op), scopesOf(op)
	e := &ears{keys: hooks.NewKeys(hooks.IssuerClient(), hooks.Issuers(receivers), a.log)}
	var err error
	e.Handler, err = hooks.New(hooks.Options{
		Receivers: receivers, Log: a.log, Keys: e.keys, TrustedProxies: prefixesOf(op.TrustedProxies),
		Look: func(rec hooks.Receiver, s hooks.Sighting) bool { return look(r, scopes[rec.Name], s) },
	})
	if err != nil {
		return nil, usage("%w", a.hookFault(op, err))
	}
	if op.ImportTokenFile != "" {
		token := &secretFile{path: string(op.ImportTokenFile)}
		if err := checkImportToken(token); err != nil {
			return nil, usage("import-token-file: %w", hint{err, "write one made by openssl rand -hex 32 to it"})
		}
		e.guard, e.imports, e.prunes = newGuard(token), newImporter(a, r), &sweeper{log: a.log}
	}
	return e, nil
}

// look tells the walker what a payload hints at, and reports whether there was room.
func look(r *reconcile.Reconciler, scope *reconcile.Scope, s hooks.Sighting) bool {
	room := true
	if s.Branch {
		room = r.Hint(reconcile.Hint{Git: true})
	}
	for _, i := range s.Images {
		room = r.Hint(reconcile.Hint{Repo: i.Repo, Upstream: i.Tag, Expect: i.Digest, Scope: scope}) && room
	}
	return room
}

// ServeHTTP implements http.Handler. Paths are taken as they are: nobody is redirected, for
// a path may hold a secret.
func (e *ears) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var person http.Handler
	switch {
	case e.guard == nil:
	case strings.HasPrefix(r.URL.Path, importPrefix):
		person = e.imports
	case r.URL.Path == prunePath:
		person = e.prunes
	}
	if person == nil {
		e.Handler.ServeHTTP(w, r)
		return
	}
	if code, why := e.guard.refuses(r); why != nil {
		answerPost(w, code, turnedAway{fmt.Sprint(why), fixOf(why)})
		return
	}
	person.ServeHTTP(w, r)
}

// serve listens until the context ends.
func (e *ears) serve(ctx context.Context, ln net.Listener) error {
	ctx, cancel := context.WithCancel(ctx)
	kept := make(chan struct{})
	go func() {
		defer close(kept)
		e.keys.Run(ctx)
	}()
	err := hooks.Serve(ctx, ln, e)
	cancel()
	<-kept
	return err
}

// heard is what became of deliveries, for the metrics.
func (e *ears) heard() []web.HookCount {
	var counts []web.HookCount
	for _, c := range e.Counts() {
		counts = append(counts, web.HookCount{Kind: c.Kind, Outcome: c.Outcome, N: c.N})
	}
	return counts
}

// last is when each receiver was last heard, likewise.
func (e *ears) last() []web.HookTime {
	var all []web.HookTime
	for _, l := range e.Heard() {
		all = append(all, web.HookTime(l))
	}
	return all
}

func receiversOf(op *config.Operator) []hooks.Receiver {
	var receivers []hooks.Receiver
	for _, h := range op.Hooks {
		receivers = append(receivers, hooks.Receiver{
			Name: string(h.Name), Kind: string(h.Kind), Host: string(h.Host), From: prefixesOf(h.From), Branch: h.Branch,
			Audience: h.Audience, Issuer: string(h.Issuer), Email: h.Email, Secrets: secretsOf(h),
		})
	}
	return receivers
}

// secretsOf reads a receiver's files. Of two secrets one may be gone: that is how a rotation
// ends. One that cannot be read is an error, so that the receiver is closed.
func secretsOf(h config.Receiver) func() (hooks.Secrets, error) {
	path := &secretFile{path: string(h.PathTokenFile)}
	var keys []*secretFile
	for _, file := range h.SecretFiles {
		keys = append(keys, &secretFile{path: string(file)})
	}
	return func() (hooks.Secrets, error) {
		token, err := path.read()
		if err != nil {
			return hooks.Secrets{}, fmt.Errorf("path-token-file: %w", err)
		}
		s := hooks.Secrets{Token: token}
		for _, k := range keys {
			key, err := k.read()
			if errors.Is(err, os.ErrNotExist) && len(keys) > 1 {
				continue
			}
			if err != nil {
				return hooks.Secrets{}, fmt.Errorf("secret-files: %w", err)
			}
			s.Keys = append(s.Keys, []byte(key))
		}
		if len(keys) > 0 && len(s.Keys) == 0 {
			return hooks.Secrets{}, errors.New("secret-files: none of them is there")
		}
		return s, nil
	}
}

// scopesOf are the streams that each receiver may wake, by its name.
func scopesOf(op *config.Operator) map[string]*reconcile.Scope {
	scopes := map[string]*reconcile.Scope{}
	for _, h := range op.Hooks {
		scopes[string(h.Name)] = &reconcile.Scope{Namespaces: h.Namespaces, Paths: h.Paths}
	}
	return scopes
}

func prefixesOf(ns []config.Network) []netip.Prefix {
	var ps []netip.Prefix
	for _, n := range ns {
		ps = append(ps, n.Prefix())
	}
	return ps
}

// checkImportToken refuses a token that could be guessed.
func checkImportToken(f *secretFile) error {
	token, err := f.read()
	switch {
	case err != nil:
		return err
	case len(token) < 32:
		return errors.New("the token is shorter than 32 characters")
	}
	return oneToken(f.path, token)
}
