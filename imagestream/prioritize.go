package imagestream

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
)

var (
	minorVersion = regexp.MustCompile(`^v?(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)(?:-([0-9A-Za-z.-]+))?$`)
	fullVersion  = regexp.MustCompile(`^v?(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)(?:-([0-9A-Za-z.-]+))?$`)
)

// PrioritizeTags is the order in which the tags of a repository are imported, so
// that a cap cuts off those that matter least: latest; versions of two numbers,
// newest first; versions of three, newest first; all others by name. Of two equal
// versions the one without a v goes first.
func PrioritizeTags(tags []string) []string {
	ranked := make([]rankedTag, len(tags))
	for i, t := range tags {
		ranked[i] = rank(t)
	}
	slices.SortStableFunc(ranked, func(a, b rankedTag) int {
		return cmp.Or(cmp.Compare(a.class, b.class), -a.version.compare(b.version), cmp.Compare(a.prefix, b.prefix), cmp.Compare(a.tag, b.tag))
	})
	out := make([]string, len(ranked))
	for i, r := range ranked {
		out[i] = r.tag
	}
	return out
}

type rankedTag struct {
	tag     string
	class   int // 0 latest, 1 minor, 2 full, 3 other
	prefix  string
	version version
}

func rank(tag string) rankedTag {
	r := rankedTag{tag: tag, class: 3}
	if tag == "latest" {
		r.class = 0
	} else if m := minorVersion.FindStringSubmatch(tag); m != nil {
		r.class, r.version = 1, version{m[1:3], m[3]}
	} else if m := fullVersion.FindStringSubmatch(tag); m != nil {
		r.class, r.version = 2, version{m[1:4], m[4]}
	}
	if r.class != 3 && tag[0] == 'v' {
		r.prefix = "v"
	}
	return r
}

// A version has numbers without leading zeros, of any length.
type version struct {
	numbers []string
	pre     string
}

// compare orders as semver does: a pre-release goes before its release.
func (v version) compare(w version) int {
	for i := range min(len(v.numbers), len(w.numbers)) {
		if c := compareNumbers(v.numbers[i], w.numbers[i]); c != 0 {
			return c
		}
	}
	switch {
	case v.pre == w.pre:
		return 0
	case v.pre == "":
		return 1
	case w.pre == "":
		return -1
	}
	return slices.CompareFunc(strings.Split(v.pre, "."), strings.Split(w.pre, "."), comparePre)
}

func compareNumbers(a, b string) int {
	return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b))
}

// comparePre orders numbers before words.
func comparePre(a, b string) int {
	an, bn := isDigits(a), isDigits(b)
	switch {
	case an && bn:
		a, b = strings.TrimLeft(a, "0"), strings.TrimLeft(b, "0")
		return compareNumbers(a, b)
	case an:
		return -1
	case bn:
		return 1
	}
	return cmp.Compare(a, b)
}

func isDigits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}
