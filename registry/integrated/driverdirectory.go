package integrated

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"path"
	"path/filepath"
	"slices"
	"strings"

	storagedriver "github.com/distribution/distribution/v3/registry/storage/driver"
)

// A directory is a storage driver whose answers survive a power loss: what it stored, moved
// or deleted is so for good when the call returns, and what it shows to one caller is not
// taken back from the next. Files lie where distribution's own filesystem driver puts them.
//
// Uploads under way are the exception. Nobody was promised anything of them, so they are
// synced when they end, which is cheaper than after each chunk.
type directory struct {
	root  string
	files files
	fresh fresh
}

// scratch holds files that are not yet what they will be, and what is being deleted. Whatever
// is there when a registry opens is left over.
const scratch = "/towpath/tmp"

// openDirectory makes the directory where it is missing. Leftovers are what a process before
// this one did not finish: paths of a moment that anybody may delete.
func openDirectory(root string, files files) (d *directory, leftovers []string, err error) {
	root, err = filepath.Abs(root)
	if err != nil {
		return nil, nil, err
	}
	d = &directory{root: string(filepath.Separator), files: files, fresh: fresh{names: map[string]int{}}}
	if err := d.makeDurably(root); err != nil {
		return nil, nil, err
	}
	d.root = root
	if err := d.makeDurably(d.at(scratch)); err != nil {
		return nil, nil, err
	}
	if err := files.SyncAll(root); err != nil {
		return nil, nil, err
	}
	names, err := files.Names(d.at(scratch))
	for _, name := range names {
		leftovers = append(leftovers, filepath.Join(d.at(scratch), name))
	}
	return d, leftovers, err
}

func (d *directory) Name() string { return "directory" }

func (d *directory) at(p string) string { return filepath.Join(d.root, filepath.FromSlash(p)) }

func (d *directory) temporary() string { return filepath.Join(d.at(scratch), rand.Text()) }

// uploading says whether a path is of an upload under way. No part of a repository's name
// starts with an underscore.
func uploading(p string) bool { return strings.Contains(p, "/_uploads/") }

// check is an error where a path is none of a driver, or would lead out of the directory.
func (d *directory) check(p string) error {
	if !storagedriver.PathRegexp.MatchString(p) || path.Clean(p) != p {
		return storagedriver.InvalidPathError{Path: p, DriverName: d.Name()}
	}
	return nil
}

// known is an error as distribution knows it.
func (d *directory) known(p string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return storagedriver.PathNotFoundError{Path: p, DriverName: d.Name()}
	}
	return err
}

func (d *directory) GetContent(ctx context.Context, p string) ([]byte, error) {
	r, err := d.Reader(ctx, p, 0)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}

func (d *directory) Reader(_ context.Context, p string, offset int64) (io.ReadCloser, error) {
	if err := d.check(p); err != nil {
		return nil, err
	}
	if offset < 0 {
		return nil, storagedriver.InvalidOffsetError{Path: p, Offset: offset, DriverName: d.Name()}
	}
	f, err := d.files.Open(d.at(p))
	if err != nil {
		return nil, d.known(p, err)
	}
	_, err = f.Seek(offset, io.SeekStart)
	if err == nil {
		err = d.seen(d.at(p))
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

func (d *directory) Stat(_ context.Context, p string) (storagedriver.FileInfo, error) {
	if err := d.check(p); err != nil && p != "/" {
		return nil, err
	}
	info, err := d.files.Stat(d.at(p))
	if err != nil {
		return nil, d.known(p, err)
	}
	fields := storagedriver.FileInfoFields{Path: p, ModTime: info.ModTime(), IsDir: info.IsDir()}
	if !info.IsDir() {
		fields.Size = info.Size()
		if err := d.seen(d.at(p)); err != nil {
			return nil, err
		}
	}
	return storagedriver.FileInfoInternal{FileInfoFields: fields}, nil
}

func (d *directory) List(_ context.Context, p string) ([]string, error) {
	if err := d.check(p); err != nil && p != "/" {
		return nil, err
	}
	names, err := d.files.Names(d.at(p))
	if err != nil {
		return nil, d.known(p, err)
	}
	slices.Sort(names)
	found := make([]string, 0, len(names))
	for _, name := range names {
		if d.half(p, name) {
			continue
		}
		found = append(found, path.Join(p, name))
	}
	return found, nil
}

// half says that a tag is not one yet: distribution makes its directory, and after that the
// link that says what the tag is. A push that broke off between the two has made no tag.
func (d *directory) half(p, name string) bool {
	if !strings.HasSuffix(p, "/_manifests/tags") {
		return false
	}
	_, err := d.files.Stat(filepath.Join(d.at(p), name, "current", "link"))
	return errors.Is(err, fs.ErrNotExist)
}

func (d *directory) Walk(ctx context.Context, p string, f storagedriver.WalkFn, options ...func(*storagedriver.WalkOptions)) error {
	return storagedriver.WalkFallback(ctx, d, p, f, options...)
}

func (d *directory) RedirectURL(*http.Request, string) (string, error) { return "", nil }

// PutContent replaces the whole file or nothing of it.
func (d *directory) PutContent(_ context.Context, p string, content []byte) error {
	if err := d.check(p); err != nil {
		return err
	}
	temporary := d.temporary()
	err := d.write(temporary, content, !uploading(p))
	if err == nil {
		err = d.place(p, func() error { return d.files.Rename(temporary, d.at(p)) })
	}
	if err != nil {
		_ = d.files.RemoveAll(temporary) // the next opening does it otherwise
	}
	return err
}

func (d *directory) write(name string, content []byte, durable bool) error {
	f, err := d.files.Write(name, false)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err == nil && durable {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// Move expects that the source was committed, and so is synced.
func (d *directory) Move(_ context.Context, from, to string) error {
	if err := errors.Join(d.check(from), d.check(to)); err != nil {
		return err
	}
	if _, err := d.files.Stat(d.at(from)); err != nil {
		return d.known(from, err)
	}
	if err := d.place(to, func() error { return d.files.Rename(d.at(from), d.at(to)) }); err != nil {
		return err
	}
	if uploading(from) {
		return nil // should it be there again after a power loss, it is an upload that nobody goes on with
	}
	return d.files.SyncDir(filepath.Dir(d.at(from)))
}

// Delete takes a file or a whole tree away in one step, so that nothing is ever half
// deleted, and frees its room after that.
func (d *directory) Delete(_ context.Context, p string) error {
	if err := d.check(p); err != nil {
		return err
	}
	name := d.at(p)
	if _, err := d.files.Stat(name); err != nil {
		return d.known(p, err)
	}
	if uploading(p) {
		return d.files.RemoveAll(name)
	}
	gone := d.temporary()
	if err := d.files.Rename(name, gone); err != nil {
		return d.known(p, err)
	}
	if err := d.files.SyncDir(filepath.Dir(name)); err != nil {
		return err
	}
	_ = d.files.RemoveAll(gone) // the next opening does it otherwise
	return nil
}

// Writer is what distribution writes uploads with.
func (d *directory) Writer(ctx context.Context, p string, appending bool) (storagedriver.FileWriter, error) {
	if err := d.check(p); err != nil {
		return nil, err
	}
	w := &writer{d: d, p: p}
	err := d.place(p, func() (err error) {
		if w.file, err = d.files.Write(d.at(p), appending); err != nil {
			return err
		}
		w.size, err = w.file.Seek(0, io.SeekEnd)
		return err
	})
	if err != nil && w.file != nil {
		w.file.Close()
	}
	if left, ok := ctx.Value(leftOpen{}).(*[]io.Closer); ok && err == nil {
		*left = append(*left, w)
	}
	return w, err
}

// leftOpen is what a request opens, to be closed when it ends: distribution leaves an upload open
// where it refuses a chunk.
type leftOpen struct{}

// closing closes what the handler leaves open.
func closing(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var left []io.Closer
		defer func() {
			for _, c := range left {
				_ = c.Close() // twice does nothing
			}
		}()
		h.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), leftOpen{}, &left)))
	})
}

type writer struct {
	d      *directory
	p      string
	file   file
	size   int64
	closed bool
}

func (w *writer) Write(p []byte) (int, error) {
	n, err := w.file.Write(p)
	w.size += int64(n)
	return n, err
}

func (w *writer) Size() int64 { return w.size }

func (w *writer) Close() error {
	if w.closed {
		return nil
	}
	w.closed = true
	return w.file.Close()
}

// Cancel also takes away what was closed: distribution closes before it compares digests.
func (w *writer) Cancel(context.Context) error {
	return errors.Join(w.Close(), w.d.files.RemoveAll(w.d.at(w.p)))
}

func (w *writer) Commit(context.Context) error {
	if w.closed {
		return fmt.Errorf("commit of %s: already closed", w.p)
	}
	return w.file.Sync()
}
