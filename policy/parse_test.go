package policy

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/Masterminds/semver/v3"
	"github.com/google/go-cmp/cmp"

	"github.com/towpath/towpath/internal/spent"
)

// given makes annotations of lines "key: value"; one without a key is the policy.
func given(lines ...string) map[string]string {
	annotations := map[string]string{}
	for i, text := range lines {
		if i == 0 {
			annotations["policy"] = text
			continue
		}
		key, value, _ := strings.Cut(text, ": ")
		annotations[key] = value
	}
	return annotations
}

func parse(t *testing.T, lines ...string) *Policy {
	t.Helper()
	p, err := Parse(given(lines...))
	if err != nil {
		t.Fatalf("%q: %v; %s", lines, err, err.Fix)
	}
	return p
}

func TestParse(t *testing.T) {
	for _, tt := range []struct {
		lines []string
		want  string
	}{
		{[]string{"semver:>=1.4 <2"}, "semver:>=1.4 <2"},
		{[]string{" semver: >=1.4   <2\n"}, "semver:>=1.4 <2"},
		{[]string{"semver:*"}, "semver:*"},
		{[]string{"semver:1.2 - 1.4.5 || ^3"}, "semver:1.2 - 1.4.5 || ^3"},
		{[]string{"newest"}, "newest"},
		{[]string{"alphabetical"}, "alphabetical:asc"},
		{[]string{"alphabetical:asc"}, "alphabetical:asc"},
		{[]string{"alphabetical: desc"}, "alphabetical:desc"},
		{[]string{"numerical"}, "numerical:asc"},
		{[]string{"numerical:desc"}, "numerical:desc"},
		{[]string{"newest", "match: ^main-", "ignore: -dirty$"}, `newest match="^main-" ignore="-dirty$"`},
		{[]string{"numerical", "match: ^b(?P<n>[0-9]+)$", "extract: $n"}, `numerical:asc match="^b(?P<n>[0-9]+)$" extract="$n"`},
		{[]string{"numerical", `match: ^b(\d+)_(\d+)$`, "extract: ${1}.$2"}, `numerical:asc match="^b(\\d+)_(\\d+)$" extract="${1}.$2"`},
		{[]string{"alphabetical", "match: a(.*)", "extract: $$$1$0"}, `alphabetical:asc match="a(.*)" extract="$$$1$0"`},
		{[]string{"newest", "min-age: 72h"}, "newest min-age=72h"},
		{[]string{"newest", "min-age: 3d"}, "newest min-age=72h"},
		{[]string{"newest", "min-age: 1d12h30m"}, "newest min-age=36h30m"},
		{[]string{"newest", "min-age: 90s"}, "newest min-age=1m30s"},
		{[]string{"newest", "min-age: 366d"}, "newest min-age=8784h"},
		{[]string{"newest", "platforms: linux/arm64/v8, linux/amd64,linux/arm64"}, "newest platforms=linux/amd64,linux/arm64"},
		{[]string{"newest", "platforms: linux/arm/v7"}, "newest platforms=linux/arm/v7"},
		{[]string{"newest", "allow-downgrade: true"}, "newest allow-downgrade"},
		{[]string{"newest", "allow-downgrade: false"}, "newest"},
		{[]string{"newest", "canal: deep"}, "newest"},
	} {
		p := parse(t, tt.lines...)
		if got := p.String(); got != tt.want {
			t.Errorf("%q: got %s, want %s", tt.lines, got, tt.want)
		}
	}
	if p, err := Parse(map[string]string{"interval": "5m"}); p != nil || err != nil {
		t.Errorf("no annotation of a policy: got %v, %v", p, err)
	}
}

func TestWithMinAge(t *testing.T) {
	bare, own := parse(t, "newest"), parse(t, "newest", "min-age: 1h")
	for _, tt := range []struct {
		p    *Policy
		d    time.Duration
		want string
	}{
		{bare, 0, "newest"},
		{bare, 2 * time.Hour, "newest min-age=2h"},
		{own, 2 * time.Hour, "newest min-age=1h"},
	} {
		if got := tt.p.WithMinAge(tt.d).String(); got != tt.want {
			t.Errorf("%v with %s: got %s, want %s", tt.p, tt.d, got, tt.want)
		}
	}
	if got := bare.String(); got != "newest" {
		t.Errorf("the policy itself has changed: %s", got)
	}
	var none *Policy
	if none.WithMinAge(time.Hour) != nil {
		t.Error("no policy has become one")
	}
}

func TestParseErrors(t *testing.T) {
	for _, tt := range []struct {
		lines          []string
		key, what, fix string
	}{
		{[]string{""}, "policy", "is empty", "semver:>=1.4 <2"},
		{[]string{" \n"}, "policy", "is empty", "semver:>=1.4 <2"},
		{[]string{"weekly"}, "policy", `"weekly" is no policy`, `write "semver:RANGE"`},
		{[]string{"*"}, "policy", "is no policy", `write "semver:RANGE"`},
		{[]string{"latest"}, "policy", "is no policy", `did you mean towpath.dev/policy: "newest"?`},
		{[]string{"newest-build"}, "policy", "is no policy", `did you mean towpath.dev/policy: "newest"?`},
		{[]string{"Newest"}, "policy", "is no policy", `did you mean towpath.dev/policy: "newest"?`},
		{[]string{"semvr:~1.4"}, "policy", "is no policy", `did you mean towpath.dev/policy: "semver:~1.4"?`},
		{[]string{"semvre"}, "policy", "is no policy", `did you mean towpath.dev/policy: "semver:`},
		{[]string{"numeric:desc"}, "policy", "is no policy", `did you mean towpath.dev/policy: "numerical:desc"?`},
		{[]string{"alphabeticla"}, "policy", "is no policy", `did you mean towpath.dev/policy: "alphabetical"?`},
		{[]string{">=1.4 <2"}, "policy", "is no policy", `did you mean towpath.dev/policy: "semver:>=1.4 <2"?`},
		{[]string{"newest:asc"}, "policy", "takes nothing after it", `towpath.dev/policy: "newest"`},
		{[]string{"alphabetical:up"}, "policy", "names no order", `"alphabetical:asc"`},
		{[]string{"numerical:descending"}, "policy", "names no order", `"numerical:desc"`},
		{[]string{"numerical:"}, "policy", "names no order", `"numerical:asc"`},
		{[]string{"semver"}, "policy", "names no range", "semver:~1.4"},
		{[]string{"semver: "}, "policy", "names no range", "semver:~1.4"},
		{[]string{"semver:latest"}, "policy", "is no range", "semver:~1.4"},
		{[]string{"semver:[1.4,2)"}, "policy", "is no range", "semver:~1.4"},
		{[]string{"semver:==1"}, "policy", "is no range", "semver:~1.4"},
		{[]string{"semver:>2 <1"}, "policy", "no version is in", ">=1.4 <2"},
		{[]string{"semver:~1.4, ~1.5"}, "policy", "no version is in", "||"},
		{[]string{"semver:<0.0.0"}, "policy", "no version is in", ">=1.4 <2"},
		{[]string{"semver:" + strings.Repeat(">=1 ", 200)}, "policy", "longer than 512 bytes", "shorter"},
		{[]string{"newest", "match: "}, "match", "is empty", "^main-"},
		{[]string{"newest", "match: a(b"}, "match", "missing closing )", "RE2"},
		{[]string{"newest", "match: (?!a)"}, "match", `there is no "(?!"`, "towpath.dev/ignore"},
		{[]string{"newest", "ignore: *"}, "ignore", "missing argument to repetition", "RE2"},
		{[]string{"newest", "match: \xff"}, "match", "invalid UTF-8", "RE2"},
		{[]string{"newest", "extract: $1"}, "extract", "needs towpath.dev/match", "towpath.dev/match:"},
		{[]string{"newest", "match: (a)", "extract: $1"}, "extract", "does nothing", "remove it"},
		{[]string{"numerical", "match: a(?P<ts>[0-9]+)", "extract: $tts"}, "extract", `group "tts"`, "did you mean $ts?"},
		{[]string{"numerical", "match: a(?P<ts>[0-9]+)", "extract: $tsx"}, "extract", `group "tsx"`, "did you mean ${ts}x?"},
		{[]string{"numerical", "match: a(?P<ts>[0-9]+)", "extract: ${canal}"}, "extract", `group "canal"`, "it has: $ts"},
		{[]string{"numerical", "match: a([0-9]+)", "extract: $1x"}, "extract", `group "1x"`, "did you mean ${1}x?"},
		{[]string{"numerical", "match: a([0-9]+)", "extract: $2"}, "extract", `group "2"`, "(?P<"},
		{[]string{"numerical", "match: a([0-9]+)", "extract: $01"}, "extract", `group "01"`, ""},
		{[]string{"numerical", "match: a([0-9]+)", "extract: ${1"}, "extract", "a $ without a group", "$$"},
		{[]string{"numerical", "match: a([0-9]+)", "extract: $1$"}, "extract", "a $ without a group", "$$"},
		{[]string{"numerical", "match: a([0-9]+)", "extract: ${}"}, "extract", "a $ without a group", "$$"},
		{[]string{"numerical", "match: a([0-9]+)", "extract: 7$$"}, "extract", "names no group", `"$1"`},
		{[]string{"numerical", "match: a([0-9]+)", "extract: " + strings.Repeat("$1", 200)}, "extract", "longer than 256", `"$1"`},
		{[]string{"newest", "min-age: soon"}, "min-age", "is no duration", "72h"},
		{[]string{"newest", "min-age: 3"}, "min-age", "is no duration", "72h"},
		{[]string{"newest", "min-age: 1.5d"}, "min-age", "is no duration", "3d"},
		{[]string{"newest", "min-age: 3d-1h"}, "min-age", "is no duration", "72h"},
		{[]string{"newest", "min-age: 0s"}, "min-age", "more than nothing", "72h"},
		{[]string{"newest", "min-age: -5m"}, "min-age", "is no duration", "72h"},
		{[]string{"newest", "min-age: 367d"}, "min-age", "at most 366d", "72h"},
		{[]string{"newest", "min-age: 9999d2562047h"}, "min-age", "at most 366d", "72h"},
		{[]string{"newest", "min-age: 1e400h"}, "min-age", "is no duration", "72h"},
		{[]string{"newest", "platforms: linux"}, "platforms", `"linux" is no platform`, "os/architecture"},
		{[]string{"newest", "platforms: linux/amd64,"}, "platforms", `"" is no platform`, "os/architecture"},
		{[]string{"newest", "platforms: linux/x86_64"}, "platforms", "is no platform", `did you mean "linux/amd64"?`},
		{[]string{"newest", "platforms: aarch64"}, "platforms", "is no platform", `did you mean "linux/arm64"?`},
		{[]string{"newest", "platforms: Linux/amd64"}, "platforms", "is no platform", "os/architecture"},
		{[]string{"newest", "platforms: a/b/c/d"}, "platforms", "is no platform", "os/architecture"},
		{[]string{"newest", "platforms: " + strings.Repeat("a/b,", 20) + "a/b"}, "platforms", "more than 20", "runs on"},
		{[]string{"newest", "allow-downgrade: yes"}, "allow-downgrade", "must be true or false", `"true"`},
		{[]string{"newest", "allow-downgrade: True"}, "allow-downgrade", "must be true or false", `"true"`},
	} {
		p, err := Parse(given(tt.lines...))
		if p != nil || err == nil {
			t.Errorf("%q: got %v, %v", tt.lines, p, err)
			continue
		}
		if err.Key != tt.key || !strings.Contains(err.What, tt.what) || !strings.Contains(err.Fix, tt.fix) {
			t.Errorf("%q: got %+v\nwant %s, …%s…, …%s…", tt.lines, *err, tt.key, tt.what, tt.fix)
		}
		checkError(t, err)
	}
}

// checkError holds an error to what a person can use, and a terminal can print.
func checkError(t *testing.T, err *Error) {
	t.Helper()
	if !slices.Contains(Keys, err.Key) || !strings.Contains(err.What, "towpath.dev/"+err.Key) || err.Fix == "" {
		t.Errorf("unfinished: %+v", *err)
	}
	for _, text := range []string{err.What, err.Fix} {
		if len(text) > 800 || printableOnly(text) != text {
			t.Errorf("%d bytes, or not printable: %q", len(text), text)
		}
	}
}

func printableOnly(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == 0xfffd || r >= 0x80 && r < 0xa0 || r == 0x202e || r == 0x2028 {
			return -1
		}
		return r
	}, text)
}

func TestWithoutPolicy(t *testing.T) {
	for _, key := range Keys[1:] {
		p, err := Parse(map[string]string{key: "false"})
		if p != nil || err == nil || err.Key != key || !strings.Contains(err.Fix, "towpath.dev/policy") {
			t.Errorf("%s alone: got %v, %+v", key, p, err)
		}
	}
}

// fault: C-23
func TestPatternsAreBounded(t *testing.T) {
	words := make([]string, 100_000)
	for i := range words {
		words[i] = fmt.Sprintf("w%d", i)
	}
	for name, pattern := range map[string]string{
		"a million letters":    "(a{1000}){1000}",
		"1 MiB":                strings.Repeat("a", 1<<20),
		"100,000 alternatives": strings.Join(words, "|"),
		"repeats in a row":     strings.Repeat("a{1000}", 500),
		"classes in a row":     strings.Repeat(`\pL{900}`, 400),
		"a repeat of a class":  `[a-z]{1000}[0-9]{1000}`,
		"optional in a row":    "(a?){900}b$",
		"repeats in repeats":   "((a{9}){9}){9}((a{9}){9}){9}",
		"captures all the way": strings.Repeat("(", 900) + strings.Repeat(")", 900),
		"at least so many":     "(?:ab){500,}",
	} {
		for _, key := range []string{"match", "ignore"} {
			var p *Policy
			var err *Error
			took := time.Hour
			for range 3 {
				took = min(took, spent.CPU(t, func() { p, err = Parse(given("newest", key+": "+pattern)) }))
			}
			if took > 50*time.Millisecond {
				t.Errorf("%s: %v", name, took)
			}
			if p != nil || err == nil || err.Key != key {
				t.Errorf("%s: got %v, %v", name, p, err)
				continue
			}
			checkError(t, err)
		}
	}
	for _, pattern := range []string{
		`^v?[0-9]{1,5}\.[0-9]{1,5}\.[0-9]{1,5}(-[a-z0-9.]{1,40})?$`,
		`^main-[a-f0-9]{40}-(?P<ts>[0-9]{10,14})$`,
		`^(` + strings.Join(words[:100], "|") + `)$`,
	} {
		if _, err := Parse(given("newest", "match: "+pattern)); err != nil {
			t.Errorf("%s: %v", pattern, err)
		}
	}
}

// fault: C-23
func TestMatchingIsBounded(t *testing.T) {
	tags := many(lot, func(i int) string { return fmt.Sprintf("%s%d", strings.Repeat("a", 110), i) })
	p := parse(t, "alphabetical", "match: (a?){100}(a.*){20}=$")
	var c Choice
	var need []string
	if took := spent.CPU(t, func() { c, need = p.Shortlist(tags).Pick(Current{Tag: tags[0]}, nil, now) }); took > time.Second {
		t.Errorf("it took %v", took)
	}
	if c.Tag != "" || len(need) > 0 || !strings.HasPrefix(c.Why, "the patterns are too large for 100000 tags; write towpath.dev/match") {
		t.Errorf("got %+v, needs %q", c, need)
	}
}

// A range that has a version is never refused, whatever it is made of.
func TestSatisfiable(t *testing.T) {
	rnd := newRand(t)
	pick := func(all ...string) string { return all[rnd.IntN(len(all))] }
	version := func() string {
		return pick("0", "1", "2") + pick("", ".0", ".1", ".2", ".x") + pick("", ".0", ".1", ".2", ".3", ".x") + pick("", "", "", "-0", "-rc.1", "-rc.1.0", "-rc.2", "-a")
	}
	var versions []*semver.Version
	for _, text := range []string{"0.0.0", "0.0.1", "0.1.0", "0.1.1", "1.0.0", "1.0.1", "1.1.1", "1.2.2", "1.2.3", "1.2.4", "1.3.0", "2.0.0", "2.0.1", "2.2.2", "2.3.3", "3.0.0", "9.9.9"} {
		for _, pre := range []string{"", "-0", "-0.0", "-a", "-a.0", "-rc.1", "-rc.1.0", "-rc.1.0.0", "-rc.2", "-rc.2.5", "-zz"} {
			versions = append(versions, semver.MustParse(text+pre))
		}
	}
	for range 2_000 {
		text := ""
		for range 1 + rnd.IntN(4) {
			text += pick("=", "", ">", "<", ">=", "<=", "~", "^", "!=", "!=") + version() + pick(" ", " ", " ", ", ")
		}
		text = strings.Trim(text, " ,")
		in, err := semver.NewConstraint(text)
		if err != nil || satisfiable(text, in) {
			continue
		}
		for _, v := range versions {
			if in.Check(v) {
				t.Fatalf("%s is said to have no version, and has %s", text, v)
			}
		}
	}
}

func TestStringIsStable(t *testing.T) {
	all := given("numerical:asc", "match: ^b(?P<n>[0-9]+)$", "extract: $n", "ignore: 7", "min-age: 3d", "platforms: linux/arm64,linux/amd64", "allow-downgrade: true")
	want := `numerical:asc match="^b(?P<n>[0-9]+)$" ignore="7" extract="$n" min-age=72h platforms=linux/amd64,linux/arm64 allow-downgrade`
	seen := map[string]string{}
	for range 20 {
		p, err := Parse(maps.Clone(all))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, p.String()); diff != "" {
			t.Fatal(diff)
		}
	}
	// Each of them decides, so each must show.
	for key := range all {
		less := maps.Clone(all)
		delete(less, key)
		if key == "match" {
			delete(less, "extract")
		}
		p, err := Parse(less)
		if key == "policy" {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if other := seen[p.String()]; other != "" || p.String() == want {
			t.Errorf("without %s it reads as without %s: %s", key, other, p)
		}
		seen[p.String()] = key
	}
}

func FuzzParse(f *testing.F) {
	f.Add("semver:>=1.4 <2", "^v(.*)$", "$1", "-rc", "72h", "linux/amd64", "true")
	f.Add("newest", "(a{1000}){1000}", "${x}", "(", "1d", "linux/arm64/v8,", "")
	f.Add("numerical:desc", "(?P<n>x)", "$n$$", "\x00", "-1s", "/", "\u202e")
	f.Add(">=1 || 2 - 3", "", "", "", "", "", "")
	f.Add(strings.Repeat("0", 59)+"\xbc0", "0", "0", "0", "0", "0", "")
	f.Fuzz(func(t *testing.T, policy, match, extract, ignore, age, platforms, downgrade string) {
		annotations := map[string]string{}
		for i, text := range []string{policy, match, extract, ignore, age, platforms, downgrade} {
			if text != "" {
				annotations[Keys[i]] = text
			}
		}
		p, err := Parse(annotations)
		if err != nil {
			if p != nil {
				t.Fatalf("a policy and an error: %v, %v", p, err)
			}
			checkError(t, err)
			return
		}
		if p == nil {
			if len(annotations) > 0 {
				t.Fatal("neither a policy nor an error")
			}
			return
		}
		if line := p.String(); strings.ContainsAny(line, "\n\r") {
			t.Fatalf("more than a line: %q", line)
		}
		p.Shortlist([]string{"1.0.0", "v2.0.0-rc.1", "main-1", "7"}).Pick(Current{Tag: "1.0.0"}, nil, time.Unix(0, 0))
	})
}
