package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/towpath/towpath/config"
	"github.com/towpath/towpath/gitstore"
	"github.com/towpath/towpath/gitstore/gogit"
	"github.com/towpath/towpath/reconcile"
	"github.com/towpath/towpath/registry/remote"
)

// operator is the operator's config with the flags on top.
func (a *app) operator() (*config.Operator, error) {
	op := config.DefaultOperator()
	if a.configFile != "" {
		src, err := os.ReadFile(a.configFile)
		if err != nil {
			return nil, usage("--config: %w", hint{err, "name a file that can be read; examples/operator.yaml is one to copy"})
		}
		parsed, problems := config.ParseOperator(a.configFile, src)
		if parsed != nil {
			problems = hookProblems(a.configFile, parsed)
		}
		if len(problems) > 0 {
			printProblems(a.stderr, problems)
			return nil, usage("%w", hint{fmt.Errorf("%s is not right", a.configFile), "correct the lines above; docs/configuration.md has every key"})
		}
		op = parsed
		dir := filepath.Dir(a.configFile)
		if op.In(dir); op.Repo != "" && !strings.Contains(op.Repo, ":") && !filepath.IsAbs(op.Repo) {
			op.Repo = filepath.Join(dir, op.Repo) // a path, like every other in that file
		}
	}
	op.Repo, op.Branch = cmp.Or(a.repo, op.Repo), cmp.Or(a.branch, op.Branch)
	op.LogFormat, op.LogLevel = cmp.Or(a.logFormat, op.LogFormat), cmp.Or(a.logLevel, op.LogLevel)
	if a.cacheDir != "" {
		op.CacheDir = config.File(a.cacheDir)
	}
	return op, nil
}

func (a *app) logger(op *config.Operator) (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(op.LogLevel)); err != nil {
		return nil, usage("--log-level %s: say debug, info, warn or error", op.LogLevel)
	}
	opts := &slog.HandlerOptions{Level: level}
	switch op.LogFormat {
	case "text":
		return slog.New(slog.NewTextHandler(a.stderr, opts)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(a.stderr, opts)), nil
	}
	return nil, usage("--log-format %s: say text or json", op.LogFormat)
}

// Between two looks at Git.
const (
	pollRemote = 30 * time.Second
	pollLocal  = time.Second // beside the watch on the directory
)

// open puts the parts together. The Reconciler's store must be closed.
func (a *app) open(ctx context.Context) (*reconcile.Reconciler, *config.Operator, error) {
	op, err := a.operator()
	if err != nil {
		return nil, nil, err
	}
	log, err := a.logger(op)
	if err != nil {
		return nil, nil, err
	}
	a.log = log
	if err := checkRepo(op.Repo); err != nil {
		return nil, nil, err
	}
	reader, err := remote.New(a.readerOptions(op, log))
	if err != nil {
		return nil, nil, usage("%w", hint{err, "correct the file that this names; nothing was asked yet"})
	}
	if a.venue, err = venueOf(op); err != nil {
		return nil, nil, err
	}
	poll := cmp.Or(op.Poll, pollRemote)
	if isLocal(op.Repo) {
		poll = cmp.Or(op.Poll, pollLocal)
	}
	review, err := a.openForge(op, a.venue)
	if err != nil {
		return nil, nil, err
	}
	at := a.storeOptions(op, log, poll)
	if err := review.lend(&at, op, a.venue); err != nil {
		return nil, nil, err
	}
	store, err := openStore(ctx, at, !a.daemon)
	if err != nil {
		return nil, nil, err
	}
	return &reconcile.Reconciler{
		Store: store, Branch: op.Branch, Reader: reader, Poll: poll, Forge: review.Forge, Repo: op.Repo,
		Author:        gitstore.Person{Name: string(op.Git.Author.Name), Email: string(op.Git.Author.Email)},
		PushesPerHour: op.Limits.PushesPerHour,
	}, op, nil
}

// checkRepo refuses a repository that is not named, or with a secret in its name.
func checkRepo(repo string) error {
	if repo == "" {
		return usage("%w", hint{errors.New("no repository is named"), "give --repo URL|PATH, TOWPATH_REPO, or repo: in --config FILE"})
	}
	if u, err := url.Parse(repo); err == nil && u.User != nil {
		if _, has := u.User.Password(); has || strings.HasPrefix(u.Scheme, "http") {
			return usage("%w", hint{errors.New("the URL holds a user or password, which ends up in process lists and logs"),
				"take it out, and name files under git: in --config FILE (token-file, or username and password-file)"})
		}
	}
	return nil
}

// openStore opens the repository. A command that ends soon does without the cache while the
// daemon has it.
func openStore(ctx context.Context, at gogit.Options, soon bool) (*gogit.Store, error) {
	store, err := gogit.Open(ctx, at)
	if e := (*gitstore.Error)(nil); errors.As(err, &e) && e.Kind == gitstore.Locked && soon {
		at.CacheDir = ""
		store, err = gogit.Open(ctx, at)
	}
	if err != nil {
		return nil, failed(err)
	}
	return store, nil
}

func (a *app) storeOptions(op *config.Operator, log *slog.Logger, poll time.Duration) gogit.Options {
	g := op.Git
	o := gogit.Options{
		Repo: op.Repo, CacheDir: string(op.CacheDir), Poll: poll, Logger: log,
		TokenFile: string(g.TokenFile), Username: g.Username, UsernameFile: string(g.UsernameFile), PasswordFile: string(g.PasswordFile),
		SSHKeyFile: string(g.SSHKeyFile), SSHPassphraseFile: string(g.SSHPassphraseFile), KnownHostsFile: string(g.KnownHostsFile),
		CAFile: string(g.CAFile), SignOff: g.SignOff,
		Signing: gogit.Signing{Format: g.Signing.Format, KeyFile: string(g.Signing.KeyFile), PassphraseFile: string(g.Signing.PassphraseFile)},
	}
	if g.TokenEnv != "" {
		o.Token = variableToken(string(g.TokenEnv), a.getenv)
	}
	return o
}

func (a *app) readerOptions(op *config.Operator, log *slog.Logger) remote.Options {
	o := remote.Options{Hosts: map[string]remote.Host{}, DockerConfig: op.Docker, UserAgent: "towpath/" + versionOf(), Logger: log}
	for _, r := range op.Registries {
		o.Hosts[string(r.Host)] = remote.Host{
			Insecure: r.Insecure, CAFile: string(r.CAFile), TokenHosts: stringsOf(r.TokenHosts),
			ClientCertFile: string(r.ClientCertFile), ClientKeyFile: string(r.ClientKeyFile), Proxy: r.Proxy,
			Concurrency: r.Concurrency, RequestsPerSecond: r.RequestsPerSecond,
		}
	}
	for _, m := range op.Mirrors {
		o.Mirrors = append(o.Mirrors, remote.Mirror{Prefix: string(m.Prefix), At: stringsOf(m.At), Only: m.Only()})
	}
	o.Allowed, o.Blocked = stringsOf(op.Allowed), stringsOf(op.Blocked)
	o.Proxy = remote.Proxy{
		URL: string(op.Proxy.URL), NoProxy: stringsOf(op.Proxy.NoProxy), Environment: op.Proxy.URL == "",
		UsernameFile: string(op.Proxy.UsernameFile), PasswordFile: string(op.Proxy.PasswordFile),
	}
	for _, c := range op.Credentials {
		o.Credentials = append(o.Credentials, remote.Credential{
			File: string(c.File), Directory: string(c.Directory), Hosts: stringsOf(c.Hosts), Namespaces: textsOf(c.Namespaces), Paths: textsOf(c.Paths),
		})
	}
	return o
}

func stringsOf[T ~string](in []T) []string {
	out := make([]string, len(in))
	for i, v := range in {
		out[i] = string(v)
	}
	return out
}

func textsOf[T fmt.Stringer](in []T) []string {
	out := make([]string, len(in))
	for i, v := range in {
		out[i] = v.String()
	}
	return out
}

// isLocal reports whether a repository is a path on this machine.
func isLocal(repo string) bool {
	if strings.HasPrefix(repo, "file://") {
		return true
	}
	if strings.Contains(repo, "://") {
		return false
	}
	_, err := os.Stat(repo)
	return err == nil || !strings.Contains(repo, ":")
}
