package yamledit

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// A drawer writes documents as people lay them out: any indentation, lists at
// the key's column or below it, flow and block, quotes, comments.
type drawer struct {
	*rand.Rand
	comments int
	flow     string // after a comma in flow collections
}

// drawText draws one to three documents.
func drawText(r *rand.Rand) string {
	d := &drawer{Rand: r, flow: []string{" ", "", "  "}[r.IntN(3)]}
	if r.IntN(4) == 0 {
		return d.json()
	}
	var b strings.Builder
	for i := range 1 + r.IntN(3) {
		if i > 0 || r.IntN(4) == 0 {
			b.WriteString("---\n")
		}
		b.WriteString(d.note(0))
		if r.IntN(5) == 0 {
			b.WriteString(strings.TrimPrefix(d.seq(0, 2), "\n"))
		} else {
			b.WriteString(strings.TrimPrefix(d.mapping(0, 3), "\n"))
		}
		if r.IntN(6) == 0 {
			b.WriteString("...\n")
		}
	}
	s := b.String()
	if r.IntN(5) == 0 {
		s = strings.ReplaceAll(s, "\n", "\r\n")
	}
	if r.IntN(8) == 0 {
		s = "\ufeff" + s
	}
	if r.IntN(8) == 0 && !strings.Contains(s, "|") && !strings.Contains(s, ">") {
		s = strings.TrimRight(s, "\r\n")
	}
	return s
}

// note is a comment line, now and then, or an empty one.
func (d *drawer) note(indent int) string {
	switch d.IntN(8) {
	case 0:
		d.comments++
		return fmt.Sprintf("%s# c%d\n", spaces(indent), d.comments)
	case 1:
		return "\n"
	}
	return ""
}

// tail ends a line.
func (d *drawer) tail() string {
	if d.IntN(5) == 0 {
		return "   # tail\n"
	}
	return "\n"
}

// mapping is what follows a colon: a mapping on lines of its own.
func (d *drawer) mapping(indent, depth int) string {
	var b strings.Builder
	b.WriteString(d.tail())
	for i := range 1 + d.IntN(4) {
		b.WriteString(d.note(indent))
		b.WriteString(spaces(indent) + d.key(i) + ":" + d.value(indent, depth, true))
	}
	return b.String()
}

func (d *drawer) key(i int) string {
	return fmt.Sprintf([]string{"k%d", `"q%d"`, "'s%d'", "a.b/c-%d", "%d", "é%d"}[d.IntN(6)], i)
}

func (d *drawer) seq(indent, depth int) string {
	var b strings.Builder
	b.WriteString(d.tail())
	dash := 1 + d.IntN(3)
	for range 1 + d.IntN(4) {
		b.WriteString(d.note(indent))
		b.WriteString(spaces(indent) + "-")
		inner := indent + 1 + dash
		switch {
		case depth > 0 && d.IntN(3) == 0:
			text := d.mapping(inner, depth-1)
			b.WriteString(d.compact(text, inner, dash))
		case depth > 0 && d.IntN(6) == 0:
			text := d.seq(inner, depth-1)
			b.WriteString(d.compact(text, inner, dash))
		default:
			b.WriteString(d.value(indent, depth, false))
		}
	}
	return b.String()
}

// compact puts a collection on the line of its dash, where nothing else stands
// before it.
func (d *drawer) compact(text string, indent, dash int) string {
	if rest, ok := strings.CutPrefix(text, "\n"+spaces(indent)); ok && !strings.HasPrefix(rest, "#") {
		return spaces(dash) + rest
	}
	return text
}

// value is what follows a colon or a dash.
func (d *drawer) value(indent, depth int, key bool) string {
	switch k := d.IntN(14); {
	case k < 2 && depth > 0:
		return d.mapping(indent+1+d.IntN(4), depth-1)
	case k < 4 && depth > 0 && key:
		return d.seq(indent+d.IntN(3), depth-1)
	case k == 4:
		return " " + d.flowText(2) + d.tail()
	case k == 5:
		return d.tail()
	case k == 6:
		return " " + []string{"|", ">", "|-", ">+", "|+", "|2"}[d.IntN(6)] + "\n" + d.lines(indent+2)
	case k == 7:
		return "\n" + spaces(indent+1) + d.scalar() + d.tail()
	case k == 8:
		return " word\n" + spaces(indent+2) + "more words" + d.tail()
	}
	return " " + d.scalar() + d.tail()
}

func (d *drawer) lines(indent int) string {
	var b strings.Builder
	for i := range 1 + d.IntN(3) {
		if i > 0 && d.IntN(4) == 0 {
			b.WriteString("\n")
		}
		b.WriteString(spaces(indent) + []string{"text", "a: b", "# no comment", "- x"}[d.IntN(4)] + "\n")
	}
	if d.IntN(4) == 0 {
		b.WriteString("\n")
	}
	return b.String()
}

func (d *drawer) scalar() string {
	return []string{
		"a", "quay.io/a/b:1", "sha256:00ff", "1", "-1.5", "true", "null", "~", `"q # q"`, "'it''s'", `""`, `"\u00e9"`, "a b", "2026-01-01",
		"{}", "[]", "é", "it's", `a"b`, "a#b", `"multi
           line"`,
	}[d.IntN(21)]
}

func (d *drawer) flowText(depth int) string {
	open, shut, n := "[", "]", d.IntN(4)
	mapping := d.IntN(2) == 0
	if mapping {
		open, shut = "{", "}"
	}
	var items []string
	for i := range n {
		item := []string{"a", "1", `"q, q"`, "'s'", "x y", "it's"}[d.IntN(6)]
		if depth > 0 && d.IntN(4) == 0 {
			item = d.flowText(depth - 1)
		}
		if mapping {
			item = []string{"k%d: ", `"k%d": `, `"k%d":`, "'k%d' : "}[d.IntN(4)] + item
			item = fmt.Sprintf(item, i)
		}
		items = append(items, item)
	}
	switch d.IntN(4) {
	case 0:
		return open + " " + strings.Join(items, " ,"+d.flow) + " " + shut
	case 1:
		if n > 0 {
			in := "\n" + spaces(16)
			return open + in + strings.Join(items, ","+in) + "\n" + spaces(14) + shut
		}
	case 2:
		if n > 0 && !mapping {
			return open + strings.Join(items, ","+d.flow) + "," + shut
		}
	}
	return open + strings.Join(items, ","+d.flow) + shut
}

func (d *drawer) json() string {
	indent := []string{"", "\t", "  ", "    "}[d.IntN(4)]
	colon := []string{": ", ":"}[d.IntN(2)]
	comma := []string{", ", ","}[d.IntN(2)]
	var write func(depth int, base string) string
	write = func(depth int, base string) string {
		k := d.IntN(6)
		if depth == 3 {
			k = 0
		}
		if depth == 0 || k > 1 {
			return []string{`"a\/b"`, `"\t\"é"`, "1", "true", "null", "-1.5e3", "[]", "{}"}[d.IntN(8)]
		}
		var items []string
		for i := range 1 + d.IntN(3) {
			item := write(depth-1, base+indent)
			if k == 0 {
				item = fmt.Sprintf(`"k%d"%s%s`, i, colon, item)
			}
			items = append(items, item)
		}
		open, shut := "{", "}"
		if k == 1 {
			open, shut = "[", "]"
		}
		if indent == "" {
			return open + strings.Join(items, comma) + shut
		}
		in := "\n" + base + indent
		return open + in + strings.Join(items, ","+in) + "\n" + base + shut
	}
	return write(3, "") + "\n"
}
