package main

import (
	"slices"
	"time"

	"github.com/towpath/towpath/imagestream"
	"github.com/towpath/towpath/reconcile"
	"github.com/towpath/towpath/web"
)

// The shape of status -o json; see json.go for the promise.

type statusJSON struct {
	Revision   string           `json:"revision"`
	Paused     bool             `json:"paused"` // by .towpath.yaml, or because it is wrong
	Streams    []streamJSON     `json:"streams"`
	Tags       []tagJSON        `json:"tags"`
	Held       []heldJSON       `json:"held"`
	Deferred   []deferredJSON   `json:"deferred"`
	Unresolved []unresolvedJSON `json:"unresolved"`
	Problems   []problemJSON    `json:"problems"`
	Proposals  []web.Proposal   `json:"proposals,omitempty"`
	Forge      string           `json:"forge,omitempty"`    // why it cannot be asked
	ForgeFix   string           `json:"forgeFix,omitempty"` // what to do about it
	Arrivals   []web.Arrival    `json:"arrivals,omitempty"` // pushes that are not on record, says the daemon
	Registry   string           `json:"registry,omitempty"` // why they cannot be read, says the daemon
	Daemon     *daemonJSON      `json:"daemon,omitempty"`   // that was asked
}

type streamJSON struct {
	Stream     string    `json:"stream"`
	Path       string    `json:"path"`
	Line       int       `json:"line"`
	Repository string    `json:"repository,omitempty"` // where its images are, says status
	Imports    string    `json:"imports,omitempty"`    // spec.dockerImageRepository
	Tags       int       `json:"tags"`                 // that are shown
	Waiting    int       `json:"waiting"`
	InReview   int       `json:"inReview,omitempty"` // of those that wait, for their review alone
	Failing    int       `json:"failing"`
	Unusable   int       `json:"unusable"`
	Sites      int       `json:"sites"`
	Updated    time.Time `json:"updated,omitzero"`
	Malformed  bool      `json:"malformed,omitempty"`
	Paused     bool      `json:"paused,omitempty"`
	// Unrecorded is why the daemon could not import its repository.
	Unrecorded *failureJSON `json:"unrecorded,omitempty"`
	Detail     *detailJSON  `json:"detail,omitempty"` // only of streams that are named
}

type detailJSON struct {
	Labels       map[string]string `json:"labels,omitempty"`
	Annotations  map[string]string `json:"annotations,omitempty"`
	Created      time.Time         `json:"created,omitzero"`
	LocalLookup  bool              `json:"localLookup"`
	UniqueImages int               `json:"uniqueImages"`
}

type tagJSON struct {
	Tag        string        `json:"tag"`
	Path       string        `json:"path"`
	Line       int           `json:"line"`
	State      string        `json:"state"`
	Kind       string        `json:"kind,omitempty"` // of from
	From       string        `json:"from,omitempty"`
	Alias      string        `json:"alias,omitempty"`  // the tag that it is, or the stream whose image it is
	Policy     string        `json:"policy,omitempty"` // that chooses in the repository from
	Scheduled  bool          `json:"scheduled"`
	Image      string        `json:"image,omitempty"`
	Reference  string        `json:"reference,omitempty"`
	Created    *time.Time    `json:"created,omitempty"`
	Source     string        `json:"source,omitempty"`
	Failure    *failureJSON  `json:"failure,omitempty"`
	Unrecorded *failureJSON  `json:"unrecorded,omitempty"` // that the daemon met
	Settling   *settlingJSON `json:"settling,omitempty"`   // what the daemon waits for
	Review     *reviewJSON   `json:"review,omitempty"`     // of an image that is not on record yet
	Due        dueJSON       `json:"due"`
	History    []itemJSON    `json:"history,omitempty"` // only of streams that are named
	Sites      []siteJSON    `json:"sites"`
}

// reviewJSON is the proposal that brings a tag its image.
type reviewJSON struct {
	Image  string `json:"image"`
	Branch string `json:"branch"`
	Number int    `json:"number,omitempty"`
	URL    string `json:"url,omitempty"`
	State  string `json:"state"`
}

type failureJSON struct {
	Reason  string    `json:"reason"`
	Message string    `json:"message"`
	Since   time.Time `json:"since"`
}

type settlingJSON struct {
	Tag   string    `json:"tag"`
	From  string    `json:"from"`
	Image string    `json:"image"`
	Until time.Time `json:"until"`
}

type dueJSON struct {
	Rule     string    `json:"rule"`
	Interval string    `json:"interval,omitempty"`
	At       time.Time `json:"at,omitzero"`
	Asked    time.Time `json:"asked,omitzero"`
	Asking   bool      `json:"asking,omitempty"`
}

type itemJSON struct {
	Created   time.Time `json:"created"`
	Reference string    `json:"reference"`
	Image     string    `json:"image,omitempty"`
}

type daemonJSON struct {
	Address     string    `json:"address"`
	At          time.Time `json:"at"`
	Revision    string    `json:"revision"`
	Current     bool      `json:"current"`
	Next        time.Time `json:"next,omitzero"`
	Error       string    `json:"error,omitempty"`
	Waits       string    `json:"waits,omitempty"`
	WritesAfter time.Time `json:"writesAfter,omitzero"`
}

func surveyOf(s *survey) statusJSON {
	out := statusJSON{
		Revision: string(s.rep.Rev), Paused: s.rep.Paused || s.rep.Invalid, Streams: []streamJSON{}, Tags: []tagJSON{},
		Held: heldOf(s.rep.Held), Deferred: deferredOf(s.rep.Deferred), Unresolved: unresolvedOf(s.rep.Unresolved), Problems: problemsOf(s.rep.Problems),
	}
	out.Proposals, out.Forge, out.ForgeFix = s.proposals, s.forgeWords(), s.forgeFix()
	out.Arrivals, out.Registry = s.pushed()
	for _, stream := range s.cat.Streams {
		if n := s.find(stream.Name); n != nil || len(s.named) == 0 {
			out.Streams = append(out.Streams, s.streamOf(stream, n))
		}
	}
	for _, v := range s.tags {
		out.Tags = append(out.Tags, s.tagOf(v))
	}
	if t := s.told; t != nil {
		out.Daemon = &daemonJSON{t.address, t.At.UTC(), t.Revision, t.current, t.Next.UTC(), t.Error, t.Waits, t.WritesAfter.UTC()}
	}
	return out
}

// find is the stream of that name, if it was named.
func (s *survey) find(name imagestream.Name) *named {
	i := slices.IndexFunc(s.named, func(n named) bool { return n.stream.Name == name })
	if i < 0 {
		return nil
	}
	return &s.named[i]
}

func (s *survey) streamOf(stream *reconcile.Stream, n *named) streamJSON {
	sum := s.sum(stream, s.of(stream.Name))
	out := streamJSON{
		Stream: stream.Name.String(), Path: stream.Path, Line: stream.Line, Repository: stream.Status.Repository, Imports: stream.Spec.Repository,
		Tags: len(sum.tags), Waiting: sum.waiting, InReview: sum.reviewed, Failing: sum.failing, Unusable: sum.unusable, Sites: sum.sites, Updated: sum.updated.UTC(),
		Malformed: stream.Malformed, Paused: stream.Settings.Paused,
	}
	if f := s.unlisted(stream.Name); f != nil {
		out.Unrecorded = &failureJSON{f.Reason, f.Message, f.Since}
	}
	if n != nil {
		out.Detail = &detailJSON{n.Labels, n.Annotations, n.Created.UTC(), n.LocalLookup, n.images()}
	}
	return out
}

func settlingOf(w *web.Settling) *settlingJSON {
	if w == nil {
		return nil
	}
	return &settlingJSON{w.Tag, w.From, w.Image, w.Until}
}

func (s *survey) tagOf(v reconcile.TagView) tagJSON {
	d := s.due(v)
	t := tagJSON{
		Tag: v.Tag.String(), Path: v.Path, Line: v.Line, State: string(v.State), From: v.From, Scheduled: v.Scheduled, Sites: []siteJSON{},
		Settling: settlingOf(s.told.settling(v)), Due: dueJSON{Rule: string(d.rule), At: d.at.UTC(), Asked: d.asked.UTC(), Asking: d.asking},
	}
	if d.interval > 0 {
		t.Due.Interval = span(d.interval)
	}
	if v.Spec != nil {
		t.Kind = v.Spec.From.Kind
	}
	if v.Alias.Stream.Name != "" {
		t.Alias = v.Alias.String()
	}
	if a, coming := s.reviews.of(v); coming {
		t.Review = &reviewJSON{a.image, a.Branch, a.Number, a.URL, a.State}
	}
	if v.Policy != nil {
		t.Policy = v.Policy.String()
	}
	if v.Item != nil {
		t.Image, t.Reference, t.Created = v.Item.Image, v.Item.Reference, &v.Item.Created
	}
	if v.Source != nil {
		t.Source = v.Source.String()
	}
	if v.Failure != nil {
		t.Failure = s.failure(v)
	}
	if u := s.unrecorded(v); u != nil {
		t.Unrecorded = s.failure(v)
	}
	if n := s.find(v.Tag.Stream); n != nil {
		for _, item := range n.History(v.Tag.Tag) {
			t.History = append(t.History, itemJSON{item.Created, item.Reference, item.Image})
		}
	}
	for _, site := range v.Sites {
		out := siteOf(site)
		if since, ok := s.since[site]; ok {
			out.Since = &sinceJSON{string(since.By), since.About.When.UTC(), since.About.Subject, since.About.Author.Name}
		}
		t.Sites = append(t.Sites, out)
	}
	return t
}
