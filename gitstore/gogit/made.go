package gogit

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/towpath/towpath/gitstore"
)

// A work is a chain of commits that is ready to be pushed.
type work struct {
	tip  plumbing.Hash // what the chain was built on, where it would change nothing
	made *batch        // what the server lacks
	// forged are the commits that the forge made, oldest first. They are as they were asked
	// for only once check has said so.
	forged []forged
	want   func(plumbing.Hash) ([]entry, error) // reads the trees that were meant
	bare   bool                                 // the forge signed not all of them, as check has seen
}

// A forged commit is one that the forge made.
type forged struct {
	id, parent plumbing.Hash
	tree       plumbing.Hash // that was meant
}

// build makes a chain on top of a snapshot, here or at the forge. Nothing is sent, and
// the forge asked for nothing, unless all of it can be made.
func (s *Store) build(ctx context.Context, from *snapshot, chain []gitstore.Commit) (*work, error) {
	b := &builder{
		below: from.objects, made: map[plumbing.Hash]newObject{},
		signOff: s.opts.SignOff, seal: s.opts.Signing.seal(time.Now),
	}
	tip, err := b.chain(from.commit, chain)
	if err != nil {
		return nil, err
	}
	if s.opts.Commits == nil || tip == from.commit.id {
		return &work{tip: tip, made: b.batch()}, nil
	}
	w := &work{tip: from.commit.id, made: &batch{}, want: b.tree}
	for _, m := range b.commits {
		next, err := s.forge(ctx, w.tip, m.commit)
		if err != nil {
			return nil, err
		}
		w.forged = append(w.forged, forged{id: next, parent: w.tip, tree: m.tree})
		w.tip = next
	}
	return w, nil
}

// forge has one commit made.
func (s *Store) forge(ctx context.Context, parent plumbing.Hash, c gitstore.Commit) (plumbing.Hash, error) {
	c.Edits = lastOfEach(c.Edits)
	rev, err := s.opts.Commits.Commit(ctx, gitstore.Rev(parent.String()), c)
	var done *gitstore.Error
	switch {
	case err == nil && (!plumbing.IsHash(string(rev)) || plumbing.NewHash(string(rev)) == parent):
		return plumbing.ZeroHash, s.failed(gitstore.Corrupt, fmt.Sprintf("the forge made a commit and calls it %.80q, which is no new commit's id", rev),
			"it is tried again; if this lasts, write git.commits: git", nil)
	case err == nil:
		return plumbing.NewHash(string(rev)), nil
	case errors.As(err, &done), ctx.Err() != nil:
		return plumbing.ZeroHash, err
	}
	return plumbing.ZeroHash, s.failed(gitstore.Unreachable, "the forge did not make the commit",
		"it is tried again; if this lasts, let the token make commits, or write git.commits: git", &cause{oneLine(s.origin.redact(err.Error())), err})
}

// check looks at what the forge made, now that it is the branch's tip: what is not what
// was meant must not stay. back is where the branch was; zero if it was not there.
func (s *Store) check(ctx context.Context, ref string, back plumbing.Hash, tip *snapshot, w *work) error {
	if len(w.forged) == 0 {
		return nil
	}
	ctx = context.WithoutCancel(ctx)
	wrong := s.otherwise(ctx, tip, w)
	var other *otherCommit
	switch {
	case wrong == nil:
		if w.bare { // they are there, and what was asked for but for that
			s.unsigned.Do(func() {
				s.log.Warn("the forge makes the commits and does not sign them; GitHub signs those of an App alone: name one under forge.app, or write git.commits: git, with git.signing")
			})
		}
		return nil
	case !errors.As(wrong, &other):
		return fmt.Errorf("the push landed, but what the forge made cannot be checked: %w", wrong)
	}
	e := &gitstore.Error{
		Kind: gitstore.Corrupt, Repo: s.repo,
		What: "the forge made another commit than it was asked for; the branch is back where it was",
		Fix:  "write git.commits: git, and report what the forge does as a bug of towpath",
		Err:  wrong,
	}
	if err := s.putBack(ctx, ref, tip, back); err != nil {
		e.What = fmt.Sprintf("the forge made another commit than it was asked for, and the branch %s could not be put back", shortOf(ref))
		e.Fix = fmt.Sprintf("revert %s if the branch still holds it, and write git.commits: git", tip.Rev().Short())
		e.Err = fmt.Errorf("%w (and: %v)", wrong, err) // that the branch moved on excuses nothing
	}
	return e
}

// putBack moves the branch from tip to where it was, if it still is at tip.
func (s *Store) putBack(ctx context.Context, ref string, tip *snapshot, back plumbing.Hash) error {
	ctx, cancel := context.WithTimeout(ctx, s.opts.Deadlines.Push)
	defer cancel()
	return s.explain(s.origin.push(ctx, move{ref: ref, old: tip.commit.id, new: back, ours: true}, tip, &batch{}))
}

// An otherCommit is a commit that is not what was asked for.
type otherCommit struct {
	id  plumbing.Hash
	why string
}

func (e *otherCommit) Error() string { return "commit " + e.id.String() + " " + e.why }

// otherwise says in what the commits differ from what was meant.
func (s *Store) otherwise(ctx context.Context, tip *snapshot, w *work) error {
	for _, f := range slices.Backward(w.forged) {
		got, err := tip.objects.commit(f.id)
		if errors.Is(err, plumbing.ErrObjectNotFound) { // the tip alone was fetched
			if err = s.origin.deepen(ctx, tip.objects, tip.commit.id, len(w.forged)+1); err == nil {
				got, err = tip.objects.commit(f.id)
			}
		}
		if err != nil {
			return err
		}
		w.bare = w.bare || !got.signed
		if !slices.Equal(got.parents, []plumbing.Hash{f.parent}) {
			return &otherCommit{f.id, "has other parents than " + f.parent.String()}
		}
		why, err := unlike(w.want, tip.objects.tree, "", f.tree, got.tree)
		if err != nil {
			return err
		}
		if why != "" {
			return &otherCommit{f.id, why}
		}
	}
	return nil
}

// unlike says in what a tree differs from the one that was meant. Where the ids differ it compares
// entry by entry, for a server may spell a mode otherwise than the tree's author did.
func unlike(wanted, made func(plumbing.Hash) ([]entry, error), dir string, want, got plumbing.Hash) (string, error) {
	if want == got {
		return "", nil
	}
	a, err := wanted(want)
	if err != nil {
		return "", err
	}
	b, err := made(got)
	if err != nil {
		return "", err
	}
	a, b = inOrder(a), inOrder(b)
	for i := range max(len(a), len(b)) {
		switch {
		case i >= len(b) || i < len(a) && a[i].key() < b[i].key():
			return "lacks " + shown(dir+a[i].name), nil
		case i >= len(a) || a[i].key() != b[i].key():
			return "adds " + shown(dir+b[i].name), nil
		case spelled(a[i].mode) != spelled(b[i].mode):
			return fmt.Sprintf("gives %s the mode %s instead of %s", shown(dir+a[i].name), b[i].mode, a[i].mode), nil
		case a[i].id == b[i].id:
		case !a[i].isTree():
			return fmt.Sprintf("writes %s into %s instead of %s", b[i].id, shown(dir+a[i].name), a[i].id), nil
		default:
			if why, err := unlike(wanted, made, dir+a[i].name+"/", a[i].id, b[i].id); why != "" || err != nil {
				return why, err
			}
		}
	}
	return "", nil
}

// spelled is a mode as git spells it today.
func spelled(mode string) string {
	if mode = strings.TrimLeft(mode, "0"); mode == modeDeprecated {
		return modeRegular
	}
	return mode
}
