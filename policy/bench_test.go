package policy

import (
	"fmt"
	"strings"
	"testing"
)

// many makes n different names of tags.
func many(n int, name func(i int) string) []string {
	tags := make([]string, n)
	for i := range tags {
		tags[i] = name(i * 7919 % n)
	}
	return tags
}

const lot = 100_000

var lots = []struct {
	name        string
	annotations map[string]string
	tags        []string
}{
	{"semver", map[string]string{"policy": "semver:>=1.4 <2"},
		many(lot, func(i int) string { return fmt.Sprintf("v%d.%d.%d", i/10000, i/100%100, i%100) })},
	{"semver, 32 alternatives", map[string]string{"policy": "semver:" + strings.Repeat("=99 ||", 31) + "=99"},
		many(lot, func(i int) string { return fmt.Sprintf("%d.%d.%d", i/10000, i/100%100, i%100) })},
	{"semver, pre-releases", map[string]string{"policy": "semver:>=1.0.0-0"},
		many(lot, func(i int) string { return fmt.Sprintf("1.0.0-%s%d", strings.Repeat("a.", 58), i) })},
	{"numerical", map[string]string{"policy": "numerical:asc", "match": "^main-[a-f0-9]+-(?P<ts>[0-9]+)$", "extract": "$ts"},
		many(lot, func(i int) string { return fmt.Sprintf("main-%08x-%d", i*2654435761%(1<<32), 1700000000+i) })},
	{"numerical, shas", map[string]string{"policy": "numerical:asc"},
		many(lot, func(i int) string { return fmt.Sprintf("%09d", i*2654435761%(1<<29)) })},
	{"alphabetical", map[string]string{"policy": "alphabetical:asc", "match": "^main-", "ignore": "-(alpha|beta)"},
		many(lot, func(i int) string { return fmt.Sprintf("main-%08x-%d", i*2654435761%(1<<32), 1700000000+i) })},
	{"wide match", map[string]string{"policy": "alphabetical:asc", "match": "(.*a){5}=$"},
		many(lot, func(i int) string { return fmt.Sprintf("%s%d", strings.Repeat("a", 110), i) })},
	{"none", map[string]string{"policy": "semver:*"},
		many(lot, func(i int) string { return fmt.Sprintf("sha-%040x", i) })},
}

func BenchmarkShortlist(b *testing.B) {
	for _, tt := range lots {
		b.Run(tt.name, func(b *testing.B) {
			p, err := Parse(tt.annotations)
			if err != nil {
				b.Fatal(err, err.Fix)
			}
			b.ReportAllocs()
			for b.Loop() {
				p.Shortlist(tt.tags)
			}
		})
	}
}
