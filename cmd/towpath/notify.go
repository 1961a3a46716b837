package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/towpath/towpath/config"
	"github.com/towpath/towpath/forge"
	"github.com/towpath/towpath/notify"
	"github.com/towpath/towpath/reconcile"
)

// A bulletin tells those whom the operator names what passes did. Its methods are called from one
// goroutine; delivery has its own.
type bulletin struct {
	catalog func() *reconcile.Catalog
	told    []listener
	was     reconcile.Report // of the last pass that looked at everything
	worth   notify.HeadWorth // that was told last
	running sync.WaitGroup
}

// A listener is one who is told.
type listener struct {
	kind  string
	queue *notify.Queue
}

// newBulletin reads certificates, and sends nothing. Secrets that cannot be used are said, and may
// still come: they are read for each event.
func (a *app) newBulletin(op *config.Operator, r *reconcile.Reconciler, log *slog.Logger) (*bulletin, error) {
	b := &bulletin{catalog: r.Catalog}
	if r.Dry {
		return b, nil
	}
	for i, n := range op.Notify {
		sink, err := a.sinkOf(op, n)
		if err != nil {
			return nil, usage("%w", hint{fmt.Errorf("notify[%d]: %w", i, err), "correct notify: in --config FILE"})
		}
		name := fmt.Sprintf("notify[%d] (%s)", i, n.Kind)
		warnUnready(log, name, sink)
		q := notify.NewQueue(name, sink, log)
		q.Wants = wantsOf(n)
		b.told = append(b.told, listener{n.Kind, q})
	}
	return b, nil
}

// warnUnready says now what would else be seen only when there is news.
func warnUnready(log *slog.Logger, name string, sink notify.Sink) {
	s, ok := sink.(interface{ Unready() []error })
	if !ok {
		return
	}
	for _, err := range s.Unready() {
		args := []any{"receiver", name, "err", err}
		if e := (*notify.Error)(nil); errors.As(err, &e) && e.Fix != "" {
			args = append(args, "fix", e.Fix)
		}
		log.Warn("a receiver of notifications cannot be told as things are", args...)
	}
}

func (a *app) sinkOf(op *config.Operator, n config.Notify) (notify.Sink, error) {
	at := notify.Endpoint{URL: string(n.URL), URLFile: string(n.URLFile), CAFile: string(n.CAFile), UserAgent: "towpath/" + versionOf()}
	switch n.Kind {
	case "cloudevents":
		return notify.NewCloudEvents(notify.CloudEvents{Endpoint: at, Source: sourceOf(op.Repo), SecretFile: string(n.SecretFile), TokenFile: string(n.TokenFile)})
	case "slack":
		return notify.NewChat(notify.Chat{Endpoint: at, Place: notify.Place{Name: placeName(op), Page: a.venue.Commit}})
	}
	review, err := a.openForge(op, a.venue) // its own: a forge is asked from one goroutine
	if err != nil {
		return nil, err
	}
	reporter, ok := review.Forge.(forge.Reporter)
	if !ok {
		return nil, errors.New("there is no forge to give commits a status on: forge: says which")
	}
	return statusSink{reporter, string(n.TargetURL)}, nil
}

// wantsOf is what somebody is told of.
func wantsOf(n config.Notify) func(notify.Event) bool {
	if n.Kind == "commit-status" {
		return func(e notify.Event) bool { return e.Kind == notify.Heads }
	}
	return func(e notify.Event) bool {
		named := n.Events == nil && slices.Contains(notify.Kinds, e.Kind) || slices.Contains(n.Events, config.News(e.Kind))
		theirs := n.Namespaces == nil || slices.ContainsFunc(e.Namespaces, func(namespace string) bool {
			return slices.ContainsFunc(n.Namespaces, func(g config.Glob) bool { return g.Match(namespace) })
		})
		return named && theirs
	}
}

// run delivers until the context ends, and then what waits; wait returns when that is over.
func (b *bulletin) run(ctx context.Context) {
	for _, t := range b.told {
		b.running.Go(func() { t.queue.Run(ctx) })
	}
}

func (b *bulletin) wait() { b.running.Wait() }

// pass is called where Passed is. It never waits.
func (b *bulletin) pass(is reconcile.Report) {
	if len(b.told) == 0 || is.Idle {
		return
	}
	events := eventsOf(b.was, is, b.catalog())
	if w, ok := worthOf(is); ok && w != b.worth {
		b.worth = w
		events = append(events, notify.New(is.At, w))
	}
	for _, t := range b.told {
		t.queue.Put(events...)
	}
	if !is.Paused && !is.Invalid && !is.Cut {
		b.was = is
		b.was.Planned, b.was.Answers = nil, nil // which are large
	}
}

// counts are what became of events, by kind and outcome.
func (b *bulletin) counts() map[string]map[string]int {
	all := map[string]map[string]int{}
	for _, t := range b.told {
		if all[t.kind] == nil {
			all[t.kind] = map[string]int{}
		}
		for outcome, n := range t.queue.Counts() {
			all[t.kind][string(outcome)] += n
		}
	}
	return all
}

// sourceOf is a repository as CloudEvents name it: a URL without a user.
func sourceOf(repo string) string {
	if u, err := url.Parse(repo); err == nil && u.Scheme != "" && (u.Host != "" || u.Scheme == "file") {
		u.User = nil
		return u.String()
	}
	if host, path, ok := strings.Cut(repo, ":"); ok && !strings.Contains(host, "/") { // git@host:path
		return (&url.URL{Scheme: "ssh", Host: host[strings.LastIndexByte(host, '@')+1:], Path: "/" + strings.TrimPrefix(path, "/")}).String()
	}
	if whole, err := filepath.Abs(repo); err == nil { // else its first part would be read as a host
		repo = whole
	}
	return (&url.URL{Scheme: "file", Path: repo}).String()
}

// placeName is the watched branch as people call it: without a scheme, so that no chat makes a link of it.
func placeName(op *config.Operator) string {
	_, name, _ := strings.Cut(sourceOf(op.Repo), "://")
	if whole, err := url.PathUnescape(name); err == nil {
		name = whole
	}
	return strings.TrimSuffix(name, ".git") + " " + op.Branch
}

// A statusSink gives commits their status on the forge.
type statusSink struct {
	forge.Reporter
	target string
}

// Send is notify.Sink's.
func (s statusSink) Send(ctx context.Context, e notify.Event) error {
	w, ok := e.Data.(notify.HeadWorth)
	if !ok {
		return &notify.Error{What: "only the head's worth is a commit status", Final: true}
	}
	err := s.SetStatus(ctx, w.Commit, forge.CommitStatus{Context: "towpath", State: checksOf(w), Description: w.Words, URL: s.target})
	var f *forge.Error
	if !errors.As(err, &f) {
		return err
	}
	final := f.Kind == forge.Refused || f.Kind == forge.NotFound
	return &notify.Error{What: f.Error(), Fix: cmp.Or(f.Fix, "see what the forge says of it"), Final: final, RetryAfter: f.RetryAfter}
}
