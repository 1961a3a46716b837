package gogit

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/towpath/towpath/gitstore"
)

const packedRefs = "packed-refs"

// remove deletes a ref whose lock is held, if it is at old, as git does: first from packed-refs,
// or what is there would come to light, and under a lock that keeps others from packing it.
func (r *refStore) remove(ctx context.Context, name string, old plumbing.Hash) error {
	switch _, now, err := r.read(name); {
	case errors.Is(err, errNoRef):
		return nil // gone already
	case err != nil:
		return err
	case now != old:
		return gitstore.ErrMoved
	}
	const lock = packedRefs + ".lock"
	f, err := r.lock(ctx, packedRefs, lock)
	if err != nil {
		return err
	}
	f.Close()
	defer r.root.Remove(lock)
	if err := r.unpack(name); err != nil {
		return err
	}
	if err := r.root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENOTDIR) && !r.isDir(name) {
		return err
	}
	if err := r.syncDir(path.Dir(name)); err != nil {
		return err
	}
	// A log that stays would be in the way of a branch below that name.
	r.root.Remove("logs/" + name)
	r.tidy(path.Dir("logs/"+name), "logs/refs/heads")
	return nil
}

// unpack writes packed-refs without a ref, where that holds it. Its lock is held.
func (r *refStore) unpack(name string) error {
	if _, err := r.packed(func(_, ref string) bool { return ref == name }); err != nil {
		if errors.Is(err, errNoRef) {
			return nil
		}
		return err
	}
	raw, err := r.root.ReadFile(packedRefs)
	if err != nil {
		return err
	}
	info, err := r.root.Stat(packedRefs)
	if err != nil {
		return err
	}
	const next = packedRefs + ".new" // git's name for it
	r.root.Remove(next)              // what was left by somebody who held the lock
	f, err := r.root.OpenFile(next, os.O_WRONLY|os.O_CREATE|os.O_EXCL, info.Mode().Perm())
	if err != nil {
		return err
	}
	err = errors.Join(writeWithout(f, string(raw), name), f.Sync(), f.Close())
	if err == nil {
		err = r.root.Rename(next, packedRefs)
	}
	if err != nil {
		r.root.Remove(next)
		return err
	}
	return r.syncDir(".")
}

// writeWithout leaves out a ref and the line after it that says what its tag is of.
func writeWithout(f *os.File, packed, name string) error {
	w := bufio.NewWriter(f)
	left := false
	for line := range strings.Lines(packed) {
		if strings.HasPrefix(line, "^") && left {
			continue
		}
		_, ref, _ := strings.Cut(strings.TrimRight(line, "\n"), " ")
		if left = ref == name && !strings.HasPrefix(line, "#"); !left {
			w.WriteString(line)
		}
	}
	return w.Flush()
}

// tidy takes away the empty directories from dir up to, and without, floor: they would be in
// the way of a branch of their name.
func (r *refStore) tidy(dir, floor string) {
	for strings.HasPrefix(dir, floor+"/") && r.removeDir(dir) == nil {
		dir = path.Dir(dir)
	}
}

// clear takes away the empty directories that deleted branches left where a ref shall be.
func (r *refStore) clear(name string) {
	var dirs []string
	fs.WalkDir(r.root.FS(), name, func(p string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			dirs = append(dirs, p)
		}
		return nil
	})
	for _, dir := range slices.Backward(dirs) {
		r.removeDir(dir)
	}
}

// removeDir removes an empty directory, and never a file: that may be a ref by now.
func (r *refStore) removeDir(dir string) error {
	return syscall.Rmdir(filepath.Join(r.root.Name(), filepath.FromSlash(dir)))
}

func (r *refStore) isDir(name string) bool {
	info, err := r.root.Lstat(name)
	return err == nil && info.IsDir()
}

// A clashError is a branch that cannot be made beside another: to git, a name that others
// begin with is a directory.
type clashError struct{ ref, with string }

func (e *clashError) Error() string {
	return fmt.Sprintf("the branch %.80q is in the way of %.80q", shortOf(e.with), shortOf(e.ref))
}

// above are the names that would have to be directories for a ref.
func above(ref string) (names []string) {
	for dir := path.Dir(ref); strings.HasPrefix(dir, heads); dir = path.Dir(dir) {
		names = append(names, dir)
	}
	return names
}

func clash(a, b string) bool {
	return strings.HasPrefix(a, b+"/") || strings.HasPrefix(b, a+"/")
}

// clashes looks for what is in the way of a new ref.
func (r *refStore) clashes(name string) error {
	for _, dir := range above(name) {
		if info, err := r.root.Lstat(dir); err == nil && !info.IsDir() {
			return &clashError{ref: name, with: dir}
		}
	}
	below := ""
	fs.WalkDir(r.root.FS(), name, func(p string, d fs.DirEntry, err error) error {
		if err == nil && p != name && !d.IsDir() && usableBranch(p) {
			below = p
			return fs.SkipAll
		}
		return nil
	})
	if below == "" {
		_, err := r.packed(func(_, ref string) bool { below = ref; return clash(ref, name) })
		if errors.Is(err, errNoRef) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return &clashError{ref: name, with: below}
}

// list returns where the refs are whose names begin with a prefix. What is no ref is left out.
func (r *refStore) list(prefix string) (map[string]plumbing.Hash, error) {
	names := map[string]bool{}
	err := fs.WalkDir(r.root.FS(), path.Dir(prefix+"x"), func(p string, d fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
			return nil // deleted meanwhile
		case err != nil:
			return err
		case !d.IsDir() && strings.HasPrefix(p, prefix) && usableBranch(p):
			names[p] = true
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	_, err = r.packed(func(_, name string) bool {
		if strings.HasPrefix(name, prefix) && usableBranch(name) {
			names[name] = true
		}
		return false
	})
	if err != nil && !errors.Is(err, errNoRef) {
		return nil, err
	}
	refs := map[string]plumbing.Hash{}
	for name := range names {
		switch _, id, err := r.read(name); {
		case errors.Is(err, errNoRef), errors.Is(err, errBadRef):
		case err != nil:
			return nil, err
		default:
			refs[name] = id
		}
	}
	return refs, nil
}
