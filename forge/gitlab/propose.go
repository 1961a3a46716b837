package gitlab

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	gl "gitlab.com/gitlab-org/api/client-go"

	"github.com/towpath/towpath/forge"
)

// Propose is forge.Forge's. GitLab makes labels that are missing, where the token may, and leaves
// out without a word who may not see the project, or is one too many for its plan: its answer is compared
// with what was wanted.
func (f *Forge) Propose(ctx context.Context, d forge.Draft) (forge.Proposal, error) {
	var left leftOut
	labels := gl.LabelOptions(left.labels(d.Labels))
	reviewers, err := f.people(ctx, d.Reviewers, "reviewer", &left)
	if err != nil {
		return forge.Proposal{}, err
	}
	assignees, err := f.people(ctx, d.Assignees, "assignee", &left)
	if err != nil {
		return forge.Proposal{}, err
	}
	o := &gl.CreateMergeRequestOptions{
		Title: gl.Ptr(writeTitle(d.Title, d.Draft)), Description: gl.Ptr(writeBody(d.Body)), SourceBranch: &d.Branch, TargetBranch: &d.Base,
		RemoveSourceBranch: gl.Ptr(false), // whoever made the branch deletes it
	}
	if len(labels) > 0 {
		o.Labels = &labels
	}
	if len(reviewers) > 0 {
		o.ReviewerIDs = &reviewers
	}
	if len(assignees) > 0 {
		o.AssigneeIDs = &assignees
	}
	m, resp, err := f.api.MergeRequests.CreateMergeRequest(f.project, o, gl.WithContext(ctx))
	if err != nil {
		failed := f.failed("open a merge request of "+d.Branch, resp, err)
		if resp != nil && resp.Response != nil && resp.StatusCode == http.StatusConflict {
			return f.adopt(ctx, d, failed)
		}
		return forge.Proposal{}, failed
	}
	if m == nil {
		return forge.Proposal{}, f.invalid("answered without a merge request")
	}
	p, _, err := f.proposal(&m.BasicMergeRequest)
	if err != nil {
		return forge.Proposal{}, err
	}
	if f.listed[d.Base] != nil {
		f.listed[d.Base][p.Number] = true
	}
	left.compare("label", labels, m.Labels)
	left.compare("reviewer", f.names(reviewers), namesOf(m.Reviewers))
	left.compare("assignee", f.names(assignees), namesOf(m.Assignees))
	return p, left.err(f, p)
}

// adopt is what is open already for a branch and base. Where nothing is, GitLab's word stands.
func (f *Forge) adopt(ctx context.Context, d forge.Draft, failed error) (forge.Proposal, error) {
	var found forge.Proposal
	err := f.ofBranch(ctx, d.Base, d.Branch, "opened", func(_ *gl.BasicMergeRequest, p forge.Proposal) (more bool, err error) {
		found = p
		return false, nil
	})
	switch {
	case err != nil:
		return forge.Proposal{}, err
	case found.Number == 0:
		return forge.Proposal{}, failed
	}
	if f.listed[d.Base] != nil {
		f.listed[d.Base][found.Number] = true
	}
	return found, nil
}

// people are the ids of users. Who is none is left out; so is everybody where users cannot be
// looked up with this token.
func (f *Forge) people(ctx context.Context, names []string, as string, left *leftOut) (ids []int64, err error) {
	for _, name := range names {
		name = strings.TrimPrefix(name, "@")
		id, err := f.user(ctx, name)
		if e, ok := err.(*forge.Error); err != nil && !(ok && (e.Kind == forge.Forbidden || e.Kind == forge.NotFound)) {
			return nil, err
		}
		if id == 0 {
			left.add(as, name)
		} else if !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

// user is 0 for who is none, as a group is: merge requests are reviewed by users.
func (f *Forge) user(ctx context.Context, name string) (int64, error) {
	if id := f.users[strings.ToLower(name)]; id != 0 || name == "" || strings.Contains(name, "/") {
		return id, nil
	}
	found, resp, err := f.api.Users.ListUsers(&gl.ListUsersOptions{Username: &name}, gl.WithContext(ctx))
	if err != nil {
		return 0, f.failed("look up user "+name, resp, err)
	}
	for _, u := range found {
		if u != nil && u.ID > 0 && strings.EqualFold(u.Username, name) {
			f.users[strings.ToLower(name)] = u.ID
			return u.ID, nil
		}
	}
	return 0, nil
}

// names are those of users that were looked up.
func (f *Forge) names(ids []int64) (names []string) {
	for _, id := range ids {
		for name, is := range f.users {
			if is == id {
				names = append(names, name)
				break
			}
		}
	}
	return names
}

func namesOf(users []*gl.BasicUser) (names []string) {
	for _, u := range users {
		if u != nil {
			names = append(names, u.Username)
		}
	}
	return names
}

// leftOut is what a merge request was not given.
type leftOut []string

func (l *leftOut) add(what, name string) { *l = append(*l, fmt.Sprintf("%s %q", what, name)) }

// labels are those that can be asked for: a comma is between two.
func (l *leftOut) labels(names []string) (can []string) {
	for _, name := range names {
		if strings.Contains(name, ",") {
			l.add("label", name)
		} else {
			can = append(can, name)
		}
	}
	return can
}

func (l *leftOut) compare(what string, wanted, got []string) {
	for _, name := range wanted {
		if !slices.ContainsFunc(got, func(g string) bool { return strings.EqualFold(g, name) }) {
			l.add(what, name)
		}
	}
}

func (l leftOut) err(f *Forge, p forge.Proposal) error {
	if len(l) == 0 {
		return nil
	}
	return &forge.Error{
		Kind: forge.Partly, Forge: f.origin, What: fmt.Sprintf("merge request !%d is open, but without %s", p.Number, strings.Join(l, ", ")),
		Fix: "the author's: name labels without a comma, and users (no groups) who are members of " + f.project +
			", only one where GitLab's plan allows no more; or take them out of .towpath.yaml",
	}
}
