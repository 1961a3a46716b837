package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
)

// Bounds of one glob. Its alternatives multiply, and each is tried.
const (
	maxGlob         = 256
	maxAlternatives = 64
)

// A Glob is a pattern for paths from the repository's root, or for names. * and
// ? stop at slashes, ** does not; {a,b} and [a-z] are as in a shell.
type Glob struct {
	text    string
	prefix  string // what every match begins with
	suffix  string // what every match ends with
	literal int    // bytes that stand for themselves
}

// Match reports whether the whole path fits.
func (g Glob) Match(path string) bool {
	return strings.HasPrefix(path, g.prefix) && strings.HasSuffix(path, g.suffix) && doublestar.MatchUnvalidated(g.text, path)
}

// String is the glob as written.
func (g Glob) String() string { return g.text }

func (g *Glob) set(text string) error {
	switch {
	case len(text) > maxGlob:
		return &wrong{fmt.Sprintf("is a glob of more than %d bytes", maxGlob), "write several shorter ones"}
	case alternatives(text) > maxAlternatives:
		return &wrong{fmt.Sprintf("has more than %d combinations of {…}", maxAlternatives), "write several globs"}
	case !doublestar.ValidatePattern(text):
		return &wrong{"is not a glob", "close every [ and {, and write nothing behind a last \\"}
	case strings.HasPrefix(text, "/") || strings.HasPrefix(text, "./"):
		return &wrong{"never matches: paths begin at the repository's root, without / or ./", "write " + strings.TrimLeft(text, "./")}
	case strings.HasSuffix(text, "/"):
		return &wrong{"never matches: it names a directory", "write " + text + "**"}
	case leadsOut(text):
		return &wrong{"never matches: no path of a repository has a part . or ..", "write it from the repository's root, without them"}
	}
	g.text, g.prefix, g.suffix = text, text, text
	if i := strings.IndexAny(text, wildcards); i >= 0 {
		g.prefix = strings.TrimSuffix(text[:i], "/")                                       // a/** is also a
		g.suffix = strings.TrimPrefix(text[strings.LastIndexAny(text, wildcards)+1:], "/") // **/a is also a
	}
	g.literal = literal(text)
	return nil
}

// wildcards are the characters that do not stand for themselves, with those that end what
// they begin.
const wildcards = `*?[]{}\`

// leadsOut reports whether a part of a glob is . or .., or may be one.
func leadsOut(text string) bool {
	for part := range strings.SplitSeq(text, "/") {
		choices := []string{part}
		if inner, ok := strings.CutPrefix(part, "{"); ok {
			choices = strings.Split(strings.TrimSuffix(inner, "}"), ",")
		}
		if slices.Contains(choices, ".") || slices.Contains(choices, "..") {
			return true
		}
	}
	return false
}

// alternatives is at least the number of globs without braces that a glob
// stands for.
func alternatives(text string) int {
	n := 1
	var open []int // alternatives so far of each open brace
	for _, r := range text {
		top := len(open) - 1
		switch {
		case r == '{':
			open = append(open, 1)
		case r == ',' && top >= 0:
			open[top]++
		case r == '}' && top >= 0:
			n = min(n*open[top], maxAlternatives+1)
			open = open[:top]
		}
	}
	return n
}

// literal counts the bytes of a glob that are not wildcards. Of braces and
// classes nothing counts.
func literal(text string) int {
	n, depth := 0, 0
	for _, r := range text {
		switch r {
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		case '*', '?', '\\':
		default:
			if depth == 0 {
				n++
			}
		}
	}
	return n
}

// anyMatch reports whether one of the globs fits.
func anyMatch(globs []Glob, path string) bool {
	for _, g := range globs {
		if g.Match(path) {
			return true
		}
	}
	return false
}
