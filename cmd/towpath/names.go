package main

import (
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// usablePath reports whether a run would read a file of that path, whatever is in it: no
// step of it leads into a .git, or could deceive whoever reads it.
func usablePath(path string) bool {
	return !slices.ContainsFunc(strings.Split(path, "/"), func(step string) bool { return step != "." && unusable(step) })
}

// unusable finds the names that stores refuse to read from a commit, so that a checkout
// is read as they read it.
func unusable(name string) bool {
	return name == "" || name == "." || name == ".." || !utf8.ValidString(name) || dotGit(name) || strings.ContainsFunc(name, func(r rune) bool {
		return r == '\\' || r == '\ufeff' || r == '\u2028' || r == '\u2029' || unicode.IsControl(r) || unicode.Is(unicode.Cf, r)
	})
}

// dotGit knows .git as file systems know it that ignore case, trailing dots and blanks,
// streams, or characters that show nothing.
func dotGit(name string) bool {
	name, _, _ = strings.Cut(name, ":")
	name = strings.TrimRight(strings.Map(visible, name), ". ")
	return strings.EqualFold(name, ".git") || strings.EqualFold(name, "git~1")
}

// visible drops what shows nothing.
func visible(r rune) rune {
	if unicode.Is(unicode.Cf, r) {
		return -1
	}
	return r
}

// quotedPath is a path as a commit shows it: in quotes where it cannot be used.
func quotedPath(path string) string {
	if usablePath(path) {
		return path
	}
	return strconv.QuoteToASCII(path)
}
