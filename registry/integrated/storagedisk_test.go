package integrated

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// A disk is a file system in memory that has two faces: what a process sees of it, and what
// is left of that after a power loss: what was synced.
type disk struct {
	mu    sync.Mutex
	root  *node
	steps int                           // that change it, so far
	until int                           // the step at which the power goes; zero is never
	off   bool                          // the power is gone
	hook  func(step, name string) error // before each step; its error fails the step
	room  int64                         // free bytes
}

// A node is a file or a directory.
type node struct {
	data, kept   []byte
	names, known map[string]*node // of a directory; known is what is left after a power loss
	mod          time.Time
}

func newDisk() *disk { return &disk{root: newDir(), room: 1 << 40} }

func newDir() *node { return &node{names: map[string]*node{}, known: map[string]*node{}} }

// powerLoss is the disk when the power is back. Without a generator all is gone that was not
// synced; with one each such thing may be there as well, for systems write when they like.
func (d *disk) powerLoss(draw *rand.Rand) *disk {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.off = true
	left := newDisk()
	left.root = d.root.after(draw)
	return left
}

func (n *node) after(draw *rand.Rand) *node {
	maybe := func() bool { return draw != nil && draw.IntN(2) == 0 }
	if n.names == nil {
		data := bytes.Clone(n.kept)
		if !bytes.Equal(n.data, n.kept) && maybe() {
			data = make([]byte, len(n.data)) // the size is there, the bytes may not be
			if maybe() {
				copy(data, n.data)
			}
		}
		return &node{data: data, kept: data, mod: n.mod}
	}
	left := maps.Clone(n.known)
	for name, now := range n.names {
		if left[name] != now && maybe() {
			left[name] = now
		}
	}
	for name := range n.known {
		if n.names[name] == nil && maybe() {
			delete(left, name)
		}
	}
	made := newDir()
	made.mod = n.mod
	for name, child := range left {
		made.names[name] = child.after(draw)
	}
	made.known = maps.Clone(made.names)
	return made
}

// step is one change that the disk is asked for.
func (d *disk) step(what, name string) error {
	d.mu.Lock()
	if d.steps++; d.steps == d.until {
		d.off = true
	}
	off, hook := d.off, d.hook
	d.mu.Unlock()
	if off {
		return syscall.EIO
	}
	if hook != nil {
		return hook(what, name)
	}
	return nil
}

// find is a node, or nil. The mutex is held.
func (d *disk) find(name string) *node {
	n := d.root
	for part := range strings.SplitSeq(strings.Trim(name, "/"), "/") {
		if part == "" {
			continue
		}
		if n = n.names[part]; n == nil {
			return nil
		}
	}
	return n
}

func (d *disk) parent(name string) (dir *node, base string, err error) {
	if dir = d.find(filepath.Dir(name)); dir == nil || dir.names == nil {
		return nil, "", &fs.PathError{Op: "find", Path: name, Err: fs.ErrNotExist}
	}
	return dir, filepath.Base(name), nil
}

func (d *disk) lookup(name string) (*node, error) {
	if d.off {
		return nil, syscall.EIO
	}
	if n := d.find(name); n != nil {
		return n, nil
	}
	return nil, &fs.PathError{Op: "find", Path: name, Err: fs.ErrNotExist}
}

type reading struct {
	*bytes.Reader
}

func (reading) Close() error { return nil }

func (d *disk) Open(name string) (io.ReadSeekCloser, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	n, err := d.lookup(name)
	if err != nil {
		return nil, err
	}
	return reading{bytes.NewReader(n.data)}, nil
}

func (d *disk) Stat(name string) (fs.FileInfo, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	n, err := d.lookup(name)
	if err != nil {
		return nil, err
	}
	return info{filepath.Base(name), int64(len(n.data)), n.mod, n.names != nil}, nil
}

type info struct {
	name string
	size int64
	mod  time.Time
	dir  bool
}

func (i info) Name() string       { return i.name }
func (i info) Size() int64        { return i.size }
func (i info) ModTime() time.Time { return i.mod }
func (i info) IsDir() bool        { return i.dir }
func (i info) Mode() fs.FileMode  { return 0 }
func (i info) Sys() any           { return nil }

func (d *disk) Names(dir string) (names []string, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	n, err := d.lookup(dir)
	if err != nil {
		return nil, err
	}
	for name := range n.names {
		names = append(names, name)
	}
	return names, nil
}

func (d *disk) Mkdir(name string) error {
	if err := d.step("mkdir", name); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	dir, base, err := d.parent(name)
	if err != nil {
		return err
	}
	if dir.names[base] != nil {
		return &fs.PathError{Op: "mkdir", Path: name, Err: fs.ErrExist}
	}
	dir.names[base] = newDir()
	return nil
}

func (d *disk) Rename(from, to string) error {
	if err := d.step("rename", to); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	n, err := d.lookup(from)
	if err != nil {
		return err
	}
	source, base, err := d.parent(from)
	if err != nil {
		return err
	}
	target, name, err := d.parent(to)
	if err != nil {
		return err
	}
	delete(source.names, base)
	target.names[name] = n
	return nil
}

// RemoveAll takes names away one after the other, as a system does.
func (d *disk) RemoveAll(name string) error {
	names, err := d.Names(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	for _, below := range names {
		if err := d.RemoveAll(filepath.Join(name, below)); err != nil {
			return err
		}
	}
	if err := d.step("remove", name); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	dir, base, err := d.parent(name)
	if err == nil {
		delete(dir.names, base)
	}
	return err
}

func (d *disk) SyncDir(name string) error {
	if err := d.step("syncdir", name); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	n, err := d.lookup(name)
	if err == nil {
		n.known = maps.Clone(n.names)
	}
	return err
}

func (d *disk) SyncAll(dir string) error {
	if err := d.step("syncall", dir); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.find(dir).syncAll()
	return nil
}

func (n *node) syncAll() {
	n.kept, n.known = bytes.Clone(n.data), maps.Clone(n.names)
	for _, child := range n.names {
		child.syncAll()
	}
}

func (d *disk) Free(string) (int64, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.room, nil
}

func (d *disk) Write(name string, appending bool) (file, error) {
	if err := d.step("open", name); err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	dir, base, err := d.parent(name)
	if err != nil {
		return nil, err
	}
	n := dir.names[base]
	if n == nil {
		n = &node{}
		dir.names[base] = n
	}
	if n.mod = time.Now(); !appending {
		n.data = nil
	}
	return &handle{d: d, node: n, name: name}, nil
}

// A handle writes at the end: nothing of ours writes elsewhere.
type handle struct {
	d    *disk
	node *node
	name string
}

func (h *handle) Write(p []byte) (int, error) {
	if err := h.d.step("write", h.name); err != nil {
		return 0, err
	}
	h.d.mu.Lock()
	defer h.d.mu.Unlock()
	if h.d.room < int64(len(p)) {
		return 0, syscall.ENOSPC
	}
	h.d.room -= int64(len(p))
	h.node.data = append(h.node.data, p...)
	return len(p), nil
}

func (h *handle) Seek(int64, int) (int64, error) {
	h.d.mu.Lock()
	defer h.d.mu.Unlock()
	return int64(len(h.node.data)), nil
}

func (h *handle) Sync() error {
	if err := h.d.step("sync", h.name); err != nil {
		return err
	}
	h.d.mu.Lock()
	defer h.d.mu.Unlock()
	h.node.kept = bytes.Clone(h.node.data)
	return nil
}

func (h *handle) Close() error { return nil }
