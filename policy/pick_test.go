package policy

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/towpath/towpath/internal/spent"
)

var now = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

// facts reads what images say: an age ("8h"), a date ("1970-01-01"), "gone", "unfit",
// or platforms with an age before them ("8h linux/amd64,linux/arm64").
func facts(t *testing.T, of map[string]string) map[string]Facts {
	t.Helper()
	all := map[string]Facts{}
	for tag, text := range of {
		when, platforms, _ := strings.Cut(text, " ")
		var f Facts
		if platforms != "" {
			f.Platforms = strings.Split(platforms, ",")
		}
		if age, err := time.ParseDuration(when); err == nil {
			f.Created = now.Add(-age)
		} else if date, err := time.Parse("2006-01-02", when); err == nil {
			f.Created = date
		} else if when == "gone" {
			f.Gone = true
		} else if when == "unfit" {
			f.Unfit = "is no image\nbut a chart"
		} else if when != "undated" {
			t.Fatalf("%s: %q", tag, text)
		}
		all[tag] = f
	}
	return all
}

// choose answers what Pick needs out of the facts, and returns what was needed, call by
// call. It holds each call to the contract.
func choose(t *testing.T, s *Shortlist, current string, all map[string]Facts) (c Choice, asked [][]string) {
	t.Helper()
	known := map[string]Facts{}
	for {
		c, need := s.Pick(Current{Tag: current}, known, now)
		if len(need) == 0 {
			return c, asked
		}
		asked = append(asked, need)
		for _, tag := range need {
			if _, again := known[tag]; again {
				t.Fatalf("%s is needed twice", tag)
			}
			f, ok := all[tag]
			if !ok {
				t.Fatalf("%s is needed: %q", tag, asked)
			}
			known[tag] = f
		}
		if !cmp.Equal(c, Choice{}) {
			t.Fatalf("a choice while %q are needed: %+v", need, c)
		}
	}
}

const goBack = `; only towpath.dev/allow-downgrade: "true" lets it go back`

func TestPick(t *testing.T) {
	for _, tt := range []struct {
		name    string
		policy  []string
		tags    string
		current string
		facts   map[string]string
		want    string // the tag
		why     string
		passed  string // "tag why; tag why"
	}{{
		name: "the highest that satisfies", policy: []string{"semver:>=1.4 <2"}, tags: "1.3.9 1.4.0 1.10.0 1.9.9 latest",
		want: "1.10.0", why: "highest of 3 that satisfy >=1.4 <2",
	}, {
		name: "higher ones that do not satisfy are passed over", policy: []string{"semver:>=1.4 <2", "ignore: ^1\\.6"}, tags: "1.4.0 1.5.0-rc.1 1.6.0 2.0.0 1.0.0",
		want: "1.4.0", why: "the only one that satisfies >=1.4 <2",
		passed: "2.0.0 is not in >=1.4 <2; 1.6.0 left out by ignore; 1.5.0-rc.1 is a pre-release, and >=1.4 <2 names none",
	}, {
		name: "what match means, and is no version, is passed over", policy: []string{"semver:*", "match: ^rel-(.*)$", "extract: $1"}, tags: "rel-1.0.0 rel-2 other 9.9.9",
		want: "rel-1.0.0", why: "the only one that satisfies *", passed: "rel-2 its key is no semantic version",
	}, {
		name: "no number", policy: []string{"numerical:asc"}, tags: "10 9 latest 1e400 nan inf 0x10",
		want: "10", why: "highest of 2 listed, by number", passed: "0x10 its key is no number; 1e400 its key is no number; inf its key is no number; latest its key is no number; nan its key is no number",
	}, {
		name: "nothing listed", policy: []string{"semver:*"}, why: "the list of tags came back empty",
	}, {
		name: "nothing satisfies", policy: []string{"semver:>=3"}, tags: "1.0.0 2.0.0 latest",
		why: "none of the 3 tags listed is a version that satisfies >=3", passed: "2.0.0 is not in >=3; 1.0.0 is not in >=3",
	}, {
		name: "nothing matches", policy: []string{"newest", "match: ^main-"}, tags: "1.0.0 2.0.0", why: `none of the 2 tags listed matches "^main-"`,
	}, {
		name: "all are left out", policy: []string{"newest", "ignore: ."}, tags: "a b", why: "none of the 2 tags listed can be chosen by its name",
		passed: "a left out by ignore; b left out by ignore",
	},

		// The tag on record.
		{
			name: "a higher one", policy: []string{"semver:*"}, tags: "1.0.0 1.1.0", current: "1.0.0", want: "1.1.0", why: "highest of 2 that satisfy *",
		}, {
			name: "a lower one, while it is not listed", policy: []string{"semver:*"}, tags: "1.0.0 1.1.0", current: "1.2.0",
			want: "1.2.0", why: "stays: the highest listed is 1.1.0, which is lower" + goBack,
		}, {
			name: "an earlier one", policy: []string{"alphabetical"}, tags: "a b", current: "c",
			want: "c", why: "stays: the last listed is b, which is earlier" + goBack,
		}, {
			name: "a higher one, where the lowest is best", policy: []string{"numerical:desc"}, tags: "7 8", current: "6",
			want: "6", why: "stays: the lowest listed is 7, which is higher" + goBack,
		}, {
			name: "an equal one", policy: []string{"semver:*"}, tags: "1.2.0 1.1.0", current: "v1.2.0",
			want: "v1.2.0", why: "stays: it is not listed any more, and the highest listed is 1.2.0, which is no higher",
		}, {
			name: "an empty list", policy: []string{"semver:*"}, current: "1.2.0", want: "1.2.0", why: "stays: the list of tags came back empty" + goBack,
		}, {
			name: "an empty list keeps it all the same", policy: []string{"semver:*", "allow-downgrade: true"}, current: "1.2.0",
			want: "1.2.0", why: "stays: the list of tags came back empty",
		}, {
			name: "a list without a candidate", policy: []string{"semver:*"}, tags: "latest", current: "1.2.0",
			want: "1.2.0", why: "stays: none of the 1 tags listed is a version that satisfies *" + goBack,
		}, {
			name: "downgrades are allowed", policy: []string{"semver:*", "allow-downgrade: true"}, tags: "1.0.0 1.1.0", current: "1.2.0",
			want: "1.1.0", why: "highest of 2 that satisfy *",
		}, {
			name: "it does not satisfy the policy any more", policy: []string{"semver:<2"}, tags: "1.0.0 1.1.0", current: "2.0.0",
			want: "1.1.0", why: "highest of 2 that satisfy <2", passed: "",
		}, {
			name: "it is left out by now", policy: []string{"semver:*", "ignore: ^1\\.2"}, tags: "1.0.0 1.2.0", current: "1.2.0",
			want: "1.0.0", why: "the only one that satisfies *", passed: "1.2.0 left out by ignore",
		}, {
			name: "it is none, and nothing can be chosen", policy: []string{"semver:<2"}, tags: "2.0.0", current: "2.0.0",
			why: "none of the 1 tags listed is a version that satisfies <2", passed: "2.0.0 is not in <2",
		}, {
			name: "it is listed, but gone", policy: []string{"semver:*"}, tags: "1.0.0 1.1.0", current: "1.1.0", facts: map[string]string{"1.1.0": "gone"},
			want: "1.1.0", why: "highest of 2 that satisfy *",
		},

		// Ages and platforms, where names decide.
		{
			name: "the higher ones are too young", policy: []string{"semver:*", "min-age: 72h"}, tags: "1.0.0 1.1.0 1.2.0 1.3.0",
			facts: map[string]string{"1.3.0": "20m", "1.2.0": "8h", "1.1.0": "80h", "1.0.0": "100h"},
			want:  "1.1.0", why: "highest of 4 that satisfy *; passed over: 2 younger than 72h",
			passed: "1.3.0 less than 1 h old, younger than 72h; 1.2.0 8 h old, younger than 72h",
		}, {
			name: "just old enough", policy: []string{"semver:*", "min-age: 72h"}, tags: "1.0.0", facts: map[string]string{"1.0.0": "72h"},
			want: "1.0.0", why: "the only one that satisfies *",
		}, {
			name: "days are days", policy: []string{"semver:*", "min-age: 9d"}, tags: "1.0.0", facts: map[string]string{"1.0.0": "200h"},
			why: "the only one that satisfies * cannot be chosen: 1 younger than 216h", passed: "1.0.0 8 days old, younger than 216h",
		}, {
			name: "the tag on record was judged before", policy: []string{"semver:*", "min-age: 72h"}, tags: "1.0.0 1.1.0 1.2.0", current: "1.1.0",
			facts: map[string]string{"1.2.0": "8h"},
			want:  "1.1.0", why: "highest of 3 that satisfy *; passed over: 1 younger than 72h", passed: "1.2.0 8 h old, younger than 72h",
		}, {
			name: "and is not left for a lower one", policy: []string{"semver:*", "min-age: 72h"}, tags: "1.0.0 1.2.0", current: "1.1.0",
			facts: map[string]string{"1.2.0": "8h"},
			want:  "1.1.0", why: "stays: the highest listed that can be chosen is 1.0.0, which is lower" + goBack, passed: "1.2.0 8 h old, younger than 72h",
		}, {
			name: "all are too young", policy: []string{"semver:*", "min-age: 72h"}, tags: "1.0.0 1.2.0", facts: map[string]string{"1.2.0": "8h", "1.0.0": "9h"},
			why: "none of 2 that satisfy * can be chosen: 2 younger than 72h", passed: "1.2.0 8 h old, younger than 72h; 1.0.0 9 h old, younger than 72h",
		}, {
			name: "gone and unfit", policy: []string{"semver:*", "min-age: 72h"}, tags: "1.0.0 1.1.0 1.2.0", facts: map[string]string{"1.2.0": "gone", "1.1.0": "unfit", "1.0.0": "80h"},
			want: "1.0.0", why: "highest of 3 that satisfy *; passed over: 1 not fit (is no image but a chart), 1 without an image",
			passed: "1.2.0 is listed, but there is no such image; 1.1.0 is no image but a chart",
		},

		// newest
		{
			name: "the newest", policy: []string{"newest", "match: ^main-"}, tags: "main-a main-b main-c x", facts: map[string]string{"main-a": "2h", "main-b": "1h", "main-c": "3h"},
			want: "main-b", why: `newest of 3 that match "^main-", by the date in the image`,
		}, {
			name: "a clock that runs ahead", policy: []string{"newest"}, tags: "a b", facts: map[string]string{"a": "-23h", "b": "1h"},
			want: "a", why: "newest of 2 listed, by the date in the image",
		}, {
			name: "an older one, while it is not listed", policy: []string{"newest"}, tags: "a b", current: "c", facts: map[string]string{"a": "2h", "b": "1h", "c": "30m"},
			want: "c", why: "stays: the newest listed is b, which is older" + goBack,
		}, {
			name: "a newer one, while it is not listed", policy: []string{"newest"}, tags: "a b", current: "c", facts: map[string]string{"a": "2h", "b": "1h", "c": "90m"},
			want: "b", why: "newest of 2 listed, by the date in the image",
		}, {
			name: "it is gone", policy: []string{"newest"}, tags: "a b", current: "c", facts: map[string]string{"a": "2h", "b": "1h", "c": "gone"},
			want: "c", why: "stays: there is no such image any more, so that none can be told newer" + goBack,
		}, {
			name: "it is no image by now", policy: []string{"newest"}, tags: "a c", current: "c", facts: map[string]string{"a": "2h", "c": "unfit"},
			want: "c", why: "stays: it is no image but a chart, so that none can be told newer" + goBack, passed: "",
		}, {
			name: "it is gone, and downgrades are allowed", policy: []string{"newest", "allow-downgrade: true"}, tags: "a b c", current: "c", facts: map[string]string{"a": "2h", "b": "1h", "c": "gone"},
			want: "b", why: "newest of 3 listed, by the date in the image; passed over: 1 without an image", passed: "c is listed, but there is no such image",
		}, {
			name: "it is not asked for where downgrades are allowed", policy: []string{"newest", "allow-downgrade: true"}, tags: "a b", current: "c", facts: map[string]string{"a": "2h", "b": "1h"},
			want: "b", why: "newest of 2 listed, by the date in the image",
		}, {
			name: "an empty list asks for nothing", policy: []string{"newest"}, current: "c", want: "c", why: "stays: the list of tags came back empty" + goBack,
		}, {
			name: "of one age, the one on record", policy: []string{"newest"}, tags: "a b c", current: "b", facts: map[string]string{"a": "1h", "b": "1h", "c": "1h"},
			want: "b", why: "newest of 3 listed, by the date in the image",
		}, {
			name: "of one age, also when it is not listed", policy: []string{"newest"}, tags: "a c", current: "b", facts: map[string]string{"a": "1h", "b": "1h", "c": "1h"},
			want: "b", why: "stays: it is not listed any more, and the newest listed is a, which is no newer",
		}, {
			name: "the newer ones are too young", policy: []string{"newest", "min-age: 3h"}, tags: "a b c", current: "", facts: map[string]string{"a": "4h", "b": "1h", "c": "5h"},
			want: "a", why: "newest of 3 listed, by the date in the image; passed over: 1 younger than 3h", passed: "b 1 h old, younger than 3h",
		}, {
			name: "the one on record was judged before", policy: []string{"newest", "min-age: 3h"}, tags: "a b c", current: "b", facts: map[string]string{"a": "4h", "b": "1h", "c": "30m"},
			want: "b", why: "newest of 3 listed, by the date in the image; passed over: 1 younger than 3h", passed: "c less than 1 h old, younger than 3h",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := parse(t, tt.policy...)
			got, _ := choose(t, p.Shortlist(strings.Fields(tt.tags)), tt.current, facts(t, tt.facts))
			want := Choice{Tag: tt.want, Why: tt.why}
			for part := range strings.SplitSeq(tt.passed, "; ") {
				if tag, why, ok := strings.Cut(part, " "); ok {
					want.Passed = append(want.Passed, Rejection{tag, why})
				}
			}
			want.PassedOver = len(want.Passed)
			if diff := cmp.Diff(want, got, cmp.Transformer("none", func(r []Rejection) []Rejection { return append([]Rejection(nil), r...) })); diff != "" {
				t.Errorf("want - got +\n%s", diff)
			}
		})
	}
}

// What is known without having been asked for is heeded, too: a tag that is listed but
// gone is passed over.
func TestPickHeedsWhatIsKnown(t *testing.T) {
	known := facts(t, map[string]string{"1.2.0": "gone", "1.1.0": "unfit"})
	for _, tt := range []struct{ current, downgrade, want string }{
		{"", "false", "1.0.0"},
		{"1.0.0", "false", "1.0.0"},
		{"1.1.0", "false", "1.1.0"},
		{"1.1.0", "true", "1.0.0"},
		{"1.2.0", "true", "1.0.0"},
	} {
		s := parse(t, "semver:*", "allow-downgrade: "+tt.downgrade).Shortlist([]string{"1.0.0", "1.1.0", "1.2.0"})
		c, need := s.Pick(Current{Tag: tt.current}, known, now)
		if c.Tag != tt.want || len(need) > 0 {
			t.Errorf("%+v: got %+v, needs %q", tt, c, need)
		}
	}
}

// Ties do not depend on the list: the tag on record, then the one without v, then bytes.
func TestTies(t *testing.T) {
	for _, tt := range []struct {
		policy              []string
		tags, current, want string
	}{
		{[]string{"semver:*"}, "v1.2.0 1.2.0 1.1.0", "", "1.2.0"},
		{[]string{"semver:*"}, "v1.2.0 1.2.0 1.1.0", "v1.2.0", "v1.2.0"},
		{[]string{"semver:*", "allow-downgrade: true"}, "v1.2.0 1.2.0 1.1.0", "v1.2.0", "v1.2.0"},
		{[]string{"semver:*", "match: (.*)_(.*)", "extract: $1+$2"}, "1.2.0_b 1.2.0_a 1.2.0_c", "", "1.2.0_a"},
		{[]string{"numerical", "match: [0-9]+", "extract: $0"}, "v7 b7 7c", "", "7c"},
		{[]string{"numerical"}, "7 7.0 07", "", "07"},
		{[]string{"alphabetical", "match: ^(.)", "extract: $1"}, "ab ac aa", "ac", "ac"},
	} {
		for _, tags := range permutations(strings.Fields(tt.tags)) {
			if c, _ := parse(t, tt.policy...).Shortlist(tags).Pick(Current{Tag: tt.current}, nil, now); c.Tag != tt.want {
				t.Errorf("%q of %q with %q: got %s, want %s", tt.policy, tags, tt.current, c.Tag, tt.want)
			}
		}
	}
}

func permutations(all []string) (ps [][]string) {
	if len(all) == 0 {
		return [][]string{nil}
	}
	for i := range all {
		for _, rest := range permutations(slices.Concat(all[:i], all[i+1:])) {
			ps = append(ps, append(rest, all[i]))
		}
	}
	return ps
}

// One image is asked for first, then a few at a time, and no more than may be.
func TestPickAsksLittle(t *testing.T) {
	var tags []string
	young := map[string]string{}
	for i := range 80 {
		tags = append(tags, fmt.Sprintf("1.%d.0", i))
		young[tags[i]] = "1h"
	}
	s := parse(t, "semver:*", "min-age: 2h").Shortlist(tags)
	for _, tt := range []struct {
		current, want string
		asked         []int
		why           string
	}{
		{"", "", []int{1, 8, 8, 8, 8, 8, 8, 1}, "the 50 highest of 80 that satisfy * cannot be chosen: 50 younger than 2h; narrow them with towpath.dev/match or towpath.dev/ignore"},
		{"1.10.0", "", []int{1, 8, 8, 8, 8, 8, 8, 1}, "the 50 highest of 80 "},
		{"1.29.0", "1.29.0", []int{1, 8, 8, 8, 8, 8, 8, 1}, "highest of 80 "},
		{"1.70.0", "1.70.0", []int{1, 8}, "highest of 80 "},
		{"1.77.0", "1.77.0", []int{1, 1}, "highest of 80 "},
		{"1.79.0", "1.79.0", nil, "highest of 80 "},
		{"1.80.0", "1.80.0", nil, "stays: "},
	} {
		c, asked := choose(t, s, tt.current, facts(t, young))
		var got []int
		for _, need := range asked {
			got = append(got, len(need))
		}
		if c.Tag != tt.want || !strings.HasPrefix(c.Why, tt.why) || !slices.Equal(got, tt.asked) {
			t.Errorf("%q on record: got %q (%s), asked %v", tt.current, c.Tag, c.Why, got)
		}
		if len(c.Passed) > maxPassed || len(c.Passed) < min(c.PassedOver, maxPassed) {
			t.Errorf("%q on record: %d passed over, %d told", tt.current, c.PassedOver, len(c.Passed))
		}
	}
}

func TestNewestIsBounded(t *testing.T) {
	tags := many(1001, func(i int) string { return fmt.Sprintf("main-%d", i) })
	old := map[string]Facts{}
	for i, tag := range tags {
		old[tag] = Facts{Created: now.Add(-time.Duration(i+1) * time.Minute)}
	}
	for _, current := range []string{"", "main-7"} {
		c, asked := choose(t, parse(t, "newest").Shortlist(tags), current, old)
		if want := "1001 listed are more than the 1000 whose ages are compared; narrow them with towpath.dev/match"; c.Tag != "" || c.Why != want || len(asked) > 0 {
			t.Errorf("%q: got %+v, asked %d times", current, c, len(asked))
		}
	}
	c, asked := choose(t, parse(t, "newest").Shortlist(tags[:1000]), "", old)
	if c.Tag != tags[0] || len(asked) != 1 || len(asked[0]) != 1000 {
		t.Errorf("got %+v, asked %d times", c, len(asked))
	}
}

// fault: H-29
func TestBait(t *testing.T) {
	digits := strings.Repeat("9", 400)
	for _, tt := range []struct {
		policy     []string
		tags       []string
		want, last string
	}{
		{[]string{"semver:>=1 <2"}, []string{"1.4.0", "v999.999.999", digits + ".0.0", "1." + digits + ".0"}, "1.4.0", "v999.999.999 is not in >=1 <2"},
		{[]string{"semver:>=1 <2"}, []string{"1.4.0", "1.99999999999999999999.0", "18446744073709551616.0.0"}, "1.4.0", ""},
		{[]string{"semver:>=1 <2"}, []string{"1.0.0", "1.0.0+" + strings.Repeat("a", 1<<20)}, "1.0.0", ""},
		{[]string{"semver:>=1 <2"}, []string{"1.4.0", "1.5.0-0", "1.5.0-" + strings.Repeat("a.", 50) + "a", "2.0.0-0", "1.5.0-"}, "1.4.0", "1.5.0-0 is a pre-release, and >=1 <2 names none"},
		{[]string{"semver:>=1 <2"}, []string{"1.4.0", "1.05.0", "vv1.5.0", "V1.5.0", "1.5", "1.5.0.0", "1.5.0 ", "1.5.0\n", "１.5.0"}, "1.4.0", ""},
		{[]string{"numerical"}, []string{"7", digits, "1e999", "NaN", "Infinity"}, "7", "NaN its key is no number"},
		{[]string{"alphabetical"}, []string{"a", "z\x1b[31m", "z\nq", strings.Repeat("z", 129), "-z", ".z", "zаppelin"}, "a", ""},
	} {
		c, need := parse(t, tt.policy...).Shortlist(tt.tags).Pick(Current{}, nil, now)
		if c.Tag != tt.want || len(need) > 0 {
			t.Errorf("%q: got %q, want %q", tt.policy, c.Tag, tt.want)
		}
		last := ""
		if n := len(c.Passed); n > 0 {
			last = c.Passed[n-1].Tag + " " + c.Passed[n-1].Why
		}
		if last != tt.last {
			t.Errorf("%q: last passed over is %q, want %q", tt.policy, last, tt.last)
		}
	}
}

// Time grows with the number of tags, whatever their names are made of.
// fault: H-29
func TestShortlistIsLinear(t *testing.T) {
	for _, tt := range lots {
		p, err := Parse(tt.annotations)
		if err != nil {
			t.Fatal(err, err.Fix)
		}
		took := func(n int) time.Duration { return spent.CPU(t, func() { p.Shortlist(tt.tags[:n]) }) }
		few, many, linear := time.Hour, time.Hour, false
		for tries := 0; tries < 6 && !linear; tries++ { // a collection of garbage may fall into one
			few, many = min(few, took(1_000)), min(many, took(10_000))
			linear = many <= 40*few+50*time.Millisecond
		}
		if !linear {
			t.Errorf("%s: %v for 1,000 tags, %v for 10,000", tt.name, few, many)
		}
	}
}

// fault: H-30
func TestUnknownAges(t *testing.T) {
	dates := map[string]string{"z": "9999-01-01", "y": "2026-05-03", "x": "1970-01-01", "w": "0001-01-01", "v": "undated", "u": "1999-12-31", "a": "80h", "b": "90h"}
	all := facts(t, dates)
	all["t"] = Facts{Created: time.Date(-5, 1, 1, 0, 0, 0, 0, time.UTC)}
	tags := slices.Sorted(func(yield func(string) bool) {
		for tag := range all {
			if !yield(tag) {
				return
			}
		}
	})
	reasons := map[string]string{
		"z": "its image says it was made in the future, in 9999: unknown age",
		"y": "its image says it was made in the future, in 2026: unknown age",
		"x": "its image says it was made in 1970: unknown age",
		"w": "its image does not say when it was made: unknown age",
		"v": "its image does not say when it was made: unknown age",
		"u": "its image says it was made in 1999: unknown age",
		"t": "its image says it was made in -5: unknown age",
	}
	for _, tt := range []struct {
		policy  []string
		current string
		want    string
	}{
		{[]string{"newest"}, "", "a"},
		{[]string{"newest"}, "b", "a"},
		{[]string{"newest"}, "x", "x"}, // none can be told newer
		{[]string{"newest", "allow-downgrade: true"}, "x", "a"},
		{[]string{"newest", "min-age: 85h"}, "", "b"},
		{[]string{"alphabetical", "min-age: 72h"}, "", "b"},
		{[]string{"alphabetical", "min-age: 85h"}, "", "b"},
	} {
		c, _ := choose(t, parse(t, tt.policy...).Shortlist(tags), tt.current, all)
		if c.Tag != tt.want {
			t.Errorf("%q with %q: got %q, want %q: %s", tt.policy, tt.current, c.Tag, tt.want, c.Why)
		}
		if tt.current == "x" && tt.want == "x" {
			if want := "stays: its image says it was made in 1970: unknown age, so that none can be told newer" + goBack; c.Why != want {
				t.Errorf("got %s, want %s", c.Why, want)
			}
			continue
		}
		told := 0
		for _, r := range c.Passed {
			if why, ok := reasons[r.Tag]; ok {
				told++
				if r.Why != why {
					t.Errorf("%q: %s: got %q, want %q", tt.policy, r.Tag, r.Why, why)
				}
			}
		}
		if told != len(reasons) {
			t.Errorf("%q: %d of %d unknown ages were told: %+v", tt.policy, told, len(reasons), c.Passed)
		}
	}
}

// fault: H-31
func TestPlatforms(t *testing.T) {
	for _, tt := range []struct {
		want, offered string
		ok            bool
	}{
		{"linux/amd64", "linux/amd64", true},
		{"linux/amd64", "linux/arm64", false},
		{"linux/amd64", "", false},
		{"linux/amd64", "windows/amd64", false},
		{"linux/amd64", "linux/amd64/v2", true},
		{"linux/amd64/v2", "linux/amd64", false},
		{"linux/amd64,linux/arm64", "linux/arm64/v8,linux/amd64,unknown/unknown", true},
		{"linux/amd64,linux/arm64", "linux/amd64", false},
		{"linux/arm64/v8", "linux/arm64", true},
		{"linux/arm", "linux/arm64", false},
		{"linux/arm", "linux/arm/v7", true},
		{"linux/arm/v6", "linux/arm/v7", false},
	} {
		for _, kind := range []string{"semver:*", "newest"} {
			c, _ := choose(t, parse(t, kind, "platforms: "+tt.want).Shortlist([]string{"1.0.0"}), "", facts(t, map[string]string{"1.0.0": "1h " + tt.offered}))
			if (c.Tag != "") != tt.ok {
				t.Errorf("%s: %s of %s: got %+v", kind, tt.want, tt.offered, c)
			}
		}
	}
	s := parse(t, "semver:*", "platforms: linux/amd64,linux/arm64").Shortlist([]string{"1.0.0", "1.1.0", "1.2.0"})
	c, _ := choose(t, s, "", facts(t, map[string]string{"1.2.0": "1h linux/arm64", "1.1.0": "1h linux/amd64", "1.0.0": "1h linux/s390x"}))
	want := Choice{
		Why:        "none of 3 that satisfy * can be chosen: 2 without linux/amd64, 1 without linux/arm64",
		Passed:     []Rejection{{"1.2.0", "has no image for linux/amd64"}, {"1.1.0", "has no image for linux/arm64"}, {"1.0.0", "has no image for linux/amd64"}},
		PassedOver: 3,
	}
	if diff := cmp.Diff(want, c); diff != "" {
		t.Errorf("want - got +\n%s", diff)
	}
}
