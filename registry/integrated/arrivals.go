package integrated

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
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
// opens, and of a tag that it has a mark of itself. So one of them records; should two push the same
// tag at the same time, the mark of the later one stands.
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
	m := mark{push: push{digest, now.Round(0).UTC()}}
	if !a.alone {
		a.doubt(name)
	}
	was, ok, err := a.look(ctx, name, now)
	if ok && !m.at.After(was.at) {
		m.at = was.at.Add(1)
	}
	before, waits := was.waits()
	switch {
	case err != nil && ok: // this push puts the link right that cannot be read
		m.before = was.all()
		if len(m.before) > mostBefore {
			return fmt.Errorf("%s:%s cannot be read, and %d pushes of it broke off: %w", name.repository, name.tag, mostBefore, err)
		}
	case ok && waits && before.digest != digest:
		m.before = []push{before}
	}
	return a.put(ctx, name, m)
}

// put stores a mark, for who holds the lock.
func (a *arrivals) put(ctx context.Context, name tagName, m mark) error {
	body, err := m.written(name)
	if err != nil {
		return err
	}
	if err := a.driver.PutContent(ctx, name.path(), body); err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.marks[name] = &m
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
// and is removed when no push of it can be under way any more. One tag that cannot be read keeps no
// other from going on record: the error is a registry.Unread then.
func (a *arrivals) waiting(ctx context.Context, now time.Time) ([]registry.Arrival, error) {
	a.mu.Lock()
	names := slices.Collect(maps.Keys(a.marks))
	a.mu.Unlock()
	slices.SortFunc(names, func(a, b tagName) int {
		return cmp.Or(cmp.Compare(a.repository, b.repository), cmp.Compare(a.tag, b.tag))
	})
	var found []registry.Arrival
	var unread registry.Unread
	for _, name := range names {
		arrival, ok, err := a.one(ctx, name, now)
		switch {
		case ctx.Err() != nil:
			return nil, context.Cause(ctx)
		case err != nil:
			unread = append(unread, a.unread(name, err))
		case ok:
			found = append(found, arrival)
		}
	}
	slices.SortFunc(found, func(a, b registry.Arrival) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Tag, b.Tag))
	})
	if len(unread) > 0 {
		return found, unread
	}
	return found, nil
}

// unread is a tag that cannot be read, with what may wait there.
func (a *arrivals) unread(name tagName, err error) registry.UnreadTag {
	namespace, stream, _ := strings.Cut(name.repository, "/")
	u := registry.UnreadTag{Namespace: namespace, Name: stream, Tag: name.tag, Err: err}
	m, ok := a.get(name)
	if !ok {
		return u
	}
	for _, p := range m.all() {
		u.Digests = append(u.Digests, p.digest)
	}
	return u
}

// one is the arrival of a tag, where one waits.
func (a *arrivals) one(ctx context.Context, name tagName, now time.Time) (registry.Arrival, bool, error) {
	m, ok, err := a.look(ctx, name, now)
	if !ok || err != nil {
		return registry.Arrival{}, false, err
	}
	is, waits := m.waits()
	if !waits {
		if m.old || now.Sub(m.at) > linkWait {
			err = a.drop(ctx, name, m)
		}
		return registry.Arrival{}, false, err
	}
	namespace, stream, _ := strings.Cut(name.repository, "/")
	return registry.Arrival{Namespace: namespace, Name: stream, Tag: name.tag, Digest: is.digest, At: is.at}, true, nil
}

// look is the mark of a tag, with what the tag is; false where it has none.
func (a *arrivals) look(ctx context.Context, name tagName, now time.Time) (m mark, ok bool, err error) {
	m, ok = a.get(name)
	if !ok || now.Before(m.read) {
		return m, ok, nil
	}
	link, err := a.driver.GetContent(ctx, name.link())
	if unlessGone(err) != nil {
		return m, true, err
	}
	if m.link = string(link); m.link != "" && !strings.HasPrefix(m.link, "sha256:") && !strings.HasPrefix(m.link, "sha512:") {
		return m, true, fmt.Errorf("the tag is %.80q in storage, which is no digest", m.link)
	}
	if _, waits := m.waits(); !waits && !a.alone {
		if m, ok, err = a.reread(ctx, name, m); !ok || err != nil {
			return m, ok, err
		}
	}
	a.learn(name, m, now)
	return m, true, nil
}

// isOwn reports whether a push of a tag waits, so that its own link says what it is.
func (a *arrivals) isOwn(ctx context.Context, name tagName, now time.Time) bool {
	m, ok, err := a.look(ctx, name, now)
	_, waits := m.waits()
	return ok && (waits || err != nil) // what cannot be read here, nobody else can
}

// reread reads a mark that another process may have replaced or removed.
func (a *arrivals) reread(ctx context.Context, name tagName, seen mark) (m mark, ok bool, err error) {
	src, err := a.driver.GetContent(ctx, name.path())
	if unlessGone(err) != nil {
		return seen, true, err
	}
	m, ok = seen, err == nil
	if ok {
		_, other, err := readMark(src)
		if err != nil {
			return seen, true, err
		}
		m.push, m.before = other.push, other.before
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if is := a.marks[name]; is == nil || !is.same(seen) {
		return seen, true, nil
	}
	if !ok {
		delete(a.marks, name)
		return m, false, nil
	}
	a.marks[name] = &m
	return m, true, nil
}

// same reports whether a mark is the one that was seen, and its link not doubtful since.
func (m *mark) same(seen mark) bool { return m.at.Equal(seen.at) && m.turn == seen.turn }

// learn keeps a link that was read, unless it changed meanwhile.
func (a *arrivals) learn(name tagName, seen mark, now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	holds := linkHolds
	if a.alone {
		holds = forever
	}
	if m, ok := a.marks[name]; ok && m.same(seen) {
		m.link, m.read = seen.link, now.Add(holds)
	}
}

// drop removes a mark of which nothing waits and nothing comes, unless something came meanwhile.
func (a *arrivals) drop(ctx context.Context, name tagName, seen mark) error {
	lock := a.lock(name)
	lock.Lock()
	defer lock.Unlock()
	if m, ok := a.get(name); !ok || !m.same(seen) {
		return nil
	}
	return a.remove(ctx, name)
}

// take has a push wait no longer, unless it is another by now. Where a push came after it that has no
// link yet, the mark stays, and is that one's alone.
func (a *arrivals) take(ctx context.Context, name tagName, digest string, at time.Time) error {
	lock := a.lock(name)
	lock.Lock()
	defer lock.Unlock()
	m, ok := a.get(name)
	if ok && !a.alone {
		var err error
		if m, ok, err = a.reread(ctx, name, m); err != nil {
			return err
		}
	}
	switch {
	case !ok:
		return nil
	case m.digest == digest && m.at.Equal(at):
		return a.remove(ctx, name)
	case slices.ContainsFunc(m.before, func(p push) bool { return p.digest == digest && p.at.Equal(at) }):
		m.before, m.read = nil, time.Time{} // the others broke off, or came before it
		return a.put(ctx, name, m)
	}
	return nil
}

// remove is for who holds the lock.
func (a *arrivals) remove(ctx context.Context, name tagName) error {
	if err := a.driver.Delete(ctx, name.path()); unlessGone(err) != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.marks, name)
	return nil
}

// awaits reports whether a push of a tag waits; also one that another process took, which shares the
// storage.
func (r *Registry) awaits(ctx context.Context, repository, tag string) (bool, error) {
	name := tagName{repository, tag}
	_, waits, err := r.arrivals.one(ctx, name, time.Now())
	if err != nil || waits || r.arrivals.alone {
		return waits, err
	}
	_, err = r.arrivals.driver.GetContent(ctx, name.path())
	return err == nil, unlessGone(err)
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
