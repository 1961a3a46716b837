package main

import (
	"context"
	"strings"

	"github.com/towpath/towpath/imagestream"
	"github.com/towpath/towpath/reconcile"
	"github.com/towpath/towpath/registry"
	"github.com/towpath/towpath/registry/integrated"
)

// A guide tells the registry what the streams say, as the last pass read them.
type guide struct{ r *reconcile.Reconciler }

var starting = &integrated.Refusal{What: "towpath has not read the repository yet", Fix: "try again in a moment", Starting: true}

// shelf is what streams say, or that nothing was read yet.
func (g guide) shelf() (*reconcile.Shelf, error) {
	if s := g.r.Shelf(); s != nil {
		return s, nil
	}
	return nil, starting
}

func (g guide) Admits(_ context.Context, repository, tag string) error {
	s, err := g.shelf()
	if err != nil {
		return err
	}
	if why := s.Admits(imagestream.TagRef{Stream: streamBehind(repository), Tag: tag}); why != nil {
		return &integrated.Refusal{What: why.What, Fix: why.Fix}
	}
	return nil
}

func (g guide) Tags(_ context.Context, repository string) (map[string]string, error) {
	s, err := g.shelf()
	if err != nil {
		return nil, err
	}
	return s.Tags(streamBehind(repository)), nil
}

func (g guide) Origins(ctx context.Context, repository, digest string) ([]registry.Origin, error) {
	s, err := g.shelf()
	if err != nil {
		return nil, err
	}
	return s.Origins(ctx, streamBehind(repository), digest)
}

func (g guide) Lenders(ctx context.Context, repository string) (map[string][]string, error) {
	s, err := g.shelf()
	if err != nil {
		return nil, err
	}
	lenders, err := s.Lenders(ctx, streamBehind(repository))
	named := map[string][]string{}
	for digest, streams := range lenders {
		for _, stream := range streams {
			named[digest] = append(named[digest], stream.String())
		}
	}
	return named, err
}

func (g guide) Repositories(context.Context) ([]string, error) {
	s, err := g.shelf()
	if err != nil {
		return nil, err
	}
	var all []string
	for _, name := range s.Names() {
		all = append(all, name.String())
	}
	return all, nil
}

func (g guide) Uses(ctx context.Context, repository, digest string) ([]string, error) {
	s, err := g.shelf()
	if err != nil {
		return nil, err
	}
	return s.Uses(ctx, streamBehind(repository), digest)
}

func (g guide) Arrived() { g.r.Hint(reconcile.Hint{Arrived: true}) }

// streamBehind is the stream that a repository of the registry belongs to.
func streamBehind(repository string) imagestream.Name {
	namespace, name, _ := strings.Cut(repository, "/")
	return imagestream.Name{Namespace: namespace, Name: name}
}
