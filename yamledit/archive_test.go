package yamledit

import (
	"os"
	"strings"
	"testing"
)

// An archive is a txtar file: a comment, then parts below lines as in
// "-- name --".
type archive struct {
	comment string
	parts   []part
}

type part struct{ name, text string }

func readArchive(t testing.TB, file string) *archive {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	a := &archive{}
	into := &a.comment
	for line := range strings.Lines(string(b)) {
		name, ok := strings.CutPrefix(line, "-- ")
		if name, ok2 := strings.CutSuffix(name, " --\n"); ok && ok2 {
			a.parts = append(a.parts, part{name: name})
			into = &a.parts[len(a.parts)-1].text
			continue
		}
		*into += line
	}
	return a
}

func (a *archive) part(name string) (text string, ok bool) {
	for _, p := range a.parts {
		if p.name == name {
			return p.text, true
		}
	}
	return "", false
}

func (a *archive) write(t testing.TB, file string) {
	t.Helper()
	s := a.comment
	for _, p := range a.parts {
		s += "-- " + p.name + " --\n" + p.text
		if p.text != "" && !strings.HasSuffix(p.text, "\n") {
			s += "\n"
		}
	}
	if err := os.WriteFile(file, []byte(s), 0o666); err != nil {
		t.Fatal(err)
	}
}
