package config

import (
	"fmt"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v4"

	"github.com/towpath/towpath/imagestream"
	"github.com/towpath/towpath/yamledit"
)

// A key is a key of a configuration file, as the code has it.
type key struct {
	name   string
	field  reflect.StructField
	preset reflect.Value // the value where no file says otherwise
}

// keysOf lists the keys below a value that holds the defaults. Of a rule only
// its own are listed, not those that it shares with defaults.
func keysOf(prefix string, v reflect.Value) []key {
	var keys []key
	for _, f := range reflect.VisibleFields(v.Type()) {
		name := f.Tag.Get("yaml")
		if name == "" || v.Type() == reflect.TypeFor[rule]() && len(f.Index) > 1 {
			continue
		}
		name = join(prefix, name)
		fv := v.FieldByIndex(f.Index)
		inner := f.Type
		if inner.Kind() == reflect.Slice {
			inner = inner.Elem()
			name += "[]"
		}
		switch {
		case isGroup(f.Type):
			keys = append(keys, keysOf(name, fv)...)
		case isGroup(inner):
			keys = append(keys, key{name: strings.TrimSuffix(name, "[]"), field: f, preset: fv})
			keys = append(keys, keysOf(name, reflect.New(inner).Elem())...)
		default:
			keys = append(keys, key{name: strings.TrimSuffix(name, "[]"), field: f, preset: fv})
		}
	}
	return keys
}

// isGroup reports whether keys stand below a type.
func isGroup(t reflect.Type) bool {
	_, own := reflect.New(t).Interface().(shape)
	return t.Kind() == reflect.Struct && len(fieldsOf(t)) > 0 && !own
}

func repositoryKeys() []key { return keysOf("", reflect.ValueOf(presets())) }

func operatorKeys() []key { return keysOf("", reflect.ValueOf(DefaultOperator()).Elem()) }

// section is the text of a heading of the document.
func section(t *testing.T, heading string) string {
	t.Helper()
	doc, err := os.ReadFile("../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, ok := strings.Cut(string(doc), "\n## "+heading+"\n")
	if !ok {
		t.Fatalf("no section %q", heading)
	}
	text, _, _ = strings.Cut(text, "\n## ")
	return text
}

// The document's tables are the code's keys, ranges and defaults.
func TestDocument(t *testing.T) {
	for heading, keys := range map[string][]key{".towpath.yaml": repositoryKeys(), "The operator's file": operatorKeys()} {
		t.Run(heading, func(t *testing.T) {
			text := section(t, heading)
			rows := map[string][]string{}
			var documented []string
			for line := range strings.Lines(text) {
				if cells := strings.Split(line, " | "); strings.HasPrefix(line, "| `") && len(cells) >= 3 {
					name := strings.Trim(cells[0], "|` ")
					rows[name], documented = cells, append(documented, name)
				}
			}
			var want []string
			for _, k := range keys {
				want = append(want, k.name)
				if cells := rows[k.name]; cells != nil {
					checkRow(t, k, cells[1], cells[2])
				}
			}
			slices.Sort(want)
			slices.Sort(documented)
			if diff := cmp.Diff(want, documented); diff != "" {
				t.Errorf("keys (-code +document):\n%s", diff)
			}
		})
	}
}

// checkRow compares the columns values and default of a key.
func checkRow(t *testing.T, k key, values, preset string) {
	var want []string
	tag := k.field.Tag
	switch {
	case tag.Get("min") != "":
		want = []string{tag.Get("min") + " to " + tag.Get("max")}
	case tag.Get("max") != "":
		want = []string{"at most " + tag.Get("max")}
	}
	for _, word := range strings.Fields(tag.Get("oneof")) {
		want = append(want, "`"+word+"`")
	}
	for _, w := range want {
		if !strings.Contains(values, w) {
			t.Errorf("%s: values are documented as %q, without %q", k.name, values, w)
		}
	}
	if shown := show(k.preset); shown != "" && strings.Trim(preset, " ") != shown {
		t.Errorf("%s: default is documented as %q, is %q", k.name, preset, shown)
	}
}

// show is a default as the document writes it; empty for one that prose
// explains.
func show(v reflect.Value) string {
	if v.Kind() == reflect.Pointer && !v.IsNil() {
		v = v.Elem()
	}
	switch x := v.Interface().(type) {
	case bool:
		return fmt.Sprintf("`%v`", x)
	case time.Duration:
		if x == 0 {
			return ""
		}
		s := x.String()
		return "`" + regexp.MustCompile(`([hm])0[ms](0s)?$`).ReplaceAllString(s, "$1") + "`"
	case []Glob:
		var texts []string
		for _, g := range x {
			texts = append(texts, "`"+g.String()+"`")
		}
		return strings.Join(texts, ", ")
	}
	if v.IsZero() || v.Kind() == reflect.Slice || v.Kind() == reflect.Struct {
		return ""
	}
	return fmt.Sprintf("`%v`", v.Interface())
}

// The examples are valid and show every key.
func TestExamples(t *testing.T) {
	parseRepository := func(src []byte) []imagestream.Problem {
		_, problems := ParseRepository(src)
		return problems
	}
	parseOperator := func(src []byte) []imagestream.Problem {
		_, problems := ParseOperator("operator.yaml", src)
		return problems
	}
	for file, tt := range map[string]struct {
		parse func([]byte) []imagestream.Problem
		keys  []key
	}{
		"../examples/towpath.yaml":  {parseRepository, repositoryKeys()},
		"../examples/operator.yaml": {parseOperator, operatorKeys()},
	} {
		t.Run(file, func(t *testing.T) {
			src, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if problems := tt.parse(src); len(problems) > 0 {
				t.Errorf("problems: %v", problems)
			}
			shown := keysIn(t, src)
			for _, k := range tt.keys {
				// Keys that exclude others stand behind a comment sign.
				commented := regexp.MustCompile(`(?m)^ *# ` + last(k.name) + `: `).Match(src)
				if !shown[k.name] && !commented {
					t.Errorf("%s: not shown", k.name)
				}
			}
		})
	}
}

// Each piece of .towpath.yaml in the document is valid, and lists of names there are the
// code's.
func TestDocumentedPieces(t *testing.T) {
	text := section(t, "Following")
	pieces := regexp.MustCompile("(?s)\n```yaml\n(.*?)```\n").FindAllStringSubmatch(text, -1)
	for _, p := range pieces {
		if _, problems := ParseRepository([]byte("version: 1\n" + p[1])); len(problems) > 0 {
			t.Errorf("%s%v", p[1], problems)
		}
	}
	if len(pieces) < 5 {
		t.Errorf("%d pieces", len(pieces))
	}
	for _, list := range [][]string{templateNames, guardedDirs, guardedFiles} {
		for _, name := range list {
			if !strings.Contains(text, "`"+name+"`") && !strings.Contains(text, "| `{"+name+"}` |") {
				t.Errorf("%s is not documented", name)
			}
		}
	}
	if got := strings.Count(text, "\n| `{"); got != len(templateNames) {
		t.Errorf("%d names of templates are documented, of %d", got, len(templateNames))
	}
}

// keysIn lists the keys of a file as keysOf names them.
func keysIn(t *testing.T, src []byte) map[string]bool {
	t.Helper()
	file, err := yamledit.Parse(src, limits)
	if err != nil {
		t.Fatal(err)
	}
	keys := map[string]bool{}
	var walk func(prefix string, n *yaml.Node)
	walk = func(prefix string, n *yaml.Node) {
		switch n.Kind {
		case yaml.MappingNode:
			for i := 0; i+1 < len(n.Content); i += 2 {
				name := join(prefix, n.Content[i].Value)
				keys[name] = true
				walk(name, n.Content[i+1])
			}
		case yaml.SequenceNode:
			for _, e := range n.Content {
				walk(prefix+"[]", e)
			}
		}
	}
	walk("", file.Docs[0].Root)
	return keys
}

// The configuration in the example for Kubernetes is valid, too.
func TestKubernetesExample(t *testing.T) {
	src, err := os.ReadFile("../examples/kubernetes/towpath.yaml")
	if err != nil {
		t.Fatal(err)
	}
	file, err := yamledit.Parse(src, yamledit.DefaultLimits)
	if err != nil {
		t.Fatal(err)
	}
	for _, doc := range file.Docs {
		if n := yamledit.Lookup(doc.Root, yamledit.Path{"data", "operator.yaml"}); n != nil {
			if _, problems := ParseOperator("operator.yaml", []byte(n.Value)); len(problems) > 0 {
				t.Errorf("problems: %v", problems)
			}
			return
		}
	}
	t.Error("no operator.yaml")
}
