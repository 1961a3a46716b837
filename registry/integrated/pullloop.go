package integrated

import (
	"net/http"
	"strings"

	"github.com/towpath/towpath/registry"
)

// A stream may call this registry by a name that nobody told us is ours. What it has on record
// would be fetched from ourselves, and that request would wait for the one that makes it. So do two
// that fetch from each other: who fetches for others says for whom.

// maxLoop are bytes of what is passed on of that, of some thirty registries.
const maxLoop = 1 << 10

// loopOf is for whom a request is made.
func loopOf(req *http.Request) string {
	return strings.Join(req.Header.Values(registry.LoopHeader), ", ")
}

// isLoop reports whether a request was made by who has a token.
func isLoop(h http.Header, token string) bool {
	if token == "" {
		return false
	}
	for _, line := range h.Values(registry.LoopHeader) {
		for one := range strings.SplitSeq(line, ",") {
			if id, _, _ := strings.Cut(one, ";"); strings.TrimSpace(id) == token {
				return true
			}
		}
	}
	return false
}
