package imagestream

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/towpath/towpath/yamledit"
)

var update = flag.Bool("update", false, "write what comes out into testdata as what is wanted; read the diff")

// TestCorpus walks testdata: a file as people write it, what it says of it
// (problems), and the same file after events, byte for byte.
//
//	STREAM:TAG image REPOSITORY WORD FROM   an import from FROM; WORD stands for a digest
//	STREAM:TAG alias REPOSITORY WORD        the same without a source
//	STREAM:TAG reference NAME               a reference tag
//	STREAM:TAG fail REASON FROM MESSAGE
//	STREAM:TAG clear                        a failure is over
func TestCorpus(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no corpus: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) { corpus(t, file) })
	}
}

func corpus(t *testing.T, file string) {
	a, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	parts := map[string]string{}
	name := ""
	for _, f := range a.Files {
		parts[f.Name] = string(f.Data)
		if in := strings.TrimPrefix(f.Name, "in."); in != f.Name {
			name = in
		}
	}
	in := parts["in."+name]
	f := parse(t, in)
	docs, problems := Parse(f)
	got := in
	if parts["events"] != "" {
		got = apply(t, f, docs, parts["events"])
	}
	out := map[string]string{"problems": lines(problems)}
	if got != in {
		out["want."+name] = got
	}
	if *update {
		rewrite(t, file, a, out)
		return
	}
	for part := range map[string]bool{"problems": true, "want." + name: true} {
		if diff := cmp.Diff(parts[part], out[part]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", part, diff)
		}
	}
	settled(t, got, parts["events"])
}

var corpusOptions = Options{
	Now:     time.Date(2026, 5, 1, 10, 0, 0, 999, time.UTC),
	History: 3,
	Keep:    func(image string) bool { return image == word("b") },
}

// apply writes events into a file.
func apply(t *testing.T, f *yamledit.File, docs []Document, script string) string {
	t.Helper()
	events := map[string][]Event{}
	for line := range strings.Lines(script) {
		stream, e := event(t, line)
		events[stream] = append(events[stream], e)
	}
	var changes []yamledit.Change
	for _, d := range docs {
		if d.Malformed {
			d.Status = Status{}
		}
		changes = append(changes, Edits(f, d, d.After(events[d.Name.Name], corpusOptions), corpusOptions)...)
	}
	got, err := f.Apply(changes...)
	if err != nil {
		t.Fatalf("Apply: %v", err)
	}
	return string(got)
}

// settled: the same events again are no news.
func settled(t *testing.T, src, script string) {
	t.Helper()
	f := parse(t, src)
	docs, _ := Parse(f)
	if again := apply(t, f, docs, script); again != src {
		t.Errorf("the same events again (-once +twice):\n%s", cmp.Diff(src, again))
	}
}

func event(t *testing.T, line string) (stream string, e Event) {
	t.Helper()
	w := strings.Fields(line)
	stream, e.Tag, _ = strings.Cut(w[0], ":")
	switch w[1] {
	case "image", "alias":
		e.Item = &Item{Reference: w[2] + "@" + word(w[3]), Image: word(w[3])}
		if w[1] == "image" {
			e.Source = &Source{From: w[4], Mode: Legacy, Platform: "linux/amd64", Inputs: From{Name: w[4]}.Inputs(Legacy, "linux/amd64")}
		}
	case "reference":
		e.Item = &Item{Reference: w[2]}
	case "fail":
		e.Failure = &Failure{Reason: w[2], From: w[3], Message: strings.Join(w[4:], " ")}
	case "clear":
		e.Clear = true
	default:
		t.Fatalf("what is %q?", line)
	}
	return stream, e
}

// word is a digest that is easy to read.
func word(w string) string { return "sha256:" + strings.Repeat(w, 64)[:64] }

func lines(problems []Problem) string {
	var b strings.Builder
	for _, p := range problems {
		kind := "problem"
		if p.Note {
			kind = "note"
		}
		fmt.Fprintf(&b, "%d:%d: %s: %s\n", p.Line, p.Col, kind, p.What)
		if p.Fix != "" {
			fmt.Fprintf(&b, "\tfix: %s\n", p.Fix)
		}
	}
	return b.String()
}

func rewrite(t *testing.T, file string, a *txtar.Archive, out map[string]string) {
	t.Helper()
	kept := a.Files[:0]
	for _, f := range a.Files {
		if f.Name == "events" || strings.HasPrefix(f.Name, "in.") {
			kept = append(kept, f)
		}
	}
	a.Files = kept
	for _, name := range []string{"problems", "want.yaml", "want.json"} {
		if out[name] != "" {
			a.Files = append(a.Files, txtar.File{Name: name, Data: []byte(out[name])})
		}
	}
	if err := os.WriteFile(file, txtar.Format(a), 0o644); err != nil {
		t.Fatal(err)
	}
}

func parse(t testing.TB, src string) *yamledit.File {
	t.Helper()
	f, err := yamledit.Parse([]byte(src), yamledit.DefaultLimits)
	if err != nil {
		t.Fatalf("Parse: %v\n%.2000s", err, src)
	}
	return f
}

func parseOne(t testing.TB, src string) (Document, []Problem) {
	t.Helper()
	docs, problems := Parse(parse(t, src))
	if len(docs) != 1 {
		t.Fatalf("got %d streams, want 1; problems: %v\n%s", len(docs), problems, src)
	}
	return docs[0], problems
}
