//go:build unix && !solaris && !aix

package integrated

import (
	"os"
	"syscall"
)

// flock holds a file until it is closed, by this process or its end.
func flock(f *os.File) error {
	return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
}
