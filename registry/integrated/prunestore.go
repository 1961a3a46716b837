package integrated

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/distribution/distribution/v3"
	blobs "github.com/distribution/distribution/v3/registry/storage"
	storagedriver "github.com/distribution/distribution/v3/registry/storage/driver"
	"github.com/distribution/reference"
	"github.com/opencontainers/go-digest"

	"github.com/towpath/towpath/registry"
)

// A PruneRecord says what is said of the images in storage, by repository: it is given the digests
// of each, and of what they are about. It must know all streams and sites: where some could not be read it gives
// an error, and nothing is deleted. Nil: the registry stands alone, and its own tags say what stays.
type PruneRecord interface {
	Records(ctx context.Context, digests map[string][]string) (map[string]RepositoryRecord, error)
}

// A PruneReport is what goes, or went, and why the rest stays.
type PruneReport struct {
	Done     bool      `json:"done"`   // false: nothing was deleted
	Verdicts []Verdict `json:"images"` // by repository and digest; never nil
	Blobs    int       `json:"blobs"`  // that go: nothing that stays names them, and they are old enough
	Freed    int64     `json:"freed"`  // their bytes
}

// A pruner deletes what nobody names. Reads go on meanwhile.
type pruner struct {
	driver  storagedriver.StorageDriver
	store   distribution.Namespace
	hold    *pushHold
	waiting func(context.Context) ([]registry.Arrival, error) // nil: none wait

	mu     sync.Mutex
	ends   map[int]context.CancelFunc // of those under way
	turn   int
	closed bool
	group  sync.WaitGroup
}

func newPruner(ctx context.Context, driver storagedriver.StorageDriver, hold *pushHold, waiting func(context.Context) ([]registry.Arrival, error)) (*pruner, error) {
	store, err := blobs.NewRegistry(ctx, driver, blobs.EnableDelete)
	return &pruner{driver: driver, store: store, hold: hold, waiting: waiting}, err
}

var errPruneClosed = errors.New("the registry is closing")

// begin makes a context that ends with the registry. End is called when it is done with.
func (p *pruner) begin(ctx context.Context) (_ context.Context, end func(), err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, nil, errPruneClosed
	}
	ctx, cancel := context.WithCancel(ctx)
	if p.ends == nil {
		p.ends = map[int]context.CancelFunc{}
	}
	p.turn++
	turn := p.turn
	p.ends[turn] = cancel
	p.group.Add(1)
	return ctx, func() {
		cancel()
		p.mu.Lock()
		delete(p.ends, turn)
		p.mu.Unlock()
		p.group.Done()
	}, nil
}

// close ends what is under way, and waits for it. Whatever is deleted by then stays so; the rest is
// garbage that the next one finds.
func (p *pruner) close() {
	p.mu.Lock()
	p.closed = true
	for _, cancel := range p.ends {
		cancel()
	}
	p.mu.Unlock()
	p.group.Wait()
}

// prune says what may go, and deletes it where that is confirmed. What it goes by is then read
// with pushes held off, so that nothing is judged by what was so before.
func (p *pruner) prune(ctx context.Context, record PruneRecord, rules PruneRules, confirm bool) (report PruneReport, err error) {
	once := func() error {
		report, err = p.once(ctx, record, rules, confirm, time.Now())
		return err
	}
	if !confirm {
		return report, once()
	}
	err = p.hold.alone(ctx, once)
	return report, err
}

func (p *pruner) once(ctx context.Context, record PruneRecord, rules PruneRules, confirm bool, now time.Time) (PruneReport, error) {
	have, err := p.images(ctx)
	if err != nil {
		return PruneReport{}, err
	}
	records, err := p.records(ctx, record, have)
	if err != nil {
		return PruneReport{}, err
	}
	after := now.Add(-rules.KeepYoungerThan)
	young, err := p.young(ctx, after)
	if err != nil {
		return PruneReport{}, err
	}
	report := PruneReport{Done: confirm, Verdicts: judge(have, records, rules, now)}
	if report.Blobs, report.Freed, err = p.useless(ctx, report.Verdicts, young); err != nil || !confirm {
		return report, err
	}
	for _, v := range report.Verdicts {
		if v.Goes {
			if err := p.remove(ctx, v.StoredImage); err != nil {
				return report, err
			}
		}
	}
	return report, p.collect(ctx, young)
}

// images are all manifests in storage.
func (p *pruner) images(ctx context.Context) (all []StoredImage, err error) {
	err = p.repositories(ctx, func(name string, r distribution.Repository) error {
		tags, maybe, err := tagsByDigest(ctx, r)
		if err != nil {
			return err
		}
		manifests, err := r.Manifests(ctx)
		if err != nil {
			return err
		}
		return enumerate(ctx, manifests, func(dgst digest.Digest) error {
			image, err := p.image(ctx, name, manifests, dgst)
			image.Tags, image.Maybe = tags[dgst], maybe[dgst]
			all = append(all, image)
			return err
		})
	})
	return all, err
}

// repositories calls do for each, in order.
func (p *pruner) repositories(ctx context.Context, do func(name string, r distribution.Repository) error) error {
	repositories, ok := p.store.(distribution.RepositoryEnumerator)
	if !ok {
		return errors.New("this storage cannot list repositories")
	}
	return noneIsFine(repositories.Enumerate(ctx, func(name string) error {
		named, err := reference.WithName(name)
		if err != nil {
			return err
		}
		r, err := p.store.Repository(ctx, named)
		if err != nil {
			return err
		}
		return do(name, r)
	}))
}

// enumerate calls do for each manifest.
func enumerate(ctx context.Context, manifests distribution.ManifestService, do func(digest.Digest) error) error {
	all, ok := manifests.(distribution.ManifestEnumerator)
	if !ok {
		return errors.New("this storage cannot list manifests")
	}
	return noneIsFine(all.Enumerate(ctx, do))
}

// noneIsFine drops the error that says that there is nothing, not even a directory.
func noneIsFine(err error) error {
	var none storagedriver.PathNotFoundError
	if errors.As(err, &none) {
		return nil
	}
	return err
}

// tagsByDigest are the tags of each image. One that cannot be read may be any image that it ever was.
func tagsByDigest(ctx context.Context, r distribution.Repository) (by map[digest.Digest][]string, maybe map[digest.Digest]string, err error) {
	tags := r.Tags(ctx)
	all, err := tags.All(ctx)
	var unknown distribution.ErrRepositoryUnknown
	if err != nil && !errors.As(err, &unknown) {
		return nil, nil, err
	}
	by, maybe = map[digest.Digest][]string{}, map[digest.Digest]string{}
	for _, tag := range all {
		d, err := tags.Get(ctx, tag)
		var gone distribution.ErrTagUnknown
		if errors.As(err, &gone) {
			continue
		}
		if err == nil {
			by[d.Digest] = append(by[d.Digest], tag)
			continue
		}
		was, ok := tags.(distribution.TagManifestsProvider)
		if !ok || ctx.Err() != nil {
			return nil, nil, err
		}
		before, failed := was.ManifestDigests(ctx, tag)
		if failed != nil {
			return nil, nil, fmt.Errorf("%s:%s cannot be read, so that what it needs is not known: push it again: %w", r.Named(), tag, err)
		}
		for _, dgst := range before {
			maybe[dgst] = tag
		}
	}
	return by, maybe, nil
}

func (p *pruner) image(ctx context.Context, repository string, manifests distribution.ManifestService, dgst digest.Digest) (StoredImage, error) {
	image := StoredImage{Repository: repository, Digest: string(dgst)}
	m, err := manifests.Get(ctx, dgst)
	if err != nil {
		return image, fmt.Errorf("%s@%s cannot be read, so that what it needs is not known: push it again, or delete it: %w", repository, dgst, err)
	}
	for _, d := range m.References() {
		image.Names = append(image.Names, string(d.Digest))
	}
	if _, payload, err := m.Payload(); err == nil {
		var said struct{ Subject struct{ Digest string } }
		if json.Unmarshal(payload, &said) == nil {
			image.Subject = said.Subject.Digest
		}
	}
	link, err := p.driver.Stat(ctx, path.Join(repositoriesRoot, repository, "_manifests/revisions", dgst.Algorithm().String(), dgst.Encoded(), "link"))
	if err != nil {
		return image, err
	}
	image.Stored = link.ModTime().UTC()
	return image, nil
}

// records are what is said of the images in storage. What waits is read first: what is taken from
// there meanwhile is on record by then.
func (p *pruner) records(ctx context.Context, record PruneRecord, have []StoredImage) (map[string]RepositoryRecord, error) {
	var waiting []registry.Arrival
	var unread registry.Unread // what may wait there stays
	if p.waiting != nil {
		var err error
		if waiting, err = p.waiting(ctx); err != nil && !errors.As(err, &unread) {
			return nil, err
		}
	}
	digests := map[string][]string{}
	for _, image := range have {
		digests[image.Repository] = append(append(digests[image.Repository], image.Digest), image.subjects()...)
	}
	for repository, of := range digests {
		slices.Sort(of)
		digests[repository] = slices.Compact(of)
	}
	said, err := p.said(ctx, record, digests, have)
	if err != nil {
		return nil, err
	}
	records := map[string]RepositoryRecord{}
	for repository := range digests {
		r := said[repository]
		r.Waiting = map[string]string{}
		records[repository] = r
	}
	for _, a := range waiting {
		if r, ok := records[a.Namespace+"/"+a.Name]; ok {
			r.Waiting[a.Digest] = a.Tag
		}
	}
	for _, image := range have {
		if tag, may := unread.May(image.Repository, image.Digest); may {
			records[image.Repository].Waiting[image.Digest] = tag
		}
	}
	return records, nil
}

// said is what a record says or, without one, what the registry's own tags do.
func (p *pruner) said(ctx context.Context, record PruneRecord, digests map[string][]string, have []StoredImage) (map[string]RepositoryRecord, error) {
	if record != nil {
		return record.Records(ctx, digests)
	}
	said := map[string]RepositoryRecord{}
	for repository := range digests {
		tags, err := p.history(ctx, repository, have)
		if err != nil {
			return nil, err
		}
		said[repository] = RepositoryRecord{Tags: tags}
	}
	return said, nil
}

// history is what the tags of a repository that nobody records are and were: storage keeps
// each image that a tag was, and the order is that of their pushes. A tag that is attached to another image
// has none: it goes with that.
func (p *pruner) history(ctx context.Context, repository string, have []StoredImage) (map[string][]string, error) {
	named, err := reference.WithName(repository)
	if err != nil {
		return nil, err
	}
	r, err := p.store.Repository(ctx, named)
	if err != nil {
		return nil, err
	}
	histories := map[string][]string{}
	stored := map[string]time.Time{}
	for _, image := range have {
		if image.Repository != repository {
			continue
		}
		stored[image.Digest] = image.Stored
		for _, tag := range image.Tags {
			if _, attached := image.attached(tag); attached {
				continue
			}
			histories[tag] = []string{image.Digest}
		}
	}
	for tag, history := range histories {
		was, ok := r.Tags(ctx).(distribution.TagManifestsProvider)
		if !ok {
			continue
		}
		before, err := was.ManifestDigests(ctx, tag)
		if noneIsFine(err) != nil {
			return nil, err
		}
		slices.SortStableFunc(before, func(a, b digest.Digest) int {
			return cmp.Compare(stored[string(b)].UnixNano(), stored[string(a)].UnixNano())
		})
		for _, dgst := range before {
			if _, there := stored[string(dgst)]; there && !slices.Contains(history, string(dgst)) {
				history = append(history, string(dgst))
			}
		}
		histories[tag] = history
	}
	return histories, nil
}

// remove deletes a manifest: first what leads to it.
func (p *pruner) remove(ctx context.Context, image StoredImage) error {
	named, err := reference.WithName(image.Repository)
	if err != nil {
		return err
	}
	r, err := p.store.Repository(ctx, named)
	if err != nil {
		return err
	}
	for _, tag := range image.Tags {
		if err := r.Tags(ctx).Untag(ctx, tag); err != nil {
			return err
		}
	}
	all, err := r.Tags(ctx).All(ctx)
	var unknown distribution.ErrRepositoryUnknown
	if err != nil && !errors.As(err, &unknown) {
		return err
	}
	return blobs.NewVacuum(ctx, p.driver).RemoveManifest(image.Repository, digest.Digest(image.Digest), all)
}

const (
	repositoriesRoot = "/docker/registry/v2/repositories"
	blobsRoot        = "/docker/registry/v2/blobs"
)

// digestAt is the digest that a path of storage ends with: …/sha256/HEX/NAME.
func digestAt(p string) digest.Digest {
	dir := path.Dir(p)
	parts := strings.Split(dir, "/")
	if len(parts) < 2 {
		return ""
	}
	algorithm := parts[len(parts)-2]
	if len(algorithm) == 2 && len(parts) > 2 { // blobs are below the first two digits, too
		algorithm = parts[len(parts)-3]
	}
	dgst := digest.NewDigestFromEncoded(digest.Algorithm(algorithm), path.Base(dir))
	if dgst.Validate() != nil {
		return ""
	}
	return dgst
}
