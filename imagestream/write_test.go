package imagestream

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/towpath/towpath/internal/seeds"
	"github.com/towpath/towpath/yamledit"
)

// historic is a file of streams s0, s1, …; each tag has so many items of the images 0,
// 1, …, the newest first, a day between them.
func historic(streams, tags, items int) string {
	var b strings.Builder
	for s := range streams {
		fmt.Fprintf(&b, "---\napiVersion: v1\nkind: ImageStream\nmetadata: {name: s%d}\nstatus:\n  tags:\n", s)
		for i := range tags {
			fmt.Fprintf(&b, "  - tag: t%d\n    items:\n", i)
			for j := range items {
				fmt.Fprintf(&b, "    - created: %q\n      dockerImageReference: a/b@%s\n      image: %[2]s\n", noon.AddDate(0, 0, -j-1).Format(time.RFC3339), numbered(j))
			}
		}
	}
	return b.String()
}

func numbered(i int) string { return fmt.Sprintf("sha256:%064d", i) }

// moved are updates that give t0 of each stream a new image.
func moved(t testing.TB, f *yamledit.File, o Options, streams ...string) (us []Update) {
	t.Helper()
	docs, problems := Parse(f)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	o.Now = noon
	for _, d := range docs {
		if slices.Contains(streams, d.Name.Name) {
			e := Event{Tag: "t0", Item: &Item{Reference: "a/b@" + word("f"), Image: word("f")}}
			us = append(us, Update{d, d.After([]Event{e}, o), o})
		}
	}
	return us
}

// images are what is on record of a stream's tags, as the last letters of digests.
func images(t testing.TB, src []byte, stream string) (tags []string) {
	t.Helper()
	docs, _ := Parse(parse(t, string(src)))
	for _, d := range docs {
		if d.Name.Name != stream {
			continue
		}
		for _, tag := range d.Status.Tags {
			var b strings.Builder
			for _, i := range tag.Items {
				b.WriteString(i.Image[len(i.Image)-1:])
			}
			tags = append(tags, b.String())
		}
	}
	return tags
}

func TestWriteTrims(t *testing.T) {
	const all = 1 << 30
	two := historic(2, 2, 6)
	one := historic(1, 2, 6)
	itemBytes := len(historic(1, 1, 2)) - len(historic(1, 1, 1))
	nodes := grown(parse(t, one), nil)
	keep := func(image string) bool { return image == numbered(5) || image == numbered(4) }
	for _, tt := range []struct {
		name    string
		src     string
		streams []string
		o       Options
		room    room
		want    [][]string // of the streams; nil: refused
	}{
		{"room for all", one, []string{"s0"}, Options{}, room{all, all, all}, [][]string{{"f012345", "012345"}}},
		{"the history is shorter", one, []string{"s0"}, Options{History: 3}, room{all, all, all}, [][]string{{"f01", "012345"}}},
		{"items: the oldest of any tag goes", one, []string{"s0"}, Options{}, room{all, all, 10}, [][]string{{"f0123", "01234"}}},
		{"items: what is kept stays", one, []string{"s0"}, Options{Keep: keep}, room{all, all, 11}, [][]string{{"f01245", "01245"}}},
		{"items: the current ones stay", one, []string{"s0"}, Options{}, room{all, all, 2}, [][]string{{"f", "0"}}},
		{"items: more tags than that", one, []string{"s0"}, Options{}, room{all, all, 1}, nil},
		{"items: too much is kept", one, []string{"s0"}, Options{Keep: keep}, room{all, all, 5}, nil},
		{"items count for a stream", two, []string{"s0", "s1"}, Options{}, room{all, all, 12}, [][]string{{"f01234", "012345"}, {"f01234", "012345"}}},
		{"bytes: one too many", one, []string{"s0"}, Options{}, room{len(one) + itemBytes - 1, all, all}, [][]string{{"f01234", "012345"}}},
		{"bytes: just enough", one, []string{"s0"}, Options{}, room{len(one) + itemBytes, all, all}, [][]string{{"f012345", "012345"}}},
		{"bytes count for the file", two, []string{"s0"}, Options{}, room{len(two) + 40, all, all}, [][]string{{"f01234", "012345"}, {"012345", "012345"}}},
		{"bytes: what does not change stays", two, []string{"s0"}, Options{}, room{len(two) - 10*itemBytes, all, all}, [][]string{{"f", "0"}, {"012345", "012345"}}},
		{"bytes: and then it is too much", two, []string{"s0"}, Options{}, room{len(two) - 11*itemBytes, all, all}, nil},
		{"nodes: one too many", one, []string{"s0"}, Options{}, room{all, nodes + 6, all}, [][]string{{"f01234", "012345"}}},
		{"nodes: just enough", one, []string{"s0"}, Options{}, room{all, nodes + 7, all}, [][]string{{"f012345", "012345"}}},
		{"nodes: all are kept", one, []string{"s0"}, Options{Keep: func(string) bool { return true }}, room{all, nodes, all}, nil},
	} {
		f := parse(t, tt.src)
		got, err := write(f, moved(t, f, tt.o, tt.streams...), tt.room)
		if refused := (*yamledit.Refused)(nil); tt.want == nil {
			if !errors.As(err, &refused) || !strings.Contains(refused.Fix, "split the file") || refused.Line == 0 {
				t.Errorf("%s: got error %v, want it refused", tt.name, err)
			}
			continue
		} else if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		for i, want := range tt.want {
			if diff := cmp.Diff(want, images(t, got.Src, fmt.Sprintf("s%d", i))); diff != "" {
				t.Errorf("%s: stream s%d (-want +got):\n%s", tt.name, i, diff)
			}
		}
	}
}

// TestNoNewsTrimsNothing: a file over the limits that has no news stays as it is.
func TestNoNewsTrimsNothing(t *testing.T) {
	f := parse(t, historic(1, 1, 6))
	docs, _ := Parse(f)
	got, err := write(f, []Update{{docs[0], docs[0].Status, Options{Now: noon}}}, room{1, 1, 1})
	if err != nil || got != f {
		t.Errorf("got %v, %v; want the file as it was", got, err)
	}
}

// TestLawWrittenFits: what is written is within the room, and of every tag the current
// item and what is kept are there. The count of nodes is never too small.
func TestLawWrittenFits(t *testing.T) {
	seed := seeds.Of(t)
	r := rand.New(rand.NewPCG(seed, 3))
	files := corpusFiles(t)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		src := files[name]
		if len(src) > 10_000 {
			continue
		}
		f := parse(t, src)
		docs, _ := Parse(f)
		for range 4 {
			kept := word(pick(r, "a", "b", "c", "d"))
			o := Options{Now: noon, Keep: func(image string) bool { return image == kept }}
			var us []Update
			var edits []yamledit.Change
			for _, d := range docs {
				if d.Malformed {
					continue
				}
				after := d.After(randomEvents(r, randomStatus(r, d.Status, o)), o)
				us = append(us, Update{d, after, o})
				edits = append(edits, Edits(f, d, after, o)...)
			}
			room := room{len(src) + r.IntN(400) - 100, grown(f, nil) + r.IntN(20) - 5, 2 + r.IntN(8)}
			out, err := write(f, us, room)
			if err != nil || len(edits) == 0 {
				continue
			}
			g := parse(t, string(out.Src))
			if diff := cmp.Diff(g.Docs, out.Docs); diff != "" {
				t.Fatalf("%s: the file that is returned is not its text (-text +file):\n%s", name, diff)
			}
			if nodes := grown(g, nil); len(out.Src) > room.bytes || nodes > room.nodes {
				t.Fatalf("%s: %d bytes and %d nodes are written; there is room for %v", name, len(out.Src), nodes, room)
			}
			read, _ := Parse(g)
			for _, u := range us {
				i := slices.IndexFunc(read, func(d Document) bool { return d.Doc == u.Document.Doc && cmp.Equal(d.At, u.Document.At) })
				checkTrimmed(t, name, u.After, read[i].Status, kept, room.items)
			}
		}
	}
}

func checkTrimmed(t *testing.T, name string, meant, got Status, kept string, most int) {
	t.Helper()
	total := 0
	for i, tag := range got.Tags {
		total += len(tag.Items)
		rest := tag.Items
		for j, item := range meant.Tags[i].Items {
			if there := len(rest) > 0 && cmp.Equal(rest[0], item); there {
				rest = rest[1:]
			} else if j == 0 || item.Image == kept && !slices.ContainsFunc(meant.Tags[i].Items[:j], func(newer Item) bool { return newer.Image == kept }) {
				t.Fatalf("%s: tag %s lost item %d, %v", name, tag.Tag, j, item)
			}
		}
		if len(rest) > 0 {
			t.Fatalf("%s: tag %s has items out of nowhere: %v", name, tag.Tag, rest)
		}
	}
	if total > most {
		t.Fatalf("%s: %d items are written, want at most %d", name, total, most)
	}
}

// TestWriteFitsTheLimits is Write with the limits as they are.
//
// fault: C-30
func TestWriteFitsTheLimits(t *testing.T) {
	src := "apiVersion: v1\nkind: ImageStream\nmetadata: {name: s0}\nstatus:\n  tags:\n  - tag: t0\n    items:\n" + strings.Repeat("    - dockerImageReference: a\n", 45_000)
	f := parse(t, src)
	out, err := Write(f, moved(t, f, Options{History: 100_000}, "s0"))
	if err != nil {
		t.Fatal(err)
	}
	docs, problems := Parse(parse(t, string(out)))
	if len(problems) > 0 || len(docs[0].Status.Tags[0].Items) != 40_000 {
		t.Errorf("got %d items and problems %v, want 40,000: four fifths of what is read", len(docs[0].Status.Tags[0].Items), problems)
	}
}
