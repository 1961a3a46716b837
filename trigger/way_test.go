package trigger

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/towpath/towpath/imagestream"
	"github.com/towpath/towpath/internal/spent"
	"github.com/towpath/towpath/yamledit"
)

// nested is a file in which every level has so many keys, and the last of them leads on, by a
// list or not; marks stand at the end.
func nested(levels, keys, marks int, list bool) string {
	var b strings.Builder
	indent := ""
	for range levels {
		for k := range keys {
			fmt.Fprintf(&b, "%sk%d:\n", indent, k)
		}
		if b.WriteString(indent + "z:\n"); list {
			b.WriteString(indent + "-\n")
		}
		indent += "  "
	}
	for m := range marks {
		fmt.Fprintf(&b, "%sm%d: a:1 # {\"$imagestream\": \"a/b:c\"}\n", indent, m)
	}
	return b.String()
}

// What leads to a value is walked once, however deep it stands and however many stand beside it.
func TestDeepBounds(t *testing.T) {
	for _, list := range []bool{true, false} {
		f := parse(t, nested(28, 4900, 4900, list))
		var sites []Site
		var problems []imagestream.Problem
		if took := spent.CPU(t, func() { sites, problems = Find(f) }); took > 12*time.Second {
			t.Errorf("list %v: %d KiB took %v to find", list, len(f.Src)>>10, took)
		}
		if len(sites) != 4900 || len(problems) > 0 {
			t.Fatalf("list %v: %d sites and problems\n%s", list, len(sites), lines(problems))
		}
		var err error
		if took := spent.CPU(t, func() { _, err = Rewritten(f.Src, As{}, everywhere(sites)...) }); took > 20*time.Second || err != nil {
			t.Errorf("list %v: %d KiB took %v to rewrite: %v", list, len(f.Src)>>10, took, err)
		}
	}
}

// Many fields in many documents cost what they find, beside many markers.
func TestFieldBounds(t *testing.T) {
	var src strings.Builder
	var fields []Field
	for i := range 200 {
		f := field(t, fmt.Sprintf("k%d", i), "")
		f.Follows.Tag, f.Part = fmt.Sprint(i), Name
		fields = append(fields, f)
	}
	for range 100 {
		src.WriteString("---\n")
		for i := range 200 {
			fmt.Fprintf(&src, "k%d: a/b\n", i)
		}
		for i := range 50 {
			fmt.Fprintf(&src, "m%d: a:1 # {\"$imagestream\": \"a/b:c\"}\n", i)
		}
	}
	f := parse(t, src.String())
	var sites []Site
	if took := spent.CPU(t, func() { sites, _ = Find(f, fields...) }); took > 12*time.Second || len(sites) != 25_000 {
		t.Errorf("%d sites after %v", len(sites), took)
	}
}

// An element without a name keeps its ID whatever is put before it, and a value that moves is
// no name.
func TestElementIDs(t *testing.T) {
	const (
		web   = "  - quay.io/canal/web:1 # {\"$imagestream\": \"team1/web:stable\"}\n"
		api   = "  - quay.io/canal/api:1 # {\"$imagestream\": \"team1/api:stable\"}\n"
		redis = "  - name: redis:7 # {\"$imagestream\": \"redis:7\"}\n    alias: db\n"
		step  = "  - uses: docker://web:1 # {\"$imagepolicy\": \"flux:web\"}\n    with: {list: [a, [b:1]]} # x\n"
		deep  = "  - list:\n    - c # x\n    - b:1 # {\"$imagestream\": \"b:1\"}\n"
		named = "  - name: x\n    list:\n    - b:1 # {\"$imagestream\": \"b:1\"}\n"
		odd   = "  - name: 'a[0]'\n    image: b:1 # {\"$imagestream\": \"b:1\"}\n"
		parts = "  - tag: 1 # {\"$imagestream\": \"p:1\", \"part\": \"tag\"}\n    digest: # {\"$imagestream\": \"p:1\", \"part\": \"digest\"}\n"
	)
	for src, want := range map[string][]string{
		web:         {"services[team1/web:stable]"},
		api + web:   {"services[team1/api:stable]", "services[team1/web:stable]"},
		web + web:   {"services[team1/web:stable]", "services[team1/web:stable] (2)"},
		redis + web: {"services[redis:7].name", "services[team1/web:stable]"},
		step:        {"services[flux:web].uses"},
		deep:        {"services[].list[b:1]"},
		named:       {"services[x].list[b:1]"},
		odd:         {"services[b:1].image"},
		parts:       {"services[p:1]"},
	} {
		sites, problems := Find(parse(t, "services:\n"+src))
		if diff := cmp.Diff(want, ids(sites)); diff != "" || len(problems) > 0 {
			t.Errorf("%s%s(-want +got):\n%s", src, lines(problems), diff)
		}
	}
}

// What a field is chosen by must stay: once it has moved nothing would be found.
func TestFieldsThatMoveTheirNames(t *testing.T) {
	const src = "services:\n- name: redis:7\n  image: a:1\n- name: web\n  image: b:1\n"
	const mark = " # {\"$imagestream\": \"redis:7\"}"
	what := func(selector string) string {
		return fmt.Sprintf("2:9: %s is found by a value that follows, too, and would not be once that has moved; choose the element by its place, [0], or by a value that stays\n", selector)
	}
	at := strings.NewReplacer("=B", `[?(@.name=="web")]`, "=", `[?(@.name=="redis:7")]`, "I", `[?(@.image=="a:1")]`).Replace
	for _, tt := range []struct {
		src      string
		fields   []string
		ids      []string
		problems string
	}{
		{src, []string{"services=.name"}, nil, what(at("services=.name"))},
		{src, []string{"servicesI.image"}, nil, strings.Replace(what(at("servicesI.image")), "2:9", "3:10", 1)},
		{src, []string{"services=.image", "services[0].name"}, []string{"services[canal/barge:stable].name"}, strings.Replace(what(at("services=.image")), "2:9", "3:10", 1)},
		{src, []string{"services[0].name", "services[0].image"}, []string{"services[canal/barge:stable].name", "services[canal/barge:stable].image"}, ""},
		{src, []string{"services=.image", "services=B.image"}, []string{"services[redis:7].image", "services[web].image"}, ""},
		{strings.Replace(src, "redis:7", "redis:7"+mark, 1), []string{"services=.image"}, []string{"services[redis:7].name"}, strings.Replace(what(at("services=.image")), "2:9", "3:10", 1)},
	} {
		var fields []Field
		for _, selector := range tt.fields {
			fields = append(fields, field(t, at(selector), ""))
		}
		sites, problems := Find(parse(t, tt.src), fields...)
		if diff := cmp.Diff(tt.ids, ids(sites)); diff != "" {
			t.Errorf("%v: sites (-want +got):\n%s", tt.fields, diff)
		}
		if diff := cmp.Diff(tt.problems, lines(problems)); diff != "" {
			t.Errorf("%v: problems (-want +got):\n%s", tt.fields, diff)
		}
	}
}

// Nodes on a way are those that Lookup finds.
func TestNodesAt(t *testing.T) {
	f := parse(t, "a: &x\n- {b: 1}\nc: *x\n")
	for _, at := range []yamledit.Path{nil, {"a", 0, "b"}, {"c", 0, "b"}, {"a", 1, "b"}, {"d", "e"}} {
		nodes := nodesAt(f.Docs[0].Root, at)
		if len(nodes) != len(at)+1 {
			t.Fatalf("%v: %d nodes", at, len(nodes))
		}
		for i, n := range nodes {
			if want := yamledit.Lookup(f.Docs[0].Root, at[:i]); n != want {
				t.Errorf("%v: another node at %d", at, i)
			}
		}
	}
}
