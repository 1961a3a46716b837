package integrated

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// A kind is what a request is about.
type kind int

const (
	toBase kind = iota
	toCatalog
	toTags
	toManifest
	toBlob
	toUploads // a session that begins
	toUpload  // a session that is under way
	toReferrers
)

// A route is a request as it is understood: its parts, of which the path that
// distribution sees is built anew. So nothing that is read here in one way is
// read there in another.
type route struct {
	kind       kind
	repository string // empty for base and catalog
	namespace  string // the repository's first part
	tag        string // of a manifest that is asked by tag
	digest     string // of a manifest, blob or its referrers
	session    string // of an upload
}

// path is what a route is called in a request.
func (r route) path() string {
	switch r.kind {
	case toCatalog:
		return "/v2/_catalog"
	case toTags:
		return "/v2/" + r.repository + "/tags/list"
	case toManifest:
		return "/v2/" + r.repository + "/manifests/" + r.tag + r.digest
	case toBlob:
		return "/v2/" + r.repository + "/blobs/" + r.digest
	case toUploads, toUpload:
		return "/v2/" + r.repository + "/blobs/uploads/" + r.session
	case toReferrers:
		return "/v2/" + r.repository + "/referrers/" + r.digest
	}
	return "/v2/"
}

// methods are what may be done with each kind.
var methods = map[kind][]string{
	toBase:      {http.MethodGet, http.MethodHead},
	toCatalog:   {http.MethodGet},
	toTags:      {http.MethodGet},
	toManifest:  {http.MethodGet, http.MethodHead, http.MethodPut, http.MethodDelete},
	toBlob:      {http.MethodGet, http.MethodHead, http.MethodDelete},
	toUploads:   {http.MethodPost},
	toUpload:    {http.MethodGet, http.MethodHead, http.MethodPatch, http.MethodPut, http.MethodDelete},
	toReferrers: {http.MethodGet},
}

// queries are the parameters that each kind may have. Others are dropped.
var queries = map[kind][]string{
	toCatalog: {"n", "last"},
	toTags:    {"n", "last"},
	toUploads: {"mount", "from"},
	toUpload:  {"_state", "digest"},
}

// routeOf understands a path as it stands in a request, still escaped. With
// streams a repository is exactly NAMESPACE/STREAM.
func routeOf(escaped string, streams bool) (route, *refusal) {
	if escaped == "/v2" || escaped == "/v2/" {
		return route{kind: toBase}, nil
	}
	rest, ok := strings.CutPrefix(escaped, "/v2/")
	if !ok {
		return route{}, notFound()
	}
	if strings.ContainsAny(rest, "%\\") {
		return route{}, badName("the path has an escaped character, and no name has one")
	}
	if rest == "_catalog" {
		return route{kind: toCatalog}, nil
	}
	parts := strings.Split(rest, "/")
	r, n := endOf(parts)
	if n == 0 {
		return route{}, badPath(parts)
	}
	if bad := r.checkEnd(); bad != nil {
		return route{}, bad
	}
	r.repository, r.namespace = strings.Join(parts[:n], "/"), parts[0]
	return r, checkRepository(r.repository, streams)
}

// endOf is the part of a route behind its repository, and how many parts the
// repository has; none where no end is known.
func endOf(parts []string) (r route, n int) {
	n = len(parts) - 2
	if n < 1 {
		return r, 0
	}
	switch word, last := parts[n], parts[n+1]; {
	case word == "tags" && last == "list":
		return route{kind: toTags}, n
	case word == "manifests" && strings.Contains(last, ":"):
		return route{kind: toManifest, digest: last}, n
	case word == "manifests":
		return route{kind: toManifest, tag: last}, n
	case word == "blobs":
		return route{kind: toBlob, digest: last}, n
	case word == "referrers":
		return route{kind: toReferrers, digest: last}, n
	case word == "uploads" && n >= 2 && parts[n-1] == "blobs" && last == "":
		return route{kind: toUploads}, n - 1
	case word == "uploads" && n >= 2 && parts[n-1] == "blobs":
		return route{kind: toUpload, session: last}, n - 1
	}
	return r, 0
}

// checkEnd says what is wrong with the tag, digest or session.
func (r route) checkEnd() *refusal {
	switch {
	case r.kind == toManifest && r.digest == "" && !isTag(r.tag):
		return refuse(http.StatusBadRequest, "TAG_INVALID", "this is no tag: a tag has up to 128 letters, digits, _, . and -, and begins with a letter, a digit or _")
	case (r.digest != "" || r.kind == toBlob || r.kind == toReferrers) && !isDigest(r.digest):
		return refuse(http.StatusBadRequest, "DIGEST_INVALID", "this is no digest: write sha256: and 64 digits of 0-9 and a-f")
	case r.kind == toUpload && !isSession(r.session):
		return noSession()
	}
	return nil
}

// checkRepository says what is wrong with the name of a repository.
func checkRepository(name string, streams bool) *refusal {
	if len(name) > 255 {
		return badName("the name of the repository has more than 255 characters")
	}
	parts := strings.Split(name, "/")
	for _, part := range parts {
		if !isComponent(part) {
			return badName("the name of a repository consists of parts of a-z and 0-9, with single . _ or - between them, and one / between the parts")
		}
	}
	if !streams {
		return nil
	}
	if len(parts) != 2 || !isLabel(parts[0]) || !isSubdomain(parts[1]) {
		return badName("a repository is called NAMESPACE/STREAM here; the namespace has a-z, 0-9 and -, the stream . too, and each begins and ends with a letter or digit")
	}
	return nil
}

// badPath is why a path names nothing.
func badPath(parts []string) *refusal {
	if slices.Contains(parts, "") || slices.Contains(parts, ".") || slices.Contains(parts, "..") {
		return badName("the path has an empty part, or a part . or ..")
	}
	if slices.Contains(parts, "_uploads") || slices.Contains(parts, "_manifests") || slices.Contains(parts, "_layers") {
		return badName("the path has a part that is the registry's own")
	}
	return notFound()
}

// to is the answer to a method. Clients that push ask by HEAD first, whose answer has no text: there
// nothing has such a name, so that they go on to the request whose answer says what is wrong with it.
func (f *refusal) to(method string) *refusal {
	if method == http.MethodHead && f.code == "NAME_INVALID" {
		return notFound()
	}
	return f
}

func badName(why string) *refusal { return refuse(http.StatusBadRequest, "NAME_INVALID", why) }

func notFound() *refusal {
	return refuse(http.StatusNotFound, "UNSUPPORTED", "this registry has no such address")
}

// queryOf are the parameters that a kind may have, each once.
func queryOf(k kind, raw string) (url.Values, *refusal) {
	all, err := url.ParseQuery(raw)
	if err != nil {
		return nil, refuse(http.StatusBadRequest, "UNSUPPORTED", "the part of the address behind ? cannot be read")
	}
	kept := url.Values{}
	for _, key := range queries[k] {
		switch values := all[key]; len(values) {
		case 0:
		case 1:
			kept[key] = values
		default:
			return nil, refuse(http.StatusBadRequest, "UNSUPPORTED", "the parameter "+key+" is there twice")
		}
	}
	return kept, nil
}

func isLower(c byte) bool { return 'a' <= c && c <= 'z' || '0' <= c && c <= '9' }

// isComponent reports whether distribution takes a part of a name: runs of a-z and 0-9, and
// between two of them one . or _, two _, or any number of -.
func isComponent(s string) bool {
	if s == "" || !isLower(s[0]) || !isLower(s[len(s)-1]) {
		return false
	}
	for i := 0; i < len(s); {
		j := i
		for j < len(s) && !isLower(s[j]) {
			j++
		}
		switch between := s[i:j]; {
		case between == "", between == ".", between == "_", between == "__", strings.Trim(between, "-") == "":
		default:
			return false
		}
		i = j + 1
	}
	return true
}

// isLabel reports whether Kubernetes takes the name of a namespace.
func isLabel(s string) bool {
	if s == "" || len(s) > 63 || s[0] == '-' || s[len(s)-1] == '-' {
		return false
	}
	for i := range len(s) {
		if !isLower(s[i]) && s[i] != '-' {
			return false
		}
	}
	return true
}

// isSubdomain reports whether Kubernetes takes the name of a stream.
func isSubdomain(s string) bool {
	if len(s) > 253 {
		return false
	}
	for part := range strings.SplitSeq(s, ".") {
		if part == "" || part[0] == '-' || part[len(part)-1] == '-' || strings.Trim(part, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			return false
		}
	}
	return true
}

func isTag(s string) bool {
	if s == "" || len(s) > 128 || s[0] == '.' || s[0] == '-' {
		return false
	}
	for i := range len(s) {
		if c := s[i]; !isLower(c) && !('A' <= c && c <= 'Z') && c != '_' && c != '.' && c != '-' {
			return false
		}
	}
	return true
}

func isDigest(s string) bool {
	algorithm, hex, _ := strings.Cut(s, ":")
	if algorithm == "sha256" && len(hex) != 64 || algorithm == "sha512" && len(hex) != 128 || algorithm != "sha256" && algorithm != "sha512" {
		return false
	}
	return strings.Trim(hex, "0123456789abcdef") == ""
}

// isSession reports whether text has the form of distribution's upload sessions.
func isSession(s string) bool {
	return len(s) == 36 && strings.Trim(s, "0123456789abcdef-") == ""
}
