package reconcile

import (
	"errors"
	"fmt"
	"hash/fnv"
	"strings"
	"time"

	"github.com/towpath/towpath/imagestream"
	"github.com/towpath/towpath/registry"
)

// A Hint says "look now". It changes when a tag is asked, never what is
// recorded.
type Hint struct {
	Stream    imagestream.Name // zero: every stream
	Tag       string           // empty: every tag of the stream
	Scheduled bool             // only scheduled tags
	Force     bool             // a person asks: adopted tags are taken over, and success is said at once
}

func (h Hint) names(s *Stream, tag string, scheduled bool) bool {
	return (h.Stream == (imagestream.Name{}) || h.Stream == s.Name) &&
		(h.Tag == "" || h.Tag == tag || tag == "") && (!h.Scheduled || scheduled)
}

// A Question asks what a tag is now or, where Target.Tag is empty, what every
// tag of a stream's repository is.
type Question struct {
	Target   imagestream.TagRef
	On       registry.On
	Written  string            // reference or repository as the file has it
	Ref      registry.Ref      // what it stands for
	Mode     string            // Legacy or PreserveOriginal
	Platform registry.Platform // the entry of a list that is wanted
	Fallback registry.Platform // …where there is none for Platform
	Inputs   string            // hash of the spec inputs that decide
	Cap      int               // of a repository: how many tags at most

	OnRecord     bool            // the record answers these inputs already
	Bases        map[string]Base // by tag: what the record said when this was asked
	Forced       bool
	FailingSince map[string]time.Time // by tag, those that failed at the last try
	Known        map[string]Known     // by tag: what a list's digest was resolved to before
	Refused      *registry.Error      // the answer, where asking makes no sense
}

// Base is the state of a record: an answer is never written over a younger one.
type Base struct{ Image, Inputs string }

// Known pairs the digest that a tag had with the image that it stood for.
type Known struct{ Head, Image string }

// spread is over how much time the first round after a start is spread.
const spread = 5 * time.Minute

// Due says which tags need asking now, and when the next one will.
//
//	what is known of the tag                      asked
//	a hint names it                               now
//	its answer came too late                      now
//	its inputs are not on record                  now; after a failure, when its back-off is over
//	on record, scheduled, asked in this process   when its interval is over
//	on record, scheduled, not asked yet           within min(interval, 5 min) of the start, by hash
//	on record, but its last import failed         likewise, then when its back-off is over
//	on record, not scheduled                      never
//	a question is under way, or its answer owed   not again
func Due(c *Catalog, m *Memory, hints []Hint, now time.Time) (ask []Question, next time.Time) {
	if c.Invalid || c.Config.Paused() {
		return nil, time.Time{}
	}
	consider := func(s *Stream, w *want) {
		target, forced := w.target(s), false
		at, ever := m.due(target, w, s)
		hinted := false
		for _, h := range hints {
			if h.names(s, target.Tag, w.scheduled) {
				at, ever, hinted, forced = now, true, true, forced || h.Force
			}
		}
		if st := m.state(target); st != nil && st.asking == w.inputs {
			st.hinted = st.hinted || hinted // the answer may be older than what the hint is about
			return
		}
		if _, owed := m.owed[target]; owed && !hinted {
			return
		}
		switch {
		case ever && !at.After(now):
			q := c.question(s, w)
			q.Forced = forced
			m.complete(&q)
			ask = append(ask, q)
		case ever && (next.IsZero() || at.Before(next)):
			next = at
		}
	}
	for _, s := range c.Streams {
		if s.Settings.Paused || s.Malformed {
			continue
		}
		for i := range s.wants {
			consider(s, &s.wants[i])
		}
	}
	return ask, next
}

// A want is what decides when a question is due, worked out once for a stream: there
// are many, and most are never due.
type want struct {
	tag       *imagestream.Tag // nil: every tag of the repository
	inputs    string
	scheduled bool
	onRecord  bool
	failed    bool // a failure is on record
}

// wants are the questions that a stream may have.
func (c *Catalog) wants(s *Stream) []want {
	ws := make([]want, 0, len(s.Spec.Tags))
	add := func(tag *imagestream.Tag, q Question, failed, scheduled bool) {
		ws = append(ws, want{tag, q.Inputs, scheduled, q.OnRecord, failed})
	}
	for i := range s.Spec.Tags {
		t := &s.Spec.Tags[i]
		if t.From.Kind == imagestream.DockerImage && !t.Reference {
			q, failed := c.tagQuestion(s, *t)
			add(t, q, failed, s.scheduled(*t, q))
		}
	}
	if s.Spec.Repository != "" {
		q, failed := c.repositoryQuestion(s)
		add(nil, q, failed, s.Scheduled || s.Settings.Scheduled)
	}
	return ws
}

func (w *want) target(s *Stream) imagestream.TagRef {
	if w.tag == nil {
		return imagestream.TagRef{Stream: s.Name}
	}
	return imagestream.TagRef{Stream: s.Name, Tag: w.tag.Name}
}

// question is a want in full.
func (c *Catalog) question(s *Stream, w *want) Question {
	if w.tag == nil {
		q, _ := c.repositoryQuestion(s)
		return q
	}
	q, _ := c.tagQuestion(s, *w.tag)
	return q
}

// scheduled reports whether a tag is asked again and again. A digest that is on
// record cannot change.
func (s *Stream) scheduled(t imagestream.Tag, q Question) bool {
	return (t.Scheduled || s.Settings.Scheduled) && (q.Ref.Digest == "" || !q.OnRecord)
}

// tagQuestion asks for one tag. It also says whether a failure is on record.
func (c *Catalog) tagQuestion(s *Stream, t imagestream.Tag) (Question, bool) {
	mode, platform := s.mode(t.ImportMode), platformOf(c.platform(), t.PreferOS, t.PreferArch)
	q := Question{
		Target:   imagestream.TagRef{Stream: s.Name, Tag: t.Name},
		On:       registry.On{Namespace: s.Name.Namespace, Path: s.Path, Insecure: t.Insecure},
		Written:  t.From.Name,
		Mode:     mode,
		Platform: platform,
		Fallback: c.platform(),
		Inputs:   t.From.Inputs(mode, platform.String()),
	}
	var err error
	if q.Ref, err = registry.ParseRef(t.From.Name); err != nil {
		q.Refused = invalid(t.From.Name, err)
	}
	st := s.Status.Tag(t.Name)
	if st == nil {
		return q, false
	}
	q.Bases, q.OnRecord = map[string]Base{t.Name: baseOf(st)}, answers(st, q)
	return q, st.Failure != nil
}

// repositoryQuestion asks for every tag of spec.dockerImageRepository. It is
// on record when any tag was resolved from it.
func (c *Catalog) repositoryQuestion(s *Stream) (Question, bool) {
	mode, platform := s.mode(""), c.platform()
	q := Question{
		Target:   imagestream.TagRef{Stream: s.Name},
		On:       registry.On{Namespace: s.Name.Namespace, Path: s.Path, Insecure: s.Insecure},
		Written:  s.Spec.Repository,
		Mode:     mode,
		Platform: platform,
		Fallback: c.platform(),
		Inputs:   s.Spec.Inputs(mode, platform.String()),
		Cap:      s.Settings.TagsCap,
	}
	repo, err := registry.ParseRepo(s.Spec.Repository)
	if q.Ref.Repo = repo; err != nil {
		q.Refused = invalid(s.Spec.Repository, err)
	}
	failed := false
	q.Bases = make(map[string]Base, len(s.Status.Tags))
	for i := range s.Status.Tags {
		st := &s.Status.Tags[i]
		if s.specTag(st.Tag) == nil {
			q.Bases[st.Tag] = baseOf(st)
			q.OnRecord = q.OnRecord || answers(st, q)
			failed = failed || st.Failure != nil
		}
	}
	return q, failed
}

// answers reports whether a tag's record was resolved from what a question asks.
// A record without a Source is one that OpenShift wrote: it is adopted where its
// repository, or its digest, is the one that is wanted.
func answers(st *imagestream.TagStatus, q Question) bool {
	if st.Source != nil {
		return st.Source.Inputs == q.Inputs
	}
	if len(st.Items) == 0 {
		return false
	}
	return registry.Repository(st.Items[0].Reference) == registry.Repository(q.Written) ||
		q.Ref.Digest != "" && q.Ref.Digest == st.Items[0].Image
}

func baseOf(st *imagestream.TagStatus) Base {
	var b Base
	if st != nil && len(st.Items) > 0 {
		b.Image = st.Items[0].Image
	}
	if st != nil && st.Source != nil {
		b.Inputs = st.Source.Inputs
	}
	return b
}

func (s *Stream) mode(own string) string {
	switch {
	case own != "":
		return own
	case s.Settings.ImportMode != "":
		return s.Settings.ImportMode
	}
	return imagestream.Legacy
}

func (s *Stream) specTag(name string) *imagestream.Tag {
	for i := range s.Spec.Tags {
		if s.Spec.Tags[i].Name == name {
			return &s.Spec.Tags[i]
		}
	}
	return nil
}

// platform is the one that the repository chose for manifest lists.
func (c *Catalog) platform() registry.Platform {
	var p registry.Platform
	p.OS, p.Architecture, _ = strings.Cut(c.Config.Platform(), "/")
	p.Architecture, p.Variant, _ = strings.Cut(p.Architecture, "/")
	return p
}

// platformOf is the tag's own wish, else the repository's.
func platformOf(repository registry.Platform, os, arch string) registry.Platform {
	p := repository
	if os != "" || arch != "" {
		p.Variant = ""
	}
	if os != "" {
		p.OS = os
	}
	if arch != "" {
		p.Architecture = arch
	}
	return p
}

func invalid(written string, err error) *registry.Error {
	if e := (*registry.Error)(nil); errors.As(err, &e) {
		return e
	}
	return &registry.Error{Kind: registry.Invalid, Ref: written, Message: fmt.Sprintf("%q is not a reference: %v", written, err)}
}

// due says when something is to be asked, if ever.
func (m *Memory) due(target imagestream.TagRef, w *want, s *Stream) (at time.Time, ever bool) {
	st, interval := m.state(target), s.Settings.Interval
	switch asked := st != nil && st.inputs == w.inputs; {
	case st != nil && st.again:
		return m.started, true
	case asked && st.fails > 0 && target.Tag != "" && !st.failure.Kind.Passing() && !w.failed && st.settled != s.Blob:
		return m.started, true // the failure was on record, and somebody took it away
	case asked && st.fails > 0 && target.Tag == "" && st.listed && w.scheduled:
		return earlier(st.retry, st.asked.Add(interval)), true // one bad tag must not keep the others waiting
	case asked && st.fails > 0:
		return st.retry, true
	case !w.onRecord && !(asked && st.settled == s.Blob):
		return m.started, true
	case asked && w.scheduled:
		return st.asked.Add(interval), true
	case asked && w.failed:
		return st.asked.Add(clearAfter), true // its recorded failure is over, and waits to be cleared
	case asked:
		return time.Time{}, false
	case w.scheduled || w.failed:
		return m.started.Add(slot(target, min(interval, spread))), true
	}
	return time.Time{}, false
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// slot is a tag's place in a span of time, the same on every machine.
func slot(t imagestream.TagRef, span time.Duration) time.Duration {
	if span <= 0 {
		return 0
	}
	h := fnv.New64a()
	h.Write([]byte(t.String()))
	return time.Duration(h.Sum64() % uint64(span))
}
