package policy

import (
	"cmp"
	"math"
	"strconv"
	"strings"

	"github.com/Masterminds/semver/v3"
)

// A rank is what an order compares; nil for what it cannot.
type rank any

// An order tells which of two tags is better by their keys. Its words complete the
// sentences of a Choice.
type order interface {
	// String is the annotation's canonical value.
	String() string
	// read makes a rank of a key. A reason refuses it, also where it can be compared.
	read(key string) (r rank, refused string)
	// strict reports whether a key that cannot be compared is worth a word.
	strict() bool
	// compare is positive where a is better than b.
	compare(a, b rank) int
	// words are: what the best is called, what those before and behind a tag are,
	// and by what they are compared.
	words() words
}

type words struct{ best, before, behind, by string }

// versions are semantic versions in a range; the highest is best.
type versions struct {
	text string // the range as it was written, blanks made single
	in   *semver.Constraints
	pre  bool // the range names a pre-release
}

// short is the range for a sentence.
func (v versions) short() string {
	const most = 60
	if len(v.text) > most {
		return v.text[:most] + "…"
	}
	return v.text
}

func (v versions) String() string { return "semver:" + v.text }
func (v versions) strict() bool   { return false }
func (v versions) words() words   { return words{"highest", "higher", "lower", ""} }

func (v versions) read(key string) (rank, string) {
	// A version is written out, with or without v before it: 1.2 is none, as in Flux.
	version, err := semver.StrictNewVersion(strings.TrimPrefix(key, "v"))
	switch {
	case err != nil:
		return nil, "its key is no semantic version"
	case v.in.Check(version):
		return version, ""
	case version.Prerelease() != "" && !v.pre:
		return version, "is a pre-release, and " + v.short() + " names none"
	}
	return version, "is not in " + v.short()
}

func (v versions) compare(a, b rank) int {
	x, y := a.(*semver.Version), b.(*semver.Version)
	return cmp.Or(
		cmp.Compare(x.Major(), y.Major()),
		cmp.Compare(x.Minor(), y.Minor()),
		cmp.Compare(x.Patch(), y.Patch()),
		comparePre(x.Prerelease(), y.Prerelease()),
	)
}

// comparePre compares pre-releases by semver.org §11, without a copy of their parts:
// it runs for each pair that a sort compares.
func comparePre(a, b string) int {
	switch {
	case a == b:
		return 0
	case a == "":
		return 1
	case b == "":
		return -1
	}
	i := 0
	for i < min(len(a), len(b)) && a[i] == b[i] {
		i++
	}
	start := strings.LastIndexByte(a[:i], '.') + 1 // of the first part that differs
	x, _, _ := strings.Cut(a[start:], ".")
	y, _, _ := strings.Cut(b[start:], ".")
	if x == y { // one ends where the other goes on
		return cmp.Compare(len(a), len(b))
	}
	return comparePart(x, y)
}

func comparePart(a, b string) int {
	if numA, numB := isDigits(a), isDigits(b); numA && numB {
		return cmp.Or(cmp.Compare(len(a), len(b)), strings.Compare(a, b)) // no leading zeros
	} else if numA != numB {
		if numA {
			return -1
		}
		return 1
	}
	return strings.Compare(a, b)
}

func isDigits(text string) bool {
	return text != "" && strings.Trim(text, "0123456789") == ""
}

// texts are compared by their bytes; ascending, the last is best.
type texts struct{ desc bool }

func (o texts) String() string { return "alphabetical:" + direction(o.desc) }
func (o texts) strict() bool   { return true }

func (o texts) words() words {
	if o.desc {
		return words{"first", "earlier", "later", "in alphabetical order"}
	}
	return words{"last", "later", "earlier", "in alphabetical order"}
}

func (o texts) read(key string) (rank, string) {
	if key == "" {
		return nil, "its key is empty"
	}
	return key, ""
}

func (o texts) compare(a, b rank) int {
	return turn(o.desc, strings.Compare(a.(string), b.(string)))
}

// numbers are compared by their value; ascending, the highest is best.
type numbers struct{ desc bool }

func (o numbers) String() string { return "numerical:" + direction(o.desc) }
func (o numbers) strict() bool   { return true }

func (o numbers) words() words {
	if o.desc {
		return words{"lowest", "lower", "higher", "by number"}
	}
	return words{"highest", "higher", "lower", "by number"}
}

func (o numbers) read(key string) (rank, string) {
	if n, ok := parseNumber(key); ok {
		return n, ""
	}
	return nil, "its key is no number"
}

func (o numbers) compare(a, b rank) int { return turn(o.desc, a.(number).compare(b.(number))) }

// A number in its decimal digits, without zeros in front or behind: a float64 would
// not tell nanoseconds of these years from each other.
type number struct {
	negative    bool
	whole, part string
}

// parseNumber takes what strconv.ParseFloat takes, and is finite.
func parseNumber(text string) (number, bool) {
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsInf(f, 0) || math.IsNaN(f) {
		return number{}, false
	}
	digits := strings.TrimLeft(text, "+-")
	if strings.Trim(digits, "0123456789.") != "" { // an exponent, or hexadecimal
		text = strconv.FormatFloat(f, 'f', -1, 64)
		digits = strings.TrimLeft(text, "-")
	}
	whole, part, _ := strings.Cut(digits, ".")
	n := number{whole: strings.TrimLeft(whole, "0"), part: strings.TrimRight(part, "0")}
	n.negative = text[0] == '-' && n.whole+n.part != ""
	return n, true
}

func (n number) compare(o number) int {
	if n.negative != o.negative {
		return turn(n.negative, 1)
	}
	return turn(n.negative, cmp.Or(
		cmp.Compare(len(n.whole), len(o.whole)),
		strings.Compare(n.whole, o.whole),
		strings.Compare(n.part, o.part),
	))
}

// ages compares nothing by name: what an image says of itself decides, in Pick.
type ages struct{}

func (ages) String() string             { return "newest" }
func (ages) strict() bool               { return true }
func (ages) read(string) (rank, string) { return ages{}, "" }
func (ages) compare(_, _ rank) int      { return 0 }
func (ages) words() words               { return words{"newest", "newer", "older", "by the date in the image"} }

func direction(desc bool) string {
	if desc {
		return "desc"
	}
	return "asc"
}

func turn(around bool, d int) int {
	if around {
		return -d
	}
	return d
}
