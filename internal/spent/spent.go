// Package spent tells tests what work costs in processor time, so that what else runs on the
// machine does not count. It must not know what the work is.
package spent

import (
	"runtime"
	"syscall"
	"testing"
	"time"
)

// CPU is the processor time that do takes on the thread that it is called on.
func CPU(t testing.TB, do func()) time.Duration {
	t.Helper()
	const thread = 1 // RUSAGE_THREAD
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	now := func() time.Duration {
		var u syscall.Rusage
		if err := syscall.Getrusage(thread, &u); err != nil {
			t.Fatal(err)
		}
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	begin := now()
	do()
	return now() - begin
}
