package gitlab

import (
	"context"
	"fmt"
	"strings"

	gl "gitlab.com/gitlab-org/api/client-go"

	"github.com/towpath/towpath/forge"
)

// Edit is forge.Forge's. What is a draft by its title stays one, so the title is looked at
// first; what reads as it should is not sent.
func (f *Forge) Edit(ctx context.Context, number int, title, body string) error {
	m, p, err := f.get(ctx, number)
	if err != nil {
		return err
	}
	o := &gl.UpdateMergeRequestOptions{}
	if want := writeTitle(title, m.Draft); title != p.Title && want != m.Title {
		o.Title = &want
	}
	if want := writeBody(body); readBody(want) != p.Body {
		o.Description = &want
	}
	if o.Title == nil && o.Description == nil {
		return nil
	}
	_, err = f.update(ctx, number, "edit", o)
	return err
}

// Comment is forge.Forge's.
func (f *Forge) Comment(ctx context.Context, number int, key, text string) error {
	mark, said := "<!-- towpath:said "+key+" -->", false
	doing := fmt.Sprintf("comment on merge request !%d", number)
	err := pages(f, doing, func(at gl.ListOptions) ([]*gl.Note, *gl.Response, error) {
		return f.api.Notes.ListMergeRequestNotes(f.project, int64(number), &gl.ListMergeRequestNotesOptions{ListOptions: at}, gl.WithContext(ctx))
	}, func(n *gl.Note) (more bool, err error) {
		said = said || !n.System && strings.Contains(n.Body, mark)
		return !said, nil
	})
	if err != nil || said {
		return err
	}
	n, resp, err := f.api.Notes.CreateMergeRequestNote(f.project, int64(number),
		&gl.CreateMergeRequestNoteOptions{Body: gl.Ptr(writeBody(text + "\n\n" + mark))}, gl.WithContext(ctx))
	switch {
	case err != nil:
		return f.failed(doing, resp, err)
	case n == nil || n.ID == 0:
		return f.invalid(doing + ": answered without the comment")
	}
	return nil
}

// Close is forge.Forge's.
func (f *Forge) Close(ctx context.Context, number int) error {
	_, p, err := f.get(ctx, number)
	if err != nil || p.State != forge.Open {
		return err
	}
	p, err = f.update(ctx, number, "close", &gl.UpdateMergeRequestOptions{StateEvent: gl.Ptr("close")})
	if err == nil && p.State == forge.Open {
		return &forge.Error{
			Kind: forge.Refused, Forge: f.origin, What: fmt.Sprintf("merge request !%d is still open after it was closed", number), Fix: f.fixRole(),
		}
	}
	return err
}

func (f *Forge) get(ctx context.Context, number int) (*gl.MergeRequest, forge.Proposal, error) {
	m, resp, err := f.api.MergeRequests.GetMergeRequest(f.project, int64(number), nil, gl.WithContext(ctx))
	if err != nil {
		return nil, forge.Proposal{}, f.failed(fmt.Sprintf("read merge request !%d", number), resp, err)
	}
	p, err := f.same(number, m)
	return m, p, err
}

func (f *Forge) update(ctx context.Context, number int, verb string, o *gl.UpdateMergeRequestOptions) (forge.Proposal, error) {
	m, resp, err := f.api.MergeRequests.UpdateMergeRequest(f.project, int64(number), o, gl.WithContext(ctx))
	if err != nil {
		return forge.Proposal{}, f.failed(fmt.Sprintf("%s merge request !%d", verb, number), resp, err)
	}
	return f.same(number, m)
}

// same is the merge request of a number, if that is what the answer is.
func (f *Forge) same(number int, m *gl.MergeRequest) (forge.Proposal, error) {
	if m == nil || m.IID != int64(number) {
		return forge.Proposal{}, f.invalid(fmt.Sprintf("answered without merge request !%d", number))
	}
	p, _, err := f.proposal(&m.BasicMergeRequest)
	return p, err
}
