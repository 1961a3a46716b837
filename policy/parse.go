package policy

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/Masterminds/semver/v3"
)

// An Error is an annotation that cannot be used. There is no policy then: an
// invalid one never matches everything.
type Error struct {
	Key  string // of Keys
	What string // what is wrong with it
	Fix  string // what to write
}

func (e *Error) Error() string { return e.What }

// wrong says that the text of a key is not as it must be.
func wrong(key, text, what, fix string) *Error {
	return &Error{Key: key, What: fmt.Sprintf("towpath.dev/%s %s %s", key, clip(text), what), Fix: fix}
}

// line is an annotation as a person writes it.
func line(key, text string) string { return fmt.Sprintf("towpath.dev/%s: %q", key, text) }

// Parse reads annotations by Keys. It returns nil, nil where there is none of them.
func Parse(annotations map[string]string) (*Policy, *Error) {
	given := slices.DeleteFunc(slices.Clone(Keys), func(key string) bool {
		_, ok := annotations[key]
		return !ok
	})
	if len(given) == 0 {
		return nil, nil
	}
	if given[0] != "policy" {
		return nil, &Error{
			Key:  given[0],
			What: "towpath.dev/" + given[0] + " does nothing without towpath.dev/policy",
			Fix:  "say how the tag is chosen, such as " + line("policy", "semver:>=1.4 <2") + ", or remove it",
		}
	}
	p := &Policy{}
	for _, key := range given {
		text := strings.TrimSpace(annotations[key])
		if text == "" {
			return nil, &Error{Key: key, What: "towpath.dev/" + key + " is empty", Fix: "write a value, such as " + line(key, examples[key]) + ", or remove it"}
		}
		if err := p.set(key, text); err != nil {
			return nil, err
		}
	}
	return p, nil
}

var examples = map[string]string{
	"policy":          "semver:>=1.4 <2",
	"match":           `^main-[a-f0-9]+-(?P<ts>[0-9]+)$`,
	"extract":         "$ts",
	"ignore":          "-(alpha|beta)",
	"min-age":         "72h",
	"platforms":       "linux/amd64,linux/arm64",
	"allow-downgrade": "true",
}

// set takes in one annotation; those of Keys that stand before it are in.
func (p *Policy) set(key, text string) (err *Error) {
	switch key {
	case "policy":
		p.order, err = parseOrder(text)
	case "match":
		p.match, err = parsePattern(key, text)
	case "extract":
		p.extract, err = text, p.checkExtract(text)
	case "ignore":
		p.ignore, err = parsePattern(key, text)
	case "min-age":
		p.minAge, err = parseAge(text)
	case "platforms":
		p.platforms, err = parsePlatforms(text)
	case "allow-downgrade":
		p.downgrade = text == "true"
		if text != "true" && text != "false" {
			err = wrong(key, text, "must be true or false", "write "+line(key, "true")+", or remove it")
		}
	}
	return err
}

// kinds are the policies that there are; others are what people call them elsewhere.
var (
	kinds  = []string{"semver", "newest", "alphabetical", "numerical"}
	others = map[string]string{
		"latest": "newest", "newest-build": "newest", "date": "newest", "created": "newest", "age": "newest",
		"name": "alphabetical", "lexical": "alphabetical", "alpha": "alphabetical",
		"number": "numerical", "numeric": "numerical", "integer": "numerical",
		"version": "semver", "semantic": "semver",
	}
)

func parseOrder(text string) (order, *Error) {
	kind, rest, colon := strings.Cut(text, ":")
	kind, rest = strings.TrimSpace(kind), strings.TrimSpace(rest)
	switch {
	case kind == "semver":
		return parseRange(rest)
	case kind == "newest" && !colon:
		return ages{}, nil
	case kind == "newest":
		return nil, wrong("policy", text, "says too much: newest takes nothing after it", "write "+line("policy", "newest"))
	case kind == "alphabetical", kind == "numerical":
		desc, err := parseDirection(kind, rest, colon)
		if kind == "numerical" {
			return numbers{desc}, err
		}
		return texts{desc}, err
	}
	return nil, wrong("policy", text, "is no policy", didYouMean(kind, rest, colon, text))
}

func didYouMean(kind, rest string, colon bool, text string) string {
	near := others[strings.ToLower(kind)]
	if near == "" {
		near = closest(strings.ToLower(kind), kinds)
	}
	switch {
	case near == "semver" && rest == "":
		return "did you mean " + line("policy", examples["policy"]) + "?"
	case near == "newest", near != "" && !colon:
		return "did you mean " + line("policy", near) + "?"
	case near != "" && len(rest) <= 60:
		return "did you mean " + line("policy", near+":"+rest) + "?"
	case len(text) <= 60 && strings.ContainsAny(text, "0123456789") && isRange(text):
		return "did you mean " + line("policy", "semver:"+text) + "?"
	}
	return `write "semver:RANGE", "newest", "alphabetical:asc" or "numerical:asc" (or desc), such as ` + line("policy", examples["policy"])
}

func parseDirection(kind, text string, colon bool) (desc bool, err *Error) {
	switch {
	case text == "asc", !colon:
		return false, nil
	case text == "desc":
		return true, nil
	}
	want := "asc"
	if strings.HasPrefix(strings.ToLower(text), "d") {
		want = "desc"
	}
	return false, wrong("policy", kind+":"+text, "names no order that there is", "write "+line("policy", kind+":"+want)+"; asc takes the last, desc the first")
}

func isRange(text string) bool {
	_, err := semver.NewConstraint(text)
	return err == nil
}

// parseRange reads a range of versions, and refuses one that no version is in.
func parseRange(text string) (order, *Error) {
	const example = `such as "semver:>=1.4 <2", "semver:~1.4" or "semver:*"`
	text = strings.Join(strings.Fields(text), " ")
	if text == "" {
		return nil, wrong("policy", "semver:", "names no range", "write one, "+example)
	}
	if len(text) > semver.MaxConstraintLen {
		return nil, wrong("policy", "semver:"+text, fmt.Sprintf("is longer than %d bytes", semver.MaxConstraintLen), "write a shorter range, "+example)
	}
	in, err := semver.NewConstraint(text)
	if err != nil {
		return nil, wrong("policy", "semver:"+text, "is no range of versions", "write one, "+example)
	}
	if !satisfiable(text, in) {
		return nil, wrong("policy", "semver:"+text, "is a range that no version is in", `write one that has versions, such as ">=1.4 <2"; alternatives stand on both sides of ||`)
	}
	return versions{text: text, in: in, pre: bound.MatchString(text) && namesPre(text)}, nil
}

// bound is a version as a range may name it.
var bound = regexp.MustCompile(`([0-9]+)(?:\.([0-9]+|[xX*]))?(?:\.([0-9]+|[xX*]))?(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?`)

func namesPre(text string) bool {
	return slices.ContainsFunc(bound.FindAllStringSubmatch(text, -1), func(m []string) bool { return m[4] != "" })
}

// satisfiable reports whether a version is in the range. Where one is, then also one of
// those at or right above its bounds: each stretch of a range begins at one.
func satisfiable(text string, in *semver.Constraints) bool {
	for _, m := range append(bound.FindAllStringSubmatch(text, -1), make([]string, 5)) {
		var n [3]uint64
		for i := range n {
			n[i], _ = strconv.ParseUint(m[i+1], 10, 64) // x and what is left out are 0
		}
		pres := []string{"", "0"}
		if m[4] != "" {
			pres = append(pres, m[4], m[4]+".0")
		}
		for _, pre := range pres {
			for _, v := range []*semver.Version{
				semver.New(n[0], n[1], n[2], pre, ""),
				semver.New(n[0], n[1], n[2]+1, pre, ""),
				semver.New(n[0], n[1]+1, 0, pre, ""),
				semver.New(n[0]+1, 0, 0, pre, ""),
			} {
				if in.Check(v) {
					return true
				}
			}
		}
	}
	return false
}

const year = 366 * 24 * time.Hour

var days = regexp.MustCompile(`^([0-9]{1,4})d(.*)$`)

// parseAge reads a duration; days may stand before the hours.
func parseAge(text string) (time.Duration, *Error) {
	var d time.Duration
	rest := text
	if m := days.FindStringSubmatch(text); m != nil {
		n, _ := strconv.Atoi(m[1]) // at most four digits
		d, rest = time.Duration(n)*24*time.Hour, m[2]
	}
	if rest != "" {
		more, err := time.ParseDuration(rest)
		if err != nil || more < 0 {
			return 0, wrong("min-age", text, "is no duration", "write a number with its unit: "+line("min-age", "72h")+" or "+line("min-age", "3d"))
		}
		d += more
	}
	if d <= 0 || d > year {
		return 0, wrong("min-age", text, "must be more than nothing and at most 366d", "write "+line("min-age", "72h")+", or remove it for any age")
	}
	return d, nil
}

var (
	platform = regexp.MustCompile(`^[a-z0-9_]{1,32}/[a-z0-9_]{1,32}(/[a-z0-9_.]{1,32})?$`)
	// architectures are called otherwise by compilers and kernels.
	architectures = map[string]string{
		"x86_64": "amd64", "x86-64": "amd64", "x64": "amd64", "aarch64": "arm64", "arm64v8": "arm64",
		"i386": "386", "i686": "386", "armhf": "arm/v7", "armv7": "arm/v7", "armv6": "arm/v6", "ppc64el": "ppc64le",
	}
)

// parsePlatforms reads a list; it comes back sorted, each platform once.
func parsePlatforms(text string) ([]string, *Error) {
	const most = 20
	var all []string
	for part := range strings.SplitSeq(text, ",") {
		part = strings.TrimSpace(part)
		os, arch, slash := strings.Cut(part, "/")
		name, known := architectures[strings.ToLower(arch)]
		if bare, ok := architectures[strings.ToLower(part)]; ok && !slash {
			os, name, known = "linux", bare, true
		}
		switch {
		case known && len(os) <= 32:
			return nil, wrong("platforms", part, "is no platform", fmt.Sprintf("did you mean %q?", strings.ToLower(os)+"/"+name))
		case !platform.MatchString(part):
			return nil, wrong("platforms", part, "is no platform", "write os/architecture or os/architecture/variant, with commas between them: "+line("platforms", examples["platforms"]))
		}
		if all = append(all, plainPlatform(part)); len(all) > most {
			return nil, wrong("platforms", text, fmt.Sprintf("names more than %d platforms", most), "name those that the image runs on")
		}
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}

// plainPlatform leaves out the variant that is meant without one.
func plainPlatform(text string) string {
	if os, ok := strings.CutSuffix(text, "/arm64/v8"); ok {
		return os + "/arm64"
	}
	return text
}

// offers reports whether one of the platforms serves the wanted one: without a variant
// each does.
func offers(offered []string, want string) bool {
	return slices.ContainsFunc(offered, func(have string) bool {
		have = plainPlatform(have)
		return have == want || strings.HasPrefix(have, want+"/")
	})
}

// closest is the name that a typing error makes of it, empty if none is near.
func closest(text string, names []string) string {
	best, least := "", 3
	for _, name := range names {
		if d := distance(text, name); d < least && d < len(name) {
			best, least = name, d
		}
	}
	return best
}

// distance is how many letters must be put in, taken out or replaced; those of long
// texts are not counted.
func distance(a, b string) int {
	if len(a) > 32 {
		return len(a)
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(diagonal+cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
