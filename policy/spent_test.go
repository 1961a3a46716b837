package policy

import (
	"runtime"
	"syscall"
	"testing"
	"time"
)

// spent is the processor time that do takes: what else runs on the machine does not
// count.
func spent(t *testing.T, do func()) time.Duration {
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
