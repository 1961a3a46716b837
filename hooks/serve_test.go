package hooks

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// pipes is a listener within the process, so that time may be virtual.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
	taken  atomic.Int64 // accepted so far
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		p.taken.Add(1)
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}
func (p *pipes) Close() error   { p.once.Do(func() { close(p.closed) }); return nil }
func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipes"} }

// dial does not wait to be accepted.
func (p *pipes) dial() net.Conn {
	near, far := net.Pipe()
	go func() {
		select {
		case p.conns <- far:
		case <-p.closed:
			far.Close()
		}
	}()
	return near
}

// served runs f against a server of one receiver of Quay's, in virtual time.
func served(t *testing.T, f func(t *testing.T, l *pipes, target string)) {
	synctest.Test(t, func(t *testing.T) {
		secrets := secretsOf(0)
		p := newPlace(t, Options{Receivers: []Receiver{newReceiver("quay", "", secrets)}})
		l := &pipes{conns: make(chan net.Conn), closed: make(chan struct{})}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- Serve(ctx, l, p) }()
		f(t, l, address("quay", secrets))
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// send writes as much as the other side takes, and reads the status of the answer, 0 where
// there is none.
func send(c net.Conn, text io.Reader) int {
	go io.Copy(c, text)
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	io.Copy(io.Discard, resp.Body)
	return resp.StatusCode
}

func head(target, more string) string {
	return "POST " + target + " HTTP/1.1\r\nHost: towpath.example\r\nContent-Type: application/json\r\n" + more + "\r\n"
}

// endless is a text again and again.
type endless struct {
	text string
	at   int
}

func (e *endless) Read(p []byte) (int, error) {
	n := copy(p, e.text[e.at:])
	e.at = (e.at + n) % len(e.text)
	return n, nil
}

// body is a payload of n bytes.
func body(n int) string { return `{"x":"` + strings.Repeat("x", n-len(`{"x":""}`)) + `"}` }

// fault: W-08. 2 MiB and no byte more, however its length is told, and in time.
func TestSizes(t *testing.T) {
	const most = 2_097_152 // 2 MiB
	chunk := fmt.Sprintf("10000\r\n%s\r\n", strings.Repeat("x", 0x10000))
	for name, tt := range map[string]struct {
		more string
		body io.Reader
		want int
	}{
		"2 MiB":           {fmt.Sprintf("Content-Length: %d\r\n", most), strings.NewReader(body(most)), 202},
		"a byte more":     {fmt.Sprintf("Content-Length: %d\r\n", most+1), strings.NewReader(body(most + 1)), 413},
		"in chunks":       {"Transfer-Encoding: chunked\r\n", strings.NewReader(fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", most, body(most))), 202},
		"chunks, more":    {"Transfer-Encoding: chunked\r\n", strings.NewReader(fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", most+1, body(most+1))), 413},
		"endless chunks":  {"Transfer-Encoding: chunked\r\n", &endless{text: chunk}, 413},
		"a huge length":   {"Content-Length: 9223372036854775807\r\n", &endless{text: "x"}, 413},
		"no such length":  {"Content-Length: -1\r\n", &endless{text: "x"}, 400},
		"two lengths":     {"Content-Length: 2\r\nContent-Length: 3\r\n", strings.NewReader("{}"), 400},
		"length too long": {"Content-Length: 3\r\n", strings.NewReader("{}"), 408},
		"nothing comes":   {"Content-Length: 2\r\nExpect: 100-continue\r\n", strings.NewReader(""), 100},
		"refused unread":  {"Content-Length: 2097153\r\nExpect: 100-continue\r\n", strings.NewReader(""), 413},
		"other expected":  {"Content-Length: 2\r\nExpect: something\r\n", strings.NewReader("{}"), 417},
	} {
		t.Run(name, func(t *testing.T) {
			served(t, func(t *testing.T, l *pipes, target string) {
				c := l.dial()
				defer c.Close()
				start := time.Now()
				if code := send(c, io.MultiReader(strings.NewReader(head(target, tt.more)), tt.body)); code != tt.want {
					t.Errorf("%d, want %d", code, tt.want)
				}
				if tt.want == 100 { // what was asked for does not come
					if resp, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil || resp.StatusCode != 408 {
						t.Errorf("%v, %v", resp, err)
					}
				}
				if took := time.Since(start); took > bodyTime {
					t.Errorf("it took %v", took)
				}
			})
		})
	}
}

// fault: W-08. What is not for a receiver is not read.
func TestUnreadBody(t *testing.T) {
	served(t, func(t *testing.T, l *pipes, target string) {
		c := l.dial()
		defer c.Close()
		if code := send(c, strings.NewReader(head(target+"x", "Content-Length: 2\r\nExpect: 100-continue\r\n"))); code != 404 {
			t.Errorf("%d: somebody without the token is asked for a body", code)
		}
	})
}

// fault: W-09. 500 senders that never finish their headers, or bodies: others are answered
// at once, and those are cut off. More of them than there are places: others wait until then.
func TestSlowSenders(t *testing.T) {
	for name, tt := range map[string]struct {
		conns int
		slow  func(target string) string
		wait  time.Duration // of the others
		off   time.Duration // when the slow are cut off
	}{
		"headers":            {500, func(target string) string { return strings.TrimSuffix(head(target, ""), "\r\n") }, 0, headerTime},
		"bodies, not ours":   {500, func(target string) string { return head(target+"x", "Content-Length: 100\r\n") }, 0, bodyTime},
		"nothing":            {500, func(string) string { return "" }, 0, headerTime},
		"more than we take":  {maxConns + 10, func(string) string { return "POST" }, headerTime, headerTime},
		"idle between posts": {500, func(target string) string { return head(target, "Content-Length: 2\r\n") + "{}" }, 0, bodyTime},
	} {
		t.Run(name, func(t *testing.T) {
			served(t, func(t *testing.T, l *pipes, target string) {
				start := time.Now()
				var gone sync.WaitGroup
				for range tt.conns {
					c := l.dial()
					gone.Go(func() {
						defer c.Close()
						go io.WriteString(c, tt.slow(target))
						io.Copy(io.Discard, c)
					})
				}
				synctest.Wait()
				if n := l.taken.Load(); n != int64(min(tt.conns, maxConns)) {
					t.Errorf("%d connections are open", n)
				}
				c := l.dial()
				defer c.Close()
				if code := send(c, strings.NewReader(head(target, "Connection: close\r\nContent-Length: 2\r\n")+"{}")); code != 202 || time.Since(start) > tt.wait {
					t.Errorf("%d after %v", code, time.Since(start))
				}
				gone.Wait()
				if took := time.Since(start); took > tt.off+tt.wait {
					t.Errorf("the slow were cut off after %v", took)
				}
			})
		})
	}
}

// fault: W-09. A slow body of one who has the token takes one of the places where bodies are
// read; where all are taken the others are told to come again.
func TestSlowBodies(t *testing.T) {
	served(t, func(t *testing.T, l *pipes, target string) {
		for range maxBodies {
			c := l.dial()
			defer c.Close()
			go io.WriteString(c, head(target, "Content-Length: 2\r\n")+"{")
		}
		synctest.Wait()
		for _, want := range []int{503, 202} {
			c := l.dial()
			defer c.Close()
			if code := send(c, strings.NewReader(head(target, "Content-Length: 2\r\n")+"{}")); code != want {
				t.Errorf("%d, want %d", code, want)
			}
			time.Sleep(bodyTime)
		}
	})
}

// fault: W-27. Requests of other shapes are bounded, and answered or cut off.
func TestShapes(t *testing.T) {
	const small = "Content-Length: 2\r\n"
	for name, tt := range map[string]struct {
		text func(target string) string
		want int
	}{
		"10^4 parameters":   {func(target string) string { return head(target+"?"+strings.Repeat("a=b&", 10_000), small) + "{}" }, 431},
		"2,000 parameters":  {func(target string) string { return head(target+"?"+strings.Repeat("a=b&", 2000), small) + "{}" }, 202},
		"a URL of 64 KiB":   {func(target string) string { return head(target+strings.Repeat("x", 64<<10), small) + "{}" }, 431},
		"a header of 1 MiB": {func(target string) string { return head(target, "X: "+strings.Repeat("x", 1<<20)+"\r\n"+small) + "{}" }, 431},
		"10^5 headers":      {func(target string) string { return head(target, strings.Repeat("X: y\r\n", 100_000)+small) + "{}" }, 431},
		"HTTP/1.0":          {func(target string) string { return strings.Replace(head(target, small), "1.1", "1.0", 1) + "{}" }, 202},
		"HTTP/1.1, no host": {func(target string) string {
			return strings.Replace(head(target, small), "Host: towpath.example\r\n", "", 1) + "{}"
		}, 400},
		"h2c": {func(string) string { return "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" }, 405},
		"an upgrade": {func(target string) string {
			return head(target, "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n"+small) + "{}"
		}, 202},
		"another target": {func(target string) string { return head("http://elsewhere.example"+target, small) + "{}" }, 202},
		"dots in between": {func(target string) string {
			return head("/hooks/x/.."+strings.TrimPrefix(target, "/hooks"), small) + "{}"
		}, 404},
		"something else": {func(string) string { return "\x16\x03\x01\x02\x00\x01\r\n\r\n" }, 400},
	} {
		t.Run(name, func(t *testing.T) {
			served(t, func(t *testing.T, l *pipes, target string) {
				c := l.dial()
				defer c.Close()
				if code := send(c, strings.NewReader(tt.text(target))); code != tt.want {
					t.Errorf("%d, want %d", code, tt.want)
				}
			})
		})
	}
	t.Run("pipelined", func(t *testing.T) {
		served(t, func(t *testing.T, l *pipes, target string) {
			c := l.dial()
			defer c.Close()
			go io.WriteString(c, strings.Repeat(head(target, small)+"{}", 100))
			r := bufio.NewReader(c)
			for range 100 {
				resp, err := http.ReadResponse(r, nil)
				if err != nil || resp.StatusCode != 202 {
					t.Fatal(resp, err)
				}
				io.Copy(io.Discard, resp.Body)
			}
		})
	})
}
