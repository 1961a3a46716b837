package github

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/google/go-github/v89/github"

	"github.com/towpath/towpath/forge"
)

var merging = need{"merge a pull request", "Contents: write and Pull requests: write"}

// Merge merges one by the first method that the repository allows, as one commit if it may
// be.
func (f *Forge) Merge(ctx context.Context, number int, head string) error {
	h, err := f.ask(ctx)
	if err != nil {
		return err
	}
	for i, method := range h.methods {
		err = f.merge(ctx, number, head, method)
		// A rule for the branch may allow fewer methods than the settings say.
		if r, ok := refused(err); !ok || r.StatusCode != http.StatusMethodNotAllowed || !r.says("not allowed on this", "merge method") || i == len(h.methods)-1 {
			break
		}
	}
	if err == nil && len(h.methods) == 0 {
		err = odd("a repository that allows no way to merge")
	}
	return f.merged(ctx, number, head, err)
}

func (f *Forge) merge(ctx context.Context, number int, head, method string) error {
	o := &github.PullRequestOptions{SHA: head, MergeMethod: method}
	result, _, err := f.api.PullRequests.Merge(ctx, f.owner, f.repo, number, "", o)
	if r, ok := refused(err); ok && r.says("base branch was modified") {
		// GitHub says so for a moment after every push to the base, and advises to try again.
		result, _, err = f.api.PullRequests.Merge(ctx, f.owner, f.repo, number, "", o)
	}
	if err == nil && !result.GetMerged() {
		err = odd("a merge that did not happen")
	}
	return err
}

// merged says what a refusal to merge means: somebody may have merged it, or pushed to it,
// meanwhile.
func (f *Forge) merged(ctx context.Context, number int, head string, err error) error {
	r, ok := refused(err)
	if !ok {
		return f.fail(ctx, merging, err)
	}
	if r.StatusCode == http.StatusConflict {
		return forge.ErrMoved
	}
	if p, now := f.get(ctx, number); now == nil {
		switch {
		case p.Head != head:
			return forge.ErrMoved
		case p.State == forge.Merged:
			return nil
		}
	}
	return f.fail(ctx, merging, err)
}

// AutoMerge leaves it to GitHub to merge one when its rules for the base allow that.
func (f *Forge) AutoMerge(ctx context.Context, number int, head string) error {
	pr, err := f.look(ctx, number)
	if err != nil {
		return err
	}
	switch {
	case pr.GetHead().GetSHA() != head:
		return forge.ErrMoved
	case pr.AutoMerge != nil, pr.GetMerged():
		return nil
	case pr.GetNodeID() == "":
		return f.fail(ctx, merging, odd("a pull request without an id for GraphQL"))
	}
	h, err := f.ask(ctx)
	if err != nil {
		return err
	}
	input := map[string]any{"pullRequestId": pr.GetNodeID(), "expectedHeadOid": head}
	if len(h.methods) > 0 {
		input["mergeMethod"] = strings.ToUpper(h.methods[0])
	}
	err = f.graph(ctx, enableAutoMerge, map[string]any{"input": input})
	said, ok := errors.AsType[*graphError](err)
	switch {
	case ok && said.says("clean status"):
		// Nothing is left to wait for; GitHub leaves that to a common merge.
		return f.Merge(ctx, number, head)
	case ok && f.movedFrom(ctx, number, head):
		return forge.ErrMoved
	case ok:
		return said.error(f)
	}
	return f.fail(ctx, merging, err)
}

func (f *Forge) movedFrom(ctx context.Context, number int, head string) bool {
	p, err := f.get(ctx, number)
	return err == nil && p.Head != head
}
