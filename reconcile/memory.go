package reconcile

import (
	"time"

	"github.com/towpath/towpath/imagestream"
	"github.com/towpath/towpath/registry"
)

// Memory is what a process knows and Git does not: when a tag was asked last,
// how it fails, what is under way. It belongs to one Reconciler. If it is lost,
// the price is one round of HEAD requests.
type Memory struct {
	started time.Time
	states  map[imagestream.TagRef]*state
	owed    []Answer         // whose write did not land yet
	held    map[holdKey]Hold // what the log said of sites that a person took back

	pushes    []time.Time // that landed within the last hour
	pushFails int
	pushAfter time.Time // no push before; zero: any time
}

// state is what is known of one tag, or of a repository where the tag is empty.
type state struct {
	asked    time.Time // when the last answer came whose write landed
	inputs   string    // what that was asked for
	inFlight bool
	again    bool // its last answer came too late: ask at once
	known    map[string]Known

	fails   int // in a row
	since   time.Time
	retry   time.Time
	failure *registry.Error
}

func (m *Memory) state(t imagestream.TagRef) *state { return m.states[t] }

// complete gives a question what earlier answers taught.
func (m *Memory) complete(q *Question) {
	st := m.state(q.Target)
	if st == nil || st.inputs != q.Inputs {
		return
	}
	q.Known = st.known
	if st.fails > 0 {
		q.FailingSince = st.since
	}
}

func (m *Memory) inFlight(ask []Question) {
	if m.states == nil {
		m.states = map[imagestream.TagRef]*state{}
	}
	for _, q := range ask {
		if m.states[q.Target] == nil {
			m.states[q.Target] = &state{}
		}
		m.states[q.Target].inFlight = true
	}
}

// unwritten takes the answers whose write did not land.
func (m *Memory) unwritten() []Answer {
	owed := m.owed
	m.owed = nil
	return owed
}

// owes reports whether something waits to be written, and may be.
func (m *Memory) owes(now time.Time) bool {
	return (len(m.owed) > 0 || !m.pushAfter.IsZero()) && !now.Before(m.pushAfter)
}

// After takes in what a pass did. A tag counts as asked only when its write
// landed or there was nothing to write; otherwise its answer is kept for the
// next pass. An answer that the record outran is dropped, and its tag is due.
func (m *Memory) After(answers []Answer, recorded *Recorded, outcome Outcome, now time.Time) {
	for _, a := range answers {
		st := m.states[a.Target]
		if st == nil {
			st = &state{}
			m.states[a.Target] = st
		}
		switch {
		case recorded.outrun[a.Target]:
			*st = state{known: st.known, again: true}
		case !outcome.Landed && !outcome.Dry && recorded.touches(a.Target.Stream):
			m.owed = append(m.owed, a) // and in flight until it lands
		default:
			st.took(a, now)
		}
	}
	m.pushed(outcome, now)
}

// took takes in an answer that needs no more attention.
func (st *state) took(a Answer, now time.Time) {
	st.inFlight, st.again, st.asked, st.inputs = false, false, now, a.Inputs
	err := a.failure()
	if err == nil {
		st.fails, st.failure, st.since = 0, nil, time.Time{}
		st.known = a.known()
		return
	}
	if st.fails == 0 {
		st.since = a.At
		if !a.FailingSince.IsZero() {
			st.since = a.FailingSince
		}
	}
	st.fails, st.failure = st.fails+1, err
	st.retry = now.Add(backoff(err, st.fails))
}

const (
	passingFirst, passingMost = time.Second, 5 * time.Minute
	lastingFirst, lastingMost = time.Hour, 24 * time.Hour
)

// backoff is how long to wait after the nth failure in a row: from 1 s to 5 min
// where it may pass, from 1 h to 24 h where somebody must act, and never less
// than the registry asked for.
func backoff(err *registry.Error, n int) time.Duration {
	first, most := lastingFirst, lastingMost
	if err.Kind.Passing() {
		first, most = passingFirst, passingMost
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
	case o.Landed || o.Dry:
		m.pushFails, m.pushAfter = 0, time.Time{}
		if len(o.Commits) > 0 {
			m.pushes = append(m.pushes, now)
		}
	case o.Waiting:
	default:
		m.pushFails++
		m.pushAfter = now.Add(o.wait(m.pushFails))
	}
}

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
