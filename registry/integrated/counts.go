package integrated

import (
	"io"
	"net/http"
	"slices"
	"sync/atomic"
)

// CountWhats and CountOutcomes are all that a Count can say.
var (
	CountWhats    = []string{"pull", "push", "delete", "other"}
	CountOutcomes = []string{"done", "refused", "failed"}
)

// A Count is how many requests of a kind ended so.
type Count struct {
	What, Outcome string
	N             int64
}

// counts are the requests that were answered, by CountWhats and CountOutcomes.
type counts [4][3]atomic.Int64

// Counts are all, also those that are zero: who watches them sees the first one come.
func (r *Registry) Counts() []Count {
	var all []Count
	for i, what := range CountWhats {
		for j, outcome := range CountOutcomes {
			all = append(all, Count{what, outcome, r.counts[i][j].Load()})
		}
	}
	return all
}

// counted answers a request by next, and counts it.
func (c *counts) counted(w http.ResponseWriter, req *http.Request, next http.HandlerFunc) {
	what, noted := whatOf(req), &notedWriter{ResponseWriter: w}
	ended := false
	defer func() {
		// What ends by a panic was cut off: by the registry, or by a client that went away.
		outcome := outcomeOf(noted.status, !ended && req.Context().Err() == nil)
		c[slices.Index(CountWhats, what)][slices.Index(CountOutcomes, outcome)].Add(1)
	}()
	next(noted, req)
	ended = true
}

// whatOf is what a request is for. Who asks by HEAD only looks whether something is there, as
// clients do before they pull, and for each layer before they push it: a 404 is what they hope for.
func whatOf(req *http.Request) string {
	rt, bad := routeOf(req.URL.EscapedPath(), false)
	switch {
	case bad != nil:
		return "other"
	case rt.kind == toUploads || rt.kind == toUpload:
		return "push"
	case rt.kind != toManifest && rt.kind != toBlob:
		return "other"
	}
	switch req.Method {
	case http.MethodGet:
		return "pull"
	case http.MethodPut:
		return "push"
	case http.MethodDelete:
		return "delete"
	}
	return "other"
}

// outcomeOf is how a request ended that was answered with a status; 0 is none, which net/http
// makes a 200.
func outcomeOf(status int, cut bool) string {
	switch {
	case cut || status >= http.StatusInternalServerError:
		return "failed"
	case status >= http.StatusBadRequest:
		return "refused"
	}
	return "done"
}

// A notedWriter keeps the status of an answer. What else the writer below it can do stays
// possible: by http.ResponseController, and files are sent without a copy.
type notedWriter struct {
	http.ResponseWriter
	status int
}

func (w *notedWriter) WriteHeader(status int) {
	if w.status == 0 && status >= http.StatusOK { // others come before the answer
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

// ReadFrom implements io.ReaderFrom, for io.Copy.
func (w *notedWriter) ReadFrom(r io.Reader) (int64, error) { return io.Copy(w.ResponseWriter, r) }

func (w *notedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
