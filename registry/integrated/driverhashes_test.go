package integrated

import (
	"context"
	"errors"
	"io"
	"testing"

	storagedriver "github.com/distribution/distribution/v3/registry/storage/driver"
)

// unreadable is a storage in which nobody can read what is being uploaded.
type unreadable struct{ storagedriver.StorageDriver }

func (d unreadable) Reader(ctx context.Context, p string, offset int64) (io.ReadCloser, error) {
	if uploading(p) {
		return nil, errors.New("read once more: " + p)
	}
	return d.StorageDriver.Reader(ctx, p, offset)
}

// The digest of an upload is that of the bytes as they came, over several requests. They are
// not read from storage again.
func TestUploadIsNotReadAgain(t *testing.T) {
	s, err := openFiles("/var/towpath", newDisk())
	if err != nil {
		t.Fatal(err)
	}
	s.StorageDriver = unreadable{s.StorageDriver}
	r, err := open(t.Context(), Options{}, s)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if err := newPicture("one", 100).push(r, repository, "1.0"); err != nil {
		t.Error(err)
	}
}
