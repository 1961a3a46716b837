package integrated

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/distribution/distribution/v3"
	storagedriver "github.com/distribution/distribution/v3/registry/storage/driver"
	"github.com/opencontainers/go-digest"
)

// pullNames knows for each repository what its manifests name. A blob may be fetched only
// where a manifest on record names it; so what is named is kept with who names it, and
// whether that one is on record is asked each time.
type pullNames struct {
	mu    sync.Mutex
	repos map[string]*repositoryNames
}

// maxNamedRepositories is of how many repositories the names are kept. They are read again from
// storage when they are wanted again.
const maxNamedRepositories = 1000

// A pullName is that a manifest names a blob or another manifest, and what it says of that.
type pullName struct {
	by        digest.Digest
	size      int64
	mediaType string
}

type repositoryNames struct {
	mu    sync.Mutex
	read  bool // all manifests of the repository are, as they were then
	of    map[digest.Digest][]pullName
	known map[digest.Digest]bool // manifests
}

func (n *pullNames) repository(name string) *repositoryNames {
	n.mu.Lock()
	defer n.mu.Unlock()
	r := n.repos[name]
	if r == nil {
		if n.repos == nil || len(n.repos) >= maxNamedRepositories {
			n.repos = map[string]*repositoryNames{}
		}
		r = &repositoryNames{of: map[digest.Digest][]pullName{}, known: map[digest.Digest]bool{}}
		n.repos[name] = r
	}
	return r
}

// of is who names a thing in a repository. It is not to be changed.
func (n *pullNames) of(ctx context.Context, p *puller, repository string, dgst digest.Digest) ([]pullName, error) {
	r := n.repository(repository)
	r.mu.Lock()
	defer r.mu.Unlock()
	if named, ok := r.of[dgst]; ok {
		return named, nil
	}
	if err := r.readAll(ctx, p, repository); err != nil {
		return nil, err
	}
	return r.of[dgst], nil
}

// has reports whether the names of a manifest are known.
func (n *pullNames) has(repository string, manifest digest.Digest) bool {
	r := n.repository(repository)
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.known[manifest]
}

// add learns what a manifest names.
func (n *pullNames) add(ctx context.Context, p *puller, repository string, by digest.Digest, m distribution.Manifest) error {
	r := n.repository(repository)
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.readAll(ctx, p, repository); err != nil {
		return err
	}
	r.add(by, m)
	return nil
}

func (r *repositoryNames) add(by digest.Digest, m distribution.Manifest) {
	r.known[by] = true
	for _, d := range m.References() {
		same := func(n pullName) bool { return n.by == by }
		if !slices.ContainsFunc(r.of[d.Digest], same) {
			r.of[d.Digest] = append(r.of[d.Digest], pullName{by, d.Size, d.MediaType})
		}
	}
}

// doubt puts a name last that turned out wrong: others are believed first from now on.
func (n *pullNames) doubt(repository string, dgst digest.Digest, wrong pullName) {
	r := n.repository(repository)
	r.mu.Lock()
	defer r.mu.Unlock()
	same := func(n pullName) bool { return n.by == wrong.by }
	if slices.ContainsFunc(r.of[dgst], same) {
		r.of[dgst] = append(slices.DeleteFunc(slices.Clone(r.of[dgst]), same), wrong)
	}
}

// readAll reads the manifests that an earlier process stored, once.
func (r *repositoryNames) readAll(ctx context.Context, p *puller, repository string) error {
	if r.read {
		return nil
	}
	manifests, err := p.manifests(ctx, repository)
	if err != nil {
		return err
	}
	all, ok := manifests.(distribution.ManifestEnumerator)
	if !ok {
		return errors.New("this storage cannot list manifests")
	}
	err = all.Enumerate(ctx, func(dgst digest.Digest) error {
		m, err := manifests.Get(ctx, dgst)
		if err == nil { // one that cannot be read names nothing
			r.add(dgst, m)
		}
		return ctx.Err()
	})
	var none storagedriver.PathNotFoundError
	if err != nil && !errors.As(err, &none) {
		return err
	}
	r.read = true
	return nil
}
