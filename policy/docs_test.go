package policy

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"
)

const guide = "../docs/policies.md"

func readGuide(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(guide)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Each example in YAML has annotations, and they are a policy.
func TestGuideExamples(t *testing.T) {
	blocks := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(readGuide(t), -1)
	if len(blocks) < 3 {
		t.Fatalf("%d examples in %s", len(blocks), guide)
	}
	for _, block := range blocks {
		var any any
		if err := yaml.Unmarshal([]byte(block[1]), &any); err != nil {
			t.Errorf("%v in\n%s", err, block[1])
			continue
		}
		found := 0
		policies(any, func(annotations map[string]string) {
			found++
			if p, err := Parse(annotations); err != nil || p == nil {
				t.Errorf("%v: %v", annotations, err)
			}
		})
		if want := strings.Count(block[1], "annotations:"); found != want {
			t.Errorf("%d of %d policies were read in\n%s", found, want, block[1])
		}
	}
}

// policies calls do with the annotations of each object that has any, without prefix.
func policies(value any, do func(map[string]string)) {
	switch v := value.(type) {
	case []any:
		for _, one := range v {
			policies(one, do)
		}
	case map[string]any:
		if given, ok := v["annotations"].(map[string]any); ok {
			annotations := map[string]string{}
			for key, value := range given {
				text, isText := value.(string)
				if key, ours := strings.CutPrefix(key, "towpath.dev/"); ours && isText && slices.Contains(Keys, key) {
					annotations[key] = text
				}
			}
			do(annotations)
		}
		for _, one := range v {
			policies(one, do)
		}
	}
}

var code = regexp.MustCompile("`([^`]*)`")

// cells are the cells of a row of a table, each as its pieces of code.
func cells(row string) (all [][]string) {
	const bar = "\x00"
	row = strings.ReplaceAll(row, `\|`, bar)
	for cell := range strings.SplitSeq(strings.Trim(row, "|"), "|") {
		var pieces []string
		for _, m := range code.FindAllStringSubmatch(strings.ReplaceAll(cell, bar, "|"), -1) {
			pieces = append(pieces, m[1])
		}
		all = append(all, pieces)
	}
	return all
}

// Each row of the tables "annotations, listed, on record, chosen" is so.
func TestGuideTables(t *testing.T) {
	rows, inside := 0, false
	for row := range strings.Lines(readGuide(t)) {
		row = strings.TrimSpace(row)
		switch {
		case row == "| annotations | listed | on record | chosen |":
			inside = true
			continue
		case !strings.HasPrefix(row, "|"):
			inside = false
		}
		if !inside || strings.HasPrefix(row, "|---") {
			continue
		}
		rows++
		c := cells(row)
		if len(c) != 4 || len(c[2]) > 1 || len(c[3]) > 1 {
			t.Fatalf("not a row of that table: %s", row)
		}
		annotations, tags, says := map[string]string{}, []string{}, map[string]string{}
		for _, piece := range c[0] {
			key, value, _ := strings.Cut(piece, ": ")
			annotations[key] = value
		}
		for _, piece := range c[1] {
			tag, made, dated := strings.Cut(piece, " ")
			tags = append(tags, tag)
			if dated {
				says[tag] = made
			}
		}
		p, err := Parse(annotations)
		if err != nil || p == nil {
			t.Errorf("%s: %v", row, err)
			continue
		}
		current, want := strings.Join(c[2], ""), strings.Join(c[3], "")
		if got, _ := choose(t, p.Shortlist(tags), current, facts(t, says)); got.Tag != want {
			t.Errorf("%s\ngot %q: %s", row, got.Tag, got.Why)
		}
	}
	if want := strings.Count(readGuide(t), "| annotations | listed |"); rows < 25 || want != 4 {
		t.Errorf("%d rows in %d tables", rows, want)
	}
}

// What stands in the tables for people who come from elsewhere is accepted.
func TestGuideTranslations(t *testing.T) {
	_, elsewhere, _ := strings.Cut(readGuide(t), "## Coming from Flux")
	read := 0
	for row := range strings.Lines(elsewhere) {
		c := cells(strings.TrimSpace(row))
		if !strings.HasPrefix(row, "|") || len(c) != 2 || len(c[1]) == 0 {
			continue
		}
		annotations := map[string]string{}
		for _, piece := range c[1] {
			if key, value, ok := strings.Cut(piece, ": "); ok && slices.Contains(Keys, key) {
				annotations[key] = value
			}
		}
		if len(annotations) == 0 {
			continue
		}
		for key, value := range map[string]string{"policy": "numerical", "match": "(?P<ts>[0-9]+)"} {
			if _, ok := annotations[key]; !ok && (key == "policy" || annotations["extract"] != "") {
				annotations[key] = value
			}
		}
		read++
		if _, err := Parse(annotations); err != nil {
			t.Errorf("%s: %v", strings.TrimSpace(row), err)
		}
	}
	if read < 12 {
		t.Errorf("%d rows were read", read)
	}
}

// The bounds that the guide names are those of the code.
func TestGuideBounds(t *testing.T) {
	text := readGuide(t)
	for _, bound := range []struct {
		says string
		is   bool
	}{
		{"1,000 tags after `match`", maxAges == 1000},
		{"50 tags, best first", maxLooked == 50},
		{"4 KiB, and 1,000 steps", maxSource == 4<<10 && maxProgram == 1000},
		{"536,870,912 steps times bytes", maxWork == 536_870_912},
		{"allow 134 steps", maxWork/(100_000*40) == 134},
		{"the template, 256 bytes", maxExtract == 256},
		{"at most `366d`", year.Hours() == 366*24},
		{"more than 24 hours ahead", ahead.Hours() == 24},
		{"before 2000", epoch.Year() == 2000},
	} {
		if !strings.Contains(text, bound.says) || !bound.is {
			t.Errorf("%s does not say what is so: %q", guide, bound.says)
		}
	}
}
