package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/towpath/towpath/gitstore/memory"
	"github.com/towpath/towpath/reconcile"
	"github.com/towpath/towpath/web"
)

// TestStatusStories plays testdata/status/*.txtar: the head tells the story, then the
// commands, one a line; the files are the repository, but for daemon.json, those in the
// directories that commit names, and want, which is everything that was printed.
//
//	now TIME      what the time is (RFC 3339)
//	daemon        a daemon says daemon.json; the revision CURRENT is that of the repository
//	commit DIR    a person commits the files below DIR
//	status ARGS…  towpath status, as text
func TestStatusStories(t *testing.T) {
	paths, err := filepath.Glob("testdata/status/*.txtar")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no stories: %v", err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			a, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			got := playStatus(t, a)
			i := slices.IndexFunc(a.Files, func(f txtar.File) bool { return f.Name == "want" })
			if *update {
				if i < 0 {
					i, a.Files = len(a.Files), append(a.Files, txtar.File{Name: "want"})
				}
				a.Files[i].Data = []byte(got)
				if err := os.WriteFile(path, txtar.Format(a), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if i < 0 {
				t.Fatal("the story has no want; run with -update and read what it wrote")
			}
			if d := cmp.Diff(string(a.Files[i].Data), got); d != "" {
				t.Errorf("want -, got +:\n%s", d)
			}
		})
	}
}

func playStatus(t *testing.T, a *txtar.Archive) string {
	files := map[string]string{}
	for _, f := range a.Files {
		files[f.Name] = string(f.Data)
	}
	daemon := files["daemon.json"]
	delete(files, "daemon.json")
	delete(files, "want")
	store := memory.New(files)
	var (
		now  time.Time
		said *web.Report
		out  strings.Builder
	)
	for line := range strings.Lines(string(a.Comment)) {
		words := strings.Fields(line)
		if len(words) == 0 || words[0] == "#" {
			continue
		}
		var err error
		switch args := words[1:]; words[0] {
		case "now":
			now, err = time.Parse(time.RFC3339, args[0])
		case "daemon":
			err = json.Unmarshal([]byte(daemon), &said)
		case "commit":
			edits := map[string]string{}
			for name, text := range files {
				if rest, ok := strings.CutPrefix(name, args[0]+"/"); ok {
					edits[rest] = text
				}
			}
			store.Write("main", "a person's", edits)
		case "status":
			fmt.Fprintf(&out, "$ towpath %s", line)
			printStatus(t, &out, store, now, said, args)
		default:
			t.Fatalf("there is no command %q", line)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return out.String()
}

func printStatus(t *testing.T, out *strings.Builder, store *memory.Store, now time.Time, said *web.Report, args []string) {
	r := &reconcile.Reconciler{Store: store, Branch: "main"}
	cat, rep, err := r.Survey(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var o statusOptions
	args = slices.DeleteFunc(args, func(arg string) bool {
		o.tags, o.sites = o.tags || arg == "--tags" || arg == "-t", o.sites || arg == "--sites"
		return strings.HasPrefix(arg, "-")
	})
	targets, err := targetsOf(cat, args)
	if err != nil {
		t.Fatal(err)
	}
	var told *told
	if said != nil {
		report := *said
		if report.Revision == "CURRENT" {
			report.Revision = string(cat.Rev)
		}
		told = newTold("http://127.0.0.1:8080", report, cat.Rev)
	}
	s := newSurvey(cat, rep, selected(cat, targets), told)
	s.now = now
	s.propose(venue{}.reviewed(rep, told))
	if o.sites {
		if err := s.lookUp(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.describe(t.Context(), targets); err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	s.print(&text, o)
	if i := strings.IndexFunc(text.String(), func(r rune) bool { return r < ' ' && r != '\n' }); i >= 0 {
		t.Errorf("%q could command a terminal", text.String()[i:min(text.Len(), i+20)])
	}
	out.WriteString(strings.ReplaceAll(text.String(), cat.Rev.Short(), "COMMIT"))
	if problems := rep.Bad(); len(problems) > 0 {
		fmt.Fprintf(out, "[%s]\n", count(len(problems), "problem"))
	}
}
