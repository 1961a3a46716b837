package remote

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
)

// A challenge is what a registry asks for before it answers. The zero challenge
// asks for nothing.
type challenge struct {
	scheme  string // "bearer", "basic" or ""
	realm   string // of bearer: the URL of the token service
	service string
	scope   string // as the registry wrote it

	// Of bearer, at is the realm; not checked yet, but for its form. Where that is
	// wrong, wrong says how.
	at    *url.URL
	wrong error
}

const (
	maxChallenge  = 8 << 10 // bytes of all its headers
	maxChallenges = 8
	maxParam      = 1 << 10 // bytes of a realm or service: they are kept for each host
)

// readChallenge takes Bearer before Basic: a registry that offers both wants
// the token, and a password must not be shown where a token would do. Headers that
// cannot be read or are long, and other schemes, count for nothing.
func readChallenge(h http.Header) challenge {
	var basic challenge
	lines := h.Values("Www-Authenticate")
	if size(lines) > maxChallenge || len(lines) > maxChallenges {
		return challenge{}
	}
	for _, line := range lines {
		for _, c := range parseChallenges(line) {
			if c.scheme == "bearer" && c.realm != "" && len(c.realm) <= maxParam && len(c.service) <= maxParam {
				c.realm, c.service = strings.Clone(c.realm), strings.Clone(c.service) // not with the header around them
				c.at, c.wrong = target(nil, c.realm)
				return c
			}
			if c.scheme == "basic" {
				basic = challenge{scheme: "basic"}
			}
		}
	}
	return basic
}

func size(lines []string) (n int) {
	for _, l := range lines {
		n += len(l)
	}
	return n
}

var (
	challengeScheme = regexp.MustCompile(`^[ \t,]*([A-Za-z][A-Za-z0-9!#$%&'*+.^_|~-]*)(?:[ \t]+|$)`)
	challengeParam  = regexp.MustCompile(`^[ \t,]*([A-Za-z0-9_-]+)[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|([^\s",]*))`)
	quotedPair      = regexp.MustCompile(`\\(.)`)
)

// parseChallenges reads one header line: schemes, each with its parameters. What
// follows the first thing that it cannot read is left out.
func parseChallenges(line string) []challenge {
	var found []challenge
	for len(found) < maxChallenges {
		if m := challengeParam.FindStringSubmatch(line); m != nil && len(found) > 0 {
			line = line[len(m[0]):]
			found[len(found)-1].set(strings.ToLower(m[1]), quotedPair.ReplaceAllString(m[2], "$1")+m[3])
			continue
		}
		m := challengeScheme.FindStringSubmatch(line)
		if m == nil {
			break
		}
		line = line[len(m[0]):]
		found = append(found, challenge{scheme: strings.ToLower(m[1])})
	}
	return found
}

func (c *challenge) set(name, value string) {
	switch name {
	case "realm":
		c.realm = value
	case "service":
		c.service = value
	case "scope":
		c.scope = value
	}
}

var pullScope = regexp.MustCompile(`^repository:([a-z0-9][a-z0-9._/-]{0,254}):[a-z,*]*$`)

// pull is the scope to ask for: to read one repository, whatever else the
// registry would have us ask for. A registry may know the repository by another
// name than its path, so its name is taken where it gives one.
func (c challenge) pull(path string) string {
	if c.scope != "" {
		if m := pullScope.FindStringSubmatch(c.scope); m != nil {
			path = m[1]
		}
	}
	return "repository:" + path + ":pull"
}
