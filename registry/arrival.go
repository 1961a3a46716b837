package registry

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// An Arrival is a tag that somebody pushed to the integrated registry, and of which the
// registry was not told yet that it is on record.
type Arrival struct {
	Namespace, Name string // of the stream that the repository NAMESPACE/NAME belongs to
	Tag             string
	Digest          string    // what the tag is in storage, now
	At              time.Time // when the tag was pushed, by the registry's clock
}

// Arrivals are the pushes that wait to be recorded. A push is among them, durably, before
// its client hears 201; it leaves when it was taken. So a crash between a push and its
// commit loses nothing, and what a person takes back later does not come again. Its
// methods may be called from several goroutines.
type Arrivals interface {
	// Waiting are the arrivals, by namespace, name and tag, one a tag: the latest. Beside an error
	// that is Unread are those of all other tags.
	Waiting(ctx context.Context) ([]Arrival, error)
	// Take says that arrivals wait no longer: they are on record, overtaken by something
	// younger, or declined. One that was pushed again meanwhile stays.
	Take(ctx context.Context, taken ...Arrival) error
}

// Unread are tags of which it cannot be read whether a push of them waits. It keeps the pushes of
// others from nothing.
type Unread []UnreadTag

// An UnreadTag is one of them, and why.
type UnreadTag struct {
	Namespace, Name, Tag string
	Digests              []string // that may wait there
	Err                  error
}

func (u Unread) Error() string {
	var lines []string
	for _, t := range u[:min(len(u), 3)] {
		lines = append(lines, fmt.Sprintf("%s/%s:%s: %v", t.Namespace, t.Name, t.Tag, t.Err))
	}
	if more := len(u) - 3; more > 0 {
		lines = append(lines, fmt.Sprintf("and %d more tags", more))
	}
	return strings.Join(lines, "; ") + "; what others push goes on record, and to push these tags again mends them"
}

// Unwrap are the errors of the tags.
func (u Unread) Unwrap() (all []error) {
	for _, t := range u {
		all = append(all, t.Err)
	}
	return all
}

// May reports whether a digest may wait in a repository, and as which tag.
func (u Unread) May(repository, digest string) (tag string, may bool) {
	for _, t := range u {
		if t.Namespace+"/"+t.Name == repository && slices.Contains(t.Digests, digest) {
			return t.Tag, true
		}
	}
	return "", false
}

// An Origin is where an image on record can be fetched, and on whose behalf.
type Origin struct {
	On
	Repo
}

// Recalls are Arrivals of which a tag can be asked for once more, whoever took it back.
type Recalls interface {
	Arrivals
	// Again has what a tag is in storage now wait as if it were pushed now; false where there is
	// no such tag.
	Again(ctx context.Context, namespace, name, tag string) (bool, error)
}
