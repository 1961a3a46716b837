package gogit

import (
	"bytes"
	"compress/zlib"
	"context"
	"crypto/sha1"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/idxfile"
	"github.com/go-git/go-git/v5/plumbing/format/packfile"
)

// A newObject is an object that this process made.
type newObject struct {
	kind plumbing.ObjectType
	id   plumbing.Hash
	raw  []byte
}

// makeObject names an object. SHA-1 is Git's name for content here; what comes
// from elsewhere is checked for collisions by go-git's parser.
func makeObject(kind plumbing.ObjectType, raw []byte) newObject {
	return newObject{kind, hashOf(kind, raw), raw}
}

func hashOf(kind plumbing.ObjectType, raw []byte) (id plumbing.Hash) {
	h := sha1.New()
	fmt.Fprintf(h, "%s %d\x00", kind, len(raw))
	h.Write(raw)
	h.Sum(id[:0])
	return id
}

// A batch is what a push adds, what is referred to before what refers to it.
type batch struct {
	objects []newObject
	pack    []byte         // of all objects, once encode has run
	index   idxfile.Writer // of pack
}

// encode writes a pack of whole objects, without deltas, and its index.
func (b *batch) encode() error {
	if b.pack != nil {
		return nil
	}
	var buf bytes.Buffer
	buf.WriteString("PACK")
	buf.Write(binary.BigEndian.AppendUint32(nil, 2))
	buf.Write(binary.BigEndian.AppendUint32(nil, uint32(len(b.objects))))
	b.index.OnHeader(uint32(len(b.objects)))
	z := zlib.NewWriter(&buf)
	for _, o := range b.objects {
		start := buf.Len()
		buf.Write(packHeader(o))
		z.Reset(&buf)
		if _, err := z.Write(o.raw); err != nil {
			return err
		}
		if err := z.Close(); err != nil {
			return err
		}
		b.index.Add(o.id, uint64(start), crc32.ChecksumIEEE(buf.Bytes()[start:]))
	}
	sum := sha1.Sum(buf.Bytes())
	buf.Write(sum[:])
	b.pack = buf.Bytes()
	return b.index.OnFooter(sum)
}

// packHeader is the object's type and size: four bits of the size in the
// first byte, seven in each that follows, lowest first.
func packHeader(o newObject) []byte {
	size := len(o.raw)
	head := []byte{byte(o.kind)<<4 | byte(size&0x0f)}
	for size >>= 4; size > 0; size >>= 7 {
		head[len(head)-1] |= 0x80
		head = append(head, byte(size&0x7f))
	}
	return head
}

// errPack says that what a server sent is no usable pack.
var errPack = errors.New("the pack is broken")

// errLimit says that a server sent more than is accepted.
var errLimit = errors.New("over the limit")

// receive takes a pack in, or nothing of it. Not a byte is handed to the
// parser, which trusts sizes, before all sizes were checked.
func (o *objects) receive(ctx context.Context, from io.Reader, limits Limits) error {
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
	size, err := checkPack(ctx, s, limits)
	if err != nil {
		return err
	}
	if _, err := s.Seek(0, io.SeekStart); err != nil {
		return err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.shelf.addPack(s, size)
}

// A packSize is what is in a pack.
type packSize struct {
	objects int
	bytes   int64 // of the objects, inflated and whole
}

// checkPack inflates every object once, into nothing.
func checkPack(ctx context.Context, s io.ReadSeeker, limits Limits) (packSize, error) {
	if _, err := s.Seek(0, io.SeekStart); err != nil {
		return packSize{}, err
	}
	scan := packfile.NewScanner(s)
	_, count, err := scan.Header()
	if err != nil {
		return packSize{}, fmt.Errorf("%w: %w", errPack, err)
	}
	if int64(count) > int64(limits.Objects) {
		return packSize{}, fmt.Errorf("the pack claims %d objects, more than %d: %w", count, limits.Objects, errLimit)
	}
	size := packSize{objects: int(count)}
	for range count {
		if err := ctx.Err(); err != nil {
			return packSize{}, err
		}
		n, err := checkObject(scan, limits.Object)
		if err != nil {
			return packSize{}, err
		}
		if size.bytes += n; size.bytes > 16*limits.Pack {
			return packSize{}, fmt.Errorf("the pack inflates to more than %d bytes: %w", 16*limits.Pack, errLimit)
		}
	}
	if _, err := scan.Checksum(); err != nil {
		return packSize{}, fmt.Errorf("%w: %w", errPack, err)
	}
	return size, nil
}

// checkObject returns the size of the next object.
func checkObject(scan *packfile.Scanner, limit int64) (int64, error) {
	head, err := scan.NextObjectHeader()
	if err != nil {
		return 0, fmt.Errorf("%w: %w", errPack, err)
	}
	if head.Length > limit {
		return 0, tooLarge(head.Length, limit)
	}
	var begin prefix
	n, _, err := scan.NextObject(&begin)
	if err != nil {
		return 0, fmt.Errorf("%w: %w", errPack, err)
	}
	if n != head.Length {
		return 0, fmt.Errorf("%w: an object of %d bytes claims %d", errPack, n, head.Length)
	}
	if !head.Type.IsDelta() {
		return n, nil
	}
	base, rest := binary.Uvarint(begin.p)
	if rest <= 0 {
		return 0, fmt.Errorf("%w: a delta without sizes", errPack)
	}
	size, ok := binary.Uvarint(begin.p[rest:])
	if ok <= 0 {
		return 0, fmt.Errorf("%w: a delta without sizes", errPack)
	}
	if largest := max(base, size); largest > uint64(limit) {
		return 0, tooLarge(int64(min(largest, math.MaxInt64)), limit)
	}
	return int64(size), nil
}

func tooLarge(size, limit int64) error {
	return fmt.Errorf("the repository holds an object of %d bytes, more than %d: %w", size, limit, errLimit)
}

// A prefix keeps the first bytes that are written to it.
type prefix struct{ p []byte }

func (b *prefix) Write(p []byte) (int, error) {
	if room := 2*binary.MaxVarintLen64 - len(b.p); room > 0 {
		b.p = append(b.p, p[:min(room, len(p))]...)
	}
	return len(p), nil
}
