package hooks

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"errors"
	"slices"
	"strings"
)

// forges are all kinds that tell of a Git repository. The kind is what the receiver's
// config says; headers of another forge, which several send too, decide nothing.
func forges() []vendor {
	return []vendor{
		{
			kind: "github", title: "GitHub",
			signed: signedGitHub, shows: byHeaders("X-Hub-Signature-256"), delivery: "X-GitHub-Delivery", form: true,
			read: reads(gitHubEvent, "X-GitHub-Event"), setUp: setUpGitHub,
		},
		{
			kind: "gitlab", title: "GitLab",
			signed: signedGitLab, shows: gitLabShows, delivery: "Idempotency-Key",
			read: reads(gitLabEvent, "X-Gitlab-Event"), setUp: setUpGitLab,
		},
		{
			kind: "gitea", title: "Gitea",
			signed: ofPayload(signedGitea), shows: byHeaders(giteaHeaders...), delivery: "X-Gitea-Delivery", form: true,
			read: reads(gitHubEvent, "X-Forgejo-Event", "X-Gitea-Event"), setUp: setUpGitea("Gitea"),
		},
		{
			kind: "forgejo", title: "Forgejo",
			signed: ofPayload(signedGitea), shows: byHeaders(giteaHeaders...), delivery: "X-Forgejo-Delivery", form: true,
			read: reads(gitHubEvent, "X-Forgejo-Event", "X-Gitea-Event"), setUp: setUpGitea("Forgejo"),
		},
		{
			kind: "gogs", title: "Gogs",
			signed: ofPayload(signedGogs), shows: byHeaders("X-Gogs-Signature"), delivery: "X-Gogs-Delivery", form: true,
			read: reads(gitHubEvent, "X-Gogs-Event"), setUp: setUpGitea("Gogs"),
		},
		{
			kind: "bitbucket", title: "Bitbucket Cloud",
			signed: signedSHA256("X-Hub-Signature"), shows: byHeaders("X-Hub-Signature"), delivery: "X-Request-UUID",
			read: reads(bitbucketEvent, "X-Event-Key"), setUp: setUpBitbucket,
		},
		{
			kind: "bitbucket-data-center", title: "Bitbucket Data Center",
			signed: signedDataCenter, shows: byHeaders("X-Hub-Signature", "Authorization"), delivery: "X-Request-Id",
			read: reads(dataCenterEvent, "X-Event-Key"), setUp: setUpDataCenter,
		},
		{
			kind: "azure-devops", title: "Azure DevOps",
			signed: inHeader, shows: byHeaders("Authorization"),
			read: reads(azureDevOpsEvent), setUp: setUpAzureDevOps,
		},
		{
			kind: "push", title: "any sender that signs by HMAC",
			signed: signedGeneric, shows: byHeaders("X-Signature", standardHeader), delivery: "Webhook-Id",
			read: reads(pushEvent), setUp: setUpPush,
		},
	}
}

// An event is what a forge tells of, as far as anything follows from it.
type event struct {
	refs    []ref // that were pushed
	settled bool  // a proposal was closed, or a check has ended: the state of proposals may be another
}

// A ref is where a branch or tag of the repository stands now.
type ref struct {
	name string // refs/heads/main
	gone bool   // deleted
}

// sighting is what an event comes to: the watched branch may have moved, or there is reason
// to look at proposals. However many branches moved, it is one look.
func (e event) sighting(branch string) Sighting {
	moved := slices.ContainsFunc(e.refs, func(r ref) bool { return !r.gone && r.isBranch(branch) })
	return Sighting{Branch: e.settled || moved}
}

// isBranch compares with the watched branch; with an empty one every branch compares.
func (r ref) isBranch(watched string) bool {
	name, ok := strings.CutPrefix(r.name, "refs/heads/")
	return ok && (watched == "" || name == watched)
}

// isZero reports whether a commit id is the one that stands for none.
func isZero(id string) bool { return id != "" && strings.Trim(id, "0") == "" }

// reads makes a vendor's read of what its payloads say. The kind of an event is that of the
// first header that tells one.
func reads(payload func(kind string, n node) (event, error), headers ...string) func(c call, host string) (Sighting, error) {
	return func(c call, _ string) (Sighting, error) {
		n, err := parse(c.body)
		if err != nil {
			return Sighting{}, err
		}
		if !n.isObject() {
			return Sighting{}, errors.New("the payload is no object")
		}
		kind := ""
		for _, name := range headers {
			kind = cmp.Or(kind, only(c.header, name))
		}
		if kind == "" && len(headers) > 0 {
			return Sighting{}, missing("kind of event in the header " + headers[0])
		}
		e, err := payload(kind, n)
		return e.sighting(c.receiver.Branch), err
	}
}

// pushed is a push in GitHub's words, which Gitea, Gogs and GitLab share.
func pushed(n node) (event, error) {
	name := n.at("ref").text()
	if name == "" {
		return event{}, missing("ref")
	}
	return event{refs: []ref{{name, n.at("deleted").is(true) || isZero(n.at("after").text())}}}, nil
}

// gitHubEvent is also that of Gitea, Forgejo and Gogs, which have fewer of GitHub's words.
func gitHubEvent(kind string, n node) (event, error) {
	action := n.at("action").text()
	switch kind {
	case "push":
		return pushed(n)
	case "pull_request":
		return event{settled: action == "closed"}, nil
	case "check_run", "check_suite":
		return event{settled: action == "completed"}, nil
	case "status":
		return event{settled: ended(n.at("state").text())}, nil
	}
	return event{}, nil
}

// ended reports whether a check will say nothing more, in the words of all forges.
func ended(state string) bool {
	return slices.Contains([]string{"success", "failure", "failed", "error", "warning", "canceled", "skipped", "SUCCESSFUL", "FAILED", "STOPPED"}, state)
}

// signedGitLab takes the token that GitLab sends as it is, or the signature that it makes with
// a signing token. Which of them is for the secret to say: whoever sends cannot choose the
// weaker one.
func signedGitLab(c call, secret []byte) bool {
	if bytes.HasPrefix(secret, []byte("whsec_")) {
		return signedStandard(c, secret)
	}
	return same(only(c.header, "X-Gitlab-Token"), string(secret))
}

func gitLabShows(secret []byte) []string {
	if bytes.HasPrefix(secret, []byte("whsec_")) {
		return []string{standardHeader}
	}
	return []string{"X-Gitlab-Token"}
}

func gitLabEvent(kind string, n node) (event, error) {
	about := n.at("object_attributes")
	switch kind {
	case "Push Hook":
		return pushed(n)
	case "System Hook": // of a whole installation: the payload says what it is about
		switch {
		case n.at("event_name").text() == "push":
			return pushed(n)
		case n.at("object_kind").text() == "merge_request":
			return gitLabEvent("Merge Request Hook", n)
		}
	case "Merge Request Hook":
		action := about.at("action").text()
		return event{settled: action == "merge" || action == "close"}, nil
	case "Pipeline Hook":
		return event{settled: ended(about.at("status").text())}, nil
	}
	return event{}, nil
}

// ofPayload is for forges that sign the payload before they put it into a form. GitHub signs
// the form. The payload is looked at only to be compared.
func ofPayload(signed func(c call, secret []byte) bool) func(c call, secret []byte) bool {
	return func(c call, secret []byte) bool {
		if isForm, _ := contentType(c.header, true); isForm {
			payload, ok := formPayload(c.body)
			if !ok {
				return false
			}
			c.body = payload
		}
		return signed(c, secret)
	}
}

// signedGogs wants the signature by SHA-256 that Gogs sends.
func signedGogs(c call, secret []byte) bool {
	return signedHex(c, "X-Gogs-Signature", "", sha256.New, secret)
}

// bitbucketEvent reads a list of changes, each with what is new: null where it was deleted.
func bitbucketEvent(kind string, n node) (event, error) {
	switch kind {
	case "repo:push":
		if !n.at("push", "changes").isList() {
			return event{}, missing("push.changes")
		}
		var e event
		for _, change := range n.at("push", "changes").list() {
			if now := change.at("new"); now.at("type").text() == "branch" {
				e.refs = append(e.refs, ref{name: "refs/heads/" + now.at("name").text()})
			}
		}
		return e, nil
	case "pullrequest:fulfilled", "pullrequest:rejected":
		return event{settled: true}, nil
	case "repo:commit_status_created", "repo:commit_status_updated":
		return event{settled: ended(n.at("commit_status", "state").text())}, nil
	}
	return event{}, nil
}

// signedDataCenter wants the signature, or where there is none the password of basic
// authentication, which older ones can do alone.
func signedDataCenter(c call, secret []byte) bool {
	if len(c.header.Values("X-Hub-Signature")) == 0 {
		return inHeader(c, secret)
	}
	return signedHex(c, "X-Hub-Signature", "sha256=", sha256.New, secret)
}

// dataCenterEvent never looks at the repository, which not every payload has.
func dataCenterEvent(kind string, n node) (event, error) {
	switch kind {
	case "repo:refs_changed":
		if !n.at("changes").isList() {
			return event{}, missing("changes")
		}
		var e event
		for _, change := range n.at("changes").list() {
			e.refs = append(e.refs, ref{change.at("ref", "id").text(), change.at("type").text() == "DELETE"})
		}
		return e, nil
	case "pr:merged", "pr:declined", "pr:deleted":
		return event{settled: true}, nil
	}
	return event{}, nil // diagnostics:ping among them
}

// azureDevOpsEvent is told what it is about by the payload: there is no header.
func azureDevOpsEvent(_ string, n node) (event, error) {
	about := n.at("resource")
	switch n.at("eventType").text() {
	case "":
		return event{}, missing("eventType")
	case "git.push":
		if !about.at("refUpdates").isList() {
			return event{}, missing("resource.refUpdates")
		}
		var e event
		for _, update := range about.at("refUpdates").list() {
			e.refs = append(e.refs, ref{update.at("name").text(), isZero(update.at("newObjectId").text())})
		}
		return e, nil
	case "git.pullrequest.merged", "git.pullrequest.updated":
		status := about.at("status").text()
		return event{settled: status == "completed" || status == "abandoned"}, nil
	case "build.complete":
		return event{settled: true}, nil
	}
	return event{}, nil
}

// pushEvent reads {"ref": "refs/heads/main"}.
func pushEvent(_ string, n node) (event, error) { return pushed(n) }
