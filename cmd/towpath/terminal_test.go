package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// hostile is text that commands terminals in all known ways: C0, DEL, C1 in UTF-8 and
// alone, ends of lines of Unicode, and the direction of writing.
const hostile = "a\x1b[31mb\ac\rd\x7fe\u009b1mf\x9b1mg\u2028h\u202ei"

func TestHarmless(t *testing.T) {
	for in, want := range map[string]string{
		"plain\ttext, ✓ 日本\n": "plain\ttext, ✓ 日本\n",
		"line\r\nline\r\n":    "line\r\nline\r\n",
		hostile:               "a�[31mb�c�d�e�1mf�1mg�h�i",
		"":                    "",
	} {
		var b bytes.Buffer
		if n, err := (harmless{&b}).Write([]byte(in)); n != len(in) || err != nil {
			t.Errorf("%q: %d, %v; want all", in, n, err)
		}
		if d := cmp.Diff(want, b.String()); d != "" {
			t.Errorf("%q (-want +got):\n%s", in, d)
		}
	}
}

func TestJSONCommandsNoTerminal(t *testing.T) {
	want := strings.ToValidUTF8(hostile, "\ufffd") + "\U000e0001✓"
	var b bytes.Buffer
	if err := writeJSON(&b, want); err != nil {
		t.Fatal(err)
	}
	if i := strings.IndexFunc(b.String(), commands); i >= 0 {
		t.Errorf("%q commands a terminal", b.String())
	}
	var got string
	if err := json.Unmarshal(b.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("another value (-want +got):\n%s", d)
	}
}

func TestErrorsCommandNoTerminal(t *testing.T) {
	var b bytes.Buffer
	printError(&b, hint{errors.New(hostile), "first " + hostile + "\nsecond"})
	if i := strings.IndexFunc(b.String(), commands); i >= 0 {
		t.Errorf("%q commands a terminal", b.String())
	}
	if got, want := strings.Count(b.String(), "\n"), 3; got != want {
		t.Errorf("%d lines, want %d: %q", got, want, b.String())
	}
}

// What a person's own directory is called commands no terminal, either.
func TestMainCommandsNoTerminal(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "d\x1b[31m")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"tag", "--dir", dir, "--file", filepath.Join(dir, "new.yaml"), "quay.io/team1/web:1.4", "web:stable"},
		{"validate", dir},
		{"validate", filepath.Join(dir, "nosuch")},
		{"schema", hostile},
		{"status", "--repo", dir},
	} {
		var out bytes.Buffer
		Main(t.Context(), args, &out, &out, func(string) string { return "" })
		if i := strings.IndexFunc(out.String(), commands); i >= 0 || out.Len() == 0 {
			t.Errorf("%q: %q commands a terminal", args, out.String())
		}
	}
}

func TestUsablePath(t *testing.T) {
	for path, want := range map[string]bool{
		"web.yaml": true, "streams/日本 web.yaml": true, ".": true, ".gitignore": true, "a.git/x": true, "git~12": true,
		".git/x.yaml": false, "a/.GIT/x.yaml": false, ".git": false, ".git ./x": false, ".git:x": false, "GIT~1/x": false, ".g\u200cit/x": false,
		"a/../b": false, "a\\b": false, "a\nb": false, "a\x1bb": false, "a\u202eb": false, "a\xe9b": false,
	} {
		if got := usablePath(path); got != want {
			t.Errorf("%q: %t, want %t", path, got, want)
		}
	}
}
