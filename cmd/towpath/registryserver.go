package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"maps"
	"math"
	"net"
	"net/http"
	"net/netip"
	"os"
	"time"

	"golang.org/x/net/netutil"

	"github.com/towpath/towpath/config"
	"github.com/towpath/towpath/hooks"
	"github.com/towpath/towpath/internal/serving"
	"github.com/towpath/towpath/reconcile"
	"github.com/towpath/towpath/registry/counter"
	"github.com/towpath/towpath/registry/integrated"
	"github.com/towpath/towpath/web"
)

// A dock is the registry that a process serves, where it listens.
type dock struct {
	registry *integrated.Registry
	net.Listener
}

// openDock opens the registry and its address. With a reconciler what is pushed goes on
// record, and what is on record can be pulled; without, it stands alone.
func (a *app) openDock(ctx context.Context, op *config.Operator, r *reconcile.Reconciler) (*dock, error) {
	options, err := registryOptions(op.Registry)
	if err != nil {
		return nil, err
	}
	options.Logger = a.log
	options.Rules.Client = clientBehind(op.TrustedProxies)
	if r != nil {
		options.Guide = counter.Guide{Reconciler: r}
		if r.Dry {
			options.Guide, options.UploadsKept = rehearsing{options.Guide}, math.MaxInt64
		}
		options.Fetcher, _ = r.Reader.(integrated.Fetcher)
	}
	certificate, err := newKeyPair(string(op.Registry.CertFile), string(op.Registry.KeyFile), a.log)
	if err != nil {
		return nil, usage("registry: %w", hint{err, "correct cert-file and key-file below registry: in --config FILE"})
	}
	reg, err := integrated.New(ctx, options)
	if err != nil {
		return nil, failed(hint{err, registryFix(op.Registry, r == nil, err)})
	}
	flag := dockFlag(r == nil)
	ln, err := listenOn(flag, string(op.Registry.Listen), "127.0.0.1:5001")
	if err != nil {
		return nil, errors.Join(err, reg.Close())
	}
	ln = netutil.LimitListener(ln, integrated.MostConnections)
	scheme := "http"
	if certificate != nil {
		scheme = "https"
		ln = tls.NewListener(ln, &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}, GetCertificate: certificate.of})
	}
	a.log.Info("serving a registry", "address", scheme+"://"+ln.Addr().String(), "storage", storageName(op.Registry))
	if scheme == "http" && !isLoopback(ln.Addr()) && (op.Registry.UsersFile != "" || len(op.Registry.Tokens) > 0) {
		a.log.Warn("passwords and tokens come to the registry in the clear", "fix", "name cert-file and key-file below registry: in --config FILE, or let a proxy in front of it speak TLS")
	}
	if !isLoopback(ln.Addr()) && op.Registry.UsersFile == "" && len(op.Registry.Tokens) == 0 && len(op.Registry.AnonymousPull) == 0 {
		a.log.Warn("other machines reach the registry, and are refused: it has no users", "fix", "write below registry: users-file: FILE (made by htpasswd -B -c FILE NAME) and access:, in --config FILE; or listen for this machine alone: "+flag+" 127.0.0.1:"+portOf(ln.Addr()))
	}
	return &dock{reg, ln}, nil
}

// dockFlag says where a registry listens; it goes before what the operator's file says.
func dockFlag(alone bool) string {
	if alone {
		return "--listen"
	}
	return "--registry-listen"
}

func portOf(addr net.Addr) string {
	_, port, _ := net.SplitHostPort(addr.String()) // of a listener
	return port
}

// registryFix is what to do about a registry that does not open. Another that stands alone takes no
// orders: it is ended to prune what it has.
func registryFix(s config.Served, alone bool, err error) string {
	switch _, missing := os.Stat(string(s.UsersFile)); {
	case errors.Is(err, integrated.ErrStorageInUse) && alone:
		return "end it first, or name another directory; to have what nothing needs deleted, end it and run: towpath prune --storage " + string(s.Storage)
	case errors.Is(err, integrated.ErrStorageInUse):
		return "end it first, or name another directory; to have it delete what nothing needs: towpath prune --server URL --token-file FILE"
	case s.UsersFile != "" && missing != nil:
		return "make the file with htpasswd -B -c " + string(s.UsersFile) + " NAME, or correct users-file: below registry: in --config FILE"
	case s.StorageDriver.Name != "":
		return "correct storage-driver: below registry: in --config FILE (its parameters are those of Docker Distribution), and see that this machine reaches the storage"
	}
	return "correct registry: in --config FILE, or the file that this is about"
}

// serve answers until the context ends; then what is under way may finish, for a while.
func (d *dock) serve(ctx context.Context, ln net.Listener) error {
	server := integrated.Server(d.registry)
	server.ErrorLog = log.New(io.Discard, "", 0)     // it would repeat what strangers send
	return serving.Until(ctx, server, ln, dockGrace) // a client goes on with what is cut off later
}

// answered is what became of requests, for the metrics.
func (d *dock) answered() []web.RegistryCount {
	var counts []web.RegistryCount
	for _, c := range d.registry.Counts() {
		counts = append(counts, web.RegistryCount(c))
	}
	return counts
}

// dockGrace is how long pushes and pulls may go on after a signal.
const dockGrace = 6 * time.Second

// registryOptions are what the operator says of the registry.
func registryOptions(s config.Served) (integrated.Options, error) {
	o := integrated.Options{Storage: string(s.Storage), KeepFree: int64(s.Limits.KeepFree)}
	if s.StorageDriver.Name != "" {
		parameters := maps.Clone(s.StorageDriver.Parameters)
		for key, file := range s.StorageDriver.Files {
			text, err := readSecret(string(file))
			if err != nil {
				return o, usage("registry.storage-driver: %w", hint{err, "correct " + key + "-file in --config FILE"})
			}
			parameters[key] = text
		}
		o.Driver = &integrated.Driver{Name: s.StorageDriver.Name, Parameters: parameters}
	}
	rules := &integrated.Rules{
		UsersFile: string(s.UsersFile), ImmutableTags: patternsOf(s.ImmutableTags), Delete: s.Delete,
		Access: integrated.Access{Anonymous: patternsOf(s.AnonymousPull)},
		Limits: integrated.Limits{
			RequestsPerSecond: s.Limits.RequestsPerSecond, Concurrency: s.Limits.Concurrency, UploadsOpen: s.Limits.UploadsOpen,
			BlobSize: int64(s.Limits.BlobSize), NamespaceSize: int64(s.Limits.NamespaceSize),
		},
	}
	for _, t := range s.Tokens {
		rules.Tokens = append(rules.Tokens, integrated.Token{Name: string(t.Name), File: string(t.File)})
	}
	for _, g := range s.Access {
		grant := integrated.Grant{Who: stringsOf(g.Who), Namespaces: patternsOf(g.Namespaces)}
		for _, right := range g.May {
			grant.May = append(grant.May, integrated.Right(right))
		}
		rules.Access.Grants = append(rules.Access.Grants, grant)
	}
	o.Rules = rules
	return o, nil
}

// clientBehind is where a request comes from, as trusted proxies say.
func clientBehind(proxies []config.Network) func(*http.Request) (netip.Addr, bool) {
	if len(proxies) == 0 {
		return nil
	}
	trusted := prefixesOf(proxies)
	return func(r *http.Request) (netip.Addr, bool) { return hooks.Sender(r, trusted) }
}

func patternsOf(gs []config.Glob) []integrated.Pattern {
	var ps []integrated.Pattern
	for _, g := range gs {
		ps = append(ps, g)
	}
	return ps
}

// storageName says where blobs are, for people.
func storageName(s config.Served) string {
	return cmp.Or(string(s.Storage), s.StorageDriver.Name, "memory, gone with the process")
}

func isLoopback(addr net.Addr) bool {
	tcp, ok := addr.(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback()
}
