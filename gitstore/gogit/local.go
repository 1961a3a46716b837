package gogit

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/config"

	"github.com/towpath/towpath/gitstore"
)

// A local is a repository on disk, which native git may use at the same time.
// No hook runs on what is pushed to it.
type local struct {
	repo    string // as people named it
	bare    bool
	head    string // where HEAD is: a work tree of its own has its own
	refs    *refStore
	objects *objects
	limits  Limits
	watch   *watcher
	log     *slog.Logger
}

func openLocal(o Options, path string) (origin, error) {
	dir, head, err := gitDir(path)
	if err != nil {
		return nil, err
	}
	bare, err := checkConfig(path, dir)
	if err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, onDisk(path, err)
	}
	l := &local{repo: path, bare: bare, head: head, refs: &refStore{root: root}, limits: o.Limits, log: o.Logger}
	l.reopen()
	l.watch = watchRefs(dir, l.refs, o)
	return l, nil
}

func (l *local) reopen() {
	if l.objects != nil {
		l.objects.close()
	}
	l.objects = &objects{shelf: openDiskShelf(l.refs.root.Name(), true, l.limits), maxBlob: l.limits.Blob, maxObject: l.limits.Object}
}

func (l *local) redact(text string) string { return text }
func (l *local) changed() <-chan struct{}  { return l.watch.changed }

func (l *local) close() error {
	return errors.Join(l.watch.close(), l.objects.close(), l.refs.root.Close())
}

// gitDir finds the directory that holds objects and refs: the path itself, its
// .git, or where a .git file points; and where in it HEAD is.
func gitDir(path string) (dir, head string, err error) {
	if _, err := os.Stat(path); err != nil {
		return "", "", onDisk(path, err)
	}
	for _, dir := range []string{filepath.Join(path, ".git"), path} {
		if raw, err := os.ReadFile(dir); err == nil {
			target, ok := strings.CutPrefix(strings.TrimSpace(string(raw)), "gitdir: ")
			if !ok {
				continue
			}
			dir = resolve(path, target)
		}
		head := "HEAD"
		if raw, err := os.ReadFile(filepath.Join(dir, "commondir")); err == nil {
			common := resolve(dir, strings.TrimSpace(string(raw)))
			if own, err := filepath.Rel(common, dir); err == nil {
				head = filepath.ToSlash(filepath.Join(own, head))
			}
			dir = common
		}
		if isRepository(dir) {
			return dir, head, nil
		}
	}
	return "", "", &gitstore.Error{Kind: gitstore.NotFound, Repo: path, What: "this directory is not a Git repository",
		Fix: fmt.Sprintf("name another, or make one: git init --bare %q", path)}
}

func resolve(from, path string) string {
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(from, path)
}

func isRepository(dir string) bool {
	_, head := os.Lstat(filepath.Join(dir, "HEAD"))
	objects, err := os.Stat(filepath.Join(dir, "objects"))
	return head == nil && err == nil && objects.IsDir()
}

// checkConfig refuses repositories that would be misread, and tells whether
// this one has no work tree.
func checkConfig(path, dir string) (bare bool, err error) {
	refuse := func(what, fix string) error {
		return &gitstore.Error{Kind: gitstore.Unsupported, Repo: path, What: what, Fix: fix}
	}
	f, err := os.Open(filepath.Join(dir, "config"))
	if errors.Is(err, fs.ErrNotExist) {
		return filepath.Base(dir) != ".git", nil
	}
	if err != nil {
		return false, onDisk(path, err)
	}
	defer f.Close()
	c := config.New()
	if err := config.NewDecoder(f).Decode(c); err != nil {
		return false, refuse("the repository's config cannot be read: "+oneLine(err.Error()), "correct it: git -C "+path+" config --list")
	}
	clone := fmt.Sprintf("make a plain copy: git clone --bare %q %q, and name that", path, filepath.Clean(path)+"-plain.git")
	for _, o := range c.Section("extensions").Options {
		switch name, value := strings.ToLower(o.Key), strings.ToLower(o.Value); {
		case name == "noop", name == "preciousobjects", name == "worktreeconfig":
		case name == "objectformat" && value == "sha1", name == "refstorage" && value == "files":
		case name == "objectformat":
			return false, refuse("the repository uses SHA-256 object ids", "use a repository with SHA-1 ids: git init --bare --object-format=sha1")
		case name == "refstorage":
			return false, refuse("the repository keeps its refs in the "+oneLine(o.Value)+" format", "convert it: git refs migrate --ref-format=files")
		case name == "partialclone":
			return false, refuse("the repository is a partial clone, which lacks objects", clone)
		default:
			return false, refuse("the repository uses the extension "+oneLine(o.Key), clone)
		}
	}
	for _, name := range []string{"alternates", "http-alternates"} {
		if info, err := os.Stat(filepath.Join(dir, "objects", "info", name)); err == nil && info.Size() > 0 {
			return false, refuse("the repository borrows objects from another one", "copy them in: git repack -a -d, then remove objects/info/"+name)
		}
	}
	if bare := c.Section("core").Option("bare"); bare != "" {
		return strings.EqualFold(bare, "true") || bare == "1" || strings.EqualFold(bare, "yes") || strings.EqualFold(bare, "on"), nil
	}
	return filepath.Base(dir) != ".git", nil
}

func (l *local) tip(_ context.Context, ref string) (plumbing.Hash, error) {
	at := ref
	if ref == "HEAD" {
		at = l.head
	}
	_, id, err := l.refs.read(at)
	if err == nil || errors.Is(err, errNoRef) {
		l.watch.told(at, id)
	}
	switch {
	case errors.Is(err, errNoRef):
		return plumbing.ZeroHash, l.noBranch(ref)
	case err != nil:
		return plumbing.ZeroHash, onDisk(l.repo, err)
	}
	return id, nil
}

func (l *local) tips(_ context.Context, prefix string) (map[string]plumbing.Hash, error) {
	tips, err := l.refs.list(prefix)
	return tips, onDisk(l.repo, err)
}

func (l *local) noBranch(name string) error {
	var refs []ref
	if at, _, err := l.refs.read("HEAD"); err == nil {
		refs = append(refs, ref{name: "HEAD", target: at})
	} else if l.refs.any() {
		refs = append(refs, ref{})
	}
	e := missingBranch(name, refs)
	var missing *gitstore.Error
	if !errors.As(e, &missing) {
		return e
	}
	if len(refs) == 0 {
		missing.Fix = fmt.Sprintf("push a first commit: git push %q HEAD:%s", l.repo, shortOf(name))
		return e
	}
	// The checkout of a job has the branches of others only, or not even those.
	if seen, err := l.refs.list(remotes); err == nil && len(seen) > 0 && strings.HasPrefix(name, heads) && !l.bare {
		missing.Fix = fmt.Sprintf("fetch it: git fetch origin %s:%[1]s, or name another with --branch", shortOf(name))
		if at := remotes + "origin/" + shortOf(name); !seen[at].IsZero() {
			missing.Fix = fmt.Sprintf("make it: git branch %s %s, or name another with --branch", shortOf(name), at)
		}
	}
	return e
}

func (l *local) load(_ context.Context, _ string, tip plumbing.Hash) (*objects, error) {
	if l.objects.broken.Load() {
		l.reopen()
	}
	return l.objects, complete(l.objects, tip)
}

func (l *local) deepen(context.Context, *objects, plumbing.Hash, int) error {
	return &gitstore.Error{Kind: gitstore.Unsupported, Repo: l.repo, What: "the repository is shallow: its history is cut off",
		Fix: "fetch the rest: git fetch --unshallow; a job checks out all of it with fetch-depth: 0 (GitHub) or GIT_DEPTH: \"0\" (GitLab)"}
}

func (l *local) push(ctx context.Context, m move, _ *snapshot, made *batch) error {
	if !l.bare {
		return &gitstore.Error{Kind: gitstore.Unsupported, Repo: l.repo,
			What: "the repository has a work tree, which a push would leave behind; towpath writes to bare repositories only",
			Fix:  fmt.Sprintf("git clone --bare %q %q, and name that", l.repo, filepath.Clean(l.repo)+".git")}
	}
	// Objects first: whoever reads the ref must find them.
	if made != nil {
		if err := l.objects.add(made); err != nil {
			return onDisk(l.repo, err)
		}
	}
	err := l.watch.own(m, func() error { return l.refs.update(ctx, m) })
	if errors.Is(err, gitstore.ErrMoved) {
		return err
	}
	return onDisk(l.repo, err)
}

// onDisk explains what the file system says.
func onDisk(repo string, err error) error {
	var locked *lockedError
	var clash *clashError
	var done *gitstore.Error
	e := &gitstore.Error{Repo: repo, Err: err}
	switch {
	case err == nil:
		return nil
	case errors.As(err, &done):
		return done
	case errors.As(err, &locked):
		e.Kind, e.What = gitstore.Locked, "the branch is locked"
		e.Fix = "it is tried again; if no git process runs there, remove " + locked.path
	case errors.As(err, &clash):
		return err // explained where others are
	case errors.Is(err, errSymbolic):
		e.Kind, e.What, e.Fix = gitstore.Unsupported, "the branch is another name of a branch", "delete it: git symbolic-ref --delete"
	case errors.Is(err, errBadRef):
		e.Kind, e.What, e.Fix = gitstore.Corrupt, "the branch's file is damaged", "run git fsck in the repository and point the branch at a commit: git update-ref"
	case errors.Is(err, fs.ErrNotExist):
		e.Kind, e.What = gitstore.NotFound, "there is no such repository"
		e.Fix = fmt.Sprintf("check the path, or make one: git clone --bare URL %q", repo)
	case errors.Is(err, fs.ErrPermission):
		e.Kind, e.What, e.Fix = gitstore.Denied, "the file system denies access", "give the user that towpath runs as access to the repository's files"
	default:
		e.Kind, e.What, e.Fix = gitstore.Unreachable, "the disk fails", "it is tried again; check its space and health"
	}
	return e
}
