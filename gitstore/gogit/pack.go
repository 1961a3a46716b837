package gogit

import (
	"bytes"
	"compress/zlib"
	"crypto/sha1"
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/idxfile"
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
