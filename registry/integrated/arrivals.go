package integrated

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	storagedriver "github.com/distribution/distribution/v3/registry/storage/driver"
	"golang.org/x/sync/errgroup"

	"github.com/towpath/towpath/registry"
)

// arrivals keep a mark for each tag that was pushed and not taken yet: an object beside
// distribution's own, written before the tag is linked. They are read once, at opening, and
// known from then on.
//
// Where several processes share a storage (S3), each sees the marks of the others when it
// opens. So one of them records; should two push the same tag at the same time, the mark of
// the later one stands, and what the tag is in storage decides, as ever.
type arrivals struct {
	driver storagedriver.StorageDriver
	alone  bool // links that were read hold until this process changes them; else for linkHolds

	// writing is held, by the tag, while the object of a mark is written or removed.
	writing [64]sync.Mutex

	mu    sync.Mutex
	marks map[tagName]*mark // the marks are mu's, too
}

// marksDir is one flat directory, so that one list finds them all.
const marksDir = "/towpath/arrivals"

// linkWait is how long a push may take from its mark to its link. A mark that has none after
// that is of a push that broke off, or of a tag that was deleted.
const linkWait = 10 * time.Minute

// linkHolds is how long a link that was read is taken for what the tag is, where another process
// may change it unseen: what waits long is not read in every pass.
const (
	linkHolds = 30 * time.Second
	forever   = 100 * 365 * 24 * time.Hour
)

type tagName struct{ repository, tag string }

// path is by a sum: it has no trouble with lengths, nor with a tag that looks like a directory.
func (n tagName) path() string {
	sum := sha256.Sum256([]byte(n.repository + ":" + n.tag))
	return path.Join(marksDir, hex.EncodeToString(sum[:]))
}

func (n tagName) link() string {
	return path.Join(repositories, n.repository, "_manifests/tags", n.tag, "current/link")
}

// valid reports whether there can be such a tag.
func (n tagName) valid() bool {
	return storagedriver.PathRegexp.MatchString(n.link()) &&
		strings.HasPrefix(n.link(), repositories+"/"+n.repository+"/_manifests/tags/"+n.tag+"/current/")
}

// A mark says that a push of a digest began.
type mark struct {
	digest string
	at     time.Time
	old    bool // of a process before this one: no push of it is under way

	link string    // what storage said last that the tag is
	read time.Time // until when link holds; zero: it is to be read
	turn int       // counts what made link doubtful
}

// written is a mark as it lies in storage.
type written struct {
	Repository string    `json:"repository"`
	Tag        string    `json:"tag"`
	Digest     string    `json:"digest"`
	At         time.Time `json:"at"`
}

func readMark(src []byte) (tagName, *mark, error) {
	var w written
	if err := json.Unmarshal(src, &w); err != nil {
		return tagName{}, nil, err
	}
	name := tagName{w.Repository, w.Tag}
	if w.Digest == "" || w.At.IsZero() || !name.valid() {
		return tagName{}, nil, errors.New("it is no mark of a push")
	}
	return name, &mark{digest: w.Digest, at: w.At}, nil
}

// openArrivals reads what waits. What cannot be read is left, and said in the error beside
// the arrivals that can.
func openArrivals(ctx context.Context, d storagedriver.StorageDriver, alone bool) (a *arrivals, unread, err error) {
	a = &arrivals{driver: d, alone: alone, marks: map[tagName]*mark{}}
	files, err := d.List(ctx, marksDir)
	if err != nil && !isGone(err) {
		return nil, nil, err
	}
	var unreads []error
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(16)
	for _, file := range files {
		g.Go(func() error {
			src, err := d.GetContent(ctx, file)
			if err != nil {
				return unlessGone(err)
			}
			name, m, err := readMark(src)
			if err == nil && name.path() != file {
				err = errors.New("it is of another tag")
			}
			a.mu.Lock()
			defer a.mu.Unlock()
			if err != nil {
				unreads = append(unreads, fmt.Errorf("%s: %w", file, err))
				return nil
			}
			m.old = alone
			a.marks[name] = m
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, nil, err
	}
	return a, errors.Join(unreads...), nil
}

func (a *arrivals) lock(name tagName) *sync.Mutex {
	h := fnv.New32a()
	h.Write([]byte(name.repository + ":" + name.tag))
	return &a.writing[h.Sum32()%uint32(len(a.writing))]
}

// mark makes a mark, durably, in place of one that the tag has. A younger mark has a later
// time, whatever the clock does, so that no two pushes look the same.
func (a *arrivals) mark(ctx context.Context, name tagName, digest string, now time.Time) error {
	lock := a.lock(name)
	lock.Lock()
	defer lock.Unlock()
	return a.write(ctx, name, digest, now)
}

// write is mark for who holds the lock.
func (a *arrivals) write(ctx context.Context, name tagName, digest string, now time.Time) error {
	at := now.Round(0).UTC()
	if before, ok := a.get(name); ok && !at.After(before.at) {
		at = before.at.Add(1)
	}
	body, err := json.Marshal(written{name.repository, name.tag, digest, at})
	if err != nil {
		return err
	}
	if err := a.driver.PutContent(ctx, name.path(), body); err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.marks[name] = &mark{digest: digest, at: at}
	return nil
}

// get is a copy.
func (a *arrivals) get(name tagName) (mark, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if m, ok := a.marks[name]; ok {
		return *m, true
	}
	return mark{}, false
}

// link links a tag, by a function, after making a mark unless the tag has one of this
// digest. No mark of the tag is made or taken meanwhile: what two pushes of a tag leave is
// one link, and a mark of it.
func (a *arrivals) link(ctx context.Context, name tagName, digest string, now time.Time, link func() error) error {
	lock := a.lock(name)
	lock.Lock()
	defer lock.Unlock()
	if m, ok := a.get(name); !ok || m.digest != digest || m.old {
		if err := a.write(ctx, name, digest, now); err != nil {
			return err
		}
	}
	defer a.doubt(name) // even where it failed: it may have landed
	return link()
}

// doubt says that the link of a tag changed.
func (a *arrivals) doubt(name tagName) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.marks[name].doubt()
}

// doubtBelow says that links at or below a path in storage changed.
func (a *arrivals) doubtBelow(p string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for name, m := range a.marks {
		if strings.HasPrefix(name.link()+"/", p+"/") {
			m.doubt()
		}
	}
}

func (m *mark) doubt() {
	if m != nil {
		m.read = time.Time{}
		m.turn++
	}
}

// waiting are the marks whose tags are linked. A mark without a link is none of an arrival,
// and is removed when no push of it can be under way any more.
func (a *arrivals) waiting(ctx context.Context, now time.Time) ([]registry.Arrival, error) {
	a.mu.Lock()
	names := slices.Collect(maps.Keys(a.marks))
	a.mu.Unlock()
	var found []registry.Arrival
	for _, name := range names {
		arrival, ok, err := a.one(ctx, name, now)
		if err != nil {
			return nil, err
		}
		if ok {
			found = append(found, arrival)
		}
	}
	slices.SortFunc(found, func(a, b registry.Arrival) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Tag, b.Tag))
	})
	return found, nil
}

func (a *arrivals) one(ctx context.Context, name tagName, now time.Time) (registry.Arrival, bool, error) {
	m, ok := a.get(name)
	if !ok {
		return registry.Arrival{}, false, nil
	}
	if !now.Before(m.read) {
		link, err := a.driver.GetContent(ctx, name.link())
		if unlessGone(err) != nil {
			return registry.Arrival{}, false, err
		}
		m.link = string(link)
		a.learn(name, m, now)
	}
	over := m.old || now.Sub(m.at) > linkWait
	switch {
	case m.link == "" && over:
		return registry.Arrival{}, false, a.take(ctx, name, m.digest, m.at)
	case m.link == "":
		return registry.Arrival{}, false, nil
	case m.link != m.digest && over:
		a.settle(name, m)
	}
	namespace, stream, _ := strings.Cut(name.repository, "/")
	return registry.Arrival{Namespace: namespace, Name: stream, Tag: name.tag, Digest: m.link, At: m.at}, true, nil
}

// learn keeps a link that was read, unless it changed meanwhile.
func (a *arrivals) learn(name tagName, seen mark, now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	holds := linkHolds
	if a.alone {
		holds = forever
	}
	if m, ok := a.marks[name]; ok && m.at.Equal(seen.at) && m.turn == seen.turn {
		m.link, m.read = seen.link, now.Add(holds)
	}
}

// settle makes a mark one of what the tag is: the push that made the mark broke off before
// its link, and the one before it may still wait.
func (a *arrivals) settle(name tagName, seen mark) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if m, ok := a.marks[name]; ok && m.at.Equal(seen.at) && m.turn == seen.turn {
		m.digest = seen.link
	}
}

// take removes a mark, unless it is of another push by now.
func (a *arrivals) take(ctx context.Context, name tagName, digest string, at time.Time) error {
	lock := a.lock(name)
	lock.Lock()
	defer lock.Unlock()
	if m, ok := a.get(name); !ok || m.digest != digest || !m.at.Equal(at) {
		return nil
	}
	if err := a.driver.Delete(ctx, name.path()); unlessGone(err) != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.marks, name)
	return nil
}

// mark says, durably, that a tag is about to be what is being pushed. It comes before the
// tag is linked.
func (r *Registry) mark(ctx context.Context, repository, tag, digest string) error {
	if r.arrivals == nil {
		return nil
	}
	return r.arrivals.mark(ctx, tagName{repository, tag}, digest, time.Now())
}

// again makes a mark of what a tag is, as if it were pushed now; false where it is nothing.
func (a *arrivals) again(ctx context.Context, name tagName, now time.Time) (bool, error) {
	if !name.valid() {
		return false, nil
	}
	lock := a.lock(name)
	lock.Lock()
	defer lock.Unlock()
	link, err := a.driver.GetContent(ctx, name.link())
	if unlessGone(err) != nil || len(link) == 0 {
		return false, unlessGone(err)
	}
	return true, a.write(ctx, name, string(link), now)
}

var _ registry.Recalls = (*Registry)(nil)

// Again is registry.Recalls'; false, too, where the registry has no Guide.
func (r *Registry) Again(ctx context.Context, namespace, name, tag string) (bool, error) {
	if r.arrivals == nil {
		return false, nil
	}
	return r.arrivals.again(ctx, tagName{namespace + "/" + name, tag}, time.Now())
}

// Waiting are the pushes that wait to be recorded; none where the registry has no Guide.
func (r *Registry) Waiting(ctx context.Context) ([]registry.Arrival, error) {
	if r.arrivals == nil {
		return nil, nil
	}
	return r.arrivals.waiting(ctx, time.Now())
}

// Take says that arrivals are on record, or otherwise done with.
func (r *Registry) Take(ctx context.Context, taken ...registry.Arrival) error {
	if r.arrivals == nil {
		return nil
	}
	for _, t := range taken {
		if err := r.arrivals.take(ctx, tagName{t.Namespace + "/" + t.Name, t.Tag}, t.Digest, t.At); err != nil {
			return fmt.Errorf("take %s/%s:%s: %w", t.Namespace, t.Name, t.Tag, err)
		}
	}
	return nil
}

// marking is a driver that links no tag without a mark, whoever asks for it, and that says
// which links changed. Tags that are attached to an image never go on record, and have no marks.
type marking struct {
	storagedriver.StorageDriver
	arrivals *arrivals
}

// tagOf is the tag whose link is at a path.
func tagOf(p string) (name tagName, ok bool) {
	rest, ok := strings.CutPrefix(p, repositories+"/")
	if !ok {
		return tagName{}, false
	}
	rest, ok = strings.CutSuffix(rest, "/current/link")
	repository, tag, between := strings.Cut(rest, "/_manifests/tags/")
	if !ok || !between || strings.Contains(tag, "/") {
		return tagName{}, false
	}
	return tagName{repository, tag}, true
}

func (d marking) PutContent(ctx context.Context, p string, content []byte) error {
	name, ok := tagOf(p)
	if _, attached := registry.Attached(name.tag); !ok || attached {
		return d.StorageDriver.PutContent(ctx, p, content)
	}
	return d.arrivals.link(ctx, name, string(content), time.Now(), func() error {
		return d.StorageDriver.PutContent(ctx, p, content)
	})
}

func (d marking) Delete(ctx context.Context, p string) error {
	if strings.HasPrefix(p, repositories+"/") && !uploading(p) {
		defer d.arrivals.doubtBelow(p)
	}
	return d.StorageDriver.Delete(ctx, p)
}
