package config

import (
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/towpath/towpath/internal/seeds"
	"github.com/towpath/towpath/window"
)

func TestTriggerSettings(t *testing.T) {
	r := parse(t, `version: 1
defaults:
  reference-form: tag@digest
  windows:
    - {cron: "0 8 * * mon-fri", for: 9h, zone: Europe/Berlin}
    - {cron: "@daily", for: 30m}
  hold-depth: 20
  prefix: "chore: "
  template: |
    {tag} is {version}

    {{not a name}}
    {table}
  author: "Tow Path <towpath@example.com>"
  group: namespace
rules:
  - paths: ["test/**"]
    windows: []
    prefix: ""
    template: ""
    author: ""
    reference-form: digest
  - paths: ["test/slow/**"]
    windows: [{cron: "0 4 * * *", for: 1h}]
`)
	at := func(line string, open time.Duration, zone string) window.Window {
		w, err := window.Parse(line, open, zone)
		if err != nil {
			t.Fatal(err)
		}
		return w
	}
	want := defaultSettings()
	want.ReferenceForm, want.HoldDepth, want.Group = "tag@digest", 20, "namespace"
	want.Windows = []window.Window{at("0 8 * * mon-fri", 9*time.Hour, "Europe/Berlin"), at("@daily", 30*time.Minute, "")}
	want.Prefix, want.Template = "chore: ", "{tag} is {version}\n\n{{not a name}}\n{table}"
	want.Author = "Tow Path <towpath@example.com>"
	if diff := cmp.Diff(want, r.For("prod/a.yaml", "")); diff != "" {
		t.Errorf("by default (-want +got):\n%s", diff)
	}
	want.ReferenceForm, want.Windows, want.Prefix, want.Template, want.Author = "digest", nil, "", "", ""
	if diff := cmp.Diff(want, r.For("test/a.yaml", "")); diff != "" {
		t.Errorf("by the rule (-want +got):\n%s", diff)
	}
	want.Windows = []window.Window{at("0 4 * * *", time.Hour, "")}
	if diff := cmp.Diff(want, r.For("test/slow/a.yaml", "")); diff != "" {
		t.Errorf("by both rules (-want +got):\n%s", diff)
	}
	monday := time.Date(2026, 5, 4, 6, 30, 0, 0, time.UTC) // 08:30 in Berlin
	if open, _ := window.Open(r.For("prod/a.yaml", "").Windows, monday); !open {
		t.Error("the window of Monday morning is closed")
	}
}

func TestMessageProblems(t *testing.T) {
	for _, tt := range []struct{ key, want, fix string }{
		{"reference-form: repo", "2:28: defaults.reference-form must be digest or tag@digest or tag", "reference-form: digest"},
		{"hold-depth: 0", "2:24: defaults.hold-depth must be a whole number from 1 to 100000", "range"},
		{"hold-depth: 100001", "2:24: defaults.hold-depth must be", "range"},
		{"windows: 1", "2:21: defaults.windows must be a list", "windows: [a, b]"},
		{"windows: ['Mon-Fri']", "2:22: defaults.windows[0] must be a mapping", "keys"},
		{"windows: [{for: 1h}]", "2:22: defaults.windows[0].cron is missing", "cron:"},
		{"windows: [{cron: '@daily'}]", "2:22: defaults.windows[0].for is missing", "for:"},
		{"windows: [{cron: '* * * *', for: 1h}]", "2:29: defaults.windows[0].cron cannot be used: the cron line", "write "},
		{"windows: [{cron: '0 25 * * *', for: 1h}]", "2:29: defaults.windows[0].cron cannot be used", "write "},
		{"windows: [{cron: '0 0 31 2 *', for: 1h}]", "2:29: defaults.windows[0].cron cannot be used", "write "},
		{"windows: [{cron: '@daily', for: 0s}]", "2:44: defaults.windows[0].for must be a duration from 1m to 744h", "unit"},
		{"windows: [{cron: '@daily', for: 745h}]", "2:44: defaults.windows[0].for must be a duration from 1m to 744h", "unit"},
		{"windows: [{cron: '@daily', for: 1h, zone: Europe/Nowhere}]", "2:54: defaults.windows[0].zone cannot be used: there is no time zone", "Europe/Berlin"},
		{"windows: [{cron: '@daily', for: 1h, zone: Local}]", "2:54: defaults.windows[0].zone cannot be used", "Europe/Berlin"},
		{"windows: [{cron: '@daily', for: 1h, zone: ../etc/passwd}]", "2:54: defaults.windows[0].zone cannot be used", "Europe/Berlin"},
		{"prefix: '" + strings.Repeat("é", 51) + "'", "2:20: defaults.prefix is longer than 50 characters", "chore"},
		{"prefix: '" + strings.Repeat("é", 50) + "'", "", ""},
		{"prefix: \"a\\nb\"", "2:20: defaults.prefix holds a control character or a line break", "one line"},
		{"prefix: \"a\\u200bb\"", "2:20: defaults.prefix holds a control character", "see"},
		{"prefix: ' a'", "2:20: defaults.prefix begins with a blank", "chore"},
		{"prefix: 1", "2:20: defaults.prefix must be text", "quotes"},
		{"prefix: [a]", "2:20: defaults.prefix must be text", "quotes"},
		{"prefix:", "defaults.prefix has no value", "write one"},
		{"template: '{tags}'", "2:22: defaults.template holds a brace that belongs to no name", "{tag} {stream} {namespace} {version} {image} {digest} {revision} {source} {sites} {table} {subject}"},
		{"template: 'a {'", "2:22: defaults.template holds a brace", "{{ or }}"},
		{"template: 'a }'", "2:22: defaults.template holds a brace", "{{ or }}"},
		{"template: '{}'", "2:22: defaults.template holds a brace", "{{ or }}"},
		{"template: '{{{tag}}}'", "", ""},
		{"template: '{Tag}'", "2:22: defaults.template holds a brace", "{tag}"},
		{"template: \"\\n{tag}\"", "2:22: defaults.template begins with an empty line", "subject"},
		{"template: ' '", "2:22: defaults.template begins with an empty line", "subject"},
		{"template: \"a\\eb\"", "2:22: defaults.template holds a control character", "remove"},
		{"template: \"a\\rb\"", "2:22: defaults.template holds a control character", "remove"},
		{"template: '" + strings.Repeat("a", 4097) + "'", "2:22: defaults.template is longer than 4096 bytes", "shorten"},
		{"template: '" + strings.Repeat("a", 4096) + "'", "", ""},
		{"author: towpath", "2:20: defaults.author is not a name and an address", "Towpath <towpath@example.com>"},
		{"author: '<a@b.test>'", "2:20: defaults.author is not a name", "Towpath"},
		{"author: 'A <a>'", "2:20: defaults.author is not a name", "Towpath"},
		{"author: 'A <a@b@c>'", "2:20: defaults.author is not a name", "Towpath"},
		{"author: 'A <a@b.test> '", "2:20: defaults.author is not a name", "Towpath"},
		{"author: 'A <x> <a@b.test>'", "2:20: defaults.author is not a name", "Towpath"},
		{"author: ' A <a@b.test>'", "2:20: defaults.author is not a name", "Towpath"},
		{"author: \"A\\n <a@b.test>\"", "2:20: defaults.author is not a name", "Towpath"},
		{"author: 'A B, Jr. <a+b@c.test>'", "", ""},
	} {
		checkProblem(t, "version: 1\ndefaults: {"+tt.key+"}\n", tt.want, tt.fix)
	}
}

func TestFill(t *testing.T) {
	value := func(name string) string { return "<" + name + " {tag} }}>" }
	for template, want := range map[Template]string{
		"":                     "",
		"plain":                "plain",
		"{tag}":                "<tag {tag} }}>",
		"a {tag} b {version}":  "a <tag {tag} }}> b <version {tag} }}>",
		"{{tag}}":              "{tag}",
		"{{{tag}}}":            "{<tag {tag} }}>}",
		"}}{{":                 "}{",
		"{subject}\n\n{table}": "<subject {tag} }}>\n\n<table {tag} }}>",
		"{other} {":            "{other} {", // what no file can hold stays as it is
	} {
		if got := template.Fill(value); got != want {
			t.Errorf("%q: got %q, want %q", template, got, want)
		}
	}
}

// TestLawFill: text with its braces doubled is itself, wherever names stand beside it.
func TestLawFill(t *testing.T) {
	seed := seeds.Of(t)
	r := rand.New(rand.NewPCG(seed, 0))
	double := strings.NewReplacer("{", "{{", "}", "}}")
	for range 1000 {
		var template, want strings.Builder
		for range r.IntN(6) {
			text, name := draw(r, []string{"a", "ä ", "{", "}", "tag", "{tag}", "\n"}), templateNames[r.IntN(len(templateNames))]
			template.WriteString(double.Replace(text) + "{" + name + "}")
			want.WriteString(text + "<" + name + ">")
		}
		got := Template(template.String()).Fill(func(name string) string { return "<" + name + ">" })
		if got != want.String() {
			t.Fatalf("seed %d: %q is filled as %q, want %q", seed, template.String(), got, want.String())
		}
		if src := "version: 1\ndefaults: {template: " + strconv.Quote("a"+template.String()) + "}\n"; template.Len() > 0 {
			if kept := parse(t, src).For("", "").Template; kept != Template(strings.TrimRight("a"+template.String(), " \n")) {
				t.Fatalf("seed %d: %q is read as %q", seed, template.String(), kept)
			}
		}
	}
}
