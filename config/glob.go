package config

import (
	"fmt"
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
	literal int    // bytes that stand for themselves
}

// Match reports whether the whole path fits.
func (g Glob) Match(path string) bool {
	return strings.HasPrefix(path, g.prefix) && doublestar.MatchUnvalidated(g.text, path)
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
	}
	g.text, g.prefix = text, text
	if i := strings.IndexAny(text, `*?[{\`); i >= 0 {
		g.prefix = strings.TrimSuffix(text[:i], "/") // a/** is also a
	}
	g.literal = literal(text)
	return nil
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
