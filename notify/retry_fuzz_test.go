package notify_test

import (
	"testing"
	"time"

	"github.com/towpath/towpath/notify"
)

// Whatever a receiver asks for, it is left alone for an hour at most.
func FuzzRetryAfter(f *testing.F) {
	for _, s := range []string{"", "0", "120", "-1", "99999999999999999999", "1e9", "Fri, 31 Dec 9999 23:59:59 GMT", "Mon, 02 Jan 2006 15:04:05 GMT"} {
		f.Add(s)
	}
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, s string) {
		if d := notify.RetryAfter(s, now); d < 0 || d > time.Hour {
			t.Errorf("%q: %v", s, d)
		}
	})
}
