package github

import (
	"context"

	"github.com/towpath/towpath/forge"
)

const enableAutoMerge = `mutation($input: EnablePullRequestAutoMergeInput!) {
  enablePullRequestAutoMerge(input: $input) { pullRequest { number } }
}`

// A graphError is what GraphQL refuses, with the status of a success.
type graphError struct{ kind, said string }

func (e *graphError) Error() string { return e.said }

func (e *graphError) says(words ...string) bool { return contains(e.said, words...) }

// graph runs a mutation.
func (f *Forge) graph(ctx context.Context, query string, variables map[string]any) error {
	req, err := f.api.NewRequest(ctx, "POST", f.graphQL, map[string]any{"query": query, "variables": variables})
	if err != nil {
		return err
	}
	var answer struct {
		Data   map[string]any `json:"data"`
		Errors []struct {
			Type    string `json:"type"`
			Message string `json:"message"`
		} `json:"errors"`
	}
	if _, err := f.api.Do(req, &answer); err != nil {
		return err
	}
	if len(answer.Errors) > 0 {
		e := &graphError{kind: answer.Errors[0].Type}
		for i, one := range answer.Errors {
			if i > 0 {
				e.said += "; "
			}
			e.said += one.Message
		}
		return e
	}
	for _, done := range answer.Data {
		if done != nil {
			return nil
		}
	}
	return odd("an answer without data or errors")
}

// error says whose move it is.
func (e *graphError) error(f *Forge) error {
	out := &forge.Error{Kind: forge.Refused, Forge: f.origin,
		What: "could not leave the merge to GitHub: " + forPeople(e.said),
		Fix:  fixRules}
	switch {
	case e.kind == "RATE_LIMITED" || e.says("rate limit"):
		out.Kind, out.RetryAfter, out.Fix = forge.RateLimited, hurriedWait, fixHurry
	case e.kind == "FORBIDDEN", e.says("resource not accessible"), e.kind == "INSUFFICIENT_SCOPES":
		out.Kind, out.Fix = forge.Forbidden, merging.allow()
	case e.kind == "NOT_FOUND":
		out.Kind, out.Fix = forge.NotFound, "check that the token may see the repository's pull requests"
	case e.says("auto merge is not allowed"):
		out.Fix = `turn on "Allow auto-merge" in the repository's settings, or write merge: when-green in .towpath.yaml`
	case e.says("protected branch rules not configured"), e.says("unstable status"):
		out.Fix = "require the checks in a rule for the base branch, so that there is something to wait for, or write merge: when-green in .towpath.yaml"
	case e.says("draft"):
		out.Fix = "mark the pull request as ready for review, or leave draft out of .towpath.yaml"
	}
	return out
}
