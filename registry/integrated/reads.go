package integrated

import (
	"net/http"
	"strings"
)

// answer answers what is let through: reads come from storage or from where they
// are on record, and what links something waits while garbage is collected.
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
	default:
		r.stored.ServeHTTP(w, req)
	}
}

// link answers what may link a blob or a manifest.
func (r *Registry) link(w http.ResponseWriter, req *http.Request) {
	if err := r.pulls.beforePush(req); err != nil {
		r.pulls.refuse(w, pullOf{req.URL.Path, req.Method, "MANIFEST_BLOB_UNKNOWN"}, err)
		return
	}
	if err := r.hold.share(req.Context()); err != nil {
		r.pulls.refuse(w, pullOf{req.URL.Path, req.Method, ""}, err)
		return
	}
	defer r.hold.leave()
	r.stored.ServeHTTP(w, req)
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
