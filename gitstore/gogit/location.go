package gogit

import (
	"errors"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/towpath/towpath/gitstore"
)

// A location is a repository's address, taken apart.
type location struct {
	scheme string   // "http", "https", "ssh" or "file"
	url    *url.URL // all but file; without user information for http(s)
	user   string   // from the URL or the short form
	path   string   // file: an absolute path; ssh: as the server is told it
}

// String is the address without user information.
func (l location) String() string {
	if l.scheme == "file" {
		return l.path
	}
	return l.url.String()
}

// locate reads an address as git does: what has a scheme is a URL, what has a
// colon before any slash is host:path, everything else is a path.
func locate(repo string) (location, error) {
	switch scheme, rest, isURL := strings.Cut(repo, "://"); {
	case repo == "":
		return location{}, badLocation("", "no repository is named", "name one with --repo")
	case strings.HasPrefix(repo, "-"), helper.MatchString(repo):
		return location{}, badLocation("", "the repository's address is not one that towpath reads", addressForms)
	case isURL && strings.EqualFold(scheme, "file"):
		return localPath(rest)
	case isURL:
		return remoteURL(repo)
	}
	host, path, colon := strings.Cut(repo, ":")
	if !colon || strings.Contains(host, "/") {
		return localPath(repo)
	}
	return scpLike(host, path)
}

// helper is git's way of naming a program that speaks to the repository.
var helper = regexp.MustCompile(`^[A-Za-z0-9]+::`)

const addressForms = "use https://host/path, ssh://user@host/path, user@host:path, or the path of a bare repository"

func localPath(path string) (location, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return location{}, badLocation("", "the repository's path cannot be used: "+err.Error(), addressForms)
	}
	return location{scheme: "file", path: abs}, nil
}

func scpLike(host, path string) (location, error) {
	user, name, ok := strings.Cut(host, "@")
	if !ok {
		user, name = "", host
	}
	u := &url.URL{Scheme: "ssh", Host: name, Path: "/" + strings.TrimPrefix(path, "/")}
	// An @ after the colon is more likely the end of a password than part of a path.
	if name == "" || path == "" || strings.ContainsAny(user, ":@") || strings.HasPrefix(name, "-") || strings.Contains(path, "@") {
		return location{}, badLocation("", "the repository's address is not one that towpath reads", addressForms)
	}
	return location{scheme: "ssh", url: u, user: user, path: path}, nil
}

func remoteURL(repo string) (location, error) {
	u, err := url.Parse(repo)
	if err != nil { // its text repeats the URL, which may hold a password
		return location{}, badLocation("", "the repository's URL cannot be read", addressForms)
	}
	user := u.User.Username()
	_, password := u.User.Password()
	u.User = nil
	l := location{scheme: strings.ToLower(u.Scheme), url: u, user: user}
	switch {
	case password:
		return location{}, badLocation(u.String(), "the repository's URL holds a password, which logs and process lists show",
			"take it out of the URL, write it to a file, and name that file as the token or password file")
	case u.Host == "" || u.RawQuery != "" || u.Fragment != "":
		u.RawQuery, u.Fragment = "", "" // which may hold a secret
		return location{}, badLocation(u.String(), "the repository's URL is not that of a repository", addressForms)
	}
	switch l.scheme {
	case "http", "https":
		u.Path, u.RawPath = strings.TrimRight(u.Path, "/"), ""
	case "ssh":
		l.path = strings.TrimPrefix(u.Path, "/~")
		if l.path != u.Path {
			l.path = "~" + l.path
		}
	default:
		return location{}, badLocation(u.String(), "towpath does not speak "+l.scheme, addressForms)
	}
	return l, nil
}

func badLocation(repo, what, fix string) error {
	return &gitstore.Error{Kind: gitstore.Unsupported, Repo: repo, What: what, Fix: fix, Err: errAddress}
}

var errAddress = errors.New("not a usable address")
