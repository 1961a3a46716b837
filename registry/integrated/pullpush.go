package integrated

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/distribution/distribution/v3"
	blobs "github.com/distribution/distribution/v3/registry/storage"
	"github.com/distribution/reference"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// beforePush fetches what a manifest that is being pushed needs. One that is not well formed is
// left to distribution to refuse.
func (p *puller) beforePush(req *http.Request) error {
	repository, kind, _ := namedBy(req)
	if p.Guide == nil || req.Method != http.MethodPut || kind != "manifests" {
		return nil
	}
	body, err := io.ReadAll(io.LimitReader(req.Body, maxPushedManifest+1))
	req.Body = io.NopCloser(io.MultiReader(bytes.NewReader(body), req.Body))
	if err != nil || len(body) > maxPushedManifest {
		return nil //nolint:nilerr // it comes again where the body is read
	}
	m, _, err := distribution.UnmarshalManifest(req.Header.Get("Content-Type"), body)
	if err != nil {
		return nil //nolint:nilerr // distribution says so
	}
	return p.complete(req.Context(), repository, m, maxNested)
}

const maxPushedManifest = 4 << 20

// complete stores in a repository what a manifest names and the repository lacks, where that is
// on record. A client that pushes an image over one on record was told that its layers are
// there, and what it pushes must not go with that record.
func (p *puller) complete(ctx context.Context, repository string, m distribution.Manifest, deep int) error {
	for _, d := range m.References() {
		var err error
		if slices.Contains(manifestTypes, d.MediaType) {
			err = p.completeManifest(ctx, repository, d.Digest, deep)
		} else {
			err = p.completeBlob(ctx, repository, d)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// completeManifest stores a child of a list, with all that it names.
func (p *puller) completeManifest(ctx context.Context, repository string, dgst digest.Digest, deep int) error {
	at, err := p.findManifest(ctx, repository, dgst)
	if err != nil || deep == 0 {
		return err
	}
	manifests, err := p.manifests(ctx, at)
	if err != nil {
		return err
	}
	m, err := manifests.Get(ctx, dgst)
	if err != nil {
		return nil //nolint:nilerr // distribution says that it is not there
	}
	if err := p.complete(ctx, repository, m, deep-1); err != nil || at == repository {
		return err
	}
	return p.keepManifest(ctx, repository, dgst, m)
}

// completeBlob fetches a blob, or links it from the repository that the record says it is from.
func (p *puller) completeBlob(ctx context.Context, repository string, d v1.Descriptor) error {
	from, err := p.lenderOfBlob(ctx, repository, d.Digest)
	if err != nil {
		return err
	}
	if from == "" {
		return p.land(ctx, repository, d.Digest)
	}
	if err := p.land(ctx, from, d.Digest); err != nil {
		return err
	}
	return p.mount(ctx, repository, from, d)
}

// land fetches a blob that is to be fetched, and waits until it is stored.
func (p *puller) land(ctx context.Context, repository string, dgst digest.Digest) error {
	first, err := p.wanted(ctx, repository, dgst)
	if err != nil || first == nil {
		return err
	}
	flight, err := p.fly(ctx, repository, dgst, *first)
	if err != nil {
		return err
	}
	err = flight.landed(ctx)
	flight.leave()
	if err != nil {
		return err
	}
	r, err := p.repository(ctx, repository)
	if err != nil {
		return err
	}
	if held, err := holdsBlob(ctx, r, dgst); held || err != nil {
		return err
	}
	namespace, _, _ := strings.Cut(repository, "/")
	return answered{p.Quota.full(namespace)}
}

// mount links a blob of another repository.
func (p *puller) mount(ctx context.Context, repository, from string, d v1.Descriptor) error {
	namespace, _, _ := strings.Cut(repository, "/")
	if !p.Quota.take(namespace, d.Size) {
		return answered{p.Quota.full(namespace)}
	}
	defer p.Quota.giveBack(namespace, d.Size)
	source, err := reference.WithName(from)
	if err != nil {
		return err
	}
	canonical, err := reference.WithDigest(source, d.Digest)
	if err != nil {
		return err
	}
	r, err := p.repository(ctx, repository)
	if err != nil {
		return err
	}
	if err := p.Hold.share(ctx); err != nil {
		return err
	}
	defer p.Hold.leave()
	upload, err := r.Blobs(ctx).Create(ctx, blobs.WithMountFrom(canonical))
	var mounted distribution.ErrBlobMounted
	switch {
	case errors.As(err, &mounted):
		p.Quota.note(change{repository: repository, digest: string(d.Digest), size: mounted.Descriptor.Size})
		return nil
	case err != nil:
		return err
	}
	return upload.Cancel(ctx) // it went meanwhile, and distribution says so
}
