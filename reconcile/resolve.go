package reconcile

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/towpath/towpath/imagestream"
	"github.com/towpath/towpath/registry"
)

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
	} else if q.Target.Tag == "" || q.Policy != nil { // a repository may hold all kinds of things, a chart, say
		one, err := a.Reader.Detail(ctx, q.On, byDigest)
		switch {
		case err != nil:
			return err
		case one.Config != "":
		case q.Policy != nil:
			return notAnImage(ref)
		case q.Bases[r.Tag].Image != "":
			return &registry.Error{Kind: registry.Invalid, Ref: ref.String(), Message: "it is no image any more"}
		default:
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

// mostImages is how many images of a list are asked for one by one.
const mostImages = 64

// complete asks for every image of a list: OpenShift imports them with it, and one
// that is missing fails the tag.
func (a *asker) complete(ctx context.Context, q Question, ref registry.Ref, children []registry.Child) error {
	children = images(children)
	if len(children) > mostImages {
		return &registry.Error{Kind: registry.Invalid, Ref: ref.String(), Message: fmt.Sprintf(
			"the manifest list names %d images, more than the %d that are looked at; write importMode: Legacy, or name one of them", len(children), mostImages)}
	}
	failures, missing := make([]*registry.Error, len(children)), make([]bool, len(children))
	each(children, func(i int, c registry.Child) {
		defer unpanic(ref.String(), &failures[i])
		if _, err := a.Reader.Head(ctx, q.On, registry.Ref{Repo: ref.Repo, Digest: c.Digest}); err != nil {
			failures[i] = asError(err, ref.String())
			missing[i] = failures[i].Kind == registry.NotFound
		}
	})
	for i, err := range failures {
		if err != nil && !missing[i] { // nobody can tell yet
			return err
		}
	}
	if i := slices.Index(missing, true); i >= 0 {
		return &registry.Error{Kind: registry.NotFound, Ref: ref.String(),
			Message: fmt.Sprintf("the manifest list names %s for %s, which is not there", short(children[i].Digest), children[i].Platform)}
	}
	return nil
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
	if len(digests) > mostImages {
		return time.Time{}, false
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

func notAnImage(ref registry.Ref) error {
	return &registry.Error{Kind: registry.Invalid, Ref: ref.String(), Message: "it is no image"}
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
