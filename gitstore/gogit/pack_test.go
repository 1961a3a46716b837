package gogit

import (
	"bytes"
	"compress/zlib"
	"crypto/sha1"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/towpath/towpath/internal/seeds"
)

// A rawPack is a pack whose heads may lie.
type rawPack struct{ bytes.Buffer }

func newRawPack(count uint32) *rawPack {
	p := &rawPack{}
	p.WriteString("PACK")
	binary.Write(p, binary.BigEndian, [...]uint32{2, count})
	return p
}

// object adds one that claims a size.
func (p *rawPack) object(kind plumbing.ObjectType, claims uint64, base []byte, content []byte) *rawPack {
	head := []byte{byte(kind)<<4 | byte(claims&0x0f)}
	for claims >>= 4; claims > 0; claims >>= 7 {
		head[len(head)-1] |= 0x80
		head = append(head, byte(claims&0x7f))
	}
	p.Write(head)
	p.Write(base)
	z := zlib.NewWriter(p)
	z.Write(content)
	z.Close()
	return p
}

func (p *rawPack) end() []byte {
	sum := sha1.Sum(p.Bytes())
	p.Write(sum[:])
	return p.Bytes()
}

// delta is one that claims sizes and copies the whole base again and again.
func delta(base, target uint64, n int) []byte {
	d := binary.AppendUvarint(binary.AppendUvarint(nil, base), target)
	for range n {
		d = append(d, 0x90, byte(base)) // copy base bytes from offset 0
	}
	return d
}

func shelvesOf(t *testing.T, limits Limits) map[string]*objects {
	disk := openDiskShelf(t.TempDir(), false, limits)
	t.Cleanup(func() { disk.close() })
	return map[string]*objects{
		"memory": {shelf: newMemoryShelf(limits), maxBlob: limits.Blob},
		"disk":   {shelf: disk, maxBlob: limits.Blob},
	}
}

// fault: G-11
func TestPackThatLies(t *testing.T) {
	limits := Options{Limits: Limits{Object: 64 << 20, Pack: 1 << 20, Objects: 1000}}.withDefaults().Limits
	small := []byte("0123456789abcdef")
	smallID := makeObject(plumbing.BlobObject, small).id
	many := newRawPack(1000).object(plumbing.BlobObject, 1<<20, nil, make([]byte, 1<<20))
	zeros := bytes.Clone(many.Bytes()[len(newRawPack(0).Bytes()):])
	many.Write(bytes.Repeat(zeros, 999))
	lie := delta(16, 2<<30, 1)
	for name, c := range map[string]struct {
		pack []byte
		want error
	}{
		"four billion objects":         {newRawPack(1<<32-1).object(plumbing.BlobObject, 16, nil, small).end(), errLimit},
		"a file of 8 GiB":              {newRawPack(1).object(plumbing.BlobObject, 8<<30+1, nil, small).end(), errLimit},
		"a file that claims 2 GiB":     {newRawPack(1).object(plumbing.BlobObject, 2<<30, nil, small).end(), errPack},
		"a tree of 65 MiB":             {newRawPack(1).object(plumbing.TreeObject, 65<<20, nil, make([]byte, 65<<20)).end(), errLimit},
		"a delta without a base":       {newRawPack(1).object(plumbing.OFSDeltaObject, 16, []byte{3}, small).end(), errPack},
		"an object of 2^62 bytes":      {newRawPack(1).object(plumbing.BlobObject, 1<<62, nil, small).end(), errPack},
		"a delta of 2 GiB":             {newRawPack(2).object(plumbing.BlobObject, 16, nil, small).object(plumbing.REFDeltaObject, 2<<30, smallID[:], delta(16, 16, 1)).end(), errLimit},
		"a delta to 2 GiB":             {newRawPack(2).object(plumbing.BlobObject, 16, nil, small).object(plumbing.REFDeltaObject, uint64(len(lie)), smallID[:], lie).end(), errLimit},
		"an object that is shorter":    {newRawPack(1).object(plumbing.BlobObject, 64<<20, nil, small).end(), errPack},
		"an object that is longer":     {newRawPack(1).object(plumbing.BlobObject, 16, nil, make([]byte, 20<<20)).end(), errPack},
		"a thousand zeros of a MiB":    {many.end(), errLimit},
		"a delta whose base is not in": {newRawPack(1).object(plumbing.REFDeltaObject, uint64(len(delta(16, 16, 1))), smallID[:], delta(16, 16, 1)).end(), errPack},
		"nothing":                      {nil, errPack},
		"no pack":                      {[]byte("<html>"), errPack},
	} {
		for kind, o := range shelvesOf(t, limits) {
			t.Run(name+" on "+kind, func(t *testing.T) {
				limits := limits
				if !strings.HasPrefix(name, "a thousand") {
					limits.Pack = 512 << 20 // so that the sum of all sizes is not what stops it
				}
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				err := o.receive(t.Context(), bytes.NewReader(c.pack), limits, false)
				runtime.ReadMemStats(&after)
				if !errors.Is(err, c.want) {
					t.Errorf("got %v, want %v", err, c.want)
				}
				if got := after.TotalAlloc - before.TotalAlloc; got > 32<<20 {
					t.Errorf("%d bytes were allocated for it", got)
				}
				if o.has(smallID) {
					t.Error("a part of the pack was kept")
				}
			})
		}
	}
}

// Nothing is left over of a pack that was refused.
func TestRefusedPackLeavesNoFile(t *testing.T) {
	limits := Options{}.withDefaults().Limits
	dir := t.TempDir()
	o := &objects{shelf: openDiskShelf(dir, false, limits)}
	pack := newRawPack(1).object(plumbing.BlobObject, 3, nil, []byte("abc")).end()
	for n := range len(pack) {
		if err := o.receive(t.Context(), bytes.NewReader(pack[:n]), limits, false); err == nil {
			t.Fatalf("the first %d of %d bytes were taken", n, len(pack))
		}
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "objects", "*", "*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	if err := o.receive(t.Context(), bytes.NewReader(pack), limits, false); err != nil {
		t.Fatal(err)
	}
}

// What a batch encodes is what git indexes, and what it adds is what it reads.
func TestBatch(t *testing.T) {
	t.Parallel()
	seed := seeds.Of(t)
	random := rand.New(rand.NewPCG(seed, 0))
	for _, n := range []int{1, unpackLimit - 1, unpackLimit, 300} {
		b := &batch{}
		for i := range n { // each starts otherwise: git wants no object twice
			raw := append(fmt.Append(nil, i), bytes.Repeat([]byte{byte(i)}, random.IntN(300)*random.IntN(300))...)
			b.objects = append(b.objects, makeObject(plumbing.BlobObject, raw))
		}
		if err := b.encode(); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "x.pack")
		if err := os.WriteFile(path, b.pack, 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command("git", "index-pack", "--strict", path).CombinedOutput(); err != nil {
			t.Fatalf("git index-pack: %v: %s", err, out)
		}
		limits := Options{}.withDefaults().Limits
		for kind, o := range shelvesOf(t, limits) {
			if err := o.add(b); err != nil {
				t.Fatalf("%d on %s: %v", n, kind, err)
			}
			again := &objects{shelf: newMemoryShelf(limits), maxBlob: limits.Blob}
			if err := again.receive(t.Context(), bytes.NewReader(b.pack), limits, false); err != nil {
				t.Fatal(err)
			}
			for _, want := range b.objects {
				for _, from := range []*objects{o, again} {
					got, err := from.read(plumbing.BlobObject, want.id)
					if err != nil || !bytes.Equal(got, want.raw) {
						t.Fatalf("%d on %s: %s: %d bytes, %v", n, kind, want.id, len(got), err)
					}
				}
			}
		}
	}
}
