package memory

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/towpath/towpath/registry"
)

// Arrivals are pushes to a registry that nobody runs. The zero Arrivals is ready; its
// methods may be called from many goroutines.
type Arrivals struct {
	Hook func(op string) error // hears of each Waiting, Take and Again before it is done, which its error prevents; nil: nothing fails

	mu      sync.Mutex
	waiting map[place]registry.Arrival
	links   map[place]string // what tags are
}

// A place is where something is pushed to.
type place struct{ namespace, name, tag string }

var _ registry.Recalls = (*Arrivals)(nil)

// Push makes a tag a digest.
func (a *Arrivals) Push(namespace, name, tag, digest string, at time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.push(place{namespace, name, tag}, digest, at)
}

func (a *Arrivals) push(p place, digest string, at time.Time) {
	if a.waiting == nil {
		a.waiting, a.links = map[place]registry.Arrival{}, map[place]string{}
	}
	a.links[p] = digest
	a.waiting[p] = registry.Arrival{Namespace: p.namespace, Name: p.name, Tag: p.tag, Digest: digest, At: at}
}

// Waiting is registry.Arrivals'.
func (a *Arrivals) Waiting(ctx context.Context) ([]registry.Arrival, error) {
	if err := a.ask(ctx, "Waiting"); err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.SortedFunc(maps.Values(a.waiting), func(x, y registry.Arrival) int {
		return cmp.Or(cmp.Compare(x.Namespace, y.Namespace), cmp.Compare(x.Name, y.Name), cmp.Compare(x.Tag, y.Tag))
	}), nil
}

// Take is registry.Arrivals'.
func (a *Arrivals) Take(ctx context.Context, taken ...registry.Arrival) error {
	if err := a.ask(ctx, "Take"); err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, t := range taken {
		p := place{t.Namespace, t.Name, t.Tag}
		if is := a.waiting[p]; is.Digest == t.Digest && is.At.Equal(t.At) {
			delete(a.waiting, p)
		}
	}
	return nil
}

// Again is registry.Recalls'.
func (a *Arrivals) Again(ctx context.Context, namespace, name, tag string) (bool, error) {
	if err := a.ask(ctx, "Again"); err != nil {
		return false, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	p := place{namespace, name, tag}
	digest, there := a.links[p]
	if there {
		a.push(p, digest, time.Now())
	}
	return there, nil
}

func (a *Arrivals) ask(ctx context.Context, op string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if a.Hook == nil {
		return nil
	}
	return a.Hook(op)
}
