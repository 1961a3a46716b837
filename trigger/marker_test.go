package trigger

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
	"go.yaml.in/yaml/v4"

	"github.com/towpath/towpath/internal/seeds"
	"github.com/towpath/towpath/yamledit"
)

var pinned = ParseImage("quay.io/canal/barge:2@sha256:" + strings.Repeat("d", 64))

// everywhere gives every site of a file the pinned image.
func everywhere(sites []Site) []Rewrite {
	var rewrites []Rewrite
	for _, s := range sites {
		rewrites = append(rewrites, Rewrite{Site: s, Image: pinned, Style: ByDigest})
	}
	return rewrites
}

// A marked value is replaced in the way in which it is written, and no other byte.
//
// fault: C-19
func TestMarkedValuesKeepTheirForm(t *testing.T) {
	const mark = `# {"$imagestream": "web:1"}`
	ref, _ := pinned.Reference(ByDigest)
	for _, tt := range []struct{ name, src, old, new string }{
		{"plain", "a: web:1 " + mark + "\nb: 1\n", "web:1 ", ref + " "},
		{"double quotes", "a: \"web:1\" " + mark + "\nb: 1\n", `"web:1" `, `"` + ref + `" `},
		{"single quotes", "a: 'web:1'   " + mark + "\nb: 1\n", "'web:1' ", "'" + ref + "' "},
		{"a block scalar", "a: |- " + mark + "\n  web:1\n\nb: 1\n", "|- " + mark + "\n  web:1", ref + " " + mark},
		{"a folded scalar", mark + "\na: >-\n  web:1\nb: 1\n", ">-\n  web:1", ref},
		{"flow", "a: {b: web:1} " + mark + "\n", "web:1}", ref + "}"},
		{"flow over lines", "a: [\n  web:1, " + mark + "\n  b\n]\n", "web:1,", ref + ","},
		{"tabs", "a:\tweb:1\t" + mark + "\t\nb:\t1\n", "web:1\t", ref + "\t"},
		{"CRLF", "a: web:1 " + mark + "\r\nb: 1\r\n", "web:1 ", ref + " "},
		{"no final newline", "b: 1\na: web:1 " + mark, "web:1 ", ref + " "},
		{"byte order mark", "\ufeffa: web:1 " + mark + "\n", "web:1 ", ref + " "},
		{"wide characters", "\"é\": {ß: 'web:1'} " + mark + " ü\n", "'web:1'", "'" + ref + "'"},
		{"a line above", mark + "\n\n# x\n- a:   web:1   # y\n- b\n", "  web:1   #", "  " + ref + "   #"},
		{"null", "a: " + mark + "\nb: 1\n", "a: ", "a: " + ref + " "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := parse(t, tt.src)
			sites, problems := Find(f)
			if len(sites) != 1 || len(problems) > 0 {
				t.Fatalf("got sites\n%sand problems\n%s", briefs(sites), lines(problems))
			}
			out, err := Rewritten(f.Src, As{}, everywhere(sites)...)
			if diff := cmp.Diff(strings.Replace(tt.src, tt.old, tt.new, 1), string(out)); err != nil || diff != "" {
				t.Errorf("%v (-want +got):\n%s", err, diff)
			}
		})
	}
}

// A value that stands in more than one place is not edited: it is no site, and would be
// refused if it were one.
//
// fault: C-19
func TestSharedValuesStay(t *testing.T) {
	for _, src := range []string{
		"a: &x web:1 # @\nb: *x\n",
		"b: &x web:1\na: *x # @\n",
		"b: &x {a: web:1}\na: *x # @\n",
		"b: &x\n  a: web:1 # @\nc: *x\n",
		"b: &x {c: 1}\na:\n  <<: *x\n  a: web:1 # @\n",
		"b:\n- &x web:1 # @\n- *x\n",
		"a: !!str web:1 # @\n",
		"? {a: b}\n: web:1 # @\n",
	} {
		src = strings.Replace(src, "@", `{"$imagestream": "web:1"}`, 1)
		f := parse(t, src)
		sites, problems := Find(f)
		if len(sites) != 0 || len(problems) != 1 || problems[0].Note || problems[0].Fix == "" {
			t.Errorf("%s: got sites\n%sand problems\n%swant one problem", src, briefs(sites), lines(problems))
		}
		for _, c := range f.Comments(markerKey) {
			s := Site{Places: []Place{{Doc: c.Beside[0].Doc, At: c.Beside[0].At, Part: Ref}}}
			if out, err := Rewritten(f.Src, As{}, everywhere([]Site{s})...); !errors.As(err, new(*yamledit.Refused)) {
				t.Errorf("%s: rewritten to %q, %v, want it refused", src, out, err)
			}
		}
	}
}

// What is no YAML, or is a template, is a problem and never edited.
//
// fault: C-20
func TestMarkersInTemplates(t *testing.T) {
	for _, src := range []string{
		"a: {{ .Values.image }} # @\n",
		"name: {{ .Release.Name }}\na: web:1 # @\n",
		"name: {{ x }}\na: # @\n",
		"{{- if .Values.web }}\na: web:1 # @\n{{- end }}\n",
		"{% if web %}\na: web:1 # @\n{% endif %}\n",
		"a: {% x %} # @\n",
		"{\n  // @\n  a: 'web:1',\n}\n",
		"{\n  \"a\": \"web:1\", // @\n}\n",
		"{a: 'web:1', /* @ */}\n",
		"// @\n{a: 'web:1'}\n",
		"a: \"{{ .Values.image }}\" # @\n",
		"a: web:${TAG} # @\n",
	} {
		src = strings.Replace(src, "@", `{"$imagestream": "web:1"}`, 1)
		s := story{src: []byte(src)}
		sites, problems := s.find()
		if len(sites) != 0 || len(problems) != 1 {
			t.Errorf("%s: got sites\n%sand problems\n%swant one problem", src, briefs(sites), lines(problems))
		}
		site := Site{Places: []Place{{At: yamledit.Path{"a"}, Part: Ref}}}
		if out, err := Rewritten([]byte(src), As{}, everywhere([]Site{site})...); err == nil && !strings.Contains(src, "${") {
			t.Errorf("%s: rewritten to %q, want it refused", src, out)
		}
	}
}

func TestMarkerLimit(t *testing.T) {
	const line = "- web:1 # {\"$imagestream\": \"web:1\"}\n"
	if sites, problems := Find(parse(t, strings.Repeat(line, maxMarkers))); len(sites) != maxMarkers || len(problems) > 0 {
		t.Errorf("got %d sites and problems\n%s", len(sites), lines(problems))
	}
	sites, problems := Find(parse(t, strings.Repeat(line, maxMarkers+1)))
	if want := "5001:1: the file has more than 5000 markers: none of them is used; split the file\n"; len(sites) > 0 || lines(problems) != want {
		t.Errorf("got %d sites and problems\n%swant %s", len(sites), lines(problems), want)
	}
	text := "# {\"$imagestream\": \"web:1\"}\nFROM web:1\n"
	if sites, problems := FindText([]byte(strings.Repeat(text, maxMarkers))); len(sites) != maxMarkers || len(problems) > 0 {
		t.Errorf("got %d sites of text and problems\n%s", len(sites), lines(problems))
	}
	sites, problems = FindText([]byte(strings.Repeat(text, maxMarkers+1)))
	if want := "10001:1: the file has more than 5000 markers: none of them is used; split the file\n"; len(sites) > 0 || lines(problems) != want {
		t.Errorf("got %d sites of text and problems\n%swant %s", len(sites), lines(problems), want)
	}
}

// Sites keep their IDs when others come before them.
func TestMarkerIDsAreStable(t *testing.T) {
	const entry = "- name: %s\n  newTag: 1 # {\"$imagestream\": \"%[1]s:1\", \"part\": \"tag\"}\n"
	web := fmt.Sprintf(entry, "web")
	before, _ := Find(parse(t, "kind: Kustomization\nimages:\n"+web))
	after, _ := Find(parse(t, "kind: Kustomization\nresources: [x]\nimages:\n"+fmt.Sprintf(entry, "api")+web))
	if len(before) != 1 || len(after) != 2 || before[0].ID != after[1].ID {
		t.Errorf("got %v before and %v after", ids(before), ids(after))
	}
	if want := (ID{Kind: "Kustomization", Field: "images[web].newTag"}); before[0].ID != want {
		t.Errorf("got ID %+v, want %+v", before[0].ID, want)
	}
}

// scalars are the values of a file but those at some places, by path.
func scalars(f *yamledit.File, but []Place) map[string]string {
	values := map[string]string{}
	for _, p := range but {
		values[fmt.Sprint(p.Doc, p.At)] = "?"
	}
	var walk func(doc int, n *yamledit.Node, at yamledit.Path)
	walk = func(doc int, n *yamledit.Node, at yamledit.Path) {
		key := fmt.Sprint(doc, at)
		if values[key] == "?" {
			return
		}
		if len(n.Content) == 0 {
			values[key] = fmt.Sprint(n.Kind, n.Tag, n.Value, n.Style)
		}
		for i, c := range n.Content {
			if n.Kind == yaml.MappingNode && i%2 == 1 && n.Content[i-1].Kind == yaml.ScalarNode {
				walk(doc, c, append(at[:len(at):len(at)], n.Content[i-1].Value))
			} else {
				walk(doc, c, append(at[:len(at):len(at)], i))
			}
		}
	}
	for i, d := range f.Docs {
		walk(i, d.Root, nil)
	}
	return values
}

func comments(f *yamledit.File) (all []string) {
	for _, c := range f.Comments("#") {
		all = append(all, c.Text)
	}
	return all
}

// onlyPlaces checks that each marked site can be given an image, or is refused, and that
// nothing else differs then, neither values nor comments.
func onlyPlaces(t *testing.T, src string) (rewritten int) {
	t.Helper()
	file, err := yamledit.Parse([]byte(src), yamledit.DefaultLimits)
	if err != nil {
		return 0
	}
	sites, _ := Find(file)
	for _, r := range everywhere(sites) {
		out, err := Rewritten(file.Src, As{}, r)
		if err != nil || r.Site.Form != "marker" {
			continue // lawful has seen it
		}
		rewritten++
		after := parse(t, string(out))
		if diff := cmp.Diff(scalars(file, r.Site.Places), scalars(after, r.Site.Places)); diff != "" {
			t.Errorf("%s: values (-before +after) of\n%s:\n%s", r.Site.ID, src, diff)
		}
		if diff := cmp.Diff(comments(file), comments(after)); diff != "" {
			t.Errorf("%s: comments (-before +after) of\n%s:\n%s", r.Site.ID, src, diff)
		}
	}
	return rewritten
}

// drawn is a text of lines that are drawn from some, with markers in place of @.
func drawn(r *rand.Rand, from []string) string {
	markers := []string{`{"$imagestream": "web:1"}`, `{"$imagestream": "a/web:1", "part": "tag"}`, `{"$imagestream": "web:1", "part": "name"}`,
		`{"$imagepolicy": "a:web"}`, `{"$imagepolicy": "a:web:digest"}`, `{"$imagestream": "web:1", "part": "tag@digest"}`, `{"$imagestream": "web"`}
	var b strings.Builder
	for range 2 + r.IntN(9) {
		b.WriteString(strings.Replace(from[r.IntN(len(from))], "@", markers[r.IntN(len(markers))], 1) + "\n")
	}
	text := b.String()
	if r.IntN(4) == 0 {
		text = strings.ReplaceAll(text, "\n", "\r\n")
	}
	if r.IntN(4) == 0 {
		text = strings.TrimRight(text, "\r\n")
	}
	if r.IntN(8) == 0 {
		text = "\ufeff" + text
	}
	return text
}

// The law of FuzzMarkers, on lines in any order.
func TestMarkersInDrawnFiles(t *testing.T) {
	from := []string{
		"# @", "  # @", "# x", "", "---", "a%d: web:1 # @", "b%d: 'web:1' # @", "c%d: \"web:1\"   # x @ y", "d%d: # @", "e%d: |- # @\n  web:1", "f%d: >\n  web:1\n\n# @",
		"g%d:\n  h: web:1 # @\n  tag: 1.4 # @", "  i%d: web:1 # @", "j%d: {k: web:1} # @", "l%d: [web:1, # @\n  x] # @", "m%d: &n%[1]d web:1 # @", "o%d:\n- name: web # @\n  tag: 1 # @\n- web:1\t# @",
		"- web:1 # @", "- # @", "- name: web:1 # @", "  tag: 1 # @", "kind: x", "p%d: \"web\n  :1\" # @", "q%d: web:1 x # @", "r%d: docker://web:1 # @", "metadata: {name: s} # @", "items: # @",
	}
	seed := seeds.Of(t)
	rewritten := 0
	for i := range uint64(1000) {
		r := rand.New(rand.NewPCG(seed, i))
		numbered := slices.Clone(from)
		for j := range numbered {
			if strings.Contains(numbered[j], "%") {
				numbered[j] = fmt.Sprintf(numbered[j], r.IntN(100))
			}
		}
		src := drawn(r, numbered)
		lawful(t, src)
		rewritten += onlyPlaces(t, src)
		if t.Failed() {
			t.Fatalf("seed %d round %d:\n%s", seed, i, src)
		}
	}
	if rewritten < 200 {
		t.Errorf("seed %d: only %d sites were rewritten", seed, rewritten)
	}
}

// FuzzMarkers: whatever a text says, a site is rewritten or refused; then it has the image,
// and nothing else differs.
func FuzzMarkers(f *testing.F) {
	paths, _ := filepath.Glob("testdata/marker/*.txtar")
	for _, path := range paths {
		a, err := txtar.ParseFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(a.Files[0].Data))
	}
	f.Fuzz(func(t *testing.T, src string) {
		if len(src) < 4096 {
			lawful(t, src)
			onlyPlaces(t, src)
		}
	})
}
