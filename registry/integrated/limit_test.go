package integrated

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// A client asks as often as it may, and no more; others do not notice.
func TestRequestsPerSecond(t *testing.T) {
	b, now := newBrake(Limits{RequestsPerSecond: 10, Concurrency: 100}), time.Now()
	admitted := func(client string) (n int) {
		for range 100 {
			if leave, bad := b.enter(client, now); bad == nil {
				leave()
				n++
			} else if bad.status != http.StatusTooManyRequests || bad.after == 0 {
				t.Errorf("got %+v", bad)
			}
		}
		return n
	}
	if a, b := admitted("a"), admitted("b"); a != 20 || b != 20 {
		t.Errorf("at once %d and %d, want 20", a, b)
	}
	now = now.Add(time.Second)
	if n := admitted("a"); n != 10 {
		t.Errorf("a second later %d, want 10", n)
	}
}

// A client has as many requests under way as it may.
func TestConcurrency(t *testing.T) {
	b, now := newBrake(Limits{RequestsPerSecond: 1e6, Concurrency: 2}), time.Now()
	first, bad := b.enter("a", now)
	_, bad2 := b.enter("a", now)
	_, bad3 := b.enter("a", now)
	if bad != nil || bad2 != nil || bad3 == nil {
		t.Errorf("got %v, %v, %v", bad, bad2, bad3)
	}
	if _, bad := b.enter("b", now); bad != nil {
		t.Errorf("another: %+v", bad)
	}
	first()
	if _, bad := b.enter("a", now); bad != nil {
		t.Errorf("after one left: %+v", bad)
	}
}

// However many clients come, few are remembered.
func TestManyClients(t *testing.T) {
	b, now := newBrake(Limits{}.orDefault()), time.Now()
	for i := range 3 * counted {
		leave, bad := b.enter(fmt.Sprint(i), now)
		if bad != nil {
			t.Fatal(bad)
		}
		leave()
	}
	if len(b.pace.at) != counted || len(b.under) != 0 {
		t.Errorf("%d remembered, %d under way", len(b.pace.at), len(b.under))
	}
}

// Of IPv6 a network is one client.
func TestClientOf(t *testing.T) {
	for remote, want := range map[string]string{
		"192.0.2.1:80": "address 192.0.2.1", "[::ffff:192.0.2.1]:80": "address 192.0.2.1",
		"[2001:db8:1:2:3::4]:80": "address 2001:db8:1:2::", "[fe80::1%eth0]:80": "address fe80::", "@": "address",
	} {
		if got := clientOf(remote); got != want {
			t.Errorf("%s: got %s, want %s", remote, got, want)
		}
	}
}

// Too many requests are refused at the door: also those with wrong passwords, by their address, and
// those of one robot from many addresses.
func TestTooManyRequests(t *testing.T) {
	d := doorTo(t, nil, func(r *Rules) { r.Limits.RequestsPerSecond = 5 })
	ask := func(remote, secret string) (n int) {
		for range 20 {
			r := bare(t.Context(), "GET", "/v2/", nil)
			r.RemoteAddr = remote
			if remote == "" {
				r.RemoteAddr = fmt.Sprintf("192.0.2.%d:1", 100+n)
			}
			r.Header.Set("Authorization", "Bearer "+secret)
			w := httptest.NewRecorder()
			d.r.ServeHTTP(w, r)
			if w.Code == 429 {
				if w.Header().Get("Retry-After") == "" || !strings.Contains(w.Body.String(), "TOOMANYREQUESTS") {
					t.Errorf("got %v %s", w.Header(), w.Body)
				}
				continue
			}
			n++
		}
		return n
	}
	if n := ask("192.0.2.1:1", "wrong"); n < 10 || n > 12 {
		t.Errorf("%d wrong ones were looked at, want 10", n)
	}
	if n := ask("", d.secrets["robot1"]); n < 10 || n > 12 {
		t.Errorf("%d of a robot from everywhere, want 10", n)
	}
	if n := ask("192.0.2.2:1", d.secrets["pusher"]); n < 10 || n > 12 {
		t.Errorf("%d of another", n)
	}
}
