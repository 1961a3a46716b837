package reconcile

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"sort"
	"strings"

	"github.com/towpath/towpath/gitstore"
	"github.com/towpath/towpath/imagestream"
)

// A letter is the body of a proposal: towpath's section between two marks, and around it
// whatever people wrote.
//
//	what people wrote
//
//	<!-- towpath:begin -->
//	the section
//
//	<!-- towpath:end MARKER -->
//
//	what people wrote
type letter struct {
	before, section, after string // of one that is not ours the section is as it stands, with its marks
	marker                 marker
	ours                   bool // there is a section
}

// A marker is what a proposal remembers for towpath, hidden at the end of the section.
type marker struct {
	Head      gitstore.Rev // of the branch, as towpath made it
	Title     string       // that towpath gave it
	Moves     []Move       // each once, in the order of their tags; those of a site "*" are of any, those of a path "*" are the tag's
	Frozen    gitstore.Rev // the head that people were told is not towpath's any more
	Withdrawn bool         // towpath itself closes it
	Resumed   []Move       // of these, what a person asked for although it was held
}

// Bounds of a body, in bytes. Forges take 65,536 characters and more.
const (
	longestLetter = 60_000
	longestMarker = longestLetter / 2
	largestMarker = 1 << 20 // of the JSON
	mostMoves     = 20_000
)

// beginMark and endMark stand on lines of their own: what people quote does not. Some forges
// escape what they keep.
var (
	beginMark = regexp.MustCompile(`^[ \t]*(?:<|&lt;)!--[ \t]*towpath:begin[ \t]*--(?:>|&gt;)[ \t]*$`)
	endMark   = regexp.MustCompile(`^[ \t]*(?:<|&lt;)!--[ \t]*towpath:end(?:[ \t]+([^ \t]*))?[ \t]*--(?:>|&gt;)[ \t]*$`)
)

// readLetter takes a body apart. Of several sections the last counts whose marker can be read;
// the others are what people quoted. Where none can be read the letter is not ours, and the
// last that has both its marks is what the next section takes the place of.
func readLetter(body string) letter {
	body = strings.ReplaceAll(body, "\r\n", "\n")
	lines := strings.Split(body, "\n")
	begin := -1
	found, broken := letter{}, letter{before: body}
	for i, line := range lines {
		if beginMark.MatchString(line) {
			begin = i
		}
		end := endMark.FindStringSubmatch(line)
		if end == nil {
			continue
		}
		from := begin
		if from < 0 {
			from = i // somebody took the beginning away: what stands above is theirs now
		}
		l := letter{before: outer(lines[:from]), after: outer(lines[i+1:])}
		switch m, err := readMarker(end[1]); {
		case err == nil:
			l.marker, l.ours = m, true
			l.section = outer(lines[min(from+1, i):i])
			found = l
		case begin >= 0:
			l.section = strings.Join(lines[from:i+1], "\n")
			broken = l
		}
		begin = -1
	}
	if found.ours {
		return found
	}
	return broken
}

// outer are lines without the blank ones around them.
func outer(lines []string) string {
	blank := func(s string) bool { return strings.TrimSpace(s) == "" }
	for len(lines) > 0 && blank(lines[0]) {
		lines = lines[1:]
	}
	for len(lines) > 0 && blank(lines[len(lines)-1]) {
		lines = lines[:len(lines)-1]
	}
	return strings.Join(lines, "\n")
}

// String is the body. What people wrote is all there; where there is no room for all of the rest,
// the section is cut, and the marker says less exactly which moves it has.
func (l letter) String() string {
	if !l.ours {
		return strings.Join(nonEmpty(l.before, l.section, l.after), "\n\n")
	}
	before, after := outer(strings.Split(l.before, "\n")), outer(strings.Split(l.after, "\n"))
	room := longestLetter - len(before) - len(after) - len("\n\n<!-- towpath:begin -->\n\n\n<!-- towpath:end  -->\n\n")
	end := l.marker.fitted(min(longestMarker, room))
	lines := slices.DeleteFunc(strings.Split(l.section, "\n"), func(s string) bool {
		return beginMark.MatchString(s) || endMark.MatchString(s)
	})
	section := cut(outer(lines), room-len(end))
	ours := "<!-- towpath:begin -->\n" + section + "\n\n<!-- towpath:end " + end + " -->"
	return strings.Join(nonEmpty(before, ours, after), "\n\n")
}

// cut is as many lines of a section as there is room for, and how many more there are. A code
// block stays whole.
func cut(section string, room int) string {
	if len(section) <= room {
		return section
	}
	lines := strings.Split(section, "\n")
	note := func(n int) string { return fmt.Sprintf("…and %s more; the commits say all.", count(n, "line")) }
	room -= len("\n\n") + len(note(len(lines)))
	kept, fence := 0, -1
	for i, line := range lines {
		if room -= len(line) + 1; room < 0 {
			break
		}
		if strings.HasPrefix(line, "```") {
			if fence < 0 {
				fence = i
			} else {
				fence = -1
			}
		}
		kept = i + 1
	}
	if fence >= 0 {
		kept = fence
	}
	return strings.Join(nonEmpty(outer(lines[:kept]), note(len(lines)-kept)), "\n\n")
}

// markerJSON is what stands in a body: JSON, compressed, in base64 without padding. It has no
// dash, two of which would be odd in a comment.
type markerJSON struct {
	Version   int          `json:"v"`
	Head      gitstore.Rev `json:"head,omitempty"`
	Title     string       `json:"title,omitempty"`
	Frozen    gitstore.Rev `json:"frozen,omitempty"`
	Withdrawn bool         `json:"withdrawn,omitempty"`
	Moves     []imageJSON  `json:"moves,omitempty"`
	Resumed   []imageJSON  `json:"resumed,omitempty"`
}

// imageJSON is an image of a tag, and where it goes: by path, the sites.
type imageJSON struct {
	Tag    [3]string           `json:"tag"` // namespace, stream, tag
	Image  string              `json:"image"`
	Places map[string][]string `json:"to"`
}

const markerVersion = 1

// fitted is the marker in at most so many bytes: of the moves first the sites are left out, then the
// paths, and at last those of some tags, which are then not remembered.
func (m marker) fitted(room int) string {
	moves := canonical(m.Moves)
	for _, less := range []func(Move) Move{
		func(v Move) Move { return v },
		func(v Move) Move {
			if v.Site != "" {
				v.Site = "*"
			}
			return v
		},
		func(v Move) Move { v.Path, v.Site = "*", "*"; return v },
	} {
		m.Moves, m.Resumed = canonical(mapped(moves, less)), canonical(mapped(m.Resumed, less))
		if len(m.Moves)+len(m.Resumed) > mostMoves {
			continue
		}
		if text := m.encoded(); len(text) <= room {
			return text
		}
	}
	m.Resumed = nil
	tags := m.Moves[:min(len(m.Moves), mostMoves)]
	m.Moves = tags[:sort.Search(len(tags), func(n int) bool {
		m.Moves = tags[:n+1]
		return len(m.encoded()) > room
	})]
	return m.encoded()
}

func mapped(moves []Move, as func(Move) Move) []Move {
	out := make([]Move, len(moves))
	for i, v := range moves {
		out[i] = as(v)
	}
	return out
}

// canonical are moves in order, each once.
func canonical(moves []Move) []Move {
	moves = slices.Clone(moves)
	slices.SortFunc(moves, func(a, b Move) int {
		return cmp.Or(compareTags(a.Tag, b.Tag), cmp.Compare(a.Image, b.Image), cmp.Compare(a.Path, b.Path), cmp.Compare(a.Site, b.Site))
	})
	return slices.Compact(moves)
}

func (m marker) encoded() string {
	text, err := json.Marshal(markerJSON{markerVersion, m.Head, m.Title, m.Frozen, m.Withdrawn, grouped(m.Moves), grouped(m.Resumed)})
	if err != nil {
		panic(err) // texts and numbers alone
	}
	var b bytes.Buffer
	z, _ := gzip.NewWriterLevel(&b, gzip.BestCompression)
	z.Write(text)
	z.Close()
	return base64.RawStdEncoding.EncodeToString(b.Bytes())
}

func grouped(moves []Move) (images []imageJSON) {
	for i, v := range moves {
		if i == 0 || v.Tag != moves[i-1].Tag || v.Image != moves[i-1].Image {
			t := v.Tag
			images = append(images, imageJSON{[3]string{t.Stream.Namespace, t.Stream.Name, t.Tag}, v.Image, map[string][]string{}})
		}
		to := images[len(images)-1].Places
		to[v.Path] = append(to[v.Path], v.Site)
	}
	return images
}

var errMarker = errors.New("not a marker of towpath's")

var revision = regexp.MustCompile(`^[0-9a-f]{0,64}$`)

// readMarker is the marker that String wrote, which anybody may have changed since.
func readMarker(text string) (marker, error) {
	if len(text) > 2*longestLetter {
		return marker{}, errMarker
	}
	packed, err := base64.RawStdEncoding.DecodeString(text)
	if err != nil {
		return marker{}, errMarker
	}
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return marker{}, errMarker
	}
	raw, err := io.ReadAll(io.LimitReader(z, largestMarker+1))
	if err != nil || len(raw) > largestMarker {
		return marker{}, errMarker
	}
	var said markerJSON
	if json.Unmarshal(raw, &said) != nil || said.Version != markerVersion {
		return marker{}, errMarker
	}
	if !revision.MatchString(string(said.Head)) || !revision.MatchString(string(said.Frozen)) {
		return marker{}, errMarker
	}
	m := marker{Head: said.Head, Title: said.Title, Frozen: said.Frozen, Withdrawn: said.Withdrawn}
	m.Moves, m.Resumed = ungrouped(said.Moves), ungrouped(said.Resumed)
	if len(m.Moves)+len(m.Resumed) > mostMoves {
		return marker{}, errMarker
	}
	return m, nil
}

func ungrouped(images []imageJSON) []Move {
	var moves []Move
	for _, i := range images {
		tag := imagestream.TagRef{Stream: imagestream.Name{Namespace: i.Tag[0], Name: i.Tag[1]}, Tag: i.Tag[2]}
		for path, sites := range i.Places {
			for _, site := range sites {
				moves = append(moves, Move{Tag: tag, Image: i.Image, Path: path, Site: site})
			}
		}
	}
	return canonical(moves)
}
