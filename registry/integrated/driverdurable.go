package integrated

import (
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

// fresh are the names that somebody is just putting into a directory, and how many do: a
// power loss might still take them. Who comes to rely on one syncs it, whoever made it.
type fresh struct {
	mu    sync.Mutex
	names map[string]int
}

func (f *fresh) add(name string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.names[name]++
}

func (f *fresh) drop(names ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, name := range names {
		if f.names[name]--; f.names[name] == 0 {
			delete(f.names, name)
		}
	}
}

func (f *fresh) has(name string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.names[name] > 0
}

// place does what puts a name into its directory, after making the directory, and returns
// when no power loss can take the name away. What could not be synced stays fresh, so that
// nobody takes it for durable later.
func (d *directory) place(p string, do func() error) error {
	name := d.at(p)
	if uploading(p) {
		return d.placeUpload(name, do)
	}
	made, err := d.make(filepath.Dir(name))
	if err != nil {
		return err
	}
	d.fresh.add(name)
	if err := do(); err != nil {
		d.fresh.drop(name)
		return err
	}
	if err := d.sync(filepath.Dir(name), made); err != nil {
		return err
	}
	d.fresh.drop(append(made, name)...)
	return nil
}

// placeUpload is durable down to the repository, in which other things will stand.
func (d *directory) placeUpload(name string, do func() error) error {
	at := string(filepath.Separator) + "_uploads" + string(filepath.Separator)
	repository := name[:strings.LastIndex(name, at)]
	if err := d.makeDurably(repository); err != nil {
		return err
	}
	dir := repository
	for part := range strings.SplitSeq(filepath.Dir(name)[len(repository)+1:], string(filepath.Separator)) {
		dir = filepath.Join(dir, part)
		if err := d.files.Mkdir(dir); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	return do()
}

func (d *directory) makeDurably(dir string) error {
	made, err := d.make(dir)
	if err != nil || len(made) == 0 {
		return err
	}
	if err := d.sync("", made); err != nil {
		return err
	}
	d.fresh.drop(made...)
	return nil
}

// make makes a directory and those above it. It returns those that the caller has to sync,
// the lowest first: what it made, and what somebody else is just making.
func (d *directory) make(dir string) (made []string, err error) {
	there := false // and then all above it is, too
	for at := dir; len(at) > len(d.root); at = filepath.Dir(at) {
		if !there {
			info, err := d.files.Stat(at)
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				d.fresh.drop(made...)
				return nil, err
			}
			if there = err == nil; there && !info.IsDir() {
				d.fresh.drop(made...)
				return nil, &fs.PathError{Op: "mkdir", Path: at, Err: errors.New("there is a file of that name")}
			}
		}
		if there && !d.fresh.has(at) {
			continue
		}
		d.fresh.add(at)
		made = append(made, at)
	}
	for i, at := range slices.Backward(made) {
		if err := d.files.Mkdir(at); err != nil && !errors.Is(err, fs.ErrExist) {
			d.fresh.drop(made[:i+1]...)
			return nil, err
		}
	}
	return made, nil
}

// sync syncs a directory, and those above it in which directories were made.
func (d *directory) sync(dir string, made []string) error {
	if dir != "" {
		if err := d.files.SyncDir(dir); err != nil {
			return err
		}
	}
	for _, at := range made {
		if err := d.files.SyncDir(filepath.Dir(at)); err != nil {
			return err
		}
	}
	return nil
}

// seen makes durable what a caller is about to be shown. Without it, one client's push could
// rely on another's blob that a power loss takes away.
func (d *directory) seen(name string) error {
	if !d.fresh.has(name) {
		return nil
	}
	var above []string
	for at := filepath.Dir(name); len(at) > len(d.root); at = filepath.Dir(at) {
		if d.fresh.has(at) {
			above = append(above, at)
		}
	}
	return d.sync(filepath.Dir(name), above)
}
