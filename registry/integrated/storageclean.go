package integrated

import (
	"context"
	"errors"
	"path"
	"strings"
	"time"

	storagedriver "github.com/distribution/distribution/v3/registry/storage/driver"
)

// repositories is where distribution keeps them.
const repositories = "/docker/registry/v2/repositories"

// clean removes what processes before this one left unfinished: files of a moment, and
// uploads of which nothing was heard since a time. One thing after the other, so that it
// takes little from those who push meanwhile; what it does not reach, the next opening does.
// An object store keeps parts of its own of an upload that broke off; a rule of the bucket
// removes these (S3: AbortIncompleteMultipartUpload).
func (s storage) clean(ctx context.Context, before time.Time) (removed int, err error) {
	var errs []error
	for _, leftover := range s.leftovers {
		if ctx.Err() != nil {
			return removed, ctx.Err()
		}
		if err := s.remove(leftover); err != nil {
			errs = append(errs, err)
			continue
		}
		removed++
	}
	uploads, err := cleanUploads(ctx, s.StorageDriver, repositories, before)
	return removed + uploads, errors.Join(append(errs, err)...)
}

func cleanUploads(ctx context.Context, d storagedriver.StorageDriver, dir string, before time.Time) (removed int, err error) {
	entries, err := d.List(ctx, dir)
	if err != nil {
		return 0, unlessGone(err)
	}
	var errs []error
	for _, entry := range entries {
		if ctx.Err() != nil {
			return removed, ctx.Err()
		}
		n, err := 0, error(nil)
		switch name := path.Base(entry); {
		case path.Base(dir) == "_uploads":
			n, err = cleanUpload(ctx, d, entry, before)
		case name == "_uploads" || !strings.HasPrefix(name, "_"):
			n, err = cleanUploads(ctx, d, entry, before)
		}
		removed += n
		errs = append(errs, err)
	}
	return removed, errors.Join(errs...)
}

// cleanUpload removes an upload whose files are all from before a time.
func cleanUpload(ctx context.Context, d storagedriver.StorageDriver, upload string, before time.Time) (int, error) {
	files, err := d.List(ctx, upload)
	if err != nil {
		return 0, unlessGone(err)
	}
	for _, file := range append(files, upload) {
		info, err := d.Stat(ctx, file)
		if err != nil || !info.ModTime().Before(before) {
			return 0, unlessGone(err)
		}
	}
	if err := d.Delete(ctx, upload); err != nil {
		return 0, unlessGone(err)
	}
	return 1, nil
}

// unlessGone is nil where a path is not there, or was no directory after all.
func unlessGone(err error) error {
	if isGone(err) {
		return nil
	}
	return err
}

func isGone(err error) bool {
	var gone storagedriver.PathNotFoundError
	return errors.As(err, &gone)
}
