package gogit

import (
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"

	"github.com/go-git/go-git/v5/plumbing"
)

// objects is one object database, safe for concurrent use. A commit that is
// in it is there with its whole tree, but for the files that were left out as
// too large: packs are taken in all or nothing.
type objects struct {
	mu        sync.Mutex // go-git's storages are not for several goroutines
	shelf     shelf      // guarded by mu
	maxBlob   int64
	maxObject int64     // of commits and trees; a repository on disk may hold any
	omitted   omissions // guarded by mu

	// broken is set when something that must be there is missing or damaged.
	broken atomic.Bool
}

// A shelf is where objects are kept.
type shelf interface {
	EncodedObject(plumbing.ObjectType, plumbing.Hash) (plumbing.EncodedObject, error)
	HasEncodedObject(plumbing.Hash) error
	// add keeps objects that this process made.
	add(*batch) error
	// spool is where a pack waits until it is complete.
	spool() (spool, error)
	// addPack takes in a complete pack, read from its start.
	addPack(spool, packSize) (arrival, error)
	// refresh looks again at what others may have changed, and tells whether
	// others can.
	refresh() bool
	// grown tells whether the shelf is due to be replaced by a fresh one.
	grown() bool
	close() error
}

// A spool holds a pack that is not yet known to be good.
type spool interface {
	io.ReadWriteSeeker
	discard() // harmless after addPack
}

// An arrival is what came with a pack.
type arrival struct {
	trees []plumbing.Hash
	holds func(plumbing.Hash) bool // any object
}

// errDamaged says that something that must be there is missing or broken.
var errDamaged = errors.New("damaged")

// errBlobLimit is an object's fault, not the store's.
var errBlobLimit = errors.New("too large to read")

// errKind is a tree's fault, not the store's; errNoFile is that of a single entry.
var (
	errKind   = errors.New("an object of another kind")
	errNoFile = errors.New("not a file")
)

// read returns an object whose bytes are what its id says.
func (o *objects) read(kind plumbing.ObjectType, id plumbing.Hash) ([]byte, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	raw, err := o.load(kind, id)
	if err == nil || errors.Is(err, errBlobLimit) || errors.Is(err, errLimit) || errors.Is(err, errKind) || errors.Is(err, errNoFile) {
		return raw, err
	}
	// Native git may have packed, or added, objects beside us.
	if o.shelf.refresh() {
		raw, err = o.load(kind, id)
	}
	// The parent of a commit may be missing in a shallow store; nothing else may.
	if err != nil && !(kind == plumbing.CommitObject && errors.Is(err, plumbing.ErrObjectNotFound)) {
		o.broken.Store(true)
		err = fmt.Errorf("%w: %w", errDamaged, err)
	}
	return raw, err
}

func (o *objects) load(kind plumbing.ObjectType, id plumbing.Hash) ([]byte, error) {
	obj, err := o.shelf.EncodedObject(plumbing.AnyObject, id)
	if err != nil && kind == plumbing.BlobObject && o.omitted.ids[id] {
		return nil, fmt.Errorf("not kept, for it is over the limit of %d bytes, or sent as a difference to a larger file: %w", o.maxBlob, errBlobLimit)
	}
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", kind, id, err)
	}
	switch file := kind == plumbing.BlobObject || obj.Type() != kind; {
	case file && obj.Size() > o.maxBlob:
		return nil, fmt.Errorf("a file of %d bytes is over the limit of %d: %w", obj.Size(), o.maxBlob, errBlobLimit)
	case !file && obj.Size() > o.maxObject:
		return nil, tooLarge(obj.Size(), o.maxObject)
	}
	r, err := obj.Reader()
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", kind, id, err)
	}
	defer r.Close()
	raw := make([]byte, obj.Size())
	if _, err := io.ReadFull(r, raw); err != nil {
		return nil, fmt.Errorf("%s %s: %w", kind, id, err)
	}
	if hashOf(obj.Type(), raw) != id {
		return nil, fmt.Errorf("%s %s does not hold what its name says", kind, id)
	}
	switch {
	case obj.Type() == kind:
		return raw, nil
	case kind == plumbing.BlobObject:
		return nil, fmt.Errorf("%s is a %s: %w", id, obj.Type(), errNoFile)
	}
	return nil, fmt.Errorf("%s is a %s, not a %s: %w", id, obj.Type(), kind, errKind)
}

func (o *objects) tree(id plumbing.Hash) ([]entry, error) {
	raw, err := o.read(plumbing.TreeObject, id)
	if err != nil {
		return nil, err
	}
	entries, err := parseTree(raw)
	if err != nil {
		return nil, fmt.Errorf("tree %s: %w", id, err)
	}
	return entries, nil
}

func (o *objects) has(id plumbing.Hash) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.shelf.HasEncodedObject(id) == nil
}

func (o *objects) add(b *batch) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.shelf.add(b)
}

func (o *objects) grown() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.shelf.grown()
}

func (o *objects) close() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.shelf.close()
}
