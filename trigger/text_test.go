package trigger

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/towpath/towpath/internal/seeds"
	"github.com/towpath/towpath/yamledit"
)

// marked is a line below a marker.
func marked(line string) string { return "# {\"$imagestream\": \"web:1\"}\n" + line + "\n" }

// slot is what a marker above a line is about, in brackets.
func TestSlots(t *testing.T) {
	for _, want := range []string{
		"FROM [web:1]", "from\t[web:1]", "  FROM [web:1] AS build", "FROM --platform=$X --x=y [web:1] as build", "FROM [web:1] \\", "ONBUILD FROM [web:1]",
		"FROM [golang]", "COPY --from=[nginx] /a /b", "image: [nginx]", "IMAGE=[nginx]", "image = \"[nginx]\"", "\"image\": \"[nginx]\",",
		"COPY --from=[web:1] /a /b", "COPY --chown=1 --from=[web:1] --link /a /b", "ADD --from=[web:1] a b", "    --from=[web:1] \\",
		"RUN --mount=from=[web:1],target=/a make", "RUN --mount=type=bind,from=[web:1] make", "    --mount=type=bind,target=/a,from=[web:1] \\",
		"ARG IMAGE=[web:1]", "ENV IMAGE=[web:1]", "ENV IMAGE=\"[web:1]\" \\", "export IMAGE=[web:1]", "set IMAGE=[web:1]", "readonly IMAGE='[web:1]'; # x", "IMAGE=[]", "IMAGE=[] # x", "IMAGE=\"[]\"", "IMAGE='[ ]'",
		"IMAGE := [web:1]", "IMAGE ?= [web:1]", "image = \"[web:1]\"", "image='[web:1]',", "const image = \"[web:1]\";", "\"web\" = \"[web:1]\"", "'image' => '[web:1]',", "a.b.c = \"[web:1]\" // x",
		"image: [web:1]", "- image: [web:1]", "image: \"[web:1]\"", "image:'[web:1]',", "\"image\": \"[web:1]\",", "\"image\":\"[web:1]\"", "image: [localhost:5000/web:1]", "image: [web:1] # x",
		"[web:1]", "\"[web:1]\",", "- '[web:1]'", "- [web:1]", "'[web:1]' # x", "\t[web:1]\t",
		"image '[web:1]'", "docker.image(\"[web:1]\").inside {", "<image name=\"[web:1]\"/>", "image = f(\"[web:1]\")",
		"/* x */ image = \"[web:1]\" /* y */ // z", "- IMAGE=[web:1]", "  --image=[web:1] \\", "uses: [docker://web:1]", "\"it's\": \"[web:1]\"",
	} {
		line := strings.NewReplacer("[", "", "]", "").Replace(want)
		sites, problems := FindText([]byte(marked(line)))
		if len(sites) != 1 || len(problems) > 0 {
			t.Errorf("%q: got %d sites and problems\n%s", line, len(sites), lines(problems))
			continue
		}
		p := sites[0].Places[0]
		end := p.Col - 1 + len(p.Before) + len(p.Value)
		if got := line[:p.Col-1] + "[" + line[p.Col-1:end] + "]" + line[end:]; got != want || p.Line != 2 {
			t.Errorf("got line %d %q, want line 2 %q", p.Line, got, want)
		}
	}
}

// Where it is not sure what is meant nothing is.
func TestNoSlot(t *testing.T) {
	for _, line := range []string{
		"FROM", "FROM \\", "FROM --platform=linux/amd64 \\", "FROM web:1 web:2", "FROM a AS", "RUN make", "RUN --network=none \\", "COPY --chown=1:1 a b",
		"COPY --from=web:1 --from=web:2 a b", "RUN --mount=from=web:1 --mount=from=web:2 make",
		"ENV A=web:1 B=web:2", "ENV IMAGE web:1", "a = [\"web:1\", \"web:2\"]", "a == b", "image = \"web:\\\"1\\\"\"", "image = \"web:1\" + x", "image = \"web\".tag(\"1\")", "a web:1", "web:1, web:2", "{\"a\": \"b\"}",
		"IMAGE=a=b", "IMAGE=a(b)", "IMAGE=<web>", "image: [web:1]", "image: {a: b}", "image:", "image: &x web:1", "image: |", "image: web:1 web:2", "\"\"\"", "image = \"web:1", "IMAGE=it's", "url: https://web/a?b",
		"{{ image }}", "{% set image = x %}", "image: {{ image }}", "image = <<EOF", "`web:1`", "PASSWORD=pa55+word", "\x01", "IMAGE=wéb",
	} {
		sites, problems := FindText([]byte(marked(line)))
		if len(sites) > 0 || len(problems) != 1 || problems[0].Note || problems[0].Fix == "" {
			t.Errorf("%q: got sites\n%sand problems\n%swant one problem", line, briefs(sites), lines(problems))
		}
	}
}

// Nobody's secret is in a problem.
func TestProblemsHoldNoValues(t *testing.T) {
	for _, line := range []string{"PASSWORD=hunter+2", "token: \"hunter+2\"", "hunter+2 hunter"} {
		_, problems := FindText([]byte(marked(line)))
		if text := lines(problems); len(problems) != 1 || strings.Contains(text, "hunter") {
			t.Errorf("%q: got problems\n%swant one that does not hold the value", line, text)
		}
	}
}

func TestTextProblems(t *testing.T) {
	const marker = `{"$imagestream": "web:1"}`
	long := strings.Repeat("x", maxLine)
	for _, tt := range []struct{ name, src, want string }{
		{"not UTF-8", "# " + marker + "\nFROM web:1\n\xff", "1:1: the file has markers, and is no text in UTF-8; save it as UTF-8, or leave it out\n"},
		{"NUL", "# " + marker + "\nFROM web:1\n\x00", "1:1: the file has markers, and is no text in UTF-8; save it as UTF-8, or leave it out\n"},
		{"too large", "# " + marker + strings.Repeat("\n", yamledit.DefaultLimits.Bytes), "1:1: the file has markers, and more than 8388608 bytes; split it, or leave it out\n"},
		{"a long line above", "# " + long + marker + "\nFROM web:1\n", "1:1: a marker stands on a line of more than 65536 bytes; write it on a line of its own\n"},
		{"a long line below", "# " + marker + "\nFROM web:1 " + long + "\n", "1:3: the line below has more than 65536 bytes; break it up\n"},
		{"a long line elsewhere", long + "\n", ""},
		{"no line below", "# " + marker + "\n\n# x\n", "1:3: the marker stands above no line that holds a value; write it above the line that holds the image\n"},
		{"in quotes", "a='" + marker + "'\n", ""},
		{"in no comment", "REM " + marker + "\nFROM web:1\n", "1:5: the marker stands in no comment that is known here; write it behind #, //, ; or --, or within /* */ or <!-- -->\n"},
		{"only spoken of", "# \"$imagestream\" is a key\nFROM web:1\n", ""},
	} {
		sites, problems := FindText([]byte(tt.src))
		if diff := cmp.Diff(tt.want, lines(problems)); diff != "" || len(sites) > 0 {
			t.Errorf("%s: got %d sites; problems (-want +got):\n%s", tt.name, len(sites), diff)
		}
	}
}

// Whatever ends lines or stands around values, only they change.
func TestTextKeepsItsForm(t *testing.T) {
	ref, _ := pinned.Reference(ByDigest)
	for _, src := range []string{
		marked("FROM @ AS x") + "RUN y\n", strings.ReplaceAll(marked("FROM @ AS x")+"RUN y\n", "\n", "\r\n"), "\ufeff" + marked("FROM @"), strings.TrimSpace(marked("FROM @")),
		"\ufeffFROM @ # {\"$imagestream\": \"web:1\"}", marked("\tFROM\t@\tAS\tx\t\t"), marked("é = \"@\", # ü"), "\n\n\n" + marked("A='@'  ;  # x"), marked("uses: docker://@"),
	} {
		text := []byte(strings.ReplaceAll(src, "@", "web:1"))
		sites, problems := FindText(text)
		if len(sites) != 1 || len(problems) > 0 {
			t.Errorf("%q: got %d sites and problems\n%s", src, len(sites), lines(problems))
			continue
		}
		out, err := Rewritten(text, As{Text: true}, everywhere(sites)...)
		if want := strings.ReplaceAll(src, "@", ref); err != nil || string(out) != want {
			t.Errorf("got %q, %v, want %q", out, err, want)
		}
	}
}

// Sites are found by what their markers say, wherever the lines have gone.
func TestTextSitesMove(t *testing.T) {
	src := marked("FROM web:1")
	sites, _ := FindText([]byte(src))
	moved := "# syntax=docker/dockerfile:1\nARG A\n" + src
	out, err := Rewritten([]byte(moved), As{Text: true}, everywhere(sites)...)
	ref, _ := pinned.Reference(ByDigest)
	if want := strings.Replace(moved, "FROM web:1", "FROM "+ref, 1); err != nil || string(out) != want {
		t.Errorf("got %q, %v, want %q", out, err, want)
	}
}

func TestTextIsRefused(t *testing.T) {
	src := []byte(marked("FROM web:1"))
	sites, _ := FindText(src)
	one := everywhere(sites)
	odd := one[0]
	odd.Image = Image{Name: "web", Tag: "1\nRUN x"}
	unknown := one[0]
	unknown.Site.Places = []Place{{Part: Tag}}
	unknown.Image = Image{Name: "web", Digest: pinned.Digest}
	empty := one[0]
	empty.Image = Image{}
	for _, tt := range []struct {
		name     string
		src      []byte
		rewrites []Rewrite
		want     string
	}{
		{"a site that is gone", []byte("FROM web:1\n"), one, "nothing in the text is marked so any more"},
		{"a site that follows another tag now", bytes.Replace(src, []byte("web:1\""), []byte("web:2\""), 1), one, "nothing in the text is marked so any more"},
		{"a site twice", src, append(one, one...), "nothing in the text is marked so any more"},
		{"an image that breaks the line", src, []Rewrite{odd}, "the image holds characters that could mean something else on its line"},
		{"an image that is nothing", src, []Rewrite{empty}, "the edited line would not read back as it is meant"},
		{"a part that is not known", src, []Rewrite{unknown}, "its tag at the registry is not on record"},
		{"text that is no text any more", append([]byte{0xff}, src...), one, "nothing in the text is marked so any more"},
	} {
		out, err := Rewritten(tt.src, As{Text: true}, tt.rewrites...)
		if r := (*yamledit.Refused)(nil); !errors.As(err, &r) || r.What != tt.want {
			t.Errorf("%s: got %q, %v, want it refused: %s", tt.name, out, err, tt.want)
		}
	}
}

// A line that cannot be edited surely, as its value is yet to be filled in, is left alone.
//
// fault: C-20
func TestTextTemplates(t *testing.T) {
	for _, line := range []string{
		"FROM {{ base }}", "FROM ${BASE}", "FROM $BASE", "FROM quay.io/web:${TAG}", "image: {{ image }}", "image: '{{ image }}'", "image: \"web:{{ tag }}\",", "{% if x %}", "IMAGE=$(tag)", "image = \"${var.image}\"",
	} {
		src := []byte(marked(line))
		sites, problems := FindText(src)
		if len(sites) > 0 || len(problems) != 1 || !problems[0].Note && !strings.Contains(problems[0].What, "template") {
			t.Errorf("%q: got sites\n%sand problems\n%swant one problem that says so", line, briefs(sites), lines(problems))
		}
		site := Site{ID: ID{Field: "web:1"}, Places: []Place{{Part: Ref}}}
		if out, err := Rewritten(src, As{Text: true}, everywhere([]Site{site})...); !errors.As(err, new(*yamledit.Refused)) {
			t.Errorf("%q: got %q, %v, want it refused", line, out, err)
		}
	}
}

// onlyLines checks that each site of a text can be given an image, or is refused, and that
// nothing else differs then.
func onlyLines(t *testing.T, src []byte) (rewritten int) {
	t.Helper()
	story{src: src, as: As{Text: true}}.lawful(t)
	sites, _ := FindText(src)
	for _, r := range everywhere(sites) {
		out, err := Rewritten(src, As{Text: true}, r)
		if err != nil {
			continue // lawful has seen it
		}
		rewritten++
		if err := replaced(src, out, r.Site.Places[0]); err != nil {
			t.Errorf("%s: %v", r.Site.ID, err)
		}
	}
	return rewritten
}

// The law of FuzzText, on lines in any order.
func TestTextInDrawnFiles(t *testing.T) {
	from := []string{
		"# @", "// @", "; @", "-- @", "/* @ */", "<!-- @ -->", "/*", " * @", "*/", "-->", "<!-- x", "", "# x", "\t", "FROM web:1", "FROM web:1 AS x \\", "COPY --from=web:1 a b", "RUN --mount=type=bind,from=web:1 x",
		"A=web:1", "A=web:1 # @", "A='web:1'; // @", "A=\"\" # @", "A= # @", "a: web:1", "\"a\": \"web:1\", // @", "web:1", "'web:1' # x", "a \"web:1\" {", "A=$B", "it's # @", "it's @ isn't # @", "x /* @ */ = 'web:1'",
		"/* y */ é = \"web:1\" /* @ */ # z", "- docker://web:1", "image = \"web:1\" ; @", "x", "'@'", "REM @", "  --from=web:1 \\",
	}
	seed := seeds.Of(t)
	rewritten := 0
	for i := range uint64(1000) {
		src := drawn(rand.New(rand.NewPCG(seed, i)), from)
		rewritten += onlyLines(t, []byte(src))
		if t.Failed() {
			t.Fatalf("seed %d round %d:\n%s", seed, i, src)
		}
	}
	if rewritten < 300 {
		t.Errorf("seed %d: only %d sites were rewritten", seed, rewritten)
	}
}

// FuzzText: whatever a text says, a site is rewritten or refused; then it has the image, and
// nothing else differs.
func FuzzText(f *testing.F) {
	paths, _ := filepath.Glob("testdata/text/*.txtar")
	for _, path := range paths {
		a, err := txtar.ParseFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(a.Files[0].Data)
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		if len(src) < 4096 {
			onlyLines(t, src)
		}
	})
}

// replaced checks that of a text only what a place holds differs in another.
func replaced(before, after []byte, p Place) error {
	old, new := strings.SplitAfter(string(before), "\n"), strings.SplitAfter(string(after), "\n")
	if len(old) != len(new) {
		return fmt.Errorf("%d lines became %d", len(old), len(new))
	}
	for i := range old {
		if i+1 != p.Line && old[i] != new[i] {
			return fmt.Errorf("line %d became %q", i+1, new[i])
		}
	}
	was, is := []rune(strings.TrimPrefix(old[p.Line-1], "\ufeff")), strings.TrimPrefix(new[p.Line-1], "\ufeff")
	held := p.Before + p.Value
	head, rest := string(was[:p.Col-1]), string(was[p.Col-1:])
	tail, found := strings.CutPrefix(rest, held)
	if !found || !strings.HasPrefix(is, head+p.Before) || !strings.HasSuffix(is, tail) || len(is) < len(head)+len(tail) {
		return fmt.Errorf("%q became %q", string(was), is)
	}
	return nil
}

// Callers give sites the namespace of their file; what text says knows none.
func TestTextInANamespace(t *testing.T) {
	src := []byte("# {\"$imagestream\": \"web:stable\"}\nFROM quay.io/canal/web:1.4\n")
	sites, _ := FindText(src)
	sites[0].ID.Namespace = "team1"
	got, err := Rewritten(src, As{Text: true}, Rewrite{Site: sites[0], Image: ParseImage("quay.io/canal/web:1.5"), Style: ByTag})
	if want := "# {\"$imagestream\": \"web:stable\"}\nFROM quay.io/canal/web:1.5\n"; err != nil || string(got) != want {
		t.Errorf("got %q, %v", got, err)
	}
}
