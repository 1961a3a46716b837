package reconcile

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/towpath/towpath/imagestream"
	"github.com/towpath/towpath/registry"
)

// An Answer is what a registry said to a question.
type Answer struct {
	Question
	Results []Result        // one for a tag; for a repository one a tag, most important first
	LeftOut int             // how many tags of a repository were over its cap
	Err     *registry.Error // the listing of a repository failed; Results is empty
	At      time.Time
}

// A Result is what one tag is now.
type Result struct {
	Tag   string
	Head  string // digest that the tag names
	Image string // digest that is recorded: Head, or the child that was chosen
	Err   *registry.Error
}

// failure is the error that decides when to ask again: the listing's, or the
// worst of the tags'.
func (a Answer) failure() *registry.Error {
	if a.Err != nil {
		return a.Err
	}
	var worst *registry.Error
	for _, r := range a.Results {
		if r.Err != nil && (worst == nil || r.Err.Kind.Passing()) {
			worst = r.Err
		}
	}
	return worst
}

// failingSince is since when each tag fails, by tag; the listing's is "".
func (a Answer) failingSince() map[string]time.Time {
	var since map[string]time.Time
	add := func(tag string) {
		if since == nil {
			since = map[string]time.Time{}
		}
		if since[tag] = a.FailingSince[tag]; since[tag].IsZero() {
			since[tag] = a.At
		}
	}
	if a.Err != nil {
		add("")
	}
	for _, r := range a.Results {
		if r.Err != nil {
			add(r.Tag)
		}
	}
	return since
}

func (a Answer) known() map[string]Known {
	var known map[string]Known
	for _, r := range a.Results {
		if r.Err == nil && r.Head != r.Image {
			if known == nil {
				known = map[string]Known{}
			}
			known[r.Tag] = Known{r.Head, r.Image}
		}
	}
	return known
}

const (
	perHost     = 32 // questions to one host at a time
	perListing  = 8  // tags of one repository at a time
	askDeadline = 5 * time.Minute
	quiet       = 200 * time.Millisecond // a batch ends when no answer came for this long
	longest     = 30 * time.Second       // …or this long after the first
	batch       = 500                    // …or with this many streams
)

// asker hands questions to one queue a host, so that nobody waits for the
// slowest, and collects answers. Its goroutines live under the context of the
// exchange that started them and end when their host's queue is empty.
type asker struct {
	Reader   registry.Reader
	Progress func(what string, done, total int)

	mu          sync.Mutex
	queues      map[string]*queue // by host
	done        []Answer
	streams     map[imagestream.Name]bool // that done has answers for
	outstanding int
	asked       int           // since the last time that nothing was outstanding
	signal      chan struct{} // capacity 1: an answer came
}

type queue struct {
	waiting []Question
	workers int
}

// answered reports whether answers wait to be taken.
func (a *asker) answered() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.done) > 0
}

// ready is sent to, without blocking, when an answer came.
func (a *asker) ready() <-chan struct{} {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.init()
}

// init makes the channel; the lock is held.
func (a *asker) init() chan struct{} {
	if a.signal == nil {
		a.signal, a.queues, a.streams = make(chan struct{}, 1), map[string]*queue{}, map[imagestream.Name]bool{}
	}
	return a.signal
}

// exchange asks the questions and takes back what is answered so far: all of
// it if wait is set, else what comes until the registries fall quiet.
func (a *asker) exchange(ctx context.Context, qs []Question, wait bool) []Answer {
	for _, q := range qs {
		a.ask(ctx, q)
	}
	var first time.Time
	for {
		a.mu.Lock()
		got, streams, open, signal := len(a.done), len(a.streams), a.outstanding, a.init()
		a.mu.Unlock()
		if a.Progress != nil && open+got > 0 {
			a.Progress("asking registries", a.asked-open, a.asked)
		}
		if got > 0 && first.IsZero() {
			first = time.Now()
		}
		if open == 0 || !wait && (streams >= batch || got > 0 && time.Since(first) >= longest) {
			return a.take()
		}
		var tired <-chan time.Time
		if !wait {
			tired = time.After(quiet)
		}
		select {
		case <-signal:
		case <-tired:
			return a.take()
		case <-ctx.Done():
			return a.take()
		}
	}
}

func (a *asker) take() []Answer {
	a.mu.Lock()
	defer a.mu.Unlock()
	done := a.done
	a.done = nil
	clear(a.streams)
	if a.outstanding == 0 {
		a.asked = 0
	}
	slices.SortStableFunc(done, func(x, y Answer) int { return compareTags(x.Target, y.Target) })
	return done
}

// ask puts a question into its host's queue and sees that somebody works on it.
func (a *asker) ask(ctx context.Context, q Question) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.init()
	a.outstanding++
	a.asked++
	host := q.Ref.Host
	h := a.queues[host]
	if h == nil {
		h = &queue{}
		a.queues[host] = h
	}
	h.waiting = append(h.waiting, q)
	if h.workers < perHost {
		h.workers++
		go a.work(ctx, host, h)
	}
}

// work answers one host's questions until none waits.
func (a *asker) work(ctx context.Context, host string, h *queue) {
	for {
		a.mu.Lock()
		if len(h.waiting) == 0 {
			if h.workers--; h.workers == 0 {
				delete(a.queues, host)
			}
			a.mu.Unlock()
			return
		}
		q := h.waiting[0]
		h.waiting = h.waiting[1:]
		a.mu.Unlock()

		answer := a.answer(ctx, q)

		a.mu.Lock()
		a.outstanding--
		if ctx.Err() == nil { // what a shutdown broke off says nothing of the registry
			a.done = append(a.done, answer)
			a.streams[answer.Target.Stream] = true
		}
		select {
		case a.signal <- struct{}{}:
		default:
		}
		a.mu.Unlock()
	}
}

func (a *asker) answer(ctx context.Context, q Question) Answer {
	ctx, cancel := context.WithTimeout(ctx, askDeadline)
	defer cancel()
	answer := Answer{Question: q}
	switch {
	case q.Refused != nil && q.Target.Tag == "":
		answer.Err = q.Refused
	case q.Refused != nil:
		answer.Results = []Result{{Tag: q.Target.Tag, Err: q.Refused}}
	case q.Target.Tag == "":
		a.list(ctx, &answer)
	default:
		answer.Results = []Result{a.resolve(ctx, q, q.Target.Tag, q.Ref)}
	}
	answer.At = time.Now()
	return answer
}

// list asks for the tags of a repository, and for each up to the cap.
func (a *asker) list(ctx context.Context, answer *Answer) {
	defer unpanic(answer.Ref.Repo.String(), &answer.Err)
	tags, err := a.Reader.Tags(ctx, answer.On, answer.Ref.Repo)
	if err != nil {
		answer.Err = asError(err, answer.Ref.Repo.String())
		return
	}
	tags = imagestream.PrioritizeTags(tags)
	if answer.Cap > 0 && len(tags) > answer.Cap {
		answer.LeftOut = len(tags) - answer.Cap
		tags = tags[:answer.Cap]
	}
	answer.Results = make([]Result, len(tags))
	var wg sync.WaitGroup
	places := make(chan struct{}, perListing)
	for i, tag := range tags {
		places <- struct{}{}
		wg.Go(func() {
			defer func() { <-places }()
			answer.Results[i] = a.resolve(ctx, answer.Question, tag, registry.Ref{Repo: answer.Ref.Repo, Tag: tag})
		})
	}
	wg.Wait()
}

// resolve asks what a reference is: one HEAD and, for a manifest list that was
// not seen before and is not wanted as such, the list.
func (a *asker) resolve(ctx context.Context, q Question, tag string, ref registry.Ref) (r Result) {
	r.Tag = tag
	defer unpanic(ref.String(), &r.Err)
	img, err := a.Reader.Head(ctx, q.On, ref)
	if err != nil {
		r.Err = asError(err, ref.String())
		return r
	}
	r.Head, r.Image = img.Digest, img.Digest
	if !img.IsIndex() || q.Mode != imagestream.Legacy {
		return r
	}
	if k := q.Known[tag]; k.Head == img.Digest {
		r.Image = k.Image
		return r
	}
	list, err := a.Reader.Detail(ctx, q.On, registry.Ref{Repo: ref.Repo, Digest: img.Digest})
	if err != nil {
		r.Err = asError(err, ref.String())
		return r
	}
	child, ok := choose(list.Children, q.Platform, q.Fallback)
	if !ok {
		r.Err = &registry.Error{Kind: registry.Invalid, Ref: ref.String(), Message: "the manifest list holds no image"}
		return r
	}
	r.Image = child.Digest
	return r
}

// choose picks a manifest list's entry: the first that has the first platform
// that is wanted and there, else the first of all. Attestations, which claim the
// platform unknown/unknown, are no images. A variant counts only where one is
// wanted. (OpenShift does the same, with its host's platform first.)
func choose(children []registry.Child, wanted ...registry.Platform) (registry.Child, bool) {
	images := slices.DeleteFunc(slices.Clone(children), func(c registry.Child) bool {
		return c.Platform.OS == "unknown" || c.Platform.Architecture == "unknown"
	})
	for _, want := range wanted {
		for _, c := range images {
			if c.Platform.OS == want.OS && c.Platform.Architecture == want.Architecture &&
				(want.Variant == "" || want.Variant == c.Platform.Variant) {
				return c, true
			}
		}
	}
	if len(images) == 0 {
		return registry.Child{}, false
	}
	return images[0], true
}

// unpanic makes a panic of a Reader the failure of one question, which is backed
// off from like any other.
func unpanic(ref string, err **registry.Error) {
	if p := recover(); p != nil {
		*err = &registry.Error{Kind: registry.InternalError, Ref: ref, Message: "towpath itself failed", Err: fmt.Errorf("panic: %v", p)}
	}
}

// asError is a Reader's error as the contract promises it.
func asError(err error, ref string) *registry.Error {
	if e := (*registry.Error)(nil); errors.As(err, &e) {
		return e
	}
	return &registry.Error{Kind: registry.InternalError, Ref: ref, Message: "the registry could not be read", Err: err}
}
