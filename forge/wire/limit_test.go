package wire_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/towpath/towpath/forge"
	"github.com/towpath/towpath/forge/wire"
)

func zeros(n int) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	z.Write(make([]byte, n))
	z.Close()
	return b.Bytes()
}

// pipes is a network in memory, so that its time can be virtual.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { p.once.Do(func() { close(p.done) }); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

// virtual is a client of a server in memory, at http://forge.test.
func virtual(t *testing.T, handler http.HandlerFunc) *http.Client {
	p := &pipes{conns: make(chan net.Conn), done: make(chan struct{})}
	server := &http.Server{Handler: handler}
	go server.Serve(p)
	c := client(t, wire.Options{API: "http://forge.test"})
	wire.Dialling(c, func(context.Context, string, string) (net.Conn, error) {
		near, far := net.Pipe()
		p.conns <- far
		return near, nil
	})
	t.Cleanup(func() {
		c.CloseIdleConnections()
		server.Close()
	})
	return c
}

// fault: F-06
func TestLimits(t *testing.T) {
	for _, tt := range []struct {
		name   string
		status int
		header map[string]string // "+N" stands for the Unix time or date N seconds from now
		body   string
		want   time.Duration // for which nothing is sent after the answer; 0: at once again
		fails  bool          // the answer itself is a failure
	}{
		{"enough is left", 200, map[string]string{"X-RateLimit-Remaining": "1", "X-RateLimit-Reset": "+600"}, `[]`, 0, false},
		{"the last one", 200, map[string]string{"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "+600"}, `[]`, 10 * time.Minute, false},
		{"GitHub, one too many", 403, map[string]string{"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "+600"}, `{"message": "API rate limit exceeded"}`, 10 * time.Minute, true},
		{"GitHub, in bursts", 403, map[string]string{"Retry-After": "30"}, `{"message": "You have exceeded a secondary rate limit"}`, 30 * time.Second, true},
		{"GitHub, in bursts, without a time", 403, nil, `{"message": "You have exceeded a secondary rate limit"}`, time.Minute, true},
		{"forbidden", 403, nil, `{"message": "Resource not accessible by integration"}`, 0, false},
		{"GitLab, the last one", 200, map[string]string{"RateLimit-Remaining": "0", "RateLimit-Reset": "+45"}, `[]`, 45 * time.Second, false},
		{"GitLab, one too many", 429, map[string]string{"Retry-After": "7", "RateLimit-Remaining": "0", "RateLimit-Reset": "+7"}, `Retry later`, 7 * time.Second, true},
		{"seconds from now", 200, map[string]string{"RateLimit-Remaining": "0", "RateLimit-Reset": "45"}, `[]`, 45 * time.Second, false},
		{"no reset", 200, map[string]string{"X-RateLimit-Remaining": "0"}, `[]`, time.Minute, false},
		{"a reset that is over", 200, map[string]string{"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "+-600"}, `[]`, time.Second, false},
		{"429 alone", 429, nil, ``, time.Minute, true},
		{"a date", 429, map[string]string{"Retry-After": "date+90"}, ``, 90 * time.Second, true},
		{"less than nothing", 429, map[string]string{"Retry-After": "-1"}, ``, time.Second, true},
		{"for ever", 429, map[string]string{"Retry-After": "1000000000000"}, ``, time.Hour, true},
		{"no number", 429, map[string]string{"Retry-After": "NaN"}, ``, time.Second, true},
		{"closed for work", 503, map[string]string{"Retry-After": "20"}, ``, 20 * time.Second, true},
		{"broken", 500, map[string]string{"Retry-After": "20"}, ``, 0, true},
		{"no limits at all", 200, map[string]string{"X-RateLimit-Remaining": "none"}, `[]`, 0, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				asked := 0
				c := virtual(t, func(w http.ResponseWriter, _ *http.Request) {
					if asked++; asked > 1 {
						io.WriteString(w, `[]`)
						return
					}
					for name, value := range tt.header {
						var n int
						if _, err := fmt.Sscanf(value, "+%d", &n); err == nil {
							value = strconv.FormatInt(time.Now().Unix()+int64(n), 10)
						} else if _, err := fmt.Sscanf(value, "date+%d", &n); err == nil {
							value = time.Now().Add(time.Duration(n) * time.Second).UTC().Format(http.TimeFormat)
						}
						w.Header().Set(name, value)
					}
					w.Header().Set("Content-Type", "application/json")
					w.WriteHeader(tt.status)
					io.WriteString(w, tt.body)
				})
				_, err := c.Get("http://forge.test/")
				switch {
				case tt.fails && tt.status < 500:
					if e := fails(t, err, forge.RateLimited, fmt.Sprint(tt.status)); e.RetryAfter != tt.want {
						t.Errorf("RetryAfter is %s, want %s", e.RetryAfter, tt.want)
					}
				case tt.fails:
					fails(t, err, forge.Unreachable, fmt.Sprint(tt.status))
				case err != nil:
					t.Fatal(err)
				}
				if tt.want > 0 {
					time.Sleep(tt.want - time.Millisecond)
					_, err := c.Post("http://forge.test/other", "application/json", nil)
					if e := fails(t, err, forge.RateLimited, "asked to wait"); e.RetryAfter != time.Second || asked != 1 {
						t.Errorf("RetryAfter is %s; asked %d times", e.RetryAfter, asked)
					}
					time.Sleep(time.Millisecond)
				}
				get(t, c, "http://forge.test/")
			})
		})
	}
}

// A forge whose clock, or ours, is wrong is waited for as long as it means.
func TestLimitByTheForgesClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := virtual(t, func(w http.ResponseWriter, _ *http.Request) {
			theirs := time.Now().Add(-30 * time.Minute)
			w.Header().Set("Date", theirs.UTC().Format(http.TimeFormat))
			w.Header().Set("X-RateLimit-Remaining", "0")
			w.Header().Set("X-RateLimit-Reset", strconv.FormatInt(theirs.Unix()+120, 10))
			w.WriteHeader(http.StatusForbidden)
			io.WriteString(w, `{}`)
		})
		_, err := c.Get("http://forge.test/")
		if e := fails(t, err, forge.RateLimited, ""); e.RetryAfter != 2*time.Minute {
			t.Errorf("got %s, want 2m", e.RetryAfter)
		}
	})
}

// Other repositories have clients of their own, and go on.
// fault: F-06
func TestLimitIsOneClients(t *testing.T) {
	s := api(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/one" {
			w.Header().Set("Retry-After", "60")
			w.WriteHeader(http.StatusTooManyRequests)
		}
	})
	one, other := client(t, wire.Options{API: s.URL}), client(t, wire.Options{API: s.URL})
	_, err := one.Get(s.URL + "/one")
	fails(t, err, forge.RateLimited, "")
	get(t, other, s.URL+"/other")
}

func TestDeadlines(t *testing.T) {
	for _, tt := range []struct {
		name    string
		handler http.HandlerFunc
		want    time.Duration
	}{
		{"no header", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, 15 * time.Second},
		{"nothing of the body", func(w http.ResponseWriter, r *http.Request) {
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		}, 15 * time.Second},
		{"half of the body", func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, `[`)
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		}, 15 * time.Second},
		{"drip", func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				io.WriteString(w, ` `)
				w.(http.Flusher).Flush()
				select {
				case <-r.Context().Done():
				case <-time.After(7 * time.Second):
				}
			}
		}, time.Minute},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := virtual(t, tt.handler)
				start := time.Now()
				_, err := c.Get("http://forge.test/")
				if e := fails(t, err, forge.Unreachable, "no answer in time"); errors.Is(e, context.DeadlineExceeded) || errors.Is(e, context.Canceled) {
					t.Errorf("%v is taken for the end of the caller's context", e)
				}
				if got := time.Since(start).Round(time.Second); got != tt.want {
					t.Errorf("took %s, want %s", got, tt.want)
				}
			})
		})
	}
}
