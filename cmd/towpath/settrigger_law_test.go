package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/towpath/towpath/trigger"
	"github.com/towpath/towpath/yamledit"
)

// A draw makes files with objects, in the many ways in which people write them.
type draw struct{ *rand.Rand }

func (d draw) of(choices ...string) string { return choices[d.IntN(len(choices))] }

// file is a file with two containers, web and side, of which some follow already.
func (d draw) file() string {
	containers := d.of(
		"\n      - name: web\n        image: ' ' # filled in\n      - name: side\n        image: side:1\n",
		" [{name: web, image: \" \"}, {name: side, image: 'side:1'}]\n",
		"\n        # the first\n        - {name: web, image: \"web:0\"} # {by} hand\n        - name: side\n          image: side:1\n",
	)
	text := d.of("", "", "# a head\n", "---\n") + "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\n" + d.annotations() +
		"spec:\n  replicas: 1 # no more\n  template:\n    spec:\n      containers:" + containers + d.of("", "# the end", "---\nkind: ConfigMap\nmetadata: {name: x}\n")
	if d.IntN(4) == 0 {
		text = strings.ReplaceAll(text, "\n", "\r\n")
	}
	return text
}

func (d draw) annotations() string {
	entry := func(container string) string {
		return `{"from":{"kind":"ImageStreamTag","name":"` + d.of("old", "web") + `:1"},` + d.of("", " ") + `"fieldPath":"spec.template.spec.containers[` +
			map[string]string{"web": d.of("0", `?(@.name==\"web\")`), "side": d.of("1", `?(@.name==\"side\")`)}[container] + `].image"` + d.of("", `,"paused":true`, `, "paused": false`) + "}"
	}
	one, two := entry("web"), entry("side")
	const key = "    image.openshift.io/triggers: "
	return d.of(
		"", "  annotations: {}\n", "  annotations:\n    team: one # ours\n", "  annotations: {team: one}\n",
		"  annotations:\n"+key+"'["+one+"]' # ours\n    team: one\n",
		"  annotations:\n"+key+"'["+one+", "+two+"]'\n",
		"  annotations:\n"+key+"|\n      ["+one+",\n       "+two+"]\n    team: one\n",
		"  annotations:\n"+key+">-\n        [\n          "+two+"\n        ]\n",
		"  annotations: {image.openshift.io/triggers: '["+two+"]', team: one}\n",
	)
}

// checkoutOf is a directory with one file.
func checkoutOf(t *testing.T, text string) (read func() string) {
	t.Chdir(t.TempDir())
	for name, text := range map[string]string{".towpath.yaml": "version: 1\n", "web.yaml": text} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return func() string {
		src, err := os.ReadFile("web.yaml")
		if err != nil {
			t.Fatal(err)
		}
		return string(src)
	}
}

func setTrigger(t *testing.T, args ...string) (code int, output string) {
	var out bytes.Buffer
	code = Main(t.Context(), append([]string{"set-trigger", "web.yaml"}, args...), &out, &out, func(string) string { return "" })
	return code, out.String()
}

// However a file is written: what is asked for is found in it afterwards, nothing but the
// annotation has changed, twice is once, and taken out again the file is as it was.
func TestSetTriggerLaw(t *testing.T) {
	for seed := range uint64(150) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			d := draw{rand.New(rand.NewPCG(seed, 4))}
			before := d.file()
			read := checkoutOf(t, before)
			container := d.of("web", "side")
			had := follows(t, before, container)
			if code, out := setTrigger(t, "--from", "team1/new:2", "--container", container); code != exitDone {
				t.Fatalf("exit code %d: %s\n%s", code, out, before)
			}
			after := read()
			if got := follows(t, after, container); got != "team1/new:2" {
				t.Fatalf("it follows %q\n%s", got, after)
			}
			if strip(t, before) != strip(t, after) {
				t.Errorf("more than the annotation has changed\n%s\nis now\n%s", before, after)
			}
			if strings.Contains(before, "\r\n") && strings.Count(after, "\n") != strings.Count(after, "\r\n") {
				t.Errorf("line ends are mixed: %q", after)
			}
			if code, out := setTrigger(t, "--from", "team1/new:2", "--container", container); code != exitDone || read() != after {
				t.Errorf("a second time: exit code %d: %s\n%s", code, out, read())
			}
			if code, out := setTrigger(t, "--container", container, "--remove"); code != exitDone || follows(t, read(), container) != "" {
				t.Fatalf("removed: exit code %d: %s\n%s", code, out, read())
			}
			if again := read(); had == "" && strings.Contains(before, trigger.Annotation) && again != before {
				t.Errorf("set and removed, the file is another\n%s\nis now\n%s", before, again)
			}
		})
	}
}

// follows is what a container follows, empty where it is nothing.
func follows(t *testing.T, text, container string) string {
	t.Helper()
	f, err := yamledit.Parse([]byte(text), yamledit.DefaultLimits)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	sites, problems := trigger.Find(f)
	if len(problems) > 0 {
		t.Fatalf("%v\n%s", problems, text)
	}
	for _, s := range sites {
		if s.ID.Container == container {
			return s.Follows.String()
		}
	}
	return ""
}

// strip is a text without its annotations, as lines.
func strip(t *testing.T, text string) string {
	t.Helper()
	var b strings.Builder
	skip := false
	for line := range strings.Lines(text) {
		switch {
		case strings.HasPrefix(line, "  annotations:"):
			skip = true
		case skip && !strings.HasPrefix(line, "   "):
			skip = false
		}
		if !skip {
			b.WriteString(line)
		}
	}
	return b.String()
}
