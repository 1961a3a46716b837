package reconcile_test

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/diff"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/towpath/towpath/gitstore"
	"github.com/towpath/towpath/gitstore/memory"
	"github.com/towpath/towpath/reconcile"
	registrymemory "github.com/towpath/towpath/registry/memory"
)

var update = flag.Bool("update", false, "write what the stories print into their files")

// TestStories plays testdata/stories/*.txtar and those of its folders. A story is named after
// a row of the tables above Record, Follow, Holds and Guard, or after a form of sites. Its head tells it, then the commands below, one a
// line; its files are the repository, except those under N/, which "edit N" commits,
// and want, which is everything that was printed.
//
//	now TIME           sleep until then (RFC 3339)
//	registry LINE      change what registries say (see registry/memory)
//	walk               walk the line until it rests; print commits, problems, holds
//	once               walk it once, asking what is due
//	poll               walk it once, as a running daemon would: it can wait
//	restart            forget all that is not in Git
//	edit N MESSAGE     a person commits the files under N/; empty files are deleted
//	revert             a person takes back the last commit
//	import STREAM:TAG  a person asks for a tag
//	push STREAM:TAG X  somebody pushes an image to the integrated registry
//	arrived            walk it once, as a running daemon would that hears of a push
func TestStories(t *testing.T) {
	paths, _ := filepath.Glob("testdata/stories/*.txtar")
	more, _ := filepath.Glob("testdata/stories/*/*.txtar")
	if len(paths) == 0 {
		t.Fatal("no stories")
	}
	for _, path := range append(paths, more...) {
		name, _ := filepath.Rel("testdata/stories", path)
		t.Run(strings.TrimSuffix(name, ".txtar"), func(t *testing.T) {
			a, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			var got string
			synctest.Test(t, func(t *testing.T) { got = play(t, a) })
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

// story is a story being played.
type story struct {
	t        *testing.T
	edits    map[string]map[string]string // by number
	store    *memory.Store
	registry *registrymemory.Registry
	arrivals *registrymemory.Arrivals
	line     *reconcile.Reconciler
	out      strings.Builder
}

func play(t *testing.T, a *txtar.Archive) string {
	s := &story{t: t, edits: map[string]map[string]string{}, registry: &registrymemory.Registry{}, arrivals: &registrymemory.Arrivals{}}
	files := map[string]string{}
	for _, f := range a.Files {
		n, rest, ok := strings.Cut(f.Name, "/")
		switch {
		case f.Name == "want":
		case ok && len(n) == 1 && n[0] >= '1' && n[0] <= '9':
			if s.edits[n] == nil {
				s.edits[n] = map[string]string{}
			}
			s.edits[n][rest] = string(f.Data)
		default:
			files[f.Name] = string(f.Data)
		}
	}
	s.store = memory.New(files)
	s.restart()
	for _, line := range strings.Split(string(a.Comment), "\n") {
		word, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		if word != "" && word != "#" {
			s.do(word, strings.TrimSpace(rest))
		}
	}
	return s.out.String()
}

func (s *story) restart() {
	s.line = &reconcile.Reconciler{
		Store: s.store, Branch: "main", Reader: s.registry,
		Author: gitstore.Person{Name: "towpath", Email: "towpath@localhost"}, Arrivals: s.arrivals,
	}
}

func (s *story) do(word, rest string) {
	switch word {
	case "now":
		at, err := time.Parse(time.RFC3339, rest)
		if err != nil || at.Before(time.Now()) {
			s.t.Fatalf("now %s: %v, or before %s", rest, err, time.Now())
		}
		time.Sleep(time.Until(at))
	case "registry":
		if err := s.registry.Set(rest); err != nil {
			s.t.Fatal(err)
		}
	case "walk":
		s.walk(reconcile.Hint{Scheduled: true})
	case "import":
		name, tag, _ := strings.Cut(rest, ":")
		h := reconcile.Hint{Tag: tag, Force: true}
		h.Stream.Namespace, h.Stream.Name, _ = strings.Cut(name, "/")
		s.walk(h)
	case "push":
		tag, image, _ := strings.Cut(rest, " ")
		name, tag, _ := strings.Cut(tag, ":")
		namespace, name, _ := strings.Cut(name, "/")
		s.arrivals.Push(namespace, name, tag, registrymemory.Digest(image), time.Now())
	case "arrived":
		before := s.store.Tip("main")
		rep, err := s.line.Once(context.Background(), reconcile.Hint{Arrived: true})
		s.tell(before, rep, err)
	case "poll":
		before := s.store.Tip("main")
		rep, err := s.line.Once(context.Background())
		s.tell(before, rep, err)
	case "once":
		s.line.Wait = true
		before := s.store.Tip("main")
		rep, err := s.line.Once(context.Background())
		s.tell(before, rep, err)
	case "restart":
		s.restart()
	case "edit":
		n, message, _ := strings.Cut(rest, " ")
		s.store.Edit("main", message, func(t memory.Tree) {
			for path, content := range s.edits[n] {
				if content == "" {
					delete(t, path)
				} else {
					t[path] = memory.File{Content: content}
				}
			}
		})
	case "revert":
		log := s.store.Log("main")
		subject, _, _ := strings.Cut(log[0].Message, "\n")
		s.store.Edit("main", "revert: "+subject, func(t memory.Tree) {
			clear(t)
			maps.Copy(t, log[1].Tree)
		})
	default:
		s.t.Fatalf("a story has no command %q", word)
	}
}

func (s *story) walk(h reconcile.Hint) {
	before := s.store.Tip("main")
	rep, err := s.line.Settle(context.Background(), h)
	s.tell(before, rep, err)
}

// tell prints what a walk did, and checks what holds for every walk.
func (s *story) tell(before gitstore.Rev, rep reconcile.Report, err error) {
	fmt.Fprintf(&s.out, "# %s\n", time.Now().UTC().Format(time.RFC3339))
	if err != nil {
		fmt.Fprintf(&s.out, "error: %v\n", err)
	}
	for _, p := range rep.Problems {
		fmt.Fprintf(&s.out, "problem: %s\n", p)
		if p.Fix != "" {
			fmt.Fprintf(&s.out, "  fix: %s\n", strings.ReplaceAll(strings.TrimSpace(p.Fix), "\n", "\n       "))
		}
	}
	for _, a := range rep.Arrivals {
		fmt.Fprintf(&s.out, "waits: %s/%s:%s: %s\n", a.Namespace, a.Name, a.Tag, a.Why)
		if a.Fix != "" {
			fmt.Fprintf(&s.out, "  fix: %s\n", a.Fix)
		}
	}
	for _, d := range rep.Dropped {
		fmt.Fprintf(&s.out, "drops: %s/%s:%s: %s\n", d.Namespace, d.Name, d.Tag, d.Why)
		if d.Fix != "" {
			fmt.Fprintf(&s.out, "  fix: %s\n", d.Fix)
		}
	}
	for _, f := range rep.Failing {
		fmt.Fprintf(&s.out, "failing: %s: %s: %s\n", f.Tag, f.Err.Kind, f.Err.Message)
	}
	for _, w := range rep.Settling {
		fmt.Fprintf(&s.out, "settling: %s: %s %.14s until %s\n", w.Tag, w.From, w.Image, w.Until.UTC().Format(time.RFC3339))
	}
	for _, h := range rep.Held {
		fmt.Fprintf(&s.out, "held: %s, %s by %q\n", h.Change.Site.Path, h.Why, h.About.Subject)
	}
	for _, d := range rep.Deferred {
		fmt.Fprintf(&s.out, "later: %s: %s, %s\n", d.Change.Site.Path, d.Why, d.Until.UTC().Format(time.RFC3339))
	}
	for _, u := range rep.Unresolved {
		fmt.Fprintf(&s.out, "left alone: %s: %s\n", u.Site.Path, u.Why)
	}
	log := s.store.Log("main")
	news := slices.IndexFunc(log, func(l memory.Logged) bool { return l.Rev == before })
	for i := news - 1; i >= 0; i-- {
		s.out.WriteString(log[i].Message)
		s.diff(log[i+1].Tree, log[i].Tree)
	}
	if news == 0 {
		fmt.Fprintln(&s.out, "no commit")
	}
}

func (s *story) diff(old, new memory.Tree) {
	paths := map[string]bool{}
	for p := range old {
		paths[p] = true
	}
	for p := range new {
		paths[p] = true
	}
	for _, p := range slices.Sorted(maps.Keys(paths)) {
		if old[p] != new[p] {
			d := string(diff.Diff("a/"+p, []byte(old[p].Content), "b/"+p, []byte(new[p].Content)))
			_, d, _ = strings.Cut(d, "\n")
			s.out.WriteString(d)
		}
	}
}
