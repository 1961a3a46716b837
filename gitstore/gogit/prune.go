package gogit

import (
	"bytes"
	"crypto/sha1"
	"encoding/binary"
	"io"
)

// prune writes the objects that are kept as a pack of their own. They stay as they are
// but for how far a delta is from its base: what was between them may be gone.
func (c *checkedPack) prune(from io.ReadSeeker, to io.Writer) error {
	sum := sha1.New()
	out := io.MultiWriter(to, sum)
	head := append([]byte("PACK"), 0, 0, 0, 2)
	head = binary.BigEndian.AppendUint32(head, uint32(c.size().objects))
	if _, err := out.Write(head); err != nil {
		return err
	}
	at := int64(len(head))
	moved := make([]int64, len(c.objects)) // where each is in the new pack
	for i, o := range c.objects {
		if o.drop {
			continue
		}
		moved[i] = at
		r, err := c.entry(from, i, moved)
		if err != nil {
			return err
		}
		n, err := io.Copy(out, r)
		if err != nil {
			return err
		}
		at += n
	}
	_, err := to.Write(sum.Sum(nil))
	return err
}

// entry is the i-th object as the new pack has it.
func (c *checkedPack) entry(from io.ReadSeeker, i int, moved []int64) (io.Reader, error) {
	o, end := c.objects[i], c.end
	if i+1 < len(c.objects) {
		end = c.objects[i+1].at
	}
	if _, err := from.Seek(o.at, io.SeekStart); err != nil {
		return nil, err
	}
	rest := io.LimitReader(from, end-o.at)
	if o.base < 0 {
		return rest, nil
	}
	head := make([]byte, min(2*binary.MaxVarintLen64, end-o.at))
	if _, err := io.ReadFull(rest, head); err != nil {
		return nil, err
	}
	size := numberLen(head)
	distance := size + numberLen(head[size:])
	started := appendDistance(append([]byte(nil), head[:size]...), moved[i]-moved[o.base])
	return io.MultiReader(bytes.NewReader(append(started, head[distance:]...)), rest), nil
}

// numberLen is how many bytes a number takes of which each byte but the last has its
// highest bit set.
func numberLen(p []byte) int {
	n := 0
	for n < len(p) && p[n]&0x80 != 0 {
		n++
	}
	return min(n+1, len(p))
}

// appendDistance writes a delta's distance from its base: seven bits in a byte, the highest
// first, and one less in each byte but the last.
func appendDistance(p []byte, n int64) []byte {
	var b [binary.MaxVarintLen64]byte
	i := len(b) - 1
	for b[i] = byte(n & 0x7f); n >= 0x80; b[i] = 0x80 | byte(n&0x7f) {
		n = n>>7 - 1
		i--
	}
	return append(p, b[i:]...)
}
