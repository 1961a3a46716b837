package config

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/bmatcuk/doublestar/v4"
	"github.com/google/go-cmp/cmp"

	"github.com/towpath/towpath/internal/seeds"
	"github.com/towpath/towpath/internal/spent"
)

// parse reads a repository's configuration that has no problems.
func parse(t *testing.T, src string) *Repository {
	t.Helper()
	r, problems := ParseRepository([]byte(src))
	if len(problems) > 0 {
		t.Fatalf("problems: %v", problems)
	}
	return r
}

func TestWithoutFile(t *testing.T) {
	for name, r := range map[string]*Repository{
		"nil": nil, "default": Default(), "version only": parse(t, "version: 1\n"),
	} {
		t.Run(name, func(t *testing.T) {
			want := Settings{
				Interval: 15 * time.Minute, History: 10, ImportMode: "Legacy",
				FailureAfter: time.Hour, Group: "tag", TagsCap: 50,
				ReferenceForm: "digest", HoldDepth: 1000,
				Status: "commit", Triggers: "commit", Merge: "by-hand",
			}
			if diff := cmp.Diff(want, r.For("a.yaml", "team1")); diff != "" {
				t.Errorf("settings (-want +got):\n%s", diff)
			}
			if got := r.Platform(); got != "linux/amd64" {
				t.Errorf("platform %q", got)
			}
			if r.Paused() || r.Namespace("a.yaml") != "" {
				t.Errorf("paused %v, namespace %q", r.Paused(), r.Namespace("a.yaml"))
			}
		})
	}
}

func TestIncluded(t *testing.T) {
	narrow := "version: 1\ninclude: ['apps/**', 'notes.txt']\nexclude: ['apps/old/**', '**/*.json']\n"
	for _, tt := range []struct {
		src, path string
		want      bool
	}{
		{"version: 1", "a.yaml", true},
		{"version: 1", "deep/er/a.yml", true},
		{"version: 1", "a.json", true},
		{"version: 1", "Dockerfile", true},
		{"version: 1", "x/Containerfile.prod", true},
		{"version: 1", "x/Dockerfile/readme.md", false},
		{"version: 1", "a.yaml.tmpl", false},
		{"version: 1", ".towpath.yaml", false},
		{"version: 1", "sub/.towpath.yaml", true},
		{narrow, "apps/a/b.txt", true},
		{narrow, "apps/old/a.yaml", false},
		{narrow, "apps/a.json", false},
		{narrow, "notes.txt", true},
		{narrow, "a.yaml", false},
		{narrow, "appsx/a.yaml", false},
	} {
		if got := parse(t, tt.src).Included(tt.path); got != tt.want {
			t.Errorf("%q: Included(%q) = %v", tt.src, tt.path, got)
		}
	}
}

func TestNamespace(t *testing.T) {
	r := parse(t, `version: 1
namespaces:
  "**": rest
  "apps/**": apps
  "apps/{team1,one}/**": short
  "apps/team1/**": team1
  "apps/*/team1/*": first
  "*/apps/team1/*": second
`)
	for path, want := range map[string]string{
		"a.yaml":               "rest",
		"apps/a.yaml":          "apps",
		"apps/one/a.yaml":      "short",
		"apps/team1/a.yaml":    "team1",
		"apps/x/team1/a.yaml":  "first",
		"apps/apps/team1/a.ym": "first", // as long as the second
		"x/apps/team1/a.yaml":  "second",
	} {
		if got := r.Namespace(path); got != want {
			t.Errorf("Namespace(%q) = %q, want %q", path, got, want)
		}
	}
}

func TestRules(t *testing.T) {
	r := parse(t, `version: 1
defaults: {interval: 1h, history: 5}
rules:
  - paths: ["apps/**"]
    interval: 2h
    import-mode: PreserveOriginal
  - namespaces: ["prod-*"]
    paused: true
    history: 20
  - paths: ["apps/web/**"]
    namespaces: [prod-web]
    interval: 3h
    paused: false
    settle: 30m
    min-age: 72h
    record: labels
  - paths: ["apps/web/plain.yaml"]
    settle: 0s
    record: image
`)
	base := Settings{
		Interval: time.Hour, History: 5, ImportMode: "Legacy",
		FailureAfter: time.Hour, Group: "tag", TagsCap: 50,
		ReferenceForm: "digest", HoldDepth: 1000,
		Status: "commit", Triggers: "commit", Merge: "by-hand",
	}
	for _, tt := range []struct {
		path, namespace string
		change          func(*Settings)
	}{
		{"a.yaml", "team1", func(s *Settings) {}},
		{"apps/a.yaml", "team1", func(s *Settings) { s.Interval, s.ImportMode = 2*time.Hour, "PreserveOriginal" }},
		{"a.yaml", "prod-x", func(s *Settings) { s.Paused, s.History = true, 20 }},
		{"apps/web/a.yaml", "prod-web", func(s *Settings) {
			s.Interval, s.ImportMode, s.History = 3*time.Hour, "PreserveOriginal", 20
			s.Settle, s.MinAge, s.Labels = 30*time.Minute, 72*time.Hour, true
		}},
		{"apps/web/plain.yaml", "prod-web", func(s *Settings) {
			s.Interval, s.ImportMode, s.History = 3*time.Hour, "PreserveOriginal", 20
			s.MinAge = 72 * time.Hour
		}},
		{"apps/web/a.yaml", "prod-x", func(s *Settings) {
			s.Interval, s.ImportMode, s.History, s.Paused = 2*time.Hour, "PreserveOriginal", 20, true
		}},
	} {
		want := base
		tt.change(&want)
		if diff := cmp.Diff(want, r.For(tt.path, tt.namespace)); diff != "" {
			t.Errorf("%s in %s (-want +got):\n%s", tt.path, tt.namespace, diff)
		}
	}
}

// What the whole repository pauses no rule lets go on.
func TestPaused(t *testing.T) {
	r := parse(t, "version: 1\npaused: true\nrules: [{paths: ['**'], paused: false}]\n")
	if !r.Paused() || !r.For("a.yaml", "x").Paused {
		t.Error("a rule ended the pause of the repository")
	}
}

// Law: for each key the last matching rule decides, and a rule that does not
// match changes nothing.
func TestLaterWins(t *testing.T) {
	for seed := range uint64(200) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		src, want := "version: 1\nrules:\n", defaultSettings()
		for range 1 + rnd.IntN(6) {
			matches := rnd.IntN(2) == 0
			src += fmt.Sprintf("  - paths: [%s]\n", map[bool]string{true: "'a/**'", false: "'b/**'"}[matches])
			if v := 1 + rnd.IntN(100); rnd.IntN(2) == 0 {
				src += fmt.Sprintf("    history: %d\n", v)
				if matches {
					want.History = v
				}
			}
			if v := 1 + rnd.IntN(700); rnd.IntN(2) == 0 {
				src += fmt.Sprintf("    interval: %dh\n", v)
				if matches {
					want.Interval = time.Duration(v) * time.Hour
				}
			}
		}
		if diff := cmp.Diff(want, parse(t, src).For("a/x.yaml", "n")); diff != "" {
			t.Fatalf("seed %d:\n%s(-want +got):\n%s", seed, src, diff)
		}
	}
}

func TestRepositoryProblems(t *testing.T) {
	for _, tt := range []struct{ src, want, fix string }{
		{"", "1:1: version is missing", "add a line with version:"},
		{"paused: true\n", "1:1: version is missing", "version:"},
		{"version: 2\n", "1:10: this towpath knows version 1 of the file only", "version: 1"},
		{"version: '1'\n", "1:10: this towpath knows version 1", "version: 1"},
		{"version: 1\n---\nversion: 1\n", "document", ""},
		{"version: [1\n", ":1: ", ""},
		{"version: 1\nexclude: [" + strings.Repeat("a,", 30_000) + "]\n", "more than 20000 nodes", ""},
		{"- version: 1\n", "1:1: the file must be a mapping", "keys"},
		{"version: 1\nversion: 1\n", "2:1: the key \"version\" is given twice", "take out one"},
		{"version: 1\nincldue: []\n", "2:1: incldue is not a known key", "did you mean include?"},
		{"version: 1\nInclude: ['*']\n", "2:1: Include is not a known key", "did you mean include?"},
		{"version: 1\nzzzz: 1\n", "2:1: zzzz is not a known key", "known here: branch-prefix, defaults, exclude,"},
		{"version: 1\ndefaults:\n  intervall: 5m\n", "3:3: defaults.intervall is not a known key", "did you mean interval?"},
		{"version: 1\ndefaults:\n  failure_after: 5m\n", "3:3: defaults.failure_after is not a known key", "did you mean failure-after?"},
		{"version: 1\ntoken: abc\n", "2:1: token would be a secret in this file", "git.token-file"},
		{"version: 1\n\"a\\e[31mb\": 1\n", `2:1: "a\x1b[31mb" is not a known key`, "known here"},
		{"version: 1\ninclude: []\n", "1:1: include is empty", "remove it"},
		{"version: 1\ninclude: a\n", "2:10: include must be a list", "include: [a, b]"},
		{"version: 1\ninclude: [1]\n", "2:11: include[0] must be text", "quotes"},
		{"version: 1\ninclude: ['']\n", "2:11: include[0] is empty", "remove"},
		{"version: 1\ninclude: [~]\n", "2:11: include[0] has no value", "remove"},
		{"version: 1\ninclude: ['a[']\n", "2:11: include[0] is not a glob", "close every ["},
		{"version: 1\ninclude: ['/a']\n", "2:11: include[0] never matches", "write a"},
		{"version: 1\ninclude: ['./a/*']\n", "2:11: include[0] never matches", "write a/*"},
		{"version: 1\nexclude: ['a/']\n", "2:11: exclude[0] never matches: it names a directory", "write a/**"},
		{"version: 1\nexclude: ['../a/*']\n", "2:11: exclude[0] never matches: no path of a repository has a part . or ..", "without them"},
		{"version: 1\nexclude: ['a/./b']\n", "2:11: exclude[0] never matches: no path", "without them"},
		{"version: 1\nexclude: ['{a,..}/b']\n", "2:11: exclude[0] never matches: no path", "without them"},
		{"version: 1\nnamespaces: {'a/..': b}\n", "2:14: a glob of namespaces never matches: no path", "without them"},
		{"version: 1\nnamespaces: [a]\n", "2:13: namespaces must be a mapping", "team1"},
		{"version: 1\nnamespaces: {'a[': b}\n", "2:14: a glob of namespaces is not a glob", "close"},
		{"version: 1\nnamespaces: {a: B}\n", "2:17: namespaces.a is not the name of a namespace", "lower-case"},
		{"version: 1\nplatform: linux\n", "2:11: platform must be os/architecture", "linux/amd64"},
		{"version: 1\nplatform: Linux/amd64\n", "2:11: platform must be os/architecture", "linux/amd64"},
		{"version: 1\npaused: yes\n", "2:9: paused must be true or false", "paused: true"},
		{"version: 1\npaused: 'true'\n", "2:9: paused must be true or false", "without quotes"},
		{"version: 1\npaused:\n", "paused has no value", "write one"},
		{"version: 1\nregistry: r.example.com\n", "2:11: registry must be a mapping", "keys below it"},
		{"version: 1\nregistry: {streams: {a: b}}\n", "2:11: registry.host is missing", "host:"},
		{"version: 1\nregistry: {host: registry}\n", "2:18: registry.host would not be read as a host", "registry:5000"},
		{"version: 1\nregistry: {host: docker.io}\n", "2:18: registry.host is Docker Hub", "towpath's registry"},
		{"version: 1\nregistry: {host: 'https://r.example.com'}\n", "2:18: registry.host is not a registry host alone", "write r.example.com"},
		{"version: 1\nregistry: {host: r.example.com, streams: [a]}\n", "2:42: registry.streams must be a mapping", "team1: apps/"},
		{"version: 1\nregistry: {host: r.example.com, streams: {'a[': b}}\n", "2:43: a glob of registry.streams is not a glob", "close"},
		{"version: 1\nregistry: {host: r.example.com, streams: {a: /b}}\n", "2:46: registry.streams.a is not a directory of the repository", "root"},
		{"version: 1\nregistry: {host: r.example.com, streams: {a: b/}}\n", "2:46: registry.streams.a is not a directory", "root"},
		{"version: 1\nregistry: {host: r.example.com, streams: {a: ../b}}\n", "2:46: registry.streams.a is not a directory", "root"},
		{"version: 1\nregistry: {host: r.example.com, streams: {a: b/.git}}\n", "2:46: registry.streams.a is not a directory", "root"},
		{"version: 1\nregistry: {host: r.example.com, streams: {a: 'b/**'}}\n", "2:46: registry.streams.a is one directory, not a pattern", "{namespace}"},
		{"version: 1\nregistry: {host: r.example.com, streams: {a: '{ns}/b'}}\n", "2:46: registry.streams.a is one directory, not a pattern", "{namespace}"},
		{"version: 1\nregistry: {host: r.example.com, streams: {a: .github/b}}\n", "2:46: registry.streams.a is a directory whose files say what machines run", "another"},
		{"version: 1\ndefaults: {triggers: []}\n", "2:22: defaults.triggers must be text", "one value"},
		{"version: 1\ndefaults: {record: all}\n", "2:20: defaults.record must be image or labels", "record: image"},
		{"version: 1\ndefaults: {settle: -1s}\n", "2:20: defaults.settle must be a duration from 0s to 720h", "15m"},
		{"version: 1\nrules: [{paths: [a], min-age: 8761h}]\n", "2:31: rules[0].min-age must be a duration from 0s to 8760h", "15m"},
		{"version: 1\ndefaults: {history: 0}\n", "2:21: defaults.history must be a whole number from 1 to 100", "range"},
		{"version: 1\ndefaults: {history: 1e3}\n", "2:21: defaults.history must be a whole number", "range"},
		{"version: 1\ndefaults: {tags-cap: 1001}\n", "2:22: defaults.tags-cap must be a whole number from 1 to 1000", "range"},
		{"version: 1\ndefaults: {import-mode: legacy}\n", "2:25: defaults.import-mode must be Legacy or PreserveOriginal", "import-mode: Legacy"},
		{"version: 1\ndefaults: {group: repository}\n", "2:19: defaults.group must be tag or stream or namespace or all in this version", "group: tag"},
		{"version: 1\nrules: [{interval: 1h}]\n", "2:9: the rule names neither paths nor namespaces", "defaults:"},
		{"version: 1\nrules: [{paths: [a], interval: 5}]\n", "2:32: rules[0].interval must be a duration", "15m"},
		{"version: 1\nrules:\n  paths: [a]\n", "3:3: rules must be a list", "dash"},
	} {
		r, problems := ParseRepository([]byte(tt.src))
		if len(problems) != 1 {
			t.Errorf("%.80q: %d problems: %v", tt.src, len(problems), problems)
			continue
		}
		p := problems[0]
		if !strings.Contains(p.String(), tt.want) || !strings.Contains(p.Fix, tt.fix) || p.Path != RepositoryFile {
			t.Errorf("%.80q:\n got %s (fix: %s)\nwant %s (fix: %s)", tt.src, p, p.Fix, tt.want, tt.fix)
		}
		if !r.Paused() || !r.For("a.yaml", "").Paused {
			t.Errorf("%.80q: not paused in spite of the problem", tt.src)
		}
	}
}

// All that is wrong is told at once, in the order of the file.
func TestManyProblems(t *testing.T) {
	_, problems := ParseRepository([]byte("paused: 1\ndefaults: {interval: 0s, nothing: 1}\nrules: [{paths: [1]}]\n"))
	var got []string
	for _, p := range problems {
		got = append(got, fmt.Sprintf("%d:%d", p.Line, p.Col))
	}
	if diff := cmp.Diff([]string{"1:1", "1:9", "2:22", "2:26", "3:18"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s\n%v", diff, problems)
	}
	_, problems = ParseRepository([]byte("version: 1\nexclude: [" + strings.Repeat("1,", 400) + "]\n"))
	if len(problems) != maxProblems {
		t.Errorf("%d problems of 400 are told, want %d", len(problems), maxProblems)
	}
}

// fault: C-24
func TestBadDurations(t *testing.T) {
	for _, text := range []string{"0s", "1ns", "-5m", "999999h", "1e400", `"5"`, "5", "999ms", "720h1s", "1d", "''", "~", "[1h]", "9999999999999h", "12:30"} {
		for _, key := range []string{"interval", "failure-after"} {
			r, problems := ParseRepository([]byte("version: 1\ndefaults: {" + key + ": " + text + "}\n"))
			if len(problems) != 1 || problems[0].Line != 2 || problems[0].Fix == "" {
				t.Errorf("%s: %s: problems %v", key, text, problems)
			}
			if s := r.For("a.yaml", ""); s.Interval != 15*time.Minute || s.FailureAfter != time.Hour || !s.Paused {
				t.Errorf("%s: %s: settings %+v", key, text, s)
			}
		}
	}
	for text, want := range map[string]time.Duration{"1s": time.Second, "720h": 720 * time.Hour, "1.5h": 90 * time.Minute} {
		if got := parse(t, "version: 1\ndefaults: {interval: "+text+"}\n").For("", "").Interval; got != want {
			t.Errorf("%s: %s", text, got)
		}
	}
}

// An author's glob must not hold the daemon up.
func TestCostlyGlobs(t *testing.T) {
	for _, text := range []string{
		strings.Repeat("{a,aa}", 20) + "b",
		"{" + strings.Repeat("{a,aa}", 20) + "}b",
		strings.Repeat("x", maxGlob+1),
	} {
		var g Glob
		if err := g.set(text); err == nil {
			t.Errorf("%.40s… is accepted", text)
		}
	}
	path := strings.Repeat("a/", 500) + "aaaaaaaa"
	var took time.Duration
	for _, text := range []string{
		strings.Repeat("**/a/", 40) + "b",
		strings.Repeat("*a", 100) + "/**/b",
		strings.Repeat("{a,aa}", 6) + "/**/b",
		"**/" + strings.Repeat("*a*", 60) + "b",
	} {
		var g Glob
		if err := g.set(text); err != nil {
			t.Fatal(err)
		}
		took += spent.CPU(t, func() {
			for range 10 {
				g.Match(path)
			}
		})
	}
	if took > 2*time.Second {
		t.Errorf("40 matches took %s", took)
	}
}

// Merging and aliases mean what YAML says, or are refused; they never crash.
func TestAliases(t *testing.T) {
	r := parse(t, "version: 1\ninclude: &g ['a/**']\nexclude: ['a/b/**']\nrules: [{paths: *g, history: 3}]\n")
	if got := r.For("a/x", "").History; got != 3 {
		t.Errorf("history %d", got)
	}
	_, problems := ParseRepository([]byte("version: 1\ndefaults: &d {history: 3}\nrules: [{<<: *d, paths: [a]}]\n"))
	if len(problems) != 1 || !strings.Contains(problems[0].What, "<< is not a known key") {
		t.Errorf("merge key: %v", problems)
	}
}

func FuzzParseRepository(f *testing.F) {
	f.Add("version: 1\ninclude: ['**/*.yaml']\nrules: [{paths: [a], interval: 1h}]\n")
	f.Add("version: 1\ndefaults: &a {interval: 0s, x: *a}\n")
	f.Fuzz(func(t *testing.T, src string) {
		r, problems := ParseRepository([]byte(src))
		if len(problems) > 0 && !r.Paused() {
			t.Errorf("%d problems, and not paused", len(problems))
		}
		for _, p := range problems {
			if p.Fix == "" || p.What == "" || p.Line < 1 {
				t.Errorf("problem without line or fix: %+v", p)
			}
		}
		s := r.For("a/b.yaml", "team1")
		if s.Interval < time.Second || s.FailureAfter < time.Second || s.History < 1 || s.TagsCap < 1 {
			t.Errorf("settings %+v", s)
		}
		r.Included("a/b.yaml")
		r.Namespace("a/b.yaml")
	})
}

// Law: what a glob must begin and end with leaves nothing out that it matches.
func TestLawGlobEnds(t *testing.T) {
	seed := seeds.Of(t)
	rnd := rand.New(rand.NewPCG(seed, 1))
	parts := []string{"a", "b", ".yaml", "/", "/", "*", "**", "**/", "?", "{a,b}", "{a,/b}", "[ab]", "[!a]", `\*`, "-"}
	matched := 0
	for range 20_000 {
		text := draw(rnd, parts)
		path := draw(rnd, []string{"a", "b", "c", ".yaml", "/", "*", "-", "{", "]"})
		var g Glob
		if g.set(text) != nil {
			continue
		}
		want := doublestar.MatchUnvalidated(text, path)
		if g.Match(path) != want {
			t.Fatalf("%q matches %q: %v, want %v (begins %q, ends %q)", text, path, !want, want, g.prefix, g.suffix)
		}
		if want {
			matched++
		}
	}
	if matched < 500 {
		t.Errorf("only %d matched", matched)
	}
}

// draw makes a text of one to five parts.
func draw(rnd *rand.Rand, parts []string) string {
	var b strings.Builder
	for range 1 + rnd.IntN(5) {
		b.WriteString(parts[rnd.IntN(len(parts))])
	}
	return b.String()
}

func BenchmarkTenThousandPaths(b *testing.B) {
	src := "version: 1\nnamespaces: {'apps/*/**': apps}\nrules:\n"
	for i := range 50 {
		src += fmt.Sprintf("  - {paths: ['apps/team%d/**'], interval: 1h}\n", i)
	}
	r, problems := ParseRepository([]byte(src))
	if len(problems) > 0 {
		b.Fatal(problems)
	}
	paths := make([]string, 10_000)
	for i := range paths {
		paths[i] = fmt.Sprintf("apps/team%d/service%d/imagestream.yaml", i%60, i)
	}
	for b.Loop() {
		for _, p := range paths {
			r.Included(p)
			r.For(p, r.Namespace(p))
		}
	}
}
