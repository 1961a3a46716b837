package integrated

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// ErrStorageInUse says that another process has a storage.
var ErrStorageInUse = errors.New("another process has this storage")

// lockStorage keeps other processes from a directory until unlock, or the end of this process.
func lockStorage(dir string) (unlock func(), err error) {
	if dir == "" {
		return func() {}, nil
	}
	f, err := os.OpenFile(filepath.Join(dir, ".towpath.lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("registry storage: %w", err)
	}
	if err := flock(f); err != nil {
		f.Close()
		return nil, fmt.Errorf("registry storage %s: %w", dir, ErrStorageInUse)
	}
	return func() { f.Close() }, nil
}
