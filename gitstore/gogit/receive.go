package gogit

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/packfile"
)

// errPack says that what a server sent is no usable pack.
var errPack = errors.New("the pack is broken")

// errLimit says that a server sent more than is accepted.
var errLimit = errors.New("over the limit")

// errRoom bounds the time that it takes to look into a pack.
var errRoom = fmt.Errorf("the pack inflates to more than 16 times what a pack may be: %w", errLimit)

// receive takes a pack in, or nothing of it. Not a byte is handed to the
// parser, which trusts sizes, before all sizes were checked. Files that are too
// large are left out, and those that the server left out of a filtered pack
// remembered like them.
func (o *objects) receive(ctx context.Context, from io.Reader, limits Limits, filtered bool) error {
	s, err := o.shelf.spool()
	if err != nil {
		return err
	}
	defer s.discard()
	n, err := io.Copy(s, io.LimitReader(from, limits.Pack+1))
	if err != nil {
		return err
	}
	if n > limits.Pack {
		return fmt.Errorf("the pack is larger than %d bytes: %w", limits.Pack, errLimit)
	}
	pack, err := checkPack(ctx, s, limits)
	if err != nil {
		return err
	}
	if pack.large > 0 {
		whole := s
		if s, err = o.shelf.spool(); err != nil {
			return err
		}
		defer s.discard()
		if err := pack.prune(whole, s); err != nil {
			return err
		}
	}
	if _, err := s.Seek(0, io.SeekStart); err != nil {
		return err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	came, err := o.shelf.addPack(s, pack.size())
	if err != nil || !filtered && pack.large == 0 {
		return err
	}
	return o.omit(came)
}

// A packSize is what is in a pack.
type packSize struct {
	objects int
	bytes   int64 // of the objects, inflated and whole
}

// A checkedPack is what is known of a pack before it is parsed.
type checkedPack struct {
	objects []packed
	end     int64 // of the last object
	bytes   int64 // of the objects that are kept, inflated and whole
	large   int   // objects that are not kept
}

// A packed object is one in a pack.
type packed struct {
	at   int64
	base int                 // index of the object from which the delta says how far it is; -1: it is none such
	kind plumbing.ObjectType // a delta's is its base's, where that is known
	drop bool
}

func (c *checkedPack) size() packSize { return packSize{len(c.objects) - c.large, c.bytes} }

// checkPack inflates every object once, into nothing, up to a total. What it marks as not
// to be kept are files over the limit, and files that are sent as a difference to one.
func checkPack(ctx context.Context, s io.ReadSeeker, limits Limits) (*checkedPack, error) {
	if _, err := s.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	scan := packfile.NewScanner(s)
	_, count, err := scan.Header()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errPack, err)
	}
	if int64(count) > int64(limits.Objects) {
		return nil, fmt.Errorf("the pack claims %d objects, more than %d: %w", count, limits.Objects, errLimit)
	}
	c := &checkedPack{}
	for room := 16 * limits.Pack; count > 0; count-- {
		n, err := c.object(ctx, scan, limits.Object, room)
		if err != nil {
			return nil, err
		}
		if room -= n; room < 0 {
			return nil, errRoom
		}
	}
	if _, err := scan.Checksum(); err != nil {
		return nil, fmt.Errorf("%w: %w", errPack, err)
	}
	end, err := scan.SeekFromStart(0)
	c.end = end - int64(len(plumbing.ZeroHash))
	return c, err
}

// object takes the next object in, and returns how many bytes of room it takes.
func (c *checkedPack) object(ctx context.Context, scan *packfile.Scanner, limit, room int64) (int64, error) {
	head, err := scan.NextObjectHeader()
	if err != nil {
		return 0, fmt.Errorf("%w: %w", errPack, err)
	}
	if head.Length > room {
		return 0, errRoom
	}
	p, err := c.place(head)
	if err != nil {
		return 0, err
	}
	if head.Length > limit && p.kind != plumbing.BlobObject {
		return 0, tooLarge(head.Length, limit)
	}
	begin := prefix{alive: ctx.Err}
	n, _, err := scan.NextObject(&begin)
	if ctx.Err() != nil {
		return 0, ctx.Err()
	}
	if err != nil {
		return 0, fmt.Errorf("%w: %w", errPack, err)
	}
	if n != head.Length {
		return 0, fmt.Errorf("%w: an object of %d bytes claims %d", errPack, n, head.Length)
	}
	size, largest := n, n
	if head.Type.IsDelta() {
		base, target, err := deltaSizes(begin.p)
		if err != nil {
			return 0, err
		}
		size, largest = target, max(n, base, target)
	}
	p.drop = largest > limit || p.base >= 0 && c.objects[p.base].drop
	if p.drop && p.kind != plumbing.BlobObject {
		return 0, tooLarge(largest, limit)
	}
	c.objects = append(c.objects, p)
	if p.drop {
		c.large++
		return n, nil
	}
	c.bytes += size
	return max(n, size), nil
}

// place finds out what an object is, if the pack says it.
func (c *checkedPack) place(head *packfile.ObjectHeader) (packed, error) {
	p := packed{at: head.Offset, base: -1, kind: head.Type}
	if head.Type != plumbing.OFSDeltaObject {
		return p, nil
	}
	i, ok := slices.BinarySearchFunc(c.objects, head.OffsetReference, func(o packed, at int64) int { return cmp.Compare(o.at, at) })
	if !ok {
		return p, fmt.Errorf("%w: a delta without a base", errPack)
	}
	p.base, p.kind = i, c.objects[i].kind
	return p, nil
}

// deltaSizes are those of a delta's base and of what comes of it.
func deltaSizes(begin []byte) (base, target int64, err error) {
	b, n := binary.Uvarint(begin)
	if n <= 0 {
		return 0, 0, fmt.Errorf("%w: a delta without sizes", errPack)
	}
	t, n := binary.Uvarint(begin[n:])
	if n <= 0 {
		return 0, 0, fmt.Errorf("%w: a delta without sizes", errPack)
	}
	return int64(min(b, math.MaxInt64)), int64(min(t, math.MaxInt64)), nil
}

func tooLarge(size, limit int64) error {
	return fmt.Errorf("the repository holds an object of %d bytes, more than %d: %w", size, limit, errLimit)
}

// A prefix keeps the first bytes that are written to it, as long as somebody waits for them.
type prefix struct {
	p     []byte
	alive func() error
}

func (b *prefix) Write(p []byte) (int, error) {
	if room := 2*binary.MaxVarintLen64 - len(b.p); room > 0 {
		b.p = append(b.p, p[:min(room, len(p))]...)
	}
	return len(p), b.alive()
}
