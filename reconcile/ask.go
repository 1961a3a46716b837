package reconcile

import (
	"context"
	"slices"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/towpath/towpath/imagestream"
	"github.com/towpath/towpath/policy"
	"github.com/towpath/towpath/registry"
)

// An Answer is what a registry said to a question.
type Answer struct {
	Question
	Results []Result // one for a tag; for a repository one a tag, most important first
	Listed  bool     // the repository was listed, where it had to be
	LeftOut int      // how many tags of a repository were over its cap
	// Artifacts are tags of a repository that hold no images; their Image is empty.
	Artifacts []Result
	Facts     map[string]dated // by upstream tag: what a Policy was told of images
	Err       *registry.Error  // the listing of a repository failed; Results is empty
	At        time.Time
}

// A Result is what one tag is now.
type Result struct {
	Tag      string
	Upstream string // tag of the repository that a policy chose; empty without a policy
	Head     string // digest that the tag names
	Image    string // digest that is recorded: Head, or the child that was chosen; empty where it is no image
	Labels   imagestream.Labels
	// Settling is until when the image must stand before it is recorded; zero where
	// nobody waits.
	Settling time.Time
	Since    time.Time // since when it stands, as far as this process saw; with Settling
	Err      *registry.Error

	Why        string             // of a policy: why this tag, or why none
	Passed     []policy.Rejection // the tags that it passed over, best first; some
	PassedOver int                // how many it passed over
}

// news reports whether an answer will move the record.
func (a Answer) news() bool {
	return slices.ContainsFunc(a.Results, func(r Result) bool {
		return r.Err == nil && r.Settling.IsZero() && r.Image != "" && r.Image != a.Bases[r.Tag].Image
	})
}

// written is the reference that was asked for, as written.
func (a Answer) written(r Result) string {
	switch {
	case r.Upstream != "":
		return registry.Repository(a.Written) + ":" + r.Upstream
	case a.Target.Tag == "":
		return registry.Repository(a.Written) + ":" + r.Tag
	}
	return a.Written
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

// learned is what the next question needs to know of this answer. Of a tag that failed
// it is what was known before: its image may settle meanwhile.
func (a Answer) learned() map[string]Learned {
	var learned map[string]Learned
	add := func(tag string, l Learned) {
		if learned == nil {
			learned = map[string]Learned{}
		}
		learned[tag] = l
	}
	for _, r := range slices.Concat(a.Results, a.Artifacts) {
		base := a.Bases[r.Tag]
		adopted := base.Image == r.Image && base.Inputs != a.Inputs
		before, known := a.Learned[r.Tag]
		switch {
		case r.Err != nil && known:
			add(r.Tag, before)
		case r.Err != nil, r.Head == r.Image && r.Settling.IsZero() && !adopted: // it is on record, or will be
		default:
			add(r.Tag, Learned{r.Head, r.Image, r.Since})
		}
	}
	return learned
}

const (
	perHost     = 256 // questions to one host at a time; its Reader may let fewer through
	perListing  = 8   // tags of one repository at a time
	perTurn     = 16  // tags of one stream before another namespace has its turn
	askDeadline = 5 * time.Minute
	quiet       = 200 * time.Millisecond // a batch ends when no answer came for this long
	longest     = 30 * time.Second       // …or this long after the first
	batch       = 500                    // …or with this many streams
	largest     = 1000                   // streams of a batch where all answers are waited for
)

// asker hands questions to one queue a host, so that nobody waits for the
// slowest, and collects answers. Its goroutines live under the context of the
// exchange that started them and end when their host's queue is empty.
type asker struct {
	Reader   registry.Reader
	OneShot  bool // all answers are waited for, and nobody comes back for what must settle
	Progress func(what string, done, total int)

	mu     sync.Mutex
	queues map[string]*queue // by host
	rested bool              // a host that has news has answered everything
	early  *rate.Limiter     // how often such a host ends a batch
	done   []Answer
	first  time.Time                // when the first of done came
	open   map[imagestream.Name]int // questions under way, by stream
	whole  int                      // streams that done has answers for, and open nothing
	total  int                      // questions under way
	asked  int                      // since the last time that none was
	round  int                      // of questions
	lists  listings
	signal chan struct{} // capacity 1: an answer came, or a host has rested
}

// queue is what waits for one host. Namespaces take turns, so that one with very
// many streams keeps no other waiting.
type queue struct {
	turns   []string               // namespaces that have questions, the next one first
	waiting map[string][]*Question // by namespace
	turn    int                    // questions that the present turn has had
	workers int
}

func (h *queue) put(q *Question) {
	ns := q.Target.Stream.Namespace
	if len(h.waiting[ns]) == 0 {
		h.turns = append(h.turns, ns)
	}
	h.waiting[ns] = append(h.waiting[ns], q)
}

func (h *queue) take() (q *Question, ok bool) {
	if len(h.turns) == 0 {
		return nil, false
	}
	ns := h.turns[0]
	qs := h.waiting[ns]
	q, h.waiting[ns] = qs[0], qs[1:]
	h.turn++
	switch {
	case len(qs) == 1:
		delete(h.waiting, ns)
		h.turns, h.turn = h.turns[1:], 0
	case h.turn == perTurn || qs[1].Target.Stream != q.Target.Stream: // a stream's tags belong into one commit
		h.turns, h.turn = append(h.turns[1:], ns), 0
	}
	return q, true
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
		a.signal, a.queues, a.open = make(chan struct{}, 1), map[string]*queue{}, map[imagestream.Name]int{}
		a.early = rate.NewLimiter(rate.Every(time.Minute), 10)
	}
	return a.signal
}

// wake says that something came; the lock is held.
func (a *asker) wake() {
	select {
	case a.signal <- struct{}{}:
	default:
	}
}

// underWay is how many questions are asked, or answered and not taken yet.
func (a *asker) underWay() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.total + len(a.done)
}

// exchange asks the questions and takes back what is answered so far: what comes
// until the registries fall quiet, or, where all answers are waited for, batch after
// batch. It takes nothing when the next tag is due before that, or hints come; the
// answers stay.
func (a *asker) exchange(ctx context.Context, qs []Question, next time.Time, hinted <-chan struct{}) []Answer {
	a.round++ // nobody else reads it
	for i := range qs {
		a.ask(ctx, &qs[i])
	}
	var due <-chan time.Time
	switch {
	case a.OneShot:
		hinted = nil
	case !next.IsZero():
		timer := time.NewTimer(max(time.Until(next), tick))
		defer timer.Stop()
		due = timer.C
	}
	for {
		ripe, signal, wait := a.ripe()
		if ripe {
			return a.take()
		}
		var tired <-chan time.Time
		if wait > 0 {
			tired = time.After(wait)
		}
		select {
		case <-signal:
		case <-tired:
			return a.take()
		case <-due:
			return nil
		case <-hinted:
			return nil
		case <-ctx.Done():
			return a.take()
		}
	}
}

// ripe reports whether what is answered should be taken; if not, how long to wait for
// more, 0 for as long as it takes.
func (a *asker) ripe() (ripe bool, signal chan struct{}, wait time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.Progress != nil && a.total+len(a.done) > 0 {
		a.Progress("asking registries", a.asked-a.total, a.asked)
	}
	switch signal = a.init(); {
	case a.total == 0:
		return true, signal, 0
	case a.OneShot:
		return a.whole >= largest, signal, 0
	case a.whole >= batch, a.rested, len(a.done) > 0 && time.Since(a.first) >= longest:
		return true, signal, 0
	}
	return false, signal, quiet
}

// take takes what is answered. Where a batch is full, streams of which something is
// under way are left for the next: each of their files is then written once.
func (a *asker) take() []Answer {
	a.mu.Lock()
	defer a.mu.Unlock()
	done := a.done
	a.done = nil
	if a.whole >= batch && a.total > 0 {
		done = slices.DeleteFunc(done, func(x Answer) bool {
			partly := a.open[x.Target.Stream] > 0
			if partly {
				a.done = append(a.done, x)
			}
			return partly
		})
	}
	a.rested, a.whole = false, 0
	if a.total == 0 {
		a.asked = 0
	}
	slices.SortStableFunc(done, func(x, y Answer) int { return compareTags(x.Target, y.Target) })
	return done
}

// ask puts a question into its host's queue and sees that somebody works on it.
func (a *asker) ask(ctx context.Context, q *Question) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.init()
	a.total++
	a.asked++
	a.open[q.Target.Stream]++
	q.round = a.round
	a.lists.want(*q)
	host := q.Ref.Host
	h := a.queues[host]
	if h == nil {
		h = &queue{waiting: map[string][]*Question{}}
		a.queues[host] = h
	}
	h.put(q)
	if h.workers < perHost {
		h.workers++
		go a.work(ctx, host, h)
	}
}

// rest notes that a host has answered everything: its news need not wait for
// others, unless that happened often lately. The lock is held.
func (a *asker) rest(host string) {
	news := slices.ContainsFunc(a.done, func(answer Answer) bool { return answer.Ref.Host == host && answer.news() })
	if news && !a.rested && a.early.Allow() {
		a.rested = true
		a.wake()
	}
}

// work answers one host's questions until none waits.
func (a *asker) work(ctx context.Context, host string, h *queue) {
	for {
		a.mu.Lock()
		q, ok := h.take()
		if !ok {
			if h.workers--; h.workers == 0 {
				delete(a.queues, host)
				a.rest(host)
			}
			a.mu.Unlock()
			return
		}
		a.mu.Unlock()

		answer := a.answer(ctx, *q)
		a.lists.release(*q)

		a.mu.Lock()
		a.total--
		stream := answer.Target.Stream
		if a.open[stream]--; a.open[stream] == 0 {
			delete(a.open, stream)
			a.whole++
		}
		if ctx.Err() == nil { // what a shutdown broke off says nothing of the registry
			if len(a.done) == 0 {
				a.first = time.Now()
			}
			a.done = append(a.done, answer)
		}
		a.wake()
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
	case q.Policy != nil:
		a.pick(ctx, &answer)
	default:
		answer.Results = []Result{a.resolve(ctx, q, q.Target.Tag, q.Ref)}
	}
	answer.At = time.Now()
	if q.Settle > 0 {
		for i := range answer.Results {
			a.settle(ctx, &answer, &answer.Results[i])
		}
	}
	return answer
}
