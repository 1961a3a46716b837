package web

import (
	"context"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"
)

// fixed is a Schedule of tags that never change.
func fixed(tags ...Tag) Schedule {
	return func(streams ...string) iter.Seq[Tag] {
		return func(yield func(Tag) bool) {
			for _, t := range tags {
				stream, _, _ := strings.Cut(t.Tag, ":")
				if (len(streams) == 0 || slices.Contains(streams, stream)) && !yield(t) {
					return
				}
			}
		}
	}
}

var noon = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

func someStatus() Status {
	return Status{
		LastPass: noon, Rev: "5f0c2a1b00", Next: noon.Add(time.Minute), Error: "the server is away", Waits: "the pushes are spent", Writes: noon.Add(time.Hour),
		Settling:      []Settling{{"team1/web:edge", "quay.io/team1/web:edge", "sha256:aaa", noon}},
		HeldSites:     []Site{{"deploy/web.yaml", 9, "Deployment team1/web, container web", "team1/web:stable", "web:1", "web:2", "taken back", "5f0c", "Revert", time.Time{}}},
		DeferredSites: []Site{{Path: "values.yaml", Line: 3, Follows: "team1/web:stable", Why: "its window is closed", Until: noon}},
		Proposals: []Proposal{
			{Branch: "towpath/main/web-1", Number: 12, URL: "https://git.example/pulls/12", Title: "team1/web:stable 1.4.2 → 1.4.3", State: "open", Since: noon, Tags: []Image{{"team1/web:stable", "sha256:aaa"}}, Sites: 3},
			{Branch: "towpath/main/api-1", Title: "team1/api:1 2.0", State: "waiting", Why: "20 proposals are open", Fix: "merge or close some", Tags: []Image{}},
		},
		Forge:    "the token is refused",
		Arrivals: []Arrival{{"team1/web:1", "sha256:aaa", noon, "it is imported from quay.io", "remove from:"}}, Registry: "the disk is away",
		Schedule: fixed(
			Tag{Tag: "team1/api:1", Due: noon, Asked: noon.Add(-time.Hour)},
			Tag{Tag: "team1/web:stable", Asking: true, Failure: &Failure{"NotFound", "no such tag", noon, noon.Add(time.Hour)}},
			Tag{Tag: "team1/web:old"},
		),
	}
}

// What one side writes the other reads: all of it, or the streams that are named.
func TestAsk(t *testing.T) {
	h := New(Options{})
	server := httptest.NewServer(h)
	defer server.Close()
	if _, err := Ask(t.Context(), server.URL); err == nil || !strings.Contains(err.Error(), "503") {
		t.Errorf("before the first pass: %v", err)
	}
	s := someStatus()
	h.Set(s)
	want := Report{At: s.LastPass, Revision: s.Rev, Next: s.Next, Error: s.Error, Waits: s.Waits, WritesAfter: s.Writes, Settling: s.Settling, Held: s.HeldSites, Deferred: s.DeferredSites, Proposals: s.Proposals, Forge: s.Forge, Arrivals: s.Arrivals, Registry: s.Registry, Tags: slices.Collect(s.Schedule())}
	got, err := Ask(t.Context(), server.URL+"/")
	if d := cmp.Diff(want, got); err != nil || d != "" {
		t.Errorf("%v, (-want +got):\n%s", err, d)
	}
	want.Tags = want.Tags[1:]
	got, err = Ask(t.Context(), server.URL, "team1/web", "no/such")
	if d := cmp.Diff(want, got); err != nil || d != "" {
		t.Errorf("one stream: %v, (-want +got):\n%s", err, d)
	}
	h.Set(Status{LastPass: noon.Add(time.Minute), Rev: s.Rev}) // an idle pass
	if got, err = Ask(t.Context(), server.URL, "team1/api"); err != nil || len(got.Tags) != 1 || !got.At.After(noon) {
		t.Errorf("after an idle pass: %+v, %v", got, err)
	}
	h.Set(Status{LastPass: noon, Rev: s.Rev, Schedule: fixed()})
	if got, err = Ask(t.Context(), server.URL); err != nil || len(got.Tags) != 0 {
		t.Errorf("without tags: %+v, %v", got, err)
	}
}

// The report is JSON whatever stands in it, says nothing that is not known, and is
// not run by any browser.
func TestReportText(t *testing.T) {
	h := New(Options{})
	h.Set(Status{LastPass: noon, Rev: "5f0c", Error: "\x1b[31m</script>\n\u202e", Schedule: fixed(Tag{Tag: "a/b:c"})})
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/status.json", nil))
	want := `{"at":"2026-05-01T12:00:00Z","revision":"5f0c","error":"\u001b[31m\u003c/script\u003e\n` + "\u202e" + `","tags":[
{"tag":"a/b:c"}]}
`
	if d := cmp.Diff(want, w.Body.String()); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if got := w.Header(); got.Get("Content-Type") != "application/json" || got.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("headers %v", got)
	}
	w = httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/status.json", strings.NewReader("{}")))
	if w.Code != http.StatusMethodNotAllowed {
		t.Errorf("POST: %d", w.Code)
	}
}

// Reports are large: a few are written at a time, and what is too many is told so at
// once while the probes go on.
func TestReportsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := New(Options{})
		gate := make(chan struct{})
		h.Set(Status{LastPass: time.Now(), Rev: "5f0c", Ready: true, Schedule: func(...string) iter.Seq[Tag] {
			return func(func(Tag) bool) { <-gate }
		}})
		codes := make(chan int, reports)
		for range reports {
			go func() { codes <- code(h, "/status.json") }()
		}
		synctest.Wait()
		if got := [2]int{code(h, "/status.json"), code(h, "/healthz")}; got != [2]int{503, 200} {
			t.Errorf("one too many, and the probe: %v", got)
		}
		close(gate)
		for range reports {
			if got := <-codes; got != 200 {
				t.Errorf("one of the first: %d", got)
			}
		}
		if got := code(h, "/status.json"); got != 200 {
			t.Errorf("afterwards: %d", got)
		}
	})
}

// Who answers need not be a daemon: what it sends is refused, and bounded.
func TestAskStrangers(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a redirect was followed") }))
	defer elsewhere.Close()
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		want   string
	}{
		"a page":      {say("text/html", "<html>"), `the answer is "text/html", and no report`},
		"other JSON":  {say("application/json", `{"status":"ok"}`), "the answer is no report: it names no revision"},
		"a list":      {say("application/json", `[]`), "the answer is no report: "},
		"cut off":     {say("application/json", `{"revision":"5f0c","tags":[`), "the answer is no report: "},
		"not there":   {http.NotFound, "the answer is 404 Not Found"},
		"a redirect":  {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, elsewhere.URL, http.StatusFound) }, "the answer is 302 Found"},
		"no revision": {say("application/json", `{"revision":"","tags":[]}`), "it names no revision"},
		"escapes":     {escapes, "the answer is 500 Internal Server Error"},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(c.answer)
			defer server.Close()
			_, err := Ask(t.Context(), server.URL)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			} else if strings.ContainsFunc(err.Error(), unicode.IsControl) {
				t.Errorf("%q commands a terminal", err)
			}
		})
	}
}

// escapes answers with a status line of its own making.
func escapes(w http.ResponseWriter, _ *http.Request) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	io.WriteString(conn, "HTTP/1.1 500 \x1b]0;owned\a\r\nContent-Length: 0\r\n\r\n")
}

func say(kind, text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		fmt.Fprint(w, text)
	}
}

// A daemon that hangs is not waited for.
func TestAskHangs(t *testing.T) {
	start, done := time.Now(), make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.(http.Flusher).Flush()
		<-done
	}))
	defer server.Close()
	defer close(done)
	if _, err := Ask(context.Background(), server.URL); err == nil {
		t.Error("it was heard")
	}
	if took := time.Since(start); took > askTime+5*time.Second {
		t.Errorf("it was waited for %s", took)
	}
}
