package main

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"golang.org/x/net/http/httpproxy"

	"github.com/towpath/towpath/gitstore"
	"github.com/towpath/towpath/reconcile"
	"github.com/towpath/towpath/registry/remote"
)

// A check on a person's pull request. Whoever wrote it may be a stranger: nothing that it
// holds is executed, registries hear of it without any credential, and there is an end to how
// much they are asked.

// planHead prints what merging head into base would do.
func (a *app) planHead(ctx context.Context, base, head string, output string) error {
	op, err := a.operator()
	if err != nil {
		return err
	}
	if a.log, err = a.logger(op); err != nil {
		return err
	}
	if err := checkRepo(op.Repo); err != nil {
		return err
	}
	reader, err := remote.New(anonymous(a.readerOptions(op, a.log), a.getenv))
	if err != nil {
		return usage("%w", hint{err, "correct the file that this names; nothing was asked yet"})
	}
	store, err := openStore(ctx, a.storeOptions(op, a.log, cmp.Or(op.Poll, pollRemote)), true)
	if err != nil {
		return err
	}
	defer store.Close()
	bar := a.progress()
	c := check{Store: store, Reader: reader, Base: cmp.Or(base, op.Branch), Head: head, Progress: bar.set}
	o, err := c.run(ctx)
	bar.done()
	if err != nil {
		return failed(err)
	}
	return a.printOutlook(o, output)
}

// anonymous are the options without anything that says who asks. What the operator says of
// where may be asked stays as it is.
func anonymous(o remote.Options, getenv func(string) string) remote.Options {
	o.Credentials, o.DockerConfig = nil, false
	hosts := make(map[string]remote.Host, len(o.Hosts))
	for name, h := range o.Hosts {
		h.ClientCertFile, h.ClientKeyFile = "", ""
		hosts[name] = h
	}
	o.Hosts = hosts
	o.Proxy.UsernameFile, o.Proxy.PasswordFile = "", ""
	if o.Proxy.Environment {
		o.Proxy = environmentProxy(getenv)
	}
	return o
}

// environmentProxy is the proxy that the environment names, without its password.
func environmentProxy(getenv func(string) string) remote.Proxy {
	either := func(name string) string { return cmp.Or(getenv(name), getenv(strings.ToLower(name))) }
	conf := httpproxy.Config{HTTPProxy: either("HTTP_PROXY"), HTTPSProxy: either("HTTPS_PROXY"), NoProxy: either("NO_PROXY")}
	at := cmp.Or(conf.HTTPSProxy, conf.HTTPProxy)
	if scheme, rest, ok := strings.Cut(at, "://"); ok {
		at = scheme + "://" + rest[strings.LastIndexByte(rest, '@')+1:]
	} else {
		at = at[strings.LastIndexByte(at, '@')+1:]
	}
	if at == "" {
		return remote.Proxy{}
	}
	return remote.Proxy{URL: strings.TrimSuffix(at, "/"), NoProxy: strings.FieldsFunc(conf.NoProxy, func(r rune) bool { return r == ',' || r == ' ' })}
}

// A check looks at what merging a head into a base would do.
type check struct {
	Store      gitstore.Store
	Reader     registryReader
	Base, Head string // a branch, a full ref or, of a repository on this machine, HEAD
	Progress   func(string, int, int)
}

// run reads both sides, lets towpath walk over each without writing, and compares what it
// would do. Base comes first: what it would ask for anyway is no matter of the head's.
func (c check) run(ctx context.Context) (outlook, error) {
	base, err := c.Store.Snapshot(ctx, c.Base)
	if err != nil {
		return outlook{}, fmt.Errorf("--base %s: %w", c.Base, err)
	}
	head, err := c.Store.Snapshot(ctx, c.Head)
	if err != nil {
		return outlook{}, fmt.Errorf("--head %s: %w", c.Head, err)
	}
	view, conflicts, err := gitstore.Merged(ctx, base, head)
	if err != nil {
		return outlook{}, fmt.Errorf("merging %s into %s: %w", c.Head, c.Base, err)
	}
	silent := &noted{asked: map[question]bool{}}
	before, err := c.side(ctx, base, silent)
	if err != nil {
		return outlook{}, err
	}
	changes, err := view.Changes(ctx, base)
	if err != nil {
		return outlook{}, err
	}
	asker := &bounded{reader: c.Reader, theirs: silent.without(changes), left: mostQuestions, until: time.Now().Add(longestCheck)}
	after, err := c.side(ctx, merge{view}, asker)
	if err != nil {
		return outlook{}, err
	}
	o := compare(before, after)
	o.Base, o.Head = treeAt{c.Base, base.Rev()}, treeAt{c.Head, head.Rev()}
	o.Conflicts = conflicts
	return o, nil
}

// side is what towpath would do with a tree.
func (c check) side(ctx context.Context, snap gitstore.Snapshot, reader registryReader) (side, error) {
	r := &reconcile.Reconciler{
		Store: only{snap}, Branch: c.Base, Reader: reader, Dry: true, Progress: c.Progress,
	}
	rep, err := r.Settle(ctx)
	if err != nil {
		return side{}, err
	}
	return side{rep, r.Catalog()}, nil
}
