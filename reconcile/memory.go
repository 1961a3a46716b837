package reconcile

import (
	"cmp"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/towpath/towpath/gitstore"
	"github.com/towpath/towpath/imagestream"
	"github.com/towpath/towpath/registry"
)

// Memory is what a process knows and Git does not: when a tag was asked last,
// how it fails, what is under way. It belongs to one Reconciler. If it is lost,
// the price is one round of HEAD requests.
type Memory struct {
	started  time.Time
	states   map[imagestream.TagRef]*state
	loud     map[imagestream.TagRef]*state           // of states, those that fail or wait for an image to settle
	rests    map[imagestream.Name]rest               // streams of which nothing is asked or owed
	looks    map[imagestream.TagRef]*look            // what registries spoke of lately
	owed     map[imagestream.TagRef]Answer           // those that nothing became of yet
	verdicts verdicts                                // what the log said of sites
	given    given                                   // when which images were given to sites
	refused  map[imagestream.Problem]gitstore.BlobID // edits that could not be made, and in which content of the file

	pushes    []time.Time // that landed within the last hour
	pushFails int
	pushAfter time.Time // no push before; zero: any time
	waits     error     // why a write waits; nil where none does
}

// state is what is known of one tag, or of a repository where the tag is empty.
type state struct {
	asking string // inputs of the question under way
	again  bool   // ask at once: its last answer came too late, or a hint came meanwhile
	hinted bool   // a hint came while the question was under way

	asked    time.Time       // when the last answer was dealt with
	inputs   string          // what that was asked for
	settled  gitstore.BlobID // content of the file that it left as it was
	settles  time.Time       // when the first of settling may have settled; zero where none must
	settling []Settling
	learned  map[string]Learned
	facts    map[string]dated

	fails   int                  // in a row
	since   map[string]time.Time // by tag: the first failure of the row; "" is the listing
	retry   time.Time
	failure *registry.Error
	listed  bool // the listing itself worked
}

// A rest is until when nothing of a stream needs asking, as long as it stays as it is.
type rest struct {
	stream *Stream
	until  time.Time // zero: for ever
	busy   bool      // something of it is asked or owed: there is no rest
}

func (m *Memory) rest(r rest) {
	if r.busy {
		delete(m.rests, r.stream.Name)
		return
	}
	if m.rests == nil {
		m.rests = map[imagestream.Name]rest{}
	}
	m.rests[r.stream.Name] = r
}

// forget drops what is known of tags that nobody wants any more.
func (m *Memory) forget(c *Catalog) {
	for tag, st := range m.states {
		s := c.Stream(tag.Stream)
		if _, owed := m.owed[tag]; !owed && st.asking == "" && (s == nil || !s.asks(tag.Tag)) {
			delete(m.states, tag)
			delete(m.loud, tag)
		}
	}
	maps.DeleteFunc(m.looks, func(tag imagestream.TagRef, l *look) bool {
		s := c.Stream(tag.Stream)
		return !l.asked && (s == nil || !s.asks(tag.Tag))
	})
	maps.DeleteFunc(m.rests, func(name imagestream.Name, r rest) bool { return c.Stream(name) != r.stream })
}

func (m *Memory) state(t imagestream.TagRef) *state { return m.states[t] }

// complete gives a question what earlier answers taught.
func (m *Memory) complete(q *Question) {
	if st := m.state(q.Target); st != nil && st.inputs == q.Inputs {
		q.Learned, q.FailingSince, q.Facts = st.learned, st.since, st.facts
	}
}

func (m *Memory) inFlight(ask []Question, now time.Time) {
	if m.states == nil {
		m.states, m.owed = map[imagestream.TagRef]*state{}, map[imagestream.TagRef]Answer{}
	}
	for _, q := range ask {
		if m.states[q.Target] == nil {
			m.states[q.Target] = &state{}
		}
		m.states[q.Target].asking = q.Inputs
		m.looking(q, now)
	}
}

// owe takes in answers. From now until something became of it, an answer is
// owed; a newer one takes its place.
func (m *Memory) owe(fresh []Answer) {
	for _, a := range fresh {
		if st := m.states[a.Target]; st.asking == a.Inputs {
			st.asking = ""
		}
		m.owed[a.Target] = a
		m.saw(a)
	}
}

// stale is how old an answer may get before it is asked for again instead of
// written.
const stale = 15 * time.Minute

// owing lists the answers that are owed.
func (m *Memory) owing() []Answer {
	var answers []Answer
	for _, tag := range slices.SortedFunc(maps.Keys(m.owed), compareTags) {
		answers = append(answers, m.owed[tag])
	}
	return answers
}

// dropStale gives up answers that waited too long: their tags may have moved
// since, and are asked for again.
func (m *Memory) dropStale(now time.Time) {
	for tag, a := range m.owed {
		if now.Sub(a.At) > stale {
			delete(m.owed, tag)
			m.states[tag].again = true
		}
	}
}

// owes reports whether something waits to be written, and may be.
func (m *Memory) owes(now time.Time) bool {
	return (len(m.owed) > 0 || !m.pushAfter.IsZero()) && !now.Before(m.pushAfter)
}

// After takes in what became of a pass's answers. One whose write landed, or
// that had nothing to write, is dealt with; one that the record outran is dropped, and
// its tag is due; any other stays owed.
func (m *Memory) After(answers []Answer, recorded *Recorded, writes Writes, outcome Outcome, now time.Time) {
	written := writes.paths()
	for _, a := range answers {
		st := m.states[a.Target]
		s := recorded.cat.Stream(a.Target.Stream)
		switch {
		case recorded.outrun[a.Target]:
			delete(m.owed, a.Target)
			*st = state{asking: st.asking, again: st.asking == ""}
			delete(m.loud, a.Target)
		case !outcome.Landed && !outcome.Dry && written[s.Path]:
		default:
			delete(m.owed, a.Target)
			st.took(a, now)
			st.settle(recorded.settles[a.Target])
			m.say(a.Target, st)
			if st.settled = s.Blob; outcome.Landed && written[s.Path] {
				st.settled = ""
			}
		}
	}
	if len(m.owed) == 0 {
		m.owed = map[imagestream.TagRef]Answer{} // a map that was large stays large
	}
	m.pushed(outcome, now)
}

// say keeps the states that a report tells of.
func (m *Memory) say(tag imagestream.TagRef, st *state) {
	if st.failure == nil && len(st.settling) == 0 {
		delete(m.loud, tag)
		return
	}
	if m.loud == nil {
		m.loud = map[imagestream.TagRef]*state{}
	}
	m.loud[tag] = st
}

// took takes in an answer that needs no more attention.
func (st *state) took(a Answer, now time.Time) {
	if st.inputs != a.Inputs {
		st.fails, st.learned = 0, nil
	}
	st.again, st.hinted = st.hinted, false
	st.asked, st.inputs, st.since, st.listed = now, a.Inputs, a.failingSince(), a.Listed
	st.facts = remembered(a.Facts, now)
	if a.Err == nil {
		st.learned = a.learned()
	}
	if st.failure = a.failure(); st.failure == nil {
		st.fails = 0
		return
	}
	st.fails++
	st.retry = now.Add(backoff(st.failure, st.fails, a.Every))
}

// settle notes what must stand unchanged before it is recorded.
func (st *state) settle(waits []Settling) {
	st.settling, st.settles = waits, time.Time{}
	for _, w := range waits {
		if st.settles.IsZero() || w.Until.Before(st.settles) {
			st.settles = w.Until
		}
	}
}

// first is since when anything of a tag or repository fails.
func (st *state) first() time.Time {
	var first time.Time
	for _, t := range st.since {
		if first.IsZero() || t.Before(first) {
			first = t
		}
	}
	return first
}

// rememberRefused keeps what could not be edited for as long as its file stays as
// it is, and returns it.
func (m *Memory) rememberRefused(c *Catalog, plan Plan, writes Writes) []imagestream.Problem {
	if m.refused == nil {
		m.refused = map[imagestream.Problem]gitstore.BlobID{}
	}
	planned := plan.Paths()
	maps.DeleteFunc(m.refused, func(p imagestream.Problem, blob gitstore.BlobID) bool {
		_, again := planned[p.Path]
		return again || c.files[p.Path] == nil || c.files[p.Path].Blob != blob
	})
	for _, p := range writes.Problems {
		m.refused[p] = ""
		if f := c.files[p.Path]; f != nil { // not so of a file that is still to come
			m.refused[p] = f.Blob
		}
	}
	return slices.SortedFunc(maps.Keys(m.refused), func(a, b imagestream.Problem) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Col, b.Col))
	})
}

// unwritten are those problems that are edits which could not be made.
func (m *Memory) unwritten(all []imagestream.Problem) []imagestream.Problem {
	return slices.DeleteFunc(slices.Clone(all), func(p imagestream.Problem) bool { _, is := m.refused[p]; return !is })
}

const (
	passingFirst, passingMost = time.Second, 5 * time.Minute
	lastingFirst, lastingMost = time.Hour, 24 * time.Hour
	deniedFirst, deniedMost   = 5 * time.Minute, time.Hour // a credential may be rotated any time, and must not be locked out
)

// backoff is how long to wait after the nth failure in a row: from 1 s to 5 min
// where it may pass, from 5 min to 1 h where a credential is refused, from 1 h to
// 24 h where somebody must act, and never less than the registry asked for. A
// scheduled tag begins with its interval, if that is less than an hour: often its
// image comes a little after its stream.
func backoff(err *registry.Error, n int, every time.Duration) time.Duration {
	first, most := lastingFirst, lastingMost
	switch {
	case err.Kind.Passing():
		first, most = passingFirst, passingMost
	case err.Kind == registry.Unauthorized:
		first, most = deniedFirst, deniedMost
	case every > 0:
		first = min(first, every)
	}
	return max(doubled(first, most, n), err.RetryAfter)
}

// doubled is first, doubled with every failure in a row, up to most.
func doubled(first, most time.Duration, n int) time.Duration {
	d := first
	for i := 1; i < n && d < most; i++ {
		d *= 2
	}
	return min(d, most)
}

// pushed sets when the next push may be tried. When the branch moved, planning
// again on the new tip is not a retry and waits for nothing for the first
// five times.
func (m *Memory) pushed(o Outcome, now time.Time) {
	switch {
	case o.Nothing:
		if m.waits = nil; !now.Before(m.pushAfter) {
			m.pushAfter = time.Time{}
		}
	case o.Landed || o.Dry:
		m.pushFails, m.pushAfter, m.waits = 0, time.Time{}, nil
		if len(o.Commits) > 0 {
			m.pushes = append(m.pushes, now)
		}
	case o.Throttled:
		m.waits = ErrThrottled
	case o.Waiting:
	default:
		m.waits = o.Err
		m.pushFails++
		m.pushAfter = now.Add(o.wait(m.pushFails))
	}
}

// ErrThrottled says that the pushes of this hour are spent.
var ErrThrottled = errors.New("the pushes of this hour are spent; what moved goes into one later push")

// budget reports whether all pushes of this hour are spent, and until when.
// What moves meanwhile goes into one later push.
func (m *Memory) budget(perHour int, now time.Time) (until time.Time, spent bool) {
	for len(m.pushes) > 0 && now.Sub(m.pushes[0]) >= time.Hour {
		m.pushes = m.pushes[1:]
	}
	if perHour <= 0 || len(m.pushes) < perHour {
		return time.Time{}, false
	}
	return m.pushes[len(m.pushes)-perHour].Add(time.Hour), true
}
