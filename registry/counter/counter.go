// Package counter is where the integrated registry asks what the streams say: what may be
// pushed, what is on record, and what names it. It translates between the registry, which
// knows repositories, and the line, which knows streams, and decides nothing itself.
package counter

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/towpath/towpath/imagestream"
	"github.com/towpath/towpath/reconcile"
	"github.com/towpath/towpath/registry"
	"github.com/towpath/towpath/registry/integrated"
)

// A Guide tells the registry what the streams say, as the last pass read them; Refresh waits for the next. It wakes the
// walker when something was pushed.
type Guide struct{ Reconciler *reconcile.Reconciler }

var _ integrated.Guide = Guide{}

// lookTime is how long a pass that looks at Git is waited for, where something is to be deleted.
const lookTime = 10 * time.Second

var unseen = &integrated.Refusal{What: "towpath cannot look at the Git repository now, and so not tell whether something needs it", Fix: "try again in a moment", Starting: true}

var starting = &integrated.Refusal{What: "towpath has not read the repository yet", Fix: "try again in a moment", Starting: true}

// shelf is what streams say, or that nothing was read yet.
func (g Guide) shelf() (*reconcile.Shelf, error) {
	if s := g.Reconciler.Shelf(); s != nil {
		return s, nil
	}
	return nil, starting
}

func (g Guide) Admits(_ context.Context, repository, tag string) error {
	s, err := g.shelf()
	if err != nil {
		return err
	}
	if why := s.Admits(imagestream.TagRef{Stream: StreamOf(repository), Tag: tag}); why != nil {
		return &integrated.Refusal{What: why.What, Fix: why.Fix}
	}
	return nil
}

func (g Guide) Tags(_ context.Context, repository string) (map[string]string, error) {
	s, err := g.shelf()
	if err != nil {
		return nil, err
	}
	return s.Tags(StreamOf(repository)), nil
}

func (g Guide) Origins(ctx context.Context, repository, digest string) ([]registry.Origin, error) {
	s, err := g.shelf()
	if err != nil {
		return nil, err
	}
	return s.Origins(ctx, StreamOf(repository), digest)
}

func (g Guide) Lenders(ctx context.Context, repository string) (map[string][]string, error) {
	s, err := g.shelf()
	if err != nil {
		return nil, err
	}
	lenders, err := s.Lenders(ctx, StreamOf(repository))
	named := map[string][]string{}
	for digest, streams := range lenders {
		for _, stream := range streams {
			named[digest] = append(named[digest], stream.String())
		}
	}
	return named, err
}

func (g Guide) Repositories(context.Context) ([]string, error) {
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

// Refresh waits for a pass that looks at Git after it was called.
func (g Guide) Refresh(ctx context.Context) error {
	if _, err := g.shelf(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	if _, err := g.Reconciler.Fresh(ctx); err != nil {
		return unseen
	}
	return nil
}

// Uses are those of all streams: images of one may have been copied to another. Where nobody can
// tell, nothing is to be deleted; what cannot be read may be of others than who asks, and is not named.
func (g Guide) Uses(ctx context.Context, _, digest string) ([]integrated.Use, error) {
	s, err := g.shelf()
	if err != nil {
		return nil, err
	}
	found, err := s.Uses(ctx, digest)
	if isUnsure(err) {
		return nil, &integrated.Refusal{What: "nobody can tell whether the image is in use: something in the Git repository cannot be read", Fix: "towpath validate says what; delete the image when that is put right"}
	}
	var uses []integrated.Use
	for _, u := range found {
		uses = append(uses, integrated.Use(u))
	}
	return uses, err
}

// Record is about the repository's own stream: what else has the image needs no tag of this one.
func (g Guide) Record(ctx context.Context, repository, tag string) (where string, err error) {
	s, err := g.shelf()
	if err != nil {
		return "", err
	}
	where, err = s.Record(ctx, imagestream.TagRef{Stream: StreamOf(repository), Tag: tag})
	if isUnsure(err) {
		return "", &integrated.Refusal{What: "nobody can tell whether the tag is on record: something in the Git repository cannot be read", Fix: "towpath validate says what; delete the tag when that is put right"}
	}
	return where, err
}

// isUnsure reports whether an error says that nobody can tell.
func isUnsure(err error) bool {
	why := (*reconcile.Unsure)(nil)
	return errors.As(err, &why)
}

func (g Guide) Arrived() { g.Reconciler.Hint(reconcile.Hint{Arrived: true}) }

// StreamOf is the stream that a repository of the registry belongs to.
func StreamOf(repository string) imagestream.Name {
	namespace, name, _ := strings.Cut(repository, "/")
	return imagestream.Name{Namespace: namespace, Name: name}
}
