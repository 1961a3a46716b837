package main

import (
	"errors"
	"fmt"
	"path"
	"regexp"
	"strings"

	"github.com/towpath/towpath/trigger"
)

// stageLine is a line of a Dockerfile that names an image, and perhaps its stage.
var stageLine = regexp.MustCompile(`(?i)^\s*FROM\s+(?:--\S+\s+)*(\S+)(?:\s+AS\s+(\S+))?`)

// editText puts a marker above a line of a text, or takes it away.
func (t *triggering) editText() (triggerEdit, error) {
	if err := t.checkText(); err != nil {
		return triggerEdit{}, err
	}
	lines := strings.SplitAfter(string(t.before), "\n")
	n, err := t.line(lines)
	if err != nil {
		return triggerEdit{}, err
	}
	who := clipped(lines[n-1])
	e, err := t.editLine(lines, n, who)
	shift := strings.Count(string(e.after), "\n") - strings.Count(string(t.before), "\n")
	e.is = func(_ trigger.Site, p trigger.Place) bool { return p.Line == n }
	e.isNow = func(_ trigger.Site, p trigger.Place) bool { return p.Line == n+shift }
	return e, err
}

func (t *triggering) editLine(lines []string, n int, who string) (e triggerEdit, err error) {
	at := len(strings.Join(lines[:n-1], ""))
	above := at
	if n > 1 {
		above -= len(lines[n-2])
	}
	if above < at { // the comment on the line before
		text := strings.TrimRight(lines[n-2], "\r\n")
		if _, _, _, found := markerIn(text); found {
			indent := len(text) - len(strings.TrimLeft(text, " \t"))
			return t.remark(e, who, above+indent, above+len(text))
		}
	}
	line := strings.TrimRight(lines[n-1], "\r\n")
	if _, from, _, found := markerIn(line); found { // or behind the value itself
		start := strings.LastIndexAny(line[:from], "#;/") // its sign
		if start < 0 {
			return e, t.unsure("the marker there stands in no comment that can be told apart")
		}
		return t.remark(e, who, at+start, at+len(line))
	}
	if t.opt.remove {
		return e, t.nothing(words(who))
	}
	m := t.opt.marker(marker{})
	indent := line[:len(line)-len(strings.TrimLeft(line, " \t"))]
	open, shut := comments(t.path)
	e.after = []byte(string(t.before[:at]) + indent + open + " " + m.String() + shut + newline(lines[n-1], string(t.before)) + string(t.before[at:]))
	e.count, e.said = 1, []string{who + " " + m.sentence()}
	return e, nil
}

// clipped is a line as people recognise it.
func clipped(line string) string {
	runes := []rune(strings.TrimSpace(line))
	if len(runes) > 60 {
		return string(runes[:59]) + "…"
	}
	return string(runes)
}

// checkText refuses what is asked for of text.
func (t *triggering) checkText() error {
	file := t.shown(t.path)
	switch o := t.opt; {
	case !t.asText():
		return usage("%w", hint{fmt.Errorf("%s is read as YAML, not line by line", file), "name the value with --field SELECTOR"})
	case len(o.containers) > 0 || o.kind != "" || o.name != "":
		return usage("%w", hint{fmt.Errorf("%s is read as text, which holds no objects", file), "name the line with --line N, or the stage of a Dockerfile with --stage NAME"})
	}
	return nil
}

// line is the number of the line that is meant.
func (t *triggering) line(lines []string) (int, error) {
	file := t.shown(t.path)
	if t.opt.line > 0 {
		if t.opt.line > len(lines) || strings.TrimSpace(lines[t.opt.line-1]) == "" {
			return 0, failed(hint{fmt.Errorf("nothing stands in line %d of %s", t.opt.line, file), "name the line that holds the image"})
		}
		return t.opt.line, nil
	}
	var found, stages []string
	var at []int
	for i, line := range lines {
		m := stageLine.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		image, stage := m[1], m[2]
		earlier := contains(stages, image)
		if stage != "" {
			stages = append(stages, stage)
		}
		if strings.EqualFold(image, "scratch") || earlier {
			continue // nobody's image
		}
		if t.opt.stage == "" || strings.EqualFold(stage, t.opt.stage) {
			found, at = append(found, fmt.Sprintf("line %d, FROM %s", i+1, image)), append(at, i+1)
		}
	}
	switch {
	case len(at) == 1:
		return at[0], nil
	case len(at) > 1:
		return 0, usage("%w", hint{fmt.Errorf("%s has %d lines that it could be: %s", file, len(at), strings.Join(found, "; ")), "say --stage NAME or --line N"})
	case t.opt.stage != "":
		return 0, failed(hint{fmt.Errorf("%s has no stage %s that begins with an image", file, t.opt.stage), stagesFix(stages)})
	}
	return 0, usage("%w", hint{errors.New("no line is named, and none is FROM with an image"), "say --line N"})
}

func stagesFix(stages []string) string {
	if len(stages) == 0 {
		return "no stage has a name: say --line N"
	}
	return "its stages are " + strings.Join(stages, ", ")
}

func contains(names []string, name string) bool {
	for _, n := range names {
		if strings.EqualFold(n, name) {
			return true
		}
	}
	return false
}

// comments are the signs round a comment in a file.
func comments(file string) (open, shut string) {
	switch path.Ext(file) {
	case ".bicep", ".cjs", ".cs", ".cue", ".go", ".gradle", ".groovy", ".java", ".js", ".json5", ".jsonc", ".jsonnet", ".kt", ".kts", ".libsonnet", ".mjs", ".rs", ".swift", ".ts":
		return "//", ""
	case ".lua", ".sql":
		return "--", ""
	case ".htm", ".html", ".md", ".xml":
		return "<!--", " -->"
	}
	if path.Base(file) == "Jenkinsfile" {
		return "//", ""
	}
	return "#", ""
}

// newline is how a file ends its lines.
func newline(line, text string) string {
	if strings.HasSuffix(line, "\r\n") || !strings.HasSuffix(line, "\n") && strings.Contains(text, "\r\n") {
		return "\r\n"
	}
	return "\n"
}
