package github

import (
	"context"
	"encoding/base64"
	"errors"
	"slices"
	"strings"

	"github.com/google/go-github/v89/github"
	"golang.org/x/sync/errgroup"

	"github.com/towpath/towpath/forge"
	"github.com/towpath/towpath/gitstore"
)

var _ gitstore.Maker = (*Forge)(nil)

var making = need{"make a commit", "Contents: write"}

// maxBlobs are sent at the same time. GitHub wants few at once of what makes something.
const maxBlobs = 4

// Commit makes a commit, and moves no ref. Its author and committer are who the token
// belongs to, at GitHub's time: only then, and only for an App, GitHub signs it, and shows it
// as Verified.
//
// What GitHub makes is not taken on trust: blobs, tree and commit are compared with what
// was meant before the id is returned. It is called from one goroutine at a time with the
// other methods. Errors are *gitstore.Error, or the context's.
func (f *Forge) Commit(ctx context.Context, parent gitstore.Rev, c gitstore.Commit) (gitstore.Rev, error) {
	rev, err := f.commit(ctx, parent, c)
	if err == nil {
		return rev, nil
	}
	if refusal, ok := errors.AsType[*gitstore.Error](err); ok {
		refusal.Repo = f.where()
		return "", refusal
	}
	return "", f.gitError(f.fail(ctx, makingOf(c), err))
}

// makingOf is the need of a commit. What GitHub runs itself takes a permission of its own.
func makingOf(c gitstore.Commit) need {
	n := making
	if slices.ContainsFunc(c.Edits, func(e gitstore.Edit) bool { return strings.HasPrefix(e.Path, ".github/workflows/") }) {
		n.permission += " and Workflows: write"
	}
	return n
}

func (f *Forge) commit(ctx context.Context, parent gitstore.Rev, c gitstore.Commit) (gitstore.Rev, error) {
	base, err := f.treeOf(ctx, parent)
	if err != nil {
		return "", err
	}
	p := &planting{trees: f, root: &grove{id: base}}
	for _, e := range c.Edits {
		if err := p.plant(ctx, e); err != nil {
			return "", err
		}
	}
	if len(p.edits) == 0 {
		return "", refuse("the commit would change nothing", "none is needed: what it says is there already")
	}
	p.sendWithin()
	if err := f.blobs(ctx, p.edits); err != nil {
		return "", err
	}
	tree, err := f.tree(ctx, p)
	if err != nil {
		return "", err
	}
	return f.wrap(ctx, parent, tree, c.Message)
}

// treeOf is the tree of a commit.
func (f *Forge) treeOf(ctx context.Context, rev gitstore.Rev) (string, error) {
	if !isID(string(rev)) {
		return "", refuse("a commit has no parent to stand on", "make the branch's first commit by hand")
	}
	c, _, err := f.api.Git.GetCommit(ctx, f.owner, f.repo, string(rev))
	if err == nil && (c.GetSHA() != string(rev) || !isID(c.GetTree().GetSHA())) {
		err = odd("another commit than was asked for")
	}
	return c.GetTree().GetSHA(), err
}

// entries reads a tree, without those below it.
func (f *Forge) entries(ctx context.Context, id string) ([]*github.TreeEntry, error) {
	t, _, err := f.api.Git.GetTree(ctx, f.owner, f.repo, id, false)
	switch {
	case err != nil:
		return nil, err
	case t.GetTruncated():
		return nil, refuse("a directory has more entries than GitHub's API lists", "let towpath make the commits itself (git.commits: git), or split the directory")
	case t.GetSHA() != id:
		return nil, odd("another tree than was asked for")
	}
	return t.Entries, nil
}

// blobs sends the contents that do not go with the tree, a few at a time.
func (f *Forge) blobs(ctx context.Context, edits []planted) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(maxBlobs)
	encoding := "base64"
	for _, e := range edits {
		if e.within {
			continue
		}
		g.Go(func() error {
			content := base64.StdEncoding.EncodeToString(e.Content)
			b, _, err := f.api.Git.CreateBlob(ctx, f.owner, f.repo, github.Blob{Content: &content, Encoding: &encoding})
			if err == nil && b.GetSHA() != string(e.blob) {
				err = odd("another blob than was sent")
			}
			return err
		})
	}
	return g.Wait()
}

// tree makes the tree.
func (f *Forge) tree(ctx context.Context, p *planting) (string, error) {
	kind := "blob"
	var entries []*github.TreeEntry
	for _, e := range p.edits {
		entry := &github.TreeEntry{Path: &e.Path, Mode: &e.mode, Type: &kind}
		if text, id := string(e.Content), string(e.blob); e.within {
			entry.Content = &text
		} else {
			entry.SHA = &id
		}
		entries = append(entries, entry)
	}
	t, _, err := f.api.Git.CreateTree(ctx, f.owner, f.repo, p.root.id, entries)
	if err != nil {
		return "", err
	}
	want, known := p.root.planned()
	if !isID(t.GetSHA()) || known && t.GetSHA() != want {
		return "", odd("another tree than was meant")
	}
	return t.GetSHA(), nil
}

// wrap makes the commit.
func (f *Forge) wrap(ctx context.Context, parent gitstore.Rev, tree, message string) (gitstore.Rev, error) {
	on := string(parent)
	c, _, err := f.api.Git.CreateCommit(ctx, f.owner, f.repo, github.Commit{
		Message: &message, Tree: &github.Tree{SHA: &tree}, Parents: []*github.Commit{{SHA: &on}},
	}, nil)
	if err != nil {
		return "", err
	}
	trim := func(s string) string { return strings.TrimRight(s, "\n") }
	if !isID(c.GetSHA()) || c.GetTree().GetSHA() != tree || len(c.Parents) != 1 || c.Parents[0].GetSHA() != on || trim(c.GetMessage()) != trim(message) {
		return "", odd("another commit than was meant")
	}
	return gitstore.Rev(c.GetSHA()), nil
}

// where is the repository, for people.
func (f *Forge) where() string { return f.origin + "/repos/" + f.owner + "/" + f.repo }

func refuse(what, fix string) *gitstore.Error {
	return &gitstore.Error{Kind: gitstore.Unsupported, What: what, Fix: fix}
}

// gitError is a forge's failure as one of Git's.
func (f *Forge) gitError(err error) error {
	e, ok := errors.AsType[*forge.Error](err)
	if !ok {
		return err
	}
	kinds := map[forge.Kind]gitstore.Kind{
		forge.Unauthorized: gitstore.Unauthorized, forge.Forbidden: gitstore.Denied, forge.Refused: gitstore.Denied,
		forge.NotFound: gitstore.NotFound, forge.Invalid: gitstore.Corrupt,
	}
	kind, ok := kinds[e.Kind]
	if !ok {
		kind = gitstore.Unreachable
	}
	return &gitstore.Error{Kind: kind, Repo: f.where(), What: e.What, Fix: e.Fix, RetryAfter: e.RetryAfter, Err: e.Err}
}

// planted is an edit with what Git knows it by.
type planted struct {
	gitstore.Edit
	mode   string
	blob   gitstore.BlobID
	within bool // its content goes with the tree
}
