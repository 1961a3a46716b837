package integrated

import (
	"context"
	"io"
	"net/http"
	"strings"
)

// answer answers what is let through: reads come from storage or from where they
// are on record, and what links or deletes something waits while garbage is collected.
func (r *Registry) answer(w http.ResponseWriter, req *http.Request) {
	repository, kind, ref := readOf(req)
	switch {
	case kind == "manifests":
		r.pulls.serveManifest(w, req, repository, ref)
	case kind == "blobs":
		r.pulls.serveBlob(w, req, repository, ref)
	case kind == "tags":
		r.pulls.serveTags(w, req, repository)
	case links(req):
		r.link(w, req)
	case deletes(req):
		r.change(w, req)
	default:
		r.stored.ServeHTTP(w, req)
	}
}

// link answers what may link a blob or a manifest.
func (r *Registry) link(w http.ResponseWriter, req *http.Request) {
	if req.Context().Value(broughtKey{}) == nil {
		if _, ok := r.bring(w, req); !ok {
			return
		}
	}
	if _, kind, _ := namedBy(req); req.Method == http.MethodPut && kind == "" {
		r.land(w, req)
		return
	}
	r.change(w, req)
}

// broughtKey is what the context of a push has when all that it needs was fetched.
type broughtKey struct{}

// bring fetches what a manifest needs that is about to be pushed, or answers where it cannot. The
// context is for the push.
func (r *Registry) bring(w http.ResponseWriter, req *http.Request) (context.Context, bool) {
	ctx := req.Context()
	looked := req.WithContext(logged{ctx, r.log.WithContext(ctx)})
	err := r.pulls.beforePush(looked)
	req.Body = looked.Body // which was read, and is whole again
	if err != nil {
		r.pulls.refuse(w, pullOf{req.URL.Path, req.Method, "MANIFEST_BLOB_UNKNOWN"}, err)
		return nil, false
	}
	return context.WithValue(ctx, broughtKey{}, true), true
}

// land answers the end of an upload. Its bytes may take hours, and link nothing: the hold is taken
// when the last has come, before distribution hears of it, and so before it commits.
func (r *Registry) land(w http.ResponseWriter, req *http.Request) {
	if err := r.hold.share(req.Context()); err != nil { // better now than after all the bytes
		r.pulls.refuse(w, pullOf{req.URL.Path, req.Method, ""}, err)
		return
	}
	r.hold.leave()
	body := &landing{ReadCloser: req.Body, share: func() error { return r.hold.shareWithin(req.Context(), lastWait) }}
	req = req.WithContext(req.Context())
	req.Body = body
	answer := &kept{header: http.Header{}}
	defer func() {
		if body.held {
			r.hold.leave()
		}
	}()
	r.stored.ServeHTTP(answer, req)
	if body.failed != nil {
		r.pulls.refuse(w, pullOf{req.URL.Path, req.Method, ""}, body.failed)
		return
	}
	answer.send(w)
}

// A landing body takes the hold when it ends.
type landing struct {
	io.ReadCloser
	share  func() error
	held   bool
	failed error
}

func (l *landing) Read(b []byte) (int, error) {
	if l.failed != nil {
		return 0, l.failed
	}
	n, err := l.ReadCloser.Read(b)
	if err == io.EOF && !l.held {
		if l.failed = l.share(); l.failed != nil {
			return n, l.failed
		}
		l.held = true
	}
	return n, err
}

// change answers what links or deletes something. In a repository, manifests are pushed and
// things deleted one after the other: who pushes a manifest first looks for what it needs, then
// stores it, and then links the tag; and who deletes it meanwhile looks for tags that name it.
// One between the steps of the other would leave a tag that names nothing.
func (r *Registry) change(w http.ResponseWriter, req *http.Request) {
	if err := r.hold.share(req.Context()); err != nil {
		r.pulls.refuse(w, pullOf{req.URL.Path, req.Method, ""}, err)
		return
	}
	defer r.hold.leave()
	if repository, kind, _ := namedBy(req); kind == "manifests" || deletes(req) {
		unlock, err := r.changes.lock(req.Context(), repository)
		if err != nil {
			busy().write(w)
			return
		}
		defer unlock()
	}
	r.stored.ServeHTTP(w, req)
}

// deletes reports whether a request deletes a manifest, a tag or a blob. An upload is nobody
// else's.
func deletes(req *http.Request) bool {
	_, kind, _ := namedBy(req)
	return req.Method == http.MethodDelete && (kind == "manifests" || kind == "blobs")
}

// readOf is what a GET or HEAD wants: manifests or blobs with a reference, or tags; empty for
// anything else.
func readOf(req *http.Request) (repository, kind, ref string) {
	if req.Method != http.MethodGet && req.Method != http.MethodHead {
		return "", "", ""
	}
	return namedBy(req)
}

// namedBy is what a path names.
func namedBy(req *http.Request) (repository, kind, ref string) {
	name, ok := strings.CutPrefix(req.URL.Path, "/v2/")
	if !ok {
		return "", "", ""
	}
	parts := strings.Split(name, "/")
	if len(parts) < 3 {
		return "", "", ""
	}
	rest, kind, ref := parts[:len(parts)-2], parts[len(parts)-2], parts[len(parts)-1]
	switch {
	case kind == "tags" && ref == "list", (kind == "manifests" || kind == "blobs") && ref != "" && ref != "uploads":
		return strings.Join(rest, "/"), kind, ref
	}
	return "", "", ""
}
