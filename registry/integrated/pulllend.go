package integrated

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"
)

// A tag that follows one of another stream has an image on record that was pushed to that
// one's repository: it is lent from there. It is served from storage, and never asked for
// over the network, which would be asking ourselves. Who pulls it must be allowed to pull there,
// each time: nothing is linked by a pull, so that one who may pull opens it to nobody else.

// answered is an answer that goes to the client as it is.
type answered struct{ *refusal }

func (t answered) Error() string { return t.message }

// reachKey finds in a context which namespaces may be pulled from by who asks.
type reachKey struct{}

// withReach says where else who asks may pull.
func withReach(ctx context.Context, may func(namespace string) bool) context.Context {
	return context.WithValue(ctx, reachKey{}, may)
}

// reaches reports whether who pulls from a repository may pull from another. Where nobody said
// so that is in the same namespace only.
func reaches(ctx context.Context, repository, other string) bool {
	here, _, _ := strings.Cut(repository, "/")
	there, _, _ := strings.Cut(other, "/")
	may, _ := ctx.Value(reachKey{}).(func(string) bool)
	return here == there || may != nil && may(there)
}

// findManifest sees to it that a manifest on record is in storage, and says in which repository.
func (p *puller) findManifest(ctx context.Context, repository string, dgst digest.Digest) (at string, err error) {
	manifests, err := p.manifests(ctx, repository)
	if err != nil {
		return "", err
	}
	held, err := manifests.Exists(ctx, dgst)
	if err != nil {
		return "", err
	}
	if !held {
		from, closed, err := p.lender(ctx, repository, dgst)
		if err != nil {
			return "", err
		}
		if from != "" {
			return from, p.bringManifest(ctx, from, dgst)
		}
		if closed != nil {
			if origins, err := p.Guide.Origins(ctx, repository, string(dgst)); err != nil || len(origins) == 0 {
				return "", closed
			}
		}
	}
	return repository, p.bringManifest(ctx, repository, dgst)
}

// lenderOfBlob is the repository that a blob is lent from; empty where it is not.
func (p *puller) lenderOfBlob(ctx context.Context, repository string, dgst digest.Digest) (string, error) {
	if p.Guide == nil || dgst.Validate() != nil {
		return "", nil
	}
	r, err := p.repository(ctx, repository)
	if err != nil {
		return "", err
	}
	if held, err := holdsBlob(ctx, r, dgst); held || err != nil {
		return "", err
	}
	from, _, err := p.lender(ctx, repository, dgst)
	return from, err
}

// lender is the repository that lends a manifest or a blob: one that an image on record is from,
// and whose manifest names it. Closed is the answer where it may not be pulled from.
func (p *puller) lender(ctx context.Context, repository string, dgst digest.Digest) (from string, closed, err error) {
	images, err := p.Guide.Lenders(ctx, repository)
	if err != nil {
		return "", nil, err
	}
	for _, image := range slices.Sorted(maps.Keys(images)) {
		for _, from := range images[image] {
			is := image == string(dgst)
			switch {
			case is && !reaches(ctx, repository, from):
				closed = answered{refuse(http.StatusForbidden, "DENIED", repository+"@"+image+" is on record as an image of "+from+", where you may not pull: pull "+from+"@"+image+" as somebody who may, or have the registry's operator let you pull there")}
			case !reaches(ctx, repository, from):
			case is:
				return from, nil, nil
			default:
				if named, err := p.leads(ctx, from, digest.Digest(image), dgst, maxNested); named || err != nil {
					return from, nil, err
				}
			}
		}
	}
	return "", closed, nil
}

// leads reports whether an image in storage names a thing, or one of its children does.
func (p *puller) leads(ctx context.Context, repository string, image, to digest.Digest, deep int) (bool, error) {
	manifests, err := p.manifests(ctx, repository)
	if err != nil {
		return false, err
	}
	m, err := manifests.Get(ctx, image)
	if err != nil {
		return false, nil //nolint:nilerr // what cannot be read names nothing
	}
	for _, d := range m.References() {
		if d.Digest == to {
			return true, nil
		}
		if deep > 0 && slices.Contains(manifestTypes, d.MediaType) {
			if named, err := p.leads(ctx, repository, d.Digest, to, deep-1); named || err != nil {
				return named, err
			}
		}
	}
	return false, nil
}
