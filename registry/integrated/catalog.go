package integrated

import (
	"context"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"
	"time"
)

// A catalog knows the repositories in storage. Going through storage takes a call for each of
// them, so it is done once, and what is stored from then on is noted. What other processes store,
// and what is pruned, shows a while later.
type catalog struct {
	on shelf

	walk sync.Mutex // is held by who goes through storage

	mu    sync.Mutex
	read  time.Time // when storage was gone through; zero: never
	names map[string]bool
	early map[string]bool // noted while storage is gone through; nil: nobody does
	list  []string        // the names, sorted; nil where names changed
}

// catalogHolds is how long what was read of storage holds.
const catalogHolds = time.Minute

// all are the repositories, sorted; the caller changes nothing in the list.
func (c *catalog) all(ctx context.Context, now time.Time) ([]string, error) {
	c.walk.Lock()
	defer c.walk.Unlock()
	if c.begin(now) {
		found := map[string]bool{}
		err := namedBelow(ctx, c.on, repositories, found)
		c.end(found, now, err)
		if err != nil {
			return nil, err
		}
	}
	return c.sorted(), nil
}

// begin reports whether storage is to be gone through again.
func (c *catalog) begin(now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if age := now.Sub(c.read); !c.read.IsZero() && 0 <= age && age < catalogHolds {
		return false
	}
	c.early = map[string]bool{}
	return true
}

func (c *catalog) end(found map[string]bool, now time.Time, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err == nil {
		maps.Copy(found, c.early)
		c.read, c.names, c.list = now, found, nil
	}
	c.early = nil
}

func (c *catalog) sorted() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.list == nil {
		c.list = slices.AppendSeq([]string{}, maps.Keys(c.names))
		slices.Sort(c.list)
	}
	return c.list
}

// note says that a manifest was stored in a repository. It waits for nothing.
func (c *catalog) note(repository string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.early != nil {
		c.early[repository] = true
	}
	if c.names != nil && !c.names[repository] {
		c.names[repository], c.list = true, nil
	}
}

// namedBelow finds the repositories below a path: those with manifests.
func namedBelow(ctx context.Context, on shelf, at string, found map[string]bool) error {
	entries, err := listed(ctx, on, at)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		switch base := path.Base(entry); {
		case base == "_manifests":
			found[strings.TrimPrefix(at, repositories+"/")] = true
		case strings.HasPrefix(base, "_"):
		default:
			if err := namedBelow(ctx, on, entry, found); err != nil {
				return err
			}
		}
	}
	return ctx.Err()
}
