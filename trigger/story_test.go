package trigger

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/towpath/towpath/imagestream"
	"github.com/towpath/towpath/yamledit"
)

var update = flag.Bool("update", false, "write what the stories find and make into their files; read the diff")

// TestStories plays testdata/FORM/*.txtar. The head of a story tells it, and may say
// what else is given, one a line:
//
//	image REFERENCE                      that every tag is on record as
//	style digest|tag@digest|tag          of the repository
//	field SELECTOR STREAM:TAG [PART]     that the repository's config names
//	noeol                                the file has no newline at its end
//
// Its first file is the one that is read: YAML or JSON by its name, else text. The others
// are what comes of it, where anything does: the sites, the problems, and out, the text
// with all that can be rewritten, or why that is refused.
//
// fault: C-19
// fault: C-20
func TestStories(t *testing.T) {
	paths, err := filepath.Glob("testdata/*/*.txtar")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no stories: %v", err)
	}
	for _, path := range paths {
		name, _ := filepath.Rel("testdata", strings.TrimSuffix(path, ".txtar"))
		t.Run(name, func(t *testing.T) {
			a, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			s := readStory(t, a)
			got := s.play(t)
			got.settled(t)
			s.crlf(t, got)
			if *update {
				a.Files = got.files(a.Files[0])
				if err := os.WriteFile(path, txtar.Format(a), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			want := txtar.Archive{Files: a.Files[1:]}
			if diff := cmp.Diff(string(txtar.Format(&want)), string(txtar.Format(&txtar.Archive{Files: got.files(a.Files[0])[1:]}))); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// A story is what is given.
type story struct {
	src   []byte
	as    As
	image Image
	style Style
}

func readStory(t *testing.T, a *txtar.Archive) story {
	t.Helper()
	if len(a.Files) == 0 {
		t.Fatal("the story has no file")
	}
	s := story{src: a.Files[0].Data, image: ParseImage("quay.io/canal/web:1.5@sha256:" + strings.Repeat("b", 64)), style: ByDigest}
	switch name := a.Files[0].Name; filepath.Ext(name) {
	case ".yaml", ".yml", ".json":
	default:
		s.as.Text = filepath.Base(name) != "Kustomization"
	}
	for line := range strings.Lines(string(a.Comment)) {
		word, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch word {
		case "image":
			s.image = ParseImage(rest)
		case "style":
			s.style = Style(rest)
		case "field":
			s.as.Fields = append(s.as.Fields, readField(t, rest, len(s.as.Fields)+1))
		case "noeol":
			s.src = bytes.TrimSuffix(s.src, []byte("\n"))
		}
	}
	return s
}

// readField reads a field as the config of a story names it on a line of it.
func readField(t *testing.T, text string, line int) Field {
	t.Helper()
	f := Field{Part: Ref, Line: line}
	words := strings.Fields(text)
	last := len(words) - 1
	if last > 1 && slices.Contains([]Part{Ref, Name, Tag, Digest, TagDigest}, Part(words[last])) {
		f.Part, last = Part(words[last]), last-1
	}
	if last < 1 {
		t.Fatalf("field %s: want a selector and a tag", text)
	}
	namespace, stream, ok := strings.Cut(words[last], "/")
	if !ok {
		namespace, stream = "", words[last]
	}
	f.Follows.Stream.Namespace = namespace
	f.Follows.Stream.Name, f.Follows.Tag, _ = strings.Cut(stream, ":")
	var err error
	if f.At, err = yamledit.ParseSelector(strings.Join(words[:last], " ")); err != nil {
		t.Fatalf("field %s: %v", text, err)
	}
	return f
}

// An outcome is what comes of a story.
type outcome struct {
	story
	sites    []Site
	problems []imagestream.Problem
	rewrites []Rewrite
	out      []byte // nil where nothing is rewritten
	refused  *yamledit.Refused
}

func (s story) play(t *testing.T) outcome {
	t.Helper()
	o := outcome{story: s}
	o.sites, o.problems = s.find()
	for _, site := range o.sites {
		if _, why := site.Values(s.image, s.style); why == "" && !site.Paused && !site.Has(s.image, s.style) {
			o.rewrites = append(o.rewrites, Rewrite{Site: site, Image: s.image, Style: s.style})
		}
	}
	if len(o.rewrites) == 0 {
		return o
	}
	var err error
	if o.out, err = Rewritten(s.src, s.as, o.rewrites...); err != nil && !errors.As(err, &o.refused) {
		t.Fatalf("Rewritten: %v", err)
	}
	return o
}

func (s story) find() ([]Site, []imagestream.Problem) {
	if s.as.Text {
		return FindText(s.src)
	}
	f, err := yamledit.Parse(s.src, yamledit.DefaultLimits)
	if bad, ok := errors.AsType[*yamledit.Error](err); ok {
		return nil, []imagestream.Problem{{Line: bad.Line, Col: bad.Col, What: bad.What, Fix: bad.Fix}}
	}
	return Find(f, s.as.Fields...)
}

// settled checks that what was rewritten holds the image, that the sites are the same,
// and that rewriting them again changes nothing.
func (o outcome) settled(t *testing.T) {
	t.Helper()
	if o.out == nil || o.refused != nil {
		return
	}
	if eol := []byte("\n"); bytes.HasSuffix(o.src, eol) != bytes.HasSuffix(o.out, eol) {
		t.Error("the rewrite changes whether a newline ends the file")
	}
	after := o.story
	after.src = o.out
	sites, _ := after.find()
	if diff := cmp.Diff(ids(o.sites), ids(sites)); diff != "" {
		t.Errorf("sites (-before +after the rewrite):\n%s", diff)
	}
	for _, r := range o.rewrites {
		i := slices.IndexFunc(sites, func(s Site) bool { return s.ID == r.Site.ID })
		if i >= 0 && !sites[i].Has(o.image, o.style) {
			t.Errorf("%s holds %q after the rewrite", r.Site.ID, sites[i].Current())
		}
	}
	again, err := Rewritten(o.out, o.as, o.rewrites...)
	if diff := cmp.Diff(string(o.out), string(again)); diff != "" || err != nil {
		t.Errorf("a second time: %v (-first +second):\n%s", err, diff)
	}
}

func ids(sites []Site) []string {
	var names []string
	for _, s := range sites {
		names = append(names, s.ID.String())
	}
	return names
}

// crlf checks that the ends of lines are no news.
func (s story) crlf(t *testing.T, want outcome) {
	t.Helper()
	if bytes.Contains(s.src, []byte("\r")) {
		return
	}
	s.src = bytes.ReplaceAll(s.src, []byte("\n"), []byte("\r\n"))
	got := s.play(t)
	if n := bytes.Count(got.out, []byte("\n")); n != bytes.Count(got.out, []byte("\r\n")) {
		t.Errorf("with CRLF some lines end otherwise after the rewrite:\n%q", got.out)
	}
	got.out = bytes.ReplaceAll(got.out, []byte("\r\n"), []byte("\n"))
	texts := func(o outcome) string { return string(txtar.Format(&txtar.Archive{Files: o.files(txtar.File{})})) }
	if diff := cmp.Diff(texts(want), texts(got)); diff != "" {
		t.Errorf("with CRLF (-LF +CRLF):\n%s", diff)
	}
}

// files are what the story's file is with the outcome after it.
func (o outcome) files(first txtar.File) []txtar.File {
	var sites strings.Builder
	for _, s := range o.sites {
		fmt.Fprintln(&sites, o.line(s))
	}
	out := string(o.out)
	if o.refused != nil {
		out = fmt.Sprintf("refused: %d:%d: %s\nfix: %s\n", o.refused.Line, o.refused.Col, o.refused.What, o.refused.Fix)
	}
	files := []txtar.File{first}
	for _, f := range []struct{ name, text string }{{"sites", sites.String()}, {"problems", lines(o.problems)}, {"out", out}} {
		if f.text != "" {
			files = append(files, txtar.File{Name: f.name, Data: []byte(strings.TrimSuffix(f.text, "\n") + "\n")})
		}
	}
	return files
}

// line is a site in a line.
func (o outcome) line(s Site) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d:%d %s: %s, ", s.Line, s.Col, s.ID, s.Form)
	if s.Policy != "" {
		fmt.Fprintf(&b, "policy %s, ", s.Policy)
	}
	fmt.Fprintf(&b, "follows %s, holds %q", s.Follows, s.Current())
	if n := len(s.Places); n > 1 {
		fmt.Fprintf(&b, " in %d places", n)
	}
	values, why := s.Values(o.image, o.style)
	switch {
	case why != "":
		fmt.Fprintf(&b, ", stays: %s", why)
	case s.Has(o.image, o.style):
		b.WriteString(", has it")
	default:
		after := s
		after.Places = slices.Clone(s.Places)
		for i := range values {
			after.Places[i].Value = values[i]
		}
		fmt.Fprintf(&b, ", becomes %q", after.Current())
	}
	if s.Paused {
		b.WriteString(", paused")
	}
	if s.Wish != "" {
		fmt.Fprintf(&b, ", wish %s", s.Wish)
	}
	if s.Together != "" {
		fmt.Fprintf(&b, ", together %s", s.Together)
	}
	if s.Written {
		b.WriteString(", written")
	}
	return b.String()
}
