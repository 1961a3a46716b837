package gogit

import (
	"bytes"
	"fmt"

	"github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/plumbing"

	"github.com/towpath/towpath/gitstore"
)

// Init makes a bare repository in dir, which must not be one yet, whose only
// branch holds the first commit.
func Init(dir, branch string, first gitstore.Commit) error {
	ref := plumbing.NewBranchReferenceName(branch)
	if err := checkBranch(dir, branch); err != nil {
		return err
	}
	repo, err := git.PlainInitWithOptions(dir, &git.PlainInitOptions{Bare: true, InitOptions: git.InitOptions{DefaultBranch: ref}})
	if err != nil {
		return fmt.Errorf("making a repository in %s: %w", dir, err)
	}
	b := builder{made: map[plumbing.Hash]newObject{}}
	tree, err := b.rewrite("", plumbing.ZeroHash, lastOfEach(first.Edits))
	if err != nil {
		return err
	}
	raw, err := encodeCommit(tree, plumbing.ZeroHash, first)
	if err != nil {
		return err
	}
	raw = bytes.Replace(raw, fmt.Appendf(nil, "parent %s\n", plumbing.ZeroHash), nil, 1)
	tip := b.put(plumbing.CommitObject, raw)
	for _, o := range b.objects() {
		object := repo.Storer.NewEncodedObject()
		object.SetType(o.kind)
		w, err := object.Writer()
		if err != nil {
			return err
		}
		if _, err := w.Write(o.raw); err != nil {
			return err
		}
		if err := w.Close(); err != nil {
			return err
		}
		if _, err := repo.Storer.SetEncodedObject(object); err != nil {
			return fmt.Errorf("writing into %s: %w", dir, err)
		}
	}
	return repo.Storer.SetReference(plumbing.NewHashReference(ref, tip))
}
