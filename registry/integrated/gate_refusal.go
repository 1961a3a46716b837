package integrated

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"
)

// A refusal is an answer of the gate in place of distribution's. It has the form that
// clients print.
type refusal struct {
	status        int
	code, message string
	after         time.Duration // when to try again; 0: no word of it
	challenge     bool          // ask for a name and a password
	allow         string        // methods, beside 405
}

func refuse(status int, code, message string) *refusal {
	return &refusal{status: status, code: code, message: message}
}

// later is a refusal that ends by itself.
func later(status int, message string, after time.Duration) *refusal {
	return &refusal{status: status, code: "TOOMANYREQUESTS", message: message, after: after}
}

// noSession is the answer for uploads that are not there and for those of others: it
// does not tell the two apart.
func noSession() *refusal {
	return refuse(http.StatusNotFound, "BLOB_UPLOAD_UNKNOWN", "there is no such upload of yours: it ended, or was begun before the registry started; push again")
}

// write answers a request.
func (f *refusal) write(w http.ResponseWriter) {
	h := w.Header()
	for _, key := range []string{"Content-Length", "Docker-Content-Digest", "Etag", "Location", "Link", "Range", "Docker-Upload-Uuid"} {
		h.Del(key)
	}
	h.Set("Docker-Distribution-Api-Version", "registry/2.0")
	h.Set("Content-Type", "application/json")
	if f.after > 0 {
		h.Set("Retry-After", strconv.Itoa(int((f.after+time.Second-1)/time.Second)))
	}
	if f.challenge {
		h.Set("WWW-Authenticate", `Basic realm="towpath"`)
	}
	if f.allow != "" {
		h.Set("Allow", f.allow)
	}
	type told struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	}
	body, _ := json.Marshal(map[string][]told{"errors": {{f.code, f.message}}}) // strings only
	w.WriteHeader(f.status)
	_, _ = w.Write(body) // the client may have gone
}
