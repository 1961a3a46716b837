package trigger

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"unicode/utf8"

	"github.com/towpath/towpath/yamledit"
)

// A splice puts text in the place of a site's.
type splice struct {
	site       Site // as it stands
	start, end int  // bytes
	text       string
}

// rewrittenText is the text in which sites hold their images. They are looked for anew, as
// lines may have moved, and once more in what comes of it.
func rewrittenText(src []byte, rewrites []Rewrite) ([]byte, error) {
	sites, lines := textSites(src), lineStarts(src)
	splices := make([]splice, len(rewrites))
	for i, r := range rewrites {
		id := r.Site.ID
		id.Namespace = "" // text says none, whatever the caller knows
		site, ok := sites[id]
		if !ok {
			return nil, refused(r.Site, "nothing in the text is marked so any more", "plan again")
		}
		delete(sites, id) // of two changes neither is made
		values, why := r.Site.Values(r.Image, r.Style)
		if why != "" {
			return nil, refused(site, why, "")
		}
		if !isImageText(values[0]) {
			return nil, refused(site, "the image holds characters that could mean something else on its line", "write it by hand")
		}
		p := site.Places[0]
		start := offsetOf(src, lines, p)
		if before := string(src[lines[p.Line-1]:start]); isTyped(before, values[0]) {
			return nil, refused(site, "without quotes the new value would be no text on its line", fmt.Sprintf("write %q there by hand, with the quotes", values[0]))
		}
		splices[i] = splice{site, start, start + len(p.Before) + len(p.Value), p.Before + values[0]}
	}
	slices.SortFunc(splices, func(a, b splice) int { return cmp.Compare(a.start, b.start) })
	return spliced(src, splices)
}

// spliced makes the splices and reads them back.
func spliced(src []byte, splices []splice) ([]byte, error) {
	var out bytes.Buffer
	done := 0
	for _, s := range splices {
		out.Write(src[done:s.start])
		out.WriteString(s.text)
		done = s.end
	}
	out.Write(src[done:])
	after := textSites(out.Bytes())
	for _, s := range splices {
		now, ok := after[s.site.ID]
		if !ok || now.Places[0].Before+now.Places[0].Value != s.text {
			return nil, refused(s.site, "the edited line would not read back as it is meant", "write "+s.text+" there by hand")
		}
	}
	return out.Bytes(), nil
}

func refused(s Site, what, fix string) error {
	return &yamledit.Refused{Line: s.Line, Col: s.Col, What: what, Fix: fix}
}

func textSites(src []byte) map[ID]Site {
	found, _ := FindText(src)
	sites := make(map[ID]Site, len(found))
	for _, s := range found {
		sites[s.ID] = s
	}
	return sites
}

// lineStarts are the offsets of lines, behind the byte order mark.
func lineStarts(src []byte) []int {
	starts := []int{len(src) - len(bytes.TrimPrefix(src, byteOrderMark))}
	for i, c := range src {
		if c == '\n' {
			starts = append(starts, i+1)
		}
	}
	return starts
}

// offsetOf is where a place stands, by its line and column.
func offsetOf(src []byte, lines []int, p Place) int {
	at := lines[p.Line-1]
	for range p.Col - 1 {
		_, size := utf8.DecodeRune(src[at:])
		at += size
	}
	return at
}
