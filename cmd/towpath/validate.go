package main

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/towpath/towpath/gitstore"
	"github.com/towpath/towpath/reconcile"
)

func newValidate(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "validate PATH…", Short: "Check files on disk", Args: cobra.MinimumNArgs(1),
		Long: `Read files, or directories with a .towpath.yaml at their root, as run reads a branch, and
print what is wrong with them as file:line:column. Neither Git nor a registry is asked.`,
		Example: `  towpath validate .
  towpath validate streams/web.yaml`,
		RunE: func(c *cobra.Command, args []string) error {
			bad := false
			for _, path := range args {
				snap, err := readDisk(path)
				if err != nil {
					return failed(err)
				}
				cat, err := reconcile.Load(c.Context(), snap, nil, nil)
				if err != nil {
					return failed(err)
				}
				for i := range cat.Problems {
					cat.Problems[i].Path = snap.shown(cat.Problems[i].Path)
					bad = bad || !cat.Problems[i].Note
				}
				printProblems(a.stdout, cat.Problems)
				fmt.Fprintf(a.stderr, "%s: %s, %s\n", path, count(len(cat.Streams), "stream"), count(len(cat.Sites), "site"))
			}
			if bad {
				return &exit{code: exitProblems}
			}
			return nil
		},
	}
}

// disk is a directory, or one file, as if it were a commit. It follows no
// symbolic link and reads no .git.
type disk struct {
	dir   string
	files []gitstore.File
	paths map[gitstore.BlobID]string
}

func readDisk(path string) (*disk, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	d := &disk{dir: path, paths: map[gitstore.BlobID]string{}}
	if !info.IsDir() {
		d.dir = filepath.Dir(path)
		return d, d.add(filepath.Base(path), fs.FileInfoToDirEntry(info))
	}
	err = fs.WalkDir(os.DirFS(path), ".", func(p string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case e.IsDir() && e.Name() == ".git":
			return fs.SkipDir
		case e.IsDir():
			return nil
		}
		return d.add(p, e)
	})
	return d, err
}

func (d *disk) add(path string, e fs.DirEntry) error {
	f := gitstore.File{Path: path}
	if !e.Type().IsRegular() {
		f.Skip = "not a regular file"
	} else {
		// The name stands for the content: nothing is read twice within a command.
		sum := sha1.Sum([]byte(path))
		f.Blob = gitstore.BlobID(hex.EncodeToString(sum[:]))
		d.paths[f.Blob] = path
	}
	d.files = append(d.files, f)
	return nil
}

// shown is a path as the person gave it.
func (d *disk) shown(path string) string { return filepath.Join(d.dir, path) }

func (d *disk) Rev() gitstore.Rev { return "disk" }

func (d *disk) Changes(context.Context, gitstore.Snapshot) ([]gitstore.Change, error) {
	var changes []gitstore.Change
	for i, f := range d.files {
		changes = append(changes, gitstore.Change{Path: f.Path, New: &d.files[i]})
	}
	slices.SortFunc(changes, func(a, b gitstore.Change) int {
		if a.Path < b.Path {
			return -1
		}
		return 1
	})
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

func (d *disk) About() gitstore.About { return gitstore.About{} }
