package gogit

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
	"syscall"
	"time"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/towpath/towpath/gitstore"
)

// A refStore reads and writes the refs of a repository as git does: a file of
// its own for a ref, else a line in packed-refs. go-git's own update is no
// compare-and-swap beside native git. Nothing outside the root is touched,
// wherever links point.
type refStore struct{ root *os.Root }

var (
	errNoRef  = errors.New("no such ref")
	errBadRef = errors.New("not a ref")
)

// A lockedError is a lock that somebody else held for too long.
type lockedError struct{ path string }

func (e *lockedError) Error() string { return e.path + " exists" }

// read follows symbolic refs, and returns the last one's name and the id.
func (r *refStore) read(name string) (string, plumbing.Hash, error) {
	for range 5 {
		value, err := r.value(name)
		if err != nil {
			return name, plumbing.ZeroHash, err
		}
		target, symbolic := strings.CutPrefix(value, "ref:")
		if !symbolic {
			if !plumbing.IsHash(value) {
				return name, plumbing.ZeroHash, fmt.Errorf("%s: %w", name, errBadRef)
			}
			return name, plumbing.NewHash(value), nil
		}
		if name = strings.TrimSpace(target); !strings.HasPrefix(name, "refs/") || !usableBranch(name) {
			return name, plumbing.ZeroHash, fmt.Errorf("%q: %w", name, errBadRef)
		}
	}
	return name, plumbing.ZeroHash, fmt.Errorf("%s: too many symbolic refs: %w", name, errBadRef)
}

// value is what a ref's file says, or packed-refs if it has none.
func (r *refStore) value(name string) (string, error) {
	raw, err := r.root.ReadFile(name)
	if err == nil {
		return strings.TrimSpace(string(raw)), nil
	}
	if info, stat := r.root.Stat(name); !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENOTDIR) && !(stat == nil && info.IsDir()) {
		return "", err
	}
	return r.packed(func(_, ref string) bool { return ref == name })
}

// packed returns the id of the first packed ref that the function takes.
func (r *refStore) packed(take func(id, name string) bool) (string, error) {
	f, err := r.root.Open(packedRefs)
	if errors.Is(err, fs.ErrNotExist) {
		return "", errNoRef
	}
	if err != nil {
		return "", err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		id, name, ok := strings.Cut(lines.Text(), " ")
		if ok && id != "#" && take(id, name) {
			return id, nil
		}
	}
	return "", cmp.Or(lines.Err(), errNoRef)
}

// any tells whether there is any branch.
func (r *refStore) any() bool {
	found := false
	fs.WalkDir(r.root.FS(), "refs/heads", func(_ string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			found = true
			return fs.SkipAll
		}
		return nil
	})
	if found {
		return true
	}
	_, err := r.packed(func(_, name string) bool { return strings.HasPrefix(name, "refs/heads/") })
	return err == nil
}

// lockPatience is how long a lock of somebody else's is waited for.
const lockPatience = time.Second

// errSymbolic keeps what is asked of one branch from being done to another.
var errSymbolic = errors.New("a symbolic ref")

// update moves a ref: under a lock that native git heeds too, and only from where the move
// begins.
func (r *refStore) update(ctx context.Context, m move) error {
	name, _, err := r.read(m.ref)
	switch {
	case errors.Is(err, errNoRef) && m.new.IsZero():
		return nil // gone already
	case errors.Is(err, errNoRef) && !m.old.IsZero():
		return gitstore.ErrMoved
	case err != nil && !errors.Is(err, errNoRef):
		return err
	case m.ours && name != m.ref:
		return fmt.Errorf("%s: %w", m.ref, errSymbolic)
	}
	if m.old.IsZero() {
		if err := r.clashes(name); err != nil {
			return err
		}
	}
	lock := name + ".lock"
	f, err := r.lock(ctx, name, lock)
	if err != nil {
		return err
	}
	defer f.Close()
	if m.new.IsZero() {
		err = r.remove(ctx, name, m.old)
	} else {
		err = r.swap(f, name, lock, m)
	}
	if err != nil || m.new.IsZero() {
		r.root.Remove(lock)
		r.tidy(path.Dir(name), path.Dir(heads))
		return err
	}
	return r.syncDir(path.Dir(name)) // the lock of that name may be another's by now
}

// swap writes the locked ref if it is where the move begins, and thereby gives up the lock.
func (r *refStore) swap(f *os.File, name, lock string, m move) error {
	_, now, err := r.read(name)
	switch {
	case errors.Is(err, errNoRef) && m.old.IsZero():
		if err := r.clashes(name); err != nil { // none can come while the lock's directory is there
			return err
		}
	case err == nil && now != m.old, errors.Is(err, errNoRef):
		return gitstore.ErrMoved
	case err != nil:
		return err
	}
	if _, err := fmt.Fprintf(f, "%s\n", m.new); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if r.isDir(name) {
		r.clear(name) // empty directories are what deleted branches left
	}
	return r.root.Rename(lock, name)
}

// lock creates the lock file, waiting for another's to go.
func (r *refStore) lock(ctx context.Context, name, lock string) (*os.File, error) {
	for deadline := time.Now().Add(lockPatience); ; {
		var f *os.File
		err := r.root.MkdirAll(path.Dir(name), 0o777)
		if err == nil {
			f, err = r.root.OpenFile(lock, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
		}
		if err == nil {
			return f, nil
		}
		// Git removes directories that it finds empty; then this is for the next turn.
		if !errors.Is(err, fs.ErrExist) && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		if time.Now().After(deadline) {
			return nil, &lockedError{r.root.Name() + "/" + lock}
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (r *refStore) syncDir(name string) error {
	d, err := r.root.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // a ref that another has deleted since took it along
	}
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
