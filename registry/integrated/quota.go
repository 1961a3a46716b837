package integrated

import (
	"context"
	"fmt"
	"net/http"
	"path"
	"strings"
	"sync"

	storagedriver "github.com/distribution/distribution/v3/registry/storage/driver"
)

// A quota bounds the bytes of each namespace: the blobs that its repositories link, each
// once, and what is being uploaded. Two namespaces with the same blob both have it
// counted. It is kept in memory, read from storage at opening, and again whenever
// something else than requests changed the storage.
type quota struct {
	most int64 // 0: any

	mu    sync.Mutex
	space map[string]*space // by namespace
	reads int               // of the storage, under way
	early []change          // what happened meanwhile
}

// A space is what a namespace takes.
type space struct {
	linked  int64 // of blobs
	pending int64 // of uploads under way
	blobs   map[string]*shared
}

// A shared blob is linked by repositories of one namespace.
type shared struct {
	size int64
	in   map[string]bool // repositories
}

// A change is a blob that a repository links, or links no more.
type change struct {
	repository, digest string
	size               int64
	gone               bool
}

func newQuota(most int64) *quota { return &quota{most: most, space: map[string]*space{}} }

// of is the space of a namespace.
func (q *quota) of(namespace string) *space {
	s := q.space[namespace]
	if s == nil {
		s = &space{blobs: map[string]*shared{}}
		q.space[namespace] = s
	}
	return s
}

// take sets bytes aside for an upload, and reports whether the namespace has them.
func (q *quota) take(namespace string, n int64) bool {
	if q.most == 0 {
		return true
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	s := q.of(namespace)
	if s.linked+s.pending+n > q.most {
		return false
	}
	s.pending += n
	return true
}

// has reports whether a namespace has a blob, which then costs no more.
func (q *quota) has(namespace, digest string) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.of(namespace).blobs[digest] != nil
}

// giveBack ends what take set aside.
func (q *quota) giveBack(namespace string, n int64) {
	if q.most == 0 {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.of(namespace).pending -= n
}

// note takes in that a repository links a blob, or links it no more.
func (q *quota) note(c change) {
	if q.most == 0 {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.reads > 0 {
		q.early = append(q.early, c)
	}
	q.apply(c)
}

func (q *quota) apply(c change) {
	namespace, _, _ := strings.Cut(c.repository, "/")
	s := q.of(namespace)
	b := s.blobs[c.digest]
	switch {
	case c.gone && b != nil:
		delete(b.in, c.repository)
		if len(b.in) == 0 {
			delete(s.blobs, c.digest)
			s.linked -= b.size
		}
	case c.gone:
	case b == nil:
		s.blobs[c.digest] = &shared{c.size, map[string]bool{c.repository: true}}
		s.linked += c.size
	default:
		b.in[c.repository] = true
	}
}

// full is the answer where a namespace has no room.
func (q *quota) full(namespace string) *refusal {
	return refuse(http.StatusRequestEntityTooLarge, "DENIED", fmt.Sprintf("the namespace %s has no room for this: all its blobs may have %d bytes; delete images and run towpath prune, or its operator raises namespace-size below registry: limits:%s", namespace, q.most, Restarts))
}

// count reads from storage what is linked. What is noted meanwhile is not lost. It is called
// at opening, and again after a garbage collection.
func (q *quota) count(ctx context.Context, on shelf) error {
	if q.most == 0 {
		return nil
	}
	q.mu.Lock()
	q.reads++
	q.mu.Unlock()
	found, err := linkedIn(ctx, on)
	q.mu.Lock()
	defer q.mu.Unlock()
	early := q.early
	if q.reads--; q.reads == 0 {
		q.early = nil
	}
	if err != nil {
		return err
	}
	for _, s := range q.space {
		s.linked, s.blobs = 0, map[string]*shared{}
	}
	for _, c := range found {
		q.apply(c)
	}
	for _, c := range early {
		q.apply(c)
	}
	return nil
}

// count counts at opening what namespaces take.
func (r *Registry) count(ctx context.Context) {
	if r.gate == nil {
		return
	}
	if err := r.gate.quota.count(ctx, r.driver); err != nil && ctx.Err() == nil {
		r.log.WithField("err.detail", err).Error("what namespaces take cannot be counted; until the next start only what is pushed now counts")
	}
}

// A shelf is what counting needs of a storage driver.
type shelf interface {
	List(ctx context.Context, path string) ([]string, error)
	Stat(ctx context.Context, path string) (storagedriver.FileInfo, error)
}

const root = "/docker/registry/v2"

// linkedIn lists what every repository links: layers and manifests.
func linkedIn(ctx context.Context, on shelf) ([]change, error) {
	var found []change
	sizes := map[string]int64{}
	err := repositoriesIn(ctx, on, root+"/repositories", func(at string) error {
		repository := strings.TrimPrefix(at, root+"/repositories/")
		for _, kind := range []string{"/_layers", "/_manifests/revisions"} {
			digests, err := digestsIn(ctx, on, at+kind)
			if err != nil {
				return err
			}
			for _, digest := range digests {
				size, known := sizes[digest]
				if !known {
					if size, err = sizeOf(ctx, on, digest); err != nil {
						return err
					}
					sizes[digest] = size
				}
				found = append(found, change{repository: repository, digest: digest, size: size})
			}
		}
		return nil
	})
	return found, err
}

// repositoriesIn calls each for all repositories below a path.
func repositoriesIn(ctx context.Context, on shelf, at string, each func(at string) error) error {
	names, err := listed(ctx, on, at)
	if err != nil {
		return err
	}
	is := false
	for _, name := range names {
		switch base := path.Base(name); {
		case base == "_layers" || base == "_manifests":
			is = true
		case strings.HasPrefix(base, "_"):
		default:
			if err := repositoriesIn(ctx, on, name, each); err != nil {
				return err
			}
		}
	}
	if !is {
		return nil
	}
	return each(at)
}

// digestsIn are the digests below a path, whose link is there: what was deleted leaves its
// directory.
func digestsIn(ctx context.Context, on shelf, at string) ([]string, error) {
	algorithms, err := listed(ctx, on, at)
	if err != nil {
		return nil, err
	}
	var found []string
	for _, algorithm := range algorithms {
		hexes, err := listed(ctx, on, algorithm)
		if err != nil {
			return nil, err
		}
		for _, hex := range hexes {
			_, err := on.Stat(ctx, hex+"/link")
			if err != nil && !isGone(err) {
				return nil, err
			}
			if err == nil {
				found = append(found, path.Base(algorithm)+":"+path.Base(hex))
			}
		}
	}
	return found, nil
}

// sizeOf is the size of a blob; 0 where it is not there.
func sizeOf(ctx context.Context, on shelf, digest string) (int64, error) {
	algorithm, hex, _ := strings.Cut(digest, ":")
	if len(hex) < 2 {
		return 0, nil
	}
	info, err := on.Stat(ctx, root+"/blobs/"+algorithm+"/"+hex[:2]+"/"+hex+"/data")
	if isGone(err) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

func listed(ctx context.Context, on shelf, at string) ([]string, error) {
	names, err := on.List(ctx, at)
	if isGone(err) {
		return nil, nil
	}
	return names, err
}
