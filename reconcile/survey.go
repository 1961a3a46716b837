package reconcile

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/towpath/towpath/gitstore"
	"github.com/towpath/towpath/imagestream"
	"github.com/towpath/towpath/policy"
	"github.com/towpath/towpath/yamledit"
)

// A TagView is what a repository says of one tag, for people.
type TagView struct {
	Tag       imagestream.TagRef
	Stream    *Stream
	Spec      *imagestream.Tag // nil: spec does not name it, or what it says has a problem
	Path      string
	Line      int
	From      string             // reference as written; empty for a tag that is only in the status
	Alias     imagestream.TagRef // the tag that it is or, without a Tag, the stream whose image it is
	Policy    *policy.Policy     // that chooses in the repository From; nil: From is the image
	Scheduled bool
	Interval  time.Duration // between two imports, where it is scheduled
	Settle    time.Duration // how long an image must stand before it is recorded
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
	Waiting    TagState = "waiting"   // to be asked or, where it is what another tag is, to be recorded
	Paused     TagState = "paused"    // not asked, by the repository's config
	NotAsked   TagState = "not asked" // spec names no registry for it
	StatusOnly TagState = "no spec"   // spec does not name it
	FromPush   TagState = "pushed"    // it is what was pushed last; nobody is asked
	Unusable   TagState = "unusable"  // what spec says of it has a problem
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
	if _, err := r.glance(ctx, cat, now); err != nil {
		return nil, Report{}, err
	}
	if r.Forge == nil { // nothing else says what its branches hold
		if _, _, err := r.resolved(ctx, cat, now); err != nil {
			return nil, Report{}, err
		}
	}
	r.memory(now)
	recorded := Record(cat, nil, now)
	wanted := Follow(recorded)
	if _, err := r.declines(ctx, recorded, wanted, now); err != nil {
		return nil, Report{}, err
	}
	recorded.noes = r.noes()
	held, err := r.held(ctx, recorded, wanted, now)
	if err != nil {
		return nil, Report{}, err
	}
	_, later := Guard(held.Without(wanted), now)
	rep := r.summary(cat, Plan{Recorded: recorded}, held, later, Writes{}, nil, Outcome{Landed: true}, now)
	if r.desk != nil {
		rep.Proposals, rep.ForgeErr = r.desk.lies(cat, recorded.declines), r.desk.err
		waiting, err := r.inLine(ctx, recorded, held, wanted, now)
		if err != nil {
			return nil, Report{}, err
		}
		rep.Proposals = append(rep.Proposals, waiting...)
	}
	return cat, rep, nil
}

// inLine are the proposals that wait for others, of what follows the record as it stands: a rehearsal, of which
// nothing else is told.
func (r *Reconciler) inLine(ctx context.Context, recorded *Recorded, held Held, wanted []SiteChange, now time.Time) (waiting []Reviewed, err error) {
	defer func(was bool) { r.Dry = was }(r.Dry)
	r.Dry = true
	cat := recorded.cat
	moves, later := r.moves(recorded, held, wanted, now)
	plan := Plan{Recorded: recorded, Sites: moves, Author: r.Author, When: now}
	texts, err := Texts(ctx, cat.snap, plan.Paths())
	if err != nil {
		return nil, err
	}
	proposals := plan.Writes(texts).Proposals
	r.named(proposals)
	v := review{Reconciler: r, desk: r.desk, cat: cat, snap: cat.snap, now: now, stays: map[string]moveSet{}}
	v.propose(ctx, proposals, r.unclear(recorded, later, proposals))
	for _, p := range v.said {
		if p.State == InLine && !p.Due && p.Number == 0 {
			waiting = append(waiting, p)
		}
	}
	return waiting, nil
}

// A Since says which commit gave a site what it holds.
type Since struct {
	Site  *Site
	By    gitstore.Rev // empty where the history is too long, or cut off, to tell
	About gitstore.About
}

// Since looks up, for sites of the catalog that Survey returned, which commit gave each what
// it holds, in the order of sites. It reads the log until all are found.
func (r *Reconciler) Since(ctx context.Context, c *Catalog, sites []*Site) ([]Since, error) {
	found := make([]Since, len(sites))
	open := make([]int, len(sites))
	now := make([]*Site, len(sites)) // as the commit that was reached has them
	most, seen, last := 0, 0, c.snap
	for i, s := range sites {
		found[i].Site, open[i], now[i] = s, i, s
		most = max(most, s.Settings.HoldDepth)
	}
	err := c.history(ctx).back(c.snap, most, func(st *step) (bool, error) {
		still := open[:0]
		for _, i := range open {
			before, err := st.siteBefore(now[i])
			if err != nil {
				return false, err
			}
			if before != nil && before.Current() == now[i].Current() {
				now[i] = before
				still = append(still, i)
				continue
			}
			found[i].By, found[i].About = st.at.Rev(), st.at.About()
		}
		open, last = still, st.parent
		if seen++; r.Progress != nil {
			r.Progress("reading the log", seen, most)
		}
		return len(open) == 0, nil
	})
	if errors.Is(err, errCut) {
		return found, nil
	}
	for _, i := range open { // the root commit has them already
		found[i].By, found[i].About = last.Rev(), last.About()
	}
	return found, err
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
		for i := range s.Spec.Tags {
			views = append(views, c.specView(s, &s.Spec.Tags[i]))
		}
		views = append(views, c.statusViews(s)...)
		for i := range views[first:] {
			v := &views[first+i]
			v.Stream, v.Path, v.Sites = s, s.Path, sites[v.Tag]
			if st := s.record(v.Tag.Tag); st != nil {
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

// specView is a tag that spec names.
func (c *Catalog) specView(s *Stream, t *imagestream.Tag) TagView {
	v := TagView{Tag: imagestream.TagRef{Stream: s.Name, Tag: t.Name}, Spec: t, Line: t.Line, From: t.From.Name}
	st := s.record(t.Name)
	switch {
	case t.From.Kind == imagestream.DockerImage && !t.Reference:
		q, _ := c.tagQuestion(s, *t)
		v.Scheduled, v.State, v.Policy, v.Settle = s.scheduled(*t, q), s.state(q, st), q.Policy, q.Settle
		v.Interval = (&want{tag: t}).interval(s)
	case t.From.Kind == "" && st != nil && c.pushed(s, st):
		v.State = FromPush
	case t.From.Kind == "":
		v.State = NotAsked
	default:
		v.State = s.copied(t, st)
		if a, ok := aliasOf(s, t); ok && !t.Reference {
			v.Alias = a.source
		}
	}
	return v
}

// statusViews are the tags that are not in spec, or not so that they can be used.
func (c *Catalog) statusViews(s *Stream) []TagView {
	repository, _ := c.repositoryQuestion(s)
	var views []TagView
	for _, name := range s.Spec.Broken {
		views = append(views, TagView{Tag: imagestream.TagRef{Stream: s.Name, Tag: name}, Line: s.Line, State: Unusable})
	}
	for i := range s.Status.Tags {
		st := &s.Status.Tags[i]
		if s.specTag(st.Tag) != nil || slices.Contains(s.Spec.Broken, st.Tag) {
			continue
		}
		v := TagView{Line: s.Line, State: StatusOnly, Tag: imagestream.TagRef{Stream: s.Name, Tag: st.Tag}}
		if s.Spec.Repository != "" {
			v.From, v.Scheduled, v.State = s.Spec.Repository, s.Scheduled || s.Settings.Scheduled, s.state(repository, st)
			v.Interval, v.Settle = (&want{}).interval(s), repository.Settle
		} else if c.pushed(s, st) {
			v.State = FromPush
		}
		views = append(views, v)
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

// copied is the state of a tag that nobody is asked for: a reference, or what
// another tag is.
func (s *Stream) copied(t *imagestream.Tag, st *imagestream.TagStatus) TagState {
	switch {
	case s.Malformed:
		return Malformed
	case s.Settings.Paused:
		return Paused
	case st == nil || len(st.Items) == 0, t.From.Kind == imagestream.DockerImage && st.Items[0].Reference != t.From.Name:
		return Waiting
	}
	return OnRecord
}

// A Description is a stream in full, for people: with all of its history, and
// with what nothing is decided from.
type Description struct {
	imagestream.Document
	Labels, Annotations map[string]string
	Created             time.Time // creationTimestamp; zero where the file says none
	LocalLookup         bool      // spec.lookupPolicy.local
	Public              string    // status.publicDockerImageRepository
}

// History lists what a tag was, newest first.
func (d Description) History(tag string) []imagestream.Item {
	if st := d.Status.Tag(tag); st != nil {
		return st.Items
	}
	return nil
}

// Describe reads a stream's file once more: of histories, a catalog keeps only
// the newest item.
func (c *Catalog) Describe(ctx context.Context, s *Stream) (Description, error) {
	src, err := c.snap.Read(ctx, s.Blob)
	if err != nil {
		return Description{}, err
	}
	f, docs, err := reread(src)
	if err != nil {
		return Description{}, fmt.Errorf("%s: %w", s.Path, err)
	}
	d, err := s.among(docs)
	if err != nil {
		return Description{}, fmt.Errorf("%s: %w", s.Path, err)
	}
	return described(f, d), nil
}

// described adds what imagestream does not read. A value of another shape is
// left out: whoever validates says so.
func described(f *yamledit.File, d imagestream.Document) Description {
	var raw struct {
		Metadata struct {
			Labels      map[string]string `yaml:"labels"`
			Annotations map[string]string `yaml:"annotations"`
			Created     string            `yaml:"creationTimestamp"`
		} `yaml:"metadata"`
		Spec struct {
			LookupPolicy struct {
				Local bool `yaml:"local"`
			} `yaml:"lookupPolicy"`
		} `yaml:"spec"`
		Status struct {
			Public string `yaml:"publicDockerImageRepository"`
		} `yaml:"status"`
	}
	if n := nodeAt(f.Docs[d.Doc].Root, d.At); n != nil {
		_ = n.Decode(&raw)
	}
	out := Description{Document: d, Labels: raw.Metadata.Labels, Annotations: raw.Metadata.Annotations, LocalLookup: raw.Spec.LookupPolicy.Local, Public: raw.Status.Public}
	out.Created, _ = time.Parse(time.RFC3339, raw.Metadata.Created)
	return out
}

// nodeAt is the node that a path leads to, nil where there is none.
func nodeAt(n *yamledit.Node, at yamledit.Path) *yamledit.Node {
	for _, step := range at {
		var next *yamledit.Node
		switch step := step.(type) {
		case string:
			for i := 0; i+1 < len(n.Content); i += 2 {
				if n.Content[i].Value == step {
					next = n.Content[i+1]
				}
			}
		case int:
			if step < len(n.Content) {
				next = n.Content[step]
			}
		}
		if next != nil && next.Alias != nil {
			next = next.Alias
		}
		if n = next; n == nil {
			return nil
		}
	}
	return n
}

// A Schedule says when each tag is asked next. It is a value: what the walker
// does later does not change it.
type Schedule struct {
	cat   *Catalog
	whens []when // by stream, then by want
}

// when is small because there are many: times are Unix seconds, 0 is none.
type when struct {
	due, asked int64
	asking     bool
}

// Next is when a tag is asked next or, where Tag.Tag is empty, a stream's
// repository is listed.
type Next struct {
	Tag    imagestream.TagRef
	Due    time.Time // may be past; zero: never by itself
	Asked  time.Time // when its last answer was dealt with; zero: not in this process
	Asking bool      // a question is under way
}

// Schedule is made between two passes: where Passed is called, or where Once has
// returned.
func (r *Reconciler) Schedule() Schedule {
	if r.cat == nil || r.mem == nil {
		return Schedule{}
	}
	s := Schedule{cat: r.cat}
	n := 0
	for _, stream := range r.cat.Streams {
		n += len(stream.wants)
	}
	s.whens = make([]when, 0, n)
	for _, stream := range r.cat.Streams {
		idle := r.cat.Invalid || stream.Settings.Paused || stream.Malformed
		for i := range stream.wants {
			s.whens = append(s.whens, r.mem.when(stream, &stream.wants[i], idle))
		}
	}
	return s
}

// WritesAfter is when something may be written again; zero: any time. It is called
// where Schedule is.
func (r *Reconciler) WritesAfter() time.Time {
	if r.mem == nil {
		return time.Time{}
	}
	return r.mem.pushAfter
}

func (m *Memory) when(s *Stream, w *want, idle bool) when {
	target := w.target(s)
	var out when
	if st := m.state(target); st != nil {
		out.asked, out.asking = seconds(st.asked), st.asking != ""
	}
	if at, ever := m.due(target, w, s); ever && !idle {
		out.due = seconds(at)
	}
	return out
}

// Of lists the tags of the streams that are named; of all without any.
func (s Schedule) Of(names ...imagestream.Name) iter.Seq[Next] {
	return func(yield func(Next) bool) {
		if s.cat == nil {
			return
		}
		rest := s.whens
		for _, stream := range s.cat.Streams {
			mine := rest[:len(stream.wants)]
			rest = rest[len(stream.wants):]
			if len(names) > 0 && !slices.Contains(names, stream.Name) {
				continue
			}
			for i, w := range mine {
				if !yield(Next{stream.wants[i].target(stream), instant(w.due), instant(w.asked), w.asking}) {
					return
				}
			}
		}
	}
}

func seconds(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}

func instant(seconds int64) time.Time {
	if seconds == 0 {
		return time.Time{}
	}
	return time.Unix(seconds, 0).UTC()
}
