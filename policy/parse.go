package policy

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
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
		p.match, err = p.pattern(key, text)
	case "extract":
		p.extract, err = text, p.checkExtract(text)
	case "ignore":
		p.ignore, err = p.pattern(key, text)
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
