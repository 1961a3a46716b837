package gitea

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"

	"github.com/towpath/towpath/forge"
)

// strict lets through only answers to reads that say something: a null would be taken for an empty list, and
// that for nobody having proposed or declined anything. Only of a commit without statuses older servers
// say null, and mean it.
type strict struct {
	next   http.RoundTripper
	origin string
}

func (s strict) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := s.next.RoundTrip(req)
	if err != nil || req.Method != http.MethodGet || resp.StatusCode/100 != 2 {
		return resp, err
	}
	body, err := io.ReadAll(resp.Body) // in memory already, and bounded
	if err != nil {
		return nil, err
	}
	none := strings.HasSuffix(req.URL.Path, "/status") && string(bytes.TrimSpace(body)) == "null"
	if !none && !saysSomething(body) {
		return nil, &forge.Error{Kind: forge.Invalid, Forge: s.origin, What: "answered without what was asked for",
			Fix: "the operator's: see that this is the address of Gitea's API (https://git.example/api/v1/), and what stands between"}
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, nil
}

// saysSomething tells an object, or a list without holes, from all else.
func saysSomething(body []byte) bool {
	body = bytes.TrimSpace(body)
	if len(body) == 0 || body[0] != '[' {
		return len(body) > 0 && body[0] == '{'
	}
	var items []json.RawMessage
	if json.Unmarshal(body, &items) != nil {
		return false
	}
	for _, item := range items {
		if string(item) == "null" {
			return false
		}
	}
	return true
}
