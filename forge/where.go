package forge

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A Place is where the pages of a repository are. Those that Locate returns are safe in
// a link: host and path hold nothing but letters, digits, and - . _ ~ / (and : before a port).
type Place struct {
	Host string // in lower case, with the port if it has one: github.com, git.example:3000
	Path string // from the host's root, without .git: owner/name, group/subgroup/name
	// Kind is github, gitlab or gitea (Forgejo, too), guessed from the host; empty
	// where its name does not say. Who knows better may set it.
	Kind string

	plain bool // http
}

const (
	maxAddress = 2048 // bytes of a repository's address
	maxRef     = 512
)

// Locate is where the pages of a repository are, from the address that it is cloned from
// (https://host/owner/name.git, ssh://git@host:22/owner/name.git, git@host:owner/name.git) or
// read at. It is asked for what images say of their source, too: whatever is not
// plainly an address, or holds a credential, is none. Hosts by IPv6 address and repositories
// without an owner are not known.
func Locate(repoURL string) (Place, bool) {
	if len(repoURL) > maxAddress {
		return Place{}, false
	}
	p, path, ok := locateHost(repoURL)
	if !ok {
		return Place{}, false
	}
	if at, known := frontDoors[p.Host]; known {
		p.Host = at
	}
	p.Kind = kindOf(p.Host)
	p.plain = p.plain && !slices.Contains(public, p.Host)
	p.Path, ok = repositoryPath(p, path)
	return p, ok
}

// frontDoors are other names of hosts: those for SSH where only port 443 is open.
var frontDoors = map[string]string{
	"ssh.github.com":       "github.com",
	"www.github.com":       "github.com",
	"altssh.gitlab.com":    "gitlab.com",
	"altssh.bitbucket.org": "bitbucket.org",
}

// public are hosts that have no pages but by https.
var public = []string{"github.com", "gitlab.com", "gitea.com", "codeberg.org", "bitbucket.org"}

// locateHost splits an address. The port of SSH is not that of the pages.
func locateHost(address string) (p Place, path string, ok bool) {
	scheme, rest, isURL := strings.Cut(address, "://")
	if !isURL {
		return locateSCP(address)
	}
	host, path, _ := strings.Cut(rest, "/")
	switch strings.ToLower(scheme) {
	case "https":
		p.Host, ok = hostName(host)
	case "http":
		p.plain = true
		p.Host, ok = hostName(host)
	case "ssh", "git+ssh", "ssh+git":
		if user, after, has := strings.Cut(host, "@"); has {
			if !isName(user) {
				return p, "", false
			}
			host = after
		}
		p.Host, ok = hostName(host)
		p.Host, _, _ = strings.Cut(p.Host, ":")
	}
	return p, path, ok
}

func locateSCP(address string) (p Place, path string, ok bool) {
	user, rest, has := strings.Cut(address, "@")
	host, path, split := strings.Cut(rest, ":")
	if !has || !split || !isName(user) {
		return p, "", false
	}
	p.Host, ok = hostName(host)
	return p, strings.TrimPrefix(path, "/"), ok
}

// hostName is a host with or without a port, in lower case.
func hostName(s string) (string, bool) {
	host, port, has := strings.Cut(strings.ToLower(s), ":")
	if has {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 || port[0] == '0' {
			return "", false
		}
	}
	if len(host) > 253 {
		return "", false
	}
	for label := range strings.SplitSeq(host, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' || !only(label, lower+digits+"-") {
			return "", false
		}
	}
	if has {
		host += ":" + port
	}
	return host, true
}

// repositoryPath is what names a repository: what pages of it add to that is cut off.
func repositoryPath(p Place, path string) (string, bool) {
	parts := strings.Split(strings.TrimSuffix(path, "/"), "/")
	if i := slices.Index(parts, "-"); i > 0 {
		parts = parts[:i] // https://gitlab.com/group/name/-/tree/main
	}
	if p.Kind == "github" && len(parts) > 2 && (parts[2] == "tree" || parts[2] == "blob") {
		parts = parts[:2]
	}
	if len(parts) < 2 || p.Kind == "github" && len(parts) != 2 {
		return "", false
	}
	last := &parts[len(parts)-1]
	*last = strings.TrimSuffix(*last, ".git")
	if strings.HasSuffix(*last, ".git") {
		return "", false // no forge has such a name, and its page would be taken for another's address
	}
	for _, part := range parts {
		if !isName(part) {
			return "", false
		}
	}
	return strings.Join(parts, "/"), true
}

const (
	lower  = "abcdefghijklmnopqrstuvwxyz"
	upper  = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	digits = "0123456789"
	// unreserved stands for itself everywhere: in an address, in Markdown's links, in HTML's attributes.
	unreserved = lower + upper + digits + "-._~"
)

func isName(s string) bool {
	return s != "" && s != "." && s != ".." && len(s) <= 255 && only(s, unreserved)
}

func only(s, set string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return !strings.ContainsRune(set, r) }) < 0
}

// kindOf guesses.
func kindOf(host string) string {
	name, _, _ := strings.Cut(host, ":")
	switch {
	case name == "github.com", strings.HasSuffix(name, ".ghe.com"):
		return "github"
	case name == "codeberg.org":
		return "gitea"
	}
	labels := strings.Split(name, ".")
	if len(labels) > 1 {
		labels = labels[:len(labels)-1] // gitlab.com, but not example.gitlab
	}
	for _, label := range labels {
		switch {
		case strings.HasPrefix(label, "gitlab"):
			return "gitlab"
		case strings.HasPrefix(label, "gitea"), strings.HasPrefix(label, "forgejo"):
			return "gitea"
		}
	}
	if strings.HasPrefix(labels[0], "github") && !strings.HasSuffix(name, ".io") {
		return "github" // Enterprise
	}
	return ""
}

// Web is the repository's page.
func (p Place) Web() string { return p.root() + "/" + p.Path }

func (p Place) root() string {
	if p.plain {
		return "http://" + p.Host
	}
	return "https://" + p.Host
}

// API is the base URL of the forge's API, which ends with a slash; empty where the kind is not known.
func (p Place) API() string {
	switch p.Kind {
	case "github":
		if p.Host == "github.com" || strings.HasSuffix(p.Host, ".ghe.com") {
			return "https://api." + p.Host + "/"
		}
		return p.root() + "/api/v3/"
	case "gitlab":
		return p.root() + "/api/v4/"
	case "gitea":
		return p.root() + "/" + strings.TrimSuffix(p.Path, p.Project()) + "api/v1/"
	}
	return ""
}

// Project is what the API calls the repository: owner/name, at GitLab with all groups. A Gitea may
// stand below a path of its host.
func (p Place) Project() string {
	parts := strings.Split(p.Path, "/")
	if p.Kind == "gitlab" || len(parts) < 2 {
		return p.Path
	}
	return strings.Join(parts[len(parts)-2:], "/")
}

// Compare is the page that shows what a commit or branch has over another; empty where none
// is known, or where one of them cannot be a commit or branch.
func (p Place) Compare(from, to string) string {
	a, okFrom := ref(from)
	b, okTo := ref(to)
	if !okFrom || !okTo {
		return ""
	}
	switch {
	case p.Kind == "github", p.Kind == "gitea":
		return p.Web() + "/compare/" + a + "..." + b
	case p.Kind == "gitlab":
		return p.Web() + "/-/compare/" + a + "..." + b
	case p.isBitbucket():
		return p.Web() + "/branches/compare/" + noSlash(b) + "%0D" + noSlash(a)
	}
	return ""
}

// Propose is the page on which a person opens a proposal of a branch onto base; empty
// where none is known.
func (p Place) Propose(base, branch string) string {
	onto, okBase := ref(base)
	of, okBranch := ref(branch)
	if !okBase || !okBranch {
		return ""
	}
	switch {
	case p.Kind == "github":
		return p.Web() + "/compare/" + onto + "..." + of + "?expand=1"
	case p.Kind == "gitea":
		return p.Web() + "/compare/" + onto + "..." + of
	case p.Kind == "gitlab":
		return p.Web() + "/-/merge_requests/new?merge_request%5Bsource_branch%5D=" + noSlash(of) +
			"&merge_request%5Btarget_branch%5D=" + noSlash(onto)
	case p.isBitbucket():
		return p.Web() + "/pull-requests/new?source=" + noSlash(of) + "&dest=" + noSlash(onto)
	}
	return ""
}

// Commit is the page of a commit, by its id of 7 to 64 hexadecimal digits; empty where none is known.
func (p Place) Commit(rev string) string {
	if len(rev) < 7 || len(rev) > 64 || !only(rev, digits+"abcdefABCDEF") {
		return ""
	}
	switch {
	case p.Kind == "github", p.Kind == "gitea":
		return p.Web() + "/commit/" + rev
	case p.Kind == "gitlab":
		return p.Web() + "/-/commit/" + rev
	case p.isBitbucket():
		return p.Web() + "/commits/" + rev
	}
	return ""
}

func (p Place) isBitbucket() bool { return p.Kind == "" && p.Host == "bitbucket.org" }

func noSlash(escaped string) string { return strings.ReplaceAll(escaped, "/", "%2F") }

// ref escapes a commit or branch. What Git does not take for a name is none, above all
// what means something to a forge: two dots, and the colon before which a fork stands.
func ref(name string) (string, bool) {
	if name == "" || len(name) > maxRef || !utf8.ValidString(name) || strings.ContainsAny(name, " ~^:?*[\\\x7f") ||
		strings.Contains(name, "..") || strings.Contains(name, "@{") || strings.HasSuffix(name, ".") {
		return "", false
	}
	parts := strings.Split(name, "/")
	for i, part := range parts {
		if part == "" || part[0] == '.' || strings.IndexFunc(part, func(r rune) bool { return r < ' ' }) >= 0 {
			return "", false
		}
		parts[i] = url.QueryEscape(part) // leaves the unreserved; a space, which it makes a +, is in no ref
	}
	return strings.Join(parts, "/"), true
}
