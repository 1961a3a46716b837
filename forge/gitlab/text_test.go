package gitlab_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/towpath/towpath/forge"
	"github.com/towpath/towpath/forge/gitlab"
)

// What comes from a registry or a file stands in texts: GitLab would carry it out as the token's user.
func TestNothingInATextIsACommand(t *testing.T) {
	for _, text := range []string{
		"/close", "a\n/merge", "a\r\n/merge\r\nb", "a\n\r/merge", "a\r/\rclose", "/CLOSE", "  /close", "\t/close", "```\n/merge\n```", "<p>\n/approve\n</p>",
		">>>\n/label ~x\n>>>", "`\n/title x\n`", "\\/close", "\\\\/close\n/close", "/close x y\n/merge",
	} {
		t.Run(text, func(t *testing.T) {
			w := newWorld(t)
			w.Push(branch)
			d := draft()
			d.Body = text
			p, err := w.under.Propose(t.Context(), d)
			if err != nil {
				t.Fatal(err)
			}
			want := strings.ReplaceAll(text, "\r", "")
			same(t, "proposed", p.Body, want)
			if err := w.under.Comment(t.Context(), 1, "key", text); err != nil {
				t.Fatal(err)
			}
			for _, body := range []string{"x", text} {
				if err := w.under.Edit(t.Context(), 1, d.Title, body); err != nil {
					t.Fatal(err)
				}
			}
			found, err := w.under.List(t.Context(), "main", "")
			if err != nil || len(found) != 1 {
				t.Fatalf("listed %v, %v", found, err)
			}
			same(t, "body", found[0].Body, want)
			same(t, "carried out", w.commands, []string(nil))
		})
	}
}

func TestTitlesOfDrafts(t *testing.T) {
	for _, c := range []struct {
		is    string // at GitLab
		reads string
		draft bool
	}{
		{"x", "x", false},
		{"Draft: x", "x", true},
		{"[Draft] x", "x", true},
		{"(draft)x", "x", true},
		{"Draft: Draft: x", "x", true},
		{"Drafty: x", "Drafty: x", false},
		{"x Draft: y", "x Draft: y", false},
	} {
		w := newWorld(t)
		w.Push(branch)
		w.Open(branch, "main", c.is, "")
		found, err := w.under.List(t.Context(), "main", "")
		if err != nil || len(found) != 1 || found[0].Title != c.reads || found[0].Draft != c.draft {
			t.Errorf("%q reads %+v, %v", c.is, found, err)
		}
		// What a person wrote stays as it is where the title is not another.
		if err := w.under.Edit(t.Context(), 1, c.reads, "new"); err != nil {
			t.Fatal(err)
		}
		same(t, "title", w.merges[0].title, c.is)
		if err := w.under.Edit(t.Context(), 1, "another", "new"); err != nil {
			t.Fatal(err)
		}
		same(t, "title", w.merges[0].title, map[bool]string{true: "Draft: another", false: "another"}[c.draft])
	}
}

func TestTitlesThatGitLabWouldNotTake(t *testing.T) {
	for title, want := range map[string]string{
		"draft: x":               "x", // or it would be one
		"a\nb\x00c":              "a b c",
		strings.Repeat("é", 255): strings.Repeat("é", 255),
		strings.Repeat("é", 256): strings.Repeat("é", 254) + "…",
	} {
		w := newWorld(t)
		w.Push(branch)
		d := draft()
		d.Title = title
		p, err := w.under.Propose(t.Context(), d)
		if err != nil || p.Title != want || p.Draft {
			t.Errorf("%q is proposed as %+v, %v", title, p, err)
		}
		// It is not sent again and again.
		before := w.Requests()
		if err := w.under.Edit(t.Context(), 1, title, d.Body); err != nil || w.Requests() != before+1 {
			t.Errorf("%q was sent again: %v", title, err)
		}
	}
}

// What is as it should be is not sent: GitLab would note it as an edit.
func TestEditOfNothing(t *testing.T) {
	w := newWorld(t)
	w.Push(branch)
	w.Open(branch, "main", "[Draft] x", "above\r\n\r\n/shrugged\r\nbelow")
	found, err := w.under.List(t.Context(), "main", "")
	if err != nil {
		t.Fatal(err)
	}
	before := w.Requests()
	if err := w.under.Edit(t.Context(), 1, found[0].Title, found[0].Body); err != nil {
		t.Fatal(err)
	}
	same(t, "requests", w.Requests()-before, 1)
}

// What GitLab itself notes, with whatever words of a branch's name, is nobody's comment.
func TestNotesOfGitLabItself(t *testing.T) {
	w := newWorld(t)
	w.Push(branch)
	w.Open(branch, "main", "x", "")
	if err := w.under.Comment(t.Context(), 1, "key", "text"); err != nil {
		t.Fatal(err)
	}
	w.locked(func() {
		m := w.merges[0]
		m.notes[0].system = true
	})
	if err := w.under.Comment(t.Context(), 1, "key", "text"); err != nil {
		t.Fatal(err)
	}
	if got := w.Comments(1); len(got) != 1 || !strings.HasPrefix(got[0], "text\n") {
		t.Errorf("comments are %q", got)
	}
}

// What a person merged or closed is not closed again.
func TestCloseOfWhatIsNotOpen(t *testing.T) {
	for _, state := range []string{"merged", "closed"} {
		w := newWorld(t)
		w.Push(branch)
		w.Open(branch, "main", "x", "")
		w.locked(func() { w.end(w.merges[0], state) })
		w.before = func(_ http.ResponseWriter, r *http.Request) bool {
			if r.Method != http.MethodGet {
				t.Errorf("%s: %s was sent", state, r.Method)
			}
			return false
		}
		if err := w.under.Close(t.Context(), 1); err != nil {
			t.Error(err)
		}
	}
}

// fault: F-11
func TestCommentThatIsNotThere(t *testing.T) {
	w := newWorld(t)
	w.Push(branch)
	w.Open(branch, "main", "x", "")
	w.before = func(rw http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPost {
			jsonSays(201, `{}`)(rw, r)
		}
		return r.Method == http.MethodPost
	}
	if err := w.under.Comment(t.Context(), 1, "key", "text"); !isKind(err, forge.Invalid) {
		t.Errorf("comment: %v", err)
	}
}

func TestClosedInVain(t *testing.T) {
	w := newWorld(t)
	w.Push(branch)
	w.Open(branch, "main", "x", "")
	w.keepsOpen = true
	if err := w.under.Close(t.Context(), 1); !isKind(err, forge.Refused) {
		t.Errorf("close: %v", err)
	}
}

func FuzzBody(f *testing.F) {
	for _, text := range []string{"/close", "a\r\n/merge", "\\/x", " \\\\/x\n\r/y", "\r/\rclose"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		sent := gitlab.WriteBody(text)
		if strings.Contains(sent, "\r") {
			t.Errorf("%q is sent with a return", text)
		}
		for line := range strings.SplitSeq(sent, "\n") {
			if line = strings.TrimLeft(line, " \t"); len(line) > 1 && line[0] == '/' && (line[1]|0x20 >= 'a' && line[1]|0x20 <= 'z') {
				t.Errorf("%q is sent with the command %q", text, line)
			}
		}
		same(t, "read", gitlab.ReadBody(sent), strings.ReplaceAll(text, "\r", ""))
	})
}
