package hooks

import "sync"

// maxWaiting is how many different sightings wait at most.
const maxWaiting = 4096

// A Seen is one thing that a receiver was told of.
type Seen struct {
	Receiver string // its name
	Branch   bool   // the watched repository may have moved; then Image is empty
	Image    Image
}

// A Queue keeps sightings until they are drained, each once however often it came: of the
// same tag by the same receiver the last digest stays. Whatever comes, it holds no more
// than a bounded number. The zero Queue is empty and ready; its methods may be called from
// any goroutine and never wait for anything.
type Queue struct {
	Max int // of different sightings; 0: 4096

	mu      sync.Mutex
	waiting map[Seen]string // the digest, which the key has not
	order   []Seen          // keys as they came
	ready   chan struct{}
}

// Add keeps a sighting and reports whether there was room for all of it. What it could not
// keep comes again when the sender tries again.
func (q *Queue) Add(receiver string, s Sighting) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	all := true
	if s.Branch {
		all = q.add(Seen{Receiver: receiver, Branch: true}, "")
	}
	for _, i := range s.Images {
		digest := i.Digest
		i.Digest = ""
		all = q.add(Seen{Receiver: receiver, Image: i}, digest) && all
	}
	if len(q.order) > 0 {
		select {
		case q.signal() <- struct{}{}:
		default:
		}
	}
	return all
}

func (q *Queue) add(key Seen, digest string) bool {
	if _, known := q.waiting[key]; !known {
		most := q.Max
		if most == 0 {
			most = maxWaiting
		}
		if len(q.order) >= most {
			return false
		}
		q.order = append(q.order, key)
	}
	if q.waiting == nil {
		q.waiting = map[Seen]string{}
	}
	q.waiting[key] = digest
	return true
}

// Drain takes everything out, in the order in which each came first.
func (q *Queue) Drain() []Seen {
	q.mu.Lock()
	defer q.mu.Unlock()
	seen := q.order
	for i, key := range seen {
		seen[i].Image.Digest = q.waiting[key]
	}
	q.order, q.waiting = nil, nil
	return seen
}

// Ready has a value when something waits.
func (q *Queue) Ready() <-chan struct{} {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.signal()
}

func (q *Queue) signal() chan struct{} {
	if q.ready == nil {
		q.ready = make(chan struct{}, 1)
	}
	return q.ready
}
