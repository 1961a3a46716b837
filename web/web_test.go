package web

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/towpath/towpath/registry"
)

func get(h http.Handler, path string) (int, string) {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	return w.Code, w.Body.String()
}

func code(h http.Handler, path string) int { c, _ := get(h, path); return c }

// Ready begins with the first finished pass and lasts, whatever passes say
// later; healthy ends only when nothing is heard of the loop.
func TestProbes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := New(Options{Poll: time.Minute})
		want := func(when string, health, ready int) {
			t.Helper()
			if got := [2]int{code(h, "/healthz"), code(h, "/readyz")}; got != [2]int{health, ready} {
				t.Errorf("%s: /healthz and /readyz are %v, want %d and %d", when, got, health, ready)
			}
		}
		want("at the start", 200, 503)
		time.Sleep(10 * time.Minute)
		want("while the first pass clones", 200, 503)
		time.Sleep(time.Second)
		want("when the first pass never ends", 503, 503)

		h.Set(Status{LastPass: time.Now(), Failed: true})
		want("after a first pass that could not read the repository", 200, 503)
		h.Set(Status{LastPass: time.Now(), Ready: true, BadConfig: true})
		want("after a pass with an invalid configuration", 200, 200)
		time.Sleep(3 * time.Minute)
		want("after three silent intervals", 200, 200)
		time.Sleep(time.Second)
		want("after more", 503, 200)
		h.Beat()
		want("after a sign of life", 200, 200)
		time.Sleep(3*time.Minute + time.Second)
		want("after that was the last one", 503, 200)

		h.Set(Status{LastPass: time.Now(), Failed: true})
		time.Sleep(10 * time.Minute)
		want("while Git is away and the loop waits", 200, 200)
		time.Sleep(time.Second)
		want("when it forgets to try again", 503, 200)

		h.Set(Status{LastPass: time.Now(), Failed: true, Next: time.Now().Add(time.Hour)})
		time.Sleep(70 * time.Minute)
		want("while Git said to come back in an hour", 200, 200)
		time.Sleep(time.Second)
		want("when the loop does not", 503, 200)

		h.Set(Status{LastPass: time.Now(), Next: time.Now().Add(time.Hour)})
		time.Sleep(3*time.Minute + time.Second)
		want("when no tag is due soon, but nobody polls", 503, 200)
	})
}

// Where the repository is polled each second a pass may still take longer.
func TestShortPoll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := New(Options{Poll: time.Second})
		h.Set(Status{LastPass: time.Now()})
		time.Sleep(90 * time.Second)
		if got := code(h, "/healthz"); got != 200 {
			t.Errorf("during a push of 90 s: %d", got)
		}
		time.Sleep(time.Second)
		if got := code(h, "/healthz"); got != 503 {
			t.Errorf("later: %d", got)
		}
	})
}

func TestPage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := New(Options{Version: "1.2.3"})
		time.Sleep(90 * time.Second)
		if diff := cmp.Diff("towpath 1.2.3, up 1m30s\n\nstarting: the first pass has not finished\n", body(h, "/")); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		h.Set(Status{
			LastPass: time.Now().Add(-2 * time.Second), Failed: true, Rev: "5f0c2a1b00",
			Streams: 3, Tags: 9, Failing: 1, Sites: 4, Held: 2, Deferred: 1, Problems: 5, BadConfig: true,
			Report: []string{"a.yaml:3:1: <b>wrong</b>", "red \x1b[31m\r\n\u202enot\u2028a line"},
		})
		want := `towpath 1.2.3, up 1m30s

last pass  2s ago, at 5f0c2a1b00
           it failed
streams    3 with 9 tags, 1 failing
sites      4, 2 held, 1 deferred
problems   5
paused     .towpath.yaml is invalid; nothing is written

a.yaml:3:1: <b>wrong</b>
red �[31m���not�a line
`
		if diff := cmp.Diff(want, body(h, "/")); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

func body(h http.Handler, path string) string { _, b := get(h, path); return b }

// Text of strangers is shown as text by every browser, and nothing but reading
// is answered.
func TestInert(t *testing.T) {
	h := New(Options{})
	for _, path := range []string{"/", "/healthz", "/readyz"} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		if got := w.Header().Get("Content-Type"); got != "text/plain; charset=utf-8" {
			t.Errorf("%s: content type %q", path, got)
		}
		if w.Header().Get("X-Content-Type-Options") != "nosniff" || w.Header().Get("Content-Security-Policy") == "" {
			t.Errorf("%s: headers %v", path, w.Header())
		}
		for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete} {
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequest(method, path, strings.NewReader("x")))
			if w.Code != http.StatusMethodNotAllowed {
				t.Errorf("%s %s: %d", method, path, w.Code)
			}
		}
	}
	if got := code(h, "/elsewhere"); got != http.StatusNotFound {
		t.Errorf("/elsewhere: %d", got)
	}
}

func TestMetrics(t *testing.T) {
	h := New(Options{Version: "1.2.3"})
	h.pulse.started = time.Unix(1_700_000_000, 0)
	h.Set(Status{
		LastPass: time.Unix(1_700_000_050, 0), Ready: true, Took: time.Second, Streams: 99, BadConfig: true,
		Commits: map[string]int{"status": 3},
		Imports: map[string]int{"OK": 15, "NotFound": 2},
	})
	h.Set(Status{
		LastPass: time.Unix(1_700_000_100, 500e6), Failed: true, Took: 2500 * time.Millisecond,
		Streams: 3, Tags: 9, Sites: 4, Problems: 5, Failing: 1, Held: 3, Deferred: 1, HeldBy: map[string]int{strings.Repeat("5f", 20): 2, "": 1},
		Proposals: []Proposal{{State: "open"}, {State: "waiting"}, {State: "open"}, {State: "closed"}, {State: "Evil\"}\n"}}, Forge: "the token is refused",
		Arrivals: []Arrival{{Tag: "team1/web:1"}, {Tag: "team1/web:2"}}, Registry: "the disk is away",
		Commits: map[string]int{"status": 1, "trigger": 3, "octopus": 1},
		Imports: map[string]int{"OK": 5, "Evil\"}\n": 3},
	})
	want := `towpath_arrivals_waiting 2
towpath_build_info{version="1.2.3"} 1
towpath_commits_total{kind="other"} 1
towpath_commits_total{kind="status"} 4
towpath_commits_total{kind="trigger"} 3
towpath_config_invalid 0
towpath_failed_passes_total 1
towpath_failing_tags 1
towpath_forge_up 0
towpath_held_sites 3
towpath_imports_total{result="Forbidden"} 0
towpath_imports_total{result="InternalError"} 0
towpath_imports_total{result="Invalid"} 0
towpath_imports_total{result="NotFound"} 2
towpath_imports_total{result="OK"} 20
towpath_imports_total{result="RateLimited"} 0
towpath_imports_total{result="TLS"} 0
towpath_imports_total{result="Unauthorized"} 0
towpath_imports_total{result="Unreachable"} 0
towpath_imports_total{result="other"} 3
towpath_last_pass_time_seconds 1.7000001005e+09
towpath_pass_duration_seconds_sum 3.5
towpath_pass_duration_seconds_count 2
towpath_problems 5
towpath_proposals{state="frozen"} 0
towpath_proposals{state="open"} 2
towpath_proposals{state="pushed"} 0
towpath_proposals{state="refused"} 0
towpath_proposals{state="waiting"} 1
towpath_ready 1
towpath_registry_up 0
towpath_sites 4
towpath_sites_deferred 1
towpath_sites_held{commit="5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f"} 2
towpath_sites_held{commit="other"} 1
towpath_start_time_seconds 1.7e+09
towpath_streams 3
towpath_tags 9
`
	if diff := cmp.Diff(want, samples(h)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Commits that hold sites are labels, and nothing else is: at most 20, those that hold
// most, so that no history makes the metrics large.
func TestHeldByCommit(t *testing.T) {
	held := map[string]int{"": 700, "deadbeef": 700, strings.Repeat("5F", 20): 700, "main\"}\n": 700, "\u202e" + strings.Repeat("a", 39): 700}
	for i := range 100 {
		held[fmt.Sprintf("%040x", i)] = i + 1
	}
	counts := byCommit(held)
	if len(counts) != heldCommits+1 || counts[fmt.Sprintf("%040x", 99)] != 100 || counts[fmt.Sprintf("%040x", 80)] != 81 {
		t.Errorf("got %v", counts)
	}
	if got, want := counts["other"], 5*700+80*81/2; got != want {
		t.Errorf("others hold %d sites, want %d", got, want)
	}
	if got := byCommit(nil); len(got) != 0 {
		t.Errorf("of none: %v", got)
	}
}

// Who is told something has a line for each outcome; nothing else becomes a label.
func TestNotifications(t *testing.T) {
	h := New(Options{})
	h.Set(Status{Notifications: map[string]map[string]int{"slack": {"sent": 3, "lost": 1}, "pager": {"sent": 1}}})
	var got []string
	for line := range strings.Lines(samples(h)) {
		if strings.HasPrefix(line, "towpath_notifications_total") {
			got = append(got, strings.TrimSpace(line))
		}
	}
	want := []string{
		`towpath_notifications_total{outcome="dropped",sink="slack"} 0`, `towpath_notifications_total{outcome="expired",sink="slack"} 0`,
		`towpath_notifications_total{outcome="refused",sink="slack"} 0`, `towpath_notifications_total{outcome="sent",sink="slack"} 3`, `towpath_notifications_total{outcome="unsent",sink="slack"} 0`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Requests to the registry are counted live, not as they were at the last pass.
func TestRegistryCounts(t *testing.T) {
	n := int64(0)
	h := New(Options{Registry: func() []RegistryCount { return []RegistryCount{{"pull", "done", n}, {"push", "refused", 0}} }})
	for n = range 2 {
		want := fmt.Sprintf("towpath_registry_requests_total{outcome=\"done\",what=\"pull\"} %d\ntowpath_registry_requests_total{outcome=\"refused\",what=\"push\"} 0\n", n)
		if got := samples(h); !strings.Contains(got, want) {
			t.Errorf("%d pulls:\n%s", n, got)
		}
	}
	if got := samples(New(Options{})); strings.Contains(got, "towpath_registry_requests_total") {
		t.Errorf("without a registry:\n%s", got)
	}
}

// samples are towpath's own lines of /metrics.
func samples(h http.Handler) string {
	var own strings.Builder
	for line := range strings.Lines(body(h, "/metrics")) {
		if strings.HasPrefix(line, "towpath_") {
			own.WriteString(line)
		}
	}
	return own.String()
}

// The labels are the kinds that registries' errors have.
func TestImportResults(t *testing.T) {
	kinds := []registry.Kind{
		registry.NotFound, registry.Unauthorized, registry.Forbidden, registry.RateLimited,
		registry.Unreachable, registry.TLS, registry.Invalid, registry.InternalError,
	}
	want := []string{"OK"}
	for _, k := range kinds {
		want = append(want, string(k))
	}
	if diff := cmp.Diff(append(want, "other"), ImportResults); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// The document names every metric, with its type and its labels, and no other.
func TestDocument(t *testing.T) {
	doc, err := os.ReadFile("../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	var documented []string
	for _, m := range regexp.MustCompile("(?m)^\\| `(towpath_[a-z_]+)(?:\\{([a-z,]+)\\})?` \\| ([a-z]+) \\|").FindAllStringSubmatch(string(doc), -1) {
		documented = append(documented, strings.Join(m[1:], " "))
	}
	want := []string{passTime + "  summary", buildInfo + " version gauge", "towpath_hooks_total kind,outcome counter", "towpath_hook_last_seconds hook,outcome gauge", "towpath_registry_requests_total what,outcome counter"}
	for _, m := range metrics {
		kind := "gauge"
		if m.counter {
			kind = "counter"
		}
		want = append(want, m.name+" "+m.label+" "+kind)
		for _, l := range m.labels {
			if !strings.Contains(string(doc), "`"+l+"`") {
				t.Errorf("%s: label value %s is not documented", m.name, l)
			}
		}
	}
	for _, l := range slices.Concat(NotifySinks, NotifyOutcomes) {
		if !strings.Contains(string(doc), "`"+l+"`") {
			t.Errorf("towpath_notifications_total: label value %s is not documented", l)
		}
	}
	slices.Sort(want)
	slices.Sort(documented)
	if diff := cmp.Diff(want, documented); diff != "" {
		t.Errorf("metrics (-code +document):\n%s", diff)
	}
}

// What the daemon does with its maps later is no matter of ours.
func TestSetCopies(t *testing.T) {
	h := New(Options{})
	mine := Status{LastPass: time.Now(), Commits: map[string]int{"status": 1}, Report: []string{"before"}}
	h.Set(mine)
	before := h.snapshot()
	mine.Commits["status"], mine.Report[0] = 2, "after"
	h.Set(Status{Commits: map[string]int{"status": 5}})
	if before.total.commits["status"] != 1 || before.Report[0] != "before" {
		t.Errorf("a snapshot changed: %+v", before)
	}
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			s := Status{Commits: map[string]int{}, Imports: map[string]int{}, Report: []string{""}}
			for i := range 100 {
				s.Commits["status"]++
				s.Report[0] = "line"
				s.Streams = i
				h.Set(s)
				h.Beat()
				samples(h)
			}
		})
	}
	group.Wait()
}

// Requests in flight finish; Serve ends with its context.
func TestServe(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	asked, ended := make(chan struct{}), make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	slow := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(asked)
		<-ctx.Done()
		io.WriteString(w, "done")
	})
	go func() { ended <- Serve(ctx, l, slow) }()
	go func() { <-asked; cancel() }()
	resp, err := http.Get("http://" + l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if got, err := io.ReadAll(resp.Body); string(got) != "done" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestServeFails(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	if err := Serve(t.Context(), l, New(Options{})); !errors.Is(err, net.ErrClosed) {
		t.Errorf("%v", err)
	}
}

// A request that never ends holds the shutdown up for its grace, no longer.
func TestServeCutsOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newPipe()
		ctx, cancel := context.WithCancel(t.Context())
		never := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		ended := make(chan error, 1)
		go func() { ended <- Serve(ctx, l, never) }()
		conn := l.dial()
		defer conn.Close()
		go io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		synctest.Wait()
		start := time.Now()
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if took := time.Since(start); took != shutdownTime {
			t.Errorf("shutting down took %s", took)
		}
		if _, err := conn.Read(make([]byte, 1)); err == nil {
			t.Error("the request was answered")
		}
	})
}

// A client that sends its header a byte at a time is cut off; others are
// answered meanwhile.
//
// fault: W-09
func TestSlowHeader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newPipe()
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- Serve(ctx, l, New(Options{})) }()

		start := time.Now()
		var group sync.WaitGroup
		for range 500 {
			conn := l.dial()
			go io.Copy(io.Discard, conn)
			group.Go(func() {
				defer conn.Close()
				for {
					if _, err := io.WriteString(conn, "G"); err != nil {
						return
					}
					time.Sleep(time.Second)
				}
			})
		}
		conn := l.dial()
		go io.WriteString(conn, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Errorf("beside slow clients: %v, %v", resp, err)
		}
		conn.Close()
		group.Wait()
		if took := time.Since(start); took > headerTime+time.Second {
			t.Errorf("slow clients were kept for %s", took)
		}
		cancel()
		<-ended
	})
}

// A pipe is a listener whose connections stay within the process, so that time
// can be virtual.
type pipe struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newPipe() *pipe { return &pipe{conns: make(chan net.Conn), closed: make(chan struct{})} }

func (p *pipe) dial() net.Conn {
	ours, theirs := net.Pipe()
	p.conns <- theirs
	return ours
}

func (p *pipe) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipe) Close() error   { p.once.Do(func() { close(p.closed) }); return nil }
func (p *pipe) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "pipe"} }
