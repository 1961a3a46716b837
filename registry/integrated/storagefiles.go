package integrated

import (
	"io"
	"io/fs"
	"os"
)

// files are what a directory asks of the operating system. They are narrow so that tests can
// take the power away between any two of them; a name is a path of the system's own.
type files interface {
	Open(name string) (io.ReadSeekCloser, error)
	// Write opens a file for writing, made when it is missing: at its end, or emptied.
	Write(name string, appending bool) (file, error)
	Stat(name string) (fs.FileInfo, error)
	Names(dir string) ([]string, error)
	Mkdir(name string) error
	Rename(from, to string) error
	RemoveAll(name string) error
	// SyncDir returns when no power loss can change which names a directory has.
	SyncDir(name string) error
	// SyncAll does that for all that other processes left below a directory.
	SyncAll(dir string) error
	// Free is how many bytes may still be written where a directory is.
	Free(dir string) (int64, error)
}

// A file is open for writing. Sync returns when no power loss can change its bytes.
type file interface {
	io.WriteCloser
	Seek(offset int64, whence int) (int64, error)
	Sync() error
}

// system is the operating system itself.
type system struct{}

func (system) Open(name string) (io.ReadSeekCloser, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err // not a nil *os.File in an interface
	}
	return f, nil
}

func (system) Write(name string, appending bool) (file, error) {
	how := os.O_WRONLY | os.O_CREATE
	if !appending {
		how |= os.O_TRUNC
	}
	f, err := os.OpenFile(name, how, 0o600)
	if err != nil {
		return nil, err
	}
	return f, nil
}

func (system) Stat(name string) (fs.FileInfo, error) { return os.Stat(name) }

func (system) Names(dir string) ([]string, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return f.Readdirnames(-1)
}

func (system) Mkdir(name string) error      { return os.Mkdir(name, 0o700) }
func (system) Rename(from, to string) error { return os.Rename(from, to) }
func (system) RemoveAll(name string) error  { return os.RemoveAll(name) }

func (system) SyncDir(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}
