package integrated

import (
	"context"

	storagedriver "github.com/distribution/distribution/v3/registry/storage/driver"
	"github.com/distribution/distribution/v3/registry/storage/driver/filesystem"
)

// stored is the storage in a directory.
func stored(dir string) shelf {
	return filesystem.New(filesystem.DriverParameters{RootDirectory: dir, MaxThreads: 25})
}

// during does something after the first look at storage.
type during struct {
	shelf
	do func()
}

func (d during) Stat(ctx context.Context, path string) (storagedriver.FileInfo, error) {
	info, err := d.shelf.Stat(ctx, path)
	d.do()
	return info, err
}
