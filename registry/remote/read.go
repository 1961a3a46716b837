package remote

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/google/go-containerregistry/pkg/name"

	"github.com/towpath/towpath/registry"
)

// head asks with HEAD, and with GET where the registry answers HEAD badly: not
// at all, with 404 for what is there, with 304 though nothing was said of what we
// have, or without a digest or a type that can be used.
func (q *question) head(ctx context.Context, ref registry.Ref) (registry.Image, error) {
	puller, repo, err := q.puller()
	if err != nil {
		return registry.Image{}, err
	}
	desc, err := puller.Head(ctx, reference(repo, ref))
	if err == nil {
		image := registry.Image{Digest: desc.Digest.Algorithm + ":" + desc.Digest.Hex, MediaType: mediaType(string(desc.MediaType))}
		if isImage(image.MediaType) && registry.ValidDigest(image.Digest) {
			return image, nil
		}
	}
	if err != nil && !headless(err) {
		return registry.Image{}, err
	}
	image, err := q.get(ctx, ref)
	image.Children, image.Config = nil, ""
	return image, err
}

// headless reports whether a HEAD failed in a way that a GET may not.
func headless(err error) bool {
	switch statusOf(err) {
	case http.StatusNotModified, http.StatusBadRequest, http.StatusNotFound, http.StatusMethodNotAllowed,
		http.StatusNotAcceptable, http.StatusUnsupportedMediaType, http.StatusNotImplemented:
		return true
	}
	var f *failure
	var transport *url.Error // nothing came that go-containerregistry could judge
	return !errors.As(err, &f) && !errors.As(err, &transport)
}

// get reads a manifest. The digest is computed from its bytes.
func (q *question) get(ctx context.Context, ref registry.Ref) (registry.Image, error) {
	puller, repo, err := q.puller()
	if err != nil {
		return registry.Image{}, err
	}
	desc, err := puller.Get(ctx, reference(repo, ref))
	if err != nil {
		return registry.Image{}, getError(err, ref)
	}
	digest := desc.Digest.String()
	if q.digest != "" && ref.Digest == "" && q.digest != digest && registry.ValidDigest(q.digest) && sameAlgorithm(q.digest, digest) {
		return registry.Image{}, invalid("the manifest is not the one that the registry says it is", fmt.Errorf("it says %s and sends %s", q.digest, digest))
	}
	image, err := readManifest(desc.Manifest, string(desc.MediaType))
	if err != nil {
		return registry.Image{}, invalid("the manifest is not well formed: "+err.Error(), nil)
	}
	image.Digest = digest
	return image, nil
}

// getError makes the message say what was not found, and tells a manifest whose
// bytes are not those asked for from a failure to get it.
func getError(err error, ref registry.Ref) error {
	var f *failure
	var transport *url.Error
	switch {
	case errors.As(err, &f):
		if f.message == "not found" {
			f.message = "no such tag"
			if ref.Digest != "" {
				f.message = "no such digest"
			}
		}
		return f
	case errors.As(err, &transport):
		return err
	}
	return invalid("the manifest is not the one that was asked for", err)
}

func (q *question) list(ctx context.Context) ([]string, error) {
	q.limit = maxPage
	puller, repo, err := q.puller()
	if err != nil {
		return nil, err
	}
	l := &list{seen: map[string]bool{}, tags: []string{}}
	if err := l.read(ctx, puller, repo); err != nil {
		var f *failure
		if errors.As(err, &f) && f.message == "not found" {
			f.message = "no such repository"
		}
		return nil, err
	}
	if l.dropped > 0 {
		q.reader.log.InfoContext(ctx, "left out names that cannot be tags", "repository", q.repo.String(), "names", l.dropped)
	}
	return l.tags, nil
}

// reference names a manifest: by its digest where there is one.
func reference(repo name.Repository, ref registry.Ref) name.Reference {
	if ref.Digest != "" {
		return repo.Digest(ref.Digest)
	}
	return repo.Tag(ref.Tag)
}

func sameAlgorithm(a, b string) bool { return len(a) == len(b) }
