package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"

	"github.com/towpath/towpath/reconcile"
	"github.com/towpath/towpath/trigger"
	"github.com/towpath/towpath/yamledit"
)

// What a comment holds that is a marker. Flux's own marker is replaced by ours.
const (
	markerKey = `"$imagestream"`
	policyKey = `"$imagepolicy"`
)

// A marker is what a comment says of a value. What nobody spoke of stays as it is.
type marker struct {
	Stream string `json:"$imagestream"`
	Part   string `json:"part,omitempty"`
	Form   string `json:"form,omitempty"`
	Paused bool   `json:"paused,omitempty"`
	Policy string `json:"$imagepolicy,omitempty"` // Flux's, with the part behind its second colon
}

// marker is what is asked for, in place of what a comment says.
func (o *triggerOptions) marker(old marker) marker {
	m := marker{Stream: o.follows.String(), Part: cmp.Or(o.part, old.Part), Form: cmp.Or(o.form, old.Form), Paused: old.Paused}
	if o.pausedGiven {
		m.Paused = o.paused
	}
	if m.Part == string(trigger.Ref) {
		m.Part = ""
	}
	if m.Part != "" {
		m.Form = ""
	}
	return m
}

func (m marker) String() string {
	out := "{" + markerKey + ": " + quotedJSON(m.Stream)
	for _, field := range [][2]string{{"part", m.Part}, {"form", m.Form}} {
		if field[1] != "" {
			out += fmt.Sprintf(", %q: %q", field[0], field[1])
		}
	}
	if m.Paused {
		out += `, "paused": true`
	}
	return out + "}"
}

// markerIn is where the marker of a text stands, and what it says.
func markerIn(text string) (m marker, start, end int, found bool) {
	key := strings.Index(text, markerKey)
	if key < 0 {
		key = strings.Index(text, policyKey)
	}
	if key < 0 {
		return m, 0, 0, false
	}
	if start = strings.LastIndexByte(text[:key], '{'); start < 0 {
		return m, 0, 0, false
	}
	d := json.NewDecoder(strings.NewReader(text[start:]))
	if d.Decode(&m) != nil {
		return m, 0, 0, false
	}
	if words := strings.Split(m.Policy, ":"); len(words) == 3 {
		m.Part = words[2]
	}
	return m, start, start + int(d.InputOffset()), true
}

// was is what a marker followed, for people.
func (m marker) was() string { return cmp.Or(m.Stream, "Flux's "+m.Policy) }

// editField gives the value at a selector a marker, or takes it away.
func (t *triggering) editField() (triggerEdit, error) {
	selector, err := yamledit.ParseSelector(t.opt.field)
	if err != nil {
		fix := "write the keys on the way to the value: image.tag"
		if e := (*yamledit.Error)(nil); errors.As(err, &e) {
			fix = e.Fix
		}
		return triggerEdit{}, usage("%w", hint{fmt.Errorf("--field %s %w", t.opt.field, err), fix})
	}
	if t.asText() {
		return triggerEdit{}, usage("%w", hint{fmt.Errorf("%s is read as text, which has no fields", t.shown(t.path)), "name the line with --line N"})
	}
	f, err := yamledit.Parse(t.before, yamledit.DefaultLimits)
	if err != nil {
		return triggerEdit{}, t.broken(err)
	}
	if e, ok := t.entry(f, selector); ok {
		if edit, done, err := t.editEntry(f, e); done {
			return edit, err
		}
	}
	doc, at, err := t.value(f, selector)
	if err != nil {
		return triggerEdit{}, err
	}
	if t.opt.part == "" && t.opt.form == "" {
		t.opt.part = partOf(at)
	}
	if f.JSON {
		return triggerEdit{}, t.follow(selector.String(), t.shown(t.path)+" is JSON, which can hold no comment")
	}
	return t.editValue(f, doc, at)
}

// editValue edits the comment beside a value.
func (t *triggering) editValue(f *yamledit.File, doc int, at yamledit.Path) (triggerEdit, error) {
	if t.opt.part == "" && t.opt.form == "" {
		t.opt.part = partOf(at)
	}
	e := triggerEdit{is: func(s trigger.Site, p trigger.Place) bool {
		return s.Form == "marker" && p.Doc == doc && slices.Equal(p.At, at)
	}}
	e, err := t.mark(e, f, doc, at)
	if err != nil {
		return e, err
	}
	after, err := yamledit.Parse(e.after, yamledit.DefaultLimits)
	if err != nil || !slices.EqualFunc(f.Docs, after.Docs, func(a, b yamledit.Doc) bool { return same(a.Root, b.Root) }) {
		return e, t.unsure("a comment cannot stand at the end of that line")
	}
	return e, nil
}

// value is the single value that a selector means, in one document.
func (t *triggering) value(f *yamledit.File, selector yamledit.Selector) (doc int, at yamledit.Path, err error) {
	var docs []int
	for i, d := range f.Docs {
		if kind, _ := yamledit.Get(d.Root, yamledit.Path{"kind"}); t.opt.kind != "" && !strings.EqualFold(kind, t.opt.kind) {
			continue
		}
		if name, _ := yamledit.Get(d.Root, yamledit.Path{"metadata", "name"}); t.opt.name != "" && name != t.opt.name {
			continue
		}
		if _, there := selector.Find(d.Root); there {
			docs = append(docs, i)
		}
	}
	file := t.shown(t.path)
	switch {
	case len(docs) == 0:
		return 0, nil, failed(hint{fmt.Errorf("nothing stands at %s of %s", selector, file), "write the key with a blank first, which is replaced, or correct the selector"})
	case len(docs) > 1:
		return 0, nil, usage("%w", hint{fmt.Errorf("%d documents of %s have %s", len(docs), file, selector), "say with --kind and --name which one"})
	}
	at, _ = selector.Find(f.Docs[docs[0]].Root)
	node := yamledit.Lookup(f.Docs[docs[0]].Root, at)
	if node.Kind != yaml.ScalarNode {
		return 0, nil, failed(hint{fmt.Errorf("%s:%d: %s is a mapping or a list", file, node.Line, selector), "name a single value in it"})
	}
	return docs[0], at, nil
}

// partOf is the part of an image that a key holds by its name; else it is all of it.
func partOf(at yamledit.Path) string {
	key, _ := at[len(at)-1].(string)
	switch strings.ToLower(key) {
	case "tag", "newtag", "imagetag":
		return string(trigger.Tag)
	case "digest":
		return string(trigger.Digest)
	case "repository", "newname":
		return string(trigger.Name)
	}
	return ""
}

// same reports whether two values say the same.
func same(a, b *yamledit.Node) bool {
	return a.Kind == b.Kind && a.ShortTag() == b.ShortTag() && a.Value == b.Value && a.Anchor == b.Anchor && slices.EqualFunc(a.Content, b.Content, same)
}

// mark edits the comment beside a value.
func (t *triggering) mark(e triggerEdit, f *yamledit.File, doc int, at yamledit.Path) (triggerEdit, error) {
	node := yamledit.Lookup(f.Docs[doc].Root, at)
	who := fmt.Sprintf("%s of %s", t.opt.field, cmp.Or(objectOf(f.Docs[doc].Root), "the file"))
	if objectOf(f.Docs[doc].Root) == "" {
		who = t.opt.field
	}
	c := beside(f, doc, at)
	if c == nil && t.opt.remove {
		return e, t.nothing(words(who))
	}
	if c == nil {
		m := t.opt.marker(marker{})
		end := lineStart(t.before, node.Line+1)
		line := strings.TrimRight(string(t.before[:end]), "\r\n")
		e.after = []byte(line + " # " + m.String() + string(t.before[len(line):]))
		e.count, e.said = 1, []string{who + " " + m.sentence()}
		return e, nil
	}
	start := lineStart(t.before, c.Line)
	start += byteColumn(t.before[start:], c.Col)
	return t.remark(e, who, start, start+len(c.Text))
}

// remark edits the marker of a comment that stands at an offset.
func (t *triggering) remark(e triggerEdit, who string, start, end int) (triggerEdit, error) {
	text := string(t.before[start:end])
	old, from, to, found := markerIn(text)
	switch {
	case !found:
		return e, t.unsure("the comment there is no marker as it should be")
	case t.opt.remove && t.opt.from != "" && old.Stream != t.opt.follows.String():
		return e, t.nothing(words(who))
	case t.opt.remove:
		e.after = t.unmarked(start, end, text[:from], text[to:])
		e.said = []string{fmt.Sprintf("%s follows %s no longer", who, old.was())}
		return e, nil
	}
	now := t.opt.marker(old)
	e.after = []byte(string(t.before[:start]) + text[:from] + now.String() + text[to:] + string(t.before[end:]))
	e.count = 1
	switch {
	case text[from:to] == now.String():
		e.said = []string{who + " " + now.sentence() + " already"}
	case old.Stream == now.Stream:
		e.said = []string{who + " " + now.sentence()}
	default:
		e.said = []string{fmt.Sprintf("%s %s in place of %s", who, now.sentence(), old.was())}
	}
	return e, nil
}

// unmarked is the file without a marker, and without its comment where nothing else is in it.
func (t *triggering) unmarked(start, end int, before, behind string) []byte {
	head, rest := string(t.before[:start]), string(t.before[end:])
	sign := strings.TrimRight(before, " \t")
	switch {
	case strings.TrimLeft(sign, "#/;-<!*") != "" || strings.Trim(behind, " \t*/->") != "":
		before, behind = strings.TrimRight(before, " \t"), strings.TrimLeft(behind, " \t")
		if first := strings.TrimRight(before, "# \t"); first != "" {
			before = first // the sign that stood before the marker was the second
		}
		return []byte(head + strings.TrimRight(before+" "+behind, " ") + rest)
	case strings.TrimSpace(head[strings.LastIndexByte(head, '\n')+1:]) != "":
		return []byte(strings.TrimRight(head, " \t") + rest)
	}
	head = head[:strings.LastIndexByte(head, '\n')+1]
	_, rest, _ = strings.Cut(rest, "\n")
	return []byte(head + rest)
}

// sentence is what a marker says.
func (m marker) sentence() string {
	out := "follows " + m.Stream
	if m.Part != "" {
		out = "follows the " + m.Part + " of " + m.Stream
	}
	if m.Form != "" {
		out += " as " + m.Form
	}
	return out + pausedWord(m.Paused)
}

// words are who something is said of.
type words string

func (w words) String() string { return string(w) }

// objectOf is the object of a document, empty where it is none.
func objectOf(root *yamledit.Node) string {
	r := runner{node: root}
	if r.text("metadata", "name") == "" {
		return ""
	}
	return trigger.ID{Kind: r.text("kind"), Namespace: r.text("metadata", "namespace"), Name: r.text("metadata", "name")}.String()
}

// beside is the comment with a marker that stands beside a value, nil where none does; one
// on its line goes before one above.
func beside(f *yamledit.File, doc int, at yamledit.Path) *yamledit.Comment {
	var found *yamledit.Comment
	for _, c := range f.Comments(markerKey, policyKey) {
		about := slices.ContainsFunc(c.Beside, func(s yamledit.Scalar) bool { return s.Doc == doc && slices.Equal(s.At, at) })
		if about && (found == nil || !c.Own) {
			found = &c
		}
	}
	return found
}

// byteColumn is how many bytes stand before a column, counted in characters from 1.
func byteColumn(line []byte, col int) int {
	n := 0
	for range col - 1 {
		_, size := utf8.DecodeRune(line[n:])
		n += size
	}
	return n
}

// follow prints what to write into the repository's config for a field that no marker makes
// follow, and why.
func (t *triggering) follow(selector, why string) error {
	if t.opt.remove {
		return failed(hint{fmt.Errorf("%s is JSON, which holds no marker", t.shown(t.path)), "take the field out of follow: in " + reconcile.ConfigPath})
	}
	m := t.opt.marker(marker{})
	lines := fmt.Sprintf("follow:\n  - paths: [%s]\n    field: %s\n    from: %s\n", quotedJSON(t.path), plainOrQuoted(selector), m.Stream)
	if m.Part != "" {
		lines += "    part: " + m.Part + "\n"
	}
	if m.Form != "" {
		lines += "    form: " + m.Form + "\n"
	}
	if t.opt.dryRun {
		fmt.Fprint(t.stdout, lines)
		return &exit{code: exitDone} // the file stays as it is
	}
	return failed(hint{errors.New(why), "write into " + reconcile.ConfigPath + ":\n" + lines})
}

// plainOrQuoted is a selector as YAML writes it.
func plainOrQuoted(text string) string {
	if strings.ContainsAny(text[:1], `["`) {
		return "'" + strings.ReplaceAll(text, "'", "''") + "'"
	}
	return text
}

// quotedJSON is text as JSON writes it, with < and > as they are.
func quotedJSON(text string) string {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.Encode(text)
	return strings.TrimSpace(b.String())
}
