package gogit

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/towpath/towpath/gitstore"
)

// Init makes a bare repository in dir, which must not be one yet, whose only
// branch holds the first commit.
func Init(dir, branch string, first gitstore.Commit) error {
	ref, err := checkBranch(dir, branch)
	if err != nil {
		return err
	}
	head := filepath.Join(dir, "HEAD")
	if _, err := os.Lstat(head); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s is a repository already; name another directory", dir)
	}
	for _, below := range []string{"objects/info", "objects/pack", "refs/heads", "refs/tags"} {
		if err := os.MkdirAll(filepath.Join(dir, below), 0o777); err != nil {
			return err
		}
	}
	b := &builder{made: map[plumbing.Hash]newObject{}}
	tip, err := b.chain(commit{}, []gitstore.Commit{first})
	if err != nil {
		return err
	}
	if tip.IsZero() {
		return errors.New("the first commit needs a file")
	}
	shelf := openDiskShelf(dir, true, Options{}.withDefaults().Limits)
	defer shelf.close()
	if err := shelf.add(b.batch()); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, ref)), 0o777); err != nil {
		return err
	}
	// HEAD comes last: without it, this is no repository yet.
	for _, f := range []struct{ path, content string }{
		{"config", "[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tbare = true\n"},
		{ref, tip.String() + "\n"},
		{"HEAD", "ref: " + ref + "\n"},
	} {
		if err := os.WriteFile(filepath.Join(dir, f.path), []byte(f.content), 0o666); err != nil {
			return err
		}
	}
	return nil
}
