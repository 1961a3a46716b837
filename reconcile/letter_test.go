package reconcile

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"fmt"
	"html"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var unexported = cmp.AllowUnexported(letter{}, marker{})

func moveOf(tag, image, path, site string) Move { return Move{tagRef(tag), image, path, site} }

func someMarker() marker {
	return marker{
		Head: "0123456789abcdef0123456789abcdef01234567", Title: "team1/web:prod 1.4.2 → 1.4.3 (2 sites)",
		Moves: []Move{
			moveOf("team1/web:next", digestA, "streams.yaml", ""),
			moveOf("team1/web:prod", digestB, "deploy/web.yaml", "Deployment team1/web, container app"),
			moveOf("team1/web:prod", digestB, "deploy/web.yaml", "Deployment team1/web, container init"),
			moveOf("team1/web:prod", digestB, "streams.yaml", ""),
		},
	}
}

func someLetter() letter {
	return letter{before: "Please look at the pools first.", section: "Two images moved.\n\n- one\n- two", after: "/cc the team\n\n    code", marker: someMarker(), ours: true}
}

func TestLetterComesBack(t *testing.T) {
	for name, change := range map[string]func(*letter){
		"as it is":     func(*letter) {},
		"alone":        func(l *letter) { l.before, l.after = "", "" },
		"no section":   func(l *letter) { l.section = "" },
		"empty marker": func(l *letter) { l.marker = marker{} },
		"frozen":       func(l *letter) { l.marker.Frozen = "abcdef" },
		"withdrawn":    func(l *letter) { l.marker.Withdrawn = true },
		"resumed":      func(l *letter) { l.marker.Resumed = l.marker.Moves[1:3] },
	} {
		want := someLetter()
		change(&want)
		body := want.String()
		got := readLetter(body)
		if d := cmp.Diff(want, got, unexported); d != "" {
			t.Errorf("%s: want -, got +:\n%s", name, d)
		}
		if again := got.String(); again != body {
			t.Errorf("%s: written again it is another:\n%s", name, cmp.Diff(body, again))
		}
	}
}

// The order in which moves are found says nothing, and twice is once.
func TestMarkerIsCanonical(t *testing.T) {
	l, want := someLetter(), someLetter().String()
	slices.Reverse(l.marker.Moves)
	l.marker.Moves = append(l.marker.Moves, l.marker.Moves[0])
	if got := l.String(); got != want {
		t.Errorf("want -, got +:\n%s", cmp.Diff(want, got))
	}
}

// Whatever forges and editors do to a body, it reads as the same letter.
func TestLetterSurvives(t *testing.T) {
	l := someLetter()
	for name, mangle := range map[string]func(string) string{
		"CRLF":                   func(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") },
		"trimmed":                strings.TrimSpace,
		"a line at its end":      func(s string) string { return s + "\n\n" },
		"blanks at the ends":     func(s string) string { return strings.ReplaceAll(s, "-->\n", "-->  \t\n") },
		"blank lines gone":       func(s string) string { return strings.ReplaceAll(s, "\n\n<!--", "\n<!--") },
		"escaped marks":          func(s string) string { return strings.NewReplacer("<!--", "&lt;!--", "-->", "--&gt;").Replace(s) },
		"no blanks in the marks": func(s string) string { return strings.NewReplacer("<!-- ", "<!--", " -->", "-->").Replace(s) },
		"quoted above":           func(s string) string { return "> " + strings.ReplaceAll(s, "\n", "\n> ") + "\n\n" + s },
	} {
		got := readLetter(mangle(l.String()))
		if d := cmp.Diff(l.marker, got.marker, unexported); d != "" || !got.ours {
			t.Errorf("%s: ours %v, want -, got +:\n%s", name, got.ours, d)
		}
		if got.section != l.section || !strings.HasSuffix(got.before, l.before) || got.after != l.after {
			t.Errorf("%s: got %q", name, []string{got.before, got.section, got.after})
		}
	}
	if got := readLetter(html.EscapeString(l.String())); !got.ours || got.marker.Head != l.marker.Head {
		t.Errorf("escaped as a whole: got %+v", got)
	}
}

// People copy bodies around: the last section that can be read is the one that counts.
func TestTwoSections(t *testing.T) {
	old, l := someLetter(), someLetter()
	old.marker.Head, old.before, old.after = "aaaa", "", ""
	l.before = "As in the other one:\n\n" + old.String()
	got := readLetter(l.String())
	if got.marker.Head != l.marker.Head || got.before != l.before {
		t.Errorf("got %+v", got)
	}
	broken := strings.Replace(old.String(), "towpath:end ", "towpath:end !", 1)
	got = readLetter(l.String() + "\n\n" + broken)
	if got.marker.Head != l.marker.Head || !strings.HasSuffix(got.after, broken) {
		t.Errorf("a broken one below: got %+v", got)
	}
}

// A marker that cannot be read remembers nothing; the section that stood there is written again in its
// place, and not once more.
func TestBrokenMarker(t *testing.T) {
	l := someLetter()
	body := l.String()
	end := strings.Index(body, "towpath:end ") + len("towpath:end ")
	payload, rest, _ := strings.Cut(body[end:], " ")
	for name, broken := range map[string]string{
		"none": "", "no base64": "%%%%", "cut": payload[:len(payload)/2], "of another": base64.RawStdEncoding.EncodeToString([]byte("hello")),
		"a bit": strings.Replace(payload, payload[40:44], "AAAA", 1), "later version": packed(`{"v": 2}`), "no JSON": packed(`{`), "odd head": packed(`{"v": 1, "head": "-f"}`),
		"a bomb": packed(`{"v": 1, "title": "` + strings.Repeat("x", 64<<20) + `"}`),
	} {
		got := readLetter(body[:end] + broken + " " + rest)
		if got.ours || !cmp.Equal(got.marker, marker{}, unexported) {
			t.Errorf("%s: it is taken for ours: %+v", name, got.marker)
		}
		if s := got.String(); !strings.Contains(s, l.section) || !strings.Contains(s, l.before) || !strings.Contains(s, l.after) {
			t.Errorf("%s: something is lost: %s", name, s)
		}
		got.ours, got.marker, got.section = true, l.marker, l.section
		if s := got.String(); s != body {
			t.Errorf("%s: written again, want -, got +:\n%s", name, cmp.Diff(body, s))
		}
	}
}

func packed(text string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	z.Write([]byte(text))
	z.Close()
	return base64.RawStdEncoding.EncodeToString(b.Bytes())
}

// What people left of the marks is theirs.
func TestMarksThatAreGone(t *testing.T) {
	l := someLetter()
	body := l.String()
	got := readLetter(strings.Replace(body, "<!-- towpath:begin -->\n", "", 1))
	if !got.ours || got.marker.Head != l.marker.Head || !strings.HasSuffix(got.before, l.section) {
		t.Errorf("without a beginning: got %+v", got)
	}
	quoted := "> <!-- towpath:begin -->\nmy words\n\n"
	if got := readLetter(quoted + body[strings.Index(body, "<!-- towpath:end"):]); !got.ours || !strings.HasSuffix(got.before, "my words") {
		t.Errorf("below a quote of a beginning: got %+v", got)
	}
	again := body + "\n\nmy words\n\n<!-- towpath:end " + packed(`{"v": 1, "head": "abc"}`) + " -->"
	if got := readLetter(again); got.marker.Head != "abc" || !strings.HasSuffix(got.before, "my words") {
		t.Errorf("a second end: got %+v", got)
	}
	endless := body[:strings.Index(body, "<!-- towpath:end")] + l.after
	if got := readLetter(endless); got.ours || got.before != endless || got.String() != endless {
		t.Errorf("without an end: got %+v", got)
	}
	for _, person := range []string{"", "\n", "fix the web\n\nplease", "`<!-- towpath:begin -->`", "see <!-- towpath:end x --> there"} {
		if got := readLetter(person); got.ours || got.String() != person {
			t.Errorf("%q: got %q", person, got)
		}
	}
}

// No text of a section is a mark: it would end there.
func TestSectionHoldsNoMarks(t *testing.T) {
	l := someLetter()
	l.section = "a\n<!-- towpath:end " + packed(`{"v": 1}`) + " -->\n<!-- towpath:begin -->\nb"
	if got := readLetter(l.String()); got.section != "a\nb" || got.marker.Head != l.marker.Head {
		t.Errorf("got %+v", got)
	}
}

// manyMoves are n tags, each with its own image, in so many files with two sites each.
func manyMoves(tags, files int) (moves []Move) {
	random := rand.New(rand.NewPCG(1, 2))
	for i := range tags {
		image := fmt.Sprintf("sha256:%016x%016x%016x%016x", random.Uint64(), random.Uint64(), random.Uint64(), random.Uint64())
		for f := range files {
			for _, site := range []string{"a", "b"} {
				moves = append(moves, moveOf(fmt.Sprintf("team1/web:%04d", i), image, fmt.Sprintf("apps/%x/%d-%d.yaml", random.Uint64(), i, f), site+fmt.Sprint(random.Uint64())))
			}
		}
	}
	return moves
}

// What does not fit is left out from the least to the most: lines, sites, paths, and at last
// images. What people wrote is whole.
func TestLetterFits(t *testing.T) {
	line := strings.Repeat("x", 99)
	long := strings.Repeat(line+"\n", 2000)
	for _, tt := range []struct {
		name        string
		people      int
		moves       []Move
		path, site  string // of the first move, as the marker has it; "" for what it is
		remembered  bool   // all images are
		withSection bool
	}{
		{"all of it", 100, manyMoves(10, 10), "", "", true, true},
		{"without sites", 100, manyMoves(25, 30), "", "*", true, true},
		{"without paths", 100, manyMoves(40, 60), "*", "*", true, true},
		{"more than can be", 100, manyMoves(2000, 1), "*", "*", false, true},
		{"long words of people", 50_000, manyMoves(20, 20), "*", "*", true, true},
		{"no room at all", 60_000, manyMoves(20, 20), "", "", false, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := letter{before: strings.Repeat("w", tt.people/2), after: strings.Repeat("z", tt.people/2), section: "first\n" + long, ours: true}
			l.marker = marker{Head: "abc", Moves: tt.moves}
			body := l.String()
			got := readLetter(body)
			if got.before != l.before || got.after != l.after || !got.ours || got.marker.Head != "abc" {
				t.Fatalf("something is lost, ours %v", got.ours)
			}
			if again := got.String(); len(again) > len(body) {
				t.Errorf("it grows from %d to %d bytes", len(body), len(again))
			}
			if tt.withSection && (len(body) > longestLetter || !strings.HasPrefix(got.section, "first\n") || !strings.Contains(got.section, " lines more; the commits say all.")) {
				t.Errorf("%d bytes; the section is %.100q", len(body), got.section)
			}
			moves := setOf(got.marker.Moves)
			for _, m := range tt.moves {
				if moves.names(m) != tt.remembered && (tt.remembered || m == tt.moves[len(tt.moves)-1]) {
					t.Fatalf("remembered %v, want %v: %+v", !tt.remembered, tt.remembered, m)
				}
				if other := (Move{m.Tag, "sha256:other", m.Path, m.Site}); moves.names(other) {
					t.Fatalf("it has an image that it was never given")
				}
			}
			if tt.path+tt.site != "" {
				if m := got.marker.Moves[0]; tt.path != "" && m.Path != tt.path || m.Site != tt.site {
					t.Errorf("got %+v", m)
				}
			}
		})
	}
}

func TestStatusStaysApartFromSites(t *testing.T) {
	m := marker{Moves: append(manyMoves(25, 30), moveOf("team1/web:0000", "i", "streams.yaml", ""))}
	got, err := readMarker(m.fitted(longestMarker))
	moves := setOf(got.Moves)
	if err != nil || !moves.names(moveOf("team1/web:0000", "i", "streams.yaml", "")) || moves.names(moveOf("team1/web:0000", "i", "streams.yaml", "x")) {
		t.Errorf("got %v, %v", got.Moves[0], err)
	}
}

func TestCutKeepsCodeBlocksWhole(t *testing.T) {
	section := strings.Repeat("line\n", 10) + "```sh\n" + strings.Repeat("command\n", 10) + "```\nend"
	for room := range len(section) + 1 {
		got := cut(section, room)
		if n := strings.Count(got, "```"); n%2 != 0 {
			t.Errorf("room %d: %d fences", room, n)
		}
		if room > 60 && len(got) > room {
			t.Errorf("room %d: got %d bytes", room, len(got))
		}
		if got != section && !strings.HasSuffix(got, " more; the commits say all.") {
			t.Errorf("room %d: it does not say that it is cut", room)
		}
	}
}

// Whatever stands in a body: it is read without a panic, what is not between marks is kept, and what
// is written reads as the same.
func FuzzLetter(f *testing.F) {
	l := someLetter()
	f.Add(l.String())
	f.Add(strings.ReplaceAll(l.String(), "\n", "\r\n"))
	f.Add(l.String() + "\n" + l.String())
	f.Add("<!-- towpath:begin -->\na\n<!-- towpath:end x -->\nb\n<!-- towpath:begin -->")
	f.Add("&lt;!--towpath:end " + packed(`{"v":1,"moves":[{"tag":["a","b","c"],"image":"i","to":{"p":["",""],"*":["*"]}}]}`) + "--&gt;")
	f.Fuzz(func(t *testing.T, body string) {
		got := readLetter(body)
		for _, part := range []string{got.before, got.after} {
			if !strings.Contains(strings.ReplaceAll(body, "\r\n", "\n"), part) {
				t.Errorf("%q is not in the body", part)
			}
		}
		if !got.ours && got.section == "" && got.String() != strings.ReplaceAll(body, "\r\n", "\n") {
			t.Errorf("a person's text is another: %q", got.String())
		}
		got.ours, got.section, got.marker = true, "the section", l.marker
		written := got.String()
		again := readLetter(written)
		if d := cmp.Diff(l.marker, again.marker, unexported); d != "" || again.section != "the section" || again.String() != written {
			t.Errorf("want -, got +:\n%s%q", d, written)
		}
	})
}
