package integrated

import (
	"bufio"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// announce sends a request whose body does not come, and returns its answer's status; the
// connection is over by then, or within the time.
func announce(t *testing.T, address, head string, within time.Duration) int {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(within))
	fmt.Fprintf(c, "%sHost: x\r\nContent-Length: 1000\r\n\r\n", head)
	answer := bufio.NewReader(c)
	resp, err := http.ReadResponse(answer, nil)
	if err != nil {
		t.Errorf("%q: no answer: %v", head, err)
		return 0
	}
	if _, err := io.Copy(io.Discard, answer); err != nil && strings.Contains(err.Error(), "timeout") {
		t.Errorf("%q: the connection is held: %v", head, err)
	}
	return resp.StatusCode
}

// fault: W-09
// A stranger announces a body and sends none. The connection ends by itself, and counts until then.
func TestBodyThatNeverComes(t *testing.T) {
	t.Parallel()
	d := doorTo(t, nil, func(r *Rules) { r.Limits.Concurrency = 1 })
	d.r.gate.patience = 300 * time.Millisecond
	at := d.Listener.Addr().String()
	for _, head := range []string{"PUT /v2/team1/web/manifests/x HTTP/1.1\r\n", "GET /v2/ HTTP/1.1\r\n", "POST /v2/%2e/ HTTP/1.1\r\n"} {
		if got := announce(t, at, head, 10*time.Second); got != 401 && got != 400 {
			t.Errorf("%q: got %d", head, got)
		}
	}
}

// fault: W-09
// Nor does an answer wait for a body that nobody wants: net/http reads what is left of it before it
// sends one that is large.
func TestLargeAnswerBesideABodyThatNeverComes(t *testing.T) {
	t.Parallel()
	d := doorTo(t, nil)
	layer := d.blob(t, "alice", "team1/web", strings.Repeat("a layer ", 10_000))
	d.r.gate.patience = 300 * time.Millisecond
	auth := "Authorization: Bearer " + d.secrets["robot1"] + "\r\n"
	if got := announce(t, d.Listener.Addr().String(), "GET /v2/team1/web/blobs/"+layer+" HTTP/1.1\r\n"+auth, 10*time.Second); got != 200 {
		t.Errorf("got %d", got)
	}
}

// fault: W-09
// A client that sends its headers a byte at a time is cut off, and so is one that sends nothing
// behind an answer.
func TestHeadersThatNeverCome(t *testing.T) {
	for what, said := range map[string]string{"nothing": "", "half": "GET /v2/ HTTP/1.1\r\nHost:", "between two": "GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n"} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				near, far := net.Pipe()
				s := Server(http.NotFoundHandler())
				s.ErrorLog = log.New(io.Discard, "", 0)
				go s.Serve(&oneConn{far, make(chan struct{})})
				start := time.Now()
				var client sync.WaitGroup
				client.Go(func() {
					_, err := io.WriteString(near, said)
					for ; what == "half" && err == nil; time.Sleep(time.Second) {
						_, err = io.WriteString(near, " ")
					}
				})
				ended := make(chan struct{})
				go func() { io.Copy(io.Discard, near); close(ended) }()
				select {
				case <-ended:
				case <-time.After(time.Hour):
					t.Error("the connection is held")
					near.Close()
				}
				if took := time.Since(start); took > 2*time.Minute || what != "between two" && took > 11*time.Second {
					t.Errorf("cut off after %v", took)
				}
				s.Close()
				client.Wait()
			})
		})
	}
}

// A oneConn is a listener to which one client comes.
type oneConn struct {
	net.Conn
	closed chan struct{}
}

func (l *oneConn) Accept() (net.Conn, error) {
	if c := l.Conn; c != nil {
		l.Conn = nil
		return c, nil
	}
	<-l.closed
	return nil, net.ErrClosed
}

func (l *oneConn) Close() error   { close(l.closed); return nil }
func (l *oneConn) Addr() net.Addr { return &net.UnixAddr{Name: "pipe"} }

// fault: W-09
// While it does not end it counts, and who has too many is turned away at once.
func TestBodyThatNeverComesCounts(t *testing.T) {
	t.Parallel()
	d := doorTo(t, nil, func(r *Rules) { r.Limits.Concurrency = 1 })
	d.r.gate.patience = time.Hour
	at := d.Listener.Addr().String()
	held, err := net.Dial("tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	fmt.Fprintf(held, "PUT /v2/team1/web/manifests/x HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n")
	// Its answer is written after the body: until then it is under way, and then it is not.
	for end := time.Now().Add(10 * time.Second); d.under() == 0; runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatal("it does not count")
		}
	}
	if got := announce(t, at, "PUT /v2/team1/web/manifests/x HTTP/1.1\r\n", 10*time.Second); got != 429 {
		t.Errorf("beside another: got %d, want 429, and at once", got)
	}
}

// under is how many requests are under way.
func (d *door) under() (n int) {
	d.r.gate.brake.mu.Lock()
	defer d.r.gate.brake.mu.Unlock()
	for _, one := range d.r.gate.brake.under {
		n += one
	}
	return n
}

// Who waits to be asked for the body is answered at once, and what is refused with its body leaves
// a connection that can be used again.
func TestBodyThatNobodyWants(t *testing.T) {
	t.Parallel()
	d := doorTo(t, nil)
	d.r.gate.patience = time.Hour
	at := d.Listener.Addr().String()
	if got := announce(t, at, "PUT /v2/team1/web/manifests/x HTTP/1.1\r\nExpect: 100-continue\r\n", 10*time.Second); got != 401 {
		t.Errorf("got %d", got)
	}
	c, err := net.Dial("tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	answers := bufio.NewReader(c)
	for range 3 {
		fmt.Fprintf(c, "PUT /v2/team1/web/manifests/x HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody")
		resp, err := http.ReadResponse(answers, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode != 401 {
			t.Errorf("got %d, %v", resp.StatusCode, err)
		}
	}
}

// However long an answer takes after its body came, its client is not taken for gone.
func TestAnswerTakesItsTime(t *testing.T) {
	t.Parallel()
	const patience = 20 * time.Millisecond
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := newPatient(r, http.NewResponseController(w), patience)
		if _, err := io.ReadAll(body); err != nil {
			t.Error(err)
		}
		select {
		case <-r.Context().Done():
			t.Error("taken for gone")
		case <-time.After(5 * patience):
		}
	}))
	defer s.Close()
	resp, err := s.Client().Post(s.URL, "text/plain", strings.NewReader("body"))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
}
