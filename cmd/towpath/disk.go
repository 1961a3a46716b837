package main

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5/plumbing/format/gitignore"

	"github.com/towpath/towpath/gitstore"
)

// disk is a directory, or one file, as if it were a commit. It follows no symbolic link
// and reads no .git, and nothing that Git is told to ignore: no commit has that.
type disk struct {
	dir     string
	ignored *ignored
	files   []gitstore.File
	paths   map[gitstore.BlobID]string
}

// readDisk lists a directory, or one file. What is named of it, by its path from there, is
// listed even where Git ignores it.
func readDisk(dir string, named ...string) (*disk, error) {
	info, err := os.Stat(dir)
	if err != nil {
		return nil, err
	}
	d := &disk{dir: dir, paths: map[gitstore.BlobID]string{}}
	if !info.IsDir() {
		d.dir = filepath.Dir(dir)
		d.add(filepath.Base(dir), fs.FileInfoToDirEntry(info))
		return d, nil
	}
	d.ignored = &ignored{fsys: os.DirFS(dir)}
	if err := d.walk(".", d.ignored); err != nil {
		return nil, err
	}
	for _, name := range named {
		if d.ignored.above(name) {
			if err := d.walk(name, nil); err != nil {
				return nil, err
			}
		}
	}
	return d, nil
}

func (d *disk) walk(from string, ignored *ignored) error {
	return fs.WalkDir(os.DirFS(d.dir), from, func(p string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case e.IsDir() && (e.Name() == ".git" || ignored.has(p, true)):
			return fs.SkipDir
		case e.IsDir() && p != "." && unusable(e.Name()):
			d.add(p, e)
			return fs.SkipDir
		case e.IsDir():
			ignored.enter(p)
			return nil
		case ignored.has(p, false):
			return nil
		}
		d.add(p, e)
		return nil
	})
}

// ignored is what the .gitignore files say of the directories that were entered so far.
// The nil one ignores nothing.
type ignored struct {
	fsys     fs.FS
	patterns []gitignore.Pattern
}

func (g *ignored) enter(dir string) {
	if g == nil {
		return
	}
	text, err := fs.ReadFile(g.fsys, path.Join(dir, ".gitignore"))
	if err != nil {
		return // there is none, or none that is a file
	}
	var domain []string
	if dir != "." {
		domain = strings.Split(dir, "/")
	}
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimRight(line, "\r\n"); strings.TrimSpace(line) != "" && !strings.HasPrefix(line, "#") {
			g.patterns = append(g.patterns, gitignore.ParsePattern(line, domain))
		}
	}
}

func (g *ignored) has(p string, dir bool) bool {
	return g != nil && p != "." && gitignore.NewMatcher(g.patterns).Match(strings.Split(p, "/"), dir)
}

// above reports whether a path or a directory that it is in is ignored.
func (g *ignored) above(p string) bool {
	if g.has(p, true) || g.has(p, false) {
		return true
	}
	return p != "." && g.above(path.Dir(p))
}

func (d *disk) add(path string, e fs.DirEntry) {
	f := gitstore.File{Path: quotedPath(path)}
	switch {
	case !usablePath(path):
		f.Skip = "an unusable name"
	case !e.Type().IsRegular():
		f.Skip = "not a regular file"
	default:
		// The name stands for the content: nothing is read twice within a command.
		sum := sha1.Sum([]byte(path))
		f.Blob = gitstore.BlobID(hex.EncodeToString(sum[:]))
		d.paths[f.Blob] = path
	}
	d.files = append(d.files, f)
}

// shown is a path as the person gave it.
func (d *disk) shown(path string) string { return filepath.Join(d.dir, path) }

func (d *disk) Rev() gitstore.Rev { return "disk" }

func (d *disk) Changes(context.Context, gitstore.Snapshot) ([]gitstore.Change, error) {
	var changes []gitstore.Change
	for i, f := range d.files {
		changes = append(changes, gitstore.Change{Path: f.Path, New: &d.files[i]})
	}
	slices.SortFunc(changes, func(a, b gitstore.Change) int { return strings.Compare(a.Path, b.Path) })
	return changes, nil
}

// diskLimit is the largest file that is read.
const diskLimit = 8 << 20

func (d *disk) Read(_ context.Context, id gitstore.BlobID) ([]byte, error) {
	path := d.paths[id]
	root, err := os.OpenRoot(d.dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	info, err := root.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Size() > diskLimit {
		return nil, &gitstore.Error{Kind: gitstore.TooLarge, Repo: d.dir, What: "the file is larger than 8 MiB", Fix: "split it, or leave it out with exclude: in .towpath.yaml"}
	}
	return root.ReadFile(path)
}

func (d *disk) Parent(context.Context) (gitstore.Snapshot, error) {
	return nil, errors.New("a directory has no history")
}

func (d *disk) Parents(ctx context.Context) ([]gitstore.Snapshot, error) {
	_, err := d.Parent(ctx)
	return nil, err
}

func (d *disk) About() gitstore.About { return gitstore.About{} }

// edited is a directory in which one file has another content.
type edited struct {
	*disk
	path    string
	content []byte
}

const editedBlob gitstore.BlobID = "edited"

func (e edited) Rev() gitstore.Rev { return "edited" }

// Changes are those since the directory as it is.
func (e edited) Changes(context.Context, gitstore.Snapshot) ([]gitstore.Change, error) {
	return []gitstore.Change{{Path: e.path, New: &gitstore.File{Path: e.path, Blob: editedBlob}}}, nil
}

func (e edited) Read(ctx context.Context, id gitstore.BlobID) ([]byte, error) {
	if id == editedBlob {
		return e.content, nil
	}
	return e.disk.Read(ctx, id)
}
