package integrated

import (
	"context"
	"io"

	"github.com/towpath/towpath/registry"
)

// A Guide tells a registry what its owner's streams say of repositories, each named by
// its NAMESPACE/NAME. But for Refresh it answers at once, from what was last read of them; its
// methods may be called from many goroutines. A registry without a Guide stands alone.
type Guide interface {
	// Refresh has what people changed until now read, before something is deleted that they may have
	// come to need. The error is a *Refusal.
	Refresh(ctx context.Context) error
	// Admits says why a tag may not be pushed to a repository; nil where it may. An empty tag is any
	// tag: it may not be pushed where none may. The error is a *Refusal.
	Admits(ctx context.Context, repository, tag string) error
	// Tags are the tags of a repository that are on record, and what each is now: a digest.
	// None where there is no such stream.
	Tags(ctx context.Context, repository string) (map[string]string, error)
	// Origins are where an image may be fetched that is on record, now or in a history, best
	// first; none where it is on no record. This registry itself is no origin.
	Origins(ctx context.Context, repository, digest string) ([]registry.Origin, error)
	// Lenders are the other repositories of this registry that images on record are from, by the
	// images' digests.
	Lenders(ctx context.Context, repository string) (map[string][]string, error)
	// Repositories are those of which something is on record.
	Repositories(ctx context.Context) ([]string, error)
	// Uses says what names an image, such as a file; nothing where nothing does.
	Uses(ctx context.Context, repository, digest string) ([]Use, error)
	// Record says where a tag is on record, such as the line of a file; empty where it is not.
	Record(ctx context.Context, repository, tag string) (where string, err error)
	// Arrived says that a push is waiting among the Arrivals. It does not block.
	Arrived()
}

// A Use is what names an image, such as a file, and the namespace that this is of.
type Use struct{ Namespace, Where string }

// A Refusal is why a push is not taken, and what to do. It is shown to the client.
type Refusal struct {
	What, Fix string
	Starting  bool // it may be taken in a moment: nothing was read yet
}

func (r *Refusal) Error() string { return r.What + "; " + r.Fix }

// A Fetcher reads images from other registries, on behalf of streams. Its errors are
// *registry.Error.
type Fetcher interface {
	// Manifest is a manifest whose bytes have the digest.
	Manifest(ctx context.Context, from registry.Origin, digest string) (mediaType string, content []byte, err error)
	// Blob is a blob, of the size; who reads it to the end has read bytes that have the digest, or
	// an error.
	Blob(ctx context.Context, from registry.Origin, digest string) (content io.ReadCloser, size int64, err error)
}
