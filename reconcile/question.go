package reconcile

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/towpath/towpath/imagestream"
	"github.com/towpath/towpath/policy"
	"github.com/towpath/towpath/registry"
)

// A Question asks what a tag is now or, where Target.Tag is empty, what every
// tag of a stream's repository is.
type Question struct {
	Target   imagestream.TagRef
	On       registry.On
	Written  string            // reference or repository as the file has it
	Ref      registry.Ref      // what it stands for; with a Policy the repository alone
	Mode     string            // Legacy or PreserveOriginal
	Platform registry.Platform // the entry of a list that is wanted
	Fallback registry.Platform // …where there is none for Platform
	Policy   *policy.Policy    // chooses the tag of Ref; nil where Ref names the image
	Current  string            // the repository's tag that is on record, where a Policy chooses
	Recorded time.Time         // when Current was recorded
	Inputs   string            // hash of the spec inputs that decide
	Cap      int               // of a repository: how many tags at most
	Except   map[string]bool   // of a repository: tags that spec names, which are asked for one by one
	Settle   time.Duration     // how long an image must stand before it is recorded
	Labels   bool              // the origin of a new image is wanted, too
	Every    time.Duration     // the interval of a scheduled tag; 0 for others

	OnRecord bool // the record answers these inputs already
	Forced   bool
	Refused  *registry.Error // the answer, where asking makes no sense
	round    int             // questions of one round were asked at the same time

	// By tag, what was there when this was asked. Maps are shared and never written.
	Bases        map[string]Base      // the record
	Learned      map[string]Learned   // what the last answer taught
	Facts        map[string]dated     // by upstream tag: what a Policy was told of images
	FailingSince map[string]time.Time // tags that failed at the last try
}

// Base is the state of a record: an answer is never written over a younger one.
type Base struct{ Image, Inputs string }

// Learned is what an answer teaches the next question about a tag.
type Learned struct {
	Head  string    // digest that the tag had
	Image string    // image that it stood for; empty where it is none
	Since time.Time // since when it stands for that, as far as this process saw; zero where nobody waits for it
}

// dated are facts, when they were learned, and of what: the digest that the tag had, and
// the one that would be recorded. They are empty where there is no image.
type dated struct {
	policy.Facts
	at          time.Time
	head, image string
}

// factsLast is how long facts are believed: what images say of themselves does not
// change, but a tag may be given another image.
const factsLast = 24 * time.Hour

// believed are the facts that a policy is told without asking. What keeps an image from
// being chosen may be over any time, and a person who asks wants to know what is.
func (q Question) believed(now time.Time) map[string]policy.Facts {
	known := map[string]policy.Facts{}
	for tag, f := range q.Facts {
		if !q.Forced && now.Sub(f.at) < factsLast && q.Policy.Lasting(f.Facts, q.Facts[q.Current].Facts) {
			known[tag] = f.Facts
		}
	}
	return known
}

// remembered are the facts that may be of use: those that nobody asked for again are of
// tags that are gone.
func remembered(facts map[string]dated, now time.Time) map[string]dated {
	maps.DeleteFunc(facts, func(_ string, f dated) bool { return now.Sub(f.at) >= 2*factsLast })
	return facts
}

// tagQuestion asks for one tag. It also says since when a failure is on record, if one
// is.
func (c *Catalog) tagQuestion(s *Stream, t imagestream.Tag) (Question, time.Time) {
	mode, platform := s.mode(t.ImportMode), platformOf(c.platform(), t.PreferOS, t.PreferArch)
	q := Question{
		Target:   imagestream.TagRef{Stream: s.Name, Tag: t.Name},
		On:       registry.On{Namespace: s.Name.Namespace, Path: s.Path, Insecure: t.Insecure},
		Written:  t.From.Name,
		Mode:     mode,
		Platform: platform,
		Fallback: c.platform(),
		Settle:   settle(t.Settle, s.Settings.Settle),
		Labels:   s.Settings.Labels,
	}
	var err error
	if t.Policy == nil {
		q.Ref, err = registry.ParseRef(t.From.Name)
		q.Inputs = t.From.Inputs(mode, platform.String())
	} else {
		q.Policy = t.Policy.WithMinAge(s.Settings.MinAge)
		q.Ref.Repo, err = registry.ParseRepo(t.From.Name)
		q.Inputs = t.From.Inputs(mode, platform.String(), q.Policy.String())
	}
	if err != nil {
		q.Refused = invalid(t.From.Name, err)
	}
	st := s.record(t.Name)
	if st == nil {
		return q, time.Time{}
	}
	q.Bases, q.OnRecord = map[string]Base{t.Name: baseOf(st)}, answers(st, q)
	if q.Policy != nil {
		if q.Current = current(st, q.Ref.Repo); q.Current != "" {
			q.Recorded = st.Items[0].Created
		}
	}
	return q, failedAt(st)
}

func failedAt(st *imagestream.TagStatus) time.Time {
	if st.Failure == nil {
		return time.Time{}
	}
	return st.Failure.Since
}

// current is the tag of a repository that a record was resolved from.
func current(st *imagestream.TagStatus, repo registry.Repo) string {
	if st.Source == nil || len(st.Items) == 0 {
		return ""
	}
	if ref, err := registry.ParseRef(st.Source.From); err == nil && ref.Repo == repo && ref.Digest == "" {
		return ref.Tag
	}
	return ""
}

// settle is the tag's own wish, else the repository's.
func settle(own *time.Duration, other time.Duration) time.Duration {
	if own != nil {
		return *own
	}
	return other
}

// repositoryQuestion asks for every tag of spec.dockerImageRepository. It is
// on record when any tag was resolved from it.
func (c *Catalog) repositoryQuestion(s *Stream) (Question, time.Time) {
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
		Settle:   settle(s.Settle, s.Settings.Settle),
		Labels:   s.Settings.Labels,
	}
	repo, err := registry.ParseRepo(s.Spec.Repository)
	if q.Ref.Repo = repo; err != nil {
		q.Refused = invalid(s.Spec.Repository, err)
	}
	var failed time.Time
	q.Except = make(map[string]bool, len(s.Spec.Tags))
	for i := range s.Spec.Tags {
		q.Except[s.Spec.Tags[i].Name] = true
	}
	q.Bases = make(map[string]Base, len(s.Status.Tags))
	for i := range s.Status.Tags {
		st := &s.Status.Tags[i]
		if !q.Except[st.Tag] {
			q.Bases[st.Tag] = baseOf(st)
			q.OnRecord = q.OnRecord || answers(st, q)
			if at := failedAt(st); at.After(failed) {
				failed = at
			}
		}
	}
	return q, failed
}

// answers reports whether a tag's record was resolved from what a question asks:
//
//	record                                     resolved from it
//	no items                                   no
//	items and a Source                         where the inputs are the same
//	items of an API server, without a Source   where its repository, or its digest, is the one that is
//	                                           wanted: that is adopted as OpenShift left it
//	items without either                       no: they were a reference's, or those of another tag
//
// OpenShift has no policies, and so left nothing that answers one.
func answers(st *imagestream.TagStatus, q Question) bool {
	switch {
	case len(st.Items) == 0:
		return false
	case st.Source != nil:
		return st.Source.Inputs == q.Inputs
	case q.Policy != nil, !fromServer(st):
		return false
	}
	return registry.Repository(st.Items[0].Reference) == registry.Repository(q.Written) ||
		q.Ref.Digest != "" && q.Ref.Digest == st.Items[0].Image
}

// fromServer reports whether OpenShift wrote the current item: its items have a
// generation or, of very old servers, no digest.
func fromServer(st *imagestream.TagStatus) bool {
	image := st.Items[0].Image
	return st.Served || image != "" && !registry.ValidDigest(image)
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
