package remote

import (
	"context"
	"sync"
)

const (
	maxCrowd = 512
	maxShare = maxCrowd / 2
)

// A crowd bounds the requests that are under way to hosts that nobody listed: any
// author can name thousands that stall. Half of it is the most that goes to one
// namespace, so that one who does so holds up no other. Listed hosts stand outside.
type crowd struct {
	all chan struct{}

	mu     sync.Mutex
	shares map[string]*share // of the namespaces that somebody asks for now
}

// A share is what one namespace has under way.
type share struct {
	slots chan struct{}
	users int // that have it, or wait for it; the crowd's lock is over it
}

func newCrowd() *crowd {
	return &crowd{all: make(chan struct{}, maxCrowd), shares: map[string]*share{}}
}

// join waits for a namespace's turn. Who has it still waits at the gate of its
// registry, and may hold up its own namespace there, and then takes one of all.
func (c *crowd) join(ctx context.Context, namespace string) (part func(), err error) {
	s := c.share(namespace)
	select {
	case s.slots <- struct{}{}:
		return func() { <-s.slots; c.unshare(namespace, s) }, nil
	case <-ctx.Done():
		c.unshare(namespace, s)
		return nil, noTurn(ctx, "as many requests of the namespace as may be were on their way to hosts that are not listed")
	}
}

func (c *crowd) enter(ctx context.Context) error {
	select {
	case c.all <- struct{}{}:
		return nil
	case <-ctx.Done():
		return noTurn(ctx, "as many requests as may be were on their way to hosts that are not listed")
	}
}

func (c *crowd) leave() { <-c.all }

func (c *crowd) share(namespace string) *share {
	c.mu.Lock()
	defer c.mu.Unlock()
	s, ok := c.shares[namespace]
	if !ok {
		s = &share{slots: make(chan struct{}, maxShare)}
		c.shares[namespace] = s
	}
	s.users++
	return s
}

func (c *crowd) unshare(namespace string, s *share) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s.users--; s.users == 0 {
		delete(c.shares, namespace)
	}
}
