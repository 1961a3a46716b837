package remote

import (
	"fmt"
	"slices"
	"strings"

	"github.com/towpath/towpath/registry"
)

// A prefix is a host and the beginning of the paths on it, in whole parts.
type prefix struct {
	host string // canonical
	path string // empty: all of the host's repositories
}

// parsePrefix reads HOST or HOST/PATH.
func parsePrefix(written string) (prefix, error) {
	name, path, slash := strings.Cut(written, "/")
	host, err := registry.ParseHost(name)
	if err != nil {
		return prefix{}, err
	}
	if slash {
		// Any host would do: what counts is the path.
		if _, err := registry.ParseRepo("registry.invalid/" + path); err != nil {
			return prefix{}, err
		}
	}
	return prefix{host, path}, nil
}

func (p prefix) String() string {
	if p.path == "" {
		return p.host
	}
	return p.host + "/" + p.path
}

// isWhole reports whether a prefix is all of a repository's name, with no other below
// it: Docker Hub's have two parts.
func (p prefix) isWhole() bool {
	return p.host == registry.Hub && strings.Count(p.path, "/") == 1
}

func (p prefix) holds(repo registry.Repo) bool { return p.host == repo.Host && p.begins(repo.Path) }

func (p prefix) begins(path string) bool {
	return p.path == "" || path == p.path || strings.HasPrefix(path, p.path+"/")
}

// rest is the path of a repository that the prefix holds, without the prefix.
func (p prefix) rest(repo registry.Repo) string {
	return strings.TrimPrefix(strings.TrimPrefix(repo.Path, p.path), "/")
}

// join is the repository that a path names below the prefix.
func (p prefix) join(rest string) registry.Repo {
	return registry.Repo{Host: p.host, Path: strings.Trim(p.path+"/"+rest, "/")}
}

// reach says which registries may be asked at all, by the names that authors
// write. Where an answer leads (a token service, a redirect) is not its matter:
// that is asked without a credential, and never at a private address.
type reach struct {
	allowed []area // empty: all
	blocked []area
}

func newReach(allowed, blocked []string) (r reach, err error) {
	if r.allowed, err = parseAreas("allowed-registries", allowed); err != nil {
		return r, err
	}
	r.blocked, err = parseAreas("blocked-registries", blocked)
	return r, err
}

func parseAreas(key string, written []string) (list []area, err error) {
	for i, w := range written {
		a, err := parseArea(w)
		if err != nil {
			return nil, fmt.Errorf("%s[%d]: %w", key, i, err)
		}
		list = append(list, a)
	}
	return list, nil
}

// check says why a repository may not be asked for, and what the operator would
// have to change.
func (r reach) check(repo registry.Repo) error {
	switch {
	case slices.ContainsFunc(r.blocked, func(a area) bool { return a.blocks(repo) }):
		return fmt.Errorf("%s is blocked: take it out of blocked-registries in the operator's config", repo)
	case len(r.allowed) > 0 && !slices.ContainsFunc(r.allowed, func(a area) bool { return a.allows(repo) }):
		return fmt.Errorf("%s is not allowed: add %s to allowed-registries in the operator's config", repo, repo.Host)
	}
	return nil
}

// checkAll is check, and looks at what a repository is a copy of as well: a blocked
// one must not be had by its mirror's own name.
func (r reach) checkAll(repo registry.Repo, copyOf []registry.Repo) error {
	if err := r.check(repo); err != nil {
		return err
	}
	blocked := reach{blocked: r.blocked}
	for _, original := range copyOf {
		if err := blocked.check(original); err != nil {
			return err
		}
	}
	return nil
}

// An area is one entry of such a list:
//
//	quay.io                  the registry
//	quay.io/team1            repositories of it
//	registry.test:5000       with its port
//	*.example.com            all hosts below example.com, not that one itself
type area struct {
	name   string // of the host, without port
	port   string // empty: see allows and blocks
	below  bool   // hosts below the name
	prefix prefix // of the path; its host is not looked at
}

func parseArea(written string) (area, error) {
	rest, below := strings.CutPrefix(written, "*.")
	p, err := parsePrefix(rest)
	if err != nil {
		return area{}, err
	}
	name, port := splitPort(p.host)
	return area{name: name, port: port, below: below, prefix: p}, nil
}

// splitPort takes a canonical host apart.
func splitPort(host string) (name, port string) {
	if i := strings.LastIndexByte(host, ':'); i > strings.LastIndexByte(host, ']') {
		return host[:i], host[i+1:]
	}
	return host, ""
}

// allows: without a port an entry is for the ports of the schemes, as OpenShift
// has it.
func (a area) allows(repo registry.Repo) bool {
	port, ok := a.covers(repo)
	return ok && (port == a.port || isWeb(port) && isWeb(a.port))
}

// blocks: without a port an entry is for all ports, to leave no way around it.
func (a area) blocks(repo registry.Repo) bool {
	port, ok := a.covers(repo)
	return ok && (a.port == "" || port == a.port || isWeb(port) && isWeb(a.port))
}

// isWeb reports whether a port is the one that is meant where none is written.
func isWeb(port string) bool { return port == "" || port == "443" || port == "80" }

// covers compares all but the port, which it returns.
func (a area) covers(repo registry.Repo) (port string, ok bool) {
	name, port := splitPort(repo.Host)
	if a.below {
		return port, strings.HasSuffix(name, "."+a.name) && a.prefix.begins(repo.Path)
	}
	return port, name == a.name && a.prefix.begins(repo.Path)
}
