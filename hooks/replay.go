package hooks

import (
	"container/list"
	"crypto/sha256"
	"sync"
	"time"
)

// How long, and of how many deliveries of one receiver, ids are known.
const (
	knownFor = 24 * time.Hour
	knownIDs = 10_000
)

// replays knows the ids of deliveries that came, the oldest of which it forgets
// first. An id is kept as its hash: a sender chooses how long it is.
type replays struct {
	mu    sync.Mutex
	at    map[[sha256.Size]byte]*list.Element
	order list.List // of arrived, the oldest first
}

type arrived struct {
	id [sha256.Size]byte
	at time.Time
}

// known reports whether a delivery came before.
func (k *replays) known(id string, now time.Time) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.forget(now)
	_, ok := k.at[sha256.Sum256([]byte(id))]
	return ok
}

// add keeps the id of a delivery that was taken. One that was not is tried again under the
// same id.
func (k *replays) add(id string, now time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	sum := sha256.Sum256([]byte(id))
	if _, ok := k.at[sum]; ok {
		return
	}
	if k.at == nil {
		k.at = map[[sha256.Size]byte]*list.Element{}
	}
	k.at[sum] = k.order.PushBack(arrived{sum, now})
	k.forget(now)
}

func (k *replays) forget(now time.Time) {
	for e := k.order.Front(); e != nil; e = k.order.Front() {
		a := e.Value.(arrived)
		if k.order.Len() <= knownIDs && now.Sub(a.at) < knownFor {
			return
		}
		k.order.Remove(e)
		delete(k.at, a.id)
	}
}
