package integrated

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// A Right is something that may be done with repositories.
type Right string

const (
	Pull   Right = "pull"
	Push   Right = "push" // also to ask whether something is there
	Delete Right = "delete"
)

// A Pattern is what names may fit, such as a glob.
type Pattern interface{ Match(name string) bool }

// A Grant says who may do what in which namespaces.
type Grant struct {
	Who        []string // users and robots; * is any of them
	Namespaces []Pattern
	May        []Right
}

// Access is who may do what. What nothing grants is denied.
type Access struct {
	Grants    []Grant
	Anonymous []Pattern // namespaces that anybody may pull from
}

// A principal is who asks. The zero value is anybody.
type principal struct {
	name  string // of a user or robot
	local bool   // somebody on this machine, at a registry that knows no users
}

// called is a principal for people.
func (p principal) called() string {
	switch {
	case p.local:
		return "this machine"
	case p.name == "":
		return "nobody known"
	}
	return p.name
}

// key is the name that limits count by; none for anybody.
func (p principal) key() string {
	if p.local {
		return "local"
	}
	if p.name != "" {
		return "known " + p.name
	}
	return ""
}

// may reports whether somebody has a right in a namespace.
func (a Access) may(p principal, right Right, namespace string) bool {
	if right == Pull && matches(a.Anonymous, namespace) {
		return true
	}
	if p.local {
		return right == Pull || right == Push
	}
	if p.name == "" {
		return false
	}
	for _, g := range a.Grants {
		who := slices.Contains(g.Who, p.name) || slices.Contains(g.Who, "*")
		if who && slices.Contains(g.May, right) && matches(g.Namespaces, namespace) {
			return true
		}
	}
	return false
}

// sees reports whether somebody may ask whether something is there: who may push has to know what
// is missing.
func (a Access) sees(p principal, namespace string) bool {
	return a.may(p, Pull, namespace) || a.may(p, Push, namespace)
}

func matches(patterns []Pattern, name string) bool {
	return slices.ContainsFunc(patterns, func(p Pattern) bool { return p.Match(name) })
}

// denied is the answer to somebody without a right. It is the same whether there is something
// or not.
func denied(p principal, right Right, namespace string, known bool) *refusal {
	line := func(who string) string {
		return "write into the operator's file, below registry: access: [{who: [" + who + "], namespaces: [" + namespace + "], may: [" + string(right) + "]}]" + Restarts
	}
	switch {
	case p.local:
		return refuse(http.StatusForbidden, "DENIED", "nobody may "+string(right)+" at a registry without users; add users-file: or tokens: and "+line("NAME"))
	case p.name != "":
		return refuse(http.StatusForbidden, "DENIED", p.name+" may not "+string(right)+" in "+namespace+"; its operator can "+line(p.name))
	case !known:
		return nobodyKnown()
	}
	r := refuse(http.StatusUnauthorized, "UNAUTHORIZED", "log in first, as a user or with a robot's token")
	r.challenge = true
	return r
}

// Restarts is said behind what to write into the operator's file: it is read at the start.
const Restarts = ", and restart towpath"

// nobodyKnown is the answer to other machines while no users are configured.
func nobodyKnown() *refusal {
	return refuse(http.StatusForbidden, "DENIED", "this registry has no users, and so serves its own machine only, as localhost and without a proxy; its operator can write below registry: users-file: FILE (made by htpasswd -B -c FILE NAME) and access: [{who: [NAME], namespaces: ['*'], may: [pull, push]}]"+Restarts)
}

// forwarding are headers that a proxy adds, and a browser. Who comes with one of them need not be
// on this machine, or need not know what it asks.
var forwarding = []string{"Forwarded", "X-Forwarded-For", "X-Real-Ip", "Via", "Origin", "Sec-Fetch-Site"}

// isLocal reports whether a request comes from this machine: by the address of the
// connection. Headers only ever take that away: one of forwarding, be it empty, and a host
// other than this machine. A page from elsewhere may have a name that becomes this machine's
// address, and then its browser sends nothing else that would tell.
func isLocal(remote, host string, h http.Header) bool {
	for _, key := range forwarding {
		if len(h.Values(key)) > 0 {
			return false
		}
	}
	addr, err := netip.ParseAddrPort(remote)
	return err == nil && addr.Addr().Unmap().IsLoopback() && isLoopbackHost(host)
}

// isLoopbackHost reports whether the host of a request, with a port or without, is localhost or a
// loopback address.
func isLoopbackHost(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	if strings.EqualFold(host, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(host, "["), "]"))
	return err == nil && addr.Unmap().IsLoopback()
}

// credentials are what a request says of its sender; none where it says nothing. Some clients send
// an empty name and password when they have none.
func credentials(h http.Header) (name, secret string, there bool, bad *refusal) {
	values := h.Values("Authorization")
	if len(values) == 0 {
		return "", "", false, nil
	}
	scheme, rest, _ := strings.Cut(values[0], " ")
	if len(values) == 1 && len(rest) <= 4096 {
		switch strings.ToLower(scheme) {
		case "bearer":
			return "", strings.TrimSpace(rest), true, nil
		case "basic":
			name, secret, ok := (&http.Request{Header: h}).BasicAuth()
			if ok {
				return name, secret, name != "" || secret != "", nil
			}
		}
	}
	return "", "", false, wrongPassword()
}

func wrongPassword() *refusal {
	r := refuse(http.StatusUnauthorized, "UNAUTHORIZED", "the name and password, or the token, are not known here; log in again")
	r.challenge = true
	return r
}
