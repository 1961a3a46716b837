package gogit

import (
	"bytes"
	"compress/zlib"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/go-git/go-billy/v5/osfs"
	"github.com/go-git/go-git/v5/plumbing"
	lru "github.com/go-git/go-git/v5/plumbing/cache"
	"github.com/go-git/go-git/v5/plumbing/format/idxfile"
	"github.com/go-git/go-git/v5/plumbing/format/packfile"
	"github.com/go-git/go-git/v5/storage/filesystem"
	"github.com/go-git/go-git/v5/storage/memory"
)

// unpackLimit is git's own: fewer objects than this are kept one by one.
const unpackLimit = 100

// A memoryShelf is lost with the process.
type memoryShelf struct {
	*memory.Storage
	first int   // objects after the first pack
	limit int64 // bytes of a pack's objects
}

func newMemoryShelf(limits Limits) *memoryShelf {
	return &memoryShelf{Storage: memory.NewStorage(), limit: limits.Pack}
}

func (s *memoryShelf) add(b *batch) error {
	for _, o := range b.objects {
		m := &plumbing.MemoryObject{}
		m.SetType(o.kind)
		m.Write(o.raw)
		if _, err := s.SetEncodedObject(m); err != nil {
			return err
		}
	}
	return nil
}

func (s *memoryShelf) spool() (spool, error) { return &memorySpool{}, nil }

func (s *memoryShelf) addPack(p spool, size packSize) (arrival, error) {
	if size.bytes > s.limit {
		return arrival{}, fmt.Errorf("the repository needs %d bytes of memory, name a cache directory: %w", size.bytes, errLimit)
	}
	// All or nothing: the pack may still turn out to lack a delta's base.
	whole := memory.NewStorage()
	parser, err := packfile.NewParserWithStorage(packfile.NewScanner(p), whole)
	if err != nil {
		return arrival{}, err
	}
	if _, err := parser.Parse(); err != nil {
		return arrival{}, fmt.Errorf("%w: %w", errPack, err)
	}
	for _, obj := range whole.Objects {
		if _, err := s.SetEncodedObject(obj); err != nil {
			return arrival{}, err
		}
	}
	if s.first == 0 {
		s.first = len(s.Objects)
	}
	return arrival{
		trees: slices.Collect(maps.Keys(whole.Trees)),
		holds: func(id plumbing.Hash) bool { return whole.Objects[id] != nil },
	}, nil
}

func (s *memoryShelf) refresh() bool { return false }
func (s *memoryShelf) grown() bool   { return len(s.Objects) > 2*s.first+20_000 }
func (s *memoryShelf) close() error  { return nil }

// A memorySpool is written first and read after the first Seek.
type memorySpool struct {
	buf bytes.Buffer
	r   *bytes.Reader
}

func (s *memorySpool) Write(p []byte) (int, error) { return s.buf.Write(p) }
func (s *memorySpool) Read(p []byte) (int, error)  { return s.r.Read(p) }

func (s *memorySpool) Seek(offset int64, whence int) (int64, error) {
	if s.r == nil {
		s.r = bytes.NewReader(s.buf.Bytes())
	}
	return s.r.Seek(offset, whence)
}

func (s *memorySpool) discard() {}

// A diskShelf keeps objects in a directory as git does. The files are written
// here, not by go-git, because they must be whole and on the disk before
// anything refers to them.
type diskShelf struct {
	*filesystem.Storage
	dir      string // holds objects/
	shared   bool   // others write there too: it is a repository, not a cache
	maxPacks int
	maxBlob  int64
}

func openDiskShelf(dir string, shared bool, limits Limits) *diskShelf {
	s := &diskShelf{dir: dir, shared: shared, maxPacks: limits.Packs, maxBlob: limits.Blob}
	s.reopen()
	return s
}

func (s *diskShelf) reopen() {
	if s.Storage != nil {
		s.Storage.ObjectStorage.Close() // reads only; nothing can be lost
	}
	s.Storage = filesystem.NewStorageWithOptions(osfs.New(s.dir), lru.NewObjectLRU(16*lru.MiByte),
		filesystem.Options{KeepDescriptors: true, LargeObjectThreshold: s.maxBlob})
}

func (s *diskShelf) refresh() bool {
	if s.shared {
		s.reopen()
	}
	return s.shared
}

func (s *diskShelf) close() error { return s.Storage.ObjectStorage.Close() }

func (s *diskShelf) grown() bool {
	packs, _ := filepath.Glob(filepath.Join(s.dir, "objects", "pack", "*.pack"))
	// Like git, judge the whole by one of 256 directories.
	loose, _ := filepath.Glob(filepath.Join(s.dir, "objects", "17", "*"))
	return len(packs) > s.maxPacks || len(loose) > 27
}

func (s *diskShelf) add(b *batch) error {
	if len(b.objects) >= unpackLimit {
		return s.addAsPack(b)
	}
	for _, o := range b.objects {
		if err := s.addLoose(o); err != nil {
			return err
		}
	}
	return nil
}

func (s *diskShelf) addAsPack(b *batch) error {
	if err := b.encode(); err != nil {
		return err
	}
	p, err := s.spool()
	if err != nil {
		return err
	}
	defer p.discard()
	if _, err := p.Write(b.pack); err != nil {
		return err
	}
	defer s.reopen()
	return s.keepPack(p.(diskSpool), &b.index)
}

func (s *diskShelf) addLoose(o newObject) error {
	name := o.id.String()
	dir := filepath.Join(s.dir, "objects", name[:2])
	path := filepath.Join(dir, name[2:])
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	for try := 1; ; try++ {
		if err := os.MkdirAll(dir, 0o777); err != nil {
			return err
		}
		err := s.place(dir, "tmp_obj_*", path, func(w io.Writer) error {
			z := zlib.NewWriter(w)
			fmt.Fprintf(z, "%s %d\x00", o.kind, len(o.raw))
			z.Write(o.raw)
			return z.Close() // reports what the writes met
		})
		if !errors.Is(err, fs.ErrNotExist) || try == 3 {
			return err
		}
		// A git process that tidies up takes empty directories away, also this one.
	}
}

// place writes a file whole: under a temporary name, to the disk, then by its
// own name.
func (s *diskShelf) place(dir, temp, path string, write func(io.Writer) error) error {
	f, err := os.CreateTemp(dir, temp)
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	if err := write(f); err != nil {
		return err
	}
	return s.settle(f, path)
}

// settle gives a complete temporary file its name.
func (s *diskShelf) settle(f *os.File, path string) error {
	if err := f.Chmod(0o444); err != nil {
		return err
	}
	if err := s.sync(f); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// sync is left out for a cache, which may be lost.
func (s *diskShelf) sync(f *os.File) error {
	if !s.shared {
		return nil
	}
	return f.Sync()
}

type diskSpool struct{ *os.File }

func (s diskSpool) discard() {
	s.Close()
	os.Remove(s.Name()) // gone already where the pack was kept
}

func (s *diskShelf) spool() (spool, error) {
	dir := filepath.Join(s.dir, "objects", "pack")
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, err
	}
	f, err := os.CreateTemp(dir, "tmp_pack_*")
	if err != nil {
		return nil, err
	}
	return diskSpool{f}, nil
}

func (s *diskShelf) addPack(p spool, size packSize) (arrival, error) {
	d, ok := p.(diskSpool)
	if !ok {
		return arrival{}, errors.New("a pack from another shelf")
	}
	defer s.reopen() // go-git lists packs once
	if size.objects < unpackLimit && size.bytes < 16<<20 {
		return s.unpack(d)
	}
	var index indexer
	parser, err := packfile.NewParser(packfile.NewScanner(d.File), &index)
	if err != nil {
		return arrival{}, err
	}
	if _, err := parser.Parse(); err != nil {
		return arrival{}, fmt.Errorf("%w: %w", errPack, err)
	}
	if err := s.keepPack(d, &index.Writer); err != nil {
		return arrival{}, err
	}
	all, err := index.Index()
	return arrival{trees: index.trees, holds: func(id plumbing.Hash) bool { ok, _ := all.Contains(id); return ok }}, err
}

// An indexer makes a pack's index, and remembers which objects are trees.
type indexer struct {
	idxfile.Writer
	kind  plumbing.ObjectType // of the object whose content comes next
	trees []plumbing.Hash
}

func (x *indexer) OnInflatedObjectHeader(kind plumbing.ObjectType, size, at int64) error {
	x.kind = kind
	return x.Writer.OnInflatedObjectHeader(kind, size, at)
}

func (x *indexer) OnInflatedObjectContent(id plumbing.Hash, at int64, crc uint32, content []byte) error {
	if x.kind == plumbing.TreeObject {
		x.trees = append(x.trees, id)
	}
	return x.Writer.OnInflatedObjectContent(id, at, crc, content)
}

// keepPack gives a pack and its index their names. A pack counts from when its
// index is there.
func (s *diskShelf) keepPack(d diskSpool, w *idxfile.Writer) error {
	index, err := w.Index()
	if err != nil {
		return err
	}
	dir := filepath.Dir(d.Name())
	base := filepath.Join(dir, "pack-"+plumbing.Hash(index.PackfileChecksum).String())
	if err := s.settle(d.File, base+".pack"); err != nil {
		return err
	}
	return s.place(dir, "tmp_idx_*", base+".idx", func(w io.Writer) error {
		_, err := idxfile.NewEncoder(w).Encode(index)
		return err
	})
}

// unpack keeps a small pack's objects one by one, so that packs stay few. The
// commit, on which all else is believed to be there, comes last.
func (s *diskShelf) unpack(d diskSpool) (arrival, error) {
	m := newMemoryShelf(Limits{})
	came, err := m.addPack(d, packSize{})
	if err != nil {
		return came, err
	}
	for _, kind := range []plumbing.ObjectType{plumbing.BlobObject, plumbing.TreeObject, plumbing.CommitObject} {
		for id, obj := range m.Objects {
			if obj.Type() != kind {
				continue
			}
			r, err := obj.Reader()
			if err != nil {
				return came, err
			}
			raw, err := io.ReadAll(r)
			if err != nil {
				return came, err
			}
			if err := s.addLoose(newObject{kind, id, raw}); err != nil {
				return came, err
			}
		}
	}
	return came, nil
}
