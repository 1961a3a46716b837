package integrated

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What each request is counted as.
func TestWhatOf(t *testing.T) {
	t.Parallel()
	dgst := "sha256:" + strings.Repeat("a", 64)
	for ask, want := range map[string]string{
		"GET /v2/": "other", "GET /v2/_catalog": "other", "GET /v2/team1/web/tags/list": "other", "GET /": "other", "POST /v2/team1/web/manifests/1.0": "other",
		"GET /v2/team1/web/manifests/1.0": "pull", "GET /v2/team1/web/blobs/" + dgst: "pull",
		"HEAD /v2/team1/web/manifests/1.0": "other", "HEAD /v2/team1/web/blobs/" + dgst: "other",
		"PUT /v2/team1/web/manifests/1.0": "push", "POST /v2/team1/web/blobs/uploads/": "push",
		"DELETE /v2/team1/web/manifests/" + dgst: "delete", "DELETE /v2/team1/web/blobs/" + dgst: "delete",
		"GET /v2/team1/web/manifests/%31": "other", "GET /v2/TEAM/manifests/1.0": "other",
	} {
		method, path, _ := strings.Cut(ask, " ")
		if got := whatOf(httptest.NewRequest(method, path, nil)); got != want {
			t.Errorf("%s: got %s, want %s", ask, got, want)
		}
	}
}

// Requests are counted by how they end, also one that is cut off half-way.
func TestCounted(t *testing.T) {
	t.Parallel()
	r := &Registry{}
	answer := func(w http.ResponseWriter, r *http.Request) {
		switch r.Header.Get("How") {
		case "teapot":
			w.WriteHeader(http.StatusTeapot)
		case "early":
			w.WriteHeader(http.StatusEarlyHints)
			w.WriteHeader(http.StatusBadGateway)
		case "cut", "gone":
			w.WriteHeader(http.StatusOK)
			panic(http.ErrAbortHandler)
		default:
			io.WriteString(w, "done")
		}
	}
	for _, how := range []string{"", "teapot", "early", "cut", "gone", ""} {
		req := httptest.NewRequest("GET", "/v2/team1/web/manifests/1.0", nil)
		req.Header.Set("How", how)
		if how == "gone" { // the client, which is no failure of the registry
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			req = req.WithContext(ctx)
		}
		func() {
			defer func() {
				if p := recover(); p != nil && p != http.ErrAbortHandler { //nolint:errorlint // as it was thrown
					t.Error(p)
				}
			}()
			r.counts.counted(httptest.NewRecorder(), req, answer)
		}()
	}
	got := map[string]int64{}
	for _, n := range r.Counts() {
		if n.N != 0 {
			got[n.What+" "+n.Outcome] = n.N
		}
	}
	if diff := cmp.Diff(map[string]int64{"pull done": 3, "pull refused": 1, "pull failed": 2}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// All that a gate refuses is counted, too, and every pair of labels is there from the start.
func TestCounts(t *testing.T) {
	t.Parallel()
	d := doorTo(t, nil)
	if n := len(d.r.Counts()); n != len(CountWhats)*len(CountOutcomes) {
		t.Errorf("%d counts at the start", n)
	}
	for _, path := range []string{"/v2/", "/v2/team1/web/manifests/1.0", "/v2/team1/web/manifests/1.0"} {
		resp, err := http.Get(d.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
	}
	d.Close() // requests have ended
	for _, c := range d.r.Counts() {
		want := map[Count]int64{{What: "other", Outcome: "refused"}: 1, {What: "pull", Outcome: "refused"}: 2}[Count{What: c.What, Outcome: c.Outcome}]
		if c.N != want {
			t.Errorf("%s %s: got %d, want %d", c.What, c.Outcome, c.N, want)
		}
	}
}

// A below is a writer that can send files, and says whether it was asked to.
type below struct {
	*httptest.ResponseRecorder
	sent bool
}

func (b *below) ReadFrom(r io.Reader) (int64, error) {
	b.sent = true
	return io.Copy(b.ResponseRecorder, r)
}

// Counting takes nothing away from the writer of the connection.
func TestNotedWriter(t *testing.T) {
	t.Parallel()
	b := &below{ResponseRecorder: httptest.NewRecorder()}
	w := &notedWriter{ResponseWriter: b}
	if _, err := io.Copy(w, io.LimitReader(strings.NewReader("a file"), 100)); err != nil || !b.sent || b.Body.String() != "a file" {
		t.Errorf("sent as a file: %v, %q, %v", b.sent, b.Body, err)
	}
	if err := http.NewResponseController(w).Flush(); err != nil || !b.Flushed {
		t.Errorf("flushed: %v, %v", b.Flushed, err)
	}
	if err := http.NewResponseController(w).EnableFullDuplex(); !errors.Is(err, http.ErrNotSupported) {
		t.Errorf("what the one below cannot do: %v", err)
	}
}
