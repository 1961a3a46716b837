package integrated

import (
	"context"
	"path"
	"strings"

	storagedriver "github.com/distribution/distribution/v3/registry/storage/driver"
)

// untagging is a driver that deletes the tags of a manifest before the manifest. Distribution
// does it the other way round, and a process that ends between the two leaves tags that name
// nothing.
type untagging struct{ storagedriver.StorageDriver }

func (d untagging) Delete(ctx context.Context, p string) error {
	if repository, digest, ok := revisionOf(p); ok {
		if err := d.untag(ctx, repository, digest); err != nil {
			return err
		}
	}
	return d.StorageDriver.Delete(ctx, p)
}

// revisionOf is the manifest whose link in a repository is at a path.
func revisionOf(p string) (repository, digest string, ok bool) {
	repository, rest, ok := strings.Cut(p, "/_manifests/revisions/")
	rest, linked := strings.CutSuffix(rest, "/link")
	algorithm, hex, parted := strings.Cut(rest, "/")
	return repository, algorithm + ":" + hex, ok && linked && parted
}

func (d untagging) untag(ctx context.Context, repository, digest string) error {
	tags, err := d.List(ctx, repository+"/_manifests/tags")
	if err != nil {
		return unlessGone(err)
	}
	for _, tag := range tags {
		link, err := d.GetContent(ctx, path.Join(tag, "current/link"))
		if err == nil && string(link) == digest {
			err = d.StorageDriver.Delete(ctx, tag)
		}
		if unlessGone(err) != nil {
			return err
		}
	}
	return nil
}
