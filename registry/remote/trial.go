package remote

import (
	"context"
	"net/http"
	"sync"
	"time"
)

const (
	refusalMemory = 5 * time.Minute
	roomForTrials = 1024 // above it those that remember nothing are dropped
)

// trials see to it that a wrong password is not shown often enough to lock an
// account: to one origin once in refusalMemory, whoever's questions it is for.
//
//	last heard of it         the next question
//	nothing, or long ago     shows it alone; those that come meanwhile wait
//	accepted                 shows it, with all others
//	refused                  goes on as nobody
//	refused where it was     shows it alone: that may have been about the
//	accepted before          repository, or the password may be another now
type trials struct {
	mu sync.Mutex // over the map and what is in it
	of map[trialKey]*trial
}

type trialKey struct {
	login identityID // identity.login
	at    origin     // who sees the secret: the registry or its token service
}

type trial struct {
	accepted, refused time.Time
	showing           *showing // nil: nobody shows it alone
}

// A showing is a secret on its way, by a question for itself.
type showing struct {
	done chan struct{} // closed with the outcome
	err  error         // nobody can be reached there: for those that wait, too
}

// A verdict is what an answer says of a secret.
type verdict int

const (
	unsaid verdict = iota
	taken
	denied
)

// show waits until the secret may be shown to an origin. The caller must call end
// with what came of it. It fails with a refusedError where the secret was refused
// lately.
func (t *trials) show(ctx context.Context, who *identity, at origin) (end func(context.Context, verdict, error), err error) {
	key := trialKey{who.login(), at}
	for {
		mine, theirs, err := t.enter(key, time.Now())
		if err != nil {
			return nil, err
		}
		if theirs == nil {
			return func(ctx context.Context, v verdict, err error) { t.end(ctx, key, mine, v, err) }, nil
		}
		select {
		case <-theirs.done:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
		if theirs.err != nil {
			return nil, theirs.err
		}
	}
}

// enter lets a question show a secret, alone (mine) or with others (neither), or
// says whom to wait for.
func (t *trials) enter(key trialKey, now time.Time) (mine, theirs *showing, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	tr := t.trial(key, now)
	switch {
	case lately(tr.refused, now):
		return nil, nil, &refusedError{http.StatusUnauthorized}
	case lately(tr.accepted, now):
		return nil, nil, nil
	case tr.showing != nil:
		return nil, tr.showing, nil
	}
	tr.showing = &showing{done: make(chan struct{})}
	return tr.showing, nil, nil
}

// end keeps what came of a showing. That nobody could be reached is passed on,
// unless it was the question that ended.
func (t *trials) end(ctx context.Context, key trialKey, mine *showing, v verdict, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	tr := t.trial(key, now)
	switch {
	case v == taken:
		tr.accepted = now
	case v == denied && lately(tr.accepted, now):
		tr.accepted = time.Time{}
	case v == denied:
		tr.refused = now
	}
	if mine == nil {
		return
	}
	if err != nil && ctx.Err() == nil && isConnection(err) {
		mine.err = err
	}
	if tr.showing == mine {
		tr.showing = nil
	}
	close(mine.done)
}

// trial is what is known under a key. The caller holds the lock.
func (t *trials) trial(key trialKey, now time.Time) *trial {
	tr, ok := t.of[key]
	if !ok {
		if t.of == nil {
			t.of = map[trialKey]*trial{}
		}
		if len(t.of) >= roomForTrials {
			t.prune(now)
		}
		tr = &trial{}
		t.of[key] = tr
	}
	return tr
}

func (t *trials) prune(now time.Time) {
	for key, tr := range t.of {
		if tr.showing == nil && !lately(tr.accepted, now) && !lately(tr.refused, now) {
			delete(t.of, key)
		}
	}
}

func lately(then, now time.Time) bool { return !then.IsZero() && now.Sub(then) < refusalMemory }
