package main

import (
	"context"
	"errors"
	"maps"
	"sync"
	"time"

	"github.com/towpath/towpath/gitstore"
	"github.com/towpath/towpath/registry"
)

type registryReader = registry.Reader

// What a check asks at most, and how long it waits for all answers together. Whoever opens a
// pull request decides whom it names.
const (
	mostQuestions = 200
	longestCheck  = 3 * time.Minute
)

// Why a check does not ask. They pass, as far as towpath can tell: nothing is recorded of them.
var (
	errOfBase  = errors.New("the base waits for it, too")
	errTooMany = errors.New("a check asks no more")
)

// A question is what is asked on behalf of a file.
type question struct{ namespace, path, ref string }

func asks(on registry.On, ref string) question { return question{on.Namespace, on.Path, ref} }

// noted is a Reader that notes what it is asked, and answers nothing.
type noted struct {
	mu    sync.Mutex
	asked map[question]bool
}

func (n *noted) note(q question) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.asked[q] = true
	return notAsked(q.ref, errOfBase)
}

// without are the questions of files that stay as they are: of others it is not known yet
// whether they ask the same.
func (n *noted) without(changed []gitstore.Change) map[question]bool {
	paths := map[string]bool{}
	for _, ch := range changed {
		paths[ch.Path] = true
	}
	rest := maps.Clone(n.asked)
	maps.DeleteFunc(rest, func(q question, _ bool) bool { return paths[q.path] })
	return rest
}

func notAsked(ref string, why error) error {
	return &registry.Error{Kind: registry.Unreachable, Ref: ref, Message: "it was not asked", Err: why}
}

func (n *noted) Tags(_ context.Context, on registry.On, repo registry.Repo) ([]string, error) {
	return nil, n.note(asks(on, repo.String()))
}

func (n *noted) Head(_ context.Context, on registry.On, ref registry.Ref) (registry.Image, error) {
	return registry.Image{}, n.note(asks(on, ref.String()))
}

func (n *noted) Detail(_ context.Context, on registry.On, ref registry.Ref) (registry.Image, error) {
	return registry.Image{}, n.note(asks(on, ref.String()))
}

func (n *noted) Config(_ context.Context, on registry.On, repo registry.Repo, digest string) (registry.Config, error) {
	return registry.Config{}, n.note(asks(on, repo.String()+"@"+digest))
}

// bounded is a Reader that asks what the base does not ask, so often and so long.
type bounded struct {
	reader registry.Reader
	theirs map[question]bool // of the base
	until  time.Time

	mu   sync.Mutex
	left int
}

// ask lets a question through, and bounds the time of its answer; done ends it.
func (b *bounded) ask(ctx context.Context, q question) (within context.Context, done func(), err error) {
	if b.theirs[q] {
		return nil, nil, notAsked(q.ref, errOfBase)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.left == 0 || !time.Now().Before(b.until) {
		return nil, nil, notAsked(q.ref, errTooMany)
	}
	b.left--
	within, done = context.WithDeadline(ctx, b.until)
	return within, done, nil
}

// answer asks one question.
func answer[T any](ctx context.Context, b *bounded, q question, ask func(context.Context) (T, error)) (T, error) {
	within, done, err := b.ask(ctx, q)
	if err != nil {
		var none T
		return none, err
	}
	defer done()
	got, err := ask(within)
	if err != nil && ctx.Err() == nil && within.Err() != nil {
		err = notAsked(q.ref, errTooMany)
	}
	return got, err
}

func (b *bounded) Tags(ctx context.Context, on registry.On, repo registry.Repo) ([]string, error) {
	return answer(ctx, b, asks(on, repo.String()), func(ctx context.Context) ([]string, error) { return b.reader.Tags(ctx, on, repo) })
}

func (b *bounded) Head(ctx context.Context, on registry.On, ref registry.Ref) (registry.Image, error) {
	return answer(ctx, b, asks(on, ref.String()), func(ctx context.Context) (registry.Image, error) { return b.reader.Head(ctx, on, ref) })
}

func (b *bounded) Detail(ctx context.Context, on registry.On, ref registry.Ref) (registry.Image, error) {
	return answer(ctx, b, asks(on, ref.String()), func(ctx context.Context) (registry.Image, error) { return b.reader.Detail(ctx, on, ref) })
}

func (b *bounded) Config(ctx context.Context, on registry.On, repo registry.Repo, digest string) (registry.Config, error) {
	return answer(ctx, b, asks(on, repo.String()+"@"+digest), func(ctx context.Context) (registry.Config, error) { return b.reader.Config(ctx, on, repo, digest) })
}
