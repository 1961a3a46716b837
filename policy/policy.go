package policy

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Keys are the annotations of a spec tag that say how a tag is chosen, without
// their prefix towpath.dev/. All others need the first.
var Keys = []string{"policy", "match", "extract", "ignore", "min-age", "platforms", "allow-downgrade"}

// A Policy chooses one of a repository's tags. It never changes once it is
// parsed; its methods may be called from many goroutines.
type Policy struct {
	order         order
	match, ignore *regexp.Regexp // nil: every tag, no tag
	cost          int            // steps of both
	extract       string         // a template for match; empty: the tag is its own key
	minAge        time.Duration  // zero: any age
	platforms     []string       // sorted; all of them must be offered
	downgrade     bool
}

// String is the policy in one line of canonical form: two policies that choose
// alike for the same words are written alike. It goes into the inputs of a tag's Source.
func (p *Policy) String() string {
	b := &strings.Builder{}
	b.WriteString(p.order.String())
	for _, pattern := range []struct {
		key string
		re  *regexp.Regexp
	}{{"match", p.match}, {"ignore", p.ignore}} {
		if pattern.re != nil {
			fmt.Fprintf(b, " %s=%q", pattern.key, pattern.re)
		}
	}
	if p.extract != "" {
		fmt.Fprintf(b, " extract=%q", p.extract)
	}
	if p.minAge > 0 {
		b.WriteString(" min-age=" + span(p.minAge))
	}
	if len(p.platforms) > 0 {
		b.WriteString(" platforms=" + strings.Join(p.platforms, ","))
	}
	if p.downgrade {
		b.WriteString(" allow-downgrade")
	}
	return b.String()
}

// WithMinAge is the policy with a minimum age where it names none itself.
func (p *Policy) WithMinAge(d time.Duration) *Policy {
	if p == nil || p.minAge > 0 || d <= 0 {
		return p
	}
	q := *p
	q.minAge = d
	return &q
}

// asks reports whether an image must be known before it can be chosen.
// MinAge is how old an image must be at the least; 0: any age will do.
func (p *Policy) MinAge() time.Duration { return p.minAge }

func (p *Policy) asks() bool { return p.minAge > 0 || len(p.platforms) > 0 }

// A candidate is a tag that the policy is about.
type candidate struct {
	tag     string
	rank    rank   // nil: cannot be compared, and is refused
	refused string // why its name keeps it out; empty: it does not
}

// admit reads a tag's name; ours is false for one that the policy is not about at all.
func (p *Policy) admit(tag string) (c candidate, ours bool) {
	if !isTag(tag) {
		return candidate{}, false
	}
	key := tag
	switch {
	case p.extract != "":
		at := p.match.FindStringSubmatchIndex(tag)
		if at == nil {
			return candidate{}, false
		}
		key = string(p.match.ExpandString(nil, p.extract, tag, at))
	case p.match != nil && !p.match.MatchString(tag):
		return candidate{}, false
	}
	c = candidate{tag: tag}
	c.rank, c.refused = p.order.read(key)
	if c.refused == "" && p.ignore != nil && p.ignore.MatchString(tag) {
		c.refused = "left out by ignore"
	}
	// Among all of a repository's tags most may be none of the order's; what match
	// names was meant.
	return c, c.rank != nil || p.match != nil || p.order.strict()
}

// compare is positive where a comes before b.
func (p *Policy) compare(a, b candidate) int {
	switch {
	case a.rank != nil && b.rank != nil:
		if d := p.order.compare(a.rank, b.rank); d != 0 {
			return d
		}
	case a.rank != nil:
		return 1
	case b.rank != nil:
		return -1
	}
	return byName(a.tag, b.tag)
}

// byName orders tags of equal rank: 1.2.3 before v1.2.3, then by bytes.
func byName(a, b string) int {
	if va, vb := strings.HasPrefix(a, "v"), strings.HasPrefix(b, "v"); va != vb {
		if vb {
			return 1
		}
		return -1
	}
	return strings.Compare(b, a)
}

// isTag reports whether a registry may have a tag of that name. What is none could
// break the lines that tags are printed in.
func isTag(name string) bool {
	if name == "" || len(name) > 128 || name[0] == '.' || name[0] == '-' {
		return false
	}
	for i := range len(name) {
		switch c := name[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '_', c == '.', c == '-':
		default:
			return false
		}
	}
	return true
}

// span writes a duration as people do: 72h, 90m, 1h30m.
func span(d time.Duration) string {
	text := d.String()
	if short, ok := strings.CutSuffix(text, "m0s"); ok {
		text = short + "m"
	}
	if short, ok := strings.CutSuffix(text, "h0m"); ok {
		text = short + "h"
	}
	return text
}

// clip makes text of others fit for a message: quoted, printable, short.
func clip(text string) string {
	const most = 60
	runes := 0
	for at := range text {
		if runes++; runes > most {
			return strconv.Quote(text[:at] + "…")
		}
	}
	return strconv.Quote(text)
}
