package trigger

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/towpath/towpath/imagestream"
	"github.com/towpath/towpath/internal/spent"
)

// TestMentions: what no form needs is not looked at, and what one needs is.
func TestMentions(t *testing.T) {
	for text, want := range map[string]bool{
		"kind: Deployment\n":                        false,
		"image.openshift.io/triggers: '[]'":         true,
		`{"type":"ImageChange"}`:                    true,
		"- type: imageChange\n  imageChange: {}\n":  true,
		`[{"type":"imageChange","imageChange":{}}]`: true,
		"imageChangesNothing":                       false,
	} {
		if got := Mentions([]byte(text)); got != want {
			t.Errorf("Mentions(%q) = %t, want %t", text, got, want)
		}
	}
}

// TestOrder: triggers in any order are the same sites.
func TestOrder(t *testing.T) {
	triggers := []string{
		"  - type: ConfigChange\n",
		"  - type: ImageChange\n    imageChangeParams: {automatic: true, containerNames: [b, a], from: {name: 'ab:1'}}\n",
		"  - type: ImageChange\n    imageChangeParams: {automatic: true, containerNames: [c], from: {name: 'c:1'}}\n",
		"  - type: ImageChange\n    imageChangeParams: {containerNames: [d, nobody], from: {name: 'd:1'}}\n",
	}
	const head = "kind: DeploymentConfig\nmetadata: {name: web}\nspec:\n  template: {spec: {containers: [{name: a}, {name: b}, {name: c}, {name: d}]}}\n  triggers:\n"
	want, _ := Find(parse(t, head+strings.Join(triggers, "")))
	for i := range triggers {
		for j := range triggers {
			moved := append([]string{}, triggers...)
			moved[i], moved[j] = moved[j], moved[i]
			got, problems := Find(parse(t, head+strings.Join(moved, "")))
			if diff := cmp.Diff(names(want), names(got)); diff != "" || len(problems) > 0 || len(got) != 3 {
				t.Errorf("%d and %d exchanged: %v (-want +got):\n%s", i, j, problems, diff)
			}
		}
	}
}

// TestBounds: what somebody made to be slow is not.
func TestBounds(t *testing.T) {
	var containers, entries, many strings.Builder
	for i := range 40_000 {
		fmt.Fprintf(&containers, "      - {name: c%d, image: a}\n", i)
	}
	for i := range 2_000 {
		fmt.Fprintf(&entries, ",%s", one("barge:1", podPath+fmt.Sprintf(`containers[?(@.name=="x%d")].image`, i), ""))
		fmt.Fprintf(&many, "  - {type: ImageChange, imageChangeParams: {automatic: true, containerNames: [c%d], from: {name: 'barge:1'}}}\n", i)
	}
	tail := "spec:\n  template:\n    spec:\n      containers:\n" + containers.String()
	for name, src := range map[string]string{
		"an annotation":         "kind: Deployment\nmetadata:\n  name: web\n  annotations:\n    " + Annotation + ": '[" + entries.String()[1:] + "]'\n" + tail,
		"a long annotation":     "kind: Deployment\nmetadata:\n  name: web\n  annotations:\n    " + Annotation + ": '[" + strings.Repeat(" ", 1<<20) + "]'\n" + tail,
		"a deployment's config": "kind: DeploymentConfig\nmetadata:\n  name: web\n" + tail + "  triggers:\n" + many.String(),
	} {
		f := parse(t, src)
		var sites []Site
		var problems []imagestream.Problem
		if took := spent.CPU(t, func() { sites, problems = Find(f) }); took > 12*time.Second {
			t.Errorf("%s: %d sites and %d problems after %v", name, len(sites), len(problems), took)
		}
		if len(sites)+len(problems) == 0 {
			t.Errorf("%s: nothing was found", name)
		}
	}
}

// Quotes that nothing shuts are looked for once in a line, whatever looks like more of them.
func TestLineBounds(t *testing.T) {
	for _, body := range []string{`\"`, `"\`, `' "\`, `a'"`, `/* `, `<!-- "`} {
		line := `"` + strings.Repeat(body, (maxLine-8)/len(body))
		src := []byte(strings.Repeat("# {\"$imagestream\": \"web:1\"}\n"+line+"\n", 20))
		if took := spent.CPU(t, func() { FindText(src) }); took > 6*time.Second {
			t.Errorf("lines of %s: %d KiB took %v", body, len(src)>>10, took)
		}
	}
}
