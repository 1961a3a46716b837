package imagestream

import (
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/towpath/towpath/internal/seeds"
)

// fault: H-21
func TestLabelsAreInert(t *testing.T) {
	fence := strings.Repeat("`", 3)
	for text, want := range map[string]string{
		"": "",
		"0a1b2c3d4e5f60718293a4b5c6d7e8f901234567":             "0a1b2c3d4e5f60718293a4b5c6d7e8f901234567",
		"1.27.3-r0+build~1":                                    "1.27.3-r0+build~1",
		"2026-01-02T03:04:05.678+01:00":                        "2026-01-02T03:04:05.678+01:00",
		"https://git.example.com/~a/b_c/-/d%20e/":              "https://git.example.com/~a/b_c/-/d%20e",
		"git@git.example.com:a/b.git":                          "git.example.com:a/b.git",
		"ssh://git@git.example.com:22/a/b.git":                 "ssh://git.example.com:22/a/b.git",
		"https://a:" + "word" + "@git.example.com/a?token=b#c": "https://git.example.com/a",
		"https://git.example.com/@a/b":                         "https://git.example.com/-a/b",
		"@team":                                                "team",
		"Fixes #1, @team":                                      "team",
		"Closes #1":                                            "Closes-1",
		"/merge":                                               "merge",
		"\n/merge\n":                                           "merge",
		"a\nCo-authored-by: b <c@d.test>":                      "d.test",
		"a\r\nSigned-off-by: b":                                "a-Signed-off-by:-b",
		"a\u0085b\u2028c\u2029d":                               "a-b-c-d",
		"\x1b[31mred\x1b[0m":                                   "31mred-0m",
		"a\u202eb\u2066c":                                      "a-b-c",
		"l\u0430test":                                          "l-test",
		"<img src=x onerror=alert(1)>":                         "img-src-x-onerror-alert-1",
		"[a](javascript:alert(1))":                             "a-javascript:alert-1",
		fence + "\na\n" + fence:                                "a",
		"**a** _b_ `c` |d| !e $f ^g &commat;h":                 "a-_b_-c-d-e-f-g-commat-h",
		"'a' \"b\"":                                            "a-b",
		"\xff\xfe":                                             "",
		strings.Repeat("a", 1<<20):                             strings.Repeat("a", 200),
		strings.Repeat("a", 199) + " b":                        strings.Repeat("a", 199),
	} {
		got := LabelsOf(map[string]string{"org.opencontainers.image.source": text, "canal.test/berth": "7"})
		if diff := cmp.Diff(Labels{Source: want}, got); diff != "" {
			t.Errorf("%.60q (-want +got):\n%s", text, diff)
		}
	}
	all := map[string]string{"revision": "a", "org.opencontainers.image.base.name": "b"}
	for _, key := range []string{"revision", "source", "version", "created"} {
		all["org.opencontainers.image."+key] = key
	}
	if diff := cmp.Diff(Labels{"revision", "source", "version", "created"}, LabelsOf(all)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

var oneWord = regexp.MustCompile(`^[0-9A-Za-z._+:/~%-]{0,200}$`)

// TestLawLabelsReadBack: whatever an image says, the line holds, and says again.
//
// fault: H-21
func TestLawLabelsReadBack(t *testing.T) {
	seed := seeds.Of(t)
	r := rand.New(rand.NewPCG(seed, 21))
	text := func() string {
		var b strings.Builder
		for range r.IntN(8) {
			b.WriteString(pick(r, "@", "#", "/", "-", "=", " ", "\n", "inputs=00000000", "revision=", "://", "https://", "é", "\u202e", "`", "<", "?", ":", strings.Repeat("x", r.IntN(150)), string(rune(r.IntN(0x500)))))
		}
		return b.String()
	}
	for range 5_000 {
		labels := map[string]string{}
		for _, key := range []string{"revision", "source", "version", "created"} {
			labels["org.opencontainers.image."+key] = text()
		}
		want := Source{From: "a/b:1", Mode: Legacy, Inputs: "5f0c2a1b", Labels: LabelsOf(labels)}
		for _, l := range want.Labels.list() {
			if !oneWord.MatchString(*l.value) {
				t.Fatalf("%q: got %s %q, want one inert word", labels, l.key, *l.value)
			}
		}
		got, ok := ParseSource(want.String())
		if diff := cmp.Diff(want, got); !ok || diff != "" {
			t.Fatalf("%q: %s is read otherwise (-want +got):\n%s", labels, want, diff)
		}
	}
}

// TestLabelsGoWithTheImage: they alone are no reason to write.
func TestLabelsGoWithTheImage(t *testing.T) {
	a, b := image("a", noon), image("b", one)
	old, new := Labels{Revision: "a"}, Labels{Revision: "b"}
	with := func(inputs string, since time.Time, l Labels) *Source {
		s := source(inputs, since)
		s.Labels = l
		return s
	}
	for _, tt := range []struct {
		name   string
		before *Source
		item   Item
		now    *Source
		want   *Source
	}{
		{"turned on, no news", with("00000001", noon, Labels{}), a, with("00000001", one, new), with("00000001", noon, Labels{})},
		{"turned off, no news", with("00000001", noon, old), a, with("00000001", one, Labels{}), with("00000001", noon, old)},
		{"others, no news", with("00000001", noon, old), a, with("00000001", one, new), with("00000001", noon, old)},
		{"turned on, the image moves", with("00000001", noon, Labels{}), b, with("00000001", one, new), with("00000001", noon, new)},
		{"turned off, the image moves", with("00000001", noon, old), b, with("00000001", one, Labels{}), with("00000001", noon, Labels{})},
		{"the image moves", with("00000001", noon, old), b, with("00000001", one, new), with("00000001", noon, new)},
		{"another source, nobody looked", with("00000001", noon, old), a, with("00000002", one, Labels{}), with("00000002", one, old)},
		{"another source, looked at", with("00000001", noon, old), a, with("00000002", one, new), with("00000002", one, new)},
		{"another source, the image moves", with("00000001", noon, old), b, with("00000002", one, Labels{}), with("00000002", one, Labels{})},
		{"no source was on record", nil, a, with("00000001", one, new), with("00000001", one, new)},
		{"none any more", with("00000001", noon, old), a, nil, nil},
	} {
		before := Status{Tags: []TagStatus{{Tag: "x", Items: []Item{a}, Source: tt.before}}}
		copied := cmp.Diff(nil, tt.before)
		got := before.After([]Event{{Tag: "x", Item: &tt.item, Source: tt.now}}, Options{Now: one})
		if diff := cmp.Diff(tt.want, got.Tag("x").Source); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
		if cmp.Diff(nil, tt.before) != copied {
			t.Errorf("%s: the source before was changed", tt.name)
		}
	}
}
