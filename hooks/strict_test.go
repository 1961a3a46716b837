package hooks

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/towpath/towpath/internal/spent"
)

func encode(t testing.TB, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestParse(t *testing.T) {
	n, err := parse([]byte(` {"a": {"b": ["x", 1e999999, true, null, {"c": "é\n"}], "d": {}}} `))
	if err != nil {
		t.Fatal(err)
	}
	var c []string
	for _, e := range n.at("a", "b").list() {
		c = append(c, e.text()+e.at("c").text())
	}
	if diff := cmp.Diff([]string{"x", "", "", "", "é\n"}, c); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	keys := n.at("a").keys()
	slices.Sort(keys)
	if diff := cmp.Diff([]string{"b", "d"}, keys); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if !n.at("a", "b").isList() || n.at("a").isList() || !n.at("a").isObject() || n.at("a", "b").isObject() || n.at("a", "b", "c", "d").v != nil || n.at("a", "b").list()[2].is(false) {
		t.Error("the types are not told apart")
	}
}

// fault: W-11. What one reader checks must be what the next one uses.
func TestKeysTwice(t *testing.T) {
	for _, body := range []string{
		`{"tag":"a","TAG":"b","tag":"c"}`, `{"tag":"a","tag":"a"}`, `{"tag":"a","TAG":"b"}`, `{"tag":"a","t\u0061g":"b"}`,
		`[{"x":{"ok":1,"o\u212a":2}}]`, `{"s":1,"\u017f":2}`, `{"":1,"":2}`,
		`{"labels":{"a":1,"a":2}}`, `{"updated_tags":{"a":1,"a":2}}`, `{"labels":{},"Labels":{}}`, `{"labels":{},"a":{"b":1,"B":1}}`,
	} {
		if _, err := parse([]byte(body)); err == nil {
			t.Errorf("%s is read", body)
		}
	}
	for _, body := range []string{`[{"tag":"a"},{"TAG":"b"}]`, `{"labels":{"Version":1,"version":2}}`, `{"updated_tags":{"V1":1,"v1":2}}`} {
		if _, err := parse([]byte(body)); err != nil {
			t.Errorf("%s: %v", body, err)
		}
	}
}

// fault: W-10. 10^5 levels, and many small values, cost no more than what is larger.
func TestDeepAndMany(t *testing.T) {
	const deep = 100_000
	for name, body := range map[string]string{
		"lists":   strings.Repeat("[", deep) + strings.Repeat("]", deep),
		"objects": strings.Repeat(`{"a":`, deep) + "1" + strings.Repeat("}", deep),
		"open":    strings.Repeat("[", maxBody),
		"less":    strings.Repeat("[", maxDepth+2) + strings.Repeat("]", maxDepth+2),
		"many":    "[" + strings.Repeat("{},", maxBody/3-1) + "{}]",
		"empty":   "", "two": "{}{}", "rest": "{} x", "comma": "[1,]", "colon": `{"a" 1}`, "comment": "/**/{}", "bare": "{a:1}", "zeros": "01", "bytes": "\"\xff\"", "bom": "\ufeff{}", "NaN": "NaN",
		"comma in object": `{"a":1,}`, "comma first": "[,1]", "comma alone": "{,}", "commas": "[1,,2]", "no comma": "[1 2]", "no value": `{"a":,"b":1}`, "no key": "{1:2}", "key of a list": "{[]:2}", "closed": "]", "closed otherwise": `{"a":1]`, "list closed otherwise": "[1}", "unclosed": `{"a":1`, "in a list": `["a":1]`, "colons": `{"a"::1}`, "keys alone": `{"a","b"}`, "a half": `"a`, "control": "\"\n\"", "escape": `"\x"`, "word": "nul", "plus": "+1", "dot": "1.", "minus": "-",
	} {
		took := time.Hour
		for range 3 { // the machine may be busy
			took = min(took, spent.CPU(t, func() {
				if _, err := parse([]byte(body)); err == nil {
					t.Errorf("%s is read", name)
				}
			}))
		}
		if limit := 50 * time.Millisecond; took > limit && name != "many" {
			t.Errorf("%s took %v, want %v at most", name, took, limit)
		}
	}
}

// fault: W-10. Wherever something else stands in a payload, or nothing: it is judged, and
// nobody panics.
func TestOtherTypes(t *testing.T) {
	others := []any{nil, true, 1.5, "", "x", []any{}, []any{nil}, map[string]any{}, map[string]any{"x": nil}}
	for _, s := range samples() {
		var whole any
		if err := json.Unmarshal(s.body(t), &whole); err != nil {
			t.Fatal(err)
		}
		v := vendorOf(t, s.kind)
		tried := 0
		mutate(whole, func(set func(any)) {
			for _, o := range others {
				set(o)
				tried++
				got, err := v.read(call{header: s.head(), body: []byte(encode(t, whole)), now: noon}, s.host)
				checkSighting(t, got, err)
			}
		})
		for _, o := range others {
			if _, err := v.read(call{header: s.head(), body: []byte(encode(t, o)), now: noon}, s.host); err == nil {
				if _, ok := o.(map[string]any); !ok {
					t.Errorf("%s takes %v for a payload", s.kind, o)
				}
			}
		}
		if tried < len(others) {
			t.Errorf("%s: nothing was tried", s.file)
		}
	}
}

// mutate calls try for each value below v, with what sets it, and restores it.
func mutate(v any, try func(set func(any))) {
	switch v := v.(type) {
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(v)) {
			was := v[k]
			try(func(o any) { v[k] = o })
			delete(v, k)
			try(func(any) {})
			v[k] = was
			mutate(was, try)
		}
	case []any:
		for i, was := range v {
			try(func(o any) { v[i] = o })
			v[i] = was
			mutate(was, try)
		}
	}
}

// checkSighting: nothing but canonical names and well-formed tags and digests gets out, and
// nothing with an error.
func checkSighting(t *testing.T, s Sighting, err error) {
	t.Helper()
	if err != nil && (len(s.Images) > 0 || s.Branch) {
		t.Errorf("an error and a sighting: %v, %v", s, err)
	}
	for _, i := range s.Images {
		if !isImage(i) {
			t.Errorf("seen %#v", i)
		}
	}
}
