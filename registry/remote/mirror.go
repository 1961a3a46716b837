package remote

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/towpath/towpath/registry"
)

// A Mirror is where copies of repositories are read before the registry itself
// is asked. Answers and errors keep the name that was asked for: a record never
// shows a mirror, only Image.Mirror says who answered.
type Mirror struct {
	// Prefix is HOST or HOST/PATH, in whole parts: "docker.io/library". Of several
	// that fit a repository the longest counts.
	Prefix string
	// At are the places that stand for the prefix, HOST or HOST/PATH, in the order
	// in which they are asked. The rest of the repository's path is appended. Their
	// hosts count as listed in Options.Hosts. An author neither names a mirror nor
	// knows of it, so Host.Insecure of a mirror needs no leave of the tag's.
	At []string
	// Only says that the registry itself is never asked. Its mirrors then answer
	// for it, also where a question is for the registry itself.
	Only bool
}

// mirrors are those of all prefixes, the longest prefix first.
type mirrors []mirrored

type mirrored struct {
	prefix prefix
	at     []prefix
	only   bool
}

func newMirrors(written []Mirror) (mirrors, error) {
	var ms mirrors
	for i, w := range written {
		m, err := newMirrored(w)
		if err != nil {
			return nil, fmt.Errorf("mirrors[%d]: %w", i, err)
		}
		if slices.ContainsFunc(ms, func(other mirrored) bool { return other.prefix == m.prefix }) {
			return nil, fmt.Errorf("mirrors[%d]: %s is there twice: write it once, with all of its mirrors", i, m.prefix)
		}
		ms = append(ms, m)
	}
	slices.SortStableFunc(ms, func(a, b mirrored) int { return cmp.Compare(len(b.prefix.path), len(a.prefix.path)) })
	return ms, nil
}

func newMirrored(w Mirror) (m mirrored, err error) {
	m.only = w.Only
	if m.prefix, err = parsePrefix(w.Prefix); err != nil {
		return m, err
	}
	if len(w.At) == 0 {
		return m, fmt.Errorf("%s has no mirrors: name them under at", m.prefix)
	}
	for _, written := range w.At {
		at, err := parsePrefix(written)
		if err != nil {
			return m, err
		}
		switch {
		case at == m.prefix:
			return m, fmt.Errorf("%s mirrors itself: name another place under at", at)
		case at.path == "" && m.prefix.isWhole():
			return m, fmt.Errorf("%s is one repository, and its mirror %s names none: write %s/REPOSITORY under at", m.prefix, at, at)
		}
		m.at = append(m.at, at)
	}
	return m, nil
}

// hosts are those of all mirrors.
func (ms mirrors) hosts() (hosts []string) {
	for _, m := range ms {
		for _, at := range m.at {
			hosts = append(hosts, at.host)
		}
	}
	return hosts
}

// A source is a place where a repository is read.
type source struct {
	repo   registry.Repo // as that place names it
	mirror string        // its host; empty for the registry itself
}

// sources are the places to ask for a repository, in order. There are none where
// the registry itself is never asked and no mirror can have a repository of that name.
func (ms mirrors) sources(on registry.On, repo registry.Repo) []source {
	itself := source{repo: repo}
	i := slices.IndexFunc(ms, func(m mirrored) bool { return m.prefix.holds(repo) })
	if i < 0 || on.Upstream && !ms[i].only {
		return []source{itself}
	}
	var list []source
	for _, at := range ms[i].at {
		if there := at.join(ms[i].prefix.rest(repo)); there.IsCanonical() { // made of two parts, it may be too long, or have no path
			list = append(list, source{repo: there, mirror: at.host})
		}
	}
	if !ms[i].only {
		list = append(list, itself)
	}
	return list
}

// originals are what a repository is a copy of, should it be below a mirror.
func (ms mirrors) originals(repo registry.Repo) (list []registry.Repo) {
	for _, m := range ms {
		for _, at := range m.at {
			if !at.holds(repo) {
				continue
			}
			// On Docker Hub a name of one part is below library.
			if original, err := registry.ParseRepo(m.prefix.join(at.rest(repo)).String()); err == nil {
				list = append(list, original)
			}
		}
	}
	return list
}

// A triedError says in the log who answered a question in the end, and who was to be
// asked before. Mirrors are the operator's: their names do not get into an error's
// Message, which is written into Git.
type triedError struct {
	answered string
	before   []string // hosts of mirrors
	cause    error    // may be nil
}

func (e *triedError) Error() string {
	text := "of " + e.answered
	if len(e.before) > 0 {
		text += ", after " + strings.Join(e.before, ", ")
	}
	if e.cause == nil {
		return text
	}
	return text + ": " + e.cause.Error()
}

func (e *triedError) Unwrap() error { return e.cause }

// tell puts into an error which of the sources it is of. What a mirror's error says
// with the mirror's name is for the log only.
func tell(failed *registry.Error, list []source, i int) *registry.Error {
	e := &triedError{answered: list[i].repo.Host, cause: failed.Err}
	for _, s := range list[:i] {
		e.before = append(e.before, s.mirror)
	}
	mirror := list[i].mirror
	if mirror == "" && i == 0 {
		return failed
	}
	if mirror != "" {
		e.answered = "the mirror " + mirror
		if strings.Contains(failed.Message, mirror) {
			e.cause = errors.Join(errors.New(failed.Message), failed.Err)
			failed.Message = "its mirror does not answer as it should"
		}
	}
	failed.Err = e
	return failed
}

// through asks one source of a repository after another until one answers. Name
// is what the question is about, for its error. Do is called with a question for
// the source and the reference as that source names it.
func through[T any](ctx context.Context, r *Reader, on registry.On, ref registry.Ref, name func() string, do func(*question, registry.Ref) (T, error)) (answer T, mirror string, err error) {
	if !ref.IsCanonical() {
		_, err := registry.ParseRef(ref.String()) // nil where it would be read otherwise
		return answer, "", &registry.Error{Kind: registry.Invalid, Ref: name(), Message: "no reference in canonical form", Err: err}
	}
	if err := r.reach.checkAll(ref.Repo, r.mirrors.originals(ref.Repo)); err != nil {
		return answer, "", &registry.Error{Kind: registry.Forbidden, Ref: name(), Message: err.Error()}
	}
	list := r.mirrors.sources(on, ref.Repo)
	if len(list) == 0 {
		return answer, "", &registry.Error{Kind: registry.Forbidden, Ref: name(), Message: "it is read from mirrors alone, and none can have a repository of that name: correct mirrors in the operator's config"}
	}
	for i, s := range list {
		last := i == len(list)-1
		if !last && !r.resting.ready(s.mirror, time.Now()) {
			continue
		}
		there := registry.Ref{Repo: s.repo, Tag: ref.Tag, Digest: ref.Digest}
		q := r.ask(on, s)
		if q.who, err = r.keys.choose(ctx, on, s.repo); err == nil {
			answer, err = do(q, there)
			q.room.leave()
		}
		if err == nil {
			r.resting.note(s, nil, time.Now())
			return answer, s.mirror, nil
		}
		failed := q.failed(err, name())
		r.resting.note(s, err, time.Now())
		if errors.Is(err, errHelper) {
			failed.Message = messageOf(err) // nobody was asked, as nobody or as anyone
		}
		if last || ctx.Err() != nil || !passOn(failed, statusOf(err)) {
			var none T
			return none, "", tell(failed, list, i)
		}
		r.log.Debug("the mirror has no answer, asking on", "mirror", s.mirror, "err", failed)
	}
	panic("unreachable: the last source was asked")
}

// messageOf is that of the failure behind an error, without who asked.
func messageOf(err error) string {
	var f *failure
	if errors.As(err, &f) {
		return f.message
	}
	return ""
}

// passOn reports whether another source may know better: not where an answer is
// malformed or has other bytes than its digest says. Who sends that is broken or
// lies, and people must hear of it.
func passOn(failed *registry.Error, status int) bool {
	return failed.Kind != registry.Invalid || status != 0
}

const mirrorRest = time.Minute

// resting remembers the mirrors that cannot be connected to, so that not every
// question waits for them.
type resting struct {
	log *slog.Logger

	mu    sync.Mutex
	until map[string]time.Time // by host
}

// ready reports whether a mirror should be asked. After its rest one question
// finds out for all others.
func (r *resting) ready(mirror string, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	until, resting := r.until[mirror]
	if !resting {
		return true
	}
	if now.Before(until) {
		return false
	}
	r.until[mirror] = now.Add(mirrorRest)
	return true
}

// note learns from how a question ended how a source is. Only one that cannot be
// connected to rests: what comes after that, or from where it leads, may be about one
// repository, and the mirror is everybody's.
func (r *resting) note(from source, err error, now time.Time) {
	if from.mirror == "" {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	_, before := r.until[from.mirror]
	switch {
	case isUnreached(err, from.repo):
		r.until[from.mirror] = now.Add(mirrorRest)
		if !before {
			r.log.Warn("the mirror cannot be reached, others are asked meanwhile", "mirror", from.mirror, "err", err)
		}
	case !before:
	case err == nil || statusOf(err) != 0:
		delete(r.until, from.mirror)
		r.log.Info("the mirror is asked again", "mirror", from.mirror)
	default: // given up, or limited: the next question finds out
		r.until[from.mirror] = now
	}
}
