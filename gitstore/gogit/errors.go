package gogit

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/towpath/towpath/gitstore"
)

// errPlain keeps a credential off the open wire.
var errPlain = errors.New("the repository's URL is plain http, which would show the credential to everybody on the way")

// A verdict is what a failure means for people.
type verdict struct {
	kind       gitstore.Kind
	what, fix  string
	retryAfter time.Duration
}

// explain says whose move it is after a failure. Errors that are explained
// already, and ErrMoved, stay as they are.
func explain(repo string, redact func(string) string, err error) error {
	var done *gitstore.Error
	switch {
	case err == nil:
		return nil
	case errors.Is(err, gitstore.ErrMoved):
		return gitstore.ErrMoved
	}
	if errors.As(err, &done) {
		if done.Repo == "" {
			done.Repo = repo
		}
		return done
	}
	v := judge(err)
	return &gitstore.Error{
		Kind: v.kind, Repo: repo, What: v.what, Fix: v.fix, RetryAfter: v.retryAfter,
		Err: &cause{oneLine(redact(err.Error())), err},
	}
}

// A cause is an error whose text was redacted. It unwraps only to what holds
// no text of a server's.
type cause struct {
	text string
	err  error
}

func (c *cause) Error() string { return c.text }

func (c *cause) Is(target error) bool { return errors.Is(c.err, target) }

func judge(err error) verdict {
	var (
		status   *httpError
		redirect *redirectError
		file     *fileError
		refused  *refusal
		other    *notGitError
		bad      *badEdit
		clash    *clashError
	)
	switch {
	case errors.Is(err, errGarbled), errors.Is(err, errPack):
		return verdict{kind: gitstore.Corrupt, what: "the server sent something broken", fix: "it is asked again; if this lasts, run git fsck on the server"}
	case errors.As(err, &status):
		return judgeStatus(status)
	case errors.As(err, &redirect):
		return verdict{kind: gitstore.Unsupported, what: "the server redirects to another address, where the credential must not follow",
			fix: "if the repository moved, set the repository URL to " + redirect.to}
	case errors.As(err, &file):
		return verdict{kind: gitstore.Unauthorized, what: "a credential cannot be read", fix: "check that the file is mounted, readable and not empty"}
	case errors.Is(err, errPlain):
		return verdict{kind: gitstore.Unauthorized, what: "the credential was not sent", fix: "use the https URL"}
	case errors.As(err, &refused):
		return judgeRefusal(refused)
	case errors.As(err, &clash):
		return verdict{kind: gitstore.Unsupported, what: "a branch is in the way of another", fix: fmt.Sprintf("delete or rename the branch %.80q, or write another branch-prefix in .towpath.yaml", shortOf(clash.with))}
	case errors.As(err, &bad), errors.Is(err, errPerson):
		return verdict{kind: gitstore.Unsupported, what: "the commit cannot be made", fix: "leave this file to people, or make room for it in the tree"}
	case errors.As(err, &other), errors.Is(err, errProtocol):
		return verdict{kind: gitstore.NotFound, what: "no Git repository answers there", fix: "check the repository URL; it is the one that git clone takes, over smart HTTP or ssh"}
	case errors.Is(err, errSHA256):
		return verdict{kind: gitstore.Unsupported, what: "the repository uses SHA-256 object ids", fix: "use a repository with SHA-1 ids: git init --object-format=sha1"}
	case errors.Is(err, errTLS):
		return verdict{kind: gitstore.TLS, what: "the server's certificate is not trusted, or its TLS is too old", fix: "correct the certificate, or name the file of the authority that signed it as the CA file"}
	}
	return judgeRest(err)
}

func judgeRest(err error) verdict {
	var said *serverError
	var hangUp *hangUpError
	var token *tokenError
	var network net.Error
	switch {
	case errors.As(err, &token) && (errors.As(err, &network) || errors.Is(err, context.Canceled)):
		return verdict{kind: gitstore.Unreachable, what: "a new token cannot be had now", fix: "it is tried again; check the network and the address of the forge's API"}
	case errors.As(err, &token):
		return verdict{kind: gitstore.Unauthorized, what: "there is no token for the repository", fix: "check what gives the token: the forge's app, or the environment variable"}
	case errors.As(err, &hangUp) && hangUp.service == receivePak:
		return verdict{kind: gitstore.Denied, what: "the server does not let the ssh key write", fix: "give the key write access to the repository"}
	case errors.As(err, &hangUp):
		return verdict{kind: gitstore.NotFound, what: "there is no such repository, or the ssh key may not read it", fix: "check the repository's path and the deploy keys"}
	case errors.Is(err, errHostKey):
		return verdict{kind: gitstore.TLS, what: "the server's host key is not trusted", fix: "compare it with what the server's admin says and correct the known_hosts file; ssh-keyscan prints it"}
	case errors.Is(err, errSSHAuth):
		return verdict{kind: gitstore.Unauthorized, what: "the server refuses the ssh key", fix: "add the public key to the repository's deploy keys, with write access"}
	case errors.Is(err, errLimit):
		return verdict{kind: gitstore.Unsupported, what: "the repository is larger than towpath accepts",
			fix: "let the server leave large files out (git config uploadpack.allowFilter true), keep them out of the repository, for instance in Git LFS, or use a repository of its own for the manifests"}
	case errors.Is(err, errBlobLimit):
		return verdict{kind: gitstore.TooLarge, what: "the file is too large to read", fix: "exclude it in .towpath.yaml, or make it smaller"}
	case errors.Is(err, errNoFile):
		return verdict{kind: gitstore.Malformed, what: "the tree calls something a file that is none", fix: "delete the entry in a new commit, or exclude it in .towpath.yaml"}
	case errors.Is(err, errDamaged):
		return verdict{kind: gitstore.Corrupt, what: "the objects on this side are damaged", fix: "those of a remote repository are fetched again by the next pass; a local one needs git fsck"}
	case errors.Is(err, errKind), errors.Is(err, errTree), errors.Is(err, errCommit):
		return verdict{kind: gitstore.Unsupported, what: "the repository holds a malformed object", fix: "find it with git fsck --strict and replace it by a new commit"}
	case errors.As(err, &said):
		return verdict{kind: gitstore.Unreachable, what: "the server gave up", fix: "it is tried again; if this lasts, look into the server's log"}
	case errors.Is(err, plumbing.ErrObjectNotFound):
		return verdict{kind: gitstore.Corrupt, what: "an object is missing", fix: "run git fsck on the repository"}
	case errors.Is(err, context.Canceled):
		return verdict{kind: gitstore.Unreachable, what: "the operation was cancelled", fix: "none is needed: whoever cancelled it goes on"}
	}
	return verdict{kind: gitstore.Unreachable, what: "the server cannot be reached", fix: "it is tried again; check the network, the address and the server"}
}

func judgeStatus(e *httpError) verdict {
	v := verdict{retryAfter: e.retryAfter}
	switch e.status {
	case http.StatusUnauthorized:
		v.kind, v.what, v.fix = gitstore.Unauthorized, "the server wants a valid credential", "check the token or password file, and that the token has not expired"
	case http.StatusForbidden:
		v.kind, v.what, v.fix = gitstore.Denied, "the server denies access", "give the credential's owner write access to the repository, and a token the right to push: at GitHub Contents: read and write (a classic token: repo), at GitLab the role Developer and the scope write_repository, at Gitea or Forgejo the scope write:repository"
	case http.StatusNotFound, http.StatusGone:
		v.kind, v.what, v.fix = gitstore.NotFound, "there is no such repository", "check the repository URL; some servers say the same if the credential may not read it"
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther:
		v.kind, v.what, v.fix = gitstore.NotFound, "the server redirects a request that it should answer", "set the repository URL to the one that the server names for git clone"
	default:
		v.kind, v.what, v.fix = gitstore.Unreachable, fmt.Sprintf("the server answers %d %s", e.status, http.StatusText(e.status)), "it is tried again; if this lasts, look into the server's log"
	}
	return v
}

func judgeRefusal(e *refusal) verdict {
	if e.locked() {
		return verdict{kind: gitstore.Locked, what: "the branch is locked on the server",
			fix: "it is tried again; if this lasts, the repository's admin has a stale .lock file to remove"}
	}
	if strings.Contains(e.why, "missing necessary objects") {
		return verdict{kind: gitstore.Unreachable, what: "the server does not find what the branch is to point to",
			fix: "it is tried again; if this lasts, the repository's admin runs git fsck on the server"}
	}
	branch := shortOf(e.to.ref)
	switch {
	case e.to.new.IsZero():
		return verdict{kind: gitstore.Denied, what: fmt.Sprintf("the server refuses to delete the branch %q", branch),
			fix: "delete it by hand, or let towpath's user delete its own branches; where git itself says no: git config receive.denyDeletes false, in the server's repository"}
	case e.to.ours && e.to.old.IsZero():
		return verdict{kind: gitstore.Denied, what: fmt.Sprintf("the server refuses the new branch %q", branch),
			fix: "allow towpath's user to make branches of that name, or choose another branch-prefix in .towpath.yaml"}
	case e.to.ours:
		return verdict{kind: gitstore.Denied, what: fmt.Sprintf("the server refuses to replace the branch %q", branch),
			fix: "allow towpath's user to force-push to its own branches: take them out of the branch protection; where git itself says no: git config receive.denyNonFastForwards false, in the server's repository"}
	}
	return verdict{kind: gitstore.Denied, what: "the server refuses the push",
		fix: "let people review what it wants: below defaults: in .towpath.yaml write status: proposal and triggers: proposal; or allow towpath's user to push to the branch"}
}
