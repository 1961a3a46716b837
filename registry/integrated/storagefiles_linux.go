package integrated

import (
	"os"

	"golang.org/x/sys/unix"
)

func (system) SyncAll(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	return unix.Syncfs(int(f.Fd()))
}

func (system) Free(dir string) (int64, error) {
	var volume unix.Statfs_t
	if err := unix.Statfs(dir, &volume); err != nil {
		return 0, err
	}
	return int64(volume.Bavail) * volume.Bsize, nil
}
