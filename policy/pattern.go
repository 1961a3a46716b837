package policy

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"strconv"
	"strings"
	"unicode"
)

// What a pattern costs is bounded before it is compiled: by the length of its source,
// and by the steps of its program, which a short source can multiply. Each step may be
// tried at each byte of a tag, so that their product is bounded before tags are read.
const (
	maxSource  = 4 << 10
	maxProgram = 1000
	maxWork    = 1 << 29 // steps times bytes of all tags: some seconds
	maxExtract = 256
)

// pattern compiles what match or ignore says; it is part of what reading a tag costs.
func (p *Policy) pattern(key, text string) (*regexp.Regexp, *Error) {
	if len(text) > maxSource {
		return nil, wrong(key, text, fmt.Sprintf("is longer than %d bytes", maxSource), "write a shorter pattern")
	}
	tree, err := syntax.Parse(text, syntax.Perl)
	if err == nil && steps(tree) <= maxProgram {
		if re, err := regexp.Compile(text); err == nil {
			p.cost += steps(tree)
			return re, nil
		}
	}
	var bad *syntax.Error
	switch {
	case err == nil:
		return nil, wrong(key, text, "repeats too much", `write a smaller pattern: + and * instead of large {counts}`)
	case errors.As(err, &bad) && bad.Code == syntax.ErrInvalidPerlOp:
		return nil, wrong(key, text, fmt.Sprintf("is no pattern: there is no %s", clip(bad.Expr)), "write it without looking ahead or behind (syntax RE2); towpath.dev/ignore leaves tags out")
	case errors.As(err, &bad):
		return nil, wrong(key, text, fmt.Sprintf("is no pattern: %s: %s", bad.Code, clip(bad.Expr)), "write a regular expression (syntax RE2), such as "+line(key, examples[key]))
	}
	return nil, wrong(key, text, "is no pattern", "write a regular expression (syntax RE2), such as "+line(key, examples[key]))
}

// steps is how long a program a pattern compiles to, about, and no further than
// needed.
func steps(re *syntax.Regexp) int {
	n := 0
	for _, sub := range re.Sub {
		n = min(n+steps(sub), maxProgram+1)
	}
	switch re.Op {
	case syntax.OpLiteral:
		n = len(re.Rune)
	case syntax.OpCapture:
		n += 2
	case syntax.OpAlternate:
		n += len(re.Sub) - 1
	case syntax.OpConcat:
	case syntax.OpRepeat:
		n = (n + 1) * max(re.Max, re.Min+1)
	default: // one step, with what it repeats
		n++
	}
	return min(n, maxProgram+1)
}

// checkExtract wants each $group of a template to be one of match.
func (p *Policy) checkExtract(text string) *Error {
	const key = "extract"
	switch {
	case p.match == nil:
		return &Error{Key: key, What: "towpath.dev/extract needs towpath.dev/match", Fix: "write the pattern whose groups it names, such as " + line("match", examples["match"])}
	case p.order == ages{}:
		return wrong(key, text, "does nothing: newest compares what images say, not names", "remove it")
	case len(text) > maxExtract:
		return wrong(key, text, fmt.Sprintf("is longer than %d bytes", maxExtract), "write a shorter template, such as "+line(key, "$1"))
	}
	groups := 0
	for rest := text; ; groups++ {
		_, after, found := strings.Cut(rest, "$")
		if !found {
			break
		}
		if strings.HasPrefix(after, "$") { // a dollar itself
			rest = after[1:]
			groups--
			continue
		}
		name, tail, ok := groupName(after)
		if !ok {
			return wrong(key, text, "has a $ without a group", "write $name, ${name} or $1; a dollar itself is $$")
		}
		if !p.hasGroup(name) {
			return wrong(key, text, fmt.Sprintf("names the group %s, which match has not", clip(name)), p.groupFix(name))
		}
		rest = tail
	}
	if groups == 0 {
		return wrong(key, text, "names no group: all tags would be alike", "write "+line(key, "$1")+", or remove it")
	}
	return nil
}

// groupName reads what follows a $, as regexp.Expand does.
func groupName(text string) (name, rest string, ok bool) {
	if braced, isBraced := strings.CutPrefix(text, "{"); isBraced {
		name, rest, ok = strings.Cut(braced, "}")
		return name, rest, ok && name != "" && wordLength(name) == len(name)
	}
	n := wordLength(text)
	return text[:n], text[n:], n > 0
}

func wordLength(text string) int {
	return len(text) - len(strings.TrimLeftFunc(text, func(r rune) bool {
		return r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r)
	}))
}

func (p *Policy) hasGroup(name string) bool {
	if n, err := strconv.Atoi(name); err == nil {
		return n <= p.match.NumSubexp() && name == strconv.Itoa(n)
	}
	return p.match.SubexpIndex(name) >= 0
}

func (p *Policy) groupFix(name string) string {
	var names []string
	for _, group := range p.match.SubexpNames() {
		if group != "" {
			names = append(names, group)
		}
		if group != "" && strings.HasPrefix(name, group) {
			return fmt.Sprintf("did you mean ${%s}%s?", group, strings.TrimPrefix(name, group))
		}
	}
	if near := closest(name, names); near != "" {
		return "did you mean $" + near + "?"
	}
	if digits := name[:len(name)-len(strings.TrimLeft(name, "0123456789"))]; digits != "" && digits != name && p.hasGroup(digits) {
		return fmt.Sprintf("did you mean ${%s}%s?", digits, name[len(digits):])
	}
	if len(names) > 0 {
		return "write one that it has: $" + strings.Join(names, ", $")
	}
	return fmt.Sprintf("put a group of that name into match: (?P<%s>[0-9]+)", name)
}
