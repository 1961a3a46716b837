package reconcile

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"sync"
	"time"

	"github.com/towpath/towpath/imagestream"
	"github.com/towpath/towpath/policy"
	"github.com/towpath/towpath/registry"
)

// notImages are tags that hold signatures, attestations and the like: those of
// cosign, and the fallback of OCI referrers.
var notImages = regexp.MustCompile(`^sha(256|512)-[0-9a-f]{32,128}(\.[a-z]+)?$|\.(sig|att|sbom)$`)

// list asks for the tags of a repository, and for each up to the cap.
func (a *asker) list(ctx context.Context, answer *Answer) {
	defer unpanic(answer.Ref.Repo.String(), &answer.Err)
	tags, err := a.Reader.Tags(ctx, answer.On, answer.Ref.Repo)
	if err != nil {
		answer.Err = asError(err, answer.Ref.Repo.String())
		return
	}
	answer.Listed = true
	tags = slices.DeleteFunc(imagestream.PrioritizeTags(tags), notImages.MatchString)
	if answer.Cap > 0 && len(tags) > answer.Cap {
		answer.LeftOut = len(tags) - answer.Cap
		tags = tags[:answer.Cap]
	}
	answer.Results = make([]Result, len(tags))
	each(tags, func(i int, tag string) {
		answer.Results[i] = a.resolve(ctx, answer.Question, tag, registry.Ref{Repo: answer.Ref.Repo, Tag: tag})
	})
	answer.Results = slices.DeleteFunc(answer.Results, func(r Result) bool {
		artifact := r.Err == nil && r.Image == ""
		if artifact {
			answer.Artifacts = append(answer.Artifacts, r)
		}
		return artifact
	})
}

// each calls do for every tag of a listing, some at a time.
func each(tags []string, do func(i int, tag string)) {
	var wg sync.WaitGroup
	places := make(chan struct{}, perListing)
	for i, tag := range tags {
		places <- struct{}{}
		wg.Go(func() {
			defer func() { <-places }()
			do(i, tag)
		})
	}
	wg.Wait()
}

// pick lists a repository, lets the policy choose a tag, and asks what that is.
func (a *asker) pick(ctx context.Context, answer *Answer) {
	q := answer.Question
	r := Result{Tag: q.Target.Tag}
	defer func() { answer.Results = []Result{r} }()
	defer unpanic(q.Ref.Repo.String(), &r.Err)
	tags, err := a.Reader.Tags(ctx, q.On, q.Ref.Repo)
	if err != nil {
		r.Err = asError(err, q.Ref.Repo.String())
		return
	}
	answer.Listed = true
	short := q.Policy.Shortlist(tags)
	answer.Facts = maps.Clone(q.Facts)
	listed := slices.Contains(tags, q.Current)
	for {
		choice, need := short.Pick(q.Current, plain(answer.Facts), time.Now())
		if len(need) == 0 {
			r.Upstream, r.Why, r.Passed, r.PassedOver = choice.Tag, choice.Why, choice.Passed, choice.PassedOver
			break
		}
		if err := a.inform(ctx, answer, need); err != nil {
			r.Err = err
			return
		}
		if f := answer.Facts[q.Current]; f.Gone && !listed && slices.Contains(need, q.Current) {
			// A registry forgets old builds. It was made before it was recorded, so that what
			// was made since is newer for certain.
			answer.Facts[q.Current] = dated{policy.Facts{Created: q.Recorded}, f.at}
		}
	}
	if r.Upstream == "" {
		r.Err = &registry.Error{Kind: registry.NotFound, Ref: q.Ref.Repo.String(), Message: r.Why}
		return
	}
	found := a.resolve(ctx, q, q.Target.Tag, registry.Ref{Repo: q.Ref.Repo, Tag: r.Upstream})
	r.Head, r.Image, r.Labels, r.Err = found.Head, found.Image, found.Labels, found.Err
	if r.Err == nil && r.Upstream == q.Current && r.Image != q.Bases[r.Tag].Image {
		// The policy took it as the one it had chosen before, and it is another one.
		r.Err = a.judge(ctx, q, r)
	}
	if r.Err != nil && r.Err.Kind == registry.NotFound { // it is on record, and no longer there
		gone := *r.Err
		gone.Message += " (policy: " + r.Why + ")"
		r.Err = &gone
	}
}

// judge is why the policy does not take an image that was given the tag on record.
func (a *asker) judge(ctx context.Context, q Question, r Result) *registry.Error {
	if !q.Policy.Asks() {
		return nil
	}
	ref := registry.Ref{Repo: q.Ref.Repo, Digest: r.Head}
	facts, err := a.facts(ctx, q, ref)
	if err != nil {
		return err
	}
	if why := q.Policy.Refuses(facts, time.Now()); why != "" {
		ref.Tag = r.Upstream
		return &registry.Error{Kind: registry.Forbidden, Ref: ref.String(), Message: fmt.Sprintf("the tag was given another image, %s, that the policy refuses: %s", short(r.Head), why)}
	}
	return nil
}

// inform adds the facts that a policy asked for.
func (a *asker) inform(ctx context.Context, answer *Answer, need []string) *registry.Error {
	facts, errs := make([]policy.Facts, len(need)), make([]*registry.Error, len(need))
	each(need, func(i int, tag string) {
		defer unpanic(answer.Ref.Repo.String()+":"+tag, &errs[i])
		facts[i], errs[i] = a.facts(ctx, answer.Question, registry.Ref{Repo: answer.Ref.Repo, Tag: tag})
	})
	if answer.Facts == nil {
		answer.Facts = map[string]dated{}
	}
	now := time.Now()
	for i, tag := range need {
		if errs[i] != nil {
			return errs[i]
		}
		answer.Facts[tag] = dated{facts[i], now}
	}
	return nil
}

// factsLast is how long facts are believed: what images say of themselves does not
// change, but a tag may be given another image.
const factsLast = 24 * time.Hour

func plain(facts map[string]dated) map[string]policy.Facts {
	known := make(map[string]policy.Facts, len(facts))
	for tag, f := range facts {
		known[tag] = f.Facts
	}
	return known
}

// facts are what an image says of itself; of a list, the entry that would be recorded.
func (a *asker) facts(ctx context.Context, q Question, ref registry.Ref) (policy.Facts, *registry.Error) {
	about, err := a.about(ctx, q, ref)
	switch e := (*registry.Error)(nil); {
	case errors.As(err, &e) && e.Kind == registry.NotFound:
		return policy.Facts{Gone: true}, nil
	case errors.As(err, &e) && e.Kind == registry.Invalid:
		return policy.Facts{Unfit: e.Message}, nil
	case err != nil:
		return policy.Facts{}, asError(err, ref.String())
	}
	return policy.Facts{Created: about.Created, Platforms: about.platforms}, nil
}

// about is the configuration of an image, with the platforms that are offered.
type about struct {
	registry.Config
	platforms []string
}

// about reads an image's configuration; of a list, that of the entry that would be
// recorded.
func (a *asker) about(ctx context.Context, q Question, ref registry.Ref) (about, error) {
	img, err := a.Reader.Detail(ctx, q.On, ref)
	if err != nil {
		return about{}, err
	}
	var platforms []string
	if img.IsIndex() {
		child, ok := choose(img.Children, q.Platform, q.Fallback)
		if !ok {
			return about{}, noImage(ref)
		}
		for _, c := range images(img.Children) {
			platforms = append(platforms, c.Platform.String())
		}
		if img, err = a.Reader.Detail(ctx, q.On, registry.Ref{Repo: ref.Repo, Digest: child.Digest}); err != nil {
			return about{}, err
		}
	}
	if img.Config == "" {
		return about{}, &registry.Error{Kind: registry.Invalid, Ref: ref.String(), Message: "it is no image"}
	}
	config, err := a.Reader.Config(ctx, q.On, ref.Repo, img.Config)
	if platforms == nil {
		platforms = []string{config.Platform.String()}
	}
	return about{config, platforms}, err
}

// resolve asks what a reference is: one HEAD and, where that is news, what more
// must be known before it can be recorded.
func (a *asker) resolve(ctx context.Context, q Question, tag string, ref registry.Ref) (r Result) {
	r.Tag = tag
	defer unpanic(ref.String(), &r.Err)
	img, err := a.head(ctx, q, tag, ref)
	if err != nil {
		r.Err = asError(err, ref.String())
		return r
	}
	r.Head, r.Image = img.Digest, img.Digest
	if q.knows(tag, img.Digest) {
		if k, ok := q.Learned[tag]; ok && k.Head == img.Digest {
			r.Image = k.Image
		}
		return r
	}
	if err := a.study(ctx, q, img, ref, &r); err != nil {
		r.Err = asError(err, ref.String())
	}
	return r
}

// knows reports whether a digest is no news: it is on record for these inputs, or
// was resolved before.
func (q Question) knows(tag, digest string) bool {
	return q.Learned[tag].Head == digest || q.Bases[tag] == Base{digest, q.Inputs}
}

// head is one HEAD. What only a mirror says and is news, the registry itself is
// asked to confirm: where it answers, its word goes.
func (a *asker) head(ctx context.Context, q Question, tag string, ref registry.Ref) (registry.Image, error) {
	img, err := a.Reader.Head(ctx, q.On, ref)
	if err != nil || img.Mirror == "" || ref.Digest != "" || q.knows(tag, img.Digest) {
		return img, err
	}
	on := q.On
	on.Upstream = true
	upstream, err := a.Reader.Head(ctx, on, ref)
	if e := (*registry.Error)(nil); errors.As(err, &e) && e.Kind != registry.NotFound {
		return img, nil // it cannot be asked: that is what mirrors are for
	}
	return upstream, err
}

// study finds out what news are: the entry of a list that is wanted, or whether all
// of the list is there; whether it is an image at all; what its labels say.
func (a *asker) study(ctx context.Context, q Question, img registry.Image, ref registry.Ref, r *Result) error {
	byDigest := registry.Ref{Repo: ref.Repo, Digest: img.Digest}
	if img.IsIndex() {
		list, err := a.Reader.Detail(ctx, q.On, byDigest)
		if err != nil {
			return err
		}
		child, ok := choose(list.Children, q.Platform, q.Fallback)
		if !ok {
			return noImage(ref)
		}
		if q.Mode == imagestream.Legacy {
			r.Image = child.Digest
		} else if err := a.complete(ctx, q, ref, list.Children); err != nil {
			return err
		}
	} else if q.Target.Tag == "" {
		one, err := a.Reader.Detail(ctx, q.On, byDigest)
		if err != nil {
			return err
		}
		if one.Config == "" && q.Bases[r.Tag].Image != "" {
			return &registry.Error{Kind: registry.Invalid, Ref: ref.String(), Message: "it is no image any more"}
		}
		if one.Config == "" { // a chart, say: a repository may hold all kinds of things
			r.Image = ""
			return nil
		}
	}
	if q.Labels && q.Bases[r.Tag].Image != r.Image {
		// Labels are an extra: an image without them, or whose configuration cannot be
		// read, is recorded all the same.
		if about, err := a.about(ctx, q, registry.Ref{Repo: ref.Repo, Digest: r.Image}); err == nil {
			r.Labels = imagestream.LabelsOf(about.Labels)
		}
	}
	return nil
}

// complete asks for every image of a list: OpenShift imports them with it, and one
// that is missing fails the tag.
func (a *asker) complete(ctx context.Context, q Question, ref registry.Ref, children []registry.Child) error {
	var missing error
	for _, c := range images(children) {
		_, err := a.Reader.Head(ctx, q.On, registry.Ref{Repo: ref.Repo, Digest: c.Digest})
		if e := (*registry.Error)(nil); errors.As(err, &e) && e.Kind == registry.NotFound {
			missing = cmp.Or(missing, error(&registry.Error{Kind: registry.NotFound, Ref: ref.String(),
				Message: fmt.Sprintf("the manifest list names %s for %s, which is not there", short(c.Digest), c.Platform)}))
		} else if err != nil {
			return err
		}
	}
	return missing
}

// settle says until when an image that is not on record must stand unchanged. A
// one-shot command cannot wait: it takes the image's own word for its age.
func (a *asker) settle(ctx context.Context, answer *Answer, r *Result) {
	if r.Err != nil || r.Image == "" || answer.Bases[r.Tag].Image == r.Image {
		return
	}
	r.Since = answer.At
	if k := answer.Learned[r.Tag]; k.Image == r.Image && !k.Since.IsZero() {
		r.Since = k.Since
	}
	r.Settling = r.Since.Add(answer.Settle)
	if a.OneShot {
		if created, ok := a.newest(ctx, answer.Question, registry.Ref{Repo: answer.Ref.Repo, Digest: r.Image}); ok && answer.At.Sub(created) >= answer.Settle {
			r.Settling = time.Time{}
		}
	}
}

// newest is when the youngest image of a reference was made; false where one does
// not say, or says what nobody can believe.
func (a *asker) newest(ctx context.Context, q Question, ref registry.Ref) (newest time.Time, ok bool) {
	img, err := a.Reader.Detail(ctx, q.On, ref)
	if err != nil {
		return time.Time{}, false
	}
	digests := []string{ref.Digest}
	if img.IsIndex() {
		digests = nil
		for _, c := range images(img.Children) {
			digests = append(digests, c.Digest)
		}
	}
	for _, digest := range digests {
		about, err := a.about(ctx, q, registry.Ref{Repo: ref.Repo, Digest: digest})
		if err != nil || about.Created.Before(believable) {
			return time.Time{}, false
		}
		if about.Created.After(newest) {
			newest = about.Created
		}
	}
	return newest, len(digests) > 0
}

// believable is the first time that an image may say it was made: builds that are
// to be reproducible say 1970 or 1980.
var believable = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// images are a list's entries that are images: no attestations.
func images(children []registry.Child) []registry.Child {
	return slices.DeleteFunc(slices.Clone(children), func(c registry.Child) bool {
		return c.Artifact || c.Platform.OS == "unknown" || c.Platform.Architecture == "unknown"
	})
}

// choose picks a manifest list's entry: the first that has the first platform
// that is wanted and there, else the first of all. A variant counts only where one
// is wanted. (OpenShift does the same, with its host's platform first.)
func choose(children []registry.Child, wanted ...registry.Platform) (registry.Child, bool) {
	images := images(children)
	for _, want := range wanted {
		for _, c := range images {
			if c.Platform.OS == want.OS && c.Platform.Architecture == want.Architecture &&
				(want.Variant == "" || want.Variant == c.Platform.Variant) {
				return c, true
			}
		}
	}
	if len(images) == 0 {
		return registry.Child{}, false
	}
	return images[0], true
}

func noImage(ref registry.Ref) error {
	return &registry.Error{Kind: registry.Invalid, Ref: ref.String(), Message: "the manifest list holds no image"}
}

// unpanic makes a panic of a Reader the failure of one question, which is backed
// off from like any other.
func unpanic(ref string, err **registry.Error) {
	if p := recover(); p != nil {
		*err = &registry.Error{Kind: registry.InternalError, Ref: ref, Message: "towpath itself failed", Err: fmt.Errorf("panic: %v", p)}
	}
}

// asError is a Reader's error as the contract promises it.
func asError(err error, ref string) *registry.Error {
	if e := (*registry.Error)(nil); errors.As(err, &e) {
		return e
	}
	return &registry.Error{Kind: registry.InternalError, Ref: ref, Message: "the registry could not be read", Err: err}
}
