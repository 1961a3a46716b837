package main

import (
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/towpath/towpath/web"
)

// fieldsOf collects the names of a shape's fields, and of those below them.
func fieldsOf(t reflect.Type, into map[string]bool) {
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice:
		fieldsOf(t.Elem(), into)
	case reflect.Struct:
		for i := range t.NumField() {
			if t.Field(i).Anonymous {
				fieldsOf(t.Field(i).Type, into)
			} else if name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ","); name != "" && name != "-" {
				into[name] = true
				fieldsOf(t.Field(i).Type, into)
			}
		}
	}
}

// The document names every field that is promised, and no other.
func TestDocumentedFields(t *testing.T) {
	doc, err := os.ReadFile("../../docs/output.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(string(doc), "\n## -o json\n")
	plan, rest, _ := strings.Cut(text, "\n`towpath validate -o json`")
	check, rest, _ := strings.Cut(rest, "\n`towpath status -o json`:\n")
	status, served, _ := strings.Cut(rest, "\n## /status.json\n")
	status, prune, _ := strings.Cut(status, "\n`towpath prune -o json`")
	problems := regexp.MustCompile("(?m)^\\| `problems\\[\\]`.*").FindString(plan)
	sites := status[strings.LastIndex(status, "\nA site: "):]
	// Words of the document that are no fields: values, keys of files, and what is said in passing.
	other := regexp.MustCompile(`^(annotation|deploymentconfig|buildconfig|marker|ref|digest|tag@digest|taken back|left out|changed since|flip-flop|too long|declined|min-age|windows|status|spec|spec\.dockerImageRepository|trigger|towpath .*|\.towpath\.yaml|now|interval|retry|follow|never|recorded|adopted|not asked|no spec|unusable|malformed|pushed|--.*|\?stream.*|waiting|current|revision|named|young|part|about|none|POST /prune)$`)
	for name, c := range map[string]struct {
		text  string
		shape any
	}{
		"plan":         {plan + sites, planJSON{}},
		"validate":     {problems + check, findings{}},
		"status":       {plan + status, statusJSON{}},
		"/status.json": {served, web.Report{}},
		"prune":        {prune, pruneAnswer{}},
	} {
		want, got := map[string]bool{}, map[string]bool{}
		fieldsOf(reflect.TypeOf(c.shape), want)
		for _, m := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(c.text, -1) {
			got[strings.TrimSuffix(m[1], "[]")] = true
		}
		for field := range want {
			if !got[field] {
				t.Errorf("%s: the field %s is not documented", name, field)
			}
		}
		for word := range got {
			if name != "status" && !want[word] && !other.MatchString(word) {
				t.Errorf("%s: %s is documented, and no field", name, word)
			}
		}
	}
}
