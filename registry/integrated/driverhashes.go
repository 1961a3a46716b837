package integrated

import (
	"bytes"
	"context"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"

	storagedriver "github.com/distribution/distribution/v3/registry/storage/driver"
)

// maxHashed is of how many uploads the sums are kept. The bytes of one that was forgotten are
// read again at its end.
const maxHashed = 10_000

// hashes keeps in memory what distribution stores beside each chunk of an upload: the digest
// so far. In storage it would be one write a chunk; and after a power loss it could vouch for
// bytes that are no longer there.
type hashes struct {
	storagedriver.StorageDriver

	mu   sync.Mutex
	sums map[string]map[string][]byte // by the directory of the upload, and the path of the sum
}

func newHashes(d storagedriver.StorageDriver) *hashes {
	return &hashes{StorageDriver: d, sums: map[string]map[string][]byte{}}
}

// uploadOf is the directory of the upload that a path is a sum of.
func uploadOf(p string) (dir string, ok bool) {
	before, after, ok := strings.Cut(p, "/_uploads/")
	id, rest, deeper := strings.Cut(after, "/")
	if !ok || !deeper || (rest != "hashstates" && !strings.HasPrefix(rest, "hashstates/")) {
		return "", false
	}
	return before + "/_uploads/" + id, true
}

func (d *hashes) PutContent(ctx context.Context, p string, content []byte) error {
	upload, ok := uploadOf(p)
	if !ok {
		return d.StorageDriver.PutContent(ctx, p, content)
	}
	if path.Base(p) == "0" {
		return nil // of no bytes: what who only ends an upload stores before it looks for the rest
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.sums[upload] == nil {
		for other := range d.sums {
			if len(d.sums) < maxHashed {
				break
			}
			delete(d.sums, other)
		}
	}
	// Only the latest is of use: uploads grow.
	d.sums[upload] = map[string][]byte{p: bytes.Clone(content)}
	return nil
}

func (d *hashes) GetContent(ctx context.Context, p string) ([]byte, error) {
	upload, ok := uploadOf(p)
	if !ok {
		return d.StorageDriver.GetContent(ctx, p)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if content, ok := d.sums[upload][p]; ok {
		return bytes.Clone(content), nil
	}
	return nil, storagedriver.PathNotFoundError{Path: p, DriverName: d.Name()}
}

func (d *hashes) List(ctx context.Context, p string) ([]string, error) {
	upload, ok := uploadOf(p)
	if !ok {
		return d.StorageDriver.List(ctx, p)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.DeleteFunc(slices.Sorted(maps.Keys(d.sums[upload])), func(sum string) bool { return path.Dir(sum) != p }), nil
}

func (d *hashes) Delete(ctx context.Context, p string) error {
	d.forget(p)
	return d.StorageDriver.Delete(ctx, p)
}

func (d *hashes) forget(upload string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.sums, upload)
}
