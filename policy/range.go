package policy

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/Masterminds/semver/v3"
)

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
	return versions{text: text, in: in, pre: namesPre(text)}, nil
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
			var err error
			if n[i], err = strconv.ParseUint(m[i+1], 10, 64); err != nil {
				break // an x, or left out: it is 0, and so is what follows
			}
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
