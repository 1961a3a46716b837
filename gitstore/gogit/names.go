package gogit

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/towpath/towpath/gitstore"
)

// branchName leaves out what git forbids and what shells, options and logs
// could stumble over; a name that it refuses is never sent anywhere.
var branchName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._/-]{0,200}$`)

func usableBranch(name string) bool {
	if !branchName.MatchString(name) || strings.Contains(name, "..") || strings.HasSuffix(name, ".") {
		return false
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == "" || strings.HasPrefix(part, ".") || strings.HasSuffix(part, ".lock") {
			return false
		}
	}
	return true
}

const heads = "refs/heads/"

// refOf is a branch's ref. What begins with refs/ is one already, and so is HEAD.
func refOf(branch string) string {
	if branch == "HEAD" || strings.HasPrefix(branch, "refs/") {
		return branch
	}
	return heads + branch
}

// shortOf is a ref as people name it.
func shortOf(ref string) string { return strings.TrimPrefix(ref, heads) }

// checkRef returns the ref of a branch, or of a full name, that may be read. What stands
// behind refs/heads/, refs/pull/ and the like is held to the same rules as a branch.
func checkRef(repo, name string) (string, error) {
	ref := refOf(name)
	if parts := strings.SplitN(ref, "/", 3); usableBranch(ref) && (ref == "HEAD" || len(parts) == 3 && usableBranch(parts[2])) {
		return ref, nil
	}
	return "", unusable(repo, name)
}

// checkBranch returns the ref of a branch that may be written.
func checkBranch(repo, name string) (string, error) {
	ref, err := checkRef(repo, name)
	if err == nil && !strings.HasPrefix(ref, heads) {
		return "", unusable(repo, name)
	}
	return ref, err
}

// checkPrefix returns what the refs begin with of branches whose names begin with a prefix.
func checkPrefix(repo, prefix string) (string, error) {
	if prefix != "" && !usableBranch(prefix+"x") {
		return "", unusable(repo, prefix)
	}
	return heads + prefix, nil
}

func unusable(repo, name string) error {
	return &gitstore.Error{
		Kind: gitstore.NoBranch, Repo: repo,
		What: fmt.Sprintf("%.80q cannot be used as a branch name", name),
		Fix:  "name a branch of letters, digits, '.', '_', '-' and '/' that starts with a letter or digit",
	}
}

const (
	maxPath  = 4096
	maxDepth = 64
)

// why says why an entry of a tree is never read or written; empty if it may
// be. The modes are git's own text for them.
func why(mode, path, name string) string {
	switch {
	case unusableName(name) || len(path) > maxPath || strings.Count(path, "/") >= maxDepth:
		return "an unusable name"
	case mode == modeLink:
		return "a symbolic link"
	case mode == modeSubmodule:
		return "a submodule"
	case !regular(mode) && mode != modeTree:
		return "an entry of an unknown mode"
	}
	return ""
}

// unusableName finds the names that git refuses to check out, on any system,
// and those that would deceive whoever reads them in a log or a diff.
func unusableName(name string) bool {
	if name == "" || name == "." || name == ".." || !utf8.ValidString(name) || dotGit(name) {
		return true
	}
	return strings.ContainsFunc(name, func(r rune) bool {
		return r == '\\' || r == '/' || deceptive(r)
	})
}

// deceptive holds control characters and those that hide or reorder text.
func deceptive(r rune) bool {
	return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' || r == '\ufeff' || unicode.Is(unicode.Cf, r)
}

// dotGit knows ".git" in the disguises of Windows and macOS file systems: any
// case, trailing dots and spaces, a stream suffix, the short name GIT~1, and
// characters that HFS+ ignores (those are all deceptive, see above).
func dotGit(name string) bool {
	stem, _, _ := strings.Cut(strings.ToLower(name), ":")
	stem = strings.TrimRight(stem, ". ")
	return stem == ".git" || stem == "git~1"
}

// shown is a path as it may be shown: quoted if any part of it is unusable.
func shown(path string) string {
	if !utf8.ValidString(path) || strings.ContainsFunc(path, deceptive) || strings.Contains(path, `\`) || len(path) > maxPath {
		if len(path) > maxPath {
			path = path[:maxPath] + "…"
		}
		return strconv.QuoteToASCII(path)
	}
	return path
}
