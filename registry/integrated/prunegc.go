package integrated

import (
	"context"
	"errors"
	"fmt"
	"path"
	"time"

	"github.com/distribution/distribution/v3"
	blobs "github.com/distribution/distribution/v3/registry/storage"
	storagedriver "github.com/distribution/distribution/v3/registry/storage/driver"
	"github.com/distribution/reference"
	"github.com/opencontainers/go-digest"
)

// young are the blobs that something happened to after a moment: their bytes came, a repository
// was given them, or a client was told that they are there. Their manifest may come in a
// moment. The hold is of this process; where others share the storage, age alone protects what
// they push.
func (p *pruner) young(ctx context.Context, after time.Time) (map[digest.Digest]bool, error) {
	young := p.hold.seenSince(after)
	note := func(f storagedriver.FileInfo, name string) {
		if path.Base(f.Path()) == name && !f.IsDir() && f.ModTime().After(after) {
			young[digestAt(f.Path())] = true
		}
	}
	err := noneIsFine(p.driver.Walk(ctx, repositoriesRoot, func(f storagedriver.FileInfo) error {
		if base := path.Base(f.Path()); f.IsDir() && (base == "_uploads" || base == "_manifests") {
			return storagedriver.ErrSkipDir
		}
		note(f, "link")
		return nil
	}))
	if err != nil {
		return nil, err
	}
	return young, p.blobs(ctx, func(f storagedriver.FileInfo) { note(f, "data") })
}

// blobs calls do for the bytes of each blob.
func (p *pruner) blobs(ctx context.Context, do func(storagedriver.FileInfo)) error {
	return noneIsFine(p.driver.Walk(ctx, blobsRoot, func(f storagedriver.FileInfo) error {
		if !f.IsDir() && path.Base(f.Path()) == "data" {
			do(f)
		}
		return nil
	}))
}

// useless is how many blobs nothing names that stays, and how large they are.
func (p *pruner) useless(ctx context.Context, verdicts []Verdict, young map[digest.Digest]bool) (n int, size int64, err error) {
	used := map[string]bool{}
	for _, v := range verdicts {
		if !v.Goes {
			used[v.Digest] = true
			for _, name := range v.Names {
				used[name] = true
			}
		}
	}
	err = p.blobs(ctx, func(f storagedriver.FileInfo) {
		if dgst := digestAt(f.Path()); !used[string(dgst)] && !young[dgst] {
			n, size = n+1, size+f.Size()
		}
	})
	return n, size, err
}

// collect is distribution's collection of garbage, which is shown nothing that is young.
func (p *pruner) collect(ctx context.Context, young map[digest.Digest]bool) error {
	err := blobs.MarkAndSweep(ctx, p.driver, agedNamespace{p.store, young}, blobs.GCOpts{Quiet: true})
	if noneIsFine(err) != nil {
		return fmt.Errorf("collect garbage: %w", err)
	}
	return nil
}

// An agedNamespace shows blobs that are old enough to be deleted.
type agedNamespace struct {
	distribution.Namespace
	young map[digest.Digest]bool
}

func (a agedNamespace) Enumerate(ctx context.Context, do func(string) error) error {
	all, ok := a.Namespace.(distribution.RepositoryEnumerator)
	if !ok {
		return errors.New("this storage cannot list repositories")
	}
	return noneIsFine(all.Enumerate(ctx, do))
}

func (a agedNamespace) Blobs() distribution.BlobEnumerator {
	return agedBlobs{a.Namespace.Blobs(), a.young}
}

func (a agedNamespace) Repository(ctx context.Context, name reference.Named) (distribution.Repository, error) {
	r, err := a.Namespace.Repository(ctx, name)
	return agedRepository{r, a.young}, err
}

type enumerator interface {
	Enumerate(ctx context.Context, do func(digest.Digest) error) error
}

// agedBlobs are those of all repositories.
type agedBlobs struct {
	enumerator
	young map[digest.Digest]bool
}

func (a agedBlobs) Enumerate(ctx context.Context, do func(digest.Digest) error) error {
	return noneIsFine(a.enumerator.Enumerate(ctx, func(dgst digest.Digest) error {
		if a.young[dgst] {
			return nil
		}
		return do(dgst)
	}))
}

type agedRepository struct {
	distribution.Repository
	young map[digest.Digest]bool
}

func (a agedRepository) Blobs(ctx context.Context) distribution.BlobStore {
	blobs := a.Repository.Blobs(ctx)
	links, ok := blobs.(enumerator)
	if !ok {
		return blobs
	}
	return agedLinks{blobs, agedBlobs{links, a.young}}
}

// agedLinks are the blobs that a repository was given.
type agedLinks struct {
	distribution.BlobStore
	aged agedBlobs
}

func (a agedLinks) Enumerate(ctx context.Context, do func(digest.Digest) error) error {
	return a.aged.Enumerate(ctx, do)
}
