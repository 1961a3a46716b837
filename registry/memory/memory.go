// Package memory is a registry.Reader whose images are lines of text. Tests and
// stories say with it what registries answer, fail and when; it opens no
// connection, reads no clock, and knows nothing of streams or Git.
package memory

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"

	"github.com/towpath/towpath/registry"
)

// A Registry is every registry there is, in memory. The zero Registry is empty
// and ready. Its methods may be called from many goroutines at once.
type Registry struct {
	// Hook is called before each answer, with nothing locked. It may wait (on
	// channels: what is answered is as of the end of the wait), and an error from
	// it is the answer: a *registry.Error as it is, any other as Unreachable. Set
	// it before the first call.
	Hook func(ctx context.Context, c Call) error

	mu       sync.RWMutex // over all below
	repos    map[registry.Repo]*repository
	failures map[string]registry.Error // by reference, repository or host, canonical
}

// A Call is a question as it was asked.
type Call struct {
	Op  string // Tags, Head, Detail or Config
	On  registry.On
	Ref registry.Ref // of Tags only the Repo; of Config that and the digest
}

type repository struct {
	tags    []string                   // in the order in which they first came
	digest  map[string]string          // by tag
	images  map[string]registry.Image  // by digest; what was there once stays
	configs map[string]registry.Config // by digest of their own
}

var _ registry.Reader = (*Registry)(nil)

// Tags lists a repository's tags in the order in which they were first set.
func (r *Registry) Tags(ctx context.Context, on registry.On, repo registry.Repo) ([]string, error) {
	ref := registry.Ref{Repo: repo}
	if err := r.ask(ctx, Call{"Tags", on, ref}); err != nil {
		return nil, err
	}
	r.mu.RLock()
	defer r.mu.RUnlock()
	if err := r.failure(ref); err != nil {
		return nil, err
	}
	found, ok := r.repos[repo]
	if !ok {
		return nil, notFound(ref, "no such repository")
	}
	return slices.Clone(found.tags), nil
}

// Head is Detail without the children and the configuration.
func (r *Registry) Head(ctx context.Context, on registry.On, ref registry.Ref) (registry.Image, error) {
	image, err := r.image(ctx, Call{"Head", on, ref})
	image.Children, image.Config = nil, ""
	return image, err
}

// Detail is the image as its line says it.
func (r *Registry) Detail(ctx context.Context, on registry.On, ref registry.Ref) (registry.Image, error) {
	image, err := r.image(ctx, Call{"Detail", on, ref})
	image.Children = slices.Clone(image.Children)
	return image, err
}

// Config is the configuration as its line says it.
func (r *Registry) Config(ctx context.Context, on registry.On, repo registry.Repo, digest string) (registry.Config, error) {
	ref := registry.Ref{Repo: repo, Digest: digest}
	if err := r.ask(ctx, Call{"Config", on, ref}); err != nil {
		return registry.Config{}, err
	}
	r.mu.RLock()
	defer r.mu.RUnlock()
	if err := r.failure(ref); err != nil {
		return registry.Config{}, err
	}
	found, ok := r.repos[repo]
	if !ok {
		return registry.Config{}, notFound(ref, "no such repository")
	}
	config, ok := found.configs[digest]
	if !ok {
		return registry.Config{}, notFound(ref, "no such configuration")
	}
	config.Labels = maps.Clone(config.Labels)
	return config, nil
}

func (r *Registry) image(ctx context.Context, c Call) (registry.Image, error) {
	if err := r.ask(ctx, c); err != nil {
		return registry.Image{}, err
	}
	r.mu.RLock()
	defer r.mu.RUnlock()
	if err := r.failure(c.Ref); err != nil {
		return registry.Image{}, err
	}
	repo, ok := r.repos[c.Ref.Repo]
	if !ok {
		return registry.Image{}, notFound(c.Ref, "no such repository")
	}
	digest, missing := c.Ref.Digest, "no such digest"
	if digest == "" {
		digest, missing = repo.digest[c.Ref.Tag], "no such tag"
	}
	image, ok := repo.images[digest]
	if !ok {
		return registry.Image{}, notFound(c.Ref, missing)
	}
	return image, nil
}

// ask runs the hook and heeds the context, as a request would.
func (r *Registry) ask(ctx context.Context, c Call) error {
	if r.Hook != nil {
		if err := r.Hook(ctx, c); err != nil {
			return asError(c.Ref, err)
		}
	}
	if err := ctx.Err(); err != nil {
		return asError(c.Ref, err)
	}
	return nil
}

// failure is the most particular one that is set. The caller holds the lock.
func (r *Registry) failure(ref registry.Ref) error {
	for _, key := range []string{ref.String(), ref.Repo.String(), ref.Host} {
		if failure, ok := r.failures[key]; ok {
			failure.Ref = ref.String()
			return &failure
		}
	}
	return nil
}

// Fail makes every question for a reference, a repository or a host fail, until
// it is called with nil. What is as written: quay.io/a/b:1, quay.io/a/b or
// quay.io. The error's Ref is filled in for each question.
func (r *Registry) Fail(what string, err *registry.Error) error {
	key, parseErr := failureKey(what)
	if parseErr != nil {
		return parseErr
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err == nil {
		delete(r.failures, key)
		return nil
	}
	if r.failures == nil {
		r.failures = make(map[string]registry.Error)
	}
	r.failures[key] = *err
	return nil
}

// failureKey takes what is no reference for a host: quay.io, localhost:5000.
func failureKey(what string) (string, error) {
	if repo, err := registry.ParseRepo(what); err == nil {
		return repo.String(), nil
	}
	ref, err := registry.ParseRef(what)
	if err == nil {
		return ref.String(), nil
	}
	if host, hostErr := registry.ParseHost(what); hostErr == nil {
		return host, nil
	}
	return "", err
}

func notFound(ref registry.Ref, message string) error {
	return &registry.Error{Kind: registry.NotFound, Ref: ref.String(), Message: message}
}

func asError(ref registry.Ref, err error) error {
	if e, ok := errors.AsType[*registry.Error](err); ok {
		return e
	}
	return &registry.Error{Kind: registry.Unreachable, Ref: ref.String(), Message: "no answer", Err: err}
}
