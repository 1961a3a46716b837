package reconcile

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/towpath/towpath/imagestream"
)

// A TagView is what a repository says of one tag, for people.
type TagView struct {
	Tag       imagestream.TagRef
	Path      string
	Line      int
	From      string // reference as written; empty for a tag that is only in the status
	Scheduled bool
	State     TagState
	Item      *imagestream.Item // what it is now, if anything is on record
	Source    *imagestream.Source
	Failure   *imagestream.Failure
	Sites     []*Site // that follow it
}

// A TagState says how a tag's record stands to what is wanted.
type TagState string

const (
	OnRecord   TagState = "recorded"  // resolved from what spec says
	Adopted    TagState = "adopted"   // recorded by OpenShift, and taken over as it is
	Waiting    TagState = "waiting"   // to be asked
	Paused     TagState = "paused"    // not asked, by the repository's config
	NotAsked   TagState = "not asked" // spec names no registry for it
	StatusOnly TagState = "no spec"   // spec does not name it
	Malformed  TagState = "malformed" // the stream's status cannot be read
)

// Survey reads the branch as Once does, and asks nobody: the catalog, and a
// report of sites, holds and problems.
func (r *Reconciler) Survey(ctx context.Context) (*Catalog, Report, error) {
	now := time.Now()
	snap, err := r.Store.Snapshot(ctx, r.Branch)
	if err != nil {
		return nil, Report{}, err
	}
	cat, err := Load(ctx, snap, nil, r.Progress)
	if err != nil {
		return nil, Report{}, err
	}
	mem := r.memory(now)
	recorded := Record(cat, nil, now)
	held, err := Holds(ctx, snap, cat, Follow(recorded), mem)
	if err != nil {
		return nil, Report{}, err
	}
	return cat, r.summary(cat, Plan{Recorded: recorded}, held, Writes{}, nil, Outcome{Landed: true}, now), nil
}

// Tags lists every tag of every stream, by name: those of spec, and those that
// are only on record.
func (c *Catalog) Tags() []TagView {
	sites := map[imagestream.TagRef][]*Site{}
	for _, s := range c.Sites {
		sites[s.Follows] = append(sites[s.Follows], s)
	}
	var views []TagView
	for _, s := range c.Streams {
		first := len(views)
		repository, _ := c.repositoryQuestion(s)
		for i := range s.Spec.Tags {
			t := &s.Spec.Tags[i]
			v := TagView{Line: t.Line, From: t.From.Name, State: NotAsked}
			v.Tag = imagestream.TagRef{Stream: s.Name, Tag: t.Name}
			if t.From.Kind == imagestream.DockerImage && !t.Reference {
				q, _ := c.tagQuestion(s, *t)
				v.Scheduled, v.State = s.scheduled(*t, q), s.state(q, s.Status.Tag(t.Name))
			}
			views = append(views, v)
		}
		for i := range s.Status.Tags {
			st := &s.Status.Tags[i]
			if s.specTag(st.Tag) != nil {
				continue
			}
			v := TagView{Line: s.Line, State: StatusOnly, Tag: imagestream.TagRef{Stream: s.Name, Tag: st.Tag}}
			if s.Spec.Repository != "" {
				v.From, v.Scheduled, v.State = s.Spec.Repository, s.Scheduled || s.Settings.Scheduled, s.state(repository, st)
			}
			views = append(views, v)
		}
		for i := range views[first:] {
			v := &views[first+i]
			v.Path, v.Sites = s.Path, sites[v.Tag]
			if st := s.Status.Tag(v.Tag.Tag); st != nil {
				v.Source, v.Failure = st.Source, st.Failure
				if len(st.Items) > 0 {
					v.Item = &st.Items[0]
				}
			}
		}
		slices.SortFunc(views[first:], func(a, b TagView) int { return cmp.Compare(a.Tag.Tag, b.Tag.Tag) })
	}
	return views
}

// state is a tag's state, given the question that would be asked for it.
func (s *Stream) state(q Question, st *imagestream.TagStatus) TagState {
	switch {
	case s.Malformed:
		return Malformed
	case s.Settings.Paused:
		return Paused
	case st == nil || !answers(st, q):
		return Waiting
	case st.Source == nil:
		return Adopted
	}
	return OnRecord
}
