package imagestream

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v4"

	"github.com/towpath/towpath/internal/seeds"
	"github.com/towpath/towpath/yamledit"
)

// The law: after an edit a file says what it said, with that tag as it was asked for, and
// no byte has changed above or below the places of that tag.
func TestLawSpecEdits(t *testing.T) {
	seed := seeds.Of(t)
	r := rand.New(rand.NewPCG(seed, 3))
	files := corpusFiles(t)
	made := 0
	for _, name := range slices.Sorted(maps.Keys(files)) {
		src := files[name]
		for step := range 6 {
			f := parse(t, src)
			before, _ := Parse(f)
			if len(before) == 0 {
				break
			}
			e := randomTagEdit(r, before)
			got, problems := EditSpec(f, e)
			if len(problems) > 0 {
				continue // refused: anchors, or a status that cannot be read
			}
			made++
			what := fmt.Sprintf("%s, step %d: %+v", name, step, e)
			checkSpecEdit(t, what, src, string(got.Src), e)
			src = string(got.Src)
		}
	}
	if made < len(files) {
		t.Errorf("only %d edits of %d files were made", made, len(files))
	}
}

func checkSpecEdit(t *testing.T, what, before, after string, e TagEdit) {
	t.Helper()
	f, g := parse(t, before), parse(t, after)
	old, known := Parse(f)
	now, found := Parse(g)
	if len(found) > len(known) {
		t.Fatalf("%s: got problems\n%s", what, lines(found))
	}
	if e.Delete != (now[e.Stream].Status.Tag(e.Tag) == nil && specTagOf(now[e.Stream], e.Tag) == nil) {
		t.Fatalf("%s: got %+v", what, now[e.Stream].Spec)
	}
	if tag := specTagOf(now[e.Stream], e.Tag); !e.Delete && (tag.From != e.From || e.Insecure != nil && tag.Insecure != *e.Insecure) {
		t.Fatalf("%s: got %+v", what, tag)
	}
	if diff := cmp.Diff(restOfSpec(f, old, e), restOfSpec(g, now, e)); diff != "" {
		t.Fatalf("%s: something else has changed (-before +after):\n%s", what, diff)
	}
	if root := f.Docs[old[e.Stream].Doc].Root; root.Style&yaml.FlowStyle == 0 {
		if diff := cmp.Diff(otherLines(f, old, e), otherLines(g, now, e)); diff != "" {
			t.Fatalf("%s: other lines have changed (-before +after):\n%s", what, diff)
		}
	}
}

func specTagOf(d Document, name string) *Tag {
	for i := range d.Spec.Tags {
		if d.Spec.Tags[i].Name == name {
			return &d.Spec.Tags[i]
		}
	}
	return nil
}

// otherLines are the lines of a file but for those of the tag, of spec: and status:, and
// of tags: in both.
func otherLines(f *yamledit.File, docs []Document, e TagEdit) []string {
	all := strings.Split(string(f.Src), "\n")
	own := map[int]bool{}
	d := docs[e.Stream]
	stream := field(f.Docs[d.Doc].Root, d.At...)
	for part, key := range map[string]string{"spec": "name", "status": "tag"} {
		own[keyLine(stream, part)] = true
		own[keyLine(field(stream, part), "tags")] = true
		for _, tag := range elements(field(stream, part, "tags")) {
			if scalar(tag, key) != e.Tag {
				continue
			}
			first, last := tag.Line, lastLine(tag)
			if part == "status" && e.Delete && len(elements(field(stream, part, "tags"))) == 1 {
				first = keyLine(field(stream, part), "tags") // the list goes, with comments in it
			}
			for ; last < len(all) && tag.Column > 1; last++ { // of a text on several lines
				text := strings.TrimLeft(all[last], " ")
				if len(all[last])-len(text) < tag.Column-1 || strings.HasPrefix(text, "#") {
					break
				}
			}
			for line := first; line <= last; line++ {
				own[line] = true
			}
		}
	}
	var rest []string
	for i, line := range all {
		if !own[i+1] {
			rest = append(rest, line)
		}
	}
	return rest
}

// keyLine is where a key stands, 0 where it does not.
func keyLine(n *yamledit.Node, key string) int {
	for k := range entries(n) {
		if k.Value == key {
			return k.Line
		}
	}
	return 0
}

func lastLine(n *yamledit.Node) int {
	last := n.Line
	for _, c := range n.Content {
		last = max(last, lastLine(c))
	}
	return last
}

// restOfSpec is what a file says beside the tag, without places.
func restOfSpec(f *yamledit.File, docs []Document, e TagEdit) string {
	var b strings.Builder
	var write func(n *yamledit.Node, path string)
	write = func(n *yamledit.Node, path string) {
		n = follow(n)
		if len(n.Content) == 0 {
			fmt.Fprintf(&b, "%s = %s %q\n", path, n.Tag, n.Value)
		}
		for i, c := range n.Content {
			switch {
			case n.Tag == "!!map" && i%2 == 0:
				write(n.Content[i+1], path+"."+c.Value)
			case n.Tag != "!!map" && scalar(c, "name") != e.Tag && scalar(c, "tag") != e.Tag:
				write(c, path+"[]")
			}
		}
	}
	for i := range f.Docs {
		write(f.Docs[i].Root, fmt.Sprint(i))
	}
	text := strings.Split(b.String(), "\n")
	text = slices.DeleteFunc(text, func(line string) bool { // an empty list or mapping may come or go
		path, value, _ := strings.Cut(line, " = ")
		return (strings.HasSuffix(path, ".tags") || strings.HasSuffix(path, ".spec") || strings.HasSuffix(path, ".status")) &&
			(strings.HasPrefix(value, "!!seq") || strings.HasPrefix(value, "!!map") || strings.HasPrefix(value, "!!null"))
	})
	return strings.Join(text, "\n")
}

func randomTagEdit(r *rand.Rand, docs []Document) TagEdit {
	e := TagEdit{Stream: r.IntN(len(docs)), Tag: pick(r, "latest", "1.0", "new", "12", "edge")}
	if tags := docs[e.Stream].Spec.Tags; len(tags) > 0 && r.IntN(3) > 0 {
		e.Tag = pick(r, tags...).Name
	} else if record := docs[e.Stream].Status.Tags; len(record) > 0 && r.IntN(3) == 0 {
		e.Tag = pick(r, record...).Tag
	}
	if e.Delete = r.IntN(4) == 0; e.Delete {
		return e
	}
	switch r.IntN(3) {
	case 0:
		e.From = From{ImageStreamTag, pick(r, "", "locks"), pick(r, "tug:1.0", "other")}
	case 1:
		e.From = From{Kind: ImageStreamImage, Name: "tug@" + word("a")}
	default:
		e.From = imageFrom(pick(r, "redis", "quay.io/canal/barge:1.0", "quay.io/canal/barge@"+word("b")))
		e.Scheduled = pick(r, nil, yes(), no())
		e.Reference = pick(r, nil, nil, no())
		e.ImportMode = pick(r, "", Legacy, PreserveOriginal)
	}
	e.Insecure, e.Local = pick(r, nil, yes(), no()), pick(r, nil, yes(), no())
	return e
}

// FuzzEditSpec: an edit of whatever file is refused with a next step, or is read back as
// it was meant, and made again it changes nothing.
func FuzzEditSpec(f *testing.F) {
	for _, src := range corpusFiles(f) {
		if len(src) < 5_000 {
			f.Add(src, "1.0", false)
			f.Add(src, "latest", true)
		}
	}
	f.Fuzz(func(t *testing.T, src, tag string, drop bool) {
		file, err := yamledit.Parse([]byte(src), yamledit.DefaultLimits)
		if err != nil {
			return
		}
		docs, _ := Parse(file)
		for i := range docs {
			e := TagEdit{Stream: i, Tag: tag, Delete: drop, From: imageFrom("quay.io/canal/barge:1.0"), Scheduled: yes()}
			got, problems := EditSpec(file, e)
			for _, p := range problems {
				if p.What == "" || p.Fix == "" || p.Note {
					t.Errorf("got problem %+v, want what is wrong and a next step", p)
				}
			}
			if len(problems) > 0 {
				continue
			}
			if now := specTagOf(got.Streams[i], tag); drop != (now == nil) || now != nil && now.From != e.From {
				t.Errorf("got tag %+v after %+v", now, e)
			}
			if again, problems := EditSpec(parse(t, string(got.Src)), e); len(problems) > 0 || !bytes.Equal(again.Src, got.Src) {
				t.Errorf("the same edit again: %v\n%s", problems, cmp.Diff(string(got.Src), string(again.Src)))
			}
		}
	})
}
